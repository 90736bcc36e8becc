// SPDX-License-Identifier: Apache-2.0
/* page_compare.c: what changed: a ratio with its interval for each figure, and the verdict. */
#include "escape.h"
#include "harness/number.h"
#include "page.h"
#include "scale.h"
#include "verdict.h"

#include <math.h>
#include <string.h>

/* All rows on one axis; there is always some room on both sides of 1. */
static void find_scale(const struct report *report, struct scale *ret_scale)
{
	double low = 0.95, high = 1.05;

	for (size_t i = 0; i < report->comparison_count; i++) {
		const struct report_comparison *comparison = &report->comparisons[i];

		if (comparison->verdict == REPORT_IMPOSSIBLE)
			continue;
		if (comparison->low > 0)
			low = fmin(low, comparison->low);
		if (isfinite(comparison->high))
			high = fmax(high, comparison->high);
	}
	if (high / low > 4)
		scale_log(ret_scale, SCALE_RATIO, low, high);
	else
		scale_between(ret_scale, SCALE_RATIO, low - 0.02 * (high - low),
			high + 0.02 * (high - low));
}

static void put_grid(struct page *page, const struct scale *scale, bool has_text)
{
	double one = 100 * scale_place(scale, 1);
	char text[NUMBER_BYTES];

	for (size_t i = 0; i < scale->tick_count; i++) {
		double at = 100 * scale_place(scale, scale->ticks[i]);

		if (has_text)
			escape_markup(page->out,
				"<text class=\"tick%s\" text-anchor=\"middle\" x=\"%.2f%%\" "
				"y=\"14\">%s</text>",
				scale->tick_count > 5 && i % 2 == 1 ? " extra" : "", at,
				scale_text(scale, scale->ticks[i], text));
		else
			escape_markup(page->out,
				"<line class=\"grid\" x1=\"%.2f%%\" x2=\"%.2f%%\" y1=\"0\" "
				"y2=\"100%%\"/>",
				at, at);
	}
	if (!has_text)
		escape_markup(page->out,
			"<line class=\"zero\" x1=\"%.2f%%\" x2=\"%.2f%%\" y1=\"0\" y2=\"100%%\"/>",
			one, one);
}

static void put_bar(
	struct page *page, const struct scale *scale, const struct report_comparison *comparison)
{
	escape_markup(page->out,
		"<svg role=\"img\"><title>%s %s: ratio %.3f, from %.3f to %.3f: %s</title>",
		comparison->name, comparison->figure, comparison->ratio, comparison->low,
		comparison->high, verdict_word(comparison->verdict));
	put_grid(page, scale, false);
	escape_markup(page->out,
		"<g class=\"change %s\"><line x1=\"%.2f%%\" x2=\"%.2f%%\" y1=\"50%%\" y2=\"50%%\"/>"
		"<circle cx=\"%.2f%%\" cy=\"50%%\" r=\"5\"/></g></svg>",
		verdict_class(comparison->verdict), 100 * scale_place(scale, comparison->low),
		100 * scale_place(scale, comparison->high),
		100 * scale_place(scale, comparison->ratio));
}

static void put_figures(struct page *page, const struct report_comparison *comparison)
{
	char text[NUMBER_BYTES], low[NUMBER_BYTES], high[NUMBER_BYTES];

	escape_markup(page->out, "<td class=\"num\" data-name=\"before\">%s</td>",
		number_figure(comparison->before, comparison->unit, text));
	escape_markup(page->out, "<td class=\"num\" data-name=\"after\">%s</td>",
		number_figure(comparison->after, comparison->unit, text));
	escape_markup(page->out, "<td class=\"num\" data-name=\"change\">%s<small>",
		number_signed_share(comparison->ratio - 1, text));
	if (comparison->low < comparison->high)
		escape_markup(page->out, "%s to %s", number_signed_share(comparison->low - 1, low),
			number_signed_share(comparison->high - 1, high));
	else
		(void)fputs("one run each", page->out);
	(void)fputs("</small></td>", page->out);
}

static void put_row(struct page *page, const struct scale *scale, size_t index)
{
	const struct report_comparison *comparison = &page->report->comparisons[index];
	bool is_more = index > 0 && strcmp(comparison[-1].name, comparison->name) == 0;

	/* Of several figures of one entry the first has its name. */
	if (is_more)
		escape_markup(page->out, "<tr class=\"more\"><th scope=\"row\">%s</th>",
			comparison->figure);
	else
		escape_markup(page->out, "<tr><th scope=\"row\">%s<small>%s</small></th>",
			comparison->name, comparison->figure);
	(void)fputs("<td class=\"strip\">", page->out);
	if (comparison->verdict == REPORT_IMPOSSIBLE) {
		escape_markup(page->out, "%s</td><td></td><td></td><td></td>", comparison->why);
	} else {
		put_bar(page, scale, comparison);
		(void)fputs("</td>", page->out);
		put_figures(page, comparison);
	}
	escape_markup(page->out, "<td class=\"verdict %s\">%s %s</td></tr>\n",
		verdict_class(comparison->verdict), verdict_sign(comparison->verdict),
		verdict_word(comparison->verdict));
}

static void put_sum(struct page *page)
{
	bool is_first = true;

	(void)fputs("<p>", page->out);
	for (int verdict = REPORT_FASTER; verdict <= REPORT_IMPOSSIBLE; verdict++) {
		size_t count = 0;

		for (size_t i = 0; i < page->report->comparison_count; i++)
			count += (int)page->report->comparisons[i].verdict == verdict;
		if (count == 0)
			continue;
		escape_markup(page->out, "%s<span class=\"verdict %s\">%zu %s</span>",
			is_first ? "" : ", ", verdict_class((enum report_verdict)verdict), count,
			verdict_word((enum report_verdict)verdict));
		is_first = false;
	}
	(void)fputs(".</p>\n", page->out);
}

int page_comparison(struct page *page)
{
	const struct report *report = page->report;
	struct scale scale;

	if (report->comparison_count == 0)
		return 0;
	find_scale(report, &scale);
	(void)fputs("<section>\n<h2>What changed</h2>\n", page->out);
	put_sum(page);
	if (report->input_count == 2)
		escape_markup(page->out,
			"<p class=\"hint\">Ratios of %s by %s: 1 is no difference. The bar is "
			"the interval that the ratio is in, with a confidence of 95 %%.</p>\n",
			report->inputs[1].label, report->inputs[0].label);
	(void)fputs("<div class=\"wide section\"><table class=\"rows\"><thead><tr>"
		    "<th scope=\"col\">Figure</th><th scope=\"col\" class=\"strip\">"
		    "<svg role=\"img\"><title>Ratio</title>",
		page->out);
	put_grid(page, &scale, true);
	(void)fputs("</svg></th><th scope=\"col\" class=\"num\">before</th>"
		    "<th scope=\"col\" class=\"num\">after</th>"
		    "<th scope=\"col\" class=\"num\">change</th>"
		    "<th scope=\"col\">verdict</th></tr></thead>\n<tbody>\n",
		page->out);
	for (size_t i = 0; i < report->comparison_count; i++)
		put_row(page, &scale, i);
	(void)fputs("</tbody></table></div>\n</section>\n", page->out);
	return 0;
}
