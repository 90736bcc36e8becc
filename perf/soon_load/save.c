// SPDX-License-Identifier: Apache-2.0
#include "save.h"

#include "../harness/summary.h"

#include <string.h>

#define PHASES (PHASE_COUNT + 1) /* and the lag */

static const char *const phase_names[PHASES] = {
	[PHASE_TOTAL] = RESULT_PHASE_TOTAL,
	[PHASE_FIRST] = "first byte",
	[PHASE_CONNECT] = "connect",
	[PHASE_TLS] = "tls",
	[PHASE_COUNT] = RESULT_PHASE_LAG,
};

/* What has no place of its own in a result. */
static const char *const counter_names[] = { "good", "unfinished", "never sent", "opened" };

#define COUNTERS (sizeof counter_names / sizeof counter_names[0])

static soon_hist **hist_at(struct tally *tally, unsigned place)
{
	return place < PHASE_COUNT ? &tally->phases[place] : &tally->lag;
}

static uint64_t *counter_at(struct tally *tally, unsigned place)
{
	uint64_t *const counters[COUNTERS] = { &tally->good, &tally->unfinished, &tally->unsent,
		&tally->opened };

	return counters[place];
}

static int put_counters(struct result *result, struct result_entry *entry, struct tally *tally)
{
	struct result_counter *counters = result_alloc(result, COUNTERS + 1, sizeof *counters);

	if (counters == NULL)
		return -ENOMEM;
	for (unsigned i = 0; i < COUNTERS; i++)
		counters[i] = (struct result_counter){
			.name = counter_names[i],
			.unit = "",
			.value = (double)*counter_at(tally, i),
		};
	counters[COUNTERS] = (struct result_counter){ RESULT_COUNTER_BUSY, "", tally->busy };
	entry->counters = counters;
	entry->counter_count = COUNTERS + 1;
	return 0;
}

/* The figures that two results are compared by, each measured once. */
static int put_samples(struct result *result, struct result_entry *entry, const struct tally *tally)
{
	static const struct {
		const char *name;
		double share;
	} shares[] = { { "p50", 0.5 }, { "p90", 0.9 }, { "p99", 0.99 }, { "p99.9", 0.999 } };
	const size_t count = 1 + sizeof shares / sizeof shares[0];
	struct result_samples *samples = result_alloc(result, count, sizeof *samples);
	struct result_run *runs = result_alloc(result, count, sizeof *runs);
	double *values = result_alloc(result, count, sizeof *values);

	if (samples == NULL || runs == NULL || values == NULL)
		return -ENOMEM;
	for (size_t i = 0; i < count; i++) {
		values[i] = i == 0
			? tally_rate(tally, tally->completed)
			: summary_quantile(tally->phases[PHASE_TOTAL], shares[i - 1].share);
		runs[i] = (struct result_run){ &values[i], 1 };
		samples[i] = (struct result_samples){
			.name = i == 0 ? "rate" : shares[i - 1].name,
			.unit = i == 0 ? "1/s" : "ns",
			.better = i == 0 ? RESULT_BETTER_MORE : RESULT_BETTER_LESS,
			.runs = &runs[i],
			.run_count = 1,
		};
	}
	entry->samples = samples;
	/* Without a reply there is no latency to compare. */
	entry->sample_count = tally->good > 0 ? count : 1;
	return 0;
}

static int put_errors(struct result *result, struct result_load *load, const struct tally *tally)
{
	struct result_errors *errors = result_alloc(result, FAULT_COUNT, sizeof *errors);

	if (errors == NULL)
		return -ENOMEM;
	load->errors = errors;
	for (unsigned i = 0; i < FAULT_COUNT; i++) {
		if (tally->failed[i] == 0)
			continue;
		errors[load->error_count] = (struct result_errors){
			.kind = fault_name((enum fault)i),
			.count = tally->failed[i],
			.example = result_text(result, "%s", tally->messages[i]),
		};
		if (errors[load->error_count++].example == NULL)
			return -ENOMEM;
	}
	return 0;
}

static int put_intervals(struct result *result, struct result_load *load, const struct tally *tally)
{
	size_t count = tally->interval_count;
	struct result_interval *intervals;

	if (count == 0)
		return 0;
	intervals = result_alloc(result, count, sizeof *intervals);
	if (intervals == NULL)
		return -ENOMEM;
	for (size_t i = 0; i < count; i++) {
		const struct tally_interval *from = &tally->intervals[i];
		soon_ns start = (soon_ns)i * tally->interval_ns;
		soon_ns left = tally->length_ns - start;

		intervals[i] = (struct result_interval){
			.start_s = (double)start / 1e9,
			.length_s = (double)(left > 0 && left < tally->interval_ns
						    ? left
						    : tally->interval_ns) /
				1e9,
			.completed = from->completed,
			.errors = from->failed,
			.scheduled = from->due,
			.sent = from->sent,
		};
		if (from->latency == NULL)
			continue;
		intervals[i].p50_ns = soon_hist_quantile(from->latency, 0.5);
		intervals[i].p90_ns = soon_hist_quantile(from->latency, 0.9);
		intervals[i].p99_ns = soon_hist_quantile(from->latency, 0.99);
		intervals[i].max_ns = soon_hist_greatest(from->latency);
	}
	load->intervals = intervals;
	load->interval_count = count;
	return 0;
}

static int put_phases(struct result *result, struct result_load *load, struct tally *tally)
{
	struct result_phase *phases = result_alloc(result, PHASES, sizeof *phases);

	if (phases == NULL)
		return -ENOMEM;
	for (unsigned i = 0; i < PHASES; i++) {
		soon_hist **hist = hist_at(tally, i);

		if (soon_hist_count(*hist) == 0)
			continue;
		phases[load->phase_count++] = (struct result_phase){ phase_names[i], *hist };
		*hist = NULL;
	}
	load->phases = phases;
	return 0;
}

int save_entry(
	struct result *result, const char *name, struct tally *tally, bool is_open, unsigned cores)
{
	struct result_entry *entry = result_entry_add(result, name);
	struct result_load *load = result_alloc(result, 1, sizeof *load);
	int rc;

	if (entry == NULL || load == NULL)
		return -ENOMEM;
	*load = (struct result_load){
		.length_s = (double)tally->length_ns / 1e9,
		.scheduled = is_open ? tally->due : 0,
		.sent = tally->sent,
		.completed = tally->completed,
		.bytes_sent = tally->bytes_sent,
		.bytes_received = tally->bytes_received,
	};
	entry->threads = cores;
	entry->load = load;
	rc = put_samples(result, entry, tally);
	if (rc == 0)
		rc = put_counters(result, entry, tally);
	if (rc == 0)
		rc = put_errors(result, load, tally);
	if (rc == 0)
		rc = put_intervals(result, load, tally);
	return rc == 0 ? put_phases(result, load, tally) : rc;
}

static int read_phases(const struct result_load *load, struct tally *tally)
{
	for (size_t i = 0; i < load->phase_count; i++)
		for (unsigned k = 0; k < PHASES; k++)
			if (strcmp(load->phases[i].name, phase_names[k]) == 0 &&
				soon_hist_merge(*hist_at(tally, k), load->phases[i].hist) < 0)
				return -EPROTO;
	return 0;
}

static void read_errors(const struct result_load *load, struct tally *tally)
{
	for (size_t i = 0; i < load->error_count; i++) {
		for (unsigned k = 0; k < FAULT_COUNT; k++) {
			enum fault fault = (enum fault)k;

			if (strcmp(load->errors[i].kind, fault_name(fault)) != 0)
				continue;
			tally->failed[k] += load->errors[i].count;
			if (load->errors[i].example[0] != '\0')
				tally_message(tally, fault, "%s", load->errors[i].example);
		}
	}
}

static void read_counters(const struct result_entry *entry, struct tally *tally)
{
	for (size_t i = 0; i < entry->counter_count; i++) {
		const struct result_counter *counter = &entry->counters[i];

		if (strcmp(counter->name, RESULT_COUNTER_BUSY) == 0 && counter->value > tally->busy)
			tally->busy = counter->value;
		for (unsigned k = 0; k < COUNTERS; k++)
			if (strcmp(counter->name, counter_names[k]) == 0 && counter->value >= 0)
				*counter_at(tally, k) += (uint64_t)counter->value;
	}
}

int save_read(const struct result_entry *entry, struct tally *tally)
{
	const struct result_load *load = entry->load;
	soon_ns length = (soon_ns)(load->length_s * 1e9);

	tally->due += load->scheduled;
	tally->sent += load->sent;
	tally->completed += load->completed;
	tally->bytes_sent += load->bytes_sent;
	tally->bytes_received += load->bytes_received;
	if (tally->length_ns < length)
		tally->length_ns = length;
	read_counters(entry, tally);
	read_errors(load, tally);
	return read_phases(load, tally);
}
