// SPDX-License-Identifier: Apache-2.0
/*
 * The log where something is wrong: a reader that stopped, a full disk, no stderr, no thread, no
 * memory; and at the end of the process, whatever ends it.
 */
#include <soon/log.h>

#include "fake_test.h"

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <support/death.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

static const soon_ns SHORT = SOON_MS(20);

static struct death death;

static void say(int number)
{
	soon_log_info("said", SOON_F("number", number));
}

/* How many lines of a text have this in them. */
static unsigned count_of(const char *text, const char *what)
{
	unsigned count = 0;

	for (const char *at = text; (at = strstr(at, what)) != NULL; at++)
		count++;
	return count;
}

/* The other end of a pipe that nobody reads. */
static int blocked_pipe(int *ret_reader)
{
	char fill[4096] = { 0 };
	int ends[2];

	cr_assert_eq(pipe2(ends, O_NONBLOCK), 0);
	while (write(ends[1], fill, sizeof fill) > 0)
		continue;
	cr_assert_eq(fcntl(ends[1], F_SETFL, 0), 0); /* from here on it blocks */
	*ret_reader = ends[0];
	return ends[1];
}

static int log_much(void *unused)
{
	(void)unused;
	for (int i = 0; i < 20000; i++)
		say(i);
	return soon_sleep(SOON_MS(1));
}

/* A core goes on, what is lost is counted, and all of it ends in time. */
static void log_into_blocked_pipe(void)
{
	int reader;
	const soon_log_opts opts = { .fd = blocked_pipe(&reader), .exit_timeout = SHORT };

	if (soon_log_open(&opts) != 0 || soon_run(log_much, NULL) != 0)
		_exit(1);
	if (soon_log_lost() == 0 || soon_log_flush(SHORT) != -ETIMEDOUT)
		_exit(2);
	if (soon_log_open(NULL) != -EBUSY)
		_exit(3);
	exit(0);
}

SOON_TEST_PLAIN(log_fault, a_reader_that_stopped)
{
	death_of(log_into_blocked_pipe, &death);
	cr_assert_eq(death.status, 0, "status %#x: %s", (unsigned)death.status, death.text);
	cr_assert_not_null(strstr(death.text, "the end of the log is lost"), "%s", death.text);
}

static void die_with_blocked_pipe(void)
{
	int reader;
	const soon_log_opts opts = { .fd = blocked_pipe(&reader) };

	if (soon_log_open(&opts) != 0)
		_exit(1);
	say(1);
	soon_die("on purpose");
}

SOON_TEST_PLAIN(log_fault, dying_does_not_wait_for_a_reader_for_ever)
{
	ASSERT_ABORTS(die_with_blocked_pipe, "on purpose");
}

static void log_to_full_disk(void)
{
	soon_log_opts opts = { .path = "/dev/full" };

	if (soon_log_open(&opts) != 0)
		_exit(1);
	say(1);
	say(2);
	if (soon_log_flush(SOON_S(10)) != 0 || soon_log_lost() != 2)
		_exit(2);
	say(3);
	if (soon_log_flush(SOON_S(10)) != 0 || soon_log_lost() != 3)
		_exit(3);
	opts.path = NULL;
	opts.fd = STDERR_FILENO;
	if (soon_log_open(&opts) != 0)
		_exit(4);
	say(4);
	exit(0);
}

SOON_TEST_PLAIN(log_fault, a_full_disk)
{
	death_of(log_to_full_disk, &death);
	cr_assert_eq(death.status, 0, "status %#x: %s", (unsigned)death.status, death.text);
	cr_assert_not_null(
		strstr(death.text, "could not be written count=3 rc=-ENOSPC"), "%s", death.text);
	cr_assert_not_null(strstr(death.text, "number=4"));
}

static void log_without_stderr(void)
{
	int kept = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 100);

	(void)close(STDERR_FILENO);
	say(1);
	if (soon_log_flush(SOON_S(10)) != 0 || soon_log_lost() != 1)
		_exit(1);
	(void)dup2(kept, STDERR_FILENO);
	say(2);
	exit(0);
}

SOON_TEST_PLAIN(log_fault, a_closed_stderr)
{
	death_of(log_without_stderr, &death);
	cr_assert_eq(death.status, 0, "status %#x: %s", (unsigned)death.status, death.text);
	cr_assert_not_null(strstr(death.text, "count=1 rc=-EBADF"), "%s", death.text);
	cr_assert_not_null(strstr(death.text, "number=2"));
}

static void log_to_gone_reader(void)
{
	int ends[2];
	soon_log_opts opts = { .exit_timeout = 0 };

	if (pipe(ends) != 0)
		_exit(1);
	(void)close(ends[0]);
	opts.fd = ends[1];
	if (soon_log_open(&opts) != 0)
		_exit(2);
	say(1);
	if (soon_log_flush(SOON_S(10)) != 0 || soon_log_lost() != 1)
		_exit(3);
	exit(0);
}

SOON_TEST_PLAIN(log_fault, a_reader_that_left_does_not_end_the_process)
{
	death_of(log_to_gone_reader, &death);
	cr_assert_eq(death.status, 0, "status %#x: %s", (unsigned)death.status, death.text);
}

#ifndef SOON_TEST_ASAN /* which needs memory for threads and reports itself */
/* No thread: nothing is written until somebody asks for it, and then all is. */
static void log_without_thread(void)
{
	const struct rlimit none = { 0, 0 };
	struct rlimit before;

	/* The address space is used up: no thread gets a stack, and no core a ring. */
	(void)getrlimit(RLIMIT_AS, &before);
	(void)setrlimit(RLIMIT_AS, &none);
	for (int i = 0; i < 100; i++)
		say(i);
	if (soon_log_flush(SOON_S(10)) != 0)
		_exit(1);
	(void)setrlimit(RLIMIT_AS, &before);
	say(100);
	exit(0);
}

SOON_TEST_PLAIN(log_fault, no_thread)
{
	death_of(log_without_thread, &death);
	cr_assert_eq(death.status, 0, "status %#x: %s", (unsigned)death.status, death.text);
	cr_assert_eq(count_of(death.text, "app: said number="), 101, "%s", death.text);
	cr_assert_eq(count_of(death.text, "log: no thread to write with"), 1);
}

static int log_on_core_without_memory(void *unused)
{
	const struct rlimit none = { 0, 0 };
	struct rlimit before;

	(void)unused;
	(void)getrlimit(RLIMIT_AS, &before);
	(void)setrlimit(RLIMIT_AS, &none);
	say(1);
	(void)setrlimit(RLIMIT_AS, &before);
	return 0;
}

static void run_without_memory(void)
{
	exit(soon_run(log_on_core_without_memory, NULL) < 0);
}

SOON_TEST_PLAIN(log_fault, a_core_without_a_ring_of_its_own)
{
	death_of(run_without_memory, &death);
	cr_assert_eq(death.status, 0, "status %#x: %s", (unsigned)death.status, death.text);
	cr_assert_not_null(strstr(death.text, "number=1 core=0"), "%s", death.text);
}

#endif

/* ---- the end ----------------------------------------------------------------------------- */

static void log_and_exit(void)
{
	for (int i = 0; i < 100; i++)
		say(i);
	exit(0);
}

static void last_words(void)
{
	say(-1);
}

static void log_in_atexit(void)
{
	say(0);
	(void)atexit(last_words);
	exit(0);
}

static void log_and_return_from_run(void)
{
	_exit(soon_run(log_much, NULL) < 0);
}

static void log_and_die(void)
{
	for (int i = 0; i < 100; i++)
		say(i);
	SOON_ASSERT(!"true");
}

static void log_and_abort(void)
{
	for (int i = 0; i < 100; i++)
		say(i);
	abort();
}

#ifndef SOON_TEST_ASAN /* which has handlers of its own, not the default ones */

static int fault(int *at)
{
	for (int i = 0; i < 100; i++)
		say(i);
	*at = 1;
	return 0;
}

static void *no_page(void)
{
	void *page = mmap(NULL, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	cr_assert_neq(page, MAP_FAILED);
	return page;
}

static void log_and_fault(void)
{
	(void)signal(SIGSEGV, SIG_DFL);
	(void)fault(no_page());
}

static int fault_in_task(void *page)
{
	return fault(page);
}

static void fault_in_run(void)
{
	(void)signal(SIGSEGV, SIG_DFL);
	_exit(soon_run(fault_in_task, no_page()) < 0);
}

#endif

static void all_lines_of(void (*fn)(void), int signo)
{
	death_of(fn, &death);
	if (signo > 0)
		cr_assert_eq(WTERMSIG(death.status), signo, "status %#x", (unsigned)death.status);
	else
		cr_assert_eq(death.status, 0);
	cr_assert_not_null(strstr(death.text, "number=0"));
}

SOON_TEST_PLAIN(log_fault, exit_waits_for_the_writer)
{
	all_lines_of(log_and_exit, 0);
	all_lines_of(log_in_atexit, 0);
	cr_assert_not_null(strstr(death.text, "number=-1"));
	all_lines_of(log_and_return_from_run, 0);
}

SOON_TEST_PLAIN(log_fault, a_failed_assertion_comes_after_what_led_to_it)
{
	const char *last, *failed;

	all_lines_of(log_and_die, SIGABRT);
	last = strstr(death.text, "number=");
	failed = strstr(death.text, "assertion failed");
	cr_assert(last && failed && last < failed);
}

SOON_TEST_PLAIN(log_fault, abort_writes_what_is_there)
{
	all_lines_of(log_and_abort, SIGABRT);
}

#ifndef SOON_TEST_ASAN
SOON_TEST_PLAIN(log_fault, a_fault_writes_what_is_there)
{
	all_lines_of(log_and_fault, SIGSEGV);
	all_lines_of(fault_in_run, SIGSEGV);
}
#endif

#ifndef SOON_TEST_ASAN
static int fault_in_sink(const char *line, size_t len, soon_level level, void *data)
{
	(void)len, (void)level;
	*(char *)data = line[0];
	return 0;
}

static void die_in_the_writer(void)
{
	const soon_log_opts opts = { .sink = fault_in_sink, .data = no_page() };

	(void)signal(SIGSEGV, SIG_DFL);
	if (soon_log_open(&opts) != 0)
		_exit(1);
	say(0);
	say(1);
	_exit(soon_log_flush(SOON_S(10)) < 0);
}

/* The sink is not called again; what it did not take goes to stderr. */
SOON_TEST_PLAIN(log_fault, the_writer_may_be_who_dies)
{
	all_lines_of(die_in_the_writer, SIGSEGV);
}
#endif

/* ---- forks ------------------------------------------------------------------------------- */

static void fork_and_log(void)
{
	int status;
	pid_t pid;

	say(0);
	if (soon_log_flush(SOON_S(10)) != 0)
		_exit(1);
	for (int i = 1; i < 50; i++)
		say(i);
	pid = fork();
	if (pid == 0) {
		say(1000); /* the child's own; what is in the rings is the parent's to write */
		exit(0);
	}
	say(50);
	if (waitpid(pid, &status, 0) != pid || status != 0)
		_exit(2);
	exit(0);
}

SOON_TEST_PLAIN(log_fault, a_child_has_a_log_of_its_own)
{
	death_of(fork_and_log, &death);
	cr_assert_eq(death.status, 0, "status %#x: %s", (unsigned)death.status, death.text);
	cr_assert_eq(count_of(death.text, "app: said number="), 52, "%s", death.text);
	cr_assert_eq(count_of(death.text, "number=1000"), 1);
}
