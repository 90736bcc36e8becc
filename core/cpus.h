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

/* Counts the calling thread as one that keeps a processor busy: a core, from open to close. */
void soon__cpus_occupy(void);
void soon__cpus_vacate(void);

/*
 * The same for a thread that would like to spin for a moment: false when all are occupied, and
 * then it must not. Pairs with soon__cpus_vacate().
 */
bool soon__cpus_try_occupy(void);

#endif
