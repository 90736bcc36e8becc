// SPDX-License-Identifier: Apache-2.0
/*
 * gate.c: the gate. It counts who is inside; who that is, only they know.
 */
#include <soon/event.h>

#include "waitq.h"

struct __attribute__((may_alias)) soon__gate {
	struct soon__waitq queue; /* of closers */
	uint64_t count;           /* inside */
	const soon_site *site;    /* spawn of the task that entered last, for reports; or NULL */
	bool is_closed;
};

_Static_assert(sizeof(struct soon__gate) <= sizeof(soon_gate), "a gate fits its storage");

static struct soon__gate *gate_of(soon_gate *gate)
{
	return (struct soon__gate *)gate;
}

static int enter(struct soon__gate *gate, const char *what)
{
	return soon__waitq_enter_held(&gate->queue, gate->count > 0, gate->site, what);
}

void soon_gate_init(soon_gate *gate)
{
	*gate = (soon_gate)SOON_GATE_INIT;
}

int soon_gate_enter(soon_gate *storage)
{
	struct soon__gate *gate = gate_of(storage);
	const soon_task *self = soon__task_self();
	int rc = enter(gate, "gate_enter");

	if (rc < 0)
		return rc;
	if (gate->is_closed)
		return -ESHUTDOWN;
	gate->count++;
	gate->site = self ? self->site : NULL;
	return 0;
}

int soon_gate_leave(soon_gate *storage)
{
	struct soon__gate *gate = gate_of(storage);
	struct soon__waiter *closer;
	int rc = enter(gate, "gate_leave");

	if (rc < 0)
		return rc;
	if (gate->count == 0) {
		soon_report_file(SOON_REPORT_ERROR, -EPERM,
			"soon_gate_leave: task '%s' leaves a gate that nobody is in",
			soon_task_name(NULL));
		return -EPERM;
	}
	if (--gate->count > 0)
		return 0;
	while ((closer = soon__waitq_pop(&gate->queue)) != NULL)
		soon__queued_wake(closer, 0);
	return 0;
}

int soon_gate_close(soon_gate *storage)
{
	struct soon__gate *gate = gate_of(storage);
	struct soon__queued self = {
		.wait = { .abort = soon__queued_abort, .what = "gate close" },
	};
	int rc = enter(gate, "gate_close");

	if (rc < 0)
		return rc;
	gate->is_closed = true;
	rc = soon__waitq_checkpoint("gate_close");
	if (rc < 0 || gate->count == 0)
		return rc;
	return (int)soon__queued_park(&gate->queue, &self);
}

bool soon_gate_is_closed(const soon_gate *gate)
{
	const struct soon__gate *self = (const struct soon__gate *)gate;

	return soon__waitq_look(&self->queue, self->count > 0, "gate_is_closed") ? self->is_closed
										 : false;
}

uint64_t soon_gate_count(const soon_gate *gate)
{
	const struct soon__gate *self = (const struct soon__gate *)gate;

	return soon__waitq_look(&self->queue, self->count > 0, "gate_count") ? self->count : 0;
}

void soon_gate_fini(soon_gate *storage)
{
	const struct soon__gate *gate = gate_of(storage);

	if (gate->count > 0)
		soon_die("soon_gate_fini: %ju are inside the gate; the last to enter was %s%s%s",
			(uintmax_t)gate->count, gate->site ? "a task '" : "a callback",
			gate->site ? gate->site->what : "", gate->site ? "'" : "");
	if (gate->queue.head)
		soon_die("soon_gate_fini: a task '%s' waited for the gate to be empty, and some "
			 "task still does",
			gate->queue.site->what);
}

void soon__gate_left(soon_gate **gate)
{
	(void)soon_gate_leave(*gate);
}
