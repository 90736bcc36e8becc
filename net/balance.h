// SPDX-License-Identifier: Apache-2.0
/*
 * balance.h: how many connections each core of a service has, for those who may hand one on.
 *
 * A seat is one core's part. Its count holds the connections that are served there and those that
 * are on their way to it: who hands one on counts it before it leaves, so a closing seat knows what
 * is still to come, and a limit is kept by the sender. There is no lock; whoever looks at another
 * core's count may see one that is a little old, and be a connection off.
 */
#ifndef NET_BALANCE_H
#define NET_BALANCE_H

#include <soon/base.h>
#include <soon/thread.h>

#include <stdatomic.h>

#define SOON__SEAT_BYTES 128 /* two cache lines, which processors fetch in pairs */

struct soon__seat {
	/*
	 * Connections, and SOON__SEAT_CLOSED. Everything is relaxed where only the number counts:
	 * what is handed on travels by soon_post(), which orders it.
	 */
	_Atomic uint32_t load;
	_Atomic uint32_t load_max;    /* others hand on only below it */
	soon_core *core;              /* whose it is, while it is open */
	void *owner;                  /* of the seat's core: what its connections arrive at */
	struct soon__balance *shared; /* NULL: the service is on one core, or does not balance */
};

#define SOON__SEAT_CLOSED (1u << 31) /* nobody may hand anything on to it */

struct soon__balance {
	char *memory;
	uint32_t count;
	uint32_t uneven_max; /* a core may have so many more than the one with the fewest */
};

/* Makes a closed seat for each of `count` cores. Errors: -ENOMEM. */
SOON_NODISCARD int soon__balance_init(
	struct soon__balance *balance, uint32_t count, uint32_t uneven_max);
void soon__balance_fini(struct soon__balance *balance);

/* Null: without seats there is none. */
struct soon__seat *soon__balance_seat(const struct soon__balance *balance, uint32_t index);

/* Opens the seat of the calling core, which is free. */
void soon__seat_open(struct soon__seat *seat, uint32_t load_max, void *owner) SOON_ON_CORE;

/* From now on no more are sent here; those that the count still holds arrive. */
void soon__seat_close(struct soon__seat *seat) SOON_ON_CORE;

/* Whether it may be opened: nobody serves with it. Asked by its own core. */
static inline bool soon__seat_is_free(const struct soon__seat *seat)
{
	return atomic_load_explicit(&seat->load, memory_order_relaxed) == SOON__SEAT_CLOSED;
}

static inline uint32_t soon__seat_load(const struct soon__seat *seat)
{
	return atomic_load_explicit(&seat->load, memory_order_relaxed) & ~SOON__SEAT_CLOSED;
}

/* One connection more, which came by itself, and one less. */
static inline void soon__seat_enter(struct soon__seat *seat)
{
	atomic_fetch_add_explicit(&seat->load, 1, memory_order_relaxed);
}

static inline void soon__seat_leave(struct soon__seat *seat)
{
	atomic_fetch_sub_explicit(&seat->load, 1, memory_order_relaxed);
}

/*
 * Finds the seat that should have the connection which has just come to `seat`, and counts it
 * there. Returns: NULL: it stays.
 */
struct soon__seat *soon__seat_better(struct soon__seat *seat) SOON_ON_CORE;

#endif
