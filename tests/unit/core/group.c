// SPDX-License-Identifier: Apache-2.0
/* Groups: who runs, who is cancelled, and the one result of all. */
#include <soon/group.h>

#include "fake_test.h"

#include <string.h>

/* A task that sleeps and then gives a result. */
struct part {
	soon_ns duration;
	int rc;
	int saw; /* of the sleep */
	int ran; /* times begun */
	const char *message;
};

static int play(struct part *self)
{
	self->ran++;
	self->saw = soon_sleep(self->duration);
	if (self->saw < 0)
		return self->saw;
	return self->message != NULL ? soon_fail(self->rc, "%s", self->message) : self->rc;
}

/* Life. */

FAKE_TEST(group, empty_one_closes_with_a_turn_for_others)
{
	struct part other = { 0 };
	SOON_GROUP(outer);
	SOON_GROUP(empty);

	cr_assert_eq(soon_spawn(&outer, play, &other), 0);
	cr_assert_eq(soon_group_close(&empty, 0), 0);
	cr_assert_eq(other.ran, 1);
	cr_assert_eq(soon_group_close(&outer, 0), 0);
}

FAKE_TEST(group, close_of_an_empty_one_is_no_cancellation_point)
{
	SOON_SCOPE(s);
	SOON_GROUP(g);

	cr_assert_eq(soon_group_close(&g, 5), 5);
	cr_assert_eq(soon_scope_close(&s, 0), 0);
}

FAKE_TEST(group, close_waits_for_all)
{
	struct part parts[3] = { { .duration = SOON_S(3) }, { .duration = SOON_S(1) },
		{ .duration = SOON_S(2), .rc = 9 } };
	soon_ns start = soon_now();
	SOON_GROUP(g);

	for (int i = 0; i < 3; i++)
		cr_assert_eq(soon_spawn(&g, play, &parts[i]), 0);
	cr_assert_eq(soon_group_live(&g), 3);
	cr_assert_eq(soon_group_close(&g, 42), 42);
	cr_assert_eq(soon_group_live(&g), 0);
	cr_assert_eq(soon_now() - start, SOON_S(3));
}

FAKE_TEST(group, spawn_into_a_closed_one_is_refused)
{
	struct part part = { 0 };
	SOON_GROUP(g);

	cr_assert_eq(soon_group_close(&g, 0), 0);
	cr_assert_eq(soon_spawn(&g, play, &part), -ESHUTDOWN);
	cr_assert_eq(soon_yield(), 0);
	cr_assert_eq(part.ran, 0);
}

/* Accepted means that it runs: it meets the cancel at its first cancellation point. */
FAKE_TEST(group, spawn_into_a_cancelled_one_runs)
{
	struct part part = { .duration = SOON_S(1) };
	SOON_GROUP(g);

	soon_group_cancel(&g, "early");
	cr_assert_eq(soon_spawn(&g, play, &part), 0);
	cr_assert_eq(soon_group_close(&g, 0), 0);
	cr_assert_eq(part.ran, 1);
	cr_assert_eq(part.saw, -ECANCELED);
}

/* Not even a cancel between the spawn and the first step keeps the function from running. */
FAKE_TEST(group, cancel_before_the_first_step_lets_it_begin)
{
	struct part part = { .duration = SOON_S(1) };
	SOON_GROUP(g);

	cr_assert_eq(soon_spawn(&g, play, &part), 0);
	soon_group_cancel(&g, "at once");
	cr_assert_eq(soon_group_close(&g, 0), 0);
	cr_assert_eq(part.ran, 1);
	cr_assert_eq(part.saw, -ECANCELED);
}

struct chain {
	soon_group *group;
	int left;
};

/* Spawns its successor when it ends, so while the group closes. */
static int chain_on(struct chain *self)
{
	int rc = soon_sleep(SOON_S(1));

	if (rc < 0 || --self->left == 0)
		return rc;
	return soon_spawn(self->group, chain_on, self);
}

FAKE_TEST(group, spawn_while_closing_is_waited_for)
{
	SOON_GROUP(g);
	struct chain chain = { &g, 5 };
	soon_ns start = soon_now();

	cr_assert_eq(soon_spawn(&g, chain_on, &chain), 0);
	cr_assert_eq(soon_group_close(&g, 0), 0);
	cr_assert_eq(chain.left, 0);
	cr_assert_eq(soon_now() - start, SOON_S(5));
}

FAKE_TEST(group, live_max_bounds_it)
{
	struct part parts[3] = { { .duration = SOON_S(1) }, { .duration = SOON_S(1) },
		{ .duration = SOON_S(1) } };
	soon_ns start = soon_now();
	SOON_GROUP(g, .live_max = 2);

	cr_assert_eq(soon_spawn(&g, play, &parts[0]), 0);
	cr_assert_eq(soon_spawn(&g, play, &parts[1]), 0);
	cr_assert_eq(soon_spawn(&g, play, &parts[2]), 0); /* waits for a place */
	cr_assert_eq(soon_now() - start, SOON_S(1));
	cr_assert_leq(soon_group_live(&g), 2);
	cr_assert_eq(soon_group_close(&g, 0), 0);
	cr_assert_eq(parts[2].ran, 1);
}

/* FAIL_FAST. */

FAKE_TEST(group, first_failure_cancels_siblings_and_body)
{
	struct part fails = { .duration = SOON_S(1), .rc = -EIO },
		    waits = { .duration = SOON_S(9) };
	soon_ns start = soon_now();
	ssize_t rc;
	SOON_GROUP(g);

	cr_assert_eq(soon_spawn(&g, play, &waits), 0);
	cr_assert_eq(soon_spawn(&g, play, &fails), 0);
	rc = soon_sleep(SOON_S(9));
	cr_assert_eq(rc, -ECANCELED);
	cr_assert_eq(soon_cancel_reason().source, SOON_CANCEL_SIBLING);
	cr_assert_eq(soon_group_close(&g, rc), -EIO);
	cr_assert_eq(waits.saw, -ECANCELED);
	cr_assert_eq(soon_now() - start, SOON_S(1));
	cr_assert_eq(soon_yield(), 0);
}

FAKE_TEST(group, failure_of_the_body_cancels_tasks)
{
	struct part waits = { .duration = SOON_S(9) };
	soon_failure failure;
	SOON_GROUP(g);

	cr_assert_eq(soon_spawn(&g, play, &waits), 0);
	cr_assert_eq(soon_yield(), 0);
	cr_assert_eq(soon_group_close(&g, -EINVAL), -EINVAL);
	cr_assert_eq(waits.saw, -ECANCELED);
	cr_assert_eq(soon_group_failures(&g, &failure, 1), 1);
	cr_assert_eq(failure.rc, -EINVAL);
	cr_assert_str_eq(failure.site->file, __FILE__);
}

FAKE_TEST(group, first_in_time_is_the_result_not_first_spawned)
{
	struct part late = { .duration = SOON_S(2), .rc = -EIO },
		    early = { .duration = SOON_S(1), .rc = -EPIPE };
	SOON_GROUP(g, .policy = SOON_WAIT_ALL);

	cr_assert_eq(soon_spawn(&g, play, &late), 0);
	cr_assert_eq(soon_spawn(&g, play, &early), 0);
	cr_assert_eq(soon_group_close(&g, -ENOENT), -ENOENT);
}

FAKE_TEST(group, positive_results_are_no_failures)
{
	struct part part = { .rc = 17 };
	SOON_GROUP(g);

	cr_assert_eq(soon_spawn(&g, play, &part), 0);
	cr_assert_eq(soon_group_close(&g, 0), 0);
	cr_assert_eq(soon_group_failures(&g, NULL, 0), 0);
}

FAKE_TEST(group, byte_counts_pass_the_close)
{
	SOON_GROUP(g);

	cr_assert_eq(soon_group_close(&g, (ssize_t)1 << 40), (ssize_t)1 << 40);
}

/* A failure during the unwinding of another: the first stays the result, both are known. */
FAKE_TEST(group, failure_while_being_cancelled_is_kept_too)
{
	struct part first = { .duration = SOON_S(1), .rc = -EIO };
	struct part second = { .duration = SOON_S(1), .rc = -EPIPE };
	soon_failure failures[4];
	SOON_GROUP(g);

	cr_assert_eq(soon_spawn(&g, play, &first), 0);
	cr_assert_eq(soon_spawn(&g, play, &second), 0);
	cr_assert_eq(soon_group_close(&g, 0), -EIO);
	cr_assert_eq(soon_group_failures(&g, failures, 4), 2);
	cr_assert_eq(failures[0].rc, -EIO);
	cr_assert_eq(failures[1].rc, -EPIPE);
	cr_assert_leq(failures[0].when, failures[1].when);
}

/* WAIT_ALL. */

FAKE_TEST(group, wait_all_cancels_nobody)
{
	struct part fails = { .duration = SOON_S(1), .rc = -EIO },
		    waits = { .duration = SOON_S(9) };
	SOON_GROUP(g, .policy = SOON_WAIT_ALL);

	cr_assert_eq(soon_spawn(&g, play, &waits), 0);
	cr_assert_eq(soon_spawn(&g, play, &fails), 0);
	cr_assert_eq(soon_sleep(SOON_S(2)), 0);
	cr_assert_eq(soon_group_close(&g, 0), -EIO);
	cr_assert_eq(waits.saw, 0);
}

FAKE_TEST(group, wait_all_can_be_cancelled_by_hand)
{
	struct part waits = { .duration = SOON_S(9) };
	SOON_GROUP(g, .policy = SOON_WAIT_ALL);

	cr_assert_eq(soon_spawn(&g, play, &waits), 0);
	cr_assert_eq(soon_yield(), 0);
	soon_group_cancel(&g, "by hand");
	cr_assert_eq(soon_group_close(&g, 0), 0);
	cr_assert_eq(waits.saw, -ECANCELED);
}

/* Failures. */

FAKE_TEST(group, keeps_eight_failures_and_counts_the_rest)
{
	struct part parts[12];
	soon_failure failures[12];
	SOON_GROUP(g, .policy = SOON_WAIT_ALL);

	for (int i = 0; i < 12; i++) {
		parts[i] = (struct part){ .duration = SOON_S(i + 1), .rc = -(i + 1) };
		cr_assert_eq(soon_spawn(&g, play, &parts[i]), 0);
	}
	cr_assert_eq(soon_group_close(&g, 0), -1);
	memset(failures, 0, sizeof failures);
	cr_assert_eq(soon_group_failures(&g, failures, 12), 12);
	for (int i = 0; i < SOON_FAILURES_KEPT; i++) {
		cr_assert_eq(failures[i].rc, -(i + 1));
		cr_assert_str_eq(failures[i].task, "play");
		cr_assert_str_eq(failures[i].site->what, "play");
		cr_assert_str_eq(failures[i].message, "");
	}
	cr_assert_eq(failures[SOON_FAILURES_KEPT].rc, 0);
	cr_assert_eq(soon_group_failures(&g, failures, 1), 12);
}

FAKE_TEST(group, message_of_soon_fail_goes_up_with_the_failure)
{
	struct part part = { .rc = -EBADMSG, .message = "line 7: no colon" };
	soon_failure failure;
	SOON_GROUP(outer);
	{
		SOON_GROUP(inner);

		cr_assert_eq(soon_spawn(&inner, play, &part), 0);
		cr_assert_eq(soon_group_close(&inner, 0), -EBADMSG);
		cr_assert_eq(soon_group_failures(&inner, &failure, 1), 1);
		cr_assert_str_eq(failure.message, "line 7: no colon");
	}
	cr_assert_eq(soon_group_close(&outer, -EBADMSG), -EBADMSG);
	cr_assert_eq(soon_group_failures(&outer, &failure, 1), 1);
	cr_assert_str_eq(failure.message, "line 7: no colon");
}

static int fail_at_length(void *unused)
{
	char text[500];

	(void)unused;
	memset(text, 'x', sizeof text - 1);
	text[sizeof text - 1] = '\0';
	return soon_fail(-EPROTO, "%s", text);
}

FAKE_TEST(group, long_message_and_name_are_cut)
{
	static const char name[] = "a name that is a good deal longer than a record's field";
	const soon_task_opts opts = { .name = name };
	soon_failure failure;
	SOON_GROUP(g);

	cr_assert_eq(soon_spawn_with(&g, &opts, fail_at_length, NULL), 0);
	cr_assert_eq(soon_group_close(&g, 0), -EPROTO);
	cr_assert_eq(soon_group_failures(&g, &failure, 1), 1);
	cr_assert_eq(strlen(failure.message), SOON_FAILURE_TEXT_BYTES - 1);
	cr_assert_eq(strncmp(failure.task, name, sizeof failure.task - 1), 0);
	cr_assert_eq(strlen(failure.task), sizeof failure.task - 1);
}

static int fail_after_another(void *unused)
{
	(void)unused;
	(void)!soon_fail(-ENOENT, "handled long ago");
	return -EIO;
}

FAKE_TEST(group, message_of_a_handled_failure_is_not_given_to_a_later_one)
{
	soon_failure failure;
	SOON_GROUP(g);

	cr_assert_eq(soon_spawn(&g, fail_after_another, NULL), 0);
	cr_assert_eq(soon_group_close(&g, 0), -EIO);
	cr_assert_eq(soon_group_failures(&g, &failure, 1), 1);
	cr_assert_eq(failure.message[0], '\0');
}

/* A -ECANCELED that nobody asked for is a failure, not a silent end. */
FAKE_TEST(group, stray_ecanceled_of_a_task_is_a_failure)
{
	struct part stray = { .rc = -ECANCELED }, waits = { .duration = SOON_S(9) };
	soon_failure failure;
	SOON_GROUP(g);

	cr_assert_eq(soon_spawn(&g, play, &waits), 0);
	cr_assert_eq(soon_spawn(&g, play, &stray), 0);
	cr_assert_eq(soon_group_close(&g, 0), -ECANCELED);
	cr_assert_eq(waits.saw, -ECANCELED);
	cr_assert_eq(soon_group_failures(&g, &failure, 1), 1);
	cr_assert_eq(failure.rc, -ECANCELED);
	cr_assert_neq(failure.message[0], '\0');
}

FAKE_TEST(group, stray_ecanceled_of_the_body_passes)
{
	SOON_GROUP(g);

	cr_assert_eq(soon_group_close(&g, -ECANCELED), -ECANCELED);
}

/* Cancels from outside and from within. */

FAKE_TEST(group, done_early_is_success)
{
	struct part waits = { .duration = SOON_S(9) };
	ssize_t rc;
	SOON_GROUP(g);

	cr_assert_eq(soon_spawn(&g, play, &waits), 0);
	soon_group_cancel(&g, "got what we wanted");
	cr_assert_str_eq(soon_cancel_reason().why, "got what we wanted");
	rc = soon_yield();
	cr_assert_eq(rc, -ECANCELED);
	cr_assert_eq(soon_group_close(&g, rc), 0);
	cr_assert_eq(soon_yield(), 0);
}

FAKE_TEST(group, done_early_keeps_the_body_s_result)
{
	SOON_GROUP(g);

	soon_group_cancel(&g, "done");
	cr_assert_eq(soon_group_close(&g, 12), 12);
}

FAKE_TEST(group, outer_cancel_reaches_tasks_and_is_the_result)
{
	struct part waits = { .duration = SOON_S(9) };
	ssize_t rc;
	SOON_SCOPE(s, .timeout = SOON_S(1));
	{
		SOON_GROUP(g);

		cr_assert_eq(soon_spawn(&g, play, &waits), 0);
		rc = soon_group_close(&g, 0);
		cr_assert_eq(rc, -ECANCELED);
		cr_assert_eq(waits.saw, -ECANCELED);
	}
	cr_assert_eq(soon_scope_close(&s, rc), -ETIMEDOUT);
}

struct slow_end {
	soon_ns cleanup;
	int rc;
	int saw;
};

/* Cleans up behind a shield when cancelled, and then gives its own result. */
static int end_slowly(struct slow_end *self)
{
	self->saw = soon_sleep(SOON_S(100));
	ssize_t rc = soon_shielded(SOON_S(50), soon_sleep(self->cleanup));

	return rc < 0 ? (int)rc : self->rc;
}

FAKE_TEST(group, errors_beat_cancellation)
{
	struct slow_end task = { SOON_S(5), -EIO, 0 };
	ssize_t rc;
	SOON_SCOPE(s, .timeout = SOON_S(1));
	{
		SOON_GROUP(g);

		cr_assert_eq(soon_spawn(&g, end_slowly, &task), 0);
		rc = soon_group_close(&g, 0);
		cr_assert_eq(rc, -EIO);
	}
	cr_assert(soon_cancelled());
	cr_assert_eq(soon_scope_close(&s, rc), -EIO);
	cr_assert(soon_scope_expired(&s));
}

FAKE_TEST(group, is_never_left_while_a_task_lives)
{
	struct slow_end task = { SOON_S(5), -ECANCELED, 0 };
	soon_ns start = soon_now();
	SOON_GROUP(g);

	cr_assert_eq(soon_spawn(&g, end_slowly, &task), 0);
	cr_assert_eq(soon_yield(), 0);
	soon_group_cancel(&g, "now");
	cr_assert_eq(soon_group_close(&g, 0), 0);
	cr_assert_eq(task.saw, -ECANCELED);
	cr_assert_eq(soon_now() - start, SOON_S(5));
}

/* A task's scope hangs below its group, not below where the spawner happened to stand. */
FAKE_TEST(group, task_is_not_under_the_scope_of_its_spawner)
{
	struct part part = { .duration = SOON_S(5), .rc = 3 };
	SOON_GROUP(g);
	{
		SOON_SCOPE(s, .timeout = SOON_S(1));

		cr_assert_eq(soon_spawn(&g, play, &part), 0);
		cr_assert_eq(soon_scope_close(&s, soon_sleep(SOON_S(3))), -ETIMEDOUT);
	}
	cr_assert_eq(soon_group_close(&g, 0), 0);
	cr_assert_eq(part.saw, 0);
}

FAKE_TEST(group, shielded_body_does_not_protect_tasks)
{
	struct part part = { .duration = SOON_S(9) };
	ssize_t rc;
	SOON_SCOPE(s, .timeout = SOON_S(1));
	{
		SOON_GROUP(g);

		cr_assert_eq(soon_spawn(&g, play, &part), 0);
		cr_assert_eq(soon_shielded(SOON_S(20), soon_sleep(SOON_S(5))), 0);
		cr_assert_eq(part.saw, -ECANCELED);
		rc = soon_group_close(&g, 0);
	}
	cr_assert_eq(soon_scope_close(&s, rc), -ETIMEDOUT);
}

FAKE_TEST(group, shield_around_a_group_protects_its_tasks)
{
	struct part part = { .duration = SOON_S(5) };
	SOON_SCOPE(outer, .timeout = SOON_S(1));
	SOON_SCOPE(shield, .timeout = SOON_NEVER, .shield = true);
	{
		SOON_GROUP(g);

		cr_assert_eq(soon_spawn(&g, play, &part), 0);
		cr_assert_eq(soon_group_close(&g, 0), 0);
		cr_assert_eq(part.saw, 0);
	}
	cr_assert_eq(soon_scope_close(&shield, 0), 0);
	cr_assert_eq(soon_scope_close(&outer, soon_yield()), -ETIMEDOUT);
}

struct nest {
	int depth;
	int saw;
};

static int nest_in(struct nest *self)
{
	ssize_t rc = 0;
	SOON_GROUP(g);

	if (self->depth-- > 0)
		rc = soon_spawn(&g, nest_in, self);
	else
		self->saw = soon_sleep(SOON_S(1000));
	return (int)soon_group_close(&g, rc);
}

/* Each group in a task of the one above: a cancel goes down without recursion. */
FAKE_TEST(group, cancel_reaches_a_thousand_groups_deep)
{
	struct nest nest = { 1000, 0 };
	SOON_GROUP(g);

	cr_assert_eq(soon_spawn(&g, nest_in, &nest), 0);
	cr_assert_eq(soon_sleep(SOON_S(1)), 0);
	cr_assert_eq(nest.depth, -1);
	soon_group_cancel(&g, "deep");
	cr_assert_eq(soon_group_close(&g, 0), 0);
	cr_assert_eq(nest.saw, -ECANCELED);
}

/* Left without a close. */

static int leave_group(struct part *part)
{
	SOON_GROUP(g);

	return soon_spawn(&g, play, part);
}

FAKE_TEST(group, one_left_without_a_close_is_cancelled_waited_for_and_reported)
{
	struct part part = { .duration = SOON_S(9) };

	cr_assert_eq(leave_group(&part), 0);
	cr_assert_eq(part.ran, 1);
	cr_assert_eq(part.saw, -ECANCELED);
	cr_assert_eq(soon_report_errors(), 1);
	soon_test_reports_expected = 1;
}
