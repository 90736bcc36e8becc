// SPDX-License-Identifier: Apache-2.0
/*
 * hgrm.c: one latency as HdrHistogram's percentile distribution, in milliseconds, which is what its
 * plotter and wrk2 take it to be. Six digits behind the point keep each nanosecond.
 *
 * The percentiles are those that HdrHistogram steps through with 5 ticks for each halving of the
 * distance to 100 %. The last line has no fourth column, as its Java code writes it: programs that
 * read the format skip such a line or take it for 100 %.
 */
#include <soon/assert.h>

#include "formats.h"
#include "summary.h"
#include "warning.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <string.h>

#define TICKS_PER_HALF 5
#define LINES_MAX      2000 /* far beyond 64 halvings */
#define NS_PER_MS      1e6

/* The share that the step after `share` reaches. */
static double next_share(double share)
{
	double halvings = floor(log2(1 / (1 - share))) + 1;

	return share + 1 / (TICKS_PER_HALF * exp2(halvings));
}

static unsigned bits_of(uint64_t value)
{
	unsigned bits = 0;

	for (; value > 0; value >>= 1)
		bits++;
	return bits;
}

static void put_lines(FILE *out, const soon_hist *hist)
{
	uint64_t count = soon_hist_count(hist), reached = 0;
	double share = 0;

	for (unsigned line = 0; line < LINES_MAX && count > 0; line++) {
		uint64_t value = soon_hist_quantile(hist, share);

		reached = soon_hist_count_upto(hist, value);
		if (reached >= count || share >= 1)
			break;
		(void)fprintf(out, "%14.6f %14.12f %12" PRIu64 " %14.2f\n",
			(double)value / NS_PER_MS, share, reached, 1 / (1 - share));
		share = next_share(share);
	}
	(void)fprintf(out, "%14.6f %14.12f %12" PRIu64 "\n", summary_greatest(hist) / NS_PER_MS,
		1.0, count);
}

static void put_hist(FILE *out, const soon_hist *hist)
{
	soon_hist_opts opts;
	unsigned bits;

	soon_hist_opts_get(hist, &opts);
	SOON_ASSERT(opts.precision < 31);
	bits = bits_of(opts.value_max);
	(void)fprintf(out, "%14s %14s %12s %14s\n\n", "Value", "Percentile", "TotalCount",
		"1/(1-Percentile)");
	put_lines(out, hist);
	(void)fprintf(out, "#[Mean    = %14.6f, StdDeviation   = %14.6f]\n",
		soon_hist_mean(hist) / NS_PER_MS, soon_hist_deviation(hist) / NS_PER_MS);
	(void)fprintf(out, "#[Max     = %14.6f, Total count    = %14" PRIu64 "]\n",
		summary_greatest(hist) / NS_PER_MS, soon_hist_count(hist));
	/* A bucket of theirs is a power of two, and holds that many sub-buckets. */
	(void)fprintf(out, "#[Buckets = %14u, SubBuckets     = %14u]\n",
		bits > opts.precision + 1 ? bits - opts.precision : 1, 2U << opts.precision);
}

static const struct result_entry *find_entry(
	const struct report *report, struct result_error *ret_error)
{
	const struct result *result = report->inputs[0].result;
	const struct result_entry *entry = NULL;

	if (result->kind != RESULT_LOAD) {
		(void)snprintf(ret_error->text, sizeof(ret_error->text),
			"%s: a benchmark has samples and no distribution of latencies",
			report->inputs[0].label);
	} else if (report->input_count > 1) {
		(void)snprintf(ret_error->text, sizeof(ret_error->text),
			"a distribution is of one result, these are %zu", report->input_count);
	} else if (*report->entry != '\0') {
		entry = result_entry_find(result, report->entry);
		if (entry == NULL)
			(void)snprintf(ret_error->text, sizeof(ret_error->text),
				"%s: has no entry '%.200s'", report->inputs[0].label,
				report->entry);
	} else if (result->entry_count == 1) {
		entry = result->entries[0];
	} else {
		(void)snprintf(ret_error->text, sizeof(ret_error->text),
			"%s: has %zu entries, of which a distribution can show one: use --entry",
			report->inputs[0].label, result->entry_count);
	}
	return entry;
}

/* In the manner of the lines above it, which programs skip. */
static void put_warning(void *user, const char *title, const char *text)
{
	FILE *out = user;

	(void)fprintf(out, "#[%s: ", title);
	escape_put(out, ESCAPE_TEXT, text);
	(void)fputs("]\n", out);
}

static int put_warnings(const struct report *report, FILE *out)
{
	struct subjects subjects;
	int rc = subjects_make(report, &subjects);

	if (rc < 0)
		return rc;
	rc = warnings_find(report, &subjects, put_warning, out);
	subjects_free(&subjects);
	return rc;
}

int format_hgrm(const struct report *report, FILE *out, struct result_error *ret_error)
{
	const struct result_entry *entry = find_entry(report, ret_error);
	const char *name = *report->phase != '\0' ? report->phase : RESULT_PHASE_TOTAL;
	const struct result_phase *phase;

	if (entry == NULL)
		return -EOPNOTSUPP;
	phase = entry->load != NULL ? summary_phase(entry->load, name) : NULL;
	if (phase == NULL) {
		(void)snprintf(ret_error->text, sizeof(ret_error->text),
			"%s: '%.200s' has no latency '%.60s'", report->inputs[0].label, entry->name,
			name);
		return -EOPNOTSUPP;
	}
	put_hist(out, phase->hist);
	return put_warnings(report, out);
}
