// SPDX-License-Identifier: Apache-2.0
/*
 * start.c: tasks that belong to their starter until they say that they are ready.
 *
 * The starter opens a nursery, a group in its own frame, and spawns the task there; so until the
 * task is ready it has the starter's scopes above it. soon_ready() moves it, with all that it has
 * opened meanwhile, under the target group, which is kept from closing by a pin since the start.
 */
#include <soon/start.h>

#include "core.h"
#include "stuck.h"

#include <stdatomic.h>

/* Lies in the starter's frame, which outlives the task's stay in the nursery. */
struct soon__start {
	struct soon__wait wait; /* the starter's; ended by soon_ready or by the task's end */
	struct soon__group nursery;
	struct soon__group *target;
	struct soon__end_hook hook;
	ssize_t value;
	int rc; /* of the task that ended first */
	bool is_ready;
};

static void started_ended(struct soon__end_hook *hook, soon_task *task)
{
	struct soon__start *start = SOON_CONTAINER_OF(hook, struct soon__start, hook);

	start->rc = task->rc;
	soon__list_remove(&hook->link);
}

static const soon_task *start_holder(const struct soon__wait *wait)
{
	const struct soon__start *start = SOON_CONTAINER_OF_CONST(wait, struct soon__start, wait);
	const struct soon__list *children = &start->nursery.children;

	return soon__list_is_empty(children)
		? NULL
		: SOON_CONTAINER_OF_CONST(children->next, soon_task, sibling);
}

/* Makes the nursery the starter's innermost scope, with the task as its only child. */
static int begin(struct soon__start *start, const soon_task_opts *opts, soon__fn fn, uint64_t arg,
	const soon_site *site)
{
	static const soon_group_opts wait_all = { .policy = SOON_WAIT_ALL };
	soon_task *self = soon__core->sched.current;
	struct soon__group *nursery = &start->nursery;
	soon_task *task;
	int rc;

	soon__scope_init(&nursery->scope, self, self->scope);
	soon__group_init(nursery, &wait_all, self->core, "start");
	rc = soon__task_make(nursery, opts, 0, &task);
	if (rc < 0)
		return rc;
	nursery->scope.site = site;
	nursery->is_nursery = true;
	atomic_signal_fence(memory_order_release); /* a dump may come at any time */
	self->scope = &nursery->scope;
	soon__task_launch(task, nursery, fn, arg, site);
	task->start = start;
	start->hook.ended = started_ended;
	soon__list_push_tail(&task->end_hooks, &start->hook.link);
	return 0;
}

/* Waits until the task is ready or has ended; a cancel reaches the task through the nursery. */
static ssize_t finish(struct soon__start *start)
{
	start->wait.what = "start";
	start->wait.holder = start_holder;
	start->nursery.state = SOON__GROUP_CLOSING;
	if (start->nursery.live_count > 0) {
		start->nursery.closer = &start->wait;
		if (start->nursery.scope.state & SOON__CANCELLED)
			soon__stuck_watch(&start->nursery);
		(void)soon__park(&start->wait);
	}
	soon__stuck_forget(&start->nursery);
	start->nursery.state = SOON__GROUP_CLOSED;
	soon__scope_pop(&start->nursery.scope, "soon_start");
	if (start->is_ready)
		return start->value;
	if (start->rc < 0)
		return start->rc;
	return start->nursery.scope.state & SOON__CANCELLED ? -ECANCELED : -EPROTO;
}

ssize_t soon__start(soon_group *group, const soon_task_opts *opts, soon__fn fn, uint64_t arg,
	const soon_site *site)
{
	struct soon__start start = { .target = soon__group_of(group) };
	soon_failure failure;
	ssize_t rc = soon__checkpoint("start");

	if (rc < 0)
		return rc;
	rc = soon__spawn_admit(start.target, site);
	if (rc < 0)
		return rc;
	start.target->pins++;
	rc = begin(&start, opts, fn, arg, site);
	if (rc == 0)
		rc = finish(&start);
	start.target->pins--;
	if (start.target->live_max)
		soon__spawn_settle(start.target);
	else
		soon__group_settle(start.target);
	soon__group_release_kept(&start.nursery);

	/* Its message goes with the failure, to the starter. */
	if (rc < 0 &&
		soon_group_failures((const soon_group *)(const void *)&start.nursery, &failure, 1) >
			0 &&
		failure.message[0])
		rc = soon_fail((int)rc, "%s", failure.message);
	soon__group_free_failures(&start.nursery);
	return rc;
}

struct soon__group *soon__start_target(struct soon__group *nursery)
{
	SOON_ASSERT(nursery->is_nursery);
	return SOON_CONTAINER_OF(nursery, struct soon__start, nursery)->target;
}

static void move(soon_task *task, struct soon__start *start)
{
	struct soon__group *nursery = &start->nursery;

	soon__list_remove(&start->hook.link);
	soon__list_remove(&task->sibling);
	nursery->live_count--;
	soon__list_push_tail(&start->target->children, &task->sibling);
	start->target->live_count++;
	soon__scope_hang_under(task, &start->target->scope);
	task->group = start->target;
	/*
	 * What the group asks for reaches the task and all below it, a cancel too. What the starter
	 * asked for, at most a drain, stays with what the task has opened so far.
	 */
	soon__scope_spread_to(task);
}

int soon_ready(ssize_t value)
{
	soon_task *task = soon__task_self();
	struct soon__start *start;

	if (value < 0)
		return -EINVAL;
	if (!task)
		return 0;
	if (task->is_ready_said) {
		soon_report_file(SOON_REPORT_ERROR, -EALREADY,
			"soon_ready: task '%s', spawned at %s:%d, has said so before", task->name,
			task->site->file, task->site->line);
		return -EALREADY;
	}
	start = task->start;
	if (!start)
		return 0;
	task->is_ready_said = true;
	task->start = NULL;
	if (start->nursery.scope.state & SOON__CANCELLED)
		return 0; /* it stays with its starter, who waits for its end */
	start->value = value;
	start->is_ready = true;
	move(task, start);
	soon__group_settle(&start->nursery);
	return 0;
}
