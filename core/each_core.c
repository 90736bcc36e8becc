// SPDX-License-Identifier: Apache-2.0
/*
 * each_core.c: one function on every core, as a group of calls: a failure of one cancels the
 * others, and what reaches the caller's scope, a cancel or a drain, reaches all.
 */
#include <soon/calls.h>
#include <soon/cores.h>
#include <soon/group.h>

#include "core/spi/park.h"

#include "core.h"
#include "run.h"

struct part {
	soon_core *core;
	soon__fn fn;
	uint64_t arg;
	const soon_site *site;
};

static int run_part(const struct part *part) SOON_SUSPENDS
{
	return soon__call_on(part->core, part->fn, part->arg, part->site);
}

int soon__on_each_core(soon__fn fn, uint64_t arg, const soon_site *site)
{
	soon_task_opts opts = { .name = site->what };
	struct part part = { .fn = fn, .arg = arg, .site = site };
	int rc = soon__checkpoint("on_each_core");
	struct soon__run *run;

	if (rc < 0)
		return rc;
	run = soon__core->run;
	if (soon__core->index == 0 && (rc = soon__cores_start(run)) < 0)
		return rc;
	SOON_GROUP(parts, .name = site->what);
	for (unsigned i = 0; rc == 0 && i < soon__run_running(run); i++) {
		part.core = soon__run_core(run, i);
		rc = soon__spawn_copy(&parts, &opts, (soon__fn)run_part, &part, sizeof part, site);
	}
	return (int)soon_group_close(&parts, rc);
}
