// SPDX-License-Identifier: Apache-2.0
/*
 * Context switch for AArch64, AAPCS64.
 *
 * The frame of a context that does not run; its stack pointer points at offset 0:
 *
 *	+0	x19, x20	+16	x21, x22	+32	x23, x24
 *	+48	x25, x26	+64	x27, x28	+80	x29, x30
 *	+96	d8, d9		+112	d10, d11	+128	d12, d13
 *	+144	d14, d15	+160	fpcr, unused
 *
 * FPCR is saved always and written only when it differs: the write is slow. The switch leaves by
 * `br`, not `ret`, so that the return predictor of either stack is left alone.
 */
#define FRAME_BYTES 176

	.text

	.globl	soon__switch
	.hidden	soon__switch
	.type	soon__switch, %function
	.balign	64
soon__switch:
	.cfi_startproc
	hint	#34			/* bti c */
	sub	sp, sp, #FRAME_BYTES
	.cfi_adjust_cfa_offset FRAME_BYTES
	stp	x19, x20, [sp, #0]
	.cfi_rel_offset x19, 0
	.cfi_rel_offset x20, 8
	stp	x21, x22, [sp, #16]
	.cfi_rel_offset x21, 16
	.cfi_rel_offset x22, 24
	stp	x23, x24, [sp, #32]
	.cfi_rel_offset x23, 32
	.cfi_rel_offset x24, 40
	stp	x25, x26, [sp, #48]
	.cfi_rel_offset x25, 48
	.cfi_rel_offset x26, 56
	stp	x27, x28, [sp, #64]
	.cfi_rel_offset x27, 64
	.cfi_rel_offset x28, 72
	stp	x29, x30, [sp, #80]
	.cfi_rel_offset x29, 80
	.cfi_rel_offset x30, 88
	stp	d8, d9, [sp, #96]
	stp	d10, d11, [sp, #112]
	stp	d12, d13, [sp, #128]
	stp	d14, d15, [sp, #144]
	mrs	x9, fpcr
	str	x9, [sp, #160]
	mov	x10, sp
	str	x10, [x0]		/* publish the context that stops */
.Lcontinue:
	mov	sp, x1			/* from here on, the other stack; the same frame */
	ldr	x11, [sp, #160]
	cmp	x9, x11
	b.ne	.Lload_fpcr
.Lfpcr_done:
	ldp	x19, x20, [sp, #0]
	ldp	x21, x22, [sp, #16]
	ldp	x23, x24, [sp, #32]
	ldp	x25, x26, [sp, #48]
	ldp	x27, x28, [sp, #64]
	ldp	x29, x30, [sp, #80]
	ldp	d8, d9, [sp, #96]
	ldp	d10, d11, [sp, #112]
	ldp	d12, d13, [sp, #128]
	ldp	d14, d15, [sp, #144]
	.cfi_remember_state
	add	sp, sp, #FRAME_BYTES
	.cfi_def_cfa_offset 0
	.cfi_restore x19
	.cfi_restore x20
	.cfi_restore x21
	.cfi_restore x22
	.cfi_restore x23
	.cfi_restore x24
	.cfi_restore x25
	.cfi_restore x26
	.cfi_restore x27
	.cfi_restore x28
	.cfi_restore x29
	.cfi_restore x30
	br	x30			/* see above; this object asks for no BTI-guarded pages */
	.cfi_restore_state
.Lload_fpcr:
	msr	fpcr, x11
	b	.Lfpcr_done
	.cfi_endproc
	.size	soon__switch, .-soon__switch

/*
 * The first thing a new context runs: x19(x20). Unwinding ends here. What the call returns is the
 * context to continue with; this one ends.
 */
	.type	context_entry, %function
	.balign	16
context_entry:
	.cfi_startproc
	.cfi_undefined x30
	nop				/* unwinders ask about what is before where it continues */
.Lcontext_start:
	hint	#36			/* bti j */
	mov	x0, x20			/* entry_arg */
	mov	x29, #0			/* ends the chain of frame pointers, too */
	mov	x30, #0
	blr	x19			/* entry */
	mrs	x9, fpcr
	mov	x1, x0
	b	.Lcontinue
	.cfi_endproc
	.size	context_entry, .-context_entry

	.globl	soon__context_make
	.hidden	soon__context_make
	.type	soon__context_make, %function
	.balign	16
soon__context_make:
	.cfi_startproc
	hint	#34			/* bti c */
	and	x0, x0, #-16
	sub	x0, x0, #FRAME_BYTES	/* the frame */
	stp	x1, x2, [x0, #0]	/* x19: entry, x20: entry_arg */
	adr	x9, .Lcontext_start
	stp	xzr, x9, [x0, #80]	/* x30: where it continues */
	mrs	x10, fpcr		/* a new context inherits the control word */
	str	x10, [x0, #160]
	ret
	.cfi_endproc
	.size	soon__context_make, .-soon__context_make

	.globl	soon__call_word
	.hidden	soon__call_word
	.type	soon__call_word, %function
	.balign	16
soon__call_word:
	.cfi_startproc
	hint	#34			/* bti c */
	mov	x16, x0			/* fn */
	mov	x0, x1			/* its argument, pointer or integer alike */
	br	x16			/* fn returns to our caller */
	.cfi_endproc
	.size	soon__call_word, .-soon__call_word

	.globl	soon__call_words
	.hidden	soon__call_words
	.type	soon__call_words, %function
	.balign	16
soon__call_words:
	.cfi_startproc
	hint	#34			/* bti c */
	mov	x16, x0			/* fn */
	mov	x0, x1			/* its first argument, pointer or integer alike */
	mov	x1, x2			/* its second, a pointer */
	br	x16			/* fn returns to our caller */
	.cfi_endproc
	.size	soon__call_words, .-soon__call_words

	.section .note.GNU-stack, "", %progbits
