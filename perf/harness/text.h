// SPDX-License-Identifier: Apache-2.0
/*
 * text.h: numbers with units, as they are written on a command line; number.h writes them. Each
 * reader takes the whole text or nothing.
 */
#ifndef SOON_HARNESS_TEXT_H
#define SOON_HARNESS_TEXT_H

#include <soon/base.h>

/* A decimal number at the front of a text, without sign and exponent; `*at` moves behind it.
 * Returns 0, or -EINVAL when there is none. */
int text_number(const char **at, double *ret_value);

/* "250", "10k", "1.5M": thousands and millions; a whole number has to come out.
 * Returns 0, -EINVAL, or -ERANGE beyond 2^53. */
int text_count(const char *text, uint64_t *ret_count);

/* "64", "16k", "1M": of 1024. Returns as text_count. */
int text_bytes(const char *text, size_t *ret_bytes);

/* "10s", "500ms", "1.5m", "1h", "20us"; a bare number is seconds.
 * Returns 0, -EINVAL, or -ERANGE beyond a year. */
int text_duration(const char *text, soon_ns *ret_ns);

#endif
