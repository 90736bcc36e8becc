// SPDX-License-Identifier: Apache-2.0
/*
 * reenter.c: from a function on a pool's thread back into the task that waits for it.
 *
 * The thread posts a request to the core and blocks until it is answered. The task, parked in its
 * offload, is woken, runs the function where it stands, answers and parks again: a cancel meets it
 * there as ever. A job that was left behind has no task any more; its request becomes one in the
 * service group.
 */
#include "core.h"
#include "futex.h"
#include "pool.h"
#include "run.h"
#include "switch.h"

#include <stdio.h>

/* Lies in the thread's frame until it is answered. */
struct soon__reentry {
	soon_callback post;
	struct soon__job *job;
	soon__fn fn;
	uint64_t arg;
	const soon_site *site;
	int rc;                        /* the core's, until the answer */
	_Atomic(uint32_t) is_answered; /* futex */
};

enum { NAMED_MAX = 6, NAMES_BYTES = 480 };

/* The last that is done with the request. */
static void answer(struct soon__reentry *self, int rc)
{
	self->rc = rc;
	/* Release: pairs with wait_for_answer(). If the frame goes first, nobody is woken. */
	atomic_store_explicit(&self->is_answered, 1, memory_order_release);
	soon__futex_wake(&self->is_answered);
}

static int wait_for_answer(struct soon__reentry *self)
{
	/* Acquire: pairs with answer(). */
	while (atomic_load_explicit(&self->is_answered, memory_order_acquire) == 0)
		soon__futex_wait(&self->is_answered, 0, SOON_NEVER);
	return self->rc;
}

/* Runs the function in the current task, as part of the job. */
static int run_here(const struct soon__reentry *self)
{
	soon_task *task = soon__core->sched.current;
	const struct soon__scope *scope = task->scope;
	struct soon__job *outer = task->reentered;
	int rc;

	task->reentered = self->job;
	rc = soon__call_word(self->fn, self->arg);
	if (SOON_UNLIKELY(task->scope != scope))
		soon_die("soon_reenter: %s, called at %s:%d, returned in task '%s' with a scope or "
			 "group still open",
			self->site->what, self->site->file, self->site->line, task->name);
	task->reentered = outer;
	return rc;
}

void soon__reentry_run(struct soon__job *job)
{
	struct soon__reentry *self = job->reentry;
	int rc = run_here(self);

	job->reentry = NULL;
	soon__job_wait_init(job);
	/* The function may have changed the table that the thread looks at. */
	if (!job->locals.is_own)
		job->locals.locals = soon__core->sched.current->locals;
	answer(self, rc);
}

/* The task for a job whose caller has gone. */
static int run_alone(struct soon__reentry *self)
{
	int rc = run_here(self);

	soon__core->external_count++;
	answer(self, rc);
	return 0;
}

static int spawn_alone(struct soon__reentry *self)
{
	soon_core *core = self->job->lane->core;
	soon_task *task = NULL;
	int rc;

	if (core->run_id != soon__detached_run(self->job))
		return -ESHUTDOWN;
	rc = soon__spawn_admit(&core->service, self->site);
	if (rc == 0)
		rc = soon__task_make(&core->service, NULL, 0, &task);
	if (rc < 0)
		return rc;
	core->external_count--; /* while it waits it wakes nobody: see detach.c */
	soon__task_launch(task, &core->service, SOON__CALL(run_alone, self), self->site);
	soon__run_watch_late(&core->service);
	return 0;
}

static void begin(soon_callback *callback)
{
	struct soon__reentry *self = SOON_CONTAINER_OF(callback, struct soon__reentry, post);
	int rc;

	if (!soon__detached_is_left(self->job)) {
		self->job->reentry = self;
		soon__unpark(&self->job->wait, 0);
		return;
	}
	rc = spawn_alone(self);
	if (rc < 0)
		answer(self, rc);
}

int soon__reenter(soon__fn fn, uint64_t arg, const soon_site *site)
{
	struct soon__reentry self = {
		.post = { .fn = begin },
		.job = soon__job_current,
		.fn = fn,
		.arg = arg,
		.site = site,
	};
	struct soon__worker *worker = soon__worker_current;
	int rc;

	if (!self.job) {
		soon_report_at(SOON_REPORT_ERROR, -EPERM, site,
			"soon_reenter(%s) at %s:%d: this is not a function that soon_offload() "
			"runs",
			site->what, site->file, site->line);
		return -EPERM;
	}
	atomic_store_explicit(&worker->reentry, site, memory_order_relaxed);
	rc = soon_post(self.job->lane->core, &self.post);
	if (rc == 0)
		rc = wait_for_answer(&self);
	atomic_store_explicit(&worker->reentry, NULL, memory_order_relaxed);
	return rc;
}

/* Circles: threads of a pool that wait for tasks that wait for a thread of the pool. */

/* How many threads of its own pool cannot go on before this call has one. */
static unsigned threads_behind(const struct soon__job *job)
{
	unsigned count = 0;

	for (const struct soon__job *up = job->reentered; up; up = up->reentered)
		count += up->lane->pool == job->lane->pool;
	return count;
}

/* "a (file:line) in b, c (file:line) in d": jobs, and what they have re-entered. */
static void name_circle(struct soon__pool *pool, char *text, size_t size)
{
	unsigned named = 0;
	size_t len = 0;

	text[0] = '\0';
	for (unsigned i = 0; i < SOON_POOL_THREADS_MAX && named < NAMED_MAX && len < size; i++) {
		struct soon__worker *worker =
			atomic_load_explicit(&pool->workers[i], memory_order_acquire);
		const soon_site *job, *fn;
		int n;

		if (!worker)
			break;
		job = atomic_load_explicit(&worker->last, memory_order_relaxed);
		fn = atomic_load_explicit(&worker->reentry, memory_order_relaxed);
		if (!job || !fn)
			continue;
		n = snprintf(text + len, size - len, "%s%s (called at %s:%d) for %s",
			named++ > 0 ? ", " : "", job->what, job->file, job->line, fn->what);
		len += n > 0 ? (size_t)n : 0;
	}
}

static SOON_COLD void report_circle(struct soon__pool *pool, const soon_site *site, unsigned stuck)
{
	char names[NAMES_BYTES];
	bool is_told;

	(void)pthread_mutex_lock(&pool->lock);
	is_told = pool->is_told;
	pool->is_told = true;
	(void)pthread_mutex_unlock(&pool->lock);
	if (is_told)
		return;
	name_circle(pool, names, sizeof names);
	soon_report_at(SOON_REPORT_ERROR, -EDEADLK, site,
		"pool '%s': all of its %u threads wait for functions that they re-entered, and "
		"these for a thread; %s is refused: %s",
		pool->opts.name, stuck, site->what, names);
}

int soon__reentry_stick(struct soon__job *job)
{
	struct soon__pool *pool = job->lane->pool;
	unsigned count = threads_behind(job), stuck, limit;

	if (count == 0)
		return 0;
	job->has_stuck = true;
	/* Relaxed: a job that is counted here too long only delays a count that is proven. */
	stuck = count + atomic_fetch_add_explicit(&pool->stuck, count, memory_order_relaxed);
	limit = atomic_load_explicit(&pool->has_failed, memory_order_relaxed)
		? atomic_load_explicit(&pool->threads, memory_order_relaxed)
		: atomic_load_explicit(&pool->threads_max, memory_order_relaxed);
	if (stuck < limit)
		return 0;
	soon__reentry_unstick(job);
	job->has_stuck = false;
	report_circle(pool, job->site, stuck);
	return -EDEADLK;
}

void soon__reentry_unstick(struct soon__job *job)
{
	(void)atomic_fetch_sub_explicit(
		&job->lane->pool->stuck, threads_behind(job), memory_order_relaxed);
}
