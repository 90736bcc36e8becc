// SPDX-License-Identifier: Apache-2.0
/*
 * tree.h: the part of a dump that shows groups, tasks and scopes as an indented tree.
 */
#ifndef CORE_TREE_H
#define CORE_TREE_H

#include "core/spi/text.h"

#include "walk.h"

struct soon__tree {
	struct soon__text *text;
	soon_ns now;
	uint64_t tasks_max;     /* listed; the others are counted */
	bool is_cancelled_only; /* leaves out tasks that are not cancelled */

	/* Adds lines below a task's; NULL: nothing. */
	void (*below)(void *data, const soon_task *task, unsigned indent);
	void *data;

	/* The rest is the tree's own. */
	uint64_t listed, left_out; /* tasks */
	unsigned scopes;           /* of the present task */
	unsigned scopes_depth;     /* how far they are indented */
	bool is_skipping;          /* the present task is not shown, nor are its scopes */
};

/* Adds the tree of `core`; what is above is set, the rest zero. Signal-safe. */
void soon__tree_put(struct soon__tree *tree, const soon_core *core);

#endif
