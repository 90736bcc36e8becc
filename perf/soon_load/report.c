// SPDX-License-Identifier: Apache-2.0
#include "report.h"

#include "../harness/number.h"
#include "../harness/summary.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#define LAG_SHARE   0.99
#define LAG_MIN_NS  1000000.0 /* a lag below a millisecond is no worth a word ... */
#define LAG_PART    0.1       /* ... nor one below a tenth of the latency */
#define BUSY_MAX    0.9
#define UNSENT_PART 0.01

static void print_time(double ns)
{
	char text[NUMBER_BYTES];

	(void)printf(" %9s", number_time(ns, text));
}

static void print_hist(const char *name, const soon_hist *hist)
{
	static const double shares[] = { 0.5, 0.9, 0.99, 0.999 };

	if (soon_hist_count(hist) == 0)
		return;
	(void)printf("  %-11s", name);
	print_time(soon_hist_mean(hist));
	for (unsigned i = 0; i < sizeof shares / sizeof shares[0]; i++)
		print_time(summary_quantile(hist, shares[i]));
	print_time(summary_quantile(hist, 1));
	(void)putchar('\n');
}

static void print_count(const char *name, uint64_t count, double rate)
{
	char text[NUMBER_BYTES], per_second[NUMBER_BYTES];

	(void)printf("  %-11s %14s", name, number_count(count, text));
	if (rate >= 100)
		(void)printf(" %14s/s", number_count((uint64_t)rate, per_second));
	else if (rate > 0)
		(void)printf(" %14.3g/s", rate);
	(void)putchar('\n');
}

static void print_counts(const struct tally *tally, bool is_open)
{
	char in[NUMBER_BYTES], out[NUMBER_BYTES], count[NUMBER_BYTES];

	if (is_open) {
		print_count("scheduled", tally->due, tally_rate(tally, tally->due));
		print_count("sent", tally->sent, tally_rate(tally, tally->sent));
	}
	print_count("completed", tally->completed, tally_rate(tally, tally->completed));
	(void)printf("  %-11s %14s/s received, %s/s sent\n", "traffic",
		number_amount(tally_rate(tally, tally->bytes_received), "B", in),
		number_amount(tally_rate(tally, tally->bytes_sent), "B", out));
	print_count("errors", tally_failed_count(tally), 0);
	for (unsigned i = 0; i < FAULT_COUNT; i++) {
		if (tally->failed[i] == 0)
			continue;
		(void)printf("    %-9s %14s   %s\n", fault_name((enum fault)i),
			number_count(tally->failed[i], count), tally->messages[i]);
	}
	if (tally->unfinished > 0)
		print_count("unfinished", tally->unfinished, 0);
	if (tally->unsent > 0)
		print_count("never sent", tally->unsent, 0);
}

void report_tally(const struct tally *tally, bool is_open)
{
	print_counts(tally, is_open);
	(void)printf("\n  %-11s %9s %9s %9s %9s %9s %9s\n", "", "mean", "p50", "p90", "p99",
		"p99.9", "max");
	print_hist(RESULT_PHASE_TOTAL, tally->phases[PHASE_TOTAL]);
	print_hist("first byte", tally->phases[PHASE_FIRST]);
	print_hist("connect", tally->phases[PHASE_CONNECT]);
	print_hist("tls", tally->phases[PHASE_TLS]);
}

static void print_load(const struct plan *plan)
{
	(void)printf("%u connection%s, %u core%s", plan->connections,
		plan->connections == 1 ? "" : "s", plan->cores, plan->cores == 1 ? "" : "s");
	if (plan->pipeline > 1)
		(void)printf(", %u under way on each", plan->pipeline);
	if (!plan->is_open)
		(void)printf(", closed loop");
	else if (plan->rate.from == plan->rate.to)
		(void)printf(", open loop at %g/s", plan->rate.from);
	else
		(void)printf(", open loop from %g/s to %g/s", plan->rate.from, plan->rate.to);
	if (plan->is_open)
		(void)printf(plan->is_poisson ? ", Poisson" : ", constant");
}

void report_print(const struct plan *plan, const struct outcome *outcome, const char *partial)
{
	(void)printf("%s (%s)\n", plan->url_text, outcome->address);
	print_load(plan);
	(void)printf("; %.3g s", (double)outcome->tally.length_ns / 1e9);
	if (plan->warmup > 0)
		(void)printf(" after %.3g s of warm-up", (double)plan->warmup / 1e9);
	(void)printf(
		"%s%s\n\n", partial != NULL ? "; PARTIAL: " : "", partial != NULL ? partial : "");
	report_tally(&outcome->tally, plan->is_open);
	if (plan->is_open)
		print_hist("our lag", outcome->tally.lag);
	(void)printf("\n  soon-load was busy for %.0f %% of the time%s\n",
		100 * outcome->tally.busy, plan->cores > 1 ? " on its busiest core" : "");
}

void report_warn(const struct plan *plan, const struct outcome *outcome)
{
	const struct tally *tally = &outcome->tally;
	double lag = summary_quantile(tally->lag, LAG_SHARE);
	double total = summary_quantile(tally->phases[PHASE_TOTAL], LAG_SHARE);
	double missing = (double)tally->due - (double)tally->sent;
	char text[NUMBER_BYTES];

	if (lag > LAG_MIN_NS && lag > LAG_PART * total)
		(void)fprintf(stderr,
			"soon-load: warning: the generator fell behind: it sent late by up to %s "
			"(p99) although a connection was free. Latencies contain that. Use more "
			"--cores, or a machine with less other work\n",
			number_time(lag, text));
	if (outcome->tally.busy > BUSY_MAX)
		(void)fprintf(stderr,
			"soon-load: warning: a core of the generator was busy for %.0f %% of "
			"the time: the figures may be its own. Use more --cores\n",
			100 * outcome->tally.busy);
	if (plan->is_open && missing > UNSENT_PART * (double)tally->due)
		(void)fprintf(stderr,
			"soon-load: warning: %.1f %% of what was scheduled was not sent in "
			"time, as all %u connections were waiting for replies: the server is "
			"slower than the rate, or needs more --connections\n",
			100 * missing / (double)tally->due, plan->connections);
}

unsigned report_thresholds(const struct plan *plan, const struct tally *tally)
{
	unsigned count = 0;

	for (unsigned i = 0; i < plan->threshold_count; i++) {
		const struct threshold *threshold = &plan->thresholds[i];
		bool is_time = threshold->figure == THRESHOLD_QUANTILE ||
			threshold->figure == THRESHOLD_MEAN;
		char text[NUMBER_BYTES];
		double value;

		if (!threshold_holds(threshold, tally, &value))
			continue;
		count++;
		if (isnan(value))
			(void)snprintf(text, sizeof text, "nothing was measured");
		else if (is_time)
			(void)number_time(value, text);
		else
			(void)snprintf(text, sizeof text, "%.6g%s", value,
				threshold->is_percent ? "%" : "");
		(void)fprintf(stderr, "soon-load: fail-if %s: %s\n", threshold->text, text);
	}
	return count;
}
