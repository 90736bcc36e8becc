// SPDX-License-Identifier: Apache-2.0
/*
 * group.h: the records of scopes and groups, which lie in the frames that open them.
 *
 * The tree that cancellation follows needs no lists of scopes. Scopes that one task opened form a
 * chain, from task->scope by `parent` up to the scope of the group the task lives in; and only
 * groups branch, through their lists of children. So a task, its scopes and its groups can be
 * walked from task records alone, and opening a scope writes to nobody else's memory.
 */
#ifndef CORE_GROUP_H
#define CORE_GROUP_H

#include <soon/group.h>
#include <soon/thread.h>

#include "core/spi/list.h"

/* Bits of a scope's state; a task is concerned by those in its mask. */
enum {
	SOON__CANCELLED = 1u << 0, /* every suspending call fails */
	SOON__DRAINING = 1u << 1,  /* suspending calls inside SOON_IDLE fail */
	SOON__HAS_TOKEN = 1u << 7, /* of `own` only: somebody elsewhere may know it, see token.h */
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

/* What few groups need; only valid where has_extras. */
struct soon__group_extras {
	struct soon__list spawners; /* spawns that wait for a place, in order */
	struct soon__list watches;  /* of other groups' tasks */
	struct soon__list stuck;    /* in core->stuck while cancelled tasks keep it from closing */
	soon_ns stuck_at;           /* when that is reported next */
	soon_ns cancelled_at;       /* since when it waits for cancelled tasks */
	struct soon__defer *defers; /* in the order of their registration */
	struct soon__defer **defers_tail;
	const void *kind; /* for soon_group_current */

	/* SOON_SUPERVISE */
	soon_on_exit_fn on_exit;
	void *on_exit_data;
	soon_ns window, backoff, backoff_max;
	struct soon__restarts *restarts; /* when the last ones were; allocated at the first */
	uint32_t restarts_max;
	uint8_t rule; /* enum soon_restart_rule */
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
	int won_rc;          /* SOON_FIRST_OK: of the first success, while has_won */
	uint32_t live_count; /* tasks that have not ended */
	uint32_t live_max;   /* 0: no bound of its own */
	uint32_t reserved;   /* with a bound: places given to spawns that are not tasks yet */
	uint32_t pins;       /* spawns and starts under way, and watches: it stays open for them */
	uint8_t policy;
	uint8_t state; /* enum soon__group_state */
	bool has_won;
	bool has_extras;
	bool is_nursery; /* of a soon_start under way, see start.c */
	struct soon__group_extras extras;
};

static inline struct soon__scope *soon__scope_of(soon_scope *scope)
{
	return (struct soon__scope *)scope;
}

static inline struct soon__group *soon__group_of(soon_group *group)
{
	return (struct soon__group *)group;
}

/* group.c */

void soon__group_init(
	struct soon__group *group, const soon_group_opts *opts, soon_core *core, const char *name);

/* The extras of a group, made at their first use. */
struct soon__group_extras *soon__group_extras(struct soon__group *group);

/* A child of the group has ended: its result counts, and maybe the group can be closed. */
void soon__group_child_ended(struct soon__group *group, soon_task *task);

/* Judges the result of a task that has ended, a child's or a watched one's. */
void soon__group_judge(struct soon__group *group, soon_task *task);

/* Records a failure of `task` and cancels the group, whatever its policy. */
void soon__group_fail(
	struct soon__group *group, const soon_task *task, int rc, const char *message);

/* Whether the task waits in the close of a group. */
bool soon__group_is_closer(const soon_task *task);

/* Wakes the owner that waits in the close, if nothing is left to wait for. */
void soon__group_settle(struct soon__group *group);

/* Frees what a closed group holds: records of ended tasks with handles, and failures. */
void soon__group_release_kept(struct soon__group *group);
void soon__group_free_failures(struct soon__group *group);

/* spawn.c */

/* Lets a new task in: 0, with a place that soon__spawn_settle() has to take back. */
int soon__spawn_admit(struct soon__group *group, const soon_site *site);
void soon__spawn_settle(struct soon__group *group);

/* A place may have become free: the next spawn that waits gets it. */
void soon__spawn_give_place(struct soon__group *group);

/* start.c */

/* The group that the task in a nursery is going to. */
struct soon__group *soon__start_target(struct soon__group *nursery);

/* supervise.c */

/* A task of a supervised group returned `rc`: runs it again as long as it should; its last rc. */
int soon__supervise(soon_task *task, int rc) SOON_SUSPENDS;
void soon__supervise_opts(struct soon__group *group, const soon_group_opts *opts);

/* defer.c */
void soon__group_run_defers(struct soon__group *group);

#endif
