// SPDX-License-Identifier: Apache-2.0
/* run.c: what a run keeps outside its main task, and in which order it ends. */
#include <soon/dump.h>

#include "core.h"
#include "fake_test.h"
#include "handle.h"

#include <string.h>
#include <unistd.h>

/* Starts a task as a call from elsewhere does; `ret_task` may be NULL. */
#define CALL(fn, arg, ret_task)                                                                    \
	__extension__({                                                                            \
		SOON__SITE(#fn);                                                                   \
		call(SOON__CALL(fn, arg), &soon__site, ret_task);                                  \
	})

static void call(soon__fn fn, uint64_t arg, const soon_site *site, soon_task **ret_task)
{
	soon_task_opts opts = { .ret_task = ret_task };
	soon_task *task;

	cr_assert_eq(soon__task_make(&soon__core->calls, &opts, 0, &task), 0);
	soon__task_launch(task, &soon__core->calls, fn, arg, site);
	if (ret_task)
		*ret_task = soon__handle_of(task);
}

static int give(int rc)
{
	return rc;
}

FAKE_TEST(run, the_failure_of_a_call_is_its_caller_s)
{
	soon_task *task;
	int rc;

	CALL(give, -EIO, &task);
	cr_assert_eq(soon_yield(), 0);
	cr_assert_eq(soon_join(task, &rc), 0);
	cr_assert_eq(rc, -EIO);
	cr_assert_eq(soon__core->calls.failure_count, 0);
	cr_assert_null(soon__core->calls.failures);
}

static int sleep_on(int *ret_rc)
{
	*ret_rc = soon_sleep(SOON_NEVER);
	cr_assert_eq(soon_shielded(SOON_NEVER, soon_sleep(SOON_S(2))), 0);
	return *ret_rc;
}

static int leave_a_call(int *saw)
{
	CALL(sleep_on, saw, NULL);
	return soon_yield() < 0 ? -EPROTO : 5;
}

SOON_TEST_PLAIN(run, waits_for_calls_which_are_cancelled_when_main_ends)
{
	int saw = 0;

	cr_assert_eq(FAKE_RUN(NULL, leave_a_call, &saw), 5);
	cr_assert_eq(saw, -ECANCELED);
}

FAKE_TEST(run, a_dump_shows_calls_under_their_own_group)
{
	int saw = 0, pipe_fds[2];
	char text[8192];
	ssize_t n;

	CALL(sleep_on, &saw, NULL);
	cr_assert_eq(soon_yield(), 0);
	cr_assert_eq(pipe(pipe_fds), 0);
	cr_assert_eq(soon_dump(pipe_fds[1], SOON_DUMP_NO_STACKS), 0);
	n = read(pipe_fds[0], text, sizeof text - 1);
	cr_assert_gt(n, 0);
	text[n] = '\0';
	cr_assert_not_null(
		strstr(text, "\ngroup 'calls': wait all, 1 live\n  'sleep_on' #2: parked"));
	(void)close(pipe_fds[0]);
	(void)close(pipe_fds[1]);
	soon__scope_mark(
		&soon__core->calls.scope, SOON__CANCELLED, SOON_CANCEL_EXPLICIT, "seen", NULL);
	cr_assert_eq(soon_sleep(SOON_S(3)), 0);
	cr_assert_eq(saw, -ECANCELED);
}

/* Two that wait for each other, one of them a call: both are cancelled. */
static int wait_for(soon_task **other)
{
	int rc = soon_join(*other, NULL);

	return rc == -ECANCELED ? rc : -EPROTO;
}

static int knot(void *unused)
{
	static soon_task *here, *there;

	(void)unused;
	here = soon_self();
	CALL(wait_for, &here, &there);
	return wait_for(&there);
}

SOON_TEST_PLAIN(run, a_deadlock_with_a_call_is_broken)
{
	cr_assert_eq(FAKE_RUN(NULL, knot, NULL), -EDEADLK);
	soon_test_reports_expected = 1;
}
