// SPDX-License-Identifier: Apache-2.0
/*
 * poller.h: the poller under a test, private to the kit.
 *
 * It stands between the scheduler and the real poller, which it asks for everything, and adds three
 * things: a clock that may be virtual, operations that the test scripts, and tasks that wait until
 * all others wait. Without a real poller below it is a run without a kernel.
 */
#ifndef TESTS_KIT_POLLER_H
#define TESTS_KIT_POLLER_H

#include <soon/fake.h>

#include "core/spi/list.h"
#include "core/spi/poller.h"

#include <semaphore.h>
#include <stdatomic.h>

/* What the scheduler did with the poller, for tests of the scheduler. */
struct kit_counts {
	uint64_t polls;  /* calls of poll */
	uint64_t sleeps; /* those that had nothing to deliver and were allowed to wait */
	uint64_t wakes;  /* calls of wake, from anywhere */
	uint64_t stops;
};

struct soon__kit_poller {
	struct soon__poller poller;
	struct soon__poller *inner; /* the real one, or NULL */
	soon_ns now;                /* while is_virtual */
	struct soon__list ops;      /* scripted; by their end, equal ones in order of start */
	struct soon__list settlers; /* tasks that wait for all others, in order of arrival */
	unsigned inflight;          /* scripted operations */
	unsigned holds;
	bool is_virtual;
	bool has_kernel;
	int open_rc; /* makes the opening fail */
	sem_t bell;  /* where there is no kernel to ring */
	atomic_uint_least64_t wakes;
	struct kit_counts counts;
	struct soon__kit_poller *outer; /* of a run that this one is inside of */
};

/* Prepares it and the seams of the run that it will be the poller of. */
void soon__kit_poller_init(
	struct soon__kit_poller *kit, bool has_kernel, struct soon__seams *ret_seams);
void soon__kit_poller_fini(struct soon__kit_poller *kit);

/* Of the run on this thread, NULL if it is not under the kit. */
struct soon__kit_poller *soon__kit_poller_or_null(void);

/* Likewise; aborts with the name of the function that needs it. */
struct soon__kit_poller *soon__kit_poller_of(const char *func);

#endif
