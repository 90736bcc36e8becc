// SPDX-License-Identifier: Apache-2.0
/*
 * debug.h: what can be watched in a run at some cost, and the switches for it.
 *
 * Everything here is off unless it is asked for: by the environment, SOON_DEBUG=1 or a list of
 * words such as SOON_DEBUG=slow,leaks; by soon_opts.debug, where 1 is all of SOON_DEBUG_ON and -1
 * is nothing whatever the environment says; or while a run goes on, by soon_set_debug().
 *
 *	stacks   tasks remember from where they were spawned, for reports and dumps; see dump.h
 *	threads  a report of a call from a wrong thread says by which calls it came there
 *	slow     a step of a task that takes long is reported, with its stack, while it runs
 *	leaks    what is still open at the end of the run is reported, with where it was opened
 *	abort    every report of level ERROR ends the process; 1 does not include it
 *
 * A *step* is what a task does between two calls that suspend; for that long nobody else on its
 * core runs. Who is off by soon_opts.slow_step or more is found by a thread of the process while
 * the step goes on, so that what hangs for good is told, too; it is told again at ten times that,
 * and so on. It captures the stack with SIGURG, unless the program handles that itself. A core
 * files at most SOON_SLOW_REPORTS_MAX such reports a minute, and counts the others. Time in which
 * the whole process was stopped does not count. That wrong threads are refused does not depend on
 * any of this.
 */
#ifndef SOON_DEBUG_H
#define SOON_DEBUG_H

#include <soon/base.h>

#ifdef __cplusplus
extern "C" {
#endif

enum soon_debug_flags {
	SOON_DEBUG_STACKS = 1u << 0,
	SOON_DEBUG_THREADS = 1u << 1,
	SOON_DEBUG_SLOW = 1u << 2,
	SOON_DEBUG_LEAKS = 1u << 3,
	SOON_DEBUG_ABORT = 1u << 4,
	SOON_DEBUG_ON = (1u << 4) - 1, /* all but SOON_DEBUG_ABORT */
};

#define SOON_SLOW_REPORTS_MAX 5 /* of one core in a minute */

/*
 * Sets what is debugged in every run of the process that goes on; those that begin later look at
 * their own options and the environment again. Each core follows before it next runs posts.
 * Affinity: any; not signal-safe. Suspends: never. Errors: -EINVAL unknown flags, nothing is set.
 */
SOON_API SOON_NODISCARD int soon_set_debug(unsigned flags) SOON_ANY_THREAD;

/* Returns what is debugged on the calling thread's core; 0 on a thread that runs none. */
SOON_API unsigned soon_debug(void) SOON_ANY_THREAD;

/* Something of the program's that is to be gone before the run ends. */
typedef struct soon_tracked soon_tracked;

/*
 * Has the leak report of a run that debugs leaks tell of the text, with the calls that led here,
 * unless soon_untrack() comes before. For what no other call here would tell of: a descriptor has
 * soon_fd_track().
 * Affinity: any; tracks on cores only. Suspends: never.
 * Returns: NULL when nothing is tracked: leaks are not debugged, or there is no memory for it.
 * Limits: SOON_TRACKED_BYTES of text, cut beyond.
 */
SOON_API soon_tracked *soon_track(const char *fmt, ...) SOON_ANY_THREAD SOON_PRINTF(1, 2);

#define SOON_TRACKED_BYTES 96

/* It is gone. Affinity: any. Suspends: never. Null: `tracked` for one that was not tracked. */
SOON_API void soon_untrack(soon_tracked *SOON_NULLABLE tracked) SOON_ANY_THREAD;

/* How long something took, each time that it happened. */
typedef struct soon_latency {
	uint64_t count;
	soon_ns max;
	/* buckets[i]: how many took less than 2^i microseconds and belong to none before; the last
	 * one has all the longer ones, too. */
	uint64_t buckets[24];
} soon_latency;

typedef struct soon_slow_stats {
	soon_latency steps;    /* of tasks */
	soon_latency passes;   /* from one look at timers, posts and I/O to the next */
	soon_latency overruns; /* by which a wait of the core took longer than it was to */
	soon_latency
		resumes;     /* from a completion to its task's next step: the last of each batch */
	uint64_t reported;   /* slow steps, passes and waits that were reported */
	uint64_t suppressed; /* and that were not, because there were too many */
} soon_slow_stats;

/*
 * Reads what was measured on the core while SOON_DEBUG_SLOW was set.
 * Affinity: core. Suspends: never. Errors: -EPERM this thread runs no core.
 */
SOON_API SOON_NODISCARD int soon_slow_stats_get(soon_slow_stats *ret_stats) SOON_ON_CORE;

SOON_API void soon__guard_pause(void) SOON_ANY_THREAD;
SOON_API void soon__guard_resume(void) SOON_ANY_THREAD;

/*
 * Evaluates `expr`, which calls something that blocks and is meant to: libsoon-guard, the library
 * that reports such calls, leaves it alone. `expr` may not suspend.
 */
#define soon_unguarded(expr)                                                                       \
	__extension__({                                                                            \
		soon__guard_pause();                                                               \
		__typeof__(expr) soon__value = (expr);                                             \
		soon__guard_resume();                                                              \
		soon__value;                                                                       \
	})

#ifdef __cplusplus
}
#endif

#endif
