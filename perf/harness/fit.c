// SPDX-License-Identifier: Apache-2.0
/* fit.c: least squares of relative errors, with a factor and, where it is worth it, a base. */
#include "fit.h"

#include <errno.h>
#include <math.h>

/* The square of a relative error that is rounding. */
#define EXACT 1e-18
/* A greater growth has to be better by more than what rounding makes of equal ones. */
#define BETTER_BY 1e-6

struct best {
	struct fit fit;
	double score; /* the less, the better */
};

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

static const struct fit_growth growths[] = {
	{ "1", constant },
	{ "log n", logarithm },
	{ "n", linear },
	{ "n log n", linearithmic },
	{ "n^2", quadratic },
};

double fit_at(const struct fit *fit, double n)
{
	return fit->base + fit->factor * fit->growth->of(n);
}

struct points {
	const double *params;
	const double *times;
	size_t count;
};

/* What both fits of a growth need: sums of u = 1 / time and x = growth / time. */
struct sums {
	double u, x, uu, ux, xx;
};

static struct sums sums_of(const struct points *points, const struct fit_growth *growth)
{
	struct sums sums = { 0 };

	for (size_t i = 0; i < points->count; i++) {
		double u = 1 / points->times[i];
		double x = growth->of(points->params[i]) * u;

		sums.u += u;
		sums.x += x;
		sums.uu += u * u;
		sums.ux += u * x;
		sums.xx += x * x;
	}
	return sums;
}

static double mean_square(const struct points *points, const struct fit *fit)
{
	double sum = 0;

	for (size_t i = 0; i < points->count; i++) {
		double off = 1 - fit_at(fit, points->params[i]) / points->times[i];

		sum += off * off;
	}
	return sum / (double)points->count;
}

/* Takes a fit of `coefficients` numbers for the best one if it is better by Akaike's criterion. */
static void consider(
	const struct points *points, struct fit fit, double coefficients, struct best *best)
{
	double count = (double)points->count;
	double square = mean_square(points, &fit);
	double score = count * log(fmax(square, EXACT)) + 2 * coefficients +
		2 * coefficients * (coefficients + 1) / (count - coefficients - 1);

	if (score + BETTER_BY >= best->score)
		return;
	fit.error = sqrt(square);
	*best = (struct best){ fit, score };
}

/* The least sum of (1 - factor x)^2 is at factor = sum x / sum x^2. */
static void consider_plain(
	const struct points *points, const struct fit_growth *growth, struct best *best)
{
	struct sums sums = sums_of(points, growth);

	consider(points, (struct fit){ .growth = growth, .factor = sums.x / sums.xx }, 1, best);
}

/* That of (1 - base u - factor x)^2, if both are above 0. */
static void consider_based(
	const struct points *points, const struct fit_growth *growth, struct best *best)
{
	struct sums sums = sums_of(points, growth);
	double determinant = sums.uu * sums.xx - sums.ux * sums.ux;
	struct fit fit = {
		.growth = growth,
		.base = (sums.xx * sums.u - sums.ux * sums.x) / determinant,
		.factor = (sums.uu * sums.x - sums.ux * sums.u) / determinant,
	};

	/* Otherwise it is not solved, but divided by what rounding left. */
	if (determinant > EXACT * sums.uu * sums.xx && fit.base > 0 && fit.factor > 0)
		consider(points, fit, 2, best);
}

int fit_find(const double *params, const double *times, size_t count, struct fit *ret_fit)
{
	const struct points points = { params, times, count };
	struct best best = { .score = HUGE_VAL };

	if (count < FIT_POINTS_MIN)
		return -EINVAL;
	for (size_t i = 0; i < count; i++) {
		if (!(params[i] >= 1) || !(times[i] > 0))
			return -EINVAL;
	}
	for (size_t i = 0; i < sizeof(growths) / sizeof(growths[0]); i++)
		consider_plain(&points, &growths[i], &best);
	/* The first one has nothing but a base. */
	for (size_t i = 1; i < sizeof(growths) / sizeof(growths[0]) && count > FIT_POINTS_MIN; i++)
		consider_based(&points, &growths[i], &best);
	*ret_fit = best.fit;
	return 0;
}
