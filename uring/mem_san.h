// SPDX-License-Identifier: Apache-2.0
/*
 * mem_san.h: what sanitizers cannot see by themselves, because the kernel is not instrumented.
 * AddressSanitizer: whether memory handed to it may be used, and that a returned buffer may not be
 * used any more. ThreadSanitizer: that a ring is gone, so that the next one at its address, maybe
 * of another thread, is not the same; liburing maps and unmaps by system calls of its own.
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

/* A forked child may map something of its own where it does not have the parent's memory. */
#define SOON__MEM_STAYS_POISONED 1

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

#define SOON__MEM_STAYS_POISONED 0

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

#if defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define SOON__RING_SAN 1
#endif
#endif
#if defined(__SANITIZE_THREAD__)
#define SOON__RING_SAN 1
#endif

#ifdef SOON__RING_SAN
#include <sanitizer/tsan_interface.h>

extern char soon__rings_ended; /* only its address is used */
#endif

/* A ring has been mapped: what went on in those that were unmapped before is over. */
static inline void soon__san_ring_begun(void)
{
#ifdef SOON__RING_SAN
	__tsan_acquire(&soon__rings_ended);
#endif
}

/* A ring is going to be unmapped. */
static inline void soon__san_ring_ends(void)
{
#ifdef SOON__RING_SAN
	__tsan_release(&soon__rings_ended);
#endif
}

#endif
