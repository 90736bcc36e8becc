// SPDX-License-Identifier: Apache-2.0
/*
 * group_watch.c: groups that wait for tasks of other groups, and finding the group around one.
 */
#include <soon/mem.h>

#include "core.h"
#include "handle.h"

/* One group's interest in one task; known to both. */
struct watch {
	struct soon__end_hook hook; /* in task->end_hooks */
	struct soon__list link;     /* in extras.watches */
	struct soon__group *group;
	soon_task *task;
};

static struct watch *watch_of(struct soon__list *link)
{
	return SOON_CONTAINER_OF(link, struct watch, link);
}

static void watch_end(struct watch *watch)
{
	struct soon__group *group = watch->group;

	soon__list_remove(&watch->hook.link);
	soon__list_remove(&watch->link);
	soon_free(watch);
	SOON_ASSERT(group->pins > 0);
	group->pins--;
	soon__group_settle(group);
}

static void watched_ended(struct soon__end_hook *hook, soon_task *task)
{
	struct watch *watch = SOON_CONTAINER_OF(hook, struct watch, hook);

	/* One that soon_ready() has moved here meanwhile is judged as any child is. */
	if (task->group != watch->group)
		soon__group_judge(watch->group, task);
	watch_end(watch);
}

static struct watch *find(struct soon__group *group, const soon_task *task)
{
	struct soon__list *head = &group->extras.watches;

	if (!group->has_extras)
		return NULL;
	for (struct soon__list *link = head->next; link != head; link = link->next) {
		if (watch_of(link)->task == task)
			return watch_of(link);
	}
	return NULL;
}

static int watch_refused(struct soon__group *group, const soon_task *task)
{
	if (!soon__scope_is_here(&group->scope, "soon_group_watch"))
		return -EPERM;
	if (group->state == SOON__GROUP_CLOSED)
		return -ESHUTDOWN;
	if (task->group == group)
		return -EINVAL;
	if (soon__scope_is_waited_by(&group->scope, task)) {
		soon_report_file(SOON_REPORT_ERROR, -EDEADLK,
			"soon_group_watch: task '%s' waits for the end of group '%s', which would "
			"wait for the task",
			task->name, group->name);
		return -EDEADLK;
	}
	return find(group, task) ? -EALREADY : 0;
}

int soon_group_watch(soon_group *group, soon_task *handle)
{
	struct soon__group *g = soon__group_of(group);
	struct watch *watch;
	soon_task *task;
	int rc = soon__handle_read(handle, "soon_group_watch", &task);

	if (rc == 0)
		rc = watch_refused(g, task);
	if (rc < 0)
		return rc;
	if (task->state == SOON__TASK_ENDED) {
		soon__group_judge(g, task);
		return 0;
	}
	watch = soon_malloc(sizeof *watch);
	if (!watch)
		return -ENOMEM;
	*watch = (struct watch){ .group = g, .task = task };
	watch->hook.ended = watched_ended;
	soon__list_push_tail(&task->end_hooks, &watch->hook.link);
	soon__list_push_tail(&soon__group_extras(g)->watches, &watch->link);
	g->pins++;
	return 0;
}

bool soon_group_forget(soon_group *group, soon_task *handle)
{
	soon_task *task;
	struct watch *watch;

	if (soon__handle_read(handle, "soon_group_forget", &task) < 0)
		return false;
	watch = find(soon__group_of(group), task);
	if (!watch)
		return false;
	watch_end(watch);
	return true;
}

soon_group *soon_group_current(const void *kind)
{
	soon_task *task = soon__task_self();

	if (!task)
		return NULL;
	for (struct soon__scope *s = task->scope; s; s = s->parent) {
		struct soon__group *group = (struct soon__group *)s;

		/* Nobody opened the core's own groups, nor the home of a generator. */
		if (!s->is_group || !s->task)
			continue;
		/* Who is being started has around it what it will have once it is ready. */
		if (group->is_nursery) {
			group = soon__start_target(group);
			s = &group->scope;
		}
		if (!kind || (group->has_extras && group->extras.kind == kind))
			return (soon_group *)(void *)group;
	}
	return NULL;
}
