// SPDX-License-Identifier: Apache-2.0
/*
 * mem_san.h: what AddressSanitizer cannot see by itself, because the kernel is not instrumented:
 * whether memory handed to it may be used, and that a returned buffer may not be used any more.
 */
#ifndef URING_MEM_SAN_H
#define URING_MEM_SAN_H

#include <soon/assert.h>

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define SOON__MEM_SAN 1
#endif
#endif
#if defined(__SANITIZE_ADDRESS__)
#define SOON__MEM_SAN 1
#endif

#ifdef SOON__MEM_SAN

#include <sanitizer/asan_interface.h>

static inline void soon__mem_check(const void *ptr, size_t bytes)
{
	/* The interface takes a pointer to non-const and does not write. */
	void *bad = __asan_region_is_poisoned((void *)(uintptr_t)ptr, bytes);

	if (bad != NULL)
		soon_die("memory given to an I/O operation is not addressable: %p of %p + %zu", bad,
			ptr, bytes);
}

static inline void soon__mem_poison(const void *ptr, size_t bytes)
{
	__asan_poison_memory_region(ptr, bytes);
}

static inline void soon__mem_unpoison(const void *ptr, size_t bytes)
{
	__asan_unpoison_memory_region(ptr, bytes);
}

#else

static inline void soon__mem_check(const void *ptr, size_t bytes)
{
	(void)ptr;
	(void)bytes;
}

static inline void soon__mem_poison(const void *ptr, size_t bytes)
{
	(void)ptr;
	(void)bytes;
}

static inline void soon__mem_unpoison(const void *ptr, size_t bytes)
{
	(void)ptr;
	(void)bytes;
}

#endif

#endif
