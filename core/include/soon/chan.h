// SPDX-License-Identifier: Apache-2.0
/*
 * chan.h: channels: items handed from task to task, in order, and waiting for one of several.
 *
 * A channel belongs to one core and carries items of one size, by copy. Without a buffer a send and
 * a receive meet: both go on when the item has changed hands. With a buffer a send waits only while
 * it is full. Senders are served in the order they came, and so are receivers. Use a channel where
 * items flow; for a result that comes once take a future, and for a condition an event.
 *
 *	static soon_chan jobs = SOON_CHAN_INIT(struct job);
 *
 *	rc = soon_chan_send(&jobs, &job);			// one task
 *	while ((rc = soon_chan_recv(&jobs, &job)) > 0)		// another; 0: closed, nothing left
 *		...
 *
 * An item that has changed hands is never taken back: its sender was successful and its receiver
 * gets it, although a cancel came before they ran. A call that fails has sent or taken nothing.
 *
 * A channel with static storage may be used in one run after another. A new run finds it open, but
 * not with items or waiters of an ended one: see -EOWNERDEAD.
 */
#ifndef SOON_CHAN_H
#define SOON_CHAN_H

#include <soon/base.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Cases of one select. */
#define SOON_SELECT_CASES_MAX 256

/* All of it is private. */
typedef struct soon_chan {
	uint32_t soon__item_bytes;
	uint32_t soon__capacity; /* items in the buffer; 0: there is none */
	char *soon__items;       /* the buffer, a ring */
	uint32_t soon__head;     /* index of the oldest item in it */
	uint32_t soon__len;      /* items in it */
	bool soon__is_closed;
	uint64_t soon__queues[2][4]; /* receivers, senders */
} soon_chan;

/* An initialiser, at file scope or in a function: a channel without buffer for items of `type`. */
#define SOON_CHAN_INIT(type)                                                                       \
	{                                                                                          \
		.soon__item_bytes = sizeof(type)                                                   \
	}

/* Likewise with `storage`, an array of `type` that lives as long as the channel, as its buffer. */
#define SOON_CHAN_BUFFERED(type, storage)                                                          \
	{                                                                                          \
		.soon__item_bytes = sizeof(type),                                                  \
		.soon__capacity = sizeof(storage) /                                                \
			sizeof(char[sizeof((storage)[0]) == sizeof(type) ? (int)sizeof(type)       \
									 : -1]),                   \
		.soon__items = (char *)(storage)                                                   \
	}

/*
 * Makes a channel on the heap, with a buffer of `capacity` items or, at 0, without.
 * Affinity: any; the first use decides which core it belongs to. Suspends: never.
 * Ownership: returns owned, to be given to soon_chan_destroy.
 * Errors: -EINVAL no bytes, with a report. -E2BIG 4 GiB or more in all. -ENOMEM.
 */
SOON_API SOON_NODISCARD int soon_chan_open(size_t item_bytes, size_t capacity, soon_chan **ret_chan)
	SOON_ANY_THREAD;

/*
 * Ends a channel from soon_chan_open, or brings one with an initialiser back to its first state:
 * open, without items, of no run. Items that were not received are dropped.
 * Affinity: the core that used it, or any once that run is over. Suspends: never. Null: nothing
 * happens. Aborts when tasks wait at it.
 */
SOON_API void soon_chan_destroy(soon_chan *SOON_NULLABLE chan);
SOON_API void soon_chan_fini(soon_chan *chan);

SOON_API SOON_NODISCARD int soon__chan_send(soon_chan *chan, const void *item, size_t bytes)
	SOON_SUSPENDS;
SOON_API SOON_NODISCARD int soon__chan_recv(soon_chan *chan, void *ret_item, size_t bytes)
	SOON_SUSPENDS;
SOON_API SOON_NODISCARD int soon__chan_try_send(soon_chan *chan, const void *item, size_t bytes)
	SOON_ON_CORE;
SOON_API SOON_NODISCARD int soon__chan_try_recv(soon_chan *chan, void *ret_item, size_t bytes)
	SOON_ON_CORE;

/*
 * Sends a copy of `*item_ptr`, whose size must be that of the channel's items (aborts otherwise).
 * Affinity: core, in a task. Suspends: may, until a receiver or a place in the buffer takes it.
 * Cancel: cancellation point; -ECANCELED means that it was not sent. Ownership: borrows until
 * return.
 * Returns: 0: it was received or buffered.
 * Errors: -ECANCELED. -EPIPE the channel is or was closed: not sent. -EPERM not in a task, or the
 * channel is in use on another core, with a report. -EOWNERDEAD a run ended with items or tasks in
 * it, with a report; soon_chan_fini() makes it usable again.
 */
#define soon_chan_send(chan, item_ptr) soon__chan_send((chan), (item_ptr), sizeof *(item_ptr))

/*
 * Receives the oldest item into `*ret_item_ptr`, whose size must be that of the items.
 * Affinity, Suspends, Cancel, Errors: as soon_chan_send; no -EPIPE.
 * Returns: 1: an item. 0: the channel is closed and all its items were received.
 */
#define soon_chan_recv(chan, ret_item_ptr)                                                         \
	soon__chan_recv((chan), (ret_item_ptr), sizeof *(ret_item_ptr))

/*
 * As above, without waiting, so that callbacks on the core's thread may use them, too.
 * Affinity: core. Suspends: never. Cancel: not a cancellation point.
 * Errors: as above, no -ECANCELED; -EAGAIN it would have to wait.
 */
#define soon_chan_try_send(chan, item_ptr)                                                         \
	soon__chan_try_send((chan), (item_ptr), sizeof *(item_ptr))
#define soon_chan_try_recv(chan, ret_item_ptr)                                                     \
	soon__chan_try_recv((chan), (ret_item_ptr), sizeof *(ret_item_ptr))

/*
 * Closes the channel: who waits to send gets -EPIPE, who waits to receive gets 0. Items in the
 * buffer can still be received.
 * Affinity: core. Suspends: never.
 * Errors: -EALREADY it is closed: somebody else believes to be the only sender. -EPERM, -EOWNERDEAD
 * as in soon_chan_send. All with a report, so the result may be ignored.
 */
SOON_API int soon_chan_close(soon_chan *chan) SOON_ON_CORE;

/*
 * Returns the items in the buffer, how many fit, and whether it was closed.
 * Affinity: core; elsewhere 0, with a report if the channel is in use. Suspends: never.
 */
SOON_API size_t soon_chan_len(const soon_chan *chan) SOON_ON_CORE;
SOON_API size_t soon_chan_capacity(const soon_chan *chan) SOON_ON_CORE;
SOON_API bool soon_chan_is_closed(const soon_chan *chan) SOON_ON_CORE;

/*
 * One of the things a select waits for; made by SOON_RECV and SOON_SEND.
 *
 *	soon_case cases[] = { SOON_RECV(&jobs, &job), SOON_SEND(&results, &result) };
 *
 *	switch (soon_select(cases, 2)) {
 *	case 0:
 *		if (cases[0].rc == 0)			// closed
 *			...
 */
typedef struct soon_case {
	soon_chan *chan; /* NULL: never ready, which switches the case off */
	void *item;      /* where it comes from or goes to */
	size_t item_bytes;
	int rc; /* of the case that happened: as of soon_chan_send or soon_chan_recv */
	bool is_send;
	uint64_t soon__opaque[4];
} soon_case;

static inline soon_case soon__case(soon_chan *chan, const void *item, size_t bytes, bool is_send)
{
	soon_case made = { chan, (void *)(uintptr_t)item, bytes, 0, is_send, { 0, 0, 0, 0 } };

	return made;
}

#define SOON_RECV(chan, ret_item_ptr)                                                              \
	soon__case((chan), (ret_item_ptr), sizeof *(ret_item_ptr), false)
#define SOON_SEND(chan, item_ptr) soon__case((chan), (item_ptr), sizeof *(item_ptr), true)

/*
 * Waits until one of the cases can happen, has exactly that one happen, and returns its index;
 * `rc` of the case says how it went. Of several that are ready a random one is taken; the order of
 * the array means nothing. The same channel may be in several cases.
 * Affinity: core, in a task. Suspends: may, until a case is ready; without cases, until it is
 * cancelled. Cancel: cancellation point; -ECANCELED means that nothing happened.
 * Ownership: borrows `cases` and what they point to until return.
 * Returns: 0 or more: the index.
 * Errors: -ECANCELED. -E2BIG, -EPERM, -EOWNERDEAD as in soon_chan_send, with a report.
 * Limits: SOON_SELECT_CASES_MAX cases, -E2BIG beyond. Cost: one look at each case.
 */
SOON_API SOON_NODISCARD int soon_select(soon_case *cases, size_t count) SOON_SUSPENDS;

/*
 * As above, without waiting. Affinity: core. Suspends: never. Cancel: not a cancellation point.
 * Errors: -EAGAIN no case is ready; as above, no -ECANCELED.
 */
SOON_API SOON_NODISCARD int soon_try_select(soon_case *cases, size_t count) SOON_ON_CORE;

#ifdef __cplusplus
}
#endif

#endif
