// SPDX-License-Identifier: Apache-2.0
/*
 * waitq.h: tasks that wait for one object, first come, first served.
 *
 * Mutexes, semaphores, channels and their like are values in the user's memory, often static. Each
 * contains a soon__waitq, which is all zero while it is new, so that no function needs to be called
 * before the first use. It also says whose the object is: an object belongs to one run, and so to
 * one core and one thread, and must not be touched by another.
 *
 *   adopted    by the run that used it last, while it holds something (a locked mutex) or has
 *              waiters; an idle object may move on.
 *   contended  somebody has waited: from then on, the object belongs to that run to its end.
 *
 * A run that finds the object of another one is refused with -EPERM; what an ended run left behind
 * is -EOWNERDEAD until the object is initialised again; what it left idle is taken over.
 *
 * A place in a queue (soon__waiter) is in the frame of the task that waits, which may wait in
 * several queues at once. What to wake whom for is the object's business.
 */
#ifndef CORE_WAITQ_H
#define CORE_WAITQ_H

#include "core/spi/park.h"

#include "core.h"

struct soon__waiter;

/* In the user's object. All zero: empty, nobody's. */
struct soon__waitq {
	struct soon__waiter *head, *tail; /* the longest waiting first */
	uint64_t run_id;                  /* whose it is; 0: nobody's */
	const soon_site *site; /* spawn of the first task that waited; NULL: not contended yet */
};

/* One place in one queue. */
struct soon__waiter {
	struct soon__waiter *next, *prev;
	struct soon__waitq *queue; /* NULL while it is in none */
	struct soon__wait *wait;   /* whose end it is */
};

/* A wait in one queue; soon__queued_abort() ends it. Objects put their own fields behind it. */
struct soon__queued {
	struct soon__wait wait;
	struct soon__waiter waiter;
};

/* What soon__waitq_enter() does when there is more to it than a look. */
SOON_COLD int soon__waitq_enter_slow(
	struct soon__waitq *queue, bool is_held, const soon_site *holder, const char *what);

/*
 * To be called before the object is read or written: makes it the running core's.
 * `is_held` says whether it is more than idle, apart from waiters. `what` is the call, for reports.
 * Errors, each with a report: -EPERM not on a core, or on another one than the object's;
 * -EOWNERDEAD an ended run left it in use.
 */
static inline int soon__waitq_enter(struct soon__waitq *queue, bool is_held, const char *what)
{
	const soon_core *core = soon__core;

	if (SOON_LIKELY(core && queue->run_id == core->run_id))
		return 0;
	return soon__waitq_enter_slow(queue, is_held, NULL, what);
}

/* The same where the object knows the spawn of who holds it, for reports; NULL if it does not. */
static inline int soon__waitq_enter_held(
	struct soon__waitq *queue, bool is_held, const soon_site *holder, const char *what)
{
	const soon_core *core = soon__core;

	if (SOON_LIKELY(core && queue->run_id == core->run_id))
		return 0;
	return soon__waitq_enter_slow(queue, is_held, holder, what);
}

/* What soon__waitq_look() does when there is more to it than a look. */
SOON_COLD bool soon__waitq_look_slow(
	const struct soon__waitq *queue, bool is_held, const char *what);

/*
 * To be called before the object is only read: false, with a report, when another core has it in
 * use. Whose it is does not change. For calls that give no errno, and then the value of an object
 * that is new.
 */
static inline bool soon__waitq_look(const struct soon__waitq *queue, bool is_held, const char *what)
{
	const soon_core *core = soon__core;

	if (SOON_LIKELY(core && queue->run_id == core->run_id))
		return true;
	return soon__waitq_look_slow(queue, is_held, what);
}

/* Whether soon__checkpoint_inline() has nothing to do but count. */
static inline bool soon__waitq_is_quick(const soon_core *core, const soon_task *task)
{
	return !soon__task_is_cancelled(task) && core->sched.inline_left > 0;
}

/*
 * Entry of a call that may finish without parking: soon__checkpoint_inline() without a call while
 * that has nothing to do but count.
 */
static inline int soon__waitq_checkpoint(const char *what)
{
	const soon_task *task = soon__task_self();

	if (SOON_UNLIKELY(!task || !soon__waitq_is_quick(soon__core, task)))
		return soon__checkpoint_inline(what);
	soon__core->sched.inline_left--;
	return 0;
}

static inline bool soon__waitq_is_empty(const struct soon__waitq *queue)
{
	return !queue->head;
}

/* Makes the object this run's for good, as a wait does. It has been entered; in a task. */
static inline void soon__waitq_claim(struct soon__waitq *queue)
{
	SOON_ASSERT(queue->run_id == soon__core->run_id);
	if (!queue->site)
		queue->site = soon__core->sched.current->site;
}

/* Puts a waiter, whose `wait` is set, at the end; the object becomes this run's for good. */
void soon__waitq_push(struct soon__waitq *queue, struct soon__waiter *waiter);

/* Takes a waiter out of its queue; nothing happens when it is in none. */
void soon__waitq_remove(struct soon__waiter *waiter);

/* Takes out the one that waited longest; NULL when there is none. */
struct soon__waiter *soon__waitq_pop(struct soon__waitq *queue);

static inline struct soon__queued *soon__queued_of(struct soon__waiter *waiter)
{
	return SOON_CONTAINER_OF(waiter, struct soon__queued, waiter);
}

/* The abort of a wait that lies in a soon__queued: leaves the queue. */
enum soon__abort soon__queued_abort(struct soon__wait *wait);

/*
 * Parks at the end of the queue until somebody takes the waiter out and unparks its wait. The
 * caller has set wait.what, and wait.abort unless the wait cannot be cancelled.
 */
ssize_t soon__queued_park(struct soon__waitq *queue, struct soon__queued *queued);

/* Ends the wait of a waiter that has been taken out: `rc` is what its call goes on with. */
static inline void soon__queued_wake(struct soon__waiter *waiter, ssize_t rc)
{
	SOON_ASSERT(!waiter->queue);
	soon__unpark(waiter->wait, rc);
}

#endif
