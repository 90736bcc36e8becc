// SPDX-License-Identifier: Apache-2.0
#include <soon/assert.h>

#include "http1/head.h"
#include "http1/judge.h"
#include "http_cases.h"
#include "support/harness.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct soon__http_head_limits limits = { 8192, 8192, 32768, 100 };
static struct soon__http_head head;

static bool is_text(const char *base, struct soon__http_span span, const char *text, size_t len)
{
	return span.len == len && memcmp(base + span.off, text, len) == 0;
}

static bool has_field(
	const char *base, const char *name, size_t name_len, const char *value, size_t len)
{
	for (uint32_t i = 0; i < head.fields_count; i++)
		if (is_text(base, head.fields[i].name, name, name_len))
			return is_text(base, head.fields[i].value, value, len);
	return false;
}

/* Whether one word of an outcome, such as minor=1 or Host:a, is true of the head. */
static bool holds(const char *base, size_t input_len, const char *word, size_t len)
{
	const char *equals = memchr(word, '=', len), *colon = memchr(word, ':', len);
	const char *value;
	size_t rest;

	if (colon && (!equals || colon < equals))
		return has_field(base, word, (size_t)(colon - word), colon + 1,
			len - (size_t)(colon + 1 - word));
	cr_assert(equals, "not understood: %s", word);
	value = equals + 1;
	rest = len - (size_t)(value - word);
#define IS(key) (strncmp(word, key "=", sizeof(key)) == 0)
	if (IS("method"))
		return rest == strlen(soon__http_method_name(head.method)) &&
			memcmp(value, soon__http_method_name(head.method), rest) == 0;
	if (IS("target"))
		return is_text(base, head.target, value, rest);
	if (IS("path"))
		return is_text(base, head.path, value, rest);
	if (IS("query"))
		return head.has_query && is_text(base, head.query, value, rest);
	if (IS("minor"))
		return head.minor == atoi(value);
	if (IS("keep"))
		return head.is_persistent == atoi(value);
	if (IS("chunked"))
		return head.is_chunked == atoi(value);
	if (IS("continue"))
		return head.expects_continue == atoi(value);
	if (IS("length"))
		return head.length == strtoull(value, NULL, 10);
	if (IS("fields"))
		return head.fields_count == strtoul(value, NULL, 10);
	if (IS("behind"))
		return input_len - head.len == strtoul(value, NULL, 10);
#undef IS
	cr_assert(false, "not understood: %s", word);
	return false;
}

static void check_ok(const struct http_case *one, const char *base, const char *how)
{
	char words[sizeof one->outcome];
	char *save = NULL;

	(void)snprintf(words, sizeof words, "%s", one->outcome + 2);
	for (char *word = strtok_r(words, " ", &save); word; word = strtok_r(NULL, " ", &save)) {
		char shown[sizeof words];
		size_t len;

		(void)snprintf(shown, sizeof shown, "%s", word);
		len = http_unescape(word, strlen(word));
		cr_assert(holds(base, one->len, word, len), "%s, %s: not so: %s", one->title, how,
			shown);
	}
}

/* Checks a result that the head has now. */
static void check(const struct http_case *one, int rc, const char *base, const char *how)
{
	if (strcmp(one->outcome, "more") == 0) {
		cr_assert_eq(rc, 0, "%s, %s: got %d, status %d", one->title, how, rc, head.status);
		return;
	}
	if (strncmp(one->outcome, "ok", 2) == 0) {
		cr_assert_eq(rc, 1, "%s, %s: got %d, status %d", one->title, how, rc, head.status);
		check_ok(one, base, how);
		return;
	}
	cr_assert_eq(rc, -EBADMSG, "%s, %s: got %d", one->title, how, rc);
	cr_assert_eq(
		head.status, atoi(one->outcome), "%s, %s: status %d", one->title, how, head.status);
}

static void check_every_cut(const struct http_case *one)
{
	char how[64];
	const char *base = http_at_edge(one->input, one->len);
	int rc;

	soon__http_head_start(&head, &limits);
	check(one, soon__http_head_feed(&head, base, one->len), base, "whole");
	for (size_t cut = 1; cut < one->len; cut++) {
		(void)snprintf(how, sizeof how, "cut at %zu", cut);
		soon__http_head_start(&head, &limits);
		base = http_at_edge(one->input, cut);
		rc = soon__http_head_feed(&head, base, cut);
		if (rc == 0) {
			base = http_at_edge(one->input, one->len);
			rc = soon__http_head_feed(&head, base, one->len);
		}
		if (rc == 1 && head.len <= cut)
			base = one->input;
		check(one, rc, base, how);
	}
	soon__http_head_start(&head, &limits);
	rc = 0;
	for (size_t len = 1; rc == 0 && len <= one->len; len++) {
		base = http_at_edge(one->input, len);
		rc = soon__http_head_feed(&head, base, len);
	}
	check(one, rc, base, "byte by byte");
}

SOON_TEST_PLAIN(http_head, good)
{
	cr_assert_gt(http_cases_run("good.txt", check_every_cut), 20);
}

SOON_TEST_PLAIN(http_head, malformed_lines)
{
	cr_assert_gt(http_cases_run("line.txt", check_every_cut), 20);
}

SOON_TEST_PLAIN(http_head, malformed_targets)
{
	cr_assert_gt(http_cases_run("target.txt", check_every_cut), 15);
}

SOON_TEST_PLAIN(http_head, malformed_fields)
{
	cr_assert_gt(http_cases_run("fields.txt", check_every_cut), 20);
}

SOON_TEST_PLAIN(http_head, hosts)
{
	cr_assert_gt(http_cases_run("host.txt", check_every_cut), 15);
}

SOON_TEST_PLAIN(http_head, framing)
{
	cr_assert_gt(http_cases_run("framing.txt", check_every_cut), 20);
}

/* Puts `text` together from a start, `count` times a middle, and an end. */
static size_t build(
	char *text, const char *start, const char *middle, size_t count, const char *end)
{
	size_t n = strlen(start), piece = strlen(middle);

	memcpy(text, start, n);
	for (size_t i = 0; i < count; i++, n += piece)
		memcpy(text + n, middle, piece);
	memcpy(text + n, end, strlen(end) + 1);
	return n + strlen(end);
}

static int feed_whole(const char *text, size_t len)
{
	soon__http_head_start(&head, &limits);
	return soon__http_head_feed(&head, http_at_edge(text, len), len);
}

/* Feeds 100 bytes more each time, and says after how many the head was refused. */
static size_t feed_until_refused(const char *text, size_t len)
{
	size_t n = 0;

	soon__http_head_start(&head, &limits);
	while (n < len) {
		int rc;

		n = n + 100 < len ? n + 100 : len;
		rc = soon__http_head_feed(&head, http_at_edge(text, n), n);
		if (rc < 0)
			return n;
		cr_assert_eq(rc, n == len);
	}
	return 0;
}

static char text[80000];

SOON_TEST_PLAIN(http_head, request_line_limit)
{
	size_t around = strlen("GET / HTTP/1.1\r\n");
	const char *end = " HTTP/1.1\r\nHost: a\r\n\r\n";
	size_t len = build(text, "GET /", "x", 8192 - around, end);

	cr_assert_eq(feed_whole(text, len), 1);
	cr_assert_eq(feed_until_refused(text, len), 0);
	len = build(text, "GET /", "x", 8192 - around + 1, end);
	cr_assert_eq(feed_whole(text, len), -EBADMSG);
	cr_assert_eq(head.status, 414);
	len = build(text, "GET /", "x", 60000, end);
	cr_assert_leq(feed_until_refused(text, len), 8400);
	cr_assert_eq(head.status, 414);
}

SOON_TEST_PLAIN(http_head, header_line_limit)
{
	const char *start = "GET / HTTP/1.1\r\nHost: a\r\nX: ";
	size_t len = build(text, start, "x", 8192 - strlen("X: \r\n"), "\r\n\r\n");

	cr_assert_eq(feed_whole(text, len), 1);
	cr_assert_eq(feed_until_refused(text, len), 0);
	len = build(text, start, "x", 8192 - strlen("X: \r\n") + 1, "\r\n\r\n");
	cr_assert_eq(feed_whole(text, len), -EBADMSG);
	cr_assert_eq(head.status, 431);
	len = build(text, start, "x", 60000, "\r\n\r\n");
	cr_assert_leq(feed_until_refused(text, len), 8400);
	cr_assert_eq(head.status, 431);
	/* A name without an end is a line too. */
	len = build(text, "GET / HTTP/1.1\r\nHost: a\r\nX", "x", 60000, ": \r\n\r\n");
	cr_assert_leq(feed_until_refused(text, len), 8400);
	cr_assert_eq(head.status, 431);
}

SOON_TEST_PLAIN(http_head, headers_limit)
{
	char line[1025];
	size_t len;

	(void)build(line, "Name: ", "v", 1024 - 8, "\r\n");
	cr_assert_eq(strlen(line), 1024);
	/* The Host line and the empty line are 11 bytes; 31 lines and a shorter one fit exactly. */
	len = build(text, "GET / HTTP/1.1\r\nHost: a\r\n", line, 31, "");
	len += build(text + len, "Name: ", "v", 1024 - 8 - 11, "\r\n\r\n");
	cr_assert_eq(feed_whole(text, len), 1);
	cr_assert_eq(feed_until_refused(text, len), 0);
	len = build(text, "GET / HTTP/1.1\r\nHost: a\r\n", line, 31, "");
	len += build(text + len, "Name: ", "v", 1024 - 8 - 11 + 1, "\r\n\r\n");
	cr_assert_eq(feed_whole(text, len), -EBADMSG);
	cr_assert_eq(head.status, 431);
	len = build(text, "GET / HTTP/1.1\r\nHost: a\r\n", line, 60, "\r\n");
	cr_assert_leq(feed_until_refused(text, len), 33000);
	cr_assert_eq(head.status, 431);
}

SOON_TEST_PLAIN(http_head, fields_limit)
{
	size_t len = build(text, "GET / HTTP/1.1\r\nHost: a\r\n", "a: b\r\n", 99, "\r\n");

	cr_assert_eq(feed_whole(text, len), 1);
	cr_assert_eq(head.fields_count, 100);
	len = build(text, "GET / HTTP/1.1\r\nHost: a\r\n", "a: b\r\n", 100, "\r\n");
	cr_assert_eq(feed_whole(text, len), -EBADMSG);
	cr_assert_eq(head.status, 431);
}

static void check_changed(const char *input, size_t len, size_t place, char good)
{
	int whole = feed_whole(input, len), status = head.status;
	uint32_t head_len = head.len;

	for (size_t cut = place; cut <= place + 1; cut++) {
		int rc;

		soon__http_head_start(&head, &limits);
		rc = cut == 0 ? 0 : soon__http_head_feed(&head, http_at_edge(input, cut), cut);
		if (rc == 0)
			rc = soon__http_head_feed(&head, http_at_edge(input, len), len);
		cr_assert_eq(rc, whole, "byte %d at %zu", input[place], place);
		cr_assert_eq(head.status, status, "byte %d at %zu: %d and %d", input[place], place,
			head.status, status);
		cr_assert_eq(head.len, head_len);
	}
	if (whole == 1 && ((input[place] >= 0 && input[place] < 0x20) || input[place] == 0x7f))
		cr_assert(input[place] == '\t' || input[place] == good,
			"control character %d at %zu was taken", input[place], place);
}

/* Every byte in every place of a small head: accepted or refused, alike however it is cut. */
SOON_TEST_PLAIN(http_head, every_byte_everywhere)
{
	static const char good[] = "POST /a?b HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n"
				   "Connection: close\r\nX: y\r\n\r\n";

	for (size_t place = 0; place < sizeof good - 1; place++) {
		for (int byte = 0; byte < 256; byte++) {
			char input[sizeof good];

			memcpy(input, good, sizeof good);
			input[place] = (char)byte;
			check_changed(input, sizeof good - 1, place, good[place]);
		}
	}
}

SOON_TEST_PLAIN(http_head, methods)
{
	cr_assert_str_eq(soon__http_method_name(HTTP_GET), "GET");
	cr_assert_str_eq(soon__http_method_name(-1), "");
	cr_assert_str_eq(soon__http_method_name(1000), "");
	cr_assert_eq(soon__http_method_number("M-SEARCH"), HTTP_MSEARCH);
	cr_assert_eq(soon__http_method_number("BREW"), -1);
}
