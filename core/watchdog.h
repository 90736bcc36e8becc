// SPDX-License-Identifier: Apache-2.0
/*
 * watchdog.h: finds steps that take too long, while they run and when they have ended.
 *
 * Two look at the same core. The core itself, which reads the clock at each switch while it is
 * watched, and knows exactly who took how long, but only when it is over. And one thread of the
 * process, which compares two numbers of the core now and then: how many steps are over, and how
 * often the core has slept (`beat`). Who finds both unchanged, and the core awake, often enough,
 * has found a step that still runs, captures its stack and reports.
 *
 * The thread counts its own looks, not time: after a stop of the whole process (a debugger,
 * SIGSTOP) it finds one look, not a long step.
 *
 * When all cores have slept for some looks, it marks their beats and sleeps itself until one of
 * them, waking, finds the mark. So an idle process has no wake-ups, and a busy one never rings.
 *
 * Without SOON_DEBUG_SLOW nothing of this is there: the schedule's look at the time every 16
 * switches becomes one at each, and that is where a step is measured.
 */
#ifndef CORE_WATCHDOG_H
#define CORE_WATCHDOG_H

#include <soon/debug.h>
#include <soon/thread.h>

#include "core/spi/list.h"

#include <pthread.h>
#include <stdatomic.h>

struct soon__slow_step {
	soon_ns took; /* 0: there is none */
	uint64_t task_id;
	const soon_site *site;
	char name[48];
	bool was_caught; /* by the thread, while it ran */
};

/* Part of a core. */
struct soon__watch {
	bool is_on;    /* the core's: it is watched */
	bool is_ready; /* the core's: it may be watched, between begin and end of the loop */
	bool was_blocked;
	soon_ns slow_ns;

	/* The core's, while it is watched. */
	soon_ns step_at;    /* when the present step began */
	soon_ns pass_at;    /* when the present pass began: the last look at I/O ended */
	soon_task *probe;   /* the last one that the last look made ready; NULL: none */
	unsigned steps;     /* in this pass */
	bool has_slow_step; /* in this pass */
	struct soon__slow_step slow;
	soon_slow_stats stats;

	/* Between the core and the thread. */
	_Atomic(uint64_t) beat;   /* turns << 2, and a soon__beat */
	_Atomic(uint64_t) caught; /* the step that the thread has reported, by switch_count */

	/* Under the thread's lock. */
	struct soon__list link;
	pthread_t thread;
	uint64_t seen_beat, seen_switches;
	unsigned seen_count;  /* looks that found these */
	unsigned report_at;   /* looks at which the next report is due */
	unsigned budget_left; /* reports until budget_end */
	soon_ns budget_end;
	uint64_t suppressed; /* not told of yet */
};

enum soon__beat {
	SOON__BEAT_IDLE = 0,      /* the core waits in its poller */
	SOON__BEAT_BUSY = 1,      /* it does not */
	SOON__BEAT_UNWATCHED = 2, /* it waits, and the thread sleeps */
};

void soon__watch_init(soon_core *core);
void soon__watch_fini(soon_core *core);

/* Begins to watch the core, or stops, as its flags say. On its thread, outside any task. */
void soon__watch_follow(soon_core *core);

/* The core's look at its poller, while it is watched. */
int soon__watch_poll(soon_core *core, soon_ns until);

/* From the scheduler, while the core is watched: the current task is about to leave. */
bool soon__watch_step(soon_core *core);

/* Likewise: a pass begins, nothing taken out of the queue yet; and control is back in the loop. */
void soon__watch_pass(soon_core *core);
void soon__watch_pass_done(soon_core *core);

void soon__watch_stats(soon_core *core, soon_slow_stats *ret_stats);

/* In the child of a fork: there is no thread. */
void soon__watch_forget(void);

/* How often the thread has looked; for tests. */
uint64_t soon__watch_looks(void);

#endif
