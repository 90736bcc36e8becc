// SPDX-License-Identifier: Apache-2.0
/* plot.c: see plot.h. */
#include "plot.h"

#include "escape.h"

#include <math.h>
#include <string.h>

#define NAME_PLACES 0.058 /* of the height, between two names */
#define INNER       1000.0
#define INSIDE      0.9 /* of the width: names of lines that end before stand in the plot */
#define LATE        0.6 /* from there on a narrow page has no room behind the line */

/* The room of a character of a tick, and between two ticks, as parts of the width. */
#define CHARACTER_WIDE   0.010
#define CHARACTER_NARROW 0.025

static double percent_x(const struct plot *plot, double x)
{
	return 100 * scale_place(&plot->x, x);
}

static double percent_y(const struct plot *plot, double y)
{
	return 100 - 100 * scale_place(&plot->y, y);
}

/* Whether the texts of two ticks stand clear of each other. */
static bool is_clear(const struct scale *scale, size_t left, size_t right, double character)
{
	char text[NUMBER_BYTES];
	double from = scale->ticks[left], to = scale->ticks[right];
	size_t length = strlen(scale_text(scale, from, text));

	length += strlen(scale_text(scale, to, text));
	/* Half of each text is between the ticks, and some space. */
	return scale_place(scale, to) - scale_place(scale, from) >=
		((double)length / 2 + 2) * character;
}

/* Which ticks get a text: the first, the last, and of the others those for which there is room. */
static void find_texts(const struct scale *scale, double character, bool ret_has[SCALE_TICKS_MAX])
{
	size_t shown = 0, last = scale->tick_count - 1;

	for (size_t i = 0; i < scale->tick_count; i++) {
		ret_has[i] = i == 0 || i == last ||
			(is_clear(scale, shown, i, character) &&
				is_clear(scale, i, last, character));
		if (ret_has[i])
			shown = i;
	}
}

static void put_x_ticks(const struct plot *plot)
{
	bool is_wide[SCALE_TICKS_MAX], is_narrow[SCALE_TICKS_MAX];
	char text[NUMBER_BYTES];

	find_texts(&plot->x, CHARACTER_WIDE, is_wide);
	find_texts(&plot->x, CHARACTER_NARROW, is_narrow);
	for (size_t i = 0; i < plot->x.tick_count; i++) {
		double at = percent_x(plot, plot->x.ticks[i]);

		escape_markup(plot->out,
			"<line class=\"grid up\" x1=\"%.2f%%\" x2=\"%.2f%%\" y1=\"0\" "
			"y2=\"100%%\"/>",
			at, at);
		if (!is_wide[i])
			continue;
		(void)fprintf(plot->out, "<text class=\"tick%s%s\" text-anchor=\"middle\" ",
			is_narrow[i] ? "" : " extra", at > 97 ? " last" : "");
		escape_markup(plot->out, "x=\"%.2f%%\" y=\"100%%\" dy=\"20\">%s</text>\n", at,
			scale_text(&plot->x, plot->x.ticks[i], text));
	}
}

static void put_y_ticks(const struct plot *plot)
{
	char text[NUMBER_BYTES];

	for (size_t i = 0; i < plot->y.tick_count; i++) {
		double at = percent_y(plot, plot->y.ticks[i]);

		escape_markup(plot->out,
			"<line class=\"grid\" x1=\"0\" x2=\"100%%\" y1=\"%.2f%%\" y2=\"%.2f%%\"/>"
			"<text class=\"tick\" text-anchor=\"end\" x=\"-8\" y=\"%.2f%%\" dy=\"4\">"
			"%s</text>\n",
			at, at, at, scale_text(&plot->y, plot->y.ticks[i], text));
	}
}

void plot_begin(struct plot *plot, const char *title, const char *description)
{
	plot->name_count = 0;
	escape_markup(plot->out,
		"<div class=\"plot\"><svg role=\"img\" aria-labelledby=\"t%u d%u\">"
		"<title id=\"t%u\">%s</title><desc id=\"d%u\">%s</desc>\n",
		plot->id, plot->id, plot->id, title, plot->id, description);
	put_x_ticks(plot);
	put_y_ticks(plot);
	(void)fputs(
		"<line class=\"axis\" x1=\"0\" x2=\"100%\" y1=\"100%\" y2=\"100%\"/>\n", plot->out);
}

static void open_path(const struct plot *plot, unsigned series, const char *kind)
{
	escape_markup(plot->out,
		"<svg viewBox=\"0 0 1000 1000\" preserveAspectRatio=\"none\" width=\"100%%\" "
		"height=\"100%%\"><path class=\"%s s%u\" d=\"",
		kind, series % PLOT_SERIES_MAX);
}

static void put_point(const struct plot *plot, char command, double x, double y)
{
	(void)fprintf(plot->out, "%c%.1f %.1f", command, INNER * scale_place(&plot->x, x),
		INNER * (1 - scale_place(&plot->y, y)));
}

void plot_line(struct plot *plot, unsigned series, enum plot_stroke stroke, const double *x,
	const double *y, size_t count)
{
	bool is_open = false;

	open_path(plot, series, stroke == PLOT_DASHED ? "line dashed" : "line");
	for (size_t i = 0; i < count; i++) {
		if (isnan(y[i])) {
			is_open = false;
			continue;
		}
		put_point(plot, is_open ? 'L' : 'M', x[i], y[i]);
		/* One point by itself is a line of no length, which round ends show. */
		if (!is_open && (i + 1 == count || isnan(y[i + 1])))
			(void)fputs("h0", plot->out);
		is_open = true;
	}
	(void)fputs("\"/></svg>\n", plot->out);
}

void plot_area(struct plot *plot, unsigned series, const double *x, const double *y, size_t count)
{
	if (count == 0)
		return;
	open_path(plot, series, "area");
	put_point(plot, 'M', x[0], plot->y.low);
	for (size_t i = 0; i < count; i++)
		put_point(plot, 'L', x[i], y[i]);
	put_point(plot, 'L', x[count - 1], plot->y.low);
	(void)fputs("Z\"/></svg>\n", plot->out);
}

void plot_point(struct plot *plot, unsigned series, double x, double y, double low, double high)
{
	double at = percent_x(plot, x);

	if (low < high)
		escape_markup(plot->out,
			"<line class=\"line s%u\" x1=\"%.2f%%\" x2=\"%.2f%%\" y1=\"%.2f%%\" "
			"y2=\"%.2f%%\"/>",
			series % PLOT_SERIES_MAX, at, at, percent_y(plot, low),
			percent_y(plot, high));
	escape_markup(plot->out,
		"<circle class=\"point s%u\" cx=\"%.2f%%\" cy=\"%.2f%%\" r=\"4\"/>\n",
		series % PLOT_SERIES_MAX, at, percent_y(plot, y));
}

void plot_fault(struct plot *plot, double x, const char *text)
{
	/* Moved by its place, as points of a polygon know no percent. */
	escape_markup(plot->out,
		"<svg class=\"fault\" x=\"%.2f%%\" y=\"100%%\"><path d=\"M-5 0H5L0 -9Z\">"
		"<title>%s</title></path></svg>\n",
		percent_x(plot, x), text);
}

void plot_name(struct plot *plot, unsigned series, double x, double y, const char *text)
{
	if (plot->name_count == PLOT_NAMES_MAX)
		return;
	plot->names[plot->name_count++] = (struct plot_name){ scale_place(&plot->x, x),
		1 - scale_place(&plot->y, y), series, text };
}

static void sort_names(struct plot *plot)
{
	for (size_t i = 1; i < plot->name_count; i++) {
		struct plot_name name = plot->names[i];
		size_t k = i;

		for (; k > 0 && plot->names[k - 1].place > name.place; k--)
			plot->names[k] = plot->names[k - 1];
		plot->names[k] = name;
	}
}

/* Apart from each other: first downwards, then up again as far as the plot was left below. */
static void spread_names(struct plot *plot)
{
	double floor = 1;

	for (size_t i = 1; i < plot->name_count; i++) {
		double least = plot->names[i - 1].place + NAME_PLACES;

		if (plot->names[i].place < least)
			plot->names[i].place = least;
	}
	for (size_t i = plot->name_count; i-- > 0;) {
		if (plot->names[i].place > floor)
			plot->names[i].place = floor;
		floor = plot->names[i].place - NAME_PLACES;
	}
}

void plot_end(struct plot *plot)
{
	sort_names(plot);
	spread_names(plot);
	for (size_t i = 0; i < plot->name_count; i++) {
		const struct plot_name *name = &plot->names[i];

		/* Beside the area, but where the line ends far before it, behind the line. */
		bool is_inside = name->across < INSIDE;
		const char *where = name->across >= LATE ? " late" : "";

		escape_markup(plot->out,
			"<text class=\"name%s s%u\" x=\"%.2f%%\" y=\"%.2f%%\" dx=\"8\" dy=\"4\">%s"
			"</text>\n",
			is_inside ? where : " beside", name->series % PLOT_SERIES_MAX,
			is_inside ? 100 * name->across : 100.0, 100 * name->place, name->text);
	}
	(void)fputs("</svg></div>\n", plot->out);
}
