// SPDX-License-Identifier: Apache-2.0
/*
 * Many tasks hand work to few threads, and are cut short at random. Work that was begun ends before
 * its task goes on, its result is the one returned, and work that was refused never began.
 */
#include <soon/group.h>
#include <soon/thread.h>

#include <stdatomic.h>
#include <stdbool.h>
#include <support/program.h>
#include <time.h>

#define TASKS     160u /* more than can be handed out at once */
#define JOBS_EACH 60u
#define THREADS   5u
#define RUNS      4u

struct job {
	uint64_t input;
	uint64_t output; /* written by the thread, read by the task: no lock between them */
	unsigned nap_us;
	bool has_run;
};

static atomic_uint running, running_max;
static unsigned begun, refused, saw_cancel;
static atomic_uint saw_cancel_in_thread;

static int run_job(struct job *job)
{
	unsigned now = atomic_fetch_add(&running, 1) + 1;
	unsigned max = atomic_load(&running_max);

	while (now > max && !atomic_compare_exchange_weak(&running_max, &max, now))
		continue;
	if (job->nap_us > 0) {
		const struct timespec nap = { 0, (long)job->nap_us * 1000 };

		(void)nanosleep(&nap, NULL);
	}
	job->has_run = true;
	job->output = job->input * 3 + 1;
	if (soon_offload_cancelled())
		atomic_fetch_add(&saw_cancel_in_thread, 1);
	atomic_fetch_sub(&running, 1);
	return (int)(job->input % 1000);
}

static uint64_t random_next(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state;
}

static void try_job(uint64_t *random, uint64_t input)
{
	struct job job = { .input = input, .nap_us = (unsigned)(random_next(random) % 4 * 20) };
	soon_ns timeout = random_next(random) % 2 ? SOON_US(random_next(random) % 400) : SOON_S(60);
	int rc = 0;
	bool was_cut;
	SOON_SCOPE(s, .timeout = timeout > 0 ? timeout : 1);

	rc = soon_offload(run_job, &job);
	was_cut = soon_cancelled();
	CHECK_EQ(soon_scope_close(&s, 0), 0);
	if (rc == -ECANCELED) {
		CHECK(was_cut);
		CHECK(!job.has_run);
		refused++;
		return;
	}
	CHECK_EQ(rc, input % 1000);
	CHECK(job.has_run);
	CHECK_EQ(job.output, input * 3 + 1);
	begun++;
	saw_cancel += was_cut;
}

static int live(unsigned id)
{
	uint64_t random = (id + 1) * UINT64_C(0x9e3779b97f4a7c15);

	for (unsigned i = 0; i < JOBS_EACH; i++)
		try_job(&random, (uint64_t)id << 32 | i);
	return 0;
}

static int spawn_all(void *unused)
{
	int rc = 0;
	SOON_GROUP(g);

	(void)unused;
	for (unsigned i = 0; i < TASKS && rc == 0; i++)
		rc = soon_spawn(&g, live, i);
	return (int)soon_group_close(&g, rc);
}

int main(void)
{
	const soon_opts opts = { .offload_threads = THREADS };

	for (unsigned i = 0; i < RUNS; i++)
		CHECK_EQ(soon_run_with(&opts, spawn_all, NULL), 0);
	CHECK_EQ(begun + refused, RUNS * TASKS * JOBS_EACH);
	CHECK(begun > 0);
	CHECK(refused > 0);
	CHECK(atomic_load(&running_max) <= THREADS);
	fprintf(stderr,
		"%u jobs ran, %u were refused, %u were cut while they ran and %u noticed; at most "
		"%u at once\n",
		begun, refused, saw_cancel, atomic_load(&saw_cancel_in_thread),
		atomic_load(&running_max));
	return 0;
}
