// SPDX-License-Identifier: Apache-2.0
/*
 * http1.c: the parsers of HTTP on arbitrary bytes. The first byte says how the rest is cut; a head
 * and a chunked body must come out the same as when they are not cut, and what comes out must lie
 * within what went in. Overreads are the sanitizer's to find: each feed is memory of its own.
 */
#include <soon/assert.h>

#include "http1/chunks.h"
#include "http1/head.h"
#include "http1/judge.h"
#include "http1/text.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct soon__http_head_limits limits = { 200, 200, 400, 10 };

/* Feeds `step` bytes more each time, each time at another address. Gives the last one. */
static int feed(
	struct soon__http_head *head, const char *input, size_t len, size_t step, char **ret)
{
	char *copy = NULL;
	int rc = 0;

	soon__http_head_start(head, &limits);
	for (size_t n = 0; rc == 0 && n < len;) {
		char *next;

		n = len - n < step ? len : n + step;
		next = malloc(n);
		SOON_ASSERT(next != NULL);
		memcpy(next, input, n);
		free(copy);
		copy = next;
		rc = soon__http_head_feed(head, copy, n);
	}
	*ret = copy;
	return rc;
}

static void check_span(const struct soon__http_head *head, struct soon__http_span span)
{
	SOON_ASSERT(span.off <= head->len);
	SOON_ASSERT(span.len <= head->len - span.off);
}

static void check_values(const struct soon__http_head *head, const char *base)
{
	char *out = malloc(head->target.len + 1);
	soon_slice query = { base + head->query.off, head->query.len };
	ssize_t n;

	SOON_ASSERT(out != NULL);
	check_span(head, head->target);
	check_span(head, head->path);
	check_span(head, head->query);
	for (uint32_t i = 0; i < head->fields_count; i++) {
		const struct soon__http_field *field = &head->fields[i];

		check_span(head, field->name);
		check_span(head, field->value);
		SOON_ASSERT(field->name.len > 0);
		SOON_ASSERT(memchr(base + field->value.off, '\r', field->value.len) == NULL);
		SOON_ASSERT(memchr(base + field->value.off, '\n', field->value.len) == NULL);
		SOON_ASSERT(memchr(base + field->value.off, '\0', field->value.len) == NULL);
	}
	SOON_ASSERT(!head->is_chunked || !head->has_length);
	SOON_ASSERT(head->minor == 0 || head->host >= 0);
	n = soon__http_path_decode(base + head->path.off, head->path.len, out);
	SOON_ASSERT(n < 0 || memchr(out, '\0', (size_t)n) == NULL);
	n = soon__http_form_value(query, "a", out, head->target.len + 1);
	SOON_ASSERT(n < 0 || strlen(out) == (size_t)n);
	free(out);
}

/* Reads a body `step` bytes at a time. Gives the sum and the count of the data. */
static int read_chunks(const char *input, size_t len, size_t step, uint64_t *ret_sum)
{
	struct soon__http_chunks chunks = { .trailer_max = 100 };
	uint64_t sum = 0;
	int rc = 0;

	for (size_t at = 0; rc == 0 && at < len;) {
		size_t n = len - at < step ? len - at : step, used;
		char *copy = malloc(n);
		soon_slice piece;

		SOON_ASSERT(copy != NULL);
		memcpy(copy, input + at, n);
		rc = soon__http_chunks_read(&chunks, copy, n, step, &used, &piece);
		SOON_ASSERT(used > 0 && used <= n);
		SOON_ASSERT(piece.len <= used && piece.len <= step);
		for (size_t i = 0; rc >= 0 && i < piece.len; i++)
			sum = sum * 31 + (unsigned char)piece.ptr[i] + 1;
		free(copy);
		at += used;
	}
	*ret_sum = sum;
	return rc;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct soon__http_head whole, cut;
	const char *input = (const char *)data + 1;
	size_t step = size == 0 ? 1 : data[0] % 16u + 1, len = size == 0 ? 0 : size - 1;
	uint64_t sum, cut_sum;
	char *base, *cut_base;
	int rc, cut_rc;

	if (len == 0)
		return 0;
	rc = feed(&whole, input, len, len, &base);
	cut_rc = feed(&cut, input, len, step, &cut_base);
	/* Cut, a limit may be noticed before a fault that is further on, and never after it. */
	if (whole.status < 400 || cut.status < 400 || (cut.status != 414 && cut.status != 431)) {
		SOON_ASSERT(rc == cut_rc);
		SOON_ASSERT(whole.status == cut.status);
	}
	if (rc == 1) {
		SOON_ASSERT(whole.len == cut.len);
		SOON_ASSERT(memcmp(whole.fields, cut.fields,
				    whole.fields_count * sizeof whole.fields[0]) == 0);
		check_values(&whole, base);
	}
	free(base);
	free(cut_base);

	rc = read_chunks(input, len, len, &sum);
	cut_rc = read_chunks(input, len, step, &cut_sum);
	SOON_ASSERT(rc == cut_rc);
	SOON_ASSERT(rc < 0 || sum == cut_sum);
	(void)soon__http_host_is_valid((soon_slice){ input, len });
	return 0;
}
