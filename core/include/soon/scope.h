// SPDX-License-Identifier: Apache-2.0
/*
 * scope.h: cancellation and deadlines.
 *
 * A scope is a stretch of one task's execution that can be cancelled as a whole, with everything
 * the task waits for in it. Cancellation is a level, not an event: while the innermost scope of a
 * task is cancelled, by itself or through an outer one it is not shielded from, every suspending
 * call fails with -ECANCELED, and other tasks still get their turn. An operation that completed
 * gives its real result even so; the next call fails.
 *
 *	ssize_t n = soon_within(SOON_S(5), soon_read(fd, buf, sizeof buf));
 *	if (n == -ETIMEDOUT)
 *		...
 *
 * The expression forms soon_within and soon_shielded cannot be left half-way; prefer them.
 */
#ifndef SOON_SCOPE_H
#define SOON_SCOPE_H

#include <soon/task.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Storage of a scope, in the frame of the function that opens it. All of it is private. */
typedef struct soon_scope {
	uint64_t soon__opaque[10];
} soon_scope;

/* Zero means the default in every field. */
typedef struct soon_scope_opts {
	soon_ns timeout;  /* relative to the opening; 0 for none, negative: already over */
	soon_ns deadline; /* absolute; 0 for none. Both: the earlier one */
	bool shield; /* hides cancels of outer scopes; needs a timeout or deadline (SOON_NEVER) */
	char soon__none; /* stands where no option is given */
} soon_scope_opts;

/* Who asked for a cancel. */
typedef enum soon_cancel_source {
	SOON_CANCEL_NONE,
	SOON_CANCEL_EXPLICIT,    /* soon_scope_cancel, _group_cancel, _task_cancel, _cancel_join */
	SOON_CANCEL_DEADLINE,    /* a scope's own deadline */
	SOON_CANCEL_SIBLING,     /* another task of the group, or its body, failed */
	SOON_CANCEL_PARENT_EXIT, /* the scope or group was left without being closed */
	SOON_CANCEL_DRAIN,       /* the grace of a drain is over, or an idle wait while draining */
	SOON_CANCEL_SHUTDOWN,    /* the run ends */
	SOON_CANCEL_SIGNAL,      /* SIGINT */
	SOON_CANCEL_DEADLOCK,    /* the core proved that its tasks wait for each other */
} soon_cancel_source;

typedef struct soon_cancel_why {
	soon_cancel_source source;
	const char *why;       /* static text, may be NULL */
	const soon_site *site; /* where it was asked for, may be NULL */
} soon_cancel_why;

SOON_API void soon__scope_open(
	soon_scope *scope, const soon_scope_opts *opts, const soon_site *site) SOON_ON_CORE;
SOON_API void soon__scope_left(soon_scope *scope);
SOON_API void soon__within_open(soon_scope *scope, soon_ns timeout) SOON_ON_CORE;
SOON_API void soon__shield_open(soon_scope *scope, soon_ns timeout) SOON_ON_CORE;
SOON_API void soon__scope_cancel(soon_scope *scope, const char *why, const soon_site *site);

/*
 * Declares and opens a scope: SOON_SCOPE(s, .timeout = SOON_S(5)); must be closed with
 * soon_scope_close() on every path. Leaving the block without closing it files a report.
 * Affinity: core, in a task (aborts otherwise). Suspends: never.
 */
#define SOON_SCOPE(...) SOON__SCOPE(__VA_ARGS__, )
#define SOON__SCOPE(name_, ...)                                                                    \
	soon_scope name_ __attribute__((cleanup(soon__scope_left)));                               \
	do {                                                                                       \
		SOON__SITE(#name_);                                                                \
		soon__scope_open(                                                                  \
			&name_, &(soon_scope_opts){ .soon__none = 0, __VA_ARGS__ }, &soon__site);  \
	} while (0)

/*
 * Closes the caller's innermost scope and translates `rc`.
 * Affinity: core, in the task that opened it (aborts otherwise). Suspends: never.
 * Returns: -ETIMEDOUT when `rc` is -ECANCELED because of this scope's own deadline and no outer
 * scope is cancelled; 0 when `rc` is -ECANCELED because of soon_scope_cancel on this scope and
 * no outer scope is cancelled; otherwise `rc`, byte counts and other errors included.
 */
SOON_API SOON_NODISCARD ssize_t soon_scope_close(soon_scope *scope, ssize_t rc) SOON_ON_CORE;

/*
 * Cancels an open scope; a second cancel changes nothing.
 * Affinity: core; elsewhere it is reported and nothing happens. Suspends: never. `why` is a static
 * text for dumps.
 */
#define soon_scope_cancel(scope, why)                                                              \
	__extension__({                                                                            \
		SOON__SITE("cancel");                                                              \
		soon__scope_cancel((scope), (why), &soon__site);                                   \
	})

/*
 * Sets the deadline of an open scope, earlier or later; one in the past cancels now; SOON_NEVER
 * takes it away. A scope that has expired stays cancelled.
 * Affinity: core. Suspends: never.
 * Errors: -EINVAL the scope is closed. -EPERM it is another core's, after a report.
 */
SOON_API SOON_NODISCARD int soon_scope_deadline(soon_scope *scope, soon_ns deadline) SOON_ON_CORE;

/*
 * Returns whether the scope's own deadline cancelled it; also after the close.
 * Affinity: core. Suspends: never.
 */
SOON_API bool soon_scope_expired(const soon_scope *scope);

/*
 * Evaluates `expr` under a timeout; its value, int or ssize_t, is the value of the whole.
 * Errors: -ETIMEDOUT in place of -ECANCELED when the timeout cut `expr` short.
 */
#define soon_within(timeout, expr) soon__within_in(SOON__UNIQUE(soon__s), timeout, expr)
#define soon__within_in(name, timeout, expr)                                                       \
	soon__used_size(__extension__({                                                            \
		soon_scope name;                                                                   \
		soon__within_open(&name, (timeout));                                               \
		soon_scope_close(&name, (expr));                                                   \
	}))

/*
 * Evaluates `expr` hidden from outer cancels, for clean-up that must wait. The bound is not
 * optional: SOON_NEVER has to be written out, and shows in dumps.
 */
#define soon_shielded(timeout, expr) soon__shielded_in(SOON__UNIQUE(soon__s), timeout, expr)
#define soon__shielded_in(name, timeout, expr)                                                     \
	soon__used_size(__extension__({                                                            \
		soon_scope name;                                                                   \
		soon__shield_open(&name, (timeout));                                               \
		soon_scope_close(&name, (expr));                                                   \
	}))

/*
 * Marks waits that hold no work in progress: SOON_IDLE { n = soon_stream_peek(...); }. A drain
 * ends such waits at once with -ECANCELED.
 * Affinity: core, in a task (aborts otherwise). Suspends: never by itself.
 */
#define SOON_IDLE                                                                                  \
	for (bool soon__once __attribute__((cleanup(soon__idle_left))) = soon__idle_enter();       \
		soon__once; soon__once = false)
SOON_API bool soon__idle_enter(void) SOON_ON_CORE;
SOON_API void soon__idle_left(const bool *once);

/*
 * Returns the earliest deadline that applies to the caller: SOON_NEVER if none, 0 if already
 * cancelled. For passing a deadline on to a remote peer.
 * Affinity: core, in a task. Suspends: never.
 */
SOON_API soon_ns soon_deadline(void) SOON_ON_CORE;

/*
 * Returns whether the caller's effective scope is cancelled. Not a cancellation point.
 * Affinity: core, in a task; false elsewhere. Suspends: never.
 */
SOON_API bool soon_cancelled(void);

/*
 * Says who cancelled the caller's effective scope; source SOON_CANCEL_NONE when nobody did.
 * Affinity: core, in a task. Suspends: never.
 */
SOON_API soon_cancel_why soon_cancel_reason(void) SOON_ON_CORE;

/*
 * A cancellation point that gives others a turn only when cancelled or when the time slice is
 * used up; for loops that compute.
 * Affinity: core, in a task. Suspends: may. Errors: -ECANCELED; -EPERM not in a task.
 */
SOON_API SOON_NODISCARD int soon_checkpoint(void) SOON_SUSPENDS;

#ifdef __cplusplus
}
#endif

#endif
