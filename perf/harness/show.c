// SPDX-License-Identifier: Apache-2.0
/* show.c: see show.h. */
#include "show.h"

#include "fit.h"
#include "measure.h"
#include "number.h"
#include "summary.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

#define WIDTH_MIN      24
#define BUSY_LOAD      0.5
#define FIT_POINTS_MAX 32 /* SOON_BENCH_PARAMS_MAX */

int show_width(const struct result *result)
{
	size_t width = WIDTH_MIN;

	for (size_t i = 0; i < result->entry_count; i++) {
		size_t length = strlen(result->entries[i]->name);

		width = length > width ? length : width;
	}
	return (int)width;
}

void show_environment(FILE *out, const struct result_environment *environment)
{
	double busy = environment->load_average[0];

	(void)fprintf(out, "%s, %s, %" PRIu64 " CPUs", environment->kernel, environment->cpu_model,
		environment->cpu_count);
	if (environment->quota_cpus > 0)
		(void)fprintf(out, " of which %.2g may be used", environment->quota_cpus);
	(void)fprintf(out, ", clock %s, load %.2f\n", environment->clock, busy);
	if (busy > BUSY_LOAD)
		(void)fprintf(out,
			"note: the machine is busy (load average %.2f): the figures are of the "
			"company, too\n",
			busy);
}

void show_head(FILE *out, int width)
{
	(void)fprintf(out, "%-*s %10s %8s %10s %7s  %s\n", width, "benchmark", "time", "+-", "cpu",
		"A/A", "a turn, besides");
}

static const struct result_counter *find_counter(const struct result_entry *entry, const char *name)
{
	for (size_t i = 0; i < entry->counter_count; i++) {
		if (strcmp(entry->counters[i].name, name) == 0)
			return &entry->counters[i];
	}
	return NULL;
}

/* Rates of bytes and items by all threads, and what else was counted and is not nothing. */
static void show_counters(FILE *out, const struct result_entry *entry, double wall_ns)
{
	const struct result_counter *bytes = find_counter(entry, MEASURE_BYTES);
	const struct result_counter *items = find_counter(entry, MEASURE_ITEMS);
	double turns = wall_ns > 0 ? 1e9 / wall_ns * (double)entry->threads : 0;
	char text[NUMBER_BYTES];

	if (bytes != NULL)
		(void)fprintf(out, "  %s/s", number_amount(bytes->value * turns, "B", text));
	if (items != NULL)
		(void)fprintf(out, "  %s items/s", number_amount(items->value * turns, "", text));
	for (size_t i = 0; i < entry->counter_count; i++) {
		const struct result_counter *counter = &entry->counters[i];

		if (counter == bytes || counter == items || fabs(counter->value) < 0.0005)
			continue;
		(void)fprintf(out, "  %s %s", counter->name,
			number_amount(counter->value, counter->unit, text));
	}
}

static void show_figures(FILE *out, const struct summary *wall, const struct summary *cpu)
{
	char text[NUMBER_BYTES];

	(void)fprintf(out, " %10s", number_time(wall->median, text));
	(void)fprintf(out, " %6.1f %%", 100 * summary_spread(wall));
	(void)fprintf(out, " %10s", cpu->count > 0 ? number_time(cpu->median, text) : "-");
	if (wall->apart < 0)
		(void)fprintf(out, " %7s", "-");
	else
		(void)fprintf(out, " %5.1f %%", 100 * wall->apart);
}

void show_entry(FILE *out, int width, const struct result_entry *entry)
{
	struct summary wall = { 0 }, cpu = { 0 };
	int rc = summary_make(result_samples_find(entry, MEASURE_WALL), &wall);

	if (rc == 0)
		rc = summary_make(result_samples_find(entry, MEASURE_CPU), &cpu);
	(void)fprintf(out, "%-*s", width, entry->name);
	if (rc < 0) {
		(void)fprintf(out, " no memory\n");
	} else if (entry->state != RESULT_OK) {
		(void)fprintf(out, " %s: %s\n",
			entry->state == RESULT_SKIPPED ? "skipped" : "FAILED", entry->message);
	} else if (wall.count == 0) {
		(void)fprintf(out, " no samples\n");
	} else {
		show_figures(out, &wall, &cpu);
		show_counters(out, entry, wall.median);
		(void)fputs("\n", out);
	}
}

/* The entries of one group, from its first one on. */
static void show_fit(FILE *out, const struct result *result, size_t first)
{
	const struct result_entry *head = result->entries[first];
	double params[FIT_POINTS_MAX], times[FIT_POINTS_MAX];
	char text[NUMBER_BYTES];
	size_t count = 0;
	struct fit fit;

	for (size_t i = first; i < result->entry_count && count < FIT_POINTS_MAX; i++) {
		const struct result_entry *entry = result->entries[i];
		struct summary wall;

		if (!entry->has_param || strcmp(entry->group, head->group) != 0)
			continue;
		if (summary_make(result_samples_find(entry, MEASURE_WALL), &wall) < 0 ||
			wall.count == 0)
			continue;
		params[count] = (double)entry->param;
		times[count++] = wall.median;
	}
	if (fit_find(params, times, count, &fit) < 0)
		return;
	(void)fprintf(out, "%s grows as %s: %s of it", head->group, fit.growth->name,
		number_time(fit.factor, text));
	if (fit.base > 0)
		(void)fprintf(out, " and %s in any case", number_time(fit.base, text));
	(void)fprintf(out, ", off by %.1f %%\n", 100 * fit.error);
}

void show_fits(FILE *out, const struct result *result)
{
	for (size_t i = 0; i < result->entry_count; i++) {
		bool is_first = result->entries[i]->has_param;

		for (size_t k = 0; is_first && k < i; k++)
			is_first =
				strcmp(result->entries[i]->group, result->entries[k]->group) != 0;
		if (is_first)
			show_fit(out, result, i);
	}
}
