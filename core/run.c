// SPDX-License-Identifier: Apache-2.0
/*
 * run.c: from soon_run() to its return.
 */
#include "run.h"

#include "core.h"
#include "debug.h"
#include "guard.h"
#include "interrupt.h"
#include "log.h"
#include "overflow.h"
#include "quit.h"
#include "stuck.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

enum { TASKS_MAX_DEFAULT = 2 * 1024 * 1024 };

static const soon_ns GRACE_DEFAULT = SOON_S(30);

static void run_init(struct soon__run *run, const struct soon__seams *seams, const soon_opts *opts)
{
	*run = (struct soon__run){ 0 };
	if (seams)
		run->seams = *seams;
	if (opts)
		run->opts = *opts;
	if (!run->opts.stack_bytes)
		run->opts.stack_bytes = SOON__STACK_BYTES_DEFAULT;
	if (!run->opts.tasks_max)
		run->opts.tasks_max = TASKS_MAX_DEFAULT;
	if (!run->opts.grace)
		run->opts.grace = GRACE_DEFAULT;
	soon__pool_init(&run->pool, &run->opts);
	run->debug = soon__debug_of(&run->opts);
}

static void cancel_outer(struct soon__group *group)
{
	soon__scope_mark(
		&group->scope, SOON__CANCELLED, SOON_CANCEL_SHUTDOWN, "the main task ended", NULL);
	if (group->live_count > 0)
		soon__stuck_watch(group);
}

void soon__run_main_ended(struct soon__run *run, soon_core *core)
{
	run->has_main_ended = true;
	soon__interrupt_main_ended(core);
	if (run->seams.main_ended)
		run->seams.main_ended(run->seams.data);
	cancel_outer(&core->service);
	cancel_outer(&core->calls);
}

static int run_result(const soon_core *core)
{
	int main_rc = core->run->main_rc;

	if (core->deadlock_step > 0)
		return -EDEADLK;
	/* A main task that was only cancelled may have been so for a background task's failure. */
	if (main_rc < 0 && main_rc != -ECANCELED)
		return main_rc;
	return core->service.first_rc < 0 ? core->service.first_rc : main_rc;
}

static int run_main(soon_core *core, soon__fn fn, uint64_t arg, const soon_site *site)
{
	soon_task *main_task;
	soon_task_opts opts = { .ret_task = &main_task };
	int rc;

	rc = soon__task_make(&core->root, &opts, 0, &main_task);
	if (rc < 0) {
		soon_report_file(SOON_REPORT_ERROR, rc,
			"soon_run: no stack for the first task; look at `ulimit -v` and "
			"vm.overcommit_memory");
		return rc;
	}
	soon__task_launch(main_task, &core->root, fn, arg, site);
	soon__quit_register(core);
	soon__interrupt_begin(core);
	rc = soon__core_loop(core);
	if (rc < 0)
		soon_die("soon_run: the poller '%s' failed for good: %s", core->poller->ops->name,
			strerrordesc_np(-rc));
	core->run->main_rc = main_task->rc;
	main_task->is_rc_read = true;
	rc = run_result(core);
	soon__quit_unregister(core);
	return rc;
}

int soon__run_on(const struct soon__seams *seams, const soon_opts *opts, soon__fn fn, uint64_t arg,
	const soon_site *site)
{
	struct soon__overflow overflow;
	struct soon__run run;
	soon_core *core;
	int rc;

	if (soon__core) {
		soon_report_file(SOON_REPORT_ERROR, -EBUSY,
			"soon_run(%s) at %s:%d: this thread runs a core already, in task '%s'; "
			"call the function directly",
			site->what, site->file, site->line, soon_task_name(NULL));
		return -EBUSY;
	}
	soon__guard_begin();
	run_init(&run, seams, opts);
	core = soon__core_acquire();
	if (!core)
		return -ENOMEM;
	rc = soon__overflow_init(&overflow);
	if (rc < 0)
		goto out_release;
	rc = soon__core_open(core, &run);
	if (rc < 0)
		goto out_fini;
	rc = run_main(core, fn, arg, site);
	soon__core_close(core);
	soon__interrupt_end(core);
	soon__guard_end();
out_fini:
	soon__overflow_fini(&overflow);
out_release:
	soon__core_release(core);
	soon__log_end_run();
	return rc;
}

int soon__run(const soon_opts *opts, soon__fn fn, uint64_t arg, const soon_site *site)
{
	return soon__run_on(NULL, opts, fn, arg, site);
}
