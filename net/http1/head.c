// SPDX-License-Identifier: Apache-2.0
/*
 * llhttp calls back with pieces of names and values, cut where the input was cut; the pieces of
 * one span touch. A callback that refuses sets head->status and returns -1, which ends the feed.
 */
#include "http1/head.h"

#include <soon/assert.h>

#include "http1/judge.h"
#include "http1/text.h"

#include <string.h>

#define VERSION_BYTES (sizeof(" HTTP/1.1\r\n") - 1)

#define METHOD_NAME(number, name, text) [number] = #text,
static const char *const method_names[] = { HTTP_METHOD_MAP(METHOD_NAME) };
#define METHODS_COUNT ((int)(sizeof method_names / sizeof method_names[0]))
_Static_assert(METHODS_COUNT <= SOON__HTTP_METHODS_MAX, "a method has a number beyond the limit");

const char *soon__http_method_name(int number)
{
	if (number < 0 || number >= METHODS_COUNT || method_names[number] == NULL)
		return "";
	return method_names[number];
}

int soon__http_method_number(const char *name)
{
	for (int i = 0; i < METHODS_COUNT; i++)
		if (method_names[i] != NULL && strcmp(method_names[i], name) == 0)
			return i;
	return -1;
}

static struct soon__http_head *head_of(llhttp_t *parser)
{
	return (struct soon__http_head *)parser->data;
}

static int refuse(struct soon__http_head *head, int status)
{
	if (head->status == 0)
		head->status = status;
	return -1;
}

/* Adds a piece to a span; pieces of one span touch, or there was something in between. */
static int extend(
	struct soon__http_head *head, struct soon__http_span *span, const char *at, size_t len)
{
	uint32_t off = (uint32_t)(at - head->base);

	SOON_ASSERT(at >= head->base);
	if (span->len == 0)
		span->off = off;
	else if (off != span->off + span->len)
		return refuse(head, 400);
	span->len += (uint32_t)len;
	return 0;
}

static int on_url(llhttp_t *parser, const char *at, size_t len)
{
	struct soon__http_head *head = head_of(parser);

	return extend(head, &head->target, at, len);
}

/* Checks the request line against its only right shape, once llhttp has gone beyond it. */
static int line_end(struct soon__http_head *head)
{
	const char *method = soon__http_method_name(head->parser.method);
	size_t method_len = strlen(method);
	const char *at = head->base + head->target.off + head->target.len;

	if (head->target.len == 0 || (method_len > 0 && head->target.off != method_len + 1))
		return refuse(head, 400);
	if (method_len > 0 &&
		(memcmp(head->base, method, method_len) != 0 || head->base[method_len] != ' '))
		return refuse(head, 400);
	if (head->target.off + head->target.len + VERSION_BYTES > head->fed ||
		memcmp(at, " HTTP/", 6) != 0 || at[7] != '.')
		return refuse(head, 400);
	if (at[6] != '1' || (at[8] != '0' && at[8] != '1'))
		return refuse(head, 505);
	if (memcmp(at + 9, "\r\n", 2) != 0)
		return refuse(head, 400);
	/* Only now: whether a wrong line is noticed here first depends on where it was cut. */
	if (head->parser.method == HTTP_PRI || head->parser.method == HTTP_CONNECT)
		return refuse(head, head->parser.method == HTTP_PRI ? 505 : 501);
	if (method_len == 0)
		return refuse(head, 501);

	head->method = head->parser.method;
	head->minor = (uint8_t)(at[8] - '0');
	head->line_len = head->target.off + head->target.len + (uint32_t)VERSION_BYTES;
	return head->line_len > head->limits->request_line_bytes ? refuse(head, 414) : 0;
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t';
}

/*
 * Accounts for every byte of the last field: name, colon, blanks, value, blanks, CRLF. Returns
 * where the next line starts, or 0 after a refusal.
 */
static uint32_t field_end(struct soon__http_head *head)
{
	struct soon__http_field *field = &head->fields[head->fields_count - 1];
	struct soon__http_span *value = &field->value;
	const char *base = head->base;
	uint32_t at = field->name.off + field->name.len;

	if (field->name.len == 0 || base[at] != ':')
		goto refused;
	at++;
	while (at < head->fed && is_blank(base[at]))
		at++;
	/* An empty value is reported anywhere up to the start of the next line. */
	if (value->len == 0)
		value->off = at;
	if (value->off != at)
		goto refused;
	at += value->len;
	while (value->len > 0 && is_blank(base[value->off + value->len - 1]))
		value->len--;
	while (at < head->fed && is_blank(base[at]))
		at++;
	if (at + 2 > head->fed || base[at] != '\r' || base[at + 1] != '\n')
		goto refused;
	at += 2;
	if (at - field->name.off > head->limits->header_line_bytes) {
		(void)refuse(head, 431);
		return 0;
	}
	return at;

refused:
	(void)refuse(head, 400);
	return 0;
}

static int on_header_field(llhttp_t *parser, const char *at, size_t len)
{
	struct soon__http_head *head = head_of(parser);
	uint32_t next;

	if (head->part == SOON__HTTP_NAME)
		return extend(head, &head->fields[head->fields_count - 1].name, at, len);
	if (head->part == SOON__HTTP_LINE) {
		if (line_end(head) < 0)
			return -1;
		next = head->line_len;
	} else {
		next = field_end(head);
		if (next == 0)
			return -1;
	}
	if (head->fields_count == head->limits->headers_count)
		return refuse(head, 431);
	if (head->base + next != at)
		return refuse(head, 400);

	struct soon__http_field *field = &head->fields[head->fields_count++];

	field->name = (struct soon__http_span){ next, (uint32_t)len };
	field->value = (struct soon__http_span){ 0, 0 };
	head->part = SOON__HTTP_NAME;
	return 0;
}

static int on_header_value(llhttp_t *parser, const char *at, size_t len)
{
	struct soon__http_head *head = head_of(parser);

	SOON_ASSERT(head->fields_count > 0);
	head->part = SOON__HTTP_VALUE;
	return extend(head, &head->fields[head->fields_count - 1].value, at, len);
}

static int on_headers_complete(llhttp_t *parser)
{
	struct soon__http_head *head = head_of(parser);
	uint32_t next;

	if (head->part == SOON__HTTP_LINE && line_end(head) < 0)
		return -1;
	next = head->fields_count == 0 ? head->line_len : field_end(head);
	if (next == 0)
		return -1;
	if (next + 2 > head->fed || memcmp(head->base + next, "\r\n", 2) != 0)
		return refuse(head, 400);
	head->part = SOON__HTTP_WHOLE;
	head->len = next + 2;
	return HPE_PAUSED;
}

static const llhttp_settings_t settings = {
	.on_url = on_url,
	.on_header_field = on_header_field,
	.on_header_value = on_header_value,
	.on_headers_complete = on_headers_complete,
};

void soon__http_head_start(
	struct soon__http_head *head, const struct soon__http_head_limits *limits)
{
	SOON_ASSERT(limits->headers_count <= SOON__HTTP_FIELDS_MAX);
	memset(head, 0, offsetof(struct soon__http_head, fields));
	llhttp_init(&head->parser, HTTP_REQUEST, &settings);
	head->parser.data = head;
	head->limits = limits;
	head->host = -1;
}

/*
 * Which limit the part that is here already exceeds, 0 for none. A byte more than the limit may
 * have come without being part of the line: the CR of the empty line.
 */
static int status_of_excess(const struct soon__http_head *head)
{
	const struct soon__http_head_limits *limits = head->limits;
	uint32_t line_off;

	if (head->part == SOON__HTTP_WHOLE)
		return head->len - head->line_len > limits->headers_bytes ? 431 : 0;
	if (head->part == SOON__HTTP_LINE)
		return head->fed > limits->request_line_bytes + 1 ? 414 : 0;
	line_off = head->fields[head->fields_count - 1].name.off;
	if (head->fed - line_off > limits->header_line_bytes + 1)
		return 431;
	return head->fed - head->line_len > limits->headers_bytes ? 431 : 0;
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/*
 * The answer to what llhttp itself refused; independent of where the input was cut, so only what
 * is surely behind the place of the error counts.
 */
static int status_of_error(struct soon__http_head *head, llhttp_errno_t error)
{
	const char *at = llhttp_get_error_pos(&head->parser);
	const char *version = head->base + head->target.off + head->target.len;

	if (error == HPE_PAUSED_H2_UPGRADE)
		return 505;
	if (error == HPE_INVALID_METHOD && at < head->base + head->fed)
		return soon__http_is_token_char(*at) ? 501 : 400;
	/* A fault in the first field, whose request line nobody has looked at yet. */
	if (head->part == SOON__HTTP_LINE && head->target.len > 0 && at >= version + VERSION_BYTES)
		return line_end(head) < 0 ? head->status : 400;
	if (error != HPE_INVALID_VERSION || version + 9 > head->base + head->fed)
		return 400;
	if (memcmp(version, " HTTP/", 6) != 0 || !is_digit(version[6]) || version[7] != '.' ||
		!is_digit(version[8]))
		return 400;
	/* A right version with something behind it is not another version. */
	return version[6] == '1' && version[8] <= '1' ? 400 : 505;
}

int soon__http_head_feed(struct soon__http_head *head, const char *buf, size_t len)
{
	uint32_t fed = head->fed;
	llhttp_errno_t error;

	SOON_ASSERT(head->part != SOON__HTTP_WHOLE && head->status == 0);
	SOON_ASSERT(len >= fed && len <= UINT32_MAX / 2);
	head->base = buf;
	head->fed = (uint32_t)len;
	error = llhttp_execute(&head->parser, buf + fed, len - fed);

	if (head->status == 0 && (error == HPE_OK || head->part == SOON__HTTP_WHOLE))
		head->status = status_of_excess(head);
	else if (head->status == 0)
		head->status = status_of_error(head, error);
	if (head->status == 0 && head->part == SOON__HTTP_WHOLE)
		head->status = soon__http_judge(head, buf);
	head->base = NULL;
	if (head->status != 0)
		return -EBADMSG;
	return head->part == SOON__HTTP_WHOLE;
}
