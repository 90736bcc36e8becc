// SPDX-License-Identifier: Apache-2.0
/*
 * handover.c: a new process with the very same sockets, from its start to its first "ready".
 *
 * The sockets travel as sd_listen_fds(3) has it, from descriptor 3 on, with LISTEN_FDS and
 * LISTEN_FDNAMES; in place of LISTEN_PID, which nobody knows before the exec, SOON_HANDOVER has the
 * number of a socket to us. What is said there stands in inherit.h.
 */
#include <soon/assert.h>
#include <soon/file.h>
#include <soon/handover.h>
#include <soon/io.h>
#include <soon/mem.h>
#include <soon/notify.h>
#include <soon/proc.h>
#include <soon/scope.h>

#include "errtext.h"
#include "inherit.h"
#include "listener.h"
#include "proc.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define READY_TIMEOUT SOON_S(30)
#define FD_FIRST      3
#define OURS_COUNT    3 /* variables of the environment that we add */
#define FD_TEXT_BYTES 11
#define COMMAND_BYTES 65536

_Static_assert(SOON_HANDOVER_SOCKETS_MAX < SOON_PROC_FDS_MAX, "one more for the link");

/* What one call puts together. On the heap: a task's stack is small. */
struct work {
	const soon_handover *handover;
	soon_proc_fd fds[SOON_PROC_FDS_MAX];
	unsigned sockets_count; /* copies, in the first of `fds` */
	int link[2];            /* to the new process, and its end; -1: closed */
	const char **env;
	const char **argv;
	bool has_file[SOON_HANDOVER_SOCKETS_MAX];
	char count_text[32];
	char link_text[sizeof SOON__HANDOVER_VARIABLE + FD_TEXT_BYTES * SOON_PROC_FDS_MAX];
	char names[sizeof "LISTEN_FDNAMES=" + SOON_HANDOVER_SOCKETS_MAX * SOON_LISTENER_NAME_BYTES];
	char command[COMMAND_BYTES + 1];
};

static int refuse(int rc, const char *what, const char *detail)
{
	soon_report_file(SOON_REPORT_WARNING, rc,
		"no hand-over: %s%s; this process goes on serving", what, detail);
	return soon_fail(rc, "no hand-over: %s%s", what, detail);
}

/* ---- what is handed over ----------------------------------------------------------------- */

/* It stays open whatever the owner does meanwhile. */
static int socket_copy(struct work *work, int fd, bool has_file)
{
	if (work->sockets_count == SOON_HANDOVER_SOCKETS_MAX)
		return -E2BIG;
	fd = fcntl(fd, F_DUPFD_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	work->fds[work->sockets_count] =
		(soon_proc_fd){ .fd = fd, .as = FD_FIRST + (int)work->sockets_count };
	work->has_file[work->sockets_count++] = has_file;
	return 0;
}

static int sockets_copy(struct work *work, soon_listener *l)
{
	int rc = 0;

	for (unsigned i = 0; i < l->sockets_count && rc == 0; i++)
		/* One that is shared is the same socket as another's, which has an entry. */
		if (!l->sockets[i].is_shared || l->twins == NULL || l == l->twins->home)
			rc = socket_copy(work, l->sockets[i].fd, l->sockets[i].file.ino != 0);
	return rc;
}

/* Also those that are on their way to a core that has not begun to serve. */
static int twins_copy(struct work *work, struct soon__twins *twins)
{
	int rc = 0;

	for (soon_listener *l = twins->first; l != NULL && rc == 0; l = l->next_twin)
		rc = sockets_copy(work, l);
	for (unsigned i = 0; i < twins->sockets_count && rc == 0; i++)
		if (!twins->sockets[i].is_shared && twins->sockets[i].fd >= 0)
			rc = socket_copy(work, twins->sockets[i].fd, false);
	return rc;
}

static bool is_name(const char *name)
{
	if (*name == '\0')
		return false;
	for (; *name != '\0'; name++)
		if (*name <= ' ' || *name == ':' || *name == 0x7f)
			return false;
	return true;
}

static int listener_take(struct work *work, soon_listener *l)
{
	unsigned before = work->sockets_count;
	int rc = 0;

	l->handovers_count++;
	if (!is_name(l->name))
		return refuse(-EINVAL,
			"a listener has no name to be found by, or one with a colon or space: set "
			"soon_listen_opts.name: ",
			l->name);
	if (l->is_stopped || l->is_closed)
		return refuse(-EINVAL, "a listener is stopped: ", l->name);
	soon__twins_lock(l->twins);
	if (l->twins == NULL)
		rc = sockets_copy(work, l);
	else
		rc = twins_copy(work, l->twins);
	soon__twins_unlock(l->twins);
	if (rc < 0)
		return refuse(rc, "the sockets cannot be copied: ", soon__error_text(rc));
	for (; before < work->sockets_count; before++) {
		size_t len = strlen(work->names);

		(void)snprintf(work->names + len, sizeof work->names - len, "%s:", l->name);
	}
	return 0;
}

static void mark_handed(soon_listener *l)
{
	struct soon__twins *twins = l->twins;

	soon__twins_lock(twins);
	atomic_store_explicit(&l->is_handed, true, memory_order_relaxed); /* see listener.c */
	for (soon_listener *twin = twins != NULL ? twins->first : NULL; twin != NULL;
		twin = twin->next_twin)
		atomic_store_explicit(&twin->is_handed, true, memory_order_relaxed);
	soon__twins_unlock(twins);
}

/* ---- the new process --------------------------------------------------------------------- */

static bool is_for_us_alone(const char *variable)
{
	static const char *const names[] = { "LISTEN_FDS", "LISTEN_PID", "LISTEN_FDNAMES",
		"WATCHDOG_PID", SOON__HANDOVER_VARIABLE };

	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
		size_t len = strlen(names[i]);

		if (strncmp(variable, names[i], len) == 0 && variable[len] == '=')
			return true;
	}
	return false;
}

static void link_text_make(struct work *work)
{
	char *text = work->link_text;
	size_t room = sizeof work->link_text;
	int len =
		snprintf(text, room, SOON__HANDOVER_VARIABLE "=%u", FD_FIRST + work->sockets_count);

	for (unsigned i = 0; i < work->sockets_count; i++)
		if (work->has_file[i])
			len += snprintf(text + len, room - (size_t)len, ",%u", FD_FIRST + i);
}

static int env_make(struct work *work)
{
	size_t count = 0, kept = 0;

	while (environ[count] != NULL)
		count++;
	work->env = soon_malloc((count + OURS_COUNT + 1) * sizeof *work->env);
	if (work->env == NULL)
		return -ENOMEM;
	for (size_t i = 0; i < count; i++)
		if (!is_for_us_alone(environ[i]))
			work->env[kept++] = environ[i];
	work->names[strlen(work->names) - 1] = '\0'; /* the last colon */
	(void)snprintf(
		work->count_text, sizeof work->count_text, "LISTEN_FDS=%u", work->sockets_count);
	link_text_make(work);
	work->env[kept++] = work->names;
	work->env[kept++] = work->count_text;
	work->env[kept++] = work->link_text;
	work->env[kept] = NULL;
	return 0;
}

/* The words that this process was started with. */
static int command_read(struct work *work) SOON_SUSPENDS
{
	int fd = soon_open("/proc/self/cmdline", O_RDONLY, 0);
	size_t words = 0;
	ssize_t n;

	if (fd < 0)
		return fd;
	n = soon_read_full(fd, work->command, COMMAND_BYTES, NULL);
	(void)soon_close(fd); /* it was read only */
	if (n <= 0)
		return n < 0 ? (int)n : -ENOENT;
	if (n == COMMAND_BYTES)
		return -E2BIG;
	for (ssize_t i = 0; i < n; i++)
		words += work->command[i] == '\0';
	work->argv = soon_zalloc((words + 2) * sizeof *work->argv);
	if (work->argv == NULL)
		return -ENOMEM;
	words = 0;
	for (char *word = work->command; word < work->command + n; word += strlen(word) + 1)
		work->argv[words++] = word;
	return 0;
}

static int start(struct work *work, soon_proc **ret_proc) SOON_SUSPENDS
{
	const soon_handover *handover = work->handover;
	soon_proc_opts opts = { .fds = work->fds, .path = handover->path };
	int rc = env_make(work);

	if (rc == 0 && handover->argv == NULL)
		rc = command_read(work);
	if (rc == 0 && socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, work->link) < 0)
		rc = -errno;
	if (rc < 0)
		return rc == -ECANCELED ? rc : refuse(rc, soon__error_text(rc), "");
	work->fds[work->sockets_count] =
		(soon_proc_fd){ .fd = work->link[1], .as = FD_FIRST + (int)work->sockets_count };
	opts.fds_count = work->sockets_count + 1;
	opts.env = work->env;
	rc = soon_proc_spawn(handover->argv != NULL ? handover->argv : work->argv, &opts, ret_proc);
	(void)soon_close(work->link[1]); /* the child has it; only its end may keep it open */
	work->link[1] = -1;
	if (rc < 0 && rc != -ECANCELED)
		return refuse(rc, soon_fail_message() != NULL ? soon_fail_message() : "", "");
	return rc;
}

/* Says why the new process is not ready, and ends it. */
static int give_up(soon_proc *proc, int rc) SOON_SUSPENDS
{
	char how[SOON_PROC_STATUS_BYTES];
	soon_proc_status status = { .code = -1 };

	if (soon_proc_terminate(proc, &status) < 0)
		status = (soon_proc_status){ .code = -1 }; /* nobody knows how it ended */
	soon_proc_close(proc);
	if (rc == -ECANCELED)
		return rc;
	if (rc == -ETIMEDOUT)
		return refuse(rc, "the new process was not ready in time (soon_notify_ready)", "");
	return refuse(-ECONNABORTED, "the new process ended before it was ready: ",
		soon_proc_status_format(&status, how));
}

/* Returns: its number, when it is ready. */
static int run(struct work *work) SOON_SUSPENDS
{
	const soon_handover *handover = work->handover;
	soon_ns timeout = handover->ready_timeout != 0 ? handover->ready_timeout : READY_TIMEOUT;
	soon_proc *proc = NULL;
	char mains[32];
	char byte;
	ssize_t n;
	int rc = start(work, &proc);

	if (rc < 0)
		return rc;
	n = soon_within(timeout, soon_recv(work->link[0], &byte, 1, 0));
	if (n == 1) /* there is room, so it fails only if the new process has just ended */
		n = send(work->link[0], SOON__HANDOVER_GO, 1, MSG_NOSIGNAL | MSG_DONTWAIT);
	if (n != 1)
		return give_up(proc, n == -ETIMEDOUT || n == -ECANCELED ? (int)n : -ECONNABORTED);
	rc = soon_proc_pid(proc);
	(void)snprintf(mains, sizeof mains, "MAINPID=%d", rc);
	(void)!soon_notify(mains); /* reported; the new process serves all the same */
	soon__proc_release(proc);
	return rc;
}

int soon_handover_run(const soon_handover *handover)
{
	struct work *work;
	unsigned taken = 0;
	int rc = 0;

	SOON_ASSERT(handover != NULL);
	SOON_ASSERT(handover->listeners != NULL && handover->listeners_count > 0);
	work = soon_zalloc(sizeof *work);
	if (work == NULL)
		return -ENOMEM;
	work->handover = handover;
	work->link[0] = work->link[1] = -1;
	memcpy(work->names, "LISTEN_FDNAMES=", sizeof "LISTEN_FDNAMES=");
	while (taken < handover->listeners_count && rc == 0)
		rc = listener_take(work, handover->listeners[taken++]);
	if (rc == 0)
		rc = run(work);
	for (unsigned i = 0; i < taken; i++) {
		if (rc > 0)
			mark_handed(handover->listeners[i]);
		else
			handover->listeners[i]->handovers_count--;
	}
	for (unsigned i = 0; i < work->sockets_count; i++)
		(void)soon_close(work->fds[i].fd); /* a copy */
	for (int i = 0; i < 2; i++)
		if (work->link[i] >= 0)
			(void)soon_close(work->link[i]); /* what was said in it is not lost */
	soon_free(work->env);
	soon_free(work->argv);
	soon_free(work);
	return rc;
}
