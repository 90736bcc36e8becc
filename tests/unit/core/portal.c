// SPDX-License-Identifier: Apache-2.0
/* Portals: calls of threads under a task, for as long as that lets them in. */
#include <soon/mutex.h>
#include <soon/portal.h>

#include "sync_test.h"

#include <pthread.h>

static struct trace trace;
static soon_portal lasting; /* outlasts the tasks and threads of a test */

static int give(int value)
{
	cr_assert_not_null(soon_self());
	return value;
}

static int wait_for_cancel(int value)
{
	cr_assert_eq(soon_sleep_until(SOON_NEVER), -ECANCELED);
	trace_add(&trace, 'c');
	return value;
}

struct caller {
	soon_portal *portal;
	int rc;
	soon_future ended;
};

static void *call_in_thread(void *arg)
{
	struct caller *self = arg;
	int rc = soon_portal_call(self->portal, give, 1, SOON_NEVER);

	if (rc == 1)
		rc = soon_portal_call(self->portal, give, -EIO, SOON_NEVER);
	if (rc == -EIO)
		rc = soon_portal_call(self->portal, wait_for_cancel, -ECANCELED, 1);
	soon_future_set(&self->ended, rc == -ECANCELED ? 1 : rc, 0);
	return NULL;
}

FAKE_TEST(portal, threads_call_through_it)
{
	struct caller caller = { 0 };
	pthread_t thread;
	SOON_PORTAL(portal);

	fake_hold();
	caller.portal = &portal;
	cr_assert_eq(pthread_create(&thread, NULL, call_in_thread, &caller), 0);
	cr_assert_eq(soon_future_wait(&caller.ended, NULL), -ETIMEDOUT);
	cr_assert_eq(pthread_join(thread, NULL), 0);
	fake_release();
	cr_assert_eq(soon_portal_close(&portal, 6), 6); /* their failures are not the opener's */
	cr_assert_str_eq(trace.text, "c");
}

FAKE_TEST(portal, closed_one_refuses)
{
	soon_call call;

	cr_assert_eq(soon_portal_start(&lasting, give, 1, &call), -ESHUTDOWN);
	soon_portal_open(&lasting);
	cr_assert_eq(soon_portal_start(&lasting, give, 1, &call), 0);
	cr_assert_eq(soon_portal_close(&lasting, 0), 0); /* waits for what it let in */
	cr_assert_eq(soon_call_wait(&call, 0), 1);
	cr_assert_eq(soon_portal_start(&lasting, give, 1, &call), -ESHUTDOWN);
	soon_portal_open(&lasting);
	cr_assert_eq(soon_portal_start(&lasting, give, 2, &call), 0);
	cr_assert_eq(soon_call_wait(&call, SOON_NEVER), 2);
	cr_assert_eq(soon_portal_close(&lasting, 0), 0);
}

static void *cancel_in_thread(void *portal)
{
	soon_portal_cancel(portal, "from elsewhere");
	return NULL;
}

FAKE_TEST(portal, cancel_from_a_thread_is_refused_and_changes_nothing)
{
	soon_call call;
	pthread_t thread;
	SOON_PORTAL(portal);

	cr_assert_eq(pthread_create(&thread, NULL, cancel_in_thread, &portal), 0);
	cr_assert_eq(pthread_join(thread, NULL), 0);
	soon_test_reports_expected = 1;
	cr_assert_eq(soon_portal_start(&portal, give, 5, &call), 0);
	cr_assert_eq(soon_call_wait(&call, SOON_NEVER), 5);
	cr_assert_eq(soon_portal_close(&portal, 0), 0);
}

FAKE_TEST(portal, cancel_ends_what_is_in_flight)
{
	soon_call begun, waiting;
	SOON_PORTAL(portal);

	cr_assert_eq(soon_portal_start(&portal, wait_for_cancel, -ECANCELED, &begun), 0);
	cr_assert_eq(soon_sleep(1), 0);
	cr_assert_eq(soon_portal_start(&portal, wait_for_cancel, 8, &waiting), 0);
	soon_portal_cancel(&portal, "test");
	cr_assert_eq(soon_portal_start(&portal, give, 1, &begun), -ESHUTDOWN);
	cr_assert_eq(soon_portal_close(&portal, 0), 0);
	cr_assert_str_eq(trace.text, "cc"); /* both ran: the second to its first suspending call */
	cr_assert_eq(soon_call_wait(&waiting, 0), 8);
}

FAKE_TEST(portal, calls_are_under_the_openers_scopes)
{
	soon_call call;
	SOON_SCOPE(scope, .timeout = SOON_S(1));

	soon_portal_open(&lasting);
	cr_assert_eq(soon_portal_start(&lasting, wait_for_cancel, -ECANCELED, &call), 0);
	cr_assert_eq(soon_portal_close(&lasting, 0), -ECANCELED);
	cr_assert_eq(soon_scope_close(&scope, -ECANCELED), -ETIMEDOUT);
	cr_assert_eq(soon_call_wait(&call, 0), -ESHUTDOWN);
}

FAKE_TEST(portal, own_core_may_not_block_on_it)
{
	SOON_PORTAL(portal);

	ASSERT_REPORTED(
		soon_portal_call(&portal, give, 1, SOON_NEVER), -EDEADLK, "give", "soon_call_on");
	cr_assert_eq(soon_portal_close(&portal, 0), 0);
}

static int leave(soon_call *call)
{
	SOON_PORTAL(portal);

	return soon_portal_start(&portal, wait_for_cancel, 5, call);
}

FAKE_TEST(portal, left_open_is_reported_with_its_place)
{
	soon_call call;

	ASSERT_REPORTED(leave(&call), 0, "portal.c", "left without");
	cr_assert_eq(soon_call_wait(&call, 0), 5);
}

/* An idle core with an open portal is not deadlocked: a thread may come. */

static soon_task *waiter;
static soon_mutex mutex;

static int cancel_waiter(soon_task *task)
{
	soon_task_cancel(task, "from a thread");
	return 0;
}

static int lock_for_ever(void *unused)
{
	(void)unused;
	return soon_mutex_lock(&mutex);
}

static void *end_the_wait(void *unused)
{
	(void)unused;
	cr_assert_eq(soon_portal_call(&lasting, cancel_waiter, waiter, SOON_NEVER), 0);
	return NULL;
}

static int wait_for_ever(bool has_portal)
{
	soon_task_opts opts = { .ret_task = &waiter };
	pthread_t thread;
	int rc;

	if (has_portal) {
		fake_hold();
		soon_portal_open(&lasting);
	}
	cr_assert_eq(soon_mutex_lock(&mutex), 0);
	{
		SOON_GROUP(g);

		cr_assert_eq(soon_spawn_with(&g, &opts, lock_for_ever, NULL), 0);
		if (has_portal)
			cr_assert_eq(pthread_create(&thread, NULL, end_the_wait, NULL), 0);
		rc = (int)soon_group_close(&g, 0);
	}
	soon_mutex_unlock(&mutex);
	if (!has_portal)
		return rc;
	cr_assert_eq(pthread_join(thread, NULL), 0);
	fake_release();
	return (int)soon_portal_close(&lasting, rc);
}

SOON_TEST_PLAIN(portal, open_one_is_a_reason_to_wait)
{
	cr_assert_eq(FAKE_RUN(NULL, wait_for_ever, true), 0);
}

SOON_TEST_PLAIN(portal, without_one_the_proof_stands)
{
	cr_assert_eq(FAKE_RUN(NULL, wait_for_ever, false), -EDEADLK);
	soon_test_reports_expected = 1;
}
