// SPDX-License-Identifier: Apache-2.0
/* See micro.h. */
#include "micro.h"

#include "../common/clock.h"

#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int compare(const void *left, const void *right)
{
	double a = *(const double *)left;
	double b = *(const double *)right;

	return (a > b) - (a < b);
}

double micro_median(double *values, size_t count)
{
	qsort(values, count, sizeof(*values), compare);
	return values[count / 2];
}

void micro_print(const char *name, double value, const char *unit)
{
	printf("{\"name\": \"%s\", \"value\": %.4f, \"unit\": \"%s\"}\n", name, value, unit);
	(void)fflush(stdout);
}

void micro_die(const char *what, int err)
{
	(void)fprintf(stderr, "%s: %s\n", what, strerror(-err));
	exit(1);
}

void micro_pin(unsigned place)
{
	static cpu_set_t allowed; /* before anybody was pinned */
	cpu_set_t one;

	if (CPU_COUNT(&allowed) == 0 && sched_getaffinity(0, sizeof(allowed), &allowed) != 0)
		micro_die("sched_getaffinity", -errno);
	place %= (unsigned)CPU_COUNT(&allowed);
	CPU_ZERO(&one);
	for (size_t cpu = 0; cpu < CPU_SETSIZE; cpu++) {
		if (CPU_ISSET(cpu, &allowed) && place-- == 0)
			CPU_SET(cpu, &one);
	}
	if (sched_setaffinity(0, sizeof(one), &one) != 0)
		micro_die("sched_setaffinity", -errno);
}

void micro_rest(void)
{
	int64_t end_ns = clock_ns(CLOCK_MONOTONIC) + MICRO_REST_US * 1000;

	while (clock_ns(CLOCK_MONOTONIC) < end_ns)
		micro_barrier();
}

int micro_measure(int (*rounds)(uint64_t count), uint64_t count, clockid_t clock, double *ret_ns)
{
	double ns[MICRO_REPEATS];
	int rc = rounds(count / 4);

	for (size_t i = 0; i < MICRO_REPEATS && rc == 0; i++) {
		int64_t start_ns = clock_ns(clock);

		rc = rounds(count);
		ns[i] = (double)(clock_ns(clock) - start_ns) / (double)count;
	}
	if (rc == 0)
		*ret_ns = micro_median(ns, MICRO_REPEATS);
	return rc;
}

int micro_measure_print(int (*rounds)(uint64_t count), uint64_t count, const char *name)
{
	double ns;
	int rc = micro_measure(rounds, count, CLOCK_PROCESS_CPUTIME_ID, &ns);

	if (rc == 0)
		micro_print(name, ns, "ns");
	return rc;
}
