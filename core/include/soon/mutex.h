// SPDX-License-Identifier: Apache-2.0
/*
 * mutex.h: one task at a time, and waiting until something is true.
 *
 * Tasks of a core never run at once, so what does not suspend needs no lock. A mutex is for what
 * must stay true across a suspending call: two tasks that write to one file in turns. It is handed
 * on in the order of asking: nobody is overtaken. A condition is a mutex's waiting room:
 * soon_cond_wait() leaves the mutex and comes back with it.
 *
 *	static soon_mutex lock = SOON_MUTEX_INIT;
 *
 *	int rc = soon_mutex_lock(&lock);
 *	if (rc < 0)
 *		return rc;
 *	SOON_MUTEX_OWN(&lock);	// unlocks on every way out of the block
 *	return append(file, record);
 *
 * These objects, and those of rwlock.h, sem.h and event.h, are values in the program's memory, with
 * nothing allocated and nothing to destroy. They are for the tasks of one core, not for threads:
 * from the first wait on, an object belongs to one run, and any other core's use is refused with
 * -EPERM. Static ones may be used by one run after another. What a run left locked or waited for
 * stays -EOWNERDEAD until it is initialised again.
 *
 * Every call that may wait is a cancellation point each time, also when it need not wait. A task
 * that was given the object before a cancel reached it has it: the call succeeds. Calls that give
 * something back (unlock, signal, release, leave) never suspend and work in a cancelled scope; they
 * fail by misuse only, which is reported, so their result may be ignored.
 */
#ifndef SOON_MUTEX_H
#define SOON_MUTEX_H

#include <soon/task.h>

#ifdef __cplusplus
extern "C" {
#endif

/* A mutex. All of it is private; all zero is one that is free. */
typedef struct soon_mutex {
	uint64_t soon__opaque[7];
} soon_mutex;

/* A condition. All of it is private; all zero is one that nobody waits for. */
typedef struct soon_cond {
	uint64_t soon__opaque[4];
} soon_cond;

#define SOON_MUTEX_INIT SOON__STORAGE(0)
#define SOON_COND_INIT  SOON__STORAGE(0)

/*
 * Makes a mutex that is free, whatever it was: no task may hold it or wait for it.
 * Affinity: any. Suspends: never.
 */
SOON_API void soon_mutex_init(soon_mutex *mutex);

/*
 * Locks, after all who asked before.
 * Affinity: core, in a task. Suspends: may, until the mutex is handed on. Cancel: cancellation
 * point; after -ECANCELED the caller does not have it.
 * Errors: -ECANCELED. -EDEADLK the caller has it already. -EOWNERDEAD it was locked by a task that
 * ended, or whose run did. -EPERM not in a task, or it belongs to another core. All but the first
 * are reported.
 */
SOON_API SOON_NODISCARD int soon_mutex_lock(soon_mutex *mutex) SOON_SUSPENDS;

/*
 * Locks if the mutex is free.
 * Affinity: core, in a task. Suspends: never. Cancel: not a cancellation point.
 * Errors: -EAGAIN somebody has it, maybe the caller. -EOWNERDEAD, -EPERM as soon_mutex_lock.
 */
SOON_API SOON_NODISCARD int soon_mutex_try_lock(soon_mutex *mutex) SOON_ON_CORE;

/*
 * Unlocks: hands the mutex to the task that waited longest, which runs later, or frees it.
 * Affinity: core, in the task that locked it. Suspends: never. Cancel: not a cancellation point.
 * Errors: -EPERM the caller does not have it; -EOWNERDEAD an ended run left it locked. Both are
 * reported and change nothing.
 */
SOON_API int soon_mutex_unlock(soon_mutex *mutex) SOON_ON_CORE;

/*
 * Returns whether the running task has the mutex, for assertions.
 * Affinity: core. Suspends: never.
 */
SOON_API bool soon_mutex_is_held(const soon_mutex *mutex);

/* Unlocks `mutex`, which the running task has locked, on every way out of the block. */
#define SOON_MUTEX_OWN(mutex)                                                                      \
	soon_mutex *SOON__UNIQUE(soon__own) __attribute__((cleanup(soon__mutex_left), unused)) =   \
		(mutex)
SOON_API void soon__mutex_left(soon_mutex **mutex) SOON_ON_CORE;

/*
 * Makes a condition that nobody waits for, whatever it was: no task may wait for it.
 * Affinity: any. Suspends: never.
 */
SOON_API void soon_cond_init(soon_cond *cond);

/*
 * Unlocks `mutex`, waits for a signal, and locks it again. What was waited for may have changed
 * once more until the mutex came: wait in a loop.
 * Affinity: core, in the task that locked `mutex`. Suspends: always. Cancel: cancellation point;
 * the mutex is locked again all the same, and that wait cannot be cancelled. A signal that chose
 * this task is not lost: the call then succeeds.
 * Returns: 0 signalled; the caller has the mutex, also after -ECANCELED and -EPERM.
 * Errors: -ECANCELED. -EPERM not in a task, the caller does not have the mutex, or one of the two
 * belongs to another core. -EOWNERDEAD the mutex was not unlocked by a task that ended: the caller
 * does not have it; or an ended run left the condition waited for. All but the first are reported.
 */
SOON_API SOON_NODISCARD int soon_cond_wait(soon_cond *cond, soon_mutex *mutex) SOON_SUSPENDS;

/*
 * Signals the task that has waited longest, all tasks: they go on when they get their mutex.
 * Affinity: core, with or without the mutex. Suspends: never. Cancel: not a cancellation point.
 * Errors: -EPERM not on the condition's core; -EOWNERDEAD; both reported.
 */
SOON_API int soon_cond_signal(soon_cond *cond) SOON_ON_CORE;
SOON_API int soon_cond_broadcast(soon_cond *cond) SOON_ON_CORE;

#ifdef __cplusplus
}
#endif

#endif
