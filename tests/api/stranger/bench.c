// SPDX-License-Identifier: Apache-2.0
/* A benchmark of somebody who has only what was installed. */
#include <soon/bench.h>

SOON_BENCH(nothing)
{
	soon_bench_each(bench) {
		soon_bench_clobber();
	}
}

int main(int argc, char **argv)
{
	return soon_bench_main(argc, argv);
}
