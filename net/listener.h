// SPDX-License-Identifier: Apache-2.0
/*
 * listener.h: the record of a listener, private to net/.
 */
#ifndef NET_LISTENER_H
#define NET_LISTENER_H

#include <soon/listener.h>
#include <soon/socket.h>

#include "unix_file.h"

struct soon_listener {
	soon_acceptor acceptor;
	soon_listen_opts opts;
	soon_stream *spare;      /* for the next connection; NULL: none */
	struct soon__seat *seat; /* of its core in a service that balances, or NULL */
	soon_addr addr;          /* as bound */
	int fd;                  /* -1 once closed */
	bool is_stopped;
	bool is_shared; /* other listeners have the very same socket */
	int late_left;  /* after the stop: how many more may be taken from the kernel's queue */
	struct soon__unix_file file;
};

/*
 * As soon_listener_accept, but gives the memory of a stream, with nothing but its `fd` set, that
 * may still go to another core: soon__stream_init() is the caller's.
 */
SOON_NODISCARD int soon__listener_take(soon_listener *listener, soon_stream **ret_stream)
	SOON_SUSPENDS;

/* Makes a bound and listening socket of `listener->opts`, or reports why not. See bind.c. */
SOON_NODISCARD int soon__listener_bind(soon_listener *listener, const char *where) SOON_SUSPENDS;

/* The same of an address. Says nothing about a failure. */
SOON_NODISCARD int soon__listener_bind_to(soon_listener *listener, const soon_addr *addr)
	SOON_SUSPENDS;

/* What makes more listeners like one, on other cores. */
struct soon__listener_twins {
	soon_listen_opts opts;
	soon_addr addr;
	int fd; /* the socket that all share; -1: each binds one of its own to `addr` */
};

/* From a listener that is not closed before the twins are made. */
SOON_NODISCARD int soon__listener_twins_init(
	struct soon__listener_twins *twins, soon_listener *listener);
void soon__listener_twins_fini(struct soon__listener_twins *twins) SOON_SUSPENDS;

/* Makes one on the calling thread's core. Affinity: core, in a task; any core of the run. */
SOON_NODISCARD int soon__listener_twin(
	const struct soon__listener_twins *twins, soon_listener **ret_listener) SOON_SUSPENDS;

#endif
