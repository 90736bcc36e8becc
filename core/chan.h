// SPDX-License-Identifier: Apache-2.0
/*
 * chan.h: what a channel's calls and select share.
 *
 * Whoever waits is a set of cases: one for a send or a receive, several for a select. Each is a
 * place in one queue of its channel, and the first that happens takes all of them out of their
 * queues at once. So a queue never holds what cannot happen, and who finds a waiter has a partner.
 */
#ifndef CORE_CHAN_H
#define CORE_CHAN_H

#include <soon/chan.h>

#include "waitq.h"

/* A task's wait for one of its cases; in its frame. */
struct soon__chan_wait {
	struct soon__wait wait;
	soon_case *cases;
	size_t count;
	soon_case *done; /* the one that happened; NULL when the wait was cancelled */
};

_Static_assert(sizeof(struct soon__waitq) == sizeof(((soon_chan *)0)->soon__queues[0]),
	"a soon_chan holds its queues");
_Static_assert(sizeof(struct soon__waiter) == sizeof(((soon_case *)0)->soon__opaque),
	"a soon_case holds its place in a queue");

static inline struct soon__waitq *soon__chan_receivers(soon_chan *chan)
{
	return (struct soon__waitq *)(void *)chan->soon__queues[0];
}

static inline struct soon__waitq *soon__chan_senders(soon_chan *chan)
{
	return (struct soon__waitq *)(void *)chan->soon__queues[1];
}

static inline struct soon__waiter *soon__chan_waiter(soon_case *one)
{
	return (struct soon__waiter *)(void *)one->soon__opaque;
}

/* As soon__chan_enter() when the channel is not this run's, or its items are of another size. */
SOON_COLD int soon__chan_enter_slow(soon_chan *chan, size_t item_bytes, const char *what);

/* Makes the channel this core's, or says why not: -EPERM, -EOWNERDEAD; checks the item's size. */
static inline int soon__chan_enter(soon_chan *chan, size_t item_bytes, const char *what)
{
	const soon_core *core = soon__core;

	if (SOON_LIKELY(core && soon__chan_receivers(chan)->run_id == core->run_id &&
		    chan->soon__item_bytes == item_bytes))
		return 0;
	return soon__chan_enter_slow(chan, item_bytes, what);
}

/* Sends or receives if that can be done at once; -EAGAIN if not. */
int soon__chan_send_now(soon_chan *chan, const void *item);
int soon__chan_recv_now(soon_chan *chan, void *ret_item);

/* Waits until one of the cases has happened; NULL when the task's scope is cancelled. */
soon_case *soon__chan_park(soon_case *cases, size_t count, const char *what);

#endif
