// SPDX-License-Identifier: Apache-2.0
/* Sending against the real kernel, each case with tried sends and with plain ones. */
#include <soon/scope.h>

#include "kit_backend.h"

#define LONG_BYTES (1u << 20)

/* Runs a case twice: with sends that are tried first, and without. */
#define SENDER_TEST(name)                                                                          \
	static int name##_app(void *unused);                                                       \
	SOON_TEST_PLAIN(sender, name)                                                              \
	{                                                                                          \
		cr_assert_eq(soon_run(name##_app, NULL), 0);                                       \
		soon__ring_tuning = (struct soon__ring_tuning){ .try_off = true };                 \
		cr_assert_eq(soon_run(name##_app, NULL), 0);                                       \
	}                                                                                          \
	static int name##_app(void *unused)

static char long_data[LONG_BYTES];

static void fill_long_data(void)
{
	for (size_t i = 0; i < LONG_BYTES; i++)
		long_data[i] = (char)(i * 7 + i / 251);
}

static int wait_soon(soon_sender *sender)
{
	return (int)soon_within(KIT_LONG, soon_sender_wait(sender));
}

SENDER_TEST(sends_and_goes_on)
{
	soon_sender sender;
	char buf[8];
	int fds[2];

	(void)unused;
	kit_pair(fds);
	soon_sender_init(&sender, fds[0]);
	cr_assert_not(soon_sender_is_busy(&sender));
	cr_assert_eq(soon_sender_wait(&sender), 0);
	cr_assert_eq(soon_sender_start(&sender, "abc", 0), 0);
	cr_assert_not(soon_sender_is_busy(&sender));
	cr_assert_eq(soon_sender_start(&sender, "abc", 3), 0);
	cr_assert(soon_sender_is_busy(&sender));
	cr_assert_eq(soon_sender_start(&sender, "def", 3), -EBUSY);
	cr_assert_eq(wait_soon(&sender), 0);
	cr_assert_not(soon_sender_is_busy(&sender));
	cr_assert_eq(recv(fds[1], buf, sizeof(buf), MSG_DONTWAIT), 3);
	cr_assert_eq(memcmp(buf, "abc", 3), 0);

	cr_assert_eq(soon_sender_start(&sender, "def", 3), 0);
	kit_settle();
	cr_assert_not(soon_sender_is_busy(&sender), "nobody has to wait for it to end");
	soon_sender_fini(&sender);
	soon_sender_fini(&sender);
	soon_sender_fini(NULL);
	kit_close_both(fds);
	return 0;
}

static int read_long_data(int fd)
{
	static char buf[LONG_BYTES];
	size_t done = 0;

	cr_assert_eq(soon_read_full(fd, buf, sizeof(buf), &done), sizeof(buf));
	cr_assert_eq(memcmp(buf, long_data, sizeof(buf)), 0);
	return 0;
}

SENDER_TEST(continues_partial_sends)
{
	soon_sender sender;
	int fds[2];
	SOON_GROUP(g);

	(void)unused;
	fill_long_data();
	kit_pair(fds);
	soon_sender_init(&sender, fds[0]);
	cr_assert_eq(soon_sender_start(&sender, long_data, LONG_BYTES), 0);
	kit_settle();
	cr_assert(soon_sender_is_busy(&sender));
	cr_assert_eq(soon_sender_start(&sender, "x", 1), -EBUSY);
	cr_assert_eq(soon_spawn(&g, read_long_data, fds[1]), 0);
	cr_assert_eq(wait_soon(&sender), 0);
	cr_assert_eq(soon_group_close(&g, 0), 0);
	soon_sender_fini(&sender);
	kit_close_both(fds);
	return 0;
}

SENDER_TEST(continues_partial_vectors)
{
	struct iovec iov[5];
	soon_sender sender;
	int fds[2];
	SOON_GROUP(g);

	(void)unused;
	fill_long_data();
	kit_pair(fds);
	soon_sender_init(&sender, fds[0]);
	iov[0] = (struct iovec){ long_data, 1 };
	iov[1] = (struct iovec){ NULL, 0 };
	iov[2] = (struct iovec){ long_data + 1, 300000 };
	iov[3] = (struct iovec){ long_data + 300001, 7 };
	iov[4] = (struct iovec){ long_data + 300008, LONG_BYTES - 300008 };
	cr_assert_eq(soon_sender_startv(&sender, iov, 5), 0);
	kit_settle();
	cr_assert(soon_sender_is_busy(&sender));
	cr_assert_eq(soon_spawn(&g, read_long_data, fds[1]), 0);
	cr_assert_eq(wait_soon(&sender), 0);
	cr_assert_eq(soon_group_close(&g, 0), 0);
	cr_assert_eq(soon_sender_startv(&sender, iov, 0), 0);
	cr_assert_not(soon_sender_is_busy(&sender));
	soon_sender_fini(&sender);
	kit_close_both(fds);
	return 0;
}

SENDER_TEST(failure_stays)
{
	soon_sender sender;
	int fds[2];

	(void)unused;
	kit_pair(fds);
	soon_sender_init(&sender, fds[0]);
	cr_assert_eq(soon_close(fds[1]), 0);
	cr_assert_eq(soon_sender_start(&sender, "x", 1), 0);
	cr_assert_eq(wait_soon(&sender), -EPIPE);
	cr_assert_eq(soon_sender_start(&sender, "x", 1), -EPIPE);
	cr_assert_eq(soon_sender_wait(&sender), -EPIPE);
	soon_sender_fini(&sender);
	cr_assert_eq(soon_close(fds[0]), 0);
	return 0;
}

SENDER_TEST(cancelled_wait_leaves_it_in_flight)
{
	soon_sender sender;
	int fds[2];
	SOON_GROUP(g);

	(void)unused;
	fill_long_data();
	kit_pair(fds);
	soon_sender_init(&sender, fds[0]);
	cr_assert_eq(soon_sender_start(&sender, long_data, LONG_BYTES), 0);
	cr_assert_eq(soon_within(KIT_SHORT, soon_sender_wait(&sender)), -ETIMEDOUT);
	cr_assert(soon_sender_is_busy(&sender));
	cr_assert_eq(soon_spawn(&g, read_long_data, fds[1]), 0);
	cr_assert_eq(wait_soon(&sender), 0);
	cr_assert_eq(soon_group_close(&g, 0), 0);
	soon_sender_fini(&sender);
	kit_close_both(fds);
	return 0;
}

/* How much of the stream arrived at `fd`. */
static size_t count_arrived(int fd)
{
	static char buf[65536];
	size_t total = 0;
	ssize_t n;

	while ((n = recv(fd, buf, sizeof(buf), MSG_DONTWAIT)) > 0)
		total += (size_t)n;
	return total;
}

SENDER_TEST(stop_tells_what_is_left)
{
	soon_sender sender;
	char byte;
	int fds[2];
	size_t rest;

	(void)unused;
	kit_pair(fds);
	soon_sender_init(&sender, fds[0]);
	cr_assert_eq(soon_sender_stop(&sender), 0);
	cr_assert_eq(soon_sender_start(&sender, long_data, LONG_BYTES), 0);
	kit_settle();
	rest = soon_sender_stop(&sender);
	cr_assert_gt(rest, 0);
	cr_assert_eq(count_arrived(fds[1]) + rest, LONG_BYTES);
	cr_assert_eq(soon_sender_start(&sender, "z", 1), 0);
	cr_assert_eq(wait_soon(&sender), 0);
	cr_assert_eq(recv(fds[1], &byte, 1, MSG_DONTWAIT), 1);
	cr_assert_eq(byte, 'z');
	/* Before the kernel has seen it: either all of it went or nothing. */
	cr_assert_eq(soon_sender_start(&sender, "ab", 2), 0);
	rest = soon_sender_stop(&sender);
	cr_assert_eq(count_arrived(fds[1]) + rest, 2);
	soon_sender_fini(&sender);
	kit_close_both(fds);
	return 0;
}

SENDER_TEST(fini_cuts_it_short)
{
	soon_sender sender;
	int fds[2];
	size_t arrived;

	(void)unused;
	kit_pair(fds);
	soon_sender_init(&sender, fds[0]);
	cr_assert_eq(soon_sender_start(&sender, long_data, LONG_BYTES), 0);
	kit_settle();
	soon_sender_fini(&sender);
	arrived = count_arrived(fds[1]);
	cr_assert_lt(arrived, LONG_BYTES);
	kit_settle();
	cr_assert_eq(count_arrived(fds[1]), 0, "it went on after its end");
	kit_close_both(fds);
	return 0;
}

static int wait_and_fail(soon_sender *sender)
{
	return soon_sender_wait(sender);
}

SENDER_TEST(close_by_another_task)
{
	soon_sender sender;
	int fds[2];
	SOON_GROUP(g, .policy = SOON_WAIT_ALL);

	(void)unused;
	kit_pair(fds);
	soon_sender_init(&sender, fds[0]);
	cr_assert_eq(soon_sender_start(&sender, long_data, LONG_BYTES), 0);
	cr_assert_eq(soon_spawn(&g, wait_and_fail, &sender), 0);
	kit_settle();
	cr_assert_eq(soon_sender_wait(&sender), -EBUSY);
	cr_assert_eq(soon_close(fds[0]), 0);
	cr_assert_eq(soon_group_close(&g, 0), -EBADF);
	cr_assert_eq(soon_sender_start(&sender, "x", 1), -EBADF);
	soon_sender_fini(&sender);
	cr_assert_eq(soon_close(fds[1]), 0);
	return 0;
}

static unsigned chained;

/* Sends the same again until ten have gone. */
static void send_next(soon_sender *sender, int rc)
{
	cr_assert_eq(rc, 0);
	cr_assert_null(soon_self());
	if (++chained < 10)
		cr_assert_eq(soon_sender_start(sender, "x", 1), 0);
}

SENDER_TEST(end_can_start_the_next)
{
	soon_sender sender;
	int fds[2];

	(void)unused;
	chained = 0;
	kit_pair(fds);
	soon_sender_init(&sender, fds[0]);
	soon_sender_on_end(&sender, send_next);
	cr_assert_eq(soon_sender_start(&sender, "x", 1), 0);
	cr_assert_eq(chained, 0);
	for (int i = 0; i < 1000 && chained < 10; i++)
		cr_assert_eq(soon_yield(), 0);
	cr_assert_eq(chained, 10);
	cr_assert_eq(count_arrived(fds[1]), 10);
	soon_sender_on_end(&sender, NULL);
	soon_sender_fini(&sender);
	kit_close_both(fds);
	return 0;
}

static int hurry_app(void *unused)
{
	soon_sender sender;
	char byte;
	int fds[2];

	(void)unused;
	chained = 0;
	kit_pair(fds);
	soon_sender_init(&sender, fds[0]);
	soon_sender_on_end(&sender, send_next);
	soon_sender_hurry(&sender); /* nothing in flight: nothing to hurry */
	cr_assert_eq(soon_sender_start(&sender, "x", 1), 0);
	soon_sender_hurry(&sender);
	/* The whole core sleeps in this wait; the chain must go on all the same. */
	cr_assert_eq(soon_within(SOON_MS(50), soon_read(fds[0], &byte, 1)), -ETIMEDOUT);
	cr_assert_eq(chained, 10);
	soon_sender_fini(&sender);
	kit_close_both(fds);
	return 0;
}

SOON_TEST_PLAIN(sender, hurried_end_needs_no_other_event)
{
	cr_assert_eq(soon_run(hurry_app, NULL), 0);
}

SOON_TEST(sender, kernel_confirms_that_sends_can_be_tried)
{
	KIT_RING_ONLY("by a system call every send is tried");
	/* On a kernel where this fails, the other cases still have to pass. */
	cr_assert(soon__io_self()->has_try);
}

SOON_TEST(sender, a_try_costs_no_completion)
{
	soon_sender sender;
	int fds[2];
	uint64_t completions;

	kit_pair(fds);
	soon_sender_init(&sender, fds[0]);
	completions = kit_completions();
	for (int i = 0; i < 10; i++) {
		cr_assert_eq(soon_sender_start(&sender, "x", 1), 0);
		cr_assert_eq(wait_soon(&sender), 0);
	}
	cr_assert_eq(kit_completions(), completions);
	cr_assert_eq(count_arrived(fds[1]), 10);
	soon_sender_fini(&sender);
	kit_close_both(fds);
}
