// SPDX-License-Identifier: Apache-2.0
/*
 * A response is put together in the stream's own buffer: room for the most that the head can take
 * is reserved, filled, and the rest given back. A body that is not large goes into the same room.
 * Nothing is sent here: the stream does that when the connection waits for its next request.
 */
#include <soon/assert.h>
#include <soon/http.h>
#include <soon/mem.h>

#include "http1/text.h"
#include "http_exchange.h"

#include <string.h>

#define TOGETHER_BYTES_MAX 16384 /* head and body that are reserved in one piece */
#define DECIMAL_BYTES_MAX  20
#define CHUNK_FRAME_BYTES  (16 + 2 + 2) /* of a chunk: size in hexadecimal, and two line ends */

#define PUT(out, literal)                                                                          \
	((void)memcpy((out), literal, sizeof(literal) - 1), (out) + sizeof(literal) - 1)

/* The most bytes of a head without the type and the added fields. */
#define HEAD_BYTES_MAX                                                                             \
	(SOON__HTTP_STATUS_LINE_BYTES_MAX + SOON__HTTP_DATE_LINE_BYTES +                           \
		sizeof("Connection: keep-alive\r\n") + sizeof("Content-Type: \r\n") +              \
		sizeof("Transfer-Encoding: chunked\r\n") + DECIMAL_BYTES_MAX + sizeof("\r\n"))

void soon__http_reply_start(soon_http_response *res)
{
	res->state = SOON__HTTP_SILENT;
	res->framing = SOON__HTTP_NO_BODY;
	res->is_bodiless = false;
	res->left = 0;
	res->fields = res->room;
	res->fields_len = 0;
	res->fields_max = sizeof res->room;
}

void soon__http_reply_end(soon_http_response *res)
{
	if (res->fields != res->room)
		soon_free(res->fields);
	res->fields = res->room;
}

bool soon_http_is_answered(const soon_http_response *res)
{
	return res->state != SOON__HTTP_SILENT;
}

/* A value may have visible characters, bytes from 0x80 up, spaces and tabs. */
static bool is_value(const char *value, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		unsigned char c = (unsigned char)value[i];

		if ((c < 0x20 && c != '\t') || c == 0x7f)
			return false;
	}
	return true;
}

/* Fields that the server writes itself, because the framing hangs on them. */
static bool is_reserved(const char *name, size_t len)
{
	return SOON__HTTP_IS(name, len, "content-length") ||
		SOON__HTTP_IS(name, len, "transfer-encoding") ||
		SOON__HTTP_IS(name, len, "connection") || SOON__HTTP_IS(name, len, "date") ||
		SOON__HTTP_IS(name, len, "content-type") || SOON__HTTP_IS(name, len, "trailer") ||
		SOON__HTTP_IS(name, len, "upgrade");
}

static int refuse(const char *what)
{
	soon_report_file(SOON_REPORT_ERROR, -EINVAL, "http: a response with %s", what);
	return -EINVAL;
}

static int check_field(const char *name, size_t name_len, const char *value, size_t len)
{
	if (name_len == 0)
		return refuse("an empty header name");
	for (size_t i = 0; i < name_len; i++)
		if (!soon__http_is_token_char(name[i]))
			return refuse("a character in a header name that is not allowed there");
	if (is_reserved(name, name_len))
		return refuse("a header that the server writes itself");
	if (!is_value(value, len))
		return refuse("a control character in a header");
	return 0;
}

static int fields_grow(soon_http_response *res, size_t bytes_max, size_t bytes)
{
	size_t max = res->fields_max;
	char *fields;

	if (bytes > bytes_max)
		return -ENOBUFS;
	if (bytes <= max)
		return 0;
	while (max < bytes)
		max *= 2;
	fields = soon_malloc(max);
	if (fields == NULL)
		return -ENOMEM;
	memcpy(fields, res->fields, res->fields_len);
	soon__http_reply_end(res);
	res->fields = fields;
	res->fields_max = (uint32_t)max;
	return 0;
}

int soon_http_header_add(soon_http_response *res, const char *name, const char *value, size_t len)
{
	struct soon__http_exchange *x = soon__http_exchange_of_res(res);
	size_t name_len = strlen(name);
	size_t bytes_max = x->service->limits.reply_head_bytes;
	char *out;
	int rc;

	if (res->state != SOON__HTTP_SILENT)
		return -EALREADY;
	rc = check_field(name, name_len, value, len);
	if (rc < 0)
		return rc;
	if (len > bytes_max)
		return -ENOBUFS;
	rc = fields_grow(res, bytes_max, res->fields_len + name_len + len + 4);
	if (rc < 0)
		return rc;
	out = res->fields + res->fields_len;
	memcpy(out, name, name_len);
	out = PUT(out + name_len, ": ");
	memcpy(out, value, len);
	out = PUT(out + len, "\r\n");
	res->fields_len = (uint32_t)(out - res->fields);
	return 0;
}

/* Passes a result of the stream on; an error breaks the response. */
static ssize_t note(soon_http_response *res, ssize_t rc)
{
	if (rc < 0) {
		res->state = SOON__HTTP_BROKEN;
		res->error = (int)rc;
	}
	return rc;
}

static int reserve(struct soon__http_exchange *x, size_t bytes, char **ret_room) SOON_SUSPENDS
{
	soon_ns idle = x->service->timeouts.send_idle;

	return (int)note(
		&x->res, soon_within(idle, soon_stream_reserve(x->stream, bytes, ret_room)));
}

/* Writes all; the time limit starts anew whenever the client has taken something. */
static int write_all(struct soon__http_exchange *x, const char *data, size_t len) SOON_SUSPENDS
{
	soon_ns idle = x->service->timeouts.send_idle;
	uint64_t start = soon_stream_written(x->stream), done = 0;

	while (done < len) {
		ssize_t n = soon_within(
			idle, soon_stream_write(x->stream, data + done, len - (size_t)done));
		uint64_t taken = soon_stream_written(x->stream) - start;

		SOON_ASSERT(taken <= len);
		if (n < 0 && (n != -ETIMEDOUT || taken == done))
			return (int)note(&x->res, n);
		done = taken;
	}
	return 0;
}

/* Whether the connection is being drained: an idle wait would end at once. */
static bool is_draining(void) SOON_ON_CORE
{
	bool ends = false;

	SOON_IDLE {
		ends = soon_cancelled();
	}
	return ends;
}

/* Chooses how the body is framed, and whether the connection ends behind it. */
static void choose_framing(struct soon__http_exchange *x, int status, int64_t length) SOON_ON_CORE
{
	soon_http_response *res = &x->res;
	bool has_none = status == 204 || status == 304;

	res->is_bodiless = has_none || x->req.head.method == HTTP_HEAD;
	res->left = length < 0 ? 0 : (uint64_t)length;
	if (has_none)
		res->framing = SOON__HTTP_NO_BODY;
	else if (length >= 0)
		res->framing = SOON__HTTP_LENGTH;
	else if (x->req.head.minor == 1)
		res->framing = SOON__HTTP_CHUNKED;
	else
		res->framing = SOON__HTTP_UNTIL_CLOSE;
	if (res->framing == SOON__HTTP_UNTIL_CLOSE && !res->is_bodiless)
		x->closes = true;
	if (!soon__http_body_can_be_skipped(x))
		x->closes = x->lingers = true;
	if (!x->closes && is_draining())
		x->closes = x->lingers = true;
}

/* Writes the head; `out` has room for it. */
static char *put_head(struct soon__http_exchange *x, char *out, int status, soon_slice type)
	SOON_ON_CORE
{
	soon_http_response *res = &x->res;

	out = soon__http_put_status_line(out, status);
	memcpy(out, soon__http_service_date(x->service), SOON__HTTP_DATE_LINE_BYTES);
	out += SOON__HTTP_DATE_LINE_BYTES;
	if (x->closes)
		out = PUT(out, "Connection: close\r\n");
	else if (x->req.head.minor == 0)
		out = PUT(out, "Connection: keep-alive\r\n");
	if (type.len > 0) {
		out = PUT(out, "Content-Type: ");
		memcpy(out, type.ptr, type.len);
		out = PUT(out + type.len, "\r\n");
	}
	if (res->framing == SOON__HTTP_LENGTH) {
		out = PUT(out, "Content-Length: ");
		out = soon__http_put_decimal(out, res->left);
		out = PUT(out, "\r\n");
	} else if (res->framing == SOON__HTTP_CHUNKED) {
		out = PUT(out, "Transfer-Encoding: chunked\r\n");
	}
	memcpy(out, res->fields, res->fields_len);
	return PUT(out + res->fields_len, "\r\n");
}

/* Checks the arguments that every answer has. */
static int check_answer(const soon_http_response *res, int status, soon_slice type)
{
	if (res->state != SOON__HTTP_SILENT)
		return -EALREADY;
	if (status < 200 || status > 599)
		return refuse("a status that is not in 200..599");
	return is_value(type.ptr, type.len) ? 0 : refuse("a control character in its content type");
}

/* Sends the head, and `body` with it when that fits into one piece; `length` is its length. */
static int answer(struct soon__http_exchange *x, int status, soon_slice type, soon_slice body,
	int64_t length) SOON_SUSPENDS
{
	soon_http_response *res = &x->res;
	size_t bytes = HEAD_BYTES_MAX + type.len + res->fields_len;
	bool is_together;
	char *room, *out;
	int rc;

	rc = check_answer(res, status, type);
	if (rc < 0)
		return rc;
	if (bytes > x->service->limits.reply_head_bytes + HEAD_BYTES_MAX)
		return -ENOBUFS;
	choose_framing(x, status, length);
	if (res->is_bodiless)
		body.len = 0;
	is_together = bytes + body.len <= TOGETHER_BYTES_MAX;
	rc = reserve(x, is_together ? bytes + body.len : bytes, &room);
	if (rc < 0)
		return rc;

	res->state = SOON__HTTP_BEGUN;
	x->service->stats->replies[status / 100]++;
	out = put_head(x, room, status, type);
	SOON_ASSERT((size_t)(out - room) <= bytes);
	if (is_together && body.len > 0) {
		memcpy(out, body.ptr, body.len);
		out += body.len;
	}
	soon_stream_commit(x->stream, (size_t)(out - room));
	return is_together || body.len == 0 ? 0 : write_all(x, body.ptr, body.len);
}

static soon_slice text_of(const char *text)
{
	return text == NULL ? (soon_slice){ "", 0 } : (soon_slice){ text, strlen(text) };
}

int soon_http_respond(
	soon_http_response *res, int status, const char *content_type, const void *body, size_t len)
{
	struct soon__http_exchange *x = soon__http_exchange_of_res(res);
	int rc = answer(x, status, text_of(content_type), (soon_slice){ body, len }, (int64_t)len);

	if (rc < 0)
		return rc;
	res->left = 0;
	res->state = SOON__HTTP_ENDED;
	return 0;
}

int soon_http_respond_begin(
	soon_http_response *res, int status, const char *content_type, int64_t length)
{
	struct soon__http_exchange *x = soon__http_exchange_of_res(res);

	return answer(x, status, text_of(content_type), (soon_slice){ "", 0 },
		length < 0 ? SOON_HTTP_UNKNOWN : length);
}

/* Sends one chunk: small ones in one piece with their framing. */
static int write_chunk(struct soon__http_exchange *x, const char *data, size_t len) SOON_SUSPENDS
{
	bool is_together = len + CHUNK_FRAME_BYTES <= TOGETHER_BYTES_MAX;
	char *room, *out;
	int rc = reserve(x, is_together ? len + CHUNK_FRAME_BYTES : CHUNK_FRAME_BYTES, &room);

	if (rc < 0)
		return rc;
	out = soon__http_put_hex(room, len);
	out = PUT(out, "\r\n");
	if (is_together) {
		memcpy(out, data, len);
		out = PUT(out + len, "\r\n");
	}
	soon_stream_commit(x->stream, (size_t)(out - room));
	if (is_together)
		return 0;
	rc = write_all(x, data, len);
	return rc < 0 ? rc : write_all(x, "\r\n", 2);
}

ssize_t soon_http_write(soon_http_response *res, const void *data, size_t len)
{
	struct soon__http_exchange *x = soon__http_exchange_of_res(res);
	int rc = 0;

	if (res->state == SOON__HTTP_BROKEN)
		return res->error;
	if (res->state != SOON__HTTP_BEGUN)
		return -EPROTO;
	if (res->framing == SOON__HTTP_LENGTH) {
		if (len > res->left)
			return -E2BIG;
		res->left -= len;
	}
	if (res->is_bodiless || len == 0)
		return (ssize_t)len;
	rc = res->framing == SOON__HTTP_CHUNKED ? write_chunk(x, data, len)
						: write_all(x, data, len);
	return rc < 0 ? rc : (ssize_t)len;
}

int soon_http_flush(soon_http_response *res)
{
	struct soon__http_exchange *x = soon__http_exchange_of_res(res);
	soon_ns idle = x->service->timeouts.send_idle;

	if (res->state == SOON__HTTP_BROKEN)
		return res->error;
	return (int)note(res, soon_within(idle, soon_stream_flush(x->stream)));
}

int soon_http_respond_end(soon_http_response *res)
{
	struct soon__http_exchange *x = soon__http_exchange_of_res(res);
	int rc = 0;

	if (res->state == SOON__HTTP_BROKEN)
		return res->error;
	if (res->state != SOON__HTTP_BEGUN || (res->left > 0 && !res->is_bodiless))
		return -EPROTO;
	if (res->framing == SOON__HTTP_CHUNKED && !res->is_bodiless)
		rc = write_all(x, "0\r\n\r\n", 5);
	if (rc == 0)
		res->state = SOON__HTTP_ENDED;
	return rc;
}

int soon__http_reply_status(struct soon__http_exchange *x, int status)
{
	soon_slice reason = soon__http_reason(status);
	bool is_json = x->service->server->errors_as_json;
	char text[128];
	char *out = text;

	SOON_ASSERT(reason.len > 0);
	SOON_ASSERT(reason.len < sizeof text - 32);
	if (is_json)
		out = PUT(out, "{\"status\":");
	out = soon__http_put_decimal(out, (uint64_t)status);
	out = is_json ? PUT(out, ",\"error\":\"") : PUT(out, " ");
	memcpy(out, reason.ptr, reason.len);
	out += reason.len;
	out = is_json ? PUT(out, "\"}\n") : PUT(out, "\n");
	return soon_http_respond(&x->res, status, is_json ? "application/json" : "text/plain", text,
		(size_t)(out - text));
}

int soon__http_reply_continue(struct soon__http_exchange *x)
{
	ssize_t n = soon_within(x->service->timeouts.send_idle,
		soon_stream_write(x->stream, "HTTP/1.1 100 Continue\r\n\r\n", 25));

	return n < 0 ? (int)n : 0;
}
