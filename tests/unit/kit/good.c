// SPDX-License-Identifier: Apache-2.0
/* What a test may do, or may be allowed to; and the blocks, where they are content. */
#include "bodies.h"

SOON_TEST_F(leaks, task_may_be_left, SOON_T_TASKS_OK)
{
	leave_task();
}

SOON_TEST_F(leaks, operation_may_be_left, SOON_T_IO_OK | SOON_T_FDS_OK)
{
	leave_operation();
}

SOON_TEST_F(leaks, descriptor_may_be_left, SOON_T_FDS_OK)
{
	leave_descriptor();
}

SOON_TEST_F(leaks, generator_may_be_left, SOON_T_GENS_OK)
{
	leave_generator();
}

SOON_TEST_F(leaks, memory_may_be_lost, SOON_T_MEMORY_OK)
{
	lose_memory();
}

SOON_TEST_F(leaks, all_may_be_left, SOON_T_LEAKS_OK)
{
	leave_task();
	leave_operation();
	leave_descriptor();
	leave_generator();
}

SOON_TEST_F(errors, may_be_filed, SOON_T_ERRORS_OK)
{
	file_error();
	cr_assert_eq(soon_test_errors(), 1);
	cr_assert(soon_test_reported("is wrong"));
	cr_assert_not(soon_test_reported("is right"));
}

SOON_TEST(errors, expected_ones_are_counted)
{
	soon_test_expect_errors(1);
	file_error();
	soon_test_expect_errors(1);
	file_error();
}

SOON_TEST_PLAIN(errors, expected_ones_are_counted_without_a_run)
{
	soon_test_expect_errors(1);
	file_error();
}

static int returned;

static int count_reports(const soon_report *report, void *data)
{
	(void)data;
	returned += report->level == SOON_REPORT_ERROR;
	return 0;
}

SOON_TEST_PLAIN(errors, reach_the_sink_all_the_same)
{
	soon_on_report(count_reports, NULL);
	soon_test_expect_errors(1);
	file_error();
	cr_assert_eq(returned, 1);
}

/* Verdicts, by the function. */

static soon_verdict verdict;

static int leave_two(void *unused)
{
	(void)unused;
	leave_task();
	leave_task();
	leave_descriptor();
	return 7;
}

SOON_TEST_PLAIN_F(verdict, counts, SOON_T_FDS_OK)
{
	cr_assert_not(soon_test_run(NULL, leave_two, NULL, &verdict));
	cr_assert_eq(verdict.rc, 7);
	cr_assert_eq(verdict.tasks, 2);
	cr_assert_eq(verdict.timers, 2);
	cr_assert_eq(verdict.descriptors, 1);
	cr_assert_eq(verdict.operations, 0);
	cr_assert_eq(verdict.errors, 0);
	cr_assert_eq(verdict.runs, 1);
	cr_assert_not(verdict.is_ok);
}

static int give(int rc)
{
	return rc;
}

SOON_TEST_PLAIN(verdict, negative_result_is_a_failure)
{
	cr_assert(soon_test_run(NULL, give, 3, &verdict));
	cr_assert_eq(verdict.rc, 3);
	cr_assert_str_eq(verdict.text, "");
	cr_assert_not(soon_test_run(NULL, give, -EIO, &verdict));
	cr_assert_eq(verdict.rc, -EIO);
	cr_assert_not_null(strstr(verdict.text, "give"));
}

static int count_run(int *runs)
{
	return soon_yield() < 0 ? -1 : ++*runs;
}

SOON_TEST_PLAIN(verdict, seeds_are_run_one_by_one)
{
	const soon_test_opts opts = { .flags = SOON_T_NO_KERNEL, .seed = 10, .seeds = 5 };
	int runs = 0;

	cr_assert(soon_test_run(&opts, count_run, &runs, &verdict));
	cr_assert_eq(runs, 5);
	cr_assert_eq(verdict.runs, 5);
	cr_assert_eq(verdict.seed, 14);
}

static int sleep_long(void *unused)
{
	(void)unused;
	return soon_sleep(SOON_S(100)) == 0 && soon_now() == SOON_S(142) ? 0 : -1;
}

SOON_TEST_PLAIN(verdict, run_without_a_kernel_begins_when_it_is_told)
{
	const soon_test_opts opts = { .flags = SOON_T_NO_KERNEL, .virtual_start = SOON_S(42) };

	cr_assert(soon_test_run(&opts, sleep_long, NULL, &verdict), "%s", verdict.text);
}

/* Blocks. */

SOON_TEST_F(within, block_in_time_is_fine, SOON_T_VIRTUAL)
{
	int turns = 0;

	SOON_ASSERT_WITHIN(SOON_NEVER)
	{
		cr_assert_eq(soon_sleep(SOON_S(1)), 0);
	}
	SOON_ASSERT_WITHIN(SOON_S(5))
	{
		SOON_ASSERT_WITHIN(SOON_S(3))
		{
			cr_assert_eq(soon_sleep(SOON_S(2)), 0);
			turns++;
		}
		turns++;
	}
	cr_assert_eq(turns, 2);
	cr_assert_eq(soon_sleep(SOON_S(100)), 0);
	while (turns-- > 0)
		SOON_ASSERT_WITHIN(SOON_S(5))
		{
			break;
		}
}

static void suspend_and_return(void)
{
	SOON_ASSERT_SUSPENDS
	{
		cr_assert_eq(soon_yield(), 0);
		return;
	}
}

SOON_TEST(suspends, what_gives_way_and_what_does_not)
{
	SOON_ASSERT_SUSPENDS
	{
		SOON_ASSERT_NO_SUSPEND
		{
			cr_assert_not(soon_cancelled());
		}
		cr_assert_eq(soon_sleep(SOON_US(1)), 0);
		SOON_ASSERT_NO_SUSPEND
		{
			cr_assert_gt(soon_now(), 0);
		}
	}
	suspend_and_return();
}

/* Fakes. */

static int enter_in_vain(soon_fake_resource *lock)
{
	return soon_fake_enter(lock, NULL);
}

SOON_TEST_F(fake, resource_keeps_books, SOON_T_VIRTUAL)
{
	int value = 42;
	soon_fake_resource lock = {
		.name = "lock",
		.enter_ns = SOON_S(1),
		.enter_rc = -EAGAIN,
		.fail_nth = 2,
		.value = &value,
	};
	void *got = NULL;

	cr_assert_eq(soon_fake_open(&lock, 7), 0);
	SOON_ASSERT_NOT_ENTERED(&lock);
	SOON_ASSERT_SUSPENDS
	{
		cr_assert_eq(soon_fake_enter(&lock, &got), 0);
	}
	cr_assert_eq(got, &value);
	SOON_ASSERT_ENTERED(&lock);
	cr_assert_eq(enter_in_vain(&lock), -EAGAIN);
	cr_assert_eq(soon_within(SOON_MS(1), enter_in_vain(&lock)), -ETIMEDOUT);
	cr_assert_not_null(soon_fake_unbalanced(&lock));
	cr_assert_eq(soon_fake_exit(&lock), 0);
	soon_fake_close(&lock);
	SOON_ASSERT_BALANCED(&lock);
	cr_assert_eq(lock.entered, 1);
	cr_assert_eq(lock.refused, 2);
	cr_assert_eq(lock.inside_max, 1);
	cr_assert_eq(lock.args[0], 7);
	cr_assert_eq(lock.args_count, 1);
}

SOON_FAKE(int, getpagesize, (void))
{
	return SOON_REAL(getpagesize)() + 1;
}

SOON_TEST_PLAIN(fake, function_is_in_the_place_of_another)
{
	cr_assert_eq(getpagesize() % 1024, 1);
}
