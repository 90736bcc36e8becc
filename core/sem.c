// SPDX-License-Identifier: Apache-2.0
/*
 * sem.c: the semaphore. Who waits first is served first: whoever asks for many is not passed by
 * those who ask for few, so it gets them in the end.
 */
#include <soon/sem.h>

#include "waitq.h"

struct __attribute__((may_alias)) soon__sem {
	uint64_t count; /* first: the initialiser sets it */
	struct soon__waitq queue;
};

_Static_assert(sizeof(struct soon__sem) <= sizeof(soon_sem), "a semaphore fits its storage");

struct sem_wait {
	struct soon__queued queued;
	uint32_t count;
};

static struct soon__sem *sem_of(soon_sem *sem)
{
	return (struct soon__sem *)sem;
}

/* Serves waiters as far as the permits go; called whenever these, or the first waiter, change. */
static void serve(struct soon__sem *sem)
{
	struct soon__waiter *first;

	while ((first = sem->queue.head) != NULL) {
		const struct sem_wait *wait =
			SOON_CONTAINER_OF(soon__queued_of(first), struct sem_wait, queued);

		if (wait->count > sem->count)
			return;
		sem->count -= wait->count;
		soon__waitq_remove(first);
		soon__queued_wake(first, 0);
	}
}

static enum soon__abort sem_abort(struct soon__wait *wait)
{
	struct soon__waiter *waiter = &SOON_CONTAINER_OF(wait, struct soon__queued, wait)->waiter;
	struct soon__sem *sem = SOON_CONTAINER_OF(waiter->queue, struct soon__sem, queue);

	soon__waitq_remove(waiter);
	serve(sem);
	return SOON__ABORT_DONE;
}

static bool take(struct soon__sem *sem, uint32_t count)
{
	if (sem->queue.head || sem->count < count)
		return false;
	sem->count -= count;
	return true;
}

/* Apart, so that a call which need not wait does not clear a wait first. */
static __attribute__((noinline)) int wait_for(struct soon__sem *sem, uint32_t count)
{
	struct sem_wait self = {
		.queued.wait = { .abort = sem_abort, .what = "sem acquire" },
		.count = count,
	};

	return (int)soon__queued_park(&sem->queue, &self.queued);
}

void soon_sem_init(soon_sem *sem, uint32_t permits)
{
	*sem = (soon_sem)SOON_SEM_INIT(permits);
}

int soon_sem_acquire(soon_sem *storage, uint32_t count)
{
	struct soon__sem *sem = sem_of(storage);
	int rc = soon__waitq_checkpoint("sem_acquire");

	if (rc < 0)
		return rc;
	rc = soon__waitq_enter(&sem->queue, false, "sem_acquire");
	if (rc < 0 || take(sem, count))
		return rc;
	return wait_for(sem, count);
}

int soon_sem_try_acquire(soon_sem *storage, uint32_t count)
{
	struct soon__sem *sem = sem_of(storage);
	int rc = soon__waitq_enter(&sem->queue, false, "sem_try_acquire");

	if (rc < 0)
		return rc;
	return take(sem, count) ? 0 : -EAGAIN;
}

int soon_sem_release(soon_sem *storage, uint32_t count)
{
	struct soon__sem *sem = sem_of(storage);
	int rc = soon__waitq_enter(&sem->queue, false, "sem_release");

	if (rc < 0)
		return rc;
	if (count > SOON_SEM_MAX - sem->count) {
		soon_report_file(SOON_REPORT_ERROR, -EOVERFLOW,
			"soon_sem_release: task '%s' adds %u permits to %ju, more than fit",
			soon_task_name(NULL), count, (uintmax_t)sem->count);
		return -EOVERFLOW;
	}
	sem->count += count;
	serve(sem);
	return 0;
}

uint32_t soon_sem_count(const soon_sem *sem)
{
	const struct soon__sem *self = (const struct soon__sem *)sem;

	return soon__waitq_look(&self->queue, false, "sem_count") ? (uint32_t)self->count : 0;
}
