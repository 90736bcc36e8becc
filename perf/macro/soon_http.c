// SPDX-License-Identifier: Apache-2.0
/*
 * soon's HTTP server with its limits and timeouts as shipped, answering the same 13 bytes as
 * nginx's `return 200`. Holding idle connections it is also the service of the idle row.
 */
#include <soon/http.h>

#include "service.h"

#define HELLO "Hello, World!"

static int hello(soon_http_request *request, soon_http_response *response)
{
	(void)request;
	return soon_http_respond(response, 200, "text/plain", HELLO, sizeof(HELLO) - 1);
}

static int serve(soon_listener *listener, const struct service *service)
{
	static const soon_http_route routes[] = {
		{ .method = "GET", .pattern = "/", .handler = hello },
	};

	return soon_http_serve(&(soon_http_server){
		.listener = listener,
		.tls = service->tls,
		.routes = routes,
		.routes_count = sizeof(routes) / sizeof(routes[0]),
	});
}

int main(int argc, char **argv)
{
	struct server_opts opts;

	server_parse(argc, argv, &opts);
	return service_main(&(struct service){ .opts = &opts, .serve = serve });
}
