// SPDX-License-Identifier: Apache-2.0
/*
 * block.c: free lists of buffers, one set a thread.
 */
#include "block.h"

#include <soon/assert.h>
#include <soon/mem.h>

#include <string.h>

struct block_class {
	size_t bytes;      /* of the whole block: a size that allocators do not round up */
	unsigned kept_max; /* free blocks: 1 MiB of each size */
};

#define CLASSES_COUNT 3

static const struct block_class classes[CLASSES_COUNT] = {
	{ 4096, 256 }, { 16384, 64 },
	{ 81920, 12 }, /* 64 KiB, the default limits, and a chunk of the receiver beyond */
};

/* AddressSanitizer sees a block used after it was given back only if it was freed. */
#if defined(__SANITIZE_ADDRESS__)
#define CAN_KEEP 0
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define CAN_KEEP 0
#endif
#endif
#ifndef CAN_KEEP
#define CAN_KEEP 1
#endif

struct blocks {
	struct soon__block *free[CLASSES_COUNT];
	unsigned kept[CLASSES_COUNT];
	unsigned holders;
};

static _Thread_local struct blocks blocks;

static size_t class_bytes(unsigned rank)
{
	return classes[rank].bytes - sizeof(struct soon__block);
}

static unsigned class_for(size_t bytes)
{
	unsigned rank = 0;

	while (rank < CLASSES_COUNT && class_bytes(rank) < bytes)
		rank++;
	return rank;
}

void soon__blocks_hold(void)
{
	blocks.holders++;
	SOON_ASSERT(blocks.holders != 0);
}

void soon__blocks_release(void)
{
	SOON_ASSERT(blocks.holders > 0);
	if (--blocks.holders > 0)
		return;
	for (unsigned rank = 0; rank < CLASSES_COUNT; rank++) {
		struct soon__block *block;

		while ((block = blocks.free[rank]) != NULL) {
			blocks.free[rank] = block->next;
			soon_free(block);
		}
		blocks.kept[rank] = 0;
	}
}

struct soon__block *soon__block_take(size_t bytes)
{
	unsigned rank = class_for(bytes);
	struct soon__block *block;

	SOON_ASSERT(blocks.holders > 0);
	if (rank < CLASSES_COUNT && blocks.free[rank] != NULL) {
		block = blocks.free[rank];
		blocks.free[rank] = block->next;
		SOON_ASSERT(blocks.kept[rank] > 0);
		blocks.kept[rank]--;
	} else {
		if (rank < CLASSES_COUNT)
			bytes = class_bytes(rank);
		if (bytes > SIZE_MAX - sizeof *block)
			return NULL;
		block = soon_malloc(sizeof *block + bytes);
		if (block == NULL)
			return NULL;
		block->bytes = bytes;
	}
	block->next = NULL;
	block->start = block->end = 0;
	return block;
}

void soon__block_give(struct soon__block *block)
{
	unsigned rank;

	if (block == NULL)
		return;
	SOON_ASSERT(blocks.holders > 0);
	SOON_ASSERT(block->next == NULL);
	rank = class_for(block->bytes);
	if (rank == CLASSES_COUNT || !CAN_KEEP || blocks.kept[rank] >= classes[rank].kept_max) {
		soon_free(block);
		return;
	}
	block->next = blocks.free[rank];
	blocks.free[rank] = block;
	blocks.kept[rank]++;
}

int soon__block_room(struct soon__block **block, size_t bytes)
{
	struct soon__block *old = *block;
	size_t len = soon__block_len(old);
	struct soon__block *new;

	if (old != NULL && old->bytes - old->end >= bytes)
		return 0;
	if (old != NULL && old->bytes - len >= bytes) {
		memmove(old->data, old->data + old->start, len);
		old->start = 0;
		old->end = len;
		return 0;
	}

	if (bytes > SIZE_MAX - len)
		return -ENOMEM;
	new = soon__block_take(len + bytes);
	if (new == NULL)
		return -ENOMEM;
	if (len > 0)
		memcpy(new->data, old->data + old->start, len);
	new->end = len;
	soon__block_give(old);
	*block = new;
	return 0;
}
