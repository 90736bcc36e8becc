// SPDX-License-Identifier: Apache-2.0
/*
 * signals.c: a service that ends in an orderly way at the first SIGTERM or SIGINT, at once at the
 * second. With an argument it waits for signals from outside; without, it sends them to itself.
 */
#include <soon/soon.h>

#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* A job that takes its time; it is told of a drain where it is idle, and of a cancel anywhere. */
static int serve(void *unused)
{
	int rc = 0;

	(void)unused;
	while (rc == 0)
		SOON_IDLE {
			rc = soon_sleep(SOON_MS(5));
		}
	printf("serve: drained, writes what is left\n");
	rc = soon_sleep(SOON_S(3600));
	printf("serve: %s\n", rc == -ECANCELED ? "cancelled" : "done");
	return rc;
}

struct stop {
	soon_group *tasks; /* NULL: they have ended */
	soon_signals *signals;
};

/* Until it is cancelled, when all others have ended: SIGHUP once more, SIGTERM twice. */
static int watch_signals(struct stop *stop)
{
	bool is_draining = false;
	int sig;

	while ((sig = soon_signals_next(stop->signals, NULL)) > 0 && stop->tasks) {
		if (sig == SIGHUP) {
			printf("SIGHUP: read the configuration, reopen the log\n");
			(void)!soon_log_reopen();
		} else if (!is_draining) {
			printf("%s: no more work, 10 s for what is under way\n", strsignal(sig));
			soon_group_drain(stop->tasks, SOON_S(10));
			is_draining = true;
		} else {
			printf("%s again: now\n", strsignal(sig));
			soon_group_cancel(stop->tasks, "a second signal");
		}
		(void)fflush(stdout);
	}
	return sig < 0 ? sig : 0;
}

static int send_to_self(void *unused)
{
	static const int sent[] = { SIGHUP, SIGTERM, SIGTERM };
	int rc = 0;

	(void)unused;
	for (size_t i = 0; i < sizeof sent / sizeof sent[0] && rc == 0; i++) {
		rc = soon_sleep(SOON_MS(50));
		if (rc == 0)
			(void)kill(getpid(), sent[i]);
	}
	return rc;
}

static int app(const char *mode)
{
	struct stop stop = { 0 };
	int rc = soon_signals_open(
		SOON_SIG(SIGTERM) | SOON_SIG(SIGINT) | SOON_SIG(SIGHUP), &stop.signals);

	if (rc < 0)
		return rc;
	printf("ready\n");
	(void)fflush(stdout);
	{
		SOON_GROUP(watch, .name = "watch");
		{
			SOON_GROUP(tasks, .name = "tasks");
			stop.tasks = &tasks;
			rc = soon_spawn(&watch, watch_signals, &stop);
			if (rc == 0 && !mode)
				rc = soon_spawn(&watch, send_to_self, NULL);
			if (rc == 0)
				rc = soon_spawn(&tasks, serve, NULL);
			rc = (int)soon_group_close(&tasks, rc);
			stop.tasks = NULL;
		}
		soon_group_cancel(&watch, "all has ended");
		rc = (int)soon_group_close(&watch, rc);
	}
	soon_signals_close(stop.signals);
	return rc;
}

int main(int argc, char **argv)
{
	int rc = soon_run(app, argc > 1 ? argv[1] : NULL);

	printf("run: %s\n", rc < 0 ? strerror(-rc) : "fine");
	return rc < 0;
}
