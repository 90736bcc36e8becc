// SPDX-License-Identifier: Apache-2.0
/*
 * quit.h: SIGQUIT writes a dump of every core of the process to stderr, and the runs go on.
 *
 * The handler is there while a run is that wants it, and only where the signal had its default
 * meaning. A core is dumped by its own thread, since only that one may look at it: whichever thread
 * gets the signal passes it to the first core's, and each to the next when it has done its part, so
 * that the dumps do not mix. It runs on the alternate stack of overflow.c, for a task's own may be
 * used up.
 */
#ifndef CORE_QUIT_H
#define CORE_QUIT_H

#include <soon/thread.h>

/* Cores beyond this number are left out of what SIGQUIT writes. */
#define SOON__QUIT_CORES_MAX 64

/* The calling thread's core has tasks from now on, or has none any more. */
void soon__quit_register(soon_core *core);
void soon__quit_unregister(soon_core *core);

/* In the child of a fork: there are no cores, and the signal means what it always did. */
void soon__quit_forget(void);

#endif
