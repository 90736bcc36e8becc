// SPDX-License-Identifier: Apache-2.0
/*
 * run.c: from soon_run() to its return.
 */
#include "run.h"

#include <soon/cores.h>

#include "capture.h"
#include "core.h"
#include "debug.h"
#include "guard.h"
#include "interrupt.h"
#include "log.h"
#include "overflow.h"
#include "quit.h"
#include "stuck.h"
#include "switch.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

enum {
	TASKS_MAX_DEFAULT = 2 * 1024 * 1024,
	CALLS_BYTES = 400,
};

static const soon_ns GRACE_DEFAULT = SOON_S(30);

/* What is posted to have a core look: all that there is to do is in its loop. */
static void look(soon_callback *unused)
{
	(void)unused;
}

static void run_init(struct soon__run *run, const struct soon__seams *seams, const soon_opts *opts)
{
	*run = (struct soon__run){ 0 };
	if (seams)
		run->seams = *seams;
	if (opts)
		run->opts = *opts;
	if (!run->opts.stack_bytes)
		run->opts.stack_bytes = SOON__STACK_BYTES_DEFAULT;
	if (!run->opts.tasks_max)
		run->opts.tasks_max = TASKS_MAX_DEFAULT;
	if (!run->opts.grace)
		run->opts.grace = GRACE_DEFAULT;
	soon__pool_init(&run->pool, &run->opts);
	run->core_count = run->opts.cores;
	soon__list_init(&run->starters);
	run->all_rest.fn = look;
	atomic_init(&run->busy, 1);
	(void)pthread_mutex_init(&run->lock, NULL);
	run->debug = soon__debug_of(&run->opts);
}

static void cancel_outer(struct soon__group *group)
{
	soon__scope_mark(
		&group->scope, SOON__CANCELLED, SOON_CANCEL_SHUTDOWN, "the main task ended", NULL);
	if (group->live_count > 0)
		soon__stuck_watch(group);
}

void soon__run_watch_late(struct soon__group *group)
{
	if (SOON_UNLIKELY(group->core->is_ending))
		soon__stuck_watch(group);
}

/* On each core, once. */
static void end_here(soon_core *core)
{
	core->is_ending = true;
	cancel_outer(&core->service);
	cancel_outer(&core->calls);
}

static void end_there(soon_callback *callback)
{
	end_here(SOON_CONTAINER_OF(callback, struct soon__member, end)->core);
}

void soon__run_tell_end(struct soon__run *run)
{
	for (unsigned i = 1; i < soon__run_running(run); i++) {
		struct soon__member *member = &run->members[i - 1];
		int rc;

		member->end.fn = end_there;
		rc = soon_post(member->core, &member->end);
		SOON_ASSERT(rc == 0); /* we are busy, so it is open */
	}
}

void soon__run_main_ended(struct soon__run *run)
{
	soon_core *core = run->first;

	soon__interrupt_main_ended(core);
	if (run->seams.main_ended)
		run->seams.main_ended(run->seams.data);
	run->ended_at = soon__core_now(core);
	run->nag_at = soon__core_deadline(core, core->opts.grace);
	end_here(core);
	soon__run_tell_end(run);
}

bool soon__run_rest(struct soon__run *run, soon_core *core)
{
	if (!core->is_resting) {
		core->is_resting = true;
		if (core->is_given_up)
			return true; /* it was never counted */
		atomic_store_explicit(&core->stage, SOON__STAGE_AT_REST, memory_order_relaxed);
		/* Release: what our tasks did, for who sees 0. Acquire: the others', if we do. */
		if (atomic_fetch_sub_explicit(&run->busy, 1, memory_order_acq_rel) == 1) {
			if (core->index > 0)
				soon__core_tell(run->first, &run->all_rest);
			for (unsigned i = 1; i < soon__run_running(run); i++)
				if (i != core->index)
					soon__core_tell(run->members[i - 1].core,
						&run->members[i - 1].all_rest);
		}
	}
	/* Acquire: pairs with the release of each that came to rest. */
	return core->is_given_up || atomic_load_explicit(&run->busy, memory_order_acquire) == 0;
}

bool soon__run_rise(struct soon__run *run, soon_core *core)
{
	unsigned busy = atomic_load_explicit(&run->busy, memory_order_relaxed);

	if (!soon__inbox_is_due(&core->inbox))
		return false;
	do {
		if (busy == 0)
			return false; /* for good: nobody is left who could wait for us */
		/* Relaxed: it takes no more than the place. What the posts bring, they order. */
	} while (!atomic_compare_exchange_weak_explicit(
		&run->busy, &busy, busy + 1, memory_order_relaxed, memory_order_relaxed));
	core->is_resting = false;
	atomic_store_explicit(&core->stage, SOON__STAGE_RUNNING, memory_order_relaxed);
	return true;
}

soon_ns soon__run_nag_next(const struct soon__run *run, const soon_core *core)
{
	return core->is_resting && core->index == 0 ? run->nag_at : SOON_NEVER;
}

static void report_busy(const struct soon__member *member, soon_ns waited)
{
	char calls[CALLS_BYTES];

	/* Its own thread shows its tasks, when it gets to that: see stuck.h. */
	soon__capture_write(member->thread, calls, sizeof calls);
	soon_report_file(SOON_REPORT_ERROR, -ETIMEDOUT,
		"core %u has tasks %lld ms after the main task ended; all other cores wait for it; "
		"it stands in %s",
		member->index, (long long)(waited / SOON_MS(1)), calls);
}

void soon__run_nag(struct soon__run *run, soon_core *core)
{
	soon_ns now = soon__core_now(core), waited = now - run->ended_at;

	if (now < soon__run_nag_next(run, core))
		return;
	for (unsigned i = 1; i < soon__run_running(run); i++) {
		/* Relaxed: told as it was a moment ago. */
		if (atomic_load_explicit(&run->members[i - 1].core->stage, memory_order_relaxed) ==
			SOON__STAGE_RUNNING)
			report_busy(&run->members[i - 1], waited);
	}
	run->nag_at = soon__stuck_next_after(now, waited);
}

void soon__run_fail(soon_core *core, int rc, const soon_site *site, const char *fmt, ...)
{
	struct soon__run *run = core->run;
	va_list args;

	SOON_ASSERT(rc < 0);
	(void)pthread_mutex_lock(&run->lock);
	if (run->failed_rc == 0) {
		run->failed_rc = rc;
		run->failed_site = site;
		va_start(args, fmt);
		(void)vsnprintf(run->failed_why, sizeof run->failed_why, fmt, args);
		va_end(args);
	}
	(void)pthread_mutex_unlock(&run->lock);
}

static void cancel_main(soon_core *first)
{
	const struct soon__run *run = first->run;

	SOON_ASSERT(first->index == 0);
	if (first->is_ending)
		return;
	/* The text was complete before anybody asked for this, and does not change any more. */
	soon__scope_mark(&first->root.scope, SOON__CANCELLED, SOON_CANCEL_SIBLING, run->failed_why,
		run->failed_site);
	soon__stuck_watch(&first->root);
}

static void cancel_main_there(soon_callback *callback)
{
	cancel_main(SOON_CONTAINER_OF(callback, struct soon__member, has_failed)->run->first);
}

void soon__run_cancel_main(soon_core *core)
{
	struct soon__member *member;

	if (core->index == 0) {
		cancel_main(core);
		return;
	}
	member = &core->run->members[core->index - 1];
	member->has_failed.fn = cancel_main_there;
	soon__core_tell(core->run->first, &member->has_failed);
}

static int run_result(const struct soon__run *run)
{
	if (run->first->deadlock_step > 0)
		return -EDEADLK;
	/* A main task that was only cancelled may have been so for another failure. */
	if (run->main_rc < 0 && run->main_rc != -ECANCELED)
		return run->main_rc;
	return run->failed_rc < 0 ? run->failed_rc : run->main_rc;
}

struct main_call {
	struct soon__run *run;
	soon__fn fn;
	uint64_t arg;
};

/* The main task of a run that was asked for several cores: they run before its function does. */
static int main_with_cores(const struct main_call *call) SOON_SUSPENDS
{
	int rc = soon__cores_start(call->run);

	return rc < 0 ? rc : soon__call_word(call->fn, call->arg);
}

static int run_main(struct soon__run *run, soon__fn fn, uint64_t arg, const soon_site *site)
{
	struct main_call call = { run, fn, arg };
	soon_core *core = run->first;
	soon_task *main_task;
	soon_task_opts opts = { .ret_task = &main_task };
	int rc;

	rc = soon__task_make(&core->root, &opts, 0, &main_task);
	if (rc < 0) {
		soon_report_file(SOON_REPORT_ERROR, rc,
			"soon_run: no stack for the first task; look at `ulimit -v` and "
			"vm.overcommit_memory");
		return rc;
	}
	if (run->opts.cores > 1)
		soon__task_launch(main_task, &core->root, (soon__fn)main_with_cores,
			(uint64_t)(uintptr_t)&call, site);
	else
		soon__task_launch(main_task, &core->root, fn, arg, site);
	soon__quit_register(core);
	soon__interrupt_begin(core);
	soon__core_loop(core);
	run->main_rc = main_task->rc;
	main_task->is_rc_read = true;
	soon__cores_join(run);
	rc = run_result(run);
	soon__quit_unregister(core);
	return rc;
}

int soon__run_on(const struct soon__seams *seams, const soon_opts *opts, soon__fn fn, uint64_t arg,
	const soon_site *site)
{
	struct soon__overflow overflow;
	struct soon__run run;
	soon_core *core;
	int rc;

	if (soon__core) {
		soon_report_file(SOON_REPORT_ERROR, -EBUSY,
			"soon_run(%s) at %s:%d: this thread runs a core already, in task '%s'; "
			"call the function directly",
			site->what, site->file, site->line, soon_task_name(NULL));
		return -EBUSY;
	}
	if (opts && opts->cores > SOON_CORES_MAX) {
		soon_report_file(SOON_REPORT_ERROR, -EINVAL,
			"soon_run(%s) at %s:%d: %u cores are more than %d", site->what, site->file,
			site->line, opts->cores, SOON_CORES_MAX);
		return -EINVAL;
	}
	soon__guard_begin();
	run_init(&run, seams, opts);
	core = soon__core_acquire();
	if (!core)
		return -ENOMEM;
	run.first = core;
	rc = soon__overflow_init(&overflow);
	if (rc < 0)
		goto out_release;
	rc = soon__core_open(core, &run, 0);
	if (rc < 0)
		goto out_fini;
	rc = run_main(&run, fn, arg, site);
	soon__core_close(core);
	soon__interrupt_end(core);
	soon__guard_end();
out_fini:
	soon__overflow_fini(&overflow);
out_release:
	soon__core_release(core);
	soon__log_end_run();
	return rc;
}

int soon__run(const soon_opts *opts, soon__fn fn, uint64_t arg, const soon_site *site)
{
	return soon__run_on(NULL, opts, fn, arg, site);
}
