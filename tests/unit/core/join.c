// SPDX-License-Identifier: Apache-2.0
/* Cancelling one task alone, with and without waiting for it. */
#include <soon/group.h>

#include "fake_test.h"

struct part {
	soon_ns duration; /* of the first sleep */
	soon_ns cleanup;  /* behind a shield, after it */
	int rc;           /* when not 0, whatever the sleep gave */
	int saw;
};

static int play(struct part *self)
{
	self->saw = soon_sleep(self->duration);
	if (self->cleanup > 0)
		cr_assert_eq(soon_shielded(SOON_NEVER, soon_sleep(self->cleanup)), 0);
	return self->rc != 0 ? self->rc : self->saw;
}

static soon_task *spawn(soon_group *group, struct part *part)
{
	soon_task *task;

	cr_assert_eq(soon_spawn_with(group, &(soon_task_opts){ .ret_task = &task }, play, part), 0);
	return task;
}

FAKE_TEST(cancel_join, cancels_one_alone_and_waits)
{
	struct part part = { .duration = SOON_S(9), .cleanup = SOON_S(2) },
		    other = { .duration = SOON_S(5) };
	soon_ns start = soon_now();
	soon_task *task;
	SOON_GROUP(g);

	task = spawn(&g, &part);
	(void)spawn(&g, &other);
	cr_assert_eq(soon_sleep(SOON_S(1)), 0);
	cr_assert_eq(soon_cancel_join(task), 0);
	cr_assert_eq(soon_now() - start, SOON_S(3));
	cr_assert_eq(part.saw, -ECANCELED);
	cr_assert_eq(soon_group_close(&g, 0), 0);
	cr_assert_eq(other.saw, 0);
	cr_assert_eq(soon_now() - start, SOON_S(5));
}

FAKE_TEST(cancel_join, ended_task_is_no_matter)
{
	struct part part = { .rc = -EIO };
	soon_task *task;
	SOON_GROUP(g, .policy = SOON_WAIT_ALL);

	task = spawn(&g, &part);
	cr_assert_eq(soon_yield(), 0);
	cr_assert_eq(soon_yield(), 0);
	cr_assert_eq(soon_cancel_join(task), 0);
	cr_assert_eq(soon_cancel_join(SOON_TASK_NONE), 0);
	cr_assert_eq(soon_group_close(&g, 0), -EIO);
}

FAKE_TEST(cancel_join, gives_what_the_task_made_of_it)
{
	struct part fails = { .duration = SOON_S(9), .rc = -EIO },
		    finishes = { .duration = SOON_S(9), .rc = 6 };
	soon_task *task;
	int rc = 0;
	SOON_GROUP(g, .policy = SOON_WAIT_ALL);

	task = spawn(&g, &fails);
	cr_assert_eq(soon_cancel_join(task), -EIO);
	task = spawn(&g, &finishes);
	cr_assert_eq(soon_cancel_join(task), -EALREADY);
	cr_assert_eq(soon_join(task, &rc), 0);
	cr_assert_eq(rc, 6);
	cr_assert_eq(soon_group_close(&g, 0), -EIO);
}

FAKE_TEST(cancel_join, not_started_task_still_runs_to_its_first_wait)
{
	struct part part = { .duration = SOON_S(9) };
	soon_task *task;
	SOON_GROUP(g);

	task = spawn(&g, &part);
	cr_assert_eq(soon_cancel_join(task), 0);
	cr_assert_eq(part.saw, -ECANCELED);
	cr_assert_eq(soon_group_close(&g, 0), 0);
}

FAKE_TEST(cancel_join, cancelled_caller_learns_it_after_the_end)
{
	struct part part = { .duration = SOON_S(9), .cleanup = SOON_S(4) };
	soon_ns start = soon_now();
	soon_task *task;
	SOON_GROUP(g);

	task = spawn(&g, &part);
	cr_assert_eq(soon_within(SOON_S(1), soon_cancel_join(task)), -ETIMEDOUT);
	cr_assert_eq(soon_now() - start, SOON_S(4));
	cr_assert_eq(soon_group_close(&g, 0), 0);
}

static int cancel_and_join(soon_task *task)
{
	return soon_cancel_join(task);
}

FAKE_TEST(cancel_join, of_oneself_or_of_who_waits_for_one_is_edeadlk)
{
	soon_task *task;
	int rc = 0;
	SOON_GROUP(g, .policy = SOON_WAIT_ALL);

	cr_assert_eq(soon_cancel_join(soon_self()), -EDEADLK);
	cr_assert_eq(soon_spawn_with(&g, &(soon_task_opts){ .ret_task = &task }, cancel_and_join,
			     soon_self()),
		0);
	cr_assert_eq(soon_join(task, &rc), 0);
	cr_assert_eq(rc, -EDEADLK);
	cr_assert_eq(soon_group_close(&g, 0), -EDEADLK);
	cr_assert(soon_test_reported(
		"'cancel_join_of_oneself_or_of_who_waits_for_one_is_edeadlk' #1, "
		"which is itself"));
	cr_assert(soon_test_reported("'cancel_and_join' #2 would wait"));
	soon_test_reports_expected = 2;
}

SOON_TEST_PLAIN(cancel_join, outside_a_task_is_eperm)
{
	cr_assert_eq(soon_cancel_join(SOON_TASK_NONE), -EPERM);
	soon_test_reports_expected = 1;
}

static int nest(struct part *self)
{
	ssize_t rc;
	SOON_SCOPE(outer);
	SOON_GROUP(g);

	rc = soon_spawn(&g, play, self);
	if (rc == 0)
		rc = soon_within(SOON_S(50), soon_sleep(SOON_S(60)));
	rc = soon_group_close(&g, rc);
	return (int)soon_scope_close(&outer, rc);
}

FAKE_TEST(task_cancel, reaches_everything_the_task_has_opened)
{
	struct part part = { .duration = SOON_S(9) };
	soon_ns start = soon_now();
	soon_task *task;
	SOON_GROUP(g);

	cr_assert_eq(soon_spawn_with(&g, &(soon_task_opts){ .ret_task = &task }, nest, &part), 0);
	cr_assert_eq(soon_sleep(SOON_S(1)), 0);
	soon_task_cancel(task, "enough");
	soon_task_cancel(task, "enough");
	cr_assert_eq(soon_group_close(&g, 0), 0); /* cancelled is not failed */
	cr_assert_eq(part.saw, -ECANCELED);
	cr_assert_eq(soon_now() - start, SOON_S(1));
}

static int cancel_oneself(int *saw)
{
	soon_task_cancel(soon_self(), "by itself");
	*saw = soon_yield();
	cr_assert_str_eq(soon_cancel_reason().why, "by itself");
	return *saw;
}

FAKE_TEST(task_cancel, may_be_of_oneself)
{
	int saw = 0;
	SOON_GROUP(g);

	cr_assert_eq(soon_spawn(&g, cancel_oneself, &saw), 0);
	cr_assert_eq(soon_group_close(&g, 0), 0);
	cr_assert_eq(saw, -ECANCELED);
	cr_assert_eq(soon_join(SOON_TASK_NONE, &saw), 0);
	cr_assert_eq(saw, 0);
}

/* Handles that were kept too long. */

static soon_task *kept_too_long(void)
{
	struct part part = { .duration = SOON_S(1) };
	soon_task *task;
	SOON_GROUP(g);

	task = spawn(&g, &part);
	cr_assert_eq(soon_join(task, NULL), 0);
	cr_assert_str_eq(soon_task_name(task), "play");
	cr_assert_eq(soon_group_close(&g, 0), 0);
	return task;
}

FAKE_TEST(handle, of_a_closed_group_is_told)
{
	soon_task *task = kept_too_long();
	int rc = 5;
	SOON_GROUP(g);

	cr_assert_eq(soon_join(task, &rc), -ESHUTDOWN);
	cr_assert_eq(rc, 5);
	cr_assert_eq(soon_cancel_join(task), -ESHUTDOWN);
	cr_assert_eq(soon_group_watch(&g, task), -ESHUTDOWN);
	cr_assert_not(soon_group_forget(&g, task));
	soon_task_cancel(task, "late");
	cr_assert_str_eq(soon_task_name(task), "(gone)");
	cr_assert_eq(soon_group_close(&g, 0), 0);
	soon_test_reports_expected = 6;
}

FAKE_TEST(handle, is_told_from_the_later_task_in_its_place)
{
	soon_task *task = kept_too_long(), *later;
	struct part part = { .duration = SOON_S(1) };
	SOON_GROUP(g);

	later = spawn(&g, &part);
	cr_assert_eq((uintptr_t)task & ~(uintptr_t)63, (uintptr_t)later & ~(uintptr_t)63);
	soon_task_cancel(task, "late");
	cr_assert_eq(soon_join(task, NULL), -ESHUTDOWN);
	cr_assert_eq(soon_group_close(&g, 0), 0);
	cr_assert_eq(part.saw, 0);
	soon_test_reports_expected = 2;
}

static int give_handle(soon_task **ret_task)
{
	*ret_task = kept_too_long();
	return 0;
}

static int join_it(soon_task *task)
{
	return soon_join(task, NULL);
}

SOON_TEST_PLAIN(handle, of_an_earlier_run_is_told)
{
	soon_task *task;

	cr_assert_eq(FAKE_RUN(NULL, give_handle, &task), 0);
	cr_assert_eq(FAKE_RUN(NULL, join_it, task), -ESHUTDOWN);
	soon_test_reports_expected = 1;
}
