// SPDX-License-Identifier: Apache-2.0
/*
 * future.c: futures.
 *
 * A waiter lies in the frame of whoever waits, task or thread, in the list of its future. The
 * setter takes the whole list, and with that the waits are decided: it copies the result into each
 * waiter and wakes it, without touching the future any more. A waiter that was taken does not touch
 * it either. So a future may be ended as soon as anybody has seen the result, although others are
 * still being woken.
 *
 * For the same reason the locks of the lists are not in the futures: a cancel has to look whether
 * its waiter was taken, and when it was, the future may be gone. They are static, a few for all
 * futures, and nothing is called while one is held. A list without locks would not do: a cancel
 * takes its waiter out of the middle before the frame goes.
 */
#include "future.h"

#include <soon/future.h>
#include <soon/scope.h>

#include "core.h"
#include "latch.h"

#include <pthread.h>

/* One who waits. */
struct waiter {
	struct waiter *next, *prev; /* under the lock; after being taken, the setter's */
	soon_future *future;        /* may be gone when `is_listed` is false */
	bool is_listed;             /* under the lock */
	int rc;                     /* the result, from the setter */
	uint64_t value;
	soon_core *core;          /* of a task; NULL for a thread */
	struct soon__wait wait;   /* of a task */
	soon_callback wake;       /* of a task: brings the end to its core */
	struct soon__latch latch; /* of a thread */
};

struct lock {
	_Alignas(64) pthread_mutex_t mutex; /* one to a cache line */
};

#define LOCK                                                                                       \
	{                                                                                          \
		PTHREAD_MUTEX_INITIALIZER                                                          \
	}
static struct lock locks[] = { LOCK, LOCK, LOCK, LOCK, LOCK, LOCK, LOCK, LOCK };

static pthread_mutex_t *lock_of(const soon_future *future)
{
	return &locks[(uintptr_t)future / 64 % (sizeof locks / sizeof locks[0])].mutex;
}

static void lock(const soon_future *future)
{
	int rc = pthread_mutex_lock(lock_of(future));

	SOON_ASSERT(rc == 0);
}

static void unlock(const soon_future *future)
{
	int rc = pthread_mutex_unlock(lock_of(future));

	SOON_ASSERT(rc == 0);
}

static void lock_all(void)
{
	for (size_t i = 0; i < sizeof locks / sizeof locks[0]; i++)
		(void)pthread_mutex_lock(&locks[i].mutex);
}

static void unlock_all(void)
{
	for (size_t i = 0; i < sizeof locks / sizeof locks[0]; i++)
		(void)pthread_mutex_unlock(&locks[i].mutex);
}

void soon__futures_watch_forks(void)
{
	(void)pthread_atfork(lock_all, unlock_all, unlock_all);
}

/* Acquire: pairs with the release in set_locked(), so that the result can be read. */
static bool is_set(const soon_future *future)
{
	return __atomic_load_n(&future->soon__is_set, __ATOMIC_ACQUIRE) != 0;
}

bool soon_future_is_set(const soon_future *future)
{
	return is_set(future);
}

/* Takes the result of a future that is set. */
static int read_result(soon_future *future, uint64_t *ret_value)
{
	/* Relaxed: whoever ends the future knows of all readers by its own means. */
	__atomic_store_n(&future->soon__is_read, 1, __ATOMIC_RELAXED);
	if (ret_value)
		*ret_value = future->soon__value;
	return future->soon__rc;
}

int soon_future_poll(soon_future *future, uint64_t *ret_value)
{
	return is_set(future) ? read_result(future, ret_value) : -EAGAIN;
}

/* Adds a waiter to the list; false when the future has been set meanwhile. */
static bool enlist(soon_future *future, struct waiter *waiter)
{
	bool is_late;

	lock(future);
	is_late = is_set(future);
	if (!is_late) {
		waiter->future = future;
		waiter->is_listed = true;
		waiter->next = NULL;
		waiter->prev = future->soon__tail;
		if (waiter->prev)
			waiter->prev->next = waiter;
		else
			future->soon__head = waiter;
		future->soon__tail = waiter;
	}
	unlock(future);
	return !is_late;
}

static void unlink_locked(struct waiter *waiter)
{
	soon_future *future = waiter->future;

	if (waiter->prev)
		waiter->prev->next = waiter->next;
	else
		future->soon__head = waiter->next;
	if (waiter->next)
		waiter->next->prev = waiter->prev;
	else
		future->soon__tail = waiter->prev;
	waiter->is_listed = false;
}

/* Takes the waiter off its list; false when a setter has done so: the result is on its way. */
static bool delist(struct waiter *waiter)
{
	const soon_future *future = waiter->future;
	bool was_listed;

	lock(future);
	was_listed = waiter->is_listed;
	if (was_listed)
		unlink_locked(waiter);
	unlock(future);
	return was_listed;
}

static enum soon__abort future_abort(struct soon__wait *wait)
{
	return delist(SOON_CONTAINER_OF(wait, struct waiter, wait)) ? SOON__ABORT_DONE
								    : SOON__ABORT_PENDING;
}

static void wake_on_core(soon_callback *wake)
{
	struct waiter *waiter = SOON_CONTAINER_OF(wake, struct waiter, wake);

	soon__unpark(&waiter->wait, 0);
}

/* Ends one wait; the waiter's frame may be gone at the return. */
static void wake(struct waiter *waiter)
{
	int rc = 0;

	if (!waiter->core)
		soon__latch_open(&waiter->latch);
	else if (waiter->core == soon__core)
		soon__unpark(&waiter->wait, 0);
	else
		rc = soon_post(waiter->core, &waiter->wake);
	SOON_ASSERT(rc == 0); /* a core stays open while one of its tasks waits */
}

/* Sets the result, gives it to all who wait, and returns them. */
static struct waiter *set_locked(soon_future *future, int rc, uint64_t value, const soon_site *site)
{
	struct waiter *first = future->soon__head;

	future->soon__rc = rc;
	future->soon__value = value;
	future->soon__set_at = site;
	future->soon__head = NULL;
	future->soon__tail = NULL;
	for (struct waiter *waiter = first; waiter; waiter = waiter->next) {
		waiter->rc = rc;
		waiter->value = value;
		waiter->is_listed = false;
	}
	__atomic_store_n(&future->soon__is_read, first != NULL, __ATOMIC_RELAXED);
	/* Release: pairs with is_set(). From here on the future is not ours to touch. */
	__atomic_store_n(&future->soon__is_set, 1, __ATOMIC_RELEASE);
	return first;
}

static SOON_COLD int set_already(const soon_site *first, const soon_site *site)
{
	soon_report_file(SOON_REPORT_ERROR, -EALREADY,
		"soon_future_set in %s at %s:%d: the future was set already, in %s at %s:%d",
		site->func, site->file, site->line, first->func, first->file, first->line);
	return -EALREADY;
}

static SOON_COLD int set_to_cancelled(const soon_site *site)
{
	soon_report_file(SOON_REPORT_ERROR, -EIO,
		"soon_future_set in %s at %s:%d: -ECANCELED would tell a waiter that its own scope "
		"is cancelled; the future is set to -EIO",
		site->func, site->file, site->line);
	return -EIO;
}

int soon__future_set(soon_future *future, int rc, uint64_t value, const soon_site *site)
{
	struct waiter *waiter = NULL;
	const soon_site *first;
	int result = 0;

	if (SOON_UNLIKELY(rc == -ECANCELED))
		rc = result = set_to_cancelled(site);
	lock(future);
	first = future->soon__set_at;
	if (!first)
		waiter = set_locked(future, rc, value, site);
	unlock(future);
	if (SOON_UNLIKELY(first != NULL))
		return set_already(first, site);
	while (waiter) {
		struct waiter *next = waiter->next;

		wake(waiter);
		waiter = next;
	}
	return result;
}

static int wait_in_task(soon_future *future, uint64_t *ret_value)
{
	struct waiter waiter = {
		.core = soon__core,
		.wait = { .abort = future_abort, .what = "future", .is_external = true },
		.wake = { .fn = wake_on_core },
	};
	int rc = soon__checkpoint_inline("future_wait");

	if (rc < 0)
		return rc;
	if (is_set(future) || !enlist(future, &waiter))
		return read_result(future, ret_value);
	rc = (int)soon__park(&waiter.wait);
	if (rc < 0)
		return rc;
	if (ret_value)
		*ret_value = waiter.value;
	return waiter.rc;
}

static int wait_in_task_for(soon_future *future, soon_ns timeout, uint64_t *ret_value)
{
	SOON_ASSERT_TASK();
	return (int)soon_within(timeout, wait_in_task(future, ret_value));
}

/* Leaves the list when the time is over, unless a setter took the waiter from it before. */
static int wait_in_thread(soon_future *future, soon_ns timeout, uint64_t *ret_value)
{
	struct waiter waiter = { 0 };

	if (!enlist(future, &waiter))
		return read_result(future, ret_value);
	if (!soon__latch_wait(&waiter.latch, soon__latch_deadline(timeout))) {
		if (delist(&waiter))
			return -ETIMEDOUT;
		(void)soon__latch_wait(&waiter.latch, SOON_NEVER); /* it is on its way */
	}
	if (ret_value)
		*ret_value = waiter.value;
	return waiter.rc;
}

static SOON_COLD int refuse_on_core(void)
{
	soon_report_file(SOON_REPORT_ERROR, -EDEADLK,
		"soon_future_wait: a callback on the core's own stack would block all its tasks; "
		"wait in a task, or poll");
	return -EDEADLK;
}

int soon_future_wait(soon_future *future, uint64_t *ret_value)
{
	return soon_future_wait_for(future, SOON_NEVER, ret_value);
}

int soon_future_wait_for(soon_future *future, soon_ns timeout, uint64_t *ret_value)
{
	if (soon__task_self()) {
		if (timeout == SOON_NEVER || is_set(future))
			return wait_in_task(future, ret_value);
		return wait_in_task_for(future, timeout, ret_value);
	}
	if (is_set(future))
		return read_result(future, ret_value);
	if (SOON_UNLIKELY(soon__core))
		return refuse_on_core();
	if (timeout <= 0)
		return -ETIMEDOUT;
	return wait_in_thread(future, timeout, ret_value);
}

void soon_future_fini(soon_future *future)
{
	bool is_waited;

	if (!future)
		return;
	lock(future);
	is_waited = future->soon__head != NULL;
	unlock(future);
	if (SOON_UNLIKELY(is_waited))
		soon_die("soon_future_fini: somebody still waits for the future");
	if (future->soon__rc < 0 && !__atomic_load_n(&future->soon__is_read, __ATOMIC_RELAXED))
		soon_report_file(SOON_REPORT_ERROR, future->soon__rc,
			"soon_future_fini: nobody has read the future's failure, set in %s at "
			"%s:%d",
			future->soon__set_at->func, future->soon__set_at->file,
			future->soon__set_at->line);
	*future = (soon_future){ 0 };
}
