// SPDX-License-Identifier: Apache-2.0
/*
 * sockopt.h: options of sockets, by type: a wrong level, length or unit cannot be given, and a
 * failure names the option.
 *
 *	rc = soon_sockopt_set(soon_stream_fd(s), SOON_SOCKOPT_USER_TIMEOUT, SOON_S(20));
 *
 * Times are soon_ns whatever the kernel counts in, rounded up to what it can.
 */
#ifndef SOON_SOCKOPT_H
#define SOON_SOCKOPT_H

#include <soon/time.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef enum soon_sockopt {
	SOON_SOCKOPT_NODELAY,            /* TCP: 1: small segments are not held back */
	SOON_SOCKOPT_KEEPALIVE,          /* 1: ask a silent peer whether he is there */
	SOON_SOCKOPT_KEEPALIVE_IDLE,     /* TCP, time: silence before the first question */
	SOON_SOCKOPT_KEEPALIVE_INTERVAL, /* TCP, time: between questions */
	SOON_SOCKOPT_KEEPALIVE_COUNT,    /* TCP: unanswered questions until he is given up */
	SOON_SOCKOPT_USER_TIMEOUT,       /* TCP, time: sent bytes unacknowledged until then: over */
	SOON_SOCKOPT_LINGER,   /* time: close waits for sent bytes; 0: it resets; -1: off */
	SOON_SOCKOPT_IN_BYTES, /* the kernel's queue; read back it is twice that */
	SOON_SOCKOPT_OUT_BYTES,
	SOON_SOCKOPT_REUSEPORT, /* 1, before binding */
	SOON_SOCKOPT_MARK,      /* of packets, for routing and firewalls; needs CAP_NET_ADMIN */
	SOON_SOCKOPT_TOS,       /* DSCP and ECN of packets, IPv4 or IPv6 as the socket is */
	SOON_SOCKOPT_BROADCAST, /* UDP: 1: may send to all of a network */
	SOON_SOCKOPT_COUNT,
} soon_sockopt;

/*
 * Sets one option of a socket.
 * Suspends: never. Affinity: any.
 * Errors: with a message that names the option and the value: -ENOPROTOOPT, -EOPNOTSUPP the socket
 * has no such option. -EINVAL the value cannot be. -EPERM not allowed. -EBADF, -ENOTSOCK.
 */
SOON_API SOON_NODISCARD int soon_sockopt_set(int socket, soon_sockopt option, int64_t value)
	SOON_ANY_THREAD;

/* Reads one. Otherwise as soon_sockopt_set. */
SOON_API SOON_NODISCARD int soon_sockopt_get(int socket, soon_sockopt option, int64_t *ret_value)
	SOON_ANY_THREAD;

/* How a TCP connection does, as the kernel sees it now. */
typedef struct soon_tcp_stats {
	soon_ns round_trip;          /* smoothed */
	soon_ns round_trip_variance; /* mean deviation of it */
	uint32_t window_segments;    /* congestion window */
	uint32_t segment_bytes;      /* largest that is sent */
	uint32_t unacknowledged;     /* segments */
	uint32_t lost;               /* segments thought to be, now */
	uint32_t retransmitted;      /* segments, since the connection was made */
} soon_tcp_stats;

/* Reads that. Errors: -EOPNOTSUPP not a TCP socket. -EBADF, -ENOTSOCK. */
SOON_API SOON_NODISCARD int soon_tcp_stats_get(int socket, soon_tcp_stats *ret_stats)
	SOON_ANY_THREAD;

#ifdef __cplusplus
}
#endif

#endif
