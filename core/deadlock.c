// SPDX-License-Identifier: Apache-2.0
#include "deadlock.h"

#include "describe.h"

#include <stdio.h>
#include <string.h>

enum {
	TASKS_NAMED = 16,
	CYCLE_BYTES = 400,
};

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

static const soon_task *holder_of(const soon_task *task)
{
	const struct soon__wait *wait = task->wait;

	if (task->advanced)
		return task->advanced;
	return wait && wait->holder ? wait->holder(wait) : NULL;
}

/* Follows who holds up whom from `task` on; whether that leads back to it. */
static bool is_in_cycle(const soon_task *task, unsigned task_count)
{
	const soon_task *next = holder_of(task);

	for (unsigned i = 0; next && next != task && i < task_count; i++)
		next = holder_of(next);
	return next == task;
}

/* Writes "'a' #1 -> 'b' #2 -> 'a' #1", cut where it gets too long. */
static void write_cycle(const soon_task *task, char *text, size_t size)
{
	const soon_task *next = task;
	size_t len = 0;

	do {
		int n = snprintf(text + len, size - len, "'%s' #%llu -> ", next->name,
			(unsigned long long)next->id);

		if (n < 0 || (size_t)n >= size - len)
			return;
		len += (size_t)n;
		next = holder_of(next);
	} while (next != task);
	(void)snprintf(
		text + len, size - len, "'%s' #%llu", task->name, (unsigned long long)task->id);
}

/* One report per task, the first cycle once. */
struct graph {
	unsigned named;
	unsigned task_count;
	bool has_cycle;
};

static void report_task(soon_task *task, void *data)
{
	struct graph *graph = data;
	char text[CYCLE_BYTES];

	if (!graph->has_cycle && is_in_cycle(task, graph->task_count)) {
		graph->has_cycle = true;
		write_cycle(task, text, sizeof text);
		soon_report_file(
			SOON_REPORT_WARNING, 0, "deadlock: each waits for the next: %s", text);
	}
	if (graph->named++ >= TASKS_NAMED)
		return;
	soon__task_describe(task, text, sizeof text);
	soon_report_file(SOON_REPORT_WARNING, 0, "deadlock: %s", text);
}

static void report_graph(soon_core *core)
{
	struct graph graph = { .task_count = core->sched.live_count };

	soon_report_file(SOON_REPORT_ERROR, -EDEADLK,
		"deadlock: all %u tasks wait, and no timer, operation or thread is left that could "
		"wake one; everything is cancelled",
		core->sched.live_count);
	soon__tasks_visit(core, report_task, &graph);
}

void soon__deadlock_break(soon_core *core)
{
	static const char why[] = "the tasks wait for each other";

	switch (core->deadlock_step) {
	case STEP_NONE:
		core->deadlock_step = STEP_CANCELLED;
		report_graph(core);
		soon__scope_mark(
			&core->root.scope, SOON__CANCELLED, SOON_CANCEL_DEADLOCK, why, NULL);
		soon__scope_mark(
			&core->service.scope, SOON__CANCELLED, SOON_CANCEL_DEADLOCK, why, NULL);
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
