// SPDX-License-Identifier: Apache-2.0
/*
 * SIGQUIT: who handles it when, that every core of the process writes its dump, and that it may
 * come at any moment.
 */
#include <soon/dump.h>

#include "fake_test.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

static int saved_stderr, sink;

/* What goes to stderr from here on is kept, however much it is. */
static void capture_begin(void)
{
	sink = memfd_create("stderr", MFD_CLOEXEC);
	cr_assert_geq(sink, 0);
	saved_stderr = dup(STDERR_FILENO);
	cr_assert_geq(dup2(sink, STDERR_FILENO), 0);
}

/* Waits until so many dumps have been written. */
static void capture_wait(unsigned count)
{
	static const char end[] = "soon: end of dump\n";

	for (unsigned seen = 0; seen < count; (void)usleep(1000)) {
		off_t size = lseek(sink, 0, SEEK_END);
		char *text = malloc((size_t)size + 1);

		cr_assert_eq(pread(sink, text, (size_t)size, 0), (ssize_t)size);
		text[size] = '\0';
		seen = 0;
		for (const char *at = text; (at = strstr(at, end)) != NULL; at += strlen(end))
			seen++;
		free(text);
	}
}

/* To be freed. */
static char *capture_end(void)
{
	off_t size = lseek(sink, 0, SEEK_END);
	char *text = malloc((size_t)size + 1);

	cr_assert_geq(dup2(saved_stderr, STDERR_FILENO), 0);
	(void)close(saved_stderr);
	cr_assert_eq(pread(sink, text, (size_t)size, 0), (ssize_t)size);
	text[size] = '\0';
	(void)close(sink);
	return text;
}

static unsigned count_of(const char *text, const char *part)
{
	unsigned count = 0;

	for (const char *at = text; (at = strstr(at, part)) != NULL; at += strlen(part))
		count++;
	return count;
}

/* Each dump has a beginning and an end, and nothing is between two of them. */
static unsigned dumps_in(const char *text)
{
	static const char begin[] = "soon: dump of thread ", end[] = "soon: end of dump\n";
	unsigned count = 0;

	while (*text) {
		const char *last = strstr(text, end), *next;

		cr_assert_eq(strncmp(text, begin, strlen(begin)), 0, "not a dump: %.200s", text);
		cr_assert_not_null(last, "no end: %.200s", text);
		next = strstr(text + 1, begin);
		cr_assert(!next || next > last, "two dumps in one: %.2000s", text);
		cr_assert_not_null(strstr(text, "\ngroup 'service'"));
		text = last + strlen(end);
		count++;
	}
	return count;
}

static bool is_default(void)
{
	struct sigaction now;

	cr_assert_eq(sigaction(SIGQUIT, NULL, &now), 0);
	return !(now.sa_flags & SA_SIGINFO) && now.sa_handler == SIG_DFL;
}

static int raise_it(void *unused)
{
	(void)unused;
	cr_assert_not(is_default());
	cr_assert_eq(raise(SIGQUIT), 0);
	return soon_sleep(SOON_S(1));
}

SOON_TEST_PLAIN(quit, writes_a_dump_and_the_run_goes_on)
{
	char *text;

	/* The test framework may have its own idea of the signal. */
	(void)signal(SIGQUIT, SIG_DFL);
	capture_begin();
	for (int i = 0; i < 2; i++)
		cr_assert_eq(FAKE_RUN(NULL, raise_it, NULL), 0);
	text = capture_end();
	cr_assert_eq(dumps_in(text), 2, "%s", text);
	cr_assert_eq(count_of(text, "'raise_it' #1: running"), 2, "%s", text);
	cr_assert(is_default());
	free(text);
}

static int quits;

static void count_quits(int signo)
{
	(void)signo;
	quits++;
}

static int raise_theirs(void *unused)
{
	(void)unused;
	return raise(SIGQUIT);
}

SOON_TEST_PLAIN(quit, leaves_the_program_its_own_handler)
{
	struct sigaction now;

	(void)signal(SIGQUIT, count_quits);
	cr_assert_eq(FAKE_RUN(NULL, raise_theirs, NULL), 0);
	cr_assert_eq(quits, 1);
	cr_assert_eq(sigaction(SIGQUIT, NULL, &now), 0);
	cr_assert_eq(now.sa_handler, count_quits);
}

static int set_theirs(void *unused)
{
	(void)unused;
	(void)signal(SIGQUIT, count_quits);
	return 0;
}

SOON_TEST_PLAIN(quit, keeps_what_the_program_set_meanwhile)
{
	struct sigaction now;

	(void)signal(SIGQUIT, SIG_DFL);
	cr_assert_eq(FAKE_RUN(NULL, set_theirs, NULL), 0);
	cr_assert_eq(sigaction(SIGQUIT, NULL, &now), 0);
	cr_assert_eq(now.sa_handler, count_quits);
}

static int see_default(void *unused)
{
	(void)unused;
	return is_default() ? 0 : -EBUSY;
}

SOON_TEST_PLAIN(quit, a_run_may_do_without)
{
	const soon_opts run = { .no_dump_signal = true };

	(void)signal(SIGQUIT, SIG_DFL);
	cr_assert_eq(FAKE_RUN(&(struct fake_opts){ .run = &run }, see_default, NULL), 0);
	cr_assert(is_default());
}

static int fork_and_quit(void *unused)
{
	int status;
	pid_t pid = fork();

	(void)unused;
	cr_assert_geq(pid, 0);
	if (pid == 0) {
		(void)raise(SIGQUIT);
		_exit(0);
	}
	cr_assert_eq(waitpid(pid, &status, 0), pid);
	return WIFSIGNALED(status) ? WTERMSIG(status) : -EINVAL;
}

SOON_TEST_PLAIN(quit, ends_a_forked_child_as_ever)
{
	(void)signal(SIGQUIT, SIG_DFL);
	cr_assert_eq(FAKE_RUN(NULL, fork_and_quit, NULL), SIGQUIT);
}

/* Cores in threads of their own, which compute or wait until told to end. */

enum { CORES = 3 };

static atomic_bool is_over;
static atomic_int begun;

static int turn_in_circles(void *unused)
{
	(void)unused;
	atomic_fetch_add(&begun, 1);
	while (!atomic_load(&is_over))
		if (soon_yield() < 0)
			return -ECANCELED;
	return 0;
}

static void *run_core(void *unused)
{
	int rc = FAKE_RUN(NULL, turn_in_circles, NULL);

	(void)unused;
	cr_assert_eq(rc, 0);
	return NULL;
}

static void cores_start(pthread_t threads[CORES])
{
	for (int i = 0; i < CORES; i++)
		cr_assert_eq(pthread_create(&threads[i], NULL, run_core, NULL), 0);
	while (atomic_load(&begun) < CORES)
		(void)usleep(1000);
}

static void cores_end(pthread_t threads[CORES])
{
	atomic_store(&is_over, true);
	for (int i = 0; i < CORES; i++)
		cr_assert_eq(pthread_join(threads[i], NULL), 0);
}

SOON_TEST_PLAIN(quit, each_core_writes_its_own_in_turn)
{
	pthread_t threads[CORES];
	char *text;

	(void)signal(SIGQUIT, SIG_DFL);
	capture_begin();
	cores_start(threads);
	/* This thread runs none, and gets it. */
	cr_assert_eq(pthread_kill(pthread_self(), SIGQUIT), 0);
	capture_wait(CORES);
	cores_end(threads);
	text = capture_end();
	cr_assert_eq(dumps_in(text), CORES, "%s", text);
	free(text);
	cr_assert(is_default());
}

/* A run on a thread that blocks the signal: what is passed to it waits there. */

static void set_blocked(bool is_blocked)
{
	sigset_t set;

	(void)sigemptyset(&set);
	(void)sigaddset(&set, SIGQUIT);
	cr_assert_eq(pthread_sigmask(is_blocked ? SIG_BLOCK : SIG_UNBLOCK, &set, NULL), 0);
}

static bool is_pending(void)
{
	sigset_t set;

	cr_assert_eq(sigpending(&set), 0);
	return sigismember(&set, SIGQUIT) == 1;
}

static void *quit_here(void *unused)
{
	(void)unused;
	set_blocked(false);
	cr_assert_eq(pthread_kill(pthread_self(), SIGQUIT), 0);
	return NULL;
}

static int quit_elsewhere(void *unused)
{
	pthread_t thread;

	(void)unused;
	cr_assert_eq(pthread_create(&thread, NULL, quit_here, NULL), 0);
	cr_assert_eq(pthread_join(thread, NULL), 0);
	cr_assert(is_pending());
	return 0;
}

SOON_TEST_PLAIN(quit, what_was_passed_to_a_run_does_not_outlive_it)
{
	(void)signal(SIGQUIT, SIG_DFL);
	set_blocked(true);
	cr_assert_eq(FAKE_RUN(NULL, quit_elsewhere, NULL), 0);
	cr_assert(is_default());
	cr_assert_not(is_pending());
	set_blocked(false); /* and the process lives */
}

static void *run_core_unblocked(void *unused)
{
	set_blocked(false);
	return run_core(unused);
}

static int quit_beside_another(pthread_t *other)
{
	cr_assert_eq(pthread_create(other, NULL, run_core_unblocked, NULL), 0);
	while (atomic_load(&begun) < 1)
		(void)usleep(1000);
	return quit_elsewhere(NULL);
}

SOON_TEST_PLAIN(quit, a_run_that_ends_passes_on_what_it_did_not_take)
{
	pthread_t other = 0; /* FAKE_RUN hides from clang that it is set */
	char *text;

	(void)signal(SIGQUIT, SIG_DFL);
	set_blocked(true);
	capture_begin();
	cr_assert_eq(FAKE_RUN(NULL, quit_beside_another, &other), 0);
	capture_wait(1);
	atomic_store(&is_over, true);
	cr_assert_eq(pthread_join(other, NULL), 0);
	text = capture_end();
	cr_assert_eq(dumps_in(text), 1, "%s", text);
	free(text);
	cr_assert(is_default());
}

static int end_at_once(void *unused)
{
	(void)unused;
	return 0;
}

static void *run_often(void *unused)
{
	(void)unused;
	while (!atomic_load(&is_over))
		cr_assert_eq(FAKE_RUN(NULL, end_at_once, NULL), 0);
	return NULL;
}

SOON_TEST_PLAIN(quit, runs_that_come_and_go_while_it_is_passed_on)
{
	enum { SIGNALS = 200 };
	pthread_t threads[CORES], first;

	(void)signal(SIGQUIT, SIG_DFL);
	capture_begin();
	/* One that stays, so that the signal keeps its handler. */
	cr_assert_eq(pthread_create(&first, NULL, run_core, NULL), 0);
	while (atomic_load(&begun) < 1)
		(void)usleep(1000);
	for (int i = 0; i < CORES; i++)
		cr_assert_eq(pthread_create(&threads[i], NULL, run_often, NULL), 0);
	for (int i = 0; i < SIGNALS; i++) {
		cr_assert_eq(pthread_kill(pthread_self(), SIGQUIT), 0);
		(void)usleep(100);
	}
	atomic_store(&is_over, true);
	for (int i = 0; i < CORES; i++)
		cr_assert_eq(pthread_join(threads[i], NULL), 0);
	cr_assert_eq(pthread_join(first, NULL), 0);
	free(capture_end());
	cr_assert(is_default());
}

/* Signals as fast as they can be taken, at tasks that come and go. */

enum { STORM = 300 };

static int leaf(int depth)
{
	return depth % 3 ? soon_yield() : soon_sleep(SOON_US(depth));
}

static int branch(int width)
{
	int rc = 0;
	SOON_GROUP(g);

	for (int i = 0; i < width && rc == 0; i++) {
		SOON_SCOPE(s, .timeout = SOON_S(1));
		rc = soon_spawn(&g, leaf, i);
		rc = (int)soon_scope_close(&s, rc);
	}
	return (int)soon_group_close(&g, rc);
}

static int branch_in_time(int width)
{
	int rc = (int)soon_within(SOON_MS(1), branch(width));

	return rc == -ETIMEDOUT ? 0 : rc;
}

static int churn(void *unused)
{
	(void)unused;
	atomic_fetch_add(&begun, 1);
	while (!atomic_load(&is_over)) {
		int rc = 0;
		SOON_GROUP(g, .policy = SOON_WAIT_ALL);

		for (int i = 0; i < 8 && rc == 0; i++)
			rc = soon_spawn(&g, branch_in_time, i);
		rc = (int)soon_group_close(&g, rc);
		if (rc < 0)
			return rc;
	}
	return 0;
}

static void *run_churn(void *unused)
{
	int rc = FAKE_RUN(NULL, churn, NULL);

	(void)unused;
	cr_assert_eq(rc, 0);
	return NULL;
}

SOON_TEST_PLAIN(quit, a_storm_hits_a_busy_core)
{
	pthread_t thread;
	unsigned dumps;
	char *text;

	(void)signal(SIGQUIT, SIG_DFL);
	capture_begin();
	cr_assert_eq(pthread_create(&thread, NULL, run_churn, NULL), 0);
	while (atomic_load(&begun) < 1)
		(void)usleep(100);
	for (unsigned i = 0; i < STORM; i++) {
		off_t size = lseek(sink, 0, SEEK_END);

		cr_assert_eq(pthread_kill(thread, SIGQUIT), 0);
		(void)usleep(500 + i % 97 * 7);
		/* The thread may have had no processor. */
		while (lseek(sink, 0, SEEK_END) == size)
			(void)usleep(100);
	}
	atomic_store(&is_over, true);
	cr_assert_eq(pthread_join(thread, NULL), 0);
	text = capture_end();
	dumps = dumps_in(text);
	cr_assert_geq(dumps, STORM / 10, "%u dumps", dumps);
	cr_assert_null(strstr(text, "damaged"));
	free(text);
}

/* What is left of a stack before the handler would not fit on it any more. */
enum { STACK_LEFT = 4096 };

static __attribute__((noinline)) int fill_stack(const char *low)
{
	volatile char frame[512];
	int rc;

	frame[0] = 1;
	if ((const char *)__builtin_frame_address(0) - low > STACK_LEFT)
		rc = fill_stack(low);
	else
		rc = raise(SIGQUIT);
	return rc + frame[0] - 1;
}

static int near_overflow(void *unused)
{
	/* The default is 256 KiB, with the guard in it; a sanitizer's frames are larger. */
	const char *top = __builtin_frame_address(0);

	(void)unused;
	return fill_stack(top - 32 * 1024);
}

SOON_TEST_PLAIN(quit, a_stack_that_is_nearly_full)
{
	const soon_opts run = { .stack_bytes = 64 * 1024 };
	char *text;

	(void)signal(SIGQUIT, SIG_DFL);
	capture_begin();
	cr_assert_eq(FAKE_RUN(&(struct fake_opts){ .run = &run }, near_overflow, NULL), 0);
	text = capture_end();
	cr_assert_eq(dumps_in(text), 1);
	cr_assert_not_null(strstr(text, "\n  1 task with this stack: #1\n"), "%s", text);
	free(text);
}
