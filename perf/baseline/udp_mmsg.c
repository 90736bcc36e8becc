// SPDX-License-Identifier: Apache-2.0
/*
 * Baseline: the raw UDP echo loop that an expert would write by hand: wait in epoll, take up to 32
 * datagrams by one recvmmsg, send them back by one sendmmsg, again while that was full.
 */
#include "../common/server.h"

#include <errno.h>
#include <netinet/in.h>
#include <stddef.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#define BATCH_COUNT 32
#define BYTES       2048

static char buffers[BATCH_COUNT][BYTES];
static struct sockaddr_storage names[BATCH_COUNT];
static struct iovec pieces[BATCH_COUNT];
static struct mmsghdr messages[BATCH_COUNT];

static void set_up(void)
{
	for (unsigned i = 0; i < BATCH_COUNT; i++) {
		pieces[i].iov_base = buffers[i];
		messages[i].msg_hdr.msg_iov = &pieces[i];
		messages[i].msg_hdr.msg_iovlen = 1;
		messages[i].msg_hdr.msg_name = &names[i];
	}
}

/* Returns how many there were. */
static int echo(int fd)
{
	int count, sent = 0;

	for (unsigned i = 0; i < BATCH_COUNT; i++) {
		pieces[i].iov_len = BYTES;
		messages[i].msg_hdr.msg_namelen = sizeof(names[i]);
	}
	count = recvmmsg(fd, messages, BATCH_COUNT, MSG_DONTWAIT, NULL);
	for (int i = 0; i < count; i++)
		pieces[i].iov_len = messages[i].msg_len;
	while (sent < count) {
		int n = sendmmsg(fd, messages + sent, (unsigned)(count - sent), MSG_DONTWAIT);

		if (n <= 0)
			break;
		sent += n;
	}
	return count;
}

int main(int argc, char **argv)
{
	struct epoll_event event = { .events = EPOLLIN };
	struct server_opts opts;
	int epoll_fd;
	int fd;

	server_parse(argc, argv, &opts);
	epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (epoll_fd < 0)
		server_die("epoll_create1", -errno);
	fd = server_bind_udp(&opts);
	if (epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, &event) != 0)
		server_die("epoll_ctl", -errno);
	set_up();
	for (;;) {
		if (epoll_wait(epoll_fd, &event, 1, -1) < 0 && errno != EINTR)
			server_die("epoll_wait", -errno);
		while (echo(fd) == BATCH_COUNT)
			continue;
	}
}
