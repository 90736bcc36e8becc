// SPDX-License-Identifier: Apache-2.0
/* addr_test.c: texts of addresses, both ways, and those that are none. */
#include <soon/addr.h>

#include "support/harness.h"

#include <netinet/in.h>
#include <string.h>
#include <sys/un.h>

struct text_case {
	const char *text;
	const char *formatted; /* NULL: the same again */
	int rc;
};

static void check(const struct text_case *c)
{
	char text[SOON_ADDR_TEXT_BYTES];
	soon_addr addr;
	int rc = soon_addr_parse(c->text, &addr);

	cr_expect_eq(rc, c->rc, "\"%s\" gave %d, expected %d", c->text, rc, c->rc);
	if (rc == 0)
		cr_expect_str_eq(soon_addr_format(&addr, text),
			c->formatted != NULL ? c->formatted : c->text);
}

SOON_TEST_PLAIN(addr, is_read_and_written_back)
{
	static const struct text_case cases[] = {
		{ "127.0.0.1:0", NULL, 0 },
		{ "127.0.0.1:65535", NULL, 0 },
		{ "255.255.255.255:00080", "255.255.255.255:80", 0 },
		{ "[::1]:8080", NULL, 0 },
		{ "[::]:1", NULL, 0 },
		{ "[0:0:0:0:0:0:0:1]:7", "[::1]:7", 0 },
		{ "[::ffff:1.2.3.4]:7", NULL, 0 },
		{ "[ffff:ffff:ffff:ffff:ffff:ffff:255.255.255.255]:65535",
			"[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff]:65535", 0 },
		{ "[fe80::1%1]:80", NULL, 0 },
		{ "[fe80::1%lo]:80", "[fe80::1%1]:80", 0 },
		{ "*:8080", "[::]:8080", 0 },
		{ "unix:/run/x.sock", NULL, 0 },
		{ "unix:x", NULL, 0 },
		{ "unix:@abstract name", NULL, 0 },
		{ "unix:@a\tb\x80", "unix:@a?b?", 0 },
		{ "unix:a@b:c", NULL, 0 },
	};

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
		check(&cases[i]);
}

SOON_TEST_PLAIN(addr, refuses_what_is_none)
{
	static const struct text_case cases[] = {
		{ "", NULL, -EINVAL },
		{ "127.0.0.1", NULL, -EINVAL },
		{ "127.0.0.1:", NULL, -EINVAL },
		{ ":80", NULL, -EINVAL },
		{ "127.0.0.1:65536", NULL, -EINVAL },
		{ "127.0.0.1:99999999999999999999", NULL, -EINVAL },
		{ "127.0.0.1:-1", NULL, -EINVAL },
		{ "127.0.0.1:+1", NULL, -EINVAL },
		{ "127.0.0.1: 80", NULL, -EINVAL },
		{ "127.0.0.1:80 ", NULL, -EINVAL },
		{ "127.0.0.1:0x50", NULL, -EINVAL },
		{ "127.0.0.1:http", NULL, -EINVAL },
		{ "127.0.0:80", NULL, -EINVAL },
		{ "127.0.0.256:80", NULL, -EINVAL },
		{ "1.2.3.4.5:80", NULL, -EINVAL },
		{ "localhost:80", NULL, -ENXIO },
		{ "a.example:80", NULL, -ENXIO },
		{ "local host:80", NULL, -EINVAL },
		{ "::1:80", NULL, -EINVAL },
		{ "[::1]", NULL, -EINVAL },
		{ "[::1]80", NULL, -EINVAL },
		{ "[::1:80", NULL, -EINVAL },
		{ "[]:80", NULL, -EINVAL },
		{ "[*]:80", NULL, -EINVAL },
		{ "[127.0.0.1]:80", NULL, -EINVAL },
		{ "[localhost]:80", NULL, -EINVAL },
		{ "[fe80::1%]:80", NULL, -EINVAL },
		{ "[fe80::1%0]:80", NULL, -ENODEV },
		{ "[fe80::1%no-such-if]:80", NULL, -ENODEV },
		{ "[fe80::1%a-name-that-is-too-long]:80", NULL, -EINVAL },
		{ "[1:2:3:4:5:6:7:8:9:10:11:12:13:14:15:16:17:18:19:20:21]:80", NULL, -EINVAL },
		{ "unix:", NULL, -EINVAL },
		{ "unix:@", NULL, -EINVAL },
	};

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
		check(&cases[i]);
}

SOON_TEST_PLAIN(addr, a_host_has_a_longest_name)
{
	char text[300];
	soon_addr addr;

	memset(text, 'a', sizeof text);
	memcpy(text + 253, ":80", sizeof ":80");
	cr_expect_eq(soon_addr_parse(text, &addr), -ENXIO);
	memset(text, 'a', sizeof text);
	memcpy(text + 254, ":80", sizeof ":80");
	cr_expect_eq(soon_addr_parse(text, &addr), -EINVAL);
}

SOON_TEST_PLAIN(addr, a_unix_path_has_a_longest_name)
{
	char text[5 + 120] = "unix:";
	char formatted[SOON_ADDR_TEXT_BYTES];
	soon_addr addr;

	for (int is_abstract = 0; is_abstract < 2; is_abstract++) {
		memset(text + 5, 'p', sizeof text - 5);
		if (is_abstract)
			text[5] = '@';
		text[5 + 107] = '\0';
		cr_expect_eq(soon_addr_parse(text, &addr), 0);
		cr_expect_str_eq(soon_addr_format(&addr, formatted), text);
		text[5 + 107] = 'p';
		text[5 + 108] = '\0';
		cr_expect_eq(soon_addr_parse(text, &addr), -ENAMETOOLONG);
	}
}

SOON_TEST_PLAIN(addr, a_failure_leaves_the_result_alone)
{
	soon_addr addr, before;

	memset(&addr, 0x5a, sizeof addr);
	before = addr;
	cr_expect_eq(soon_addr_parse("nowhere", &addr), -EINVAL);
	cr_expect_eq(soon_addr_parse("unix:", &addr), -EINVAL);
	cr_expect_eq(soon_addr_parse("[::1%nope]:1", &addr), -ENODEV);
	cr_expect_eq(soon_addr_parse("host:1", &addr), -ENXIO);
	cr_expect_eq(memcmp(&addr, &before, sizeof addr), 0);
}

SOON_TEST_PLAIN(addr, equal_texts_give_equal_bytes)
{
	soon_addr a, b;

	memset(&a, 0x11, sizeof a);
	memset(&b, 0x22, sizeof b);
	cr_assert_eq(soon_addr_parse("unix:/x", &a), 0);
	cr_assert_eq(soon_addr_parse("unix:/x", &b), 0);
	cr_expect_eq(a.len, b.len);
	cr_expect_eq(memcmp(&a.storage, &b.storage, sizeof a.storage), 0);
}

SOON_TEST_PLAIN(addr, abstract_names_are_exactly_as_long_as_they_are)
{
	struct sockaddr_un un;
	soon_addr addr;

	cr_assert_eq(soon_addr_parse("unix:@ab", &addr), 0);
	memcpy(&un, &addr.storage, sizeof un);
	cr_expect_eq(addr.len, offsetof(struct sockaddr_un, sun_path) + 3);
	cr_expect_eq(memcmp(un.sun_path, "\0ab", 3), 0);
}

SOON_TEST_PLAIN(addr, foreign_and_unnamed_ones_have_a_text_too)
{
	char text[SOON_ADDR_TEXT_BYTES];
	soon_addr addr = { .len = sizeof(sa_family_t) };

	addr.storage.ss_family = AF_UNIX;
	cr_expect_str_eq(soon_addr_format(&addr, text), "unix:");
	cr_expect_eq(soon_addr_port(&addr), 0);
	addr.storage.ss_family = AF_PACKET;
	cr_expect_str_eq(soon_addr_format(&addr, text), "family 17");

	/* The kernel may give a path without the zero at its end. */
	struct sockaddr_un un = { .sun_family = AF_UNIX };
	memset(un.sun_path, 'f', sizeof un.sun_path);
	memcpy(&addr.storage, &un, sizeof un);
	addr.len = sizeof un;
	cr_expect_eq(strlen(soon_addr_format(&addr, text)), 5 + sizeof un.sun_path);
}

SOON_TEST_PLAIN(addr, tells_its_port)
{
	soon_addr addr;

	cr_assert_eq(soon_addr_parse("127.0.0.1:8080", &addr), 0);
	cr_expect_eq(soon_addr_port(&addr), 8080);
	cr_assert_eq(soon_addr_parse("[::1]:443", &addr), 0);
	cr_expect_eq(soon_addr_port(&addr), 443);
}
