// SPDX-License-Identifier: Apache-2.0
/*
 * offload.c: blocking functions on threads, for tasks that wait.
 *
 * A job lies in the frame of the task that waits for it. Jobs go through a ring with one producer,
 * the core, and the threads as consumers, guarded by a semaphore: whoever took a ticket may take
 * the next slot. Posting the semaphore enters the kernel only if a thread sleeps. When the ring is
 * full, jobs wait in a FIFO of the core. The limit is the number of threads.
 *
 * A slot is claimed by exchanging its content, and that decides between a thread and a cancel. A
 * thread that got the job runs it to its end whatever happens; a cancel then only sets the flag
 * that soon_offload_cancelled() shows. A cancel that comes first leaves a mark in the slot, which
 * a thread skips: the function never ran, and the frame with the job may go. The result comes back
 * as a post.
 *
 * Threads are started as needed up to the limit and kept until the run ends.
 */
#include "offload.h"

#include <soon/assert.h>
#include <soon/mem.h>

#include "core/spi/list.h"
#include "core/spi/park.h"

#include "core.h"
#include "local.h"
#include "switch.h"

#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <unistd.h>

#define THREADS_MIN       8u
#define THREADS_MAX       4096u
#define SLOTS_MIN         64u
#define STACK_BYTES_MIN   ((size_t)1 << 20)
#define THREAD_NAME       "soon-offload"
#define THREAD_NAME_BYTES 16 /* of the kernel, the end included */

/* One call. Until it is handed out only the core touches it, then both, as each field says. */
struct job {
	soon_callback done;     /* posted by the thread, its last touch */
	struct soon__wait wait; /* the core's */
	struct soon__list link; /* the core's: in pool->waiting, or on none */
	unsigned at;            /* the core's: its slot, once it is in the ring */
	struct soon__offload *pool;
	const soon_site *site;
	soon__fn fn;
	uint64_t arg;
	struct soon__locals_view locals; /* the thread's, while it has the job */
	int rc;                          /* the thread's, until it posts */
	atomic_bool is_cancelled;        /* set by the core, read by the thread */
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
	struct soon__list waiting; /* jobs for which the ring has no slot, the oldest first */
	unsigned handed;           /* jobs in the ring or on a thread */
	unsigned threads;          /* started; the first so many of `workers` */
	unsigned threads_max;
	unsigned tail; /* of the ring: where the next job goes */

	/* Between the core and the threads. */
	sem_t tickets;            /* jobs in the ring */
	_Atomic(unsigned) head;   /* of the ring: where the next job comes from */
	unsigned mask;            /* slots - 1 */
	_Atomic(unsigned) inside; /* threads that may still look at the pool */
	struct job withdrawn; /* only its address is used: a job that was cancelled in its slot */
	_Atomic(struct job *) *ring; /* NULL in a slot: it is free */
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

struct soon__locals_view *soon__offload_view(void)
{
	return current_job != NULL ? &current_job->locals : NULL;
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

/* Claims the next slot's content: a job, the mark of a withdrawn one, or NULL to end the thread. */
static struct job *take_slot(struct soon__offload *pool)
{
	unsigned at;

	while (sem_wait(&pool->tickets) != 0)
		continue; /* EINTR is all there is */
	/*
	 * Which ticket we got need not be the one of the slot we get. Acquire and release, so that
	 * we also see what the threads saw that took the slots before.
	 */
	at = atomic_fetch_add_explicit(&pool->head, 1, memory_order_acq_rel);
	/* Acquire: pairs with try_slot and try_replace. Release: with the former. */
	return atomic_exchange_explicit(&pool->ring[at & pool->mask], NULL, memory_order_acq_rel);
}

static struct job *take_job(struct soon__offload *pool)
{
	struct job *job;

	do {
		job = take_slot(pool);
	} while (job == &pool->withdrawn);
	return job;
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
		soon__locals_view_end(&job->locals);
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

	(void)pthread_attr_init(attr);
	(void)pthread_attr_getstacksize(attr, &bytes);
	if (bytes < STACK_BYTES_MIN)
		(void)pthread_attr_setstacksize(attr, STACK_BYTES_MIN);
}

/* Signals are for the program's own threads, but for those that a fault of this one raises. */
static void block_signals(sigset_t *ret_before)
{
	static const int faults[] = { SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGSYS };
	sigset_t all;

	(void)sigfillset(&all);
	for (size_t i = 0; i < sizeof faults / sizeof faults[0]; i++)
		(void)sigdelset(&all, faults[i]);
	(void)pthread_sigmask(SIG_BLOCK, &all, ret_before);
}

static int thread_start(struct soon__offload *pool)
{
	struct worker *worker = &pool->workers[pool->threads];
	pthread_attr_t attr;
	sigset_t before;
	int rc;

	SOON_ASSERT(pool->threads < pool->threads_max);
	worker->pool = pool;
	atomic_fetch_add_explicit(&pool->inside, 1, memory_order_relaxed);
	attr_init(&attr);
	/* Inherited, not by the attribute: the sanitizers of gcc 14 lose that one. */
	block_signals(&before);
	rc = pthread_create(&worker->thread, &attr, thread_main, worker);
	(void)pthread_sigmask(SIG_SETMASK, &before, NULL);
	(void)pthread_attr_destroy(&attr);
	if (rc != 0) {
		atomic_fetch_sub_explicit(&pool->inside, 1, memory_order_relaxed);
		return -EAGAIN;
	}
	pool->threads++;
	return 0;
}

/* Puts the job into the next slot; false when that is not free yet. */
static bool try_slot(struct soon__offload *pool, struct job *job)
{
	_Atomic(struct job *) *slot = &pool->ring[pool->tail & pool->mask];

	/* Acquire: pairs with take_slot, whose thread is done with the slot. */
	if (atomic_load_explicit(slot, memory_order_acquire) != NULL)
		return false;
	job->at = pool->tail++ & pool->mask;
	/* Release: pairs with take_slot. */
	atomic_store_explicit(slot, job, memory_order_release);
	(void)sem_post(&pool->tickets);
	return true;
}

/*
 * Puts the job in place of a withdrawn one, whose ticket is still out. Only with no other job
 * handed out: then marks are all that the ring holds, so nobody is overtaken, and nobody else's
 * return would have us try again.
 */
static bool try_replace(struct soon__offload *pool, struct job *job)
{
	struct job *seen = &pool->withdrawn;

	job->at = pool->tail & pool->mask;
	/* Release: pairs with take_slot. */
	return pool->handed == 0 &&
		atomic_compare_exchange_strong_explicit(&pool->ring[job->at], &seen, job,
			memory_order_release, memory_order_relaxed);
}

/* Hands out jobs that wait, the oldest first, and starts threads while there are too few. */
static void dispatch(struct soon__offload *pool)
{
	struct soon__list *first;

	while ((first = pool->waiting.next) != &pool->waiting) {
		struct job *job = SOON_CONTAINER_OF(first, struct job, link);

		if (pool->handed >= pool->threads && pool->threads < pool->threads_max &&
			thread_start(pool) < 0 && pool->threads == 0)
			return;
		/* A slot that a thread frees between the first two is caught by the third. */
		if (!try_slot(pool, job) && !try_replace(pool, job) &&
			(pool->handed > 0 || !try_slot(pool, job)))
			return;
		soon__list_remove(first);
		pool->handed++;
	}
}

/* A job came back: its result goes to its task, its place to who waits. */
static void job_done(soon_callback *callback)
{
	struct job *job = SOON_CONTAINER_OF(callback, struct job, done);
	struct soon__offload *pool = job->pool;

	SOON_ASSERT(pool->handed > 0);
	pool->handed--;
	dispatch(pool);
	soon__unpark(&job->wait, job->rc);
}

static enum soon__abort job_abort(struct soon__wait *wait)
{
	struct job *job = SOON_CONTAINER_OF(wait, struct job, wait);
	struct soon__offload *pool = job->pool;
	struct job *seen = job;

	if (!soon__list_is_empty(&job->link)) {
		soon__list_remove(&job->link);
		return SOON__ABORT_DONE;
	}
	/* Relaxed: who wins has nothing to tell the other but that. */
	if (atomic_compare_exchange_strong_explicit(&pool->ring[job->at], &seen, &pool->withdrawn,
		    memory_order_relaxed, memory_order_relaxed)) {
		pool->handed--;
		dispatch(pool);
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
	unsigned slots = SLOTS_MIN;
	struct soon__offload *pool;

	while (slots < count)
		slots *= 2;
	pool = soon_zalloc(sizeof *pool + count * sizeof *pool->workers);
	if (pool == NULL)
		return NULL;
	pool->ring = soon_zalloc(slots * sizeof *pool->ring);
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
		.wait = { .abort = job_abort, .what = "offload", .is_external = true },
		.site = site,
		.fn = fn,
		.arg = arg,
	};
	int rc = soon__checkpoint("offload");
	soon_core *core;

	if (rc < 0)
		return rc;
	core = soon__core;
	if (core->offload == NULL) {
		core->offload = pool_create(core);
		if (core->offload == NULL)
			return -EAGAIN;
	}
	job.pool = core->offload;
	job.locals.locals = core->sched.current->locals;
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
	SOON_ASSERT(pool->handed == 0);
	SOON_ASSERT(soon__list_is_empty(&pool->waiting));
	core->offload = NULL;
	/* Tickets without jobs: who finds its slot free may go. Marks are skipped before. */
	for (unsigned i = 0; i < pool->threads; i++)
		(void)sem_post(&pool->tickets);
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

unsigned soon__offload_busy(const soon_core *core)
{
	const struct soon__offload *pool = core->offload;
	unsigned count = 0;

	if (!pool)
		return 0;
	for (const struct soon__list *l = pool->waiting.next; l != &pool->waiting; l = l->next)
		count++;
	return pool->handed + count;
}
