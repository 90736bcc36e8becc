// SPDX-License-Identifier: Apache-2.0
/*
 * thread.h: from all other threads to a core's.
 *
 * soon_post() hands a callback to a core from any thread or signal handler, without a lock or an
 * allocation. The way out, to threads that may block, is in <soon/offload.h>.
 */
#ifndef SOON_THREAD_H
#define SOON_THREAD_H

#include <soon/base.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * One scheduler with its thread. A pointer to one stays readable for the life of the process; but
 * when its run has ended, a later run may use the core again, and what is posted goes there. So
 * threads that post stop before that begins: -ESHUTDOWN is for those that are late, not for good.
 */
typedef struct soon_core soon_core;

/*
 * A callback to run on a core. Its storage is the caller's until the function is called; from
 * then on it may be posted again or freed. Zero it, set `fn`, and leave the rest alone.
 */
typedef struct soon_callback soon_callback;
struct soon_callback {
	/* Called on the core's thread, outside any task; may not suspend. */
	void (*fn)(soon_callback *self);
	soon_callback *soon__next;
	int soon__pending;
};

/*
 * Returns the core of the calling thread, NULL on a thread that runs none. Whoever has it may post
 * to it, so from then on the run cannot prove that its tasks are deadlocked; soon_on_core() only
 * asks.
 * Affinity: any. Suspends: never. Ownership: returns borrowed.
 */
SOON_API soon_core *soon_core_self(void) SOON_ANY_THREAD;

/* Returns whether the calling thread runs a core. Affinity: any. Suspends: never. */
SOON_API bool soon_on_core(void) SOON_ANY_THREAD;

/*
 * Hands `callback` to `core`, which runs it soon, in the order of each producer's posts. Posting
 * one that is already waiting to run changes nothing and succeeds.
 * Affinity: any, signal-safe. Suspends: never. Ownership: takes `callback` until its fn is called.
 * Returns: 0: it will run before soon_run() returns, unless another post of it is just refused.
 * Errors: -ESHUTDOWN the core is closed; -EOWNERDEAD it runs in the process that this one was
 * forked from. In both cases `callback` is the caller's.
 * Limits: none; a pass of the scheduler runs at most 256 callbacks before tasks get a turn.
 * Cost: no allocation; a system call only when the core sleeps.
 */
SOON_API SOON_NODISCARD int soon_post(soon_core *core, soon_callback *callback) SOON_ANY_THREAD;

#ifdef __cplusplus
}
#endif

/* Kept: who had soon_post() from here had soon_offload() with it. */
#include <soon/offload.h>

#endif
