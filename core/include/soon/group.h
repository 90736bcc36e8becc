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
#include <soon/supervise.h>

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
	SOON_SUPERVISE, /* a task that fails is restarted: supervise.h; a failed body cancels */
	SOON_FIRST_OK,  /* the first task to succeed gives the result and cancels the rest */
} soon_policy;

/* Zero means the default in every field. */
typedef struct soon_group_opts {
	const char *name; /* static; default the variable's name */
	soon_policy policy;
	unsigned live_max; /* live tasks: a spawn waits until there are fewer; 0: no limit here */
	const void *kind;  /* what soon_group_current() finds it by: the address of any object */

	/* SOON_SUPERVISE only; opening another group with one of them aborts. */
	soon_on_exit_fn on_exit; /* decides about each end; NULL: the rule alone does */
	void *on_exit_data;
	soon_restart_rule restart;
	unsigned restarts_max;   /* in a window; more fail the group; default 5, at most 1000 */
	soon_ns restart_window;  /* default 10 s */
	soon_ns restart_backoff; /* before the first restart; default 100 ms, negative: none */
	/* It doubles with each failure in a row up to this; 10 s, or restart_backoff if longer. */
	soon_ns restart_backoff_max;

	char soon__none; /* stands where no option is given */
} soon_group_opts;

SOON_API void soon__group_open(
	soon_group *group, const soon_group_opts *opts, const soon_site *site) SOON_ON_CORE;
SOON_API void soon__group_open_plain(soon_group *group, const soon_site *site) SOON_ON_CORE;
SOON_API void soon__group_left(soon_group *group) SOON_SUSPENDS;
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
		/* Without options, none are put together to be looked at. */                      \
		if (sizeof(#__VA_ARGS__) == 1)                                                     \
			soon__group_open_plain(&name_, &soon__site);                               \
		else                                                                               \
			soon__group_open(&name_,                                                   \
				&(soon_group_opts){ .soon__none = 0, __VA_ARGS__ }, &soon__site);  \
	} while (0)

/*
 * Makes a task of the group that will run `fn(arg)`; tasks start in the order they were spawned,
 * never inside the spawn. Allowed from any task of the group's core, also while it closes.
 * Affinity: core. Suspends: never; may in a group with live_max, until there are fewer tasks.
 * Cancel: in a group with live_max a cancellation point of the caller, otherwise none.
 * Ownership: `arg` passes to the task on success only.
 * Errors: -ESHUTDOWN the group is closed. -EAGAIN the core's tasks_max is reached; or live_max is,
 * and the caller is no task that could wait. -ENOMEM no stack. -EPERM not on the group's core.
 * -ECANCELED only with live_max.
 * Limits: spawns that wait for a place are served in order.
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
 * `rc` is the body's own result; a failure in it cancels the tasks, unless the policy is WAIT_ALL
 * or FIRST_OK.
 * Affinity: core, in the task that opened it, innermost first (aborts otherwise).
 * Suspends: always. Cancel: not a cancellation point: a cancel reaches the tasks and the wait
 * goes on.
 * Returns: the failure that came first in time, the body's or a task's; else -ECANCELED when an
 * outer scope is cancelled; else `rc` (0 when it is -ECANCELED of this group's own cancel).
 * With SOON_FIRST_OK: what the first task to succeed returned, whatever else failed.
 * Limits: when cancelled tasks keep it waiting for longer than soon_opts.grace, a report names
 * them and what they are in; again after twice the time, and so on.
 */
SOON_API SOON_NODISCARD ssize_t soon_group_close(soon_group *group, ssize_t rc) SOON_SUSPENDS;

/*
 * Cancels the group's body and tasks. Closing it afterwards is not an error: "done early".
 * Affinity: core; elsewhere, as the next three, it is reported and nothing happens.
 * Suspends: never. `why` is a static text for dumps.
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
 * Limits: the first SOON_FAILURES_KEPT are kept, the rest are counted. Where there was no memory to
 * keep one, it has no task and site (NULL), and but for the first -ENOMEM for its rc.
 */
SOON_API size_t soon_group_failures(const soon_group *group, soon_failure *ret, size_t max);

/*
 * Returns how many tasks of the group have not ended; those it watches are not among them.
 * Affinity: core. Suspends: never.
 */
SOON_API size_t soon_group_live(const soon_group *group);

/*
 * Has `group` wait at its close for a task of another group, and take its failure like that of a
 * task of its own. The task is never cancelled by `group`.
 * Affinity: core. Suspends: never. Ownership: borrows `task` until it ends or is forgotten.
 * Errors: -ESHUTDOWN the group is closed, or the task's own is, after a report. -EALREADY it is
 * watched already. -EINVAL the task lives in this very group. -EDEADLK the task is the group's
 * owner, or waits for it. -ENOMEM. -EPERM another core's, after a report.
 */
SOON_API SOON_NODISCARD int soon_group_watch(soon_group *group, soon_task *task) SOON_ON_CORE;

/*
 * Ends a soon_group_watch. Affinity: core. Suspends: never.
 * Returns: whether `task` was watched by `group` and had not ended; false after a report when the
 * task's own group is closed.
 */
SOON_API bool soon_group_forget(soon_group *group, soon_task *task) SOON_ON_CORE;

SOON_API SOON_NODISCARD int soon__group_defer(
	soon_group *group, soon__fn fn, uint64_t arg, const soon_site *site) SOON_ON_CORE;

/*
 * Has `fn(arg)` called by the group's owner when the group is closed or left, before anything is
 * cancelled for that and before the wait. Several are called in the order they were given.
 * Affinity: core. Suspends: never itself; `fn` may. Ownership: borrows `arg` until the close.
 * Errors: -ESHUTDOWN the group is closing or closed. -ENOMEM. -EPERM another core's, after a
 * report. A negative result of `fn` is reported and changes nothing else.
 */
#define soon_group_defer(group, fn, arg)                                                           \
	soon__used(__extension__({                                                                 \
		SOON__SITE(#fn);                                                                   \
		soon__group_defer((group), SOON__CALL(fn, arg), &soon__site);                      \
	}))

/*
 * Returns the innermost open group around the running task whose soon_group_opts.kind is `kind`;
 * any group for NULL; NULL when there is none. It may be one that an outer task opened. A task that
 * is being started finds what it will be in once it is ready.
 * Affinity: core, in a task (NULL otherwise). Suspends: never. Ownership: returns borrowed (valid
 * as long as the running task).
 */
SOON_API soon_group *soon_group_current(const void *SOON_NULLABLE kind) SOON_ON_CORE;

SOON_API SOON_NODISCARD int soon__background(soon__fn fn, uint64_t arg, const soon_site *site)
	SOON_ON_CORE;

/*
 * Runs `fn(arg)` in the core's service group, with no task-locals; cancelled when the main task
 * ends. A failure is reported when it happens, cancels the main task, and is what soon_run()
 * returns; with soon_opts.keep_running only the last. Otherwise as soon_spawn.
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
