// SPDX-License-Identifier: Apache-2.0
/*
 * result.h: the file that a benchmark or a load test leaves behind, JSON of a versioned schema.
 *
 * A result is plain data that anybody may fill in or look at. Whatever it points to was allocated
 * with result_alloc or result_text, or lives longer: result_free ends all of it at once, and the
 * histograms of its phases, which the result owns.
 *
 * A file is written whole or not at all. Nothing in a file is trusted when it is read.
 */
#ifndef SOON_HARNESS_RESULT_H
#define SOON_HARNESS_RESULT_H

#include <soon/hist.h>

#define RESULT_SCHEMA    "soon-result"
#define RESULT_VERSION   1
#define RESULT_BYTES_MAX (INT64_C(256) << 20) /* of a file; a greater one is refused */

enum result_kind {
	RESULT_BENCH,
	RESULT_LOAD,
};

/* Where and how it was measured. A text is "" and a number 0 where it is not known. */
struct result_environment {
	const char *kernel; /* "Linux 6.1.0 x86_64" */
	const char *cpu_model;
	uint64_t cpu_count; /* that the process may run on */
	double quota_cpus;  /* of the control group; 0: no limit */
	const char *clock;  /* the kernel's clock source: "tsc" */
	const char *compiler;
	const char *soon_version;
	const char *io; /* "io_uring", "epoll"; "": nothing of the kind was used */
	double load_average[3];
	const char *command;
	const char *started; /* "2026-11-29T09:30:00Z" */
};

/* Which way a figure should go. */
enum result_better {
	RESULT_BETTER_NONE, /* it is not compared */
	RESULT_BETTER_LESS,
	RESULT_BETTER_MORE,
};

/* What one process measured, one after the other. */
struct result_run {
	const double *values;
	size_t count;
};

/* A figure that was measured several times: "wall" or "cpu" of a turn in ns, "rate", "p99" ... */
struct result_samples {
	const char *name;
	const char *unit;
	enum result_better better;
	/* One for each process. Those of two results with one session belong together by index. */
	const struct result_run *runs;
	size_t run_count;
	/* It was counted, not timed: as long as nothing changes, every run has the same. */
	bool is_count;
};

/* A figure that is only told. */
struct result_counter {
	const char *name;
	const char *unit;
	double value;
};

/* What soon-load calls figures that a report knows something about. */
#define RESULT_PHASE_TOTAL  "total" /* from when a request was due to the end of its reply */
#define RESULT_PHASE_LAG    "lag"   /* how late the generator sent, although it could have */
#define RESULT_COUNTER_BUSY "busy"  /* share of the time for which it was at work */

/* A latency: "connect", "first byte", "total". Values of the histogram are nanoseconds. */
struct result_phase {
	const char *name;
	soon_hist *hist;
};

struct result_errors {
	const char *kind; /* "timeout", "refused", "wrong body" ... */
	uint64_t count;
	const char *example; /* what one of them said; "" */
};

/* A stretch of time. Latencies in nanoseconds, 0 where nothing completed. */
struct result_interval {
	double start_s; /* since the begin of the measurement */
	double length_s;
	uint64_t completed;
	uint64_t errors;
	uint64_t p50_ns;
	uint64_t p90_ns;
	uint64_t p99_ns;
	uint64_t max_ns;
	uint64_t scheduled; /* 0 in a closed loop */
	uint64_t sent;
};

/* What only a load test has. */
struct result_load {
	double length_s;    /* what the counts are of, warm-up left out */
	uint64_t scheduled; /* 0 in a closed loop */
	uint64_t sent;
	uint64_t completed;
	uint64_t bytes_sent;
	uint64_t bytes_received;
	const struct result_phase *phases;
	size_t phase_count;
	const struct result_errors *errors;
	size_t error_count; /* of kinds */
	const struct result_interval *intervals;
	size_t interval_count;
};

enum result_state {
	RESULT_OK,
	RESULT_SKIPPED,
	RESULT_FAILED,
};

/* A benchmark with one parameter, or one load. */
struct result_entry {
	const char *name;  /* "copy/64"; no two of a result are the same */
	const char *group; /* what it has in common with those of other parameters: "copy" */
	bool has_param;
	int64_t param;
	const char *param_name; /* "" */
	enum result_state state;
	const char *message; /* why it was skipped or failed; "" */
	uint64_t threads;
	uint64_t turns; /* of a sample; 0 for a load */
	const struct result_samples *samples;
	size_t sample_count; /* of figures */
	const struct result_counter *counters;
	size_t counter_count;
	const struct result_load *load; /* NULL for a benchmark */
};

struct result {
	enum result_kind kind;
	const char *name;    /* what the user calls it; "" */
	const char *session; /* the same in results whose runs were taken in turns; "": none */
	bool is_partial;     /* it ended before its time, or pieces are missing */
	const char *partial_reason; /* "" */
	struct result_environment environment;
	struct result_entry **entries;
	size_t entry_count;
	size_t entry_room;            /* private */
	struct result_memory *memory; /* private: what result_alloc gave */
};

/* What went wrong, as a sentence that names the file and the place in it. */
struct result_error {
	char text[512];
};

/* Makes an empty one; all texts are "". Returns: NULL there is no memory. */
struct result *result_create(enum result_kind kind);
void result_free(struct result *SOON_NULLABLE result);

/* Zeroed memory, and a text, that live as long as the result. Returns: NULL there is no memory. */
void *result_alloc(struct result *result, size_t count, size_t size);
const char *result_text(struct result *result, const char *format, ...) SOON_PRINTF(2, 3);

/*
 * Adds an empty entry at the end, which stays where it is; `group` is the name. The name is copied.
 * Returns: NULL there is no memory.
 */
struct result_entry *result_entry_add(struct result *result, const char *name);

/* Finds by name. Returns: NULL there is none. */
const struct result_entry *result_entry_find(const struct result *result, const char *name);
const struct result_samples *result_samples_find(
	const struct result_entry *entry, const char *name);

/*
 * Fills in what can be found out of this process and machine; `argv` becomes the command. `io` is
 * left as it is. What cannot be found out is not known, which is no error.
 * Errors: -ENOMEM.
 */
int result_environment_read(struct result *result, int argc, char *const *argv);

/*
 * Writes a file, beside its place and then renamed; not synced, so a crash of the machine may lose
 * it. What is no regular file, as /dev/stdout, is written to. `path` "-" is standard output.
 * Returns: 0. Errors: -EINVAL the result cannot be said in JSON: a number is not finite, a text is
 * not UTF-8, a count is above INT64_MAX; -ENOMEM; those of the file system. `ret_error` tells.
 */
int result_write(const struct result *result, const char *path, struct result_error *ret_error);

/*
 * Reads a file; "-" is standard input.
 * Ownership: returns owned, to be ended by result_free.
 * Returns: 0. Errors: -EBADMSG not a result, truncated or damaged; -EPROTONOSUPPORT of a newer
 * version; -EFBIG; -ENOMEM; those of the file system. `ret_error` tells.
 */
int result_read(const char *path, struct result **ret_result, struct result_error *ret_error);

#endif
