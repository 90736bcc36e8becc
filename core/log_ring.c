// SPDX-License-Identifier: Apache-2.0
#include "log_ring.h"

#include <soon/assert.h>

#include <string.h>

/* The first word of each record. */
typedef _Atomic(uint32_t) word;

static word *word_at(struct soon__log_ring *ring, uint64_t position)
{
	return (word *)(void *)(ring->data + (position & (ring->bytes - 1)));
}

void soon__log_ring_init(struct soon__log_ring *ring, char *data, size_t bytes)
{
	SOON_ASSERT(bytes >= SOON__LOG_ALIGN);
	SOON_ASSERT((bytes & (bytes - 1)) == 0);
	ring->data = data;
	ring->bytes = bytes;
}

/* What a record of `bytes` at `position` needs before it, to lie in one piece. */
static size_t padding_before(const struct soon__log_ring *ring, uint64_t position, size_t bytes)
{
	size_t left = ring->bytes - (position & (ring->bytes - 1));

	return left < bytes ? left : 0;
}

void *soon__log_reserve(struct soon__log_ring *ring, size_t bytes)
{
	/* Relaxed: a stale one makes the exchange fail. */
	uint64_t tail = atomic_load_explicit(&ring->tail, memory_order_relaxed);
	size_t padding;

	SOON_ASSERT(bytes > 0 && bytes % SOON__LOG_ALIGN == 0);
	do {
		/* Pairs with the release in pop(): the memory is clear. */
		uint64_t head = atomic_load_explicit(&ring->head, memory_order_acquire);

		padding = padding_before(ring, tail, bytes);
		/* Signed: a tail that is older than the head is less than it, and fails below. */
		if ((int64_t)(tail + padding + bytes - head) > (int64_t)ring->bytes) {
			atomic_fetch_add_explicit(&ring->lost, 1, memory_order_relaxed);
			return NULL;
		}
		/*
		 * In the order of all: who goes to sleep says so and then reads the tail, who
		 * reserves then reads whether somebody sleeps; see log_writer.c.
		 */
	} while (!atomic_compare_exchange_weak_explicit(&ring->tail, &tail, tail + padding + bytes,
		memory_order_seq_cst, memory_order_relaxed));
	if (padding > 0) {
		/* Release: pairs with peek(). */
		atomic_store_explicit(word_at(ring, tail), (uint32_t)padding | SOON__LOG_PADDING,
			memory_order_release);
	}
	tail += padding;
	/* Relaxed: only a dying process reads the length before the record is handed over. */
	atomic_store_explicit(
		word_at(ring, tail), (uint32_t)bytes | SOON__LOG_BUSY, memory_order_relaxed);
	return word_at(ring, tail);
}

void soon__log_commit(void *record, size_t bytes)
{
	/* Release: pairs with peek(). */
	atomic_store_explicit(
		(word *)record, (uint32_t)bytes | SOON__LOG_READY, memory_order_release);
}

bool soon__log_ring_is_filling(struct soon__log_ring *ring)
{
	uint64_t head = atomic_load_explicit(&ring->head, memory_order_relaxed);
	uint64_t tail = atomic_load_explicit(&ring->tail, memory_order_relaxed);

	return (int64_t)(tail - head) > (int64_t)(ring->bytes / 2);
}

uint64_t soon__log_tail(struct soon__log_ring *ring)
{
	/* In the order of all: see reserve(). */
	return atomic_load_explicit(&ring->tail, memory_order_seq_cst);
}

void soon__log_pop(struct soon__log_ring *ring)
{
	uint64_t head = atomic_load_explicit(&ring->head, memory_order_relaxed);
	word *first = word_at(ring, head);
	size_t bytes =
		atomic_load_explicit(first, memory_order_relaxed) & ~(uint32_t)SOON__LOG_STATES;

	SOON_ASSERT(bytes > 0 && bytes <= ring->bytes);
	atomic_store_explicit(first, 0, memory_order_relaxed);
	memset(ring->data + (head & (ring->bytes - 1)) + sizeof *first, 0, bytes - sizeof *first);
	/* Release: pairs with reserve(). */
	atomic_store_explicit(&ring->head, head + bytes, memory_order_release);
}

void *soon__log_peek(struct soon__log_ring *ring, uint64_t end, bool is_last)
{
	for (;;) {
		uint64_t head = atomic_load_explicit(&ring->head, memory_order_relaxed);
		uint32_t state;

		if (head == end)
			return NULL;
		/* Acquire: pairs with commit() and with the padding in reserve(). */
		state = atomic_load_explicit(word_at(ring, head), memory_order_acquire);
		if (state & SOON__LOG_READY)
			return word_at(ring, head);
		if (!(state & SOON__LOG_PADDING)) {
			if (!is_last || !(state & SOON__LOG_BUSY))
				return NULL;
			atomic_fetch_add_explicit(&ring->lost, 1, memory_order_relaxed);
		}
		soon__log_pop(ring);
	}
}

bool soon__log_is_taken(struct soon__log_ring *ring, uint64_t end)
{
	return atomic_load_explicit(&ring->head, memory_order_relaxed) >= end;
}

void soon__log_ring_clear(struct soon__log_ring *ring)
{
	uint64_t head = atomic_load_explicit(&ring->head, memory_order_relaxed);
	uint64_t tail = atomic_load_explicit(&ring->tail, memory_order_relaxed);

	/* Beyond these everything is zero already. */
	for (; head < tail; head += SOON__LOG_ALIGN)
		memset(ring->data + (head & (ring->bytes - 1)), 0, SOON__LOG_ALIGN);
	atomic_store_explicit(&ring->head, tail, memory_order_relaxed);
	ring->lost_told = atomic_load_explicit(&ring->lost, memory_order_relaxed);
}
