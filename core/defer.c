// SPDX-License-Identifier: Apache-2.0
/*
 * defer.c: what a group's owner does on every way out of the group, before anything is cancelled
 * for the end.
 */
#include <soon/mem.h>

#include "core.h"
#include "switch.h"

struct soon__defer {
	struct soon__defer *next;
	soon__fn fn;
	uint64_t arg;
	const soon_site *site;
};

int soon__group_defer(soon_group *group, soon__fn fn, uint64_t arg, const soon_site *site)
{
	struct soon__group *g = soon__group_of(group);
	struct soon__group_extras *extras;
	struct soon__defer *defer;

	if (!soon__scope_is_here(&g->scope, "soon_group_defer"))
		return -EPERM;
	if (g->state != SOON__GROUP_OPEN)
		return -ESHUTDOWN;
	defer = soon_malloc(sizeof *defer);
	if (!defer)
		return -ENOMEM;
	*defer = (struct soon__defer){ .fn = fn, .arg = arg, .site = site };
	extras = soon__group_extras(g);
	*extras->defers_tail = defer;
	extras->defers_tail = &defer->next;
	return 0;
}

void soon__group_run_defers(struct soon__group *group)
{
	struct soon__group_extras *extras = &group->extras;
	struct soon__defer *defer;

	/* One at a time: what is called may still add to the list, or close the group itself. */
	while ((defer = extras->defers) != NULL) {
		int rc;

		extras->defers = defer->next;
		if (!extras->defers)
			extras->defers_tail = &extras->defers;
		rc = soon__call_word(defer->fn, defer->arg);
		if (rc < 0)
			soon_report_file(SOON_REPORT_ERROR, rc,
				"%s, deferred at %s:%d to the close of group '%s', failed",
				defer->site->what, defer->site->file, defer->site->line,
				group->name);
		soon_free(defer);
	}
}
