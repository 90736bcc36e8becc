// SPDX-License-Identifier: Apache-2.0
/*
 * The echo server on libevent's bufferevents, as its book shows it: the input is moved to the
 * output, not copied. The base is for one thread, and epoll's changes are gathered.
 */
#include "../../common/server.h"

#include <errno.h>
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <event2/listener.h>
#include <netinet/in.h>
#include <netinet/tcp.h>

static void on_read(struct bufferevent *conn, void *unused)
{
	(void)unused;
	(void)evbuffer_add_buffer(bufferevent_get_output(conn), bufferevent_get_input(conn));
}

static void on_event(struct bufferevent *conn, short events, void *unused)
{
	(void)unused;
	if ((events & (BEV_EVENT_EOF | BEV_EVENT_ERROR)) != 0)
		bufferevent_free(conn);
}

static void on_accept(struct evconnlistener *listener, evutil_socket_t fd, struct sockaddr *addr,
	int addr_bytes, void *unused)
{
	const int on = 1;
	struct bufferevent *conn;

	(void)addr;
	(void)addr_bytes;
	(void)unused;
	(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	conn = bufferevent_socket_new(evconnlistener_get_base(listener), fd, BEV_OPT_CLOSE_ON_FREE);
	if (conn == NULL)
		server_die("bufferevent_socket_new", -ENOMEM);
	bufferevent_setcb(conn, on_read, NULL, on_event, NULL);
	(void)bufferevent_enable(conn, EV_READ | EV_WRITE);
}

int main(int argc, char **argv)
{
	struct event_config *config = event_config_new();
	struct evconnlistener *listener;
	struct event_base *base;
	struct server_opts opts;

	server_parse(argc, argv, &opts);
	if (config == NULL)
		server_die("event_config_new", -ENOMEM);
	(void)event_config_set_flag(
		config, EVENT_BASE_FLAG_NOLOCK | EVENT_BASE_FLAG_EPOLL_USE_CHANGELIST);
	base = event_base_new_with_config(config);
	if (base == NULL)
		server_die("event_base_new", -ENOMEM);
	listener = evconnlistener_new(
		base, on_accept, NULL, LEV_OPT_CLOSE_ON_EXEC, 0, server_listen(&opts));
	if (listener == NULL)
		server_die("evconnlistener_new", -ENOMEM);
	return event_base_dispatch(base);
}
