// SPDX-License-Identifier: Apache-2.0
/* proc_test.c: starting programs, talking to them, waiting for them, ending them. */
#include "net_kit.h"

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>

static const soon_proc_opts piped = { .in = SOON_PROC_PIPE, .out = SOON_PROC_PIPE };

static const soon_proc_opts all_piped = {
	.in = SOON_PROC_PIPE, .out = SOON_PROC_PIPE, .err = SOON_PROC_PIPE
};

static unsigned warnings;
static char warned[SOON_REPORT_TEXT_BYTES];

static int warning_keep(const soon_report *report, void *unused)
{
	(void)unused;
	if (report->level == SOON_REPORT_WARNING)
		warnings++;
	if (report->level != SOON_REPORT_INFO)
		(void)snprintf(warned, sizeof warned, "%s", report->text);
	return 0;
}

/* Neither running nor a zombie: nothing of ours is left. */
static bool has_no_child(void)
{
	siginfo_t info;

	return waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) < 0 && errno == ECHILD;
}

static soon_proc *start(const char *const *argv, const soon_proc_opts *opts)
{
	soon_proc *proc = NULL;
	int rc = soon_proc_spawn(argv, opts, &proc);

	cr_assert_eq(rc, 0, "%d: %s", rc, soon_fail_message());
	return proc;
}

static soon_proc *start_sh(const char *script, const soon_proc_opts *opts)
{
	return start(SOON_ARGV("/bin/sh", "-c", script), opts);
}

static soon_proc_status end_of(soon_proc *proc)
{
	soon_proc_status status = { 0 };
	ssize_t rc = soon_within(SOON_S(20), soon_proc_wait(proc, &status));

	cr_assert_eq(rc, 0, "wait gave %zd", rc);
	soon_proc_close(proc);
	return status;
}

/* What a script writes, up to its end. */
static const char *told(const char *script, const soon_proc_opts *opts)
{
	static char text[4096];
	size_t done = 0;
	soon_proc *proc = start_sh(script, opts);
	ssize_t n = soon_within(SOON_S(20),
		soon_stream_read_exact(soon_proc_out(proc), text, sizeof text - 1, &done));

	cr_assert(n >= 0 || n == -EBADMSG, "read gave %zd", n);
	text[done] = '\0';
	cr_expect_eq(end_of(proc).code, 0);
	return text;
}

NET_TEST(proc, says_how_it_ended)
{
	char text[SOON_PROC_STATUS_BYTES];
	soon_proc_status status = end_of(start_sh("exit 7", NULL));

	cr_expect_eq(status.code, 7);
	cr_expect_eq(status.signal, 0);
	cr_expect_str_eq(soon_proc_status_format(&status, text), "exit status 7");
	status = end_of(start_sh("kill -USR1 $$", NULL));
	cr_expect_eq(status.code, -1);
	cr_expect_eq(status.signal, SIGUSR1);
	cr_expect_str_eq(soon_proc_status_format(&status, text), "killed by SIGUSR1");
	cr_expect(has_no_child());
}

NET_TEST(proc, talks_through_streams)
{
	soon_proc *proc = start(SOON_ARGV("cat"), &piped);
	char line[64];

	for (int i = 0; i < 3; i++) {
		cr_assert_eq(soon_stream_write(soon_proc_in(proc), "ping\n", 5), 5);
		cr_assert_eq(soon_stream_flush(soon_proc_in(proc)), 0);
		cr_assert_eq(
			soon_stream_read_until(soon_proc_out(proc), "\n", line, sizeof line), 5);
	}
	cr_expect_null(soon_proc_err(proc));
	cr_expect_eq(soon_stream_shutdown(soon_proc_in(proc)), 0);
	cr_expect_eq(soon_stream_write(soon_proc_in(proc), "x", 1), -EPIPE);
	cr_expect_eq(soon_stream_read(soon_proc_out(proc), line, sizeof line), 0);
	cr_expect_eq(end_of(proc).code, 0);
}

static int feed_pattern(soon_stream *to)
{
	static char bytes[30000];
	int rc = 0;

	for (size_t at = 0; rc >= 0 && at < 100 * sizeof bytes; at += sizeof bytes) {
		pattern_fill(bytes, sizeof bytes, at);
		rc = (int)soon_stream_write(to, bytes, sizeof bytes);
	}
	return rc < 0 ? rc : soon_stream_shutdown(to);
}

NET_TEST(proc, megabytes_pass_both_ways)
{
	soon_proc *proc = start(SOON_ARGV("cat"), &piped);
	struct drain drain = { .stream = soon_proc_out(proc), .bytes = 3000000 };
	SOON_GROUP(g);

	cr_assert_eq(soon_spawn(&g, feed_pattern, soon_proc_in(proc)), 0);
	cr_assert_eq(soon_spawn(&g, drain_run, &drain), 0);
	cr_expect_eq(soon_group_close(&g, 0), 0);
	cr_expect_eq(end_of(proc).code, 0);
}

NET_TEST(proc, a_stream_over_a_pipe_has_one_side)
{
	soon_proc *proc = start(SOON_ARGV("cat"), &piped);
	char c;

	cr_expect_eq(soon_stream_read(soon_proc_in(proc), &c, 1), -EBADF);
	cr_expect_eq(soon_stream_write(soon_proc_out(proc), "x", 1), 1);
	cr_expect_eq(soon_stream_flush(soon_proc_out(proc)), -EBADF);
	cr_expect_eq(soon_stream_fd(soon_proc_in(proc)), -1);
	soon_proc_close(proc);
	cr_expect(has_no_child());
}

/* And a signal would have killed this process. */
NET_TEST(proc, reader_that_is_gone_is_an_error)
{
	soon_proc *proc = start_sh("exec <&-; echo closed; exec sleep 100", &piped);
	char line[16];

	cr_assert_eq(soon_stream_read_until(soon_proc_out(proc), "\n", line, sizeof line), 7);
	cr_assert_eq(soon_stream_write(soon_proc_in(proc), "x", 1), 1);
	cr_expect_eq(soon_stream_flush(soon_proc_in(proc)), -EPIPE);
	soon_proc_close(proc);
}

/* ---- what it gets ------------------------------------------------------------------------ */

static const soon_proc_opts out_only = { .in = SOON_PROC_NULL, .out = SOON_PROC_PIPE };

NET_TEST(proc, gets_its_folder_environment_and_session)
{
	soon_proc_opts opts = out_only;
	char expected[64];
	soon_proc *proc;
	char line[64];
	ssize_t n;

	opts.cwd = "/usr";
	cr_expect_str_eq(told("pwd", &opts), "/usr\n");
	opts.env = SOON_ARGV("PATH=/usr/bin:/bin", "COLOUR=red");
	cr_expect_str_eq(told("echo $COLOUR-$HOME", &opts), "red-\n");
	opts.env = NULL;
	cr_assert_eq(setenv("SOON_TEST_COLOUR", "blue", 1), 0);
	cr_expect_str_eq(told("echo $SOON_TEST_COLOUR", &opts), "blue\n");

	opts.new_session = true;
	proc = start_sh("ps -o sid= -p $$ | tr -d ' '", &opts);
	n = soon_stream_read_until(soon_proc_out(proc), "\n", line, sizeof line);
	cr_assert_gt(n, 0);
	(void)snprintf(expected, sizeof expected, "%d\n", (int)soon_proc_pid(proc));
	cr_expect_eq(strncmp(line, expected, (size_t)n), 0);
	cr_expect_eq(end_of(proc).code, 0);
}

NET_TEST(proc, inherits_no_descriptor_but_those_named)
{
	int leaky = open("/dev/null", O_RDONLY), pair[2];
	soon_proc_opts opts = out_only;

	cr_assert_geq(leaky, 0);
	cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	cr_expect_str_eq(told("ls -x /proc/self/fd", &opts), "0  1  2  3\n", "3 is of ls itself");

	/* They trade places, and one is there twice. */
	opts.fds = (soon_proc_fd[]){ { pair[0], pair[1] }, { pair[1], pair[0] }, { pair[0], 9 } };
	opts.fds_count = 3;
	{
		struct stat a, b;
		char script[128], expected[64];

		cr_assert_eq(fstat(pair[0], &a), 0);
		cr_assert_eq(fstat(pair[1], &b), 0);
		(void)snprintf(script, sizeof script,
			"stat -L -c %%i /dev/fd/%d /dev/fd/%d /dev/fd/9 | tr '\\n' ' '", pair[0],
			pair[1]);
		(void)snprintf(expected, sizeof expected, "%ju %ju %ju ", (uintmax_t)b.st_ino,
			(uintmax_t)a.st_ino, (uintmax_t)a.st_ino);
		cr_expect_str_eq(told(script, &opts), expected);
	}
	(void)close(leaky);
	(void)close(pair[0]);
	(void)close(pair[1]);
}

NET_TEST(proc, standard_descriptors_go_where_they_are_told)
{
	soon_proc_opts opts = {
		.in = SOON_PROC_NULL, .out = SOON_PROC_PIPE, .err = SOON_PROC_STDOUT
	};
	char path[] = "/tmp/soon_proc_XXXXXX", line[16];
	int file = mkstemp(path);

	cr_assert_geq(file, 0);
	cr_expect_str_eq(told("echo one; echo two >&2; wc -c", &opts), "one\ntwo\n0\n");
	opts.err = SOON_PROC_NULL;
	cr_expect_str_eq(told("echo one; echo two >&2", &opts), "one\n");
	cr_expect_eq(
		end_of(start_sh("echo to a file",
			       &(soon_proc_opts){
				       .in = SOON_PROC_NULL, .out = SOON_PROC_FD, .out_fd = file }))
			.code,
		0);
	cr_expect_eq(pread(file, line, sizeof line, 0), 10);
	(void)unlink(path);
	(void)close(file);
}

static void handler(int sig)
{
	(void)sig;
}

NET_TEST(proc, signals_are_as_ever)
{
	sigset_t usr1, before;
	const char *status;

	(void)sigemptyset(&usr1);
	(void)sigaddset(&usr1, SIGUSR1);
	cr_assert_eq(pthread_sigmask(SIG_BLOCK, &usr1, &before), 0);
	(void)signal(SIGPIPE, SIG_IGN);
	(void)signal(SIGUSR2, handler);
	status = told("cat /proc/self/status", &out_only);
	cr_expect_not_null(strstr(status, "SigBlk:\t0000000000000000"));
	cr_expect_not_null(strstr(status, "SigIgn:\t0000000000000000"));
	cr_expect_not_null(strstr(status, "SigCgt:\t0000000000000000"));
	(void)signal(SIGPIPE, SIG_DFL);
	(void)signal(SIGUSR2, SIG_DFL);
	cr_assert_eq(pthread_sigmask(SIG_SETMASK, &before, NULL), 0);
}

NET_TEST(proc, limits_hold)
{
	soon_proc_opts opts = out_only;

	opts.address_max = (uint64_t)512 << 20;
	opts.cpu_max = 77;
	opts.no_new_privs = true;
	cr_expect_str_eq(
		told("ulimit -v; ulimit -t; grep NoNewPrivs /proc/self/status | cut -f2", &opts),
		"524288\n77\n1\n");
}

/* ---- what cannot be started -------------------------------------------------------------- */

#define SECRET "hunter2-the-secret"

static int failure_of(const char *program, const soon_proc_opts *opts)
{
	soon_proc *proc = NULL;
	int rc = soon_proc_spawn(SOON_ARGV(program, SECRET), opts, &proc);

	cr_expect_null(proc);
	cr_expect(has_no_child());
	return rc;
}

NET_TEST(proc, failures_of_the_exec_are_told_by_the_spawn)
{
	soon_proc_opts opts = { .cwd = "/no/such/folder" };
	static char huge[3 << 20];
	soon_proc *proc;

	cr_expect_eq(failure_of("/no/such/program", NULL), -ENOENT);
	cr_expect_not_null(strstr(soon_fail_message(), "cannot run program: No such file"));
	cr_expect_null(strstr(soon_fail_message(), SECRET));
	cr_expect_eq(failure_of("no-such-program", NULL), -ENOENT);
	cr_expect_eq(failure_of("/etc/passwd", NULL), -EACCES);
	cr_expect_eq(failure_of("/bin", NULL), -EACCES);
	cr_expect_eq(failure_of("/bin/sh", &opts), -ENOENT);
	cr_expect_not_null(strstr(soon_fail_message(), "its folder /no/such/folder"));
	memset(huge, 'x', sizeof huge - 1);
	cr_expect_eq(soon_proc_spawn(SOON_ARGV("true", huge), NULL, &proc), -E2BIG);
	opts = (soon_proc_opts){ .out = SOON_PROC_FD, .out_fd = 999 };
	cr_expect_eq(failure_of("true", &opts), -EBADF);
	opts = (soon_proc_opts){ .out = SOON_PROC_STDOUT };
	cr_expect_eq(failure_of("true", &opts), -EINVAL);
	opts = (soon_proc_opts){ .fds = &(soon_proc_fd){ 0, 2 }, .fds_count = 1 };
	cr_expect_eq(failure_of("true", &opts), -EINVAL);
}

NET_TEST(proc, path_is_searched_on_past_what_cannot_be_run)
{
	char folder[] = "/tmp/soon_proc_XXXXXX", bad[64], env[128];
	soon_proc_opts opts = out_only;
	int fd;

	cr_assert_not_null(mkdtemp(folder));
	(void)snprintf(bad, sizeof bad, "%s/true", folder);
	fd = open(bad, O_CREAT | O_WRONLY, 0600);
	cr_assert_geq(fd, 0);
	(void)close(fd);
	(void)snprintf(env, sizeof env, "PATH=/no/folder:%s:/usr/bin:/bin", folder);
	opts.env = SOON_ARGV(env);
	cr_expect_eq(end_of(start(SOON_ARGV("true"), &opts)).code, 0);
	(void)snprintf(env, sizeof env, "PATH=%s:/no/folder", folder);
	cr_expect_eq(failure_of("true", &opts), -EACCES, "one was there");
	(void)unlink(bad);
	(void)rmdir(folder);
}

NET_TEST(proc, descriptors_may_run_out_at_any_place)
{
	soon_proc_opts opts = all_piped;
	struct rlimit limit;
	unsigned failures = 0;
	int rc = -EMFILE, probe = dup(0);

	cr_assert_geq(probe, 0);
	(void)close(probe);
	cr_assert_eq(getrlimit(RLIMIT_NOFILE, &limit), 0);
	for (rlim_t room = 0; rc == -EMFILE && room < 20; room++) {
		struct rlimit tight = { (rlim_t)probe + room, limit.rlim_max };
		soon_proc *proc = NULL;

		cr_assert_eq(setrlimit(RLIMIT_NOFILE, &tight), 0);
		rc = soon_proc_spawn(SOON_ARGV("true"), &opts, &proc);
		cr_assert_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
		failures += rc == -EMFILE;
		soon_proc_close(proc);
	}
	cr_expect_eq(rc, 0);
	cr_expect_geq(failures, 5);
	cr_expect(has_no_child());
}

/* The limit is of the user, and not for root; so in a child that is somebody else. */
static int start_as_nobody(void *unused)
{
	const struct rlimit none = { 1, 1 };
	soon_proc *proc = NULL;
	int rc;

	(void)unused;
	if (setrlimit(RLIMIT_NPROC, &none) < 0 || setresuid(65534, 65534, 65534) < 0)
		return 77;
	rc = soon_proc_spawn(SOON_ARGV("true", SECRET), NULL, &proc);
	if (rc != -EAGAIN || proc != NULL)
		return 1;
	return strstr(soon_fail_message(), "RLIMIT_NPROC") != NULL ? 0 : 2;
}

SOON_TEST_PLAIN(proc, processes_may_run_out)
{
	int status = -1;
	pid_t pid = fork();

	cr_assert_geq(pid, 0);
	if (pid == 0)
		_exit(soon_run(start_as_nobody, NULL));
	cr_assert_eq(waitpid(pid, &status, 0), pid);
	cr_assert(WIFEXITED(status), "status %#x", (unsigned)status);
	cr_expect(WEXITSTATUS(status) == 0 || WEXITSTATUS(status) == 77, "%d", WEXITSTATUS(status));
}

static int start_and_die(int to_parent)
{
	soon_proc_opts opts = { .out = SOON_PROC_FD, .out_fd = to_parent, .die_with_us = true };
	soon_proc *proc = NULL;
	char number[16];

	if (soon_proc_spawn(SOON_ARGV("sleep", "100"), &opts, &proc) < 0)
		return 1;
	(void)!write(to_parent, number,
		(size_t)snprintf(number, sizeof number, "%d\n", (int)soon_proc_pid(proc)));
	(void)raise(SIGKILL);
	return 2;
}

/* The pipe ends when the last of them is gone. */
NET_TEST(proc, dies_with_us_if_told_so)
{
	int ends[2], status = -1;
	char text[64];
	ssize_t n;
	pid_t pid;

	cr_assert_eq(pipe(ends), 0);
	pid = fork();
	if (pid == 0)
		_exit(soon_run(start_and_die, ends[1]));
	(void)close(ends[1]);
	n = soon_within(SOON_S(20), soon_read_full(ends[0], text, sizeof text, NULL));
	cr_expect_gt(n, 1, "the program outlived its parent: %zd", n);
	cr_assert_eq(waitpid(pid, &status, 0), pid);
	cr_expect(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
	(void)close(ends[0]);
}

NET_TEST(proc, each_allocation_may_fail)
{
	soon_proc_opts opts = all_piped;
	int rc = -ENOMEM;

	for (uint64_t k = 1; rc == -ENOMEM && k < 50; k++) {
		soon_proc *proc = NULL;

		soon_mem_fail_at(k);
		rc = soon_proc_spawn(SOON_ARGV("true"), &opts, &proc);
		soon_mem_fail_at(0);
		cr_expect(rc == 0 ? k > 5 : proc == NULL);
		soon_proc_close(proc);
		cr_assert(has_no_child());
	}
	cr_expect_eq(rc, 0);
}

/* ---- waiting and ending ------------------------------------------------------------------ */

static int wait_for_7(soon_proc *proc)
{
	soon_proc_status status;
	int rc = soon_proc_wait(proc, &status);

	return rc == 0 && status.code != 7 ? -EPROTO : rc;
}

NET_TEST(proc, several_may_wait_and_again)
{
	soon_proc *proc = start_sh("read x; exit 7", &piped);
	SOON_GROUP(g);

	for (int i = 0; i < 5; i++)
		cr_assert_eq(soon_spawn(&g, wait_for_7, proc), 0);
	cr_assert_eq(soon_within(SOON_MS(1), soon_proc_wait(proc, NULL)), -ETIMEDOUT);
	cr_expect_eq(soon_proc_kill(proc, 0), 0);
	cr_assert_eq(soon_stream_shutdown(soon_proc_in(proc)), 0);
	cr_expect_eq(soon_group_close(&g, 0), 0);
	cr_expect_eq(soon_proc_wait(proc, NULL), 0);
	cr_expect_eq(soon_proc_kill(proc, SIGTERM), -ESRCH);
	soon_proc_close(proc);
}

NET_TEST(proc, end_is_told_though_a_grandchild_holds_the_pipe)
{
	soon_proc_opts opts = out_only;
	soon_proc *proc;
	char line[16];

	opts.new_group = true;
	proc = start_sh("sleep 100 & echo $!; exit 3", &opts);
	cr_assert_gt(soon_stream_read_until(soon_proc_out(proc), "\n", line, sizeof line), 0);
	cr_expect_eq(end_of(proc).code, 3);
	cr_expect_eq(kill((pid_t)atoi(line), SIGKILL), 0, "which was not ours to end");
}

NET_TEST(proc, close_terminates_and_does_not_wait_for_a_full_pipe)
{
	static char much[300000];
	soon_proc *proc = start(SOON_ARGV("sleep", "100"), &piped);

	cr_expect_eq(
		soon_within(SOON_MS(5), soon_stream_write(soon_proc_in(proc), much, 60000)), 60000);
	cr_expect_eq(
		soon_within(SOON_MS(5), soon_stream_write(soon_proc_in(proc), much, sizeof much)),
		-ETIMEDOUT);
	soon_proc_close(proc);
	soon_proc_close(start(SOON_ARGV("yes"), &out_only));
	cr_expect(has_no_child());
}

NET_TEST(proc, who_ignores_sigterm_is_killed_with_its_group_and_a_warning)
{
	soon_proc_opts opts = out_only;
	soon_proc_status status;
	soon_proc *proc;
	char line[16];
	int rc;

	soon_on_report(warning_keep, NULL);
	opts.grace = SOON_MS(20);
	opts.new_group = true;
	proc = start_sh("trap '' TERM; echo ready; while :; do sleep 100; done", &opts);
	cr_assert_eq(soon_stream_read_until(soon_proc_out(proc), "\n", line, sizeof line), 6);
	/* In a cancelled scope, too. */
	SOON_SCOPE(s);
	soon_scope_cancel(&s, "test");
	rc = soon_proc_terminate(proc, &status);
	cr_expect_eq(soon_scope_close(&s, rc), 0);
	cr_expect_eq(status.signal, SIGKILL);
	cr_expect_eq(warnings, 1);
	cr_expect_not_null(strstr(warned, "(sh) did not end within 20 ms of SIGTERM"));
	cr_expect_eq(soon_stream_read(soon_proc_out(proc), line, sizeof line), 0,
		"the sleep, which holds the pipe, was in the group");
	soon_proc_close(proc);
	soon_on_report(NULL, NULL);
}

NET_TEST(proc, stopped_ones_end_as_well)
{
	soon_proc_opts opts = out_only;
	soon_proc *proc;

	opts.grace = -1; /* at once */
	proc = start(SOON_ARGV("sleep", "100"), &opts);
	cr_assert_eq(soon_proc_kill(proc, SIGSTOP), 0);
	soon_proc_close(proc);
	cr_expect(has_no_child());
}

NET_TEST(proc, two_hundred_at_once)
{
	soon_proc *procs[200];

	for (int i = 0; i < 200; i++)
		procs[i] = start(SOON_ARGV("cat"), &piped);
	for (int i = 0; i < 200; i++)
		cr_expect_eq(soon_stream_shutdown(soon_proc_in(procs[i])), 0);
	for (int i = 0; i < 200; i++)
		cr_expect_eq(end_of(procs[i]).code, 0);
	cr_expect(has_no_child());
}

/* ---- hosts that meddle ------------------------------------------------------------------- */

NET_TEST(proc, host_that_ignores_sigchld_is_told_so)
{
	(void)signal(SIGCHLD, SIG_IGN);
	cr_expect_eq(failure_of("true", NULL), -ECHILD);
	cr_expect_not_null(strstr(soon_fail_message(), "SIGCHLD"));
	(void)signal(SIGCHLD, SIG_DFL);
	cr_expect_eq(end_of(start(SOON_ARGV("true"), NULL)).code, 0);
}

NET_TEST(proc, status_that_somebody_else_took_is_told)
{
	soon_proc *proc = start_sh("exit 3", NULL);
	soon_proc_status status;

	cr_assert_eq(waitpid(-1, NULL, 0), soon_proc_pid(proc));
	cr_expect_eq(soon_proc_wait(proc, &status), -ECHILD);
	cr_expect_not_null(strstr(soon_fail_message(), "took its status"));
	cr_expect_eq(status.code, -1);
	cr_expect_eq(soon_proc_kill(proc, SIGTERM), -ESRCH);
	soon_proc_close(proc);
}

static int wait_elsewhere(void *proc)
{
	return soon_proc_wait(proc, NULL);
}

static void *run_elsewhere(void *proc)
{
	return (void *)(intptr_t)soon_run(wait_elsewhere, proc);
}

NET_TEST(proc, belongs_to_the_core_that_started_it)
{
	soon_proc *proc = start_sh("exit 0", NULL);
	pthread_t thread;
	void *rc = NULL;

	soon_test_reports_expected = 1;
	cr_assert_eq(pthread_create(&thread, NULL, run_elsewhere, proc), 0);
	cr_assert_eq(pthread_join(thread, &rc), 0);
	cr_expect_eq((intptr_t)rc, -EPERM);
	cr_expect_eq(end_of(proc).code, 0);
}

NET_TEST(proc, spawn_in_a_cancelled_scope_starts_nothing)
{
	soon_proc *proc = NULL;
	int rc;

	SOON_SCOPE(s);
	soon_scope_cancel(&s, "test");
	rc = soon_proc_spawn(SOON_ARGV("true"), NULL, &proc);
	cr_expect_eq(soon_scope_close(&s, rc), 0);
	cr_expect_null(proc);
	cr_expect(has_no_child());
}

static char said[2048];
static soon_proc *forgotten;

static int error_keep(const soon_report *report, void *unused)
{
	(void)unused;
	if (report->level == SOON_REPORT_ERROR)
		(void)snprintf(said, sizeof said, "%s", report->text);
	return 0;
}

static int leave_open(void *unused)
{
	(void)unused;
	soon_proc_close(start_sh("exit 0", NULL));
	forgotten = start(SOON_ARGV("sleep", "100"), NULL);
	return 0;
}

static int close_forgotten(void *unused)
{
	(void)unused;
	soon_proc_close(forgotten);
	return 0;
}

SOON_TEST_PLAIN(proc, left_open_is_told_with_who_started_it)
{
	char expected[64];

	soon_on_report(error_keep, NULL);
	cr_assert_eq(soon_run_with(&(soon_opts){ .debug = 1 }, leave_open, NULL), 0);
	(void)snprintf(expected, sizeof expected, "process %d (sleep), opened by soon_proc_spawn",
		(int)soon_proc_pid(forgotten));
	cr_expect_not_null(strstr(said, expected), "%s", said);
	cr_expect_not_null(strstr(said, "leave_open+"), "%s", said);
	cr_assert_eq(soon_run(close_forgotten, NULL), 0);
	cr_expect(has_no_child());
	soon_test_reports_expected = 1;
}

/* The processors of this process, and of a program started where it is bound to one. */
struct processors {
	char ours[256], of_first[256], of_second[256];
};

static const char *const allowed_line[] = { "grep", "Cpus_allowed_list", "/proc/self/status",
	NULL };

static int read_processors_of_child(char text[256])
{
	soon_proc *proc = start(allowed_line, &piped);
	ssize_t n = soon_stream_read_until(soon_proc_out(proc), "\n", text, 255);

	cr_assert_gt(n, 0);
	text[n] = '\0';
	cr_expect_eq(end_of(proc).code, 0);
	return 0;
}

static int start_on_two_cores(struct processors *processors)
{
	soon_core *second;

	cr_assert_eq(read_processors_of_child(processors->of_first), 0);
	cr_assert_eq(soon_core_at(1, &second), 0);
	return soon_call_on(second, read_processors_of_child, processors->of_second);
}

SOON_TEST_PLAIN(proc, has_all_processors_though_its_core_is_bound_to_one)
{
	struct processors processors = { 0 };
	soon_opts opts = { .cores = 2 };

	cr_assert_eq(soon_run(read_processors_of_child, processors.ours), 0);
	cr_assert_eq(soon_run_with(&opts, start_on_two_cores, &processors), 0);
	cr_expect_str_eq(processors.of_first, processors.ours);
	cr_expect_str_eq(processors.of_second, processors.ours);
}

/* As daemons are that close their standard descriptors: pipes get the numbers. */
NET_TEST(proc, inherits_no_pipe_in_place_of_a_missing_standard_one)
{
	int in = fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 100);
	int out = fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 100);
	soon_proc *proc;

	cr_assert(in >= 0 && out >= 0);
	(void)close(STDIN_FILENO);
	(void)close(STDOUT_FILENO);
	proc = start_sh("while read -r line; do :; done",
		&(soon_proc_opts){ .in = SOON_PROC_PIPE, .err = SOON_PROC_NULL });
	cr_assert_eq(soon_stream_shutdown(soon_proc_in(proc)), 0);
	cr_assert_eq(end_of(proc).code, 0); /* nobody else held its input open: not itself either */
	cr_assert_eq(dup2(in, STDIN_FILENO), STDIN_FILENO);
	cr_assert_eq(dup2(out, STDOUT_FILENO), STDOUT_FILENO);
	(void)close(in);
	(void)close(out);
}
