// SPDX-License-Identifier: Apache-2.0
/*
 * latch.h: what a plain thread waits on, once: opened by another thread, which does not touch it
 * any more from the moment that the waiter can see it open. So it may lie in the waiter's frame.
 */
#ifndef CORE_LATCH_H
#define CORE_LATCH_H

#include <soon/time.h>

#include <stdatomic.h>
#include <stdbool.h>

/* All zero is a closed one. */
struct soon__latch {
	_Atomic(uint32_t) word; /* of latch.c */
};

/* Opens it and wakes the waiter, by a system call if that sleeps. Releases what came before. */
void soon__latch_open(struct soon__latch *latch);

/*
 * Waits until it is open; false: `deadline` (CLOCK_MONOTONIC; SOON_NEVER) came first, and it may be
 * waited for again. Acquires what came before the opening.
 */
bool soon__latch_wait(struct soon__latch *latch, soon_ns deadline);

/* The deadline that is `timeout` away from now. */
soon_ns soon__latch_deadline(soon_ns timeout);

#endif
