// SPDX-License-Identifier: Apache-2.0
/*
 * Blocking calls on threads, through public calls. The core has the first CPU that the process may
 * use, the pool's threads the second; where there is one, all share it. What is called does
 * nothing but say by its result that it ran.
 *
 *	micro_offload trip|trip_spin|many
 *
 * trip: one task, one call at a time, and nobody spins. trip_spin: both sides may, as they do by
 * default. many: a thousand tasks, each one call at a time, in the run's own pool.
 */
#include <soon/group.h>
#include <soon/offload.h>
#include <soon/task.h>

#include "../common/clock.h"
#include "micro.h"

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#define TRIPS 2000u
#define TASKS 1000u
#define JOBS  100000u /* in all, over all tasks */

static soon_pool sleepy = SOON_POOL_INIT(.name = "sleepy", .spin = -1);
static soon_pool *pool; /* NULL: the run's own */

static _Thread_local bool is_pinned;

static int give_back(uint64_t number)
{
	if (!is_pinned)
		micro_pin(1);
	is_pinned = true;
	return (int)number;
}

static int offload_often(uint64_t count)
{
	for (uint64_t i = 0; i < count; i++) {
		int rc = soon_offload_with(pool, give_back, i);

		if (rc != (int)i)
			return rc < 0 ? rc : -EPROTO;
	}
	return 0;
}

static int offload_from_many(uint64_t count)
{
	int rc = 0;

	SOON_GROUP(group, .name = "benchmark");
	for (unsigned i = 0; i < TASKS && rc == 0; i++)
		rc = soon_spawn(&group, offload_often, count / TASKS);
	return (int)soon_group_close(&group, rc);
}

/* Binds the core to its CPU; before that, the pool has looked how many there are. */
static int pin_core(void)
{
	int rc = offload_often(1);

	micro_pin(0);
	return rc;
}

static int measure_trip(void)
{
	double ns;
	int rc = pin_core();

	if (rc == 0)
		rc = micro_measure(offload_often, TRIPS, CLOCK_MONOTONIC, &ns);
	if (rc == 0)
		micro_print("offload", ns / 1000, "us");
	return rc;
}

static int run_trip(void *unused)
{
	(void)unused;
	pool = &sleepy;
	return measure_trip();
}

static int run_trip_spin(void *unused)
{
	(void)unused;
	return measure_trip();
}

static int run_many(void *unused)
{
	double ns;
	int rc = pin_core();

	(void)unused;
	if (rc == 0)
		rc = micro_measure(offload_from_many, JOBS, CLOCK_MONOTONIC, &ns);
	if (rc == 0)
		micro_print("offload_many", ns, "ns");
	return rc;
}

int main(int argc, char **argv)
{
	static const soon_opts no_spin = { .spin = -1 };
	static const struct micro_bench benches[] = {
		{ "trip", run_trip, &no_spin },
		{ "trip_spin", run_trip_spin, NULL },
		{ "many", run_many, NULL },
	};

	return micro_main(argc, argv, benches, sizeof(benches) / sizeof(benches[0]));
}
