// SPDX-License-Identifier: Apache-2.0
/*
 * user_limit.h: limits of a user (user_namespaces(7)), in a namespace of the test's own where
 * nothing is allowed. The process must not have threads yet.
 */
#ifndef TESTS_SUPPORT_USER_LIMIT_H
#define TESTS_SUPPORT_USER_LIMIT_H

#include <fcntl.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <unistd.h>

/* Sets `limit`, "max_inotify_watches", to none; false where there are no user namespaces. */
static inline bool limit_to_none(const char *limit)
{
	char path[64];
	int fd;
	bool is_set;

	if (unshare(CLONE_NEWUSER) != 0)
		return false;
	(void)snprintf(path, sizeof(path), "/proc/sys/user/%s", limit);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	is_set = fd >= 0 && write(fd, "0", 1) == 1;
	if (fd >= 0)
		(void)close(fd);
	return is_set;
}

#endif
