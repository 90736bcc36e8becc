// SPDX-License-Identifier: Apache-2.0
/*
 * format.h: the fixed texts of a response: status lines, dates, and the answers to requests that
 * no handler sees.
 */
#ifndef NET_HTTP1_FORMAT_H
#define NET_HTTP1_FORMAT_H

#include <soon/base.h>

#define SOON__HTTP_STATUS_LINE_BYTES_MAX 64
#define SOON__HTTP_DATE_BYTES            29 /* "Sun, 06 Nov 1994 08:49:37 GMT" */

/* The reason of a status, "" for one that has none. Ends in NUL. */
soon_slice soon__http_reason(int status);

/* Writes "HTTP/1.1 200 OK\r\n" and returns the place behind it. `status` has three digits. */
char *soon__http_put_status_line(char *out, int status);

/* Writes the date of a time, without the C library's calendar, locale or time zone. */
void soon__http_put_date(char out[SOON__HTTP_DATE_BYTES], int64_t unix_seconds);

#endif
