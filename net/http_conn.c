// SPDX-License-Identifier: Apache-2.0
/*
 * One connection: waits, idle, for the first byte of a request; reads the head where it lies in
 * the stream's buffer; finds the route and runs its handler; and goes on, or ends.
 *
 * While the handler runs the head stays where it is, unconsumed, so that slices of it need no
 * copy. Only when a body follows that is not there already must the stream go on under it; then
 * head and decoded path are copied aside before the handler sees them.
 *
 * The frames of conn_run() and wait_request() are all that an idle connection has on its stack.
 */
#include <soon/assert.h>
#include <soon/http.h>
#include <soon/mem.h>

#include "http1/text.h"
#include "http_exchange.h"

#include <string.h>
#include <sys/socket.h>

#define LATECOMER SOON_MS(200) /* how long a drained connection may have been silent, see below */

/* What becomes of the connection after a request; negative: an errno ends it. */
enum next {
	NEXT_REQUEST,
	NEXT_CLOSE,
	NEXT_LINGER, /* close, but read what the client is still sending first */
};

static ssize_t peek_idle(soon_stream *stream) SOON_SUSPENDS
{
	soon_slice there;
	ssize_t n = 0;

	SOON_IDLE {
		n = soon_stream_peek(stream, 1, &there);
	}
	return n;
}

/*
 * Waits for the first byte of a request. Returns 1 when it is there, 0 when the connection ends.
 *
 * A drain ends idle connections at once. But a connection that was in use a moment ago may have
 * its next request under way, which a close would lose: it is listened to a little longer.
 */
static ssize_t wait_request(const struct soon__http_service *service, soon_stream *stream)
	SOON_SUSPENDS
{
	soon_ns start = soon_now();
	ssize_t n = soon_within(service->timeouts.idle, peek_idle(stream));

	if (n == -ECANCELED && !soon_cancelled()) {
		soon_ns left = LATECOMER - (soon_now() - start);
		soon_slice there;

		if (left <= 0)
			return 0;
		n = soon_within(left, soon_stream_peek(stream, 1, &there));
	}
	if (n == -ETIMEDOUT)
		return 0;
	return n > 0 ? 1 : n;
}

/* Gives llhttp what is there. Returns 1 when the head is whole, 0 when more is needed. */
static ssize_t try_head(struct soon__http_exchange *x, soon_slice there)
{
	int rc = soon__http_head_feed(&x->req.head, there.ptr, there.len);

	x->req.base = there.ptr;
	x->pending_bytes = there.len;
	return rc;
}

/*
 * Waits for the rest of a head. -EAGAIN: it was only an empty line, and there is no head yet. At
 * the end of the stream the head is malformed.
 */
static ssize_t read_rest(struct soon__http_exchange *x, soon_slice there) SOON_SUSPENDS
{
	ssize_t n = 0;

	if (there.ptr[0] == '\r' && there.len == 1) {
		n = soon_stream_peek(x->stream, 2, &there);
		if (n >= 2 && there.ptr[1] == '\n') {
			soon_stream_consume(x->stream, 2);
			return -EAGAIN;
		}
		n = n < 0 ? n : try_head(x, there);
	}
	while (n == 0) {
		n = soon_stream_peek(x->stream, x->req.head.fed + 1, &there);
		if (n == 0)
			return -EBADMSG;
		n = n < 0 ? n : try_head(x, there);
	}
	return n;
}

/*
 * Reads a head; most come in one piece and need no deadline. Empty lines before it are skipped
 * (RFC 9112, 2.2). Returns 1. Errors: -EAGAIN there is no request after all. A refused head leaves
 * the status of the answer.
 */
static ssize_t read_head(struct soon__http_exchange *x) SOON_SUSPENDS
{
	struct soon__http_head *head = &x->req.head;
	soon_slice there;
	ssize_t n = soon_stream_peek(x->stream, 0, &there);

	soon__http_head_start(head, &x->service->head_limits);
	if (n < 0)
		return n;
	while (there.len >= 2 && memcmp(there.ptr, "\r\n", 2) == 0) {
		soon_stream_consume(x->stream, 2);
		there.ptr += 2;
		there.len -= 2;
	}
	if (there.len == 0)
		return -EAGAIN;
	n = there.ptr[0] == '\r' ? 0 : try_head(x, there);
	if (n == 0)
		n = soon_within(x->service->timeouts.header, read_rest(x, there));
	if (n == -ETIMEDOUT)
		head->status = 408;
	else if (n == -EMSGSIZE)
		head->status = 431;
	else if (n == -EBADMSG && head->status == 0)
		head->status = 400;
	return n;
}

static bool needs_decoding(const char *path, size_t len)
{
	char before = '\0';

	for (size_t i = 0; i < len; before = path[i++])
		if (path[i] == '%' || (path[i] == '.' && before == '/'))
			return true;
	return false;
}

/* Makes `path` from the raw one; `room` is for the decoded form. Returns 0 or -EBADMSG. */
static int make_path(soon_http_request *req, char *room)
{
	const struct soon__http_span *raw = &req->head.path;
	ssize_t n;

	req->path = (soon_slice){ req->base + raw->off, raw->len };
	if (room != NULL) {
		n = soon__http_path_decode(req->path.ptr, req->path.len, room);
		if (n < 0)
			return (int)n;
		req->path = (soon_slice){ room, (size_t)n };
	}
	if (req->path.len == 0)
		req->path = (soon_slice){ "/", 1 }; /* of "http://host" */
	return 0;
}

/*
 * Finds a lasting place for head, path and body. Errors: -ENOMEM. -EBADMSG a path that is refused.
 */
static int settle(struct soon__http_exchange *x) SOON_ON_CORE
{
	soon_http_request *req = &x->req;
	const struct soon__http_head *head = &req->head;
	const char *raw = req->base + head->path.off;
	bool is_in_place = soon__http_body_start(x, x->pending_bytes - head->len);
	bool is_decoded = needs_decoding(raw, head->path.len);
	size_t head_bytes = is_in_place ? 0 : head->len;
	size_t bytes = head_bytes + (is_decoded ? head->path.len : 0);

	if (bytes > x->copy_max) {
		char *copy = soon_realloc(x->copy, bytes);

		if (copy == NULL)
			return -ENOMEM;
		x->copy = copy;
		x->copy_max = bytes;
	}
	x->pending_bytes = head->len + head->length;
	if (!is_in_place) {
		memcpy(x->copy, req->base, head_bytes);
		req->base = x->copy;
		soon_stream_consume(x->stream, head_bytes);
		x->pending_bytes = 0;
	} else if (!req->body.is_over) {
		req->body.in_place = req->base + head->len;
	}
	return make_path(req, is_decoded ? x->copy + head_bytes : NULL);
}

/* Answers without a handler. */
static int refuse(struct soon__http_exchange *x, int status) SOON_SUSPENDS
{
	x->service->stats->refused++;
	return soon__http_reply_status(x, status);
}

/* Answers OPTIONS, and what a path does not take, with the methods that it does. */
static int answer_allow(struct soon__http_exchange *x, uint16_t node) SOON_SUSPENDS
{
	char allow[SOON__HTTP_ALLOW_BYTES];
	size_t len = soon__http_router_allow(&x->service->router, node, allow);
	int rc = soon_http_header_add(&x->res, "Allow", allow, len);

	if (rc < 0)
		return rc;
	if (x->req.head.method == HTTP_OPTIONS)
		return soon_http_respond(&x->res, 204, NULL, NULL, 0);
	return refuse(x, 405);
}

static void report_failure(struct soon__http_exchange *x, int rc) SOON_ON_CORE
{
	struct soon__http_service *service = x->service;
	const soon_http_route *route = x->req.match.route;

	if (service->server->on_failure != NULL) {
		service->server->on_failure(service->server->arg, &x->req, rc);
		return;
	}
	if (soon_now() < service->report_from)
		return;
	service->report_from = soon_now() + SOON_S(1);
	soon_report_file(SOON_REPORT_WARNING, rc, "http: %s %s: the handler failed",
		soon_http_method(&x->req), route->pattern);
}

/* Gives a response to the client of a handler that gave none, or only a part. */
static int finish(struct soon__http_exchange *x, int rc) SOON_SUSPENDS
{
	soon_http_response *res = &x->res;
	bool has_left = res->state == SOON__HTTP_BROKEN || x->req.body.error == -ECONNRESET;
	int status = soon__http_body_status(x);

	if (rc >= 0 && res->state == SOON__HTTP_BEGUN)
		rc = soon_http_respond_end(res);
	if (rc >= 0 && res->state == SOON__HTTP_SILENT)
		rc = -EPROTO;
	if (rc >= 0)
		return 0;
	if (rc == -ECANCELED && soon_cancelled())
		return rc;
	x->service->stats->failures++;
	if (!has_left && status == 0)
		report_failure(x, rc);
	if (res->state != SOON__HTTP_SILENT || has_left)
		return 0;
	/* What a half-done handler wanted to say does not belong to this answer. */
	soon__http_reply_end(res);
	soon__http_reply_start(res);
	return soon__http_reply_status(x, status == 0 ? 500 : status);
}

static int dispatch(struct soon__http_exchange *x) SOON_SUSPENDS
{
	soon_http_request *req = &x->req;
	const soon_http_route *route;
	uint64_t bytes_max = x->service->limits.body_bytes;

	if (req->head.path.len == 0 && req->head.method == HTTP_OPTIONS)
		return answer_allow(x, 0);
	soon__http_router_find(&x->service->router, req->head.method, req->path, &req->match);
	route = req->match.route;
	if (route == NULL)
		return req->match.node == 0 ? refuse(x, 404) : answer_allow(x, req->match.node);
	if (route->body_bytes_max != 0)
		bytes_max = route->body_bytes_max;
	soon__http_body_limit(x, bytes_max);
	if (req->body.error != 0)
		return refuse(x, soon__http_body_status(x));
	return finish(x, route->handler(req, &x->res));
}

/* Closing a socket resets it when a response was cut short whose end is the end of the stream. */
static void reset_on_close(soon_stream *stream)
{
	const struct linger now = { .l_onoff = 1, .l_linger = 0 };

	(void)setsockopt(soon_stream_fd(stream), SOL_SOCKET, SO_LINGER, &now, sizeof now);
}

/* Decides how it goes on behind a request that was answered as well as it can be. */
static int conclude(struct soon__http_exchange *x) SOON_SUSPENDS
{
	const soon_http_response *res = &x->res;
	int rc;

	if (res->state == SOON__HTTP_BROKEN)
		return res->error;
	if (res->state == SOON__HTTP_BEGUN && res->framing == SOON__HTTP_UNTIL_CLOSE)
		reset_on_close(x->stream);
	if (res->state != SOON__HTTP_ENDED)
		return NEXT_CLOSE;
	if (x->closes)
		return x->lingers || !x->req.body.is_over ? NEXT_LINGER : NEXT_CLOSE;
	rc = soon__http_body_skip(x);
	if (rc == -ECANCELED)
		return rc;
	if (rc < 0)
		return NEXT_LINGER;
	soon_stream_consume(x->stream, x->pending_bytes);
	return NEXT_REQUEST;
}

/* Reads and answers one request. Returns what is next, or an error that ends the connection. */
static int serve_request(struct soon__http_exchange *x) SOON_SUSPENDS
{
	ssize_t n = read_head(x);
	int rc;

	if (n == -EAGAIN)
		return NEXT_REQUEST;
	x->req.body = (struct soon__http_body){ .is_over = true };
	x->req.match.route = NULL;
	x->req.match.params_count = 0;
	x->closes = x->lingers = false;
	soon__http_reply_start(&x->res);
	if (n < 0) {
		if (x->req.head.status == 0)
			return (int)n;
		x->closes = x->lingers = true;
		rc = refuse(x, x->req.head.status);
		return rc < 0 ? rc : NEXT_LINGER;
	}
	x->service->stats->requests++;
	x->closes = !x->req.head.is_persistent;
	rc = settle(x);
	if (rc < 0) /* what is in the stream is not where it would have to be to go on */
		x->closes = x->lingers = true;
	rc = rc < 0 ? refuse(x, rc == -EBADMSG ? 400 : 503) : dispatch(x);
	if (rc == 0)
		rc = conclude(x);
	soon__http_body_end(x);
	soon__http_reply_end(&x->res);
	return rc;
}

/*
 * Says that nothing more will be sent and reads on for a moment: a close with bytes unread would
 * reset the connection, and could take the last response away from the client.
 */
static ssize_t linger(soon_stream *stream) SOON_SUSPENDS
{
	soon_slice there;
	ssize_t n = soon_stream_shutdown(stream);

	if (n == 0)
		n = soon_stream_peek(stream, 0, &there);
	while (n >= 0) {
		soon_stream_consume(stream, (size_t)n);
		n = soon_stream_peek(stream, 1, &there);
		if (n == 0)
			break;
	}
	return n;
}

int soon__http_conn_run(struct soon__http_service *service, soon_stream *stream)
{
	int next = NEXT_REQUEST;

	/* A message of HTTP has its length; many clients just hang up when they are through. */
	soon_tls_allow_truncation(stream);
	while (next == NEXT_REQUEST) {
		struct soon__http_exchange *x;
		ssize_t n = wait_request(service, stream);
		soon_slice there;

		if (n <= 0)
			return (int)n;
		x = soon__http_exchange_take(service, stream);
		if (x == NULL)
			return -ENOMEM;
		do {
			next = serve_request(x);
		} while (next == NEXT_REQUEST && soon_stream_peek(stream, 0, &there) > 0);
		soon__http_exchange_give(x);
	}
	if (next == NEXT_LINGER &&
		soon_within(service->timeouts.linger, linger(stream)) == -ECANCELED)
		return -ECANCELED;
	return next < 0 ? next : 0;
}
