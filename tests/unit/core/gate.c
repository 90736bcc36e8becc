// SPDX-License-Identifier: Apache-2.0
/* Gates: who closes one goes on when the last has left, and nobody comes in any more. */
#include <soon/event.h>

#include "sync_test.h"

#include <support/death.h>

static soon_gate gate = SOON_GATE_INIT;
static struct trace trace;

FAKE_TEST(gate, counts_who_is_inside)
{
	cr_assert_eq(soon_gate_enter(&gate), 0);
	cr_assert_eq(soon_gate_enter(&gate), 0);
	cr_assert_eq(soon_gate_count(&gate), 2);
	cr_assert_eq(soon_gate_leave(&gate), 0);
	cr_assert_eq(soon_gate_leave(&gate), 0);
	cr_assert_eq(soon_gate_count(&gate), 0);
	cr_assert_not(soon_gate_is_closed(&gate));
	cr_assert_eq(soon_gate_close(&gate), 0);
	cr_assert(soon_gate_is_closed(&gate));
	cr_assert_eq(soon_gate_enter(&gate), -ESHUTDOWN);
	cr_assert_eq(soon_gate_close(&gate), 0);
	soon_gate_fini(&gate);
	soon_gate_init(&gate);
	cr_assert_eq(soon_gate_enter(&gate), 0);
	cr_assert_eq(soon_gate_leave(&gate), 0);
}

static int stay(soon_ns duration)
{
	int rc = soon_gate_enter(&gate);

	if (rc < 0)
		return rc;
	SOON_GATE_OWN(&gate);
	rc = soon_sleep(duration);
	trace_add(&trace, '.');
	return rc;
}

static int close_and_note(int letter)
{
	int rc = soon_gate_close(&gate);

	cr_assert(soon_gate_is_closed(&gate));
	if (rc == 0)
		cr_assert_eq(soon_gate_count(&gate), 0);
	trace_add(&trace, rc == 0 ? (char)letter : '-');
	return 0;
}

static void spawn_staying(soon_group *group)
{
	for (int i = 1; i <= 3; i++)
		cr_assert_eq(soon_spawn(group, stay, i * SOON_S(1)), 0);
	cr_assert_eq(soon_yield(), 0);
	cr_assert_eq(soon_gate_count(&gate), 3);
}

FAKE_TEST(gate, close_waits_until_the_last_has_left)
{
	SOON_GROUP(g);

	spawn_staying(&g);
	cr_assert_eq(soon_spawn(&g, close_and_note, 'c'), 0);
	cr_assert_eq(soon_yield(), 0);
	cr_assert_eq(soon_gate_enter(&gate), -ESHUTDOWN);
	/* Who is inside may stay; a second closer waits as well. */
	cr_assert_eq(soon_spawn(&g, close_and_note, 'd'), 0);
	cr_assert_eq(soon_group_close(&g, 0), 0);
	cr_assert_str_eq(trace.text, "...cd");
}

FAKE_TEST(gate, cancelled_close_has_closed)
{
	SOON_GROUP(g);

	spawn_staying(&g);
	cr_assert_eq(IN_CANCELLED(soon_gate_close(&gate)), -ECANCELED);
	cr_assert(soon_gate_is_closed(&gate));
	cr_assert_eq(soon_gate_enter(&gate), -ESHUTDOWN);
	cr_assert_eq(soon_within(SOON_MS(1500), soon_gate_close(&gate)), -ETIMEDOUT);
	cr_assert_eq(soon_gate_count(&gate), 2);
	cr_assert_eq(soon_gate_close(&gate), 0);
	cr_assert_eq(soon_group_close(&g, 0), 0);
	cr_assert_str_eq(trace.text, "...");
}

FAKE_TEST(gate, close_of_an_empty_one_is_a_cancellation_point)
{
	cr_assert_eq(IN_CANCELLED(soon_gate_enter(&gate)), 0);
	cr_assert_eq(IN_CANCELLED(soon_gate_leave(&gate)), 0);
	cr_assert_eq(IN_CANCELLED(soon_gate_close(&gate)), -ECANCELED);
	cr_assert(soon_gate_is_closed(&gate));
}

FAKE_TEST(gate, cancel_after_the_last_has_left_comes_too_late)
{
	SOON_GROUP(g);

	cr_assert_eq(soon_gate_enter(&gate), 0);
	cr_assert_eq(soon_spawn(&g, close_and_note, 'c'), 0);
	cr_assert_eq(soon_yield(), 0);
	cr_assert_eq(soon_gate_leave(&gate), 0);
	soon_group_cancel(&g, "test");
	cr_assert_eq(soon_group_close(&g, 0), 0);
	cr_assert_str_eq(trace.text, "c");
}

static void leave_in_callback(soon_callback *self)
{
	(void)self;
	cr_assert_eq(soon_gate_enter(&gate), 0);
	cr_assert_eq(soon_gate_leave(&gate), 0);
	cr_assert_eq(soon_gate_leave(&gate), 0);
}

FAKE_TEST(gate, callback_may_leave_for_a_task)
{
	static soon_callback callback = { .fn = leave_in_callback };

	cr_assert_eq(soon_gate_enter(&gate), 0);
	cr_assert_eq(soon_post(soon_core_self(), &callback), 0);
	cr_assert_eq(soon_sleep(1), 0);
	cr_assert_eq(soon_gate_close(&gate), 0);
}

/* Misuse. */

FAKE_TEST(gate, leaving_without_entering_is_refused)
{
	ASSERT_REPORTED(soon_gate_leave(&gate), -EPERM, "gate_leave", "nobody is in");
	cr_assert_eq(soon_gate_count(&gate), 0);
}

SOON_TEST_PLAIN(gate, needs_a_core)
{
	ASSERT_REPORTED(soon_gate_enter(&gate), -EPERM, "gate_enter", "runs none");
	ASSERT_REPORTED(soon_gate_leave(&gate), -EPERM, "gate_leave", "runs none");
	ASSERT_REPORTED(soon_gate_close(&gate), -EPERM, "gate_close", "runs none");
	cr_assert_not(soon_gate_is_closed(&gate));
}

static int fini_with_two_inside(void *unused)
{
	(void)unused;
	if (soon_gate_enter(&gate) == 0 && soon_gate_enter(&gate) == 0)
		soon_gate_fini(&gate);
	return 0;
}

static void run_fini_with_two_inside(void)
{
	(void)FAKE_RUN(NULL, fini_with_two_inside, NULL);
}

SOON_TEST_PLAIN(gate, ending_it_with_somebody_inside_aborts)
{
	ASSERT_ABORTS(run_fini_with_two_inside, "2 are inside the gate");
	ASSERT_ABORTS(run_fini_with_two_inside, "task 'fini_with_two_inside'");
}

/* Runs after runs and beside runs. */

static int use_once(void *unused)
{
	SOON_GROUP(g);

	(void)unused;
	trace = (struct trace){ 0 };
	soon_gate_init(&gate);
	spawn_staying(&g);
	cr_assert_eq(soon_gate_close(&gate), 0);
	cr_assert_eq(soon_group_close(&g, 0), 0);
	cr_assert_str_eq(trace.text, "...");
	return 0;
}

static int find_closed(void *unused)
{
	(void)unused;
	cr_assert_eq(soon_gate_enter(&gate), -ESHUTDOWN);
	return soon_gate_close(&gate);
}

SOON_TEST_PLAIN(gate, serves_one_run_after_another_and_stays_closed)
{
	for (int i = 0; i < 3; i++)
		cr_assert_eq(FAKE_RUN(NULL, use_once, NULL), 0);
	cr_assert_eq(on_other_core(use_once, NULL), 0);
	cr_assert_eq(FAKE_RUN(NULL, find_closed, NULL), 0);
}

static int enter_and_end(void *unused)
{
	(void)unused;
	return soon_gate_enter(&gate);
}

static int find_left(void *unused)
{
	(void)unused;
	ASSERT_REPORTED(soon_gate_enter(&gate), -EOWNERDEAD, "left in use", "'enter_and_end'");
	ASSERT_REPORTED(soon_gate_leave(&gate), -EOWNERDEAD, "left in use", "'enter_and_end'");
	ASSERT_REPORTED(soon_gate_close(&gate), -EOWNERDEAD, "left in use", "'find_left'");
	return use_once(NULL);
}

SOON_TEST_PLAIN(gate, left_by_a_run_that_ended_is_owner_dead)
{
	cr_assert_eq(FAKE_RUN(NULL, enter_and_end, NULL), 0);
	cr_assert_eq(FAKE_RUN(NULL, find_left, NULL), 0);
}

static int refused_elsewhere(void *unused)
{
	(void)unused;
	ASSERT_REPORTED(soon_gate_enter(&gate), -EPERM, "another core", "_is_refused_");
	ASSERT_REPORTED(soon_gate_leave(&gate), -EPERM, "another core", "_is_refused_");
	ASSERT_REPORTED(soon_gate_close(&gate), -EPERM, "another core", "_is_refused_");
	return 0;
}

FAKE_TEST(gate, entered_on_one_core_is_refused_on_another)
{
	cr_assert_eq(soon_gate_enter(&gate), 0);
	cr_assert_eq(on_other_core(refused_elsewhere, NULL), 0);
	cr_assert_not(soon_gate_is_closed(&gate));
	cr_assert_eq(soon_gate_leave(&gate), 0);
	cr_assert_eq(on_other_core(use_once, NULL), 0);
}

/* Any order: nobody is inside once a close gave 0. */

struct world {
	uint64_t random;
	soon_gate gate;
	unsigned inside, refused, entered;
	bool is_closed;
};

static int come_and_go(struct world *w)
{
	for (;;) {
		int rc = soon_gate_enter(&w->gate);

		if (rc == -ESHUTDOWN) {
			w->refused++;
			return 0;
		}
		cr_assert_not(w->is_closed);
		w->inside++;
		w->entered++;
		cr_assert_eq(soon_sleep((soon_ns)random_below(&w->random, 5)), 0);
		w->inside--;
		cr_assert_eq(soon_gate_leave(&w->gate), 0);
		cr_assert_eq(soon_sleep((soon_ns)random_below(&w->random, 5)), 0);
	}
}

static int close_sometime(struct world *w)
{
	soon_ns patience;
	ssize_t rc;

	cr_assert_eq(soon_sleep((soon_ns)random_below(&w->random, 20)), 0);
	do {
		patience = (soon_ns)random_below(&w->random, 3);
		rc = soon_within(patience, soon_gate_close(&w->gate));
		w->is_closed = true;
	} while (rc == -ETIMEDOUT);
	cr_assert_eq(rc, 0);
	cr_assert_eq(w->inside, 0);
	return 0;
}

static int close_in_any_order(struct world *w)
{
	SOON_GROUP(g);

	soon_gate_init(&w->gate);
	w->is_closed = false;
	for (int i = 0; i < 6; i++)
		cr_assert_eq(soon_spawn(&g, come_and_go, w), 0);
	for (int i = 0; i < 2; i++)
		cr_assert_eq(soon_spawn(&g, close_sometime, w), 0);
	cr_assert_eq(soon_group_close(&g, 0), 0);
	soon_gate_fini(&w->gate);
	return 0;
}

SOON_TEST_PLAIN(gate, is_empty_when_closed_under_a_thousand_orders)
{
	struct world w = { .gate = SOON_GATE_INIT };

	FOR_SEEDS(&w, close_in_any_order);
	cr_assert_gt(w.entered, SEEDS);
	cr_assert_eq(w.refused, 6 * SEEDS);
}
