// SPDX-License-Identifier: Apache-2.0
/*
 * dump.c: the text of a dump. It may be made in a signal handler that interrupted the core
 * anywhere, so it reads records and writes to its own memory, of which each core has a piece.
 *
 * The handler runs to its end before the interrupted code goes on. So what it sees is one moment:
 * a list may be half changed, but it can be walked (see list.h), and a record that can be reached
 * has been filled in. Three passes over the tree: the listing, the circles, the stacks.
 */
#include "dump.h"

#include <soon/assert.h>
#include <soon/debug.h>

#include "core/spi/text.h"

#include "core.h"
#include "describe.h"
#include "symbol.h"
#include "tree.h"
#include "waits.h"
#include "walk.h"

#include <errno.h>
#include <stdatomic.h>
#include <string.h>
#include <unistd.h>

#define ALL_FLAGS                                                                                  \
	((unsigned)SOON_DUMP_NO_STACKS | SOON_DUMP_UNFOLDED | SOON_DUMP_CANCELLED | SOON_DUMP_ALL)

enum {
	TEXT_BYTES = 4096,
	IDS_MAX = 16, /* tasks named above a stack that they share */
	INDENT = 2,
};

/* A stack that one or more tasks have. */
struct fold {
	uint64_t count;
	uint64_t ids[IDS_MAX];
	unsigned frames;
	uintptr_t pcs[SOON_DUMP_FRAMES_MAX];
};

struct soon__dumper {
	struct soon__text text;
	atomic_bool is_busy;      /* for signal handlers of the same thread */
	bool is_dumping;          /* what is_busy is for; else names are lent */
	struct soon__place place; /* where the thread stands, on `running_low`'s stack */
	const char *running_low;  /* of a slot; NULL: on the thread's own stack, or elsewhere */
	unsigned cycles;
	unsigned folds;
	uint64_t unfolded; /* tasks whose stacks found no room */
	struct fold fold[SOON_DUMP_STACKS_MAX];
	uintptr_t pcs[SOON_DUMP_FRAMES_MAX]; /* of the present task */
	struct soon__symbols symbols;
	char buf[TEXT_BYTES];
};

_Static_assert(_Alignof(struct soon__dumper) <= _Alignof(soon_core), "it follows one");

size_t soon__dumper_bytes(void)
{
	return sizeof(struct soon__dumper);
}

static void put_count(struct soon__text *text, uint64_t count, const char *what)
{
	soon__text_uint(text, count);
	soon__text_str(text, what);
}

static void put_heading(struct soon__text *text, soon_core *core)
{
	const struct soon__poller *poller = core->poller;

	soon__text_str(text, "soon: dump of thread ");
	soon__text_int(text, gettid());
	soon__text_str(text, ": ");
	put_count(text, core->sched.live_count, " tasks, ");
	put_count(text, core->sched.ready_count, " ready, ");
	put_count(text, soon__timers_live(&core->timers), " timers, ");
	put_count(text, poller->ops->inflight(core->poller), " operations in flight, ");
	put_count(text, soon__offload_busy(core), " calls on threads");
	soon__text_end_line(text);
}

/* Circles of waits. */

static void put_cycle(const char *line, void *data)
{
	struct soon__dumper *d = data;

	if (d->cycles++ == 0) {
		soon__text_str(&d->text, "these wait for each other:");
		soon__text_end_line(&d->text);
	}
	soon__text_spaces(&d->text, INDENT);
	soon__text_str(&d->text, line);
	soon__text_end_line(&d->text);
}

/* Stacks. */

/* Fills d->pcs with the task's stack; returns how many, 0 when it cannot be known. */
static unsigned stack_of(struct soon__dumper *d, const soon_task *task)
{
	struct soon__place place = d->place;

	if (task->stack_low != d->running_low) {
		/* While it ran, a handler on another stack of the program's asked for the dump. */
		if (task->state == SOON__TASK_RUNNING || task->state == SOON__TASK_ENDED)
			return 0;
		if ((const char *)task->sp < task->stack_low || task->sp >= (const void *)task)
			return 0;
		place = soon__place_of_saved(task->sp);
	}
	return soon__unwind(&place, task->stack_low, task, d->pcs, SOON_DUMP_FRAMES_MAX);
}

static void put_frames(
	struct soon__dumper *d, const uintptr_t *pcs, unsigned count, unsigned indent)
{
	for (unsigned i = 0; i < count; i++) {
		soon__text_spaces(&d->text, indent);
		soon__text_symbol(&d->text, soon__symbol_find(&d->symbols, pcs[i], i > 0));
		soon__text_end_line(&d->text);
	}
}

static void put_own_stack(void *data, const soon_task *task, unsigned indent)
{
	struct soon__dumper *d = data;
	unsigned count = stack_of(d, task);

	put_frames(d, d->pcs, count, indent);
}

static struct fold *fold_of(struct soon__dumper *d, unsigned frames)
{
	struct fold *fold;

	for (unsigned i = 0; i < d->folds; i++) {
		fold = &d->fold[i];
		if (fold->frames == frames &&
			memcmp(fold->pcs, d->pcs, frames * sizeof fold->pcs[0]) == 0)
			return fold;
	}
	if (d->folds == SOON_DUMP_STACKS_MAX)
		return NULL;
	fold = &d->fold[d->folds++];
	fold->count = 0;
	fold->frames = frames;
	memcpy(fold->pcs, d->pcs, frames * sizeof fold->pcs[0]);
	return fold;
}

static void fold_task(struct soon__dumper *d, const soon_task *task)
{
	unsigned frames = stack_of(d, task);
	struct fold *fold;

	if (frames == 0)
		return;
	fold = fold_of(d, frames);
	if (!fold) {
		d->unfolded++;
		return;
	}
	if (fold->count < IDS_MAX)
		fold->ids[fold->count] = task->id;
	fold->count++;
}

static void put_fold(struct soon__dumper *d, const struct fold *fold)
{
	struct soon__text *text = &d->text;

	soon__text_spaces(text, INDENT);
	if (fold->count == 1)
		soon__text_str(text, "1 task with this stack:");
	else
		put_count(text, fold->count, " tasks with this stack:");
	for (unsigned i = 0; i < fold->count && i < IDS_MAX; i++) {
		soon__text_str(text, " #");
		soon__text_uint(text, fold->ids[i]);
	}
	if (fold->count > IDS_MAX)
		soon__text_str(text, " ...");
	soon__text_end_line(text);
	put_frames(d, fold->pcs, fold->frames, 2 * INDENT);
}

static void put_folded_stacks(struct soon__dumper *d, const soon_core *core, unsigned flags)
{
	struct soon__walk walk;
	const soon_task *task;

	d->folds = 0;
	d->unfolded = 0;
	soon__walk_begin(&walk, core);
	while ((task = soon__walk_next_task(&walk)) != NULL)
		if (!(flags & SOON_DUMP_CANCELLED) || soon__task_is_cancelled(task))
			fold_task(d, task);
	if (d->folds == 0)
		return;
	soon__text_str(&d->text, "stacks:");
	soon__text_end_line(&d->text);
	for (unsigned i = 0; i < d->folds; i++)
		put_fold(d, &d->fold[i]);
	if (d->unfolded > 0) {
		soon__text_spaces(&d->text, INDENT);
		put_count(&d->text, d->unfolded,
			" tasks with other stacks: SOON_DUMP_UNFOLDED shows them");
		soon__text_end_line(&d->text);
	}
}

static void find_running_stack(struct soon__dumper *d, const soon_core *core)
{
	struct soon__stack stack;

	d->running_low = soon__stacks_find(&core->stacks, (const void *)d->place.sp, &stack)
		? stack.low
		: NULL;
}

static void put_dump(struct soon__dumper *d, soon_core *core, unsigned flags)
{
	struct soon__tree tree = {
		.text = &d->text,
		.now = soon__clock_peek(&core->clock),
		.tasks_max = flags & SOON_DUMP_ALL ? UINT64_MAX : SOON_DUMP_TASKS_MAX,
		.is_cancelled_only = flags & SOON_DUMP_CANCELLED,
		.data = d,
	};
	bool has_stacks = !(flags & SOON_DUMP_NO_STACKS);

	if (has_stacks && (flags & SOON_DUMP_UNFOLDED))
		tree.below = put_own_stack;
	put_heading(&d->text, core);
	soon__tree_put(&tree, core);
	d->cycles = 0;
	soon__waits_each_cycle(core, put_cycle, d);
	if (has_stacks && !(flags & SOON_DUMP_UNFOLDED))
		put_folded_stacks(d, core, flags);
	soon__text_str(&d->text, "soon: end of dump");
	soon__text_end_line(&d->text);
}

struct soon__symbols *soon__dumper_lend(soon_core *core)
{
	struct soon__dumper *d = core->dumper;

	if (d->is_dumping)
		return &d->symbols;
	if (atomic_exchange_explicit(&d->is_busy, true, memory_order_relaxed))
		return NULL;
	soon__symbols_reset(&d->symbols); /* modules may have come and gone */
	return &d->symbols;
}

void soon__dumper_return(soon_core *core)
{
	if (!core->dumper->is_dumping)
		atomic_store_explicit(&core->dumper->is_busy, false, memory_order_relaxed);
}

static int dump_begin(soon_core *core, int fd, const struct soon__place *place)
{
	struct soon__dumper *d = core->dumper;

	if (!core->is_dumpable)
		return -EPERM;
	if (atomic_exchange_explicit(&d->is_busy, true, memory_order_relaxed))
		return -EBUSY;
	d->is_dumping = true;
	d->place = *place;
	find_running_stack(d, core);
	soon__symbols_reset(&d->symbols); /* modules may have come and gone */
	soon__text_init(&d->text, d->buf, sizeof d->buf, fd);
	return 0;
}

static void dump_end(struct soon__dumper *d)
{
	d->is_dumping = false;
	atomic_store_explicit(&d->is_busy, false, memory_order_relaxed);
}

int soon__dump(soon_core *core, int fd, unsigned flags, const struct soon__place *place)
{
	struct soon__dumper *d = core->dumper;
	int saved = errno, rc;

	if (flags & ~ALL_FLAGS)
		return -EINVAL;
	if (fd < 0)
		return -EBADF;
	rc = dump_begin(core, fd, place);
	if (rc < 0)
		return rc;
	soon__guard_pause(); /* the write may block, which is meant */
	put_dump(d, core, flags);
	soon__text_flush(&d->text);
	soon__guard_resume();
	rc = d->text.rc;
	dump_end(d);
	errno = saved;
	return rc;
}

static struct soon__place place_in(uintptr_t pc, const void *frame)
{
	return (struct soon__place){ .pc = pc, .fp = (uintptr_t)frame, .sp = (uintptr_t)frame };
}

static void report_line(const char *line)
{
	soon_report_file(SOON_REPORT_INFO, 0, "%s", line);
}

void soon__dump_report(soon_core *core)
{
	struct soon__place place =
		place_in((uintptr_t)soon__dump_report, __builtin_frame_address(0));

	SOON_ASSERT(core == soon__core);
	if (dump_begin(core, SOON__TEXT_NO_FD, &place) < 0)
		return; /* one that a signal asked for is under way, or nothing is left to show */
	core->dumper->text.line = report_line;
	put_dump(core->dumper, core, 0);
	dump_end(core->dumper);
}

int soon_dump(int fd, unsigned flags)
{
	struct soon__place place = place_in((uintptr_t)soon_dump, __builtin_frame_address(0));

	return soon__core ? soon__dump(soon__core, fd, flags, &place) : -EPERM;
}
