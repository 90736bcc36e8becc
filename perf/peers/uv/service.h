// SPDX-License-Identifier: Apache-2.0
/*
 * What the servers on libuv share: accepting, reading into one buffer, and writing at once what the
 * socket takes.
 */
#ifndef PERF_UV_SERVICE_H
#define PERF_UV_SERVICE_H

#include <stddef.h>
#include <uv.h>

/* One connection; first in a program's own struct, so that a pointer to it is one to that. */
struct conn {
	uv_tcp_t tcp;
};

struct service {
	size_t conn_bytes; /* of the program's own struct */
	void (*on_open)(struct conn *conn);
	void (*on_read)(struct conn *conn, const char *bytes, size_t count);
};

/* Serves until SIGTERM; returns the process's exit status. */
int service_main(int argc, char **argv, const struct service *service);

/* Writes all of it; what the socket does not take is copied, and nothing read until it is out. */
void conn_write(struct conn *conn, const char *bytes, size_t count);

void conn_close(struct conn *conn);

#endif
