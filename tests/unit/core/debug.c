// SPDX-License-Identifier: Apache-2.0
/*
 * The switches of <soon/debug.h>, and what they switch: from where wrong threads call, slow steps
 * while they run and when they have ended, what is left open.
 */
#include "debug.h"

#include <soon/mem.h>
#include <soon/mutex.h>

#include "core/spi/track.h"

#include "fake_test.h"
#include "watchdog.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* All texts since the last forget(), from whatever thread. */
static pthread_mutex_t said_lock = PTHREAD_MUTEX_INITIALIZER;
static char said[65536];
static atomic_uint reports;

static int keep(const soon_report *report, void *unused)
{
	size_t len;

	(void)unused;
	(void)pthread_mutex_lock(&said_lock);
	len = strlen(said);
	(void)snprintf(said + len, sizeof said - len, "%s\n", report->text);
	(void)pthread_mutex_unlock(&said_lock);
	atomic_fetch_add(&reports, 1);
	return 0;
}

static void forget(void)
{
	(void)pthread_mutex_lock(&said_lock);
	said[0] = '\0';
	(void)pthread_mutex_unlock(&said_lock);
	atomic_store(&reports, 0);
	soon_on_report(keep, NULL);
}

static unsigned times_said(const char *part)
{
	unsigned count = 0;

	(void)pthread_mutex_lock(&said_lock);
	for (const char *at = said; (at = strstr(at, part)) != NULL; at += strlen(part))
		count++;
	(void)pthread_mutex_unlock(&said_lock);
	return count;
}

static void assert_said(const char *part)
{
	cr_assert_geq(times_said(part), 1, "expected '%s' in: %s", part, said);
}

static soon_ns real_now(void)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_MONOTONIC, &ts);
	return SOON_S(ts.tv_sec) + ts.tv_nsec;
}

/* Keeps the core for so long. */
static __attribute__((noinline)) void compute(soon_ns duration)
{
	soon_ns end = real_now() + duration;

	while (real_now() < end)
		continue;
}

/* SOON_DEBUG, soon_opts.debug, soon_set_debug(). */

static void assert_parsed(const char *value, unsigned flags, unsigned unknown)
{
	forget();
	cr_assert_eq(soon__debug_parse(value), flags, "%s", value);
	cr_assert_eq(atomic_load(&reports), unknown, "%s", value);
}

SOON_TEST_PLAIN(debug, the_environment_says_what_is_debugged)
{
	assert_parsed(NULL, 0, 0);
	assert_parsed("", 0, 0);
	assert_parsed("0", 0, 0);
	assert_parsed("1", SOON_DEBUG_ON, 0);
	assert_parsed("stacks", SOON_DEBUG_STACKS, 0);
	assert_parsed(",slow,leaks,", SOON_DEBUG_SLOW | SOON_DEBUG_LEAKS, 0);
	assert_parsed("1,abort", SOON_DEBUG_ON | SOON_DEBUG_ABORT, 0);
	assert_parsed("stack", 0, 1);
	assert_said("'stack' is not known; there is: 1, stacks, threads, slow, leaks, abort");
	assert_parsed("stacksx,y,threads", SOON_DEBUG_THREADS, 2);
}

static int see_flags(unsigned expected)
{
	cr_assert_eq(soon_debug(), expected, "%x", soon_debug());
	return 0;
}

SOON_TEST_PLAIN(debug, an_explicit_option_beats_the_environment)
{
	soon_opts run = { .debug = -1 };
	const struct fake_opts opts = { .run = &run };

	(void)setenv("SOON_DEBUG", "leaks", 1);
	cr_assert_eq(FAKE_RUN(&opts, see_flags, 0), 0);
	run.debug = 0;
	cr_assert_eq(FAKE_RUN(&opts, see_flags, SOON_DEBUG_LEAKS), 0);
	run.debug = 1;
	cr_assert_eq(FAKE_RUN(&opts, see_flags, SOON_DEBUG_ON), 0);
	(void)setenv("SOON_DEBUG", "0", 1);
	cr_assert_eq(FAKE_RUN(&opts, see_flags, SOON_DEBUG_ON), 0);
	run.debug = 0;
	cr_assert_eq(FAKE_RUN(&opts, see_flags, 0), 0);
	cr_assert_eq(soon_debug(), 0);
}

static void *set_slow(void *unused)
{
	cr_assert_eq(soon_set_debug(SOON_DEBUG_SLOW | SOON_DEBUG_STACKS), 0);
	return unused;
}

static int be_switched(void *unused)
{
	uint64_t looks = soon__watch_looks();
	soon_slow_stats stats;
	pthread_t thread;

	cr_assert_eq(soon_debug(), 0);
	cr_assert_eq(pthread_create(&thread, NULL, set_slow, NULL), 0);
	cr_assert_eq(pthread_join(thread, NULL), 0);
	cr_assert_eq(soon_debug(), SOON_DEBUG_SLOW | SOON_DEBUG_STACKS);
	/* The watch comes with the post, and looks at a core that is busy. */
	while (soon__watch_looks() < looks + 3)
		cr_assert_eq(soon_yield(), 0);
	cr_assert_eq(soon_slow_stats_get(&stats), 0);
	cr_assert_gt(stats.steps.count, 0);
	cr_assert_eq(soon_set_debug(0), 0);
	for (int i = 0; i < 100; i++)
		cr_assert_eq(soon_yield(), 0);
	looks = stats.steps.count;
	cr_assert_eq(soon_slow_stats_get(&stats), 0);
	looks = stats.steps.count;
	for (int i = 0; i < 100; i++)
		cr_assert_eq(soon_yield(), 0);
	cr_assert_eq(soon_slow_stats_get(&stats), 0);
	cr_assert_eq(stats.steps.count, looks);
	return unused != NULL;
}

SOON_TEST_PLAIN(debug, another_thread_switches_while_the_run_goes_on)
{
	const soon_opts run = { .debug = -1 };

	cr_assert_eq(FAKE_RUN(&(struct fake_opts){ .run = &run }, be_switched, NULL), 0);
	cr_assert_eq(soon_set_debug(1u << 20), -EINVAL);
}

SOON_TEST_PLAIN(debug, stats_belong_to_a_core)
{
	soon_slow_stats stats;

	forget();
	cr_assert_eq(soon_slow_stats_get(&stats), -EPERM);
	assert_said("soon_slow_stats_get: must be called on a core's thread");
	soon_test_reports_expected = 1;
}

/* Wrong threads. */

static soon_mutex mutex = SOON_MUTEX_INIT;

static __attribute__((noinline)) void *lock_from_afar(void *unused)
{
	cr_assert_eq(soon_mutex_lock(&mutex), -EPERM);
	return unused;
}

static int be_called_from_afar(void *unused)
{
	pthread_t thread;

	cr_assert_eq(soon_mutex_lock(&mutex), 0);
	cr_assert_eq(pthread_create(&thread, NULL, lock_from_afar, NULL), 0);
	cr_assert_eq(pthread_join(thread, NULL), 0);
	cr_assert_eq(soon_mutex_unlock(&mutex), 0);
	return unused != NULL;
}

SOON_TEST_PLAIN(debug, a_wrong_thread_is_told_with_its_calls)
{
	soon_opts run = { .debug = -1 };
	const struct fake_opts opts = { .run = &run };

	forget();
	cr_assert_eq(FAKE_RUN(&opts, be_called_from_afar, NULL), 0);
	cr_assert_eq(times_said("lock_from_afar"), 0, "%s", said);
	run.debug = 1;
	cr_assert_eq(FAKE_RUN(&opts, be_called_from_afar, NULL), 0);
	assert_said("[on thread ");
	assert_said(" < lock_from_afar+");
	soon_test_reports_expected = 2;
}

SOON_TEST_PLAIN(debug, abort_ends_the_process_at_an_error, .signal = SIGABRT)
{
	(void)setenv("SOON_DEBUG", "abort", 1);
	forget();
	cr_assert_eq(FAKE_RUN(NULL, be_called_from_afar, NULL), 0);
}

/* Slow steps. */

static int compute_and_yield(void *unused)
{
	(void)unused;
	compute(SOON_MS(3));
	return soon_yield();
}

static int compute_to_the_end(void *unused)
{
	(void)unused;
	compute(SOON_MS(3));
	return 0;
}

#define SLOW_RUN(ns)                                                                               \
	(&(struct fake_opts){ .run = &(const soon_opts){ .debug = 1, .slow_step = (ns) } })

static int spawn_one(int (*fn)(void *), const char *name)
{
	SOON_GROUP(g);

	cr_assert_eq(soon_spawn_with(&g, &(soon_task_opts){ .name = name }, fn, NULL), 0);
	return (int)soon_group_close(&g, 0);
}

static int slow_steps(void *unused)
{
	(void)unused;
	(void)spawn_one(compute_and_yield, "yields");
	(void)spawn_one(compute_to_the_end, "ends");
	return 0;
}

SOON_TEST_PLAIN(slow, a_step_that_has_ended_is_told_with_its_spawn_site)
{
	forget();
	/* So short that the thread, which looks every millisecond, is mostly late. */
	cr_assert_eq(FAKE_RUN(SLOW_RUN(SOON_MS(1)), slow_steps, NULL), 0);
	assert_said("task 'yields' #2, spawned at ");
	assert_said("debug.c:");
	assert_said("task 'ends' #3, spawned at ");
}

SOON_TEST_PLAIN(slow, a_quick_one_is_not)
{
	forget();
	cr_assert_eq(FAKE_RUN(SLOW_RUN(SOON_S(1000)), slow_steps, NULL), 0);
	cr_assert_eq(times_said("without giving way"), 0, "%s", said);
	cr_assert_eq(times_said("still does"), 0, "%s", said);
}

SOON_TEST_PLAIN(slow, nothing_is_with_a_negative_threshold)
{
	uint64_t looks = soon__watch_looks();

	forget();
	cr_assert_eq(FAKE_RUN(SLOW_RUN(-1), slow_steps, NULL), 0);
	cr_assert_eq(soon__watch_looks(), looks);
	cr_assert_eq(atomic_load(&reports), 0, "%s", said);
}

/*
 * Until it has been told of, which is what shows that this happens while it runs. By its name: on a
 * machine that is busy the loop itself may be kept from its core, and be told of before.
 */
static __attribute__((noinline)) int hang_until_told(void *unused)
{
	while (times_said("hang_until_told+0x") == 0)
		compute(SOON_US(100));
	return unused != NULL;
}

static int hang_in_a_group(void *unused)
{
	return spawn_one(hang_until_told, "hangs") + (unused != NULL);
}

SOON_TEST_PLAIN(slow, a_step_that_hangs_is_told_with_its_stack_while_it_runs)
{
	forget();
	cr_assert_eq(FAKE_RUN(SLOW_RUN(SOON_MS(5)), hang_in_a_group, NULL), 0);
	assert_said("task 'hangs' #2, spawned at ");
	assert_said(" has kept its core for at least 5");
	assert_said("hang_until_told+0x");
	assert_said(", has given way, after ");
}

static void hang_in_callback(soon_callback *self)
{
	(void)hang_until_told(NULL);
	self->fn = NULL;
}

static int be_kept_by_a_callback(void *unused)
{
	static soon_callback callback = { .fn = hang_in_callback };

	cr_assert_eq(soon_post(soon_core_self(), &callback), 0);
	while (times_said("hang_until_told+0x") == 0)
		cr_assert_eq(soon_yield(), 0);
	return unused != NULL;
}

SOON_TEST_PLAIN(slow, a_callback_keeps_the_core_too)
{
	forget();
	cr_assert_eq(FAKE_RUN(SLOW_RUN(SOON_MS(5)), be_kept_by_a_callback, NULL), 0);
	assert_said("a callback, or the loop itself, has kept its core for at least ");
}

static int be_slow_often(void *unused)
{
	soon_slow_stats stats;

	for (int i = 0; i < 20; i++)
		cr_assert_eq(compute_and_yield(NULL), 0);
	cr_assert_eq(soon_slow_stats_get(&stats), 0);
	cr_assert_eq(stats.reported, SOON_SLOW_REPORTS_MAX);
	cr_assert_gt(stats.suppressed, 0);
	cr_assert_geq(stats.steps.max, SOON_MS(3));
	return unused != NULL;
}

SOON_TEST_PLAIN(slow, many_are_counted)
{
	forget();
	cr_assert_eq(FAKE_RUN(SLOW_RUN(SOON_MS(1)), be_slow_often, NULL), 0);
	assert_said(" more slow steps, passes and waits were not reported");
	cr_assert_leq(
		times_said("without giving way") + times_said("still does"), SOON_SLOW_REPORTS_MAX);
}

static void count_urgent(int signo)
{
	(void)signo;
}

static int hang_without_a_stack(void *unused)
{
	unsigned before = times_said("still does");

	while (times_said("still does") == before)
		compute(SOON_US(100));
	return unused != NULL;
}

/* Again when it was the loop that was told of. Who it was is told when it is over. */
static int hang_until_named(void *unused)
{
	do
		(void)spawn_one(hang_without_a_stack, "hangs");
	while (times_said("task 'hangs' #") == 0);
	return unused != NULL;
}

SOON_TEST_PLAIN(slow, a_program_that_handles_the_signal_keeps_it)
{
	struct sigaction now;

	(void)signal(SIGURG, count_urgent);
	forget();
	cr_assert_eq(FAKE_RUN(SLOW_RUN(SOON_MS(5)), hang_until_named, NULL), 0);
	assert_said("; no stack: the program handles SIGURG itself");
	cr_assert_eq(sigaction(SIGURG, NULL, &now), 0);
	cr_assert_eq(now.sa_handler, count_urgent);
}

/* On a thread, while the core sleeps: until the looks stand still. */
static int see_looks_end(void *unused)
{
	const struct timespec moment = { .tv_nsec = 50 * 1000000 };
	uint64_t looks;

	do {
		looks = soon__watch_looks();
		(void)nanosleep(&moment, NULL);
	} while (soon__watch_looks() != looks);
	return unused != NULL;
}

/* A thread that nobody needs sleeps for good, until the core wakes. */
static int sleep_until_nobody_looks(void *unused)
{
	uint64_t looks;

	cr_assert_eq(soon_offload(see_looks_end, NULL), 0);
	looks = soon__watch_looks();
	while (soon__watch_looks() == looks)
		cr_assert_eq(soon_yield(), 0);
	return unused != NULL;
}

SOON_TEST_PLAIN(slow, nobody_looks_at_a_core_that_sleeps)
{
	const soon_opts run = { .debug = 1, .slow_step = SOON_MS(40) };

	forget();
	cr_assert_eq(soon_run_with(&run, sleep_until_nobody_looks, NULL), 0);
}

/* What is left open. */

static struct soon__track tracks[3];

static void tell_seven(const struct soon__track *track, struct soon__text *text)
{
	(void)track;
	soon__text_str(text, " number 7");
}

static __attribute__((noinline)) void open_things(void)
{
	static const soon_site site = { .file = "there.c", .func = "there", .line = 12 };

	tracks[0] = (struct soon__track){ .what = "closed" };
	tracks[1] = (struct soon__track){ .what = "thing", .tell = tell_seven };
	tracks[2] = (struct soon__track){ .what = "sited", .site = &site };
	for (int i = 0; i < 3; i++)
		soon__track_open(&tracks[i], __builtin_return_address(0));
	soon__track_close(&tracks[0]);
	soon__track_close(&tracks[0]);
}

static int leave_open(void *unused)
{
	open_things();
	return unused != NULL;
}

SOON_TEST_PLAIN(leaks, what_is_left_open_is_told_with_its_opening)
{
	soon_opts run = { .debug = -1 };
	const struct fake_opts opts = { .run = &run };

	forget();
	cr_assert_eq(FAKE_RUN(&opts, leave_open, NULL), 0);
	cr_assert_eq(atomic_load(&reports), 0, "%s", said);
	run.debug = 1;
	cr_assert_eq(FAKE_RUN(&opts, leave_open, NULL), 0);
	cr_assert_eq(times_said("left open at the end of the run: "), 2, "%s", said);
	assert_said("thing number 7, opened by leave_open+0x");
	assert_said("sited, opened at there.c:12");
	/* Forgotten: the next run has nothing to do with them. */
	soon__track_close(&tracks[1]);
	soon_test_reports_expected = 2;
}

static soon_tracked *tracked[2];

static int track_two_and_untrack_one(void *unused)
{
	(void)unused;
	tracked[0] = soon_track("gone");
	tracked[1] = soon_track("handle %d of '%s'", 5, "base");
	soon_untrack(tracked[0]);
	return 0;
}

SOON_TEST_PLAIN(leaks, what_the_program_tracks_is_told_by_its_text)
{
	soon_opts run = { .debug = -1 };
	const struct fake_opts opts = { .run = &run };

	forget();
	cr_assert_eq(FAKE_RUN(&opts, track_two_and_untrack_one, NULL), 0);
	cr_assert_eq(atomic_load(&reports), 0, "%s", said);
	cr_assert_null(tracked[1]);
	cr_assert_null(soon_track("without a core"));
	run.debug = 1;
	cr_assert_eq(FAKE_RUN(&opts, track_two_and_untrack_one, NULL), 0);
	cr_assert_eq(times_said("left open at the end of the run: "), 1, "%s", said);
	assert_said("handle 5 of 'base', opened by track_two_and_untrack_one+0x");
	soon_untrack(tracked[1]);
	soon_test_reports_expected = 1;
}

static int track_without_memory(void *unused)
{
	(void)unused;
	soon_mem_fail_at(1);
	cr_assert_null(soon_track("nothing"));
	soon_mem_fail_at(0);
	return 0;
}

SOON_TEST_PLAIN(leaks, without_memory_for_it_nothing_is_tracked)
{
	soon_opts run = { .debug = 1 };

	cr_assert_eq(FAKE_RUN(&(struct fake_opts){ .run = &run }, track_without_memory, NULL), 0);
}
