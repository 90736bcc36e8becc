// SPDX-License-Identifier: Apache-2.0
/*
 * stack.h: where task stacks come from.
 *
 * Per core and size class, one large reservation of address space is cut into equal slots:
 *
 *	lowest address                                              highest address
 *	| guard | stack, grows down <-------------------- | task record | colour |
 *
 * The task record sits on top of the stack it belongs to, so that a parked task costs one page.
 * The colour moves record and stack down by a different amount per slot, or all hot words of all
 * tasks would fall into the same few cache sets. Slots are reused last in, first out, while their
 * pages are warm; pages of slots that a burst left behind are given back by soon__stacks_trim().
 */
#ifndef CORE_STACK_H
#define CORE_STACK_H

#include <soon/assert.h>

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SOON__STACK_CLASSES       4
#define SOON__STACK_COLOURS       16
#define SOON__STACK_COLOUR_BYTES  128
#define SOON__STACK_GUARD_BYTES   16384u
#define SOON__STACK_BYTES_DEFAULT (256u * 1024)
#define SOON__STACK_BYTES_MAX     (8u * 1024 * 1024)

/* One size class. All arrays are address space until they are touched. */
struct soon__stack_class {
	char *base;        /* the reservation; NULL until the first use */
	uint32_t *free;    /* indices of unused slots, the warmest last */
	size_t slot_bytes; /* guard included; a power of two */
	uint32_t slots_max;
	uint32_t made_count; /* slots that have their guard */
	uint32_t free_count;
	uint32_t clean_count; /* free[0 .. clean_count) held no pages at the last trim */
	uint32_t free_low;    /* the lowest free_count since the last trim */
};

struct soon__stacks {
	struct soon__stack_class classes[SOON__STACK_CLASSES];
	uint32_t slots_max;
	bool guard_by_mprotect; /* the kernel has no MADV_GUARD_INSTALL */
};

/* What a slot gives its user. */
struct soon__stack {
	char *low; /* lowest usable address, right above the guard */
	char *top; /* one past the highest usable address, aligned to 64 */
	uint32_t index;
	uint8_t class_index;
};

/* Prepares empty classes; `slots_max` bounds each. Never fails, reserves nothing. */
void soon__stacks_init(struct soon__stacks *stacks, uint32_t slots_max);

/* Gives all address space back. No stack may be in use. */
void soon__stacks_fini(struct soon__stacks *stacks);

/* Adds free slots to a class that has none. Errors: those of soon__stack_take. */
int soon__stack_grow(struct soon__stacks *stacks, struct soon__stack_class *class);

static inline void soon__stack_describe(
	const struct soon__stack_class *class, uint32_t index, struct soon__stack *ret_stack)
{
	char *base = class->base + (size_t)index * class->slot_bytes;

	ret_stack->low = base + SOON__STACK_GUARD_BYTES;
	ret_stack->top = base + class->slot_bytes -
		(size_t)(index % SOON__STACK_COLOURS) * SOON__STACK_COLOUR_BYTES;
	ret_stack->index = index;
}

/*
 * Takes a slot with at least `bytes` of stack. Errors: -EAGAIN all slots are in use; -ENOMEM the
 * system refuses the reservation or the guard; -EINVAL `bytes` is over SOON__STACK_BYTES_MAX.
 */
static inline int soon__stack_take(
	struct soon__stacks *stacks, size_t bytes, struct soon__stack *ret_stack)
{
	struct soon__stack_class *class = stacks->classes;
	uint8_t class_index = 0;

	while (class->slot_bytes < bytes) {
		if (++class_index == SOON__STACK_CLASSES)
			return -EINVAL;
		class ++;
	}
	if (SOON_UNLIKELY(class->free_count == 0)) {
		int rc = soon__stack_grow(stacks, class);

		if (rc < 0)
			return rc;
	}
	class->free_count--;
	if (class->free_low > class->free_count)
		class->free_low = class->free_count;
	soon__stack_describe(class, class->free[class->free_count], ret_stack);
	ret_stack->class_index = class_index;
	return 0;
}

/* Gives a slot back. The caller may still be running on it, until it switches away. */
static inline void soon__stack_give(
	struct soon__stacks *stacks, uint8_t class_index, uint32_t index)
{
	struct soon__stack_class *class = &stacks->classes[class_index];

	SOON_ASSERT(class->free_count < class->made_count);
	class->free[class->free_count++] = index;
}

/* Whether slots lie around that were not needed since the last trim, and still hold pages. */
bool soon__stacks_can_trim(const struct soon__stacks *stacks);

/* Gives the pages of those slots back to the system; not to be called on a task's stack. */
void soon__stacks_trim(struct soon__stacks *stacks);

/*
 * Finds the slot whose guard holds `addr`: true, with the slot. Signal-safe; for the overflow
 * report.
 */
bool soon__stacks_guard_hit(
	const struct soon__stacks *stacks, const void *addr, struct soon__stack *ret_stack);

/* Finds the slot that holds `addr`, its guard excluded. Signal-safe; for the dump. */
bool soon__stacks_find(
	const struct soon__stacks *stacks, const void *addr, struct soon__stack *ret_stack);

/* How many slots there are, in use or not: no more tasks than that can live. */
size_t soon__stacks_made(const struct soon__stacks *stacks);

#endif
