// SPDX-License-Identifier: Apache-2.0
/*
 * Chunked bodies, paths, forms, dates, status lines: the parts of HTTP that need no connection.
 */
#include "http1/chunks.h"
#include "http1/format.h"
#include "http1/text.h"
#include "http_cases.h"
#include "support/harness.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

struct body_case {
	const char *input;
	const char *data; /* NULL: malformed */
	size_t behind;    /* bytes that follow */
};

static const struct body_case bodies[] = {
	{ "0\r\n\r\n", "", 0 },
	{ "5\r\nhello\r\n0\r\n\r\n", "hello", 0 },
	{ "5\r\nhello\r\n0\r\n\r\nGET", "hello", 3 },
	{ "5\r\nhello\r\n1\r\n \r\n5\r\nworld\r\n0\r\n\r\n", "hello world", 0 },
	{ "A\r\n0123456789\r\n00\r\n\r\n", "0123456789", 0 },
	{ "a\r\n0123456789\r\n0\r\n\r\n", "0123456789", 0 },
	{ "5;a\r\nhello\r\n0;b=c;d=\"e f\"\r\n\r\n", "hello", 0 },
	{ "5; a = b\r\nhello\r\n0\r\n\r\n", "hello", 0 },
	{ "5\r\nhello\r\n0\r\nTrailer: x\r\nOther:\r\n\r\nG", "hello", 1 },
	{ "4\r\n\r\n\r\n\r\n0\r\n\r\n", "\r\n\r\n", 0 },
	{ "\r\n", NULL, 0 },
	{ "g\r\n", NULL, 0 },
	{ "-1\r\n", NULL, 0 },
	{ "+1\r\n", NULL, 0 },
	{ "0x5\r\nhello\r\n", NULL, 0 },
	{ " 5\r\nhello\r\n", NULL, 0 },
	{ "5 \r\nhello\r\n", NULL, 0 },
	{ "5\t\r\nhello\r\n", NULL, 0 },
	{ "5 ;a\r\nhello\r\n", NULL, 0 },
	{ "5\nhello\r\n", NULL, 0 },
	{ "5\rhello\r\n", NULL, 0 },
	{ "5\r\nhello0\r\n\r\n", NULL, 0 },
	{ "5\r\nhello\n0\r\n\r\n", NULL, 0 },
	{ "5\r\nhello\r0\r\n\r\n", NULL, 0 },
	{ "5\r\nhello!\r\n", NULL, 0 },
	{ "5;a\nhello\r\n", NULL, 0 },
	{ "5;a\rb\r\nhello\r\n", NULL, 0 },
	{ "5;a\x01\r\nhello\r\n", NULL, 0 },
	{ "0\r\n\n", NULL, 0 },
	{ "0\r\n\rx", NULL, 0 },
	{ "0\r\n x: y\r\n\r\n", NULL, 0 },
	{ "0\r\n: y\r\n\r\n", NULL, 0 },
	{ "0\r\nx : y\r\n\r\n", NULL, 0 },
	{ "0\r\nx\r\n\r\n", NULL, 0 },
	{ "0\r\nx: y\n\r\n", NULL, 0 },
	{ "0\r\nx: y\r\n z\r\n\r\n", NULL, 0 },
	{ "0\r\nx: \x07\r\n\r\n", NULL, 0 },
	{ "1000000000000000\r\n", NULL, 0 },
	{ "0000000000000001\r\n", NULL, 0 },
	{ "ffffffffffffffffff\r\n", NULL, 0 },
};

/* Reads in pieces of at most `step` bytes, taking at most `data_max` each. Returns the last rc. */
static int read_body(const char *input, size_t len, size_t step, size_t data_max, char *out,
	size_t *ret_out, size_t *ret_used)
{
	struct soon__http_chunks chunks = { .trailer_max = 100 };
	size_t at = 0, n = 0;
	int rc = 0;

	while (rc == 0 && at < len) {
		size_t piece = len - at < step ? len - at : step, used;
		soon_slice data;

		rc = soon__http_chunks_read(
			&chunks, http_at_edge(input + at, piece), piece, data_max, &used, &data);
		if (rc < 0)
			break;
		cr_assert_gt(used, 0);
		cr_assert_leq(data.len, data_max);
		memcpy(out + n, data.ptr, data.len);
		n += data.len;
		at += used;
	}
	*ret_out = n;
	*ret_used = at;
	return rc;
}

SOON_TEST_PLAIN(http_chunks, cases_at_every_step)
{
	for (size_t i = 0; i < sizeof bodies / sizeof bodies[0]; i++) {
		const struct body_case *one = &bodies[i];
		size_t len = strlen(one->input);

		for (size_t step = 1; step <= len; step++) {
			for (size_t data_max = 1; data_max < 20; data_max += 6) {
				char out[64];
				size_t n, used;
				int rc = read_body(one->input, len, step, data_max, out, &n, &used);

				if (!one->data) {
					cr_assert_eq(rc, -EBADMSG, "case %zu, step %zu: %d", i,
						step, rc);
					continue;
				}
				cr_assert_eq(rc, 1, "case %zu, step %zu: %d", i, step, rc);
				cr_assert_eq(used, len - one->behind, "case %zu", i);
				cr_assert_eq(n, strlen(one->data));
				cr_assert_eq(memcmp(out, one->data, n), 0);
			}
		}
	}
}

SOON_TEST_PLAIN(http_chunks, not_over_before_the_end)
{
	static const char input[] = "5;x\r\nhello\r\n0\r\nA: b\r\n\r\n";
	char out[64];
	size_t n, used;

	for (size_t len = 1; len < sizeof input - 1; len++)
		cr_assert_eq(read_body(input, len, len, 64, out, &n, &used), 0, "%zu", len);
}

SOON_TEST_PLAIN(http_chunks, limits)
{
	static char input[8192];
	char out[64];
	size_t n, used, len = (size_t)snprintf(input, sizeof input, "0\r\nx: %090d\r\n\r\n", 0);

	cr_assert_eq(read_body(input, len, len, 1, out, &n, &used), 1);
	len = (size_t)snprintf(input, sizeof input, "0\r\nx: %099d\r\n\r\n", 0);
	cr_assert_eq(read_body(input, len, len, 1, out, &n, &used), -E2BIG);

	len = 0;
	for (int i = 0; i < 1000; i++)
		len += (size_t)snprintf(input + len, sizeof input - len, "1;a\r\nx");
	input[0] = '1';
	/* 1000 times "a\r" is below the limit for extensions, but the chunks lack their ends. */
	cr_assert_eq(read_body(input, len, len, 1, out, &n, &used), -EBADMSG);
	memset(input, 'a', sizeof input);
	memcpy(input, "1;", 2);
	cr_assert_eq(read_body(input, sizeof input, 64, 1, out, &n, &used), -E2BIG);
}

static void check_path(const char *path, const char *decoded)
{
	char out[64];
	size_t len = strlen(path);
	ssize_t n = soon__http_path_decode(http_at_edge(path, len), len, out);

	if (!decoded) {
		cr_assert_eq(n, -EBADMSG, "%s", path);
		return;
	}
	cr_assert_eq(n, (ssize_t)strlen(decoded), "%s: %zd", path, n);
	cr_assert_eq(memcmp(out, decoded, (size_t)n), 0, "%s", path);
}

SOON_TEST_PLAIN(http_text, paths)
{
	check_path("/", "/");
	check_path("/a/b", "/a/b");
	check_path("/a%20b", "/a b");
	check_path("/%c3%A4", "/\xc3\xa4");
	check_path("/a+b", "/a+b");
	check_path("/...", "/...");
	check_path("/.a", "/.a");
	check_path("/a.", "/a.");
	check_path("/..a/b..", "/..a/b..");
	check_path("//", "//");
	check_path("/.", NULL);
	check_path("/..", NULL);
	check_path("/a/..", NULL);
	check_path("/a/../b", NULL);
	check_path("/./b", NULL);
	check_path("/%2e", NULL);
	check_path("/%2e%2E/b", NULL);
	check_path("/.%2e", NULL);
	check_path("/a%2fb", NULL);
	check_path("/a%2Fb", NULL);
	check_path("/%00", NULL);
	check_path("/%0a", NULL);
	check_path("/%1f", NULL);
	check_path("/%7f", NULL);
	check_path("/%", NULL);
	check_path("/%4", NULL);
	check_path("/%4g", NULL);
	check_path("/%g4", NULL);
	check_path("/%%20", NULL);
}

static void check_form(const char *form, const char *name, ssize_t expected, const char *value)
{
	char out[16];
	size_t len = strlen(form);
	soon_slice slice = { http_at_edge(form, len), len };
	ssize_t n = soon__http_form_value(slice, name, out, sizeof out);

	cr_assert_eq(n, expected, "%s in %s: %zd", name, form, n);
	if (n >= 0)
		cr_assert_str_eq(out, value);
}

SOON_TEST_PLAIN(http_text, forms)
{
	char one[1];

	check_form("a=b", "a", 1, "b");
	check_form("a=b&c=d", "c", 1, "d");
	check_form("a=1&a=2", "a", 1, "1");
	check_form("a=b+c%20d", "a", 5, "b c d");
	check_form("%61=b", "a", 1, "b");
	check_form("a+b=c", "a b", 1, "c");
	check_form("a", "a", 0, "");
	check_form("a=", "a", 0, "");
	check_form("a=b=c", "a", 3, "b=c");
	check_form("&&a=b&", "a", 1, "b");
	check_form("ab=1&a=2", "a", 1, "2");
	check_form("a=1&ab=2", "ab", 1, "2");
	check_form("a=%26%3d", "a", 2, "&=");
	check_form("", "a", -ENOENT, NULL);
	check_form("b=c", "a", -ENOENT, NULL);
	check_form("=c", "a", -ENOENT, NULL);
	check_form("a=%", "a", -EBADMSG, NULL);
	check_form("a=%4", "a", -EBADMSG, NULL);
	check_form("a=%zz", "a", -EBADMSG, NULL);
	check_form("a=%00", "a", -EBADMSG, NULL);
	check_form("a=123456789012345", "a", 15, "123456789012345");
	check_form("a=1234567890123456", "a", -ENOBUFS, NULL);
	cr_assert_eq(soon__http_form_value((soon_slice){ NULL, 0 }, "a", one, 1), -ENOENT);
	cr_assert_eq(soon__http_form_value((soon_slice){ "a=", 2 }, "a", one, 0), -ENOBUFS);
	cr_assert_eq(soon__http_form_value((soon_slice){ "a=", 2 }, "a", one, 1), 0);
}

SOON_TEST_PLAIN(http_text, tokens)
{
	for (int c = 0; c < 256; c++) {
		bool is_token =
			c < 128 && c > 0x20 && c != 0x7f && !strchr("\"(),/:;<=>?@[\\]{}", c);

		cr_assert_eq(soon__http_is_token_char((char)c), is_token, "%d", c);
	}
}

SOON_TEST_PLAIN(http_text, numbers)
{
	static const uint64_t values[] = { 0, 1, 9, 10, 15, 16, 255, 4096, 65535, UINT64_MAX };
	char out[32], expected[32];

	for (size_t i = 0; i < sizeof values / sizeof values[0]; i++) {
		*soon__http_put_decimal(out, values[i]) = '\0';
		(void)snprintf(expected, sizeof expected, "%ju", (uintmax_t)values[i]);
		cr_assert_str_eq(out, expected);
		*soon__http_put_hex(out, values[i]) = '\0';
		(void)snprintf(expected, sizeof expected, "%jx", (uintmax_t)values[i]);
		cr_assert_str_eq(out, expected);
	}
}

SOON_TEST_PLAIN(http_format, dates_agree_with_the_c_library)
{
	char out[SOON__HTTP_DATE_BYTES + 1] = "", expected[64];
	struct tm tm;

	/* Steps of about 11 days and 6 hours, over four centuries. */
	for (time_t t = 0; t < 13000000000; t += 971251) {
		(void)gmtime_r(&t, &tm);
		(void)strftime(expected, sizeof expected, "%a, %d %b %Y %H:%M:%S GMT", &tm);
		soon__http_put_date(out, t);
		cr_assert_str_eq(out, expected);
	}
	soon__http_put_date(out, 784111777);
	cr_assert_str_eq(out, "Sun, 06 Nov 1994 08:49:37 GMT");
	soon__http_put_date(out, 1709164799);
	cr_assert_str_eq(out, "Wed, 28 Feb 2024 23:59:59 GMT");
	soon__http_put_date(out, 1709164800);
	cr_assert_str_eq(out, "Thu, 29 Feb 2024 00:00:00 GMT");
}

SOON_TEST_PLAIN(http_format, status_lines)
{
	char out[SOON__HTTP_STATUS_LINE_BYTES_MAX + 1];

	*soon__http_put_status_line(out, 200) = '\0';
	cr_assert_str_eq(out, "HTTP/1.1 200 OK\r\n");
	*soon__http_put_status_line(out, 511) = '\0';
	cr_assert_str_eq(out, "HTTP/1.1 511 Network Authentication Required\r\n");
	*soon__http_put_status_line(out, 299) = '\0';
	cr_assert_str_eq(out, "HTTP/1.1 299 \r\n");
	*soon__http_put_status_line(out, 599) = '\0';
	cr_assert_str_eq(out, "HTTP/1.1 599 \r\n");
	for (int status = 200; status < 600; status++) {
		char *end = soon__http_put_status_line(out, status);

		cr_assert_leq(end - out, SOON__HTTP_STATUS_LINE_BYTES_MAX);
		cr_assert_eq(soon__http_reason(status).len, (size_t)(end - out) - 15);
	}
}
