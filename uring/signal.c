// SPDX-License-Identifier: Apache-2.0
/*
 * soon_signal_wait: the signals are blocked, so they stay pending until somebody asks for them, and
 * a signalfd asks. They stay blocked between two calls; the first call remembers what to restore.
 */
#include <soon/io.h>
#include <soon/mem.h>
#include <soon/signal.h>

#include "op.h"

#include <poll.h>
#include <pthread.h>
#include <stdarg.h>
#include <sys/signalfd.h>
#include <unistd.h>

struct soon__signals {
	sigset_t before; /* the thread's mask before the first call */
	bool is_waited;
};

static int add(sigset_t *set, int sig)
{
	if (sig == SIGKILL || sig == SIGSTOP || sigaddset(set, sig) != 0)
		return -EINVAL;
	return 0;
}

static int block(struct soon__io *io, const sigset_t *set)
{
	int rc;

	if (io->signals != NULL)
		return -pthread_sigmask(SIG_BLOCK, set, NULL);
	io->signals = soon_zalloc(sizeof(*io->signals));
	if (io->signals == NULL)
		return -ENOMEM;
	rc = -pthread_sigmask(SIG_BLOCK, set, &io->signals->before);
	SOON_ASSERT(rc == 0);
	return rc;
}

void soon__signals_restore(struct soon__io *io)
{
	if (io->signals == NULL)
		return;
	SOON_ASSERT(!io->signals->is_waited);
	(void)pthread_sigmask(SIG_SETMASK, &io->signals->before, NULL);
	soon_free(io->signals);
	io->signals = NULL;
}

static int take_one(int fd) SOON_SUSPENDS
{
	struct signalfd_siginfo info;
	int rc;

	do {
		ssize_t n = read(fd, &info, sizeof(info));

		if (n == (ssize_t)sizeof(info))
			return (int)info.ssi_signo;
		if (errno != EAGAIN)
			return -errno;
		/* Another thread may have taken it between the poll and the read: again. */
		rc = soon_poll_fd(fd, POLLIN);
	} while (rc >= 0);
	return rc;
}

static int wait_for(struct soon__io *io, const sigset_t *set) SOON_SUSPENDS
{
	int fd;
	int rc;

	if (io->signals != NULL && io->signals->is_waited)
		return -EBUSY;
	rc = block(io, set);
	if (rc < 0)
		return rc;
	fd = signalfd(-1, set, SFD_CLOEXEC | SFD_NONBLOCK);
	if (fd < 0)
		return -errno;
	io->signals->is_waited = true;
	rc = take_one(fd);
	io->signals->is_waited = false;
	(void)close(fd); /* nothing is in flight on it any more */
	return rc;
}

int soon_signal_wait(int first, ...)
{
	va_list args;
	sigset_t set;
	int rc = soon__checkpoint("signal_wait");

	if (rc < 0)
		return rc;
	if (soon__io_self() == NULL)
		return -EOPNOTSUPP;
	if (first == 0)
		return -EINVAL;
	(void)sigemptyset(&set);
	va_start(args, first);
	for (int sig = first; sig != 0 && rc == 0; sig = va_arg(args, int))
		rc = add(&set, sig);
	va_end(args);
	return rc < 0 ? rc : wait_for(soon__io_self(), &set);
}
