// SPDX-License-Identifier: Apache-2.0
/*
 * fake_test.h: unit tests of the core, each body the main task of a run on the fake poller.
 *
 *	FAKE_TEST(scope, expires)
 *	{
 *		cr_assert_eq(soon_within(SOON_S(1), soon_sleep(SOON_S(2))), -ETIMEDOUT);
 *	}
 */
#ifndef TESTS_UNIT_CORE_FAKE_TEST_H
#define TESTS_UNIT_CORE_FAKE_TEST_H

#include <soon/assert.h>
#include <soon/group.h>
#include <soon/thread.h>

#include <kit/fake_poller.h>
#include <support/harness.h>

#define FAKE_TEST(suite, name, ...)                                                                \
	SOON_TEST_F(suite, name, SOON_TEST_FLAGS | SOON_T_NO_KERNEL, ##__VA_ARGS__)

/* Who did what, in order: tests append letters and compare the word. */
struct trace {
	char text[256];
	size_t len;
};

static inline void trace_add(struct trace *trace, char letter)
{
	cr_assert_lt(trace->len, sizeof trace->text - 1);
	trace->text[trace->len++] = letter;
	trace->text[trace->len] = '\0';
}

#endif
