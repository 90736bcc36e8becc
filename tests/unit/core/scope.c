// SPDX-License-Identifier: Apache-2.0
/* Scopes and deadlines: what a cancel reaches, when, and what closing makes of it. */
#include <soon/scope.h>

#include "fake_test.h"

#define NESTED_COUNT 5000

static int value(int rc)
{
	return rc;
}

/* What the expression forms give. */

FAKE_TEST(scope, timeout_cuts_a_wait_short_exactly)
{
	soon_ns start = soon_now();

	cr_assert_eq(soon_within(SOON_MS(10), soon_sleep(SOON_S(1))), -ETIMEDOUT);
	cr_assert_eq(soon_now() - start, SOON_MS(10));
	cr_assert_eq(soon_sleep(1), 0);
}

FAKE_TEST(scope, result_in_time_passes)
{
	cr_assert_eq(soon_within(SOON_S(1), fake_op(SOON_MS(1), 77, FAKE_CANCEL_DONE)), 77);
	cr_assert_eq(soon_within(SOON_S(1), fake_op(0, -EPIPE, FAKE_CANCEL_DONE)), -EPIPE);
	cr_assert_eq(soon_within(SOON_S(1), (ssize_t)1 << 40), (ssize_t)1 << 40);
	cr_assert_eq(soon_within(SOON_NEVER, fake_op(1, 5, FAKE_CANCEL_DONE)), 5);
}

FAKE_TEST(scope, zero_and_negative_timeouts_end_at_the_first_cancellation_point)
{
	int steps = 0;

	cr_assert_eq(soon_within(0, (steps++, soon_yield())), -ETIMEDOUT);
	cr_assert_eq(soon_within(-5, (steps++, soon_yield())), -ETIMEDOUT);
	cr_assert_eq(steps, 2);
	cr_assert_eq(soon_within(0, value(3)), 3);
}

FAKE_TEST(scope, deadline_in_the_past_ends_at_the_first_cancellation_point)
{
	SOON_SCOPE(s, .deadline = soon_now() - 1);

	cr_assert(soon_cancelled());
	cr_assert_eq(soon_deadline(), 0);
	cr_assert_eq(soon_scope_close(&s, soon_yield()), -ETIMEDOUT);
	cr_assert(soon_scope_expired(&s));
	cr_assert_not(soon_cancelled());
}

FAKE_TEST(scope, earlier_of_timeout_and_deadline_counts)
{
	soon_ns start = soon_now();
	SOON_SCOPE(s, .timeout = SOON_S(2), .deadline = start + SOON_S(1));

	cr_assert_eq(soon_deadline(), start + SOON_S(1));
	cr_assert_eq(soon_scope_close(&s, soon_sleep(SOON_S(5))), -ETIMEDOUT);
	cr_assert_eq(soon_now(), start + SOON_S(1));
}

FAKE_TEST(scope, huge_timeout_is_never)
{
	SOON_SCOPE(s, .timeout = SOON_NEVER - 1);

	cr_assert_eq(soon_deadline(), SOON_NEVER);
	cr_assert_eq(soon_scope_close(&s, 0), 0);
}

/* Deadlines that nest. */

FAKE_TEST(scope, inner_deadline_leaves_the_outer_alone)
{
	SOON_SCOPE(outer, .timeout = SOON_S(10));

	cr_assert_eq(soon_within(SOON_S(1), soon_sleep(SOON_S(5))), -ETIMEDOUT);
	cr_assert_not(soon_cancelled());
	cr_assert_eq(soon_scope_close(&outer, soon_sleep(SOON_S(1))), 0);
	cr_assert_not(soon_scope_expired(&outer));
}

FAKE_TEST(scope, outer_deadline_passes_through_the_inner)
{
	ssize_t rc;
	SOON_SCOPE(outer, .timeout = SOON_S(1));

	rc = soon_within(SOON_S(10), soon_sleep(SOON_S(5)));
	cr_assert_eq(rc, -ECANCELED);
	cr_assert_eq(soon_scope_close(&outer, rc), -ETIMEDOUT);
}

FAKE_TEST(scope, outermost_of_two_expired_at_once_wins)
{
	ssize_t rc;
	SOON_SCOPE(outer, .timeout = SOON_S(1));

	rc = soon_within(SOON_S(1), soon_sleep(SOON_S(5)));
	cr_assert_eq(rc, -ECANCELED);
	cr_assert_eq(soon_scope_close(&outer, rc), -ETIMEDOUT);
}

/* The inner one expired first, but before it is closed the outer one has, too. */
FAKE_TEST(scope, outermost_wins_when_it_expires_during_the_unwinding)
{
	ssize_t rc;
	SOON_SCOPE(outer, .timeout = SOON_S(2));
	SOON_SCOPE(inner, .timeout = SOON_S(1));

	rc = soon_sleep(SOON_S(5));
	cr_assert_eq(rc, -ECANCELED);
	cr_assert_eq(soon_shielded(SOON_S(9), soon_sleep(SOON_S(4))), 0);
	rc = soon_scope_close(&inner, rc);
	cr_assert_eq(rc, -ECANCELED);
	cr_assert(soon_scope_expired(&inner));
	cr_assert_eq(soon_scope_close(&outer, rc), -ETIMEDOUT);
}

FAKE_TEST(scope, five_thousand_nested_scopes_expire_together)
{
	static soon_scope scopes[NESTED_COUNT];
	static const soon_site site = { __FILE__, __func__, "nested", __LINE__ };
	ssize_t rc;

	for (int i = 0; i < NESTED_COUNT; i++)
		soon__scope_open(&scopes[i], &(soon_scope_opts){ .timeout = SOON_S(1) }, &site);
	rc = soon_sleep(SOON_S(2));
	cr_assert_eq(rc, -ECANCELED);
	for (int i = NESTED_COUNT - 1; i > 0; i--) {
		rc = soon_scope_close(&scopes[i], rc);
		cr_assert_eq(rc, -ECANCELED);
	}
	cr_assert_eq(soon_scope_close(&scopes[0], rc), -ETIMEDOUT);
	cr_assert_eq(soon_yield(), 0);
}

FAKE_TEST(scope, five_thousand_nested_scopes_are_cancelled_by_the_outermost)
{
	static soon_scope scopes[NESTED_COUNT];
	static const soon_site site = { __FILE__, __func__, "nested", __LINE__ };
	ssize_t rc;

	for (int i = 0; i < NESTED_COUNT; i++)
		soon__scope_open(&scopes[i], &(soon_scope_opts){ 0 }, &site);
	soon_scope_cancel(&scopes[0], "enough");
	rc = soon_yield();
	cr_assert_eq(rc, -ECANCELED);
	cr_assert_str_eq(soon_cancel_reason().why, "enough");
	for (int i = NESTED_COUNT - 1; i >= 0; i--)
		rc = soon_scope_close(&scopes[i], rc);
	cr_assert_eq(rc, 0);
}

/* Moving a deadline. */

FAKE_TEST(scope, deadline_can_be_moved_later_and_earlier)
{
	soon_ns start = soon_now();
	SOON_SCOPE(s, .timeout = SOON_S(1));

	cr_assert_eq(soon_scope_deadline(&s, start + SOON_S(10)), 0);
	cr_assert_eq(soon_sleep(SOON_S(5)), 0);
	cr_assert_eq(soon_scope_deadline(&s, start + SOON_S(6)), 0);
	cr_assert_eq(soon_deadline(), start + SOON_S(6));
	cr_assert_eq(soon_scope_close(&s, soon_sleep(SOON_S(5))), -ETIMEDOUT);
	cr_assert_eq(soon_now(), start + SOON_S(6));
}

FAKE_TEST(scope, deadline_moved_into_the_past_fires_now_and_stays)
{
	SOON_SCOPE(s, .timeout = SOON_S(1));

	cr_assert_eq(soon_scope_deadline(&s, soon_now() - 1), 0);
	cr_assert(soon_cancelled());
	cr_assert_eq(soon_scope_deadline(&s, soon_now() + SOON_S(100)), 0);
	cr_assert_eq(soon_scope_deadline(&s, SOON_NEVER), 0);
	cr_assert(soon_cancelled());
	cr_assert_eq(soon_scope_close(&s, soon_yield()), -ETIMEDOUT);
	cr_assert_eq(soon_scope_deadline(&s, SOON_NEVER), -EINVAL);
}

FAKE_TEST(scope, deadline_can_be_taken_away)
{
	SOON_SCOPE(s, .timeout = SOON_S(1));

	cr_assert_eq(soon_scope_deadline(&s, SOON_NEVER), 0);
	cr_assert_eq(soon_deadline(), SOON_NEVER);
	cr_assert_eq(soon_scope_close(&s, soon_sleep(SOON_S(5))), 0);
}

FAKE_TEST(scope, effective_deadline_is_the_least_that_is_visible)
{
	soon_ns start = soon_now();
	SOON_SCOPE(a, .timeout = SOON_S(3));
	SOON_SCOPE(b, .timeout = SOON_S(5));

	cr_assert_eq(soon_deadline(), start + SOON_S(3));
	{
		SOON_SCOPE(shield, .timeout = SOON_S(9), .shield = true);

		cr_assert_eq(soon_deadline(), start + SOON_S(9));
		cr_assert_eq(soon_scope_close(&shield, 0), 0);
	}
	cr_assert_eq(soon_scope_close(&b, 0), 0);
	cr_assert_eq(soon_scope_close(&a, 0), 0);
	cr_assert_eq(soon_deadline(), SOON_NEVER);
}

/* What closing makes of a result. */

FAKE_TEST(scope, other_results_pass_an_expired_scope_unchanged)
{
	static const int results[] = { 0, 7, -EPIPE, -ETIMEDOUT, -EIO };

	for (unsigned i = 0; i < sizeof results / sizeof *results; i++) {
		SOON_SCOPE(s, .timeout = SOON_S(1));

		cr_assert_eq(soon_sleep(SOON_S(2)), -ECANCELED);
		cr_assert_eq(soon_scope_close(&s, results[i]), results[i]);
		cr_assert(soon_scope_expired(&s));
	}
}

FAKE_TEST(scope, own_cancel_closes_as_success)
{
	SOON_SCOPE(s);

	soon_scope_cancel(&s, "found it");
	soon_scope_cancel(&s, "a second one changes nothing");
	cr_assert_str_eq(soon_cancel_reason().why, "found it");
	cr_assert_eq(soon_cancel_reason().source, SOON_CANCEL_EXPLICIT);
	cr_assert_eq(soon_scope_close(&s, soon_yield()), 0);
	cr_assert_not(soon_scope_expired(&s));
	cr_assert_eq(soon_cancel_reason().source, SOON_CANCEL_NONE);
}

/* A raw -ECANCELED that the scope did not cause is not its to translate. */
FAKE_TEST(scope, foreign_ecanceled_passes)
{
	cr_assert_eq(soon_within(SOON_S(1), value(-ECANCELED)), -ECANCELED);
}

/* The abort protocol of waits. */

FAKE_TEST(scope, operation_that_can_be_withdrawn_is)
{
	soon_ns start = soon_now();

	cr_assert_eq(soon_within(SOON_S(1), fake_op(SOON_S(5), 1, FAKE_CANCEL_DONE)), -ETIMEDOUT);
	cr_assert_eq(soon_now() - start, SOON_S(1));
	cr_assert_eq(fake_inflight(), 0);
}

FAKE_TEST(scope, operation_is_waited_for_until_its_end)
{
	cr_assert_eq(
		soon_within(SOON_S(1), fake_op(SOON_S(5), 1, FAKE_CANCEL_PENDING)), -ETIMEDOUT);
	cr_assert_eq(fake_inflight(), 0);
}

FAKE_TEST(scope, completion_wins_and_the_next_call_fails)
{
	SOON_SCOPE(s, .timeout = SOON_S(1));

	cr_assert_eq(fake_op(SOON_S(5), 1234, FAKE_CANCEL_LATE), 1234);
	cr_assert_eq(fake_op(0, 1, FAKE_CANCEL_DONE), -ECANCELED);
	cr_assert_eq(soon_scope_close(&s, 1234), 1234);
}

FAKE_TEST(scope, what_cannot_be_cancelled_outlives_the_deadline)
{
	soon_ns start = soon_now();
	SOON_SCOPE(s, .timeout = SOON_S(1));

	cr_assert_eq(fake_op(SOON_S(5), 9, FAKE_CANCEL_IGNORED), 9);
	cr_assert_eq(soon_now() - start, SOON_S(5));
	cr_assert_eq(soon_scope_close(&s, 0), 0);
	cr_assert(soon_scope_expired(&s));
}

FAKE_TEST(scope, cancelled_before_means_never_begun)
{
	uint64_t polls;
	SOON_SCOPE(s);

	soon_scope_cancel(&s, "before");
	polls = fake_counts().polls;
	cr_assert_eq(fake_op(0, 1, FAKE_CANCEL_IGNORED), -ECANCELED);
	cr_assert_eq(fake_inflight(), 0);
	cr_assert_leq(fake_counts().polls - polls, 1);
	cr_assert_eq(soon_scope_close(&s, 0), 0);
}

/* Level: it stays cancelled, and whoever ignores that still leaves others their turn. */

struct heartbeat {
	uint64_t beats;
	bool is_over;
};

static int beat(struct heartbeat *self)
{
	while (!self->is_over) {
		self->beats++;
		int rc = soon_yield();

		if (rc < 0)
			return rc;
	}
	return 0;
}

FAKE_TEST(scope, failing_calls_are_turns_for_others)
{
	struct heartbeat heart = { 0 };
	SOON_GROUP(g);
	uint64_t before;

	cr_assert_eq(soon_spawn(&g, beat, &heart), 0);
	{
		SOON_SCOPE(s);

		soon_scope_cancel(&s, "on purpose");
		before = heart.beats;
		for (int i = 0; i < 50; i++) {
			cr_assert_eq(soon_sleep(SOON_S(1)), -ECANCELED);
			cr_assert_eq(soon_checkpoint(), -ECANCELED);
			cr_assert_eq(soon_yield(), -ECANCELED);
		}
		cr_assert_geq(heart.beats - before, 150);
		cr_assert_eq(soon_scope_close(&s, -ECANCELED), 0);
		soon_test_reports_expected = 1; /* of the test below */
	}
	heart.is_over = true;
	cr_assert_eq(soon_group_close(&g, 0), 0);
}

FAKE_TEST(scope, task_that_ignores_its_cancel_is_reported_once)
{
	SOON_SCOPE(s);

	soon_scope_cancel(&s, "on purpose");
	for (int i = 0; i < 63; i++)
		cr_assert_eq(soon_yield(), -ECANCELED);
	cr_assert_eq(soon_report_errors(), 0);
	for (int i = 0; i < 1000; i++)
		cr_assert_eq(soon_sleep(1), -ECANCELED);
	cr_assert_eq(soon_report_errors(), 1);
	soon_test_reports_expected = 1;
	cr_assert_eq(soon_scope_close(&s, -ECANCELED), 0);
}

/* Shields. */

FAKE_TEST(scope, shield_hides_outer_cancels_only)
{
	SOON_SCOPE(outer);

	soon_scope_cancel(&outer, "outer");
	cr_assert_eq(soon_yield(), -ECANCELED);
	cr_assert_eq(soon_shielded(SOON_S(1), soon_sleep(SOON_MS(5))), 0);
	cr_assert_eq(soon_shielded(SOON_S(1), soon_sleep(SOON_S(5))), -ETIMEDOUT);
	cr_assert_eq(soon_shielded(SOON_S(1), soon_within(SOON_MS(1), soon_sleep(SOON_S(5)))),
		-ETIMEDOUT);
	cr_assert_eq(soon_shielded(SOON_NEVER, soon_sleep(SOON_S(5))), 0);
	cr_assert_eq(soon_scope_close(&outer, soon_yield()), 0);
}

FAKE_TEST(scope, shielded_scope_can_be_cancelled_itself)
{
	SOON_SCOPE(outer);
	SOON_SCOPE(shield, .shield = true, .timeout = SOON_NEVER);

	soon_scope_cancel(&outer, "outer");
	cr_assert_eq(soon_yield(), 0);
	soon_scope_cancel(&shield, "own");
	cr_assert_eq(soon_yield(), -ECANCELED);
	cr_assert_str_eq(soon_cancel_reason().why, "own");
	cr_assert_eq(soon_scope_close(&shield, -ECANCELED), 0);
	cr_assert_eq(soon_scope_close(&outer, soon_yield()), 0);
}

/* A cancel that arrives behind the shield is met when the shield ends, even while parked in it. */
FAKE_TEST(scope, outer_deadline_behind_a_shield_is_met_after_it)
{
	soon_ns start = soon_now();
	SOON_SCOPE(outer, .timeout = SOON_S(1));

	cr_assert_eq(soon_shielded(SOON_S(100), soon_sleep(SOON_S(3))), 0);
	cr_assert_eq(soon_now() - start, SOON_S(3));
	cr_assert(soon_cancelled());
	cr_assert_eq(soon_scope_close(&outer, soon_sleep(1)), -ETIMEDOUT);
}

/* Reasons come down with the cancel. */

FAKE_TEST(scope, reason_is_inherited_with_its_site)
{
	soon_cancel_why why;
	SOON_SCOPE(outer);
	SOON_SCOPE(inner, .timeout = SOON_S(9));

	soon_scope_cancel(&outer, "too much");
	why = soon_cancel_reason();
	cr_assert_eq(why.source, SOON_CANCEL_EXPLICIT);
	cr_assert_str_eq(why.why, "too much");
	cr_assert_str_eq(why.site->file, __FILE__);
	cr_assert_eq(soon_scope_close(&inner, -ECANCELED), -ECANCELED);
	cr_assert_eq(soon_scope_close(&outer, -ECANCELED), 0);
}

FAKE_TEST(scope, reason_of_a_deadline_names_it)
{
	SOON_SCOPE(s, .timeout = 1);

	cr_assert_eq(soon_sleep(SOON_S(1)), -ECANCELED);
	cr_assert_eq(soon_cancel_reason().source, SOON_CANCEL_DEADLINE);
	cr_assert_eq(soon_scope_close(&s, 0), 0);
}

/* Another task cancels a scope in which this one is parked. */

static int cancel_later(soon_scope *scope)
{
	int rc = soon_sleep(SOON_S(1));

	soon_scope_cancel(scope, "from a sibling");
	return rc;
}

FAKE_TEST(scope, can_be_cancelled_by_another_task)
{
	soon_ns start = soon_now();
	SOON_GROUP(g);
	SOON_SCOPE(s);

	cr_assert_eq(soon_spawn(&g, cancel_later, &s), 0);
	cr_assert_eq(soon_scope_close(&s, soon_sleep(SOON_S(5))), 0);
	cr_assert_eq(soon_now() - start, SOON_S(1));
	cr_assert_eq(soon_group_close(&g, 0), 0);
}

/* A cancel of a closed scope is late, not wrong. */
FAKE_TEST(scope, cancel_after_the_close_changes_nothing)
{
	SOON_SCOPE(s);

	cr_assert_eq(soon_scope_close(&s, 3), 3);
	soon_scope_cancel(&s, "late");
	cr_assert_eq(soon_yield(), 0);
}

FAKE_TEST(scope, one_left_without_a_close_is_reported)
{
	{
		SOON_SCOPE(s, .timeout = SOON_S(1));
	}
	cr_assert_eq(soon_report_errors(), 1);
	soon_test_reports_expected = 1;
	cr_assert_eq(soon_sleep(SOON_S(5)), 0);
}

/* Asking with a timeout of zero is a use of deadlines, not a deafness to them. */
FAKE_TEST(scope, expired_scopes_one_after_the_other_are_not_ignored)
{
	for (int i = 0; i < 1000; i++)
		cr_assert_eq(soon_within(0, soon_sleep(SOON_S(1))), -ETIMEDOUT);
	cr_assert_eq(soon_report_errors(), 0);
}

/* The timer is left armed for a scope that is gone: it must not fire for anybody else. */
FAKE_TEST(scope, timer_of_a_closed_scope_is_moved_on_to_the_next)
{
	soon_ns start = soon_now();

	cr_assert_eq(soon_within(SOON_S(1), soon_yield()), 0);
	cr_assert_eq(soon_within(SOON_S(5), soon_sleep(SOON_S(9))), -ETIMEDOUT);
	cr_assert_eq(soon_now() - start, SOON_S(5));
	cr_assert_eq(soon_within(SOON_S(1), soon_yield()), 0);
	cr_assert_eq(soon_sleep(SOON_S(3)), 0);
	cr_assert_eq(soon_now() - start, SOON_S(8));
}

FAKE_TEST(scope, deadline_moved_behind_a_fired_timer_counts)
{
	soon_ns start = soon_now();
	SOON_SCOPE(s, .timeout = SOON_S(1));

	cr_assert_eq(soon_scope_deadline(&s, start + SOON_S(4)), 0);
	cr_assert_eq(soon_sleep(SOON_S(2)), 0);
	cr_assert_eq(soon_scope_deadline(&s, start + SOON_S(3)), 0);
	cr_assert_eq(soon_sleep(SOON_S(2)), -ECANCELED);
	cr_assert_eq(soon_now() - start, SOON_S(3));
	cr_assert_eq(soon_scope_close(&s, -ECANCELED), -ETIMEDOUT);
	cr_assert_eq(soon_scope_deadline(&s, SOON_NEVER), -EINVAL);
}
