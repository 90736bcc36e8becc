// SPDX-License-Identifier: Apache-2.0
/*
 * sample.h: one benchmark at work: how its body is run for a sample, and what a sample holds.
 *
 * A case is a benchmark with one of its parameters. Calibrating it finds how often the loop turns;
 * each sample then runs set-up, body and teardown once with that count.
 */
#ifndef SOON_HARNESS_SAMPLE_H
#define SOON_HARNESS_SAMPLE_H

#include <soon/bench.h>

#include "probe.h"

#include <sched.h>
#include <signal.h>
#include <stdatomic.h>

#define CASE_NAME_BYTES    160
#define CASE_MESSAGE_BYTES 256
#define CASE_COUNTERS_MAX  8

/* How a case ended, so far. */
enum case_state {
	CASE_OK,
	CASE_SKIPPED,
	CASE_FAILED,
};

/* What one sample measured, for all of its turns. */
struct sample {
	uint64_t turns;     /* of each thread */
	int64_t elapsed_ns; /* set-up, pauses and all */
	int64_t wall_ns;
	int64_t cpu_ns;   /* of the threads that ran the body; of the process for SOON_BENCH_TASK */
	int64_t switches; /* context switches of the same, of both kinds */
	struct probe_counts counts;
	double counters[CASE_COUNTERS_MAX];
};

struct soon_bench_case {
	const soon_bench_def *def;
	unsigned threads;      /* at least 1 */
	enum probe_how how;    /* of the samples that are taken next */
	const char *io;        /* the back end that a task's run used; "" */
	const cpu_set_t *cpus; /* the threads are bound to one each, in turn; NULL: they are not */
	int64_t param;
	bool has_param;
	char name[CASE_NAME_BYTES];
	enum case_state state;
	char message[CASE_MESSAGE_BYTES]; /* why it failed or was skipped */
	uint64_t turns;                   /* 0: not calibrated */
	uint64_t bytes_per_turn;
	uint64_t items_per_turn;
	const char *counter_names[CASE_COUNTERS_MAX];
	void *data;       /* the user's */
	atomic_flag lock; /* of what several threads of the body write: all but the thread's own */
};

/*
 * Runs one sample of `turns` turns.
 * Returns: 0. Errors: -ECANCELED the case failed or was skipped, which its state says.
 */
int sample_take(struct soon_bench_case *bench_case, uint64_t turns, struct sample *ret_sample);

/*
 * Finds a number of turns that takes `sample_ns` or longer, and sets it, having warmed up for
 * `warmup_ns` at least. Where pauses take most of the time it makes do with fewer turns.
 * Errors: as sample_take; -EINTR `*stop` became true.
 */
int sample_calibrate(struct soon_bench_case *bench_case, int64_t sample_ns, int64_t warmup_ns,
	const volatile sig_atomic_t *stop);

#endif
