// SPDX-License-Identifier: Apache-2.0
/*
 * report.c: where trouble is told: the report sink, and the last words before an abort.
 *
 * Three levels, so that no report vanishes in silence: the program's sink; when that fails, or
 * itself files a report, one line to stderr that says so; when stderr takes nothing, a bare line by
 * a plain write, which may be luckier, and a count.
 *
 * Reports are rare and the sink is the program's, so this file is as small in means as it can be:
 * no lock, no allocation, one write. It is called on task stacks, hence the short text.
 */
#include <soon/assert.h>

#include "core/spi/text.h"
#include "core/spi/watch.h"

#include "core.h"
#include "debug.h"
#include "log.h"

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

static atomic_uint_least64_t errors, lost;

/*
 * What the sink of this thread is busy with, NULL for nothing. A sink that itself files a report,
 * or trips an assertion, must not be called again for it.
 */
static _Thread_local const soon_report *in_sink;

static const char *const level_names[] = {
	[SOON_REPORT_INFO] = "info",
	[SOON_REPORT_WARNING] = "warning",
	[SOON_REPORT_ERROR] = "error",
};

enum { PIECES_MAX = 16 }; /* as many as write_line() adds at most */

/* A line in pieces, to be written by one system call: lines of several threads do not mix. */
struct line {
	struct iovec pieces[PIECES_MAX];
	int count;
	size_t len;
};

static void add(struct line *line, const char *text)
{
	/* No assertion below a report: the failure of one is reported. */
	if (line->count == PIECES_MAX)
		return;

	/* The vector is only read; iovec serves both directions and has no const. */
	line->pieces[line->count] = (struct iovec){ (void *)(uintptr_t)text, strlen(text) };
	line->len += line->pieces[line->count++].iov_len;
}

static void add_errno(struct line *line, const char *before, int rc, const char *after)
{
	const char *name = rc < 0 ? strerrorname_np(-rc) : NULL;

	if (name == NULL)
		return;
	add(line, before);
	add(line, name);
	add(line, after);
}

/*
 * The default sink: one line to stderr. `sink_rc` is what the program's sink gave; `about` what it
 * was busy with when it filed this report, or NULL. Not inlined: the text of a report lies in a
 * frame above, and the two in one would be more than a task's stack is asked for at once.
 */
static __attribute__((noinline)) int write_line(
	const soon_report *report, int sink_rc, const soon_report *about)
{
	struct line line = { .count = 0 };

	add(&line, "soon: ");
	add(&line, level_names[report->level]);
	add(&line, ": ");
	add(&line, report->text);
	add_errno(&line, " (-", report->rc, ")");
	if (report->task != NULL) {
		add(&line, " in task ");
		add(&line, report->task);
	}
	if (sink_rc < 0)
		add(&line, " [the report sink failed");
	add_errno(&line, " with -", sink_rc, "");
	if (sink_rc < 0)
		add(&line, "]");
	if (about != NULL) {
		add(&line, " [filed by the report sink, at: ");
		add(&line, about->text);
		add(&line, "]");
	}
	add(&line, "\n");
	return soon__writev_all(STDERR_FILENO, line.pieces, line.count, line.len);
}

/* The third level: nothing is put together any more. */
static void bare_line(void)
{
	static const char text[] = "soon: error: a report could not be written\n";

	atomic_fetch_add_explicit(&lost, 1, memory_order_relaxed);
	/* There is nobody left to tell that this failed, too. */
	(void)soon__write_all(STDERR_FILENO, text, sizeof text - 1);
}

static void give_report(const soon_report *report)
{
	const soon_report *about = in_sink;
	int rc = 0;

	if (report->level == SOON_REPORT_ERROR)
		atomic_fetch_add_explicit(&errors, 1, memory_order_relaxed);
	if (watcher != NULL)
		/* It watches: the sink answers for the report. */
		(void)watcher(report, watcher_data);
	if (sink != NULL && about == NULL) {
		in_sink = report;
		rc = sink(report, sink_data);
		in_sink = NULL;
		if (rc >= 0)
			return;
	}
	if (write_line(report, rc, about) < 0)
		bare_line();
}

/* To be told may take a write that blocks, which is meant. */
static void file_report(const soon_report *report)
{
	soon__guard_pause();
	give_report(report);
	soon__guard_resume();
}

/* A report is one line, whatever was formatted into it. */
static void make_one_line(char *text)
{
	for (; *text; text++)
		if ((unsigned char)*text < ' ')
			*text = ' ';
}

/* Adds by which calls a wrong thread came there, where that is debugged. */
static __attribute__((noinline)) void add_caller(char *buf, size_t size, const void *from)
{
	struct soon__text text = { .buf = buf, .size = size, .len = strlen(buf) };

	text.fd = SOON__TEXT_NO_FD;
	soon__debug_put_caller(&text, from);
}

static SOON_PRINTF(5, 0) void file_text(soon_report_level level, int rc, const soon_site *site,
	const void *from, const char *fmt, va_list args)
{
	const soon_task *task = soon__task_self();
	char text[SOON_REPORT_TEXT_BYTES];

	if (vsnprintf(text, sizeof text, fmt, args) < 0)
		text[0] = '\0';
	make_one_line(text);
	if (rc == -EPERM && level == SOON_REPORT_ERROR && soon__debug_is(SOON_DEBUG_THREADS))
		add_caller(text, sizeof text, from);
	file_report(&(soon_report){
		.level = level,
		.rc = rc,
		.task = task ? task->name : NULL,
		.task_id = task ? task->id : 0,
		.spawn_site = task ? task->site : NULL,
		.site = site,
		.text = text,
	});
	if (level == SOON_REPORT_ERROR && soon__debug_is(SOON_DEBUG_ABORT)) {
		soon__log_last();
		abort();
	}
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

uint64_t soon_reports_lost(void)
{
	return atomic_load_explicit(&lost, memory_order_relaxed);
}

void soon_report_file(soon_report_level level, int rc, const char *fmt, ...)
{
	va_list args;

	SOON_ASSERT(level <= SOON_REPORT_ERROR);
	SOON_ASSERT(rc <= 0);
	va_start(args, fmt);
	file_text(level, rc, NULL, __builtin_return_address(0), fmt, args);
	va_end(args);
}

void soon_report_at(soon_report_level level, int rc, const soon_site *site, const char *fmt, ...)
{
	va_list args;

	SOON_ASSERT(level <= SOON_REPORT_ERROR);
	SOON_ASSERT(rc <= 0);
	va_start(args, fmt);
	file_text(level, rc, site, __builtin_return_address(0), fmt, args);
	va_end(args);
}

void soon_die(const char *fmt, ...)
{
	va_list args;

	soon__log_last(); /* what led to it comes first */
	va_start(args, fmt);
	file_text(SOON_REPORT_ERROR, 0, NULL, __builtin_return_address(0), fmt, args);
	va_end(args);
	abort();
}

void soon__assert_failed(const char *expr, const char *func, const char *file, int line)
{
	soon_die("%s:%d: %s: assertion failed: %s", file, line, func, expr);
}
