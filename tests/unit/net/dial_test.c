// SPDX-License-Identifier: Apache-2.0
/*
 * dial_test.c: the race for a connection. A listener whose queue is full stands for a route that
 * swallows packets: the kernel drops what asks for a connection until somebody takes one.
 */
#include "liar.h"
#include "net_kit.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>

#define NEVER_MIND SOON_S(1000) /* a pause that no test would sit through */

enum { FILL_MAX = 8 };

/* A place on 127.0.0.N that takes no connection for now. */
struct hole {
	int fd;
	int filled[FILL_MAX];
	int count;
};

static int socket_at(const char *host, uint16_t *port, int backlog)
{
	char where[SOON_ADDR_TEXT_BYTES];
	int fd, one = 1;
	soon_addr addr;
	socklen_t len;

	(void)snprintf(where, sizeof where, "%s:%u", host, *port);
	cr_assert_eq(soon_addr_parse(where, &addr), 0);
	fd = socket(addr.storage.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	cr_assert_eq(setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one), 0);
	cr_assert_eq(bind(fd, (struct sockaddr *)&addr.storage, addr.len), 0);
	if (backlog >= 0)
		cr_assert_eq(listen(fd, backlog), 0);
	len = sizeof addr.storage;
	cr_assert_eq(getsockname(fd, (struct sockaddr *)&addr.storage, &len), 0);
	*port = soon_addr_port(&addr);
	return fd;
}

/* Whether the hole can be made here: the kernel has to drop what finds no room. */
static bool hole_dig(struct hole *hole, const char *host, uint16_t *port)
{
	soon_addr addr;
	socklen_t len = sizeof addr.storage;

	hole->fd = socket_at(host, port, 0);
	cr_assert_eq(getsockname(hole->fd, (struct sockaddr *)&addr.storage, &len), 0);
	for (hole->count = 0; hole->count < FILL_MAX; hole->count++) {
		int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
		struct pollfd p = { .fd = fd, .events = POLLOUT };

		hole->filled[hole->count] = fd;
		(void)!connect(fd, (struct sockaddr *)&addr.storage, len);
		if (poll(&p, 1, 50) == 0) {
			hole->count++;
			return true;
		}
	}
	return false;
}

static void hole_close(struct hole *hole)
{
	for (int i = 0; i < hole->count; i++)
		(void)close(hole->filled[i]);
	(void)close(hole->fd);
}

#define RESOLVE                                                                                    \
	&(soon_resolve_opts)                                                                       \
	{                                                                                          \
		.servers = liar.servers, .resolv_conf = "/nonexistent/soon",                       \
		.hosts = "/nonexistent/soon", .timeout = SOON_S(5)                                 \
	}

NET_TEST(dial, localhost_finds_either_family)
{
	uint16_t port = 0;
	int fd = socket_at("127.0.0.1", &port, 16);

	cr_expect_str_eq(dialled("localhost", port, NULL), "127.0.0.1");
	(void)close(fd);
}

#if SOON_ARES
NET_TEST(dial, a_refusal_starts_the_next_at_once)
{
	static struct liar liar = { .records = {
					    { "two.test", "127.0.0.2" },
					    { "two.test", "127.0.0.3" },
				    } };
	uint16_t port = 0;
	int fd = socket_at("127.0.0.3", &port, 16);

	liar_start(&liar);
	cr_expect_str_eq(
		dialled("two.test", port,
			&(soon_stream_opts){ .resolve = RESOLVE, .attempt_delay = NEVER_MIND }),
		"127.0.0.3");
	(void)close(fd);
	liar_stop(&liar);
}

NET_TEST(dial, a_route_that_swallows_is_passed)
{
	static struct liar liar = { .records = {
					    { "two.test", "127.0.0.2" },
					    { "two.test", "127.0.0.3" },
				    } };
	struct hole hole;
	uint16_t port = 0;
	int fd;

	if (!hole_dig(&hole, "127.0.0.2", &port)) {
		cr_skip_test("this kernel does not drop what finds a full queue");
		return;
	}
	fd = socket_at("127.0.0.3", &port, 16);
	liar_start(&liar);
	cr_expect_str_eq(
		dialled("two.test", port,
			&(soon_stream_opts){ .resolve = RESOLVE, .attempt_delay = SOON_MS(10) }),
		"127.0.0.3");
	(void)close(fd);
	hole_close(&hole);
	liar_stop(&liar);
}

struct opener {
	struct hole *hole;
	struct liar *liar;
	uint16_t port;
};

/* Makes room in the hole when the other attempts have had time to fail. */
static int open_later(struct opener *opener)
{
	int rc = soon_sleep(SOON_MS(100));
	int fd;

	while ((fd = accept4(opener->hole->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK)) >= 0) {
		(void)close(fd);
		if (rc >= 0)
			rc = soon_poll_fd(opener->hole->fd, POLLIN);
	}
	return rc;
}

NET_TEST(dial, a_slow_route_that_works_is_not_given_up)
{
	static struct liar liar = { .records = {
					    { "slow.test", "127.0.0.2" },
					    { "slow.test", "127.0.0.3" },
					    { "slow.test", "127.0.0.4" },
				    } };
	struct hole hole;
	uint16_t port = 0;
	struct opener opener = { .hole = &hole, .liar = &liar };

	if (!hole_dig(&hole, "127.0.0.2", &port)) {
		cr_skip_test("this kernel does not drop what finds a full queue");
		return;
	}
	cr_assert_geq(fcntl(hole.fd, F_SETFL, O_NONBLOCK), 0);
	liar_start(&liar);
	SOON_GROUP(g);
	cr_assert_eq(soon_spawn(&g, open_later, &opener), 0);
	cr_expect_str_eq(
		dialled("slow.test", port,
			&(soon_stream_opts){ .resolve = RESOLVE, .attempt_delay = SOON_MS(10) }),
		"127.0.0.2");
	soon_group_cancel(&g, "connected");
	cr_expect_eq(soon_group_close(&g, 0), 0);
	hole_close(&hole);
	liar_stop(&liar);
}

NET_TEST(dial, who_all_failed_is_told_of_each)
{
	static struct liar liar = { .records = {
					    { "many.test", "127.0.0.2" },
					    { "many.test", "127.0.0.3" },
				    } };
	uint16_t port = 0;
	int fd = socket_at("127.0.0.2", &port, -1); /* bound, so nobody else listens there */
	char where[64];
	soon_stream *stream = NULL;

	liar_start(&liar);
	(void)snprintf(where, sizeof where, "many.test:%u", port);
	cr_expect_eq(soon_dial(where, &(soon_stream_opts){ .resolve = RESOLVE }, &stream),
		-ECONNREFUSED);
	cr_assert_not_null(soon_fail_message());
	cr_expect_not_null(strstr(soon_fail_message(), where), "%s", soon_fail_message());
	cr_expect_not_null(strstr(soon_fail_message(), "ECONNREFUSED from 127.0.0.2, 127.0.0.3"),
		"%s", soon_fail_message());
	(void)close(fd);
	liar_stop(&liar);
}

NET_TEST(dial, more_failures_than_fit_are_counted)
{
	static struct liar
		liar = { .records = {
				 { "a-rather-long-name-for-a-host.test", "127.100.100.2" },
				 { "a-rather-long-name-for-a-host.test", "127.100.100.3" },
				 { "a-rather-long-name-for-a-host.test", "127.100.100.4" },
				 { "a-rather-long-name-for-a-host.test", "127.100.100.5" },
				 { "a-rather-long-name-for-a-host.test", "127.100.100.6" },
				 { "a-rather-long-name-for-a-host.test", "127.100.100.7" },
				 { "a-rather-long-name-for-a-host.test", "127.100.100.8" },
			 } };
	soon_stream *stream = NULL;

	liar_start(&liar);
	cr_expect_eq(soon_dial("a-rather-long-name-for-a-host.test:1",
			     &(soon_stream_opts){ .resolve = RESOLVE }, &stream),
		-ECONNREFUSED);
	cr_expect_str_eq(soon_fail_message(),
		"cannot connect to a-rather-long-name-for-a-host.test:1: ECONNREFUSED from "
		"127.100.100.2, 127.100.100.3, 127.100.100.4, 127.100.100.5 and 3 more");
	liar_stop(&liar);
}

NET_TEST(dial, a_family_that_does_not_come_is_not_waited_for)
{
	static struct liar liar = { .records = { { "half.test", "127.0.0.3" } } };
	uint16_t port = 0;
	int fd = socket_at("127.0.0.3", &port, 16);

	liar_start(&liar);
	cr_expect_str_eq(dialled("half.test", port,
				 &(soon_stream_opts){
					 .resolve = &(soon_resolve_opts){ .servers = liar.servers,
						 .resolv_conf = "/nonexistent/soon",
						 .timeout = NEVER_MIND } }),
		"127.0.0.3");
	(void)close(fd);
	liar_stop(&liar);
}

NET_TEST(dial, a_family_that_did_not_come_is_told)
{
	static struct liar liar = { .records = { { "half.test", "127.0.0.3" } } };
	soon_stream *stream = NULL;

	liar_start(&liar);
	cr_expect_eq(soon_dial("half.test:1",
			     &(soon_stream_opts){
				     .resolve = &(soon_resolve_opts){ .servers = liar.servers,
					     .resolv_conf = "/nonexistent/soon",
					     .tries = 1,
					     .timeout = SOON_MS(100) } },
			     &stream),
		-ECONNREFUSED);
	cr_expect_str_eq(soon_fail_message(),
		"cannot connect to half.test:1: ECONNREFUSED from 127.0.0.3; no name server told "
		"of IPv6");
	liar_stop(&liar);
}

static int release_later(struct opener *opener)
{
	struct liar *ours = opener->liar;
	soon_addr addr;
	int rc = soon_sleep(SOON_MS(100));

	if (rc == 0)
		rc = soon_resolve("release.test:1",
			&(soon_resolve_opts){ .servers = ours->servers, .tries = 1 }, &addr, 1);
	return rc == -ENOENT ? 0 : rc;
}

NET_TEST(dial, addresses_that_come_late_are_tried)
{
	static struct liar liar = { .records = {
					    { "late.test", "127.0.0.2" },
					    { "late.test", "::1" },
				    } };
	struct opener opener = { .liar = &liar };
	uint16_t port = 0;
	int probe = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0), fd;
	struct sockaddr_in6 in6 = { .sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT };

	if (probe < 0 || bind(probe, (struct sockaddr *)&in6, sizeof in6) < 0) {
		if (probe >= 0)
			(void)close(probe);
		cr_skip_test("no IPv6 here");
		return;
	}
	(void)close(probe);
	fd = socket_at("[::1]", &port, 16);
	liar_start(&liar);
	SOON_GROUP(g);
	cr_assert_eq(soon_spawn(&g, release_later, &opener), 0);
	cr_expect_str_eq(
		dialled("late.test", port, &(soon_stream_opts){ .resolve = RESOLVE }), "[::1]");
	cr_expect_eq(soon_group_close(&g, 0), 0);
	(void)close(fd);
	liar_stop(&liar);
}

NET_TEST(dial, a_cancel_ends_all_attempts)
{
	static struct liar liar = { .records = {
					    { "two.test", "127.0.0.2" },
					    { "two.test", "127.0.0.3" },
				    } };
	struct hole holes[2];
	uint16_t port = 0;
	soon_stream *stream = NULL;
	char where[64];
	unsigned fds;

	if (!hole_dig(&holes[0], "127.0.0.2", &port) || !hole_dig(&holes[1], "127.0.0.3", &port)) {
		cr_skip_test("this kernel does not drop what finds a full queue");
		return;
	}
	liar_start(&liar);
	fds = fds_open();
	(void)snprintf(where, sizeof where, "two.test:%u", port);
	cr_expect_eq(soon_within(SOON_MS(100),
			     soon_dial(where,
				     &(soon_stream_opts){
					     .resolve = RESOLVE, .attempt_delay = SOON_MS(10) },
				     &stream)),
		-ETIMEDOUT);
	cr_expect_null(stream);
	cr_expect_eq(fds_open(), fds);
	hole_close(&holes[0]);
	hole_close(&holes[1]);
	liar_stop(&liar);
}

NET_TEST(dial, failures_of_names_are_told)
{
	static struct liar liar;
	soon_stream *stream = NULL;

	liar_start(&liar);
	cr_expect_eq(soon_dial("nx.test:80", &(soon_stream_opts){ .resolve = RESOLVE }, &stream),
		-ENOENT);
	cr_expect_not_null(strstr(soon_fail_message(), "nx.test"));
	cr_expect_not_null(strstr(soon_fail_message(), liar.servers));
	liar_stop(&liar);
}
#endif
