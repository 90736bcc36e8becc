// SPDX-License-Identifier: Apache-2.0
/*
 * seq.c: numbered sections in order. Which numbers were used need not be remembered: all below the
 * one that is due were, and the others wait in the queue. Who is in the section that runs is known
 * for the wait-for graph only: anybody may leave it.
 */
#include <soon/handshake.h>

#include "waitq.h"

#include <inttypes.h>
#include <stdatomic.h>

struct __attribute__((may_alias)) soon__seq {
	uint64_t due; /* the section that runs, or runs next */
	struct soon__waitq queue;
	const soon_task *inside; /* who entered the section that is due; valid while is_running */
	uint64_t inside_id;
	bool is_running; /* somebody is in that section */
	bool is_broken;
};

_Static_assert(sizeof(struct soon__seq) <= sizeof(soon_seq), "a sequence fits its storage");

struct seq_wait {
	struct soon__queued queued;
	uint64_t number;
};

static struct soon__seq *seq_of(soon_seq *seq)
{
	return (struct soon__seq *)seq;
}

void soon_seq_init(soon_seq *seq)
{
	*seq = (soon_seq)SOON_SEQ_INIT;
}

/* The one that waits for a number; NULL when nobody does. */
static struct soon__waiter *find(const struct soon__seq *seq, uint64_t number)
{
	struct soon__waiter *waiter = seq->queue.head;

	while (waiter &&
		SOON_CONTAINER_OF(soon__queued_of(waiter), struct seq_wait, queued)->number !=
			number)
		waiter = waiter->next;
	return waiter;
}

/* A section will not run: none after it may. */
static void break_off(struct soon__seq *seq)
{
	struct soon__waiter *waiter;

	seq->is_broken = true;
	while ((waiter = soon__waitq_pop(&seq->queue)) != NULL)
		soon__queued_wake(waiter, -EPIPE);
}

/* For the wait-for graph. */
static const soon_task *seq_holder(const struct soon__wait *wait)
{
	/* The wait is what a soon__queued begins with. */
	const struct soon__queued *queued = (const struct soon__queued *)(const void *)wait;
	struct soon__waitq *queue = queued->waiter.queue;
	const struct soon__seq *seq;

	if (!queue)
		return NULL;
	seq = SOON_CONTAINER_OF(queue, struct soon__seq, queue);
	if (!seq->is_running || seq->inside->id != seq->inside_id ||
		seq->inside->state == SOON__TASK_ENDED)
		return NULL;
	return seq->inside;
}

static void let_in(struct soon__seq *seq, const soon_task *task)
{
	seq->inside = task;
	seq->inside_id = task->id;
	atomic_signal_fence(memory_order_release); /* a dump may look for who is inside */
	seq->is_running = true;
}

static enum soon__abort seq_abort(struct soon__wait *wait)
{
	struct soon__waiter *waiter = &SOON_CONTAINER_OF(wait, struct soon__queued, wait)->waiter;
	struct soon__seq *seq = SOON_CONTAINER_OF(waiter->queue, struct soon__seq, queue);

	soon__waitq_remove(waiter);
	break_off(seq);
	return SOON__ABORT_DONE;
}

static SOON_COLD int used_already(uint64_t number)
{
	soon_report_file(SOON_REPORT_ERROR, -EALREADY,
		"soon_seq_enter: section %" PRIu64 " is taken or over; task '%s' asks for it again",
		number, soon_task_name(NULL));
	return -EALREADY;
}

int soon_seq_enter(soon_seq *storage, uint64_t number)
{
	struct soon__seq *seq = seq_of(storage);
	struct seq_wait self = {
		.queued.wait = { .abort = seq_abort, .what = "sequence", .holder = seq_holder },
		.number = number,
	};
	int cancelled = soon__waitq_checkpoint("seq_enter");
	int rc;

	if (cancelled < 0 && cancelled != -ECANCELED)
		return cancelled;
	rc = soon__waitq_enter(&seq->queue, seq->is_running, "seq_enter");
	if (rc < 0)
		return rc;
	if (cancelled < 0) {
		break_off(seq);
		return cancelled;
	}
	if (seq->is_broken)
		return -EPIPE;
	if (number < seq->due || (number == seq->due && seq->is_running) || find(seq, number))
		return used_already(number);
	if (number == seq->due) {
		soon__waitq_claim(&seq->queue);
		let_in(seq, soon__core->sched.current);
		return 0;
	}
	return (int)soon__queued_park(&seq->queue, &self.queued);
}

int soon_seq_leave(soon_seq *storage)
{
	struct soon__seq *seq = seq_of(storage);
	struct soon__waiter *waiter;
	int rc = soon__waitq_enter(&seq->queue, seq->is_running, "seq_leave");

	if (rc < 0)
		return rc;
	if (!seq->is_running) {
		soon_report_file(SOON_REPORT_ERROR, -EPERM,
			"soon_seq_leave: no section is running; task '%s' leaves one",
			soon_task_name(NULL));
		return -EPERM;
	}
	seq->due++;
	waiter = find(seq, seq->due);
	seq->is_running = false;
	if (waiter) {
		let_in(seq, waiter->wait->task);
		soon__waitq_remove(waiter);
		soon__queued_wake(waiter, 0);
	}
	return 0;
}

bool soon_seq_is_broken(const soon_seq *seq)
{
	const struct soon__seq *self = (const struct soon__seq *)seq;

	return soon__waitq_look(&self->queue, self->is_running, "seq_is_broken") ? self->is_broken
										 : false;
}
