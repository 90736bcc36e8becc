// SPDX-License-Identifier: Apache-2.0
#include "origin.h"

#include "core.h"
#include "dump.h"
#include "symbol.h"
#include "unwind.h"

void soon__origin_note(soon_core *core, struct soon__origin *ret_origin)
{
	const void *frame = __builtin_frame_address(0);
	struct soon__place place = {
		.pc = (uintptr_t)soon__origin_note,
		.fp = (uintptr_t)frame,
		.sp = (uintptr_t)frame,
	};
	struct soon__stack stack;

	/* Of the thread's own stack the bounds are not known. */
	if (soon__stacks_find(&core->stacks, frame, &stack))
		ret_origin->count = soon__unwind(
			&place, stack.low, stack.top, ret_origin->pcs, SOON__ORIGIN_CALLS);
	else
		ret_origin->count = 0;
}

void soon__text_origin(struct soon__text *text, const soon_task *task)
{
	const struct soon__origin *origin = task->origin;
	struct soon__symbols *symbols;

	if (!origin || origin->count < 2)
		return;
	symbols = soon__dumper_lend(task->core);
	if (!symbols)
		return;
	soon__text_str(text, " from ");
	/* The first one is who noted it. */
	for (unsigned i = 1; i < origin->count; i++) {
		const struct soon__symbol *symbol =
			soon__symbol_find(symbols, origin->pcs[i], true);

		if (i > 1)
			soon__text_str(text, " < ");
		soon__text_str(text, symbol->name[0] ? symbol->name : "?");
	}
	soon__dumper_return(task->core);
}
