// SPDX-License-Identifier: Apache-2.0
/* load_text.c: what soon-load's command line is made of: numbers, URLs, rates, addresses. */
#include <soon/time.h>

#include "harness/text.h"
#include "soon_load/rate.h"
#include "soon_load/sources.h"
#include "soon_load/target.h"
#include "soon_load/threshold.h"
#include "soon_load/url.h"
#include "support/harness.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

SOON_TEST_PLAIN(load_text, counts_and_sizes)
{
	uint64_t count = 7;
	size_t bytes = 7;

	cr_assert_eq(text_count("1.2k", &count), 0);
	cr_assert_eq(count, 1200);
	cr_assert_eq(text_count("3M", &count), 0);
	cr_assert_eq(count, 3000000);
	cr_assert_eq(text_count("0.1", &count), -EINVAL);
	cr_assert_eq(text_count("99999999999M", &count), -ERANGE);
	cr_assert_eq(count, 3000000, "untouched by a failure");
	cr_assert_eq(text_bytes("16k", &bytes), 0);
	cr_assert_eq(bytes, 16384);
	for (const char *const *wrong = (const char *const[]){ "", "-1", "k", "1kk", " 1", "1 ",
		     "0x10", "1e3", "nan", "inf", "1..2", NULL };
		*wrong != NULL; wrong++)
		cr_assert_eq(text_count(*wrong, &count), -EINVAL, "'%s'", *wrong);
}

SOON_TEST_PLAIN(load_text, durations)
{
	static const struct {
		const char *text;
		soon_ns ns;
	} right[] = { { "10s", SOON_S(10) }, { "2", SOON_S(2) }, { "500ms", SOON_MS(500) },
		{ "1.5m", SOON_S(90) }, { "20us", SOON_US(20) }, { "0", 0 },
		{ "1h", SOON_S(3600) } };
	soon_ns ns;

	for (unsigned i = 0; i < sizeof right / sizeof right[0]; i++) {
		cr_assert_eq(text_duration(right[i].text, &ns), 0, "%s", right[i].text);
		cr_assert_eq(ns, right[i].ns, "%s", right[i].text);
	}
	cr_assert_eq(text_duration("400000h", &ns), -ERANGE);
	cr_assert_eq(text_duration("5 s", &ns), -EINVAL);
	cr_assert_eq(text_duration("-5s", &ns), -EINVAL);
}

static void check_url(const char *text, enum url_scheme scheme, const char *where, const char *path)
{
	char wrong[URL_WRONG_BYTES] = "";
	struct url url;

	cr_assert_eq(url_parse(text, &url, wrong), 0, "%s: %s", text, wrong);
	cr_assert_eq(url.scheme, scheme);
	cr_assert_str_eq(url.where, where);
	cr_assert_eq(url.path.len, strlen(path), "%s", text);
	cr_assert_arr_eq(url.path.ptr, path, strlen(path));
}

SOON_TEST_PLAIN(load_url, parts)
{
	struct url url;
	char wrong[URL_WRONG_BYTES];

	check_url("http://a.example", URL_HTTP, "a.example:80", "/");
	check_url("https://a-b.example:8443/x?y=1#z", URL_HTTPS, "a-b.example:8443", "/x?y=1");
	check_url("http://[::1]:80/", URL_HTTP, "[::1]:80", "/");
	check_url("http://unix:/run/x.sock:/v1/a:b", URL_HTTP, "unix:/run/x.sock", "/v1/a:b");
	check_url("http://unix:@name", URL_HTTP, "unix:@name", "/");
	check_url("echo://127.0.0.1:7", URL_ECHO, "127.0.0.1:7", "/");
	check_url("udp://[::1]:7", URL_UDP, "[::1]:7", "/");

	cr_assert_eq(url_parse("http://[::1]:8080/", &url, wrong), 0);
	cr_assert_str_eq(url.host, "::1");
	cr_assert_eq(url.authority.len, strlen("[::1]:8080"));
	cr_assert_eq(url_parse("http://a:80/", &url, wrong), 0);
	cr_assert_eq(url.authority.len, 1, "the port of the scheme is not said");
}

SOON_TEST_PLAIN(load_url, refusals_say_why)
{
	static const char *const bad[] = { "", "localhost:80", "ftp://x/", "http://", "http://:80/",
		"http://a:0/", "http://a:65536/", "http://a:8x/", "http://u:p@a/", "http://[::1/",
		"http://::1/", "http://a b/", "http://a/b c", "http://a/\r\nX: y", "http://a?q",
		"http://a/\xc3\xa4", "http://unix:x", "http://unix:", "udp://unix:/x", "echo://a",
		"echo://a:7/x", "http://[::1]x/" };
	struct url url;

	for (unsigned i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		char wrong[URL_WRONG_BYTES] = "";

		cr_assert_eq(url_parse(bad[i], &url, wrong), -EINVAL, "%s", bad[i]);
		cr_assert_neq(wrong[0], '\0', "%s", bad[i]);
	}
}

SOON_TEST_PLAIN(load_rate, texts)
{
	struct rate rate;

	cr_assert_eq(rate_parse("1.5k", &rate), 0);
	cr_assert(rate.from == 1500 && rate.to == 1500);
	cr_assert_eq(rate_parse("0..20k", &rate), 0);
	cr_assert(rate.from == 0 && rate.to == 20000);
	for (const char *const *wrong = (const char *const[]){ "", "0", "0..0", "-5", "5..", "..5",
		     "5...6", "5/s", "1e9", "2000M", NULL };
		*wrong != NULL; wrong++)
		cr_assert_eq(rate_parse(*wrong, &rate), -EINVAL, "%s", *wrong);
}

/* Takes all arrivals of all cores up to `end`, and counts those from 0 on. */
static unsigned count_arrivals(const struct rate *rate, soon_ns end, soon_ns warmup, unsigned cores,
	bool is_poisson, unsigned *ret_early)
{
	unsigned count = 0;

	*ret_early = 0;
	for (unsigned i = 0; i < cores; i++) {
		struct arrivals arrivals;
		soon_ns at, last = -warmup;

		arrivals_begin(&arrivals, rate, end, warmup, i, cores);
		if (is_poisson)
			arrivals_randomize(&arrivals, 42);
		while ((at = arrivals_next(&arrivals)) < end) {
			cr_assert_geq(at, last, "times go up");
			last = at;
			count += at >= 0;
			*ret_early += at < 0;
		}
	}
	return count;
}

SOON_TEST_PLAIN(load_rate, cores_share_one_schedule)
{
	static const struct rate constant = { 1000, 1000 }, up = { 0, 2000 }, down = { 2000, 0 };
	unsigned early;

	for (unsigned cores = 1; cores <= 3; cores++) {
		cr_assert_eq(count_arrivals(&constant, SOON_S(3), SOON_S(1), cores, false, &early),
			3000);
		cr_assert_leq(early, 1000);
		cr_assert_gt(early, 1000 - 4);
		cr_assert_eq(count_arrivals(&up, SOON_S(3), 0, cores, false, &early), 3000);
		/* The last ones of a rate that goes down to 0 are on the very end. */
		cr_assert_leq(3000 - count_arrivals(&down, SOON_S(3), 0, cores, false, &early), 1);
	}
}

SOON_TEST_PLAIN(load_rate, arrivals_are_exact)
{
	static const struct rate ramp = { 1000, 3000 };
	struct arrivals arrivals;

	arrivals_begin(&arrivals, &ramp, SOON_S(10), 0, 0, 1);
	for (unsigned i = 0; i < 20000; i++) {
		soon_ns at = arrivals_next(&arrivals);

		cr_assert_float_eq(rate_integral(&ramp, SOON_S(10), at), i, 1e-4);
	}
}

SOON_TEST_PLAIN(load_rate, poisson_is_poisson)
{
	static const struct rate rate = { 10000, 10000 };
	struct arrivals arrivals;
	double sum = 0, squares = 0;
	soon_ns last = 0;
	unsigned count, early;

	arrivals_begin(&arrivals, &rate, SOON_S(10), 0, 0, 1);
	arrivals_randomize(&arrivals, 1);
	for (unsigned i = 0; i < 100000; i++) {
		soon_ns at = arrivals_next(&arrivals);
		double gap = (double)(at - last) / 1e5; /* of the mean one */

		sum += gap;
		squares += gap * gap;
		last = at;
	}
	/* Mean and deviation of an exponential distribution are equal; the seed is fixed. */
	cr_assert_float_eq(sum / 1e5, 1, 0.01);
	cr_assert_float_eq(sqrt(squares / 1e5 - sum * sum / 1e10), 1, 0.02);
	count = count_arrivals(&rate, SOON_S(10), SOON_S(1), 3, true, &early);
	cr_assert_float_eq((double)count, 1e5, 1500);
	cr_assert_float_eq((double)early, 1e4, 500);
}

SOON_TEST_PLAIN(load_sources, ranges_and_networks)
{
	char wrong[SOURCES_WRONG_BYTES];
	struct sources sources = { 0 };
	char text[SOON_ADDR_TEXT_BYTES];

	cr_assert_eq(sources_parse("127.0.0.1,127.0.0.4-127.0.0.6,10.0.0.0/30,[::1],10.1.1.1/32",
			     &sources, wrong),
		0);
	cr_assert_eq(sources.count, 8);
	cr_assert_str_eq(soon_addr_format(&sources.addrs[3], text), "127.0.0.6:0");
	cr_assert_str_eq(soon_addr_format(&sources.addrs[4], text), "10.0.0.1:0");
	cr_assert_str_eq(soon_addr_format(&sources.addrs[6], text), "[::1]:0");
	cr_assert_str_eq(soon_addr_format(&sources.addrs[7], text), "10.1.1.1:0");

	for (const char *const *bad = (const char *const[]){ "", ",", "x", "127.0.0.1,",
		     "127.0.0.9-127.0.0.1", "10.0.0.0/15", "10.0.0.0/33", "10.0.0.0/x", "1.2.3",
		     "0.0.0.0-0.1.0.0", "::1-::2", NULL };
		*bad != NULL; bad++) {
		wrong[0] = '\0';
		cr_assert_eq(sources_parse(*bad, &sources, wrong), -EINVAL, "'%s'", *bad);
		cr_assert_neq(wrong[0], '\0', "'%s'", *bad);
		cr_assert_eq(sources.count, 8, "a refused list adds nothing");
	}
	sources_free(&sources);
}

SOON_TEST_PLAIN(load_threshold, texts)
{
	char wrong[THRESHOLD_WRONG_BYTES];
	struct threshold threshold;

	cr_assert_eq(threshold_parse("p99.9 >= 5ms", &threshold, wrong), 0);
	cr_assert_float_eq(threshold.share, 0.999, 1e-12);
	cr_assert(threshold.value == 5e6 && threshold.is_equal_too && !threshold.is_below);
	cr_assert_eq(threshold_parse("connect.max>1s", &threshold, wrong), 0);
	cr_assert_eq(threshold.phase, PHASE_CONNECT);
	cr_assert_eq(threshold_parse("rate<10k", &threshold, wrong), 0);
	cr_assert(threshold.value == 10000 && threshold.is_below);
	cr_assert_eq(threshold_parse("errors>0.5%", &threshold, wrong), 0);
	cr_assert(threshold.is_percent && threshold.value == 0.5);

	for (const char *const *bad = (const char *const[]){ "", "p99", "p101>1ms", "p>1ms",
		     "p99>5", "p99>", "p99=5ms", "p99>5ms x", "avg>5ms", "rate>5ms", "errors>x",
		     "errors>1%%", "connect.rate>5", "p99>>5ms", "rate>%", NULL };
		*bad != NULL; bad++)
		cr_assert_eq(threshold_parse(*bad, &threshold, wrong), -EINVAL, "'%s'", *bad);
}

static bool holds(const char *text, const struct tally *tally)
{
	char wrong[THRESHOLD_WRONG_BYTES];
	struct threshold threshold;
	double value;

	cr_assert_eq(threshold_parse(text, &threshold, wrong), 0, "%s: %s", text, wrong);
	return threshold_holds(&threshold, tally, &value);
}

SOON_TEST_PLAIN(load_threshold, judges_a_tally)
{
	static struct tally tally;

	cr_assert_eq(tally_init(&tally), 0);
	cr_assert(holds("p50<1h", &tally), "nothing measured is no bound kept");
	for (unsigned i = 1; i <= 100; i++)
		tally_good(&tally, i * 1000000, i * 1000);
	tally.completed = 100;
	tally.length_ns = SOON_S(2);
	cr_assert(holds("p99>98ms", &tally));
	cr_assert_not(holds("p99>100ms", &tally));
	cr_assert(holds("max>=100ms", &tally));
	cr_assert_not(holds("max>100ms", &tally));
	cr_assert(holds("min<=1ms", &tally));
	cr_assert(holds("first.max<1ms", &tally));
	cr_assert(holds("rate<51", &tally));
	cr_assert_not(holds("rate<50", &tally));
	cr_assert_not(holds("errors>0", &tally));
	tally_failed(&tally, FAULT_RESET);
	tally.unfinished = 1;
	tally.unsent = 2;
	cr_assert(holds("errors>1", &tally), "unfinished ones are errors");
	cr_assert(holds("errors>1.9%", &tally));
	cr_assert(holds("rate<97%", &tally));
	tally_fini(&tally);
}

SOON_TEST_PLAIN(load_target, requests_are_built_once)
{
	static const char list[] = "# a comment\n/a\r\n\nHEAD /b?c\nPUT http://h:81/d#e\n";
	struct request_opts opts = { .headers = { "X-A: 1", "host: other" }, .header_count = 2 };
	struct targets targets = { 0 };
	char wrong[TARGET_WRONG_BYTES] = "", text[sizeof list];
	struct url url;

	cr_assert_eq(url_parse("http://h:81/", &url, wrong), 0);
	memcpy(text, list, sizeof list);
	cr_assert_eq(targets_add_list(&targets, &url, &opts, text, wrong), 0, "%s", wrong);
	cr_assert_eq(targets.count, 3);
	cr_assert_str_eq(targets.all[0].request,
		"GET /a HTTP/1.1\r\nUser-Agent: soon-load\r\nAccept: */*\r\nX-A: 1\r\nhost: "
		"other\r\n\r\n");
	cr_assert(targets.all[1].is_head);
	cr_assert_neq(strstr(targets.all[1].last, "\r\nConnection: close\r\n"), NULL);
	cr_assert_str_eq(targets.all[2].name, "PUT /d");
	targets_free(&targets);

	opts = (struct request_opts){ .body = { "abc", 3 }, .has_body = true };
	cr_assert_eq(targets_add(&targets, &url, &opts, wrong), 0);
	cr_assert_str_eq(targets.all[0].request,
		"POST / HTTP/1.1\r\nHost: h:81\r\nUser-Agent: soon-load\r\nAccept: */*\r\n"
		"Content-Length: 3\r\n\r\nabc");
	targets_free(&targets);

	for (const char *const *bad = (const char *const[]){ "", "x", "/a b c", "G(T /",
		     "CONNECT /", "http://h:82/", "https://h:81/", "/a\n/\x01", NULL };
		*bad != NULL; bad++) {
		(void)snprintf(text, sizeof text, "%s", *bad);
		cr_assert_eq(targets_add_list(&targets, &url, &opts, text, wrong), -EINVAL, "'%s'",
			*bad);
		targets_free(&targets);
	}
	cr_assert_neq(strstr(wrong, "line 2"), NULL, "%s", wrong);
}

SOON_TEST_PLAIN(load_target, statuses_and_headers)
{
	struct statuses statuses = { 0 };

	cr_assert(statuses_have(&statuses, 204));
	cr_assert_not(statuses_have(&statuses, 301));
	cr_assert_eq(statuses_parse("404,300-399", &statuses), 0);
	cr_assert(statuses_have(&statuses, 301) && statuses_have(&statuses, 404));
	cr_assert_not(statuses_have(&statuses, 200));
	for (const char *const *bad = (const char *const[]){ "", "99", "1000", "300-", "400-300",
		     "2xx", "200,", "1,2,3,4,5,6,7,8,9", NULL };
		*bad != NULL; bad++)
		cr_assert_eq(statuses_parse(*bad, &statuses), -EINVAL, "'%s'", *bad);

	cr_assert_null(header_wrong("X-A: b"));
	cr_assert_null(header_wrong("Authorization:"));
	for (const char *const *bad = (const char *const[]){ "", "X", ": x", "X A: y",
		     "X: a\r\nY: b", "Content-Length: 3", "connection: close", NULL };
		*bad != NULL; bad++)
		cr_assert_not_null(header_wrong(*bad), "'%s'", *bad);
}
