// SPDX-License-Identifier: Apache-2.0
/*
 * offload.h: blocking functions on threads, for tasks that wait.
 *
 * soon_offload() runs a function that blocks on a pool thread, while the calling task is parked
 * and the core serves others. What was begun is waited for, whatever is cancelled meanwhile; work
 * that may be left behind is soon_offload_detach()'s. soon_reenter() is the way back: it runs a
 * function in the task that waits for the thread.
 *
 *	int rc = soon_offload(write_to_disk, &job);
 *
 * A pool has its own threads and its own queue, so that calls of one cannot hold up another's: give
 * one to each purpose that may get stuck by itself. It is a static object; its threads begin with
 * the first calls and end with the last run that used it. All cores of all runs share it.
 *
 *	static soon_pool disk = SOON_POOL_INIT(.name = "disk", .threads_max = 2);
 *
 *	rc = soon_offload_with(&disk, write_to_disk, &job);
 *
 * The limit of a pool is the limiter of its purpose, and may be changed while it works: a thread
 * counts until its function has really returned, also where nobody waits for it any more.
 */
#ifndef SOON_OFFLOAD_H
#define SOON_OFFLOAD_H

#include <soon/call.h>
#include <soon/task.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Most threads that one pool may have. */
#define SOON_POOL_THREADS_MAX 1024u

/* Zero means the default in every field. */
typedef struct soon_pool_opts {
	const char *name;      /* static, for reports; default "pool" */
	unsigned threads_max;  /* calls that run at a time; default max(8, 2 * cpus) */
	unsigned queue_max;    /* calls of each core in the queue; default 1024 */
	unsigned detached_max; /* left behind at a time; default half of the threads, at least 1 */
	size_t stack_bytes;    /* of each thread; default the system's, at least 1 MiB */
	soon_ns spin;          /* a thread looks so long before it sleeps; default 20 us where a
				  processor is to spare and it pays; negative: never */
} soon_pool_opts;

/* Threads for one purpose. Zero is a pool with the defaults. Outlives the runs that use it. */
typedef struct soon_pool {
	soon_pool_opts opts;    /* fixed from the first call on, but for soon_pool_resize() */
	void *soon__state;      /* NULL while no run uses it */
	unsigned soon__resized; /* what soon_pool_resize() said; 0: nothing */
} soon_pool;

/* SOON_POOL_INIT(.name = "disk", .threads_max = 2) */
/* clang-format off */
#define SOON_POOL_INIT(...) { .opts = { __VA_ARGS__ } }
/* clang-format on */

typedef struct soon_pool_stats {
	unsigned threads_max; /* the limit */
	unsigned threads;     /* that there are; above the limit until some have ended */
	unsigned busy;        /* that run a function */
	unsigned queued;      /* calls that wait for a thread */
	unsigned detached;    /* functions that run though nobody waits for them */
	uint64_t done;        /* functions that have returned */
	uint64_t spins;       /* times that a thread looked for work before it slept, */
	uint64_t spin_hits;   /* and found some */
} soon_pool_stats;

SOON_API SOON_NODISCARD int soon__offload(
	soon_pool *pool, soon__fn fn, uint64_t arg, const soon_site *site) SOON_SUSPENDS;

/*
 * Runs `fn(arg)` on a thread of the pool and returns its result. soon_offload() takes the run's
 * own pool, whose limit is soon_opts.offload_threads.
 * Affinity: core, in a task. Suspends: always, until `fn` returned. Cancel: cancellation point
 * on entry and while waiting for a thread (then `fn` never ran and never will); once it runs, a
 * cancel is remembered, the result is returned, and the next suspending call fails.
 * Ownership: `arg` is lent to the thread until the return. Null: `pool` is the run's own.
 * Errors: -ECANCELED; -EAGAIN no thread could be started and none is running; -EDEADLK all threads
 * of the pool wait for functions that they re-entered and that wait for a thread of this pool, of
 * which this call would be the last: reported once; -EPERM not in a task; otherwise what `fn`
 * returned, and -EIO after a report if that was -ECANCELED though nobody has cancelled the task.
 * Limits: see soon_pool_opts; calls beyond wait, in the order of each core's.
 */
#define soon_offload_with(pool, fn, arg)                                                           \
	soon__used(__extension__({                                                                 \
		SOON__SITE(#fn);                                                                   \
		SOON__CHECK_ON_THREAD((fn)(arg));                                                  \
		soon__offload((pool), SOON__CALL(fn, arg), &soon__site);                           \
	}))
#define soon_offload(fn, arg) soon_offload_with(NULL, fn, arg)

SOON_API SOON_NODISCARD int soon__offload_detach(soon_pool *pool, soon__fn fn, uint64_t arg,
	soon__fn drop, const soon_site *site) SOON_SUSPENDS;

/*
 * As soon_offload(), but a cancel does not wait for `fn`: the call returns -ECANCELED at once, `fn`
 * runs on, and afterwards `drop(arg)` is called on its thread. So `arg` must be on the heap.
 * Affinity: core, in a task. Suspends: always, until `fn` returned or a cancel. Cancel:
 * cancellation point, all the time; beyond the pool's detached_max a cancel waits for `fn`.
 * Ownership: takes `arg` when it returns -ECANCELED: `drop(arg)` has been called, or will be. After
 * any other result `arg` is the caller's.
 * Errors: -ECANCELED, also when `fn` returned that; -ENOMEM; the others as soon_offload().
 * Limits: a thread and its place in the pool are taken until `fn` has returned.
 */
#define soon_offload_detach_with(pool, fn, arg, drop)                                              \
	soon__used(__extension__({                                                                 \
		SOON__SITE(#fn);                                                                   \
		SOON__CHECK_ON_THREAD((fn)(arg));                                                  \
		if (0)                                                                             \
			(drop)(arg);                                                               \
		soon__offload_detach((pool), SOON__CALL(fn, arg), (soon__fn)(drop), &soon__site);  \
	}))
#define soon_offload_detach(fn, arg, drop) soon_offload_detach_with(NULL, fn, arg, drop)

/*
 * Returns, on a pool thread, whether the task that waits for this call, or waited, has been
 * cancelled. Affinity: any; false elsewhere. Suspends: never.
 */
SOON_API bool soon_offload_cancelled(void) SOON_ANY_THREAD;

SOON_API SOON_NODISCARD int soon__reenter(soon__fn fn, uint64_t arg, const soon_site *site)
	SOON_ANY_THREAD;

/*
 * From a function that soon_offload() runs: runs `fn(arg)` in the task that waits for it, with its
 * scopes, locals and number, and returns the result. `fn` may suspend; while the task is
 * cancelled its suspending calls fail, but an answer comes. Where the caller was left behind by
 * soon_offload_detach(), `fn` runs as a task of its own among the background ones of that core.
 * Affinity: a pool thread, in a job; it blocks. Suspends: never. Cancel: see above.
 * Ownership: `arg` is lent until the return.
 * Errors: -ESHUTDOWN the run is over; -EPERM not in an offloaded function, with a report; -EAGAIN,
 * -ENOMEM no task could be made, after a detach only; otherwise what `fn` returned.
 */
#define soon_reenter(fn, arg)                                                                      \
	soon__used(__extension__({                                                                 \
		SOON__SITE(#fn);                                                                   \
		soon__reenter(SOON__CALL(fn, arg), &soon__site);                                   \
	}))

/*
 * Sets how many calls of the pool may run at a time. More of them begin at once; when there are
 * fewer than run, nothing is stopped, and none begins until enough have returned.
 * Affinity: any. Suspends: never. Null: `pool` is the run's own, on a core only.
 * Errors: -EINVAL it is 0 or beyond SOON_POOL_THREADS_MAX; -EPERM no pool, and not on a core.
 */
SOON_API SOON_NODISCARD int soon_pool_resize(soon_pool *SOON_NULLABLE pool, unsigned threads_max)
	SOON_ANY_THREAD;

/*
 * Tells what the pool is doing, at about this moment.
 * Affinity: any. Suspends: never. Null: `pool` is the run's own, on a core only.
 * Errors: -EPERM no pool, and not on a core.
 */
SOON_API SOON_NODISCARD int soon_pool_stats_get(
	soon_pool *SOON_NULLABLE pool, soon_pool_stats *ret_stats) SOON_ANY_THREAD;

#ifdef __cplusplus
}
#endif

#endif
