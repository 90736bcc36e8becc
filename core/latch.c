// SPDX-License-Identifier: Apache-2.0
#include "latch.h"

#include "futex.h"
#include "spin.h"

#include <time.h>

enum {
	CLOSED = 0,
	SLEPT_ON = 1, /* closed, and who opens it has to wake the waiter */
	OPEN = 2,
};

void soon__latch_open(struct soon__latch *latch)
{
	/* Release: pairs with soon__latch_wait. From here on only the address is used. */
	if (atomic_exchange_explicit(&latch->word, OPEN, memory_order_release) == SLEPT_ON)
		soon__futex_wake(latch);
}

static soon_ns now(void)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_MONOTONIC, &ts);
	return SOON_S(ts.tv_sec) + ts.tv_nsec;
}

soon_ns soon__latch_deadline(soon_ns timeout)
{
	soon_ns time;

	if (timeout == SOON_NEVER)
		return SOON_NEVER;
	time = now();
	return timeout > SOON_NEVER - time ? SOON_NEVER : time + timeout;
}

bool soon__latch_wait(struct soon__latch *latch, soon_ns deadline)
{
	uint32_t seen = CLOSED;

	/* Acquire, in all three: pairs with soon__latch_open. */
	if (atomic_load_explicit(&latch->word, memory_order_acquire) == OPEN)
		return true;
	if (soon__spin_thread(&latch->word, CLOSED, deadline) &&
		atomic_load_explicit(&latch->word, memory_order_acquire) == OPEN)
		return true;
	(void)atomic_compare_exchange_strong_explicit(
		&latch->word, &seen, SLEPT_ON, memory_order_acquire, memory_order_acquire);
	while (atomic_load_explicit(&latch->word, memory_order_acquire) != OPEN) {
		if (deadline != SOON_NEVER && now() >= deadline)
			return false;
		soon__futex_wait(&latch->word, SLEPT_ON, deadline);
	}
	return true;
}
