// SPDX-License-Identifier: Apache-2.0
/* kit_epoll.h: what the tests of the epoll back end share. They always run on this one. */
#ifndef TESTS_UNIT_URING_KIT_EPOLL_H
#define TESTS_UNIT_URING_KIT_EPOLL_H

#include <soon/scope.h>

#include "kit_backend.h"

#define EPOLL_TEST(name)                                                                           \
	static int name##_app(void *unused);                                                       \
	SOON_TEST_PLAIN(epoll, name)                                                               \
	{                                                                                          \
		cr_assert_eq(                                                                      \
			soon_run_with(&(soon_opts){ .io = SOON_IO_EPOLL }, name##_app, NULL), 0);  \
	}                                                                                          \
	static int name##_app(void *unused)

/* How often a sleep of a while was interrupted. A spin would be thousands. */
static inline __attribute__((unused)) uint64_t wakes_in_a_while(void)
{
	uint64_t before = soon__epoll_self()->stats.wait_count;

	cr_assert_eq(soon_sleep(SOON_MS(50)), 0);
	return soon__epoll_self()->stats.wait_count - before;
}

static inline __attribute__((unused)) ssize_t read_one(int fd)
{
	char byte = 0;
	ssize_t n = soon_within(KIT_LONG, soon_read(fd, &byte, 1));

	return n == 1 ? byte : n;
}

/* Waits on the descriptor for a moment, so that the kernel was asked to watch it. */
static inline __attribute__((unused)) void wait_in_vain(int fd)
{
	char byte;

	cr_assert_eq(soon_within(KIT_SHORT, soon_read(fd, &byte, 1)), -ETIMEDOUT);
}

struct reader {
	int fd;
	ssize_t rc;
};

static inline __attribute__((unused)) int read_and_note(struct reader *reader)
{
	reader->rc = read_one(reader->fd);
	return 0;
}

#endif
