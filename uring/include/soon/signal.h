// SPDX-License-Identifier: Apache-2.0
/*
 * signal.h: waiting for a signal in a task.
 *
 *	int sig = soon_signal_wait(SIGTERM, SIGINT, 0);
 */
#ifndef SOON_SIGNAL_H
#define SOON_SIGNAL_H

#include <soon/task.h>

#include <signal.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * Waits for one of the signals in the list, which ends with 0, and takes it. They are blocked on
 * the calling thread from the first call on until the run ends, so that none is lost between two
 * calls; what came and was not taken is then delivered as usual. Threads that were started earlier
 * by others than soon must block them too.
 * Affinity: core, in a task; one waiting task a process. Suspends: always. Cancel: cancellation
 * point; a signal is not lost by it.
 * Returns: the number of the signal. Equal ones that came before it was taken count as one.
 * Errors: -ECANCELED. -EBUSY another task is waiting. -EINVAL not a signal, one that cannot be
 * caught, or an empty list. -EPERM not in a task. -EMFILE, -ENFILE, -ENOMEM no descriptor to wait
 * with.
 * See: signalfd(2).
 */
SOON_API SOON_NODISCARD int soon_signal_wait(int first, ...) SOON_SUSPENDS;

#ifdef __cplusplus
}
#endif

#endif
