// SPDX-License-Identifier: Apache-2.0
/*
 * report.h: how soon tells about misuse, leaks and trouble it cannot return to anybody.
 *
 * The library never prints on its own. A report is one line. It goes to the sink set here, by
 * default stderr. A sink that fails does not swallow a report: it goes to stderr all the same, with
 * a word about the sink; and when stderr, too, takes nothing, it is counted.
 */
#ifndef SOON_REPORT_H
#define SOON_REPORT_H

#include <soon/base.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef enum soon_report_level {
	SOON_REPORT_INFO,    /* a state worth a line: the back end chosen */
	SOON_REPORT_WARNING, /* works, but somebody should look */
	SOON_REPORT_ERROR,   /* misuse, a leak, a failure nobody could receive */
} soon_report_level;

/* Longest text, its end included: it is put together on the stack of the task it is about. */
#define SOON_REPORT_TEXT_BYTES 704

typedef struct soon_report {
	soon_report_level level;
	int rc;                      /* the errno in question, negative, or 0 */
	const char *task;            /* the name of the task that ran, or NULL */
	uint64_t task_id;            /* its number in the run, 0 outside a task */
	const soon_site *spawn_site; /* where it was spawned, NULL outside a task */
	const soon_site *site;       /* what the report is about: a spawn, an opening; or NULL */
	const char *text;            /* one line without its end */
} soon_report;

/* Takes a report; a negative result says that it could not. */
typedef int (*soon_report_fn)(const soon_report *report, void *data);

/*
 * Sets the sink for reports of the whole process; NULL gives back the default, stderr.
 * Affinity: setup (before the run). Suspends: never. The sink is called on the thread and the
 * stack of whoever files the report, maybe on several threads at once. It may not suspend. What it
 * reports itself goes to stderr; so does a report for which it gives a negative result.
 * A process that aborts says so right before it does: what a sink buffers then is lost.
 * Ownership: `data` is lent until the next call. `report` is lent to the sink until it returns.
 */
SOON_API void soon_on_report(soon_report_fn SOON_NULLABLE sink, void *SOON_NULLABLE data);

/* Returns how many reports of level ERROR were filed since the process started. */
SOON_API uint64_t soon_report_errors(void) SOON_ANY_THREAD;

/*
 * Returns how many reports reached nobody since the process started: the sink refused them or
 * there was none, and stderr took nothing.
 */
SOON_API uint64_t soon_reports_lost(void) SOON_ANY_THREAD;

#ifdef __cplusplus
}
#endif

#endif
