// SPDX-License-Identifier: Apache-2.0
/*
 * report.c: where trouble is told: the report sink, and the last words before an abort.
 *
 * Reports are rare and the sink is the program's, so this file is as small in means as it can be:
 * no lock, no allocation, one write. It is called on task stacks, hence the short text.
 */
#include <soon/assert.h>
#include <soon/task.h>

#include "core/spi/watch.h"

#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

/* Set before the run, so before there are threads that could read it. */
static soon_report_fn sink;
static void *sink_data;

/* Who is shown every report before the sink; for the test kit. */
static soon_report_fn watcher;
static void *watcher_data;

static atomic_uint_least64_t errors;

/* A sink that itself trips an assertion must not be called again for it. */
static _Thread_local bool is_reporting;

static const char *const level_names[] = {
	[SOON_REPORT_INFO] = "info",
	[SOON_REPORT_WARNING] = "warning",
	[SOON_REPORT_ERROR] = "error",
};

static struct iovec piece(const char *text)
{
	/* The vector is only read; iovec serves both directions and has no const. */
	return (struct iovec){ (void *)(uintptr_t)text, strlen(text) };
}

/* The default sink: one line in one system call, so that lines of several threads do not mix. */
static void write_line(const soon_report *report)
{
	const char *name = report->rc < 0 ? strerrorname_np(-report->rc) : NULL;
	struct iovec line[4 + 3 + 2 + 1]; /* as filled below */
	int count = 0;

	line[count++] = piece("soon: ");
	line[count++] = piece(level_names[report->level]);
	line[count++] = piece(": ");
	line[count++] = piece(report->text);
	if (name != NULL) {
		line[count++] = piece(" (-");
		line[count++] = piece(name);
		line[count++] = piece(")");
	}
	if (report->task != NULL) {
		line[count++] = piece(" in task ");
		line[count++] = piece(report->task);
	}
	line[count++] = piece("\n");
	/* There is nobody left to tell that stderr is gone. */
	ssize_t written = writev(STDERR_FILENO, line, count);
	(void)written;
}

static void file_report(const soon_report *report)
{
	if (report->level == SOON_REPORT_ERROR)
		atomic_fetch_add_explicit(&errors, 1, memory_order_relaxed);
	if (watcher != NULL)
		watcher(report, watcher_data);
	if (sink == NULL || is_reporting) {
		write_line(report);
		return;
	}
	is_reporting = true;
	sink(report, sink_data);
	is_reporting = false;
}

static SOON_PRINTF(3, 0) void file_text(
	soon_report_level level, int rc, const char *fmt, va_list args)
{
	char text[SOON_REPORT_TEXT_BYTES];

	if (vsnprintf(text, sizeof text, fmt, args) < 0)
		text[0] = '\0';
	file_report(&(soon_report){
		.level = level,
		.rc = rc,
		.task = soon_self() != NULL ? soon_task_name(NULL) : NULL,
		.text = text,
	});
}

void soon_on_report(soon_report_fn new_sink, void *data)
{
	sink = new_sink;
	sink_data = data;
}

void soon__watch_reports(soon_report_fn fn, void *data)
{
	watcher_data = data;
	watcher = fn;
}

uint64_t soon_report_errors(void)
{
	return atomic_load_explicit(&errors, memory_order_relaxed);
}

void soon_report_file(soon_report_level level, int rc, const char *fmt, ...)
{
	va_list args;

	SOON_ASSERT(level <= SOON_REPORT_ERROR);
	SOON_ASSERT(rc <= 0);
	va_start(args, fmt);
	file_text(level, rc, fmt, args);
	va_end(args);
}

void soon_die(const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	file_text(SOON_REPORT_ERROR, 0, fmt, args);
	va_end(args);
	abort();
}

void soon__assert_failed(const char *expr, const char *func, const char *file, int line)
{
	soon_die("%s:%d: %s: assertion failed: %s", file, line, func, expr);
}
