// SPDX-License-Identifier: Apache-2.0
/*
 * log.c: log records of arbitrary bytes. Whatever the texts are, a line is one line of valid UTF-8
 * without control characters, and in JSON a valid document; what a record takes is within bounds.
 */
#include <soon/assert.h>

#include "log_record.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const soon__log_site place = { { "a.c", "f", NULL, 1 }, "app", NULL, SOON_LOG_INFO,
	SOON__LOG_SITE_ON };

/* The next so many bytes of the input, as memory of their own. */
struct input {
	const uint8_t *at, *end;
	char *pieces[SOON_LOG_FIELDS_MAX + 3];
	unsigned count;
};

static uint8_t next_byte(struct input *input)
{
	return input->at < input->end ? *input->at++ : 0;
}

static soon_slice next_piece(struct input *input, size_t len, bool is_ended)
{
	size_t left = (size_t)(input->end - input->at);
	char *piece;

	len = len < left ? len : left;
	piece = malloc(len + 1);
	SOON_ASSERT(piece != NULL);
	memcpy(piece, input->at, len);
	piece[len] = '\0';
	if (!is_ended && len > 0) {
		piece = realloc(piece, len); /* one byte of over-read is a fault */
		SOON_ASSERT(piece != NULL);
	}
	input->at += len;
	input->pieces[input->count++] = piece;
	return (soon_slice){ piece, len };
}

static soon_field next_field(struct input *input)
{
	uint8_t kind = next_byte(input);
	size_t len = next_byte(input) * (kind & 0x80 ? 64u : 1u);
	uint64_t bits = 0;

	if (kind % 3 == 0)
		return soon__field_slice("k", next_piece(input, len, false));
	if (kind % 3 == 1)
		return soon__field_text("k", next_piece(input, len, true).ptr);
	for (unsigned i = 0; i < 8; i++)
		bits = bits << 8 | next_byte(input);
	soon_field field = soon__field_hex("k", bits);
	field.kind = SOON__FIELD_INT + kind / 3 % (SOON__FIELD_TEXT - SOON__FIELD_INT);
	return field;
}

/* ---- what a reader of JSON does ---------------------------------------------------------- */

static const char *skip_string(const char *at)
{
	SOON_ASSERT(*at == '"');
	for (at++; *at != '"'; at++) {
		SOON_ASSERT((unsigned char)*at >= ' ');
		if (*at != '\\')
			continue;
		at++;
		if (*at == 'u') {
			SOON_ASSERT(strspn(at + 1, "0123456789abcdef") >= 4);
			at += 4;
		} else {
			SOON_ASSERT(*at != '\0' && strchr("\"\\/bfnrt", *at));
		}
	}
	return at + 1;
}

static const char *skip_number(const char *at)
{
	size_t digits;

	at += *at == '-';
	digits = strspn(at, "0123456789");
	SOON_ASSERT(digits > 0 && (digits == 1 || *at != '0'));
	at += digits;
	if (*at == '.') {
		digits = strspn(++at, "0123456789");
		SOON_ASSERT(digits > 0);
		at += digits;
	}
	if (*at == 'e') {
		at++;
		at += *at == '+' || *at == '-';
		digits = strspn(at, "0123456789");
		SOON_ASSERT(digits > 0);
		at += digits;
	}
	return at;
}

/* Members of an object whose values are simple; or, by `depth`, one such object. */
static const char *skip_value(const char *at)
{
	static const char *const words[] = { "true", "false", "null" };

	if (*at == '"')
		return skip_string(at);
	for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
		if (strncmp(at, words[i], strlen(words[i])) == 0)
			return at + strlen(words[i]);
	return skip_number(at);
}

static const char *skip_members(const char *at, bool may_nest)
{
	SOON_ASSERT(*at == '{');
	at++;
	while (*at != '}') {
		at = skip_string(at);
		SOON_ASSERT(*at == ':');
		at++;
		if (may_nest && *at == '{') {
			const char *inner = at + 1;

			while (*inner != '}') {
				inner = skip_string(inner);
				SOON_ASSERT(*inner == ':');
				inner = skip_value(inner + 1);
				SOON_ASSERT(*inner == ',' || *inner == '}');
				inner += *inner == ',';
			}
			at = inner + 1;
		} else {
			at = skip_value(at);
		}
		SOON_ASSERT(*at == ',' || *at == '}');
		at += *at == ',';
	}
	return at + 1;
}

/* ---- what a terminal does ---------------------------------------------------------------- */

static void check_characters(const char *line, size_t len)
{
	for (size_t i = 0; i < len;) {
		unsigned char c = (unsigned char)line[i];
		size_t more = c < 0x80 ? 0 : c < 0xe0 ? 1 : c < 0xf0 ? 2 : 3;

		SOON_ASSERT(c >= ' ' && c != 0x7f && (c < 0x80 || (c >= 0xc2 && c < 0xf5)));
		SOON_ASSERT(c != 0xc2 || (unsigned char)line[i + 1] >= 0xa0); /* C1 */
		for (size_t k = 1; k <= more; k++)
			SOON_ASSERT(((unsigned char)line[i + k] & 0xc0) == 0x80);
		i += more + 1;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static _Alignas(8) char memory[SOON_LOG_RECORD_BYTES];
	static char line[SOON__LOG_LINE_BYTES + 1];
	struct soon__log_record *record = (void *)memory;
	struct input input = { .at = data, .end = data + size };
	soon_field fields[SOON_LOG_FIELDS_MAX];
	struct soon__log_source source = { .site = &place, .core = -1, .fields = fields };
	struct soon__log_sizes sizes;
	uint8_t first = next_byte(&input);

	if (first & 0x10) {
		source.task = next_piece(&input, next_byte(&input), true).ptr;
		source.task_id = 1;
	}
	source.text = next_piece(&input, next_byte(&input), false);
	source.count = first % SOON_LOG_FIELDS_MAX;
	for (unsigned i = 0; i < source.count; i++)
		fields[i] = next_field(&input);
	SOON_ASSERT(soon__log_measure(&source, &sizes) <= sizeof memory);
	soon__log_encode(record, &source, &sizes);
	for (unsigned variant = 0; variant < 4; variant++) {
		const struct soon__log_style style = {
			.is_json = variant & 1, .is_last = variant & 2, .to_wall = first
		};
		size_t len = soon__log_line(record, &style, line);

		SOON_ASSERT(len > 1 && line[len - 1] == '\n');
		line[len - 1] = '\0';
		SOON_ASSERT(strlen(line) == len - 1);
		check_characters(line, len - 1);
		if (style.is_json)
			SOON_ASSERT(*skip_members(line, true) == '\0');
	}
	while (input.count > 0)
		free(input.pieces[--input.count]);
	return 0;
}
