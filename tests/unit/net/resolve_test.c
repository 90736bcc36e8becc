// SPDX-License-Identifier: Apache-2.0
/*
 * resolve_test.c: names to addresses: files, name servers that lie, and the order of what is found.
 */
#include "dns.h"
#include "liar.h"
#include "net_kit.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>

/* Addresses as texts, with spaces between. */
static const char *found(const char *where, const soon_resolve_opts *opts)
{
	static char text[SOON_RESOLVE_ADDRS_MAX * 64];
	soon_addr addrs[SOON_RESOLVE_ADDRS_MAX];
	int count = soon_resolve(where, opts, addrs, SOON_RESOLVE_ADDRS_MAX);
	size_t len = 0;

	text[0] = '\0';
	cr_assert_geq(count, 0, "%s gives %d: %s", where, count,
		soon_fail_message() != NULL ? soon_fail_message() : "no message");
	for (int i = 0; i < count; i++) {
		char one[SOON_ADDR_TEXT_BYTES];

		len += (size_t)snprintf(text + len, sizeof text - len, "%s%s", i > 0 ? " " : "",
			soon_addr_format(&addrs[i], one));
	}
	return text;
}

static void expect_found(const char *where, const soon_resolve_opts *opts, const char *want)
{
	const char *is = found(where, opts);

	cr_expect_str_eq(is, want, "%s: %s, not %s", where, is, want);
}

/* That a lookup fails, with a message that has both words. */
static void expect_failure(const char *where, const soon_resolve_opts *opts, int want,
	const char *word, const char *other)
{
	soon_addr addr;
	int rc = soon_resolve(where, opts, &addr, 1);
	const char *message = soon_fail_message();

	cr_expect_eq(rc, want, "%s gives %d, not %d", where, rc, want);
	cr_assert_not_null(message);
	cr_expect(strstr(message, word) != NULL && strstr(message, other) != NULL,
		"\"%s\" should have \"%s\" and \"%s\"", message, word, other);
}

/* A file of that text, for the time of the test. */
static const char *file_of(char path[32], const char *text)
{
	int fd;

	memcpy(path, "/tmp/soon-names-XXXXXX", sizeof "/tmp/soon-names-XXXXXX");
	fd = mkostemp(path, O_CLOEXEC);
	cr_assert_geq(fd, 0);
	cr_assert_eq(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	(void)close(fd);
	return path;
}

#define NOWHERE    "/nonexistent/soon"
#define NEVER_MIND SOON_S(1000) /* a timeout that no test would sit through */

/* Nothing of the machine's own configuration counts, unless a test says so. */
static soon_resolve_opts own(soon_resolve_opts opts, const char *servers)
{
	if (opts.resolv_conf == NULL)
		opts.resolv_conf = NOWHERE;
	if (opts.hosts == NULL)
		opts.hosts = NOWHERE;
	if (opts.servers == NULL)
		opts.servers = servers;
	if (opts.timeout == 0 && servers != NULL)
		opts.timeout = SOON_MS(100);
	return opts;
}

#define OPTS(...) ((soon_resolve_opts[1]){ own((soon_resolve_opts){ __VA_ARGS__ }, NULL) })

NET_TEST(resolve, numbers_need_nobody)
{
	expect_found("127.0.0.1:80", OPTS(0), "127.0.0.1:80");
	expect_found("[::1]:80", OPTS(0), "[::1]:80");
	expect_found("*:80", OPTS(0), "[::]:80 0.0.0.0:80");
	expect_found("unix:@x", OPTS(0), "unix:@x");
	expect_found("[fe80::1%lo]:80", OPTS(0), "[fe80::1%1]:80");
	expect_failure("127.0.0.1:80", OPTS(.family = AF_INET6), -ENOENT, "127.0.0.1", "family");
	expect_failure("127.0.0.1", OPTS(0), -EINVAL, "127.0.0.1", "not an address");
	expect_failure("x:80", OPTS(.family = 77), -EINVAL, "family", "AF_INET");
}

NET_TEST(resolve, localhost_is_this_machine)
{
	const char *both = found("localhost:80", OPTS(0));

	cr_expect(strcmp(both, "[::1]:80 127.0.0.1:80") == 0 ||
			strcmp(both, "127.0.0.1:80 [::1]:80") == 0,
		"%s", both);
	expect_found("LocalHost.:80", OPTS(.family = AF_INET), "127.0.0.1:80");
	expect_found("a.b.localhost:80", OPTS(.family = AF_INET6), "[::1]:80");
	expect_failure("notlocalhost:80", OPTS(.servers = "127.0.0.1:1", .tries = 1), -EAGAIN,
		"notlocalhost", "127.0.0.1:1");
}

NET_TEST(resolve, services_have_ports)
{
	expect_found("127.0.0.1:https", OPTS(0), "127.0.0.1:443");
	expect_found("[::1]:http", OPTS(0), "[::1]:80");
	expect_found("localhost:domain", OPTS(.family = AF_INET), "127.0.0.1:53");
	expect_failure(
		"127.0.0.1:no-such-service", OPTS(0), -ENOENT, "no-such-service", "/etc/services");
	expect_failure("127.0.0.1:80x/", OPTS(0), -EINVAL, "80x", "not an address");
}

NET_TEST(resolve, hosts_come_before_name_servers)
{
	char path[32];
	const soon_resolve_opts *opts = OPTS(.servers = "127.0.0.1:1", .tries = 1,
		.hosts = file_of(path,
			"# a comment\n"
			"127.0.0.7  one One.example # two\n"
			"\t::7 one\n"
			"not-an-address one\n"
			"127.0.0.8 one\n"
			"127.0.0.7 one\n"
			"127.0.0.9"));

	expect_found("ONE:80", &(soon_resolve_opts){ .hosts = opts->hosts, .family = AF_INET },
		"127.0.0.7:80 127.0.0.8:80");
	expect_found("one.example.:80", opts, "127.0.0.7:80");
	expect_found("one:80", &(soon_resolve_opts){ .hosts = opts->hosts, .family = AF_INET6 },
		"[::7]:80");
	expect_failure("two:80", opts, -EAGAIN, "two", "127.0.0.1:1");
	(void)unlink(path);
}

NET_TEST(resolve, changes_of_files_hold_at_once)
{
	char path[32];
	FILE *file;

	(void)file_of(path, "127.0.0.7 one\n");
	expect_found("one:1", OPTS(.hosts = path), "127.0.0.7:1");
	file = fopen(path, "we");
	cr_assert_not_null(file);
	(void)fputs("127.0.0.8 one\n", file);
	(void)fclose(file);
	expect_found("one:1", OPTS(.hosts = path), "127.0.0.8:1");
	(void)unlink(path);
}

NET_TEST(resolve, configuration_is_read)
{
	static struct soon__dns_conf conf;
	char path[32];
	soon_resolve_opts opts = {
		.resolv_conf = file_of(path,
			"; comment\n"
			"nameserver 10.0.0.1 # first\n"
			"nameserver\t2001:db8::53\n"
			"nameserver nonsense\n"
			"nameserver fe80::1%lo\n"
			"domain old.example\n"
			"search a.example b.example.\n"
			"options ndots:3 timeout:7 attempts:99 rotate junk ndots:x\n")
	};
	char text[SOON_ADDR_TEXT_BYTES];

	cr_assert_eq(soon__dns_conf_read(&opts, &conf), 0);
	cr_assert_eq(conf.server_count, 2);
	cr_expect(conf.has_zone);
	cr_expect_str_eq(soon_addr_format(&conf.servers[0], text), "10.0.0.1:53");
	cr_expect_str_eq(soon_addr_format(&conf.servers[1], text), "[2001:db8::53]:53");
	cr_assert_eq(conf.search_count, 2);
	cr_expect_str_eq(conf.search[0], "a.example");
	cr_expect_str_eq(conf.search[1], "b.example");
	cr_expect_eq(conf.dots, 3);
	cr_expect_eq(conf.tries, 5);
	cr_expect_eq(conf.timeout, SOON_S(7));
	cr_expect(conf.rotate);

	conf = (struct soon__dns_conf){ 0 };
	opts = (soon_resolve_opts){ .resolv_conf = NOWHERE, .tries = 9, .timeout = SOON_MS(20) };
	cr_assert_eq(soon__dns_conf_read(&opts, &conf), 0);
	cr_expect(conf.is_default);
	cr_expect_str_eq(soon_addr_format(&conf.servers[0], text), "127.0.0.1:53");
	cr_expect_eq(conf.tries, 9);
	cr_expect_eq(conf.timeout, SOON_MS(20));

	opts = (soon_resolve_opts){ .resolv_conf = path, .servers = "10.0.0.9,[::9]:54,::8" };
	cr_assert_eq(soon__dns_conf_read(&opts, &conf), 0);
	cr_expect_eq(conf.server_count, 3);
	cr_expect_str_eq(soon_addr_format(&conf.servers[1], text), "[::9]:54");
	(void)unlink(path);

	opts.servers = "10.0.0.9,,";
	cr_expect_eq(soon__dns_conf_read(&opts, &conf), -EINVAL);
	expect_failure("x.test:1", OPTS(.servers = "nowhere"), -EINVAL, "nowhere", "servers");
}

NET_TEST(resolve, a_file_that_cannot_be_read_is_told)
{
	expect_failure("x.test:1", OPTS(.hosts = "/"), -EISDIR, "x.test", "hosts");
	expect_failure("x.test:1", OPTS(.resolv_conf = "/"), -EISDIR, "x.test", "resolv.conf");
}

#if SOON_ARES
/* For what the liar is asked. */
#define ASK(...) ((soon_resolve_opts[1]){ own((soon_resolve_opts){ __VA_ARGS__ }, liar.servers) })

NET_TEST(resolve, name_servers_are_asked_for_both_families)
{
	static struct liar liar;
	soon_addr addrs[2];

	liar_start(&liar);
	cr_expect_eq(soon_resolve("good.test:80", ASK(0), addrs, 2), 2);
	expect_found("good.test:80", ASK(.family = AF_INET), "192.0.2.1:80");
	expect_found("good.test.:http", ASK(.family = AF_INET6), "[2001:db8::1]:80");
	expect_found("v4.test:80", ASK(0), "192.0.2.4:80");
	expect_found("alias.test:80", ASK(.family = AF_INET), "192.0.2.1:80");
	cr_expect_eq(
		soon_resolve("good.test:80", ASK(0), addrs, 1), 1, "no more than there is room");
	liar_stop(&liar);
}

NET_TEST(resolve, failures_name_host_and_server)
{
	static struct liar liar;

	liar_start(&liar);
	expect_failure("nx.test:80", ASK(0), -ENOENT, "no host named \"nx.test\"", liar.servers);
	expect_failure("empty.test:80", ASK(0), -ENOENT, "no such address", liar.servers);
	expect_failure("v4.test:80", ASK(.family = AF_INET6), -ENOENT, "v4.test", liar.servers);
	expect_failure("servfail.test:80", ASK(0), -EAGAIN, "does not serve \"servfail.test\"",
		liar.servers);
	expect_failure("refused.test:80", ASK(0), -EAGAIN, "refused.test", liar.servers);
	expect_failure("silent.test:80", ASK(.timeout = SOON_MS(20)), -EAGAIN,
		"no answer about \"silent.test\"", liar.servers);
	expect_failure("loop.test:80", ASK(0), -ENOENT, "loop.test", liar.servers);
	expect_failure("garbage.test:80", ASK(0), -EBADMSG, "garbage", liar.servers);
	expect_failure("a..b:80", ASK(0), -EINVAL, "a..b", "name");
	expect_failure("b\xc3\xbc"
		       "cher.test:80",
		ASK(0), -EINVAL, "xn--", "cher.test");
	liar_stop(&liar);
}

NET_TEST(resolve, lies_are_not_believed)
{
	static struct liar liar;
	soon_addr addr;
	int rc;

	liar_start(&liar);
	expect_failure("wrongid.test:80", ASK(.timeout = SOON_MS(20)), -EAGAIN, "no answer",
		"wrongid.test");
	expect_failure("wrongname.test:80", ASK(.timeout = SOON_MS(20)), -EAGAIN, "no answer",
		"wrongname.test");
	/* What is no message is passed over by older ones of c-ares, and garbage to newer ones. */
	rc = soon_resolve("short.test:80", ASK(.timeout = SOON_MS(20)), &addr, 1);
	cr_expect(rc == -EAGAIN || rc == -EBADMSG, "%d: %s", rc, soon_fail_message());
	liar_stop(&liar);
}

NET_TEST(resolve, what_is_cut_comes_by_tcp)
{
	static struct liar liar;
	soon_addr addrs[SOON_RESOLVE_ADDRS_MAX];

	liar_start(&liar);
	expect_found("cut.test:80", ASK(.timeout = SOON_S(5)), "192.0.2.9:80");
	cr_expect_gt(atomic_load(&liar.streams), 0);
	cr_expect_eq(soon_resolve("thousand.test:80", ASK(.timeout = SOON_S(5)), addrs,
			     SOON_RESOLVE_ADDRS_MAX),
		SOON_RESOLVE_ADDRS_MAX / 2);
	liar_stop(&liar);
}

NET_TEST(resolve, short_names_are_looked_for_in_the_search_list)
{
	static struct liar liar = { .records = {
					    { "db.b.test", "192.0.2.20" },
					    { "x.y", "192.0.2.21" },
					    { "x.y.a.test", "192.0.2.22" },
					    { "six.a.test", "2001:db8::6" },
					    { "six.b.test", "192.0.2.23" },
				    } };
	char path[32];

	liar_start(&liar);
	(void)file_of(path, "search a.test b.test\n");
	expect_found("db:1", ASK(.resolv_conf = path), "192.0.2.20:1");
	expect_found("x.y:1", ASK(.resolv_conf = path), "192.0.2.21:1");
	expect_found("six:1", ASK(.resolv_conf = path), "[2001:db8::6]:1");
	expect_failure("db.:1", ASK(.resolv_conf = path), -ENOENT, "db.", "no host");
	expect_failure("none:1", ASK(.resolv_conf = path), -ENOENT, "none", "no host");
	(void)unlink(path);
	(void)file_of(path, "search a.test\noptions ndots:2\n");
	expect_found("x.y:1", ASK(.resolv_conf = path), "192.0.2.22:1");
	(void)unlink(path);
	liar_stop(&liar);
}

NET_TEST(resolve, a_dead_server_is_passed_over_at_once)
{
	static struct liar liar;
	char servers[128];

	liar_start(&liar);
	(void)snprintf(servers, sizeof servers, "127.0.0.1:1,127.0.0.1:2,%s", liar.servers);
	expect_found("v4.test:80", ASK(.servers = servers, .timeout = NEVER_MIND), "192.0.2.4:80");
	expect_failure("silent.test:80", ASK(.servers = servers, .timeout = SOON_MS(20)), -EAGAIN,
		"silent.test", "2 more");
	liar_stop(&liar);
}

NET_TEST(resolve, without_a_server_the_message_says_so)
{
	soon_addr addr;
	int rc = soon_resolve("x.test:1", OPTS(.timeout = SOON_MS(50), .tries = 1), &addr, 1);

	/* Somebody may run one. */
	if (rc == -EAGAIN)
		cr_expect_not_null(strstr(soon_fail_message(), "resolv.conf names none"), "%s",
			soon_fail_message());
}

static int ask_for_half(struct liar *liar)
{
	soon_addr addr;

	return soon_resolve("half.test:80",
		OPTS(.servers = liar->servers, .timeout = SOON_MS(200), .tries = 1), &addr, 1);
}

static int ask_in_vain(struct liar *liar)
{
	soon_addr addr;

	return (int)soon_within(SOON_MS(10),
		soon_resolve("half.test:80", OPTS(.servers = liar->servers), &addr, 1));
}

NET_TEST(resolve, a_cancel_touches_nobody_else)
{
	static struct liar liar = { .records = { { "half.test", "192.0.2.30" } } };
	int rcs[3];

	liar_start(&liar);
	soon_work work[] = { SOON_WORK(ask_in_vain, &liar), SOON_WORK(ask_for_half, &liar),
		SOON_WORK(ask_in_vain, &liar) };
	(void)!soon_all(work, 3, &(soon_all_opts){ .policy = SOON_WAIT_ALL }, rcs);
	cr_expect_eq(rcs[0], -ETIMEDOUT);
	cr_expect_eq(rcs[1], 1, "what was found counts, though the rest did not come: %d", rcs[1]);
	cr_expect_eq(rcs[2], -ETIMEDOUT);
	liar_stop(&liar);
}

NET_TEST(resolve, a_cancelled_scope_asks_nobody)
{
	static struct liar liar;
	soon_addr addr;

	liar_start(&liar);
	SOON_SCOPE(s, .timeout = -1);
	int rc = soon_resolve("good.test:80", ASK(0), &addr, 1);
	cr_expect_eq(soon_scope_close(&s, rc), -ETIMEDOUT);
	cr_expect_eq(atomic_load(&liar.queries), 0);
	liar_stop(&liar);
}
#endif

NET_TEST(resolve, the_c_library_can_be_asked)
{
	soon_addr addr;
	int rc = soon_resolve("no-such-host.invalid:80", OPTS(.by_libc = true), &addr, 1);

	cr_expect(rc == -ENOENT || rc == -EAGAIN, "without a resolver it cannot be known: %d", rc);
	cr_expect_not_null(strstr(soon_fail_message(), "C library"));
	cr_expect_not_null(soon_resolver());
}

/* The order. */

static soon_addr addr_of(const char *host)
{
	char where[SOON_ADDR_TEXT_BYTES];
	soon_addr addr = { 0 };

	(void)snprintf(where, sizeof where, strchr(host, ':') != NULL ? "[%s]:0" : "%s:0", host);
	cr_assert_eq(soon_addr_parse(where, &addr), 0, "%s", host);
	return addr;
}

static int compare(const char *a, const char *a_source, const char *b, const char *b_source)
{
	soon_addr to_a = addr_of(a), to_b = addr_of(b), from_a, from_b;

	if (a_source != NULL)
		from_a = addr_of(a_source);
	if (b_source != NULL)
		from_b = addr_of(b_source);
	return soon__addrs_compare(
		&to_a, a_source != NULL ? &from_a : NULL, &to_b, b_source != NULL ? &from_b : NULL);
}

/* RFC 6724, section 10.2, and its rules one by one; the first of each pair comes first. */
SOON_TEST_PLAIN(resolve, order_is_that_of_the_rfc)
{
	static const struct {
		const char *first, *first_source, *second, *second_source;
	} cases[] = {
		{ "198.51.100.121", "198.51.100.117", "2001:db8:1::1", NULL },
		{ "2001:db8:1::1", "2001:db8:1::2", "198.51.100.121", "169.254.13.78" },
		{ "198.51.100.121", "198.51.100.117", "2001:db8:1::1", "fe80::1" },
		{ "2001:db8:1::1", "2001:db8:1::2", "10.1.2.3", "10.1.2.4" },
		{ "fe80::1", "fe80::2", "2001:db8:1::1", "2001:db8:1::2" },
		{ "2001:db8:1::1", "2001:db8:1::2", "2002:c633:6401::1", "2002:c633:6401::2" },
		{ "2002:c633:6401::1", "2002:c633:6401::2", "2001:db8:1::1", "2002:c633:6401::2" },
		{ "2001:db8:3ffe::1", "2001:db8:3f44::2", "2001:db8:1::1", "2001:db8:3f44::2" },
		{ "::1", "::1", "127.0.0.1", "127.0.0.1" },
		{ "10.0.0.1", "10.0.0.2", "fd00::1", "fd00::2" },
	};

	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		int there = compare(cases[i].first, cases[i].first_source, cases[i].second,
			cases[i].second_source);
		int back = compare(cases[i].second, cases[i].second_source, cases[i].first,
			cases[i].first_source);

		cr_expect_lt(there, 0, "case %zu", i);
		cr_expect_gt(back, 0, "case %zu", i);
	}
	cr_expect_eq(compare("10.0.0.1", "10.0.0.2", "192.0.2.1", "10.0.0.2"), 0);
	cr_expect_eq(compare("2001:db8::1", NULL, "10.0.0.1", NULL), 0);
}

SOON_TEST_PLAIN(resolve, sorting_keeps_the_order_of_equals)
{
	soon_addr addrs[3] = { addr_of("127.0.0.3"), addr_of("127.0.0.1"), addr_of("127.0.0.2") };
	char text[SOON_ADDR_TEXT_BYTES];

	soon__addrs_sort(addrs, 3);
	cr_expect_str_eq(soon_addr_format(&addrs[0], text), "127.0.0.3:0");
	cr_expect_str_eq(soon_addr_format(&addrs[1], text), "127.0.0.1:0");
	cr_expect_str_eq(soon_addr_format(&addrs[2], text), "127.0.0.2:0");
}
