// SPDX-License-Identifier: Apache-2.0
/*
 * cores.c: a service on several cores, with counters that are each core's own, and what a failure
 * on one of them means. See docs/guide/multi-core-services.md.
 */
#include <soon/soon.h>

#include <stdio.h>
#include <string.h>

enum { CORES = 2, CLIENTS = 8 };

/* What a core counts is its own: it is written by one thread, and added up when all have ended. */
struct tally {
	soon_service_stats stats[CORES];
};

static int shout(soon_stream *conn, void *unused)
{
	char line[128];
	ssize_t n = 0;

	(void)unused;
	do {
		SOON_IDLE {
			n = soon_stream_read_until(conn, "\n", line, sizeof line);
		}
		for (ssize_t i = 0; i < n; i++)
			line[i] = (char)(line[i] >= 'a' && line[i] <= 'z' ? line[i] - 32 : line[i]);
	} while (n > 0 && (n = soon_stream_write(conn, line, (size_t)n)) > 0);
	return (int)n;
}

/* One core's part, on each core with a listener of its own. */
static int serve_one(soon_listener *listener, void *arg)
{
	struct tally *tally = arg;
	soon_service service = {
		.listener = listener,
		.handle = shout,
		.stats = &tally->stats[soon_core_index(NULL)],
	};

	return soon_serve(&service);
}

static int talk(const char *where)
{
	char answer[16];
	soon_stream *stream;
	ssize_t n = soon_dial(where, NULL, &stream);

	if (n < 0)
		return (int)n;
	SOON_STREAM_OWN(stream);
	n = soon_stream_write(stream, "hello\n", 6);
	if (n > 0)
		n = soon_stream_read_until(stream, "\n", answer, sizeof answer);
	return n == 6 && memcmp(answer, "HELLO\n", 6) == 0 ? 0 : -EPROTO;
}

static int talk_to_all(soon_listener *listener)
{
	char where[SOON_ADDR_TEXT_BYTES];
	soon_addr addr;
	int rc = 0;
	SOON_GROUP(clients);

	soon_listener_addr(listener, &addr);
	soon_addr_format(&addr, where);
	for (int i = 0; rc == 0 && i < CLIENTS; i++)
		rc = soon_spawn(&clients, talk, (const char *)where);
	return (int)soon_group_close(&clients, rc);
}

/* Listens, serves on all cores, and ends by a drain that reaches all of them. */
static int serve_all(struct tally *tally)
{
	soon_listen_opts opts = { .reuse_port = true };
	soon_cores_service service = { .serve = serve_one, .arg = tally };
	SOON_GROUP(g);
	int rc = soon_listen("127.0.0.1:0", &opts, &service.listener);

	if (rc == 0)
		rc = soon_spawn(&g, soon_serve_on_cores, &service);
	if (rc == 0)
		rc = talk_to_all(service.listener); /* a service waits for a signal here */
	if (rc == 0)
		soon_group_drain(&g, SOON_S(10));
	rc = (int)soon_group_close(&g, rc);
	soon_listener_close(service.listener);
	return rc;
}

static int set_up(int *seen)
{
	seen[soon_core_index(NULL)] = 1; /* each its own place */
	return 0;
}

static int fail_on_last(void *unused)
{
	(void)unused;
	if (soon_core_index(NULL) + 1 < soon_core_count())
		return soon_sleep(SOON_S(3600)); /* cancelled when the other fails */
	return soon_fail(-EIO, "core %u has no disk", soon_core_index(NULL));
}

static int app(void *unused)
{
	struct tally tally = { 0 };
	int seen[CORES] = { 0 };
	int rc = serve_all(&tally);

	(void)unused;
	printf("served: %d, %d connections\n", rc,
		(int)(tally.stats[0].accepted + tally.stats[1].accepted));
	rc = soon_on_each_core(set_up, seen);
	printf("on each: %d, %d and %d\n", rc, seen[0], seen[1]);
	rc = soon_on_each_core(fail_on_last, NULL);
	printf("one fails: %s, %s\n", strerrorname_np(-rc), soon_fail_message());
	return 0;
}

int main(void)
{
	soon_opts opts = { .cores = CORES, .no_pin = true };

	return soon_run_with(&opts, app, NULL) < 0;
}
