// SPDX-License-Identifier: Apache-2.0
/*
 * links: a URL shortener. One core serves HTTP; SQLite runs on threads, see store.c.
 *
 * Read from the bottom: main(), then app(), then the routes. A handler reads as if it blocked; it
 * does not: while it waits, others run. One that fails without an answer makes a plain 500.
 */
#include "store.h"

#include <argp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ROW    " code, url, clicks "
#define NEWEST "SELECT" ROW "FROM links ORDER BY rowid DESC LIMIT 100"
#define VISIT  "UPDATE links SET clicks = clicks + 1 WHERE code = ?1 RETURNING" ROW
#define REMOVE "DELETE FROM links WHERE code = ?1 RETURNING" ROW

static soon_http_stats http_stats;
static soon_service_stats service_stats;

/* Answers with a JSON value, and releases it. */
static int answer(soon_http_response *res, int status, json_t *json)
{
	char *text = json_dumps(json, JSON_COMPACT);
	int rc = -ENOMEM;

	if (text)
		rc = soon_http_respond(res, status, "application/json", text, strlen(text));
	free(text);
	json_decref(json);
	return rc;
}

static int problem(soon_http_response *res, int status, const char *text)
{
	return answer(res, status, json_pack("{s:i, s:s}", "status", status, "error", text));
}

/* Visits a link, which is counted, or removes it. */
static int one_link(soon_http_request *req, soon_http_response *res)
{
	soon_slice param = soon_http_param(req, "code");
	bool is_removal = strcmp(soon_http_method(req), "DELETE") == 0;
	char code[32];
	struct query query = { .store = soon_http_arg(req), .code = code };
	const char *url;
	int rc;

	(void)snprintf(code, sizeof code, "%.*s", (int)param.len, param.ptr);
	query.sql = is_removal ? REMOVE : VISIT;
	rc = soon_offload(store_query, &query);
	url = json_string_value(json_object_get(json_array_get(query.rows, 0), "url"));
	if (rc == 0 && !url)
		rc = problem(res, 404, "no such link");
	else if (rc == 0 && is_removal)
		rc = soon_http_respond(res, 204, NULL, NULL, 0);
	else if (rc == 0 && (rc = soon_http_header_add(res, "Location", url, strlen(url))) == 0)
		rc = soon_http_respond(res, 302, NULL, NULL, 0);
	json_decref(query.rows);
	return rc;
}

static int list_links(soon_http_request *req, soon_http_response *res)
{
	struct query query = { .store = soon_http_arg(req), .sql = NEWEST };
	int rc = soon_offload(store_query, &query);

	if (rc == 0)
		rc = answer(res, 200, json_pack("{s:O}", "links", query.rows));
	json_decref(query.rows);
	return rc;
}

/* Takes JSON from programs and answers with JSON, or the form of the page, and leads back to it. */
static int create_link(soon_http_request *req, soon_http_response *res)
{
	struct query query = { .store = soon_http_arg(req) };
	bool is_form = strcmp(soon_http_matched(req)->pattern, "/") == 0;
	char url[URL_BYTES_MAX + 1] = "";
	int rc = soon_http_body_all(req, &query.json);

	if (rc == 0 && is_form) {
		(void)!soon_http_form_value(query.json, "url", url, sizeof url);
		query.url = url; /* empty if there was none that fits, which is no URL */
	}
	if (rc == 0)
		rc = soon_offload(store_create, &query);
	if (rc > 0)
		rc = problem(res, rc, "wanted: {\"url\": \"...\"}, an http or https URL");
	else if (rc == 0 && !is_form)
		rc = answer(res, 201, json_incref(json_array_get(query.rows, 0)));
	else if (rc == 0 && (rc = soon_http_header_add(res, "Location", "/", 1)) == 0)
		rc = soon_http_respond(res, 303, NULL, NULL, 0);
	json_decref(query.rows);
	return rc;
}

/* Writes a row of the page. The URL is a stranger's: what means something in HTML is escaped. */
static ssize_t put_row(soon_http_response *res, const json_t *link)
{
	const char *code = json_string_value(json_object_get(link, "code"));
	const char *url = json_string_value(json_object_get(link, "url"));
	long long clicks = json_integer_value(json_object_get(link, "clicks"));
	char text[128];
	int n = snprintf(
		text, sizeof text, "<tr><td><a href=/%s>%s</a><td>%lld<td>", code, code, clicks);
	ssize_t rc = soon_http_write(res, text, (size_t)n);

	while (rc >= 0 && *url != '\0') {
		size_t plain = strcspn(url, "<>&\"'");

		rc = soon_http_write(res, url, plain);
		url += plain;
		if (rc >= 0 && *url != '\0') {
			n = snprintf(text, sizeof text, "&#%d;", *url++);
			rc = soon_http_write(res, text, (size_t)n);
		}
	}
	return rc;
}

static int page(soon_http_request *req, soon_http_response *res)
{
	static const char csp[] =
		"default-src 'none'; style-src 'unsafe-inline'; form-action 'self'";
	static const char top[] =
		"<!doctype html><title>links</title><style>body{font:1em sans-serif;margin:2em}"
		"td{padding:.2em 1em;word-break:break-all}input{width:30em}</style><h1>links</h1>"
		"<form method=post><input name=url type=url placeholder=https:// required> "
		"<button>Shorten</button></form><table><tr><th>code<th>clicks<th>leads to";
	struct query query = { .store = soon_http_arg(req), .sql = NEWEST };
	ssize_t rc = soon_offload(store_query, &query);

	if (rc == 0)
		rc = soon_http_header_add(res, "Content-Security-Policy", csp, sizeof csp - 1);
	if (rc == 0)
		rc = soon_http_respond_begin(
			res, 200, "text/html; charset=utf-8", SOON_HTTP_UNKNOWN);
	if (rc == 0)
		rc = soon_http_write(res, top, sizeof top - 1);
	for (size_t i = 0; rc >= 0 && i < json_array_size(query.rows); i++)
		rc = put_row(res, json_array_get(query.rows, i));
	json_decref(query.rows);
	return rc < 0 ? (int)rc : (int)soon_http_write(res, "</table>\n", 9);
}

static int health(soon_http_request *req, soon_http_response *res)
{
	(void)req;
	return soon_http_respond(res, 200, "text/plain", "ok\n", 3);
}

/* In the text format of Prometheus. */
static int metrics(soon_http_request *req, soon_http_response *res)
{
	const uint64_t *replies = http_stats.replies;
	const char *why;
	const char *backend = soon_io_backend(&why) == SOON_IO_URING ? "io_uring" : "epoll";
	char text[1280]; /* thirteen lines, each well below 90 bytes */
	int n = snprintf(text, sizeof text,
		"# TYPE soon_io_backend gauge\n"
		"soon_io_backend{backend=\"%s\",reason=\"%s\"} 1\n"
		"# TYPE links_http_requests_total counter\nlinks_http_requests_total %ju\n"
		"# TYPE links_http_replies_total counter\n"
		"links_http_replies_total{class=\"2xx\"} %ju\n"
		"links_http_replies_total{class=\"3xx\"} %ju\n"
		"links_http_replies_total{class=\"4xx\"} %ju\n"
		"links_http_replies_total{class=\"5xx\"} %ju\n"
		"# TYPE links_connections_total counter\nlinks_connections_total %ju\n"
		"# TYPE links_connections gauge\nlinks_connections %ju\n",
		backend, why, http_stats.requests, replies[2], replies[3], replies[4], replies[5],
		service_stats.accepted, service_stats.live);

	(void)req;
	return soon_http_respond(res, 200, "text/plain; version=0.0.4", text, (size_t)n);
}

static const soon_http_route routes[] = {
	{ .method = "GET", .pattern = "/", .handler = page },
	{ .method = "POST", .pattern = "/", .handler = create_link },
	{ .method = "GET", .pattern = "/api/links", .handler = list_links },
	{ .method = "POST", .pattern = "/api/links", .handler = create_link },
	{ .method = "DELETE", .pattern = "/api/links/:code", .handler = one_link },
	{ .method = "GET", .pattern = "/healthz", .handler = health },
	{ .method = "GET", .pattern = "/metrics", .handler = metrics },
	{ .method = "GET", .pattern = "/:code", .handler = one_link },
};

struct options {
	const char *address;
	int port;
	struct store store;
};

/* Listens on the port that was asked for, on a free one if that is taken. */
static int listen_somewhere(const struct options *options, soon_listener **ret_listener)
{
	soon_listen_opts opts = { .name = "http" }; /* of deploy/links.socket, if it is used */
	char where[SOON_ADDR_TEXT_BYTES];
	soon_addr addr;
	int rc;

	(void)snprintf(where, sizeof where, "%s:%d", options->address, options->port);
	rc = soon_listen(where, &opts, ret_listener);
	if (rc == -EADDRINUSE) {
		(void)printf("links: port %d is taken, using a free one\n", options->port);
		(void)snprintf(where, sizeof where, "%s:0", options->address);
		rc = soon_listen(where, &opts, ret_listener);
	}
	if (rc < 0)
		return rc;
	soon_listener_addr(*ret_listener, &addr);
	(void)soon_addr_format(&addr, where);
	(void)printf("links: serving http://%s/   try:\n"
		     "  curl -d '{\"url\":\"https://www.kernel.org/\"}' http://%s/api/links\n"
		     "  curl http://%s/api/links\n  curl http://%s/metrics\n",
		where, where, where, where);
	return fflush(stdout) == 0 ? 0 : -EIO;
}

static int app(struct options *options)
{
	soon_http_server server = {
		.routes = routes,
		.routes_count = sizeof routes / sizeof routes[0],
		.arg = &options->store,
		.limits.body_bytes = 8192,
		.errors_as_json = true,
		.stats = &http_stats,
		.service_stats = &service_stats,
	};
	SOON_GROUP(g, .name = "links");
	int rc = soon_offload(store_open, &options->store);

	if (rc == 0)
		rc = listen_somewhere(options, &server.listener);
	if (rc == 0)
		rc = soon_spawn(&g, soon_http_serve, &server);
	if (rc == 0)
		rc = soon_notify_ready(); /* where a service manager asked for it */
	if (rc >= 0 && (rc = soon_signal_wait(SIGTERM, SIGINT, 0)) > 0)
		soon_group_drain(&g, SOON_S(10)); /* idle connections end now, busy ones finish */
	rc = (int)soon_group_close(&g, rc < 0 ? rc : 0);
	soon_listener_close(server.listener);
	(void)!soon_offload(sqlite3_close, options->store.db);
	return rc;
}

static error_t take_option(int key, char *arg, struct argp_state *state)
{
	struct options *options = state->input;

	if (key == 'p')
		options->port = strspn(arg, "0123456789") == strlen(arg) ? atoi(arg) : -1;
	else if (key == 'a')
		options->address = arg;
	else if (key == 'd')
		options->store.path = arg;
	if (options->port < 0 || options->port > 65535)
		argp_error(state, "'%s' is no port", arg);
	return key == 'a' || key == 'p' || key == 'd' ? 0 : ARGP_ERR_UNKNOWN;
}

int main(int argc, char **argv)
{
	static const struct argp_option known[] = {
		{ "address", 'a', "ADDRESS", 0, "where to listen (127.0.0.1)", 0 },
		{ "port", 'p', "PORT", 0, "port to listen on (8080)", 0 },
		{ "db", 'd', "FILE", 0, "where the links are kept (links.db)", 0 },
		{ 0 },
	};
	static const struct argp argp = { known, take_option, NULL, "A URL shortener.", 0, 0, 0 };
	struct options options = { .address = "127.0.0.1", .port = 8080, .store.path = "links.db" };

	(void)argp_parse(&argp, argc, argv, 0, NULL, &options);
	return soon_run(app, &options) < 0;
}
