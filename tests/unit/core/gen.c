// SPDX-License-Identifier: Apache-2.0
/* Generators: items, ends and failures; who runs when; and whose cancels reach the body. */
#include "gen.h"

#include <soon/gen.h>

#include "core.h"
#include "fake_test.h"

#include <string.h>

SOON_GEN(count_to, int, int last)
{
	for (int i = 1; i <= last; i++) {
		int rc = soon_emit(&i);

		if (rc < 0)
			return rc;
	}
	return 0;
}

FAKE_TEST(gen, gives_items_then_the_end_for_ever)
{
	int n = -1;
	SOON_ITER(it, count_to, 3);

	for (int i = 1; i <= 3; i++) {
		cr_assert_eq(soon_next(it, &n), 1);
		cr_assert_eq(n, i);
	}
	for (int i = 0; i < 3; i++)
		cr_assert_eq(soon_next(it, &n), 0);
	cr_assert_eq(n, 3, "the end leaves the item alone");
	cr_assert_eq(soon_gen_close(it), 0);
}

FAKE_TEST(gen, item_may_be_skipped)
{
	int n;
	SOON_ITER(it, count_to, 3);

	cr_assert_eq(soon_next(it, NULL), 1);
	cr_assert_eq(soon_next(it, &n), 1);
	cr_assert_eq(n, 2);
}

FAKE_TEST(gen, of_nothing_ends_at_once)
{
	SOON_ITER(it, count_to, 0);

	cr_assert_eq(soon_next(it, NULL), 0);
	cr_assert_eq(soon_next(it, NULL), 0);
}

SOON_GEN(fail_after, long, int items)
{
	for (long i = 0; i < items; i++) {
		int rc = soon_emit(&i);

		if (rc < 0)
			return rc;
	}
	return soon_fail(-EIO, "after %d", items);
}

FAKE_TEST(gen, failure_of_the_body_comes_once_with_its_message)
{
	long n;
	SOON_ITER(it, fail_after, 1);

	(void)!soon_fail(-EPIPE, "an older one");
	cr_assert_eq(soon_next(it, &n), 1);
	cr_assert_eq(soon_next(it, &n), -EIO);
	cr_assert_str_eq(soon_fail_message(), "after 1");
	cr_assert_eq(soon_next(it, &n), 0);
	cr_assert_eq(soon_next(it, &n), 0);
	cr_assert_eq(soon_gen_close(it), 0, "it was told already");
}

static int consume_failing(void *unused)
{
	int rc;
	SOON_ITER(it, fail_after, 0);

	(void)unused;
	rc = soon_next(it, NULL);
	return rc;
}

FAKE_TEST(gen, message_goes_on_to_the_group)
{
	soon_failure failure;
	SOON_GROUP(g);

	cr_assert_eq(soon_spawn(&g, consume_failing, NULL), 0);
	cr_assert_eq(soon_group_close(&g, 0), -EIO);
	cr_assert_eq(soon_group_failures(&g, &failure, 1), 1);
	cr_assert_str_eq(failure.task, "consume_failing");
	cr_assert_str_eq(failure.message, "after 0");
}

SOON_GEN(positive, int, int rc)
{
	int item = rc;

	rc = soon_emit(&item);
	return rc < 0 ? rc : item;
}

FAKE_TEST(gen, positive_result_of_the_body_is_the_end)
{
	SOON_ITER(it, positive, 42);

	cr_assert_eq(soon_next(it, NULL), 1);
	cr_assert_eq(soon_next(it, NULL), 0);
}

/* Items of every kind, and arguments. */

struct point {
	double x, y;
	char name[40];
};

SOON_GEN(points, struct point, unsigned short count)
{
	int rc = 0;

	for (unsigned i = 0; i < count && rc == 0; i++)
		rc = soon_emit(&(struct point){ .x = i, .y = -(double)i, .name = "point" });
	return rc;
}

SOON_GEN(words, const char *, const char *text)
{
	const char *at = text;
	int rc = 0;

	for (; *at && rc == 0; at += strlen(at) + 1)
		rc = soon_emit(&at);
	return rc;
}

FAKE_TEST(gen, items_of_every_type_are_copied)
{
	struct point p, q;
	const char *word;
	SOON_ITER(it, points, 3);
	SOON_ITER(ws, words, "ab\0cd\0");

	cr_assert_eq(soon_next(it, &p), 1);
	cr_assert_eq(soon_next(it, &q), 1);
	cr_assert(p.x < 0.5 && q.x > 0.5);
	cr_assert_str_eq(p.name, "point");
	cr_assert_eq(soon_next(ws, &word), 1);
	cr_assert_str_eq(word, "ab");
	cr_assert_eq(soon_next(ws, &word), 1);
	cr_assert_str_eq(word, "cd");
	cr_assert_eq(soon_next(ws, &word), 0);
}

struct node {
	const struct node *left, *right;
	int key;
};

static int walk(const struct node *node, SOON_OUT(int))
{
	int rc;

	if (!node)
		return 0;
	rc = walk(node->left, soon_out);
	if (rc == 0)
		rc = soon_emit(&node->key);
	return rc == 0 ? walk(node->right, soon_out) : rc;
}

SOON_GEN(keys, int, const struct node *root)
{
	return walk(root, soon_out);
}

FAKE_TEST(gen, emits_from_any_depth)
{
	static const struct node one = { .key = 1 }, three = { .key = 3 };
	static const struct node two = { .left = &one, .right = &three, .key = 2 };
	static const struct node four = { .left = &two, .key = 4 };
	int n, expected = 1;
	SOON_ITER(it, keys, &four);

	while (soon_next(it, &n) > 0)
		cr_assert_eq(n, expected++);
	cr_assert_eq(expected, 5);
}

SOON_GEN_DECLARE(declared, int, int last);
SOON_GEN_DEFINE(declared, int, int last)
{
	return soon_emit(&last);
}

FAKE_TEST(gen, declaration_and_body_may_be_apart)
{
	declared_iter it;
	int n;

	cr_assert_eq(soon_gen_open(it, declared, 5), 0);
	cr_assert_eq(soon_next(it, &n), 1);
	cr_assert_eq(n, 5);
	cr_assert_eq(soon_gen_close(it), 0);
	cr_assert_eq(soon_next(it, &n), -ESHUTDOWN);
	cr_assert_eq(soon_next(it, &n), -ESHUTDOWN);
	cr_assert_eq(soon_gen_close(it), 0, "closing twice changes nothing");
}

/* Who runs when. */

static int note_turns(struct trace *trace)
{
	for (int i = 0; i < 3; i++) {
		trace_add(trace, 'o');
		cr_assert_eq(soon_yield(), 0);
	}
	return 0;
}

SOON_GEN(traced, char, struct trace *trace)
{
	for (char c = 'a'; c < 'd'; c++) {
		int rc;

		trace_add(trace, c);
		rc = soon_emit(&c);
		if (rc < 0)
			return rc;
	}
	trace_add(trace, '.');
	return 0;
}

FAKE_TEST(gen, body_runs_only_when_asked_and_nobody_in_between)
{
	struct trace trace = { .len = 0 };
	char c;
	SOON_GROUP(g);
	SOON_ITER(it, traced, &trace);

	cr_assert_eq(soon_spawn(&g, note_turns, &trace), 0);
	cr_assert_eq(soon_yield(), 0);
	cr_assert_str_eq(trace.text, "o");
	while (soon_next(it, &c) > 0)
		trace_add(&trace, (char)(c - 'a' + 'A'));
	cr_assert_eq(soon_group_close(&g, 0), 0);
	/* The end gives others a turn: there the body's task ends. */
	cr_assert_str_eq(trace.text, "oaAbBcC.oo");
}

static int count_turns(unsigned *turns)
{
	while (soon_yield() == 0)
		(*turns)++;
	return -ECANCELED;
}

FAKE_TEST(gen, endless_one_leaves_others_their_turns)
{
	unsigned turns = 0;
	SOON_GROUP(g);
	SOON_ITER(it, count_to, 100000);

	cr_assert_eq(soon_spawn(&g, count_turns, &turns), 0);
	for (int i = 0; i < 10000; i++)
		cr_assert_eq(soon_next(it, NULL), 1);
	cr_assert_gt(turns, 50);
	soon_group_cancel(&g, "enough");
	cr_assert_eq(soon_group_close(&g, 0), 0);
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

FAKE_TEST(gen, body_waits_as_any_task_does)
{
	soon_ns start = soon_now();
	int n;
	SOON_ITER(it, slow, SOON_S(1));

	for (int i = 0; i < 5; i++) {
		cr_assert_eq(soon_next(it, &n), 1);
		cr_assert_eq(n, i);
		cr_assert_eq(soon_now() - start, SOON_S(i + 1));
	}
}

SOON_GEN(doubled, int, slow_iter *inner)
{
	int n, rc;

	while ((rc = soon_next(*inner, &n)) > 0) {
		n *= 2;
		rc = soon_emit(&n);
		if (rc < 0)
			break;
	}
	return rc;
}

SOON_GEN(evens, int, soon_ns pause)
{
	int n, rc;
	SOON_ITER(it, slow, pause);

	while ((rc = soon_next(it, &n)) > 0) {
		n *= 2;
		rc = soon_emit(&n);
		if (rc < 0)
			break;
	}
	return rc;
}

FAKE_TEST(gen, generators_over_generators)
{
	int n;
	SOON_ITER(it, evens, SOON_MS(1));
	SOON_ITER(base, slow, SOON_MS(1));
	SOON_ITER(twice, doubled, &base);

	for (int i = 0; i < 5; i++) {
		cr_assert_eq(soon_next(it, &n), 1);
		cr_assert_eq(n, 2 * i);
		cr_assert_eq(soon_next(twice, &n), 1);
		cr_assert_eq(n, 2 * i);
	}
}

/* Cancels and deadlines. */

FAKE_TEST(gen, consumers_deadline_cuts_the_bodys_wait)
{
	soon_ns start = soon_now();
	int n;
	SOON_ITER(it, slow, SOON_S(10));

	cr_assert_eq(soon_within(SOON_S(11), soon_next(it, &n)), 1);
	cr_assert_eq(soon_within(SOON_S(1), soon_next(it, &n)), -ETIMEDOUT);
	cr_assert_eq(soon_now() - start, SOON_S(11));
	cr_assert_eq(soon_next(it, &n), 0, "the body has ended for good");
}

FAKE_TEST(gen, deadline_reaches_through_generators_over_generators)
{
	soon_ns start = soon_now();
	SOON_ITER(it, evens, SOON_S(10));

	cr_assert_eq(soon_within(SOON_S(3), soon_next(it, NULL)), -ETIMEDOUT);
	cr_assert_eq(soon_now() - start, SOON_S(3));
	cr_assert_eq(soon_next(it, NULL), 0);
}

FAKE_TEST(gen, time_between_advances_is_not_the_bodys)
{
	int n;
	SOON_ITER(it, slow, SOON_S(1));

	{
		SOON_SCOPE(s, .timeout = SOON_S(5));

		cr_assert_eq(soon_next(it, &n), 1);
		cr_assert_eq(soon_sleep(SOON_S(9)), -ECANCELED);
		cr_assert_eq(soon_next(it, &n), -ECANCELED, "not advanced in a cancelled scope");
		cr_assert_eq(soon_scope_close(&s, -ECANCELED), -ETIMEDOUT);
	}
	/* The scope that was around the first one is gone, and its deadline with it. */
	cr_assert_eq(soon_next(it, &n), 1);
	cr_assert_eq(n, 1);
	cr_assert_eq(soon_within(SOON_S(5), soon_next(it, &n)), 1);
	cr_assert_eq(n, 2);
}

SOON_GEN(deadlines, soon_ns, void *unused)
{
	soon_ns deadline;
	int rc;

	(void)unused;
	do {
		deadline = soon_deadline();
		cr_assert_eq(soon_cancel_reason().source, SOON_CANCEL_NONE);
		rc = soon_emit(&deadline);
	} while (rc == 0);
	return rc;
}

FAKE_TEST(gen, body_sees_the_consumers_deadline_of_each_advance)
{
	soon_ns seen;
	SOON_ITER(it, deadlines, NULL);

	cr_assert_eq(soon_next(it, &seen), 1);
	cr_assert_eq(seen, SOON_NEVER);
	cr_assert_eq(soon_within(SOON_S(1), soon_next(it, &seen)), 1);
	cr_assert_eq(seen, soon_now() + SOON_S(1));
	cr_assert_eq(soon_within(SOON_S(9), soon_within(SOON_S(3), soon_next(it, &seen))), 1);
	cr_assert_eq(seen, soon_now() + SOON_S(3));
	cr_assert_eq(soon_next(it, &seen), 1);
	cr_assert_eq(seen, SOON_NEVER);
}

struct reason {
	soon_cancel_why why;
	int rc;
};

SOON_GEN(reasons, int, struct reason *reason)
{
	reason->rc = soon_sleep(SOON_S(100));
	reason->why = soon_cancel_reason();
	return reason->rc;
}

FAKE_TEST(gen, body_learns_who_cancelled_the_consumer)
{
	struct reason reason;
	SOON_ITER(it, reasons, &reason);
	SOON_SCOPE(s, .timeout = SOON_S(1));

	cr_assert_eq(soon_next(it, NULL), -ECANCELED);
	cr_assert_eq(reason.rc, -ECANCELED);
	cr_assert_eq(reason.why.source, SOON_CANCEL_DEADLINE);
	cr_assert_eq(soon_scope_close(&s, -ECANCELED), -ETIMEDOUT);
}

static int advance_slow(slow_iter *it)
{
	return soon_next(*it, NULL);
}

static int consume(struct reason *reason)
{
	SOON_ITER(it, reasons, reason);

	return soon_next(it, NULL);
}

FAKE_TEST(gen, cancel_of_the_consumer_alone_reaches_the_body)
{
	struct reason reason;
	soon_task *task;
	int rc = 1;
	SOON_GROUP(g);

	cr_assert_eq(
		soon_spawn_with(&g, &(soon_task_opts){ .ret_task = &task }, consume, &reason), 0);
	cr_assert_eq(soon_yield(), 0); /* it has no scope of its own yet, and gets one */
	soon_task_cancel(task, "alone");
	cr_assert_eq(soon_join(task, &rc), 0);
	cr_assert_eq(rc, -ECANCELED);
	cr_assert_eq(reason.why.source, SOON_CANCEL_EXPLICIT);
	cr_assert_str_eq(reason.why.why, "alone");
	cr_assert_eq(soon_group_close(&g, 0), 0);
}

FAKE_TEST(gen, cancel_of_the_consumers_group_reaches_the_body)
{
	soon_ns start = soon_now();
	SOON_ITER(it, slow, SOON_S(100));
	SOON_GROUP(g);

	cr_assert_eq(soon_spawn(&g, advance_slow, &it), 0);
	cr_assert_eq(soon_sleep(SOON_S(1)), 0);
	soon_group_cancel(&g, "enough");
	cr_assert_eq(soon_group_close(&g, 0), 0);
	cr_assert_eq(soon_now() - start, SOON_S(1));
}

FAKE_TEST(gen, cancel_of_the_opener_does_not_reach_anothers_advance)
{
	int n;
	SOON_GROUP(g);
	SOON_ITER(it, slow, SOON_S(2));

	{
		SOON_SCOPE(s);

		cr_assert_eq(soon_spawn(&g, advance_slow, &it), 0);
		cr_assert_eq(soon_sleep(SOON_S(1)), 0);
		soon_scope_cancel(&s, "enough");
		cr_assert_eq(soon_scope_close(&s, 0), 0);
	}
	cr_assert_eq(soon_sleep(SOON_S(2)), 0);
	cr_assert_eq(soon_next(it, &n), 1);
	cr_assert_eq(n, 1);
	cr_assert_eq(soon_group_close(&g, 1), 1);
}

SOON_GEN(shielding, int, soon_ns pause)
{
	int n = 1, rc;

	do {
		(void)!soon_shielded(SOON_NEVER, soon_sleep(pause));
		rc = soon_emit(&n);
	} while (rc == 0);
	return rc;
}

FAKE_TEST(gen, what_is_emitted_all_the_same_is_delivered)
{
	soon_ns start = soon_now();
	int n = 0;
	SOON_ITER(it, shielding, SOON_S(5));

	{
		SOON_SCOPE(s, .timeout = SOON_S(1));

		cr_assert_eq(soon_next(it, &n), 1);
		cr_assert_eq(n, 1);
		cr_assert_eq(soon_now() - start, SOON_S(5));
		cr_assert(soon_cancelled());
		cr_assert_eq(soon_next(it, &n), -ECANCELED);
		cr_assert_eq(soon_scope_close(&s, -ECANCELED), -ETIMEDOUT);
	}
	cr_assert_eq(soon_next(it, &n), 1, "and it goes on");
}

FAKE_TEST(gen, nothing_of_the_consumer_stays_with_a_suspended_body)
{
	const struct soon_gen *gen;
	SOON_ITER(it, shielding, SOON_S(5));

	gen = it.soon__iter.soon__gen;
	{
		SOON_SCOPE(s, .timeout = SOON_S(1));

		SOON_IDLE {
			cr_assert_eq(soon_next(it, NULL), 1);
		}
		cr_assert_null(gen->home.scope.parent);
		cr_assert_eq(gen->home.scope.state, 0);
		cr_assert_eq(gen->task->mask, SOON__CANCELLED);
		cr_assert_eq(gen->task->idle_depth, 0);
		cr_assert_null(soon__task_self()->advanced);
		cr_assert_eq(soon_scope_close(&s, -ECANCELED), -ETIMEDOUT);
	}
}

SOON_GEN(operations, ssize_t, enum fake_cancel kind)
{
	ssize_t n;
	int rc;

	do {
		n = fake_op(SOON_S(5), 7, kind);
		if (n < 0)
			return (int)n;
		rc = soon_emit(&n);
	} while (rc == 0);
	return rc;
}

FAKE_TEST(gen, operation_of_the_body_ends_as_it_can)
{
	static const enum fake_cancel kinds[] = {
		FAKE_CANCEL_DONE,
		FAKE_CANCEL_PENDING,
		FAKE_CANCEL_LATE,
		FAKE_CANCEL_IGNORED,
	};

	for (int i = 0; i < 4; i++) {
		bool completes = kinds[i] == FAKE_CANCEL_LATE || kinds[i] == FAKE_CANCEL_IGNORED;
		ssize_t n = 0;
		SOON_ITER(it, operations, kinds[i]);

		cr_assert_eq(soon_within(SOON_S(6), soon_next(it, &n)), 1);
		cr_assert_eq(n, 7);
		cr_assert_eq(soon_within(SOON_S(1), soon_next(it, &n)), completes ? 1 : -ETIMEDOUT);
	}
	cr_assert_eq(fake_inflight(), 0);
}

FAKE_TEST(gen, drain_ends_an_idle_advance)
{
	int rc = 0;
	SOON_GROUP(g);
	SOON_ITER(it, slow, SOON_S(5));

	soon_group_drain(&g, SOON_S(60));
	cr_assert_eq(soon_next(it, NULL), 1, "not idle: goes on");
	SOON_IDLE {
		rc = soon_next(it, NULL);
	}
	cr_assert_eq(rc, -ECANCELED, "on entry");
	cr_assert_eq(soon_next(it, NULL), 1, "it was not advanced");
	cr_assert_eq(soon_group_close(&g, 0), 0);
}

static int idle_advance(slow_iter *it)
{
	int rc = 0;

	SOON_IDLE {
		rc = soon_next(*it, NULL);
	}
	return rc;
}

FAKE_TEST(gen, drain_reaches_the_body_of_an_idle_advance)
{
	soon_ns start = soon_now();
	SOON_ITER(it, slow, SOON_S(5));
	SOON_GROUP(g);

	cr_assert_eq(soon_spawn(&g, idle_advance, &it), 0);
	cr_assert_eq(soon_sleep(SOON_S(1)), 0);
	soon_group_drain(&g, SOON_S(60));
	cr_assert_eq(soon_group_close(&g, 0), 0);
	cr_assert_eq(soon_now() - start, SOON_S(1));
}

/* Scopes and groups in the body. */

static int add(int *sum)
{
	int rc = soon_sleep(SOON_S(1));

	*sum += 1;
	return rc;
}

SOON_GEN(sums, int, int children)
{
	int sum = 0, rc;

	do {
		SOON_GROUP(g);

		rc = 0;
		for (int i = 0; i < children && rc == 0; i++)
			rc = soon_spawn(&g, add, &sum);
		rc = (int)soon_group_close(&g, rc);
		if (rc == 0)
			rc = soon_emit(&sum);
	} while (rc == 0);
	return rc;
}

FAKE_TEST(gen, body_may_use_groups_between_emits)
{
	int n;
	soon_ns start = soon_now();
	SOON_ITER(it, sums, 5);

	for (int i = 1; i <= 3; i++) {
		cr_assert_eq(soon_next(it, &n), 1);
		cr_assert_eq(n, 5 * i);
		cr_assert_eq(soon_now() - start, SOON_S(i));
	}
	cr_assert_eq(soon_within(SOON_MS(500), soon_next(it, &n)), -ETIMEDOUT);
	cr_assert_eq(soon_now() - start, SOON_MS(3500), "the children were reached");
}
