// SPDX-License-Identifier: Apache-2.0
/*
 * stream.c: the life of a stream; its two sides are in stream_read.c and stream_write.c.
 *
 * Closing first stops the receiver and the sender, each of which waits until the kernel is through
 * with its memory, and only then closes the socket: closing alone would stop neither.
 */
#include "stream.h"

#include <soon/assert.h>
#include <soon/io.h>
#include <soon/mem.h>
#include <soon/thread.h>

#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>

static const soon_stream_opts opts_default;

soon_stream *soon__stream_alloc(void)
{
	_Static_assert(sizeof(soon_stream) <= 1024, "an idle connection is to cost little");
	return soon_zalloc(sizeof(soon_stream));
}

static void limits_set(soon_stream *s, const soon_stream_opts *opts)
{
	if (opts == NULL)
		opts = &opts_default;
	s->in_bytes_max = opts->in_bytes_max != 0 ? opts->in_bytes_max : SOON__IN_BYTES_MAX;
	s->out_bytes_max = opts->out_bytes_max != 0 ? opts->out_bytes_max : SOON__OUT_BYTES_MAX;
}

void soon__stream_init(soon_stream *s, int fd, const soon_stream_opts *opts)
{
	SOON_ASSERT(s != NULL);
	SOON_ASSERT(fd >= 0);
	s->fd = fd;
	limits_set(s, opts);
	soon_receiver_init(&s->receiver, fd);
	soon_sender_init(&s->sender, fd);
	soon_sender_on_end(&s->sender, soon__stream_sender_ended);
	soon__blocks_hold();
}

void soon__stream_set_up(int fd, const soon_stream_opts *opts)
{
	int one = 1;

	/* A socket of another kind refuses, and needs nothing. */
	if (opts == NULL || !opts->nagle)
		(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
}

static int off_core(const char *what)
{
	soon_report_file(SOON_REPORT_ERROR, -EPERM,
		"%s: must be made on a core's thread; this one runs none", what);
	return -EPERM;
}

int soon_stream_adopt(int fd, const soon_stream_opts *opts, soon_stream **ret_stream)
{
	soon_stream *s;
	int flags;

	SOON_ASSERT(ret_stream != NULL);
	if (!soon_on_core())
		return off_core("soon_stream_adopt");
	flags = fcntl(fd, F_GETFL);
	if (flags < 0)
		return -errno;
	s = soon__stream_alloc();
	if (s == NULL)
		return -ENOMEM;

	/* On a non-blocking socket the ring gives -EAGAIN where it would wait. */
	if ((flags & O_NONBLOCK) != 0)
		(void)fcntl(fd, F_SETFL, flags & ~O_NONBLOCK);
	soon__stream_set_up(fd, opts);
	soon__stream_init(s, fd, opts);
	*ret_stream = s;
	return 0;
}

int soon__stream_on(
	struct soon__transport *transport, const soon_stream_opts *opts, soon_stream **ret_stream)
{
	soon_stream *s;

	SOON_ASSERT(transport != NULL);
	if (!soon_on_core())
		return off_core("a stream on a transport");
	s = soon__stream_alloc();
	if (s == NULL)
		return -ENOMEM;
	s->fd = -1;
	s->transport = transport;
	transport->stream = s;
	limits_set(s, opts);
	soon__blocks_hold();
	*ret_stream = s;
	return 0;
}

void soon__transport_sent(struct soon__transport *transport, int rc)
{
	soon__stream_sent(transport->stream, rc);
}

struct soon__transport *soon__stream_transport(const soon_stream *stream)
{
	SOON_ASSERT(stream != NULL);
	return stream->transport;
}

int soon__stream_conflict(const soon_stream *stream, const char *side)
{
	if (stream->transport != NULL)
		soon_report_file(SOON_REPORT_ERROR, -EBUSY,
			"task '%s' tries to %s a stream while another task is at it",
			soon_task_name(NULL), side);
	return -EBUSY;
}

/* Hands the kernel what it takes without waiting, after a cancel left no time to wait. */
static void send_last(soon_stream *s) SOON_SUSPENDS
{
	struct soon__block *blocks[2] = { s->flight, s->gather };
	struct iovec iov[2];
	struct msghdr msg = { .msg_iov = iov };
	size_t left = soon__stream_stop(s);

	if (s->flight != NULL) {
		SOON_ASSERT(left <= soon__block_len(s->flight));
		s->flight->start = s->flight->end - left;
	}
	for (int i = 0; i < 2; i++)
		if (soon__block_len(blocks[i]) > 0)
			iov[msg.msg_iovlen++] = (struct iovec){ blocks[i]->data + blocks[i]->start,
				soon__block_len(blocks[i]) };
	if (s->transport != NULL)
		s->transport->ops->send_last(s->transport, iov, (int)msg.msg_iovlen);
	else if (msg.msg_iovlen > 0)
		(void)sendmsg(s->fd, &msg, MSG_DONTWAIT | MSG_NOSIGNAL);
}

/* Nothing here is a cancellation point, so that a cancelled task closes as surely as another. */
static void stream_destroy(soon_stream *s, bool is_abort) SOON_SUSPENDS
{
	SOON_ASSERT(!s->is_reading);
	SOON_ASSERT(!s->is_writing);
	soon__stream_give_back(s, s->chunk);
	if (s->transport != NULL) {
		s->transport->ops->close(s->transport, is_abort);
	} else {
		soon_receiver_fini(&s->receiver);
		soon_sender_fini(&s->sender);
	}
	soon__block_give(s->in);
	soon__block_give(s->flight);
	soon__block_give(s->gather);
	/* The descriptor is gone whatever the result is, and a socket has no data to lose here. */
	if (s->fd >= 0)
		(void)soon_close(s->fd);
	soon_free(s);
	soon__blocks_release();
}

/* A room that was reserved and not committed belongs to a task that gave up. */
static void reserve_drop(soon_stream *s) SOON_ON_CORE
{
	if (s->is_reserved)
		soon_stream_commit(s, 0);
}

int soon_stream_close(soon_stream *stream)
{
	int rc;

	if (stream == NULL)
		return 0;
	reserve_drop(stream);
	SOON_ASSERT(!stream->is_writing);
	rc = stream->out_error;
	if (rc == 0 && soon__stream_pending(stream) > 0) {
		rc = soon_stream_flush(stream);
		if (rc == -ECANCELED)
			send_last(stream);
	}
	stream_destroy(stream, false);
	return rc;
}

void soon_stream_abort(soon_stream *stream)
{
	struct linger linger = { .l_onoff = 1, .l_linger = 0 };

	if (stream == NULL)
		return;
	reserve_drop(stream);
	/* A unix socket takes it and does nothing, which is as much as it can. */
	if (stream->fd >= 0)
		(void)setsockopt(stream->fd, SOL_SOCKET, SO_LINGER, &linger, sizeof linger);
	stream_destroy(stream, true);
}

void soon__stream_left(soon_stream **stream)
{
	(void)soon_stream_close(*stream);
	*stream = NULL;
}

int soon_stream_shutdown(soon_stream *stream)
{
	int rc = soon_stream_flush(stream);

	if (rc < 0 || stream->is_shut)
		return rc;
	if (stream->transport != NULL)
		rc = stream->transport->ops->shutdown(stream->transport);
	else if (shutdown(stream->fd, SHUT_WR) < 0)
		rc = -errno;
	if (rc < 0)
		return rc;
	stream->is_shut = true;
	return 0;
}

int soon_stream_fd(const soon_stream *stream)
{
	SOON_ASSERT(stream != NULL);
	return stream->fd;
}

int soon_stream_peer(const soon_stream *stream, soon_addr *ret_addr)
{
	soon_addr addr = { .len = sizeof addr.storage };

	SOON_ASSERT(stream != NULL);
	SOON_ASSERT(ret_addr != NULL);
	if (stream->fd < 0)
		return -ENOTSOCK;
	if (getpeername(stream->fd, (struct sockaddr *)&addr.storage, &addr.len) < 0)
		return -errno;
	*ret_addr = addr;
	return 0;
}

uint64_t soon_stream_written(const soon_stream *stream)
{
	SOON_ASSERT(stream != NULL);
	return stream->written;
}
