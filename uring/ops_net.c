// SPDX-License-Identifier: Apache-2.0
/* The socket calls of <soon/io.h>, and waiting for readiness. */
#include <soon/io.h>

#include "op.h"
#include "track.h"

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
