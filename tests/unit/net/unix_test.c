// SPDX-License-Identifier: Apache-2.0
/* unix_test.c: descriptors in messages, none of which is ever lost; and who the peer is. */
#include "net_kit.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>

static int some_fd(void)
{
	int fd = open("/dev/null", O_RDWR | O_CLOEXEC);

	cr_assert_geq(fd, 0);
	return fd;
}

static void close_all(const int *fds, unsigned count)
{
	for (unsigned i = 0; i < count; i++)
		(void)close(fds[i]);
}

static void pair(int type, int ret_fds[2])
{
	cr_assert_eq(soon_socketpair(type, ret_fds), 0);
}

static void pair_close(const int fds[2])
{
	cr_expect_eq(soon_close(fds[0]), 0);
	cr_expect_eq(soon_close(fds[1]), 0);
}

static void pass_one(int type)
{
	struct stat sent, came;
	int fds[2], fd = some_fd(), got = -1;
	unsigned count = 9;
	char buf[8];

	pair(type, fds);
	cr_assert_eq(soon_send_fds(fds[0], "hello", 5, &fd, 1), 5);
	cr_assert_eq(soon_recv_fds(fds[1], buf, sizeof buf, &got, 1, &count), 5);
	cr_assert_eq(count, 1);
	cr_assert_eq(fstat(fd, &sent), 0);
	cr_assert_eq(fstat(got, &came), 0);
	cr_expect_eq(sent.st_rdev, came.st_rdev);
	cr_expect_neq(fcntl(got, F_GETFD) & FD_CLOEXEC, 0);
	close_all(&got, 1);
	close_all(&fd, 1);

	/* Bytes alone. */
	cr_assert_eq(soon_send_fds(fds[0], "x", 1, NULL, 0), 1);
	cr_assert_eq(soon_recv_fds(fds[1], buf, sizeof buf, NULL, 0, &count), 1);
	cr_expect_eq(count, 0);
	pair_close(fds);
}

NET_TEST(unix_fds, one_is_passed_on_each_kind_of_socket)
{
	pass_one(SOCK_STREAM);
	pass_one(SOCK_DGRAM);
	pass_one(SOCK_SEQPACKET);
}

NET_TEST(unix_fds, as_many_as_fit_and_not_one_more)
{
	static int sent[SOON_FDS_MAX + 1], got[SOON_FDS_MAX];
	unsigned before, count;
	int fds[2];
	char byte;

	pair(SOCK_STREAM, fds);
	before = fds_open();
	for (unsigned i = 0; i <= SOON_FDS_MAX; i++)
		sent[i] = some_fd();
	cr_expect_eq(soon_send_fds(fds[0], "x", 1, sent, SOON_FDS_MAX + 1), -EINVAL);
	cr_expect_not_null(strstr(soon_fail_message(), "253"));
	cr_expect_eq(soon_send_fds(fds[0], "", 0, sent, 1), -EINVAL);
	cr_assert_eq(soon_send_fds(fds[0], "x", 1, sent, SOON_FDS_MAX), 1);
	close_all(sent, SOON_FDS_MAX + 1);
	cr_assert_eq(soon_recv_fds(fds[1], &byte, 1, got, SOON_FDS_MAX, &count), 1);
	cr_assert_eq(count, SOON_FDS_MAX);
	close_all(got, count);
	cr_expect_eq(fds_open(), before);
	cr_expect_eq(soon_send_fds(fds[0], "x", 1, sent, 1), -EBADF);
	pair_close(fds);
}

/* Whatever the room: all or nothing, and nothing stays open. */
NET_TEST(unix_fds, more_than_expected_are_closed_and_told)
{
	static int sent[20], got[20];
	unsigned before, count;
	int fds[2];
	char byte;

	pair(SOCK_STREAM, fds);
	for (unsigned i = 0; i < 20; i++)
		sent[i] = some_fd();
	before = fds_open();
	for (unsigned max = 0; max < 20; max++) {
		cr_assert_eq(soon_send_fds(fds[0], "x", 1, sent, 20), 1);
		cr_expect_eq(soon_recv_fds(fds[1], &byte, 1, got, max, &count), -EMSGSIZE);
		cr_expect_eq(count, 0);
		cr_expect_eq(fds_open(), before, "with room for %u", max);
	}
	close_all(sent, 20);
	pair_close(fds);
}

NET_TEST(unix_fds, out_of_descriptors_none_is_lost)
{
	int sent[3], got[3], fds[2];
	struct rlimit limit, low;
	unsigned before, count;
	char byte;

	pair(SOCK_STREAM, fds);
	for (unsigned i = 0; i < 3; i++)
		sent[i] = some_fd();
	cr_assert_eq(soon_send_fds(fds[0], "x", 1, sent, 3), 1);
	cr_assert_eq(soon_send_fds(fds[0], "y", 1, sent, 3), 1);
	before = fds_open();
	cr_assert_eq(getrlimit(RLIMIT_NOFILE, &limit), 0);
	low = limit;
	low.rlim_cur = (rlim_t)sent[2] + 2; /* one more */
	cr_assert_eq(setrlimit(RLIMIT_NOFILE, &low), 0);
	cr_expect_eq(soon_recv_fds(fds[1], &byte, 1, got, 3, &count), -EMFILE);
	cr_expect_not_null(strstr(soon_fail_message(), "ulimit -n"));
	cr_assert_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
	cr_expect_eq(fds_open(), before);
	cr_assert_eq(soon_recv_fds(fds[1], &byte, 1, got, 3, &count), 1);
	cr_expect_eq(byte, 'y');
	close_all(got, count);
	close_all(sent, 3);
	pair_close(fds);
}

struct passing {
	int socket;
	int fd;
};

static int pass_later(const struct passing *passing)
{
	ssize_t n = soon_send_fds(passing->socket, "x", 1, &passing->fd, 1);

	return n < 0 ? (int)n : 0;
}

NET_TEST(unix_fds, a_cancel_loses_none)
{
	int fds[2];

	pair(SOCK_STREAM, fds);
	for (int i = 0; i < 60; i++) {
		struct passing passing = { fds[0], fds[0] };
		unsigned count = 0;
		int got = -1;
		char byte;
		ssize_t n;
		SOON_GROUP(g);

		cr_assert_eq(soon_spawn(&g, pass_later, &passing), 0);
		n = soon_within(SOON_US(1) * i, soon_recv_fds(fds[1], &byte, 1, &got, 1, &count));
		cr_assert_eq(soon_group_close(&g, 0), 0);
		if (n == -ETIMEDOUT && count == 0)
			n = soon_recv_fds(fds[1], &byte, 1, &got, 1, &count);
		cr_assert_eq(count, 1);
		close_all(&got, 1);
	}
	pair_close(fds);
}

/* A stream socket is received from and closed with descriptors under way: the kernel ends them. */
NET_TEST(unix_fds, those_that_nobody_takes_go_with_the_socket)
{
	unsigned before = fds_open(), count;
	int fd = some_fd(), fds[2];
	char byte;

	pair(SOCK_DGRAM, fds);
	cr_assert_eq(soon_send_fds(fds[0], "x", 1, &fd, 1), 1);
	cr_assert_eq(soon_within(SOON_S(10), soon_recv(fds[1], &byte, 1, 0)), 1);
	cr_assert_eq(soon_send_fds(fds[0], "x", 1, &fd, 1), 1);
	close_all(&fd, 1);
	cr_expect_eq(soon_within(SOON_MS(1), soon_recv_fds(fds[0], &byte, 1, &fd, 1, &count)),
		-ETIMEDOUT);
	pair_close(fds);
	cr_expect_eq(fds_open(), before);
}

NET_TEST(unix_peer, the_kernel_says_who_it_is)
{
	soon_peer_cred cred;
	int fds[2], pidfd, udp;

	pair(SOCK_STREAM, fds);
	cr_assert_eq(soon_peer_cred_get(fds[0], &cred), 0);
	cr_expect_eq(cred.pid, getpid());
	cr_expect_eq(cred.uid, geteuid());
	cr_expect_eq(cred.gid, getegid());
	pidfd = soon_peer_pidfd(fds[0]);
	if (pidfd >= 0)
		(void)close(pidfd);
	else
		cr_expect_eq(pidfd, -EOPNOTSUPP);
	pair_close(fds);
	cr_expect_eq(soon_peer_cred_get(fds[0], &cred), -EBADF);
	udp = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	cr_expect_eq(soon_peer_cred_get(udp, &cred), -ENOTCONN);
	cr_expect_lt(soon_peer_pidfd(udp), 0);
	(void)close(udp);
	cr_expect_lt(soon_socketpair(999, fds), 0);
}
