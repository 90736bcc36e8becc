// SPDX-License-Identifier: Apache-2.0
/*
 * log_field.h: fields of records, and putting bytes of unknown origin into lines.
 *
 * A line is read by terminals and by programs. So control characters, invalid UTF-8, and what
 * makes a terminal or an editor show text in another order than it is in, are escaped in both
 * formats: \n, \x9b for a byte that is no character, \u202e for a character.
 */
#ifndef CORE_LOG_FIELD_H
#define CORE_LOG_FIELD_H

#include <soon/log.h>

#define SOON__LOG_KEY_BYTES 64 /* shown of a key */

/* As it lies in a record; its text follows. */
struct soon__log_field {
	const char *key;
	uint64_t bits; /* the value, as soon_field's union; of no use for texts */
	uint16_t len;  /* of the text */
	uint8_t kind;
	bool is_cut;
	bool is_null;
};

/* Where a line goes; what does not fit is cut. */
struct soon__out {
	char *at, *end;
};

void soon__out_str(struct soon__out *out, const char *str);
void soon__out_int(struct soon__out *out, int64_t value);
void soon__out_uint(struct soon__out *out, uint64_t value);

/* 2026-11-28T20:06:36.123456Z, of nanoseconds since 1970. */
void soon__out_time(struct soon__out *out, soon_ns wall);

/* As it is, but for what is escaped anyway: a message. */
void soon__out_plain(struct soon__out *out, soon_slice text);

/* In quotes if it would not be told from its surroundings otherwise. */
void soon__out_value(struct soon__out *out, soon_slice text);

/* In quotes, as JSON wants it; with dots at the end when it was cut. */
void soon__out_json_string(struct soon__out *out, soon_slice text, bool is_cut);

/* " key=value"; "key":value. With `is_last` nothing but signal-safe calls. */
void soon__out_text_field(struct soon__out *out, const struct soon__log_field *field, bool is_last);
void soon__out_json_field(struct soon__out *out, const struct soon__log_field *field, bool is_last);

#endif
