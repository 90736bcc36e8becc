// SPDX-License-Identifier: Apache-2.0
/*
 * explore_run.h: between the explorer's scheduler, explore.c, and its memory, explore_memory.c.
 */
#ifndef TESTS_MODEL_EXPLORE_RUN_H
#define TESTS_MODEL_EXPLORE_RUN_H

#include "explore.h"

#define PLACES_MAX 40u /* atomic variables and objects of explore_release() */
#define CLOCKS     (PLACES_MAX + EXPLORE_THREADS_MAX)

/*
 * What somebody knows: of each atomic the oldest value that he may still read, and of each thread
 * how far it had come.
 */
struct view {
	uint16_t at[CLOCKS];
};

struct thread {
	const char *name;
	void (*fn)(void *arg);
	void *arg;
	void *sp;
	struct view own;
	struct view *view;    /* its own, or a handler's the host's */
	struct thread *host;  /* of a handler */
	struct thread *guest; /* the handler that runs in it */
	bool (*is_ready)(void *arg);
	void *ready_arg;
	uint64_t relaxed_at; /* the step at which it began to wait for others; 0: it does not */
	bool has_read_stale; /* since it last waited for others */
	bool reads_fresh;    /* loads return the newest value */
	bool has_begun, has_ended;
	unsigned clock; /* the index of its own progress in a view */
};

extern struct thread *explore_current;
extern bool explore_is_tracing;

/* Chooses from 0 to `count` - 1; 0 is what the simplest run does. */
unsigned explore_pick(unsigned count);

/* Like it, for a load with `count` values to return; the newest is 0. */
unsigned explore_pick_value(unsigned count);

__attribute__((format(printf, 1, 2))) void explore_trace(const char *fmt, ...);

/* Forgets everything that the last run did. */
void explore_memory_reset(void);

/* What `a` knows, `b` knows from now on, too. */
void explore_join(struct view *b, const struct view *a);

/* Whether what lies at `addr` is shared between threads, and of the program. */
bool explore_is_tracked(uintptr_t addr);

#endif
