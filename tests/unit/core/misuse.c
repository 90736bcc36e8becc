// SPDX-License-Identifier: Apache-2.0
/* Misuse that would corrupt memory if it went on: it aborts, and says who did what. */
#include <soon/portal.h>

#include "core/spi/park.h"

#include "fake_test.h"

#include <support/death.h>

static int nothing(void *unused)
{
	(void)unused;
	return 0;
}

/* Runs a body as the main task; in the child of ASSERT_ABORTS. */
#define IN_TASK(name)                                                                              \
	static int name##_task(void *unused);                                                      \
	static void name(void)                                                                     \
	{                                                                                          \
		(void)FAKE_RUN(NULL, name##_task, NULL);                                           \
	}                                                                                          \
	static int name##_task(void *unused __attribute__((unused)))

IN_TASK(assert_fails)
{
	SOON_ASSERT(1 + 1 == 3);
	return 0;
}

SOON_TEST_PLAIN(misuse, failed_assertion_names_expression_function_and_task)
{
	ASSERT_ABORTS(assert_fails, "1 + 1 == 3");
	ASSERT_ABORTS(assert_fails, "assert_fails_task: assertion failed");
	ASSERT_ABORTS(assert_fails, "in task assert_fails_task");
}

static void group_outside(void)
{
	SOON_GROUP(g);
}

static void scope_outside(void)
{
	SOON_SCOPE(s);
}

static void idle_outside(void)
{
	SOON_IDLE {
	}
}

static void now_outside(void)
{
	(void)soon_now();
}

SOON_TEST_PLAIN(misuse, what_needs_a_task_aborts_outside)
{
	ASSERT_ABORTS(group_outside, "SOON_GROUP: must be called in a task");
	ASSERT_ABORTS(scope_outside, "SOON_SCOPE: must be called in a task");
	ASSERT_ABORTS(idle_outside, "SOON_IDLE: must be called in a task");
	ASSERT_ABORTS(now_outside, "soon_now");
}

IN_TASK(return_in_forked_child)
{
	int status;
	pid_t pid = fork();

	if (pid == 0)
		return 0;
	cr_assert_eq(waitpid(pid, &status, 0), pid);
	if (WIFSIGNALED(status))
		abort();
	return 0;
}

SOON_TEST_PLAIN(misuse, forked_child_must_not_return_from_its_task)
{
	ASSERT_ABORTS(return_in_forked_child, "returned in a forked child");
}

IN_TASK(suspend_in_forked_child)
{
	int status;
	pid_t pid = fork();

	if (pid == 0)
		_exit(soon_self() == NULL && soon_yield() == -EOWNERDEAD ? 7 : 8);
	cr_assert_eq(waitpid(pid, &status, 0), pid);
	cr_assert_eq(soon_yield(), 0);
	if (WIFEXITED(status) && WEXITSTATUS(status) == 7)
		abort();
	return 0;
}

SOON_TEST_PLAIN(misuse, forked_child_is_refused_and_the_parent_unharmed)
{
	ASSERT_ABORTS(suspend_in_forked_child, "was forked inside a run of its parent");
}

IN_TASK(shield_without_bound)
{
	SOON_SCOPE(s, .shield = true);
	return 0;
}

SOON_TEST_PLAIN(misuse, shield_needs_a_bound)
{
	ASSERT_ABORTS(shield_without_bound, "a shield needs a timeout or deadline");
}

IN_TASK(portal_without_a_close)
{
	static soon_portal portal;

	soon_portal_open(&portal);
	return 0;
}

SOON_TEST_PLAIN(misuse, portal_that_its_opener_leaves_open_aborts_with_its_place)
{
	ASSERT_ABORTS(
		portal_without_a_close, "'portal_without_a_close_task' returned with a scope");
	ASSERT_ABORTS(portal_without_a_close, "still open, opened at " __FILE__);
}

IN_TASK(policy_of_no_kind)
{
	SOON_GROUP(g, .policy = (soon_policy)9);
	return 0;
}

SOON_TEST_PLAIN(misuse, policy_that_is_not_there_aborts)
{
	ASSERT_ABORTS(policy_of_no_kind, "there is no policy 9");
}

IN_TASK(restart_without_supervision)
{
	SOON_GROUP(g, .restart = SOON_RESTART_ALWAYS);
	return 0;
}

SOON_TEST_PLAIN(misuse, restart_options_need_supervision)
{
	ASSERT_ABORTS(restart_without_supervision, "need the policy SOON_SUPERVISE");
}

IN_TASK(too_many_restarts)
{
	SOON_GROUP(g, .policy = SOON_SUPERVISE, .restarts_max = 1001);
	return 0;
}

SOON_TEST_PLAIN(misuse, restarts_have_a_limit)
{
	ASSERT_ABORTS(too_many_restarts, "is over 1000");
}

IN_TASK(close_outer_scope_first)
{
	SOON_SCOPE(outer);
	SOON_SCOPE(inner);

	return (int)soon_scope_close(&outer, 0);
}

IN_TASK(close_scope_twice)
{
	SOON_SCOPE(s);

	(void)!soon_scope_close(&s, 0);
	return (int)soon_scope_close(&s, 0);
}

IN_TASK(close_outer_group_first)
{
	SOON_GROUP(outer);
	SOON_GROUP(inner);

	return (int)soon_group_close(&outer, 0);
}

IN_TASK(close_group_over_scope)
{
	SOON_GROUP(g);
	SOON_SCOPE(s);

	return (int)soon_group_close(&g, 0);
}

IN_TASK(close_group_twice)
{
	SOON_GROUP(g);

	(void)!soon_group_close(&g, 0);
	return (int)soon_group_close(&g, 0);
}

SOON_TEST_PLAIN(misuse, closing_out_of_order_or_twice_aborts)
{
	ASSERT_ABORTS(close_outer_scope_first, "still open");
	ASSERT_ABORTS(close_scope_twice, "not open");
	ASSERT_ABORTS(close_outer_group_first, "still open");
	ASSERT_ABORTS(close_group_over_scope, "still open");
	ASSERT_ABORTS(close_group_twice, "closed already");
}

static int close_it(soon_group *group)
{
	return (int)soon_group_close(group, 0);
}

static int close_its_scope(soon_scope *scope)
{
	return (int)soon_scope_close(scope, 0);
}

IN_TASK(close_group_of_another)
{
	SOON_GROUP(g);

	(void)!soon_spawn(&g, close_it, &g);
	return (int)soon_group_close(&g, 0);
}

IN_TASK(close_scope_of_another)
{
	SOON_GROUP(g);
	SOON_SCOPE(s);

	(void)!soon_spawn(&g, close_its_scope, &s);
	return soon_sleep(SOON_S(1));
}

SOON_TEST_PLAIN(misuse, closing_what_another_task_opened_aborts)
{
	ASSERT_ABORTS(close_group_of_another, "belongs to task 'close_group_of_another_task'");
	ASSERT_ABORTS(close_scope_of_another,
		"opened by task 'close_scope_of_another_task' in task close_its_scope");
}

/* The macros close what they declare; this is what is left of those who go around them. */
IN_TASK(return_with_open_group)
{
	static const soon_site site = { __FILE__, __func__, "g", __LINE__ };
	static soon_group group;

	soon__group_open(&group, &(soon_group_opts){ 0 }, &site);
	return soon_spawn(&group, nothing, NULL);
}

SOON_TEST_PLAIN(misuse, returning_from_a_task_with_a_group_open_aborts)
{
	ASSERT_ABORTS(return_with_open_group, "return_with_open_group_task");
	ASSERT_ABORTS(return_with_open_group, "still open");
}

IN_TASK(unpark_twice)
{
	struct soon__wait wait = { .what = "test" };

	soon__unpark(&wait, 0);
	soon__unpark(&wait, 0);
	return 0;
}

SOON_TEST_PLAIN(misuse, unparking_twice_aborts)
{
	ASSERT_ABORTS(unpark_twice, "is_unparked");
}

IN_TASK(post_without_function)
{
	static soon_callback callback;

	return soon_post(soon_core_self(), &callback);
}

SOON_TEST_PLAIN(misuse, posting_a_callback_without_function_aborts)
{
	ASSERT_ABORTS(post_without_function, "fn != NULL");
}

/* Who asserts where it runs. */

static void assert_task_outside(void)
{
	SOON_ASSERT_TASK();
}

static void assert_core_outside(void)
{
	SOON_ASSERT_CORE();
}

static void assert_task_in_callback(soon_callback *unused)
{
	(void)unused;
	SOON_ASSERT_CORE();
	SOON_ASSERT_TASK();
}

IN_TASK(post_assertion)
{
	static soon_callback callback = { .fn = assert_task_in_callback };

	SOON_ASSERT_TASK();
	SOON_ASSERT_CORE();
	return soon_post(soon_core_self(), &callback);
}

SOON_TEST_PLAIN(misuse, asserting_where_it_runs)
{
	ASSERT_ABORTS(assert_task_outside, "assert_task_outside: must be called in a task");
	ASSERT_ABORTS(assert_core_outside, "assert_core_outside: must be called on a core's");
	ASSERT_ABORTS(post_assertion, "assert_task_in_callback: must be called in a task");
}

static int close_group(soon_group *group)
{
	return (int)soon_group_close(group, 0);
}

IN_TASK(close_in_what_is_deferred)
{
	SOON_GROUP(g);

	cr_assert_eq(soon_group_defer(&g, close_group, &g), 0);
	return (int)soon_group_close(&g, 0);
}

SOON_TEST_PLAIN(misuse, deferred_close_of_the_same_group)
{
	ASSERT_ABORTS(close_in_what_is_deferred, "group 'g' is closed already");
}

/* An abort inside the program's own sink still gets out. */

static int sink_that_fails(const soon_report *report, void *data)
{
	(void)data;
	SOON_ASSERT(report->rc == 12345);
	return 0;
}

static void fail_in_sink(void)
{
	soon_on_report(sink_that_fails, NULL);
	soon_report_file(SOON_REPORT_WARNING, 0, "anything");
}

SOON_TEST_PLAIN(misuse, assertion_in_the_sink_gets_out)
{
	ASSERT_ABORTS(fail_in_sink, "report->rc == 12345");
}
