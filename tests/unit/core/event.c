// SPDX-License-Identifier: Apache-2.0
/* Events: set once, seen by all, also by those who have not run yet when they are cleared. */
#include <soon/event.h>

#include "sync_test.h"

static soon_event event = SOON_EVENT_INIT;
static struct trace trace;

FAKE_TEST(event, stays_set)
{
	cr_assert_not(soon_event_is_set(&event));
	cr_assert_eq(soon_within(SOON_S(1), soon_event_wait(&event)), -ETIMEDOUT);
	cr_assert_eq(soon_event_set(&event), 0);
	cr_assert_eq(soon_event_set(&event), 0);
	cr_assert(soon_event_is_set(&event));
	cr_assert_eq(soon_event_wait(&event), 0);
	cr_assert_eq(soon_event_wait(&event), 0);
	cr_assert_eq(soon_event_clear(&event), 0);
	cr_assert_eq(soon_event_clear(&event), 0);
	cr_assert_not(soon_event_is_set(&event));
	cr_assert_eq(soon_within(SOON_S(1), soon_event_wait(&event)), -ETIMEDOUT);
	cr_assert_eq(soon_event_set(&event), 0);
	soon_event_init(&event);
	cr_assert_not(soon_event_is_set(&event));
}

static int wait_and_note(int letter)
{
	int rc = soon_event_wait(&event);

	trace_add(&trace, rc == 0 ? (char)letter : '-');
	return 0;
}

static void spawn_waiters(soon_group *group, int first, int last)
{
	for (int letter = first; letter <= last; letter++)
		cr_assert_eq(soon_spawn(group, wait_and_note, letter), 0);
	cr_assert_eq(soon_yield(), 0);
}

FAKE_TEST(event, set_lets_all_go_in_the_order_of_their_coming)
{
	SOON_GROUP(g);

	spawn_waiters(&g, 'a', 'd');
	cr_assert_eq(trace.len, 0);
	cr_assert_eq(soon_event_set(&event), 0);
	cr_assert_eq(soon_group_close(&g, 0), 0);
	cr_assert_str_eq(trace.text, "abcd");
}

FAKE_TEST(event, set_and_cleared_at_once_reaches_who_waits)
{
	SOON_GROUP(g);

	spawn_waiters(&g, 'a', 'b');
	cr_assert_eq(soon_event_set(&event), 0);
	cr_assert_eq(soon_event_clear(&event), 0);
	spawn_waiters(&g, 'c', 'c');
	cr_assert_str_eq(trace.text, "ab");
	soon_group_cancel(&g, "test");
	cr_assert_eq(soon_group_close(&g, 0), 0);
	cr_assert_str_eq(trace.text, "ab-");
}

FAKE_TEST(event, wait_is_a_cancellation_point_also_when_set)
{
	cr_assert_eq(IN_CANCELLED(soon_event_wait(&event)), -ECANCELED);
	cr_assert_eq(IN_CANCELLED(soon_event_set(&event)), 0);
	cr_assert_eq(IN_CANCELLED(soon_event_wait(&event)), -ECANCELED);
	cr_assert_eq(IN_CANCELLED(soon_event_clear(&event)), 0);
}

FAKE_TEST(event, cancel_after_the_set_comes_too_late)
{
	SOON_GROUP(g);

	spawn_waiters(&g, 'a', 'b');
	cr_assert_eq(soon_event_set(&event), 0);
	soon_group_cancel(&g, "test");
	cr_assert_eq(soon_group_close(&g, 0), 0);
	cr_assert_str_eq(trace.text, "ab");
}

FAKE_TEST(event, cancelled_waiter_leaves_the_queue)
{
	SOON_GROUP(g);

	spawn_waiters(&g, 'a', 'a');
	cr_assert_eq(soon_within(SOON_S(1), soon_event_wait(&event)), -ETIMEDOUT);
	spawn_waiters(&g, 'c', 'c');
	cr_assert_eq(soon_event_set(&event), 0);
	cr_assert_eq(soon_group_close(&g, 0), 0);
	cr_assert_str_eq(trace.text, "ac");
}

static void set_in_callback(soon_callback *self)
{
	(void)self;
	cr_assert_eq(soon_event_set(&event), 0);
	ASSERT_REPORTED(soon_event_wait(&event), -EPERM, "event_wait", "own stack");
}

FAKE_TEST(event, may_be_set_in_a_callback)
{
	static soon_callback callback = { .fn = set_in_callback };

	cr_assert_eq(soon_post(soon_core_self(), &callback), 0);
	cr_assert_eq(soon_event_wait(&event), 0);
}

SOON_TEST_PLAIN(event, needs_a_core)
{
	ASSERT_REPORTED(soon_event_wait(&event), -EPERM, "event_wait", "runs no core");
	ASSERT_REPORTED(soon_event_set(&event), -EPERM, "event_set", "runs none");
	ASSERT_REPORTED(soon_event_clear(&event), -EPERM, "event_clear", "runs none");
	cr_assert_not(soon_event_is_set(&event));
}

static int wait_often(bool *is_done)
{
	for (int i = 0; i < 1000 && !*is_done; i++)
		cr_assert_eq(soon_event_wait(&event), 0);
	return *is_done ? 0 : -ETIME;
}

static int set_flag(bool *flag)
{
	*flag = true;
	return 0;
}

FAKE_TEST(event, loop_over_a_set_one_gives_others_a_turn)
{
	bool is_done = false;
	SOON_GROUP(g);

	cr_assert_eq(soon_event_set(&event), 0);
	cr_assert_eq(soon_spawn(&g, wait_often, &is_done), 0);
	cr_assert_eq(soon_spawn(&g, set_flag, &is_done), 0);
	cr_assert_eq(soon_group_close(&g, 0), 0);
}

/* Runs after runs and beside runs. */

static int use_once(void *unused)
{
	SOON_GROUP(g);

	(void)unused;
	trace = (struct trace){ 0 };
	cr_assert_eq(soon_event_clear(&event), 0);
	spawn_waiters(&g, 'a', 'b');
	cr_assert_eq(soon_event_set(&event), 0);
	cr_assert_eq(soon_group_close(&g, 0), 0);
	cr_assert_str_eq(trace.text, "ab");
	return 0;
}

SOON_TEST_PLAIN(event, serves_one_run_after_another_and_stays_set)
{
	for (int i = 0; i < 3; i++)
		cr_assert_eq(FAKE_RUN(NULL, use_once, NULL), 0);
	cr_assert_eq(on_other_core(use_once, NULL), 0);
	cr_assert(soon_event_is_set(&event));
}

static int refused_elsewhere(void *unused)
{
	(void)unused;
	ASSERT_REPORTED(soon_event_wait(&event), -EPERM, "another core", "'wait_and_note'");
	ASSERT_REPORTED(soon_event_set(&event), -EPERM, "another core", "'wait_and_note'");
	ASSERT_REPORTED(soon_event_clear(&event), -EPERM, "another core", "'wait_and_note'");
	return 0;
}

FAKE_TEST(event, waited_for_on_one_core_is_refused_on_another)
{
	SOON_GROUP(g);

	spawn_waiters(&g, 'a', 'a');
	cr_assert_eq(on_other_core(refused_elsewhere, NULL), 0);
	cr_assert_eq(soon_event_set(&event), 0);
	cr_assert_eq(soon_group_close(&g, 0), 0);
	cr_assert_str_eq(trace.text, "a");
}

/* Any order: nobody waits past a set, and nobody passes without one. */

struct world {
	uint64_t random;
	soon_event event;
	unsigned sets; /* so far */
	unsigned passed, timed_out;
	bool is_over;
};

static int pass(struct world *w)
{
	while (!w->is_over) {
		unsigned sets = w->sets;
		bool was_set = soon_event_is_set(&w->event);
		ssize_t rc = soon_within(
			1 + (soon_ns)random_below(&w->random, 6), soon_event_wait(&w->event));

		if (rc == 0) {
			cr_assert(was_set || w->sets > sets);
			w->passed++;
		} else {
			cr_assert_eq(rc, -ETIMEDOUT);
			cr_assert_not(was_set);
			w->timed_out++;
		}
		cr_assert_eq(soon_sleep((soon_ns)random_below(&w->random, 3)), 0);
	}
	return 0;
}

static int set_and_clear(struct world *w)
{
	for (int i = 0; i < 12; i++) {
		if (random_below(&w->random, 2)) {
			w->sets++;
			cr_assert_eq(soon_event_set(&w->event), 0);
		} else {
			cr_assert_eq(soon_event_clear(&w->event), 0);
		}
		cr_assert_eq(soon_sleep((soon_ns)random_below(&w->random, 5)), 0);
	}
	w->is_over = true;
	return 0;
}

static int pass_in_any_order(struct world *w)
{
	SOON_GROUP(g);

	w->is_over = false;
	for (int i = 0; i < 5; i++)
		cr_assert_eq(soon_spawn(&g, pass, w), 0);
	cr_assert_eq(soon_spawn(&g, set_and_clear, w), 0);
	return (int)soon_group_close(&g, 0);
}

SOON_TEST_PLAIN(event, lets_pass_what_it_should_under_a_thousand_orders)
{
	struct world w = { .event = SOON_EVENT_INIT };

	FOR_SEEDS(&w, pass_in_any_order);
	cr_assert_gt(w.passed, SEEDS);
	cr_assert_gt(w.timed_out, SEEDS);
}
