// SPDX-License-Identifier: Apache-2.0
/*
 * inherit.c: listening sockets that this process was started with, by the convention of
 * sd_listen_fds(3), and by that of a hand-over, see handover.c.
 *
 * The environment is read once, by the first that asks, and cleared: children must not take our
 * numbers for theirs. A descriptor is adopted once.
 */
#include "inherit.h"

#include <soon/assert.h>
#include <soon/io.h>
#include <soon/mem.h>

#include "errtext.h"
#include "listener.h"

#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define FD_FIRST 3 /* SD_LISTEN_FDS_START */
#define FDS_MAX  256

#define SYSTEMD_PREFIX "systemd:"
#define FD_PREFIX      "fd:"

struct passed {
	char name[SOON_LISTENER_NAME_BYTES];
	bool has_file; /* of a unix socket, and ours: the last to listen removes it */
	atomic_bool is_adopted;
};

static pthread_once_t once = PTHREAD_ONCE_INIT;
static struct passed passed[FDS_MAX]; /* written by `once` alone, but for is_adopted */
static unsigned passed_count;
static const char *why_none; /* there are none, for the message */
static bool is_handed_over;
static int old_fd = -1; /* to the process that hands over; open for ever, for all cores to poll */
static atomic_bool is_ready_said;

/* Reads the digits that `*text` begins with, and goes behind them. */
static int number_next(const char **text, int max)
{
	const char *digit = *text;
	long value = 0;

	for (; *digit >= '0' && *digit <= '9' && value <= max; digit++)
		value = value * 10 + (*digit - '0');
	if (digit == *text || value > max)
		return -EINVAL;
	*text = digit;
	return (int)value;
}

/* A text that is a number and nothing else. */
static int number_of(const char *text, int max)
{
	int value = text != NULL ? number_next(&text, max) : -EINVAL;

	return value < 0 || *text != '\0' ? -EINVAL : value;
}

static void names_read(const char *names)
{
	for (unsigned i = 0; i < passed_count; i++) {
		size_t len = names != NULL ? strcspn(names, ":") : 0;

		if (names == NULL) {
			(void)snprintf(passed[i].name, sizeof passed[i].name, "unknown");
			continue;
		}
		(void)snprintf(passed[i].name, sizeof passed[i].name, "%.*s", (int)len, names);
		names = names[len] == ':' ? names + len + 1 : NULL;
	}
}

/* The rest of SOON__HANDOVER_VARIABLE. */
static void files_read(const char *text)
{
	while (*text == ',') {
		int fd;

		text++;
		fd = number_next(&text, FD_FIRST + (int)passed_count - 1);
		if (fd >= FD_FIRST)
			passed[fd - FD_FIRST].has_file = true;
	}
}

static void environment_read(void)
{
	const char *fds = getenv("LISTEN_FDS");
	const char *pid = getenv("LISTEN_PID");
	const char *handover = getenv(SOON__HANDOVER_VARIABLE);
	int link = handover != NULL ? number_next(&handover, INT_MAX - 1) : -ENOENT;
	int count = number_of(fds, FDS_MAX);

	is_handed_over = link >= FD_FIRST && fcntl(link, F_SETFD, FD_CLOEXEC) == 0;
	if (is_handed_over)
		old_fd = link;
	if (fds == NULL)
		why_none = "none were passed (LISTEN_FDS is not set)";
	else if (count <= 0)
		why_none = "LISTEN_FDS is no number of descriptors, or more than 256";
	else if (!is_handed_over && pid == NULL)
		why_none = "LISTEN_PID is not set";
	else if (!is_handed_over && number_of(pid, INT_MAX - 1) != getpid())
		why_none = "LISTEN_PID names another process: is there a shell in between that "
			   "does not exec?";
	if (why_none != NULL)
		return;
	passed_count = (unsigned)count;
	names_read(getenv("LISTEN_FDNAMES"));
	if (is_handed_over)
		files_read(handover);
	for (int fd = FD_FIRST; fd < FD_FIRST + count; fd++)
		(void)fcntl(fd, F_SETFD, FD_CLOEXEC); /* told of when it is asked for */
}

static void read_once(void)
{
	static const char *const ours[] = { "LISTEN_FDS", "LISTEN_PID", "LISTEN_FDNAMES",
		SOON__HANDOVER_VARIABLE };

	environment_read();
	if (why_none != NULL && !is_handed_over)
		return;
	for (size_t i = 0; i < sizeof ours / sizeof ours[0]; i++)
		/* NOLINTNEXTLINE(concurrency-mt-unsafe): documented, see soon_listen() */
		(void)unsetenv(ours[i]);
}

/* ---- taking over ------------------------------------------------------------------------- */

static void close_unadopted(void)
{
	for (unsigned i = 0; i < passed_count; i++) {
		if (atomic_exchange_explicit(&passed[i].is_adopted, true, memory_order_relaxed))
			continue;
		soon_report_file(SOON_REPORT_WARNING, -ENOENT,
			"a socket named \"%s\" was handed over, and nobody has listened on it "
			"before soon_notify_ready(): closed it, its clients are refused",
			passed[i].name);
		(void)close(FD_FIRST + (int)i); /* the old process may have it still */
	}
}

int soon__takeover_say_ready(void)
{
	(void)pthread_once(&once, read_once);
	if (!is_handed_over || atomic_exchange_explicit(&is_ready_said, true, memory_order_relaxed))
		return 0;
	close_unadopted();
	/* There is room; and if it died, nobody waits for it. */
	(void)!send(old_fd, SOON__HANDOVER_READY, 1, MSG_NOSIGNAL | MSG_DONTWAIT);
	return 1;
}

/* The answer stays where it is, so that every core sees it for ever. */
bool soon__takeover_is_done(void)
{
	char answer;
	int rc = 0;

	(void)pthread_once(&once, read_once);
	if (is_handed_over && recv(old_fd, &answer, 1, MSG_PEEK | MSG_DONTWAIT) < 0)
		rc = -errno;
	return rc != -EAGAIN && rc != -EINTR;
}

int soon__takeover_wait(void)
{
	int rc = 0;

	while (rc >= 0 && !soon__takeover_is_done())
		rc = soon_poll_fd(old_fd, POLLIN);
	return rc < 0 ? rc : 0;
}

/* ---- what can be adopted ----------------------------------------------------------------- */

static int refuse(const char *where, int rc, const char *what, const char *detail)
{
	soon_report_file(
		SOON_REPORT_WARNING, rc, "cannot listen on %.120s: %s%.200s", where, what, detail);
	return soon_fail(rc, "cannot listen on %.100s: %s%.100s", where, what, detail);
}

static int int_option(int fd, int name)
{
	socklen_t len = sizeof(int);
	int value = 0;

	return getsockopt(fd, SOL_SOCKET, name, &value, &len) < 0 ? -errno : value;
}

/* Says what is wrong with a descriptor; NULL: it is a stream socket that listens. */
static const char *fault_of(int fd, int *ret_rc)
{
	int type = int_option(fd, SO_TYPE);
	int domain = int_option(fd, SO_DOMAIN);

	*ret_rc = -EINVAL;
	if (type == -EBADF || type == -ENOTSOCK) {
		*ret_rc = type;
		return type == -EBADF ? "is not open" : "is not a socket";
	}
	if (type == SOCK_DGRAM)
		return "is a datagram socket (ListenDatagram=): a stream socket is needed";
	if (type != SOCK_STREAM)
		return "is no stream socket";
	if (domain != AF_INET && domain != AF_INET6 && domain != AF_UNIX)
		return "is a socket of another family than IPv4, IPv6 and unix";
	if (int_option(fd, SO_ACCEPTCONN) <= 0)
		return "does not listen; with Accept=yes it is a connection: say Accept=no";
	*ret_rc = 0;
	return NULL;
}

static int adopt(soon_listener *l, const char *where, int fd, const char *name) SOON_ON_CORE
{
	struct soon__socket *socket = &l->sockets[l->sockets_count];
	char what[SOON_LISTENER_NAME_BYTES + 40];
	const char *fault;
	int rc;

	(void)snprintf(what, sizeof what, "descriptor %d (%s) ", fd, name);
	fault = fault_of(fd, &rc);
	if (fault != NULL)
		return refuse(where, rc, what, fault);
	(void)fcntl(fd, F_SETFD, FD_CLOEXEC); /* it is open, so it cannot fail */
	/* As systemd makes it, and the ring would have to poll; an old process relies on it. */
	if (!is_handed_over && soon_io_backend(NULL) == SOON_IO_URING)
		(void)fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) & ~O_NONBLOCK);
	rc = soon__socket_adopt(socket, fd, &l->opts);
	if (rc < 0)
		return refuse(where, rc, what, soon__error_text(rc));
	if (fd >= FD_FIRST && fd < FD_FIRST + (int)passed_count && passed[fd - FD_FIRST].has_file)
		soon__unix_file_note(&socket->addr, &socket->file);
	l->is_gated = is_handed_over;
	l->sockets_count++;
	return 0;
}

static int adopt_number(soon_listener *l, const char *where) SOON_ON_CORE
{
	int fd = number_of(where + strlen(FD_PREFIX), INT_MAX - 1);
	int rc;

	if (fd < 0)
		return refuse(where, -EINVAL, "it should be like fd:3", "");
	rc = soon__sockets_alloc(l, 1);
	if (rc == 0)
		rc = adopt(l, where, fd, "by its number");
	if (rc == 0 && fd >= FD_FIRST && fd < FD_FIRST + (int)passed_count)
		atomic_store_explicit(
			&passed[fd - FD_FIRST].is_adopted, true, memory_order_relaxed);
	return rc < 0 ? rc : 1;
}

/* An empty name means all of them. */
static bool is_meant(unsigned index, const char *name)
{
	/* Relaxed: it guards nothing but itself. */
	return (*name == '\0' || strcmp(passed[index].name, name) == 0) &&
		!atomic_load_explicit(&passed[index].is_adopted, memory_order_relaxed);
}

static int adopt_named(soon_listener *l, const char *where, const char *name) SOON_ON_CORE
{
	int rc = soon__sockets_alloc(l, passed_count);

	for (unsigned i = 0; i < passed_count && rc == 0; i++) {
		if (!is_meant(i, name) ||
			atomic_exchange_explicit(&passed[i].is_adopted, true, memory_order_relaxed))
			continue;
		if (l->name[0] == '\0')
			memcpy(l->name, passed[i].name, sizeof l->name);
		rc = adopt(l, where, FD_FIRST + (int)i, passed[i].name);
	}
	return rc < 0 ? rc : 1;
}

static int refuse_none(const char *where, const char *name)
{
	char list[200] = "";
	size_t len = 0;

	if (why_none != NULL)
		return refuse(where, -ENOENT, why_none,
			"; start it by a .socket unit, or try systemd-socket-activate -l PORT");
	for (unsigned i = 0; i < passed_count && len < sizeof list; i++)
		len += (size_t)snprintf(list + len, sizeof list - len, " %s%s", passed[i].name,
			is_meant(i, "") ? "" : " (taken)");
	return refuse(where, -ENOENT,
		*name == '\0'
			? "all that were passed are taken:"
			: "none of that name (FileDescriptorName=) was passed or is left, only:",
		list);
}

int soon__listener_inherit(soon_listener *l, const char *where)
{
	bool is_asked_for = strncmp(where, SYSTEMD_PREFIX, strlen(SYSTEMD_PREFIX)) == 0;
	const char *name = is_asked_for ? where + strlen(SYSTEMD_PREFIX) : l->name;
	unsigned meant = 0;

	(void)pthread_once(&once, read_once);
	if (strncmp(where, FD_PREFIX, strlen(FD_PREFIX)) == 0)
		return adopt_number(l, where);
	if (!is_asked_for && *name == '\0')
		return 0;
	for (unsigned i = 0; i < passed_count; i++)
		meant += is_meant(i, name);
	if (meant > 0)
		return adopt_named(l, where, name);
	return is_asked_for ? refuse_none(where, name) : 0;
}
