// SPDX-License-Identifier: Apache-2.0
/*
 * offload.c: blocking functions on threads, for tasks that wait.
 *
 * A job lies in the frame of the task that waits for it. The core's side is single-threaded and
 * holds the limit: as many jobs are handed out as there are threads, so a job that was handed out
 * is about to run, and the others wait in a FIFO of the core, where a cancel takes them out and
 * their function never ran. Once handed out, a job runs to its end whatever happens; a cancel only
 * sets the flag that soon_offload_cancelled() shows. The result comes back as a post, and a job
 * that comes back is what frees a place.
 *
 * The way out is a ring of job pointers with one producer, the core, and the threads as
 * consumers, guarded by a semaphore: whoever took a ticket may take a job. The ring cannot
 * overflow, because it has a slot for each thread. Posting the semaphore enters the kernel only if
 * a thread sleeps.
 *
 * Threads are started as needed up to the limit and kept until the run ends.
 */
#include "offload.h"

#include <soon/assert.h>
#include <soon/mem.h>

#include "core/spi/list.h"
#include "core/spi/park.h"

#include "core.h"
#include "switch.h"

#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <unistd.h>

#define THREADS_MIN       8u
#define THREADS_MAX       4096u
#define STACK_BYTES_MIN   ((size_t)1 << 20)
#define THREAD_NAME       "soon-offload"
#define THREAD_NAME_BYTES 16 /* of the kernel, the end included */

/* One call. Until it is handed out only the core touches it, then both, as each field says. */
struct job {
	soon_callback done;     /* posted by the thread, its last touch */
	struct soon__wait wait; /* the core's */
	struct soon__list link; /* the core's: in pool->waiting, or on none */
	struct soon__offload *pool;
	const soon_site *site;
	soon__fn fn;
	uint64_t arg;
	int rc;                   /* the thread's, until it posts */
	atomic_bool is_cancelled; /* set by the core, read by the thread */
};

struct worker {
	struct soon__offload *pool;
	pthread_t thread;
	const soon_site *named;          /* whose name the thread bears; its own */
	_Atomic(const soon_site *) last; /* of its last job, for the report at the end */
};

struct soon__offload {
	soon_core *core;

	/* The core's. */
	struct soon__list waiting; /* jobs for which there is no thread, the oldest first */
	unsigned running;          /* jobs handed out and not yet back */
	unsigned threads;          /* started; the first so many of `workers` */
	unsigned threads_max;
	unsigned tail; /* of the ring: where the next job goes */

	/* Between the core and the threads. */
	sem_t tickets;            /* jobs in the ring */
	_Atomic(unsigned) head;   /* of the ring: where the next job comes from */
	unsigned mask;            /* slots - 1 */
	_Atomic(unsigned) inside; /* threads that may still look at the pool */
	struct job **ring;        /* NULL in a slot: the thread that takes it ends */
	struct worker workers[];
};

/* The job that this thread runs, NULL on other threads and between jobs. */
static _Thread_local struct job *current_job;

bool soon_offload_cancelled(void)
{
	/* Relaxed: a wish, which orders nothing. */
	return current_job != NULL &&
		atomic_load_explicit(&current_job->is_cancelled, memory_order_relaxed);
}

/* The thread's side. */

/* Names the thread after its job, in the few characters that there are. */
static void thread_name(struct worker *worker, const soon_site *site)
{
	char name[THREAD_NAME_BYTES];

	if (worker->named == site)
		return;
	worker->named = site;
	(void)snprintf(name, sizeof name, "%s", site->what);
	(void)pthread_setname_np(pthread_self(), name);
}

static struct job *take_job(struct soon__offload *pool)
{
	unsigned at;

	while (sem_wait(&pool->tickets) != 0)
		continue; /* EINTR is all there is */
	/*
	 * Which ticket we got need not be the one of the slot we get. Acquire and release, so that
	 * we also see what the threads saw that took the slots before.
	 */
	at = atomic_fetch_add_explicit(&pool->head, 1, memory_order_acq_rel);
	return pool->ring[at & pool->mask];
}

static void *thread_main(void *arg)
{
	struct worker *worker = arg;
	soon_core *core = worker->pool->core;
	struct job *job;

	(void)pthread_setname_np(pthread_self(), THREAD_NAME);
	while ((job = take_job(worker->pool)) != NULL) {
		int rc;

		atomic_store_explicit(&worker->last, job->site, memory_order_relaxed);
		thread_name(worker, job->site);
		current_job = job;
		job->rc = soon__call_word(job->fn, job->arg);
		current_job = NULL;
		rc = soon_post(core, &job->done);
		SOON_ASSERT(rc == 0); /* the core stays open while a task waits */
	}
	/* Release: pairs with soon__offload_stop. */
	atomic_fetch_sub_explicit(&worker->pool->inside, 1, memory_order_release);
	return NULL;
}

/* The core's side. */

static void attr_init(pthread_attr_t *attr)
{
	size_t bytes = 0;
	sigset_t all;

	(void)pthread_attr_init(attr);
	(void)pthread_attr_getstacksize(attr, &bytes);
	if (bytes < STACK_BYTES_MIN)
		(void)pthread_attr_setstacksize(attr, STACK_BYTES_MIN);
	/* Signals are for the program's own threads. */
	(void)sigfillset(&all);
	(void)pthread_attr_setsigmask_np(attr, &all);
}

static int thread_start(struct soon__offload *pool)
{
	struct worker *worker = &pool->workers[pool->threads];
	pthread_attr_t attr;
	int rc;

	SOON_ASSERT(pool->threads < pool->threads_max);
	worker->pool = pool;
	atomic_fetch_add_explicit(&pool->inside, 1, memory_order_relaxed);
	attr_init(&attr);
	rc = pthread_create(&worker->thread, &attr, thread_main, worker);
	(void)pthread_attr_destroy(&attr);
	if (rc != 0) {
		atomic_fetch_sub_explicit(&pool->inside, 1, memory_order_relaxed);
		return -EAGAIN;
	}
	pool->threads++;
	return 0;
}

static void hand_out(struct soon__offload *pool, struct job *job)
{
	pool->ring[pool->tail++ & pool->mask] = job;
	(void)sem_post(&pool->tickets); /* releases the slot */
}

/* Hands out jobs that wait, the oldest first, while there is or can be a thread for them. */
static void dispatch(struct soon__offload *pool)
{
	struct soon__list *first;

	while (!soon__list_is_empty(&pool->waiting)) {
		if (pool->running == pool->threads &&
			(pool->threads == pool->threads_max || thread_start(pool) < 0))
			return;
		first = soon__list_pop(&pool->waiting);
		pool->running++;
		hand_out(pool, SOON_CONTAINER_OF(first, struct job, link));
	}
}

/* A job came back: its place goes to who waits longest, its result to its task. */
static void job_done(soon_callback *callback)
{
	struct job *job = SOON_CONTAINER_OF(callback, struct job, done);
	struct soon__offload *pool = job->pool;

	SOON_ASSERT(pool->running > 0);
	pool->running--;
	dispatch(pool);
	soon__unpark(&job->wait, job->rc);
}

static enum soon__abort job_abort(struct soon__wait *wait)
{
	struct job *job = SOON_CONTAINER_OF(wait, struct job, wait);

	if (!soon__list_is_empty(&job->link)) {
		soon__list_remove(&job->link);
		return SOON__ABORT_DONE;
	}
	atomic_store_explicit(&job->is_cancelled, true, memory_order_relaxed);
	return SOON__ABORT_PENDING;
}

static unsigned threads_max(const soon_opts *opts)
{
	long cpus = sysconf(_SC_NPROCESSORS_ONLN);
	unsigned count = opts->offload_threads;

	if (count == 0)
		count = cpus > (long)THREADS_MIN / 2 ? 2 * (unsigned)cpus : THREADS_MIN;
	return count < THREADS_MAX ? count : THREADS_MAX;
}

static struct soon__offload *pool_create(soon_core *core)
{
	unsigned count = threads_max(&core->opts);
	unsigned slots = 1;
	struct soon__offload *pool;

	while (slots < count)
		slots *= 2;
	pool = soon_zalloc(sizeof *pool + count * sizeof *pool->workers);
	if (pool == NULL)
		return NULL;
	pool->ring = soon_zalloc(slots * sizeof(struct job *));
	if (pool->ring == NULL) {
		soon_free(pool);
		return NULL;
	}
	pool->mask = slots - 1;
	pool->core = core;
	pool->threads_max = count;
	soon__list_init(&pool->waiting);
	(void)sem_init(&pool->tickets, 0, 0); /* fails for shared ones and large counts only */
	return pool;
}

static void pool_destroy(struct soon__offload *pool)
{
	(void)sem_destroy(&pool->tickets);
	soon_free(pool->ring);
	soon_free(pool);
}

int soon__offload(soon__fn fn, uint64_t arg, const soon_site *site)
{
	struct job job = {
		.done = { .fn = job_done },
		.wait = { .abort = job_abort, .what = "offload" },
		.site = site,
		.fn = fn,
		.arg = arg,
	};
	int rc = soon__checkpoint("offload");
	soon_core *core;

	if (rc < 0)
		return rc;
	core = soon_core_self();
	if (core->offload == NULL) {
		core->offload = pool_create(core);
		if (core->offload == NULL)
			return -EAGAIN;
	}
	job.pool = core->offload;
	soon__list_push_tail(&job.pool->waiting, &job.link);
	dispatch(job.pool);
	if (job.pool->threads == 0) {
		soon__list_remove(&job.link);
		return -EAGAIN;
	}
	return (int)soon__park(&job.wait);
}

/*
 * When the threads should have ended, by CLOCK_REALTIME: ThreadSanitizer knows no join by another
 * clock. A step of it makes the grace shorter or longer, no more. Not the core's clock: threads
 * live in real time even when the core does not.
 */
static struct timespec grace_end(const soon_core *core)
{
	struct timespec end;

	(void)clock_gettime(CLOCK_REALTIME, &end);
	end.tv_sec += core->opts.grace / SOON_S(1);
	end.tv_nsec += core->opts.grace % SOON_S(1);
	if (end.tv_nsec >= SOON_S(1)) {
		end.tv_nsec -= SOON_S(1);
		end.tv_sec++;
	}
	return end;
}

void soon__offload_stop(soon_core *core)
{
	struct soon__offload *pool = core->offload;
	struct timespec deadline;

	if (pool == NULL)
		return;
	SOON_ASSERT(pool->running == 0);
	SOON_ASSERT(soon__list_is_empty(&pool->waiting));
	core->offload = NULL;
	for (unsigned i = 0; i < pool->threads; i++)
		hand_out(pool, NULL);
	deadline = grace_end(core);
	for (unsigned i = 0; i < pool->threads; i++) {
		const soon_site *last;

		if (pthread_timedjoin_np(pool->workers[i].thread, NULL, &deadline) == 0)
			continue;
		last = atomic_load_explicit(&pool->workers[i].last, memory_order_relaxed);
		soon_report_file(SOON_REPORT_ERROR, -ETIMEDOUT,
			"an offload thread does not end; it last ran %s, called at %s:%d",
			last != NULL ? last->what : "nothing", last != NULL ? last->file : "?",
			last != NULL ? last->line : 0);
		(void)pthread_detach(pool->workers[i].thread);
	}
	/* Who was left hangs in what other libraries do at a thread's end. */
	if (atomic_load_explicit(&pool->inside, memory_order_acquire) == 0)
		pool_destroy(pool);
}
