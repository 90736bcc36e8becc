// SPDX-License-Identifier: Apache-2.0
/*
 * supervise.h: tasks that are run again when they end.
 *
 * In a group with the policy SOON_SUPERVISE, a task that fails does not take the others with it.
 * It is called again with the same argument, on the same stack, under the same handle, after a
 * pause that doubles with each failure in a row. Who fails too often within a window of time fails
 * the group: an error that restarts cannot cure goes up to somebody who can.
 *
 *	SOON_GROUP(g, .policy = SOON_SUPERVISE, .restart_backoff = SOON_MS(50));
 *	rc = soon_spawn(&g, poll_sensor, sensor);
 *
 * An `on_exit` decides itself, case by case. A function that is run again has to find its argument
 * as it left it, so the argument stays with whoever owns the group, or is a value.
 */
#ifndef SOON_SUPERVISE_H
#define SOON_SUPERVISE_H

#include <soon/task.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Which ends are an occasion for a restart. A task that was cancelled is never restarted. */
typedef enum soon_restart_rule {
	SOON_RESTART_ON_FAILURE, /* negative results; the default */
	SOON_RESTART_ALWAYS,     /* all results; too many successes fail the group with -EAGAIN */
	SOON_RESTART_NEVER,      /* none: failures are recorded, or told to on_exit */
} soon_restart_rule;

#define SOON_FAILURES_KEPT      8
#define SOON_FAILURE_TEXT_BYTES 160

/* One child's or body's failure, as its group keeps it. */
typedef struct soon_failure {
	int rc;
	soon_ns when;
	const soon_site *site; /* of the spawn; for the body, where the group was opened */
	char task[32];         /* the task's name, cut */
	char message[SOON_FAILURE_TEXT_BYTES]; /* of soon_fail(), or empty */
} soon_failure;

/* What an on_exit sees of the task that ended. */
typedef struct soon_super {
	struct soon_group *group;
	void *data;        /* soon_group_opts.on_exit_data */
	int rc;            /* what the task returned */
	unsigned restarts; /* how often this task has been restarted so far */
	unsigned failures; /* failures of this task in a row, this one included */
	soon_ns ran_for;   /* how long the last run took */
	bool is_cancelled; /* it was cancelled: told for information, a restart is not possible */
} soon_super;

/* What an on_exit returns: one of these, or a negative errno that fails the group. */
typedef int64_t soon_decision;
#define SOON_RESTART           ((soon_decision)0) /* after the group's back-off */
#define SOON_RESTART_AFTER(ns) soon__restart_after(ns)
#define SOON_DROP              INT64_MAX /* let it be: the failure is dealt with */

/* Any pause is a pause: a negative one is none, one without end is not SOON_DROP. */
static inline soon_decision soon__restart_after(soon_ns pause)
{
	if (pause < 0)
		return 1;
	return pause < SOON_DROP - 1 ? pause + 1 : SOON_DROP - 1;
}

/*
 * Decides about a task of a supervised group that ended. Called on the task's own stack, so it
 * may suspend; in the group's scope. `why` is NULL when the task did not fail (only with
 * SOON_RESTART_ALWAYS).
 */
typedef soon_decision (*soon_on_exit_fn)(soon_super *super, const soon_failure *SOON_NULLABLE why);

#ifdef __cplusplus
}
#endif

#endif
