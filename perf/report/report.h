// SPDX-License-Identifier: Apache-2.0
/*
 * report.h: results as something to read, or for other tools: a page of HTML, tables in Markdown or
 * plain text, CSV, HdrHistogram's percentile distribution, the JSON of Google Benchmark.
 *
 * Nothing in a result is trusted: names, addresses and messages are escaped for the format.
 */
#ifndef SOON_REPORT_REPORT_H
#define SOON_REPORT_REPORT_H

#include "harness/result.h"

#include <stdio.h>

#define REPORT_INPUTS_MAX 16

enum report_format {
	REPORT_TEXT,
	REPORT_HTML,
	REPORT_MARKDOWN,
	REPORT_CSV,        /* a line for each entry */
	REPORT_CSV_SERIES, /* a line for each interval of each load */
	REPORT_HGRM,       /* of one latency */
	REPORT_GBENCH,
};

enum report_verdict {
	REPORT_FASTER,
	REPORT_SLOWER,
	REPORT_NO_CHANGE,
	REPORT_TOO_NOISY,
	REPORT_IMPOSSIBLE, /* there is nothing to compare; `why` says why */
};

/* What became of one figure of one entry: `ratio` is the later one by the earlier. */
struct report_comparison {
	const char *name;   /* of the entry */
	const char *figure; /* "wall", "p99" */
	const char *unit;
	double before; /* medians */
	double after;
	double ratio;
	/* The interval that the ratio is in; of no width: it is not known, as of one run each. */
	double low;
	double high;
	enum report_verdict verdict;
	const char *why; /* "" */
};

/* One result, and what it is called where there are several: usually the file. */
struct report_input {
	const struct result *result;
	const char *label;
};

/* What a report is of. All inputs are of one kind. */
struct report {
	const struct report_input *inputs;
	size_t input_count; /* 1 to REPORT_INPUTS_MAX */
	const struct report_comparison *comparisons;
	size_t comparison_count;
	/* REPORT_HGRM: which latency of which entry; "" the total, of the only one. */
	const char *entry;
	const char *phase;
};

/* Finds by name: html, md, csv, csv-series, hgrm, gbench or text. Returns: -1: none. */
int report_format_find(const char *name);

/*
 * Writes a report. The caller closes `out`, and looks whether all was written.
 * Returns: 0. Errors: -EINVAL inputs of two kinds, too many or none; -EOPNOTSUPP the format cannot
 * say it: a distribution of benchmarks, or which of several it should be of; -ENOMEM. `ret_error`
 * tells.
 */
int report_write(const struct report *report, enum report_format format, FILE *out,
	struct result_error *ret_error);

/* Writes what weakens the figures, a line each that begins with `prefix`. Errors: -ENOMEM. */
int report_warn(const struct report *report, const char *prefix, FILE *out);

/*
 * Reads what the command line calls a result. Ownership: returns owned.
 * Returns: NULL: it cannot, and has told why.
 */
typedef struct result *report_open(const char *path);

/*
 * The command: report FILE... [--format FORMAT] [-o OUT]. `argv[0]` is the name that it is told by.
 * Returns: an exit status: 0; 3 a file cannot be read or written; 2 wrong usage, or a format that
 * cannot say what is wanted.
 */
int report_main(int argc, char **argv, report_open *open);

#endif
