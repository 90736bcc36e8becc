// SPDX-License-Identifier: Apache-2.0
/*
 * plot.h: one plot, as inline SVG that fills the width it is given.
 *
 * The SVG element is the plotting area itself. Lines are paths in an inner one that is stretched to
 * it; texts and marks are placed in percent, so that they keep their size however wide it is. What
 * stands beside the area (ticks, names of the lines) overflows into the margins that the style has
 * for it. Colours and sizes are in style.css, by the number of a series.
 *
 *	plot_begin(&plot, "Rate over time", "completed 48 k/s ...");
 *	plot_line(&plot, 0, PLOT_SOLID, x, y, count);
 *	plot_name(&plot, 0, x[count - 1], y[count - 1], "completed");
 *	plot_end(&plot);
 */
#ifndef SOON_REPORT_PLOT_H
#define SOON_REPORT_PLOT_H

#include "scale.h"

#include <stdio.h>

#define PLOT_SERIES_MAX  8
#define PLOT_NAMES_MAX   10
#define PLOT_NAME_LENGTH 18 /* characters that the margin has room for */

struct plot_name {
	double across; /* 0 to 1, from the left */
	double place;  /* from the top */
	unsigned series;
	const char *text;
};

/* A plot that is being drawn. Set the first four before plot_begin. */
struct plot {
	FILE *out;
	unsigned id; /* unlike that of any other of the page */
	struct scale x;
	struct scale y;
	struct plot_name names[PLOT_NAMES_MAX];
	size_t name_count;
};

/* Opens it, with axes and their ticks. `description` is for those who do not see it. */
void plot_begin(struct plot *plot, const char *title, const char *description);

enum plot_stroke {
	PLOT_SOLID,
	PLOT_DASHED, /* what should have been; others may lie below it */
};

/* A line through points; one whose y is NaN interrupts it. */
void plot_line(struct plot *plot, unsigned series, enum plot_stroke stroke, const double *x,
	const double *y, size_t count);

/* What is between a line and the x axis, lightly filled. Without a NaN. */
void plot_area(struct plot *plot, unsigned series, const double *x, const double *y, size_t count);

/* A point, with a bar from `low` to `high`, which may be the point itself. */
void plot_point(struct plot *plot, unsigned series, double x, double y, double low, double high);

/* A mark at the bottom that something went wrong there. `text` says what. */
void plot_fault(struct plot *plot, double x, const char *text);

/*
 * The name of a line, beside its end, of PLOT_NAME_LENGTH characters at most. Borrows the text
 * until plot_end.
 */
void plot_name(struct plot *plot, unsigned series, double x, double y, const char *text);

/* Writes the names, so that none covers another, and closes the plot. */
void plot_end(struct plot *plot);

#endif
