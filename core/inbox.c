// SPDX-License-Identifier: Apache-2.0
/*
 * inbox.c: posting callbacks to a core, and running them there.
 *
 * Everything a producer does is an atomic operation or the doorbell, no lock and no allocation, so
 * a post is safe in a signal handler, also in one that interrupts a post or the consumer itself.
 *
 * The memory orders, each on the operation that needs it:
 *   head      a post releases what the caller wrote and the link; the exchange in take() acquires
 *             it. Going to sleep releases the poller; the post that rings it acquires it.
 *   pending   a post that finds the callback pending releases what its caller wrote before; the
 *             exchange in run() that ends the waiting acquires it. So the run sees the data of
 *             every post that it answers. This is why run() exchanges instead of storing.
 *   ringing   counted up before the list can show that a doorbell is due and down after the ring;
 *             close() acquires the last release and then knows that wake() has been left.
 */
#include "inbox.h"

#include "core.h"

#include <sched.h>

static uintptr_t word_of(soon_callback *callback)
{
	return (uintptr_t)callback;
}

static soon_callback *callback_of(uintptr_t word)
{
	return word > SOON__INBOX_CLOSED ? (soon_callback *)word : NULL;
}

void soon__inbox_init(struct soon__inbox *inbox)
{
	*inbox = (struct soon__inbox){ 0 };
	atomic_init(&inbox->head, SOON__INBOX_CLOSED);
}

void soon__inbox_open(struct soon__inbox *inbox)
{
	SOON_ASSERT(atomic_load_explicit(&inbox->head, memory_order_relaxed) == SOON__INBOX_CLOSED);
	SOON_ASSERT(inbox->taken == NULL);
	/* Relaxed: others learn of the core by a pointer, and that needs its own order. */
	atomic_store_explicit(&inbox->head, SOON__INBOX_AWAKE, memory_order_relaxed);
}

/*
 * Replaces the ASLEEP mark by the callback and rings; false when the mark has gone meanwhile. The
 * count keeps the poller alive: the consumer may wake by itself, run the callback, end the run and
 * close before we come to ring.
 */
static bool push_and_ring(soon_core *core, soon_callback *callback)
{
	struct soon__inbox *inbox = &core->inbox;
	uintptr_t seen = SOON__INBOX_ASLEEP;
	bool is_pushed;

	/* Ordered before the push by the release below; seen by close() after its exchange. */
	atomic_fetch_add_explicit(&inbox->ringing, 1, memory_order_relaxed);
	callback->soon__next = NULL;
	/* Acquire: pairs with soon__inbox_prepare_sleep. Release: pairs with take. */
	is_pushed = atomic_compare_exchange_strong_explicit(
		&inbox->head, &seen, word_of(callback), memory_order_acq_rel, memory_order_relaxed);
	if (is_pushed)
		core->poller->ops->wake(core->poller);
	/* Release: pairs with soon__inbox_close. */
	atomic_fetch_sub_explicit(&inbox->ringing, 1, memory_order_release);
	return is_pushed;
}

int soon_post(soon_core *core, soon_callback *callback)
{
	struct soon__inbox *inbox = &core->inbox;
	uintptr_t seen = atomic_load_explicit(&inbox->head, memory_order_relaxed);

	SOON_ASSERT(callback->fn != NULL);
	SOON_ASSERT((word_of(callback) & SOON__INBOX_CLOSED) == 0);
	/* Release: what the caller wrote, pairs with run(). Acquire: the reset below, or run's. */
	if (__atomic_exchange_n(&callback->soon__pending, 1, __ATOMIC_ACQ_REL) != 0)
		return 0;
	for (;;) {
		if (seen == SOON__INBOX_CLOSED) {
			__atomic_store_n(&callback->soon__pending, 0, __ATOMIC_RELEASE);
			return core->is_left_behind ? -EOWNERDEAD : -ESHUTDOWN;
		}
		if (seen == SOON__INBOX_ASLEEP) {
			if (push_and_ring(core, callback))
				return 0;
			seen = atomic_load_explicit(&inbox->head, memory_order_relaxed);
			continue;
		}
		callback->soon__next = callback_of(seen);
		/* Release: pairs with take(). Once it is in, the callback is not ours to touch. */
		if (atomic_compare_exchange_weak_explicit(&inbox->head, &seen, word_of(callback),
			    memory_order_release, memory_order_relaxed))
			return 0;
	}
}

/* Leaves `mark` in place of the chain and returns the chain, oldest first. */
static soon_callback *take(struct soon__inbox *inbox, enum soon__inbox_mark mark)
{
	/* Acquire: pairs with both pushes of soon_post, through the whole chain. */
	soon_callback *newest =
		callback_of(atomic_exchange_explicit(&inbox->head, mark, memory_order_acquire));
	soon_callback *oldest = NULL;

	while (newest != NULL) {
		soon_callback *older = newest->soon__next;

		newest->soon__next = oldest;
		oldest = newest;
		newest = older;
	}
	return oldest;
}

/* Runs a callback, which from the exchange on may be posted again and from its fn on be gone. */
static void run(soon_callback *callback)
{
	void (*fn)(soon_callback *) = callback->fn;

	/* Acquire: pairs with the exchange of each post that found it pending. */
	int was_pending = __atomic_exchange_n(&callback->soon__pending, 0, __ATOMIC_ACQ_REL);

	SOON_ASSERT(was_pending == 1);
	fn(callback);
}

unsigned soon__inbox_drain(struct soon__inbox *inbox, unsigned max)
{
	unsigned count = 0;

	if (!soon__inbox_is_due(inbox))
		return 0;
	/* Only once: a callback that posts itself again has to wait for the next drain. */
	if (inbox->taken == NULL)
		inbox->taken = take(inbox, SOON__INBOX_AWAKE);
	while (inbox->taken != NULL && count < max) {
		soon_callback *callback = inbox->taken;

		inbox->taken = callback->soon__next;
		run(callback);
		count++;
	}
	return count;
}

bool soon__inbox_prepare_sleep(struct soon__inbox *inbox)
{
	uintptr_t seen = SOON__INBOX_AWAKE;

	if (inbox->taken != NULL)
		return false;
	/* Release: pairs with push_and_ring, whose doorbell wakes a poller that is set up. */
	if (atomic_compare_exchange_strong_explicit(&inbox->head, &seen, SOON__INBOX_ASLEEP,
		    memory_order_release, memory_order_relaxed))
		return true;
	SOON_ASSERT(callback_of(seen) != NULL);
	return false;
}

void soon__inbox_awake(struct soon__inbox *inbox)
{
	uintptr_t seen = SOON__INBOX_ASLEEP;

	/* If it fails there is a chain, and its first producer rings or has rung. */
	if (!atomic_compare_exchange_strong_explicit(&inbox->head, &seen, SOON__INBOX_AWAKE,
		    memory_order_relaxed, memory_order_relaxed))
		SOON_ASSERT(callback_of(seen) != NULL);
}

void soon__inbox_forget(struct soon__inbox *inbox)
{
	inbox->taken = NULL;
	atomic_store_explicit(&inbox->head, SOON__INBOX_CLOSED, memory_order_relaxed);
	atomic_store_explicit(&inbox->ringing, 0, memory_order_relaxed);
}

void soon__inbox_close(struct soon__inbox *inbox)
{
	soon_callback **end = &inbox->taken;

	if (atomic_load_explicit(&inbox->head, memory_order_relaxed) == SOON__INBOX_CLOSED)
		return;
	while (*end != NULL)
		end = &(*end)->soon__next;
	*end = take(inbox, SOON__INBOX_CLOSED);
	while (inbox->taken != NULL) {
		soon_callback *callback = inbox->taken;

		inbox->taken = callback->soon__next;
		run(callback);
	}
	/* Acquire: pairs with the end of push_and_ring. A ring is short; nobody can enter now. */
	while (atomic_load_explicit(&inbox->ringing, memory_order_acquire) != 0)
		sched_yield();
}
