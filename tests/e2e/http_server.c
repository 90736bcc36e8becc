// SPDX-License-Identifier: Apache-2.0
/*
 * http_server.c: a server for the end-to-end tests of HTTP, with a route for each thing that a
 * handler can do. `http_server [name=value ...]` sets limits and timeouts (in milliseconds) by
 * their names; prints its port; SIGTERM drains it, and at the end it prints its counters.
 */
#include <soon/soon.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { CORES_MAX = 8 };

/* What each core counts, by its index. */
static soon_http_stats stats[CORES_MAX];
static soon_service_stats service_stats[CORES_MAX];
static unsigned failures_told; /* on the first one */
static unsigned cores = 1;
static unsigned uneven_max;
static char filler[65536];

static int64_t number(const soon_http_request *req, const char *name)
{
	char text[32];

	if (soon_http_query_value(req, name, text, sizeof text) < 0)
		return -1;
	return strtoll(text, NULL, 10);
}

static int text(soon_http_response *res, const char *body)
{
	return soon_http_respond(res, 200, "text/plain", body, strlen(body));
}

static int hello(soon_http_request *req, soon_http_response *res)
{
	(void)req;
	return text(res, "hello\n");
}

static int param(soon_http_request *req, soon_http_response *res)
{
	soon_slice value = soon_http_param(req, "value");

	return soon_http_respond(res, 200, "text/plain", value.ptr, value.len);
}

/* Tells how it understood the request line and the headers. */
static int look(soon_http_request *req, soon_http_response *res)
{
	soon_slice path = soon_http_path(req), query = soon_http_query(req), name, value;
	soon_slice target = soon_http_target(req), host = soon_http_header(req, "hOsT");
	char line[512];
	int n = snprintf(line, sizeof line, "%s %.*s\npath %.*s\nquery %.*s\nhost %.*s\nminor %d\n",
		soon_http_method(req), (int)target.len, target.ptr, (int)path.len, path.ptr,
		(int)query.len, query.ptr ? query.ptr : "", (int)host.len, host.ptr ? host.ptr : "",
		soon_http_minor(req));
	int rc = soon_http_respond_begin(res, 200, "text/plain", SOON_HTTP_UNKNOWN);

	if (rc == 0)
		rc = (int)soon_http_write(res, line, (size_t)n);
	for (size_t i = 0; rc >= 0 && soon_http_header_at(req, i, &name, &value); i++) {
		n = snprintf(line, sizeof line, "%.*s=%.*s\n", (int)name.len, name.ptr,
			(int)value.len, value.ptr);
		rc = (int)soon_http_write(res, line, (size_t)n);
	}
	return rc < 0 ? rc : soon_http_respond_end(res);
}

static int echo(soon_http_request *req, soon_http_response *res)
{
	soon_slice body, again;
	int rc = soon_http_body_all(req, &body);

	if (rc < 0)
		return rc;
	rc = soon_http_body_all(req, &again);
	if (rc < 0 || again.ptr != body.ptr || again.len != body.len)
		return -EPROTO;
	return soon_http_respond(res, 200, "application/octet-stream", body.ptr, body.len);
}

/* Sends every piece back as it comes. */
static int stream(soon_http_request *req, soon_http_response *res)
{
	char piece[1000];
	ssize_t n = soon_http_respond_begin(res, 200, "text/plain", SOON_HTTP_UNKNOWN);

	while (n >= 0 && (n = soon_http_body_read(req, piece, sizeof piece)) > 0)
		n = soon_http_write(res, piece, (size_t)n);
	return n < 0 ? (int)n : soon_http_respond_end(res);
}

/* Counts the body, ten bytes at a time, and the rest at once. */
static int count(soon_http_request *req, soon_http_response *res)
{
	char piece[10], line[64];
	soon_slice rest;
	ssize_t n = soon_http_body_read(req, piece, sizeof piece);
	int rc = n < 0 ? (int)n : soon_http_body_all(req, &rest);

	if (rc < 0)
		return rc;
	(void)snprintf(line, sizeof line, "%zu\n", (size_t)n + rest.len);
	return text(res, line);
}

/* /bytes?n=: n bytes; in pieces of `piece`, with a Content-Length if `length` is given. */
static int bytes(soon_http_request *req, soon_http_response *res)
{
	int64_t n = number(req, "n"), piece = number(req, "piece");
	ssize_t rc;

	if (piece <= 0) {
		char *all = n > (int64_t)sizeof filler ? soon_malloc((size_t)n) : filler;

		if (!all)
			return -ENOMEM;
		if (all != filler)
			memset(all, 'x', (size_t)n);
		rc = soon_http_respond(res, 200, "text/plain", all, (size_t)n);
		if (all != filler)
			soon_free(all);
		return (int)rc;
	}
	rc = soon_http_respond_begin(
		res, 200, "text/plain", number(req, "length") > 0 ? n : SOON_HTTP_UNKNOWN);
	for (; rc >= 0 && n > 0; n -= piece)
		rc = soon_http_write(res, filler, (size_t)(n < piece ? n : piece));
	return (int)(rc < 0 ? rc : soon_http_respond_end(res));
}

static int ignore(soon_http_request *req, soon_http_response *res)
{
	(void)req;
	return text(res, "ignored\n");
}

static int fail(soon_http_request *req, soon_http_response *res)
{
	(void)req;
	if (soon_http_header_add(res, "X-Secret", "of the handler", 14) < 0)
		return -EPROTO;
	return soon_fail(-EIO, "a detail that is nobody's business");
}

static int silent(soon_http_request *req, soon_http_response *res)
{
	(void)req, (void)res;
	return 0;
}

static int half(soon_http_request *req, soon_http_response *res)
{
	int64_t length = number(req, "length");
	ssize_t rc = soon_http_respond_begin(
		res, 200, "text/plain", length > 0 ? length : SOON_HTTP_UNKNOWN);

	if (rc == 0)
		rc = soon_http_write(res, "half", 4);
	return rc < 0 ? (int)rc : -EIO;
}

/* Leaves the end to the server. */
static int open_end(soon_http_request *req, soon_http_response *res)
{
	ssize_t rc = soon_http_respond_begin(res, 200, "text/plain", SOON_HTTP_UNKNOWN);

	(void)req;
	if (rc == 0)
		rc = soon_http_write(res, "open", 4);
	return rc < 0 ? (int)rc : 0;
}

static int nap(soon_http_request *req, soon_http_response *res)
{
	int rc = soon_sleep(SOON_MS(number(req, "ms")));

	return rc < 0 ? rc : text(res, "rested\n");
}

/* Everything that the interface for responses refuses; answers with what it got. */
static int misuse(soon_http_request *req, soon_http_response *res)
{
	static char huge[20000];
	char line[256];
	int crlf = soon_http_header_add(res, "A", "b\r\nc: d", 7);
	int nul = soon_http_header_add(res, "A", "b\0c", 3);
	int name = soon_http_header_add(res, "A b", "c", 1);
	int empty = soon_http_header_add(res, "", "c", 1);
	int framing = soon_http_header_add(res, "Content-Length", "3", 1);
	int early = (int)soon_http_write(res, "x", 1), ended = soon_http_respond_end(res);
	int status = soon_http_respond(res, 199, NULL, NULL, 0);
	int type = soon_http_respond(res, 200, "a\nb", NULL, 0);
	int large, twice, late;

	(void)req;
	memset(huge, 'h', sizeof huge);
	large = soon_http_header_add(res, "Huge", huge, sizeof huge);
	(void)snprintf(line, sizeof line, "%d %d %d %d %d %d %d %d %d %d\n", crlf, nul, name, empty,
		framing, early, ended, status, type, large);
	if (text(res, line) < 0)
		return -EPROTO;
	twice = text(res, line);
	late = soon_http_header_add(res, "A", "b", 1);
	return twice == -EALREADY && late == -EALREADY ? 0 : -EPROTO;
}

static int more_than_announced(soon_http_request *req, soon_http_response *res)
{
	int rc = soon_http_respond_begin(res, 200, NULL, 4);

	(void)req;
	if (rc == 0 && soon_http_write(res, "12345", 5) != -E2BIG)
		return -EPROTO;
	if (rc == 0 && soon_http_respond_end(res) != -EPROTO)
		return -EPROTO;
	if (rc == 0)
		rc = (int)soon_http_write(res, "1234", 4);
	return rc < 0 ? rc : soon_http_respond_end(res);
}

static int headers(soon_http_request *req, soon_http_response *res)
{
	char value[100];
	int rc = 0;

	(void)req;
	memset(value, 'v', sizeof value);
	for (int i = 0; rc == 0 && i < 20; i++)
		rc = soon_http_header_add(res, "X-Many", value, sizeof value);
	return rc < 0 ? rc : soon_http_respond(res, 299, NULL, "", 0);
}

static int none(soon_http_request *req, soon_http_response *res)
{
	(void)req;
	return soon_http_respond(res, 204, NULL, "not sent", 8);
}

static int counters(soon_http_request *req, soon_http_response *res)
{
	unsigned here = soon_core_index(NULL);
	char line[256];

	(void)req; /* what this core has counted */
	(void)snprintf(line, sizeof line,
		"requests %ju refused %ju failures %ju told %u live %ju\n",
		(uintmax_t)stats[here].requests, (uintmax_t)stats[here].refused,
		(uintmax_t)stats[here].failures, failures_told,
		(uintmax_t)service_stats[here].live);
	return text(res, line);
}

static const soon_http_route routes[] = {
	{ .method = "GET", .pattern = "/", .handler = hello },
	{ .method = "GET", .pattern = "/hello/:value", .handler = param },
	{ .method = "GET", .pattern = "/files/*value", .handler = param },
	{ .method = NULL, .pattern = "/look/*any", .handler = look },
	{ .method = "POST", .pattern = "/echo", .handler = echo },
	{ .method = "POST", .pattern = "/small", .handler = echo, .body_bytes_max = 10 },
	{ .method = "POST", .pattern = "/stream", .handler = stream },
	{ .method = "POST", .pattern = "/count", .handler = count },
	{ .method = "POST", .pattern = "/ignore", .handler = ignore },
	{ .method = "GET", .pattern = "/bytes", .handler = bytes },
	{ .method = "GET", .pattern = "/fail", .handler = fail },
	{ .method = "GET", .pattern = "/silent", .handler = silent },
	{ .method = "GET", .pattern = "/half", .handler = half },
	{ .method = "GET", .pattern = "/open", .handler = open_end },
	{ .method = "GET", .pattern = "/sleep", .handler = nap },
	{ .method = "GET", .pattern = "/misuse", .handler = misuse },
	{ .method = "GET", .pattern = "/more", .handler = more_than_announced },
	{ .method = "GET", .pattern = "/headers", .handler = headers },
	{ .method = "GET", .pattern = "/none", .handler = none },
	{ .method = "GET", .pattern = "/counters", .handler = counters },
};

static void on_failure(void *arg, soon_http_request *req, int rc)
{
	(void)arg, (void)req, (void)rc;
	failures_told++;
}

static soon_http_server server = {
	.routes = routes,
	.routes_count = sizeof routes / sizeof routes[0],
	.on_failure = on_failure,
};

/* cert=FILE and key=FILE: HTTPS. */
static soon_tls_cert cert;

/* One core's part. */
static int serve(soon_listener *listener, void *unused)
{
	soon_http_server own = server;

	(void)unused;
	own.listener = listener;
	own.stats = &stats[soon_core_index(NULL)];
	own.service_stats = &service_stats[soon_core_index(NULL)];
	return soon_http_serve(&own);
}

static bool set(const char *arg)
{
	const char *equals = strchr(arg, '=');
	int64_t value = equals ? strtoll(equals + 1, NULL, 10) : 0;
	size_t len = equals ? (size_t)(equals - arg) : 0;

	if (len == 5 && memcmp(arg, "cores", len) == 0 && value > 0 && value <= CORES_MAX) {
		cores = (unsigned)value;
		return true;
	}
	if (len == 4 && memcmp(arg, "cert", len) == 0) {
		cert.chain_file = equals + 1;
		return true;
	}
	if (len == 3 && memcmp(arg, "key", len) == 0) {
		cert.key_file = equals + 1;
		return true;
	}
	if (len == 10 && memcmp(arg, "uneven_max", len) == 0) {
		uneven_max = (unsigned)value;
		return true;
	}
#define SET(name, field, unit)                                                                     \
	if (len == sizeof(name) - 1 && memcmp(arg, name, len) == 0) {                              \
		server.field = unit(value);                                                        \
		return true;                                                                       \
	}
	SET("header", timeouts.header, SOON_MS)
	SET("idle", timeouts.idle, SOON_MS)
	SET("body_grace", timeouts.body_grace, SOON_MS)
	SET("body_rate", timeouts.body_rate, (size_t))
	SET("send_idle", timeouts.send_idle, SOON_MS)
	SET("linger", timeouts.linger, SOON_MS)
	SET("conns_max", conns_max, (unsigned))
	SET("json", errors_as_json, (bool))
	SET("unread", limits.unread_bytes, (size_t))
#undef SET
	return false;
}

static int end(int rc)
{
	uintmax_t accepted = 0, requests = 0, replies = 0, idlest = UINTMAX_MAX;

	for (unsigned i = 0; i < cores; i++) {
		accepted += service_stats[i].accepted;
		requests += stats[i].requests;
		if (stats[i].requests < idlest)
			idlest = stats[i].requests;
		for (unsigned class = 2; class <= 5; class ++)
			replies += stats[i].replies[class];
	}
	(void)printf("end %d accepted %ju requests %ju replies %ju reports %ju idlest %ju\n", rc,
		accepted, requests, replies, (uintmax_t)soon_report_errors(), idlest);
	return rc;
}

static int app(void *unused)
{
	SOON_GROUP(g, .name = "http");
	soon_listen_opts opts = { .reuse_port = cores > 1 };
	soon_cores_service service = { .serve = serve, .uneven_max = uneven_max };
	soon_addr addr;
	soon_tls_opts tls_opts = { .certs = &cert, .certs_count = 1, .alpn = "http/1.1" };
	int rc = cert.chain_file != NULL ? soon_tls_server(&tls_opts, &server.tls) : 0;

	(void)unused;
	if (rc < 0)
		(void)fprintf(stderr, "%s\n", soon_fail_message());
	if (rc == 0)
		rc = soon_listen("127.0.0.1:0", &opts, &service.listener);
	if (rc == 0) {
		soon_listener_addr(service.listener, &addr);
		(void)printf("port %u\n", soon_addr_port(&addr));
		(void)fflush(stdout);
		rc = soon_spawn(&g, soon_serve_on_cores, &service);
	}
	if (rc == 0 && (rc = soon_signal_wait(SIGTERM, SIGINT, 0)) > 0) {
		soon_group_drain(&g, SOON_S(5));
		rc = 0;
	}
	rc = (int)soon_group_close(&g, rc);
	soon_listener_close(service.listener);
	soon_tls_free(server.tls);
	return end(rc);
}

int main(int argc, char **argv)
{
	for (int i = 1; i < argc; i++) {
		if (!set(argv[i])) {
			(void)fprintf(stderr, "http_server: what is '%s'?\n", argv[i]);
			return 2;
		}
	}
	memset(filler, 'x', sizeof filler);
	return soon_run_with(&(soon_opts){ .cores = cores }, app, NULL) < 0;
}
