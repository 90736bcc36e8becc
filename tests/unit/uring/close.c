// SPDX-License-Identifier: Apache-2.0
/* Closing a descriptor with operations in flight: they end, their memory is left alone. */
#include <soon/scope.h>

#include "kit_backend.h"

struct reader {
	int fd;
	char buf[16];
	ssize_t rc;
};

static int read_once(struct reader *reader)
{
	reader->rc = soon_read(reader->fd, reader->buf, sizeof(reader->buf));
	return 0;
}

SOON_TEST(close, late_bytes_do_not_land_in_old_buffers)
{
	struct reader reader = { 0 };
	int fds[2], twin;
	SOON_GROUP(g);

	kit_pair(fds);
	twin = dup(fds[0]); /* the socket outlives the descriptor */
	reader.fd = fds[0];
	cr_assert_eq(soon_spawn(&g, read_once, &reader), 0);
	kit_settle();
	cr_assert_eq(soon_close(fds[0]), 0);
	kit_put(fds[1], "late", 4);
	kit_settle();
	cr_assert_eq(soon_group_close(&g, 0), 0);
	cr_assert_eq(reader.rc, -EBADF);
	cr_assert_eq(reader.buf[0], '\0');
	cr_assert_eq(recv(twin, reader.buf, sizeof(reader.buf), MSG_DONTWAIT), 4);
	cr_assert_eq(soon_close(twin), 0);
	cr_assert_eq(soon_close(fds[1]), 0);
}

SOON_TEST(close, many_operations_on_one_descriptor)
{
	static struct reader readers[50];
	int fds[2];
	SOON_GROUP(g);

	kit_pair(fds);
	for (int i = 0; i < 50; i++) {
		readers[i].fd = fds[0];
		cr_assert_eq(soon_spawn(&g, read_once, &readers[i]), 0);
	}
	kit_settle();
	cr_assert_eq(soon_close(fds[0]), 0);
	cr_assert_eq(soon_group_close(&g, 0), 0);
	for (int i = 0; i < 50; i++)
		cr_assert_eq(readers[i].rc, -EBADF);
	cr_assert_eq(soon_close(fds[1]), 0);
}

SOON_TEST(close, number_used_again_is_another_file)
{
	for (int i = 0; i < 50; i++) {
		struct reader old = { 0 }, new = { 0 };
		int a[2], b[2];
		SOON_GROUP(g);

		kit_pair(a);
		old.fd = a[0];
		cr_assert_eq(soon_spawn(&g, read_once, &old), 0);
		cr_assert_eq(soon_yield(), 0);
		cr_assert_eq(soon_close(a[0]), 0);
		kit_pair(b);
		cr_assert_eq(b[0], a[0], "the lowest number is taken first");
		new.fd = b[0];
		cr_assert_eq(soon_spawn(&g, read_once, &new), 0);
		kit_put(b[1], "new", 3);
		cr_assert_eq(soon_group_close(&g, 0), 0);
		cr_assert_eq(old.rc, -EBADF);
		cr_assert_eq(new.rc, 3);
		kit_close_both(b);
		cr_assert_eq(soon_close(a[1]), 0);
	}
}

/* Readers come and are cancelled or served at random; descriptors are closed under them. */
static int storm(void *unused)
{
	unsigned seed = 1;

	(void)unused;
	for (int round = 0; round < 200; round++) {
		static struct reader readers[8];
		int fds[2];
		SOON_GROUP(g);

		kit_pair(fds);
		for (int i = 0; i < 8; i++) {
			readers[i] = (struct reader){ .fd = fds[0] };
			cr_assert_eq(soon_spawn(&g, read_once, &readers[i]), 0);
		}
		for (unsigned i = seed % 3; i > 0; i--)
			cr_assert_eq(soon_yield(), 0);
		if (seed % 5 < 3)
			kit_put(fds[1], "four", 4);
		if (seed % 7 < 2)
			soon_group_cancel(&g, "storm");
		cr_assert_eq(soon_close(fds[0]), 0);
		cr_assert_eq(soon_close(fds[1]), 0);
		cr_assert_eq(soon_group_close(&g, 0), 0);
		for (int i = 0; i < 8; i++) {
			ssize_t rc = readers[i].rc;

			cr_assert(rc == 4 || rc == -EBADF || rc == -ECANCELED || rc == 0 ||
					rc == -ECONNRESET,
				"%zd", rc);
		}
		seed = seed * 1103515245u + 12345u;
	}
	return 0;
}

SOON_TEST(close, storm)
{
	unsigned before = kit_fd_count();

	cr_assert_eq(storm(NULL), 0);
	cr_assert_eq(kit_fd_count(), before);
	if (kit_is_on_ring())
		cr_assert_eq(soon__ring_self()->stats.stale_count, 0);
}

SOON_TEST_PLAIN(close, storm_on_a_tiny_ring)
{
	soon__ring_tuning = (struct soon__ring_tuning){ .sq_count = 1, .cq_count = 2 };
	cr_assert_eq(soon_run(storm, NULL), 0);
}

struct racer {
	int fd;
	ssize_t rc;
};

static int accept_under_deadline(struct racer *racer)
{
	racer->rc = soon_within(SOON_US(50), soon_accept(racer->fd, NULL, NULL, 0));
	return 0;
}

/* A deadline and a client race: whoever wins, no descriptor is lost. */
SOON_TEST(close, accept_racing_its_deadline_loses_nothing)
{
	unsigned before = kit_fd_count();
	struct sockaddr_in addr;
	int listener = kit_listen(512, &addr);
	unsigned served = 0, missed = 0;

	for (int i = 0; i < 300; i++) {
		struct racer racer = { .fd = listener };
		int client;
		SOON_GROUP(g);

		cr_assert_eq(soon_spawn(&g, accept_under_deadline, &racer), 0);
		(void)!soon_yield();
		if (i % 3 > 0)
			cr_assert_eq(soon_sleep(SOON_US(30 + i % 50)), 0);
		client = kit_connect(&addr);
		cr_assert_eq(soon_group_close(&g, 0), 0);
		if (racer.rc >= 0) {
			served++;
			cr_assert_eq(soon_close((int)racer.rc), 0);
		} else {
			cr_assert_eq(racer.rc, -ETIMEDOUT);
			missed++;
			cr_assert_eq(soon_close(soon_accept(listener, NULL, NULL, 0)), 0);
		}
		cr_assert_eq(soon_close(client), 0);
		cr_assert_eq(kit_fd_count(), before + 1);
	}
	cr_assert_eq(served + missed, 300);
	cr_assert_eq(soon_close(listener), 0);
}

struct two_reads {
	int fd;
	ssize_t first, second;
	char buf[16];
};

static int read_twice(struct two_reads *both)
{
	both->first = soon_read(both->fd, both->buf, sizeof(both->buf));
	both->second = soon_within(KIT_LONG, soon_read(both->fd, both->buf, sizeof(both->buf)));
	return 0;
}

static int write_full_pipe(int fd)
{
	static char byte;

	cr_assert_eq(soon_write(fd, &byte, 1), -EBADF);
	return 0;
}

/* The close waits for the write while the reader, who got his bytes, comes back for more. */
SOON_TEST(close, operation_begun_during_the_close_is_ended_too)
{
	struct two_reads both = { 0 };
	uint64_t completions;
	int fds[2];
	SOON_GROUP(g);

	kit_pair(fds);
	(void)kit_fill(fds[0]);
	both.fd = fds[0];
	cr_assert_eq(soon_spawn(&g, write_full_pipe, fds[0]), 0);
	cr_assert_eq(soon_spawn(&g, read_twice, &both), 0);
	kit_settle();
	completions = kit_completions();
	kit_put(fds[1], "four", 4);
	while (kit_completions() == completions)
		cr_assert_eq(soon_yield(), 0);
	cr_assert_eq(soon_close(fds[0]), 0);
	cr_assert_eq(soon_group_close(&g, 0), 0);
	cr_assert_eq(both.first, 4);
	cr_assert_eq(both.second, -EBADF);
	cr_assert_eq(soon_close(fds[1]), 0);
}

static int close_too(int fd)
{
	cr_assert_eq(soon_close(fd), -EBADF);
	return 0;
}

SOON_TEST(close, second_close_meanwhile_is_refused)
{
	int fds[2];
	SOON_GROUP(g);

	kit_pair(fds);
	(void)kit_fill(fds[0]);
	cr_assert_eq(soon_spawn(&g, write_full_pipe, fds[0]), 0);
	kit_settle();
	cr_assert_eq(soon_spawn(&g, close_too, fds[0]), 0);
	cr_assert_eq(soon_close(fds[0]), 0);
	cr_assert_eq(soon_group_close(&g, 0), 0);
	cr_assert_eq(soon_close(fds[1]), 0);
}
