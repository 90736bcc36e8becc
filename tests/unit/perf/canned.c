// SPDX-License-Identifier: Apache-2.0
/* canned.c: see canned.h. Made with the generator of the statistics, so that runs do not differ. */
#include "canned.h"

#include "harness/stats.h"

#include <math.h>
#include <stdlib.h>

#define LOAD_SECONDS 12
#define INTERVAL_S   0.1
#define INTERVALS    120
#define RATE         20000
#define STALL_FIRST  70 /* intervals in which the server stalls */
#define STALL_LAST   73
#define SAMPLES      40

static double uniform(struct stats_random *random)
{
	return ((double)(stats_random_next(random) >> 11) + 0.5) / 9007199254740992.0;
}

static double normal(struct stats_random *random)
{
	double radius = sqrt(-2 * log(uniform(random)));

	return radius * cos(6.283185307179586 * uniform(random));
}

static soon_hist *make_hist(void)
{
	soon_hist *hist = NULL;

	return soon_hist_create(NULL, &hist) == 0 ? hist : NULL;
}

static void describe(struct result *result)
{
	result->environment = (struct result_environment){
		.kernel = "Linux 6.1.0-32-amd64 x86_64",
		.cpu_model = "AMD EPYC 7763 64-Core Processor",
		.cpu_count = 2,
		.clock = "tsc",
		.compiler = "gcc 12.2.0",
		.soon_version = "0.1.0",
		.io = "io_uring",
		.load_average = { 0.12, 0.2, 0.31 },
		.command = "soon-load --rate 20000 --connections 64 --seconds 12 "
			   "http://127.0.0.1:8080/hello",
		.started = "2026-11-29T09:30:00Z",
	};
}

static void fill_interval(struct result_interval *interval, unsigned index, double slower,
	struct stats_random *random)
{
	bool is_stalled = index >= STALL_FIRST && index <= STALL_LAST;
	bool is_late = index > STALL_LAST && index <= STALL_LAST + 3;
	double median = slower * 210e3 * (1 + 0.04 * normal(random) + 0.0008 * index);
	double scheduled = RATE * INTERVAL_S;
	double completed = is_stalled ? 0
		: is_late             ? 1.9 * scheduled
				      : scheduled - 20 * uniform(random);

	*interval = (struct result_interval){
		.start_s = index * INTERVAL_S,
		.length_s = INTERVAL_S,
		.completed = (uint64_t)completed,
		.errors = is_stalled ? 3 + index % 4 : 0,
		.p50_ns = (uint64_t)(is_late ? 150e6 : median),
		.p90_ns = (uint64_t)(is_late ? 300e6 : 2 * median),
		.p99_ns = (uint64_t)(is_late ? 410e6 : 4.2 * median * (1 + 0.1 * normal(random))),
		.max_ns = (uint64_t)(is_late ? 431e6 : 9e6 * (0.5 + uniform(random))),
		.scheduled = (uint64_t)scheduled,
		.sent = (uint64_t)(is_stalled ? 0.2 * scheduled : completed),
	};
	if (completed == 0)
		interval->p50_ns = interval->p90_ns = interval->p99_ns = interval->max_ns = 0;
}

static void record(struct result_load *load, struct result_phase *phases, double slower,
	struct stats_random *random)
{
	uint64_t count = load->completed;

	for (uint64_t i = 0; i < count; i++) {
		double first = slower * 180e3 * exp(0.45 * normal(random));
		/* One in a thousand waits for something, and some for the stall. */
		double wait = uniform(random) < 0.001 ? 2e6 + 7e6 * uniform(random) : 0;

		if (i % 400 < 2)
			wait = 430e6 * uniform(random);
		soon_hist_record(phases[1].hist, (uint64_t)first);
		soon_hist_record(phases[0].hist, (uint64_t)(1.12 * first + wait + 9e3));
	}
	for (unsigned i = 0; i < 64; i++)
		soon_hist_record(phases[2].hist, (uint64_t)(60e3 * exp(0.2 * normal(random))));
	for (unsigned i = 0; i < 5000; i++)
		soon_hist_record(phases[3].hist, (uint64_t)(9e3 * exp(0.6 * normal(random))));
}

static void fill_load(struct result *result, struct result_load *load, double slower)
{
	static const char *const names[] = { "total", "first byte", "connect", "lag" };
	static const struct result_errors errors[] = {
		{ "timeout", 14, "no reply within 200 ms from 127.0.0.1:8080" },
		{ "reset", 4, "127.0.0.1:8080: Connection reset by peer" },
	};
	struct result_interval *intervals = result_alloc(result, INTERVALS, sizeof(*intervals));
	struct result_phase *phases = result_alloc(result, 4, sizeof(*phases));
	struct stats_random random;

	stats_random_init(&random, 42);
	for (unsigned i = 0; i < 4; i++)
		phases[i] = (struct result_phase){ names[i], make_hist() };
	for (unsigned i = 0; i < INTERVALS; i++) {
		fill_interval(&intervals[i], i, slower, &random);
		load->scheduled += intervals[i].scheduled;
		load->sent += intervals[i].sent;
		load->completed += intervals[i].completed;
	}
	load->length_s = LOAD_SECONDS;
	load->bytes_sent = load->sent * 74;
	load->bytes_received = load->completed * 128;
	load->phases = phases;
	load->phase_count = 4;
	load->errors = errors;
	load->error_count = 2;
	load->intervals = intervals;
	load->interval_count = INTERVALS;
	record(load, phases, slower, &random);
}

struct result *canned_load(const char *name, const char *url, double slower)
{
	static const struct result_counter counters[] = { { "busy", "", 0.41 } };
	struct result *result = result_create(RESULT_LOAD);
	struct result_entry *entry = result_entry_add(result, url);
	struct result_load *load = result_alloc(result, 1, sizeof(*load));

	describe(result);
	result->name = name;
	fill_load(result, load, slower);
	entry->counters = counters;
	entry->counter_count = 1;
	entry->load = load;
	return result;
}

/* Samples around a time, with a tail, drifting a little; `noise` is their deviation as a share. */
static void add_samples(struct result *result, struct result_entry *entry, double ns, double noise,
	struct stats_random *random)
{
	struct result_samples *samples = result_alloc(result, 2, sizeof(*samples));
	struct result_run *runs = result_alloc(result, 2, sizeof(*runs));
	double *values = result_alloc(result, 2 * SAMPLES, sizeof(*values));

	for (unsigned i = 0; i < SAMPLES; i++) {
		double tail = uniform(random) < 0.08 ? 6 * noise * uniform(random) : 0;

		values[i] = ns * (1 + noise * normal(random) + tail + 0.0001 * i);
		values[SAMPLES + i] = 0.98 * values[i];
	}
	runs[0] = (struct result_run){ values, SAMPLES };
	runs[1] = (struct result_run){ values + SAMPLES, SAMPLES };
	samples[0] =
		(struct result_samples){ "wall", "ns", RESULT_BETTER_LESS, &runs[0], 1, false };
	samples[1] = (struct result_samples){ "cpu", "ns", RESULT_BETTER_LESS, &runs[1], 1, false };
	entry->samples = samples;
	entry->sample_count = 2;
	entry->turns = (uint64_t)(1e7 / ns) + 1;
}

static void add_sized(struct result *result, const char *group, int64_t param, double ns,
	struct stats_random *random)
{
	struct result_counter *counters = result_alloc(result, 2, sizeof(*counters));
	struct result_entry *entry =
		result_entry_add(result, result_text(result, "%s/%lld", group, (long long)param));

	entry->group = group;
	entry->has_param = true;
	entry->param = param;
	entry->param_name = "bytes";
	counters[0] = (struct result_counter){ "bytes", "B", (double)param };
	counters[1] = (struct result_counter){ "instructions", "", 12 + (double)param / 16 };
	entry->counters = counters;
	entry->counter_count = 2;
	add_samples(result, entry, ns, 0.012, random);
}

static struct result_entry *add_plain(struct result *result, const char *name, double ns,
	double noise, struct stats_random *random)
{
	static const struct result_counter counters[] = { { "allocations", "", 1 },
		{ "system_calls", "", 0.0625 } };
	struct result_entry *entry = result_entry_add(result, name);

	entry->counters = counters;
	entry->counter_count = 2;
	add_samples(result, entry, ns, noise, random);
	return entry;
}

struct result *canned_bench(const char *name, double slower)
{
	static const int64_t params[] = { 64, 256, 1024, 4096, 16384, 65536 };
	struct result *result = result_create(RESULT_BENCH);
	struct stats_random random;
	struct result_entry *entry;

	stats_random_init(&random, (uint64_t)(1000 * slower));
	describe(result);
	result->name = name;
	result->environment.command = "soon-bench --samples 40";
	for (unsigned i = 0; i < 6; i++)
		add_sized(result, "copy", params[i], slower * 0.031 * (double)params[i] + 0.2,
			&random);
	for (unsigned i = 0; i < 4; i++)
		add_sized(result, "sort", params[i],
			0.9 * (double)params[i] * log2((double)params[i]), &random);
	(void)add_plain(result, "list/append", 7.4 * slower, 0.01, &random);
	(void)add_plain(result, "map/find", 23.8, 0.09, &random);
	entry = add_plain(result, "channel/two threads", 5.2e3, 0.05, &random);
	entry->threads = 2;
	entry = result_entry_add(result, "numa/remote");
	entry->state = RESULT_SKIPPED;
	entry->message = "this machine has one node";
	entry = result_entry_add(result, "file/fsync");
	entry->state = RESULT_FAILED;
	entry->message = "the set-up said -ENOSPC: No space left on device";
	return result;
}

struct result *canned_hostile(enum result_kind kind)
{
	struct result *result = kind == RESULT_LOAD ? canned_load(CANNED_HOSTILE, CANNED_HOSTILE, 1)
						    : canned_bench(CANNED_HOSTILE, 1);
	struct result_environment *environment = &result->environment;

	environment->kernel = environment->cpu_model = environment->clock = CANNED_HOSTILE;
	environment->compiler = environment->soon_version = environment->io = CANNED_HOSTILE;
	environment->command = environment->started = CANNED_HOSTILE;
	result->is_partial = true;
	result->partial_reason = CANNED_HOSTILE;
	for (size_t i = 0; i < result->entry_count; i++) {
		struct result_entry *entry = result->entries[i];
		struct result_counter *counter = result_alloc(result, 1, sizeof(*counter));

		*counter = (struct result_counter){ CANNED_HOSTILE, CANNED_HOSTILE, 1 };
		entry->name = result_text(result, "%s%zu", CANNED_HOSTILE, i);
		entry->group = entry->param_name = entry->message = CANNED_HOSTILE;
		entry->counters = counter;
		entry->counter_count = 1;
		if (entry->load != NULL) {
			struct result_load *load = result_alloc(result, 1, sizeof(*load));
			struct result_errors *errors = result_alloc(result, 1, sizeof(*errors));

			*load = *entry->load;
			*errors = (struct result_errors){ CANNED_HOSTILE, 7, CANNED_HOSTILE };
			load->errors = errors;
			load->error_count = 1;
			entry->load = load;
		}
	}
	return result;
}

const struct report_comparison canned_comparisons[] = {
	{ "copy/64", "wall", "ns", 2.21, 2.29, 1.036, 1.021, 1.049, REPORT_SLOWER, "" },
	{ "copy/4096", "wall", "ns", 127.1, 131.2, 1.032, 1.024, 1.041, REPORT_SLOWER, "" },
	{ "list/append", "wall", "ns", 7.41, 6.98, 0.942, 0.935, 0.951, REPORT_FASTER, "" },
	{ "map/find", "wall", "ns", 23.8, 24.1, 1.013, 0.962, 1.071, REPORT_TOO_NOISY, "" },
	{ "sort/1024", "wall", "ns", 9216, 9221, 1.0005, 0.997, 1.004, REPORT_NO_CHANGE, "" },
	{ "file/fsync", "wall", "ns", 0, 0, 1, 1, 1, REPORT_IMPOSSIBLE, "it failed before" },
};
const size_t canned_comparison_count = sizeof(canned_comparisons) / sizeof(canned_comparisons[0]);

char *canned_report(const struct report *report, enum report_format format,
	struct result_error *error, int *ret_rc)
{
	char *text = NULL;
	size_t length;
	FILE *stream = open_memstream(&text, &length);

	error->text[0] = '\0';
	*ret_rc = report_write(report, format, stream, error);
	if (fclose(stream) == 0 && *ret_rc == 0)
		return text;
	free(text);
	return NULL;
}
