// SPDX-License-Identifier: Apache-2.0
/* stats.c: chances as in published tables and by brute force, and intervals that hold the truth. */
#include "harness/stats.h"

#include "support/harness.h"

#include <errno.h>
#include <math.h>

SOON_TEST_PLAIN(stats, quantiles_lie_between_values)
{
	double values[] = { 4, 1, 3, 2 };

	cr_expect_eq(stats_median(values, 4), 2.5);
	cr_expect_eq(stats_quantile(values, 4, 0), 1);
	cr_expect_eq(stats_quantile(values, 4, 1), 4);
	cr_expect_float_eq(stats_quantile(values, 4, 0.25), 1.75, 1e-12);
	cr_expect_eq(stats_median(values, 1), 1);
	cr_expect_eq(stats_median(values, 3), 2);
}

/* The chance by going through all choices of `m` among m + n ranks. */
static double brute_mann_whitney(const double *a, int m, const double *b, int n)
{
	double all[16];
	int observed = 0, extreme = 0, choices = 0;

	for (int i = 0; i < m; i++) {
		for (int k = 0; k < n; k++)
			observed += a[i] > b[k];
	}
	observed = observed < m * n - observed ? observed : m * n - observed;
	for (int i = 0; i < m + n; i++)
		all[i] = i;
	for (unsigned set = 0; set < 1u << (m + n); set++) {
		int u = 0;

		if (__builtin_popcount(set) != m)
			continue;
		for (int i = 0; i < m + n; i++) {
			for (int k = 0; k < m + n; k++)
				u += (set >> i & 1) == 1 && (set >> k & 1) == 0 && all[i] > all[k];
		}
		choices++;
		extreme += (u < m * n - u ? u : m * n - u) <= observed;
	}
	return (double)extreme / choices;
}

SOON_TEST_PLAIN(stats, mann_whitney_is_exact_for_small_samples)
{
	static const double a[] = { 1.1, 2.3, 0.4, 7.5, 3.3, 9.1 };
	static const double b[] = { 2.2, 8.1, 9.9, 4.5, 6.1, 10.5 };

	for (int m = 1; m <= 6; m++) {
		for (int n = 1; n <= 6; n++) {
			double p = -1;

			cr_assert_eq(stats_mann_whitney(a, (size_t)m, b, (size_t)n, &p), 0);
			cr_expect_float_eq(p, fmin(1, brute_mann_whitney(a, m, b, n)), 1e-12,
				"%d and %d: %g", m, n, p);
		}
	}
}

/* Two samples far apart, of sizes on both sides of what is computed exactly: no step between. */
SOON_TEST_PLAIN(stats, normal_approximation_meets_the_exact_one)
{
	double a[30], b[30], exact, approximate;

	for (int i = 0; i < 30; i++) {
		a[i] = i * 1.0;
		b[i] = i * 1.01 + 5.5;
	}
	cr_assert_eq(stats_mann_whitney(a, 25, b, 25, &exact), 0);
	a[24] = a[23];
	cr_assert_eq(stats_mann_whitney(a, 25, b, 25, &approximate), 0);
	cr_expect_float_eq(exact, approximate, 0.02, "%g and %g", exact, approximate);
	cr_expect_gt(exact, 0);
	cr_expect_lt(exact, 0.2);
}

SOON_TEST_PLAIN(stats, sign_test_as_coins_fall)
{
	static const double all_up[] = { 1, 2, 3, 4, 5 };
	/* 1 + 8 + 28 of 256 falls of eight coins have at most two heads. */
	static const double mostly_up[] = { -1, -2000, 3, 4, 5, 6, 7, 8, 0 };
	static const double even[] = { 1, -1 }, none[] = { 0, 0 };
	static double many[5000];
	double p = -1;

	cr_assert_eq(stats_sign(all_up, 5, &p), 0);
	cr_expect_float_eq(p, 2.0 / 32, 1e-12);
	cr_assert_eq(stats_sign(mostly_up, 9, &p), 0);
	cr_expect_float_eq(p, 2 * 37.0 / 256, 1e-12);
	cr_assert_eq(stats_sign(even, 2, &p), 0);
	cr_expect_eq(p, 1);
	cr_assert_eq(stats_sign(none, 2, &p), 0);
	cr_expect_eq(p, 1);
	/* Three standard deviations of 5000 coins. */
	for (int i = 0; i < 5000; i++)
		many[i] = i < 2500 + 106 ? 1 : -1;
	cr_assert_eq(stats_sign(many, 5000, &p), 0);
	cr_expect_float_eq(p, 0.0028, 0.0002, "%g", p);
}

SOON_TEST_PLAIN(stats, equal_values_tell_nothing)
{
	static const double same[] = { 5, 5, 5, 5, 5 };
	struct stats_interval interval;
	double p = -1;

	cr_assert_eq(stats_mann_whitney(same, 5, same, 5, &p), 0);
	cr_expect_eq(p, 1);
	cr_assert_eq(stats_ratio_of_medians(same, 5, same, 5, 0.95, 1, &interval), 0);
	cr_expect_eq(interval.low, 1);
	cr_expect_eq(interval.value, 1);
	cr_expect_eq(interval.high, 1);
}

/* A time with a floor and a tail, `factor` times as long. */
static void draw(struct stats_random *random, double factor, double *values, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		double even = (double)(stats_random_below(random, 1u << 30) + 1) / (1u << 30);

		values[i] = factor * (100 + 5 * -log(even));
	}
}

#define ROUND_COUNT 400

SOON_TEST_PLAIN(stats, tests_raise_as_many_false_alarms_as_they_say)
{
	struct stats_random random;
	double a[20], b[20], differences[20], p;
	int rank_alarms = 0, sign_alarms = 0, misses = 0;

	stats_random_init(&random, 42);
	for (int round = 0; round < ROUND_COUNT; round++) {
		struct stats_interval ratio;

		draw(&random, 1, a, 20);
		draw(&random, 1, b, 20);
		for (int i = 0; i < 20; i++)
			differences[i] = a[i] - b[i];
		cr_assert_eq(stats_mann_whitney(a, 20, b, 20, &p), 0);
		rank_alarms += p < 0.05;
		cr_assert_eq(stats_sign(differences, 20, &p), 0);
		sign_alarms += p < 0.05;
		cr_assert_eq(
			stats_ratio_of_medians(a, 20, b, 20, 0.95, random.state[0], &ratio), 0);
		misses += ratio.low > 1 || ratio.high < 1;
	}
	/* 5 % and three standard deviations: the seed is fixed, so this is no gamble. */
	cr_expect_lt(rank_alarms, 33, "%d", rank_alarms);
	cr_expect_lt(sign_alarms, 33, "%d", sign_alarms);
	cr_expect_lt(misses, 33, "%d", misses);
	cr_expect_gt(rank_alarms, 7, "%d", rank_alarms);
}

SOON_TEST_PLAIN(stats, intervals_hold_a_planted_ratio)
{
	struct stats_random random;
	double a[30], b[30];
	int held = 0;

	stats_random_init(&random, 7);
	for (int round = 0; round < ROUND_COUNT; round++) {
		struct stats_interval ratio;

		draw(&random, 1, a, 30);
		draw(&random, 1.03, b, 30);
		cr_assert_eq(
			stats_ratio_of_medians(a, 30, b, 30, 0.95, (uint64_t)round, &ratio), 0);
		cr_assert_leq(ratio.low, ratio.value);
		cr_assert_geq(ratio.high, ratio.value);
		held += ratio.low <= 1.03 && ratio.high >= 1.03;
	}
	cr_expect_geq(held, ROUND_COUNT * 92 / 100, "%d", held);
}

SOON_TEST_PLAIN(stats, the_same_seed_gives_the_same_interval)
{
	static const double values[] = { 3, 1, 4, 1, 5, 9, 2, 6 };
	struct stats_interval one, two;

	cr_assert_eq(stats_median_interval(values, 8, 0.95, 1, &one), 0);
	cr_assert_eq(stats_median_interval(values, 8, 0.95, 1, &two), 0);
	cr_expect_eq(one.low, two.low);
	cr_expect_eq(one.high, two.high);
	cr_expect_eq(one.value, 3.5);
}

SOON_TEST_PLAIN(stats, empty_samples_are_refused)
{
	struct stats_interval interval;
	double one = 1, p;

	cr_expect_eq(stats_mann_whitney(&one, 0, &one, 1, &p), -EINVAL);
	cr_expect_eq(stats_mann_whitney(&one, 1, &one, 0, &p), -EINVAL);
	cr_expect_eq(stats_sign(&one, 0, &p), -EINVAL);
	cr_expect_eq(stats_ratio_of_medians(&one, 0, &one, 1, 0.95, 1, &interval), -EINVAL);
	cr_expect_eq(stats_median_interval(&one, 0, 0.95, 1, &interval), -EINVAL);
}
