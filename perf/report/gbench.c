// SPDX-License-Identifier: Apache-2.0
/*
 * gbench.c: what Google Benchmark writes with --benchmark_out_format=json, for the tools that read
 * it. Each sample is a repetition; mean, median, stddev and cv follow as aggregates. A load is one
 * "iteration" whose times are the means of its total latency; its percentiles are counters.
 */
#include "formats.h"
#include "subject.h"
#include "summary.h"
#include "warning.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

struct gbench {
	FILE *out;
	const struct report *report;
	bool has_run; /* one is written, the next needs a comma */
	unsigned warning_count;
};

/* What identifies the runs of one entry. */
struct family {
	const struct subject *subject;
	unsigned index;
	size_t repetitions;
};

static void put_string(FILE *out, const char *key, const char *value)
{
	(void)fprintf(out, "\"%s\": \"", key);
	escape_put(out, ESCAPE_JSON, value);
	(void)fputs("\"", out);
}

static void put_number(FILE *out, const char *key, double value)
{
	/* JSON has no others, and a result has none either. */
	(void)fprintf(out, ",\n      \"%s\": %.16e", key, isfinite(value) ? value : 0);
}

/* Where programs that use the library have what they say about a run: texts by name. */
static void put_warning(void *user, const char *title, const char *text)
{
	struct gbench *gbench = user;

	gbench->warning_count++;
	(void)fprintf(gbench->out, ",\n    \"warning_%u\": \"%s: ", gbench->warning_count, title);
	escape_put(gbench->out, ESCAPE_JSON, text);
	(void)fputs("\"", gbench->out);
}

static int put_context(struct gbench *gbench, const struct subjects *subjects)
{
	const struct result_environment *environment =
		&gbench->report->inputs[0].result->environment;
	FILE *out = gbench->out;
	int rc;

	(void)fputs("{\n  \"context\": {\n    ", out);
	put_string(out, "date", environment->started);
	(void)fputs(",\n    ", out);
	put_string(out, "host_name", environment->kernel);
	(void)fputs(",\n    ", out);
	put_string(out, "executable", environment->command);
	(void)fprintf(out,
		",\n    \"num_cpus\": %" PRIu64 ",\n    \"mhz_per_cpu\": 0,\n    "
		"\"cpu_scaling_enabled\": false,\n    \"caches\": [],\n    "
		"\"load_avg\": [%g, %g, %g],\n    ",
		environment->cpu_count, environment->load_average[0], environment->load_average[1],
		environment->load_average[2]);
	put_string(out, "cpu_model", environment->cpu_model);
	(void)fputs(",\n    ", out);
	put_string(out, "library_version", environment->soon_version);
	(void)fputs(",\n    \"library_build_type\": \"release\",\n"
		    "    \"json_schema_version\": 1",
		out);
	rc = warnings_find(gbench->report, subjects, put_warning, gbench);
	(void)fputs("\n  },\n  \"benchmarks\": [", out);
	return rc;
}

/* As far as an iteration and an aggregate are the same. */
static void begin_run(struct gbench *gbench, const struct family *family, const char *aggregate)
{
	FILE *out = gbench->out;
	char name[SUBJECT_NAME_BYTES + 16];

	(void)snprintf(name, sizeof(name), "%s%s%s", family->subject->name,
		*aggregate != '\0' ? "_" : "", aggregate);
	(void)fputs(gbench->has_run ? ",\n    {\n      " : "\n    {\n      ", out);
	gbench->has_run = true;
	put_string(out, "name", name);
	(void)fprintf(out,
		",\n      \"family_index\": %u,\n      \"per_family_instance_index\": 0,\n      ",
		family->index);
	put_string(out, "run_name", family->subject->name);
	(void)fprintf(out,
		",\n      \"run_type\": \"%s\",\n      \"repetitions\": %zu,\n      \"threads\": "
		"%" PRIu64,
		*aggregate != '\0' ? "aggregate" : "iteration", family->repetitions,
		family->subject->entry->threads);
}

static void put_times(
	struct gbench *gbench, uint64_t iterations, double wall, double cpu, const char *unit)
{
	(void)fprintf(gbench->out, ",\n      \"iterations\": %" PRIu64, iterations);
	put_number(gbench->out, "real_time", wall);
	put_number(gbench->out, "cpu_time", cpu);
	(void)fprintf(gbench->out, ",\n      \"time_unit\": \"%s\"", unit);
}

static void end_run(struct gbench *gbench)
{
	(void)fputs("\n    }", gbench->out);
}

/* Counters stand beside the keys above, so that they may not be called the same. */
static bool is_taken(const char *name)
{
	static const char *const taken[] = { "name", "family_index", "per_family_instance_index",
		"run_name", "run_type", "repetitions", "repetition_index", "threads", "iterations",
		"real_time", "cpu_time", "time_unit", "aggregate_name", "aggregate_unit", "label",
		"error_occurred", "error_message", "bytes_per_second", "items_per_second", "p50",
		"p90", "p99", "p99.9", "max", "errors" };

	for (unsigned i = 0; i < sizeof(taken) / sizeof(taken[0]); i++) {
		if (strcmp(taken[i], name) == 0)
			return true;
	}
	return false;
}

static void put_counters(struct gbench *gbench, const struct result_entry *entry)
{
	for (size_t i = 0; i < entry->counter_count; i++) {
		const struct result_counter *counter = &entry->counters[i];

		if (summary_counter(entry, counter->name) != counter)
			continue;
		(void)fputs(",\n      \"", gbench->out);
		escape_put(gbench->out, ESCAPE_JSON, counter->name);
		(void)fprintf(gbench->out, "%s\": %.16e", is_taken(counter->name) ? "_" : "",
			isfinite(counter->value) ? counter->value : 0);
	}
}

static void put_rates(struct gbench *gbench, const struct result_entry *entry, double wall)
{
	const struct result_counter *bytes = summary_counter(entry, NAME_BYTES);
	const struct result_counter *items = summary_counter(entry, NAME_ITEMS);
	double turns = wall > 0 ? 1e9 / wall * (double)entry->threads : 0;

	if (bytes != NULL)
		put_number(gbench->out, "bytes_per_second", bytes->value * turns);
	if (items != NULL)
		put_number(gbench->out, "items_per_second", items->value * turns);
}

/* All values of a figure in the order they were taken; owned by the caller. */
static int values_of(const struct result_samples *samples, double **ret_values, size_t *ret_count)
{
	size_t count = 0;
	double *values;

	for (size_t i = 0; samples != NULL && i < samples->run_count; i++)
		count += samples->runs[i].count;
	values = calloc(count + 1, sizeof(*values));
	if (values == NULL)
		return -ENOMEM;
	*ret_values = values;
	*ret_count = count;
	for (size_t i = 0; samples != NULL && i < samples->run_count; i++) {
		for (size_t k = 0; k < samples->runs[i].count; k++)
			*values++ = samples->runs[i].values[k];
	}
	return 0;
}

static void put_aggregate(struct gbench *gbench, const struct family *family, const char *name,
	double wall, double cpu)
{
	bool is_share = strcmp(name, "cv") == 0;

	begin_run(gbench, family, name);
	(void)fprintf(gbench->out, ",\n      \"aggregate_name\": \"%s\"", name);
	(void)fprintf(gbench->out, ",\n      \"aggregate_unit\": \"%s\"",
		is_share ? "percentage" : "time");
	put_times(gbench, family->repetitions, wall, cpu, "ns");
	end_run(gbench);
}

static int put_aggregates(struct gbench *gbench, const struct family *family)
{
	const struct result_entry *entry = family->subject->entry;
	struct summary wall = { 0 }, cpu = { 0 };
	int rc = summary_make(result_samples_find(entry, NAME_WALL), &wall);

	if (rc == 0)
		rc = summary_make(result_samples_find(entry, NAME_CPU), &cpu);
	if (rc < 0 || wall.count < 2)
		return rc;
	put_aggregate(gbench, family, "mean", wall.mean, cpu.mean);
	put_aggregate(gbench, family, "median", wall.median, cpu.median);
	put_aggregate(gbench, family, "stddev", wall.deviation, cpu.deviation);
	put_aggregate(gbench, family, "cv", wall.mean > 0 ? wall.deviation / wall.mean : 0,
		cpu.mean > 0 ? cpu.deviation / cpu.mean : 0);
	return 0;
}

static int put_benchmark(struct gbench *gbench, struct family *family)
{
	const struct result_entry *entry = family->subject->entry;
	double *wall = NULL, *cpu = NULL;
	size_t count, cpu_count;
	int rc = values_of(result_samples_find(entry, NAME_WALL), &wall, &count);

	if (rc == 0)
		rc = values_of(result_samples_find(entry, NAME_CPU), &cpu, &cpu_count);
	family->repetitions = rc == 0 ? count : 0;
	for (size_t i = 0; i < family->repetitions; i++) {
		begin_run(gbench, family, "");
		(void)fprintf(gbench->out, ",\n      \"repetition_index\": %zu", i);
		put_times(gbench, entry->turns, wall[i], i < cpu_count ? cpu[i] : 0, "ns");
		put_rates(gbench, entry, wall[i]);
		put_counters(gbench, entry);
		end_run(gbench);
	}
	free(wall);
	free(cpu);
	return rc < 0 ? rc : put_aggregates(gbench, family);
}

static void put_load(struct gbench *gbench, struct family *family)
{
	const struct result_load *load = family->subject->entry->load;
	const struct result_phase *total = summary_phase(load, RESULT_PHASE_TOTAL);
	double length = load->length_s > 0 ? load->length_s : 1;
	uint64_t errors = summary_errors(load);

	family->repetitions = 1;
	begin_run(gbench, family, "");
	(void)fputs(",\n      \"repetition_index\": 0", gbench->out);
	put_times(
		gbench, load->completed, total != NULL ? soon_hist_mean(total->hist) : 0, 0, "ns");
	put_number(gbench->out, "items_per_second", (double)load->completed / length);
	put_number(gbench->out, "bytes_per_second", (double)load->bytes_received / length);
	put_number(gbench->out, "errors", (double)errors);
	if (total != NULL) {
		put_number(gbench->out, "p50", summary_quantile(total->hist, 0.5));
		put_number(gbench->out, "p90", summary_quantile(total->hist, 0.9));
		put_number(gbench->out, "p99", summary_quantile(total->hist, 0.99));
		put_number(gbench->out, "p99.9", summary_quantile(total->hist, 0.999));
		put_number(gbench->out, "max", summary_greatest(total->hist));
	}
	put_counters(gbench, family->subject->entry);
	end_run(gbench);
}

/* Entries that were skipped or failed, as Google Benchmark's are: there, and without times. */
static void put_failures(struct gbench *gbench, unsigned index)
{
	for (size_t i = 0; i < gbench->report->input_count; i++) {
		const struct result *result = gbench->report->inputs[i].result;

		for (size_t k = 0; k < result->entry_count; k++) {
			const struct result_entry *entry = result->entries[k];
			struct subject subject = { .entry = entry };
			struct family family = { &subject, index, 1 };

			if (entry->state == RESULT_OK)
				continue;
			(void)snprintf(subject.name, sizeof(subject.name), "%.120s", entry->name);
			begin_run(gbench, &family, "");
			(void)fputs(",\n      \"repetition_index\": 0,\n"
				    "      \"error_occurred\": true,\n      ",
				gbench->out);
			put_string(gbench->out, "error_message", entry->message);
			put_times(gbench, 0, 0, 0, "ns");
			end_run(gbench);
			index++;
		}
	}
}

int format_gbench(const struct report *report, FILE *out)
{
	struct gbench gbench = { .out = out, .report = report };
	struct subjects subjects;
	int rc = subjects_make(report, &subjects);

	if (rc < 0)
		return rc;
	rc = put_context(&gbench, &subjects);
	for (size_t i = 0; rc == 0 && i < subjects.count; i++) {
		struct family family = { .subject = &subjects.list[i], .index = (unsigned)i };

		if (subjects.list[i].entry->load != NULL)
			put_load(&gbench, &family);
		else
			rc = put_benchmark(&gbench, &family);
	}
	put_failures(&gbench, (unsigned)subjects.count);
	(void)fputs("\n  ]\n}\n", out);
	subjects_free(&subjects);
	return rc;
}
