// SPDX-License-Identifier: Apache-2.0
/*
 * summary.h: what the samples of a figure say.
 *
 * Processes differ from each other by more than the samples of one. With SUMMARY_RUNS_LEAST of them
 * or more a process counts once, by its median, in all that says how sure a figure is.
 */
#ifndef SOON_REPORT_SUMMARY_H
#define SOON_REPORT_SUMMARY_H

#include "harness/result.h"

#define SUMMARY_CONFIDENCE 0.95
#define SUMMARY_RUNS_LEAST 6

/* Names of figures, counters and phases that a report knows something about. */
#define NAME_WALL  "wall"
#define NAME_CPU   "cpu"
#define NAME_BYTES "bytes" /* of a turn */
#define NAME_ITEMS "items" /* of a turn */
#define NAME_TOTAL "total" /* from when a request was due to the end of its reply */
#define NAME_LAG   "lag"   /* how late the generator sent, although it could have */
#define NAME_BUSY  "busy"  /* share of the time for which it was at work */

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

/* Finds by name. Returns: NULL there is none. */
const struct result_counter *summary_counter(const struct result_entry *entry, const char *name);
const struct result_phase *summary_phase(const struct result_load *load, const char *name);

uint64_t summary_errors(const struct result_load *load);

/* A histogram's figures as numbers to calculate with. */
double summary_quantile(const soon_hist *hist, double share);
double summary_greatest(const soon_hist *hist);
double summary_count(const soon_hist *hist);

/* Whether enough was recorded to tell this share: at least one value lies beyond it. */
bool summary_reaches(const soon_hist *hist, double share);

#endif
