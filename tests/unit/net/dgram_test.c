// SPDX-License-Identifier: Apache-2.0
/* dgram_test.c: datagram sockets: what arrives, what is cut, what is lost, and who is told. */
#include "dgram.h"

#include "net_kit.h"
#include "report_kit.h"

#include <poll.h>
#include <stdio.h>
#include <sys/stat.h>

#define LONG SOON_S(20)

static soon_dgram *bound(const char *where, const soon_dgram_opts *opts)
{
	soon_dgram *d = NULL;

	cr_assert_eq(
		soon_dgram_bind(where, opts, &d), 0, "binding %s: %s", where, soon_fail_message());
	return d;
}

static const char *where_of(const soon_dgram *d)
{
	static char text[SOON_ADDR_TEXT_BYTES];
	soon_addr addr;

	soon_dgram_addr(d, &addr);
	return soon_addr_format(&addr, text);
}

static soon_dgram *dgram_dialled(const soon_dgram *to, const soon_dgram_opts *opts)
{
	soon_dgram *d = NULL;

	cr_assert_eq(soon_dgram_dial(where_of(to), opts, &d), 0);
	return d;
}

/* A UDP socket without soon, connected to `to`. */
static int raw_peer(const soon_dgram *to)
{
	soon_addr addr;
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	soon_dgram_addr(to, &addr);
	cr_assert_geq(fd, 0);
	cr_assert_eq(connect(fd, (struct sockaddr *)&addr.storage, addr.len), 0);
	return fd;
}

static ssize_t recv_soon(soon_dgram *d, void *buf, size_t bytes, soon_addr *ret_peer)
{
	return soon_within(LONG, soon_dgram_recv(d, buf, bytes, ret_peer));
}

static void expect(soon_dgram *d, const char *text)
{
	char buf[64];
	ssize_t n = recv_soon(d, buf, sizeof buf, NULL);

	cr_assert_eq(n, (ssize_t)strlen(text), "got %zd", n);
	cr_expect_eq(memcmp(buf, text, (size_t)n), 0);
}

/* ---- there and back ---------------------------------------------------------------------- */

static void there_and_back(const char *where)
{
	soon_dgram *server = bound(where, NULL);
	soon_dgram *client = dgram_dialled(server, NULL);
	char buf[16];
	soon_packet packet;
	soon_addr peer, own;

	cr_assert_eq(soon_dgram_send(client, "ping", 4), 4);
	cr_assert_eq(recv_soon(server, buf, sizeof buf, &peer), 4);
	soon_dgram_addr(client, &own);
	cr_expect_eq(memcmp(&peer, &own, sizeof own), 0, "who sent it");
	cr_assert_eq(soon_dgram_send_to(server, &peer, "pong", 4), 4);
	expect(client, "pong");

	/* An empty one is a datagram. */
	cr_assert_eq(soon_dgram_send(client, NULL, 0), 0);
	cr_assert_eq(soon_within(LONG, soon_dgram_next(server, &packet)), 0);
	cr_expect_eq(packet.len, 0);
	cr_expect_eq(packet.cut_bytes, 0);
	cr_assert_eq(soon_dgram_reply(server, &packet, "!", 1), 1);
	expect(client, "!");
	soon_dgram_close(client);
	soon_dgram_close(server);
}

NET_TEST(dgram, every_kind_of_address_works)
{
	there_and_back("127.0.0.1:0");
	there_and_back("[::1]:0");
	there_and_back("localhost:0");
	there_and_back("unix:@soon-test-dgram");
	there_and_back("unix:soon-test-dgram.sock");
	cr_expect_neq(access("soon-test-dgram.sock", F_OK), 0, "the file is gone");
	soon_dgram_close(NULL);
}

NET_TEST(dgram, a_pair_talks_without_names)
{
	soon_dgram *d[2];
	soon_packet packet;
	int fds[2];

	cr_assert_eq(socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, fds), 0);
	cr_assert_eq(soon_dgram_adopt(fds[0], NULL, &d[0]), 0);
	cr_assert_eq(soon_dgram_adopt(fds[1], NULL, &d[1]), 0);
	cr_assert_eq(soon_dgram_send(d[0], "a", 1), 1);
	cr_assert_eq(soon_dgram_next(d[1], &packet), 0);
	cr_expect_null(packet.peer);
	cr_assert_eq(soon_dgram_send_batch(d[1], &packet, 1), 1);
	expect(d[0], "a");
	soon_dgram_close(d[0]);
	soon_dgram_close(d[1]);

	cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
	cr_expect_eq(soon_dgram_adopt(fds[0], NULL, &d[0]), -EPROTOTYPE);
	(void)close(fds[0]);
	(void)close(fds[1]);
	cr_expect_eq(soon_dgram_adopt(fds[0], NULL, &d[0]), -EBADF);
}

/* ---- lengths ----------------------------------------------------------------------------- */

NET_TEST(dgram, what_is_cut_says_so)
{
	static const soon_dgram_opts small = { .bytes_max = 8 };
	soon_dgram *server = bound("127.0.0.1:0", &small);
	soon_dgram *client = dgram_dialled(server, NULL);
	soon_dgram_counts counts;
	char buf[16] = "";
	soon_packet packet;

	cr_assert_eq(soon_dgram_send(client, "0123456789", 10), 10);
	cr_assert_eq(soon_dgram_send(client, "0123456789", 10), 10);
	cr_assert_eq(soon_dgram_send(client, "01234567", 8), 8);
	cr_assert_eq(soon_dgram_send(client, "01234567", 8), 8);
	cr_assert_eq(soon_within(LONG, soon_dgram_next(server, &packet)), 0);
	cr_expect_eq(packet.len, 8);
	cr_expect_eq(packet.cut_bytes, 2);
	cr_expect_eq(recv_soon(server, buf, sizeof buf, NULL), -EMSGSIZE);
	cr_expect_eq(memcmp(buf, "01234567", 8), 0, "the beginning is there");
	cr_expect_eq(recv_soon(server, buf, 8, NULL), 8);
	cr_expect_eq(recv_soon(server, buf, 7, NULL), -EMSGSIZE);
	soon_dgram_stats(server, &counts);
	cr_expect_eq(counts.received, 4);
	cr_expect_eq(counts.received_cut, 2);
	soon_dgram_close(client);
	soon_dgram_close(server);
}

NET_TEST(dgram, too_long_to_send_is_explained)
{
	static const soon_dgram_opts large = { .bytes_max = 65535 };
	static char data[70000], got[65535];
	soon_dgram *server = bound("127.0.0.1:0", &large);
	soon_dgram *client = dgram_dialled(server, NULL);
	soon_packet packets[] = {
		{ .ptr = data, .len = 1 },
		{ .ptr = data, .len = sizeof data },
		{ .ptr = data, .len = 2 },
	};

	cr_expect_eq(soon_dgram_send(client, data, sizeof data), -EMSGSIZE);
	cr_expect_not_null(strstr(soon_fail_message(), "70000 bytes"));
	cr_expect_not_null(strstr(soon_fail_message(), "65507"));

	/* The others of a batch go all the same. */
	cr_expect_eq(soon_dgram_send_batch(client, packets, 3), 2);
	cr_expect_eq(packets[0].rc, 0);
	cr_expect_eq(packets[1].rc, -EMSGSIZE);
	cr_expect_eq(packets[2].rc, 0);
	cr_expect_eq(recv_soon(server, got, sizeof got, NULL), 1);
	cr_expect_eq(recv_soon(server, got, sizeof got, NULL), 2);

	cr_expect_eq(soon_dgram_send(client, data, 65507), 65507);
	cr_expect_eq(recv_soon(server, got, sizeof got, NULL), 65507);
	soon_dgram_close(client);
	soon_dgram_close(server);
}

/* ---- many -------------------------------------------------------------------------------- */

#define PEERS 300u

NET_TEST(dgram, hundreds_of_peers_and_some_vanish)
{
	static const soon_dgram_opts roomy = { .in_bytes = 1 << 20 };
	soon_dgram *server = bound("127.0.0.1:0", &roomy);
	static int peers[PEERS];
	soon_packet packets[40];
	soon_dgram_counts counts;
	unsigned done = 0;

	for (unsigned i = 0; i < PEERS; i++) {
		peers[i] = raw_peer(server);
		cr_assert_eq(send(peers[i], &i, sizeof i, 0), sizeof i);
	}
	/* Not before: others would get their ports. */
	for (unsigned i = 0; i < PEERS; i += 3)
		(void)close(peers[i]);
	while (done < PEERS) {
		int n = soon_within(LONG, soon_dgram_next_batch(server, packets, 40));

		cr_assert_gt(n, 0);
		for (int i = 0; i < n; i++)
			cr_assert_eq(packets[i].len, sizeof(unsigned));
		cr_assert_eq(soon_dgram_send_batch(server, packets, (unsigned)n), n);
		done += (unsigned)n;
	}
	for (unsigned i = 0; i < PEERS; i++) {
		unsigned got = 0;

		if (i % 3 == 0)
			continue;
		cr_assert_eq(recv(peers[i], &got, sizeof got, 0), sizeof got);
		cr_expect_eq(got, i);
		(void)close(peers[i]);
	}
	soon_dgram_stats(server, &counts);
	cr_expect_eq(counts.sent, PEERS);
	cr_expect_eq(counts.dropped, 0);
	soon_dgram_close(server);
}

NET_TEST(dgram, what_nobody_takes_is_dropped_and_counted)
{
	static const soon_dgram_opts tiny = { .in_bytes = 1 };
	soon_dgram *server = bound("127.0.0.1:0", &tiny);
	int peer = raw_peer(server);
	static char data[1000];
	soon_dgram_counts counts;
	soon_packet packet;
	unsigned taken = 0;

	for (int i = 0; i < 100; i++)
		cr_assert_eq(send(peer, data, sizeof data, 0), sizeof data);
	while (soon_within(SOON_MS(2), soon_dgram_next(server, &packet)) == 0)
		taken++;
	soon_dgram_stats(server, &counts);
	cr_expect_gt(counts.dropped, 0);
	cr_expect_eq(counts.dropped + taken, 100);
	(void)close(peer);
	soon_dgram_close(server);
}

/* ---- bursts ------------------------------------------------------------------------------ */

static void burst(bool is_cut_by_kernel, bool is_coalesced, size_t len, uint16_t segment)
{
	const soon_dgram_opts opts = {
		.coalesce = is_coalesced, .bytes_max = 65535, .in_bytes = 1 << 22
	};
	soon_dgram *server = bound("127.0.0.1:0", &opts);
	soon_dgram *client = dgram_dialled(server, NULL);
	char *data = malloc(len);
	soon_packet packet = { .ptr = data, .len = len, .segment_bytes = segment };
	soon_packet got;
	soon_dgram_counts counts;
	size_t count = (len + segment - 1) / segment;
	size_t at = 0;

	cr_assert(!is_cut_by_kernel || client->can_segment);
	client->can_segment = is_cut_by_kernel;
	pattern_fill(data, len, 0);
	cr_assert_eq(soon_dgram_send_batch(client, &packet, 1), 1);
	cr_expect_eq(packet.rc, 0);
	for (size_t i = 0; i < count; i++) {
		cr_assert_eq(soon_within(LONG, soon_dgram_next(server, &got)), 0);
		cr_assert_eq(got.len, len - at < segment ? len - at : segment,
			"%zu at %zu of %zu, segment %u, kernel %d, coalesced %d", got.len, at, len,
			segment, is_cut_by_kernel, is_coalesced);
		cr_assert_eq(got.cut_bytes, 0);
		cr_assert(pattern_is(got.ptr, got.len, at));
		at += got.len;
	}
	cr_expect_eq(at, len);
	soon_dgram_stats(client, &counts);
	cr_expect_eq(counts.sent, count);
	cr_expect_eq(counts.segmented > 0, is_cut_by_kernel && count > 1);
	soon_dgram_stats(server, &counts);
	cr_expect_eq(counts.received, count);
	if (is_coalesced && is_cut_by_kernel && count > 1)
		cr_expect_gt(counts.coalesced, 0);
	free(data);
	soon_dgram_close(client);
	soon_dgram_close(server);
}

NET_TEST(dgram, a_burst_arrives_as_its_segments_whoever_cuts_it)
{
	for (int kernel = 0; kernel < 2; kernel++)
		for (int coalesced = 0; coalesced < 2; coalesced++) {
			burst(kernel, coalesced, 1000, 1200);
			burst(kernel, coalesced, 2400, 1200);
			burst(kernel, coalesced, 12345, 1200);
			burst(kernel, coalesced, 100000, 1400);
			burst(kernel, coalesced, 3000, 7);
			burst(kernel, coalesced, 90000, 30000);
		}
}

/* A path that is narrower than the segments: the kernel does not cut, fragments do. */
NET_TEST(dgram, a_burst_that_the_kernel_refuses_goes_in_pieces)
{
	soon_dgram *server = bound("127.0.0.1:0", NULL);
	soon_dgram *client = dgram_dialled(server, NULL);
	static char data[3000];
	soon_packet packet = { .ptr = data, .len = sizeof data, .segment_bytes = 1200 };
	const int off = 1;
	soon_packet got;

	/* Without checksums it cannot. */
	cr_assert_eq(
		setsockopt(soon_dgram_fd(client), SOL_SOCKET, SO_NO_CHECK, &off, sizeof off), 0);
	cr_assert_eq(soon_dgram_send_batch(client, &packet, 1), 1);
	for (int i = 0; i < 3; i++) {
		cr_assert_eq(soon_within(LONG, soon_dgram_next(server, &got)), 0);
		cr_expect_eq(got.len, i < 2 ? 1200 : 600);
	}
	soon_dgram_close(client);
	soon_dgram_close(server);
}

/* ---- beside the bytes -------------------------------------------------------------------- */

static void tos_and_local(const char *server_at, const char *client_at, const char *to)
{
	static const soon_dgram_opts asked = { .with_tos = true };
	soon_dgram *server = bound(server_at, &asked);
	soon_dgram *client = bound(client_at, &asked);
	char where[SOON_ADDR_TEXT_BYTES], text[SOON_ADDR_TEXT_BYTES];
	soon_addr addr, peer;
	soon_packet out = { .ptr = (char[]){ 'x' }, .len = 1, .tos = 0x2a, .peer = &peer };
	soon_packet got;

	soon_dgram_addr(server, &addr);
	(void)snprintf(where, sizeof where, "%s:%u", to, soon_addr_port(&addr));
	cr_assert_eq(soon_addr_parse(where, &peer), 0);
	cr_assert_eq(soon_dgram_send_batch(client, &out, 1), 1, "rc %d", out.rc);
	cr_assert_eq(soon_within(LONG, soon_dgram_next(server, &got)), 0);
	cr_expect_eq(got.tos, 0x2a, "%x from %s", got.tos, client_at);
	cr_assert_not_null(got.local);
	cr_expect_not_null(
		strstr(soon_addr_format(got.local, text), to[0] == '[' ? "::1" : to), "%s", text);

	/* Back as it is: from that address, with that byte. */
	cr_assert_eq(soon_dgram_send_batch(server, &got, 1), 1, "rc %d", got.rc);
	cr_assert_eq(soon_within(LONG, soon_dgram_next(client, &got)), 0);
	cr_expect_eq(got.tos, 0x2a);
	cr_expect_eq(memcmp(got.peer, &peer, sizeof peer), 0, "the answer is from %s",
		soon_addr_format(got.peer, text));
	soon_dgram_close(client);
	soon_dgram_close(server);
}

NET_TEST(dgram, an_answer_comes_from_the_address_that_was_asked)
{
	tos_and_local("0.0.0.0:0", "127.0.0.1:0", "127.0.0.2");
	tos_and_local("*:0", "127.0.0.1:0", "127.0.0.3");
	tos_and_local("[::]:0", "[::1]:0", "[::1]");
}

NET_TEST(dgram, groups_are_joined_and_left)
{
	soon_dgram *d = bound("0.0.0.0:0", NULL);

	cr_expect_eq(soon_dgram_join(d, "239.1.2.3:0", "lo"), 0);
	cr_expect_eq(soon_dgram_join(d, "239.1.2.3:0", "lo"), -EADDRINUSE);
	cr_expect_eq(soon_dgram_leave(d, "239.1.2.3:0", "lo"), 0);
	cr_expect_eq(soon_dgram_leave(d, "239.1.2.3:0", "lo"), -EADDRNOTAVAIL);
	cr_expect_eq(soon_dgram_join(d, "127.0.0.1:0", "lo"), -EINVAL);
	cr_expect_eq(soon_dgram_join(d, "a.group:0", "lo"), -EINVAL);
	cr_expect_eq(soon_dgram_join(d, "239.1.2.3:0", "no-such-if"), -ENODEV);
	soon_dgram_close(d);
}

/* ---- peers that are not there ------------------------------------------------------------ */

NET_TEST(dgram, a_connected_socket_hears_that_nobody_is_there_and_goes_on)
{
	char where[SOON_ADDR_TEXT_BYTES];
	soon_dgram *server = bound("127.0.0.1:0", NULL);
	soon_dgram *client = dgram_dialled(server, NULL);
	char byte;

	(void)snprintf(where, sizeof where, "%s", where_of(server));
	soon_dgram_close(server);
	cr_assert_eq(soon_dgram_send(client, "x", 1), 1);
	cr_expect_eq(recv_soon(client, &byte, 1, NULL), -ECONNREFUSED);
	cr_assert_eq(soon_dgram_send(client, "x", 1), 1);
	cr_expect_eq(soon_dgram_send(client, "x", 1), -ECONNREFUSED);

	server = bound(where, NULL);
	cr_assert_eq(soon_dgram_send(client, "y", 1), 1);
	expect(server, "y");
	soon_dgram_close(client);
	soon_dgram_close(server);
}

/* As an inherited socket may be: the kernel tells it of everybody's failures. */
NET_TEST(dgram, a_server_is_not_bothered_by_peers_that_vanish)
{
	soon_dgram *server = bound("127.0.0.1:0", NULL);
	soon_dgram *gone = bound("127.0.0.1:0", NULL);
	int peer = raw_peer(server);
	const int on = 1;
	soon_dgram_counts counts;
	soon_addr addr;

	cr_assert_eq(setsockopt(soon_dgram_fd(server), IPPROTO_IP, IP_RECVERR, &on, sizeof on), 0);
	soon_dgram_addr(gone, &addr);
	soon_dgram_close(gone);
	for (int i = 0; i < 5; i++)
		cr_assert_eq(soon_dgram_send_to(server, &addr, "x", 1), 1);
	put(peer, "still");
	expect(server, "still");
	/* Nor does it spin. */
	cr_expect_eq(soon_within(SOON_MS(2), soon_dgram_recv(server, NULL, 0, NULL)), -ETIMEDOUT);
	put(peer, "there");
	expect(server, "there");
	soon_dgram_stats(server, &counts);
	cr_expect_gt(counts.unreachable, 0);
	(void)close(peer);
	soon_dgram_close(server);
}

NET_TEST(dgram, connecting_filters_and_disconnecting_ends_that)
{
	soon_dgram *server = bound("127.0.0.1:0", NULL);
	soon_dgram *one = dgram_dialled(server, NULL), *two = dgram_dialled(server, NULL);
	soon_addr addr;
	char byte;

	soon_dgram_addr(one, &addr);
	cr_expect_eq(soon_dgram_send(server, "x", 1), -EDESTADDRREQ);
	cr_assert_eq(soon_dgram_connect(server, &addr), 0);
	cr_assert_eq(soon_dgram_send(server, "x", 1), 1);
	expect(one, "x");
	cr_assert_eq(soon_dgram_send(two, "not", 3), 3);
	cr_expect_eq(soon_within(SOON_MS(2), soon_dgram_recv(server, &byte, 1, NULL)), -ETIMEDOUT);
	cr_assert_eq(soon_dgram_connect(server, NULL), 0);
	cr_assert_eq(soon_dgram_send(one, "all", 3), 3);
	expect(server, "all");
	soon_dgram_close(one);
	soon_dgram_close(two);
	soon_dgram_close(server);
}

/* ---- waiting and cancelling -------------------------------------------------------------- */

static int wait_for_one(soon_dgram *d)
{
	soon_packet packet;

	return soon_dgram_next(d, &packet);
}

NET_TEST(dgram, a_cancelled_receive_loses_nothing_and_there_is_one_receiver)
{
	soon_dgram *server = bound("127.0.0.1:0", NULL);
	soon_dgram *client = dgram_dialled(server, NULL);
	soon_packet packet;
	SOON_GROUP(g);

	for (int i = 0; i < 50; i++) {
		ssize_t n;
		char buf[8];

		cr_assert_eq(soon_dgram_send(client, "abc", 3), 3);
		n = soon_within(SOON_US(1) * i, soon_dgram_recv(server, buf, sizeof buf, NULL));
		if (n == -ETIMEDOUT)
			n = recv_soon(server, buf, sizeof buf, NULL);
		cr_assert_eq(n, 3, "%zd", n);
	}
	cr_assert_eq(soon_spawn(&g, wait_for_one, server), 0);
	cr_assert_eq(soon_sleep(SOON_MS(1)), 0);
	cr_expect_eq(soon_dgram_next(server, &packet), -EBUSY);
	cr_assert_eq(soon_dgram_send(client, "x", 1), 1);
	cr_assert_eq(soon_group_close(&g, 0), 0);
	soon_dgram_close(client);
	soon_dgram_close(server);
}

static int take_slowly(soon_dgram *d)
{
	soon_packet packet;
	int rc = 0;

	while (rc == 0) {
		rc = soon_within(SOON_MS(500), soon_dgram_next(d, &packet));
		if (rc == 0 && packet.len == 3)
			break; /* the last */
		if (rc == 0)
			rc = soon_yield();
	}
	return rc;
}

NET_TEST(dgram, a_full_receiver_is_waited_for_and_the_wait_can_be_cancelled)
{
	soon_dgram *server = bound("unix:@soon-test-full", NULL);
	soon_dgram *sender = bound("unix:@soon-test-sender", NULL);
	soon_packet packets[400];
	char text[] = "xx";
	soon_addr to;
	int sent, rest;
	SOON_GROUP(g);

	soon_dgram_addr(server, &to);
	for (int i = 0; i < 400; i++)
		packets[i] = (soon_packet){ .ptr = text, .len = 1 + (i == 399), .peer = &to };
	sent = soon_within(SOON_MS(2), soon_dgram_send_batch(sender, packets, 400));
	cr_assert_gt(sent, 0, "%d", sent);
	cr_assert_lt(sent, 400);
	cr_expect_eq(packets[sent - 1].rc, 0);
	cr_expect_eq(packets[sent].rc, -ECANCELED);
	cr_expect_eq(packets[399].rc, -ECANCELED);
	cr_expect_eq(soon_within(SOON_MS(2), soon_dgram_send_to(sender, &to, "x", 1)), -ETIMEDOUT);
	cr_expect_eq(soon_within(SOON_MS(2), soon_dgram_send_batch(sender, packets + sent, 1)),
		-ETIMEDOUT);

	rest = 400 - sent;
	cr_assert_eq(soon_spawn(&g, take_slowly, server), 0);
	cr_expect_eq(soon_dgram_send_batch(sender, packets + sent, (unsigned)rest), rest);
	cr_assert_eq(soon_dgram_send_to(sender, &to, "end", 3), 3);
	cr_assert_eq(soon_group_close(&g, 0), 0);
	soon_dgram_close(server);
	cr_expect_eq(soon_dgram_send_to(sender, &to, "x", 1), -ECONNREFUSED);
	soon_dgram_close(sender);
}

/* ---- binding ----------------------------------------------------------------------------- */

NET_TEST(dgram, why_it_cannot_be_bound_is_explained)
{
	soon_dgram *first = bound("127.0.0.1:0", NULL), *second = NULL;

	soon_on_report(report_keep, NULL);
	cr_expect_eq(soon_dgram_bind(where_of(first), NULL, &second), -EADDRINUSE);
	report_has("ss -lunp");
	cr_expect_eq(soon_dgram_bind("192.0.2.1:1", NULL, &second), -EADDRNOTAVAIL);
	cr_expect_eq(soon_dgram_bind("unix:no/such/folder", NULL, &second), -ENOENT);
	cr_expect_eq(soon_dgram_bind("127.0.0.1", NULL, &second), -EINVAL);
	cr_expect_eq(soon_dgram_dial("unix:@soon-nobody", NULL, &second), -ECONNREFUSED);
	cr_expect_not_null(strstr(soon_fail_message(), "unix:@soon-nobody"));
	cr_expect_null(second);
	soon_dgram_close(first);
}

NET_TEST(dgram, a_stale_file_is_replaced_and_a_live_one_is_not)
{
	static const char where[] = "unix:soon-test-stale-dgram.sock";
	static const soon_dgram_opts mode = { .unix_mode = 0600 };
	soon_dgram *first = bound(where, &mode), *second = NULL;
	struct stat st;

	soon_on_report(report_keep, NULL);
	cr_assert_eq(stat("soon-test-stale-dgram.sock", &st), 0);
	cr_expect_eq(st.st_mode & 0777, 0600);
	cr_expect_eq(soon_dgram_bind(where, NULL, &second), -EADDRINUSE);
	first->file.ino = 0; /* as after a crash */
	soon_dgram_close(first);
	cr_assert_eq(stat("soon-test-stale-dgram.sock", &st), 0);
	second = bound(where, NULL);
	soon_dgram_close(second);
	cr_expect_neq(stat("soon-test-stale-dgram.sock", &st), 0);
}

/* Whichever allocation fails: an error, and the next call goes on. */
NET_TEST(dgram, every_allocation_may_fail)
{
	soon_dgram *server = NULL;
	soon_packet packet = { .ptr = (char[]){ 'x' }, .len = 1 };
	soon_addr addr;

	soon_mem_fail_at(1);
	cr_expect_eq(soon_dgram_bind("127.0.0.1:0", NULL, &server), -ENOMEM);
	soon_mem_fail_at(2);
	cr_expect_eq(soon_dgram_bind("127.0.0.1:0", NULL, &server), -ENOMEM);
	soon_mem_fail_at(0);
	server = bound("127.0.0.1:0", NULL);
	soon_dgram_addr(server, &addr);
	packet.peer = &addr;
	soon_mem_fail_at(1);
	cr_expect_eq(soon_dgram_send_batch(server, &packet, 1), -ENOMEM);
	cr_expect_eq(packet.rc, -ENOMEM);
	cr_expect_eq(soon_dgram_send_batch(server, &packet, 1), 1);
	soon_mem_fail_at(1);
	cr_expect_eq(soon_dgram_next(server, &packet), -ENOMEM);
	cr_expect_eq(soon_within(LONG, soon_dgram_next(server, &packet)), 0);
	soon_mem_fail_at(0);
	soon_dgram_close(server);
}
