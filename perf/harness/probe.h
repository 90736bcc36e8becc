// SPDX-License-Identifier: Apache-2.0
/*
 * probe.h: what is counted around the loop of a benchmark, in a sample of its own that nobody
 * times: counting costs.
 *
 * Either the process counts itself (PROBE_SELF: allocations, instructions where the processor
 * counts them), or it leaves marks for one that watches it (PROBE_MARKS: see watch.h), which are
 * a system call that does nothing and requests of Callgrind.
 */
#ifndef SOON_HARNESS_PROBE_H
#define SOON_HARNESS_PROBE_H

#include <stdbool.h>
#include <stdint.h>

enum probe_how {
	PROBE_NOTHING,
	PROBE_SELF,
	PROBE_MARKS,
};

/* prctl(PROBE_MARK, is_on) is a mark: no kernel knows the option. */
#define PROBE_MARK 0x534f4f4e

struct probe_counts {
	int64_t allocations; /* calls of malloc and its kin */
	int64_t allocated_bytes;
	int64_t freed_bytes;
	int64_t instructions;
};

/* Counts one thread, or of allocations, which its allocator counts for all, all of them. */
struct probe {
	enum probe_how how;
	bool is_on;
	int instructions_fd; /* -1: cannot be counted */
	struct probe_counts start;
	struct probe_counts counts; /* between each on and off */
};

/* Why something cannot be counted in this process; NULL: it can. */
const char *probe_allocations_missing(void);
const char *probe_instructions_missing(void);

/* On the thread that is counted. `off` does nothing when it is off. */
void probe_init(struct probe *probe, enum probe_how how);
void probe_on(struct probe *probe);
void probe_off(struct probe *probe);
void probe_fini(struct probe *probe);

#endif
