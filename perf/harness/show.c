// SPDX-License-Identifier: Apache-2.0
/* show.c: see show.h. */
#include "show.h"

#include "fit.h"
#include "measure.h"
#include "stats.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define WIDTH_MIN      24
#define CONFIDENCE     0.95
#define HALVES_MIN     6 /* samples, below which two halves of them say nothing */
#define BUSY_LOAD      0.5
#define FIT_POINTS_MAX 32 /* SOON_BENCH_PARAMS_MAX */

const char *show_amount(double amount, const char *unit, char text[SHOW_NUMBER_BYTES])
{
	static const char *const prefixes[] = { "", "k", "M", "G", "T", "P" };
	unsigned prefix = 0;
	int digits;

	while (fabs(amount) >= 999.5 && prefix + 1 < sizeof(prefixes) / sizeof(prefixes[0])) {
		amount /= 1000;
		prefix++;
	}
	digits = fabs(amount) < 9.995 ? 2 : fabs(amount) < 99.95 ? 1 : 0;
	(void)snprintf(text, SHOW_NUMBER_BYTES, "%.*f%s%s%s", digits, amount,
		*unit != '\0' || prefix > 0 ? " " : "", prefixes[prefix], unit);
	return text;
}

const char *show_time(double ns, char text[SHOW_NUMBER_BYTES])
{
	static const char *const units[] = { "ns", "us", "ms", "s" };
	unsigned unit = 0;
	int digits;

	while (ns >= 999.5 && unit + 1 < sizeof(units) / sizeof(units[0])) {
		ns /= 1000;
		unit++;
	}
	digits = ns < 0.0995 ? 4 : ns < 0.995 ? 3 : ns < 9.995 ? 2 : ns < 99.95 ? 1 : 0;
	(void)snprintf(text, SHOW_NUMBER_BYTES, "%.*f %s", digits, ns, units[unit]);
	return text;
}

const char *show_figure(double value, const char *unit, char text[SHOW_NUMBER_BYTES])
{
	return strcmp(unit, "ns") == 0 ? show_time(value, text) : show_amount(value, unit, text);
}

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

/* The values of all runs, as the caller's to sort and free; NULL: none, or no memory. */
static double *all_values(const struct result_samples *samples, size_t *ret_count)
{
	size_t count = 0;
	double *values;

	for (size_t i = 0; samples != NULL && i < samples->run_count; i++)
		count += samples->runs[i].count;
	values = count > 0 ? malloc(count * sizeof(*values)) : NULL;
	*ret_count = 0;
	for (size_t i = 0; values != NULL && i < samples->run_count; i++) {
		if (samples->runs[i].count == 0)
			continue;
		memcpy(values + *ret_count, samples->runs[i].values,
			samples->runs[i].count * sizeof(*values));
		*ret_count += samples->runs[i].count;
	}
	return values;
}

/*
 * The A/A figure: the samples in turns as if they were of two programs, and how far the medians of
 * the two are apart. Below 0: there are too few.
 */
static double halves_apart(const double *values, size_t count)
{
	double *halves = count >= HALVES_MIN ? malloc(count * sizeof(*halves)) : NULL;
	size_t first = (count + 1) / 2;
	double apart;

	if (halves == NULL)
		return -1;
	for (size_t i = 0; i < count; i++)
		halves[i % 2 == 0 ? i / 2 : first + i / 2] = values[i];
	apart = fabs(stats_median(halves + first, count - first) / stats_median(halves, first) - 1);
	free(halves);
	return apart;
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
	char text[SHOW_NUMBER_BYTES];

	if (bytes != NULL)
		(void)fprintf(out, "  %s/s", show_amount(bytes->value * turns, "B", text));
	if (items != NULL)
		(void)fprintf(out, "  %s items/s", show_amount(items->value * turns, "", text));
	for (size_t i = 0; i < entry->counter_count; i++) {
		const struct result_counter *counter = &entry->counters[i];

		if (counter == bytes || counter == items || fabs(counter->value) < 0.0005)
			continue;
		(void)fprintf(out, "  %s %s", counter->name,
			show_amount(counter->value, counter->unit, text));
	}
}

void show_entry(FILE *out, int width, const struct result_entry *entry)
{
	char text[SHOW_NUMBER_BYTES];
	struct stats_interval wall = { 0 };
	size_t count, cpu_count;
	double *values = all_values(result_samples_find(entry, MEASURE_WALL), &count);
	double *cpu = all_values(result_samples_find(entry, MEASURE_CPU), &cpu_count);
	double apart;

	(void)fprintf(out, "%-*s", width, entry->name);
	if (entry->state != RESULT_OK || values == NULL || cpu == NULL ||
		stats_median_interval(values, count, CONFIDENCE, 1, &wall) < 0) {
		(void)fprintf(out, " %s: %s\n",
			entry->state == RESULT_SKIPPED ? "skipped" : "FAILED", entry->message);
	} else {
		apart = halves_apart(values, count);
		(void)fprintf(out, " %10s", show_time(wall.value, text));
		(void)fprintf(out, " %6.1f %%",
			wall.value > 0 ? 50 * (wall.high - wall.low) / wall.value : 0);
		(void)fprintf(out, " %10s", show_time(stats_median(cpu, cpu_count), text));
		if (apart < 0)
			(void)fprintf(out, " %7s", "-");
		else
			(void)fprintf(out, " %5.1f %%", 100 * apart);
		show_counters(out, entry, wall.value);
		(void)fputs("\n", out);
	}
	free(values);
	free(cpu);
}

/* The entries of one group, from its first one on. */
static void show_fit(FILE *out, const struct result *result, size_t first)
{
	const struct result_entry *head = result->entries[first];
	double params[FIT_POINTS_MAX], times[FIT_POINTS_MAX];
	char text[SHOW_NUMBER_BYTES];
	size_t count = 0;
	struct fit fit;

	for (size_t i = first; i < result->entry_count && count < FIT_POINTS_MAX; i++) {
		const struct result_entry *entry = result->entries[i];
		size_t value_count;
		double *values;

		if (!entry->has_param || strcmp(entry->group, head->group) != 0)
			continue;
		values = all_values(result_samples_find(entry, MEASURE_WALL), &value_count);
		if (values == NULL)
			continue;
		params[count] = (double)entry->param;
		times[count++] = stats_median(values, value_count);
		free(values);
	}
	if (fit_find(params, times, count, &fit) < 0)
		return;
	(void)fprintf(out, "%s grows as %s: %s of it, off by %.1f %%\n", head->group, fit.growth,
		show_time(fit.factor, text), 100 * fit.error);
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
