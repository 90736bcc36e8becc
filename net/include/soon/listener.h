// SPDX-License-Identifier: Apache-2.0
/*
 * listener.h: taking connections.
 *
 *	soon_listener *l;
 *	int rc = soon_listen("127.0.0.1:7000", NULL, &l);
 *	soon_stream *conn;
 *	while (rc == 0 && (rc = soon_listener_accept(l, &conn)) == 0)
 *		rc = soon_spawn(&g, talk, conn);
 *
 * Most servers leave that loop, with its limits and its end, to soon_serve().
 */
#ifndef SOON_LISTENER_H
#define SOON_LISTENER_H

#include <soon/stream.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef SOON__HANDLE struct soon_listener soon_listener;

/* The longest name of a listener, its end included. */
#define SOON_LISTENER_NAME_BYTES 64

/* Zero means the default in every field. */
typedef struct soon_listen_opts {
	soon_stream_opts stream; /* of every accepted stream */
	int backlog_count;       /* connections the kernel holds; default 4096, cut by somaxconn */
	soon_ns busy_timeout; /* a taken port is tried for that long; default 250 ms, < 0: once */
	const char *name;     /* of sockets that the process may be started with, see below */
	bool v6only;          /* "*" and "[::]" take IPv6 only */
	bool reuse_port;      /* SO_REUSEPORT: several sockets share the port */
	unsigned unix_mode;   /* permission bits of a unix socket's file; default by the umask */
} soon_listen_opts;

/*
 * Listens on `where`, see <soon/addr.h>; port 0 lets the kernel choose, soon_listener_addr tells.
 *
 *	"*:80"  ":80"    every address, IPv6 and IPv4 by one socket; where there is no IPv6, IPv4
 *	"localhost:80"   every address that the name has here, on the same port
 *	"systemd:name"   the sockets that the process was started with under this name, of
 *	                 FileDescriptorName= in a .socket unit; "systemd:" for all
 *	"fd:N"           a descriptor that listens
 *
 * With opts.name, sockets that the process was started with under that name are used instead of
 * `where`: from systemd, or from the process before it, see <soon/handover.h>, where they give
 * nothing before this process has said that it is ready. Their descriptors are close-on-exec, and
 * the environment that told of them is cleared, by the first call; no other thread may read it
 * then, see environ(7).
 * A unix socket's file that nobody listens on any more is replaced.
 * A port that is taken is tried for opts.busy_timeout, because a killed process may hold it for
 * some ms.
 * Suspends: may, for that or for a host name. Cancel: then a cancellation point.
 * Null: `opts` for defaults.
 * Ownership: returns owned, to be given to soon_listener_close.
 * Errors: after a report, and in the message of the failure, with the address, the likely cause
 * and what to do: -EINVAL `where` cannot be read. -EADDRINUSE. -EADDRNOTAVAIL not an address of
 * this machine. -EACCES. -ENOENT no such host, folder, or descriptor of that name. -EBADF,
 * -ENOTSOCK, -EINVAL a descriptor that is no listening stream socket. -EMFILE, -ENOMEM. -EPERM not
 * on a core. See: sd_listen_fds(3).
 */
SOON_API SOON_NODISCARD int soon_listen(const char *where,
	const soon_listen_opts *SOON_NULLABLE opts, soon_listener **ret_listener) SOON_SUSPENDS;

/*
 * Takes the next connection.
 * Suspends: until there is one. Cancel: cancellation point; no connection is lost to it.
 * Ownership: returns owned, to be given to soon_stream_close/_abort.
 * Errors: -ECANCELED. -EBUSY another task accepts. -ESHUTDOWN after soon_listener_stop and when
 * what had arrived before is taken. -ENOMEM: the connection stays in the kernel's queue; wait
 * before the next try. Out of descriptors it waits by itself, with a report.
 */
SOON_API SOON_NODISCARD int soon_listener_accept(soon_listener *listener, soon_stream **ret_stream)
	SOON_SUSPENDS;

/*
 * Begins the end: from now on accept gives those connections that are complete already, without a
 * wait, then closes the socket, so that later ones are refused, and gives -ESHUTDOWN. A second
 * stop changes nothing. No task may be in accept.
 * Suspends: may. Cancel: not a cancellation point.
 */
SOON_API void soon_listener_stop(soon_listener *listener) SOON_SUSPENDS;

/*
 * Reads the address that is listened on, with the port that the kernel chose.
 * Suspends: never. Also after soon_listener_stop.
 */
SOON_API void soon_listener_addr(const soon_listener *listener, soon_addr *ret_addr);

/*
 * Reads the address of one of its sockets, from 0; a listener has several where its name has
 * several addresses, or where it was started with several.
 * Suspends: never. Errors: -ENOENT there is no such.
 */
SOON_API SOON_NODISCARD int soon_listener_addr_at(
	const soon_listener *listener, unsigned index, soon_addr *ret_addr);

/*
 * Stops, closes what was not accepted, and removes the file of a unix socket.
 * Suspends: may. Cancel: not a cancellation point. Ownership: takes `listener`. Null: nothing
 * happens. No task may be in a call of this listener.
 */
SOON_API void soon_listener_close(soon_listener *SOON_NULLABLE listener) SOON_SUSPENDS;

/* Closes `listener` on every way out of the block. */
#define SOON_LISTENER_OWN(listener)                                                                \
	soon_listener *soon__own_##listener                                                        \
		__attribute__((cleanup(soon__listener_left), unused)) = (listener)
SOON_API void soon__listener_left(soon_listener **listener) SOON_SUSPENDS;

#ifdef __cplusplus
}
#endif

#endif
