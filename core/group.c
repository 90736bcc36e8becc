// SPDX-License-Identifier: Apache-2.0
/*
 * group.c: groups: who lives in them, which failure came first, and when they may be left.
 */
#include <soon/group.h>
#include <soon/mem.h>

#include "core.h"
#include "describe.h"
#include "run.h"
#include "stuck.h"

#include <stdatomic.h>
#include <string.h>

_Static_assert(sizeof(struct soon__group) <= sizeof(soon_group), "soon_group is too small");

/* Allocated at a group's first failure, so that a group without any stays small. */
struct soon__failures {
	size_t kept_count;
	soon_failure kept[SOON_FAILURES_KEPT];
};

static inline void group_init(
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
	group->reserved = 0;
	group->pins = 0;
	group->policy = (uint8_t)opts->policy;
	group->state = SOON__GROUP_OPEN;
	group->has_won = false;
	group->has_extras = false;
	group->is_nursery = false;
	group->scope.is_group = true;
}

void soon__group_init(
	struct soon__group *group, const soon_group_opts *opts, soon_core *core, const char *name)
{
	group_init(group, opts, core, name);
}

struct soon__group_extras *soon__group_extras(struct soon__group *group)
{
	struct soon__group_extras *extras = &group->extras;

	if (group->has_extras)
		return extras;
	group->has_extras = true;
	*extras = (struct soon__group_extras){ 0 };
	soon__list_init(&extras->spawners);
	soon__list_init(&extras->watches);
	soon__list_init(&extras->stuck);
	extras->defers_tail = &extras->defers;
	return extras;
}

/* What cannot be meant is said at once, where it was written. */
static void check_opts(const soon_group_opts *opts, const soon_site *site)
{
	if (SOON_UNLIKELY(opts->policy > SOON_FIRST_OK))
		soon_die("SOON_GROUP: there is no policy %d (%s:%d)", (int)opts->policy, site->file,
			site->line);
	if (SOON_UNLIKELY(
		    (opts->on_exit || opts->restart || opts->restarts_max || opts->restart_window ||
			    opts->restart_backoff || opts->restart_backoff_max) &&
		    opts->policy != SOON_SUPERVISE))
		soon_die("SOON_GROUP: on_exit and the restart options need the policy "
			 "SOON_SUPERVISE (%s:%d)",
			site->file, site->line);
}

/* Makes the group the innermost scope of the running task. */
static inline struct soon__group *open_in_task(
	soon_group *group, const soon_group_opts *opts, const soon_site *site)
{
	struct soon__group *g = soon__group_of(group);
	soon_task *task = soon__task_self();

	if (SOON_UNLIKELY(!task))
		soon_die("SOON_GROUP: must be called in a task; this thread runs none (%s:%d)",
			site->file, site->line);
	soon__scope_init(&g->scope, task, task->scope);
	group_init(g, opts, task->core, site->what);
	g->scope.site = site; /* what soon__scope_push does where there is no deadline */
	atomic_signal_fence(memory_order_release);
	task->scope = &g->scope;
	return g;
}

void soon__group_open_plain(soon_group *group, const soon_site *site)
{
	static const soon_group_opts none = { 0 };

	(void)open_in_task(group, &none, site);
}

void soon__group_open(soon_group *group, const soon_group_opts *opts, const soon_site *site)
{
	struct soon__group *g;

	check_opts(opts, site);
	g = open_in_task(group, opts, site);
	if (opts->policy == SOON_SUPERVISE)
		soon__supervise_opts(g, opts);
	if (opts->kind)
		soon__group_extras(g)->kind = opts->kind;
}

/* Keeps the first failures with all that is known of them, and counts the rest. */
static void record_failure(struct soon__group *group, const soon_task *task, const soon_site *site,
	int rc, const char *message)
{
	soon_failure *failure;

	group->failure_count++;
	if (group->failure_count == 1)
		group->first_rc = rc;
	/* Not tried again later: what is kept are the first ones, in their order. */
	if (group->failure_count == 1)
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

static void cancel_siblings(struct soon__group *group, const char *why, const soon_site *site)
{
	soon__scope_mark(&group->scope, SOON__CANCELLED, SOON_CANCEL_SIBLING, why, site);
}

void soon__group_fail(struct soon__group *group, const soon_task *task, int rc, const char *message)
{
	record_failure(group, task, task->site, rc, message);
	cancel_siblings(group, "a task of the group failed", task->site);
}

/* The service group has nobody who waits for its result: said at once, and the run ends by it. */
static SOON_COLD void service_failed(soon_core *core, const soon_task *task, const char *message)
{
	soon_report_file(SOON_REPORT_ERROR, task->rc,
		"background task '%s', spawned at %s:%d, failed: %s%s%s", task->name,
		task->site->file, task->site->line, strerrordesc_np(-task->rc), message ? ": " : "",
		message ? message : "");
	soon__run_fail(core, task->rc, task->site, "background task '%s' of core %u failed: %s",
		task->name, core->index, message ? message : strerrordesc_np(-task->rc));
	if (!core->opts.keep_running)
		soon__run_cancel_main(core);
}

void soon__group_judge(struct soon__group *group, soon_task *task)
{
	const char *message;

	SOON_ASSERT(task->state == SOON__TASK_ENDED);
	if (task->rc >= 0) {
		if (group->policy == SOON_FIRST_OK && !group->has_won) {
			group->has_won = true;
			group->won_rc = task->rc;
			cancel_siblings(group, "another task succeeded", task->site);
		}
		return;
	}

	/* Being cancelled is no failure; a -ECANCELED that nobody asked for is one. */
	if (task->has_ended_cancelled || task->is_excused ||
		(task->is_recorded && group == task->group))
		return;
	if (group == &group->core->calls)
		return; /* to be judged by who called */
	message = soon__task_message(task, task->rc);
	if (task->rc == -ECANCELED && !message)
		message = "-ECANCELED without a cancelled scope";
	if (group->policy == SOON_FAIL_FAST)
		soon__group_fail(group, task, task->rc, message);
	else
		record_failure(group, task, task->site, task->rc, message);
	if (group == &group->core->service)
		service_failed(group->core, task, message);
}

void soon__group_settle(struct soon__group *group)
{
	struct soon__wait *closer = group->closer;

	if (!closer || group->live_count > 0 || group->pins > 0)
		return;
	group->closer = NULL;
	soon__unpark(closer, 0);
}

void soon__group_child_ended(struct soon__group *group, soon_task *task)
{
	SOON_ASSERT(group->live_count > 0);
	soon__list_remove(&task->sibling);
	if (task->has_handle)
		soon__list_push_tail(&group->kept, &task->sibling);
	if (SOON_UNLIKELY(task->rc < 0 || group->policy == SOON_FIRST_OK))
		soon__group_judge(group, task);
	group->live_count--;
	if (SOON_UNLIKELY(group->live_max))
		soon__spawn_give_place(group);
	soon__group_settle(group);
}

/* For the wait-for graph: of all tasks that hold the close up, the oldest. */
static const soon_task *close_holder(const struct soon__wait *wait)
{
	const struct soon__group *group = NULL;

	for (struct soon__scope *s = wait->task->scope; s; s = s->parent) {
		if (s->is_group) {
			group = (const struct soon__group *)s;
			break;
		}
	}
	if (!group || soon__list_is_empty(&group->children))
		return NULL;
	return SOON_CONTAINER_OF_CONST(group->children.next, soon_task, sibling);
}

bool soon__group_is_closer(const soon_task *task)
{
	return task->wait && task->wait->holder == close_holder;
}

/* Waits until no task of the group lives. A cancel reaches them, and the wait goes on. */
static void group_wait(struct soon__group *group, soon_core *core)
{
	group->state = SOON__GROUP_CLOSING;
	if (group->live_count == 0 && group->pins == 0)
		soon__sched_yield(core); /* closing is a turn for others, always */
	while (group->live_count > 0 || group->pins > 0) {
		struct soon__wait wait = { .what = "group close", .holder = close_holder };

		/* Taken off in soon__group_settle(), which ends the wait. */
		group->closer = &wait; // cppcheck-suppress autoVariables
		if (SOON_UNLIKELY(group->scope.state & SOON__CANCELLED))
			soon__stuck_watch(group);
		(void)soon__park(&wait);
	}
	if (SOON_UNLIKELY(group->has_extras)) {
		soon__stuck_forget(group);
		soon_free(group->extras.restarts);
		group->extras.restarts = NULL;
	}
	group->state = SOON__GROUP_CLOSED;
}

/* The body's result counts like a child's, as the failure of the task that opened the group. */
static void body_ended(struct soon__group *group, ssize_t rc)
{
	soon_task *task = group->scope.task;

	if (SOON_LIKELY(rc >= 0) || rc == -ECANCELED)
		return;
	record_failure(group, task, group->scope.site, (int)rc, soon__task_message(task, (int)rc));
	if (group->policy == SOON_FAIL_FAST || group->policy == SOON_SUPERVISE)
		cancel_siblings(group, "the body of the group failed", group->scope.site);
}

static ssize_t group_result(const struct soon__group *group, ssize_t rc)
{
	const struct soon__scope *scope = &group->scope;

	if (SOON_UNLIKELY(group->has_won))
		return group->won_rc;
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
			g->scope.task ? g->scope.task->name : "(none)");
	if (SOON_UNLIKELY(g->has_extras))
		soon__group_run_defers(g); /* which must not close it */
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

/*
 * A value that nobody read. Failures need no such check: each reaches the group's result, or its
 * list of failures, or what deals with them. FIRST_OK asks for one value of many.
 */
static SOON_COLD void check_read(const struct soon__group *group, const soon_task *task)
{
	char text[SOON__DESCRIBE_BYTES];

	if (task->rc <= 0 || task->is_rc_read || group->policy == SOON_FIRST_OK)
		return;
	soon_report_at(SOON_REPORT_WARNING, 0, task->site,
		"nobody read the result %d of a task that was spawned with a handle: %s", task->rc,
		soon__task_describe(task, text, sizeof text));
}

void soon__group_release_kept(struct soon__group *group)
{
	struct soon__list *link;

	while ((link = soon__list_pop(&group->kept)) != NULL) {
		soon_task *task = SOON_CONTAINER_OF(link, soon_task, sibling);

		if (SOON_UNLIKELY(task->rc > 0))
			check_read(group, task);
		task->has_handle = false; /* whoever still uses it is told so */
		soon__task_free(task);
	}
}

void soon__group_free_failures(struct soon__group *group)
{
	soon_free(group->failures);
	group->failures = NULL;
}

/* What a group that was left without a close ends with goes to nobody: it is said. */
static SOON_COLD void report_lost(const struct soon__group *group, int rc)
{
	const soon_failure *first = group->failures ? &group->failures->kept[0] : NULL;

	if (!first) {
		soon_report_at(SOON_REPORT_ERROR, rc, group->scope.site,
			"group '%s', left without soon_group_close, failed, and nobody reads it",
			group->name);
		return;
	}
	soon_report_at(SOON_REPORT_ERROR, rc, first->site,
		"group '%s', left without soon_group_close, failed, and nobody reads it: task "
		"'%s', spawned at %s:%d: %s (%ju failures)",
		group->name, first->task, first->site->file, first->site->line,
		first->message[0] ? first->message : strerrordesc_np(-rc),
		(uintmax_t)group->failure_count);
}

static SOON_COLD void close_left(soon_group *group) SOON_SUSPENDS
{
	struct soon__group *g = soon__group_of(group);
	ssize_t rc;

	soon_report_at(SOON_REPORT_ERROR, 0, g->scope.site,
		"group '%s' opened at %s:%d was left without soon_group_close; its %u tasks are "
		"cancelled and waited for",
		g->name, g->scope.site->file, g->scope.site->line, g->live_count);
	if (g->has_extras)
		soon__group_run_defers(g);
	soon__scope_mark(&g->scope, SOON__CANCELLED, SOON_CANCEL_PARENT_EXIT,
		"the group was left without a close", g->scope.site);
	rc = soon_group_close(group, 0);
	if (rc < 0 && rc != -ECANCELED)
		report_lost(g, (int)rc);
}

void soon__group_left(soon_group *group)
{
	struct soon__group *g = soon__group_of(group);

	if (SOON_UNLIKELY(g->state != SOON__GROUP_CLOSED))
		close_left(group);
	if (SOON_UNLIKELY(g->failures != NULL))
		soon__group_free_failures(g);
}

void soon__group_cancel(soon_group *group, const char *why, const soon_site *site)
{
	struct soon__group *g = soon__group_of(group);

	if (g->scope.is_open && soon__scope_is_here(&g->scope, "soon_group_cancel"))
		soon__scope_mark(&g->scope, SOON__CANCELLED, SOON_CANCEL_EXPLICIT, why, site);
}

void soon_group_drain(soon_group *group, soon_ns grace)
{
	struct soon__group *g = soon__group_of(group);
	soon_ns end;

	if (!g->scope.is_open || !soon__scope_is_here(&g->scope, "soon_group_drain"))
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
	size_t kept;

	if (!soon__scope_is_here(&g->scope, "soon_group_failures"))
		return 0;
	kept = g->failures ? g->failures->kept_count : 0;
	if (max > SOON_FAILURES_KEPT)
		max = SOON_FAILURES_KEPT;
	for (size_t i = 0; i < max && i < g->failure_count; i++) {
		if (i < kept)
			ret[i] = g->failures->kept[i];
		else /* there was no memory to keep more than the first one's result */
			ret[i] = (soon_failure){ .rc = i == 0 ? g->first_rc : -ENOMEM };
	}
	return (size_t)g->failure_count;
}

size_t soon_group_live(const soon_group *group)
{
	const struct soon__group *g = (const struct soon__group *)group;

	return soon__scope_is_here(&g->scope, "soon_group_live") ? g->live_count : 0;
}
