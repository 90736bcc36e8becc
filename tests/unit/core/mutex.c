// SPDX-License-Identifier: Apache-2.0
/* Mutexes: the order of being handed on, cancels at every moment, misuse, and runs after runs. */
#include <soon/mutex.h>

#include "core.h"
#include "handle.h"
#include "sync_test.h"

#include <sys/wait.h>
#include <unistd.h>

static soon_mutex lock = SOON_MUTEX_INIT;
static struct trace trace;

FAKE_TEST(mutex, locks_and_unlocks)
{
	cr_assert_not(soon_mutex_is_held(&lock));
	for (int i = 0; i < 3; i++) {
		cr_assert_eq(soon_mutex_lock(&lock), 0);
		cr_assert(soon_mutex_is_held(&lock));
		cr_assert_eq(soon_mutex_unlock(&lock), 0);
	}
	cr_assert_not(soon_mutex_is_held(&lock));
	cr_assert_eq(soon_mutex_try_lock(&lock), 0);
	cr_assert_eq(soon_mutex_try_lock(&lock), -EAGAIN);
	cr_assert_eq(soon_mutex_unlock(&lock), 0);
}

static int lock_and_note(int letter)
{
	int rc = soon_mutex_lock(&lock);

	if (rc < 0)
		return rc;
	SOON_MUTEX_OWN(&lock);
	cr_assert_eq(soon_mutex_try_lock(&lock), -EAGAIN);
	trace_add(&trace, (char)letter);
	return soon_yield();
}

FAKE_TEST(mutex, is_handed_on_in_the_order_of_asking)
{
	SOON_GROUP(g);

	cr_assert_eq(soon_mutex_lock(&lock), 0);
	for (int letter = 'a'; letter <= 'e'; letter++)
		cr_assert_eq(soon_spawn(&g, lock_and_note, letter), 0);
	cr_assert_eq(soon_yield(), 0);
	cr_assert_eq(trace.len, 0);
	cr_assert_eq(soon_mutex_unlock(&lock), 0);
	/* Handed on already: whoever comes now is the last. */
	cr_assert_eq(soon_mutex_try_lock(&lock), -EAGAIN);
	cr_assert_eq(lock_and_note('f'), 0);
	cr_assert_eq(soon_group_close(&g, 0), 0);
	cr_assert_str_eq(trace.text, "abcdef");
	cr_assert_eq(soon__task_self()->locks_held, 0);
}

FAKE_TEST(mutex, free_one_is_not_locked_in_a_cancelled_scope)
{
	cr_assert_eq(IN_CANCELLED(soon_mutex_lock(&lock)), -ECANCELED);
	cr_assert_not(soon_mutex_is_held(&lock));
	/* What does not wait works. */
	cr_assert_eq(IN_CANCELLED(soon_mutex_try_lock(&lock)), 0);
	cr_assert_eq(IN_CANCELLED(soon_mutex_unlock(&lock)), 0);
}

static int lock_within(int letter)
{
	ssize_t rc = soon_within(SOON_S(1), lock_and_note(letter));

	return rc == -ETIMEDOUT ? 0 : (int)rc;
}

FAKE_TEST(mutex, cancelled_waiter_leaves_the_queue)
{
	SOON_GROUP(g);

	cr_assert_eq(soon_mutex_lock(&lock), 0);
	cr_assert_eq(soon_spawn(&g, lock_and_note, 'a'), 0);
	cr_assert_eq(soon_spawn(&g, lock_within, 'b'), 0);
	cr_assert_eq(soon_spawn(&g, lock_and_note, 'c'), 0);
	cr_assert_eq(soon_spawn(&g, lock_within, 'd'), 0);
	cr_assert_eq(soon_sleep(SOON_S(2)), 0);
	cr_assert_eq(soon_mutex_unlock(&lock), 0);
	cr_assert_eq(soon_group_close(&g, 0), 0);
	cr_assert_str_eq(trace.text, "ac");
}

static int lock_with_result(int *ret_rc)
{
	*ret_rc = soon_mutex_lock(&lock);
	return *ret_rc == 0 ? soon_mutex_unlock(&lock) : 0;
}

FAKE_TEST(mutex, cancel_after_the_handing_on_comes_too_late)
{
	int first = 1, second = 1;
	SOON_GROUP(g);

	cr_assert_eq(soon_mutex_lock(&lock), 0);
	cr_assert_eq(soon_spawn(&g, lock_with_result, &first), 0);
	cr_assert_eq(soon_spawn(&g, lock_with_result, &second), 0);
	cr_assert_eq(soon_yield(), 0);
	cr_assert_eq(soon_mutex_unlock(&lock), 0);
	soon_group_cancel(&g, "test");
	cr_assert_eq(soon_group_close(&g, 0), 0);
	cr_assert_eq(first, 0);
	cr_assert_eq(second, -ECANCELED);
	cr_assert_eq(soon_mutex_try_lock(&lock), 0);
	cr_assert_eq(soon_mutex_unlock(&lock), 0);
}

static int lock_often(bool *is_done)
{
	for (int i = 0; i < 1000 && !*is_done; i++) {
		cr_assert_eq(soon_mutex_lock(&lock), 0);
		cr_assert_eq(soon_mutex_unlock(&lock), 0);
	}
	return *is_done ? 0 : -ETIME;
}

static int set_flag(bool *flag)
{
	*flag = true;
	return 0;
}

FAKE_TEST(mutex, loop_over_a_free_one_gives_others_a_turn)
{
	bool is_done = false;
	SOON_GROUP(g);

	cr_assert_eq(soon_spawn(&g, lock_often, &is_done), 0);
	cr_assert_eq(soon_spawn(&g, set_flag, &is_done), 0);
	cr_assert_eq(soon_group_close(&g, 0), 0);
}

/* The wait-for graph asks who has to act. */
FAKE_TEST(mutex, wait_names_the_holder)
{
	soon_task *waiter;
	SOON_GROUP(g);

	cr_assert_eq(soon_mutex_lock(&lock), 0);
	cr_assert_eq(
		soon_spawn_with(&g, &(soon_task_opts){ .ret_task = &waiter }, lock_and_note, 'a'),
		0);
	cr_assert_eq(soon_yield(), 0);
	cr_assert_str_eq(soon__handle_record(waiter)->wait->what, "mutex lock");
	cr_assert_eq(soon__handle_record(waiter)->wait->holder(soon__handle_record(waiter)->wait),
		soon__task_self());
	cr_assert_eq(soon_mutex_unlock(&lock), 0);
	cr_assert_eq(soon_group_close(&g, 0), 0);
}

/* Misuse. */

static int unlock_others(void *unused)
{
	(void)unused;
	ASSERT_REPORTED(soon_mutex_unlock(&lock), -EPERM, "unlock_others",
		"'mutex_misuse_is_refused_and_names_both', spawned at");
	return 0;
}

FAKE_TEST(mutex, misuse_is_refused_and_names_both)
{
	SOON_GROUP(g);

	ASSERT_REPORTED(soon_mutex_unlock(&lock), -EPERM, "soon_mutex_unlock", "is free");
	cr_assert_eq(soon_mutex_lock(&lock), 0);
	ASSERT_REPORTED(soon_mutex_lock(&lock), -EDEADLK, "soon_mutex_lock: task 'mutex_misuse",
		"would wait for itself");
	cr_assert_eq(soon_spawn(&g, unlock_others, NULL), 0);
	cr_assert_eq(soon_group_close(&g, 0), 0);
	cr_assert(soon_mutex_is_held(&lock));
	cr_assert_eq(soon_mutex_unlock(&lock), 0);
}

static void use_in_callback(soon_callback *self)
{
	(void)self;
	ASSERT_REPORTED(soon_mutex_lock(&lock), -EPERM, "mutex_lock", "own stack");
	ASSERT_REPORTED(soon_mutex_try_lock(&lock), -EPERM, "mutex_try_lock", "in a task");
	ASSERT_REPORTED(soon_mutex_unlock(&lock), -EPERM, "mutex_unlock", "in the task");
	cr_assert_not(soon_mutex_is_held(&lock));
}

FAKE_TEST(mutex, needs_a_task)
{
	static soon_callback callback = { .fn = use_in_callback };

	cr_assert_eq(soon_post(soon_core_self(), &callback), 0);
	cr_assert_eq(soon_sleep(1), 0);
}

SOON_TEST_PLAIN(mutex, needs_a_core)
{
	ASSERT_REPORTED(soon_mutex_lock(&lock), -EPERM, "mutex_lock", "runs no core");
	ASSERT_REPORTED(soon_mutex_try_lock(&lock), -EPERM, "mutex_try_lock", "in a task");
	ASSERT_REPORTED(soon_mutex_unlock(&lock), -EPERM, "mutex_unlock", "none runs here");
	cr_assert_not(soon_mutex_is_held(&lock));
}

static int lock_and_leave(void *unused)
{
	(void)unused;
	return soon_mutex_lock(&lock);
}

static int wait_for_the_dead(void *unused)
{
	(void)unused;
	return soon_sleep(1) < 0 ? -1 : soon_mutex_lock(&lock);
}

static ssize_t spawn_and_close(int (*fn)(void *))
{
	SOON_GROUP(g);

	cr_assert_eq(soon_spawn(&g, fn, NULL), 0);
	return soon_group_close(&g, 0);
}

/* Its end is reported, so is every try to get the mutex, until somebody repairs it. */
FAKE_TEST(mutex, left_by_a_task_that_ended_is_owner_dead)
{
	ASSERT_REPORTED(spawn_and_close(lock_and_leave), 0, "ended while", "held 1 lock");
	ASSERT_REPORTED(soon_mutex_lock(&lock), -EOWNERDEAD, "soon_mutex_lock", "ended");
	ASSERT_REPORTED(soon_mutex_try_lock(&lock), -EOWNERDEAD, "soon_mutex_try_lock", "ended");
	/* A task in the same place on the same stack is not the owner. */
	ASSERT_REPORTED(
		spawn_and_close(wait_for_the_dead), -EOWNERDEAD, "soon_mutex_lock", "ended");
	ASSERT_REPORTED(soon_mutex_unlock(&lock), -EPERM, "unlocks what", "has ended");
	soon_mutex_init(&lock);
	cr_assert_eq(soon_mutex_lock(&lock), 0);
	cr_assert_eq(soon_mutex_unlock(&lock), 0);
}

FAKE_TEST(mutex, handle_of_who_left_it_locked_stays_good)
{
	soon_task *task;
	int rc = 1;
	SOON_GROUP(g);

	cr_assert_eq(
		soon_spawn_with(&g, &(soon_task_opts){ .ret_task = &task }, lock_and_leave, NULL),
		0);
	cr_assert_eq(soon_join(task, &rc), 0);
	cr_assert_eq(rc, 0);
	cr_assert_eq(soon_join(task, NULL), 0); /* it has ended */
	cr_assert_eq(soon_group_close(&g, 0), 0);
	soon_mutex_init(&lock);
	soon_test_reports_expected++;
}

static int lock_and_fail_once(int *count)
{
	if (++*count == 1)
		return soon_mutex_lock(&lock) < 0 ? -1 : -EIO;
	soon_on_report(keep_report, NULL);
	cr_assert_eq(soon_mutex_lock(&lock), -EOWNERDEAD);
	cr_assert_eq(soon_mutex_unlock(&lock), -EPERM);
	return 0;
}

/* Run again by its group, on the same stack, a task does not have what it left locked. */
FAKE_TEST(mutex, restarted_task_is_not_the_owner)
{
	int count = 0;
	SOON_GROUP(g, .policy = SOON_SUPERVISE, .restart = SOON_RESTART_ON_FAILURE);

	soon_on_report(keep_report, NULL);
	cr_assert_eq(soon_spawn(&g, lock_and_fail_once, &count), 0);
	cr_assert_eq(soon_group_close(&g, 0), 0);
	cr_assert_eq(count, 2);
	soon_test_reports_expected += 3; /* the first end, the lock, the unlock */
}

/* Runs after runs, beside runs, and in a child. */

static int contend(void *unused)
{
	SOON_GROUP(g);

	(void)unused;
	trace = (struct trace){ 0 };
	cr_assert_eq(soon_spawn(&g, lock_and_note, 'a'), 0);
	cr_assert_eq(soon_spawn(&g, lock_and_note, 'b'), 0);
	cr_assert_eq(soon_group_close(&g, 0), 0);
	cr_assert_str_eq(trace.text, "ab");
	return 0;
}

SOON_TEST_PLAIN(mutex, serves_one_run_after_another)
{
	for (int i = 0; i < 3; i++)
		cr_assert_eq(FAKE_RUN(NULL, contend, NULL), 0);
	cr_assert_eq(on_other_core(contend, NULL), 0);
}

static int find_left(void *unused)
{
	(void)unused;
	ASSERT_REPORTED(soon_mutex_lock(&lock), -EOWNERDEAD, "task 'find_left'", "left in use");
	ASSERT_REPORTED(soon_mutex_try_lock(&lock), -EOWNERDEAD, "task 'find_left'", "left in use");
	ASSERT_REPORTED(soon_mutex_unlock(&lock), -EOWNERDEAD, "task 'find_left'", "left in use");
	cr_assert_not(soon_mutex_is_held(&lock));
	soon_mutex_init(&lock);
	return contend(NULL);
}

SOON_TEST_PLAIN(mutex, left_by_a_run_that_ended_is_owner_dead)
{
	ASSERT_REPORTED(FAKE_RUN(NULL, lock_and_leave, NULL), 0, "lock_and_leave", "ended");
	cr_assert_eq(FAKE_RUN(NULL, find_left, NULL), 0);
}

static int refused_elsewhere(void *unused)
{
	(void)unused;
	ASSERT_REPORTED(soon_mutex_lock(&lock), -EPERM, "of run 2 uses",
		"belongs to another core, to run 1");
	ASSERT_REPORTED(soon_mutex_try_lock(&lock), -EPERM, "of run 2 uses",
		"belongs to another core, to run 1");
	ASSERT_REPORTED(soon_mutex_unlock(&lock), -EPERM, "of run 2 uses",
		"belongs to another core, to run 1");
	return 0;
}

FAKE_TEST(mutex, held_on_one_core_is_refused_on_another)
{
	cr_assert_eq(soon_mutex_lock(&lock), 0);
	cr_assert_eq(on_other_core(refused_elsewhere, NULL), 0);
	cr_assert(soon_mutex_is_held(&lock));
	cr_assert_eq(soon_mutex_unlock(&lock), 0);
}

static int named_elsewhere(void *unused)
{
	(void)unused;
	ASSERT_REPORTED(soon_mutex_lock(&lock), -EPERM, "another core", "'lock_and_note'");
	return 0;
}

FAKE_TEST(mutex, contended_on_one_core_stays_there_while_the_run_lasts)
{
	cr_assert_eq(contend(NULL), 0);
	cr_assert_eq(on_other_core(named_elsewhere, NULL), 0);
	cr_assert_eq(contend(NULL), 0);
}

static int lock_once(void *unused)
{
	(void)unused;
	cr_assert_eq(soon_mutex_lock(&lock), 0);
	return soon_mutex_unlock(&lock);
}

FAKE_TEST(mutex, idle_one_that_nobody_waited_for_may_move)
{
	cr_assert_eq(lock_once(NULL), 0);
	cr_assert_eq(on_other_core(lock_once, NULL), 0);
	cr_assert_eq(lock_once(NULL), 0);
}

/* The child has the memory, but none of the tasks: whoever holds and waits there never acts. */
FAKE_TEST(mutex, waited_for_in_the_parent_is_owner_dead_in_the_child)
{
	int status;
	pid_t pid;
	SOON_GROUP(g);

	cr_assert_eq(soon_mutex_lock(&lock), 0);
	cr_assert_eq(soon_spawn(&g, lock_and_note, 'a'), 0);
	cr_assert_eq(soon_yield(), 0);
	pid = fork();
	if (pid == 0)
		_exit(FAKE_RUN(NULL, find_left, NULL) == 0 ? 7 : 8);
	cr_assert_eq(waitpid(pid, &status, 0), pid);
	cr_assert_eq(WEXITSTATUS(status), 7);
	cr_assert_eq(soon_mutex_unlock(&lock), 0);
	cr_assert_eq(soon_group_close(&g, 0), 0);
	cr_assert_str_eq(trace.text, "a");
}

/* Any order: never two inside, nobody overtaken, nobody left behind. */

#define USERS 8

struct world {
	uint64_t random;
	soon_mutex mutex;
	unsigned inside, given, asked;
	uint64_t served; /* the ticket served last */
	unsigned cancelled, late;
};

static int use(struct world *w)
{
	for (uint64_t i = 1 + random_below(&w->random, 4); i > 0; i--) {
		soon_ns patience = (soon_ns)random_below(&w->random, 6);
		uint64_t ticket = ++w->asked;
		ssize_t rc = soon_within(patience, soon_mutex_lock(&w->mutex));

		if (rc == -ETIMEDOUT) {
			w->cancelled++;
			continue;
		}
		cr_assert(soon_mutex_is_held(&w->mutex));
		cr_assert_eq(w->inside++, 0);
		cr_assert_gt(ticket, w->served);
		w->served = ticket;
		w->given++;
		if (random_below(&w->random, 2))
			cr_assert_eq(soon_sleep((soon_ns)random_below(&w->random, 4)), 0);
		else
			cr_assert_eq(soon_yield(), 0);
		w->inside--;
		cr_assert_eq(soon_mutex_unlock(&w->mutex), 0);
	}
	return 0;
}

static int use_in_any_order(struct world *w)
{
	SOON_GROUP(g);

	w->asked = w->given = w->cancelled = 0;
	w->served = 0;
	for (int i = 0; i < USERS; i++)
		cr_assert_eq(soon_spawn(&g, use, w), 0);
	cr_assert_eq(soon_group_close(&g, 0), 0);
	cr_assert_eq(w->given + w->cancelled, w->asked);
	w->late += w->cancelled;
	cr_assert_eq(soon_mutex_try_lock(&w->mutex), 0);
	return soon_mutex_unlock(&w->mutex);
}

SOON_TEST_PLAIN(mutex, excludes_and_keeps_the_order_under_a_thousand_orders)
{
	struct world w = { .mutex = SOON_MUTEX_INIT };

	FOR_SEEDS(&w, use_in_any_order);
	cr_assert_gt(w.late, SEEDS);
}
