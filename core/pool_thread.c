// SPDX-License-Identifier: Apache-2.0
/*
 * pool_thread.c: a thread of a pool.
 *
 * It takes jobs as long as there are some. Then it *searches*: looks for a while, where a processor
 * is to spare and looking has paid lately, and goes to sleep. At most one thread searches while
 * others work; a job that comes meanwhile wakes nobody. Whoever stops searching because it found a
 * job sees to a successor if there are more: so a burst wakes one thread, that wakes the next, and
 * a stream of short jobs keeps one thread busy instead of waking all of them for nothing.
 *
 * The thread that is woken is the one with the lowest number: a few threads stay warm, and those
 * that a burst needed sleep for good.
 */
#include <soon/mem.h>

#include "clock.h"
#include "core.h"
#include "cpus.h"
#include "pool.h"
#include "pool_lane.h"
#include "switch.h"

#include <linux/futex.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

enum {
	THREAD_NAME_BYTES = 16, /* of the kernel, the end included */
	SPIN_SCORE_MAX = 64,    /* see should_spin() */
	SPIN_SCORE_LOW = 16,
	SPIN_SKIPS = 32,
	SPIN_LOOKS = 16, /* between two looks at the clock */
};

_Thread_local struct soon__job *soon__job_current;
_Thread_local struct soon__worker *soon__worker_current;

bool soon_offload_cancelled(void)
{
	/* Relaxed: a wish, which orders nothing. */
	return soon__job_current != NULL &&
		atomic_load_explicit(&soon__job_current->is_cancelled, memory_order_relaxed);
}

struct soon__locals_view *soon__offload_view(void)
{
	return soon__job_current != NULL ? &soon__job_current->locals : NULL;
}

static void pause_cpu(void)
{
#if defined(__x86_64__)
	__builtin_ia32_pause();
#else
	__asm__ volatile("yield");
#endif
}

/* Sleeping and waking. */

static void futex_wait(_Atomic(uint32_t) *word, uint32_t value)
{
	(void)syscall(SYS_futex, word, FUTEX_WAIT_PRIVATE, value, NULL, NULL, 0);
}

static void futex_wake(_Atomic(uint32_t) *word)
{
	(void)syscall(SYS_futex, word, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
}

void soon__worker_wake(struct soon__worker *worker)
{
	/* Release: pairs with sleep_until_woken(). */
	atomic_store_explicit(&worker->awaken, 1, memory_order_release);
	futex_wake(&worker->awaken);
}

static void sleep_until_woken(struct soon__worker *worker)
{
	/* Acquire: pairs with soon__worker_wake(). */
	while (atomic_exchange_explicit(&worker->awaken, 0, memory_order_acquire) == 0)
		futex_wait(&worker->awaken, 0);
}

static uint64_t bit_of(const struct soon__worker *worker)
{
	return UINT64_C(1) << (worker->index % 64);
}

static _Atomic(uint64_t) *word_of(struct soon__worker *worker)
{
	return &worker->pool->idle[worker->index / 64];
}

/* Whether it was there to be taken: if not, somebody has, and wakes the thread. */
static bool take_idle(struct soon__worker *worker)
{
	uint64_t before =
		atomic_fetch_and_explicit(word_of(worker), ~bit_of(worker), memory_order_seq_cst);

	return (before & bit_of(worker)) != 0;
}

/* How many words of `idle` may have a bit. */
static unsigned words(struct soon__pool *pool)
{
	return atomic_load_explicit(&pool->idle_words, memory_order_acquire);
}

static bool has_idle(struct soon__pool *pool)
{
	for (unsigned i = 0; i < words(pool); i++) {
		if (atomic_load_explicit(&pool->idle[i], memory_order_seq_cst) != 0)
			return true;
	}
	return false;
}

/* Takes the first thread that sleeps; NULL: none does. */
static struct soon__worker *pop_idle(struct soon__pool *pool)
{
	for (unsigned i = 0; i < words(pool); i++) {
		uint64_t word = atomic_load_explicit(&pool->idle[i], memory_order_seq_cst);

		while (word != 0) {
			unsigned index = i * 64 + (unsigned)__builtin_ctzll(word);
			struct soon__worker *worker =
				atomic_load_explicit(&pool->workers[index], memory_order_acquire);

			if (take_idle(worker))
				return worker;
			word = atomic_load_explicit(&pool->idle[i], memory_order_seq_cst);
		}
	}
	return NULL;
}

/* To be called with `searching` counted up for the thread to come: makes there be one. */
static int find_searcher(struct soon__pool *pool)
{
	struct soon__worker *worker = pop_idle(pool);

	if (worker) {
		soon__worker_wake(worker);
		return 1;
	}
	if (!soon__pool_wants_thread(pool))
		return 0;
	return soon__pool_start(pool) == 0 ? 1 : -EAGAIN;
}

/* The first thread of all: here every core tries for itself, since each has to know. */
static SOON_COLD int start_first(struct soon__pool *pool)
{
	(void)atomic_fetch_add_explicit(&pool->searching, 1, memory_order_seq_cst);
	if (soon__pool_start(pool) == 0)
		return 0;
	(void)atomic_fetch_sub_explicit(&pool->searching, 1, memory_order_seq_cst);
	return atomic_load_explicit(&pool->threads, memory_order_acquire) > 0 ? 0 : -EAGAIN;
}

int soon__pool_kick(struct soon__pool *pool)
{
	int rc;

	if (atomic_load_explicit(&pool->searching, memory_order_seq_cst) > 0)
		return 0;
	if (SOON_UNLIKELY(atomic_load_explicit(&pool->threads, memory_order_relaxed) == 0))
		return start_first(pool);
	/*
	 * A searcher may stop between our look at `searching` and its sleep, but then it looks at
	 * the lanes once more. While we hold the count for somebody who does not come in the end,
	 * others rely on us: so we look again, as a searcher would.
	 */
	do {
		unsigned none = 0;

		if (!has_idle(pool) && !soon__pool_wants_thread(pool))
			break;
		if (!atomic_compare_exchange_strong_explicit(
			    &pool->searching, &none, 1, memory_order_seq_cst, memory_order_seq_cst))
			break;
		rc = find_searcher(pool);
		if (rc > 0)
			return 0;
		(void)atomic_fetch_sub_explicit(&pool->searching, 1, memory_order_seq_cst);
	} while (rc == 0 && soon__pool_has_jobs(pool));
	return 0; /* there are threads; one of them comes round to it */
}

void soon__pool_search_ended(struct soon__pool *pool)
{
	if (atomic_fetch_sub_explicit(&pool->searching, 1, memory_order_seq_cst) == 1 &&
		soon__pool_has_jobs(pool))
		(void)soon__pool_kick(pool);
}

void soon__pool_wake_all(struct soon__pool *pool)
{
	struct soon__worker *worker;

	while ((worker = pop_idle(pool)) != NULL) {
		(void)atomic_fetch_add_explicit(&pool->searching, 1, memory_order_seq_cst);
		soon__worker_wake(worker);
	}
}

/* Looking for work. */

/* Where the core has closed, its tasks have ended: somebody else's ring has told it all. */
static void ring(struct soon__lane *lane)
{
	if (soon_post(lane->core, &lane->doorbell) < 0)
		return;
}

/* Has the core put in what waits there, now that there is room. */
static void ring_for_more(struct soon__lane *lane)
{
	(void)atomic_fetch_add_explicit(&lane->ringing, 1, memory_order_relaxed);
	if (atomic_exchange_explicit(&lane->is_behind, false, memory_order_seq_cst))
		ring(lane);
	/* Release: pairs with soon__offload_stop(). */
	(void)atomic_fetch_sub_explicit(&lane->ringing, 1, memory_order_release);
}

/* Takes a job, beginning with the lane after `*lane`, which becomes the one it is from. */
static struct soon__job *take_job(struct soon__pool *pool, struct soon__lane **lane)
{
	struct soon__lane *first = atomic_load_explicit(&pool->lanes, memory_order_acquire);
	struct soon__lane *at = *lane && (*lane)->next ? (*lane)->next : first, *end = at;

	while (at) {
		bool was_last = false;
		struct soon__job *job = soon__lane_take(at, &was_last);

		if (SOON_UNLIKELY(!job || was_last) &&
			atomic_load_explicit(&at->is_behind, memory_order_seq_cst))
			ring_for_more(at);
		if (job) {
			*lane = at;
			return job;
		}
		at = at->next ? at->next : first;
		if (at == end)
			break;
	}
	return NULL;
}

static bool is_due(struct soon__pool *pool)
{
	return soon__pool_has_jobs(pool) ||
		atomic_load_explicit(&pool->is_ending, memory_order_seq_cst) ||
		atomic_load_explicit(&pool->threads, memory_order_relaxed) >
		atomic_load_explicit(&pool->threads_max, memory_order_seq_cst);
}

/*
 * Whether to look before sleeping. The score goes up by three for a look that found something, and
 * down by one for one in vain, so looking goes on as long as one in four pays. Where it does not,
 * one in so many sleeps tries again.
 */
static bool should_spin(struct soon__worker *worker)
{
	if (worker->pool->opts.spin < 0)
		return false;
	if (worker->spin_score >= SPIN_SCORE_LOW)
		return soon__cpus_look_begin();
	if (++worker->spin_skips < SPIN_SKIPS)
		return false;
	worker->spin_skips = 0;
	return soon__cpus_look_begin();
}

static void count(_Atomic(uint64_t) *counter)
{
	atomic_store_explicit(counter, atomic_load_explicit(counter, memory_order_relaxed) + 1,
		memory_order_relaxed);
}

static soon_ns now_ns(void)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_MONOTONIC, &ts);
	return SOON_S(ts.tv_sec) + ts.tv_nsec;
}

static void spin(struct soon__worker *worker)
{
	soon_ns end = now_ns() + worker->pool->opts.spin;
	bool is_found = false;

	do {
		for (unsigned i = 0; i < SPIN_LOOKS && !is_found; i++) {
			pause_cpu();
			is_found = is_due(worker->pool);
		}
	} while (!is_found && now_ns() < end);
	soon__cpus_look_end();
	count(&worker->spins);
	if (is_found)
		count(&worker->spin_hits);
	worker->spin_score += is_found ? 3 : -1;
	if (worker->spin_score < 0)
		worker->spin_score = 0;
	if (worker->spin_score > SPIN_SCORE_MAX)
		worker->spin_score = SPIN_SCORE_MAX;
}

/* Sleeps until there is something to do. Counted as a searcher when it returns. */
static void rest(struct soon__worker *worker)
{
	struct soon__pool *pool = worker->pool;

	(void)atomic_fetch_or_explicit(word_of(worker), bit_of(worker), memory_order_seq_cst);
	/* The last look: see pool_lane.h. */
	if (is_due(pool) && take_idle(worker)) {
		(void)atomic_fetch_add_explicit(&pool->searching, 1, memory_order_seq_cst);
		return;
	}
	sleep_until_woken(worker);
}

/* Running jobs. */

/* Names the thread after its job, in the few characters that there are. */
static void name_after(struct soon__worker *worker, const soon_site *site)
{
	char name[THREAD_NAME_BYTES];

	if (worker->named == site)
		return;
	worker->named = site;
	(void)snprintf(name, sizeof name, "%s", site->what);
	(void)pthread_setname_np(pthread_self(), name);
}

/*
 * The core goes through its results one after the other, and each is in the cache of the thread
 * that wrote it. So that it can fetch several at a time, each holds the address of one that this
 * thread has put in some time before. What was there may have gone since, but a fetch is harmless.
 */
static void point_ahead(struct soon__worker *worker, struct soon__job *job)
{
	uintptr_t *recent = &worker->recent[worker->recent_at++ % SOON__JOBS_FAR];

	job->far = *recent;
	*recent = (uintptr_t)job;
}

/* Gives the result to the core, which may free the job from the moment that it can see it. */
static void give_back(struct soon__lane *lane, struct soon__job *job)
{
	struct soon__job *seen = atomic_load_explicit(&lane->done, memory_order_relaxed);

	while (seen) {
		job->next_done = seen;
		/* Release: pairs with soon__lane_rung(). Whoever came first rings. */
		if (atomic_compare_exchange_weak_explicit(
			    &lane->done, &seen, job, memory_order_release, memory_order_relaxed))
			return;
	}
	/* Counted first: the core may find the job by another ring, and end its run before ours. */
	(void)atomic_fetch_add_explicit(&lane->ringing, 1, memory_order_relaxed);
	do {
		job->next_done = seen;
	} while (!atomic_compare_exchange_weak_explicit(
		&lane->done, &seen, job, memory_order_release, memory_order_relaxed));
	if (!seen)
		ring(lane);
	/* Release: pairs with soon__offload_stop(). */
	(void)atomic_fetch_sub_explicit(&lane->ringing, 1, memory_order_release);
}

static void run(struct soon__worker *worker, struct soon__lane *lane, struct soon__job *job)
{
	if (SOON_UNLIKELY(job->has_stuck))
		soon__reentry_unstick(job);
	atomic_store_explicit(&worker->last, job->site, memory_order_relaxed);
	atomic_store_explicit(&worker->is_busy, true, memory_order_relaxed);
	name_after(worker, job->site);
	soon__job_current = job;
	job->rc = soon__call_word(job->fn, job->arg);
	if (SOON_UNLIKELY(job->is_detached) && soon__detached_end(job))
		job = NULL;
	else
		soon__locals_view_end(&job->locals);
	soon__job_current = NULL;
	atomic_store_explicit(&worker->is_busy, false, memory_order_relaxed);
	count(&worker->done);
	if (!job)
		return;
	point_ahead(worker, job);
	give_back(lane, job);
}

/* Whether the thread may end: the pool does, or there are too many threads. */
static bool leave(struct soon__worker *worker)
{
	struct soon__pool *pool = worker->pool;
	bool is_ending, is_extra;

	(void)pthread_mutex_lock(&pool->lock);
	is_ending = atomic_load_explicit(&pool->is_ending, memory_order_relaxed);
	is_extra = !is_ending &&
		atomic_load_explicit(&pool->threads, memory_order_relaxed) >
			atomic_load_explicit(&pool->threads_max, memory_order_relaxed);
	if (is_extra) {
		/* Nobody joins it: what it still does, it does without the pool. */
		(void)pthread_detach(pthread_self());
		worker->is_there = false;
	}
	if (is_extra || is_ending)
		(void)atomic_fetch_sub_explicit(&pool->threads, 1, memory_order_relaxed);
	(void)pthread_mutex_unlock(&pool->lock);
	return is_ending || is_extra;
}

static bool should_leave(const struct soon__pool *pool)
{
	return atomic_load_explicit(&pool->is_ending, memory_order_acquire) ||
		atomic_load_explicit(&pool->threads, memory_order_relaxed) >
		atomic_load_explicit(&pool->threads_max, memory_order_relaxed);
}

/* Runs jobs while there are some; not as a searcher. */
static void work(struct soon__worker *worker, struct soon__lane *lane, struct soon__job *job)
{
	while (job) {
		run(worker, lane, job);
		job = should_leave(worker->pool) ? NULL : take_job(worker->pool, &lane);
	}
}

void *soon__worker_main(void *arg)
{
	struct soon__worker *worker = arg;
	struct soon__pool *pool = worker->pool;
	struct soon__lane *lane = NULL;
	char name[THREAD_NAME_BYTES];

	soon__worker_current = worker;
	atomic_store_explicit(&worker->tid, gettid(), memory_order_relaxed);
	worker->named = NULL;
	worker->spin_score = SPIN_SCORE_MAX / 2;
	(void)snprintf(name, sizeof name, "soon-%s", pool->opts.name);
	(void)pthread_setname_np(pthread_self(), name);
	for (;;) { /* as a searcher: who started or woke it has counted it */
		struct soon__job *job;

		if (SOON_UNLIKELY(should_leave(pool))) {
			soon__pool_search_ended(pool); /* first: then the pool may be gone */
			if (leave(worker))
				return NULL;
			(void)atomic_fetch_add_explicit(&pool->searching, 1, memory_order_seq_cst);
		}
		job = take_job(pool, &lane);
		if (job) {
			soon__pool_search_ended(pool);
			work(worker, lane, job);
			/* It may be the only one now; if it is not, it may as well sleep. */
			if (atomic_fetch_add_explicit(&pool->searching, 1, memory_order_seq_cst) ==
					0 &&
				should_spin(worker)) {
				spin(worker);
				continue;
			}
			if (is_due(pool))
				continue;
		}
		(void)atomic_fetch_sub_explicit(&pool->searching, 1, memory_order_seq_cst);
		rest(worker);
	}
}
