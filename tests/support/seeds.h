// SPDX-License-Identifier: Apache-2.0
/*
 * seeds.h: what depends on the sanitizer. How many orders a randomised test tries: all of them
 * without one, which is where a wrong order shows; what the others look for shows in few.
 */
#ifndef TESTS_SUPPORT_SEEDS_H
#define TESTS_SUPPORT_SEEDS_H

#if defined(__SANITIZE_ADDRESS__)
#define SOON_TEST_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define SOON_TEST_ASAN 1
#endif
#endif

#if defined(__SANITIZE_THREAD__)
#define SOON_TEST_TSAN 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define SOON_TEST_TSAN 1
#endif
#endif

/* For a case's .disabled, where ThreadSanitizer itself cannot do what the case needs. */
#if defined(SOON_TEST_TSAN)
#define IS_UNDER_TSAN true
#else
#define IS_UNDER_TSAN false
#endif

#if defined(SOON_VALGRIND) || defined(SOON_TEST_TSAN)
#define SEEDS 50u
#elif defined(SOON_TEST_ASAN)
#define SEEDS 200u
#else
#define SEEDS 1000u
#endif

#endif
