// SPDX-License-Identifier: Apache-2.0
/*
 * What the micro benchmarks share: repeating a measurement and printing figures. A figure is one
 * line on stdout, {"name": "yield_2", "value": 5.31, "unit": "ns"}, and nothing else is printed
 * there.
 */
#ifndef PERF_MICRO_H
#define PERF_MICRO_H

#include <stddef.h>

#define MICRO_REPEATS 7 /* measurements whose median is printed; odd */

/* The median; sorts `values`. */
double micro_median(double *values, size_t count);

void micro_print(const char *name, double value, const char *unit);

/* Prints `what: reason` and exits with 1; `err` is a negative errno. */
_Noreturn void micro_die(const char *what, int err);

/* Keeps the compiler from moving memory accesses, or dropping a loop, across this point. */
static inline void micro_barrier(void)
{
	__asm__ volatile("" ::: "memory");
}

#endif
