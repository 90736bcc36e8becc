// SPDX-License-Identifier: Apache-2.0
/*
 * barrier.c: the barrier. The last one to come never waits, so a round is over before anybody goes
 * on, and who comes back early is in the next one.
 */
#include <soon/event.h>

#include "waitq.h"

struct __attribute__((may_alias)) soon__barrier {
	uint64_t parties; /* first: the initialiser sets it */
	struct soon__waitq queue;
	uint32_t waiting; /* in the queue */
	bool is_aborted;
};

_Static_assert(sizeof(struct soon__barrier) <= sizeof(soon_barrier), "a barrier fits its storage");

static struct soon__barrier *barrier_of(soon_barrier *barrier)
{
	return (struct soon__barrier *)barrier;
}

static enum soon__abort barrier_abort(struct soon__wait *wait)
{
	struct soon__waiter *waiter = &SOON_CONTAINER_OF(wait, struct soon__queued, wait)->waiter;

	SOON_CONTAINER_OF(waiter->queue, struct soon__barrier, queue)->waiting--;
	return soon__queued_abort(wait);
}

/* Ends the wait of all who came. */
static void let_go(struct soon__barrier *barrier, int rc)
{
	struct soon__waiter *waiter;

	while ((waiter = soon__waitq_pop(&barrier->queue)) != NULL) {
		barrier->waiting--;
		soon__queued_wake(waiter, rc);
	}
	SOON_ASSERT(barrier->waiting == 0);
}

void soon_barrier_init(soon_barrier *barrier, uint32_t parties)
{
	*barrier = (soon_barrier)SOON_BARRIER_INIT(parties);
}

int soon_barrier_wait(soon_barrier *storage)
{
	struct soon__barrier *barrier = barrier_of(storage);
	struct soon__queued self = { .wait = { .abort = barrier_abort, .what = "barrier wait" } };
	int rc = soon__waitq_checkpoint("barrier_wait");

	if (rc < 0)
		return rc;
	rc = soon__waitq_enter(&barrier->queue, false, "barrier_wait");
	if (rc < 0)
		return rc;
	if (barrier->is_aborted)
		return -EPIPE;
	if (barrier->parties == 0) {
		soon_report_file(SOON_REPORT_ERROR, -EINVAL,
			"soon_barrier_wait: task '%s' waits at a barrier for nobody",
			soon_task_name(NULL));
		return -EINVAL;
	}
	if (barrier->waiting + 1 == barrier->parties) {
		let_go(barrier, 0);
		return 1;
	}
	barrier->waiting++;
	return (int)soon__queued_park(&barrier->queue, &self);
}

int soon_barrier_abort(soon_barrier *storage)
{
	struct soon__barrier *barrier = barrier_of(storage);
	int rc = soon__waitq_enter(&barrier->queue, false, "barrier_abort");

	if (rc < 0)
		return rc;
	barrier->is_aborted = true;
	let_go(barrier, -EPIPE);
	return 0;
}

int soon_barrier_reset(soon_barrier *storage)
{
	struct soon__barrier *barrier = barrier_of(storage);
	int rc = soon__waitq_enter(&barrier->queue, false, "barrier_reset");

	if (rc < 0)
		return rc;
	barrier->is_aborted = false;
	return 0;
}

uint32_t soon_barrier_waiting(const soon_barrier *barrier)
{
	const struct soon__barrier *self = (const struct soon__barrier *)barrier;

	return soon__waitq_look(&self->queue, false, "barrier_waiting") ? self->waiting : 0;
}
