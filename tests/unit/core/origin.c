// SPDX-License-Identifier: Apache-2.0
/*
 * From where tasks were spawned, when stacks are debugged; and results that nobody read, in whose
 * reports that helps.
 */
#include "origin.h"

#include <soon/dump.h>

#include "describe.h"
#include "fake_test.h"
#include "handle.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static unsigned warnings;
static char said[SOON_REPORT_TEXT_BYTES];
static const soon_site *said_at;

static int keep(const soon_report *report, void *unused)
{
	(void)unused;
	warnings += report->level == SOON_REPORT_WARNING;
	(void)snprintf(said, sizeof said, "%s", report->text);
	said_at = report->site;
	return 0;
}

static void assert_said(const char *part)
{
	cr_assert_not_null(strstr(said, part), "expected '%s' in: %s", part, said);
}

static int give(int rc)
{
	return rc;
}

static int give_later(int rc)
{
	int slept = soon_sleep(SOON_S(1));

	return slept < 0 && rc <= 0 ? slept : rc; /* a value is given in spite of a cancel */
}

FAKE_TEST(unread, a_value_is_reported_once_with_its_spawn_site)
{
	soon_task_opts opts = { 0 };
	char expected[64];
	soon_task *task;

	soon_on_report(keep, NULL);
	opts.ret_task = &task;
	{
		SOON_GROUP(g);

		cr_assert_eq(soon_spawn_with(&g, &opts, give, 7), 0);
		(void)snprintf(expected, sizeof expected, "origin.c:%d, ended", __LINE__ - 1);
		cr_assert_eq(soon_group_close(&g, 0), 0);
	}
	cr_assert_eq(warnings, 1);
	assert_said("nobody read the result 7 of a task that was spawned with a handle: 'give' #2");
	assert_said(expected);
	cr_assert_str_eq(said_at->what, "give");
}

FAKE_TEST(unread, joined_is_read)
{
	soon_task_opts opts[3] = { 0 };
	soon_task *tasks[3];
	int rc = 0;
	SOON_GROUP(g);

	soon_on_report(keep, NULL);
	for (int i = 0; i < 3; i++) {
		opts[i].ret_task = &tasks[i];
		cr_assert_eq(soon_spawn_with(&g, &opts[i], give_later, 7), 0);
	}
	cr_assert_eq(soon_join(tasks[0], &rc), 0);
	cr_assert_eq(rc, 7);
	cr_assert_eq(soon_join(tasks[1], NULL), 0); /* after its end, and not interested */
	cr_assert_eq(soon_cancel_join(tasks[2]), 0);
	cr_assert_eq(soon_join(tasks[2], NULL), 0);
	cr_assert_eq(soon_group_close(&g, 0), 0);
	cr_assert_eq(warnings, 0, "%s", said);
}

FAKE_TEST(unread, a_join_that_was_cancelled_read_nothing)
{
	soon_task_opts opts = { 0 };
	soon_task *task;
	int rc = 0;
	SOON_GROUP(g);

	soon_on_report(keep, NULL);
	opts.ret_task = &task;
	cr_assert_eq(soon_spawn_with(&g, &opts, give_later, 7), 0);
	cr_assert_eq(soon_within(SOON_MS(1), soon_join(task, &rc)), -ETIMEDOUT);
	cr_assert_eq(soon_group_close(&g, 0), 0);
	cr_assert_eq(warnings, 1);
}

FAKE_TEST(unread, zero_needs_no_reader_and_a_cancelled_task_neither)
{
	soon_task_opts opts[2] = { 0 };
	soon_task *tasks[2];
	SOON_GROUP(g);

	soon_on_report(keep, NULL);
	for (int i = 0; i < 2; i++)
		opts[i].ret_task = &tasks[i];
	cr_assert_eq(soon_spawn_with(&g, &opts[0], give, 0), 0);
	cr_assert_eq(soon_spawn_with(&g, &opts[1], give_later, -ECANCELED), 0);
	soon_group_cancel(&g, "enough");
	cr_assert_eq(soon_group_close(&g, 0), 0);
	cr_assert_eq(warnings, 0, "%s", said);
}

FAKE_TEST(unread, a_failure_reaches_the_result)
{
	soon_task_opts opts = { 0 };
	soon_task *task;
	SOON_GROUP(g);

	soon_on_report(keep, NULL);
	opts.ret_task = &task;
	cr_assert_eq(soon_spawn_with(&g, &opts, give, -EIO), 0);
	cr_assert_eq(soon_group_close(&g, 0), -EIO);
	cr_assert_eq(warnings, 0, "%s", said);
}

FAKE_TEST(unread, without_a_handle_nobody_could_read_it)
{
	SOON_GROUP(g);

	soon_on_report(keep, NULL);
	cr_assert_eq(soon_spawn(&g, give, 7), 0);
	cr_assert_eq(soon_group_close(&g, 0), 0);
	cr_assert_eq(warnings, 0, "%s", said);
}

static int leave_without_close(void *unused)
{
	SOON_GROUP(g, .policy = SOON_WAIT_ALL);

	(void)unused;
	cr_assert_eq(soon_spawn(&g, give, -EIO), 0);
	cr_assert_eq(soon_spawn(&g, give, -EPIPE), 0);
	return 0;
}

SOON_TEST_PLAIN(unread, what_a_group_lost_that_was_left_is_named)
{
	soon_on_report(keep, NULL);
	cr_assert_eq(FAKE_RUN(NULL, leave_without_close, NULL), 0);
	assert_said("nobody reads it: task 'give', spawned at ");
	assert_said(": Input/output error (2 failures)");
	cr_assert_str_eq(said_at->what, "give");
	soon_test_reports_expected = 2;
}

SOON_TEST_PLAIN(unread, the_result_of_the_run_is_read)
{
	soon_on_report(keep, NULL);
	cr_assert_eq(FAKE_RUN(NULL, give, 7), 7);
	cr_assert_eq(warnings, 0);
}

static __attribute__((noinline)) int spawn_in_here(soon_group *group, soon_task **ret_task)
{
	int rc = soon_spawn_with(group, &(soon_task_opts){ .ret_task = ret_task }, give_later, 0);

	return rc < 0 ? rc : 0;
}

static int see_origin(long expected)
{
	char text[SOON__DESCRIBE_BYTES];
	static char dumped[16384];
	soon_task *task;
	int fd = memfd_create("dump", MFD_CLOEXEC);
	SOON_GROUP(g);

	cr_assert_eq(spawn_in_here(&g, &task), 0);
	(void)soon__task_describe(soon__handle_record(task), text, sizeof text);
	cr_assert_eq(soon_dump(fd, SOON_DUMP_NO_STACKS), 0);
	cr_assert_gt(pread(fd, dumped, sizeof dumped - 1, 0), 0);
	(void)close(fd);
	cr_assert_eq(strstr(text, "spawn_in_here") != NULL, expected, "%s", text);
	cr_assert_eq(strstr(dumped, " < spawn_in_here") != NULL, expected, "%s", dumped);
	return (int)soon_group_close(&g, 0);
}

SOON_TEST_PLAIN(origin, is_noted_where_it_is_asked_for)
{
	soon_opts run = { .debug = 1 };
	const struct fake_opts opts = { .run = &run };

	cr_assert_eq(FAKE_RUN(&opts, see_origin, true), 0);
	run.debug = -1;
	(void)setenv("SOON_DEBUG", "stacks", 1);
	cr_assert_eq(FAKE_RUN(&opts, see_origin, false), 0);
	run.debug = 0;
	cr_assert_eq(FAKE_RUN(&opts, see_origin, true), 0);
	(void)setenv("SOON_DEBUG", "0", 1);
	cr_assert_eq(FAKE_RUN(&opts, see_origin, false), 0);
}
