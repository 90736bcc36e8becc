// SPDX-License-Identifier: Apache-2.0
/*
 * explore.h: runs a small concurrent program in all its orders.
 *
 * The code under test is compiled unchanged with -fsanitize=thread, but linked with this instead of
 * ThreadSanitizer: every atomic operation then comes here, is a point at which another thread may
 * go on, and reads from a simulated memory that is as weak as C11 allows a load to be. Every other
 * access comes here, too, and has to be ordered against conflicting ones of other threads.
 *
 * Threads are fibers of one process. A scenario sets them up; the explorer runs it again and again,
 * each time with other choices: who goes on, which of the values still allowed a load returns.
 * What a run finds, an assertion that fails, a data race, a touch of memory that is freed, a state
 * in which nobody can go on, is told with the choices that lead there; --replay repeats them.
 */
#ifndef TESTS_MODEL_EXPLORE_H
#define TESTS_MODEL_EXPLORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define EXPLORE_THREADS_MAX 8u /* with the one that sets up */

struct explore_scenario {
	const char *name;
	void (*setup)(void);  /* starts the threads; runs before any of them */
	void (*finish)(void); /* after all have ended; NULL for none */
	unsigned preemptions; /* how often a thread is left that could go on, at most */
	unsigned stale;       /* how many loads return an older value, at most */
};

/* Starts a thread; what the caller did before is known to it. `name` is static. */
void explore_thread(const char *name, void (*fn)(void *arg), void *arg);

/* Lets a signal handler run in the last thread that was started, once, anywhere, or never. */
void explore_handler(const char *name, void (*fn)(void *arg), void *arg);

/* A point at which others may go on. `what` is static and shown in the trace. */
void explore_step(const char *what);

/* Waits, as in the kernel, until `is_ready(arg)`; that may not have side effects. */
void explore_block(const char *what, bool (*is_ready)(void *arg), void *arg);

/* In a loop that waits for others: goes on when another thread has done something. */
void explore_relax(void);

/* A choice of the environment: 0 to `count` - 1, each in some run. */
unsigned explore_choose(const char *what, unsigned count);

/* What comes before a release of `object` is known after an acquire of it that comes later. */
void explore_release(const void *object);
void explore_acquire(const void *object);

/* A point of the calling thread, and whether the calling thread knows of what came before one. */
struct explore_stamp {
	unsigned clock;
	unsigned time; /* 0: of no point */
};
struct explore_stamp explore_stamp(void);
bool explore_knows(struct explore_stamp stamp);

/* What is in memory now, as the kernel sees it. */
uint64_t explore_peek(const void *addr, unsigned bytes);

/* From here on nobody may touch the memory. */
void explore_free(const void *addr, size_t bytes);

/* A variable of which each thread has its own, all zero at its start. */
void explore_thread_local(void *addr, size_t bytes);

/* Memory that belongs to the scenario's books and not to the program. */
void explore_untracked(void *addr, size_t bytes);

/* Ends the run as failed. */
__attribute__((noreturn, format(printf, 1, 2))) void explore_fail(const char *fmt, ...);

#define EXPLORE_CHECK(c)                                                                           \
	do {                                                                                       \
		if (!(c))                                                                          \
			explore_fail("%s:%d: not true: %s", __FILE__, __LINE__, #c);               \
	} while (0)

/*
 * The program: explores all scenarios, or those that are named.
 *
 *	[--seconds S] [--walks N] [--seed N] [--preemptions N] [--replay CHOICES] [SCENARIO...]
 */
int explore_main(int argc, char **argv, const struct explore_scenario *scenarios, size_t count);

#endif
