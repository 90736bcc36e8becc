// SPDX-License-Identifier: Apache-2.0
/* Bytes of a connection where OpenSSL is not installed: in clear only. */
#include "load.h"

#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

int wire_set_up(const struct load_opts *opts)
{
	return opts->protocol->is_tls ? -EOPNOTSUPP : 0;
}

void wire_clean_up(void)
{
}

int wire_begin(struct conn *conn)
{
	(void)conn;
	return 0;
}

int wire_shake(struct conn *conn)
{
	(void)conn;
	return 1;
}

void wire_end(struct conn *conn)
{
	(void)close(conn->fd);
	conn->fd = -1;
}

ssize_t wire_send(struct conn *conn, const void *buf, size_t bytes)
{
	ssize_t n = send(conn->fd, buf, bytes, MSG_NOSIGNAL);

	return n < 0 ? -errno : n;
}

ssize_t wire_receive(struct conn *conn, void *buf, size_t bytes)
{
	ssize_t n = read(conn->fd, buf, bytes);

	return n < 0 ? -errno : n;
}
