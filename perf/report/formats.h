// SPDX-License-Identifier: Apache-2.0
/*
 * formats.h: one function for each format but HTML, which has page.h. All have been told a report
 * that report_write has looked at. Errors of each: -ENOMEM, and what is said beside it.
 */
#ifndef SOON_REPORT_FORMATS_H
#define SOON_REPORT_FORMATS_H

#include "escape.h"
#include "report.h"

/* `how` is ESCAPE_MARKDOWN or ESCAPE_TEXT. */
int format_tables(const struct report *report, enum escape how, FILE *out);

int format_csv(const struct report *report, FILE *out);
int format_csv_series(const struct report *report, FILE *out);
int format_gbench(const struct report *report, FILE *out);

/* -EOPNOTSUPP: there is no such latency, or more than one; `ret_error` tells. */
int format_hgrm(const struct report *report, FILE *out, struct result_error *ret_error);

#endif
