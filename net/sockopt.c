// SPDX-License-Identifier: Apache-2.0
/* sockopt.c: the options as a table, and the few that are not a number; see sockopt.h. */
#include <soon/assert.h>
#include <soon/sockopt.h>
#include <soon/task.h>

#include "errtext.h"

#include <inttypes.h>
#include <limits.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

struct entry {
	const char *name;
	int level;
	int option;
	soon_ns unit; /* of the kernel, where it is a time; 1: a number */
};

static const struct entry entries[SOON_SOCKOPT_COUNT] = {
	[SOON_SOCKOPT_NODELAY] = { "TCP_NODELAY", IPPROTO_TCP, TCP_NODELAY, 1 },
	[SOON_SOCKOPT_KEEPALIVE] = { "SO_KEEPALIVE", SOL_SOCKET, SO_KEEPALIVE, 1 },
	[SOON_SOCKOPT_KEEPALIVE_IDLE] = { "TCP_KEEPIDLE", IPPROTO_TCP, TCP_KEEPIDLE, SOON_S(1) },
	[SOON_SOCKOPT_KEEPALIVE_INTERVAL] = { "TCP_KEEPINTVL", IPPROTO_TCP, TCP_KEEPINTVL,
		SOON_S(1) },
	[SOON_SOCKOPT_KEEPALIVE_COUNT] = { "TCP_KEEPCNT", IPPROTO_TCP, TCP_KEEPCNT, 1 },
	[SOON_SOCKOPT_USER_TIMEOUT] = { "TCP_USER_TIMEOUT", IPPROTO_TCP, TCP_USER_TIMEOUT,
		SOON_MS(1) },
	[SOON_SOCKOPT_LINGER] = { "SO_LINGER", SOL_SOCKET, SO_LINGER, SOON_S(1) },
	[SOON_SOCKOPT_IN_BYTES] = { "SO_RCVBUF", SOL_SOCKET, SO_RCVBUF, 1 },
	[SOON_SOCKOPT_OUT_BYTES] = { "SO_SNDBUF", SOL_SOCKET, SO_SNDBUF, 1 },
	[SOON_SOCKOPT_REUSEPORT] = { "SO_REUSEPORT", SOL_SOCKET, SO_REUSEPORT, 1 },
	[SOON_SOCKOPT_MARK] = { "SO_MARK", SOL_SOCKET, SO_MARK, 1 },
	[SOON_SOCKOPT_TOS] = { "IP_TOS", IPPROTO_IP, IP_TOS, 1 },
	[SOON_SOCKOPT_BROADCAST] = { "SO_BROADCAST", SOL_SOCKET, SO_BROADCAST, 1 },
};

/* The entry; that of IPv6 where the socket is one. */
static struct entry entry_of(int socket, soon_sockopt option)
{
	struct entry entry = entries[option];
	int family = AF_UNSPEC;
	socklen_t len = sizeof family;

	if (option != SOON_SOCKOPT_TOS)
		return entry;
	if (getsockopt(socket, SOL_SOCKET, SO_DOMAIN, &family, &len) == 0 && family == AF_INET6)
		entry = (struct entry){ "IPV6_TCLASS", IPPROTO_IPV6, IPV6_TCLASS, 1 };
	return entry;
}

static SOON_COLD int failure(int rc, const char *verb, int socket, const struct entry *entry)
{
	const char *hint = rc == -EPERM ? "; it needs CAP_NET_ADMIN" : "";

	if (rc == -ENOPROTOOPT || rc == -EOPNOTSUPP)
		hint = "; sockets of this kind do not have it";
	return soon_fail(rc, "cannot %s %s of descriptor %d: %s%s", verb, entry->name, socket,
		soon__error_text(rc), hint);
}

static SOON_COLD int bad_value(int socket, const struct entry *entry, int64_t value)
{
	return soon_fail(-EINVAL, "cannot set %s of descriptor %d: %" PRId64 " is out of range",
		entry->name, socket, value);
}

int soon_sockopt_set(int socket, soon_sockopt option, int64_t value)
{
	struct entry entry;
	struct linger linger = { 0 };
	bool is_off = option == SOON_SOCKOPT_LINGER && value == -1;
	int number, rc;

	SOON_ASSERT(option < SOON_SOCKOPT_COUNT);
	entry = entry_of(socket, option);
	if (!is_off && (value < 0 || value / entry.unit >= INT_MAX))
		return bad_value(socket, &entry, value);
	number = is_off ? 0 : (int)(value / entry.unit) + (value % entry.unit != 0);
	linger = (struct linger){ .l_onoff = !is_off, .l_linger = number };
	if (option == SOON_SOCKOPT_LINGER)
		rc = setsockopt(socket, entry.level, entry.option, &linger, sizeof linger);
	else
		rc = setsockopt(socket, entry.level, entry.option, &number, sizeof number);
	return rc < 0 ? failure(-errno, "set", socket, &entry) : 0;
}

int soon_sockopt_get(int socket, soon_sockopt option, int64_t *ret_value)
{
	struct entry entry;
	struct linger linger = { 0 };
	int number = 0;
	socklen_t len = option == SOON_SOCKOPT_LINGER ? sizeof linger : sizeof number;
	void *to = option == SOON_SOCKOPT_LINGER ? (void *)&linger : &number;

	SOON_ASSERT(option < SOON_SOCKOPT_COUNT);
	SOON_ASSERT(ret_value != NULL);
	entry = entry_of(socket, option);
	if (getsockopt(socket, entry.level, entry.option, to, &len) < 0)
		return failure(-errno, "read", socket, &entry);
	if (option == SOON_SOCKOPT_LINGER)
		*ret_value = linger.l_onoff != 0 ? linger.l_linger * entry.unit : -1;
	else
		*ret_value = number * entry.unit;
	return 0;
}

int soon_tcp_stats_get(int socket, soon_tcp_stats *ret_stats)
{
	static const struct entry entry = { "TCP_INFO", IPPROTO_TCP, TCP_INFO, 1 };
	struct tcp_info info = { 0 };
	socklen_t len = sizeof info;
	int rc;

	SOON_ASSERT(ret_stats != NULL);
	rc = getsockopt(socket, entry.level, entry.option, &info, &len) < 0 ? -errno : 0;
	if (rc < 0)
		return failure(rc == -ENOPROTOOPT ? -EOPNOTSUPP : rc, "read", socket, &entry);
	*ret_stats = (soon_tcp_stats){
		.round_trip = SOON_US(info.tcpi_rtt),
		.round_trip_variance = SOON_US(info.tcpi_rttvar),
		.window_segments = info.tcpi_snd_cwnd,
		.segment_bytes = info.tcpi_snd_mss,
		.unacknowledged = info.tcpi_unacked,
		.lost = info.tcpi_lost,
		.retransmitted = info.tcpi_total_retrans,
	};
	return 0;
}
