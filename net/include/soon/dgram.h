// SPDX-License-Identifier: Apache-2.0
/*
 * dgram.h: datagrams: UDP, and unix sockets that keep messages apart.
 *
 *	soon_dgram *d;
 *	soon_packet p[32];
 *	int n = soon_dgram_bind("*:5353", NULL, &d);
 *	while (n >= 0 && (n = soon_dgram_next_batch(d, p, 32)) > 0)
 *		n = soon_dgram_send_batch(d, p, (unsigned)n);
 *
 * Received bytes stand in memory of the socket's own and are lent until the next call that
 * receives. A datagram longer than that memory is cut, and its packet says by how much.
 *
 * Datagrams get lost, by the network and by the kernel when nobody takes them in time:
 * soon_dgram_stats() has the kernel's count. A peer that is not there concerns nobody but him: a
 * socket with many peers hears nothing of it, one that is connected gets -ECONNREFUSED once and can
 * be used on.
 *
 * All calls: Affinity: the core that made the socket, -EPERM elsewhere. One task receives at a
 * time, -EBUSY for a second; any number send. Each that suspends is a cancellation point even when
 * it would not have to wait. No memory is ever with the kernel while a task waits.
 */
#ifndef SOON_DGRAM_H
#define SOON_DGRAM_H

#include <soon/addr.h>
#include <soon/time.h>

#ifdef __cplusplus
extern "C" {
#endif

/* The most datagrams of one system call. */
#define SOON_DGRAM_BATCH_MAX 64

typedef SOON__HANDLE struct soon_dgram soon_dgram;

/* Zero means the default in every field. */
typedef struct soon_dgram_opts {
	size_t bytes_max;     /* longest datagram that is received whole; default 2048 */
	unsigned batch_count; /* received by one system call; default 32 */
	int in_bytes;         /* the kernel's queues, SO_RCVBUF and SO_SNDBUF; default the */
	int out_bytes;        /* system's; a request above its limits is cut to them */
	bool coalesce;        /* UDP_GRO: a burst of one peer comes as one; packets stay packets */
	bool with_local;      /* packets tell to which of our addresses; default for "*" only */
	bool with_tos;        /* packets tell their TOS byte: DSCP and ECN */
	bool v6only;          /* "*" and "[::]" take IPv6 only */
	bool reuse_port;      /* SO_REUSEPORT: several sockets share the port */
	bool broadcast;       /* SO_BROADCAST: may send to all of a network */
	unsigned unix_mode;   /* permission bits of a unix socket's file; default by the umask */
} soon_dgram_opts;

/* One datagram: received, or to be sent. What is received can be sent back as it is. */
typedef struct soon_packet {
	char *ptr;
	size_t len;
	const soon_addr *peer;  /* from whom, NULL: he has no name; to whom, NULL: the connected */
	const soon_addr *local; /* to, or from, which of our addresses; NULL: not known, any */
	size_t cut_bytes;       /* received: what did not fit behind `len` and is lost */
	uint16_t segment_bytes; /* to send: leaves as datagrams of so many bytes each; 0: as one */
	uint8_t tos;            /* DSCP and ECN; 0: as the socket's */
	int rc;                 /* sent: 0, or why not */
} soon_packet;

/*
 * Makes a socket that receives at `where`, see <soon/addr.h>; port 0 lets the kernel choose. A
 * unix socket's file that nobody receives at any more is replaced. A port that is taken is tried
 * for a quarter of a second.
 * Suspends: may, for that or for a host name. Cancel: then a cancellation point.
 * Null: `opts`. Ownership: returns owned, to be given to soon_dgram_close.
 * Errors: after a report, and in the message of the failure, with the address, the likely cause
 * and what to do: -EINVAL `where` cannot be read. -EADDRINUSE. -EADDRNOTAVAIL. -EACCES. -ENOENT no
 * such host or folder. -EMFILE, -ENOMEM. -EPERM not on a core.
 */
SOON_API SOON_NODISCARD int soon_dgram_bind(const char *where,
	const soon_dgram_opts *SOON_NULLABLE opts, soon_dgram **ret_dgram) SOON_SUSPENDS;

/*
 * Makes a socket for one peer: it sends to `where` and receives from there only. Of a host's
 * addresses it is the first that there is a route to. A unix socket gets an abstract name, so that
 * the peer can answer.
 * Suspends: for a host name. Cancel: cancellation point. Null: `opts`.
 * Ownership: returns owned, to be given to soon_dgram_close.
 * Errors: -EINVAL `where` cannot be read. -ENOENT no such host or file. -ECONNREFUSED nobody
 * receives at that unix socket; UDP learns of that later. -ENETUNREACH, -EMFILE, -ENOMEM and others
 * of connect(2), with a message. -EPERM not on a core.
 */
SOON_API SOON_NODISCARD int soon_dgram_dial(const char *where,
	const soon_dgram_opts *SOON_NULLABLE opts, soon_dgram **ret_dgram) SOON_SUSPENDS;

/*
 * Makes one of a descriptor: an inherited socket, one end of a pair. Of the options those that are
 * about binding are not used.
 * Suspends: never. Null: `opts`. Ownership: takes `fd` on success.
 * Errors: -ENOTSOCK, -EPROTOTYPE not a datagram socket. -ENOMEM. -EPERM not on a core.
 */
SOON_API SOON_NODISCARD int soon_dgram_adopt(
	int fd, const soon_dgram_opts *SOON_NULLABLE opts, soon_dgram **ret_dgram) SOON_ON_CORE;

/*
 * Has the socket send to `peer` by default, and receive from nobody else from now on.
 * Suspends: never. Null: `peer` for all again. Errors: those of connect(2).
 */
SOON_API SOON_NODISCARD int soon_dgram_connect(
	soon_dgram *dgram, const soon_addr *SOON_NULLABLE peer) SOON_ON_CORE;

/*
 * Gives the next datagram, which may be empty.
 * Suspends: until there is one. Cancel: cancellation point; nothing is lost by it.
 * Ownership: the packet's memory is lent until the next call that receives on this socket, or its
 * close; it may be changed in place.
 * Errors: -ECANCELED. -EBUSY another task receives. -ECONNREFUSED, -EHOSTUNREACH and the like of a
 * connected socket: what became of something that was sent; go on. -ENOMEM. -EBADF.
 * Cost: one system call for as many as had arrived, up to batch_count.
 */
SOON_API SOON_NODISCARD int soon_dgram_next(soon_dgram *dgram, soon_packet *ret_packet)
	SOON_SUSPENDS;

/*
 * As soon_dgram_next, for all that are there, up to `count_max`. Returns: how many, 1 at least.
 */
SOON_API SOON_NODISCARD int soon_dgram_next_batch(
	soon_dgram *dgram, soon_packet *ret_packets, unsigned count_max) SOON_SUSPENDS;

/*
 * Copies the next datagram into `buf`.
 * Null: `ret_peer` when the sender is not wanted; set on -EMSGSIZE, too.
 * Returns: its length. Errors: as soon_dgram_next. -EMSGSIZE it is longer than `bytes` or
 * bytes_max: `buf` has its beginning, the rest is lost.
 */
SOON_API SOON_NODISCARD ssize_t soon_dgram_recv(soon_dgram *dgram, void *buf, size_t bytes,
	soon_addr *SOON_NULLABLE ret_peer) SOON_SUSPENDS;

/*
 * Sends one datagram to the peer that the socket is connected to.
 * Suspends: while the socket's buffer, or the queue of a local receiver, is full.
 * Cancel: cancellation point; it was sent or it was not.
 * Returns: `bytes`.
 * Errors: -ECANCELED. -EMSGSIZE too long for one datagram, with a message. -ECONNREFUSED,
 * -EHOSTUNREACH and the like: what became of an earlier one; this one was not sent, try again.
 * -EDESTADDRREQ not connected. -EPERM also a firewall's. Others of sendmsg(2).
 */
SOON_API SOON_NODISCARD ssize_t soon_dgram_send(soon_dgram *dgram, const void *buf, size_t bytes)
	SOON_SUSPENDS;

/* As soon_dgram_send, to `peer`. */
SOON_API SOON_NODISCARD ssize_t soon_dgram_send_to(
	soon_dgram *dgram, const soon_addr *peer, const void *buf, size_t bytes) SOON_SUSPENDS;

/*
 * As soon_dgram_send, to who sent `packet`, and from the address that it was sent to: on a machine
 * with several addresses the kernel might choose another one, which the peer does not know.
 */
SOON_API SOON_NODISCARD ssize_t soon_dgram_reply(
	soon_dgram *dgram, const soon_packet *packet, const void *buf, size_t bytes) SOON_SUSPENDS;

/*
 * Sends `count` packets, each whatever became of the others, and sets `rc` in each. One with
 * `segment_bytes` is cut up, by the kernel or the network card where they can (UDP_SEGMENT).
 * Suspends: as soon_dgram_send. Cancel: cancellation point; those that were not tried by then say
 * -ECANCELED.
 * Returns: how many were sent whole; 0 when each failed by itself.
 * Errors: -ECANCELED, -EBADF: before the first was tried.
 * Cost: one system call for up to 32 datagrams, or bursts of segments.
 */
SOON_API SOON_NODISCARD int soon_dgram_send_batch(
	soon_dgram *dgram, soon_packet *packets, unsigned count) SOON_SUSPENDS;

/*
 * Has the socket receive what is sent to the multicast group `group` ("224.0.0.251:0", the port
 * is not used), on one network interface.
 * Suspends: never. Null: `interface` for that of the route.
 * Errors: -EINVAL not a multicast address. -ENODEV no such interface. -EADDRINUSE it does already.
 * Others of setsockopt(2).
 */
SOON_API SOON_NODISCARD int soon_dgram_join(
	soon_dgram *dgram, const char *group, const char *SOON_NULLABLE interface) SOON_ON_CORE;

/* Ends that. Errors: -EADDRNOTAVAIL it does not. */
SOON_API SOON_NODISCARD int soon_dgram_leave(
	soon_dgram *dgram, const char *group, const char *SOON_NULLABLE interface) SOON_ON_CORE;

/* Since the socket was made. */
typedef struct soon_dgram_counts {
	uint64_t received;
	uint64_t received_cut; /* of these, longer than bytes_max */
	uint64_t sent;         /* datagrams, segments counted each */
	uint64_t dropped;      /* by the kernel, its queue being full or a checksum wrong */
	uint64_t unreachable;  /* told by the network about peers of an unconnected socket */
	uint64_t coalesced;    /* bursts that came as one */
	uint64_t segmented;    /* bursts that left as one */
} soon_dgram_counts;

/* Suspends: never. Cost: one system call. */
SOON_API void soon_dgram_stats(const soon_dgram *dgram, soon_dgram_counts *ret_counts) SOON_ON_CORE;

/* Reads the socket's own address, with the port that the kernel chose. Suspends: never. */
SOON_API void soon_dgram_addr(const soon_dgram *dgram, soon_addr *ret_addr);

/* Returns the socket, for options. Suspends: never. Ownership: returns borrowed. */
SOON_API SOON_NODISCARD int soon_dgram_fd(const soon_dgram *dgram);

/*
 * Closes, and removes the file of a unix socket. What has not been taken is lost.
 * Suspends: may. Cancel: not a cancellation point. Ownership: takes `dgram`. Null: nothing happens.
 * No task may be in a call of this socket: that aborts.
 */
SOON_API void soon_dgram_close(soon_dgram *SOON_NULLABLE dgram) SOON_SUSPENDS;

/* Closes `dgram` on every way out of the block. */
#define SOON_DGRAM_OWN(dgram)                                                                      \
	soon_dgram *soon__own_##dgram __attribute__((cleanup(soon__dgram_left), unused)) = (dgram)
SOON_API void soon__dgram_left(soon_dgram **dgram) SOON_SUSPENDS;

#ifdef __cplusplus
}
#endif

#endif
