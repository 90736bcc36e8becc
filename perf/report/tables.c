// SPDX-License-Identifier: Apache-2.0
/* tables.c: a report as tables, in Markdown or as plain text. */
#include "formats.h"
#include "harness/number.h"
#include "summary.h"
#include "table.h"
#include "verdict.h"
#include "warning.h"

#include <errno.h>
#include <inttypes.h>

struct tables {
	FILE *out;
	enum escape how;
	const struct report *report;
	struct subjects subjects;
};

static void put_head(const struct tables *tables, const char *text)
{
	(void)fprintf(tables->out, tables->how == ESCAPE_MARKDOWN ? "## %s\n\n" : "%s\n\n", text);
}

static void put_warning(void *user, const char *title, const char *text)
{
	const struct tables *tables = user;

	(void)fprintf(tables->out, tables->how == ESCAPE_MARKDOWN ? "> **%s.** " : "%s: ", title);
	escape_put(tables->out, tables->how, text);
	(void)fputs("\n\n", tables->out);
}

static void put_fact(const struct tables *tables, const char *name, const char *value)
{
	if (*value == '\0')
		return;
	(void)fprintf(tables->out, tables->how == ESCAPE_MARKDOWN ? "- %s: " : "%s: ", name);
	escape_put(tables->out, tables->how, value);
	(void)fputs("\n", tables->out);
}

static void put_environment(const struct tables *tables)
{
	for (size_t i = 0; i < tables->report->input_count; i++) {
		const struct report_input *input = &tables->report->inputs[i];
		const struct result_environment *from = &input->result->environment;
		char cpus[NUMBER_BYTES], load[3 * NUMBER_BYTES];

		(void)snprintf(cpus, sizeof(cpus), "%" PRIu64, from->cpu_count);
		(void)snprintf(load, sizeof(load), "%.2f, %.2f, %.2f", from->load_average[0],
			from->load_average[1], from->load_average[2]);
		put_fact(tables, "result", tables->report->input_count > 1 ? input->label : "");
		put_fact(tables, "command", from->command);
		put_fact(tables, "started", from->started);
		put_fact(tables, "kernel", from->kernel);
		put_fact(tables, "processor", from->cpu_model);
		put_fact(tables, "CPUs", from->cpu_count > 0 ? cpus : "");
		put_fact(tables, "load average before", load);
		put_fact(tables, "compiler", from->compiler);
		put_fact(tables, "I/O", from->io);
		(void)fputs("\n", tables->out);
	}
}

static int put_comparisons(const struct tables *tables)
{
	struct table table;
	char text[NUMBER_BYTES];

	table_begin(&table, tables->how);
	table_column(&table, "benchmark", false);
	table_column(&table, "figure", false);
	table_column(&table, "before", true);
	table_column(&table, "after", true);
	table_column(&table, "change", true);
	table_column(&table, "from", true);
	table_column(&table, "to", true);
	table_column(&table, "verdict", false);
	for (size_t i = 0; i < tables->report->comparison_count; i++) {
		const struct report_comparison *comparison = &tables->report->comparisons[i];
		bool has_interval;

		table_cell(&table, comparison->name);
		table_cell(&table, comparison->figure);
		if (comparison->verdict == REPORT_IMPOSSIBLE) {
			for (unsigned k = 0; k < 5; k++)
				table_cell(&table, "-");
			table_cell(&table, comparison->why);
			continue;
		}
		table_cell(&table, number_figure(comparison->before, comparison->unit, text));
		table_cell(&table, number_figure(comparison->after, comparison->unit, text));
		table_cell(&table, number_signed_share(comparison->ratio - 1, text));
		has_interval = comparison->low < comparison->high;
		table_cell(&table,
			has_interval ? number_signed_share(comparison->low - 1, text) : "-");
		table_cell(&table,
			has_interval ? number_signed_share(comparison->high - 1, text) : "-");
		table_cell(&table, verdict_word(comparison->verdict));
	}
	return table_end(&table, tables->out);
}

static int add_benchmark(struct table *table, const struct subject *subject)
{
	char text[NUMBER_BYTES];
	struct summary wall = { 0 }, cpu = { 0 };
	int rc = summary_make(result_samples_find(subject->entry, NAME_WALL), &wall);

	if (rc == 0)
		rc = summary_make(result_samples_find(subject->entry, NAME_CPU), &cpu);
	if (rc < 0)
		return rc;
	table_cell(table, subject->name);
	table_cell(table, wall.count > 0 ? number_time(wall.median, text) : "-");
	table_cell(table, wall.count > 0 ? number_share(summary_spread(&wall), text) : "-");
	table_cell(table, wall.count > 0 ? number_time(wall.least, text) : "-");
	table_cell(table, wall.count > 0 ? number_time(wall.greatest, text) : "-");
	table_cell(table, cpu.count > 0 ? number_time(cpu.median, text) : "-");
	table_cell(table, wall.apart >= 0 ? number_share(wall.apart, text) : "-");
	table_cell(table, number_count(wall.count, text));
	return 0;
}

/* Failed ones are among the warnings. */
static void add_skipped(struct table *table, const struct report *report)
{
	for (size_t i = 0; i < report->input_count; i++) {
		const struct result *result = report->inputs[i].result;

		for (size_t k = 0; k < result->entry_count; k++) {
			if (result->entries[k]->state != RESULT_SKIPPED)
				continue;
			table_cell(table, result->entries[k]->name);
			table_cell(table, "skipped");
			table_row_end(table);
		}
	}
}

static int put_benchmarks(const struct tables *tables)
{
	static const char *const columns[] = { "time", "+-", "least", "greatest", "CPU", "A/A",
		"samples" };
	struct table table;
	int rc = 0, table_rc;

	table_begin(&table, tables->how);
	table_column(&table, "benchmark", false);
	for (unsigned i = 0; i < sizeof(columns) / sizeof(columns[0]); i++)
		table_column(&table, columns[i], true);
	for (size_t i = 0; rc == 0 && i < tables->subjects.count; i++)
		rc = add_benchmark(&table, &tables->subjects.list[i]);
	add_skipped(&table, tables->report);
	table_rc = table_end(&table, tables->out);
	return rc < 0 ? rc : table_rc;
}

static int put_counters(const struct tables *tables)
{
	struct subject_names names;
	struct table table;
	char text[NUMBER_BYTES];

	subject_counters(tables->report, &names);
	if (names.count == 0)
		return 0;
	put_head(tables, "Counters");
	table_begin(&table, tables->how);
	table_column(&table, "of", false);
	for (size_t i = 0; i < names.count; i++)
		table_column(&table, names.list[i], true);
	for (size_t i = 0; i < tables->subjects.count; i++) {
		const struct subject *subject = &tables->subjects.list[i];

		table_cell(&table, subject->name);
		for (size_t k = 0; k < names.count; k++) {
			const struct result_counter *counter =
				summary_counter(subject->entry, names.list[k]);

			table_cell(&table,
				counter == NULL
					? "-"
					: number_figure(counter->value, counter->unit, text));
		}
	}
	return table_end(&table, tables->out);
}

static void add_rate(struct table *table, const struct result_load *load, uint64_t count)
{
	char text[NUMBER_BYTES];

	table_cell(table,
		load->length_s > 0 ? number_amount((double)count / load->length_s, "/s", text)
				   : "-");
}

static int put_rates(const struct tables *tables)
{
	struct table table;
	char text[NUMBER_BYTES];

	table_begin(&table, tables->how);
	table_column(&table, "load", false);
	table_column(&table, "scheduled", true);
	table_column(&table, "sent", true);
	table_column(&table, "completed", true);
	table_column(&table, "errors", true);
	table_column(&table, "received", true);
	for (size_t i = 0; i < tables->subjects.count; i++) {
		const struct subject *subject = &tables->subjects.list[i];
		const struct result_load *load = subject->entry->load;
		double length = load != NULL && load->length_s > 0 ? load->length_s : 1;

		if (load == NULL)
			continue;
		table_cell(&table, subject->name);
		if (load->scheduled > 0)
			add_rate(&table, load, load->scheduled);
		else
			table_cell(&table, "closed loop");
		add_rate(&table, load, load->sent);
		add_rate(&table, load, load->completed);
		table_cell(&table, number_count(summary_errors(load), text));
		table_cell(
			&table, number_amount((double)load->bytes_received / length, "B/s", text));
	}
	return table_end(&table, tables->out);
}

static void add_latency(
	struct table *table, const struct subject *subject, const struct result_phase *phase)
{
	static const double shares[] = { 0.5, 0.9, 0.99, 0.999, 0.9999 };
	char text[NUMBER_BYTES];

	table_cell(table, subject->name);
	table_cell(table, phase->name);
	table_cell(table, number_count(soon_hist_count(phase->hist), text));
	table_cell(table, number_time(soon_hist_mean(phase->hist), text));
	for (unsigned i = 0; i < sizeof(shares) / sizeof(shares[0]); i++) {
		double value = summary_quantile(phase->hist, shares[i]);

		table_cell(table,
			summary_reaches(phase->hist, shares[i]) ? number_time(value, text) : "-");
	}
	table_cell(table, number_time(summary_greatest(phase->hist), text));
}

static int put_latencies(const struct tables *tables)
{
	static const char *const columns[] = { "values", "mean", "p50", "p90", "p99", "p99.9",
		"p99.99", "greatest" };
	struct table table;

	table_begin(&table, tables->how);
	table_column(&table, "load", false);
	table_column(&table, "latency", false);
	for (unsigned i = 0; i < sizeof(columns) / sizeof(columns[0]); i++)
		table_column(&table, columns[i], true);
	for (size_t i = 0; i < tables->subjects.count; i++) {
		const struct subject *subject = &tables->subjects.list[i];
		const struct result_load *load = subject->entry->load;

		for (size_t k = 0; load != NULL && k < load->phase_count; k++) {
			if (soon_hist_count(load->phases[k].hist) > 0)
				add_latency(&table, subject, &load->phases[k]);
		}
	}
	return table_end(&table, tables->out);
}

static int put_errors(const struct tables *tables)
{
	struct table table;
	char text[NUMBER_BYTES];

	table_begin(&table, tables->how);
	table_column(&table, "load", false);
	table_column(&table, "error", false);
	table_column(&table, "count", true);
	table_column(&table, "one of them said", false);
	for (size_t i = 0; i < tables->subjects.count; i++) {
		const struct subject *subject = &tables->subjects.list[i];
		const struct result_load *load = subject->entry->load;

		for (size_t k = 0; load != NULL && k < load->error_count; k++) {
			table_cell(&table, subject->name);
			table_cell(&table, load->errors[k].kind);
			table_cell(&table, number_count(load->errors[k].count, text));
			table_cell(&table, load->errors[k].example);
		}
	}
	return table_end(&table, tables->out);
}

static int put_loads(const struct tables *tables)
{
	int rc;

	put_head(tables, "Rates");
	rc = put_rates(tables);
	if (rc < 0)
		return rc;
	put_head(tables, "Latency");
	rc = put_latencies(tables);
	return rc < 0 ? rc : put_errors(tables);
}

int format_tables(const struct report *report, enum escape how, FILE *out)
{
	struct tables tables = { .out = out, .how = how, .report = report };
	int rc = subjects_make(report, &tables.subjects);

	if (rc < 0)
		return rc;
	rc = warnings_find(report, &tables.subjects, put_warning, &tables);
	if (rc == 0 && report->comparison_count > 0) {
		put_head(&tables, "What changed");
		rc = put_comparisons(&tables);
	}
	if (rc == 0 && report->inputs[0].result->kind == RESULT_LOAD)
		rc = put_loads(&tables);
	else if (rc == 0) {
		put_head(&tables, "Benchmarks");
		rc = put_benchmarks(&tables);
	}
	if (rc == 0)
		rc = put_counters(&tables);
	if (rc == 0) {
		put_head(&tables, "Environment");
		put_environment(&tables);
	}
	subjects_free(&tables.subjects);
	return rc;
}
