// SPDX-License-Identifier: Apache-2.0
/* fit.h: how a time grows with a parameter. */
#ifndef SOON_HARNESS_FIT_H
#define SOON_HARNESS_FIT_H

#include <stddef.h>

#define FIT_POINTS_MIN 3

struct fit {
	const char *growth; /* "1", "log n", "n", "n log n", "n^2" */
	double factor;      /* time = factor * growth(n) */
	double error;       /* root of the mean square of the relative errors: 0.05 is 5 % */
};

/*
 * Finds the growth that has the least error; of those that are as good, the slowest. Errors are
 * relative, so that small parameters count as much as great ones.
 * Returns: 0. Errors: -EINVAL fewer than FIT_POINTS_MIN points; a parameter below 1; a time of 0.
 */
int fit_find(const double *params, const double *times, size_t count, struct fit *ret_fit);

#endif
