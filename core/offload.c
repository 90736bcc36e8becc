// SPDX-License-Identifier: Apache-2.0
/*
 * offload.c: blocking functions on threads, from the side of the task that waits.
 *
 * A job lies in the frame of the task. It goes into the core's lane of the pool; while that is
 * full, it waits in a list of the core. There, and in the lane until a thread has it, a cancel
 * takes it back, and it never runs. What runs is waited for: a cancel then only sets the flag that
 * soon_offload_cancelled() shows, and, where the job may be left behind, leaves it.
 */
#include "offload.h"

#include "core.h"
#include "pool_lane.h"

static unsigned load(const atomic_uint *counter)
{
	return atomic_load_explicit(counter, memory_order_relaxed);
}

/* The core is the only writer. */
static void add(atomic_uint *counter, unsigned n)
{
	atomic_store_explicit(counter, load(counter) + n, memory_order_relaxed);
}

/* Puts the job where a thread finds it; false: there is no room. */
static bool hand_over(struct soon__lane *lane, struct soon__job *job)
{
	if (!soon__lane_put(lane, job) &&
		(load(&lane->handed) > 0 || !soon__lane_replace(lane, job)))
		return false;
	add(&lane->handed, 1);
	return true;
}

/* Hands out jobs that wait, the oldest first. */
static void dispatch(struct soon__lane *lane)
{
	bool is_behind = false;
	struct soon__list *first;

	while ((first = lane->waiting.next) != &lane->waiting) {
		if (hand_over(lane, SOON_CONTAINER_OF(first, struct soon__job, link))) {
			soon__list_remove(first);
			add(&lane->waiting_count, (unsigned)-1);
			(void)soon__pool_kick(lane->pool);
			continue;
		}
		if (is_behind)
			return;
		/* Sequential: pairs with the threads' look at it, before a last try. */
		atomic_store_explicit(&lane->is_behind, true, memory_order_seq_cst);
		is_behind = true;
	}
}

/* Results have come: they go to their tasks, and their places to who waits. */
void soon__lane_rung(soon_callback *callback)
{
	struct soon__lane *lane = SOON_CONTAINER_OF(callback, struct soon__lane, doorbell);
	/* Acquire: pairs with the pushes of threads, through the whole chain. */
	struct soon__job *newest =
		atomic_exchange_explicit(&lane->done, NULL, memory_order_acquire);
	struct soon__job *oldest = NULL;
	unsigned count = 0;

	while (newest) {
		struct soon__job *older = newest->next_done;

		__builtin_prefetch((const void *)newest->far);
		newest->next_done = oldest;
		oldest = newest;
		newest = older;
		count++;
	}
	SOON_ASSERT(load(&lane->handed) >= count);
	add(&lane->handed, -count);
	while (oldest) {
		struct soon__job *next = oldest->next_done;

		oldest->is_done = true;
		soon__unpark(&oldest->wait, oldest->rc);
		oldest = next;
	}
	dispatch(lane);
}

static enum soon__abort job_abort(struct soon__wait *wait)
{
	struct soon__job *job = SOON_CONTAINER_OF(wait, struct soon__job, wait);
	struct soon__lane *lane = job->lane;
	bool is_waiting = !soon__list_is_empty(&job->link);

	if (is_waiting || soon__lane_withdraw(lane, job)) {
		soon__list_remove(&job->link);
		add(is_waiting ? &lane->waiting_count : &lane->handed, (unsigned)-1);
		if (job->has_stuck)
			soon__reentry_unstick(job);
		dispatch(lane);
		return SOON__ABORT_DONE;
	}
	atomic_store_explicit(&job->is_cancelled, true, memory_order_relaxed);
	if (!job->is_detached || !soon__detached_leave(job))
		return SOON__ABORT_PENDING;
	add(&lane->handed, (unsigned)-1);
	dispatch(lane);
	return SOON__ABORT_DONE;
}

void soon__job_wait_init(struct soon__job *job)
{
	job->wait =
		(struct soon__wait){ .abort = job_abort, .what = "offload", .is_external = true };
}

void soon__job_init(struct soon__job *job, struct soon__lane *lane, soon__fn fn, uint64_t arg,
	const soon_site *site)
{
	job->fn = fn;
	job->arg = arg;
	job->site = site;
	job->lane = lane;
	job->reentered = soon__core->sched.current->reentered;
	soon__list_init(&job->link);
	soon__job_wait_init(job);
}

/* Errors: -EAGAIN there is no thread; -EDEADLK. */
static int hand_out(struct soon__job *job)
{
	struct soon__lane *lane = job->lane;
	int rc;

	if (SOON_UNLIKELY(job->reentered != NULL)) {
		rc = soon__reentry_stick(job);
		if (rc < 0)
			return rc;
	}
	if (!soon__list_is_empty(&lane->waiting) || !hand_over(lane, job)) {
		soon__list_push_tail(&lane->waiting, &job->link);
		add(&lane->waiting_count, 1);
		dispatch(lane);
		return 0;
	}
	rc = soon__pool_kick(lane->pool);
	/* Without a thread nobody can have it; one that another core has started may. */
	if (SOON_LIKELY(rc == 0) || !soon__lane_withdraw(lane, job))
		return 0;
	add(&lane->handed, (unsigned)-1);
	if (job->has_stuck)
		soon__reentry_unstick(job);
	return soon_fail(rc,
		"pool '%s': no thread could be started; look at `ulimit -u` and pids.max",
		lane->pool->opts.name);
}

int soon__job_run(struct soon__job *job)
{
	int rc = hand_out(job);

	if (rc < 0)
		return rc;
	for (;;) {
		rc = (int)soon__park(&job->wait);
		if (job->is_done || !job->reentry)
			return rc;
		soon__reentry_run(job);
	}
}

/* A -ECANCELED of the function's own would tell the task that its scope is cancelled. */
static SOON_COLD int stray_cancel(const struct soon__job *job)
{
	soon_report_at(SOON_REPORT_ERROR, -EIO, job->site,
		"offload of '%s': it gave -ECANCELED although nobody cancelled it",
		job->site->what);
	return -EIO;
}

int soon__offload(soon_pool *pool, soon__fn fn, uint64_t arg, const soon_site *site)
{
	_Alignas(64) struct soon__job job = { 0 };
	int rc = soon__checkpoint("offload");
	struct soon__lane *lane;

	if (rc < 0)
		return rc;
	lane = soon__lane_of(pool);
	if (!lane)
		return -EAGAIN;
	soon__job_init(&job, lane, fn, arg, site);
	job.locals.locals = soon__core->sched.current->locals;
	rc = soon__job_run(&job);
	if (SOON_UNLIKELY(rc == -ECANCELED) && job.is_done &&
		!soon__task_is_cancelled(soon__core->sched.current))
		return stray_cancel(&job);
	return rc;
}
