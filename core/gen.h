// SPDX-License-Identifier: Apache-2.0
/*
 * gen.h: the record of a generator.
 *
 * It lies on the generator's own stack, below its task's record. The task is the only child of
 * `home`, a group that nobody opened; that group's scope is where the generator's scopes hang
 * under those of the consumer while it is advanced, and where they are cut off otherwise.
 */
#ifndef CORE_GEN_H
#define CORE_GEN_H

#include <soon/gen.h>

#include "task.h"

enum soon__gen_state {
	SOON__GEN_FRESH,     /* was never advanced */
	SOON__GEN_SUSPENDED, /* its task is in soon_emit */
	SOON__GEN_ADVANCED,  /* its task runs, or waits, for the consumer */
	SOON__GEN_ENDED,     /* its task has ended; only the stack is kept */
};

struct soon_gen {
	struct soon__group home;
	soon_task *task;
	soon_task *opener;
	struct soon_gen *next_open; /* in opener->gens, newest first */
	soon__fn fn;                /* the body */
	uint64_t arg;
	size_t item_bytes;
	void *ret_item;              /* the consumer's, while advanced; its address is soon_out */
	struct soon__wait suspended; /* the task's wait between two advances */
	struct soon__wait *consumer; /* while advanced: of who waits for the body */
	struct soon__wait *leaver;   /* of the opener, who must wait for another's advance */
	uint8_t state;               /* enum soon__gen_state */
	uint8_t refused_count;       /* emits after the close */
	bool is_closing;             /* soon_emit fails */
	bool is_idle;                /* the consumer waits inside SOON_IDLE */
};

/* The generator whose body `task` runs, NULL for other tasks. */
struct soon_gen *soon__gen_of(const soon_task *task);

/* The advanced generator whose home the scope is, NULL for other scopes. */
static inline const struct soon_gen *soon__gen_at(const struct soon__scope *scope)
{
	/* Nobody opened it, and yet it hangs under something: that is its consumer's. */
	if (scope->task || !scope->parent)
		return NULL;
	SOON_ASSERT(scope->is_group);
	return SOON_CONTAINER_OF_CONST(scope, struct soon_gen, home.scope);
}

/* A task has returned with generators open: closes them, the newest first, and reports each. */
void soon__gens_close_left(soon_task *task);

#endif
