// SPDX-License-Identifier: Apache-2.0
/*
 * test.h: tests of services, over Criterion. The body of a SOON_TEST is the main task of a fresh
 * run, so it may sleep, spawn and read as the code it tests does, and cannot forget to wait. When
 * it ends, the test fails for all that it left behind, see <soon/test_run.h>.
 *
 *	SOON_TEST_F(lookup, gives_up, SOON_T_VIRTUAL)
 *	{
 *		SOON_ASSERT_WITHIN (SOON_S(10)) {
 *			cr_assert_eq(lookup("nobody"), -ETIMEDOUT);
 *		}
 *	}
 *
 * A file that tests without Criterion (under ThreadSanitizer Criterion cannot run) defines
 * SOON_TEST_NO_CRITERION before, and has all but SOON_TEST; assertions then print and abort.
 *
 * Criterion's assertions may be used in every task, on the core's thread only: a failed one leaves
 * the test at once, without unwinding any task. Not on offload threads.
 */
#ifndef SOON_TEST_H
#define SOON_TEST_H

#include <soon/fake.h>
#include <soon/group.h>
#include <soon/test_clock.h>
#include <soon/test_run.h>

#ifdef __has_include
#if !defined(SOON_TEST_NO_CRITERION) && __has_include(<criterion/criterion.h>)
#include <criterion/criterion.h>
#define SOON__TEST_CRITERION 1
#endif
#endif

#ifdef __cplusplus
extern "C" {
#endif

/* Fails the running test with a formatted message. */
#ifdef SOON__TEST_CRITERION
#define SOON_TEST_FAIL(...) cr_assert_fail(__VA_ARGS__)
#else
#define SOON_TEST_FAIL(...) soon__test_failed(__FILE__, __LINE__, __VA_ARGS__)
#endif
void soon__test_leave(void);
__attribute__((noreturn)) void soon__test_failed(const char *file, int line, const char *fmt, ...)
	SOON_PRINTF(3, 4);

/* The flags of tests that name none, SOON_T_..., for a whole file: define it before including. */
#ifndef SOON_TEST_FLAGS
#define SOON_TEST_FLAGS 0u
#endif

#ifdef SOON__TEST_CRITERION

/* A failed assertion jumps out of the task; on the way the seed is printed. */
__attribute__((noreturn)) static inline void soon__criterion_abort(void)
{
	soon__test_leave();
	criterion_abort_test();
}
#undef CR_FAIL_ABORT_
#define CR_FAIL_ABORT_ soon__criterion_abort

/* Further arguments of the four are Criterion's: .timeout, .signal, .disabled, .init. */

#define SOON_TEST(suite, name, ...) SOON_TEST_F(suite, name, SOON_TEST_FLAGS, ##__VA_ARGS__)

/* With flags of its own, which replace those of the file. */
#define SOON_TEST_F(suite, name, flags, ...)                                                       \
	SOON_TEST_SHUFFLED(suite, name, flags, 0, ##__VA_ARGS__)

/* Runs the body under the seeds 1 to `count`, each in a fresh run, until one fails. */
#define SOON_TEST_SHUFFLED(suite, name, flags_, count_, ...)                                       \
	static void suite##_##name##_body(void);                                                   \
	static int suite##_##name(void *unused)                                                    \
	{                                                                                          \
		(void)unused;                                                                      \
		suite##_##name##_body();                                                           \
		return 0;                                                                          \
	}                                                                                          \
	Test(suite, name, ##__VA_ARGS__)                                                           \
	{                                                                                          \
		static soon_verdict soon__verdict;                                                 \
		const soon_test_opts soon__opts = { .flags = (flags_), .seeds = (count_) };        \
		if (!soon_test_run(&soon__opts, suite##_##name, NULL, &soon__verdict))             \
			cr_assert_fail("%s", soon__verdict.text);                                  \
	}                                                                                          \
	static void suite##_##name##_body(void)

/* For a body that needs no runtime or starts its own; judged all the same. */
#define SOON_TEST_PLAIN(suite, name, ...)                                                          \
	SOON_TEST_PLAIN_F(suite, name, SOON_TEST_FLAGS, ##__VA_ARGS__)
#define SOON_TEST_PLAIN_F(suite, name, flags_, ...)                                                \
	static void suite##_##name##_body(void);                                                   \
	Test(suite, name, ##__VA_ARGS__)                                                           \
	{                                                                                          \
		static soon_verdict soon__verdict;                                                 \
		const soon_test_opts soon__opts = { .flags = (flags_) };                           \
		if (!soon_test_plain(&soon__opts, suite##_##name##_body, &soon__verdict))          \
			cr_assert_fail("%s", soon__verdict.text);                                  \
	}                                                                                          \
	static void suite##_##name##_body(void)

#endif

/* Behind the blocks below. */
typedef struct soon__within {
	soon_group group;
	const soon_site *site;
	soon_ns timeout;
	soon_ns end;
	bool is_open;
	bool is_expired;
} soon__within;

typedef struct soon__counted {
	const soon_site *site;
	uint64_t before;
	bool must_suspend;
	bool is_open;
} soon__counted;

soon__within *soon__within_enter(soon__within *guard, soon_ns timeout, const soon_site *site);
const char *soon__within_leave(soon__within *guard);
soon__counted *soon__counted_enter(soon__counted *guard, bool must_suspend, const soon_site *site);
const char *soon__counted_leave(soon__counted *guard);

static inline void soon__within_exit(soon__within *guard)
{
	const char *text = soon__within_leave(guard);

	if (text)
		SOON_TEST_FAIL("%s", text);
}

static inline void soon__counted_exit(soon__counted *guard)
{
	const char *text = soon__counted_leave(guard);

	if (text)
		SOON_TEST_FAIL("%s", text);
}

/*
 * SOON_ASSERT_WITHIN (timeout) { ... }: the block must end in time, on the clock of the run, which
 * may be virtual. When the time is over all tasks are dumped to stderr as they then are, the block
 * is cancelled, and the test fails as soon as it ends. May be left in every way.
 */
#define SOON_ASSERT_WITHIN(timeout)                                                                \
	SOON__WITHIN_IN(SOON__UNIQUE(soon__guard), SOON__UNIQUE(soon__turn), timeout)
#define SOON__WITHIN_IN(guard_, turn_, timeout)                                                    \
	for (soon__within guard_ __attribute__((cleanup(soon__within_exit))),                      \
		*turn_ = __extension__({                                                           \
			SOON__SITE("SOON_ASSERT_WITHIN");                                          \
			soon__within_enter(&guard_, (timeout), &soon__site);                       \
		});                                                                                \
		turn_; turn_ = (soon__within_exit(&guard_), (soon__within *)0))

/* SOON_ASSERT_SUSPENDS { ... }: the block must give other tasks a turn at least once. */
#define SOON_ASSERT_SUSPENDS                                                                       \
	SOON__COUNTED_IN(SOON__UNIQUE(soon__guard), SOON__UNIQUE(soon__turn), true)

/* SOON_ASSERT_NO_SUSPEND { ... }: and this one must not: what it reads stays true in it. */
#define SOON_ASSERT_NO_SUSPEND                                                                     \
	SOON__COUNTED_IN(SOON__UNIQUE(soon__guard), SOON__UNIQUE(soon__turn), false)
#define SOON__COUNTED_IN(guard_, turn_, must)                                                      \
	for (soon__counted guard_ __attribute__((cleanup(soon__counted_exit))),                    \
		*turn_ = __extension__({                                                           \
			SOON__SITE("block");                                                       \
			soon__counted_enter(&guard_, (must), &soon__site);                         \
		});                                                                                \
		turn_; turn_ = (soon__counted_exit(&guard_), (soon__counted *)0))

/* Balance and entries of a soon_fake_resource. */
#define SOON_ASSERT_BALANCED(resource)                                                             \
	do {                                                                                       \
		const char *soon__text = soon_fake_unbalanced(resource);                           \
		if (soon__text)                                                                    \
			SOON_TEST_FAIL("%s", soon__text);                                          \
	} while (0)
#define SOON_ASSERT_ENTERED(resource)                                                              \
	do {                                                                                       \
		if ((resource)->entered == 0)                                                      \
			SOON_TEST_FAIL("%s was opened %u times and never entered", #resource,      \
				(resource)->opened);                                               \
	} while (0)
#define SOON_ASSERT_NOT_ENTERED(resource)                                                          \
	do {                                                                                       \
		if ((resource)->entered != 0)                                                      \
			SOON_TEST_FAIL("%s was entered %u times", #resource, (resource)->entered); \
	} while (0)

#ifdef __cplusplus
}
#endif

#endif
