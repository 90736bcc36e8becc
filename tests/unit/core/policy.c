// SPDX-License-Identifier: Apache-2.0
/* FIRST_OK, places in a bounded group, what is deferred to the close, watched tasks. */
#include <soon/group.h>
#include <soon/mem.h>

#include "fake_test.h"

#include <string.h>

struct part {
	soon_ns duration;
	int rc;
	int saw;
};

static int play(struct part *self)
{
	self->saw = soon_sleep(self->duration);
	return self->saw < 0 ? self->saw : self->rc;
}

/* FIRST_OK. */

FAKE_TEST(first_ok, winner_gives_the_result_and_cancels_the_rest)
{
	struct part fails = { .duration = SOON_S(1), .rc = -EIO },
		    wins = { .duration = SOON_S(2), .rc = 7 }, late = { .duration = SOON_S(3) };
	soon_ns start = soon_now();
	ssize_t rc;
	SOON_GROUP(g, .policy = SOON_FIRST_OK);

	cr_assert_eq(soon_spawn(&g, play, &fails), 0);
	cr_assert_eq(soon_spawn(&g, play, &late), 0);
	cr_assert_eq(soon_spawn(&g, play, &wins), 0);
	rc = soon_sleep(SOON_NEVER);
	cr_assert_eq(rc, -ECANCELED);
	cr_assert_str_eq(soon_cancel_reason().why, "another task succeeded");
	cr_assert_eq(soon_group_close(&g, rc), 7);
	cr_assert_eq(late.saw, -ECANCELED);
	cr_assert_eq(soon_now() - start, SOON_S(2));
}

FAKE_TEST(first_ok, all_failed_gives_the_first_failure)
{
	struct part a = { .duration = SOON_S(2), .rc = -EIO },
		    b = { .duration = SOON_S(1), .rc = -EPIPE };
	SOON_GROUP(g, .policy = SOON_FIRST_OK);

	cr_assert_eq(soon_spawn(&g, play, &a), 0);
	cr_assert_eq(soon_spawn(&g, play, &b), 0);
	cr_assert_eq(soon_group_close(&g, 0), -EPIPE);
	cr_assert_eq(soon_group_failures(&g, NULL, 0), 2);
}

FAKE_TEST(first_ok, two_at_once_the_first_in_order_wins)
{
	struct part a = { .rc = 1 }, b = { .rc = 2 };
	SOON_GROUP(g, .policy = SOON_FIRST_OK);

	cr_assert_eq(soon_spawn(&g, play, &a), 0);
	cr_assert_eq(soon_spawn(&g, play, &b), 0);
	cr_assert_eq(soon_group_close(&g, 0), 1);
}

FAKE_TEST(first_ok, body_failure_leaves_the_others_their_chance)
{
	struct part wins = { .duration = SOON_S(1), .rc = 3 };
	SOON_GROUP(g, .policy = SOON_FIRST_OK);

	cr_assert_eq(soon_spawn(&g, play, &wins), 0);
	cr_assert_eq(soon_group_close(&g, -ENOMEM), 3);
}

FAKE_TEST(first_ok, success_beats_an_outer_cancel)
{
	struct part wins = { .duration = SOON_S(1), .rc = 3 };
	ssize_t rc;
	SOON_SCOPE(s);
	SOON_GROUP(g, .policy = SOON_FIRST_OK);

	cr_assert_eq(soon_spawn(&g, play, &wins), 0);
	rc = soon_sleep(SOON_NEVER);
	soon_scope_cancel(&s, "late");
	cr_assert_eq(soon_group_close(&g, rc), 3);
	cr_assert_eq(soon_scope_close(&s, 0), 0);
}

FAKE_TEST(first_ok, nobody_won_when_cancelled)
{
	struct part a = { .duration = SOON_S(1), .rc = 3 };
	ssize_t rc;
	SOON_SCOPE(s);
	SOON_GROUP(g, .policy = SOON_FIRST_OK);

	cr_assert_eq(soon_spawn(&g, play, &a), 0);
	soon_scope_cancel(&s, "early");
	rc = soon_group_close(&g, 0);
	cr_assert_eq(rc, -ECANCELED);
	cr_assert_eq(soon_scope_close(&s, rc), 0);
}

FAKE_TEST(first_ok, without_tasks_gives_the_body_s_result)
{
	SOON_GROUP(g, .policy = SOON_FIRST_OK);
	cr_assert_eq(soon_group_close(&g, 11), 11);
}

/* live_max. */

struct spawner {
	soon_group *group;
	struct part *part;
	int rc;
	soon_ns at;
};

static int spawn_it(struct spawner *self)
{
	self->rc = soon_spawn(self->group, play, self->part);
	self->at = soon_now();
	return 0;
}

FAKE_TEST(live_max, places_go_to_spawns_in_order)
{
	struct part parts[6];
	struct spawner spawners[6];
	soon_ns start = soon_now();
	SOON_GROUP(outer);
	SOON_GROUP(g, .live_max = 2);

	for (int i = 0; i < 6; i++) {
		parts[i] = (struct part){ .duration = SOON_S(1) };
		spawners[i] = (struct spawner){ &g, &parts[i], -1, 0 };
		cr_assert_eq(soon_spawn(&outer, spawn_it, &spawners[i]), 0);
	}
	cr_assert_eq(soon_yield(), 0);
	cr_assert_eq(soon_group_close(&g, 0), 0); /* it stays open for spawns that wait */
	for (int i = 0; i < 6; i++) {
		cr_assert_eq(spawners[i].rc, 0);
		cr_assert_eq(spawners[i].at - start, SOON_S(i / 2));
		cr_assert_eq(parts[i].saw, 0);
	}
	cr_assert_eq(soon_now() - start, SOON_S(3));
	cr_assert_eq(soon_group_close(&outer, 0), 0);
}

FAKE_TEST(live_max, cancelled_wait_leaves_the_argument)
{
	struct part runs = { .duration = SOON_S(2) }, never = { .saw = 1 };
	soon_ns start = soon_now();
	SOON_GROUP(g, .live_max = 1);

	cr_assert_eq(soon_spawn(&g, play, &runs), 0);
	cr_assert_eq(soon_within(SOON_S(1), soon_spawn(&g, play, &never)), -ETIMEDOUT);
	cr_assert_eq(soon_now() - start, SOON_S(1));
	cr_assert_eq(soon_group_close(&g, 0), 0);
	cr_assert_eq(never.saw, 1);
}

FAKE_TEST(live_max, spawn_is_a_cancellation_point_on_every_call)
{
	struct part part = { .saw = 1 };
	SOON_GROUP(g, .live_max = 5);
	SOON_SCOPE(s);

	soon_scope_cancel(&s, "now");
	cr_assert_eq(soon_spawn(&g, play, &part), -ECANCELED);
	cr_assert_eq(soon_scope_close(&s, 0), 0);
	cr_assert_eq(soon_group_close(&g, 0), 0);
	cr_assert_eq(part.saw, 1);
}

FAKE_TEST(live_max, place_given_to_a_cancelled_spawn_is_taken)
{
	struct part first = { .duration = SOON_S(1) }, second = { .duration = SOON_S(1) };
	struct spawner spawner = { NULL, &second, -1, 0 };
	SOON_GROUP(outer);
	SOON_GROUP(g, .live_max = 1);

	spawner.group = &g;
	cr_assert_eq(soon_spawn(&g, play, &first), 0);
	cr_assert_eq(soon_spawn(&outer, spawn_it, &spawner), 0);
	/* Wakes at the same moment as the place is given, and cancels: completion wins. */
	cr_assert_eq(soon_sleep(SOON_S(1)), 0);
	cr_assert_eq(soon_yield(), 0);
	soon_group_cancel(&outer, "late");
	cr_assert_eq(soon_group_close(&g, 0), -ECANCELED);
	cr_assert_eq(spawner.rc, 0);
	cr_assert_eq(soon_group_close(&outer, 0), 0);
}

/* A callback on the core's own stack cannot wait. */
static soon_group *full;
static int callback_rc;

static void spawn_in_callback(soon_callback *self)
{
	static struct part part;

	(void)self;
	callback_rc = soon_spawn(full, play, &part);
}

FAKE_TEST(live_max, callback_gets_eagain)
{
	static soon_callback callback = { .fn = spawn_in_callback };
	struct part part = { .duration = SOON_S(1) };
	SOON_GROUP(g, .live_max = 1);

	full = &g;
	cr_assert_eq(soon_spawn(&g, play, &part), 0);
	cr_assert_eq(soon_post(soon_core_self(), &callback), 0);
	cr_assert_eq(soon_sleep(SOON_MS(1)), 0);
	cr_assert_eq(callback_rc, -EAGAIN);
	cr_assert_eq(soon_group_close(&g, 0), 0);
}

/* Deferred calls. */

static struct trace trace;

static int deferred(int letter)
{
	trace_add(&trace, (char)letter);
	return letter == 'x' ? -EIO : 0;
}

static int note_end(int letter)
{
	int rc = soon_sleep(SOON_NEVER);

	trace_add(&trace, (char)letter);
	return rc;
}

FAKE_TEST(defer, in_order_and_before_the_cancel)
{
	SOON_GROUP(g);

	cr_assert_eq(soon_group_defer(&g, deferred, 'a'), 0);
	cr_assert_eq(soon_group_defer(&g, deferred, 'b'), 0);
	cr_assert_eq(soon_spawn(&g, note_end, 'c'), 0);
	cr_assert_eq(soon_yield(), 0);
	cr_assert_eq(soon_group_close(&g, -EIO), -EIO);
	cr_assert_str_eq(trace.text, "abc");
	cr_assert_eq(soon_group_defer(&g, deferred, 'd'), -ESHUTDOWN);
}

static soon_group *deferring;

static int defer_more(int letter)
{
	trace_add(&trace, (char)letter);
	return soon_group_defer(deferring, deferred, letter + 1);
}

FAKE_TEST(defer, deferred_call_may_defer)
{
	SOON_GROUP(g);

	deferring = &g;
	cr_assert_eq(soon_group_defer(&g, defer_more, 'a'), 0);
	cr_assert_eq(soon_group_close(&g, 0), 0);
	cr_assert_str_eq(trace.text, "ab");
}

FAKE_TEST(defer, failure_is_reported_and_the_rest_is_done)
{
	SOON_GROUP(g);

	cr_assert_eq(soon_group_defer(&g, deferred, 'x'), 0);
	cr_assert_eq(soon_group_defer(&g, deferred, 'y'), 0);
	cr_assert_eq(soon_group_close(&g, 3), 3);
	cr_assert_str_eq(trace.text, "xy");
	soon_test_reports_expected = 1;
}

static void leave(void)
{
	SOON_GROUP(g);

	cr_assert_eq(soon_group_defer(&g, deferred, 'a'), 0);
	cr_assert_eq(soon_spawn(&g, note_end, 'b'), 0);
	cr_assert_eq(soon_yield(), 0);
}

FAKE_TEST(defer, also_when_the_group_is_left)
{
	leave();
	cr_assert_str_eq(trace.text, "ab");
	soon_test_reports_expected = 1;
}

FAKE_TEST(defer, without_memory_nothing_is_deferred)
{
	SOON_GROUP(g);

	soon_mem_fail_at(1);
	cr_assert_eq(soon_group_defer(&g, deferred, 'a'), -ENOMEM);
	cr_assert_eq(soon_group_close(&g, 0), 0);
	cr_assert_str_eq(trace.text, "");
}

/* Watching. */

FAKE_TEST(watch, close_waits_and_takes_the_failure)
{
	struct part part = { .duration = SOON_S(2), .rc = -EIO };
	soon_task *task;
	soon_ns start = soon_now();
	SOON_GROUP(home, .policy = SOON_WAIT_ALL);
	SOON_GROUP(g);

	cr_assert_eq(
		soon_spawn_with(&home, &(soon_task_opts){ .ret_task = &task }, play, &part), 0);
	cr_assert_eq(soon_group_watch(&g, task), 0);
	cr_assert_eq(soon_group_watch(&g, task), -EALREADY);
	cr_assert_eq(soon_group_close(&g, 0), -EIO);
	cr_assert_eq(soon_now() - start, SOON_S(2));
	cr_assert_eq(soon_group_close(&home, 0), -EIO);
}

FAKE_TEST(watch, group_never_cancels_the_watched)
{
	struct part watched = { .duration = SOON_S(5) },
		    fails = { .duration = SOON_S(1), .rc = -EIO };
	soon_task *task;
	soon_ns start = soon_now();
	SOON_GROUP(home);
	SOON_GROUP(g);

	cr_assert_eq(
		soon_spawn_with(&home, &(soon_task_opts){ .ret_task = &task }, play, &watched), 0);
	cr_assert_eq(soon_spawn(&g, play, &fails), 0);
	cr_assert_eq(soon_group_watch(&g, task), 0);
	cr_assert_eq(soon_group_close(&g, 0), -EIO);
	cr_assert_eq(soon_now() - start, SOON_S(5));
	cr_assert_eq(watched.saw, 0);
	cr_assert_eq(soon_group_close(&home, 0), 0);
}

FAKE_TEST(watch, forgotten_is_not_waited_for)
{
	struct part part = { .duration = SOON_S(5), .rc = -EIO };
	soon_task *task;
	soon_ns start = soon_now();
	SOON_GROUP(home, .policy = SOON_WAIT_ALL);
	SOON_GROUP(g);

	cr_assert_eq(
		soon_spawn_with(&home, &(soon_task_opts){ .ret_task = &task }, play, &part), 0);
	cr_assert_eq(soon_group_watch(&g, task), 0);
	cr_assert(soon_group_forget(&g, task));
	cr_assert_not(soon_group_forget(&g, task));
	cr_assert_eq(soon_group_close(&g, 0), 0);
	cr_assert_eq(soon_now(), start);
	cr_assert_eq(soon_group_close(&home, 0), -EIO);
}

FAKE_TEST(watch, ended_task_counts_at_once)
{
	struct part part = { .rc = -EIO };
	soon_task *task;
	SOON_GROUP(home, .policy = SOON_WAIT_ALL);
	SOON_GROUP(g);

	cr_assert_eq(
		soon_spawn_with(&home, &(soon_task_opts){ .ret_task = &task }, play, &part), 0);
	cr_assert_eq(soon_join(task, NULL), 0);
	cr_assert_eq(soon_group_watch(&g, task), 0);
	cr_assert_eq(soon_yield(), -ECANCELED); /* it failed fast */
	cr_assert_eq(soon_group_close(&g, 0), -EIO);
	cr_assert_eq(soon_group_close(&home, 0), -EIO);
}

FAKE_TEST(watch, refusals)
{
	struct part part = { .duration = SOON_S(1) };
	soon_task *child;
	SOON_GROUP(g);

	cr_assert_eq(soon_spawn_with(&g, &(soon_task_opts){ .ret_task = &child }, play, &part), 0);
	cr_assert_eq(soon_group_watch(&g, child), -EINVAL);
	cr_assert_eq(soon_group_watch(&g, soon_self()), -EDEADLK);
	cr_assert_eq(soon_group_watch(&g, SOON_TASK_NONE), 0);
	soon_test_reports_expected = 1;
	cr_assert_eq(soon_group_close(&g, 0), 0);
	cr_assert_eq(soon_group_watch(&g, SOON_TASK_NONE), -ESHUTDOWN);
}

FAKE_TEST(watch, without_memory_nothing_is_watched)
{
	struct part part = { .duration = SOON_S(1) };
	soon_task *task;
	SOON_GROUP(home);
	SOON_GROUP(g);

	cr_assert_eq(
		soon_spawn_with(&home, &(soon_task_opts){ .ret_task = &task }, play, &part), 0);
	soon_mem_fail_at(1);
	cr_assert_eq(soon_group_watch(&g, task), -ENOMEM);
	cr_assert_eq(soon_group_close(&g, 0), 0);
	cr_assert_eq(soon_group_close(&home, 0), 0);
}

/* Finding the group around one. */

static const char session_kind;
static soon_group *found;

static int look(void *unused)
{
	SOON_GROUP(inner);

	(void)unused;
	cr_assert_eq(soon_group_current(NULL), &inner);
	found = soon_group_current(&session_kind);
	return (int)soon_group_close(&inner, 0);
}

FAKE_TEST(current, is_found_through_tasks)
{
	SOON_GROUP(session, .kind = &session_kind);
	SOON_GROUP(g);

	cr_assert_eq(soon_spawn(&g, look, NULL), 0);
	cr_assert_eq(soon_group_close(&g, 0), 0);
	cr_assert_eq(found, &session);
	cr_assert_eq(soon_group_close(&session, 0), 0);
	cr_assert_null(soon_group_current(&session_kind));
}

/* What it ran in could not be closed, and who spawned there would not be waited for. */
FAKE_TEST(current, is_null_where_nobody_opened_one)
{
	cr_assert_null(soon_group_current(NULL));
}

SOON_TEST_PLAIN(current, is_null_outside_a_task)
{
	cr_assert_null(soon_group_current(NULL));
}
