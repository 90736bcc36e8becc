// SPDX-License-Identifier: Apache-2.0
/*
 * pipe.c: a stream's transport over one end of a pipe.
 *
 * The end does not block: bytes move by plain reads and writes, and only readiness is waited for,
 * by a poll, so no memory is ever with the kernel and every back end can do it. Whoever needs bytes
 * to move moves them: a send takes at once what fits, and the rest goes while somebody waits for
 * its end. There is no half-close: the shutdown of a writing end closes it.
 */
#include "pipe.h"

#include <soon/assert.h>
#include <soon/io.h>
#include <soon/mem.h>

#include "block.h"
#include "spi/transport.h"

#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define CHUNK_BYTES 16000 /* fits the second size of blocks */
#define PIECES_MAX  (SOON_STREAM_SLICES_MAX + 1)

struct pipe {
	struct soon__transport transport;
	int fd; /* -1 after the shutdown */
	bool is_writer;
	int rc;                   /* sends fail with this, once it is not 0 */
	struct soon__block *lent; /* the chunk that the reader has, or NULL */
	size_t rest;              /* bytes of `pieces` not taken yet */
	struct iovec *at;         /* the first of them */
	int count;
	struct iovec pieces[PIECES_MAX];
};

static struct pipe *pipe_at(struct soon__transport *t)
{
	return SOON_CONTAINER_OF(t, struct pipe, transport);
}

/* ---- reading ----------------------------------------------------------------------------- */

static ssize_t pipe_try_next(struct soon__transport *t, soon_slice *ret_chunk)
{
	struct pipe *pipe = pipe_at(t);
	struct soon__block *block;
	ssize_t n;

	if (pipe->is_writer)
		return -EBADF;
	SOON_ASSERT(pipe->lent == NULL);
	block = soon__block_take(CHUNK_BYTES);
	if (block == NULL)
		return -ENOMEM;
	do {
		n = read(pipe->fd, block->data, CHUNK_BYTES);
		if (n < 0)
			n = -errno;
	} while (n == -EINTR);
	if (n <= 0) {
		soon__block_give(block);
		return n;
	}
	pipe->lent = block;
	*ret_chunk = (soon_slice){ block->data, (size_t)n };
	return n;
}

static ssize_t pipe_next(struct soon__transport *t, soon_slice *ret_chunk) SOON_SUSPENDS
{
	ssize_t n;

	while ((n = pipe_try_next(t, ret_chunk)) == -EAGAIN) {
		int rc = soon_poll_fd(pipe_at(t)->fd, POLLIN);

		if (rc < 0)
			return rc;
	}
	return n;
}

static void pipe_give_back(struct soon__transport *t, soon_slice chunk)
{
	struct pipe *pipe = pipe_at(t);

	SOON_ASSERT(pipe->lent != NULL);
	SOON_ASSERT(chunk.ptr == pipe->lent->data);
	soon__block_give(pipe->lent);
	pipe->lent = NULL;
}

/* ---- writing ----------------------------------------------------------------------------- */

/* As writev(2), but a pipe that nobody reads gives -EPIPE and no signal. */
static ssize_t write_quietly(int fd, const struct iovec *pieces, int count)
{
	const struct timespec no_time = { 0 };
	sigset_t pipe_only, pending, before;
	ssize_t n;

	(void)sigemptyset(&pipe_only);
	(void)sigaddset(&pipe_only, SIGPIPE);
	(void)sigemptyset(&pending);
	(void)sigpending(&pending);
	(void)pthread_sigmask(SIG_BLOCK, &pipe_only, &before);
	do {
		n = writev(fd, pieces, count);
		if (n < 0)
			n = -errno;
	} while (n == -EINTR);
	if (n == -EPIPE && !sigismember(&pending, SIGPIPE))
		(void)sigtimedwait(&pipe_only, NULL, &no_time);
	(void)pthread_sigmask(SIG_SETMASK, &before, NULL);
	return n;
}

/* Takes `bytes` off the front of the pieces. */
static void advance(struct pipe *pipe, size_t bytes)
{
	SOON_ASSERT(bytes <= pipe->rest);
	pipe->rest -= bytes;
	while (pipe->count > 0 && bytes >= pipe->at->iov_len) {
		bytes -= pipe->at->iov_len;
		pipe->at++;
		pipe->count--;
	}
	if (bytes > 0) {
		pipe->at->iov_base = (char *)pipe->at->iov_base + bytes;
		pipe->at->iov_len -= bytes;
	}
}

static void send_end(struct pipe *pipe, int rc) SOON_ON_CORE
{
	pipe->rest = 0;
	if (rc < 0)
		pipe->rc = rc;
	soon__transport_sent(&pipe->transport, rc);
}

/* Has the pipe take what fits; a failure, too, ends the send. */
static void push(struct pipe *pipe) SOON_ON_CORE
{
	ssize_t n = write_quietly(pipe->fd, pipe->at, pipe->count);

	if (n == -EAGAIN)
		return;
	if (n < 0) {
		send_end(pipe, (int)n);
		return;
	}
	advance(pipe, (size_t)n);
	if (pipe->rest == 0)
		send_end(pipe, 0);
}

static int pipe_startv(struct soon__transport *t, const struct iovec *iov, int count) SOON_ON_CORE
{
	struct pipe *pipe = pipe_at(t);

	SOON_ASSERT(count > 0 && count <= PIECES_MAX);
	SOON_ASSERT(pipe->rest == 0);
	if (!pipe->is_writer)
		return -EBADF;
	if (pipe->rc != 0)
		return pipe->rc;
	if (pipe->fd < 0)
		return -EPIPE;
	memcpy(pipe->pieces, iov, (size_t)count * sizeof *iov);
	pipe->at = pipe->pieces;
	pipe->count = count;
	for (int i = 0; i < count; i++)
		pipe->rest += iov[i].iov_len;
	push(pipe);
	return 0;
}

static bool pipe_is_busy(struct soon__transport *t)
{
	return pipe_at(t)->rest > 0;
}

static int pipe_wait(struct soon__transport *t) SOON_SUSPENDS
{
	struct pipe *pipe = pipe_at(t);

	while (pipe->rest > 0) {
		int rc = soon_poll_fd(pipe->fd, POLLOUT);

		if (rc < 0)
			return rc;
		if (pipe->rest > 0)
			push(pipe);
	}
	return pipe->rc;
}

static size_t pipe_stop(struct soon__transport *t)
{
	struct pipe *pipe = pipe_at(t);
	size_t rest = pipe->rest;

	pipe->rest = 0;
	return rest;
}

static void pipe_send_last(struct soon__transport *t, const struct iovec *iov, int count)
{
	const struct pipe *pipe = pipe_at(t);

	if (pipe->fd >= 0 && pipe->is_writer && count > 0)
		(void)write_quietly(pipe->fd, iov, count); /* nobody is left to be told */
}

/* ---- the end ----------------------------------------------------------------------------- */

static void end_close(struct pipe *pipe) SOON_SUSPENDS
{
	if (pipe->fd >= 0)
		(void)soon_close(pipe->fd); /* gone whatever the result is */
	pipe->fd = -1;
}

static int pipe_shutdown(struct soon__transport *t) SOON_SUSPENDS
{
	struct pipe *pipe = pipe_at(t);

	if (!pipe->is_writer)
		return -EBADF;
	end_close(pipe);
	return 0;
}

static void pipe_close(struct soon__transport *t, bool is_abort) SOON_SUSPENDS
{
	struct pipe *pipe = pipe_at(t);

	(void)is_abort; /* a pipe knows one kind of end */
	SOON_ASSERT(pipe->lent == NULL);
	end_close(pipe);
	soon_free(pipe);
}

static const struct soon__transport_ops pipe_ops = {
	.next = pipe_next,
	.try_next = pipe_try_next,
	.give_back = pipe_give_back,
	.startv = pipe_startv,
	.is_busy = pipe_is_busy,
	.wait = pipe_wait,
	.stop = pipe_stop,
	.send_last = pipe_send_last,
	.shutdown = pipe_shutdown,
	.close = pipe_close,
};

int soon__pipe_stream(
	int fd, bool is_writer, const soon_stream_opts *opts, soon_stream **ret_stream)
{
	struct pipe *pipe = soon_zalloc(sizeof *pipe);
	int rc;

	SOON_ASSERT(fd >= 0);
	if (pipe == NULL)
		return -ENOMEM;
	pipe->transport.ops = &pipe_ops;
	pipe->fd = fd;
	pipe->is_writer = is_writer;
	rc = soon__stream_on(&pipe->transport, opts, ret_stream);
	if (rc < 0)
		soon_free(pipe);
	return rc;
}
