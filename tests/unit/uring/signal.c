// SPDX-License-Identifier: Apache-2.0
/* Waiting for signals: none lost, none taken twice, the mask restored. */
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
	cr_assert_eq(soon_signal_wait(SIGUSR2, 0), -EBUSY);
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
