// SPDX-License-Identifier: Apache-2.0
/* page.c: the frame of the page: what is at its top and its bottom. */
#include "page.h"

#include "escape.h"
#include "harness/number.h"
#include "warning.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

void page_figure(struct page *page, const char *title, const char *hint)
{
	page->figure_count++;
	page->plot = (struct plot){ .out = page->out, .id = page->figure_count };
	escape_markup(page->out, "<figure>\n<figcaption><b>%s</b> <span>%s</span></figcaption>\n",
		title, hint);
}

void page_figure_end(struct page *page)
{
	(void)fputs("</figure>\n", page->out);
}

void page_values(struct page *page)
{
	(void)fputs("<details><summary>Values</summary><div class=\"wide\">"
		    "<table class=\"values\">\n",
		page->out);
}

void page_values_end(struct page *page)
{
	(void)fputs("</table></div></details>\n", page->out);
}

void page_card(struct page *page, const char *name, const char *figure, const char *below)
{
	const char *space = strchr(figure, ' ');
	int length = space != NULL ? (int)(space - figure) : (int)strlen(figure);
	char number[NUMBER_BYTES];

	(void)snprintf(number, sizeof(number), "%.*s", length, figure);
	escape_markup(page->out, "<div><dt>%s</dt><dd class=\"figure\">%s", name, number);
	if (space != NULL)
		escape_markup(page->out, " <small>%s</small>", space + 1);
	escape_markup(page->out, "</dd><dd class=\"below\">%s</dd></div>\n", below);
}

/* What the page is of, in a few words. */
static const char *title_of(const struct report *report)
{
	const struct result *result = report->inputs[0].result;
	bool is_load = result->kind == RESULT_LOAD;

	if (report->comparison_count > 0)
		return "Comparison";
	if (report->input_count > 1)
		return is_load ? "Load tests" : "Benchmarks";
	if (*result->name != '\0')
		return result->name;
	if (is_load && result->entry_count == 1)
		return result->entries[0]->name;
	return is_load ? "Load test" : "Benchmarks";
}

static void put_head(struct page *page)
{
	const char *title = title_of(page->report);

	/* Nothing but what is in the page may be loaded or run, whatever got into it. */
	escape_markup(page->out,
		"<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
		"<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; "
		"style-src 'unsafe-inline'; script-src '" PAGE_SCRIPT_HASH
		"'; base-uri 'none'; form-action 'none'\">\n"
		"<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
		"<meta name=\"color-scheme\" content=\"light dark\">\n"
		"<title>%s</title>\n<style>\n",
		title);
	(void)fputs(page_style, page->out);
	escape_markup(page->out,
		"</style>\n</head>\n<body>\n<main>\n<header>\n<p class=\"kind\">%s</p>\n"
		"<h1>%s</h1>\n",
		page->report->inputs[0].result->kind == RESULT_LOAD ? "soon-load" : "soon-bench",
		title);
	for (size_t i = 0; i < page->report->input_count; i++) {
		const struct report_input *input = &page->report->inputs[i];
		const struct result_environment *environment = &input->result->environment;

		(void)fputs("<p class=\"command\">", page->out);
		if (page->report->input_count > 1)
			escape_markup(page->out, "<b>%s</b> ", input->label);
		if (*environment->command != '\0')
			escape_markup(page->out, "<code>%s</code>", environment->command);
		(void)fputs("</p>\n", page->out);
	}
	(void)fputs("</header>\n", page->out);
}

static void put_warning(void *user, const char *title, const char *text)
{
	struct page *page = user;

	escape_markup(page->out, "<li><b>%s.</b> %s</li>\n", title, text);
}

static int put_warnings(struct page *page)
{
	int rc;

	(void)fputs("<ul class=\"warnings\" aria-label=\"Warnings\">\n", page->out);
	rc = warnings_find(page->report, &page->subjects, put_warning, page);
	(void)fputs("</ul>\n", page->out);
	return rc;
}

static void put_fact(struct page *page, const char *name, const char *value)
{
	if (*value != '\0')
		escape_markup(page->out, "<div><dt>%s</dt><dd>%s</dd></div>\n", name, value);
}

void page_environment(struct page *page)
{
	(void)fputs("<section>\n<h2>Environment</h2>\n", page->out);
	for (size_t i = 0; i < page->report->input_count; i++) {
		const struct report_input *input = &page->report->inputs[i];
		const struct result_environment *from = &input->result->environment;
		char text[NUMBER_BYTES] = "";

		(void)fputs("<dl class=\"environment\">\n", page->out);
		if (page->report->input_count > 1)
			put_fact(page, "Result", input->label);
		put_fact(page, "Started", from->started);
		put_fact(page, "Kernel", from->kernel);
		put_fact(page, "Processor", from->cpu_model);
		if (from->cpu_count > 0)
			(void)snprintf(text, sizeof(text), "%" PRIu64, from->cpu_count);
		put_fact(page, "CPUs that it may use", text);
		(void)snprintf(text, sizeof(text), "%.4g CPUs", from->quota_cpus);
		put_fact(page, "Quota", from->quota_cpus > 0 ? text : "");
		(void)snprintf(text, sizeof(text), "%.2f, %.2f, %.2f", from->load_average[0],
			from->load_average[1], from->load_average[2]);
		put_fact(page, "Load average before", text);
		put_fact(page, "Clock", from->clock);
		put_fact(page, "Compiler", from->compiler);
		put_fact(page, "soon", from->soon_version);
		put_fact(page, "I/O", from->io);
		(void)fputs("</dl>\n", page->out);
	}
	(void)fputs("</section>\n", page->out);
}

static int put_body(struct page *page)
{
	bool is_load = page->report->inputs[0].result->kind == RESULT_LOAD;
	int rc = put_warnings(page);

	if (rc == 0)
		rc = page_cards(page);
	if (rc < 0)
		return rc;
	rc = page_comparison(page);
	if (rc == 0)
		rc = is_load ? page_loads(page) : page_samples(page);
	if (rc == 0 && !is_load)
		rc = page_growth(page);
	if (rc < 0)
		return rc;
	page_counters(page);
	page_environment(page);
	return 0;
}

static void put_foot(struct page *page)
{
	escape_markup(page->out,
		"<footer><p>Made by soon %s. Percentiles are at most 0.4 %% too high, never too "
		"low; least, greatest and mean are exact. How to read this page: "
		"docs/guide/read-the-report.md.</p></footer>\n</main>\n<script>",
		HARNESS_VERSION);
	(void)fputs(page_script, page->out);
	(void)fputs("</script>\n</body>\n</html>\n", page->out);
}

int page_write(const struct report *report, FILE *out)
{
	struct page *page = calloc(1, sizeof(*page));
	int rc;

	if (page == NULL)
		return -ENOMEM;
	page->out = out;
	page->report = report;
	rc = subjects_make(report, &page->subjects);
	if (rc == 0) {
		put_head(page);
		rc = put_body(page);
		put_foot(page);
		subjects_free(&page->subjects);
	}
	free(page);
	return rc;
}
