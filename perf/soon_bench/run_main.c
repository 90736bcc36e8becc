// SPDX-License-Identifier: Apache-2.0
/*
 * soon-bench run PROGRAM...: each program in several processes, all of them in turns, so that the
 * runs of each are spread over the whole time.
 */
#include "harness/options.h"
#include "harness/show.h"
#include "soon_bench.h"

#include <errno.h>
#include <libgen.h>
#include <stdlib.h>
#include <string.h>

#define RUNS_DEFAULT 10
#define RUNS_MAX     1000
#define PROGRAMS_MAX 64

enum key {
	KEY_NAME = 'n',
	KEY_OUT = 'o',
	KEY_RUNS = 'r',
};

struct arguments {
	unsigned runs;
	const char *out;
	const char *name;
	char *programs[PROGRAMS_MAX];
	unsigned program_count;
	char **rest; /* for each program, behind "--" */
	int rest_count;
};

/* All that is run, and what came of it: results[program * runs + run]. */
struct session {
	struct arguments arguments;
	char **argv[PROGRAMS_MAX];
	struct command commands[PROGRAMS_MAX];
	struct result **results;
	struct result *merged;
};

static error_t take(int key, char *arg, struct argp_state *state)
{
	struct arguments *arguments = state->input;

	switch (key) {
	case KEY_RUNS:
		arguments->runs = (unsigned)options_number(state, "runs", arg, RUNS_MAX);
		return 0;
	case KEY_OUT:
		arguments->out = arg;
		return 0;
	case KEY_NAME:
		arguments->name = arg;
		return 0;
	case ARGP_KEY_ARG:
		if (arguments->program_count == PROGRAMS_MAX)
			argp_error(state, "more than %d programs", PROGRAMS_MAX);
		arguments->programs[arguments->program_count++] = arg;
		return 0;
	case ARGP_KEY_NO_ARGS:
		argp_error(state, "which programs?");
		return EINVAL;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

/* A program with what stands behind "--". */
static int make_commands(struct session *session)
{
	struct arguments *arguments = &session->arguments;

	for (unsigned i = 0; i < arguments->program_count; i++) {
		char **argv = calloc((size_t)arguments->rest_count + 2, sizeof(*argv));

		if (argv == NULL)
			return -ENOMEM;
		argv[0] = arguments->programs[i];
		for (int k = 0; k < arguments->rest_count; k++)
			argv[1 + k] = arguments->rest[k];
		session->argv[i] = argv;
		session->commands[i].argv = argv;
		session->commands[i].name = basename(arguments->programs[i]);
	}
	return 0;
}

/* Returns an exit status; EXIT_FINE also when it was interrupted. */
static int run_all(struct session *session)
{
	unsigned programs = session->arguments.program_count;
	unsigned runs = session->arguments.runs;

	for (unsigned run = 0; run < runs; run++) {
		for (unsigned i = 0; i < programs && !is_interrupted; i++) {
			struct result **result = &session->results[i * runs + run];

			show_progress("run", run * programs + i + 1, runs * programs);
			*result = command_run(&session->commands[i]);
			if (*result == NULL && !is_interrupted)
				return EXIT_COMMAND;
		}
	}
	return EXIT_FINE;
}

static int merge_all(struct session *session)
{
	unsigned runs = session->arguments.runs;
	const char *name = "";
	int rc = 0;

	for (unsigned i = 0; rc == 0 && i < session->arguments.program_count; i++)
		rc = merge_runs(session->merged, &session->results[i * runs], runs, &name);
	if (rc == -EEXIST)
		(void)fprintf(stderr,
			"soon-bench: two programs have a '%s': are they builds of one? Compare "
			"them with soon-bench ab\n",
			name);
	else if (rc < 0)
		(void)fputs("soon-bench: no memory\n", stderr);
	return rc < 0 ? EXIT_FILE : EXIT_FINE;
}

/* Returns: whether all benchmarks could be measured, or were skipped. */
static bool show_all(FILE *out, const struct result *result)
{
	int width = show_width(result);
	bool is_fine = true;

	show_environment(out, &result->environment);
	show_head(out, width);
	for (size_t i = 0; i < result->entry_count; i++) {
		show_entry(out, width, result->entries[i]);
		is_fine = is_fine && result->entries[i]->state != RESULT_FAILED;
	}
	show_fits(out, result);
	return is_fine;
}

static int finish(struct session *session)
{
	struct arguments *arguments = &session->arguments;
	bool is_taken = arguments->out != NULL && strcmp(arguments->out, "-") == 0;
	int status = merge_all(session);
	bool is_fine;

	if (status != EXIT_FINE)
		return status;
	if (is_interrupted) {
		session->merged->is_partial = true;
		session->merged->partial_reason = "interrupted";
		(void)fputs("soon-bench: interrupted: the runs before are kept\n", stderr);
	}
	is_fine = show_all(is_taken ? stderr : stdout, session->merged);
	if (arguments->out != NULL)
		status = save_result(session->merged, arguments->out);
	return status == EXIT_FINE && (is_interrupted || !is_fine) ? EXIT_COMMAND : status;
}

/* argv[0] is two words. */
static int set_environment(struct result *result, int argc, char **argv)
{
	struct result_environment *environment = &result->environment;

	if (result_environment_read(result, argc - 1, argv + 1) < 0)
		return -ENOMEM;
	environment->command = result_text(result, "%s %s", argv[0], environment->command);
	return environment->command != NULL ? 0 : -ENOMEM;
}

static int session_run(struct session *session, int argc, char **argv)
{
	size_t count = (size_t)session->arguments.runs * session->arguments.program_count;
	int status;

	session->results = calloc(count, sizeof(struct result *));
	session->merged = result_create(RESULT_BENCH);
	if (session->results == NULL || session->merged == NULL || make_commands(session) < 0 ||
		set_environment(session->merged, argc, argv) < 0) {
		(void)fputs("soon-bench: no memory\n", stderr);
		return EXIT_FILE;
	}
	session->merged->name = session->arguments.name;
	catch_interrupts();
	status = run_all(session);
	show_progress("", 0, 0);
	return status == EXIT_FINE ? finish(session) : status;
}

static void session_fini(struct session *session)
{
	size_t count = (size_t)session->arguments.runs * session->arguments.program_count;

	result_free(session->merged);
	for (size_t i = 0; session->results != NULL && i < count; i++)
		result_free(session->results[i]);
	free((void *)session->results);
	for (unsigned i = 0; i < session->arguments.program_count; i++)
		free((void *)session->argv[i]);
}

int run_main(int argc, char **argv)
{
	static const struct argp_option known[] = {
		{ "runs", KEY_RUNS, "N", 0, "Run each in N processes; default 10", 0 },
		{ "out", KEY_OUT, "FILE", 0, "Write the result to FILE; -: standard output", 0 },
		{ "name", KEY_NAME, "TEXT", 0, "What the result is called", 0 },
		{ 0 },
	};
	static const char about[] =
		"Measures programs, each in several processes, and puts their samples together.\v"
		"Programs that are not written with <soon/bench.h> are timed as a whole. What "
		"stands behind -- is given to each program. Exit status: 0, 2 wrong usage, 3 a "
		"file cannot be written, 4 a program or a benchmark failed, or it was interrupted.";
	static const struct argp argp = { known, take, "PROGRAM... [-- OPTION...]", about, NULL,
		NULL, NULL };
	static struct session session;
	int own = argc;
	int status;

	session = (struct session){ .arguments = { .runs = RUNS_DEFAULT, .name = "" } };
	for (int i = argc - 1; i > 0; i--)
		own = strcmp(argv[i], "--") == 0 ? i : own;
	if (own < argc) {
		session.arguments.rest = argv + own + 1;
		session.arguments.rest_count = argc - own - 1;
	}
	if (argp_parse(&argp, own, argv, 0, NULL, &session.arguments) != 0)
		return EXIT_USAGE;
	status = session_run(&session, argc, argv);
	session_fini(&session);
	return status;
}
