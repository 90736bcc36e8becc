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

int soon_listen(const char *where, const soon_listen_opts *opts, soon_listener **ret_listener)
{
	soon_listener *l;
	int rc;

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
	rc = soon__listener_bind(l, where);
	if (rc < 0) {
		soon_free(l);
		return rc;
	}
	soon_acceptor_init(&l->acceptor, l->fd);
	soon__blocks_hold();
	*ret_listener = l;
	return 0;
}

static void socket_close(soon_listener *l) SOON_SUSPENDS
{
	if (l->fd < 0)
		return;
	soon_acceptor_fini(&l->acceptor);
	soon__listener_unlink(l);
	/* A listening socket has nothing to lose that its close could tell about. */
	(void)soon_close(l->fd);
	l->fd = -1;
}

/* Takes one from the kernel's queue, where the acceptor does not look any more. */
static int accept_late(soon_listener *l) SOON_SUSPENDS
{
	int fd;

	while (l->fd >= 0 && l->late_left > 0) {
		l->late_left--;
		fd = accept4(l->fd, NULL, NULL, SOCK_CLOEXEC);
		if (fd >= 0)
			return fd;
		if (errno != ECONNABORTED && errno != EINTR)
			break;
	}
	socket_close(l);
	return -ESHUTDOWN;
}

int soon_listener_accept(soon_listener *listener, soon_stream **ret_stream)
{
	int fd, rc;

	SOON_ASSERT(listener != NULL);
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
	soon__stream_init(*ret_stream, fd, &listener->opts.stream);
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
