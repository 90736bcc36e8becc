// SPDX-License-Identifier: Apache-2.0
/*
 * rawcall.h: system calls that touch neither errno nor anything else of the C library, for a child
 * that shares its parent's memory, and with it the parent's thread-local storage. Private to net/.
 */
#ifndef NET_RAWCALL_H
#define NET_RAWCALL_H

#include <stdint.h>
#include <sys/syscall.h>

/* Returns what the kernel does: a result, or a negative errno. */
#if defined(__x86_64__)

static inline long soon__rawcall(long number, long a, long b, long c, long d, long e)
{
	register long r10 __asm__("r10") = d;
	register long r8 __asm__("r8") = e;
	long rc;

	__asm__ volatile("syscall"
			 : "=a"(rc)
			 : "a"(number), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8)
			 : "rcx", "r11", "memory");
	return rc;
}

/*
 * As clone(2): the child calls `fn(arg)`, which must not return, on a stack of its own whose end
 * is aligned to 16. Not the C library's: sanitizers take that one for a fork.
 */
static inline long soon__rawclone(
	// NOLINTNEXTLINE(readability-non-const-parameter): the kernel writes through it
	unsigned long flags, char *stack_end, int *ret_pidfd, void (*fn)(void *), void *arg)
{
	register long r10 __asm__("r10") = 0;
	register long r8 __asm__("r8") = 0;
	void **top = (void **)(void *)stack_end;
	long rc;

	*--top = arg;
	*--top = (void *)(uintptr_t)fn;
	__asm__ volatile(
		"syscall\n\t"
		"testq %%rax, %%rax\n\t"
		"jnz 1f\n\t"
		"xorl %%ebp, %%ebp\n\t" /* the outermost frame */
		"popq %%rax\n\t"
		"popq %%rdi\n\t"
		"callq *%%rax\n\t"
		"hlt\n"
		"1:"
		: "=a"(rc)
		: "a"((long)SYS_clone), "D"(flags), "S"(top), "d"(ret_pidfd), "r"(r10), "r"(r8)
		: "rcx", "r11", "memory");
	return rc;
}

#elif defined(__aarch64__)

static inline long soon__rawcall(long number, long a, long b, long c, long d, long e)
{
	register long x8 __asm__("x8") = number;
	register long x0 __asm__("x0") = a;
	register long x1 __asm__("x1") = b;
	register long x2 __asm__("x2") = c;
	register long x3 __asm__("x3") = d;
	register long x4 __asm__("x4") = e;

	__asm__ volatile("svc 0"
			 : "+r"(x0)
			 : "r"(x8), "r"(x1), "r"(x2), "r"(x3), "r"(x4)
			 : "memory");
	return x0;
}

/* As above. */
static inline long soon__rawclone(
	unsigned long flags, char *stack_end, int *ret_pidfd, void (*fn)(void *), void *arg)
{
	void **top = (void **)(void *)stack_end - 2;
	register long x8 __asm__("x8") = SYS_clone;
	register long x0 __asm__("x0") = (long)flags;
	register void **x1 __asm__("x1") = top;
	register int *x2 __asm__("x2") = ret_pidfd;
	register long x3 __asm__("x3") = 0;
	register long x4 __asm__("x4") = 0;

	top[0] = (void *)(uintptr_t)fn;
	top[1] = arg;
	__asm__ volatile("svc 0\n\t"
			 "cbnz x0, 1f\n\t"
			 "mov x29, xzr\n\t" /* the outermost frame */
			 "mov x30, xzr\n\t"
			 "ldp x1, x0, [sp], #16\n\t"
			 "blr x1\n\t"
			 "brk #0\n"
			 "1:"
			 : "+r"(x0)
			 : "r"(x8), "r"(x1), "r"(x2), "r"(x3), "r"(x4)
			 : "memory", "x30");
	return x0;
}

#else
#error "no system calls for this processor"
#endif

#endif
