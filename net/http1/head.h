// SPDX-License-Identifier: Apache-2.0
/*
 * head.h: reads the head of one request, from bytes in memory, without I/O and without a copy.
 *
 * The head grows at one address or at a new one each time (a stream's buffer may move between two
 * reads), so positions are offsets from its first byte. llhttp in strict mode recognises it; then
 * every byte is accounted for a second time: method, one space, target, one space, version, CRLF,
 * and for each field name, colon, white space, value, white space, CRLF. What llhttp tolerates in
 * one of its versions (folded lines, several spaces, HTTP/0.9, an empty name) does not fit into
 * that row of tiles and is refused.
 */
#ifndef NET_HTTP1_HEAD_H
#define NET_HTTP1_HEAD_H

#include <soon/base.h>

#include <llhttp.h>

#define SOON__HTTP_FIELDS_MAX  100
#define SOON__HTTP_METHODS_MAX 64 /* numbers are below */

struct soon__http_head_limits {
	uint32_t request_line_bytes; /* these three count line ends */
	uint32_t header_line_bytes;
	uint32_t headers_bytes;
	uint32_t headers_count; /* at most SOON__HTTP_FIELDS_MAX */
};

/* A piece of the head. */
struct soon__http_span {
	uint32_t off, len;
};

struct soon__http_field {
	struct soon__http_span name, value; /* the value without white space around it */
};

enum soon__http_part {
	SOON__HTTP_LINE, /* in the request line */
	SOON__HTTP_NAME,
	SOON__HTTP_VALUE,
	SOON__HTTP_WHOLE, /* the head is complete */
};

struct soon__http_head {
	llhttp_t parser;
	const struct soon__http_head_limits *limits;
	const char *base;  /* where the head is during one feed; NULL outside */
	uint32_t fed;      /* bytes given to llhttp */
	uint32_t len;      /* of the whole head, when complete */
	uint32_t line_len; /* of the request line, its end included; 0 until it was seen */
	int status;        /* what to answer when the head was refused; 0 */
	enum soon__http_part part;

	/* What the head says. */
	uint8_t method; /* llhttp's number */
	uint8_t minor;  /* HTTP/1.minor */
	bool is_persistent;
	bool is_chunked;
	bool expects_continue;
	bool has_length;
	uint64_t length; /* Content-Length */
	int host;        /* index of the field, -1 for none */
	struct soon__http_span target;
	struct soon__http_span path;  /* not decoded; empty for "*" and "http://host" */
	struct soon__http_span query; /* behind the '?' */
	bool has_query;

	uint32_t fields_count;
	struct soon__http_field fields[SOON__HTTP_FIELDS_MAX];
};

/* Prepares for a new head. */
void soon__http_head_start(
	struct soon__http_head *head, const struct soon__http_head_limits *limits);

/*
 * Reads on: `buf` holds the head from its first byte, and what may follow it.
 * Returns: 1 the head is complete, `head->len` bytes long. 0: more is needed.
 * Errors: -EBADMSG the head is refused; `head->status` says with what answer.
 */
int soon__http_head_feed(struct soon__http_head *head, const char *buf, size_t len);

/* Number and name of a method that llhttp knows; -1 and "" for others. */
int soon__http_method_number(const char *name);
const char *soon__http_method_name(int number);

#endif
