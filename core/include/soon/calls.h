// SPDX-License-Identifier: Apache-2.0
/*
 * calls.h: a function call as a task of a core, made from elsewhere.
 *
 * soon_call() is for plain threads: it runs `fn(arg)` as a task of its own on a core, where it may
 * do all that a task may, and blocks until the result is there. soon_call_on() does the same from a
 * task, which is parked meanwhile. The tasks live in a group of the core, beside those of the
 * program: the caller gets their failures, nobody else, and the end of the run cancels them.
 *
 *	rc = soon_call(core, lookup, &query, SOON_S(2));
 *
 * In two steps, with a record of the caller's:
 *
 *	soon_call call;
 *	int rc = soon_call_start(core, lookup, &query, &call);
 *	if (rc == 0)
 *		rc = soon_call_wait(&call, SOON_NEVER);
 *
 * Whatever the form, `arg` is not touched any more once the result is there, and a result that was
 * there before a cancel or a timeout is the result: completion wins.
 */
#ifndef SOON_CALLS_H
#define SOON_CALLS_H

#include <soon/future.h>
#include <soon/group.h>
#include <soon/scope.h>
#include <soon/thread.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * A call under way. Its storage is the caller's, not to be moved or freed before soon_call_wait()
 * has given the result. All of it is private, and it needs no initialisation.
 */
typedef struct soon_call {
	uint64_t soon__opaque[48];
} soon_call;

SOON_API SOON_NODISCARD int soon__call_start(soon_core *core, soon__fn fn, uint64_t arg,
	soon_call *call, const soon_site *site) SOON_ANY_THREAD;

/*
 * Has `core` run `fn(arg)` as a task, and returns at once.
 * Affinity: any; also of `core` itself. Suspends: never. Ownership: lends `arg` and `call` to the
 * core until soon_call_wait() has given the result.
 * Errors: -ESHUTDOWN the core is closed: nothing is lent, and there is nothing to wait for.
 */
#define soon_call_start(core, fn, arg, call)                                                       \
	soon__used(__extension__({                                                                 \
		SOON__SITE(#fn);                                                                   \
		soon__call_start((core), SOON__CALL(fn, arg), (call), &soon__site);                \
	}))

/*
 * Waits for the result, for `timeout` at most; SOON_NEVER for as long as it takes. A timeout leaves
 * the call as it is. May be called again, also when it has given the result.
 * Affinity: any: in a task, which is parked; on a thread that runs no core, which blocks. Suspends:
 * may. Cancel: cancellation point of a task, which leaves the call as it is: it has to be cancelled
 * and waited for in a soon_shielded().
 * Returns: what `fn` returned.
 * Errors: what `fn` returned; -EINTR it ended by soon_call_cancel(); -ESHUTDOWN the core ended it,
 * or closed before it ran; -ENOMEM, -EAGAIN there was no stack for it and it never ran; -EIO it
 * gave -ECANCELED although nobody cancelled it; -ETIMEDOUT not yet (or it returned that, see
 * soon_call_is_done()); -ECANCELED the waiting task's scope is cancelled; -EDEADLK in a callback of
 * a core, and not done yet.
 */
SOON_API SOON_NODISCARD int soon_call_wait(soon_call *call, soon_ns timeout) SOON_ANY_THREAD;

/* Returns whether the result is there. Affinity: any. Suspends: never. */
SOON_API bool soon_call_is_done(const soon_call *call) SOON_ANY_THREAD;

/*
 * Cancels the call's task with everything it opened. Nothing happens when it is done, or was
 * cancelled already; the result still has to be waited for.
 * Affinity: any. Suspends: never.
 */
SOON_API void soon_call_cancel(soon_call *call) SOON_ANY_THREAD;

/*
 * Returns what soon_fail() noted in the task about the failure it ended with; NULL if nothing, or
 * if it is not done.
 * Affinity: any. Suspends: never. Ownership: returns borrowed (valid as long as `call`).
 */
SOON_API const char *soon_call_message(const soon_call *call) SOON_ANY_THREAD;

SOON_API SOON_NODISCARD int soon__call(soon_core *core, soon__fn fn, uint64_t arg, soon_ns timeout,
	const soon_site *site) SOON_ANY_THREAD;

/*
 * Runs `fn(arg)` as a task of `core` and returns its result. After `timeout` (SOON_NEVER for none)
 * the task is cancelled, and its end is waited for.
 * Affinity: any thread that runs no core; in a task of another core it is soon_call_on() within
 * `timeout`. Suspends: blocks the thread. Ownership: lends `arg` until the return.
 * Errors: those of soon_call_wait(); -ETIMEDOUT it was cancelled because the time was over;
 * -EDEADLK on the thread of `core`, whose tasks would stand still, or in a callback of another
 * core: after a report.
 */
#define soon_call(core, fn, arg, timeout)                                                          \
	soon__used(__extension__({                                                                 \
		SOON__SITE(#fn);                                                                   \
		soon__call((core), SOON__CALL(fn, arg), (timeout), &soon__site);                   \
	}))

SOON_API SOON_NODISCARD int soon__call_on(
	soon_core *core, soon__fn fn, uint64_t arg, const soon_site *site) SOON_SUSPENDS;

/*
 * Runs `fn(arg)` as a task of `core`, which may be the caller's own, and returns its result; the
 * calling task is parked meanwhile. When its scope is cancelled or drained, so is that task, whose
 * end is waited for all the same.
 * Affinity: core, in a task. Suspends: always. Cancel: cancellation point on entry; later a cancel
 * is passed on, and what `fn` made of it is returned. Ownership: lends `arg` until the return.
 * Errors: -ECANCELED the caller's scope is cancelled, and `fn` never ran or ended by it, or it is
 * draining, and that ended an idle wait of `fn`; what `fn` returned, with its message for
 * soon_fail_message(); -ESHUTDOWN the core is or becomes closed; -ENOMEM, -EAGAIN no stack for it;
 * -EPERM not in a task.
 */
#define soon_call_on(core, fn, arg)                                                                \
	soon__used(__extension__({                                                                 \
		SOON__SITE(#fn);                                                                   \
		soon__call_on((core), SOON__CALL(fn, arg), &soon__site);                           \
	}))

/* Names an open scope from afar. A value; when the scope is closed, it names nothing any more. */
typedef struct soon_token {
	uint32_t soon__index;
	uint32_t soon__generation; /* 0: names nothing */
} soon_token;

/*
 * Gives the name of an open scope, or of a group, for soon_cancel_from().
 * Affinity: core. Suspends: never.
 * Errors: -EINVAL it is closed; -ENOMEM; -EPERM it is another core's, after a report.
 * Limits: 2^20 scopes of a core at a time have one.
 */
SOON_API SOON_NODISCARD int soon_scope_token(soon_scope *scope, soon_token *ret_token) SOON_ON_CORE;
SOON_API SOON_NODISCARD int soon_group_token(soon_group *group, soon_token *ret_token) SOON_ON_CORE;

SOON_API SOON_NODISCARD int soon__cancel_from(
	soon_core *core, soon_token token, const char *why, const soon_site *site) SOON_ANY_THREAD;

/*
 * Cancels the scope of `core` that the token names, soon; nothing happens if it is closed by then.
 * `why` is a static text for dumps. Affinity: any, signal-safe. Suspends: never.
 * Returns: 0, also when the token names nothing any more. Errors: -ESHUTDOWN the core is closed.
 */
#define soon_cancel_from(core, token, why)                                                         \
	soon__used(__extension__({                                                                 \
		SOON__SITE("cancel from afar");                                                    \
		soon__cancel_from((core), (token), (why), &soon__site);                            \
	}))

#ifdef __cplusplus
}
#endif

#endif
