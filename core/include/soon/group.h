// SPDX-License-Identifier: Apache-2.0
/*
 * group.h: tasks that live and end together.
 *
 * Every task belongs to a group, and a group cannot be left while one of its tasks lives: it is
 * closed by the function that opened it, which waits. So no task outlives the data it was given,
 * no error is lost, and a cancel reaches everyone.
 *
 *	SOON_GROUP(g);
 *	int rc = soon_spawn(&g, fetch, &a);
 *	if (rc == 0)
 *		rc = soon_spawn(&g, fetch, &b);
 *	return soon_group_close(&g, rc);
 *
 * soon_spawn() returning 0 means that the function will run, even in a cancelled group, at least
 * to its first suspending call: ownership of the argument has passed. Any other result means
 * that it will not run and the argument is still the caller's.
 */
#ifndef SOON_GROUP_H
#define SOON_GROUP_H

#include <soon/scope.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Storage of a group, in the frame of the function that opens it. All of it is private. */
typedef struct soon_group {
	uint64_t soon__opaque[40];
} soon_group;

typedef enum soon_policy {
	SOON_FAIL_FAST, /* the first failure, a child's or the body's, cancels all; the default */
	SOON_WAIT_ALL,  /* a failure is recorded; nobody is cancelled for it */
	SOON_SUPERVISE, /* not built yet: opening a group with it aborts with a message */
	SOON_FIRST_OK,  /* not built yet: likewise */
} soon_policy;

/* Zero means the default in every field. */
typedef struct soon_group_opts {
	const char *name; /* static; default the variable's name */
	soon_policy policy;
	unsigned live_max; /* live tasks, spawn gives -EAGAIN beyond; 0: the core's limit */
	char soon__none;   /* stands where no option is given */
} soon_group_opts;

#define SOON_FAILURES_KEPT      8
#define SOON_FAILURE_TEXT_BYTES 160

/* One child's or body's failure, kept by its group. */
typedef struct soon_failure {
	int rc;
	soon_ns when;
	const soon_site *site; /* of the spawn; for the body, where the group was opened */
	char task[32];         /* the task's name, cut */
	char message[SOON_FAILURE_TEXT_BYTES]; /* of soon_fail(), or empty */
} soon_failure;

SOON_API void soon__group_open(
	soon_group *group, const soon_group_opts *opts, const soon_site *site) SOON_ON_CORE;
SOON_API void soon__group_left(soon_group *group);
SOON_API SOON_NODISCARD int soon__spawn(soon_group *group, const soon_task_opts *opts, soon__fn fn,
	uint64_t arg, const soon_site *site) SOON_ON_CORE;
SOON_API SOON_NODISCARD int soon__spawn_copy(soon_group *group, const soon_task_opts *opts,
	soon__fn fn, const void *data, size_t len, const soon_site *site) SOON_ON_CORE;
SOON_API void soon__group_cancel(soon_group *group, const char *why, const soon_site *site);

/*
 * Declares and opens a group: SOON_GROUP(g, .policy = SOON_WAIT_ALL); must be closed with
 * soon_group_close(). Leaving the block without closing cancels it, waits, and files a report.
 * Affinity: core, in a task (aborts otherwise). Suspends: never.
 */
#define SOON_GROUP(...) SOON__GROUP(__VA_ARGS__, )
#define SOON__GROUP(name_, ...)                                                                    \
	soon_group name_ __attribute__((cleanup(soon__group_left)));                               \
	do {                                                                                       \
		SOON__SITE(#name_);                                                                \
		soon__group_open(                                                                  \
			&name_, &(soon_group_opts){ .soon__none = 0, __VA_ARGS__ }, &soon__site);  \
	} while (0)

/*
 * Makes a task of the group that will run `fn(arg)`; tasks start in the order they were spawned,
 * never inside the spawn. Allowed from any task of the group's core, also while it closes.
 * Affinity: core. Suspends: never. Ownership: `arg` passes to the task on success only.
 * Errors: -ESHUTDOWN the group is closed. -EAGAIN its live_max, or the core's tasks_max, is
 * reached. -ENOMEM no stack. -EPERM not on the group's core.
 * Cost: no system call and no allocation when a stack was used before.
 */
#define soon_spawn(group, fn, arg) soon_spawn_with(group, NULL, fn, arg)
#define soon_spawn_with(group, opts, fn, arg)                                                      \
	soon__used(__extension__({                                                                 \
		SOON__SITE(#fn);                                                                   \
		soon__spawn((group), (opts), SOON__CALL(fn, arg), &soon__site);                    \
	}))

/*
 * As soon_spawn, with a private copy of `*ptr` that lives on the new task's stack: `fn` gets the
 * address of the copy.
 * Limits: 1 KiB, -E2BIG beyond.
 */
#define soon_spawn_copy(group, fn, ptr)                                                            \
	soon__used(__extension__({                                                                 \
		SOON__SITE(#fn);                                                                   \
		(void)SOON__CALL_OK(fn, ptr);                                                      \
		soon__spawn_copy(                                                                  \
			(group), NULL, (soon__fn)(fn), (ptr), sizeof *(ptr), &soon__site);         \
	}))

/*
 * Ends the group: waits for every task, whatever happens, and returns one result.
 * `rc` is the body's own result; a failure in it cancels the tasks unless the policy is WAIT_ALL.
 * Affinity: core, in the task that opened it, innermost first (aborts otherwise).
 * Suspends: always. Cancel: not a cancellation point: a cancel reaches the tasks and the wait
 * goes on.
 * Returns: the failure that came first in time, the body's or a task's; else -ECANCELED when an
 * outer scope is cancelled; else `rc` (0 when it is -ECANCELED of this group's own cancel).
 */
SOON_API SOON_NODISCARD ssize_t soon_group_close(soon_group *group, ssize_t rc) SOON_SUSPENDS;

/*
 * Cancels the group's body and tasks. Closing it afterwards is not an error: "done early".
 * Affinity: core. Suspends: never. `why` is a static text for dumps.
 */
#define soon_group_cancel(group, why)                                                              \
	__extension__({                                                                            \
		SOON__SITE("cancel");                                                              \
		soon__group_cancel((group), (why), &soon__site);                                   \
	})

/*
 * Asks the group's tasks to finish: waits marked SOON_IDLE end now, everything else may go on
 * for `grace`, then is cancelled. Returns at once; soon_group_close() waits.
 * Affinity: core. Suspends: never.
 */
SOON_API void soon_group_drain(soon_group *group, soon_ns grace);

/*
 * Copies the first failures, at most `max`, and returns how many there were in all.
 * Affinity: core. Suspends: never. Also right after the close, in the same block.
 * Limits: the first SOON_FAILURES_KEPT are kept, the rest are counted.
 */
SOON_API size_t soon_group_failures(const soon_group *group, soon_failure *ret, size_t max);

/* Returns how many tasks of the group have not ended. Affinity: core. Suspends: never. */
SOON_API size_t soon_group_live(const soon_group *group);

SOON_API SOON_NODISCARD int soon__background(soon__fn fn, uint64_t arg, const soon_site *site)
	SOON_ON_CORE;

/*
 * Runs `fn(arg)` in the core's service group: cancelled when the main task ends; a failure is
 * reported and makes soon_run() return it. Otherwise as soon_spawn.
 */
#define soon_background(fn, arg)                                                                   \
	soon__used(__extension__({                                                                 \
		SOON__SITE(#fn);                                                                   \
		soon__background(SOON__CALL(fn, arg), &soon__site);                                \
	}))

#ifdef __cplusplus
}
#endif

#endif
