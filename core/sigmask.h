// SPDX-License-Identifier: Apache-2.0
/*
 * sigmask.h: which signals the runtime's own threads take.
 *
 * Signals are for the program's threads: a handler of the program never runs on one of these, and
 * what a task waits for is not lost there. Open everywhere are those that a fault raises, for they
 * go to the thread that made it. A start of a thread blocks, creates it, which inherits that, and
 * restores: the sanitizers of gcc 14 lose a mask that is given by the attributes.
 */
#ifndef CORE_SIGMASK_H
#define CORE_SIGMASK_H

#include <signal.h>

/* What else a thread leaves open, if who starts it does. */
enum soon__open_signals {
	SOON__OPEN_FAULTS = 0,       /* nothing */
	SOON__OPEN_CAPTURE = 1 << 0, /* it can be asked where it stands, see capture.h */
	SOON__OPEN_DUMP = 1 << 1,    /* it has a core, which SIGQUIT dumps, see quit.h */
};

/* Blocks all but those on the calling thread. `open` is of enum soon__open_signals. */
void soon__sigmask_block(unsigned open, sigset_t *ret_before);

void soon__sigmask_restore(const sigset_t *before);

#endif
