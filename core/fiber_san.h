// SPDX-License-Identifier: Apache-2.0
/*
 * fiber_san.h: all that the checking tools have to be told about stacks and switches. Nothing of
 * it exists in a release build, and the switch itself is the same code in every build.
 *
 *  - ASan keeps a fake stack per fiber and wants the bounds of the next one before each switch.
 *  - LSan does not look into memory from mmap unless it is registered.
 *  - TSan keeps a shadow stack per fiber.
 *  - Valgrind guesses at stack changes unless stacks are registered.
 */
#ifndef CORE_FIBER_SAN_H
#define CORE_FIBER_SAN_H

#include <stddef.h>

#if defined(__SANITIZE_ADDRESS__)
#define SOON__ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define SOON__ASAN 1
#endif
#endif

#if defined(__SANITIZE_THREAD__)
#define SOON__TSAN 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define SOON__TSAN 1
#endif
#endif

#ifdef SOON__ASAN
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#include <sanitizer/lsan_interface.h>
#endif
#ifdef SOON__TSAN
#include <sanitizer/tsan_interface.h>
#endif
#ifdef SOON_VALGRIND
#include <valgrind/memcheck.h>
#include <valgrind/valgrind.h>
#endif

/* What the tools need to know of one context. Nothing in a release build. */
struct soon__san {
#ifdef SOON__ASAN
	void *fake_stack;
	const void *low;
	size_t bytes;
#endif
#ifdef SOON__TSAN
	void *fiber;
#endif
#ifdef SOON_VALGRIND
	unsigned stack_id;
#endif
	char unused; /* C has no empty structure */
};

/* The thread's own context; its bounds are learnt at the first switch away from it. */
static inline void soon__san_adopt_thread(struct soon__san *san)
{
	(void)san;
#ifdef SOON__ASAN
	san->fake_stack = NULL;
	san->low = NULL;
	san->bytes = 0;
#endif
#ifdef SOON__TSAN
	san->fiber = __tsan_get_current_fiber();
#endif
}

/* A stack [low, low + bytes) is about to be used for the first time, or again. */
static inline void soon__san_stack_begin(struct soon__san *san, void *low, size_t bytes)
{
	(void)san;
	(void)low;
	(void)bytes;
#ifdef SOON__ASAN
	san->fake_stack = NULL;
	san->low = low;
	san->bytes = bytes;
	__lsan_register_root_region(low, bytes);
#endif
#ifdef SOON__TSAN
	san->fiber = __tsan_create_fiber(0);
#endif
#ifdef SOON_VALGRIND
	san->stack_id = VALGRIND_STACK_REGISTER(low, (char *)low + bytes);
#endif
}

/* The stack will not be run again; never called on the stack itself. `low` and `bytes` as above. */
static inline void soon__san_stack_end(struct soon__san *san, void *low, size_t bytes)
{
	(void)san;
	(void)low;
	(void)bytes;
#ifdef SOON__ASAN
	__lsan_unregister_root_region(low, bytes);
	__asan_unpoison_memory_region(low, bytes);
#endif
#ifdef SOON__TSAN
	__tsan_destroy_fiber(san->fiber);
#endif
#ifdef SOON_VALGRIND
	VALGRIND_STACK_DEREGISTER(san->stack_id);
#endif
}

static inline void soon__san_stack_unpoison(void *low, size_t bytes)
{
	(void)low;
	(void)bytes;
#ifdef SOON__ASAN
	__asan_unpoison_memory_region(low, bytes);
#endif
}

/* Directly before a switch. `is_last`: the leaving context ends. */
static inline __attribute__((always_inline)) void soon__san_leave(
	struct soon__san *from, struct soon__san *to, int is_last)
{
	(void)from;
	(void)to;
	(void)is_last;
#ifdef SOON__ASAN
	__sanitizer_start_switch_fiber(is_last ? NULL : &from->fake_stack, to->low, to->bytes);
#endif
#ifdef SOON__TSAN
	__tsan_switch_to_fiber(to->fiber, 0);
#endif
}

/* Directly after arriving in `self`; `thread` learns the thread's own bounds at its first use. */
static inline __attribute__((always_inline)) void soon__san_arrive(
	struct soon__san *self, struct soon__san *thread)
{
	(void)self;
	(void)thread;
#ifdef SOON__ASAN
	const void *low;
	size_t bytes;

	__sanitizer_finish_switch_fiber(self->fake_stack, &low, &bytes);
	if (thread->low == NULL) {
		thread->low = low;
		thread->bytes = bytes;
	}
#endif
}

/* Whether a release of a stack has to wait until the context has been left for good. */
#if defined(SOON__ASAN) || defined(SOON__TSAN) || defined(SOON_VALGRIND)
#define SOON__SAN_ACTIVE 1
#else
#define SOON__SAN_ACTIVE 0
#endif

/* A function that reads stacks from outside, red zones and all. */
#define SOON__SAN_NONE __attribute__((noinline, no_sanitize("address"), no_sanitize("thread")))

/* A word read there may never have been written. */
static inline void soon__san_word_known(const void *word)
{
	(void)word;
#ifdef SOON_VALGRIND
	(void)VALGRIND_MAKE_MEM_DEFINED(word, sizeof(void *));
#endif
}

#endif
