// SPDX-License-Identifier: Apache-2.0
#include "http_cases.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#define EDGE_BYTES 131072

size_t http_unescape(char *text, size_t len)
{
	size_t n = 0;

	for (size_t i = 0; i < len; i++) {
		unsigned byte = 0;

		if (text[i] != '\\' || i + 1 == len) {
			text[n++] = text[i];
			continue;
		}
		switch (text[++i]) {
		case 'r':
			text[n++] = '\r';
			break;
		case 'n':
			text[n++] = '\n';
			break;
		case 't':
			text[n++] = '\t';
			break;
		case 'x':
			cr_assert_eq(sscanf(text + i + 1, "%2x", &byte), 1);
			text[n++] = (char)byte;
			i += 2;
			break;
		default:
			text[n++] = text[i];
		}
	}
	return n;
}

static void add_line(struct http_case *one, const char *line, size_t len)
{
	cr_assert_lt(one->len + len, sizeof one->input);
	memcpy(one->input + one->len, line, len);
	one->len += len;
}

unsigned http_cases_run(const char *file, void (*check)(const struct http_case *one))
{
	static struct http_case one;
	char path[512], line[1024];
	unsigned count = 0;
	FILE *f;

	(void)snprintf(path, sizeof path, "%s/%s", HTTP_CASES_DIR, file);
	f = fopen(path, "r");
	cr_assert_not_null(f, "%s cannot be read", path);
	while (fgets(line, sizeof line, f)) {
		size_t len = strcspn(line, "\n");

		line[len] = '\0';
		if (strncmp(line, "# ", 2) == 0) {
			memset(&one, 0, sizeof one);
			(void)snprintf(one.title, sizeof one.title, "%s: %.90s", file, line + 2);
		} else if (strncmp(line, "=> ", 3) == 0) {
			(void)snprintf(one.outcome, sizeof one.outcome, "%.500s", line + 3);
			one.len = http_unescape(one.input, one.len);
			check(&one);
			count++;
		} else {
			add_line(&one, line, len);
		}
	}
	(void)fclose(f);
	return count;
}

const char *http_at_edge(const char *data, size_t len)
{
	static char *places[2];
	static unsigned turn;
	char *edge;

	turn ^= 1;
	if (!places[turn]) {
		places[turn] = mmap(NULL, EDGE_BYTES + 4096, PROT_READ | PROT_WRITE,
			MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		cr_assert_neq(places[turn], MAP_FAILED);
		cr_assert_eq(mprotect(places[turn] + EDGE_BYTES, 4096, PROT_NONE), 0);
	}
	cr_assert_leq(len, EDGE_BYTES);
	edge = places[turn] + EDGE_BYTES - len;
	memset(places[turn], 0x5a, EDGE_BYTES - len);
	memcpy(edge, data, len);
	return edge;
}
