// SPDX-License-Identifier: Apache-2.0
/*
 * offload.h: what a core knows of the threads that run blocking functions for its tasks. The rest
 * is in pool.h.
 */
#ifndef CORE_OFFLOAD_H
#define CORE_OFFLOAD_H

#include <soon/offload.h>
#include <soon/thread.h>

struct soon__lane;
struct soon__locals_view;

/* The run's own pool as it begins. */
void soon__pool_init(soon_pool *pool, const soon_opts *opts);

/* The task-locals as the function sees them that this thread runs; NULL on other threads. */
struct soon__locals_view *soon__offload_view(void);

/*
 * Ends the core's use of pools, once no task is left. A pool that no other core uses ends with its
 * threads; one that takes longer than the run's grace to end is reported and left to itself.
 */
void soon__offload_stop(soon_core *core);

/* How many calls are on threads or wait for one. Signal-safe on the core's thread. */
unsigned soon__offload_busy(const soon_core *core);

#endif
