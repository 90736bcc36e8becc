// SPDX-License-Identifier: Apache-2.0
/*
 * bench.h: benchmarks in C, with figures that say how sure they are.
 *
 *	#include <soon/bench.h>
 *
 *	SOON_BENCH(copy, .params = SOON_BENCH_PARAMS(64, 4096), .param_name = "bytes")
 *	{
 *		size_t bytes = (size_t)soon_bench_param(bench);
 *		static char from[4096], to[4096];
 *
 *		soon_bench_bytes(bench, bytes);
 *		soon_bench_each(bench) {
 *			memcpy(to, from, bytes);
 *			soon_bench_clobber();
 *		}
 *	}
 *
 *	int main(int argc, char **argv) { return soon_bench_main(argc, argv); }
 *
 * The body runs once for each sample. Only the loop is timed: what stands before and after it is
 * set-up and clean-up. How often it turns is found out beforehand, so that a sample is long enough
 * for the clock. Each program has the options of soon_bench_main; the program soon-bench runs,
 * compares and keeps results.
 *
 * What holds for every call here, unless its comment says otherwise:
 *   Affinity: the thread or task that runs the body. Suspends: never.
 */
#ifndef SOON_BENCH_H
#define SOON_BENCH_H

#include <soon/base.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct soon_bench soon_bench;

/* Where the body runs. */
typedef enum soon_bench_kind {
	/* On a thread without a core. */
	SOON_BENCH_PLAIN,
	/* In the main task of a soon_run() of one core; CPU time and switches are the process's. */
	SOON_BENCH_TASK,
} soon_bench_kind;

#define SOON_BENCH_THREADS_MAX 64
#define SOON_BENCH_PARAMS_MAX  32

/* A benchmark. Zero is the default of each field but the first two. */
typedef struct soon_bench_def {
	const char *name;               /* letters, digits, '_', '/', '.', '-' */
	void (*run)(soon_bench *bench); /* the body, with one soon_bench_each loop */
	soon_bench_kind kind;
	/* PLAIN: how many threads run the body at the same time, up to SOON_BENCH_THREADS_MAX. */
	unsigned threads;
	/* Before and after each sample, on the thread that runs the program, not timed. A failing
	 * set-up (negative errno) fails the benchmark. */
	int (*setup)(soon_bench *bench);
	void (*teardown)(soon_bench *bench);
	/*
	 * The benchmark runs once for each, as "name/8"; see SOON_BENCH_PARAMS. With three or more
	 * it is told how the time grows with them: as 1, log n, n, n log n or n^2. From
	 * four on, what does not grow is told apart.
	 */
	const int64_t *params;
	const char *param_name; /* for reports */
	/* Nanoseconds a sample takes at least; 0: 1 ms. */
	int64_t sample_ns;
	const char *compiler;        /* for the result; SOON_BENCH fills it in */
	struct soon_bench_def *next; /* private: the list of soon_bench_add */
} soon_bench_def;

/* A list of parameters, for soon_bench_def.params; it ends with INT64_MIN. */
#define SOON_BENCH_PARAMS(...) ((const int64_t[]){ __VA_ARGS__, INT64_MIN })

#ifdef __clang__
#define SOON__BENCH_COMPILER __VERSION__
#else
#define SOON__BENCH_COMPILER "gcc " __VERSION__
#endif

/* Defines a benchmark and adds it: SOON_BENCH(name, .field = value, ...) { body }. */
#define SOON_BENCH(...) SOON__BENCH(__VA_ARGS__, )
#define SOON__BENCH(ident, ...)                                                                    \
	static void soon__bench_##ident(soon_bench *bench);                                        \
	static soon_bench_def soon__bench_def_##ident = { .name = #ident,                          \
		.run = soon__bench_##ident,                                                        \
		.compiler = SOON__BENCH_COMPILER,                                                  \
		__VA_ARGS__ };                                                                     \
	__attribute__((constructor)) static void soon__bench_add_##ident(void)                     \
	{                                                                                          \
		soon_bench_add(&soon__bench_def_##ident);                                          \
	}                                                                                          \
	static void soon__bench_##ident(soon_bench *bench)

/*
 * Adds a benchmark to those of the program, before soon_bench_main. Two of one name are an error
 * of soon_bench_main.
 * Affinity: any, one at a time. Ownership: borrows until the end of the program.
 */
SOON_API void soon_bench_add(soon_bench_def *def);

/*
 * Runs the program's benchmarks as its command line says (--help lists it) and prints the results.
 * Sets the sink for reports: those of level INFO are left out, others go to stderr.
 * Returns: an exit code: 0; 1 a benchmark failed; 2 wrong usage; 3 nothing matched.
 */
SOON_API SOON_NODISCARD int soon_bench_main(int argc, char **argv);

/* Turns as often as is needed, timed from its first turn to its last. Not to be left by break. */
#define soon_bench_each(bench)                                                                     \
	for (uint64_t soon__left = soon_bench_begin(bench);                                        \
		soon__left > 0 || soon_bench_end(bench); soon__left--)

/* What soon_bench_each is made of: the number of turns, and the end of the time (false). */
SOON_API SOON_NODISCARD uint64_t soon_bench_begin(soon_bench *bench);
SOON_API bool soon_bench_end(soon_bench *bench);

/*
 * Leaves out the time until soon_bench_resume, inside the loop. Each pair lets some 100 ns into the
 * figure, and a microsecond into that of CPU time: only for turns that take far longer.
 */
SOON_API void soon_bench_pause(soon_bench *bench);
SOON_API void soon_bench_resume(soon_bench *bench);

/* The parameter; 0 without. And which thread of how many this is. */
SOON_API int64_t soon_bench_param(const soon_bench *bench);
SOON_API unsigned soon_bench_thread(const soon_bench *bench);
SOON_API unsigned soon_bench_thread_count(const soon_bench *bench);

/* Something of the user's that set-up, body and teardown share. */
SOON_API void soon_bench_data_set(soon_bench *bench, void *SOON_NULLABLE data);
SOON_API void *soon_bench_data(const soon_bench *bench);

/*
 * How many bytes, or items, a turn handles: the report has a rate of them, and the time of each
 * item. Without, a turn is one item.
 */
SOON_API void soon_bench_bytes(soon_bench *bench, uint64_t per_turn);
SOON_API void soon_bench_items(soon_bench *bench, uint64_t per_turn);

/*
 * Adds to a figure of the benchmark's own, reported for each turn. From any of its threads.
 * Ownership: `name` is static. Limits: 8 names; more fail the benchmark.
 */
SOON_API void soon_bench_count(soon_bench *bench, const char *name, double value);

/* Ends the benchmark as failed, or as not possible here. Return from the body afterwards. */
SOON_API void soon_bench_fail(soon_bench *bench, const char *format, ...) SOON_PRINTF(2, 3);
SOON_API void soon_bench_skip(soon_bench *bench, const char *format, ...) SOON_PRINTF(2, 3);

/* Keeps the optimiser from leaving out what `value` is the result of. Costs nothing else. */
#define soon_bench_keep(value) __asm__ volatile("" : : "r,m"(value) : "memory")

/* Keeps it from leaving out stores to memory. */
#define soon_bench_clobber() __asm__ volatile("" : : : "memory")

#ifdef __cplusplus
}
#endif

#endif
