// SPDX-License-Identifier: Apache-2.0
#include "sched.h"

#include "core.h"
#include "switch.h"

enum {
	SLICE_SWITCHES = 16,   /* between two looks at the time-stamp counter */
	SLICE_TICKS = 1 << 20, /* a pass goes back to the loop after some 0.3 to 0.5 ms */
	PASSES_UNASKED = 4,    /* of these, for one the inbox and the poller are asked */
	PASSES_MAX = 32,       /* passes in a row that may skip the loop */
	INLINE_MAX = 128,      /* calls in a row that may finish without parking */
};

void soon__sched_init(soon_core *core, uint64_t seed)
{
	struct soon__sched *sched = &core->sched;

	*sched = (struct soon__sched){ .seed = seed };
	sched->tail = &sched->head;
	sched->inline_left = INLINE_MAX;
	soon__sched_time_steps(sched, false);
	soon__san_adopt_thread(&sched->loop_san);
}

void soon__sched_time_steps(struct soon__sched *sched, bool is_on)
{
	sched->slice_every = is_on ? 1 : SLICE_SWITCHES;
	sched->slice_left = sched->slice_every;
}

static soon_task *queue_pop(struct soon__sched *sched)
{
	soon_task *task = sched->head;

	SOON_ASSERT(task);
	SOON_ASSERT(task->state == SOON__TASK_READY);
	sched->head = task->next;
	if (sched->head) {
		/* Of many ready tasks each is cold: the next ones arrive while this one runs. */
		__builtin_prefetch(sched->head->sp);
		__builtin_prefetch((char *)sched->head->sp + 192);
		__builtin_prefetch(sched->head->next);
	} else {
		sched->tail = &sched->head;
	}
	sched->ready_count--;
	sched->pass_left--;
	return task;
}

/* The next value of splitmix64: good enough to shuffle with, and one word of state. */
static uint64_t random_next(uint64_t *state)
{
	uint64_t z = *state += UINT64_C(0x9e3779b97f4a7c15);

	z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
	return z ^ (z >> 31);
}

/* Puts the queue into an order that depends on the seed only: each task goes to one of two ends. */
static void queue_shuffle(struct soon__sched *sched)
{
	soon_task *old = sched->head;

	sched->head = NULL;
	sched->tail = &sched->head;
	while (old) {
		soon_task *task = old;

		old = task->next;
		if (random_next(&sched->seed) & 1) {
			task->next = sched->head;
			sched->head = task;
			if (!task->next)
				sched->tail = &task->next;
		} else {
			task->next = NULL;
			*sched->tail = task;
			sched->tail = &task->next;
		}
	}
}

/*
 * Whether the next pass may start without a visit to the loop: nothing waits for it there. Passes
 * of one or two tasks are shorter than the question, so it is asked for every fourth of them.
 */
static bool pass_can_skip_loop(soon_core *core)
{
	struct soon__sched *sched = &core->sched;

	if (sched->skip_left == 0)
		return false;
	sched->skip_left--;
	return sched->skip_left % PASSES_UNASKED != 0 ||
		!(soon__inbox_is_due(&core->inbox) || core->poller->ops->is_due(core->poller));
}

/* Kept out of line: it is rare, and the path around it is not. */
static __attribute__((noinline)) bool slice_is_over(soon_core *core)
{
	struct soon__sched *sched = &core->sched;

	sched->slice_left = sched->slice_every;
	/* A slow step is told from the loop. */
	if (SOON_UNLIKELY(sched->slice_every == 1) && soon__watch_step(core))
		return true;
	return soon__clock_ticks() - sched->slice_ticks > SLICE_TICKS;
}

/* Takes the task to run next out of the queue; NULL for the loop. */
static soon_task *pick(soon_core *core)
{
	struct soon__sched *sched = &core->sched;

	/* First, for here each step ends: also those after which the loop comes. */
	if (SOON_UNLIKELY(--sched->slice_left == 0) && slice_is_over(core))
		return NULL;
	if (sched->pass_left == 0) {
		if (sched->ready_count == 0 || !pass_can_skip_loop(core))
			return NULL;
		sched->pass_left = sched->ready_count;
	}
	return queue_pop(sched);
}

/* Frees what sanitizers would not let us free on its own stack. */
static inline void reap_dead(struct soon__sched *sched)
{
	if (SOON__SAN_ACTIVE && sched->dead) {
		soon_task *task = sched->dead;

		sched->dead = NULL;
		soon__task_free(task);
	}
}

/* One step is over. A plain addition: nobody else writes it. */
static inline void count_switch(struct soon__sched *sched)
{
	atomic_store_explicit(
		&sched->switch_count, soon__sched_switches(sched) + 1, memory_order_relaxed);
}

static inline void run_next(struct soon__sched *sched, soon_task *next)
{
	sched->current = next;
	sched->inline_left = INLINE_MAX;
	if (next)
		next->state = SOON__TASK_RUNNING;
}

void soon__sched_arrive(soon_core *core)
{
	struct soon__sched *sched = &core->sched;

	soon__san_arrive(&sched->current->san, &sched->loop_san);
	reap_dead(sched);
}

/* Leaves `self`, which is no longer the current task, for `next`, NULL for the loop. */
static inline void switch_to(soon_core *core, soon_task *self, soon_task *next)
{
	struct soon__sched *sched = &core->sched;

	soon__san_leave(&self->san, next ? &next->san : &sched->loop_san, false);
	soon__switch(&self->sp, next ? next->sp : sched->loop_sp);
	soon__san_arrive(&self->san, &sched->loop_san);
	reap_dead(sched);

	/* A task never moves: what it cached of thread-local addresses is still true. */
	SOON_ASSERT(soon__core == core);
	SOON_ASSERT(sched->current == self);
}

void soon__sched_switch(soon_core *core)
{
	soon_task *self = core->sched.current;
	soon_task *next = pick(core);

	count_switch(&core->sched);
	run_next(&core->sched, next);
	if (next != self)
		switch_to(core, self, next);
}

void soon__sched_handoff(soon_core *core, soon_task *next)
{
	soon_task *self = core->sched.current;

	SOON_ASSERT(next != self);
	SOON_ASSERT(next->core == core);
	SOON_ASSERT(next->state == SOON__TASK_PARKED && !next->wait);

	/* The calls that may finish without parking are counted on: the two have one turn. */
	count_switch(&core->sched);
	core->sched.current = next;
	next->state = SOON__TASK_RUNNING;
	switch_to(core, self, next);
}

void soon__sched_yield(soon_core *core)
{
	soon__sched_ready(core, core->sched.current);
	soon__sched_switch(core);
}

void *soon__sched_exit(soon_core *core)
{
	struct soon__sched *sched = &core->sched;
	soon_task *self = sched->current;
	soon_task *next = pick(core);
	void *next_sp = next ? next->sp : sched->loop_sp;

	sched->live_count--;
	count_switch(sched);
	run_next(sched, next);
	if (SOON__SAN_ACTIVE) {
		/* The tools must not see another instruction of a fiber after its last switch. */
		sched->dead = self->has_handle ? NULL : self;
		soon__san_leave(&self->san, next ? &next->san : &sched->loop_san, true);
		soon__switch(&self->sp, next_sp);
		__builtin_unreachable();
	}
	/*
	 * The stack goes to the free ones while we still run on it. Nothing can take it before we
	 * have left: returning is all that follows.
	 */
	if (!self->has_handle)
		soon__task_free(self);
	return next_sp;
}

void soon__sched_pass(soon_core *core)
{
	struct soon__sched *sched = &core->sched;
	soon_task *next;

	SOON_ASSERT(!sched->current);
	SOON_ASSERT(sched->ready_count > 0);
	if (sched->pass_left == 0) {
		if (sched->seed)
			queue_shuffle(sched);
		sched->pass_left = sched->ready_count;
	}
	sched->skip_left = sched->seed ? 0 : PASSES_MAX; /* each pass is shuffled, in the loop */
	sched->slice_left = sched->slice_every;
	sched->slice_ticks = soon__clock_ticks();
	if (SOON_UNLIKELY(sched->slice_every == 1))
		soon__watch_pass(core);
	next = queue_pop(sched);
	run_next(sched, next);
	soon__san_leave(&sched->loop_san, &next->san, false);
	soon__switch(&sched->loop_sp, next->sp);
	soon__san_arrive(&sched->loop_san, &sched->loop_san);
	reap_dead(sched);
	SOON_ASSERT(!sched->current);
	if (SOON_UNLIKELY(sched->slice_every == 1))
		soon__watch_pass_done(core);
}
