// SPDX-License-Identifier: Apache-2.0
/*
 * The inbox from the inside, under many threads: order, nothing lost and nothing run twice, also
 * against a close; one ring per sleep, of either kind; posts from signal handlers.
 */
#include "core/spi/poller.h"

#include "core.h"

#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <string.h>
#include <support/program.h>
#include <time.h>

#define PRODUCERS    6u
#define NODES        64u /* of each producer, used in turn */
#define LONG_POSTS   200000u
#define CLOSE_ROUNDS 300u
#define SIGNALS      2000u

struct node {
	soon_callback callback;
	struct producer *producer;
	uint64_t serial;
	atomic_bool is_posted; /* until it has run */
};

struct producer {
	struct race *race;
	struct node nodes[NODES];
	uint64_t posts_max;
	uint64_t accepted; /* its thread's */
	uint64_t executed; /* the consumer's */
	pthread_t thread;
};

/* Posted by all at once; whoever wrote before a post must be seen by a run after it. */
struct shared {
	soon_callback callback;
	atomic_uint_least64_t written[PRODUCERS];
	uint64_t seen[PRODUCERS];
	atomic_uint_least64_t runs;
};

struct race {
	soon_core *core;
	struct soon__poller poller;
	sem_t bell;
	atomic_uint_least64_t rings;
	uint64_t sleeps;
	uint64_t parked; /* of these, on the inbox's word */
	struct producer producers[PRODUCERS];
	struct shared shared;
	atomic_uint producing;
};

static void ring(struct soon__poller *poller)
{
	struct race *race = SOON_CONTAINER_OF(poller, struct race, poller);

	atomic_fetch_add_explicit(&race->rings, 1, memory_order_relaxed);
	CHECK_EQ(sem_post(&race->bell), 0);
}

static const struct soon__poller_ops ops = { .name = "bell", .wake = ring };

static void node_run(soon_callback *callback)
{
	struct node *node = SOON_CONTAINER_OF(callback, struct node, callback);
	struct producer *producer = node->producer;

	CHECK_EQ(node->serial, producer->executed);
	producer->executed++;
	atomic_store_explicit(&node->is_posted, false, memory_order_release);
}

static void shared_run(soon_callback *callback)
{
	struct shared *shared = SOON_CONTAINER_OF(callback, struct shared, callback);

	atomic_fetch_add_explicit(&shared->runs, 1, memory_order_relaxed);
	for (unsigned i = 0; i < PRODUCERS; i++)
		shared->seen[i] = atomic_load_explicit(&shared->written[i], memory_order_relaxed);
}

/* Posts until it is done or refused. */
static void *produce(void *arg)
{
	struct producer *self = arg;
	struct race *race = self->race;
	unsigned index = (unsigned)(self - race->producers);

	for (uint64_t i = 0; i < self->posts_max; i++) {
		struct node *node = &self->nodes[i % NODES];

		while (atomic_load_explicit(&node->is_posted, memory_order_acquire))
			sched_yield();
		atomic_store_explicit(&node->is_posted, true, memory_order_relaxed);
		node->serial = i;
		if (soon_post(race->core, &node->callback) != 0)
			break;
		self->accepted++;
		if (i % 8 == 0) {
			atomic_store_explicit(
				&race->shared.written[index], i + 1, memory_order_relaxed);
			if (soon_post(race->core, &race->shared.callback) != 0)
				break;
		}
	}
	if (atomic_fetch_sub(&race->producing, 1) == 1)
		CHECK_EQ(sem_post(&race->bell), 0); /* or the consumer would sleep for ever */
	return NULL;
}

static void race_open(struct race *race, uint64_t posts_max)
{
	memset(race->producers, 0, sizeof race->producers);
	memset(&race->shared, 0, sizeof race->shared);
	race->shared.callback.fn = shared_run;
	race->sleeps = 0;
	race->parked = 0;
	atomic_store(&race->rings, 0);
	atomic_store(&race->producing, PRODUCERS);
	CHECK_EQ(sem_init(&race->bell, 0, 0), 0);
	soon__inbox_open(&race->core->inbox);
	for (unsigned i = 0; i < PRODUCERS; i++) {
		struct producer *producer = &race->producers[i];

		producer->race = race;
		producer->posts_max = posts_max;
		for (unsigned k = 0; k < NODES; k++) {
			producer->nodes[k].callback.fn = node_run;
			producer->nodes[k].producer = producer;
		}
		CHECK_EQ(pthread_create(&producer->thread, NULL, produce, producer), 0);
	}
}

static soon_ns now(void)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_MONOTONIC, &ts);
	return SOON_S(ts.tv_sec) + ts.tv_nsec;
}

/* One turn of a loop: runs what is there, or sleeps, in turns on the bell and on the inbox. */
static void consume(struct race *race)
{
	struct soon__inbox *inbox = &race->core->inbox;
	enum soon__inbox_mark mark = race->sleeps % 2 ? SOON__INBOX_PARKED : SOON__INBOX_ASLEEP;

	CHECK(soon__inbox_drain(inbox, 256) <= 256);
	if (soon__inbox_is_due(inbox) || !soon__inbox_prepare_sleep(inbox, mark))
		return;
	race->sleeps++;
	if (mark == SOON__INBOX_PARKED) {
		/* The last producer rings; it may have done so before, and then nobody posts. */
		soon__inbox_park(inbox, now() + SOON_MS(20));
		race->parked++;
	} else {
		while (sem_wait(&race->bell) != 0)
			continue;
	}
	soon__inbox_awake(inbox, mark);
}

static void race_close(struct race *race)
{
	soon__inbox_close(&race->core->inbox);
	for (unsigned i = 0; i < PRODUCERS; i++) {
		struct producer *producer = &race->producers[i];

		CHECK_EQ(pthread_join(producer->thread, NULL), 0);
		CHECK_EQ(producer->accepted, producer->executed);
	}
	CHECK(atomic_load(&race->rings) <= race->sleeps - race->parked);
	CHECK_EQ(sem_destroy(&race->bell), 0);
}

static void test_many_posts(struct race *race)
{
	race_open(race, LONG_POSTS);
	while (atomic_load(&race->producing) > 0)
		consume(race);
	race_close(race);
	for (unsigned i = 0; i < PRODUCERS; i++) {
		CHECK_EQ(race->producers[i].executed, LONG_POSTS);
		CHECK_EQ(race->shared.seen[i], atomic_load(&race->shared.written[i]));
	}
	CHECK(atomic_load(&race->shared.runs) <= PRODUCERS * (LONG_POSTS / 8 + 1));
	fprintf(stderr, "%u posts, %ju sleeps, %ju rings, shared ran %ju times\n",
		PRODUCERS * LONG_POSTS, (uintmax_t)race->sleeps,
		(uintmax_t)atomic_load(&race->rings), (uintmax_t)atomic_load(&race->shared.runs));
}

/* Closes at a different moment in each round; what was accepted has run, nothing else has. */
static void test_close_against_posts(struct race *race)
{
	uint64_t refused = 0;

	for (unsigned round = 0; round < CLOSE_ROUNDS; round++) {
		race_open(race, 100000);
		for (unsigned i = 0; i < round; i++)
			consume(race);
		race_close(race);
		for (unsigned i = 0; i < PRODUCERS; i++)
			refused += race->producers[i].accepted < race->producers[i].posts_max;
		CHECK_EQ(soon_post(race->core, &race->shared.callback), -ESHUTDOWN);
		CHECK_EQ(race->shared.callback.soon__pending, 0);
	}
	CHECK(refused > 0);
	fprintf(stderr, "%ju producers were refused in %u closes\n", (uintmax_t)refused,
		CLOSE_ROUNDS);
}

static struct {
	struct race *race;
	soon_callback callback;
	atomic_uint accepted;
	unsigned runs;
} by_signal;

static void on_signal(int signo)
{
	(void)signo;
	if (soon_post(by_signal.race->core, &by_signal.callback) == 0)
		atomic_fetch_add_explicit(&by_signal.accepted, 1, memory_order_relaxed);
}

static void by_signal_run(soon_callback *callback)
{
	(void)callback;
	by_signal.runs++;
}

struct interrupter {
	struct race *race;
	pthread_t consumer;
};

/* Interrupts producers and the consumer wherever they are. */
static void *interrupt(void *arg)
{
	struct interrupter *self = arg;

	for (unsigned i = 0; i < SIGNALS; i++) {
		unsigned to = i % (PRODUCERS + 1);

		CHECK_EQ(pthread_kill(to == PRODUCERS ? self->consumer
						      : self->race->producers[to].thread,
				 SIGUSR1),
			0);
		sched_yield();
	}
	return NULL;
}

static void test_posts_from_signal_handlers(struct race *race)
{
	struct sigaction action = { .sa_handler = on_signal };
	struct interrupter interrupter = { race, pthread_self() };
	pthread_t thread;

	by_signal.race = race;
	by_signal.callback.fn = by_signal_run;
	CHECK_EQ(sigaction(SIGUSR1, &action, NULL), 0);
	race_open(race, LONG_POSTS / 4);
	CHECK_EQ(pthread_create(&thread, NULL, interrupt, &interrupter), 0);
	while (atomic_load(&race->producing) > 0)
		consume(race);
	CHECK_EQ(pthread_join(thread, NULL), 0);
	race_close(race);
	for (unsigned i = 0; i < PRODUCERS; i++)
		CHECK_EQ(race->producers[i].executed, LONG_POSTS / 4);
	CHECK(by_signal.runs > 0);
	CHECK(by_signal.runs <= atomic_load(&by_signal.accepted));
	CHECK_EQ(by_signal.callback.soon__pending, 0);
	fprintf(stderr, "%u posts from handlers, run %u times\n", atomic_load(&by_signal.accepted),
		by_signal.runs);
}

int main(void)
{
	static struct race race;

	race.core = calloc(1, sizeof *race.core);
	CHECK(race.core != NULL);
	race.poller.ops = &ops;
	race.core->poller = &race.poller;
	soon__inbox_init(&race.core->inbox);
	race.shared.callback.fn = shared_run;
	CHECK_EQ(soon_post(race.core, &race.shared.callback), -ESHUTDOWN);
	test_many_posts(&race);
	test_close_against_posts(&race);
	test_posts_from_signal_handlers(&race);
	free(race.core);
	return 0;
}
