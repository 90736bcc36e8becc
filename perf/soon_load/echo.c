// SPDX-License-Identifier: Apache-2.0
/*
 * Messages that have to come back as they are. Each begins with its own number and the
 * connection's, so that no other one is taken for it; the rest is a pattern that all share.
 */
#include <soon/assert.h>

#include "worker.h"

#include <string.h>

static void mark(const struct conn *conn, uint64_t number, char ret_mark[ECHO_BYTES_MIN])
{
	uint64_t word = number ^ (uint64_t)conn->id << 40;

	memcpy(ret_mark, &word, ECHO_BYTES_MIN);
}

static int send_message(struct conn *conn, struct pending *pending)
{
	size_t bytes = conn->plan->echo_bytes;
	char first[ECHO_BYTES_MIN];
	ssize_t n;

	mark(conn, conn->number, first);
	n = soon_stream_write(conn->stream, first, sizeof first);
	if (n > 0 && bytes > sizeof first)
		n = soon_stream_write(
			conn->stream, conn->worker->pattern + sizeof first, bytes - sizeof first);
	if (n > 0 && worker_measures(conn->worker, pending->sent))
		conn->worker->tally.bytes_sent += bytes;
	return n < 0 ? (int)n : 0;
}

/* Whether a piece of a message, `at` bytes behind its beginning, is right. */
static bool is_right(
	const struct conn *conn, uint64_t number, const char *piece, size_t at, size_t bytes)
{
	char first[ECHO_BYTES_MIN];

	mark(conn, number, first);
	if (at < sizeof first) {
		size_t part = bytes < sizeof first - at ? bytes : sizeof first - at;

		if (memcmp(piece, first + at, part) != 0)
			return false;
		piece += part;
		at += part;
		bytes -= part;
	}
	return memcmp(piece, conn->worker->pattern + at, bytes) == 0;
}

static int wrong(struct conn *conn, const char *what)
{
	tally_message(&conn->worker->tally, FAULT_BODY, "connection %u, message %llu: %s", conn->id,
		(unsigned long long)conn->number - conn->count + 1, what);
	conn_refuse(conn, FAULT_BODY);
	return CONN_BROKEN;
}

static ssize_t take(struct conn *conn, soon_slice data, soon_ns now)
{
	size_t bytes = conn->plan->echo_bytes;

	for (size_t at = 0; at < data.len;) {
		size_t left = bytes - conn->body_at;
		size_t part = data.len - at < left ? data.len - at : left;

		if (conn->count == 0)
			return wrong(conn, "more came back than was sent");
		if (!is_right(conn, conn->number - conn->count + 1, data.ptr + at, conn->body_at,
			    part))
			return wrong(conn, "other bytes came back than were sent");
		at += part;
		conn->body_at += part;
		if (conn->body_at == bytes) {
			conn->body_at = 0;
			conn_good(conn, conn_oldest(conn), now);
		}
	}
	return (ssize_t)data.len;
}

static ssize_t wait_bytes(struct conn *conn, soon_slice *ret_data)
{
	return soon_stream_peek(conn->stream, conn->want, ret_data);
}

static int end(struct conn *conn, soon_ns now)
{
	(void)now;
	return conn->count > 0 ? -EBADMSG : 0;
}

const struct protocol protocol_echo = {
	.send = send_message,
	.wait = wait_bytes,
	.take = take,
	.end = end,
};
