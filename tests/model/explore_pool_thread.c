// SPDX-License-Identifier: Apache-2.0
/*
 * explore_pool_thread.c: the real core/pool_thread.c and core/pool_lane.h in all their orders: a
 * core that hands jobs to two threads, which find them awake, searching, or asleep; and takes some
 * back.
 *
 * The threads are there from the start, and no more can be started. A futex begins a wait only if
 * the word is as it was, a post to the core is a flag with release and acquire. Checked: a job runs
 * once; never when it was taken back, and then nobody touches it; else its result comes; so no
 * thread sleeps beside a job; and at the end all threads can be had to leave.
 */
#include "explore.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define syscall(number, word, op, value, ...) explore_futex((word), (op), (value))
#define pthread_setname_np(thread, name)      ((void)(name))
#define pthread_mutex_lock(mutex)             explore_lock(mutex)
#define pthread_mutex_unlock(mutex)           explore_unlock(mutex)
#define gettid()                              1

static long explore_futex(void *word, int op, uint32_t value);
static int explore_lock(pthread_mutex_t *mutex);
static int explore_unlock(pthread_mutex_t *mutex);

#ifdef EXPLORED
#include EXPLORED
#else
#include "core/pool_thread.c"
#endif

#define THREADS_MAX 2u
#define JOBS_MAX    3u
#define SLOTS       4u

static struct soon__pool pool;
static struct soon__worker workers[THREADS_MAX];
static struct {
	struct soon__lane lane;
	_Atomic(uintptr_t) places[SLOTS];
} lane;
static struct soon__job jobs[JOBS_MAX];
static const soon_site site = { .what = "job" };

static struct {
	unsigned jobs, threads;
	unsigned withdrawals; /* that the core tries at most */
	unsigned runs[JOBS_MAX];
	bool is_withdrawn[JOBS_MAX], is_answered[JOBS_MAX];
	bool is_rung, is_locked;
	const void *waits[THREADS_MAX]; /* the word that a thread sleeps on */
} world;

/* What the source calls, and a job. */

void soon__assert_failed(const char *expr, const char *func, const char *file, int line)
{
	(void)file;
	explore_fail("%s:%d: assertion failed: %s", func, line, expr);
}

static bool is_awake(void *wait)
{
	return *(const void **)wait == NULL;
}

static long explore_futex(void *word, int op, uint32_t value)
{
	explore_step("enters the futex");
	if (op == FUTEX_WAIT_PRIVATE) {
		unsigned index = soon__worker_current->index;

		if ((uint32_t)explore_peek(word, sizeof value) != value)
			return 0;
		world.waits[index] = word;
		explore_block("wakes from the futex", is_awake, &world.waits[index]);
		return 0;
	}
	for (unsigned i = 0; i < THREADS_MAX; i++) {
		if (world.waits[i] == word)
			world.waits[i] = NULL;
	}
	return 0;
}

static bool is_unlocked(void *unused)
{
	(void)unused;
	return !world.is_locked;
}

static int explore_lock(pthread_mutex_t *mutex)
{
	explore_block("locks", is_unlocked, NULL);
	world.is_locked = true;
	explore_acquire(mutex);
	return 0;
}

static int explore_unlock(pthread_mutex_t *mutex)
{
	explore_release(mutex);
	world.is_locked = false;
	return 0;
}

int soon_post(soon_core *core, soon_callback *callback)
{
	(void)core;
	EXPLORE_CHECK(callback == &lane.lane.doorbell);
	explore_step("posts");
	explore_release(&world);
	world.is_rung = true;
	return 0;
}

static int run_job(uint64_t index)
{
	explore_step("runs a job");
	EXPLORE_CHECK(!world.is_withdrawn[index]);
	EXPLORE_CHECK(world.runs[index]++ == 0);
	return (int)index + 1;
}

void soon__locals_view_end(struct soon__locals_view *view)
{
	(void)view;
}

bool soon__detached_end(struct soon__job *job)
{
	(void)job;
	return false;
}

void soon__reentry_unstick(struct soon__job *job)
{
	(void)job;
}

bool soon__cpus_look_begin(void)
{
	return false;
}

void soon__cpus_look_end(void)
{
}

int soon__pool_start(struct soon__pool *of)
{
	(void)of;
	return -EAGAIN;
}

bool soon__pool_wants_thread(struct soon__pool *of)
{
	(void)of;
	return false;
}

bool soon__pool_has_jobs(struct soon__pool *of)
{
	return soon__lane_is_due(atomic_load_explicit(&of->lanes, memory_order_acquire));
}

/* The core. */

static bool is_rung(void *unused)
{
	(void)unused;
	return world.is_rung;
}

/* As soon__lane_rung() does it. */
static void take_results(void)
{
	struct soon__job *job;

	explore_block("is rung", is_rung, NULL);
	world.is_rung = false;
	explore_acquire(&world);
	job = atomic_exchange_explicit(&lane.lane.done, NULL, memory_order_acquire);
	for (; job; job = job->next_done) {
		EXPLORE_CHECK(job->rc == (int)job->arg + 1);
		world.is_answered[job->arg] = true;
	}
}

static void hand_out(unsigned index)
{
	struct soon__job *job = &jobs[index];

	*job = (struct soon__job){
		.fn = (soon__fn)run_job,
		.lane = &lane.lane,
		.site = &site,
		.arg = index,
	};
	EXPLORE_CHECK(soon__lane_put(&lane.lane, job));
	EXPLORE_CHECK(soon__pool_kick(&pool) == 0);
}

static void run_core(void *unused)
{
	(void)unused;
	for (unsigned i = 0; i < world.jobs; i++) {
		hand_out(i);
		if (world.withdrawals == 0 || explore_choose("is cancelled", 2) == 0)
			continue;
		world.withdrawals--;
		if (soon__lane_withdraw(&lane.lane, &jobs[i])) {
			world.is_withdrawn[i] = true;
			explore_free(&jobs[i], sizeof jobs[i]);
		}
	}
	for (unsigned i = 0; i < world.jobs; i++) {
		while (!world.is_withdrawn[i] && !world.is_answered[i])
			take_results();
	}
	/* As soon__pool_stop() does it. */
	atomic_store_explicit(&pool.is_ending, true, memory_order_seq_cst);
	soon__pool_wake_all(&pool);
}

static void run_worker(void *arg)
{
	(void)soon__worker_main(arg);
}

static void begin(unsigned threads, unsigned count, unsigned withdrawals)
{
	explore_untracked(&world, sizeof world);
	explore_thread_local(&soon__worker_current, sizeof soon__worker_current);
	explore_thread_local(&soon__job_current, sizeof soon__job_current);
	memset(&world, 0, sizeof world);
	memset(&pool, 0, offsetof(struct soon__pool, workers));
	memset(&lane, 0, sizeof lane);
	world.threads = threads;
	world.jobs = count;
	world.withdrawals = withdrawals;
	pool.opts.name = "pool";
	pool.opts.spin = -1;
	lane.lane.pool = &pool;
	lane.lane.slots = SLOTS;
	atomic_init(&pool.lanes, &lane.lane);
	atomic_init(&pool.threads, threads);
	atomic_init(&pool.threads_max, threads);
	atomic_init(&pool.searching, threads);
	atomic_init(&pool.idle_words, 1);
	explore_thread("core", run_core, NULL);
	for (unsigned i = 0; i < threads; i++) {
		static const char *const names[] = { "thread 0", "thread 1" };

		workers[i] = (struct soon__worker){ .pool = &pool, .index = i, .is_there = true };
		atomic_init(&pool.workers[i], &workers[i]);
		explore_thread(names[i], run_worker, &workers[i]);
	}
}

static void finish(void)
{
	for (unsigned i = 0; i < world.jobs; i++)
		EXPLORE_CHECK(world.runs[i] == (world.is_withdrawn[i] ? 0 : 1));
	EXPLORE_CHECK(atomic_load_explicit(&pool.threads, memory_order_relaxed) == 0);
}

/* The scenarios. */

/* Each job finds the thread at work, searching, or about to sleep. */
static void setup_one_thread(void)
{
	begin(1, 2, 0);
}

static void setup_two_threads(void)
{
	begin(2, 2, 0);
}

static void setup_withdrawals(void)
{
	begin(1, 2, 2);
}

static void setup_withdrawals_two_threads(void)
{
	begin(2, 2, 1);
}

int main(int argc, char **argv)
{
	static const struct explore_scenario scenarios[] = {
		{ "one_thread", setup_one_thread, finish, 3, 1 },
		{ "two_threads", setup_two_threads, finish, 2, 1 },
		{ "withdrawals", setup_withdrawals, finish, 3, 1 },
		{ "withdrawals_two_threads", setup_withdrawals_two_threads, finish, 2, 0 },
	};

	return explore_main(argc, argv, scenarios, sizeof scenarios / sizeof scenarios[0]);
}
