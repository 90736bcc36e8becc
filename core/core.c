// SPDX-License-Identifier: Apache-2.0
/*
 * core.c: the record of a core: where it comes from, and what is in it at a run's start and end.
 */
#include "core.h"

#include <soon/mem.h>

#include "capture.h"
#include "cpus.h"
#include "debug.h"
#include "dump.h"
#include "fork.h"
#include "future.h"
#include "interrupt.h"
#include "quit.h"
#include "run.h"
#include "track.h"

#include <pthread.h>

_Thread_local soon_core *soon__core __attribute__((tls_model("initial-exec")));

/* All cores, and those that no run uses. They are never freed: see core.h. */
static pthread_mutex_t cores_lock = PTHREAD_MUTEX_INITIALIZER;
static soon_core *cores;
static soon_core *free_cores;
static uint64_t runs; /* that this process has begun */

static void lock_cores(void)
{
	(void)pthread_mutex_lock(&cores_lock);
}

static void unlock_cores(void)
{
	(void)pthread_mutex_unlock(&cores_lock);
}

/* In the child of a fork no run goes on, and nobody will take what is posted: see fork.h. */
static void forget_cores(void)
{
	soon__fork_note(soon__core != NULL);
	soon__core = NULL;
	for (soon_core *core = cores; core; core = core->next_core) {
		if (core->live_run) {
			core->is_left_behind = true;
			soon__inbox_forget(&core->inbox);
		}
		core->live_run = 0;
	}
	unlock_cores();
	soon__quit_forget();
	soon__interrupt_forget();
	soon__watch_forget();
	soon__capture_forget();
	soon__track_forget();
	soon__cpus_forget();
}

static void watch_forks(void)
{
	(void)pthread_atfork(lock_cores, unlock_cores, forget_cores);
	soon__futures_watch_forks();
}

bool soon__run_is_live(uint64_t run_id)
{
	bool is_live = false;

	SOON_ASSERT(run_id > 0);
	lock_cores();
	for (const soon_core *core = cores; core && !is_live; core = core->next_core)
		is_live = core->live_run == run_id;
	unlock_cores();
	return is_live;
}

void soon__cores_each(void (*fn)(soon_core *core, void *data), void *data)
{
	lock_cores();
	for (soon_core *core = cores; core; core = core->next_core)
		if (core->live_run)
			fn(core, data);
	unlock_cores();
}

soon_core *soon__core_around(const void *addr)
{
	struct soon__stack stack;
	soon_core *found = NULL;

	if (soon__core && soon__stacks_find(&soon__core->stacks, addr, &stack))
		return soon__core;
	lock_cores();
	for (soon_core *core = cores; core && !found; core = core->next_core) {
		if (core->live_run && soon__stacks_find(&core->stacks, addr, &stack))
			found = core;
	}
	unlock_cores();
	return found;
}

soon_core *soon_core_self(void)
{
	if (soon__core)
		soon__core_share(soon__core);
	return soon__core;
}

void soon__assert_task(const char *func)
{
	if (!soon__task_self())
		soon_die("%s: must be called in a task", func);
}

void soon__assert_core(const char *func)
{
	if (!soon__core)
		soon_die("%s: must be called on a core's thread", func);
}

bool soon_on_core(void)
{
	return soon__core != NULL;
}

struct soon__poller *soon__poller_or_null(void)
{
	return soon__core ? soon__core->poller : NULL;
}

struct soon__poller *soon__poller_self(void)
{
	SOON_ASSERT(soon__core);
	return soon__core->poller;
}

/* What is posted to have a core wake and look: all that there is to do is in the loop. */
static void look(soon_callback *unused)
{
	(void)unused;
}

static soon_core *core_make(void)
{
	soon_core *core = soon_zalloc(sizeof *core + soon__dumper_bytes());

	if (!core)
		return NULL;
	core->dumper = (struct soon__dumper *)(void *)(core + 1);
	core->look_again.fn = look;
	soon__inbox_init(&core->inbox);
	soon__debug_init(core);
	return core;
}

soon_core *soon__core_acquire(void)
{
	static pthread_once_t fork_once = PTHREAD_ONCE_INIT;
	soon_core *core;

	(void)pthread_once(&fork_once, watch_forks);
	lock_cores();
	core = free_cores;
	if (core) {
		free_cores = core->next_free;
	} else {
		core = core_make();
		if (core) {
			core->next_core = cores;
			cores = core;
		}
	}
	if (core)
		core->run_id = core->live_run = ++runs;
	unlock_cores();
	return core;
}

void soon__core_release(soon_core *core)
{
	lock_cores();
	core->live_run = 0;
	core->next_free = free_cores;
	free_cores = core;
	unlock_cores();
}

/* Makes an outermost group; nobody opened it, so nobody's timer or chain knows of it. */
static void outer_group_init(struct soon__group *group, soon_core *core, const char *name)
{
	static const soon_group_opts wait_all = { .policy = SOON_WAIT_ALL };

	soon__scope_init(&group->scope, NULL, NULL);
	soon__group_init(group, &wait_all, core, name);
}

/* Has the core begin a run: all that a run changes is as it was in the first. */
static void core_begin(soon_core *core, struct soon__run *run, unsigned index)
{
	const struct soon__seams *seams = &run->seams;

	core->run = run;
	core->index = index;
	core->opts = run->opts;
	atomic_store_explicit(&core->debug, run->debug, memory_order_relaxed);
	core->clock = (struct soon__clock){ .read = seams->clock_now, .arg = seams->clock };
	soon__spin_init(&core->spin, core->opts.spin);
	soon__timers_init(&core->timers, soon__clock_refresh(&core->clock));
	soon__sched_init(core, seams->sched_seed ? seams->sched_seed + index : 0);
	soon__stacks_init(&core->stacks, core->opts.tasks_max);
	core->lanes = NULL;
	core->tasks_made = 0;
	core->lot = seams->sched_seed + index;
	core->external_count = 0;
	core->gens_left = 0;
	core->trimmed_at = 0;
	core->deadlock_step = 0;
	core->poll_failed_at = 0;
	core->is_ending = core->is_resting = core->is_given_up = false;
	core->end_dump_at = 0;
	/* Relaxed: others of the run learn of the core by a post, which has its own order. */
	atomic_store_explicit(&core->stage, SOON__STAGE_RUNNING, memory_order_relaxed);
	atomic_store_explicit(&core->is_shared, false, memory_order_relaxed);
	atomic_store_explicit(&core->is_empty, false, memory_order_relaxed);
	atomic_store_explicit(&core->is_in_doubt, false, memory_order_relaxed);
	soon__list_init(&core->stuck);
	outer_group_init(&core->root, core, "main");
	outer_group_init(&core->calls, core, "calls");
	outer_group_init(&core->service, core, "service");
}

int soon__core_open(soon_core *core, struct soon__run *run, unsigned index)
{
	int (*poller_open)(const soon_opts *, soon_core *, struct soon__poller **) =
		run->seams.poller_open ? run->seams.poller_open : soon__poller_open;
	int rc;

	soon__core = core;
	soon__inbox_open(&core->inbox);
	core_begin(core, run, index);
	rc = poller_open(&core->opts, core, &core->poller);
	if (rc < 0) {
		soon__inbox_close(&core->inbox);
		soon__core = NULL;
	}
	return rc;
}

static void enter_stage(soon_core *core, enum soon__stage stage)
{
	/* Relaxed: read to be told, nothing is concluded from it. */
	atomic_store_explicit(&core->stage, stage, memory_order_relaxed);
}

void soon__core_close(soon_core *core)
{
	/* Nothing runs any more: the last callbacks may ask for tasks, but must not get them. */
	for (unsigned i = 0; i < SOON__OUTER_COUNT; i++)
		soon__core_outer(core, i)->state = SOON__GROUP_CLOSED;
	enter_stage(core, SOON__STAGE_POSTS);
	soon__inbox_close(&core->inbox);
	enter_stage(core, SOON__STAGE_THREADS);
	soon__offload_stop(core);
	enter_stage(core, SOON__STAGE_IO);
	core->poller->ops->stop(core->poller);
	core->poller->ops->destroy(core->poller);
	core->poller = NULL;
	soon__track_report(core);
	enter_stage(core, SOON__STAGE_STACKS);
	for (unsigned i = 0; i < SOON__OUTER_COUNT; i++) {
		soon__group_release_kept(soon__core_outer(core, i));
		soon__group_free_failures(soon__core_outer(core, i));
	}
	SOON_ASSERT(core->sched.live_count == 0);
	SOON_ASSERT(core->locals_count == 0);
	SOON_ASSERT(soon__timers_live(&core->timers) == 0);
	soon__stacks_fini(&core->stacks);
	enter_stage(core, SOON__STAGE_CLOSED);
	soon__core = NULL;
}
