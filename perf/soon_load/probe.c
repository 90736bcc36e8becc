// SPDX-License-Identifier: Apache-2.0
/* Asks for each target once, before anything is measured, to know which body is the right one. */
#include <soon/scope.h>

#include "run.h"

#include <stdlib.h>
#include <string.h>

struct body {
	char *data;
	size_t bytes;
	size_t room;
};

static int keep(struct body *body, soon_slice piece)
{
	if (piece.len > BODY_BYTES_MAX - body->bytes)
		return soon_fail(-EFBIG, "a body beyond 256 MiB cannot be kept for --same-body");
	if (body->bytes + piece.len > body->room) {
		size_t room = 2 * (body->bytes + piece.len);
		char *more = realloc(body->data, room);

		if (more == NULL)
			return -ENOMEM;
		body->data = more;
		body->room = room;
	}
	if (piece.len > 0)
		memcpy(body->data + body->bytes, piece.ptr, piece.len);
	body->bytes += piece.len;
	return 0;
}

/* Takes what there is. Returns how much; 0 when more is needed first. */
static ssize_t take(struct reply *reply, soon_slice data, struct body *body)
{
	size_t at = 0;

	while (at < data.len && reply->state != REPLY_DONE) {
		soon_slice piece;
		ssize_t n = reply_take(reply, NULL, data.ptr + at, data.len - at, &piece);
		int rc;

		if (n < 0)
			return soon_fail((int)n, "no reply of HTTP/1.1: %s", reply->wrong);
		if (n == 0)
			break;
		rc = keep(body, piece);
		if (rc < 0)
			return rc;
		at += (size_t)n;
	}
	return (ssize_t)at;
}

static int ask(
	soon_stream *stream, const struct target *target, struct reply *reply, struct body *body)
{
	ssize_t n = soon_stream_write(stream, target->last, target->last_bytes);
	size_t want = 1;

	reply_begin(reply, target->is_head);
	while (n > 0 && reply->state != REPLY_DONE) {
		soon_slice data;

		n = soon_stream_peek(stream, want, &data);
		if (n == 0 && reply_end(reply) == 0)
			return 0;
		if (n == 0)
			return soon_fail(-ECONNRESET, "%s: no whole reply", target->name);
		if (n < 0)
			break;
		n = take(reply, data, body);
		want = n == 0 ? data.len + 1 : 1;
		if (n > 0)
			soon_stream_consume(stream, (size_t)n);
		if (n == 0)
			n = 1;
	}
	return n < 0 ? (int)n : 0;
}

static int probe(struct run *run, struct target *target)
{
	soon_ns connected, shaken;
	struct body body = { 0 };
	struct reply reply;
	soon_stream *stream;
	int rc = dial(run, 0, &connected, &shaken, &stream);

	if (rc < 0)
		return rc;
	rc = ask(stream, target, &reply, &body);
	soon_stream_abort(stream);
	if (rc == 0 && !statuses_have(&run->plan->statuses, reply.head.status))
		rc = soon_fail(-EBADMSG, "%s was answered with status %u", target->name,
			reply.head.status);
	if (rc < 0) {
		free(body.data);
		return rc;
	}
	target->body = (soon_slice){ body.data, body.bytes };
	target->has_body = true;
	target->is_body_ours = true;
	return 0;
}

int probe_bodies(struct run *run, struct targets *targets)
{
	for (size_t i = 0; i < targets->count; i++) {
		int rc;

		if (targets->all[i].has_body)
			continue;
		rc = (int)soon_within(run->plan->timeout, probe(run, &targets->all[i]));
		if (rc == -ETIMEDOUT)
			rc = soon_fail(rc, "%s: no whole reply in time", targets->all[i].name);
		if (rc < 0)
			return rc;
	}
	return 0;
}
