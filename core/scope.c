// SPDX-License-Identifier: Apache-2.0
/*
 * scope.c: cancellation as a level.
 *
 * A scope's state is its own bits and those of its parent that it is not shielded from. The state
 * is kept up to date when something changes, so that a suspending call tests one byte. Bits are
 * only ever added, but for the closing of the scope.
 */
#include <soon/scope.h>

#include "core.h"
#include "gen.h"
#include "stuck.h"
#include "walk.h"

#include <stdatomic.h>

_Static_assert(sizeof(struct soon__scope) <= sizeof(soon_scope), "soon_scope is too small");

static soon_task *task_or_die(const char *func)
{
	soon_task *task = soon__task_self();

	if (SOON_UNLIKELY(!task))
		soon_die("%s: must be called in a task; this thread runs none", func);
	return task;
}

SOON_COLD int soon__scope_refuse(const struct soon__scope *scope, const char *func)
{
	soon_report_at(SOON_REPORT_ERROR, -EPERM, scope->site,
		"%s: %s '%s', opened at %s:%d, belongs to the core of task '%s'; the caller, '%s', "
		"%s",
		func, scope->is_group ? "group" : "scope", scope->site ? scope->site->what : "?",
		scope->site ? scope->site->file : "?", scope->site ? scope->site->line : 0,
		scope->task->name, soon_task_name(NULL),
		soon__core ? "runs on another" : "is a thread that runs no core");
	return -EPERM;
}

void soon__scope_init(struct soon__scope *scope, soon_task *task, struct soon__scope *parent)
{
	*scope = (struct soon__scope){
		.parent = parent,
		.task = task,
		.deadline = SOON_NEVER,
		.state = parent ? parent->state : 0,
		.is_open = true,
	};
}

void soon__task_timer_arm(soon_task *task, soon_ns deadline)
{
	/*
	 * One timer serves all deadlines of a task. It is moved only to an earlier time; when it
	 * fires too early, because the scope it was set for is closed, it is set for what is left.
	 * So a deadline on every read of a connection costs no work on the wheel.
	 */
	if (deadline >= task->armed_at)
		return;
	task->armed_at = deadline;
	soon__timer_arm(&task->core->timers, &task->timer, deadline);
}

static void scope_expire(struct soon__scope *scope)
{
	if (scope->is_deadline_of_drain) {
		soon__scope_mark(
			scope, SOON__CANCELLED, SOON_CANCEL_DRAIN, "the grace is over", NULL);
		return;
	}
	if (!(scope->own & SOON__CANCELLED))
		scope->is_expired = true;
	soon__scope_mark(scope, SOON__CANCELLED, SOON_CANCEL_DEADLINE, "deadline", scope->site);
}

void soon__task_timer_fired(soon_task *task, soon_ns now)
{
	soon_ns next = SOON_NEVER;

	task->armed_at = SOON_NEVER;
	if (task->wake_at <= now) {
		task->wake_at = SOON_NEVER;
		SOON_ASSERT(task->wait);
		soon__unpark(task->wait, 0);
	}
	for (struct soon__scope *s = task->scope; s->task == task; s = s->parent) {
		if (s->own & SOON__CANCELLED)
			continue;
		if (s->deadline <= now)
			scope_expire(s);
		else if (s->deadline < next)
			next = s->deadline;
	}
	if (task->wake_at < next)
		next = task->wake_at;
	soon__task_timer_arm(task, next);
}

/* Ends the task's wait because its scope is cancelled, if the wait can be ended. */
static void task_interrupt(soon_task *task)
{
	struct soon__wait *wait = task->wait;

	if (!wait || wait->is_aborted || !wait->abort)
		return;
	wait->is_aborted = true;
	task->aborted_at = task->core->clock.now;
	if (wait->abort(wait) == SOON__ABORT_DONE)
		soon__unpark(wait, -ECANCELED);
}

/* Adds the children of a group, if `scope` is one, to the work list. */
static void push_children(struct soon__scope *scope, soon_task **work)
{
	struct soon__group *group = (struct soon__group *)scope;

	if (!scope->is_group)
		return;
	if (group->closer && (scope->state & SOON__CANCELLED))
		soon__stuck_watch(group);
	for (struct soon__list *link = group->children.next; link != &group->children;
		link = link->next) {
		soon_task *child = SOON_CONTAINER_OF(link, soon_task, sibling);

		child->work = *work;
		*work = child;
	}
}

/* A generator's scopes hang under those of the task that is advancing it. */
static void push_advanced(const soon_task *task, soon_task **work)
{
	soon_task *advanced = task->advanced;
	struct soon__scope *base = &advanced->group->scope;

	SOON_ASSERT(base->parent == task->scope);
	base->state |= task->scope->state;
	advanced->work = *work;
	*work = advanced;
}

/*
 * Carries `from`'s state down the chain of one task, to the scopes strictly inside `from`, and
 * interrupts the task if its innermost one is reached.
 */
static void spread_in_task(soon_task *task, const struct soon__scope *from, soon_task **work)
{
	struct soon__scope *reached = task->scope;

	/* A shield on the way hides the change from itself and from everything inside it. */
	for (struct soon__scope *s = task->scope; s != from; s = s->parent) {
		if (s->is_shielded)
			reached = s->parent;
	}
	for (struct soon__scope *s = reached; s != from; s = s->parent) {
		s->state |= from->state;
		push_children(s, work);
	}
	if (reached != task->scope)
		return;
	if (task->advanced)
		push_advanced(task, work);
	if (soon__task_is_cancelled(task))
		task_interrupt(task);
}

/* By a work list: trees may be deeper than stacks. */
static void spread_in_tasks(soon_task *work)
{
	while (work) {
		soon_task *task = work;

		work = task->work;
		spread_in_task(task, &task->group->scope, &work);
	}
}

/* Tells everyone below `scope` of its state. */
static void scope_spread(struct soon__scope *scope)
{
	soon_task *work = NULL;

	push_children(scope, &work);
	if (scope->task)
		spread_in_task(scope->task, scope, &work);
	spread_in_tasks(work);
}

void soon__scope_spread_to(soon_task *task)
{
	task->work = NULL;
	spread_in_tasks(task);
}

void soon__scope_hang_under(soon_task *task, struct soon__scope *to)
{
	const struct soon__scope *from = &task->group->scope;

	if (task->scope == from) {
		task->scope = to;
		/* The generator that it advances just now hangs under its innermost scope. */
		if (task->advanced)
			task->advanced->group->scope.parent = to;
	} else {
		struct soon__scope *s = task->scope;

		while (s->parent != from)
			s = s->parent;
		s->parent = to;
	}
}

static void lift_shields(const soon_core *core)
{
	struct soon__walk walk;
	const soon_task *task;

	soon__walk_begin(&walk, core);
	while ((task = soon__walk_next_task(&walk)) != NULL) {
		for (struct soon__scope *s = task->scope; s != &task->group->scope; s = s->parent)
			s->is_shielded = false;
	}
}

void soon__scope_force(soon_core *core, soon_cancel_source source, const char *why)
{
	lift_shields(core);
	for (unsigned i = 0; i < SOON__OUTER_COUNT; i++) {
		struct soon__scope *outer = &soon__core_outer(core, i)->scope;

		soon__scope_mark(outer, SOON__CANCELLED, source, why, NULL);
		scope_spread(outer); /* who had a shield does not know yet */
	}
}

void soon__scope_mark(struct soon__scope *scope, uint8_t bits, soon_cancel_source source,
	const char *why, const soon_site *site)
{
	uint8_t before = scope->state;

	SOON_ASSERT(scope->is_open);
	if ((scope->own & bits) == bits)
		return;
	if ((bits & SOON__CANCELLED) && !(scope->own & SOON__CANCELLED)) {
		scope->source = (uint8_t)source;
		scope->why = why;
		scope->why_site = site;
	}
	scope->own |= bits;
	scope->state |= bits;
	if (scope->state != before)
		scope_spread(scope);
}

bool soon__scope_is_waited_by(const struct soon__scope *scope, const soon_task *task)
{
	for (const struct soon__scope *s = scope; s; s = s->parent) {
		const struct soon_gen *gen = soon__gen_at(s);

		if (s->task == task || (gen && gen->consumer->task == task))
			return true;
	}
	return false;
}

void soon__scope_push(struct soon__scope *scope, soon_ns deadline, const soon_site *site)
{
	soon_task *task = scope->task;

	scope->site = site;
	scope->deadline = deadline;
	atomic_signal_fence(memory_order_release); /* a dump may come at any time */
	task->scope = scope;
	if (deadline == SOON_NEVER)
		return;
	if (deadline <= soon__core_now(task->core))
		scope_expire(scope);
	else
		soon__task_timer_arm(task, deadline);
}

/* Back where nothing is cancelled, what failed inside was not ignored out here. */
static SOON_COLD void left_marked(soon_task *task, struct soon__scope *scope)
{
	if (scope->own & SOON__HAS_TOKEN)
		soon__token_drop(scope);
	if (!soon__task_is_cancelled(task))
		task->ignored_count = 0;
}

void soon__scope_pop(struct soon__scope *scope, const char *func)
{
	soon_task *task = task_or_die(func);

	if (SOON_UNLIKELY(!scope->is_open))
		soon_die("%s: the scope is not open", func);
	if (SOON_UNLIKELY(scope->task != task))
		soon_die("%s: the scope was opened by task '%s'", func, scope->task->name);
	if (SOON_UNLIKELY(task->scope != scope))
		soon_die("%s: a scope or group opened later is still open (%s:%d)", func,
			task->scope->site ? task->scope->site->file : "?",
			task->scope->site ? task->scope->site->line : 0);
	task->scope = scope->parent;
	scope->is_open = false;
	if (SOON_UNLIKELY(scope->own))
		left_marked(task, scope);
}

void soon__scope_open(soon_scope *scope, const soon_scope_opts *opts, const soon_site *site)
{
	struct soon__scope *s = soon__scope_of(scope);
	soon_task *task = task_or_die("SOON_SCOPE");
	soon_ns deadline =
		opts->timeout ? soon__core_deadline(task->core, opts->timeout) : SOON_NEVER;

	if (opts->deadline && opts->deadline < deadline)
		deadline = opts->deadline;
	if (opts->shield && !opts->timeout && !opts->deadline)
		soon_die("SOON_SCOPE: a shield needs a timeout or deadline; SOON_NEVER if it must "
			 "(%s:%d)",
			site->file, site->line);
	soon__scope_init(s, task, task->scope);
	if (opts->shield) {
		s->is_shielded = true;
		s->state = 0;
	}
	soon__scope_push(s, deadline, site);
}

void soon__within_open(soon_scope *scope, soon_ns timeout)
{
	struct soon__scope *s = soon__scope_of(scope);
	soon_task *task = task_or_die("soon_within");

	soon__scope_init(s, task, task->scope);
	soon__scope_push(s, soon__core_deadline(task->core, timeout), NULL);
}

void soon__shield_open(soon_scope *scope, soon_ns timeout)
{
	struct soon__scope *s = soon__scope_of(scope);
	soon_task *task = task_or_die("soon_shielded");

	soon__scope_init(s, task, task->scope);
	s->is_shielded = true;
	s->state = 0;
	soon__scope_push(s, soon__core_deadline(task->core, timeout), NULL);
}

ssize_t soon_scope_close(soon_scope *scope, ssize_t rc)
{
	struct soon__scope *s = soon__scope_of(scope);

	soon__scope_pop(s, "soon_scope_close");
	if (rc != -ECANCELED || !(s->own & SOON__CANCELLED))
		return rc;
	if (!s->is_shielded && (s->parent->state & SOON__CANCELLED))
		return rc;
	return s->is_expired ? -ETIMEDOUT : 0;
}

void soon__scope_left(soon_scope *scope)
{
	struct soon__scope *s = soon__scope_of(scope);

	if (SOON_LIKELY(!s->is_open))
		return;
	soon_report_file(SOON_REPORT_ERROR, 0,
		"scope '%s' opened at %s:%d was left without soon_scope_close", s->site->what,
		s->site->file, s->site->line);
	soon__scope_pop(s, "SOON_SCOPE");
}

void soon__scope_cancel(soon_scope *scope, const char *why, const soon_site *site)
{
	struct soon__scope *s = soon__scope_of(scope);

	if (s->is_open && soon__scope_is_here(s, "soon_scope_cancel"))
		soon__scope_mark(s, SOON__CANCELLED, SOON_CANCEL_EXPLICIT, why, site);
}

int soon_scope_deadline(soon_scope *scope, soon_ns deadline)
{
	struct soon__scope *s = soon__scope_of(scope);

	if (!s->is_open)
		return -EINVAL;
	if (!soon__scope_is_here(s, "soon_scope_deadline"))
		return -EPERM;
	s->deadline = deadline;
	if (s->own & SOON__CANCELLED)
		return 0;
	if (deadline <= soon__core_now(s->task->core))
		scope_expire(s);
	else
		soon__task_timer_arm(s->task, deadline);
	return 0;
}

bool soon_scope_expired(const soon_scope *scope)
{
	const struct soon__scope *self = (const struct soon__scope *)scope;

	/* The task of a closed one may be gone. */
	if (self->is_open && !soon__scope_is_here(self, "soon_scope_expired"))
		return false;
	return self->is_expired;
}

bool soon__idle_enter(void)
{
	soon_task *task = task_or_die("SOON_IDLE");

	SOON_ASSERT(task->idle_depth < UINT16_MAX);
	task->idle_depth++;
	task->mask |= SOON__DRAINING;
	return true;
}

void soon__idle_left(const bool *once)
{
	soon_task *task = task_or_die("SOON_IDLE");

	(void)once;
	SOON_ASSERT(task->idle_depth > 0);
	if (--task->idle_depth == 0)
		task->mask &= (uint8_t)~SOON__DRAINING;
}

soon_ns soon_deadline(void)
{
	soon_task *task = task_or_die("soon_deadline");
	soon_ns deadline = SOON_NEVER;

	if (soon__task_is_cancelled(task))
		return 0;
	for (const struct soon__scope *s = task->scope; s; s = s->parent) {
		if (s->deadline < deadline)
			deadline = s->deadline;
		if (s->is_shielded)
			break;
	}
	return deadline;
}

bool soon_cancelled(void)
{
	const soon_task *task = soon__task_self();

	return task && soon__task_is_cancelled(task);
}

soon_cancel_why soon_cancel_reason(void)
{
	soon_task *task = task_or_die("soon_cancel_reason");

	if (!soon__task_is_cancelled(task))
		return (soon_cancel_why){ .source = SOON_CANCEL_NONE };
	for (const struct soon__scope *s = task->scope; s; s = s->parent) {
		if (s->own & SOON__CANCELLED)
			return (soon_cancel_why){
				.source = (soon_cancel_source)s->source,
				.why = s->why,
				.site = s->why_site,
			};
		if (s->is_shielded)
			break;
	}
	return (soon_cancel_why){ .source = SOON_CANCEL_DRAIN, .why = "drain" };
}
