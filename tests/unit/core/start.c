// SPDX-License-Identifier: Apache-2.0
/* Tasks that say when they are ready, and several calls at once. */
#include <soon/mem.h>
#include <soon/start.h>

#include "fake_test.h"

#include <string.h>

struct server {
	soon_ns prepare; /* until it is ready */
	soon_ns serve;   /* from then on */
	ssize_t value;
	int fail_before, fail_after; /* results, when not 0 */
	int ready_rc;
	int saw_before, saw_after;
	bool is_silent; /* never says it */
	bool has_scope; /* is inside a scope and a group of its own when it says it */
	soon_ns ended_at;
};

static int say_ready(struct server *self)
{
	if (!self->is_silent)
		self->ready_rc = soon_ready(self->value);
	return self->ready_rc;
}

static int serve_in_scopes(struct server *self)
{
	ssize_t rc;
	SOON_SCOPE(s);
	SOON_GROUP(g);

	rc = say_ready(self);
	if (rc == 0)
		rc = self->saw_after = soon_sleep(self->serve);
	rc = soon_group_close(&g, rc);
	return (int)soon_scope_close(&s, rc);
}

static int serve(struct server *self)
{
	int rc = self->saw_before = soon_sleep(self->prepare);

	if (rc == 0 && self->fail_before)
		return soon_fail(self->fail_before, "not up");
	if (self->has_scope) {
		rc = serve_in_scopes(self);
	} else {
		if (rc == 0)
			rc = say_ready(self);
		if (rc == 0)
			rc = self->saw_after = soon_sleep(self->serve);
	}
	self->ended_at = soon_now();
	return self->fail_after ? self->fail_after : rc;
}

FAKE_TEST(start, returns_the_value_when_ready)
{
	struct server server = { .prepare = SOON_S(2), .serve = SOON_S(5), .value = 8080 };
	soon_ns start = soon_now();
	SOON_GROUP(g);

	cr_assert_eq(soon_start(&g, serve, &server), 8080);
	cr_assert_eq(soon_now() - start, SOON_S(2));
	cr_assert_eq(soon_group_live(&g), 1);
	cr_assert_eq(soon_group_close(&g, 0), 0);
	cr_assert_eq(soon_now() - start, SOON_S(7));
}

FAKE_TEST(start, failure_before_ready_is_the_starter_s_alone)
{
	struct server server = { .prepare = SOON_S(2), .fail_before = -EADDRINUSE };
	SOON_GROUP(g);

	cr_assert_eq(soon_start(&g, serve, &server), -EADDRINUSE);
	cr_assert_str_eq(soon_fail_message(), "not up");
	cr_assert_eq(soon_yield(), 0); /* the group is not cancelled */
	cr_assert_eq(soon_group_close(&g, 0), 0);
	cr_assert_eq(soon_group_failures(&g, NULL, 0), 0);
}

FAKE_TEST(start, failure_after_ready_is_the_group_s)
{
	struct server server = { .serve = SOON_S(1), .fail_after = -EIO };
	SOON_GROUP(g);

	cr_assert_eq(soon_start(&g, serve, &server), 0);
	cr_assert_eq(soon_sleep(SOON_S(2)), -ECANCELED);
	cr_assert_eq(soon_group_close(&g, 0), -EIO);
}

FAKE_TEST(start, end_without_ready_is_eproto)
{
	struct server server = { .is_silent = true };
	SOON_GROUP(g);

	cr_assert_eq(soon_start(&g, serve, &server), -EPROTO);
	cr_assert_eq(soon_group_close(&g, 0), 0);
}

FAKE_TEST(start, cancelled_starter_waits_for_the_task)
{
	struct server server = { .prepare = SOON_S(9) };
	soon_ns start = soon_now();
	SOON_GROUP(g);

	cr_assert_eq(soon_within(SOON_S(1), soon_start(&g, serve, &server)), -ETIMEDOUT);
	cr_assert_eq(server.saw_before, -ECANCELED);
	cr_assert_eq(soon_now() - start, SOON_S(1));
	cr_assert_eq(soon_group_close(&g, 0), 0);
}

static int ready_in_spite(struct server *self)
{
	self->saw_before = soon_sleep(SOON_NEVER);
	self->ready_rc = soon_ready(5);
	self->saw_after = (int)soon_shielded(SOON_NEVER, soon_sleep(SOON_S(3)));
	return 0;
}

FAKE_TEST(start, ready_in_a_cancelled_start_does_not_move)
{
	struct server server = { .ready_rc = 1 };
	soon_ns start = soon_now();
	SOON_GROUP(g);

	cr_assert_eq(soon_within(SOON_S(1), soon_start(&g, ready_in_spite, &server)), -ETIMEDOUT);
	cr_assert_eq(server.ready_rc, 0);
	cr_assert_eq(soon_now() - start, SOON_S(4)); /* it stayed with the starter to its end */
	cr_assert_eq(soon_group_close(&g, 0), 0);
}

FAKE_TEST(start, cancelled_caller_starts_nothing)
{
	struct server server = { .saw_before = 1 };
	SOON_GROUP(g);
	SOON_SCOPE(s);

	soon_scope_cancel(&s, "now");
	cr_assert_eq(soon_start(&g, serve, &server), -ECANCELED);
	cr_assert_eq(soon_scope_close(&s, 0), 0);
	cr_assert_eq(server.saw_before, 1);
	cr_assert_eq(soon_group_close(&g, 0), 0);
	cr_assert_eq(soon_start(&g, serve, &server), -ESHUTDOWN);
	cr_assert_eq(server.saw_before, 1);
}

static int start_late(struct server *self)
{
	soon_group *g = soon_group_current(NULL);

	return (int)soon_start(g, serve, self);
}

/* The group's close waits for a start into it that somebody else has under way. */
FAKE_TEST(start, pending_start_keeps_the_group_open)
{
	struct server server = { .prepare = SOON_S(2), .serve = SOON_S(1) };
	soon_ns start = soon_now();
	SOON_GROUP(g);

	cr_assert_eq(soon_spawn(&g, start_late, &server), 0);
	cr_assert_eq(soon_group_close(&g, 0), 0);
	cr_assert_eq(soon_now() - start, SOON_S(3));
}

struct places {
	soon_group *before, *below, *after;
};

static int look_below(struct places *self)
{
	self->below = soon_group_current(&self->below);
	return 0;
}

static int look_around(struct places *self)
{
	ssize_t rc;
	SOON_GROUP(inner);

	rc = soon_spawn(&inner, look_below, self);
	rc = soon_group_close(&inner, rc);
	self->before = soon_group_current(NULL);
	if (rc == 0)
		rc = soon_ready(0);
	self->after = soon_group_current(NULL);
	return (int)rc;
}

/* Not its starter's frame, which it would be left with a pointer into. */
FAKE_TEST(start, finds_the_group_it_goes_to)
{
	struct places places = { 0 };
	SOON_GROUP(g, .kind = &places.below);
	SOON_GROUP(around_the_starter);

	cr_assert_eq(soon_start(&g, look_around, &places), 0);
	cr_assert_eq(soon_group_close(&around_the_starter, 0), 0);
	cr_assert_eq(soon_group_close(&g, 0), 0);
	cr_assert_eq(places.before, &g);
	cr_assert_eq(places.below, &g);
	cr_assert_eq(places.after, &g);
}

static int be_watched_then_fail(soon_group *group)
{
	int rc = soon_group_watch(group, soon_self());

	if (rc == 0)
		rc = soon_ready(0);
	return rc == 0 ? -EIO : rc;
}

FAKE_TEST(start, into_a_group_that_watches_it_fails_once)
{
	SOON_GROUP(g, .policy = SOON_WAIT_ALL);

	cr_assert_eq(soon_start(&g, be_watched_then_fail, &g), 0);
	cr_assert_eq(soon_group_close(&g, 0), -EIO);
	cr_assert_eq(soon_group_failures(&g, NULL, 0), 1);
}

FAKE_TEST(start, moves_with_what_it_has_opened)
{
	struct server server = { .serve = SOON_S(9), .has_scope = true };
	SOON_GROUP(g);

	/* The scope that the start was made in is no longer above it. */
	cr_assert_eq(soon_within(SOON_S(1), soon_start(&g, serve, &server)), 0);
	cr_assert_eq(soon_sleep(SOON_S(2)), 0);
	cr_assert_eq(server.saw_after, 0);
	soon_group_cancel(&g, "enough");
	cr_assert_eq(soon_group_close(&g, 0), 0);
	cr_assert_eq(server.saw_after, -ECANCELED);
}

static int ready_then_sleep_in_child(struct server *self)
{
	ssize_t rc;
	SOON_GROUP(inner);

	rc = soon_spawn(&inner, serve, self); /* sleeps when the move comes */
	if (rc == 0)
		rc = soon_yield();
	if (rc == 0)
		rc = soon_ready(0);
	return (int)soon_group_close(&inner, rc);
}

static int cancel_it(soon_group *group)
{
	soon_group_cancel(group, "before the move");
	return 0;
}

FAKE_TEST(start, moving_into_a_cancelled_group_wakes_it)
{
	struct server server = { .prepare = SOON_S(9) };
	soon_ns start = soon_now();
	SOON_GROUP(outer);
	SOON_GROUP(g);
	SOON_SCOPE(shield, .shield = true, .timeout = SOON_NEVER);

	cr_assert_eq(soon_spawn(&outer, cancel_it, &g), 0);
	cr_assert_eq(soon_yield(), 0);
	cr_assert_eq(soon_start(&g, ready_then_sleep_in_child, &server), 0);
	cr_assert_eq(soon_scope_close(&shield, 0), 0);
	cr_assert_eq(soon_group_close(&g, 0), 0);
	cr_assert_eq(server.saw_before, -ECANCELED);
	cr_assert_eq(soon_now(), start);
	cr_assert_eq(soon_group_close(&outer, 0), 0);
}

static int say_twice(void *unused)
{
	(void)unused;
	cr_assert_eq(soon_ready(-1), -EINVAL);
	cr_assert_eq(soon_ready(1), 0);
	cr_assert_eq(soon_ready(2), -EALREADY);
	return 0;
}

FAKE_TEST(start, ready_twice_is_reported)
{
	SOON_GROUP(g);

	cr_assert_eq(soon_start(&g, say_twice, NULL), 1);
	cr_assert_eq(soon_group_close(&g, 0), 0);
	soon_test_reports_expected = 1;
}

static int say_without_a_start(int *rc)
{
	*rc = soon_ready(1);
	return soon_ready(1);
}

FAKE_TEST(start, ready_without_a_start_does_nothing)
{
	int rc = -1;
	SOON_GROUP(g);

	cr_assert_eq(say_without_a_start(&rc), 0); /* called directly */
	cr_assert_eq(soon_spawn(&g, say_without_a_start, &rc), 0);
	cr_assert_eq(soon_group_close(&g, 0), 0);
	cr_assert_eq(rc, 0);
}

FAKE_TEST(start, takes_a_place_of_a_bounded_group)
{
	struct server a = { .serve = SOON_S(2), .value = 1 }, b = { .value = 2 };
	soon_ns start = soon_now();
	SOON_GROUP(g, .live_max = 1);

	cr_assert_eq(soon_start(&g, serve, &a), 1);
	cr_assert_eq(soon_start(&g, serve, &b), 2);
	cr_assert_eq(soon_now() - start, SOON_S(2));
	cr_assert_eq(soon_group_close(&g, 0), 0);
}

/* One restart: it says again that it is ready, and nobody minds. */
static int started_runs;

static int fail_once(void *unused)
{
	int rc = soon_ready(0);

	(void)unused;
	return rc < 0 || started_runs++ > 0 ? rc : -EIO;
}

FAKE_TEST(start, into_a_supervised_group)
{
	SOON_GROUP(g, .policy = SOON_SUPERVISE);

	cr_assert_eq(soon_start(&g, fail_once, NULL), 0);
	cr_assert_eq(soon_group_close(&g, 0), 0);
	cr_assert_eq(started_runs, 2);
}

FAKE_TEST(start, every_allocation_may_fail)
{
	struct server server = { .fail_before = -EIO };
	uint64_t k = 0, asked;

	do {
		ssize_t rc;
		SOON_GROUP(g);

		soon_mem_fail_at(++k);
		asked = soon_mem_count();
		rc = soon_start(&g, serve, &server);
		asked = soon_mem_count() - asked;
		cr_assert_eq(rc, -EIO);
		cr_assert_eq(soon_group_close(&g, 0), 0);
		cr_assert_lt(k, 20);
	} while (asked >= k);
	soon_mem_fail_at(0);
}

/* soon_all. */

struct job {
	soon_ns duration;
	int rc;
};

static int work_on(const struct job *job)
{
	int rc = soon_sleep(job->duration);

	return rc < 0 ? rc : job->rc;
}

FAKE_TEST(all, gives_each_result)
{
	const struct job a = { SOON_S(2), 5 }, b = { SOON_S(1), 6 };
	const soon_work work[] = { SOON_WORK(work_on, &a), SOON_WORK(work_on, &b) };
	soon_ns start = soon_now();
	int rcs[2];

	cr_assert_eq(soon_all(work, 2, NULL, rcs), 0);
	cr_assert_eq(rcs[0], 5);
	cr_assert_eq(rcs[1], 6);
	cr_assert_eq(soon_now() - start, SOON_S(2));
	cr_assert_eq(soon_all(work, 2, NULL, NULL), 0);
	cr_assert_eq(soon_all(work, 0, NULL, NULL), 0);
}

FAKE_TEST(all, first_failure_cancels_the_rest_by_default)
{
	const struct job a = { SOON_S(9), 5 }, b = { SOON_S(1), -EIO };
	const soon_work work[] = { SOON_WORK(work_on, &a), SOON_WORK(work_on, &b) };
	int rcs[2];

	cr_assert_eq(soon_all(work, 2, NULL, rcs), -EIO);
	cr_assert_eq(rcs[0], -ECANCELED);
	cr_assert_eq(rcs[1], -EIO);
}

FAKE_TEST(all, policies)
{
	const struct job a = { SOON_S(2), 5 }, b = { SOON_S(1), -EIO };
	const soon_work work[] = { SOON_WORK(work_on, &a), SOON_WORK(work_on, &b) };
	soon_all_opts opts = { .policy = SOON_WAIT_ALL };
	int rcs[2];

	cr_assert_eq(soon_all(work, 2, &opts, rcs), -EIO);
	cr_assert_eq(rcs[0], 5);
	opts.policy = SOON_FIRST_OK;
	cr_assert_eq(soon_all(work, 2, &opts, rcs), 5);
	opts.policy = SOON_SUPERVISE;
	cr_assert_eq(soon_all(work, 2, &opts, rcs), -EINVAL);
}

FAKE_TEST(all, timeout_and_few_at_a_time)
{
	const struct job a = { SOON_S(1), 1 };
	const soon_work work[] = { SOON_WORK(work_on, &a), SOON_WORK(work_on, &a),
		SOON_WORK(work_on, &a), SOON_WORK(work_on, &a) };
	soon_all_opts opts = { .timeout = SOON_MS(2500), .live_max = 1 };
	int rcs[4];

	cr_assert_eq(soon_all(work, 4, &opts, rcs), -ETIMEDOUT);
	cr_assert_eq(rcs[0], 1);
	cr_assert_eq(rcs[1], 1);
	cr_assert_eq(rcs[2], -ECANCELED);
	cr_assert_eq(rcs[3], -ECANCELED);
}

FAKE_TEST(all, without_memory_nothing_is_called)
{
	const struct job a = { 0, 1 };
	const soon_work work[] = { SOON_WORK(work_on, &a) };
	int rc = 1;

	soon_mem_fail_at(1);
	cr_assert_eq(soon_all(work, 1, NULL, &rc), -ENOMEM);
	cr_assert_eq(rc, -ECANCELED);
}

FAKE_TEST(all, too_many_for_the_core_cancels_those_that_were_made)
{
	enum { COUNT = 64 };
	static soon_work work[COUNT];
	static int rcs[COUNT];
	const struct job a = { SOON_NEVER, 1 };
	soon_task_opts opts = { 0 };

	(void)opts;
	for (int i = 0; i < COUNT; i++)
		work[i] = SOON_WORK(work_on, &a);
	soon_all_opts all = { .timeout = SOON_S(5) };
	cr_assert_eq(soon_all(work, COUNT, &all, rcs), -ETIMEDOUT);
	for (int i = 0; i < COUNT; i++)
		cr_assert_eq(rcs[i], -ECANCELED);
}
