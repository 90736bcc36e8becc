// SPDX-License-Identifier: Apache-2.0
/*
 * stream_mix_test.c: calls of both sides in random order, most of them cut short by a timeout, over
 * buffers of random size. Whatever happens, the bytes come whole and in order. The seed is part of
 * the message of a failure.
 */
#include "net_kit.h"

#define BYTES       400000
#define LIMIT_BYTES 65536

static unsigned seed;
static unsigned cut_short;

struct side {
	soon_stream *stream;
	char *out;
	uint64_t random;
	size_t received;
};

static size_t dice(struct side *side, size_t sides)
{
	side->random ^= side->random << 13;
	side->random ^= side->random >> 7;
	side->random ^= side->random << 17;
	return (size_t)(side->random % sides);
}

static soon_ns short_time(struct side *side)
{
	return SOON_US(dice(side, 20));
}

/* Mostly small, sometimes larger than every buffer. */
static size_t some_bytes(struct side *side)
{
	static const size_t most[] = { 10, 300, 5000, 20000, 100000 };

	return 1 + dice(side, most[dice(side, 5)]);
}

static ssize_t write_some(struct side *side, size_t bytes)
{
	const char *from = side->out + soon_stream_written(side->stream);
	struct iovec pieces[2];
	size_t half = bytes / 2;
	char *room;
	ssize_t n;

	switch (dice(side, 5)) {
	case 0:
		return soon_stream_flush(side->stream);
	case 1:
		n = soon_stream_reserve(side->stream, bytes, &room);
		if (n == 0) {
			memcpy(room, from, half);
			soon_stream_commit(side->stream, half);
		}
		return n == -EMSGSIZE ? 0 : n;
	case 2:
		pieces[0] = (struct iovec){ (char *)(uintptr_t)from, half };
		pieces[1] = (struct iovec){ (char *)(uintptr_t)from + half, bytes - half };
		return soon_stream_writev(side->stream, pieces, 2);
	default:
		return soon_stream_write(side->stream, from, bytes);
	}
}

static int write_run(struct side *side)
{
	while (soon_stream_written(side->stream) < BYTES) {
		size_t left = BYTES - (size_t)soon_stream_written(side->stream);
		size_t bytes = some_bytes(side);
		ssize_t n = soon_within(
			short_time(side), write_some(side, bytes < left ? bytes : left));

		cr_assert(n >= 0 || n == -ETIMEDOUT, "seed %u: writing gave %zd", seed, n);
		cut_short += n == -ETIMEDOUT;
		if (dice(side, 8) == 0)
			cr_assert_eq(soon_yield(), 0);
	}
	return soon_stream_shutdown(side->stream);
}

static void check(struct side *side, const char *buf, size_t bytes)
{
	cr_assert(pattern_is(buf, bytes, side->received), "seed %u: wrong bytes near %zu", seed,
		side->received);
	side->received += bytes;
}

static ssize_t read_some(struct side *side, char *buf, size_t bytes)
{
	soon_slice slice;
	size_t done = 0;
	ssize_t n;

	switch (dice(side, 4)) {
	case 0:
		n = soon_stream_read_exact(side->stream, buf, bytes, &done);
		check(side, buf, done);
		return n == -EBADMSG ? 1 : n;
	case 1:
		n = soon_stream_peek(side->stream, bytes, &slice);
		if (n == 0 && slice.len == 0)
			return 0;
		if (n < 0)
			return n == -EMSGSIZE ? 1 : n;
		done = dice(side, slice.len + 1);
		check(side, slice.ptr, done);
		soon_stream_consume(side->stream, done);
		return 1;
	case 2:
		n = soon_stream_read_until(side->stream, "\x55", buf, bytes);
		if (n == -EMSGSIZE || n == -EBADMSG)
			return 1;
		break;
	default:
		n = soon_stream_read(side->stream, buf, bytes);
		break;
	}
	if (n > 0)
		check(side, buf, (size_t)n);
	return n;
}

static int read_run(struct side *side)
{
	char *buf = malloc(BYTES);
	ssize_t n;

	do {
		n = soon_within(short_time(side), read_some(side, buf, some_bytes(side)));
		cr_assert(n >= 0 || n == -ETIMEDOUT, "seed %u: reading gave %zd", seed, n);
		cut_short += n == -ETIMEDOUT;
		if (dice(side, 8) == 0)
			cr_assert_eq(soon_yield(), 0);
	} while (n != 0);
	cr_expect_eq(side->received, BYTES, "seed %u: %zu bytes", seed, side->received);
	free(buf);
	return 0;
}

static void mix(void)
{
	struct side sides[2] = { 0 };
	soon_stream_opts opts = { 0 };
	int room = 4096; /* of the sockets, so that writers have to wait */
	int fds[2];

	cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
	for (int i = 0; i < 2; i++) {
		struct side *side = &sides[i];

		side->random = 0x9e3779b97f4a7c15u * (2 * seed + (unsigned)i + 1);
		opts.in_bytes_max = 1 + dice(side, 2 * LIMIT_BYTES);
		opts.out_bytes_max = 1 + dice(side, 2 * LIMIT_BYTES);
		side->out = malloc(BYTES);
		pattern_fill(side->out, BYTES, 0);
		cr_assert_eq(setsockopt(fds[i], SOL_SOCKET, SO_SNDBUF, &room, sizeof room), 0);
		cr_assert_eq(soon_stream_adopt(fds[i], &opts, &side->stream), 0);
	}

	SOON_GROUP(g, .name = "mix");
	for (int i = 0; i < 2; i++) {
		cr_assert_eq(soon_spawn(&g, write_run, &sides[i]), 0);
		cr_assert_eq(soon_spawn(&g, read_run, &sides[i]), 0);
	}
	cr_assert_eq(soon_group_close(&g, 0), 0, "seed %u", seed);
	for (int i = 0; i < 2; i++) {
		cr_expect_eq(soon_stream_close(sides[i].stream), 0);
		free(sides[i].out);
	}
}

NET_TEST(stream, keeps_its_bytes_in_order_whatever_happens, .timeout = 60)
{
	for (seed = 1; seed <= 60; seed++)
		mix();
	cr_expect_gt(cut_short, 100, "only %u calls were cut short", cut_short);
}
