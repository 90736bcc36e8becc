// SPDX-License-Identifier: Apache-2.0
/*
 * run.h: what the cores of a run share, and the run's way from its start to its end.
 *
 * It lies in the frame of soon_run(), on the thread of core 0, and so outlives all that runs.
 */
#ifndef CORE_RUN_H
#define CORE_RUN_H

#include <soon/offload.h>

#include "core/spi/poller.h"

#include <stdbool.h>

struct soon__run {
	soon_opts opts;           /* with the defaults filled in */
	struct soon__seams seams; /* zero: the real things */
	soon_pool pool;           /* of soon_offload(), for all cores */
	unsigned debug;           /* enum soon_debug_flags, at the start */
	bool has_main_ended;
	int main_rc;
};

/*
 * The root of core 0 is empty: from here on only what the main task left in the background, and
 * what others asked for, is waited for.
 */
void soon__run_main_ended(struct soon__run *run, soon_core *core);

#endif
