// SPDX-License-Identifier: Apache-2.0
/* The head of a reply: a status line, fields, an empty line, all of them ended by CR LF. */
#include "reply_head.h"

#include <string.h>
#include <strings.h>

struct head {
	struct reply_head *reply;
	bool is_1_0;
	bool has_length;
	bool is_chunked;
	bool has_encoding;
	bool says_close;
	bool says_keep_alive;
	uint64_t length;
};

static const char *parse_status_line(struct head *head, const char *at, size_t bytes)
{
	static const char version[] = "HTTP/1.";
	unsigned status = 0;

	if (bytes < 12 || memcmp(at, version, sizeof version - 1) != 0 ||
		(at[7] != '0' && at[7] != '1') || at[8] != ' ')
		return "it does not begin with HTTP/1.1 and a space";
	for (unsigned i = 9; i < 12; i++) {
		if (at[i] < '0' || at[i] > '9')
			return "the status is not three digits";
		status = status * 10 + (unsigned)(at[i] - '0');
	}
	if (status < 100 || (bytes > 12 && at[12] != ' '))
		return "the status is not three digits from 100 on";
	head->is_1_0 = at[7] == '0';
	head->reply->status = (uint16_t)status;
	return NULL;
}

static const char *parse_length(struct head *head, soon_slice value)
{
	uint64_t length = 0;

	if (value.len == 0 || value.len > 18)
		return "Content-Length is not a number";
	for (size_t i = 0; i < value.len; i++) {
		if (value.ptr[i] < '0' || value.ptr[i] > '9')
			return "Content-Length is not a number";
		length = length * 10 + (uint64_t)(value.ptr[i] - '0');
	}
	if (head->has_length && head->length != length)
		return "two different Content-Length fields";
	head->has_length = true;
	head->length = length;
	return NULL;
}

static soon_slice trim(const char *at, const char *end)
{
	while (at < end && (*at == ' ' || *at == '\t'))
		at++;
	while (end > at && (end[-1] == ' ' || end[-1] == '\t'))
		end--;
	return (soon_slice){ at, (size_t)(end - at) };
}

static bool is_word(soon_slice text, const char *word)
{
	return text.len == strlen(word) && strncasecmp(text.ptr, word, text.len) == 0;
}

/* The words of "Connection: keep-alive, Upgrade". */
static void parse_connection(struct head *head, soon_slice value)
{
	const char *at = value.ptr;
	const char *end = value.ptr + value.len;

	while (at < end) {
		const char *comma = memchr(at, ',', (size_t)(end - at));
		soon_slice word = trim(at, comma != NULL ? comma : end);

		if (is_word(word, "close"))
			head->says_close = true;
		else if (is_word(word, "keep-alive"))
			head->says_keep_alive = true;
		at = comma != NULL ? comma + 1 : end;
	}
}

/* One line of at least one byte, without its end. */
static const char *parse_field(struct head *head, const char *at, size_t bytes)
{
	const char *colon = memchr(at, ':', bytes);
	soon_slice name, value;

	if (*at == ' ' || *at == '\t')
		return "a field goes on in the next line";
	if (colon == NULL || colon == at || colon[-1] == ' ' || colon[-1] == '\t')
		return "a line of the head is no field";
	name = (soon_slice){ at, (size_t)(colon - at) };
	value = trim(colon + 1, at + bytes);
	if (is_word(name, "content-length"))
		return parse_length(head, value);
	if (is_word(name, "connection"))
		parse_connection(head, value);
	if (!is_word(name, "transfer-encoding"))
		return NULL;
	if (head->has_encoding || !is_word(value, "chunked"))
		return "a Transfer-Encoding that nobody asked for";
	head->has_encoding = true;
	head->is_chunked = true;
	return NULL;
}

/* RFC 9112 section 6.3: what follows the head. */
static const char *judge(const struct head *head, bool is_for_head_request)
{
	struct reply_head *reply = head->reply;

	reply->keeps_alive =
		head->is_1_0 ? head->says_keep_alive && !head->says_close : !head->says_close;
	if (head->is_chunked && head->has_length)
		return "Content-Length and Transfer-Encoding at once";
	if (reply->status == 101)
		return "101 Switching Protocols, which nobody asked for";
	if (reply->status < 200) {
		reply->body = REPLY_HEAD;
	} else if (is_for_head_request || reply->status == 204 || reply->status == 304) {
		reply->body = REPLY_DONE;
	} else if (head->is_chunked) {
		reply->body = REPLY_CHUNK_SIZE;
	} else if (head->has_length) {
		reply->body = head->length > 0 ? REPLY_LENGTH : REPLY_DONE;
		reply->body_bytes = head->length;
	} else {
		reply->body = REPLY_UNTIL_END;
		reply->keeps_alive = false;
	}
	return NULL;
}

const char *reply_head_parse(
	const char *text, size_t bytes, bool is_for_head_request, struct reply_head *ret_head)
{
	struct head head = { .reply = ret_head };
	const char *end = text + bytes - 2; /* without the empty line */
	const char *wrong = NULL;
	bool is_first = true;

	*ret_head = (struct reply_head){ 0 };
	for (const char *line = text; wrong == NULL && line < end;) {
		const char *lf = memchr(line, '\n', (size_t)(end - line));

		if (lf == NULL || lf == line || lf[-1] != '\r')
			return "a line of the head does not end with CR LF";
		if (memchr(line, '\r', (size_t)(lf - line)) != lf - 1)
			return "a CR within a line of the head";
		if (is_first)
			wrong = parse_status_line(&head, line, (size_t)(lf - 1 - line));
		else
			wrong = parse_field(&head, line, (size_t)(lf - 1 - line));
		is_first = false;
		line = lf + 1;
	}
	return wrong != NULL ? wrong : judge(&head, is_for_head_request);
}
