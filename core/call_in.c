// SPDX-License-Identifier: Apache-2.0
/*
 * call_in.c: calls of other threads into a core.
 */
#include "call_in.h"

#include <string.h>

_Static_assert(sizeof(struct soon__call) <= sizeof(soon_call), "soon_call is too small");

/* One of those that have the record lets go of it; the last one gives the result. */
static void let_go(struct soon__call *call)
{
	/* Release what it wrote, and acquire what the others did: pairs with itself. */
	uint32_t before = atomic_fetch_sub_explicit(&call->owed, 1, memory_order_acq_rel);

	SOON_ASSERT((before & SOON__CALL_COUNT) > 0);
	if ((before & SOON__CALL_COUNT) == 1)
		call->give(call);
}

/* What the caller is told of a task that has ended. */
static int result_of(struct soon__call *call, soon_task *task)
{
	if (task->rc != -ECANCELED)
		return task->rc;
	if (task->has_ended_cancelled) {
		/* A drain ends an idle wait; a cancel that is not the caller's explains it, too. */
		call->is_cut = call->is_cancelled ||
			(call->is_draining && !(soon__task_base(task)->state & SOON__CANCELLED));
		return call->is_cut ? -EINTR : -ESHUTDOWN;
	}
	soon_report_at(SOON_REPORT_ERROR, -EIO, task->site,
		"call of '%s': it gave -ECANCELED although nobody cancelled it", task->name);
	return -EIO;
}

static void call_ended(struct soon__end_hook *hook, soon_task *task)
{
	struct soon__call *call = SOON_CONTAINER_OF(hook, struct soon__call, hook);
	const char *message = soon__task_message(task, task->rc);

	soon__list_remove(&hook->link);
	call->rc = result_of(call, task);
	if (message)
		(void)strncat(call->message, message, sizeof call->message - 1);
	call->task = NULL;
	task->is_excused = true; /* its failure is the caller's */
	let_go(call);
}

static void call_refused(struct soon__call *call, int rc)
{
	call->rc = rc;
	let_go(call);
}

/* Passes a cancel or a drain on to the task. */
static void mark(struct soon__call *call)
{
	struct soon__scope *scope = soon__task_self_scope(call->task);

	if (call->is_cancelled)
		soon__scope_mark(scope, SOON__CANCELLED, SOON_CANCEL_EXPLICIT,
			"the caller wants it to end", call->site);
	else if (call->is_draining)
		soon__scope_mark(scope, SOON__DRAINING, SOON_CANCEL_DRAIN, "drain", call->site);
}

/* Where the task goes. None comes to a core whose main task has ended: it would never be over. */
static struct soon__group *group_for(struct soon__call *call)
{
	struct soon__group *group;

	if (call->portal)
		return soon__portal_begin(call->portal);
	group = &call->core->calls;
	if (group->state == SOON__GROUP_CLOSED || (group->scope.state & SOON__CANCELLED))
		return NULL;
	return group;
}

static void call_begin(soon_callback *callback)
{
	struct soon__call *call = SOON_CONTAINER_OF(callback, struct soon__call, begin);
	soon_portal *portal = call->portal;
	struct soon__group *group = group_for(call);
	soon_task *task = NULL;
	int rc = group ? soon__task_make(group, NULL, 0, &task) : -ESHUTDOWN;

	if (rc == 0) {
		call->task = task;
		call->hook.ended = call_ended;
		soon__task_launch(task, group, call->fn, call->arg, call->site);
		soon__list_push_tail(&task->end_hooks, &call->hook.link);
		if (call->is_cancelled || call->is_draining)
			mark(call);
	} else {
		call_refused(call, rc);
	}
	if (portal)
		soon__portal_begun(portal);
}

static void call_cancel(soon_callback *callback)
{
	struct soon__call *call = SOON_CONTAINER_OF(callback, struct soon__call, cancel);

	call->is_cancelled = true;
	if (call->task)
		mark(call);
	let_go(call);
}

static void call_drain(soon_callback *callback)
{
	struct soon__call *call = SOON_CONTAINER_OF(callback, struct soon__call, drain);

	call->is_draining = true;
	if (call->task)
		mark(call);
	let_go(call);
}

void soon__call_init(
	struct soon__call *call, soon_core *core, soon__fn fn, uint64_t arg, const soon_site *site)
{
	call->begin = (soon_callback){ .fn = call_begin };
	call->cancel = (soon_callback){ .fn = call_cancel };
	call->drain = (soon_callback){ .fn = call_drain };
	call->core = core;
	call->fn = fn;
	call->arg = arg;
	call->site = site;
	call->portal = NULL;
	call->task = NULL;
	call->is_cancelled = false;
	call->is_draining = false;
	call->is_cut = false;
	call->rc = 0;
	call->message[0] = '\0';
	call->result = (soon_future){ 0 };
	/* Relaxed: whoever gets the record gets it by a post, which has its own order. */
	atomic_init(&call->owed, 1);
}

int soon__call_post(struct soon__call *call)
{
	if (call->portal) {
		call->core = soon__portal_enter(call->portal);
		if (!call->core)
			return -ESHUTDOWN;
	}
	return soon_post(call->core, &call->begin);
}

void soon__call_ask(struct soon__call *call, uint32_t what)
{
	soon_callback *callback = what == SOON__CALL_CANCEL ? &call->cancel : &call->drain;
	uint32_t seen = atomic_load_explicit(&call->owed, memory_order_relaxed);

	do {
		if ((seen & SOON__CALL_COUNT) == 0 || (seen & what))
			return;
		/* Relaxed: what the core needs to know comes with the post. */
	} while (!atomic_compare_exchange_weak_explicit(
		&call->owed, &seen, (seen + 1) | what, memory_order_relaxed, memory_order_relaxed));
	/* Refused: the core has closed, and so has run `begin` and refused the call. */
	if (soon_post(call->core, callback) < 0)
		let_go(call);
}

static void give_to_future(struct soon__call *call)
{
	soon_future_set(&call->result, call->rc, 0);
}

int soon__call_launch(struct soon__call *call)
{
	call->give = give_to_future;
	return soon__call_post(call);
}

int soon__call_start(
	soon_core *core, soon__fn fn, uint64_t arg, soon_call *storage, const soon_site *site)
{
	struct soon__call *call = soon__call_of(storage);

	soon__call_init(call, core, fn, arg, site);
	return soon__call_launch(call);
}

int soon_call_wait(soon_call *call, soon_ns timeout)
{
	return soon_future_wait_for(&soon__call_of(call)->result, timeout, NULL);
}

bool soon_call_is_done(const soon_call *call)
{
	return soon_future_is_set(&((const struct soon__call *)call)->result);
}

void soon_call_cancel(soon_call *call)
{
	soon__call_ask(soon__call_of(call), SOON__CALL_CANCEL);
}

const char *soon_call_message(const soon_call *call)
{
	const char *message = ((const struct soon__call *)call)->message;

	return soon_call_is_done(call) && message[0] ? message : NULL;
}

static int call_in_task(struct soon__call *call, soon_ns timeout)
{
	SOON_ASSERT_TASK();
	return (int)soon_within(timeout, soon__call_park(call));
}

static SOON_COLD int refuse_blocking(const soon_core *core, const soon_site *site)
{
	soon_report_at(SOON_REPORT_ERROR, -EDEADLK, site, "call of '%s' in task '%s': %s",
		site->what, soon_task_name(NULL),
		core == soon__core
			? "it would block the core that is to run it; call it directly, or by "
			  "soon_call_on"
			: "a callback on a core's own stack must not block it");
	return -EDEADLK;
}

int soon__call_block(struct soon__call *call, soon_ns timeout)
{
	soon_core *core = call->portal ? soon__portal_core(call->portal) : call->core;
	int rc;

	if (SOON_UNLIKELY(soon__core != NULL)) {
		if (core == soon__core || !soon__task_self())
			return refuse_blocking(core, call->site);
		return call_in_task(call, timeout);
	}
	rc = soon__call_launch(call);
	if (rc < 0)
		return rc;
	rc = soon_future_wait_for(&call->result, timeout, NULL);
	if (rc != -ETIMEDOUT)
		return rc;
	/* The result may have come since, or be that: then this asks for nothing. */
	soon__call_ask(call, SOON__CALL_CANCEL);
	rc = soon_future_wait(&call->result, NULL);
	return rc == -EINTR ? -ETIMEDOUT : rc;
}

int soon__call(soon_core *core, soon__fn fn, uint64_t arg, soon_ns timeout, const soon_site *site)
{
	struct soon__call call;

	soon__call_init(&call, core, fn, arg, site);
	return soon__call_block(&call, timeout);
}
