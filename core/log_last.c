// SPDX-License-Identifier: Apache-2.0
/*
 * log_last.c: that records are written when the process ends, however it does.
 *
 * By exit(): a destructor, which runs after what the program gave to atexit(), waits for the writer
 * for as long as the options say. By a fatal signal: the dying thread writes what is in the rings.
 * Nothing can be done about _exit() and SIGKILL.
 *
 * The handlers are put in the place of default ones only. A stack overflow of a task, and whatever
 * else overflow.c sees first, comes here through it.
 */
#include <soon/assert.h>
#include <soon/time.h>

#include "core/spi/text.h"

#include "log.h"

#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static const int fatal_signals[] = { SIGABRT, SIGSEGV, SIGBUS, SIGFPE, SIGILL };

soon_ns soon__log_now(void)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_MONOTONIC, &ts);
	return SOON_S(ts.tv_sec) + ts.tv_nsec;
}

/* ---- fatal signals ----------------------------------------------------------------------- */

static void on_fatal(int signo, siginfo_t *info, void *context)
{
	(void)context;
	soon__log_last();
	(void)signal(signo, SIG_DFL);
	/* A fault happens again when the handler returns; what was sent has to be sent again. */
	if (info->si_code <= 0)
		(void)syscall(SYS_tgkill, getpid(), gettid(), signo);
}

static void handle(int signo)
{
	struct sigaction action;

	if (sigaction(signo, NULL, &action) != 0 || (action.sa_flags & SA_SIGINFO) ||
		action.sa_handler != SIG_DFL)
		return;
	memset(&action, 0, sizeof action);
	action.sa_sigaction = on_fatal;
	action.sa_flags = SA_SIGINFO | SA_ONSTACK;
	(void)sigemptyset(&action.sa_mask);
	(void)sigaction(signo, &action, NULL);
}

/* ---- forks ------------------------------------------------------------------------------- */

static void after_fork(void)
{
	soon__log_unlock_levels();
	soon__log_forget();
	soon__log_clear();
	soon__log_sink_clear();
}

static void watch_once(void)
{
	(void)pthread_atfork(soon__log_lock_levels, soon__log_unlock_levels, after_fork);
	if (!soon__log_sink_wants_signals())
		return;
	for (size_t i = 0; i < sizeof fatal_signals / sizeof fatal_signals[0]; i++)
		handle(fatal_signals[i]);
}

void soon__log_watch(void)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	(void)pthread_once(&once, watch_once);
}

/* ---- the end ----------------------------------------------------------------------------- */

void soon__log_end_run(void)
{
	/* What times out is told at the end of the process, if it is still so then. */
	if (soon__log_exit_timeout() > 0)
		(void)soon__log_finish(soon__log_exit_timeout());
}

static __attribute__((destructor)) void at_exit(void)
{
	static const char text[] =
		"soon: warning: the end of the log is lost, nothing took it in time\n";
	struct pollfd poll_fd = { .fd = STDERR_FILENO, .events = POLLOUT };
	soon_ns timeout = soon__log_exit_timeout();

	if (timeout < 0 || soon__log_finish(timeout) != -ETIMEDOUT)
		return;
	if (poll(&poll_fd, 1, 0) == 1)
		(void)soon__write_once(STDERR_FILENO, text, sizeof text - 1);
}

int soon_log_open(const soon_log_opts *opts)
{
	static const soon_log_opts defaults = { .fd = 0 };
	int rc;

	if (!opts)
		opts = &defaults;
	rc = soon__log_finish(soon__log_exit_timeout());
	if (rc == 0)
		rc = soon__log_own(soon__log_exit_timeout());
	if (rc < 0)
		return rc == -ETIMEDOUT ? -EBUSY : rc;
	rc = soon__log_sink_set(opts);
	soon__log_disown();
	if (rc == 0)
		soon__log_start();
	return rc;
}
