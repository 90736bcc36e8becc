// SPDX-License-Identifier: Apache-2.0
/*
 * sample.c: runs the body of a benchmark, on a thread, in a task or on several threads.
 *
 * The time of several threads is from the moment that the last of them is ready to the moment that
 * the last is through: what all of them together took. They start from a barrier that spins, since
 * waking from a futex is longer than many a sample's first turns.
 */
#include "sample.h"

#include <soon/io.h>
#include <soon/task.h>

#include "../common/clock.h"

#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#define TURNS_MAX      (UINT64_C(1) << 40)
#define GROWTH_MAX     10.0
#define SPINS_TO_YIELD 2000
#define PAUSED_NS_MAX  (NS_PER_S / 10)

/* Where the threads of a sample meet. */
struct meeting {
	atomic_uint waiting_count;
	unsigned count;
};

/* One thread's or task's part in a sample; what the body knows as its benchmark. */
struct soon_bench {
	struct soon_bench_case *bench_case;
	struct meeting *meeting; /* NULL: alone */
	unsigned thread;
	clockid_t cpu_clock;
	uint64_t turns;
	bool is_begun;
	bool is_ended;
	int64_t wall_start_ns; /* after a pause: as if it had not been */
	int64_t cpu_start_ns;
	int64_t wall_end_ns;
	int64_t cpu_ns;
	int64_t switches;
	struct probe probe;
	int64_t paused_wall_ns;
	int64_t paused_cpu_ns;
	double counters[CASE_COUNTERS_MAX];
};

/* A set-up may return any number. */
static const char *reason(int err)
{
	const char *text = strerrordesc_np(err);

	return text != NULL ? text : "an unknown error";
}

static void case_lock(struct soon_bench_case *bench_case)
{
	while (atomic_flag_test_and_set_explicit(&bench_case->lock, memory_order_acquire))
		(void)sched_yield();
}

static void case_unlock(struct soon_bench_case *bench_case)
{
	atomic_flag_clear_explicit(&bench_case->lock, memory_order_release);
}

/* The first reason stays. */
SOON_PRINTF(3, 0)
static void case_end(
	struct soon_bench_case *bench_case, enum case_state state, const char *format, va_list args)
{
	case_lock(bench_case);
	if (bench_case->state == CASE_OK) {
		bench_case->state = state;
		(void)vsnprintf(bench_case->message, sizeof(bench_case->message), format, args);
	}
	case_unlock(bench_case);
}

static bool is_ok(struct soon_bench_case *bench_case)
{
	enum case_state state;

	case_lock(bench_case);
	state = bench_case->state;
	case_unlock(bench_case);
	return state == CASE_OK;
}

SOON_PRINTF(2, 3)
static void case_fail(struct soon_bench_case *bench_case, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	case_end(bench_case, CASE_FAILED, format, args);
	va_end(args);
}

void soon_bench_fail(soon_bench *bench, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	case_end(bench->bench_case, CASE_FAILED, format, args);
	va_end(args);
}

void soon_bench_skip(soon_bench *bench, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	case_end(bench->bench_case, CASE_SKIPPED, format, args);
	va_end(args);
}

int64_t soon_bench_param(const soon_bench *bench)
{
	return bench->bench_case->param;
}

unsigned soon_bench_thread(const soon_bench *bench)
{
	return bench->thread;
}

unsigned soon_bench_thread_count(const soon_bench *bench)
{
	return bench->meeting != NULL ? bench->meeting->count : 1;
}

void soon_bench_data_set(soon_bench *bench, void *data)
{
	bench->bench_case->data = data;
}

void *soon_bench_data(const soon_bench *bench)
{
	return bench->bench_case->data;
}

void soon_bench_bytes(soon_bench *bench, uint64_t per_turn)
{
	case_lock(bench->bench_case);
	bench->bench_case->bytes_per_turn = per_turn;
	case_unlock(bench->bench_case);
}

void soon_bench_items(soon_bench *bench, uint64_t per_turn)
{
	case_lock(bench->bench_case);
	bench->bench_case->items_per_turn = per_turn;
	case_unlock(bench->bench_case);
}

void soon_bench_count(soon_bench *bench, const char *name, double value)
{
	struct soon_bench_case *bench_case = bench->bench_case;
	unsigned at = 0;

	case_lock(bench_case);
	while (at < CASE_COUNTERS_MAX && bench_case->counter_names[at] != NULL &&
		strcmp(bench_case->counter_names[at], name) != 0)
		at++;
	if (at < CASE_COUNTERS_MAX)
		bench_case->counter_names[at] = name;
	case_unlock(bench_case);
	if (at < CASE_COUNTERS_MAX)
		bench->counters[at] += value;
	else
		soon_bench_fail(bench, "counter '%s': more than %d names", name, CASE_COUNTERS_MAX);
}

/* Waits until all have come. One that failed before it came has come, too: see part_run. */
static void meet(struct meeting *meeting)
{
	unsigned spins = 0;

	/* Pairs with itself in the other threads: what each did before is done. */
	atomic_fetch_add_explicit(&meeting->waiting_count, 1, memory_order_acq_rel);
	while (atomic_load_explicit(&meeting->waiting_count, memory_order_acquire) <
		meeting->count) {
		if (++spins % SPINS_TO_YIELD == 0)
			(void)sched_yield();
	}
}

/* Context switches of the process for a task, whose work others may do, of the thread otherwise. */
static int64_t switch_count(const soon_bench *bench)
{
	bool is_task = bench->bench_case->def->kind == SOON_BENCH_TASK;
	struct rusage usage;

	if (getrusage(is_task ? RUSAGE_SELF : RUSAGE_THREAD, &usage) != 0)
		return 0;
	return usage.ru_nvcsw + usage.ru_nivcsw;
}

uint64_t soon_bench_begin(soon_bench *bench)
{
	if (bench->is_begun) {
		soon_bench_fail(bench, "more than one soon_bench_each loop in a sample");
		return 0;
	}
	bench->is_begun = true;
	probe_init(&bench->probe, bench->bench_case->how);
	if (bench->meeting != NULL)
		meet(bench->meeting);
	bench->switches = switch_count(bench);
	bench->cpu_start_ns = clock_ns(bench->cpu_clock);
	bench->wall_start_ns = clock_ns(CLOCK_MONOTONIC);
	probe_on(&bench->probe); /* our own calls are outside; without a probe it is a comparison */
	return bench->turns;
}

bool soon_bench_end(soon_bench *bench)
{
	if (bench->is_begun && !bench->is_ended) {
		probe_off(&bench->probe);
		bench->wall_end_ns = clock_ns(CLOCK_MONOTONIC);
		bench->cpu_ns = clock_ns(bench->cpu_clock) - bench->cpu_start_ns;
		bench->switches = switch_count(bench) - bench->switches;
		bench->is_ended = true;
	}
	return false;
}

void soon_bench_pause(soon_bench *bench)
{
	probe_off(&bench->probe);
	bench->paused_wall_ns = clock_ns(CLOCK_MONOTONIC);
	bench->paused_cpu_ns = clock_ns(bench->cpu_clock);
}

void soon_bench_resume(soon_bench *bench)
{
	bench->cpu_start_ns += clock_ns(bench->cpu_clock) - bench->paused_cpu_ns;
	bench->wall_start_ns += clock_ns(CLOCK_MONOTONIC) - bench->paused_wall_ns;
	probe_on(&bench->probe);
}

/* Binds the calling thread to the CPU of its turn. */
static void bind_to_cpu(const soon_bench *bench)
{
	const cpu_set_t *cpus = bench->bench_case->cpus;
	unsigned left = bench->thread % (unsigned)CPU_COUNT(cpus);
	cpu_set_t one;

	for (unsigned cpu = 0; cpu < CPU_SETSIZE; cpu++) {
		if (!CPU_ISSET(cpu, cpus) || left-- > 0)
			continue;
		CPU_ZERO(&one);
		CPU_SET(cpu, &one);
		if (sched_setaffinity(0, sizeof(one), &one) != 0)
			case_fail(bench->bench_case, "CPU %u: %s", cpu, reason(errno));
		return;
	}
}

/* Runs the body and judges whether it kept the rules. */
static void part_run(soon_bench *bench)
{
	if (bench->bench_case->cpus != NULL)
		bind_to_cpu(bench);
	bench->bench_case->def->run(bench);
	probe_off(&bench->probe);
	probe_fini(&bench->probe);
	/* Nobody waits for one that left before its loop. */
	if (!bench->is_begun && bench->meeting != NULL)
		meet(bench->meeting);
	if (!is_ok(bench->bench_case))
		return;
	if (!bench->is_begun)
		soon_bench_fail(bench, "the body has no soon_bench_each loop");
	else if (!bench->is_ended)
		soon_bench_fail(bench, "the soon_bench_each loop was left before its end");
}

static const char *io_name(void)
{
	switch (soon_io_backend(NULL)) {
	case SOON_IO_URING:
		return "io_uring";
	case SOON_IO_EPOLL:
		return "epoll";
	case SOON_IO_AUTO:
		break;
	}
	return "";
}

static int part_task(soon_bench *bench)
{
	bench->bench_case->io = io_name();
	part_run(bench);
	return 0;
}

static void *part_thread(void *bench)
{
	part_run(bench);
	return NULL;
}

static int run_in_task(soon_bench *bench)
{
	int rc = soon_run_with(&(soon_opts){ .cores = 1 }, part_task, bench);

	if (rc < 0)
		case_fail(bench->bench_case, "soon_run: %s", reason(-rc));
	return rc;
}

/* Runs all parts, the first one on this thread. */
static int run_on_threads(soon_bench *parts, unsigned count)
{
	pthread_t *threads = calloc(count, sizeof(*threads));
	unsigned started = 1;
	int err = 0;

	if (threads == NULL) {
		case_fail(parts[0].bench_case, "no memory for %u threads", count);
		return -ENOMEM;
	}
	for (; started < count; started++) {
		err = pthread_create(&threads[started], NULL, part_thread, &parts[started]);
		if (err != 0)
			break;
	}
	if (err == 0) {
		part_run(&parts[0]);
	} else {
		case_fail(parts[0].bench_case, "thread %u of %u: %s", started, count,
			strerrordesc_np(err));
		/* Those that wait are let go. */
		atomic_fetch_add_explicit(&parts[0].meeting->waiting_count, count - started + 1,
			memory_order_acq_rel);
	}
	for (unsigned i = 1; i < started; i++)
		(void)pthread_join(threads[i], NULL);
	free(threads);
	return -err;
}

/* Allocations are counted by the process: each thread has all of them, about. */
static void add_counts(const struct probe_counts *counts, bool is_first, struct probe_counts *sum)
{
	if (is_first)
		sum->allocations = counts->allocations;
	sum->allocated_bytes += counts->allocated_bytes;
	sum->freed_bytes += counts->freed_bytes;
	sum->instructions += counts->instructions;
}

/* Puts the parts together. */
static void gather(const soon_bench *parts, unsigned count, struct sample *sample)
{
	int64_t start_ns = INT64_MAX;
	int64_t end_ns = 0;

	for (unsigned i = 0; i < count; i++) {
		if (parts[i].wall_start_ns < start_ns)
			start_ns = parts[i].wall_start_ns;
		if (parts[i].wall_end_ns > end_ns)
			end_ns = parts[i].wall_end_ns;
		sample->cpu_ns += parts[i].cpu_ns;
		sample->switches += parts[i].switches;
		add_counts(&parts[i].probe.counts, i == 0, &sample->counts);
		for (unsigned k = 0; k < CASE_COUNTERS_MAX; k++)
			sample->counters[k] += parts[i].counters[k];
	}
	sample->wall_ns = end_ns - start_ns;
}

static void take(struct soon_bench_case *bench_case, soon_bench *parts, unsigned count,
	struct sample *sample)
{
	struct meeting meeting = { .count = count };
	bool is_task = bench_case->def->kind == SOON_BENCH_TASK;
	int rc = 0;

	for (unsigned i = 0; i < count; i++)
		parts[i] = (soon_bench){
			.bench_case = bench_case,
			.meeting = count > 1 ? &meeting : NULL,
			.thread = i,
			.cpu_clock = is_task ? CLOCK_PROCESS_CPUTIME_ID : CLOCK_THREAD_CPUTIME_ID,
			.turns = sample->turns,
			.probe.instructions_fd = -1,
		};
	if (bench_case->def->setup != NULL)
		rc = bench_case->def->setup(&parts[0]);
	if (rc < 0)
		case_fail(bench_case, "set-up: %s", reason(-rc));
	if (bench_case->state != CASE_OK)
		return;
	if (is_task)
		(void)run_in_task(&parts[0]);
	else if (count > 1)
		(void)run_on_threads(parts, count);
	else
		part_run(&parts[0]);
	if (bench_case->def->teardown != NULL)
		bench_case->def->teardown(&parts[0]);
	gather(parts, count, sample);
}

int sample_take(struct soon_bench_case *bench_case, uint64_t turns, struct sample *ret_sample)
{
	unsigned count = bench_case->threads;
	soon_bench *parts = calloc(count, sizeof(*parts));
	struct sample sample = { .turns = turns };
	int64_t start_ns = now_ns();

	if (parts == NULL)
		case_fail(bench_case, "no memory");
	else
		take(bench_case, parts, count, &sample);
	free(parts);
	sample.elapsed_ns = now_ns() - start_ns;
	if (bench_case->state != CASE_OK)
		return -ECANCELED;
	*ret_sample = sample;
	return 0;
}

/* How many turns to try after a sample that was too short: a little more than what is missing. */
static uint64_t grow(const struct sample *sample, int64_t sample_ns)
{
	double factor = GROWTH_MAX;

	if (sample->wall_ns > sample_ns / 100)
		factor = 1.2 * (double)sample_ns / (double)sample->wall_ns;
	if (factor > GROWTH_MAX)
		factor = GROWTH_MAX;
	return (uint64_t)((double)sample->turns * factor) + 1;
}

/* It takes so much longer than what is timed of it that nobody would wait for more. */
static bool is_mostly_paused(const struct sample *sample, int64_t sample_ns)
{
	return sample->elapsed_ns >= PAUSED_NS_MAX && sample->elapsed_ns / 10 >= sample_ns;
}

int sample_calibrate(struct soon_bench_case *bench_case, int64_t sample_ns, int64_t warmup_ns,
	const volatile sig_atomic_t *stop)
{
	int64_t start_ns = now_ns();
	uint64_t turns = 1;

	for (;;) {
		struct sample sample;
		int rc = *stop ? -EINTR : sample_take(bench_case, turns, &sample);

		if (rc < 0)
			return rc;
		if (sample.wall_ns < sample_ns && !is_mostly_paused(&sample, sample_ns))
			turns = grow(&sample, sample_ns);
		else if (now_ns() - start_ns >= warmup_ns)
			break;
		if (turns > TURNS_MAX) {
			case_fail(bench_case,
				"%" PRIu64 " turns took no time: was the loop left out by the "
				"optimiser? See soon_bench_keep",
				sample.turns);
			return -ECANCELED;
		}
	}
	bench_case->turns = turns;
	return 0;
}
