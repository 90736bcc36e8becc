// SPDX-License-Identifier: Apache-2.0
/*
 * handover_new.c: a new version of examples/handover that does not come to life.
 *
 *	handover_new HOW WHERE
 *
 * It listens as that one does and serves on every core at once, but answers nonsense: no client may
 * ever hear of it. HOW is what it does next: `fail` ends in order, `crash` aborts, `hang` waits for
 * its end. `deaf` does not listen, and says that it is ready.
 */
#include <soon/soon.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* So that clients come while it could accept them, if it did. */
#define LIFE SOON_MS(100)

static const char *how;

static int talk(soon_stream *conn, void *unused)
{
	ssize_t rc = soon_stream_write(conn, "0 nonsense\n", 11);

	(void)unused;
	return rc < 0 ? (int)rc : 0;
}

static int serve_core(soon_listener *listener, void *unused)
{
	soon_service service = { .listener = listener, .handle = talk };

	(void)unused;
	return soon_serve(&service);
}

static int app(const char *where)
{
	soon_listen_opts opts = { .name = strcmp(how, "deaf") == 0 ? NULL : "lines" };
	soon_cores_service service = { .serve = serve_core };
	SOON_GROUP(g, .name = "handover");
	int rc = soon_listen(opts.name != NULL ? where : "127.0.0.1:0", &opts, &service.listener);

	if (rc == 0)
		rc = soon_spawn(&g, soon_serve_on_cores, &service);
	if (rc == 0 && strcmp(how, "deaf") == 0) {
		(void)fprintf(stderr, "deaf: %d\n", (int)getpid());
		rc = soon_notify_ready();
	}
	if (rc >= 0)
		rc = soon_sleep(
			strcmp(how, "fail") == 0 || strcmp(how, "crash") == 0 ? LIFE : SOON_S(60));
	if (rc == 0 && strcmp(how, "crash") == 0)
		abort();
	if (rc == 0)
		rc = soon_fail(-EIO, "on purpose");
	rc = (int)soon_group_close(&g, rc);
	soon_listener_close(service.listener);
	return rc;
}

int main(int argc, char **argv)
{
	if (argc != 3)
		return 2;
	how = argv[1];
	return soon_run(app, argv[2]) < 0 ? 7 : 0;
}
