// SPDX-License-Identifier: Apache-2.0
/*
 * future.h: what the run loop has to do for futures.
 */
#ifndef CORE_FUTURE_H
#define CORE_FUTURE_H

/* Once in a process: the child of a fork finds no lock held by a thread that it does not have. */
void soon__futures_watch_forks(void);

#endif
