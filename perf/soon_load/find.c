// SPDX-License-Identifier: Apache-2.0
#include "find.h"

#include "../harness/number.h"
#include "../harness/summary.h"
#include "report.h"

#include <math.h>
#include <stdio.h>

#define APART_MAX    1.05
#define SENT_PART    0.99
#define CONFIRMS_MAX 5

/* Why a rate is not kept; NULL when it is. */
static const char *reason_of(const struct plan *plan, const struct tally *tally)
{
	bool counts_errors = false;

	for (unsigned i = 0; i < plan->threshold_count; i++) {
		double value;

		counts_errors |= plan->thresholds[i].figure == THRESHOLD_ERRORS;
		if (threshold_holds(&plan->thresholds[i], tally, &value))
			return plan->thresholds[i].text;
	}
	if (!counts_errors && tally_failed_count(tally) > 0)
		return "requests failed";
	if (tally->unfinished > 0)
		return "replies did not come";
	return (double)tally->sent < SENT_PART * (double)tally->due ? "not all was sent in time"
								    : NULL;
}

static const char *time_of(const soon_hist *hist, double share, char ret_text[NUMBER_BYTES])
{
	if (soon_hist_count(hist) == 0)
		return "none";
	return number_time(summary_quantile(hist, share), ret_text);
}

/* `reason`: why the rate is not kept, or NULL. */
static void print_step(const struct plan *plan, const struct tally *tally, const char *reason)
{
	char p50[NUMBER_BYTES], p99[NUMBER_BYTES], completed[NUMBER_BYTES], errors[NUMBER_BYTES];
	const soon_hist *total = tally->phases[PHASE_TOTAL];
	double rate = tally_rate(tally, tally->completed);

	if (plan->is_quiet)
		return;
	(void)printf("  %10.0f/s  %-4s completed %s/s, p50 %s, p99 %s, errors %s%s%s\n",
		plan->rate.from, reason == NULL ? "yes" : "no",
		number_count((uint64_t)rate, completed), time_of(total, 0.5, p50),
		time_of(total, 0.99, p99), number_count(tally_failed_count(tally), errors),
		reason != NULL ? ": " : "", reason != NULL ? reason : "");
	(void)fflush(stdout);
}

/* Runs one rate. Returns 1 when it is kept, 0 when not, or -errno. */
static int attempt(struct plan *plan, struct outcome *outcome, double rate, soon_ns duration)
{
	const char *reason;
	int rc;

	outcome_fini(outcome);
	rc = outcome_init(outcome);
	if (rc < 0)
		return rc;
	plan->rate = (struct rate){ rate, rate };
	plan->duration = duration;
	rc = run_plan(plan, outcome);
	if (rc < 0)
		return rc;
	reason = reason_of(plan, &outcome->tally);
	print_step(plan, &outcome->tally, reason);
	return reason == NULL;
}

/* Narrows the gap between a rate that is kept and one that is not; `*high` may be infinite. */
static int narrow(struct plan *plan, struct outcome *outcome, double max, double *low, double *high)
{
	while (*high / *low > APART_MAX && *low < max) {
		double rate = isinf(*high) ? fmin(2 * *low, max) : sqrt(*low * *high);
		int kept = attempt(plan, outcome, rate, plan->find_step);

		if (kept < 0)
			return kept;
		if (kept > 0)
			*low = rate;
		else
			*high = rate;
	}
	return 0;
}

int find_max(struct plan *plan, struct outcome *outcome, double *ret_rate)
{
	double low = plan->rate.from, max = plan->rate.to;
	double high = (double)INFINITY;
	int rc;

	if (!plan->is_quiet)
		(void)printf(
			"%s: the highest rate of %.10g/s to %.10g/s\n", plan->url_text, low, max);
	rc = attempt(plan, outcome, low, plan->find_step);
	if (rc == 0)
		rc = -ERANGE;
	if (rc > 0)
		rc = narrow(plan, outcome, max, &low, &high);
	for (unsigned i = 0; rc == 0 && i < CONFIRMS_MAX; i++) {
		rc = attempt(plan, outcome, low, 2 * plan->find_step);
		if (rc > 0) {
			*ret_rate = low;
			return 0;
		}
		low /= APART_MAX;
	}
	return rc == 0 ? -ERANGE : rc;
}
