// SPDX-License-Identifier: Apache-2.0
/*
 * signal.h: signals as events that a task waits for, instead of handlers that interrupt.
 *
 *	soon_signals *signals;
 *	int rc = soon_signals_open(SOON_SIG(SIGTERM) | SOON_SIG(SIGINT), &signals);
 *
 *	while (rc == 0 && (sig = soon_signals_next(signals, NULL)) > 0) ...
 *	soon_signals_close(signals);
 *
 * From the opening to the close the signals are the handle's, wherever in the process the kernel
 * delivers them: they are blocked on the core's thread, where they stay pending until they are
 * read, and a thread that does not block them passes them on there. So none is lost between two
 * calls, none ends the process meanwhile, and what came and was not read is delivered as usual
 * after the close. A signal has one handle at a time.
 *
 * Equal signals that come before one was read count as one; but real-time signals are queued, as
 * long as all threads block them.
 */
#ifndef SOON_SIGNAL_H
#define SOON_SIGNAL_H

#include <soon/task.h>

#include <signal.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct soon_signals soon_signals;

/* A set of signals: SOON_SIG(SIGTERM) | SOON_SIG(SIGINT). */
#define SOON_SIG(signo) (UINT64_C(1) << ((signo)-1))

typedef struct soon_signal_info {
	int signo;
	int code;      /* SI_USER, SI_QUEUE and others; SI_QUEUE for one that was passed on */
	pid_t pid;     /* who sent it, where the code says that somebody did */
	uid_t uid;     /* and as whom */
	int64_t value; /* of sigqueue(3) */
} soon_signal_info;

SOON_API SOON_NODISCARD int soon__signals_open(
	uint64_t set, const soon_site *site, soon_signals **ret_signals);

/*
 * Takes the signals of a set over, from whatever handles them, until the close.
 * Affinity: core, in a task. Suspends: never.
 * Ownership: returns owned, to be closed on the same core before its run ends.
 * Errors: -EBUSY one of them is taken already, after a report that names both. -EINVAL an empty
 * set, SIGKILL, SIGSTOP, or a signal of the C library's own; faults, SIGSEGV and the like, which
 * cannot wait. -EPERM not in a task. -EOPNOTSUPP the run has no I/O. -EMFILE, -ENFILE, -ENOMEM.
 * See: signalfd(2).
 */
#define soon_signals_open(set, ret_signals)                                                        \
	soon__used(__extension__({                                                                 \
		SOON__SITE("signals_open");                                                        \
		soon__signals_open((set), &soon__site, (ret_signals));                             \
	}))

/*
 * Waits for the next signal and takes it.
 * Affinity: core, in a task. Suspends: may, until one comes. Cancel: cancellation point; a signal
 * is not lost by it. Null: `ret_info`.
 * Returns: its number.
 * Errors: -ECANCELED. -EBUSY another task is waiting with this handle, after a report. -EPERM not
 * in a task, or another core's handle.
 */
SOON_API SOON_NODISCARD int soon_signals_next(
	soon_signals *signals, soon_signal_info *SOON_NULLABLE ret_info) SOON_SUSPENDS;

/*
 * Gives the signals back to what handled them before. What came and was not read is delivered
 * there, maybe before this returns: by default a SIGTERM then ends the process.
 * Affinity: core. Suspends: never. Ownership: takes `signals`. Null: nothing happens.
 * Nobody may be waiting with the handle: aborts.
 */
SOON_API void soon_signals_close(soon_signals *SOON_NULLABLE signals);

/*
 * Waits for one of the signals in the list, which ends with 0, and takes it: a handle for programs
 * that need no more. It is opened by the first call, widened by later ones, and closed when the
 * run ends, so that none is lost between two calls.
 * Affinity: core, in a task. Suspends: may, until one comes. Cancel: cancellation point; a signal
 * is not lost by it.
 * Returns: the number of the signal.
 * Errors: as soon_signals_open() and soon_signals_next(); -EBUSY another task is waiting for one of
 * them, or has a handle for it, after a report.
 */
SOON_API SOON_NODISCARD int soon_signal_wait(int first, ...) SOON_SUSPENDS;

#ifdef __cplusplus
}
#endif

#endif
