// SPDX-License-Identifier: Apache-2.0
/*
 * harness.h: what every Criterion test of soon stands on, which is the kit that users have.
 *
 *	SOON_TEST(timer, fires_in_order)
 *	{
 *		cr_assert_eq(soon_sleep(SOON_MS(1)), 0);
 *	}
 *
 * The body of SOON_TEST is a task inside a run on the real poller. SOON_TEST_PLAIN is for a body
 * that needs no runtime or starts its own. Both fail for what is left behind, see <soon/test.h>.
 * Each test is a process of its own, so nothing here has to be undone.
 *
 * Under Valgrind and ThreadSanitizer Criterion's library is left out: see forking_main.c.
 */
#ifndef TESTS_SUPPORT_HARNESS_H
#define TESTS_SUPPORT_HARNESS_H

#include <soon/report.h>
#include <soon/task.h>
#include <soon/test.h>

#include "seeds.h"

#include <criterion/criterion.h>

/* How many reports of level ERROR the test means to cause; its body may set it. */
#define soon_test_reports_expected soon__test_expected

#endif
