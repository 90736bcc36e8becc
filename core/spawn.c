// SPDX-License-Identifier: Apache-2.0
/*
 * spawn.c: how a task comes into a group. Whoever is let in will run: a spawn either fails with
 * nothing done and the argument the caller's, or the function is called.
 *
 * In a group with a bound, a spawn takes a place before it makes the task. Places that become free
 * are handed to the spawns that wait, in order, and are theirs (`reserved`) although they have not
 * run yet. A spawn under way keeps the group from being closed under it (`pins`).
 */
#include <soon/group.h>

#include "fork.h"
#include "run.h"
#include "task_make.h"

#include <string.h>

/* A spawn that waits for a place. */
struct place_wait {
	struct soon__wait wait;
	struct soon__list link; /* in extras.spawners */
};

static enum soon__abort place_abort(struct soon__wait *wait)
{
	soon__list_remove(&SOON_CONTAINER_OF(wait, struct place_wait, wait)->link);
	return SOON__ABORT_DONE;
}

static bool has_place(const struct soon__group *group)
{
	return group->live_count + group->reserved < group->live_max;
}

void soon__spawn_give_place(struct soon__group *group)
{
	struct soon__list *link;

	if (!group->has_extras)
		return;
	if (has_place(group) && (link = soon__list_pop(&group->extras.spawners)) != NULL) {
		group->reserved++;
		soon__unpark(&SOON_CONTAINER_OF(link, struct place_wait, link)->wait, 0);
	}
}

/* Waits for its turn in a group whose places are all taken, or that others wait for already. */
static int wait_for_place(struct soon__group *group)
{
	struct place_wait place = { .wait = { .abort = place_abort, .what = "spawn" } };
	struct soon__list *spawners = &soon__group_extras(group)->spawners;

	if (has_place(group) && soon__list_is_empty(spawners)) {
		group->reserved++;
		return 0;
	}
	if (!soon__task_self())
		return -EAGAIN;
	soon__list_push_tail(spawners, &place.link);
	return (int)soon__park(&place.wait);
}

void soon__spawn_settle(struct soon__group *group)
{
	if (!group->live_max)
		return;
	SOON_ASSERT(group->pins > 0);
	SOON_ASSERT(group->reserved > 0);
	group->pins--;
	group->reserved--;
	soon__spawn_give_place(group);
	soon__group_settle(group);
}

static int admit_bounded(struct soon__group *group)
{
	int rc = 0;

	group->pins++; /* first: the checkpoint may give others a turn */
	if (soon__task_self())
		rc = soon__checkpoint_inline("spawn");
	if (rc == 0)
		rc = wait_for_place(group);
	if (rc == 0)
		return 0;
	group->pins--;
	soon__group_settle(group);
	return rc;
}

static inline int admit(struct soon__group *group, const soon_site *site)
{
	if (SOON_UNLIKELY(group->core != soon__core)) {
		if (!soon__core && soon__fork_refuse("spawn") < 0)
			return -EOWNERDEAD;
		soon_report_file(SOON_REPORT_ERROR, -EPERM,
			"soon_spawn(%s) at %s:%d: group '%s', opened by task '%s', belongs to "
			"another thread's core than the caller '%s'",
			site->what, site->file, site->line, group->name,
			group->scope.task ? group->scope.task->name : "(none)",
			soon_task_name(NULL));
		return -EPERM;
	}
	if (SOON_UNLIKELY(group->state == SOON__GROUP_CLOSED))
		return -ESHUTDOWN;
	if (SOON_UNLIKELY(group->live_max))
		return admit_bounded(group);
	return 0;
}

int soon__spawn_admit(struct soon__group *group, const soon_site *site)
{
	return admit(group, site);
}

int soon__spawn(soon_group *group, const soon_task_opts *opts, soon__fn fn, uint64_t arg,
	const soon_site *site)
{
	struct soon__group *g = soon__group_of(group);
	soon_task *task;
	int rc = admit(g, site);

	if (SOON_UNLIKELY(rc < 0))
		return rc;
	rc = task_make(g, opts, 0, &task);
	if (SOON_LIKELY(rc == 0))
		task_launch(task, g, fn, arg, site);
	if (SOON_UNLIKELY(g->live_max))
		soon__spawn_settle(g);
	return rc;
}

enum { COPY_BYTES_MAX = 1024 };

int soon__spawn_copy(soon_group *group, const soon_task_opts *opts, soon__fn fn, const void *data,
	size_t len, const soon_site *site)
{
	struct soon__group *g = soon__group_of(group);
	soon_task *task;
	int rc;
	char *copy;

	if (len > COPY_BYTES_MAX)
		return -E2BIG;
	rc = soon__spawn_admit(g, site);
	if (rc < 0)
		return rc;
	rc = soon__task_make(g, opts, len, &task);
	if (rc == 0) {
		/* The copy lies between the record and the first frame. */
		copy = (char *)task - ((len + 15) & ~(size_t)15);
		memcpy(copy, data, len);
		soon__task_launch(task, g, fn, (uint64_t)(uintptr_t)copy, site);
	}
	soon__spawn_settle(g);
	return rc;
}

int soon__background(soon__fn fn, uint64_t arg, const soon_site *site)
{
	soon_task *task;
	int rc;

	if (!soon__core) {
		if (soon__fork_refuse("background") < 0)
			return -EOWNERDEAD;
		soon_report_file(SOON_REPORT_ERROR, -EPERM,
			"soon_background(%s) at %s:%d: this thread runs no core", site->what,
			site->file, site->line);
		return -EPERM;
	}
	rc = soon__spawn_admit(&soon__core->service, site);
	if (rc < 0)
		return rc;
	rc = soon__task_make(&soon__core->service, NULL, 0, &task);
	if (rc < 0)
		return rc;
	soon__task_launch(task, &soon__core->service, fn, arg, site);
	soon__run_watch_late(&soon__core->service);
	return 0;
}
