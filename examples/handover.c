// SPDX-License-Identifier: Apache-2.0
/*
 * handover: a service on every core that is replaced without refusing a connection.
 *
 *	handover 127.0.0.1:7000 &        answers each line with it and the number of the process
 *	kill -HUP $!                     starts the program anew, which takes over
 *	kill -TERM PID                   finishes what is under way, and ends
 *
 * It also runs as a unit of systemd, with or without a .socket unit: see deploy/.
 */
#include <soon/soon.h>

#include <stdio.h>
#include <unistd.h>

/* Answers one line. Returns: how long it was; 0 at the end. */
static ssize_t answer(soon_stream *conn)
{
	char line[256], text[300];
	ssize_t n = soon_within(SOON_S(30), soon_stream_read_until(conn, "\n", line, sizeof line));

	if (n <= 0)
		return n;
	int len = snprintf(text, sizeof text, "%d %.*s", (int)getpid(), (int)n, line);
	ssize_t rc = soon_stream_write(conn, text, (size_t)len);
	return rc < 0 ? rc : n;
}

/*
 * Between two lines a connection is idle, and a drain may end it. Before the first it is not: who
 * has just connected is about to ask, and is to be answered.
 */
static int talk(soon_stream *conn, void *unused)
{
	ssize_t n = answer(conn);

	(void)unused;
	while (n > 0) {
		SOON_IDLE {
			n = answer(conn);
		}
	}
	return (int)n;
}

static int serve_core(soon_listener *listener, void *unused)
{
	soon_service service = { .listener = listener, .handle = talk };

	(void)unused;
	return soon_serve(&service);
}

/* Takes signals until it is time to end. */
static int until_the_end(soon_signals *signals, soon_listener *listener)
{
	soon_listener *const listeners[] = { listener };
	soon_handover handover = {
		.listeners = listeners, .listeners_count = 1, .ready_timeout = SOON_S(10)
	};
	int signo;

	while ((signo = soon_signals_next(signals, NULL)) == SIGHUP)
		if (soon_handover_run(&handover) > 0) /* if not, a report says why: go on */
			return 0;
	(void)!soon_notify_stopping(); /* a failure was reported, and changes nothing */
	return signo < 0 ? signo : 0;
}

static int app(const char *where)
{
	soon_listen_opts opts = { .name = "lines", .reuse_port = true };
	soon_cores_service service = { .serve = serve_core };
	uint64_t set = SOON_SIG(SIGHUP) | SOON_SIG(SIGTERM) | SOON_SIG(SIGINT);
	soon_signals *signals = NULL;
	SOON_GROUP(g, .name = "handover");
	int rc = soon_listen(where, &opts, &service.listener);

	if (rc == 0)
		rc = soon_signals_open(
			set, &signals); /* before anybody is told where to send them */
	if (rc == 0)
		rc = soon_spawn(&g, soon_serve_on_cores, &service);
	if (rc == 0)
		rc = soon_notify_watchdog();
	if (rc >= 0)
		rc = soon_notify_ready();
	if (rc >= 0)
		rc = until_the_end(signals, service.listener);
	if (rc == 0)
		soon_group_drain(&g, SOON_S(10));
	rc = (int)soon_group_close(&g, rc < 0 ? rc : 0);
	soon_listener_close(service.listener);
	soon_signals_close(signals);
	return rc;
}

int main(int argc, char **argv)
{
	return soon_run(app, argc > 1 ? argv[1] : "127.0.0.1:7000") < 0;
}
