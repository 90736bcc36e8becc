// SPDX-License-Identifier: Apache-2.0
/* kit_backend.h: what the two back ends count, and which one a test runs on. */
#ifndef TESTS_UNIT_URING_KIT_BACKEND_H
#define TESTS_UNIT_URING_KIT_BACKEND_H

#include "epoll.h"
#include "kit.h"
#include "ring.h"

static inline __attribute__((unused)) bool kit_is_on_ring(void)
{
	return soon_io_backend(NULL) == SOON_IO_URING;
}

/* Leaves a test of what only the ring has. */
#define KIT_RING_ONLY(why)                                                                         \
	do {                                                                                       \
		if (!kit_is_on_ring())                                                             \
			return; /* why */                                                          \
	} while (0)

/* System calls that take what has happened. */
static inline __attribute__((unused)) uint64_t kit_enters(void)
{
	return kit_is_on_ring() ? soon__ring_self()->stats.enter_count
				: soon__epoll_self()->stats.wait_count;
}

/* What the kernel was asked to do, or to watch. */
static inline __attribute__((unused)) uint64_t kit_submits(void)
{
	return kit_is_on_ring() ? soon__ring_self()->stats.submit_count
				: soon__epoll_self()->stats.ctl_count;
}

/* What it told. */
static inline __attribute__((unused)) uint64_t kit_completions(void)
{
	return kit_is_on_ring() ? soon__ring_self()->stats.complete_count
				: soon__epoll_self()->stats.event_count;
}

#endif
