// SPDX-License-Identifier: Apache-2.0
/* fit.h: how a time grows with a parameter. */
#ifndef SOON_HARNESS_FIT_H
#define SOON_HARNESS_FIT_H

#include <stddef.h>

#define FIT_POINTS_MIN 3

/* A way to grow. */
struct fit_growth {
	const char *name; /* "1", "log n", "n", "n log n", "n^2" */
	double (*of)(double n);
};

/* time = base + factor * growth(n) */
struct fit {
	const struct fit_growth *growth; /* static */
	double base;                     /* what does not grow; 0: it is not told from noise */
	double factor;
	double error; /* root of the mean square of the relative errors: 0.05 is 5 % */
};

/*
 * Finds the growth that explains the times best; of those that do as well, the slowest. Errors are
 * relative, so that small parameters count as much as great ones. A base has to pay for itself, by
 * Akaike's criterion for few points, and needs one point more than FIT_POINTS_MIN.
 * Returns: 0. Errors: -EINVAL fewer than FIT_POINTS_MIN points; a parameter below 1; a time of 0.
 */
int fit_find(const double *params, const double *times, size_t count, struct fit *ret_fit);

/* The time that the fit gives for a parameter. */
double fit_at(const struct fit *fit, double n);

#endif
