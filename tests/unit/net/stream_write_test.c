// SPDX-License-Identifier: Apache-2.0
/* stream_write_test.c: the write side of a stream, and its end. */
#include "net_kit.h"
#include "stream.h"

#include <signal.h>

NET_TEST(write, is_corked_until_the_next_read_waits)
{
	char buf[8];
	int peer;
	soon_stream *s = raw_pair(&peer, NULL);

	put(peer, "abc");
	cr_expect_eq(soon_stream_read(s, buf, 1), 1);
	cr_expect_eq(soon_stream_write(s, "one ", 4), 4);
	cr_expect_eq(soon_stream_read(s, buf, 1), 1);
	cr_expect_eq(soon_stream_write(s, "two ", 4), 4);
	cr_expect_eq(soon_stream_read(s, buf, 1), 1);
	cr_expect(got_nothing(peer), "those reads had what they wanted");
	cr_expect_eq(soon_stream_write(s, "three", 5), 5);
	cr_expect_eq(soon_within(SOON_MS(1), soon_stream_read(s, buf, 1)), -ETIMEDOUT);
	cr_expect_str_eq(got(peer), "one two three");
	cr_expect_eq(soon_stream_written(s), 13);
	cr_expect_null(s->gather, "an idle stream holds no buffer");
	cr_expect_null(s->flight);
	cr_expect_null(s->in);
	cr_assert_eq(close(peer), 0);
	cr_expect_eq(soon_stream_close(s), 0);
}

NET_TEST(write, leaves_with_a_flush_a_shutdown_and_a_close)
{
	int peer;
	soon_stream *s = raw_pair(&peer, NULL);

	cr_expect_eq(soon_stream_flush(s), 0);
	cr_expect_eq(soon_stream_write(s, "", 0), 0);
	cr_expect_eq(soon_stream_write(s, "a", 1), 1);
	cr_expect_eq(soon_stream_flush(s), 0);
	cr_expect_str_eq(got(peer), "a");
	cr_expect_eq(soon_stream_write(s, "b", 1), 1);
	cr_expect_eq(soon_stream_shutdown(s), 0);
	cr_expect_eq(soon_stream_shutdown(s), 0);
	cr_expect_str_eq(got(peer), "b");
	cr_expect_str_eq(got(peer), "");
	cr_expect_eq(soon_stream_write(s, "c", 1), -EPIPE);
	cr_expect_eq(soon_stream_flush(s), 0);
	cr_expect_eq(soon_stream_close(s), 0);
	cr_assert_eq(close(peer), 0);

	s = raw_pair(&peer, NULL);
	cr_expect_eq(soon_stream_write(s, "d", 1), 1);
	cr_expect_eq(soon_stream_close(s), 0);
	cr_expect_str_eq(got(peer), "d");
	cr_expect_str_eq(got(peer), "");
	cr_assert_eq(close(peer), 0);
	cr_expect_eq(soon_stream_close(NULL), 0);
	soon_stream_abort(NULL);
}

NET_TEST(write, reads_on_after_a_half_close)
{
	char buf[8];
	soon_stream *a, *b;

	listen_and_dial("127.0.0.1:0", NULL, &a, &b);
	cr_expect_eq(soon_stream_write(a, "ask", 3), 3);
	cr_expect_eq(soon_stream_shutdown(a), 0);
	cr_expect_eq(soon_stream_read_exact(b, buf, 3, NULL), 3);
	cr_expect_eq(soon_stream_read(b, buf, sizeof buf), 0);
	cr_expect_eq(soon_stream_write(b, "answer", 6), 6);
	cr_expect_eq(soon_stream_close(b), 0);
	cr_expect_eq(soon_stream_read(a, buf, sizeof buf), 6);
	cr_expect_eq(soon_stream_read(a, buf, sizeof buf), 0);
	cr_expect_eq(soon_stream_close(a), 0);
}

static int read_one(soon_stream *s)
{
	char c;

	return (int)soon_stream_read(s, &c, 1);
}

NET_TEST(write, leaves_at_once_while_another_task_waits_in_a_read)
{
	int peer;
	soon_stream *s = raw_pair(&peer, NULL);

	SOON_GROUP(g, .name = "reader");
	cr_assert_eq(soon_spawn(&g, read_one, s), 0);
	cr_assert_eq(soon_yield(), 0);
	cr_expect_eq(soon_stream_write(s, "a", 1), 1);
	cr_expect_str_eq(got(peer), "a");
	put(peer, "x");
	cr_assert_eq(soon_group_close(&g, 0), 0);
	cr_assert_eq(close(peer), 0);
	cr_expect_eq(soon_stream_close(s), 0);
}

NET_TEST(writev, writes_its_pieces_in_order)
{
	struct iovec pieces[SOON_STREAM_SLICES_MAX + 1] = {
		{ (char[]){ "ab" }, 2 },
		{ NULL, 0 },
		{ (char[]){ "c" }, 1 },
	};
	int peer;
	soon_stream *s = raw_pair(&peer, NULL);

	cr_expect_eq(soon_stream_writev(s, NULL, 0), 0);
	cr_expect_eq(soon_stream_writev(s, pieces, SOON_STREAM_SLICES_MAX + 1), -EINVAL);
	cr_expect_eq(soon_stream_writev(s, pieces, SOON_STREAM_SLICES_MAX), 3);
	cr_expect_eq(soon_stream_writev(s, pieces, 3), 3);
	cr_expect_eq(soon_stream_flush(s), 0);
	cr_expect_str_eq(got(peer), "abcabc");
	cr_assert_eq(close(peer), 0);
	cr_expect_eq(soon_stream_close(s), 0);
}

NET_TEST(writev, sends_large_pieces_behind_what_was_gathered)
{
	enum { TOTAL = 100000 };
	char *buf = malloc(TOTAL);
	struct iovec pieces[3] = { { buf + 10, 20000 }, { buf + 20010, 0 },
		{ buf + 20010, TOTAL - 20010 } };
	struct drain drain = { .bytes = TOTAL };
	soon_stream *a, *b;

	SOON_GROUP(g, .name = "direct");
	listen_and_dial("127.0.0.1:0", NULL, &a, &b);
	drain.stream = b;
	pattern_fill(buf, TOTAL, 0);
	cr_assert_eq(soon_spawn(&g, drain_run, &drain), 0);
	cr_expect_eq(soon_stream_write(a, buf, 10), 10);
	cr_expect_eq(soon_stream_writev(a, pieces, 3), TOTAL - 10);
	cr_expect_eq(soon_stream_written(a), TOTAL);
	cr_expect_eq(pieces[2].iov_len, TOTAL - 20010, "the caller's array is only read");
	cr_expect_eq(soon_stream_close(a), 0);
	cr_assert_eq(soon_group_close(&g, 0), 0);
	cr_expect_eq(soon_stream_close(b), 0);
	free(buf);
}

NET_TEST(write, may_be_larger_than_all_that_is_gathered)
{
	static const soon_stream_opts opts = { .out_bytes_max = 10 };
	int peer;
	soon_stream *s = raw_pair(&peer, &opts);

	cr_expect_eq(soon_stream_write(s, "1234", 4), 4);
	cr_expect_eq(soon_stream_write(s, "567890abcdef", 12), 12);
	cr_expect_str_eq(got(peer), "1234567890abcdef");
	cr_expect_eq(soon_stream_written(s), 16);
	cr_assert_eq(close(peer), 0);
	cr_expect_eq(soon_stream_close(s), 0);
}

NET_TEST(reserve, is_filled_in_place)
{
	static const soon_stream_opts opts = { .out_bytes_max = 5000 };
	char *room;
	int peer;
	soon_stream *s = raw_pair(&peer, &opts);

	cr_expect_eq(soon_stream_reserve(s, 5001, &room), -EMSGSIZE);
	cr_expect_eq(soon_stream_write(s, "<", 1), 1);
	cr_assert_eq(soon_stream_reserve(s, 4999, &room), 0);
	cr_expect_eq(soon_stream_write(s, "x", 1), -EBUSY);
	cr_expect_eq(soon_stream_flush(s), -EBUSY);
	memcpy(room, "in place", 8);
	soon_stream_commit(s, 8);
	cr_assert_eq(soon_stream_reserve(s, 0, &room), 0);
	soon_stream_commit(s, 0);
	cr_assert_eq(soon_stream_reserve(s, 100, &room), 0);
	*room = '>';
	soon_stream_commit(s, 1);
	cr_expect_eq(soon_stream_written(s), 10);
	cr_expect_eq(soon_stream_flush(s), 0);
	cr_expect_str_eq(got(peer), "<in place>");
	cr_assert_eq(soon_stream_reserve(s, 10, &room), 0);
	cr_assert_eq(close(peer), 0);
	cr_expect_eq(soon_stream_close(s), 0, "a room that was given up is no obstacle");
}

/* While a room is out, its block may not leave; the commit makes up for it. */
NET_TEST(reserve, holds_back_what_is_due)
{
	char *room;
	int peer;
	soon_stream *s = raw_pair(&peer, NULL);

	SOON_GROUP(g, .name = "reader");
	cr_expect_eq(soon_stream_write(s, "a", 1), 1);
	cr_assert_eq(soon_stream_reserve(s, 10, &room), 0);
	cr_assert_eq(soon_spawn(&g, read_one, s), 0);
	cr_assert_eq(soon_yield(), 0);
	cr_expect(got_nothing(peer));
	*room = 'b';
	soon_stream_commit(s, 1);
	cr_expect_str_eq(got(peer), "ab");
	put(peer, "x");
	cr_assert_eq(soon_group_close(&g, 0), 0);
	cr_assert_eq(close(peer), 0);
	cr_expect_eq(soon_stream_close(s), 0);
}

struct fill {
	soon_stream *stream;
	size_t bytes, piece;
	size_t written;
};

static int fill_run(struct fill *f)
{
	char *buf = malloc(f->piece);
	ssize_t n = 0;

	while (f->written < f->bytes) {
		size_t part = f->bytes - f->written < f->piece ? f->bytes - f->written : f->piece;

		pattern_fill(buf, part, f->written);
		n = soon_stream_write(f->stream, buf, part);
		if (n < 0)
			break;
		f->written += (size_t)n;
		cr_assert_leq(soon__stream_pending(f->stream), f->stream->out_bytes_max);
	}
	free(buf);
	return n < 0 ? (int)n : soon_stream_shutdown(f->stream);
}

/* Two streams over a pair of sockets, which hold less than TCP's. */
static void pair(const soon_stream_opts *opts, soon_stream **ret_a, soon_stream **ret_b)
{
	int fd;

	*ret_a = raw_pair(&fd, opts);
	cr_assert_eq(soon_stream_adopt(fd, opts, ret_b), 0);
}

NET_TEST(write, a_slow_peer_makes_the_writer_wait)
{
	static const soon_stream_opts opts = { .out_bytes_max = 20000 };
	struct fill fill = { .bytes = 3u << 20, .piece = 700 };
	struct drain drain = { .bytes = fill.bytes };
	soon_stream *a, *b;
	size_t before;

	SOON_GROUP(g, .name = "slow peer");
	pair(&opts, &a, &b);
	fill.stream = a;
	drain.stream = b;
	cr_assert_eq(soon_spawn(&g, fill_run, &fill), 0);
	do {
		before = fill.written;
		cr_assert_eq(soon_sleep(SOON_MS(20)), 0);
	} while (fill.written > before);
	cr_assert_lt(fill.written, fill.bytes, "nobody reads, and it takes all the same");
	cr_expect_eq(soon_stream_write(a, "x", 1), -EBUSY);
	cr_expect_eq(drain_run(&drain), 0);
	cr_assert_eq(soon_group_close(&g, 0), 0);
	cr_expect_eq(soon_stream_close(a), 0);
	cr_expect_eq(soon_stream_close(b), 0);
}

struct both {
	soon_stream *stream;
	struct fill fill;
	struct drain drain;
};

static int both_run(struct both *both)
{
	SOON_GROUP(g, .name = "both");
	int rc = soon_spawn(&g, fill_run, &both->fill);

	if (rc == 0)
		rc = soon_spawn(&g, drain_run, &both->drain);
	return (int)soon_group_close(&g, rc);
}

NET_TEST(write, a_mebibyte_goes_both_ways_at_once)
{
	static const size_t pieces[] = { 64, 4096, 16383, 16384, 100000, 1 << 20 };

	for (size_t i = 0; i < sizeof pieces / sizeof *pieces; i++) {
		struct both sides[2];

		SOON_GROUP(g, .name = "sides");
		listen_and_dial("127.0.0.1:0", NULL, &sides[0].stream, &sides[1].stream);
		for (int side = 0; side < 2; side++) {
			soon_stream *s = sides[side].stream;

			sides[side].fill = (struct fill){ s, 1 << 20, pieces[i], 0 };
			sides[side].drain = (struct drain){ s, 1 << 20, 0 };
			cr_assert_eq(soon_spawn(&g, both_run, &sides[side]), 0);
		}
		cr_assert_eq(soon_group_close(&g, 0), 0);
		cr_expect_eq(soon_stream_close(sides[0].stream), 0);
		cr_expect_eq(soon_stream_close(sides[1].stream), 0);
	}
}

/* Makes the next writes of a stream wait: the peer's side of the socket is full. */
static void stuff(soon_stream *s)
{
	static char junk[1 << 20];
	int small = 4096;

	cr_assert_eq(setsockopt(soon_stream_fd(s), SOL_SOCKET, SO_SNDBUF, &small, sizeof small), 0);
	while (send(soon_stream_fd(s), junk, sizeof junk, MSG_DONTWAIT) > 0) {
	}
}

/* Takes all that a plain socket has, until nothing came for a moment. Returns the last bytes. */
static size_t take_all(int fd, char *tail, size_t tail_bytes)
{
	static char buf[1 << 20];
	size_t total = 0;
	size_t kept = 0;
	ssize_t n;

	while ((n = soon_within(SOON_MS(50), soon_recv(fd, buf, sizeof buf, 0))) > 0) {
		size_t part = (size_t)n < tail_bytes ? (size_t)n : tail_bytes;

		memmove(tail, tail + (kept + part > tail_bytes ? kept + part - tail_bytes : 0),
			kept + part > tail_bytes ? tail_bytes - part : kept);
		kept = kept + part > tail_bytes ? tail_bytes - part : kept;
		memcpy(tail + kept, buf + n - part, part);
		kept += part;
		total += (size_t)n;
	}
	tail[kept] = '\0';
	return total;
}

NET_TEST(flush, goes_on_after_a_timeout)
{
	char tail[8 + 1];
	int peer;
	soon_stream *s = raw_pair(&peer, NULL);

	stuff(s);
	cr_expect_eq(soon_stream_write(s, "first ", 6), 6);
	cr_expect_eq(soon_within(SOON_MS(1), soon_stream_flush(s)), -ETIMEDOUT);
	cr_expect_eq(soon_stream_write(s, "2", 1), 1);
	cr_expect_eq(soon_within(SOON_MS(1), soon_stream_flush(s)), -ETIMEDOUT);
	cr_expect_eq(soon_within(SOON_MS(1), soon_stream_shutdown(s)), -ETIMEDOUT);
	(void)take_all(peer, tail, 7);
	cr_expect_str_eq(tail, "first 2", "all of it left without another call");
	cr_expect_eq(soon_stream_flush(s), 0);
	cr_assert_eq(close(peer), 0);
	cr_expect_eq(soon_stream_close(s), 0);
}

/* The end of one send starts the next while the only task waits for the peer's answer. */
NET_TEST(flush, of_a_read_needs_no_task_to_go_on)
{
	char tail[8 + 1];
	char c;
	int peer;
	soon_stream *s = raw_pair(&peer, NULL);

	stuff(s);
	cr_expect_eq(soon_stream_write(s, "one ", 4), 4);
	cr_expect_eq(soon_within(SOON_MS(1), soon_stream_read(s, &c, 1)), -ETIMEDOUT);
	cr_expect_eq(soon_stream_write(s, "two", 3), 3);

	SOON_GROUP(g, .name = "reader");
	cr_assert_eq(soon_spawn(&g, read_one, s), 0);
	(void)take_all(peer, tail, 7);
	cr_expect_str_eq(tail, "one two");
	put(peer, "x");
	cr_assert_eq(soon_group_close(&g, 0), 0);
	cr_assert_eq(close(peer), 0);
	cr_expect_eq(soon_stream_close(s), 0);
}

NET_TEST(write, a_timeout_takes_all_of_a_small_write_or_nothing)
{
	static const soon_stream_opts opts = { .out_bytes_max = 10 };
	char tail[16 + 1];
	char *room;
	int peer;
	soon_stream *s = raw_pair(&peer, &opts);

	stuff(s);
	cr_expect_eq(soon_stream_write(s, "1234567", 7), 7);
	cr_expect_eq(soon_within(SOON_MS(1), soon_stream_write(s, "abcd", 4)), -ETIMEDOUT);
	cr_expect_eq(soon_within(SOON_MS(1), soon_stream_reserve(s, 4, &room)), -ETIMEDOUT);
	cr_expect_eq(soon_stream_written(s), 7);
	cr_expect_eq(soon_stream_write(s, "89", 2), 2);
	cr_expect_eq(soon_within(SOON_MS(1), soon_stream_flush(s)), -ETIMEDOUT);
	(void)take_all(peer, tail, 9);
	cr_expect_str_eq(tail, "123456789");
	cr_assert_eq(close(peer), 0);
	cr_expect_eq(soon_stream_close(s), 0);
}

/* A direct write that is cut short tells how much was taken, and can be resumed there. */
NET_TEST(write, a_direct_one_can_be_resumed)
{
	enum { TOTAL = 3 << 20 };
	char *buf = malloc(TOTAL);
	struct drain drain = { .bytes = TOTAL };
	soon_stream *a, *b;
	ssize_t n;

	SOON_GROUP(g, .name = "resumed");
	pair(NULL, &a, &b);
	drain.stream = b;
	pattern_fill(buf, TOTAL, 0);
	cr_expect_eq(soon_stream_write(a, buf, 100), 100);
	n = soon_within(SOON_MS(20), soon_stream_write(a, buf + 100, TOTAL - 100));
	cr_expect_eq(n, -ETIMEDOUT);
	cr_assert_gt(soon_stream_written(a), 100, "the kernel took some");
	cr_assert_lt(soon_stream_written(a), TOTAL);
	cr_assert_eq(soon_spawn(&g, drain_run, &drain), 0);
	for (;;) {
		size_t at = soon_stream_written(a);

		n = soon_within(SOON_MS(5), soon_stream_write(a, buf + at, TOTAL - at));
		if (n != -ETIMEDOUT)
			break;
	}
	cr_expect_gt(n, 0);
	cr_expect_eq(soon_stream_written(a), TOTAL);
	cr_expect_eq(soon_stream_close(a), 0);
	cr_assert_eq(soon_group_close(&g, 0), 0);
	cr_expect_eq(soon_stream_close(b), 0);
	free(buf);
}

/* The same with bytes gathered in front that did not leave either: they are gathered again. */
NET_TEST(write, a_direct_one_that_never_began_leaves_what_was_gathered)
{
	static char large[100000];
	char tail[8 + 1];
	int peer;
	soon_stream *s = raw_pair(&peer, NULL);

	stuff(s);
	cr_expect_eq(soon_stream_write(s, "before ", 7), 7);
	cr_expect_eq(
		soon_within(SOON_MS(5), soon_stream_write(s, large, sizeof large)), -ETIMEDOUT);
	cr_expect_eq(soon_stream_written(s), 7);
	cr_expect_eq(soon_stream_write(s, "x", 1), 1);
	(void)take_all(peer, tail, 8);
	cr_expect_neq(strcmp(tail, "before x"), 0, "nobody asked for it yet");
	cr_expect_eq(soon_stream_flush(s), 0);
	(void)take_all(peer, tail, 8);
	cr_expect_str_eq(tail, "before x");
	cr_assert_eq(close(peer), 0);
	cr_expect_eq(soon_stream_close(s), 0);
}

NET_TEST(write, fails_in_a_cancelled_scope_and_takes_nothing)
{
	static char large[SOON_STREAM_DIRECT_BYTES];
	struct iovec piece = { large, 1 };
	char *room;
	int peer;
	soon_stream *s = raw_pair(&peer, NULL);

	SOON_SCOPE(cancelled, .timeout = SOON_S(100));
	soon_scope_cancel(&cancelled, "test");
	cr_expect_eq(soon_stream_write(s, large, 0), -ECANCELED);
	cr_expect_eq(soon_stream_write(s, large, 1), -ECANCELED);
	cr_expect_eq(soon_stream_write(s, large, sizeof large), -ECANCELED);
	cr_expect_eq(soon_stream_writev(s, &piece, 1), -ECANCELED);
	cr_expect_eq(soon_stream_reserve(s, 1, &room), -ECANCELED);
	cr_expect_eq(soon_stream_flush(s), -ECANCELED);
	cr_expect_eq(soon_stream_shutdown(s), -ECANCELED);
	cr_expect_eq(soon_scope_close(&cancelled, -ECANCELED), 0);
	cr_expect_eq(soon_stream_written(s), 0);
	cr_expect_eq(soon_stream_write(s, "a", 1), 1);
	cr_expect_eq(soon_stream_close(s), 0);
	cr_expect_str_eq(got(peer), "a");
	cr_assert_eq(close(peer), 0);
}

/* What the kernel takes without a wait still leaves, in order. */
NET_TEST(close, in_a_cancelled_scope_sends_what_it_can)
{
	int peer;
	soon_stream *s = raw_pair(&peer, NULL);

	cr_expect_eq(soon_stream_write(s, "bye", 3), 3);
	SOON_SCOPE(cancelled, .timeout = SOON_S(100));
	soon_scope_cancel(&cancelled, "test");
	cr_expect_eq(soon_stream_close(s), -ECANCELED);
	cr_expect_eq(soon_scope_close(&cancelled, -ECANCELED), 0);
	cr_expect_str_eq(got(peer), "bye");
	cr_expect_str_eq(got(peer), "");
	cr_assert_eq(close(peer), 0);

	char tail[8 + 1];
	s = raw_pair(&peer, NULL);
	stuff(s);
	cr_expect_eq(soon_stream_write(s, "lost", 4), 4);
	cr_expect_eq(soon_within(SOON_MS(1), soon_stream_flush(s)), -ETIMEDOUT);
	cr_expect_eq(soon_stream_write(s, "too", 3), 3);
	cr_expect_eq(soon_within(SOON_MS(1), soon_stream_close(s)), -ETIMEDOUT);
	(void)take_all(peer, tail, 8);
	cr_expect_neq(strcmp(tail + 1, "losttoo"), 0);
	cr_assert_eq(close(peer), 0);
}

NET_TEST(abort, resets_the_peer_and_sends_nothing)
{
	char buf[8];
	soon_stream *a, *b;

	listen_and_dial("127.0.0.1:0", NULL, &a, &b);
	cr_expect_eq(soon_stream_write(a, "never", 5), 5);
	soon_stream_abort(a);
	cr_expect_eq(soon_stream_read(b, buf, sizeof buf), -ECONNRESET);
	cr_expect_eq(soon_stream_close(b), 0);
}

NET_TEST(write, the_first_error_stays)
{
	static char large[SOON_STREAM_DIRECT_BYTES];
	char buf[8];
	char *room;
	soon_stream *a, *b;
	int rc = 0;

	cr_assert_neq(signal(SIGPIPE, SIG_DFL), SIG_ERR);
	listen_and_dial("127.0.0.1:0", NULL, &a, &b);
	soon_stream_abort(a);
	cr_expect_eq(soon_stream_read(b, buf, sizeof buf), -ECONNRESET);
	/* The copy succeeds; its sending does not. */
	cr_expect_eq(soon_stream_write(b, "a", 1), 1);
	rc = soon_stream_flush(b);
	cr_expect(rc == -EPIPE || rc == -ECONNRESET, "%d", rc);
	for (int i = 0; i < 2; i++) {
		cr_expect_eq(soon_stream_write(b, "b", 1), rc);
		cr_expect_eq(soon_stream_write(b, large, sizeof large), rc);
		cr_expect_eq(soon_stream_reserve(b, 1, &room), rc);
		cr_expect_eq(soon_stream_flush(b), rc);
		cr_expect_eq(soon_stream_shutdown(b), rc);
	}
	cr_expect_eq(soon_stream_close(b), rc);

	listen_and_dial("127.0.0.1:0", NULL, &a, &b);
	soon_stream_abort(a);
	cr_expect_eq(soon_stream_read(b, buf, sizeof buf), -ECONNRESET);
	cr_expect_eq(soon_stream_write(b, large, sizeof large), -EPIPE);
	cr_expect_eq(soon_stream_close(b), -EPIPE);
}

/* A room that is out when the send before it fails is still the caller's. */
NET_TEST(reserve, outlives_a_failure)
{
	char *room;
	int peer;
	soon_stream *s = raw_pair(&peer, NULL);

	stuff(s);
	cr_expect_eq(soon_stream_write(s, "a", 1), 1);
	cr_expect_eq(soon_within(SOON_MS(1), soon_stream_flush(s)), -ETIMEDOUT);
	cr_assert_eq(soon_stream_reserve(s, 100, &room), 0);
	cr_assert_eq(close(peer), 0);
	cr_assert_eq(soon_sleep(SOON_MS(5)), 0);
	memset(room, 'x', 100);
	soon_stream_commit(s, 100);
	cr_expect_eq(soon_stream_flush(s), -EPIPE);
	cr_expect_eq(soon_stream_written(s), 1);
	cr_expect_eq(soon_stream_close(s), -EPIPE);
}

NET_TEST(write, a_failure_wakes_the_writer_who_waits)
{
	static char large[1 << 20];
	int peer;
	soon_stream *s = raw_pair(&peer, NULL);
	struct fill fill = { .stream = s, .bytes = 1 << 20, .piece = 1000 };

	SOON_GROUP(g, .name = "writer", .policy = SOON_WAIT_ALL);
	stuff(s);
	cr_assert_eq(soon_spawn(&g, fill_run, &fill), 0);
	cr_assert_eq(soon_sleep(SOON_MS(5)), 0);
	cr_assert_eq(close(peer), 0);
	cr_expect_eq(soon_group_close(&g, 0), -EPIPE);
	cr_expect_eq(soon_stream_close(s), -EPIPE);

	s = raw_pair(&peer, NULL);
	stuff(s);
	cr_expect_eq(
		soon_within(SOON_MS(5), soon_stream_write(s, large, sizeof large)), -ETIMEDOUT);
	cr_assert_eq(close(peer), 0);
	cr_expect_eq(soon_stream_write(s, large, sizeof large), -EPIPE);
	cr_expect_eq(soon_stream_close(s), -EPIPE);
}

NET_TEST(stream, tells_its_peer)
{
	char text[SOON_ADDR_TEXT_BYTES];
	soon_addr addr, listened;
	soon_listener *l;
	soon_stream *s;

	cr_assert_eq(soon_listen("127.0.0.1:0", NULL, &l), 0);
	soon_listener_addr(l, &listened);
	cr_assert_eq(soon_dial(soon_addr_format(&listened, text), NULL, &s), 0);
	cr_assert_eq(soon_stream_peer(s, &addr), 0);
	cr_expect_eq(memcmp(&addr, &listened, sizeof addr), 0);
	cr_expect_eq(soon_stream_close(s), 0);
	soon_listener_close(l);
}
