// SPDX-License-Identifier: Apache-2.0
/*
 * listener.c: the life of a listener.
 *
 * Its end has two steps, so that nobody who is connected already is turned away: after the stop,
 * accept gives what the kernel had taken, then what waits in the kernel's queue, none of which has
 * to be waited for; then the socket is closed.
 */
#include "listener.h"

#include <soon/assert.h>
#include <soon/io.h>
#include <soon/mem.h>
#include <soon/scope.h>
#include <soon/thread.h>

#include "block.h"
#include "stream.h"

#include <fcntl.h>

/* As many as the kernel's queue can hold; newcomers cannot keep a stopped listener going. */
#define LATE_MAX 4096

/* For each of these, where several listeners have one socket. */
#define LATE_WAIT SOON_MS(1)

/* A listener with a socket, which `rc` says it has. */
static int begin(soon_listener *l, int rc, soon_listener **ret_listener) SOON_ON_CORE
{
	if (rc < 0) {
		soon_free(l);
		return rc;
	}
	soon_acceptor_init(&l->acceptor, l->fd);
	soon__blocks_hold();
	*ret_listener = l;
	return 0;
}

int soon_listen(const char *where, const soon_listen_opts *opts, soon_listener **ret_listener)
{
	soon_listener *l;

	SOON_ASSERT(where != NULL);
	SOON_ASSERT(ret_listener != NULL);
	if (!soon_on_core()) {
		soon_report_file(SOON_REPORT_ERROR, -EPERM,
			"soon_listen: must be called on a core's thread; this one runs none");
		return -EPERM;
	}
	l = soon_zalloc(sizeof *l);
	if (l == NULL)
		return -ENOMEM;
	if (opts != NULL)
		l->opts = *opts;
	return begin(l, soon__listener_bind(l, where), ret_listener);
}

int soon__listener_twins_init(struct soon__listener_twins *twins, soon_listener *listener)
{
	*twins = (struct soon__listener_twins){
		.opts = listener->opts,
		.addr = listener->addr,
		.fd = -1,
	};
	if (listener->opts.reuse_port && listener->addr.storage.ss_family != AF_UNIX)
		return 0;
	twins->fd = fcntl(listener->fd, F_DUPFD_CLOEXEC, 0);
	if (twins->fd < 0)
		return -errno;
	listener->is_shared = true;
	return 0;
}

void soon__listener_twins_fini(struct soon__listener_twins *twins)
{
	if (twins->fd >= 0)
		(void)soon_close(twins->fd); /* a copy, which has nothing to lose */
	twins->fd = -1;
}

int soon__listener_twin(const struct soon__listener_twins *twins, soon_listener **ret_listener)
{
	soon_listener *l = soon_zalloc(sizeof *l);
	int rc = 0;

	if (l == NULL)
		return -ENOMEM;
	l->opts = twins->opts;
	if (twins->fd < 0)
		return begin(l, soon__listener_bind_to(l, &twins->addr), ret_listener);
	l->addr = twins->addr;
	l->is_shared = true;
	l->fd = fcntl(twins->fd, F_DUPFD_CLOEXEC, 0);
	if (l->fd < 0)
		rc = -errno;
	return begin(l, rc, ret_listener);
}

static void socket_close(soon_listener *l) SOON_SUSPENDS
{
	if (l->fd < 0)
		return;
	soon_acceptor_fini(&l->acceptor);
	soon__unix_file_remove(&l->addr, &l->file);
	/* A listening socket has nothing to lose that its close could tell about. */
	(void)soon_close(l->fd);
	l->fd = -1;
}

/*
 * Takes one from the kernel's queue without a wait. Where others accept from the same socket, it
 * cannot be told not to wait, and one that is there now may be theirs: so not for longer than that.
 */
static int take_late(soon_listener *l) SOON_SUSPENDS
{
	int fd;

	if (l->is_shared)
		return (int)soon_within(LATE_WAIT, soon_accept(l->fd, NULL, NULL, 0));
	fd = accept4(l->fd, NULL, NULL, SOCK_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

/* As long as there are some, where the acceptor does not look any more. */
static int accept_late(soon_listener *l) SOON_SUSPENDS
{
	int fd;

	while (l->fd >= 0 && l->late_left > 0) {
		l->late_left--;
		fd = take_late(l);
		if (fd >= 0)
			return fd;
		if (fd != -ECONNABORTED && fd != -EINTR)
			break;
	}
	socket_close(l);
	return -ESHUTDOWN;
}

int soon__listener_take(soon_listener *listener, soon_stream **ret_stream)
{
	int fd, rc;

	if (listener->fd < 0) {
		rc = soon_checkpoint();
		return rc < 0 ? rc : -ESHUTDOWN;
	}
	/* The memory comes first: without it the connection had better stay where it is. */
	if (listener->spare == NULL)
		listener->spare = soon__stream_alloc();
	if (listener->spare == NULL)
		return -ENOMEM;
	fd = soon_acceptor_next(&listener->acceptor);
	if (fd == -ESHUTDOWN)
		fd = accept_late(listener);
	if (fd < 0)
		return fd;

	*ret_stream = listener->spare;
	listener->spare = NULL;
	(*ret_stream)->fd = fd;
	return 0;
}

int soon_listener_accept(soon_listener *listener, soon_stream **ret_stream)
{
	soon_stream *stream;
	int rc;

	SOON_ASSERT(listener != NULL);
	rc = soon__listener_take(listener, &stream);
	if (rc < 0)
		return rc;
	soon__stream_init(stream, stream->fd, &listener->opts.stream);
	*ret_stream = stream;
	return 0;
}

void soon_listener_stop(soon_listener *listener)
{
	SOON_ASSERT(listener != NULL);
	if (listener->is_stopped)
		return;
	listener->is_stopped = true;
	listener->late_left = LATE_MAX;
	soon_acceptor_stop(&listener->acceptor);
	/* From now on accept4 is called directly, and may not wait. */
	if (!listener->is_shared)
		(void)fcntl(listener->fd, F_SETFL, O_NONBLOCK);
}

void soon_listener_addr(const soon_listener *listener, soon_addr *ret_addr)
{
	SOON_ASSERT(listener != NULL);
	SOON_ASSERT(ret_addr != NULL);
	*ret_addr = listener->addr;
}

void soon_listener_close(soon_listener *listener)
{
	if (listener == NULL)
		return;
	socket_close(listener);
	soon_free(listener->spare);
	soon_free(listener);
	soon__blocks_release();
}

void soon__listener_left(soon_listener **listener)
{
	soon_listener_close(*listener);
	*listener = NULL;
}
