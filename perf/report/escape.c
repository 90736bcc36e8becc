// SPDX-License-Identifier: Apache-2.0
/* escape.c: see escape.h. One character of the text at a time. */
#include "escape.h"

#include <soon/assert.h>

#include <stdarg.h>
#include <string.h>

#define REPLACEMENT 0xFFFDU

/* The lowest character of each length of UTF-8; what is longer than it needs is none. */
static const uint32_t least_of_length[] = { 0, 0, 0x80, 0x800, 0x10000 };

static unsigned length_by_lead(unsigned char lead)
{
	if (lead < 0x80)
		return 1;
	if (lead >= 0xC2 && lead < 0xE0)
		return 2;
	if (lead >= 0xE0 && lead < 0xF0)
		return 3;
	return lead >= 0xF0 && lead < 0xF5 ? 4 : 0;
}

/* The next character, and the text behind it. A byte that starts none is taken by itself. */
static uint32_t next_character(const char **text)
{
	const unsigned char *bytes = (const unsigned char *)*text;
	unsigned length = length_by_lead(bytes[0]);
	uint32_t character = length > 1 ? bytes[0] & (0x7FU >> length) : bytes[0];

	(*text)++;
	if (length == 0)
		return REPLACEMENT;
	/* The end of the text is no byte that goes on, so this never reads beyond it. */
	for (unsigned i = 1; i < length; i++) {
		if ((bytes[i] & 0xC0) != 0x80)
			return REPLACEMENT;
		character = character << 6 | (bytes[i] & 0x3FU);
	}
	if (character < least_of_length[length] || character > 0x10FFFF ||
		(character >= 0xD800 && character < 0xE000))
		return REPLACEMENT;
	*text += length - 1;
	return character;
}

static void put_character(FILE *out, uint32_t character)
{
	if (character < 0x80) {
		(void)putc((int)character, out);
		return;
	}
	if (character < 0x800) {
		(void)putc((int)(0xC0 | character >> 6), out);
	} else if (character < 0x10000) {
		(void)putc((int)(0xE0 | character >> 12), out);
		(void)putc((int)(0x80 | (character >> 6 & 0x3F)), out);
	} else {
		(void)putc((int)(0xF0 | character >> 18), out);
		(void)putc((int)(0x80 | (character >> 12 & 0x3F)), out);
		(void)putc((int)(0x80 | (character >> 6 & 0x3F)), out);
	}
	(void)putc((int)(0x80 | (character & 0x3F)), out);
}

static bool is_control(uint32_t character)
{
	return character < 0x20 || (character >= 0x7F && character < 0xA0);
}

/* Marks that change the order in which the text around them is shown, and line separators. */
static bool is_turning(uint32_t character)
{
	return (character >= 0x202A && character <= 0x202E) ||
		(character >= 0x2066 && character <= 0x2069) || character == 0x2028 ||
		character == 0x2029;
}

static void put_html(FILE *out, uint32_t character)
{
	switch (character) {
	case '&':
		(void)fputs("&amp;", out);
		return;
	case '<':
		(void)fputs("&lt;", out);
		return;
	case '>':
		(void)fputs("&gt;", out);
		return;
	case '"':
		(void)fputs("&quot;", out);
		return;
	case '\'':
		(void)fputs("&#39;", out);
		return;
	case '\n':
	case '\t':
		(void)putc((int)character, out);
		return;
	default:
		put_character(out,
			is_control(character) || is_turning(character) ? REPLACEMENT : character);
	}
}

static void put_json(FILE *out, uint32_t character)
{
	if (character == '"' || character == '\\')
		(void)fprintf(out, "\\%c", (int)character);
	else if (is_control(character) || is_turning(character))
		(void)fprintf(out, "\\u%04x", character);
	else
		put_character(out, character);
}

/* One line, whatever the text has in it. */
static uint32_t on_one_line(uint32_t character)
{
	if (character == '\n' || character == '\t' || character == '\r')
		return ' ';
	return is_control(character) || is_turning(character) ? REPLACEMENT : character;
}

static void put_markdown(FILE *out, uint32_t character)
{
	if (character == '<')
		(void)fputs("&lt;", out);
	else if (character == '&')
		(void)fputs("&amp;", out);
	else if (character < 0x80 && character != 0 &&
		strchr("\\`*_[]|~$>", (int)character) != NULL)
		(void)fprintf(out, "\\%c", (int)character);
	else
		put_character(out, on_one_line(character));
}

static void put_csv(FILE *out, const char *text)
{
	/* A spreadsheet would calculate what starts so. */
	bool is_formula = *text != '\0' && strchr("=+-@\t\r", *text) != NULL;
	bool is_quoted = is_formula || strpbrk(text, ",\"\r\n") != NULL;

	if (is_quoted)
		(void)putc('"', out);
	if (is_formula)
		(void)putc('\'', out);
	while (*text != '\0') {
		uint32_t character = next_character(&text);

		if (character == '"')
			(void)putc('"', out);
		if (character != '\n' && is_control(character) && character != '\t')
			character = REPLACEMENT;
		put_character(out, character);
	}
	if (is_quoted)
		(void)putc('"', out);
}

void escape_put(FILE *out, enum escape how, const char *text)
{
	if (how == ESCAPE_CSV) {
		put_csv(out, text);
		return;
	}
	while (*text != '\0') {
		uint32_t character = next_character(&text);

		if (how == ESCAPE_HTML)
			put_html(out, character);
		else if (how == ESCAPE_JSON)
			put_json(out, character);
		else if (how == ESCAPE_MARKDOWN)
			put_markdown(out, character);
		else
			put_character(out, on_one_line(character));
	}
}

size_t escape_length(const char *text)
{
	size_t length = 0;

	while (*text != '\0') {
		(void)next_character(&text);
		length++;
	}
	return length;
}

/* Puts what belongs to the conversion behind a '%'. Returns: the format behind it. */
static const char *put_conversion(FILE *out, const char *at, va_list *args)
{
	int digits;

	switch (*at) {
	case '%':
		(void)putc('%', out);
		return at + 1;
	case 's':
		escape_put(out, ESCAPE_HTML, va_arg(*args, const char *));
		return at + 1;
	case 'u':
		(void)fprintf(out, "%u", va_arg(*args, unsigned));
		return at + 1;
	case 'd':
		(void)fprintf(out, "%d", va_arg(*args, int));
		return at + 1;
	case 'z':
		SOON_ASSERT(at[1] == 'u');
		(void)fprintf(out, "%zu", va_arg(*args, size_t));
		return at + 2;
	default:
		SOON_ASSERT(at[0] == '.');
		SOON_ASSERT(at[2] == 'f');
		digits = at[1] - '0';
		(void)fprintf(out, "%.*f", digits, va_arg(*args, double));
		return at + 3;
	}
}

void escape_markup(FILE *out, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	while (*format != '\0') {
		if (*format == '%') {
			format = put_conversion(out, format + 1, &args);
			continue;
		}
		(void)putc(*format, out);
		format++;
	}
	va_end(args);
}
