// SPDX-License-Identifier: Apache-2.0
/*
 * http_conn_test.c: a connection from within: what happens without memory, under a cancel, with
 * wrong options; and what an idle connection holds. What clients see is in tests/e2e.
 */
#include "http_exchange.h"
#include "net_kit.h"

#include <stdio.h>

#define INPUT_LEN(text) (sizeof(text) - 1)

static char answer[65536];
static unsigned warnings;
static uint64_t body_bytes;
static soon_http_stats stats;

static int ok(soon_http_request *req, soon_http_response *res)
{
	(void)req;
	return soon_http_respond(res, 200, NULL, "ok", 2);
}

/* Needs memory wherever a handler can: for the body, and for more headers than have room. */
static int hungry(soon_http_request *req, soon_http_response *res)
{
	char value[300] = "";
	soon_slice body;
	int rc = soon_http_body_all(req, &body);

	memset(value, 'v', sizeof value);
	for (int i = 0; rc == 0 && i < 5; i++)
		rc = soon_http_header_add(res, "X", value, sizeof value);
	body_bytes = rc == 0 ? body.len : 0;
	return rc < 0 ? rc
		      : soon_http_respond(res, 200, NULL, body.ptr, body.len < 10 ? body.len : 10);
}

static int fails(soon_http_request *req, soon_http_response *res)
{
	(void)req, (void)res;
	return -EIO;
}

static int sleeps(soon_http_request *req, soon_http_response *res)
{
	(void)req, (void)res;
	return soon_sleep_until(SOON_NEVER);
}

/* As if so much of the body had come already that its bytes times 10^9 are beyond 64 bits. */
static int goes_on(soon_http_request *req, soon_http_response *res)
{
	char c;
	ssize_t n;

	req->body.received = body_bytes;
	n = soon_http_body_read(req, &c, 1);
	return n < 0 ? (int)n : soon_http_respond(res, 200, NULL, &c, 1);
}

static const soon_http_route routes[] = {
	{ .method = "POST", .pattern = "/goes-on", .handler = goes_on, .body_bytes_max = SIZE_MAX },
	{ .method = "GET", .pattern = "/ok", .handler = ok },
	{ .method = "POST", .pattern = "/a b", .handler = hungry },
	{ .method = "GET", .pattern = "/fails", .handler = fails },
	{ .method = "GET", .pattern = "/sleeps", .handler = sleeps },
};

static const soon_http_server server = {
	.routes = routes,
	.routes_count = sizeof routes / sizeof *routes,
	.stats = &stats,
};

static int count_warnings(const soon_report *report, void *unused)
{
	(void)unused;
	warnings += report->level == SOON_REPORT_WARNING;
	return 0;
}

/* Reads a plain socket to its end; `answer` ends in NUL. */
static size_t read_answer(int fd)
{
	size_t n = 0;
	ssize_t got;

	while ((got = soon_read(fd, answer + n, sizeof answer - 1 - n)) > 0)
		n += (size_t)got;
	answer[n] = '\0';
	return n;
}

/*
 * Serves one connection that brings all of `input` and then ends; the `fail_at`-th allocation in
 * it fails.
 */
static int serve_input(const char *input, size_t len, uint64_t fail_at)
{
	int peer, rc;
	soon_stream *s = raw_pair(&peer, NULL);

	cr_assert_eq(write(peer, input, len), (ssize_t)len);
	cr_assert_eq(shutdown(peer, SHUT_WR), 0);
	soon_mem_fail_at(fail_at);
	rc = soon_http_serve_stream(s, &server);
	soon_mem_fail_at(0);
	(void)!soon_stream_close(s);
	(void)read_answer(peer);
	cr_assert_eq(close(peer), 0);
	return rc;
}

static unsigned count_of(const char *needle)
{
	unsigned count = 0;

	for (const char *at = answer; (at = strstr(at, needle)) != NULL; at++)
		count++;
	return count;
}

static const char two[] = "POST /a%20b HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
			  "5\r\nhello\r\n0\r\n\r\nGET /ok HTTP/1.1\r\nHost: a\r\n\r\n";

NET_TEST(http_conn, serves)
{
	cr_expect_eq(serve_input(two, INPUT_LEN(two), 0), 0);
	cr_expect_eq(count_of("HTTP/1.1 200 OK\r\n"), 2);
	cr_expect_eq(count_of("hello"), 1);
	cr_expect_eq(body_bytes, 5);
	cr_expect_eq(stats.requests, 2);
	cr_expect_eq(stats.replies[2], 2);
}

/* Serves `input` with every allocation failing in turn, until there are no more. */
static void starve(const char *input, size_t len)
{
	unsigned refused = 0;
	bool is_clean = false;

	soon_on_report(count_warnings, NULL);
	for (uint64_t k = 1; !is_clean && k < 100; k++) {
		uint64_t before = soon_mem_count();
		int rc = serve_input(input, len, k);
		unsigned answers = count_of("HTTP/1.1 "), good = count_of(" 200 OK\r\n");
		unsigned bad = count_of(" 500 Internal") + count_of(" 503 Serv");

		cr_expect(rc == 0 || rc == -ENOMEM, "k %ju: %d", (uintmax_t)k, rc);
		cr_expect_eq(answers, good + bad);
		cr_expect_leq(answers, 2, "k %ju: %u answers", (uintmax_t)k, answers);
		refused += bad;
		is_clean = soon_mem_count() - before < k;
		if (is_clean)
			cr_expect_eq(good, 2);
	}
	cr_expect(is_clean);
	cr_expect_geq(refused, 2);
	soon_on_report(NULL, NULL);
}

/*
 * Each response is whole, of 200, 500 or 503, or the connection ends. Nothing leaks, and nothing
 * of a body is taken for a request.
 */
NET_TEST(http_conn, survives_every_want_of_memory)
{
	static const char ok_line[] = "GET /ok HTTP/1.1\r\nHost: a\r\n\r\n";
	static char input[65536];
	size_t n;

	starve(two, INPUT_LEN(two));
	n = (size_t)snprintf(input, sizeof input,
		"POST /a%%20b HTTP/1.1\r\nHost: a\r\nContent-Length: %zu\r\n\r\n",
		1000 * INPUT_LEN(ok_line));
	for (int i = 0; i <= 1000; i++, n += INPUT_LEN(ok_line))
		memcpy(input + n, ok_line, INPUT_LEN(ok_line));
	starve(input, n);
}

/* A handler's failure is told once a second where nobody asked to be told. */
NET_TEST(http_conn, reports_failures_in_moderation)
{
	static const char input[] = "GET /fails HTTP/1.1\r\nHost: a\r\n\r\n"
				    "GET /fails HTTP/1.1\r\nHost: a\r\n\r\n"
				    "GET /fails HTTP/1.1\r\nHost: a\r\n\r\n";

	soon_on_report(count_warnings, NULL);
	warnings = 0;
	cr_expect_eq(serve_input(input, INPUT_LEN(input), 0), 0);
	soon_on_report(NULL, NULL);
	cr_expect_eq(count_of("HTTP/1.1 500 Internal Server Error\r\n"), 3);
	cr_expect_eq(warnings, 1);
	cr_expect_eq(stats.failures, 3);
}

/* A cancel ends the connection without an answer; it is no failure of the handler. */
NET_TEST(http_conn, ends_under_a_cancel)
{
	static const char input[] = "GET /sleeps HTTP/1.1\r\nHost: a\r\n\r\n";
	int peer;
	soon_stream *s = raw_pair(&peer, NULL);

	cr_assert_eq(write(peer, input, INPUT_LEN(input)), (ssize_t)INPUT_LEN(input));
	cr_expect_eq(soon_within(SOON_MS(20), soon_http_serve_stream(s, &server)), -ETIMEDOUT);
	cr_expect_eq(stats.failures, 0);
	cr_expect_eq(soon_within(SOON_MS(20), soon_http_serve_stream(s, &server)), -ETIMEDOUT,
		"idle now");
	cr_expect_eq(soon_stream_close(s), 0);
	cr_expect_eq(read_answer(peer), 0);
	cr_assert_eq(close(peer), 0);
}

struct conn {
	struct soon__http_service *service;
	soon_stream *stream;
};

static int run_conn(struct conn *conn)
{
	return soon__http_conn_run(conn->service, conn->stream);
}

/* The exchange goes back before the wait for the next request, and is used again. */
NET_TEST(http_conn, idle_connections_hold_no_exchange)
{
	static const char input[] = "GET /ok HTTP/1.1\r\nHost: a\r\n\r\n";
	struct soon__http_service service;
	struct conn conns[3];
	int peers[3];

	cr_assert_eq(soon__http_service_init(&service, &server), 0);
	SOON_GROUP(g, .name = "conns");
	for (int i = 0; i < 3; i++) {
		conns[i] = (struct conn){ &service, raw_pair(&peers[i], NULL) };
		cr_assert_eq(soon_spawn(&g, run_conn, &conns[i]), 0);
	}
	for (int round = 0; round < 3; round++) {
		for (int i = 0; i < 3; i++) {
			ssize_t n;

			n = soon_write(peers[i], input, INPUT_LEN(input));
			cr_assert_eq(n, (ssize_t)INPUT_LEN(input));
			n = soon_read(peers[i], answer, sizeof answer - 1);
			cr_assert_gt(n, 0);
			answer[n] = '\0';
			cr_expect_eq(count_of("\r\n\r\nok"), 1);
		}
		/* They were busy one after another, so one exchange did for all. */
		cr_expect_eq(service.free_count, 1);
	}
	for (int i = 0; i < 3; i++)
		cr_assert_eq(shutdown(peers[i], SHUT_WR), 0);
	cr_assert_eq(soon_group_close(&g, 0), 0);
	for (int i = 0; i < 3; i++) {
		cr_expect_eq(soon_stream_close(conns[i].stream), 0);
		cr_assert_eq(close(peers[i]), 0);
	}
	soon__http_service_fini(&service);
}

static void check_refused(const soon_http_server *wrong)
{
	int peer;
	soon_stream *s = raw_pair(&peer, NULL);

	soon_test_reports_expected++;
	cr_expect_eq(soon_http_serve_stream(s, wrong), -EINVAL);
	soon_test_reports_expected++;
	cr_expect_eq(soon_http_serve(wrong), -EINVAL);
	cr_expect_eq(soon_stream_close(s), 0);
	cr_assert_eq(close(peer), 0);
}

NET_TEST(http_conn, refuses_wrong_options)
{
	static const soon_http_route wrong = { .method = "GET", .pattern = "x", .handler = ok };
	soon_http_server tried = server;

	check_refused(&(soon_http_server){ .routes = NULL });
	check_refused(&(soon_http_server){ .routes = &wrong, .routes_count = 1 });
	tried.limits.headers_count = 101;
	check_refused(&tried);
	tried = server;
	tried.limits.reply_head_bytes = 32769;
	check_refused(&tried);
	tried = server;
	tried.limits.headers_bytes = (size_t)1 << 40;
	check_refused(&tried);
	tried = server;
	tried.limits.request_line_bytes = (size_t)1 << 40;
	check_refused(&tried);
}

struct upload {
	soon_stream *stream;
	const soon_http_server *server;
};

static int serve_upload(struct upload *upload)
{
	return soon_http_serve_stream(upload->stream, upload->server);
}

/* What came in time is to a client's credit, however much it is. */
static void check_rate(uint64_t received, size_t rate)
{
	static const char head[] = "POST /goes-on HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\n";
	soon_http_server tried = server;
	struct upload upload = { .server = &tried };
	int peer;

	upload.stream = raw_pair(&peer, NULL);
	tried.timeouts.body_grace = SOON_US(1);
	tried.timeouts.body_rate = rate;
	body_bytes = received;
	SOON_GROUP(g, .name = "upload");
	cr_assert_eq(soon_spawn(&g, serve_upload, &upload), 0);
	put(peer, head);
	cr_assert_eq(soon_sleep(SOON_MS(20)), 0);
	put(peer, "x");
	cr_assert_eq(shutdown(peer, SHUT_WR), 0);
	cr_assert_eq(soon_group_close(&g, 0), 0);
	cr_expect_eq(soon_stream_close(upload.stream), 0);
	(void)read_answer(peer);
	cr_expect_eq(count_of("HTTP/1.1 200 OK\r\n"), 1, "after %ju bytes", (uintmax_t)received);
	cr_assert_eq(close(peer), 0);
}

NET_TEST(http_conn, a_very_large_body_keeps_its_credit)
{
	check_rate(UINT64_C(18446744074), 1024);
	check_rate(UINT64_C(18446744074), 1);
	check_rate(UINT64_MAX - 1, 1);
	check_rate(UINT64_MAX - 1, 1024);
}

/* Limits beyond what the stream gathers end in an answer, not in a wait. */
NET_TEST(http_conn, a_head_larger_than_the_stream_takes)
{
	static char input[8000] = "GET /ok HTTP/1.1\r\nHost: a\r\nX: ";
	int peer;
	soon_stream *s = raw_pair(&peer, &(soon_stream_opts){ .in_bytes_max = 4096 });

	memset(input + strlen(input), 'x', sizeof input - strlen(input));
	cr_assert_eq(write(peer, input, sizeof input), (ssize_t)sizeof input);
	cr_assert_eq(shutdown(peer, SHUT_WR), 0);
	cr_expect_eq(soon_http_serve_stream(s, &server), 0);
	cr_expect_eq(soon_stream_close(s), 0);
	(void)read_answer(peer);
	cr_expect_eq(count_of("HTTP/1.1 431 "), 1);
	cr_assert_eq(close(peer), 0);
}
