// SPDX-License-Identifier: Apache-2.0
/*
 * cpus.h: which processors the process may use, and whether one of them has nothing to do.
 */
#ifndef CORE_CPUS_H
#define CORE_CPUS_H

#include <sched.h>
#include <stdbool.h>

/* How many processors the process's control groups pay for; 0: all. Read once. Affinity: any. */
unsigned soon__cpus_quota(void);

/*
 * How many processors the process may keep busy: as many as its affinity has, or the quota, if
 * that is less; at least 1. Taken once, at the first call.
 * Affinity: any.
 */
unsigned soon__cpus_allowed(void);

/* The affinity of the thread that first asked here, before it was pinned; maybe empty. */
const cpu_set_t *soon__cpus_mask(void);

/*
 * Who keeps a processor busy: cores that are awake, and threads that look for a moment before they
 * sleep. To look pays only where a processor is left for the other side, which makes what is looked
 * for: so a core may look while there are processors for the cores that are awake, and for the
 * threads that look, or one that may come; a thread while there are for the threads that look, and
 * for the cores that are awake, or one that is about to.
 * Affinity: any.
 */
void soon__cpus_core_wakes(void);
void soon__cpus_core_sleeps(void);

/* Of a core that is awake. */
bool soon__cpus_core_may_look(void);

/* True: the thread counts as one that looks, until it ends that. */
bool soon__cpus_look_begin(void);
void soon__cpus_look_end(void);

/* In the child of a fork: none of them is there. */
void soon__cpus_forget(void);

#endif
