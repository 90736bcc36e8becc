// SPDX-License-Identifier: Apache-2.0
/*
 * service.h: a listener, one task for each of its connections, and an orderly end.
 *
 * soon_serve() takes a single argument so that it can be spawned as it is:
 *
 *	static int echo(soon_stream *conn, void *arg);
 *
 *	soon_service service = { .listener = l, .handle = echo };
 *	int rc = soon_spawn(&g, soon_serve, &service);
 *	if (rc == 0 && (rc = soon_signal_wait(SIGTERM, SIGINT, 0)) > 0) {
 *		soon_group_drain(&g, SOON_S(10));
 *		rc = 0;
 *	}
 *	return (int)soon_group_close(&g, rc);
 *
 * Draining the group around it ends the service: it stops listening, connections that wait inside
 * SOON_IDLE end at once, the others have the grace to finish and are cancelled then.
 */
#ifndef SOON_SERVICE_H
#define SOON_SERVICE_H

#include <soon/group.h>
#include <soon/listener.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Counters of a running service, since it started; read them on its core at any time. */
typedef struct soon_service_stats {
	uint64_t accepted; /* connections taken */
	uint64_t live;     /* of those, not yet closed */
	uint64_t failed;   /* of those, handler or last flush gave an error other than a cancel */
	uint64_t refused;  /* taken and closed at once: no memory for a stream or a task */
	uint64_t paused;   /* how often accepting stopped because conns_max was reached */
	uint64_t starved;  /* how often accepting paused for want of memory */
} soon_service_stats;

/* What to serve and how. Zero means the default in every field but the first two. */
typedef struct soon_service {
	soon_listener
		*listener; /* borrowed while serving; stopped at the end, closed by its owner */

	/*
	 * Talks to one connection, in a task of its own. It borrows `conn`, which is flushed and
	 * closed after the return. A negative return is counted, and reported at most once a
	 * second; other connections do not notice. One that ends because the peer went away
	 * (-ECONNRESET, -EPIPE, -ETIMEDOUT) is counted, not reported.
	 */
	int (*handle)(soon_stream *conn, void *arg);
	void *arg;

	const char *name;          /* of the connections' tasks; static; default "connection" */
	unsigned conns_max;        /* default 10,000 or 80 % of RLIMIT_NOFILE, what is less */
	size_t stack_bytes;        /* of a connection's task; default the run's */
	soon_ns linger;            /* bound on the flush after the handler; default 10 s */
	soon_service_stats *stats; /* where to count, zeroed at the start; NULL for nowhere */
} soon_service;

/*
 * Serves until the caller's scope is cancelled or drained, then stops the listener and waits for
 * every connection. At conns_max live connections it does not accept: the others wait in the
 * kernel's queue.
 * Affinity: core, in a task. Suspends: always. Cancel: cancellation point; connections are
 * cancelled too, except by a drain. Ownership: borrows `service` until return.
 * Returns: 0 after a drain.
 * Errors: -ECANCELED cancelled. -ESHUTDOWN the listener was stopped. Others of accept(2) that
 * waiting does not cure. Want of descriptors or memory is waited out, with a report.
 */
SOON_API SOON_NODISCARD int soon_serve(const soon_service *service) SOON_SUSPENDS;

#ifdef __cplusplus
}
#endif

#endif
