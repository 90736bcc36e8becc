// SPDX-License-Identifier: Apache-2.0
/*
 * chan.c: channels.
 *
 * An item moves when two sides meet, by whoever came second: it copies between the frames of the
 * two, or a frame and the buffer, and wakes the other with the result. So what was handed over
 * before a cancel stays handed over, and nobody has to look again after waking.
 *
 * Of the three, items in the buffer, waiting senders, waiting receivers, these can be together:
 * senders and a full buffer, whose places then go to them first; or a sender and a receiver that
 * are cases of the same select. A closed channel has no waiters.
 */
#include "chan.h"

#include <soon/mem.h>

#include <string.h>

/* The usual sizes without a call. */
static inline void copy_item(void *to, const void *from, size_t bytes)
{
	if (bytes == sizeof(uint64_t))
		memcpy(to, from, sizeof(uint64_t));
	else if (bytes == sizeof(uint32_t))
		memcpy(to, from, sizeof(uint32_t));
	else
		memcpy(to, from, bytes);
}

/* The address of the `index`-th item from the oldest, or of the place behind the last. */
static char *slot(const soon_chan *chan, uint32_t index)
{
	size_t at = (size_t)chan->soon__head + index;

	if (at >= chan->soon__capacity)
		at -= chan->soon__capacity;
	SOON_ASSERT(at < chan->soon__capacity);
	return chan->soon__items + at * chan->soon__item_bytes;
}

static soon_case *case_of(struct soon__waiter *waiter)
{
	return SOON_CONTAINER_OF(waiter, soon_case, soon__opaque);
}

/* All cases of a wait leave their queues: one has happened, or none will. */
static void leave_queues(struct soon__chan_wait *wait)
{
	for (size_t i = 0; i < wait->count; i++)
		soon__waitq_remove(soon__chan_waiter(&wait->cases[i]));
}

/* Ends the wait that `one` is part of. */
static void happen(soon_case *one, int rc)
{
	struct soon__chan_wait *wait =
		SOON_CONTAINER_OF(soon__chan_waiter(one)->wait, struct soon__chan_wait, wait);

	SOON_ASSERT(!wait->done);
	leave_queues(wait);
	one->rc = rc;
	wait->done = one;
	soon__unpark(&wait->wait, 0);
}

static enum soon__abort chan_abort(struct soon__wait *wait)
{
	leave_queues(SOON_CONTAINER_OF(wait, struct soon__chan_wait, wait));
	return SOON__ABORT_DONE;
}

soon_case *soon__chan_park(soon_case *cases, size_t count, const char *what)
{
	struct soon__chan_wait wait = {
		.wait = { .abort = chan_abort, .what = what },
		.cases = cases,
		.count = count,
	};

	for (size_t i = 0; i < count; i++) {
		soon_case *one = &cases[i];
		struct soon__waiter *waiter = soon__chan_waiter(one);

		*waiter = (struct soon__waiter){ .wait = &wait.wait };
		if (!one->chan)
			continue;
		SOON_ASSERT(!one->chan->soon__is_closed);
		soon__waitq_push(one->is_send ? soon__chan_senders(one->chan)
					      : soon__chan_receivers(one->chan),
			waiter);
	}
	(void)soon__park(&wait.wait); /* how it ended is in `done` */
	return wait.done;
}

/*
 * A new run finds an idle channel as it was made, so one that was closed is open again. As long as
 * the run that closed it lives, it belongs to that.
 */
static int adopt(soon_chan *chan, const char *what)
{
	struct soon__waitq *receivers = soon__chan_receivers(chan);
	struct soon__waitq *senders = soon__chan_senders(chan);
	bool is_over = receivers->run_id == 0 || !soon__run_is_live(receivers->run_id);
	bool is_held = chan->soon__len > 0 || !soon__waitq_is_empty(senders) ||
		(chan->soon__is_closed && !is_over);
	int rc;

	if (!receivers->site)
		receivers->site = senders->site; /* for the report */
	rc = soon__waitq_enter(receivers, is_held, what);
	if (rc < 0)
		return rc;
	if (is_over)
		chan->soon__is_closed = false;
	senders->run_id = receivers->run_id;
	senders->site = NULL;
	return 0;
}

int soon__chan_enter_slow(soon_chan *chan, size_t item_bytes, const char *what)
{
	if (chan->soon__item_bytes != item_bytes)
		soon_die("soon_%s: an item of %zu bytes for a channel whose items have %u", what,
			item_bytes, chan->soon__item_bytes);
	return adopt(chan, what);
}

int soon__chan_send_now(soon_chan *chan, const void *item)
{
	struct soon__waiter *receiver = soon__chan_receivers(chan)->head;

	if (chan->soon__is_closed)
		return -EPIPE;
	if (receiver) {
		soon_case *one = case_of(receiver);

		SOON_ASSERT(chan->soon__len == 0);
		copy_item(one->item, item, chan->soon__item_bytes);
		happen(one, 1);
		return 0;
	}
	if (chan->soon__len == chan->soon__capacity)
		return -EAGAIN;
	copy_item(slot(chan, chan->soon__len), item, chan->soon__item_bytes);
	chan->soon__len++;
	return 0;
}

/* Takes the oldest item out of the buffer; its place goes to the sender that waited longest. */
static void take_buffered(soon_chan *chan, void *ret_item)
{
	struct soon__waiter *sender = soon__chan_senders(chan)->head;

	copy_item(ret_item, slot(chan, 0), chan->soon__item_bytes);
	if (++chan->soon__head == chan->soon__capacity)
		chan->soon__head = 0;
	chan->soon__len--;
	if (sender) {
		soon_case *one = case_of(sender);

		SOON_ASSERT(chan->soon__len == chan->soon__capacity - 1);
		copy_item(slot(chan, chan->soon__len), one->item, chan->soon__item_bytes);
		chan->soon__len++;
		happen(one, 0);
	}
}

int soon__chan_recv_now(soon_chan *chan, void *ret_item)
{
	struct soon__waiter *sender;

	if (chan->soon__len > 0) {
		take_buffered(chan, ret_item);
		return 1;
	}
	sender = soon__chan_senders(chan)->head;
	if (sender) {
		soon_case *one = case_of(sender);

		SOON_ASSERT(chan->soon__capacity == 0);
		copy_item(ret_item, one->item, chan->soon__item_bytes);
		happen(one, 0);
		return 1;
	}
	return chan->soon__is_closed ? 0 : -EAGAIN;
}

int soon__chan_try_send(soon_chan *chan, const void *item, size_t bytes)
{
	int rc = soon__chan_enter(chan, bytes, "chan_try_send");

	return rc < 0 ? rc : soon__chan_send_now(chan, item);
}

int soon__chan_try_recv(soon_chan *chan, void *ret_item, size_t bytes)
{
	int rc = soon__chan_enter(chan, bytes, "chan_try_recv");

	return rc < 0 ? rc : soon__chan_recv_now(chan, ret_item);
}

/*
 * The other half of a call that has to wait. One function for both sides, which the calls jump to:
 * so that a processor that predicts returns from where it was called sees the same addresses when
 * the task that goes on is the other side, and only the last return surprises it.
 */
static __attribute__((noinline)) int wait_for_other(
	soon_chan *chan, const void *item, size_t bytes, bool is_send)
{
	soon_case one = soon__case(chan, item, bytes, is_send);

	return soon__chan_park(&one, 1, is_send ? "chan send" : "chan recv") ? one.rc : -ECANCELED;
}

int soon__chan_send(soon_chan *chan, const void *item, size_t bytes)
{
	int rc = soon__waitq_checkpoint("chan_send");

	if (SOON_UNLIKELY(rc < 0))
		return rc;
	rc = soon__chan_enter(chan, bytes, "chan_send");
	if (SOON_UNLIKELY(rc < 0))
		return rc;
	rc = soon__chan_send_now(chan, item);
	if (rc != -EAGAIN)
		return rc;
	return wait_for_other(chan, item, bytes, true);
}

int soon__chan_recv(soon_chan *chan, void *ret_item, size_t bytes)
{
	int rc = soon__waitq_checkpoint("chan_recv");

	if (SOON_UNLIKELY(rc < 0))
		return rc;
	rc = soon__chan_enter(chan, bytes, "chan_recv");
	if (SOON_UNLIKELY(rc < 0))
		return rc;
	rc = soon__chan_recv_now(chan, ret_item);
	if (rc != -EAGAIN)
		return rc;
	return wait_for_other(chan, ret_item, bytes, false);
}

static void wake_all(struct soon__waitq *queue, int rc)
{
	/* A select may be in a queue several times, or in both: all go with the first. */
	while (!soon__waitq_is_empty(queue))
		happen(case_of(queue->head), rc);
}

int soon_chan_close(soon_chan *chan)
{
	int rc = soon__chan_enter(chan, chan->soon__item_bytes, "chan_close");

	if (rc < 0)
		return rc;
	if (chan->soon__is_closed) {
		soon_report_file(SOON_REPORT_ERROR, -EALREADY,
			"soon_chan_close: it is closed already, and task '%s' closes it again",
			soon_task_name(NULL));
		return -EALREADY;
	}
	chan->soon__is_closed = true;
	wake_all(soon__chan_senders(chan), -EPIPE);
	wake_all(soon__chan_receivers(chan), 0);
	return 0;
}

/* As adopt(), for calls that only look. */
static bool may_look(const soon_chan *chan, const char *what)
{
	const struct soon__waitq *receivers = (const void *)chan->soon__queues[0];
	const struct soon__waitq *senders = (const void *)chan->soon__queues[1];

	return soon__waitq_look(
		receivers, chan->soon__len > 0 || chan->soon__is_closed || senders->head, what);
}

size_t soon_chan_len(const soon_chan *chan)
{
	return may_look(chan, "chan_len") ? chan->soon__len : 0;
}

size_t soon_chan_capacity(const soon_chan *chan)
{
	return chan->soon__capacity;
}

bool soon_chan_is_closed(const soon_chan *chan)
{
	return may_look(chan, "chan_is_closed") && chan->soon__is_closed;
}

int soon_chan_open(size_t item_bytes, size_t capacity, soon_chan **ret_chan)
{
	size_t bytes;
	soon_chan *chan;

	if (item_bytes == 0) {
		soon_report_file(SOON_REPORT_ERROR, -EINVAL,
			"soon_chan_open: items of no bytes; task '%s' asks for them",
			soon_task_name(NULL));
		return -EINVAL;
	}
	if (__builtin_mul_overflow(item_bytes, capacity, &bytes) || bytes > UINT32_MAX ||
		item_bytes > UINT32_MAX)
		return -E2BIG;
	chan = soon_malloc(sizeof *chan + bytes);
	if (!chan)
		return -ENOMEM;
	*chan = (soon_chan){
		.soon__item_bytes = (uint32_t)item_bytes,
		.soon__capacity = (uint32_t)capacity,
		.soon__items = (char *)(chan + 1),
	};
	*ret_chan = chan;
	return 0;
}

/* Nobody may wait any more, but for tasks of an ended run, of which only the places are left. */
static void check_unused(soon_chan *chan, const char *func)
{
	struct soon__waitq *queue = soon__chan_receivers(chan);

	if (soon__waitq_is_empty(queue))
		queue = soon__chan_senders(chan);
	if (SOON_UNLIKELY(!soon__waitq_is_empty(queue) && soon__run_is_live(queue->run_id)))
		soon_die("%s: tasks wait at the channel, the first of them '%s', spawned at %s:%d",
			func, queue->site->what, queue->site->file, queue->site->line);
}

void soon_chan_destroy(soon_chan *chan)
{
	if (!chan)
		return;
	check_unused(chan, "soon_chan_destroy");
	SOON_ASSERT(chan->soon__items == (char *)(chan + 1)); /* else it is not from the heap */
	soon_free(chan);
}

void soon_chan_fini(soon_chan *chan)
{
	check_unused(chan, "soon_chan_fini");
	SOON_ASSERT(chan->soon__items != (char *)(chan + 1)); /* else it is to be destroyed */
	*chan = (soon_chan){
		.soon__item_bytes = chan->soon__item_bytes,
		.soon__capacity = chan->soon__capacity,
		.soon__items = chan->soon__items,
	};
}
