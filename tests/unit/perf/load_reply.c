// SPDX-License-Identifier: Apache-2.0
/* load_reply.c: replies are taken apart the same however they are cut, and nothing else is one. */
#include "soon_load/reply.h"
#include "support/harness.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TRACE_BYTES 4096

/* What was seen: statuses, bodies, and how it ended. */
struct trace {
	char text[TRACE_BYTES];
	size_t bytes;
};

static void note(struct trace *trace, const char *text, size_t bytes)
{
	cr_assert_lt(trace->bytes + bytes, sizeof trace->text);
	if (bytes > 0) /* an empty body may be nowhere */
		memcpy(trace->text + trace->bytes, text, bytes);
	trace->bytes += bytes;
	trace->text[trace->bytes] = '\0';
}

static void note_done(struct trace *trace, struct reply *reply)
{
	char text[64];
	int length = snprintf(text, sizeof text, "|%u%s;", (unsigned)reply->head.status,
		reply->head.keeps_alive ? "" : " close");

	note(trace, text, (size_t)length);
	reply_begin(reply, reply->is_for_head_request);
}

/* Takes `bytes` bytes, which nothing may be read behind; those not taken stay in front. */
static ssize_t feed(struct reply *reply, struct reply_known *known, const char *data, size_t bytes,
	struct trace *trace)
{
	char *copy = malloc(bytes + 1);
	size_t at = 0;

	memcpy(copy, data, bytes); /* so that AddressSanitizer sees an over-read */
	copy = realloc(copy, bytes > 0 ? bytes : 1);
	while (at < bytes) {
		soon_slice body;
		ssize_t n = reply_take(reply, known, copy + at, bytes - at, &body);

		if (n <= 0) {
			free(copy);
			return n < 0 ? n : (ssize_t)at;
		}
		at += (size_t)n;
		note(trace, body.ptr, body.len);
		if (reply->state == REPLY_DONE)
			note_done(trace, reply);
	}
	free(copy);
	return (ssize_t)at;
}

/* Gives the input in two parts, cut at `cut`, then the end. */
static void run_cut(const char *input, size_t bytes, size_t cut, bool is_head_request,
	struct reply_known *known, struct trace *trace)
{
	struct reply reply;
	ssize_t n;

	trace->bytes = 0;
	trace->text[0] = '\0';
	reply_begin(&reply, is_head_request);
	n = feed(&reply, known, input, cut, trace);
	if (n >= 0)
		n = feed(&reply, known, input + n, bytes - (size_t)n, trace);
	if (n < 0) {
		cr_assert_eq(n, -EPROTO);
		cr_assert_not_null(reply.wrong);
		note(trace, "!", 1);
	} else if (reply.state != REPLY_HEAD) {
		if (reply_end(&reply) == 0)
			note_done(trace, &reply);
		else
			note(trace, "?", 1);
	}
}

struct sample {
	const char *input;
	const char *trace; /* body|status; for each, "!" refused, "?" ended too early */
	bool is_head_request;
};

static const struct sample samples[] = {
	{ "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", "hello|200;", false },
	{ "HTTP/1.1 200\r\ncontent-length:0\r\n\r\n", "|200;", false },
	{ "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nabHTTP/1.1 404 Not\r\nContent-Length: "
	  "1\r\n\r\nc",
		"ab|200;c|404;", false },
	{ "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\nA;x=y\r\n0123456789\r\n"
	  "0\r\nT: x\r\n\r\n",
		"abc0123456789|200;", false },
	{ "HTTP/1.1 200 OK\r\nTransfer-Encoding: Chunked\r\n\r\n0\r\n\r\nHTTP/1.1 204 No\r\n\r\n",
		"|200;|204;", false },
	{ "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 E\r\nLink: x\r\n\r\nHTTP/1.1 200 OK\r\n"
	  "Content-Length: 1\r\n\r\nx",
		"x|200;", false },
	{ "HTTP/1.1 304 Not Modified\r\nContent-Length: 500\r\n\r\n", "|304;", false },
	{ "HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n", "|200;", true },
	{ "HTTP/1.1 200 OK\r\n\r\nuntil the end", "until the end|200 close;", false },
	{ "HTTP/1.0 200 OK\r\nContent-Length: 1\r\n\r\nx", "x|200 close;", false },
	{ "HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 1\r\n\r\nx", "x|200;",
		false },
	{ "HTTP/1.1 200 OK\r\nConnection: a, Close\r\nContent-Length: 1\r\n\r\nx", "x|200 close;",
		false },
	{ "HTTP/1.1 200 OK\r\nContent-Length: 3\r\nContent-Length: 3\r\n\r\nabc", "abc|200;",
		false },
	/* Ended too early. */
	{ "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhell", "hell?", false },
	{ "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nab", "ab?", false },
	{ "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n", "abc?", false },
	/* No reply. */
	{ "SSH-2.0-OpenSSH\r\n", "!", false },
	{ "HTTP/2.0 200 OK\r\n\r\n", "!", false },
	{ "HTTP/1.1  200 OK\r\n\r\n", "!", false },
	{ "HTTP/1.1 20 OK\r\n\r\n", "!", false },
	{ "HTTP/1.1 2000 OK\r\n\r\n", "!", false },
	{ "HTTP/1.1 099 OK\r\n\r\n", "!", false },
	{ "HTTP/1.1 101 Switching\r\n\r\n", "!", false },
	{ "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nx", "!", false },
	{ "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n", "!", false },
	{ "HTTP/1.1 200 OK\r\nContent-Length: 1x\r\n\r\n", "!", false },
	{ "HTTP/1.1 200 OK\r\nContent-Length: \r\n\r\n", "!", false },
	{ "HTTP/1.1 200 OK\r\nContent-Length: 9999999999999999999\r\n\r\n", "!", false },
	{ "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n", "!",
		false },
	{ "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n", "!", false },
	{ "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n",
		"!", false },
	{ "HTTP/1.1 200 OK\r\nno colon\r\n\r\n", "!", false },
	{ "HTTP/1.1 200 OK\r\nName : x\r\n\r\n", "!", false },
	{ "HTTP/1.1 200 OK\r\nA: b\r\n folded\r\n\r\n", "!", false },
	{ "HTTP/1.1 200 OK\nA: b\r\n\r\n", "!", false },
	{ "HTTP/1.1 200 OK\r\nA: b\rc\r\n\r\n", "!", false },
	{ "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nx\r\n", "!", false },
	{ "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n\r\n", "!", false },
	{ "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\nx", "!", false },
	{ "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nxy\r\n", "x!", false },
	{ "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1000000000000000\r\n", "!", false },
	{ "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nA: b\n\r\n", "!", false },
	{ "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nxextra", "x|200;!", false },
};

SOON_TEST_PLAIN(load_reply, cut_at_every_byte)
{
	static struct trace trace;

	for (unsigned i = 0; i < sizeof samples / sizeof samples[0]; i++) {
		const struct sample *sample = &samples[i];
		size_t bytes = strlen(sample->input);

		for (size_t cut = 0; cut <= bytes; cut++) {
			run_cut(sample->input, bytes, cut, sample->is_head_request, NULL, &trace);
			cr_assert_str_eq(trace.text, sample->trace, "%s, cut at %zu: %s",
				sample->input, cut, trace.text);
		}
	}
}

/* A head that was seen before is compared and not parsed, with the same outcome. */
SOON_TEST_PLAIN(load_reply, known_heads_change_nothing)
{
	static struct trace trace;
	static struct reply_known known;

	for (unsigned round = 0; round < 3; round++) {
		for (unsigned i = 0; i < sizeof samples / sizeof samples[0]; i++) {
			const struct sample *sample = &samples[i];
			size_t bytes = strlen(sample->input);

			for (unsigned again = 0; again < 2; again++) {
				run_cut(sample->input, bytes, bytes, sample->is_head_request,
					&known, &trace);
				cr_assert_str_eq(trace.text, sample->trace, "%s", sample->input);
			}
		}
	}
}

SOON_TEST_PLAIN(load_reply, a_known_head_is_of_its_kind_of_request)
{
	static const char input[] = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n";
	static struct reply_known known;
	static struct trace trace;

	run_cut(input, strlen(input), strlen(input), true, &known, &trace);
	cr_assert_str_eq(trace.text, "|200;");
	run_cut(input, strlen(input), strlen(input), false, &known, &trace);
	cr_assert_str_eq(trace.text, "?", "a GET has the body that a HEAD has not");
}

SOON_TEST_PLAIN(load_reply, heads_have_a_limit)
{
	char *input = malloc(REPLY_HEAD_BYTES_MAX);
	struct reply reply;
	soon_slice body;

	memset(input, 'x', REPLY_HEAD_BYTES_MAX);
	memcpy(input, "HTTP/1.1 200 OK\r\nA: ", 20);
	reply_begin(&reply, false);
	cr_assert_eq(reply_take(&reply, NULL, input, REPLY_HEAD_BYTES_MAX - 1, &body), 0);
	cr_assert_eq(reply_take(&reply, NULL, input, REPLY_HEAD_BYTES_MAX, &body), -EPROTO);
	cr_assert_not_null(reply.wrong);
	free(input);
}
