// SPDX-License-Identifier: Apache-2.0
#include "unwind.h"

#include "fiber_san.h"
#include "switch.h"

#include <dlfcn.h>
#include <stdbool.h>
#include <ucontext.h>

/* A frame's first two words, on both architectures: the caller's frame, where it continues. */
struct frame {
	uintptr_t fp;
	uintptr_t pc;
};

/* Frames lie where a sanitizer may keep red zones; we read what a debugger would. */
static SOON__SAN_NONE uintptr_t load(uintptr_t at)
{
	uintptr_t word = *(const volatile uintptr_t *)at;

	soon__san_word_known(&word);
	return word;
}

struct soon__place soon__place_of_saved(const void *sp)
{
	uintptr_t at = (uintptr_t)sp;

	return (struct soon__place){
		.pc = load(at + SOON__CONTEXT_PC),
		.fp = load(at + SOON__CONTEXT_FP),
		.sp = at + SOON__CONTEXT_BYTES,
	};
}

struct soon__place soon__place_of_signal(const void *ucontext)
{
	const ucontext_t *context = ucontext;

#if defined(__x86_64__)
	return (struct soon__place){
		.pc = (uintptr_t)context->uc_mcontext.gregs[REG_RIP],
		.fp = (uintptr_t)context->uc_mcontext.gregs[REG_RBP],
		.sp = (uintptr_t)context->uc_mcontext.gregs[REG_RSP],
	};
#else
	return (struct soon__place){
		.pc = context->uc_mcontext.pc,
		.fp = context->uc_mcontext.regs[29],
		.sp = context->uc_mcontext.sp,
	};
#endif
}

/* Whether code may be there: in some loaded module. Data on the stack that looks like a frame is
 * mostly found out by this. */
static bool is_code(uintptr_t pc)
{
	struct dl_find_object found;

	/* Signal-safe and without a lock, by glibc's promise. */
	return pc != 0 && _dl_find_object((void *)(pc - 1), &found) == 0;
}

unsigned soon__unwind(const struct soon__place *place, const void *low, const void *high,
	uintptr_t *ret_pcs, unsigned max)
{
	uintptr_t fp = place->fp, lowest = (uintptr_t)low;
	unsigned count = 0;

	if (place->sp > lowest && place->sp < (uintptr_t)high)
		lowest = place->sp;
	if (count < max)
		ret_pcs[count++] = place->pc;
	/* Each frame lies above the one before, so the loop ends. */
	while (count < max && fp >= lowest && fp % sizeof fp == 0 &&
		fp <= (uintptr_t)high - sizeof(struct frame)) {
		uintptr_t pc = load(fp + offsetof(struct frame, pc));

		if (!is_code(pc))
			break;
		ret_pcs[count++] = pc;
		lowest = fp + sizeof(struct frame);
		fp = load(fp + offsetof(struct frame, fp));
	}
	return count;
}
