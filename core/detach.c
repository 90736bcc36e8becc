// SPDX-License-Identifier: Apache-2.0
/*
 * detach.c: offloaded calls that a cancel leaves behind.
 *
 * The job lies on the heap. One exchange of its state decides between the thread, which has the
 * result, and the core, which leaves the job. A job that was left is the thread's: it drops the
 * argument and posts the job to its core, which frees it when the caller has gone, too; where the
 * core has closed meanwhile, the thread does. Until then the run does not count as deadlocked, as
 * the job may come back by soon_reenter().
 */
#include <soon/mem.h>

#include "core.h"
#include "pool.h"
#include "switch.h"

enum {
	RUNNING, /* or not begun */
	DONE,    /* its result is on the way to the task */
	LEFT,    /* nobody waits for it */
};

struct soon__detached {
	struct soon__job job;
	soon_callback ended; /* the last that the thread has to do with it */
	soon__fn drop;
	uint64_t run_id;
	atomic_int state;
	bool is_caller_gone; /* the core's, like the next */
	bool has_ended;
};

static struct soon__detached *detached_of(struct soon__job *job)
{
	SOON_ASSERT(job->is_detached);
	return SOON_CONTAINER_OF(job, struct soon__detached, job);
}

static unsigned detached_max(const struct soon__pool *pool)
{
	unsigned threads = atomic_load_explicit(&pool->threads_max, memory_order_relaxed);

	if (pool->opts.detached_max > 0)
		return pool->opts.detached_max;
	return threads > 1 ? threads / 2 : 1;
}

bool soon__detached_leave(struct soon__job *job)
{
	struct soon__pool *pool = job->lane->pool;
	int seen = RUNNING;

	/* Relaxed: a limit; what it lets in is ordered by the state. */
	if (atomic_fetch_add_explicit(&pool->orphans, 1, memory_order_relaxed) <
			detached_max(pool) &&
		/* Acquire and release: pairs with soon__detached_end(). */
		atomic_compare_exchange_strong_explicit(&detached_of(job)->state, &seen, LEFT,
			memory_order_acq_rel, memory_order_relaxed)) {
		job->lane->core->external_count++;
		return true;
	}
	(void)atomic_fetch_sub_explicit(&pool->orphans, 1, memory_order_relaxed);
	return false;
}

bool soon__detached_end(struct soon__job *job)
{
	struct soon__detached *self = detached_of(job);
	struct soon__pool *pool = job->lane->pool;
	int seen = RUNNING;

	if (atomic_compare_exchange_strong_explicit(
		    &self->state, &seen, DONE, memory_order_acq_rel, memory_order_acquire))
		return false;
	(void)soon__call_word(self->drop, job->arg);
	soon__locals_view_end(&job->locals);
	(void)atomic_fetch_sub_explicit(&pool->orphans, 1, memory_order_relaxed);
	if (soon_post(job->lane->core, &self->ended) < 0)
		soon_free(self); /* the run is over, and so is the caller */
	return true;
}

bool soon__detached_is_left(const struct soon__job *job)
{
	const struct soon__detached *self =
		SOON_CONTAINER_OF_CONST(job, struct soon__detached, job);

	return job->is_detached && atomic_load_explicit(&self->state, memory_order_relaxed) == LEFT;
}

uint64_t soon__detached_run(const struct soon__job *job)
{
	return SOON_CONTAINER_OF_CONST(job, struct soon__detached, job)->run_id;
}

static void ended(soon_callback *callback)
{
	struct soon__detached *self = SOON_CONTAINER_OF(callback, struct soon__detached, ended);

	SOON_ASSERT_CORE();
	/* The core may be in a later run than the job's. */
	if (soon__core->run_id != self->run_id)
		self->is_caller_gone = true;
	else
		soon__core->external_count--;
	self->has_ended = true;
	if (self->is_caller_gone)
		soon_free(self);
}

static struct soon__detached *detached_make(
	struct soon__lane *lane, soon__fn fn, uint64_t arg, soon__fn drop, const soon_site *site)
{
	struct soon__detached *self = soon_zalloc(sizeof *self);

	if (!self)
		return NULL;
	soon__job_init(&self->job, lane, fn, arg, site);
	self->job.is_detached = true;
	self->ended.fn = ended;
	self->drop = drop;
	self->run_id = lane->core->run_id;
	if (soon__locals_view_copy(&self->job.locals, soon__core->sched.current->locals) == 0)
		return self;
	soon_free(self);
	return NULL;
}

static int run_to_end(struct soon__detached *self)
{
	int rc = soon__job_run(&self->job);

	if (soon__detached_is_left(&self->job)) {
		self->is_caller_gone = true;
		if (self->has_ended)
			soon_free(self);
		return rc;
	}
	if (!self->job.is_done)
		soon__locals_view_end(&self->job.locals);
	if (rc == -ECANCELED)
		(void)soon__call_word(self->drop, self->job.arg);
	soon_free(self);
	return rc;
}

int soon__offload_detach(
	soon_pool *pool, soon__fn fn, uint64_t arg, soon__fn drop, const soon_site *site)
{
	int rc = soon__checkpoint("offload_detach");
	struct soon__detached *self;
	struct soon__lane *lane;

	if (rc == -ECANCELED)
		(void)soon__call_word(drop, arg);
	if (rc < 0)
		return rc;
	lane = soon__lane_of(pool);
	if (!lane)
		return -EAGAIN;
	self = detached_make(lane, fn, arg, drop, site);
	return self ? run_to_end(self) : -ENOMEM;
}
