// SPDX-License-Identifier: Apache-2.0
/* echo.c: gives every client its bytes back; one task a connection, an orderly end on SIGTERM. */
#include <soon/soon.h>

static int echo(soon_stream *conn, void *unused)
{
	char buf[4096];
	ssize_t n = 0;

	(void)unused;
	do {
		SOON_IDLE {
			n = soon_within(SOON_S(30), soon_stream_read(conn, buf, sizeof buf));
		}
	} while (n > 0 && (n = soon_stream_write(conn, buf, (size_t)n)) > 0);
	return (int)n;
}

static int app(const char *where)
{
	soon_service service = { .handle = echo };
	SOON_GROUP(g, .name = "echo");
	int rc = soon_listen(where, NULL, &service.listener);

	if (rc == 0 && (rc = soon_spawn(&g, soon_serve, &service)) == 0 &&
		(rc = soon_signal_wait(SIGTERM, SIGINT, 0)) > 0) {
		soon_group_drain(&g, SOON_S(10)); /* connections have 10 s to finish */
		rc = 0;
	}
	rc = (int)soon_group_close(&g, rc);
	soon_listener_close(service.listener);
	return rc;
}

int main(int argc, char **argv)
{
	return soon_run(app, argc > 1 ? argv[1] : "127.0.0.1:7000") < 0;
}
