// SPDX-License-Identifier: Apache-2.0
/* report_escape.c: whatever a text is, it stays a text. */
#include "report/escape.h"
#include "support/harness.h"

#include <stdlib.h>
#include <string.h>

static char *escaped(enum escape how, const char *text)
{
	char *copy = NULL;
	size_t length;
	FILE *stream = open_memstream(&copy, &length);

	cr_assert_not_null(stream);
	escape_put(stream, how, text);
	cr_assert_eq(fclose(stream), 0);
	return copy;
}

static void expect(enum escape how, const char *text, const char *wanted)
{
	char *found = escaped(how, text);

	cr_expect_str_eq(found, wanted, "'%s' is '%s' and not '%s'", text, found, wanted);
	free(found);
}

SOON_TEST_PLAIN(report_escape, html_has_no_markup_left)
{
	expect(ESCAPE_HTML, "</script><b x=\"1\" y='2'>&amp;",
		"&lt;/script&gt;&lt;b x=&quot;1&quot; y=&#39;2&#39;&gt;&amp;amp;");
	expect(ESCAPE_HTML, "a\tb\nc", "a\tb\nc");
	expect(ESCAPE_HTML, "\x1b[31m\x07", "\xef\xbf\xbd[31m\xef\xbf\xbd");
	expect(ESCAPE_HTML, "\xe2\x80\xaetxt", "\xef\xbf\xbdtxt");
}

SOON_TEST_PLAIN(report_escape, json_can_be_read_again)
{
	expect(ESCAPE_JSON, "a\"b\\c\n\x01", "a\\\"b\\\\c\\u000a\\u0001");
	expect(ESCAPE_JSON, "\xc3\xa4\xe2\x82\xac", "\xc3\xa4\xe2\x82\xac");
}

SOON_TEST_PLAIN(report_escape, csv_fields_are_quoted_where_they_have_to_be)
{
	expect(ESCAPE_CSV, "plain text", "plain text");
	expect(ESCAPE_CSV, "", "");
	expect(ESCAPE_CSV, "a,b", "\"a,b\"");
	expect(ESCAPE_CSV, "say \"yes\"", "\"say \"\"yes\"\"\"");
	expect(ESCAPE_CSV, "two\nlines", "\"two\nlines\"");
}

/* A spreadsheet runs what a field begins with one of these, quoted or not. */
SOON_TEST_PLAIN(report_escape, csv_has_no_formula)
{
	expect(ESCAPE_CSV, "=1+1", "\"'=1+1\"");
	expect(ESCAPE_CSV, "-1", "\"'-1\"");
	expect(ESCAPE_CSV, "@x", "\"'@x\"");
	expect(ESCAPE_CSV, "a=1", "a=1");
}

SOON_TEST_PLAIN(report_escape, markdown_has_no_table_and_no_emphasis)
{
	expect(ESCAPE_MARKDOWN, "a|b", "a\\|b");
	expect(ESCAPE_MARKDOWN, "`x` *y* _z_ [a](b)", "\\`x\\` \\*y\\* \\_z\\_ \\[a\\](b)");
	expect(ESCAPE_MARKDOWN, "<script>&lt;", "&lt;script\\>&amp;lt;");
	expect(ESCAPE_MARKDOWN, "one\ntwo\\", "one two\\\\");
}

SOON_TEST_PLAIN(report_escape, a_terminal_gets_no_commands)
{
	expect(ESCAPE_TEXT, "\x1b]0;title\x07", "\xef\xbf\xbd]0;title\xef\xbf\xbd");
	expect(ESCAPE_TEXT,
		"\xc2\x9b"
		"31m",
		"\xef\xbf\xbd"
		"31m");
	expect(ESCAPE_TEXT, "a\nb", "a b");
}

/* Too long, a surrogate, beyond the last, cut off, a byte that only goes on. */
SOON_TEST_PLAIN(report_escape, what_is_no_utf8_is_replaced)
{
	static const char *const broken[] = { "\xc0\x80", "\xed\xa0\x80", "\xf4\x90\x80\x80",
		"\xe2\x82", "\x80", "\xff", "\xf0\x9f\x98" };

	for (size_t i = 0; i < sizeof(broken) / sizeof(broken[0]); i++) {
		char *found = escaped(ESCAPE_TEXT, broken[i]);

		cr_expect_eq(strlen(found), 3 * strlen(broken[i]), "%zu: %s", i, found);
		cr_expect_eq(strncmp(found, "\xef\xbf\xbd", 3), 0);
		cr_expect_eq(escape_length(broken[i]), strlen(broken[i]));
		free(found);
	}
	expect(ESCAPE_TEXT, "\xf0\x9f\x98\x80 \xf4\x8f\xbf\xbf",
		"\xf0\x9f\x98\x80 \xf4\x8f\xbf\xbf");
	cr_expect_eq(escape_length("\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80"), 3);
}

SOON_TEST_PLAIN(report_escape, markup_escapes_what_goes_in)
{
	char *text = NULL;
	size_t length;
	FILE *stream = open_memstream(&text, &length);

	escape_markup(stream, "<b title=\"%s\">%u %d %zu %.1f %% %s</b>", "\"&", 7U, -7, (size_t)8,
		1.25, "<i>");
	cr_assert_eq(fclose(stream), 0);
	cr_expect_str_eq(text, "<b title=\"&quot;&amp;\">7 -7 8 1.2 % &lt;i&gt;</b>");
	free(text);
}
