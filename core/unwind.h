// SPDX-License-Identifier: Apache-2.0
/*
 * unwind.h: the calls that led to where a task stands, by frame pointers.
 *
 * The library keeps frame pointers, so the way from a parked task down to the function that called
 * soon is always found. Beyond, it goes on as far as the program was built with
 * -fno-omit-frame-pointer; where it was not, it ends, or leaves a function out. What is read is
 * bounded by the task's stack, so that whatever lies there, nothing else is touched: fit for
 * signal handlers.
 */
#ifndef CORE_UNWIND_H
#define CORE_UNWIND_H

#include <stddef.h>
#include <stdint.h>

/* Where a context stands. */
struct soon__place {
	uintptr_t pc;
	uintptr_t fp;
	uintptr_t sp;
};

/* Of a context that does not run, from its saved stack pointer. */
struct soon__place soon__place_of_saved(const void *sp);

/* Of what a signal handler interrupted, from its third argument. */
struct soon__place soon__place_of_signal(const void *ucontext);

/*
 * Writes the program counters from `place` outwards, at most `max`, and returns how many. All but
 * the first are return addresses. Only [low, high), the stack, is read.
 */
unsigned soon__unwind(const struct soon__place *place, const void *low, const void *high,
	uintptr_t *ret_pcs, unsigned max);

#endif
