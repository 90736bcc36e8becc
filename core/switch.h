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
 * somebody switches back to what was saved. Floating-point rounding and masks travel with it.
 */
#if defined(__x86_64__)
#ifdef __AVX512F__
#define SOON__CLOBBER_MASKS , "k0", "k1", "k2", "k3", "k4", "k5", "k6", "k7"
#else
#define SOON__CLOBBER_MASKS
#endif

static inline __attribute__((always_inline)) void soon__switch(void **save_sp, void *next_sp)
{
	/* A jump instead of a call, for the sake of return prediction: see switch_x86_64.S. */
	__asm__ volatile("leaq 1f(%%rip), %%rdx\n\t"
			 "jmp soon__switch_jump\n"
			 "1:"
			 : "+D"(save_sp), "+S"(next_sp)
			 :
			 : "rax", "rcx", "rdx", "r8", "r9", "r10", "r11", "xmm0", "xmm1", "xmm2",
			 "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8", "xmm9", "xmm10", "xmm11",
			 "xmm12", "xmm13", "xmm14", "xmm15" SOON__CLOBBER_MASKS, "memory", "cc");
}
/* Of the saved frame, for who looks at a context from outside: where it continues, rbp. */
#define SOON__CONTEXT_PC    56
#define SOON__CONTEXT_FP    48
#define SOON__CONTEXT_BYTES 192
#else
void soon__switch(void **save_sp, void *next_sp);

#define SOON__CONTEXT_PC    88 /* x30 */
#define SOON__CONTEXT_FP    80 /* x29 */
#define SOON__CONTEXT_BYTES 176
#endif

/*
 * Lays out a first frame below `stack_top`, so that switching to the result calls
 * `entry(entry_arg)` on that stack. What `entry` returns is the stack pointer of the context to
 * continue with; the one that returned is gone. A debugger's unwinding ends there.
 */
void *soon__context_make(void *stack_top, void *(*entry)(void *), void *entry_arg);

/* Calls `fn` with one argument word, by the ABI of the function's own type. */
int soon__call_word(soon__fn fn, uint64_t word);

/* As above, for a function that takes a pointer besides. */
int soon__call_words(soon__fn fn, uint64_t word, const void *second);

#endif
