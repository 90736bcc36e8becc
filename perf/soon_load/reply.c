// SPDX-License-Identifier: Apache-2.0
#include "reply.h"

#include <soon/assert.h>

#include "reply_head.h"

#include <string.h>

#define CHUNK_DIGITS_MAX  15u /* below 2^60 */
#define EXTENSION_MAX     4096u
#define TRAILER_BYTES_MAX 65536u

void reply_begin(struct reply *reply, bool is_for_head_request)
{
	*reply = (struct reply){ .is_for_head_request = is_for_head_request };
}

static ssize_t refuse(struct reply *reply, const char *wrong)
{
	reply->wrong = wrong;
	return -EPROTO;
}

static void enter_body(struct reply *reply)
{
	reply->state = reply->head.body;
	reply->left = reply->head.body_bytes;
}

static void remember(
	struct reply_known *known, const struct reply *reply, const char *text, size_t bytes)
{
	if (known == NULL || bytes > sizeof known->text)
		return;
	memcpy(known->text, text, bytes);
	known->bytes = bytes;
	known->head = reply->head;
	known->is_for_head_request = reply->is_for_head_request;
}

static bool is_known(
	const struct reply_known *known, const struct reply *reply, const char *data, size_t bytes)
{
	return known != NULL && known->bytes > 0 && bytes >= known->bytes &&
		known->is_for_head_request == reply->is_for_head_request &&
		memcmp(data, known->text, known->bytes) == 0;
}

static ssize_t take_head(
	struct reply *reply, struct reply_known *known, const char *data, size_t bytes)
{
	const char *end, *wrong;
	size_t head_bytes;

	if (is_known(known, reply, data, bytes)) {
		reply->head = known->head;
		enter_body(reply);
		return (ssize_t)known->bytes;
	}
	/* What is no reply at all need not be waited for to the end of its head. */
	if (memcmp(data, "HTTP/1.", bytes < 7 ? bytes : 7) != 0)
		return refuse(reply, "it does not begin with HTTP/1.");
	end = memmem(data, bytes, "\r\n\r\n", 4);
	if (end == NULL)
		return bytes < REPLY_HEAD_BYTES_MAX ? 0 : refuse(reply, "a head beyond 64 KiB");
	head_bytes = (size_t)(end - data) + 4;
	wrong = reply_head_parse(data, head_bytes, reply->is_for_head_request, &reply->head);
	if (wrong != NULL)
		return refuse(reply, wrong);
	if (reply->head.body != REPLY_HEAD)
		remember(known, reply, data, head_bytes);
	enter_body(reply);
	return (ssize_t)head_bytes;
}

static ssize_t take_data(struct reply *reply, const char *data, size_t bytes, soon_slice *ret_body)
{
	bool has_bound = reply->state != REPLY_UNTIL_END;
	size_t taken = has_bound && reply->left < bytes ? (size_t)reply->left : bytes;

	*ret_body = (soon_slice){ data, taken };
	reply->body_bytes += taken;
	if (!has_bound)
		return (ssize_t)taken;
	reply->left -= taken;
	if (reply->left == 0)
		reply->state = reply->state == REPLY_LENGTH ? REPLY_DONE : REPLY_CHUNK_CR;
	return (ssize_t)taken;
}

static int digit_of(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* A byte of a chunk's size. Returns what is the matter, or NULL. */
static const char *take_size(struct reply *reply, char c)
{
	int digit = digit_of(c);

	if (digit >= 0) {
		if (++reply->digits > CHUNK_DIGITS_MAX)
			return "the size of a chunk is too large";
		reply->left = reply->left * 16 + (unsigned)digit;
		return NULL;
	}
	if (reply->digits == 0 || (c != '\r' && c != ';' && c != ' ' && c != '\t'))
		return "the size of a chunk is not a number";
	reply->state = c == '\r' ? REPLY_CHUNK_SIZE_LF : REPLY_CHUNK_EXTENSION;
	return NULL;
}

static const char *take_size_end(struct reply *reply, char c)
{
	if (c != '\n')
		return "the line of a chunk's size does not end with CR LF";
	reply->digits = 0;
	reply->trailer_bytes = 0;
	reply->state = reply->left > 0 ? REPLY_CHUNK_DATA : REPLY_TRAILER;
	return NULL;
}

static const char *expect(struct reply *reply, char c, char wanted, enum reply_state next)
{
	if (c != wanted)
		return "a chunk is longer than its size says, or a line lacks its LF";
	reply->state = next;
	return NULL;
}

/* A byte of what stands between and behind chunks. */
static const char *take_byte(struct reply *reply, char c)
{
	switch (reply->state) {
	case REPLY_CHUNK_SIZE:
		return take_size(reply, c);
	case REPLY_CHUNK_EXTENSION:
		if (c == '\r')
			reply->state = REPLY_CHUNK_SIZE_LF;
		else if (c == '\n' || ++reply->trailer_bytes > EXTENSION_MAX)
			return "the extension of a chunk does not end";
		return NULL;
	case REPLY_CHUNK_SIZE_LF:
		return take_size_end(reply, c);
	case REPLY_CHUNK_CR:
		return expect(reply, c, '\r', REPLY_CHUNK_LF);
	case REPLY_CHUNK_LF:
		reply->left = 0;
		return expect(reply, c, '\n', REPLY_CHUNK_SIZE);
	case REPLY_TRAILER:
		reply->state = c == '\r' ? REPLY_LAST_LF : REPLY_TRAILER_LINE;
		return c == '\n' ? "a line behind the chunks lacks its CR" : NULL;
	case REPLY_TRAILER_LINE:
		if (c == '\r')
			reply->state = REPLY_TRAILER_LF;
		else if (c == '\n' || ++reply->trailer_bytes > TRAILER_BYTES_MAX)
			return "the lines behind the chunks do not end";
		return NULL;
	case REPLY_TRAILER_LF:
		return expect(reply, c, '\n', REPLY_TRAILER);
	case REPLY_LAST_LF:
		return expect(reply, c, '\n', REPLY_DONE);
	case REPLY_HEAD:
	case REPLY_LENGTH:
	case REPLY_UNTIL_END:
	case REPLY_CHUNK_DATA:
	case REPLY_DONE:
		break;
	}
	SOON_ASSERT(false);
	return NULL;
}

static bool is_framing(enum reply_state state)
{
	return state >= REPLY_CHUNK_SIZE && state <= REPLY_LAST_LF && state != REPLY_CHUNK_DATA;
}

ssize_t reply_take(struct reply *reply, struct reply_known *known, const char *data, size_t bytes,
	soon_slice *ret_body)
{
	size_t taken = 0;

	SOON_ASSERT(bytes > 0);
	SOON_ASSERT(reply->state != REPLY_DONE);
	*ret_body = (soon_slice){ 0 };
	if (reply->state == REPLY_HEAD)
		return take_head(reply, known, data, bytes);
	while (taken < bytes && is_framing(reply->state)) {
		const char *wrong = take_byte(reply, data[taken++]);

		if (wrong != NULL)
			return refuse(reply, wrong);
	}
	if (taken < bytes && reply->state != REPLY_DONE)
		taken += (size_t)take_data(reply, data + taken, bytes - taken, ret_body);
	return (ssize_t)taken;
}

int reply_end(struct reply *reply)
{
	if (reply->state != REPLY_UNTIL_END)
		return -EBADMSG;
	reply->state = REPLY_DONE;
	return 0;
}
