// SPDX-License-Identifier: Apache-2.0
/*
 * handshake.c: the handshake.
 *
 * A task that signals goes through up to three stages: somebody has to await for the first time,
 * the signal has to be taken, the taker has to come back. All who signal are in one queue and know
 * their stage, which the awaiting task moves on: it is the only one that ends their waits. So it is
 * the one they are shown to wait for, until it has ended.
 */
#include <soon/handshake.h>

#include "waitq.h"

#include <stdatomic.h>

struct __attribute__((may_alias)) soon__handshake {
	struct soon__waitq signallers;
	struct soon__wait *awaiter; /* from its park until it runs again */
	uint64_t awaited_in;        /* the run in which somebody awaited last */
	const soon_task *taker;     /* who awaited last; of that run */
	uint64_t taker_id;
	bool is_set;
};

_Static_assert(
	sizeof(struct soon__handshake) <= sizeof(soon_handshake), "a handshake fits its storage");

enum stage {
	STAGE_EARLY, /* nobody has awaited yet: not signalled */
	STAGE_GIVEN, /* signalled, and not taken */
	STAGE_TAKEN, /* its taker has not come back */
};

struct signal_wait {
	struct soon__queued queued;
	enum stage stage;
};

static struct soon__handshake *handshake_of(soon_handshake *handshake)
{
	return (struct soon__handshake *)handshake;
}

void soon_handshake_init(soon_handshake *handshake)
{
	*handshake = (soon_handshake)SOON_HANDSHAKE_INIT;
}

static int enter(struct soon__handshake *handshake, const char *what)
{
	return soon__waitq_enter(&handshake->signallers, handshake->awaiter != NULL, what);
}

static struct signal_wait *signal_of(struct soon__waiter *waiter)
{
	return SOON_CONTAINER_OF(soon__queued_of(waiter), struct signal_wait, queued);
}

/* For the wait-for graph. */
static const soon_task *taker_of_signal(const struct soon__wait *wait)
{
	/* The wait is what a soon__queued begins with. */
	const struct soon__queued *queued = (const struct soon__queued *)(const void *)wait;
	struct soon__waitq *queue = queued->waiter.queue;
	const struct soon__handshake *handshake;

	if (!queue)
		return NULL;
	handshake = SOON_CONTAINER_OF(queue, struct soon__handshake, signallers);
	if (handshake->awaited_in != queue->run_id || handshake->taker->id != handshake->taker_id ||
		handshake->taker->state == SOON__TASK_ENDED)
		return NULL;
	return handshake->taker;
}

/* The awaiting task is here: what it took last is dealt with, and who came too early signals. */
static void arrive(struct soon__handshake *handshake)
{
	struct soon__waiter *next;

	handshake->taker = soon__core->sched.current;
	handshake->taker_id = handshake->taker->id;
	atomic_signal_fence(memory_order_release); /* a dump may look for the taker at any time */
	handshake->awaited_in = soon__core->run_id;
	for (struct soon__waiter *waiter = handshake->signallers.head; waiter; waiter = next) {
		struct signal_wait *signal = signal_of(waiter);

		next = waiter->next;
		if (signal->stage == STAGE_TAKEN) {
			soon__waitq_remove(waiter);
			soon__queued_wake(waiter, 0);
		} else if (signal->stage == STAGE_EARLY) {
			signal->stage = STAGE_GIVEN;
			handshake->is_set = true;
		}
	}
}

static void take(struct soon__handshake *handshake)
{
	SOON_ASSERT(handshake->is_set);
	handshake->is_set = false;
	for (struct soon__waiter *waiter = handshake->signallers.head; waiter;
		waiter = waiter->next) {
		SOON_ASSERT(signal_of(waiter)->stage == STAGE_GIVEN);
		signal_of(waiter)->stage = STAGE_TAKEN;
	}
}

/* Signals; returns how far that has come: to a task that waits for it, or not yet. */
static enum stage give(struct soon__handshake *handshake)
{
	if (handshake->awaiter && !handshake->awaiter->is_unparked) {
		soon__unpark(handshake->awaiter, 0);
		return STAGE_TAKEN;
	}
	handshake->is_set = true;
	return STAGE_GIVEN;
}

static SOON_COLD int await_twice(const struct soon__wait *first)
{
	soon_report_file(SOON_REPORT_ERROR, -EBUSY,
		"soon_handshake_await: task '%s' awaits already, and task '%s' would take its "
		"signals",
		first->task->name, soon_task_name(NULL));
	return -EBUSY;
}

/* Nobody else knows the wait but by `awaiter`, which is tested with `is_unparked`. */
static enum soon__abort await_abort(struct soon__wait *wait)
{
	(void)wait;
	return SOON__ABORT_DONE;
}

int soon_handshake_await(soon_handshake *storage)
{
	struct soon__handshake *handshake = handshake_of(storage);
	struct soon__wait wait = { .abort = await_abort, .what = "handshake await" };
	int rc = soon__waitq_checkpoint("handshake_await");

	if (rc < 0)
		return rc;
	rc = enter(handshake, "handshake_await");
	if (rc < 0)
		return rc;
	if (SOON_UNLIKELY(handshake->awaiter != NULL))
		return await_twice(handshake->awaiter);
	arrive(handshake);
	if (handshake->is_set) {
		take(handshake);
		return 0;
	}
	soon__waitq_claim(&handshake->signallers);
	handshake->awaiter = &wait;
	rc = (int)soon__park(&wait);
	handshake->awaiter = NULL;
	return rc;
}

int soon_handshake_signal(soon_handshake *storage)
{
	struct soon__handshake *handshake = handshake_of(storage);
	struct signal_wait self = {
		.queued.wait = { .abort = soon__queued_abort,
			.what = "handshake signal",
			.holder = taker_of_signal },
		.stage = STAGE_EARLY,
	};
	int rc = soon__checkpoint("handshake_signal");

	if (rc < 0)
		return rc;
	rc = enter(handshake, "handshake_signal");
	if (rc < 0)
		return rc;
	if (handshake->awaited_in == soon__core->run_id)
		self.stage = give(handshake);
	return (int)soon__queued_park(&handshake->signallers, &self.queued);
}

int soon_handshake_signal_nowait(soon_handshake *storage)
{
	struct soon__handshake *handshake = handshake_of(storage);
	int rc = enter(handshake, "handshake_signal_nowait");

	if (rc < 0)
		return rc;
	(void)give(handshake); /* how far it has come is of no interest */
	return 0;
}

bool soon_handshake_is_set(const soon_handshake *handshake)
{
	const struct soon__handshake *self = (const struct soon__handshake *)handshake;

	return soon__waitq_look(&self->signallers, self->awaiter != NULL, "handshake_is_set")
		? self->is_set
		: false;
}
