// SPDX-License-Identifier: Apache-2.0
/*
 * What can go wrong with an epoll set: readiness that nobody waits for, several who wait, cancels
 * and wakes in between. The other suites run on both back ends; these cases always run on this one.
 */
#include <soon/mem.h>
#include <soon/thread.h>

#include "kit_epoll.h"

#include <stdatomic.h>

/* ---- idle means asleep ------------------------------------------------------------------- */

EPOLL_TEST(idle_connections_cost_no_wakes)
{
	soon_receiver receivers[10];
	int fds[10][2];
	soon_slice chunk;

	(void)unused;
	for (int i = 0; i < 10; i++) {
		kit_pair(fds[i]);
		soon_receiver_init(&receivers[i], fds[i][0]);
		cr_assert_eq(soon_receiver_try_next(&receivers[i], &chunk), -EAGAIN);
	}
	cr_assert_lt(wakes_in_a_while(), 10);
	cr_assert_eq(soon__epoll_self()->stats.event_count, 0);
	for (int i = 0; i < 10; i++) {
		soon_receiver_fini(&receivers[i]);
		kit_close_both(fds[i]);
	}
	return 0;
}

EPOLL_TEST(what_nobody_waits_for_is_quiet)
{
	int fds[2];

	(void)unused;
	kit_pair(fds);
	wait_in_vain(fds[0]);
	kit_put(fds[1], "x", 1);
	cr_assert_lt(wakes_in_a_while(), 10, "bytes");
	cr_assert_eq(close(fds[1]), 0);
	cr_assert_lt(wakes_in_a_while(), 10, "a hangup");
	cr_assert_eq(read_one(fds[0]), 'x');
	cr_assert_eq(read_one(fds[0]), 0);
	cr_assert_eq(soon_close(fds[0]), 0);
	return 0;
}

EPOLL_TEST(reader_that_lags_sleeps_through_a_hangup)
{
	static char data[16 * 8192];
	soon_receiver receiver;
	soon_slice chunk;
	int fds[2];
	size_t total = 0;
	ssize_t n;

	(void)unused;
	kit_pair(fds);
	soon_receiver_init(&receiver, fds[0]);
	cr_assert_eq(soon_receiver_try_next(&receiver, &chunk), -EAGAIN);
	kit_put(fds[1], data, sizeof(data));
	cr_assert_eq(close(fds[1]), 0);
	cr_assert_lt(wakes_in_a_while(), 20);
	while ((n = soon_within(KIT_LONG, soon_receiver_next(&receiver, &chunk))) > 0) {
		total += (size_t)n;
		soon_receiver_return(&receiver, chunk);
	}
	cr_assert_eq(n, 0);
	cr_assert_eq(total, sizeof(data));
	soon_receiver_fini(&receiver);
	cr_assert_eq(soon_close(fds[0]), 0);
	return 0;
}

EPOLL_TEST(waiting_writer_does_not_wake_for_bytes)
{
	struct reader reader;
	char byte = 0;
	int fds[2];

	(void)unused;
	kit_pair(fds);
	(void)kit_fill(fds[0]);
	cr_assert_eq(soon_within(KIT_SHORT, soon_send(fds[0], &byte, 1, 0)), -ETIMEDOUT);
	kit_put(fds[1], "abc", 3);
	cr_assert_lt(wakes_in_a_while(), 10);
	reader.fd = fds[0];
	cr_assert_eq(read_and_note(&reader), 0);
	cr_assert_eq(reader.rc, 'a');
	kit_close_both(fds);
	return 0;
}

/* ---- several who wait -------------------------------------------------------------------- */

EPOLL_TEST(many_readers_are_served_in_order)
{
	static struct reader readers[50];
	int fds[2];
	SOON_GROUP(g);

	(void)unused;
	kit_pipe(fds);
	for (int i = 0; i < 50; i++) {
		readers[i] = (struct reader){ .fd = fds[0] };
		cr_assert_eq(soon_spawn(&g, read_and_note, &readers[i]), 0);
	}
	kit_settle();
	for (int i = 0; i < 50; i++) {
		char byte = (char)(i + 1);

		cr_assert_eq(write(fds[1], &byte, 1), 1);
		if (i % 7 == 0)
			kit_settle();
	}
	cr_assert_eq(soon_group_close(&g, 0), 0);
	for (int i = 0; i < 50; i++)
		cr_assert_eq(readers[i].rc, i + 1);
	kit_close_both(fds);
	return 0;
}

static int send_one(int fd)
{
	return (int)soon_within(KIT_LONG, soon_send(fd, "y", 1, 0)) == 1 ? 0 : -EIO;
}

EPOLL_TEST(both_directions_of_one_descriptor)
{
	static char sink[1 << 20];
	struct reader reader;
	int fds[2];
	SOON_GROUP(g);

	(void)unused;
	kit_pair(fds);
	(void)kit_fill(fds[0]);
	reader = (struct reader){ .fd = fds[0] };
	cr_assert_eq(soon_spawn(&g, send_one, fds[0]), 0);
	cr_assert_eq(soon_spawn(&g, read_and_note, &reader), 0);
	kit_settle();
	kit_put(fds[1], "r", 1);
	while (reader.rc == 0)
		cr_assert_eq(soon_yield(), 0);
	cr_assert_eq(reader.rc, 'r');
	cr_assert_gt(recv(fds[1], sink, sizeof(sink), 0), 0);
	cr_assert_eq(soon_group_close(&g, 0), 0);
	kit_close_both(fds);
	return 0;
}

static int poll_for_room(int fd)
{
	return soon_poll_fd(fd, POLLOUT) == POLLOUT ? 0 : -EIO;
}

EPOLL_TEST(polls_beside_a_receiver)
{
	soon_receiver receiver;
	soon_slice chunk;
	char sink[4096];
	int fds[2];
	SOON_GROUP(g);

	(void)unused;
	kit_pair(fds);
	(void)kit_fill(fds[0]);
	soon_receiver_init(&receiver, fds[0]);
	cr_assert_eq(soon_receiver_try_next(&receiver, &chunk), -EAGAIN);
	cr_assert_eq(soon_spawn(&g, poll_for_room, fds[0]), 0);
	cr_assert_eq(soon_spawn(&g, poll_for_room, fds[0]), 0);
	kit_settle();
	kit_put(fds[1], "z", 1);
	cr_assert_eq(soon_within(KIT_LONG, soon_receiver_next(&receiver, &chunk)), 1);
	soon_receiver_return(&receiver, chunk);
	while (recv(fds[1], sink, sizeof(sink), MSG_DONTWAIT) > 0)
		continue;
	cr_assert_eq(soon_group_close(&g, 0), 0);
	cr_assert_lt(wakes_in_a_while(), 10, "room that nobody waits for any more");
	soon_receiver_fini(&receiver);
	kit_close_both(fds);
	return 0;
}

/* ---- races ------------------------------------------------------------------------------- */

static int read_count(struct reader *reader)
{
	char byte;
	ssize_t n = soon_read(reader->fd, &byte, 1);

	reader->rc += n == 1;
	return n == 1 || n == -ECANCELED ? 0 : (int)n;
}

/* The byte and the cancel in either order, in all distances: it is read, or still there. */
EPOLL_TEST(cancel_races_readiness)
{
	struct reader reader = { 0 };
	char byte;
	int fds[2];

	(void)unused;
	kit_pair(fds);
	reader.fd = fds[0];
	for (unsigned round = 0; round < 400; round++) {
		ssize_t before = reader.rc;
		SOON_GROUP(g);

		cr_assert_eq(soon_spawn(&g, read_count, &reader), 0);
		for (unsigned i = round % 5; i > 0; i--)
			cr_assert_eq(soon_yield(), 0);
		if (round % 2 == 0)
			kit_put(fds[1], "x", 1);
		for (unsigned i = round / 5 % 12; i > 0; i--)
			cr_assert_eq(soon_yield(), 0);
		soon_group_cancel(&g, "race");
		if (round % 2 != 0)
			kit_put(fds[1], "x", 1);
		cr_assert_eq(soon_group_close(&g, 0), 0);
		cr_assert_eq(recv(fds[0], &byte, 1, MSG_DONTWAIT) == 1, reader.rc == before);
	}
	kit_close_both(fds);
	return 0;
}

EPOLL_TEST(part_that_was_sent_is_told)
{
	static char data[1 << 20];
	int fds[2];
	ssize_t n;

	(void)unused;
	kit_pair(fds);
	n = soon_within(SOON_MS(5), soon_send(fds[0], data, sizeof(data), MSG_WAITALL));
	cr_assert_gt(n, 0, "completion wins, also over a part");
	cr_assert_lt(n, (ssize_t)sizeof(data));
	kit_close_both(fds);
	return 0;
}

EPOLL_TEST(no_memory_to_watch)
{
	struct reader reader;
	int fds[2];
	int high;
	SOON_GROUP(g);

	(void)unused;
	kit_pair(fds);
	high = fcntl(fds[0], F_DUPFD_CLOEXEC, 900);
	cr_assert_geq(high, 900);
	for (unsigned k = 1; k < 3; k++) {
		char byte;
		ssize_t rc;

		soon_mem_fail_at(k);
		rc = soon_within(KIT_SHORT, soon_read(high, &byte, 1));
		soon_mem_fail_at(0);
		cr_assert_eq(rc, -ENOMEM);
	}
	reader = (struct reader){ .fd = high };
	cr_assert_eq(soon_spawn(&g, read_and_note, &reader), 0);
	kit_settle();
	kit_put(fds[1], "m", 1);
	cr_assert_eq(soon_group_close(&g, 0), 0);
	cr_assert_eq(reader.rc, 'm');
	cr_assert_eq(soon_close(high), 0);
	kit_close_both(fds);
	return 0;
}

/* ---- waking ------------------------------------------------------------------------------ */

struct storm {
	soon_core *core;
	soon_callback callback;
	atomic_bool is_over;
	unsigned run;
};

static void count_run(soon_callback *callback)
{
	SOON_CONTAINER_OF(callback, struct storm, callback)->run++;
}

static void *post_storm(void *arg)
{
	struct storm *storm = arg;

	for (int i = 0; i < 20000; i++)
		cr_assert_eq(soon_post(storm->core, &storm->callback), 0);
	atomic_store(&storm->is_over, true);
	return NULL;
}

EPOLL_TEST(storm_of_wakes)
{
	struct storm storm = { .core = soon_core_self(), .callback.fn = count_run };
	struct reader reader;
	pthread_t thread;
	int fds[2];
	SOON_GROUP(g);

	(void)unused;
	kit_pair(fds);
	reader = (struct reader){ .fd = fds[0] };
	cr_assert_eq(soon_spawn(&g, read_and_note, &reader), 0);
	kit_settle();
	cr_assert_eq(pthread_create(&thread, NULL, post_storm, &storm), 0);
	while (!atomic_load(&storm.is_over))
		cr_assert_eq(soon_sleep(SOON_US(100)), 0);
	cr_assert_gt(storm.run, 0);
	cr_assert_eq(pthread_join(thread, NULL), 0);
	kit_put(fds[1], "w", 1);
	cr_assert_eq(soon_group_close(&g, 0), 0);
	cr_assert_eq(reader.rc, 'w');
	cr_assert_lt(wakes_in_a_while(), 10, "the bell is quiet again");
	kit_close_both(fds);
	return 0;
}

static int sleeps_app(void *unused)
{
	int fds[2];

	(void)unused;
	kit_pair(fds);
	for (int i = 0; i < 10; i++) {
		soon_ns begin = soon_now();
		char byte;

		cr_assert_eq(soon_within(SOON_US(1500), soon_read(fds[0], &byte, 1)), -ETIMEDOUT);
		cr_assert_geq(soon_now() - begin, SOON_US(1500));
	}
	kit_close_both(fds);
	return 0;
}

EPOLL_TEST(deadlines_are_not_early)
{
	return sleeps_app(unused);
}

SOON_TEST_PLAIN(epoll, deadlines_by_milliseconds)
{
	soon__ring_tuning = (struct soon__ring_tuning){ .epoll_pwait2_off = true };
	cr_assert_eq(soon_run_with(&(soon_opts){ .io = SOON_IO_EPOLL }, sleeps_app, NULL), 0);
}

static int yield_on(const bool *is_over)
{
	while (!*is_over)
		cr_assert_eq(soon_yield(), 0);
	return 0;
}

/* Tasks that are always ready do not keep the kernel from being asked. */
EPOLL_TEST(busy_tasks_do_not_starve_input)
{
	struct reader reader;
	bool is_over = false;
	int fds[2];
	SOON_GROUP(g);

	(void)unused;
	kit_pair(fds);
	reader = (struct reader){ .fd = fds[0] };
	cr_assert_eq(soon_spawn(&g, yield_on, &is_over), 0);
	cr_assert_eq(soon_spawn(&g, read_and_note, &reader), 0);
	kit_settle();
	kit_put(fds[1], "b", 1);
	while (reader.rc == 0)
		cr_assert_eq(soon_yield(), 0);
	is_over = true;
	cr_assert_eq(soon_group_close(&g, 0), 0);
	cr_assert_eq(reader.rc, 'b');
	kit_close_both(fds);
	return 0;
}
