// SPDX-License-Identifier: Apache-2.0
/*
 * gen.c: generators: two tasks that take turns, and who hears whose cancels.
 *
 * Consumer and body hand the thread to each other directly, so to all other tasks the two are one.
 * The consumer is parked while the body is advanced, and its wait has no abort: a cancel goes down
 * its scopes into those of the body (soon_task.advanced, followed in scope.c), and what the body
 * makes of it ends the wait.
 *
 * Who advances attaches the generator below its own scope before, and cuts it off after, in its own
 * frame: only then may another advance, close or free it.
 */
#include "gen.h"

#include <soon/mem.h>

#include "core.h"
#include "local.h"
#include "switch.h"

#include <string.h>

enum { REFUSED_REPORTED = 2 }; /* emits after the close that are reported */

/* A consumer waits for the body, whatever that waits for. */
static const soon_task *body_of(const struct soon__wait *wait)
{
	return wait->task->advanced;
}

/* Ends a parked task's wait without making it ready: it is handed the thread. */
static soon_task *wait_end(struct soon__wait *wait, ssize_t rc)
{
	soon_task *task = wait->task;

	SOON_ASSERT(task->wait == wait && !wait->is_unparked);
	wait->is_unparked = true;
	wait->rc = rc;
	task->wait = NULL;
	return task;
}

/* Parks the running task and continues another one in its place. */
static ssize_t park_for(struct soon__wait *wait, soon_task *next)
{
	soon_core *core = soon__core;
	soon_task *self = core->sched.current;

	SOON_ASSERT(!self->wait);
	wait->task = self;
	wait->parked_at = core->clock.now;
	atomic_signal_fence(memory_order_release); /* a dump may come at any time */
	self->wait = wait;
	self->state = SOON__TASK_PARKED;
	soon__sched_handoff(core, next);
	SOON_ASSERT(wait->is_unparked);
	return wait->rc;
}

/* Leaves the generator's task in a wait that only the next advance ends. */
static void suspended_init(struct soon_gen *gen, const char *what)
{
	gen->suspended = (struct soon__wait){ .what = what, .task = gen->task };
}

/* The body's side. */

/* What the body's end means for who waits for it. */
static int body_result(const struct soon_gen *gen, int rc)
{
	soon_task *task = gen->task;

	if (rc >= 0)
		return 0;
	if (rc != -ECANCELED)
		return rc;
	if (gen->is_closing)
		return 0;
	if (gen->home.scope.parent->state)
		return rc;
	if (soon__task_base(task)->state)
		return -ESHUTDOWN; /* its own cancel, or that of an opener who leaves */
	soon_report_file(SOON_REPORT_ERROR, -EIO,
		"generator '%s', opened at %s:%d, returned -ECANCELED although nobody was "
		"cancelled",
		task->name, task->site->file, task->site->line);
	return -EIO;
}

/* The message of the failure goes on with it, to the consumer. */
static void hand_message_on(soon_task *from, soon_task *to, int rc)
{
	if (rc >= 0 || !soon__task_message(from, rc))
		return;
	if (to->detail)
		soon_free(to->detail);
	to->detail = from->detail;
	to->detail_rc = rc;
	from->detail = NULL;
}

/* What a generator's task runs. The home group learns of no failure: the consumer gets it. */
static int gen_main(struct soon_gen *gen)
{
	soon_task *task = gen->task;
	int rc = soon__call_words(gen->fn, gen->arg, &gen->ret_item);

	soon__task_returned(task); /* now: the consumer is told before the task's end */
	rc = body_result(gen, rc);
	hand_message_on(task, gen->consumer->task, rc);
	gen->state = SOON__GEN_ENDED;
	soon__unpark(gen->consumer, rc);
	return 0;
}

struct soon_gen *soon__gen_of(const soon_task *task)
{
	if (task->fn != (soon__fn)gen_main)
		return NULL;
	return (struct soon_gen *)(uintptr_t)task->arg;
}

static SOON_COLD int emit_outside(const struct soon_gen *gen)
{
	if (!soon__task_self())
		return soon__not_in_task("emit");
	soon_report_file(SOON_REPORT_ERROR, -EPERM,
		"soon_emit: task '%s' is not the one of the generator '%s', opened at %s:%d",
		soon_task_name(NULL), gen->task->name, gen->task->site->file,
		gen->task->site->line);
	return -EPERM;
}

static SOON_COLD int emit_in_scope(const struct soon_gen *gen)
{
	const struct soon__scope *scope = gen->task->scope;

	soon_report_file(SOON_REPORT_ERROR, -EPROTO,
		"soon_emit: generator '%s' must not emit while a %s that it opened is open (%s:%d)",
		gen->task->name, scope->is_group ? "group" : "scope",
		scope->site ? scope->site->file : "soon_within or soon_shielded",
		scope->site ? scope->site->line : 0);
	return -EPROTO;
}

/* The body takes no notice of its end. Others get a turn, lest it stops the core. */
static SOON_COLD int emit_closed(struct soon_gen *gen)
{
	const soon_task *task = gen->task;
	int rc;

	if (gen->refused_count < REFUSED_REPORTED) {
		gen->refused_count++;
		if (gen->refused_count > 1 && soon__core_debugs(task->core, SOON_DEBUG_ON))
			soon_die("soon_emit: generator '%s', opened at %s:%d, goes on emitting "
				 "although it is being closed",
				task->name, task->site->file, task->site->line);
		soon_report_file(SOON_REPORT_ERROR, -EPROTO,
			"soon_emit: generator '%s', opened at %s:%d, emits although it is being "
			"closed by task '%s'",
			task->name, task->site->file, task->site->line, gen->consumer->task->name);
	}
	/* Counts as one of the failed calls after which an ignored cancel is reported. */
	rc = soon__checkpoint("emit");
	return rc < 0 && rc != -ECANCELED ? rc : -EPROTO;
}

int soon__emit(const void *out, const void *item)
{
	/* The address of its ret_item is what a generator's body was given. */
	struct soon_gen *gen = SOON_CONTAINER_OF((uintptr_t)out, struct soon_gen, ret_item);
	const soon_task *self = soon__task_self();

	if (SOON_UNLIKELY(!self || self != gen->task))
		return emit_outside(gen);
	SOON_ASSERT(gen->state == SOON__GEN_ADVANCED);
	if (SOON_UNLIKELY(gen->is_closing))
		return emit_closed(gen);
	if (SOON_UNLIKELY(self->scope != soon__task_base(gen->task)))
		return emit_in_scope(gen);
	if (gen->ret_item)
		memcpy(gen->ret_item, item, gen->item_bytes);
	gen->state = SOON__GEN_SUSPENDED;
	suspended_init(gen, "emit");
	(void)park_for(&gen->suspended, wait_end(gen->consumer, 1));
	return gen->is_closing ? -ECANCELED : 0;
}

/* The consumer's side. */

/* Brings the generator's scopes in line with what they hang under; none is open within them. */
static void set_parent(struct soon_gen *gen, struct soon__scope *parent)
{
	struct soon__scope *home = &gen->home.scope;
	soon_task *task = gen->task;

	home->parent = parent;
	home->state = home->own | (parent ? parent->state : 0);
	if (task->has_self)
		task->self.state = task->self.own | home->state;
}

/* Hangs the generator under the running task, whose wait this is. */
static void attach(struct soon_gen *gen, struct soon__wait *wait, void *ret_item)
{
	soon_task *self = soon__core->sched.current;
	soon_task *task = gen->task;

	SOON_ASSERT(!self->advanced && !gen->consumer);
	set_parent(gen, self->scope);
	gen->consumer = wait;
	gen->ret_item = ret_item;
	gen->is_idle = (self->mask & SOON__DRAINING) != 0;
	if (gen->is_idle) {
		task->idle_depth++;
		task->mask |= SOON__DRAINING;
	}
	self->advanced = task;
}

static void detach(struct soon_gen *gen)
{
	soon_task *task = gen->task;

	soon__core->sched.current->advanced = NULL;
	set_parent(gen, NULL);
	gen->consumer = NULL;
	if (gen->is_idle && --task->idle_depth == 0)
		task->mask &= (uint8_t)~SOON__DRAINING;
	if (gen->leaver) {
		soon__unpark(gen->leaver, 0);
		gen->leaver = NULL;
	}
}

/* Runs the body until it emits, 1, or ends. */
static int advance(struct soon_gen *gen, void *ret_item, const char *what)
{
	struct soon__wait wait = { .what = what, .holder = body_of };
	ssize_t rc;

	attach(gen, &wait, ret_item);
	gen->state = SOON__GEN_ADVANCED;
	rc = park_for(&wait, wait_end(&gen->suspended, 0));
	SOON_ASSERT(gen->state != SOON__GEN_ADVANCED);
	detach(gen);
	return (int)rc;
}

/* Whether the running task is in the body, or in that of a generator that the body waits for. */
static bool is_inside(const struct soon_gen *gen)
{
	const soon_task *task = soon__core->sched.current;
	const struct soon_gen *own;

	while (task != gen->task) {
		own = soon__gen_of(task);
		if (!own)
			return false;
		task = own->consumer->task;
	}
	return true;
}

static SOON_COLD int busy(const struct soon_gen *gen, const char *func)
{
	int rc = is_inside(gen) ? -EDEADLK : -EBUSY;

	soon_report_file(SOON_REPORT_ERROR, rc,
		"%s: task '%s' %s generator '%s', opened at %s:%d, which task '%s' is %s", func,
		soon_task_name(NULL), rc == -EBUSY ? "cannot have" : "runs inside", gen->task->name,
		gen->task->site->file, gen->task->site->line, gen->consumer->task->name,
		gen->is_closing ? "closing" : "advancing");
	return rc;
}

static SOON_COLD int foreign(const struct soon_gen *gen, const char *func)
{
	soon_report_file(SOON_REPORT_ERROR, -EPERM,
		"%s: generator '%s', opened at %s:%d, lives on another core than the caller '%s'",
		func, gen->task->name, gen->task->site->file, gen->task->site->line,
		soon_task_name(NULL));
	return -EPERM;
}

/* Whether the running task may have it now; if not, the error, reported. */
static int refused(const struct soon_gen *gen, const char *func)
{
	if (SOON_UNLIKELY(gen->task->core != soon__core))
		return foreign(gen, func);
	if (SOON_UNLIKELY(gen->consumer != NULL))
		return busy(gen, func);
	return 0;
}

int soon__iter_next(soon_iter *iter, void *ret_item)
{
	int rc = soon__checkpoint_inline("next");
	struct soon_gen *gen;

	if (SOON_UNLIKELY(rc < 0))
		return rc;
	gen = iter->soon__gen;
	if (SOON_UNLIKELY(!gen)) {
		rc = iter->soon__rc;
		if (rc != -ESHUTDOWN)
			iter->soon__rc = 0;
		return rc;
	}
	rc = refused(gen, "soon_next");
	if (SOON_UNLIKELY(rc < 0))
		return rc;
	return gen->state == SOON__GEN_ENDED ? 0 : advance(gen, ret_item, "next");
}

/* Life. */

static void gen_init(struct soon_gen *gen, soon_task *task, const soon_site *site)
{
	static const soon_group_opts wait_all = { .policy = SOON_WAIT_ALL };

	*gen = (struct soon_gen){ .task = task, .opener = soon__task_self() };
	soon__scope_init(&gen->home.scope, NULL, NULL);
	gen->home.scope.site = site;
	soon__group_init(&gen->home, &wait_all, task->core, site->what);
	gen->home.state = SOON__GROUP_CLOSED; /* to all but the generator's task */
	soon__task_adopt(task, &gen->home, (soon__fn)gen_main, (uint64_t)(uintptr_t)gen, site);
	task->state = SOON__TASK_PARKED;
	suspended_init(gen, "first next");
	task->wait = &gen->suspended;
	gen->next_open = gen->opener->gens;
}

void soon__iter_open(
	soon_iter *iter, soon__fn fn, uint64_t arg, size_t item_bytes, const soon_site *site)
{
	soon_task *self = soon__task_self(), *task;
	const soon_task_opts opts = { .ret_task = &task };
	struct soon_gen *gen;

	*iter = (soon_iter){ 0 };
	if (!self) {
		iter->soon__rc = soon__not_in_task("gen_open");
		return;
	}
	iter->soon__rc = soon__task_make(&self->core->root, &opts, sizeof *gen, &task);
	if (iter->soon__rc < 0)
		return;
	gen = (struct soon_gen *)(void *)((char *)task - ((sizeof *gen + 15) & ~(size_t)15));
	gen_init(gen, task, site);
	gen->fn = fn;
	gen->arg = arg;
	gen->item_bytes = item_bytes;
	/* Complete, before a signal handler that walks the list can come across it. */
	atomic_signal_fence(memory_order_release);
	self->gens = gen;
	iter->soon__gen = gen;
}

static void unlink_open(struct soon_gen *gen)
{
	struct soon_gen **at = &gen->opener->gens;

	while (*at != gen)
		at = &(*at)->next_open;
	*at = gen->next_open;
}

/* A task that never ran ends without having begun. */
static void discard(struct soon_gen *gen)
{
	soon_task *task = gen->task;

	(void)wait_end(&gen->suspended, 0);
	task->state = SOON__TASK_ENDED;
	task->core->sched.live_count--;
	soon__task_drop_locals(task);
	gen->state = SOON__GEN_ENDED;
}

/* Ends a generator that nobody advances, and gives its stack back. */
static int gen_close(struct soon_gen *gen)
{
	int rc = 0;

	SOON_ASSERT(!gen->consumer);
	if (gen->state == SOON__GEN_FRESH) {
		discard(gen);
	} else if (gen->state == SOON__GEN_SUSPENDED) {
		gen->is_closing = true;
		soon__scope_mark(&gen->home.scope, SOON__CANCELLED, SOON_CANCEL_PARENT_EXIT,
			"the generator is closed", gen->task->site);
		rc = advance(gen, NULL, "generator close");
	}
	SOON_ASSERT(gen->state == SOON__GEN_ENDED);
	SOON_ASSERT(!gen->task->gens);
	unlink_open(gen);
	soon__task_free(gen->task); /* and with it the record */
	return rc;
}

int soon__iter_close(soon_iter *iter)
{
	struct soon_gen *gen = iter->soon__gen;
	int rc;

	if (!soon__task_self())
		return soon__not_in_task("gen_close");
	if (!gen)
		return 0;
	rc = refused(gen, "soon_gen_close");
	if (SOON_UNLIKELY(rc < 0))
		return rc;
	rc = gen_close(gen);
	*iter = (soon_iter){ .soon__rc = -ESHUTDOWN };
	return rc;
}

/*
 * The opener leaves while another task advances or closes the generator. What it lent must not be
 * used any more: the body is told to come to its end, and the opener stays until it is let go.
 */
static SOON_COLD void wait_until_let_go(struct soon_gen *gen)
{
	struct soon__wait wait = { .what = "generator's other consumer" };

	soon_report_file(SOON_REPORT_ERROR, -EBUSY,
		"generator '%s', opened at %s:%d, is left by task '%s' while task '%s' is %s it",
		gen->task->name, gen->task->site->file, gen->task->site->line, soon_task_name(NULL),
		gen->consumer->task->name, gen->is_closing ? "closing" : "advancing");
	soon__scope_mark(&gen->home.scope, SOON__CANCELLED, SOON_CANCEL_PARENT_EXIT,
		"the generator's opener left", gen->task->site);
	SOON_ASSERT(!gen->leaver);
	/* Whoever ends the wait takes it off before this frame can end. */
	gen->leaver = &wait; // cppcheck-suppress autoVariables
	(void)soon__park(&wait);
}

static void report_failed_close(const soon_site *site, int rc)
{
	if (rc < 0)
		soon_report_file(SOON_REPORT_ERROR, rc,
			"generator '%s', opened at %s:%d, failed while it was closed: %s",
			site->what, site->file, site->line,
			soon_fail_message() ? soon_fail_message() : "no message");
}

void soon__iter_left(void *iter_of_any_type)
{
	soon_iter *iter = iter_of_any_type;
	struct soon_gen *gen;

	while ((gen = iter->soon__gen) != NULL) {
		const soon_site *site = gen->task->site;

		if (gen->task->core != soon__core)
			return; /* in a forked child, which has no core */
		if (gen->consumer) {
			wait_until_let_go(gen);
			continue;
		}
		report_failed_close(site, gen_close(gen));
		*iter = (soon_iter){ .soon__rc = -ESHUTDOWN };
	}
}

void soon__gens_close_left(soon_task *task)
{
	struct soon_gen *gen;

	while ((gen = task->gens) != NULL) {
		const soon_site *site = gen->task->site;

		if (gen->consumer) {
			wait_until_let_go(gen);
			continue;
		}
		task->core->gens_left++;
		soon_report_file(SOON_REPORT_ERROR, 0,
			"generator '%s', opened at %s:%d in task '%s', was never %sclosed",
			site->what, site->file, site->line, task->name,
			gen->state == SOON__GEN_FRESH ? "advanced nor " : "");
		report_failed_close(site, gen_close(gen));
	}
}
