// SPDX-License-Identifier: Apache-2.0
/*
 * group.c: groups: who lives in them, which failure came first, and when they may be left.
 */
#include <soon/group.h>
#include <soon/mem.h>

#include "core.h"

#include <stdatomic.h>
#include <string.h>

_Static_assert(sizeof(struct soon__group) <= sizeof(soon_group), "soon_group is too small");

/* Allocated at a group's first failure, so that a group without any stays small. */
struct soon__failures {
	size_t kept_count;
	soon_failure kept[SOON_FAILURES_KEPT];
};

void soon__group_init(
	struct soon__group *group, const soon_group_opts *opts, soon_core *core, const char *name)
{
	soon__list_init(&group->children);
	soon__list_init(&group->kept);
	group->core = core;
	group->closer = NULL;
	group->failures = NULL;
	group->name = opts->name ? opts->name : name;
	group->failure_count = 0;
	group->first_rc = 0;
	group->live_count = 0;
	group->live_max = opts->live_max;
	group->policy = (uint8_t)opts->policy;
	group->state = SOON__GROUP_OPEN;
	group->scope.is_group = true;
}

void soon__group_open(soon_group *group, const soon_group_opts *opts, const soon_site *site)
{
	struct soon__group *g = soon__group_of(group);
	soon_task *task = soon__task_self();

	if (SOON_UNLIKELY(!task))
		soon_die("SOON_GROUP: must be called in a task; this thread runs none (%s:%d)",
			site->file, site->line);
	if (SOON_UNLIKELY(opts->policy > SOON_WAIT_ALL))
		soon_die("SOON_GROUP: this version has the policies SOON_FAIL_FAST and "
			 "SOON_WAIT_ALL only (%s:%d)",
			site->file, site->line);
	soon__scope_init(&g->scope, task, task->scope);
	soon__group_init(g, opts, task->core, site->what);
	g->scope.site = site; /* what soon__scope_push does where there is no deadline */
	atomic_signal_fence(memory_order_release);
	task->scope = &g->scope;
}

/* Keeps the first failures with all that is known of them, and counts the rest. */
static void record_failure(struct soon__group *group, const soon_task *task, const soon_site *site,
	int rc, const char *message)
{
	soon_failure *failure;

	group->failure_count++;
	if (group->failure_count == 1)
		group->first_rc = rc;
	if (!group->failures)
		group->failures = soon_zalloc(sizeof *group->failures);
	if (!group->failures || group->failures->kept_count == SOON_FAILURES_KEPT)
		return; /* counted all the same, and the first rc is never lost */
	failure = &group->failures->kept[group->failures->kept_count++];
	failure->rc = rc;
	failure->when = soon__core_now(group->core);
	failure->site = site;
	(void)strncat(failure->task, task->name, sizeof failure->task - 1);
	if (message)
		(void)strncat(failure->message, message, sizeof failure->message - 1);
}

static void fail_fast(struct soon__group *group, const soon_site *site)
{
	if (group->policy == SOON_FAIL_FAST)
		soon__scope_mark(&group->scope, SOON__CANCELLED, SOON_CANCEL_SIBLING,
			"a task of the group failed", site);
}

void soon__group_child_ended(struct soon__group *group, soon_task *task, int rc)
{
	SOON_ASSERT(group->live_count > 0);
	soon__list_remove(&task->sibling);
	if (task->has_handle)
		soon__list_push_tail(&group->kept, &task->sibling);
	if (rc < 0) {
		const char *message = soon__task_message(task, rc);

		/* Being cancelled is no failure; a -ECANCELED that nobody asked for is one. */
		if (rc != -ECANCELED || group->scope.state == 0) {
			if (rc == -ECANCELED && !message)
				message = "-ECANCELED without a cancelled scope";
			record_failure(group, task, task->site, rc, message);
			fail_fast(group, task->site);
		}
	}
	if (--group->live_count == 0 && group->closer)
		soon__unpark(group->closer, 0);
}

/* Waits until no task of the group lives. A cancel reaches them, and the wait goes on. */
static void group_wait(struct soon__group *group, soon_core *core)
{
	group->state = SOON__GROUP_CLOSING;
	if (group->live_count == 0) {
		soon__sched_yield(core); /* closing is a turn for others, always */
	}
	while (group->live_count > 0) {
		struct soon__wait wait = { .what = "group close" };

		group->closer = &wait;
		(void)soon__park(&wait);
		group->closer = NULL;
	}
	group->state = SOON__GROUP_CLOSED;
}

/* The body's result counts like a child's, as the failure of the task that opened the group. */
static void body_ended(struct soon__group *group, ssize_t rc)
{
	soon_task *task = group->scope.task;

	if (rc >= 0 || rc == -ECANCELED)
		return;
	record_failure(group, task, group->scope.site, (int)rc, soon__task_message(task, (int)rc));
	fail_fast(group, group->scope.site);
}

static ssize_t group_result(const struct soon__group *group, ssize_t rc)
{
	const struct soon__scope *scope = &group->scope;

	if (group->first_rc < 0)
		return group->first_rc;
	if (scope->parent->state & SOON__CANCELLED)
		return -ECANCELED;
	/* What only this group asked for, by a cancel or a drain, ends with it. */
	if (rc == -ECANCELED && (scope->own & ~scope->parent->state))
		return 0;
	return rc;
}

ssize_t soon_group_close(soon_group *group, ssize_t rc)
{
	struct soon__group *g = soon__group_of(group);
	soon_task *task = soon__task_self();

	if (SOON_UNLIKELY(!task || g->scope.task != task))
		soon_die("soon_group_close: group '%s' belongs to task '%s'", g->name,
			g->scope.task ? soon_task_name(g->scope.task) : "(none)");
	if (SOON_UNLIKELY(g->state != SOON__GROUP_OPEN))
		soon_die("soon_group_close: group '%s' is closed already", g->name);
	body_ended(g, rc);
	group_wait(g, task->core);
	soon__scope_pop(&g->scope, "soon_group_close");
	soon__group_release_kept(g);
	rc = group_result(g, rc);

	/* The message of what is returned goes on with it, to the group above. */
	if (rc < 0 && rc == g->first_rc && g->failures && g->failures->kept[0].message[0])
		rc = soon_fail((int)rc, "%s", g->failures->kept[0].message);
	return rc;
}

void soon__group_release_kept(struct soon__group *group)
{
	struct soon__list *link;

	while ((link = soon__list_pop(&group->kept)) != NULL)
		soon__task_free(SOON_CONTAINER_OF(link, soon_task, sibling));
}

void soon__group_free_failures(struct soon__group *group)
{
	soon_free(group->failures);
	group->failures = NULL;
}

void soon__group_left(soon_group *group)
{
	struct soon__group *g = soon__group_of(group);
	ssize_t rc;

	if (SOON_UNLIKELY(g->state != SOON__GROUP_CLOSED)) {
		soon_report_file(SOON_REPORT_ERROR, 0,
			"group '%s' opened at %s:%d was left without soon_group_close; its %u "
			"tasks are cancelled and waited for",
			g->name, g->scope.site->file, g->scope.site->line, g->live_count);
		soon__scope_mark(&g->scope, SOON__CANCELLED, SOON_CANCEL_PARENT_EXIT,
			"the group was left without a close", g->scope.site);
		rc = soon_group_close(group, 0);
		(void)rc; /* nobody is left to give it to; the report says why */
	}
	if (SOON_UNLIKELY(g->failures != NULL))
		soon__group_free_failures(g);
}

void soon__group_cancel(soon_group *group, const char *why, const soon_site *site)
{
	struct soon__group *g = soon__group_of(group);

	if (g->scope.is_open)
		soon__scope_mark(&g->scope, SOON__CANCELLED, SOON_CANCEL_EXPLICIT, why, site);
}

void soon_group_drain(soon_group *group, soon_ns grace)
{
	struct soon__group *g = soon__group_of(group);
	soon_ns end;

	if (!g->scope.is_open)
		return;
	SOON_ASSERT(g->scope.task);
	end = soon__core_deadline(g->core, grace);
	soon__scope_mark(&g->scope, SOON__DRAINING, SOON_CANCEL_DRAIN, "drain", NULL);
	if (end >= g->scope.deadline)
		return;
	g->scope.deadline = end;
	g->scope.is_deadline_of_drain = true;
	soon__task_timer_arm(g->scope.task, end);
}

size_t soon_group_failures(const soon_group *group, soon_failure *ret, size_t max)
{
	const struct soon__group *g = (const struct soon__group *)group;
	size_t count = g->failures ? g->failures->kept_count : 0;

	if (count > max)
		count = max;
	if (count > 0)
		memcpy(ret, g->failures->kept, count * sizeof *ret);
	return (size_t)g->failure_count;
}

size_t soon_group_live(const soon_group *group)
{
	return ((const struct soon__group *)group)->live_count;
}
