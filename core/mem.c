// SPDX-License-Identifier: Apache-2.0
/*
 * mem.c: the only file that knows the allocator.
 *
 * jemalloc is reached through mallocx() and its family, names that only jemalloc has. So the
 * library allocates from it whether or not the program does: libsoon.so leaves a program's own
 * malloc alone (libc comes before jemalloc in its search order), while a program that itself links
 * jemalloc, as one with the static library does, has it as malloc too. Both are sound, because
 * whatever comes from here goes back through here.
 */
#include <soon/assert.h>
#include <soon/mem.h>

#include <stdatomic.h>
#include <stdlib.h>

#if SOON_MALLOC_JEMALLOC
#include <jemalloc/jemalloc.h>
#endif

static atomic_uint_least64_t asked; /* allocations so far */
static atomic_uint_least64_t fuse;  /* the how-manieth from now fails; 0: none */

/* Counts an allocation; returns whether it is the one that has to fail. */
static bool is_to_fail(void)
{
	uint64_t left = atomic_load_explicit(&fuse, memory_order_relaxed);

	atomic_fetch_add_explicit(&asked, 1, memory_order_relaxed);
	while (SOON_UNLIKELY(left > 0)) {
		/* Only the number counts; it orders nothing else. */
		if (atomic_compare_exchange_weak_explicit(
			    &fuse, &left, left - 1, memory_order_relaxed, memory_order_relaxed))
			return left == 1;
	}
	return false;
}

/* Zero bytes are one: NULL means failure and nothing else. */
static size_t at_least_one(size_t bytes)
{
	return bytes > 0 ? bytes : 1;
}

void *soon_malloc(size_t bytes)
{
	if (is_to_fail())
		return NULL;
#if SOON_MALLOC_JEMALLOC
	return mallocx(at_least_one(bytes), 0);
#else
	return malloc(at_least_one(bytes));
#endif
}

void *soon_zalloc(size_t bytes)
{
	if (is_to_fail())
		return NULL;
#if SOON_MALLOC_JEMALLOC
	return mallocx(at_least_one(bytes), MALLOCX_ZERO);
#else
	return calloc(1, at_least_one(bytes));
#endif
}

void *soon_realloc(void *old, size_t bytes)
{
	if (old == NULL)
		return soon_malloc(bytes);
	if (is_to_fail())
		return NULL;
#if SOON_MALLOC_JEMALLOC
	return rallocx(old, at_least_one(bytes), 0);
#else
	return realloc(old, at_least_one(bytes));
#endif
}

void soon_free(void *ptr)
{
#if SOON_MALLOC_JEMALLOC
	if (ptr != NULL)
		dallocx(ptr, 0);
#else
	free(ptr);
#endif
}

void soon_mem_fail_at(uint64_t k)
{
	atomic_store_explicit(&fuse, k, memory_order_relaxed);
}

uint64_t soon_mem_count(void)
{
	return atomic_load_explicit(&asked, memory_order_relaxed);
}
