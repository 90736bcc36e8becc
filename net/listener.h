// SPDX-License-Identifier: Apache-2.0
/*
 * listener.h: the record of a listener, private to net/.
 */
#ifndef NET_LISTENER_H
#define NET_LISTENER_H

#include <soon/listener.h>
#include <soon/socket.h>

#include "unix_file.h"

#include <pthread.h>
#include <stdatomic.h>

/* One of the sockets of a listener. */
struct soon__socket {
	soon_acceptor acceptor; /* the first one's leads the others' */
	soon_addr addr;         /* as bound */
	struct soon__unix_file file;
	int fd;         /* -1 once closed */
	bool is_shared; /* others in this process have the very same socket */
};

struct soon_listener {
	soon_listen_opts opts;
	struct soon__socket *sockets; /* at least one; they stay where they are */
	unsigned sockets_count;
	soon_stream *spare;      /* for the next connection; NULL: none */
	struct soon__seat *seat; /* of its core in a service that balances, or NULL */

	struct soon__twins *twins; /* it is one of them, or was before they were made; or NULL */
	soon_listener *next_twin;  /* under their lock */
	char name[SOON_LISTENER_NAME_BYTES];
	bool is_gated; /* handed to this process, and may not be used before the old one says so */
	bool is_begun; /* somebody has accepted: its sockets stay on this core */
	bool is_stopped;
	bool is_closed;
	atomic_bool is_handed;    /* another process has the sockets; relaxed, told by the drain */
	unsigned handovers_count; /* under way, or done */
	int late_left; /* after the stop: how many more may be taken from the kernel's queue */
};

/*
 * As soon_listener_accept, but gives the memory of a stream, with nothing but its `fd` set, that
 * may still go to another core: soon__stream_init() is the caller's.
 */
SOON_NODISCARD int soon__listener_take(soon_listener *listener, soon_stream **ret_stream)
	SOON_SUSPENDS;

/* Whether another process has its sockets. Affinity: any. */
bool soon__listener_is_handed_over(const soon_listener *listener);

/* Makes bound and listening sockets of `listener->opts`, or reports why not. See bind.c. */
SOON_NODISCARD int soon__listener_bind(soon_listener *listener, const char *where) SOON_SUSPENDS;

/*
 * Adopts sockets that this process was started with, where `where` or the name says so. See
 * inherit.c. Suspends: never. Returns: 1: done; 0: it is to be bound. Errors: after a report.
 */
SOON_NODISCARD int soon__listener_inherit(soon_listener *listener, const char *where) SOON_ON_CORE;

/* Binds and listens; nothing but `acceptor` is left to be set. Says nothing about a failure. */
SOON_NODISCARD int soon__socket_bind(struct soon__socket *socket, const soon_addr *addr,
	const soon_listen_opts *opts) SOON_SUSPENDS;

/* Makes a socket that listens already one of ours; `fd` stays the caller's on failure. */
SOON_NODISCARD int soon__socket_adopt(
	struct soon__socket *socket, int fd, const soon_listen_opts *opts) SOON_ON_CORE;

/* Makes room for that many sockets. Errors: -ENOMEM. */
SOON_NODISCARD int soon__sockets_alloc(soon_listener *listener, unsigned count);

/* Makes the acceptors of all sockets. */
void soon__acceptors_begin(soon_listener *listener) SOON_ON_CORE;

/*
 * Makes a listener whose sockets `rc` says it has, or undoes what there is of one.
 * Returns: `rc`.
 */
SOON_NODISCARD int soon__listener_begin(
	soon_listener *listener, int rc, soon_listener **ret_listener) SOON_SUSPENDS;

/* One socket, and who has it. */
struct soon__twin_socket {
	soon_addr addr;
	int fd;        /* a copy for all cores to share, or one for `core`; -1: `core` has it */
	unsigned core; /* the only one to have it, unless it is shared */
	bool is_shared;
};

/* What makes more listeners like one, on other cores; and all of them, to be handed over. */
struct soon__twins {
	soon_listen_opts opts;
	struct soon__twin_socket *sockets; /* each `fd` under the lock, once other cores run */
	unsigned sockets_count;
	soon_listener *home;
	bool is_gated; /* as the listener is */
	pthread_mutex_t lock;
	soon_listener *first; /* of all, by next_twin */
};

/* From a listener that is not closed before the twins are. */
SOON_NODISCARD int soon__twins_init(struct soon__twins *twins, soon_listener *listener)
	SOON_SUSPENDS;
void soon__twins_fini(struct soon__twins *twins) SOON_SUSPENDS;

/* Makes one on the calling thread's core. Affinity: core, in a task; any core of the run. */
SOON_NODISCARD int soon__twin_make(struct soon__twins *twins, soon_listener **ret_listener)
	SOON_SUSPENDS;

/* Brackets what is done with the sockets of a listener that other cores may have twins of. */
void soon__twins_lock(struct soon__twins *SOON_NULLABLE twins);
void soon__twins_unlock(struct soon__twins *SOON_NULLABLE twins);

/* Takes a listener that is about to close out of the list. */
void soon__twins_leave(soon_listener *listener);

#endif
