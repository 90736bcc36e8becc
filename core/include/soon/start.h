// SPDX-License-Identifier: Apache-2.0
/*
 * start.h: tasks that say when they are ready, and several calls at once.
 *
 * soon_start() spawns a task and returns when the task says soon_ready(): a server that listens, a
 * connection that is up. Until then the task belongs to the caller, who gets its failure and takes
 * it along when cancelled; from then on it is a task of the group like any other.
 *
 *	static int serve(struct server *server)
 *	{
 *		int rc = open_port(server);
 *		if (rc < 0)
 *			return rc;		// soon_start() returns it
 *		rc = soon_ready(server->port);
 *		...
 *	}
 *	ssize_t port = soon_start(&g, serve, &server);
 */
#ifndef SOON_START_H
#define SOON_START_H

#include <soon/group.h>

#ifdef __cplusplus
extern "C" {
#endif

SOON_API SOON_NODISCARD ssize_t soon__start(soon_group *group, const soon_task_opts *opts,
	soon__fn fn, uint64_t arg, const soon_site *site) SOON_SUSPENDS;

/*
 * Runs `fn(arg)` as a task and waits until it calls soon_ready(value); then it is a task of
 * `group`, which stays open meanwhile.
 * Affinity: core, in a task. Suspends: always. Cancel: cancellation point; the task is cancelled
 * and waited for.
 * Ownership: `arg` passes to the task, which runs in any case that does not give one of the first
 * five errors.
 * Null: `opts`.
 * Returns: the `value`.
 * Errors: -ESHUTDOWN the group is closed. -EAGAIN, -ENOMEM no task could be made. -EPERM not in a
 * task or not on the group's core. -ECANCELED the caller's scope is cancelled. -EPROTO the task
 * ended without a failure and without soon_ready. Otherwise what the task failed with, which does
 * not touch `group`.
 */
#define soon_start(group, fn, arg) soon_start_with(group, NULL, fn, arg)
#define soon_start_with(group, opts, fn, arg)                                                      \
	soon__used_size(__extension__({                                                            \
		SOON__SITE(#fn);                                                                   \
		soon__start((group), (opts), SOON__CALL(fn, arg), &soon__site);                    \
	}))

/*
 * Says that the running task is ready, with a value for its starter, zero or positive. In a task
 * that was not made by soon_start, or whose start has been cancelled, it does nothing.
 * Affinity: core. Suspends: never. Errors: -EALREADY it was said before, after a report. -EINVAL a
 * negative value.
 */
SOON_API SOON_NODISCARD int soon_ready(ssize_t value) SOON_ON_CORE;

/* A call for soon_all: SOON_WORK(fn, arg). */
typedef struct soon_work {
	soon__fn fn;
	uint64_t arg;
	const soon_site *site;
} soon_work;

#define SOON_WORK(fn, arg)                                                                         \
	__extension__({                                                                            \
		SOON__SITE(#fn);                                                                   \
		soon__work(SOON__CALL(fn, arg), &soon__site);                                      \
	})

static inline soon_work soon__work(soon__fn fn, uint64_t arg, const soon_site *site)
{
	soon_work work;

	work.fn = fn;
	work.arg = arg;
	work.site = site;
	return work;
}

/* Zero means the default in every field. */
typedef struct soon_all_opts {
	soon_ns timeout;    /* of all together; 0 for none */
	soon_policy policy; /* SOON_FAIL_FAST, SOON_WAIT_ALL or SOON_FIRST_OK */
	unsigned live_max;  /* how many at a time; 0: all */
} soon_all_opts;

/*
 * Makes `count` calls at the same time, each in a task, and waits for all.
 *	int rcs[2];
 *	soon_work work[] = { SOON_WORK(fetch, &a), SOON_WORK(fetch, &b) };
 *	int rc = soon_all(work, 2, &(soon_all_opts){ .timeout = SOON_S(5) }, rcs);
 * Affinity: core, in a task. Suspends: always. Cancel: cancellation point; the tasks are cancelled
 * and waited for.
 * Ownership: an `arg` whose result is -ECANCELED may never have been looked at.
 * Null: `opts`; `ret_rcs` when single results are not wanted. They are set in all cases; a call
 * that was not made gives -ECANCELED.
 * Returns: as the close of a group with that policy.
 * Errors: -ETIMEDOUT. -EINVAL SOON_SUPERVISE. -EAGAIN, -ENOMEM a task could not be made; those that
 * were are cancelled and waited for.
 */
SOON_API SOON_NODISCARD int soon_all(const soon_work *work, size_t count,
	const soon_all_opts *SOON_NULLABLE opts, int *SOON_NULLABLE ret_rcs) SOON_SUSPENDS;

#ifdef __cplusplus
}
#endif

#endif
