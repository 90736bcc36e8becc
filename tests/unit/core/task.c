// SPDX-License-Identifier: Apache-2.0
/* Tasks: how they are run, what they are handed, how they end, and how others learn of it. */
#include <soon/task.h>

#include "fake_test.h"

#include <fenv.h>
#include <pthread.h>
#include <string.h>

/* Runs. */

static int give(int rc)
{
	return rc;
}

SOON_TEST_PLAIN(task, run_gives_what_its_function_gives)
{
	cr_assert_eq(FAKE_RUN(NULL, give, 0), 0);
	cr_assert_eq(FAKE_RUN(NULL, give, 41), 41);
	cr_assert_eq(FAKE_RUN(NULL, give, -EIO), -EIO);
	cr_assert_eq(FAKE_RUN(NULL, give, -ECANCELED), -ECANCELED);
	cr_assert_null(soon_core_self());
}

SOON_TEST_PLAIN(task, run_fails_as_its_poller_does)
{
	const struct fake_opts opts = { .open_rc = -EMFILE };

	cr_assert_eq(FAKE_RUN(&opts, give, 0), -EMFILE);
	cr_assert_null(soon_core_self());
	cr_assert_eq(FAKE_RUN(NULL, give, 3), 3);
}

FAKE_TEST(task, run_inside_a_task_is_refused)
{
	cr_assert_eq(soon_run(give, 0), -EBUSY);
	cr_assert_eq(soon_report_errors(), 1);
	soon_test_reports_expected = 1;
}

static void *run_on_thread(void *unused)
{
	(void)unused;
	for (int i = 0; i < 20; i++)
		cr_assert_eq(FAKE_RUN(NULL, give, i), i);
	return NULL;
}

SOON_TEST_PLAIN(task, several_threads_run_at_once)
{
	pthread_t threads[4];

	for (int i = 0; i < 4; i++)
		cr_assert_eq(pthread_create(&threads[i], NULL, run_on_thread, NULL), 0);
	for (int i = 0; i < 4; i++)
		cr_assert_eq(pthread_join(threads[i], NULL), 0);
}

/* Arguments arrive as the function's own type, from registers that held who knows what. */

static int take_bool(bool arg)
{
	return arg == true;
}

static int take_schar(signed char arg)
{
	return arg == -3;
}

static int take_ushort(unsigned short arg)
{
	return arg == 65535;
}

static int take_long(long arg)
{
	return arg == -5000000000L;
}

static int take_string(const char *arg)
{
	return strcmp(arg, "text") == 0;
}

FAKE_TEST(task, arguments_arrive_by_their_own_type)
{
	soon_task *tasks[5];
	int rc;
	SOON_GROUP(g);

#define SPAWN(i, fn, arg)                                                                          \
	cr_assert_eq(soon_spawn_with(&g, &(soon_task_opts){ .ret_task = &tasks[i] }, fn, arg), 0)
	SPAWN(0, take_bool, true);
	SPAWN(1, take_schar, (signed char)-3);
	SPAWN(2, take_ushort, (unsigned short)65535);
	SPAWN(3, take_long, -5000000000L);
	SPAWN(4, take_string, "text");
#undef SPAWN
	for (int i = 0; i < 5; i++) {
		cr_assert_eq(soon_join(tasks[i], &rc), 0);
		cr_assert_eq(rc, 1, "task %d", i);
	}
	cr_assert_eq(soon_group_close(&g, 0), 0);
}

struct block {
	_Alignas(16) char text[600];
	int *ret_len;
};

static int measure(struct block *copy)
{
	cr_assert_eq((uintptr_t)copy % 16, 0);
	*copy->ret_len = (int)strlen(copy->text);
	memset(copy->text, 0, sizeof copy->text);
	return soon_yield();
}

FAKE_TEST(task, copy_is_taken_at_the_spawn)
{
	int len = 0;
	struct block block = { .ret_len = &len };
	SOON_GROUP(g);

	memset(block.text, 'x', 500);
	cr_assert_eq(soon_spawn_copy(&g, measure, &block), 0);
	memset(&block, 0, sizeof block);
	cr_assert_eq(soon_group_close(&g, 0), 0);
	cr_assert_eq(len, 500);
}

struct big_block {
	char text[1025];
};

static int never(struct big_block *unused)
{
	(void)unused;
	cr_assert(false);
	return 0;
}

FAKE_TEST(task, copy_has_a_limit)
{
	static struct big_block block;
	SOON_GROUP(g);

	cr_assert_eq(soon_spawn_copy(&g, never, &block), -E2BIG);
	cr_assert_eq(soon_group_live(&g), 0);
	cr_assert_eq(soon_group_close(&g, 0), 0);
}

/* Names and identity. */

static int check_name(const char *expected)
{
	cr_assert_str_eq(soon_task_name(NULL), expected);
	cr_assert_str_eq(soon_task_name(soon_self()), expected);
	return 0;
}

FAKE_TEST(task, name_is_the_function_s_unless_given)
{
	const soon_task_opts opts = { .name = "given" };
	SOON_GROUP(g);

	cr_assert_eq(soon_spawn(&g, check_name, "check_name"), 0);
	cr_assert_eq(soon_spawn_with(&g, &opts, check_name, "given"), 0);
	cr_assert_eq(soon_group_close(&g, 0), 0);
}

SOON_TEST_PLAIN(task, outside_there_is_none)
{
	cr_assert_null(soon_self());
	cr_assert_null(soon_core_self());
	cr_assert_str_eq(soon_task_name(NULL), "(none)");
	cr_assert_eq(soon_fail(-EIO, "nobody keeps %s", "this"), -EIO);
	cr_assert_not(soon_cancelled());
	cr_assert_not(soon_offload_cancelled());
}

SOON_TEST_PLAIN(task, suspending_outside_is_reported_and_refused)
{
	cr_assert_eq(soon_yield(), -EPERM);
	cr_assert_eq(soon_sleep(1), -EPERM);
	cr_assert_eq(soon_sleep_until(1), -EPERM);
	cr_assert_eq(soon_checkpoint(), -EPERM);
	cr_assert_eq(soon_offload(give, 0), -EPERM);
	cr_assert_eq(soon_background(give, 0), -EPERM);
	soon_test_reports_expected = 6;
}

static void suspend_in_callback(soon_callback *callback)
{
	(void)callback;
	cr_assert_null(soon_self());
	cr_assert_not_null(soon_core_self());
	cr_assert_eq(soon_yield(), -EPERM);
}

FAKE_TEST(task, suspending_in_a_callback_is_reported_and_refused)
{
	soon_callback callback = { .fn = suspend_in_callback };

	cr_assert_eq(soon_post(soon_core_self(), &callback), 0);
	while (soon_report_errors() == 0)
		cr_assert_eq(soon_yield(), 0);
	soon_test_reports_expected = 1;
}

/* Joining. */

struct sleeper {
	soon_ns duration;
	int rc;
};

static int sleep_and_give(struct sleeper *self)
{
	int rc = soon_sleep(self->duration);

	return rc < 0 ? rc : self->rc;
}

FAKE_TEST(task, join_waits_and_reads_the_result)
{
	struct sleeper sleeper = { SOON_S(2), 33 };
	soon_ns start = soon_now();
	soon_task *task;
	int rc = 0;
	SOON_GROUP(g);

	cr_assert_eq(soon_spawn_with(
			     &g, &(soon_task_opts){ .ret_task = &task }, sleep_and_give, &sleeper),
		0);
	cr_assert_eq(soon_join(task, &rc), 0);
	cr_assert_eq(rc, 33);
	cr_assert_eq(soon_now() - start, SOON_S(2));
	rc = 0;
	cr_assert_eq(soon_join(task, &rc), 0);
	cr_assert_eq(rc, 33);
	cr_assert_eq(soon_join(task, NULL), 0);
	cr_assert_str_eq(soon_task_name(task), "sleep_and_give");
	cr_assert_eq(soon_group_close(&g, 0), 0);
}

FAKE_TEST(task, join_of_a_failed_one_succeeds_and_gives_its_failure)
{
	struct sleeper sleeper = { SOON_S(1), -EIO };
	soon_task *task;
	int rc = 0;
	SOON_GROUP(g, .policy = SOON_WAIT_ALL);

	cr_assert_eq(soon_spawn_with(
			     &g, &(soon_task_opts){ .ret_task = &task }, sleep_and_give, &sleeper),
		0);
	cr_assert_eq(soon_join(task, &rc), 0);
	cr_assert_eq(rc, -EIO);
	cr_assert_eq(soon_group_close(&g, 0), -EIO);
}

FAKE_TEST(task, cancelled_joiner_leaves_its_target_alone)
{
	struct sleeper sleeper = { SOON_S(5), 1 };
	soon_task *task;
	int rc = 0;
	SOON_GROUP(g);

	cr_assert_eq(soon_spawn_with(
			     &g, &(soon_task_opts){ .ret_task = &task }, sleep_and_give, &sleeper),
		0);
	cr_assert_eq(soon_within(SOON_S(1), soon_join(task, &rc)), -ETIMEDOUT);
	cr_assert_eq(rc, 0);
	cr_assert_eq(soon_join(task, &rc), 0);
	cr_assert_eq(rc, 1);
	cr_assert_eq(soon_group_close(&g, 0), 0);
}

static int join_it(soon_task *target)
{
	int rc = 0;
	int joined = soon_join(target, &rc);

	return joined < 0 ? joined : rc;
}

FAKE_TEST(task, several_may_join_one)
{
	struct sleeper sleeper = { SOON_S(5), 8 };
	soon_task *task, *joiners[3];
	int rc;
	SOON_GROUP(g);

	cr_assert_eq(soon_spawn_with(
			     &g, &(soon_task_opts){ .ret_task = &task }, sleep_and_give, &sleeper),
		0);
	for (int i = 0; i < 3; i++)
		cr_assert_eq(soon_spawn_with(&g, &(soon_task_opts){ .ret_task = &joiners[i] },
				     join_it, task),
			0);
	for (int i = 0; i < 3; i++) {
		cr_assert_eq(soon_join(joiners[i], &rc), 0);
		cr_assert_eq(rc, 8);
	}
	cr_assert_eq(soon_group_close(&g, 0), 0);
}

FAKE_TEST(task, joining_oneself_is_a_deadlock)
{
	cr_assert_eq(soon_join(soon_self(), NULL), -EDEADLK);
	soon_test_reports_expected = 1;
}

/* What the processor keeps per task. */

struct rounder {
	int mode;
	soon_group *group;
};

static int keep_rounding(struct rounder *self)
{
	volatile double one = 1.0, three = 3.0;
	double before, after;

	cr_assert_eq(fegetround(), FE_TONEAREST);
	cr_assert_eq(fesetround(self->mode), 0);
	before = one / three;
	for (int i = 0; i < 10; i++) {
		cr_assert_eq(soon_yield(), 0);
		cr_assert_eq(fegetround(), self->mode);
		after = one / three;
		cr_assert(before == after);
	}
	return 0;
}

FAKE_TEST(task, rounding_mode_is_its_own)
{
	struct rounder up = { FE_UPWARD, NULL }, down = { FE_DOWNWARD, NULL };
	struct rounder zero = { FE_TOWARDZERO, NULL };
	SOON_GROUP(g);

	cr_assert_eq(soon_spawn(&g, keep_rounding, &up), 0);
	cr_assert_eq(soon_spawn(&g, keep_rounding, &down), 0);
	cr_assert_eq(soon_spawn(&g, keep_rounding, &zero), 0);
	cr_assert_eq(soon_group_close(&g, 0), 0);
	cr_assert_eq(fegetround(), FE_TONEAREST);
}

/* In numbers. */

static int count_one(unsigned *counter)
{
	int rc = soon_yield();

	++*counter;
	return rc;
}

FAKE_TEST(task, ten_thousand_live_at_once)
{
	unsigned counter = 0;
	SOON_GROUP(g);

	for (int i = 0; i < 10000; i++)
		cr_assert_eq(soon_spawn(&g, count_one, &counter), 0);
	cr_assert_eq(soon_group_live(&g), 10000);
	cr_assert_eq(soon_group_close(&g, 0), 0);
	cr_assert_eq(counter, 10000);
}

static int spawn_too_many(void *unused)
{
	unsigned counter = 0;
	int spawned = 0, rc;
	SOON_GROUP(g);

	(void)unused;
	while ((rc = soon_spawn(&g, count_one, &counter)) == 0)
		spawned++;
	cr_assert_eq(rc, -EAGAIN);
	cr_assert_eq(soon_group_close(&g, 0), 0);
	cr_assert_eq((int)counter, spawned);
	return spawned;
}

SOON_TEST_PLAIN(task, tasks_max_bounds_a_core)
{
	const soon_opts run = { .tasks_max = 64 };
	const struct fake_opts opts = { .run = &run };

	cr_assert_eq(FAKE_RUN(&opts, spawn_too_many, NULL), 63);
}

/* Another thread's core is out of reach. */

static struct {
	soon_group *group;
	soon_task *task;
	pthread_barrier_t meet;
} foreign;

static int own(void *unused)
{
	SOON_GROUP(g);

	(void)unused;
	foreign.group = &g;
	cr_assert_eq(
		soon_spawn_with(&g, &(soon_task_opts){ .ret_task = &foreign.task }, give, 0), 0);
	pthread_barrier_wait(&foreign.meet); /* now it may be tried */
	pthread_barrier_wait(&foreign.meet); /* it has been */
	return (int)soon_group_close(&g, 0);
}

static void *own_on_thread(void *unused)
{
	(void)unused;
	cr_assert_eq(FAKE_RUN(NULL, own, NULL), 0);
	return NULL;
}

static int reach_over(void *unused)
{
	(void)unused;
	cr_assert_eq(soon_spawn(foreign.group, give, 0), -EPERM);
	cr_assert_eq(soon_join(foreign.task, NULL), -EPERM);
	return 0;
}

SOON_TEST_PLAIN(task, spawning_and_joining_across_cores_is_reported_and_refused)
{
	pthread_t thread;

	cr_assert_eq(pthread_barrier_init(&foreign.meet, NULL, 2), 0);
	cr_assert_eq(pthread_create(&thread, NULL, own_on_thread, NULL), 0);
	pthread_barrier_wait(&foreign.meet);
	cr_assert_eq(FAKE_RUN(NULL, reach_over, NULL), 0);
	pthread_barrier_wait(&foreign.meet);
	cr_assert_eq(pthread_join(thread, NULL), 0);
	soon_test_reports_expected = 2;
}

/* Background. */

static struct {
	int rc, saw;
	soon_ns cleanup;
} service;

static int serve(void *unused)
{
	(void)unused;
	service.saw = soon_sleep(SOON_NEVER);
	if (service.cleanup > 0)
		cr_assert_eq(soon_shielded(SOON_NEVER, soon_sleep(service.cleanup)), 0);
	return service.rc != 0 ? service.rc : service.saw;
}

static int with_service(int rc)
{
	cr_assert_eq(soon_background(serve, NULL), 0);
	cr_assert_eq(soon_yield(), 0);
	return rc;
}

SOON_TEST_PLAIN(task, background_is_cancelled_when_main_ends)
{
	service.cleanup = SOON_S(3);
	cr_assert_eq(FAKE_RUN(NULL, with_service, 5), 5);
	cr_assert_eq(service.saw, -ECANCELED);
}

SOON_TEST_PLAIN(task, background_failure_is_reported_and_is_the_result)
{
	service.rc = -EIO;
	cr_assert_eq(FAKE_RUN(NULL, with_service, 5), -EIO);
	soon_test_reports_expected = 1;
}

static int fail_later(void *unused)
{
	(void)unused;
	cr_assert_eq(soon_sleep(SOON_S(2)), 0);
	return soon_fail(-EIO, "no disk");
}

static int wait_beside_a_failure(soon_ns duration)
{
	int rc;

	cr_assert_eq(soon_background(fail_later, NULL), 0);
	rc = soon_sleep(duration);
	cr_assert_eq(soon_report_errors(), 1); /* when it happened, not at the end */
	if (rc == -ECANCELED)
		cr_assert_str_eq(soon_cancel_reason().why,
			"background task 'fail_later' of core 0 failed: no disk");
	return rc;
}

SOON_TEST_PLAIN(task, background_failure_ends_the_run_at_once)
{
	cr_assert_eq(FAKE_RUN(NULL, wait_beside_a_failure, SOON_NEVER), -EIO);
	soon_test_reports_expected = 1;
}

SOON_TEST_PLAIN(task, background_failure_may_be_outlived)
{
	soon_opts opts = { .keep_running = true };

	cr_assert_eq(
		FAKE_RUN(&(struct fake_opts){ .run = &opts }, wait_beside_a_failure, SOON_S(9)),
		-EIO);
	soon_test_reports_expected = 1;
}

SOON_TEST_PLAIN(task, main_s_failure_beats_the_background_s)
{
	service.rc = -EIO;
	cr_assert_eq(FAKE_RUN(NULL, with_service, -EPIPE), -EPIPE);
	soon_test_reports_expected = 1;
}

/* Who outlasts the grace is named after that and after twice as long each, and waited for. */
SOON_TEST_PLAIN(task, background_that_does_not_end_is_reported)
{
	soon_opts opts = { .grace = SOON_S(10) };

	service.cleanup = SOON_S(60);
	cr_assert_eq(FAKE_RUN(&(struct fake_opts){ .run = &opts }, with_service, 5), 5);
	cr_assert_eq(service.saw, -ECANCELED);
	cr_assert_eq(soon_report_errors(), 3); /* after 10, 20 and 40 s */
	soon_test_reports_expected = 3;
}
