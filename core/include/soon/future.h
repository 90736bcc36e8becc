// SPDX-License-Identifier: Apache-2.0
/*
 * future.h: a result that comes once, for anybody.
 *
 * One type for both worlds: a task that waits for a future is parked, a thread that runs no core
 * blocks, and whoever has the result may set it, a task of any core or a plain thread. Many may
 * wait, in several threads; all get the same result. All zero is a future that is not set.
 *
 *	static soon_future ready = { 0 };
 *
 *	soon_future_set(&ready, 0, (uintptr_t)table);		// some thread
 *	rc = soon_within(SOON_S(5), soon_future_wait(&ready, &value));	// a task
 *
 * Who set it need not look after it any longer: from the moment that anybody can know of the
 * result, the setter does not touch the future again.
 */
#ifndef SOON_FUTURE_H
#define SOON_FUTURE_H

#include <soon/base.h>

#ifdef __cplusplus
extern "C" {
#endif

/* All of it is private. Zero it, and end it with soon_future_fini(). */
typedef struct soon_future {
	void *soon__head, *soon__tail; /* who waits, the oldest first */
	const soon_site *soon__set_at;
	uint64_t soon__value;
	int soon__rc;
	int soon__is_set;  /* atomic: set once, after rc and value */
	int soon__is_read; /* atomic: somebody got the result */
} soon_future;

SOON_API int soon__future_set(soon_future *future, int rc, uint64_t value, const soon_site *site)
	SOON_ANY_THREAD;

/*
 * Gives the future its result, `rc` as any result and a value, which may be a pointer in a
 * uintptr_t, and wakes all who wait.
 * Affinity: any; not signal-safe: from a handler, post a callback that sets it. Suspends: never.
 * Returns: 0. May be ignored: all errors are reported.
 * Errors: -EALREADY it was set before, which the report says where; nothing is changed. -EIO `rc`
 * was -ECANCELED, which a waiter could not tell from a cancel of its own; it is set to -EIO.
 */
#define soon_future_set(future, rc, value)                                                         \
	__extension__({                                                                            \
		SOON__SITE("soon_future_set");                                                     \
		soon__future_set((future), (rc), (value), &soon__site);                            \
	})

/*
 * Waits until the future is set and returns its result.
 * Affinity: any: in a task, which is parked; on a thread that runs no core, which is blocked.
 * Suspends: may, until it is set. Cancel: cancellation point of a task, whose place is free then;
 * a result that came before a cancel is returned. Null: `ret_value` when only the rc counts.
 * Returns: what soon_future_set() was given; then `*ret_value` is set, also for a failure.
 * Errors: -ECANCELED. -EDEADLK outside a task on a thread that runs a core, and not set yet: its
 * tasks would stand still, and the setter may be one of them; with a report.
 */
SOON_API SOON_NODISCARD int soon_future_wait(soon_future *future, uint64_t *SOON_NULLABLE ret_value)
	SOON_ANY_THREAD;

/*
 * As above, for `timeout` at most; not at all if that is 0 or negative. For a task it is the same
 * as soon_within(timeout, soon_future_wait(...)), for a thread the only way not to wait for ever.
 * Errors: -ETIMEDOUT the time was over first (or the result is that; soon_future_is_set() tells);
 * those of soon_future_wait().
 */
SOON_API SOON_NODISCARD int soon_future_wait_for(
	soon_future *future, soon_ns timeout, uint64_t *SOON_NULLABLE ret_value) SOON_ANY_THREAD;

/*
 * As soon_future_wait(), without waiting.
 * Affinity: any. Suspends: never. Cancel: not a cancellation point.
 * Errors: -EAGAIN it is not set; soon_future_is_set() tells that from a result -EAGAIN.
 */
SOON_API SOON_NODISCARD int soon_future_poll(soon_future *future, uint64_t *SOON_NULLABLE ret_value)
	SOON_ANY_THREAD;

/* Returns whether there is a result; whoever saw it has not read it. Affinity: any. */
SOON_API bool soon_future_is_set(const soon_future *future) SOON_ANY_THREAD;

/*
 * Ends the future; it is all zero again. A failure that nobody read is reported, with who set it.
 * Affinity: any. Suspends: never. Null: nothing happens. Aborts when somebody waits.
 */
SOON_API void soon_future_fini(soon_future *SOON_NULLABLE future) SOON_ANY_THREAD;

#ifdef __cplusplus
}
#endif

#endif
