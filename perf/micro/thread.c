// SPDX-License-Identifier: Apache-2.0
/*
 * From other threads to a core, through public calls. The core has the first CPU that the process
 * may use, the other threads the second; where there is one, all share it.
 *
 *	micro_thread post_cost|post_calls|post|post_no_spin|post8|trip|trip_rested|trip_spin|call|
 *		call_spin
 *
 * post_cost: what a post costs the thread that posts, while the core is busy. The callbacks were
 * just written by that thread, as they are where each carries a request; `post_cost_again` is the
 * same with those that the core was the last to touch.
 * post_calls: how many system calls it makes for that.
 * post, post8: elapsed time until all of many posts have been executed, from 1 and from 8 threads;
 * post_no_spin: from 1, by a core that never spins. That none is lost, and each thread's come in
 * their order, is checked.
 * trip: a thread posts, waits for the semaphore that the callback posts, and begins again; nobody
 * spins. trip_rested: it works for MICRO_REST_US before each, which are taken off; so nobody who
 * spins a little before sleeping does so still. trip_spin: it waits for a future, and both sides
 * may spin, as they do by default.
 * call, call_spin: the same with soon_call(), so that a task is made, run and ended for each;
 * without and with spinning of the core.
 */
#include <soon/calls.h>
#include <soon/future.h>
#include <soon/task.h>
#include <soon/thread.h>

#include "../common/clock.h"
#include "micro.h"
#include "syscalls.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#define BURST         4096u /* posts whose cost is taken together */
#define BURSTS        64u
#define WINDOW        16384u /* of a producer: posts that are not executed yet */
#define POSTS         1000000u
#define PRODUCERS_MAX 8u
#define TRIPS         2000u

struct producer;

/* What is posted: a callback within something larger, as it usually is. */
struct message {
	soon_callback callback;
	struct producer *producer;
	uint64_t number;
};

struct producer {
	_Alignas(64) struct message messages[WINDOW];
	uint64_t count;                      /* to post */
	_Alignas(64) _Atomic(uint64_t) done; /* executed; written by the core */
	_Alignas(64) pthread_t thread;
};

static struct producer producers[PRODUCERS_MAX];
static soon_core *core;
static soon_future ended;
static atomic_bool is_misplaced; /* a message came twice, or not in its order */

static void receive(soon_callback *callback)
{
	struct message *message = (struct message *)callback;
	struct producer *producer = message->producer;
	uint64_t done = atomic_load_explicit(&producer->done, memory_order_relaxed);

	if (message->number != done)
		atomic_store_explicit(&is_misplaced, true, memory_order_relaxed);
	/* Release: pairs with await_done. */
	atomic_store_explicit(&producer->done, done + 1, memory_order_release);
}

/* Waits until `count` messages have been executed, and returns how many have. */
static uint64_t await_done(struct producer *producer, uint64_t count)
{
	uint64_t done;

	while ((done = atomic_load_explicit(&producer->done, memory_order_acquire)) < count)
		sched_yield();
	return done;
}

static struct message *fill(struct producer *producer, uint64_t number)
{
	struct message *message = &producer->messages[number % WINDOW];

	*message = (struct message){
		.callback = { .fn = receive },
		.producer = producer,
		.number = number,
	};
	return message;
}

/* Posts that do not wait for anything: the executed ones are awaited between the bursts. */
static int post_bursts(bool is_fresh, clockid_t clock, double *ret_ns)
{
	struct producer *producer = &producers[0];
	uint64_t number = atomic_load_explicit(&producer->done, memory_order_relaxed);
	int64_t spent_ns = 0;
	int rc = 0;

	for (unsigned i = 0; i < BURSTS && rc == 0; i++) {
		struct message *burst = fill(producer, number);
		int64_t start_ns;

		for (uint64_t j = 1; j < BURST && is_fresh; j++)
			(void)fill(producer, number + j);
		start_ns = clock_ns(clock);
		for (uint64_t j = 0; j < BURST && rc == 0; j++) {
			burst[j].number = number + j;
			rc = soon_post(core, &burst[j].callback);
		}
		spent_ns += clock_ns(clock) - start_ns;
		number += BURST;
		if (rc == 0)
			(void)await_done(producer, number);
	}
	*ret_ns = (double)spent_ns / BURST / BURSTS;
	return rc;
}

static int measure_bursts(bool is_fresh, const char *name)
{
	double ns[MICRO_REPEATS];
	int rc = post_bursts(true, CLOCK_THREAD_CPUTIME_ID, &ns[0]); /* warms up */

	for (size_t i = 0; i < MICRO_REPEATS && rc == 0; i++)
		rc = post_bursts(is_fresh, CLOCK_THREAD_CPUTIME_ID, &ns[i]);
	if (rc == 0)
		micro_print(name, micro_median(ns, MICRO_REPEATS), "ns");
	return rc;
}

static int measure_post_cost(void)
{
	int rc = measure_bursts(true, "post_cost");

	return rc < 0 ? rc : measure_bursts(false, "post_cost_again");
}

/* The last thing that this thread does: calls are counted instead of made from here on. */
static int measure_post_calls(void)
{
	double ns;
	unsigned calls;
	int rc = post_bursts(true, CLOCK_MONOTONIC, &ns);

	if (rc < 0)
		return rc;
	syscalls_begin();
	rc = post_bursts(true, CLOCK_MONOTONIC, &ns);
	calls = syscalls_end();
	return rc < 0 ? rc : (int)calls;
}

static void *produce(void *arg)
{
	struct producer *producer = arg;
	uint64_t done = 0;
	int rc = 0;

	micro_pin(1);
	for (uint64_t i = 0; i < producer->count && rc == 0; i++) {
		if (i - done >= WINDOW)
			done = await_done(producer, i - WINDOW + 1);
		rc = soon_post(core, &fill(producer, i)->callback);
	}
	if (rc < 0)
		micro_die("soon_post", rc);
	(void)await_done(producer, producer->count);
	return NULL;
}

static unsigned producers_count;

static int post_from_producers(uint64_t count)
{
	for (unsigned i = 0; i < producers_count; i++) {
		struct producer *producer = &producers[i];

		producer->count = count / producers_count;
		atomic_store_explicit(&producer->done, 0, memory_order_relaxed);
		if (pthread_create(&producer->thread, NULL, produce, producer) != 0)
			return -EAGAIN;
	}
	for (unsigned i = 0; i < producers_count; i++)
		(void)pthread_join(producers[i].thread, NULL);
	return 0;
}

static int measure_post(void)
{
	double ns;
	int rc;

	producers_count = 1;
	rc = micro_measure(post_from_producers, POSTS, CLOCK_MONOTONIC, &ns);
	if (rc == 0)
		micro_print("post", ns, "ns");
	return rc;
}

static int measure_post8(void)
{
	double ns;
	int rc;

	producers_count = 8;
	rc = micro_measure(post_from_producers, POSTS, CLOCK_MONOTONIC, &ns);
	if (rc == 0)
		micro_print("post8", ns, "ns");
	return rc;
}

/* The answer goes to a semaphore: no spinning on this side either. */
struct trip {
	soon_callback callback;
	sem_t answered;
};

static void answer(soon_callback *callback)
{
	(void)sem_post(&((struct trip *)callback)->answered);
}

static bool is_rested; /* a rest before each trip */

static int trip_often(uint64_t count)
{
	struct trip trip = { .callback = { .fn = answer } };
	int rc = 0;

	(void)sem_init(&trip.answered, 0, 0);
	for (uint64_t i = 0; i < count && rc == 0; i++) {
		if (is_rested)
			micro_rest();
		rc = soon_post(core, &trip.callback);
		while (rc == 0 && sem_wait(&trip.answered) != 0)
			continue;
	}
	(void)sem_destroy(&trip.answered);
	return rc;
}

struct future_trip {
	soon_callback callback;
	soon_future answer;
};

static void answer_future(soon_callback *callback)
{
	soon_future_set(&((struct future_trip *)callback)->answer, 0, 0);
}

static int future_trip_often(uint64_t count)
{
	int rc = 0;

	for (uint64_t i = 0; i < count && rc == 0; i++) {
		struct future_trip trip = { .callback = { .fn = answer_future } };

		rc = soon_post(core, &trip.callback);
		if (rc == 0)
			rc = soon_future_wait(&trip.answer, NULL);
		soon_future_fini(&trip.answer);
	}
	return rc;
}

static int give_back(uint64_t number)
{
	return (int)number;
}

static int call_often(uint64_t count)
{
	for (uint64_t i = 0; i < count; i++) {
		int rc = soon_call(core, give_back, i, SOON_NEVER);

		if (rc != (int)i)
			return rc < 0 ? rc : -EPROTO;
	}
	return 0;
}

static int measure_trips(int (*rounds)(uint64_t count), const char *name)
{
	double ns;
	int rc = micro_measure(rounds, TRIPS, CLOCK_MONOTONIC, &ns);

	if (rc == 0)
		micro_print(name, ns / 1000, "us");
	return rc;
}

static int measure_trip(void)
{
	return measure_trips(trip_often, "trip");
}

static int measure_rested_trip(void)
{
	double ns;
	int rc;

	is_rested = true;
	rc = micro_measure(trip_often, TRIPS, CLOCK_MONOTONIC, &ns);
	if (rc == 0)
		micro_print("trip", ns / 1000 - MICRO_REST_US, "us");
	return rc;
}

static int measure_future_trip(void)
{
	return measure_trips(future_trip_often, "trip");
}

static int measure_call(void)
{
	return measure_trips(call_often, "call");
}

/* Runs `measure` on another thread, which tells by the future `ended` that it is done. */
static void *beside_main(void *arg)
{
	int (*const *measure)(void) = arg;
	int rc = future_trip_often(1); /* looks at the CPUs before it is bound to one */

	if (rc < 0)
		micro_die("soon_post", rc);
	micro_pin(1);
	soon_future_set(&ended, (*measure)(), 0);
	return NULL;
}

/* The core is busy with yields, or has nothing to do but what the thread posts. */
static int beside(int (*measure)(void), bool is_busy)
{
	pthread_t thread;
	int rc = 0;

	micro_pin(0);
	core = soon_core_self();
	if (pthread_create(&thread, NULL, beside_main, &measure) != 0)
		return -EAGAIN;
	while (rc == 0 && is_busy && !soon_future_is_set(&ended))
		rc = soon_yield();
	if (rc == 0)
		rc = soon_future_wait(&ended, NULL);
	(void)pthread_join(thread, NULL);
	if (atomic_load_explicit(&is_misplaced, memory_order_relaxed))
		rc = -EPROTO;
	return rc;
}

static int run_post_cost(void *unused)
{
	(void)unused;
	return beside(measure_post_cost, true);
}

static int run_post_calls(void *unused)
{
	int rc = beside(measure_post_calls, true);

	(void)unused;
	if (rc >= 0)
		micro_print("post_calls", rc, "");
	return rc;
}

static int run_post(void *unused)
{
	(void)unused;
	return beside(measure_post, false);
}

static int run_post8(void *unused)
{
	(void)unused;
	return beside(measure_post8, false);
}

static int run_trip(void *unused)
{
	(void)unused;
	return beside(measure_trip, false);
}

static int run_rested_trip(void *unused)
{
	(void)unused;
	return beside(measure_rested_trip, false);
}

static int run_future_trip(void *unused)
{
	(void)unused;
	return beside(measure_future_trip, false);
}

static int run_call(void *unused)
{
	(void)unused;
	return beside(measure_call, false);
}

int main(int argc, char **argv)
{
	static const soon_opts no_spin = { .spin = -1 };
	static const struct micro_bench benches[] = {
		{ "post_cost", run_post_cost, NULL },
		{ "post_calls", run_post_calls, NULL },
		{ "post", run_post, NULL },
		{ "post_no_spin", run_post, &no_spin },
		{ "post8", run_post8, NULL },
		{ "trip", run_trip, &no_spin },
		{ "trip_rested", run_rested_trip, &no_spin },
		{ "trip_spin", run_future_trip, NULL },
		{ "call", run_call, &no_spin },
		{ "call_spin", run_call, NULL },
	};

	return micro_main(argc, argv, benches, sizeof(benches) / sizeof(benches[0]));
}
