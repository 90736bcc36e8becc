// SPDX-License-Identifier: Apache-2.0
/*
 * HTTP by h2o as a library, with its own event loop: a handler in C, as the server's own modules
 * are. The program that Debian packages beside it has no other way to answer without a file.
 */
#include "../../common/server.h"

#include <errno.h>
#include <h2o.h>
#include <h2o/http1.h>

#define HELLO "Hello, World!"

static h2o_globalconf_t config;
static h2o_context_t context;
static h2o_accept_ctx_t accept_ctx;

static int on_hello(h2o_handler_t *handler, h2o_req_t *req)
{
	(void)handler;
	if (!h2o_memis(req->method.base, req->method.len, H2O_STRLIT("GET")))
		return -1;
	req->res.status = 200;
	req->res.reason = "OK";
	req->res.content_length = sizeof(HELLO) - 1;
	h2o_add_header(&req->pool, &req->res.headers, H2O_TOKEN_CONTENT_TYPE, NULL,
		H2O_STRLIT("text/plain"));
	h2o_send_inline(req, H2O_STRLIT(HELLO));
	return 0;
}

static void on_accept(h2o_socket_t *listener, const char *err)
{
	h2o_socket_t *socket;

	if (err != NULL)
		return;
	while ((socket = h2o_evloop_socket_accept(listener)) != NULL)
		h2o_accept(&accept_ctx, socket);
}

int main(int argc, char **argv)
{
	h2o_hostconf_t *host;
	h2o_socket_t *listener;
	struct server_opts opts;

	server_parse(argc, argv, &opts);
	h2o_config_init(&config);
	config.http1.req_timeout = 3600 * UINT64_C(1000); /* idle connections stay, as in nginx */
	host = h2o_config_register_host(&config, h2o_iovec_init(H2O_STRLIT("default")), 65535);
	h2o_create_handler(h2o_config_register_path(host, "/", 0), sizeof(h2o_handler_t))->on_req =
		on_hello;
	h2o_context_init(&context, h2o_evloop_create(), &config);
	accept_ctx = (h2o_accept_ctx_t){ .ctx = &context, .hosts = config.hosts };
	listener = h2o_evloop_socket_create(
		context.loop, server_listen(&opts), H2O_SOCKET_FLAG_DONT_READ);
	h2o_socket_read_start(listener, on_accept);
	while (h2o_evloop_run(context.loop, INT32_MAX) == 0)
		continue;
	return 1;
}
