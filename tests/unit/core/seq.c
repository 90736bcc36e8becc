// SPDX-License-Identifier: Apache-2.0
/* Sequences: sections in the order of their numbers, whatever the order of the tasks. */
#include <soon/handshake.h>

#include "sync_test.h"

static soon_seq seq = SOON_SEQ_INIT;
static struct trace trace;

static int section(int number)
{
	int rc = soon_seq_enter(&seq, (uint64_t)number);

	if (rc < 0)
		return rc;
	trace_add(&trace, (char)('a' + number));
	rc = soon_yield();
	trace_add(&trace, (char)('A' + number));
	cr_assert_eq(soon_seq_leave(&seq), 0);
	return rc;
}

FAKE_TEST(seq, sections_run_in_order)
{
	static const int order[] = { 3, 1, 0, 4, 2 };
	SOON_GROUP(g);

	for (size_t i = 0; i < 5; i++)
		cr_assert_eq(soon_spawn(&g, section, order[i]), 0);
	cr_assert_eq(soon_group_close(&g, 0), 0);
	cr_assert_str_eq(trace.text, "aAbBcCdDeE");
	cr_assert_eq(section(5), 0);
	cr_assert_not(soon_seq_is_broken(&seq));
}

FAKE_TEST(seq, numbers_are_used_once)
{
	SOON_GROUP(g);

	cr_assert_eq(soon_seq_enter(&seq, 0), 0);
	ASSERT_REPORTED(soon_seq_enter(&seq, 0), -EALREADY, "section 0", "numbers_are_used_once");
	cr_assert_eq(soon_spawn(&g, section, 2), 0);
	cr_assert_eq(soon_yield(), 0);
	ASSERT_REPORTED(soon_seq_enter(&seq, 2), -EALREADY, "section 2", "numbers_are_used_once");
	cr_assert_eq(soon_seq_leave(&seq), 0);
	ASSERT_REPORTED(soon_seq_enter(&seq, 0), -EALREADY, "section 0", "numbers_are_used_once");
	ASSERT_REPORTED(soon_seq_leave(&seq), -EPERM, "soon_seq_leave", "numbers_are_used_once");
	cr_assert_eq(section(1), 0);
	cr_assert_eq(soon_group_close(&g, 0), 0);
	cr_assert_str_eq(trace.text, "bBcC");
}

FAKE_TEST(seq, cancelled_waiter_breaks_it_for_all)
{
	SOON_GROUP(g, .policy = SOON_WAIT_ALL);

	cr_assert_eq(soon_spawn(&g, section, 2), 0);
	cr_assert_eq(soon_spawn(&g, section, 3), 0);
	cr_assert_eq(soon_within(SOON_S(1), soon_seq_enter(&seq, 1)), -ETIMEDOUT);
	cr_assert(soon_seq_is_broken(&seq));
	cr_assert_eq(soon_group_close(&g, 0), -EPIPE);
	cr_assert_eq(soon_group_failures(&g, NULL, 0), 2);
	cr_assert_eq(soon_seq_enter(&seq, 0), -EPIPE);
	cr_assert_eq(soon_seq_enter(&seq, 7), -EPIPE);
	soon_seq_init(&seq);
	cr_assert_eq(section(0), 0);
}

FAKE_TEST(seq, cancelled_before_it_waits_breaks_it_as_well)
{
	SOON_GROUP(g, .policy = SOON_WAIT_ALL);

	cr_assert_eq(soon_spawn(&g, section, 2), 0);
	cr_assert_eq(soon_yield(), 0);
	cr_assert_eq(IN_CANCELLED(soon_seq_enter(&seq, 1)), -ECANCELED);
	cr_assert(soon_seq_is_broken(&seq));
	cr_assert_eq(soon_group_close(&g, 0), -EPIPE);
}

FAKE_TEST(seq, section_that_was_begun_outlives_a_cancel)
{
	SOON_GROUP(g);

	cr_assert_eq(soon_seq_enter(&seq, 0), 0);
	cr_assert_eq(soon_spawn(&g, section, 1), 0);
	cr_assert_eq(soon_yield(), 0);
	cr_assert_eq(soon_seq_leave(&seq), 0);
	soon_group_cancel(&g, "too late");
	cr_assert_eq(soon_group_close(&g, 0), 0);
	cr_assert_str_eq(trace.text, "bB");
	cr_assert_not(soon_seq_is_broken(&seq));
	cr_assert_eq(section(2), 0);
}

static int enter_over_there(void *number)
{
	return soon_seq_enter(&seq, (uint64_t)(uintptr_t)number);
}

static int leave_it_running(void *unused)
{
	(void)unused;
	cr_assert_eq(soon_seq_enter(&seq, 0), 0);
	ASSERT_REPORTED(on_other_core(enter_over_there, (void *)1), -EPERM, "soon_seq_enter",
		"another core");
	return 0;
}

static int find_it_running(void *unused)
{
	(void)unused;
	ASSERT_REPORTED(soon_seq_enter(&seq, 1), -EOWNERDEAD, "soon_seq_enter", "initialise");
	soon_seq_init(&seq);
	return section(0);
}

static int go_on(void *unused)
{
	(void)unused;
	return section(1);
}

SOON_TEST_PLAIN(seq, belongs_to_a_run_while_it_is_used)
{
	cr_assert_eq(FAKE_RUN(NULL, leave_it_running, NULL), 0);
	cr_assert_eq(FAKE_RUN(NULL, find_it_running, NULL), 0);
	cr_assert_eq(FAKE_RUN(NULL, go_on, NULL), 0);
	ASSERT_REPORTED(enter_over_there(NULL), -EPERM, "soon_seq_enter", "no core");
	ASSERT_REPORTED(soon_seq_leave(&seq), -EPERM, "soon_seq_leave", "runs none");
}

/* Under a thousand orders, with or without one who gives up. */

enum { SECTIONS = 12 };

struct world {
	uint64_t random;
	soon_seq seq;
	uint64_t next;
	unsigned broken;
};

struct part {
	struct world *world;
	uint64_t number;
	soon_ns delay, timeout;
};

static int part_run(struct part *part)
{
	struct world *w = part->world;
	ssize_t rc;

	cr_assert_eq(soon_sleep(part->delay), 0);
	rc = soon_within(part->timeout, soon_seq_enter(&w->seq, part->number));
	if (rc == 0) {
		cr_assert_eq(w->next, part->number);
		cr_assert_eq(soon_sleep(part->delay), 0);
		cr_assert_eq(w->next, part->number);
		w->next++;
		cr_assert_eq(soon_seq_leave(&w->seq), 0);
		return 0;
	}
	cr_assert(rc == -ETIMEDOUT || rc == -EPIPE);
	cr_assert(soon_seq_is_broken(&w->seq));
	return 0;
}

static int run_parts(struct world *w)
{
	struct part parts[SECTIONS];
	SOON_GROUP(g);

	soon_seq_init(&w->seq);
	w->next = 0;
	for (size_t i = 0; i < SECTIONS; i++) {
		parts[i] = (struct part){ w, i, (soon_ns)random_below(&w->random, 3) * SOON_MS(1),
			SOON_S(60) };
		if (random_below(&w->random, 12) == 0)
			parts[i].timeout = SOON_MS(2);
	}
	for (size_t i = 0; i < SECTIONS; i++)
		cr_assert_eq(soon_spawn(&g, part_run, &parts[i * 5 % SECTIONS]), 0);
	cr_assert_eq(soon_group_close(&g, 0), 0);
	w->broken += soon_seq_is_broken(&w->seq);
	cr_assert_eq(w->next == SECTIONS, !soon_seq_is_broken(&w->seq));
	return 0;
}

SOON_TEST_PLAIN(seq, order_holds_under_a_thousand_orders)
{
	struct world w = { 0 };

	FOR_SEEDS(&w, run_parts);
	cr_assert_gt(w.broken, SEEDS / 10);
	cr_assert_lt(w.broken, SEEDS * 9 / 10);
}
