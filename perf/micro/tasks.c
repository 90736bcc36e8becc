// SPDX-License-Identifier: Apache-2.0
/* What the micro benchmarks that run tasks share, see micro.h. */
#include <soon/task.h>

#include "../common/clock.h"
#include "micro.h"

#include <stdio.h>
#include <string.h>

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

int micro_main(int argc, char **argv, const struct micro_bench *benches, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		if (argc == 2 && strcmp(argv[1], benches[i].name) == 0) {
			int rc = soon_run(benches[i].run, NULL);

			if (rc < 0)
				micro_die(argv[1], rc);
			return 0;
		}
	}
	(void)fprintf(stderr, "usage: %s", argv[0]);
	for (size_t i = 0; i < count; i++)
		(void)fprintf(stderr, "%c%s", i == 0 ? ' ' : '|', benches[i].name);
	(void)fprintf(stderr, "\n");
	return 1;
}
