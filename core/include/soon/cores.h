// SPDX-License-Identifier: Apache-2.0
/*
 * cores.h: the cores of a run.
 *
 * A run has soon_opts.cores cores, each a thread with a scheduler, a ring and stacks of its own.
 * Core 0 is the thread that called soon_run(), and runs the main task. A task stays on the core it
 * was spawned on, and so does every object that tasks share: cores have nothing in common but what
 * the program passes from one to another, by soon_post() and the calls that are made of it.
 *
 * Without an option a run has as many cores as its processors and quota allow, and those beyond the
 * first begin together at their first use, so that a program that uses one pays for one. With
 * `.cores = N` they all run before the main task does. Where more than one runs, each is bound to a
 * processor of its own.
 *
 *	soon_core *other;
 *	int rc = soon_core_at(1 % soon_core_count(), &other);
 */
#ifndef SOON_CORES_H
#define SOON_CORES_H

#include <soon/thread.h>

#ifdef __cplusplus
extern "C" {
#endif

/* More cores than this are no run's. */
#define SOON_CORES_MAX 1024

/*
 * Returns how many cores the run of the calling thread has, started or not; 0 on a thread without
 * a core.
 * Affinity: any. Suspends: never.
 */
SOON_API unsigned soon_core_count(void) SOON_ANY_THREAD;

/*
 * Returns how many of them have begun: all or one; 0 on a thread without a core.
 * Affinity: any. Suspends: never.
 */
SOON_API unsigned soon_core_running(void) SOON_ANY_THREAD;

/*
 * Returns the place of a core in its run, from 0.
 * Affinity: any, while that run lives. Suspends: never. Null: `core` for the calling thread's, 0
 * where there is none.
 */
SOON_API unsigned soon_core_index(const soon_core *SOON_NULLABLE core) SOON_ANY_THREAD;

/*
 * Stores the core in a place of the run, and starts those beyond the first when none of them has
 * been used yet. Whoever has it may post to it, as with soon_core_self().
 * Affinity: core, in a task. Suspends: may, once, until the cores run. Cancel: not a cancellation
 * point.
 * Ownership: returns borrowed (readable for the life of the process).
 * Errors: -EINVAL there is no such place; -EPERM not in a task; when cores cannot be started, after
 * a report that names the core and the cause: -EAGAIN no thread, -ENOMEM, -EMFILE and others of the
 * back end; none of them runs then, and the next use tries again.
 */
SOON_API SOON_NODISCARD int soon_core_at(unsigned index, soon_core **ret_core) SOON_SUSPENDS;

/*
 * Copies the processors that the calling thread may use but for being bound to one of them, as
 * sched_setaffinity(2) takes them: for threads and processes that a task starts by other means than
 * soon's, which would inherit the binding. soon_proc_spawn() and soon_offload() see to it.
 * Affinity: any. Suspends: never.
 * Returns: how many bytes of `ret_set` were filled; 0 when the run has not bound the thread.
 * Errors: -EINVAL that many do not fit into `bytes`.
 */
SOON_API SOON_NODISCARD int soon_core_cpus(size_t bytes, void *ret_set) SOON_ANY_THREAD;

SOON_API SOON_NODISCARD int soon__on_each_core(soon__fn fn, uint64_t arg, const soon_site *site)
	SOON_SUSPENDS;

/*
 * Runs `fn(arg)` as a task on every core of the run at a time, and returns when all have ended. The
 * first failure cancels the others. A cancel or a drain of the caller's scope reaches all.
 * Affinity: core, in a task. Suspends: always. Cancel: cancellation point; all have ended then.
 * Ownership: lends `arg`, to all cores at once, until the return.
 * Returns: 0 when none failed.
 * Errors: the failure that came first, with its message; -ECANCELED; those of soon_core_at() when
 * the cores cannot be started; -ENOMEM.
 */
#define soon_on_each_core(fn, arg)                                                                 \
	soon__used(__extension__({                                                                 \
		SOON__SITE(#fn);                                                                   \
		soon__on_each_core(SOON__CALL(fn, arg), &soon__site);                              \
	}))

#ifdef __cplusplus
}
#endif

#endif
