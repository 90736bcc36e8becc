// SPDX-License-Identifier: Apache-2.0
/*
 * cores.c: the cores beyond the first: their threads, from their start to their join.
 *
 * They start together. Each opens its core on its own thread and says by a post to core 0 how that
 * went; a task there waits meanwhile. When one could not start, those that did leave again, and
 * all is as before.
 */
#include <soon/cores.h>
#include <soon/mem.h>

#include "core/spi/park.h"

#include "capture.h"
#include "clock.h"
#include "core.h"
#include "cpus.h"
#include "overflow.h"
#include "quit.h"
#include "run.h"
#include "sigmask.h"

#include <stdio.h>
#include <string.h>

enum {
	NAME_BYTES = 16, /* of the kernel, the end included */
	CALLS_BYTES = 400,
};

/* A task that waits for the start. */
struct starter {
	struct soon__list link; /* in run->starters */
	struct soon__wait wait;
};

static struct soon__member *member_at(const struct soon__run *run, unsigned index)
{
	SOON_ASSERT(index > 0 && index < run->core_count);
	return &run->members[index - 1];
}

unsigned soon__cores_count(struct soon__run *run)
{
	unsigned quota = soon__cpus_quota();

	if (run->core_count > 0)
		return run->core_count;
	if (!run->affinity.set)
		soon__affinity_read(&run->affinity);
	run->core_count = quota > 0 && quota < run->affinity.count ? quota : run->affinity.count;
	if (run->core_count > SOON_CORES_MAX)
		run->core_count = SOON_CORES_MAX;
	return run->core_count;
}

/* ---- on the member's thread -------------------------------------------------------------- */

static int member_open(struct soon__member *member, struct soon__overflow *overflow)
{
	int rc = soon__overflow_init(overflow);

	if (rc < 0)
		return rc;
	rc = soon__core_open(member->core, member->run, member->index);
	if (rc < 0)
		soon__overflow_fini(overflow);
	return rc;
}

static void *member_main(void *arg)
{
	struct soon__member *member = arg;
	struct soon__run *run = member->run;
	soon_core *core = member->core;
	struct soon__overflow overflow;
	char name[NAME_BYTES];
	int rc;

	(void)snprintf(name, sizeof name, "soon-core-%u", member->index);
	(void)pthread_setname_np(pthread_self(), name);
	if (run->is_pinned)
		soon__affinity_pin(&run->affinity, run->pinned_from, member->index);
	member->rc = member_open(member, &overflow);
	if (member->rc == 0)
		soon__quit_register(core);
	rc = member->rc;
	if (soon_post(run->first, &member->came_up) < 0)
		soon_die("core %u: core 0 did not wait for its start", member->index);
	if (rc < 0)
		return NULL;
	soon__core_loop(core);
	soon__quit_unregister(core);
	soon__core_close(core);
	soon__overflow_fini(&overflow);
	return NULL;
}

/* ---- on core 0 --------------------------------------------------------------------------- */

static void report_start(const struct soon__run *run, unsigned index, int rc, const char *advice)
{
	soon_report_file(SOON_REPORT_ERROR, rc, "core %u of %u could not be started: %s%s", index,
		run->core_count, strerrordesc_np(-rc), advice);
}

static void came_up(soon_callback *callback);

static void ignore(soon_callback *unused)
{
	(void)unused;
}

static int member_start(struct soon__run *run, struct soon__member *member, unsigned index)
{
	int rc;

	*member = (struct soon__member){
		.run = run,
		.index = index,
		.came_up.fn = came_up,
		.all_rest.fn = ignore,
	};
	member->core = soon__core_acquire();
	if (!member->core)
		return -ENOMEM;
	rc = pthread_create(&member->thread, NULL, member_main, member);
	if (rc == 0) {
		member->has_thread = true;
		return 0;
	}
	soon__core_release(member->core);
	member->core = NULL;
	return -rc;
}

static void pin(struct soon__run *run)
{
	static atomic_bool has_warned;
	unsigned quota = soon__cpus_quota();

	if (!run->affinity.set)
		soon__affinity_read(&run->affinity);
	if (run->core_count > run->affinity.count &&
		!atomic_exchange_explicit(&has_warned, true, memory_order_relaxed))
		soon_report_file(SOON_REPORT_WARNING, 0,
			"%u cores share %u processors: they take turns, and none is faster for it",
			run->core_count, run->affinity.count);
	/*
	 * Under a quota there are more processors than may be used at a time, and every process in
	 * that position would choose the same ones.
	 */
	if (run->opts.no_pin || !run->affinity.set || (quota > 0 && quota < run->affinity.count))
		return;
	run->is_pinned = true;
	run->pinned_from = sched_getcpu();
	soon__affinity_pin(&run->affinity, run->pinned_from, 0);
}

static void unpin(struct soon__run *run)
{
	if (run->is_pinned)
		soon__affinity_unpin(&run->affinity);
	run->is_pinned = false;
}

static enum soon__cores_state state_of(const struct soon__run *run)
{
	return atomic_load_explicit(&run->cores_state, memory_order_relaxed);
}

static void enter_state(struct soon__run *run, enum soon__cores_state state)
{
	/* Release: pairs with soon__run_running(). */
	atomic_store_explicit(&run->cores_state, state, memory_order_release);
}

static void members_free(struct soon__run *run)
{
	for (unsigned i = 1; i < run->core_count; i++) {
		if (member_at(run, i)->core)
			soon__core_release(member_at(run, i)->core);
	}
	soon_free(run->members);
	run->members = NULL;
	unpin(run);
}

/* Starts the threads; negative when not even one could be. */
static int begin(struct soon__run *run)
{
	unsigned open = SOON__OPEN_CAPTURE | (run->opts.no_dump_signal ? 0u : SOON__OPEN_DUMP);
	sigset_t before;
	int rc = 0;

	run->members = soon_zalloc((run->core_count - 1) * sizeof *run->members);
	if (!run->members) {
		report_start(run, 1, -ENOMEM, "");
		return -ENOMEM;
	}
	pin(run);
	run->starting = 0;
	soon__sigmask_block(open, &before);
	for (unsigned i = 1; rc == 0 && i < run->core_count; i++) {
		rc = member_start(run, member_at(run, i), i);
		if (rc == 0)
			run->starting++;
		else
			report_start(run, i, rc,
				rc == -EAGAIN ? "; look at `ulimit -u` and pids.max" : "");
	}
	soon__sigmask_restore(&before);
	run->start_rc = rc;
	if (run->starting > 0) {
		enter_state(run, SOON__CORES_STARTING);
		return 0;
	}
	members_free(run);
	return rc;
}

static void give_up_there(soon_callback *callback)
{
	soon_core *core = SOON_CONTAINER_OF(callback, struct soon__member, end)->core;

	core->is_ending = core->is_given_up = true;
}

/* Not all came up: those that did leave again. A moment each, for they have done nothing yet. */
static void give_up(struct soon__run *run)
{
	for (unsigned i = 1; i < run->core_count; i++) {
		struct soon__member *member = member_at(run, i);

		member->end.fn = give_up_there;
		if (member->has_thread && member->rc == 0 &&
			soon_post(member->core, &member->end) < 0)
			soon_die("core %u: ended before it was used", i);
	}
	for (unsigned i = 1; i < run->core_count; i++)
		if (member_at(run, i)->has_thread)
			(void)pthread_join(member_at(run, i)->thread, NULL);
	members_free(run);
	enter_state(run, SOON__CORES_NONE);
}

static void came_up(soon_callback *callback)
{
	struct soon__member *member = SOON_CONTAINER_OF(callback, struct soon__member, came_up);
	struct soon__run *run = member->run;
	struct soon__list *link;

	if (member->rc < 0) {
		report_start(run, member->index, member->rc, "");
		if (run->start_rc == 0)
			run->start_rc = member->rc;
	}
	SOON_ASSERT(run->starting > 0);
	if (--run->starting > 0)
		return;
	if (run->start_rc == 0) {
		enter_state(run, SOON__CORES_RUNNING);
		/* Relaxed: we are busy ourselves, so nobody concludes anything from it yet. */
		atomic_fetch_add_explicit(&run->busy, run->core_count - 1, memory_order_relaxed);
		if (run->first->is_ending)
			soon__run_tell_end(run);
	} else {
		give_up(run);
	}
	while ((link = soon__list_pop(&run->starters)) != NULL)
		soon__unpark(&SOON_CONTAINER_OF(link, struct starter, link)->wait, run->start_rc);
}

int soon__cores_start(struct soon__run *run)
{
	struct starter starter = { .wait = { .what = "start of cores", .is_external = true } };
	int rc = 0;

	if (state_of(run) == SOON__CORES_RUNNING || soon__cores_count(run) == 1)
		return 0;
	if (state_of(run) == SOON__CORES_NONE)
		rc = begin(run);
	if (rc < 0)
		return rc;
	soon__list_push_tail(&run->starters, &starter.link);
	return (int)soon__park(&starter.wait);
}

static void member_join(const struct soon__run *run, const struct soon__member *member)
{
	static const char *const doing[] = {
		[SOON__STAGE_RUNNING] = "runs tasks",
		[SOON__STAGE_AT_REST] = "is at rest",
		[SOON__STAGE_POSTS] = "runs its last posts",
		[SOON__STAGE_THREADS] = "waits for its threads for blocking calls",
		[SOON__STAGE_IO] = "waits for operations in the kernel",
		[SOON__STAGE_STACKS] = "gives its stacks back",
		[SOON__STAGE_CLOSED] = "is closed, and its thread does not end",
	};
	soon_ns timeout = run->opts.grace, waited = 0;

	for (;;) {
		struct timespec end = soon__clock_wall_after(timeout);
		char calls[CALLS_BYTES];

		if (pthread_timedjoin_np(member->thread, NULL, &end) == 0)
			return;
		waited += timeout;
		timeout = waited;
		soon__capture_write(member->thread, calls, sizeof calls);
		soon_report_file(SOON_REPORT_ERROR, -ETIMEDOUT,
			"core %u has not closed for %lld ms: it %s, in %s; the wait goes on",
			member->index, (long long)(waited / SOON_MS(1)),
			doing[atomic_load_explicit(&member->core->stage, memory_order_relaxed)],
			calls);
	}
}

void soon__cores_join(struct soon__run *run)
{
	if (run->members) {
		for (unsigned i = run->core_count - 1; i > 0; i--)
			member_join(run, member_at(run, i));
		members_free(run);
	}
	soon__affinity_free(&run->affinity);
}

bool soon__cores_others_are_empty(const struct soon__run *run, const soon_core *core)
{
	for (unsigned i = 0; i < soon__run_running(run); i++) {
		const soon_core *other = soon__run_core(run, i);

		if (other != core && !atomic_load_explicit(&other->is_empty, memory_order_seq_cst))
			return false;
	}
	return true;
}

/* ---- for the program --------------------------------------------------------------------- */

unsigned soon_core_count(void)
{
	soon_core *core = soon__core;

	if (!core)
		return 0;
	return core->index > 0 ? core->run->core_count : soon__cores_count(core->run);
}

unsigned soon_core_running(void)
{
	return soon__core ? soon__run_running(soon__core->run) : 0;
}

unsigned soon_core_index(const soon_core *core)
{
	if (!core)
		core = soon__core;
	return core ? core->index : 0;
}

int soon_core_cpus(size_t bytes, void *ret_set)
{
	const struct soon__run *run = soon__core ? soon__core->run : NULL;

	if (!run || !run->is_pinned)
		return 0;
	if (run->affinity.bytes > bytes)
		return -EINVAL;
	memcpy(ret_set, run->affinity.set, run->affinity.bytes);
	return (int)run->affinity.bytes;
}

int soon_core_at(unsigned index, soon_core **ret_core)
{
	soon_core *core = soon__core;
	int rc = 0;

	if (!soon__task_self())
		return soon__not_in_task("soon_core_at");
	if (index >= soon_core_count())
		return -EINVAL;
	if (core->index == 0)
		rc = index > 0 ? soon__cores_start(core->run) : 0;
	if (rc < 0)
		return rc;
	*ret_core = soon__run_core(core->run, index);
	soon__core_share(*ret_core);
	return 0;
}
