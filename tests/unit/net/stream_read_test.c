// SPDX-License-Identifier: Apache-2.0
/* stream_read_test.c: the read side of a stream. */
#include "net_kit.h"

/* Sends pieces to a plain socket, one at a time, so that they arrive as separate chunks. */
struct feed {
	int fd;
	const char *pieces[8];
	bool is_closing;
};

static int feed_run(struct feed *f)
{
	for (int i = 0; f->pieces[i] != NULL; i++) {
		int rc = soon_sleep(SOON_MS(2));

		if (rc < 0)
			return rc;
		put(f->fd, f->pieces[i]);
	}
	if (f->is_closing)
		cr_assert_eq(shutdown(f->fd, SHUT_WR), 0);
	return 0;
}

NET_TEST(read, gives_what_is_there_and_then_the_end)
{
	char buf[16];
	int peer;
	soon_stream *s = raw_pair(&peer, NULL);

	put(peer, "hello");
	cr_expect_eq(soon_stream_read(s, buf, 3), 3);
	cr_expect_eq(memcmp(buf, "hel", 3), 0);
	cr_expect_eq(soon_stream_read(s, buf, 0), 0);
	cr_expect_eq(soon_stream_read(s, buf, sizeof buf), 2);
	cr_expect_eq(memcmp(buf, "lo", 2), 0);
	cr_assert_eq(close(peer), 0);
	for (int i = 0; i < 3; i++)
		cr_expect_eq(soon_stream_read(s, buf, sizeof buf), 0);
	cr_expect_eq(soon_stream_close(s), 0);
}

NET_TEST(read, waits_for_the_first_byte)
{
	char buf[16];
	int peer;
	soon_stream *s = raw_pair(&peer, NULL);
	struct feed feed = { .fd = peer, .pieces = { "a", "b" } };

	SOON_GROUP(g, .name = "feed");
	cr_assert_eq(soon_spawn(&g, feed_run, &feed), 0);
	cr_expect_eq(soon_stream_read(s, buf, sizeof buf), 1);
	cr_expect_eq(soon_stream_read(s, buf + 1, sizeof buf - 1), 1);
	cr_expect_eq(memcmp(buf, "ab", 2), 0);
	cr_assert_eq(soon_group_close(&g, 0), 0);
	cr_assert_eq(close(peer), 0);
	cr_expect_eq(soon_stream_close(s), 0);
}

/* The sizes around the receiver's buffers, all of one message and many pieces. */
NET_TEST(read, gives_every_size_whole)
{
	static const size_t sizes[] = { 1, 2, 4095, 4096, 4097, 8191, 8192, 8193, 16383, 16384,
		16385, 65535, 65536, 65537, 200000 };

	for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
		char *buf = malloc(sizes[i]);
		soon_stream *a, *b;
		struct drain drain = { .bytes = sizes[i], .read_max = i % 2 == 0 ? 777 : 0 };

		SOON_GROUP(g, .name = "sizes");
		listen_and_dial("127.0.0.1:0", NULL, &a, &b);
		drain.stream = b;
		pattern_fill(buf, sizes[i], 0);
		cr_assert_eq(soon_spawn(&g, drain_run, &drain), 0);
		cr_expect_eq(soon_stream_write(a, buf, sizes[i]), (ssize_t)sizes[i]);
		cr_expect_eq(soon_stream_shutdown(a), 0);
		cr_assert_eq(soon_group_close(&g, 0), 0);
		cr_expect_eq(soon_stream_close(a), 0);
		cr_expect_eq(soon_stream_close(b), 0);
		free(buf);
	}
}

NET_TEST(read_until, finds_lines_in_one_chunk)
{
	char line[16];
	int peer;
	soon_stream *s = raw_pair(&peer, NULL);

	put(peer, "one\n\ntwo\nrest");
	cr_expect_eq(soon_stream_read_until(s, "\n", line, sizeof line), 4);
	cr_expect_eq(memcmp(line, "one\n", 4), 0);
	cr_expect_eq(soon_stream_read_until(s, "\n", line, sizeof line), 1);
	cr_expect_eq(soon_stream_read_until(s, "\n", line, sizeof line), 4);
	cr_assert_eq(close(peer), 0);
	for (int i = 0; i < 2; i++)
		cr_expect_eq(soon_stream_read_until(s, "\n", line, sizeof line), -EBADMSG);
	cr_expect_eq(soon_stream_read(s, line, sizeof line), 4);
	cr_expect_eq(memcmp(line, "rest", 4), 0);
	cr_expect_eq(soon_stream_read_until(s, "\n", line, sizeof line), 0);
	cr_expect_eq(soon_stream_close(s), 0);
}

NET_TEST(read_until, finds_a_delimiter_across_chunks)
{
	char line[32];
	int peer;
	soon_stream *s = raw_pair(&peer, NULL);
	struct feed feed = {
		.fd = peer,
		.pieces = { "a", "b\r", "\r", "\nc\r\n", "\r", "\n", "d" },
		.is_closing = true,
	};

	SOON_GROUP(g, .name = "feed");
	cr_assert_eq(soon_spawn(&g, feed_run, &feed), 0);
	cr_expect_eq(soon_stream_read_until(s, "\r\n", line, sizeof line), 5);
	cr_expect_eq(memcmp(line, "ab\r\r\n", 5), 0);
	cr_expect_eq(soon_stream_read_until(s, "\r\n", line, sizeof line), 3);
	cr_expect_eq(soon_stream_read_until(s, "\r\n", line, sizeof line), 2);
	cr_expect_eq(soon_stream_read_until(s, "\r\n", line, sizeof line), -EBADMSG);
	cr_assert_eq(soon_group_close(&g, 0), 0);
	cr_assert_eq(close(peer), 0);
	cr_expect_eq(soon_stream_close(s), 0);
}

NET_TEST(read_until, takes_nothing_beyond_its_limit)
{
	static const soon_stream_opts narrow = { .in_bytes_max = 6 };
	char line[32];
	int peer;
	soon_stream *s = raw_pair(&peer, NULL);

	put(peer, "1234\r\n");
	cr_expect_eq(soon_stream_read_until(s, "\r\n", line, 0), -EMSGSIZE);
	cr_expect_eq(soon_stream_read_until(s, "\r\n", line, 1), -EMSGSIZE);
	cr_expect_eq(soon_stream_read_until(s, "\r\n", line, 5), -EMSGSIZE);
	cr_expect_eq(soon_stream_read_until(s, "\r\n", line, 6), 6);
	cr_assert_eq(close(peer), 0);
	cr_expect_eq(soon_stream_close(s), 0);

	s = raw_pair(&peer, &narrow);
	put(peer, "12345\n1234567\n");
	cr_expect_eq(soon_stream_read_until(s, "\n", line, sizeof line), 6);
	cr_expect_eq(soon_stream_read_until(s, "\n", line, sizeof line), -EMSGSIZE);
	cr_expect_eq(soon_stream_read(s, line, sizeof line), 8);
	cr_assert_eq(close(peer), 0);
	cr_expect_eq(soon_stream_close(s), 0);
}

NET_TEST(read_exact, counts_what_it_has_read)
{
	char buf[8];
	size_t done = 99;
	int peer;
	soon_stream *s = raw_pair(&peer, NULL);
	struct feed feed = { .fd = peer, .pieces = { "ab", "cd", "efg" }, .is_closing = true };

	SOON_GROUP(g, .name = "feed");
	cr_assert_eq(soon_spawn(&g, feed_run, &feed), 0);
	cr_expect_eq(soon_stream_read_exact(s, buf, 0, &done), 0);
	cr_expect_eq(done, 0);
	cr_expect_eq(soon_stream_read_exact(s, buf, 5, &done), 5);
	cr_expect_eq(done, 5);
	cr_expect_eq(memcmp(buf, "abcde", 5), 0);
	cr_expect_eq(soon_stream_read_exact(s, buf, 5, &done), -EBADMSG);
	cr_expect_eq(done, 2);
	cr_expect_eq(memcmp(buf, "fg", 2), 0);
	cr_expect_eq(soon_stream_read_exact(s, buf, 5, NULL), 0);
	cr_assert_eq(soon_group_close(&g, 0), 0);
	cr_assert_eq(close(peer), 0);
	cr_expect_eq(soon_stream_close(s), 0);
}

NET_TEST(peek, shows_without_taking)
{
	soon_slice slice;
	char buf[8];
	int peer;
	soon_stream *s = raw_pair(&peer, NULL);
	struct feed feed = { .fd = peer, .pieces = { "ab", "cd", "e" }, .is_closing = true };

	SOON_GROUP(g, .name = "feed");
	cr_expect_eq(soon_stream_peek(s, 0, &slice), 0);
	cr_expect_eq(slice.len, 0);
	cr_assert_eq(soon_spawn(&g, feed_run, &feed), 0);
	cr_expect_eq(soon_stream_peek(s, 1, &slice), 2);
	cr_expect_eq(soon_stream_peek(s, 0, &slice), 2);
	cr_expect_eq(soon_stream_peek(s, 3, &slice), 4);
	cr_expect_eq(memcmp(slice.ptr, "abcd", 4), 0);
	soon_stream_consume(s, 0);
	soon_stream_consume(s, 1);
	cr_expect_eq(memcmp(slice.ptr + 1, "bcd", 3), 0, "what is left stays valid");
	cr_expect_eq(soon_stream_read(s, buf, 1), 1);
	cr_expect_eq(buf[0], 'b');
	cr_expect_eq(soon_stream_peek(s, 4, &slice), 0);
	cr_expect_eq(slice.len, 3);
	cr_expect_eq(memcmp(slice.ptr, "cde", 3), 0);
	soon_stream_consume(s, 3);
	cr_expect_eq(soon_stream_peek(s, 1, &slice), 0);
	cr_expect_eq(slice.len, 0);
	cr_expect_not_null(slice.ptr);
	cr_expect_eq(soon_stream_peek(s, 0, &slice), 0);
	cr_assert_eq(soon_group_close(&g, 0), 0);
	cr_assert_eq(close(peer), 0);
	cr_expect_eq(soon_stream_close(s), 0);
}

NET_TEST(peek, has_a_limit_that_can_be_reached)
{
	static const soon_stream_opts opts = { .in_bytes_max = 30000 };
	char *buf = malloc(40000);
	soon_slice slice;
	soon_stream *a, *b;

	listen_and_dial("127.0.0.1:0", NULL, &a, &b);
	cr_expect_eq(soon_stream_close(b), 0);
	cr_expect_eq(soon_stream_close(a), 0);

	listen_and_dial("127.0.0.1:0", &(soon_listen_opts){ .stream = opts }, &a, &b);
	pattern_fill(buf, 40000, 0);
	cr_expect_eq(soon_stream_write(a, buf, 40000), 40000);
	cr_expect_eq(soon_stream_peek(b, 30001, &slice), -EMSGSIZE);
	cr_expect_geq(soon_stream_peek(b, 30000, &slice), 30000);
	cr_expect(pattern_is(slice.ptr, slice.len, 0));
	cr_expect_eq(soon_stream_read_exact(b, buf, 40000, NULL), 40000);
	cr_expect(pattern_is(buf, 40000, 0));
	cr_expect_eq(soon_stream_close(a), 0);
	cr_expect_eq(soon_stream_close(b), 0);
	free(buf);
}

/* A reader that consumes small pieces of a long stream makes the block move its content. */
NET_TEST(peek, and_consume_walk_through_a_long_stream)
{
	enum { TOTAL = 300000 };
	char *buf = malloc(TOTAL);
	soon_stream *a, *b;
	size_t at = 0;

	listen_and_dial("127.0.0.1:0", NULL, &a, &b);
	pattern_fill(buf, TOTAL, 0);
	for (size_t sent = 0; at < TOTAL;) {
		soon_slice slice;

		if (sent < TOTAL) {
			cr_assert_eq(soon_stream_write(a, buf + sent, 3000), 3000);
			cr_assert_eq(soon_stream_flush(a), 0);
			sent += 3000;
		}
		while (soon_stream_peek(b, 0, &slice) >= 13 || (sent == TOTAL && slice.len > 0)) {
			size_t part = slice.len < 1013 ? slice.len : 1013;

			cr_assert(pattern_is(slice.ptr, part, at));
			soon_stream_consume(b, part);
			at += part;
		}
	}
	cr_expect_eq(soon_stream_close(a), 0);
	cr_expect_eq(soon_stream_close(b), 0);
	free(buf);
}

static int read_one(soon_stream *s)
{
	char c;

	return (int)soon_stream_read(s, &c, 1);
}

NET_TEST(read, allows_one_reader)
{
	soon_slice slice;
	char buf[8];
	int peer;
	soon_stream *s = raw_pair(&peer, NULL);

	SOON_GROUP(g, .name = "reader");
	cr_assert_eq(soon_spawn(&g, read_one, s), 0);
	cr_assert_eq(soon_yield(), 0);
	cr_expect_eq(soon_stream_read(s, buf, 1), -EBUSY);
	cr_expect_eq(soon_stream_read_until(s, "\n", buf, sizeof buf), -EBUSY);
	cr_expect_eq(soon_stream_read_exact(s, buf, 1, NULL), -EBUSY);
	cr_expect_eq(soon_stream_peek(s, 1, &slice), -EBUSY);
	cr_expect_eq(soon_stream_write(s, "x", 1), 1, "the other side is free");
	put(peer, "y");
	cr_assert_eq(soon_group_close(&g, 0), 0);
	cr_expect_str_eq(got(peer), "x");
	cr_assert_eq(close(peer), 0);
	cr_expect_eq(soon_stream_close(s), 0);
}

NET_TEST(read, loses_nothing_to_a_timeout)
{
	char buf[8];
	soon_slice slice;
	size_t done;
	int peer;
	soon_stream *s = raw_pair(&peer, NULL);

	cr_expect_eq(soon_within(SOON_MS(1), soon_stream_read(s, buf, 1)), -ETIMEDOUT);
	put(peer, "abc");
	cr_expect_eq(soon_within(SOON_MS(1), soon_stream_peek(s, 4, &slice)), -ETIMEDOUT);
	cr_expect_eq(soon_within(SOON_MS(1), soon_stream_read_until(s, "\n", buf, 8)), -ETIMEDOUT);
	cr_expect_eq(soon_within(SOON_MS(1), soon_stream_read_exact(s, buf, 5, &done)), -ETIMEDOUT);
	cr_expect_eq(done, 3);
	cr_expect_eq(memcmp(buf, "abc", 3), 0);
	put(peer, "de");
	cr_expect_eq(soon_stream_read_exact(s, buf, 2, &done), 2);
	cr_expect_eq(memcmp(buf, "de", 2), 0);
	cr_assert_eq(close(peer), 0);
	cr_expect_eq(soon_stream_close(s), 0);
}

/* A cancelled scope fails each call, also where the answer is at hand, and takes nothing. */
NET_TEST(read, fails_in_a_cancelled_scope_and_takes_nothing)
{
	char buf[8];
	soon_slice slice;
	size_t done = 99;
	int peer;
	soon_stream *s = raw_pair(&peer, NULL);

	put(peer, "ab\ncd");
	cr_expect_eq(soon_stream_peek(s, 1, &slice), 5);
	SOON_SCOPE(cancelled, .timeout = SOON_S(100));
	soon_scope_cancel(&cancelled, "test");
	cr_expect_eq(soon_stream_read(s, buf, 1), -ECANCELED);
	cr_expect_eq(soon_stream_read(s, buf, 0), -ECANCELED);
	cr_expect_eq(soon_stream_read_exact(s, buf, 1, &done), -ECANCELED);
	cr_expect_eq(done, 0);
	cr_expect_eq(soon_stream_read_until(s, "\n", buf, sizeof buf), -ECANCELED);
	cr_expect_eq(soon_stream_peek(s, 1, &slice), -ECANCELED);
	cr_expect_eq(soon_stream_peek(s, 0, &slice), -ECANCELED);
	cr_expect_eq(soon_scope_close(&cancelled, -ECANCELED), 0);
	cr_expect_eq(soon_stream_read(s, buf, sizeof buf), 5);
	cr_assert_eq(close(peer), 0);
	cr_expect_eq(soon_stream_close(s), 0);
}

NET_TEST(read, a_drain_ends_only_idle_waits)
{
	char buf[8];
	ssize_t n = 0;
	int peer;
	soon_stream *s = raw_pair(&peer, NULL);

	SOON_GROUP(g, .name = "drained");
	soon_group_drain(&g, SOON_S(100));
	SOON_IDLE {
		n = soon_stream_read(s, buf, 1);
	}
	cr_expect_eq(n, -ECANCELED);
	put(peer, "x");
	cr_expect_eq(soon_stream_read(s, buf, 1), 1);
	cr_assert_eq(soon_group_close(&g, 0), 0);
	cr_assert_eq(close(peer), 0);
	cr_expect_eq(soon_stream_close(s), 0);
}

NET_TEST(read, gives_what_came_before_a_reset)
{
	char buf[8];
	soon_stream *a, *b;
	soon_slice slice;

	listen_and_dial("127.0.0.1:0", NULL, &a, &b);
	cr_assert_eq(soon_stream_write(a, "last", 4), 4);
	cr_assert_eq(soon_stream_flush(a), 0);
	cr_expect_eq(soon_stream_peek(b, 4, &slice), 4);
	soon_stream_abort(a);
	cr_expect_eq(soon_stream_peek(b, 5, &slice), -ECONNRESET);
	cr_expect_eq(soon_stream_read(b, buf, sizeof buf), 4);
	for (int i = 0; i < 2; i++)
		cr_expect_eq(soon_stream_read(b, buf, sizeof buf), -ECONNRESET);
	(void)soon_stream_close(b);
}

/* What arrives faster than it is read stays in the kernel, and with it the writer. */
NET_TEST(read, a_slow_reader_stops_the_peer)
{
	enum { PIECE = 65536 };
	static char piece[PIECE];
	soon_stream *s;
	size_t sent = 0;
	char buf[8];
	int peer;
	ssize_t n;

	s = raw_pair(&peer, NULL);
	put(peer, "x");
	cr_assert_eq(soon_stream_read(s, buf, 1), 1);
	for (;;) {
		n = soon_within(SOON_MS(20), soon_send(peer, piece, PIECE, 0));
		if (n < 0)
			break;
		sent += (size_t)n;
		cr_assert_lt(sent, 4u << 20, "nobody reads, and it takes all the same");
	}
	cr_expect_eq(n, -ETIMEDOUT);
	cr_assert_eq(close(peer), 0);
	for (;;) {
		static char sink[100000];

		n = soon_stream_read(s, sink, sizeof sink);
		if (n <= 0)
			break;
		cr_assert_geq(sent, (size_t)n);
		sent -= (size_t)n;
	}
	cr_expect_eq(n, 0);
	cr_expect_eq(sent, 0);
	cr_expect_eq(soon_stream_close(s), 0);
}

NET_TEST(adopt, takes_sockets_of_either_mode_and_refuses_others)
{
	soon_stream *s = NULL;
	char buf[4];
	int fds[2];

	cr_expect_eq(soon_stream_adopt(9999, NULL, &s), -EBADF);
	cr_expect_null(s);
	cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds), 0);
	cr_assert_eq(soon_stream_adopt(fds[0], NULL, &s), 0);
	cr_expect_eq(soon_stream_fd(s), fds[0]);
	cr_expect_eq(soon_within(SOON_MS(1), soon_stream_read(s, buf, 1)), -ETIMEDOUT);
	put(fds[1], "x");
	cr_expect_eq(soon_stream_read(s, buf, 1), 1);
	cr_assert_eq(close(fds[1]), 0);
	cr_expect_eq(soon_stream_close(s), 0);
}

SOON_TEST_PLAIN(adopt, needs_a_core)
{
	soon_listener *l = NULL;
	soon_stream *s = NULL;

	cr_expect_eq(soon_stream_adopt(0, NULL, &s), -EPERM);
	cr_expect_eq(soon_listen("127.0.0.1:0", NULL, &l), -EPERM);
	soon_test_reports_expected = 2;
}
