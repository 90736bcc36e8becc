// SPDX-License-Identifier: Apache-2.0
#include "walk.h"

#include "core.h"
#include "gen.h"

void soon__walk_begin(struct soon__walk *walk, const soon_core *core)
{
	*walk = (struct soon__walk){
		.core = core,
		.step = SOON__WALK_BEGIN,
		.tasks_left = soon__stacks_made(&core->stacks),
	};
}

bool soon__walk_is_task(const soon_core *core, const soon_task *task)
{
	struct soon__stack stack;

	return soon__stacks_find(&core->stacks, task, &stack) &&
		(const char *)task == stack.top - SOON__RECORD_BYTES &&
		task->stack_low == stack.low && task->core == core;
}

static enum soon__walk_step end(struct soon__walk *walk)
{
	walk->task = NULL;
	return walk->step = SOON__WALK_END;
}

static enum soon__walk_step at_group(struct soon__walk *walk, const struct soon__group *group)
{
	walk->group = group;
	return walk->step = SOON__WALK_GROUP;
}

static enum soon__walk_step at_task(struct soon__walk *walk, const struct soon__list *link)
{
	const soon_task *task =
		(const void *)((const char *)link - offsetof(struct soon_task, sibling));

	if (walk->tasks_left-- == 0 || !soon__walk_is_task(walk->core, task)) {
		walk->is_damaged = true;
		return end(walk);
	}
	walk->task = task;
	walk->group = task->group;
	return walk->step = SOON__WALK_TASK;
}

/*
 * Leaves a group that has no further task, for the task that opened it; returns what that one
 * opened before, NULL when the group is an outermost one.
 */
static const struct soon__scope *leave_group(struct soon__walk *walk)
{
	const struct soon__group *group = walk->group;

	walk->task = group->scope.task;
	if (!walk->task)
		return NULL;
	walk->depth--;
	return group->scope.parent;
}

static enum soon__walk_step next_outermost(struct soon__walk *walk)
{
	const soon_core *core = walk->core;

	if (walk->group == &core->root)
		return at_group(walk, &core->calls);
	return walk->group == &core->calls ? at_group(walk, &core->service) : end(walk);
}

/* The first generator of a list that has not ended; the records of others are only kept. */
static const struct soon_gen *live_gen(const struct soon_gen *gen)
{
	while (gen && gen->task->state == SOON__TASK_ENDED)
		gen = gen->next_open;
	return gen;
}

/*
 * The present task and all under it are done: to the next one beside it; else its group is done,
 * or its opener's list of generators, and `*ret_scope` is where to go on in the task above.
 */
static bool next_beside(struct soon__walk *walk, const struct soon__scope **ret_scope)
{
	const soon_task *task = walk->task;
	const struct soon_gen *gen = soon__gen_of(task), *next;

	if (gen) {
		next = live_gen(gen->next_open);
		if (next) {
			(void)at_task(walk, &next->task->sibling);
			return true;
		}
		walk->depth--;
		walk->task = gen->opener;
		*ret_scope = NULL; /* scopes come before generators */
		return false;
	}
	if (task->sibling.next != &task->group->children) {
		(void)at_task(walk, task->sibling.next);
		return true;
	}
	walk->depth--;
	walk->group = task->group;
	*ret_scope = leave_group(walk);
	return false;
}

/* To `scope` if it is of the present task; else to its generators; else beside it, or up. */
static enum soon__walk_step go_on(struct soon__walk *walk, const struct soon__scope *scope)
{
	while (walk->task) {
		const soon_task *task = walk->task;
		const struct soon_gen *gen;

		walk->group = task->group;
		if (scope && scope != &task->group->scope) {
			walk->scope = scope;
			if (!scope->is_group)
				return walk->step = SOON__WALK_SCOPE;
			walk->depth++;
			return at_group(walk, (const struct soon__group *)(const void *)scope);
		}
		gen = scope ? live_gen(task->gens) : NULL;
		if (gen) {
			walk->depth++;
			return at_task(walk, &gen->task->sibling);
		}
		if (next_beside(walk, &scope))
			return walk->step;
	}
	return next_outermost(walk);
}

enum soon__walk_step soon__walk_next(struct soon__walk *walk)
{
	const struct soon__scope *scope;

	switch (walk->step) {
	case SOON__WALK_GROUP:
		if (!soon__list_is_empty(&walk->group->children)) {
			walk->depth++;
			return at_task(walk, walk->group->children.next);
		}
		scope = leave_group(walk);
		return go_on(walk, scope);
	case SOON__WALK_TASK:
		return go_on(walk, walk->task->scope);
	case SOON__WALK_SCOPE:
		return go_on(walk, walk->scope->parent);
	case SOON__WALK_BEGIN:
		return at_group(walk, &walk->core->root);
	case SOON__WALK_END:
		break;
	}
	return SOON__WALK_END;
}

const soon_task *soon__walk_next_task(struct soon__walk *walk)
{
	enum soon__walk_step step;

	do {
		step = soon__walk_next(walk);
	} while (step != SOON__WALK_TASK && step != SOON__WALK_END);
	return step == SOON__WALK_TASK ? walk->task : NULL;
}
