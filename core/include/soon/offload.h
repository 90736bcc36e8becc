// SPDX-License-Identifier: Apache-2.0
/*
 * offload.h: blocking functions on threads, for tasks that wait.
 *
 * soon_offload() runs a function that blocks on a pool thread, while the calling task is parked
 * and the core serves others.
 *
 *	int rc = soon_offload(write_to_disk, &job);
 */
#ifndef SOON_OFFLOAD_H
#define SOON_OFFLOAD_H

#include <soon/call.h>
#include <soon/task.h>

#ifdef __cplusplus
extern "C" {
#endif

SOON_API SOON_NODISCARD int soon__offload(soon__fn fn, uint64_t arg, const soon_site *site)
	SOON_SUSPENDS;

/*
 * Runs `fn(arg)` on a thread of the pool and returns its result.
 * Affinity: core, in a task. Suspends: always, until `fn` returned. Cancel: cancellation point
 * on entry and while waiting for a thread (then `fn` never ran and never will); once it runs, a
 * cancel is remembered, the result is returned, and the next suspending call fails.
 * Ownership: `arg` is lent to the thread until the return.
 * Errors: -ECANCELED; -EAGAIN no thread could be started and none is running; -EPERM not in a
 * task; otherwise what `fn` returned.
 * Limits: soon_opts.offload_threads calls run at a time, more wait in order.
 */
#define soon_offload(fn, arg)                                                                      \
	soon__used(__extension__({                                                                 \
		SOON__SITE(#fn);                                                                   \
		SOON__CHECK_ON_THREAD((fn)(arg));                                                  \
		soon__offload(SOON__CALL(fn, arg), &soon__site);                                   \
	}))

/*
 * Returns, on a pool thread, whether the task that waits for this call has been cancelled.
 * Affinity: any; false elsewhere. Suspends: never.
 */
SOON_API bool soon_offload_cancelled(void) SOON_ANY_THREAD;

#ifdef __cplusplus
}
#endif

#endif
