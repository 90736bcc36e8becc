// SPDX-License-Identifier: Apache-2.0
/*
 * Hands work between threads and cores, and accounts for each handoff: what was handed over has
 * arrived, once, and in its order. Each regime has its own way to meet a core that works, sleeps
 * or is just about to.
 *
 *	handoffs [--seconds S] [--seed N] [--patience S] [REGIME...]
 *
 * Prints one line for each regime, `regime handoffs H sleeps S lost L`, and their sum. `sleeps`
 * counts how often the kernel had really put a core's thread to sleep; in these regimes only a
 * handoff ends that. When nothing has arrived for --patience seconds, a wake-up is lost: the
 * watchdog says what was under way, has the cores dump their tasks, and fails the program.
 * ledger.py adds up what runs of this program have shown.
 */
#include <soon/assert.h>
#include <soon/future.h>
#include <soon/group.h>
#include <soon/thread.h>
#include <soon/time.h>

#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <string.h>
#include <support/program.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#define PRODUCERS 2u
#define NODES     65536u
#define STEP      64u /* handoffs between two looks at the clock */

struct count {
	uint64_t handoffs; /* that arrived */
	uint64_t sleeps;
	uint64_t lost; /* handed over, and not there at the end */
};

struct regime {
	const char *name;
	void (*run)(struct count *ret);
};

static atomic_bool is_over;           /* the time of the regime is up */
static atomic_uint_least64_t arrived; /* in this regime; the watchdog looks whether it grows */
static _Atomic(const char *) under_way;
static unsigned patience_s = 30;
static unsigned ms = 300; /* of each regime */
static uint64_t seed = 1;

static uint64_t draw(uint64_t *random)
{
	*random = *random * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return *random >> 33;
}

/* Does nothing, for a while that the compiler cannot shorten. */
static void idle_for(unsigned turns)
{
	for (unsigned i = 0; i < turns; i++)
		atomic_signal_fence(memory_order_seq_cst);
}

static uint64_t sleeps_of_thread(void)
{
	struct rusage usage;

	CHECK_EQ(getrusage(RUSAGE_THREAD, &usage), 0);
	return (uint64_t)usage.ru_nvcsw;
}

static void arrive(uint64_t count)
{
	atomic_fetch_add_explicit(&arrived, count, memory_order_relaxed);
}

static bool is_time_up(void)
{
	return atomic_load_explicit(&is_over, memory_order_relaxed);
}

/* Threads post to a core that yields, or sleeps whenever it has nothing to run. */

struct node {
	soon_callback callback;
	struct producer *producer;
	uint64_t serial;
	atomic_bool is_posted;
};

struct producer {
	soon_core *core;
	struct node nodes[NODES];
	uint64_t random;
	unsigned pause_max; /* of the pauses between posts, in turns of idle_for(); 0: none */
	unsigned window;    /* posts under way at most, so that the core has to sleep sometimes */
	uint64_t accepted;  /* the thread's */
	uint64_t executed;  /* the core's */
	pthread_t thread;
};

static struct posting {
	struct producer producers[PRODUCERS];
	unsigned pause_max, window;
	bool is_busy; /* a task yields all the time */
	atomic_uint producing;
	soon_future ended; /* by the last producer */
	uint64_t sleeps;
} posting;

static void node_run(soon_callback *callback)
{
	struct node *node = SOON_CONTAINER_OF(callback, struct node, callback);

	CHECK_EQ(node->serial, node->producer->executed);
	node->producer->executed++;
	if (node->serial % STEP == 0)
		arrive(STEP);
	atomic_store_explicit(&node->is_posted, false, memory_order_release);
}

static void post_one(struct producer *self)
{
	struct node *node = &self->nodes[self->accepted % self->window];

	while (atomic_load_explicit(&node->is_posted, memory_order_acquire))
		sched_yield();
	atomic_store_explicit(&node->is_posted, true, memory_order_relaxed);
	node->serial = self->accepted++;
	CHECK_EQ(soon_post(self->core, &node->callback), 0);
}

static void *produce(void *arg)
{
	struct producer *self = arg;

	while (!is_time_up()) {
		for (unsigned i = 0; i < STEP; i++) {
			post_one(self);
			if (self->pause_max > 0)
				idle_for((unsigned)(draw(&self->random) % self->pause_max));
		}
	}
	if (atomic_fetch_sub(&posting.producing, 1) == 1)
		soon_future_set(&posting.ended, 0, 0);
	return NULL;
}

static int yield_until_over(void *unused)
{
	int rc = 0;

	(void)unused;
	while (rc == 0 && !soon_future_is_set(&posting.ended))
		rc = soon_yield();
	return rc;
}

static int receive_posts(void *unused)
{
	uint64_t before = sleeps_of_thread();
	int rc;
	SOON_GROUP(g);

	(void)unused;
	for (unsigned i = 0; i < PRODUCERS; i++) {
		struct producer *producer = &posting.producers[i];

		producer->core = soon_core_self();
		CHECK_EQ(pthread_create(&producer->thread, NULL, produce, producer), 0);
	}
	if (posting.is_busy)
		CHECK_EQ(soon_spawn(&g, yield_until_over, NULL), 0);
	rc = soon_future_wait(&posting.ended, NULL);
	posting.sleeps = sleeps_of_thread() - before;
	return (int)soon_group_close(&g, rc);
}

static void run_posts(
	struct count *ret, unsigned window, unsigned pause_max, bool is_busy, const soon_opts *opts)
{
	memset(&posting, 0, sizeof posting);
	posting.is_busy = is_busy;
	atomic_init(&posting.producing, PRODUCERS);
	for (unsigned i = 0; i < PRODUCERS; i++) {
		struct producer *producer = &posting.producers[i];

		producer->random = seed + i;
		producer->pause_max = pause_max;
		producer->window = window;
		for (unsigned k = 0; k < NODES; k++) {
			producer->nodes[k].callback.fn = node_run;
			producer->nodes[k].producer = producer;
		}
	}
	CHECK_EQ(soon_run_with(opts, receive_posts, NULL), 0);
	for (unsigned i = 0; i < PRODUCERS; i++) {
		struct producer *producer = &posting.producers[i];

		CHECK_EQ(pthread_join(producer->thread, NULL), 0);
		ret->handoffs += producer->executed;
		ret->lost += producer->accepted - producer->executed;
	}
	ret->sleeps = posting.sleeps;
	soon_future_fini(&posting.ended);
}

/* As fast as it goes: the core always has something to do. */
static void run_flood(struct count *ret)
{
	run_posts(ret, NODES, 0, true, NULL);
}

/* The core has nothing but the posts: it empties its inbox, and falls asleep while more come. */
static void run_race(struct count *ret)
{
	run_posts(ret, 4, 400, false, NULL);
}

/* One post under way: each finds the core asleep, or about to be. */
static void run_single(struct count *ret)
{
	run_posts(ret, 1, 40, false, NULL);
}

/* As fast as it goes, to a core that has nothing else and looks before it sleeps. */
static void run_stream(struct count *ret)
{
	run_posts(ret, NODES, 0, false, &(soon_opts){ .spin = SOON_US(10) });
}

/* The looks end about when the next post comes: before it, at it or after it. */
static void run_looking(struct count *ret)
{
	run_posts(ret, 2, 4000, false, &(soon_opts){ .spin = SOON_US(2) });
}

/* A task offloads, one call after the other: to a thread and back, two handoffs. */

static struct offloading {
	uint64_t calls; /* that returned */
	atomic_uint_least64_t runs;
	atomic_uint left;
	uint64_t sleeps;
} offloading;

static int job(uint64_t serial)
{
	atomic_fetch_add_explicit(&offloading.runs, 1, memory_order_relaxed);
	return (int)(serial % 1000);
}

static int offload_calls(uint64_t first)
{
	for (uint64_t i = first; !is_time_up(); i++) {
		CHECK_EQ(soon_offload(job, i), i % 1000);
		offloading.calls++;
		arrive(2);
	}
	return 0;
}

static int offload_in_tasks(unsigned tasks)
{
	uint64_t before = sleeps_of_thread();
	int rc = 0;
	SOON_GROUP(g);

	for (unsigned i = 0; i < tasks && rc == 0; i++)
		rc = soon_spawn(&g, offload_calls, (uint64_t)i * 7);
	rc = (int)soon_group_close(&g, rc);
	offloading.sleeps = sleeps_of_thread() - before;
	return rc;
}

static void run_offloads(struct count *ret, unsigned tasks)
{
	memset(&offloading, 0, sizeof offloading);
	CHECK_EQ(soon_run_with(&(soon_opts){ .offload_threads = 2 }, offload_in_tasks, tasks), 0);
	ret->handoffs = offloading.calls + atomic_load(&offloading.runs);
	ret->lost = atomic_load(&offloading.runs) - offloading.calls;
	ret->sleeps = offloading.sleeps;
}

static void run_offload(struct count *ret)
{
	run_offloads(ret, 1);
}

static void run_offload_many(struct count *ret)
{
	run_offloads(ret, 16);
}

/* Two cores throw a callback at each other, each asleep when it comes. */

struct side {
	soon_callback callback;
	struct side *other;
	_Atomic(soon_core *) core;
	uint64_t received, sleeps;
	soon_future ended;
	sem_t *is_there;
};

static struct side sides[2];
static sem_t side_is_there;

static void side_run(soon_callback *callback)
{
	struct side *self = SOON_CONTAINER_OF(callback, struct side, callback);
	struct side *other = self->other;

	self->received++;
	if (self->received % STEP == 0)
		arrive(STEP);
	if (self == &sides[0] && is_time_up()) {
		soon_future_set(&self->ended, 0, 0);
		soon_future_set(&other->ended, 0, 0);
		return;
	}
	CHECK_EQ(soon_post(atomic_load(&other->core), &other->callback), 0);
}

static int side_wait(struct side *self)
{
	uint64_t before = sleeps_of_thread();
	int rc;

	atomic_store(&self->core, soon_core_self());
	CHECK_EQ(sem_post(&side_is_there), 0);
	rc = soon_future_wait(&self->ended, NULL);
	self->sleeps = sleeps_of_thread() - before;
	return rc;
}

static void *side_main(void *arg)
{
	struct side *self = arg;

	CHECK_EQ(soon_run(side_wait, self), 0);
	return NULL;
}

static void run_cores(struct count *ret)
{
	pthread_t threads[2];
	soon_callback *first = &sides[0].callback;

	memset(sides, 0, sizeof sides);
	CHECK_EQ(sem_init(&side_is_there, 0, 0), 0);
	for (unsigned i = 0; i < 2; i++) {
		sides[i].callback.fn = side_run;
		sides[i].other = &sides[1 - i];
		CHECK_EQ(pthread_create(&threads[i], NULL, side_main, &sides[i]), 0);
	}
	for (unsigned i = 0; i < 2; i++) {
		while (sem_wait(&side_is_there) != 0)
			continue;
	}
	CHECK_EQ(soon_post(atomic_load(&sides[0].core), first), 0);
	for (unsigned i = 0; i < 2; i++) {
		CHECK_EQ(pthread_join(threads[i], NULL), 0);
		ret->handoffs += sides[i].received;
		ret->sleeps += sides[i].sleeps;
		soon_future_fini(&sides[i].ended);
	}
	ret->lost = sides[0].received - sides[1].received - 1;
	CHECK_EQ(sem_destroy(&side_is_there), 0);
}

/* A thread and a task give each other futures: the thread blocks, and the core sleeps. */

static struct {
	soon_future to_task[STEP], to_thread[STEP];
	pthread_t thread;
	uint64_t given, taken, sleeps;
	atomic_bool is_last; /* of the thread: no further round */
} futures;

static void *answer(void *unused)
{
	bool is_last;

	(void)unused;
	do {
		is_last = is_time_up();
		atomic_store(&futures.is_last, is_last);
		for (uint64_t i = 0; i < STEP; i++) {
			uint64_t value = 0;

			soon_future_set(&futures.to_task[i], 0, i);
			CHECK_EQ(soon_future_wait(&futures.to_thread[i], &value), 0);
			CHECK_EQ(value, i + 1);
			soon_future_fini(&futures.to_thread[i]);
			futures.given += 2;
		}
	} while (!is_last);
	return NULL;
}

static int ask(void *unused)
{
	uint64_t before = sleeps_of_thread();
	bool is_last = false;

	(void)unused;
	CHECK_EQ(pthread_create(&futures.thread, NULL, answer, NULL), 0);
	while (!is_last) {
		for (uint64_t i = 0; i < STEP; i++) {
			uint64_t value = 0;

			CHECK_EQ(soon_future_wait(&futures.to_task[i], &value), 0);
			CHECK_EQ(value, i);
			soon_future_fini(&futures.to_task[i]);
			is_last = atomic_load(&futures.is_last);
			soon_future_set(&futures.to_thread[i], 0, i + 1);
			futures.taken += 2;
		}
		arrive(2 * (uint64_t)STEP);
	}
	futures.sleeps = sleeps_of_thread() - before;
	return 0;
}

static void run_futures(struct count *ret)
{
	memset(&futures, 0, sizeof futures);
	CHECK_EQ(soon_run(ask, NULL), 0);
	CHECK_EQ(pthread_join(futures.thread, NULL), 0);
	ret->handoffs = futures.taken;
	ret->lost = futures.given - futures.taken;
	ret->sleeps = futures.sleeps;
}

/* The watchdog, and the program. */

static const struct regime regimes[] = {
	{ "flood", run_flood },
	{ "race", run_race },
	{ "single", run_single },
	{ "stream", run_stream },
	{ "looking", run_looking },
	{ "cores", run_cores },
	{ "futures", run_futures },
	{ "offload", run_offload },
	{ "offload_many", run_offload_many },
};

static SOON_COLD void report_lost(uint64_t count)
{
	fprintf(stderr,
		"handoffs: a wake-up is lost: in '%s', nothing has arrived for %u s, after about "
		"%ju handoffs (seed %ju)\n",
		atomic_load(&under_way), patience_s, (uintmax_t)count, (uintmax_t)seed);
	/* Each core writes its dump when this comes, if it still can. */
	(void)kill(getpid(), SIGQUIT);
	(void)sleep(2);
	_Exit(EXIT_FAILURE);
}

static void *watch(void *unused)
{
	const char *name = NULL;
	uint64_t seen = 0;
	unsigned still_s = 0;

	(void)unused;
	for (;;) {
		uint64_t now = atomic_load(&arrived);
		const char *running = atomic_load(&under_way);

		still_s = running && running == name && now == seen ? still_s + 1 : 0;
		if (still_s > patience_s)
			report_lost(now);
		name = running;
		seen = now;
		(void)sleep(1);
	}
	return NULL;
}

static void *call_time(void *unused)
{
	const struct timespec time = { ms / 1000, ms % 1000 * 1000000L };

	(void)unused;
	(void)nanosleep(&time, NULL);
	atomic_store(&is_over, true);
	return NULL;
}

static void run_regime(const struct regime *regime, struct count *total)
{
	struct count count = { 0 };
	pthread_t clock;

	atomic_store(&is_over, false);
	atomic_store(&arrived, 0);
	atomic_store(&under_way, regime->name);
	CHECK_EQ(pthread_create(&clock, NULL, call_time, NULL), 0);
	regime->run(&count);
	CHECK_EQ(pthread_join(clock, NULL), 0);
	atomic_store(&under_way, NULL);
	printf("%s handoffs %ju sleeps %ju lost %ju\n", regime->name, (uintmax_t)count.handoffs,
		(uintmax_t)count.sleeps, (uintmax_t)count.lost);
	(void)fflush(stdout);
	total->handoffs += count.handoffs;
	total->sleeps += count.sleeps;
	total->lost += count.lost;
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
static char **options(char **argv)
{
	while (argv[0] != NULL && strncmp(argv[0], "--", 2) == 0) {
		unsigned long value = argv[1] != NULL ? strtoul(argv[1], NULL, 10) : 0;

		CHECK(argv[1] != NULL);
		if (strcmp(argv[0], "--seconds") == 0)
			ms = (unsigned)value * 1000;
		else if (strcmp(argv[0], "--seed") == 0)
			seed = value;
		else if (strcmp(argv[0], "--patience") == 0)
			patience_s = (unsigned)value;
		else
			CHECK(!"a known option");
		argv += 2;
	}
	return argv;
}

int main(int argc, char **argv)
{
	struct count total = { 0 };
	char **names = options(argv + 1);
	pthread_t watchdog;

	CHECK(argc > 0);
	CHECK_EQ(pthread_create(&watchdog, NULL, watch, NULL), 0);
	for (size_t i = 0; i < sizeof regimes / sizeof regimes[0]; i++) {
		if (is_wanted(regimes[i].name, names))
			run_regime(&regimes[i], &total);
	}
	printf("total handoffs %ju sleeps %ju lost %ju\n", (uintmax_t)total.handoffs,
		(uintmax_t)total.sleeps, (uintmax_t)total.lost);
	CHECK(total.handoffs > 0);
	CHECK_EQ(total.lost, 0);
	return 0;
}
