// SPDX-License-Identifier: Apache-2.0
/* HTTP/1.1 over a connection: requests that were built before, replies that are verified whole. */
#include "worker.h"

#include <string.h>

static int send_request(struct conn *conn, struct pending *pending)
{
	struct worker *worker = conn->worker;
	const struct targets *targets = &conn->plan->targets;
	size_t place = worker->next_target;
	const struct target *target = &targets->all[place];
	const char *bytes = conn->is_last_sent ? target->last : target->request;
	size_t count = conn->is_last_sent ? target->last_bytes : target->bytes;
	ssize_t n;

	worker->next_target = place + 1 < targets->count ? place + 1 : 0;
	pending->target = target;
	pending->known = &worker->known[place % KNOWN_COUNT];
	n = soon_stream_write(conn->stream, bytes, count);
	if (n > 0 && worker_measures(worker, pending->sent))
		worker->tally.bytes_sent += count;
	return n < 0 ? (int)n : 0;
}

/* Compares a piece of the body with what it has to be. */
static void check_body(struct conn *conn, const struct target *target, soon_slice piece)
{
	size_t at = conn->body_at;

	conn->body_at += piece.len;
	if (!target->has_body || conn->is_body_wrong)
		return;
	if (conn->body_at > target->body.len ||
		memcmp(piece.ptr, target->body.ptr + at, piece.len) != 0)
		conn->is_body_wrong = true;
}

static void finish(struct conn *conn, struct pending *pending, soon_ns now)
{
	const struct target *target = pending->target;
	struct tally *tally = &conn->worker->tally;
	unsigned status = conn->reply.head.status;

	if (!statuses_have(&conn->plan->statuses, status)) {
		tally_message(tally, FAULT_STATUS, "%s was answered with status %u", target->name,
			status);
		conn_failed(conn, pending, FAULT_STATUS);
	} else if (target->has_body && !target->is_head &&
		(conn->is_body_wrong || conn->body_at != target->body.len)) {
		tally_message(tally, FAULT_BODY,
			"%s: a body of %zu bytes is not the expected one of %zu", target->name,
			conn->body_at, target->body.len);
		conn_failed(conn, pending, FAULT_BODY);
	} else {
		conn_good(conn, pending, now);
	}
	if (!conn->reply.head.keeps_alive)
		conn->is_last_sent = true;
	conn->body_at = 0;
	conn->is_body_wrong = false;
}

static int refuse(struct conn *conn, const char *wrong)
{
	tally_message(&conn->worker->tally, FAULT_FRAMING, "connection %u, reply %llu: %s",
		conn->id, (unsigned long long)conn->good_count + 1, wrong);
	conn_refuse(conn, FAULT_FRAMING);
	return CONN_BROKEN;
}

/* Gets ready for the reply to the oldest request. */
static void next_reply(struct conn *conn)
{
	bool is_head = conn->count > 0 && conn_oldest(conn)->target->is_head;

	reply_begin(&conn->reply, is_head);
}

static ssize_t take(struct conn *conn, soon_slice data, soon_ns now)
{
	size_t at = 0;

	while (at < data.len) {
		struct pending *pending;
		soon_slice body;
		ssize_t n;

		if (conn->count == 0)
			return refuse(conn, "bytes that no request was sent for");
		pending = conn_oldest(conn);
		if (conn->reply.state == REPLY_HEAD)
			next_reply(conn);
		if (pending->first == 0)
			pending->first = now;
		n = reply_take(&conn->reply, pending->known, data.ptr + at, data.len - at, &body);
		if (n < 0)
			return refuse(conn, conn->reply.wrong);
		if (n == 0)
			break;
		at += (size_t)n;
		if (body.len > 0)
			check_body(conn, pending->target, body);
		if (conn->reply.state == REPLY_DONE) {
			finish(conn, pending, now);
			conn->reply.state = REPLY_HEAD;
		}
	}
	return (ssize_t)at;
}

static ssize_t wait_bytes(struct conn *conn, soon_slice *ret_data)
{
	return soon_stream_peek(conn->stream, conn->want, ret_data);
}

static int end(struct conn *conn, soon_ns now)
{
	int rc = conn->count > 0 ? reply_end(&conn->reply) : 0;

	if (rc == 0 && conn->count > 0) {
		finish(conn, conn_oldest(conn), now);
		conn->reply.state = REPLY_HEAD;
	}
	return rc;
}

const struct protocol protocol_http = {
	.send = send_request,
	.wait = wait_bytes,
	.take = take,
	.end = end,
};
