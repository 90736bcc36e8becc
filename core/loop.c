// SPDX-License-Identifier: Apache-2.0
/*
 * loop.c: what a core's thread does between the passes of its tasks, and when it is done.
 */
#include "core.h"
#include "cpus.h"
#include "deadlock.h"
#include "debug.h"
#include "run.h"
#include "stuck.h"

#include <string.h>
#include <time.h>

enum { POSTS_PER_PASS = 256 };

static const soon_ns TRIM_PERIOD = SOON_S(1);

static void timers_fire(soon_core *core)
{
	soon_ns now = soon__core_now(core);
	struct soon__timer *timer;

	while ((timer = soon__timers_pop_due(&core->timers, now)) != NULL)
		soon__task_timer_fired(SOON_CONTAINER_OF(timer, soon_task, timer), now);
}

/* Whether main has ended and the core has no task left; once it has, that is told to all. */
static bool has_ended(soon_core *core)
{
	if (!core->is_ending) {
		if (core->index > 0 || core->root.live_count > 0)
			return false;
		soon__run_main_ended(core->run);
	}
	return core->root.live_count + core->calls.live_count + core->service.live_count == 0;
}

static bool is_done(soon_core *core)
{
	return has_ended(core) && soon__run_rest(core->run, core);
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

/* Whether only a post or a timer can end the sleep: then it needs no poller. */
static bool can_park(const soon_core *core)
{
	const struct soon__poller_ops *ops = core->poller->ops;

	return !core->clock.read && !core->watch.is_on && ops->is_vacant &&
		ops->is_vacant(core->poller);
}

/* Has the poller wait until something happens; posts ring it, timers bound it. */
static int sleep_until(soon_core *core, soon_ns until)
{
	enum soon__inbox_mark mark = can_park(core) ? SOON__INBOX_PARKED : SOON__INBOX_ASLEEP;
	int rc = 0;

	/* What is to be submitted is, before anything: the kernel may be who is waited for. */
	if (until > 0 && !core->poller->ops->is_due(core->poller) && soon__spin_core(core, until))
		until = 0;
	if (until == 0 || !soon__inbox_prepare_sleep(&core->inbox, mark))
		return core_poll(core, 0);
	soon__cpus_core_sleeps();
	if (mark == SOON__INBOX_PARKED)
		soon__inbox_park(&core->inbox, until);
	else
		rc = core_poll(core, until);
	soon__cpus_core_wakes();
	soon__inbox_awake(&core->inbox, mark);
	return rc;
}

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
	if (soon__run_nag_next(core->run, core) < until)
		until = soon__run_nag_next(core->run, core);
	until = idle_trim(core, until);
	soon__deadlock_sleeps(core);
	rc = sleep_until(core, until);
	soon__deadlock_wakes(core);
	(void)soon__clock_refresh(&core->clock);
	return rc;
}

/*
 * What the kernel owes may never come now. The run ends with this, and all on the core are
 * cancelled; who waits for an operation that does not end is given the grace, and then nothing is
 * left that would be right.
 */
static void poll_failed(soon_core *core, int rc)
{
	static const struct timespec pause = { .tv_nsec = SOON_MS(1) };
	const char *name = core->poller->ops->name;

	if (core->poll_failed_at == 0) {
		core->poll_failed_at = soon__clock_refresh(&core->clock);
		soon_report_file(SOON_REPORT_ERROR, rc, "the poller '%s' of core %u failed: %s",
			name, core->index, strerrordesc_np(-rc));
		soon__run_fail(core, rc, NULL, "the poller '%s' of core %u failed: %s", name,
			core->index, strerrordesc_np(-rc));
		soon__run_cancel_main(core);
		soon__scope_force(core, SOON_CANCEL_SHUTDOWN, "the poller of the core failed");
		return;
	}
	if (soon__clock_refresh(&core->clock) - core->poll_failed_at > core->opts.grace)
		soon_die("soon_run: the poller '%s' of core %u failed for good, and %u tasks wait "
			 "for it: %s",
			name, core->index, core->sched.live_count, strerrordesc_np(-rc));
	if (core->sched.ready_count == 0)
		(void)nanosleep(&pause, NULL); /* it does not wait for us any more */
}

void soon__core_loop(soon_core *core)
{
	int rc = 0;

	soon__debug_begin(core);
	soon__cpus_core_wakes();
	while (!is_done(core)) {
		if (core->sched.ready_count > 0)
			soon__sched_pass(core);
		/* Asked first: that main has ended makes those it left in the background ready. */
		if ((!has_ended(core) || core->is_resting) && core->sched.ready_count == 0 &&
			!soon__inbox_is_due(&core->inbox))
			rc = core_sleep(core);
		else if (core->poller->ops->is_due(core->poller))
			rc = core_poll(core, 0);
		else
			rc = 0;
		if (SOON_UNLIKELY(rc < 0))
			poll_failed(core, rc);
		timers_fire(core);
		if (SOON_UNLIKELY(!soon__list_is_empty(&core->stuck)))
			soon__stuck_check(core);
		if (SOON_UNLIKELY(core->is_resting)) {
			soon__run_nag(core->run, core);
			if (!soon__run_rise(core->run, core))
				continue; /* posts that are left are for the close */
		}
		soon__spin_gather(core);
		soon__spin_gathered(core, soon__inbox_drain(&core->inbox, POSTS_PER_PASS));
	}
	soon__cpus_core_sleeps();
	soon__debug_end(core);
}
