// SPDX-License-Identifier: Apache-2.0
/* bench_subject.c: benchmarks that count what is known, and those that go wrong in each way. */
#include <soon/bench.h>
#include <soon/soon.h>

#include <signal.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

SOON_BENCH(calls)
{
	soon_bench_each(bench) {
		(void)syscall(SYS_getppid);
	}
}

SOON_BENCH(allocates)
{
	soon_bench_each(bench) {
		void *memory = malloc(100);

		soon_bench_keep(memory);
		free(memory);
	}
}

SOON_BENCH(steps, .params = SOON_BENCH_PARAMS(10, 100, 1000, 10000), .param_name = "steps")
{
	int64_t steps = soon_bench_param(bench);

	soon_bench_bytes(bench, (uint64_t)steps);
	soon_bench_items(bench, 2);
	soon_bench_each(bench) {
		for (int64_t i = 0; i < steps; i++)
			soon_bench_clobber();
	}
}

SOON_BENCH(yields, .kind = SOON_BENCH_TASK)
{
	soon_bench_each(bench) {
		if (soon_yield() < 0)
			soon_bench_fail(bench, "cancelled");
	}
}

SOON_BENCH(pair, .threads = 2)
{
	uint64_t turns = 0;

	soon_bench_each(bench) {
		turns++;
	}
	soon_bench_count(bench, "things", 3.0 * (double)turns);
	if (soon_bench_thread_count(bench) < 2 || soon_bench_thread(bench) >= 2)
		soon_bench_fail(bench, "it is alone");
}

/* Set-up and teardown surround each sample, and share what they made with the body. */
static int set_up(soon_bench *bench)
{
	static int made;

	made = 42;
	soon_bench_data_set(bench, &made);
	return 0;
}

static void tear_down(soon_bench *bench)
{
	*(int *)soon_bench_data(bench) = 0;
}

SOON_BENCH(surrounded, .setup = set_up, .teardown = tear_down)
{
	if (*(int *)soon_bench_data(bench) != 42)
		soon_bench_fail(bench, "no set-up before this sample");
	soon_bench_each(bench) {
		soon_bench_clobber();
	}
}

/* Nearly all of its time is not measured. */
SOON_BENCH(pauses)
{
	const struct timespec ms = { .tv_nsec = 1000000 };

	soon_bench_each(bench) {
		soon_bench_pause(bench);
		(void)nanosleep(&ms, NULL);
		soon_bench_resume(bench);
	}
}

SOON_BENCH(bad_fails)
{
	soon_bench_each(bench) {
		soon_bench_clobber();
	}
	soon_bench_fail(bench, "the answer was %d", 41);
}

SOON_BENCH(bad_skips)
{
	soon_bench_skip(bench, "no such device");
}

SOON_BENCH(bad_none)
{
	(void)bench;
}

SOON_BENCH(bad_two)
{
	soon_bench_each(bench) {
		soon_bench_clobber();
	}
	soon_bench_each(bench) {
		soon_bench_clobber();
	}
}

SOON_BENCH(bad_left)
{
	soon_bench_each(bench) {
		break;
	}
}

SOON_BENCH(bad_thread_left, .threads = 3)
{
	if (soon_bench_thread(bench) == 1)
		return;
	soon_bench_each(bench) {
		soon_bench_clobber();
	}
}

static int no_set_up(soon_bench *bench)
{
	(void)bench;
	return -EIO;
}

SOON_BENCH(bad_set_up, .setup = no_set_up)
{
	soon_bench_each(bench) {
		soon_bench_clobber();
	}
}

SOON_BENCH(bad_counters)
{
	static const char *const names[] = { "a", "b", "c", "d", "e", "f", "g", "h", "i" };

	soon_bench_each(bench) {
		soon_bench_clobber();
	}
	for (int i = 0; i < 9; i++)
		soon_bench_count(bench, names[i], 1);
}

SOON_BENCH(end_by_exit)
{
	(void)bench;
	exit(0);
}

SOON_BENCH(end_by_signal)
{
	(void)bench;
	(void)raise(SIGKILL);
}

int main(int argc, char **argv)
{
	return soon_bench_main(argc, argv);
}
