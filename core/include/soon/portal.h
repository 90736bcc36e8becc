// SPDX-License-Identifier: Apache-2.0
/*
 * portal.h: a way in for threads, for as long as a task keeps it open.
 *
 * Calls through a portal run as tasks under the one that opened it: its scopes and deadlines are
 * theirs, and it is not left before they have ended. So what the opener holds, they may use.
 *
 *	SOON_PORTAL(portal);
 *	start_threads(&portal);			// soon_portal_call(&portal, fn, arg, SOON_NEVER)
 *	rc = soon_event_wait(&stop);
 *	return (int)soon_portal_close(&portal, rc);
 *
 * The storage has to outlast the threads that know of it, not only the portal: a call through a
 * closed one is refused, through a freed one it is not defined. Where the opener's frame is too
 * short-lived, use a static one and soon_portal_open().
 */
#ifndef SOON_PORTAL_H
#define SOON_PORTAL_H

#include <soon/calls.h>

#ifdef __cplusplus
extern "C" {
#endif

/* All zero is a closed one. All of it is private. */
typedef struct soon_portal {
	soon_group soon__group;
	soon_core *soon__core;
	uint64_t soon__state; /* atomic: see portal.c */
} soon_portal;

SOON_API void soon__portal_open(soon_portal *portal, const soon_site *site) SOON_ON_CORE;
SOON_API void soon__portal_left(soon_portal *portal) SOON_SUSPENDS;

/*
 * Declares and opens a portal; to be closed with soon_portal_close() on every path. Leaving the
 * block without cancels what is in flight, waits for it and files a report with this place.
 * Affinity: core, in a task (aborts otherwise). Suspends: never. It is a group of that task: it is
 * closed by it, before the scopes and groups that were opened earlier.
 */
#define SOON_PORTAL(name)                                                                          \
	soon_portal name __attribute__((cleanup(soon__portal_left))) = SOON_PORTAL_INIT;           \
	do {                                                                                       \
		SOON__SITE(#name);                                                                 \
		soon__portal_open(&name, &soon__site);                                             \
	} while (0)

/* clang-format off */
#define SOON_PORTAL_INIT { { { 0 } }, NULL, 0 }
/* clang-format on */

/* The same for storage that is all zero or was closed. The close comes before the task returns. */
#define soon_portal_open(portal)                                                                   \
	do {                                                                                       \
		SOON__SITE(#portal);                                                               \
		soon__portal_open((portal), &soon__site);                                          \
	} while (0)

/*
 * Refuses further calls and waits until those in flight have ended.
 * Affinity: core, in the task that opened it (aborts otherwise). Suspends: always. Cancel: passed
 * on to the calls, which are waited for all the same.
 * Returns: as soon_group_close(): `rc`, or -ECANCELED when an outer scope is cancelled. Failures of
 * the calls are their callers' and not among it.
 */
SOON_API SOON_NODISCARD ssize_t soon_portal_close(soon_portal *portal, ssize_t rc) SOON_SUSPENDS;

/* Refuses further calls and cancels those in flight; it is still to be closed. Affinity: core. */
SOON_API void soon_portal_cancel(soon_portal *portal, const char *why) SOON_ON_CORE;

SOON_API SOON_NODISCARD int soon__portal_start(soon_portal *portal, soon__fn fn, uint64_t arg,
	soon_call *call, const soon_site *site) SOON_ANY_THREAD;
SOON_API SOON_NODISCARD int soon__portal_call(soon_portal *portal, soon__fn fn, uint64_t arg,
	soon_ns timeout, const soon_site *site) SOON_ANY_THREAD;

/*
 * As soon_call_start() and soon_call(), through a portal.
 * Errors: -ESHUTDOWN the portal is closed, nothing ran; or what it belongs to was cancelled.
 */
#define soon_portal_start(portal, fn, arg, call)                                                   \
	soon__used(__extension__({                                                                 \
		SOON__SITE(#fn);                                                                   \
		soon__portal_start((portal), SOON__CALL(fn, arg), (call), &soon__site);            \
	}))
#define soon_portal_call(portal, fn, arg, timeout)                                                 \
	soon__used(__extension__({                                                                 \
		SOON__SITE(#fn);                                                                   \
		soon__portal_call((portal), SOON__CALL(fn, arg), (timeout), &soon__site);          \
	}))

#ifdef __cplusplus
}
#endif

#endif
