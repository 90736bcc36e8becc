// SPDX-License-Identifier: Apache-2.0
/*
 * The echo server as a user of soon would write it: one task for each connection, plain blocking
 * style, a deadline on every read. --no-deadline leaves the deadline out, to see what it costs.
 */
#include <soon/scope.h>
#include <soon/service.h>
#include <soon/stream.h>
#include <soon/time.h>

#include "service.h"

#define BUFFER_BYTES 512

static int echo(soon_stream *conn, void *unused)
{
	char buffer[BUFFER_BYTES];
	ssize_t count;

	(void)unused;
	while ((count = soon_within(SOON_S(30), soon_stream_read(conn, buffer, sizeof(buffer)))) >
		0) {
		count = soon_stream_write(conn, buffer, (size_t)count);
		if (count < 0)
			break;
	}
	return (int)count;
}

static int echo_without_deadline(soon_stream *conn, void *unused)
{
	char buffer[BUFFER_BYTES];
	ssize_t count;

	(void)unused;
	while ((count = soon_stream_read(conn, buffer, sizeof(buffer))) > 0) {
		count = soon_stream_write(conn, buffer, (size_t)count);
		if (count < 0)
			break;
	}
	return (int)count;
}

static int serve(soon_listener *listener, const struct service *service)
{
	return soon_serve(&(soon_service){
		.listener = listener,
		.handle = service->opts->is_deadline_off ? echo_without_deadline : echo,
		.name = "echo",
	});
}

int main(int argc, char **argv)
{
	struct server_opts opts;

	server_parse(argc, argv, &opts);
	return service_main(&(struct service){ .opts = &opts, .serve = serve });
}
