// SPDX-License-Identifier: Apache-2.0
/* summary.c: see summary.h. */
#include "summary.h"

#include "stats.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define SEED         1
#define HALVES_LEAST 6 /* samples, below which two halves of them say nothing */

static size_t count_values(const struct result_samples *samples)
{
	size_t count = 0;

	for (size_t i = 0; samples != NULL && i < samples->run_count; i++)
		count += samples->runs[i].count;
	return count;
}

static size_t count_runs(const struct result_samples *samples)
{
	size_t count = 0;

	for (size_t i = 0; samples != NULL && i < samples->run_count; i++)
		count += samples->runs[i].count > 0;
	return count;
}

/* In the order in which they were taken: run after run. */
static void gather(const struct result_samples *samples, double *values)
{
	for (size_t i = 0; i < samples->run_count; i++) {
		for (size_t k = 0; k < samples->runs[i].count; k++)
			*values++ = samples->runs[i].values[k];
	}
}

/* The median of each run that has values; `room` is for as many as the longest has. */
static void gather_medians(const struct result_samples *samples, double *medians, double *room)
{
	for (size_t i = 0; i < samples->run_count; i++) {
		const struct result_run *run = &samples->runs[i];

		if (run->count == 0)
			continue;
		memcpy(room, run->values, run->count * sizeof(*room));
		*medians++ = stats_median(room, run->count);
	}
}

/* `units` in the order they were taken; `halves` is room for as many. */
static double halves_apart(const double *units, double *halves, size_t count)
{
	size_t first = (count + 1) / 2;
	double even;

	if (count < HALVES_LEAST)
		return -1;
	for (size_t i = 0; i < count; i++)
		halves[i % 2 == 0 ? i / 2 : first + i / 2] = units[i];
	even = stats_median(halves, first);
	return even > 0 ? fabs(stats_median(halves + first, count - first) / even - 1) : 0;
}

/* What says how sure it is, by the units. */
static int add_interval(struct summary *summary, const double *units, double *room, size_t count)
{
	struct stats_interval median;
	int rc = stats_median_interval(units, count, SUMMARY_CONFIDENCE, SEED, &median);

	if (rc < 0)
		return rc;
	summary->median = median.value;
	summary->low = median.low;
	summary->high = median.high;
	summary->apart = halves_apart(units, room, count);
	return 0;
}

/* What the values themselves are like. They get sorted. */
static void add_values(struct summary *summary, double *values)
{
	double squares = 0;

	for (size_t i = 0; i < summary->count; i++)
		summary->mean += values[i] / (double)summary->count;
	for (size_t i = 0; i < summary->count; i++) {
		double off = values[i] - summary->mean;

		squares += off * off;
	}
	if (summary->count > 1)
		summary->deviation = sqrt(squares / (double)(summary->count - 1));
	stats_sort(values, summary->count);
	summary->least = values[0];
	summary->first_quarter = stats_quantile(values, summary->count, 0.25);
	summary->third_quarter = stats_quantile(values, summary->count, 0.75);
	summary->greatest = values[summary->count - 1];
}

int summary_make(const struct result_samples *samples, struct summary *ret_summary)
{
	size_t count = count_values(samples), runs = count_runs(samples);
	struct summary summary = { .count = count, .apart = -1 };
	double *values, *room;
	int rc;

	*ret_summary = summary;
	if (count == 0)
		return 0;
	values = calloc(3 * count, sizeof(*values));
	if (values == NULL)
		return -ENOMEM;
	room = values + count;
	gather(samples, values);
	if (runs >= SUMMARY_RUNS_LEAST) {
		gather_medians(samples, room, room + count);
		rc = add_interval(&summary, room, room + count, runs);
	} else {
		rc = add_interval(&summary, values, room, count);
	}
	add_values(&summary, values);
	free(values);
	if (rc == 0)
		*ret_summary = summary;
	return rc;
}

double summary_spread(const struct summary *summary)
{
	return summary->median > 0 ? (summary->high - summary->low) / 2 / summary->median : 0;
}

double summary_quantile(const soon_hist *hist, double share)
{
	uint64_t value = soon_hist_quantile(hist, share);

	return (double)value;
}
