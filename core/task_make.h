// SPDX-License-Identifier: Apache-2.0
/*
 * task_make.h: making a task, in line, for the two files that do it: spawn.c, whose every
 * instruction counts, and task.c, for everybody else.
 */
#ifndef CORE_TASK_MAKE_H
#define CORE_TASK_MAKE_H

#include "core.h"
#include "handle.h"
#include "origin.h"
#include "switch.h"

#include <string.h>

/* The part of a record that is cleared in one piece, see task.h. */
enum {
	ZEROED_BEGIN = offsetof(struct soon_task, detail),
	ZEROED_END = offsetof(struct soon_task, is_excused) + sizeof(bool),
};

_Static_assert(ZEROED_END - ZEROED_BEGIN <= 64, "more than one cache line");

/* The first function on a task's stack; returns the context to continue with. */
void *soon__task_main(void *arg) SOON_SUSPENDS;

/*
 * Field by field: clearing the whole record first costs more than all the rest of a spawn. What is
 * not set here is set at the launch, or before its first use.
 */
static inline void record_init(soon_task *task, soon_core *core, const struct soon__stack *stack,
	const soon_task_opts *opts)
{
	memset((char *)task + ZEROED_BEGIN, 0, ZEROED_END - ZEROED_BEGIN);
	task->core = core;
	task->wait = NULL;
	task->armed_at = SOON_NEVER;
	task->wake_at = SOON_NEVER;
	task->mask = SOON__CANCELLED;
	task->idle_depth = 0;
	task->stack_class = stack->class_index;
	task->stack_index = stack->index;
	task->stack_low = stack->low;
	task->reentered = NULL;
	task->has_handle = false;
	task->ignored_count = 0;
	task->name = NULL;
	task->id = ++core->tasks_made;
	task->born_at = core->clock.now;
	task->timer.place = SOON__TIMER_IDLE;
	soon__list_init(&task->end_hooks);
	if (!opts)
		return;
	task->name = opts->name;
	if (opts->ret_task) {
		task->has_handle = true;
		*opts->ret_task = soon__handle_of(task);
	}
}

/* Without the spawner's locals. */
static inline int task_make_bare(struct soon__group *group, const soon_task_opts *opts,
	size_t extra_bytes, soon_task **ret_task)
{
	soon_core *core = group->core;
	struct soon__stack stack;
	size_t bytes = opts && opts->stack_bytes ? opts->stack_bytes : core->opts.stack_bytes;
	soon_task *task;
	char *top;
	int rc;

	rc = soon__stack_take(&core->stacks, bytes, &stack);
	if (SOON_UNLIKELY(rc < 0))
		return rc;
	top = stack.top - SOON__RECORD_BYTES;
	task = (soon_task *)(void *)top;
	record_init(task, core, &stack, opts);
	top -= (extra_bytes + 15) & ~(size_t)15;
	if (SOON_UNLIKELY(soon__core_debugs(core, SOON_DEBUG_STACKS))) {
		top -= (sizeof *task->origin + 15) & ~(size_t)15;
		task->origin = (struct soon__origin *)(void *)top;
		soon__origin_note(core, task->origin);
	}
	soon__san_stack_begin(&task->san, stack.low, (size_t)(stack.top - stack.low));
	task->sp = soon__context_make(top, soon__task_main, task);
	*ret_task = task;
	return 0;
}

/* The same with them. */
int soon__task_make_inheriting(struct soon__group *group, const soon_task_opts *opts,
	size_t extra_bytes, soon_task **ret_task);

/* Without task-locals a spawn pays for no more than the question. */
static inline int task_make(struct soon__group *group, const soon_task_opts *opts,
	size_t extra_bytes, soon_task **ret_task)
{
	/* What runs in the background, or for somebody elsewhere, starts without any. */
	if (SOON_UNLIKELY(group->core->locals_count > 0) && group != &group->core->service &&
		group != &group->core->calls)
		return soon__task_make_inheriting(group, opts, extra_bytes, ret_task);
	return task_make_bare(group, opts, extra_bytes, ret_task);
}

static inline void task_adopt(soon_task *task, struct soon__group *group, soon__fn fn, uint64_t arg,
	const soon_site *site)
{
	task->group = group;
	task->scope = &group->scope;
	task->fn = fn;
	task->arg = arg;
	task->site = site;
	if (!task->name)
		task->name = site->what;
	soon__list_push_tail(&group->children, &task->sibling);
	group->live_count++;
	task->core->sched.live_count++;
}

static inline void task_launch(soon_task *task, struct soon__group *group, soon__fn fn,
	uint64_t arg, const soon_site *site)
{
	task_adopt(task, group, fn, arg, site);
	soon__sched_ready(task->core, task);
}

#endif
