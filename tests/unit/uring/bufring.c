// SPDX-License-Identifier: Apache-2.0
/* The pool of buffers by itself: who owns what, and how the goal follows the load. */
#include "bufring.h"

#include "kit.h"
#include "support/death.h"

#include <liburing.h>

static struct soon__bufs bufs;

/* The kernel's side: fills the oldest provided buffer and names it. */
static unsigned kernel_fills(unsigned id, uint32_t len)
{
	cr_assert_eq(soon__bufs_take(&bufs, id, len), 0);
	return id;
}

SOON_TEST_PLAIN(bufring, a_buffer_goes_round)
{
	const char *ptr;

	cr_assert_eq(soon__bufs_init(&bufs, 8, 2), 0);
	soon__bufs_refill(&bufs);
	cr_assert_eq(bufs.provided, 2);
	ptr = soon__bufs_lend(&bufs, kernel_fills(0, 100));
	cr_assert_eq(bufs.buf[0].len, 100);
	cr_assert_eq(bufs.provided, 1);
	((char *)(uintptr_t)ptr)[99] = 'x';
	soon__bufs_return(&bufs, ptr + 99);
	cr_assert_eq(bufs.free_count, 1);
	cr_assert_eq(kernel_fills(1, 0), 1);
	cr_assert_eq(bufs.free_count, 2);
	soon__bufs_fini(&bufs);
	soon__bufs_fini(&bufs);
}

SOON_TEST_PLAIN(bufring, last_used_is_provided_first)
{
	const char *ptr;

	cr_assert_eq(soon__bufs_init(&bufs, 64, 4), 0);
	for (unsigned i = 0; i < 20; i++) {
		soon__bufs_refill(&bufs);
		ptr = soon__bufs_lend(&bufs, kernel_fills(i % 4, 1));
		soon__bufs_return(&bufs, ptr);
	}
	cr_assert_eq(bufs.fresh, 4, "others were taken than those still in the cache");
	soon__bufs_fini(&bufs);
}

SOON_TEST_PLAIN(bufring, goal_follows_the_load)
{
	cr_assert_eq(soon__bufs_init(&bufs, 256, 4), 0);
	soon__bufs_refill(&bufs);
	/* The kernel found none: twice as many. */
	for (unsigned goal = 4; goal < 256; goal *= 2) {
		bufs.is_dry = true;
		soon__bufs_refill(&bufs);
		cr_assert_eq(bufs.goal, goal * 2);
		cr_assert_eq(bufs.provided, goal * 2);
	}
	bufs.is_dry = true;
	soon__bufs_refill(&bufs);
	cr_assert_eq(bufs.goal, 256);
	/* One at a time: as few as eight times that. The ring gives them out in turn. */
	for (unsigned i = 0; i < 100000; i++) {
		unsigned id = bufs.ring->bufs[(uint16_t)(bufs.tail - bufs.provided) & 255].bid;

		(void)kernel_fills(id, 0);
		soon__bufs_refill(&bufs);
	}
	cr_assert_eq(bufs.goal, 8);
	cr_assert_leq(bufs.provided, 8);
	soon__bufs_fini(&bufs);
}

SOON_TEST_PLAIN(bufring, kernel_names_what_it_does_not_have)
{
	struct kit_reports reports;

	kit_reports_keep(&reports);
	cr_assert_eq(soon__bufs_init(&bufs, 4, 2), 0);
	soon__bufs_refill(&bufs);
	(void)kernel_fills(1, 5);
	cr_assert_eq(soon__bufs_take(&bufs, 1, 5), -EIO); /* twice */
	cr_assert_eq(soon__bufs_take(&bufs, 3, 5), -EIO); /* never provided */
	cr_assert_eq(soon__bufs_take(&bufs, 4, 5), -EIO); /* none of ours */
	cr_assert_eq(soon__bufs_take(&bufs, 0, SOON__BUF_BYTES + 1), -EIO);
	cr_assert_eq(bufs.mismatch_count, 4);
	cr_assert_eq(bufs.provided, 1);
	cr_assert_eq(reports.count, 4);
	soon_test_reports_expected = 4;
	soon__bufs_fini(&bufs);
}

SOON_TEST_PLAIN(bufring, distances_spread_over_the_cache)
{
	const char *a, *b;

	cr_assert_eq(soon__bufs_init(&bufs, 4, 4), 0);
	soon__bufs_refill(&bufs);
	a = soon__bufs_lend(&bufs, kernel_fills(0, 1));
	b = soon__bufs_lend(&bufs, kernel_fills(1, 1));
	cr_assert_geq(b - a, SOON__BUF_BYTES);
	cr_assert_neq((b - a) % 4096, 0);
	soon__bufs_return(&bufs, a);
	soon__bufs_return(&bufs, b);
	soon__bufs_fini(&bufs);
}

static void return_what_is_free(void)
{
	const char *ptr;

	(void)!soon__bufs_init(&bufs, 4, 4);
	soon__bufs_refill(&bufs);
	ptr = soon__bufs_lend(&bufs, kernel_fills(0, 1));
	soon__bufs_return(&bufs, ptr);
	soon__bufs_return(&bufs, ptr);
}

static void return_what_is_not_ours(void)
{
	char mine = 'x';

	(void)!soon__bufs_init(&bufs, 4, 4);
	soon__bufs_return(&bufs, &mine);
}

SOON_TEST_PLAIN(bufring, wrong_returns_abort)
{
	ASSERT_ABORTS(return_what_is_free, "SOON__BUF_LENT");
	ASSERT_ABORTS(return_what_is_not_ours, "soon__bufs_return");
}
