// SPDX-License-Identifier: Apache-2.0
/*
 * rwlock.h: many who read, or one who writes.
 *
 * For what is read across suspending calls far more often than it is changed. All are served in the
 * order of asking: readers who ask one after another go in together, but none overtakes a writer
 * who waits, so neither side starves.
 *
 *	static soon_rwlock lock = SOON_RWLOCK_INIT;
 *
 *	int rc = soon_rwlock_lock_read(&lock);
 *	if (rc < 0)
 *		return rc;
 *	SOON_RWLOCK_OWN(&lock);	// unlocks on every way out of the block
 *	return send_all(peer, &routes);
 *
 * A task cannot lock twice, not even to read: between its two locks a writer may have asked. For
 * the same reason a reader cannot become the writer; it unlocks, locks to write, and looks again.
 * What holds for all such objects, whose they are and when a cancel comes too late, is said in
 * <soon/mutex.h>.
 */
#ifndef SOON_RWLOCK_H
#define SOON_RWLOCK_H

#include <soon/task.h>

#ifdef __cplusplus
extern "C" {
#endif

/* A read-write lock. All of it is private; all zero is one that is free. */
typedef struct soon_rwlock {
	uint64_t soon__opaque[10];
} soon_rwlock;

#define SOON_RWLOCK_INIT SOON__STORAGE(0)

/* How many of them a task may read at once. */
#define SOON_RWLOCK_READS_MAX 8

/*
 * Makes a lock that is free, whatever it was: no task may hold it or wait for it.
 * Affinity: any. Suspends: never.
 */
SOON_API void soon_rwlock_init(soon_rwlock *lock);

/*
 * Locks to read, together with others who read, or to write, alone.
 * Affinity: core, in a task. Suspends: may, until it is the caller's turn. Cancel: cancellation
 * point; after -ECANCELED the caller does not have it.
 * Errors: -ECANCELED. -EDEADLK the caller has it already, to read or to write. -EOWNERDEAD it was
 * locked by a task that ended, as far as that is known, or whose run did. -ENOLCK the caller reads
 * SOON_RWLOCK_READS_MAX others. -EPERM not in a task, or it belongs to another core. All but the
 * first are reported.
 */
SOON_API SOON_NODISCARD int soon_rwlock_lock_read(soon_rwlock *lock) SOON_SUSPENDS;
SOON_API SOON_NODISCARD int soon_rwlock_lock_write(soon_rwlock *lock) SOON_SUSPENDS;

/*
 * The same if it need not wait.
 * Affinity: core, in a task. Suspends: never. Cancel: not a cancellation point.
 * Errors: -EAGAIN it would wait, maybe for the caller; the others as soon_rwlock_lock_read.
 */
SOON_API SOON_NODISCARD int soon_rwlock_try_read(soon_rwlock *lock) SOON_ON_CORE;
SOON_API SOON_NODISCARD int soon_rwlock_try_write(soon_rwlock *lock) SOON_ON_CORE;

/*
 * Unlocks what the caller has, to read or to write; whose turn it is goes on later.
 * Affinity: core, in the task that locked it. Suspends: never. Cancel: not a cancellation point.
 * Errors: -EPERM the caller does not have it; -EOWNERDEAD an ended run left it locked. Both are
 * reported and change nothing.
 */
SOON_API int soon_rwlock_unlock(soon_rwlock *lock) SOON_ON_CORE;

/*
 * Return whether the running task has the lock, to read or to write, for assertions.
 * Affinity: core. Suspends: never.
 */
SOON_API bool soon_rwlock_is_reading(const soon_rwlock *lock);
SOON_API bool soon_rwlock_is_writing(const soon_rwlock *lock);

/* Unlocks `lock`, which the running task has locked, on every way out of the block. */
#define SOON_RWLOCK_OWN(lock)                                                                      \
	soon_rwlock *SOON__UNIQUE(soon__own) __attribute__((cleanup(soon__rwlock_left), unused)) = \
		(lock)
SOON_API void soon__rwlock_left(soon_rwlock **lock) SOON_ON_CORE;

#ifdef __cplusplus
}
#endif

#endif
