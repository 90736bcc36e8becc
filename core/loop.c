// SPDX-License-Identifier: Apache-2.0
/*
 * loop.c: what a core's thread does between the passes of its tasks, and when it is done.
 */
#include "core.h"
#include "deadlock.h"
#include "debug.h"
#include "run.h"
#include "stuck.h"

enum { POSTS_PER_PASS = 256 };

static const soon_ns TRIM_PERIOD = SOON_S(1);

static void timers_fire(soon_core *core)
{
	soon_ns now = soon__core_now(core);
	struct soon__timer *timer;

	while ((timer = soon__timers_pop_due(&core->timers, now)) != NULL)
		soon__task_timer_fired(SOON_CONTAINER_OF(timer, soon_task, timer), now);
}

static bool is_done(soon_core *core)
{
	struct soon__run *run = core->run;

	if (core->root.live_count > 0)
		return false;
	if (!run->has_main_ended)
		soon__run_main_ended(run, core);
	return core->calls.live_count == 0 && core->service.live_count == 0;
}

/*
 * Idle for now: gives back the stacks that a burst left behind. Looks again one period later for
 * what was still warm, then sleeps without a wake-up.
 */
static soon_ns idle_trim(soon_core *core, soon_ns until)
{
	soon_ns now;

	if (!soon__stacks_can_trim(&core->stacks))
		return until;
	now = soon__core_now(core);
	if (now - core->trimmed_at >= TRIM_PERIOD) {
		core->trimmed_at = now;
		soon__stacks_trim(&core->stacks);
		if (!soon__stacks_can_trim(&core->stacks))
			return until;
	}
	return until < core->trimmed_at + TRIM_PERIOD ? until : core->trimmed_at + TRIM_PERIOD;
}

static int core_poll(soon_core *core, soon_ns until)
{
	if (SOON_UNLIKELY(core->watch.is_on))
		return soon__watch_poll(core, until);
	return core->poller->ops->poll(core->poller, until);
}

/* Has the poller wait until something happens; posts ring it, timers bound it. */
static int core_sleep(soon_core *core)
{
	soon_ns until = soon__timers_next(&core->timers);
	int rc;

	if (SOON_UNLIKELY(until == SOON_NEVER) && soon__deadlock_is_proven(core) &&
		!soon__inbox_is_due(&core->inbox)) {
		soon__deadlock_break(core);
		return 0;
	}
	if (soon__stuck_next(core) < until)
		until = soon__stuck_next(core);
	until = idle_trim(core, until);
	if (!soon__inbox_prepare_sleep(&core->inbox))
		until = 0; /* something was posted meanwhile */
	rc = core_poll(core, until);
	soon__inbox_awake(&core->inbox);
	(void)soon__clock_refresh(&core->clock);
	return rc;
}

int soon__core_loop(soon_core *core)
{
	int rc = 0;

	soon__debug_begin(core);
	while (!is_done(core)) {
		if (core->sched.ready_count > 0)
			soon__sched_pass(core);
		/* Asked first: that main has ended makes those it left in the background ready. */
		if (!is_done(core) && core->sched.ready_count == 0 &&
			!soon__inbox_is_due(&core->inbox))
			rc = core_sleep(core);
		else if (core->poller->ops->is_due(core->poller))
			rc = core_poll(core, 0);
		if (rc < 0)
			break;
		timers_fire(core);
		if (SOON_UNLIKELY(!soon__list_is_empty(&core->stuck)))
			soon__stuck_check(core);
		(void)soon__inbox_drain(&core->inbox, POSTS_PER_PASS);
	}
	soon__debug_end(core);
	return rc < 0 ? rc : 0;
}
