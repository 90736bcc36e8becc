// SPDX-License-Identifier: Apache-2.0
/* soon-load URL: see soon-load.1. */
#include <soon/report.h>
#include <soon/task.h>

#include "fault.h"
#include "options.h"
#include "report.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct job {
	struct plan *plan;
	struct outcome *outcome;
};

static int app(struct job *job)
{
	return run_plan(job->plan, job->outcome);
}

/* What the library tells: who measures does not want to read of it what goes well. */
static int take_report(const soon_report *report, void *unused)
{
	(void)unused;
	if (report->level == SOON_REPORT_INFO)
		return 0;
	return fprintf(stderr, "soon-load: %s\n", report->text) < 0 ? -EIO : 0;
}

static bool has_error_threshold(const struct plan *plan)
{
	for (unsigned i = 0; i < plan->threshold_count; i++)
		if (plan->thresholds[i].figure == THRESHOLD_ERRORS)
			return true;
	return false;
}

static int verdict(const struct plan *plan, const struct tally *tally)
{
	if (report_thresholds(plan, tally) > 0)
		return EXIT_THRESHOLD;
	/* Who says how many errors are too many has said that fewer are not. */
	if (tally_failed_count(tally) > 0 && !has_error_threshold(plan))
		return EXIT_FAULTS;
	return EXIT_DONE;
}

static int load(struct plan *plan)
{
	const soon_opts opts = { .cores = plan->cores };
	static struct outcome outcome; /* too large for a frame */
	struct job job = { plan, &outcome };
	const char *partial = NULL;
	int rc = outcome_init(&outcome);
	int status;

	if (rc == 0)
		rc = soon_run_with(&opts, app, &job);
	if (rc == -ECANCELED)
		partial = "interrupted";
	else if (rc < 0)
		partial = outcome.message[0] != '\0' ? outcome.message : strerror(-rc);
	if (outcome.has_begun && !plan->is_quiet)
		report_print(plan, &outcome, partial);
	if (rc < 0 && rc != -ECANCELED)
		(void)fprintf(stderr, "soon-load: %s\n", partial);
	if (outcome.has_begun)
		report_warn(plan, &outcome);
	status = rc < 0 ? fault_exit(rc) : verdict(plan, &outcome.tally);
	outcome_fini(&outcome);
	return status;
}

int main(int argc, char **argv)
{
	static struct plan plan; /* too large for a frame */
	int status;

	soon_on_report(take_report, NULL);
	options_parse(argc, argv, &plan);
	status = load(&plan);
	plan_free(&plan);
	return status;
}
