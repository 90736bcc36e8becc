// SPDX-License-Identifier: Apache-2.0
/* The pool of receive buffers; see bufring.h. */
#include "bufring.h"

#include <soon/assert.h>

#include "mem_san.h"

#include <liburing.h>
#include <sys/mman.h>

/*
 * One cache line more than a buffer, so that their first lines, all that small messages touch,
 * spread over the sets of the cache instead of competing for one.
 */
#define STRIDE_BYTES (SOON__BUF_BYTES + 64u)

/* The goal shrinks when this many refills in a row used less than an eighth of it. */
#define REFILLS_PER_LOOK 512u

static char *buf_ptr(const struct soon__bufs *bufs, unsigned id)
{
	return bufs->memory + (size_t)id * STRIDE_BYTES;
}

static size_t round_to_page(size_t bytes)
{
	return (bytes + 4095u) & ~(size_t)4095u;
}

int soon__bufs_init(struct soon__bufs *bufs, unsigned count, unsigned goal_min)
{
	size_t ring_bytes = goal_min > 0 ? round_to_page(count * sizeof(struct io_uring_buf)) : 0;
	size_t memory_bytes = round_to_page((size_t)count * STRIDE_BYTES);
	size_t bytes = ring_bytes + memory_bytes + round_to_page(count * sizeof(struct soon__buf));
	char *base;

	SOON_ASSERT(count > 0 && count < SOON__BUF_NONE && (count & (count - 1)) == 0);
	base = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
		MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (base == MAP_FAILED)
		return -ENOMEM;
	/* What the kernel writes must not move away under it because a child was forked. */
	(void)madvise(base, SOON__MEM_STAYS_POISONED ? ring_bytes : bytes, MADV_DONTFORK);

	*bufs = (struct soon__bufs){
		.map = base,
		.ring = goal_min > 0 ? (struct io_uring_buf_ring *)(void *)base : NULL,
		.memory = base + ring_bytes,
		.buf = (struct soon__buf *)(void *)(base + ring_bytes + memory_bytes),
		.map_bytes = bytes,
		.count = count,
		.goal = goal_min < count ? goal_min : count,
		.goal_min = goal_min < count ? goal_min : count,
		.free_top = SOON__BUF_NONE,
	};
	soon__list_init(&bufs->starving);
	soon__mem_poison(bufs->memory, memory_bytes);
	return 0;
}

void soon__bufs_fini(struct soon__bufs *bufs)
{
	if (bufs->memory == NULL)
		return;
	SOON_ASSERT(soon__list_is_empty(&bufs->starving));
	soon__mem_unpoison(bufs->map, bufs->map_bytes);
	(void)munmap(bufs->map, bufs->map_bytes);
	bufs->memory = NULL;
}

static void push_free(struct soon__bufs *bufs, unsigned id)
{
	struct soon__buf *buf = &bufs->buf[id];

	buf->state = SOON__BUF_FREE;
	buf->next = bufs->free_top;
	bufs->free_top = (uint16_t)id;
	bufs->free_count++;
}

/* Returns a free buffer's number, SOON__BUF_NONE when there is none. */
static unsigned pop_free(struct soon__bufs *bufs)
{
	unsigned id = bufs->free_top;

	if (id != SOON__BUF_NONE) {
		SOON_ASSERT(bufs->buf[id].state == SOON__BUF_FREE);
		bufs->free_top = bufs->buf[id].next;
		bufs->free_count--;
	} else if (bufs->fresh < bufs->count) {
		id = bufs->fresh++;
	}
	return id;
}

/* Follows the load: doubles when a pass nearly emptied the ring, halves when it hardly used it. */
static void adapt_goal(struct soon__bufs *bufs)
{
	unsigned batch = bufs->refilled - bufs->provided;

	if (bufs->is_dry || batch > bufs->goal / 4 * 3) {
		bufs->is_dry = false;
		bufs->goal = bufs->goal * 2 < bufs->count ? bufs->goal * 2 : bufs->count;
		bufs->batch_max = 0;
		bufs->refill_count = 0;
		return;
	}
	if (batch > bufs->batch_max)
		bufs->batch_max = batch;
	if (++bufs->refill_count < REFILLS_PER_LOOK)
		return;
	if (bufs->batch_max < bufs->goal / 8 && bufs->goal / 2 >= bufs->goal_min)
		bufs->goal /= 2;
	bufs->batch_max = 0;
	bufs->refill_count = 0;
}

void soon__bufs_refill(struct soon__bufs *bufs)
{
	uint16_t mask = (uint16_t)(bufs->count - 1);
	uint16_t tail = bufs->tail;

	SOON_ASSERT(bufs->ring != NULL);
	adapt_goal(bufs);
	while (bufs->provided < bufs->goal) {
		unsigned id = pop_free(bufs);
		struct io_uring_buf *entry = &bufs->ring->bufs[tail & mask];

		if (id == SOON__BUF_NONE)
			break;
		/* Not as one structure: the first entry's last field is the ring's tail. */
		entry->addr = (uint64_t)(uintptr_t)(bufs->memory + (size_t)id * STRIDE_BYTES);
		entry->len = SOON__BUF_BYTES;
		entry->bid = (uint16_t)id;
		bufs->buf[id].state = SOON__BUF_PROVIDED;
		bufs->provided++;
		tail++;
	}
	if (tail != bufs->tail) {
		bufs->tail = tail;
		/* The entries before the tail that covers them. Pairs with the kernel's load. */
		io_uring_smp_store_release(&bufs->ring->tail, tail);
	}
	SOON_ASSERT(bufs->provided <= bufs->count);
	bufs->refilled = bufs->provided;
}

unsigned soon__bufs_pick(struct soon__bufs *bufs, char **ret_ptr)
{
	unsigned id = pop_free(bufs);

	SOON_ASSERT(bufs->ring == NULL);
	if (id == SOON__BUF_NONE)
		return id;
	bufs->buf[id].state = SOON__BUF_PROVIDED;
	bufs->provided++;
	*ret_ptr = buf_ptr(bufs, id);
	soon__mem_unpoison(*ret_ptr, SOON__BUF_BYTES);
	return id;
}

int soon__bufs_take(struct soon__bufs *bufs, unsigned id, uint32_t len)
{
	struct soon__buf *buf = &bufs->buf[id];

	if (SOON_UNLIKELY(id >= bufs->count || buf->state != SOON__BUF_PROVIDED ||
		    len > SOON__BUF_BYTES)) {
		bufs->mismatch_count++;
		soon_report_file(SOON_REPORT_ERROR, -EIO,
			"the kernel used receive buffer %u, which it did not have", id);
		return -EIO;
	}
	SOON_ASSERT(bufs->provided > 0);
	bufs->provided--;
	if (bufs->ring == NULL)
		soon__mem_poison(buf_ptr(bufs, id), SOON__BUF_BYTES);
	if (len == 0) {
		push_free(bufs, id);
		return 0;
	}
	buf->state = SOON__BUF_FILLED;
	buf->next = SOON__BUF_NONE;
	buf->len = len;
	return 0;
}

const char *soon__bufs_lend(struct soon__bufs *bufs, unsigned id)
{
	struct soon__buf *buf = &bufs->buf[id];
	char *ptr = buf_ptr(bufs, id);

	SOON_ASSERT(buf->state == SOON__BUF_FILLED);
	buf->state = SOON__BUF_LENT;
	soon__mem_unpoison(ptr, buf->len);
	return ptr;
}

void soon__bufs_return(struct soon__bufs *bufs, const char *ptr)
{
	size_t offset = (size_t)(ptr - bufs->memory);
	size_t id = offset / STRIDE_BYTES;
	struct soon__buf *buf;

	SOON_ASSERT(ptr >= bufs->memory && id < bufs->count);
	buf = &bufs->buf[id];
	SOON_ASSERT(buf->state == SOON__BUF_LENT);
	soon__mem_poison(buf_ptr(bufs, (unsigned)id), SOON__BUF_BYTES);
	push_free(bufs, (unsigned)id);
}

void soon__bufs_drop(struct soon__bufs *bufs, unsigned id)
{
	SOON_ASSERT(bufs->buf[id].state == SOON__BUF_FILLED);
	push_free(bufs, id);
}
