// SPDX-License-Identifier: Apache-2.0
/*
 * What can go wrong with an epoll set: numbers that mean another file by now, files that others
 * hold open, readiness that nobody waits for, descriptors that block. The other suites run on both
 * back ends; these cases always run on this one.
 */
#include <soon/file.h>
#include <soon/mem.h>
#include <soon/scope.h>
#include <soon/thread.h>

#include "kit_backend.h"

#include <stdatomic.h>
#include <sys/un.h>

#define EPOLL_TEST(name)                                                                           \
	static int name##_app(void *unused);                                                       \
	SOON_TEST_PLAIN(epoll, name)                                                               \
	{                                                                                          \
		cr_assert_eq(                                                                      \
			soon_run_with(&(soon_opts){ .io = SOON_IO_EPOLL }, name##_app, NULL), 0);  \
	}                                                                                          \
	static int name##_app(void *unused)

/* How often a sleep of a while was interrupted. A spin would be thousands. */
static uint64_t wakes_in_a_while(void)
{
	uint64_t before = soon__epoll_self()->stats.wait_count;

	cr_assert_eq(soon_sleep(SOON_MS(50)), 0);
	return soon__epoll_self()->stats.wait_count - before;
}

static ssize_t read_one(int fd)
{
	char byte = 0;
	ssize_t n = soon_within(KIT_LONG, soon_read(fd, &byte, 1));

	return n == 1 ? byte : n;
}

/* Waits on the descriptor for a moment, so that the kernel was asked to watch it. */
static void wait_in_vain(int fd)
{
	char byte;

	cr_assert_eq(soon_within(KIT_SHORT, soon_read(fd, &byte, 1)), -ETIMEDOUT);
}

struct reader {
	int fd;
	ssize_t rc;
};

static int read_and_note(struct reader *reader)
{
	reader->rc = read_one(reader->fd);
	return 0;
}

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

/* ---- numbers and files ------------------------------------------------------------------- */

EPOLL_TEST(number_reused_behind_our_back)
{
	struct reader reader;
	int old[2], now[2];
	SOON_GROUP(g);

	(void)unused;
	kit_pipe(old);
	wait_in_vain(old[0]);
	cr_assert_eq(close(old[0]), 0);
	kit_pipe(now);
	cr_assert_eq(now[0], old[0], "the lowest free number");
	reader = (struct reader){ .fd = now[0] };
	cr_assert_eq(soon_spawn(&g, read_and_note, &reader), 0);
	kit_settle();
	cr_assert_eq(write(now[1], "n", 1), 1);
	cr_assert_eq(soon_group_close(&g, 0), 0);
	cr_assert_eq(reader.rc, 'n');
	kit_close_both(now);
	cr_assert_eq(soon_close(old[1]), 0);
	return 0;
}

EPOLL_TEST(number_reused_by_a_file_of_a_disk)
{
	char name[] = "/tmp/soon-epoll-XXXXXX";
	int old[2], fd;
	char byte;

	(void)unused;
	kit_pipe(old);
	wait_in_vain(old[0]);
	cr_assert_eq(close(old[0]), 0);
	fd = mkstemp(name);
	cr_assert_eq(fd, old[0]);
	cr_assert_eq(unlink(name), 0);
	cr_assert_eq(soon_within(KIT_LONG, soon_write(fd, "d", 1)), 1);
	cr_assert_eq(soon_within(KIT_LONG, soon_pread(fd, &byte, 1, 0)), 1);
	cr_assert_eq(byte, 'd');
	cr_assert_eq(soon_close(fd), 0);
	cr_assert_eq(soon_close(old[1]), 0);
	return 0;
}

EPOLL_TEST(file_that_another_number_holds_open)
{
	int fds[2];
	int other;

	(void)unused;
	kit_pair(fds);
	wait_in_vain(fds[0]);
	other = dup(fds[0]);
	cr_assert_eq(close(fds[0]), 0);
	kit_put(fds[1], "o", 1);
	cr_assert_lt(wakes_in_a_while(), 10, "the kernel still has the closed number");
	cr_assert_eq(read_one(other), 'o');
	cr_assert_eq(close(fds[1]), 0);
	cr_assert_lt(wakes_in_a_while(), 10);
	cr_assert_eq(soon_close(other), 0);
	return 0;
}

EPOLL_TEST(same_file_comes_back_to_its_number)
{
	struct reader reader;
	int fds[2];
	int other;
	SOON_GROUP(g);

	(void)unused;
	kit_pair(fds);
	wait_in_vain(fds[0]);
	other = dup(fds[0]);
	cr_assert_eq(soon_close(fds[0]), 0);
	cr_assert_eq(dup2(other, fds[0]), fds[0]);
	reader = (struct reader){ .fd = fds[0] };
	cr_assert_eq(soon_spawn(&g, read_and_note, &reader), 0);
	kit_settle();
	kit_put(fds[1], "e", 1);
	cr_assert_eq(soon_group_close(&g, 0), 0);
	cr_assert_eq(reader.rc, 'e');
	cr_assert_eq(soon_close(other), 0);
	kit_close_both(fds);
	return 0;
}

EPOLL_TEST(close_while_many_wait)
{
	static struct reader readers[20];
	int fds[2];
	SOON_GROUP(g);

	(void)unused;
	for (int round = 0; round < 50; round++) {
		kit_pair(fds);
		for (int i = 0; i < 20; i++) {
			readers[i] = (struct reader){ .fd = fds[0] };
			cr_assert_eq(soon_spawn(&g, read_and_note, &readers[i]), 0);
		}
		for (int i = 0; i < round % 4; i++)
			cr_assert_eq(soon_yield(), 0);
		if (round % 2 == 0)
			kit_put(fds[1], "ab", 2);
		cr_assert_eq(soon_close(fds[0]), 0);
		while (readers[19].rc == 0)
			cr_assert_eq(soon_yield(), 0);
		for (int i = 0; i < 20; i++)
			cr_assert(readers[i].rc == -EBADF || readers[i].rc == 'a' ||
					readers[i].rc == 'b',
				"%zd", readers[i].rc);
		cr_assert_eq(soon_close(fds[1]), 0);
	}
	cr_assert_eq(soon_group_close(&g, 0), 0);
	return 0;
}

/* ---- descriptors that block -------------------------------------------------------------- */

static int yield_on(const bool *is_over)
{
	while (!*is_over)
		cr_assert_eq(soon_yield(), 0);
	return 0;
}

struct transfer {
	int fd;
	size_t len;
	ssize_t rc;
	bool is_over;
};

static char transfer_data[1 << 20];

static int write_all(struct transfer *transfer)
{
	transfer->rc = soon_write_full(transfer->fd, transfer_data, transfer->len, NULL);
	transfer->is_over = true;
	return 0;
}

/* A pipe in blocking mode, filled far beyond its room: the core must go on meanwhile. */
static int blocking_pipe_app(void *unused)
{
	static char sink[1 << 20];
	struct transfer transfer = { .len = sizeof(transfer_data) };
	size_t total = 0;
	ssize_t n;
	int fds[2];
	SOON_GROUP(g);

	(void)unused;
	kit_pipe(fds);
	transfer.fd = fds[1];
	wait_in_vain(fds[0]);
	cr_assert_eq(soon_spawn(&g, write_all, &transfer), 0);
	while (total < sizeof(transfer_data)) {
		n = soon_within(KIT_LONG, soon_read(fds[0], sink, sizeof(sink)));
		cr_assert_gt(n, 0);
		total += (size_t)n;
	}
	cr_assert_eq(soon_group_close(&g, 0), 0);
	cr_assert_eq(transfer.rc, (ssize_t)transfer.len);
	kit_close_both(fds);
	return 0;
}

EPOLL_TEST(blocking_pipe_does_not_block_the_core)
{
	return blocking_pipe_app(unused);
}

SOON_TEST_PLAIN(epoll, blocking_pipe_on_a_kernel_that_cannot_ask)
{
	soon__ring_tuning = (struct soon__ring_tuning){ .nowait_off = true };
	cr_assert_eq(
		soon_run_with(&(soon_opts){ .io = SOON_IO_EPOLL }, blocking_pipe_app, NULL), 0);
}

EPOLL_TEST(blocking_listener_keeps_its_mode)
{
	struct sockaddr_in addr;
	int listener = kit_listen(8, &addr);
	int client, fd;

	(void)unused;
	cr_assert_eq(soon_within(KIT_SHORT, soon_accept(listener, NULL, NULL, 0)), -ETIMEDOUT);
	cr_assert_eq(fcntl(listener, F_GETFL) & O_NONBLOCK, 0);
	client = kit_connect(&addr);
	fd = (int)soon_within(KIT_LONG, soon_accept(listener, NULL, NULL, 0));
	cr_assert_geq(fd, 0);
	cr_assert_eq(fcntl(listener, F_GETFL) & O_NONBLOCK, 0);
	cr_assert_eq(fcntl(fd, F_GETFL) & O_NONBLOCK, 0);
	cr_assert_eq(soon_close(fd), 0);
	cr_assert_eq(soon_close(client), 0);
	cr_assert_eq(soon_close(listener), 0);
	return 0;
}

static void *accept_two(void *listener)
{
	for (int i = 0; i < 2; i++) {
		int fd = accept(*(int *)listener, NULL, NULL);

		cr_assert_geq(fd, 0);
		cr_assert_eq(close(fd), 0);
	}
	return NULL;
}

struct late_server {
	int listener;
	pthread_t thread;
};

/* Once the others have nothing left to do but wait. */
static int serve_late(struct late_server *server)
{
	kit_settle();
	return pthread_create(&server->thread, NULL, accept_two, &server->listener);
}

/* A local listener whose queue is full: connect(2) blocks, and nothing tells when it would not. */
EPOLL_TEST(connect_to_a_full_queue_waits)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct late_server server = { .listener = listener };
	int clients[2];
	SOON_GROUP(g);

	(void)unused;
	(void)snprintf(addr.sun_path + 1, sizeof(addr.sun_path) - 1, "soon-epoll-%d", getpid());
	cr_assert_eq(bind(listener, (struct sockaddr *)&addr, sizeof(addr)), 0);
	cr_assert_eq(listen(listener, 0), 0);
	for (int i = 0; i < 2; i++)
		clients[i] = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	cr_assert_eq(soon_connect(clients[0], (struct sockaddr *)&addr, sizeof(addr)), 0);
	cr_assert_eq(soon_spawn(&g, serve_late, &server), 0);
	cr_assert_eq(soon_connect(clients[1], (struct sockaddr *)&addr, sizeof(addr)), 0);
	cr_assert_eq(soon_group_close(&g, 0), 0);
	cr_assert_eq(pthread_join(server.thread, NULL), 0);
	for (int i = 0; i < 2; i++)
		cr_assert_eq(soon_close(clients[i]), 0);
	cr_assert_eq(soon_close(listener), 0);
	return 0;
}

/* ---- files ------------------------------------------------------------------------------- */

static int files_app(void *unused)
{
	static char out[100000], in[100000];
	char name[] = "/tmp/soon-epoll-XXXXXX";
	struct iovec halves[2] = { { in, 50000 }, { in + 50000, 50000 } };
	soon_receiver receiver;
	soon_slice chunk;
	int fd = mkstemp(name);

	(void)unused;
	cr_assert_geq(fd, 0);
	cr_assert_eq(unlink(name), 0);
	for (size_t i = 0; i < sizeof(out); i++)
		out[i] = (char)(i * 31 + i / 999);
	cr_assert_eq(soon_write(fd, out, sizeof(out)), sizeof(out));
	cr_assert_eq(soon_fsync(fd, true), 0);
	cr_assert_eq(soon_pread(fd, in, sizeof(in), 0), sizeof(in));
	cr_assert_eq(memcmp(in, out, sizeof(in)), 0);
	cr_assert_eq(soon_read(fd, in, 10), 0, "the position is at the end");
	cr_assert_eq(lseek(fd, 0, SEEK_SET), 0);
	memset(in, 0, sizeof(in));
	cr_assert_eq(soon_readv(fd, halves, 2), sizeof(in));
	cr_assert_eq(memcmp(in, out, sizeof(in)), 0);
	cr_assert_eq(soon_pread(fd, in, sizeof(in), 60000), 40000);
	cr_assert_eq(memcmp(in, out + 60000, 40000), 0);
	cr_assert_eq(soon_poll_fd(fd, POLLIN | POLLOUT), POLLIN | POLLOUT);
	soon_receiver_init(&receiver, fd);
	cr_assert_eq(soon_receiver_next(&receiver, &chunk), -ENOTSOCK);
	soon_receiver_fini(&receiver);
	cr_assert_eq(soon_close(fd), 0);
	return 0;
}

EPOLL_TEST(file_of_a_disk)
{
	return files_app(unused);
}

SOON_TEST_PLAIN(epoll, file_of_a_disk_by_threads)
{
	soon__ring_tuning = (struct soon__ring_tuning){ .nowait_off = true };
	cr_assert_eq(soon_run_with(&(soon_opts){ .io = SOON_IO_EPOLL }, files_app, NULL), 0);
}

EPOLL_TEST(cancelled_before_a_thread_has_it)
{
	struct stat stat;
	int fd;

	(void)unused;
	SOON_SCOPE(s);
	soon_scope_cancel(&s, "test");
	fd = soon_open("/tmp/soon-epoll-never", O_CREAT | O_RDWR, 0600);
	cr_assert_eq(soon_scope_close(&s, 0), 0);
	cr_assert_eq(fd, -ECANCELED);
	cr_assert_neq(lstat("/tmp/soon-epoll-never", &stat), 0, "it was made all the same");
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
	int fds[2];
	ssize_t n;

	(void)unused;
	kit_pair(fds);
	n = soon_within(
		SOON_MS(5), soon_send(fds[0], transfer_data, sizeof(transfer_data), MSG_WAITALL));
	cr_assert_gt(n, 0, "completion wins, also over a part");
	cr_assert_lt(n, (ssize_t)sizeof(transfer_data));
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
