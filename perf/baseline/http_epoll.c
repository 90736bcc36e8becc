// SPDX-License-Identifier: Apache-2.0
/*
 * Baseline: a raw epoll loop that answers each "\r\n\r\n" with one fixed response of 13 body bytes.
 * It parses nothing, which no real server may do: it marks how far a parser, routing, limits and
 * dates stand from the kernel's own cost. Pipelined requests of one read are answered by one write.
 */
#include "../common/server.h"
#include "epoll_conn.h"

#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#define EVENT_COUNT 512
#define INPUT_BYTES (16 * 1024)
#define RESPONSE                                                                                   \
	"HTTP/1.1 200 OK\r\n"                                                                      \
	"Server: raw\r\n"                                                                          \
	"Content-Type: text/plain\r\n"                                                             \
	"Content-Length: 13\r\n"                                                                   \
	"Connection: keep-alive\r\n"                                                               \
	"\r\n"                                                                                     \
	"Hello, World!"
#define RESPONSE_BYTES (sizeof(RESPONSE) - 1)

static const char end_of_head[] = "\r\n\r\n";

static char input[INPUT_BYTES];
static char output[(INPUT_BYTES / 4 + 1) * RESPONSE_BYTES]; /* each request has at least 4 bytes */

/* Feeds one byte to the matcher of "\r\n\r\n"; returns how many of its bytes have now been seen. */
static unsigned match_byte(unsigned match, char byte)
{
	if (byte == end_of_head[match])
		return match + 1;
	return byte == '\r' ? 1 : 0;
}

/* Counts the heads that end in this input; *match carries a head cut by the end of a read. */
static size_t count_heads(const char *bytes, size_t count, unsigned *match)
{
	const char *end = bytes + count;
	const char *found;
	size_t heads = 0;

	while (*match > 0 && bytes < end) {
		*match = match_byte(*match, *bytes++);
		if (*match == 4) {
			*match = 0;
			heads++;
		}
	}
	while ((found = memmem(bytes, (size_t)(end - bytes), end_of_head, 4)) != NULL) {
		bytes = found + 4;
		heads++;
	}
	if (end - bytes > 3)
		bytes = end - 3;
	while (bytes < end)
		*match = match_byte(*match, *bytes++);
	return heads;
}

static int answer(int epoll_fd, struct conn *conn)
{
	ssize_t count = read(conn->fd, input, sizeof(input));
	size_t heads;

	if (count == 0)
		return -EPIPE;
	if (count < 0)
		return errno == EAGAIN ? 0 : -errno;
	heads = count_heads(input, (size_t)count, &conn->match);
	if (heads == 0)
		return 0;
	return conn_write(epoll_fd, conn, output, heads * RESPONSE_BYTES);
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
				err = answer(epoll_fd, conn);
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
	for (size_t at = 0; at < sizeof(output); at += RESPONSE_BYTES)
		memcpy(output + at, RESPONSE, RESPONSE_BYTES);
	epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (epoll_fd < 0)
		server_die("epoll_create1", -errno);
	listen_fd = server_listen(&opts);
	if (epoll_ctl(epoll_fd, EPOLL_CTL_ADD, listen_fd, &event) != 0)
		server_die("epoll_ctl", -errno);
	serve(epoll_fd, listen_fd);
}
