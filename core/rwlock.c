// SPDX-License-Identifier: Apache-2.0
/*
 * rwlock.c: the read-write lock. Who comes waits behind everybody who waits, readers too; whenever
 * the state changes, the front of the queue is let in as far as it goes: one writer, or all readers
 * up to the next writer.
 *
 * Readers are counted here; which locks a task reads is noted in its record, so that there may be
 * any number of readers without memory for each, and locking twice is seen. One reader is known by
 * name as well, for the wait-for graph.
 */
#include <soon/rwlock.h>

#include "waitq.h"

_Static_assert(SOON__READS_MAX == SOON_RWLOCK_READS_MAX, "the record has that many places");

/* Lies in a soon_rwlock. Tasks are of the run in queue.run_id; see mutex.h. */
struct __attribute__((may_alias)) soon__rwlock {
	struct soon__waitq queue;
	const soon_task *writer; /* NULL: nobody writes */
	const soon_task *reader; /* one who reads; NULL: not known */
	uint64_t task_id;        /* of the writer, or of the reader */
	const soon_site *site;   /* spawn of who was let in last, for reports */
	uint32_t readers;
};

_Static_assert(sizeof(struct soon__rwlock) <= sizeof(soon_rwlock), "a lock fits its storage");

struct rwlock_wait {
	struct soon__queued queued;
	bool is_writer;
};

static struct soon__rwlock *rwlock_of(soon_rwlock *lock)
{
	return (struct soon__rwlock *)lock;
}

static bool is_gone(const soon_task *task, uint64_t id)
{
	return task->id != id || task->state == SOON__TASK_ENDED;
}

/* Whether those who have it are known to have ended: nobody will unlock. */
static bool is_dead(const struct soon__rwlock *lock)
{
	if (lock->writer)
		return is_gone(lock->writer, lock->task_id);
	return lock->readers == 1 && lock->reader && is_gone(lock->reader, lock->task_id);
}

static bool is_writer(const struct soon__rwlock *lock, const soon_task *task)
{
	return lock->writer == task && lock->task_id == task->id &&
		lock->queue.run_id == task->core->run_id;
}

/* The place in the task's record of a lock that it reads; -1 for none. */
static int read_index(const struct soon__rwlock *lock, const soon_task *task)
{
	for (int i = 0; i < task->reads_count; i++)
		if (task->reads[i] == lock)
			return i;
	return -1;
}

static int enter(struct soon__rwlock *lock, const char *what)
{
	return soon__waitq_enter_held(
		&lock->queue, lock->writer || lock->readers > 0, lock->site, what);
}

static bool can_let_in(const struct soon__rwlock *lock, bool as_writer)
{
	return !lock->writer && !(as_writer && lock->readers > 0);
}

static void let_in(struct soon__rwlock *lock, soon_task *task, bool as_writer)
{
	SOON_ASSERT(can_let_in(lock, as_writer));
	if (as_writer) {
		lock->writer = task;
	} else {
		SOON_ASSERT(task->reads_count < SOON__READS_MAX);
		task->reads[task->reads_count++] = lock;
		lock->reader = task;
		lock->readers++;
	}
	lock->task_id = task->id;
	lock->site = task->site;
	task->locks_held++;
}

/* Lets in the front of the queue, as far as it goes. */
static void serve(struct soon__rwlock *lock)
{
	struct soon__waiter *first;

	while ((first = lock->queue.head) != NULL) {
		const struct rwlock_wait *wait =
			SOON_CONTAINER_OF(soon__queued_of(first), struct rwlock_wait, queued);

		if (!can_let_in(lock, wait->is_writer))
			return;
		soon__waitq_remove(first);
		let_in(lock, first->wait->task, wait->is_writer);
		soon__queued_wake(first, 0);
	}
}

/* Readers behind a writer who gives up may be let in. */
static enum soon__abort rwlock_abort(struct soon__wait *wait)
{
	struct soon__waiter *waiter = &SOON_CONTAINER_OF(wait, struct soon__queued, wait)->waiter;
	struct soon__rwlock *lock = SOON_CONTAINER_OF(waiter->queue, struct soon__rwlock, queue);

	soon__waitq_remove(waiter);
	serve(lock);
	return SOON__ABORT_DONE;
}

static const soon_task *rwlock_holder(const struct soon__wait *wait)
{
	/* The wait is what a soon__queued begins with. */
	const struct soon__queued *queued = (const struct soon__queued *)(const void *)wait;
	struct soon__waitq *queue = queued->waiter.queue;
	const struct soon__rwlock *lock;
	const soon_task *task;

	if (!queue)
		return NULL;
	lock = SOON_CONTAINER_OF(queue, struct soon__rwlock, queue);
	task = lock->writer ? lock->writer : lock->reader;
	return task && !is_gone(task, lock->task_id) ? task : NULL;
}

/* Whether the task may ask at all: 0, or a failure with its report. */
static int check(struct soon__rwlock *lock, const soon_task *self, bool as_writer, const char *what)
{
	int index = read_index(lock, self);

	if (is_writer(lock, self) || index >= 0) {
		soon_report_file(SOON_REPORT_ERROR, -EDEADLK,
			"soon_%s: task '%s', spawned at %s:%d, has the lock to %s and would wait "
			"for itself",
			what, self->name, self->site->file, self->site->line,
			index >= 0 ? "read" : "write");
		return -EDEADLK;
	}
	if (is_dead(lock) && (as_writer || lock->writer)) {
		soon_report_file(SOON_REPORT_ERROR, -EOWNERDEAD,
			"soon_%s: a task '%s', spawned at %s:%d, ended and left the lock locked; "
			"task '%s' will not get it before soon_rwlock_init",
			what, lock->site->what, lock->site->file, lock->site->line, self->name);
		return -EOWNERDEAD;
	}
	if (!as_writer && self->reads_count == SOON__READS_MAX) {
		soon_report_file(SOON_REPORT_ERROR, -ENOLCK,
			"soon_%s: task '%s' reads %d locks already", what, self->name,
			SOON__READS_MAX);
		return -ENOLCK;
	}
	return 0;
}

static int lock_as(struct soon__rwlock *lock, bool as_writer, const char *what)
{
	struct rwlock_wait self = {
		.queued.wait = { .abort = rwlock_abort,
			.what = as_writer ? "rwlock write" : "rwlock read",
			.holder = rwlock_holder },
		.is_writer = as_writer,
	};
	int rc = soon__waitq_checkpoint(what);

	if (rc == 0)
		rc = enter(lock, what);
	if (rc == 0)
		rc = check(lock, soon__core->sched.current, as_writer, what);
	if (rc < 0)
		return rc;
	if (lock->queue.head || !can_let_in(lock, as_writer))
		return (int)soon__queued_park(&lock->queue, &self.queued);
	let_in(lock, soon__core->sched.current, as_writer);
	return 0;
}

static int try_as(struct soon__rwlock *lock, bool as_writer, const char *what)
{
	soon_task *self = soon__task_self();
	int rc;

	if (!self) {
		soon_report_file(
			SOON_REPORT_ERROR, -EPERM, "soon_%s: must be called in a task", what);
		return -EPERM;
	}
	rc = enter(lock, what);
	if (rc < 0)
		return rc;
	if (is_writer(lock, self) || read_index(lock, self) >= 0)
		return -EAGAIN;
	rc = check(lock, self, as_writer, what);
	if (rc < 0)
		return rc;
	if (lock->queue.head || !can_let_in(lock, as_writer))
		return -EAGAIN;
	let_in(lock, self, as_writer);
	return 0;
}

static SOON_COLD int refuse_unlock(struct soon__rwlock *lock)
{
	const soon_task *self = soon__task_self();
	int rc = self ? enter(lock, "rwlock_unlock") : -EPERM;

	if (!self)
		soon_report_file(SOON_REPORT_ERROR, -EPERM,
			"soon_rwlock_unlock: must be called in the task that locked it; none runs "
			"here");
	if (rc < 0)
		return rc;
	if (lock->writer || lock->readers > 0)
		soon_report_file(SOON_REPORT_ERROR, -EPERM,
			"soon_rwlock_unlock: task '%s' unlocks what it has not locked; who has, or "
			"had last, is a task '%s', spawned at %s:%d",
			self->name, lock->site->what, lock->site->file, lock->site->line);
	else
		soon_report_file(SOON_REPORT_ERROR, -EPERM,
			"soon_rwlock_unlock: task '%s' unlocks a lock that is free", self->name);
	return -EPERM;
}

static void leave_as_reader(struct soon__rwlock *lock, soon_task *self, int index)
{
	SOON_ASSERT(lock->readers > 0);
	self->reads[index] = self->reads[--self->reads_count];
	lock->readers--;
	if (lock->reader == self)
		lock->reader = NULL;
}

void soon_rwlock_init(soon_rwlock *lock)
{
	*lock = (soon_rwlock)SOON_RWLOCK_INIT;
}

int soon_rwlock_lock_read(soon_rwlock *lock)
{
	return lock_as(rwlock_of(lock), false, "rwlock_lock_read");
}

int soon_rwlock_lock_write(soon_rwlock *lock)
{
	return lock_as(rwlock_of(lock), true, "rwlock_lock_write");
}

int soon_rwlock_try_read(soon_rwlock *lock)
{
	return try_as(rwlock_of(lock), false, "rwlock_try_read");
}

int soon_rwlock_try_write(soon_rwlock *lock)
{
	return try_as(rwlock_of(lock), true, "rwlock_try_write");
}

int soon_rwlock_unlock(soon_rwlock *storage)
{
	struct soon__rwlock *lock = rwlock_of(storage);
	soon_task *self = soon__task_self();
	int index = self ? read_index(lock, self) : -1;

	if (SOON_UNLIKELY(!self || (index < 0 && !is_writer(lock, self))))
		return refuse_unlock(lock);
	if (index >= 0)
		leave_as_reader(lock, self, index);
	else
		lock->writer = NULL;
	self->locks_held--;
	serve(lock);
	return 0;
}

bool soon_rwlock_is_reading(const soon_rwlock *lock)
{
	const soon_task *self = soon__task_self();

	return self && read_index((const struct soon__rwlock *)lock, self) >= 0;
}

bool soon_rwlock_is_writing(const soon_rwlock *lock)
{
	const soon_task *self = soon__task_self();

	return self && is_writer((const struct soon__rwlock *)lock, self);
}

void soon__rwlock_left(soon_rwlock **lock)
{
	(void)soon_rwlock_unlock(*lock);
}
