// SPDX-License-Identifier: Apache-2.0
#include "handle.h"

#include "core.h"
#include "walk.h"

static bool has_tag_of(const soon_task *handle, const soon_task *task)
{
	return ((uintptr_t)handle & (SOON__HANDLE_TAGS - 1)) ==
		(task->id & (SOON__HANDLE_TAGS - 1));
}

/* Whether the record is of a task that lives, or of one that ended and whose group is open. */
static bool is_held(const soon_task *task)
{
	return task->id != 0 && (task->state != SOON__TASK_ENDED || task->has_handle);
}

static int is_gone(const soon_task *handle, const char *what)
{
	soon_report_file(SOON_REPORT_ERROR, -ESHUTDOWN,
		"%s: the task of handle %p is gone: its group has been closed, or its run is over",
		what, (const void *)handle);
	return -ESHUTDOWN;
}

int soon__handle_read(const soon_task *handle, const char *what, soon_task **ret_task)
{
	soon_task *task = soon__handle_record(handle);
	soon_core *owner;

	if (task == &soon__task_none) {
		*ret_task = task;
		return 0;
	}
	owner = soon__core;
	if (SOON_UNLIKELY(!owner || !soon__walk_is_task(owner, task))) {
		owner = soon__core_around(task);
		if (!owner || !soon__walk_is_task(owner, task))
			return is_gone(handle, what);
	}
	if (SOON_UNLIKELY(!has_tag_of(handle, task) || !is_held(task)))
		return is_gone(handle, what);
	if (owner != soon__core) {
		soon_report_file(SOON_REPORT_ERROR, -EPERM,
			"%s: task '%s' lives on another core than the caller '%s'", what,
			task->name, soon_task_name(NULL));
		return -EPERM;
	}
	*ret_task = task;
	return 0;
}
