// SPDX-License-Identifier: Apache-2.0
/*
 * spawn.c: how a task comes into a group. Whoever is let in will run: a spawn either fails with
 * nothing done and the argument the caller's, or the function is called.
 */
#include <soon/group.h>

#include "core.h"

#include <string.h>

static int spawn_refused(const struct soon__group *group, const soon_site *site)
{
	if (SOON_UNLIKELY(group->core != soon__core)) {
		soon_report_file(SOON_REPORT_ERROR, -EPERM,
			"soon_spawn(%s) at %s:%d: group '%s' belongs to another thread's core",
			site->what, site->file, site->line, group->name);
		return -EPERM;
	}
	if (SOON_UNLIKELY(group->state == SOON__GROUP_CLOSED))
		return -ESHUTDOWN;
	if (SOON_UNLIKELY(group->live_max && group->live_count >= group->live_max))
		return -EAGAIN;
	return 0;
}

int soon__spawn(soon_group *group, const soon_task_opts *opts, soon__fn fn, uint64_t arg,
	const soon_site *site)
{
	struct soon__group *g = soon__group_of(group);
	soon_task *task;
	int rc = spawn_refused(g, site);

	if (SOON_UNLIKELY(rc < 0))
		return rc;
	rc = soon__task_make(g, opts, 0, &task);
	if (SOON_UNLIKELY(rc < 0))
		return rc;
	soon__task_launch(task, g, fn, arg, site);
	return 0;
}

enum { COPY_BYTES_MAX = 1024 };

int soon__spawn_copy(soon_group *group, const soon_task_opts *opts, soon__fn fn, const void *data,
	size_t len, const soon_site *site)
{
	struct soon__group *g = soon__group_of(group);
	soon_task *task;
	int rc = spawn_refused(g, site);
	char *copy;

	if (rc < 0)
		return rc;
	if (len > COPY_BYTES_MAX)
		return -E2BIG;
	rc = soon__task_make(g, opts, len, &task);
	if (rc < 0)
		return rc;
	/* The copy lies between the record and the first frame. */
	copy = (char *)task - ((len + 15) & ~(size_t)15);
	memcpy(copy, data, len);
	soon__task_launch(task, g, fn, (uint64_t)(uintptr_t)copy, site);
	return 0;
}

int soon__background(soon__fn fn, uint64_t arg, const soon_site *site)
{
	soon_task *task;
	int rc;

	if (!soon__core) {
		soon_report_file(SOON_REPORT_ERROR, -EPERM,
			"soon_background(%s) at %s:%d: this thread runs no core", site->what,
			site->file, site->line);
		return -EPERM;
	}
	rc = spawn_refused(&soon__core->service, site);
	if (rc < 0)
		return rc;
	rc = soon__task_make(&soon__core->service, NULL, 0, &task);
	if (rc < 0)
		return rc;
	soon__task_launch(task, &soon__core->service, fn, arg, site);
	return 0;
}
