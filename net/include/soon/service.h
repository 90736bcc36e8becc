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
#include <soon/tls.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Counters of a running service, since it started; read them on its core at any time. */
typedef struct soon_service_stats {
	uint64_t accepted; /* connections taken */
	uint64_t live;     /* of those, not yet closed */
	uint64_t failed; /* of those, handshake, handler or last flush gave an error but a cancel */
	uint64_t refused; /* taken and closed at once: no memory for a stream or a task */
	uint64_t paused;  /* how often accepting stopped because conns_max was reached */
	uint64_t starved; /* how often accepting paused for want of memory */
	uint64_t given;   /* not among those: came here and were handed to another core */
	uint64_t got;     /* of those accepted, handed here by another core */
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

	soon_tls *tls;             /* a server's: connections are encrypted; NULL: in clear */
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

/* A service on every core of the run. */
typedef struct soon_cores_service {
	soon_listener *listener; /* of the caller's core; borrowed, to be opened with .reuse_port */

	/*
	 * One core's part: serves its own `listener`, for instance by soon_serve() or
	 * soon_http_serve(), until its scope is cancelled or drained. On several cores at a time:
	 * what it shares through `arg` has to bear that.
	 */
	int (*serve)(soon_listener *listener, void *arg);
	void *arg;

	/*
	 * How many more connections than the core with the fewest a core may have: one that comes
	 * to it beyond that is handed to the other before anything is read from it, and served
	 * there. 0: connections stay where the kernel put them. For soon_serve() and what is built
	 * on it; a full core, and one whose part has ended, is handed nothing.
	 */
	unsigned uneven_max;
} soon_cores_service;

/*
 * Serves on all cores of the run: each has a socket of its own on the listener's address, among
 * which the kernel spreads new connections, and each runs `serve` as a task. A unix socket, and one
 * without .reuse_port, is shared: whichever core comes first takes a connection. So is one of
 * systemd's where this user may not bind another beside it.
 *
 *	soon_listen_opts opts = { .reuse_port = true };
 *	int rc = soon_listen("*:8080", &opts, &l);
 *	soon_cores_service service = { .listener = l, .serve = serve_one };
 *	if (rc == 0)
 *		rc = soon_spawn(&g, soon_serve_on_cores, &service);
 *
 * A cancel or a drain of the caller's scope reaches every core, and all have ended at the return.
 * The first failure cancels the others. With one core it is a call of `serve` and no more.
 * Affinity: core, in a task. Suspends: always. Cancel: cancellation point. Ownership: borrows
 * `service` until return.
 * Returns: 0 when all gave 0 or more. Errors: the first of `serve`, in time; those of soon_listen()
 * on another core, after a report; those of soon_on_each_core().
 */
SOON_API SOON_NODISCARD int soon_serve_on_cores(const soon_cores_service *service) SOON_SUSPENDS;

#ifdef __cplusplus
}
#endif

#endif
