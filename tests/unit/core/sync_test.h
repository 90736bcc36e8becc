// SPDX-License-Identifier: Apache-2.0
/*
 * sync_test.h: what the tests of mutexes, semaphores and their like share: reports to compare, a
 * second core, and randomness that is a function of a seed.
 */
#ifndef TESTS_UNIT_CORE_SYNC_TEST_H
#define TESTS_UNIT_CORE_SYNC_TEST_H

#include "fake_test.h"

#include <pthread.h>
#include <string.h>

/* The last report; threads take turns where it is looked at. */
static char report_text[SOON_REPORT_TEXT_BYTES] __attribute__((unused));

static inline int keep_report(const soon_report *report, void *data)
{
	(void)data;
	(void)strncpy(report_text, report->text, sizeof report_text - 1);
	return 0;
}

/* `expr` gives `expected` and files one report, which contains both texts. */
#define ASSERT_REPORTED(expr, expected, text1, text2)                                              \
	do {                                                                                       \
		uint64_t before_ = soon_report_errors();                                           \
		soon_on_report(keep_report, NULL);                                                 \
		cr_assert_eq((expr), (expected));                                                  \
		soon_on_report(NULL, NULL);                                                        \
		cr_assert_eq(soon_report_errors() - before_, 1);                                   \
		cr_assert_not_null(strstr(report_text, (text1)), "said: %s", report_text);         \
		cr_assert_not_null(strstr(report_text, (text2)), "said: %s", report_text);         \
		soon_test_reports_expected++;                                                      \
	} while (0)

/* An object of some type to a task of another core. */
typedef int (*other_fn)(void *object);

struct other {
	other_fn fn;
	void *object;
	int rc;
};

static inline void *other_thread(void *arg)
{
	struct other *other = arg;

	other->rc = FAKE_RUN(NULL, other->fn, other->object);
	return NULL;
}

/* Runs `fn(object)` as the main task of another core while this one stands still. */
static inline int on_other_core(other_fn fn, void *object)
{
	struct other other = { .fn = fn, .object = object };
	pthread_t thread;

	cr_assert_eq(pthread_create(&thread, NULL, other_thread, &other), 0);
	cr_assert_eq(pthread_join(thread, NULL), 0);
	return other.rc;
}

/* Runs what returns an int in a scope that is cancelled already. */
#define IN_CANCELLED(expr)                                                                         \
	__extension__({                                                                            \
		ssize_t rc_;                                                                       \
		SOON_SCOPE(scope_);                                                                \
		soon_scope_cancel(&scope_, "test");                                                \
		rc_ = (expr);                                                                      \
		(void)!soon_scope_close(&scope_, 0);                                               \
		rc_;                                                                               \
	})

static inline uint64_t random_below(uint64_t *state, uint64_t bound)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state % bound;
}

/* Runs `fn(world)` under each seed, with `world.random` set from it. */
#define FOR_SEEDS(world, fn)                                                                       \
	for (uint64_t seed = 1; seed <= SEEDS; seed++) {                                           \
		(world)->random = seed * UINT64_C(0x9e3779b97f4a7c15) + 1;                         \
		cr_assert_eq(FAKE_RUN(&(struct fake_opts){ .seed = seed }, fn, (world)), 0,        \
			"seed %ju", (uintmax_t)seed);                                              \
	}

#endif
