// SPDX-License-Identifier: Apache-2.0
/*
 * stats.c: rank tests and the bootstrap.
 *
 * Times of a computer are not normal: they have a floor and a long tail. So nothing here looks at
 * means and deviations; ranks and medians only.
 *
 * See: Mann and Whitney 1947; Dixon and Mood 1946 for the sign test; Efron and Tibshirani,
 * Introduction to the Bootstrap; Hyndman and Fan 1996 for quantiles.
 */
#include "stats.h"

#include <errno.h>
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define EXACT_COUNT_MAX 50 /* C(50, 25) is far below 2^53, so that sums of counts are exact */

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a;
	double y = *(const double *)b;

	return (x > y) - (x < y);
}

void stats_sort(double *values, size_t count)
{
	qsort(values, count, sizeof(*values), by_value);
}

double stats_quantile(const double *sorted, size_t count, double share)
{
	double at = share * (double)(count - 1);
	size_t low = (size_t)at;

	if (low + 1 >= count)
		return sorted[count - 1];
	return sorted[low] + (at - (double)low) * (sorted[low + 1] - sorted[low]);
}

double stats_median(double *values, size_t count)
{
	stats_sort(values, count);
	return stats_quantile(values, count, 0.5);
}

/* A value with the sample it is from, for ranking. */
struct ranked {
	double value;
	bool is_first;
};

static int by_rank(const void *a, const void *b)
{
	return by_value(&((const struct ranked *)a)->value, &((const struct ranked *)b)->value);
}

/* What ranking gives: the sum of the ranks of the first kind, and what ties take off. */
struct ranking {
	double first_sum;
	double tie_sum; /* of t^3 - t over groups of t equal values */
};

static struct ranking rank(struct ranked *all, size_t count)
{
	struct ranking ranking = { 0 };

	qsort(all, count, sizeof(*all), by_rank);
	for (size_t i = 0; i < count;) {
		size_t end = i + 1;
		double ties;

		while (end < count && !(all[end].value > all[i].value))
			end++;
		ties = (double)(end - i);
		ranking.tie_sum += ties * ties * ties - ties;
		for (size_t k = i; k < end; k++) {
			if (all[k].is_first)
				ranking.first_sum += ((double)i + 1 + (double)end) / 2;
		}
		i = end;
	}
	return ranking;
}

/* Both tails of the normal distribution beyond `distance` standard deviations. */
static double two_tails(double distance)
{
	return erfc(fabs(distance) / M_SQRT2);
}

/*
 * The share of arrangements with a statistic of at most `limit`, where ways[s] of all arrangements
 * have the statistic s, and twice that for two sides.
 */
static double exact_two_sided(const double *ways, size_t ways_count, size_t limit)
{
	double all = 0;
	double below = 0;

	for (size_t i = 0; i < ways_count; i++) {
		all += ways[i];
		if (i <= limit)
			below += ways[i];
	}
	return fmin(1, 2 * below / all);
}

/*
 * In how many ways `m` of m + n ranks have the rank sum that belongs to each U: the coefficients of
 * the Gaussian binomial, product of (1 - x^(n+i)) / (1 - x^i) for i from 1 to m.
 */
static int exact_mann_whitney(size_t m, size_t n, size_t limit, double *ret_p)
{
	size_t ways_count = m * n + 1;
	double *ways = calloc(ways_count, sizeof(*ways));

	if (ways == NULL)
		return -ENOMEM;
	ways[0] = 1;
	for (size_t i = 1; i <= m; i++) {
		for (size_t k = ways_count; k-- > n + i;)
			ways[k] -= ways[k - n - i];
		for (size_t k = i; k < ways_count; k++)
			ways[k] += ways[k - i];
	}
	*ret_p = exact_two_sided(ways, ways_count, limit);
	free(ways);
	return 0;
}

int stats_mann_whitney(
	const double *a, size_t a_count, const double *b, size_t b_count, double *ret_p)
{
	size_t count = a_count + b_count;
	double m = (double)a_count;
	double n = (double)b_count;
	struct ranking ranking;
	struct ranked *all;
	double u;
	double variance;

	if (a_count == 0 || b_count == 0)
		return -EINVAL;
	all = malloc(count * sizeof(*all));
	if (all == NULL)
		return -ENOMEM;
	for (size_t i = 0; i < count; i++) {
		bool is_first = i < a_count;

		all[i] = (struct ranked){ is_first ? a[i] : b[i - a_count], is_first };
	}
	ranking = rank(all, count);
	free(all);
	u = ranking.first_sum - m * (m + 1) / 2;
	u = fmin(u, m * n - u);
	if (ranking.tie_sum == 0 && count <= EXACT_COUNT_MAX)
		return exact_mann_whitney(a_count, b_count, (size_t)u, ret_p);
	variance = m * n / 12 * ((m + n + 1) - ranking.tie_sum / ((m + n) * (m + n - 1)));
	/* All values equal: nothing tells the samples apart. */
	*ret_p = variance > 0 ? two_tails(fmax(0, m * n / 2 - u - 0.5) / sqrt(variance)) : 1;
	return 0;
}

int stats_sign(const double *differences, size_t count, double *ret_p)
{
	size_t up = 0;
	size_t down = 0;
	size_t fewer;
	double all_log;
	double below = 0;

	if (count == 0)
		return -EINVAL;
	for (size_t i = 0; i < count; i++) {
		up += differences[i] > 0;
		down += differences[i] < 0;
	}
	fewer = up < down ? up : down;
	/* By logarithms: the ways of a thousand coins are beyond what a double can count. */
	all_log = lgamma((double)(up + down) + 1) - (double)(up + down) * M_LN2;
	for (size_t i = 0; i <= fewer; i++)
		below += exp(all_log - lgamma((double)i + 1) - lgamma((double)(up + down - i) + 1));
	*ret_p = fmin(1, 2 * below);
	return 0;
}

static uint64_t rotate(uint64_t word, unsigned bits)
{
	return word << bits | word >> (64 - bits);
}

void stats_random_init(struct stats_random *random, uint64_t seed)
{
	for (size_t i = 0; i < sizeof(random->state) / sizeof(random->state[0]); i++) {
		uint64_t word = (seed += UINT64_C(0x9e3779b97f4a7c15));

		word = (word ^ (word >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
		word = (word ^ (word >> 27)) * UINT64_C(0x94d049bb133111eb);
		random->state[i] = word ^ (word >> 31);
	}
}

uint64_t stats_random_next(struct stats_random *random)
{
	uint64_t *s = random->state;
	uint64_t result = rotate(s[1] * 5, 7) * 9;
	uint64_t shifted = s[1] << 17;

	s[2] ^= s[0];
	s[3] ^= s[1];
	s[1] ^= s[2];
	s[0] ^= s[3];
	s[2] ^= shifted;
	s[3] = rotate(s[3], 45);
	return result;
}

size_t stats_random_below(struct stats_random *random, size_t count)
{
	return (size_t)(((stats_random_next(random) >> 32) * (uint64_t)count) >> 32);
}

/*
 * The median of as many values, drawn with replacement. Of sorted values it is enough to count how
 * often each was drawn: no resample is sorted.
 */
static double resampled_median(
	struct stats_random *random, const double *sorted, size_t count, uint32_t *drawn)
{
	size_t low = (count - 1) / 2;
	size_t high = count / 2;
	size_t passed = 0;
	size_t i = 0;
	double lower;

	memset(drawn, 0, count * sizeof(*drawn));
	for (size_t k = 0; k < count; k++)
		drawn[stats_random_below(random, count)]++;
	while (passed + drawn[i] <= low)
		passed += drawn[i++];
	lower = sorted[i];
	while (passed + drawn[i] <= high)
		passed += drawn[i++];
	return lower + (sorted[i] - lower) / 2;
}

/* Memory for the resampled values, sorted values of both sides, and counts; one piece. */
struct room {
	double *resampled;
	double *a;
	double *b;
	uint32_t *drawn;
};

static int make_room(
	const double *a, size_t a_count, const double *b, size_t b_count, struct room *ret_room)
{
	size_t most = a_count > b_count ? a_count : b_count;
	double *all = malloc((STATS_RESAMPLE_COUNT + a_count + b_count) * sizeof(*all) +
		most * sizeof(uint32_t));

	if (all == NULL)
		return -ENOMEM;
	*ret_room = (struct room){
		.resampled = all,
		.a = all + STATS_RESAMPLE_COUNT,
		.b = all + STATS_RESAMPLE_COUNT + a_count,
		.drawn = (uint32_t *)(all + STATS_RESAMPLE_COUNT + a_count + b_count),
	};
	memcpy(ret_room->a, a, a_count * sizeof(*a));
	stats_sort(ret_room->a, a_count);
	if (b_count > 0)
		memcpy(ret_room->b, b, b_count * sizeof(*b));
	stats_sort(ret_room->b, b_count);
	return 0;
}

/* The bounds that cut off the two ends of resampled values, which get sorted. */
static void cut_ends(double *resampled, double confidence, struct stats_interval *interval)
{
	stats_sort(resampled, STATS_RESAMPLE_COUNT);
	interval->low = stats_quantile(resampled, STATS_RESAMPLE_COUNT, (1 - confidence) / 2);
	interval->high = stats_quantile(resampled, STATS_RESAMPLE_COUNT, (1 + confidence) / 2);
}

int stats_ratio_of_medians(const double *a, size_t a_count, const double *b, size_t b_count,
	double confidence, uint64_t seed, struct stats_interval *ret_ratio)
{
	struct stats_random random;
	struct room room;

	if (a_count == 0 || b_count == 0)
		return -EINVAL;
	if (make_room(a, a_count, b, b_count, &room) < 0)
		return -ENOMEM;
	stats_random_init(&random, seed);
	for (size_t i = 0; i < STATS_RESAMPLE_COUNT; i++) {
		double base = resampled_median(&random, room.a, a_count, room.drawn);

		room.resampled[i] = resampled_median(&random, room.b, b_count, room.drawn) / base;
	}
	cut_ends(room.resampled, confidence, ret_ratio);
	ret_ratio->value =
		stats_quantile(room.b, b_count, 0.5) / stats_quantile(room.a, a_count, 0.5);
	free(room.resampled);
	return 0;
}

int stats_median_interval(const double *values, size_t count, double confidence, uint64_t seed,
	struct stats_interval *ret_median)
{
	struct stats_random random;
	struct room room;

	if (count == 0)
		return -EINVAL;
	if (make_room(values, count, NULL, 0, &room) < 0)
		return -ENOMEM;
	stats_random_init(&random, seed);
	for (size_t i = 0; i < STATS_RESAMPLE_COUNT; i++)
		room.resampled[i] = resampled_median(&random, room.a, count, room.drawn);
	cut_ends(room.resampled, confidence, ret_median);
	ret_median->value = stats_quantile(room.a, count, 0.5);
	free(room.resampled);
	return 0;
}
