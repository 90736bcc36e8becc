// SPDX-License-Identifier: Apache-2.0
/* soon-bench compare BEFORE AFTER */
#include "soon_bench.h"

struct arguments {
	struct judging judging;
	const char *paths[2];
	unsigned count;
};

static error_t take(int key, char *arg, struct argp_state *state)
{
	struct arguments *arguments = state->input;

	switch (key) {
	case ARGP_KEY_INIT:
		state->child_inputs[0] = &arguments->judging;
		return 0;
	case ARGP_KEY_ARG:
		if (arguments->count == 2)
			argp_error(state, "'%s' is one result too many", arg);
		arguments->paths[arguments->count++] = arg;
		return 0;
	case ARGP_KEY_END:
		if (arguments->count < 2)
			argp_error(state, "there must be two results, before and after");
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

int compare_main(int argc, char **argv)
{
	static const char about[] =
		"Compares two results, files or baselines, and says what changed.\v"
		"Exit status: 0 nothing is slower, 1 something is, or counts more, 2 wrong usage, "
		"3 a result cannot be read or compared, 5 too noisy, with --fail-noisy.";
	static const struct argp_child children[] = { { &judging_argp, 0, NULL, 0 }, { 0 } };
	static const struct argp argp = { NULL, take, "BEFORE AFTER", about, children, NULL, NULL };
	struct arguments arguments = { .judging = JUDGING_DEFAULT };
	struct result *before, *after;
	int status = EXIT_FILE;

	if (argp_parse(&argp, argc, argv, 0, NULL, &arguments) != 0)
		return EXIT_USAGE;
	before = open_result(arguments.paths[0]);
	after = before != NULL ? open_result(arguments.paths[1]) : NULL;
	if (after != NULL)
		status = show_comparison(stdout, before, after, &arguments.judging);
	result_free(before);
	result_free(after);
	return status;
}
