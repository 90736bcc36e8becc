// SPDX-License-Identifier: Apache-2.0
/* Streams in memory: every call of a stream on them, and every way in which they can be bad. */
#include <soon/mem.h>
#include <soon/mem_pipe.h>
#include <soon/soon.h>
#include <soon/test.h>

#include <stdlib.h>
#include <string.h>
#include <support/seeds.h>

#define PIPE_TEST(suite, name) SOON_TEST_F(suite, name, SOON_T_NO_KERNEL)

static soon_stream *near, *far;

static void open_pipe(const soon_mem_pipe_opts *opts)
{
	cr_assert_eq(soon_mem_pipe(opts, &near, &far), 0);
}

static void close_pipe(void)
{
	cr_assert_eq(soon_stream_close(near), 0);
	cr_assert_eq(soon_stream_close(far), 0);
}

static void put(soon_stream *stream, const char *text)
{
	ssize_t len = (ssize_t)strlen(text);

	cr_assert_eq(soon_stream_write(stream, text, (size_t)len), len);
	cr_assert_eq(soon_stream_flush(stream), 0);
}

static const char *got(soon_stream *stream)
{
	static char text[256];
	ssize_t n = soon_stream_read(stream, text, sizeof text - 1);

	cr_assert_geq(n, 0, "read gave %zd", n);
	text[n] = '\0';
	return text;
}

/* Every call. */

PIPE_TEST(mem_pipe, carries_bytes_both_ways)
{
	char text[16];
	size_t done;

	open_pipe(NULL);
	put(near, "hello\nworld\n");
	cr_assert_eq(soon_stream_read_until(far, "\n", text, sizeof text), 6);
	cr_assert_eq(memcmp(text, "hello\n", 6), 0);
	cr_assert_eq(soon_mem_pipe_pending(far), 0);
	cr_assert_eq(soon_stream_read_exact(far, text, 6, &done), 6);
	put(far, "back");
	cr_assert_str_eq(got(near), "back");
	cr_assert_eq(soon_stream_written(near), 12);
	cr_assert_eq(soon_stream_fd(near), -1);
	cr_assert_eq(soon_stream_peer(near, &(soon_addr){ 0 }), -ENOTSOCK);
	close_pipe();
}

PIPE_TEST(mem_pipe, shows_and_takes)
{
	char first[] = "ab", second[] = "cd";
	struct iovec iov[2] = { { first, 2 }, { second, 2 } };
	soon_slice slice;
	char *room;

	open_pipe(NULL);
	cr_assert_eq(soon_stream_peek(far, 0, &slice), 0);
	cr_assert_eq(soon_stream_writev(near, iov, 2), 4);
	cr_assert_eq(soon_stream_reserve(near, 2, &room), 0);
	memcpy(room, "ef", 2);
	soon_stream_commit(near, 2);
	cr_assert_eq(soon_stream_flush(near), 0);
	cr_assert_eq(soon_stream_peek(far, 6, &slice), 6);
	cr_assert_eq(memcmp(slice.ptr, "abcdef", 6), 0);
	soon_stream_consume(far, 4);
	cr_assert_str_eq(got(far), "ef");
	close_pipe();
}

PIPE_TEST(mem_pipe, ends_after_what_was_written)
{
	open_pipe(NULL);
	put(near, "last");
	cr_assert_eq(soon_stream_shutdown(near), 0);
	cr_assert_eq(soon_stream_write(near, "x", 1), -EPIPE);
	cr_assert_str_eq(got(far), "last");
	cr_assert_str_eq(got(far), "");
	cr_assert_str_eq(got(far), "");
	put(far, "answer");
	cr_assert_str_eq(got(near), "answer");
	close_pipe();
}

PIPE_TEST(mem_pipe, close_flushes_and_is_an_end)
{
	open_pipe(NULL);
	cr_assert_eq(soon_stream_write(near, "bye", 3), 3);
	cr_assert_eq(soon_stream_close(near), 0);
	cr_assert_str_eq(got(far), "bye");
	cr_assert_str_eq(got(far), "");
	cr_assert_eq(soon_stream_write(far, "x", 1), 1);
	cr_assert_eq(soon_stream_flush(far), -EPIPE);
	cr_assert_eq(soon_stream_close(far), -EPIPE);
}

PIPE_TEST(mem_pipe, abort_is_a_reset)
{
	char c;

	open_pipe(NULL);
	put(near, "x");
	soon_stream_abort(near);
	cr_assert_eq(soon_stream_read(far, &c, 1), 1);
	cr_assert_eq(soon_stream_read(far, &c, 1), -ECONNRESET);
	cr_assert_eq(soon_stream_write(far, "x", 1), 1);
	cr_assert_eq(soon_stream_close(far), -ECONNRESET);
}

PIPE_TEST(mem_pipe, close_with_unread_input_is_a_reset)
{
	char c;

	open_pipe(NULL);
	put(near, "never read");
	cr_assert_eq(soon_stream_close(far), 0);
	cr_assert_eq(soon_stream_read(near, &c, 1), -ECONNRESET);
	(void)soon_stream_close(near);
}

/* Time. */

static int read_line(soon_stream *stream)
{
	char line[64];

	return (int)soon_within(SOON_S(30), soon_stream_read_until(stream, "\n", line, 64));
}

SOON_TEST_F(mem_pipe, is_not_in_the_way_of_a_virtual_clock, SOON_T_VIRTUAL)
{
	soon_ns before = soon_now();

	open_pipe(NULL);
	cr_assert_eq(soon_stream_write(near, "half", 4), 4);
	cr_assert_eq(soon_stream_flush(near), 0);
	cr_assert_eq(read_line(far), -ETIMEDOUT);
	cr_assert_eq(soon_now(), before + SOON_S(30));
	put(near, " a line\n");
	cr_assert_eq(read_line(far), 12);
	close_pipe();
}

/* Backpressure. */

struct copy {
	soon_stream *stream;
	size_t bytes;
	size_t at_a_time;
	size_t done;
	uint64_t random;
};

static char pattern(size_t at)
{
	return (char)(at * 31 + (at >> 8) * 7);
}

static size_t next_size(struct copy *c)
{
	size_t left = c->bytes - c->done;
	size_t n = c->at_a_time;

	if (c->random != 0) {
		c->random ^= c->random << 13;
		c->random ^= c->random >> 7;
		c->random ^= c->random << 17;
		n = (size_t)(c->random % c->at_a_time) + 1;
	}
	return n < left ? n : left;
}

static int send_all(struct copy *c)
{
	char *buf = malloc(c->at_a_time);
	ssize_t n = 0;

	while (c->done < c->bytes && n >= 0) {
		size_t len = next_size(c);

		for (size_t i = 0; i < len; i++)
			buf[i] = pattern(c->done + i);
		n = soon_stream_write(c->stream, buf, len);
		if (n > 0)
			c->done += (size_t)n;
	}
	if (n >= 0)
		n = soon_stream_shutdown(c->stream);
	free(buf);
	return n < 0 ? (int)n : 0;
}

static int receive_all(struct copy *c)
{
	char *buf = malloc(c->at_a_time + 1);
	ssize_t n;

	/* At the end of all bytes next_size is 0, and the end itself is to be read. */
	while ((n = soon_stream_read(c->stream, buf, next_size(c) | 1)) > 0) {
		for (ssize_t i = 0; i < n; i++)
			cr_assert_eq(buf[i], pattern(c->done + (size_t)i), "byte %zu",
				c->done + (size_t)i);
		c->done += (size_t)n;
	}
	free(buf);
	if (n == 0)
		cr_assert_eq(c->done, c->bytes);
	return (int)n;
}

PIPE_TEST(backpressure, writer_waits_for_a_slow_reader)
{
	struct copy send = { .bytes = 1000000, .at_a_time = 1000 };
	struct copy receive = { .bytes = 1000000, .at_a_time = 50000 };
	SOON_GROUP(g);

	open_pipe(&(soon_mem_pipe_opts){ .limit = 5000, .stream.out_bytes_max = 2000 });
	send.stream = near;
	receive.stream = far;
	cr_assert_eq(soon_spawn(&g, send_all, &send), 0);
	cr_assert_eq(soon_test_settle(), 0);
	cr_assert_eq(soon_mem_pipe_pending(far), 5000);
	cr_assert_leq(send.done, 5000 + 2000 + 2000);
	cr_assert_eq(soon_spawn(&g, receive_all, &receive), 0);
	cr_assert_eq(soon_group_close(&g, 0), 0);
	close_pipe();
}

PIPE_TEST(backpressure, large_writes_come_from_where_they_are)
{
	struct copy send = { .bytes = 1000000, .at_a_time = 100000 };
	struct copy receive = { .bytes = 1000000, .at_a_time = 7777 };
	SOON_GROUP(g);

	open_pipe(NULL);
	send.stream = near;
	receive.stream = far;
	cr_assert_eq(soon_spawn(&g, send_all, &send), 0);
	cr_assert_eq(soon_spawn(&g, receive_all, &receive), 0);
	cr_assert_eq(soon_group_close(&g, 0), 0);
	close_pipe();
}

PIPE_TEST(backpressure, cancelled_large_write_says_how_far_it_came)
{
	static char block[100000];
	char text[16];

	open_pipe(&(soon_mem_pipe_opts){ .limit = 30000 });
	cr_assert_eq(
		soon_within(SOON_S(1), soon_stream_write(near, block, sizeof block)), -ETIMEDOUT);
	cr_assert_eq(soon_stream_written(near), 30000);
	cr_assert_eq(soon_mem_pipe_pending(far), 30000);
	cr_assert_eq(soon_stream_read(far, text, sizeof text), 16);
	soon_stream_abort(far);
	(void)soon_stream_close(near);
}

/* Lockstep, pump, hooks. */

static int flush(soon_stream *stream)
{
	return soon_stream_flush(stream);
}

PIPE_TEST(lockstep, bytes_move_while_the_other_waits)
{
	SOON_GROUP(g);

	open_pipe(&(soon_mem_pipe_opts){ .is_lockstep = true });
	cr_assert_eq(soon_stream_write(near, "abc", 3), 3);
	cr_assert_eq(soon_within(SOON_S(1), soon_stream_flush(near)), -ETIMEDOUT);
	cr_assert_eq(soon_mem_pipe_pending(far), 0);
	cr_assert_eq(soon_spawn(&g, flush, near), 0);
	cr_assert_str_eq(got(far), "abc");
	cr_assert_eq(soon_group_close(&g, 0), 0);
	close_pipe();
}

static int put_ten(soon_stream *stream)
{
	put(stream, "0123456789");
	return 0;
}

/* What arrived and was not read is not what is asked for. */
PIPE_TEST(pump, fetches_more_from_a_sender_that_is_slower)
{
	SOON_GROUP(g);

	open_pipe(&(soon_mem_pipe_opts){ .is_pumped = true, .write_max = 1 });
	cr_assert_eq(soon_spawn(&g, put_ten, near), 0);
	cr_assert_eq(soon_yield(), 0);
	cr_assert_lt(soon_mem_pipe_pending(far), 7);
	for (int i = 0; i < 10; i++)
		cr_assert_eq(soon_mem_pipe_pump(far, 1), 1, "byte %d", i);
	cr_assert_eq(soon_mem_pipe_pump(far, 1), 0);
	cr_assert_str_eq(got(far), "0123456789");
	cr_assert_eq(soon_group_close(&g, 0), 0);
	close_pipe();
}

PIPE_TEST(pump, bytes_arrive_one_by_one)
{
	char line[8];

	open_pipe(&(soon_mem_pipe_opts){ .is_pumped = true });
	put(near, "ab\n");
	for (int i = 0; i < 2; i++) {
		cr_assert_eq(soon_within(SOON_S(1), soon_stream_read_until(far, "\n", line, 8)),
			-ETIMEDOUT);
		cr_assert_eq(soon_mem_pipe_pump(far, 1), 1);
	}
	cr_assert_eq(soon_mem_pipe_pump(far, SIZE_MAX), 1);
	cr_assert_eq(soon_mem_pipe_pump(far, SIZE_MAX), 0);
	cr_assert_eq(soon_stream_read_until(far, "\n", line, 8), 3);
	close_pipe();
}

struct heard {
	soon_stream *end;
	char sent[32], received[32];
	int rc;
};

static int note_send(soon_stream *end, soon_slice bytes, void *data)
{
	struct heard *heard = data;

	heard->end = end;
	strncat(heard->sent, bytes.ptr, bytes.len);
	return heard->rc;
}

static int note_receive(soon_stream *end, soon_slice bytes, void *data)
{
	struct heard *heard = data;

	heard->end = end;
	strncat(heard->received, bytes.ptr, bytes.len);
	return 0;
}

PIPE_TEST(hooks, see_the_bytes_and_may_fail_a_send)
{
	struct heard heard = { .rc = 0 };

	open_pipe(&(soon_mem_pipe_opts){
		.before_send = note_send, .after_receive = note_receive, .data = &heard });
	put(near, "one");
	cr_assert_eq(heard.end, near);
	cr_assert_str_eq(heard.sent, "one");
	cr_assert_str_eq(heard.received, "");
	cr_assert_str_eq(got(far), "one");
	cr_assert_eq(heard.end, far);
	cr_assert_str_eq(heard.received, "one");
	heard.rc = -EIO;
	cr_assert_eq(soon_stream_write(near, "two", 3), 3);
	cr_assert_eq(soon_stream_flush(near), -EIO);
	cr_assert_eq(soon_stream_write(near, "three", 5), -EIO);
	cr_assert_eq(soon_stream_close(near), -EIO);
	cr_assert_str_eq(got(far), "");
	cr_assert_eq(soon_stream_close(far), 0);
}

/* Breaking. */

PIPE_TEST(broken, at_once)
{
	char c;

	open_pipe(NULL);
	put(near, "lost");
	soon_mem_pipe_break(far, 0, -ECONNRESET);
	cr_assert_eq(soon_stream_read(far, &c, 1), -ECONNRESET);
	cr_assert_eq(soon_stream_read(near, &c, 1), -ECONNRESET);
	cr_assert_eq(soon_stream_write(near, "x", 1), 1);
	cr_assert_eq(soon_stream_flush(near), -ECONNRESET);
	cr_assert_eq(soon_stream_close(near), -ECONNRESET);
	cr_assert_eq(soon_stream_close(far), 0);
}

PIPE_TEST(broken, behind_so_many_bytes)
{
	char text[16];
	size_t done;

	open_pipe(NULL);
	soon_mem_pipe_break(far, 3, -EHOSTUNREACH);
	put(near, "abcdef");
	cr_assert_eq(soon_stream_read_exact(far, text, 6, &done), -EHOSTUNREACH);
	cr_assert_eq(done, 3);
	cr_assert_eq(soon_stream_close(near), 0);
	cr_assert_eq(soon_stream_close(far), 0);
}

static int expect_reset(soon_stream *stream)
{
	char c;

	cr_assert_eq(soon_stream_read(stream, &c, 1), -ECONNRESET);
	return 0;
}

PIPE_TEST(broken, while_both_wait)
{
	SOON_GROUP(g);

	open_pipe(NULL);
	cr_assert_eq(soon_spawn(&g, expect_reset, near), 0);
	cr_assert_eq(soon_spawn(&g, expect_reset, far), 0);
	cr_assert_eq(soon_test_settle(), 0);
	soon_mem_pipe_break(near, 0, -ECONNRESET);
	cr_assert_eq(soon_group_close(&g, 0), 0);
	close_pipe();
}

/* Concurrent use of one side. */

static int read_forever(soon_stream *stream)
{
	char c;

	return (int)soon_stream_read(stream, &c, 1);
}

PIPE_TEST(conflict, second_reader_is_refused_and_reported)
{
	char c;
	SOON_GROUP(g);

	open_pipe(NULL);
	cr_assert_eq(soon_spawn(&g, read_forever, far), 0);
	cr_assert_eq(soon_yield(), 0);
	soon_test_expect_errors(1);
	cr_assert_eq(soon_stream_read(far, &c, 1), -EBUSY);
	cr_assert(soon_test_reported("read a stream while another task"));
	soon_group_cancel(&g, "seen");
	cr_assert_eq(soon_group_close(&g, 0), 0);
	close_pipe();
}

/* No memory. */

SOON_TEST_F(fault, each_allocation_may_fail, SOON_T_NO_KERNEL)
{
	for (uint64_t k = 1; k <= 5; k++) {
		near = far = NULL;
		soon_mem_fail_at(k);
		cr_assert_eq(soon_mem_pipe(NULL, &near, &far), -ENOMEM);
		cr_assert_null(near);
	}
	soon_mem_fail_at(6);
	open_pipe(NULL);
	soon_mem_fail_at(0);
	close_pipe();
}

/* A thousand bad connections. */

static int worker(uint64_t seed)
{
	const soon_mem_pipe_opts opts = {
		.limit = 1 + seed * 7919 % 3000,
		.read_max = seed % 3 == 0 ? 1 + seed % 97 : 0,
		.write_max = seed % 4 == 0 ? 1 + seed % 89 : 0,
		.seed = seed % 2 == 0 ? seed : 0,
		.is_lockstep = seed % 5 == 0,
		.stream.out_bytes_max = 1000 + seed % 2000,
	};
	struct copy copies[4] = { { .bytes = 20000, .at_a_time = 900, .random = seed | 1 } };
	SOON_GROUP(g);

	open_pipe(&opts);
	for (int i = 1; i < 4; i++)
		copies[i] = copies[0];
	copies[0].stream = copies[1].stream = near;
	copies[2].stream = copies[3].stream = far;
	for (int i = 0; i < 4; i++)
		cr_assert_eq(soon_spawn(&g, i % 2 ? receive_all : send_all, &copies[i]), 0);
	cr_assert_eq(soon_group_close(&g, 0), 0);
	close_pipe();
	return 0;
}

SOON_TEST_PLAIN(seeds, every_byte_arrives_on_a_thousand_bad_connections)
{
	static soon_verdict verdict;

	for (uint64_t seed = 1; seed <= SEEDS; seed++) {
		const soon_test_opts opts = { .flags = SOON_T_NO_KERNEL | SOON_T_MEMORY_OK,
			.seed = seed };

		cr_assert(soon_test_run(&opts, worker, seed, &verdict), "%s", verdict.text);
	}
}

/* Cancelled, broken, aborted at any moment: nothing leaks and nobody waits for ever. */

static int torture(uint64_t seed)
{
	const soon_mem_pipe_opts opts = {
		.limit = 1 + seed % 700,
		.read_max = 1 + seed % 50,
		.write_max = 1 + seed % 60,
		.seed = seed,
		.is_lockstep = seed % 2 == 0,
		.stream.out_bytes_max = 500,
	};
	struct copy send = { .bytes = 20000, .at_a_time = 20000 % (300 + seed), .random = seed };
	struct copy receive = { .bytes = 20000, .at_a_time = 100, .random = seed };
	SOON_GROUP(g, .policy = SOON_WAIT_ALL);

	open_pipe(&opts);
	send.stream = near;
	receive.stream = far;
	if (send.at_a_time == 0)
		send.at_a_time = 1;
	cr_assert_eq(soon_spawn(&g, send_all, &send), 0);
	cr_assert_eq(soon_spawn(&g, receive_all, &receive), 0);
	for (uint64_t i = seed % 40; i > 0; i--)
		cr_assert_eq(soon_yield(), 0);
	if (seed % 3 == 0)
		soon_mem_pipe_break(seed % 2 ? near : far, seed % 5 * 100, -ECONNRESET);
	else
		soon_group_cancel(&g, "torture");
	(void)!soon_group_close(&g, 0);
	if (seed % 7 == 0)
		soon_stream_abort(near);
	else
		(void)!soon_within(SOON_S(1), soon_stream_close(near));
	(void)!soon_within(SOON_S(1), soon_stream_close(far));
	return 0;
}

SOON_TEST_PLAIN(seeds, ends_cleanly_from_a_thousand_moments)
{
	static soon_verdict verdict;

	for (uint64_t seed = 1; seed <= SEEDS; seed++) {
		const soon_test_opts opts = { .flags = SOON_T_NO_KERNEL | SOON_T_MEMORY_OK,
			.seed = seed };

		cr_assert(soon_test_run(&opts, torture, seed, &verdict), "%s", verdict.text);
	}
}
