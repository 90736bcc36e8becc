// SPDX-License-Identifier: Apache-2.0
/* The main of the micro benchmarks that run tasks, see micro.h. */
#include <soon/task.h>

#include "micro.h"

#include <stdio.h>
#include <string.h>

int micro_main(int argc, char **argv, const struct micro_bench *benches, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		if (argc == 2 && strcmp(argv[1], benches[i].name) == 0) {
			int rc = soon_run_with(benches[i].opts, benches[i].run, NULL);

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
