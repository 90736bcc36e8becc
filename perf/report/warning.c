// SPDX-License-Identifier: Apache-2.0
/* warning.c: see warning.h. Each bound is where a reader would begin to draw wrong conclusions. */
#include "warning.h"

#include "harness/number.h"
#include "summary.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define LAG_SHARE    0.99
#define LAG_LEAST_NS 1e6 /* a lag below that is not worth a word ... */
#define LAG_PART     0.1 /* ... nor one below that part of the latency */
#define BUSY_BOUND   0.9
#define UNSENT_BOUND 0.01
#define NOISE_BOUND  0.05
#define LOAD_BOUND   0.5 /* of other work, before the measurement */
#define NAMED_MAX    3

struct teller {
	warning_tell *tell;
	void *user;
	const struct subjects *subjects;
	char text[WARNING_BYTES];
};

static void tell(const struct teller *teller, const char *title)
{
	teller->tell(teller->user, title, teller->text);
}

static void tell_partial(struct teller *teller, const struct report *report)
{
	for (size_t i = 0; i < report->input_count; i++) {
		const struct result *result = report->inputs[i].result;
		bool has_label = report->input_count > 1;

		if (!result->is_partial)
			continue;
		(void)snprintf(teller->text, WARNING_BYTES,
			"%.100s%sIt ended before its time, or pieces are missing%s%.300s. "
			"Figures are of what there is.",
			has_label ? report->inputs[i].label : "", has_label ? ": " : "",
			*result->partial_reason != '\0' ? ": " : "", result->partial_reason);
		tell(teller, "Partial result");
	}
}

static void tell_failed(struct teller *teller, const struct report *report)
{
	for (size_t i = 0; i < report->input_count; i++) {
		const struct result *result = report->inputs[i].result;
		bool has_label = report->input_count > 1;

		for (size_t k = 0; k < result->entry_count; k++) {
			const struct result_entry *entry = result->entries[k];

			if (entry->state != RESULT_FAILED)
				continue;
			(void)snprintf(teller->text, WARNING_BYTES, "%.150s%s%.60s: %.350s",
				entry->name, has_label ? " \xc2\xb7 " : "",
				has_label ? report->inputs[i].label : "",
				*entry->message != '\0' ? entry->message : "no reason was given");
			tell(teller, "Failed");
		}
	}
}

static void tell_of_lag(struct teller *teller, const struct subject *subject)
{
	const struct result_phase *lag = summary_phase(subject->entry->load, RESULT_PHASE_LAG);
	const struct result_phase *total = summary_phase(subject->entry->load, RESULT_PHASE_TOTAL);
	char text[NUMBER_BYTES];
	double late;

	if (lag == NULL || total == NULL)
		return;
	late = summary_quantile(lag->hist, LAG_SHARE);
	if (late <= LAG_LEAST_NS || late <= LAG_PART * summary_quantile(total->hist, LAG_SHARE))
		return;
	(void)snprintf(teller->text, WARNING_BYTES,
		"%s: requests were sent late, by up to %s (p99), although a connection was free. "
		"Latencies contain that: they are the generator's, too.",
		subject->name, number_time(late, text));
	tell(teller, "The generator fell behind");
}

static void tell_of_load(struct teller *teller, const struct subject *subject)
{
	const struct result_load *load = subject->entry->load;
	const struct result_counter *busy = summary_counter(subject->entry, RESULT_COUNTER_BUSY);
	double missing = (double)load->scheduled - (double)load->sent;
	uint64_t errors = summary_errors(load);
	char text[NUMBER_BYTES], count[NUMBER_BYTES];

	tell_of_lag(teller, subject);
	if (busy != NULL && busy->value > BUSY_BOUND) {
		(void)snprintf(teller->text, WARNING_BYTES,
			"%s: a core of the generator was busy for %s of the time. Its own limits "
			"may be what was measured.",
			subject->name, number_share(busy->value, text));
		tell(teller, "The generator was busy");
	}
	if (load->scheduled > 0 && missing > UNSENT_BOUND * (double)load->scheduled) {
		(void)snprintf(teller->text, WARNING_BYTES,
			"%s: %s of what was scheduled was not sent in time: all connections were "
			"waiting for replies. The server is slower than the rate, or more "
			"connections are needed.",
			subject->name, number_share(missing / (double)load->scheduled, text));
		tell(teller, "Not all was sent");
	}
	if (errors > 0) {
		(void)snprintf(teller->text, WARNING_BYTES,
			"%s: %s requests failed (%s). Latencies are of those that did not.",
			subject->name, number_count(errors, count),
			number_share((double)errors / (double)(errors + load->completed), text));
		tell(teller, "Errors");
	}
	for (size_t i = 0; i < load->phase_count; i++) {
		uint64_t clipped = soon_hist_clipped(load->phases[i].hist);

		if (clipped == 0)
			continue;
		(void)snprintf(teller->text, WARNING_BYTES,
			"%s: %s values of '%.60s' were beyond the histogram. Percentiles near "
			"the end are too low; the greatest is exact.",
			subject->name, number_count(clipped, count), load->phases[i].name);
		tell(teller, "Clipped");
	}
}

/* One warning for all: a noisy machine makes each of them noisy. */
static int tell_noise(struct teller *teller)
{
	size_t noisy = 0, length = 0;

	teller->text[0] = '\0';
	for (size_t i = 0; i < teller->subjects->count; i++) {
		const struct subject *subject = &teller->subjects->list[i];
		struct summary summary;
		char text[NUMBER_BYTES];
		int rc = summary_make(result_samples_find(subject->entry, NAME_WALL), &summary);

		if (rc < 0)
			return rc;
		if (summary.apart <= NOISE_BOUND)
			continue;
		if (noisy++ < NAMED_MAX)
			length += (size_t)snprintf(teller->text + length, WARNING_BYTES - length,
				"%s%s (%s)", noisy > 1 ? ", " : "", subject->name,
				number_share(summary.apart, text));
	}
	if (noisy == 0)
		return 0;
	if (noisy > NAMED_MAX)
		length += (size_t)snprintf(teller->text + length, WARNING_BYTES - length,
			" and %zu more", noisy - NAMED_MAX);
	(void)snprintf(teller->text + length, WARNING_BYTES - length,
		": half of the samples against the other half differ by that much. Smaller "
		"differences between builds mean nothing here.");
	tell(teller, "A/A noise");
	return 0;
}

static void tell_environment(struct teller *teller, const struct report *report)
{
	const struct result_environment *first = &report->inputs[0].result->environment;

	for (size_t i = 0; i < report->input_count; i++) {
		const struct result_environment *here = &report->inputs[i].result->environment;

		if (strcmp(here->cpu_model, first->cpu_model) == 0 &&
			strcmp(here->kernel, first->kernel) == 0)
			continue;
		(void)snprintf(teller->text, WARNING_BYTES,
			"%.150s was measured on %.200s, %.150s. Differences may be the machine's.",
			report->inputs[i].label, here->cpu_model, here->kernel);
		tell(teller, "Not the same machine");
	}
}

static bool is_busy(const struct report_input *input)
{
	return input->result->environment.load_average[0] > LOAD_BOUND;
}

/* One warning for all that were measured on it. */
static void tell_company(struct teller *teller, const struct report *report)
{
	size_t length = 0, count = 0;

	for (size_t i = 0; i < report->input_count; i++) {
		const struct report_input *input = &report->inputs[i];

		if (!is_busy(input) || count++ >= NAMED_MAX)
			continue;
		length += (size_t)snprintf(teller->text + length, WARNING_BYTES - length,
			"%s%.2f when %.100s began", count > 1 ? ", " : "The load average was ",
			input->result->environment.load_average[0],
			report->input_count > 1 ? input->label : "it");
	}
	if (count == 0)
		return;
	if (count > NAMED_MAX)
		length += (size_t)snprintf(teller->text + length, WARNING_BYTES - length,
			" and high for %zu more", count - NAMED_MAX);
	(void)snprintf(teller->text + length, WARNING_BYTES - length,
		": the figures are of the company, too.");
	tell(teller, "A busy machine");
}

/* In a closed loop a server that stalls is asked nothing: its tail looks better than it is. */
static void tell_of_loops(struct teller *teller)
{
	const struct subject *open = NULL, *closed = NULL;

	for (size_t i = 0; i < teller->subjects->count; i++) {
		const struct subject *subject = &teller->subjects->list[i];

		if (subject->entry->load == NULL)
			continue;
		if (subject->entry->load->scheduled > 0)
			open = subject;
		else
			closed = subject;
	}
	if (open == NULL || closed == NULL)
		return;
	(void)snprintf(teller->text, WARNING_BYTES,
		"%s is an open loop, %s a closed one: their rates and latencies answer different "
		"questions.",
		open->name, closed->name);
	tell(teller, "Not the same loop");
}

static void tell_cut(struct teller *teller, const struct report *report)
{
	struct subject_names figures, counters, phases;
	const char *what = NULL;

	subject_figures(report, &figures);
	subject_counters(report, &counters);
	subject_phases(report, &phases);
	if (phases.is_cut)
		what = "phases";
	if (counters.is_cut)
		what = "counters";
	if (figures.is_cut)
		what = "figures";
	if (what == NULL)
		return;
	(void)snprintf(teller->text, WARNING_BYTES,
		"There are more %s than the %d that are shown. The result file has all.", what,
		SUBJECT_NAMES_MAX);
	tell(teller, "Not all is shown");
}

static int find_all(struct teller *teller, const struct report *report)
{
	int rc = 0;

	tell_partial(teller, report);
	tell_failed(teller, report);
	for (size_t i = 0; i < teller->subjects->count; i++) {
		if (teller->subjects->list[i].entry->load != NULL)
			tell_of_load(teller, &teller->subjects->list[i]);
	}
	if (report->inputs[0].result->kind == RESULT_BENCH)
		rc = tell_noise(teller);
	else
		tell_of_loops(teller);
	tell_environment(teller, report);
	tell_company(teller, report);
	tell_cut(teller, report);
	return rc;
}

int warnings_find(const struct report *report, const struct subjects *subjects,
	warning_tell *tell_user, void *user)
{
	struct teller *teller = calloc(1, sizeof(*teller));
	int rc;

	if (teller == NULL)
		return -ENOMEM;
	teller->tell = tell_user;
	teller->user = user;
	teller->subjects = subjects;
	rc = find_all(teller, report);
	free(teller);
	return rc;
}
