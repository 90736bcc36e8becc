// SPDX-License-Identifier: Apache-2.0
/*
 * stream_read.c: the read side of a stream.
 *
 * Every call first checks for a cancel, then looks at what is there, and only then waits; what it
 * does not take stays in the stream. Waiting is where gathered writes are sent off.
 */
#include <soon/assert.h>
#include <soon/scope.h>

#include "stream.h"

#include <string.h>

#define DELIM_BYTES_MAX 8

static int reader_enter(soon_stream *s) SOON_SUSPENDS
{
	int rc;

	SOON_ASSERT(s != NULL);
	rc = soon_checkpoint();
	if (rc < 0)
		return rc;
	if (s->is_reading)
		return soon__stream_conflict(s, "read");
	s->is_reading = true;
	return 0;
}

static size_t chunk_len(const soon_stream *s)
{
	return s->chunk.len - s->chunk_taken;
}

static void chunk_set(soon_stream *s, soon_slice chunk)
{
	SOON_ASSERT(s->chunk.len == 0);
	SOON_ASSERT(chunk.len > 0);
	s->chunk = chunk;
	s->chunk_taken = 0;
}

/* Marks bytes of the chunk as taken and returns it when that was the last. */
static void chunk_take(soon_stream *s, size_t bytes) SOON_ON_CORE
{
	SOON_ASSERT(bytes <= chunk_len(s));
	s->chunk_taken += bytes;
	if (s->chunk_taken == s->chunk.len) {
		soon__stream_give_back(s, s->chunk);
		s->chunk = (soon_slice){ 0 };
		s->chunk_taken = 0;
	}
}

/* Moves what is left of the chunk behind the bytes in s->in. */
static int chunk_keep(soon_stream *s) SOON_ON_CORE
{
	size_t bytes = chunk_len(s);
	int rc;

	if (bytes == 0)
		return 0;
	rc = soon__block_room(&s->in, bytes);
	if (rc < 0)
		return rc;
	memcpy(s->in->data + s->in->end, s->chunk.ptr + s->chunk_taken, bytes);
	s->in->end += bytes;
	chunk_take(s, bytes);
	return 0;
}

static void reader_leave(soon_stream *s) SOON_ON_CORE
{
	/* Without memory the chunk stays lent until the next call. */
	(void)chunk_keep(s);
	s->is_reading = false;
}

/* Gets the next chunk. Returns its length, 0 at the end of the stream. */
static ssize_t chunk_next(soon_stream *s, bool may_wait) SOON_SUSPENDS
{
	soon_slice chunk;
	ssize_t n = soon__stream_try_next(s, &chunk);

	if (n == -EAGAIN && may_wait) {
		soon__stream_kick(s);
		s->is_reader_parked = true;
		n = soon__stream_next(s, &chunk);
		s->is_reader_parked = false;
	}
	if (n > 0)
		chunk_set(s, chunk);
	return n;
}

/* Takes bytes from the front of s->in, and gives the block back when that was all. */
static void in_take(soon_stream *s, size_t bytes)
{
	if (bytes == 0)
		return;
	SOON_ASSERT(bytes <= soon__block_len(s->in));
	s->in->start += bytes;
	if (s->in->start == s->in->end) {
		soon__block_give(s->in);
		s->in = NULL;
	}
}

/* Copies what is there, at most `bytes`. */
static size_t copy_out(soon_stream *s, char *buf, size_t bytes) SOON_ON_CORE
{
	size_t kept = soon__block_len(s->in);
	size_t fresh;

	if (kept > bytes)
		kept = bytes;
	if (kept > 0) {
		memcpy(buf, s->in->data + s->in->start, kept);
		in_take(s, kept);
	}

	fresh = chunk_len(s);
	if (fresh > bytes - kept)
		fresh = bytes - kept;
	if (fresh > 0) {
		memcpy(buf + kept, s->chunk.ptr + s->chunk_taken, fresh);
		chunk_take(s, fresh);
	}
	return kept + fresh;
}

static ssize_t read_some(soon_stream *s, char *buf, size_t bytes) SOON_SUSPENDS
{
	if (bytes == 0)
		return 0;
	if (s->in == NULL && chunk_len(s) == 0) {
		ssize_t n = chunk_next(s, true);

		if (n <= 0)
			return n;
	}
	return (ssize_t)copy_out(s, buf, bytes);
}

ssize_t soon_stream_read(soon_stream *stream, void *buf, size_t bytes)
{
	ssize_t n = reader_enter(stream);

	if (n < 0)
		return n;
	n = read_some(stream, buf, bytes);
	reader_leave(stream);
	return n;
}

ssize_t soon_stream_read_exact(soon_stream *stream, void *buf, size_t bytes, size_t *ret_done)
{
	size_t done = 0;
	ssize_t n = reader_enter(stream);

	if (n == 0) {
		while (done < bytes &&
			(n = read_some(stream, (char *)buf + done, bytes - done)) > 0)
			done += (size_t)n;
		reader_leave(stream);
	}

	if (ret_done != NULL)
		*ret_done = done;
	if (n < 0)
		return n;
	if (done < bytes && done > 0)
		return -EBADMSG;
	return (ssize_t)done;
}

/*
 * Collects in s->in, in one piece, until more than `above` bytes are there.
 * Returns: 1 when they are, 0 when the stream ended first.
 */
static int in_fill(soon_stream *s, size_t above) SOON_SUSPENDS
{
	for (;;) {
		ssize_t n = chunk_keep(s);

		if (n < 0)
			return (int)n;
		if (soon__block_len(s->in) > above)
			return 1;
		n = chunk_next(s, true);
		if (n <= 0)
			return (int)n;
	}
}

static const char *delim_find(const char *at, size_t bytes, const char *delim, size_t delim_len)
{
	if (delim_len == 1)
		return memchr(at, *delim, bytes);
	return memmem(at, bytes, delim, delim_len);
}

static ssize_t read_until(
	soon_stream *s, const char *delim, size_t delim_len, char *buf, size_t limit) SOON_SUSPENDS
{
	size_t have = 0;
	size_t searched = 0; /* no delimiter starts before this */

	for (;;) {
		int rc = in_fill(s, have);
		const char *start, *found = NULL;
		size_t len;

		have = soon__block_len(s->in);
		if (rc < 0)
			return rc;
		if (rc == 0)
			return have == 0 ? 0 : -EBADMSG;
		start = s->in->data + s->in->start;
		len = have < limit ? have : limit;
		if (len - searched >= delim_len)
			found = delim_find(start + searched, len - searched, delim, delim_len);
		if (found != NULL) {
			size_t n = (size_t)(found - start) + delim_len;

			memcpy(buf, start, n);
			in_take(s, n);
			return (ssize_t)n;
		}
		if (len == limit)
			return -EMSGSIZE;
		if (len >= delim_len)
			searched = len - delim_len + 1;
	}
}

ssize_t soon_stream_read_until(soon_stream *stream, const char *delim, char *buf, size_t bytes)
{
	size_t delim_len = strnlen(delim, DELIM_BYTES_MAX + 1);
	ssize_t n;

	SOON_ASSERT(delim_len > 0);
	SOON_ASSERT(delim_len <= DELIM_BYTES_MAX);
	n = reader_enter(stream);
	if (n < 0)
		return n;
	if (bytes > stream->in_bytes_max)
		bytes = stream->in_bytes_max;
	n = read_until(stream, delim, delim_len, buf, bytes);
	reader_leave(stream);
	return n;
}

/* Shows what is there without waiting, which is allowed to be nothing. */
static ssize_t peek_now(soon_stream *s) SOON_SUSPENDS
{
	ssize_t n = chunk_keep(s);

	if (n == 0 && s->in == NULL) {
		n = chunk_next(s, false);
		if (n > 0)
			n = chunk_keep(s);
	}
	return n == -EAGAIN ? 0 : n;
}

ssize_t soon_stream_peek(soon_stream *stream, size_t min, soon_slice *ret_slice)
{
	ssize_t n = reader_enter(stream);
	size_t len;

	if (n < 0)
		return n;
	if (min > stream->in_bytes_max)
		n = -EMSGSIZE;
	else
		n = min == 0 ? peek_now(stream) : in_fill(stream, min - 1);
	stream->is_reading = false;
	if (n < 0)
		return n;

	len = soon__block_len(stream->in);
	*ret_slice = (soon_slice){ len > 0 ? stream->in->data + stream->in->start : "", len };
	return len >= min ? (ssize_t)len : 0;
}

void soon_stream_consume(soon_stream *stream, size_t bytes)
{
	SOON_ASSERT(stream != NULL);
	SOON_ASSERT(!stream->is_reading);
	SOON_ASSERT(bytes <= soon__block_len(stream->in));
	in_take(stream, bytes);
}
