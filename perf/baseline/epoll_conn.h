// SPDX-License-Identifier: Apache-2.0
/*
 * The slow paths that the raw epoll servers share: accepting, closing, and keeping what the socket
 * would not take. The fast path (wait, read, write) is spelled out in each program.
 */
#ifndef PERF_EPOLL_CONN_H
#define PERF_EPOLL_CONN_H

#include <stddef.h>

/* One connection; epoll's data pointer. While `unsent_bytes` > 0 only writability is watched. */
struct conn {
	int fd;
	unsigned match; /* http: bytes of "\r\n\r\n" seen at the end of the last read, 0..3 */
	char *unsent;   /* owned; NULL unless the last write was cut short */
	size_t unsent_bytes;
};

/* Accepts until the queue is empty and watches each new connection for input. */
void conn_accept_all(int epoll_fd, int listen_fd);

/* Writes all of it, or keeps the rest for conn_flush. Returns -errno if the peer is gone. */
int conn_write(int epoll_fd, struct conn *conn, const char *bytes, size_t count);

/* Called when the socket is writable again; watches for input once all is out. */
int conn_flush(int epoll_fd, struct conn *conn);

void conn_close(struct conn *conn);

#endif
