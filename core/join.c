// SPDX-License-Identifier: Apache-2.0
/*
 * join.c: one task that waits for another, and cancelling one task alone.
 */
#include <soon/task.h>

#include "core.h"
#include "handle.h"

#include <stdatomic.h>

/* Who waits for a task's end. */
struct join {
	struct soon__wait wait;
	struct soon__end_hook hook;
	const soon_task *target;
	int rc; /* of the target, once it has ended */
	bool has_ended_cancelled;
};

static void join_read(struct join *join, soon_task *target)
{
	join->rc = target->rc;
	join->has_ended_cancelled = target->has_ended_cancelled;
	/* A zero needs no reader; and SOON_TASK_NONE, which has one, is all threads'. */
	if (target->rc != 0)
		target->is_rc_read = true;
}

/* When the joiner runs, the target's group may be closed and the record gone: it is read now. */
static void joined_ended(struct soon__end_hook *hook, soon_task *target)
{
	struct join *join = SOON_CONTAINER_OF(hook, struct join, hook);

	join_read(join, target);
	soon__list_remove(&hook->link);
	soon__unpark(&join->wait, 0);
}

static enum soon__abort join_abort(struct soon__wait *wait)
{
	soon__list_remove(&SOON_CONTAINER_OF(wait, struct join, wait)->hook.link);
	return SOON__ABORT_DONE;
}

static const soon_task *join_holder(const struct soon__wait *wait)
{
	return SOON_CONTAINER_OF_CONST(wait, struct join, wait)->target;
}

/* Waits for the end; rc is negative only when the wait was aborted. */
static int join_wait(struct join *join, soon_task *target)
{
	if (target->state == SOON__TASK_ENDED) {
		join_read(join, target);
		return 0;
	}
	join->target = target;
	join->wait.holder = join_holder;
	join->hook.ended = joined_ended;
	soon__list_push_tail(&target->end_hooks, &join->hook.link);
	return (int)soon__park(&join->wait);
}

static SOON_COLD int refuse_circle(const char *what, const soon_task *self, const soon_task *target)
{
	soon_report_file(SOON_REPORT_ERROR, -EDEADLK,
		"%s: task '%s' #%ju would wait for the end of '%s' #%ju, which %s", what,
		self->name, (uintmax_t)self->id, target->name, (uintmax_t)target->id,
		self == target ? "is itself" : "waits for its end");
	return -EDEADLK;
}

int soon_join(soon_task *handle, int *ret_rc)
{
	struct join join = { .wait = { .abort = join_abort, .what = "join" } };
	soon_task *target;
	int rc = soon__checkpoint("join");

	if (rc == 0)
		rc = soon__handle_read(handle, "soon_join", &target);
	if (rc == 0 && target == soon__core->sched.current)
		rc = refuse_circle("soon_join", target, target);
	if (rc == 0)
		rc = join_wait(&join, target);
	if (rc < 0)
		return rc;
	if (ret_rc)
		*ret_rc = join.rc;
	return 0;
}

struct soon__scope *soon__task_self_scope(soon_task *task)
{
	if (task->has_self)
		return &task->self;
	soon__scope_init(&task->self, task, &task->group->scope);
	task->self.site = task->site;
	atomic_signal_fence(memory_order_release); /* a dump may come at any time */
	task->has_self = true;
	soon__scope_hang_under(task, &task->self);
	return &task->self;
}

static void cancel(soon_task *task, const char *why, const soon_site *site)
{
	soon__scope_mark(
		soon__task_self_scope(task), SOON__CANCELLED, SOON_CANCEL_EXPLICIT, why, site);
}

void soon__task_cancel(soon_task *handle, const char *why, const soon_site *site)
{
	soon_task *task;

	if (soon__handle_read(handle, "soon_task_cancel", &task) == 0 &&
		task->state != SOON__TASK_ENDED)
		cancel(task, why, site);
}

int soon__cancel_join(soon_task *handle, const soon_site *site)
{
	struct join join = { .wait = { .what = "cancel and join" } };
	soon_task *self = soon__task_self(), *target;
	int rc;

	if (!self)
		return soon__not_in_task("cancel_join");
	rc = soon__handle_read(handle, "soon_cancel_join", &target);
	if (rc < 0)
		return rc;
	if (target->state == SOON__TASK_ENDED)
		return 0;
	if (target == self || soon__scope_is_waited_by(self->scope, target))
		return refuse_circle("soon_cancel_join", self, target);
	cancel(target, "soon_cancel_join", site);
	(void)join_wait(&join, target); /* no abort: it does not fail */
	if (soon__task_is_cancelled(self))
		return -ECANCELED;
	if (join.rc >= 0)
		return -EALREADY;
	return join.has_ended_cancelled ? 0 : join.rc;
}
