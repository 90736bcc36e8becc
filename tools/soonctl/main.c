// SPDX-License-Identifier: Apache-2.0
/* soonctl COMMAND: what an operator asks about soon; see soonctl.1. */
#include "soonctl.h"

#include <argp.h>
#include <string.h>

struct call {
	int argc;
	char **argv;
};

static bool is_planned(const char *name)
{
	static const char *const planned[] = { "ps", "pstree", "top" };

	for (unsigned i = 0; i < sizeof planned / sizeof planned[0]; i++)
		if (strcmp(name, planned[i]) == 0)
			return true;
	return false;
}

static error_t take_command(int key, char *arg, struct argp_state *state)
{
	struct call *call = state->input;

	switch (key) {
	case ARGP_KEY_ARG:
		if (is_planned(arg))
			argp_error(state, "the command '%s' does not exist yet", arg);
		else if (strcmp(arg, "doctor") != 0)
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

const char *argp_program_version = "soonctl " SOONCTL_VERSION;

int main(int argc, char **argv)
{
	static const char about[] =
		"Looks after services that are built on soon.\v"
		"Commands:\n"
		"  doctor   whether io_uring works here, what is lost without it, what to change\n";
	static const struct argp argp = { NULL, take_command, "COMMAND [OPTION...]", about, 0, 0,
		0 };
	struct call call = { 0 };

	argp_err_exit_status = EXIT_NONE;
	if (argp_parse(&argp, argc, argv, ARGP_IN_ORDER, NULL, &call) != 0)
		return EXIT_NONE;
	call.argv[0] = (char[]){ "soonctl doctor" };
	return doctor(call.argc, call.argv);
}
