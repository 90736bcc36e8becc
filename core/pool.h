// SPDX-License-Identifier: Apache-2.0
/*
 * pool.h: the inside of a pool of threads, shared by the files that make it up:
 *   pool_lane.h    one core's queue into a pool, and who may run what is in it
 *   pool.c         pools begin, change and end
 *   pool_thread.c  a thread: looks for jobs, runs them, sleeps
 *   offload.c      a task's side: calls, cancels, results
 *   detach.c       calls that may be left behind
 *   reenter.c      from a job back into its task
 *
 * Many cores put jobs in, each into a lane of its own, so no two of them meet; many threads take
 * jobs out of all lanes, one lane after the other, so no core starves another. Results go back by
 * a list of the lane, of which only the first entry rings the core.
 *
 * Nobody takes a lock for a job. `lock` orders threads that begin and end, which is rare.
 */
#ifndef CORE_POOL_H
#define CORE_POOL_H

#include <soon/assert.h>
#include <soon/offload.h>

#include "core/spi/list.h"
#include "core/spi/park.h"

#include "local.h"

#include <pthread.h>
#include <stdatomic.h>

#define SOON__POOL_WORDS (SOON_POOL_THREADS_MAX / 64)
#define SOON__JOBS_FAR   8 /* results that the core fetches at a time; a power of two */

struct soon__lane;
struct soon__pool;
struct soon__reentry;

/*
 * One call. It lies in the frame of the task that waits; one that may be left behind, in a
 * soon__detached on the heap. Before it is handed out only the core touches it, then both, as
 * each field says. The first line of the cache is all that a thread needs of it.
 */
struct soon__job {
	soon__fn fn;
	uint64_t arg;
	const soon_site *site;
	struct soon__locals_view locals; /* the thread's, while it has the job */
	struct soon__job *next_done;     /* in lane->done */
	uintptr_t far;                   /* the address of one further on there; maybe gone */
	int rc;                          /* the thread's, until the job is in lane->done */
	atomic_bool is_cancelled;        /* set by the core, read by the thread */
	bool is_done;                    /* the core's: `rc` has come */
	bool has_stuck;                  /* others' threads cannot go on before it: see reenter.c */
	bool is_detached;                /* it lies in a soon__detached, and may be left behind */

	struct soon__lane *lane;
	struct soon__wait wait;        /* the core's */
	struct soon__list link;        /* the core's: in lane->waiting, or on none */
	struct soon__reentry *reentry; /* the core's: what the thread has the task run; or NULL */
	struct soon__job *reentered;   /* the job whose reentry made this call; NULL: none */
	unsigned at;                   /* the core's: its place in the lane */
};

/* One core's queue into a pool. Made at the core's first call, and its for good. */
struct soon__lane {
	/* Read by threads for each job, so on lines that nobody writes meanwhile. */
	struct soon__pool *pool;
	soon_core *core;
	struct soon__lane *next;         /* in pool->lanes; written once */
	unsigned slots;                  /* of the ring, a power of two */
	bool is_used;                    /* under pools_lock: the core is in a run that uses it */
	const soon_pool *of;             /* whose pool it is, while the core uses it */
	struct soon__lane *next_of_core; /* in core->lanes */
	char padding_core[64];

	/* The core's. Counts are atomic for who looks from elsewhere: relaxed, one writer. */
	struct soon__list waiting; /* jobs for which the ring has no place, the oldest first */
	atomic_uint waiting_count;
	atomic_uint handed; /* jobs in the ring or on a thread that are waited for */
	atomic_uint tail;   /* of the ring: where the next job goes */
	char padding_head[64];

	/* The threads'. */
	atomic_uint head;      /* of the ring: where the next job comes from */
	atomic_bool is_behind; /* jobs wait, and whoever empties the ring has to ring */
	char padding_done[64];
	_Atomic(struct soon__job *) done; /* jobs that are, the newest first */
	atomic_uint ringing;              /* threads between the first entry and the ring */
	soon_callback doorbell;
	char padding_ring[64];
	_Atomic(uintptr_t) ring[]; /* see pool_lane.h */
};

struct soon__worker {
	struct soon__pool *pool;
	unsigned index; /* in pool->workers */
	pthread_t thread;
	bool is_there;            /* under pool->lock: `thread` is one, and not joined */
	const soon_site *named;   /* whose name the thread bears; its own */
	int spin_score;           /* how well looking has paid lately; its own */
	unsigned spin_skips;      /* sleeps until it tries again although it did not pay; its own */
	_Atomic(uint32_t) awaken; /* futex: 1 is a wake that was not answered yet */
	atomic_int tid;           /* of the kernel, for reports */
	_Atomic(const soon_site *) last;          /* of its last job */
	_Atomic(const soon_site *) reentry;       /* that it waits for; NULL: none */
	atomic_bool is_busy;                      /* with that job */
	_Atomic(uint64_t) done, spins, spin_hits; /* one writer */
	uintptr_t recent[SOON__JOBS_FAR];         /* where its last jobs were; its own */
	unsigned recent_at;                       /* the oldest of them */
};

struct soon__pool {
	soon_pool_opts opts;          /* filled in */
	soon_ns grace;                /* of the run that began it: how long the end may take */
	unsigned users;               /* lanes that are used; under pools_lock */
	unsigned forks;               /* of the process, when it was made */
	struct soon__pool *next_left; /* in the list of those that could not be freed */
	bool is_told;                 /* a circle of threads was reported; under `lock` */

	pthread_mutex_t lock;
	_Atomic(struct soon__lane *) lanes; /* all that there ever were */
	atomic_uint threads_max;
	atomic_uint threads;
	atomic_uint starts_skipped; /* after a start that failed: tries that were left out */
	atomic_bool has_failed;     /* the last start did */
	atomic_bool is_ending;
	atomic_uint orphans; /* jobs that run though nobody waits for them */
	atomic_uint stuck;   /* threads that wait, by a reentry, for a job of this pool's queue */

	char padding_searching[64];
	/*
	 * Threads that are awake and look for a job, with those that are being woken for it. While
	 * there is one nobody else is woken: it takes a job, and sees to a successor if there are
	 * more.
	 */
	atomic_uint searching;
	atomic_uint idle_words; /* of the next, that may have a bit; only grows */
	/* Bit by index: threads that sleep. Who clears a bit has to wake that thread. */
	_Atomic(uint64_t) idle[SOON__POOL_WORDS];
	char padding_workers[64];
	_Atomic(struct soon__worker *) workers[SOON_POOL_THREADS_MAX];
};

/* The job that this thread runs, NULL on other threads and between jobs. */
extern _Thread_local struct soon__job *soon__job_current;
extern _Thread_local struct soon__worker *soon__worker_current; /* NULL on other threads */

/* pool.c */

/* The lane of the running core into `pool`, NULL for the run's own; NULL when memory is short. */
struct soon__lane *soon__lane_of(soon_pool *pool);

/* Starts a thread, which begins as one that searches. Errors: -EAGAIN. */
int soon__pool_start(struct soon__pool *pool);

/* Whether there are fewer threads than there is work and leave for. */
bool soon__pool_wants_thread(struct soon__pool *pool);

/* Whether some lane has a job that no thread has taken. */
bool soon__pool_has_jobs(struct soon__pool *pool);

/* pool_thread.c */

/* The start of a thread's life; `arg` is its soon__worker. */
void *soon__worker_main(void *arg);

/*
 * After a job was put in: sees to it that some thread looks for it. Any thread.
 * Errors: -EAGAIN no thread could be started.
 */
int soon__pool_kick(struct soon__pool *pool);

/* Wakes that thread if it sleeps. */
void soon__worker_wake(struct soon__worker *worker);

/* A thread that searched does so no longer; others that counted on it are seen to. */
void soon__pool_search_ended(struct soon__pool *pool);

/* Wakes all that sleep, to see what has changed. */
void soon__pool_wake_all(struct soon__pool *pool);

/* offload.c */

/* Fills in a job for the lane, all zero so far. */
void soon__job_init(struct soon__job *job, struct soon__lane *lane, soon__fn fn, uint64_t arg,
	const soon_site *site);

/* Makes the job's wait as new, for the next park. */
void soon__job_wait_init(struct soon__job *job);

/*
 * Hands the job out and parks until it is done, and gives its result then; or, with job->is_done
 * false, why it never ran or is not waited for any more.
 */
int soon__job_run(struct soon__job *job);

/* The lane's doorbell: results have come, or there is room for jobs that wait. */
void soon__lane_rung(soon_callback *callback);

/* detach.c */

/* Leaves the job behind, if it can be. Only while it runs; on the core. */
bool soon__detached_leave(struct soon__job *job);

/* On the thread, when the function has returned: whether nobody waits for it any more. */
bool soon__detached_end(struct soon__job *job);

/* Whether it was left behind. On the core. */
bool soon__detached_is_left(const struct soon__job *job);

/* The number of the run that a job belongs to which was left behind. */
uint64_t soon__detached_run(const struct soon__job *job);

/* reenter.c */

/* In the task that waits, woken by its thread: runs what that asks for, and answers. */
void soon__reentry_run(struct soon__job *job);

/*
 * Before a call waits: counts the threads that it keeps from going on, and says whether that makes
 * all of them: -EDEADLK, with a report.
 */
int soon__reentry_stick(struct soon__job *job);

/* A thread has the job, or it was withdrawn: they may go on. */
void soon__reentry_unstick(struct soon__job *job);

#endif
