// SPDX-License-Identifier: Apache-2.0
/*
 * signal.c: reading signals that are pending, which a signalfd tells of; see signal_table.h for how
 * they come to be so. soon_signal_wait() has one handle a core, whose set grows by what is asked
 * for, and a signalfd for each call.
 */
#include <soon/io.h>
#include <soon/mem.h>
#include <soon/signal.h>

#include "op.h"
#include "signal_table.h"

#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/signalfd.h>
#include <unistd.h>

struct soon_signals {
	struct soon__io *io;
	soon_signals *next; /* in io->signals */
	uint64_t set;
	uint64_t unblocked; /* what of it the thread did not block before */
	uint64_t waited;    /* for what of it somebody waits */
	struct soon__signal_taker taker;
	char waiter[sizeof((struct soon__signal_taker *)0)->task]; /* who does, for reports */
	int fd; /* -1: it is the one of soon_signal_wait() */
};

static void name_self(char *buf, size_t size)
{
	(void)snprintf(buf, size, "%s", soon_task_name(NULL));
}

/* A handle without signals. */
static soon_signals *make(struct soon__io *io, const soon_site *site)
{
	soon_signals *signals = soon_zalloc(sizeof *signals);

	if (!signals)
		return NULL;
	signals->io = io;
	signals->fd = -1;
	signals->taker.site = site;
	name_self(signals->taker.task, sizeof signals->taker.task);
	return signals;
}

static void link_in(soon_signals *signals)
{
	signals->next = signals->io->signals;
	signals->io->signals = signals;
}

static int claim(soon_signals *signals, uint64_t set)
{
	uint64_t unblocked;
	int rc = soon__signals_claim(set, &signals->taker, &unblocked);

	if (rc < 0)
		return rc;
	signals->set |= set;
	signals->unblocked |= unblocked;
	return 0;
}

static int open_fd(uint64_t set)
{
	sigset_t wanted = soon__sigset(set);
	int fd = signalfd(-1, &wanted, SFD_CLOEXEC | SFD_NONBLOCK);

	return fd < 0 ? -errno : fd;
}

static void end(soon_signals *signals)
{
	soon__signals_release(signals->set, signals->unblocked);
	if (signals->fd >= 0)
		(void)close(signals->fd); /* nothing is in flight on it any more */
	soon_free(signals);
}

static int may_take(uint64_t set, const char *what)
{
	if (!soon_self())
		return soon__checkpoint(what); /* refuses, and says so */
	if (!soon__io_self())
		return -EOPNOTSUPP;
	return soon__signals_check(set);
}

int soon__signals_open(uint64_t set, const soon_site *site, soon_signals **ret_signals)
{
	soon_signals *signals;
	int rc = may_take(set, "signals_open");

	if (rc < 0)
		return rc;
	signals = make(soon__io_self(), site);
	if (!signals)
		return -ENOMEM;
	rc = signals->fd = open_fd(set);
	if (rc >= 0)
		rc = claim(signals, set);
	if (rc < 0) {
		if (signals->fd >= 0)
			(void)close(signals->fd);
		soon_free(signals);
		return rc;
	}
	link_in(signals);
	*ret_signals = signals;
	return 0;
}

void soon_signals_close(soon_signals *signals)
{
	soon_signals **link;

	if (!signals)
		return;
	if (soon__io_enter(signals->io, signals->fd, "signals_close") < 0)
		soon_die("soon_signals_close: not on the core that opened it");
	if (signals->waited)
		soon_die("soon_signals_close: task '%s' is waiting with it", signals->waiter);
	for (link = &signals->io->signals; *link != signals; link = &(*link)->next)
		SOON_ASSERT(*link != NULL);
	*link = signals->next;
	end(signals);
}

void soon__signals_restore(struct soon__io *io)
{
	while (io->signals) {
		soon_signals *signals = io->signals;

		SOON_ASSERT(!signals->waited);
		if (signals->taker.site)
			soon_report_at(SOON_REPORT_WARNING, 0, signals->taker.site,
				"signals that task '%s' opened at %s:%d were not closed",
				signals->taker.task, signals->taker.site->file,
				signals->taker.site->line);
		io->signals = signals->next;
		end(signals);
	}
}

/* ---- waiting ----------------------------------------------------------------------------- */

static int take_one(int fd, soon_signal_info *ret_info) SOON_SUSPENDS
{
	struct signalfd_siginfo info;
	int rc;

	do {
		ssize_t n = read(fd, &info, sizeof info);

		if (n == (ssize_t)sizeof info)
			break;
		if (n >= 0 || errno != EAGAIN)
			return n >= 0 ? -EIO : -errno;
		rc = soon_poll_fd(fd, POLLIN);
		if (rc < 0)
			return rc;
	} while (true);
	if (ret_info)
		*ret_info = (soon_signal_info){
			.signo = (int)info.ssi_signo,
			.code = info.ssi_code,
			.pid = (pid_t)info.ssi_pid,
			.uid = info.ssi_uid,
			.value = (int64_t)info.ssi_ptr,
		};
	return (int)info.ssi_signo;
}

/* Waits with `fd` for some of the handle's signals, which are of its set. */
static int wait_for(soon_signals *signals, uint64_t set, int fd, soon_signal_info *ret_info)
	SOON_SUSPENDS
{
	int rc;

	if (signals->waited & set) {
		soon_report_at(SOON_REPORT_ERROR, -EBUSY, signals->taker.site,
			"%s in task '%s': task '%s' is waiting for that signal already",
			signals->fd >= 0 ? "soon_signals_next" : "soon_signal_wait",
			soon_task_name(NULL), signals->waiter);
		return -EBUSY;
	}
	name_self(signals->waiter, sizeof signals->waiter);
	signals->waited |= set;
	rc = take_one(fd, ret_info);
	signals->waited &= ~set;
	return rc;
}

int soon_signals_next(soon_signals *signals, soon_signal_info *ret_info)
{
	int rc = soon__checkpoint("signals_next");

	if (rc == 0)
		rc = soon__io_enter(signals->io, signals->fd, "signals_next");
	return rc < 0 ? rc : wait_for(signals, signals->set, signals->fd, ret_info);
}

/* The core's handle for soon_signal_wait(), with at least these signals. */
static int widen(struct soon__io *io, uint64_t set, soon_signals **ret_signals)
{
	soon_signals *signals = io->signals;
	uint64_t missing;
	int rc = 0;

	while (signals && signals->fd >= 0)
		signals = signals->next;
	if (!signals) {
		signals = make(io, NULL);
		if (!signals)
			return -ENOMEM;
		link_in(signals);
	}
	missing = set & ~signals->set;
	if (missing)
		rc = claim(signals, missing);
	*ret_signals = signals;
	return rc;
}

static int wait_widened(struct soon__io *io, uint64_t set) SOON_SUSPENDS
{
	soon_signals *signals;
	int rc = widen(io, set, &signals), fd;

	/* They are taken even if the scope is cancelled: from the first call on, none is lost. */
	if (rc == 0)
		rc = soon__checkpoint("signal_wait");
	if (rc < 0)
		return rc;
	fd = open_fd(set);
	if (fd < 0)
		return fd;
	rc = wait_for(signals, set, fd, NULL);
	(void)close(fd); /* nothing is in flight on it any more */
	return rc;
}

int soon_signal_wait(int first, ...)
{
	va_list args;
	uint64_t set = 0;
	int rc = 0;

	va_start(args, first);
	for (int sig = first; sig != 0 && rc == 0; sig = va_arg(args, int)) {
		if (sig < 1 || sig > SOON__SIGNALS_MAX)
			rc = -EINVAL;
		else
			set |= SOON_SIG(sig);
	}
	va_end(args);
	if (rc == 0)
		rc = may_take(set, "signal_wait");
	return rc < 0 ? rc : wait_widened(soon__io_self(), set);
}
