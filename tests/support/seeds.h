// SPDX-License-Identifier: Apache-2.0
/*
 * seeds.h: how many orders a randomised test tries. All of them without a sanitizer, which is where
 * a wrong order shows; what the others look for shows in few.
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

#if defined(SOON_VALGRIND)
#define SEEDS 50u
#elif defined(SOON_TEST_ASAN)
#define SEEDS 200u
#else
#define SEEDS 1000u
#endif

#endif
