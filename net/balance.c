// SPDX-License-Identifier: Apache-2.0
#include "balance.h"

#include <soon/assert.h>
#include <soon/mem.h>

_Static_assert(sizeof(struct soon__seat) <= SOON__SEAT_BYTES, "a seat shares its lines");

/* The memory has one more than there are, so that the first can begin with a line. */
static struct soon__seat *seat_at(const struct soon__balance *balance, uint32_t index)
{
	uintptr_t start = (uintptr_t)balance->memory;
	size_t ahead = (SOON__SEAT_BYTES - start % SOON__SEAT_BYTES) % SOON__SEAT_BYTES;

	SOON_ASSERT(index < balance->count);
	return (struct soon__seat *)(void *)(balance->memory + ahead +
		(size_t)index * SOON__SEAT_BYTES);
}

int soon__balance_init(struct soon__balance *balance, uint32_t count, uint32_t uneven_max)
{
	*balance = (struct soon__balance){ .count = count, .uneven_max = uneven_max };
	balance->memory = soon_zalloc(((size_t)count + 1) * SOON__SEAT_BYTES);
	if (balance->memory == NULL)
		return -ENOMEM;
	for (uint32_t i = 0; i < count; i++) {
		struct soon__seat *seat = seat_at(balance, i);

		atomic_store_explicit(&seat->load, SOON__SEAT_CLOSED, memory_order_relaxed);
		seat->shared = balance;
	}
	return 0;
}

void soon__balance_fini(struct soon__balance *balance)
{
	soon_free(balance->memory);
	balance->memory = NULL;
}

struct soon__seat *soon__balance_seat(const struct soon__balance *balance, uint32_t index)
{
	return balance->memory != NULL ? seat_at(balance, index) : NULL;
}

void soon__seat_open(struct soon__seat *seat, uint32_t load_max, void *owner)
{
	SOON_ASSERT(soon__seat_is_free(seat));
	atomic_store_explicit(&seat->load_max, load_max, memory_order_relaxed);
	seat->core = soon_core_self();
	seat->owner = owner;
	/* Pairs with the looks of soon__seat_better(): who sees it open sees the fields. */
	atomic_store_explicit(&seat->load, 0, memory_order_release);
}

void soon__seat_close(struct soon__seat *seat)
{
	atomic_fetch_or_explicit(&seat->load, SOON__SEAT_CLOSED, memory_order_relaxed);
}

/* Counts one that is sent there, unless that is closed or full by now. */
static bool reserve(struct soon__seat *seat, uint32_t load)
{
	uint32_t load_max = atomic_load_explicit(&seat->load_max, memory_order_relaxed);

	/* Acquire pairs with soon__seat_open(), for the fields. */
	while (!(load & SOON__SEAT_CLOSED) && load < load_max)
		if (atomic_compare_exchange_weak_explicit(&seat->load, &load, load + 1,
			    memory_order_acquire, memory_order_acquire))
			return true;
	return false;
}

/* The one with the fewest; among equals the next after `seat`, so that not all choose the same. */
static struct soon__seat *fewest(
	const struct soon__balance *balance, const struct soon__seat *seat, uint32_t *ret_load)
{
	const char *first = (const char *)(const void *)seat_at(balance, 0);
	uint32_t here = (uint32_t)(((const char *)(const void *)seat - first) / SOON__SEAT_BYTES);
	struct soon__seat *best = NULL;

	*ret_load = UINT32_MAX;
	for (uint32_t step = 1; step < balance->count; step++) {
		struct soon__seat *other = seat_at(balance, (here + step) % balance->count);
		/* Pairs with soon__seat_open(). */
		uint32_t load = atomic_load_explicit(&other->load, memory_order_acquire);

		if (load < *ret_load) {
			*ret_load = load;
			best = other;
		}
	}
	return best;
}

struct soon__seat *soon__seat_better(struct soon__seat *seat)
{
	uint32_t here = soon__seat_load(seat), there;
	struct soon__seat *best;

	if (seat->shared == NULL || here < seat->shared->uneven_max)
		return NULL;
	best = fewest(seat->shared, seat, &there);
	if (best == NULL || there > here || here - there < seat->shared->uneven_max)
		return NULL;
	return reserve(best, there) ? best : NULL;
}
