// SPDX-License-Identifier: Apache-2.0
/* fit.c: the growth that made the times is the one that is found. */
#include "harness/fit.h"

#include "support/harness.h"

#include <errno.h>
#include <math.h>
#include <string.h>

static const double params[] = { 8, 64, 512, 4096, 32768 };
#define COUNT 5

static double linearithmic(double n)
{
	return n * log2(n + 1);
}

static double quadratic(double n)
{
	return n * n;
}

static double constant(double n)
{
	(void)n;
	return 1;
}

static double linear(double n)
{
	return n;
}

static double logarithm(double n)
{
	return log2(n + 1);
}

SOON_TEST_PLAIN(fit, each_growth_is_found_through_noise)
{
	static const struct {
		const char *name;
		double (*of)(double n);
	} growths[] = { { "1", constant }, { "log n", logarithm }, { "n", linear },
		{ "n log n", linearithmic }, { "n^2", quadratic } };

	for (int i = 0; i < 5; i++) {
		double times[COUNT];
		struct fit fit;

		for (int k = 0; k < COUNT; k++)
			times[k] = 7 * growths[i].of(params[k]) * (k % 2 == 0 ? 1.04 : 0.97);
		cr_assert_eq(fit_find(params, times, COUNT, &fit), 0);
		cr_expect_str_eq(fit.growth->name, growths[i].name);
		cr_expect_float_eq(fit.factor, 7, 0.3, "%s: %g", fit.growth->name, fit.factor);
		cr_expect_eq(fit.base, 0, "%s: %g", fit.growth->name, fit.base);
		cr_expect_lt(fit.error, 0.05);
		cr_expect_float_eq(fit_at(&fit, 64), times[1], 0.1 * times[1]);
	}
}

SOON_TEST_PLAIN(fit, what_does_not_grow_is_told_from_what_does)
{
	static const struct {
		const char *name;
		double (*of)(double n);
	} growths[] = { { "log n", logarithm }, { "n", linear }, { "n log n", linearithmic },
		{ "n^2", quadratic } };

	for (int i = 0; i < 4; i++) {
		double base = 3 * growths[i].of(params[1]);
		double times[COUNT];
		struct fit fit;

		for (int k = 0; k < COUNT; k++)
			times[k] = (base + growths[i].of(params[k])) * (k % 2 == 0 ? 1.005 : 0.995);
		cr_assert_eq(fit_find(params, times, COUNT, &fit), 0);
		cr_expect_str_eq(fit.growth->name, growths[i].name);
		cr_expect_float_eq(
			fit.base, base, 0.1 * base, "%s: %g", fit.growth->name, fit.base);
		cr_expect_float_eq(fit.factor, 1, 0.1, "%s: %g", fit.growth->name, fit.factor);
		/* Three points and two numbers would always fit. */
		cr_assert_eq(fit_find(params, times, 3, &fit), 0);
		cr_expect_eq(fit.base, 0);
	}
}

SOON_TEST_PLAIN(fit, one_parameter_again_and_again_does_not_grow)
{
	static const double same[COUNT] = { 64, 64, 64, 64, 64 };
	static const double times[COUNT] = { 10, 10.1, 9.9, 10, 10 };
	struct fit fit;

	cr_assert_eq(fit_find(same, times, COUNT, &fit), 0);
	cr_expect_str_eq(fit.growth->name, "1");
	cr_expect_float_eq(fit_at(&fit, 64), 10, 0.1);
}

SOON_TEST_PLAIN(fit, what_fits_nothing_has_a_great_error)
{
	static const double times[COUNT] = { 1, 1000, 1, 1000, 1 };
	struct fit fit;

	cr_assert_eq(fit_find(params, times, COUNT, &fit), 0);
	cr_expect_gt(fit.error, 0.5);
}

SOON_TEST_PLAIN(fit, too_little_is_refused)
{
	static const double times[COUNT] = { 1, 2, 0, 4, 5 };
	static const double negative[COUNT] = { -1, 2, 3, 4, 5 };
	struct fit fit;

	cr_expect_eq(fit_find(params, times, 2, &fit), -EINVAL);
	cr_expect_eq(fit_find(params, times, COUNT, &fit), -EINVAL);
	cr_expect_eq(fit_find(negative, params, COUNT, &fit), -EINVAL);
	cr_expect_eq(fit_find(NULL, NULL, 0, &fit), -EINVAL);
}
