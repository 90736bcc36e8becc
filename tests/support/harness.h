// SPDX-License-Identifier: Apache-2.0
/*
 * harness.h: what every Criterion test of soon stands on.
 *
 *	SOON_TEST(timer, fires_in_order)
 *	{
 *		cr_assert_eq(soon_sleep(SOON_MS(1)), 0);
 *	}
 *
 * The body of SOON_TEST is a task inside soon_run(). SOON_TEST_PLAIN is for a body that needs no
 * runtime or starts its own. Both fail when a report of level ERROR was filed that the test did not
 * announce, and when memory leaked or Valgrind found something: the tools alone would only print,
 * Criterion would pass; it also passes a test whose .fini fails, so the checks end the body.
 * Each test is a process of its own, so nothing here has to be undone.
 *
 * Where ThreadSanitizer runs, Criterion cannot: see program.h.
 */
#ifndef TESTS_SUPPORT_HARNESS_H
#define TESTS_SUPPORT_HARNESS_H

#include <soon/report.h>
#include <soon/task.h>

#include <criterion/criterion.h>

#if defined(__SANITIZE_ADDRESS__)
#define SOON_TEST_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define SOON_TEST_ASAN 1
#endif
#endif
#ifdef SOON_TEST_ASAN
#include <sanitizer/lsan_interface.h>
#endif
#ifdef SOON_VALGRIND
#include <valgrind/memcheck.h>
#endif

/* How many reports of level ERROR the test means to cause; its body sets it. */
static uint64_t soon_test_reports_expected __attribute__((unused));

#ifdef SOON_VALGRIND
static inline unsigned long soon_test_bytes_lost(void)
{
	unsigned long lost = 0, dubious = 0, reachable = 0, suppressed = 0;

	VALGRIND_DO_LEAK_CHECK;
	VALGRIND_COUNT_LEAKS(lost, dubious, reachable, suppressed);
	(void)dubious, (void)reachable, (void)suppressed;
	return lost;
}
#endif

/* A body that failed never gets here, and what it left allocated says nothing. */
static inline void soon_test_end(void)
{
	uint64_t reports = soon_report_errors();

	cr_assert_eq(reports, soon_test_reports_expected, "%ju reports were filed, %ju expected",
		(uintmax_t)reports, (uintmax_t)soon_test_reports_expected);
#ifdef SOON_TEST_ASAN
	cr_assert_eq(__lsan_do_recoverable_leak_check(), 0, "memory leaked, see above");
#endif
#ifdef SOON_VALGRIND
	cr_assert_eq(VALGRIND_COUNT_ERRORS, 0, "Valgrind found errors, see above");
	cr_assert_eq(soon_test_bytes_lost(), 0, "memory leaked, see above");
#endif
}

/* Further arguments are Criterion's: .timeout, .signal, .disabled. */
#define SOON_TEST_PLAIN(suite, name, ...)                                                          \
	static void suite##_##name##_body(void);                                                   \
	Test(suite, name, ##__VA_ARGS__)                                                           \
	{                                                                                          \
		suite##_##name##_body();                                                           \
		soon_test_end();                                                                   \
	}                                                                                          \
	static void suite##_##name##_body(void)

#define SOON_TEST(suite, name, ...)                                                                \
	static void suite##_##name##_body(void);                                                   \
	static int suite##_##name##_task(void *unused)                                             \
	{                                                                                          \
		(void)unused;                                                                      \
		suite##_##name##_body();                                                           \
		return 0;                                                                          \
	}                                                                                          \
	Test(suite, name, ##__VA_ARGS__)                                                           \
	{                                                                                          \
		int rc = soon_run(suite##_##name##_task, NULL);                                    \
		cr_assert_eq(rc, 0, "soon_run gave %d", rc);                                       \
		soon_test_end();                                                                   \
	}                                                                                          \
	static void suite##_##name##_body(void)

#endif
