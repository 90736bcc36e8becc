// SPDX-License-Identifier: Apache-2.0
/* hello.c: the smallest HTTP service: try `curl 127.0.0.1:8080/hello/you`. */
#include <soon/soon.h>

static int hello(soon_http_request *req, soon_http_response *res)
{
	soon_slice name = soon_http_param(req, "name");

	return soon_http_respond(res, 200, "text/plain", name.ptr, name.len);
}

static int app(const char *where)
{
	static const soon_http_route routes[] = { { "GET", "/hello/:name", hello, NULL, 0 } };
	soon_http_server server = { .routes = routes, .routes_count = 1 };
	SOON_GROUP(g);
	int rc = soon_listen(where, NULL, &server.listener);

	if (rc == 0 && (rc = soon_spawn(&g, soon_http_serve, &server)) == 0 &&
		(rc = soon_signal_wait(SIGTERM, SIGINT, 0)) > 0)
		soon_group_drain(&g, SOON_S(10)); /* requests under way have 10 s to finish */
	rc = (int)soon_group_close(&g, rc < 0 ? rc : 0);
	soon_listener_close(server.listener);
	return rc;
}

int main(void)
{
	return soon_run(app, "127.0.0.1:8080") < 0;
}
