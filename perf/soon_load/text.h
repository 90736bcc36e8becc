// SPDX-License-Identifier: Apache-2.0
/*
 * Numbers with units, as they are written on a command line and in a report. Each reader takes the
 * whole text or nothing.
 */
#ifndef SOON_LOAD_TEXT_H
#define SOON_LOAD_TEXT_H

#include <soon/base.h>

/* Room for what the writers write, its end included. */
#define TEXT_BYTES 48

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

/* "1.23 ms", three digits that count. Returns `ret_text`. */
const char *text_of_ns(double ns, char ret_text[TEXT_BYTES]);

/* "12,345,678". Returns `ret_text`. */
const char *text_of_count(uint64_t count, char ret_text[TEXT_BYTES]);

/* "4.2 MB", of 1000. Returns `ret_text`. */
const char *text_of_bytes(double bytes, char ret_text[TEXT_BYTES]);

#endif
