// SPDX-License-Identifier: Apache-2.0
/*
 * stream_write.c: the write side of a stream.
 *
 * Small writes are copied behind each other and leave together. Large ones are sent from where
 * they are, with what was gathered in front. Only one send is ever in flight, because the kernel
 * keeps no order among several.
 */
#include <soon/assert.h>
#include <soon/scope.h>

#include "stream.h"

#include <string.h>

static void gather_drop(soon_stream *s)
{
	SOON_ASSERT(!s->is_reserved);
	soon__block_give(s->gather);
	s->gather = NULL;
	s->is_due = false;
}

static void flight_drop(soon_stream *s)
{
	soon__block_give(s->flight);
	s->flight = NULL;
}

/* Remembers why nothing will leave any more. A reserved room stays until its commit. */
static void write_failed(soon_stream *s, int rc)
{
	SOON_ASSERT(rc < 0);
	SOON_ASSERT(rc != -ECANCELED);
	SOON_ASSERT(s->flight == NULL);
	if (s->out_error == 0)
		s->out_error = rc;
	if (!s->is_reserved)
		gather_drop(s);
}

void soon__stream_kick(soon_stream *s)
{
	struct soon__block *block = s->gather;
	int rc;

	if (soon__block_len(block) == 0 || s->out_error != 0)
		return;
	s->is_due = true;
	if (s->is_reserved || soon__stream_is_sending(s)) {
		soon__stream_hurry(s);
		return;
	}

	SOON_ASSERT(s->flight == NULL);
	s->is_due = false;
	s->gather = NULL;
	s->flight = block;
	rc = soon__stream_start(s, block->data + block->start, soon__block_len(block));
	if (rc < 0) {
		flight_drop(s);
		write_failed(s, rc);
	}
}

void soon__stream_sent(soon_stream *s, int rc)
{
	flight_drop(s);
	if (rc < 0)
		write_failed(s, rc);
	else if (s->is_due)
		soon__stream_kick(s);
}

void soon__stream_sender_ended(soon_sender *sender, int rc)
{
	soon__stream_sent(SOON_CONTAINER_OF(sender, soon_stream, sender), rc);
}

static int writer_enter(soon_stream *s) SOON_SUSPENDS
{
	int rc;

	SOON_ASSERT(s != NULL);
	rc = soon_checkpoint();
	if (rc < 0)
		return rc;
	if (s->is_writing)
		return soon__stream_conflict(s, "write");
	if (s->out_error != 0)
		return s->out_error;
	s->is_writing = true;
	return 0;
}

static void writer_leave(soon_stream *s)
{
	SOON_ASSERT(s->is_writing);
	SOON_ASSERT(!s->is_reserved);
	s->is_writing = false;
}

/* Waits until `bytes` more may be gathered. */
static int room_wait(soon_stream *s, size_t bytes) SOON_SUSPENDS
{
	SOON_ASSERT(bytes <= s->out_bytes_max);
	while (s->out_error == 0 && soon__stream_pending(s) > s->out_bytes_max - bytes) {
		int rc;

		soon__stream_kick(s);
		rc = soon__stream_wait_sent(s);
		if (rc < 0)
			return rc;
	}
	return s->out_error;
}

/* Waits until no send is in flight; more may have been gathered. */
static int idle_wait(soon_stream *s) SOON_SUSPENDS
{
	while (s->out_error == 0 && soon__stream_is_sending(s)) {
		int rc = soon__stream_wait_sent(s);

		if (rc < 0)
			return rc;
	}
	return s->out_error;
}

/* Counts what was put behind `gather`, and lets it leave when that should not wait. */
static void gathered(soon_stream *s, size_t bytes) SOON_ON_CORE
{
	s->written += bytes;
	if (s->is_due || s->is_reader_parked || soon__block_len(s->gather) >= s->out_bytes_max / 2)
		soon__stream_kick(s);
}

static ssize_t write_copied(soon_stream *s, const struct iovec *iov, int count, size_t bytes)
	SOON_SUSPENDS
{
	int rc = room_wait(s, bytes);

	if (rc < 0 || bytes == 0)
		return rc;
	rc = soon__block_room(&s->gather, bytes);
	if (rc < 0)
		return rc;
	for (int i = 0; i < count; i++) {
		if (iov[i].iov_len == 0)
			continue;
		memcpy(s->gather->data + s->gather->end, iov[i].iov_base, iov[i].iov_len);
		s->gather->end += iov[i].iov_len;
	}
	gathered(s, bytes);
	return (ssize_t)bytes;
}

/*
 * Cuts a direct write short. What was gathered in front of it and did not leave is gathered again.
 * Returns how many of its own `bytes` were taken.
 */
static size_t direct_cut(soon_stream *s, size_t bytes) SOON_SUSPENDS
{
	size_t left = soon__stream_stop(s);

	if (left <= bytes) {
		flight_drop(s);
		return bytes - left;
	}
	left -= bytes;
	SOON_ASSERT(left <= soon__block_len(s->flight));
	SOON_ASSERT(s->gather == NULL);
	s->flight->start = s->flight->end - left;
	s->gather = s->flight;
	s->flight = NULL;
	return 0;
}

/* The kernel reads from the caller's memory, so this returns when that is over, never before. */
static ssize_t write_direct(soon_stream *s, const struct iovec *iov, int count, size_t bytes)
	SOON_SUSPENDS
{
	struct iovec pieces[SOON_STREAM_SLICES_MAX + 1];
	size_t taken = bytes;
	int rc = idle_wait(s);
	int n = 0;

	if (rc < 0)
		return rc;
	if (soon__block_len(s->gather) > 0) {
		s->flight = s->gather;
		s->gather = NULL;
		s->is_due = false;
		pieces[n++] = (struct iovec){ s->flight->data + s->flight->start,
			soon__block_len(s->flight) };
	}
	memcpy(pieces + n, iov, (size_t)count * sizeof *iov);
	rc = soon__stream_startv(s, pieces, n + count);
	if (rc < 0) {
		flight_drop(s);
		write_failed(s, rc);
		return rc;
	}

	rc = soon__stream_wait_sent(s);
	SOON_ASSERT(rc < 0 || !soon__stream_is_sending(s));
	if (soon__stream_is_sending(s))
		taken = direct_cut(s, bytes);
	else if (s->out_error != 0)
		return s->out_error;
	s->written += taken;
	return taken == bytes ? (ssize_t)bytes : rc;
}

static ssize_t write_all(soon_stream *s, const struct iovec *iov, int count, size_t bytes)
	SOON_SUSPENDS
{
	ssize_t n = writer_enter(s);

	if (n < 0)
		return n;
	if (s->is_shut)
		n = -EPIPE;
	else if (bytes >= SOON_STREAM_DIRECT_BYTES || bytes > s->out_bytes_max)
		n = write_direct(s, iov, count, bytes);
	else
		n = write_copied(s, iov, count, bytes);
	writer_leave(s);
	return n;
}

ssize_t soon_stream_write(soon_stream *stream, const void *buf, size_t bytes)
{
	/* An iovec serves both ways and so has no const; nobody writes there. */
	struct iovec iov = { (void *)(uintptr_t)buf, bytes };

	return write_all(stream, &iov, 1, bytes);
}

ssize_t soon_stream_writev(soon_stream *stream, const struct iovec *iov, int count)
{
	size_t bytes = 0;

	SOON_ASSERT(count >= 0);
	if (count > SOON_STREAM_SLICES_MAX)
		return -EINVAL;
	for (int i = 0; i < count; i++)
		bytes += iov[i].iov_len;
	return write_all(stream, iov, count, bytes);
}

int soon_stream_reserve(soon_stream *stream, size_t bytes, char **ret_room)
{
	int rc = writer_enter(stream);

	if (rc < 0)
		return rc;
	if (stream->is_shut)
		rc = -EPIPE;
	else if (bytes > stream->out_bytes_max)
		rc = -EMSGSIZE;
	else
		rc = room_wait(stream, bytes);
	if (rc == 0)
		rc = soon__block_room(&stream->gather, bytes);
	if (rc < 0) {
		writer_leave(stream);
		return rc;
	}
	stream->is_reserved = true;
	stream->reserved_bytes = bytes;
	*ret_room = stream->gather->data + stream->gather->end;
	return 0;
}

void soon_stream_commit(soon_stream *stream, size_t bytes)
{
	SOON_ASSERT(stream != NULL);
	SOON_ASSERT(stream->is_reserved);
	SOON_ASSERT(bytes <= stream->reserved_bytes);
	stream->is_reserved = false;
	stream->gather->end += bytes;
	if (stream->out_error != 0 || soon__block_len(stream->gather) == 0)
		gather_drop(stream);
	else
		gathered(stream, bytes);
	writer_leave(stream);
}

int soon_stream_flush(soon_stream *stream)
{
	int rc = writer_enter(stream);

	if (rc < 0)
		return rc;
	while (rc == 0 && soon__stream_pending(stream) > 0) {
		soon__stream_kick(stream);
		rc = stream->out_error;
		if (rc == 0)
			rc = soon__stream_wait_sent(stream);
		if (rc == 0)
			rc = stream->out_error;
	}
	writer_leave(stream);
	return rc;
}
