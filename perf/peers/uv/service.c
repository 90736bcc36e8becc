// SPDX-License-Identifier: Apache-2.0
/* See service.h. */
#include "service.h"

#include "../../common/server.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define BACKLOG_COUNT 4096
#define INPUT_BYTES   (64u * 1024u) /* what libuv suggests */

static const struct service *served;
static char input[INPUT_BYTES]; /* used up in each read callback, so one is enough */

struct rest {
	uv_write_t request; /* first */
	char bytes[];
};

static void check(const char *what, int err)
{
	if (err < 0)
		server_die(what, err); /* libuv's errors are negative errno */
}

static void on_alloc(uv_handle_t *handle, size_t suggested_bytes, uv_buf_t *ret_buf)
{
	(void)handle;
	(void)suggested_bytes;
	*ret_buf = uv_buf_init(input, sizeof(input));
}

static void on_read(uv_stream_t *stream, ssize_t count, const uv_buf_t *buf)
{
	struct conn *conn = (struct conn *)stream;

	if (count > 0)
		served->on_read(conn, buf->base, (size_t)count);
	else if (count < 0)
		conn_close(conn);
}

static void on_closed(uv_handle_t *handle)
{
	free(handle);
}

void conn_close(struct conn *conn)
{
	uv_handle_t *handle = (uv_handle_t *)&conn->tcp;

	if (!uv_is_closing(handle))
		uv_close(handle, on_closed);
}

static void on_written(uv_write_t *request, int err)
{
	uv_stream_t *stream = request->handle;

	free(request);
	if (err < 0)
		conn_close((struct conn *)stream);
	else if (uv_stream_get_write_queue_size(stream) == 0)
		(void)uv_read_start(stream, on_alloc, on_read);
}

static void write_later(uv_stream_t *stream, const char *bytes, size_t count)
{
	struct rest *rest = malloc(sizeof(*rest) + count);
	uv_buf_t buf;

	if (rest == NULL)
		server_die("malloc", -ENOMEM);
	memcpy(rest->bytes, bytes, count);
	buf = uv_buf_init(rest->bytes, (unsigned)count);
	(void)uv_read_stop(stream);
	if (uv_write(&rest->request, stream, &buf, 1, on_written) < 0) {
		free(rest);
		conn_close((struct conn *)stream);
	}
}

void conn_write(struct conn *conn, const char *bytes, size_t count)
{
	uv_stream_t *stream = (uv_stream_t *)&conn->tcp;
	uv_buf_t buf = uv_buf_init((char *)(uintptr_t)bytes, (unsigned)count);
	int written = uv_try_write(stream, &buf, 1);

	if (written == UV_EAGAIN)
		written = 0;
	if (written < 0)
		conn_close(conn);
	else if ((size_t)written < count)
		write_later(stream, bytes + written, count - (size_t)written);
}

static void on_connection(uv_stream_t *listener, int err)
{
	struct conn *conn;

	check("accept", err);
	conn = malloc(served->conn_bytes);
	if (conn == NULL)
		server_die("malloc", -ENOMEM);
	check("uv_tcp_init", uv_tcp_init(listener->loop, &conn->tcp));
	check("uv_accept", uv_accept(listener, (uv_stream_t *)&conn->tcp));
	(void)uv_tcp_nodelay(&conn->tcp, 1);
	if (served->on_open != NULL)
		served->on_open(conn);
	check("uv_read_start", uv_read_start((uv_stream_t *)&conn->tcp, on_alloc, on_read));
}

int service_main(int argc, char **argv, const struct service *service)
{
	uv_loop_t *loop = uv_default_loop();
	struct server_opts opts;
	uv_tcp_t listener;

	served = service;
	server_parse(argc, argv, &opts);
	check("uv_tcp_init", uv_tcp_init(loop, &listener));
	check("uv_tcp_open", uv_tcp_open(&listener, server_listen(&opts)));
	check("uv_listen", uv_listen((uv_stream_t *)&listener, BACKLOG_COUNT, on_connection));
	return uv_run(loop, UV_RUN_DEFAULT);
}
