// SPDX-License-Identifier: Apache-2.0
/* page_counters.c: what was counted besides, a line for each entry. */
#include "escape.h"
#include "page.h"
#include "summary.h"

static void put_row(
	struct page *page, const struct subject *subject, const struct subject_names *names)
{
	char text[NUMBER_BYTES];

	escape_markup(page->out, "<tr><th scope=\"row\">%s</th>", subject->name);
	for (size_t i = 0; i < names->count; i++) {
		const struct result_counter *counter =
			summary_counter(subject->entry, names->list[i]);

		escape_markup(page->out, "<td class=\"num\">%s</td>",
			counter == NULL ? "\xe2\x80\x93"
					: number_figure(counter->value, counter->unit, text));
	}
	(void)fputs("</tr>\n", page->out);
}

void page_counters(struct page *page)
{
	bool is_load = page->report->inputs[0].result->kind == RESULT_LOAD;
	struct subject_names names;

	subject_counters(page->report, &names);
	if (names.count == 0)
		return;
	escape_markup(page->out,
		"<section>\n<h2>Counters</h2>\n<p class=\"hint\">%s</p>\n"
		"<div class=\"wide section\"><table><thead><tr><th scope=\"col\">%s</th>",
		is_load ? "Of the whole measurement." : "For each turn of the loop.",
		is_load ? "Load" : "Benchmark");
	for (size_t i = 0; i < names.count; i++)
		escape_markup(page->out, "<th scope=\"col\" class=\"num\">%s</th>", names.list[i]);
	(void)fputs("</tr></thead>\n<tbody>\n", page->out);
	for (size_t i = 0; i < page->subjects.count; i++)
		put_row(page, &page->subjects.list[i], &names);
	(void)fputs("</tbody></table></div>\n</section>\n", page->out);
}
