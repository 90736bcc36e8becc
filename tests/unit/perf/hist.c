// SPDX-License-Identifier: Apache-2.0
/* hist.c: what is recorded comes back within the stated error, merged or stored as well. */
#include <soon/hist.h>
#include <soon/mem.h>

#include "harness/stats.h"
#include "support/harness.h"

#include <math.h>
#include <stdlib.h>

#define SAMPLE_COUNT 20000

static soon_hist *make(unsigned precision, uint64_t value_max)
{
	soon_hist *hist = NULL;

	cr_assert_eq(soon_hist_create(&(soon_hist_opts){ precision, value_max }, &hist), 0);
	return hist;
}

/* A value that has been recorded alone is read back through its bucket. */
static void check_round_trip(unsigned precision, uint64_t value)
{
	soon_hist *hist = make(precision, UINT64_MAX);
	soon_hist_bucket bucket;
	uint32_t position = 0;

	soon_hist_record(hist, value);
	cr_assert(soon_hist_next(hist, &position, &bucket));
	cr_assert_leq(bucket.low, value);
	cr_assert_geq(bucket.high, value);
	cr_assert_leq(bucket.high - bucket.low, bucket.low >> precision, "%u: %lu is in [%lu, %lu]",
		precision, value, bucket.low, bucket.high);
	cr_assert_not(soon_hist_next(hist, &position, &bucket));
	cr_assert_eq(soon_hist_quantile(hist, 0.5), value, "one value is all that was met");
	soon_hist_destroy(hist);
}

SOON_TEST_PLAIN(hist, every_value_is_in_a_bucket_of_its_error)
{
	for (unsigned precision = SOON_HIST_PRECISION_MIN; precision <= SOON_HIST_PRECISION_MAX;
		precision += 4) {
		for (unsigned bit = 0; bit < 64; bit++) {
			uint64_t value = UINT64_C(1) << bit;

			check_round_trip(precision, value - 1);
			check_round_trip(precision, value);
			check_round_trip(precision, value + 1);
			check_round_trip(precision, value | value >> 1 | 1);
		}
		check_round_trip(precision, UINT64_MAX);
	}
}

/* Neighbouring buckets meet: recording each bound of each bucket fills no bucket twice. */
SOON_TEST_PLAIN(hist, buckets_leave_no_gap)
{
	soon_hist *hist = make(4, 1 << 20);
	soon_hist_bucket bucket;
	uint32_t position = 0;
	uint64_t next = 0;

	for (uint64_t value = 0; value < 1 << 20; value++)
		soon_hist_record(hist, value);
	while (soon_hist_next(hist, &position, &bucket)) {
		cr_assert_eq(bucket.low, next);
		cr_assert_eq(bucket.count, bucket.high - bucket.low + 1);
		next = bucket.high + 1;
	}
	cr_assert_eq(next, 1 << 20);
	soon_hist_destroy(hist);
}

static int by_value(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

/* Fills with a long tail, as latencies have; the values are given back sorted. */
static void fill(soon_hist *hist, uint64_t *values, uint64_t seed)
{
	struct stats_random random;

	stats_random_init(&random, seed);
	for (size_t i = 0; i < SAMPLE_COUNT; i++) {
		double even = (double)(stats_random_below(&random, 1000000) + 1) / 1e6;

		values[i] = 20000 + (uint64_t)(50000 * pow(even, -0.8));
		soon_hist_record(hist, values[i]);
	}
	qsort(values, SAMPLE_COUNT, sizeof(*values), by_value);
}

SOON_TEST_PLAIN(hist, quantiles_are_never_too_low_and_within_the_error)
{
	static const double shares[] = { 0.0001, 0.01, 0.07, 0.5, 0.9, 0.99, 0.999, 0.9999 };
	static uint64_t values[SAMPLE_COUNT];

	for (unsigned precision = 4; precision <= 12; precision++) {
		soon_hist *hist = make(precision, 0);

		fill(hist, values, precision);
		for (size_t i = 0; i < sizeof(shares) / sizeof(shares[0]); i++) {
			size_t rank = (size_t)lround(shares[i] * SAMPLE_COUNT);
			uint64_t exact = values[rank - 1];
			uint64_t read = soon_hist_quantile(hist, shares[i]);

			cr_expect_geq(read, exact);
			cr_expect_leq(read - exact, exact >> precision, "p%g: %lu for %lu",
				100 * shares[i], read, exact);
		}
		cr_expect_eq(soon_hist_quantile(hist, 0), values[0]);
		cr_expect_eq(soon_hist_quantile(hist, 1), values[SAMPLE_COUNT - 1]);
		cr_expect_eq(soon_hist_quantile(hist, -1), values[0]);
		cr_expect_eq(soon_hist_quantile(hist, 2), values[SAMPLE_COUNT - 1]);
		cr_expect_eq(soon_hist_quantile(hist, NAN), values[0]);
		soon_hist_destroy(hist);
	}
}

SOON_TEST_PLAIN(hist, mean_and_deviation)
{
	soon_hist *hist = make(0, 0);

	cr_expect_eq(soon_hist_mean(hist), 0);
	cr_expect_eq(soon_hist_deviation(hist), 0);
	soon_hist_record(hist, 100);
	cr_expect_eq(soon_hist_deviation(hist), 0);
	soon_hist_record_many(hist, 200, 3);
	cr_expect_eq(soon_hist_mean(hist), 175);
	cr_expect_float_eq(soon_hist_deviation(hist), 50, 1e-9);
	soon_hist_record_many(hist, 1, 0);
	cr_expect_eq(soon_hist_count(hist), 4);
	cr_expect_eq(soon_hist_least(hist), 100, "none of a value is no value");
	soon_hist_destroy(hist);
}

SOON_TEST_PLAIN(hist, empty_is_zero)
{
	soon_hist *hist = make(0, 0);

	cr_expect_eq(soon_hist_count(hist), 0);
	cr_expect_eq(soon_hist_quantile(hist, 0.5), 0);
	cr_expect_eq(soon_hist_least(hist), 0);
	cr_expect_eq(soon_hist_greatest(hist), 0);
	cr_expect_eq(soon_hist_count_upto(hist, 5), 0);
	soon_hist_destroy(hist);
	soon_hist_destroy(NULL);
}

SOON_TEST_PLAIN(hist, count_upto_agrees_with_quantile)
{
	static uint64_t values[SAMPLE_COUNT];
	soon_hist *hist = make(0, 0);

	fill(hist, values, 7);
	for (double share = 0.001; share < 1; share += 0.001) {
		uint64_t value = soon_hist_quantile(hist, share);

		cr_assert_geq(
			(double)soon_hist_count_upto(hist, value), share * SAMPLE_COUNT - 1e-6);
	}
	cr_expect_eq(soon_hist_count_upto(hist, values[0] - 1), 0);
	cr_expect_eq(soon_hist_count_upto(hist, UINT64_MAX), SAMPLE_COUNT);
	soon_hist_destroy(hist);
}

SOON_TEST_PLAIN(hist, what_is_too_great_is_counted_and_not_hidden)
{
	soon_hist *hist = make(8, 1000);

	soon_hist_record_many(hist, 10, 98);
	soon_hist_record(hist, 1000);
	cr_expect_eq(soon_hist_clipped(hist), 0);
	soon_hist_record(hist, 123456789);
	cr_expect_eq(soon_hist_clipped(hist), 1);
	cr_expect_eq(soon_hist_greatest(hist), 123456789);
	cr_expect_eq(soon_hist_quantile(hist, 0.98), 10);
	cr_expect_eq(soon_hist_quantile(hist, 0.999), 123456789, "the tail is not cut");
	cr_expect_eq(soon_hist_count_upto(hist, 500), 98);
	soon_hist_destroy(hist);
}

SOON_TEST_PLAIN(hist, merging_is_as_recording_into_one)
{
	static uint64_t values[SAMPLE_COUNT];
	soon_hist *one = make(0, 0), *two = make(0, 0), *all = make(0, 0);
	soon_hist *other = make(6, 0), *shorter = make(0, 1000);

	fill(one, values, 1);
	fill(all, values, 1);
	fill(two, values, 2);
	fill(all, values, 2);
	cr_assert_eq(soon_hist_merge(one, two), 0);
	cr_expect_eq(soon_hist_count(one), soon_hist_count(all));
	cr_expect_eq(soon_hist_least(one), soon_hist_least(all));
	cr_expect_eq(soon_hist_greatest(one), soon_hist_greatest(all));
	cr_expect_float_eq(soon_hist_mean(one), soon_hist_mean(all), 1e-6);
	for (double share = 0; share <= 1; share += 0.01)
		cr_expect_eq(soon_hist_quantile(one, share), soon_hist_quantile(all, share));

	cr_expect_eq(soon_hist_merge(one, other), -EINVAL);
	cr_expect_eq(soon_hist_merge(one, shorter), -EINVAL);
	cr_expect_eq(soon_hist_count(one), soon_hist_count(all));
	soon_hist_reset(one);
	cr_expect_eq(soon_hist_count(one), 0);
	cr_expect_eq(soon_hist_quantile(one, 1), 0);
	soon_hist_destroy(one);
	soon_hist_destroy(two);
	soon_hist_destroy(all);
	soon_hist_destroy(other);
	soon_hist_destroy(shorter);
}

#define BUCKETS_MAX 4000

static size_t store(const soon_hist *hist, soon_hist_bucket *buckets, soon_hist_totals *ret_totals)
{
	uint32_t position = 0;
	size_t count = 0;

	while (soon_hist_next(hist, &position, &buckets[count]))
		count++;
	soon_hist_totals_get(hist, ret_totals);
	return count;
}

SOON_TEST_PLAIN(hist, stored_and_restored_is_the_same)
{
	static uint64_t values[SAMPLE_COUNT];
	static soon_hist_bucket buckets[BUCKETS_MAX];
	soon_hist *hist = make(0, 200000), *again = make(0, 200000);
	soon_hist_totals totals;
	size_t count;

	fill(hist, values, 3);
	cr_assert_gt(soon_hist_clipped(hist), 0);
	count = store(hist, buckets, &totals);
	cr_assert_eq(soon_hist_restore(again, buckets, count, &totals), 0);
	cr_expect_eq(soon_hist_count(again), SAMPLE_COUNT);
	cr_expect_eq(soon_hist_clipped(again), soon_hist_clipped(hist));
	cr_expect_eq(soon_hist_mean(again), soon_hist_mean(hist));
	for (double share = 0; share <= 1; share += 0.001)
		cr_expect_eq(soon_hist_quantile(again, share), soon_hist_quantile(hist, share));
	cr_expect_eq(soon_hist_restore(again, buckets, count, &totals), -EINVAL, "not empty");

	soon_hist_reset(again);
	cr_expect_eq(soon_hist_restore(again, NULL, 0, &(soon_hist_totals){ 0 }), 0);
	cr_expect_eq(soon_hist_count(again), 0);
	soon_hist_destroy(hist);
	soon_hist_destroy(again);
}

static void expect_refused(const soon_hist_bucket *buckets, size_t count, soon_hist_totals totals)
{
	soon_hist *hist = make(0, 1000);

	cr_expect_eq(soon_hist_restore(hist, buckets, count, &totals), -EINVAL);
	cr_expect_eq(soon_hist_count(hist), 0);
	soon_hist_record(hist, 5);
	cr_expect_eq(soon_hist_quantile(hist, 1), 5, "it is as new");
	soon_hist_destroy(hist);
}

SOON_TEST_PLAIN(hist, what_contradicts_itself_is_not_restored)
{
	const soon_hist_totals fit = { .least = 1, .greatest = 2, .sum = 3 };
	soon_hist_bucket good[] = { { .index = 1, .count = 1 }, { .index = 2, .count = 1 } };
	soon_hist_totals bad;
	soon_hist_bucket one[2];

	one[0] = good[1], one[1] = good[0];
	expect_refused(one, 2, fit);
	one[0] = good[0], one[1] = good[0];
	expect_refused(one, 2, fit);
	one[1] = (soon_hist_bucket){ .index = UINT32_MAX, .count = 1 };
	expect_refused(one, 2, fit);
	one[1] = (soon_hist_bucket){ .index = 2, .count = 0 };
	expect_refused(one, 2, fit);
	one[1] = (soon_hist_bucket){ .index = 2, .count = UINT64_MAX };
	expect_refused(one, 2, fit);
	bad = fit, bad.least = 2;
	expect_refused(good, 2, bad);
	bad = fit, bad.greatest = 3;
	expect_refused(good, 2, bad);
	bad = fit, bad.greatest = 5000;
	expect_refused(good, 2, bad);
	bad = fit, bad.clipped = 1;
	expect_refused(good, 2, bad);
	bad = fit, bad.sum = NAN;
	expect_refused(good, 2, bad);
	bad = fit, bad.sum = -1;
	expect_refused(good, 2, bad);
	expect_refused(NULL, 0, fit);
}

SOON_TEST_PLAIN(hist, bad_options_and_no_memory)
{
	soon_hist *hist = NULL;

	cr_expect_eq(soon_hist_create(&(soon_hist_opts){ .precision = 3 }, &hist), -EINVAL);
	cr_expect_eq(soon_hist_create(&(soon_hist_opts){ .precision = 13 }, &hist), -EINVAL);
	soon_mem_fail_at(1);
	cr_expect_eq(soon_hist_create(NULL, &hist), -ENOMEM);
	cr_expect_null(hist);
}
