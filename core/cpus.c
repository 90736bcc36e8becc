// SPDX-License-Identifier: Apache-2.0
#include "cpus.h"

#include "quota.h"

#include <pthread.h>
#include <stdatomic.h>
#include <unistd.h>

static pthread_once_t once = PTHREAD_ONCE_INIT;
static unsigned quota, allowed;
static cpu_set_t mask;
static atomic_uint occupied;

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

/* Relaxed throughout: a wish for a processor, which orders nothing. */

void soon__cpus_occupy(void)
{
	(void)atomic_fetch_add_explicit(&occupied, 1, memory_order_relaxed);
}

void soon__cpus_vacate(void)
{
	(void)atomic_fetch_sub_explicit(&occupied, 1, memory_order_relaxed);
}

bool soon__cpus_try_occupy(void)
{
	unsigned seen = atomic_load_explicit(&occupied, memory_order_relaxed);

	do {
		if (seen >= soon__cpus_allowed())
			return false;
	} while (!atomic_compare_exchange_weak_explicit(
		&occupied, &seen, seen + 1, memory_order_relaxed, memory_order_relaxed));
	return true;
}
