// SPDX-License-Identifier: Apache-2.0
/*
 * Eight threads post while a run ends, over and over; tasks offload and wait for futures with time
 * limits that pass at the wrong moment; another thread forks meanwhile. What was accepted has run,
 * what was refused has not and is as it was, a job that a cancel took back never runs, and nobody
 * waits for ever.
 *
 *	shutdown [RUNS]
 */
#include <soon/assert.h>
#include <soon/future.h>
#include <soon/group.h>
#include <soon/scope.h>
#include <soon/thread.h>

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <support/program.h>
#include <sys/wait.h>
#include <unistd.h>

#define PRODUCERS    8u
#define NODES        4u /* of each, posted round and round */
#define TASKS        3u /* of each kind */
#define FUTURES      32u
#define RUNS_DEFAULT 10u

struct node {
	soon_callback callback;
	unsigned posted, run; /* data of the post, and of the run */
	atomic_bool is_posted;
};

struct producer {
	soon_core *core;
	struct node nodes[NODES];
	unsigned accepted; /* the thread's */
	unsigned executed; /* the core's */
	pthread_t thread;
};

struct job {
	atomic_uint state;
};

enum { JOB_LENT, JOB_RAN, JOB_GONE };

static struct producer producers[PRODUCERS];
static soon_future futures[FUTURES];
static atomic_uint futures_wanted; /* so many may be set */
static atomic_bool is_over;
static atomic_uint jobs_run, jobs_withdrawn, waits_cut, forks;

static uint64_t draw(uint64_t *random)
{
	*random = *random * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return *random >> 33;
}

/* The threads. */

static void node_run(soon_callback *callback)
{
	struct node *node = SOON_CONTAINER_OF(callback, struct node, callback);
	unsigned index = (unsigned)((char *)node - (char *)producers) / sizeof producers[0];

	CHECK_EQ(node->posted, node->run + 1);
	node->run = node->posted;
	producers[index].executed++;
	atomic_store_explicit(&node->is_posted, false, memory_order_release);
}

/* Posts until it is refused, and then finds its callback untouched. */
static void *produce(void *arg)
{
	struct producer *self = arg;

	for (unsigned i = 0;; i++) {
		struct node *node = &self->nodes[i % NODES];

		while (atomic_load_explicit(&node->is_posted, memory_order_acquire))
			sched_yield();
		atomic_store_explicit(&node->is_posted, true, memory_order_relaxed);
		node->posted++;
		if (soon_post(self->core, &node->callback) != 0) {
			CHECK_EQ(node->posted, node->run + 1);
			CHECK(node->callback.fn == node_run);
			CHECK_EQ(soon_post(self->core, &node->callback), -ESHUTDOWN);
			return NULL;
		}
		self->accepted++;
	}
}

static void *set_futures(void *unused)
{
	(void)unused;
	for (unsigned i = 0; i < FUTURES; i++) {
		while (atomic_load(&futures_wanted) <= i && !atomic_load(&is_over))
			sched_yield();
		CHECK_EQ(soon_future_set(&futures[i], 0, i), 0);
	}
	return NULL;
}

/* The child has no core, and may start one. */
static int child_task(void *unused)
{
	(void)unused;
	return soon_yield();
}

static void *fork_and_wait(void *unused)
{
	int status;
	pid_t pid;

	(void)unused;
	/* One run before: pthread_once() of ThreadSanitizer does not survive a fork within. */
	CHECK_EQ(soon_run(child_task, NULL), 0);
	pid = fork();
	CHECK(pid >= 0);
	if (pid == 0) {
		CHECK(!soon_on_core());
		_exit(soon_run(child_task, NULL) == 0 ? 0 : 1);
	}
	CHECK_EQ(waitpid(pid, &status, 0), pid);
	CHECK_EQ(status, 0);
	atomic_fetch_add(&forks, 1);
	return NULL;
}

/* The tasks. */

static int job_run(struct job *job)
{
	unsigned lent = JOB_LENT;

	CHECK(atomic_compare_exchange_strong(&job->state, &lent, JOB_RAN));
	return 1;
}

static int offload_and_cancel(uint64_t random)
{
	for (unsigned i = 0; i < 100; i++) {
		struct job job = { JOB_LENT };
		soon_ns limit = (soon_ns)(draw(&random) % 60000);
		ssize_t rc = soon_within(limit, soon_offload(job_run, &job));
		unsigned state = atomic_exchange(&job.state, JOB_GONE);

		/* A result that came before the cancel is returned, and only then has it run. */
		CHECK_EQ(rc, state == JOB_RAN ? 1 : -ETIMEDOUT);
		atomic_fetch_add_explicit(
			state == JOB_RAN ? &jobs_run : &jobs_withdrawn, 1, memory_order_relaxed);
	}
	return 0;
}

static int wait_and_cancel(uint64_t random)
{
	for (unsigned i = 0; i < FUTURES; i++) {
		unsigned wanted = atomic_load(&futures_wanted);
		uint64_t value = FUTURES;
		ssize_t rc;

		while (wanted <= i &&
			!atomic_compare_exchange_weak(&futures_wanted, &wanted, i + 1))
			continue;
		do {
			rc = soon_within((soon_ns)(draw(&random) % 60000),
				soon_future_wait(&futures[i], &value));
			if (rc == -ETIMEDOUT)
				atomic_fetch_add_explicit(&waits_cut, 1, memory_order_relaxed);
		} while (rc == -ETIMEDOUT);
		CHECK_EQ(rc, 0);
		CHECK_EQ(value, i);
	}
	return 0;
}

static int serve(uint64_t seed)
{
	int rc = 0;
	SOON_GROUP(g);

	for (unsigned i = 0; i < PRODUCERS; i++) {
		producers[i].core = soon_core_self();
		CHECK_EQ(pthread_create(&producers[i].thread, NULL, produce, &producers[i]), 0);
	}
	for (unsigned i = 0; i < TASKS && rc == 0; i++) {
		rc = soon_spawn(&g, offload_and_cancel, seed + i);
		if (rc == 0)
			rc = soon_spawn(&g, wait_and_cancel, seed + TASKS + i);
	}
	/* The producers post on: the end of this is the end of the run. */
	return (int)soon_group_close(&g, rc);
}

static void init(void)
{
	atomic_store(&is_over, false);
	atomic_store(&futures_wanted, 0);
	for (unsigned i = 0; i < PRODUCERS; i++) {
		producers[i] = (struct producer){ 0 };
		for (unsigned k = 0; k < NODES; k++)
			producers[i].nodes[k].callback.fn = node_run;
	}
}

static void run_once(uint64_t seed)
{
	pthread_t setter, forker;

	init();
	CHECK_EQ(pthread_create(&setter, NULL, set_futures, NULL), 0);
	CHECK_EQ(pthread_create(&forker, NULL, fork_and_wait, NULL), 0);
	CHECK_EQ(soon_run(serve, seed), 0);
	atomic_store(&is_over, true);
	for (unsigned i = 0; i < PRODUCERS; i++) {
		CHECK_EQ(pthread_join(producers[i].thread, NULL), 0);
		CHECK_EQ(producers[i].executed, producers[i].accepted);
		for (unsigned k = 0; k < NODES; k++)
			CHECK_EQ(producers[i].nodes[k].callback.soon__pending, 0);
	}
	CHECK_EQ(pthread_join(setter, NULL), 0);
	CHECK_EQ(pthread_join(forker, NULL), 0);
	for (unsigned i = 0; i < FUTURES; i++)
		soon_future_fini(&futures[i]);
}

int main(int argc, char **argv)
{
	unsigned long runs = argc > 1 ? strtoul(argv[1], NULL, 10) : RUNS_DEFAULT;

	for (unsigned long i = 1; i <= runs; i++)
		run_once(i);
	fprintf(stderr, "%lu runs: %u jobs, %u taken back; %u waits cut short; %u forks\n", runs,
		atomic_load(&jobs_run), atomic_load(&jobs_withdrawn), atomic_load(&waits_cut),
		atomic_load(&forks));
	CHECK(atomic_load(&jobs_run) > 0);
	return 0;
}
