// SPDX-License-Identifier: Apache-2.0
/*
 * A depth-first search that keeps its path in the tasks, because there may be more of them than any
 * stack or buffer here could hold. A task carries the number of the last search that met it, one
 * number while it is on the path and another when all behind it has been looked at.
 */
#include "waits.h"

#include "core/spi/text.h"

#include "core.h"
#include "describe.h"
#include "walk.h"

#include <stdatomic.h>

enum { CYCLE_TASKS_MAX = 6 }; /* named in one line */

struct search {
	soon_core *core;
	uint32_t on_path; /* values of soon_task.seen */
	uint32_t done;
	void (*fn)(const char *line, void *data);
	void *data;
};

/* The group that the task waits to close; NULL for none. */
static struct soon__group *closing_group(const soon_task *task)
{
	struct soon__scope *scope = task->scope;
	struct soon__group *group = (struct soon__group *)(void *)scope;

	if (!task->wait || !scope->is_group || scope->task != task)
		return NULL;
	return group->closer == task->wait ? group : NULL;
}

/* The one that `task` waits for after `last`; NULL when there is no further one. */
static soon_task *next_awaited(struct search *search, soon_task *task, const soon_task *last)
{
	struct soon__group *group = closing_group(task);
	const struct soon__list *link;
	const soon_task *next;

	if (group) {
		link = last ? last->sibling.next : group->children.next;
		if (link == &group->children)
			return NULL;
		next = (const void *)((const char *)link - offsetof(struct soon_task, sibling));
	} else {
		next = last ? NULL : soon__task_holder(task);
	}
	if (!next || !soon__walk_is_task(search->core, next) || next->state == SOON__TASK_ENDED)
		return NULL;
	return (soon_task *)(uintptr_t)next; /* it gets our marks */
}

static void put_waiting(struct soon__text *text, const soon_task *task)
{
	soon__text_task_name(text, task);
	soon__text_str(text, " (");
	soon__text_str(text, task->wait ? task->wait->what : "ready");
	soon__text_str(text, ") -> ");
}

/* The path from `first` to `last` closes to a circle. */
static void tell_cycle(const struct search *search, const soon_task *first, const soon_task *last)
{
	char line[SOON__CYCLE_BYTES];
	struct soon__text text;
	const soon_task *task = first;
	unsigned left_out = 0;

	soon__text_init(&text, line, sizeof line, SOON__TEXT_NO_FD);
	for (unsigned count = 0; task != last; task = task->seen_next) {
		if (count++ < CYCLE_TASKS_MAX)
			put_waiting(&text, task);
		else
			left_out++;
	}
	if (left_out > 0) {
		soon__text_str(&text, "... ");
		soon__text_uint(&text, left_out);
		soon__text_str(&text, " more ... -> ");
	}
	put_waiting(&text, last);
	soon__text_task_name(&text, first);
	search->fn(line, search->data);
}

/* Follows all that `task` waits for, there and back again. */
static void search_from(struct search *search, soon_task *task)
{
	const soon_task *last = NULL;

	task->seen = search->on_path;
	task->seen_from = NULL;
	while (task) {
		soon_task *next = next_awaited(search, task, last);

		if (!next) {
			task->seen = search->done;
			last = task;
			task = task->seen_from;
			continue;
		}
		last = next;
		if (next->seen == search->on_path) {
			tell_cycle(search, next, task);
		} else if (next->seen != search->done) {
			task->seen_next = next;
			next->seen_from = task;
			next->seen = search->on_path;
			task = next;
			last = NULL;
		}
	}
}

void soon__waits_each_cycle(soon_core *core, void (*fn)(const char *line, void *data), void *data)
{
	struct search search = { .core = core, .fn = fn, .data = data };
	struct soon__walk walk;
	const soon_task *task;

	/* A signal, or `fn`, asks for a dump: the marks of this search must last to its end. */
	if (core->is_searching)
		return;
	core->is_searching = true;
	atomic_signal_fence(memory_order_seq_cst);
	search.on_path = ++core->searches;
	search.done = ++core->searches;
	soon__walk_begin(&walk, core);
	while ((task = soon__walk_next_task(&walk)) != NULL)
		if (task->seen != search.done)
			search_from(&search, (soon_task *)(uintptr_t)task); /* only to be marked */
	atomic_signal_fence(memory_order_seq_cst);
	core->is_searching = false;
}
