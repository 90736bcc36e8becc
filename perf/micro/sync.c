// SPDX-License-Identifier: Apache-2.0
/*
 * Mutexes and semaphores of tasks, through public calls: free ones, and ones that are handed from
 * task to task, where each handing on is a park, a switch and an unpark.
 *
 *	micro_sync mutex|sem
 */
#include <soon/group.h>
#include <soon/mutex.h>
#include <soon/sem.h>
#include <soon/task.h>

#include "../common/clock.h"
#include "micro.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>

#define FREE_ROUNDS     4000000u
#define CONTENDED_TASKS 2u
#define HANDED_ROUNDS   1000000u /* in all, over all tasks */

static soon_mutex mutex = SOON_MUTEX_INIT;
static soon_sem sem = SOON_SEM_INIT(1);

static int lock_often(uint64_t count)
{
	for (uint64_t i = 0; i < count; i++) {
		int rc = soon_mutex_lock(&mutex);

		if (rc < 0)
			return rc;
		(void)soon_mutex_unlock(&mutex);
	}
	return 0;
}

/* With the first one held, every task waits; from then on each unlock hands over. */
static int hand_mutex_over(uint64_t count)
{
	int rc = soon_mutex_lock(&mutex);

	if (rc < 0)
		return rc;
	SOON_GROUP(group, .name = "benchmark");
	for (unsigned i = 0; i < CONTENDED_TASKS && rc == 0; i++)
		rc = soon_spawn(&group, lock_often, count / CONTENDED_TASKS);
	if (rc == 0)
		rc = soon_yield();
	(void)soon_mutex_unlock(&mutex);
	return (int)soon_group_close(&group, rc);
}

static int acquire_often(uint64_t count)
{
	for (uint64_t i = 0; i < count; i++) {
		int rc = soon_sem_acquire(&sem, 1);

		if (rc < 0)
			return rc;
		(void)soon_sem_release(&sem, 1);
	}
	return 0;
}

/* With the only permit taken, every task waits; from then on each release hands it over. */
static int hand_permit_over(uint64_t count)
{
	int rc = soon_sem_acquire(&sem, 1);

	if (rc < 0)
		return rc;
	SOON_GROUP(group, .name = "benchmark");
	for (unsigned i = 0; i < CONTENDED_TASKS && rc == 0; i++)
		rc = soon_spawn(&group, acquire_often, count / CONTENDED_TASKS);
	if (rc == 0)
		rc = soon_yield();
	(void)soon_sem_release(&sem, 1);
	return (int)soon_group_close(&group, rc);
}

/* The median CPU time of one of `count` rounds, after some to warm up. */
static int measure(int (*rounds)(uint64_t), uint64_t count, const char *name)
{
	double ns[MICRO_REPEATS];
	int rc = rounds(count / 4);

	for (size_t i = 0; i < MICRO_REPEATS && rc == 0; i++) {
		int64_t start_ns = cpu_ns();

		rc = rounds(count);
		ns[i] = (double)(cpu_ns() - start_ns) / (double)count;
	}
	if (rc == 0)
		micro_print(name, micro_median(ns, MICRO_REPEATS), "ns");
	return rc;
}

static int run_mutex(void *unused)
{
	int rc = measure(lock_often, FREE_ROUNDS, "mutex");

	(void)unused;
	return rc < 0 ? rc : measure(hand_mutex_over, HANDED_ROUNDS, "mutex_handed");
}

static int run_sem(void *unused)
{
	int rc = measure(acquire_often, FREE_ROUNDS, "sem");

	(void)unused;
	return rc < 0 ? rc : measure(hand_permit_over, HANDED_ROUNDS, "sem_handed");
}

int main(int argc, char **argv)
{
	static const struct {
		const char *name;
		int (*run)(void *unused);
	} benchmarks[] = {
		{ "mutex", run_mutex },
		{ "sem", run_sem },
	};

	for (size_t i = 0; i < sizeof(benchmarks) / sizeof(benchmarks[0]); i++) {
		if (argc == 2 && strcmp(argv[1], benchmarks[i].name) == 0) {
			int rc = soon_run(benchmarks[i].run, NULL);

			if (rc < 0)
				micro_die(argv[1], rc);
			return 0;
		}
	}
	(void)fprintf(stderr, "usage: micro_sync mutex|sem\n");
	return 1;
}
