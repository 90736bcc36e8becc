// SPDX-License-Identifier: Apache-2.0
/*
 * handshake.h: an event that goes both ways, and sections that run in a given order.
 *
 * soon_handshake: one task awaits signals and deals with each, others signal and go on when it has
 * been dealt with: when the awaiting task comes back for the next.
 *
 *	while ((rc = soon_handshake_await(&h)) == 0)	// one task
 *		reload();
 *
 *	rc = soon_handshake_signal(&h);			// another: reloaded, when this returns 0
 *
 * soon_seq: numbered sections, in whatever tasks, run in the order of their numbers, from 0.
 *
 *	rc = soon_seq_enter(&seq, 2);		// after the sections 0 and 1
 *	if (rc == 0) {
 *		...
 *		soon_seq_leave(&seq);
 *	}
 *
 * Both belong to one core, and what holds for all such objects, whose they are and when a cancel
 * comes too late, is said in <soon/mutex.h>. A signal that was not taken outlasts a run, and so
 * does how far a sequence has come: soon_seq_init() starts it again.
 */
#ifndef SOON_HANDSHAKE_H
#define SOON_HANDSHAKE_H

#include <soon/task.h>

#ifdef __cplusplus
extern "C" {
#endif

/* A handshake. All of it is private; all zero is one without a signal. */
typedef struct soon_handshake {
	uint64_t soon__opaque[9];
} soon_handshake;

/* A sequence. All of it is private; all zero is one that starts with section 0. */
typedef struct soon_seq {
	uint64_t soon__opaque[8];
} soon_seq;

#define SOON_HANDSHAKE_INIT SOON__STORAGE(0)
#define SOON_SEQ_INIT       SOON__STORAGE(0)

/*
 * Makes a handshake without a signal, whatever it was: no task may be in one of its calls.
 * Affinity: any. Suspends: never.
 */
SOON_API void soon_handshake_init(soon_handshake *handshake);

/*
 * Waits for a signal and takes it. Coming here also says that the signal taken last has been dealt
 * with. Signals that came meanwhile are one.
 * Affinity: core, in a task, one at a time. Suspends: may, until there is a signal. Cancel:
 * cancellation point; after -ECANCELED no signal was taken.
 * Errors: -ECANCELED. -EBUSY another task awaits; -EPERM not in a task, or another core's;
 * -EOWNERDEAD an ended run left it awaited: the last three are reported.
 */
SOON_API SOON_NODISCARD int soon_handshake_await(soon_handshake *handshake) SOON_SUSPENDS;

/*
 * Waits, in a run's first signals, until somebody awaits at all; signals; then waits until the task
 * that took the signal awaits again. Several may signal at a time, and share an answer.
 * Affinity: core, in a task. Suspends: always. Cancel: cancellation point; after -ECANCELED the
 * signal may or may not have been given, as soon_handshake_is_set() or the awaiting task can tell.
 * Returns: 0: it was dealt with. Errors: -ECANCELED; -EPERM, -EOWNERDEAD as above.
 */
SOON_API SOON_NODISCARD int soon_handshake_signal(soon_handshake *handshake) SOON_SUSPENDS;

/*
 * Signals and waits for nothing. Affinity: core. Suspends: never. Cancel: not a cancellation point.
 * Errors, reported: -EPERM, -EOWNERDEAD as above.
 */
SOON_API int soon_handshake_signal_nowait(soon_handshake *handshake) SOON_ON_CORE;

/* Returns whether there is a signal that was not taken. Affinity: core. Suspends: never. */
SOON_API bool soon_handshake_is_set(const soon_handshake *handshake);

/*
 * Makes a sequence that starts with section 0, whatever it was: no task may be in it or wait.
 * Affinity: any. Suspends: never.
 */
SOON_API void soon_seq_init(soon_seq *seq);

/*
 * Waits until all sections with lower numbers have been left, then is inside.
 * Affinity: core, in a task. Suspends: may, until its number is due. Cancel: cancellation point,
 * which breaks the sequence for everybody: its section will not run, so no later one may.
 * Errors: -ECANCELED. -EPIPE the sequence is broken. -EALREADY the number was used or is waited
 * for. -EPERM not in a task, or another core's; -EOWNERDEAD an ended run left it in use: the last
 * three are reported.
 */
SOON_API SOON_NODISCARD int soon_seq_enter(soon_seq *seq, uint64_t number) SOON_SUSPENDS;

/*
 * Leaves the section that is running, and the next one may run.
 * Affinity: core. Suspends: never. Cancel: not a cancellation point.
 * Errors, reported: -EPERM no section is running, or another core's; -EOWNERDEAD.
 */
SOON_API int soon_seq_leave(soon_seq *seq) SOON_ON_CORE;

/* Returns whether a cancelled waiter broke the sequence. Affinity: core. Suspends: never. */
SOON_API bool soon_seq_is_broken(const soon_seq *seq);

#ifdef __cplusplus
}
#endif

#endif
