// SPDX-License-Identifier: Apache-2.0
/* sockopt_test.c: each option is what the kernel has then, and a failure says which it was. */
#include "net_kit.h"

#include <netinet/in.h>
#include <netinet/tcp.h>

static void round_trip(int fd, soon_sockopt option, int64_t value, int64_t expected)
{
	int64_t got = -7;

	cr_expect_eq(soon_sockopt_set(fd, option, value), 0, "option %d: %s", option,
		soon_fail_message());
	cr_expect_eq(soon_sockopt_get(fd, option, &got), 0);
	cr_expect_eq(got, expected, "option %d is %lld", option, (long long)got);
}

NET_TEST(sockopt, what_is_set_is_read_back)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int milliseconds;
	socklen_t len = sizeof milliseconds;

	round_trip(fd, SOON_SOCKOPT_NODELAY, 1, 1);
	round_trip(fd, SOON_SOCKOPT_KEEPALIVE, 1, 1);
	round_trip(fd, SOON_SOCKOPT_KEEPALIVE_IDLE, SOON_S(30), SOON_S(30));
	round_trip(fd, SOON_SOCKOPT_KEEPALIVE_INTERVAL, SOON_MS(4200), SOON_S(5));
	round_trip(fd, SOON_SOCKOPT_KEEPALIVE_COUNT, 4, 4);
	round_trip(fd, SOON_SOCKOPT_USER_TIMEOUT, SOON_US(1500), SOON_MS(2));
	round_trip(fd, SOON_SOCKOPT_LINGER, SOON_S(3), SOON_S(3));
	round_trip(fd, SOON_SOCKOPT_LINGER, 0, 0);
	round_trip(fd, SOON_SOCKOPT_LINGER, -1, -1);
	round_trip(fd, SOON_SOCKOPT_IN_BYTES, 20000, 40000);
	round_trip(fd, SOON_SOCKOPT_OUT_BYTES, 20000, 40000);
	round_trip(fd, SOON_SOCKOPT_REUSEPORT, 1, 1);
	round_trip(fd, SOON_SOCKOPT_BROADCAST, 1, 1);
	round_trip(fd, SOON_SOCKOPT_TOS, 0x28, 0x28);
	cr_assert_eq(getsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &milliseconds, &len), 0);
	cr_expect_eq(milliseconds, 2);
	(void)close(fd);
	fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
	round_trip(fd, SOON_SOCKOPT_TOS, 0x28, 0x28);
	(void)close(fd);
}

static void fails(int rc, int expected, const char *name)
{
	cr_expect_eq(rc, expected);
	cr_expect_not_null(strstr(soon_fail_message(), name), "%s", soon_fail_message());
}

NET_TEST(sockopt, a_failure_names_the_option)
{
	soon_tcp_stats stats;
	int64_t value = 5;
	int fds[2];

	cr_assert_eq(soon_socketpair(SOCK_STREAM, fds), 0);
	fails(soon_sockopt_set(fds[0], SOON_SOCKOPT_NODELAY, 1), -EOPNOTSUPP, "TCP_NODELAY");
	fails(soon_sockopt_set(fds[0], SOON_SOCKOPT_IN_BYTES, -1), -EINVAL, "SO_RCVBUF");
	fails(soon_sockopt_set(fds[0], SOON_SOCKOPT_LINGER, INT64_MAX), -EINVAL, "SO_LINGER");
	fails(soon_sockopt_get(fds[0], SOON_SOCKOPT_KEEPALIVE_IDLE, &value), -EOPNOTSUPP,
		"TCP_KEEPIDLE");
	cr_expect_eq(value, 5);
	fails(soon_tcp_stats_get(fds[0], &stats), -EOPNOTSUPP, "TCP_INFO");
	(void)close(fds[0]);
	(void)close(fds[1]);
	fails(soon_sockopt_set(fds[0], SOON_SOCKOPT_MARK, 1), -EBADF, "SO_MARK");
}

NET_TEST(sockopt, a_connection_tells_how_it_does)
{
	soon_stream *a, *b;
	soon_tcp_stats stats;

	listen_and_dial("127.0.0.1:0", NULL, &a, &b);
	cr_assert_eq(soon_tcp_stats_get(soon_stream_fd(a), &stats), 0);
	cr_expect_gt(stats.round_trip, 0);
	cr_expect_gt(stats.segment_bytes, 0);
	cr_expect_gt(stats.window_segments, 0);
	cr_expect_eq(soon_stream_close(a), 0);
	cr_expect_eq(soon_stream_close(b), 0);
}
