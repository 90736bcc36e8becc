// SPDX-License-Identifier: Apache-2.0
/* bodies.h: each misbehaves in exactly one way. bad.c shows that it fails, good.c that it may. */
#ifndef TESTS_UNIT_KIT_BODIES_H
#define TESTS_UNIT_KIT_BODIES_H

#include <soon/assert.h>
#include <soon/gen.h>
#include <soon/socket.h>
#include <soon/soon.h>
#include <soon/test.h>

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

static inline int linger(void *unused)
{
	(void)unused;
	return soon_sleep(SOON_S(3)) == -ECANCELED ? -ECANCELED : 0;
}

/* A task, and its timer. */
static inline void leave_task(void)
{
	cr_assert_eq(soon_background(linger, NULL), 0);
	cr_assert_eq(soon_yield(), 0);
}

static inline int nest(void *unused)
{
	SOON_GROUP(g);
	int rc = soon_spawn(&g, linger, unused);

	return (int)soon_group_close(&g, rc);
}

/* A task below a task. */
static inline void leave_nested_task(void)
{
	cr_assert_eq(soon_background(nest, NULL), 0);
	cr_assert_eq(soon_yield(), 0);
}

/* An operation in flight, whose owner is nobody's task; and the two descriptors under it. */
static inline void leave_operation(void)
{
	static soon_receiver receiver;
	static int fds[2];
	soon_slice chunk;

	cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
	soon_receiver_init(&receiver, fds[0]);
	cr_assert_eq(soon_receiver_try_next(&receiver, &chunk), -EAGAIN);
	cr_assert_eq(soon_yield(), 0);
}

static inline void leave_descriptor(void)
{
	cr_assert_geq(open("/dev/null", O_RDONLY | O_CLOEXEC), 0);
}

static inline void file_error(void)
{
	soon_report_file(SOON_REPORT_ERROR, -EIO, "something is wrong");
}

static inline int fail(void *unused)
{
	(void)unused;
	return soon_fail(-EIO, "the disk is on fire");
}

/* A failure that nobody reads. */
static inline void leave_failure(void)
{
	cr_assert_eq(soon_background(fail, NULL), 0);
	(void)!soon_yield(); /* it ends the run, so this one too */
}

SOON_GEN(count_up, int, int limit)
{
	for (int i = 0; i < limit; i++) {
		int rc = soon_emit(&i);

		if (rc < 0)
			return rc;
	}
	return 0;
}

/* A generator that was advanced and never closed. */
static inline void leave_generator(void)
{
	count_up_iter it;

	cr_assert_eq(soon_gen_open(it, count_up, 3), 0);
	cr_assert_eq(soon_next(it, NULL), 1);
}

static inline void lose_memory(void)
{
	char *volatile block = malloc(100);

	cr_assert_not_null(block);
	block = NULL;
}

#endif
