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
#include "inherit.h"
#include "stream.h"

#include <fcntl.h>
#include <poll.h>
#include <stdio.h>

/* As many as the kernel's queue can hold; newcomers cannot keep a stopped listener going. */
#define LATE_MAX 4096

/* For each of these, where several listeners have one socket. */
#define LATE_WAIT SOON_MS(1)

int soon__sockets_alloc(soon_listener *l, unsigned count)
{
	SOON_ASSERT(l->sockets == NULL);
	l->sockets = soon_zalloc(count * sizeof *l->sockets);
	return l->sockets == NULL ? -ENOMEM : 0;
}

/* Relaxed: who drains because of it says so after it was set. */
bool soon__listener_is_handed_over(const soon_listener *l)
{
	return atomic_load_explicit(&l->is_handed, memory_order_relaxed);
}

/*
 * Whether the sockets are another process's to accept from: it has them now, or it has not given
 * them to this one yet.
 */
static bool is_of_others(const soon_listener *l)
{
	return soon__listener_is_handed_over(l) || (l->is_gated && !soon__takeover_is_done());
}

static void socket_close(soon_listener *l, struct soon__socket *socket) SOON_SUSPENDS
{
	if (!is_of_others(l))
		soon__unix_file_remove(&socket->addr, &socket->file);
	/* A listening socket has nothing to lose that its close could tell about. */
	(void)soon_close(socket->fd);
}

/* The others before the first, which leads their acceptors. */
static void sockets_close(soon_listener *l) SOON_SUSPENDS
{
	if (l->is_closed)
		return;
	soon__twins_leave(l);
	l->is_closed = true;
	for (unsigned i = l->sockets_count; i-- > 0;) {
		soon_acceptor_fini(&l->sockets[i].acceptor);
		socket_close(l, &l->sockets[i]);
		l->sockets[i].fd = -1;
	}
}

void soon__acceptors_begin(soon_listener *l)
{
	SOON_ASSERT(l->sockets_count > 0);
	for (unsigned i = 0; i < l->sockets_count; i++) {
		soon_acceptor_init(&l->sockets[i].acceptor, l->sockets[i].fd);
		if (i > 0)
			soon_acceptor_join(&l->sockets[i].acceptor, &l->sockets[0].acceptor);
	}
}

int soon__listener_begin(soon_listener *l, int rc, soon_listener **ret_listener)
{
	if (rc < 0) {
		for (unsigned i = 0; i < l->sockets_count; i++)
			socket_close(l, &l->sockets[i]);
		soon_free(l->sockets);
		soon_free(l);
		return rc;
	}
	soon__acceptors_begin(l);
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
	if (l->opts.name != NULL)
		(void)snprintf(l->name, sizeof l->name, "%s", l->opts.name);
	l->opts.name = NULL; /* the caller's memory */
	return soon__listener_begin(l, soon__listener_bind(l, where), ret_listener);
}

static bool is_somebody_there(const struct soon__socket *socket)
{
	struct pollfd entry = { .fd = socket->fd, .events = POLLIN };

	return poll(&entry, 1, 0) > 0;
}

/*
 * Takes one from the kernel's queue without a wait. Where others accept from the same socket with
 * the ring, it cannot be told not to wait, and one that is there now may be theirs the next moment:
 * so not for longer than that.
 */
static int take_late(const struct soon__socket *socket, bool is_shared) SOON_SUSPENDS
{
	int fd;

	if (is_shared && !is_somebody_there(socket))
		return -EAGAIN;
	if (is_shared && soon_io_backend(NULL) == SOON_IO_URING)
		return (int)soon_within(LATE_WAIT, soon_accept(socket->fd, NULL, NULL, 0));
	fd = fcntl(socket->fd, F_SETFL, O_NONBLOCK);
	if (fd == 0)
		fd = accept4(socket->fd, NULL, NULL, SOCK_CLOEXEC);
	if (fd < 0)
		return -errno;
	soon_fd_track(fd, "connection");
	return fd;
}

/* Of one connection, or somebody else had it: there may be more. */
static bool is_passing(int rc)
{
	return rc == -ECONNABORTED || rc == -EINTR || rc == -ETIMEDOUT;
}

/*
 * As long as there are some, where the acceptors do not look any more. Also where another process
 * accepts from the sockets now: the kernel wakes one for each connection, and that may have been
 * our acceptor, which was stopping. Nobody else would look until the next one comes.
 */
static int accept_late(soon_listener *l) SOON_SUSPENDS
{
	bool is_ours = !l->is_closed && (soon__listener_is_handed_over(l) || !is_of_others(l));

	for (unsigned i = 0; is_ours && i < l->sockets_count; i++) {
		bool is_shared = l->sockets[i].is_shared || soon__listener_is_handed_over(l);
		int fd = 0;

		while (fd >= 0 || is_passing(fd)) {
			if (l->late_left-- <= 0)
				break;
			fd = take_late(&l->sockets[i], is_shared);
			if (fd >= 0)
				return fd;
		}
	}
	sockets_close(l);
	return -ESHUTDOWN;
}

int soon__listener_take(soon_listener *listener, soon_stream **ret_stream)
{
	int fd, rc;

	if (listener->is_closed) {
		rc = soon_checkpoint();
		return rc < 0 ? rc : -ESHUTDOWN;
	}
	/* The memory comes first: without it the connection had better stay where it is. */
	if (listener->spare == NULL)
		listener->spare = soon__stream_alloc();
	if (listener->spare == NULL)
		return -ENOMEM;
	listener->is_begun = true;
	if (listener->is_gated && !listener->is_stopped) {
		rc = soon__takeover_wait();
		if (rc < 0)
			return rc;
		listener->is_gated = false;
	}
	fd = soon_acceptor_next(&listener->sockets[0].acceptor);
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
	for (unsigned i = 0; i < listener->sockets_count && !listener->is_closed; i++)
		soon_acceptor_stop(&listener->sockets[i].acceptor);
}

void soon_listener_addr(const soon_listener *listener, soon_addr *ret_addr)
{
	SOON_ASSERT(listener != NULL);
	SOON_ASSERT(ret_addr != NULL);
	*ret_addr = listener->sockets[0].addr;
}

int soon_listener_addr_at(const soon_listener *listener, unsigned index, soon_addr *ret_addr)
{
	SOON_ASSERT(listener != NULL);
	SOON_ASSERT(ret_addr != NULL);
	if (index >= listener->sockets_count)
		return -ENOENT;
	*ret_addr = listener->sockets[index].addr;
	return 0;
}

void soon_listener_close(soon_listener *listener)
{
	if (listener == NULL)
		return;
	sockets_close(listener);
	soon_free(listener->sockets);
	soon_free(listener->spare);
	soon_free(listener);
	soon__blocks_release();
}

void soon__listener_left(soon_listener **listener)
{
	soon_listener_close(*listener);
	*listener = NULL;
}
