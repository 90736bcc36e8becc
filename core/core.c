// SPDX-License-Identifier: Apache-2.0
/*
 * core.c: the loop of a core, and the run around it.
 */
#include "core.h"

#include <soon/mem.h>

#include "deadlock.h"
#include "dump.h"
#include "future.h"
#include "origin.h"
#include "overflow.h"
#include "quit.h"
#include "stuck.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

enum {
	TASKS_MAX_DEFAULT = 2 * 1024 * 1024,
	POSTS_PER_PASS = 256,
};

static const soon_ns TRIM_PERIOD = SOON_S(1);
static const soon_ns GRACE_DEFAULT = SOON_S(30);

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

/*
 * The child of a fork inside a task has the task's stack, but neither the ring nor the threads:
 * for it there is no core, and no run goes on. It may call exec or _exit, or begin a run; every
 * suspending call outside that gives -EPERM.
 */
static void forget_cores(void)
{
	soon__core = NULL;
	for (soon_core *core = cores; core; core = core->next_core)
		core->live_run = 0;
	unlock_cores();
	soon__quit_forget();
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
		soon__core->is_shared = true;
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

static soon_core *core_make(void)
{
	soon_core *core = soon_zalloc(sizeof *core + soon__dumper_bytes());

	if (!core)
		return NULL;
	core->dumper = (struct soon__dumper *)(void *)(core + 1);
	soon__inbox_init(&core->inbox);
	return core;
}

/* Takes a free core, or makes one, and gives it the number of a new run. */
static soon_core *core_acquire(void)
{
	soon_core *core;

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

static void core_release(soon_core *core)
{
	lock_cores();
	core->live_run = 0;
	core->next_free = free_cores;
	free_cores = core;
	unlock_cores();
}

/* What a run asks for goes before what the environment does. */
static void debug_fill(soon_core *core)
{
	struct soon__debug debug = { .is_on = core->opts.debug > 0, .has_stacks = true };

	if (!core->opts.debug)
		debug = soon__debug_parse(getenv("SOON_DEBUG"));
	core->opts.debug = debug.is_on ? 1 : -1;
	core->has_origins = debug.is_on && debug.has_stacks;
}

static void opts_fill(soon_opts *opts, const soon_opts *given)
{
	*opts = given ? *given : (soon_opts){ 0 };
	if (!opts->stack_bytes)
		opts->stack_bytes = SOON__STACK_BYTES_DEFAULT;
	if (!opts->tasks_max)
		opts->tasks_max = TASKS_MAX_DEFAULT;
	if (!opts->grace)
		opts->grace = GRACE_DEFAULT;
}

/* Makes an outermost group; nobody opened it, so nobody's timer or chain knows of it. */
static void outer_group_init(struct soon__group *group, soon_core *core, const char *name)
{
	static const soon_group_opts wait_all = { .policy = SOON_WAIT_ALL };

	soon__scope_init(&group->scope, NULL, NULL);
	soon__group_init(group, &wait_all, core, name);
}

static int core_open(soon_core *core, const struct soon__seams *seams, const soon_opts *opts)
{
	int (*poller_open)(const soon_opts *, soon_core *, struct soon__poller **) =
		seams && seams->poller_open ? seams->poller_open : soon__poller_open;

	opts_fill(&core->opts, opts);
	debug_fill(core);
	core->clock = (struct soon__clock){ 0 };
	core->main_ended_hook = seams ? seams->main_ended : NULL;
	core->hook_data = seams ? seams->data : NULL;
	if (seams) {
		core->clock.read = seams->clock_now;
		core->clock.arg = seams->clock;
	}
	soon__timers_init(&core->timers, soon__clock_refresh(&core->clock));
	soon__sched_init(core, seams ? seams->sched_seed : 0);
	soon__stacks_init(&core->stacks, core->opts.tasks_max);
	core->offload = NULL;
	core->tasks_made = 0;
	core->lot = seams ? seams->sched_seed : 0;
	core->external_count = 0;
	core->gens_left = 0;
	core->is_shared = false;
	core->has_main_ended = false;
	core->trimmed_at = 0;
	core->deadlock_step = 0;
	soon__list_init(&core->stuck);
	outer_group_init(&core->root, core, "main");
	outer_group_init(&core->service, core, "service");
	return poller_open(&core->opts, core, &core->poller);
}

static void timers_fire(soon_core *core)
{
	soon_ns now = soon__core_now(core);
	struct soon__timer *timer;

	while ((timer = soon__timers_pop_due(&core->timers, now)) != NULL)
		soon__task_timer_fired(SOON_CONTAINER_OF(timer, soon_task, timer), now);
}

/* The main task has ended: from here on only what it left in the background is waited for. */
static void main_ended(soon_core *core)
{
	core->has_main_ended = true;
	if (core->main_ended_hook)
		core->main_ended_hook(core->hook_data);
	soon__scope_mark(&core->service.scope, SOON__CANCELLED, SOON_CANCEL_SHUTDOWN,
		"the main task ended", NULL);
	if (core->service.live_count > 0)
		soon__stuck_watch(&core->service);
}

static bool is_done(soon_core *core)
{
	if (core->root.live_count > 0)
		return false;
	if (!core->has_main_ended)
		main_ended(core);
	return core->service.live_count == 0;
}

/*
 * Idle for now: gives back the stacks that a burst left behind. Looks again one period later for
 * what was still warm, then sleeps without a wake-up.
 */
static soon_ns idle_trim(soon_core *core, soon_ns until)
{
	soon_ns now;

	if (!soon__stacks_can_trim(&core->stacks))
		return until;
	now = soon__core_now(core);
	if (now - core->trimmed_at >= TRIM_PERIOD) {
		core->trimmed_at = now;
		soon__stacks_trim(&core->stacks);
		if (!soon__stacks_can_trim(&core->stacks))
			return until;
	}
	return until < core->trimmed_at + TRIM_PERIOD ? until : core->trimmed_at + TRIM_PERIOD;
}

/* Has the poller wait until something happens; posts ring it, timers bound it. */
static int core_sleep(soon_core *core)
{
	soon_ns until = soon__timers_next(&core->timers);
	int rc;

	if (SOON_UNLIKELY(until == SOON_NEVER) && soon__deadlock_is_proven(core) &&
		!soon__inbox_is_due(&core->inbox)) {
		soon__deadlock_break(core);
		return 0;
	}
	if (soon__stuck_next(core) < until)
		until = soon__stuck_next(core);
	until = idle_trim(core, until);
	if (!soon__inbox_prepare_sleep(&core->inbox))
		until = 0; /* something was posted meanwhile */
	rc = core->poller->ops->poll(core->poller, until);
	soon__inbox_awake(&core->inbox);
	(void)soon__clock_refresh(&core->clock);
	return rc;
}

static int core_loop(soon_core *core)
{
	int rc = 0;

	while (!is_done(core)) {
		if (core->sched.ready_count > 0)
			soon__sched_pass(core);
		/* Asked first: that main has ended makes those it left in the background ready. */
		if (!is_done(core) && core->sched.ready_count == 0 &&
			!soon__inbox_is_due(&core->inbox))
			rc = core_sleep(core);
		else if (core->poller->ops->is_due(core->poller))
			rc = core->poller->ops->poll(core->poller, 0);
		if (rc < 0)
			return rc;
		timers_fire(core);
		if (SOON_UNLIKELY(!soon__list_is_empty(&core->stuck)))
			soon__stuck_check(core);
		(void)soon__inbox_drain(&core->inbox, POSTS_PER_PASS);
	}
	return 0;
}

/* The order of the end: posts are refused, accepted ones run, threads and the kernel let go. */
static void core_close(soon_core *core)
{
	/* Nothing runs any more: the last callbacks may ask for tasks, but must not get them. */
	core->root.state = SOON__GROUP_CLOSED;
	core->service.state = SOON__GROUP_CLOSED;
	soon__inbox_close(&core->inbox);
	soon__offload_stop(core);
	core->poller->ops->stop(core->poller);
	core->poller->ops->destroy(core->poller);
	core->poller = NULL;
	soon__group_release_kept(&core->root);
	soon__group_release_kept(&core->service);
	soon__group_free_failures(&core->root);
	soon__group_free_failures(&core->service);
	SOON_ASSERT(core->sched.live_count == 0);
	SOON_ASSERT(core->locals_count == 0);
	SOON_ASSERT(soon__timers_live(&core->timers) == 0);
	soon__stacks_fini(&core->stacks);
}

static int run_result(const soon_core *core)
{
	if (core->deadlock_step > 0)
		return -EDEADLK;
	/* A main task that was only cancelled may have been so for a background task's failure. */
	if (core->main_rc < 0 && core->main_rc != -ECANCELED)
		return core->main_rc;
	return core->service.first_rc < 0 ? core->service.first_rc : core->main_rc;
}

static int run_core(soon_core *core, soon__fn fn, uint64_t arg, const soon_site *site)
{
	soon_task *main_task;
	soon_task_opts opts = { .ret_task = &main_task };
	int rc;

	rc = soon__task_make(&core->root, &opts, 0, &main_task);
	if (rc < 0) {
		soon_report_file(SOON_REPORT_ERROR, rc,
			"soon_run: no stack for the first task; look at `ulimit -v` and "
			"vm.overcommit_memory");
		core_close(core);
		return rc;
	}
	soon__task_launch(main_task, &core->root, fn, arg, site);
	soon__quit_register(core);
	rc = core_loop(core);
	if (rc < 0)
		soon_die("soon_run: the poller '%s' failed for good: %s", core->poller->ops->name,
			strerrordesc_np(-rc));
	core->main_rc = main_task->rc;
	main_task->is_rc_read = true;
	rc = run_result(core);
	soon__quit_unregister(core);
	core_close(core);
	return rc;
}

int soon__run_on(const struct soon__seams *seams, const soon_opts *opts, soon__fn fn, uint64_t arg,
	const soon_site *site)
{
	static pthread_once_t fork_once = PTHREAD_ONCE_INIT;
	struct soon__overflow overflow;
	soon_core *core;
	int rc;

	(void)pthread_once(&fork_once, watch_forks);

	if (soon__core) {
		soon_report_file(SOON_REPORT_ERROR, -EBUSY,
			"soon_run(%s) at %s:%d: this thread runs a core already, in task '%s'; "
			"call the function directly",
			site->what, site->file, site->line, soon_task_name(NULL));
		return -EBUSY;
	}
	core = core_acquire();
	if (!core)
		return -ENOMEM;
	rc = soon__overflow_init(&overflow);
	if (rc < 0)
		goto out;
	soon__core = core;
	soon__inbox_open(&core->inbox);
	rc = core_open(core, seams, opts);
	if (rc == 0)
		rc = run_core(core, fn, arg, site);
	else
		soon__inbox_close(&core->inbox);
	soon__core = NULL;
	soon__overflow_fini(&overflow);
out:
	core_release(core);
	return rc;
}

int soon__run(const soon_opts *opts, soon__fn fn, uint64_t arg, const soon_site *site)
{
	return soon__run_on(NULL, opts, fn, arg, site);
}
