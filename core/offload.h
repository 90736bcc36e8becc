// SPDX-License-Identifier: Apache-2.0
/*
 * offload.h: the threads that run blocking functions for a core's tasks.
 */
#ifndef CORE_OFFLOAD_H
#define CORE_OFFLOAD_H

#include <soon/thread.h>

struct soon__offload;
struct soon__locals_view;

/* The task-locals as the function sees them that this thread runs; NULL on other threads. */
struct soon__locals_view *soon__offload_view(void);

/*
 * Ends the core's pool, once no task is left, and frees it; nothing happens when there is none. A
 * thread that takes longer than the run's grace to end is reported and left to itself.
 */
void soon__offload_stop(soon_core *core);

/* How many calls are on threads or wait for one. Signal-safe on the core's thread. */
unsigned soon__offload_busy(const soon_core *core);

#endif
