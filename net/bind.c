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
#include <string.h>
#include <sys/stat.h>

#define BACKLOG_COUNT 4096

/*
 * The kernel may hold the sockets of a killed process for some ms while it takes its ring down.
 * A restarted service must not fail for that.
 */
#define BUSY_RETRY   SOON_MS(10)
#define BUSY_RETRIES 25

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
	bool is_bound = false;

	for (int left = BUSY_RETRIES;; left--) {
		int rc = is_bound ? 0 : soon__bind(fd, addr, SOCK_STREAM);
		int slept;

		is_bound = rc == 0;
		if (rc == 0)
			rc = listen_once(fd, addr, opts);
		if (rc != -EADDRINUSE || left == 0)
			return rc;
		slept = soon_sleep(BUSY_RETRY);
		if (slept < 0)
			return slept;
	}
}

static int listen_on(soon_listener *l, const soon_addr *addr) SOON_SUSPENDS
{
	sa_family_t family = addr->storage.ss_family;
	int fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int rc;

	if (fd < 0)
		return -errno;
	rc = options_set(fd, family, &l->opts);
	if (rc == 0)
		rc = bind_with_patience(fd, addr, &l->opts);
	l->addr = (soon_addr){ .len = sizeof l->addr.storage };
	if (rc == 0 && getsockname(fd, (struct sockaddr *)&l->addr.storage, &l->addr.len) < 0)
		rc = -errno;
	if (rc < 0) {
		(void)soon_close(fd); /* the failure that matters is known already */
		return rc;
	}

	l->fd = fd;
	soon_fd_track(fd, "listener");
	soon__unix_file_note(addr, &l->file);
	return 0;
}

int soon__listener_bind_to(soon_listener *l, const soon_addr *addr)
{
	return listen_on(l, addr);
}

static void refusal_report(const char *where, int rc)
{
	soon_report_file(SOON_REPORT_WARNING, rc,
		"cannot listen on \"%.120s\": %s: it should be like \"127.0.0.1:8080\", "
		"\"[::1]:8080\", \"*:8080\", \"localhost:8080\" or \"unix:/path\"",
		where, soon__error_text(rc));
}

static int failure_report(const char *where, int rc, sa_family_t family)
{
	soon_report_file(SOON_REPORT_WARNING, rc, "cannot listen on %.120s: %s: %s", where,
		soon__error_text(rc), soon__bind_advice(rc, family, SOCK_STREAM));
	return soon_fail(rc, "cannot listen on %.120s: %s", where, soon__error_text(rc));
}

int soon__listener_bind(soon_listener *l, const char *where)
{
	struct soon__resolved *resolved;
	sa_family_t family = AF_UNSPEC;
	int rc = soon__resolve(where, &resolved);

	if (rc < 0 && rc != -ECANCELED)
		refusal_report(where, rc);
	if (rc < 0)
		return rc;
	if (l->opts.v6only && where[0] == '*')
		resolved->count = 1;

	/* Another address is a remedy where there is no such one here, not for a taken port. */
	for (size_t i = 0; i < resolved->count; i++) {
		family = resolved->addrs[i].storage.ss_family;
		rc = listen_on(l, &resolved->addrs[i]);
		if (rc != -EADDRNOTAVAIL && rc != -EAFNOSUPPORT)
			break;
	}
	if (rc < 0 && rc != -ECANCELED)
		rc = failure_report(where, rc, family);
	soon_free(resolved);
	return rc;
}
