// SPDX-License-Identifier: Apache-2.0
#include "log_record.h"

#include <soon/assert.h>

#include "log_field.h"
#include "log_ring.h"

#include <string.h>

/* What no text of a record may take: its head, and the fields without their texts. */
enum {
	FIXED_BYTES = sizeof(struct soon__log_record) + SOON__LOG_ALIGN +
		(SOON_LOG_FIELDS_MAX + SOON_LOG_CONTEXT_MAX) * sizeof(struct soon__log_field),
};
_Static_assert(
	FIXED_BYTES + SOON__LOG_NAME_BYTES + SOON__LOG_TEXT_BYTES_MAX < SOON_LOG_RECORD_BYTES / 2,
	"most of a record is for the texts of its fields");
_Static_assert((SOON_LOG_RECORD_BYTES + SOON__LOG_MESSAGE_BYTES + SOON__LOG_FILE_BYTES +
		       (SOON_LOG_FIELDS_MAX + SOON_LOG_CONTEXT_MAX) * (SOON__LOG_KEY_BYTES + 8)) *
				6 +
			512 <
		SOON__LOG_LINE_BYTES,
	"a line of the longest record is not cut");

static size_t aligned(size_t bytes)
{
	return (bytes + SOON__LOG_ALIGN - 1) & ~(size_t)(SOON__LOG_ALIGN - 1);
}

/* `len`, or less: so that no character of UTF-8 is cut in two. */
static size_t whole_characters(const char *text, size_t len)
{
	size_t back = 0;

	while (back < 3 && back < len && ((unsigned char)text[len - back] & 0xc0) == 0x80)
		back++;
	/* A lead byte starts what is beyond the cut; anything else was no character anyway. */
	return ((unsigned char)text[len - back] & 0xc0) == 0xc0 ? len - back : len;
}

/* How much of a field's text goes into `room`, which is a multiple of the alignment. */
static size_t text_size(const soon_field *field, size_t room, bool *ret_cut)
{
	const char *text = field->value.text;
	size_t len;

	*ret_cut = false;
	if (!text)
		return 0;
	if (field->len == SOON__FIELD_ZERO) {
		len = strnlen(text, room);
		*ret_cut = len == room && text[len] != '\0';
	} else {
		*ret_cut = field->len > room;
		len = *ret_cut ? room : field->len;
	}
	return *ret_cut ? whole_characters(text, len) : len;
}

size_t soon__log_measure(const struct soon__log_source *source, struct soon__log_sizes *ret_sizes)
{
	size_t room = SOON_LOG_RECORD_BYTES - FIXED_BYTES, bytes = sizeof(struct soon__log_record);

	SOON_ASSERT(source->count <= SOON_LOG_FIELDS_MAX + SOON_LOG_CONTEXT_MAX);
	ret_sizes->name =
		source->task ? (uint16_t)strnlen(source->task, SOON__LOG_NAME_BYTES) : (uint16_t)0;
	SOON_ASSERT(source->text.len <= SOON__LOG_TEXT_BYTES_MAX);
	ret_sizes->text = (uint16_t)source->text.len;
	room = (room - ret_sizes->name - ret_sizes->text) & ~(size_t)(SOON__LOG_ALIGN - 1);
	bytes = aligned(bytes + ret_sizes->name + ret_sizes->text);
	for (unsigned i = 0; i < source->count; i++) {
		const soon_field *field = &source->fields[i];
		size_t len = 0;

		ret_sizes->is_cut[i] = false;
		if (field->kind == SOON__FIELD_TEXT)
			len = text_size(field, room, &ret_sizes->is_cut[i]);
		ret_sizes->fields[i] = (uint16_t)len;
		room -= aligned(len);
		bytes += sizeof(struct soon__log_field) + aligned(len);
	}
	SOON_ASSERT(bytes <= SOON_LOG_RECORD_BYTES);
	return bytes;
}

void soon__log_encode(struct soon__log_record *record, const struct soon__log_source *source,
	const struct soon__log_sizes *sizes)
{
	char *at = record->data;

	record->name_len = sizes->name;
	record->text_len = sizes->text;
	record->site = source->site;
	record->at = source->at;
	record->task_id = source->task_id;
	record->thread = source->thread;
	record->core = (int16_t)source->core;
	record->count = (uint8_t)source->count;
	record->is_simulated = source->is_simulated;
	if (sizes->name > 0)
		memcpy(at, source->task, sizes->name);
	if (sizes->text > 0)
		memcpy(at + sizes->name, source->text.ptr, sizes->text);
	at = (char *)record + aligned(sizeof *record + sizes->name + sizes->text);
	for (unsigned i = 0; i < source->count; i++) {
		const soon_field *from = &source->fields[i];
		struct soon__log_field *to = (struct soon__log_field *)(void *)at;

		to->key = from->key;
		to->kind = (uint8_t)from->kind;
		to->is_cut = sizes->is_cut[i];
		to->len = sizes->fields[i];
		to->is_null = from->kind == SOON__FIELD_TEXT && !from->value.text;
		to->bits = from->value.bits;
		at += sizeof *to;
		/* NOLINTNEXTLINE(clang-analyzer-core.NonNullParamChecker): a length has a text */
		memcpy(at, to->len > 0 ? from->value.text : "", to->len);
		at += aligned(to->len);
	}
}

const char *soon__log_level_name(unsigned level)
{
	static const char *const names[] = { "off", "error", "warn", "info", "debug", "trace" };

	return level < sizeof names / sizeof names[0] ? names[level] : "?";
}

static void put_time(struct soon__out *out, const struct soon__log_record *record,
	const struct soon__log_style *style)
{
	soon__out_time(out, record->is_simulated ? record->at : record->at + style->to_wall);
}

static soon_slice name_of(const struct soon__log_record *record)
{
	return (soon_slice){ record->data, record->name_len };
}

static soon_slice message_of(const struct soon__log_record *record)
{
	const char *message = record->site->place.what;

	if (message)
		return (soon_slice){ message, strnlen(message, SOON__LOG_MESSAGE_BYTES) };
	return (soon_slice){ record->data + record->name_len, record->text_len };
}

/* The name of the file without its folders. */
static soon_slice file_of(const soon_site *place)
{
	const char *slash = strrchr(place->file, '/'), *name = slash ? slash + 1 : place->file;

	return (soon_slice){ name, strnlen(name, SOON__LOG_FILE_BYTES) };
}

static const struct soon__log_field *first_field(const struct soon__log_record *record)
{
	return (const void *)((const char *)record +
		aligned(sizeof *record + record->name_len + record->text_len));
}

static const struct soon__log_field *next_field(const struct soon__log_field *field)
{
	return (const void *)((const char *)(field + 1) + aligned(field->len));
}

static void put_text_line(struct soon__out *out, const struct soon__log_record *record,
	const struct soon__log_style *style)
{
	const struct soon__log_field *field = first_field(record);

	put_time(out, record, style);
	soon__out_str(out, " ");
	soon__out_str(out, soon__log_level_name(record->site->level));
	soon__out_str(out, " ");
	soon__out_str(out, record->site->category);
	soon__out_str(out, ": ");
	soon__out_plain(out, message_of(record));
	for (unsigned i = 0; i < record->count; i++, field = next_field(field))
		soon__out_text_field(out, field, style->is_last);
	if (record->core >= 0) {
		soon__out_str(out, " core=");
		soon__out_int(out, record->core);
	} else {
		soon__out_str(out, " thread=");
		soon__out_uint(out, record->thread);
	}
	if (record->task_id > 0) {
		soon__out_str(out, " task=");
		soon__out_value(out, name_of(record));
		soon__out_str(out, "/");
		soon__out_uint(out, record->task_id);
	}
	soon__out_str(out, " at=");
	soon__out_plain(out, file_of(&record->site->place));
	soon__out_str(out, ":");
	soon__out_int(out, record->site->place.line);
}

static void put_json_member(struct soon__out *out, const char *name, soon_slice value)
{
	soon__out_str(out, ",\"");
	soon__out_str(out, name);
	soon__out_str(out, "\":");
	soon__out_json_string(out, value, false);
}

static soon_slice slice_of(const char *text)
{
	return (soon_slice){ text, strlen(text) };
}

static void put_json_line(struct soon__out *out, const struct soon__log_record *record,
	const struct soon__log_style *style)
{
	const struct soon__log_field *field = first_field(record);

	soon__out_str(out, "{\"time\":\"");
	put_time(out, record, style);
	soon__out_str(out, "\"");
	put_json_member(out, "level", slice_of(soon__log_level_name(record->site->level)));
	put_json_member(out, "category", slice_of(record->site->category));
	put_json_member(out, "message", message_of(record));
	soon__out_str(out, ",\"fields\":{");
	for (unsigned i = 0; i < record->count; i++, field = next_field(field)) {
		soon__out_str(out, i > 0 ? "," : "");
		soon__out_json_field(out, field, style->is_last);
	}
	soon__out_str(out, record->core >= 0 ? "},\"core\":" : "},\"thread\":");
	soon__out_int(out, record->core >= 0 ? record->core : (int64_t)record->thread);
	if (record->task_id > 0) {
		put_json_member(out, "task", name_of(record));
		soon__out_str(out, ",\"task_id\":");
		soon__out_uint(out, record->task_id);
	}
	put_json_member(out, "file", file_of(&record->site->place));
	soon__out_str(out, ",\"line\":");
	soon__out_int(out, record->site->place.line);
	soon__out_str(out, "}");
}

size_t soon__log_line(const struct soon__log_record *record, const struct soon__log_style *style,
	char buf[SOON__LOG_LINE_BYTES])
{
	/* One byte is kept for the end of the line. */
	struct soon__out out = { .at = buf, .end = buf + SOON__LOG_LINE_BYTES - 1 };

	if (style->is_json)
		put_json_line(&out, record, style);
	else
		put_text_line(&out, record, style);
	*out.at++ = '\n';
	return (size_t)(out.at - buf);
}
