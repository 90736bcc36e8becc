// SPDX-License-Identifier: Apache-2.0
/*
 * probe.c: counts by jemalloc and by the processor.
 *
 * jemalloc counts requests when a thread's cache is flushed, so it is flushed at both ends. It is
 * reached by name: it is there when libsoon, or the program, is linked with it.
 */
#include "probe.h"

#include <dlfcn.h>
#include <errno.h>
#include <linux/perf_event.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#if __has_include(<valgrind/callgrind.h>)
#include <valgrind/callgrind.h>
#define TOGGLE_COLLECT() CALLGRIND_TOGGLE_COLLECT
#else
#define TOGGLE_COLLECT() ((void)0)
#endif

typedef int mallctl_fn(const char *name, void *old, size_t *old_bytes, void *new, size_t new_bytes);

/* NULL where malloc is another one. */
static mallctl_fn *find_mallctl(void)
{
	union {
		void *address;
		mallctl_fn *call;
	} found = { .address = dlsym(RTLD_DEFAULT, "mallctl") };

	return found.call;
}

static uint64_t read_word(mallctl_fn *mallctl, const char *name)
{
	uint64_t word = 0;
	size_t bytes = sizeof(word);

	return mallctl(name, &word, &bytes, NULL, 0) == 0 ? word : 0;
}

static void read_allocations(struct probe_counts *counts)
{
	mallctl_fn *mallctl = find_mallctl();
	uint64_t epoch = 1;

	if (mallctl == NULL)
		return;
	counts->allocated_bytes = (int64_t)read_word(mallctl, "thread.allocated");
	counts->freed_bytes = (int64_t)read_word(mallctl, "thread.deallocated");
	(void)mallctl("thread.tcache.flush", NULL, NULL, NULL, 0);
	(void)mallctl("epoch", NULL, NULL, &epoch, sizeof(epoch));
	/* 4096 stands for all arenas together. */
	counts->allocations = (int64_t)(read_word(mallctl, "stats.arenas.4096.small.nrequests") +
		read_word(mallctl, "stats.arenas.4096.large.nrequests"));
}

/* libsoon calls jemalloc by its own names; that does not make it the program's malloc. */
static bool is_malloc_of_jemalloc(void)
{
	Dl_info owner, wanted;
	void *malloc_address = dlsym(RTLD_DEFAULT, "malloc");
	void *mallctl_address = dlsym(RTLD_DEFAULT, "mallctl");

	return malloc_address != NULL && mallctl_address != NULL &&
		dladdr(malloc_address, &owner) != 0 && dladdr(mallctl_address, &wanted) != 0 &&
		owner.dli_fbase == wanted.dli_fbase;
}

const char *probe_allocations_missing(void)
{
	mallctl_fn *mallctl = find_mallctl();
	bool has_stats = false;
	size_t bytes = sizeof(has_stats);

	if (mallctl == NULL)
		return "malloc is not jemalloc's";
	if (!is_malloc_of_jemalloc())
		return "malloc is libc's, with the shared library; take soon::bench_static, or set "
		       "LD_PRELOAD=libjemalloc.so.2";
	if (mallctl("config.stats", &has_stats, &bytes, NULL, 0) != 0 || !has_stats)
		return "jemalloc was built without statistics";
	return NULL;
}

static int open_instructions(void)
{
	struct perf_event_attr attr = {
		.type = PERF_TYPE_HARDWARE,
		.size = sizeof(attr),
		.config = PERF_COUNT_HW_INSTRUCTIONS,
		.disabled = 1,
		.exclude_kernel = 1, /* as Callgrind does, and as users without privileges may */
		.exclude_hv = 1,
	};

	return (int)syscall(SYS_perf_event_open, &attr, 0, -1, -1, PERF_FLAG_FD_CLOEXEC);
}

const char *probe_instructions_missing(void)
{
	static char text[96];
	int fd = open_instructions();

	if (fd >= 0) {
		(void)close(fd);
		return NULL;
	}
	(void)snprintf(text, sizeof(text), "the processor does not count (perf_event_open: %s)",
		strerrordesc_np(errno));
	return text;
}

void probe_init(struct probe *probe, enum probe_how how)
{
	*probe = (struct probe){ .how = how, .instructions_fd = -1 };
	if (how == PROBE_SELF)
		probe->instructions_fd = open_instructions();
}

void probe_fini(struct probe *probe)
{
	if (probe->instructions_fd >= 0)
		(void)close(probe->instructions_fd);
	probe->instructions_fd = -1;
}

void probe_on(struct probe *probe)
{
	probe->is_on = true;
	switch (probe->how) {
	case PROBE_NOTHING:
		break;
	case PROBE_SELF:
		read_allocations(&probe->start);
		if (probe->instructions_fd >= 0)
			(void)ioctl(probe->instructions_fd, PERF_EVENT_IOC_ENABLE, 0);
		break;
	case PROBE_MARKS:
		(void)prctl(PROBE_MARK, 1, 0, 0, 0);
		TOGGLE_COLLECT();
		break;
	}
}

static void take_counts(struct probe *probe)
{
	struct probe_counts now = { 0 };
	int64_t instructions = 0;

	if (probe->instructions_fd >= 0) {
		(void)ioctl(probe->instructions_fd, PERF_EVENT_IOC_DISABLE, 0);
		if (read(probe->instructions_fd, &instructions, sizeof(instructions)) ==
			(ssize_t)sizeof(instructions))
			probe->counts.instructions = instructions; /* of all stretches so far */
	}
	read_allocations(&now);
	probe->counts.allocations += now.allocations - probe->start.allocations;
	probe->counts.allocated_bytes += now.allocated_bytes - probe->start.allocated_bytes;
	probe->counts.freed_bytes += now.freed_bytes - probe->start.freed_bytes;
}

void probe_off(struct probe *probe)
{
	if (!probe->is_on)
		return;
	probe->is_on = false;
	switch (probe->how) {
	case PROBE_NOTHING:
		break;
	case PROBE_SELF:
		take_counts(probe);
		break;
	case PROBE_MARKS:
		TOGGLE_COLLECT();
		(void)prctl(PROBE_MARK, 0, 0, 0, 0);
		break;
	}
}
