// SPDX-License-Identifier: Apache-2.0
/* The calls for messages: addresses, cut ones, descriptors in them, and how they wait. */
#include "kit.h"

#include <sys/un.h>

#define TIMES_OUT(expr) cr_assert_eq(soon_within(KIT_SHORT, (expr)), -ETIMEDOUT, "%s", #expr)

static struct sockaddr *generic(struct sockaddr_in *addr)
{
	return (struct sockaddr *)addr;
}

/* A UDP socket on the loopback interface, and where it is. */
static int udp(struct sockaddr_in *ret_addr)
{
	socklen_t len = sizeof(*ret_addr);
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	*ret_addr = (struct sockaddr_in){
		.sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
	cr_assert_geq(fd, 0);
	cr_assert_eq(bind(fd, generic(ret_addr), sizeof(*ret_addr)), 0);
	cr_assert_eq(getsockname(fd, generic(ret_addr), &len), 0);
	return fd;
}

/* A local datagram socket with an abstract name. */
static int local(struct sockaddr_un *ret_addr, const char *name)
{
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	*ret_addr = (struct sockaddr_un){ .sun_family = AF_UNIX };
	(void)snprintf(ret_addr->sun_path + 1, sizeof(ret_addr->sun_path) - 1, "%s-%d", name,
		(int)getpid());
	cr_assert_geq(fd, 0);
	cr_assert_eq(bind(fd, (struct sockaddr *)ret_addr, sizeof(*ret_addr)), 0);
	return fd;
}

SOON_TEST(ops_msg, a_datagram_comes_with_its_senders_address)
{
	struct sockaddr_in a, b, from = { 0 };
	socklen_t len = sizeof(from);
	char buf[8];
	int fd[2];

	fd[0] = udp(&a);
	fd[1] = udp(&b);
	TIMES_OUT(soon_recvfrom(fd[0], buf, sizeof(buf), 0, generic(&from), &len));
	cr_assert_eq(soon_sendto(fd[1], "hello", 5, 0, generic(&a), sizeof(a)), 5);
	cr_assert_eq(soon_recvfrom(fd[0], buf, sizeof(buf), 0, generic(&from), &len), 5);
	cr_assert_eq(memcmp(buf, "hello", 5), 0);
	cr_assert_eq(len, sizeof(from));
	cr_assert_eq(memcmp(&from, &b, sizeof(b)), 0);

	/* An empty one is a datagram, too; and nobody has to want the address. */
	cr_assert_eq(soon_sendto(fd[1], "", 0, 0, generic(&a), sizeof(a)), 0);
	cr_assert_eq(soon_recvfrom(fd[0], buf, sizeof(buf), 0, NULL, NULL), 0);
	kit_close_both(fd);
}

SOON_TEST(ops_msg, what_is_cut_says_so)
{
	char small[4];
	struct iovec piece = { small, sizeof(small) };
	struct msghdr msg = { .msg_iov = &piece, .msg_iovlen = 1 };
	static char large[70000];
	struct sockaddr_in a, b;
	int fd[2];

	fd[0] = udp(&a);
	fd[1] = udp(&b);
	cr_assert_eq(soon_sendto(fd[1], "0123456789", 10, 0, generic(&a), sizeof(a)), 10);
	cr_assert_eq(soon_recvmsg(fd[0], &msg, 0), 4);
	cr_assert_neq(msg.msg_flags & MSG_TRUNC, 0);
	cr_assert_eq(soon_sendto(fd[1], "0123456789", 10, 0, generic(&a), sizeof(a)), 10);
	cr_assert_eq(soon_recvmsg(fd[0], &msg, MSG_TRUNC), 10);
	cr_assert_eq(
		soon_sendto(fd[1], large, sizeof(large), 0, generic(&a), sizeof(a)), -EMSGSIZE);
	cr_assert_eq(soon_recvmsg(fd[0], &msg, MSG_WAITALL), -EOPNOTSUPP);
	cr_assert_eq(soon_sendmsg(fd[0], &msg, MSG_WAITALL), -EOPNOTSUPP);
	cr_assert_eq(soon_recvmsg(fd[0], &msg, MSG_DONTWAIT), -EAGAIN);
	cr_assert_eq(soon_recvmsg(fd[0], &msg, MSG_ERRQUEUE), -EAGAIN);
	kit_close_both(fd);
	cr_assert_eq(soon_recvmsg(fd[0], &msg, 0), -EBADF);
	cr_assert_eq(soon_sendto(fd[0], "x", 1, 0, generic(&a), sizeof(a)), -EBADF);
}

/* Takes `count` datagrams, one whenever the others wait. */
struct slow_reader {
	int fd;
	int count;
};

static int read_slowly(const struct slow_reader *reader)
{
	char byte;

	for (int i = 0; i < reader->count; i++) {
		kit_settle();
		cr_assert_eq(soon_recv(reader->fd, &byte, 1, 0), 1);
	}
	return 0;
}

SOON_TEST(ops_msg, a_full_local_receiver_is_waited_for)
{
	struct sockaddr_un to, own;
	int fd[2] = { local(&to, "soon-full"), local(&own, "soon-sender") };
	const struct sockaddr *addr = (struct sockaddr *)&to;
	struct slow_reader reader = { fd[0], 0 };
	SOON_GROUP(g);

	while (sendto(fd[1], "x", 1, MSG_DONTWAIT, addr, sizeof(to)) == 1)
		reader.count++;
	cr_assert_eq(errno, EAGAIN);
	cr_assert_eq(soon_sendto(fd[1], "x", 1, MSG_DONTWAIT, addr, sizeof(to)), -EAGAIN);
	TIMES_OUT(soon_sendto(fd[1], "x", 1, 0, addr, sizeof(to)));

	reader.count += 20;
	cr_assert_eq(soon_spawn(&g, read_slowly, &reader), 0);
	for (int i = 0; i < 20; i++)
		cr_assert_eq(soon_sendto(fd[1], "x", 1, 0, addr, sizeof(to)), 1);
	cr_assert_eq(soon_group_close(&g, 0), 0);
	cr_assert_eq(soon_close(fd[0]), 0);
	cr_assert_eq(soon_sendto(fd[1], "x", 1, 0, addr, sizeof(to)), -ECONNREFUSED);
	cr_assert_eq(soon_close(fd[1]), 0);
}

struct late_send {
	int fd;
	int passed;
};

static int cancel_then_send(struct late_send *late)
{
	union {
		char bytes[CMSG_SPACE(sizeof(int))];
		struct cmsghdr align;
	} control = { { 0 } };
	char byte = 'z';
	struct iovec piece = { &byte, 1 };
	struct msghdr msg = {
		.msg_iov = &piece,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = sizeof(control),
	};
	struct cmsghdr *cmsg = CMSG_FIRSTHDR(&msg);

	cmsg->cmsg_level = SOL_SOCKET;
	cmsg->cmsg_type = SCM_RIGHTS;
	cmsg->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(cmsg), &late->passed, sizeof(int));
	return sendmsg(late->fd, &msg, MSG_NOSIGNAL) == 1 ? 0 : -errno;
}

/* Whatever comes first, cancel or message: the descriptor is somebody's. */
SOON_TEST(ops_msg, no_descriptor_is_lost_to_a_cancel)
{
	union {
		char bytes[CMSG_SPACE(sizeof(int))];
		struct cmsghdr align;
	} control;
	int fds[2], got = -1;

	kit_pair(fds);
	for (int i = 0; i < 100; i++) {
		char byte;
		struct iovec piece = { &byte, 1 };
		struct msghdr msg = {
			.msg_iov = &piece,
			.msg_iovlen = 1,
			.msg_control = &control,
			.msg_controllen = sizeof(control),
		};
		struct late_send late = { fds[1], fds[0] };
		ssize_t n;
		SOON_GROUP(g);
		SOON_SCOPE(s, .timeout = SOON_US(1) * i);

		cr_assert_eq(soon_spawn(&g, cancel_then_send, &late), 0);
		n = soon_recvmsg(fds[0], &msg, 0);
		n = soon_scope_close(&s, n);
		cr_assert_eq(soon_group_close(&g, 0), 0);
		if (n < 0)
			n = soon_recvmsg(fds[0], &msg, 0);
		cr_assert_eq(n, 1);
		cr_assert_geq(msg.msg_controllen, CMSG_LEN(sizeof(int)));
		memcpy(&got, CMSG_DATA(CMSG_FIRSTHDR(&msg)), sizeof(int));
		cr_assert_neq(fcntl(got, F_GETFD) & FD_CLOEXEC, 0);
		cr_assert_eq(soon_close(got), 0);
	}
	kit_close_both(fds);
}

SOON_TEST(ops_msg, a_close_ends_who_waits)
{
	struct sockaddr_in addr;
	struct slow_reader reader = { udp(&addr), 0 };
	char byte;
	SOON_GROUP(g);

	/* The close comes from a task that the wait lets run. */
	cr_assert_eq(soon_spawn(&g, soon_close, reader.fd), 0);
	cr_assert_eq(soon_recvfrom(reader.fd, &byte, 1, 0, NULL, NULL), -EBADF);
	cr_assert_eq(soon_group_close(&g, 0), 0);
}
