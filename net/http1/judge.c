// SPDX-License-Identifier: Apache-2.0
#include "http1/judge.h"

#include <soon/assert.h>

#include "http1/text.h"

#include <string.h>

#define LENGTH_DIGITS_MAX 18 /* so that no Content-Length overflows */

/* How often the fields that may come once came. */
struct tally {
	unsigned hosts, lengths, encodings;
	bool says_close, says_keep_alive;
	int expect_status; /* of an expectation that is not known */
};

/* Content-Length is digits and nothing else: no sign, no list, no space. */
static bool read_length(const char *at, size_t len, uint64_t *ret_length)
{
	uint64_t length = 0;

	if (len == 0 || len > LENGTH_DIGITS_MAX)
		return false;
	for (size_t i = 0; i < len; i++) {
		if (at[i] < '0' || at[i] > '9')
			return false;
		length = length * 10 + (uint64_t)(at[i] - '0');
	}
	*ret_length = length;
	return true;
}

/* Reads the options of one Connection field: tokens between commas. False when one is no token. */
static bool read_connection(const char *at, size_t len, struct tally *tally)
{
	const char *end = at + len;

	while (at < end) {
		const char *token = at;

		while (at < end && soon__http_is_token_char(*at))
			at++;

		size_t token_len = (size_t)(at - token);

		if (SOON__HTTP_IS(token, token_len, "close"))
			tally->says_close = true;
		else if (SOON__HTTP_IS(token, token_len, "keep-alive"))
			tally->says_keep_alive = true;
		while (at < end && (*at == ' ' || *at == '\t'))
			at++;
		if (at < end && *at++ != ',')
			return false;
		while (at < end && (*at == ' ' || *at == '\t'))
			at++;
	}
	return true;
}

/* Takes notice of one field; the status of the refusal, or 0. */
static int weigh(
	struct soon__http_head *head, const char *base, uint32_t index, struct tally *tally)
{
	const struct soon__http_field *field = &head->fields[index];
	const char *name = base + field->name.off, *value = base + field->value.off;
	size_t len = field->value.len;

	switch (field->name.len) {
	case sizeof("Host") - 1:
		if (!SOON__HTTP_IS(name, 4, "host"))
			return 0;
		head->host = (int)index;
		if (++tally->hosts > 1 || !soon__http_host_is_valid((soon_slice){ value, len }))
			return 400;
		return 0;
	case sizeof("Expect") - 1:
		if (!SOON__HTTP_IS(name, 6, "expect"))
			return 0;
		if (SOON__HTTP_IS(value, len, "100-continue"))
			head->expects_continue = true;
		else
			tally->expect_status = 417;
		return 0;
	case sizeof("Connection") - 1:
		if (!SOON__HTTP_IS(name, 10, "connection"))
			return 0;
		return read_connection(value, len, tally) ? 0 : 400;
	case sizeof("Content-Length") - 1:
		if (!SOON__HTTP_IS(name, 14, "content-length"))
			return 0;
		head->has_length = true;
		return ++tally->lengths > 1 || !read_length(value, len, &head->length) ? 400 : 0;
	case sizeof("Transfer-Encoding") - 1:
		if (!SOON__HTTP_IS(name, 17, "transfer-encoding"))
			return 0;
		head->is_chunked = true;
		return ++tally->encodings > 1 || !SOON__HTTP_IS(value, len, "chunked") ? 400 : 0;
	default:
		return 0;
	}
}

/* Letters, digits and -._~!$&'()*+,;=% : what a registered name is made of (RFC 3986, 3.2.2). */
static bool is_name_char(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
		(c != '\0' && strchr("-._~!$&'()*+,;=%", c) != NULL);
}

bool soon__http_host_is_valid(soon_slice host)
{
	const char *at = host.ptr, *end = host.ptr + host.len;

	if (host.len == 0)
		return false;
	if (*at == '[') {
		const char *start = ++at;

		while (at < end && (soon__http_hex(*at) >= 0 || *at == ':' || *at == '.'))
			at++;
		if (at - start < 2 || at == end || *at++ != ']')
			return false;
	} else {
		while (at < end && is_name_char(*at))
			at++;
		if (at == host.ptr)
			return false;
	}
	if (at == end)
		return true;
	if (*at++ != ':' || end - at > 5)
		return false;
	while (at < end && *at >= '0' && *at <= '9')
		at++;
	return at == end;
}

/* Finds the path behind "http://host", which must be the host of the Host field. 0 or a status. */
static int read_absolute(struct soon__http_head *head, const char *base, uint32_t *ret_path)
{
	const char *start = base + head->target.off;
	const char *at = memchr(start, ':', head->target.len);
	const char *end = start + head->target.len, *host;
	size_t len;

	if (at == NULL || end - at < 3 || memcmp(at, "://", 3) != 0)
		return 400;
	if (!SOON__HTTP_IS(start, (size_t)(at - start), "http") &&
		!SOON__HTTP_IS(start, (size_t)(at - start), "https"))
		return 400;
	host = at + 3;
	for (at = host; at < end && *at != '/' && *at != '?'; at++)
		;
	len = (size_t)(at - host);
	if (!soon__http_host_is_valid((soon_slice){ host, len }))
		return 400;
	if (head->host >= 0) {
		const struct soon__http_span *other = &head->fields[head->host].value;

		if (other->len != len || strncasecmp(base + other->off, host, len) != 0)
			return 400;
	}
	*ret_path = (uint32_t)(at - base);
	return 0;
}

/* Splits the target. 0 or a status. */
static int read_target(struct soon__http_head *head, const char *base)
{
	const char *start = base + head->target.off;
	uint32_t path = head->target.off, end = path + head->target.len;
	const char *query;

	if (memchr(start, '#', head->target.len) != NULL)
		return 400;
	if (head->target.len == 1 && *start == '*') {
		head->path = (struct soon__http_span){ path, 0 };
		return head->method == HTTP_OPTIONS ? 0 : 400;
	}
	if (*start != '/') {
		int status = read_absolute(head, base, &path);

		if (status != 0)
			return status;
	}
	query = memchr(base + path, '?', end - path);
	if (query != NULL) {
		head->has_query = true;
		head->query.off = (uint32_t)(query + 1 - base);
		head->query.len = end - head->query.off;
		end = (uint32_t)(query - base);
	}
	head->path = (struct soon__http_span){ path, end - path };
	return 0;
}

int soon__http_judge(struct soon__http_head *head, const char *base)
{
	struct tally tally = { 0 };
	int status;

	SOON_ASSERT(head->part == SOON__HTTP_WHOLE);
	for (uint32_t i = 0; i < head->fields_count; i++) {
		status = weigh(head, base, i, &tally);
		if (status != 0)
			return status;
	}
	if (head->minor == 1 && tally.hosts == 0)
		return 400;
	if (head->is_chunked && (head->has_length || head->minor == 0))
		return 400;
	status = read_target(head, base);
	if (status != 0)
		return status;
	if (head->minor == 0)
		head->expects_continue = false;
	else if (tally.expect_status != 0)
		return tally.expect_status;
	head->is_persistent = !tally.says_close && (head->minor == 1 || tally.says_keep_alive);
	return 0;
}
