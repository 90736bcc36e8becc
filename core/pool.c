// SPDX-License-Identifier: Apache-2.0
/*
 * pool.c: how pools of threads begin, change and end.
 *
 * A soon_pool is only a name and options. Behind it is a soon__pool from the first call of a core
 * until the last core that used it ends its run: then the threads are joined, and the next call
 * finds the soon_pool as new. `pools_lock` orders cores that come and go.
 */
#include "pool.h"

#include <soon/mem.h>

#include "capture.h"
#include "clock.h"
#include "core.h"
#include "cpus.h"
#include "pool_lane.h"
#include "run.h"
#include "sigmask.h"

#include <string.h>

enum {
	THREADS_MIN = 8,
	QUEUE_DEFAULT = 1024,
	QUEUE_MIN = 16,
	QUEUE_MOST = 1 << 16,
	CALLS_BYTES = 320,
	STARTS_SKIPPED = 256, /* after one that failed, while there are other threads */
};

static const size_t STACK_BYTES_MIN = (size_t)1 << 20;
static const soon_ns SPIN_DEFAULT = SOON_US(20);

static pthread_mutex_t pools_lock = PTHREAD_MUTEX_INITIALIZER;
static unsigned forks;          /* that led to this process: threads do not come along */
static struct soon__pool *left; /* with threads that did not end: never freed, but not lost */

static void lock_pools(void)
{
	(void)pthread_mutex_lock(&pools_lock);
}

static void unlock_pools(void)
{
	(void)pthread_mutex_unlock(&pools_lock);
}

static void unlock_pools_in_child(void)
{
	forks++;
	unlock_pools();
}

static void watch_forks(void)
{
	(void)pthread_atfork(lock_pools, unlock_pools, unlock_pools_in_child);
}

void soon__pool_init(soon_pool *pool, const soon_opts *opts)
{
	*pool = (soon_pool)SOON_POOL_INIT(.name = "offload", .threads_max = opts->offload_threads);
	(void)soon__cpus_allowed(); /* now: later the thread may be pinned */
}

static unsigned threads_default(void)
{
	unsigned cpus = soon__cpus_allowed();

	return cpus > THREADS_MIN / 2 ? 2 * cpus : THREADS_MIN;
}

static unsigned clamp(unsigned value, unsigned low, unsigned high)
{
	return value < low ? low : value > high ? high : value;
}

static void fill_opts(soon_pool_opts *opts, const soon_pool *from)
{
	*opts = from->opts;
	if (!opts->name)
		opts->name = "pool";
	if (from->soon__resized > 0)
		opts->threads_max = from->soon__resized;
	if (opts->threads_max == 0)
		opts->threads_max = threads_default();
	opts->threads_max = clamp(opts->threads_max, 1, SOON_POOL_THREADS_MAX);
	if (opts->queue_max == 0)
		opts->queue_max = QUEUE_DEFAULT;
	if (opts->spin == 0)
		opts->spin = SPIN_DEFAULT;
}

static struct soon__pool *pool_make(const soon_pool *from, const soon_core *core)
{
	struct soon__pool *pool = soon_zalloc(sizeof *pool);

	if (!pool)
		return NULL;
	fill_opts(&pool->opts, from);
	pool->grace = core->opts.grace;
	pool->forks = forks;
	(void)pthread_mutex_init(&pool->lock, NULL);
	atomic_init(&pool->threads_max, pool->opts.threads_max);
	return pool;
}

static void pool_free(struct soon__pool *pool)
{
	struct soon__lane *lane = atomic_load_explicit(&pool->lanes, memory_order_relaxed);

	while (lane) {
		struct soon__lane *next = lane->next;

		soon_free(lane);
		lane = next;
	}
	for (unsigned i = 0; i < SOON_POOL_THREADS_MAX; i++)
		soon_free(atomic_load_explicit(&pool->workers[i], memory_order_relaxed));
	(void)pthread_mutex_destroy(&pool->lock);
	soon_free(pool);
}

/* Lanes. */

static struct soon__lane *lane_make(struct soon__pool *pool, soon_core *core)
{
	unsigned slots = QUEUE_MIN;
	struct soon__lane *lane;

	while (slots < pool->opts.queue_max && slots < QUEUE_MOST)
		slots *= 2;
	lane = soon_zalloc(sizeof *lane + slots * sizeof *lane->ring);
	if (!lane)
		return NULL;
	lane->pool = pool;
	lane->core = core;
	lane->slots = slots;
	lane->doorbell.fn = soon__lane_rung;
	soon__list_init(&lane->waiting);
	lane->next = atomic_load_explicit(&pool->lanes, memory_order_relaxed);
	/* Release: pairs with the loads of threads. Only under pools_lock. */
	atomic_store_explicit(&pool->lanes, lane, memory_order_release);
	return lane;
}

/* Under pools_lock. NULL when memory is short. */
static struct soon__lane *attach(soon_pool *of, soon_core *core)
{
	struct soon__pool *pool = of->soon__state;
	struct soon__lane *lane;

	if (!pool || pool->forks != forks) {
		pool = pool_make(of, core);
		if (!pool)
			return NULL;
		of->soon__state = pool;
	}
	lane = atomic_load_explicit(&pool->lanes, memory_order_relaxed);
	while (lane && (lane->core != core || lane->is_used))
		lane = lane->next;
	if (!lane)
		lane = lane_make(pool, core);
	if (!lane) {
		if (pool->users == 0) {
			of->soon__state = NULL;
			pool_free(pool);
		}
		return NULL;
	}
	pool->users++;
	lane->is_used = true;
	lane->of = of;
	lane->next_of_core = core->lanes;
	core->lanes = lane;
	return lane;
}

static SOON_COLD struct soon__lane *attach_first(soon_pool *of, soon_core *core)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	struct soon__lane *lane;

	(void)pthread_once(&once, watch_forks);
	lock_pools();
	lane = attach(of, core);
	unlock_pools();
	return lane;
}

struct soon__lane *soon__lane_of(soon_pool *pool)
{
	soon_core *core = soon__core;

	if (!pool)
		pool = &core->run->pool;
	for (struct soon__lane *lane = core->lanes; lane; lane = lane->next_of_core) {
		if (SOON_LIKELY(lane->of == pool))
			return lane;
	}
	return attach_first(pool, core);
}

/* Threads begin. */

static void attr_init(pthread_attr_t *attr, size_t stack_bytes)
{
	size_t bytes = 0;

	(void)pthread_attr_init(attr);
	(void)pthread_attr_getstacksize(attr, &bytes);
	if (stack_bytes > 0)
		bytes = stack_bytes;
	if (bytes < STACK_BYTES_MIN)
		bytes = STACK_BYTES_MIN;
	(void)pthread_attr_setstacksize(attr, bytes);
	/* Whoever starts it may be pinned; a thread that blocks should not be. */
	if (CPU_COUNT(soon__cpus_mask()) > 0)
		(void)pthread_attr_setaffinity_np(
			attr, sizeof *soon__cpus_mask(), soon__cpus_mask());
}

static int thread_create(struct soon__worker *worker)
{
	pthread_attr_t attr;
	sigset_t before;
	int rc;

	attr_init(&attr, worker->pool->opts.stack_bytes);
	soon__sigmask_block(SOON__OPEN_CAPTURE, &before);
	rc = pthread_create(&worker->thread, &attr, soon__worker_main, worker);
	soon__sigmask_restore(&before);
	(void)pthread_attr_destroy(&attr);
	return -rc;
}

/* Under pool->lock: the record for a thread that is to begin; NULL: no place, or no memory. */
static struct soon__worker *worker_free(struct soon__pool *pool)
{
	for (unsigned i = 0; i < SOON_POOL_THREADS_MAX; i++) {
		struct soon__worker *worker =
			atomic_load_explicit(&pool->workers[i], memory_order_relaxed);

		if (worker && worker->is_there)
			continue;
		if (worker)
			return worker;
		worker = soon_zalloc(sizeof *worker);
		if (worker) {
			worker->pool = pool;
			worker->index = i;
			/* Release: pairs with the loads of who wakes. */
			atomic_store_explicit(&pool->workers[i], worker, memory_order_release);
			atomic_store_explicit(&pool->idle_words, i / 64 + 1, memory_order_release);
		}
		return worker;
	}
	return NULL;
}

int soon__pool_start(struct soon__pool *pool)
{
	struct soon__worker *worker;
	int rc = -EAGAIN;

	(void)pthread_mutex_lock(&pool->lock);
	worker = worker_free(pool);
	if (worker) {
		worker->is_there = true; /* first: a thread that leaves at once says no to it */
		(void)atomic_fetch_add_explicit(&pool->threads, 1, memory_order_relaxed);
		rc = thread_create(worker);
		if (rc < 0) {
			worker->is_there = false;
			(void)atomic_fetch_sub_explicit(&pool->threads, 1, memory_order_relaxed);
		}
	}
	atomic_store_explicit(&pool->has_failed, rc < 0, memory_order_relaxed);
	(void)pthread_mutex_unlock(&pool->lock);
	return rc < 0 ? -EAGAIN : 0;
}

bool soon__pool_wants_thread(struct soon__pool *pool)
{
	unsigned threads = atomic_load_explicit(&pool->threads, memory_order_relaxed);
	unsigned work = atomic_load_explicit(&pool->orphans, memory_order_relaxed);

	if (threads >= atomic_load_explicit(&pool->threads_max, memory_order_relaxed))
		return false;
	for (const struct soon__lane *lane =
			atomic_load_explicit(&pool->lanes, memory_order_acquire);
		lane && work <= threads; lane = lane->next)
		work += atomic_load_explicit(&lane->handed, memory_order_relaxed);
	if (work <= threads)
		return false;
	if (threads == 0 || !atomic_load_explicit(&pool->has_failed, memory_order_relaxed))
		return true;
	/* What the system has refused it will refuse again for a while. */
	return atomic_fetch_add_explicit(&pool->starts_skipped, 1, memory_order_relaxed) %
		STARTS_SKIPPED ==
		0;
}

bool soon__pool_has_jobs(struct soon__pool *pool)
{
	struct soon__lane *lane = atomic_load_explicit(&pool->lanes, memory_order_acquire);

	for (; lane; lane = lane->next) {
		if (soon__lane_is_due(lane))
			return true;
	}
	return false;
}

/* The end. */

static void report_stuck(const struct soon__worker *worker)
{
	const soon_site *last = atomic_load_explicit(&worker->last, memory_order_relaxed);
	bool is_busy = atomic_load_explicit(&worker->is_busy, memory_order_relaxed);
	char calls[CALLS_BYTES];

	soon__capture_write(worker->thread, calls, sizeof calls);
	soon_report_at(SOON_REPORT_ERROR, -ETIMEDOUT, last,
		"thread %d of the pool '%s' does not end and is left; it %s %s, called at %s:%d; "
		"it stands in %s",
		atomic_load_explicit(&worker->tid, memory_order_relaxed), worker->pool->opts.name,
		is_busy ? "still runs" : "last ran", last ? last->what : "nothing",
		last ? last->file : "?", last ? last->line : 0, calls);
}

/* Joins all threads; false: one was left behind, with all that it may look at. */
static bool join_all(struct soon__pool *pool, soon_ns grace)
{
	/* Not by the core's clock: threads live in real time even when the core does not. */
	struct timespec deadline = soon__clock_wall_after(grace);
	bool have_all_ended = true;

	for (unsigned i = 0; i < SOON_POOL_THREADS_MAX; i++) {
		struct soon__worker *worker =
			atomic_load_explicit(&pool->workers[i], memory_order_relaxed);

		if (!worker || !worker->is_there)
			continue;
		if (pthread_timedjoin_np(worker->thread, NULL, &deadline) == 0)
			continue;
		report_stuck(worker);
		(void)pthread_detach(worker->thread);
		have_all_ended = false;
	}
	return have_all_ended;
}

/* No core uses it any more, and none can find it. */
static void pool_end(struct soon__pool *pool, soon_ns grace)
{
	/* Release: pairs with the threads' look at it, after which they touch the lanes no more. */
	atomic_store_explicit(&pool->is_ending, true, memory_order_seq_cst);
	soon__pool_wake_all(pool);
	/* Who is about to leave by itself, after a resize, does so before or is joined. */
	(void)pthread_mutex_lock(&pool->lock);
	(void)pthread_mutex_unlock(&pool->lock);
	if (join_all(pool, grace)) {
		pool_free(pool);
		return;
	}
	lock_pools();
	pool->next_left = left;
	left = pool;
	unlock_pools();
}

/* Returns the pool if its last core has gone. */
static struct soon__pool *detach(struct soon__lane *lane)
{
	struct soon__pool *pool = lane->pool;
	soon_pool *of = (soon_pool *)(uintptr_t)lane->of;

	lock_pools();
	lane->is_used = false;
	lane->of = NULL;
	if (--pool->users > 0)
		pool = NULL;
	else if (of->soon__state == pool)
		of->soon__state = NULL;
	unlock_pools();
	return pool;
}

void soon__offload_stop(soon_core *core)
{
	struct soon__lane *lane;

	while ((lane = core->lanes) != NULL) {
		struct soon__pool *last;

		SOON_ASSERT(atomic_load_explicit(&lane->handed, memory_order_relaxed) == 0);
		SOON_ASSERT(soon__list_is_empty(&lane->waiting));
		core->lanes = lane->next_of_core;
		/* Acquire: pairs with the end of a ring. It is short, and nobody begins another. */
		while (atomic_load_explicit(&lane->ringing, memory_order_acquire) != 0)
			sched_yield();
		last = detach(lane);
		if (last)
			pool_end(last, core->opts.grace);
	}
}

unsigned soon__offload_busy(const soon_core *core)
{
	unsigned count = 0;

	for (const struct soon__lane *lane = core->lanes; lane; lane = lane->next_of_core)
		count += atomic_load_explicit(&lane->handed, memory_order_relaxed) +
			atomic_load_explicit(&lane->waiting_count, memory_order_relaxed);
	return count;
}

/* From outside. */

/* The pool meant, or NULL: the run's own, on a thread without a run. */
static soon_pool *meant(soon_pool *pool)
{
	return pool || !soon__core ? pool : &soon__core->run->pool;
}

int soon_pool_resize(soon_pool *of, unsigned threads_max)
{
	struct soon__pool *pool;

	of = meant(of);
	if (!of)
		return -EPERM;
	if (threads_max == 0 || threads_max > SOON_POOL_THREADS_MAX)
		return -EINVAL;
	lock_pools();
	of->soon__resized = threads_max;
	pool = of->soon__state;
	if (pool && pool->forks == forks) {
		unsigned before = atomic_exchange_explicit(
			&pool->threads_max, threads_max, memory_order_seq_cst);

		if (threads_max < before)
			soon__pool_wake_all(pool); /* those that are too many leave */
		else if (soon__pool_has_jobs(pool))
			(void)soon__pool_kick(pool);
	}
	unlock_pools();
	return 0;
}

static void add_lane(soon_pool_stats *stats, const struct soon__lane *lane)
{
	unsigned tail = atomic_load_explicit(&lane->tail, memory_order_relaxed);
	unsigned head = atomic_load_explicit(&lane->head, memory_order_relaxed);

	/* Read one after the other: the difference may be of no moment that there was. */
	if ((int)(tail - head) > 0)
		stats->queued += tail - head;
	stats->queued += atomic_load_explicit(&lane->waiting_count, memory_order_relaxed);
}

static void add_worker(soon_pool_stats *stats, const struct soon__worker *worker)
{
	stats->busy += atomic_load_explicit(&worker->is_busy, memory_order_relaxed);
	stats->done += atomic_load_explicit(&worker->done, memory_order_relaxed);
	stats->spins += atomic_load_explicit(&worker->spins, memory_order_relaxed);
	stats->spin_hits += atomic_load_explicit(&worker->spin_hits, memory_order_relaxed);
}

static void add_pool(soon_pool_stats *stats, struct soon__pool *pool)
{
	stats->threads_max = atomic_load_explicit(&pool->threads_max, memory_order_relaxed);
	stats->threads = atomic_load_explicit(&pool->threads, memory_order_relaxed);
	stats->detached = atomic_load_explicit(&pool->orphans, memory_order_relaxed);
	for (const struct soon__lane *lane =
			atomic_load_explicit(&pool->lanes, memory_order_acquire);
		lane; lane = lane->next)
		add_lane(stats, lane);
	for (unsigned i = 0; i < SOON_POOL_THREADS_MAX; i++) {
		const struct soon__worker *worker =
			atomic_load_explicit(&pool->workers[i], memory_order_acquire);

		if (worker)
			add_worker(stats, worker);
	}
}

int soon_pool_stats_get(soon_pool *of, soon_pool_stats *ret_stats)
{
	soon_pool_stats stats = { 0 };
	struct soon__pool *pool;

	of = meant(of);
	if (!of)
		return -EPERM;
	lock_pools();
	pool = of->soon__state;
	if (pool && pool->forks == forks) {
		add_pool(&stats, pool);
	} else {
		soon_pool_opts opts;

		fill_opts(&opts, of);
		stats.threads_max = opts.threads_max;
	}
	unlock_pools();
	*ret_stats = stats;
	return 0;
}
