// SPDX-License-Identifier: Apache-2.0
/*
 * What a run must not do, --fail-if 'p99>5ms':
 *
 *	[PHASE.]FIGURE OP VALUE      PHASE: connect, tls, first; none: the whole request
 *	                             FIGURE: p50, p99.9, p100, max, min, mean; VALUE: a time
 *	rate OP VALUE                verified replies a second, "10k", or "95%" of what was due
 *	errors OP VALUE              requests that failed, as a number or "1%" of all
 *
 * OP is one of > >= < <=.
 */
#ifndef SOON_LOAD_THRESHOLD_H
#define SOON_LOAD_THRESHOLD_H

#include "tally.h"

#define THRESHOLDS_MAX        16u
#define THRESHOLD_WRONG_BYTES 160

enum threshold_figure {
	THRESHOLD_QUANTILE,
	THRESHOLD_MEAN,
	THRESHOLD_RATE,
	THRESHOLD_ERRORS,
};

struct threshold {
	const char *text; /* as it was given */
	enum threshold_figure figure;
	enum phase phase;
	double share; /* of a quantile */
	bool is_below;
	bool is_equal_too;
	bool is_percent;
	double value; /* nanoseconds, a number, or percent */
};

/* Reads one; the text is kept. Returns 0, or -EINVAL with the reason. */
int threshold_parse(
	const char *text, struct threshold *ret_threshold, char ret_wrong[THRESHOLD_WRONG_BYTES]);

/*
 * Whether a run did what it must not. `ret_value` gets the figure, in the threshold's unit. A
 * latency of which there is no sample does not keep its bound: `ret_value` is not a number then.
 */
bool threshold_holds(
	const struct threshold *threshold, const struct tally *tally, double *ret_value);

#endif
