// SPDX-License-Identifier: Apache-2.0
#include "cpus.h"

#include "quota.h"

#include <pthread.h>
#include <stdatomic.h>
#include <unistd.h>

static pthread_once_t once = PTHREAD_ONCE_INIT;
static unsigned quota, allowed;
static cpu_set_t mask;

/* On lines of their own: the one is written at each sleep of a core, the other by threads. */
static _Alignas(64) atomic_uint cores_awake;
static _Alignas(64) atomic_uint lookers;

static void find_out(void)
{
	int count;

	CPU_ZERO(&mask);
	if (sched_getaffinity(0, sizeof mask, &mask) != 0)
		CPU_ZERO(&mask); /* more processors than it has bits */
	count = CPU_COUNT(&mask);
	if (count < 1)
		count = (int)sysconf(_SC_NPROCESSORS_ONLN);
	quota = soon__quota_cpus("");
	allowed = count > 0 ? (unsigned)count : 1;
	if (quota > 0 && quota < allowed)
		allowed = quota;
}

unsigned soon__cpus_quota(void)
{
	(void)pthread_once(&once, find_out);
	return quota;
}

unsigned soon__cpus_allowed(void)
{
	(void)pthread_once(&once, find_out);
	return allowed;
}

const cpu_set_t *soon__cpus_mask(void)
{
	(void)pthread_once(&once, find_out);
	return &mask;
}

/* Relaxed throughout: estimates, which order nothing. */

void soon__cpus_core_wakes(void)
{
	(void)atomic_fetch_add_explicit(&cores_awake, 1, memory_order_relaxed);
}

void soon__cpus_core_sleeps(void)
{
	(void)atomic_fetch_sub_explicit(&cores_awake, 1, memory_order_relaxed);
}

static bool is_room(unsigned cores, unsigned threads)
{
	return (cores > 0 ? cores : 1) + (threads > 0 ? threads : 1) <= soon__cpus_allowed();
}

bool soon__cpus_core_may_look(void)
{
	return is_room(atomic_load_explicit(&cores_awake, memory_order_relaxed),
		atomic_load_explicit(&lookers, memory_order_relaxed));
}

bool soon__cpus_look_begin(void)
{
	unsigned cores = atomic_load_explicit(&cores_awake, memory_order_relaxed);
	unsigned seen = atomic_load_explicit(&lookers, memory_order_relaxed);

	do {
		if (!is_room(cores, seen + 1))
			return false;
	} while (!atomic_compare_exchange_weak_explicit(
		&lookers, &seen, seen + 1, memory_order_relaxed, memory_order_relaxed));
	return true;
}

void soon__cpus_look_end(void)
{
	(void)atomic_fetch_sub_explicit(&lookers, 1, memory_order_relaxed);
}

void soon__cpus_forget(void)
{
	atomic_store_explicit(&cores_awake, 0, memory_order_relaxed);
	atomic_store_explicit(&lookers, 0, memory_order_relaxed);
}
