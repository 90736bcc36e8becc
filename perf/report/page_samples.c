// SPDX-License-Identifier: Apache-2.0
/* page_samples.c: the benchmarks, one in a line: its samples as dots and a box, and its figures. */
#include "escape.h"
#include "harness/number.h"
#include "harness/stats.h"
#include "page.h"
#include "summary.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define DOTS_MAX 150 /* of a line; of more samples every second, third ... is drawn */
#define ROOM     1.15

/* A line: a subject, what its samples say, and the median that they are shown beside. */
struct row {
	const struct subject *subject;
	const struct result_samples *wall;
	struct summary summary;
	double centre;
	unsigned series;
};

/* Of the first input that has the entry, so that the shift of another one is seen. */
static int find_row(const struct page *page, size_t index, struct row *ret_row)
{
	const struct subjects *subjects = &page->subjects;
	const struct subject *subject = &subjects->list[index];
	struct row row = { .subject = subject };
	size_t first = index;
	struct summary summary = { 0 };
	int rc;

	while (first > 0 &&
		strcmp(subjects->list[first - 1].entry->name, subject->entry->name) == 0)
		first--;
	row.wall = result_samples_find(subject->entry, NAME_WALL);
	row.series = (unsigned)(index - first);
	rc = summary_make(row.wall, &row.summary);
	if (rc == 0)
		rc = summary_make(
			result_samples_find(subjects->list[first].entry, NAME_WALL), &summary);
	if (rc < 0)
		return rc;
	row.centre = summary.median > 0 ? summary.median : 1;
	*ret_row = row;
	return 0;
}

/* How far a line needs the axis, for its box and most of its dots. */
static double edge_of(const struct row *row)
{
	const struct summary *summary = &row->summary;
	double edge = 4 * (summary->third_quarter - summary->first_quarter) / row->centre;

	edge = fmax(edge, ROOM * fabs(summary->third_quarter / row->centre - 1));
	return fmax(edge, ROOM * fabs(summary->first_quarter / row->centre - 1));
}

/* Five ticks, from a nice number of percent on one side to the same on the other. */
static void make_scale(struct scale *scale, double edge)
{
	static const double nice[] = { 1, 2, 5, 10, 20, 50 };
	double reach = nice[0];

	for (unsigned i = 0; i < sizeof(nice) / sizeof(nice[0]) && reach < 100 * edge; i++)
		reach = nice[i];
	*scale = (struct scale){ .low = -1.08 * reach, .high = 1.08 * reach, .tick_count = 5 };
	for (int i = 0; i < 5; i++)
		scale->ticks[i] = (i - 2) * reach / 2;
}

/* For three of four lines: a noisy one would make dots of one point of all others. */
static int find_scale(const struct page *page, struct scale *ret_scale)
{
	double *edges = calloc(page->subjects.count + 1, sizeof(*edges));
	size_t count = 0;
	int rc = edges != NULL ? 0 : -ENOMEM;

	for (size_t i = 0; rc == 0 && i < page->subjects.count; i++) {
		struct row row;

		rc = find_row(page, i, &row);
		if (rc == 0 && row.summary.count > 0)
			edges[count++] = edge_of(&row);
	}
	if (rc == 0) {
		stats_sort(edges, count);
		make_scale(ret_scale, count > 0 ? stats_quantile(edges, count, 0.75) : 0);
	}
	free(edges);
	return rc;
}

static double percent_off(const struct row *row, double value)
{
	return 100 * (value / row->centre - 1);
}

static double place_of(const struct scale *scale, const struct row *row, double value)
{
	return 100 * scale_place(scale, percent_off(row, value));
}

static void put_grid(struct page *page, const struct scale *scale)
{
	for (size_t i = 0; i < scale->tick_count; i++) {
		double at = 100 * scale_place(scale, scale->ticks[i]);

		escape_markup(page->out,
			"<line class=\"%s\" x1=\"%.2f%%\" x2=\"%.2f%%\" y1=\"0\" y2=\"100%%\"/>",
			fabs(scale->ticks[i]) < 1e-9 ? "zero" : "grid", at, at);
	}
}

/* From top to bottom in the order in which they were taken, so that a drift is seen as a slope. */
static void put_dots(struct page *page, const struct scale *scale, const struct row *row)
{
	size_t step = 1 + row->summary.count / DOTS_MAX, at = 0, below = 0, above = 0;

	for (size_t i = 0; i < row->wall->run_count; i++) {
		const struct result_run *run = &row->wall->runs[i];

		for (size_t k = 0; k < run->count; k++, at++) {
			double off = percent_off(row, run->values[k]);

			below += off < scale->low;
			above += off > scale->high;
			if (at % step != 0 || off < scale->low || off > scale->high)
				continue;
			escape_markup(page->out,
				"<circle class=\"dot%s s%u\" r=\"2\" cx=\"%.2f%%\" cy=\"%.1f%%\"/>",
				i % 2 == 1 ? " odd" : "", row->series % PLOT_SERIES_MAX,
				100 * scale_place(scale, off),
				14 + 72 * (double)at / (double)row->summary.count);
		}
	}
	if (below > 0)
		escape_markup(page->out,
			"<text class=\"out\" x=\"0\" y=\"50%%\" dy=\"4\">\xe2\x97\x82%zu</text>",
			below);
	if (above > 0)
		escape_markup(page->out,
			"<text class=\"out\" x=\"100%%\" y=\"50%%\" dy=\"4\" text-anchor=\"end\">"
			"%zu\xe2\x96\xb8</text>",
			above);
}

static void put_strip(struct page *page, const struct scale *scale, const struct row *row)
{
	const struct summary *summary = &row->summary;
	char median[NUMBER_BYTES], first[NUMBER_BYTES], third[NUMBER_BYTES];
	double left = place_of(scale, row, summary->first_quarter);
	double right = place_of(scale, row, summary->third_quarter);
	double middle = place_of(scale, row, summary->median);
	unsigned series = row->series % PLOT_SERIES_MAX;

	escape_markup(page->out,
		"<td class=\"strip\"><svg role=\"img\"><title>%s: %zu samples, median %s, half "
		"of them from %s to %s</title>",
		row->subject->name, summary->count, number_time(summary->median, median),
		number_time(summary->first_quarter, first),
		number_time(summary->third_quarter, third));
	put_grid(page, scale);
	escape_markup(page->out,
		"<rect class=\"box s%u\" x=\"%.2f%%\" width=\"%.2f%%\" y=\"8%%\" height=\"84%%\"/>",
		series, left, fmax(right - left, 0.2));
	put_dots(page, scale, row);
	escape_markup(page->out,
		"<line class=\"middle s%u\" x1=\"%.2f%%\" x2=\"%.2f%%\" y1=\"8%%\" y2=\"92%%\"/>"
		"</svg></td>",
		series, middle, middle);
}

/* Bytes and items by all threads in a second. */
static void put_rates(struct page *page, const struct row *row)
{
	const struct result_entry *entry = row->subject->entry;
	const struct result_counter *bytes = summary_counter(entry, NAME_BYTES);
	const struct result_counter *items = summary_counter(entry, NAME_ITEMS);
	double turns =
		row->summary.median > 0 ? 1e9 / row->summary.median * (double)entry->threads : 0;
	char text[NUMBER_BYTES];

	(void)fputs("<td class=\"num\" data-name=\"rate\">", page->out);
	if (bytes != NULL)
		escape_markup(page->out, "%s", number_amount(bytes->value * turns, "B/s", text));
	else if (items != NULL)
		escape_markup(page->out, "%s", number_amount(items->value * turns, "/s", text));
	else if (turns > 0)
		escape_markup(page->out, "%s", number_amount(turns, "/s", text));
	(void)fputs("</td>", page->out);
}

static int put_row(struct page *page, const struct scale *scale, size_t index)
{
	char text[NUMBER_BYTES];
	struct summary cpu = { 0 };
	struct row row;
	int rc = find_row(page, index, &row);

	if (rc == 0)
		rc = summary_make(result_samples_find(row.subject->entry, NAME_CPU), &cpu);
	if (rc < 0 || row.summary.count == 0)
		return rc;
	if (row.series == 0)
		escape_markup(page->out, "<tr><th scope=\"row\">%s</th>", row.subject->name);
	else
		escape_markup(page->out, "<tr class=\"more\"><th scope=\"row\">%s</th>",
			row.subject->input->label);
	put_strip(page, scale, &row);
	escape_markup(page->out, "<td class=\"num\" data-name=\"median\">%s</td>",
		number_time(row.summary.median, text));
	escape_markup(page->out, "<td class=\"num\" data-name=\"\xc2\xb1\">%s</td>",
		number_share(summary_spread(&row.summary), text));
	escape_markup(page->out, "<td class=\"num\" data-name=\"CPU\">%s</td>",
		cpu.count > 0 ? number_time(cpu.median, text) : "\xe2\x80\x93");
	escape_markup(page->out, "<td class=\"num\" data-name=\"A/A\">%s</td>",
		row.summary.apart >= 0 ? number_share(row.summary.apart, text) : "\xe2\x80\x93");
	put_rates(page, &row);
	(void)fputs("</tr>\n", page->out);
	return 0;
}

/* What has no samples, and why. */
static void put_others(struct page *page)
{
	static const char *const words[] = { "", "skipped", "failed" };

	for (size_t i = 0; i < page->report->input_count; i++) {
		const struct report_input *input = &page->report->inputs[i];

		for (size_t k = 0; k < input->result->entry_count; k++) {
			const struct result_entry *entry = input->result->entries[k];

			if (entry->state == RESULT_OK)
				continue;
			escape_markup(page->out,
				"<tr class=\"off\"><th scope=\"row\">%s%s%s</th>"
				"<td colspan=\"6\">%s: %s</td></tr>\n",
				entry->name, page->report->input_count > 1 ? " \xc2\xb7 " : "",
				page->report->input_count > 1 ? input->label : "",
				words[entry->state], entry->message);
		}
	}
}

static void put_head(struct page *page, const struct scale *scale)
{
	(void)fputs("<div class=\"wide section\"><table class=\"rows\"><thead><tr>"
		    "<th scope=\"col\">Benchmark</th><th scope=\"col\" class=\"strip\">"
		    "<svg role=\"img\"><title>Samples beside the median, in percent</title>",
		page->out);
	for (size_t i = 0; i < scale->tick_count; i++) {
		double tick = fabs(scale->ticks[i]) < 1e-9 ? 0 : scale->ticks[i];
		char text[NUMBER_BYTES];

		(void)snprintf(text, sizeof(text), tick == 0 ? "%.3g" : "%+.3g %%", tick);
		escape_markup(page->out,
			"<text class=\"tick%s\" text-anchor=\"middle\" x=\"%.2f%%\" "
			"y=\"14\">%s</text>",
			i % 2 == 1 ? " extra" : "", 100 * scale_place(scale, tick), text);
	}
	(void)fputs("</svg></th><th scope=\"col\" class=\"num\">median</th>"
		    "<th scope=\"col\" class=\"num\">\xc2\xb1</th>"
		    "<th scope=\"col\" class=\"num\">CPU</th>"
		    "<th scope=\"col\" class=\"num\">A/A</th>"
		    "<th scope=\"col\" class=\"num\">per second</th></tr></thead>\n<tbody>\n",
		page->out);
}

int page_samples(struct page *page)
{
	struct scale scale;
	int rc = find_scale(page, &scale);

	if (rc < 0)
		return rc;
	(void)fputs(
		"<section>\n<h2>Samples</h2>\n"
		"<p class=\"hint\">Each dot is a sample, from top to bottom in the order they were "
		"taken, in percent off the median; the shade changes with the process. The box "
		"holds the middle half. \xc2\xb1 is half of the 95 % interval of the median, A/A "
		"how far two halves of the same samples are apart.</p>\n",
		page->out);
	put_head(page, &scale);
	for (size_t i = 0; rc == 0 && i < page->subjects.count; i++)
		rc = put_row(page, &scale, i);
	put_others(page);
	(void)fputs("</tbody></table></div>\n", page->out);
	(void)fputs("</section>\n", page->out);
	return rc;
}
