// SPDX-License-Identifier: Apache-2.0
/*
 * reply.c: soon-load's parser of replies on arbitrary bytes. The first byte says how the rest is
 * cut and whether a HEAD was asked; replies must come out the same as when they are not cut, and
 * the same again where their heads are known. Overreads are the sanitizer's to find: what is fed
 * is memory of its own.
 */
#include "soon_load/reply.h"

#include <soon/assert.h>

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What came out. */
struct seen {
	uint64_t sum; /* of statuses and bodies, in order */
	uint64_t count, body_bytes;
	bool is_refused, is_whole;
};

static void see(struct seen *seen, const char *bytes, size_t len)
{
	for (size_t i = 0; i < len; i++)
		seen->sum = seen->sum * 31 + (unsigned char)bytes[i] + 1;
}

static void reply_done(struct seen *seen, struct reply *reply)
{
	const char status[] = { (char)(reply->head.status / 100), (char)(reply->head.status % 100),
		(char)reply->head.keeps_alive };

	SOON_ASSERT(reply->head.status >= 200 && reply->head.status <= 999);
	see(seen, status, sizeof status);
	seen->count++;
	seen->body_bytes += reply->body_bytes;
	reply_begin(reply, reply->is_for_head_request);
}

/* Takes what is there. Returns how much of it, -EPROTO. */
static ssize_t take(struct seen *seen, struct reply *reply, struct reply_known *known,
	const char *bytes, size_t len)
{
	char *copy = malloc(len);
	ssize_t n = 1;
	size_t at = 0;

	SOON_ASSERT(copy != NULL);
	memcpy(copy, bytes, len);
	while (n > 0 && at < len) {
		soon_slice body;

		n = reply_take(reply, known, copy + at, len - at, &body);
		if (n <= 0)
			break;
		SOON_ASSERT((size_t)n <= len - at);
		SOON_ASSERT(body.len <= (size_t)n);
		SOON_ASSERT(body.len == 0 || !reply->is_for_head_request);
		see(seen, body.ptr, body.len);
		at += (size_t)n;
		if (reply->state == REPLY_DONE)
			reply_done(seen, reply);
	}
	free(copy);
	return n < 0 ? n : (ssize_t)at;
}

/* `step` bytes more each time; what was not taken comes again in front of them. */
static void read_replies(struct seen *seen, struct reply_known *known, bool is_head_request,
	const char *input, size_t len, size_t step)
{
	struct reply reply;
	size_t taken = 0, given = 0;

	*seen = (struct seen){ 0 };
	reply_begin(&reply, is_head_request);
	while (given < len) {
		ssize_t n;

		given = len - given < step ? len : given + step;
		n = take(seen, &reply, known, input + taken, given - taken);
		if (n < 0) {
			SOON_ASSERT(n == -EPROTO && reply.wrong != NULL);
			seen->is_refused = true;
			return;
		}
		taken += (size_t)n;
	}
	seen->is_whole = reply_end(&reply) == 0;
	if (seen->is_whole)
		reply_done(seen, &reply);
}

static bool are_equal(const struct seen *a, const struct seen *b)
{
	return a->sum == b->sum && a->count == b->count && a->body_bytes == b->body_bytes &&
		a->is_refused == b->is_refused && a->is_whole == b->is_whole;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct reply_known known;
	const char *input = (const char *)data + 1;
	size_t step = size == 0 ? 1 : data[0] % 16u + 1, len = size == 0 ? 0 : size - 1;
	bool is_head_request = size > 0 && (data[0] & 0x80) != 0;
	struct seen whole, cut, again;

	if (len == 0)
		return 0;
	known.bytes = 0;
	read_replies(&whole, &known, is_head_request, input, len, len);
	read_replies(&again, &known, is_head_request, input, len, step);
	SOON_ASSERT(are_equal(&whole, &again));
	read_replies(&cut, NULL, is_head_request, input, len, step);
	SOON_ASSERT(are_equal(&whole, &cut));
	return 0;
}
