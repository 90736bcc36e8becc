// SPDX-License-Identifier: Apache-2.0
/* Stacks: sizes, reuse, and what happens at the end of one. */
#include "stack.h"

#include "fake_test.h"

#include <string.h>
#include <support/death.h>

static int note_frame(uintptr_t *ret)
{
	*ret = (uintptr_t)__builtin_frame_address(0);
	return 0;
}

/* The stack of who ended last is the first to be taken again, while its pages are warm. */
FAKE_TEST(stack, last_one_freed_is_used_first)
{
	uintptr_t first = 0, second = 0;
	SOON_GROUP(g);

	cr_assert_eq(soon_spawn(&g, note_frame, &first), 0);
	cr_assert_eq(soon_yield(), 0);
	cr_assert_eq(soon_spawn(&g, note_frame, &second), 0);
	cr_assert_eq(soon_yield(), 0);
	cr_assert_neq(first, 0);
	cr_assert_eq(first, second);
	cr_assert_eq(soon_group_close(&g, 0), 0);
}

/* Same-sized stacks are laid out so that their hot words do not share cache sets. */
FAKE_TEST(stack, neighbours_begin_at_different_offsets)
{
	uintptr_t frames[8];
	SOON_GROUP(g);

	for (int i = 0; i < 8; i++)
		cr_assert_eq(soon_spawn(&g, note_frame, &frames[i]), 0);
	cr_assert_eq(soon_yield(), 0);
	for (int i = 0; i < 8; i++)
		for (int k = 0; k < i; k++)
			cr_assert_neq(frames[i] % 4096, frames[k] % 4096);
	cr_assert_eq(soon_group_close(&g, 0), 0);
}

/* Functions with frames of so many KiB, written to as deep calls would, from the top down. */
#define FILL(kib)                                                                                  \
	static __attribute__((noinline)) int fill_##kib(void *unused)                              \
	{                                                                                          \
		volatile char frame[kib * 1024];                                                   \
                                                                                                   \
		(void)unused;                                                                      \
		for (size_t i = sizeof frame; i > 0; i--)                                          \
			frame[i - 1] = 1;                                                          \
		return 0;                                                                          \
	}
FILL(40)
FILL(220)
FILL(980)
FILL(1800) /* in one step, the most that Valgrind does not take for a switch */

FAKE_TEST(stack, has_the_size_that_was_asked_for)
{
	static const struct {
		size_t bytes;
		int (*fn)(void *);
	} wants[] = {
		{ 1, fill_40 },
		{ 64 * 1024, fill_40 },
		{ 0, fill_220 },
		{ 512 * 1024, fill_980 },
		{ SOON__STACK_BYTES_MAX, fill_1800 },
	};
	SOON_GROUP(g);

	for (size_t i = 0; i < sizeof wants / sizeof *wants; i++) {
		const soon_task_opts opts = { .stack_bytes = wants[i].bytes };

		cr_assert_eq(soon_spawn_with(&g, &opts, wants[i].fn, NULL), 0);
	}
	cr_assert_eq(
		soon_spawn_with(&g, &(soon_task_opts){ .stack_bytes = SOON__STACK_BYTES_MAX + 1 },
			fill_40, NULL),
		-EINVAL);
	cr_assert_eq(soon_group_close(&g, 0), 0);
}

#ifndef SOON_TEST_ASAN /* which has its own opinion of a fault */

FILL(300)

static int overflow(void *unused)
{
	return fill_300(unused);
}

static int neighbour(char *text)
{
	int rc = soon_yield();

	(void)text;
	return rc;
}

static int overflow_main(void *unused)
{
	char text[] = "a neighbour";
	SOON_GROUP(g);

	(void)unused;
	(void)!soon_spawn(&g, neighbour, text);
	(void)!soon_spawn(&g, overflow, NULL);
	return (int)soon_group_close(&g, 0);
}

static void run_overflow(void)
{
	(void)signal(SIGSEGV, SIG_DFL); /* the framework's handler would be called after ours */
	(void)FAKE_RUN(NULL, overflow_main, NULL);
}

SOON_TEST_PLAIN(stack, overflow_names_the_task_and_ends_the_process)
{
	static struct death death;

	death_of(run_overflow, &death);
	cr_assert(WIFSIGNALED(death.status), "status %#x: %s", (unsigned)death.status, death.text);
	cr_assert(WTERMSIG(death.status) == SIGSEGV || WTERMSIG(death.status) == SIGBUS ||
		WTERMSIG(death.status) == SIGABRT);
	cr_assert_not_null(
		strstr(death.text, "stack overflow in task 'overflow'"), "%s", death.text);
	cr_assert_not_null(strstr(death.text, __FILE__), "%s", death.text);
}

static int fault(volatile int *at)
{
	(void)signal(SIGSEGV, SIG_DFL);
	return *at;
}

static void run_fault(void)
{
	(void)FAKE_RUN(NULL, fault, (volatile int *)8);
}

SOON_TEST_PLAIN(stack, other_faults_are_not_called_overflows)
{
	static struct death death;

	death_of(run_fault, &death);
	cr_assert(WIFSIGNALED(death.status));
	cr_assert_null(strstr(death.text, "stack overflow"), "%s", death.text);
}

#endif
