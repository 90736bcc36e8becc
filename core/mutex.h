// SPDX-License-Identifier: Apache-2.0
/*
 * mutex.h: the mutex, for the condition that gives it up and takes it back.
 */
#ifndef CORE_MUTEX_H
#define CORE_MUTEX_H

#include <soon/mutex.h>

#include "waitq.h"

/*
 * Lies in a soon_mutex. Whose run the owner belongs to is queue.run_id: an owner of another run is
 * never dereferenced. One of this run lies in memory that stays mapped, and its id says whether it
 * is still the same task.
 */
struct __attribute__((may_alias)) soon__mutex {
	struct soon__waitq queue;
	soon_task *owner; /* NULL: free, and then nobody waits */
	uint64_t owner_id;
	const soon_site
		*owner_site; /* its spawn: static, so good to name the owner even when gone */
};

_Static_assert(sizeof(struct soon__mutex) <= sizeof(soon_mutex), "a mutex fits its storage");

static inline struct soon__mutex *soon__mutex_of(soon_mutex *mutex)
{
	return (struct soon__mutex *)mutex;
}

/* Whether `task`, which runs, has the mutex. */
static inline bool soon__mutex_is_owner(const struct soon__mutex *mutex, const soon_task *task)
{
	return mutex->owner == task && mutex->owner_id == task->id &&
		mutex->queue.run_id == task->core->run_id;
}

/* Unlocks; the caller has it. */
void soon__mutex_pass(struct soon__mutex *mutex);

/*
 * Gives the mutex to a parked task, or has it wait for that from now on: the wait ends with 0 and
 * the mutex, or with -EOWNERDEAD and a report.
 */
void soon__mutex_admit(struct soon__mutex *mutex, struct soon__queued *queued, const char *what);

/* Locks whatever cancels there are: 0, or -EOWNERDEAD with a report. */
int soon__mutex_relock(struct soon__mutex *mutex, const char *what);

#endif
