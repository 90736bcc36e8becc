// SPDX-License-Identifier: Apache-2.0
/*
 * task.h: the record of a task, and of the scopes and groups around it.
 *
 * The tree that cancellation follows needs no lists of scopes. Scopes that one task opened form a
 * chain, from task->scope by `parent` up to the scope of the group the task lives in; and only
 * groups branch, through their lists of children. So a task, its scopes and its groups can be
 * walked from task records alone, and opening a scope writes to nobody else's memory.
 */
#ifndef CORE_TASK_H
#define CORE_TASK_H

#include <soon/assert.h>
#include <soon/group.h>

#include "core/spi/list.h"
#include "core/spi/park.h"

#include "fiber_san.h"
#include "timer.h"

/* Bits of a scope's state; a task is concerned by those in its mask. */
enum {
	SOON__CANCELLED = 1u << 0, /* every suspending call fails */
	SOON__DRAINING = 1u << 1,  /* suspending calls inside SOON_IDLE fail */
};

enum soon__task_state {
	SOON__TASK_READY,   /* in the run queue */
	SOON__TASK_RUNNING, /* core->current */
	SOON__TASK_PARKED,  /* task->wait says for what */
	SOON__TASK_ENDED,   /* its stack is free, or kept for its handle */
};

/* Lies in a soon_scope. */
struct __attribute__((may_alias)) soon__scope {
	struct soon__scope *parent; /* NULL above a core's outermost groups */
	soon_task *task;            /* who opened it; NULL for a core's outermost groups */
	soon_ns deadline;           /* SOON_NEVER for none */
	const char *why;            /* of the cancel */
	const soon_site *why_site;  /* of the cancel, may be NULL */
	const soon_site *site;      /* of the opening, NULL in the expression forms */
	uint8_t own;                /* bits asked for on this very scope */
	uint8_t state;              /* own bits and the visible ones from above */
	uint8_t source;             /* enum soon_cancel_source of the own cancel */
	bool is_shielded;
	bool is_group;
	bool is_open;
	bool is_expired;           /* its own deadline cancelled it */
	bool is_deadline_of_drain; /* `deadline` is the end of a drain's grace */
};

struct soon__failures;

enum soon__group_state {
	SOON__GROUP_OPEN,
	SOON__GROUP_CLOSING, /* its owner waits; tasks may still spawn into it */
	SOON__GROUP_CLOSED,
};

/* Lies in a soon_group. */
struct __attribute__((may_alias)) soon__group {
	struct soon__scope scope;   /* first, so that a scope with is_group is its group */
	struct soon__list children; /* soon_task.sibling, the oldest first */
	struct soon__list kept;     /* ended tasks with a handle, soon_task.sibling */
	soon_core *core;
	struct soon__wait *closer;       /* the owner's wait in soon_group_close */
	struct soon__failures *failures; /* allocated at the first one */
	const char *name;
	uint64_t failure_count;
	int first_rc;        /* of the failure that came first, 0 if none did */
	uint32_t live_count; /* tasks that have not ended */
	uint32_t live_max;   /* 0: no bound of its own */
	uint8_t policy;
	uint8_t state; /* enum soon__group_state */
};

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

	/* Life. */
	const struct soon__scope *ignored; /* undefined while ignored_count is 0 */
	struct soon__list sibling;         /* in group->children, or in ->kept */
	struct soon__group *group;
	soon__fn fn;
	uint64_t arg;
	const soon_site *site;
	const char *name;
	char *detail;           /* of soon_fail, allocated; NULL for none */
	struct soon_task *work; /* link of the work list that spreads a cancel */
	struct soon__list joiners;
	soon_task *advanced;         /* the generator's task this one waits for in soon_next */
	struct soon_gen *gens;       /* generators it opened and has not closed, newest first */
	struct soon__locals *locals; /* task-locals; NULL for none */
	soon_ns born_at;             /* the core's last reading of the clock at the spawn */
	soon_ns aborted_at; /* when its wait was asked to end; undefined unless wait->is_aborted */
	struct soon__timer timer; /* one for all deadlines and the sleep of the task */
	char *stack_low;
	uint64_t id; /* counted from 1 in each run: tells a task from a later one in its place */
	uint32_t stack_index;
	uint16_t locks_held; /* mutexes and the like, which somebody else may wait for */
	int rc;              /* once ended */
	int detail_rc;       /* the failure that `detail` is about */
	struct soon__san san;
};

static inline struct soon__scope *soon__scope_of(soon_scope *scope)
{
	return (struct soon__scope *)scope;
}

static inline struct soon__group *soon__group_of(soon_group *group)
{
	return (struct soon__group *)group;
}

/* What soon_fail() noted about this failure; what it noted about another one is of no use here. */
static inline const char *soon__task_message(const soon_task *task, int rc)
{
	return task->detail && task->detail_rc == rc ? task->detail : NULL;
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

/* Brings the task's timer in line with an earlier deadline. */
void soon__task_timer_arm(soon_task *task, soon_ns deadline);

/* The task's timer fired: ends its sleep, cancels expired scopes, arms what comes next. */
void soon__task_timer_fired(soon_task *task, soon_ns now);

/* group.c */

void soon__group_init(
	struct soon__group *group, const soon_group_opts *opts, soon_core *core, const char *name);

/* A child of the group has ended with `rc`: records it, and wakes the closer after the last. */
void soon__group_child_ended(struct soon__group *group, soon_task *task, int rc);

/* Frees what a closed group holds: records of ended tasks with handles, and failures. */
void soon__group_release_kept(struct soon__group *group);
void soon__group_free_failures(struct soon__group *group);

/* task.c */

/* Makes a task that is not yet in the run queue; its group's counts are the caller's business. */
int soon__task_make(struct soon__group *group, const soon_task_opts *opts, size_t extra_bytes,
	soon_task **ret_task);

/* Fills in what it runs, links it into its group, and makes it ready. */
void soon__task_launch(soon_task *task, struct soon__group *group, soon__fn fn, uint64_t arg,
	const soon_site *site);

/* Gives the stack and record of an ended task back. */
void soon__task_free(soon_task *task);

#endif
