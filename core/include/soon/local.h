// SPDX-License-Identifier: Apache-2.0
/*
 * local.h: values that belong to a task, found by a key: a request's number, who is logged in.
 *
 * A new task gets a copy of what its spawner has at that moment, wherever the group is; what either
 * sets later the other does not see. A generator has its opener's, a function on an offload thread
 * its task's; there, too, nothing flows back. Tasks of soon_background() start without any.
 *
 *	static const soon_local request_id = { .name = "request" };
 *
 *	rc = soon_local_set(&request_id, (void *)(uintptr_t)id);
 *	...
 *	id = (uintptr_t)soon_local_get(&request_id);
 *
 * A key is a static object, and its address is what counts. How a value is copied and ended says
 * the key:
 *   neither dup nor drop   the pointer is copied, and the value is somebody else's to keep.
 *   drop                   all copies share the value; `drop` is called after the last of them.
 *   dup and drop           each copy has its own, made by `dup`.
 * Both may be called on an offload thread. Neither may suspend, and dup may not set values.
 */
#ifndef SOON_LOCAL_H
#define SOON_LOCAL_H

#include <soon/base.h>

#ifdef __cplusplus
extern "C" {
#endif

#define SOON_LOCALS_MAX 64 /* values that one task may have */

/* Zero means no such function. */
typedef struct soon_local {
	const char *name;                /* static, for dumps; may be NULL */
	void *(*dup)(const void *value); /* NULL when memory is short: then the spawn fails */
	void (*drop)(void *value);
} soon_local;

/*
 * Sets the running task's value for `key`, or takes it away where `value` is NULL. The value it
 * had is dropped. On an offload thread it holds until the function there returns.
 * Affinity: core, in a task; or an offload thread. Suspends: never.
 * Ownership: takes `value` on success, if the key has a drop.
 * Null: `value`.
 * Errors: -ENOMEM; -E2BIG it would have more than SOON_LOCALS_MAX; -EPERM in neither place, with a
 * report. Nothing has changed then, and `value` is the caller's.
 * Cost: an allocation for the first value, and for the first change after a spawn.
 */
SOON_API SOON_NODISCARD int soon_local_set(const soon_local *key, void *SOON_NULLABLE value);

/*
 * Returns the running task's value for `key`, NULL when there is none and outside of tasks.
 * Affinity: any. Suspends: never.
 * Ownership: returns borrowed (valid until the task sets it anew or ends).
 * Cost: a look at each of the task's values.
 */
SOON_API void *soon_local_get(const soon_local *key) SOON_ANY_THREAD;

#ifdef __cplusplus
}
#endif

#endif
