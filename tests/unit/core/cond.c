// SPDX-License-Identifier: Apache-2.0
/* Conditions: signals reach exactly one, the mutex always comes back, no signal is lost. */
#include <soon/mutex.h>

#include "core.h"
#include "handle.h"
#include "sync_test.h"

static soon_mutex lock = SOON_MUTEX_INIT;
static soon_cond cond = SOON_COND_INIT;
static struct trace trace;

static int wait_and_note(int letter)
{
	int rc = soon_mutex_lock(&lock);

	if (rc < 0)
		return rc;
	SOON_MUTEX_OWN(&lock);
	rc = soon_cond_wait(&cond, &lock);
	cr_assert(soon_mutex_is_held(&lock));
	trace_add(&trace, rc == 0 ? (char)letter : rc == -ECANCELED ? '-' : '?');
	return 0;
}

static void spawn_waiters(soon_group *group, int first, int last)
{
	for (int letter = first; letter <= last; letter++)
		cr_assert_eq(soon_spawn(group, wait_and_note, letter), 0);
	cr_assert_eq(soon_yield(), 0);
	cr_assert_eq(soon_yield(), 0);
}

FAKE_TEST(cond, signal_wakes_who_waited_longest)
{
	SOON_GROUP(g);

	cr_assert_eq(soon_cond_signal(&cond), 0); /* for nobody */
	cr_assert_eq(soon_cond_broadcast(&cond), 0);
	spawn_waiters(&g, 'a', 'd');
	cr_assert_eq(soon_cond_signal(&cond), 0);
	cr_assert_eq(soon_sleep(1), 0);
	cr_assert_str_eq(trace.text, "a");
	cr_assert_eq(soon_cond_broadcast(&cond), 0);
	cr_assert_eq(soon_group_close(&g, 0), 0);
	cr_assert_str_eq(trace.text, "abcd");
}

FAKE_TEST(cond, signalled_tasks_get_the_mutex_one_by_one)
{
	SOON_GROUP(g);

	spawn_waiters(&g, 'a', 'c');
	cr_assert_eq(soon_mutex_lock(&lock), 0);
	cr_assert_eq(soon_cond_broadcast(&cond), 0);
	cr_assert_eq(soon_sleep(1), 0);
	cr_assert_eq(trace.len, 0);
	cr_assert_eq(soon_mutex_unlock(&lock), 0);
	cr_assert_eq(soon_group_close(&g, 0), 0);
	cr_assert_str_eq(trace.text, "abc");
}

static int lock_and_note(int letter)
{
	int rc = soon_mutex_lock(&lock);

	if (rc < 0)
		return rc;
	trace_add(&trace, (char)letter);
	return soon_mutex_unlock(&lock);
}

/* Whoever asked for the mutex before the signal has it before the signalled. */
FAKE_TEST(cond, signalled_task_queues_for_the_mutex)
{
	soon_task *waiter;
	SOON_GROUP(g);

	cr_assert_eq(
		soon_spawn_with(&g, &(soon_task_opts){ .ret_task = &waiter }, wait_and_note, 'w'),
		0);
	cr_assert_eq(soon_yield(), 0);
	cr_assert_str_eq(soon__handle_record(waiter)->wait->what, "cond wait");
	cr_assert_null(soon__handle_record(waiter)->wait->holder);
	cr_assert_eq(soon_mutex_lock(&lock), 0);
	cr_assert_eq(soon_spawn(&g, lock_and_note, '1'), 0);
	cr_assert_eq(soon_yield(), 0);
	cr_assert_eq(soon_cond_signal(&cond), 0);
	cr_assert_str_eq(soon__handle_record(waiter)->wait->what, "mutex lock");
	cr_assert_eq(soon__handle_record(waiter)->wait->holder(soon__handle_record(waiter)->wait),
		soon__task_self());
	cr_assert_eq(soon_spawn(&g, lock_and_note, '2'), 0);
	cr_assert_eq(soon_yield(), 0);
	cr_assert_eq(soon_mutex_unlock(&lock), 0);
	cr_assert_eq(soon_group_close(&g, 0), 0);
	cr_assert_str_eq(trace.text, "1w2");
}

/* Cancels, at each moment: the mutex is locked in every case. */

FAKE_TEST(cond, cancelled_before_the_wait_keeps_the_mutex)
{
	cr_assert_eq(soon_mutex_lock(&lock), 0);
	cr_assert_eq(IN_CANCELLED(soon_cond_wait(&cond, &lock)), -ECANCELED);
	cr_assert(soon_mutex_is_held(&lock));
	cr_assert_eq(soon_mutex_unlock(&lock), 0);
}

FAKE_TEST(cond, cancelled_in_the_wait_takes_the_mutex_again)
{
	SOON_GROUP(g);

	spawn_waiters(&g, 'a', 'b');
	cr_assert_eq(soon_mutex_lock(&lock), 0);
	soon_group_cancel(&g, "test");
	/* They may not have it, cancelled or not, while somebody else does. */
	cr_assert_eq(soon_shielded(SOON_NEVER, soon_sleep(SOON_S(1))), 0);
	cr_assert_eq(trace.len, 0);
	cr_assert_eq(soon_mutex_unlock(&lock), 0);
	cr_assert_eq(soon_group_close(&g, 0), 0);
	cr_assert_str_eq(trace.text, "--");
}

FAKE_TEST(cond, timeout_leaves_the_queue)
{
	SOON_GROUP(g);

	cr_assert_eq(soon_mutex_lock(&lock), 0);
	cr_assert_eq(soon_within(SOON_S(1), soon_cond_wait(&cond, &lock)), -ETIMEDOUT);
	cr_assert(soon_mutex_is_held(&lock));
	cr_assert_eq(soon_mutex_unlock(&lock), 0);
	spawn_waiters(&g, 'a', 'a');
	cr_assert_eq(soon_cond_signal(&cond), 0);
	cr_assert_eq(soon_group_close(&g, 0), 0);
	cr_assert_str_eq(trace.text, "a");
}

/* The signal chose `a`; were it lost with the cancel, it should have gone to `b`. */
FAKE_TEST(cond, cancel_after_the_signal_comes_too_late)
{
	SOON_GROUP(g);

	spawn_waiters(&g, 'a', 'b');
	cr_assert_eq(soon_cond_signal(&cond), 0); /* gets the mutex at once */
	soon_group_cancel(&g, "test");
	cr_assert_eq(soon_group_close(&g, 0), 0);
	cr_assert_str_eq(trace.text, "a-");
}

FAKE_TEST(cond, cancel_while_the_signalled_queues_comes_too_late)
{
	SOON_GROUP(g);

	spawn_waiters(&g, 'a', 'b');
	cr_assert_eq(soon_mutex_lock(&lock), 0);
	cr_assert_eq(soon_cond_signal(&cond), 0); /* waits for the mutex from now on */
	soon_group_cancel(&g, "test");
	cr_assert_eq(soon_shielded(SOON_NEVER, soon_yield()), 0);
	cr_assert_eq(trace.len, 0);
	cr_assert_eq(soon_mutex_unlock(&lock), 0);
	cr_assert_eq(soon_group_close(&g, 0), 0);
	cr_assert_str_eq(trace.text, "a-");
}

/* Misuse. */

static int wait_without(void *unused)
{
	(void)unused;
	ASSERT_REPORTED(soon_cond_wait(&cond, &lock), -EPERM, "task 'wait_without'", "another");
	return 0;
}

FAKE_TEST(cond, wait_without_the_mutex_is_refused)
{
	SOON_GROUP(g);

	ASSERT_REPORTED(soon_cond_wait(&cond, &lock), -EPERM, "soon_cond_wait", "it is free");
	cr_assert_eq(soon_mutex_lock(&lock), 0);
	cr_assert_eq(soon_spawn(&g, wait_without, NULL), 0);
	cr_assert_eq(soon_group_close(&g, 0), 0);
	cr_assert_eq(soon_mutex_unlock(&lock), 0);
}

SOON_TEST_PLAIN(cond, needs_a_core)
{
	ASSERT_REPORTED(soon_cond_wait(&cond, &lock), -EPERM, "cond_wait", "runs no core");
	ASSERT_REPORTED(soon_cond_signal(&cond), -EPERM, "cond_signal", "runs none");
	ASSERT_REPORTED(soon_cond_broadcast(&cond), -EPERM, "cond_broadcast", "runs none");
}

static void signal_in_callback(soon_callback *self)
{
	(void)self;
	cr_assert_eq(soon_cond_signal(&cond), 0);
}

FAKE_TEST(cond, may_be_signalled_in_a_callback)
{
	static soon_callback callback = { .fn = signal_in_callback };
	SOON_GROUP(g);

	spawn_waiters(&g, 'a', 'a');
	cr_assert_eq(soon_mutex_lock(&lock), 0);
	cr_assert_eq(soon_post(soon_core_self(), &callback), 0);
	cr_assert_eq(soon_sleep(1), 0);
	cr_assert_eq(soon_mutex_unlock(&lock), 0);
	cr_assert_eq(soon_group_close(&g, 0), 0);
	cr_assert_str_eq(trace.text, "a");
}

static int lock_and_leave(void *unused)
{
	(void)unused;
	return soon_mutex_lock(&lock);
}

static int wait_for_dead_mutex(int *ret_rc)
{
	cr_assert_eq(soon_mutex_lock(&lock), 0);
	*ret_rc = soon_cond_wait(&cond, &lock);
	cr_assert_not(soon_mutex_is_held(&lock));
	return 0;
}

/* There is no mutex to come back with. */
FAKE_TEST(cond, mutex_left_by_a_task_that_ended_fails_the_wait)
{
	int signalled = 1, cancelled = 1;
	SOON_GROUP(g);

	soon_on_report(keep_report, NULL);
	cr_assert_eq(soon_spawn(&g, wait_for_dead_mutex, &signalled), 0);
	cr_assert_eq(soon_spawn(&g, wait_for_dead_mutex, &cancelled), 0);
	cr_assert_eq(soon_yield(), 0);
	cr_assert_eq(soon_spawn(&g, lock_and_leave, NULL), 0);
	cr_assert_eq(soon_yield(), 0);
	cr_assert_eq(soon_cond_signal(&cond), 0);
	soon_group_cancel(&g, "test");
	cr_assert_eq(soon_group_close(&g, 0), 0);
	cr_assert_eq(signalled, -EOWNERDEAD);
	cr_assert_eq(cancelled, -EOWNERDEAD);
	soon_test_reports_expected += 3; /* the end of the owner, and for each that wanted it */
}

FAKE_TEST(cond, report_of_a_dead_owner_names_who_waits)
{
	int signalled = 1;
	SOON_GROUP(g);

	cr_assert_eq(soon_spawn(&g, wait_for_dead_mutex, &signalled), 0);
	cr_assert_eq(soon_yield(), 0);
	soon_test_reports_expected++; /* the end of the owner */
	cr_assert_eq(soon_spawn(&g, lock_and_leave, NULL), 0);
	cr_assert_eq(soon_yield(), 0);
	ASSERT_REPORTED(soon_cond_signal(&cond), 0, "'lock_and_leave'",
		"'wait_for_dead_mutex' will not get it");
	cr_assert_eq(soon_group_close(&g, 0), 0);
	cr_assert_eq(signalled, -EOWNERDEAD);
}

/* Runs after runs and beside runs. */

static int use_once(void *unused)
{
	SOON_GROUP(g);

	(void)unused;
	trace = (struct trace){ 0 };
	spawn_waiters(&g, 'a', 'b');
	cr_assert_eq(soon_cond_broadcast(&cond), 0);
	cr_assert_eq(soon_group_close(&g, 0), 0);
	cr_assert_str_eq(trace.text, "ab");
	return 0;
}

SOON_TEST_PLAIN(cond, serves_one_run_after_another)
{
	for (int i = 0; i < 3; i++)
		cr_assert_eq(FAKE_RUN(NULL, use_once, NULL), 0);
	cr_assert_eq(on_other_core(use_once, NULL), 0);
}

static int refused_elsewhere(void *unused)
{
	soon_mutex mine = SOON_MUTEX_INIT;

	(void)unused;
	cr_assert_eq(soon_mutex_lock(&mine), 0);
	ASSERT_REPORTED(soon_cond_wait(&cond, &mine), -EPERM, "another core", "'wait_and_note'");
	cr_assert(soon_mutex_is_held(&mine));
	cr_assert_eq(soon_mutex_unlock(&mine), 0);
	ASSERT_REPORTED(soon_cond_signal(&cond), -EPERM, "cond_signal", "'wait_and_note'");
	ASSERT_REPORTED(soon_cond_broadcast(&cond), -EPERM, "cond_broadcast", "'wait_and_note'");
	return 0;
}

FAKE_TEST(cond, waited_for_on_one_core_is_refused_on_another)
{
	SOON_GROUP(g);

	spawn_waiters(&g, 'a', 'a');
	cr_assert_eq(on_other_core(refused_elsewhere, NULL), 0);
	cr_assert_eq(soon_cond_signal(&cond), 0);
	cr_assert_eq(soon_group_close(&g, 0), 0);
	cr_assert_str_eq(trace.text, "a");
}

static int lock_elsewhere(void *unused)
{
	(void)unused;
	ASSERT_REPORTED(soon_mutex_lock(&lock), -EPERM, "another core", "'wait_and_note'");
	return 0;
}

/* It is free, and nobody has waited for it yet; but whoever is signalled will want it back. */
FAKE_TEST(cond, mutex_given_up_stays_with_its_core)
{
	SOON_GROUP(g);

	spawn_waiters(&g, 'a', 'a');
	cr_assert_eq(on_other_core(lock_elsewhere, NULL), 0);
	cr_assert_eq(soon_cond_signal(&cond), 0);
	cr_assert_eq(soon_group_close(&g, 0), 0);
	cr_assert_str_eq(trace.text, "a");
}

/*
 * Any order: as many go on as were signalled, each with the mutex, and an item put in for a signal
 * is there unless somebody who came by took it.
 */

#define CONSUMERS 6

struct world {
	uint64_t random;
	soon_mutex mutex;
	soon_cond cond;
	unsigned waiting, signals, woken, cancelled, inside;
	bool is_over;
	unsigned sum_woken, sum_cancelled;
};

static int consume(struct world *w)
{
	ssize_t rc = 0;

	while (!w->is_over) {
		cr_assert_eq(soon_mutex_lock(&w->mutex), 0);
		w->waiting++;
		rc = soon_within(1 + (soon_ns)random_below(&w->random, 5),
			soon_cond_wait(&w->cond, &w->mutex));
		cr_assert(rc == 0 || rc == -ETIMEDOUT);
		cr_assert(soon_mutex_is_held(&w->mutex));
		cr_assert_eq(w->inside++, 0);
		if (rc == 0)
			w->woken++;
		else
			w->cancelled++;
		if (random_below(&w->random, 2))
			cr_assert_eq(soon_sleep((soon_ns)random_below(&w->random, 3)), 0);
		w->inside--;
		cr_assert_eq(soon_mutex_unlock(&w->mutex), 0);
	}
	return 0;
}

static unsigned queue_length(soon_cond *cond_)
{
	/* What the test knows of the inside: the queue comes first, linked from its head. */
	unsigned count = 0;
	struct node {
		struct node *next;
	} *node = *(struct node **)(void *)cond_;

	for (; node; node = node->next)
		count++;
	return count;
}

static int signal_often(struct world *w)
{
	for (int i = 0; i < 12; i++) {
		unsigned length = queue_length(&w->cond);

		if (random_below(&w->random, 4) == 0) {
			w->signals += length;
			cr_assert_eq(soon_cond_broadcast(&w->cond), 0);
		} else {
			w->signals += length > 0;
			cr_assert_eq(soon_cond_signal(&w->cond), 0);
		}
		cr_assert_eq(soon_sleep((soon_ns)random_below(&w->random, 4)), 0);
	}
	w->is_over = true;
	return 0;
}

static int signal_in_any_order(struct world *w)
{
	SOON_GROUP(g);

	w->signals = w->woken = w->cancelled = w->waiting = 0;
	w->is_over = false;
	for (int i = 0; i < CONSUMERS; i++)
		cr_assert_eq(soon_spawn(&g, consume, w), 0);
	cr_assert_eq(soon_spawn(&g, signal_often, w), 0);
	cr_assert_eq(soon_group_close(&g, 0), 0);
	cr_assert_eq(w->woken, w->signals);
	cr_assert_eq(w->woken + w->cancelled, w->waiting);
	w->sum_woken += w->woken;
	w->sum_cancelled += w->cancelled;
	return 0;
}

SOON_TEST_PLAIN(cond, loses_no_signal_under_a_thousand_orders)
{
	struct world w = { .mutex = SOON_MUTEX_INIT, .cond = SOON_COND_INIT };

	FOR_SEEDS(&w, signal_in_any_order);
	cr_assert_gt(w.sum_woken, SEEDS);
	cr_assert_gt(w.sum_cancelled, SEEDS);
}
