// SPDX-License-Identifier: Apache-2.0
/*
 * Two cores share pools that are resized all the time, by tasks that offload, re-enter and leave
 * work behind, are cut short at random, and end their runs while threads still work. Each piece of
 * work runs at most once, and each argument that was given up is dropped once.
 */
#include <soon/group.h>
#include <soon/offload.h>
#include <soon/thread.h>

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <support/program.h>
#include <time.h>

#define CORES     2u
#define RUNS      6u
#define TASKS     24u
#define JOBS_EACH 24u

static soon_pool pools[] = {
	SOON_POOL_INIT(.name = "few", .threads_max = 2, .queue_max = 1),
	SOON_POOL_INIT(.name = "many", .threads_max = 6),
};

struct work {
	atomic_int ran;
	int inside; /* of the task, by the re-entry: no lock between them */
	unsigned nap_us;
	bool reenters;
};

static atomic_uint made, dropped, given_back, ran, answered, over;
static atomic_bool is_over;

static uint64_t random_next(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state;
}

static int in_task(struct work *work)
{
	int rc = soon_yield();

	work->inside++;
	return rc == -ECANCELED ? 0 : rc;
}

static int work_run(struct work *work)
{
	if (work->nap_us > 0) {
		const struct timespec nap = { 0, (long)work->nap_us * 1000 };

		(void)nanosleep(&nap, NULL);
	}
	if (work->reenters) {
		int rc = soon_reenter(in_task, work);

		CHECK(rc == 0 || rc == -ESHUTDOWN);
		CHECK_EQ(work->inside, rc == 0);
		atomic_fetch_add(rc == 0 ? &answered : &over, 1);
	}
	CHECK_EQ(atomic_fetch_add(&work->ran, 1), 0);
	atomic_fetch_add(&ran, 1);
	return 7;
}

static void work_drop(struct work *work)
{
	atomic_fetch_add(&dropped, 1);
	free(work);
}

static struct work *work_make(uint64_t *random)
{
	struct work *work = calloc(1, sizeof *work);

	CHECK(work != NULL);
	work->nap_us = (unsigned)(random_next(random) % 4 * 30);
	work->reenters = random_next(random) % 3 == 0;
	atomic_fetch_add(&made, 1);
	return work;
}

static void give_back(struct work *work)
{
	atomic_fetch_add(&given_back, 1);
	free(work);
}

static void try_work(uint64_t *random)
{
	struct work *work = work_make(random);
	soon_pool *pool = &pools[random_next(random) % 2];
	bool is_detached = random_next(random) % 2;
	soon_ns timeout =
		random_next(random) % 2 ? SOON_US(random_next(random) % 300 + 1) : SOON_S(60);
	int rc;
	bool was_cut;
	SOON_SCOPE(s, .timeout = timeout);

	if (is_detached)
		rc = soon_offload_detach_with(pool, work_run, work, work_drop);
	else
		rc = soon_offload_with(pool, work_run, work);
	was_cut = soon_cancelled();
	CHECK_EQ(soon_scope_close(&s, 0), 0);
	CHECK(rc == 7 || (rc == -ECANCELED && was_cut));
	if (rc == 7)
		CHECK_EQ(atomic_load(&work->ran), 1);
	else if (!is_detached)
		CHECK_EQ(atomic_load(&work->ran), 0);
	if (rc == 7 || !is_detached)
		give_back(work);
}

static int live(uint64_t seed)
{
	uint64_t random = (seed + 1) * UINT64_C(0x9e3779b97f4a7c15);

	for (unsigned i = 0; i < JOBS_EACH; i++)
		try_work(&random);
	return 0;
}

static int spawn_all(uint64_t seed)
{
	int rc = 0;
	SOON_GROUP(g);

	for (unsigned i = 0; i < TASKS && rc == 0; i++)
		rc = soon_spawn(&g, live, seed + i);
	return (int)soon_group_close(&g, rc);
}

static void *run_core(void *number)
{
	for (unsigned i = 0; i < RUNS; i++)
		CHECK_EQ(soon_run(spawn_all, ((uint64_t)(uintptr_t)number * RUNS + i) * 1000), 0);
	return NULL;
}

static void *resize(void *unused)
{
	uint64_t random = 88172645463325252u;

	while (!atomic_load(&is_over)) {
		const struct timespec nap = { 0, 200000 };

		CHECK_EQ(soon_pool_resize(&pools[random_next(&random) % 2],
				 (unsigned)(random_next(&random) % 6 + 1)),
			0);
		(void)nanosleep(&nap, NULL);
	}
	return unused;
}

int main(void)
{
	pthread_t cores[CORES], resizer;

	CHECK_EQ(pthread_create(&resizer, NULL, resize, NULL), 0);
	for (unsigned i = 0; i < CORES; i++)
		CHECK_EQ(pthread_create(&cores[i], NULL, run_core, (void *)(uintptr_t)i), 0);
	for (unsigned i = 0; i < CORES; i++)
		CHECK_EQ(pthread_join(cores[i], NULL), 0);
	atomic_store(&is_over, true);
	CHECK_EQ(pthread_join(resizer, NULL), 0);
	/* The last run to use a pool has waited for its threads. */
	CHECK_EQ(atomic_load(&made), CORES * RUNS * TASKS * JOBS_EACH);
	CHECK_EQ(atomic_load(&dropped) + atomic_load(&given_back), atomic_load(&made));
	CHECK(atomic_load(&dropped) > 0);
	CHECK(atomic_load(&answered) > 0);
	fprintf(stderr, "%u of %u ran, %u were dropped, %u came back into a task, %u too late\n",
		atomic_load(&ran), atomic_load(&made), atomic_load(&dropped),
		atomic_load(&answered), atomic_load(&over));
	return 0;
}
