// SPDX-License-Identifier: Apache-2.0
/*
 * The scheduler from above, through public calls: yield, spawn, groups, soon_within, generators.
 *
 *	micro_sched yield|spawn|group|within|gen
 */
#include <soon/gen.h>
#include <soon/group.h>
#include <soon/scope.h>
#include <soon/task.h>

#include "../common/clock.h"
#include "micro.h"

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#define YIELDS        4000000u /* in all, over all tasks */
#define SPAWNS        200000u
#define BATCH         1000u
#define HANDLES       50u
#define WITHIN_ROUNDS 2000000u
#define ITEMS         2000000u
#define GROUP_ROUNDS  2000000u

static int yield_often(uint64_t count)
{
	for (uint64_t i = 0; i < count; i++) {
		int rc = soon_yield();

		if (rc < 0)
			return rc;
	}
	return 0;
}

/* Nanoseconds for one yield with `task_count` tasks that do nothing else. */
static int measure_yield(unsigned task_count, double *ret_ns)
{
	uint64_t count = YIELDS / task_count;
	int64_t start_ns;
	int rc = 0;

	SOON_GROUP(group, .name = "benchmark");
	start_ns = cpu_ns();
	for (unsigned i = 0; i < task_count && rc == 0; i++)
		rc = soon_spawn(&group, yield_often, count);
	rc = (int)soon_group_close(&group, rc);
	*ret_ns = (double)(cpu_ns() - start_ns) / (double)(count * task_count);
	return rc;
}

static int nothing(void *unused)
{
	(void)unused;
	return 0;
}

/*
 * One task at a time: spawn it, wait for it by its handle. Handles, and with them stacks, are kept
 * until the group is closed, so a new group every now and then keeps the stacks warm.
 */
static int spawn_and_join(uint64_t count)
{
	int rc = 0;

	for (uint64_t done = 0; done < count && rc == 0; done += HANDLES) {
		SOON_GROUP(group, .name = "benchmark");
		for (unsigned i = 0; i < HANDLES && rc == 0; i++) {
			soon_task_opts opts = { 0 };
			soon_task *task;

			opts.ret_task = &task;
			rc = soon_spawn_with(&group, &opts, nothing, NULL);
			if (rc == 0)
				rc = soon_join(task, NULL);
		}
		rc = (int)soon_group_close(&group, rc);
	}
	return rc;
}

/* One task at a time, each in a group of its own, whose close is the join. */
static int spawn_and_close(uint64_t count)
{
	int rc = 0;

	for (uint64_t i = 0; i < count && rc == 0; i++) {
		SOON_GROUP(group, .name = "benchmark");
		rc = soon_spawn(&group, nothing, NULL);
		rc = (int)soon_group_close(&group, rc);
	}
	return rc;
}

/* A thousand at a time in one group, closed together. */
static int spawn_batches(uint64_t count)
{
	int rc = 0;

	for (uint64_t done = 0; done < count && rc == 0; done += BATCH) {
		SOON_GROUP(group, .name = "benchmark");
		for (unsigned i = 0; i < BATCH && rc == 0; i++)
			rc = soon_spawn(&group, nothing, NULL);
		rc = (int)soon_group_close(&group, rc);
	}
	return rc;
}

static __attribute__((noinline)) int does_not_block(int value)
{
	micro_barrier();
	return value;
}

static int within_often(uint64_t count)
{
	ssize_t rc = 0;

	for (uint64_t i = 0; i < count && rc == 0; i++)
		rc = soon_within(SOON_S(30), does_not_block(0));
	return (int)rc;
}

SOON_GEN(endless, uint64_t, uint64_t start)
{
	int rc = 0;

	for (uint64_t n = start; rc == 0; n++)
		rc = soon_emit(&n);
	return rc;
}

static int items_often(uint64_t count)
{
	uint64_t n;
	int rc = 1;
	SOON_ITER(it, endless, count);

	for (uint64_t i = 0; i < count && rc > 0; i++)
		rc = soon_next(it, &n);
	return rc < 0 ? rc : 0;
}

static int open_often(uint64_t count)
{
	int rc = 1;

	for (uint64_t i = 0; i < count && rc > 0; i++) {
		SOON_ITER(it, endless, count);
		rc = soon_next(it, NULL);
	}
	return rc < 0 ? rc : 0;
}

/* Opens and closes groups with nobody in them; the close is a turn for others, of whom are none. */
static int group_often(uint64_t count)
{
	ssize_t rc = 0;

	for (uint64_t i = 0; i < count && rc == 0; i++) {
		SOON_GROUP(group);
		rc = soon_group_close(&group, 0);
	}
	return (int)rc;
}

static int run_yield(void *unused)
{
	static const unsigned task_counts[] = { 2, 1000 };
	double ns[MICRO_REPEATS];
	int rc = 0;

	(void)unused;
	for (size_t i = 0; i < sizeof(task_counts) / sizeof(task_counts[0]); i++) {
		char name[32];

		rc = measure_yield(task_counts[i], &ns[0]); /* warms up */
		for (size_t j = 0; j < MICRO_REPEATS && rc == 0; j++)
			rc = measure_yield(task_counts[i], &ns[j]);
		if (rc < 0)
			return rc;
		(void)snprintf(name, sizeof(name), "yield_%u", task_counts[i]);
		micro_print(name, micro_median(ns, MICRO_REPEATS), "ns");
	}
	return rc;
}

static int run_spawn(void *unused)
{
	int rc = micro_measure_print(spawn_and_join, SPAWNS, "spawn_join");

	(void)unused;
	if (rc == 0)
		rc = micro_measure_print(spawn_and_close, SPAWNS, "spawn_close");
	if (rc == 0)
		rc = micro_measure_print(spawn_batches, SPAWNS, "spawn_batch");
	return rc;
}

static int run_within(void *unused)
{
	int rc = micro_measure_print(within_often, WITHIN_ROUNDS, "within");

	(void)unused;
	return rc;
}

static int run_gen(void *unused)
{
	int rc = micro_measure_print(items_often, ITEMS, "gen_item");

	(void)unused;
	if (rc == 0)
		rc = micro_measure_print(open_often, SPAWNS, "gen_open");
	return rc;
}

static int run_group(void *unused)
{
	int rc = micro_measure_print(group_often, GROUP_ROUNDS, "group");

	(void)unused;
	return rc;
}

int main(int argc, char **argv)
{
	static const struct micro_bench benches[] = {
		{ "yield", run_yield, NULL },
		{ "spawn", run_spawn, NULL },
		{ "group", run_group, NULL },
		{ "within", run_within, NULL },
		{ "gen", run_gen, NULL },
	};

	return micro_main(argc, argv, benches, sizeof(benches) / sizeof(benches[0]));
}
