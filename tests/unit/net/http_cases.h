// SPDX-License-Identifier: Apache-2.0
/*
 * http_cases.h: reads the cases of http_cases/, see the README there, and puts inputs in front of
 * a page that cannot be read, so that one byte of over-read ends the test.
 */
#ifndef TESTS_UNIT_NET_HTTP_CASES_H
#define TESTS_UNIT_NET_HTTP_CASES_H

#include <stddef.h>

#define CASE_BYTES_MAX 4096

struct http_case {
	char title[128];
	char input[CASE_BYTES_MAX];
	size_t len;
	char outcome[512]; /* behind the "=> ", escapes as in the file */
};

/* Calls `check` for every case of a file and returns how many there were. */
unsigned http_cases_run(const char *file, void (*check)(const struct http_case *one));

/* Replaces escapes in place and returns the new length. */
size_t http_unescape(char *text, size_t len);

/* Copies `len` bytes so that they end where readable memory ends; alternates two places. */
const char *http_at_edge(const char *data, size_t len);

#endif
