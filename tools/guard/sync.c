// SPDX-License-Identifier: Apache-2.0
/*
 * sync.c: calls that wait for other threads. A lock that is free is no wait, so locks are tried
 * first, and found only when somebody has them. When that is another task of the same core, it is
 * for ever: the report is the last that is heard of the core.
 */
#include "guard.h"

#include <pthread.h>
#include <semaphore.h>
#include <threads.h>
#include <time.h>

GUARD_API int pthread_mutex_lock(pthread_mutex_t *mutex)
{
	if (guard_is_on()) {
		int rc = pthread_mutex_trylock(mutex);

		if (rc != EBUSY)
			return rc;
		GUARD_FOUND("pthread_mutex_lock", USE_SYNC);
	}
	return GUARD_REAL(pthread_mutex_lock)(mutex);
}

GUARD_API int pthread_mutex_timedlock(pthread_mutex_t *mutex, const struct timespec *until)
{
	if (guard_is_on()) {
		int rc = pthread_mutex_trylock(mutex);

		if (rc != EBUSY)
			return rc;
		GUARD_FOUND("pthread_mutex_timedlock", USE_SYNC);
	}
	return GUARD_REAL(pthread_mutex_timedlock)(mutex, until);
}

GUARD_API int pthread_rwlock_rdlock(pthread_rwlock_t *lock)
{
	if (guard_is_on()) {
		int rc = pthread_rwlock_tryrdlock(lock);

		if (rc != EBUSY)
			return rc;
		GUARD_FOUND("pthread_rwlock_rdlock", USE_SYNC);
	}
	return GUARD_REAL(pthread_rwlock_rdlock)(lock);
}

GUARD_API int pthread_rwlock_wrlock(pthread_rwlock_t *lock)
{
	if (guard_is_on()) {
		int rc = pthread_rwlock_trywrlock(lock);

		if (rc != EBUSY)
			return rc;
		GUARD_FOUND("pthread_rwlock_wrlock", USE_SYNC);
	}
	return GUARD_REAL(pthread_rwlock_wrlock)(lock);
}

GUARD_API int mtx_lock(mtx_t *mutex)
{
	if (guard_is_on()) {
		int rc = mtx_trylock(mutex);

		if (rc != thrd_busy)
			return rc;
		GUARD_FOUND("mtx_lock", USE_SYNC);
	}
	return GUARD_REAL(mtx_lock)(mutex);
}

GUARD_API int sem_wait(sem_t *sem)
{
	if (guard_is_on()) {
		if (sem_trywait(sem) == 0)
			return 0;
		GUARD_FOUND("sem_wait", USE_SYNC);
	}
	return GUARD_REAL(sem_wait)(sem);
}

GUARD_API int sem_timedwait(sem_t *sem, const struct timespec *until)
{
	if (guard_is_on()) {
		if (sem_trywait(sem) == 0)
			return 0;
		GUARD_FOUND("sem_timedwait", USE_SYNC);
	}
	return GUARD_REAL(sem_timedwait)(sem, until);
}

/* The first ones of these names in libc are of 2002, and have another layout. */
#define COND_VERSION "GLIBC_2.3.2"

GUARD_API int pthread_cond_wait(pthread_cond_t *cond, pthread_mutex_t *mutex)
{
	if (guard_is_on())
		GUARD_FOUND("pthread_cond_wait", USE_SYNC);
	return GUARD_REAL_VERSION(pthread_cond_wait, COND_VERSION)(cond, mutex);
}

GUARD_API int pthread_cond_timedwait(
	pthread_cond_t *cond, pthread_mutex_t *mutex, const struct timespec *until)
{
	if (guard_is_on())
		GUARD_FOUND("pthread_cond_timedwait", USE_SYNC);
	return GUARD_REAL_VERSION(pthread_cond_timedwait, COND_VERSION)(cond, mutex, until);
}

GUARD_API int cnd_wait(cnd_t *cond, mtx_t *mutex)
{
	if (guard_is_on())
		GUARD_FOUND("cnd_wait", USE_SYNC);
	return GUARD_REAL(cnd_wait)(cond, mutex);
}

GUARD_API int pthread_barrier_wait(pthread_barrier_t *barrier)
{
	if (guard_is_on())
		GUARD_FOUND("pthread_barrier_wait", USE_SYNC);
	return GUARD_REAL(pthread_barrier_wait)(barrier);
}

/* A thread that has ended is joined at once, but it was started to be waited for. */
GUARD_API int pthread_join(pthread_t thread, void **ret_value)
{
	if (guard_is_on())
		GUARD_FOUND("pthread_join", USE_OFFLOAD);
	return GUARD_REAL(pthread_join)(thread, ret_value);
}

GUARD_API int thrd_join(thrd_t thread, int *ret_value)
{
	if (guard_is_on())
		GUARD_FOUND("thrd_join", USE_OFFLOAD);
	return GUARD_REAL(thrd_join)(thread, ret_value);
}
