// SPDX-License-Identifier: Apache-2.0
/*
 * report.h: how soon tells about misuse, leaks and trouble it cannot return to anybody.
 *
 * The library never prints on its own. A report goes to the sink set here, by default stderr.
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
#define SOON_REPORT_TEXT_BYTES 768

typedef struct soon_report {
	soon_report_level level;
	int rc;           /* the errno in question, negative, or 0 */
	const char *task; /* the task that ran, or NULL */
	const char *text; /* one line without its end */
} soon_report;

typedef void (*soon_report_fn)(const soon_report *report, void *data);

/*
 * Sets the sink for reports of the whole process; NULL gives back the default, stderr.
 * Affinity: setup (before the run). Suspends: never. The sink may be called from every thread
 * and may not call into soon.
 */
SOON_API void soon_on_report(soon_report_fn SOON_NULLABLE sink, void *SOON_NULLABLE data);

/* Returns how many reports of level ERROR were filed since the process started. */
SOON_API uint64_t soon_report_errors(void) SOON_ANY_THREAD;

#ifdef __cplusplus
}
#endif

#endif
