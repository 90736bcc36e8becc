// SPDX-License-Identifier: Apache-2.0
/*
 * Offloading, with real threads under a virtual clock, which is held while a thread has to run.
 */
#include <soon/mem.h>

#include "fake_test.h"

#include <dlfcn.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>

/* Fails on request: the first one to be asked for a thread after so many that succeed. */
static atomic_int threads_allowed = 1000;

int pthread_create(pthread_t *thread, const pthread_attr_t *attr, void *(*fn)(void *), void *arg)
{
	int (*real)(pthread_t *, const pthread_attr_t *, void *(*)(void *), void *);

	if (atomic_fetch_sub(&threads_allowed, 1) <= 0)
		return EAGAIN;
	*(void **)&real = dlsym(RTLD_NEXT, "pthread_create");
	return real(thread, attr, fn, arg);
}

/* A run with a bound on threads, its clock held. */
static int held_task(int (*body)(void))
{
	fake_hold();
	int rc = body();
	fake_release();
	return rc;
}

static int held_run(unsigned threads, int (*body)(void))
{
	const soon_opts run = { .offload_threads = threads, .grace = SOON_MS(50) };
	const struct fake_opts opts = { .run = &run };

	return FAKE_RUN(&opts, held_task, body);
}

#define OFFLOAD_TEST(name, threads)                                                                \
	static int name##_body(void);                                                              \
	SOON_TEST_PLAIN(offload, name)                                                             \
	{                                                                                          \
		cr_assert_eq(held_run(threads, name##_body), 0);                                   \
	}                                                                                          \
	static int name##_body(void)

/* A job that the test can hold up, and look into. */
struct job {
	sem_t begun, go;
	int rc;
	atomic_int ran;
	atomic_bool was_cancelled;
	pthread_t thread;
};

static void job_init(struct job *job, int rc)
{
	memset(job, 0, sizeof *job);
	job->rc = rc;
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

static int offload_job(struct job *job)
{
	return soon_offload(job_run, job);
}

static int job_now(struct job *job)
{
	sem_post(&job->go);
	return soon_offload(job_run, job);
}

/* Lets tasks run until the semaphore can be taken. */
static void wait_as_task(sem_t *sem)
{
	while (sem_trywait(sem) != 0)
		cr_assert_eq(soon_yield(), 0);
}

OFFLOAD_TEST(runs_on_another_thread_and_gives_the_result, 2)
{
	struct job job;

	job_init(&job, 77);
	cr_assert_eq(job_now(&job), 77);
	cr_assert_eq(job.ran, 1);
	cr_assert_not(pthread_equal(job.thread, pthread_self()));
	job_init(&job, -EIO);
	cr_assert_eq(job_now(&job), -EIO);
	return 0;
}

static int check_thread(const char *name)
{
	char is[16];
	sigset_t mask;

	cr_assert_eq(pthread_getname_np(pthread_self(), is, sizeof is), 0);
	cr_assert_str_eq(is, name);
	cr_assert_eq(pthread_sigmask(SIG_BLOCK, NULL, &mask), 0);
	cr_assert(sigismember(&mask, SIGTERM));
	cr_assert(sigismember(&mask, SIGUSR1));
	cr_assert_null(soon_self());
	cr_assert_null(soon_core_self());
	cr_assert_not(soon_offload_cancelled());
	return 0;
}

OFFLOAD_TEST(thread_bears_the_job_s_name_and_takes_no_signals, 1)
{
	cr_assert_eq(soon_offload(check_thread, "check_thread"), 0);
	cr_assert_not(soon_offload_cancelled());
	return 0;
}

static int suspend_in_thread(void *unused)
{
	(void)unused;
	return soon_yield();
}

OFFLOAD_TEST(suspending_in_the_thread_is_refused, 1)
{
	cr_assert_eq(soon_offload(suspend_in_thread, NULL), -EPERM);
	soon_test_reports_expected = 1;
	return 0;
}

OFFLOAD_TEST(others_run_meanwhile, 1)
{
	struct job job;
	SOON_GROUP(g);

	job_init(&job, 0);
	cr_assert_eq(soon_spawn(&g, offload_job, &job), 0);
	wait_as_task(&job.begun);
	for (int i = 0; i < 1000; i++)
		cr_assert_eq(soon_yield(), 0);
	cr_assert_eq(job.ran, 0);
	sem_post(&job.go);
	return (int)soon_group_close(&g, 0);
}

/* Cancels. */

OFFLOAD_TEST(cancelled_on_entry_never_runs, 1)
{
	struct job job;
	SOON_SCOPE(s);

	job_init(&job, 0);
	soon_scope_cancel(&s, "before");
	cr_assert_eq(job_now(&job), -ECANCELED);
	cr_assert_eq(soon_scope_close(&s, 0), 0);
	cr_assert_eq(job.ran, 0);
	return 0;
}

OFFLOAD_TEST(cancelled_while_it_waits_for_a_thread_never_runs, 1)
{
	struct job first, second, third;
	SOON_GROUP(g);
	SOON_GROUP(doomed);

	job_init(&first, 0);
	job_init(&second, 0);
	job_init(&third, 0);
	cr_assert_eq(soon_spawn(&g, offload_job, &first), 0);
	wait_as_task(&first.begun);
	cr_assert_eq(soon_spawn(&doomed, job_now, &second), 0);
	cr_assert_eq(soon_yield(), 0);
	cr_assert_eq(soon_spawn(&g, job_now, &third), 0);
	cr_assert_eq(soon_yield(), 0);
	soon_group_cancel(&doomed, "enough");
	cr_assert_eq(soon_group_close(&doomed, 0), 0);
	cr_assert_eq(first.ran, 0);
	sem_post(&first.go);
	cr_assert_eq(soon_group_close(&g, 0), 0);
	cr_assert_eq(first.ran, 1);
	cr_assert_eq(second.ran, 0);
	cr_assert_eq(third.ran, 1);
	return 0;
}

static int give(int rc)
{
	return rc;
}

/* It would be taken for the task's own cancel. */
OFFLOAD_TEST(stray_cancel_is_an_error, 1)
{
	cr_assert_eq(soon_offload(give, -ECANCELED), -EIO);
	soon_test_reports_expected = 1;
	cr_assert_eq(soon_yield(), 0);
	return 0;
}

static int give_up(struct job *job)
{
	job_run(job);
	return soon_offload_cancelled() ? -ECANCELED : 0;
}

static int offload_to_give_up(struct job *job)
{
	return soon_offload(give_up, job);
}

OFFLOAD_TEST(cancelled_function_may_say_so, 1)
{
	struct job job;
	SOON_GROUP(g);

	job_init(&job, 0);
	cr_assert_eq(soon_spawn(&g, offload_to_give_up, &job), 0);
	wait_as_task(&job.begun);
	soon_group_cancel(&g, "now");
	sem_post(&job.go);
	cr_assert_eq(soon_group_close(&g, 0), 0);
	cr_assert_eq(job.ran, 1);
	return 0;
}

static int offload_then_yield(struct job *job)
{
	cr_assert_eq(soon_offload(job_run, job), 55);
	cr_assert_eq(soon_yield(), -ECANCELED);
	return 0;
}

OFFLOAD_TEST(cancelled_while_it_runs_is_remembered, 1)
{
	struct job job;
	SOON_GROUP(g);

	job_init(&job, 55);
	cr_assert_eq(soon_spawn(&g, offload_then_yield, &job), 0);
	wait_as_task(&job.begun);
	soon_group_cancel(&g, "now");
	sem_post(&job.go);
	cr_assert_eq(soon_group_close(&g, 0), 0);
	cr_assert_eq(job.ran, 1);
	cr_assert(job.was_cancelled);
	return 0;
}

OFFLOAD_TEST(cancel_of_one_job_does_not_show_in_the_next, 1)
{
	struct job job;
	SOON_GROUP(g);

	job_init(&job, 55);
	cr_assert_eq(soon_spawn(&g, offload_then_yield, &job), 0);
	wait_as_task(&job.begun);
	soon_group_cancel(&g, "now");
	sem_post(&job.go);
	cr_assert_eq(soon_group_close(&g, 0), 0);
	job_init(&job, 0);
	cr_assert_eq(job_now(&job), 0);
	cr_assert_not(job.was_cancelled);
	return 0;
}

/* The limit. */

static struct {
	atomic_int live, live_max, order;
	int next;
} crowd;

struct member {
	int begun_as;
};

static int join_crowd(struct member *self)
{
	int live = atomic_fetch_add(&crowd.live, 1) + 1;
	int max = crowd.live_max;

	self->begun_as = crowd.order++;
	while (live > max && !atomic_compare_exchange_weak(&crowd.live_max, &max, live))
		continue;
	for (int i = 0; i < 100; i++)
		sched_yield();
	atomic_fetch_sub(&crowd.live, 1);
	return 0;
}

static int offload_member(struct member *self)
{
	return soon_offload(join_crowd, self);
}

OFFLOAD_TEST(no_more_run_than_the_limit, 3)
{
	static struct member members[50];
	SOON_GROUP(g);

	for (int i = 0; i < 50; i++)
		cr_assert_eq(soon_spawn(&g, offload_member, &members[i]), 0);
	cr_assert_eq(soon_group_close(&g, 0), 0);
	cr_assert_eq(crowd.order, 50);
	cr_assert_leq(crowd.live_max, 3);
	return 0;
}

OFFLOAD_TEST(who_waits_gets_a_thread_in_order, 1)
{
	static struct member members[20];
	SOON_GROUP(g);

	for (int i = 0; i < 20; i++)
		cr_assert_eq(soon_spawn(&g, offload_member, &members[i]), 0);
	cr_assert_eq(soon_group_close(&g, 0), 0);
	for (int i = 0; i < 20; i++)
		cr_assert_eq(members[i].begun_as, i);
	return 0;
}

/* More jobs wait than the ring has slots; those in it are cancelled, and the others move up. */
OFFLOAD_TEST(cancelled_crowd_makes_room_for_who_waits, 1)
{
	static struct member doomed[100], lucky[30];
	struct job first;
	SOON_GROUP(g);
	SOON_GROUP(crowd_to_go);

	job_init(&first, 0);
	cr_assert_eq(soon_spawn(&g, offload_job, &first), 0);
	wait_as_task(&first.begun);
	for (int i = 0; i < 100; i++)
		cr_assert_eq(soon_spawn(&crowd_to_go, offload_member, &doomed[i]), 0);
	for (int i = 0; i < 30; i++)
		cr_assert_eq(soon_spawn(&g, offload_member, &lucky[i]), 0);
	cr_assert_eq(soon_yield(), 0);
	soon_group_cancel(&crowd_to_go, "enough");
	cr_assert_eq(soon_group_close(&crowd_to_go, 0), 0);
	cr_assert_eq(crowd.order, 0);
	sem_post(&first.go);
	cr_assert_eq(soon_group_close(&g, 0), 0);
	cr_assert_eq(crowd.order, 30);
	for (int i = 0; i < 30; i++)
		cr_assert_eq(lucky[i].begun_as, i);
	return 0;
}

OFFLOAD_TEST(threads_are_used_again, 8)
{
	struct job first, second;

	atomic_store(&threads_allowed, 1);
	for (int i = 0; i < 20; i++) {
		job_init(&first, 0);
		cr_assert_eq(job_now(&first), 0);
		job_init(&second, 0);
		cr_assert_eq(job_now(&second), 0);
		cr_assert(pthread_equal(first.thread, second.thread));
	}
	cr_assert_eq(threads_allowed, 0);
	return 0;
}

/* What can fail. */

OFFLOAD_TEST(without_any_thread_it_fails_and_can_be_tried_again, 4)
{
	struct job job;

	job_init(&job, 1);
	atomic_store(&threads_allowed, 0);
	cr_assert_eq(job_now(&job), -EAGAIN);
	cr_assert_not_null(strstr(soon_fail_message(), "no thread could be started"));
	cr_assert_eq(job_now(&job), -EAGAIN);
	atomic_store(&threads_allowed, 1);
	cr_assert_eq(job_now(&job), 1);
	cr_assert_eq(job.ran, 1);
	return 0;
}

OFFLOAD_TEST(without_a_further_thread_it_waits_for_one, 4)
{
	struct job first, second;
	SOON_GROUP(g);

	job_init(&first, 0);
	job_init(&second, 0);
	atomic_store(&threads_allowed, 1);
	cr_assert_eq(soon_spawn(&g, offload_job, &first), 0);
	wait_as_task(&first.begun);
	cr_assert_eq(soon_spawn(&g, job_now, &second), 0);
	for (int i = 0; i < 10; i++)
		cr_assert_eq(soon_yield(), 0);
	cr_assert_eq(second.ran, 0);
	sem_post(&first.go);
	cr_assert_eq(soon_group_close(&g, 0), 0);
	cr_assert_eq(second.ran, 1);
	return 0;
}

static int dropped;

static void job_drop(struct job *unused)
{
	(void)unused;
	dropped++;
}

OFFLOAD_TEST(without_any_thread_a_detached_call_keeps_its_argument, 4)
{
	static soon_pool named = SOON_POOL_INIT(.name = "disk");
	struct job job;

	job_init(&job, 6);
	sem_post(&job.go);
	atomic_store(&threads_allowed, 0);
	cr_assert_eq(soon_offload_detach_with(&named, job_run, &job, job_drop), -EAGAIN);
	cr_assert_not_null(strstr(soon_fail_message(), "pool 'disk'"));
	cr_assert_eq(job.ran + dropped, 0);
	atomic_store(&threads_allowed, 1);
	cr_assert_eq(soon_offload_detach_with(&named, job_run, &job, job_drop), 6);
	cr_assert_eq(job.ran, 1);
	cr_assert_eq(dropped, 0);
	return 0;
}

enum { CROWD = 50 };

/* What was accepted is run by the threads that there are. */
OFFLOAD_TEST(crowd_is_served_by_one_thread_if_there_is_no_other, 8)
{
	static struct job jobs[CROWD];
	SOON_GROUP(g);

	atomic_store(&threads_allowed, 1);
	for (int i = 0; i < CROWD; i++) {
		job_init(&jobs[i], 0);
		cr_assert_eq(soon_spawn(&g, job_now, &jobs[i]), 0);
	}
	cr_assert_eq(soon_group_close(&g, 0), 0);
	for (int i = 0; i < CROWD; i++) {
		cr_assert_eq(jobs[i].ran, 1);
		cr_assert(pthread_equal(jobs[i].thread, jobs[0].thread));
	}
	return 0;
}

OFFLOAD_TEST(without_memory_it_fails_and_can_be_tried_again, 4)
{
	struct job job;

	job_init(&job, 1);
	for (uint64_t k = 1; k <= 2; k++) {
		soon_mem_fail_at(k);
		cr_assert_eq(job_now(&job), -EAGAIN);
	}
	soon_mem_fail_at(0);
	cr_assert_eq(job_now(&job), 1);
	return 0;
}

/* A library's destructor of a thread's own data hangs: the run ends, and says who is left. */

static sem_t hang;

static void hang_up(void *unused)
{
	(void)unused;
	wait_for(&hang);
}

static int leave_something_behind(pthread_key_t *key)
{
	return -pthread_setspecific(*key, key);
}

static int hang_body(void)
{
	static pthread_key_t key;

	cr_assert_eq(sem_init(&hang, 0, 0), 0);
	cr_assert_eq(pthread_key_create(&key, hang_up), 0);
	return soon_offload(leave_something_behind, &key);
}

static int note_report(const soon_report *report, void *data)
{
	if (report->level == SOON_REPORT_ERROR)
		strncat(data, report->text, 500);
	return 0;
}

SOON_TEST_PLAIN(offload, thread_that_does_not_end_is_reported_and_left)
{
	static char said[600];

	soon_on_report(note_report, said);
	cr_assert_eq(held_run(2, hang_body), 0);
	cr_assert_not_null(strstr(said, "leave_something_behind"), "%s", said);
	cr_assert_not_null(strstr(said, "it stands in "), "%s", said);
	soon_test_reports_expected = 1;
	sem_post(&hang);
}
