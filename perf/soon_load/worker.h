// SPDX-License-Identifier: Apache-2.0
/* One core's part of a run: its connections, its share of the requests, its tally. */
#ifndef SOON_LOAD_WORKER_H
#define SOON_LOAD_WORKER_H

#include <soon/event.h>
#include <soon/sem.h>

#include "conn.h"
#include "plan.h"
#include "tally.h"

#include <stdatomic.h>

#define KNOWN_COUNT 64u

struct run;

struct worker {
	struct run *run;
	const struct plan *plan;
	unsigned index;
	unsigned conn_count;
	unsigned first_conn; /* the number of its first connection in the run */
	struct conn *conns;

	soon_event begun;
	soon_sem dialing;
	soon_ns begin; /* of the warm-up */
	soon_ns start; /* of the measurement, behind it */
	soon_ns end;
	soon_ns last; /* when something completed last */

	uint64_t quota; /* requests still to be sent; UINT64_MAX without a limit */
	uint64_t next_target;
	struct arrivals arrivals;
	bool is_exhausted; /* the schedule */
	char *pattern;     /* of echoes */
	struct reply_known known[KNOWN_COUNT];
	struct tally tally;
};

/* A run, shared by all cores. */
struct run {
	const struct plan *plan;
	struct worker **workers; /* each in memory of its own */
	unsigned worker_count;
	soon_addr addr; /* of the server */
	soon_tls *tls;
	_Atomic unsigned opening; /* connections that are not open yet */
	_Atomic soon_ns start;    /* of the warm-up; 0: not yet */
};

/* Opens the connections, waits for those of the other cores, and loads until the end. */
int worker_run(struct worker *worker);

/* A connection of the first opening is open: the last one of all cores begins the run. */
void worker_opened(struct worker *worker);

static inline bool worker_measures(const struct worker *worker, soon_ns at)
{
	return at >= worker->start && at < worker->end;
}

#endif
