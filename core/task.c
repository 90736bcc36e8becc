// SPDX-License-Identifier: Apache-2.0
/*
 * task.c: a task's life, and the two verbs of waiting.
 */
#include <soon/mem.h>
#include <soon/task.h>

#include "core.h"
#include "fork.h"
#include "gen.h"
#include "handle.h"
#include "local.h"
#include "task_make.h"

#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

enum {
	DETAIL_BYTES = SOON_FAILURE_TEXT_BYTES,
	IGNORED_MAX = 64,
};

void soon__task_returned(soon_task *task)
{
	if (SOON_UNLIKELY(soon__core != task->core))
		soon_die("task '%s' returned in a forked child, which has no core: end the child "
			 "with exec or _exit",
			task->name);
	if (SOON_UNLIKELY(task->scope != soon__task_base(task)))
		soon_die("task '%s' returned with a scope or group still open, opened at %s:%d",
			task->name, task->scope->site ? task->scope->site->file : "?",
			task->scope->site ? task->scope->site->line : 0);
	if (SOON_UNLIKELY(task->gens != NULL))
		soon__gens_close_left(task);
	if (SOON_LIKELY(task->locks_held == 0))
		return;
	if (SOON_UNLIKELY(task->frame_loans > 0))
		soon_die("task '%s', spawned at %s:%d, ended with %u tokens of limiters, whose "
			 "lists of borrowers go through loans in its frames; give them back, or "
			 "declare them with SOON_LOAN",
			task->name, task->site->file, task->site->line, task->frame_loans);
	soon_report_file(SOON_REPORT_ERROR, -EOWNERDEAD,
		"task '%s', spawned at %s:%d, ended while it held %u lock(s)", task->name,
		task->site->file, task->site->line, task->locks_held);
	/* Run again by its group, it is not who locked: the number tells them apart. */
	task->id = task->core->tasks_made = soon__handle_next_id(task->core->tasks_made, task->id);
	task->locks_held = 0;
	task->reads_count = 0;
}

void soon__task_drop_message(soon_task *task)
{
	soon_free(task->detail);
	task->detail = NULL;
}

static void call_end_hooks(soon_task *task)
{
	while (!soon__list_is_empty(&task->end_hooks)) {
		struct soon__list *link = task->end_hooks.next;
		struct soon__end_hook *hook = SOON_CONTAINER_OF(link, struct soon__end_hook, link);

		hook->ended(hook, task);
		SOON_ASSERT(task->end_hooks.next != link); /* it takes itself off */
	}
}

static void *task_end(soon_task *task, int rc)
{
	soon_core *core = task->core;

	task->rc = rc;
	task->has_ended_cancelled = rc == -ECANCELED && soon__task_base(task)->state != 0;
	task->state = SOON__TASK_ENDED;
	if (task->armed_at != SOON_NEVER)
		soon__timer_cancel(&core->timers, &task->timer);
	if (SOON_UNLIKELY(task->locals != NULL))
		soon__task_drop_locals(task);
	if (!soon__list_is_empty(&task->end_hooks))
		call_end_hooks(task);
	soon__group_child_ended(task->group, task);
	if (task->detail)
		soon__task_drop_message(task);
	return soon__sched_exit(core);
}

void *soon__task_main(void *arg)
{
	soon_task *task = arg;
	int rc;

	soon__sched_arrive(task->core);
	rc = soon__call_word(task->fn, task->arg);
	if (SOON_UNLIKELY(soon__core != task->core || task->scope != &task->group->scope ||
		    task->gens || task->locks_held > 0))
		soon__task_returned(task);
	if (SOON_UNLIKELY(task->group->policy == SOON_SUPERVISE))
		rc = soon__supervise(task, rc);
	return task_end(task, rc);
}

/* The locals come first, so that a failure leaves nothing to undo. */
SOON_COLD int soon__task_make_inheriting(struct soon__group *group, const soon_task_opts *opts,
	size_t extra_bytes, soon_task **ret_task)
{
	struct soon__locals *locals;
	int rc = soon__locals_inherit(group->core, &locals);

	if (rc < 0)
		return rc;
	rc = task_make_bare(group, opts, extra_bytes, ret_task);
	if (rc == 0)
		(*ret_task)->locals = locals;
	else if (locals)
		soon__locals_drop(group->core, locals);
	return rc;
}

int soon__task_make(struct soon__group *group, const soon_task_opts *opts, size_t extra_bytes,
	soon_task **ret_task)
{
	return task_make(group, opts, extra_bytes, ret_task);
}

void soon__task_launch(soon_task *task, struct soon__group *group, soon__fn fn, uint64_t arg,
	const soon_site *site)
{
	task_launch(task, group, fn, arg, site);
}

void soon__task_adopt(soon_task *task, struct soon__group *group, soon__fn fn, uint64_t arg,
	const soon_site *site)
{
	task_adopt(task, group, fn, arg, site);
}

void soon__task_free(soon_task *task)
{
	soon_core *core = task->core;
	char *top = (char *)task + SOON__RECORD_BYTES;

	SOON_ASSERT(task->state == SOON__TASK_ENDED);
	soon__san_stack_end(&task->san, task->stack_low, (size_t)(top - task->stack_low));
	soon__stack_give(&core->stacks, task->stack_class, task->stack_index);
}

static __attribute__((noinline)) void switch_for_external(soon_core *core)
{
	core->external_count++;
	soon__sched_switch(core);
	core->external_count--;
}

ssize_t soon__park(struct soon__wait *wait)
{
	soon_core *core = soon__core;
	soon_task *task = core->sched.current;

	SOON_ASSERT(task);
	SOON_ASSERT(!task->wait);
	if (wait->is_unparked)
		return wait->rc;
	wait->task = task;
	if (SOON_UNLIKELY(soon__task_is_cancelled(task)) && wait->abort && !wait->is_aborted) {
		/* Cancelled between the checkpoint and here: by the caller's own preparation. */
		wait->is_aborted = true;
		task->aborted_at = core->clock.now;
		if (wait->abort(wait) == SOON__ABORT_DONE) {
			wait->task = NULL;
			return -ECANCELED;
		}
		if (wait->is_unparked)
			return wait->rc;
	}
	wait->parked_at = core->clock.now;
	atomic_signal_fence(memory_order_release); /* a dump may come at any time */
	task->wait = wait;
	task->state = SOON__TASK_PARKED;
	if (SOON_UNLIKELY(wait->is_external))
		switch_for_external(core);
	else
		soon__sched_switch(core);
	SOON_ASSERT(wait->is_unparked);
	SOON_ASSERT(!task->wait);
	return wait->rc;
}

void soon__unpark(struct soon__wait *wait, ssize_t rc)
{
	soon_task *task = wait->task;

	SOON_ASSERT(!wait->is_unparked);
	wait->is_unparked = true;
	wait->rc = rc;
	if (!task || task->wait != wait)
		return; /* not parked yet: park will see it */
	task->wait = NULL;
	soon__sched_ready(task->core, task);
}

size_t soon_stack_left(void)
{
	const soon_task *task = soon__task_self();

	return task ? (size_t)((const char *)__builtin_frame_address(0) - task->stack_low) : 0;
}

SOON_COLD int soon__not_in_task(const char *what)
{
	int rc = soon__core ? 0 : soon__fork_refuse(what);

	if (rc < 0)
		return rc;
	soon_report_file(SOON_REPORT_ERROR, -EPERM, "soon_%s: must be called in a task; %s", what,
		soon__core ? "this is a callback on the core's own stack"
			   : "this thread runs no core");
	return -EPERM;
}

/*
 * Counts calls that fail in one cancelled scope. A loop that takes no notice of -ECANCELED would
 * use up the processor in silence.
 */
static void note_ignored(soon_task *task)
{
	SOON_ASSERT_CORE();
	if (task->ignored_count == 0 || task->ignored != task->scope) {
		task->ignored = task->scope;
		task->ignored_count = 0;
	}
	if (task->ignored_count == IGNORED_MAX)
		return;
	if (++task->ignored_count == IGNORED_MAX)
		soon_report_file(SOON_REPORT_ERROR, -ECANCELED,
			"task '%s', spawned at %s:%d, ignores its cancellation (%s): %d suspending "
			"calls in one scope have failed",
			task->name, task->site->file, task->site->line,
			soon_cancel_reason().why ? soon_cancel_reason().why : "no reason given",
			IGNORED_MAX);
}

/* Fails the call, after a turn for others: who ignores the failure must not stop the core. */
static SOON_COLD int fail_cancelled(soon_task *task)
{
	note_ignored(task);
	soon__sched_yield(task->core);
	return -ECANCELED;
}

int soon__checkpoint(const char *what)
{
	soon_task *task = soon__task_self();

	if (SOON_UNLIKELY(!task))
		return soon__not_in_task(what);
	if (SOON_UNLIKELY(soon__task_is_cancelled(task)))
		return fail_cancelled(task);
	return 0;
}

int soon__checkpoint_inline(const char *what)
{
	soon_task *task = soon__task_self();

	if (SOON_UNLIKELY(!task))
		return soon__not_in_task(what);
	if (SOON_UNLIKELY(soon__task_is_cancelled(task)))
		return fail_cancelled(task);
	if (SOON_UNLIKELY(task->core->sched.inline_left-- == 0)) {
		soon__sched_yield(task->core);
		if (soon__task_is_cancelled(task))
			return -ECANCELED;
	}
	return 0;
}

int soon_checkpoint(void)
{
	return soon__checkpoint_inline("checkpoint");
}

int soon_yield(void)
{
	soon_task *task = soon__task_self();

	if (SOON_UNLIKELY(!task))
		return soon__not_in_task("yield");
	if (SOON_UNLIKELY(soon__task_is_cancelled(task)))
		return fail_cancelled(task);
	soon__sched_yield(task->core);
	return SOON_UNLIKELY(soon__task_is_cancelled(task)) ? -ECANCELED : 0;
}

static enum soon__abort sleep_abort(struct soon__wait *wait)
{
	wait->task->wake_at = SOON_NEVER;
	return SOON__ABORT_DONE;
}

int soon_sleep_until(soon_ns deadline)
{
	struct soon__wait wait = { .abort = sleep_abort, .what = "sleep" };
	int rc = soon__checkpoint("sleep");
	soon_task *task;

	if (rc < 0)
		return rc;
	task = soon__core->sched.current;
	if (deadline <= soon__core_now(task->core))
		return soon_yield();
	task->wake_at = deadline;
	soon__task_timer_arm(task, deadline);
	return (int)soon__park(&wait);
}

int soon_sleep(soon_ns timeout)
{
	if (SOON_UNLIKELY(!soon__core))
		return soon__not_in_task("sleep");
	if (timeout <= 0)
		return soon_yield();
	return soon_sleep_until(soon__core_deadline(soon__core, timeout));
}

_Alignas(SOON__HANDLE_TAGS) soon_task soon__task_none = { .state = SOON__TASK_ENDED,
	.name = "(none)" };

soon_task *soon_self(void)
{
	const soon_task *task = soon__task_self();

	return task ? soon__handle_of(task) : NULL;
}

const char *soon_task_name(const soon_task *handle)
{
	soon_task *task = soon__task_self();

	if (handle && soon__handle_read(handle, "soon_task_name", &task) < 0)
		return "(gone)";
	return task ? task->name : "(none)";
}

int soon_fail(int rc, const char *fmt, ...)
{
	soon_task *task = soon__task_self();
	char text[DETAIL_BYTES];
	va_list args;

	if (!task)
		return rc;

	/* Formatted before the old text goes: it may be among the arguments. */
	va_start(args, fmt);
	(void)vsnprintf(text, sizeof text, fmt, args);
	va_end(args);
	if (!task->detail)
		task->detail = soon_malloc(DETAIL_BYTES);
	if (task->detail) {
		memcpy(task->detail, text, sizeof text);
		task->detail_rc = rc;
	}
	return rc;
}

const char *soon_fail_message(void)
{
	const soon_task *task = soon__task_self();

	return task ? task->detail : NULL;
}

soon_ns soon_now(void)
{
	SOON_ASSERT(soon__core);
	return soon__core_now(soon__core);
}
