// SPDX-License-Identifier: Apache-2.0
#include "stack.h"

#include <soon/assert.h>

#include "fiber_san.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#ifndef MADV_GUARD_INSTALL
#define MADV_GUARD_INSTALL 102 /* Linux 6.13 */
#endif
#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23 /* Linux 5.14 */
#endif
#ifndef PIDFD_SELF_THREAD_GROUP
#define PIDFD_SELF_THREAD_GROUP (-10001) /* Linux 6.14 */
#endif

enum {
	MAKE_BATCH_MIN = 8, /* slots made at a time, doubling with what is there */
	MAKE_BATCH_MAX = 32,
	PAGE_BYTES = 4096,
	KEEP_WARM = 64, /* free slots that a trim leaves alone */
};

static const size_t class_bytes[SOON__STACK_CLASSES] = {
	64u * 1024,
	SOON__STACK_BYTES_DEFAULT,
	1024u * 1024,
	SOON__STACK_BYTES_MAX,
};

void soon__stacks_init(struct soon__stacks *stacks, uint32_t slots_max)
{
	memset(stacks, 0, sizeof *stacks);
	stacks->slots_max = slots_max;
	for (unsigned i = 0; i < SOON__STACK_CLASSES; i++)
		stacks->classes[i].slot_bytes = class_bytes[i];
}

static size_t index_bytes(const struct soon__stack_class *class)
{
	return (size_t) class->slots_max * sizeof class->free[0];
}

void soon__stacks_fini(struct soon__stacks *stacks)
{
	for (unsigned i = 0; i < SOON__STACK_CLASSES; i++) {
		struct soon__stack_class *class = &stacks->classes[i];

		SOON_ASSERT(class->free_count == class->made_count);
		if (!class->base)
			continue;
		(void)munmap(class->base, class->slots_max * class->slot_bytes);
		(void)munmap(class->free, index_bytes(class));
	}
	memset(stacks, 0, sizeof *stacks);
}

static void *reserve(size_t bytes)
{
	void *area = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
		MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_STACK, -1, 0);

	return area == MAP_FAILED ? NULL : area;
}

/*
 * Reserves the class's address space. Where the system limits it (RLIMIT_AS, strict overcommit)
 * smaller reservations are tried, so that fewer tasks fit instead of none.
 */
static int class_open(struct soon__stack_class *class, uint32_t slots_max)
{
	uint32_t slots = slots_max;

	for (;; slots /= 2) {
		class->base = reserve((size_t)slots * class->slot_bytes);
		if (class->base)
			break;
		if (slots <= MAKE_BATCH_MIN)
			return -ENOMEM;
	}
	class->slots_max = slots;
	class->free = reserve(index_bytes(class));
	if (!class->free) {
		(void)munmap(class->base, (size_t)slots * class->slot_bytes);
		class->base = NULL;
		return -ENOMEM;
	}

	/* A huge page per stack would make each of them resident. */
	(void)madvise(class->base, (size_t)slots * class->slot_bytes, MADV_NOHUGEPAGE);
	return 0;
}

static char *slot_base(const struct soon__stack_class *class, uint32_t index)
{
	return class->base + (size_t)index * class->slot_bytes;
}

static int guard_install(struct soon__stacks *stacks, char *base)
{
	if (!stacks->guard_by_mprotect) {
		if (madvise(base, SOON__STACK_GUARD_BYTES, MADV_GUARD_INSTALL) == 0)
			return 0;
		if (errno != EINVAL)
			return -ENOMEM;
		stacks->guard_by_mprotect = true;
	}
	/* Below Linux 6.13 each guard costs two mappings of vm.max_map_count. */
	return mprotect(base, SOON__STACK_GUARD_BYTES, PROT_NONE) == 0 ? 0 : -ENOMEM;
}

/*
 * Does the same to a piece of each of `count` neighbouring slots, by one system call where the
 * kernel lets a process name itself; returns for how many, counted from the first.
 */
static uint32_t advise_many(const struct soon__stack_class *class, uint32_t count, size_t offset,
	size_t bytes, int advice)
{
	struct iovec pieces[MAKE_BATCH_MAX];
	long done;

	for (uint32_t i = 0; i < count; i++)
		pieces[i] = (struct iovec){
			.iov_base = slot_base(class, class->made_count + i) + offset,
			.iov_len = bytes,
		};
	done = syscall(
		SYS_process_madvise, PIDFD_SELF_THREAD_GROUP, pieces, (size_t)count, advice, 0u);
	return done > 0 ? (uint32_t)((size_t)done / bytes) : 0;
}

static uint32_t batch_size(const struct soon__stack_class *class)
{
	uint32_t left = class->slots_max - class->made_count;
	uint32_t batch = class->made_count;

	if (batch < MAKE_BATCH_MIN)
		batch = MAKE_BATCH_MIN;
	if (batch > MAKE_BATCH_MAX)
		batch = MAKE_BATCH_MAX;
	return batch < left ? batch : left;
}

/* Adds a batch of guarded slots, the lowest address last. */
int soon__stack_grow(struct soon__stacks *stacks, struct soon__stack_class *class)
{
	uint32_t count, made;

	SOON_ASSERT(class->free_count == 0);
	if (!class->base) {
		int rc = class_open(class, stacks->slots_max);

		if (rc < 0)
			return rc;
	}
	count = batch_size(class);
	if (count == 0)
		return -EAGAIN;
	made = stacks->guard_by_mprotect
		? 0
		: advise_many(class, count, 0, SOON__STACK_GUARD_BYTES, MADV_GUARD_INSTALL);
	for (; made < count; made++) {
		if (guard_install(stacks, slot_base(class, class->made_count + made)) < 0)
			break;
	}
	if (made == 0)
		return -ENOMEM;
	/* The page that every task touches, all at once: cheaper than a fault for each. */
	(void)advise_many(
		class, made, class->slot_bytes - PAGE_BYTES, PAGE_BYTES, MADV_POPULATE_WRITE);
	for (uint32_t i = 0; i < made; i++)
		class->free[i] = class->made_count + made - 1 - i;
	class->free_count = made;
	class->clean_count = 0;
	class->free_low = 0;
	class->made_count += made;
	return 0;
}

/* Of the free slots below this nobody had need since the last trim. */
static uint32_t trim_end(const struct soon__stack_class *class)
{
	return class->free_low > KEEP_WARM ? class->free_low - KEEP_WARM : 0;
}

/* Slots that were in use since the last trim hold pages again. */
static uint32_t clean_end(const struct soon__stack_class *class)
{
	return class->clean_count < class->free_low ? class->clean_count : class->free_low;
}

bool soon__stacks_can_trim(const struct soon__stacks *stacks)
{
	for (unsigned i = 0; i < SOON__STACK_CLASSES; i++) {
		const struct soon__stack_class *class = &stacks->classes[i];

		/* What is free now counts as not needed at the trim after the next. */
		if (class->free_count > KEEP_WARM &&
			clean_end(class) < class->free_count - KEEP_WARM)
			return true;
	}
	return false;
}

void soon__stacks_trim(struct soon__stacks *stacks)
{
	for (unsigned i = 0; i < SOON__STACK_CLASSES; i++) {
		struct soon__stack_class *class = &stacks->classes[i];
		uint32_t clean = clean_end(class);
		uint32_t end = trim_end(class);

		for (; clean < end; clean++) {
			char *low = slot_base(class, class->free[clean]) + SOON__STACK_GUARD_BYTES;
			size_t bytes = class->slot_bytes - SOON__STACK_GUARD_BYTES;

			soon__san_stack_unpoison(low, bytes);
			/* Guard markers survive MADV_DONTNEED. */
			(void)madvise(low, bytes, MADV_DONTNEED);
		}
		class->clean_count = clean;
		class->free_low = class->free_count;
	}
}

/* Finds the slot that holds `addr`; returns the offset in it, -1 when there is none. */
static ssize_t find_slot(
	const struct soon__stacks *stacks, const void *addr, struct soon__stack *ret_stack)
{
	for (unsigned i = 0; i < SOON__STACK_CLASSES; i++) {
		const struct soon__stack_class *class = &stacks->classes[i];
		uintptr_t at = (uintptr_t)addr;
		size_t offset;

		if (!class->base || at < (uintptr_t) class->base)
			continue;
		offset = at - (uintptr_t) class->base;
		if (offset >= (size_t) class->made_count * class->slot_bytes)
			continue;
		/* Slots are powers of two; a division would be half of a join's price. */
		soon__stack_describe(
			class, (uint32_t)(offset >> __builtin_ctzl(class->slot_bytes)), ret_stack);
		ret_stack->class_index = (uint8_t)i;
		return (ssize_t)(offset & (class->slot_bytes - 1));
	}
	return -1;
}

bool soon__stacks_guard_hit(
	const struct soon__stacks *stacks, const void *addr, struct soon__stack *ret_stack)
{
	ssize_t offset = find_slot(stacks, addr, ret_stack);

	return offset >= 0 && offset < (ssize_t)SOON__STACK_GUARD_BYTES;
}

bool soon__stacks_find(
	const struct soon__stacks *stacks, const void *addr, struct soon__stack *ret_stack)
{
	return find_slot(stacks, addr, ret_stack) >= (ssize_t)SOON__STACK_GUARD_BYTES;
}

size_t soon__stacks_made(const struct soon__stacks *stacks)
{
	size_t made = 0;

	for (unsigned i = 0; i < SOON__STACK_CLASSES; i++)
		made += stacks->classes[i].made_count;
	return made;
}
