// SPDX-License-Identifier: Apache-2.0
/* page_growth.c: how the time of a benchmark grows with its parameter. */
#include "escape.h"
#include "harness/fit.h"
#include "harness/number.h"
#include "page.h"
#include "summary.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define POINTS_MAX   32 /* parameters of a benchmark */
#define CURVE_POINTS 100
#define FAR_APART    8 /* parameters, from which ratio on their axis is one of logarithms */

/* One benchmark of one input: a point for each parameter. */
struct growth {
	const struct report_input *input;
	size_t count;
	double params[POINTS_MAX];
	double medians[POINTS_MAX];
	double lows[POINTS_MAX];
	double highs[POINTS_MAX];
	struct fit fit; /* its growth is NULL where none was found */
};

static bool has_fit(const struct growth *growth)
{
	return growth->fit.growth != NULL;
}

/* In rising order of the parameter. */
static void add_point(struct growth *growth, double param, const struct summary *summary)
{
	size_t at = growth->count;

	if (growth->count == POINTS_MAX || summary->count == 0)
		return;
	for (; at > 0 && growth->params[at - 1] > param; at--) {
		growth->params[at] = growth->params[at - 1];
		growth->medians[at] = growth->medians[at - 1];
		growth->lows[at] = growth->lows[at - 1];
		growth->highs[at] = growth->highs[at - 1];
	}
	growth->params[at] = param;
	growth->medians[at] = summary->median;
	growth->lows[at] = summary->low;
	growth->highs[at] = summary->high;
	growth->count++;
}

static int find_growth(
	const struct report_input *input, const char *group, struct growth *ret_growth)
{
	const struct result *result = input->result;

	*ret_growth = (struct growth){ .input = input };
	for (size_t i = 0; i < result->entry_count; i++) {
		const struct result_entry *entry = result->entries[i];
		struct summary summary;
		int rc;

		if (!entry->has_param || entry->state != RESULT_OK ||
			strcmp(entry->group, group) != 0)
			continue;
		rc = summary_make(result_samples_find(entry, NAME_WALL), &summary);
		if (rc < 0)
			return rc;
		add_point(ret_growth, (double)entry->param, &summary);
	}
	(void)fit_find(
		ret_growth->params, ret_growth->medians, ret_growth->count, &ret_growth->fit);
	return 0;
}

/* Ticks at the parameters themselves, as long as they are few. */
static void find_scales(struct plot *plot, const struct growth *growth)
{
	double first = growth->params[0], last = growth->params[growth->count - 1];
	double least = HUGE_VAL, greatest = 0;

	for (size_t i = 0; i < growth->count; i++) {
		least = fmin(least, growth->lows[i]);
		greatest = fmax(greatest, growth->highs[i]);
	}
	scale_of(&plot->y, SCALE_NS, least, 1.05 * greatest);
	if (first > 0 && last > FAR_APART * first) {
		scale_log(&plot->x, SCALE_PLAIN, first, last);
		/* Some room beside the points, which are no round numbers of ten. */
		plot->x.low = first / pow(last / first, 0.03);
		plot->x.high = last * pow(last / first, 0.03);
	} else {
		scale_between(&plot->x, SCALE_PLAIN, first - 0.03 * (last - first),
			last + 0.03 * (last - first));
	}
	if (growth->count > 10)
		return;
	plot->x.tick_count = growth->count;
	for (size_t i = 0; i < growth->count; i++)
		plot->x.ticks[i] = growth->params[i];
}

static void draw_fit(struct page *page, unsigned series, const struct growth *growth)
{
	struct plot *plot = &page->plot;
	double first = growth->params[0], last = growth->params[growth->count - 1];
	size_t count = 0;

	for (; count < CURVE_POINTS; count++) {
		double part = (double)count / (CURVE_POINTS - 1);

		page->x[count] = plot->x.is_log ? first * pow(last / first, part)
						: first + part * (last - first);
		page->y[count] = fit_at(&growth->fit, page->x[count]);
	}
	plot_line(plot, series, PLOT_SOLID, page->x, page->y, count);
}

static void draw_growth(
	struct page *page, unsigned series, const struct growth *growth, const char *name)
{
	struct plot *plot = &page->plot;

	if (has_fit(growth))
		draw_fit(page, series, growth);
	for (size_t i = 0; i < growth->count; i++)
		plot_point(plot, series, growth->params[i], growth->medians[i], growth->lows[i],
			growth->highs[i]);
	/* At the end of the curve, which need not be where the last point is. */
	plot_name(plot, series, plot->x.high,
		has_fit(growth) ? page->y[CURVE_POINTS - 1] : growth->medians[growth->count - 1],
		name);
}

static void put_table(struct page *page, const struct growth *growth, const char *param_name)
{
	char median[NUMBER_BYTES], low[NUMBER_BYTES], high[NUMBER_BYTES], fitted[NUMBER_BYTES];

	page_values(page);
	escape_markup(page->out,
		"<thead><tr><th scope=\"col\">%s</th><th scope=\"col\" class=\"num\">median</th>"
		"<th scope=\"col\" class=\"num\">from</th><th scope=\"col\" class=\"num\">to</th>"
		"<th scope=\"col\" class=\"num\">fit</th></tr></thead><tbody>\n",
		param_name);
	for (size_t i = 0; i < growth->count; i++) {
		double fit =
			has_fit(growth) ? fit_at(&growth->fit, growth->params[i]) : (double)NAN;

		escape_markup(page->out,
			"<tr data-x=\"%.4f\"><th scope=\"row\">%.0f</th><td class=\"num\">%s</td>"
			"<td class=\"num\">%s</td><td class=\"num\">%s</td>"
			"<td class=\"num\">%s</td></tr>\n",
			scale_place(&page->plot.x, growth->params[i]), growth->params[i],
			number_time(growth->medians[i], median), number_time(growth->lows[i], low),
			number_time(growth->highs[i], high),
			isnan(fit) ? "\xe2\x80\x93" : number_time(fit, fitted));
	}
	(void)fputs("</tbody>\n", page->out);
	page_values_end(page);
}

/* "Grows as n: 0.42 ns of it and 3.00 ns in any case, off by 3.1 %". */
static void tell_fit(const struct growth *growth, char *text, size_t size)
{
	char factor[NUMBER_BYTES], base[NUMBER_BYTES], off[NUMBER_BYTES];
	const struct fit *fit = &growth->fit;
	bool has_base = has_fit(growth) && fit->base > 0;

	if (!has_fit(growth))
		(void)snprintf(
			text, size, "No curve fits: it needs three parameters of 1 or more.");
	else if (strcmp(fit->growth->name, "1") == 0)
		(void)snprintf(text, size, "Does not grow: %s, off by %s.",
			number_time(fit->factor, factor), number_share(fit->error, off));
	else
		(void)snprintf(text, size, "Grows as %s: %s of it%s%s%s, off by %s.",
			fit->growth->name, number_time(fit->factor, factor),
			has_base ? " and " : "", has_base ? number_time(fit->base, base) : "",
			has_base ? " in any case" : "", number_share(fit->error, off));
}

static void put_growth(struct page *page, unsigned series, const struct growth *growth,
	const struct result_entry *head)
{
	const char *param_name = *head->param_name != '\0' ? head->param_name : "parameter";
	bool has_label = page->report->input_count > 1;
	char title[160];

	tell_fit(growth, page->text, sizeof(page->text));
	(void)snprintf(title, sizeof(title), "%.60s by %.30s%s%.40s", head->group, param_name,
		has_label ? " \xc2\xb7 " : "", has_label ? growth->input->label : "");
	page_figure(page, title, page->text);
	find_scales(&page->plot, growth);
	plot_begin(&page->plot, title, page->text);
	draw_growth(page, series, growth, has_fit(growth) ? growth->fit.growth->name : "");
	plot_end(&page->plot);
	put_table(page, growth, param_name);
	page_figure_end(page);
}

/* All inputs that have the benchmark, each in a figure of its own. */
static int put_group(struct page *page, const struct result_entry *head)
{
	struct growth *growth = calloc(1, sizeof(*growth));
	int rc = growth != NULL ? 0 : -ENOMEM;

	for (size_t i = 0; rc == 0 && i < page->report->input_count; i++) {
		rc = find_growth(&page->report->inputs[i], head->group, growth);
		if (rc == 0 && growth->count >= 2)
			put_growth(page, (unsigned)i, growth, head);
	}
	free(growth);
	return rc;
}

int page_growth(struct page *page)
{
	bool has_head = false;
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < page->subjects.count; i++) {
		const struct result_entry *entry = page->subjects.list[i].entry;
		bool is_first = entry->has_param;

		for (size_t k = 0; is_first && k < i; k++)
			is_first = strcmp(page->subjects.list[k].entry->group, entry->group) != 0;
		if (!is_first)
			continue;
		if (!has_head)
			(void)fputs(
				"<section>\n<h2>Growth</h2>\n"
				"<p class=\"hint\">Medians with their intervals, and the curve of "
				"the growth that fits them best.</p>\n",
				page->out);
		has_head = true;
		rc = put_group(page, entry);
	}
	if (has_head)
		(void)fputs("</section>\n", page->out);
	return rc;
}
