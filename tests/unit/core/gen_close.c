// SPDX-License-Identifier: Apache-2.0
/* The close of generators, several tasks at one, and all of it in a thousand orders. */
#include <soon/gen.h>
#include <soon/mem.h>

#include "fake_test.h"

SOON_GEN(count_to, int, int last)
{
	for (int i = 1; i <= last; i++) {
		int rc = soon_emit(&i);

		if (rc < 0)
			return rc;
	}
	return 0;
}

SOON_GEN(slow, int, soon_ns pause)
{
	for (int i = 0;; i++) {
		int rc = soon_sleep(pause);

		if (rc < 0)
			return rc;
		rc = soon_emit(&i);
		if (rc < 0)
			return rc;
	}
}

struct closing {
	struct trace *trace;
	char letter;
	int rc_emit;
	int rc_sleep;
	int result;
	soon_cancel_source source;
};

SOON_GEN(closed, int, struct closing *c)
{
	int n = 0;

	do {
		c->rc_emit = soon_emit(&n);
		n++;
	} while (c->rc_emit == 0);
	c->rc_sleep = soon_sleep(SOON_S(1));
	c->source = soon_cancel_reason().source;
	if (c->trace)
		trace_add(c->trace, c->letter);
	return c->result;
}

FAKE_TEST(gen_close, close_resumes_the_body_with_everything_failing)
{
	soon_ns start = soon_now();
	struct closing c = { .result = -ECANCELED };
	closed_iter it;

	cr_assert_eq(soon_gen_open(it, closed, &c), 0);
	cr_assert_eq(soon_next(it, NULL), 1);
	cr_assert_eq(soon_gen_close(it), 0);
	cr_assert_eq(c.rc_emit, -ECANCELED);
	cr_assert_eq(c.rc_sleep, -ECANCELED);
	cr_assert_eq(c.source, SOON_CANCEL_PARENT_EXIT);
	cr_assert_eq(soon_now(), start);
}

FAKE_TEST(gen_close, close_gives_the_bodys_failure)
{
	struct closing fails = { .result = -EIO }, succeeds = { .result = 7 };
	closed_iter it;

	cr_assert_eq(soon_gen_open(it, closed, &fails), 0);
	cr_assert_eq(soon_next(it, NULL), 1);
	cr_assert_eq(soon_gen_close(it), -EIO);
	cr_assert_eq(soon_gen_close(it), 0);
	cr_assert_eq(soon_gen_open(it, closed, &succeeds), 0);
	cr_assert_eq(soon_next(it, NULL), 1);
	cr_assert_eq(soon_gen_close(it), 0);
}

FAKE_TEST(gen_close, never_advanced_does_not_run_its_body)
{
	struct closing c = { .rc_emit = 1, .result = -EIO };
	closed_iter it;

	cr_assert_eq(soon_gen_open(it, closed, &c), 0);
	cr_assert_eq(soon_gen_close(it), 0);
	cr_assert_eq(c.rc_emit, 1);
	{
		SOON_ITER(other, closed, &c);
	}
	cr_assert_eq(c.rc_emit, 1);
}

FAKE_TEST(gen_close, closes_in_a_cancelled_scope)
{
	struct closing c = { .result = -ECANCELED };
	closed_iter it;
	SOON_SCOPE(s);

	cr_assert_eq(soon_gen_open(it, closed, &c), 0);
	cr_assert_eq(soon_next(it, NULL), 1);
	soon_scope_cancel(&s, "enough");
	cr_assert_eq(soon_gen_close(it), 0);
	cr_assert_eq(c.rc_emit, -ECANCELED);
	cr_assert_eq(soon_scope_close(&s, -ECANCELED), 0);
}

SOON_GEN(tidy, int, soon_ns *ret_done_at)
{
	int n = 0, rc = soon_emit(&n);

	(void)!soon_shielded(SOON_S(2), soon_sleep(SOON_S(1)));
	*ret_done_at = soon_now();
	return rc;
}

FAKE_TEST(gen_close, close_waits_for_shielded_clean_up)
{
	soon_ns start = soon_now(), done_at = 0;
	tidy_iter it;

	cr_assert_eq(soon_gen_open(it, tidy, &done_at), 0);
	cr_assert_eq(soon_next(it, NULL), 1);
	cr_assert_eq(soon_within(SOON_MS(1), soon_gen_close(it)), 0);
	cr_assert_eq(done_at, start + SOON_S(1));
	cr_assert_eq(soon_now(), start + SOON_S(1));
}

FAKE_TEST(gen_close, iterators_close_in_reverse_order)
{
	struct trace trace = { .len = 0 };
	struct closing a = { .trace = &trace, .letter = 'a' };
	struct closing b = { .trace = &trace, .letter = 'b' };
	struct closing c = { .trace = &trace, .letter = 'c' };

	{
		SOON_ITER(first, closed, &a);
		SOON_ITER(second, closed, &b);
		SOON_ITER(third, closed, &c);

		cr_assert_eq(soon_next(second, NULL), 1);
		cr_assert_eq(soon_next(first, NULL), 1);
		cr_assert_eq(soon_next(third, NULL), 1);
	}
	cr_assert_str_eq(trace.text, "cba");
}

struct nest {
	struct trace *trace;
};

SOON_GEN(outer, int, struct nest *nest)
{
	struct closing c = { .trace = nest->trace, .letter = 'i' };
	int n, rc;
	SOON_ITER(it, closed, &c);

	while ((rc = soon_next(it, &n)) > 0) {
		rc = soon_emit(&n);
		if (rc < 0)
			break;
	}
	trace_add(nest->trace, 'o');
	return rc;
}

FAKE_TEST(gen_close, inner_generator_of_a_closed_one_closes_within_it)
{
	struct trace trace = { .len = 0 };

	{
		struct nest nest = { .trace = &trace };
		SOON_ITER(it, outer, &nest);

		cr_assert_eq(soon_next(it, NULL), 1);
	}
	cr_assert_str_eq(trace.text, "oi");
}

/* Several tasks. */

static int take_two(count_to_iter *it)
{
	int sum = 0, n;

	for (int i = 0; i < 2; i++) {
		cr_assert_eq(soon_next(*it, &n), 1);
		sum += n;
		cr_assert_eq(soon_yield(), 0);
	}
	return sum;
}

FAKE_TEST(gen_close, several_tasks_may_take_turns)
{
	soon_task *tasks[3];
	int sum = 0;
	SOON_ITER(it, count_to, 6);
	SOON_GROUP(g);

	for (int i = 0; i < 3; i++) {
		soon_task_opts opts = { .ret_task = &tasks[i] };

		cr_assert_eq(soon_spawn_with(&g, &opts, take_two, &it), 0);
	}
	for (int i = 0; i < 3; i++) {
		int rc;

		cr_assert_eq(soon_join(tasks[i], &rc), 0);
		sum += rc;
	}
	cr_assert_eq(sum, 1 + 2 + 3 + 4 + 5 + 6);
	cr_assert_eq(soon_group_close(&g, 0), 0);
}

static int close_it(count_to_iter *it)
{
	return soon_gen_close(*it);
}

FAKE_TEST(gen_close, another_task_may_close)
{
	SOON_ITER(it, count_to, 6);
	SOON_GROUP(g);

	cr_assert_eq(soon_next(it, NULL), 1);
	cr_assert_eq(soon_spawn(&g, close_it, &it), 0);
	cr_assert_eq(soon_group_close(&g, 0), 0);
	cr_assert_eq(soon_next(it, NULL), -ESHUTDOWN);
}

/* A body among the other facilities of tasks. */

struct inside {
	soon_group *group;
	int ended;
};

static int child_ended(struct inside *inside)
{
	inside->ended++;
	return 0;
}

SOON_GEN(spawner, int, struct inside *inside)
{
	int n = 0, rc = 0;

	while (rc == 0) {
		cr_assert_eq(soon_group_current(NULL), inside->group, "not its own home");
		rc = soon_spawn(soon_group_current(NULL), child_ended, inside);
		if (rc == 0)
			rc = soon_emit(&n);
		n++;
	}
	return rc;
}

FAKE_TEST(gen_close, body_spawns_into_the_consumers_group)
{
	struct inside inside = { 0 };
	SOON_GROUP(g);
	SOON_ITER(it, spawner, &inside);

	inside.group = &g;
	cr_assert_eq(soon_next(it, NULL), 1);
	cr_assert_eq(soon_next(it, NULL), 1);
	cr_assert_eq(soon_group_close(&g, 0), 0);
	cr_assert_eq(inside.ended, 2);
}

SOON_GEN(self_cancelling, int, int *ret_rc)
{
	int n = 0, rc = soon_emit(&n);

	cr_assert_eq(rc, 0);
	soon_task_cancel(soon_self(), "enough");
	*ret_rc = soon_sleep(SOON_S(1));
	return *ret_rc;
}

FAKE_TEST(gen_close, body_that_is_cancelled_alone_is_no_cancel_of_the_consumer)
{
	int rc = 0;
	SOON_ITER(it, self_cancelling, &rc);

	cr_assert_eq(soon_next(it, NULL), 1);
	cr_assert_eq(soon_next(it, NULL), -ESHUTDOWN);
	cr_assert_eq(rc, -ECANCELED);
	cr_assert_eq(soon_next(it, NULL), 0);
	cr_assert_eq(soon_sleep(1), 0);
}

SOON_GEN(cancelled_and_on, int, void *unused)
{
	int n = 0, rc;

	(void)unused;
	soon_task_cancel(soon_self(), "enough");
	do {
		n = soon_sleep(1);
		rc = soon_emit(&n);
	} while (rc == 0);
	return rc;
}

FAKE_TEST(gen_close, body_that_is_cancelled_alone_may_emit_all_the_same)
{
	int n;
	SOON_ITER(it, cancelled_and_on, NULL);
	SOON_ITER(other, slow, SOON_S(1));

	for (int i = 0; i < 2; i++) {
		cr_assert_eq(soon_within(SOON_NEVER, soon_next(it, &n)), 1);
		cr_assert_eq(n, -ECANCELED);
	}
	cr_assert_eq(soon_next(other, NULL), 1);
}

/* Each stack is given back: many more generators than there is room for at once. */
static int open_many(void *unused)
{
	(void)unused;
	for (int i = 0; i < 1000; i++) {
		int n, rc, count = 0;
		SOON_ITER(it, count_to, i % 4);

		while ((rc = soon_next(it, &n)) > 0)
			if (++count == 2)
				break;
		cr_assert_geq(rc, 0);
	}
	return 0;
}

SOON_TEST_PLAIN(gen_close, stacks_are_given_back)
{
	const soon_opts run = { .tasks_max = 16 };

	cr_assert_eq(FAKE_RUN(&(struct fake_opts){ .run = &run }, open_many, NULL), 0);
}

static int open_too_many(void *unused)
{
	count_to_iter its[64];
	int count = 0, rc;

	(void)unused;
	while ((rc = soon_gen_open(its[count], count_to, 1)) == 0)
		count++;
	cr_assert_eq(rc, -EAGAIN);
	{
		SOON_ITER(it, count_to, 1);

		cr_assert_eq(soon_next(it, NULL), -EAGAIN, "the first advance says why");
		cr_assert_eq(soon_next(it, NULL), 0);
		cr_assert_eq(soon_gen_close(it), 0);
	}
	while (count > 0)
		cr_assert_eq(soon_gen_close(its[--count]), 0);
	return 0;
}

SOON_TEST_PLAIN(gen_close, no_more_than_tasks_max)
{
	const soon_opts run = { .tasks_max = 16 };

	cr_assert_eq(FAKE_RUN(&(struct fake_opts){ .run = &run }, open_too_many, NULL), 0);
}

/* A thousand orders: consumers, deadlines and closes at random. */

struct fair {
	uint64_t random;
	unsigned items, timed_out, closed, ended;
};

static uint64_t below(struct fair *f, uint64_t bound)
{
	f->random ^= f->random << 13;
	f->random ^= f->random >> 7;
	f->random ^= f->random << 17;
	return f->random % bound;
}

SOON_GEN(random_items, unsigned, struct fair *f)
{
	uint64_t count = below(f, 8);
	int rc = 0;

	for (unsigned i = 0; i < count && rc >= 0; i++) {
		SOON_ITER(pace, slow, (soon_ns)below(f, 50));

		rc = soon_next(pace, NULL);
		if (rc > 0)
			rc = soon_emit(&i);
	}
	f->ended++;
	return rc == -ECANCELED ? rc : 0;
}

static int visit(struct fair *f)
{
	unsigned seen = 0, i;
	uint64_t enough = 1 + below(f, 8);
	ssize_t rc;
	random_items_iter it;

	cr_assert_eq(soon_gen_open(it, random_items, f), 0);
	while ((rc = soon_within((soon_ns)below(f, 100), soon_next(it, &i))) > 0) {
		cr_assert_eq(i, seen, "items in order, none lost or twice");
		f->items++;
		if (++seen == enough)
			break;
	}
	cr_assert(rc == 1 || rc == 0 || rc == -ETIMEDOUT || rc == -ECANCELED);
	if (rc == -ECANCELED)
		cr_assert(soon_cancelled());
	f->timed_out += rc == -ETIMEDOUT;
	f->closed += rc > 0;
	cr_assert_eq(soon_gen_close(it), 0);
	return 0;
}

static int fair(struct fair *f)
{
	SOON_GROUP(g);

	for (int i = 0; i < 10; i++)
		cr_assert_eq(soon_spawn(&g, visit, f), 0);
	cr_assert_eq(soon_sleep(60), 0);
	if (below(f, 2))
		soon_group_cancel(&g, "the fair is over");
	return (int)soon_group_close(&g, 0);
}

SOON_TEST_PLAIN(gen_close, holds_under_a_thousand_orders)
{
	struct fair sum = { 0 };

	for (uint64_t seed = 1; seed <= SEEDS; seed++) {
		struct fair f = { .random = seed * UINT64_C(0x9e3779b97f4a7c15) + 1 };

		cr_assert_eq(FAKE_RUN(&(struct fake_opts){ .seed = seed }, fair, &f), 0);
		sum.items += f.items;
		sum.timed_out += f.timed_out;
		sum.closed += f.closed;
		sum.ended += f.ended;
	}
	cr_assert_gt(sum.items, SEEDS);
	cr_assert_gt(sum.timed_out, SEEDS / 2);
	cr_assert_gt(sum.closed, SEEDS / 2);
	cr_assert_gt(sum.ended, SEEDS);
}

/* Memory. */

SOON_GEN(talkative, int, int fails)
{
	int n = 1, rc = soon_emit(&n);

	return rc == 0 && fails ? soon_fail(-EIO, "it failed") : rc;
}

static int use_memory(void *unused)
{
	int rc;
	SOON_ITER(it, talkative, 1);
	SOON_ITER(other, talkative, 1);

	(void)unused;
	rc = soon_next(it, NULL);
	if (rc == 1)
		rc = soon_next(other, NULL);
	return rc == 1 ? soon_next(it, NULL) : rc;
}

SOON_TEST_PLAIN(gen_close, every_allocation_may_fail)
{
	uint64_t k = 0, asked;
	int rc;

	do {
		k++;
		cr_assert_lt(k, 100);
		soon_mem_fail_at(k);
		asked = soon_mem_count();
		rc = FAKE_RUN(NULL, use_memory, NULL);
		asked = soon_mem_count() - asked;
		cr_assert(rc == -EIO || rc == -ENOMEM, "k %ju gave %d", (uintmax_t)k, rc);
	} while (asked >= k);
	soon_mem_fail_at(0);
	cr_assert_eq(rc, -EIO);
}
