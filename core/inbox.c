// SPDX-License-Identifier: Apache-2.0
/*
 * inbox.c: posting callbacks to a core, and running them there.
 *
 * Everything a producer does is an atomic operation or the doorbell, no lock and no allocation, so
 * a post is safe in a signal handler, also in one that interrupts a post or the consumer itself.
 *
 * The memory orders, each on the operation that needs it:
 *   head      a post releases what the caller wrote and the link; the exchange in take() acquires
 *             it. Going to sleep releases the poller; the post that replaces the mark acquires it.
 *   pending   a post that finds the callback pending releases what its caller wrote before; the
 *             exchange in run() that ends the waiting acquires it. So the run sees the data of
 *             every post that it answers. This is why run() exchanges instead of storing.
 *   rung      counted up, with release, after wake() was left. The consumer knows how many of its
 *             marks were replaced; close() waits for as many, with acquire, and then knows that no
 *             producer is in wake() or will come there, so that the poller may go.
 *
 * Who replaces PARKED needs no such count: all it touches afterwards is the word's address, and
 * cores are never freed. At worst it wakes a later sleep for no reason.
 *
 * Why the push is not one exchange: see docs/decisions/0032-posting-stays-a-compare-and-swap.md.
 */
#include "inbox.h"

#include "core.h"
#include "futex.h"

#include <sched.h>

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "a futex is the low half of its word");
_Static_assert(_Alignof(soon_callback) > SOON__INBOX_PARKED, "no callback's address is a mark");

static uintptr_t word_of(soon_callback *callback)
{
	return (uintptr_t)callback;
}

static soon_callback *callback_of(uintptr_t word)
{
	return word > SOON__INBOX_PARKED ? (soon_callback *)word : NULL;
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

/* The callback has replaced the mark of a consumer that sleeps, or is about to: wakes it. */
static SOON_COLD void ring(soon_core *core, uintptr_t mark)
{
	if (mark == SOON__INBOX_PARKED) {
		soon__futex_wake(&core->inbox.head);
		return;
	}
	/*
	 * The consumer may wake by itself, run the callback and end its run meanwhile: the poller
	 * is there until its close has seen the count.
	 */
	core->poller->ops->wake(core->poller);
	/* Release: pairs with soon__inbox_close. */
	atomic_fetch_add_explicit(&core->inbox.rung, 1, memory_order_release);
}

int soon_post(soon_core *core, soon_callback *callback)
{
	struct soon__inbox *inbox = &core->inbox;
	uintptr_t seen;

	SOON_ASSERT(callback->fn != NULL);
	SOON_ASSERT((word_of(callback) & SOON__INBOX_PARKED) == 0);
	/* Release: what the caller wrote, pairs with run(). Acquire: the reset below, or run's. */
	if (__atomic_exchange_n(&callback->soon__pending, 1, __ATOMIC_ACQ_REL) != 0)
		return 0;
	/*
	 * Acquire, here and below: pairs with soon__inbox_close(), which one that is refused comes
	 * after; and with soon__inbox_prepare_sleep, for the poller in ring().
	 */
	seen = atomic_load_explicit(&inbox->head, memory_order_acquire);
	do {
		if (SOON_UNLIKELY(seen == SOON__INBOX_CLOSED)) {
			__atomic_store_n(&callback->soon__pending, 0, __ATOMIC_RELEASE);
			return core->is_left_behind ? -EOWNERDEAD : -ESHUTDOWN;
		}
		callback->soon__next = callback_of(seen);
		/* Release: pairs with take(). Once it is in, the callback is not ours to touch. */
	} while (!atomic_compare_exchange_weak_explicit(&inbox->head, &seen, word_of(callback),
		memory_order_release, memory_order_acquire));
	if (SOON_UNLIKELY(seen == SOON__INBOX_ASLEEP || seen == SOON__INBOX_PARKED))
		ring(core, seen);
	return 0;
}

/* Leaves `mark` in place of the chain and returns the chain, oldest first. */
static soon_callback *take(struct soon__inbox *inbox, enum soon__inbox_mark mark)
{
	/*
	 * Acquire: pairs with the push of soon_post, through the whole chain. Release, of CLOSED:
	 * pairs with a post that is refused.
	 */
	soon_callback *newest =
		callback_of(atomic_exchange_explicit(&inbox->head, mark, memory_order_acq_rel));
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

bool soon__inbox_prepare_sleep(struct soon__inbox *inbox, enum soon__inbox_mark mark)
{
	uintptr_t seen = SOON__INBOX_AWAKE;

	SOON_ASSERT(mark == SOON__INBOX_ASLEEP || mark == SOON__INBOX_PARKED);
	if (inbox->taken != NULL)
		return false;
	/* Release: pairs with soon_post, whose ring() uses a poller that is set up. */
	if (atomic_compare_exchange_strong_explicit(
		    &inbox->head, &seen, mark, memory_order_release, memory_order_relaxed))
		return true;
	SOON_ASSERT(callback_of(seen) != NULL);
	return false;
}

void soon__inbox_park(struct soon__inbox *inbox, soon_ns until)
{
	/* The kernel compares before it sleeps: a post that came meanwhile is not missed. */
	soon__futex_wait(&inbox->head, SOON__INBOX_PARKED, until);
}

void soon__inbox_awake(struct soon__inbox *inbox, enum soon__inbox_mark mark)
{
	uintptr_t seen = mark;

	/* If it fails there is a chain, and its first producer rings or has rung. */
	if (atomic_compare_exchange_strong_explicit(&inbox->head, &seen, SOON__INBOX_AWAKE,
		    memory_order_relaxed, memory_order_relaxed))
		return;
	SOON_ASSERT(callback_of(seen) != NULL);
	if (mark == SOON__INBOX_ASLEEP)
		inbox->bells++;
}

void soon__inbox_forget(struct soon__inbox *inbox)
{
	inbox->taken = NULL;
	atomic_store_explicit(&inbox->head, SOON__INBOX_CLOSED, memory_order_relaxed);
	/* A thread that was to ring is not in the child. */
	inbox->bells = 0;
	atomic_store_explicit(&inbox->rung, 0, memory_order_relaxed);
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
	/* Acquire: pairs with ring(). A ring is short, and nobody else can come to it now. */
	while (atomic_load_explicit(&inbox->rung, memory_order_acquire) != inbox->bells)
		sched_yield();
}
