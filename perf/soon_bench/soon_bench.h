// SPDX-License-Identifier: Apache-2.0
/* soon_bench.h: what the parts of the program soon-bench share; see soon-bench.1. */
#ifndef SOON_BENCH_PROGRAM_H
#define SOON_BENCH_PROGRAM_H

#include "harness/compare.h"
#include "harness/result.h"

#include <argp.h>
#include <signal.h>
#include <stdio.h>

enum exit_status {
	EXIT_FINE = 0,
	EXIT_SLOWER = 1,
	EXIT_USAGE = 2,
	EXIT_FILE = 3, /* one cannot be read, written or compared */
	EXIT_COMMAND = 4,
	EXIT_NOISY = 5,
};

/* The commands; argv[0] is "soon-bench run" and the like. Each returns the exit status. */
int run_main(int argc, char **argv);
int ab_main(int argc, char **argv);
int compare_main(int argc, char **argv);
int baseline_main(int argc, char **argv);

/* How a comparison is made and shown: the options of `compare` and `ab`. */
struct judging {
	double threshold;
	const char *figure; /* NULL: the first one of each entry */
	bool fails_noisy;
};
#define JUDGING_DEFAULT                                                                            \
	(struct judging)                                                                           \
	{                                                                                          \
		.threshold = COMPARE_THRESHOLD_DEFAULT                                             \
	}

/* Its options, for .children of an argp; the child's input is a struct judging. */
extern const struct argp judging_argp;

/* Compares, prints the verdicts and what weakens them. Returns the exit status. */
int show_comparison(FILE *out, const struct result *before, const struct result *after,
	const struct judging *judging);

/*
 * A file, or "@NAME" for a baseline. Prints why it cannot be read.
 * Ownership: returns owned. Returns: NULL when it cannot.
 */
struct result *open_result(const char *path);

/* Writes it, and prints why it cannot. Returns: the exit status. */
int save_result(const struct result *result, const char *path);

/* One run of a command: its own result, or what it took as a whole where it leaves none. */
struct command {
	char *const *argv; /* ends with NULL */
	const char *name;  /* for messages, and for an entry of a command without a result */
};

/*
 * Runs it once, with its standard output thrown away. Prints why it failed.
 * Ownership: returns owned. Returns: NULL when it failed.
 */
struct result *command_run(const struct command *command);

/*
 * The argv for a command line, which a shell runs where it is more than words; ends with NULL.
 * Ownership: returns owned, one piece for free(). Returns: NULL there is no memory.
 */
char **command_split(const char *line);

/*
 * Adds the entries of one program's runs to a result that has none of these names; figures get a
 * run for each, an empty one where `runs` is NULL or lacks the entry. Values stay those of `runs`,
 * which have to live as long. Counters, messages, compiler and back end are those of the last run.
 * Returns: 0. Errors: -EEXIST `*ret_name` is there already; -ENOMEM.
 */
int merge_runs(
	struct result *result, struct result *const *runs, size_t count, const char **ret_name);

/* Set by SIGINT and SIGTERM. A second SIGINT ends the process. */
extern volatile sig_atomic_t is_interrupted;
void catch_interrupts(void);

/* A line on a terminal that is written over; nothing in a pipe. `total` 0 takes it away. */
void show_progress(const char *what, unsigned done, unsigned total);

#endif
