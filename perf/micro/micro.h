// SPDX-License-Identifier: Apache-2.0
/*
 * What the micro benchmarks share: repeating a measurement and printing figures. A figure is one
 * line on stdout, {"name": "yield_2", "value": 5.31, "unit": "ns"}, and nothing else is printed
 * there.
 */
#ifndef PERF_MICRO_H
#define PERF_MICRO_H

#include <stddef.h>
#include <stdint.h>
#include <time.h>

#define MICRO_REPEATS 7 /* measurements whose median is printed; odd */

/* The median; sorts `values`. */
double micro_median(double *values, size_t count);

void micro_print(const char *name, double value, const char *unit);

/* Prints `what: reason` and exits with 1; `err` is a negative errno. */
_Noreturn void micro_die(const char *what, int err);

/*
 * Runs `rounds` with `count` some times, after a run to warm up. The median, by `clock`, of what
 * one round takes.
 */
int micro_measure(int (*rounds)(uint64_t count), uint64_t count, clockid_t clock, double *ret_ns);

/* The same by the CPU time of the process, and prints it. */
int micro_measure_print(int (*rounds)(uint64_t count), uint64_t count, const char *name);

/* A benchmark, chosen on the command line and run as the main task. */
struct micro_bench {
	const char *name;
	int (*run)(void *unused);
	const struct soon_opts *opts; /* of the run; NULL for the defaults */
};

/* The main of a program with several. */
int micro_main(int argc, char **argv, const struct micro_bench *benches, size_t count);

/*
 * Keeps the calling thread on the CPU with this place in the list of those that the process may
 * use, counted round: on one CPU, all threads share it.
 */
void micro_pin(unsigned place);

/* Works for MICRO_REST_US, long enough for others to fall asleep. */
#define MICRO_REST_US 100
void micro_rest(void);

/* Keeps the compiler from moving memory accesses, or dropping a loop, across this point. */
static inline void micro_barrier(void)
{
	__asm__ volatile("" ::: "memory");
}

#endif
