// SPDX-License-Identifier: Apache-2.0
/*
 * fork.h: what the child of a fork(2) inside a task is told.
 *
 * The child has a copy of the memory and goes on on the task's stack, but it has neither the ring
 * nor the other threads: no run goes on in it. It may call exec or _exit, or begin a run of its
 * own; whatever belongs to the parent's run is refused with -EOWNERDEAD, and a report says once
 * what to do instead.
 */
#ifndef CORE_FORK_H
#define CORE_FORK_H

#include <soon/base.h>

/* In the child, on the thread that forked. */
void soon__fork_note(bool was_on_core);

/*
 * For a call that found no core on this thread: -EOWNERDEAD, after a report if it is the first,
 * where the thread goes on from a fork on a core; else 0.
 */
int soon__fork_refuse(const char *what);

#endif
