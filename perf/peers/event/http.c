// SPDX-License-Identifier: Apache-2.0
/* HTTP by evhttp, libevent's own server. */
#include "../../common/server.h"

#include <errno.h>
#include <event2/buffer.h>
#include <event2/event.h>
#include <event2/http.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#define HELLO "Hello, World!"

static void on_hello(struct evhttp_request *request, void *unused)
{
	struct evbuffer *body = evhttp_request_get_output_buffer(request);

	(void)unused;
	(void)evhttp_add_header(
		evhttp_request_get_output_headers(request), "Content-Type", "text/plain");
	(void)evbuffer_add_reference(body, HELLO, sizeof(HELLO) - 1, NULL, NULL);
	evhttp_send_reply(request, HTTP_OK, "OK", NULL);
}

int main(int argc, char **argv)
{
	struct event_config *config = event_config_new();
	struct event_base *base;
	struct server_opts opts;
	struct evhttp *http;
	const int on = 1;
	int fd;

	server_parse(argc, argv, &opts);
	if (config == NULL)
		server_die("event_config_new", -ENOMEM);
	(void)event_config_set_flag(
		config, EVENT_BASE_FLAG_NOLOCK | EVENT_BASE_FLAG_EPOLL_USE_CHANGELIST);
	base = event_base_new_with_config(config);
	http = base == NULL ? NULL : evhttp_new(base);
	if (http == NULL)
		server_die("evhttp_new", -ENOMEM);
	evhttp_set_allowed_methods(http, EVHTTP_REQ_GET);
	fd = server_listen(&opts);
	/* Inherited by what is accepted; evhttp itself leaves it off. */
	(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	if (evhttp_set_cb(http, "/", on_hello, NULL) != 0 || evhttp_accept_socket(http, fd) != 0)
		server_die("evhttp", -EINVAL);
	return event_base_dispatch(base);
}
