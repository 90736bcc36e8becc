// SPDX-License-Identifier: Apache-2.0
/*
 * supervise.c: running a task again.
 *
 * A restart is a loop around the function, on the same stack and in the same record: it needs no
 * memory, cannot be refused, and the task's handle, name and place in the group stay what they
 * are. What the task's end has to leave in order is checked after every run.
 */
#include <soon/mem.h>
#include <soon/supervise.h>

#include "core.h"
#include "switch.h"

#include <stdio.h>
#include <string.h>

enum {
	RESTARTS_MAX_DEFAULT = 5,
	RESTARTS_MAX_MAX = 1000,
	MESSAGE_BYTES = 160,
};

static const soon_ns WINDOW_DEFAULT = SOON_S(10);
static const soon_ns BACKOFF_DEFAULT = SOON_MS(100);
static const soon_ns BACKOFF_MAX_DEFAULT = SOON_S(10);

/* When the group's last restarts were: a ring of as many as the window may hold. */
struct soon__restarts {
	uint32_t next; /* the oldest one, once the ring is full */
	uint32_t count;
	soon_ns at[];
};

/* What is kept from one run of a task to the next, in its first frame. */
struct history {
	unsigned restarts;
	unsigned failures; /* in a row */
	soon_ns started_at;
};

void soon__supervise_opts(struct soon__group *group, const soon_group_opts *opts)
{
	struct soon__group_extras *extras = soon__group_extras(group);

	if (opts->restarts_max > RESTARTS_MAX_MAX)
		soon_die("SOON_GROUP: restarts_max of group '%s' is over %d", group->name,
			RESTARTS_MAX_MAX);
	extras->on_exit = opts->on_exit;
	extras->on_exit_data = opts->on_exit_data;
	extras->rule = (uint8_t)opts->restart;
	extras->restarts_max = opts->restarts_max ? opts->restarts_max : RESTARTS_MAX_DEFAULT;
	extras->window = opts->restart_window ? opts->restart_window : WINDOW_DEFAULT;
	extras->backoff = opts->restart_backoff ? opts->restart_backoff : BACKOFF_DEFAULT;
	if (extras->backoff < 0)
		extras->backoff = 0;
	extras->backoff_max = opts->restart_backoff_max;
	if (extras->backoff_max == 0)
		extras->backoff_max = extras->backoff > BACKOFF_MAX_DEFAULT ? extras->backoff
									    : BACKOFF_MAX_DEFAULT;
}

/* The pause before a restart: doubled with each failure in a row. */
static soon_ns backoff_of(const struct soon__group_extras *extras, unsigned failures)
{
	soon_ns pause = extras->backoff;

	for (unsigned i = 1; i < failures && pause < extras->backoff_max; i++)
		pause = pause > extras->backoff_max / 2 ? extras->backoff_max : pause * 2;
	return pause < extras->backoff_max ? pause : extras->backoff_max;
}

/* Counts a restart: 0; -EAGAIN when the window holds as many as it may; -ENOMEM. */
static int count_restart(struct soon__group *group)
{
	struct soon__group_extras *extras = &group->extras;
	struct soon__restarts *ring = extras->restarts;
	soon_ns now = soon__core_now(group->core);

	if (!ring) {
		ring = soon_zalloc(sizeof *ring + extras->restarts_max * sizeof ring->at[0]);
		if (!ring)
			return -ENOMEM;
		extras->restarts = ring;
	}
	if (ring->count == extras->restarts_max && now - ring->at[ring->next] < extras->window)
		return -EAGAIN;
	ring->at[ring->next] = now;
	ring->next = (ring->next + 1) % extras->restarts_max;
	if (ring->count < extras->restarts_max)
		ring->count++;
	return 0;
}

static void fill_failure(soon_failure *failure, const soon_task *task, int rc)
{
	const char *message = soon__task_message(task, rc);

	*failure = (soon_failure){ .rc = rc, .site = task->site };
	failure->when = soon__core_now(task->core);
	(void)strncat(failure->task, task->name, sizeof failure->task - 1);
	if (message)
		(void)strncat(failure->message, message, sizeof failure->message - 1);
}

/* What the rule says, or the group's on_exit. */
static soon_decision decide(soon_task *task, struct history *history, int rc, bool is_cancelled)
{
	struct soon__group *group = task->group;
	const struct soon__group_extras *extras = &group->extras;
	soon_super super = { .group = (soon_group *)(void *)group };
	soon_failure failure;

	if (!extras->on_exit)
		return is_cancelled ? SOON_DROP : SOON_RESTART;
	super.data = extras->on_exit_data;
	super.rc = rc;
	super.restarts = history->restarts;
	super.failures = history->failures;
	super.ran_for = soon__core_now(task->core) - history->started_at;
	super.is_cancelled = is_cancelled;
	if (rc < 0)
		fill_failure(&failure, task, rc);
	return extras->on_exit(&super, rc < 0 ? &failure : NULL);
}

/* The failure cannot be cured by restarting: it becomes the group's. */
static void give_up(soon_task *task, int rc, int why)
{
	const struct soon__group_extras *extras = &task->group->extras;
	char message[MESSAGE_BYTES];

	if (why == -EAGAIN)
		(void)snprintf(message, sizeof message, "%u restarts within %lld ms: %s",
			extras->restarts_max, (long long)(extras->window / SOON_MS(1)),
			soon__task_message(task, rc) ? soon__task_message(task, rc) : "given up");
	else
		(void)snprintf(message, sizeof message, "no memory to count its restarts");
	task->is_recorded = true;
	soon__group_fail(task->group, task, rc < 0 ? rc : why, message);
}

/* Waits before the next run. A drain ends the wait: who is pausing has no work in progress. */
static int pause_for(soon_task *task, const struct history *history, int rc, soon_ns pause)
	SOON_SUSPENDS
{
	int wait_rc = 0;

	soon_report_file(SOON_REPORT_WARNING, rc < 0 ? rc : 0,
		"task '%s', spawned at %s:%d, %s%s%s; restart %u in %lld ms", task->name,
		task->site->file, task->site->line, rc < 0 ? "failed" : "ended",
		soon__task_message(task, rc) ? ": " : "",
		soon__task_message(task, rc) ? soon__task_message(task, rc) : "",
		history->restarts + 1, (long long)(pause / SOON_MS(1)));
	SOON_IDLE {
		wait_rc = soon_sleep(pause);
	}
	return wait_rc;
}

/* Whether the end of a run is one that the rule or the on_exit has to do with. */
static bool is_occasion(const struct soon__group_extras *extras, int rc)
{
	return rc < 0 ? extras->rule != SOON_RESTART_NEVER || extras->on_exit
		      : extras->rule == SOON_RESTART_ALWAYS;
}

/*
 * After a run that gave `rc`: true when there is to be another one. Otherwise what has to be
 * recorded is recorded, or left to the end of the task.
 */
static bool goes_on(soon_task *task, struct history *history, int *rc) SOON_SUSPENDS
{
	const struct soon__group_extras *extras = &task->group->extras;
	bool is_cancelled = soon__task_base(task)->state != 0;
	soon_decision verdict;
	soon_ns pause;
	int counted;

	if (*rc >= 0 || soon__core_now(task->core) - history->started_at >= extras->window)
		history->failures = 0;
	history->failures += *rc < 0;
	if (!is_occasion(extras, *rc))
		return false;
	verdict = decide(task, history, *rc, is_cancelled);
	if (verdict < 0) {
		task->is_recorded = true;
		soon__group_fail(task->group, task, (int)verdict, soon__task_message(task, *rc));
		return false;
	}
	if (is_cancelled)
		return false;
	if (verdict == SOON_DROP || extras->rule == SOON_RESTART_NEVER) {
		task->is_excused = extras->on_exit != NULL;
		return false;
	}
	pause = verdict == SOON_RESTART ? backoff_of(extras, history->failures) : verdict - 1;
	counted = count_restart(task->group);
	if (counted < 0) {
		give_up(task, *rc, counted);
		return false;
	}
	if (pause_for(task, history, *rc, pause) < 0) {
		*rc = -ECANCELED; /* the end of the group, or of the task, came first */
		return false;
	}
	history->restarts++;
	return true;
}

int soon__supervise(soon_task *task, int rc)
{
	struct history history = { .started_at = task->born_at };

	while (goes_on(task, &history, &rc)) {
		history.started_at = soon__core_now(task->core);
		task->is_ready_said = false; /* what it says again, nobody waits for */
		soon__task_drop_message(task);
		rc = soon__call_word(task->fn, task->arg);
		soon__task_returned(task);
	}
	return rc;
}
