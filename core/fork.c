// SPDX-License-Identifier: Apache-2.0
#include "fork.h"

#include <soon/assert.h>

#include <unistd.h>

/* Of the thread that forked, which is the only one that a child begins with. */
static _Thread_local bool is_left_behind;
static _Thread_local bool is_told;

void soon__fork_note(bool was_on_core)
{
	/* A child's child, made outside a run of its own, is as much left behind as the child. */
	is_left_behind = is_left_behind || was_on_core;
	is_told = false;
}

SOON_COLD int soon__fork_refuse(const char *what)
{
	if (!is_left_behind)
		return 0;
	if (!is_told) {
		is_told = true;
		soon_report_file(SOON_REPORT_ERROR, -EOWNERDEAD,
			"soon_%s: this process, %d, was forked inside a run of its parent, %d, "
			"whose ring, tasks and threads are not here; use soon_proc_spawn instead "
			"of fork, or call exec, _exit or soon_run in the child",
			what, (int)getpid(), (int)getppid());
	}
	return -EOWNERDEAD;
}
