// SPDX-License-Identifier: Apache-2.0
/* net_memory_test.c: each allocation of net/ fails once, and nothing is lost but the time. */
#include "block.h"
#include "net_kit.h"

#include <stdio.h>

/* What failed for want of memory is tried once more: only one allocation fails. */
#define AGAIN(expr)                                                                                \
	({                                                                                         \
		ssize_t again_n = (expr);                                                          \
		again_n == -ENOMEM ? (expr) : again_n;                                             \
	})

static void open_both(const char *where, soon_stream **ret_a, soon_stream **ret_b)
{
	char text[SOON_ADDR_TEXT_BYTES];
	soon_listener *l = NULL;
	soon_addr addr;

	cr_assert_eq(AGAIN(soon_listen(where, NULL, &l)), 0);
	soon_listener_addr(l, &addr);
	soon_addr_format(&addr, text);
	cr_assert_eq(AGAIN(soon_dial(text, NULL, ret_a)), 0);
	cr_assert_eq(AGAIN(soon_listener_accept(l, ret_b)), 0);
	soon_listener_close(l);
}

static void talk(void)
{
	static char large[30000];
	char buf[64];
	soon_slice slice;
	soon_stream *a, *b, *c = NULL;
	char *room;
	int fds[2];

	open_both("127.0.0.1:0", &a, &b);
	cr_expect_eq(AGAIN(soon_stream_write(a, "line\n", 5)), 5);
	cr_expect_eq(AGAIN(soon_stream_write(a, "abcdef", 6)), 6);
	cr_expect_eq(AGAIN(soon_stream_flush(a)), 0);
	cr_expect_eq(AGAIN(soon_stream_read_until(b, "\n", buf, sizeof buf)), 5);
	cr_expect_eq(AGAIN(soon_stream_read(b, buf, 2)), 2);
	cr_expect_eq(memcmp(buf, "ab", 2), 0);
	cr_expect_eq(AGAIN(soon_stream_peek(b, 2, &slice)), 4);
	cr_expect_eq(memcmp(slice.ptr, "cdef", 4), 0);

	cr_assert_eq(AGAIN(soon_stream_reserve(b, 10000, &room)), 0);
	memcpy(room, "12345", 5);
	soon_stream_commit(b, 5);
	cr_assert_eq(AGAIN(soon_stream_reserve(b, 5000, &room)), 0, "that one has to grow");
	soon_stream_commit(b, 0);
	pattern_fill(large, sizeof large, 0);
	cr_expect_eq(AGAIN(soon_stream_write(b, large, sizeof large)), (ssize_t)sizeof large);
	memset(large, 0, sizeof large);
	cr_expect_eq(AGAIN(soon_stream_read(a, buf, 1)), 1);
	cr_expect_eq(AGAIN(soon_stream_peek(a, 20000 + 4, &slice)) >= 20000 + 4, 1);
	cr_expect_eq(memcmp(slice.ptr, "2345", 4), 0);
	soon_stream_consume(a, 4);
	cr_expect_eq(
		AGAIN(soon_stream_read_exact(a, large, sizeof large, NULL)), (ssize_t)sizeof large);
	cr_expect(pattern_is(large, sizeof large, 0));

	cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
	cr_expect_eq(AGAIN(soon_stream_adopt(fds[0], NULL, &c)), 0);
	cr_assert_eq(close(fds[1]), 0);
	cr_expect_eq(soon_stream_close(c), 0);
	cr_expect_eq(soon_stream_close(a), 0);
	cr_expect_eq(soon_stream_close(b), 0);
}

static unsigned reports;

static int report_count(const soon_report *report, void *unused)
{
	(void)report;
	(void)unused;
	reports++;
	return 0;
}

NET_TEST(memory, every_allocation_of_a_stream_may_fail, .timeout = 60)
{
	uint64_t k = 0;
	uint64_t asked;

	soon_on_report(report_count, NULL);
	do {
		uint64_t before = soon_mem_count();
		unsigned fds = fds_open();

		soon_mem_fail_at(++k);
		talk();
		soon_mem_fail_at(0);
		asked = soon_mem_count() - before;
		cr_assert_eq(
			fds_open(), fds, "descriptors leaked with allocation %ju", (uintmax_t)k);
	} while (k <= asked);
	cr_expect_geq(k, 8, "only %ju allocations failed", (uintmax_t)k);
}

static int handle(soon_stream *conn, void *unused)
{
	char line[8];
	ssize_t n;

	(void)unused;
	n = AGAIN(soon_stream_read_until(conn, "\n", line, sizeof line));
	if (n > 0)
		n = AGAIN(soon_stream_write(conn, line, (size_t)n));
	return n < 0 ? (int)n : 0;
}

/* Returns whether the client was served; refused is all right, left waiting is not. */
static bool ask(const char *where)
{
	char answer[8];
	soon_stream *s;
	ssize_t n;

	cr_assert_eq(AGAIN(soon_dial(where, NULL, &s)), 0);
	n = AGAIN(soon_stream_write(s, "ask\n", 4));
	if (n > 0)
		n = soon_within(SOON_S(10), AGAIN(soon_stream_read_exact(s, answer, 4, NULL)));
	cr_assert(n == 4 || n == -ECONNRESET, "%zd", n);
	cr_expect_eq(AGAIN(soon_stream_close(s)), 0);
	return n == 4;
}

NET_TEST(memory, a_service_lives_on, .timeout = 60)
{
	soon_on_report(report_count, NULL);
	for (uint64_t k = 1; k < 20; k++) {
		char where[SOON_ADDR_TEXT_BYTES];
		soon_service_stats stats = { 0 };
		soon_service service = { .handle = handle, .stats = &stats };
		soon_addr addr;

		SOON_GROUP(g, .name = "service");
		cr_assert_eq(soon_listen("127.0.0.1:0", NULL, &service.listener), 0);
		soon_listener_addr(service.listener, &addr);
		soon_addr_format(&addr, where);
		cr_assert_eq(soon_spawn(&g, soon_serve, &service), 0);
		cr_assert_eq(soon_yield(), 0);
		soon_mem_fail_at(k);
		for (int i = 0; i < 4; i++)
			(void)ask(where);
		soon_mem_fail_at(0);
		cr_expect(ask(where));
		soon_group_drain(&g, SOON_S(10));
		cr_expect_eq(soon_group_close(&g, 0), 0);
		soon_listener_close(service.listener);
		cr_expect_eq(stats.live, 0);
		cr_expect_eq(stats.accepted, 5);
	}
}

SOON_TEST_PLAIN(block, sizes_are_at_least_what_was_asked_for)
{
	static const size_t sizes[] = { 0, 1, 4000, 4096, 5000, 16384, 65536, 81920, 1000000 };

	soon__blocks_hold();
	for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
		struct soon__block *block = soon__block_take(sizes[i]);

		cr_assert_not_null(block);
		cr_expect_geq(block->bytes, sizes[i]);
		cr_expect_eq(soon__block_len(block), 0);
		memset(block->data, 1, block->bytes);
		soon__block_give(block);
	}
	soon__block_give(NULL);
	cr_expect_null(soon__block_take(SIZE_MAX));
	soon__blocks_release();
}

SOON_TEST_PLAIN(block, room_moves_or_grows)
{
	struct soon__block *block = NULL;
	struct soon__block *same;
	size_t bytes;

	soon__blocks_hold();
	cr_assert_eq(soon__block_room(&block, 10), 0);
	same = block;
	bytes = block->bytes;
	pattern_fill(block->data, bytes, 0);
	block->end = bytes;
	block->start = bytes - 100;
	cr_assert_eq(soon__block_room(&block, bytes - 100), 0);
	cr_expect_eq(block, same, "it fits once the content is in front");
	cr_expect_eq(soon__block_len(block), 100);
	cr_expect(pattern_is(block->data + block->start, 100, bytes - 100));
	cr_assert_eq(soon__block_room(&block, bytes), 0);
	cr_expect_neq(block->bytes, bytes);
	cr_expect_eq(soon__block_len(block), 100);
	cr_expect(pattern_is(block->data + block->start, 100, bytes - 100));
	cr_expect_eq(soon__block_room(&block, SIZE_MAX - 50), -ENOMEM);
	cr_expect_eq(soon__block_len(block), 100);
	soon__block_give(block);
	soon__blocks_release();
}
