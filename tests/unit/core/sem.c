// SPDX-License-Identifier: Apache-2.0
/* Semaphores: permits are neither lost nor made, and nobody is overtaken. */
#include <soon/sem.h>

#include "sync_test.h"

static soon_sem sem;
static struct trace trace;

FAKE_TEST(sem, counts)
{
	soon_sem three = SOON_SEM_INIT(3);

	cr_assert_eq(soon_sem_count(&three), 3);
	cr_assert_eq(soon_sem_acquire(&three, 1), 0);
	cr_assert_eq(soon_sem_acquire(&three, 2), 0);
	cr_assert_eq(soon_sem_count(&three), 0);
	cr_assert_eq(soon_sem_try_acquire(&three, 1), -EAGAIN);
	cr_assert_eq(soon_sem_acquire(&three, 0), 0);
	cr_assert_eq(soon_sem_release(&three, 2), 0);
	cr_assert_eq(soon_sem_try_acquire(&three, 3), -EAGAIN);
	cr_assert_eq(soon_sem_try_acquire(&three, 2), 0);
	soon_sem_init(&three, 7);
	cr_assert_eq(soon_sem_count(&three), 7);
}

/* Acquires as many as the letter says, and keeps them. */
static int take(int letter)
{
	int rc = soon_sem_acquire(&sem, (uint32_t)(letter - '0'));

	if (rc == 0)
		trace_add(&trace, (char)letter);
	return rc;
}

static int take_within(int letter)
{
	ssize_t rc = soon_within(SOON_S(1), take(letter));

	return rc == -ETIMEDOUT ? 0 : (int)rc;
}

FAKE_TEST(sem, serves_in_the_order_of_asking)
{
	SOON_GROUP(g);

	for (const char *letter = "1312"; *letter; letter++)
		cr_assert_eq(soon_spawn(&g, take, *letter), 0);
	cr_assert_eq(soon_yield(), 0);
	cr_assert_eq(soon_sem_release(&sem, 3), 0);
	cr_assert_eq(soon_sleep(1), 0);
	/* Two are left: enough for the third, but the second was here before. */
	cr_assert_str_eq(trace.text, "1");
	cr_assert_eq(soon_sem_count(&sem), 2);
	cr_assert_eq(soon_sem_try_acquire(&sem, 1), -EAGAIN);
	cr_assert_eq(soon_sem_release(&sem, 2), 0);
	cr_assert_eq(soon_sleep(1), 0);
	cr_assert_str_eq(trace.text, "131");
	cr_assert_eq(soon_sem_release(&sem, 2), 0);
	cr_assert_eq(soon_group_close(&g, 0), 0);
	cr_assert_str_eq(trace.text, "1312");
	cr_assert_eq(soon_sem_count(&sem), 0);
}

FAKE_TEST(sem, who_leaves_lets_the_others_go_on)
{
	SOON_GROUP(g);

	cr_assert_eq(soon_spawn(&g, take_within, '9'), 0);
	cr_assert_eq(soon_spawn(&g, take, '2'), 0);
	cr_assert_eq(soon_spawn(&g, take, '1'), 0);
	cr_assert_eq(soon_yield(), 0);
	cr_assert_eq(soon_sem_release(&sem, 3), 0);
	cr_assert_eq(soon_yield(), 0);
	cr_assert_eq(trace.len, 0);
	cr_assert_eq(soon_group_close(&g, 0), 0);
	cr_assert_str_eq(trace.text, "21");
	cr_assert_eq(soon_sem_count(&sem), 0);
}

FAKE_TEST(sem, is_not_acquired_in_a_cancelled_scope)
{
	cr_assert_eq(soon_sem_release(&sem, 1), 0);
	cr_assert_eq(IN_CANCELLED(soon_sem_acquire(&sem, 1)), -ECANCELED);
	cr_assert_eq(soon_sem_count(&sem), 1);
	cr_assert_eq(IN_CANCELLED(soon_sem_try_acquire(&sem, 1)), 0);
	cr_assert_eq(IN_CANCELLED(soon_sem_release(&sem, 1)), 0);
}

static int take_with_result(int *ret_rc)
{
	*ret_rc = soon_sem_acquire(&sem, 1);
	return 0;
}

FAKE_TEST(sem, cancel_after_the_permit_comes_too_late)
{
	int first = 1, second = 1;
	SOON_GROUP(g);

	cr_assert_eq(soon_spawn(&g, take_with_result, &first), 0);
	cr_assert_eq(soon_spawn(&g, take_with_result, &second), 0);
	cr_assert_eq(soon_yield(), 0);
	cr_assert_eq(soon_sem_release(&sem, 1), 0);
	soon_group_cancel(&g, "test");
	cr_assert_eq(soon_group_close(&g, 0), 0);
	cr_assert_eq(first, 0);
	cr_assert_eq(second, -ECANCELED);
	cr_assert_eq(soon_sem_count(&sem), 0);
}

static int take_often(bool *is_done)
{
	for (int i = 0; i < 1000 && !*is_done; i++)
		cr_assert_eq(soon_sem_acquire(&sem, 1), 0);
	return *is_done ? 0 : -ETIME;
}

static int set_flag(bool *flag)
{
	*flag = true;
	return 0;
}

FAKE_TEST(sem, loop_that_never_waits_gives_others_a_turn)
{
	bool is_done = false;
	SOON_GROUP(g);

	cr_assert_eq(soon_sem_release(&sem, 1000), 0);
	cr_assert_eq(soon_spawn(&g, take_often, &is_done), 0);
	cr_assert_eq(soon_spawn(&g, set_flag, &is_done), 0);
	cr_assert_eq(soon_group_close(&g, 0), 0);
}

/* Misuse and limits. */

FAKE_TEST(sem, overflow_is_refused)
{
	cr_assert_eq(soon_sem_release(&sem, SOON_SEM_MAX), 0);
	ASSERT_REPORTED(soon_sem_release(&sem, 1), -EOVERFLOW, "adds 1 permits", "4294967295");
	ASSERT_REPORTED(soon_sem_release(&sem, SOON_SEM_MAX), -EOVERFLOW, "overflow_is", "fit");
	cr_assert_eq(soon_sem_count(&sem), SOON_SEM_MAX);
	cr_assert_eq(soon_sem_acquire(&sem, SOON_SEM_MAX), 0);
	cr_assert_eq(soon_sem_count(&sem), 0);
}

static void release_in_callback(soon_callback *self)
{
	(void)self;
	cr_assert_eq(soon_sem_release(&sem, 2), 0);
	ASSERT_REPORTED(soon_sem_acquire(&sem, 1), -EPERM, "sem_acquire", "own stack");
}

FAKE_TEST(sem, may_be_released_in_a_callback)
{
	static soon_callback callback = { .fn = release_in_callback };

	cr_assert_eq(soon_post(soon_core_self(), &callback), 0);
	cr_assert_eq(soon_sem_acquire(&sem, 2), 0);
}

SOON_TEST_PLAIN(sem, needs_a_core)
{
	ASSERT_REPORTED(soon_sem_acquire(&sem, 1), -EPERM, "sem_acquire", "runs no core");
	ASSERT_REPORTED(soon_sem_try_acquire(&sem, 1), -EPERM, "sem_try_acquire", "runs none");
	ASSERT_REPORTED(soon_sem_release(&sem, 1), -EPERM, "sem_release", "runs none");
	cr_assert_eq(soon_sem_count(&sem), 0);
}

/* Runs after runs and beside runs. */

static int use_once(void *unused)
{
	SOON_GROUP(g);

	(void)unused;
	trace = (struct trace){ 0 };
	cr_assert_eq(soon_spawn(&g, take, '1'), 0);
	cr_assert_eq(soon_yield(), 0);
	cr_assert_eq(soon_sem_release(&sem, 1), 0);
	return (int)soon_group_close(&g, 0);
}

static int release_two(void *unused)
{
	(void)unused;
	return soon_sem_release(&sem, 2);
}

static int find_two(void *unused)
{
	(void)unused;
	return soon_sem_try_acquire(&sem, 2);
}

SOON_TEST_PLAIN(sem, serves_one_run_after_another_and_keeps_its_permits)
{
	for (int i = 0; i < 3; i++)
		cr_assert_eq(FAKE_RUN(NULL, use_once, NULL), 0);
	cr_assert_eq(on_other_core(use_once, NULL), 0);
	cr_assert_eq(FAKE_RUN(NULL, release_two, NULL), 0);
	cr_assert_eq(FAKE_RUN(NULL, find_two, NULL), 0);
}

static int refused_elsewhere(void *unused)
{
	(void)unused;
	ASSERT_REPORTED(soon_sem_acquire(&sem, 1), -EPERM, "another core", "task 'take'");
	ASSERT_REPORTED(soon_sem_try_acquire(&sem, 1), -EPERM, "another core", "task 'take'");
	ASSERT_REPORTED(soon_sem_release(&sem, 1), -EPERM, "another core", "task 'take'");
	return 0;
}

FAKE_TEST(sem, waited_for_on_one_core_is_refused_on_another)
{
	SOON_GROUP(g);

	cr_assert_eq(soon_spawn(&g, take, '1'), 0);
	cr_assert_eq(soon_yield(), 0);
	cr_assert_eq(on_other_core(refused_elsewhere, NULL), 0);
	cr_assert_eq(soon_sem_release(&sem, 1), 0);
	cr_assert_eq(soon_group_close(&g, 0), 0);
	cr_assert_str_eq(trace.text, "1");
	cr_assert_eq(on_other_core(refused_elsewhere, NULL), 0);
}

/* Any order: permits are neither lost nor made, and who asked first was served first. */

#define PERMITS 5

struct world {
	uint64_t random;
	soon_sem sem;
	uint32_t taken;
	uint64_t asked, served;
	unsigned cancelled, late;
};

static int use(struct world *w)
{
	for (uint64_t i = 1 + random_below(&w->random, 4); i > 0; i--) {
		uint32_t count = 1 + (uint32_t)random_below(&w->random, PERMITS);
		soon_ns patience = (soon_ns)random_below(&w->random, 8);
		uint64_t ticket = ++w->asked;
		ssize_t rc = soon_within(patience, soon_sem_acquire(&w->sem, count));

		if (rc == -ETIMEDOUT) {
			w->cancelled++;
			continue;
		}
		cr_assert_eq(rc, 0);
		w->taken += count;
		/* Several are served at once and run in any order: those still hold theirs. */
		cr_assert_leq(w->taken + soon_sem_count(&w->sem), PERMITS);
		if (count == PERMITS) {
			cr_assert_gt(ticket, w->served);
			w->served = ticket;
		}
		cr_assert_eq(soon_sleep((soon_ns)random_below(&w->random, 4)), 0);
		w->taken -= count;
		cr_assert_eq(soon_sem_release(&w->sem, count), 0);
	}
	return 0;
}

static int use_in_any_order(struct world *w)
{
	SOON_GROUP(g);

	w->asked = w->served = 0;
	w->cancelled = 0;
	for (int i = 0; i < 8; i++)
		cr_assert_eq(soon_spawn(&g, use, w), 0);
	cr_assert_eq(soon_group_close(&g, 0), 0);
	cr_assert_eq(w->taken, 0);
	cr_assert_eq(soon_sem_count(&w->sem), PERMITS);
	w->late += w->cancelled;
	return 0;
}

SOON_TEST_PLAIN(sem, keeps_its_permits_under_a_thousand_orders)
{
	struct world w = { .sem = SOON_SEM_INIT(PERMITS) };

	FOR_SEEDS(&w, use_in_any_order);
	cr_assert_gt(w.late, SEEDS);
}
