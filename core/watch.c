// SPDX-License-Identifier: Apache-2.0
/* What the test kit sees of a core. */
#include "core/spi/watch.h"

#include "core.h"
#include "gen.h"
#include "walk.h"

void soon__watch_tasks(soon__live_fn *fn, void *data)
{
	const soon_core *core = soon__core;
	struct soon__walk walk;
	const soon_task *task;

	SOON_ASSERT(core);
	soon__walk_begin(&walk, core);
	while ((task = soon__walk_next_task(&walk)) != NULL) {
		/* Generators have a count of their own. */
		if (task == core->sched.current || soon__gen_of(task))
			continue;
		fn(
			&(struct soon__live_task){
				.name = task->name,
				.site = task->site,
				.what = task->wait ? task->wait->what : NULL,
				.timer_at = task->armed_at,
			},
			data);
	}
}

size_t soon__watch_timers(void)
{
	SOON_ASSERT(soon__core);
	return soon__timers_live(&soon__core->timers);
}

unsigned soon__watch_generators_left(void)
{
	SOON_ASSERT(soon__core);
	return soon__core->gens_left;
}

bool soon__watch_has_work(void)
{
	SOON_ASSERT(soon__core);
	return soon__core->sched.ready_count > 0 || soon__inbox_is_due(&soon__core->inbox);
}

unsigned soon__watch_external(void)
{
	SOON_ASSERT(soon__core);
	return soon__core->external_count;
}

uint64_t soon__watch_switches(void)
{
	SOON_ASSERT(soon__core);
	return soon__sched_switches(&soon__core->sched);
}
