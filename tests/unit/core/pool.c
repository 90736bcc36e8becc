// SPDX-License-Identifier: Apache-2.0
/*
 * Named pools, calls that are left behind, and the way back: with real threads under a virtual
 * clock, which is held while a thread has to run.
 */
#include <soon/local.h>
#include <soon/mem.h>
#include <soon/offload.h>
#include <soon/scope.h>

#include "fake_test.h"

#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <string.h>

static int held_task(int (*body)(void))
{
	fake_hold();
	int rc = body();
	fake_release();
	return rc;
}

static int held_run(unsigned threads, int (*body)(void))
{
	const soon_opts run = { .offload_threads = threads, .grace = SOON_S(5) };
	const struct fake_opts opts = { .run = &run };

	return FAKE_RUN(&opts, held_task, body);
}

#define POOL_TEST(name, threads)                                                                   \
	static int name##_body(void);                                                              \
	SOON_TEST_PLAIN(pool, name)                                                                \
	{                                                                                          \
		cr_assert_eq(held_run(threads, name##_body), 0);                                   \
	}                                                                                          \
	static int name##_body(void)

/* A job that the test can hold up, and look into. */
struct job {
	sem_t begun, go;
	int rc;
	atomic_int ran, dropped;
	atomic_bool was_cancelled;
	pthread_t thread;
	soon_pool *pool;
};

static void job_init(struct job *job, soon_pool *pool, int rc)
{
	memset(job, 0, sizeof *job);
	job->rc = rc;
	job->pool = pool;
	cr_assert_eq(sem_init(&job->begun, 0, 0), 0);
	cr_assert_eq(sem_init(&job->go, 0, 0), 0);
}

static void wait_for(sem_t *sem)
{
	while (sem_wait(sem) != 0)
		continue;
}

static int job_run(struct job *job)
{
	job->thread = pthread_self();
	sem_post(&job->begun);
	wait_for(&job->go);
	job->was_cancelled = soon_offload_cancelled();
	job->ran++;
	return job->rc;
}

static void job_drop(struct job *job)
{
	job->thread = pthread_self();
	job->dropped++;
}

static int offload_job(struct job *job)
{
	return soon_offload_with(job->pool, job_run, job);
}

static int detach_job(struct job *job)
{
	return soon_offload_detach_with(job->pool, job_run, job, job_drop);
}

static int job_now(struct job *job)
{
	sem_post(&job->go);
	return offload_job(job);
}

static int detach_now(struct job *job)
{
	sem_post(&job->go);
	return detach_job(job);
}

static void wait_as_task(sem_t *sem)
{
	while (sem_trywait(sem) != 0)
		cr_assert_eq(soon_yield(), 0);
}

static soon_pool_stats stats_of(soon_pool *pool)
{
	soon_pool_stats stats;

	cr_assert_eq(soon_pool_stats_get(pool, &stats), 0);
	return stats;
}

/* Pools. */

static soon_pool one = SOON_POOL_INIT(.name = "one", .threads_max = 1);
static soon_pool three = SOON_POOL_INIT(.name = "three", .threads_max = 3);

POOL_TEST(pool_that_is_stuck_holds_up_no_other, 1)
{
	struct job stuck, waits, own, other;
	SOON_GROUP(g);

	job_init(&stuck, &one, 0);
	job_init(&waits, &one, 0);
	job_init(&own, NULL, 5);
	job_init(&other, &three, 6);
	cr_assert_eq(soon_spawn(&g, offload_job, &stuck), 0);
	wait_as_task(&stuck.begun);
	cr_assert_eq(soon_spawn(&g, job_now, &waits), 0);
	for (int i = 0; i < 20; i++) {
		cr_assert_eq(job_now(&own), 5);
		cr_assert_eq(job_now(&other), 6);
	}
	cr_assert_eq(waits.ran, 0);
	cr_assert_eq(stats_of(&one).queued, 1);
	cr_assert_eq(stats_of(&one).busy, 1);
	sem_post(&stuck.go);
	cr_assert_eq(soon_group_close(&g, 0), 0);
	cr_assert_eq(waits.ran, 1);
	cr_assert(pthread_equal(stuck.thread, waits.thread));
	cr_assert_not(pthread_equal(own.thread, other.thread));
	return 0;
}

static int use_once(void)
{
	struct job job;

	job_init(&job, &one, 3);
	cr_assert_eq(job_now(&job), 3);
	cr_assert_eq(stats_of(&one).threads, 1);
	return 0;
}

SOON_TEST_PLAIN(pool, pool_is_as_new_in_the_next_run)
{
	for (int i = 0; i < 3; i++) {
		cr_assert_eq(held_run(1, use_once), 0);
		cr_assert_eq(stats_of(&one).threads, 0);
		cr_assert_eq(stats_of(&one).threads_max, 1);
	}
}

static int use_as_task(void *unused)
{
	(void)unused;
	return use_once();
}

static void *run_elsewhere(void *unused)
{
	cr_assert_eq(soon_run(use_as_task, NULL), 0);
	return unused;
}

/* One thread for two cores: each in its turn. */
POOL_TEST(pool_is_shared_by_the_cores_of_all_runs, 1)
{
	struct job job;
	pthread_t thread;

	job_init(&job, &one, 4);
	cr_assert_eq(job_now(&job), 4);
	cr_assert_eq(pthread_create(&thread, NULL, run_elsewhere, NULL), 0);
	for (int i = 0; i < 50; i++)
		cr_assert_eq(job_now(&job), 4);
	cr_assert_eq(pthread_join(thread, NULL), 0);
	cr_assert_eq(stats_of(&one).threads, 1);
	return 0;
}

POOL_TEST(more_calls_than_the_queue_holds_keep_their_order, 1)
{
	enum { COUNT = 100 };
	static soon_pool small = SOON_POOL_INIT(.name = "small", .threads_max = 2, .queue_max = 1);
	static struct job jobs[COUNT];
	SOON_GROUP(g);

	for (int i = 0; i < COUNT; i++) {
		job_init(&jobs[i], &small, 0);
		cr_assert_eq(soon_spawn(&g, offload_job, &jobs[i]), 0);
	}
	for (int i = 0; i < COUNT; i++) {
		wait_as_task(&jobs[i].begun);
		if (i >= 1)
			sem_post(&jobs[i - 1].go);
		for (int j = i + 2; j < COUNT; j++)
			cr_assert_neq(sem_trywait(&jobs[j].begun), 0);
	}
	sem_post(&jobs[COUNT - 1].go);
	return (int)soon_group_close(&g, 0);
}

POOL_TEST(resizing_up_lets_those_run_that_wait, 1)
{
	struct job jobs[3];
	SOON_GROUP(g);

	for (int i = 0; i < 3; i++) {
		job_init(&jobs[i], &one, 0);
		cr_assert_eq(soon_spawn(&g, offload_job, &jobs[i]), 0);
	}
	wait_as_task(&jobs[0].begun);
	cr_assert_eq(stats_of(&one).queued, 2);
	cr_assert_eq(soon_pool_resize(&one, 3), 0);
	wait_as_task(&jobs[1].begun);
	wait_as_task(&jobs[2].begun);
	cr_assert_eq(stats_of(&one).busy, 3);
	for (int i = 0; i < 3; i++)
		sem_post(&jobs[i].go);
	return (int)soon_group_close(&g, 0);
}

POOL_TEST(resizing_down_stops_nobody_and_lets_nobody_in, 1)
{
	struct job running[3], later[3];
	SOON_GROUP(g);

	for (int i = 0; i < 3; i++) {
		job_init(&running[i], &three, 0);
		job_init(&later[i], &three, 0);
		cr_assert_eq(soon_spawn(&g, offload_job, &running[i]), 0);
	}
	for (int i = 0; i < 3; i++)
		wait_as_task(&running[i].begun);
	cr_assert_eq(soon_pool_resize(&three, 1), 0);
	for (int i = 0; i < 3; i++)
		cr_assert_eq(soon_spawn(&g, offload_job, &later[i]), 0);
	for (int i = 0; i < 2; i++) {
		sem_post(&running[i].go);
		while (running[i].ran == 0 || stats_of(&three).threads > 2 - (unsigned)i)
			cr_assert_eq(soon_yield(), 0);
		cr_assert_neq(sem_trywait(&later[0].begun), 0);
	}
	sem_post(&running[2].go);
	for (int i = 0; i < 3; i++) {
		wait_as_task(&later[i].begun);
		cr_assert_eq(stats_of(&three).busy, 1);
		sem_post(&later[i].go);
	}
	return (int)soon_group_close(&g, 0);
}

SOON_TEST_PLAIN(pool, impossible_sizes_and_no_pool_are_refused)
{
	soon_pool_stats stats;

	cr_assert_eq(soon_pool_resize(&one, 0), -EINVAL);
	cr_assert_eq(soon_pool_resize(&one, SOON_POOL_THREADS_MAX + 1), -EINVAL);
	cr_assert_eq(soon_pool_resize(NULL, 1), -EPERM);
	cr_assert_eq(soon_pool_stats_get(NULL, &stats), -EPERM);
}

/* Left behind. */

POOL_TEST(detached_call_gives_its_result_and_the_argument_back, 1)
{
	struct job job;

	job_init(&job, NULL, 9);
	cr_assert_eq(detach_now(&job), 9);
	cr_assert_eq(job.dropped, 0);
	job_init(&job, NULL, -EIO);
	cr_assert_eq(detach_now(&job), -EIO);
	cr_assert_eq(job.dropped, 0);
	job_init(&job, NULL, -ECANCELED);
	cr_assert_eq(detach_now(&job), -ECANCELED);
	cr_assert_eq(job.dropped, 1);
	return 0;
}

POOL_TEST(detached_call_is_left_at_once_and_dropped_by_its_thread, 2)
{
	static struct job job;
	SOON_GROUP(g);

	job_init(&job, &three, 1);
	cr_assert_eq(soon_spawn(&g, detach_job, &job), 0);
	wait_as_task(&job.begun);
	soon_group_cancel(&g, "enough");
	cr_assert_eq(soon_group_close(&g, 0), 0);
	cr_assert_eq(job.ran, 0);
	cr_assert_eq(stats_of(&three).detached, 1);
	cr_assert_eq(stats_of(&three).busy, 1);
	sem_post(&job.go);
	while (stats_of(&three).detached > 0)
		cr_assert_eq(soon_yield(), 0);
	cr_assert_eq(job.ran, 1);
	cr_assert_eq(job.dropped, 1);
	cr_assert(job.was_cancelled);
	return 0;
}

POOL_TEST(detached_call_that_never_ran_is_dropped_by_its_caller, 1)
{
	struct job first, second;
	SOON_GROUP(g);
	SOON_GROUP(doomed);
	SOON_SCOPE(s);

	job_init(&first, NULL, 0);
	job_init(&second, NULL, 0);
	cr_assert_eq(soon_spawn(&g, offload_job, &first), 0);
	wait_as_task(&first.begun);
	cr_assert_eq(soon_spawn(&doomed, detach_job, &second), 0);
	cr_assert_eq(soon_yield(), 0);
	soon_group_cancel(&doomed, "enough");
	cr_assert_eq(soon_scope_close(&s, 0), 0);
	cr_assert_eq(soon_group_close(&doomed, 0), 0);
	cr_assert_eq(second.dropped, 1);
	cr_assert_eq(second.ran, 0);
	cr_assert(pthread_equal(second.thread, pthread_self()));
	sem_post(&first.go);
	return (int)soon_group_close(&g, 0);
}

POOL_TEST(detached_call_in_a_cancelled_scope_is_dropped, 1)
{
	struct job job;
	SOON_SCOPE(s);

	job_init(&job, NULL, 0);
	soon_scope_cancel(&s, "before");
	cr_assert_eq(detach_job(&job), -ECANCELED);
	cr_assert_eq(job.dropped, 1);
	return (int)soon_scope_close(&s, 0);
}

POOL_TEST(no_more_are_left_behind_than_the_limit, 1)
{
	static soon_pool bounded =
		SOON_POOL_INIT(.name = "bounded", .threads_max = 3, .detached_max = 1);
	static struct job jobs[2];
	SOON_GROUP(g);

	for (int i = 0; i < 2; i++) {
		job_init(&jobs[i], &bounded, 0);
		cr_assert_eq(soon_spawn(&g, detach_job, &jobs[i]), 0);
	}
	wait_as_task(&jobs[0].begun);
	wait_as_task(&jobs[1].begun);
	soon_group_cancel(&g, "enough");
	cr_assert_eq(stats_of(&bounded).detached, 1);
	sem_post(&jobs[0].go);
	sem_post(&jobs[1].go);
	cr_assert_eq(soon_group_close(&g, 0), 0);
	while (stats_of(&bounded).detached > 0)
		cr_assert_eq(soon_yield(), 0);
	cr_assert_eq(jobs[0].ran + jobs[1].ran, 2);
	cr_assert_eq(jobs[0].dropped + jobs[1].dropped, 1);
	return 0;
}

/* The thread counts until it has really ended: its place is not given to anybody. */
POOL_TEST(call_left_behind_keeps_its_thread, 1)
{
	static struct job left;
	struct job next;
	SOON_GROUP(g);
	SOON_GROUP(doomed);

	job_init(&left, NULL, 0);
	job_init(&next, NULL, 0);
	cr_assert_eq(soon_spawn(&doomed, detach_job, &left), 0);
	wait_as_task(&left.begun);
	soon_group_cancel(&doomed, "enough");
	cr_assert_eq(soon_group_close(&doomed, 0), 0);
	cr_assert_eq(soon_spawn(&g, job_now, &next), 0);
	for (int i = 0; i < 100; i++)
		cr_assert_eq(soon_yield(), 0);
	cr_assert_eq(next.ran, 0);
	sem_post(&left.go);
	cr_assert_eq(soon_group_close(&g, 0), 0);
	cr_assert_eq(next.ran, 1);
	cr_assert(pthread_equal(next.thread, left.thread));
	return 0;
}

POOL_TEST(detached_call_without_memory_fails_and_keeps_the_argument, 1)
{
	struct job job;
	int rc;

	for (uint64_t k = 1;; k++) {
		job_init(&job, NULL, 2);
		soon_mem_fail_at(k);
		rc = detach_now(&job);
		soon_mem_fail_at(0);
		cr_assert_eq(job.dropped, 0);
		if (rc == 2)
			break;
		cr_assert(rc == -ENOMEM || rc == -EAGAIN, "%d", rc);
		cr_assert_eq(job.ran, 0);
		cr_assert_lt(k, 20);
	}
	return 0;
}

/* Back into the task. */

struct visit {
	soon_task *host;
	int rc, inner_rc, offload_rc;
	bool was_in_host;
	soon_pool *pool;
	sem_t begun, go;
};

static int in_task(struct visit *visit)
{
	visit->was_in_host = soon_self() == visit->host;
	visit->inner_rc = soon_sleep(SOON_US(1));
	return visit->rc;
}

static int on_thread(struct visit *visit)
{
	return soon_reenter(in_task, visit);
}

POOL_TEST(reentered_function_runs_in_the_host_and_answers, 1)
{
	struct visit visit = { .host = soon_self(), .rc = 31 };

	fake_release();
	for (int i = 0; i < 3; i++) {
		visit.was_in_host = false;
		cr_assert_eq(soon_offload(on_thread, &visit), 31);
		cr_assert(visit.was_in_host);
		cr_assert_eq(visit.inner_rc, 0);
	}
	fake_hold();
	return 0;
}

static int wait_then_reenter(struct visit *visit)
{
	sem_post(&visit->begun);
	wait_for(&visit->go);
	return soon_reenter(in_task, visit);
}

static int host_of(struct visit *visit)
{
	visit->host = soon_self();
	visit->offload_rc = soon_offload_with(visit->pool, wait_then_reenter, visit);
	return 0;
}

static void visit_init(struct visit *visit, soon_pool *pool, int rc)
{
	*visit = (struct visit){ .rc = rc, .pool = pool };
	cr_assert_eq(sem_init(&visit->begun, 0, 0), 0);
	cr_assert_eq(sem_init(&visit->go, 0, 0), 0);
}

POOL_TEST(reentry_into_a_cancelled_host_is_answered, 1)
{
	struct visit visit;
	SOON_GROUP(g);

	visit_init(&visit, NULL, 8);
	cr_assert_eq(soon_spawn(&g, host_of, &visit), 0);
	wait_as_task(&visit.begun);
	soon_group_cancel(&g, "enough");
	sem_post(&visit.go);
	cr_assert_eq(soon_group_close(&g, 0), 0);
	cr_assert_eq(visit.offload_rc, 8);
	cr_assert(visit.was_in_host);
	cr_assert_eq(visit.inner_rc, -ECANCELED);
	return 0;
}

static int once_more(struct visit *visit)
{
	struct job job;

	job_init(&job, visit->pool, 17);
	visit->inner_rc = job_now(&job);
	return visit->inner_rc;
}

static int reenter_once_more(struct visit *visit)
{
	return soon_reenter(once_more, visit);
}

POOL_TEST(reentered_function_may_offload, 2)
{
	struct visit visit = { .pool = NULL };

	cr_assert_eq(soon_offload(reenter_once_more, &visit), 17);
	visit.pool = &one;
	cr_assert_eq(soon_offload_with(&three, reenter_once_more, &visit), 17);
	return 0;
}

static char said[600];

static int note_report(const soon_report *report, void *unused)
{
	(void)unused;
	if (report->level == SOON_REPORT_ERROR)
		strncat(said, report->text, sizeof said - strlen(said) - 1);
	return 0;
}

/* The only thread waits for a function that waits for a thread. */
POOL_TEST(circle_of_threads_is_refused_and_told_once, 2)
{
	struct visit visit = { .pool = &one };

	soon_on_report(note_report, NULL);
	for (int i = 0; i < 3; i++) {
		cr_assert_eq(soon_offload_with(&one, reenter_once_more, &visit), -EDEADLK);
		cr_assert_eq(visit.inner_rc, -EDEADLK);
	}
	cr_assert_not_null(strstr(said, "reenter_once_more"), "%s", said);
	cr_assert_not_null(strstr(said, "once_more"), "%s", said);
	cr_assert_not_null(strstr(said, "'one'"), "%s", said);
	soon_test_reports_expected = 1;
	return 0;
}

static int circle(struct visit *visit)
{
	return soon_offload_with(&one, reenter_once_more, visit);
}

/* By way of another pool the circle is as closed. */
static int reenter_circle(struct visit *visit)
{
	return soon_reenter(circle, visit);
}

POOL_TEST(circle_through_another_pool_is_refused, 2)
{
	struct visit visit = { .pool = &three };

	cr_assert_eq(soon_pool_resize(&three, 1), 0);
	cr_assert_eq(soon_offload_with(&three, reenter_circle, &visit), -EDEADLK);
	soon_test_reports_expected = 1;
	return 0;
}

static int reenter_here(void *unused)
{
	(void)unused;
	return 0;
}

POOL_TEST(reentry_from_elsewhere_is_refused, 1)
{
	cr_assert_eq(soon_reenter(reenter_here, NULL), -EPERM);
	soon_test_reports_expected = 1;
	return 0;
}

static void visit_drop(struct visit *visit)
{
	visit->host = NULL;
	sem_post(&visit->begun);
}

static int detached_host_of(struct visit *visit)
{
	visit->host = soon_self();
	return soon_offload_detach_with(visit->pool, wait_then_reenter, visit, visit_drop);
}

POOL_TEST(reentry_of_a_call_left_behind_is_a_background_task, 1)
{
	static struct visit visit;
	SOON_GROUP(g);

	visit_init(&visit, &three, -EIO); /* its failure is the thread's to have, not the run's */
	cr_assert_eq(soon_spawn(&g, detached_host_of, &visit), 0);
	wait_as_task(&visit.begun);
	soon_group_cancel(&g, "enough");
	cr_assert_eq(soon_group_close(&g, 0), 0);
	sem_post(&visit.go);
	fake_release();
	while (sem_trywait(&visit.begun) != 0)
		cr_assert_eq(soon_sleep(SOON_MS(1)), 0);
	fake_hold();
	cr_assert_not(visit.was_in_host);
	cr_assert_eq(visit.inner_rc, 0);
	return 0;
}

static struct visit late;
static int late_rc;

static int wait_for_the_end(struct visit *visit)
{
	sem_post(&visit->begun);
	wait_for(&visit->go);
	do
		late_rc = soon_reenter(in_task, visit);
	while (late_rc != -ESHUTDOWN);
	return 0;
}

static int leave_behind(struct visit *visit)
{
	return soon_offload_detach_with(visit->pool, wait_for_the_end, visit, visit_drop);
}

static int leave_and_end(void)
{
	SOON_GROUP(g);

	visit_init(&late, &three, 0);
	cr_assert_eq(soon_spawn(&g, leave_behind, &late), 0);
	wait_as_task(&late.begun);
	soon_group_cancel(&g, "enough");
	cr_assert_eq(soon_group_close(&g, 0), 0);
	sem_post(&late.go);
	return 0;
}

SOON_TEST_PLAIN(pool, reentry_after_the_run_is_refused)
{
	cr_assert_eq(held_run(1, leave_and_end), 0);
	cr_assert_eq(late_rc, -ESHUTDOWN);
	wait_for(&late.begun); /* dropped */
}

static int key_drops;

static void *key_dup(const void *value)
{
	int *copy = soon_malloc(sizeof *copy);

	if (copy)
		*copy = *(const int *)value;
	return copy;
}

static void key_drop(void *value)
{
	__atomic_fetch_add(&key_drops, 1, __ATOMIC_RELAXED);
	soon_free(value);
}

static const soon_local key = { .name = "key", .dup = key_dup, .drop = key_drop };

static int read_key(int *ret_seen)
{
	const int *value = soon_local_get(&key);

	*ret_seen = value ? *value : -1;
	return 0;
}

static int set_key_in_host(int value)
{
	return soon_local_set(&key, key_dup(&value));
}

static int look_twice(int *seen)
{
	int rc = read_key(&seen[0]);

	if (rc == 0)
		rc = soon_reenter(set_key_in_host, 2);
	return rc == 0 ? read_key(&seen[1]) : rc;
}

static void no_drop(int *seen)
{
	(void)seen;
}

POOL_TEST(locals_follow_the_task_and_stay_with_the_detached, 1)
{
	int seen[2] = { 0 };

	cr_assert_eq(set_key_in_host(1), 0);
	cr_assert_eq(soon_offload(look_twice, seen), 0);
	cr_assert_eq(seen[0], 1);
	cr_assert_eq(seen[1], 2);
	cr_assert_eq(set_key_in_host(1), 0);
	cr_assert_eq(soon_offload_detach(look_twice, seen, no_drop), 0);
	cr_assert_eq(seen[0], 1);
	cr_assert_eq(seen[1], 1);
	return 0;
}
