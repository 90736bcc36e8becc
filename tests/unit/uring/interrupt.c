// SPDX-License-Identifier: Apache-2.0
/* SIGINT: the first cancels the main task, the second ends the process; hosts are left alone. */
#include <soon/dump.h>
#include <soon/scope.h>
#include <soon/signal.h>
#include <soon/thread.h>

#include "kit.h"

#include <fcntl.h>
#include <pthread.h>
#include <string.h>
#include <support/death.h>
#include <time.h>

/* Not Criterion's disposition, whatever it is. */
static void as_default(void)
{
	(void)signal(SIGINT, SIG_DFL);
}

static bool is_sigint(void (*handler)(int))
{
	struct sigaction now;

	return sigaction(SIGINT, NULL, &now) == 0 && !(now.sa_flags & SA_SIGINFO) &&
		now.sa_handler == handler;
}

static soon_cancel_why seen_why;

static int sleep_until_interrupted(void *unused)
{
	int rc;

	(void)unused;
	cr_assert_eq(kill(getpid(), SIGINT), 0);
	rc = soon_sleep(SOON_S(60));
	seen_why = soon_cancel_reason();
	return rc;
}

SOON_TEST_PLAIN(interrupt, the_first_cancels_the_main_task)
{
	as_default();
	cr_assert_eq(soon_run(sleep_until_interrupted, NULL), -ECANCELED);
	cr_assert_eq(seen_why.source, SOON_CANCEL_SIGNAL);
	cr_assert_str_eq(seen_why.why, "SIGINT");
	cr_assert(is_sigint(SIG_DFL));
}

static int tidy_up(void *unused)
{
	return sleep_until_interrupted(unused) == -ECANCELED ? 7 : -EPROTO;
}

SOON_TEST_PLAIN(interrupt, what_main_makes_of_it_is_the_result)
{
	as_default();
	cr_assert_eq(soon_run(tidy_up, NULL), 7);
}

static volatile sig_atomic_t host_handled;

static void host_handler(int signo)
{
	host_handled = signo;
}

static int interrupt_and_yield(void *unused)
{
	(void)unused;
	cr_assert_eq(kill(getpid(), SIGINT), 0);
	return soon_sleep(SOON_MS(1));
}

SOON_TEST_PLAIN(interrupt, a_host_keeps_its_handler)
{
	(void)signal(SIGINT, host_handler);
	cr_assert_eq(soon_run(interrupt_and_yield, NULL), 0);
	cr_assert_eq(host_handled, SIGINT);
	cr_assert(is_sigint(host_handler));
	(void)signal(SIGINT, SIG_IGN);
	cr_assert_eq(soon_run(interrupt_and_yield, NULL), 0);
	cr_assert(is_sigint(SIG_IGN));
}

static int put_own_handler(void *unused)
{
	(void)unused;
	(void)signal(SIGINT, host_handler);
	return 0;
}

SOON_TEST_PLAIN(interrupt, a_handler_that_came_meanwhile_stays)
{
	as_default();
	cr_assert_eq(soon_run(put_own_handler, NULL), 0);
	cr_assert(is_sigint(host_handler));
}

static void interrupt_left_alone(void)
{
	const soon_opts opts = { .sigint = SOON_SIGINT_LEAVE };

	as_default();
	_exit(soon_run_with(&opts, interrupt_and_yield, NULL) < 0);
}

SOON_TEST_PLAIN(interrupt, may_keep_its_default_meaning)
{
	static struct death death;

	death_of(interrupt_left_alone, &death);
	cr_assert(WIFSIGNALED(death.status) && WTERMSIG(death.status) == SIGINT);
}

static int take_it(void *unused)
{
	soon_signals *signals;
	int sig;

	(void)unused;
	cr_assert_eq(soon_signals_open(SOON_SIG(SIGINT), &signals), 0);
	for (int i = 0; i < 3; i++) {
		cr_assert_eq(kill(getpid(), SIGINT), 0);
		sig = soon_signals_next(signals, NULL);
		cr_assert_eq(sig, SIGINT);
	}
	cr_assert_not(soon_cancelled());
	/* One that was not read: it has its meaning for the run again, and cancels. */
	cr_assert_eq(kill(getpid(), SIGINT), 0);
	soon_signals_close(signals);
	return soon_sleep(SOON_S(60));
}

SOON_TEST_PLAIN(interrupt, a_handle_for_it_goes_first)
{
	as_default();
	cr_assert_eq(soon_run(take_it, NULL), -ECANCELED);
	cr_assert(is_sigint(SIG_DFL));
}

/* ---- the second one ---------------------------------------------------------------------- */

static int ignores_cancels(void *unused)
{
	(void)unused;
	while (soon_sleep(SOON_MS(1)) != -ECANCELED)
		continue;
	(void)kill(getpid(), SIGINT);
	return (int)soon_shielded(SOON_S(60), soon_sleep(SOON_S(60)));
}

static int interrupt_main(void *unused)
{
	(void)unused;
	(void)kill(getpid(), SIGINT);
	return ignores_cancels(NULL);
}

static void second_in_grace(void)
{
	as_default();
	_exit(soon_run(interrupt_main, NULL) < 0);
}

SOON_TEST_PLAIN(interrupt, a_second_one_ends_the_process_with_a_dump)
{
	static struct death death;

	death_of(second_in_grace, &death);
	cr_assert(WIFEXITED(death.status) && WEXITSTATUS(death.status) == 130, "status %#x: %s",
		(unsigned)death.status, death.text);
	cr_assert_not_null(strstr(death.text, "SIGINT again"));
	cr_assert_not_null(strstr(death.text, "interrupt_main"), "%s", death.text);
	cr_assert_not_null(strstr(death.text, "signal: SIGINT"), "%s", death.text);
}

static int outlives_main(void *unused)
{
	(void)unused;
	while (soon_sleep(SOON_MS(1)) != -ECANCELED)
		continue;
	(void)kill(getpid(), SIGINT);
	return (int)soon_shielded(SOON_S(60), soon_sleep(SOON_S(60)));
}

static int leave_in_background(void *unused)
{
	(void)unused;
	return soon_background(outlives_main, NULL);
}

static void after_main(void)
{
	as_default();
	_exit(soon_run(leave_in_background, NULL) < 0);
}

SOON_TEST_PLAIN(interrupt, one_after_main_does_not_wait_either)
{
	static struct death death;

	death_of(after_main, &death);
	cr_assert(WIFEXITED(death.status) && WEXITSTATUS(death.status) == 130, "status %#x: %s",
		(unsigned)death.status, death.text);
}

static void *raise_twice(void *unused)
{
	(void)unused;
	(void)raise(SIGINT);
	(void)raise(SIGINT);
	return NULL;
}

static int computes(void *unused)
{
	pthread_t thread;

	(void)unused;
	if (pthread_create(&thread, NULL, raise_twice, NULL) != 0)
		return -EAGAIN;
	for (;;)
		(void)sched_yield(); /* a task that never suspends */
}

static void by_another_thread(void)
{
	as_default();
	_exit(soon_run(computes, NULL) < 0);
}

/* The kernel chose another thread; the dump is the core's all the same. TSan holds signals back. */
SOON_TEST_PLAIN(interrupt, any_thread_may_get_it, .disabled = IS_UNDER_TSAN)
{
	static struct death death;

	death_of(by_another_thread, &death);
	cr_assert(WIFEXITED(death.status) && WEXITSTATUS(death.status) == 130, "status %#x: %s",
		(unsigned)death.status, death.text);
	cr_assert_not_null(strstr(death.text, "computes"), "%s", death.text);
}
