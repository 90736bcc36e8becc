// SPDX-License-Identifier: Apache-2.0
/*
 * core.h: one scheduler with its thread, poller, timers, inbox and stacks.
 *
 * All of a core belongs to its thread, except for the inbox and what is marked otherwise. Cores
 * are never freed, only reused, so that a stale pointer in a foreign thread meets a closed inbox.
 */
#ifndef CORE_CORE_H
#define CORE_CORE_H

#include <soon/thread.h>

#include "core/spi/poller.h"

#include "clock.h"
#include "inbox.h"
#include "offload.h"
#include "sched.h"
#include "spin.h"
#include "stack.h"
#include "task.h"
#include "token.h"
#include "watchdog.h"

#include <stdatomic.h>

struct soon__run;

struct soon_core {
	struct soon__sched sched; /* first: the hottest */
	struct soon__poller *poller;
	struct soon__clock clock;
	struct soon__inbox inbox; /* any thread */
	struct soon__spin spin;
	struct soon__timers timers;
	struct soon__stacks stacks;
	struct soon__tokens tokens; /* across runs */
	struct soon__lane *lanes;   /* into the pools that it has used in this run; see pool.h */

	/* The outermost groups: see soon__core_outer(). */
	struct soon__group root;    /* the main task's */
	struct soon__group calls;   /* of tasks that somebody elsewhere asked for, and judges */
	struct soon__group service; /* soon_background's */

	struct soon__run *run; /* that it is a core of; undefined between two runs */
	unsigned index;        /* in the run; 0: of the thread that called soon_run */
	soon_opts opts;        /* of the run */
	soon_ns trimmed_at;
	struct soon__list stuck; /* cancelled groups that somebody waits for: see stuck.h */
	soon_core *next_core;    /* in the list of all cores */
	soon_core *next_free;    /* in the list of cores that no run uses */
	uint64_t live_run; /* run_id while the run goes on, then 0; under the lock of the lists */
	uint64_t run_id;   /* of the process's runs, from 1: what outlives a run tells them apart */
	uint64_t tasks_made;         /* the last task's id */
	unsigned locals_count;       /* tasks that have task-locals */
	unsigned gens_left;          /* generators that a task left open and the run closed */
	uint64_t lot;                /* state of the draws among ready cases of a select */
	unsigned external_count;     /* parked waits that another thread may end */
	uint32_t searches;           /* of waits.c, two numbers each */
	bool is_searching;           /* one is under way */
	struct soon__dumper *dumper; /* the memory of soon_dump(), for good */
	bool is_dumpable;            /* from the first task to the last; for signal handlers */
	uint8_t deadlock_step;       /* see deadlock.c; 0: none was found */
	bool is_left_behind;         /* in a forked child: it runs in the parent, and not here */
	_Atomic(struct soon__log_ring *) log; /* for good, once something was logged */
	/* Debugging. */
	_Atomic(unsigned) debug;     /* enum soon_debug_flags; any thread */
	soon_callback debug_changed; /* posted when `debug` is, for what has to follow it */
	struct soon__watch watch;

	soon_ns poll_failed_at; /* when the poller first failed; 0: it has not */

	/* The end, see run.h. */
	bool is_ending;         /* main has ended */
	bool is_resting;        /* not counted as busy */
	bool is_given_up;       /* others could not be started: it goes as it came */
	soon_ns end_dump_at;    /* no dump of what keeps the end waiting before: see stuck.c */
	_Atomic(uint8_t) stage; /* enum soon__stage; for others to tell */

	/* For the proof of a deadlock, see deadlock.c; written by any core of the run. */
	atomic_bool is_shared;    /* its address was given out: whoever has it may post */
	atomic_bool is_empty;     /* it sleeps without a task */
	atomic_bool is_in_doubt;  /* it sleeps, deadlocked unless another core has a task */
	soon_callback look_again; /* to it: one of the others became empty */
};

/* The calling thread's core, NULL if it runs none. */
extern _Thread_local soon_core *soon__core __attribute__((tls_model("initial-exec")));

/* core.c */

/* Takes a free core, or makes one, and gives it the number of a new run; NULL: no memory. */
soon_core *soon__core_acquire(void);
void soon__core_release(soon_core *core);

/* Begins and ends the calling thread's part in a run; nothing is left of one that failed. */
int soon__core_open(soon_core *core, struct soon__run *run, unsigned index);

/* The order of the end: posts are refused, accepted ones run, threads and the kernel let go. */
void soon__core_close(soon_core *core);

/* loop.c */

/* Runs tasks until none is left on any core of the run. */
void soon__core_loop(soon_core *core);

/* Whether that run goes on, on whatever thread. Affinity: any; takes a lock. */
bool soon__run_is_live(uint64_t run_id);

/* Shows each core whose run goes on, under the lock of the lists. Affinity: any. */
void soon__cores_each(void (*fn)(soon_core *core, void *data), void *data);

/* The core on one of whose stacks `addr` lies; NULL if there is none. */
soon_core *soon__core_around(const void *addr);

/* The groups that no task opened, in the order in which they are shown. */
enum { SOON__OUTER_COUNT = 3 };

static inline struct soon__group *soon__core_outer(soon_core *core, unsigned index)
{
	SOON_ASSERT(index < SOON__OUTER_COUNT);
	return index == 0 ? &core->root : index == 1 ? &core->calls : &core->service;
}

/* Posts what a core that is closed, or about to be, need not hear. */
static inline void soon__core_tell(soon_core *core, soon_callback *callback)
{
	int rc = soon_post(core, callback);

	(void)rc;
}

/* Its address is given out. */
static inline void soon__core_share(soon_core *core)
{
	/* Relaxed: whoever has it posts later, and that is what orders. See deadlock.c. */
	if (!atomic_load_explicit(&core->is_shared, memory_order_relaxed))
		atomic_store_explicit(&core->is_shared, true, memory_order_relaxed);
}

static inline soon_task *soon__task_self(void)
{
	return soon__core ? soon__core->sched.current : NULL;
}

/* Whether an open scope, or one that its function has just closed, is of the caller's core. */
static inline bool soon__scope_is_here(const struct soon__scope *scope, const char *func)
{
	if (SOON_LIKELY(!scope->task || scope->task->core == soon__core))
		return true;
	(void)soon__scope_refuse(scope, func);
	return false;
}

/* Puts a task at the end of the run queue. */
static inline void soon__sched_ready(soon_core *core, soon_task *task)
{
	struct soon__sched *sched = &core->sched;

	SOON_ASSERT(task->core == core);
	task->state = SOON__TASK_READY;
	task->next = NULL;
	*sched->tail = task;
	sched->tail = &task->next;
	sched->ready_count++;
}

static inline soon_ns soon__core_now(soon_core *core)
{
	return soon__clock_now(&core->clock);
}

/* Whether any of `flags`, enum soon_debug_flags, is debugged. */
static inline bool soon__core_debugs(const soon_core *core, unsigned flags)
{
	/* Relaxed: each flag stands for itself. */
	return (atomic_load_explicit(&core->debug, memory_order_relaxed) & flags) != 0;
}

/* The point in time that is `timeout` away; SOON_NEVER for that and for what is beyond it. */
static inline soon_ns soon__core_deadline(soon_core *core, soon_ns timeout)
{
	soon_ns now;

	if (timeout == SOON_NEVER)
		return SOON_NEVER;
	now = soon__core_now(core);
	return timeout > SOON_NEVER - now ? SOON_NEVER : now + timeout;
}

#endif
