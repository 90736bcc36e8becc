// SPDX-License-Identifier: Apache-2.0
/*
 * run.c: a body between two looks at the ledger.
 *
 * A failed assertion of a test framework leaves the body without coming back here, and a crash
 * does too; so what the developer needs most, the seed, is printed on the way out of the process.
 */
#include <soon/assert.h>
#include <soon/test.h>
#include <soon/thread.h>

#include "core/spi/watch.h"

#include "ledger.h"
#include "poller.h"

#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* The run that is under way; its seed is what a lost test has to print. */
struct soon__kit_run {
	struct soon__kit_poller poller;
	soon_verdict *verdict;
	unsigned flags;
	uint64_t errors_at_end; /* of the body */
	unsigned generators;
	bool has_ended;
};

static uint64_t seed_now;
static bool is_unfinished;
static struct sigaction abort_before;

/* There when the test is built with AddressSanitizer, whoever built the kit. */
extern void __asan_unpoison_memory_region(const volatile void *, size_t) __attribute__((weak));
extern void __sanitizer_set_death_callback(void (*fn)(void)) __attribute__((weak));

/* Async-signal-safe. */
static void say_seed(void)
{
	char text[96] = "soon-test: the test did not end; its order again: SOON_SCHED_SEED=";
	char digits[24];
	size_t len = strlen(text), n = 0;
	uint64_t rest = seed_now;
	ssize_t written;

	if (!is_unfinished || seed_now == 0)
		return;
	is_unfinished = false;
	do {
		digits[n++] = (char)('0' + rest % 10);
		rest /= 10;
	} while (rest > 0);
	while (n > 0)
		text[len++] = digits[--n];
	text[len++] = '\n';
	written = write(STDERR_FILENO, text, len);
	(void)written; /* nobody left to tell */
}

static void on_abort(int sig)
{
	say_seed();
	(void)sigaction(SIGABRT, &abort_before, NULL);
	(void)raise(sig);
}

static void watch_the_end(void)
{
	static bool is_watched;
	struct sigaction act = { .sa_handler = on_abort, .sa_flags = (int)SA_RESETHAND };

	if (is_watched)
		return;
	is_watched = true;
	(void)atexit(say_seed);
	if (__sanitizer_set_death_callback)
		__sanitizer_set_death_callback(say_seed);
	(void)sigaction(SIGABRT, &act, &abort_before);
}

/*
 * A test framework is about to jump from a task's stack to the thread's. The frames of the run's
 * loop, which it jumps over, stay marked for AddressSanitizer as if they were in use.
 */
void soon__test_leave(void)
{
	pthread_attr_t attr;
	size_t bytes;
	void *low;

	say_seed();
	if (!__asan_unpoison_memory_region || !soon_on_core() ||
		pthread_getattr_np(pthread_self(), &attr) != 0)
		return;
	if (pthread_attr_getstack(&attr, &low, &bytes) == 0)
		__asan_unpoison_memory_region(low, bytes);
	(void)pthread_attr_destroy(&attr);
}

static void main_ended(void *data)
{
	struct soon__kit_run *run = data;

	run->has_ended = true;
	run->errors_at_end = soon_test_errors();
	run->generators = soon__watch_generators_left();
	soon__kit_live_judge(run->verdict, run->flags);
}

/*
 * Each was reported by the run, with the place where it was opened; a test that announces its
 * reports has counted them.
 */
static void judge_generators(
	const struct soon__kit_run *run, soon_verdict *verdict, uint64_t *errors)
{
	if (run->generators == 0 || soon__test_expected > 0)
		return;
	if (run->flags & SOON_T_GENS_OK) {
		SOON_ASSERT(*errors >= run->generators);
		*errors -= run->generators;
		return;
	}
	verdict->generators = run->generators;
	soon__kit_verdict_add(verdict, "%u generators were left open", run->generators);
}

static void run_once(const soon_test_opts *opts, uint64_t seed, soon__fn fn, uint64_t arg,
	const soon_site *site, soon_verdict *verdict)
{
	static struct soon__kit_fds before;
	struct soon__kit_run run = { .verdict = verdict, .flags = opts->flags };
	soon_opts run_opts = opts->run ? *opts->run : (soon_opts){ 0 };
	struct soon__seams seams;
	uint64_t errors;

	soon__kit_fds_read(&before);
	soon__kit_reports_begin();
	soon__kit_poller_init(&run.poller, !(opts->flags & SOON_T_NO_KERNEL), &seams);
	run.poller.is_virtual = (opts->flags & (SOON_T_VIRTUAL | SOON_T_NO_KERNEL)) != 0;
	run.poller.now = opts->virtual_start != 0 ? opts->virtual_start : SOON_S(3600);
	seams.sched_seed = seed;
	seams.main_ended = main_ended;
	seams.data = &run;
	seed_now = seed;
	is_unfinished = true;
	if (seed != 0)
		watch_the_end();

	verdict->seed = seed;
	/* On one core, as long as the test does not ask for more: those live in real time. */
	if (run_opts.cores == 0)
		run_opts.cores = 1;
	verdict->rc = soon__run_on(&seams, &run_opts, fn, arg, site);

	is_unfinished = false;
	soon__kit_poller_fini(&run.poller);
	soon__kit_reports_end();
	if (verdict->rc < 0)
		soon__kit_verdict_add(verdict, "the run of %s, %s:%d, gave %d (%s)", site->what,
			site->file, site->line, verdict->rc, strerrordesc_np(-verdict->rc));
	/* What is allowed to be left is reported by the run itself, and that is allowed too. */
	errors = (opts->flags & SOON_T_LEAKS_OK) && run.has_ended ? run.errors_at_end
								  : soon_test_errors();
	judge_generators(&run, verdict, &errors);
	soon__kit_reports_judge(verdict, opts->flags, errors);
	soon__kit_fds_judge(verdict, &before, opts->flags);
}

static uint64_t from_env(const char *name)
{
	const char *text = getenv(name);

	return text ? strtoull(text, NULL, 0) : 0;
}

bool soon__test_run(const soon_test_opts *given, soon__fn fn, uint64_t arg, const soon_site *site,
	soon_verdict *ret_verdict)
{
	soon_test_opts opts = given ? *given : (soon_test_opts){ 0 };
	uint64_t seed = from_env("SOON_SCHED_SEED");

	if (seed != 0) {
		/* Asked for by hand: this one and no other. */
		opts.seed = seed;
		opts.seeds = 1;
	}
	if (opts.seeds == 0)
		opts.seeds = (unsigned)from_env("SOON_TEST_SEEDS");
	if (opts.seeds == 0)
		opts.seeds = 1;
	else if (opts.seed == 0)
		opts.seed = 1;
	*ret_verdict = (soon_verdict){ .is_ok = true };
	soon__kit_memory_begin(opts.flags);
	for (unsigned i = 0; i < opts.seeds && ret_verdict->is_ok; i++) {
		ret_verdict->runs++;
		run_once(&opts, opts.seed == 0 ? 0 : opts.seed + i, fn, arg, site, ret_verdict);
	}
	soon__kit_memory_judge(ret_verdict, opts.flags);
	if (!ret_verdict->is_ok && ret_verdict->seed != 0)
		soon__kit_verdict_add(ret_verdict, "its order again: SOON_SCHED_SEED=%ju",
			(uintmax_t)ret_verdict->seed);
	return ret_verdict->is_ok;
}

bool soon_test_plain(const soon_test_opts *opts, void (*body)(void), soon_verdict *ret_verdict)
{
	static struct soon__kit_fds before;
	unsigned flags = opts ? opts->flags : 0;

	*ret_verdict = (soon_verdict){ .is_ok = true, .runs = 1 };
	soon__kit_fds_read(&before);
	soon__kit_memory_begin(flags);
	soon__kit_reports_begin();
	body();
	soon__kit_reports_end();
	soon__kit_reports_judge(ret_verdict, flags, soon_test_errors());
	soon__kit_fds_judge(ret_verdict, &before, flags);
	soon__kit_memory_judge(ret_verdict, flags);
	return ret_verdict->is_ok;
}
