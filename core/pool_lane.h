// SPDX-License-Identifier: Apache-2.0
/*
 * pool_lane.h: one core's queue into a pool: one producer, many consumers, and cancels.
 *
 * A ring of words. A place holds
 *   0             nothing: the core may put a job there;
 *   job | lap     a job that nobody has taken;
 *   MARK | lap    a job that was withdrawn, or rather where it was.
 * `lap` is the lowest bit of how often the core has been round the ring. A thread that looks at
 * index `head` and finds the other lap sees what a slower thread has claimed but not yet taken out:
 * for it the place is empty. So `head` never passes `tail`, which threads need not read.
 *
 * Claims. A thread moves `head` past the place, which makes it the only thread there, and exchanges
 * the content for 0. A cancel exchanges the job for MARK, if it is still there. Whoever gets the
 * job out of the word decides: the thread runs it to its end, whatever happens; after a cancel it
 * never runs, and its frame may go. There is no other arbiter, and nothing is looked at before.
 *
 * Nobody sleeps beside a job. put() is sequentially consistent and comes before the core's look at
 * `searching` and `idle`; a thread's changes of these two are, and come before its last look at
 * head and ring. In the order of these four at least one side sees what the other did. Likewise a
 * core that has jobs left over says so in `is_behind` before it tries a last time, and a thread
 * that has emptied the ring looks there.
 */
#ifndef CORE_POOL_LANE_H
#define CORE_POOL_LANE_H

#include "pool.h"

#define SOON__LANE_LAP  ((uintptr_t)1)
#define SOON__LANE_MARK ((uintptr_t)2)

_Static_assert(_Alignof(struct soon__job) > SOON__LANE_MARK, "two bits of its address are free");

static inline uintptr_t soon__lane_lap(const struct soon__lane *lane, unsigned at)
{
	return (at & lane->slots) != 0 ? SOON__LANE_LAP : 0;
}

static inline _Atomic(uintptr_t) *soon__lane_place(struct soon__lane *lane, unsigned at)
{
	return &lane->ring[at & (lane->slots - 1)];
}

/* The core's: puts a job in, after all others; false: the ring is full. */
static inline bool soon__lane_put(struct soon__lane *lane, struct soon__job *job)
{
	unsigned at = atomic_load_explicit(&lane->tail, memory_order_relaxed);
	_Atomic(uintptr_t) *place = soon__lane_place(lane, at);

	/* Acquire: pairs with take(), whose thread is done with it. Sequential: see is_behind. */
	if (atomic_load_explicit(place, memory_order_seq_cst) != 0)
		return false;
	job->at = at;
	atomic_store_explicit(&lane->tail, at + 1, memory_order_relaxed);
	/* Release: what the job holds, pairs with take(). Sequential: see above. */
	atomic_store_explicit(
		place, (uintptr_t)job | soon__lane_lap(lane, at), memory_order_seq_cst);
	return true;
}

/*
 * The core's: puts a job in place of the oldest mark of a full ring. Only while no thread has any
 * other job of the lane, for then marks are all that the ring holds, nobody is overtaken, and
 * nothing else would have us try again.
 */
static inline bool soon__lane_replace(struct soon__lane *lane, struct soon__job *job)
{
	unsigned at = atomic_load_explicit(&lane->tail, memory_order_relaxed) - lane->slots;
	uintptr_t lap = soon__lane_lap(lane, at), seen = SOON__LANE_MARK | lap;

	job->at = at;
	/* As in put(). */
	return atomic_compare_exchange_strong_explicit(soon__lane_place(lane, at), &seen,
		(uintptr_t)job | lap, memory_order_seq_cst, memory_order_relaxed);
}

/* The core's: takes a job back; false: a thread has it. */
static inline bool soon__lane_withdraw(struct soon__lane *lane, struct soon__job *job)
{
	uintptr_t lap = soon__lane_lap(lane, job->at), seen = (uintptr_t)job | lap;

	/* Relaxed: who wins has nothing to tell the other but that. */
	return atomic_compare_exchange_strong_explicit(soon__lane_place(lane, job->at), &seen,
		SOON__LANE_MARK | lap, memory_order_relaxed, memory_order_relaxed);
}

/* Whether that content of a place is there for index `at`. */
static inline bool soon__lane_is_of(const struct soon__lane *lane, unsigned at, uintptr_t word)
{
	return word != 0 && (word & SOON__LANE_LAP) == soon__lane_lap(lane, at);
}

/* Whether there is something at `at`, for who got `at` from lane->head. */
static inline bool soon__lane_has(struct soon__lane *lane, unsigned at)
{
	return soon__lane_is_of(
		lane, at, atomic_load_explicit(soon__lane_place(lane, at), memory_order_seq_cst));
}

/* Whether a thread would find something, a mark maybe. */
static inline bool soon__lane_is_due(struct soon__lane *lane)
{
	unsigned at = atomic_load_explicit(&lane->head, memory_order_acquire), before;

	do {
		if (soon__lane_has(lane, at))
			return true;
		before = at;
		at = atomic_load_explicit(&lane->head, memory_order_acquire);
	} while (at != before); /* somebody took what was there: look at the next place */
	return false;
}

/* A thread's: claims the next job; NULL: there is none. Says whether it looked like the last. */
static inline struct soon__job *soon__lane_take(struct soon__lane *lane, bool *ret_was_last)
{
	unsigned at = atomic_load_explicit(&lane->head, memory_order_acquire);

	for (;;) {
		unsigned before = at;
		uintptr_t word, next;

		if (!soon__lane_has(lane, at)) {
			at = atomic_load_explicit(&lane->head, memory_order_acquire);
			if (at == before)
				return NULL;
			continue;
		}
		/* Acquire and release: who claims sees what those saw that claimed before. */
		if (!atomic_compare_exchange_weak_explicit(
			    &lane->head, &at, at + 1, memory_order_acq_rel, memory_order_acquire))
			continue;
		/* Acquire: pairs with put() and replace(). Release: with put(). */
		word = atomic_exchange_explicit(
			soon__lane_place(lane, at), 0, memory_order_seq_cst);
		SOON_ASSERT(word != 0);
		if (word & SOON__LANE_MARK) {
			at++;
			continue;
		}
		next = atomic_load_explicit(soon__lane_place(lane, at + 1), memory_order_seq_cst);
		*ret_was_last = !soon__lane_is_of(lane, at + 1, next);
		/* Its first line is what the thread will need next; harmless if it has gone. */
		__builtin_prefetch((const void *)next);
		return (struct soon__job *)(word & ~SOON__LANE_LAP);
	}
}

#endif
