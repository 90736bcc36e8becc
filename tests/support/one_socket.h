// SPDX-License-Identifier: Apache-2.0
/*
 * one_socket.h: the worst that a hash can do. Of the sockets that share a port, the kernel gives
 * every connection to the first, which a program of one instruction tells it.
 */
#ifndef TESTS_SUPPORT_ONE_SOCKET_H
#define TESTS_SUPPORT_ONE_SOCKET_H

#include <soon/listener.h>

#include <errno.h>
#include <linux/filter.h>
#include <netinet/in.h>
#include <sys/socket.h>

#define ONE_SOCKET_FDS_MAX 1024

/* The descriptor of the socket that listens there, which a listener does not tell; -1: none. */
static inline int one_socket_find(soon_listener *listener)
{
	soon_addr addr;

	soon_listener_addr(listener, &addr);
	for (int fd = 0; fd < ONE_SOCKET_FDS_MAX; fd++) {
		struct sockaddr_in at;
		socklen_t at_len = sizeof at, len = sizeof(int);
		int listens = 0;

		if (getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listens, &len) == 0 && listens &&
			getsockname(fd, (struct sockaddr *)&at, &at_len) == 0 &&
			at.sin_family == AF_INET && ntohs(at.sin_port) == soon_addr_port(&addr))
			return fd;
	}
	return -1;
}

/* Of a listener with .reuse_port on an IPv4 address. Returns: 0 or a negative errno. */
static inline int one_socket_gets_all(soon_listener *listener)
{
	struct sock_filter first[] = { BPF_STMT(BPF_RET | BPF_K, 0) };
	struct sock_fprog program = { 1, first };
	int fd = one_socket_find(listener);

	if (fd < 0)
		return -EBADF;
	if (setsockopt(fd, SOL_SOCKET, SO_ATTACH_REUSEPORT_CBPF, &program, sizeof program) < 0)
		return -errno;
	return 0;
}

#endif
