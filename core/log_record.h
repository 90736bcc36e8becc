// SPDX-License-Identifier: Apache-2.0
/*
 * log_record.h: a record as it lies in a ring, and as a line.
 *
 * Everything that a caller lends is copied: behind the head lie the name of the task, the message
 * if it was formatted, and the fields, each text cut where the record is full. What is static stays
 * where it is: the site and the keys.
 *
 * Both directions are signal-safe, and neither fails: a line is cut rather than given up, but stays
 * one line, and valid JSON, whatever the bytes in the record are.
 */
#ifndef CORE_LOG_RECORD_H
#define CORE_LOG_RECORD_H

#include <soon/log.h>

#include <stdatomic.h>

#define SOON__LOG_NAME_BYTES 64 /* of a task's name, cut beyond */

#define SOON__LOG_TEXT_BYTES_MAX SOON_REPORT_TEXT_BYTES /* of a message that is no literal */
#define SOON__LOG_MESSAGE_BYTES  1024                   /* of a literal, cut beyond */
#define SOON__LOG_FILE_BYTES     255                    /* of a file's name */

/*
 * As many bytes as a line takes at most. What is escaped becomes six times as long; all of a record
 * may be, and what is not in it: the message, the file's name and all keys.
 */
#define SOON__LOG_LINE_BYTES (8192 * 6)

struct soon__log_record {
	_Atomic(uint32_t) state; /* the ring's */
	uint16_t name_len;       /* of the task's name, 0: outside tasks */
	uint16_t text_len;       /* of the message, where the site has none */
	const soon__log_site *site;
	soon_ns at;        /* on the clock of the core */
	uint64_t task_id;  /* 0: outside tasks */
	uint32_t thread;   /* the kernel's number, where there is no core */
	int16_t core;      /* -1: none */
	uint8_t count;     /* of fields */
	bool is_simulated; /* the clock was an injected one: not to be turned into a time of day */
	char data[];       /* name, message, then aligned the fields */
};

/* What the record will be made of. */
struct soon__log_source {
	const soon__log_site *site;
	soon_ns at;
	const char *task; /* NULL: none */
	uint64_t task_id;
	uint32_t thread;
	int core;
	bool is_simulated;
	soon_slice text; /* the message, where the site has none */
	const soon_field *fields;
	unsigned count;
};

/* How long each text of a source becomes. */
struct soon__log_sizes {
	uint16_t name, text;
	uint16_t fields[SOON_LOG_FIELDS_MAX + SOON_LOG_CONTEXT_MAX];
	bool is_cut[SOON_LOG_FIELDS_MAX + SOON_LOG_CONTEXT_MAX];
};

/* Returns the bytes that the record takes, at most SOON_LOG_RECORD_BYTES. */
size_t soon__log_measure(const struct soon__log_source *source, struct soon__log_sizes *ret_sizes);

/* Fills in all but the state. */
void soon__log_encode(struct soon__log_record *record, const struct soon__log_source *source,
	const struct soon__log_sizes *sizes);

struct soon__log_style {
	bool is_json;
	bool is_last;    /* in a process that dies: nothing but signal-safe calls */
	soon_ns to_wall; /* what is added to `at` for a time of day */
};

/* Writes the line with its end to `buf` and returns its length. */
size_t soon__log_line(const struct soon__log_record *record, const struct soon__log_style *style,
	char buf[SOON__LOG_LINE_BYTES]);

/* "error" to "trace". */
const char *soon__log_level_name(unsigned level);

#endif
