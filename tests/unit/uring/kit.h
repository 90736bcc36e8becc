// SPDX-License-Identifier: Apache-2.0
/*
 * kit.h: what the tests of the I/O layer share: sockets to talk through, a ledger of descriptors,
 * a sink that keeps reports. What fails here aborts the test; nothing is measured in time.
 */
#ifndef TESTS_UNIT_URING_KIT_H
#define TESTS_UNIT_URING_KIT_H

#include <soon/group.h>
#include <soon/io.h>
#include <soon/socket.h>
#include <soon/time.h>

#include "support/harness.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* Long enough to be a failure when it is reached, short enough to end the test. */
#define KIT_LONG SOON_S(20)

/* Short enough to wait for; used only to cancel what would never end by itself. */
#define KIT_SHORT SOON_MS(2)

/* Two connected sockets; [0] is the one under test by convention. */
static inline __attribute__((unused)) void kit_pair(int ret_fds[2])
{
	cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ret_fds), 0);
}

static inline __attribute__((unused)) void kit_pipe(int ret_fds[2])
{
	cr_assert_eq(pipe2(ret_fds, O_CLOEXEC), 0);
}

static inline __attribute__((unused)) void kit_close_both(const int fds[2])
{
	cr_assert_eq(soon_close(fds[0]), 0);
	cr_assert_eq(soon_close(fds[1]), 0);
}

/* A listening TCP socket on the loopback interface; its address where clients can connect to. */
static inline __attribute__((unused)) int kit_listen(int backlog, struct sockaddr_in *ret_addr)
{
	socklen_t len = sizeof(*ret_addr);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	*ret_addr = (struct sockaddr_in){
		.sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
	cr_assert_geq(fd, 0);
	cr_assert_eq(bind(fd, (struct sockaddr *)ret_addr, sizeof(*ret_addr)), 0);
	cr_assert_eq(listen(fd, backlog), 0);
	cr_assert_eq(getsockname(fd, (struct sockaddr *)ret_addr, &len), 0);
	return fd;
}

/* A client, connected without soon: the kernel completes it while the server has not accepted. */
static inline __attribute__((unused)) int kit_connect(const struct sockaddr_in *addr)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	cr_assert_geq(fd, 0, "socket: %s", strerror(errno));
	cr_assert_eq(connect(fd, (const struct sockaddr *)addr, sizeof(*addr)), 0);
	return fd;
}

static inline __attribute__((unused)) void kit_put(int fd, const void *data, size_t len)
{
	cr_assert_eq(send(fd, data, len, MSG_NOSIGNAL), (ssize_t)len);
}

/* Writes into a non-waiting descriptor until it takes no more; returns how much it took. */
static inline __attribute__((unused)) size_t kit_fill(int fd)
{
	static const char data[4096];
	size_t total = 0;
	ssize_t n;
	int flags = fcntl(fd, F_GETFL);

	cr_assert_eq(fcntl(fd, F_SETFL, flags | O_NONBLOCK), 0);
	for (size_t len = sizeof(data); len > 0; len /= 2)
		while ((n = write(fd, data, len)) > 0)
			total += (size_t)n;
	cr_assert_eq(errno, EAGAIN);
	cr_assert_eq(fcntl(fd, F_SETFL, flags), 0);
	return total;
}

/* How many descriptors the process has open. */
static inline __attribute__((unused)) unsigned kit_fd_count(void)
{
	unsigned count = 0;
	DIR *dir = opendir("/proc/self/fd");

	cr_assert_not_null(dir);
	while (readdir(dir) != NULL)
		count++;
	(void)closedir(dir);
	return count;
}

/* Lets every other ready task run, and I/O happen, a few times. */
static inline __attribute__((unused)) void kit_settle(void)
{
	for (int i = 0; i < 20; i++)
		cr_assert_eq(soon_yield(), 0);
	/* A core that is never idle asks the kernel only now and then. */
	cr_assert_eq(soon_sleep(SOON_US(1)), 0);
}

/* The reports filed since kit_reports_keep(). */
struct kit_reports {
	unsigned count;
	int rc;          /* of the last */
	char text[2048]; /* all, a line each, cut */
};

static inline int kit_reports_sink(const soon_report *report, void *data)
{
	struct kit_reports *reports = data;
	size_t len = strlen(reports->text);

	if (report->level == SOON_REPORT_INFO)
		return 0;
	reports->count++;
	reports->rc = report->rc;
	(void)snprintf(reports->text + len, sizeof(reports->text) - len, "%s\n", report->text);
	return 0;
}

static inline __attribute__((unused)) void kit_reports_keep(struct kit_reports *reports)
{
	*reports = (struct kit_reports){ 0 };
	soon_on_report(kit_reports_sink, reports);
}

#endif
