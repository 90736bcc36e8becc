// SPDX-License-Identifier: Apache-2.0
/*
 * text.h: the small grammar of HTTP: tokens, decimal numbers, percent escapes.
 */
#ifndef NET_HTTP1_TEXT_H
#define NET_HTTP1_TEXT_H

#include <soon/base.h>

/* Letters, digits and !#$%&'*+-.^_`|~ : the characters of methods and field names. */
bool soon__http_is_token_char(char c);

/* Compares without regard to the case of ASCII letters; `lower` is in lower case. */
bool soon__http_equals(const char *text, size_t len, const char *lower, size_t lower_len);
#define SOON__HTTP_IS(text, len, literal)                                                          \
	((len) == sizeof(literal) - 1 &&                                                           \
		soon__http_equals((text), (len), (literal), sizeof(literal) - 1))

/* Value of a hexadecimal digit, -1 for another character. */
int soon__http_hex(char c);

/* Writes `value` in decimal and returns the place behind it; 20 bytes at most. */
char *soon__http_put_decimal(char *out, uint64_t value);

/* Ditto in hexadecimal; 16 bytes at most. */
char *soon__http_put_hex(char *out, uint64_t value);

/*
 * Decodes the path of a target into `out`, which has room for `len` bytes. Refused: malformed
 * escapes, control characters, an escaped '/' (it would become a separator), and the segments
 * "." and "..", escaped or not.
 * Returns: the length. Errors: -EBADMSG.
 */
ssize_t soon__http_path_decode(const char *path, size_t len, char *out);

/* The value of `name` in name=value&name=value, see soon_http_form_value. */
ssize_t soon__http_form_value(soon_slice form, const char *name, char *out, size_t bytes);

#endif
