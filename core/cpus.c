// SPDX-License-Identifier: Apache-2.0
#include "cpus.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define CGROUP_ROOT "/sys/fs/cgroup"

enum { FILE_BYTES = 512 };

static pthread_once_t once = PTHREAD_ONCE_INIT;
static unsigned allowed;
static cpu_set_t mask;
static atomic_uint occupied;

/* Reads the beginning of a small file as a string; false when there is nothing. */
static bool read_text(const char *path, char *text, size_t size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd >= 0 ? read(fd, text, size - 1) : -1;

	if (fd >= 0)
		(void)close(fd);
	text[n > 0 ? n : 0] = '\0';
	return n > 0;
}

/* How many processors "QUOTA PERIOD" pays for, rounded up; `most` for "max" and nonsense. */
static unsigned quota_cpus(const char *text, unsigned most)
{
	char *end;
	unsigned long long quota = strtoull(text, &end, 10), period, cpus;

	if (end == text)
		return most;
	period = strtoull(end, NULL, 10);
	if (quota == 0 || period == 0)
		return most;
	cpus = quota / period + (quota % period != 0);
	return cpus < most ? (unsigned)cpus : most;
}

/* The least of the quotas from the process's own group up to the root. */
static unsigned group_cpus(unsigned most)
{
	/* Not in the frame, which may be a task's; only once, so only one thread is here. */
	static char groups[FILE_BYTES], path[2 * FILE_BYTES], text[FILE_BYTES];
	char *own, *slash;

	if (!read_text("/proc/self/cgroup", groups, sizeof groups))
		return most;
	own = strstr(groups, "0::/");
	if (!own)
		return most;
	own += strlen("0::");
	own[strcspn(own, "\n")] = '\0';
	do {
		(void)snprintf(path, sizeof path, CGROUP_ROOT "%s/cpu.max", own);
		if (read_text(path, text, sizeof text))
			most = quota_cpus(text, most);
		slash = strrchr(own, '/');
		if (slash)
			*slash = '\0';
	} while (slash);
	return most;
}

static void find_out(void)
{
	int count;

	CPU_ZERO(&mask);
	if (sched_getaffinity(0, sizeof mask, &mask) != 0)
		CPU_ZERO(&mask); /* more processors than it has bits */
	count = CPU_COUNT(&mask);
	if (count < 1)
		count = (int)sysconf(_SC_NPROCESSORS_ONLN);
	allowed = group_cpus(count > 0 ? (unsigned)count : 1);
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
