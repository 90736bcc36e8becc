// SPDX-License-Identifier: Apache-2.0
/* A run of a plan on all its cores, from the look-up of the name to one tally. */
#ifndef SOON_LOAD_RUN_H
#define SOON_LOAD_RUN_H

#include "worker.h"

#define RUN_MESSAGE_BYTES 256

struct outcome {
	struct tally tally;
	char address[SOON_ADDR_TEXT_BYTES]; /* of the server */
	const char *io;                     /* "io_uring", "epoll" */
	bool has_begun;
	char message[RUN_MESSAGE_BYTES]; /* why it ended early, or did not begin; "" */
};

/* Initialises and ends an outcome. Returns 0 or -ENOMEM. */
int outcome_init(struct outcome *outcome);
void outcome_fini(struct outcome *outcome);

/*
 * Runs the plan, in the main task. What was counted until then is in `outcome` also when it fails.
 * Returns 0; -ECANCELED when it was interrupted; -errno when it could not begin or go on.
 */
int run_plan(struct plan *plan, struct outcome *outcome);

/* Asks for each target once and keeps the bodies, for --same-body. */
int probe_bodies(struct run *run, struct targets *targets);

/* Shows how far the run is, on a terminal, until it is cancelled. */
int progress_show(struct run *run);

#endif
