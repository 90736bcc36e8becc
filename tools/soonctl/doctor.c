// SPDX-License-Identifier: Apache-2.0
/* soonctl doctor: reads, tries, advises, shows. The exit status is the verdict. */
#include "soonctl.h"

#include <argp.h>
#include <stdio.h>
#include <string.h>

const char *backend_name(const struct trial *trial)
{
	switch (trial->backend) {
	case SOON_IO_URING:
		return "io_uring";
	case SOON_IO_EPOLL:
		return "epoll";
	case SOON_IO_AUTO:
		break;
	}
	return "none";
}

const char *setup_text(const struct trial *trial)
{
	const char *name;

	if (trial->killed_by != 0)
		return "kills the process";
	if (trial->setup_rc == 0)
		return "ok";
	name = strerrorname_np(-trial->setup_rc);
	return name != NULL ? name : "an unknown error";
}

static int verdict(const struct trial *trial)
{
	switch (trial->backend) {
	case SOON_IO_URING:
		return EXIT_URING;
	case SOON_IO_EPOLL:
		return EXIT_EPOLL;
	case SOON_IO_AUTO:
		break;
	}
	return EXIT_NONE;
}

static error_t take_option(int key, char *arg, struct argp_state *state)
{
	bool *is_json = state->input;

	if (key == ARGP_KEY_ARG)
		argp_error(state, "'%s' is one argument too many", arg);
	if (key != 'j')
		return ARGP_ERR_UNKNOWN;
	*is_json = true;
	return 0;
}

int doctor(int argc, char **argv)
{
	static const struct argp_option known[] = {
		{ "json", 'j', NULL, 0, "print an object for programs", 0 },
		{ 0 },
	};
	static const char about[] = "Tells whether io_uring works here, and what to change.\v"
				    "Exit status: 0 io_uring is used, 1 epoll is used, "
				    "2 wrong usage, or neither works.";
	static const struct argp argp = { known, take_option, NULL, about, 0, 0, 0 };
	static struct diagnosis all; /* too much for a frame */
	bool is_json = false;
	int rc;

	if (argp_parse(&argp, argc, argv, 0, NULL, &is_json) != 0)
		return EXIT_NONE;
	facts_read(&all.facts);
	trial_run(&all.trial);
	all.fix_count = advise(&all.facts, &all.trial, all.fixes);
	rc = is_json ? print_json(&all) : print_text(&all);
	if (rc < 0) {
		(void)fprintf(stderr, "soonctl: cannot write: %s\n", strerror(-rc));
		return EXIT_NONE;
	}
	return verdict(&all.trial);
}
