// SPDX-License-Identifier: Apache-2.0
/*
 * HTTP/1.1 keep-alive, `depth` requests in one write, all answers verified before the next batch:
 * status line, Content-Length and body of each. A head that is byte for byte one already verified
 * is not parsed again, so that the load stays cheaper than the server (a date changes it each
 * second, and then it is parsed).
 */
#include "load.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#define REQUEST_BYTES_MAX  512u
#define RESPONSE_BYTES_MAX 1024u

static struct {
	size_t bytes;
	size_t body_bytes;
	char head[RESPONSE_BYTES_MAX];
} known; /* the last verified head */

static size_t out_capacity(const struct load_opts *opts)
{
	return (size_t)REQUEST_BYTES_MAX * opts->depth_count;
}

static size_t in_capacity(const struct load_opts *opts)
{
	return (size_t)RESPONSE_BYTES_MAX * opts->depth_count;
}

static unsigned exchanges_per_batch(const struct load_opts *opts)
{
	return opts->depth_count;
}

static size_t compose(const struct load_opts *opts, struct conn *conn)
{
	int bytes;

	conn->answered = 0;
	if (conn->batch++ > 0)
		return conn->out_bytes; /* the same as before */
	bytes = snprintf(conn->out, REQUEST_BYTES_MAX,
		"GET %s HTTP/1.1\r\nHost: 127.0.0.1:%u\r\n"
		"User-Agent: soon-load\r\nAccept: */*\r\n\r\n",
		opts->path, (unsigned)opts->port);
	for (unsigned i = 1; i < opts->depth_count; i++)
		memcpy(conn->out + (size_t)i * (size_t)bytes, conn->out, (size_t)bytes);
	return (size_t)bytes * opts->depth_count;
}

/* Parses one head of `bytes` with its empty line. Returns 0 or -EPROTO. */
static int parse_head(const char *head, size_t bytes, size_t *ret_body_bytes)
{
	static const char status[] = "HTTP/1.1 200";
	static const char length[] = "Content-Length:";
	const char *line = head;
	const char *end = head + bytes;
	unsigned length_count = 0;

	if (bytes < sizeof(status) || memcmp(head, status, sizeof(status) - 1) != 0)
		return -EPROTO;
	while (line < end) {
		const char *line_end = memmem(line, (size_t)(end - line), "\r\n", 2);

		if (line_end == NULL)
			return -EPROTO;
		if ((size_t)(line_end - line) > sizeof(length) - 1 &&
			strncasecmp(line, length, sizeof(length) - 1) == 0) {
			if (sscanf(line + sizeof(length) - 1, "%zu", ret_body_bytes) != 1)
				return -EPROTO;
			length_count++;
		}
		line = line_end + 2;
	}
	return length_count == 1 ? 0 : -EPROTO;
}

/* Finds the head at `in`. Returns its bytes, 0 for "not complete yet", -EPROTO for a bad one. */
static ssize_t take_head(const char *in, size_t bytes, size_t *ret_body_bytes)
{
	const char *end;
	int err;

	if (known.bytes > 0 && bytes >= known.bytes && memcmp(in, known.head, known.bytes) == 0) {
		*ret_body_bytes = known.body_bytes;
		return (ssize_t)known.bytes;
	}
	end = memmem(in, bytes, "\r\n\r\n", 4);
	if (end == NULL)
		return bytes < RESPONSE_BYTES_MAX ? 0 : -EPROTO;
	bytes = (size_t)(end - in) + 4;
	err = parse_head(in, bytes, ret_body_bytes);
	if (err < 0)
		return err;
	if (bytes <= sizeof(known.head)) {
		memcpy(known.head, in, bytes);
		known.bytes = bytes;
		known.body_bytes = *ret_body_bytes;
	}
	return (ssize_t)bytes;
}

static int verify(const struct load_opts *opts, struct conn *conn, size_t count)
{
	size_t want_bytes = strlen(opts->body);
	size_t at = 0;

	conn->in_bytes += count;
	while (at < conn->in_bytes) {
		size_t body_bytes = 0;
		ssize_t head_bytes = take_head(conn->in + at, conn->in_bytes - at, &body_bytes);

		if (head_bytes < 0)
			return (int)head_bytes;
		if (head_bytes == 0 || conn->in_bytes - at - (size_t)head_bytes < want_bytes)
			break;
		if (body_bytes != want_bytes ||
			memcmp(conn->in + at + head_bytes, opts->body, want_bytes) != 0)
			return -EPROTO;
		if (++conn->answered > opts->depth_count)
			return -EPROTO;
		at += (size_t)head_bytes + want_bytes;
	}
	conn->in_bytes -= at;
	memmove(conn->in, conn->in + at, conn->in_bytes);
	if (conn->answered < opts->depth_count)
		return 0;
	return conn->in_bytes == 0 ? 1 : -EPROTO;
}

const struct protocol protocol_http = {
	.name = "http",
	.out_capacity = out_capacity,
	.in_capacity = in_capacity,
	.exchanges_per_batch = exchanges_per_batch,
	.compose = compose,
	.verify = verify,
};

const struct protocol protocol_https = {
	.name = "https",
	.is_tls = true,
	.out_capacity = out_capacity,
	.in_capacity = in_capacity,
	.exchanges_per_batch = exchanges_per_batch,
	.compose = compose,
	.verify = verify,
};
