// SPDX-License-Identifier: Apache-2.0
/*
 * Threads and a signal handler post to a core that works, sleeps and ends meanwhile. What was
 * accepted has run when the run is over, each producer's posts in their order, and nothing ran
 * that was refused.
 */
#include <soon/assert.h>
#include <soon/group.h>
#include <soon/thread.h>

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <support/program.h>

#define PRODUCERS 4u
#define RUNS      30u
#define NODES     16u

struct node {
	soon_callback callback;
	struct producer *producer;
	uint64_t serial;
	atomic_bool is_posted;
};

struct producer {
	soon_core *core;
	struct node nodes[NODES];
	uint64_t accepted; /* the thread's */
	uint64_t executed; /* the core's */
	pthread_t thread;
};

static struct producer producers[PRODUCERS];
static atomic_uint_least64_t executed_total;

static struct {
	soon_callback callback;
	_Atomic(soon_core *) core;
	atomic_uint accepted;
	unsigned runs;
} by_signal;

static void node_run(soon_callback *callback)
{
	struct node *node = SOON_CONTAINER_OF(callback, struct node, callback);

	CHECK(soon_self() == NULL);
	CHECK_EQ(node->serial, node->producer->executed);
	node->producer->executed++;
	atomic_fetch_add_explicit(&executed_total, 1, memory_order_relaxed);
	atomic_store_explicit(&node->is_posted, false, memory_order_release);
}

/* Posts until the core refuses. */
static void *produce(void *arg)
{
	struct producer *self = arg;

	for (uint64_t i = 0;; i++) {
		struct node *node = &self->nodes[i % NODES];

		while (atomic_load_explicit(&node->is_posted, memory_order_acquire))
			sched_yield();
		atomic_store_explicit(&node->is_posted, true, memory_order_relaxed);
		node->serial = i;
		if (soon_post(self->core, &node->callback) != 0)
			return NULL;
		self->accepted++;
		if (i % 64 == 0)
			(void)raise(SIGUSR1);
	}
}

static void on_signal(int signo)
{
	(void)signo;
	if (soon_post(atomic_load(&by_signal.core), &by_signal.callback) == 0)
		atomic_fetch_add_explicit(&by_signal.accepted, 1, memory_order_relaxed);
}

static void by_signal_run(soon_callback *callback)
{
	(void)callback;
	by_signal.runs++;
}

/* Sleeps, yields and computes until so many posts have run. */
static int work(uint64_t posts)
{
	for (unsigned i = 0; atomic_load(&executed_total) < posts; i++) {
		int rc = i % 8 == 0 ? soon_sleep(SOON_US(100)) : soon_yield();

		if (rc < 0)
			return rc;
	}
	return 0;
}

static int serve(unsigned round)
{
	int rc;
	SOON_GROUP(g);

	atomic_store(&by_signal.core, soon_core_self());
	for (unsigned i = 0; i < PRODUCERS; i++) {
		producers[i].core = soon_core_self();
		CHECK_EQ(pthread_create(&producers[i].thread, NULL, produce, &producers[i]), 0);
	}
	rc = soon_spawn(&g, work, (uint64_t)1000 * round);
	return (int)soon_group_close(&g, rc);
}

static void producers_init(void)
{
	for (unsigned i = 0; i < PRODUCERS; i++) {
		producers[i] = (struct producer){ 0 };
		for (unsigned k = 0; k < NODES; k++) {
			producers[i].nodes[k].callback.fn = node_run;
			producers[i].nodes[k].producer = &producers[i];
		}
	}
	atomic_store(&executed_total, 0);
}

int main(void)
{
	struct sigaction action = { .sa_handler = on_signal };
	uint64_t total = 0;

	by_signal.callback.fn = by_signal_run;
	CHECK_EQ(sigaction(SIGUSR1, &action, NULL), 0);
	for (unsigned round = 1; round <= RUNS; round++) {
		producers_init();
		CHECK_EQ(soon_run(serve, round), 0);
		for (unsigned i = 0; i < PRODUCERS; i++) {
			CHECK_EQ(pthread_join(producers[i].thread, NULL), 0);
			CHECK_EQ(producers[i].executed, producers[i].accepted);
			total += producers[i].executed;
		}
		CHECK_EQ(by_signal.callback.soon__pending, 0);
	}
	CHECK(by_signal.runs > 0);
	CHECK(by_signal.runs <= atomic_load(&by_signal.accepted));
	fprintf(stderr, "%ju posts in %u runs; %u by signal handlers, run %u times\n",
		(uintmax_t)total, RUNS, atomic_load(&by_signal.accepted), by_signal.runs);
	return 0;
}
