// SPDX-License-Identifier: Apache-2.0
#include "log_field.h"

#include <soon/time.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
	DIGITS_MAX = 20, /* of a 64-bit number */
	REAL_BYTES = 32, /* of a double as text */
	SECONDS_OF_DAY = 86400,
};

static void put(struct soon__out *out, char c)
{
	if (out->at < out->end)
		*out->at++ = c;
}

void soon__out_str(struct soon__out *out, const char *str)
{
	for (; *str; str++)
		put(out, *str);
}

static void put_digits(struct soon__out *out, uint64_t value, unsigned base, unsigned width)
{
	char digits[DIGITS_MAX];
	unsigned count = 0;

	do {
		digits[count++] = "0123456789abcdef"[value % base];
		value /= base;
	} while (value > 0 || count < width);
	while (count > 0)
		put(out, digits[--count]);
}

void soon__out_uint(struct soon__out *out, uint64_t value)
{
	put_digits(out, value, 10, 1);
}

void soon__out_int(struct soon__out *out, int64_t value)
{
	if (value < 0)
		put(out, '-');
	put_digits(out, value < 0 ? 0 - (uint64_t)value : (uint64_t)value, 10, 1);
}

/*
 * Year, month and day of a day since 1970, by the calendar's cycle of 400 years, counted from the
 * first of March so that the odd day comes last.
 */
static void put_date(struct soon__out *out, int64_t days)
{
	int64_t shifted = days + 719468, era = (shifted >= 0 ? shifted : shifted - 146096) / 146097;
	unsigned of_era = (unsigned)(shifted - era * 146097);
	unsigned years = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
	unsigned of_year = of_era - (365 * years + years / 4 - years / 100);
	unsigned from_march = (5 * of_year + 2) / 153;
	unsigned month = from_march < 10 ? from_march + 3 : from_march - 9;

	put_digits(out, (uint64_t)((int64_t)years + era * 400 + (month <= 2)), 10, 4);
	put(out, '-');
	put_digits(out, month, 10, 2);
	put(out, '-');
	put_digits(out, of_year - (153 * from_march + 2) / 5 + 1, 10, 2);
}

void soon__out_time(struct soon__out *out, soon_ns wall)
{
	int64_t us = wall < 0 ? 0 : wall / 1000, seconds = us / 1000000;
	unsigned of_day = (unsigned)(seconds % SECONDS_OF_DAY);

	put_date(out, seconds / SECONDS_OF_DAY);
	put(out, 'T');
	put_digits(out, of_day / 3600, 10, 2);
	put(out, ':');
	put_digits(out, of_day / 60 % 60, 10, 2);
	put(out, ':');
	put_digits(out, of_day % 60, 10, 2);
	put(out, '.');
	put_digits(out, (uint64_t)(us % 1000000), 10, 6);
	put(out, 'Z');
}

/* The bytes of the character that `text` begins with, and its number; 0: it begins with none. */
static size_t decode(soon_slice text, uint32_t *ret_number)
{
	const unsigned char *bytes = (const unsigned char *)text.ptr;
	static const uint32_t least[] = { 0, 0, 0x80, 0x800, 0x10000 };
	size_t len = bytes[0] < 0x80 ? 1
		: bytes[0] < 0xc2    ? 0
		: bytes[0] < 0xe0    ? 2
		: bytes[0] < 0xf0    ? 3
		: bytes[0] < 0xf5    ? 4
				     : 0;
	uint32_t number = len < 2 ? bytes[0] : bytes[0] & (0xffu >> (len + 1));

	if (len == 0 || len > text.len)
		return 0;
	for (size_t i = 1; i < len; i++) {
		if ((bytes[i] & 0xc0) != 0x80)
			return 0;
		number = number << 6 | (bytes[i] & 0x3fu);
	}
	if (number < least[len] || (number >= 0xd800 && number < 0xe000) || number > 0x10ffff)
		return 0;
	*ret_number = number;
	return len;
}

/* What a reader must not get as it is: controls, ends of lines, changes of direction. */
static bool is_unsafe(uint32_t number)
{
	return number < ' ' || (number >= 0x7f && number < 0xa0) ||
		(number >= 0x200e && number <= 0x200f) || (number >= 0x2028 && number <= 0x202e) ||
		(number >= 0x2066 && number <= 0x2069) || number == 0x061c || number == 0xfeff;
}

static void put_unsafe(struct soon__out *out, uint32_t number)
{
	put(out, '\\');
	if (number == '\n' || number == '\t' || number == '\r') {
		put(out, number == '\n' ? 'n' : number == '\t' ? 't' : 'r');
		return;
	}
	put(out, 'u');
	put_digits(out, number, 16, 4);
}

/* A byte that is no character; JSON has no word for it, so there the backslash is a character. */
static void put_byte(struct soon__out *out, unsigned char byte, bool is_json)
{
	soon__out_str(out, is_json ? "\\\\x" : "\\x");
	put_digits(out, byte, 16, 2);
}

/* The text, escaped; what is in `also` gets a backslash before it. */
static void put_escaped(struct soon__out *out, soon_slice text, const char *also, bool is_json)
{
	while (text.len > 0) {
		uint32_t number = 0;
		size_t len = decode(text, &number);

		if (len == 0) {
			put_byte(out, (unsigned char)*text.ptr, is_json);
			len = 1;
		} else if (is_unsafe(number)) {
			put_unsafe(out, number);
		} else {
			if (len == 1 && strchr(also, (int)number))
				put(out, '\\');
			for (size_t i = 0; i < len; i++)
				put(out, text.ptr[i]);
		}
		text.ptr += len;
		text.len -= len;
	}
}

void soon__out_plain(struct soon__out *out, soon_slice text)
{
	put_escaped(out, text, "", false);
}

static bool is_bare(soon_slice text)
{
	for (size_t i = 0; i < text.len; i++) {
		unsigned char c = (unsigned char)text.ptr[i];

		if (c <= ' ' || c >= 0x7f || strchr("\"\\=", c))
			return false;
	}
	return text.len > 0;
}

static void put_quoted(struct soon__out *out, soon_slice text, bool is_cut, bool is_json)
{
	put(out, '"');
	put_escaped(out, text, "\"\\", is_json);
	soon__out_str(out, is_cut ? "...\"" : "\"");
}

void soon__out_value(struct soon__out *out, soon_slice text)
{
	if (is_bare(text))
		soon__out_plain(out, text);
	else
		put_quoted(out, text, false, false);
}

void soon__out_json_string(struct soon__out *out, soon_slice text, bool is_cut)
{
	put_quoted(out, text, is_cut, true);
}

/* "12ns", "3.4ms", "5.6s": two digits or a little more. */
static void put_duration(struct soon__out *out, soon_ns duration)
{
	static const struct {
		soon_ns ns;
		const char *name;
	} units[] = {
		{ SOON_S(1), "s" },
		{ SOON_MS(1), "ms" },
		{ SOON_US(1), "us" },
		{ 1, "ns" },
	};
	uint64_t left = duration < 0 ? 0 - (uint64_t)duration : (uint64_t)duration;
	unsigned i = 0;

	if (duration < 0)
		put(out, '-');
	while (units[i].ns > 1 && left < (uint64_t)units[i].ns)
		i++;
	soon__out_uint(out, left / (uint64_t)units[i].ns);
	if (units[i].ns > 1 && left < 100 * (uint64_t)units[i].ns) {
		put(out, '.');
		soon__out_uint(out, left % (uint64_t)units[i].ns / (uint64_t)(units[i].ns / 10));
	}
	soon__out_str(out, units[i].name);
}

static void put_errno(struct soon__out *out, int64_t rc)
{
	const char *name = rc < 0 && rc > -4096 ? strerrorname_np((int)-rc) : NULL;

	if (!name) {
		soon__out_int(out, rc);
		return;
	}
	put(out, '-');
	soon__out_str(out, name);
}

/* Nine digits and an exponent, without stdio, which is not for signal handlers. */
static void put_real_roughly(struct soon__out *out, double real)
{
	int exponent = 0;

	if (real < 0)
		put(out, '-');
	real = real < 0 ? -real : real;
	for (; real >= 10 && exponent < 400; exponent++)
		real /= 10;
	for (; real > 0 && real < 1 && exponent > -400; exponent--)
		real *= 10;
	soon__out_uint(out, (uint64_t)real);
	put(out, '.');
	put_digits(out, (uint64_t)((real - (double)(uint64_t)real) * 1e8), 10, 8);
	put(out, 'e');
	soon__out_int(out, exponent);
}

/* As few digits as give the same number again; with a point whatever the program's locale has. */
static void put_real(struct soon__out *out, double real, bool is_last)
{
	char text[REAL_BYTES];
	int digits = 15;

	if (is_last) {
		put_real_roughly(out, real);
		return;
	}
	do {
		if (snprintf(text, sizeof text, "%.*g", digits, real) < 0)
			return;
	} while (strtod(text, NULL) != real && ++digits <= 17);
	for (const char *c = text; *c; c++) {
		if ((*c >= '0' && *c <= '9') || strchr("+-e", *c))
			put(out, *c);
		else if (out->at[-1] != '.')
			put(out, '.');
	}
}

static void put_real_or_word(struct soon__out *out, double real, bool is_last, const char *quote)
{
	if (isfinite(real)) {
		put_real(out, real, is_last);
		return;
	}
	soon__out_str(out, quote);
	soon__out_str(out, isnan(real) ? "nan" : real > 0 ? "inf" : "-inf");
	soon__out_str(out, quote);
}

static double real_of(const struct soon__log_field *field)
{
	double real;

	memcpy(&real, &field->bits, sizeof real);
	return real;
}

static soon_slice key_of(const struct soon__log_field *field)
{
	return (soon_slice){ field->key, strnlen(field->key, SOON__LOG_KEY_BYTES) };
}

static soon_slice text_of(const struct soon__log_field *field)
{
	return (soon_slice){ (const char *)(field + 1), field->len };
}

/* Numbers look the same in both formats, but for what has to stand in quotes in JSON. */
static void put_number(
	struct soon__out *out, const struct soon__log_field *field, bool is_last, const char *quote)
{
	switch (field->kind) {
	case SOON__FIELD_INT:
		soon__out_int(out, (int64_t)field->bits);
		break;
	case SOON__FIELD_BOOL:
		soon__out_str(out, field->bits ? "true" : "false");
		break;
	case SOON__FIELD_DOUBLE:
		put_real_or_word(out, real_of(field), is_last, quote);
		break;
	case SOON__FIELD_HEX:
		soon__out_str(out, quote);
		soon__out_str(out, "0x");
		put_digits(out, field->bits, 16, 1);
		soon__out_str(out, quote);
		break;
	case SOON__FIELD_ERR:
		soon__out_str(out, quote);
		put_errno(out, (int64_t)field->bits);
		soon__out_str(out, quote);
		break;
	default:
		soon__out_uint(out, field->bits);
		break;
	}
}

void soon__out_text_field(struct soon__out *out, const struct soon__log_field *field, bool is_last)
{
	put(out, ' ');
	soon__out_plain(out, key_of(field));
	put(out, '=');
	if (field->is_null)
		soon__out_str(out, "(null)");
	else if (field->kind == SOON__FIELD_NS)
		put_duration(out, (soon_ns)field->bits);
	else if (field->kind != SOON__FIELD_TEXT)
		put_number(out, field, is_last, "");
	else if (field->is_cut || !is_bare(text_of(field)))
		put_quoted(out, text_of(field), field->is_cut, false);
	else
		soon__out_plain(out, text_of(field));
}

void soon__out_json_field(struct soon__out *out, const struct soon__log_field *field, bool is_last)
{
	soon__out_json_string(out, key_of(field), false);
	put(out, ':');
	if (field->is_null)
		soon__out_str(out, "null");
	else if (field->kind == SOON__FIELD_NS)
		soon__out_int(out, (int64_t)field->bits);
	else if (field->kind != SOON__FIELD_TEXT)
		put_number(out, field, is_last, "\"");
	else
		soon__out_json_string(out, text_of(field), field->is_cut);
}
