// SPDX-License-Identifier: Apache-2.0
/*
 * run.h: what the cores of a run share, and the run's way from its start to its end.
 *
 * It lies in the frame of soon_run(), on the thread of core 0, which leaves it last.
 *
 * The end has two phases. When the main task and all under it have ended, every core cancels what
 * runs in its background and for others, and comes to *rest*: it has no task left. A post may
 * still bring it one, from a task that has not ended elsewhere; then it is busy again. When no core
 * is busy, nothing is left that could wait for a post; only then do they close, each on its own
 * thread, core 0 after all others. `busy` counts them, and once it is 0 it stays so.
 */
#ifndef CORE_RUN_H
#define CORE_RUN_H

#include <soon/offload.h>

#include "core/spi/list.h"
#include "core/spi/poller.h"

#include "affinity.h"

#include <pthread.h>
#include <stdatomic.h>

/* How far a core has come, for reports by another one. */
enum soon__stage {
	SOON__STAGE_RUNNING,
	SOON__STAGE_AT_REST, /* its tasks have ended, others' have not */
	SOON__STAGE_POSTS,   /* runs the last posts */
	SOON__STAGE_THREADS, /* waits for its threads for blocking calls */
	SOON__STAGE_IO,      /* waits for operations in the kernel */
	SOON__STAGE_STACKS,
	SOON__STAGE_CLOSED,
};

struct soon__group;

/* A core beyond the first, and its thread. */
struct soon__member {
	struct soon__run *run;
	soon_core *core;
	unsigned index;
	pthread_t thread;
	int rc;                   /* of its start */
	bool has_thread;          /* core 0's */
	soon_callback came_up;    /* to core 0: it runs, or could not */
	soon_callback has_failed; /* to core 0: the run has */
	soon_callback end;        /* to it: the main task has ended, or the start was given up */
	soon_callback all_rest;   /* to it: no core is busy */
};

enum soon__cores_state {
	SOON__CORES_NONE, /* but core 0 */
	SOON__CORES_STARTING,
	SOON__CORES_RUNNING,
};

struct soon__run {
	soon_opts opts;           /* with the defaults filled in; .cores: core 0 asks for it */
	struct soon__seams seams; /* zero: the real things */
	soon_pool pool;           /* of soon_offload(), for all cores */
	unsigned debug;           /* enum soon_debug_flags, at the start */

	/* Of core 0; the others read what does not change while they run. */
	soon_core *first;
	struct soon__affinity affinity; /* of its thread at the start */
	unsigned core_count;            /* 0: not known yet */
	_Atomic(uint8_t) cores_state;   /* enum soon__cores_state */
	bool is_pinned;
	int pinned_from;              /* the processor of core 0 */
	unsigned starting;            /* threads of which no word has come */
	int start_rc;                 /* the first failure of a start */
	struct soon__list starters;   /* tasks that wait for them, struct starter of cores.c */
	struct soon__member *members; /* core_count - 1 of them; NULL: none runs */
	soon_callback all_rest;       /* to core 0: no core is busy */
	int main_rc;
	soon_ns ended_at, nag_at; /* when main ended; when core 0 next says who does not rest */

	_Atomic(unsigned) busy; /* cores that are not at rest */

	/* The failure that came first. */
	pthread_mutex_t lock;
	int failed_rc; /* 0: none */
	char failed_why[160];
	const soon_site *failed_site;
};

/*
 * The main task has ended: from here on only what it left in the background, and what others asked
 * for, is waited for. Of core 0.
 */
void soon__run_main_ended(struct soon__run *run);

/* Says so to the others, which by then run. */
void soon__run_tell_end(struct soon__run *run);

/*
 * A task has begun in a group that the end of the run cancels: where that has been, it was too late
 * for the report that a stuck one gets, and is watched from here.
 */
void soon__run_watch_late(struct soon__group *group);

/* A core has no task left, and goes to rest: whether the run is over. */
bool soon__run_rest(struct soon__run *run, soon_core *core);

/* Whether a core at rest has posts to run, and the run is not over: it is busy then. */
bool soon__run_rise(struct soon__run *run, soon_core *core);

/*
 * Keeps what failed: the first of these is the run's result, unless main fails itself.
 * Affinity: core.
 */
void soon__run_fail(soon_core *core, int rc, const soon_site *site, const char *fmt, ...)
	SOON_PRINTF(4, 5);

/* Cancels main for the failure that came first. Affinity: core. */
void soon__run_cancel_main(soon_core *core);

/* When core 0, at rest, shall say whom it waits for; SOON_NEVER on others. And to do it. */
soon_ns soon__run_nag_next(const struct soon__run *run, const soon_core *core);
void soon__run_nag(struct soon__run *run, soon_core *core);

/* cores.c */

/* Starts the cores beyond the first, or waits until somebody's start is through. Of core 0. */
int soon__cores_start(struct soon__run *run) SOON_SUSPENDS;

/* How many the run has. */
unsigned soon__cores_count(struct soon__run *run);

/* Waits until the others are closed, and gives the thread its processors back. Of core 0. */
void soon__cores_join(struct soon__run *run);

/* Whether no other core of the run has a task. Acquires what those did that it had. */
bool soon__cores_others_are_empty(const struct soon__run *run, const soon_core *core);

/* How many cores run: all, or core 0 alone, for which those that are being started do not count. */
static inline unsigned soon__run_running(const struct soon__run *run)
{
	/* Acquire: pairs with cores.c's enter_state(), which comes after all members are made. */
	return atomic_load_explicit(&run->cores_state, memory_order_acquire) == SOON__CORES_RUNNING
		? run->core_count
		: 1;
}

/* The core in a place below that. */
static inline soon_core *soon__run_core(const struct soon__run *run, unsigned index)
{
	return index == 0 ? run->first : run->members[index - 1].core;
}

#endif
