// SPDX-License-Identifier: Apache-2.0
/*
 * local.h: tables of task-locals, behind soon_task.locals and an offload job's view of it.
 */
#ifndef CORE_LOCAL_H
#define CORE_LOCAL_H

#include <soon/local.h>
#include <soon/thread.h>

struct soon__locals;

/*
 * Gives what a task to be made by the running one starts with: NULL for nothing, as outside tasks.
 * Errors: -ENOMEM.
 */
int soon__locals_inherit(soon_core *core, struct soon__locals **ret_locals);

/* Lets go of a table that a task to be did not get after all. */
void soon__locals_drop(soon_core *core, struct soon__locals *locals);

/* Lets go of all that a task has. */
void soon__task_drop_locals(soon_task *task);

/* An offload thread's view of its task's table, which the task, parked, leaves alone. */
struct soon__locals_view {
	struct soon__locals *locals;
	bool is_own; /* changed: a copy, to be let go of by the thread */
};

/*
 * Gives the view a copy of its own, of a table that does not stay with it.
 * Errors: -ENOMEM.
 */
int soon__locals_view_copy(struct soon__locals_view *view, const struct soon__locals *from);

/* Lets go of what the function on the thread has set. */
void soon__locals_view_end(struct soon__locals_view *view);

#endif
