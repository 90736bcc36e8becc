// SPDX-License-Identifier: Apache-2.0
/*
 * A million parked tasks: what one costs in resident memory, page tables included, how long they
 * take to make, and how many memory areas the kernel has to keep for them. That each stack ends in
 * a guard is checked on a sample, in the kernel's page map.
 *
 * Making them touches a million pages, which takes a second where memory is at hand and ten on a
 * virtual machine whose host has to find it first. So the same number of pages, as far apart, is
 * touched before and after by a plain loop: park_floor_seconds, the faster of the two.
 */
#include <soon/group.h>
#include <soon/task.h>
#include <soon/time.h>

#include "../common/clock.h"
#include "micro.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#define TASK_COUNT   1000000u
#define SAMPLE_STEP  1009u /* a prime, so that the sample is not in step with anything */
#define SAMPLE_COUNT (TASK_COUNT / SAMPLE_STEP + 1)
#define PAGE_BYTES   4096u
#define SCAN_PAGES   4096u               /* no stack of this benchmark is larger */
#define GUARD_BIT    (UINT64_C(1) << 58) /* of a page map entry: MADV_GUARD_INSTALL, Linux 6.15 */

struct memory {
	long rss_kib;
	long page_table_kib;
	long vma_count;
};

#define STACK_SPACING (256u * 1024u)

static uint64_t parked_count;
static uintptr_t sample[SAMPLE_COUNT]; /* an address on the stack of every SAMPLE_STEP-th task */

static int park(uint64_t index)
{
	if (index % SAMPLE_STEP == 0)
		sample[index / SAMPLE_STEP] = (uintptr_t)&index;
	parked_count++;
	return soon_sleep_until(SOON_NEVER);
}

static struct memory read_memory(void)
{
	struct memory memory = { 0 };
	char line[512];
	FILE *file = fopen("/proc/self/status", "re");

	if (file == NULL)
		micro_die("/proc/self/status", -errno);
	while (fgets(line, sizeof(line), file) != NULL) {
		(void)sscanf(line, "VmRSS: %ld", &memory.rss_kib);
		(void)sscanf(line, "VmPTE: %ld", &memory.page_table_kib);
	}
	(void)fclose(file);
	file = fopen("/proc/self/maps", "re");
	if (file == NULL)
		micro_die("/proc/self/maps", -errno);
	while (fgets(line, sizeof(line), file) != NULL)
		memory.vma_count++;
	(void)fclose(file);
	return memory;
}

/* Whether a guard page lies below this address, within the pages of a stack. */
static bool is_guarded(int page_map, uintptr_t address)
{
	uint64_t page = address / PAGE_BYTES;

	for (uint64_t i = 0; i < SCAN_PAGES && i <= page; i++) {
		uint64_t entry;

		if (pread(page_map, &entry, sizeof(entry), (off_t)((page - i) * sizeof(entry))) !=
			(ssize_t)sizeof(entry))
			return false;
		if ((entry & GUARD_BIT) != 0)
			return true;
	}
	return false;
}

static double guarded_fraction(void)
{
	int page_map = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
	unsigned guarded = 0;

	if (page_map < 0)
		micro_die("/proc/self/pagemap", -errno);
	for (size_t i = 0; i < SAMPLE_COUNT; i++)
		guarded += is_guarded(page_map, sample[i]);
	(void)close(page_map);
	return (double)guarded / SAMPLE_COUNT;
}

/* Seconds to touch as many pages as there are tasks, as far apart as their stacks are. */
static double touch_pages(void)
{
	size_t bytes = (size_t)TASK_COUNT * STACK_SPACING;
	int64_t start_ns;
	char *area = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
		MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (area == MAP_FAILED)
		micro_die("mmap", -errno);
	(void)madvise(area, bytes, MADV_NOHUGEPAGE);
	start_ns = now_ns();
	for (size_t at = 0; at < bytes; at += STACK_SPACING)
		*(volatile char *)(area + at) = 1;
	start_ns = now_ns() - start_ns;
	(void)munmap(area, bytes);
	return (double)start_ns / (double)NS_PER_S;
}

static int make_tasks(soon_group *group)
{
	for (uint64_t i = 0; i < TASK_COUNT; i++) {
		int rc = soon_spawn(group, park, i);

		if (rc < 0)
			return rc;
	}
	while (parked_count < TASK_COUNT) {
		int rc = soon_yield();

		if (rc < 0)
			return rc;
	}
	return 0;
}

static int app(void *unused)
{
	struct memory before;
	struct memory after;
	int64_t start_ns;
	double floor_seconds;
	double seconds;
	int rc;

	(void)unused;
	floor_seconds = touch_pages();
	before = read_memory();
	start_ns = now_ns();
	SOON_GROUP(group, .name = "parked");
	rc = make_tasks(&group);
	seconds = (double)(now_ns() - start_ns) / (double)NS_PER_S;
	after = read_memory();
	if (rc == 0) {
		micro_print("park_kib",
			(double)(after.rss_kib - before.rss_kib + after.page_table_kib -
				before.page_table_kib) /
				TASK_COUNT,
			"KiB");
		micro_print("park_seconds", seconds, "s");
		micro_print("park_vmas", (double)after.vma_count, "");
		micro_print("park_guarded", guarded_fraction(), "");
	}
	start_ns = now_ns();
	soon_group_cancel(&group, "measured");
	rc = (int)soon_group_close(&group, rc);
	micro_print("park_end_seconds", (double)(now_ns() - start_ns) / (double)NS_PER_S, "s");
	seconds = touch_pages();
	micro_print("park_floor_seconds", seconds < floor_seconds ? seconds : floor_seconds, "s");
	return rc;
}

int main(void)
{
	int rc = soon_run(app, NULL);

	if (rc < 0)
		micro_die("park", rc);
	return 0;
}
