// SPDX-License-Identifier: Apache-2.0
/* Limiters: one token to a borrower, never more than there are, and a size that may change. */
#include <soon/sem.h>

#include "core.h"
#include "handle.h"
#include "sync_test.h"

#include <support/death.h>

static soon_limiter two = SOON_LIMITER_INIT(2);
static struct trace trace;

static int hold(soon_ns duration)
{
	SOON_LOAN(loan);
	int rc = soon_limiter_acquire(&two, &loan);

	if (rc < 0) {
		trace_add(&trace, '-');
		return 0;
	}
	trace_add(&trace, '<');
	rc = soon_sleep(duration);
	trace_add(&trace, '>');
	return rc;
}

static void spawn_holders(soon_group *group, int count, soon_ns duration)
{
	for (int i = 0; i < count; i++)
		cr_assert_eq(soon_spawn(group, hold, duration), 0);
	cr_assert_eq(soon_yield(), 0);
}

FAKE_TEST(limiter, lends_as_many_as_there_are)
{
	SOON_GROUP(g);

	cr_assert_eq(soon_limiter_tokens(&two), 2);
	spawn_holders(&g, 5, SOON_S(1));
	cr_assert_str_eq(trace.text, "<<");
	cr_assert_eq(soon_limiter_borrowed(&two), 2);
	cr_assert_eq(soon_limiter_waiting(&two), 3);
	cr_assert_eq(soon_group_close(&g, 0), 0);
	cr_assert_str_eq(trace.text, "<<>><<>><>");
	cr_assert_eq(soon_limiter_borrowed(&two), 0);
	cr_assert_eq(soon_limiter_waiting(&two), 0);
	cr_assert_eq(soon__task_self()->locks_held, 0);
}

FAKE_TEST(limiter, try_does_not_overtake)
{
	soon_loan loan = SOON_LOAN_INIT;
	SOON_GROUP(g);

	spawn_holders(&g, 3, SOON_S(1));
	cr_assert_eq(soon_limiter_try_acquire(&two, &loan), -EAGAIN);
	cr_assert_eq(soon_group_close(&g, 0), 0);
	cr_assert_eq(soon_limiter_try_acquire(&two, &loan), 0);
	cr_assert_eq(soon_limiter_borrowed(&two), 1);
	cr_assert_eq(soon_limiter_release(&two, &loan), 0);
	cr_assert_eq(soon_limiter_borrowed(&two), 0);
}

FAKE_TEST(limiter, changes_its_size_while_it_works)
{
	SOON_GROUP(g);

	spawn_holders(&g, 8, SOON_S(2));
	cr_assert_eq(soon_limiter_resize(&two, 4), 0);
	cr_assert_eq(soon_sleep(SOON_S(1)), 0);
	cr_assert_str_eq(trace.text, "<<<<");
	/* Nobody loses a token: one is lent when only one is out. */
	cr_assert_eq(soon_limiter_resize(&two, 1), 0);
	cr_assert_eq(soon_limiter_borrowed(&two), 4);
	cr_assert_eq(soon_sleep(SOON_S(2)), 0);
	cr_assert_str_eq(trace.text, "<<<<>>>><");
	cr_assert_eq(soon_limiter_resize(&two, 0), 0);
	cr_assert_eq(soon_sleep(SOON_S(9)), 0);
	cr_assert_str_eq(trace.text, "<<<<>>>><>");
	cr_assert_eq(soon_limiter_waiting(&two), 3);
	cr_assert_eq(soon_limiter_resize(&two, 3), 0);
	cr_assert_eq(soon_group_close(&g, 0), 0);
	cr_assert_str_eq(trace.text, "<<<<>>>><><<<>>>");
}

FAKE_TEST(limiter, without_tokens_has_all_wait)
{
	soon_limiter none = { { 0 } };
	soon_loan loan = SOON_LOAN_INIT;

	cr_assert_eq(soon_within(SOON_S(1), soon_limiter_acquire(&none, &loan)), -ETIMEDOUT);
	soon_limiter_init(&none, 1);
	cr_assert_eq(soon_limiter_acquire(&none, &loan), 0);
	cr_assert_eq(soon_limiter_release(&none, &loan), 0);
}

/* Cancels. */

FAKE_TEST(limiter, does_not_lend_in_a_cancelled_scope)
{
	soon_loan loan = SOON_LOAN_INIT;

	cr_assert_eq(IN_CANCELLED(soon_limiter_acquire(&two, &loan)), -ECANCELED);
	cr_assert_eq(soon_limiter_borrowed(&two), 0);
	cr_assert_eq(IN_CANCELLED(soon_limiter_try_acquire(&two, &loan)), 0);
	cr_assert_eq(IN_CANCELLED(soon_limiter_release(&two, &loan)), 0);
}

FAKE_TEST(limiter, who_gives_up_leaves_nothing_behind)
{
	soon_loan loan = SOON_LOAN_INIT;
	SOON_GROUP(g);

	spawn_holders(&g, 2, SOON_S(2));
	for (int i = 0; i < 2; i++) {
		cr_assert_eq(
			soon_within(SOON_MS(100), soon_limiter_acquire(&two, &loan)), -ETIMEDOUT);
		cr_assert_eq(soon_limiter_waiting(&two), 0);
	}
	cr_assert_eq(soon_limiter_acquire(&two, &loan), 0);
	cr_assert_eq(soon_limiter_release(&two, &loan), 0);
	cr_assert_eq(soon_group_close(&g, 0), 0);
}

FAKE_TEST(limiter, cancel_after_the_token_comes_too_late)
{
	soon_loan loans[2] = { SOON_LOAN_INIT, SOON_LOAN_INIT };
	SOON_GROUP(g);

	cr_assert_eq(soon_limiter_try_acquire_for(&two, &loans[0], &loans[0]), 0);
	cr_assert_eq(soon_limiter_try_acquire_for(&two, &loans[1], &loans[1]), 0);
	spawn_holders(&g, 2, SOON_S(1));
	cr_assert_eq(trace.len, 0);
	cr_assert_eq(soon_limiter_release(&two, &loans[0]), 0);
	soon_group_cancel(&g, "test");
	cr_assert_eq(soon_group_close(&g, 0), 0);
	cr_assert_str_eq(trace.text, "<->");
	cr_assert_eq(soon_limiter_borrowed(&two), 1);
	cr_assert_eq(soon_limiter_release(&two, &loans[1]), 0);
}

static int hold_often(bool *is_done)
{
	for (int i = 0; i < 1000 && !*is_done; i++) {
		SOON_LOAN(loan);

		cr_assert_eq(soon_limiter_acquire(&two, &loan), 0);
	}
	return *is_done ? 0 : -ETIME;
}

static int set_flag(bool *flag)
{
	*flag = true;
	return 0;
}

FAKE_TEST(limiter, loop_that_never_waits_gives_others_a_turn)
{
	bool is_done = false;
	SOON_GROUP(g);

	cr_assert_eq(soon_spawn(&g, hold_often, &is_done), 0);
	cr_assert_eq(soon_spawn(&g, set_flag, &is_done), 0);
	cr_assert_eq(soon_group_close(&g, 0), 0);
}

/* Borrowers. */

#define MANY 300

FAKE_TEST(limiter, knows_many_borrowers_apart)
{
	static soon_loan loans[MANY];
	soon_limiter many = SOON_LIMITER_INIT(MANY);
	soon_loan other = SOON_LOAN_INIT;

	for (int i = 0; i < MANY; i++)
		cr_assert_eq(soon_limiter_acquire_for(&many, &loans[i], &loans[i]), 0);
	for (int i = 0; i < MANY; i += 50)
		ASSERT_REPORTED(soon_limiter_acquire_for(&many, &other, &loans[i]), -EDEADLK,
			"limiter_acquire", "has a token");
	/* In another order than they came. */
	for (int i = 0; i < MANY; i += 2)
		cr_assert_eq(soon_limiter_release(&many, &loans[i]), 0);
	for (int i = 1; i < MANY; i += 2)
		cr_assert_eq(soon_limiter_release(&many, &loans[i]), 0);
	cr_assert_eq(soon_limiter_borrowed(&many), 0);
	cr_assert_eq(soon_limiter_acquire_for(&many, &other, &loans[0]), 0);
	cr_assert_eq(soon_limiter_release(&many, &other), 0);
}

static int wait_for_someone(soon_loan *loan)
{
	return soon_limiter_acquire_for(&two, loan, &two);
}

FAKE_TEST(limiter, second_token_is_refused)
{
	soon_loan first = SOON_LOAN_INIT, second = SOON_LOAN_INIT, third = SOON_LOAN_INIT;
	SOON_GROUP(g);

	cr_assert_eq(soon_limiter_acquire(&two, &first), 0);
	ASSERT_REPORTED(soon_limiter_acquire(&two, &second), -EDEADLK, "second_token_is", "token");
	ASSERT_REPORTED(soon_limiter_try_acquire(&two, &second), -EDEADLK, "try_acquire", "token");
	ASSERT_REPORTED(soon_limiter_acquire(&two, &first), -EDEADLK, "limiter_acquire", "token");
	ASSERT_REPORTED(soon_limiter_acquire_for(&two, &first, &first), -EBUSY, "limiter_acquire",
		"in use");
	cr_assert_eq(soon_limiter_resize(&two, 1), 0);
	cr_assert_eq(soon_spawn(&g, wait_for_someone, &second), 0);
	cr_assert_eq(soon_yield(), 0);
	/* Also who only waits. */
	ASSERT_REPORTED(soon_limiter_acquire_for(&two, &third, &two), -EDEADLK, "limiter_acquire",
		"waits for one");
	ASSERT_REPORTED(soon_limiter_release(&two, &second), -EPERM, "limiter_release",
		"a task waits with the loan");
	cr_assert_eq(soon_limiter_release(&two, &first), 0);
	cr_assert_eq(soon_group_close(&g, 0), 0);
	/* What was borrowed for something else, anybody gives back. */
	cr_assert_eq(soon_limiter_release(&two, &second), 0);
}

static int release_others(soon_loan *loan)
{
	ASSERT_REPORTED(soon_limiter_release(&two, loan), -EPERM, "release_others", "another task");
	return 0;
}

FAKE_TEST(limiter, wrong_release_is_refused)
{
	soon_limiter other = SOON_LIMITER_INIT(1);
	soon_loan loan = SOON_LOAN_INIT;
	SOON_GROUP(g);

	ASSERT_REPORTED(soon_limiter_release(&two, &loan), -EPERM, "release", "not in use");
	cr_assert_eq(soon_limiter_acquire(&two, &loan), 0);
	ASSERT_REPORTED(soon_limiter_release(&other, &loan), -EPERM, "release", "another limiter");
	cr_assert_eq(soon_spawn(&g, release_others, &loan), 0);
	cr_assert_eq(soon_group_close(&g, 0), 0);
	cr_assert_eq(soon_limiter_borrowed(&two), 1);
	cr_assert_eq(soon_limiter_release(&two, &loan), 0);
}

static soon_loan of_callback = SOON_LOAN_INIT;

static void use_in_callback(soon_callback *self)
{
	soon_loan loan = SOON_LOAN_INIT;

	ASSERT_REPORTED(soon_limiter_acquire(&two, &loan), -EPERM, "limiter_acquire", "own stack");
	ASSERT_REPORTED(
		soon_limiter_try_acquire(&two, &loan), -EPERM, "try_acquire", "name a borrower");
	cr_assert_eq(soon_limiter_try_acquire_for(&two, &of_callback, self), 0);
	cr_assert_eq(soon_limiter_try_acquire_for(&two, &loan, NULL), 0); /* an address as well */
	cr_assert_eq(soon_limiter_release(&two, &loan), 0);
	cr_assert_eq(soon_limiter_resize(&two, 5), 0);
}

FAKE_TEST(limiter, callback_may_borrow_for_something)
{
	static soon_callback callback = { .fn = use_in_callback };

	cr_assert_eq(soon_post(soon_core_self(), &callback), 0);
	cr_assert_eq(soon_sleep(1), 0);
	cr_assert_eq(soon_limiter_borrowed(&two), 1);
	cr_assert_eq(soon_limiter_tokens(&two), 5);
	cr_assert_eq(soon_limiter_release(&two, &of_callback), 0);
}

SOON_TEST_PLAIN(limiter, needs_a_core)
{
	soon_loan loan = SOON_LOAN_INIT;

	ASSERT_REPORTED(soon_limiter_acquire(&two, &loan), -EPERM, "acquire", "runs no core");
	ASSERT_REPORTED(
		soon_limiter_try_acquire_for(&two, &loan, &loan), -EPERM, "acquire", "runs none");
	ASSERT_REPORTED(soon_limiter_release(&two, &loan), -EPERM, "release", "runs none");
	ASSERT_REPORTED(soon_limiter_resize(&two, 1), -EPERM, "resize", "runs none");
	cr_assert_eq(soon_limiter_tokens(&two), 2);
}

/* Runs after runs and beside runs. */

static int use_once(void *unused)
{
	SOON_GROUP(g);

	(void)unused;
	trace = (struct trace){ 0 };
	spawn_holders(&g, 3, SOON_S(1));
	cr_assert_eq(soon_group_close(&g, 0), 0);
	cr_assert_str_eq(trace.text, "<<>><>");
	return 0;
}

SOON_TEST_PLAIN(limiter, serves_one_run_after_another)
{
	for (int i = 0; i < 3; i++)
		cr_assert_eq(FAKE_RUN(NULL, use_once, NULL), 0);
	cr_assert_eq(on_other_core(use_once, NULL), 0);
}

static soon_loan left = SOON_LOAN_INIT;

static int borrow_and_end(void *unused)
{
	(void)unused;
	return soon_limiter_acquire_for(&two, &left, &left);
}

static int find_left(void *unused)
{
	soon_loan loan = SOON_LOAN_INIT;

	(void)unused;
	ASSERT_REPORTED(soon_limiter_acquire(&two, &loan), -EOWNERDEAD, "left in use", "find_left");
	ASSERT_REPORTED(soon_limiter_try_acquire(&two, &loan), -EOWNERDEAD, "left in use",
		"'borrow_and_end'");
	ASSERT_REPORTED(soon_limiter_release(&two, &left), -EOWNERDEAD, "left in use", "find_left");
	ASSERT_REPORTED(soon_limiter_resize(&two, 3), -EOWNERDEAD, "left in use", "find_left");
	soon_limiter_init(&two, 2);
	return use_once(NULL);
}

SOON_TEST_PLAIN(limiter, left_by_a_run_that_ended_is_owner_dead)
{
	cr_assert_eq(FAKE_RUN(NULL, borrow_and_end, NULL), 0);
	cr_assert_eq(FAKE_RUN(NULL, find_left, NULL), 0);
}

static int refused_elsewhere(void *unused)
{
	soon_loan loan = SOON_LOAN_INIT;

	(void)unused;
	ASSERT_REPORTED(soon_limiter_acquire(&two, &loan), -EPERM, "another core", "_is_refused_");
	ASSERT_REPORTED(
		soon_limiter_try_acquire(&two, &loan), -EPERM, "another core", "_is_refused_");
	ASSERT_REPORTED(soon_limiter_release(&two, &loan), -EPERM, "another core", "_is_refused_");
	ASSERT_REPORTED(soon_limiter_resize(&two, 1), -EPERM, "another core", "_is_refused_");
	return 0;
}

FAKE_TEST(limiter, lent_on_one_core_is_refused_on_another)
{
	soon_loan loan = SOON_LOAN_INIT;

	cr_assert_eq(soon_limiter_acquire(&two, &loan), 0);
	cr_assert_eq(on_other_core(refused_elsewhere, NULL), 0);
	cr_assert_eq(soon_limiter_release(&two, &loan), 0);
	cr_assert_eq(on_other_core(use_once, NULL), 0);
}

static int borrow_and_leave(void *unused)
{
	(void)unused;
	return soon_limiter_acquire(&two, &left);
}

static ssize_t spawn_and_close(void)
{
	SOON_GROUP(g);

	cr_assert_eq(soon_spawn(&g, borrow_and_leave, NULL), 0);
	return soon_group_close(&g, 0);
}

FAKE_TEST(limiter, task_that_ends_with_a_token_is_reported)
{
	ASSERT_REPORTED(spawn_and_close(), 0, "borrow_and_leave", "held 1 lock");
	cr_assert_eq(soon_limiter_borrowed(&two), 1);
	ASSERT_REPORTED(soon_limiter_release(&two, &left), -EPERM, "release", "another task");
}

/* A loan that the frame takes along would leave the limiter with a pointer into nothing. */
static __attribute__((no_sanitize_address)) int borrow_in_frame_and_leave(void *unused)
{
	soon_loan loan = SOON_LOAN_INIT;
	int rc;

	(void)unused;
	rc = soon_limiter_acquire(&two, &loan);
	cr_assert_eq(rc, 0);
	return rc;
}

static void die_of_a_loan_in_a_frame(void)
{
	(void)FAKE_RUN(NULL, borrow_in_frame_and_leave, NULL);
}

SOON_TEST_PLAIN(limiter, task_that_ends_with_a_loan_in_its_frame_aborts)
{
	ASSERT_ABORTS(die_of_a_loan_in_a_frame, "'borrow_in_frame_and_leave', spawned at");
	ASSERT_ABORTS(die_of_a_loan_in_a_frame, "ended with 1 tokens of limiters");
}

/* Any order and any size: as many as allowed, none lost. */

struct world {
	uint64_t random;
	soon_limiter limiter;
	unsigned inside, lent, given_up;
	unsigned working; /* tasks that have not ended */
};

static int borrow(struct world *w)
{
	for (uint64_t i = 1 + random_below(&w->random, 4); i > 0; i--) {
		soon_ns patience = (soon_ns)random_below(&w->random, 8);
		SOON_LOAN(loan);

		if (soon_within(patience, soon_limiter_acquire(&w->limiter, &loan)) < 0) {
			w->given_up++;
			continue;
		}
		w->lent++;
		w->inside++;
		/* The others were lent one, too, but have not run yet. */
		cr_assert_leq(w->inside, soon_limiter_borrowed(&w->limiter));
		cr_assert_eq(soon_sleep((soon_ns)random_below(&w->random, 4)), 0);
		w->inside--;
	}
	w->working--;
	return 0;
}

static int resize_often(struct world *w)
{
	while (w->working > 0) {
		uint32_t before = soon_limiter_borrowed(&w->limiter);
		uint32_t tokens = (uint32_t)random_below(&w->random, 5);

		cr_assert_eq(soon_limiter_resize(&w->limiter, tokens), 0);
		cr_assert_geq(soon_limiter_borrowed(&w->limiter), before);
		if (soon_limiter_borrowed(&w->limiter) > before)
			cr_assert_leq(soon_limiter_borrowed(&w->limiter), tokens);
		if (soon_limiter_borrowed(&w->limiter) < tokens)
			cr_assert_eq(soon_limiter_waiting(&w->limiter), 0);
		cr_assert_eq(soon_sleep(1 + (soon_ns)random_below(&w->random, 5)), 0);
	}
	return 0;
}

static int borrow_in_any_order(struct world *w)
{
	SOON_GROUP(g);

	w->working = 8;
	for (int i = 0; i < 8; i++)
		cr_assert_eq(soon_spawn(&g, borrow, w), 0);
	cr_assert_eq(soon_spawn(&g, resize_often, w), 0);
	cr_assert_eq(soon_group_close(&g, 0), 0);
	cr_assert_eq(w->inside, 0);
	cr_assert_eq(soon_limiter_borrowed(&w->limiter), 0);
	cr_assert_eq(soon_limiter_waiting(&w->limiter), 0);
	return 0;
}

SOON_TEST_PLAIN(limiter, keeps_its_tokens_under_a_thousand_orders)
{
	struct world w = { .limiter = SOON_LIMITER_INIT(3) };

	FOR_SEEDS(&w, borrow_in_any_order);
	cr_assert_gt(w.lent, SEEDS);
	cr_assert_gt(w.given_up, SEEDS);
}
