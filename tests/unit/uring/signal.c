// SPDX-License-Identifier: Apache-2.0
/* Signals: none lost, none taken twice, one handle for each, all as before afterwards. */
#include <soon/mem.h>
#include <soon/scope.h>
#include <soon/signal.h>

#include "kit.h"

#include <pthread.h>

SOON_TEST(signal, takes_one_of_the_list)
{
	int sig;

	cr_assert_eq(soon_within(KIT_SHORT, soon_signal_wait(SIGUSR1, SIGUSR2, 0)), -ETIMEDOUT);
	/* Blocked from the first call on: it is not lost between two calls. */
	cr_assert_eq(kill(getpid(), SIGUSR2), 0);
	kit_settle();
	sig = soon_signal_wait(SIGUSR1, SIGUSR2, 0);
	cr_assert_eq(sig, SIGUSR2);
	cr_assert_eq(soon_within(KIT_SHORT, soon_signal_wait(SIGUSR1, SIGUSR2, 0)), -ETIMEDOUT);
}

SOON_TEST(signal, equal_ones_count_once)
{
	cr_assert_eq(soon_within(KIT_SHORT, soon_signal_wait(SIGUSR1, 0)), -ETIMEDOUT);
	cr_assert_eq(kill(getpid(), SIGUSR1), 0);
	cr_assert_eq(kill(getpid(), SIGUSR1), 0);
	cr_assert_eq(soon_signal_wait(SIGUSR1, 0), SIGUSR1);
	cr_assert_eq(soon_within(KIT_SHORT, soon_signal_wait(SIGUSR1, 0)), -ETIMEDOUT);
}

static int wait_for_usr1(int *ret_sig)
{
	*ret_sig = soon_signal_wait(SIGUSR1, 0);
	return 0;
}

SOON_TEST(signal, wakes_a_sleeping_core)
{
	int sig = 0;
	SOON_GROUP(g);

	cr_assert_eq(soon_spawn(&g, wait_for_usr1, &sig), 0);
	kit_settle();
	soon_test_expect_errors(1);
	cr_assert_eq(soon_signal_wait(SIGUSR2, SIGUSR1, 0), -EBUSY);
	cr_assert(soon_test_reported("task 'wait_for_usr1' is waiting"));
	/* Another signal is another matter. */
	cr_assert_eq(soon_within(KIT_SHORT, soon_signal_wait(SIGUSR2, 0)), -ETIMEDOUT);
	cr_assert_eq(kill(getpid(), SIGUSR1), 0);
	cr_assert_eq(soon_group_close(&g, 0), 0);
	cr_assert_eq(sig, SIGUSR1);
}

SOON_TEST(signal, wrong_lists)
{
	unsigned before = kit_fd_count();

	cr_assert_eq(soon_signal_wait(0), -EINVAL);
	cr_assert_eq(soon_signal_wait(SIGKILL, 0), -EINVAL);
	cr_assert_eq(soon_signal_wait(SIGUSR1, SIGSTOP, 0), -EINVAL);
	cr_assert_eq(soon_signal_wait(SIGUSR1, 9999, 0), -EINVAL);
	cr_assert_eq(kit_fd_count(), before);
}

SOON_TEST(signal, cancelled_scope)
{
	SOON_SCOPE(s);

	soon_scope_cancel(&s, "test");
	cr_assert_eq(soon_signal_wait(SIGUSR1, 0), -ECANCELED);
	cr_assert_eq(soon_scope_close(&s, 0), 0);
}

SOON_TEST_PLAIN(signal, refused_outside_of_a_task)
{
	soon_test_expect_errors(1);
	cr_assert_eq(soon_signal_wait(SIGUSR1, 0), -EPERM);
	cr_assert(soon_test_reported("soon_signal_wait: must be called in a task"));
}

static volatile sig_atomic_t handled;

static void note_handled(int sig)
{
	handled = sig;
}

static int block_and_leave(void *unused)
{
	(void)unused;
	cr_assert_eq(soon_within(KIT_SHORT, soon_signal_wait(SIGUSR1, 0)), -ETIMEDOUT);
	cr_assert_eq(kill(getpid(), SIGUSR1), 0);
	kit_settle();
	cr_assert_eq(handled, 0);
	return 0;
}

SOON_TEST_PLAIN(signal, what_nobody_took_is_delivered_after_the_run)
{
	sigset_t mask;

	(void)signal(SIGUSR1, note_handled);
	cr_assert_eq(soon_run(block_and_leave, NULL), 0);
	cr_assert_eq(handled, SIGUSR1);
	cr_assert_eq(pthread_sigmask(SIG_BLOCK, NULL, &mask), 0);
	cr_assert_not(sigismember(&mask, SIGUSR1));
}

/* ---- handles ----------------------------------------------------------------------------- */

#define SET_12 (SOON_SIG(SIGUSR1) | SOON_SIG(SIGUSR2))

SOON_TEST(signal, a_handle_gets_what_comes_from_its_opening_on)
{
	soon_signal_info info;
	soon_signals *signals;

	cr_assert_eq(soon_signals_open(SET_12, &signals), 0);
	cr_assert_eq(kill(getpid(), SIGUSR2), 0);
	kit_settle();
	cr_assert_eq(soon_signals_next(signals, &info), SIGUSR2);
	cr_assert_eq(info.signo, SIGUSR2);
	cr_assert_eq(info.code, SI_USER);
	cr_assert_eq(info.pid, getpid());
	cr_assert_eq(info.uid, getuid());
	cr_assert_eq(soon_within(KIT_SHORT, soon_signals_next(signals, NULL)), -ETIMEDOUT);
	soon_signals_close(signals);
	soon_signals_close(NULL);
}

SOON_TEST(signal, real_time_signals_are_queued_with_their_values)
{
	soon_signal_info info;
	soon_signals *signals;

	cr_assert_eq(soon_signals_open(SOON_SIG(SIGRTMIN + 1), &signals), 0);
	for (int i = 1; i <= 3; i++)
		cr_assert_eq(sigqueue(getpid(), SIGRTMIN + 1, (union sigval){ .sival_int = i }), 0);
	for (int i = 1; i <= 3; i++) {
		cr_assert_eq(soon_signals_next(signals, &info), SIGRTMIN + 1);
		cr_assert_eq(info.code, SI_QUEUE);
		cr_assert_eq((int)info.value, i);
	}
	soon_signals_close(signals);
}

SOON_TEST(signal, a_signal_has_one_handle)
{
	soon_signals *signals, *other;

	soon_test_expect_errors(2);
	cr_assert_eq(soon_signals_open(SET_12, &signals), 0);
	cr_assert_eq(soon_signals_open(SOON_SIG(SIGUSR2) | SOON_SIG(SIGHUP), &other), -EBUSY);
	cr_assert(soon_test_reported("SIGUSR2 is taken already, by soon_signals_open in task"));
	cr_assert_eq(soon_signal_wait(SIGUSR1, 0), -EBUSY);
	cr_assert_eq(soon_signals_open(SOON_SIG(SIGHUP), &other), 0);
	soon_signals_close(other);
	soon_signals_close(signals);
	cr_assert_eq(soon_signals_open(SET_12, &signals), 0);
	soon_signals_close(signals);
}

static int next_of(soon_signals *signals)
{
	return soon_signals_next(signals, NULL) == SIGUSR1 ? 0 : -EPROTO;
}

SOON_TEST(signal, a_handle_has_one_reader)
{
	soon_signals *signals;
	SOON_GROUP(g);

	soon_test_expect_errors(1);
	cr_assert_eq(soon_signals_open(SOON_SIG(SIGUSR1), &signals), 0);
	cr_assert_eq(soon_spawn(&g, next_of, signals), 0);
	kit_settle();
	cr_assert_eq(soon_signals_next(signals, NULL), -EBUSY);
	cr_assert_eq(kill(getpid(), SIGUSR1), 0);
	cr_assert_eq(soon_group_close(&g, 0), 0);
	soon_signals_close(signals);
}

SOON_TEST(signal, wrong_sets)
{
	soon_signals *signals;
	unsigned before = kit_fd_count();

	cr_assert_eq(soon_signals_open(0, &signals), -EINVAL);
	cr_assert_eq(soon_signals_open(SOON_SIG(SIGKILL), &signals), -EINVAL);
	cr_assert_eq(soon_signals_open(SOON_SIG(SIGUSR1) | SOON_SIG(SIGSEGV), &signals), -EINVAL);
	cr_assert_eq(soon_signals_open(SOON_SIG(33), &signals), -EINVAL);
	cr_assert_eq(kit_fd_count(), before);
}

static int open_kill_and_close(void *unused)
{
	soon_signals *signals;

	(void)unused;
	cr_assert_eq(soon_signals_open(SET_12, &signals), 0);
	cr_assert_eq(kill(getpid(), SIGUSR1), 0);
	kit_settle();
	cr_assert_eq(handled, 0);
	soon_signals_close(signals);
	cr_assert_eq(handled, SIGUSR1);
	return 0;
}

SOON_TEST_PLAIN(signal, what_was_not_read_goes_to_the_handler_at_the_close)
{
	struct sigaction now;

	(void)signal(SIGUSR1, note_handled);
	cr_assert_eq(soon_run(open_kill_and_close, NULL), 0);
	cr_assert_eq(sigaction(SIGUSR1, NULL, &now), 0);
	cr_assert_eq(now.sa_handler, note_handled);
	cr_assert_eq(sigaction(SIGUSR2, NULL, &now), 0);
	cr_assert_eq(now.sa_handler, SIG_DFL);
}

/* The thread blocked them before, and does so after: they stay pending for the process. */
SOON_TEST_PLAIN(signal, what_was_not_read_stays_pending_where_it_was_blocked)
{
	sigset_t set, pending;

	(void)sigemptyset(&set);
	(void)sigaddset(&set, SIGUSR1);
	cr_assert_eq(pthread_sigmask(SIG_BLOCK, &set, NULL), 0);
	(void)signal(SIGUSR1, note_handled);
	cr_assert_eq(soon_run(block_and_leave, NULL), 0);
	cr_assert_eq(handled, 0);
	cr_assert_eq(sigpending(&pending), 0);
	cr_assert(sigismember(&pending, SIGUSR1));
}

/* A thread of the program that blocks nothing, as if started before the run. */
static void *raise_here(void *unused)
{
	sigset_t none;

	(void)unused;
	(void)sigemptyset(&none);
	(void)pthread_sigmask(SIG_SETMASK, &none, NULL);
	(void)raise(SIGUSR1); /* goes to this thread and no other */
	return NULL;
}

SOON_TEST(signal, threads_that_do_not_block_them_pass_them_on)
{
	soon_signal_info info;
	soon_signals *signals;
	pthread_t thread;

	cr_assert_eq(soon_signals_open(SET_12, &signals), 0);
	cr_assert_eq(pthread_create(&thread, NULL, raise_here, NULL), 0);
	cr_assert_eq(soon_signals_next(signals, &info), SIGUSR1);
	cr_assert_eq(info.pid, getpid());
	cr_assert_eq(pthread_join(thread, NULL), 0);
	soon_signals_close(signals);
}

/* Somebody unblocks it on the core's own thread. */
SOON_TEST(signal, an_unblocked_one_is_not_lost)
{
	soon_signals *signals;
	sigset_t set;

	cr_assert_eq(soon_signals_open(SOON_SIG(SIGUSR1), &signals), 0);
	(void)sigemptyset(&set);
	(void)sigaddset(&set, SIGUSR1);
	cr_assert_eq(pthread_sigmask(SIG_UNBLOCK, &set, NULL), 0);
	cr_assert_eq(kill(getpid(), SIGUSR1), 0);
	cr_assert_eq(soon_signals_next(signals, NULL), SIGUSR1);
	soon_signals_close(signals);
}

static int leave_open(void *unused)
{
	soon_signals *signals;

	(void)unused;
	return soon_signals_open(SOON_SIG(SIGUSR1), &signals);
}

SOON_TEST_PLAIN(signal, a_handle_left_open_ends_with_the_run)
{
	struct sigaction now;

	cr_assert_eq(soon_run(leave_open, NULL), 0);
	cr_assert(soon_test_reported("signals that task 'leave_open' opened at"));
	cr_assert_eq(sigaction(SIGUSR1, NULL, &now), 0);
	cr_assert_eq(now.sa_handler, SIG_DFL);
}

SOON_TEST(signal, every_allocation_may_fail)
{
	soon_signals *signals = NULL;
	int rc = -ENOMEM;

	for (uint64_t k = 1; rc == -ENOMEM; k++) {
		soon_mem_fail_at(k);
		rc = soon_signals_open(SET_12, &signals);
		soon_mem_fail_at(0);
	}
	cr_assert_eq(rc, 0);
	soon_signals_close(signals);
}
