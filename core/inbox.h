// SPDX-License-Identifier: Apache-2.0
/*
 * inbox.h: how other threads reach a core: a lock-free list of callbacks, many producers, one
 * consumer, intrusive.
 *
 * One word says everything. It holds the newest callback of a chain (linked newest to oldest), or
 * one of three marks:
 *   AWAKE   nothing is there, and the consumer will look again by itself;
 *   ASLEEP  nothing is there, and the consumer sleeps or is about to: who replaces this mark rings
 *           its doorbell. Once per sleep, because only the consumer sets the mark;
 *   CLOSED  nothing will ever be taken again.
 * Since the same word is the list and the state, there is no window between "is it empty?" and
 * "go to sleep", and no fence.
 *
 * An accepted callback runs: either in a drain, or in the close. Posting is soon_post(); all that
 * is declared here is the consumer's.
 */
#ifndef CORE_INBOX_H
#define CORE_INBOX_H

#include <soon/thread.h>

#include <stdatomic.h>

enum soon__inbox_mark {
	SOON__INBOX_AWAKE = 0,
	SOON__INBOX_ASLEEP = 1,
	SOON__INBOX_CLOSED = 2,
};

struct soon__inbox {
	soon_callback *taken; /* the consumer's: out of the list, oldest first, not yet run */

	/* Written by producers, so on a cache line that nothing else of the core shares. */
	char padding_before[64];
	_Atomic(uintptr_t) head;   /* a mark, or the newest callback */
	_Atomic(uint32_t) ringing; /* producers that may be inside wake() of the core's poller */
	char padding_after[64];
};

/* Makes a closed inbox: every post fails. */
void soon__inbox_init(struct soon__inbox *inbox);

/*
 * Starts to accept posts. The core's poller must be there before the first sleep and live until
 * soon__inbox_close() has returned.
 */
void soon__inbox_open(struct soon__inbox *inbox);

/* Returns whether a drain would run something. */
static inline bool soon__inbox_is_due(struct soon__inbox *inbox)
{
	return inbox->taken != NULL ||
		atomic_load_explicit(&inbox->head, memory_order_relaxed) > SOON__INBOX_CLOSED;
}

/*
 * Runs what was posted before the call, at most `max`, and returns how many. What is left comes
 * first in the next drain.
 */
unsigned soon__inbox_drain(struct soon__inbox *inbox, unsigned max);

/*
 * Announces that the consumer is going to sleep until its doorbell rings. Returns false, and then
 * nothing is announced, when there is something to drain.
 */
bool soon__inbox_prepare_sleep(struct soon__inbox *inbox);

/* Takes the announcement back; for every soon__inbox_prepare_sleep() that returned true. */
void soon__inbox_awake(struct soon__inbox *inbox);

/* In a forked child: refuses further posts; what was accepted is run in the parent. */
void soon__inbox_forget(struct soon__inbox *inbox);

/*
 * Refuses further posts, runs all that were accepted, and returns when no producer rings any more,
 * so that the poller can go. Nothing happens when it is closed already.
 */
void soon__inbox_close(struct soon__inbox *inbox);

#endif
