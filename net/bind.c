// SPDX-License-Identifier: Apache-2.0
/*
 * bind.c: making a listening socket, and telling people in full why it cannot be had.
 */
#include <soon/assert.h>
#include <soon/io.h>
#include <soon/mem.h>
#include <soon/scope.h>

#include "bind_advice.h"
#include "errtext.h"
#include "listener.h"
#include "resolve.h"
#include "stream.h"
#include "unix_file.h"

#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#define BACKLOG_COUNT 4096

/*
 * The kernel may hold the sockets of a killed process for some ms while it takes its ring down.
 * A restarted service must not fail for that.
 */
#define BUSY_TIMEOUT   SOON_MS(250)
#define BUSY_PAUSE_MIN SOON_MS(10)
#define BUSY_PAUSE_MAX SOON_MS(200)

/* For a port that all addresses of a name have free. */
#define PORT_TRIES 16

static int option(int fd, int level, int name, int value)
{
	return setsockopt(fd, level, name, &value, sizeof value) < 0 ? -errno : 0;
}

static int options_set(int fd, sa_family_t family, const soon_listen_opts *opts)
{
	int rc = 0;

	if (family == AF_UNIX)
		return 0;
	rc = option(fd, SOL_SOCKET, SO_REUSEADDR, 1);
	if (rc == 0 && opts->reuse_port)
		rc = option(fd, SOL_SOCKET, SO_REUSEPORT, 1);
	if (rc == 0 && family == AF_INET6)
		rc = option(fd, IPPROTO_IPV6, IPV6_V6ONLY, opts->v6only);
	/* Accepted sockets inherit it, which saves a system call for each. */
	soon__stream_set_up(fd, &opts->stream);
	return rc;
}

/* A bound unix socket gets its permissions before anybody can connect to it. */
static int listen_once(int fd, const soon_addr *addr, const soon_listen_opts *opts)
{
	const char *path = soon__unix_path(addr);

	if (path != NULL && opts->unix_mode != 0 && chmod(path, (mode_t)opts->unix_mode) < 0)
		return -errno;
	if (listen(fd, opts->backlog_count > 0 ? opts->backlog_count : BACKLOG_COUNT) < 0)
		return -errno;
	return 0;
}

/*
 * With SO_REUSEADDR two programs that start at once can both bind a port, and only the first to
 * listen gets it: a port is found taken at either step, and a socket can be bound only once.
 */
static int bind_with_patience(int fd, const soon_addr *addr, const soon_listen_opts *opts)
	SOON_SUSPENDS
{
	soon_ns patience = opts->busy_timeout != 0 ? opts->busy_timeout : BUSY_TIMEOUT;
	soon_ns give_up_at = soon_now() + (patience > 0 ? patience : 0);
	soon_ns pause = BUSY_PAUSE_MIN;
	bool is_bound = false;

	for (;;) {
		int rc = is_bound ? 0 : soon__bind(fd, addr, SOCK_STREAM);
		int slept;

		is_bound = rc == 0;
		if (rc == 0)
			rc = listen_once(fd, addr, opts);
		if (rc != -EADDRINUSE || soon_now() >= give_up_at)
			return rc;
		slept = soon_sleep(pause);
		if (slept < 0)
			return slept;
		pause = pause * 2 < BUSY_PAUSE_MAX ? pause * 2 : BUSY_PAUSE_MAX;
	}
}

static int adopt(struct soon__socket *socket, int fd) SOON_ON_CORE
{
	socket->addr = (soon_addr){ .len = sizeof socket->addr.storage };
	if (getsockname(fd, (struct sockaddr *)&socket->addr.storage, &socket->addr.len) < 0)
		return -errno;
	socket->fd = fd;
	soon_fd_track(fd, "listener");
	return 0;
}

int soon__socket_bind(
	struct soon__socket *socket_of, const soon_addr *addr, const soon_listen_opts *opts)
{
	sa_family_t family = addr->storage.ss_family;
	int fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int rc;

	if (fd < 0)
		return -errno;
	rc = options_set(fd, family, opts);
	if (rc == 0)
		rc = bind_with_patience(fd, addr, opts);
	if (rc == 0)
		rc = adopt(socket_of, fd);
	if (rc < 0)
		(void)soon_close(fd); /* the failure that matters is known already */
	else
		soon__unix_file_note(addr, &socket_of->file);
	return rc;
}

int soon__socket_adopt(struct soon__socket *socket_of, int fd, const soon_listen_opts *opts)
{
	int rc = adopt(socket_of, fd);

	if (rc == 0 && socket_of->addr.storage.ss_family != AF_UNIX)
		soon__stream_set_up(fd, &opts->stream);
	return rc;
}

/* ---- what a text means ------------------------------------------------------------------- */

static void refusal_report(const char *where, int rc)
{
	soon_report_file(SOON_REPORT_WARNING, rc,
		"cannot listen on \"%.120s\": %s: it should be like \"127.0.0.1:8080\", "
		"\"[::1]:8080\", \"*:8080\", \"localhost:8080\", \"unix:/path\" or "
		"\"systemd:name\"",
		where, soon__error_text(rc));
}

static int failure_report(const char *where, int rc, sa_family_t family)
{
	soon_report_file(SOON_REPORT_WARNING, rc, "cannot listen on %.120s: %s: %s", where,
		soon__error_text(rc), soon__bind_advice(rc, family, SOCK_STREAM));
	return soon_fail(rc, "cannot listen on %.120s: %s", where, soon__error_text(rc));
}

static bool is_missing_here(int rc)
{
	return rc == -EADDRNOTAVAIL || rc == -EAFNOSUPPORT;
}

/* What a name has, and this machine has not, is passed over; somebody may wonder. */
static void passed_over(const char *where, const soon_addr *addr, int rc)
{
	char text[SOON_ADDR_TEXT_BYTES];

	soon_report_file(SOON_REPORT_INFO, rc, "listening on %.120s without %s: %s", where,
		soon_addr_format(addr, text), soon__error_text(rc));
}

/* All addresses of a name on one port, or the first that there is of those for every address. */
static int bind_each(soon_listener *l, const char *where, const struct soon__resolved *resolved,
	sa_family_t *ret_family) SOON_SUSPENDS
{
	int missing = -EADDRNOTAVAIL;

	for (size_t i = 0; i < resolved->count; i++) {
		soon_addr addr = resolved->addrs[i];
		int rc;

		*ret_family = addr.storage.ss_family;
		if (l->sockets_count > 0 && soon_addr_port(&addr) == 0)
			soon__port_set(&addr, soon_addr_port(&l->sockets[0].addr));
		rc = soon__socket_bind(&l->sockets[l->sockets_count], &addr, &l->opts);
		if (rc == 0) {
			l->sockets_count++;
			if (where[0] == '*')
				break;
		} else if (!is_missing_here(rc)) {
			return rc;
		} else {
			missing = rc;
			if (resolved->count > 1)
				passed_over(where, &addr, rc);
		}
	}
	return l->sockets_count > 0 ? 0 : missing;
}

static void unbind(soon_listener *l) SOON_SUSPENDS
{
	while (l->sockets_count > 0)
		(void)soon_close(l->sockets[--l->sockets_count].fd);
}

static int bind_resolved(soon_listener *l, const char *where, const struct soon__resolved *resolved)
	SOON_SUSPENDS
{
	bool is_any_port = soon_addr_port(&resolved->addrs[0]) == 0;
	sa_family_t family = AF_UNSPEC;
	int rc = soon__sockets_alloc(l, (unsigned)resolved->count);

	if (rc < 0)
		return rc;
	for (int left = PORT_TRIES;; left--) {
		rc = bind_each(l, where, resolved, &family);
		/* The port that the kernel chose for one may be taken for another. */
		if (rc != -EADDRINUSE || !is_any_port || l->sockets_count == 0 || left == 0)
			break;
		unbind(l);
	}
	if (rc < 0)
		unbind(l);
	return rc < 0 && rc != -ECANCELED ? failure_report(where, rc, family) : rc;
}

int soon__listener_bind(soon_listener *l, const char *where)
{
	char star[SOON__HOST_BYTES];
	struct soon__resolved *resolved;
	int rc = soon__listener_inherit(l, where);

	if (rc != 0)
		return rc < 0 ? rc : 0;
	if (where[0] == ':') {
		(void)snprintf(star, sizeof star, "*%s", where);
		where = star;
	}
	rc = soon__resolve(where, &resolved);
	if (rc < 0 && rc != -ECANCELED)
		refusal_report(where, rc);
	if (rc < 0)
		return rc;
	if (l->opts.v6only && where[0] == '*')
		resolved->count = 1;
	rc = bind_resolved(l, where, resolved);
	soon_free(resolved);
	return rc;
}
