// SPDX-License-Identifier: Apache-2.0
/*
 * A body lies in one of two places. Where its length is announced and all of it came with the
 * head, it stays in the stream's buffer and is read from there. Otherwise the head was copied
 * aside, so that the stream can go on, and the body is taken from the stream as it comes.
 *
 * The client's pace is judged by the time spent waiting for it, never by the handler's own time.
 */
#include <soon/assert.h>
#include <soon/http.h>
#include <soon/mem.h>

#include "http_exchange.h"

#include <string.h>

#define GATHER_BYTES_MIN 4096
#define SKIP_BYTES       512 /* of an unread body, read at a time */

bool soon__http_body_start(struct soon__http_exchange *x, size_t buffered)
{
	const struct soon__http_head *head = &x->req.head;
	struct soon__http_body *body = &x->req.body;

	memset(body, 0, sizeof *body);
	body->bytes_max = UINT64_MAX;
	if (head->is_chunked) {
		body->framing = SOON__HTTP_CHUNKED;
		body->chunks.trailer_max = x->service->head_limits.headers_bytes;
	} else if (head->length > 0) {
		body->framing = SOON__HTTP_LENGTH;
		body->left = head->length;
	} else {
		body->is_over = true;
		return true;
	}
	body->awaits_continue = head->expects_continue && buffered == 0;
	return body->framing == SOON__HTTP_LENGTH && body->left <= buffered;
}

void soon__http_body_limit(struct soon__http_exchange *x, uint64_t bytes_max)
{
	struct soon__http_body *body = &x->req.body;

	body->bytes_max = bytes_max;
	if (body->framing == SOON__HTTP_LENGTH && body->left > bytes_max)
		body->error = -E2BIG;
}

void soon__http_body_end(struct soon__http_exchange *x)
{
	soon_free(x->req.body.all);
	x->req.body.all = NULL;
}

int soon__http_body_status(const struct soon__http_exchange *x)
{
	switch (x->req.body.error) {
	case 0:
		return 0;
	case -E2BIG:
		return 413;
	case -ETIMEDOUT:
		return 408;
	case -EBADMSG:
		return 400;
	default:
		return 500;
	}
}

/* Remembers an error of the body, except for a cancel, which is not the body's. */
static int fail(struct soon__http_body *body, int rc)
{
	if (rc != -ECANCELED)
		body->error = rc;
	return rc;
}

/* How long the client may have kept us waiting in all. A body can have more bytes than 2^64 ns. */
static soon_ns wait_allowed(const struct soon__http_body *body, const soon_http_timeouts *timeouts)
{
	uint64_t seconds = body->received / timeouts->body_rate;
	uint64_t part = body->received % timeouts->body_rate;

	if (seconds >= (uint64_t)((SOON_NEVER - timeouts->body_grace) / SOON_S(1)))
		return SOON_NEVER;
	return timeouts->body_grace + SOON_S((soon_ns)seconds) +
		(soon_ns)((double)part / (double)timeouts->body_rate * 1e9);
}

/* Waits until there is a byte, within what the minimum rate leaves. */
static int wait_byte(struct soon__http_exchange *x, soon_slice *ret_slice) SOON_SUSPENDS
{
	const soon_http_timeouts *timeouts = &x->service->timeouts;
	struct soon__http_body *body = &x->req.body;
	soon_ns start, allowed;
	ssize_t n = soon_stream_peek(x->stream, 0, ret_slice);

	if (n == 0 && body->awaits_continue && x->res.state == SOON__HTTP_SILENT)
		n = soon__http_reply_continue(x);
	if (n < 0)
		return fail(body, (int)n);
	body->awaits_continue = false;
	if (ret_slice->len > 0)
		return 0;

	start = soon_now();
	allowed = wait_allowed(body, timeouts);
	if (allowed != SOON_NEVER)
		allowed -= body->waited;
	n = soon_within(allowed, soon_stream_peek(x->stream, 1, ret_slice));
	body->waited += soon_now() - start;
	if (n == 0)
		return fail(body, -ECONNRESET);
	return n < 0 ? fail(body, (int)n) : 0;
}

/* Takes what is there of a chunked body, at least a byte; 0 at its end. */
static ssize_t read_chunked(struct soon__http_exchange *x, char *buf, size_t bytes) SOON_SUSPENDS
{
	struct soon__http_body *body = &x->req.body;
	soon_slice there, piece = { NULL, 0 };
	int rc = 0;

	while (rc == 0 && piece.len == 0) {
		size_t used;

		rc = wait_byte(x, &there);
		if (rc < 0)
			return rc;
		rc = soon__http_chunks_read(
			&body->chunks, there.ptr, there.len, bytes, &used, &piece);
		if (rc < 0)
			return fail(body, rc);
		/* The copy comes first: what is consumed is no longer ours to read. */
		memcpy(buf, piece.ptr, piece.len);
		soon_stream_consume(x->stream, used);
	}
	body->received += piece.len;
	if (body->received > body->bytes_max)
		return fail(body, -E2BIG);
	body->is_over = rc == 1;
	return (ssize_t)piece.len;
}

/* Takes what is there of a body of known length, at least a byte. */
static ssize_t read_length(struct soon__http_exchange *x, char *buf, size_t bytes) SOON_SUSPENDS
{
	struct soon__http_body *body = &x->req.body;
	soon_slice there;
	int rc;

	if (bytes > body->left)
		bytes = (size_t)body->left;
	if (body->in_place != NULL) {
		memcpy(buf, body->in_place, bytes);
		body->in_place += bytes;
	} else {
		rc = wait_byte(x, &there);
		if (rc < 0)
			return rc;
		if (bytes > there.len)
			bytes = there.len;
		memcpy(buf, there.ptr, bytes);
		soon_stream_consume(x->stream, bytes);
	}
	body->received += bytes;
	body->left -= bytes;
	body->is_over = body->left == 0;
	return (ssize_t)bytes;
}

static ssize_t read_some(struct soon__http_exchange *x, void *buf, size_t bytes) SOON_SUSPENDS
{
	const struct soon__http_body *body = &x->req.body;

	if (body->error != 0)
		return body->error;
	if (body->is_over || bytes == 0)
		return 0;
	SOON_ASSERT(body->framing != SOON__HTTP_NO_BODY);
	if (body->framing == SOON__HTTP_CHUNKED)
		return read_chunked(x, buf, bytes);
	return read_length(x, buf, bytes);
}

ssize_t soon_http_body_read(soon_http_request *req, void *buf, size_t bytes)
{
	return read_some(soon__http_exchange_of(req), buf, bytes);
}

/* Makes room for more of the body; as much as is announced, but never far beyond what came. */
static int gather_more(struct soon__http_body *body)
{
	size_t bytes = body->all_max < GATHER_BYTES_MIN ? GATHER_BYTES_MIN : body->all_max * 2;
	char *all;

	if (body->all_len < body->all_max)
		return 0;
	all = soon_realloc(body->all, bytes);
	if (all == NULL)
		return -ENOMEM;
	body->all = all;
	body->all_max = bytes;
	return 0;
}

int soon_http_body_all(soon_http_request *req, soon_slice *ret_body)
{
	struct soon__http_exchange *x = soon__http_exchange_of(req);
	struct soon__http_body *body = &req->body;
	ssize_t n;

	if (!body->is_gathered && body->error == 0 && body->in_place != NULL) {
		body->gathered = (soon_slice){ body->in_place, (size_t)body->left };
		body->left = 0;
		body->is_over = body->is_gathered = true;
	}
	while (!body->is_gathered) {
		int rc = gather_more(body);

		n = rc < 0 ? rc
			   : read_some(x, body->all + body->all_len, body->all_max - body->all_len);
		if (n < 0)
			return (int)n;
		body->all_len += (size_t)n;
		body->gathered = (soon_slice){ body->all, body->all_len };
		body->is_gathered = n == 0;
	}
	*ret_body = body->gathered;
	return 0;
}

bool soon__http_body_can_be_skipped(const struct soon__http_exchange *x)
{
	const struct soon__http_body *body = &x->req.body;

	if (body->is_over || body->in_place != NULL)
		return true;
	/* Who was not told to continue may send the body or not: there is no telling. */
	if (x->req.head.expects_continue && body->awaits_continue)
		return false;
	if (body->error != 0 && body->error != -E2BIG)
		return false;
	return body->framing == SOON__HTTP_LENGTH ? body->left <= x->service->limits.unread_bytes
						  : body->error == 0;
}

int soon__http_body_skip(struct soon__http_exchange *x)
{
	struct soon__http_body *body = &x->req.body;
	uint64_t bytes_max = body->received + x->service->limits.unread_bytes;
	char waste[SKIP_BYTES];
	ssize_t n;

	if (body->is_over || body->in_place != NULL) {
		body->is_over = true;
		return 0;
	}
	/* What is skipped may be over the limit for bodies, which is about what is kept. */
	if (body->error == -E2BIG && body->framing == SOON__HTTP_LENGTH)
		body->error = 0;
	body->bytes_max = bytes_max;
	do {
		n = read_some(x, waste, sizeof waste);
	} while (n > 0);
	return (int)n;
}
