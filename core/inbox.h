// SPDX-License-Identifier: Apache-2.0
/*
 * inbox.h: how other threads reach a core: a lock-free list of callbacks, many producers, one
 * consumer, intrusive.
 *
 * One word says everything. It holds the newest callback of a chain (linked newest to oldest), or
 * one of the marks:
 *   AWAKE   nothing is there, and the consumer will look again by itself;
 *   ASLEEP  nothing is there, and the consumer sleeps in its poller or is about to: who replaces
 *           this mark rings the poller's bell. Once per sleep, because only the consumer sets it;
 *   PARKED  the same of a consumer that sleeps on the word itself, since its poller has nothing to
 *           wait for: who replaces this mark wakes it there, which takes less of the kernel;
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
	SOON__INBOX_PARKED = 3, /* the greatest: what is above is a callback */
};

struct soon__inbox {
	soon_callback *taken; /* the consumer's: out of the list, oldest first, not yet run */
	uint32_t bells;       /* the consumer's: marks ASLEEP that a producer replaced */

	/* Written by producers, so on a cache line that nothing else of the core shares. */
	char padding_before[64];
	_Atomic(uintptr_t) head; /* a mark, or the newest callback */
	_Atomic(uint32_t) rung;  /* of `bells`, those whose producer has left the poller's wake() */
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
		atomic_load_explicit(&inbox->head, memory_order_relaxed) > SOON__INBOX_PARKED;
}

/*
 * Runs what was posted before the call, at most `max`, and returns how many. What is left comes
 * first in the next drain.
 */
unsigned soon__inbox_drain(struct soon__inbox *inbox, unsigned max);

/*
 * Announces that the consumer is going to sleep, in its poller (SOON__INBOX_ASLEEP) or in
 * soon__inbox_park() (SOON__INBOX_PARKED). Returns false, and then nothing is announced, when there
 * is something to drain.
 */
bool soon__inbox_prepare_sleep(struct soon__inbox *inbox, enum soon__inbox_mark mark);

/* Sleeps until a post or `until`, or for no reason less long. Not with an injected clock. */
void soon__inbox_park(struct soon__inbox *inbox, soon_ns until);

/* Takes the announcement back; for every soon__inbox_prepare_sleep() that returned true. */
void soon__inbox_awake(struct soon__inbox *inbox, enum soon__inbox_mark mark);

/* In a forked child: refuses further posts; what was accepted is run in the parent. */
void soon__inbox_forget(struct soon__inbox *inbox);

/*
 * Refuses further posts, runs all that were accepted, and returns when no producer rings any more,
 * so that the poller can go. Nothing happens when it is closed already.
 */
void soon__inbox_close(struct soon__inbox *inbox);

#endif
