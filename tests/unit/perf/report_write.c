// SPDX-License-Identifier: Apache-2.0
/* report_write.c: each format of each kind, what it cannot say, and results that are odd. */
#include "canned.h"
#include "report/summary.h"
#include "support/harness.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static const enum report_format formats[] = { REPORT_TEXT, REPORT_HTML, REPORT_MARKDOWN, REPORT_CSV,
	REPORT_CSV_SERIES, REPORT_HGRM, REPORT_GBENCH };

#define FORMATS (sizeof(formats) / sizeof(formats[0]))

static struct result_error error;

static char *write_one(struct result *result, enum report_format format, int *ret_rc)
{
	struct report_input input = { result, "the input" };
	struct report report = { .inputs = &input, .input_count = 1, .entry = "", .phase = "" };

	return canned_report(&report, format, &error, ret_rc);
}

static size_t count_of(const char *text, char character)
{
	size_t count = 0;

	for (; *text != '\0'; text++)
		count += *text == character;
	return count;
}

/* How many fields the lines of a CSV have, which has to be the same for all; 0: it is not. */
static size_t fields_of(const char *text)
{
	size_t wanted = 0, fields = 1;
	bool is_quoted = false;

	for (; *text != '\0'; text++) {
		if (*text == '"')
			is_quoted = !is_quoted;
		else if (*text == ',' && !is_quoted)
			fields++;
		else if (*text == '\n' && !is_quoted) {
			if (wanted != 0 && fields != wanted)
				return 0;
			wanted = fields;
			fields = 1;
		}
	}
	return is_quoted ? 0 : wanted;
}

SOON_TEST_PLAIN(report_write, formats_have_names)
{
	cr_expect_eq(report_format_find("html"), REPORT_HTML);
	cr_expect_eq(report_format_find("csv-series"), REPORT_CSV_SERIES);
	cr_expect_eq(report_format_find("gbench"), REPORT_GBENCH);
	cr_expect_eq(report_format_find("text"), REPORT_TEXT);
	cr_expect_eq(report_format_find("pdf"), -1);
}

SOON_TEST_PLAIN(report_write, hostile_texts_stay_texts)
{
	for (int kind = RESULT_BENCH; kind <= RESULT_LOAD; kind++) {
		struct result *result = canned_hostile((enum result_kind)kind);

		for (size_t i = 0; i < FORMATS; i++) {
			int rc;
			char *text = write_one(result, formats[i], &rc);

			if (kind == RESULT_BENCH && formats[i] == REPORT_HGRM) {
				cr_expect_eq(rc, -EOPNOTSUPP);
				continue;
			}
			cr_assert_not_null(text, "%d: %s", rc, error.text);
			cr_expect_null(strchr(text, '\x1b'), "%zu", i);
			cr_expect_null(strchr(text, '\xff'), "%zu", i);
			if (formats[i] == REPORT_HTML)
				cr_expect_null(strstr(text, "<script>alert"));
			if (formats[i] == REPORT_CSV || formats[i] == REPORT_CSV_SERIES)
				cr_expect_gt(fields_of(text), 0, "%s", text);
			free(text);
		}
		result_free(result);
	}
}

/* In each table of Markdown all lines have as many bars that are no text. */
SOON_TEST_PLAIN(report_write, tables_are_aligned)
{
	struct result *result = canned_hostile(RESULT_BENCH);
	size_t bars = 0, length = 0;
	int rc;
	char *text = write_one(result, REPORT_MARKDOWN, &rc), *rest = text;
	const char *line;

	cr_assert_not_null(text);
	while ((line = strsep(&rest, "\n")) != NULL) {
		size_t escaped = 0, characters = 0;

		if (*line != '|') {
			bars = 0;
			continue;
		}
		for (const char *at = line; *at != '\0'; at++) {
			escaped += at[0] == '\\' && at[1] == '|';
			characters += ((unsigned char)*at & 0xC0) != 0x80;
		}
		cr_expect(bars == 0 || bars == count_of(line, '|') - escaped, "%s", line);
		cr_expect(bars == 0 || length == characters, "%s", line);
		bars = count_of(line, '|') - escaped;
		length = characters;
	}
	free(text);
	result_free(result);
}

SOON_TEST_PLAIN(report_write, a_page_says_what_it_is_of)
{
	static const char *const wanted[] = { "http://127.0.0.1:8080/hello", "p99.9", "timeout",
		"Connection reset by peer", "AMD EPYC", "Latency by percentile", "Rate over time",
		"scheduled", "prefers-color-scheme: dark", "</html>" };
	struct result *result = canned_load("", "http://127.0.0.1:8080/hello", 1);
	int rc;
	char *text = write_one(result, REPORT_HTML, &rc);

	cr_assert_not_null(text);
	for (size_t i = 0; i < sizeof(wanted) / sizeof(wanted[0]); i++)
		cr_expect_not_null(strstr(text, wanted[i]), "%s", wanted[i]);
	free(text);
	result_free(result);
}

static void expect_warning(struct result *result, const char *title)
{
	int rc;
	char *text = write_one(result, REPORT_TEXT, &rc);

	cr_assert_not_null(text);
	cr_expect_not_null(strstr(text, title), "%s: %s", title, text);
	free(text);
}

SOON_TEST_PLAIN(report_write, what_spoils_figures_is_said)
{
	static const struct result_counter busy[] = { { "busy", "", 0.97 } };
	struct result *result = canned_load("", "a", 1), *bench = canned_bench("", 1);
	struct result_load load = *result->entries[0]->load;

	expect_warning(result, "Errors: ");
	load.sent = load.scheduled / 2;
	result->entries[0]->load = &load;
	expect_warning(result, "Not all was sent: ");
	result->is_partial = true;
	result->partial_reason = "interrupted";
	expect_warning(result,
		"Partial result: It ended before its time, or pieces are missing: "
		"interrupted.");
	result->entries[0]->counters = busy;
	expect_warning(result, "The generator was busy: ");
	soon_hist_record_many(load.phases[3].hist, 500000000, 100000);
	expect_warning(result, "The generator fell behind: ");
	soon_hist_record(load.phases[0].hist, UINT64_C(1) << 50);
	expect_warning(result, "Clipped: ");
	result->environment.load_average[0] = 3;
	expect_warning(result, "A busy machine: ");
	expect_warning(bench, "Failed: ");
	result_free(result);
	result_free(bench);
}

SOON_TEST_PLAIN(report_write, what_is_too_much_to_show_is_said)
{
	enum { MORE_THAN_SHOWN = 40 };
	static struct result_counter counters[MORE_THAN_SHOWN];
	static char names[MORE_THAN_SHOWN][8];
	struct result *result = canned_load("", "a", 1);

	for (size_t i = 0; i < MORE_THAN_SHOWN; i++) {
		(void)snprintf(names[i], sizeof names[i], "c%zu", i);
		counters[i] = (struct result_counter){ names[i], "", 1 };
	}
	result->entries[0]->counters = counters;
	result->entries[0]->counter_count = MORE_THAN_SHOWN;
	expect_warning(result, "Not all is shown: There are more counters than the 24");
	result_free(result);
}

/* They ask different questions, so the figures of one are no answer to the other. */
SOON_TEST_PLAIN(report_write, loops_are_told_apart)
{
	struct result *open = canned_load("", "a", 1), *closed = canned_load("", "a", 1);
	struct result_load load = *closed->entries[0]->load;
	struct report_input inputs[] = { { open, "x" }, { closed, "y" } };
	struct report report = { .inputs = inputs, .input_count = 2, .entry = "", .phase = "" };
	int rc;
	char *text = canned_report(&report, REPORT_TEXT, &error, &rc);

	cr_assert_not_null(text, "%s", error.text);
	cr_expect_null(strstr(text, "Not the same loop"), "%s", text);
	free(text);
	load.scheduled = 0;
	closed->entries[0]->load = &load;
	text = canned_report(&report, REPORT_TEXT, &error, &rc);
	cr_assert_not_null(text, "%s", error.text);
	cr_expect_not_null(strstr(text,
				   "Not the same loop: a \xc2\xb7 x is an open loop, "
				   "a \xc2\xb7 y a closed one"),
		"%s", text);
	free(text);
	result_free(open);
	result_free(closed);
}

/* Of one run each a ratio is all that is known: an interval of no width would look very sure. */
SOON_TEST_PLAIN(report_write, one_run_has_no_interval)
{
	struct result *before = canned_bench("", 1), *after = canned_bench("", 1);
	struct report_input inputs[] = { { before, "x" }, { after, "y" } };
	const struct report_comparison comparison = { .name = "copy/64",
		.figure = "wall",
		.unit = "ns",
		.before = 1,
		.after = 2,
		.ratio = 2,
		.low = 2,
		.high = 2,
		.verdict = REPORT_TOO_NOISY,
		.why = "" };
	struct report report = { .inputs = inputs,
		.input_count = 2,
		.comparisons = &comparison,
		.comparison_count = 1,
		.entry = "",
		.phase = "" };
	int rc;
	char *text = canned_report(&report, REPORT_MARKDOWN, &error, &rc);

	cr_assert_not_null(text, "%s", error.text);
	cr_expect_not_null(strstr(text, "| +100 % |    - |   - | too noisy |"), "%s", text);
	free(text);
	text = canned_report(&report, REPORT_HTML, &error, &rc);
	cr_assert_not_null(text, "%s", error.text);
	cr_expect_not_null(strstr(text, "<small>one run each</small>"));
	free(text);
	result_free(before);
	result_free(after);
}

SOON_TEST_PLAIN(report_write, kinds_are_not_mixed)
{
	struct report_input inputs[] = { { canned_load("", "a", 1), "a" },
		{ canned_bench("", 1), "b" } };
	struct report report = { .inputs = inputs, .input_count = 2, .entry = "", .phase = "" };
	int rc;

	cr_expect_null(canned_report(&report, REPORT_HTML, &error, &rc));
	cr_expect_eq(rc, -EINVAL);
	cr_expect_not_null(strstr(error.text, "not of one kind"), "%s", error.text);
	report.input_count = 0;
	cr_expect_null(canned_report(&report, REPORT_TEXT, &error, &rc));
	cr_expect_eq(rc, -EINVAL);
	result_free(inputs[0].result == NULL ? NULL : (struct result *)(uintptr_t)inputs[0].result);
	result_free((struct result *)(uintptr_t)inputs[1].result);
}

/* Where processes differ, it is they that say how sure the median is. */
SOON_TEST_PLAIN(report_write, processes_count_once)
{
	static double values[8][20];
	struct result_run runs[8];
	struct result_samples samples = { "wall", "ns", RESULT_BETTER_LESS, runs, 8, false };
	struct summary few, many;

	for (unsigned i = 0; i < 8; i++) {
		for (unsigned k = 0; k < 20; k++)
			values[i][k] = 100 + 3 * i + 0.01 * k;
		runs[i] = (struct result_run){ values[i], 20 };
	}
	cr_assert_eq(summary_make(&samples, &many), 0);
	cr_expect_eq(many.count, 160);
	cr_expect_float_eq(many.median, 110.595, 1e-6, "%g", many.median);
	cr_expect_lt(many.low, 106, "%g", many.low);
	cr_expect_gt(many.high, 115, "%g", many.high);
	cr_expect_geq(many.apart, 0);
	samples.run_count = 1;
	cr_assert_eq(summary_make(&samples, &few), 0);
	cr_expect_gt(few.low, 100);
	cr_expect_lt(few.high, 100.2);
}

/* Each value of the distribution is the histogram's, and the counts rise to the whole. */
SOON_TEST_PLAIN(report_write, a_distribution_is_the_histogram)
{
	struct result *result = canned_load("", "a", 1);
	const soon_hist *hist = result->entries[0]->load->phases[0].hist;
	unsigned long long count, last = 0;
	double value, share, inverse;
	int rc, lines = 0;
	char *text = write_one(result, REPORT_HGRM, &rc), *rest = text;
	const char *line;

	cr_assert_not_null(text);
	while ((line = strsep(&rest, "\n")) != NULL) {
		if (sscanf(line, "%lf %lf %llu %lf", &value, &share, &count, &inverse) != 4)
			continue;
		lines++;
		cr_expect_eq((uint64_t)(value * 1e6 + 0.5),
			soon_hist_quantile(hist, share < 1e-9 ? 0 : share - 1e-13), "%s", line);
		cr_expect_geq((double)count, share * (double)soon_hist_count(hist) - 1, "%s", line);
		cr_expect_geq(count, last);
		cr_expect_float_eq(inverse, 1 / (1 - share), 0.02 * inverse);
		last = count;
	}
	cr_expect_gt(lines, 40, "%d", lines);
	free(text);
	result_free(result);
}

SOON_TEST_PLAIN(report_write, a_distribution_is_of_one_latency)
{
	struct result *result = canned_load("", "a", 1);
	struct report_input input = { result, "file" };
	struct report report = { .inputs = &input, .input_count = 1, .entry = "", .phase = "nope" };
	char *text;
	int rc;

	cr_expect_null(canned_report(&report, REPORT_HGRM, &error, &rc));
	cr_expect_eq(rc, -EOPNOTSUPP);
	cr_expect_not_null(strstr(error.text, "no latency 'nope'"), "%s", error.text);
	report.phase = "connect";
	text = canned_report(&report, REPORT_HGRM, &error, &rc);
	cr_assert_not_null(text);
	cr_expect_not_null(strstr(text, "Total count    =             64]"), "%s", text);
	free(text);
	cr_assert_not_null(result_entry_add(result, "b"));
	report.phase = "";
	cr_expect_null(canned_report(&report, REPORT_HGRM, &error, &rc));
	cr_expect_not_null(strstr(error.text, "--entry"), "%s", error.text);
	report.entry = "a";
	text = canned_report(&report, REPORT_HGRM, &error, &rc);
	cr_expect_not_null(text, "%s", error.text);
	free(text);
	result_free(result);
}

/* Nothing was measured, or next to nothing: that is no reason to fall over. */
SOON_TEST_PLAIN(report_write, what_is_empty_is_shown_empty)
{
	static const struct result_interval nothing[] = { { .length_s = 0 }, { .start_s = 0 } };
	static const double zeros[] = { 0, 0, 0 };
	static const struct result_run runs[] = { { zeros, 3 }, { NULL, 0 } };
	static const struct result_samples samples[] = { { "wall", "ns", RESULT_BETTER_LESS, runs,
		2, false } };

	for (int kind = RESULT_BENCH; kind <= RESULT_LOAD; kind++) {
		struct result *result = result_create((enum result_kind)kind);
		struct result_load *load = result_alloc(result, 1, sizeof(*load));

		for (int step = 0; step < 4; step++) {
			for (size_t i = 0; i < FORMATS; i++) {
				int rc;

				free(write_one(result, formats[i], &rc));
				cr_expect(rc == 0 || rc == -EOPNOTSUPP, "%d: %s", rc, error.text);
			}
			if (step == 0)
				(void)result_entry_add(result, "only");
			if (step == 1 && kind == RESULT_LOAD)
				result->entries[0]->load = load;
			if (step == 1 && kind == RESULT_BENCH) {
				result->entries[0]->samples = samples;
				result->entries[0]->sample_count = 1;
				result->entries[0]->has_param = true;
			}
			if (step == 2) {
				load->intervals = nothing;
				load->interval_count = 2;
			}
		}
		result_free(result);
	}
}
