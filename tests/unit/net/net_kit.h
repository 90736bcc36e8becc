// SPDX-License-Identifier: Apache-2.0
/*
 * net_kit.h: real sockets for the tests of net/, all in one run. NET_TEST is SOON_TEST, which sees
 * to it that every descriptor and operation of the body has ended with it.
 */
#ifndef TESTS_UNIT_NET_NET_KIT_H
#define TESTS_UNIT_NET_NET_KIT_H

#include <soon/soon.h>

#include "support/harness.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

/* For what happens inside a body. */
static inline unsigned fds_open(void)
{
	DIR *dir = opendir("/proc/self/fd");
	unsigned count = 0;

	cr_assert_not_null(dir);
	while (readdir(dir) != NULL)
		count++;
	(void)closedir(dir);
	return count;
}

#define NET_TEST(suite, name, ...) SOON_TEST(suite, name, ##__VA_ARGS__)

/* One stream, and the other end as a plain socket to do to it what a peer can do. */
static inline soon_stream *raw_pair(int *ret_peer, const soon_stream_opts *opts)
{
	soon_stream *stream = NULL;
	int fds[2];

	cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
	cr_assert_eq(soon_stream_adopt(fds[0], opts, &stream), 0);
	*ret_peer = fds[1];
	return stream;
}

/* Two streams over a connection of a listener, for what only TCP does. */
static inline void listen_and_dial(const char *where, const soon_listen_opts *opts,
	soon_stream **ret_dialled, soon_stream **ret_accepted)
{
	char text[SOON_ADDR_TEXT_BYTES];
	soon_listener *listener = NULL;
	soon_addr addr;

	cr_assert_eq(soon_listen(where, opts, &listener), 0);
	soon_listener_addr(listener, &addr);
	cr_assert_eq(soon_dial(soon_addr_format(&addr, text), opts != NULL ? &opts->stream : NULL,
			     ret_dialled),
		0);
	cr_assert_eq(soon_listener_accept(listener, ret_accepted), 0);
	soon_listener_close(listener);
}

/* Dials `name` at a port of all hosts, hangs up, and returns who answered, without the port. */
static inline const char *dialled(const char *name, uint16_t port, const soon_stream_opts *opts)
{
	static char text[SOON_ADDR_TEXT_BYTES];
	char where[300];
	soon_stream *stream = NULL;
	soon_addr peer;
	int rc;

	(void)snprintf(where, sizeof where, "%s:%u", name, port);
	rc = (int)soon_within(SOON_S(20), soon_dial(where, opts, &stream));
	cr_assert_eq(rc, 0, "%s gives %d: %s", where, rc, soon_fail_message());
	cr_assert_eq(soon_stream_peer(stream, &peer), 0);
	(void)soon_addr_format(&peer, text);
	*strrchr(text, ':') = '\0';
	soon_stream_abort(stream);
	return text;
}

/* Leaves room for so many descriptors more. Returns the limit to go back to. */
static inline struct rlimit leave_room(unsigned count)
{
	struct rlimit was, tight;
	int lowest = dup(0);

	cr_assert_geq(lowest, 0);
	(void)close(lowest);
	cr_assert_eq(getrlimit(RLIMIT_NOFILE, &was), 0);
	tight = (struct rlimit){ (rlim_t)lowest + count, was.rlim_max };
	cr_assert_eq(setrlimit(RLIMIT_NOFILE, &tight), 0);
	return was;
}

/* Puts text on a plain socket; it is small enough to fit. */
static inline void put(int fd, const char *text)
{
	ssize_t len = (ssize_t)strlen(text);

	cr_assert_eq(send(fd, text, (size_t)len, MSG_NOSIGNAL | MSG_DONTWAIT), len);
}

/* Takes what has arrived at a plain socket, as a text; waits for the first byte. */
static inline const char *got(int fd)
{
	static char text[1024];
	ssize_t n = soon_within(SOON_S(10), soon_recv(fd, text, sizeof text - 1, 0));

	cr_assert_geq(n, 0, "recv gave %zd", n);
	text[n] = '\0';
	return text;
}

/* Whether nothing has arrived at a plain socket. Other tasks and the kernel get a turn before. */
static inline bool got_nothing(int fd)
{
	char c;

	cr_assert_eq(soon_sleep(SOON_MS(2)), 0);
	return recv(fd, &c, 1, MSG_DONTWAIT | MSG_PEEK) < 0;
}

/* The byte at a place of a long stream; neighbours and blocks differ. */
static inline char pattern(size_t at)
{
	return (char)(at * 31 + (at >> 8) * 7 + (at >> 16));
}

static inline void pattern_fill(char *buf, size_t bytes, size_t at)
{
	for (size_t i = 0; i < bytes; i++)
		buf[i] = pattern(at + i);
}

static inline bool pattern_is(const char *buf, size_t bytes, size_t at)
{
	for (size_t i = 0; i < bytes; i++)
		if (buf[i] != pattern(at + i))
			return false;
	return true;
}

/* Reads `bytes` of the pattern and then the end of the stream. */
struct drain {
	soon_stream *stream;
	size_t bytes;
	size_t read_max; /* at a time; 0: 10000 */
};

static inline int drain_run(struct drain *d)
{
	size_t max = d->read_max != 0 ? d->read_max : 10000;
	char *buf = malloc(max);
	size_t at = 0;
	ssize_t n;

	while ((n = soon_within(SOON_S(20), soon_stream_read(d->stream, buf, max))) > 0) {
		cr_assert(pattern_is(buf, (size_t)n, at), "wrong bytes near %zu", at);
		at += (size_t)n;
	}
	free(buf);
	cr_expect_eq(n, 0, "the stream ended with %zd", n);
	cr_expect_eq(at, d->bytes, "%zu bytes of %zu", at, d->bytes);
	return (int)n;
}

#endif
