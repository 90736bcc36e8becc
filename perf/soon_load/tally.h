// SPDX-License-Identifier: Apache-2.0
/*
 * What a run has counted: each core into its own tally, which are added up at the end. A request
 * belongs to the measurement when it was *due* in it (see conn.h), and counts in one of `good`,
 * `failed`, `unfinished` and `unsent`; so these add up to all that were due.
 *
 * `sent` and `completed` are what happened within the time of the measurement, whenever it was due:
 * rates are theirs. An interval has what happened in it, too, its latencies included; so intervals
 * add up to `due`, `sent` and `completed`.
 *
 * Where a function takes `at`, that is a time since the start of the measurement.
 */
#ifndef SOON_LOAD_TALLY_H
#define SOON_LOAD_TALLY_H

#include <soon/hist.h>

#include "fault.h"

#define TALLY_MESSAGE_BYTES 192
#define TALLY_INTERVALS_MAX 256 /* when they are used up, two become one */
#define TALLY_INTERVAL_NS   INT64_C(100000000)

enum phase {
	PHASE_TOTAL,   /* from when the request was due to the last byte of its reply */
	PHASE_FIRST,   /* from when it was sent to the first byte */
	PHASE_CONNECT, /* of each connection opened in the measurement */
	PHASE_TLS,
	PHASE_COUNT,
};

struct tally_interval {
	uint64_t due; /* open loop */
	uint64_t sent;
	uint64_t completed;
	uint64_t failed;
	soon_hist *latency; /* coarse; NULL before the first */
};

struct tally {
	soon_hist *phases[PHASE_COUNT];
	soon_hist *lag; /* open loop: from due to sent, of connections that were free by then */

	uint64_t due; /* open loop: in the time of the measurement */
	uint64_t sent;
	uint64_t completed;
	uint64_t good;
	uint64_t failed[FAULT_COUNT];
	uint64_t unfinished;
	uint64_t unsent;
	uint64_t opened; /* connections, within the measurement */
	uint64_t bytes_sent;
	uint64_t bytes_received;
	char messages[FAULT_COUNT][TALLY_MESSAGE_BYTES]; /* the first of each kind */

	struct tally_interval intervals[TALLY_INTERVALS_MAX];
	unsigned interval_count;
	soon_ns interval_ns;
	soon_ns length_ns; /* what the counts are of */
	double busy;       /* the share of it that the busiest core of ours was busy for */

	/* For the progress line of another core. */
	_Atomic uint64_t seen_completed;
	_Atomic uint64_t seen_failed;
};

/* Makes an empty one, in zeroed memory. Returns 0 or -ENOMEM; tally_fini in both cases. */
int tally_init(struct tally *tally);
void tally_fini(struct tally *tally);

/* The schedule had a request at that time; or had none after all, as the run ended before. */
void tally_due(struct tally *tally, soon_ns at);
void tally_not_due(struct tally *tally, soon_ns at);

/* A request was sent. */
void tally_sent(struct tally *tally, soon_ns at);

/* A verified reply was complete. */
void tally_completed(struct tally *tally, soon_ns at, uint64_t total_ns);

/* The reply to a request that was due in the measurement was verified. */
void tally_good(struct tally *tally, uint64_t total_ns, uint64_t first_ns);

/* A request that was due in the measurement failed; and when, if that was within its time. */
void tally_failed(struct tally *tally, enum fault fault);
void tally_failed_at(struct tally *tally, soon_ns at);

/* Keeps the message of the first failure of a kind. */
void tally_message(struct tally *tally, enum fault fault, const char *format, ...)
	SOON_PRINTF(3, 4);

/* Adds what another core counted. */
void tally_add(struct tally *tally, const struct tally *from);

uint64_t tally_failed_count(const struct tally *tally);

/* A figure per second of the measurement; 0 when it had no length. */
double tally_rate(const struct tally *tally, uint64_t count);

#endif
