// SPDX-License-Identifier: Apache-2.0
/*
 * stream.h: the record of a stream, private to net/.
 *
 * Bytes that come in are, in this order: in `in`, in the lent chunk, in the receiver. A lent chunk
 * is memory that all streams of the core share, so it never outlives the call that took it,
 * except when there was no memory to copy it to.
 *
 * Bytes that go out are, in this order: in flight, then gathered. Whoever wants them to leave
 * calls soon__stream_kick: it starts a send, or leaves word (`is_due`) for the end of the one in
 * flight to start the next. So two blocks at most, and nobody has to wait for a send.
 */
#ifndef NET_STREAM_H
#define NET_STREAM_H

#include <soon/assert.h>
#include <soon/socket.h>
#include <soon/stream.h>
#include <soon/thread.h>

#include "block.h"
#include "spi/transport.h"

#define SOON__IN_BYTES_MAX  65536 /* defaults of soon_stream_opts */
#define SOON__OUT_BYTES_MAX 65536

struct soon_stream {
	soon_receiver receiver;
	soon_sender sender;

	/* The read side. */
	struct soon__block *in; /* what peek shows; NULL when there is nothing */
	soon_slice chunk;       /* lent by the receiver, all of it as it was lent */
	size_t chunk_taken;     /* of it */
	size_t in_bytes_max;

	/* The write side. */
	struct soon__block *gather; /* written, not yet given to the sender */
	struct soon__block
		*flight;       /* what the sender sends, ahead of a direct write's own memory */
	size_t reserved_bytes; /* of the room behind `gather`, while is_reserved */
	size_t out_bytes_max;  /* of flight and gather together */
	uint64_t written;
	int out_error; /* the first failure of a send, for good */

	struct soon__transport *transport; /* NULL: receiver, sender and fd are in use */
	int fd;                            /* -1 with a transport that is none of TLS */
	bool is_reading;                   /* a task is in a call of the read side */
	bool is_reader_parked; /* and waits for bytes: nobody else will send what is written */
	bool is_writing;       /* a task is in a call of the write side, or holds a room */
	bool is_reserved;      /* `gather` may not move */
	bool is_due;           /* the end of the send in flight starts the next one */
	bool is_shut;          /* no more may be written */

	void *owner;               /* who serves it, see service.c */
	soon_callback passing;     /* on the way from the core that accepted it to another */
	soon_stream *next_arrived; /* there, and not served yet */
};

/* Returns the memory of a stream, NULL when there is none; soon_free takes it back before init. */
SOON_NODISCARD soon_stream *soon__stream_alloc(void);

/* Makes a stream of it and of a socket that is set up already. Null: `opts`. */
void soon__stream_init(soon_stream *stream, int fd, const soon_stream_opts *SOON_NULLABLE opts)
	SOON_ON_CORE;

/* Makes the socket fit for soon__stream_init, as accepted ones are from their listener. */
void soon__stream_set_up(int fd, const soon_stream_opts *SOON_NULLABLE opts);

/* Sees to it that what was gathered leaves, without waiting. Also outside of tasks. */
void soon__stream_kick(soon_stream *stream) SOON_ON_CORE;

/* A send has ended. */
void soon__stream_sent(soon_stream *stream, int rc) SOON_ON_CORE;

/* The same, called by the sender. */
void soon__stream_sender_ended(soon_sender *sender, int rc) SOON_ON_CORE;

/* The bottom of a stream: its transport where it has one, its socket everywhere else. */

static inline ssize_t soon__stream_next(soon_stream *s, soon_slice *ret_chunk) SOON_SUSPENDS
{
	if (SOON_UNLIKELY(s->transport != NULL))
		return s->transport->ops->next(s->transport, ret_chunk);
	return soon_receiver_next(&s->receiver, ret_chunk);
}

static inline ssize_t soon__stream_try_next(soon_stream *s, soon_slice *ret_chunk) SOON_ON_CORE
{
	if (SOON_UNLIKELY(s->transport != NULL))
		return s->transport->ops->try_next(s->transport, ret_chunk);
	return soon_receiver_try_next(&s->receiver, ret_chunk);
}

static inline void soon__stream_give_back(soon_stream *s, soon_slice chunk) SOON_ON_CORE
{
	if (SOON_LIKELY(s->transport == NULL))
		soon_receiver_return(&s->receiver, chunk);
	else if (chunk.len > 0)
		s->transport->ops->give_back(s->transport, chunk);
}

static inline int soon__stream_start(soon_stream *s, const void *data, size_t len) SOON_ON_CORE
{
	if (SOON_UNLIKELY(s->transport != NULL)) {
		const struct iovec iov = { (void *)(uintptr_t)data, len };

		return s->transport->ops->startv(s->transport, &iov, 1);
	}
	return soon_sender_start(&s->sender, data, len);
}

static inline int soon__stream_startv(soon_stream *s, struct iovec *iov, int count) SOON_ON_CORE
{
	if (SOON_UNLIKELY(s->transport != NULL))
		return s->transport->ops->startv(s->transport, iov, count);
	return soon_sender_startv(&s->sender, iov, count);
}

static inline bool soon__stream_is_sending(const soon_stream *s) SOON_ON_CORE
{
	if (SOON_UNLIKELY(s->transport != NULL))
		return s->transport->ops->is_busy(s->transport);
	return soon_sender_is_busy(&s->sender);
}

static inline void soon__stream_hurry(soon_stream *s) SOON_ON_CORE
{
	if (SOON_LIKELY(s->transport == NULL))
		soon_sender_hurry(&s->sender);
	else if (s->transport->ops->hurry != NULL)
		s->transport->ops->hurry(s->transport);
}

static inline int soon__stream_wait_sent(soon_stream *s) SOON_SUSPENDS
{
	if (SOON_UNLIKELY(s->transport != NULL))
		return s->transport->ops->wait(s->transport);
	return soon_sender_wait(&s->sender);
}

static inline size_t soon__stream_stop(soon_stream *s) SOON_SUSPENDS
{
	if (SOON_UNLIKELY(s->transport != NULL))
		return s->transport->ops->stop(s->transport);
	return soon_sender_stop(&s->sender);
}

/* Another task is in a call of this side: -EBUSY, and a report where no socket is at stake. */
SOON_COLD int soon__stream_conflict(const soon_stream *stream, const char *side);

/* How many written bytes the kernel may not have taken yet. */
static inline size_t soon__stream_pending(const soon_stream *stream)
{
	return soon__block_len(stream->flight) + soon__block_len(stream->gather);
}

#endif
