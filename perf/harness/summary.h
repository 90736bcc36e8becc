// SPDX-License-Identifier: Apache-2.0
/*
 * summary.h: what the samples of a figure say.
 *
 * Processes differ from each other by more than the samples of one. With SUMMARY_RUNS_LEAST of them
 * or more a process counts once, by its median, in all that says how sure a figure is.
 */
#ifndef SOON_HARNESS_SUMMARY_H
#define SOON_HARNESS_SUMMARY_H

#include "result.h"

#define SUMMARY_CONFIDENCE 0.95
#define SUMMARY_RUNS_LEAST 6

struct summary {
	size_t count; /* of values; 0: nothing of the rest is known */
	double least;
	double first_quarter;
	double median;
	double third_quarter;
	double greatest;
	double mean;
	double deviation;
	double low; /* the interval that the median is in */
	double high;
	/*
	 * The A/A figure: how far the medians of the even and of the odd samples, or processes, are
	 * apart, as a share. Below 0: there are too few.
	 */
	double apart;
};

/* Of all runs; NULL samples have none. Errors: -ENOMEM. */
int summary_make(const struct result_samples *SOON_NULLABLE samples, struct summary *ret_summary);

/* Half of the interval, as a share of the median. */
double summary_spread(const struct summary *summary);

/* The value that a share of all is not above, as a number to calculate with. */
double summary_quantile(const soon_hist *hist, double share);

#endif
