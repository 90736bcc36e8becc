// SPDX-License-Identifier: Apache-2.0
/* Reports: who gets them, what they hold, and what the default sink writes. */
#include <soon/report.h>

#include "fake_test.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

struct seen {
	soon_report_level level;
	int rc, count;
	char task[64], text[1024];
};

static void see(const soon_report *report, void *data)
{
	struct seen *seen = data;

	seen->level = report->level;
	seen->rc = report->rc;
	seen->count++;
	(void)snprintf(seen->task, sizeof seen->task, "%s", report->task ? report->task : "");
	(void)snprintf(seen->text, sizeof seen->text, "%s", report->text);
}

SOON_TEST_PLAIN(report, goes_to_the_sink_with_all_it_has)
{
	struct seen seen = { 0 };

	soon_on_report(see, &seen);
	soon_report_file(SOON_REPORT_WARNING, -ENOMEM, "low on %s", "memory");
	cr_assert_eq(seen.count, 1);
	cr_assert_eq(seen.level, SOON_REPORT_WARNING);
	cr_assert_eq(seen.rc, -ENOMEM);
	cr_assert_str_eq(seen.text, "low on memory");
	cr_assert_str_eq(seen.task, "");
	soon_on_report(NULL, NULL);
	soon_report_file(SOON_REPORT_INFO, 0, "to stderr");
	cr_assert_eq(seen.count, 1);
}

static struct seen task_seen;

static int report_in_task(void *unused)
{
	(void)unused;
	soon_on_report(see, &task_seen);
	soon_report_file(SOON_REPORT_INFO, 0, "from a task");
	return 0;
}

SOON_TEST_PLAIN(report, names_the_task)
{
	cr_assert_eq(FAKE_RUN(NULL, report_in_task, NULL), 0);
	cr_assert_str_eq(task_seen.task, "report_in_task");
}

SOON_TEST_PLAIN(report, only_errors_are_counted)
{
	struct seen seen = { 0 };

	soon_on_report(see, &seen);
	soon_report_file(SOON_REPORT_INFO, 0, "info");
	soon_report_file(SOON_REPORT_WARNING, 0, "warning");
	cr_assert_eq(soon_report_errors(), 0);
	soon_report_file(SOON_REPORT_ERROR, 0, "error");
	cr_assert_eq(soon_report_errors(), 1);
	soon_test_reports_expected = 1;
}

SOON_TEST_PLAIN(report, long_text_is_cut)
{
	struct seen seen = { 0 };
	char text[2000];

	memset(text, 'x', sizeof text - 1);
	text[sizeof text - 1] = '\0';
	soon_on_report(see, &seen);
	soon_report_file(SOON_REPORT_INFO, 0, "%s", text);
	cr_assert_eq(strlen(seen.text), SOON_REPORT_TEXT_BYTES - 1);
}

/* A sink that reports does not call itself. */
static void report_again(const soon_report *report, void *data)
{
	int *count = data;

	(void)report;
	++*count;
	soon_report_file(SOON_REPORT_INFO, 0, "to stderr");
}

SOON_TEST_PLAIN(report, sink_is_not_entered_twice)
{
	int count = 0;

	soon_on_report(report_again, &count);
	soon_report_file(SOON_REPORT_INFO, 0, "once");
	cr_assert_eq(count, 1);
	soon_report_file(SOON_REPORT_INFO, 0, "twice");
	cr_assert_eq(count, 2);
}

SOON_TEST_PLAIN(report, default_sink_writes_one_line)
{
	char line[256];
	int ends[2], saved = dup(STDERR_FILENO);
	ssize_t len;

	cr_assert_eq(pipe(ends), 0);
	cr_assert_geq(dup2(ends[1], STDERR_FILENO), 0);
	soon_report_file(SOON_REPORT_ERROR, -EMFILE, "no more %d", 7);
	cr_assert_geq(dup2(saved, STDERR_FILENO), 0);
	len = read(ends[0], line, sizeof line - 1);
	cr_assert_gt(len, 0);
	line[len] = '\0';
	cr_assert_str_eq(line, "soon: error: no more 7 (-EMFILE)\n");
	soon_test_reports_expected = 1;
}

static void *report_a_lot(void *unused)
{
	(void)unused;
	for (int i = 0; i < 1000; i++)
		soon_report_file(SOON_REPORT_ERROR, 0, "%d", i);
	return NULL;
}

static void drop(const soon_report *report, void *data)
{
	(void)report;
	(void)data;
}

SOON_TEST_PLAIN(report, threads_may_report_at_once)
{
	pthread_t threads[4];

	soon_on_report(drop, NULL);
	for (int i = 0; i < 4; i++)
		cr_assert_eq(pthread_create(&threads[i], NULL, report_a_lot, NULL), 0);
	for (int i = 0; i < 4; i++)
		cr_assert_eq(pthread_join(threads[i], NULL), 0);
	cr_assert_eq(soon_report_errors(), 4000);
	soon_test_reports_expected = 4000;
}
