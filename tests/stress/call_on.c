// SPDX-License-Identifier: Apache-2.0
/*
 * Tasks on every core of a run call into every core, back and in circles, time out, fail, and are
 * cancelled or drained from the first one. Each function ran once or, where the caller was told
 * so, never; its argument, which lies in the caller's frame, is its own until it has returned; and
 * nothing of it goes on when soon_on_each_core() is back.
 */
#include <soon/calls.h>
#include <soon/cores.h>
#include <soon/group.h>

#include <errno.h>
#include <stdatomic.h>
#include <support/program.h>

enum {
	CORES = 3,
	ROUNDS = 24,
	CALLERS = 4, /* on each core */
	CALLS = 40,  /* of each of them */
	DEPTH_MAX = 3,
};

/* How a round ends. */
enum ending {
	BY_ITSELF,
	BY_A_FAILURE,
	BY_A_CANCEL,
	BY_A_DRAIN,
	ENDINGS,
};

static struct {
	unsigned round;
	soon_core *cores[CORES];
	atomic_uint running; /* functions of jobs, at the moment */
	atomic_uint calls, timeouts, cancels;
} state;

struct job {
	unsigned core, kind, depth;
	uint64_t random;
	unsigned runs, ends;
};

static unsigned draw(uint64_t *random)
{
	*random = *random * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return (unsigned)(*random >> 33);
}

static int call(uint64_t *random, unsigned depth) SOON_SUSPENDS;

/* Answers at once, after a yield, after a while, not before it is ended, or calls on. */
static int serve(struct job *job)
{
	int rc = 0;

	job->runs++;
	atomic_fetch_add_explicit(&state.running, 1, memory_order_relaxed);
	CHECK_EQ(soon_core_index(NULL), job->core);
	switch (job->kind) {
	case 0:
		break;
	case 1:
		rc = soon_yield();
		break;
	case 2:
		rc = soon_sleep(SOON_US(50));
		break;
	case 3:
		SOON_IDLE {
			rc = soon_sleep(SOON_MS(2));
		}
		break;
	default:
		rc = job->depth < DEPTH_MAX ? call(&job->random, job->depth + 1) : 0;
		break;
	}
	atomic_fetch_sub_explicit(&state.running, 1, memory_order_relaxed);
	job->ends++;
	return rc < 0 ? rc : (int)job->kind;
}

static int call(uint64_t *random, unsigned depth)
{
	unsigned core = draw(random) % CORES;
	struct job job = {
		.core = core,
		.kind = draw(random) % 5,
		.depth = depth,
		.random = *random,
	};
	ssize_t rc;

	if (draw(random) % 2)
		rc = soon_call_on(state.cores[core], serve, &job);
	else
		rc = soon_within(
			draw(random) % 200000, soon_call_on(state.cores[core], serve, &job));
	atomic_fetch_add_explicit(&state.calls, 1, memory_order_relaxed);
	CHECK_EQ(job.runs, job.ends);
	CHECK(job.runs <= 1);
	if (rc == -ETIMEDOUT) {
		atomic_fetch_add_explicit(&state.timeouts, 1, memory_order_relaxed);
		return 0;
	}
	if (rc == -ECANCELED) {
		atomic_fetch_add_explicit(&state.cancels, 1, memory_order_relaxed);
		return (int)rc;
	}
	CHECK_EQ(job.runs, 1);
	CHECK_EQ(rc, job.kind);
	return 0;
}

static int call_often(unsigned seed)
{
	uint64_t random = seed;
	int rc = 0;

	for (unsigned i = 0; i < CALLS && rc == 0; i++) {
		rc = call(&random, 0);
		if (rc == 0 && state.round % ENDINGS == BY_A_FAILURE && i == CALLS / 2 &&
			soon_core_index(NULL) == state.round % CORES)
			return soon_fail(-EIO, "on core %u", soon_core_index(NULL));
	}
	return rc;
}

static int work_on_core(void *unused)
{
	unsigned first = (state.round * CORES + soon_core_index(NULL)) * CALLERS;
	int rc = 0;
	SOON_GROUP(g);

	(void)unused;
	for (unsigned i = 0; i < CALLERS && rc == 0; i++)
		rc = soon_spawn(&g, call_often, first + i);
	return (int)soon_group_close(&g, rc);
}

static int work_on_all(void *unused)
{
	return soon_on_each_core(work_on_core, unused);
}

static int app(enum ending ending)
{
	int rc;
	SOON_GROUP(g);

	for (unsigned i = 0; i < CORES; i++)
		CHECK_EQ(soon_core_at(i, &state.cores[i]), 0);
	rc = soon_spawn(&g, work_on_all, NULL);
	if (rc == 0 && (ending == BY_A_CANCEL || ending == BY_A_DRAIN))
		rc = soon_sleep(SOON_US(700));
	if (ending == BY_A_CANCEL)
		soon_group_cancel(&g, "the round is over");
	if (ending == BY_A_DRAIN)
		soon_group_drain(&g, SOON_MS(3));
	rc = (int)soon_group_close(&g, rc);
	CHECK_EQ(atomic_load(&state.running), 0);
	return rc;
}

int main(void)
{
	for (state.round = 0; state.round < ROUNDS; state.round++) {
		soon_opts opts = { .cores = CORES, .no_pin = state.round % 2 != 0 };
		enum ending ending = (enum ending)(state.round % ENDINGS);
		int rc = soon_run_with(&opts, app, ending);

		CHECK_EQ(rc, ending == BY_A_FAILURE ? -EIO : 0);
	}
	fprintf(stderr, "%u calls, %u timeouts, %u cancels\n", atomic_load(&state.calls),
		atomic_load(&state.timeouts), atomic_load(&state.cancels));
	CHECK(atomic_load(&state.timeouts) > 0);
	CHECK(atomic_load(&state.cancels) > 0);
	return 0;
}
