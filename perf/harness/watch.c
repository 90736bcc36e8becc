// SPDX-License-Identifier: Apache-2.0
/*
 * watch.c: see watch.h.
 *
 * A watched sample takes far longer than one that is timed, a system call 10 us and an instruction
 * fifty times its time, so it turns less often. Its counts do not depend on time.
 */
#include "watch.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <spawn.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define TRACED_TURNS_MAX   UINT64_C(2000)
#define EMULATED_TURNS_MAX UINT64_C(200000)
#define TEXT_BYTES         128
#define PROGRAM_BYTES      4096
#define CALLGRIND_FILE     "/tmp/soon-callgrind-XXXXXX"

static char syscalls_missing[TEXT_BYTES];
static char instructions_missing[TEXT_BYTES];

const char *watch_syscalls_missing(void)
{
	return syscalls_missing[0] != '\0' ? syscalls_missing : NULL;
}

const char *watch_instructions_missing(void)
{
	return instructions_missing[0] != '\0' ? instructions_missing : NULL;
}

SOON_PRINTF(2, 3)
static int lack(char *missing, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	(void)vsnprintf(missing, TEXT_BYTES, format, args);
	va_end(args);
	return -ENOTSUP;
}

/* The command line of a sample that is watched. */
struct command {
	char program[PROGRAM_BYTES];
	char exact[CASE_NAME_BYTES + sizeof("--exact=")];
	char turns[sizeof("--one-sample=") + 20];
	char threads[sizeof("--threads=") + 10];
	char callgrind_file[sizeof("--callgrind-out-file=") + sizeof(CALLGRIND_FILE)];
	char *argv[4 + 1 + 5]; /* with room for Callgrind in front */
};

/* Callers have the argv before `first` to themselves. */
static int command_make(struct command *command, const struct soon_bench_case *bench_case,
	unsigned threads, uint64_t turns, size_t first)
{
	ssize_t length = readlink("/proc/self/exe", command->program, sizeof(command->program));

	if (length <= 0 || (size_t)length >= sizeof(command->program))
		return -ENOENT;
	command->program[length] = '\0';
	(void)snprintf(command->exact, sizeof(command->exact), "--exact=%s", bench_case->name);
	(void)snprintf(command->turns, sizeof(command->turns), "--one-sample=%" PRIu64, turns);
	(void)snprintf(command->threads, sizeof(command->threads), "--threads=%u", threads);
	command->argv[first] = command->program;
	command->argv[first + 1] = command->exact;
	command->argv[first + 2] = command->turns;
	command->argv[first + 3] = threads > 0 ? command->threads : NULL;
	command->argv[first + 4] = NULL;
	return 0;
}

static uint64_t fewer_turns(const struct soon_bench_case *bench_case, uint64_t max)
{
	return bench_case->turns < max ? bench_case->turns : max;
}

/* The traced processes, and what is known of them. */
struct trace {
	pid_t pid;
	int marks;      /* how many threads are between marks */
	bool is_marked; /* there was a mark */
	uint64_t count;
};

static void see_syscall(struct trace *trace, pid_t thread)
{
	struct __ptrace_syscall_info info;

	if (ptrace(PTRACE_GET_SYSCALL_INFO, thread, sizeof(info), &info) <= 0)
		return;
	if (info.op != PTRACE_SYSCALL_INFO_ENTRY)
		return;
	if (info.entry.nr == SYS_prctl && info.entry.args[0] == PROBE_MARK) {
		trace->marks += info.entry.args[1] == 1 ? 1 : -1;
		trace->is_marked = true;
	} else if (trace->marks > 0) {
		trace->count++;
	}
}

/* Lets a stopped thread go on, with the signal that it was stopped for, if that is a real one. */
static void see_stop(struct trace *trace, pid_t thread, int status)
{
	int stop = WSTOPSIG(status);
	int signal_number = 0;

	if (stop == (SIGTRAP | 0x80))
		see_syscall(trace, thread);
	else if (stop != SIGTRAP && stop != SIGSTOP)
		signal_number = stop;
	(void)ptrace(PTRACE_SYSCALL, thread, 0, signal_number);
}

/* Follows them until the process has ended. Returns its status, or a negative errno. */
static int follow(struct trace *trace)
{
	const long options = PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACECLONE | PTRACE_O_EXITKILL;
	int status;

	if (waitpid(trace->pid, &status, 0) < 0)
		return -errno;
	if (!WIFSTOPPED(status))
		return status;
	if (ptrace(PTRACE_SETOPTIONS, trace->pid, 0, options) != 0)
		return -errno;
	(void)ptrace(PTRACE_SYSCALL, trace->pid, 0, 0);
	for (;;) {
		pid_t thread = waitpid(-1, &status, __WALL);

		if (thread < 0)
			return -errno; /* also when we are interrupted: then nobody wants to wait */
		if (thread > 0 && WIFSTOPPED(status))
			see_stop(trace, thread, status);
		else if (thread == trace->pid)
			return status;
	}
}

/* In the child, between fork and exec. */
static _Noreturn void become_traced(const struct command *command)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	if (null < 0 || dup2(null, STDOUT_FILENO) < 0 || dup2(null, STDERR_FILENO) < 0)
		_exit(126);
	if (ptrace(PTRACE_TRACEME, 0, 0, 0) != 0)
		_exit(125);
	(void)raise(SIGSTOP);
	(void)execv(command->program, command->argv);
	_exit(127);
}

int watch_syscalls(
	const struct soon_bench_case *bench_case, unsigned threads, struct watch_result *ret_result)
{
	static struct command command; /* too much for a frame */
	uint64_t turns = fewer_turns(bench_case, TRACED_TURNS_MAX);
	struct trace trace = { 0 };
	int rc = command_make(&command, bench_case, threads, turns, 0);

	if (rc < 0)
		return lack(syscalls_missing, "/proc is not there");
	trace.pid = fork();
	if (trace.pid == 0)
		become_traced(&command);
	if (trace.pid < 0)
		return lack(syscalls_missing, "fork: %s", strerrordesc_np(errno));
	rc = follow(&trace);
	if (rc < 0) {
		(void)kill(trace.pid, SIGKILL);
		(void)waitpid(trace.pid, NULL, 0);
		return lack(syscalls_missing, "ptrace: %s", strerrordesc_np(-rc));
	}
	if (WIFEXITED(rc) && WEXITSTATUS(rc) == 125)
		return lack(syscalls_missing, "ptrace is forbidden here");
	if (rc != 0 || !trace.is_marked || trace.marks != 0)
		return lack(syscalls_missing, "'%s' does not end well when it is traced",
			bench_case->name);
	ret_result->per_turn = (double)trace.count / ((double)turns * (double)bench_case->threads);
	return 0;
}

/* Runs it with both outputs thrown away. Returns its status, or a negative errno. */
static int run_silent(char **argv)
{
	posix_spawn_file_actions_t actions;
	pid_t pid = 0;
	int status;
	int rc = -posix_spawn_file_actions_init(&actions);

	if (rc < 0)
		return rc;
	rc = -posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
	if (rc == 0)
		rc = -posix_spawn_file_actions_adddup2(&actions, STDOUT_FILENO, STDERR_FILENO);
	if (rc == 0)
		rc = -posix_spawnp(&pid, argv[0], &actions, NULL, argv, environ);
	(void)posix_spawn_file_actions_destroy(&actions);
	if (rc < 0)
		return rc;
	if (waitpid(pid, &status, 0) < 0) {
		rc = -errno; /* we are interrupted, and nobody wants to wait */
		(void)kill(pid, SIGKILL);
		(void)waitpid(pid, NULL, 0);
		return rc;
	}
	return status;
}

/* The number behind "totals:" in Callgrind's file; -1: it is not there. */
static double read_totals(const char *path)
{
	FILE *file = fopen(path, "re");
	char line[256];
	double totals = -1;

	while (file != NULL && totals < 0 && fgets(line, sizeof(line), file) != NULL) {
		if (strncmp(line, "totals:", strlen("totals:")) == 0)
			totals = strtod(line + strlen("totals:"), NULL);
	}
	if (file != NULL)
		(void)fclose(file);
	return totals;
}

int watch_instructions(
	const struct soon_bench_case *bench_case, unsigned threads, struct watch_result *ret_result)
{
	static struct command command;
	static char valgrind[] = "valgrind", quiet[] = "-q", tool[] = "--tool=callgrind",
		    later[] = "--collect-atstart=no";
	char file[] = CALLGRIND_FILE;
	uint64_t turns = fewer_turns(bench_case, EMULATED_TURNS_MAX);
	int fd, rc;
	double totals;

	if (command_make(&command, bench_case, threads, turns, 5) < 0)
		return lack(instructions_missing, "/proc is not there");
	fd = mkostemp(file, O_CLOEXEC);
	if (fd < 0)
		return lack(instructions_missing, "%s: %s", file, strerrordesc_np(errno));
	(void)close(fd);
	(void)snprintf(command.callgrind_file, sizeof(command.callgrind_file),
		"--callgrind-out-file=%s", file);
	command.argv[0] = valgrind;
	command.argv[1] = quiet;
	command.argv[2] = tool;
	command.argv[3] = later;
	command.argv[4] = command.callgrind_file;
	rc = run_silent(command.argv);
	totals = read_totals(file);
	(void)unlink(file);
	if (rc == -ENOENT)
		return lack(instructions_missing,
			"the processor does not count them and valgrind is not installed");
	if (rc != 0 || totals < 0)
		return lack(instructions_missing, "'%s' does not end well under valgrind",
			bench_case->name);
	ret_result->per_turn = totals / ((double)turns * (double)bench_case->threads);
	return 0;
}
