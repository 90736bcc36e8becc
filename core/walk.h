// SPDX-License-Identifier: Apache-2.0
/*
 * walk.h: the tree of a core's groups and tasks, in order, one step at a time.
 *
 * Each group is followed by its tasks, the oldest first; each task by its scopes and groups, the
 * innermost first. The way back up is in the records themselves, so a walk needs neither recursion
 * nor memory, and may be done in a signal handler that interrupted the core anywhere. It runs on
 * the core's thread; nothing may be spawned or end meanwhile.
 *
 *	struct soon__walk walk;
 *	soon__walk_begin(&walk, core);
 *	while (soon__walk_next(&walk) != SOON__WALK_END)
 *		...
 */
#ifndef CORE_WALK_H
#define CORE_WALK_H

#include "task.h"

enum soon__walk_step {
	SOON__WALK_BEGIN,
	SOON__WALK_GROUP, /* walk->group */
	SOON__WALK_TASK,  /* walk->task */
	SOON__WALK_SCOPE, /* walk->scope, of walk->task; one that is no group */
	SOON__WALK_END,
};

struct soon__walk {
	const soon_core *core;
	const struct soon__group *group; /* the one of the step, or the task's */
	const soon_task *task;           /* the one of the step, or the group's or scope's owner */
	const struct soon__scope *scope; /* the one of the step */
	enum soon__walk_step step;
	unsigned depth;    /* groups and tasks around the present one */
	size_t tasks_left; /* more than can be there means that the records are damaged */
	bool is_damaged;   /* the walk ended early */
};

void soon__walk_begin(struct soon__walk *walk, const soon_core *core);
enum soon__walk_step soon__walk_next(struct soon__walk *walk);

/* Skips to the next task; NULL at the end. */
const soon_task *soon__walk_next_task(struct soon__walk *walk);

/* Whether `task` is a record on one of the core's stacks, and so may be looked at. */
bool soon__walk_is_task(const soon_core *core, const soon_task *task);

#endif
