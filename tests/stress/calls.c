// SPDX-License-Identifier: Apache-2.0
/*
 * Threads and tasks of another core call into a core, time out, cancel and name its scopes by
 * tokens, some through a portal that opens and closes, until the run ends under them. Each call's
 * function ran once or, where the caller was told so, never, and its argument, which lies in the
 * caller's frame, is not touched after the caller has the result.
 */
#include <soon/portal.h>

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <support/program.h>

#define THREADS 8u
#define ROUNDS  12u

static soon_core *core;
static soon_portal portal;
static atomic_uint started; /* threads that have called once, and the other core, when it runs */
static atomic_uint calls, timeouts, cancels, refusals, shut;
static _Atomic(uint64_t) token_word;

struct job {
	unsigned runs, ends;
	unsigned kind;
};

static unsigned draw(uint64_t *random)
{
	*random = *random * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return (unsigned)(*random >> 33);
}

/* Answers at once, after a yield, after a while, or not before it is cancelled. */
static int serve(struct job *job)
{
	int rc = 0;

	job->runs++;
	switch (job->kind) {
	case 0:
		break;
	case 1:
		rc = soon_yield();
		break;
	case 2:
		rc = soon_sleep(SOON_US(50));
		break;
	default:
		rc = soon_sleep_until(SOON_NEVER);
		break;
	}
	job->ends++;
	return rc < 0 ? rc : (int)job->kind;
}

/* What a result says of the job must be so; returns whether the core still takes calls. */
static bool check(const struct job *job, int rc)
{
	atomic_fetch_add_explicit(&calls, 1, memory_order_relaxed);
	CHECK_EQ(job->runs, job->ends);
	CHECK(job->runs <= 1);
	if (rc == -ESHUTDOWN) {
		atomic_fetch_add_explicit(&shut, 1, memory_order_relaxed);
		return false;
	}
	CHECK_EQ(job->runs, 1);
	if (rc == -ETIMEDOUT)
		atomic_fetch_add_explicit(&timeouts, 1, memory_order_relaxed);
	else if (rc == -EINTR)
		atomic_fetch_add_explicit(&cancels, 1, memory_order_relaxed);
	else
		CHECK_EQ(rc, job->kind);
	return true;
}

static bool call_and_time_out(uint64_t *random)
{
	struct job job = { .kind = draw(random) % 4 };
	soon_ns timeout = draw(random) % 100000;

	return check(&job, soon_call(core, serve, &job, timeout));
}

static bool start_and_cancel(uint64_t *random)
{
	struct job job = { .kind = draw(random) % 4 };
	soon_call call;
	int rc = soon_call_start(core, serve, &job, &call);

	if (rc < 0)
		return check(&job, rc);
	if (draw(random) % 2)
		sched_yield();
	soon_call_cancel(&call);
	return check(&job, soon_call_wait(&call, SOON_NEVER));
}

/* Refused while it is closed, which says nothing of the core. */
static void call_through_portal(uint64_t *random)
{
	struct job job = { .kind = draw(random) % 4 };
	int rc = soon_portal_call(&portal, serve, &job, draw(random) % 100000);

	if (!check(&job, rc) && job.runs == 0)
		atomic_fetch_add_explicit(&refusals, 1, memory_order_relaxed);
}

static void cancel_by_token(void)
{
	uint64_t word = atomic_load_explicit(&token_word, memory_order_relaxed);
	soon_token token = { (uint32_t)word, (uint32_t)(word >> 32) };

	(void)!soon_cancel_from(core, token, "by token");
}

static void *call_often(void *index)
{
	uint64_t random = (uintptr_t)index + 1;
	bool is_open = true;
	bool is_first = true;

	while (is_open) {
		switch (draw(&random) % 4) {
		case 0:
			is_open = call_and_time_out(&random);
			break;
		case 1:
			is_open = start_and_cancel(&random);
			break;
		case 2:
			call_through_portal(&random);
			break;
		default:
			cancel_by_token();
			break;
		}
		if (is_first)
			atomic_fetch_add(&started, 1);
		is_first = false;
	}
	return NULL;
}

static int call_from_task(unsigned index)
{
	uint64_t random = index + 100;
	ssize_t rc;

	do {
		struct job job = { .kind = draw(&random) % 4 };

		rc = soon_within(draw(&random) % 100000, soon_call_on(core, serve, &job));
		CHECK_EQ(job.runs, job.ends);
		CHECK(job.runs <= 1);
		if (rc == -ESHUTDOWN)
			return 0;
		CHECK(rc == -ETIMEDOUT || rc == (int)job.kind);
	} while (soon_yield() == 0);
	return 0;
}

static int call_from_tasks(void *unused)
{
	int rc = 0;
	SOON_GROUP(g);

	(void)unused;
	atomic_fetch_add(&started, 1);
	for (unsigned i = 0; i < 4 && rc == 0; i++)
		rc = soon_spawn(&g, call_from_task, i);
	return (int)soon_group_close(&g, rc);
}

static void *run_other_core(void *unused)
{
	(void)unused;
	CHECK_EQ(soon_run(call_from_tasks, NULL), 0);
	return NULL;
}

/* A scope after the other, and each with a token that outlives it. */
static int be_cancelled(unsigned count)
{
	int rc = 0;

	for (unsigned i = 0; i < count && rc == 0; i++) {
		soon_token token;
		SOON_SCOPE(scope, .timeout = SOON_US(200));

		CHECK_EQ(soon_scope_token(&scope, &token), 0);
		atomic_store_explicit(&token_word,
			(uint64_t)token.soon__generation << 32 | token.soon__index,
			memory_order_relaxed);
		rc = (int)soon_scope_close(&scope, soon_sleep_until(SOON_NEVER));
		if (rc == -ETIMEDOUT)
			rc = 0;
	}
	return rc;
}

static int open_and_close(void *unused)
{
	int rc;

	(void)unused;
	do {
		soon_portal_open(&portal);
		rc = soon_sleep(SOON_US(300));
		soon_portal_cancel(&portal, "for a moment");
		rc = (int)soon_portal_close(&portal, rc);
	} while (rc == 0);
	return rc;
}

static pthread_t threads[THREADS + 1];

static int app(unsigned round)
{
	int rc;
	SOON_GROUP(g);

	atomic_store(&started, 0);
	core = soon_core_self();
	rc = soon_spawn(&g, open_and_close, NULL);
	for (uintptr_t i = 0; i < THREADS; i++)
		CHECK_EQ(pthread_create(&threads[i], NULL, call_often, (void *)(i + round)), 0);
	CHECK_EQ(pthread_create(&threads[THREADS], NULL, run_other_core, NULL), 0);
	/* Not before the other core runs: it might be made of this one, and the calls go to it. */
	while (rc == 0 && atomic_load(&started) < THREADS + 1)
		rc = soon_sleep(SOON_US(100));
	if (rc == 0)
		rc = be_cancelled(10 * round);
	soon_group_cancel(&g, "the round is over");
	return (int)soon_group_close(&g, rc);
}

int main(void)
{
	for (unsigned round = 0; round < ROUNDS; round++) {
		CHECK_EQ(soon_run(app, round), 0);
		for (unsigned i = 0; i < THREADS + 1; i++)
			CHECK_EQ(pthread_join(threads[i], NULL), 0);
	}
	fprintf(stderr, "%u calls, %u timeouts, %u cancels, %u refused by the portal, %u shut\n",
		atomic_load(&calls), atomic_load(&timeouts), atomic_load(&cancels),
		atomic_load(&refusals), atomic_load(&shut));
	CHECK(atomic_load(&shut) >= THREADS);
	return 0;
}
