// SPDX-License-Identifier: Apache-2.0
/*
 * Numbers and files on the epoll back end: numbers that mean another file by now, files that others
 * hold open, descriptors that block, and those of a disk, which are never other than ready.
 */
#include <soon/file.h>

#include "kit_epoll.h"

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>

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

/* ---- errors that stay -------------------------------------------------------------------- */

/* A datagram socket with a message in its error queue, and the free port it is connected to. */
static int socket_with_error(struct sockaddr_in *ret_peer)
{
	const int on = 1;
	struct sockaddr_in self = { .sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(*ret_peer);
	int closed = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	char byte;

	cr_assert_eq(bind(closed, (struct sockaddr *)&self, sizeof(self)), 0);
	cr_assert_eq(getsockname(closed, (struct sockaddr *)ret_peer, &len), 0);
	cr_assert_eq(close(closed), 0);
	cr_assert_eq(setsockopt(fd, IPPROTO_IP, IP_RECVERR, &on, sizeof(on)), 0);
	cr_assert_eq(connect(fd, (struct sockaddr *)ret_peer, sizeof(*ret_peer)), 0);
	cr_assert_eq(send(fd, "x", 1, 0), 1);
	/* The error is told once; its message stays in the queue. */
	cr_assert_eq(soon_within(KIT_LONG, soon_recv(fd, &byte, 1, 0)), -ECONNREFUSED);
	return fd;
}

/* What is sent to the socket from the port that nobody had. */
static void send_from(const struct sockaddr_in *peer, int fd, const char *text)
{
	struct sockaddr_in to;
	socklen_t len = sizeof(to);
	int from = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	cr_assert_eq(getsockname(fd, (struct sockaddr *)&to, &len), 0);
	cr_assert_eq(bind(from, (const struct sockaddr *)peer, sizeof(*peer)), 0);
	cr_assert_eq(sendto(from, text, strlen(text), 0, (struct sockaddr *)&to, len),
		(ssize_t)strlen(text));
	cr_assert_eq(close(from), 0);
}

EPOLL_TEST(error_queue_that_nobody_reads_is_quiet)
{
	struct sockaddr_in peer;
	int fd = socket_with_error(&peer);
	struct reader reader = { .fd = fd };
	SOON_GROUP(g);

	(void)unused;
	for (int round = 0; round < 3; round++) {
		reader.rc = 0;
		cr_assert_eq(soon_spawn(&g, read_and_note, &reader), 0);
		kit_settle();
		cr_assert_lt(wakes_in_a_while(), 10);
		cr_assert_eq(reader.rc, 0);
		send_from(&peer, fd, "q");
		while (reader.rc == 0)
			cr_assert_eq(soon_yield(), 0);
		cr_assert_eq(reader.rc, 'q', "what comes later is told");
	}
	cr_assert_eq(soon_poll_fd(fd, POLLIN), POLLERR, "who asks for it is told");
	cr_assert_eq(soon_group_close(&g, 0), 0);
	cr_assert_eq(soon_close(fd), 0);
	return 0;
}

EPOLL_TEST(receiver_beside_an_error_queue)
{
	struct sockaddr_in peer;
	int fd = socket_with_error(&peer);
	soon_receiver receiver;
	soon_slice chunk;

	(void)unused;
	soon_receiver_init(&receiver, fd);
	for (int round = 0; round < 3; round++) {
		cr_assert_eq(soon_receiver_try_next(&receiver, &chunk), -EAGAIN);
		cr_assert_lt(wakes_in_a_while(), 10);
		send_from(&peer, fd, "two");
		cr_assert_eq(soon_within(KIT_LONG, soon_receiver_next(&receiver, &chunk)), 3);
		soon_receiver_return(&receiver, chunk);
	}
	soon_receiver_fini(&receiver);
	cr_assert_eq(soon_close(fd), 0);
	return 0;
}

/* From here on, epoll_ctl(2) of this thread gives ENOSPC, as with fs.epoll.max_user_watches. */
static void use_up_the_watches(void)
{
	static struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, __NR_epoll_ctl, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOSPC),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	const struct sock_fprog program = { sizeof(code) / sizeof(code[0]), code };

	cr_assert_eq(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), 0);
	cr_assert_eq(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program, 0, 0), 0);
}

static int used_up_app(void *unused)
{
	soon_receiver receiver;
	soon_slice chunk;
	char byte;
	int known[2], late[2];

	(void)unused;
	kit_pair(known);
	kit_pair(late);
	soon_receiver_init(&receiver, known[0]);
	cr_assert_eq(soon_receiver_try_next(&receiver, &chunk), -EAGAIN);
	kit_settle();
	use_up_the_watches();
	for (int i = 0; i < 3; i++)
		cr_assert_eq(soon_within(KIT_LONG, soon_read(late[0], &byte, 1)), -ENOSPC);
	kit_put(late[1], "l", 1);
	cr_assert_eq(read_one(late[0]), 'l', "what is there needs no watch");
	kit_put(known[1], "k", 1);
	cr_assert_eq(soon_within(KIT_LONG, soon_receiver_next(&receiver, &chunk)), 1);
	soon_receiver_return(&receiver, chunk);
	soon_receiver_fini(&receiver);
	kit_close_both(known);
	kit_close_both(late);
	return 0;
}

SOON_TEST_PLAIN(epoll, watches_used_up_fail_only_who_needs_one)
{
	struct kit_reports reports;

	kit_reports_keep(&reports);
	cr_assert_eq(soon_run_with(&(soon_opts){ .io = SOON_IO_EPOLL }, used_up_app, NULL), 0);
	cr_assert_eq(reports.count, 1, "once is enough");
	cr_assert_not_null(strstr(reports.text, "fs.epoll.max_user_watches"));
}

/* ---- descriptors that block -------------------------------------------------------------- */

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

/* Another core may accept from it: if the mode came back, that one could block in accept4(2). */
EPOLL_TEST(listener_of_an_acceptor_never_blocks_again)
{
	struct sockaddr_in addr;
	int listener = kit_listen(8, &addr);
	soon_acceptor acceptor;
	int client, fd;

	(void)unused;
	soon_acceptor_init(&acceptor, listener);
	client = kit_connect(&addr);
	fd = (int)soon_within(KIT_LONG, soon_acceptor_next(&acceptor));
	cr_assert_geq(fd, 0);
	cr_assert_eq(fcntl(fd, F_GETFL) & O_NONBLOCK, 0);
	cr_assert_eq(soon_within(KIT_SHORT, soon_acceptor_next(&acceptor)), -ETIMEDOUT);
	cr_assert_neq(fcntl(listener, F_GETFL) & O_NONBLOCK, 0);
	soon_acceptor_fini(&acceptor);
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
