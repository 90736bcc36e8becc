// SPDX-License-Identifier: Apache-2.0
/* Records as lines, byte by byte: both formats, what is escaped, what is cut. */
#include "log_record.h"

#include <math.h>
#include <string.h>
#include <support/harness.h>

static const soon__log_site place = { { "src/net/server.c", "serve", "accepted", 42 }, "http", NULL,
	SOON_LOG_INFO, SOON__LOG_SITE_ON };

static const soon__log_site formatted = { { "server.c", "serve", NULL, 7 }, "app", NULL,
	SOON_LOG_ERROR, SOON__LOG_SITE_ON };

/* 2026-11-28T20:06:36.123456Z */
#define MOMENT INT64_C(1795896396123456789)

static const char *line_of(const struct soon__log_source *source, bool is_json, bool is_last)
{
	static _Alignas(8) char memory[SOON_LOG_RECORD_BYTES];
	static char line[SOON__LOG_LINE_BYTES + 1];
	const struct soon__log_style style = { .is_json = is_json, .is_last = is_last };
	struct soon__log_record *record = (void *)memory;
	struct soon__log_sizes sizes;
	size_t len;

	memset(memory, 0x5a, sizeof memory);
	cr_assert_leq(soon__log_measure(source, &sizes), sizeof memory);
	soon__log_encode(record, source, &sizes);
	len = soon__log_line(record, &style, line);
	cr_assert_eq(line[len - 1], '\n');
	line[len - 1] = '\0';
	return line;
}

static const char *fields_of(const soon_field *fields, unsigned count, bool is_json)
{
	const struct soon__log_source source = {
		.site = &place,
		.at = MOMENT,
		.task = "serve",
		.task_id = 12,
		.fields = fields,
		.count = count,
	};

	return line_of(&source, is_json, false);
}

#define TEXT_LINE(expected, ...)                                                                   \
	do {                                                                                       \
		const soon_field fields_[] = { __VA_ARGS__ };                                      \
		cr_assert_str_eq(fields_of(fields_, sizeof fields_ / sizeof fields_[0], false),    \
			"2026-11-28T20:06:36.123456Z info http: accepted " expected                \
			" core=0 task=serve/12 at=server.c:42");                                   \
	} while (0)

#define JSON_LINE(expected, ...)                                                                   \
	do {                                                                                       \
		const soon_field fields_[] = { __VA_ARGS__ };                                      \
		cr_assert_str_eq(fields_of(fields_, sizeof fields_ / sizeof fields_[0], true),     \
			"{\"time\":\"2026-11-28T20:06:36.123456Z\",\"level\":\"info\","            \
			"\"category\":\"http\",\"message\":\"accepted\",\"fields\":{" expected     \
			"},\"core\":0,\"task\":\"serve\",\"task_id\":12,\"file\":\"server.c\","    \
			"\"line\":42}");                                                           \
	} while (0)

SOON_TEST_PLAIN(log_line, each_kind_of_field)
{
	bool yes = true;
	unsigned char byte = 200;

	TEXT_LINE("fd=7 n=-3 big=18446744073709551615 byte=200 ok=true name=abc none=(null)",
		SOON_F("fd", 7), SOON_F("n", -3L), SOON_F("big", UINT64_MAX), SOON_F("byte", byte),
		SOON_F("ok", yes), SOON_F("name", "abc"), SOON_F("none", (const char *)NULL));
	TEXT_LINE("rc=-ENOENT rc=0 rc=-9999 mask=0xff took=3.4ms took=12ns at=0x10",
		SOON_F_ERR("rc", -ENOENT), SOON_F_ERR("rc", 0), SOON_F_ERR("rc", -9999),
		SOON_F_HEX("mask", 255), SOON_F_NS("took", SOON_US(3400)), SOON_F_NS("took", 12),
		SOON_F("at", (void *)16));
	TEXT_LINE("least=-9223372036854775808 took=-2.0s took=1000s part=abc",
		SOON_F("least", INT64_MIN), SOON_F_NS("took", SOON_S(-2)),
		SOON_F_NS("took", SOON_S(1000)), SOON_F_BYTES("part", "abcdef", 3));
	JSON_LINE(
		"\"fd\":7,\"big\":18446744073709551615,\"ok\":true,\"name\":\"abc\",\"none\":null",
		SOON_F("fd", 7), SOON_F("big", UINT64_MAX), SOON_F("ok", yes),
		SOON_F("name", "abc"), SOON_F("none", (const char *)NULL));
	JSON_LINE("\"rc\":\"-ENOENT\",\"mask\":\"0xff\",\"took\":3400000",
		SOON_F_ERR("rc", -ENOENT), SOON_F_HEX("mask", 255),
		SOON_F_NS("took", SOON_US(3400)));
}

SOON_TEST_PLAIN(log_line, real_numbers)
{
	TEXT_LINE("a=0.1 b=-2.5 c=1e+20 d=nan e=-inf f=0 g=0.30000000000000004", SOON_F("a", 0.1),
		SOON_F("b", -2.5), SOON_F("c", 1e20), SOON_F("d", (double)NAN),
		SOON_F("e", (double)-INFINITY), SOON_F("f", 0.0), SOON_F("g", 0.1 + 0.2));
	JSON_LINE("\"a\":0.1,\"d\":\"nan\",\"e\":\"inf\"", SOON_F("a", 0.1),
		SOON_F("d", (double)NAN), SOON_F("e", (double)INFINITY));
}

SOON_TEST_PLAIN(log_line, nothing_gets_out_of_its_place)
{
	TEXT_LINE("a=\"b c\" d=\"e=f\" g=\"h\\\"i\\\\j\" k=\"\"", SOON_F("a", "b c"),
		SOON_F("d", "e=f"), SOON_F("g", "h\"i\\j"), SOON_F("k", ""));
	/* Colours, a title, a new line, the same by C1 controls, a byte that is none. */
	TEXT_LINE("a=\"\\u001b[31m\\u0007\\nx\\r\\t\" b=\"\\u009b1m\" c=\"\\x9b1m\" d=\"\\xff\"",
		SOON_F("a", "\033[31m\a\nx\r\t"),
		SOON_F("b",
			"\xc2\x9b"
			"1m"),
		SOON_F("c", "\2331m"), SOON_F_BYTES("d", "\377", 1));
}

SOON_TEST_PLAIN(log_line, characters_stay_and_what_is_none_is_shown)
{
	TEXT_LINE("a=\"gr\u00fc\u00df \U0001f600\" b=\"\\u202ex\"", SOON_F("a", "grüß 😀"),
		SOON_F("b", "\u202ex"));
	/* Too long a form, half of a pair, beyond the last, a cut one, a zero. */
	JSON_LINE("\"a\":\"\\\\xc0\\\\xaf\",\"b\":\"\\\\xed\\\\xa0\\\\x80\","
		  "\"c\":\"\\\\xf4\\\\x90\\\\x80\\\\x80\",\"d\":\"\\\\xe2\\\\x82\","
		  "\"e\":\"a\\u0000b\"",
		SOON_F("a", "\xc0\xaf"), SOON_F("b", "\xed\xa0\x80"),
		SOON_F("c", "\xf4\x90\x80\x80"), SOON_F("d", "\xe2\x82"),
		SOON_F_BYTES("e", "a\0b", 3));
	JSON_LINE("\"a\":\"\\\"\\\\/\\n\\u0001\\u007f\\u2028\"",
		SOON_F("a", "\"\\/\n\001\177\u2028"));
}

SOON_TEST_PLAIN(log_line, outside_of_tasks_and_cores)
{
	static const char text[] = "10% of \"it\"\nfake line";
	const struct soon__log_source source = {
		.site = &formatted,
		.at = MOMENT,
		.core = -1,
		.thread = 4711,
		.text = { text, sizeof text - 1 },
	};

	cr_assert_str_eq(line_of(&source, false, false),
		"2026-11-28T20:06:36.123456Z error app: 10% of \"it\"\\nfake line thread=4711 "
		"at=server.c:7");
	cr_assert_str_eq(line_of(&source, true, false),
		"{\"time\":\"2026-11-28T20:06:36.123456Z\",\"level\":\"error\",\"category\":"
		"\"app\",\"message\":\"10% of \\\"it\\\"\\nfake line\",\"fields\":{},\"thread\":"
		"4711,\"file\":\"server.c\",\"line\":7}");
}

SOON_TEST_PLAIN(log_line, moments)
{
	static const struct {
		soon_ns at;
		const char *text;
	} cases[] = {
		{ 0, "1970-01-01T00:00:00.000000Z" },
		{ INT64_C(951782399999999999), "2000-02-28T23:59:59.999999Z" },
		{ INT64_C(951782400000000000), "2000-02-29T00:00:00.000000Z" },
		{ INT64_C(4107542400000000000), "2100-03-01T00:00:00.000000Z" },
		{ INT64_MAX, "2262-04-11T23:47:16.854775Z" },
		{ -1, "1970-01-01T00:00:00.000000Z" },
	};

	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		const struct soon__log_source source = { .site = &place, .at = cases[i].at };

		cr_assert_eq(strncmp(line_of(&source, false, false), cases[i].text, 27), 0, "%s",
			line_of(&source, false, false));
	}
}

SOON_TEST_PLAIN(log_line, a_process_that_dies_rounds)
{
	const soon_field fields[] = { SOON_F("a", 0.1), SOON_F("b", -12345.678), SOON_F("c", 0.0) };
	const struct soon__log_source source = {
		.site = &place, .fields = fields, .count = 3, .is_simulated = true
	};

	cr_assert_not_null(strstr(line_of(&source, false, true),
		"accepted a=1.00000000e-1 b=-1.23456780e4 c=0.00000000e0 core=0"));
}

/* The longest of everything fits into the record and the line, and says where it was cut. */
SOON_TEST_PLAIN(log_line, the_longest_record)
{
	enum { FIELDS = SOON_LOG_FIELDS_MAX + SOON_LOG_CONTEXT_MAX };
	static char text[10000], name[1000], key[500];
	soon_field fields[FIELDS];
	const char *line;

	memset(text, '\001', sizeof text - 1);
	memset(name, '\002', sizeof name - 1);
	memset(key, '\003', sizeof key - 1);
	for (unsigned i = 0; i < FIELDS; i++)
		fields[i] = soon__field_text(key, text);
	for (int is_json = 0; is_json < 2; is_json++) {
		struct soon__log_source source = {
			.site = &place,
			.task = name,
			.task_id = UINT64_MAX,
			.fields = fields,
			.count = FIELDS,
		};

		line = line_of(&source, is_json, false);
		cr_assert_not_null(strstr(line, "\\u0001...\""));
		cr_assert_not_null(strstr(line, is_json ? ",\"line\":42}" : " at=server.c:42"));
	}
}

/* A text that is cut ends with a whole character. */
SOON_TEST_PLAIN(log_line, cut_between_characters)
{
	static char text[9000];

	for (size_t shift = 0; shift < 4; shift++) {
		const soon_field field = { "a", SOON__FIELD_TEXT, SOON__FIELD_ZERO, { 0 } };
		soon_field fields[1] = { field };

		memset(text, 'x', shift);
		for (size_t i = shift; i + 4 < sizeof text; i += 4)
			memcpy(text + i, "\xf0\x9f\x98\x80", 4);
		fields[0].value.text = text;
		cr_assert_null(strstr(fields_of(fields, 1, false), "\\x"));
		cr_assert_not_null(strstr(fields_of(fields, 1, false), "\xf0\x9f\x98\x80...\""));
	}
}
