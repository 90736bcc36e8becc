// SPDX-License-Identifier: Apache-2.0
/*
 * call_on.c: calls of tasks into another core, or their own. The caller is parked until the result
 * comes back as a post, and passes on what happens to its scope meanwhile.
 */
#include "call_in.h"

/* All but `call` is the caller's core's. */
struct call_on {
	struct soon__call call;
	soon_callback back; /* brings the result */
	soon_core *home;
	struct soon__wait *wait; /* while the caller waits */
	bool is_back;
};

static void call_back(soon_callback *callback)
{
	struct call_on *on = SOON_CONTAINER_OF(callback, struct call_on, back);

	on->is_back = true;
	if (on->wait)
		soon__unpark(on->wait, 0);
}

static void give_back(struct soon__call *call)
{
	struct call_on *on = SOON_CONTAINER_OF(call, struct call_on, call);
	int rc = soon_post(on->home, &on->back);

	SOON_ASSERT(rc == 0); /* a core stays open while one of its tasks waits */
}

struct call_wait {
	struct soon__wait wait;
	struct call_on *on;
};

/*
 * A cancel is passed on, and the end waited for. A drain only wakes the caller: it is passed on
 * from there, and a cancel may still come after it.
 */
static enum soon__abort call_abort(struct soon__wait *wait)
{
	struct call_on *on = SOON_CONTAINER_OF(wait, struct call_wait, wait)->on;
	const soon_task *task = wait->task;

	if (task->idle_depth == 0 && !(task->scope->state & SOON__CANCELLED)) {
		on->wait = NULL;
		return SOON__ABORT_DONE;
	}
	soon__call_ask(&on->call, SOON__CALL_CANCEL);
	return SOON__ABORT_PENDING;
}

/* One wait: until the result is back, or for the first drain until that comes. */
static void wait_once(struct call_on *on, soon_task *task)
{
	struct call_wait wait = {
		.wait = { .abort = call_abort, .what = "call on a core", .is_external = true },
		.on = on,
	};
	bool hears_drain = !(task->scope->state & SOON__DRAINING) && task->idle_depth == 0;

	on->wait = &wait.wait;
	if (hears_drain)
		task->mask |= SOON__DRAINING;
	(void)soon__park(&wait.wait);
	if (hears_drain)
		task->mask &= (uint8_t)~SOON__DRAINING;
	on->wait = NULL;
}

static int wait_for_result(struct call_on *on)
{
	soon_task *task = soon__task_self();

	while (!on->is_back) {
		if (task->scope->state & SOON__DRAINING)
			soon__call_ask(&on->call, SOON__CALL_DRAIN);
		wait_once(on, task);
	}
	/* Ended by what was passed on: for this task that is its own cancel, or its drain. */
	if (on->call.is_cut)
		return -ECANCELED;
	if (on->call.rc < 0 && on->call.message[0])
		return soon_fail(on->call.rc, "%s", on->call.message);
	return on->call.rc;
}

static int call_on(struct call_on *on)
{
	int rc = soon__checkpoint("call_on");

	if (rc < 0)
		return rc;
	on->back = (soon_callback){ .fn = call_back };
	on->home = soon__core;
	on->wait = NULL;
	on->is_back = false;
	on->call.give = give_back;
	rc = soon__call_post(&on->call);
	return rc < 0 ? rc : wait_for_result(on);
}

int soon__call_park(struct soon__call *call)
{
	struct call_on on;

	/* It was not posted yet: nobody knows where it lies. */
	soon__call_init(&on.call, call->core, call->fn, call->arg, call->site);
	on.call.portal = call->portal;
	return call_on(&on);
}

int soon__call_on(soon_core *core, soon__fn fn, uint64_t arg, const soon_site *site)
{
	struct call_on on;

	soon__call_init(&on.call, core, fn, arg, site);
	return call_on(&on);
}
