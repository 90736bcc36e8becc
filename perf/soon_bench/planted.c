// SPDX-License-Identifier: Apache-2.0
/*
 * planted.c: work of a known amount, to measure how well changes are found: SOON_PLANTED=30 makes
 * it 30 thousandths more. See perf/bars.py.
 */
#include <soon/bench.h>

#include <stdlib.h>

#define STEPS 1000

SOON_BENCH(work)
{
	const char *planted = getenv("SOON_PLANTED");
	unsigned steps = STEPS + (planted != NULL ? (unsigned)strtoul(planted, NULL, 10) : 0);
	uint64_t state = 1;

	soon_bench_each(bench) {
		for (unsigned i = 0; i < steps; i++) {
			state = state * UINT64_C(6364136223846793005) + 1442695040888963407;
			soon_bench_keep(state);
		}
	}
}

int main(int argc, char **argv)
{
	return soon_bench_main(argc, argv);
}
