// SPDX-License-Identifier: Apache-2.0
/* Calls from elsewhere: whose they are, how they end, and what the caller is told. */
#include <soon/calls.h>

#include "sync_test.h"

#include <pthread.h>

static struct trace trace;

static int give(int value)
{
	cr_assert_not_null(soon_self());
	return value;
}

static int wait_for_cancel(int value)
{
	int rc = soon_sleep_until(SOON_NEVER);

	trace_add(&trace, 'c');
	cr_assert_eq(rc, -ECANCELED);
	return value;
}

/* What a thread does to the core, and what it expects of it. */
struct caller {
	soon_core *core;
	int (*fn)(int value);
	int value;
	soon_ns timeout;
	int rc;
	soon_future ended;
};

static void *call_in_thread(void *arg)
{
	struct caller *self = arg;

	self->rc = soon_call(self->core, self->fn, self->value, self->timeout);
	soon_future_set(&self->ended, 0, 0);
	return NULL;
}

static int run_caller(struct caller *caller)
{
	pthread_t thread;

	fake_hold();
	caller->core = soon_core_self();
	cr_assert_eq(pthread_create(&thread, NULL, call_in_thread, caller), 0);
	cr_assert_eq(soon_future_wait(&caller->ended, NULL), 0);
	cr_assert_eq(pthread_join(thread, NULL), 0);
	fake_release();
	return caller->rc;
}

FAKE_TEST(calls, thread_gets_the_result)
{
	struct caller caller = { .fn = give, .value = 42, .timeout = SOON_NEVER };

	cr_assert_eq(run_caller(&caller), 42);
}

FAKE_TEST(calls, failure_is_the_callers_only)
{
	struct caller caller = { .fn = give, .value = -ENOENT, .timeout = SOON_S(3600) };

	cr_assert_eq(run_caller(&caller), -ENOENT);
}

FAKE_TEST(calls, timeout_cancels_and_waits)
{
	struct caller caller = { .fn = wait_for_cancel, .value = -ECANCELED, .timeout = 1 };

	cr_assert_eq(run_caller(&caller), -ETIMEDOUT);
	cr_assert_str_eq(trace.text, "c");
}

FAKE_TEST(calls, completion_wins_over_timeout)
{
	struct caller caller = { .fn = wait_for_cancel, .value = 7, .timeout = 1 };

	cr_assert_eq(run_caller(&caller), 7);
	cr_assert_str_eq(trace.text, "c");
}

/* The function does not suspend, so no cancel can change what it gives. */
static void *call_in_a_hurry(void *arg)
{
	struct caller *self = arg;

	for (int i = 0; i < 500 && self->rc == 0; i++) {
		int rc = soon_call(self->core, give, 42, SOON_US(i % 40));

		self->rc = rc == 42 ? 0 : rc;
	}
	soon_future_set(&self->ended, 0, 0);
	return NULL;
}

FAKE_TEST(calls, result_that_comes_with_the_timeout_is_given)
{
	struct caller caller = { .core = soon_core_self() };
	pthread_t thread;

	fake_hold();
	cr_assert_eq(pthread_create(&thread, NULL, call_in_a_hurry, &caller), 0);
	cr_assert_eq(soon_future_wait(&caller.ended, NULL), 0);
	cr_assert_eq(pthread_join(thread, NULL), 0);
	fake_release();
	cr_assert_eq(caller.rc, 0);
}

static void call_in_callback(soon_callback *unused)
{
	(void)unused;
	ASSERT_REPORTED(
		soon_call(soon_core_self(), give, 1, SOON_NEVER), -EDEADLK, "give", "soon_call_on");
}

FAKE_TEST(calls, of_the_own_core_would_never_end)
{
	soon_callback callback = { .fn = call_in_callback };

	ASSERT_REPORTED(
		soon_call(soon_core_self(), give, 1, SOON_NEVER), -EDEADLK, "give", "soon_call_on");
	cr_assert_eq(soon_post(soon_core_self(), &callback), 0);
	cr_assert_eq(soon_sleep(1), 0);
}

/* In two steps, which a task may take for its own core. */

FAKE_TEST(calls, in_two_steps)
{
	soon_call call;

	cr_assert_eq(soon_call_start(soon_core_self(), give, 5, &call), 0);
	cr_assert_not(soon_call_is_done(&call));
	cr_assert_eq(soon_call_wait(&call, 0), -ETIMEDOUT);
	cr_assert_eq(soon_call_wait(&call, SOON_NEVER), 5);
	cr_assert(soon_call_is_done(&call));
	cr_assert_null(soon_call_message(&call));
	soon_call_cancel(&call);
	cr_assert_eq(soon_call_wait(&call, 0), 5);
}

static int fail_with_message(int value)
{
	return soon_fail(value, "value %d", value);
}

FAKE_TEST(calls, message_comes_along)
{
	soon_call call;

	cr_assert_eq(soon_call_start(soon_core_self(), fail_with_message, -EIO, &call), 0);
	cr_assert_null(soon_call_message(&call));
	cr_assert_eq(soon_call_wait(&call, SOON_NEVER), -EIO);
	cr_assert_str_eq(soon_call_message(&call), "value -5");
	cr_assert_eq(soon_call_on(soon_core_self(), fail_with_message, -EINVAL), -EINVAL);
	cr_assert_str_eq(soon_fail_message(), "value -22");
}

FAKE_TEST(calls, cancelled_one_is_told_apart)
{
	soon_call call;

	cr_assert_eq(soon_call_start(soon_core_self(), wait_for_cancel, -ECANCELED, &call), 0);
	cr_assert_eq(soon_sleep(1), 0);
	soon_call_cancel(&call);
	soon_call_cancel(&call);
	cr_assert_eq(soon_call_wait(&call, SOON_NEVER), -EINTR);
	cr_assert_str_eq(trace.text, "c");
}

/* It runs all the same, to its first suspending call: what it was given is its own. */
FAKE_TEST(calls, cancelled_before_it_began)
{
	soon_call call;

	cr_assert_eq(soon_call_start(soon_core_self(), wait_for_cancel, 3, &call), 0);
	soon_call_cancel(&call);
	cr_assert_eq(soon_call_wait(&call, SOON_NEVER), 3);
	cr_assert_str_eq(trace.text, "c");
}

FAKE_TEST(calls, stray_cancel_is_an_error)
{
	soon_call call;

	cr_assert_eq(soon_call_start(soon_core_self(), give, -ECANCELED, &call), 0);
	ASSERT_REPORTED(soon_call_wait(&call, SOON_NEVER), -EIO, "give", "nobody cancelled");
}

/* The end of the run. */

static soon_call late;
static soon_core *past_core;

static int start_and_leave(int value)
{
	past_core = soon_core_self();
	return soon_call_start(past_core, wait_for_cancel, value, &late);
}

static int start_run_and_leave(int value)
{
	int rc = start_and_leave(value);

	return rc < 0 ? rc : soon_sleep(1);
}

SOON_TEST_PLAIN(calls, running_one_is_cancelled_at_the_end)
{
	cr_assert_eq(FAKE_RUN(NULL, start_run_and_leave, -ECANCELED), 0);
	cr_assert_eq(soon_call_wait(&late, SOON_NEVER), -ESHUTDOWN);
	cr_assert_str_eq(trace.text, "c");
}

SOON_TEST_PLAIN(calls, its_result_is_delivered_at_the_end)
{
	cr_assert_eq(FAKE_RUN(NULL, start_run_and_leave, 9), 0);
	cr_assert_eq(soon_call_wait(&late, SOON_NEVER), 9);
}

SOON_TEST_PLAIN(calls, one_that_comes_after_main_never_runs)
{
	soon_call call;

	cr_assert_eq(FAKE_RUN(NULL, start_and_leave, 9), 0);
	cr_assert_eq(soon_call_wait(&late, SOON_NEVER), -ESHUTDOWN);
	soon_call_cancel(&late);
	cr_assert_str_eq(trace.text, "");
	cr_assert_eq(soon_call_start(past_core, give, 1, &call), -ESHUTDOWN);
	cr_assert_eq(soon_call(past_core, give, 1, SOON_NEVER), -ESHUTDOWN);
}

/* Where there is no stack. */

static int call_without_stack(void *unused)
{
	int rc = soon_call_on(soon_core_self(), give, 1);

	(void)unused;
	cr_assert(rc == -ENOMEM || rc == -EAGAIN, "%d", rc);
	return 0;
}

SOON_TEST_PLAIN(calls, caller_learns_that_there_is_no_stack)
{
	const soon_opts run = { .tasks_max = 1 };
	const struct fake_opts opts = { .run = &run };

	cr_assert_eq(FAKE_RUN(&opts, call_without_stack, NULL), 0);
}

/* Of tasks. */

FAKE_TEST(calls, on_the_own_core_is_another_task)
{
	cr_assert_eq(soon_call_on(soon_core_self(), give, 11), 11);
	cr_assert_eq(soon_call_on(soon_core_self(), give, -EPIPE), -EPIPE);
}

FAKE_TEST(calls, cancel_of_the_caller_travels)
{
	soon_core *core = soon_core_self();

	cr_assert_eq(soon_within(SOON_S(1), soon_call_on(core, wait_for_cancel, -ECANCELED)),
		-ETIMEDOUT);
	cr_assert_eq(soon_within(SOON_S(1), soon_call_on(core, wait_for_cancel, 4)), 4);
	cr_assert_str_eq(trace.text, "cc");
}

FAKE_TEST(calls, cancelled_caller_calls_nothing)
{
	SOON_SCOPE(scope);

	soon_scope_cancel(&scope, "test");
	cr_assert_eq(soon_call_on(soon_core_self(), wait_for_cancel, 4), -ECANCELED);
	cr_assert_eq(soon_scope_close(&scope, -ECANCELED), 0);
	cr_assert_str_eq(trace.text, "");
}

/* Idle first, so that a drain ends it; then busy, until the grace is over. */
static int idle_then_busy(int value)
{
	int rc = 0;

	SOON_IDLE {
		rc = soon_sleep_until(SOON_NEVER);
	}
	cr_assert_eq(rc, -ECANCELED);
	trace_add(&trace, 'd');
	return wait_for_cancel(value);
}

static int call_idle(int value)
{
	int rc = soon_call_on(soon_core_self(), idle_then_busy, value);

	trace_add(&trace, 'r');
	return rc;
}

FAKE_TEST(calls, drain_of_the_caller_travels_and_so_does_its_end)
{
	SOON_GROUP(g);

	cr_assert_eq(soon_spawn(&g, call_idle, -ECANCELED), 0);
	cr_assert_eq(soon_sleep(SOON_S(1)), 0);
	soon_group_drain(&g, SOON_S(10));
	cr_assert_eq(soon_sleep(SOON_S(1)), 0);
	cr_assert_str_eq(trace.text, "d");
	cr_assert_eq(soon_group_close(&g, 0), 0);
	cr_assert_str_eq(trace.text, "dcr");
}

static int idle_only(int unused)
{
	int rc = 0;

	(void)unused;
	SOON_IDLE {
		rc = soon_sleep_until(SOON_NEVER);
	}
	return rc;
}

static int call_idle_only(int *rc)
{
	*rc = soon_call_on(soon_core_self(), idle_only, 0);
	return *rc;
}

FAKE_TEST(calls, one_that_a_drain_has_ended_was_not_shut_down)
{
	int rc = 0;
	SOON_GROUP(g);

	cr_assert_eq(soon_spawn(&g, call_idle_only, &rc), 0);
	cr_assert_eq(soon_sleep(SOON_S(1)), 0);
	soon_group_drain(&g, SOON_S(10));
	cr_assert_eq(soon_group_close(&g, 0), 0);
	cr_assert_eq(rc, -ECANCELED);
}

FAKE_TEST(calls, draining_caller_asks_for_a_draining_task)
{
	SOON_GROUP(g);

	soon_group_drain(&g, SOON_S(10));
	cr_assert_eq(soon_spawn(&g, call_idle, -ECANCELED), 0);
	cr_assert_eq(soon_sleep(SOON_S(1)), 0);
	cr_assert_str_eq(trace.text, "d");
	cr_assert_eq(soon_group_close(&g, 0), 0);
	cr_assert_str_eq(trace.text, "dcr");
}

/* Tokens. */

FAKE_TEST(calls, token_cancels_its_scope)
{
	soon_token token, same;
	SOON_SCOPE(scope);

	cr_assert_eq(soon_scope_token(&scope, &token), 0);
	cr_assert_eq(soon_scope_token(&scope, &same), 0);
	cr_assert_eq(memcmp(&token, &same, sizeof token), 0);
	cr_assert_eq(soon_cancel_from(soon_core_self(), token, "from afar"), 0);
	cr_assert_eq(soon_sleep(SOON_S(1)), -ECANCELED);
	cr_assert_str_eq(soon_cancel_reason().why, "from afar");
	cr_assert_eq(soon_scope_close(&scope, -ECANCELED), 0);
	cr_assert_eq(soon_scope_token(&scope, &token), -EINVAL);
}

static soon_token scope_of_the_past(void)
{
	soon_token token;
	SOON_SCOPE(scope);

	cr_assert_eq(soon_scope_token(&scope, &token), 0);
	cr_assert_eq(soon_scope_close(&scope, 0), 0);
	return token;
}

FAKE_TEST(calls, late_token_names_nothing)
{
	soon_core *core = soon_core_self();
	soon_token old = scope_of_the_past(), token;
	SOON_GROUP(g);

	cr_assert_eq(soon_group_token(&g, &token), 0); /* in the same place */
	cr_assert_eq(token.soon__index, old.soon__index);
	cr_assert_eq(soon_cancel_from(core, old, "too late"), 0);
	cr_assert_eq(soon_cancel_from(core, (soon_token){ 0 }, "nothing"), 0);
	cr_assert_eq(soon_cancel_from(core, ((soon_token){ 123456, 1 }), "nothing"), 0);
	cr_assert_eq(soon_sleep(SOON_S(1)), 0);
	/* The later one counts, in whatever order they are asked for. */
	cr_assert_eq(soon_cancel_from(core, token, "now"), 0);
	cr_assert_eq(soon_cancel_from(core, old, "too late"), 0);
	cr_assert_eq(soon_sleep(SOON_S(1)), -ECANCELED);
	cr_assert_str_eq(soon_cancel_reason().why, "now");
	cr_assert_eq(soon_group_close(&g, -ECANCELED), 0);
}

enum { SCOPES = 100 };

static int nest(void *unused)
{
	soon_scope scopes[SCOPES];
	soon_token tokens[SCOPES];

	(void)unused;
	for (int i = 0; i < SCOPES; i++) {
		soon__within_open(&scopes[i], SOON_NEVER);
		cr_assert_eq(soon_scope_token(&scopes[i], &tokens[i]), 0);
	}
	cr_assert_eq(soon_cancel_from(soon_core_self(), tokens[SCOPES / 2], "half-way"), 0);
	cr_assert_eq(soon_sleep(SOON_S(1)), -ECANCELED);
	for (int i = SCOPES; i-- > 0;)
		cr_assert_eq(soon_scope_close(&scopes[i], -ECANCELED),
			i > SCOPES / 2            ? -ECANCELED
				: i == SCOPES / 2 ? 0
						  : -ECANCELED);
	return 0;
}

SOON_TEST_PLAIN(calls, many_scopes_have_tokens)
{
	cr_assert_eq(FAKE_RUN(NULL, nest, NULL), 0);
	cr_assert_eq(FAKE_RUN(NULL, nest, NULL), 0);
}
