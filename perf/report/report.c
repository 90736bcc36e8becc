// SPDX-License-Identifier: Apache-2.0
/* report.c: see report.h. Which format is which, and what all of them ask of their inputs. */
#include "report.h"

#include "formats.h"
#include "page.h"
#include "warning.h"

#include <errno.h>
#include <string.h>

/* In the order of enum report_format. */
static const char *const names[] = { "text", "html", "md", "csv", "csv-series", "hgrm", "gbench" };

int report_format_find(const char *name)
{
	for (unsigned i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (strcmp(names[i], name) == 0)
			return (int)i;
	}
	return -1;
}

static int check(const struct report *report, struct result_error *ret_error)
{
	if (report->input_count == 0 || report->input_count > REPORT_INPUTS_MAX) {
		(void)snprintf(ret_error->text, sizeof(ret_error->text),
			"a report is of 1 to %d results, these are %zu", REPORT_INPUTS_MAX,
			report->input_count);
		return -EINVAL;
	}
	for (size_t i = 1; i < report->input_count; i++) {
		if (report->inputs[i].result->kind == report->inputs[0].result->kind)
			continue;
		(void)snprintf(ret_error->text, sizeof(ret_error->text),
			"%s and %s are not of one kind: benchmarks and load tests do not go into "
			"one report",
			report->inputs[0].label, report->inputs[i].label);
		return -EINVAL;
	}
	return 0;
}

static int write_format(const struct report *report, enum report_format format, FILE *out,
	struct result_error *ret_error)
{
	switch (format) {
	case REPORT_HTML:
		return page_write(report, out);
	case REPORT_MARKDOWN:
		return format_tables(report, ESCAPE_MARKDOWN, out);
	case REPORT_CSV:
		return format_csv(report, out);
	case REPORT_CSV_SERIES:
		return format_csv_series(report, out);
	case REPORT_HGRM:
		return format_hgrm(report, out, ret_error);
	case REPORT_GBENCH:
		return format_gbench(report, out);
	case REPORT_TEXT:
	default:
		return format_tables(report, ESCAPE_TEXT, out);
	}
}

int report_write(const struct report *report, enum report_format format, FILE *out,
	struct result_error *ret_error)
{
	int rc = check(report, ret_error);

	if (rc == 0)
		rc = write_format(report, format, out, ret_error);
	if (rc == -ENOMEM)
		(void)snprintf(ret_error->text, sizeof(ret_error->text), "no memory");
	return rc;
}

struct warner {
	const char *prefix;
	FILE *out;
};

static void put_warning(void *user, const char *title, const char *text)
{
	const struct warner *warner = user;

	(void)fprintf(warner->out, "%s: %s: ", warner->prefix, title);
	escape_put(warner->out, ESCAPE_TEXT, text);
	(void)fputs("\n", warner->out);
}

int report_warn(const struct report *report, const char *prefix, FILE *out)
{
	struct warner warner = { prefix, out };
	struct subjects subjects;
	int rc = subjects_make(report, &subjects);

	if (rc < 0)
		return rc;
	rc = warnings_find(report, &subjects, put_warning, &warner);
	subjects_free(&subjects);
	return rc;
}
