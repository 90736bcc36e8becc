// SPDX-License-Identifier: Apache-2.0
/*
 * Context switch for x86-64, System V ABI.
 *
 * The frame of a context that does not run; its stack pointer points at offset 0:
 *
 *	+0	MXCSR (4 bytes)		+4	x87 control word (2 bytes), 2 unused
 *	+8	r12			+16	r13
 *	+24	r14			+32	r15
 *	+40	rbx			+48	rbp
 *	+56	where it continues
 *
 * The control words are saved always, as the ABI asks, and loaded only when they differ from the
 * current ones: loading either costs more than all the rest of the switch.
 *
 * The switch leaves by an indirect jump. `ret` would mispredict on a stack it was not called on,
 * and unbalance the processor's return stack for the functions that follow.
 */
	.text

	.globl	soon__switch
	.hidden	soon__switch
	.type	soon__switch, @function
	.balign	64
soon__switch:
	.cfi_startproc
	endbr64
	leaq	-56(%rsp), %rsp		/* the frame; the return address is its last word */
	.cfi_adjust_cfa_offset 56
	stmxcsr	(%rsp)			/* SSE control and status */
	fnstcw	4(%rsp)			/* x87 control word */
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
	movl	(%rsp), %eax		/* the current control words, for the comparison */
	movzwl	4(%rsp), %ecx
	movq	%rsp, (%rdi)		/* publish the context that stops */
	movq	%rsi, %rsp		/* from here on, the other stack; the same frame lies on it */
	movq	56(%rsp), %rdx		/* where it continues */
	cmpl	(%rsp), %eax
	jne	.Lload_mxcsr
.Lmxcsr_done:
	cmpw	4(%rsp), %cx
	jne	.Lload_x87
.Lx87_done:
	movq	8(%rsp), %r12
	movq	16(%rsp), %r13
	movq	24(%rsp), %r14
	movq	32(%rsp), %r15
	movq	40(%rsp), %rbx
	movq	48(%rsp), %rbp
	.cfi_remember_state
	leaq	64(%rsp), %rsp		/* drop the frame and the return address */
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
.Lload_mxcsr:
	ldmxcsr	(%rsp)
	jmp	.Lmxcsr_done
.Lload_x87:
	fldcw	4(%rsp)
	jmp	.Lx87_done
	.cfi_endproc
	.size	soon__switch, .-soon__switch

/*
 * The first thing a new context runs: rbx(rbp). The undefined return address tells unwinders
 * that nothing lies beyond.
 */
	.type	context_entry, @function
	.balign	16
context_entry:
	.cfi_startproc
	.cfi_undefined rip
	endbr64
	movq	%rbp, %rdi		/* entry_arg */
	xorl	%ebp, %ebp		/* ends the chain of frame pointers, too */
	call	*%rbx			/* entry, never returns */
	ud2
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
	leaq	-64(%rdi), %rax		/* the frame */
	stmxcsr	(%rax)			/* a new context inherits the control words */
	fnstcw	4(%rax)
	movq	%rsi, 40(%rax)		/* rbx: entry */
	movq	%rdx, 48(%rax)		/* rbp: entry_arg */
	leaq	context_entry(%rip), %rcx
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

	.section .note.GNU-stack, "", @progbits
