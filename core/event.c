// SPDX-License-Identifier: Apache-2.0
/*
 * event.c: the event. A task that was woken by a set goes on, though the event be cleared before it
 * runs: it was set while the task waited.
 */
#include <soon/event.h>

#include "waitq.h"

struct __attribute__((may_alias)) soon__event {
	struct soon__waitq queue; /* empty while the event is set */
	bool is_set;
};

_Static_assert(sizeof(struct soon__event) <= sizeof(soon_event), "an event fits its storage");

static struct soon__event *event_of(soon_event *event)
{
	return (struct soon__event *)event;
}

void soon_event_init(soon_event *event)
{
	*event = (soon_event)SOON_EVENT_INIT;
}

int soon_event_wait(soon_event *storage)
{
	struct soon__event *event = event_of(storage);
	struct soon__queued self = { .wait = {
					     .abort = soon__queued_abort, .what = "event wait" } };
	int rc = soon__waitq_checkpoint("event_wait");

	if (rc < 0)
		return rc;
	rc = soon__waitq_enter(&event->queue, false, "event_wait");
	if (rc < 0 || event->is_set)
		return rc;
	return (int)soon__queued_park(&event->queue, &self);
}

int soon_event_set(soon_event *storage)
{
	struct soon__event *event = event_of(storage);
	struct soon__waiter *waiter;
	int rc = soon__waitq_enter(&event->queue, false, "event_set");

	if (rc < 0)
		return rc;
	event->is_set = true;
	while ((waiter = soon__waitq_pop(&event->queue)) != NULL)
		soon__queued_wake(waiter, 0);
	return 0;
}

int soon_event_clear(soon_event *storage)
{
	struct soon__event *event = event_of(storage);
	int rc = soon__waitq_enter(&event->queue, false, "event_clear");

	if (rc < 0)
		return rc;
	event->is_set = false;
	return 0;
}

bool soon_event_is_set(const soon_event *event)
{
	const struct soon__event *self = (const struct soon__event *)event;

	return soon__waitq_look(&self->queue, false, "event_is_set") ? self->is_set : false;
}
