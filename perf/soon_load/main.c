// SPDX-License-Identifier: Apache-2.0
/* soon-load URL: see soon-load.1. */
#include <soon/report.h>
#include <soon/task.h>

#include "fault.h"
#include "find.h"
#include "merge.h"
#include "options.h"
#include "report.h"
#include "save.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SPIN SOON_S(1) /* longer than any wait that a CPU is kept awake for */

struct job {
	struct plan *plan;
	struct outcome *outcome;
	double found; /* --find-max: the highest rate */
};

static int app(struct job *job)
{
	if (job->plan->is_finding)
		return find_max(job->plan, job->outcome, &job->found);
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
	if (tally_failed_count(tally) + tally->unfinished > 0 && !has_error_threshold(plan))
		return EXIT_FAULTS;
	return EXIT_DONE;
}

/* Writes the result file, which takes the histograms. Returns `status`, or one that is worse. */
static int save(const struct plan *plan, struct outcome *outcome, const char *partial, int status,
	int argc, char **argv)
{
	struct result *result = result_create(RESULT_LOAD);
	const char *name = plan->name != NULL ? plan->name : plan->url_text;
	struct result_error error;
	int rc = result == NULL ? -ENOMEM : result_environment_read(result, argc, argv);

	if (rc == 0) {
		result->name = plan->name != NULL ? plan->name : "";
		result->is_partial = partial != NULL;
		result->partial_reason = partial != NULL ? partial : "";
		result->environment.io = outcome->io;
		rc = save_entry(result, name, &outcome->tally, plan->is_open, plan->cores);
	}
	if (rc == 0)
		rc = result_write(result, plan->out, &error);
	else
		(void)snprintf(error.text, sizeof error.text, "out of memory");
	if (rc < 0)
		(void)fprintf(stderr, "soon-load: %s\n", error.text);
	result_free(result);
	return rc < 0 && status == EXIT_DONE ? EXIT_RESULT : status;
}

/* Why a run ended early; NULL when it did not. */
static const char *reason_of(const struct job *job, int rc)
{
	if (rc == -ECANCELED)
		return "interrupted";
	if (rc == -ERANGE && job->plan->is_finding)
		return "not even the lowest rate is kept";
	if (rc < 0 && job->outcome->message[0] != '\0')
		return job->outcome->message;
	return rc < 0 ? strerror(-rc) : NULL;
}

static int conclude(const struct job *job, int rc)
{
	const struct plan *plan = job->plan;
	const char *partial = reason_of(job, rc);

	if (job->outcome->has_begun && !plan->is_quiet) {
		if (plan->is_finding && rc == 0)
			(void)printf("\n%.0f/s is the highest rate that was kept and confirmed\n\n",
				job->found);
		report_print(plan, job->outcome, partial);
		(void)fflush(stdout);
	}
	if (rc < 0 && rc != -ECANCELED)
		(void)fprintf(stderr, "soon-load: %s\n", partial);
	if (job->outcome->has_begun)
		report_warn(plan, job->outcome);
	if (rc == -ERANGE && plan->is_finding)
		return EXIT_THRESHOLD;
	return rc < 0 ? fault_exit(rc) : verdict(plan, &job->outcome->tally);
}

static int load(struct plan *plan, int argc, char **argv)
{
	/* A core that looks instead of sleeping would count as busy, and take CPU from a server. */
	const soon_opts opts = {
		.cores = plan->cores,
		.spin = plan->is_spinning ? SPIN : -1,
	};
	static struct outcome outcome; /* too large for a frame */
	struct job job = { plan, &outcome, 0 };
	int rc = outcome_init(&outcome);
	int status;

	if (rc == 0)
		rc = soon_run_with(&opts, app, &job);
	status = conclude(&job, rc);
	if (plan->out != NULL && outcome.has_begun)
		status = save(plan, &outcome, reason_of(&job, rc), status, argc, argv);
	outcome_fini(&outcome);
	return status;
}

int main(int argc, char **argv)
{
	static struct plan plan; /* too large for a frame */
	int status;

	if (argc > 1 && strcmp(argv[1], "merge") == 0) {
		argv[1] = (char[]){ "soon-load merge" };
		return merge_main(argc - 1, argv + 1);
	}
	soon_on_report(take_report, NULL);
	options_parse(argc, argv, &plan);
	status = load(&plan, argc, argv);
	plan_free(&plan);
	return status;
}
