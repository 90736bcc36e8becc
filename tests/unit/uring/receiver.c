// SPDX-License-Identifier: Apache-2.0
/* Receiving against the real kernel: order, flow control, no byte lost, no buffer lost. */
#include <soon/scope.h>

#include "kit_backend.h"
#include "support/death.h"

#define STREAM_BYTES (1u << 20)

static ssize_t next_soon(soon_receiver *receiver, soon_slice *ret_chunk)
{
	return soon_within(KIT_LONG, soon_receiver_next(receiver, ret_chunk));
}

/* Every buffer is where nobody reads it: free, never used, or with the kernel. */
static void check_pool_is_whole(void)
{
	const struct soon__bufs *bufs = &soon__io_self()->bufs;

	cr_assert_eq(bufs->free_count + bufs->provided + bufs->count - bufs->fresh, bufs->count);
	cr_assert_eq(bufs->mismatch_count, 0);
	cr_assert_eq(bufs->starving_count, 0);
}

static void expect_chunk(soon_receiver *receiver, const char *text)
{
	soon_slice chunk;

	cr_assert_eq(next_soon(receiver, &chunk), strlen(text));
	cr_assert_eq(chunk.len, strlen(text));
	cr_assert_eq(memcmp(chunk.ptr, text, chunk.len), 0);
	soon_receiver_return(receiver, chunk);
}

SOON_TEST(receiver, gives_chunks_then_the_end)
{
	soon_receiver receiver;
	soon_slice chunk;
	int fds[2];

	kit_pair(fds);
	soon_receiver_init(&receiver, fds[0]);
	kit_put(fds[1], "one", 3);
	expect_chunk(&receiver, "one");
	kit_put(fds[1], "two", 3);
	expect_chunk(&receiver, "two");
	kit_put(fds[1], "three", 5);
	cr_assert_eq(soon_close(fds[1]), 0);
	expect_chunk(&receiver, "three");
	cr_assert_eq(next_soon(&receiver, &chunk), 0);
	cr_assert_eq(next_soon(&receiver, &chunk), 0);
	soon_receiver_fini(&receiver);
	soon_receiver_fini(&receiver);
	soon_receiver_fini(NULL);
	cr_assert_eq(soon_close(fds[0]), 0);
	check_pool_is_whole();
}

SOON_TEST(receiver, cancel_loses_nothing)
{
	soon_receiver receiver;
	soon_slice chunk;
	int fds[2];
	uint64_t submits;

	kit_pair(fds);
	soon_receiver_init(&receiver, fds[0]);
	cr_assert_eq(soon_within(KIT_SHORT, soon_receiver_next(&receiver, &chunk)), -ETIMEDOUT);
	submits = kit_submits();
	kit_put(fds[1], "late", 4);
	kit_settle();
	expect_chunk(&receiver, "late");
	cr_assert_eq(soon_within(KIT_SHORT, soon_receiver_next(&receiver, &chunk)), -ETIMEDOUT);
	cr_assert_eq(kit_submits(), submits, "it was not armed any more");
	soon_receiver_fini(&receiver);
	kit_close_both(fds);
	check_pool_is_whole();
}

SOON_TEST(receiver, in_a_cancelled_scope_nothing_is_given)
{
	soon_receiver receiver;
	soon_slice chunk;
	int fds[2];

	kit_pair(fds);
	soon_receiver_init(&receiver, fds[0]);
	kit_put(fds[1], "x", 1);
	SOON_SCOPE(s);
	soon_scope_cancel(&s, "test");
	cr_assert_eq(soon_receiver_next(&receiver, &chunk), -ECANCELED);
	cr_assert_eq(soon_scope_close(&s, 0), 0);
	expect_chunk(&receiver, "x");
	soon_receiver_fini(&receiver);
	kit_close_both(fds);
}

SOON_TEST(receiver, try_next_never_waits)
{
	soon_receiver receiver;
	soon_slice chunk;
	int fds[2];

	kit_pair(fds);
	soon_receiver_init(&receiver, fds[0]);
	cr_assert_eq(soon_receiver_try_next(&receiver, &chunk), -EAGAIN);
	kit_put(fds[1], "x", 1);
	kit_settle();
	cr_assert_eq(soon_receiver_try_next(&receiver, &chunk), 1);
	soon_receiver_return(&receiver, chunk);
	cr_assert_eq(soon_receiver_try_next(&receiver, &chunk), -EAGAIN);
	cr_assert_eq(soon_close(fds[1]), 0);
	kit_settle();
	cr_assert_eq(soon_receiver_try_next(&receiver, &chunk), 0);
	soon_receiver_fini(&receiver);
	cr_assert_eq(soon_close(fds[0]), 0);
}

/* Writes a pattern of STREAM_BYTES, then closes. */
static int write_stream(int fd)
{
	static uint32_t words[1024];
	size_t done;

	for (uint32_t i = 0; i < STREAM_BYTES / sizeof(words); i++) {
		for (uint32_t j = 0; j < 1024; j++)
			words[j] = i * 1024 + j;
		cr_assert_eq(soon_write_full(fd, words, sizeof(words), &done), sizeof(words));
	}
	return soon_close(fd);
}

/* Reads the pattern; `pause` goes before each chunk. */
static int read_stream(soon_receiver *receiver, soon_ns pause)
{
	size_t position = 0;
	soon_slice chunk;
	ssize_t n;

	while (true) {
		if (pause > 0 && position % 7 < 3)
			cr_assert_eq(soon_sleep(pause), 0);
		n = next_soon(receiver, &chunk);
		if (n <= 0)
			break;
		for (size_t i = 0; i < chunk.len; i++, position++) {
			uint32_t word = (uint32_t)(position / 4);

			cr_assert_eq((uint8_t)chunk.ptr[i], ((uint8_t *)&word)[position % 4],
				"wrong byte at %zu", position);
		}
		soon_receiver_return(receiver, chunk);
	}
	cr_assert_eq(n, 0);
	cr_assert_eq(position, STREAM_BYTES);
	return 0;
}

static void stream_once(soon_ns pause)
{
	soon_receiver receiver;
	int fds[2];
	SOON_GROUP(g);

	kit_pair(fds);
	soon_receiver_init(&receiver, fds[0]);
	cr_assert_eq(soon_spawn(&g, write_stream, fds[1]), 0);
	cr_assert_eq(read_stream(&receiver, pause), 0);
	cr_assert_eq(soon_group_close(&g, 0), 0);
	soon_receiver_fini(&receiver);
	cr_assert_eq(soon_close(fds[0]), 0);
	check_pool_is_whole();
}

SOON_TEST(receiver, long_stream_to_a_fast_and_a_slow_reader)
{
	stream_once(0);
	stream_once(SOON_US(300));
}

static int long_stream_app(void *unused)
{
	(void)unused;
	stream_once(0);
	stream_once(SOON_US(300));
	return 0;
}

SOON_TEST_PLAIN(receiver, long_stream_through_a_tiny_pool)
{
	soon__ring_tuning = (struct soon__ring_tuning){ .buf_count = 2, .buf_goal = 2 };
	cr_assert_eq(soon_run(long_stream_app, NULL), 0);
}

SOON_TEST_PLAIN(receiver, long_stream_through_a_tiny_ring)
{
	soon__ring_tuning = (struct soon__ring_tuning){ .sq_count = 1, .cq_count = 2 };
	cr_assert_eq(soon_run(long_stream_app, NULL), 0);
}

SOON_TEST(receiver, slow_reader_stops_its_own_request)
{
	struct soon__bufs *bufs = &soon__io_self()->bufs;
	soon_receiver receiver;
	soon_slice chunk;
	int fds[2];
	unsigned out;
	SOON_GROUP(g);

	kit_pair(fds);
	soon_receiver_init(&receiver, fds[0]);
	cr_assert_eq(soon_receiver_try_next(&receiver, &chunk), -EAGAIN);
	cr_assert_eq(soon_spawn(&g, write_stream, fds[1]), 0);
	for (int i = 0; i < 20; i++)
		kit_settle();
	out = bufs->fresh - bufs->free_count - bufs->provided;
	cr_assert_geq(out, 8);
	cr_assert_leq(out, 8 + 32, "%u unread chunks", out); /* one round of the kernel's more */
	cr_assert_eq(read_stream(&receiver, 0), 0);
	cr_assert_eq(soon_group_close(&g, 0), 0);
	soon_receiver_fini(&receiver);
	cr_assert_eq(soon_close(fds[0]), 0);
	check_pool_is_whole();
}

SOON_TEST(receiver, idle_ones_hold_nothing)
{
	struct soon__bufs *bufs = &soon__io_self()->bufs;
	static soon_receiver receivers[100];
	static int fds[100][2];
	soon_slice chunk;

	for (int i = 0; i < 100; i++) {
		kit_pair(fds[i]);
		soon_receiver_init(&receivers[i], fds[i][0]);
		cr_assert_eq(soon_receiver_try_next(&receivers[i], &chunk), -EAGAIN);
	}
	kit_settle();
	cr_assert_eq(bufs->fresh, bufs->free_count + bufs->provided);
	cr_assert_leq(bufs->fresh, 64);
	for (int i = 0; i < 100; i++) {
		kit_put(fds[i][1], "x", 1);
		expect_chunk(&receivers[i], "x");
		soon_receiver_fini(&receivers[i]);
		kit_close_both(fds[i]);
	}
	check_pool_is_whole();
}

static int reset_app(void *unused)
{
	const struct linger none = { .l_onoff = 1, .l_linger = 0 };
	struct sockaddr_in addr;
	int listener = kit_listen(1, &addr);
	int client = kit_connect(&addr);
	int fd = soon_accept(listener, NULL, NULL, 0);
	soon_receiver receiver;
	soon_slice chunk;

	(void)unused;
	soon_receiver_init(&receiver, fd);
	kit_put(client, "last", 4);
	expect_chunk(&receiver, "last");
	cr_assert_eq(setsockopt(client, SOL_SOCKET, SO_LINGER, &none, sizeof(none)), 0);
	cr_assert_eq(soon_close(client), 0);
	cr_assert_eq(next_soon(&receiver, &chunk), -ECONNRESET);
	cr_assert_eq(next_soon(&receiver, &chunk), -ECONNRESET);
	soon_receiver_fini(&receiver);
	cr_assert_eq(soon_close(fd), 0);
	cr_assert_eq(soon_close(listener), 0);
	return 0;
}

SOON_TEST(receiver, reset_stays)
{
	cr_assert_eq(reset_app(NULL), 0);
}

/* A pool of four, all lent to one receiver; another has bytes waiting. */
static int exhausted_app(void *unused)
{
	soon_receiver rich, poor;
	soon_slice chunks[4], chunk;
	int a[2], b[2];
	uint64_t enters;

	(void)unused;
	kit_pair(a);
	kit_pair(b);
	soon_receiver_init(&rich, a[0]);
	soon_receiver_init(&poor, b[0]);
	for (int i = 0; i < 4; i++) {
		kit_put(a[1], "rich", 4);
		cr_assert_eq(next_soon(&rich, &chunks[i]), 4);
	}
	kit_put(b[1], "poor", 4);
	enters = kit_enters();
	cr_assert_eq(soon_within(SOON_MS(50), soon_receiver_next(&poor, &chunk)), -ETIMEDOUT);
	enters = kit_enters() - enters;
	cr_assert_lt(enters, 10, "entered the kernel %ju times", (uintmax_t)enters);
	cr_assert_eq(soon__io_self()->bufs.starving_count, 1);

	soon_receiver_return(&rich, chunks[2]);
	expect_chunk(&poor, "poor");
	soon_receiver_return(&rich, chunks[0]);
	soon_receiver_return(&rich, chunks[3]);
	soon_receiver_return(&rich, chunks[1]);
	soon_receiver_fini(&rich);
	soon_receiver_fini(&poor);
	kit_close_both(a);
	kit_close_both(b);
	check_pool_is_whole();
	return 0;
}

SOON_TEST_PLAIN(receiver, waits_for_a_buffer_without_a_spin)
{
	soon__ring_tuning = (struct soon__ring_tuning){ .buf_count = 4, .buf_goal = 4 };
	cr_assert_eq(soon_run(exhausted_app, NULL), 0);
}

struct echo {
	int fd;
	const char *text;
	int *done;
};

static int receive_one(struct echo *echo)
{
	soon_receiver receiver;

	soon_receiver_init(&receiver, echo->fd);
	expect_chunk(&receiver, echo->text);
	(*echo->done)++;
	soon_receiver_fini(&receiver);
	return 0;
}

/* Two buffers for many: an idle receiver that is started again must not starve the others. */
static int two_buffers_app(void *unused)
{
	static int fds[20][2];
	static struct echo echoes[20];
	int done = 0;
	SOON_GROUP(g);

	(void)unused;
	for (int i = 0; i < 20; i++) {
		kit_pair(fds[i]);
		echoes[i] = (struct echo){ fds[i][0], "x", &done };
		cr_assert_eq(soon_spawn(&g, receive_one, &echoes[i]), 0);
	}
	kit_settle();
	for (int i = 19; i >= 0; i--) {
		kit_put(fds[i][1], "x", 1);
		while (done < 20 - i)
			cr_assert_eq(soon_within(KIT_LONG, soon_yield()), 0);
	}
	cr_assert_eq(soon_group_close(&g, 0), 0);
	for (int i = 0; i < 20; i++)
		kit_close_both(fds[i]);
	check_pool_is_whole();
	return 0;
}

SOON_TEST_PLAIN(receiver, two_buffers_serve_many)
{
	soon__ring_tuning = (struct soon__ring_tuning){ .buf_count = 2, .buf_goal = 2 };
	cr_assert_eq(soon_run(two_buffers_app, NULL), 0);
}

static int next_and_fail(soon_receiver *receiver)
{
	soon_slice chunk;

	return (int)soon_receiver_next(receiver, &chunk);
}

SOON_TEST(receiver, one_reader_at_a_time)
{
	soon_receiver receiver;
	soon_slice chunk;
	int fds[2];
	SOON_GROUP(g);

	kit_pair(fds);
	soon_receiver_init(&receiver, fds[0]);
	cr_assert_eq(soon_spawn(&g, next_and_fail, &receiver), 0);
	kit_settle();
	cr_assert_eq(soon_receiver_next(&receiver, &chunk), -EBUSY);
	soon_group_cancel(&g, "test");
	cr_assert_eq(soon_group_close(&g, 0), 0);
	soon_receiver_fini(&receiver);
	kit_close_both(fds);
}

SOON_TEST(receiver, close_by_another_task)
{
	soon_receiver receiver;
	soon_slice chunk;
	int fds[2];
	SOON_GROUP(g, .policy = SOON_WAIT_ALL);

	kit_pair(fds);
	soon_receiver_init(&receiver, fds[0]);
	cr_assert_eq(soon_spawn(&g, next_and_fail, &receiver), 0);
	kit_settle();
	cr_assert_eq(soon_close(fds[0]), 0);
	cr_assert_eq(soon_group_close(&g, 0), -EBADF);
	cr_assert_eq(soon_receiver_next(&receiver, &chunk), -EBADF);
	soon_receiver_fini(&receiver);
	cr_assert_eq(soon_close(fds[1]), 0);
	check_pool_is_whole();
}

static int close_starving_app(void *unused)
{
	soon_receiver rich, poor;
	soon_slice held[2];
	int a[2], b[2];
	SOON_GROUP(g, .policy = SOON_WAIT_ALL);

	(void)unused;
	kit_pair(a);
	kit_pair(b);
	soon_receiver_init(&rich, a[0]);
	soon_receiver_init(&poor, b[0]);
	for (int i = 0; i < 2; i++) {
		kit_put(a[1], "x", 1);
		cr_assert_eq(next_soon(&rich, &held[i]), 1);
	}
	cr_assert_eq(soon_spawn(&g, next_and_fail, &poor), 0);
	kit_settle();
	cr_assert_eq(soon__io_self()->bufs.starving_count, 1);
	cr_assert_eq(soon_close(b[0]), 0);
	cr_assert_eq(soon_group_close(&g, 0), -EBADF);
	soon_receiver_fini(&poor);
	soon_receiver_return(&rich, held[0]);
	soon_receiver_return(&rich, held[1]);
	soon_receiver_fini(&rich);
	kit_close_both(a);
	cr_assert_eq(soon_close(b[1]), 0);
	check_pool_is_whole();
	return 0;
}

SOON_TEST_PLAIN(receiver, close_while_it_waits_for_a_buffer)
{
	soon__ring_tuning = (struct soon__ring_tuning){ .buf_count = 2, .buf_goal = 2 };
	cr_assert_eq(soon_run(close_starving_app, NULL), 0);
}

SOON_TEST(receiver, fini_with_chunks_unread)
{
	soon_receiver receiver;
	soon_slice chunk;
	int fds[2];

	kit_pair(fds);
	soon_receiver_init(&receiver, fds[0]);
	cr_assert_eq(soon_receiver_try_next(&receiver, &chunk), -EAGAIN);
	for (int i = 0; i < 5; i++) {
		kit_put(fds[1], "x", 1);
		kit_settle();
	}
	soon_receiver_fini(&receiver);
	check_pool_is_whole();
	kit_put(fds[1], "y", 1);
	kit_settle();
	check_pool_is_whole();
	kit_close_both(fds);
}

/* Misuse. */

static int return_twice(void *unused)
{
	soon_receiver receiver;
	soon_slice chunk;
	int fds[2];

	(void)unused;
	kit_pair(fds);
	soon_receiver_init(&receiver, fds[0]);
	kit_put(fds[1], "xy", 2);
	(void)!soon_receiver_next(&receiver, &chunk);
	kit_put(fds[1], "xy", 2);
	(void)!soon_receiver_next(&receiver, &chunk);
	soon_receiver_return(&receiver, chunk);
	soon_receiver_return(&receiver, chunk);
	return 0;
}

static void run_return_twice(void)
{
	(void)!soon_run(return_twice, NULL);
}

static int fini_with_lent(void *unused)
{
	soon_receiver receiver;
	soon_slice chunk;
	int fds[2];

	(void)unused;
	kit_pair(fds);
	soon_receiver_init(&receiver, fds[0]);
	kit_put(fds[1], "xy", 2);
	(void)!soon_receiver_next(&receiver, &chunk);
	soon_receiver_fini(&receiver);
	return 0;
}

static void run_fini_with_lent(void)
{
	(void)!soon_run(fini_with_lent, NULL);
}

SOON_TEST_PLAIN(receiver, misuse_aborts)
{
	ASSERT_ABORTS(run_return_twice, "SOON__BUF_LENT");
	ASSERT_ABORTS(run_fini_with_lent, "lent_count == 0");
}
