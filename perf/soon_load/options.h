// SPDX-License-Identifier: Apache-2.0
/* The command line: see soon-load.1. */
#ifndef SOON_LOAD_OPTIONS_H
#define SOON_LOAD_OPTIONS_H

#include "plan.h"

/*
 * Reads the command line into a plan, with the files that it names. A wrong one is told on stderr,
 * and ends the process with EXIT_USAGE, or EXIT_RESOURCES for more than the process may have open.
 */
void options_parse(int argc, char **argv, struct plan *ret_plan);

void plan_free(struct plan *plan);

/* Tells what is the matter on stderr and ends the process. */
_Noreturn void die(int status, const char *format, ...) SOON_PRINTF(2, 3);

#endif
