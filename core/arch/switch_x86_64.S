// SPDX-License-Identifier: Apache-2.0
/*
 * Context switch for x86-64, System V ABI.
 *
 * The frame of a context that does not run; its stack pointer points at offset 0:
 *
 *	+0	x87 control word (2 bytes), 6 unused
 *	+8	r12			+16	r13
 *	+24	r14			+32	r15
 *	+40	rbx			+48	rbp
 *	+56	where it continues	+64	128 bytes, the red zone of who switched
 *
 * Rounding mode and exception masks travel with a context. Both are kept twice by the processor,
 * in the x87 control word and in MXCSR, and all of <fenv.h> sets both alike. So the x87 word alone
 * is saved and compared; when it differs, MXCSR gets the same rounding and masks. Storing MXCSR,
 * too, would make the switch twice as slow (12 cycles on Zen 4, whatever else is done meanwhile).
 * What only MXCSR has, flush-to-zero and denormals-are-zero, belongs to the thread.
 *
 * soon__switch() comes here by a jump and leaves by one. The processor predicts a `ret` from a
 * stack of the calls it saw; a call here would leave one too many on it, and every return of the
 * functions that follow would be mispredicted (measured: a yield of 22 ns instead of 8).
 */
#define X87_ROUNDING		0x0c00
#define X87_MASKS		0x003f
#define MXCSR_ROUNDING_SHIFT	3	/* from its place in the x87 word */
#define MXCSR_MASKS_SHIFT	7
#define MXCSR_KEPT		0xffff807f	/* all but rounding and masks */

	.text

	.globl	soon__switch_jump
	.hidden	soon__switch_jump
	.type	soon__switch_jump, @function
	.balign	64
soon__switch_jump:		/* rdi: save_sp, rsi: next_sp, rdx: where the caller continues */
	.cfi_startproc
	.cfi_def_cfa_offset 0
	.cfi_register rip, rdx
	leaq	-192(%rsp), %rsp
	.cfi_adjust_cfa_offset 192
	movq	%rdx, 56(%rsp)
	.cfi_rel_offset rip, 56
	fnstcw	(%rsp)
	movq	%r12, 8(%rsp)
	.cfi_rel_offset r12, 8
	movq	%r13, 16(%rsp)
	.cfi_rel_offset r13, 16
	movq	%r14, 24(%rsp)
	.cfi_rel_offset r14, 24
	movq	%r15, 32(%rsp)
	.cfi_rel_offset r15, 32
	movq	%rbx, 40(%rsp)
	.cfi_rel_offset rbx, 40
	movq	%rbp, 48(%rsp)
	.cfi_rel_offset rbp, 48
	movzwl	(%rsp), %ecx		/* the current control word, for the comparison */
	movq	%rsp, (%rdi)		/* publish the context that stops */
.Lcontinue:
	movq	%rsi, %rsp		/* from here on, the other stack; the same frame is on it */
	movq	56(%rsp), %rdx		/* where it continues */
	cmpw	(%rsp), %cx
	jne	.Lload_control
.Lcontrol_done:
	movq	8(%rsp), %r12
	movq	16(%rsp), %r13
	movq	24(%rsp), %r14
	movq	32(%rsp), %r15
	movq	40(%rsp), %rbx
	movq	48(%rsp), %rbp
	.cfi_remember_state
	leaq	192(%rsp), %rsp
	.cfi_def_cfa_offset 0
	.cfi_register rip, rdx
	.cfi_restore r12
	.cfi_restore r13
	.cfi_restore r14
	.cfi_restore r15
	.cfi_restore rbx
	.cfi_restore rbp
	notrack jmp *%rdx
	.cfi_restore_state
.Lload_control:
	movzwl	(%rsp), %ecx		/* the control word to come */
	movl	%ecx, %eax
	andl	$X87_ROUNDING, %eax
	shll	$MXCSR_ROUNDING_SHIFT, %eax
	andl	$X87_MASKS, %ecx
	shll	$MXCSR_MASKS_SHIFT, %ecx
	orl	%ecx, %eax
	stmxcsr	4(%rsp)			/* the unused bytes of the frame */
	movl	4(%rsp), %ecx
	andl	$MXCSR_KEPT, %ecx
	orl	%ecx, %eax
	movl	%eax, 4(%rsp)
	ldmxcsr	4(%rsp)
	fldcw	(%rsp)
	jmp	.Lcontrol_done
	.cfi_endproc
	.size	soon__switch_jump, .-soon__switch_jump

/*
 * The first thing a new context runs: rbx(rbp). The undefined return address tells unwinders
 * that nothing lies beyond. What the call returns is the context to continue with; this one ends,
 * with as many returns as calls, so that the predictions of the next one still hold.
 */
	.type	context_entry, @function
	.balign	16
context_entry:
	.cfi_startproc
	.cfi_undefined rip
	nop				/* unwinders ask about the byte before where it continues */
.Lcontext_start:
	endbr64
	movq	%rbp, %rdi		/* entry_arg */
	xorl	%ebp, %ebp		/* ends the chain of frame pointers, too */
	call	*%rbx			/* entry */
	fnstcw	-8(%rsp)
	movzwl	-8(%rsp), %ecx
	movq	%rax, %rsi
	jmp	.Lcontinue
	.cfi_endproc
	.size	context_entry, .-context_entry

	.globl	soon__context_make
	.hidden	soon__context_make
	.type	soon__context_make, @function
	.balign	16
soon__context_make:
	.cfi_startproc
	endbr64
	andq	$-16, %rdi		/* at the entry's call the stack has to be aligned to 16 */
	leaq	-192(%rdi), %rax	/* the frame */
	fnstcw	(%rax)			/* a new context inherits the control word */
	movq	%rsi, 40(%rax)		/* rbx: entry */
	movq	%rdx, 48(%rax)		/* rbp: entry_arg */
	leaq	.Lcontext_start(%rip), %rcx
	movq	%rcx, 56(%rax)		/* where it continues */
	ret
	.cfi_endproc
	.size	soon__context_make, .-soon__context_make

	.globl	soon__call_word
	.hidden	soon__call_word
	.type	soon__call_word, @function
	.balign	16
soon__call_word:
	.cfi_startproc
	endbr64
	movq	%rdi, %rax		/* fn */
	movq	%rsi, %rdi		/* its argument, pointer or integer alike */
	jmp	*%rax			/* fn returns to our caller */
	.cfi_endproc
	.size	soon__call_word, .-soon__call_word

	.globl	soon__call_words
	.hidden	soon__call_words
	.type	soon__call_words, @function
	.balign	16
soon__call_words:
	.cfi_startproc
	endbr64
	movq	%rdi, %rax		/* fn */
	movq	%rsi, %rdi		/* its first argument, pointer or integer alike */
	movq	%rdx, %rsi		/* its second, a pointer */
	jmp	*%rax			/* fn returns to our caller */
	.cfi_endproc
	.size	soon__call_words, .-soon__call_words

	.section .note.GNU-stack, "", @progbits
