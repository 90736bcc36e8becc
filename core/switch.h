// SPDX-License-Identifier: Apache-2.0
/*
 * switch.h: what is written in assembly, one file per architecture under arch/.
 *
 * A context that does not run is one word, its stack pointer; the registers that the ABI wants
 * preserved lie in the frame it points to.
 */
#ifndef CORE_SWITCH_H
#define CORE_SWITCH_H

#include <soon/call.h>

#include <stdint.h>

/*
 * Saves the running context to `*save_sp` and continues the one at `next_sp`. Returns when
 * somebody switches back to what was saved. Floating-point control words travel with the context.
 */
void soon__switch(void **save_sp, void *next_sp);

/*
 * Lays out a first frame below `stack_top`, so that switching to the result calls
 * `entry(entry_arg)` on that stack. `entry` must not return. A debugger's unwinding ends there.
 */
void *soon__context_make(void *stack_top, void (*entry)(void *), void *entry_arg);

/* Calls `fn` with one argument word, by the ABI of the function's own type. */
int soon__call_word(soon__fn fn, uint64_t word);

#endif
