// SPDX-License-Identifier: Apache-2.0
/* summary.c: see summary.h. */
#include "summary.h"

#include "harness/stats.h"

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

/* In the order in which they were taken: run after run. */
static void gather(const struct result_samples *samples, double *values)
{
	for (size_t i = 0; i < samples->run_count; i++) {
		for (size_t k = 0; k < samples->runs[i].count; k++)
			*values++ = samples->runs[i].values[k];
	}
}

/* `values` in the order they were taken; `halves` is room for as many. */
static double halves_apart(const double *values, double *halves, size_t count)
{
	size_t first = (count + 1) / 2;
	double even;

	if (count < HALVES_LEAST)
		return -1;
	for (size_t i = 0; i < count; i++)
		halves[i % 2 == 0 ? i / 2 : first + i / 2] = values[i];
	even = stats_median(halves, first);
	return even > 0 ? fabs(stats_median(halves + first, count - first) / even - 1) : 0;
}

static void add_moments(struct summary *summary, const double *values)
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
}

static int fill(struct summary *summary, double *values, double *room)
{
	struct stats_interval median;
	int rc = stats_median_interval(values, summary->count, SUMMARY_CONFIDENCE, SEED, &median);

	if (rc < 0)
		return rc;
	summary->low = median.low;
	summary->high = median.high;
	summary->apart = halves_apart(values, room, summary->count);
	add_moments(summary, values);
	stats_sort(values, summary->count);
	summary->least = values[0];
	summary->first_quarter = stats_quantile(values, summary->count, 0.25);
	summary->median = stats_quantile(values, summary->count, 0.5);
	summary->third_quarter = stats_quantile(values, summary->count, 0.75);
	summary->greatest = values[summary->count - 1];
	return 0;
}

int summary_make(const struct result_samples *samples, struct summary *ret_summary)
{
	size_t count = count_values(samples);
	struct summary summary = { .count = count, .apart = -1 };
	double *values;
	int rc;

	*ret_summary = summary;
	if (count == 0)
		return 0;
	values = calloc(count, 2 * sizeof(*values));
	if (values == NULL)
		return -ENOMEM;
	gather(samples, values);
	rc = fill(&summary, values, values + count);
	free(values);
	if (rc == 0)
		*ret_summary = summary;
	return rc;
}

double summary_spread(const struct summary *summary)
{
	return summary->median > 0 ? (summary->high - summary->low) / 2 / summary->median : 0;
}

const struct result_counter *summary_counter(const struct result_entry *entry, const char *name)
{
	for (size_t i = 0; i < entry->counter_count; i++) {
		if (strcmp(entry->counters[i].name, name) == 0)
			return &entry->counters[i];
	}
	return NULL;
}

const struct result_phase *summary_phase(const struct result_load *load, const char *name)
{
	for (size_t i = 0; i < load->phase_count; i++) {
		if (strcmp(load->phases[i].name, name) == 0)
			return &load->phases[i];
	}
	return NULL;
}

uint64_t summary_errors(const struct result_load *load)
{
	uint64_t count = 0;

	for (size_t i = 0; i < load->error_count; i++)
		count += load->errors[i].count;
	return count;
}

double summary_quantile(const soon_hist *hist, double share)
{
	uint64_t value = soon_hist_quantile(hist, share);

	return (double)value;
}

double summary_greatest(const soon_hist *hist)
{
	uint64_t value = soon_hist_greatest(hist);

	return (double)value;
}

double summary_count(const soon_hist *hist)
{
	uint64_t count = soon_hist_count(hist);

	return (double)count;
}

bool summary_reaches(const soon_hist *hist, double share)
{
	/* The hair is for 1 - 0.99, which is a little more than 0.01. */
	return summary_count(hist) * (1 - share) >= 1 - 1e-6;
}
