// SPDX-License-Identifier: Apache-2.0
/* Futures: one result, for tasks and threads, in every order of setting, waiting and cancelling. */
#include <soon/future.h>

#include "sync_test.h"

#include <stdatomic.h>
#include <support/death.h>
#include <sys/wait.h>
#include <unistd.h>

static soon_future future;
static struct trace trace;

static void turn(void)
{
	cr_assert_eq(soon_yield(), 0);
}

static int wait_for_it(int expected)
{
	uint64_t value = 0;

	cr_assert_eq(soon_future_wait(&future, &value), expected);
	cr_assert_eq(value, 42);
	trace_add(&trace, 'w');
	return 0;
}

FAKE_TEST(future, wakes_all_who_wait)
{
	uint64_t value = 0;
	SOON_GROUP(g);

	for (int i = 0; i < 3; i++)
		cr_assert_eq(soon_spawn(&g, wait_for_it, 7), 0);
	turn();
	cr_assert_str_eq(trace.text, "");
	cr_assert_not(soon_future_is_set(&future));
	cr_assert_eq(soon_future_poll(&future, &value), -EAGAIN);
	cr_assert_eq(soon_future_set(&future, 7, 42), 0);
	cr_assert(soon_future_is_set(&future));
	cr_assert_eq(soon_group_close(&g, 0), 0);
	cr_assert_str_eq(trace.text, "www");
	cr_assert_eq(soon_future_wait(&future, &value), 7);
	cr_assert_eq(soon_future_poll(&future, &value), 7);
	cr_assert_eq(soon_future_wait(&future, NULL), 7);
	cr_assert_eq(value, 42);
	soon_future_fini(&future);
	cr_assert_not(soon_future_is_set(&future));
}

FAKE_TEST(future, failure_is_a_result)
{
	SOON_GROUP(g);

	cr_assert_eq(soon_spawn(&g, wait_for_it, -ENOENT), 0);
	turn();
	cr_assert_eq(soon_future_set(&future, -ENOENT, 42), 0);
	cr_assert_eq(soon_group_close(&g, 0), 0);
	soon_future_fini(&future); /* read by the waiter */
}

static int set_it(int rc)
{
	return soon_future_set(&future, rc, 42);
}

FAKE_TEST(future, set_twice_is_reported_with_both)
{
	cr_assert_eq(set_it(0), 0);
	ASSERT_REPORTED(soon_future_set(&future, -EIO, 1), -EALREADY, "in set_it at",
		"twice_is_reported_with_both_body at");
	cr_assert_eq(soon_future_poll(&future, NULL), 0); /* as it was */
	soon_future_fini(&future);
	cr_assert_eq(set_it(1), 0);
	soon_future_fini(&future);
}

FAKE_TEST(future, setting_to_cancelled_is_refused)
{
	ASSERT_REPORTED(set_it(-ECANCELED), -EIO, "in set_it at", "-ECANCELED");
	cr_assert_eq(soon_future_wait(&future, NULL), -EIO);
	soon_future_fini(&future);
}

/* Who reads a failure. */

FAKE_TEST(future, failure_that_nobody_read_is_reported_once)
{
	cr_assert_eq(set_it(-EPIPE), 0);
	cr_assert(soon_future_is_set(&future)); /* is no reading */
	ASSERT_REPORTED((soon_future_fini(&future), 0), 0, "nobody has read", "in set_it at");
	soon_future_fini(&future);
	soon_future_fini(NULL);
}

FAKE_TEST(future, success_may_go_unread)
{
	cr_assert_eq(set_it(3), 0);
	soon_future_fini(&future);
}

FAKE_TEST(future, polling_is_reading)
{
	cr_assert_eq(set_it(-EPIPE), 0);
	cr_assert_eq(soon_future_poll(&future, NULL), -EPIPE);
	soon_future_fini(&future);
}

FAKE_TEST(future, polling_too_early_is_not_reading)
{
	cr_assert_eq(soon_future_poll(&future, NULL), -EAGAIN);
	cr_assert_eq(soon_within(SOON_S(1), soon_future_wait(&future, NULL)), -ETIMEDOUT);
	cr_assert_eq(set_it(-EPIPE), 0);
	ASSERT_REPORTED((soon_future_fini(&future), 0), 0, "nobody has read", "in set_it at");
}

/* Cancel. */

FAKE_TEST(future, cancelled_waiter_leaves)
{
	SOON_GROUP(g);

	cr_assert_eq(soon_spawn(&g, wait_for_it, 0), 0);
	{
		SOON_GROUP(inner);
		cr_assert_eq(soon_spawn(&inner, wait_for_it, 0), 0);
		turn();
		cr_assert_eq(soon_spawn(&g, wait_for_it, 0), 0);
		turn();
		cr_assert_eq(soon_within(SOON_S(1), soon_future_wait(&future, NULL)), -ETIMEDOUT);
		cr_assert_eq(set_it(0), 0);
		soon_group_cancel(&inner, "too late: it has the result");
		cr_assert_eq(soon_group_close(&inner, 0), 0);
	}
	cr_assert_eq(soon_group_close(&g, 0), 0);
	cr_assert_str_eq(trace.text, "www");
	cr_assert_eq(IN_CANCELLED(soon_future_wait(&future, NULL)), -ECANCELED);
	cr_assert_eq(IN_CANCELLED(soon_future_poll(&future, NULL)), 0);
	soon_future_fini(&future);
}

FAKE_TEST(future, may_end_as_soon_as_one_has_the_result)
{
	SOON_GROUP(g);

	cr_assert_eq(soon_spawn(&g, wait_for_it, 0), 0);
	turn();
	cr_assert_eq(set_it(0), 0);
	soon_future_fini(&future); /* the waiter has not run yet, and needs it no more */
	memset(&future, 0x5a, sizeof future);
	soon_group_cancel(&g, "too late");
	cr_assert_eq(soon_group_close(&g, 0), 0);
	cr_assert_str_eq(trace.text, "w");
}

/* Threads. */

static void *set_in_thread(void *rc)
{
	cr_assert_eq(soon_future_set(&future, (int)(intptr_t)rc, 42), 0);
	return NULL;
}

FAKE_TEST(future, thread_sets_for_a_task)
{
	pthread_t thread;
	uint64_t value = 0;

	fake_hold();
	cr_assert_eq(pthread_create(&thread, NULL, set_in_thread, (void *)5), 0);
	cr_assert_eq(soon_future_wait(&future, &value), 5);
	cr_assert_eq(value, 42);
	cr_assert_eq(pthread_join(thread, NULL), 0);
	fake_release();
	soon_future_fini(&future);
}

static atomic_int woken;

static void *wait_in_thread(void *expected)
{
	uint64_t value = 0;

	cr_assert_eq(soon_future_wait(&future, &value), (int)(intptr_t)expected);
	cr_assert_eq(value, 42);
	atomic_fetch_add(&woken, 1);
	return NULL;
}

SOON_TEST_PLAIN(future, threads_wait_for_threads)
{
	pthread_t threads[4];

	for (size_t i = 0; i < 3; i++)
		cr_assert_eq(pthread_create(&threads[i], NULL, wait_in_thread, (void *)-EIO), 0);
	cr_assert_eq(pthread_create(&threads[3], NULL, set_in_thread, (void *)-EIO), 0);
	for (size_t i = 0; i < 4; i++)
		cr_assert_eq(pthread_join(threads[i], NULL), 0);
	cr_assert_eq(atomic_load(&woken), 3);
	soon_future_fini(&future);
}

static int wait_and_count(void *unused)
{
	(void)unused;
	return wait_for_it(9);
}

/* The task that runs the tests waits, and so do a thread and a task of another core. */
static void *run_other_core(void *unused)
{
	(void)unused;
	cr_assert_eq(FAKE_RUN(NULL, wait_and_count, NULL), 0);
	return NULL;
}

FAKE_TEST(future, cores_and_threads_wait_for_a_task)
{
	pthread_t threads[2];

	fake_hold();
	cr_assert_eq(pthread_create(&threads[0], NULL, run_other_core, NULL), 0);
	cr_assert_eq(pthread_create(&threads[1], NULL, wait_in_thread, (void *)9), 0);
	cr_assert_eq(set_it(9), 0);
	for (size_t i = 0; i < 2; i++)
		cr_assert_eq(pthread_join(threads[i], NULL), 0);
	cr_assert_eq(atomic_load(&woken), 1);
	fake_release();
	soon_future_fini(&future);
}

/* Where it may not block. */

static void wait_posted(soon_callback *callback)
{
	(void)callback;
	ASSERT_REPORTED(soon_future_wait(&future, NULL), -EDEADLK, "soon_future_wait", "callback");
	cr_assert_eq(soon_future_set(&future, 8, 0), 0);
	cr_assert_eq(soon_future_wait(&future, NULL), 8); /* nothing to wait for */
}

FAKE_TEST(future, callback_must_not_block_its_core)
{
	soon_callback callback = { .fn = wait_posted };

	cr_assert_eq(soon_post(soon_core_self(), &callback), 0);
	cr_assert_eq(soon_future_wait(&future, NULL), 8);
	soon_future_fini(&future);
}

static int fini_while_waited_task(void *unused)
{
	SOON_GROUP(g);

	(void)unused;
	(void)!soon_spawn(&g, wait_for_it, 0);
	(void)!soon_yield();
	soon_future_fini(&future);
	return (int)soon_group_close(&g, 0);
}

static void fini_while_waited(void)
{
	(void)FAKE_RUN(NULL, fini_while_waited_task, NULL);
}

SOON_TEST_PLAIN(future, ending_under_a_waiter_aborts)
{
	ASSERT_ABORTS(fini_while_waited, "somebody still waits");
}

/* Static ones serve one run after another. */

static int once(void *unused)
{
	(void)unused;
	cr_assert_eq(set_it(2), 0);
	cr_assert_eq(soon_future_wait(&future, NULL), 2);
	soon_future_fini(&future);
	return 0;
}

SOON_TEST_PLAIN(future, static_future_in_two_runs)
{
	cr_assert_eq(FAKE_RUN(NULL, once, NULL), 0);
	cr_assert_eq(FAKE_RUN(NULL, once, NULL), 0);
}

/* Under a thousand orders. */

enum { WAITERS = 12 };

struct world {
	uint64_t random;
	soon_future future;
	bool is_set;
	unsigned got, cancelled;
};

static int wait_randomly(struct world *w)
{
	uint64_t value = 0;
	ssize_t rc = soon_within((soon_ns)random_below(&w->random, 5) * SOON_MS(1),
		soon_future_wait(&w->future, &value));

	if (rc == -ETIMEDOUT) {
		cr_assert_eq(value, 0);
		w->cancelled++;
		return 0;
	}
	cr_assert_eq(rc, 11);
	cr_assert_eq(value, 12);
	cr_assert(w->is_set);
	w->got++;
	return 0;
}

static int set_sometime(struct world *w)
{
	cr_assert_eq(soon_sleep((soon_ns)random_below(&w->random, 5) * SOON_MS(1)), 0);
	w->is_set = true;
	return soon_future_set(&w->future, 11, 12);
}

static int all_at_once(struct world *w)
{
	SOON_GROUP(g);

	w->is_set = false;
	for (int i = 0; i < WAITERS; i++) {
		cr_assert_eq(soon_spawn(&g, wait_randomly, w), 0);
		if (i == WAITERS / 2)
			cr_assert_eq(soon_spawn(&g, set_sometime, w), 0);
	}
	cr_assert_eq(soon_group_close(&g, 0), 0);
	soon_future_fini(&w->future);
	return 0;
}

SOON_TEST_PLAIN(future, result_or_cancel_under_a_thousand_orders)
{
	struct world w = { 0 };

	FOR_SEEDS(&w, all_at_once);
	cr_assert_eq(w.got + w.cancelled, SEEDS * WAITERS);
	cr_assert_gt(w.got, SEEDS);
	cr_assert_gt(w.cancelled, SEEDS);
}

/* Forks. */

#ifdef SOON_VALGRIND
#define FORKS 10
#else
#define FORKS 200
#endif

static void *set_without_end(void *arg)
{
	static soon_future many[64];
	const atomic_bool *must_stop = arg;

	for (unsigned i = 0; !atomic_load(must_stop); i = (i + 1) % 64) {
		(void)soon_future_set(&many[i], 0, i);
		soon_future_fini(&many[i]);
	}
	return NULL;
}

static __attribute__((noreturn)) void set_in_child(void)
{
	static soon_future many[64];

	(void)alarm(30);
	for (unsigned i = 0; i < 64; i++) {
		(void)soon_future_set(&many[i], 0, i);
		soon_future_fini(&many[i]);
	}
	_exit(0);
}

/* The thread that had a lock at the fork is not there to give it back. */
FAKE_TEST(future, child_of_a_fork_may_set_its_own)
{
	static atomic_bool must_stop;
	pthread_t thread;
	int status = 0;

	cr_assert_eq(pthread_create(&thread, NULL, set_without_end, &must_stop), 0);
	for (int i = 0; i < FORKS && status == 0; i++) {
		pid_t pid = fork();

		if (pid == 0)
			set_in_child();
		cr_assert_eq(waitpid(pid, &status, 0), pid);
	}
	atomic_store(&must_stop, true);
	cr_assert_eq(pthread_join(thread, NULL), 0);
	cr_assert_eq(status, 0);
}

static void *wait_a_while(void *one)
{
	uint64_t value;

	cr_assert_eq(soon_future_wait_for(one, SOON_S(3600), &value), 3);
	cr_assert_eq(value, 4);
	return NULL;
}

/* With a time limit, a thread leaves the future as a cancelled task does. */
SOON_TEST_PLAIN(future, thread_waits_for_a_while)
{
	soon_future one = { 0 };
	uint64_t value = 7;
	pthread_t thread;

	cr_assert_eq(soon_future_wait_for(&one, 0, &value), -ETIMEDOUT);
	cr_assert_eq(soon_future_wait_for(&one, -1, &value), -ETIMEDOUT);
	cr_assert_eq(soon_future_wait_for(&one, SOON_US(50), &value), -ETIMEDOUT);
	cr_assert_eq(value, 7);
	cr_assert_not(soon_future_is_set(&one));
	soon_future_fini(&one); /* nobody waits any more */
	cr_assert_eq(pthread_create(&thread, NULL, wait_a_while, &one), 0);
	soon_future_set(&one, 3, 4);
	cr_assert_eq(pthread_join(thread, NULL), 0);
	cr_assert_eq(soon_future_wait_for(&one, -1, &value), 3);
	cr_assert_eq(value, 4);
	soon_future_fini(&one);
}

FAKE_TEST(future, task_waits_for_a_while)
{
	soon_future one = { 0 };
	soon_ns begin = soon_now();

	cr_assert_eq(soon_future_wait_for(&one, SOON_S(5), NULL), -ETIMEDOUT);
	cr_assert_eq(soon_now() - begin, SOON_S(5));
	soon_future_set(&one, 9, 0);
	cr_assert_eq(soon_future_wait_for(&one, 0, NULL), 9);
	soon_future_fini(&one);
}
