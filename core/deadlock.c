// SPDX-License-Identifier: Apache-2.0
#include "deadlock.h"

#include "describe.h"
#include "run.h"
#include "waits.h"
#include "walk.h"

enum { TASKS_NAMED = 16 };

/* How far core->deadlock_step has got. */
enum {
	STEP_NONE,
	STEP_CANCELLED, /* everything that can see a cancel was cancelled */
	STEP_FORCED,    /* and behind shields */
};

/* Whether what happens on this core can end no wait of it: all but what others may send. */
static bool is_still(soon_core *core)
{
	return core->sched.live_count > 0 && core->external_count == 0 &&
		soon__timers_live(&core->timers) == 0 &&
		core->poller->ops->inflight(core->poller) == 0;
}

bool soon__deadlock_is_proven(soon_core *core)
{
	if (!is_still(core))
		return false;
	/* Set before the look at the others, who look at it after they became empty. */
	atomic_store_explicit(&core->is_in_doubt, true, memory_order_seq_cst);
	if (!soon__cores_others_are_empty(core->run, core))
		return false;
	/*
	 * After that look, which acquired what the others' tasks did. Whoever has an address, of
	 * this core or another, may have posted what has not run yet.
	 */
	for (unsigned i = 0; i < soon__run_running(core->run); i++) {
		if (atomic_load_explicit(
			    &soon__run_core(core->run, i)->is_shared, memory_order_relaxed))
			return false;
	}
	return true;
}

void soon__deadlock_sleeps(soon_core *core)
{
	struct soon__run *run = core->run;

	if (core->index == 0 && soon__run_running(run) == 1)
		return;
	/* Set before the look at who doubts, as there: one of the two sees the other. */
	atomic_store_explicit(&core->is_empty, core->sched.live_count == 0, memory_order_seq_cst);
	if (core->sched.live_count > 0)
		return;
	for (unsigned i = 0; i < soon__run_running(run); i++) {
		soon_core *other = soon__run_core(run, i);

		if (other != core &&
			atomic_load_explicit(&other->is_in_doubt, memory_order_seq_cst))
			soon__core_tell(other, &other->look_again);
	}
}

void soon__deadlock_wakes(soon_core *core)
{
	/* Relaxed: a task that it gets comes from one that is there until it has ended here. */
	if (core->index > 0 || soon__run_running(core->run) > 1)
		atomic_store_explicit(&core->is_empty, false, memory_order_relaxed);
	if (SOON_UNLIKELY(atomic_load_explicit(&core->is_in_doubt, memory_order_relaxed)))
		atomic_store_explicit(&core->is_in_doubt, false, memory_order_relaxed);
}

static void report_cycle(const char *line, void *unused)
{
	(void)unused;
	soon_report_file(SOON_REPORT_WARNING, 0, "deadlock: each waits for the next: %s", line);
}

static void report_graph(soon_core *core)
{
	struct soon__walk walk;
	const soon_task *task;
	unsigned named = 0;

	soon_report_file(SOON_REPORT_ERROR, -EDEADLK,
		"deadlock: all %u tasks wait, and no timer, operation or thread is left that could "
		"wake one; everything is cancelled",
		core->sched.live_count);
	soon__waits_each_cycle(core, report_cycle, NULL);
	soon__walk_begin(&walk, core);
	while ((task = soon__walk_next_task(&walk)) != NULL && named++ < TASKS_NAMED) {
		char text[SOON__DESCRIBE_BYTES];

		soon__task_describe(task, text, sizeof text);
		soon_report_file(SOON_REPORT_WARNING, 0, "deadlock: %s", text);
	}
	if (core->sched.live_count > TASKS_NAMED)
		soon_report_file(SOON_REPORT_WARNING, 0, "deadlock: and %u more",
			core->sched.live_count - TASKS_NAMED);
}

void soon__deadlock_break(soon_core *core)
{
	static const char why[] = "the tasks wait for each other";

	switch (core->deadlock_step) {
	case STEP_NONE:
		core->deadlock_step = STEP_CANCELLED;
		report_graph(core);
		soon__run_fail(core, -EDEADLK, NULL, "the tasks of core %u wait for each other",
			core->index);
		if (core->index > 0)
			soon__run_cancel_main(core);
		for (unsigned i = 0; i < SOON__OUTER_COUNT; i++)
			soon__scope_mark(&soon__core_outer(core, i)->scope, SOON__CANCELLED,
				SOON_CANCEL_DEADLOCK, why, NULL);
		return;
	case STEP_CANCELLED:
		core->deadlock_step = STEP_FORCED;
		soon_report_file(SOON_REPORT_ERROR, -EDEADLK,
			"deadlock: tasks still wait behind shields, which are lifted");
		soon__scope_force(core, SOON_CANCEL_DEADLOCK, why);
		return;
	default:
		report_graph(core);
		soon_die("soon_run: %u tasks wait for each other in calls that cannot be "
			 "cancelled",
			core->sched.live_count);
	}
}
