// SPDX-License-Identifier: Apache-2.0
/*
 * Random trees of tasks under random orders: sleeps, operations that end in every way, timeouts,
 * shields, failures, cancels and drains, in groups inside groups. What must hold whatever happens
 * is checked at every step; and a run is a function of its seed.
 */
#include "fake_test.h"

#include <string.h>

#define TASKS_MAX 150u

struct world {
	uint64_t random;
	uint64_t hash; /* of all that happened, in order */
	unsigned spawned, begun, ended;
	unsigned cancelled, timed_out, failed;
};

static uint64_t random_below(struct world *w, uint64_t bound)
{
	w->random ^= w->random << 13;
	w->random ^= w->random >> 7;
	w->random ^= w->random << 17;
	return w->random % bound;
}

static soon_ns random_time(struct world *w)
{
	static const soon_ns units[] = { 1, SOON_US(50), SOON_MS(3), SOON_S(1) };

	return (soon_ns)random_below(w, 20) * units[random_below(w, 4)];
}

static void note(struct world *w, int64_t event)
{
	w->hash = (w->hash ^ (uint64_t)event) * UINT64_C(0x100000001b3);
}

/* -ECANCELED comes from nowhere but a cancelled scope. */
static ssize_t check(struct world *w, ssize_t rc)
{
	if (rc == -ECANCELED) {
		cr_assert(soon_cancelled());
		cr_assert_neq(soon_cancel_reason().source, SOON_CANCEL_NONE);
		cr_assert_eq(soon_deadline(), 0);
		w->cancelled++;
	}
	note(w, rc);
	return rc;
}

static ssize_t operate(struct world *w)
{
	static const enum fake_cancel kinds[] = {
		FAKE_CANCEL_DONE,
		FAKE_CANCEL_PENDING,
		FAKE_CANCEL_LATE,
		FAKE_CANCEL_IGNORED,
	};
	enum fake_cancel kind = kinds[random_below(w, 4)];
	bool was_cancelled = soon_cancelled();
	ssize_t expected = (ssize_t)random_below(w, 1000);
	ssize_t rc = fake_op(random_time(w), expected, kind);

	if (was_cancelled)
		cr_assert_eq(rc, -ECANCELED);
	else if (kind == FAKE_CANCEL_LATE || kind == FAKE_CANCEL_IGNORED)
		cr_assert_eq(rc, expected);
	else
		cr_assert(rc == expected || rc == -ECANCELED);
	return check(w, rc);
}

static ssize_t operate_within(struct world *w)
{
	bool was_cancelled = soon_cancelled();
	ssize_t rc = soon_within(random_time(w), operate(w));

	if (rc == -ETIMEDOUT) {
		cr_assert_not(was_cancelled);
		w->timed_out++;
	}
	return check(w, rc);
}

static ssize_t operate_shielded(struct world *w)
{
	ssize_t rc = soon_shielded(random_time(w) + 1, operate(w));

	/* Hidden from all others, it can only run out of its own time. */
	cr_assert_neq(rc, -ECANCELED);
	return check(w, rc);
}

static int live(struct world *w);

static ssize_t branch(struct world *w)
{
	soon_policy policy = random_below(w, 2) ? SOON_FAIL_FAST : SOON_WAIT_ALL;
	uint64_t ending = random_below(w, 6);
	ssize_t rc = 0;
	unsigned ended;
	SOON_GROUP(g, .policy = policy);

	for (uint64_t i = random_below(w, 4); i > 0 && w->spawned < TASKS_MAX; i--) {
		cr_assert_eq(soon_spawn(&g, live, w), 0);
		w->spawned++;
	}
	if (random_below(w, 2))
		rc = check(w, soon_sleep(random_time(w)));
	if (ending == 0)
		soon_group_cancel(&g, "the world");
	else if (ending == 1)
		soon_group_drain(&g, random_time(w));
	rc = soon_group_close(&g, rc);
	cr_assert_eq(soon_group_live(&g), 0);
	if (rc == -EIO)
		cr_assert_gt(soon_group_failures(&g, NULL, 0), 0);
	else
		cr_assert_eq(soon_group_failures(&g, NULL, 0), 0);
	ended = w->ended;
	if (soon_yield() == 0)
		cr_assert_geq(w->ended, ended);
	return check(w, rc);
}

static ssize_t idle(struct world *w)
{
	ssize_t rc = 0;

	SOON_IDLE {
		rc = check(w, soon_sleep(random_time(w)));
	}
	return rc;
}

static ssize_t step(struct world *w)
{
	switch (random_below(w, 8)) {
	case 0:
		return check(w, soon_yield());
	case 1:
		return check(w, soon_sleep(random_time(w)));
	case 2:
		return operate_within(w);
	case 3:
		return operate_shielded(w);
	case 4:
	case 5:
		return branch(w);
	case 6:
		return idle(w);
	default:
		return operate(w);
	}
}

/* A task: some steps, whatever comes of them, and sometimes a failure. */
static int live(struct world *w)
{
	ssize_t rc = 0;

	w->begun++;
	note(w, w->begun);
	for (uint64_t i = 1 + random_below(w, 5); i > 0; i--) {
		rc = step(w);
		if (rc == -ECANCELED && soon_cancelled() && random_below(w, 2))
			break;
	}
	w->ended++;
	note(w, -(int64_t)w->ended);
	if (random_below(w, 10) == 0) {
		w->failed++;
		return soon_fail(-EIO, "failure %u", w->failed);
	}
	return rc == -ECANCELED && soon_cancelled() ? -ECANCELED : 0;
}

static int begin(struct world *w)
{
	w->spawned = 1;
	while (w->spawned < TASKS_MAX / 2)
		if (branch(w) == -EIO)
			note(w, 1);
	return 0;
}

static struct world run(uint64_t seed)
{
	struct world w = { .random = seed * UINT64_C(0x9e3779b97f4a7c15) + 1 };
	/* Who takes no notice of a cancel is part of the world, and not to be reported. */
	const soon_opts run = { .grace = SOON_NEVER };
	const struct fake_opts opts = { .run = &run, .seed = seed };

	cr_assert_eq(FAKE_RUN(&opts, begin, &w), 0, "seed %ju", (uintmax_t)seed);
	cr_assert_eq(w.begun, w.spawned - 1, "seed %ju", (uintmax_t)seed);
	cr_assert_eq(w.ended, w.begun, "seed %ju", (uintmax_t)seed);
	return w;
}

SOON_TEST_PLAIN(shuffle, invariants_hold_under_a_thousand_orders)
{
	struct world sum = { 0 };

	for (uint64_t seed = 1; seed <= SEEDS; seed++) {
		struct world w = run(seed);

		sum.cancelled += w.cancelled;
		sum.timed_out += w.timed_out;
		sum.failed += w.failed;
	}
	/* Or the worlds are too peaceful to show anything. */
	cr_assert_gt(sum.cancelled, SEEDS);
	cr_assert_gt(sum.timed_out, SEEDS);
	cr_assert_gt(sum.failed, SEEDS);
}

SOON_TEST_PLAIN(shuffle, run_is_a_function_of_its_seed)
{
	unsigned distinct = 0;

	for (uint64_t seed = 1; seed <= 50; seed++) {
		uint64_t first = run(seed).hash;

		cr_assert_eq(run(seed).hash, first, "seed %ju", (uintmax_t)seed);
		distinct += run(seed + 1).hash != first;
	}
	cr_assert_eq(distinct, 50);
}

struct late_joiner {
	soon_task *target;
	int rc;
};

static int end_with(int rc)
{
	return soon_yield() < 0 ? -1 : rc;
}

static int join_late(struct late_joiner *joiner)
{
	return soon_join(joiner->target, &joiner->rc);
}

/* The target's group may be closed, and its stack used again, before the joiner gets to run. */
static int join_and_close(void *unused)
{
	struct late_joiner joiner = { 0 };
	int rc;
	SOON_GROUP(outer);

	(void)unused;
	{
		soon_task_opts opts = { .ret_task = &joiner.target };
		SOON_GROUP(inner);

		cr_assert_eq(soon_spawn_with(&inner, &opts, end_with, 42), 0);
		cr_assert_eq(soon_spawn(&outer, join_late, &joiner), 0);
		cr_assert_eq(soon_group_close(&inner, 0), 0);
	}
	cr_assert_eq(soon_spawn(&outer, end_with, 7), 0);
	rc = (int)soon_group_close(&outer, 0);
	cr_assert_eq(joiner.rc, 42);
	return rc;
}

SOON_TEST_PLAIN(shuffle, joiner_that_runs_after_the_close_gets_the_result)
{
	for (uint64_t seed = 1; seed <= 64; seed++)
		cr_assert_eq(
			FAKE_RUN(&(struct fake_opts){ .seed = seed }, join_and_close, NULL), 0);
}
