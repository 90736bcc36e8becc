// SPDX-License-Identifier: Apache-2.0
/* page_loads.c: load tests: latency by percentile, all in one plot, and the tables. */
#include "escape.h"
#include "harness/number.h"
#include "page.h"
#include "page_time.h"
#include "summary.h"

#include <math.h>
#include <string.h>

#define CURVE_POINTS 240
#define COLUMNS      6

static const double table_shares[COLUMNS] = { 0.5, 0.9, 0.99, 0.999, 0.9999, 0.99999 };

/* One line of the plot by percentile. */
struct curve {
	const soon_hist *hist;
	const char *name;
};

struct curves {
	struct curve list[PLOT_SERIES_MAX];
	size_t count;
	size_t left_out;
	double least; /* of all, above 0 */
	double median;
	double greatest;
	double samples; /* of the one with the most */
};

static void add_curve(struct curves *curves, const char *name, const soon_hist *hist)
{
	uint64_t least_ns = soon_hist_least(hist);
	double median = summary_quantile(hist, 0.5), least;

	if (soon_hist_count(hist) == 0)
		return;
	if (curves->count == PLOT_SERIES_MAX) {
		curves->left_out++;
		return;
	}
	least = least_ns > 0 ? (double)least_ns : 1;
	curves->least = curves->count == 0 ? least : fmin(curves->least, least);
	curves->median = curves->count == 0 ? median : fmin(curves->median, median);
	curves->greatest = fmax(curves->greatest, summary_greatest(hist));
	curves->samples = fmax(curves->samples, summary_count(hist));
	curves->list[curves->count++] = (struct curve){ hist, name };
}

/* The total of each load; where there is only one, its other phases, too. */
static void find_curves(struct page *page, struct curves *curves)
{
	for (size_t i = 0; i < page->subjects.count; i++) {
		const struct subject *subject = &page->subjects.list[i];
		const struct result_load *load = subject->entry->load;
		bool is_single = page->subjects.count == 1;

		for (size_t k = 0; load != NULL && k < load->phase_count; k++) {
			const struct result_phase *phase = &load->phases[k];
			bool is_total = strcmp(phase->name, RESULT_PHASE_TOTAL) == 0;

			if (is_single ? strcmp(phase->name, RESULT_PHASE_LAG) != 0 : is_total)
				add_curve(curves, is_single ? phase->name : subject->short_name,
					phase->hist);
		}
	}
}

static void draw_curve(struct page *page, unsigned series, const struct curve *curve)
{
	struct plot *plot = &page->plot;
	double count = summary_count(curve->hist);
	double end = fmin(log10(count), plot->x.high);
	double *x = page->x, *y = page->y;
	size_t points = 0;

	for (; points < CURVE_POINTS - 1; points++) {
		x[points] = plot->x.high * (double)points / (CURVE_POINTS - 1);
		if (x[points] >= end)
			break;
		y[points] = summary_quantile(curve->hist, scale_share(x[points]));
	}
	x[points] = end;
	/* The last one that there is; the greatest where all of them fit. */
	y[points] = log10(count) <= plot->x.high ? summary_greatest(curve->hist)
						 : summary_quantile(curve->hist, scale_share(end));
	points++;
	plot_line(plot, series, PLOT_SOLID, x, y, points);
	plot_name(plot, series, x[points - 1], y[points - 1], curve->name);
}

static void put_percentile_row(struct page *page, const struct curves *curves, double share)
{
	char text[NUMBER_BYTES];
	bool is_end = share >= 1;
	double place = scale_place(
		&page->plot.x, is_end ? log10(fmax(curves->samples, 1)) : scale_nines(share));

	escape_markup(page->out, "<tr data-x=\"%.4f\"><th scope=\"row\">%s</th>", place,
		is_end ? "greatest" : number_percentile(share, text));
	for (size_t i = 0; i < curves->count; i++) {
		const soon_hist *hist = curves->list[i].hist;
		bool is_told = is_end || summary_reaches(hist, share);
		double value = is_end ? summary_greatest(hist) : summary_quantile(hist, share);

		escape_markup(page->out, "<td class=\"num\">%s</td>",
			is_told ? number_time(value, text) : "\xe2\x80\x93");
	}
	(void)fputs("</tr>\n", page->out);
}

static void put_percentile_table(struct page *page, const struct curves *curves)
{
	static const double shares[] = { 0, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 0.98, 0.99, 0.995,
		0.998, 0.999, 0.9995, 0.9998, 0.9999, 0.99995, 0.99999, 1 };

	page_values(page);
	(void)fputs("<thead><tr><th scope=\"col\">Percentile</th>", page->out);
	for (size_t i = 0; i < curves->count; i++)
		escape_markup(
			page->out, "<th scope=\"col\" class=\"num\">%s</th>", curves->list[i].name);
	(void)fputs("</tr></thead><tbody>\n", page->out);
	for (unsigned i = 0; i < sizeof(shares) / sizeof(shares[0]); i++) {
		bool is_beyond =
			shares[i] < 1 && (double)curves->samples * (1 - shares[i]) < 1 - 1e-6;

		if (!is_beyond)
			put_percentile_row(page, curves, shares[i]);
	}
	(void)fputs("</tbody>\n", page->out);
	page_values_end(page);
}

static void describe_curves(const struct curves *curves, char *text, size_t size)
{
	size_t length = 0;

	text[0] = '\0';
	for (size_t i = 0; i < curves->count && length < size; i++) {
		const soon_hist *hist = curves->list[i].hist;
		char median[NUMBER_BYTES], late[NUMBER_BYTES], greatest[NUMBER_BYTES];

		length += (size_t)snprintf(text + length, size - length,
			"%s%.40s: p50 %s, p99 %s, greatest %s.", i > 0 ? " " : "",
			curves->list[i].name, number_time(summary_quantile(hist, 0.5), median),
			number_time(summary_quantile(hist, 0.99), late),
			number_time(summary_greatest(hist), greatest));
	}
}

static void put_percentiles(struct page *page)
{
	static const char hint[] =
		"Share of the requests that took no longer. Each step to the right is ten times "
		"rarer; a line ends at the slowest request.";
	struct plot *plot = &page->plot;
	struct curves curves = { 0 };

	find_curves(page, &curves);
	if (curves.count == 0)
		return;
	page_figure(page, "Latency by percentile", hint);
	scale_percentile(&plot->x, curves.samples);
	if (curves.greatest > 20 * curves.median)
		scale_log(&plot->y, SCALE_NS, curves.least, curves.greatest);
	else
		scale_from_zero(&plot->y, SCALE_NS, curves.greatest);
	describe_curves(&curves, page->text, sizeof(page->text));
	plot_begin(plot, "Latency by percentile", page->text);
	for (size_t i = 0; i < curves.count; i++)
		draw_curve(page, (unsigned)i, &curves.list[i]);
	plot_end(plot);
	if (curves.left_out > 0)
		escape_markup(page->out, "<p class=\"hint\">%zu more are in the table only.</p>\n",
			curves.left_out);
	put_percentile_table(page, &curves);
	page_figure_end(page);
}

static void put_latency_cells(struct page *page, const soon_hist *hist)
{
	char text[NUMBER_BYTES], name[NUMBER_BYTES];

	for (unsigned i = 0; i < COLUMNS; i++) {
		bool is_told = summary_reaches(hist, table_shares[i]);
		double value = summary_quantile(hist, table_shares[i]);

		escape_markup(page->out, "<td class=\"num\" data-name=\"%s\">%s</td>",
			number_percentile(table_shares[i], name),
			is_told ? number_time(value, text) : "\xe2\x80\x93");
	}
	escape_markup(page->out, "<td class=\"num\" data-name=\"greatest\">%s</td></tr>\n",
		number_time(summary_greatest(hist), text));
}

static void put_latency_head(struct page *page)
{
	char name[NUMBER_BYTES];

	for (unsigned i = 0; i < COLUMNS; i++)
		escape_markup(page->out, "<th scope=\"col\" class=\"num\">%s</th>",
			number_percentile(table_shares[i], name));
	(void)fputs(
		"<th scope=\"col\" class=\"num\">greatest</th></tr></thead>\n<tbody>\n", page->out);
}

/* All loads, a line each. */
static void put_loads(struct page *page)
{
	char text[NUMBER_BYTES];

	(void)fputs("<div class=\"wide section\"><table class=\"rows\"><thead><tr>"
		    "<th scope=\"col\">Load</th><th scope=\"col\" class=\"num\">completed</th>"
		    "<th scope=\"col\" class=\"num\">errors</th>",
		page->out);
	put_latency_head(page);
	for (size_t i = 0; i < page->subjects.count; i++) {
		const struct subject *subject = &page->subjects.list[i];
		const struct result_load *load = subject->entry->load;
		const struct result_phase *total =
			load != NULL ? summary_phase(load, RESULT_PHASE_TOTAL) : NULL;

		if (total == NULL)
			continue;
		escape_markup(page->out,
			"<tr><th scope=\"row\">%s</th>"
			"<td class=\"num\" data-name=\"completed\">%s</td>",
			subject->name,
			number_amount(
				load->length_s > 0 ? (double)load->completed / load->length_s : 0,
				"/s", text));
		escape_markup(page->out, "<td class=\"num\" data-name=\"errors\">%s</td>",
			number_count(summary_errors(load), text));
		put_latency_cells(page, total->hist);
	}
	(void)fputs("</tbody></table></div>\n", page->out);
}

static void put_phases(struct page *page, const struct result_load *load)
{
	char text[NUMBER_BYTES];

	(void)fputs("<div class=\"wide section\"><table class=\"rows\"><thead><tr>"
		    "<th scope=\"col\">Time</th><th scope=\"col\" class=\"num\">values</th>"
		    "<th scope=\"col\" class=\"num\">mean</th>",
		page->out);
	put_latency_head(page);
	for (size_t i = 0; i < load->phase_count; i++) {
		const struct result_phase *phase = &load->phases[i];

		if (soon_hist_count(phase->hist) == 0)
			continue;
		escape_markup(page->out,
			"<tr><th scope=\"row\">%s</th><td class=\"num\" "
			"data-name=\"values\">%s</td>",
			phase->name, number_count(soon_hist_count(phase->hist), text));
		escape_markup(page->out, "<td class=\"num\" data-name=\"mean\">%s</td>",
			number_time(soon_hist_mean(phase->hist), text));
		put_latency_cells(page, phase->hist);
	}
	(void)fputs("</tbody></table></div>\n", page->out);
}

static void put_errors(struct page *page, const struct result_load *load)
{
	char text[NUMBER_BYTES];

	if (load->error_count == 0)
		return;
	(void)fputs("<div class=\"wide section\"><table><thead><tr><th scope=\"col\">Error</th>"
		    "<th scope=\"col\" class=\"num\">count</th>"
		    "<th scope=\"col\">one of them said</th></tr></thead>\n<tbody>\n",
		page->out);
	for (size_t i = 0; i < load->error_count; i++)
		escape_markup(page->out,
			"<tr><th scope=\"row\">%s</th><td class=\"num\">%s</td><td>%s</td></tr>\n",
			load->errors[i].kind, number_count(load->errors[i].count, text),
			load->errors[i].example);
	(void)fputs("</tbody></table></div>\n", page->out);
}

int page_loads(struct page *page)
{
	bool is_single = page->subjects.count == 1;

	(void)fputs("<section>\n<h2>Latency</h2>\n", page->out);
	if (!is_single)
		put_loads(page);
	put_percentiles(page);
	for (size_t i = 0; i < page->subjects.count; i++) {
		const struct subject *subject = &page->subjects.list[i];
		const struct result_load *load = subject->entry->load;

		if (load == NULL)
			continue;
		if (!is_single)
			escape_markup(
				page->out, "</section>\n<section>\n<h2>%s</h2>\n", subject->name);
		put_phases(page, load);
		put_errors(page, load);
		page_latency_over_time(page, load);
		page_rate_over_time(page, load);
	}
	(void)fputs("</section>\n", page->out);
	return 0;
}
