// SPDX-License-Identifier: Apache-2.0
/*
 * bufring.h: the buffers that received bytes arrive in: one pool a core, lent out as chunks.
 *
 * Each buffer is in one of four places, and `state` says in which:
 *	FREE      on the pool's stack; the one used last is taken first, it is still in the cache
 *	PROVIDED  the kernel may fill it
 *	FILLED    holds a chunk that nobody has taken, in a receiver's queue
 *	LENT      a task reads it
 *
 * Only about as many as one pass of the scheduler uses up are PROVIDED (`goal`, which follows
 * the load), because the kernel takes them in a ring: few buffers stay in the cache, many do not.
 * A receiver that finds none waits in `starving`; an empty pool is flow control, not an error.
 *
 * A back end that receives by system calls provides none: it picks one when bytes are there.
 */
#ifndef URING_BUFRING_H
#define URING_BUFRING_H

#include "core/spi/list.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#define SOON__BUF_BYTES 8192u

/* Numbers end here; also the end mark of lists of numbers. */
#define SOON__BUF_NONE UINT16_MAX

struct io_uring_buf_ring;

enum soon__buf_state {
	SOON__BUF_FREE,
	SOON__BUF_PROVIDED,
	SOON__BUF_FILLED,
	SOON__BUF_LENT,
};

struct soon__buf {
	uint32_t len;  /* of the chunk, while FILLED or LENT */
	uint16_t next; /* while FREE: below on the stack; while FILLED: the receiver's next chunk */
	uint8_t state; /* enum soon__buf_state */
};

struct soon__bufs {
	char *map;                      /* all of it */
	char *memory;                   /* count buffers, soon__buf_ptr() knows the distance */
	struct soon__buf *buf;          /* count of them, behind the memory */
	struct io_uring_buf_ring *ring; /* shared with the kernel; NULL: the back end picks */
	size_t map_bytes;
	unsigned count;      /* a power of two */
	unsigned fresh;      /* those from here on were never used; they count as free */
	unsigned free_count; /* on the stack */
	unsigned provided;
	unsigned refilled; /* `provided` after the last refill */
	unsigned goal;     /* how many should be provided */
	unsigned goal_min;
	unsigned batch_max;    /* most used between two refills since the goal was looked at */
	unsigned refill_count; /* since then */
	uint16_t tail;         /* of the ring */
	uint16_t free_top;
	bool is_dry; /* the kernel found the ring empty since the last refill */
	unsigned starving_count;
	struct soon__list starving; /* receivers, by their `starving` */
	uint64_t dry_count;         /* statistics: how often the kernel found it empty */
	uint64_t mismatch_count;    /* statistics: the kernel named a buffer it did not have */
};

/* Maps the pool. A `goal_min` of 0 is for a back end that picks. Errors: -ENOMEM. */
int soon__bufs_init(struct soon__bufs *bufs, unsigned count, unsigned goal_min);
void soon__bufs_fini(struct soon__bufs *bufs);

/* Hands free buffers to the kernel until `goal` are there, and adapts the goal. */
void soon__bufs_refill(struct soon__bufs *bufs);

/*
 * Without a ring: takes a free buffer and makes it PROVIDED, the one that was used last first.
 * Returns its number, SOON__BUF_NONE when there is none; `*ret_ptr` is where bytes go.
 */
unsigned soon__bufs_pick(struct soon__bufs *bufs, char **ret_ptr);

/*
 * A completion names buffer `id`, which the kernel should have: FILLED with `len` bytes, FREE when
 * `len` is 0. Errors: -EIO it had not; the buffer is left alone and a report filed.
 */
int soon__bufs_take(struct soon__bufs *bufs, unsigned id, uint32_t len);

/* A FILLED buffer goes to a task: returns its first byte. */
const char *soon__bufs_lend(struct soon__bufs *bufs, unsigned id);

/* A LENT buffer comes back; `ptr` is anywhere in the chunk. Aborts if it is not lent. */
void soon__bufs_return(struct soon__bufs *bufs, const char *ptr);

/* A FILLED buffer that nobody will read. */
void soon__bufs_drop(struct soon__bufs *bufs, unsigned id);

/* Those that nobody uses, without those that are provided. */
static inline unsigned soon__bufs_idle(const struct soon__bufs *bufs)
{
	return bufs->free_count + (bufs->count - bufs->fresh);
}

/* How many requests to receive would find a buffer now. */
static inline unsigned soon__bufs_ready(const struct soon__bufs *bufs)
{
	return bufs->ring != NULL ? bufs->provided : soon__bufs_idle(bufs);
}

/* Whether a receiver that starves could be started now, or after a refill. */
static inline bool soon__bufs_can_feed(const struct soon__bufs *bufs)
{
	return bufs->starving_count > 0 && (bufs->provided > 0 || soon__bufs_idle(bufs) > 0);
}

#endif
