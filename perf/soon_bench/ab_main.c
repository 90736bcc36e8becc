// SPDX-License-Identifier: Apache-2.0
/*
 * soon-bench ab BEFORE AFTER: two commands in turns, A B B A, and what the pairs say.
 *
 * A pair is two processes one right after the other, and which of them comes first changes from
 * pair to pair. So a machine that gets slower for a while slows both, and one that gets slower all
 * the time is on nobody's side.
 */
#include "common/clock.h"
#include "harness/measure.h"
#include "harness/options.h"
#include "soon_bench.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PAIRS_MAX 1000

enum key {
	KEY_OUT = 'o',
	KEY_PAIRS = 'p',
};

struct arguments {
	struct judging judging;
	unsigned pairs;
	const char *out; /* the prefix of two files; NULL: none */
	const char *lines[2];
	unsigned count;
};

struct session {
	struct arguments arguments;
	char **argv[2];
	struct result **runs[2];
	unsigned done; /* pairs */
	struct result *merged[2];
};

/* Counts can be compared after one. */
static unsigned pairs_least(const struct arguments *arguments)
{
	static const char *const counts[] = { COMPARE_COUNTS, MEASURE_ALLOCATIONS,
		MEASURE_ALLOCATED, MEASURE_FREED, MEASURE_INSTRUCTIONS, MEASURE_SYSTEM_CALLS };
	const char *figure = arguments->judging.figure;

	for (size_t i = 0; figure != NULL && i < sizeof(counts) / sizeof(counts[0]); i++) {
		if (strcmp(figure, counts[i]) == 0)
			return 1;
	}
	return COMPARE_PAIRS_MIN;
}

static error_t take(int key, char *arg, struct argp_state *state)
{
	struct arguments *arguments = state->input;

	switch (key) {
	case ARGP_KEY_INIT:
		state->child_inputs[0] = &arguments->judging;
		return 0;
	case KEY_PAIRS:
		arguments->pairs = (unsigned)options_number(state, "pairs", arg, PAIRS_MAX);
		return 0;
	case KEY_OUT:
		arguments->out = arg;
		return 0;
	case ARGP_KEY_ARG:
		if (arg[strspn(arg, " ")] == '\0')
			argp_error(state, "a command is empty");
		if (arguments->count == 2)
			argp_error(state, "'%s' is one command too many: put each in quotes", arg);
		arguments->lines[arguments->count++] = arg;
		return 0;
	case ARGP_KEY_END:
		if (arguments->count < 2)
			argp_error(state, "there must be two commands, before and after");
		if (arguments->pairs < pairs_least(arguments))
			argp_error(state,
				"--pairs: fewer than %d prove nothing of times; of counts, as with "
				"--figure=counts, one is enough",
				COMPARE_PAIRS_MIN);
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static struct result *run_side(const struct session *session, unsigned side)
{
	/* One name for both: where commands are timed as a whole, they are to be compared. */
	const struct command command = { session->argv[side], "command" };
	struct result *result = command_run(&command);

	if (result == NULL && !is_interrupted)
		(void)fprintf(stderr, "soon-bench: so did: %s\n", session->arguments.lines[side]);
	return result;
}

/* Returns an exit status; EXIT_FINE also when it was interrupted. */
static int run_pairs(struct session *session)
{
	unsigned pairs = session->arguments.pairs;

	/* Once before, for what is slow the first time only. */
	for (unsigned side = 0; side < 2 && !is_interrupted; side++) {
		struct result *result = run_side(session, side);

		if (result == NULL && !is_interrupted)
			return EXIT_COMMAND;
		result_free(result);
	}
	while (session->done < pairs && !is_interrupted) {
		unsigned pair = session->done;

		show_progress("pair", pair + 1, pairs);
		for (unsigned i = 0; i < 2; i++) {
			unsigned side = pair % 2 == 0 ? i : 1 - i;

			session->runs[side][pair] = run_side(session, side);
			if (is_interrupted)
				return EXIT_FINE; /* without half of a pair */
			if (session->runs[side][pair] == NULL)
				return EXIT_COMMAND;
		}
		session->done++;
	}
	return EXIT_FINE;
}

static int merge_side(struct session *session, unsigned side, const char *name)
{
	struct result *merged = result_create(RESULT_BENCH);
	const char *conflict;

	session->merged[side] = merged;
	if (merged == NULL)
		return -ENOMEM;
	if (result_environment_read(merged, 0, NULL) < 0 ||
		merge_runs(merged, session->runs[side], session->done, &conflict) < 0)
		return -ENOMEM;
	merged->name = name;
	merged->environment.command = session->arguments.lines[side];
	merged->session = result_text(merged, "%lld-%d", (long long)now_ns(), (int)getpid());
	if (is_interrupted) {
		merged->is_partial = true;
		merged->partial_reason = "interrupted";
	}
	return merged->session != NULL ? 0 : -ENOMEM;
}

static int save_sides(const struct session *session)
{
	static const char *const suffixes[2] = { "-before.json", "-after.json" };
	static char path[4096];
	int status = EXIT_FINE;

	for (unsigned side = 0; side < 2 && session->arguments.out != NULL; side++) {
		int length = snprintf(
			path, sizeof(path), "%s%s", session->arguments.out, suffixes[side]);

		if (length < 0 || (size_t)length >= sizeof(path))
			return EXIT_FILE;
		if (status == EXIT_FINE)
			status = save_result(session->merged[side], path);
	}
	return status;
}

static int finish(struct session *session)
{
	int status;

	if (is_interrupted)
		(void)fprintf(stderr, "soon-bench: interrupted after %u pairs\n", session->done);
	if (session->done == 0)
		return EXIT_COMMAND;
	if (merge_side(session, 0, "before") < 0 || merge_side(session, 1, "after") < 0) {
		(void)fputs("soon-bench: no memory\n", stderr);
		return EXIT_FILE;
	}
	session->merged[1]->session = session->merged[0]->session;
	status = save_sides(session);
	if (status != EXIT_FINE)
		return status;
	if (session->done < pairs_least(&session->arguments)) {
		(void)fputs("soon-bench: too few for a verdict\n", stderr);
		return EXIT_COMMAND;
	}
	status = show_comparison(
		stdout, session->merged[0], session->merged[1], &session->arguments.judging);
	return is_interrupted ? EXIT_COMMAND : status;
}

static int session_run(struct session *session)
{
	int status;

	for (unsigned side = 0; side < 2; side++) {
		session->argv[side] = command_split(session->arguments.lines[side]);
		session->runs[side] = calloc(session->arguments.pairs, sizeof(struct result *));
		if (session->argv[side] != NULL && session->runs[side] != NULL)
			continue;
		(void)fputs("soon-bench: no memory\n", stderr);
		return EXIT_FILE;
	}
	catch_interrupts();
	status = run_pairs(session);
	show_progress("", 0, 0);
	return status == EXIT_FINE ? finish(session) : status;
}

static void session_fini(struct session *session)
{
	for (unsigned side = 0; side < 2; side++) {
		result_free(session->merged[side]);
		for (unsigned i = 0; session->runs[side] != NULL && i < session->arguments.pairs;
			i++)
			result_free(session->runs[side][i]);
		free((void *)session->runs[side]);
		free((void *)session->argv[side]);
	}
}

int ab_main(int argc, char **argv)
{
	static const struct argp_option known[] = {
		{ "pairs", KEY_PAIRS, "N", 0, "Run each N times; default 40", 0 },
		{ "out", KEY_OUT, "PREFIX", 0,
			"Write the results to PREFIX-before.json and PREFIX-after.json", 0 },
		{ 0 },
	};
	static const char about[] =
		"Measures two commands in turns and says what changed from the first to the second."
		"\vA command that is not written with <soon/bench.h> is timed as a whole. With the "
		"same command twice it shows how well this machine can compare. Exit status: 0 "
		"nothing is slower, 1 something is, or counts more, 2 wrong usage, 3 a file cannot "
		"be written or nothing compared, 4 a command failed, 5 too noisy, with "
		"--fail-noisy.";
	static const struct argp_child children[] = { { &judging_argp, 0, NULL, 0 }, { 0 } };
	static const struct argp argp = { known, take, "'COMMAND BEFORE' 'COMMAND AFTER'", about,
		children, NULL, NULL };
	struct session session = {
		.arguments = { .judging = JUDGING_DEFAULT, .pairs = COMPARE_PAIRS_DEFAULT },
	};
	int status;

	if (argp_parse(&argp, argc, argv, 0, NULL, &session.arguments) != 0)
		return EXIT_USAGE;
	status = session_run(&session);
	session_fini(&session);
	return status;
}
