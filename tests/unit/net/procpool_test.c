// SPDX-License-Identifier: Apache-2.0
/*
 * procpool_test.c: calls into worker processes, which this program is, too: see worker_first.
 */
#include "net_kit.h"
#include "procpool_wire.h"

#include <ctype.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>

/* ---- what workers do --------------------------------------------------------------------- */

static int echo(const void *in, size_t in_len, void *out, size_t out_cap, size_t *ret_len)
{
	*ret_len = in_len < out_cap ? in_len : out_cap;
	memcpy(out, in, *ret_len);
	return (int)(in_len & 0x7fff);
}

static int pid_of(const void *in, size_t in_len, void *out, size_t out_cap, size_t *ret_len)
{
	(void)in, (void)in_len, (void)out, (void)out_cap, (void)ret_len;
	return (int)getpid();
}

static int fail(const void *in, size_t in_len, void *out, size_t out_cap, size_t *ret_len)
{
	(void)in, (void)in_len, (void)out, (void)out_cap, (void)ret_len;
	return -EDOM;
}

/* Dies of the signal whose number is given as text; of an exit for 0. */
static int die(const void *in, size_t in_len, void *out, size_t out_cap, size_t *ret_len)
{
	int sig = atoi(in);

	(void)in_len, (void)out, (void)out_cap, (void)ret_len;
	if (sig == 0)
		_exit(5);
	(void)prctl(PR_SET_DUMPABLE, 0);
	(void)signal(sig, SIG_DFL);
	(void)raise(sig);
	return 0;
}

static int hang(const void *in, size_t in_len, void *out, size_t out_cap, size_t *ret_len)
{
	(void)in, (void)in_len, (void)out, (void)out_cap, (void)ret_len;
	while (pause() < 0)
		continue;
	return 0;
}

/* Writes what it is given past the runtime, then stays or goes on. */
static int garble(const void *in, size_t in_len, void *out, size_t out_cap, size_t *ret_len)
{
	(void)!write(SOON__WORKER_FD, in, in_len);
	return ((const char *)in)[0] == 'h' ? hang(in, in_len, out, out_cap, ret_len) : 0;
}

/* A sound head with a false number, a length that lies, or no end of its bytes. */
static int lie(const void *in, size_t in_len, void *out, size_t out_cap, size_t *ret_len)
{
	struct soon__wire_head head = { .number = 1, .len = 4 };
	const char *how = in;
	char said[sizeof head + 4];

	if (strcmp(how, "number") == 0)
		head.number = 77;
	if (strcmp(how, "length") == 0)
		head.len = out_cap + 1;
	if (strcmp(how, "short") == 0)
		head.len = 2;
	soon__wire_seal(&head, SOON__WIRE_REPLY);
	if (strcmp(how, "kind") == 0)
		soon__wire_seal(&head, SOON__WIRE_HELLO);
	if (strcmp(how, "sum") == 0)
		head.rc = 1;
	memcpy(said, &head, sizeof head);
	memcpy(said + sizeof head, "1234", 4);
	(void)!write(SOON__WORKER_FD, said, sizeof head + (strcmp(how, "cut") == 0 ? 2 : 4));
	if (strcmp(how, "cut") == 0)
		_exit(0);
	return hang(in, in_len, out, out_cap, ret_len);
}

/* What a worker can see of its parent: descriptors, limits, death signal, group. */
static int look(const void *in, size_t in_len, void *out, size_t out_cap, size_t *ret_len)
{
	int signal_of_death = 0, count = 0;

	(void)in, (void)in_len;
	for (int fd = 0; fd < 1000; fd++)
		count += fcntl(fd, F_GETFD) >= 0;
	(void)prctl(PR_GET_PDEATHSIG, &signal_of_death);
	*ret_len = (size_t)snprintf(out, out_cap, "fds %d, signal %d, leader %d, privs %d", count,
		signal_of_death, getpgrp() == getpid(), prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0));
	return 0;
}

static int eat(const void *in, size_t in_len, void *out, size_t out_cap, size_t *ret_len)
{
	void *volatile memory = malloc((size_t)1 << 30); /* or clang takes it to succeed */

	(void)in, (void)in_len, (void)out, (void)out_cap, (void)ret_len;
	free(memory);
	return memory == NULL ? -ENOMEM : 0;
}

static const soon_procpool_entry table[] = { { "echo", echo }, { "pid", pid_of }, { "fail", fail },
	{ "die", die }, { "hang", hang }, { "garble", garble }, { "lie", lie }, { "look", look },
	{ "eat", eat }, { NULL, NULL } };

static const soon_procpool_entry other_table[] = { { "echo", echo }, { NULL, NULL } };

/* Before main, which is Criterion's. */
__attribute__((constructor)) static void worker_first(int argc, char **argv)
{
	soon_procpool_worker(argc, argv, getenv("SOON_TEST_OTHER") != NULL ? other_table : table);
}

/* ---- the other side ---------------------------------------------------------------------- */

static bool has_no_child(void)
{
	siginfo_t info;

	return waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) < 0 && errno == ECHILD;
}

static soon_procpool *open_pool(const soon_procpool_opts *opts)
{
	soon_procpool *pool = NULL;

	cr_assert_eq(soon_procpool_open(opts, &pool), 0);
	return pool;
}

static void close_pool(soon_procpool *pool)
{
	soon_procpool_close(pool);
	cr_expect(has_no_child());
}

/* A call with a text, whose answer nobody looks at. */
static int ask(soon_procpool *pool, const char *name, const char *text)
{
	char out[256];
	ssize_t rc = soon_within(SOON_S(20),
		soon_proc_offload(pool, name, text, strlen(text), out, sizeof out, NULL));

	return (int)rc;
}

static bool message_has(const char *part)
{
	return soon_fail_message() != NULL && strstr(soon_fail_message(), part) != NULL;
}

NET_TEST(procpool, gives_what_the_function_gives)
{
	soon_procpool *pool = open_pool(NULL);
	char out[16];
	size_t len = 99;

	cr_expect_eq(soon_proc_offload(pool, "echo", "hello", 5, out, sizeof out, &len), 5);
	cr_expect_eq(len, 5);
	cr_expect_eq(memcmp(out, "hello", 5), 0);
	cr_expect_eq(soon_proc_offload(pool, "echo", NULL, 0, NULL, 0, &len), 0);
	cr_expect_eq(len, 0);
	cr_expect_eq(soon_proc_offload(pool, "echo", "hello", 5, out, 2, &len), 5);
	cr_expect_eq(len, 2);
	cr_expect_eq(ask(pool, "fail", ""), -EDOM);
	cr_expect_eq(soon_procpool_stat(pool).calls, 4);
	cr_expect_eq(soon_procpool_stat(pool).started, 1, "one was enough");
	cr_expect_neq(ask(pool, "pid", ""), (int)getpid());
	close_pool(pool);
}

NET_TEST(procpool, messages_of_all_sizes_arrive)
{
	static char in[1 << 20], out[1 << 20];
	soon_procpool *pool = open_pool(NULL);
	size_t head = sizeof(struct soon__wire_head);
	size_t sizes[] = { 1, 4096 - head - 1, 4096 - head, 4096 - head + 1, 4096, 300000,
		sizeof in };

	pattern_fill(in, sizeof in, 0);
	for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
		size_t len = 0;

		memset(out, 0, sizeof out);
		cr_assert_geq(
			soon_proc_offload(pool, "echo", in, sizes[i], out, sizes[i], &len), 0);
		cr_expect_eq(len, sizes[i]);
		cr_expect(pattern_is(out, len, 0));
	}
	cr_expect_eq(soon_proc_offload(pool, "echo", in, sizeof in + 1, out, 1, NULL), -EMSGSIZE);
	cr_expect_eq(soon_proc_offload(pool, "echo", in, 1, out, sizeof out + 1, NULL), -EMSGSIZE);
	cr_expect_eq(ask(pool, "nothing", ""), -ENOENT);
	cr_expect_eq(soon_procpool_stat(pool).crashed, 0);
	close_pool(pool);
}

NET_TEST(procpool, crash_costs_one_call_and_one_worker)
{
	soon_procpool *pool =
		open_pool(&(soon_procpool_opts){ .workers_max = 1, .name = "parser" });
	int before = ask(pool, "pid", ""), after;

	cr_expect_eq(ask(pool, "die", "9"), -ECONNRESET);
	cr_expect(message_has("parser: worker"), "%s", soon_fail_message());
	cr_expect(message_has("ended in 'die': killed by SIGKILL"), "%s", soon_fail_message());
	after = ask(pool, "pid", "");
	cr_expect_gt(after, 0);
	cr_expect_neq(after, before);
	cr_expect_eq(ask(pool, "die", "11"), -ECONNRESET);
	cr_expect(message_has("killed by SIGSEGV"), "%s", soon_fail_message());
	cr_expect_eq(ask(pool, "die", "0"), -ECONNRESET);
	cr_expect(message_has("exit status 5"), "%s", soon_fail_message());
	cr_expect_eq(soon_procpool_stat(pool).crashed, 3);
	close_pool(pool);
}

static int call_hang(soon_procpool *pool)
{
	return ask(pool, "hang", "");
}

static int call_echo_often(soon_procpool *pool)
{
	for (int i = 0; i < 50; i++)
		if (ask(pool, "echo", "abc") != 3)
			return -EPROTO;
	return 0;
}

/* One that is killed from outside, and all the while others go on. */
NET_TEST(procpool, killed_from_outside_others_are_unharmed)
{
	soon_procpool *pool = open_pool(&(soon_procpool_opts){ .workers_max = 3 });
	soon_task *hanging = NULL;
	int rc = 0, victim = 0;
	SOON_GROUP(g, .policy = SOON_WAIT_ALL);

	victim = ask(pool, "pid", ""); /* the idle one, which is used next */
	cr_assert_eq(
		soon_spawn_with(&g, &(soon_task_opts){ .ret_task = &hanging }, call_hang, pool), 0);
	cr_assert_eq(soon_yield(), 0);
	cr_assert_eq(soon_spawn(&g, call_echo_often, pool), 0);
	cr_assert_eq(soon_spawn(&g, call_echo_often, pool), 0);
	cr_assert_eq(soon_sleep(SOON_MS(5)), 0);
	cr_assert_eq(kill(victim, SIGKILL), 0);
	cr_expect_eq(soon_join(hanging, &rc), 0);
	cr_expect_eq(rc, -ECONNRESET);
	cr_expect_eq(soon_group_close(&g, 0), -ECONNRESET, "no other failure");
	cr_expect_eq(soon_procpool_stat(pool).calls, 101);
	close_pool(pool);
}

NET_TEST(procpool, one_that_died_idle_costs_no_call)
{
	soon_procpool *pool = open_pool(NULL);
	int victim = ask(pool, "pid", "");
	siginfo_t info;

	cr_assert_eq(kill(victim, SIGKILL), 0);
	cr_assert_eq(waitid(P_PID, (id_t)victim, &info, WEXITED | WNOWAIT), 0);
	cr_expect_eq(ask(pool, "echo", "abc"), 3);
	close_pool(pool);
}

/* In a pool of its own, whose first call has the number that the lie needs. */
static int lie_of(const char *how)
{
	soon_procpool *pool = open_pool(NULL);
	int rc = ask(pool, "lie", how);

	cr_expect_eq(soon_procpool_stat(pool).crashed, 1);
	close_pool(pool);
	return rc;
}

NET_TEST(procpool, who_lies_is_killed)
{
	static const char *const lies[] = { "number", "length", "short", "kind", "sum" };

	for (size_t i = 0; i < sizeof lies / sizeof *lies; i++) {
		int rc = lie_of(lies[i]);

		cr_expect_eq(rc, -EBADMSG, "%s: %d", lies[i], rc);
		cr_expect(message_has("broke the protocol in 'lie'"), "%s", soon_fail_message());
	}
	cr_expect_eq(lie_of("cut"), -ECONNRESET);
}

NET_TEST(procpool, who_writes_garbage_is_killed)
{
	soon_procpool *pool = open_pool(&(soon_procpool_opts){ .backoff = 1 });
	char much[3000];

	memset(much, 'h', sizeof much - 1);
	much[sizeof much - 1] = '\0';
	cr_expect_eq(ask(pool, "garble", much), -EBADMSG);
	cr_expect_eq(ask(pool, "garble", "xyz"), -EBADMSG, "in front of a sound answer");
	cr_expect_eq(ask(pool, "echo", "abc"), 3);
	cr_expect_eq(soon_procpool_stat(pool).crashed, 2);
	close_pool(pool);
}

NET_TEST(procpool, silent_one_is_ended_by_the_calls_deadline)
{
	soon_procpool *pool = open_pool(&(soon_procpool_opts){ .workers_max = 1 });
	int victim = ask(pool, "pid", "");

	cr_expect_eq(
		soon_within(SOON_MS(20), soon_proc_offload(pool, "hang", NULL, 0, NULL, 0, NULL)),
		-ETIMEDOUT);
	cr_expect(has_no_child());
	cr_expect_eq(kill(victim, 0), -1);
	/* Half a head, then nothing. */
	cr_expect_eq(soon_within(SOON_MS(20),
			     soon_proc_offload(pool, "garble", "half", 4, NULL, 0, NULL)),
		-ETIMEDOUT);
	cr_expect_eq(ask(pool, "echo", "abc"), 3);
	cr_expect_eq(soon_procpool_stat(pool).killed, 2);
	cr_expect_eq(soon_procpool_stat(pool).crashed, 0);
	close_pool(pool);
}

NET_TEST(procpool, calls_wait_in_turn_and_may_leave)
{
	soon_procpool *pool = open_pool(&(soon_procpool_opts){ .workers_max = 1, .queue_max = 1 });
	soon_task *hanging = NULL;
	SOON_GROUP(g);

	cr_assert_eq(
		soon_spawn_with(&g, &(soon_task_opts){ .ret_task = &hanging }, call_hang, pool), 0);
	cr_assert_eq(soon_yield(), 0);
	cr_assert_eq(soon_spawn(&g, call_echo_often, pool), 0);
	cr_assert_eq(soon_yield(), 0);
	cr_expect_eq(soon_procpool_stat(pool).waiting, 1);
	cr_expect_eq(ask(pool, "echo", "abc"), -EAGAIN, "the queue is full");
	cr_expect_eq(soon_procpool_stat(pool).workers, 1);
	cr_expect_eq(soon_cancel_join(hanging), 0);
	cr_expect_eq(soon_group_close(&g, 0), 0);
	cr_expect_eq(soon_procpool_stat(pool).calls, 50);
	close_pool(pool);
}

NET_TEST(procpool, workers_are_recycled)
{
	soon_procpool *pool = open_pool(&(soon_procpool_opts){ .workers_max = 1, .calls_max = 2 });
	int first = ask(pool, "pid", ""), second = ask(pool, "pid", ""),
	    third = ask(pool, "pid", "");

	cr_expect_eq(first, second);
	cr_expect_neq(second, third);
	cr_expect_eq(soon_procpool_stat(pool).recycled, 1);
	cr_expect_eq(soon_procpool_stat(pool).crashed, 0);
	close_pool(pool);
}

NET_TEST(procpool, workers_have_little_and_die_with_us)
{
	soon_procpool *pool = open_pool(&(soon_procpool_opts){ .no_new_privs = true });
	char out[128] = "";

	cr_assert_eq(soon_proc_offload(pool, "look", NULL, 0, out, sizeof out, NULL), 0);
	cr_expect_str_eq(out, "fds 4, signal 9, leader 1, privs 1");
	close_pool(pool);
}

#ifndef SOON_TEST_ASAN /* which reserves more than any limit, as does TSan */
NET_TEST(procpool, workers_have_limits, .disabled = IS_UNDER_TSAN)
{
	static char large[1 << 20];
	soon_procpool *pool = open_pool(&(soon_procpool_opts){
		.workers_max = 1, .address_max = (uint64_t)512 << 20, .message_max = 1 << 29 });

	cr_expect_eq(ask(pool, "eat", ""), -ENOMEM);
	cr_expect_eq(
		soon_proc_offload(pool, "echo", large, sizeof large, large, (size_t)1 << 29, NULL),
		-ENOMEM);
	cr_expect_eq(ask(pool, "echo", "abc"), 3);
	cr_expect_eq(soon_procpool_stat(pool).crashed, 0);
	close_pool(pool);
}
#endif

/* ---- workers that are none --------------------------------------------------------------- */

static const char *script(const char *text)
{
	static char path[] = "/tmp/soon_worker_XXXXXX";
	int fd = mkstemp(path);

	cr_assert_geq(fd, 0);
	cr_assert_eq(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	cr_assert_eq(fchmod(fd, 0700), 0);
	(void)close(fd);
	return path;
}

static int call_of_script(const char *text, soon_ns start_timeout)
{
	const char *path = script(text);
	soon_procpool *pool =
		open_pool(&(soon_procpool_opts){ .path = path, .start_timeout = start_timeout });
	int rc = ask(pool, "echo", "abc");

	cr_expect_eq(soon_procpool_stat(pool).started, 0);
	cr_expect_eq(soon_procpool_stat(pool).workers, 0);
	close_pool(pool);
	(void)unlink(path);
	return rc;
}

NET_TEST(procpool, ends_before_it_is_ready)
{
	cr_expect_eq(call_of_script("#!/bin/sh\nexit 4\n", 0), -ECONNRESET);
	cr_expect(message_has("before it was ready: exit status 4"), "%s", soon_fail_message());
}

NET_TEST(procpool, is_never_ready)
{
	cr_expect_eq(call_of_script("#!/bin/sh\nexec sleep 100\n", SOON_MS(20)), -ECONNRESET);
	cr_expect(message_has("was not ready within 20 ms"), "%s", soon_fail_message());
}

NET_TEST(procpool, is_no_worker_at_all)
{
	cr_expect_eq(call_of_script("#!/bin/sh\nhead -c 300 /dev/zero >&3; exec sleep 100\n", 0),
		-EBADMSG);
	cr_expect(message_has("soon_procpool_worker()"), "%s", soon_fail_message());
}

NET_TEST(procpool, is_of_another_build)
{
	soon_procpool *pool =
		open_pool(&(soon_procpool_opts){ .env = SOON_ARGV("SOON_TEST_OTHER=1") });

	cr_expect_eq(ask(pool, "echo", "abc"), -EBADMSG);
	cr_expect(message_has("another table"), "%s", soon_fail_message());
	close_pool(pool);
}

NET_TEST(procpool, program_is_not_there)
{
	soon_procpool *pool = open_pool(&(soon_procpool_opts){ .path = "/no/such/worker" });

	cr_expect_eq(ask(pool, "echo", "abc"), -ENOENT);
	close_pool(pool);
}

/* ---- the end ----------------------------------------------------------------------------- */

NET_TEST(procpool, close_waits_for_calls_or_kills_them)
{
	soon_procpool *pool = open_pool(&(soon_procpool_opts){ .workers_max = 2 });
	soon_task *tasks[3];
	int rcs[3];
	SOON_GROUP(g, .policy = SOON_WAIT_ALL);

	for (int i = 0; i < 3; i++)
		cr_assert_eq(soon_spawn_with(&g, &(soon_task_opts){ .ret_task = &tasks[i] },
				     call_hang, pool),
			0);
	cr_assert_eq(soon_sleep(SOON_MS(2)), 0);
	SOON_SCOPE(s, .timeout = SOON_MS(2));
	close_pool(pool);
	cr_expect_eq(soon_scope_close(&s, 0), 0);
	for (int i = 0; i < 3; i++) {
		cr_expect_eq(soon_join(tasks[i], &rcs[i]), 0);
		cr_expect_eq(rcs[i], -ESHUTDOWN, "%d: %d", i, rcs[i]);
	}
	cr_expect_eq(soon_group_close(&g, 0), -ESHUTDOWN);
}

NET_TEST(procpool, each_allocation_may_fail)
{
	static char in[10000], out[10000];
	int rc = -ENOMEM;

	for (uint64_t k = 1; rc == -ENOMEM && k < 50; k++) {
		soon_procpool *pool = NULL;

		soon_mem_fail_at(k);
		rc = soon_procpool_open(NULL, &pool);
		if (rc == 0)
			rc = soon_proc_offload(pool, "echo", in, sizeof in, out, sizeof out, NULL);
		soon_mem_fail_at(0);
		cr_expect(
			rc == -ENOMEM || (rc == sizeof in && k > 4), "%d at %ju", rc, (uintmax_t)k);
		close_pool(pool);
	}
	cr_expect_eq(rc, (int)sizeof in);
}

static char said[2048];

static int error_keep(const soon_report *report, void *unused)
{
	(void)unused;
	if (report->level == SOON_REPORT_ERROR)
		(void)snprintf(said, sizeof said, "%s", report->text);
	return 0;
}

static soon_procpool *volatile forgotten; /* or it would be lost, and a leak */

static int leave_one_of_two_open(void *unused)
{
	(void)unused;
	close_pool(open_pool(NULL));
	forgotten = open_pool(&(soon_procpool_opts){ .name = "parsers" });
	return forgotten != NULL;
}

SOON_TEST_PLAIN(procpool, left_open_is_told_with_who_opened_it)
{
	soon_on_report(error_keep, NULL);
	cr_assert_eq(soon_run_with(&(soon_opts){ .debug = 1 }, leave_one_of_two_open, NULL), 1);
	cr_expect_not_null(
		strstr(said, "pool 'parsers' of processes, opened by soon_procpool_open"), "%s",
		said);
	cr_expect_not_null(strstr(said, "leave_one_of_two_open+"), "%s", said);
	soon_test_reports_expected = 1;
}
