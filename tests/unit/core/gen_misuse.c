// SPDX-License-Identifier: Apache-2.0
/* Generators in wrong hands: each misuse has its errno, and a report that names both parties. */
#include <soon/gen.h>

#include "fake_test.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <support/death.h>

/* The last reports, to look into. */
static struct {
	unsigned count;
	int rc;
	char text[SOON_REPORT_TEXT_BYTES];
	char all[4 * SOON_REPORT_TEXT_BYTES];
} told;

static int keep(const soon_report *report, void *unused)
{
	(void)unused;
	told.count++;
	told.rc = report->rc;
	(void)snprintf(told.text, sizeof told.text, "%s", report->text);
	(void)strncat(told.all, report->text, sizeof told.all - strlen(told.all) - 1);
	return 0;
}

static void listen(void)
{
	soon_on_report(keep, NULL);
}

/* One more report than when last asked, with this errno and all these words. */
static void assert_told(int rc, const char *const words[])
{
	soon_test_reports_expected++;
	cr_assert_eq(told.count, soon_test_reports_expected, "%u reports, the last: %s", told.count,
		told.text);
	cr_assert_eq(told.rc, rc, "told %d: %s", told.rc, told.text);
	for (; *words; words++)
		cr_assert_not_null(strstr(told.text, *words), "no '%s' in: %s", *words, told.text);
}
#define ASSERT_TOLD(rc, ...) assert_told((rc), (const char *const[]){ __VA_ARGS__, NULL })

SOON_GEN(count_to, int, int last)
{
	int rc = 0;

	for (int i = 1; i <= last && rc == 0; i++)
		rc = soon_emit(&i);
	return rc;
}

SOON_GEN(slow, int, soon_ns pause)
{
	int rc = 0;

	for (int i = 0; rc == 0; i++) {
		rc = soon_sleep(pause);
		if (rc == 0)
			rc = soon_emit(&i);
	}
	return rc;
}

/* Where there is no task. */

SOON_TEST_PLAIN(gen_misuse, outside_a_task_it_cannot_be_opened)
{
	int n;

	listen();
	{
		SOON_ITER(it, count_to, 3);

		ASSERT_TOLD(-EPERM, "soon_gen_open", "runs no core");
		cr_assert_eq(soon_next(it, &n), -EPERM);
		ASSERT_TOLD(-EPERM, "soon_next", "runs no core");
		cr_assert_eq(soon_gen_close(it), -EPERM);
		ASSERT_TOLD(-EPERM, "soon_gen_close", "runs no core");
	}
	{
		count_to_iter it;

		cr_assert_eq(soon_gen_open(it, count_to, 3), -EPERM);
		ASSERT_TOLD(-EPERM, "soon_gen_open", "runs no core");
	}
}

struct foreign {
	count_to_iter *it;
	int next, close;
};

static int use_foreign(struct foreign *f)
{
	f->next = soon_next(*f->it, NULL);
	cr_assert_not_null(strstr(told.text, "lives on another core"));
	f->close = soon_gen_close(*f->it);
	return 0;
}

static void *other_core(void *arg)
{
	struct foreign *f = arg;

	cr_assert_eq(FAKE_RUN(NULL, use_foreign, f), 0);
	return NULL;
}

FAKE_TEST(gen_misuse, other_cores_are_refused)
{
	pthread_t thread;
	SOON_ITER(it, count_to, 3);
	struct foreign f = { .it = &it };

	listen();
	cr_assert_eq(soon_next(it, NULL), 1);
	cr_assert_eq(pthread_create(&thread, NULL, other_core, &f), 0);
	cr_assert_eq(pthread_join(thread, NULL), 0);
	cr_assert_eq(f.next, -EPERM);
	cr_assert_eq(f.close, -EPERM);
	soon_test_reports_expected++;
	ASSERT_TOLD(-EPERM, "soon_gen_close", "count_to", "gen_misuse.c:", "use_foreign");
	cr_assert_eq(soon_next(it, NULL), 1, "unharmed");
}

/* Two at a time. */

static int advance_slow(slow_iter *it)
{
	return soon_next(*it, NULL) == 1 ? 0 : -EIO;
}

FAKE_TEST(gen_misuse, busy_while_another_task_advances)
{
	SOON_ITER(it, slow, SOON_S(1));
	SOON_GROUP(g);

	listen();
	cr_assert_eq(soon_spawn(&g, advance_slow, &it), 0);
	cr_assert_eq(soon_yield(), 0);
	cr_assert_eq(soon_next(it, NULL), -EBUSY);
	ASSERT_TOLD(-EBUSY, "soon_next", "slow", "busy_while_another_task_advances", "advance_slow",
		"advancing");
	cr_assert_eq(soon_gen_close(it), -EBUSY);
	ASSERT_TOLD(-EBUSY, "soon_gen_close", "slow", "advance_slow");
	cr_assert_eq(soon_group_close(&g, 0), 0);
	cr_assert_eq(soon_next(it, NULL), 1, "unharmed");
	cr_assert_eq(soon_gen_close(it), 0);
}

SOON_GEN(lingering, int, soon_ns linger)
{
	int n = 0, rc = soon_emit(&n);

	(void)!soon_shielded(linger, soon_sleep(SOON_NEVER));
	return rc;
}

static int close_lingering(lingering_iter *it)
{
	return soon_gen_close(*it);
}

FAKE_TEST(gen_misuse, busy_while_another_task_closes)
{
	lingering_iter it;
	SOON_GROUP(g);

	listen();
	cr_assert_eq(soon_gen_open(it, lingering, SOON_S(1)), 0);
	cr_assert_eq(soon_next(it, NULL), 1);
	cr_assert_eq(soon_spawn(&g, close_lingering, &it), 0);
	cr_assert_eq(soon_yield(), 0);
	cr_assert_eq(soon_next(it, NULL), -EBUSY);
	ASSERT_TOLD(-EBUSY, "soon_next", "lingering", "close_lingering", "closing");
	cr_assert_eq(soon_gen_close(it), -EBUSY);
	ASSERT_TOLD(-EBUSY, "soon_gen_close");
	cr_assert_eq(soon_group_close(&g, 0), 0);
	cr_assert_eq(soon_next(it, NULL), -ESHUTDOWN);
}

/* From the inside. */

struct self {
	soon_iter *it; /* of one of the two below */
	int next, close;
};

SOON_GEN(selfish, int, struct self *self)
{
	int n = 0;

	self->next = soon__iter_next(self->it, NULL);
	self->close = soon__iter_close(self->it);
	return soon_emit(&n);
}

FAKE_TEST(gen_misuse, body_can_neither_advance_nor_close_itself)
{
	struct self self = { 0 };
	SOON_ITER(it, selfish, &self);

	listen();
	self.it = &it.soon__iter;
	cr_assert_eq(soon_next(it, NULL), 1);
	cr_assert_eq(self.next, -EDEADLK);
	cr_assert_eq(self.close, -EDEADLK);
	soon_test_reports_expected++;
	ASSERT_TOLD(-EDEADLK, "soon_gen_close", "task 'selfish' runs inside",
		"gen_misuse.c:", "advancing");
}

SOON_GEN(outer, int, struct self *self)
{
	SOON_ITER(inner, selfish, self);

	return soon_next(inner, NULL) == 1 ? 0 : -EIO;
}

FAKE_TEST(gen_misuse, body_cannot_advance_whom_it_works_for)
{
	struct self self = { 0 };
	SOON_ITER(it, outer, &self);

	listen();
	self.it = &it.soon__iter;
	cr_assert_eq(soon_next(it, NULL), 0);
	cr_assert_eq(self.next, -EDEADLK);
	cr_assert_eq(self.close, -EDEADLK);
	soon_test_reports_expected++;
	ASSERT_TOLD(-EDEADLK, "task 'selfish' runs inside generator 'outer'");
}

/* What waits for its consumer in ways that nothing could end. */
struct clinging {
	soon_task *consumer;
	int watch, cancel;
};

SOON_GEN(clings, int, struct clinging *self)
{
	SOON_GROUP(g);

	self->watch = soon_group_watch(&g, self->consumer);
	self->cancel = soon_cancel_join(self->consumer);
	return (int)soon_group_close(&g, 0);
}

static int consume_clinging(struct clinging *self)
{
	SOON_ITER(it, clings, self);

	self->consumer = soon_self();
	return soon_next(it, NULL);
}

FAKE_TEST(gen_misuse, body_cannot_wait_for_its_consumer_s_end)
{
	struct clinging clinging = { 0 };
	SOON_GROUP(g);

	listen();
	cr_assert_eq(soon_spawn(&g, consume_clinging, &clinging), 0);
	cr_assert_eq(soon_group_close(&g, 0), 0);
	cr_assert_eq(clinging.cancel, -EDEADLK);
	cr_assert_eq(clinging.watch, -EDEADLK);
	soon_test_reports_expected++; /* of the watch, then of the cancel */
	ASSERT_TOLD(-EDEADLK, "task 'clings' #3 would wait for the end of 'consume_clinging' #2");
	cr_assert_not_null(
		strstr(told.all, "task 'consume_clinging' waits for the end of group 'g'"));
}

static int advance_from_child(struct self *self)
{
	self->next = soon__iter_next(self->it, NULL);
	self->close = soon__iter_close(self->it);
	return 0;
}

SOON_GEN(with_child, int, struct self *self)
{
	SOON_GROUP(g);
	int rc = soon_spawn(&g, advance_from_child, self);

	return (int)soon_group_close(&g, rc);
}

FAKE_TEST(gen_misuse, tasks_of_the_body_are_others)
{
	struct self self = { 0 };
	SOON_ITER(it, with_child, &self);

	listen();
	self.it = &it.soon__iter;
	cr_assert_eq(soon_next(it, NULL), 0);
	cr_assert_eq(self.next, -EBUSY);
	cr_assert_eq(self.close, -EBUSY);
	soon_test_reports_expected += 2;
}

/* Emits out of place. */

static int emit_here(const int *const *where, SOON_OUT(int))
{
	return soon_emit(*where);
}

struct leak {
	int *const *out; /* soon_out, carried to where it does not belong */
	int rc;
};

static int emit_from_child(struct leak *leak)
{
	static const int one = 1;
	const int *where = &one;

	leak->rc = emit_here(&where, leak->out);
	return 0;
}

SOON_GEN(leaking, int, struct leak *leak)
{
	int n = 1, rc;
	SOON_GROUP(g);

	leak->out = soon_out;
	rc = soon_spawn(&g, emit_from_child, leak);
	rc = (int)soon_group_close(&g, rc);
	return rc < 0 ? rc : soon_emit(&n);
}

FAKE_TEST(gen_misuse, only_the_bodys_task_emits)
{
	struct leak leak = { 0 };
	SOON_ITER(it, leaking, &leak);

	listen();
	cr_assert_eq(soon_next(it, NULL), 1);
	cr_assert_eq(leak.rc, -EPERM);
	ASSERT_TOLD(-EPERM, "soon_emit", "task 'emit_from_child'", "generator 'leaking'");
	leak.rc = 0;
	cr_assert_eq(emit_from_child(&leak), 0);
	cr_assert_eq(leak.rc, -EPERM, "nor does the consumer");
	ASSERT_TOLD(-EPERM, "only_the_bodys_task_emits");
}

SOON_GEN(in_group, int, int *ret_rc)
{
	int n = 1, rc;
	SOON_GROUP(g);

	*ret_rc = soon_emit(&n);
	rc = (int)soon_group_close(&g, 0);
	return rc < 0 ? rc : soon_emit(&n);
}

SOON_GEN(in_scope, int, int *ret_rc)
{
	int n = 2;

	*ret_rc = (int)soon_within(SOON_S(1), soon_emit(&n));
	return soon_emit(&n);
}

FAKE_TEST(gen_misuse, no_emit_while_a_scope_or_group_is_open)
{
	int n = 0, rc = 0;
	SOON_ITER(it, in_group, &rc);
	SOON_ITER(other, in_scope, &rc);

	listen();
	cr_assert_eq(soon_next(it, &n), 1);
	cr_assert_eq(rc, -EPROTO);
	ASSERT_TOLD(-EPROTO, "generator 'in_group' must not emit while a group", "gen_misuse.c:");
	cr_assert_eq(soon_next(other, &n), 1);
	cr_assert_eq(n, 2);
	cr_assert_eq(rc, -EPROTO);
	ASSERT_TOLD(-EPROTO, "generator 'in_scope' must not emit while a scope", "soon_within");
	cr_assert_eq(soon_next(it, &n), 0);
}

/* Bodies that do not end. */

SOON_GEN(stubborn, int, int tries)
{
	int n = 0, rc = 0;

	while (tries > 0 && rc != -EPERM) {
		rc = soon_emit(&n);
		if (rc < 0)
			tries--;
	}
	return rc;
}

static int close_stubborn(int tries)
{
	stubborn_iter it;

	cr_assert_eq(soon_gen_open(it, stubborn, tries), 0);
	cr_assert_eq(soon_next(it, NULL), 1);
	return soon_gen_close(it);
}

FAKE_TEST(gen_misuse, emit_after_the_close_is_refused)
{
	listen();
	cr_assert_eq(close_stubborn(2), -EPROTO);
	ASSERT_TOLD(-EPROTO, "generator 'stubborn'", "gen_misuse.c:", "being closed by task",
		"emit_after_the_close_is_refused");
}

static int close_very_stubborn(void *unused)
{
	(void)unused;
	return close_stubborn(200);
}

static int count_turns(unsigned *turns)
{
	while (soon_yield() == 0)
		(*turns)++;
	return -ECANCELED;
}

FAKE_TEST(gen_misuse, body_that_goes_on_emitting_is_reported_and_others_run)
{
	unsigned turns = 0;
	SOON_GROUP(g);

	listen();
	cr_assert_eq(soon_spawn(&g, count_turns, &turns), 0);
	cr_assert_eq(close_stubborn(200), -EPROTO);
	soon_test_reports_expected += 2;
	cr_assert_gt(turns, 100);
	ASSERT_TOLD(-ECANCELED, "ignores its cancellation", "the generator is closed");
	soon_group_cancel(&g, "enough");
	cr_assert_eq(soon_group_close(&g, 0), 0);
}

static void run_very_stubborn(void)
{
	const soon_opts run = { .debug = 1 };

	(void)FAKE_RUN(&(struct fake_opts){ .run = &run }, close_very_stubborn, NULL);
}

static void run_very_stubborn_by_environment(void)
{
	(void)setenv("SOON_DEBUG", "1", 1);
	(void)FAKE_RUN(NULL, close_very_stubborn, NULL);
}

SOON_TEST_PLAIN(gen_misuse, body_that_goes_on_emitting_is_fatal_in_debug)
{
	ASSERT_ABORTS(run_very_stubborn, "goes on emitting although it is being closed");
	ASSERT_ABORTS(run_very_stubborn_by_environment, "generator 'stubborn'");
}

SOON_GEN(stray, int, void *unused)
{
	(void)unused;
	(void)soon_out;
	return -ECANCELED;
}

FAKE_TEST(gen_misuse, stray_cancel_is_not_passed_on)
{
	SOON_ITER(it, stray, NULL);

	listen();
	cr_assert_eq(soon_next(it, NULL), -EIO);
	ASSERT_TOLD(-EIO, "generator 'stray'", "-ECANCELED although nobody was cancelled");
	cr_assert_eq(soon_next(it, NULL), 0);
}

static void leave_scope_open(void)
{
	static const soon_site site = { __FILE__, __func__, "s", 1 };
	static soon_scope scope;

	soon__scope_open(&scope, &(soon_scope_opts){ .timeout = SOON_S(1) }, &site);
}

SOON_GEN(untidy, int, void *unused)
{
	(void)unused;
	leave_scope_open();
	return 0;
}

static int advance_untidy(void *unused)
{
	SOON_ITER(it, untidy, NULL);

	(void)unused;
	return soon_next(it, NULL);
}

static void run_untidy(void)
{
	(void)FAKE_RUN(NULL, advance_untidy, NULL);
}

SOON_TEST_PLAIN(gen_misuse, body_that_returns_with_a_scope_open_aborts)
{
	ASSERT_ABORTS(run_untidy, "task 'untidy' returned with a scope or group still open");
}

/* What is left. */

static count_to_iter left[3];

static int leave_open(int advance)
{
	for (int i = 0; i < 3; i++) {
		cr_assert_eq(soon_gen_open(left[i], count_to, 9), 0);
		if (i < advance)
			cr_assert_eq(soon_next(left[i], NULL), 1);
	}
	return 0;
}

FAKE_TEST(gen_misuse, left_open_is_closed_at_the_end_of_the_task)
{
	SOON_GROUP(g);

	listen();
	cr_assert_eq(soon_spawn(&g, leave_open, 2), 0);
	cr_assert_eq(soon_group_close(&g, 0), 0);
	soon_test_reports_expected = 2;
	ASSERT_TOLD(0, "generator 'count_to'", "gen_misuse.c:", "in task 'leave_open'",
		"was never closed");
	cr_assert_not_null(strstr(told.all, "never advanced nor closed"), "%s", told.all);
}

struct order {
	struct trace trace;
	char next;
};

SOON_GEN(ordered, int, struct order *order)
{
	char letter = order->next++;
	int n = 0, rc = soon_emit(&n);

	trace_add(&order->trace, letter);
	return rc == -ECANCELED && letter == 'b' ? -EIO : rc;
}

static ordered_iter left_ordered[3];

static int leave_ordered(struct order *order)
{
	for (int i = 0; i < 3; i++) {
		cr_assert_eq(soon_gen_open(left_ordered[i], ordered, order), 0);
		cr_assert_eq(soon_next(left_ordered[i], NULL), 1);
	}
	return 7;
}

FAKE_TEST(gen_misuse, left_open_are_closed_newest_first)
{
	struct order order = { .next = 'a' };
	soon_task *task;
	soon_task_opts opts = { .ret_task = &task };
	int rc;
	SOON_GROUP(g);

	listen();
	cr_assert_eq(soon_spawn_with(&g, &opts, leave_ordered, &order), 0);
	cr_assert_eq(soon_join(task, &rc), 0);
	cr_assert_eq(rc, 7);
	cr_assert_str_eq(order.trace.text, "cba");
	soon_test_reports_expected = 4;
	cr_assert_eq(told.count, 4);
	cr_assert_not_null(strstr(told.all, "failed while it was closed"), "%s", told.all);
	cr_assert_eq(soon_group_close(&g, 0), 0);
}

FAKE_TEST(gen_misuse, failure_during_the_close_of_a_block_is_reported)
{
	struct order order = { .next = 'b' };

	listen();
	{
		SOON_ITER(it, ordered, &order);

		cr_assert_eq(soon_next(it, NULL), 1);
	}
	ASSERT_TOLD(-EIO, "generator 'ordered'", "gen_misuse.c:", "failed while it was closed");
}

static int advance_for_long(slow_iter *it)
{
	return soon_next(*it, NULL);
}

static int leave_while_advanced(soon_group *group)
{
	SOON_ITER(it, slow, SOON_S(100));

	cr_assert_eq(soon_spawn(group, advance_for_long, &it), 0);
	return soon_sleep(SOON_S(1));
}

FAKE_TEST(gen_misuse, opener_that_leaves_waits_for_who_advances)
{
	soon_ns start = soon_now();
	SOON_GROUP(g, .policy = SOON_WAIT_ALL);

	listen();
	cr_assert_eq(soon_spawn(&g, leave_while_advanced, &g), 0);
	cr_assert_eq(soon_group_close(&g, 0), -ESHUTDOWN, "what the other one gets");
	cr_assert_eq(soon_now() - start, SOON_S(1));
	ASSERT_TOLD(-EBUSY, "generator 'slow'", "is left by task 'leave_while_advanced'",
		"while task 'advance_for_long' is advancing");
}

static int leave_while_closed(soon_group *group)
{
	SOON_ITER(it, lingering, SOON_S(5));

	cr_assert_eq(soon_next(it, NULL), 1);
	cr_assert_eq(soon_spawn(group, close_lingering, &it), 0);
	return soon_sleep(SOON_S(1));
}

FAKE_TEST(gen_misuse, opener_that_leaves_waits_for_who_closes)
{
	soon_ns start = soon_now();
	SOON_GROUP(g);

	listen();
	cr_assert_eq(soon_spawn(&g, leave_while_closed, &g), 0);
	cr_assert_eq(soon_group_close(&g, 0), 0);
	cr_assert_eq(soon_now() - start, SOON_S(5));
	ASSERT_TOLD(-EBUSY, "generator 'lingering'", "is left by task 'leave_while_closed'",
		"while task 'close_lingering' is closing");
}
