// SPDX-License-Identifier: Apache-2.0
/* soon-bench COMMAND: runs, compares and keeps measurements; see soon-bench.1. */
#include "report/report.h"
#include "soon_bench.h"

#include <errno.h>
#include <string.h>

struct call {
	int (*run)(int argc, char **argv);
	const char *name;
	int argc;
	char **argv;
};

static int show_report(int argc, char **argv)
{
	return report_main(argc, argv, open_result);
}

static error_t take_command(int key, char *arg, struct argp_state *state)
{
	static const struct {
		const char *name, *full_name;
		int (*run)(int argc, char **argv);
	} commands[] = {
		{ "run", "soon-bench run", run_main },
		{ "ab", "soon-bench ab", ab_main },
		{ "compare", "soon-bench compare", compare_main },
		{ "baseline", "soon-bench baseline", baseline_main },
		{ "report", "soon-bench report", show_report },
	};
	struct call *call = state->input;

	switch (key) {
	case ARGP_KEY_ARG:
		for (unsigned i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
			if (strcmp(arg, commands[i].name) != 0)
				continue;
			call->run = commands[i].run;
			call->name = commands[i].full_name;
		}
		if (call->run == NULL)
			argp_error(state, "there is no command '%s'", arg);
		/* What follows is the command's. */
		call->argc = state->argc - state->next + 1;
		call->argv = state->argv + state->next - 1;
		state->next = state->argc;
		return 0;
	case ARGP_KEY_NO_ARGS:
		argp_error(state, "which command?");
		return EINVAL;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

int main(int argc, char **argv)
{
	static const char about[] =
		"Runs benchmarks, compares their results and says how sure that is.\v"
		"Commands:\n"
		"  run       measures programs, each in several processes\n"
		"  ab        measures two commands in turns and compares them\n"
		"  compare   compares two results\n"
		"  baseline  keeps results by name, for compare and report: @NAME\n"
		"  report    shows results as a page, as tables or for other tools\n";
	static const struct argp argp = { NULL, take_command, "COMMAND [ARGUMENT...]", about, NULL,
		NULL, NULL };
	static char name[32];
	struct call call = { 0 };
	int status;

	argp_program_version = "soon-bench " HARNESS_VERSION;
	argp_err_exit_status = EXIT_USAGE;
	if (argp_parse(&argp, argc, argv, ARGP_IN_ORDER, NULL, &call) != 0)
		return EXIT_USAGE;
	(void)snprintf(name, sizeof(name), "%s", call.name);
	call.argv[0] = name;
	status = call.run(call.argc, call.argv);
	if (fflush(stdout) == 0 && ferror(stdout) == 0)
		return status;
	(void)fprintf(stderr, "soon-bench: standard output: %s\n", strerror(errno));
	return status != EXIT_FINE ? status : EXIT_FILE;
}
