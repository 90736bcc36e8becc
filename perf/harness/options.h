// SPDX-License-Identifier: Apache-2.0
/* options.h: the command line of every benchmark program. */
#ifndef SOON_HARNESS_OPTIONS_H
#define SOON_HARNESS_OPTIONS_H

#include <argp.h>
#include <regex.h>
#include <sched.h>
#include <stdbool.h>
#include <stdint.h>

/* Names the file for the result where --out does not; nothing is printed then. */
#define OPTIONS_RESULT_VARIABLE "SOON_BENCH_RESULT"

#define OPTIONS_SAMPLES_DEFAULT 100
#define OPTIONS_SAMPLES_MAX     100000
#define OPTIONS_WARMUP_NS       (INT64_C(100) * 1000 * 1000)
/*
 * A sample is short against what the kernel gives a process at a time, so that most are not
 * interrupted, also on a machine with other work, and the median is of those.
 */
#define OPTIONS_SAMPLE_NS (INT64_C(1000) * 1000)

struct options {
	bool is_list;
	bool has_filter;
	regex_t filter;
	unsigned samples;
	int64_t time_ns; /* of all samples of a benchmark; 0: each takes what it says itself */
	int64_t warmup_ns;
	unsigned threads; /* 0: what the benchmark says */
	bool is_pinned;
	cpu_set_t cpus;
	bool has_counters; /* also those that take a run of their own */
	bool is_quiet;
	const char *out;  /* NULL: no file */
	const char *name; /* of the result; "" */
	/* For runs that are counted from outside: this one, with that many turns, nothing else. */
	const char *exact;
	uint64_t one_sample_turns;
};

/* Reads it. Wrong usage ends the process with 2, --help and --version with 0. */
void options_read(struct options *ret_options, int argc, char **argv);
void options_fini(struct options *options);

/* A number from 1 to `max`; anything else is wrong usage. */
uint64_t options_number(
	struct argp_state *state, const char *option, const char *text, uint64_t max);

#endif
