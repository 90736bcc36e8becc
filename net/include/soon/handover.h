// SPDX-License-Identifier: Apache-2.0
/*
 * handover.h: handing listeners over to a new process of this program, so that no connection is
 * refused while a service is replaced.
 *
 *	soon_listener *const listeners[] = { l };
 *	soon_handover opts = { .listeners = listeners, .listeners_count = 1 };
 *	if (signo == SIGHUP && soon_handover_run(&opts) > 0)
 *		soon_group_drain(&g, SOON_S(30));
 *
 * The new process gets the very same sockets, so what waits in their queues is not lost; a socket
 * bound anew would not have it. It finds them by the name of the listener:
 *
 *	soon_listen("*:8080", &(soon_listen_opts){ .name = "web" }, &l);
 *	... start all that serves ...
 *	soon_notify_ready();
 *
 * The new one accepts nothing before it has called soon_notify_ready(), though it may serve its
 * listeners; from then on both accept, until the old one drains. If it ends before, or is not ready
 * in time, the old one goes on as if nothing had been.
 */
#ifndef SOON_HANDOVER_H
#define SOON_HANDOVER_H

#include <soon/listener.h>

#ifdef __cplusplus
extern "C" {
#endif

/* The most sockets that are handed over: those of all listeners, on all cores. */
#define SOON_HANDOVER_SOCKETS_MAX 120

/* Zero means the default in every field but the first two. */
typedef struct soon_handover {
	soon_listener *const *listeners; /* each with a name; of the calling core */
	unsigned listeners_count;

	const char *const *argv; /* ended by NULL; default: what this process was started with */
	const char *path;        /* the program; default argv[0], found by PATH if need be */
	soon_ns ready_timeout;   /* default 30 s */
} soon_handover;

/*
 * Starts the program with the sockets of the listeners, also those that soon_serve_on_cores() made
 * of them on other cores, and waits until it is ready. Then tells the service manager the new main
 * process (MAINPID=); the caller is to drain and end. What is accepted here already is served here,
 * even above a service's conns_max; what waits in the kernel is served by whoever comes first. The
 * program gets our environment, standard descriptors and folder, and no other descriptors.
 * Affinity: core, in a task. Suspends: always. Cancel: cancellation point; the new process is ended
 * before the return. Ownership: borrows `handover` and what is in it until return;
 * the listeners may be served meanwhile, but not closed.
 * Returns: the number of the new process, above 0.
 * Errors: after a report; nothing has changed, and the new process is gone: -ETIMEDOUT it was not
 * ready in time. -ECONNABORTED it ended before it was ready; the message says how. -EINVAL a
 * listener has no name, one with a colon or a control character, or is stopped. -E2BIG too many
 * sockets. -ECANCELED, without a report. Those of soon_proc_spawn().
 */
SOON_API SOON_NODISCARD int soon_handover_run(const soon_handover *handover) SOON_SUSPENDS;

#ifdef __cplusplus
}
#endif

#endif
