// SPDX-License-Identifier: Apache-2.0
/*
 * block.h: the buffers that streams gather bytes in, private to net/.
 *
 * A stream takes a block when it has something to keep and gives it back when that is gone, so an
 * idle stream has none. Blocks come in three sizes from free lists of the thread, which never
 * hold more than about 3 MiB; larger ones are made and freed. The lists live as long as somebody
 * holds them (every stream and listener does): what they keep is freed with the last holder, so
 * nothing is left when a run ends and nobody has to tell.
 *
 * All functions: Affinity: one thread for a block's whole life. Suspends: never.
 */
#ifndef NET_BLOCK_H
#define NET_BLOCK_H

#include <soon/base.h>

/* Bytes [start, end) of `data` are in use; the rest is room. */
struct soon__block {
	struct soon__block *next; /* in the free list */
	size_t bytes;             /* of data */
	size_t start;
	size_t end;
	char data[];
};

/* Counts the users of the thread's free lists. */
void soon__blocks_hold(void);
void soon__blocks_release(void);

/* Returns an empty block of at least `bytes`, NULL when there is no memory. Somebody must hold. */
SOON_NODISCARD struct soon__block *soon__block_take(size_t bytes);

/* Gives a block back. Null: nothing happens. */
void soon__block_give(struct soon__block *SOON_NULLABLE block);

/*
 * Makes room for `bytes` more after the end of `*block`: there, by moving the content to the front,
 * or in a larger block, which then is `*block`. NULL in `*block` is an empty one.
 * Errors: -ENOMEM; `*block` is as before.
 */
SOON_NODISCARD int soon__block_room(struct soon__block **block, size_t bytes);

/* How many bytes are in use. Null: 0. */
static inline size_t soon__block_len(const struct soon__block *SOON_NULLABLE block)
{
	return block != NULL ? block->end - block->start : 0;
}

#endif
