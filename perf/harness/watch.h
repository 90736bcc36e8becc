// SPDX-License-Identifier: Apache-2.0
/*
 * watch.h: counts what a process cannot count about itself, by running this program once more for
 * one sample of one case, watched by ptrace(2) or by Callgrind.
 */
#ifndef SOON_HARNESS_WATCH_H
#define SOON_HARNESS_WATCH_H

#include "sample.h"

struct watch_result {
	double per_turn; /* and thread */
};

/* System calls between the marks of probe.h, of all threads. Errors: -ENOTSUP, told below. */
int watch_syscalls(const struct soon_bench_case *bench_case, unsigned threads,
	struct watch_result *ret_result);

/* Instructions of user space between the marks. Errors: as above. */
int watch_instructions(const struct soon_bench_case *bench_case, unsigned threads,
	struct watch_result *ret_result);

/* Why either could not be had, the last time; NULL: nothing was missing. */
const char *watch_syscalls_missing(void);
const char *watch_instructions_missing(void);

#endif
