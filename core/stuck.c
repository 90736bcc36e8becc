// SPDX-License-Identifier: Apache-2.0
#include "stuck.h"

#include "describe.h"
#include "dump.h"

#include <stdio.h>

enum {
	TASKS_NAMED = 8,
	ORIGIN_BYTES = 200,
};

static struct soon__group *group_of(struct soon__list *link)
{
	return SOON_CONTAINER_OF(link, struct soon__group, extras.stuck);
}

/* Puts the group where its time belongs; nearly always that is the end. */
static void insert(soon_core *core, struct soon__group *group)
{
	struct soon__list *before = core->stuck.prev;

	while (before != &core->stuck && group_of(before)->extras.stuck_at > group->extras.stuck_at)
		before = before->prev;
	soon__list_push_head(before, &group->extras.stuck);
}

void soon__stuck_watch(struct soon__group *group)
{
	soon_core *core = group->core;
	struct soon__group_extras *extras = soon__group_extras(group);

	if (!soon__list_is_empty(&extras->stuck))
		return;
	extras->cancelled_at = soon__core_now(core);
	extras->stuck_at = soon__core_deadline(core, core->opts.grace);
	insert(core, group);
}

void soon__stuck_forget(struct soon__group *group)
{
	if (group->has_extras)
		soon__list_remove(&group->extras.stuck);
}

static void report_tasks(const struct soon__group *group)
{
	const struct soon__list *head = &group->children;
	unsigned count = 0;

	for (const struct soon__list *link = head->next; link != head; link = link->next) {
		char text[SOON__DESCRIBE_BYTES];

		if (count++ == TASKS_NAMED) {
			soon_report_file(SOON_REPORT_WARNING, 0,
				"waited for by group '%s': and %u more", group->name,
				group->live_count - TASKS_NAMED);
			return;
		}
		soon__task_describe(
			SOON_CONTAINER_OF_CONST(link, soon_task, sibling), text, sizeof text);
		soon_report_file(
			SOON_REPORT_WARNING, 0, "waited for by group '%s': %s", group->name, text);
	}
}

/* Where the group was opened; the core's own two were opened by nobody. */
static void write_origin(const struct soon__group *group, char *text, size_t size)
{
	const soon_site *site = group->scope.site;

	if (site)
		(void)snprintf(text, size, "opened at %s:%d,", site->file, site->line);
	else
		(void)snprintf(text, size, "of the run,");
}

/* Who waits in the close of a group below is no cause; that group has its own report. */
static bool has_cause(const struct soon__group *group)
{
	const struct soon__list *head = &group->children;

	for (const struct soon__list *link = head->next; link != head; link = link->next) {
		if (!soon__group_is_closer(SOON_CONTAINER_OF_CONST(link, soon_task, sibling)))
			return true;
	}
	return false;
}

static bool report(const struct soon__group *group, soon_ns now)
{
	char origin[ORIGIN_BYTES];

	if (!has_cause(group))
		return false;
	write_origin(group, origin, sizeof origin);
	soon_report_file(SOON_REPORT_ERROR, -ETIMEDOUT,
		"group '%s', %s has been cancelled for %lld ms, and %u of its tasks have not "
		"ended; the wait goes on",
		group->name, origin, (long long)((now - group->extras.cancelled_at) / SOON_MS(1)),
		group->live_count);
	report_tasks(group);
	return true;
}

/* That the run does not end concerns all that is left of it, so all of it is shown. */
static void dump_end(soon_core *core, soon_ns now, soon_ns waited)
{
	if (!core->is_ending && !(core->root.scope.state & SOON__CANCELLED))
		return;
	if (now < core->end_dump_at)
		return;
	core->end_dump_at = soon__stuck_next_after(now, waited);
	soon__dump_report(core);
}

void soon__stuck_check(soon_core *core)
{
	soon_ns now = soon__core_now(core), longest = 0;

	while (soon__stuck_next(core) <= now) {
		struct soon__group *group = group_of(core->stuck.next);
		soon_ns waited = now - group->extras.cancelled_at;

		if (waited < SOON_MS(1))
			waited = SOON_MS(1);
		soon__list_remove(&group->extras.stuck);
		if (report(group, now) && waited > longest)
			longest = waited;
		group->extras.stuck_at = soon__stuck_next_after(now, waited);
		insert(core, group);
	}
	if (longest > 0)
		dump_end(core, now, longest);
}
