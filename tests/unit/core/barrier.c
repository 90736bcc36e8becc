// SPDX-License-Identifier: Apache-2.0
/* Barriers: all go on together, round after round, whoever leaves or breaks it. */
#include <soon/event.h>

#include "sync_test.h"

static soon_barrier three = SOON_BARRIER_INIT(3);
static struct trace trace;

/* Notes how the wait ended: l for the last, 0, p for -EPIPE, - for a cancel. */
static int meet(soon_barrier *barrier)
{
	int rc = soon_barrier_wait(barrier);

	trace_add(&trace, rc == 1 ? 'l' : rc == 0 ? '0' : rc == -EPIPE ? 'p' : '-');
	return 0;
}

static void spawn_meeting(soon_group *group, int count)
{
	for (int i = 0; i < count; i++)
		cr_assert_eq(soon_spawn(group, meet, &three), 0);
	cr_assert_eq(soon_yield(), 0);
}

FAKE_TEST(barrier, last_one_lets_all_go)
{
	SOON_GROUP(g);

	for (int round = 0; round < 3; round++) {
		trace = (struct trace){ 0 };
		spawn_meeting(&g, 2);
		cr_assert_eq(trace.len, 0);
		cr_assert_eq(soon_barrier_waiting(&three), 2);
		cr_assert_eq(soon_barrier_wait(&three), 1);
		cr_assert_eq(soon_barrier_waiting(&three), 0);
		cr_assert_eq(soon_yield(), 0);
		cr_assert_str_eq(trace.text, "00");
	}
	cr_assert_eq(soon_group_close(&g, 0), 0);
}

FAKE_TEST(barrier, more_than_it_is_for_are_in_the_next_round)
{
	SOON_GROUP(g);

	spawn_meeting(&g, 5);
	cr_assert_eq(soon_yield(), 0);
	cr_assert_str_eq(trace.text, "l00");
	cr_assert_eq(soon_barrier_waiting(&three), 2);
	spawn_meeting(&g, 1);
	cr_assert_eq(soon_group_close(&g, 0), 0);
	cr_assert_str_eq(trace.text, "l00l00");
}

FAKE_TEST(barrier, for_one_never_waits)
{
	soon_barrier one = SOON_BARRIER_INIT(1);

	cr_assert_eq(soon_barrier_wait(&one), 1);
	cr_assert_eq(soon_barrier_wait(&one), 1);
	soon_barrier_init(&one, 2);
	cr_assert_eq(soon_within(1, soon_barrier_wait(&one)), -ETIMEDOUT);
}

FAKE_TEST(barrier, for_nobody_is_refused)
{
	soon_barrier none = SOON_BARRIER_INIT(0);

	ASSERT_REPORTED(soon_barrier_wait(&none), -EINVAL, "barrier_wait", "for nobody");
}

/* Cancels. */

FAKE_TEST(barrier, last_one_does_not_pass_in_a_cancelled_scope)
{
	SOON_GROUP(g);

	spawn_meeting(&g, 2);
	cr_assert_eq(IN_CANCELLED(soon_barrier_wait(&three)), -ECANCELED);
	cr_assert_eq(soon_barrier_waiting(&three), 2);
	cr_assert_eq(soon_barrier_wait(&three), 1);
	cr_assert_eq(soon_group_close(&g, 0), 0);
	cr_assert_str_eq(trace.text, "00");
}

FAKE_TEST(barrier, who_is_cancelled_has_left)
{
	SOON_GROUP(g);

	spawn_meeting(&g, 1);
	cr_assert_eq(soon_within(SOON_S(1), soon_barrier_wait(&three)), -ETIMEDOUT);
	cr_assert_eq(soon_barrier_waiting(&three), 1);
	spawn_meeting(&g, 1);
	cr_assert_eq(trace.len, 0);
	cr_assert_eq(soon_barrier_wait(&three), 1);
	cr_assert_eq(soon_group_close(&g, 0), 0);
	cr_assert_str_eq(trace.text, "00");
}

FAKE_TEST(barrier, cancel_after_the_last_one_comes_too_late)
{
	SOON_GROUP(g);

	spawn_meeting(&g, 2);
	cr_assert_eq(soon_barrier_wait(&three), 1);
	soon_group_cancel(&g, "test");
	cr_assert_eq(soon_group_close(&g, 0), 0);
	cr_assert_str_eq(trace.text, "00");
}

/* Aborting. */

FAKE_TEST(barrier, aborted_fails_all_until_it_is_reset)
{
	SOON_GROUP(g);

	spawn_meeting(&g, 2);
	cr_assert_eq(IN_CANCELLED(soon_barrier_abort(&three)), 0);
	cr_assert_eq(soon_barrier_waiting(&three), 0);
	cr_assert_eq(soon_barrier_wait(&three), -EPIPE);
	cr_assert_eq(soon_yield(), 0);
	cr_assert_str_eq(trace.text, "pp");
	cr_assert_eq(soon_barrier_abort(&three), 0);
	cr_assert_eq(soon_barrier_wait(&three), -EPIPE);
	cr_assert_eq(IN_CANCELLED(soon_barrier_wait(&three)), -ECANCELED);
	cr_assert_eq(IN_CANCELLED(soon_barrier_reset(&three)), 0);
	trace = (struct trace){ 0 };
	spawn_meeting(&g, 2);
	cr_assert_eq(soon_barrier_wait(&three), 1);
	cr_assert_eq(soon_group_close(&g, 0), 0);
	cr_assert_str_eq(trace.text, "00");
}

FAKE_TEST(barrier, reset_of_one_that_works_changes_nothing)
{
	SOON_GROUP(g);

	spawn_meeting(&g, 2);
	cr_assert_eq(soon_barrier_reset(&three), 0);
	cr_assert_eq(soon_barrier_waiting(&three), 2);
	cr_assert_eq(soon_barrier_wait(&three), 1);
	cr_assert_eq(soon_group_close(&g, 0), 0);
	cr_assert_str_eq(trace.text, "00");
}

/* Woken already by the last one: the abort is for the next round. */
FAKE_TEST(barrier, abort_after_the_round_does_not_reach_back)
{
	SOON_GROUP(g);

	spawn_meeting(&g, 2);
	cr_assert_eq(soon_barrier_wait(&three), 1);
	cr_assert_eq(soon_barrier_abort(&three), 0);
	cr_assert_eq(soon_group_close(&g, 0), 0);
	cr_assert_str_eq(trace.text, "00");
}

static int meet_often(bool *is_done)
{
	soon_barrier one = SOON_BARRIER_INIT(1);

	for (int i = 0; i < 1000 && !*is_done; i++)
		cr_assert_eq(soon_barrier_wait(&one), 1);
	return *is_done ? 0 : -ETIME;
}

static int set_flag(bool *flag)
{
	*flag = true;
	return 0;
}

FAKE_TEST(barrier, loop_that_never_waits_gives_others_a_turn)
{
	bool is_done = false;
	SOON_GROUP(g);

	cr_assert_eq(soon_spawn(&g, meet_often, &is_done), 0);
	cr_assert_eq(soon_spawn(&g, set_flag, &is_done), 0);
	cr_assert_eq(soon_group_close(&g, 0), 0);
}

SOON_TEST_PLAIN(barrier, needs_a_core)
{
	ASSERT_REPORTED(soon_barrier_wait(&three), -EPERM, "barrier_wait", "runs no core");
	ASSERT_REPORTED(soon_barrier_abort(&three), -EPERM, "barrier_abort", "runs none");
	ASSERT_REPORTED(soon_barrier_reset(&three), -EPERM, "barrier_reset", "runs none");
}

/* Runs after runs and beside runs. */

static int use_once(void *unused)
{
	SOON_GROUP(g);

	(void)unused;
	trace = (struct trace){ 0 };
	spawn_meeting(&g, 3);
	cr_assert_eq(soon_group_close(&g, 0), 0);
	cr_assert_str_eq(trace.text, "l00");
	return 0;
}

static int abort_it(void *unused)
{
	(void)unused;
	return soon_barrier_abort(&three);
}

static int find_aborted(void *unused)
{
	(void)unused;
	cr_assert_eq(soon_barrier_wait(&three), -EPIPE);
	return soon_barrier_reset(&three);
}

SOON_TEST_PLAIN(barrier, serves_one_run_after_another_and_stays_aborted)
{
	for (int i = 0; i < 3; i++)
		cr_assert_eq(FAKE_RUN(NULL, use_once, NULL), 0);
	cr_assert_eq(on_other_core(use_once, NULL), 0);
	cr_assert_eq(FAKE_RUN(NULL, abort_it, NULL), 0);
	cr_assert_eq(FAKE_RUN(NULL, find_aborted, NULL), 0);
	cr_assert_eq(FAKE_RUN(NULL, use_once, NULL), 0);
}

static int refused_elsewhere(void *unused)
{
	(void)unused;
	ASSERT_REPORTED(soon_barrier_wait(&three), -EPERM, "another core", "task 'meet'");
	ASSERT_REPORTED(soon_barrier_abort(&three), -EPERM, "another core", "task 'meet'");
	ASSERT_REPORTED(soon_barrier_reset(&three), -EPERM, "another core", "task 'meet'");
	return 0;
}

FAKE_TEST(barrier, waited_for_on_one_core_is_refused_on_another)
{
	SOON_GROUP(g);

	spawn_meeting(&g, 2);
	cr_assert_eq(on_other_core(refused_elsewhere, NULL), 0);
	cr_assert_eq(soon_barrier_wait(&three), 1);
	cr_assert_eq(soon_group_close(&g, 0), 0);
	cr_assert_str_eq(trace.text, "00");
}

/* Any order: in a round nobody is two steps ahead of anybody. */

#define PARTIES 5
#define STEPS   8

struct world {
	uint64_t random;
	soon_barrier barrier;
	unsigned steps[PARTIES];
	unsigned lasts, given_up;
};

struct walker {
	struct world *world;
	unsigned index;
};

static int walk(struct walker *self)
{
	struct world *w = self->world;

	while (w->steps[self->index] < STEPS) {
		ssize_t rc = soon_within(
			1 + (soon_ns)random_below(&w->random, 10), soon_barrier_wait(&w->barrier));

		if (rc == -ETIMEDOUT) {
			w->given_up++;
			continue;
		}
		w->steps[self->index]++;
		w->lasts += rc == 1;
		for (unsigned i = 0; i < PARTIES; i++)
			cr_assert_leq(w->steps[self->index], w->steps[i] + 1);
		cr_assert_eq(soon_sleep((soon_ns)random_below(&w->random, 4)), 0);
	}
	return 0;
}

static int walk_in_step(struct world *w)
{
	struct walker walkers[PARTIES];
	SOON_GROUP(g);

	memset(w->steps, 0, sizeof w->steps);
	w->lasts = 0;
	for (unsigned i = 0; i < PARTIES; i++) {
		walkers[i] = (struct walker){ .world = w, .index = i };
		cr_assert_eq(soon_spawn(&g, walk, &walkers[i]), 0);
	}
	cr_assert_eq(soon_group_close(&g, 0), 0);
	cr_assert_eq(w->lasts, STEPS);
	return 0;
}

SOON_TEST_PLAIN(barrier, keeps_step_under_a_thousand_orders)
{
	struct world w = { .barrier = SOON_BARRIER_INIT(PARTIES) };

	FOR_SEEDS(&w, walk_in_step);
	cr_assert_gt(w.given_up, SEEDS);
}
