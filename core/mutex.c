// SPDX-License-Identifier: Apache-2.0
/*
 * mutex.c: the mutex of tasks. It is handed on, not freed, while somebody waits: so nobody is
 * overtaken, and a task that was handed it keeps it, whatever cancel comes before it runs.
 */
#include "mutex.h"

static void take(struct soon__mutex *mutex, soon_task *task)
{
	mutex->owner = task;
	mutex->owner_id = task->id;
	mutex->owner_site = task->site;
	task->locks_held++;
}

static void release(struct soon__mutex *mutex)
{
	mutex->owner->locks_held--;
	mutex->owner = NULL;
}

/* Whether the owner, which is of this run, has ended; another task may live in its place. */
static bool is_owner_dead(const struct soon__mutex *mutex)
{
	return mutex->owner->id != mutex->owner_id || mutex->owner->state == SOON__TASK_ENDED;
}

static int enter(struct soon__mutex *mutex, const char *what)
{
	return soon__waitq_enter_held(&mutex->queue, mutex->owner != NULL, mutex->owner_site, what);
}

/* For the wait-for graph. */
static const soon_task *mutex_holder(const struct soon__wait *wait)
{
	/* The wait is what a soon__queued begins with. */
	const struct soon__queued *queued = (const struct soon__queued *)(const void *)wait;
	struct soon__waitq *queue = queued->waiter.queue;
	const struct soon__mutex *mutex;

	if (!queue)
		return NULL;
	mutex = SOON_CONTAINER_OF(queue, struct soon__mutex, queue);
	return mutex->owner && !is_owner_dead(mutex) ? mutex->owner : NULL;
}

/* `asker` would have got it: the caller, or a task that is being admitted by a signal. */
static SOON_COLD int refuse_dead(
	const struct soon__mutex *mutex, const soon_task *asker, const char *what)
{
	soon_report_file(SOON_REPORT_ERROR, -EOWNERDEAD,
		"soon_%s: a task '%s', spawned at %s:%d, ended and left the mutex locked; task "
		"'%s' will not get it before soon_mutex_init",
		what, mutex->owner_site->what, mutex->owner_site->file, mutex->owner_site->line,
		asker->name);
	return -EOWNERDEAD;
}

static SOON_COLD int refuse_relock(const soon_task *self)
{
	soon_report_file(SOON_REPORT_ERROR, -EDEADLK,
		"soon_mutex_lock: task '%s', spawned at %s:%d, has the mutex and would wait for "
		"itself",
		self->name, self->site->file, self->site->line);
	return -EDEADLK;
}

static SOON_COLD int refuse_unlock(struct soon__mutex *mutex)
{
	const soon_task *self = soon__task_self();
	int rc = self ? enter(mutex, "mutex_unlock") : -EPERM;

	if (!self)
		soon_report_file(SOON_REPORT_ERROR, -EPERM,
			"soon_mutex_unlock: must be called in the task that locked the mutex; "
			"none runs here");
	if (rc < 0)
		return rc;
	if (!mutex->owner)
		soon_report_file(SOON_REPORT_ERROR, -EPERM,
			"soon_mutex_unlock: task '%s' unlocks a mutex that is free", self->name);
	else
		soon_report_file(SOON_REPORT_ERROR, -EPERM,
			"soon_mutex_unlock: task '%s' unlocks what was locked by a task '%s', "
			"spawned at %s:%d, which %s",
			self->name, mutex->owner_site->what, mutex->owner_site->file,
			mutex->owner_site->line, is_owner_dead(mutex) ? "has ended" : "goes on");
	return -EPERM;
}

static ssize_t wait_for(struct soon__mutex *mutex, enum soon__abort (*abort)(struct soon__wait *))
{
	struct soon__queued queued = {
		.wait = { .abort = abort, .what = "mutex lock", .holder = mutex_holder },
	};
	ssize_t rc = soon__queued_park(&mutex->queue, &queued);

	if (rc == 0)
		SOON_ASSERT(soon__mutex_is_owner(mutex, soon__task_self()));
	return rc;
}

static __attribute__((noinline)) int lock_slow(struct soon__mutex *mutex)
{
	int rc = soon__waitq_checkpoint("mutex_lock");
	soon_task *self;

	if (rc < 0)
		return rc;
	rc = enter(mutex, "mutex_lock");
	if (rc < 0)
		return rc;
	self = soon__core->sched.current;
	if (!mutex->owner) {
		take(mutex, self);
		return 0;
	}
	if (soon__mutex_is_owner(mutex, self))
		return refuse_relock(self);
	if (is_owner_dead(mutex))
		return refuse_dead(mutex, self, "mutex_lock");
	return (int)wait_for(mutex, soon__queued_abort);
}

void soon_mutex_init(soon_mutex *mutex)
{
	*mutex = (soon_mutex)SOON_MUTEX_INIT;
}

/* Locks what is free without a call, so that nothing has to be saved for one. */
int soon_mutex_lock(soon_mutex *storage)
{
	struct soon__mutex *mutex = soon__mutex_of(storage);
	soon_core *core = soon__core;
	soon_task *self = soon__task_self();

	if (SOON_UNLIKELY(!self || !soon__waitq_is_quick(core, self)))
		return lock_slow(mutex);
	if (SOON_UNLIKELY(mutex->owner || mutex->queue.run_id != core->run_id))
		return lock_slow(mutex);
	core->sched.inline_left--;
	take(mutex, self);
	return 0;
}

int soon_mutex_try_lock(soon_mutex *storage)
{
	struct soon__mutex *mutex = soon__mutex_of(storage);
	soon_task *self = soon__task_self();
	int rc;

	if (!self) {
		soon_report_file(
			SOON_REPORT_ERROR, -EPERM, "soon_mutex_try_lock: must be called in a task");
		return -EPERM;
	}
	rc = enter(mutex, "mutex_try_lock");
	if (rc < 0)
		return rc;
	if (!mutex->owner) {
		take(mutex, self);
		return 0;
	}
	return is_owner_dead(mutex) ? refuse_dead(mutex, self, "mutex_try_lock") : -EAGAIN;
}

void soon__mutex_pass(struct soon__mutex *mutex)
{
	struct soon__waiter *next = soon__waitq_pop(&mutex->queue);

	release(mutex);
	if (next) {
		take(mutex, next->wait->task);
		soon__queued_wake(next, 0);
	}
}

static __attribute__((noinline)) int unlock_slow(struct soon__mutex *mutex)
{
	const soon_task *self = soon__task_self();

	if (!self || !soon__mutex_is_owner(mutex, self))
		return refuse_unlock(mutex);
	soon__mutex_pass(mutex);
	return 0;
}

int soon_mutex_unlock(soon_mutex *storage)
{
	struct soon__mutex *mutex = soon__mutex_of(storage);
	soon_task *self = soon__task_self();

	if (SOON_UNLIKELY(!self || !soon__mutex_is_owner(mutex, self) || mutex->queue.head))
		return unlock_slow(mutex);
	release(mutex);
	return 0;
}

bool soon_mutex_is_held(const soon_mutex *storage)
{
	const soon_task *self = soon__task_self();

	return self && soon__mutex_is_owner((const struct soon__mutex *)storage, self);
}

void soon__mutex_left(soon_mutex **mutex)
{
	(void)soon_mutex_unlock(*mutex);
}

void soon__mutex_admit(struct soon__mutex *mutex, struct soon__queued *queued, const char *what)
{
	SOON_ASSERT(queued->wait.task);
	SOON_ASSERT(mutex->queue.run_id == soon__core->run_id);
	if (!mutex->owner) {
		take(mutex, queued->wait.task);
		soon__queued_wake(&queued->waiter, 0);
	} else if (is_owner_dead(mutex)) {
		soon__queued_wake(&queued->waiter, refuse_dead(mutex, queued->wait.task, what));
	} else {
		queued->wait.what = "mutex lock";
		queued->wait.holder = mutex_holder;
		soon__waitq_push(&mutex->queue, &queued->waiter);
	}
}

int soon__mutex_relock(struct soon__mutex *mutex, const char *what)
{
	soon_task *self = soon__core->sched.current;

	if (mutex->owner && is_owner_dead(mutex))
		return refuse_dead(mutex, self, what);
	if (mutex->owner)
		return (int)wait_for(mutex, NULL);
	take(mutex, self);
	return 0;
}
