// SPDX-License-Identifier: Apache-2.0
/* Waits that nothing can end, and joins that somebody keeps waiting. */
#include <soon/dump.h>
#include <soon/group.h>
#include <soon/handshake.h>
#include <soon/report.h>

#include "core/spi/park.h"

#include "fake_test.h"

#include <fcntl.h>
#include <pthread.h>
#include <string.h>
#include <support/death.h>
#include <unistd.h>

/* All reports, one per line. */
static char told[8192];

static int keep(const soon_report *report, void *unused)
{
	(void)unused;
	(void)strncat(told, report->text, sizeof told - strlen(told) - 2);
	(void)strncat(told, "\n", sizeof told - strlen(told) - 1);
	return 0;
}

/* The first circle that is told asks for a dump. */
static int keep_and_dump(const soon_report *report, void *fd_of_void)
{
	int *fd = fd_of_void;

	if (*fd >= 0 && strstr(report->text, "each waits for the next")) {
		cr_assert_eq(soon_dump(*fd, SOON_DUMP_NO_STACKS), 0);
		cr_assert_eq(close(*fd), 0);
		*fd = -1;
	}
	return keep(report, NULL);
}

static int join_other(soon_task **other)
{
	return soon_join(*other, NULL);
}

static soon_task *pair[2];

static int two_join_each_other(void *unused)
{
	SOON_GROUP(g);

	(void)unused;
	for (int i = 0; i < 2; i++) {
		soon_task_opts opts = { .name = i ? "right" : "left", .ret_task = &pair[i] };

		cr_assert_eq(soon_spawn_with(&g, &opts, join_other, &pair[!i]), 0);
	}
	return (int)soon_group_close(&g, 0);
}

SOON_TEST_PLAIN(deadlock, tasks_that_join_each_other_end_the_run)
{
	soon_on_report(keep, NULL);
	cr_assert_eq(FAKE_RUN(NULL, two_join_each_other, NULL), -EDEADLK);
	cr_assert_not_null(strstr(told, "deadlock: all 3 tasks wait"), "%s", told);
	cr_assert_not_null(
		strstr(told, "'left' #2 (join) -> 'right' #3 (join) -> 'left' #2"), "%s", told);
	soon_test_reports_expected = 1;
}

static int be_joined_by_all(void *unused)
{
	soon_task *self = soon_self();
	SOON_GROUP(g);

	(void)unused;
	for (int i = 0; i < 2; i++)
		cr_assert_eq(soon_spawn(&g, join_other, &self), 0);
	return (int)soon_group_close(&g, 0);
}

/* The dump looks for circles, too, while the first search goes on. */
SOON_TEST_PLAIN(deadlock, report_may_be_answered_by_a_dump)
{
	int fd = open("/dev/null", O_WRONLY | O_CLOEXEC);
	const char *first, *second;

	soon_on_report(keep_and_dump, &fd);
	cr_assert_eq(FAKE_RUN(NULL, be_joined_by_all, NULL), -EDEADLK);
	cr_assert_eq(fd, -1);
	first = strstr(told, "each waits for the next");
	cr_assert_not_null(first, "%s", told);
	second = strstr(first + 1, "each waits for the next");
	cr_assert_not_null(second, "%s", told);
	cr_assert_null(strstr(second + 1, "each waits for the next"), "%s", told);
	soon_test_reports_expected = 1;
}

/* Two tasks by name, the first of which comes to its waits first. */
static int two_of_them(int (*first)(void *unused), int (*second)(void *unused))
{
	int (*const fns[])(void *unused) = { first, second };
	SOON_GROUP(g);

	for (int i = 0; i < 2; i++) {
		soon_task_opts opts = { .name = i ? "second" : "first", .ret_task = &pair[i] };

		cr_assert_eq(soon_spawn_with(&g, &opts, fns[i], NULL), 0);
	}
	return (int)soon_group_close(&g, 0);
}

static soon_seq seq = SOON_SEQ_INIT;

static int enter_and_join(void *unused)
{
	int rc = soon_seq_enter(&seq, 0);

	(void)unused;
	cr_assert_eq(rc, 0);
	rc = soon_join(pair[1], NULL);
	cr_assert_eq(soon_seq_leave(&seq), 0);
	return rc;
}

static int enter_next(void *unused)
{
	(void)unused;
	return soon_seq_enter(&seq, 1);
}

static int section_that_joins_the_next(void *unused)
{
	(void)unused;
	return two_of_them(enter_and_join, enter_next);
}

SOON_TEST_PLAIN(deadlock, section_that_joins_the_next_is_a_cycle)
{
	soon_on_report(keep, NULL);
	cr_assert_eq(FAKE_RUN(NULL, section_that_joins_the_next, NULL), -EDEADLK);
	cr_assert_not_null(
		strstr(told, "'first' #2 (join) -> 'second' #3 (sequence) -> 'first' #2"), "%s",
		told);
	soon_test_reports_expected = 1;
}

static soon_handshake handshake = SOON_HANDSHAKE_INIT;

static int take_and_join(void *unused)
{
	(void)unused;
	cr_assert_eq(soon_handshake_await(&handshake), 0);
	return soon_join(pair[1], NULL);
}

static int signal_and_wait(void *unused)
{
	(void)unused;
	return soon_handshake_signal(&handshake);
}

static int taker_that_joins_the_signaller(void *unused)
{
	(void)unused;
	return two_of_them(take_and_join, signal_and_wait);
}

SOON_TEST_PLAIN(deadlock, taker_that_joins_the_signaller_is_a_cycle)
{
	soon_on_report(keep, NULL);
	cr_assert_eq(FAKE_RUN(NULL, taker_that_joins_the_signaller, NULL), -EDEADLK);
	cr_assert_not_null(
		strstr(told, "'first' #2 (join) -> 'second' #3 (handshake signal) -> 'first' #2"),
		"%s", told);
	soon_test_reports_expected = 1;
}

static int sleep_for_ever(void *unused)
{
	(void)unused;
	return soon_sleep(SOON_NEVER);
}

SOON_TEST_PLAIN(deadlock, wait_without_an_end_is_one)
{
	cr_assert_eq(FAKE_RUN(NULL, sleep_for_ever, NULL), -EDEADLK);
	soon_test_reports_expected = 1;
}

static int why_cancelled;

static int look_at_the_reason(void *unused)
{
	int rc = soon_sleep(SOON_NEVER);

	(void)unused;
	why_cancelled = (int)soon_cancel_reason().source;
	/* What the end needs may still wait, by the clock. */
	cr_assert_eq(soon_shielded(SOON_S(9), soon_sleep(SOON_S(5))), 0);
	return rc;
}

SOON_TEST_PLAIN(deadlock, cleanup_still_has_its_time)
{
	cr_assert_eq(FAKE_RUN(NULL, look_at_the_reason, NULL), -EDEADLK);
	cr_assert_eq(why_cancelled, SOON_CANCEL_DEADLOCK);
	soon_test_reports_expected = 1;
}

static int shielded_for_ever(int *saw)
{
	*saw = (int)soon_shielded(SOON_NEVER, soon_sleep(SOON_NEVER));
	return *saw;
}

SOON_TEST_PLAIN(deadlock, shields_are_lifted_next)
{
	int saw = 0;

	cr_assert_eq(FAKE_RUN(NULL, shielded_for_ever, &saw), -EDEADLK);
	cr_assert_eq(saw, -ECANCELED);
	soon_test_reports_expected = 2;
}

static int wait_without_abort(void *unused)
{
	struct soon__wait wait = { .what = "nothing" };

	(void)unused;
	return (int)soon__park(&wait);
}

static void hang(void)
{
	(void)!FAKE_RUN(NULL, wait_without_abort, NULL);
}

SOON_TEST_PLAIN(deadlock, what_cannot_be_cancelled_ends_the_process)
{
	ASSERT_ABORTS(hang, "in calls that cannot be cancelled");
}

static int crowd_for_ever(void *unused)
{
	SOON_GROUP(g);

	(void)unused;
	for (int i = 0; i < 20; i++)
		cr_assert_eq(soon_spawn(&g, sleep_for_ever, NULL), 0);
	return (int)soon_group_close(&g, 0);
}

SOON_TEST_PLAIN(deadlock, long_list_says_that_it_was_cut)
{
	soon_on_report(keep, NULL);
	cr_assert_eq(FAKE_RUN(NULL, crowd_for_ever, NULL), -EDEADLK);
	cr_assert_not_null(strstr(told, "deadlock: all 21 tasks wait"), "%s", told);
	cr_assert_not_null(strstr(told, "deadlock: and 5 more"), "%s", told);
	soon_test_reports_expected = 1;
}

static int background_for_ever(void *unused)
{
	(void)unused;
	cr_assert_eq(soon_background(sleep_for_ever, NULL), 0);
	return soon_sleep(SOON_S(1)); /* a timer is a reason to wait */
}

SOON_TEST_PLAIN(deadlock, timer_is_a_reason_to_wait)
{
	cr_assert_eq(FAKE_RUN(NULL, background_for_ever, NULL), 0);
}

static int wait_for_an_operation(void *unused)
{
	(void)unused;
	return (int)fake_op(SOON_S(100), 3, FAKE_CANCEL_DONE);
}

SOON_TEST_PLAIN(deadlock, operation_is_a_reason_to_wait)
{
	cr_assert_eq(FAKE_RUN(NULL, wait_for_an_operation, NULL), 3);
}

static int come_from_a_thread(void *unused)
{
	struct timespec moment = { .tv_nsec = 2000000 };

	(void)unused;
	(void)nanosleep(&moment, NULL);
	return 4;
}

static int wait_for_a_thread(void *unused)
{
	(void)unused;
	return soon_offload(come_from_a_thread, NULL);
}

SOON_TEST_PLAIN(deadlock, offload_is_a_reason_to_wait)
{
	cr_assert_eq(FAKE_RUN(NULL, wait_for_a_thread, NULL), 4);
}

/* Somebody was given the core's address: a post may come at any time. */
struct poster {
	soon_callback callback;
	soon_core *core;
	struct soon__wait wait;
};

static void end_wait(soon_callback *self)
{
	soon__unpark(&SOON_CONTAINER_OF(self, struct poster, callback)->wait, 6);
}

static void *post_later(void *arg)
{
	struct poster *poster = arg;
	struct timespec moment = { .tv_nsec = 2000000 };

	(void)nanosleep(&moment, NULL);
	cr_assert_eq(soon_post(poster->core, &poster->callback), 0);
	return NULL;
}

static int wait_for_a_post(void *unused)
{
	struct poster poster = { .callback = { .fn = end_wait }, .wait = { .what = "post" } };
	pthread_t thread;
	int rc;

	(void)unused;
	poster.core = soon_core_self();
	cr_assert_eq(pthread_create(&thread, NULL, post_later, &poster), 0);
	rc = (int)soon__park(&poster.wait);
	(void)pthread_join(thread, NULL);
	return rc;
}

SOON_TEST_PLAIN(deadlock, given_out_address_is_a_reason_to_wait)
{
	cr_assert_eq(FAKE_RUN(NULL, wait_for_a_post, NULL), 6);
}

static int waits_for_its_own_place(soon_group *group)
{
	return soon_spawn(group, sleep_for_ever, NULL);
}

static int full_group(void *unused)
{
	SOON_GROUP(g, .live_max = 1);

	(void)unused;
	cr_assert_eq(soon_spawn(&g, waits_for_its_own_place, &g), 0);
	return (int)soon_group_close(&g, 0);
}

SOON_TEST_PLAIN(deadlock, spawn_into_one_s_own_full_group)
{
	cr_assert_eq(FAKE_RUN(NULL, full_group, NULL), -EDEADLK);
	soon_test_reports_expected = 1;
}

/* Joins that are kept waiting. */

static int linger(soon_ns duration)
{
	int rc = soon_sleep(SOON_NEVER);

	cr_assert_eq(soon_shielded(SOON_NEVER, soon_sleep(duration)), 0);
	return rc;
}

static int linger_50(int unused)
{
	(void)unused;
	return linger(SOON_S(50));
}

static int cancel_lingering(void *unused)
{
	SOON_GROUP(g, .name = "crowd");

	(void)unused;
	cr_assert_eq(
		soon_spawn_with(&g, &(soon_task_opts){ .name = "slow" }, linger, SOON_S(50)), 0);
	cr_assert_eq(soon_yield(), 0);
	soon_group_cancel(&g, "enough");
	return (int)soon_group_close(&g, 0);
}

SOON_TEST_PLAIN(stuck, join_that_takes_long_is_reported_with_who_and_what)
{
	soon_opts opts = { .grace = SOON_S(10) };

	soon_on_report(keep, NULL);
	cr_assert_eq(FAKE_RUN(&(struct fake_opts){ .run = &opts }, cancel_lingering, NULL), 0);
	cr_assert_not_null(strstr(told, "group 'crowd', opened at"), "%s", told);
	cr_assert_not_null(strstr(told, "cancelled for 10000 ms"), "%s", told);
	cr_assert_not_null(strstr(told, "cancelled for 40000 ms"), "%s", told);
	cr_assert_not_null(strstr(told, "'slow' #2"), "%s", told);
	cr_assert_not_null(strstr(told, "sleep"), "%s", told);
	soon_test_reports_expected = 3;
}

/* Only the group whose own task lingers is reported, not those around it that wait for that. */
static int nest_lingering(int depth)
{
	SOON_GROUP(g);

	cr_assert_eq(soon_spawn(&g, depth > 0 ? nest_lingering : linger_50, depth - 1), 0);
	return (int)soon_group_close(&g, 0);
}

static int cancel_nested(void *unused)
{
	SOON_GROUP(g, .name = "crowd");

	(void)unused;
	cr_assert_eq(soon_spawn(&g, nest_lingering, 3), 0);
	cr_assert_eq(soon_sleep(SOON_S(1)), 0);
	soon_group_cancel(&g, "enough");
	return (int)soon_group_close(&g, 0);
}

SOON_TEST_PLAIN(stuck, only_the_innermost_join_is_reported)
{
	soon_opts opts = { .grace = SOON_S(30) };

	cr_assert_eq(FAKE_RUN(&(struct fake_opts){ .run = &opts }, cancel_nested, NULL), 0);
	soon_test_reports_expected = 1;
}

static int cancel_a_crowd(void *unused)
{
	SOON_GROUP(g, .name = "crowd");

	(void)unused;
	for (int i = 0; i < 11; i++)
		cr_assert_eq(soon_spawn(&g, linger, SOON_S(15)), 0);
	cr_assert_eq(soon_yield(), 0);
	soon_group_cancel(&g, "enough");
	return (int)soon_group_close(&g, 0);
}

SOON_TEST_PLAIN(stuck, long_list_says_that_it_was_cut)
{
	soon_opts opts = { .grace = SOON_S(10) };

	soon_on_report(keep, NULL);
	cr_assert_eq(FAKE_RUN(&(struct fake_opts){ .run = &opts }, cancel_a_crowd, NULL), 0);
	cr_assert_not_null(strstr(told, "'crowd': and 3 more"), "%s", told);
	soon_test_reports_expected = 1;
}

/* The cancel comes when the owner already waits in the close. */
static int cancel_from_inside(soon_group *group)
{
	cr_assert_eq(soon_sleep(SOON_S(3)), 0);
	soon_group_cancel(group, "enough");
	return 0;
}

static int close_then_cancel(void *unused)
{
	SOON_GROUP(g, .name = "crowd");

	(void)unused;
	cr_assert_eq(soon_spawn(&g, linger, SOON_S(15)), 0);
	cr_assert_eq(soon_spawn(&g, cancel_from_inside, &g), 0);
	return (int)soon_group_close(&g, 0);
}

SOON_TEST_PLAIN(stuck, time_counts_from_the_cancel)
{
	soon_opts opts = { .grace = SOON_S(10) };

	soon_on_report(keep, NULL);
	cr_assert_eq(FAKE_RUN(&(struct fake_opts){ .run = &opts }, close_then_cancel, NULL), 0);
	cr_assert_not_null(strstr(told, "cancelled for 10000 ms"), "%s", told);
	soon_test_reports_expected = 1;
}

/* While the run ends there is a dump of all that is left, as often as a report. */

static unsigned count_of(const char *part)
{
	unsigned count = 0;

	for (const char *at = told; (at = strstr(at, part)) != NULL; at++)
		count++;
	return count;
}

static int leave_two_behind(void *unused)
{
	(void)unused;
	cr_assert_eq(soon_background(linger, SOON_S(50)), 0);
	cr_assert_eq(soon_background(linger, SOON_S(15)), 0);
	return soon_yield();
}

SOON_TEST_PLAIN(stuck, end_of_the_run_that_takes_long_is_reported_with_a_dump)
{
	soon_opts opts = { .grace = SOON_S(10) };

	soon_on_report(keep, NULL);
	cr_assert_eq(FAKE_RUN(&(struct fake_opts){ .run = &opts }, leave_two_behind, NULL), 0);
	cr_assert_not_null(strstr(told, "group 'service', of the run,"), "%s", told);
	cr_assert_eq(count_of("soon: dump of thread"), 3, "%s", told);
	cr_assert_eq(count_of("soon: end of dump\n"), 3, "%s", told);
	/* Once in the report and once in the dump; then one of them has ended. */
	cr_assert_eq(count_of("'linger' #"), 2 * 2 + 2 + 2, "%s", told);
	cr_assert_not_null(strstr(told, "stacks:\n"), "%s", told);
	soon_test_reports_expected = 3;
}

static int linger_over_a_cancel(void *unused)
{
	SOON_GROUP(g);

	(void)unused;
	cr_assert_eq(soon_spawn(&g, linger, SOON_S(15)), 0);
	return (int)soon_group_close(&g, 0);
}

static int fail_soon(void *unused)
{
	(void)unused;
	cr_assert_eq(soon_sleep(SOON_S(1)), 0);
	return -EIO;
}

static int fail_in_the_background(void *unused)
{
	cr_assert_eq(soon_background(fail_soon, NULL), 0);
	return linger_over_a_cancel(unused);
}

SOON_TEST_PLAIN(stuck, main_that_was_cancelled_and_takes_long_is_dumped)
{
	soon_opts opts = { .grace = SOON_S(10) };

	soon_on_report(keep, NULL);
	cr_assert_eq(
		FAKE_RUN(&(struct fake_opts){ .run = &opts }, fail_in_the_background, NULL), -EIO);
	cr_assert_eq(count_of("soon: dump of thread"), 1, "%s", told);
	cr_assert_not_null(strstr(told, "'linger' #"), "%s", told);
	soon_test_reports_expected = 2; /* one of them the failure */
}

SOON_TEST_PLAIN(stuck, join_in_time_is_not_reported)
{
	soon_opts opts = { .grace = SOON_S(16) };

	cr_assert_eq(FAKE_RUN(&(struct fake_opts){ .run = &opts }, close_then_cancel, NULL), 0);
}
