// SPDX-License-Identifier: Apache-2.0
/*
 * death.h: tests that a function ends its process, and what it says then. In a forked child, so to
 * be called outside any run; the function may start one.
 */
#ifndef TESTS_SUPPORT_DEATH_H
#define TESTS_SUPPORT_DEATH_H

#include <criterion/criterion.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#define DEATH_TEXT_BYTES 16384

struct death {
	int status;                  /* as of waitpid */
	char text[DEATH_TEXT_BYTES]; /* what went to stderr, cut */
};

static inline void death_child(void (*fn)(void), int to_parent)
{
	const struct rlimit no_core = { 0, 0 };

	(void)setrlimit(RLIMIT_CORE, &no_core);
	/* Not the handlers of the test framework: whoever dies here means it. */
	(void)signal(SIGABRT, SIG_DFL);
	(void)dup2(to_parent, STDERR_FILENO);
	fn();
	_exit(0);
}

static inline void death_of(void (*fn)(void), struct death *ret)
{
	int ends[2];
	size_t len = 0;
	ssize_t n;
	pid_t pid;

	cr_assert_eq(pipe(ends), 0);
	pid = fork();
	cr_assert_geq(pid, 0);
	if (pid == 0)
		death_child(fn, ends[1]);
	(void)close(ends[1]);
	while ((n = read(ends[0], ret->text + len, sizeof ret->text - 1 - len)) > 0)
		len += (size_t)n;
	ret->text[len] = '\0';
	(void)close(ends[0]);
	cr_assert_eq(waitpid(pid, &ret->status, 0), pid);
}

/* `fn` must abort, after saying something that contains `text`. */
#define ASSERT_ABORTS(fn, expected)                                                                \
	do {                                                                                       \
		static struct death death_;                                                        \
		death_of((fn), &death_);                                                           \
		cr_assert(WIFSIGNALED(death_.status) && WTERMSIG(death_.status) == SIGABRT,        \
			"%s: status %#x, said: %s", #fn, (unsigned)death_.status, death_.text);    \
		cr_assert_not_null(strstr(death_.text, (expected)), "%s: expected '%s', said: %s", \
			#fn, (expected), death_.text);                                             \
	} while (0)

#endif
