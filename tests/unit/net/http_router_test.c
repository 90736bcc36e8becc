// SPDX-License-Identifier: Apache-2.0
#include "http_router.h"

#include <soon/mem.h>

#include "http1/head.h"
#include "support/harness.h"

#include <string.h>

static int nothing(soon_http_request *req, soon_http_response *res)
{
	(void)req, (void)res;
	return 0;
}

static const soon_http_route routes[] = {
	{ "GET", "/:code", nothing, NULL, 0 },
	{ "GET", "/", nothing, NULL, 0 },
	{ "GET", "/api/links", nothing, NULL, 0 },
	{ "POST", "/api/links", nothing, NULL, 0 },
	{ "DELETE", "/api/links/:id", nothing, NULL, 0 },
	{ "GET", "/api/:kind/count", nothing, NULL, 0 },
	{ "GET", "/api/links/:id/tags/:tag", nothing, NULL, 0 },
	{ "GET", "/static/*path", nothing, NULL, 0 },
	{ NULL, "/any", nothing, NULL, 0 },
	{ "PUT", "/any", nothing, NULL, 0 },
	{ "HEAD", "/headed", nothing, NULL, 0 },
	{ "GET", "/headed", nothing, NULL, 0 },
	{ "GET", "/trail/", nothing, NULL, 0 },
};
#define ROUTES_COUNT (sizeof routes / sizeof routes[0])

static struct soon__http_router router;
static struct soon__http_match match;

/* The pattern that a path finds; "404", or "405". */
static const char *find(const char *method, const char *path)
{
	soon__http_router_find(&router, soon__http_method_number(method),
		(soon_slice){ path, strlen(path) }, &match);
	if (match.route)
		return match.route->pattern;
	return match.node == 0 ? "404" : "405";
}

static bool is_param(const char *name, const char *value)
{
	soon_slice found = soon__http_match_param(&match, name);

	if (!value)
		return !found.ptr;
	return found.ptr && found.len == strlen(value) && memcmp(found.ptr, value, found.len) == 0;
}

SOON_TEST_PLAIN(http_router, finds)
{
	cr_assert_eq(soon__http_router_init(&router, routes, ROUTES_COUNT), 0);
	cr_assert_str_eq(find("GET", "/"), "/");
	cr_assert_str_eq(find("GET", "/x"), "/:code");
	cr_assert(is_param("code", "x"));
	cr_assert(is_param("cod", NULL));
	cr_assert(is_param("codes", NULL));
	cr_assert_str_eq(find("GET", "/api"), "/:code");
	cr_assert_str_eq(find("GET", "/api/links"), "/api/links");
	cr_assert_str_eq(match.route->method, "GET");
	cr_assert_str_eq(find("POST", "/api/links"), "/api/links");
	cr_assert_str_eq(match.route->method, "POST");
	cr_assert_str_eq(find("DELETE", "/api/links/7"), "/api/links/:id");
	cr_assert(is_param("id", "7"));
	cr_assert_str_eq(find("GET", "/api/links/7/tags/red"), "/api/links/:id/tags/:tag");
	cr_assert(is_param("id", "7"));
	cr_assert(is_param("tag", "red"));
	cr_assert_str_eq(find("GET", "/static/"), "/static/*path");
	cr_assert(is_param("path", ""));
	cr_assert_str_eq(find("GET", "/static/a/b//c"), "/static/*path");
	cr_assert(is_param("path", "a/b//c"));
	cr_assert_str_eq(find("GET", "/static"), "/:code");
	cr_assert_str_eq(find("GET", "/trail/"), "/trail/");
	cr_assert_str_eq(find("GET", "/trail"), "/:code");
	cr_assert_str_eq(find("GET", "/trail/x"), "404");
	cr_assert_str_eq(find("GET", "//"), "404");
	cr_assert_str_eq(find("GET", "/x/"), "404");
	cr_assert_str_eq(find("GET", "/a/b/c/d/e/f/g/h/i/j/k/l/m/n/o/p/q/r/s/t"), "404");
	soon__http_router_fini(&router);
}

/* "/api/links/:id" has no GET; the search goes back to "/api/:kind". */
SOON_TEST_PLAIN(http_router, goes_back)
{
	cr_assert_eq(soon__http_router_init(&router, routes, ROUTES_COUNT), 0);
	cr_assert_str_eq(find("DELETE", "/api/links/count"), "/api/links/:id");
	cr_assert_str_eq(find("GET", "/api/links/count"), "/api/:kind/count");
	cr_assert(is_param("kind", "links"));
	cr_assert_str_eq(find("PUT", "/api/links/count"), "405");
	cr_assert_str_eq(find("GET", "/api/other/count"), "/api/:kind/count");
	cr_assert(is_param("kind", "other"));
	soon__http_router_fini(&router);

	static const soon_http_route deep[] = {
		{ "GET", "/a/b/c", nothing, NULL, 0 },
		{ "GET", "/a/:x/d", nothing, NULL, 0 },
		{ "GET", "/:y/b/e", nothing, NULL, 0 },
		{ "GET", "/*all", nothing, NULL, 0 },
	};

	cr_assert_eq(soon__http_router_init(&router, deep, 4), 0);
	cr_assert_str_eq(find("GET", "/a/b/c"), "/a/b/c");
	cr_assert_str_eq(find("GET", "/a/b/d"), "/a/:x/d");
	cr_assert(is_param("x", "b"));
	cr_assert_str_eq(find("GET", "/a/b/e"), "/:y/b/e");
	cr_assert(is_param("y", "a"));
	cr_assert_eq(match.params_count, 1);
	cr_assert_str_eq(find("GET", "/a/b/f"), "/*all");
	cr_assert(is_param("all", "a/b/f"));
	cr_assert_str_eq(find("GET", "/a/b/c/d/e/f/g/h/i/j/k/l/m/n/o/p/q"), "/*all");
	cr_assert_str_eq(find("GET", "/"), "/*all");
	soon__http_router_fini(&router);
}

SOON_TEST_PLAIN(http_router, methods)
{
	char allow[SOON__HTTP_ALLOW_BYTES + 1];

	cr_assert_eq(soon__http_router_init(&router, routes, ROUTES_COUNT), 0);
	cr_assert_str_eq(find("HEAD", "/api/links"), "/api/links");
	cr_assert_str_eq(match.route->method, "GET");
	cr_assert_str_eq(find("HEAD", "/headed"), "/headed");
	cr_assert_str_eq(match.route->method, "HEAD");
	cr_assert_str_eq(find("PUT", "/any"), "/any");
	cr_assert_str_eq(match.route->method, "PUT");
	cr_assert_str_eq(find("OPTIONS", "/any"), "/any");
	cr_assert_null(match.route->method);
	cr_assert_str_eq(find("PATCH", "/api/links"), "405");
	allow[soon__http_router_allow(&router, match.node, allow)] = '\0';
	cr_assert_str_eq(allow, "GET, HEAD, POST, OPTIONS");
	cr_assert_str_eq(find("PUT", "/api/links/7"), "405");
	allow[soon__http_router_allow(&router, match.node, allow)] = '\0';
	cr_assert_str_eq(allow, "DELETE, OPTIONS");
	allow[soon__http_router_allow(&router, 0, allow)] = '\0';
	cr_assert(strstr(allow, "PROPFIND"), "the server takes every method at /any: %s", allow);
	cr_assert(!strstr(allow, "CONNECT"));
	soon__http_router_fini(&router);
}

static void check_refused(const char *method, const char *pattern, soon_http_handler handler)
{
	soon_http_route route = { method, pattern, handler, NULL, 0 };

	soon_test_reports_expected++;
	cr_assert_eq(soon__http_router_init(&router, &route, 1), -EINVAL, "%s", pattern);
	cr_assert_eq(soon_report_errors(), soon_test_reports_expected);
}

SOON_TEST_PLAIN(http_router, refuses)
{
	soon_http_route twice[] = { { "GET", "/:a", nothing, NULL, 0 },
		{ "GET", "/:b", nothing, NULL, 0 } };

	check_refused("GET", NULL, nothing);
	check_refused("GET", "", nothing);
	check_refused("GET", "a", nothing);
	check_refused("GET", "/:", nothing);
	check_refused("GET", "/*", nothing);
	check_refused("GET", "/*a/b", nothing);
	check_refused("GET", "/a/b/c/d/e/f/g/h/i/j/k/l/m/n/o/p/q", nothing);
	check_refused("GET", "/:a/:b/:c/:d/:e/:f/:g/:h/:i", nothing);
	check_refused("BREW", "/", nothing);
	check_refused("get", "/", nothing);
	check_refused("GET", "/", NULL);
	soon_test_reports_expected += 2;
	cr_assert_eq(soon__http_router_init(&router, twice, 2), -EINVAL);
	cr_assert_eq(soon__http_router_init(&router, NULL, 0), -EINVAL);
}

SOON_TEST_PLAIN(http_router, survives_want_of_memory)
{
	for (uint64_t k = 1; k <= 2; k++) {
		soon_mem_fail_at(k);
		cr_assert_eq(soon__http_router_init(&router, routes, ROUTES_COUNT), -ENOMEM);
		soon_mem_fail_at(0);
	}
}
