// SPDX-License-Identifier: Apache-2.0
/*
 * cond.c: the condition of tasks.
 *
 * A signalled task is not woken to ask for its mutex: the signal gives it the mutex or puts it into
 * the mutex's queue, so that a broadcast to a thousand wakes one at a time. From then on a cancel
 * comes too late: the wait ends with the mutex, and with success. A task that is cancelled before
 * any signal asks for the mutex itself, in a wait that no cancel ends.
 */
#include <soon/mutex.h>

#include "mutex.h"

struct __attribute__((may_alias)) soon__cond {
	struct soon__waitq queue;
};

_Static_assert(sizeof(struct soon__cond) <= sizeof(soon_cond), "a condition fits its storage");

struct cond_wait {
	struct soon__queued queued;
	struct soon__mutex *mutex;
};

static struct cond_wait *cond_wait_of(struct soon__queued *queued)
{
	return SOON_CONTAINER_OF(queued, struct cond_wait, queued);
}

static enum soon__abort cond_abort(struct soon__wait *wait)
{
	struct soon__queued *queued = SOON_CONTAINER_OF(wait, struct soon__queued, wait);

	if (queued->waiter.queue == &cond_wait_of(queued)->mutex->queue)
		return SOON__ABORT_PENDING;
	return soon__queued_abort(wait);
}

static SOON_COLD int refuse_without_mutex(const struct soon__mutex *mutex)
{
	soon_report_file(SOON_REPORT_ERROR, -EPERM,
		"soon_cond_wait: task '%s' does not have the mutex that it would give up; %s",
		soon_task_name(NULL), mutex->owner ? "another task has" : "it is free");
	return -EPERM;
}

void soon_cond_init(soon_cond *cond)
{
	*cond = (soon_cond)SOON_COND_INIT;
}

int soon_cond_wait(soon_cond *storage, soon_mutex *mutex)
{
	struct soon__cond *cond = (struct soon__cond *)storage;
	struct cond_wait self = {
		.queued.wait = { .abort = cond_abort, .what = "cond wait" },
		.mutex = soon__mutex_of(mutex),
	};
	int rc = soon__checkpoint("cond_wait");
	int relock_rc;

	if (rc < 0)
		return rc;
	if (!soon__mutex_is_owner(self.mutex, soon__task_self()))
		return refuse_without_mutex(self.mutex);
	rc = soon__waitq_enter(&cond->queue, false, "cond_wait");
	if (rc < 0)
		return rc;
	/* Nobody may have waited for it yet, but from here on this task refers to it. */
	soon__waitq_claim(&self.mutex->queue);
	soon__mutex_pass(self.mutex);
	rc = (int)soon__queued_park(&cond->queue, &self.queued);
	if (rc != -ECANCELED)
		return rc;
	relock_rc = soon__mutex_relock(self.mutex, "cond_wait");
	return relock_rc < 0 ? relock_rc : rc;
}

static bool signal_one(struct soon__cond *cond)
{
	struct soon__waiter *waiter = soon__waitq_pop(&cond->queue);
	struct soon__queued *queued;

	if (!waiter)
		return false;
	queued = soon__queued_of(waiter);
	soon__mutex_admit(cond_wait_of(queued)->mutex, queued, "cond_signal");
	return true;
}

int soon_cond_signal(soon_cond *storage)
{
	struct soon__cond *cond = (struct soon__cond *)storage;
	int rc = soon__waitq_enter(&cond->queue, false, "cond_signal");

	if (rc < 0)
		return rc;
	(void)signal_one(cond);
	return 0;
}

int soon_cond_broadcast(soon_cond *storage)
{
	struct soon__cond *cond = (struct soon__cond *)storage;
	int rc = soon__waitq_enter(&cond->queue, false, "cond_broadcast");

	if (rc < 0)
		return rc;
	while (signal_one(cond))
		;
	return 0;
}
