// SPDX-License-Identifier: Apache-2.0
/* Each case fails, for the reason in its name. bad.sh runs them one by one and reads why. */
#include <soon/mutex.h>

#include "bodies.h"

SOON_TEST(bad, task)
{
	leave_task();
}

SOON_TEST(bad, nested_task)
{
	leave_nested_task();
}

SOON_TEST(bad, operation)
{
	leave_operation();
}

SOON_TEST(bad, descriptor)
{
	leave_descriptor();
}

SOON_TEST(bad, error)
{
	file_error();
}

SOON_TEST(bad, failure)
{
	leave_failure();
}

SOON_TEST(bad, generator)
{
	leave_generator();
}

SOON_TEST_F(bad, generator_with_errors_ok, SOON_T_ERRORS_OK)
{
	leave_generator();
}

SOON_TEST(bad, memory)
{
	lose_memory();
}

/* The opt-outs are independent of each other. */

SOON_TEST_F(bad, error_with_leaks_ok, SOON_T_LEAKS_OK)
{
	file_error();
}

SOON_TEST_F(bad, task_with_errors_ok, SOON_T_ERRORS_OK)
{
	leave_task();
}

SOON_TEST_F(bad, descriptor_with_tasks_ok, SOON_T_TASKS_OK)
{
	leave_descriptor();
}

SOON_TEST(bad, fewer_errors_than_expected)
{
	soon_test_expect_errors(2);
	file_error();
}

SOON_TEST_PLAIN(bad, plain_error)
{
	file_error();
}

SOON_TEST_PLAIN(bad, plain_descriptor)
{
	leave_descriptor();
}

static int fail_assertion(void *unused)
{
	(void)unused;
	cr_assert_fail("asserted in a child");
	return 0;
}

SOON_TEST(bad, assertion_in_a_child)
{
	SOON_GROUP(g);

	cr_assert_eq(soon_spawn(&g, fail_assertion, NULL), 0);
	(void)!soon_group_close(&g, 0);
	cr_log_error("this line was reached");
}

static soon_mutex held;

static int lock_held(soon_mutex *mutex)
{
	return soon_mutex_lock(mutex);
}

/* Proved, so it fails at once instead of at its time limit. */
static void wait_for_each_other(void)
{
	SOON_GROUP(g);

	cr_assert_eq(soon_mutex_lock(&held), 0);
	cr_assert_eq(soon_spawn(&g, lock_held, &held), 0);
	(void)!soon_group_close(&g, 0);
}

SOON_TEST(bad, deadlock)
{
	wait_for_each_other();
}

SOON_TEST_F(bad, deadlock_without_a_kernel, SOON_T_NO_KERNEL)
{
	wait_for_each_other();
}

static int wait_for_nobody(void *unused)
{
	(void)unused;
	return soon_sleep_until(SOON_NEVER);
}

SOON_TEST_F(bad, within, SOON_T_VIRTUAL)
{
	SOON_ASSERT_WITHIN(SOON_S(5))
	{
		SOON_GROUP(g);

		cr_assert_eq(soon_spawn(&g, wait_for_nobody, NULL), 0);
		(void)!soon_group_close(&g, 0);
	}
}

static void leave_by_return(void)
{
	SOON_ASSERT_WITHIN(SOON_S(5))
	{
		(void)!soon_sleep(SOON_S(6));
		return;
	}
}

SOON_TEST_F(bad, within_left, SOON_T_VIRTUAL)
{
	leave_by_return();
}

SOON_TEST(bad, within_computing)
{
	SOON_ASSERT_WITHIN(SOON_MS(1))
	{
		soon_ns end = soon_now() + SOON_MS(3);

		while (soon_now() < end)
			continue;
	}
}

SOON_TEST(bad, suspends)
{
	SOON_ASSERT_SUSPENDS
	{
		(void)soon_now();
	}
}

SOON_TEST(bad, no_suspend)
{
	SOON_ASSERT_NO_SUSPEND
	{
		cr_assert_eq(soon_yield(), 0);
	}
}

SOON_TEST(bad, unbalanced)
{
	soon_fake_resource lock = { .name = "lock" };

	cr_assert_eq(soon_fake_open(&lock, 0), 0);
	cr_assert_eq(soon_fake_enter(&lock, NULL), 0);
	soon_fake_close(&lock);
	SOON_ASSERT_BALANCED(&lock);
}

SOON_TEST(bad, not_entered)
{
	soon_fake_resource lock = { 0 };

	cr_assert_eq(soon_fake_open(&lock, 0), 0);
	soon_fake_close(&lock);
	SOON_ASSERT_ENTERED(&lock);
}

/* Under seeds: the one that fails is printed, whatever way the test ends. */

static char order[3];
static unsigned order_len;

static int sign(int letter)
{
	order[order_len++] = (char)letter;
	return 0;
}

static bool is_in_order(void)
{
	SOON_GROUP(g);

	order_len = 0;
	cr_assert_eq(soon_spawn(&g, sign, 'a'), 0);
	cr_assert_eq(soon_spawn(&g, sign, 'b'), 0);
	cr_assert_eq(soon_group_close(&g, 0), 0);
	return order[0] == 'a';
}

SOON_TEST_SHUFFLED(bad, order, 0, 100)
{
	if (!is_in_order())
		file_error();
}

SOON_TEST_SHUFFLED(bad, order_asserted, 0, 100)
{
	cr_assert(is_in_order());
}

SOON_TEST_SHUFFLED(bad, order_aborted, 0, 100)
{
	SOON_ASSERT(is_in_order());
}
