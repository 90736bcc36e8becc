// SPDX-License-Identifier: Apache-2.0
/* Reports: who gets them, what they hold, and what the default sink writes. */
#include <soon/report.h>

#include "fake_test.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

struct seen {
	soon_report_level level;
	int rc, count;
	uint64_t task_id;
	const soon_site *spawn_site, *site;
	char task[64], text[1024];
};

static int see(const soon_report *report, void *data)
{
	struct seen *seen = data;

	seen->level = report->level;
	seen->rc = report->rc;
	seen->count++;
	seen->task_id = report->task_id;
	seen->spawn_site = report->spawn_site;
	seen->site = report->site;
	(void)snprintf(seen->task, sizeof seen->task, "%s", report->task ? report->task : "");
	(void)snprintf(seen->text, sizeof seen->text, "%s", report->text);
	return 0;
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
	cr_assert_eq(task_seen.task_id, 1);
	cr_assert_str_eq(task_seen.spawn_site->what, "report_in_task");
	cr_assert_null(task_seen.site);
}

SOON_TEST_PLAIN(report, tells_what_it_is_about)
{
	static const soon_site place = { "file.c", "function", "thing", 12 };
	struct seen seen = { 0 };

	soon_on_report(see, &seen);
	soon_report_at(SOON_REPORT_INFO, 0, &place, "about a %s", "thing");
	cr_assert_eq(seen.site, &place);
	cr_assert_str_eq(seen.text, "about a thing");
	cr_assert_eq(seen.task_id, 0);
	cr_assert_null(seen.spawn_site);
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

/* What goes to stderr meanwhile. */
struct capture {
	int saved, from;
	char text[4096];
};

static void capture_begin(struct capture *capture)
{
	int ends[2];

	cr_assert_eq(pipe(ends), 0);
	capture->from = ends[0];
	capture->saved = dup(STDERR_FILENO);
	cr_assert_geq(dup2(ends[1], STDERR_FILENO), 0);
	(void)close(ends[1]);
}

static const char *capture_end(struct capture *capture)
{
	ssize_t len;

	cr_assert_geq(dup2(capture->saved, STDERR_FILENO), 0);
	(void)close(capture->saved);
	len = read(capture->from, capture->text, sizeof capture->text - 1);
	cr_assert_geq(len, 0);
	capture->text[len] = '\0';
	(void)close(capture->from);
	return capture->text;
}

static void assert_line(struct capture *capture, const char *expected)
{
	cr_assert_str_eq(capture_end(capture), expected);
}

/* A sink that reports does not call itself; what it reports names what it was about. */
static int report_again(const soon_report *report, void *data)
{
	int *count = data;

	++*count;
	soon_report_file(SOON_REPORT_INFO, 0, "from the sink about %s", report->text);
	return 0;
}

SOON_TEST_PLAIN(report, sink_is_not_entered_twice)
{
	struct capture capture;
	int count = 0;

	soon_on_report(report_again, &count);
	capture_begin(&capture);
	soon_report_file(SOON_REPORT_INFO, 0, "once");
	assert_line(&capture,
		"soon: info: from the sink about once [filed by the report sink, at: once]\n");
	cr_assert_eq(count, 1);
	soon_report_file(SOON_REPORT_INFO, 0, "twice");
	cr_assert_eq(count, 2);
	cr_assert_eq(soon_reports_lost(), 0);
}

static int refuse(const soon_report *report, void *data)
{
	(void)report;
	return *(int *)data;
}

SOON_TEST_PLAIN(report, what_the_sink_refuses_goes_to_stderr)
{
	struct capture capture;
	int rc = -ENOSPC;

	soon_on_report(refuse, &rc);
	capture_begin(&capture);
	soon_report_file(SOON_REPORT_ERROR, -EIO, "trouble");
	assert_line(
		&capture, "soon: error: trouble (-EIO) [the report sink failed with -ENOSPC]\n");
	rc = 1;
	capture_begin(&capture);
	soon_report_file(SOON_REPORT_ERROR, 0, "taken");
	assert_line(&capture, "");
	cr_assert_eq(soon_reports_lost(), 0);
	soon_test_reports_expected = 2;
}

/* Fails after it has filed a report of its own. */
static int complain_and_refuse(const soon_report *report, void *data)
{
	(void)report;
	(void)data;
	soon_report_file(SOON_REPORT_WARNING, 0, "the disk is full");
	return -EIO;
}

SOON_TEST_PLAIN(report, a_sink_that_fails_at_everything)
{
	struct capture capture;

	soon_on_report(complain_and_refuse, NULL);
	capture_begin(&capture);
	soon_report_file(SOON_REPORT_INFO, 0, "hello");
	assert_line(&capture,
		"soon: warning: the disk is full [filed by the report sink, at: hello]\n"
		"soon: info: hello [the report sink failed with -EIO]\n");
}

/* -1: stderr is closed. */
static void report_with_stderr(int with)
{
	int saved = dup(STDERR_FILENO);

	(void)close(STDERR_FILENO);
	if (with >= 0)
		(void)dup2(with, STDERR_FILENO);
	soon_report_file(SOON_REPORT_ERROR, 0, "to nobody");
	(void)dup2(saved, STDERR_FILENO);
	(void)close(saved);
}

SOON_TEST_PLAIN(report, without_stderr_it_is_counted_as_lost)
{
	int ends[2];

	report_with_stderr(-1);
	cr_assert_eq(soon_reports_lost(), 1);

	/* A pipe that nobody reads; no signal ends us. */
	cr_assert_eq(pipe(ends), 0);
	(void)close(ends[0]);
	report_with_stderr(ends[1]);
	cr_assert_eq(soon_reports_lost(), 2);
	(void)close(ends[1]);
	soon_test_reports_expected = 2;
}

SOON_TEST_PLAIN(report, a_full_disk_is_counted_as_lost)
{
	int full = open("/dev/full", O_WRONLY | O_CLOEXEC);

	cr_assert_geq(full, 0);
	report_with_stderr(full);
	(void)close(full);
	cr_assert_eq(soon_reports_lost(), 1);
	soon_test_reports_expected = 1;
}

SOON_TEST_PLAIN(report, default_sink_writes_one_line)
{
	struct capture capture;

	capture_begin(&capture);
	soon_report_file(SOON_REPORT_ERROR, -EMFILE, "no\nmore %d\r", 7);
	assert_line(&capture, "soon: error: no more 7  (-EMFILE)\n");
	soon_test_reports_expected = 1;
}

static void *report_a_lot(void *unused)
{
	(void)unused;
	for (int i = 0; i < 1000; i++)
		soon_report_file(SOON_REPORT_ERROR, 0, "%d", i);
	return NULL;
}

static int drop(const soon_report *report, void *data)
{
	(void)report;
	(void)data;
	return 0;
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
