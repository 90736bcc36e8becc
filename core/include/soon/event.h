// SPDX-License-Identifier: Apache-2.0
/*
 * event.h: something has happened, everyone is here, everyone has left.
 *
 * An event is a flag to wait for: once set, it stays set, and lets everyone pass until it is
 * cleared. A barrier lets tasks go on in step: each waits until all have come. A gate counts who is
 * inside and lets a closer wait until all have left: the way to take something away that others
 * still use.
 *
 *	static soon_gate gate = SOON_GATE_INIT;
 *
 *	int rc = soon_gate_enter(&gate);	// -ESHUTDOWN: it is being taken away
 *	if (rc < 0)
 *		return rc;
 *	SOON_GATE_OWN(&gate);			// leaves on every way out of the block
 *	return use(cache);
 *
 * What holds for all such objects, whose they are and when a cancel comes too late, is said in
 * <soon/mutex.h>. What an event, a barrier or a gate has come to, set, aborted or closed, outlasts
 * a run.
 */
#ifndef SOON_EVENT_H
#define SOON_EVENT_H

#include <soon/task.h>

#ifdef __cplusplus
extern "C" {
#endif

/* An event. All of it is private; all zero is one that is not set. */
typedef struct soon_event {
	uint64_t soon__opaque[5];
} soon_event;

/* A barrier. All of it is private. */
typedef struct soon_barrier {
	uint64_t soon__opaque[6];
} soon_barrier;

/* A gate. All of it is private; all zero is one that is open and empty. */
typedef struct soon_gate {
	uint64_t soon__opaque[7];
} soon_gate;

#define SOON_EVENT_INIT            SOON__STORAGE(0)
#define SOON_BARRIER_INIT(parties) SOON__STORAGE(parties)
#define SOON_GATE_INIT             SOON__STORAGE(0)

/*
 * Makes an event that is not set, whatever it was: no task may wait for it.
 * Affinity: any. Suspends: never.
 */
SOON_API void soon_event_init(soon_event *event);

/*
 * Waits until the event is set.
 * Affinity: core, in a task. Suspends: may, until soon_event_set. Cancel: cancellation point.
 * Returns: 0: it was set; maybe it has been cleared since.
 * Errors: -ECANCELED. -EPERM not in a task, or another core has waited for it; -EOWNERDEAD an ended
 * run left it waited for: both reported.
 */
SOON_API SOON_NODISCARD int soon_event_wait(soon_event *event) SOON_SUSPENDS;

/*
 * Sets the event: all who wait go on, later, in the order of their coming. Clears it.
 * Affinity: core; from another thread, by soon_post. Suspends: never. Cancel: not a cancellation
 * point.
 * Errors, both reported: -EPERM, -EOWNERDEAD as soon_event_wait.
 */
SOON_API int soon_event_set(soon_event *event) SOON_ON_CORE;
SOON_API int soon_event_clear(soon_event *event) SOON_ON_CORE;

/*
 * Returns whether the event is set.
 * Affinity: core; elsewhere false, with a report if the event is in use. Suspends: never.
 */
SOON_API bool soon_event_is_set(const soon_event *event);

/*
 * Makes a barrier for that number of tasks, whatever it was: no task may wait for it.
 * Affinity: any. Suspends: never.
 */
SOON_API void soon_barrier_init(soon_barrier *barrier, uint32_t parties);

/*
 * Waits until as many tasks wait as the barrier is for; then all go on, and the next round begins.
 * Affinity: core, in a task. Suspends: may, until the last one comes. Cancel: cancellation point;
 * after -ECANCELED the caller has left, and one more has to come.
 * Returns: 1 in the task that came last, 0 in the others.
 * Errors: -ECANCELED. -EPIPE the barrier is aborted, before or while waiting. -EINVAL it is for
 * nobody. -EPERM not in a task, or another core has waited for it; -EOWNERDEAD an ended run left it
 * waited for. The last three are reported.
 */
SOON_API SOON_NODISCARD int soon_barrier_wait(soon_barrier *barrier) SOON_SUSPENDS;

/*
 * Aborts the barrier: all who wait, and all who come, get -EPIPE until soon_barrier_reset.
 * Affinity: core. Suspends: never. Cancel: not a cancellation point.
 * Errors, both reported: -EPERM, -EOWNERDEAD as soon_barrier_wait.
 */
SOON_API int soon_barrier_abort(soon_barrier *barrier) SOON_ON_CORE;
SOON_API int soon_barrier_reset(soon_barrier *barrier) SOON_ON_CORE;

/*
 * Returns how many tasks wait.
 * Affinity: core; elsewhere 0, with a report if the barrier is in use. Suspends: never.
 */
SOON_API uint32_t soon_barrier_waiting(const soon_barrier *barrier);

/*
 * Makes a gate that is open and empty, whatever it was: nobody may be inside.
 * Affinity: any. Suspends: never.
 */
SOON_API void soon_gate_init(soon_gate *gate);

/*
 * Goes in. Who did is counted, not known: a callback may leave for a task.
 * Affinity: core. Suspends: never. Cancel: not a cancellation point.
 * Errors: -ESHUTDOWN it is closed. -EPERM it belongs to another core; -EOWNERDEAD an ended run left
 * somebody inside: both reported.
 */
SOON_API SOON_NODISCARD int soon_gate_enter(soon_gate *gate) SOON_ON_CORE;

/*
 * Goes out; the last one lets the closer go on.
 * Affinity: core. Suspends: never. Cancel: not a cancellation point.
 * Errors, all reported: -EPERM nobody is inside, or it belongs to another core; -EOWNERDEAD.
 */
SOON_API int soon_gate_leave(soon_gate *gate) SOON_ON_CORE;

/*
 * Closes the gate, in every case and at once, then waits until nobody is inside. May be called
 * again, after a cancel or by others: each call waits.
 * Affinity: core, in a task. Suspends: may, until the last one leaves. Cancel: cancellation point;
 * after -ECANCELED the gate is closed and somebody may be inside.
 * Returns: 0: closed and empty. Errors: -ECANCELED; -EPERM, -EOWNERDEAD as soon_gate_enter.
 */
SOON_API SOON_NODISCARD int soon_gate_close(soon_gate *gate) SOON_SUSPENDS;

/*
 * Returns whether the gate is closed, and how many are inside.
 * Affinity: core; elsewhere 0, with a report if the gate is in use. Suspends: never.
 */
SOON_API bool soon_gate_is_closed(const soon_gate *gate);
SOON_API uint64_t soon_gate_count(const soon_gate *gate);

/*
 * Ends a gate's life, before its memory goes: aborts when somebody is inside or waits. Not needed
 * for static ones.
 * Affinity: core. Suspends: never.
 */
SOON_API void soon_gate_fini(soon_gate *gate);

/* Leaves `gate`, which was entered, on every way out of the block. */
#define SOON_GATE_OWN(gate)                                                                        \
	soon_gate *SOON__UNIQUE(soon__own) __attribute__((cleanup(soon__gate_left), unused)) =     \
		(gate)
SOON_API void soon__gate_left(soon_gate **gate) SOON_ON_CORE;

#ifdef __cplusplus
}
#endif

#endif
