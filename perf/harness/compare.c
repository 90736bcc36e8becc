// SPDX-License-Identifier: Apache-2.0
/* compare.c: see compare.h. */
#include "compare.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* The bootstrap is by chance, but the same each time that the same is compared. */
#define SEED UINT64_C(1)

/*
 * Of counts, how much is nothing, as a share, or below 1 itself: what happens less than once in a
 * thousand turns, and what the count itself costs, belongs to no turn.
 */
#define COUNT_SLACK 0.001

const char *compare_word(enum compare_verdict verdict)
{
	switch (verdict) {
	case COMPARE_NO_CHANGE:
		return "no change";
	case COMPARE_FASTER:
		return "faster";
	case COMPARE_SLOWER:
		return "slower";
	case COMPARE_NOISY:
		return "too noisy";
	case COMPARE_IMPOSSIBLE:
		break;
	}
	return "impossible";
}

const char *compare_word_of(const struct comparison *comparison)
{
	bool is_change =
		comparison->verdict == COMPARE_FASTER || comparison->verdict == COMPARE_SLOWER;
	bool is_speed = strcmp(comparison->unit, "ns") == 0 || strcmp(comparison->unit, "1/s") == 0;

	if (!is_change || is_speed)
		return compare_word(comparison->verdict);
	return comparison->ratio.value > 1 ? "more" : "less";
}

static bool all_above_zero(const double *values, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		if (!(values[i] > 0) || !isfinite(values[i]))
			return false;
	}
	return count > 0;
}

static int median_of(const double *values, size_t count, double *ret_median)
{
	double *copy = malloc(count * sizeof(*copy));

	if (copy == NULL)
		return -ENOMEM;
	memcpy(copy, values, count * sizeof(*copy));
	*ret_median = stats_median(copy, count);
	free(copy);
	return 0;
}

static int fill_medians(const double *before, size_t before_count, const double *after,
	size_t after_count, struct comparison *comparison)
{
	int rc;

	if (!all_above_zero(before, before_count) || !all_above_zero(after, after_count))
		return -EINVAL;
	comparison->before_count = before_count;
	comparison->after_count = after_count;
	rc = median_of(before, before_count, &comparison->before);
	return rc < 0 ? rc : median_of(after, after_count, &comparison->after);
}

/* Ratios are looked at as logarithms, where 2 and 1/2 are as far from 1. */
int compare_pairs(const double *before, const double *after, size_t count, uint64_t seed,
	struct comparison *comparison)
{
	int rc = fill_medians(before, count, after, count, comparison);
	struct stats_interval *ratio = &comparison->ratio;
	double *logs;

	if (rc < 0)
		return rc;
	logs = malloc(count * sizeof(*logs));
	if (logs == NULL)
		return -ENOMEM;
	for (size_t i = 0; i < count; i++)
		logs[i] = log(after[i] / before[i]);
	comparison->is_paired = true;
	rc = stats_sign(logs, count, &comparison->chance);
	if (rc == 0)
		rc = stats_median_interval(logs, count, COMPARE_CONFIDENCE, seed, ratio);
	free(logs);
	*ratio = (struct stats_interval){ exp(ratio->low), exp(ratio->value), exp(ratio->high) };
	return rc;
}

int compare_sets(const double *before, size_t before_count, const double *after, size_t after_count,
	uint64_t seed, struct comparison *comparison)
{
	int rc = fill_medians(before, before_count, after, after_count, comparison);

	if (rc == 0)
		rc = stats_mann_whitney(
			before, before_count, after, after_count, &comparison->chance);
	if (rc == 0)
		rc = stats_ratio_of_medians(before, before_count, after, after_count,
			COMPARE_CONFIDENCE, seed, &comparison->ratio);
	return rc;
}

static bool has_chance(const struct comparison *comparison)
{
	return comparison->verdict != COMPARE_IMPOSSIBLE && !comparison->is_exact;
}

/*
 * Holm's step-down: the least chance counts as often as there are comparisons, the next one once
 * less, and none is less than one before it.
 */
static void adjust(struct comparison *comparisons, size_t count)
{
	size_t left = 0;
	double least = 0;

	for (size_t i = 0; i < count; i++) {
		comparisons[i].adjusted = comparisons[i].is_exact ? 0 : -1;
		left += has_chance(&comparisons[i]);
	}
	for (; left > 0; left--) {
		struct comparison *next = NULL;

		for (size_t i = 0; i < count; i++) {
			struct comparison *candidate = &comparisons[i];

			if (!has_chance(candidate) || candidate->adjusted >= 0)
				continue;
			if (next == NULL || candidate->chance < next->chance)
				next = candidate;
		}
		if (next == NULL)
			break;
		least = fmax(least, fmin(1, next->chance * (double)left));
		next->adjusted = least;
	}
}

static enum compare_verdict judge(const struct comparison *comparison, double threshold)
{
	const struct stats_interval *ratio = &comparison->ratio;
	bool is_up = ratio->low > 1 && ratio->value >= 1 + threshold;
	bool is_down = ratio->high < 1 && ratio->value <= 1 / (1 + threshold);
	bool more_is_better = comparison->better == RESULT_BETTER_MORE;

	if (comparison->adjusted < 1 - COMPARE_CONFIDENCE && (is_up || is_down))
		return is_up == more_is_better ? COMPARE_FASTER : COMPARE_SLOWER;
	if (comparison->is_exact ||
		(ratio->low > 1 / (1 + threshold) && ratio->high < 1 + threshold))
		return COMPARE_NO_CHANGE;
	return COMPARE_NOISY;
}

void compare_judge(struct comparison *comparisons, size_t count, double threshold)
{
	adjust(comparisons, count);
	for (size_t i = 0; i < count; i++) {
		if (comparisons[i].verdict != COMPARE_IMPOSSIBLE)
			comparisons[i].verdict = judge(&comparisons[i], threshold);
	}
}

/* The medians of the runs that have values, by run; 0 for one without. NULL: no memory. */
static double *run_medians(const struct result_samples *samples)
{
	double *medians = calloc(samples->run_count + 1, sizeof(*medians));

	for (size_t i = 0; medians != NULL && i < samples->run_count; i++) {
		const struct result_run *run = &samples->runs[i];

		if (run->count > 0 && median_of(run->values, run->count, &medians[i]) < 0) {
			free(medians);
			return NULL;
		}
	}
	return medians;
}

/* Keeps what is above 0, of `other`, too, where both are to stay pairs. */
static size_t keep_positive(double *values, double *other, size_t count)
{
	size_t kept = 0;

	for (size_t i = 0; i < count; i++) {
		if (!(values[i] > 0) || (other != NULL && !(other[i] > 0)))
			continue;
		values[kept] = values[i];
		if (other != NULL)
			other[kept] = other[i];
		kept++;
	}
	return kept;
}

/* With a process each there are only its samples. */
static int compare_single(const struct result_samples *before, const struct result_samples *after,
	struct comparison *comparison)
{
	comparison->is_single = true;
	return compare_sets(before->runs[0].values, before->runs[0].count, after->runs[0].values,
		after->runs[0].count, SEED, comparison);
}

static int compare_runs(const struct result_samples *before, const struct result_samples *after,
	bool is_paired, struct comparison *comparison)
{
	double *first = run_medians(before);
	double *second = run_medians(after);
	size_t first_count = before->run_count;
	size_t second_count = after->run_count;
	int rc = -ENOMEM;

	if (first != NULL && second != NULL && is_paired) {
		first_count = first_count < second_count ? first_count : second_count;
		first_count = keep_positive(first, second, first_count);
		rc = compare_pairs(first, second, first_count, SEED, comparison);
	} else if (first != NULL && second != NULL) {
		first_count = keep_positive(first, NULL, first_count);
		second_count = keep_positive(second, NULL, second_count);
		rc = compare_sets(first, first_count, second, second_count, SEED, comparison);
	}
	free(first);
	free(second);
	return rc;
}

/* Whether all runs have the same, of which the greatest is told. */
static bool is_steady(const struct result_samples *samples, double *ret_value)
{
	double least = HUGE_VAL, greatest = -HUGE_VAL;

	for (size_t i = 0; i < samples->run_count; i++) {
		for (size_t k = 0; k < samples->runs[i].count; k++) {
			least = fmin(least, samples->runs[i].values[k]);
			greatest = fmax(greatest, samples->runs[i].values[k]);
		}
	}
	*ret_value = greatest;
	return greatest >= least && greatest - least <= COUNT_SLACK * fmax(1, greatest);
}

/* Returns: whether they can be compared so; if not, nothing is changed. */
static bool compare_exactly(const struct result_samples *before, const struct result_samples *after,
	struct comparison *comparison)
{
	double first, second, ratio;

	if (!before->is_count || !after->is_count || !is_steady(before, &first) ||
		!is_steady(after, &second))
		return false;
	if (fabs(second - first) <= COUNT_SLACK * fmax(1, fmax(first, second)))
		ratio = 1;
	else
		ratio = first > 0 ? second / first : HUGE_VAL;
	comparison->is_exact = true;
	comparison->before = first;
	comparison->after = second;
	comparison->before_count = before->run_count;
	comparison->after_count = after->run_count;
	comparison->ratio = (struct stats_interval){ ratio, ratio, ratio };
	return true;
}

static int impossible(struct comparison *comparison, const char *why)
{
	comparison->verdict = COMPARE_IMPOSSIBLE;
	comparison->why = why;
	return 0;
}

static int compare_samples(const struct result_samples *before, const struct result_samples *after,
	bool is_paired, struct comparison *comparison)
{
	int rc;

	if (strcmp(before->unit, after->unit) != 0)
		return impossible(comparison, "the units differ");
	if (before->run_count == 0 || after->run_count == 0)
		return impossible(comparison, "there are no samples");
	if (compare_exactly(before, after, comparison))
		return 0;
	if (before->run_count == 1 && after->run_count == 1)
		rc = compare_single(before, after, comparison);
	else
		rc = compare_runs(before, after, is_paired, comparison);
	return rc == -EINVAL ? impossible(comparison, "a side has no value above 0") : rc;
}

/* Why an entry lacks a figure; NULL: it does not say. */
static const char *why_missing(const struct result_entry *entry, bool is_before)
{
	switch (entry->state) {
	case RESULT_FAILED:
		return is_before ? "it failed before" : "it failed after";
	case RESULT_SKIPPED:
		return is_before ? "it was skipped before" : "it was skipped after";
	case RESULT_OK:
		break;
	}
	return is_before ? "it lacks the figure before" : "it lacks the figure after";
}

/* One figure of one entry, for what there is of it on the other side. */
static int compare_figure(const struct result_entry *before, const struct result_samples *figure,
	const struct result_entry *after, bool is_paired, struct comparison *comparison)
{
	const struct result_samples *other = result_samples_find(after, figure->name);

	*comparison = (struct comparison){
		.name = before->name,
		.figure = figure->name,
		.unit = figure->unit,
		.better = figure->better,
	};
	if (before->threads != after->threads)
		return impossible(comparison, "the numbers of threads differ");
	if (other == NULL)
		return impossible(comparison, why_missing(after, false));
	return compare_samples(figure, other, is_paired, comparison);
}

static bool is_asked(const struct result_samples *samples, const char *figure)
{
	if (samples->better == RESULT_BETTER_NONE)
		return false;
	if (figure == NULL || strcmp(figure, COMPARE_ALL) == 0)
		return true;
	if (strcmp(figure, COMPARE_COUNTS) == 0)
		return samples->is_count;
	return strcmp(figure, samples->name) == 0;
}

static int compare_entry(const struct result_entry *before, const struct result_entry *after,
	const char *figure, struct compare_report *report)
{
	const struct result_samples *missing = NULL;
	size_t count = report->count;

	for (size_t i = 0; i < before->sample_count; i++) {
		const struct result_samples *samples = &before->samples[i];
		int rc;

		if (!is_asked(samples, figure))
			continue;
		rc = compare_figure(
			before, samples, after, report->is_paired, &report->list[report->count]);
		if (rc < 0)
			return rc;
		report->count++;
		if (figure == NULL)
			break;
	}
	for (size_t i = 0; i < after->sample_count && missing == NULL; i++)
		missing = is_asked(&after->samples[i], figure) ? &after->samples[i] : NULL;
	if (report->count > count || missing == NULL)
		return 0;
	/* A gate that finds nothing to judge must not be open. */
	report->list[report->count] = (struct comparison){
		.name = before->name,
		.figure = missing->name,
		.unit = missing->unit,
		.better = missing->better,
	};
	return impossible(&report->list[report->count++], why_missing(before, true));
}

int compare_results(const struct result *before, const struct result *after, const char *figure,
	double threshold, struct compare_report *ret_report)
{
	struct compare_report report = {
		.is_paired =
			before->session[0] != '\0' && strcmp(before->session, after->session) == 0,
		.only_after = after->entry_count,
	};
	size_t room = 1;
	int rc = 0;

	for (size_t i = 0; i < before->entry_count; i++)
		room += before->entries[i]->sample_count + 1;
	report.list = calloc(room, sizeof(*report.list));
	if (report.list == NULL)
		return -ENOMEM;
	for (size_t i = 0; rc == 0 && i < before->entry_count; i++) {
		const struct result_entry *other =
			result_entry_find(after, before->entries[i]->name);

		if (other == NULL) {
			report.only_before++;
			continue;
		}
		report.only_after--;
		rc = compare_entry(before->entries[i], other, figure, &report);
	}
	if (rc < 0) {
		free(report.list);
		return rc;
	}
	compare_judge(report.list, report.count, threshold);
	*ret_report = report;
	return 0;
}

void compare_report_free(struct compare_report *report)
{
	free(report->list);
	*report = (struct compare_report){ 0 };
}
