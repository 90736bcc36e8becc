// SPDX-License-Identifier: Apache-2.0
/* What the test kit sees of a core. Groups nest deeper than a stack, hence the work list. */
#include "core/spi/watch.h"

#include "core.h"

static void push_children(const struct soon__group *group, soon_task **work)
{
	for (struct soon__list *link = group->children.next; link != &group->children;
		link = link->next) {
		soon_task *child = SOON_CONTAINER_OF(link, soon_task, sibling);

		child->work = *work;
		*work = child;
	}
}

void soon__watch_tasks(soon__live_fn *fn, void *data)
{
	soon_core *core = soon__core;
	soon_task *work = NULL;

	SOON_ASSERT(core);
	push_children(&core->root, &work);
	push_children(&core->service, &work);
	while (work) {
		soon_task *task = work;

		work = task->work;
		for (struct soon__scope *s = task->scope; s != &task->group->scope; s = s->parent) {
			if (s->is_group)
				push_children((struct soon__group *)s, &work);
		}
		if (task == core->sched.current)
			continue;
		fn(
			&(struct soon__live_task){
				.name = task->name,
				.site = task->site,
				.what = task->wait ? task->wait->what : NULL,
				.timer_at = task->armed_at,
			},
			data);
	}
}

size_t soon__watch_timers(void)
{
	SOON_ASSERT(soon__core);
	return soon__timers_live(&soon__core->timers);
}

unsigned soon__watch_generators_left(void)
{
	SOON_ASSERT(soon__core);
	return soon__core->gens_left;
}

bool soon__watch_has_work(void)
{
	SOON_ASSERT(soon__core);
	return soon__core->sched.ready_count > 0 || soon__inbox_is_due(&soon__core->inbox);
}

unsigned soon__watch_external(void)
{
	SOON_ASSERT(soon__core);
	return soon__core->external_count;
}

uint64_t soon__watch_switches(void)
{
	SOON_ASSERT(soon__core);
	return soon__core->sched.switch_count;
}
