// SPDX-License-Identifier: Apache-2.0
/* scale.h: an axis: from values to places, and the nice numbers at which it has its ticks. */
#ifndef SOON_REPORT_SCALE_H
#define SOON_REPORT_SCALE_H

#include "harness/number.h"

#include <stdbool.h>
#include <stddef.h>

#define SCALE_TICKS_MAX 24

enum scale_unit {
	SCALE_PLAIN,
	SCALE_NS,         /* shown as ns, us, ms, s */
	SCALE_SECONDS,    /* the same, of seconds */
	SCALE_RATE,       /* "20 k/s" */
	SCALE_RATIO,      /* "1.05" */
	SCALE_PERCENTILE, /* values are numbers of nines: 2 is the 99th */
};

struct scale {
	enum scale_unit unit;
	bool is_log;
	double low; /* where the axis begins and ends */
	double high;
	double ticks[SCALE_TICKS_MAX];
	size_t tick_count;
};

/* From 0 on, so that lengths can be compared. */
void scale_from_zero(struct scale *scale, enum scale_unit unit, double high);

/* Over these values, which are above 0; equal ones get some room. */
void scale_log(struct scale *scale, enum scale_unit unit, double low, double high);

/* One of the two: by logarithms where the values are far from each other. */
void scale_of(struct scale *scale, enum scale_unit unit, double low, double high);

/* Exactly from `low` to `high`, with ticks between them. */
void scale_between(struct scale *scale, enum scale_unit unit, double low, double high);

/* Percentiles, of a number of values that reach so far: from 0 to 99 at least, 99.999 at most. */
void scale_percentile(struct scale *scale, double count);

/* The number of nines of a share, and back: 0.99 is 2. */
double scale_nines(double share);
double scale_share(double nines);

/* Where a value is: 0 at the begin, 1 at the end, values beyond count as the nearer end. */
double scale_place(const struct scale *scale, double value);

/* What stands at a tick. Returns `text`. */
const char *scale_text(const struct scale *scale, double tick, char text[NUMBER_BYTES]);

#endif
