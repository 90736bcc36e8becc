// SPDX-License-Identifier: Apache-2.0
/*
 * bench.c: benchmarks of three kinds, to copy from.
 *
 *	./bench                     measures all
 *	./bench --filter=sort       some; --help lists the options
 *	soon-bench ab './old' './new'    compares two builds
 */
#include <soon/bench.h>
#include <soon/soon.h>

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

/* A plain function, for several sizes. The optimiser may not leave the copy out. */
SOON_BENCH(copy, .params = SOON_BENCH_PARAMS(64, 512, 4096, 16384), .param_name = "bytes")
{
	static char from[16384], to[16384];
	size_t bytes = (size_t)soon_bench_param(bench);

	soon_bench_bytes(bench, bytes);
	soon_bench_each(bench) {
		memcpy(to, from, bytes);
		soon_bench_clobber();
	}
}

static int by_value(const void *a, const void *b)
{
	int x = *(const int *)a, y = *(const int *)b;

	return (x > y) - (x < y);
}

/* Each turn needs numbers out of order, and making them is not measured. */
static void fill(int *numbers, size_t count)
{
	unsigned state = 1;

	for (size_t i = 0; i < count; i++) {
		state = state * 1664525 + 1013904223;
		numbers[i] = (int)(state >> 1);
	}
}

SOON_BENCH(sort, .params = SOON_BENCH_PARAMS(100, 1000, 10000, 100000), .param_name = "numbers")
{
	size_t count = (size_t)soon_bench_param(bench);
	int *numbers = malloc(count * sizeof(*numbers));

	if (numbers == NULL) {
		soon_bench_fail(bench, "no memory for %zu numbers", count);
		return;
	}
	soon_bench_items(bench, count);
	soon_bench_each(bench) {
		soon_bench_pause(bench);
		fill(numbers, count);
		soon_bench_resume(bench);
		qsort(numbers, count, sizeof(*numbers), by_value);
		soon_bench_keep(numbers[0]);
	}
	free(numbers);
}

/* In a task: one that is spawned, runs and is joined. */
static int nothing(void *unused)
{
	(void)unused;
	return 0;
}

SOON_BENCH(spawn, .kind = SOON_BENCH_TASK)
{
	SOON_GROUP(group);
	int rc = 0;

	soon_bench_each(bench) {
		if (rc == 0)
			rc = soon_spawn(&group, nothing, NULL);
		if (rc == 0)
			rc = soon_yield();
	}
	rc = (int)soon_group_close(&group, rc);
	if (rc < 0)
		soon_bench_fail(bench, "a task failed: %s", strerror(-rc));
}

/* Two threads at the same time, on one cache line. */
SOON_BENCH(counter, .threads = 2)
{
	static atomic_ulong shared;

	soon_bench_each(bench) {
		atomic_fetch_add_explicit(&shared, 1, memory_order_relaxed);
	}
}

int main(int argc, char **argv)
{
	return soon_bench_main(argc, argv);
}
