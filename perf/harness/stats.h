// SPDX-License-Identifier: Apache-2.0
/*
 * stats.h: what samples say, and how sure it is. Pure functions; the same numbers in give the same
 * numbers out, also where chance is used.
 */
#ifndef SOON_HARNESS_STATS_H
#define SOON_HARNESS_STATS_H

#include <stddef.h>
#include <stdint.h>

/* An estimate with the bounds of its confidence interval. */
struct stats_interval {
	double low;
	double value;
	double high;
};

/* Sorts, the least first. None of the values is NaN. */
void stats_sort(double *values, size_t count);

/*
 * The value below which `share` of the sorted values lie, between two of them in proportion
 * (R's type 7). `count` is at least 1.
 */
double stats_quantile(const double *sorted, size_t count, double share);

/* The median of values in any order, which get sorted. `count` is at least 1. */
double stats_median(double *values, size_t count);

/*
 * Mann and Whitney's rank sum test, two-sided: the chance that two samples of the same source
 * differ as much in rank as these. Exact where there are no ties and at most 50 values in all, by
 * the normal approximation, corrected for ties and continuity, otherwise.
 * Returns: the chance in `ret_p`. Errors: -ENOMEM; -EINVAL an empty sample.
 */
int stats_mann_whitney(
	const double *a, size_t a_count, const double *b, size_t b_count, double *ret_p);

/*
 * The sign test, two-sided, of whether differences lie around 0: how likely coins would give as
 * many of one sign. Zeros are left out. It asks for nothing of their distribution, and how far out
 * one lies does not count. Exact. Returns, errors: as above, without -ENOMEM; all zero: 1.
 */
int stats_sign(const double *differences, size_t count, double *ret_p);

/*
 * The ratio of the medians, b / a, with the interval that holds it with `confidence` (0.95), by the
 * percentiles of `STATS_RESAMPLE_COUNT` bootstrap samples, drawn from each side by itself.
 * Values are above 0. Errors: -ENOMEM; -EINVAL an empty sample.
 */
#define STATS_RESAMPLE_COUNT 2000
int stats_ratio_of_medians(const double *a, size_t a_count, const double *b, size_t b_count,
	double confidence, uint64_t seed, struct stats_interval *ret_ratio);

/* The median of values, with its interval in the same way. */
int stats_median_interval(const double *values, size_t count, double confidence, uint64_t seed,
	struct stats_interval *ret_median);

/* Numbers without end from a seed: xoshiro256**, seeded by SplitMix64. */
struct stats_random {
	uint64_t state[4];
};
void stats_random_init(struct stats_random *random, uint64_t seed);
uint64_t stats_random_next(struct stats_random *random);
/* Evenly from 0 to `count` - 1; `count` is below 2^32. */
size_t stats_random_below(struct stats_random *random, size_t count);

#endif
