// SPDX-License-Identifier: Apache-2.0
/*
 * mem.h: the allocator of the whole library, behind one file (core/mem.c): jemalloc or libc, as it
 * was built. Programs may use it too. The tests make the k-th allocation fail through it.
 */
#ifndef SOON_MEM_H
#define SOON_MEM_H

#include <soon/base.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * As malloc, calloc with one size, realloc and free of the C library; never mix the two.
 * Affinity: any. Suspends: never. Ownership: returns owned, to be given to soon_free.
 * Returns: NULL when there is no memory, and only then: no bytes are one. soon_zalloc: zeroed.
 */
SOON_API SOON_NODISCARD void *soon_malloc(size_t bytes) SOON_ANY_THREAD;
SOON_API SOON_NODISCARD void *soon_zalloc(size_t bytes) SOON_ANY_THREAD;
SOON_API SOON_NODISCARD void *soon_realloc(void *SOON_NULLABLE old, size_t bytes) SOON_ANY_THREAD;
SOON_API void soon_free(void *SOON_NULLABLE ptr) SOON_ANY_THREAD;

/*
 * Fault injection: makes the k-th allocation from now fail (1 is the next one), and that one only;
 * 0 turns it off.
 * Affinity: any; counts the whole process. Suspends: never.
 */
SOON_API void soon_mem_fail_at(uint64_t k) SOON_ANY_THREAD;

/* Returns how many allocations were asked for so far, for loops over k. Affinity: any. */
SOON_API uint64_t soon_mem_count(void) SOON_ANY_THREAD;

#ifdef __cplusplus
}
#endif

#endif
