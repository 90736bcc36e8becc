// SPDX-License-Identifier: Apache-2.0
/*
 * sched.h: which task runs next.
 *
 * Ready tasks wait in one FIFO without atomics. A *pass* runs those that were ready at its start,
 * each until it parks, yields or ends; what becomes ready meanwhile runs in the next pass, and
 * I/O, timers and posts are looked at in between. Tasks switch directly to one another. Only when
 * there is something to do between passes, or nothing to run, does control go back to the loop,
 * which runs on the thread's own stack.
 */
#ifndef CORE_SCHED_H
#define CORE_SCHED_H

#include <soon/thread.h>

#include "fiber_san.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct soon__sched {
	soon_task *current; /* NULL while the loop runs */
	soon_task *head;    /* the run queue */
	soon_task **tail;   /* where the next one is linked in */

	/*
	 * The first and the last of these change together and are kept apart: were they adjacent,
	 * the compiler would load both at once, just after one of them was stored, and stall.
	 */
	uint32_t ready_count; /* the queue's length */
	uint32_t slice_left;  /* switches until the slice's clock is looked at */
	uint32_t slice_every; /* of them; 1: steps are timed */
	uint32_t skip_left;   /* passes until the loop is visited whatever happens */
	uint32_t inline_left; /* calls the current task may still finish without parking */
	uint32_t pass_left;   /* how many of the queue still belong to this pass */

	uint32_t live_count;            /* tasks that have not ended */
	uint64_t slice_ticks;           /* time-stamp at the start of the slice */
	_Atomic(uint64_t) switch_count; /* steps that are over; written by the core's thread only */
	void *loop_sp;                  /* the loop's context, while a task runs */
	soon_task *dead; /* ended, to be freed after the switch; sanitizer builds only */
	uint64_t seed;   /* shuffles passes when not 0 */
	struct soon__san loop_san;
};

/* How many steps of tasks are over: who sees the same number twice sees the same step. */
static inline uint64_t soon__sched_switches(const struct soon__sched *sched)
{
	/* Relaxed: a number to compare, which orders nothing. */
	return atomic_load_explicit(&sched->switch_count, memory_order_relaxed);
}

void soon__sched_init(soon_core *core, uint64_t seed);

/* Has each step timed by watchdog.c, or none. */
void soon__sched_time_steps(struct soon__sched *sched, bool is_on);

/* Leaves the current task, which the caller has queued or parked, for the next one. */
void soon__sched_switch(soon_core *core);

/*
 * Leaves the current task, which the caller has parked, for `next`, whose wait has ended but which
 * is in no queue. To the others the two are one task: nobody else runs in between.
 */
void soon__sched_handoff(soon_core *core, soon_task *next);

/* Puts the current task at the end of the queue and lets the others run. */
void soon__sched_yield(soon_core *core);

/*
 * Ends the current task, frees its stack unless its handle keeps it, and returns the context to
 * continue with, for the task's entry to return.
 */
void *soon__sched_exit(soon_core *core);

/* A task's first steps on its own stack: completes the switch that brought it there. */
void soon__sched_arrive(soon_core *core);

/* From the loop: runs one pass of ready tasks, or what is left of one whose slice was over. */
void soon__sched_pass(soon_core *core);

#endif
