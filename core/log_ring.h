// SPDX-License-Identifier: Apache-2.0
/*
 * log_ring.h: a bounded ring of records of different lengths, many producers, one consumer, no lock
 * and no wait on either side.
 *
 * Positions count bytes and never wrap; an index is a position modulo the size. A producer moves
 * `tail` on by one compare-and-swap, and what lies between is its own until it stores the length
 * into the record's first word, which hands it over. The consumer takes records in order up to the
 * first that is not handed over, clears their memory, and then moves `head`: so the first word of
 * what a producer gets is always zero, and nothing that is in a record can pass for a length.
 *
 * A record lies in one piece. Where it would go over the end, the rest of the ring becomes padding.
 *
 * A producer may be interrupted anywhere by another one on its own thread, a signal handler: the
 * latter's record comes behind, and is taken later. So all of it is signal-safe.
 */
#ifndef CORE_LOG_RING_H
#define CORE_LOG_RING_H

#include <soon/base.h>

#include <stdatomic.h>

#define SOON__LOG_ALIGN 8u

/* States of a record's first word, in the bits that a length leaves free. */
enum {
	SOON__LOG_BUSY = 1u,    /* reserved, being filled in */
	SOON__LOG_READY = 2u,   /* handed over */
	SOON__LOG_PADDING = 4u, /* handed over, and to be skipped */
	SOON__LOG_STATES = 7u,
};

struct soon__log_ring {
	size_t bytes; /* a power of two */
	char *data;

	/* Written by producers. */
	char padding_before[64];
	_Atomic(uint64_t) tail;
	_Atomic(uint64_t) lost; /* records that had no room */

	/* Written by the consumer. */
	char padding_between[64];
	_Atomic(uint64_t) head;
	uint64_t lost_told; /* how many of `lost` a line has told */
	uint64_t end;       /* what was reserved when the consumer began to take records */
	int core;           /* whose it is, -1: all other threads'; never changes */
	char padding_after[64];
};

/* Memory for `bytes`, a power of two, all zero. */
void soon__log_ring_init(struct soon__log_ring *ring, char *data, size_t bytes);

/*
 * Reserves `bytes`, a multiple of SOON__LOG_ALIGN; NULL, and counted, when there is no room. What
 * is returned begins with the word that says so; the rest is for the producer to fill in.
 */
void *soon__log_reserve(struct soon__log_ring *ring, size_t bytes);

/* Hands over what was reserved. */
void soon__log_commit(void *record, size_t bytes);

/* Whether more than half of it is used, by a recent look. */
bool soon__log_ring_is_filling(struct soon__log_ring *ring);

/* The rest is the consumer's. */

/* Where the next record is going to be, for soon__log_peek(). */
uint64_t soon__log_tail(struct soon__log_ring *ring);

/*
 * Returns the oldest record if it was handed over and lies before `end`; NULL otherwise. With
 * `is_last`, which is for a process that dies, records under way are skipped and count as lost.
 */
void *soon__log_peek(struct soon__log_ring *ring, uint64_t end, bool is_last);

/* Gives the memory of the record that was peeked at back. */
void soon__log_pop(struct soon__log_ring *ring);

/* Whether everything before `end` has been taken. */
bool soon__log_is_taken(struct soon__log_ring *ring, uint64_t end);

/* Empties it while nobody else knows it: in the child of a fork. */
void soon__log_ring_clear(struct soon__log_ring *ring);

#endif
