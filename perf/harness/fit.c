// SPDX-License-Identifier: Apache-2.0
/* fit.c: least squares of relative errors, with one factor and no constant. */
#include "fit.h"

#include <errno.h>
#include <math.h>

/* A greater growth has to be better by more than what rounding makes of equal ones. */
#define BETTER_BY 1e-9

static double constant(double n)
{
	(void)n;
	return 1;
}

/* Of 1 it would be 0, and fit nothing. */
static double logarithm(double n)
{
	return log2(n + 1);
}

static double linear(double n)
{
	return n;
}

static double linearithmic(double n)
{
	return n * log2(n + 1);
}

static double quadratic(double n)
{
	return n * n;
}

static const struct growth {
	const char *name;
	double (*of)(double n);
} growths[] = {
	{ "1", constant },
	{ "log n", logarithm },
	{ "n", linear },
	{ "n log n", linearithmic },
	{ "n^2", quadratic },
};

/* With x = growth / time the best factor of sum (1 - factor x)^2 is sum x / sum x^2. */
static struct fit fit_one(
	const struct growth *growth, const double *params, const double *times, size_t count)
{
	struct fit fit = { .growth = growth->name };
	double sum = 0;
	double square_sum = 0;

	for (size_t i = 0; i < count; i++) {
		double x = growth->of(params[i]) / times[i];

		sum += x;
		square_sum += x * x;
	}
	fit.factor = sum / square_sum;
	for (size_t i = 0; i < count; i++) {
		double off = 1 - fit.factor * growth->of(params[i]) / times[i];

		fit.error += off * off;
	}
	fit.error = sqrt(fit.error / (double)count);
	return fit;
}

int fit_find(const double *params, const double *times, size_t count, struct fit *ret_fit)
{
	struct fit best = { .error = HUGE_VAL };

	if (count < FIT_POINTS_MIN)
		return -EINVAL;
	for (size_t i = 0; i < count; i++) {
		if (!(params[i] >= 1) || !(times[i] > 0))
			return -EINVAL;
	}
	for (size_t i = 0; i < sizeof(growths) / sizeof(growths[0]); i++) {
		struct fit fit = fit_one(&growths[i], params, times, count);

		if (fit.error + BETTER_BY < best.error)
			best = fit;
	}
	*ret_fit = best;
	return 0;
}
