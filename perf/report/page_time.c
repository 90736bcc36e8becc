// SPDX-License-Identifier: Apache-2.0
/* page_time.c: see page_time.h. A point stands in the middle of its interval. */
#include "page_time.h"

#include "escape.h"
#include "harness/number.h"

#include <math.h>
#include <string.h>

static double middle_of(const struct result_interval *interval)
{
	return interval->start_s + interval->length_s / 2;
}

static double rate_of(const struct result_interval *interval, uint64_t count)
{
	return interval->length_s > 0 ? (double)count / interval->length_s : 0;
}

/* Later ones are left out. */
static size_t count_of(const struct result_load *load)
{
	return load->interval_count < PAGE_POINTS_MAX ? load->interval_count : PAGE_POINTS_MAX;
}

static void begin_row(struct page *page, const struct result_interval *interval)
{
	char text[NUMBER_BYTES];

	/* Not "0": the head of the column is "From". */
	escape_markup(page->out, "<tr data-x=\"%.4f\"><th scope=\"row\">%s</th>",
		scale_place(&page->plot.x, middle_of(interval)),
		number_time(1e9 * interval->start_s, text));
}

static void find_time_scale(struct plot *plot, const struct result_load *load)
{
	const struct result_interval *last = &load->intervals[count_of(load) - 1];

	scale_between(&plot->x, SCALE_SECONDS, 0, last->start_s + last->length_s);
}

static const struct latency_line {
	const char *name;
	size_t offset; /* in struct result_interval */
} latency_lines[] = {
	{ "p50", offsetof(struct result_interval, p50_ns) },
	{ "p99", offsetof(struct result_interval, p99_ns) },
	{ "greatest", offsetof(struct result_interval, max_ns) },
};

#define LATENCY_LINES (sizeof(latency_lines) / sizeof(latency_lines[0]))

static double latency_of(const struct result_interval *interval, size_t line)
{
	uint64_t ns;

	memcpy(&ns, (const char *)interval + latency_lines[line].offset, sizeof(ns));
	return (double)ns;
}

static void find_latency_scale(struct plot *plot, const struct result_load *load)
{
	double least = HUGE_VAL, greatest = 0;

	for (size_t i = 0; i < count_of(load); i++) {
		const struct result_interval *interval = &load->intervals[i];

		if (interval->completed == 0)
			continue;
		least = fmin(least, fmax((double)interval->p50_ns, 1));
		greatest = fmax(greatest, (double)interval->max_ns);
	}
	scale_of(&plot->y, SCALE_NS, isfinite(least) ? least : 1, greatest);
}

static void draw_latency(struct page *page, const struct result_load *load, size_t line)
{
	size_t count = count_of(load);
	double last_x = 0, last = (double)NAN;

	for (size_t i = 0; i < count; i++) {
		const struct result_interval *interval = &load->intervals[i];

		page->x[i] = middle_of(interval);
		page->y[i] = interval->completed > 0 ? latency_of(interval, line) : (double)NAN;
		if (!isnan(page->y[i])) {
			last_x = page->x[i];
			last = page->y[i];
		}
	}
	plot_line(&page->plot, (unsigned)line, PLOT_SOLID, page->x, page->y, count);
	if (!isnan(last))
		plot_name(&page->plot, (unsigned)line, last_x, last, latency_lines[line].name);
}

static void put_latency_table(struct page *page, const struct result_load *load)
{
	char text[NUMBER_BYTES];

	page_values(page);
	(void)fputs("<thead><tr><th scope=\"col\">From</th>", page->out);
	for (size_t line = 0; line < LATENCY_LINES; line++)
		escape_markup(page->out, "<th scope=\"col\" class=\"num\">%s</th>",
			latency_lines[line].name);
	(void)fputs("</tr></thead><tbody>\n", page->out);
	for (size_t i = 0; i < count_of(load); i++) {
		const struct result_interval *interval = &load->intervals[i];

		begin_row(page, interval);
		for (size_t line = 0; line < LATENCY_LINES; line++)
			escape_markup(page->out, "<td class=\"num\">%s</td>",
				interval->completed > 0
					? number_time(latency_of(interval, line), text)
					: "\xe2\x80\x93");
		(void)fputs("</tr>\n", page->out);
	}
	(void)fputs("</tbody>\n", page->out);
	page_values_end(page);
}

void page_latency_over_time(struct page *page, const struct result_load *load)
{
	struct plot *plot = &page->plot;
	char least[NUMBER_BYTES], greatest[NUMBER_BYTES];

	if (load->interval_count == 0)
		return;
	page_figure(page, "Latency over time",
		"Of what completed in each interval. A gap is an interval in which nothing did.");
	find_time_scale(plot, load);
	find_latency_scale(plot, load);
	(void)snprintf(page->text, sizeof(page->text),
		"Median, 99th percentile and greatest of each of %zu intervals, on an axis from "
		"%s to %s.",
		count_of(load), number_time(plot->y.low, least),
		number_time(plot->y.high, greatest));
	plot_begin(plot, "Latency over time", page->text);
	for (size_t line = LATENCY_LINES; line-- > 0;)
		draw_latency(page, load, line);
	plot_end(plot);
	put_latency_table(page, load);
	page_figure_end(page);
}

enum rate_line {
	RATE_COMPLETED,
	RATE_SENT,
	RATE_SCHEDULED,
	RATE_LINES,
};

static const char *const rate_names[RATE_LINES] = { "completed", "sent", "scheduled" };

/* What a load knows of its rates: an old result, or a closed loop, not all. */
struct rates {
	const struct result_load *load;
	bool has_scheduled;
	bool has_sent;
};

static struct rates find_rates(const struct result_load *load)
{
	struct rates rates = { .load = load };

	for (size_t i = 0; i < load->interval_count; i++) {
		rates.has_scheduled |= load->intervals[i].scheduled > 0;
		rates.has_sent |= load->intervals[i].sent > 0;
	}
	return rates;
}

/* NaN: it is not known. */
static double rate_at(const struct rates *rates, size_t at, enum rate_line line)
{
	const struct result_interval *interval = &rates->load->intervals[at];

	if (line == RATE_COMPLETED)
		return rate_of(interval, interval->completed);
	if (line == RATE_SENT)
		return rates->has_sent ? rate_of(interval, interval->sent) : (double)NAN;
	return rates->has_scheduled ? rate_of(interval, interval->scheduled) : (double)NAN;
}

static void draw_rate(struct page *page, const struct rates *rates, enum rate_line line)
{
	size_t count = count_of(rates->load);

	for (size_t i = 0; i < count; i++) {
		page->x[i] = middle_of(&rates->load->intervals[i]);
		page->y[i] = rate_at(rates, i, line);
	}
	if (isnan(page->y[0]))
		return;
	if (line == RATE_COMPLETED)
		plot_area(&page->plot, line, page->x, page->y, count);
	plot_line(&page->plot, line, line == RATE_SCHEDULED ? PLOT_DASHED : PLOT_SOLID, page->x,
		page->y, count);
	plot_name(&page->plot, line, page->x[count - 1], page->y[count - 1], rate_names[line]);
}

static void draw_faults(struct plot *plot, const struct result_load *load)
{
	char text[2 * NUMBER_BYTES], count[NUMBER_BYTES], from[NUMBER_BYTES];

	for (size_t i = 0; i < count_of(load); i++) {
		const struct result_interval *interval = &load->intervals[i];

		if (interval->errors == 0)
			continue;
		(void)snprintf(text, sizeof(text), "%s errors from %s on",
			number_count(interval->errors, count),
			number_time(1e9 * interval->start_s, from));
		plot_fault(plot, middle_of(interval), text);
	}
}

static void put_rate_table(struct page *page, const struct rates *rates)
{
	const struct result_load *load = rates->load;
	char text[NUMBER_BYTES];

	page_values(page);
	(void)fputs("<thead><tr><th scope=\"col\">From</th>", page->out);
	for (int line = 0; line < RATE_LINES; line++)
		escape_markup(
			page->out, "<th scope=\"col\" class=\"num\">%s</th>", rate_names[line]);
	(void)fputs("<th scope=\"col\" class=\"num\">errors</th></tr></thead><tbody>\n", page->out);
	for (size_t i = 0; i < count_of(load); i++) {
		const struct result_interval *interval = &load->intervals[i];

		begin_row(page, interval);
		for (int line = 0; line < RATE_LINES; line++) {
			double rate = rate_at(rates, i, (enum rate_line)line);

			escape_markup(page->out, "<td class=\"num\">%s</td>",
				isnan(rate) ? "\xe2\x80\x93" : number_amount(rate, "/s", text));
		}
		escape_markup(page->out, "<td class=\"num\">%s</td></tr>\n",
			number_count(interval->errors, text));
	}
	(void)fputs("</tbody>\n", page->out);
	page_values_end(page);
}

void page_rate_over_time(struct page *page, const struct result_load *load)
{
	struct plot *plot = &page->plot;
	struct rates rates = find_rates(load);
	char least_text[NUMBER_BYTES], greatest_text[NUMBER_BYTES];
	double least = HUGE_VAL, greatest = 0, high = 0;

	if (load->interval_count == 0)
		return;
	page_figure(page, "Rate over time",
		load->scheduled > 0
			? "Where completed stays below scheduled, the server or the generator was "
			  "behind. Triangles mark intervals with errors."
			: "Requests completed in a closed loop: its rate is the server's answer. "
			  "Triangles mark intervals with errors.");
	for (size_t i = 0; i < count_of(load); i++) {
		/* fmax leaves out what is not known. */
		for (int line = 0; line < RATE_LINES; line++)
			high = fmax(high, rate_at(&rates, i, (enum rate_line)line));
		least = fmin(least, rate_at(&rates, i, RATE_COMPLETED));
		greatest = fmax(greatest, rate_at(&rates, i, RATE_COMPLETED));
	}
	find_time_scale(plot, load);
	scale_from_zero(&plot->y, SCALE_RATE, high);
	(void)snprintf(page->text, sizeof(page->text),
		"Completed requests, from %s to %s in an interval.",
		number_amount(least, "/s", least_text),
		number_amount(greatest, "/s", greatest_text));
	plot_begin(plot, "Rate over time", page->text);
	/* What was completed above what was sent; the plan above both. */
	for (int i = 0; i < RATE_LINES; i++) {
		static const enum rate_line order[] = { RATE_SENT, RATE_COMPLETED, RATE_SCHEDULED };

		draw_rate(page, &rates, order[i]);
	}
	draw_faults(plot, load);
	plot_end(plot);
	put_rate_table(page, &rates);
	page_figure_end(page);
}
