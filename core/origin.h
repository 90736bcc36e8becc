// SPDX-License-Identifier: Apache-2.0
/*
 * origin.h: the calls that led to a task's spawn, kept where stacks are to be debugged.
 *
 * The spawn site, which every task has, says which line it was; these say who came there. They are
 * noted when SOON_DEBUG is 1 or lists `stacks`, or by soon_opts.debug, and added to what reports
 * and dumps say of the task.
 */
#ifndef CORE_ORIGIN_H
#define CORE_ORIGIN_H

#include "core/spi/text.h"

#include "task.h"

#define SOON__ORIGIN_CALLS 12 /* the innermost ones; the first few are our own */

struct soon__origin {
	uintptr_t pcs[SOON__ORIGIN_CALLS];
	unsigned count;
};

/* Notes from where the running task, or thread, spawns. */
void soon__origin_note(soon_core *core, struct soon__origin *ret_origin);

/* Adds "from parse < serve < main_task"; nothing when it was not noted. Signal-safe. */
void soon__text_origin(struct soon__text *text, const soon_task *task);

#endif
