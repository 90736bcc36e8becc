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

static int run_mutex(void *unused)
{
	int rc = micro_measure_print(lock_often, FREE_ROUNDS, "mutex");

	(void)unused;
	return rc < 0 ? rc : micro_measure_print(hand_mutex_over, HANDED_ROUNDS, "mutex_handed");
}

static int run_sem(void *unused)
{
	int rc = micro_measure_print(acquire_often, FREE_ROUNDS, "sem");

	(void)unused;
	return rc < 0 ? rc : micro_measure_print(hand_permit_over, HANDED_ROUNDS, "sem_handed");
}

int main(int argc, char **argv)
{
	static const struct micro_bench benches[] = {
		{ "mutex", run_mutex, NULL },
		{ "sem", run_sem, NULL },
	};

	return micro_main(argc, argv, benches, sizeof(benches) / sizeof(benches[0]));
}
