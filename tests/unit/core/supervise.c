// SPDX-License-Identifier: Apache-2.0
/* Tasks that are run again: by rule, by an on_exit, after pauses, and until it is too often. */
#include <soon/group.h>
#include <soon/mem.h>

#include "fake_test.h"

#include <stdio.h>
#include <string.h>

#define RUNS_MAX 32

/* A task whose n-th run sleeps and gives the n-th result. */
struct actor {
	int rcs[RUNS_MAX];
	soon_ns duration; /* of each run */
	soon_ns began[RUNS_MAX];
	int runs;
	const char *message;
};

static int act(struct actor *self)
{
	int rc;

	cr_assert_lt(self->runs, RUNS_MAX);
	self->began[self->runs] = soon_now();
	rc = self->rcs[self->runs++];
	if (self->duration > 0) {
		int slept = soon_sleep(self->duration);

		if (slept < 0)
			return slept;
	}
	return rc < 0 && self->message ? soon_fail(rc, "%s", self->message) : rc;
}

static int bystander_saw;

static int stand_by(soon_ns duration)
{
	bystander_saw = soon_sleep(duration);
	return bystander_saw;
}

FAKE_TEST(supervise, failed_task_runs_again_and_others_go_on)
{
	struct actor actor = { .rcs = { -EIO, -EPIPE, 3 } };
	int rc = 0;
	soon_task *task;
	SOON_GROUP(g, .policy = SOON_SUPERVISE);

	cr_assert_eq(soon_spawn(&g, stand_by, SOON_S(60)), 0);
	cr_assert_eq(soon_spawn_with(&g, &(soon_task_opts){ .ret_task = &task }, act, &actor), 0);
	cr_assert_eq(soon_join(task, &rc), 0); /* of the last run: the handle is the place */
	cr_assert_eq(rc, 3);
	cr_assert_eq(soon_group_close(&g, 7), 7);
	cr_assert_eq(actor.runs, 3);
	cr_assert_eq(bystander_saw, 0);
	cr_assert_eq(soon_group_failures(&g, NULL, 0), 0);
}

FAKE_TEST(supervise, pauses_double_up_to_their_bound)
{
	struct actor actor = { .rcs = { -EIO, -EIO, -EIO, -EIO, -EIO, 0 } };
	SOON_GROUP(g, .policy = SOON_SUPERVISE, .restart_backoff = SOON_MS(100),
		.restart_backoff_max = SOON_MS(500), .restarts_max = 10);

	cr_assert_eq(soon_spawn(&g, act, &actor), 0);
	cr_assert_eq(soon_group_close(&g, 0), 0);
	cr_assert_eq(actor.runs, 6);
	cr_assert_eq(actor.began[1] - actor.began[0], SOON_MS(100));
	cr_assert_eq(actor.began[2] - actor.began[1], SOON_MS(200));
	cr_assert_eq(actor.began[3] - actor.began[2], SOON_MS(400));
	cr_assert_eq(actor.began[4] - actor.began[3], SOON_MS(500));
	cr_assert_eq(actor.began[5] - actor.began[4], SOON_MS(500));
}

FAKE_TEST(supervise, long_run_forgets_earlier_failures)
{
	struct actor actor = { .rcs = { -EIO, -EIO, 0 }, .duration = SOON_S(20) };
	SOON_GROUP(g, .policy = SOON_SUPERVISE);

	cr_assert_eq(soon_spawn(&g, act, &actor), 0);
	cr_assert_eq(soon_group_close(&g, 0), 0);
	cr_assert_eq(actor.began[1] - actor.began[0], SOON_S(20) + SOON_MS(100));
	cr_assert_eq(actor.began[2] - actor.began[1], SOON_S(20) + SOON_MS(100));
}

FAKE_TEST(supervise, negative_backoff_is_none)
{
	struct actor actor = { .rcs = { -EIO, -EIO, 0 } };
	SOON_GROUP(g, .policy = SOON_SUPERVISE, .restart_backoff = -1);

	cr_assert_eq(soon_spawn(&g, act, &actor), 0);
	cr_assert_eq(soon_group_close(&g, 0), 0);
	cr_assert_eq(actor.runs, 3);
	cr_assert_eq(actor.began[2], actor.began[0]);
}

FAKE_TEST(supervise, too_many_restarts_fail_the_group)
{
	struct actor actor = { .message = "no luck" };
	soon_failure failure;
	ssize_t rc;
	SOON_GROUP(g, .policy = SOON_SUPERVISE, .restart_backoff = -1, .restarts_max = 3);

	for (int i = 0; i < RUNS_MAX; i++)
		actor.rcs[i] = -EIO;
	cr_assert_eq(soon_spawn(&g, stand_by, SOON_NEVER), 0);
	cr_assert_eq(soon_spawn(&g, act, &actor), 0);
	rc = soon_sleep(SOON_NEVER);
	cr_assert_eq(rc, -ECANCELED);
	cr_assert_eq(soon_group_close(&g, rc), -EIO);
	cr_assert_eq(bystander_saw, -ECANCELED);
	cr_assert_eq(actor.runs, 4);
	cr_assert_eq(soon_group_failures(&g, &failure, 1), 1);
	cr_assert_str_eq(failure.task, "act");
	cr_assert_not_null(strstr(failure.message, "3 restarts within 10000 ms: no luck"));
}

static int explain_once(int *runs)
{
	return (*runs)++ == 0 ? soon_fail(-EIO, "of the first run") : -EIO;
}

FAKE_TEST(supervise, message_of_a_run_is_not_the_next_one_s)
{
	soon_failure failure;
	int runs = 0;
	SOON_GROUP(g, .policy = SOON_SUPERVISE, .restart_backoff = -1, .restarts_max = 1);

	cr_assert_eq(soon_spawn(&g, explain_once, &runs), 0);
	cr_assert_eq(soon_group_close(&g, 0), -EIO);
	cr_assert_eq(runs, 2);
	cr_assert_eq(soon_group_failures(&g, &failure, 1), 1);
	cr_assert_str_eq(failure.message, "1 restarts within 10000 ms: given up");
}

static soon_decision after(soon_super *super, const soon_failure *why)
{
	(void)why;
	return super->restarts > 0 ? SOON_DROP : SOON_RESTART_AFTER(*(const soon_ns *)super->data);
}

FAKE_TEST(supervise, on_exit_may_name_any_pause)
{
	struct actor actor = { .rcs = { -EIO, -EPIPE } }, other = { .rcs = { -EIO } };
	soon_ns none = -1, for_ever = SOON_NEVER;
	SOON_GROUP(g, .policy = SOON_SUPERVISE, .on_exit = after, .on_exit_data = &none);
	SOON_GROUP(h, .policy = SOON_SUPERVISE, .on_exit = after, .on_exit_data = &for_ever);

	cr_assert_eq(soon_spawn(&g, act, &actor), 0);
	cr_assert_eq(soon_spawn(&h, act, &other), 0);
	cr_assert_eq(soon_sleep(SOON_S(1)), 0);
	cr_assert_eq(actor.runs, 2);
	cr_assert_eq(actor.began[1], actor.began[0]);
	cr_assert_eq(other.runs, 1);
	soon_group_cancel(&h, "enough of the pause");
	cr_assert_eq(soon_group_close(&h, 0), 0);
	cr_assert_eq(soon_group_close(&g, 0), 0);
}

FAKE_TEST(supervise, restarts_outside_the_window_do_not_count)
{
	struct actor actor = { .duration = SOON_S(3) };
	SOON_GROUP(g, .policy = SOON_SUPERVISE, .restart_backoff = -1, .restarts_max = 3,
		.restart_window = SOON_S(8));

	for (int i = 0; i < 20; i++)
		actor.rcs[i] = -EIO;
	cr_assert_eq(soon_spawn(&g, act, &actor), 0);
	cr_assert_eq(soon_group_close(&g, 0), 0); /* 3 restarts take 9 s */
	cr_assert_eq(actor.runs, 21);
}

FAKE_TEST(supervise, window_is_of_the_group)
{
	struct actor a = { .rcs = { -EIO, -EIO, 0 } }, b = { .rcs = { -EIO, -EIO, 0 } };
	SOON_GROUP(g, .policy = SOON_SUPERVISE, .restarts_max = 3);

	cr_assert_eq(soon_spawn(&g, act, &a), 0);
	cr_assert_eq(soon_spawn(&g, act, &b), 0);
	cr_assert_eq(soon_group_close(&g, 0), -EIO);
	cr_assert_eq(a.runs + b.runs, 4); /* a waits for its second restart */
}

FAKE_TEST(supervise, rule_always_restarts_clean_ends)
{
	struct actor actor = { .rcs = { 0, 5, -EIO, 0 }, .duration = SOON_S(1) };
	SOON_GROUP(g, .policy = SOON_SUPERVISE, .restart = SOON_RESTART_ALWAYS,
		.restart_backoff = SOON_MS(1));

	cr_assert_eq(soon_spawn(&g, act, &actor), 0);
	cr_assert_eq(soon_sleep(SOON_MS(4500)), 0);
	soon_group_cancel(&g, "enough");
	cr_assert_eq(soon_group_close(&g, 0), 0);
	cr_assert_eq(actor.runs, 5);
}

FAKE_TEST(supervise, rule_never_records_and_lets_others_go_on)
{
	struct actor actor = { .rcs = { -EIO } };
	SOON_GROUP(g, .policy = SOON_SUPERVISE, .restart = SOON_RESTART_NEVER);

	cr_assert_eq(soon_spawn(&g, stand_by, SOON_S(1)), 0);
	cr_assert_eq(soon_spawn(&g, act, &actor), 0);
	cr_assert_eq(soon_group_close(&g, 0), -EIO);
	cr_assert_eq(bystander_saw, 0);
	cr_assert_eq(actor.runs, 1);
}

FAKE_TEST(supervise, body_failure_cancels_all)
{
	SOON_GROUP(g, .policy = SOON_SUPERVISE);

	cr_assert_eq(soon_spawn(&g, stand_by, SOON_NEVER), 0);
	cr_assert_eq(soon_yield(), 0);
	cr_assert_eq(soon_group_close(&g, -EINVAL), -EINVAL);
	cr_assert_eq(bystander_saw, -ECANCELED);
}

FAKE_TEST(supervise, cancel_ends_the_pause)
{
	struct actor actor = { .rcs = { -EIO, 0 } };
	soon_ns start = soon_now();
	SOON_GROUP(g, .policy = SOON_SUPERVISE, .restart_backoff = SOON_S(5));

	cr_assert_eq(soon_spawn(&g, act, &actor), 0);
	cr_assert_eq(soon_sleep(SOON_S(1)), 0);
	soon_group_cancel(&g, "enough");
	cr_assert_eq(soon_group_close(&g, 0), 0);
	cr_assert_eq(actor.runs, 1);
	cr_assert_eq(soon_now() - start, SOON_S(1));
}

FAKE_TEST(supervise, drain_ends_the_pause)
{
	struct actor actor = { .rcs = { -EIO, 0 } };
	soon_ns start = soon_now();
	SOON_GROUP(g, .policy = SOON_SUPERVISE, .restart_backoff = SOON_S(5));

	cr_assert_eq(soon_spawn(&g, act, &actor), 0);
	cr_assert_eq(soon_sleep(SOON_S(1)), 0);
	soon_group_drain(&g, SOON_S(60));
	cr_assert_eq(soon_group_close(&g, 0), 0);
	cr_assert_eq(actor.runs, 1);
	cr_assert_eq(soon_now() - start, SOON_S(1));
}

FAKE_TEST(supervise, stray_ecanceled_is_a_failure_to_restart)
{
	struct actor actor = { .rcs = { -ECANCELED, 0 } };
	SOON_GROUP(g, .policy = SOON_SUPERVISE);

	cr_assert_eq(soon_spawn(&g, act, &actor), 0);
	cr_assert_eq(soon_group_close(&g, 0), 0);
	cr_assert_eq(actor.runs, 2);
}

FAKE_TEST(supervise, cancelled_task_is_not_restarted)
{
	struct actor actor = { .duration = SOON_S(9) };
	soon_task *task;
	SOON_GROUP(g, .policy = SOON_SUPERVISE, .restart = SOON_RESTART_ALWAYS);

	cr_assert_eq(soon_spawn_with(&g, &(soon_task_opts){ .ret_task = &task }, act, &actor), 0);
	cr_assert_eq(soon_sleep(SOON_S(1)), 0);
	cr_assert_eq(soon_cancel_join(task), 0);
	cr_assert_eq(soon_group_close(&g, 0), 0);
	cr_assert_eq(actor.runs, 1);
}

/* on_exit. */

struct fixer {
	soon_decision verdicts[8];
	soon_super seen[8];
	int rcs[8]; /* of `why`; 1 when there was none */
	char message[32];
	int asked;
	soon_ns think; /* it may wait */
};

static soon_decision fix(soon_super *super, const soon_failure *why)
{
	struct fixer *self = super->data;
	int i = self->asked++;

	cr_assert_lt(i, 8);
	self->seen[i] = *super;
	self->rcs[i] = why ? why->rc : 1;
	if (why)
		(void)snprintf(self->message + strlen(self->message),
			sizeof self->message - strlen(self->message), "%.8s", why->message);
	if (self->think)
		cr_assert_eq(soon_sleep(self->think), 0);
	return self->verdicts[i];
}

FAKE_TEST(supervise, on_exit_decides)
{
	struct fixer fixer = { .verdicts = {
				       SOON_RESTART_AFTER(SOON_S(3)), SOON_RESTART, SOON_DROP } };
	struct actor actor = { .rcs = { -EIO, -EPIPE, -EPROTO }, .message = "why" };
	SOON_GROUP(g, .policy = SOON_SUPERVISE, .on_exit = fix, .on_exit_data = &fixer,
		.restart_backoff = SOON_S(1));

	cr_assert_eq(soon_spawn(&g, act, &actor), 0);
	cr_assert_eq(soon_group_close(&g, 0), 0); /* dropped: dealt with */
	cr_assert_eq(actor.runs, 3);
	cr_assert_eq(fixer.asked, 3);
	cr_assert_eq(actor.began[1] - actor.began[0], SOON_S(3));
	cr_assert_eq(actor.began[2] - actor.began[1], SOON_S(2)); /* the second in a row */
	cr_assert_eq(fixer.rcs[1], -EPIPE);
	cr_assert_eq(fixer.seen[2].restarts, 2);
	cr_assert_eq(fixer.seen[2].failures, 3);
	cr_assert_eq(fixer.seen[2].group, &g);
	cr_assert_str_eq(fixer.message, "whywhywhy");
	cr_assert_eq(soon_group_failures(&g, NULL, 0), 0);
}

FAKE_TEST(supervise, on_exit_may_wait_and_sees_clean_ends_with_always)
{
	struct fixer fixer = { .verdicts = { SOON_RESTART_AFTER(0), SOON_DROP },
		.think = SOON_S(2) };
	struct actor actor = { .rcs = { 4, 5 } };
	soon_ns start = soon_now();
	SOON_GROUP(g, .policy = SOON_SUPERVISE, .on_exit = fix, .on_exit_data = &fixer,
		.restart = SOON_RESTART_ALWAYS);

	cr_assert_eq(soon_spawn(&g, act, &actor), 0);
	cr_assert_eq(soon_group_close(&g, 0), 0);
	cr_assert_eq(soon_now() - start, SOON_S(4));
	cr_assert_eq(fixer.rcs[0], 1);
	cr_assert_eq(fixer.seen[0].rc, 4);
	cr_assert_eq(fixer.seen[1].rc, 5);
}

FAKE_TEST(supervise, on_exit_is_not_asked_about_clean_ends_otherwise)
{
	struct fixer fixer = { 0 };
	struct actor actor = { .rcs = { 4 } };
	SOON_GROUP(g, .policy = SOON_SUPERVISE, .on_exit = fix, .on_exit_data = &fixer);

	cr_assert_eq(soon_spawn(&g, act, &actor), 0);
	cr_assert_eq(soon_group_close(&g, 0), 0);
	cr_assert_eq(fixer.asked, 0);
}

FAKE_TEST(supervise, on_exit_may_fail_the_group)
{
	struct fixer fixer = { .verdicts = { -EHOSTDOWN } };
	struct actor actor = { .rcs = { -EIO }, .message = "why" };
	soon_failure failure;
	SOON_GROUP(g, .policy = SOON_SUPERVISE, .on_exit = fix, .on_exit_data = &fixer);

	cr_assert_eq(soon_spawn(&g, stand_by, SOON_NEVER), 0);
	cr_assert_eq(soon_spawn(&g, act, &actor), 0);
	cr_assert_eq(soon_group_close(&g, 0), -EHOSTDOWN);
	cr_assert_eq(bystander_saw, -ECANCELED);
	cr_assert_eq(soon_group_failures(&g, &failure, 1), 1);
	cr_assert_str_eq(failure.message, "why");
}

FAKE_TEST(supervise, with_rule_never_on_exit_is_told_only)
{
	struct fixer fixer = { .verdicts = { SOON_RESTART } };
	struct actor actor = { .rcs = { -EIO } };
	SOON_GROUP(g, .policy = SOON_SUPERVISE, .on_exit = fix, .on_exit_data = &fixer,
		.restart = SOON_RESTART_NEVER);

	cr_assert_eq(soon_spawn(&g, act, &actor), 0);
	cr_assert_eq(soon_group_close(&g, 0), 0);
	cr_assert_eq(actor.runs, 1);
	cr_assert_eq(fixer.asked, 1);
}

FAKE_TEST(supervise, cancelled_child_is_an_ordinary_event)
{
	struct fixer fixer = { .verdicts = { SOON_RESTART } };
	struct actor actor = { .duration = SOON_S(9) };
	soon_task *task;
	SOON_GROUP(g, .policy = SOON_SUPERVISE, .on_exit = fix, .on_exit_data = &fixer);

	cr_assert_eq(soon_spawn_with(&g, &(soon_task_opts){ .ret_task = &task }, act, &actor), 0);
	cr_assert_eq(soon_yield(), 0);
	cr_assert_eq(soon_cancel_join(task), 0);
	cr_assert_eq(soon_group_close(&g, 0), 0);
	cr_assert_eq(fixer.asked, 1);
	cr_assert(fixer.seen[0].is_cancelled);
	cr_assert_eq(fixer.rcs[0], -ECANCELED);
	cr_assert_eq(actor.runs, 1);
}

FAKE_TEST(supervise, who_watches_gets_the_failure_that_was_not_cured)
{
	struct actor actor = { .rcs = { -EIO, -EPIPE } };
	soon_failure failure;
	soon_task *task;
	SOON_GROUP(g, .policy = SOON_SUPERVISE, .restarts_max = 1);

	cr_assert_eq(soon_spawn_with(&g, &(soon_task_opts){ .ret_task = &task }, act, &actor), 0);
	{
		/* Behind a shield: the body of the failed group is cancelled. */
		SOON_SCOPE(shield, .shield = true, .deadline = SOON_NEVER);
		SOON_GROUP(watcher);

		cr_assert_eq(soon_group_watch(&watcher, task), 0);
		cr_assert_eq(soon_group_close(&watcher, 0), -EPIPE);
		cr_assert_eq(soon_group_failures(&watcher, NULL, 0), 1);
		cr_assert_eq(soon_scope_close(&shield, 0), 0);
	}
	cr_assert_eq(soon_group_close(&g, 0), -EPIPE);
	cr_assert_eq(soon_group_failures(&g, &failure, 1), 1);
	cr_assert_eq(actor.runs, 2);
}

FAKE_TEST(supervise, too_many_successes_fail_the_group)
{
	struct actor actor = { .rcs = { 0, 1, 2 } };
	SOON_GROUP(g, .policy = SOON_SUPERVISE, .restart = SOON_RESTART_ALWAYS, .restarts_max = 2);

	cr_assert_eq(soon_spawn(&g, act, &actor), 0);
	cr_assert_eq(soon_group_close(&g, 0), -EAGAIN);
	cr_assert_eq(actor.runs, 3);
}

FAKE_TEST(supervise, long_backoff_is_not_cut_by_a_default)
{
	struct actor actor = { .rcs = { -EIO, 0 } };
	SOON_GROUP(g, .policy = SOON_SUPERVISE, .restart_backoff = SOON_S(60));

	cr_assert_eq(soon_spawn(&g, act, &actor), 0);
	cr_assert_eq(soon_group_close(&g, 0), 0);
	cr_assert_eq(actor.began[1] - actor.began[0], SOON_S(60));
}

FAKE_TEST(supervise, restart_that_cannot_be_counted_fails_the_group)
{
	struct actor actor = { .rcs = { -EIO, 0 } };
	soon_failure failure;
	SOON_GROUP(g, .policy = SOON_SUPERVISE);

	cr_assert_eq(soon_spawn(&g, act, &actor), 0);
	soon_mem_fail_at(1);
	cr_assert_eq(soon_group_close(&g, 0), -EIO);
	cr_assert_eq(soon_group_failures(&g, &failure, 1), 1);
	cr_assert_str_eq(failure.message, "no memory to count its restarts");
	cr_assert_eq(actor.runs, 1);
}
