// SPDX-License-Identifier: Apache-2.0
/*
 * Baseline: the raw epoll echo loop that an expert would write by hand, in its fastest simple form.
 * Level-triggered; one read per event into one buffer that stays in the cache, one write. No
 * deadlines, no limits, no framework: what `soon` is held against.
 */
#include "../common/server.h"
#include "epoll_conn.h"

#include <errno.h>
#include <stdint.h>
#include <sys/epoll.h>
#include <unistd.h>

#define EVENT_COUNT 512

static char buffer[16 * 1024];

static int echo(int epoll_fd, struct conn *conn)
{
	ssize_t count = read(conn->fd, buffer, sizeof(buffer));

	if (count > 0)
		return conn_write(epoll_fd, conn, buffer, (size_t)count);
	if (count == 0)
		return -EPIPE;
	return errno == EAGAIN ? 0 : -errno;
}

static void serve(int epoll_fd, int listen_fd)
{
	static struct epoll_event events[EVENT_COUNT];

	for (;;) {
		int count = epoll_wait(epoll_fd, events, EVENT_COUNT, -1);

		for (int i = 0; i < count; i++) {
			struct conn *conn = events[i].data.ptr;
			int err;

			if (conn == NULL) {
				conn_accept_all(epoll_fd, listen_fd);
				continue;
			}
			if (conn->unsent_bytes > 0)
				err = conn_flush(epoll_fd, conn);
			else
				err = echo(epoll_fd, conn);
			if (err < 0)
				conn_close(conn);
		}
	}
}

int main(int argc, char **argv)
{
	struct epoll_event event = { .events = EPOLLIN, .data.ptr = NULL };
	struct server_opts opts;
	int listen_fd;
	int epoll_fd;

	server_parse(argc, argv, &opts);
	epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (epoll_fd < 0)
		server_die("epoll_create1", -errno);
	listen_fd = server_listen(&opts);
	if (epoll_ctl(epoll_fd, EPOLL_CTL_ADD, listen_fd, &event) != 0)
		server_die("epoll_ctl", -errno);
	serve(epoll_fd, listen_fd);
}
