// SPDX-License-Identifier: Apache-2.0
/* The socket calls of <soon/io.h>, and waiting for readiness. */
#include <soon/io.h>

#include "op.h"
#include "track.h"

#include <poll.h>

/* The kernel takes 32 bits and moves at most this much in one call, as the system calls do. */
#define LEN_MAX 0x7ffff000u

static uint32_t clamp(size_t len)
{
	return len < LEN_MAX ? (uint32_t)len : LEN_MAX;
}

ssize_t soon_recv(int fd, void *buf, size_t len, int flags)
{
	struct soon__op op = {
		.code = SOON__OP_RECV,
		.fd = fd,
		.addr = buf,
		.len = clamp(len),
		.flags = (uint32_t)flags,
	};

	return soon__op_call(&op, "recv");
}

ssize_t soon_send(int fd, const void *buf, size_t len, int flags)
{
	struct soon__op op = {
		.code = SOON__OP_SEND,
		.fd = fd,
		.addr = buf,
		.len = clamp(len),
		.flags = (uint32_t)(flags | MSG_NOSIGNAL),
	};

	return soon__op_call(&op, "send");
}

/* ---- messages ---------------------------------------------------------------------------- */

/*
 * The kernel's record of a message is read when the operation begins and written at its end. What
 * is read of the error queue is there or not: no back end can wait for it alone.
 */
static ssize_t message(enum soon__op_code code, int fd, const struct msghdr *msg, int flags)
	SOON_SUSPENDS
{
	bool is_receive = code == SOON__OP_RECVMSG;
	struct soon__op op = {
		.code = (uint8_t)code,
		.fd = fd,
		.addr = msg,
		.len = 1,
		.flags = (uint32_t)(flags | (is_receive ? MSG_CMSG_CLOEXEC : MSG_NOSIGNAL)),
	};

	if ((flags & MSG_WAITALL) != 0)
		return -EOPNOTSUPP;
	if ((flags & MSG_ERRQUEUE) != 0)
		op.flags |= MSG_DONTWAIT;
	return soon__op_call(&op, is_receive ? "recvmsg" : "sendmsg");
}

ssize_t soon_recvmsg(int fd, struct msghdr *msg, int flags)
{
	return message(SOON__OP_RECVMSG, fd, msg, flags);
}

static bool is_local(const struct msghdr *msg)
{
	const struct sockaddr *addr = msg->msg_name;

	return addr != NULL && msg->msg_namelen >= sizeof(addr->sa_family) &&
		addr->sa_family == AF_UNIX;
}

/*
 * Waits until the queue of the local receiver `msg` is for may have room. A socket that is not
 * connected to him is always ready to send as far as poll(2) knows, so one that is has to ask. A
 * failure to connect is left for the next attempt at sending to tell, which knows more.
 */
static int wait_for_receiver(const struct msghdr *msg) SOON_SUSPENDS
{
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	int rc;

	if (fd < 0)
		return -errno;
	rc = connect(fd, msg->msg_name, msg->msg_namelen) == 0 ? soon_poll_fd(fd, POLLOUT) : 0;
	(void)soon_close(fd); /* nothing was sent on it */
	return rc < 0 ? rc : 0;
}

/* Of a socket that is not connected: here the wait is ours, see above. */
static ssize_t send_local(int fd, const struct msghdr *msg, int flags) SOON_SUSPENDS
{
	for (;;) {
		ssize_t n = message(SOON__OP_SENDMSG, fd, msg, flags | MSG_DONTWAIT);

		if (n == -EAGAIN)
			n = soon_poll_fd(fd, POLLOUT); /* our own buffer comes first */
		else
			return n;
		if (n >= 0)
			n = wait_for_receiver(msg);
		if (n < 0)
			return n;
	}
}

ssize_t soon_sendmsg(int fd, const struct msghdr *msg, int flags)
{
	if (is_local(msg) && (flags & MSG_DONTWAIT) == 0)
		return send_local(fd, msg, flags);
	return message(SOON__OP_SENDMSG, fd, msg, flags);
}

ssize_t soon_recvfrom(
	int fd, void *buf, size_t len, int flags, struct sockaddr *addr, socklen_t *addr_len)
{
	struct iovec piece = { .iov_base = buf, .iov_len = clamp(len) };
	struct msghdr msg = {
		.msg_name = addr,
		.msg_namelen = addr != NULL ? *addr_len : 0,
		.msg_iov = &piece,
		.msg_iovlen = 1,
	};
	ssize_t n = soon_recvmsg(fd, &msg, flags);

	if (n >= 0 && addr != NULL)
		*addr_len = msg.msg_namelen;
	return n;
}

ssize_t soon_sendto(int fd, const void *buf, size_t len, int flags, const struct sockaddr *addr,
	socklen_t addr_len)
{
	/* Neither is written to, which the kernel's records have no way to say. */
	struct iovec piece = { .iov_base = (void *)(uintptr_t)buf, .iov_len = clamp(len) };
	struct msghdr msg = {
		.msg_name = (void *)(uintptr_t)addr,
		.msg_namelen = addr != NULL ? addr_len : 0,
		.msg_iov = &piece,
		.msg_iovlen = 1,
	};

	return soon_sendmsg(fd, &msg, flags);
}

/* ---- connections ------------------------------------------------------------------------- */

/* The kernel writes through addr_len, which the analyser cannot see. */
// NOLINTNEXTLINE(readability-non-const-parameter)
int soon_accept(int fd, struct sockaddr *addr, socklen_t *addr_len, int flags)
{
	struct soon__op op = {
		.code = SOON__OP_ACCEPT,
		.fd = fd,
		.addr = addr,
		.off = (uint64_t)(uintptr_t)addr_len,
		.flags = (uint32_t)(flags | SOCK_CLOEXEC),
	};

	return soon__fd_opened(
		(int)soon__op_call(&op, "accept"), "connection", __builtin_return_address(0));
}

int soon_connect(int fd, const struct sockaddr *addr, socklen_t addr_len)
{
	struct soon__op op = {
		.code = SOON__OP_CONNECT,
		.fd = fd,
		.addr = addr,
		.off = addr_len,
	};

	return (int)soon__op_call(&op, "connect");
}

int soon_poll_fd(int fd, unsigned events)
{
	struct soon__op op = {
		.code = SOON__OP_POLL,
		.fd = fd,
		.flags = events,
	};

	return (int)soon__op_call(&op, "poll");
}
