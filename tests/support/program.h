// SPDX-License-Identifier: Apache-2.0
/*
 * program.h: for tests with a main of their own, declared with soon_add_program_test().
 *
 * CHECK and CHECK_EQ say what they saw and end the program; SKIP ends it as skipped. All three
 * may be used on any thread and in any task.
 */
#ifndef TESTS_SUPPORT_PROGRAM_H
#define TESTS_SUPPORT_PROGRAM_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#define TEST_EXIT_SKIPPED 77

#define CHECK(c)                                                                                   \
	do {                                                                                       \
		if (!(c)) {                                                                        \
			fprintf(stderr, "%s:%d: %s: not true: %s\n", __FILE__, __LINE__, __func__, \
				#c);                                                               \
			_Exit(EXIT_FAILURE);                                                       \
		}                                                                                  \
	} while (0)

/* For integers; both sides are evaluated once. */
#define CHECK_EQ(a, b)                                                                             \
	do {                                                                                       \
		intmax_t a_ = (intmax_t)(a), b_ = (intmax_t)(b);                                   \
		if (a_ != b_) {                                                                    \
			fprintf(stderr, "%s:%d: %s: %s is %jd, %s is %jd\n", __FILE__, __LINE__,   \
				__func__, #a, a_, #b, b_);                                         \
			_Exit(EXIT_FAILURE);                                                       \
		}                                                                                  \
	} while (0)

#define SKIP(reason)                                                                               \
	do {                                                                                       \
		fprintf(stderr, "skipped: %s\n", (reason));                                        \
		_Exit(TEST_EXIT_SKIPPED);                                                          \
	} while (0)

#endif
