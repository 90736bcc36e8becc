// SPDX-License-Identifier: Apache-2.0
/*
 * Each allocation of calls from elsewhere, tokens, portals and offloaded calls may fail: what was
 * accepted still runs or says why not, and no argument is lost.
 */
#include <soon/calls.h>
#include <soon/mem.h>
#include <soon/offload.h>
#include <soon/portal.h>

#include "fake_test.h"

#include <semaphore.h>
#include <stdatomic.h>

/*
 * Runs a body with its k-th allocation failing, for each k that there is; returns how many. What is
 * allocated once a process has been by a run before.
 */
static uint64_t fail_each(int (*body)(void *))
{
	uint64_t k = 0, asked;
	int rc;

	cr_assert_eq(FAKE_RUN(NULL, body, NULL), 0);
	do {
		soon_mem_fail_at(++k);
		asked = soon_mem_count();
		rc = FAKE_RUN(NULL, body, NULL);
		asked = soon_mem_count() - asked;
		soon_mem_fail_at(0);
		cr_assert_eq(rc, 0, "k %ju: %d", (uintmax_t)k, rc);
		cr_assert_lt(k, 100);
	} while (asked >= k);
	return k - 1;
}

/* A refusal for want of memory, and then nothing has run; or all went as ever. */
static bool is_clean(int rc, int expected, unsigned ran)
{
	return rc == expected ? ran == 1 : rc == -ENOMEM && ran == 0;
}

static int fail_with_message(unsigned *ran)
{
	++*ran;
	return soon_fail(-EIO, "run %u", *ran);
}

static int call_own_core(void *unused)
{
	soon_core *core = soon_core_self();
	unsigned ran = 0;
	soon_call call;
	int rc;

	(void)unused;
	cr_assert_eq(soon_call_start(core, fail_with_message, &ran, &call), 0);
	rc = soon_call_wait(&call, SOON_NEVER);
	cr_assert(is_clean(rc, -EIO, ran), "%d", rc);
	ran = 0;
	rc = soon_call_on(core, fail_with_message, &ran);
	cr_assert(is_clean(rc, -EIO, ran), "%d", rc);
	return 0;
}

SOON_TEST_PLAIN(fault_calls, calls_and_their_messages)
{
	cr_assert_geq(fail_each(call_own_core), 2);
}

static int call_through_a_portal(void *unused)
{
	unsigned ran = 0;
	soon_call call;
	int rc;
	SOON_PORTAL(portal);

	(void)unused;
	cr_assert_eq(soon_portal_start(&portal, fail_with_message, &ran, &call), 0);
	cr_assert_eq(soon_portal_close(&portal, 0), 0);
	cr_assert(soon_call_is_done(&call));
	rc = soon_call_wait(&call, 0);
	cr_assert(is_clean(rc, -EIO, ran), "%d", rc);
	cr_assert_eq(soon_portal_start(&portal, fail_with_message, &ran, &call), -ESHUTDOWN);
	return 0;
}

SOON_TEST_PLAIN(fault_calls, portals)
{
	cr_assert_geq(fail_each(call_through_a_portal), 1);
}

enum { SCOPES = 100 };

/* Their table grows under open ones; the record of a core keeps it, so it is there once only. */
static int name_many_scopes(unsigned *refused)
{
	soon_scope scopes[SCOPES];
	soon_token tokens[SCOPES];

	for (int i = 0; i < SCOPES; i++) {
		int rc;

		soon__within_open(&scopes[i], SOON_NEVER);
		soon_mem_fail_at(1);
		rc = soon_scope_token(&scopes[i], &tokens[i]);
		soon_mem_fail_at(0);
		if (rc == -ENOMEM) {
			++*refused;
			rc = soon_scope_token(&scopes[i], &tokens[i]);
		}
		cr_assert_eq(rc, 0);
	}
	/* Those from before a growth that failed name the same as ever. */
	cr_assert_eq(soon_cancel_from(soon_core_self(), tokens[1], "by token"), 0);
	cr_assert_eq(soon_sleep(SOON_S(1)), -ECANCELED);
	for (int i = SCOPES; i-- > 0;)
		cr_assert_eq(soon_scope_close(&scopes[i], -ECANCELED), i == 1 ? 0 : -ECANCELED);
	return 0;
}

SOON_TEST_PLAIN(fault_calls, tokens)
{
	unsigned refused = 0;

	cr_assert_eq(FAKE_RUN(NULL, name_many_scopes, &refused), 0);
	cr_assert_geq(refused, 2);
}

/* A waiter's room is its own frame: nothing of a future may fail. */

static int wait_for_three(soon_future *future)
{
	uint64_t value = 0;

	cr_assert_eq(soon_future_wait_for(future, SOON_S(1), &value), 3);
	cr_assert_eq(value, 4);
	return 0;
}

static int wait_in_three_tasks(void *unused)
{
	soon_future future = { 0 };
	SOON_GROUP(g);

	(void)unused;
	for (int i = 0; i < 3; i++)
		cr_assert_eq(soon_spawn(&g, wait_for_three, &future), 0);
	cr_assert_eq(soon_yield(), 0);
	cr_assert_eq(soon_future_set(&future, 3, 4), 0);
	cr_assert_eq(soon_group_close(&g, 0), 0);
	soon_future_fini(&future);
	return 0;
}

SOON_TEST_PLAIN(fault_calls, futures)
{
	(void)fail_each(wait_in_three_tasks);
}

/* A thread's way back: into its host, and, when that has left, into a task of its own. */

struct visit {
	sem_t begun, go, returned;
	atomic_uint ran, dropped, visits;
	int reenter_rc;
	int rc;
	bool has_ended;
};

static int visit_host(struct visit *visit)
{
	atomic_fetch_add(&visit->visits, 1);
	return soon_fail(-EIO, "in the task");
}

static int come_back(struct visit *visit)
{
	atomic_fetch_add(&visit->ran, 1);
	sem_post(&visit->begun);
	while (sem_wait(&visit->go) != 0)
		continue;
	visit->reenter_rc = soon_reenter(visit_host, visit);
	return 5;
}

static void drop(struct visit *visit)
{
	atomic_fetch_add(&visit->dropped, 1);
	sem_post(&visit->returned);
}

static int detach_visit(struct visit *visit)
{
	visit->rc = soon_offload_detach(come_back, visit, drop);
	visit->has_ended = true;
	return 0;
}

static void visit_init(struct visit *visit)
{
	*visit = (struct visit){ 0 };
	cr_assert_eq(sem_init(&visit->begun, 0, 0), 0);
	cr_assert_eq(sem_init(&visit->go, 0, 0), 0);
	cr_assert_eq(sem_init(&visit->returned, 0, 0), 0);
}

static bool is_refusal(int rc)
{
	return rc == -ENOMEM || rc == -EAGAIN;
}

/* Who waits is visited; no thread, and nothing has happened. */
static void visit_who_waits(struct visit *visit)
{
	visit_init(visit);
	sem_post(&visit->go);
	cr_assert_eq(detach_visit(visit), 0);
	cr_assert_eq(visit->dropped, 0);
	if (visit->rc == 5) {
		cr_assert_eq(visit->ran, 1);
		cr_assert_eq(visit->visits, 1);
		cr_assert_eq(visit->reenter_rc, -EIO);
	} else {
		cr_assert(is_refusal(visit->rc), "%d", visit->rc);
		cr_assert_eq(visit->ran, 0);
	}
}

/* Who left is not: the argument is dropped once, by whatever way. */
static void visit_who_left(struct visit *visit)
{
	SOON_GROUP(g);

	visit_init(visit);
	cr_assert_eq(soon_spawn(&g, detach_visit, visit), 0);
	while (!visit->has_ended && sem_trywait(&visit->begun) != 0)
		cr_assert_eq(soon_yield(), 0);
	soon_group_cancel(&g, "enough");
	cr_assert_eq(soon_group_close(&g, 0), 0);
	if (visit->rc != -ECANCELED) {
		cr_assert(is_refusal(visit->rc), "%d", visit->rc);
		cr_assert_eq(visit->ran + visit->dropped, 0);
		return;
	}
	sem_post(&visit->go);
	while (sem_trywait(&visit->returned) != 0)
		cr_assert_eq(soon_yield(), 0);
	cr_assert_eq(visit->dropped, 1);
	cr_assert_eq(visit->ran, 1);
	if (visit->reenter_rc == -EIO)
		cr_assert_eq(visit->visits, 1);
	else
		cr_assert(is_refusal(visit->reenter_rc) && visit->visits == 0, "%d",
			visit->reenter_rc);
}

static int visit_both(void *unused)
{
	static struct visit waits, left;

	(void)unused;
	fake_hold();
	visit_who_waits(&waits);
	visit_who_left(&left);
	fake_release();
	return 0;
}

SOON_TEST_PLAIN(fault_calls, detached_calls_and_their_way_back)
{
	cr_assert_geq(fail_each(visit_both), 4);
}
