// SPDX-License-Identifier: Apache-2.0
/*
 * escape.h: text that somebody else wrote, made harmless for the format that it goes into.
 *
 * In all of them bytes that are no UTF-8 become U+FFFD, and so do control characters and those that
 * turn the direction of writing where the format has no way to say them.
 */
#ifndef SOON_REPORT_ESCAPE_H
#define SOON_REPORT_ESCAPE_H

#include <soon/base.h>

#include <stdio.h>

enum escape {
	ESCAPE_HTML, /* of elements, and of attributes in double quotes */
	ESCAPE_JSON, /* between the quotes */
	ESCAPE_CSV,  /* a whole field, quoted where it has to be; no formula for a spreadsheet */
	ESCAPE_MARKDOWN, /* in a line or in a cell of a table */
	ESCAPE_TEXT,     /* in a line of a terminal */
};

void escape_put(FILE *out, enum escape how, const char *text);

/* How many characters a text has; what cannot be read counts as one for each byte. */
size_t escape_length(const char *text);

/*
 * As fprintf, for HTML: what goes in at a %s is escaped. Knows %s, %u, %d, %zu, %.Nf and %% only.
 * The format is a literal, so that all markup of a page is in its source.
 */
void escape_markup(FILE *out, const char *format, ...) SOON_PRINTF(2, 3);

#endif
