// SPDX-License-Identifier: Apache-2.0
/*
 * explore.c: the explorer's scheduler, its search, and its program.
 *
 * The search is depth first over the choices of a run: each run follows those of the one before up
 * to the last that had an alternative left, takes that, and from there on the simplest. Leaving a
 * thread that could go on costs a preemption, reading an old value costs a stale read; with both
 * bounded the search ends. It is repeated with a growing number of preemptions, since most errors
 * need few and the shortest way to one is the best to read. Random walks, without bounds, come
 * after it.
 */
#include "core/switch.h"
#include "explore_run.h"

#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#define STACK_BYTES   32768u
#define CHOICES_MAX   4096u
#define STEPS_MAX     3000u
#define LOCALS_MAX    4u
#define LOCAL_BYTES   64u
#define HANG_SECONDS  20u
#define WALK_STALE    4u /* one of so many loads, in a random walk, and of so many steps */
#define WALK_SWITCHES 3u

struct choice {
	uint16_t taken, count;
};

struct thread *explore_current;
bool explore_is_tracing;

static _Alignas(64) char stacks[EXPLORE_THREADS_MAX][STACK_BYTES];
static struct thread threads[EXPLORE_THREADS_MAX];
static unsigned threads_count;
static void *main_sp; /* of the search, while a run goes on */
static uint64_t steps, runs;

static struct choice choices[CHOICES_MAX];
static unsigned choices_made, choices_given; /* in this run; those that it is to repeat */
static bool is_walk;
static uint64_t random_state;
static unsigned preemptions_left, stale_left;
static char failure[512];

static struct {
	void *addr;
	size_t bytes;
	char of[EXPLORE_THREADS_MAX][LOCAL_BYTES];
} locals[LOCALS_MAX];
static unsigned locals_count;

static struct {
	void *addr;
	size_t bytes;
} books[LOCALS_MAX];
static unsigned books_count;

static const struct explore_scenario *scenario;
static double time_limit = 10;

/* Choices. */

static uint64_t draw(void)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	return random_state;
}

static void print_choices(int fd)
{
	char text[16];

	for (unsigned i = 0; i < choices_made; i++) {
		int len = snprintf(text, sizeof text, "%s%u", i > 0 ? "." : "", choices[i].taken);

		if (write(fd, text, (size_t)len) < 0)
			return;
	}
}

static unsigned choose_as(unsigned count, unsigned simplest)
{
	unsigned taken = simplest;

	if (count < 2)
		return 0;
	if (choices_made == CHOICES_MAX)
		explore_fail("more than %u choices", CHOICES_MAX);
	if (choices_made < choices_given)
		taken = choices[choices_made].taken;
	if (taken >= count)
		explore_fail("a replay that does not fit the program");
	choices[choices_made++] = (struct choice){ (uint16_t)taken, (uint16_t)count };
	return taken;
}

unsigned explore_pick(unsigned count)
{
	return choose_as(count, is_walk ? (unsigned)(draw() % count) : 0);
}

unsigned explore_pick_value(unsigned count)
{
	unsigned taken;

	if (count < 2 || explore_current->reads_fresh)
		return 0;
	if (is_walk) {
		taken = choose_as(count, draw() % WALK_STALE == 0 ? (unsigned)(draw() % count) : 0);
	} else {
		if (stale_left == 0)
			return 0;
		taken = choose_as(count, 0);
		stale_left -= taken > 0;
	}
	if (taken > 0)
		explore_current->has_read_stale = true;
	return taken;
}

unsigned explore_choose(const char *what, unsigned count)
{
	unsigned taken = explore_pick(count);

	explore_trace("chooses %u of %u: %s", taken, count, what);
	return taken;
}

/* Threads. */

void explore_trace(const char *fmt, ...)
{
	va_list args;

	if (!explore_is_tracing)
		return;
	fprintf(stderr, "    %-14s ", explore_current ? explore_current->name : "-");
	va_start(args, fmt);
	vfprintf(stderr, fmt, args);
	va_end(args);
	fputc('\n', stderr);
}

void explore_fail(const char *fmt, ...)
{
	va_list args;
	void *sp;

	va_start(args, fmt);
	(void)vsnprintf(failure, sizeof failure, fmt, args);
	va_end(args);
	explore_trace("%s", failure);
	/* Never to come back: the run is over. */
	soon__switch(&sp, main_sp);
	abort();
}

static void *thread_entry(void *arg)
{
	struct thread *self = arg;

	self->fn(self->arg);
	explore_trace("ends");
	self->has_ended = true;
	if (self->host)
		self->host->guest = NULL;
	explore_step("end");
	abort();
}

static struct thread *thread_add(const char *name, void (*fn)(void *arg), void *arg)
{
	struct thread *thread = &threads[threads_count];

	if (threads_count == EXPLORE_THREADS_MAX)
		explore_fail("too many threads");
	*thread = (struct thread){ .name = name, .fn = fn, .arg = arg };
	thread->view = &thread->own;
	thread->clock = PLACES_MAX + threads_count;
	thread->sp = soon__context_make(stacks[threads_count] + STACK_BYTES, thread_entry, thread);
	threads_count++;
	return thread;
}

void explore_thread(const char *name, void (*fn)(void *arg), void *arg)
{
	struct thread *thread = thread_add(name, fn, arg);

	thread->own = *explore_current->view;
	explore_current->view->at[explore_current->clock]++;
	thread->own.at[thread->clock] = 1;
}

void explore_handler(const char *name, void (*fn)(void *arg), void *arg)
{
	struct thread *host = &threads[threads_count - 1];
	struct thread *thread;

	while (host->host)
		host--;
	thread = thread_add(name, fn, arg);
	thread->host = host;
	thread->view = host->view;
	thread->clock = host->clock;
}

static bool can_go_on(const struct thread *thread)
{
	if (thread->has_ended || thread->guest)
		return false;
	if (thread->host && !thread->has_begun)
		return false; /* may come, but nobody can rely on it */
	if (thread->is_ready && !thread->is_ready(thread->ready_arg))
		return false;
	return thread->relaxed_at == 0 || thread->relaxed_at < steps || thread->has_read_stale;
}

/* A handler that may begin now: its host has begun, and has no other. */
static bool can_interrupt(const struct thread *thread)
{
	const struct thread *host = thread->host;

	return host && !thread->has_begun && host->has_begun && !host->has_ended && !host->guest;
}

/* The threads that may go on, the running one first; the second count is of those that could. */
static unsigned find_ready(struct thread **ready, unsigned *ret_reliable)
{
	unsigned count = 0;

	if (explore_current != &threads[0] && can_go_on(explore_current))
		ready[count++] = explore_current;
	for (unsigned i = 1; i < threads_count; i++) {
		if (&threads[i] != explore_current && can_go_on(&threads[i]))
			ready[count++] = &threads[i];
	}
	*ret_reliable = count;
	for (unsigned i = 1; i < threads_count; i++) {
		if (can_interrupt(&threads[i]))
			ready[count++] = &threads[i];
	}
	return count;
}

static bool have_all_ended(void)
{
	for (unsigned i = 1; i < threads_count; i++) {
		if (!threads[i].has_ended && !(threads[i].host && !threads[i].has_begun))
			return false;
	}
	return true;
}

static __attribute__((noreturn)) void fail_stuck(void)
{
	char text[256];
	size_t len = 0;

	text[0] = '\0';
	for (unsigned i = 1; i < threads_count && len < sizeof text; i++) {
		if (!threads[i].has_ended && !(threads[i].host && !threads[i].has_begun))
			len += (size_t)snprintf(
				text + len, sizeof text - len, " %s", threads[i].name);
	}
	explore_fail("nobody can go on; still there:%s", text);
}

static struct thread *pick_next(void)
{
	struct thread *ready[EXPLORE_THREADS_MAX];
	unsigned reliable, count = find_ready(ready, &reliable), taken;
	bool is_preemption = reliable > 0 && ready[0] == explore_current;

	if (reliable == 0 && have_all_ended())
		return &threads[0];
	if (reliable == 0)
		fail_stuck();
	if (is_walk)
		return ready[is_preemption && draw() % WALK_SWITCHES ? choose_as(count, 0)
								     : explore_pick(count)];
	if (is_preemption && preemptions_left == 0)
		return ready[0];
	taken = explore_pick(count);
	/* A handler always interrupts. */
	preemptions_left -=
		preemptions_left > 0 && taken > 0 && (is_preemption || taken >= reliable);
	return ready[taken];
}

/* A handler has those of its host. */
static char *locals_of(unsigned index, const struct thread *thread)
{
	return locals[index].of[(thread->host ? thread->host : thread) - threads];
}

static void locals_switch(const struct thread *from, const struct thread *to)
{
	for (unsigned i = 0; i < locals_count; i++) {
		memcpy(locals_of(i, from), locals[i].addr, locals[i].bytes);
		memcpy(locals[i].addr, locals_of(i, to), locals[i].bytes);
	}
}

static void switch_to(struct thread *next)
{
	struct thread *from = explore_current;

	if (!next->has_begun && next->host)
		next->host->guest = next;
	next->has_begun = true;
	if (next->relaxed_at > 0) {
		/* In the end everybody sees what is there. */
		next->reads_fresh = next->has_read_stale && next->relaxed_at == steps;
		next->has_read_stale = false;
		next->relaxed_at = 0;
	}
	if (from == next)
		return;
	locals_switch(from, next);
	explore_current = next;
	soon__switch(&from->sp, next->sp);
}

void explore_step(const char *what)
{
	/* Before the threads, and after them, there is nobody else. */
	if (explore_current == &threads[0])
		return;
	if (++steps > STEPS_MAX)
		explore_fail("more than %u steps: somebody goes round in circles", STEPS_MAX);
	switch_to(pick_next());
	if (explore_is_tracing && what)
		explore_trace("%s", what);
}

void explore_block(const char *what, bool (*is_ready)(void *arg), void *arg)
{
	struct thread *self = explore_current;

	self->is_ready = is_ready;
	self->ready_arg = arg;
	explore_step(what);
	self->is_ready = NULL;
}

void explore_relax(void)
{
	explore_current->relaxed_at = steps + 1;
	explore_step("waits for others");
}

void explore_thread_local(void *addr, size_t bytes)
{
	if (locals_count == LOCALS_MAX || bytes > LOCAL_BYTES)
		explore_fail("too many thread-local variables");
	locals[locals_count].addr = addr;
	locals[locals_count].bytes = bytes;
	memset(locals[locals_count].of, 0, sizeof locals[locals_count].of);
	memset(addr, 0, bytes);
	locals_count++;
}

void explore_untracked(void *addr, size_t bytes)
{
	if (books_count == LOCALS_MAX)
		explore_fail("too many books");
	books[books_count].addr = addr;
	books[books_count++].bytes = bytes;
}

bool explore_is_tracked(uintptr_t addr)
{
	for (unsigned i = 0; i < books_count; i++) {
		if (addr - (uintptr_t)books[i].addr < books[i].bytes)
			return false;
	}
	for (unsigned i = 0; i < locals_count; i++) {
		if (addr - (uintptr_t)locals[i].addr < locals[i].bytes)
			return false;
	}
	return true;
}

/* Runs. */

/* Sets up, runs all to their end, and looks at what they left. */
static void run_all(void *unused)
{
	struct thread *first;

	(void)unused;
	scenario->setup();
	first = pick_next();
	/* Comes back when all have ended. */
	switch_to(first);
	for (unsigned i = 1; i < threads_count; i++)
		explore_join(&threads[0].own, threads[i].view);
	if (scenario->finish)
		scenario->finish();
	explore_current = NULL;
	soon__switch(&threads[0].sp, main_sp);
}

static bool run_once(void)
{
	explore_memory_reset();
	locals_count = 0;
	books_count = 0;
	threads_count = 0;
	failure[0] = '\0';
	choices_made = 0;
	steps = 0;
	explore_current = thread_add("setup", run_all, NULL);
	explore_current->has_begun = true;
	soon__switch(&main_sp, explore_current->sp);
	runs++;
	return failure[0] == '\0';
}

/* Makes the next run take another way; false when there is none. */
static bool backtrack(void)
{
	while (choices_made > 0 &&
		choices[choices_made - 1].taken + 1 == choices[choices_made - 1].count)
		choices_made--;
	if (choices_made == 0)
		return false;
	choices[choices_made - 1].taken++;
	choices_given = choices_made;
	return true;
}

static void show_failure(void)
{
	char first[sizeof failure];

	memcpy(first, failure, sizeof first);
	fflush(stdout);
	fprintf(stderr, "%s: FAILED: %s\nchoices: ", scenario->name, first);
	print_choices(STDERR_FILENO);
	fprintf(stderr, "\nthe way there:\n");
	choices_given = choices_made;
	explore_is_tracing = true;
	is_walk = false;
	preemptions_left = stale_left = UINT32_MAX;
	(void)run_once();
	explore_is_tracing = false;
	if (strcmp(first, failure) != 0)
		fprintf(stderr, "repeated, it gave: %s\n", failure[0] ? failure : "no failure");
}

static double now(void)
{
	struct timespec time;

	(void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
	return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

enum found { FOUND_NOTHING, FOUND_TIME_OVER, FOUND_FAILURE };

static enum found search(unsigned preemptions, double until)
{
	choices_given = 0;
	do {
		preemptions_left = preemptions;
		stale_left = scenario->stale;
		if (!run_once())
			return FOUND_FAILURE;
		if (runs % 256 == 0 && now() > until)
			return FOUND_TIME_OVER;
	} while (backtrack());
	return FOUND_NOTHING;
}

static enum found walk(uint64_t count, uint64_t seed, double until)
{
	enum found found = FOUND_NOTHING;

	is_walk = true;
	choices_given = 0;
	for (uint64_t i = 0; i < count && found == FOUND_NOTHING; i++) {
		random_state = (seed + i) * UINT64_C(0x9e3779b97f4a7c15) | 1;
		if (!run_once()) {
			printf("%s: random walk with --seed %ju\n", scenario->name,
				(uintmax_t)(seed + i));
			found = FOUND_FAILURE;
		} else if (i % 256 == 0 && now() > until) {
			found = FOUND_TIME_OVER;
		}
	}
	is_walk = false;
	return found;
}

/* The explorer's program. */

static uint64_t walks = 20000;
static uint64_t walk_seed = 1;
static unsigned preemptions_max = UINT32_MAX;
static const char *replay;

static void die_with_choices(const char *why)
{
	(void)!write(STDERR_FILENO, why, strlen(why));
	(void)!write(STDERR_FILENO, scenario->name, strlen(scenario->name));
	(void)!write(STDERR_FILENO, "\nchoices: ", 10);
	print_choices(STDERR_FILENO);
	(void)!write(STDERR_FILENO, "\n", 1);
	_exit(EXIT_FAILURE);
}

static void on_crash(int signo)
{
	(void)signo;
	die_with_choices("FAILED: a crash in ");
}

/* A loop in which nobody comes to a step. */
static void on_tick(int signo)
{
	static uint64_t seen;
	static unsigned still;

	(void)signo;
	still = runs == seen ? still + 1 : 0;
	seen = runs;
	if (still >= HANG_SECONDS)
		die_with_choices("FAILED: a loop without end in ");
}

static void watch_for_crashes(void)
{
	static char stack[65536];
	const stack_t on = { .ss_sp = stack, .ss_size = sizeof stack };
	struct sigaction action = { .sa_handler = on_crash, .sa_flags = SA_ONSTACK };
	/* Of processor time, so that a machine under load is no reason. */
	const struct itimerval each_second = { { 1, 0 }, { 1, 0 } };

	(void)sigaltstack(&on, NULL);
	(void)sigaction(SIGSEGV, &action, NULL);
	(void)sigaction(SIGBUS, &action, NULL);
	(void)sigaction(SIGABRT, &action, NULL);
	action.sa_handler = on_tick;
	(void)sigaction(SIGVTALRM, &action, NULL);
	(void)setitimer(ITIMER_VIRTUAL, &each_second, NULL);
}

static int replay_choices(const char *text)
{
	char *end;

	for (choices_given = 0; *text && choices_given < CHOICES_MAX; choices_given++) {
		choices[choices_given].taken = (uint16_t)strtoul(text, &end, 10);
		text = *end == '.' ? end + 1 : end;
	}
	explore_is_tracing = true;
	preemptions_left = stale_left = UINT32_MAX;
	printf("%s: %s\n", scenario->name, run_once() ? "passed" : failure);
	return failure[0] ? EXIT_FAILURE : EXIT_SUCCESS;
}

static int explore(void)
{
	double until = now() + time_limit;
	enum found found = FOUND_NOTHING;
	unsigned bound = 0;

	runs = 0;
	if (replay)
		return replay_choices(replay);
	for (; bound <= scenario->preemptions && bound <= preemptions_max && found == FOUND_NOTHING;
		bound++)
		found = search(bound, until);
	if (found != FOUND_FAILURE) {
		printf("%s: %ju runs, all with at most %u preemptions and %u old values%s\n",
			scenario->name, (uintmax_t)runs, bound - 1 - (found == FOUND_TIME_OVER),
			scenario->stale, found == FOUND_TIME_OVER ? "; out of time" : "");
		found = walk(walks, walk_seed, now() + time_limit);
	}
	if (found != FOUND_FAILURE)
		return EXIT_SUCCESS;
	show_failure();
	return EXIT_FAILURE;
}

static bool is_wanted(const char *name, char **names)
{
	if (*names == NULL)
		return true;
	while (*names != NULL && strcmp(*names, name) != 0)
		names++;
	return *names != NULL;
}

/* Takes the options off the front and returns where the names begin. */
static char **take_options(char **argv)
{
	while (argv[0] && strncmp(argv[0], "--", 2) == 0) {
		const char *value = argv[1];

		if (value && strcmp(argv[0], "--seconds") == 0)
			time_limit = strtod(value, NULL);
		else if (value && strcmp(argv[0], "--walks") == 0)
			walks = strtoull(value, NULL, 10);
		else if (value && strcmp(argv[0], "--seed") == 0)
			walk_seed = strtoull(value, NULL, 10);
		else if (value && strcmp(argv[0], "--preemptions") == 0)
			preemptions_max = (unsigned)strtoul(value, NULL, 10);
		else if (value && strcmp(argv[0], "--replay") == 0)
			replay = value;
		else
			return NULL;
		argv += 2;
	}
	return argv;
}

int explore_main(int argc, char **argv, const struct explore_scenario *scenarios, size_t count)
{
	char **names = argc > 0 ? take_options(argv + 1) : NULL;
	int status = EXIT_SUCCESS;

	if (!names) {
		fprintf(stderr,
			"usage: %s [--seconds S] [--walks N] [--seed N] [--preemptions N] "
			"[--replay CHOICES] [SCENARIO...]\n",
			argc > 0 ? argv[0] : "explore");
		return EXIT_FAILURE;
	}
	watch_for_crashes();
	for (size_t i = 0; i < count && status == EXIT_SUCCESS; i++) {
		scenario = &scenarios[i];
		if (is_wanted(scenario->name, names))
			status = explore();
	}
	return status;
}
