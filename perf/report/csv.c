// SPDX-License-Identifier: Apache-2.0
/*
 * csv.c: a line for each entry, or for each interval of each load (RFC 4180, but lines end as on
 * Unix). The columns of figures, latencies and counters are those that any entry has; a field is
 * empty where an entry has none. Times are in nanoseconds unless the name of the column says else.
 */
#include "formats.h"
#include "subject.h"
#include "summary.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>

#define SHARES 5

static const struct share {
	double share;
	const char *name;
} shares[SHARES] = {
	{ 0.5, "p50" },
	{ 0.9, "p90" },
	{ 0.99, "p99" },
	{ 0.999, "p99.9" },
	{ 0.9999, "p99.99" },
};

/* The names of the columns that depend on what there is. */
struct columns {
	struct subject_names figures;
	struct subject_names phases;
	struct subject_names counters;
};

static void put_text(FILE *out, const char *text)
{
	(void)putc(',', out);
	escape_put(out, ESCAPE_CSV, text);
}

static void put_count(FILE *out, uint64_t count)
{
	(void)fprintf(out, ",%" PRIu64, count);
}

/* Enough digits to tell any two measurements apart, not so many that they lie about precision. */
static void put_number(FILE *out, double value)
{
	(void)fprintf(out, isfinite(value) ? ",%.12g" : ",", value);
}

/* Why a result is not whole; empty where it is. */
static void put_partial(FILE *out, const struct result *result)
{
	const char *reason = *result->partial_reason != '\0' ? result->partial_reason : "yes";

	put_text(out, result->is_partial ? reason : "");
}

static void put_empty(FILE *out, unsigned count)
{
	for (unsigned i = 0; i < count; i++)
		(void)putc(',', out);
}

static void put_column(FILE *out, const char *name, const char *what)
{
	char text[160];

	(void)snprintf(text, sizeof(text), "%.120s_%s", name, what);
	put_text(out, text);
}

static const char *const figure_columns[] = { "count", "median", "low", "high", "least", "q1", "q3",
	"greatest", "mean", "deviation", "aa" };

#define FIGURE_COLUMNS (sizeof(figure_columns) / sizeof(figure_columns[0]))

static void put_head(FILE *out, const struct columns *columns, bool is_load)
{
	(void)fputs("result,name,group,param_name,param,state,message,partial,threads,turns", out);
	if (is_load)
		(void)fputs(
			",length_s,scheduled,sent,completed,errors,bytes_sent,bytes_received", out);
	for (size_t i = 0; i < columns->phases.count; i++) {
		put_column(out, columns->phases.list[i], "count");
		put_column(out, columns->phases.list[i], "mean");
		for (unsigned k = 0; k < SHARES; k++)
			put_column(out, columns->phases.list[i], shares[k].name);
		put_column(out, columns->phases.list[i], "greatest");
	}
	for (size_t i = 0; i < columns->figures.count; i++) {
		for (unsigned k = 0; k < FIGURE_COLUMNS; k++)
			put_column(out, columns->figures.list[i], figure_columns[k]);
	}
	for (size_t i = 0; i < columns->counters.count; i++)
		put_text(out, columns->counters.list[i]);
	(void)putc('\n', out);
}

static void put_phase(FILE *out, const struct result_phase *phase)
{
	if (phase == NULL || soon_hist_count(phase->hist) == 0) {
		put_empty(out, SHARES + 3);
		return;
	}
	put_count(out, soon_hist_count(phase->hist));
	put_number(out, soon_hist_mean(phase->hist));
	for (unsigned i = 0; i < SHARES; i++) {
		if (summary_reaches(phase->hist, shares[i].share))
			put_count(out, soon_hist_quantile(phase->hist, shares[i].share));
		else
			put_empty(out, 1);
	}
	put_count(out, soon_hist_greatest(phase->hist));
}

static int put_figure(FILE *out, const struct result_samples *samples)
{
	struct summary summary;
	int rc = summary_make(samples, &summary);

	if (rc < 0 || summary.count == 0) {
		put_empty(out, FIGURE_COLUMNS);
		return rc;
	}
	put_count(out, summary.count);
	put_number(out, summary.median);
	put_number(out, summary.low);
	put_number(out, summary.high);
	put_number(out, summary.least);
	put_number(out, summary.first_quarter);
	put_number(out, summary.third_quarter);
	put_number(out, summary.greatest);
	put_number(out, summary.mean);
	put_number(out, summary.deviation);
	if (summary.apart >= 0)
		put_number(out, summary.apart);
	else
		put_empty(out, 1);
	return 0;
}

static void put_load(FILE *out, const struct result_load *load)
{
	if (load == NULL) {
		put_empty(out, 7);
		return;
	}
	put_number(out, load->length_s);
	put_count(out, load->scheduled);
	put_count(out, load->sent);
	put_count(out, load->completed);
	put_count(out, summary_errors(load));
	put_count(out, load->bytes_sent);
	put_count(out, load->bytes_received);
}

static void put_who(FILE *out, const struct report_input *input, const struct result_entry *entry)
{
	static const char *const states[] = { "ok", "skipped", "failed" };

	escape_put(out, ESCAPE_CSV, input->label);
	put_text(out, entry->name);
	put_text(out, entry->group);
	put_text(out, entry->param_name);
	if (entry->has_param)
		(void)fprintf(out, ",%" PRId64, entry->param);
	else
		put_empty(out, 1);
	put_text(out, states[entry->state]);
	put_text(out, entry->message);
	put_partial(out, input->result);
	put_count(out, entry->threads);
	put_count(out, entry->turns);
}

static int put_entry(FILE *out, const struct report_input *input, const struct result_entry *entry,
	const struct columns *columns, bool is_load)
{
	int rc = 0;

	put_who(out, input, entry);
	if (is_load)
		put_load(out, entry->load);
	for (size_t i = 0; i < columns->phases.count; i++)
		put_phase(out,
			entry->load == NULL ? NULL
					    : summary_phase(entry->load, columns->phases.list[i]));
	for (size_t i = 0; rc == 0 && i < columns->figures.count; i++)
		rc = put_figure(out, result_samples_find(entry, columns->figures.list[i]));
	for (size_t i = 0; i < columns->counters.count; i++) {
		const struct result_counter *counter =
			summary_counter(entry, columns->counters.list[i]);

		if (counter != NULL)
			put_number(out, counter->value);
		else
			put_empty(out, 1);
	}
	(void)putc('\n', out);
	return rc;
}

int format_csv(const struct report *report, FILE *out)
{
	bool is_load = report->inputs[0].result->kind == RESULT_LOAD;
	struct columns *columns = calloc(1, sizeof(*columns));
	int rc = 0;

	if (columns == NULL)
		return -ENOMEM;
	subject_figures(report, &columns->figures);
	subject_phases(report, &columns->phases);
	subject_counters(report, &columns->counters);
	put_head(out, columns, is_load);
	for (size_t i = 0; i < report->input_count; i++) {
		const struct report_input *input = &report->inputs[i];

		for (size_t k = 0; rc == 0 && k < input->result->entry_count; k++)
			rc = put_entry(out, input, input->result->entries[k], columns, is_load);
	}
	free(columns);
	return rc;
}

static void put_interval(FILE *out, const struct result_interval *interval)
{
	put_number(out, interval->start_s);
	put_number(out, interval->length_s);
	put_count(out, interval->scheduled);
	put_count(out, interval->sent);
	put_count(out, interval->completed);
	put_count(out, interval->errors);
	if (interval->completed > 0) {
		put_count(out, interval->p50_ns);
		put_count(out, interval->p90_ns);
		put_count(out, interval->p99_ns);
		put_count(out, interval->max_ns);
	} else {
		put_empty(out, 4);
	}
	(void)putc('\n', out);
}

int format_csv_series(const struct report *report, FILE *out)
{
	(void)fputs("result,name,partial,start_s,length_s,scheduled,sent,completed,errors,"
		    "p50_ns,p90_ns,p99_ns,max_ns\n",
		out);
	for (size_t i = 0; i < report->input_count; i++) {
		const struct report_input *input = &report->inputs[i];

		for (size_t k = 0; k < input->result->entry_count; k++) {
			const struct result_entry *entry = input->result->entries[k];
			size_t count = entry->load != NULL ? entry->load->interval_count : 0;

			for (size_t m = 0; m < count; m++) {
				escape_put(out, ESCAPE_CSV, input->label);
				put_text(out, entry->name);
				put_partial(out, input->result);
				put_interval(out, &entry->load->intervals[m]);
			}
		}
	}
	return 0;
}
