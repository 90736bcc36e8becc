// SPDX-License-Identifier: Apache-2.0
#include "http1/text.h"

#include <soon/assert.h>

#include <string.h>

/* One bit for each ASCII character, the lowest for NUL. */
static const uint64_t token_chars[2] = { 0x03ff6cfa00000000, 0x57ffffffc7fffffe };

bool soon__http_is_token_char(char c)
{
	unsigned char u = (unsigned char)c;

	return u < 128 && (token_chars[u >> 6] >> (u & 63) & 1) != 0;
}

bool soon__http_equals(const char *text, size_t len, const char *lower, size_t lower_len)
{
	if (len != lower_len)
		return false;
	for (size_t i = 0; i < len; i++) {
		char c = text[i];

		if (c >= 'A' && c <= 'Z')
			c = (char)(c | 0x20);
		if (c != lower[i])
			return false;
	}
	return true;
}

int soon__http_hex(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c = (char)(c | 0x20);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

char *soon__http_put_decimal(char *out, uint64_t value)
{
	char digits[20];
	size_t n = 0;

	do {
		digits[n++] = (char)('0' + value % 10);
		value /= 10;
	} while (value != 0);
	while (n > 0)
		*out++ = digits[--n];
	return out;
}

char *soon__http_put_hex(char *out, uint64_t value)
{
	int shift = 60;

	while (shift > 0 && (value >> shift) == 0)
		shift -= 4;
	for (; shift >= 0; shift -= 4)
		*out++ = "0123456789abcdef"[value >> shift & 15];
	return out;
}

/* Decodes the two digits behind a '%'; -1 when they are none. */
static int unescape(const char *at, const char *end)
{
	if (end - at < 2)
		return -1;

	int high = soon__http_hex(at[0]);
	int low = soon__http_hex(at[1]);

	return high < 0 || low < 0 ? -1 : high << 4 | low;
}

static bool is_dots(const char *segment, size_t len)
{
	return (len == 1 && segment[0] == '.') ||
		(len == 2 && segment[0] == '.' && segment[1] == '.');
}

ssize_t soon__http_path_decode(const char *path, size_t len, char *out)
{
	const char *end = path + len;
	size_t n = 0, segment = 0;

	for (const char *at = path; at < end; at++) {
		int c = (unsigned char)*at;

		if (c == '/') {
			if (is_dots(out + segment, n - segment))
				return -EBADMSG;
			segment = n + 1;
		} else if (c == '%') {
			c = unescape(at + 1, end);
			if (c < 0 || c == '/')
				return -EBADMSG;
			at += 2;
		}
		if (c < 0x20 || c == 0x7f)
			return -EBADMSG;
		out[n++] = (char)c;
	}
	if (is_dots(out + segment, n - segment))
		return -EBADMSG;
	SOON_ASSERT(n <= len);
	return (ssize_t)n;
}

/*
 * Decodes the next character at `*at` of a form, and moves behind it. Returns -1 when it is
 * malformed or NUL, which could end a text early.
 */
static int form_char(const char **at, const char *end)
{
	int c = (unsigned char)*(*at)++;

	if (c == '+')
		return ' ';
	if (c == '%') {
		c = unescape(*at, end);
		*at += 2;
	}
	return c > 0 ? c : -1;
}

/* Decodes from `at` to `stop` into `out`, with a NUL behind it. */
static ssize_t form_text(const char *at, const char *stop, char *out, size_t bytes)
{
	size_t n = 0;

	while (at < stop) {
		int c = form_char(&at, stop);

		if (c < 0)
			return -EBADMSG;
		if (n + 1 >= bytes)
			return -ENOBUFS;
		out[n++] = (char)c;
	}
	if (n >= bytes)
		return -ENOBUFS;
	out[n] = '\0';
	return (ssize_t)n;
}

/* Moves `*at` behind `name` and its '='. Returns 1 if that is the name here, 0 if not, -EBADMSG. */
static int form_name(const char **at, const char *stop, const char *name)
{
	int c = 0;

	while (*at < stop && **at != '=' && *name != '\0') {
		c = form_char(at, stop);
		if (c < 0)
			return -EBADMSG;
		if (c != (unsigned char)*name++)
			return 0;
	}
	if (*name != '\0' || (*at < stop && **at != '='))
		return 0;
	*at += *at < stop;
	return 1;
}

ssize_t soon__http_form_value(soon_slice form, const char *name, char *out, size_t bytes)
{
	const char *end = form.ptr == NULL ? NULL : form.ptr + form.len;
	const char *at = form.ptr, *stop;
	ssize_t n = -ENOENT;

	for (; n == -ENOENT && at < end; at = stop == end ? end : stop + 1) {
		int rc;

		stop = memchr(at, '&', (size_t)(end - at));
		stop = stop == NULL ? end : stop;
		rc = form_name(&at, stop, name);
		if (rc != 0)
			n = rc < 0 ? rc : form_text(at, stop, out, bytes);
	}
	if (n < 0 && bytes > 0)
		out[0] = '\0';
	return n;
}
