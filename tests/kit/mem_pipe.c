// SPDX-License-Identifier: Apache-2.0
/*
 * mem_pipe.c: a stream's transport in memory.
 *
 * Each direction is a lane: the bytes that a sender lends, then a ring of those it was relieved of,
 * then the chunk that the reader was lent. Whoever needs bytes to move moves them: the sender when
 * it starts and while it waits, the reader when it finds nothing. So there is no task and no timer
 * in here, and a pipe that nobody moves is a deadlock that the core can see.
 */
#include <soon/assert.h>
#include <soon/mem.h>
#include <soon/mem_pipe.h>
#include <soon/task.h>

#include "core/spi/park.h"

#include "net/spi/transport.h"

#include <string.h>

#define LIMIT_DEFAULT  65536
#define PIECES_MAX     (SOON_STREAM_SLICES_MAX + 1)
#define BREAK_AT_NEVER SIZE_MAX

struct end;

struct lane {
	/* The sender. */
	struct iovec iov[PIECES_MAX]; /* its memory, while rest is not 0 */
	unsigned iov_at;
	size_t rest;
	struct soon__wait *send_wait; /* of the task in wait(), or NULL */
	int send_rc;                  /* sends fail with this, once it is not 0 */

	/* The ring. */
	char *bytes;
	size_t head;    /* where the oldest byte is */
	size_t count;   /* bytes in it, the lent ones among them */
	size_t arrived; /* of a pumped pipe: that the reader may see */
	bool is_shut;   /* nothing comes behind them */

	/* The reader. */
	struct soon__wait *read_wait;
	size_t lent;
	size_t break_at; /* bytes that may still be read, then break_rc */
	int break_rc;
	int read_rc; /* what comes behind the bytes, once it is not 0 */
	bool is_gone;
};

struct pipe {
	struct end {
		struct soon__transport transport;
		struct pipe *pipe;
		struct lane *out, *in;
		bool is_open;
	} ends[2];
	struct lane lanes[2];
	soon_mem_pipe_opts opts;
	uint64_t random;
};

static struct end *end_at(struct soon__transport *t)
{
	return SOON_CONTAINER_OF(t, struct end, transport);
}

static uint64_t random_next(struct pipe *pipe)
{
	pipe->random ^= pipe->random << 13;
	pipe->random ^= pipe->random >> 7;
	pipe->random ^= pipe->random << 17;
	return pipe->random;
}

/* How much of `bytes` this step may take. */
static size_t step(struct pipe *pipe, size_t bytes, size_t max)
{
	if (max == 0 || max > bytes)
		max = bytes;
	if (pipe->opts.seed != 0 && max > 0)
		max = (size_t)(random_next(pipe) % max) + 1;
	return max;
}

static void wake(struct soon__wait **wait, ssize_t rc)
{
	struct soon__wait *waiting = *wait;

	*wait = NULL;
	if (waiting)
		soon__unpark(waiting, rc);
}

/* ---- moving bytes ------------------------------------------------------------------------ */

static size_t visible(const struct pipe *pipe, const struct lane *lane)
{
	size_t bytes = lane->count - lane->lent;

	return pipe->opts.is_pumped && lane->arrived < bytes ? lane->arrived : bytes;
}

static void copy_in(const struct pipe *pipe, struct lane *lane, const char *from, size_t bytes)
{
	size_t tail = (lane->head + lane->count) % pipe->opts.limit;
	size_t first = pipe->opts.limit - tail;

	SOON_ASSERT(bytes <= pipe->opts.limit - lane->count);
	if (first > bytes)
		first = bytes;
	memcpy(lane->bytes + tail, from, first);
	memcpy(lane->bytes, from + first, bytes - first);
	lane->count += bytes;
}

/* The send in flight is over, one way or the other. */
static void send_end(struct end *from, int rc)
{
	from->out->rest = 0;
	wake(&from->out->send_wait, 0);
	soon__transport_sent(&from->transport, rc);
}

static void send_fail(struct end *from, int rc)
{
	if (from->out->send_rc == 0)
		from->out->send_rc = rc;
	if (from->out->rest > 0)
		send_end(from, rc);
}

static size_t room(const struct pipe *pipe, const struct lane *lane)
{
	if (pipe->opts.is_lockstep && !lane->read_wait)
		return 0;
	return pipe->opts.limit - lane->count;
}

/* Takes what fits of the send in flight, a step of it; returns whether that was anything. */
static bool push(struct end *from)
{
	struct pipe *pipe = from->pipe;
	struct lane *lane = from->out;
	struct iovec *piece = &lane->iov[lane->iov_at];
	size_t bytes = room(pipe, lane);
	int rc = 0;

	if (lane->rest == 0 || bytes == 0)
		return false;
	while (piece->iov_len == 0)
		piece = &lane->iov[++lane->iov_at];
	bytes = step(pipe, bytes < piece->iov_len ? bytes : piece->iov_len, pipe->opts.write_max);
	if (pipe->opts.before_send)
		rc = pipe->opts.before_send(from->transport.stream,
			(soon_slice){ piece->iov_base, bytes }, pipe->opts.data);
	if (rc < 0) {
		send_fail(from, rc);
		return true;
	}
	copy_in(pipe, lane, piece->iov_base, bytes);
	piece->iov_base = (char *)piece->iov_base + bytes;
	piece->iov_len -= bytes;
	lane->rest -= bytes;
	if (visible(pipe, lane) > 0)
		wake(&lane->read_wait, 0);
	if (lane->rest == 0)
		send_end(from, 0);
	return true;
}

/* ---- breaking ---------------------------------------------------------------------------- */

static void lane_break(struct pipe *pipe, unsigned i, int rc)
{
	struct lane *lane = &pipe->lanes[i];

	if (lane->read_rc == 0)
		lane->read_rc = rc;
	wake(&lane->read_wait, 0);
	if (pipe->ends[i].is_open)
		send_fail(&pipe->ends[i], rc);
}

static void pipe_break(struct pipe *pipe, int rc)
{
	lane_break(pipe, 0, rc);
	lane_break(pipe, 1, rc);
}

/* ---- reading ----------------------------------------------------------------------------- */

/* A chunk if there is one; -EAGAIN when it has to be waited for. */
static ssize_t take(struct end *end, soon_slice *ret_chunk)
{
	struct pipe *pipe = end->pipe;
	struct lane *lane = end->in;
	size_t at = (lane->head + lane->lent) % pipe->opts.limit;
	size_t bytes = visible(pipe, lane);

	SOON_ASSERT(lane->lent == 0);
	if (lane->break_at == 0 && lane->break_rc != 0)
		return lane->break_rc;
	if (bytes == 0) {
		if (lane->read_rc != 0)
			return lane->read_rc;
		return lane->is_shut && lane->count == 0 ? 0 : -EAGAIN;
	}
	if (bytes > pipe->opts.limit - at)
		bytes = pipe->opts.limit - at;
	if (bytes > lane->break_at)
		bytes = lane->break_at;
	bytes = step(pipe, bytes, pipe->opts.read_max);
	lane->lent = bytes;
	if (pipe->opts.is_pumped)
		lane->arrived -= bytes;
	*ret_chunk = (soon_slice){ lane->bytes + at, bytes };
	if (lane->break_at != BREAK_AT_NEVER)
		lane->break_at -= bytes;
	if (lane->break_at == 0)
		pipe_break(pipe, lane->break_rc);
	if (pipe->opts.after_receive)
		(void)pipe->opts.after_receive(end->transport.stream, *ret_chunk, pipe->opts.data);
	return (ssize_t)bytes;
}

static struct end *peer_of(struct end *end)
{
	return &end->pipe->ends[end == &end->pipe->ends[0]];
}

static ssize_t pipe_try_next(struct soon__transport *t, soon_slice *ret_chunk)
{
	struct end *end = end_at(t);
	ssize_t n = take(end, ret_chunk);

	if (n == -EAGAIN && push(peer_of(end)))
		n = take(end, ret_chunk);
	return n;
}

struct reader {
	struct soon__wait wait;
	struct lane *lane;
};

static enum soon__abort read_abort(struct soon__wait *wait)
{
	SOON_CONTAINER_OF(wait, struct reader, wait)->lane->read_wait = NULL;
	return SOON__ABORT_DONE;
}

static ssize_t pipe_next(struct soon__transport *t, soon_slice *ret_chunk)
{
	struct end *end = end_at(t);
	int rc = soon__checkpoint_inline("receive");

	if (rc < 0)
		return rc;
	for (;;) {
		struct reader reader = {
			.wait = { .abort = read_abort, .what = "receive from a memory pipe" },
			.lane = end->in,
		};
		ssize_t n = pipe_try_next(t, ret_chunk);

		if (n != -EAGAIN)
			return n;
		SOON_ASSERT(!end->in->read_wait);
		end->in->read_wait = &reader.wait;
		(void)push(peer_of(end)); /* in lockstep this is the moment */
		rc = (int)soon__park(&reader.wait);
		if (rc < 0)
			return rc;
	}
}

static void pipe_give_back(struct soon__transport *t, soon_slice chunk)
{
	struct end *end = end_at(t);
	struct lane *lane = end->in;

	SOON_ASSERT(chunk.len == lane->lent);
	lane->head = (lane->head + lane->lent) % end->pipe->opts.limit;
	lane->count -= lane->lent;
	lane->lent = 0;
	/* There is room again; whoever waits for it will move more by itself. */
	if (!end->pipe->opts.is_lockstep)
		(void)push(peer_of(end));
}

/* ---- writing ----------------------------------------------------------------------------- */

static int pipe_startv(struct soon__transport *t, const struct iovec *iov, int count)
{
	struct end *end = end_at(t);
	struct lane *lane = end->out;

	SOON_ASSERT(count > 0 && count <= PIECES_MAX);
	SOON_ASSERT(lane->rest == 0);
	if (lane->send_rc != 0)
		return lane->send_rc;
	memcpy(lane->iov, iov, (size_t)count * sizeof *iov);
	lane->iov_at = 0;
	for (int i = 0; i < count; i++)
		lane->rest += iov[i].iov_len;
	(void)push(end);
	return 0;
}

static bool pipe_is_busy(struct soon__transport *t)
{
	return end_at(t)->out->rest > 0;
}

struct writer {
	struct soon__wait wait;
	struct lane *lane;
};

static enum soon__abort send_abort(struct soon__wait *wait)
{
	SOON_CONTAINER_OF(wait, struct writer, wait)->lane->send_wait = NULL;
	return SOON__ABORT_DONE;
}

static int pipe_wait(struct soon__transport *t)
{
	struct end *end = end_at(t);
	struct lane *lane = end->out;
	int rc = soon__checkpoint_inline("send");

	while (rc == 0 && lane->rest > 0) {
		struct writer writer = {
			.wait = { .abort = send_abort, .what = "send to a memory pipe" },
			.lane = lane,
		};

		if (push(end)) {
			/* Taken in pieces: others may come in between, as on a wire. */
			rc = soon_yield();
			continue;
		}
		lane->send_wait = &writer.wait;
		rc = (int)soon__park(&writer.wait);
	}
	return rc < 0 ? rc : lane->send_rc;
}

static size_t pipe_stop(struct soon__transport *t)
{
	struct lane *lane = end_at(t)->out;
	size_t rest = lane->rest;

	SOON_ASSERT(!lane->send_wait);
	lane->rest = 0;
	return rest;
}

static void pipe_send_last(struct soon__transport *t, const struct iovec *iov, int count)
{
	struct end *end = end_at(t);
	struct lane *lane = end->out;

	for (int i = 0; i < count && lane->send_rc == 0; i++) {
		size_t bytes = room(end->pipe, lane);

		if (bytes > iov[i].iov_len)
			bytes = iov[i].iov_len;
		copy_in(end->pipe, lane, iov[i].iov_base, bytes);
		if (bytes < iov[i].iov_len)
			break;
	}
	if (visible(end->pipe, lane) > 0)
		wake(&lane->read_wait, 0);
}

static int pipe_shutdown(struct soon__transport *t)
{
	struct lane *lane = end_at(t)->out;

	if (lane->send_rc != 0)
		return lane->send_rc;
	lane->is_shut = true;
	wake(&lane->read_wait, 0);
	return 0;
}

/* ---- life -------------------------------------------------------------------------------- */

static void pipe_free(struct pipe *pipe)
{
	soon_free(pipe->lanes[0].bytes);
	soon_free(pipe->lanes[1].bytes);
	soon_free(pipe);
}

/* As TCP does: unread input turns the end into a reset. */
static void pipe_close(struct soon__transport *t, bool is_abort)
{
	struct end *end = end_at(t), *peer = peer_of(end);
	bool is_reset = is_abort || end->in->count > 0 || peer->out->rest > 0;

	end->is_open = false;
	end->out->rest = 0;
	end->out->is_shut = true;
	if (is_reset && end->out->read_rc == 0)
		end->out->read_rc = -ECONNRESET;
	wake(&end->out->read_wait, 0);
	if (!peer->is_open) {
		pipe_free(end->pipe);
		return;
	}
	end->in->count = 0;
	send_fail(peer, is_reset ? -ECONNRESET : -EPIPE);
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

static struct pipe *pipe_make(const soon_mem_pipe_opts *opts)
{
	struct pipe *pipe = soon_zalloc(sizeof *pipe);

	if (!pipe)
		return NULL;
	if (opts)
		pipe->opts = *opts;
	if (pipe->opts.limit == 0)
		pipe->opts.limit = LIMIT_DEFAULT;
	pipe->random = pipe->opts.seed * UINT64_C(0x9e3779b97f4a7c15) | 1;
	for (unsigned i = 0; i < 2; i++) {
		pipe->ends[i] = (struct end){
			.transport.ops = &pipe_ops,
			.pipe = pipe,
			.out = &pipe->lanes[i],
			.in = &pipe->lanes[!i],
			.is_open = true,
		};
		pipe->lanes[i].break_at = BREAK_AT_NEVER;
		pipe->lanes[i].bytes = soon_malloc(pipe->opts.limit);
	}
	if (pipe->lanes[0].bytes && pipe->lanes[1].bytes)
		return pipe;
	pipe_free(pipe);
	return NULL;
}

int soon_mem_pipe(const soon_mem_pipe_opts *opts, soon_stream **ret_one, soon_stream **ret_other)
{
	struct pipe *pipe = pipe_make(opts);
	soon_stream *one, *other;
	int rc;

	if (!pipe)
		return -ENOMEM;
	rc = soon__stream_on(&pipe->ends[0].transport, &pipe->opts.stream, &one);
	if (rc < 0) {
		pipe_free(pipe);
		return rc;
	}
	rc = soon__stream_on(&pipe->ends[1].transport, &pipe->opts.stream, &other);
	if (rc < 0) {
		pipe->ends[1].is_open = false;
		soon_stream_abort(one);
		return rc;
	}
	*ret_one = one;
	*ret_other = other;
	return 0;
}

static struct end *end_of(const soon_stream *stream, const char *func)
{
	struct soon__transport *t = soon__stream_transport(stream);

	if (!t || t->ops != &pipe_ops)
		soon_die("%s: this stream is no end of a soon_mem_pipe", func);
	return end_at(t);
}

size_t soon_mem_pipe_pump(soon_stream *stream, size_t bytes)
{
	struct end *end = end_of(stream, __func__);
	struct lane *lane = end->in;
	size_t more;

	SOON_ASSERT(end->pipe->opts.is_pumped);
	while (lane->count - lane->lent - lane->arrived < bytes && push(peer_of(end)))
		continue;
	more = lane->count - lane->lent - lane->arrived;
	if (more > bytes)
		more = bytes;
	lane->arrived += more;
	if (more > 0)
		wake(&lane->read_wait, 0);
	return more;
}

void soon_mem_pipe_break(soon_stream *stream, size_t bytes, int rc)
{
	struct end *end = end_of(stream, __func__);

	SOON_ASSERT(rc < 0);
	end->in->break_at = bytes;
	end->in->break_rc = rc;
	if (bytes == 0)
		pipe_break(end->pipe, rc);
}

size_t soon_mem_pipe_pending(const soon_stream *stream)
{
	return end_of(stream, __func__)->in->count;
}
