// SPDX-License-Identifier: Apache-2.0
/*
 * task.h: the record of a task. Those of the scopes and groups around it are in group.h.
 */
#ifndef CORE_TASK_H
#define CORE_TASK_H

#include <soon/assert.h>

#include "core/spi/park.h"

#include "fiber_san.h"
#include "group.h"
#include "timer.h"

enum soon__task_state {
	SOON__TASK_READY,   /* in the run queue */
	SOON__TASK_RUNNING, /* core->current */
	SOON__TASK_PARKED,  /* task->wait says for what */
	SOON__TASK_ENDED,   /* its stack is free, or kept for its handle */
};

/* To be called when a task ends; lies with whoever wants to know. */
struct soon__end_hook {
	struct soon__list link; /* in task->end_hooks */
	void (*ended)(struct soon__end_hook *hook, soon_task *task);
};

struct soon__start;

/* Read-write locks that a task may read at once. */
enum { SOON__READS_MAX = 8 };

/* Lies on top of the task's stack. */
struct soon_task {
	/* What every switch and every suspending call touches: one cache line. */
	void *sp;                  /* while not running */
	struct soon_task *next;    /* in the run queue */
	struct soon__scope *scope; /* innermost */
	soon_core *core;           /* for life: tasks never migrate */
	struct soon__wait *wait;   /* while parked */
	soon_ns armed_at;          /* when `timer` fires; SOON_NEVER while it is not armed */
	soon_ns wake_at;           /* end of a sleep; SOON_NEVER when not sleeping */
	uint8_t state;             /* enum soon__task_state */
	uint8_t mask;              /* SOON__CANCELLED, and SOON__DRAINING inside SOON_IDLE */
	uint16_t idle_depth;
	uint8_t stack_class;
	bool has_handle;       /* the record outlives the task, until the group is closed */
	uint8_t ignored_count; /* calls in `ignored` that failed because it is cancelled */

	/*
	 * From `detail` to `is_excused`: what begins as zero, and is cleared as one piece. That is
	 * a cache line; one field more made a spawn 5 to 10 % slower.
	 */
	char *detail;                /* of soon_fail, allocated; NULL for none */
	struct soon__start *start;   /* the soon_start that made it; NULL for none */
	soon_task *advanced;         /* the generator's task this one waits for in soon_next */
	struct soon_gen *gens;       /* generators it opened and has not closed, newest first */
	struct soon__locals *locals; /* task-locals; NULL for none */
	struct soon__origin *origin; /* of the spawn; NULL unless stacks are debugged */
	uint32_t seen;               /* by which search of waits.c, 0: none */
	uint16_t locks_held;         /* mutexes and the like, which somebody else may wait for */
	uint16_t frame_loans;        /* tokens it has whose loans are on its own stack */
	uint8_t reads_count;         /* of `reads` */
	bool has_self;               /* `self` is the outermost of its scopes */
	bool is_rc_read;             /* somebody joined it */
	bool is_ready_said;          /* soon_ready was called */
	bool is_recorded;            /* its group has its failure already; who watches it has not */
	bool is_excused;             /* its failure was dealt with, by an on_exit */

	/* Life. */
	const struct soon__scope *ignored; /* undefined while ignored_count is 0 */
	struct soon__list sibling;         /* in group->children, or in ->kept */
	struct soon__group *group;
	soon__fn fn;
	uint64_t arg;
	const soon_site *site;
	const char *name;
	struct soon_task *work;      /* link of the work list that spreads a cancel */
	struct soon__list end_hooks; /* struct soon__end_hook: joins and watches */
	struct soon__scope self;     /* of soon_task_cancel; valid while has_self */
	soon_ns born_at;             /* the core's last reading of the clock at the spawn */
	soon_ns aborted_at; /* when its wait was asked to end; undefined unless wait->is_aborted */
	struct soon__timer timer; /* one for all deadlines and the sleep of the task */
	char *stack_low;
	const void *reads[SOON__READS_MAX]; /* the read-write locks it reads, reads_count of them */
	uint64_t id; /* counted from 1 in each run: tells a task from a later one in its place */
	uint32_t stack_index;
	bool has_ended_cancelled; /* -ECANCELED, and it was meant to */
	int rc;                   /* once ended */
	int detail_rc;            /* the failure that `detail` is about */
	soon_task *seen_from;     /* the tasks before and after it on the path of that search */
	soon_task *seen_next;
	struct soon__job *reentered; /* whose function it runs for a pool's thread; NULL: none */
	struct soon__san san;
};

/* What the record takes of the top of its stack. */
#define SOON__RECORD_BYTES ((sizeof(soon_task) + 63) & ~(size_t)63)

/* What soon_fail() noted about this failure; what it noted about another one is of no use here. */
static inline const char *soon__task_message(const soon_task *task, int rc)
{
	return task->detail && task->detail_rc == rc ? task->detail : NULL;
}

/* The outermost scope that is the task's business: what it must be back in when it returns. */
static inline struct soon__scope *soon__task_base(soon_task *task)
{
	return task->has_self ? &task->self : &task->group->scope;
}

static inline bool soon__task_is_cancelled(const soon_task *task)
{
	return (task->scope->state & task->mask) != 0;
}

/* scope.c */

/* Initialises a scope that has no task: one of the core's outermost groups. */
void soon__scope_init(struct soon__scope *scope, soon_task *task, struct soon__scope *parent);

/* Links a prepared scope in as the innermost one of its task; NULL site in expression forms. */
void soon__scope_push(struct soon__scope *scope, soon_ns deadline, const soon_site *site);

/* Unlinks the innermost scope; aborts when `scope` is not that. */
void soon__scope_pop(struct soon__scope *scope, const char *func);

/* Sets bits on a scope and tells everyone below that can see it. */
void soon__scope_mark(struct soon__scope *scope, uint8_t bits, soon_cancel_source source,
	const char *why, const soon_site *site);

/* Reports that `scope`, which has a task, is not of the calling thread's core. Returns -EPERM. */
int soon__scope_refuse(const struct soon__scope *scope, const char *func);

/* Brings the task's timer in line with an earlier deadline. */
void soon__task_timer_arm(soon_task *task, soon_ns deadline);

/* The task's timer fired: ends its sleep, cancels expired scopes, arms what comes next. */
void soon__task_timer_fired(soon_task *task, soon_ns now);

/* Whether `task` waits, or will, for the end of what the scope is open for. */
bool soon__scope_is_waited_by(const struct soon__scope *scope, const soon_task *task);

/* Cancels everything that lives on the core, through all shields. */
void soon__scope_force(soon_core *core, soon_cancel_source source, const char *why);

/* Hangs the task's outermost scope, and so all of them, under `to` instead of its group's. */
void soon__scope_hang_under(soon_task *task, struct soon__scope *to);

/* Carries the state of the task's group to it and what is below, after a move. */
void soon__scope_spread_to(soon_task *task);

/* task.c */

/* Makes a task that is not yet in the run queue; its group's counts are the caller's business. */
int soon__task_make(struct soon__group *group, const soon_task_opts *opts, size_t extra_bytes,
	soon_task **ret_task);

/* Fills in what it runs, and links it into its group. */
void soon__task_adopt(soon_task *task, struct soon__group *group, soon__fn fn, uint64_t arg,
	const soon_site *site);

/* As above, and makes it ready. */
void soon__task_launch(soon_task *task, struct soon__group *group, soon__fn fn, uint64_t arg,
	const soon_site *site);

/* What must be true when a task's function returns; aborts or reports if it is not. */
void soon__task_returned(soon_task *task);

/* Gives the task an outermost scope of its own, so that it can be cancelled alone. */
struct soon__scope *soon__task_self_scope(soon_task *task);

/* Forgets what soon_fail() noted. */
void soon__task_drop_message(soon_task *task);

/* Gives the stack and record of an ended task back. */
void soon__task_free(soon_task *task);

#endif
