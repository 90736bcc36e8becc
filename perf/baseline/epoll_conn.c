// SPDX-License-Identifier: Apache-2.0
/* Shared by the raw epoll servers; see epoll_conn.h. */
#include "epoll_conn.h"

#include "../common/server.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

static int watch(int epoll_fd, int verb, struct conn *conn, uint32_t events)
{
	struct epoll_event event = { .events = events, .data.ptr = conn };

	return epoll_ctl(epoll_fd, verb, conn->fd, &event) == 0 ? 0 : -errno;
}

void conn_accept_all(int epoll_fd, int listen_fd)
{
	const int on = 1;
	int fd;

	while ((fd = accept4(listen_fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) {
		struct conn *conn = calloc(1, sizeof(*conn));

		if (conn == NULL)
			server_die("calloc", -ENOMEM);
		conn->fd = fd;
		if (setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)) != 0 ||
			watch(epoll_fd, EPOLL_CTL_ADD, conn, EPOLLIN) < 0)
			conn_close(conn);
	}
	if (errno != EAGAIN && errno != ECONNABORTED && errno != EINTR)
		server_die("accept4", -errno);
}

/* Keeps a copy of what the socket did not take, and stops reading until it is out. */
static int keep_unsent(int epoll_fd, struct conn *conn, const char *bytes, size_t count)
{
	conn->unsent = malloc(count);
	if (conn->unsent == NULL)
		return -ENOMEM;
	memcpy(conn->unsent, bytes, count);
	conn->unsent_bytes = count;
	return watch(epoll_fd, EPOLL_CTL_MOD, conn, EPOLLOUT);
}

int conn_write(int epoll_fd, struct conn *conn, const char *bytes, size_t count)
{
	ssize_t sent = write(conn->fd, bytes, count);

	if (sent < 0 && errno != EAGAIN)
		return -errno;
	if (sent < 0)
		sent = 0;
	if ((size_t)sent == count)
		return 0;
	return keep_unsent(epoll_fd, conn, bytes + sent, count - (size_t)sent);
}

int conn_flush(int epoll_fd, struct conn *conn)
{
	ssize_t sent = write(conn->fd, conn->unsent, conn->unsent_bytes);

	if (sent < 0)
		return errno == EAGAIN ? 0 : -errno;
	conn->unsent_bytes -= (size_t)sent;
	if (conn->unsent_bytes > 0) {
		memmove(conn->unsent, conn->unsent + sent, conn->unsent_bytes);
		return 0;
	}
	free(conn->unsent);
	conn->unsent = NULL;
	return watch(epoll_fd, EPOLL_CTL_MOD, conn, EPOLLIN);
}

void conn_close(struct conn *conn)
{
	(void)close(conn->fd); /* also leaves the epoll set; nobody else holds the descriptor */
	free(conn->unsent);
	free(conn);
}
