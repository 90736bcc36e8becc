// SPDX-License-Identifier: Apache-2.0
/*
 * Ways to send a file that is in the page cache to a TCP socket on loopback: the CPU time of the
 * sending side, kernel workers of a ring included, for each MiB. A child process receives, on the
 * second CPU.
 *
 *	micro_transfer soon|copy64|copy128|copy256|sendfile|splice
 *
 * soon: soon_sendfile(). copy: pread and send through a buffer of so many KiB. sendfile: the system
 * call, on a socket that does not wait, and poll. splice: by a ring, through a pipe of 1 MiB, the
 * two halves linked, which is how it is done in one submission.
 */
#include <soon/file.h>
#include <soon/task.h>

#include "../common/clock.h"
#include "../micro/micro.h"

#include <errno.h>
#include <liburing.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define FILE_BYTES ((size_t)32 << 20)
#define MIB        ((size_t)1 << 20)

static int file_fd, socket_fd;
static size_t copy_bytes;
static char *buffer;
static int pipe_fds[2];
static struct io_uring ring;

static void check(bool is_good, const char *what)
{
	if (!is_good)
		micro_die(what, -errno);
}

static void receive_all(int fd)
{
	char *into = malloc(MIB);

	micro_pin(1);
	while (into != NULL && recv(fd, into, MIB, 0) > 0)
		continue;
	_exit(0);
}

static void connect_both(void)
{
	struct sockaddr_in addr = { .sin_family = AF_INET };
	socklen_t len = sizeof(addr);
	int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	addr.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	check(bind(listener, (struct sockaddr *)&addr, len) == 0, "bind");
	check(listen(listener, 1) == 0, "listen");
	check(getsockname(listener, (struct sockaddr *)&addr, &len) == 0, "getsockname");
	socket_fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	check(connect(socket_fd, (struct sockaddr *)&addr, len) == 0, "connect");
	if (fork() == 0) {
		int fd = accept(listener, NULL, NULL);

		(void)close(socket_fd);
		receive_all(fd);
	}
	(void)close(listener);
}

static void make_file(void)
{
	static char data[65536];

	file_fd = memfd_create("transfer", MFD_CLOEXEC);
	check(file_fd >= 0, "memfd_create");
	for (size_t done = 0; done < FILE_BYTES; done += sizeof(data))
		check(write(file_fd, data, sizeof(data)) == sizeof(data), "write");
}

static void by_soon(void) SOON_SUSPENDS
{
	ssize_t n = soon_sendfile(socket_fd, file_fd, 0, FILE_BYTES, NULL);

	if (n != (ssize_t)FILE_BYTES)
		micro_die("soon_sendfile", (int)n);
}

static void by_copy(void)
{
	for (size_t at = 0; at < FILE_BYTES; at += copy_bytes) {
		check(pread(file_fd, buffer, copy_bytes, (off_t)at) == (ssize_t)copy_bytes,
			"pread");
		check(send(socket_fd, buffer, copy_bytes, MSG_WAITALL) == (ssize_t)copy_bytes,
			"send");
	}
}

static void by_sendfile(void)
{
	off_t at = 0;

	while ((size_t)at < FILE_BYTES) {
		struct pollfd entry = { .fd = socket_fd, .events = POLLOUT };
		ssize_t n = sendfile(socket_fd, file_fd, &at, FILE_BYTES - (size_t)at);

		check(n > 0 || errno == EAGAIN, "sendfile");
		if (n < 0)
			check(poll(&entry, 1, -1) == 1, "poll");
	}
}

/* The ring has room for both. */
static struct io_uring_sqe *get_sqe(void)
{
	struct io_uring_sqe *sqe = io_uring_get_sqe(&ring);

	if (sqe == NULL)
		abort();
	return sqe;
}

static void by_splice(void)
{
	size_t moved = 0;

	while (moved < FILE_BYTES) {
		struct io_uring_sqe *in = get_sqe();
		struct io_uring_sqe *out = get_sqe();
		int results[2];

		io_uring_prep_splice(in, file_fd, (int64_t)moved, pipe_fds[1], -1, MIB, 0);
		in->flags |= IOSQE_IO_LINK;
		in->user_data = 0;
		io_uring_prep_splice(out, pipe_fds[0], -1, socket_fd, -1, MIB, 0);
		out->user_data = 1;
		check(io_uring_submit_and_wait(&ring, 2) == 2, "io_uring_submit");
		for (int i = 0; i < 2; i++) {
			struct io_uring_cqe *cqe;

			check(io_uring_wait_cqe(&ring, &cqe) == 0, "io_uring_wait");
			results[cqe->user_data] = cqe->res;
			io_uring_cqe_seen(&ring, cqe);
		}
		if (results[0] <= 0 || results[1] <= 0)
			micro_die("splice", results[0] <= 0 ? results[0] : results[1]);
		moved += (size_t)results[0];
		for (int left = results[0] - results[1]; left > 0;) {
			ssize_t n = splice(pipe_fds[0], NULL, socket_fd, NULL, (size_t)left, 0);

			check(n > 0, "splice");
			left -= (int)n;
		}
	}
}

static void (*way)(void);

/* All of the process, kernel workers included: they count as its threads. */
static int send_often(uint64_t count) SOON_SUSPENDS
{
	for (uint64_t i = 0; i < count * MIB / FILE_BYTES; i++)
		way();
	return 0;
}

static int measure(void *unused) SOON_SUSPENDS
{
	double ns;
	int rc;

	(void)unused;
	rc = micro_measure(send_often, FILE_BYTES / MIB * 8, CLOCK_PROCESS_CPUTIME_ID, &ns);
	if (rc == 0)
		micro_print("transfer", ns / 1000, "us");
	return rc;
}

static void set_up(const char *name)
{
	way = by_copy;
	copy_bytes = strncmp(name, "copy", 4) == 0 ? strtoul(name + 4, NULL, 10) * 1024 : 0;
	if (copy_bytes > 0) {
		buffer = malloc(copy_bytes);
		check(buffer != NULL, "malloc");
	} else if (strcmp(name, "sendfile") == 0) {
		way = by_sendfile;
		check(fcntl(socket_fd, F_SETFL, O_NONBLOCK) == 0, "fcntl");
	} else if (strcmp(name, "splice") == 0) {
		way = by_splice;
		check(pipe2(pipe_fds, O_CLOEXEC) == 0, "pipe2");
		check(fcntl(pipe_fds[1], F_SETPIPE_SZ, (int)MIB) >= 0, "F_SETPIPE_SZ");
		check(io_uring_queue_init(8, &ring, 0) == 0, "io_uring_queue_init");
	} else if (strcmp(name, "soon") == 0) {
		way = by_soon;
	} else {
		micro_die(name, -EINVAL);
	}
}

int main(int argc, char **argv)
{
	int rc;

	if (argc != 2)
		micro_die("one argument", -EINVAL);
	connect_both();
	micro_pin(0);
	make_file();
	set_up(argv[1]);
	rc = way == by_soon ? soon_run(measure, NULL) : measure(NULL);
	(void)close(socket_fd);
	(void)wait(NULL);
	return rc < 0;
}
