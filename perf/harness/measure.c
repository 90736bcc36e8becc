// SPDX-License-Identifier: Apache-2.0
/* measure.c: see measure.h. */
#include "measure.h"

#include "watch.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define COUNTERS_MAX (CASE_COUNTERS_MAX + 8)
#define FIGURES_MAX  7

/* What is gathered about a case on its way into the result. */
struct gathering {
	struct result *result;
	struct result_entry *entry;
	struct result_samples *samples;  /* room for FIGURES_MAX */
	struct result_counter *counters; /* room for COUNTERS_MAX */
	double turns;                    /* of all threads and samples */
	double switches;
	double own[CASE_COUNTERS_MAX];
};

static void add_counter(
	struct gathering *gathering, const char *name, const char *unit, double value)
{
	gathering->counters[gathering->entry->counter_count++] =
		(struct result_counter){ name, unit, value };
}

static int64_t sample_ns_of(const struct soon_bench_case *bench_case, const struct options *options)
{
	if (options->time_ns > 0)
		return options->time_ns / (int64_t)options->samples;
	return bench_case->def->sample_ns > 0 ? bench_case->def->sample_ns : OPTIONS_SAMPLE_NS;
}

/* Samples one after the other; wall and CPU time of a turn go to the two arrays. */
static int take_samples(struct soon_bench_case *bench_case, unsigned count,
	const volatile sig_atomic_t *stop, struct gathering *gathering, double *wall, double *cpu)
{
	for (unsigned i = 0; i < count; i++) {
		struct sample sample = { 0 };
		int rc = *stop ? -EINTR : sample_take(bench_case, bench_case->turns, &sample);
		double turns = (double)sample.turns;

		if (rc < 0)
			return rc;
		wall[i] = (double)sample.wall_ns / turns;
		cpu[i] = (double)sample.cpu_ns / turns;
		gathering->turns += turns * bench_case->threads;
		gathering->switches += (double)sample.switches;
		for (unsigned k = 0; k < CASE_COUNTERS_MAX; k++)
			gathering->own[k] += sample.counters[k];
	}
	return 0;
}

/* A figure with the values of this process. They are the result's. */
static int add_figure(struct gathering *gathering, const char *name, const char *unit,
	const double *values, size_t count, bool is_count)
{
	struct result_run *run = result_alloc(gathering->result, 1, sizeof(*run));

	if (run == NULL)
		return -ENOMEM;
	*run = (struct result_run){ values, count };
	gathering->samples[gathering->entry->sample_count++] =
		(struct result_samples){ name, unit, RESULT_BETTER_LESS, run, 1, is_count };
	return 0;
}

/* What is told as a counter and can be compared, the less the better. */
static int add_count(
	struct gathering *gathering, const char *name, const char *unit, double per_turn)
{
	double *value = result_alloc(gathering->result, 1, sizeof(*value));

	if (value == NULL)
		return -ENOMEM;
	/* What other threads free meanwhile may leave less than nothing. */
	*value = per_turn > 0 ? per_turn : 0;
	add_counter(gathering, name, unit, per_turn);
	return add_figure(gathering, name, unit, value, 1, true);
}

static int add_allocations(
	struct gathering *gathering, const struct probe_counts *counts, double turns)
{
	int rc = add_count(gathering, MEASURE_ALLOCATIONS, "", (double)counts->allocations / turns);

	if (rc == 0)
		rc = add_count(
			gathering, MEASURE_ALLOCATED, "B", (double)counts->allocated_bytes / turns);
	if (rc == 0)
		rc = add_count(gathering, MEASURE_FREED, "B", (double)counts->freed_bytes / turns);
	return rc;
}

/* One more sample, which counts instead of being timed. */
static int add_self_counts(struct soon_bench_case *bench_case, struct gathering *gathering)
{
	bool has_allocations = probe_allocations_missing() == NULL;
	bool has_instructions = probe_instructions_missing() == NULL;
	struct sample sample;
	double turns;
	int rc;

	if (!has_allocations && !has_instructions)
		return 0;
	bench_case->how = PROBE_SELF;
	rc = sample_take(bench_case, bench_case->turns, &sample);
	bench_case->how = PROBE_NOTHING;
	if (rc < 0)
		return rc;
	turns = (double)sample.turns * bench_case->threads;
	if (has_allocations)
		rc = add_allocations(gathering, &sample.counts, turns);
	if (rc == 0 && has_instructions)
		rc = add_count(gathering, MEASURE_INSTRUCTIONS, "",
			(double)sample.counts.instructions / turns);
	return rc;
}

static int add_watched_counts(struct soon_bench_case *bench_case, const struct options *options,
	struct gathering *gathering)
{
	struct watch_result watched = { 0 };
	int rc = 0;

	if (watch_syscalls(bench_case, options->threads, &watched) == 0)
		rc = add_count(gathering, MEASURE_SYSTEM_CALLS, "", watched.per_turn);
	if (rc == 0 && probe_instructions_missing() != NULL &&
		watch_instructions(bench_case, options->threads, &watched) == 0)
		rc = add_count(gathering, MEASURE_INSTRUCTIONS, "", watched.per_turn);
	return rc;
}

static void add_counters(struct soon_bench_case *bench_case, struct gathering *gathering)
{
	if (bench_case->bytes_per_turn > 0)
		add_counter(gathering, MEASURE_BYTES, "B", (double)bench_case->bytes_per_turn);
	if (bench_case->items_per_turn > 0)
		add_counter(gathering, MEASURE_ITEMS, "", (double)bench_case->items_per_turn);
	add_counter(gathering, "switches", "", gathering->switches / gathering->turns);
	for (unsigned i = 0; i < CASE_COUNTERS_MAX && bench_case->counter_names[i] != NULL; i++)
		add_counter(gathering, bench_case->counter_names[i], "",
			gathering->own[i] / gathering->turns);
}

static int gather(struct soon_bench_case *bench_case, const struct options *options,
	const volatile sig_atomic_t *stop, struct gathering *gathering)
{
	double *wall = result_alloc(gathering->result, options->samples, sizeof(*wall));
	double *cpu = result_alloc(gathering->result, options->samples, sizeof(*cpu));
	int rc;

	gathering->counters =
		result_alloc(gathering->result, COUNTERS_MAX, sizeof(*gathering->counters));
	gathering->samples =
		result_alloc(gathering->result, FIGURES_MAX, sizeof(*gathering->samples));
	if (wall == NULL || cpu == NULL || gathering->counters == NULL ||
		gathering->samples == NULL)
		return -ENOMEM;
	gathering->entry->counters = gathering->counters;
	gathering->entry->samples = gathering->samples;
	rc = sample_calibrate(
		bench_case, sample_ns_of(bench_case, options), options->warmup_ns, stop);
	if (rc == 0)
		rc = take_samples(bench_case, options->samples, stop, gathering, wall, cpu);
	if (rc == 0)
		rc = add_figure(gathering, MEASURE_WALL, "ns", wall, options->samples, false);
	if (rc == 0)
		rc = add_figure(gathering, MEASURE_CPU, "ns", cpu, options->samples, false);
	if (rc < 0)
		return rc;
	gathering->entry->turns = bench_case->turns;
	add_counters(bench_case, gathering);
	rc = add_self_counts(bench_case, gathering);
	if (rc == 0 && options->has_counters)
		rc = add_watched_counts(bench_case, options, gathering);
	return rc;
}

static int describe(const struct soon_bench_case *bench_case, struct gathering *gathering)
{
	const soon_bench_def *def = bench_case->def;
	struct result *result = gathering->result;
	struct result_entry *entry = result_entry_add(result, bench_case->name);

	if (entry == NULL)
		return -ENOMEM;
	gathering->entry = entry;
	entry->group = result_text(result, "%s", def->name);
	entry->param_name =
		result_text(result, "%s", def->param_name != NULL ? def->param_name : "");
	if (entry->group == NULL || entry->param_name == NULL) {
		result->entry_count--;
		return -ENOMEM;
	}
	entry->has_param = bench_case->has_param;
	entry->param = bench_case->param;
	entry->threads = bench_case->threads;
	return 0;
}

int measure_case(struct soon_bench_case *bench_case, const struct options *options,
	const volatile sig_atomic_t *stop, struct result *result)
{
	struct gathering gathering = { .result = result };
	int rc = describe(bench_case, &gathering);

	if (rc < 0)
		return rc;
	rc = gather(bench_case, options, stop, &gathering);
	if (rc == -ECANCELED) {
		gathering.entry->state =
			bench_case->state == CASE_SKIPPED ? RESULT_SKIPPED : RESULT_FAILED;
		gathering.entry->message = result_text(result, "%s", bench_case->message);
		rc = gathering.entry->message != NULL ? 0 : -ENOMEM;
		gathering.entry->sample_count = 0;
		gathering.entry->counter_count = 0;
	}
	if (rc < 0)
		result->entry_count--;
	if (*bench_case->io != '\0')
		result->environment.io = bench_case->io;
	return rc;
}
