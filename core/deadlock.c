// SPDX-License-Identifier: Apache-2.0
#include "deadlock.h"

#include "describe.h"
#include "waits.h"
#include "walk.h"

enum { TASKS_NAMED = 16 };

/* How far core->deadlock_step has got. */
enum {
	STEP_NONE,
	STEP_CANCELLED, /* everything that can see a cancel was cancelled */
	STEP_FORCED,    /* and behind shields */
};

bool soon__deadlock_is_proven(soon_core *core)
{
	return core->sched.live_count > 0 && core->external_count == 0 && !core->is_shared &&
		soon__timers_live(&core->timers) == 0 &&
		core->poller->ops->inflight(core->poller) == 0;
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
