// SPDX-License-Identifier: Apache-2.0
/* Each plain call against the real kernel: what it does, how it fails, how a deadline ends it. */
#include <soon/file.h>

#include "kit.h"

#include <sys/stat.h>

#define TIMES_OUT(expr) cr_assert_eq(soon_within(KIT_SHORT, (expr)), -ETIMEDOUT, "%s", #expr)

static int bad_fd(void)
{
	return 999;
}

/* Streams. */

SOON_TEST(ops, read_and_write)
{
	char buf[16];
	int fds[2];

	kit_pipe(fds);
	cr_assert_eq(soon_write(fds[1], "hello", 5), 5);
	cr_assert_eq(soon_read(fds[0], buf, sizeof(buf)), 5);
	cr_assert_eq(memcmp(buf, "hello", 5), 0);
	TIMES_OUT(soon_read(fds[0], buf, sizeof(buf)));
	cr_assert_eq(soon_close(fds[1]), 0);
	cr_assert_eq(soon_read(fds[0], buf, sizeof(buf)), 0);
	cr_assert_eq(soon_close(fds[0]), 0);
}

SOON_TEST(ops, write_waits_for_room)
{
	char byte;
	int fds[2];

	kit_pipe(fds);
	cr_assert_eq(soon_write(fds[1], "x", 1), 1);
	(void)kit_fill(fds[1]);
	TIMES_OUT(soon_write(fds[1], "y", 1));
	cr_assert_eq(soon_read(fds[0], &byte, 1), 1);
	kit_close_both(fds);
}

SOON_TEST(ops, vectors)
{
	char text[] = "abcdef", a[3], b[8];
	struct iovec out[] = { { text, 2 }, { text, 0 }, { text + 2, 4 } };
	struct iovec in[] = { { a, sizeof(a) }, { b, sizeof(b) } };
	int fds[2];

	kit_pipe(fds);
	cr_assert_eq(soon_writev(fds[1], out, 3), 6);
	cr_assert_eq(soon_readv(fds[0], in, 2), 6);
	cr_assert_eq(memcmp(a, "abc", 3), 0);
	cr_assert_eq(memcmp(b, "def", 3), 0);
	TIMES_OUT(soon_readv(fds[0], in, 2));
	(void)kit_fill(fds[1]);
	TIMES_OUT(soon_writev(fds[1], out, 3));
	cr_assert_eq(soon_readv(fds[0], in, -1), -EINVAL);
	cr_assert_eq(soon_writev(fds[1], out, 100000), -EINVAL);
	kit_close_both(fds);
}

SOON_TEST(ops, nonblocking_descriptor_waits_all_the_same)
{
	char byte;
	int fds[2];

	cr_assert_eq(pipe2(fds, O_CLOEXEC | O_NONBLOCK), 0);
	TIMES_OUT(soon_read(fds[0], &byte, 1));
	kit_close_both(fds);
	cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds), 0);
	TIMES_OUT(soon_recv(fds[0], &byte, 1, 0));
	kit_close_both(fds);
}

static int write_in_pieces(int fd)
{
	for (int i = 0; i < 3; i++) {
		cr_assert_eq(soon_write(fd, "abc", 3), 3);
		kit_settle();
	}
	return 0;
}

SOON_TEST(ops, read_full_gathers_pieces)
{
	char buf[16];
	size_t done = 0;
	int fds[2];
	SOON_GROUP(g);

	kit_pipe(fds);
	cr_assert_eq(soon_spawn(&g, write_in_pieces, fds[1]), 0);
	cr_assert_eq(soon_read_full(fds[0], buf, 8, &done), 8);
	cr_assert_eq(done, 8);
	cr_assert_eq(memcmp(buf, "abcabcab", 8), 0);
	cr_assert_eq(soon_within(KIT_SHORT, soon_read_full(fds[0], buf, 9, &done)), -ETIMEDOUT);
	cr_assert_eq(done, 1);
	cr_assert_eq(soon_group_close(&g, 0), 0);
	cr_assert_eq(soon_close(fds[1]), 0);
	cr_assert_eq(soon_read_full(fds[0], buf, 4, NULL), 0);
	cr_assert_eq(soon_close(fds[0]), 0);
	cr_assert_eq(soon_read_full(fds[0], buf, 4, &done), -EBADF);
	cr_assert_eq(done, 0);
}

SOON_TEST(ops, write_full_tells_what_was_written)
{
	static char data[1 << 20];
	size_t done = 0;
	int fds[2];

	kit_pipe(fds);
	TIMES_OUT(soon_write_full(fds[1], data, sizeof(data), &done));
	cr_assert_gt(done, 0);
	cr_assert_lt(done, sizeof(data));
	cr_assert_eq(soon_write_full(fds[1], data, 0, &done), 0);
	cr_assert_eq(done, 0);
	kit_close_both(fds);
}

/* Sockets. */

SOON_TEST(ops, recv_and_send)
{
	char buf[8];
	int fds[2];

	kit_pair(fds);
	cr_assert_eq(soon_send(fds[1], "xyz", 3, 0), 3);
	cr_assert_eq(soon_recv(fds[0], buf, 2, MSG_PEEK), 2);
	cr_assert_eq(soon_recv(fds[0], buf, sizeof(buf), 0), 3);
	cr_assert_eq(memcmp(buf, "xyz", 3), 0);
	TIMES_OUT(soon_recv(fds[0], buf, sizeof(buf), 0));
	(void)kit_fill(fds[0]);
	TIMES_OUT(soon_send(fds[0], buf, 1, 0));
	cr_assert_eq(soon_close(fds[1]), 0);
	cr_assert_eq(soon_send(fds[0], buf, 1, 0), -EPIPE);      /* and no signal */
	cr_assert_eq(soon_recv(fds[0], buf, 1, 0), -ECONNRESET); /* it left bytes unread */
	cr_assert_eq(soon_recv(fds[0], buf, 1, 0), 0);
	cr_assert_eq(soon_close(fds[0]), 0);
}

SOON_TEST(ops, accept_gives_address_and_descriptor)
{
	struct sockaddr_in addr, peer, own;
	socklen_t len = sizeof(peer);
	int listener = kit_listen(8, &addr);
	int client, fd;

	TIMES_OUT(soon_accept(listener, NULL, NULL, 0));
	client = kit_connect(&addr);
	fd = soon_accept(listener, (struct sockaddr *)&peer, &len, SOCK_NONBLOCK);
	cr_assert_geq(fd, 0);
	cr_assert_eq(fcntl(fd, F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
	cr_assert_eq(fcntl(fd, F_GETFL) & O_NONBLOCK, O_NONBLOCK);
	cr_assert_eq(len, sizeof(peer));
	cr_assert_eq(getsockname(client, (struct sockaddr *)&own, &len), 0);
	cr_assert_eq(peer.sin_port, own.sin_port);
	cr_assert_eq(soon_accept(client, NULL, NULL, 0), -EINVAL);
	cr_assert_eq(soon_close(fd), 0);
	cr_assert_eq(soon_close(client), 0);
	cr_assert_eq(soon_close(listener), 0);
}

SOON_TEST(ops, connect)
{
	struct sockaddr_in addr;
	int listener = kit_listen(8, &addr);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	cr_assert_eq(soon_connect(fd, (struct sockaddr *)&addr, sizeof(addr)), 0);
	cr_assert_eq(soon_connect(fd, (struct sockaddr *)&addr, sizeof(addr)), -EISCONN);
	cr_assert_eq(soon_close(fd), 0);
	cr_assert_eq(soon_close(listener), 0);

	fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	cr_assert_eq(soon_connect(fd, (struct sockaddr *)&addr, sizeof(addr)), -ECONNREFUSED);
	cr_assert_eq(soon_connect(fd, (struct sockaddr *)&addr, 2), -EINVAL);
	cr_assert_eq(soon_close(fd), 0);
}

SOON_TEST(ops, connect_under_a_deadline)
{
	struct sockaddr_in addr;
	int listener = kit_listen(0, &addr); /* room for one; further ones hang in the handshake */
	int clients[4];
	int rc = 0;

	for (int i = 0; i < 4; i++) {
		clients[i] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
		rc = (int)soon_within(SOON_MS(20),
			soon_connect(clients[i], (struct sockaddr *)&addr, sizeof(addr)));
	}
	cr_assert_eq(rc, -ETIMEDOUT);
	for (int i = 0; i < 4; i++)
		cr_assert_eq(soon_close(clients[i]), 0);
	cr_assert_eq(soon_close(listener), 0);
}

SOON_TEST(ops, poll_tells_readiness)
{
	int fds[2];

	kit_pair(fds);
	cr_assert_eq(soon_poll_fd(fds[0], POLLOUT), POLLOUT);
	TIMES_OUT(soon_poll_fd(fds[0], POLLIN));
	kit_put(fds[1], "x", 1);
	cr_assert_eq(soon_poll_fd(fds[0], POLLIN), POLLIN);
	cr_assert_eq(soon_close(fds[1]), 0);
	cr_assert_eq(soon_poll_fd(fds[0], POLLOUT) & POLLHUP, POLLHUP);
	cr_assert_eq(soon_close(fds[0]), 0);
}

/* Files. */

SOON_TEST(ops, files_from_open_to_unlink)
{
	char path[] = "/tmp/soon-ops-XXXXXX";
	struct statx stat;
	char buf[8];
	int fd = mkstemp(path);

	cr_assert_geq(fd, 0);
	cr_assert_eq(soon_close(fd), 0);
	fd = soon_open(path, O_RDWR, 0);
	cr_assert_geq(fd, 0);
	cr_assert_eq(fcntl(fd, F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
	cr_assert_eq(soon_pwrite(fd, "world", 5, 6), 5);
	cr_assert_eq(soon_write(fd, "hello ", 6), 6);
	cr_assert_eq(soon_pread(fd, buf, 3, 4), 3);
	cr_assert_eq(memcmp(buf, "o w", 3), 0);
	cr_assert_eq(soon_read(fd, buf, 5), 5); /* the position followed the plain write only */
	cr_assert_eq(memcmp(buf, "world", 5), 0);
	cr_assert_eq(soon_read(fd, buf, 5), 0);
	cr_assert_eq(soon_pread(fd, buf, 3, -1), -EINVAL);
	cr_assert_eq(soon_pwrite(fd, buf, 3, -1), -EINVAL);
	cr_assert_eq(soon_fsync(fd, false), 0);
	cr_assert_eq(soon_fsync(fd, true), 0);
	cr_assert_eq(soon_statx(AT_FDCWD, path, 0, STATX_SIZE, &stat), 0);
	cr_assert_eq(stat.stx_size, 11);
	cr_assert_eq(soon_statx(fd, "", AT_EMPTY_PATH, STATX_SIZE, &stat), 0);
	cr_assert_eq(soon_close(fd), 0);
	cr_assert_eq(soon_unlinkat(AT_FDCWD, path, 0), 0);
	cr_assert_eq(soon_unlinkat(AT_FDCWD, path, 0), -ENOENT);
	cr_assert_eq(soon_statx(AT_FDCWD, path, 0, STATX_SIZE, &stat), -ENOENT);
	cr_assert_eq(soon_open(path, O_RDONLY, 0), -ENOENT);
}

SOON_TEST(ops, openat_creates_under_a_folder)
{
	char path[] = "/tmp/soon-ops-XXXXXX";
	int dir, fd;

	cr_assert_not_null(mkdtemp(path));
	dir = soon_open(path, O_RDONLY | O_DIRECTORY, 0);
	cr_assert_geq(dir, 0);
	fd = soon_openat(dir, "new", O_WRONLY | O_CREAT | O_EXCL, 0600);
	cr_assert_geq(fd, 0);
	cr_assert_eq(soon_openat(dir, "new", O_WRONLY | O_CREAT | O_EXCL, 0600), -EEXIST);
	cr_assert_eq(soon_close(fd), 0);
	cr_assert_eq(soon_unlinkat(dir, "new", 0), 0);
	cr_assert_eq(soon_close(dir), 0);
	cr_assert_eq(soon_unlinkat(AT_FDCWD, path, AT_REMOVEDIR), 0);
}

/* What holds for all. */

SOON_TEST(ops, bad_descriptor)
{
	struct sockaddr_in addr = { .sin_family = AF_INET };
	char buf[4] = "";
	struct iovec iov = { buf, sizeof(buf) };
	int fd = bad_fd();

	cr_assert_eq(soon_read(fd, buf, sizeof(buf)), -EBADF);
	cr_assert_eq(soon_readv(fd, &iov, 1), -EBADF);
	cr_assert_eq(soon_pread(fd, buf, sizeof(buf), 0), -EBADF);
	cr_assert_eq(soon_write(fd, buf, sizeof(buf)), -EBADF);
	cr_assert_eq(soon_writev(fd, &iov, 1), -EBADF);
	cr_assert_eq(soon_pwrite(fd, buf, sizeof(buf), 0), -EBADF);
	cr_assert_eq(soon_recv(fd, buf, sizeof(buf), 0), -EBADF);
	cr_assert_eq(soon_send(fd, buf, sizeof(buf), 0), -EBADF);
	cr_assert_eq(soon_accept(fd, NULL, NULL, 0), -EBADF);
	cr_assert_eq(soon_connect(fd, (struct sockaddr *)&addr, sizeof(addr)), -EBADF);
	cr_assert_eq(soon_fsync(fd, false), -EBADF);
	cr_assert_eq(soon_poll_fd(fd, POLLIN), -EBADF);
	cr_assert_eq(soon_close(fd), -EBADF);
}

SOON_TEST(ops, wrong_kind_of_descriptor)
{
	char buf[4] = "";
	int fds[2];

	kit_pipe(fds);
	cr_assert_eq(soon_recv(fds[0], buf, 1, 0), -ENOTSOCK);
	cr_assert_eq(soon_send(fds[1], buf, 1, 0), -ENOTSOCK);
	cr_assert_eq(soon_accept(fds[0], NULL, NULL, 0), -ENOTSOCK);
	cr_assert_eq(soon_write(fds[0], buf, 1), -EBADF);
	kit_close_both(fds);
}

SOON_TEST(ops, cancelled_before_means_not_done)
{
	char byte = 0;
	int fds[2];
	unsigned before;

	kit_pair(fds);
	before = kit_fd_count();
	SOON_SCOPE(s);
	soon_scope_cancel(&s, "test");
	cr_assert_eq(soon_write(fds[1], "x", 1), -ECANCELED);
	cr_assert_eq(soon_send(fds[1], "x", 1, 0), -ECANCELED);
	cr_assert_eq(soon_open("/", O_RDONLY, 0), -ECANCELED);
	cr_assert_eq(soon_scope_close(&s, 0), 0);
	cr_assert_eq(recv(fds[0], &byte, 1, MSG_DONTWAIT), -1);
	cr_assert_eq(kit_fd_count(), before);
	kit_close_both(fds);
}

SOON_TEST(ops, close_works_in_a_cancelled_scope)
{
	unsigned before = kit_fd_count();
	int fds[2];

	kit_pair(fds);
	SOON_SCOPE(s);
	soon_scope_cancel(&s, "test");
	kit_close_both(fds);
	cr_assert_eq(soon_scope_close(&s, 0), 0);
	cr_assert_eq(kit_fd_count(), before);
}

SOON_TEST_PLAIN(ops, outside_a_task)
{
	char byte;
	int fds[2];
	struct kit_reports reports;

	kit_reports_keep(&reports);
	kit_pair(fds);
	cr_assert_eq(soon_read(fds[0], &byte, 1), -EPERM);
	cr_assert_neq(reports.count, 0);
	cr_assert_eq(soon_close(fds[0]), 0);
	cr_assert_eq(soon_close(fds[1]), 0);
	cr_assert_eq(soon_close(fds[1]), -EBADF);
	soon_test_reports_expected = reports.count;
}
