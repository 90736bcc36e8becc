// SPDX-License-Identifier: Apache-2.0
/* Who runs when: order, passes, and that nothing starves. */
#include "sched.h"

#include "fake_test.h"

struct actor {
	struct trace *trace;
	char letter;
	int rounds;
};

static int act(struct actor *self)
{
	for (int i = 0; i < self->rounds; i++) {
		trace_add(self->trace, self->letter);
		int rc = soon_yield();

		if (rc < 0)
			return rc;
	}
	return 0;
}

FAKE_TEST(sched, tasks_start_in_order_of_spawn_and_never_inside_it)
{
	struct trace trace = { 0 };
	struct actor actors[] = { { &trace, 'a', 1 }, { &trace, 'b', 1 }, { &trace, 'c', 1 } };
	SOON_GROUP(g);

	for (int i = 0; i < 3; i++) {
		cr_assert_eq(soon_spawn(&g, act, &actors[i]), 0);
		cr_assert_eq(trace.len, 0);
	}
	cr_assert_eq(soon_group_close(&g, 0), 0);
	cr_assert_str_eq(trace.text, "abc");
}

FAKE_TEST(sched, yields_go_round)
{
	struct trace trace = { 0 };
	struct actor actors[] = { { &trace, 'a', 3 }, { &trace, 'b', 2 }, { &trace, 'c', 3 } };
	SOON_GROUP(g);

	for (int i = 0; i < 3; i++)
		cr_assert_eq(soon_spawn(&g, act, &actors[i]), 0);
	cr_assert_eq(soon_group_close(&g, 0), 0);
	cr_assert_str_eq(trace.text, "abcabcac");
}

struct spawner {
	soon_group *group;
	struct trace *trace;
	struct actor late;
};

static int spawn_late(struct spawner *self)
{
	trace_add(self->trace, 's');
	return soon_spawn(self->group, act, &self->late);
}

/* What becomes ready in a pass runs in the next one, after all who were ready before. */
FAKE_TEST(sched, pass_runs_what_was_ready_at_its_start)
{
	struct trace trace = { 0 };
	struct actor a = { &trace, 'a', 2 };
	SOON_GROUP(g);
	struct spawner s = { &g, &trace, { &trace, 'l', 1 } };

	cr_assert_eq(soon_spawn(&g, spawn_late, &s), 0);
	cr_assert_eq(soon_spawn(&g, act, &a), 0);
	cr_assert_eq(soon_group_close(&g, 0), 0);
	cr_assert_str_eq(trace.text, "sala");
}

struct spinner {
	bool *is_over;
	uint64_t turns;
};

static int spin(struct spinner *self)
{
	while (!*self->is_over) {
		self->turns++;
		int rc = soon_yield();

		if (rc < 0)
			return rc;
	}
	return 0;
}

/* Two tasks that are always ready keep neither I/O nor posts from being looked at. */
FAKE_TEST(sched, yielders_do_not_starve_io)
{
	bool is_over = false;
	struct spinner a = { &is_over, 0 }, b = { &is_over, 0 };
	SOON_GROUP(g);

	cr_assert_eq(soon_spawn(&g, spin, &a), 0);
	cr_assert_eq(soon_spawn(&g, spin, &b), 0);
	for (int i = 0; i < 100; i++)
		cr_assert_eq(fake_op(0, i, FAKE_CANCEL_DONE), i);
	is_over = true;
	cr_assert_eq(soon_group_close(&g, 0), 0);
	cr_assert_leq(a.turns, b.turns + 1);
	cr_assert_leq(b.turns, a.turns + 1);
	cr_assert_lt(a.turns, 100 * 64);
}

struct posted {
	soon_callback callback;
	bool is_done;
};

static void on_posted(soon_callback *callback)
{
	SOON_CONTAINER_OF(callback, struct posted, callback)->is_done = true;
}

FAKE_TEST(sched, yielders_do_not_starve_posts)
{
	struct posted posted = { .callback = { .fn = on_posted } };
	uint64_t turns = 0;

	cr_assert_eq(soon_post(soon_core_self(), &posted.callback), 0);
	while (!posted.is_done) {
		cr_assert_lt(turns++, 1000);
		cr_assert_eq(soon_yield(), 0);
	}
}

struct reposter {
	soon_callback callback;
	uint64_t runs;
	bool is_asked_to_end, is_over;
};

static void post_again(soon_callback *callback)
{
	struct reposter *self = SOON_CONTAINER_OF(callback, struct reposter, callback);

	self->runs++;
	self->is_over = self->is_asked_to_end;
	if (!self->is_over)
		cr_assert_eq(soon_post(soon_core_self(), callback), 0);
}

/* A callback that posts itself for ever leaves tasks their turns, and time its way. */
FAKE_TEST(sched, posts_do_not_starve_tasks)
{
	struct reposter poster = { .callback = { .fn = post_again } };

	cr_assert_eq(soon_post(soon_core_self(), &poster.callback), 0);
	for (int i = 0; i < 1000; i++)
		cr_assert_eq(soon_yield(), 0);
	cr_assert_leq(poster.runs, 1001);
	poster.is_asked_to_end = true;
	while (!poster.is_over)
		cr_assert_eq(soon_yield(), 0);
}

static int compute(struct spinner *self)
{
	while (!*self->is_over) {
		self->turns++;
		int rc = soon_checkpoint();

		if (rc < 0)
			return rc;
	}
	return 0;
}

/* A task whose calls never have to wait gives way all the same, after a bounded number of them. */
FAKE_TEST(sched, inline_calls_have_a_budget)
{
	bool is_over = false;
	struct spinner a = { &is_over, 0 };
	uint64_t before;
	SOON_GROUP(g);

	cr_assert_eq(soon_spawn(&g, compute, &a), 0);
	cr_assert_eq(soon_yield(), 0);
	cr_assert_gt(a.turns, 1);
	before = a.turns;
	cr_assert_eq(soon_yield(), 0);
	cr_assert_gt(a.turns, before);
	cr_assert_leq(a.turns - before, 1024);
	is_over = true;
	cr_assert_eq(soon_group_close(&g, 0), 0);
}

FAKE_TEST(sched, idle_core_sleeps_once_per_event)
{
	struct fake_counts before = fake_counts();

	cr_assert_eq(soon_sleep(SOON_S(3600)), 0);
	cr_assert_leq(fake_counts().sleeps - before.sleeps, 2);
}

static int nothing(void *unused)
{
	(void)unused;
	return 0;
}

/* It may look after the stacks that the burst left, but not for ever. */
FAKE_TEST(sched, core_sleeps_well_after_a_burst)
{
	struct fake_counts before;
	SOON_GROUP(g);

	for (int i = 0; i < 2000; i++)
		cr_assert_eq(soon_spawn(&g, nothing, NULL), 0);
	cr_assert_eq(soon_group_close(&g, 0), 0);
	before = fake_counts();
	cr_assert_eq(soon_sleep(SOON_S(3600)), 0);
	cr_assert_leq(fake_counts().sleeps - before.sleeps, 4);
}

FAKE_TEST(sched, sleeps_are_exact)
{
	soon_ns start = soon_now();

	cr_assert_eq(soon_sleep(SOON_MS(5)), 0);
	cr_assert_eq(soon_now() - start, SOON_MS(5));
	cr_assert_eq(soon_sleep(0), 0);
	cr_assert_eq(soon_sleep(-7), 0);
	cr_assert_eq(soon_sleep_until(start), 0);
	cr_assert_eq(soon_now() - start, SOON_MS(5));
	cr_assert_eq(soon_sleep_until(start + SOON_MS(5) + 1), 0);
	cr_assert_eq(soon_now() - start, SOON_MS(5) + 1);
}

struct sleeper {
	struct trace *trace;
	soon_ns until;
	char letter;
};

static int sleep_and_say(struct sleeper *self)
{
	int rc = soon_sleep_until(self->until);

	trace_add(self->trace, self->letter);
	return rc;
}

FAKE_TEST(sched, many_sleepers_keep_the_order_to_the_nanosecond)
{
	static const int offsets[] = { 40, 10, 30, 20, 10 };
	struct trace trace = { 0 };
	struct sleeper sleepers[5];
	soon_ns base = soon_now() + SOON_S(5);
	SOON_GROUP(g);

	for (int i = 0; i < 5; i++) {
		sleepers[i] = (struct sleeper){ &trace, base + offsets[i], (char)('a' + i) };
		cr_assert_eq(soon_spawn(&g, sleep_and_say, &sleepers[i]), 0);
	}
	cr_assert_eq(soon_group_close(&g, 0), 0);
	cr_assert_str_eq(trace.text, "bedca");
	cr_assert_eq(soon_now(), base + 40);
}
