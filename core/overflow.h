// SPDX-License-Identifier: Apache-2.0
/*
 * overflow.h: says which task ran out of stack, then lets the process die.
 *
 * A stack overflow hits the slot's guard and raises SIGSEGV. The handler runs on an alternate
 * stack (a signal frame needs 12 KiB on processors with wide registers), names the task, and
 * passes the signal on to whoever handled it before, by default to the kernel, which aborts.
 */
#ifndef CORE_OVERFLOW_H
#define CORE_OVERFLOW_H

#include <soon/base.h>

#include <stddef.h>

/* The calling thread's alternate stack, if soon made it. */
struct soon__overflow {
	void *stack; /* NULL: the thread had one already */
	size_t bytes;
};

/* Prepares the calling thread, and once the process. Errors: -ENOMEM. */
int soon__overflow_init(struct soon__overflow *overflow);

/* Takes the alternate stack away again. */
void soon__overflow_fini(struct soon__overflow *overflow);

#endif
