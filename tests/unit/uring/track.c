// SPDX-License-Identifier: Apache-2.0
/* Descriptors that are left open at the end of a run that debugs leaks. */
#include <soon/debug.h>
#include <soon/file.h>
#include <soon/io.h>

#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <support/harness.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

static char said[8192];

static int keep(const soon_report *report, void *unused)
{
	size_t len = strlen(said);

	(void)unused;
	if (report->level == SOON_REPORT_ERROR)
		(void)snprintf(said + len, sizeof said - len, "%s\n", report->text);
	return 0;
}

static int left[2];

static int leave_some(void *unused)
{
	int fds[2], fd;

	(void)unused;
	left[0] = soon_open("/dev/null", O_RDONLY, 0);
	cr_assert_geq(left[0], 0);

	fd = soon_open("/dev/null", O_RDONLY, 0);
	cr_assert_eq(soon_close(fd), 0);

	/* Closed without soon's knowing. */
	fd = soon_open("/dev/null", O_RDONLY, 0);
	cr_assert_eq(close(fd), 0);

	/* The number of one that was left open is used again, and closed. */
	fd = soon_open("/dev/null", O_RDONLY, 0);
	cr_assert_eq(close(fd), 0);
	cr_assert_eq(soon_open("/dev/null", O_RDONLY, 0), fd);
	cr_assert_eq(soon_close(fd), 0);

	cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
	left[1] = fds[0];
	soon_fd_track(fds[0], "pair");
	soon_fd_track(fds[1], "pair");
	cr_assert_eq(soon_close(fds[1]), 0);
	return 0;
}

static void run_and_tidy(int debug)
{
	const soon_opts opts = { .debug = debug };

	said[0] = '\0';
	soon_on_report(keep, NULL);
	cr_assert_eq(soon_run_with(&opts, leave_some, NULL), 0);
	(void)close(left[0]);
	(void)close(left[1]);
}

static unsigned lines_in(const char *text)
{
	unsigned count = 0;

	for (; *text; text++)
		count += *text == '\n';
	return count;
}

SOON_TEST_PLAIN(track, descriptors_that_are_left_open_are_told)
{
	char expected[64];

	run_and_tidy(1);
	cr_assert_eq(lines_in(said), 2, "%s", said);
	(void)snprintf(expected, sizeof expected, ": file fd %d, opened by leave_some", left[0]);
	cr_assert_not_null(strstr(said, expected), "%s", said);
	(void)snprintf(expected, sizeof expected, ": pair fd %d, opened by leave_some", left[1]);
	cr_assert_not_null(strstr(said, expected), "%s", said);
	soon_test_reports_expected = 2;
}

SOON_TEST_PLAIN(track, nothing_is_without_debugging)
{
	run_and_tidy(-1);
	cr_assert_eq(lines_in(said), 0, "%s", said);
}

/*
 * A child of a fork has nothing of what its parent tracked, nor a lock that nobody gives back. Not
 * under ASan, which has locks of its own, and keeps what it knows of memory that is not there.
 */
#ifndef SOON_TEST_ASAN

static int inherited;

static int close_one_and_leave_one(void *unused)
{
	(void)unused;
	if (soon_close(inherited) < 0)
		return 1;
	inherited = soon_open("/dev/null", O_RDONLY, 0);
	return inherited < 0;
}

static void run_in_child(void)
{
	said[0] = '\0';
	(void)alarm(30); /* a lock that is never given back */
	if (soon_run_with(&(soon_opts){ .debug = 1 }, close_one_and_leave_one, NULL) != 0)
		_exit(2);
	_exit(lines_in(said) == 1 ? 0 : 3);
}

static atomic_bool must_stop;

static int open_and_close(void *unused)
{
	(void)unused;
	while (!atomic_load(&must_stop)) {
		int fd = soon_open("/dev/null", O_RDONLY, 0);

		if (fd < 0 || soon_close(fd) < 0)
			return 1;
	}
	return 0;
}

static void *run_beside(void *unused)
{
	(void)unused;
	return soon_run_with(&(soon_opts){ .debug = 1 }, open_and_close, NULL) == 0 ? NULL
										    : &must_stop;
}

static int fork_often(void *unused)
{
	(void)unused;
	for (int i = 0; i < 20; i++) {
		int status = -1;
		pid_t child;

		inherited = soon_open("/dev/null", O_RDONLY, 0);
		cr_assert_geq(inherited, 0);
		child = fork();
		if (child == 0)
			run_in_child();
		cr_assert_gt(child, 0);
		cr_assert_eq(waitpid(child, &status, 0), child);
		cr_assert_eq(status, 0, "%x", (unsigned)status);
		cr_assert_eq(soon_close(inherited), 0);
	}
	return 0;
}

/* As little as ASan does TSan let the child have threads. */
SOON_TEST_PLAIN(track, forked_child_begins_with_nothing, .disabled = IS_UNDER_TSAN)
{
	pthread_t thread;
	void *failed = NULL;

	soon_on_report(keep, NULL);
	cr_assert_eq(pthread_create(&thread, NULL, run_beside, NULL), 0);
	cr_assert_eq(soon_run_with(&(soon_opts){ .debug = 1 }, fork_often, NULL), 0);
	atomic_store(&must_stop, true);
	cr_assert_eq(pthread_join(thread, &failed), 0);
	cr_assert_null(failed);
}

#endif
