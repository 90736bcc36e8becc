// SPDX-License-Identifier: Apache-2.0
/*
 * Tasks of two cores and plain threads wait for the same futures, tasks often only for a moment,
 * while another thread sets one after the other. Everybody gets each result, and whoever is last
 * ends and frees the future at once, be the setter still waking others.
 */
#include <soon/future.h>
#include <soon/group.h>
#include <soon/mem.h>
#include <soon/report.h>
#include <soon/thread.h>

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <support/program.h>

#define FUTURES 20000u
#define CORES   2u
#define TASKS   4u /* on each core */
#define THREADS 2u
#define READERS (CORES * TASKS + THREADS)

struct entry {
	soon_future future;
	atomic_uint readers_left;
};

static _Atomic(struct entry *) entries[FUTURES];
static atomic_uint farthest; /* how many the quickest reader has got */
static atomic_uint timeouts;

static void read_one(unsigned index, int rc, uint64_t value)
{
	struct entry *entry = atomic_load(&entries[index]);
	unsigned seen = atomic_load(&farthest);

	CHECK_EQ(rc, index % 1000);
	CHECK_EQ(value, (uint64_t)index * 3);
	while (seen <= index && !atomic_compare_exchange_weak(&farthest, &seen, index + 1))
		continue;
	if (atomic_fetch_sub(&entry->readers_left, 1) == 1) {
		soon_future_fini(&entry->future);
		soon_free(entry);
	}
}

static int read_in_task(unsigned id)
{
	uint64_t random = (id + 1) * UINT64_C(0x9e3779b97f4a7c15);

	for (unsigned i = 0; i < FUTURES; i++) {
		soon_future *future = &atomic_load(&entries[i])->future;
		uint64_t value = 0;
		ssize_t rc;

		do {
			random = random * UINT64_C(6364136223846793005) + 1;
			rc = soon_within((soon_ns)(random >> 47), soon_future_wait(future, &value));
			if (rc == -ETIMEDOUT)
				atomic_fetch_add_explicit(&timeouts, 1, memory_order_relaxed);
		} while (rc == -ETIMEDOUT);
		read_one(i, (int)rc, value);
	}
	return 0;
}

static int read_in_tasks(void *unused)
{
	int rc = 0;
	SOON_GROUP(g);

	(void)unused;
	for (unsigned i = 0; i < TASKS && rc == 0; i++)
		rc = soon_spawn(&g, read_in_task, i);
	return (int)soon_group_close(&g, rc);
}

static void *run_core(void *unused)
{
	(void)unused;
	CHECK_EQ(soon_run(read_in_tasks, NULL), 0);
	return NULL;
}

static void *read_in_thread(void *unused)
{
	(void)unused;
	for (unsigned i = 0; i < FUTURES; i++) {
		uint64_t value = 0;
		int rc = soon_future_wait(&atomic_load(&entries[i])->future, &value);

		read_one(i, rc, value);
	}
	return NULL;
}

/* Stays close to the quickest reader, so that the others sometimes wait and sometimes do not. */
static void *set_all(void *unused)
{
	(void)unused;
	for (unsigned i = 0; i < FUTURES; i++) {
		while (atomic_load(&farthest) + 2 < i)
			sched_yield();
		CHECK_EQ(soon_future_set(&atomic_load(&entries[i])->future, (int)(i % 1000),
				 (uint64_t)i * 3),
			0);
	}
	return NULL;
}

int main(void)
{
	pthread_t threads[CORES + THREADS + 1];
	unsigned count = 0;

	for (unsigned i = 0; i < FUTURES; i++) {
		struct entry *entry = soon_zalloc(sizeof *entry);

		CHECK(entry != NULL);
		atomic_init(&entry->readers_left, READERS);
		atomic_init(&entries[i], entry);
	}
	for (unsigned i = 0; i < CORES; i++)
		CHECK_EQ(pthread_create(&threads[count++], NULL, run_core, NULL), 0);
	for (unsigned i = 0; i < THREADS; i++)
		CHECK_EQ(pthread_create(&threads[count++], NULL, read_in_thread, NULL), 0);
	CHECK_EQ(pthread_create(&threads[count++], NULL, set_all, NULL), 0);
	while (count > 0)
		CHECK_EQ(pthread_join(threads[--count], NULL), 0);
	CHECK_EQ(soon_report_errors(), 0);
	fprintf(stderr, "%u futures, %u waits cut short\n", FUTURES, atomic_load(&timeouts));
	return 0;
}
