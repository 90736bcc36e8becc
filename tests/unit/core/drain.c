// SPDX-License-Identifier: Apache-2.0
/* Draining a group: idle waits end at once, work in progress has its grace. */
#include <soon/group.h>

#include "fake_test.h"

struct connection {
	soon_ns idle, busy;
	int saw_idle, saw_busy;
};

static int serve(struct connection *self)
{
	SOON_IDLE {
		self->saw_idle = soon_sleep(self->idle);
	}
	if (self->saw_idle < 0)
		return self->saw_idle;
	self->saw_busy = soon_sleep(self->busy);
	return self->saw_busy;
}

FAKE_TEST(drain, drain_ends_idle_waits_and_lets_work_finish)
{
	struct connection idle = { SOON_S(100), 0, 1, 1 }, busy = { 0, SOON_S(3), 1, 1 };
	struct connection stuck = { 0, SOON_S(100), 1, 1 };
	soon_ns start = soon_now();
	SOON_GROUP(g);

	cr_assert_eq(soon_spawn(&g, serve, &idle), 0);
	cr_assert_eq(soon_spawn(&g, serve, &busy), 0);
	cr_assert_eq(soon_spawn(&g, serve, &stuck), 0);
	cr_assert_eq(soon_sleep(SOON_S(1)), 0);
	soon_group_drain(&g, SOON_S(10));
	cr_assert_eq(soon_yield(), 0);
	cr_assert_eq(soon_yield(), 0);
	cr_assert_eq(idle.saw_idle, -ECANCELED);
	cr_assert_eq(busy.saw_busy, 1);
	cr_assert_eq(soon_group_close(&g, 0), 0);
	cr_assert_eq(busy.saw_busy, 0);
	cr_assert_eq(stuck.saw_busy, -ECANCELED);
	cr_assert_eq(soon_now() - start, SOON_S(11));
}

FAKE_TEST(drain, idle_waits_begun_during_a_drain_fail_at_once)
{
	struct connection late = { SOON_S(100), 0, 1, 1 };
	SOON_GROUP(g);

	soon_group_drain(&g, SOON_S(10));
	cr_assert_eq(soon_spawn(&g, serve, &late), 0);
	cr_assert_eq(soon_yield(), 0);
	cr_assert_eq(soon_group_close(&g, 0), 0);
	cr_assert_eq(late.saw_idle, -ECANCELED);
}

static int accept_then_end(soon_group *group)
{
	int rc = 0;

	(void)group;
	SOON_IDLE {
		rc = soon_sleep(SOON_S(100));
	}
	return rc;
}

/* A listener that leaves its accept at a drain must leave its connections their grace. */
FAKE_TEST(drain, drained_task_does_not_cancel_its_siblings)
{
	struct connection busy = { 0, SOON_S(3), 1, 1 };
	SOON_GROUP(g);

	cr_assert_eq(soon_spawn(&g, accept_then_end, &g), 0);
	cr_assert_eq(soon_spawn(&g, serve, &busy), 0);
	cr_assert_eq(soon_sleep(SOON_S(1)), 0);
	soon_group_drain(&g, SOON_S(10));
	cr_assert_eq(soon_group_close(&g, 0), 0);
	cr_assert_eq(busy.saw_busy, 0);
}

static int listen_in_own_group(struct connection *busy)
{
	int rc = 0;
	SOON_GROUP(connections);

	rc = soon_spawn(&connections, serve, busy);
	if (rc == 0) {
		SOON_IDLE {
			rc = soon_sleep(SOON_S(100));
		}
	}
	return (int)soon_group_close(&connections, rc);
}

/* The same with the connections in a group that the drained task itself opened. */
FAKE_TEST(drain, drained_body_leaves_its_tasks_their_grace)
{
	struct connection busy = { 0, SOON_S(3), 1, 1 };
	SOON_GROUP(g);

	cr_assert_eq(soon_spawn(&g, listen_in_own_group, &busy), 0);
	cr_assert_eq(soon_sleep(SOON_S(1)), 0);
	soon_group_drain(&g, SOON_S(10));
	cr_assert_eq(soon_group_close(&g, 0), 0);
	cr_assert_eq(busy.saw_busy, 0);
}

FAKE_TEST(drain, drain_without_grace_cancels_now)
{
	struct connection busy = { 0, SOON_S(3), 1, 1 };
	soon_ns start = soon_now();
	SOON_GROUP(g);

	cr_assert_eq(soon_spawn(&g, serve, &busy), 0);
	cr_assert_eq(soon_sleep(SOON_S(1)), 0);
	soon_group_drain(&g, 0);
	cr_assert_eq(soon_group_close(&g, 0), 0);
	cr_assert_eq(busy.saw_busy, -ECANCELED);
	cr_assert_eq(soon_now() - start, SOON_S(1));
}

FAKE_TEST(drain, end_of_grace_is_not_a_timeout_of_anybody)
{
	struct connection stuck = { 0, SOON_S(100), 1, 1 };
	SOON_SCOPE(s, .timeout = SOON_S(1000));
	SOON_GROUP(g);

	cr_assert_eq(soon_spawn(&g, serve, &stuck), 0);
	soon_group_drain(&g, SOON_S(1));
	cr_assert_eq(soon_sleep(SOON_S(5)), -ECANCELED);
	cr_assert_eq(soon_cancel_reason().source, SOON_CANCEL_DRAIN);
	cr_assert_eq(soon_group_close(&g, -ECANCELED), 0);
	cr_assert_eq(soon_scope_close(&s, 0), 0);
}

/* The end of an idle wait is this group's own doing: around it nothing is cancelled. */
FAKE_TEST(drain, drained_body_ends_its_own_group_with_success)
{
	int rc = 0;
	SOON_GROUP(g);

	soon_group_drain(&g, SOON_S(10));
	SOON_IDLE {
		rc = soon_sleep(SOON_S(100));
	}
	cr_assert_eq(rc, -ECANCELED);
	cr_assert_eq(soon_group_close(&g, rc), 0);
	cr_assert_eq(soon_sleep(SOON_S(1)), 0);
}

static int clean_up(int *ret_rc)
{
	int rc = soon_sleep(SOON_S(1000));

	cr_assert_eq(rc, -ECANCELED);
	*ret_rc = (int)soon_shielded(SOON_S(5), soon_sleep(SOON_S(3)));
	return rc;
}

/* The grace ends for groups below, too, and their shielded clean-up is waited for. */
FAKE_TEST(drain, end_of_grace_reaches_nested_groups_but_not_their_shields)
{
	soon_ns start = soon_now();
	int cleaned = 1;
	SOON_GROUP(g);
	SOON_GROUP(inner);

	cr_assert_eq(soon_spawn(&inner, clean_up, &cleaned), 0);
	soon_group_drain(&g, SOON_S(1));
	cr_assert_eq(soon_group_close(&inner, 0), -ECANCELED);
	cr_assert_eq(cleaned, 0);
	cr_assert_eq(soon_now() - start, SOON_S(4));
	cr_assert_eq(soon_group_close(&g, -ECANCELED), 0);
}

FAKE_TEST(drain, shield_hides_a_drain_from_idle_waits)
{
	int rc = 1;
	SOON_GROUP(g);

	soon_group_drain(&g, SOON_S(10));
	SOON_IDLE {
		rc = (int)soon_shielded(SOON_S(5), soon_sleep(SOON_S(1)));
	}
	cr_assert_eq(rc, 0);
	cr_assert_eq(soon_group_close(&g, 0), 0);
}

/* Of two drains the shorter grace counts, whichever comes first. */
FAKE_TEST(drain, second_drain_can_only_shorten_the_grace)
{
	soon_ns start = soon_now();
	SOON_GROUP(g);

	soon_group_drain(&g, SOON_S(10));
	soon_group_drain(&g, SOON_S(20));
	soon_group_drain(&g, SOON_S(3));
	cr_assert_eq(soon_sleep(SOON_S(100)), -ECANCELED);
	cr_assert_eq(soon_now() - start, SOON_S(3));
	cr_assert_eq(soon_group_close(&g, 0), 0);
}
