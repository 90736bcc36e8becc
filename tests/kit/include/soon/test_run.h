// SPDX-License-Identifier: Apache-2.0
/*
 * test_run.h: one function under watch. It runs as the main task of a fresh run, and afterwards the
 * verdict says what it left behind: tasks, timers, operations, generators, descriptors, memory,
 * failures nobody read, and reports of level ERROR. Each culprit is named with its place.
 *
 * This is what SOON_TEST of <soon/test.h> is made of, and it needs no test framework:
 *
 *	soon_verdict verdict;
 *	if (!soon_test_run(NULL, body, NULL, &verdict))
 *		fprintf(stderr, "%s", verdict.text);
 */
#ifndef SOON_TEST_RUN_H
#define SOON_TEST_RUN_H

#include <soon/task.h>

#ifdef __cplusplus
extern "C" {
#endif

/* What a test may do without failing, and what it runs on. */
enum soon_test_flags {
	SOON_T_TASKS_OK = 1u << 0,  /* background tasks may be alive at the end, and their timers */
	SOON_T_IO_OK = 1u << 1,     /* operations may be in flight at the end */
	SOON_T_FDS_OK = 1u << 2,    /* descriptors may be open that were not before */
	SOON_T_MEMORY_OK = 1u << 3, /* memory may be lost (seen by ASan and Valgrind only) */
	SOON_T_GENS_OK = 1u << 4,   /* generators may be open at the end: they are closed */
	SOON_T_LEAKS_OK = 0x1fu,    /* all of these */
	SOON_T_ERRORS_OK = 1u << 5, /* reports of level ERROR may be filed, any number */

	SOON_T_VIRTUAL = 1u << 8, /* the clock is virtual from the start, see <soon/test_clock.h> */
	SOON_T_NO_KERNEL = 1u << 9, /* and there is no I/O but the scripted: see <soon/fake.h> */
};

/* Zero means the default in every field. */
typedef struct soon_test_opts {
	unsigned flags;       /* SOON_T_... */
	const soon_opts *run; /* of the run */
	uint64_t seed;        /* shuffles the run queue; default SOON_SCHED_SEED, else no shuffle */
	unsigned seeds;       /* runs under so many seeds, one by one, until one fails; default
				* SOON_TEST_SEEDS, else once */
	soon_ns virtual_start; /* what a virtual clock shows first; default one hour */
} soon_test_opts;

#define SOON_VERDICT_TEXT_BYTES 8192

/* What a run left behind. Counts are of what was not allowed by the flags. */
typedef struct soon_verdict {
	bool is_ok;
	int rc;               /* of the run: what the body returned, or a background failure */
	unsigned tasks;       /* that outlived the body */
	unsigned timers;      /* armed when it ended */
	unsigned operations;  /* in flight then */
	unsigned generators;  /* left open by a task */
	unsigned descriptors; /* open that were not before */
	uint64_t errors;      /* reports of level ERROR, allowed or not */
	uint64_t seed;        /* of the last run; 0: the queue was not shuffled */
	unsigned runs;
	bool has_lost_memory;
	char text[SOON_VERDICT_TEXT_BYTES]; /* the reasons, a line each; empty when it is ok */
} soon_verdict;

SOON_NODISCARD bool soon__test_run(const soon_test_opts *SOON_NULLABLE opts, soon__fn fn,
	uint64_t arg, const soon_site *site, soon_verdict *ret_verdict);

/*
 * Runs `fn(arg)` as soon_run() does, and judges it. A negative result of the run is a failure too.
 * Affinity: any thread that runs no core; one at a time in a process. Suspends: blocks the thread.
 * Null: `opts` for defaults. Returns: whether all was well, which is `ret_verdict->is_ok`.
 * When the process ends before the body does, by a failed assertion or a crash, the seed is
 * printed to stderr if there is one.
 */
#define soon_test_run(opts, fn, arg, ret_verdict)                                                  \
	__extension__({                                                                            \
		SOON__SITE(#fn);                                                                   \
		soon__test_run((opts), SOON__CALL(fn, arg), &soon__site, (ret_verdict));           \
	})

/* As soon_test_run for a body that needs no runtime or starts its own. Only `flags` are used. */
SOON_NODISCARD bool soon_test_plain(
	const soon_test_opts *SOON_NULLABLE opts, void (*body)(void), soon_verdict *ret_verdict);

/*
 * Announces that the test files exactly `count` reports of level ERROR more. The verdict then
 * counts: fewer fail it as well as more. Affinity: any, during a test.
 */
void soon_test_expect_errors(uint64_t count);

/* Returns how many reports of level ERROR the running test has filed. Affinity: any. */
uint64_t soon_test_errors(void);

/*
 * Returns whether a report of this test, of any level, contains `text`.
 * Affinity: any. Limits: the first 64 reports are kept, the rest only counted.
 */
bool soon_test_reported(const char *text);

/* Behind soon_test_expect_errors(). */
extern uint64_t soon__test_expected;

#ifdef __cplusplus
}
#endif

#endif
