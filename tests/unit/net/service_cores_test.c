// SPDX-License-Identifier: Apache-2.0
/* service_cores_test.c: one service on several cores: where connections go, and how all end. */
#include "net_kit.h"

#include <stdatomic.h>
#include <stdio.h>
#include <sys/resource.h>

enum { CORES = 2, CLIENTS = 64 };

static struct {
	atomic_uint conns[CORES]; /* that each core had */
	atomic_uint begun, ended; /* parts that were called, and that returned */
	atomic_int drained;       /* connections that ended by a drain */
	soon_service_stats stats[CORES];
} seen;

/* Echoes bytes; between them it is idle. */
static int echo(soon_stream *conn, void *unused)
{
	char buf[64];
	ssize_t n = 0;

	(void)unused;
	atomic_fetch_add(&seen.conns[soon_core_index(NULL)], 1);
	do {
		SOON_IDLE {
			n = soon_stream_read(conn, buf, sizeof buf);
		}
		if (n == -ECANCELED)
			atomic_fetch_add(&seen.drained, 1);
	} while (n > 0 && (n = soon_stream_write(conn, buf, (size_t)n)) > 0);
	return (int)n;
}

static int serve(soon_listener *listener, void *arg)
{
	soon_service service = {
		.listener = listener,
		.handle = echo,
		.stats = &seen.stats[soon_core_index(NULL)],
	};
	int rc;

	(void)arg;
	atomic_fetch_add(&seen.begun, 1);
	rc = soon_serve(&service);
	atomic_fetch_add(&seen.ended, 1);
	return rc;
}

static int talk(const char *where)
{
	char answer[8];
	soon_stream *stream;
	int rc = soon_dial(where, NULL, &stream);

	if (rc < 0)
		return rc;
	rc = (int)soon_stream_write(stream, "hello\n", 6);
	if (rc == 6)
		rc = (int)soon_stream_read_exact(stream, answer, 6, NULL);
	soon_stream_abort(stream);
	return rc == 6 ? 0 : -EPROTO;
}

static void talk_from_all(const char *where)
{
	SOON_GROUP(clients);

	for (int i = 0; i < CLIENTS; i++)
		cr_assert_eq(soon_spawn(&clients, talk, where), 0);
	cr_assert_eq(soon_group_close(&clients, 0), 0);
}

/* Serves `where` on all cores, talks to it and drains it. */
static void serve_and_talk(const char *where, bool reuse_port)
{
	soon_listen_opts opts = { .reuse_port = reuse_port };
	soon_cores_service service = { .serve = serve };
	char text[SOON_ADDR_TEXT_BYTES];
	soon_stream *idle;
	soon_addr addr;
	SOON_GROUP(g);

	cr_assert_eq(soon_listen(where, &opts, &service.listener), 0);
	soon_listener_addr(service.listener, &addr);
	soon_addr_format(&addr, text);
	cr_assert_eq(soon_spawn(&g, soon_serve_on_cores, &service), 0);
	while (atomic_load(&seen.begun) < CORES)
		cr_assert_eq(soon_sleep(SOON_MS(1)), 0);
	talk_from_all(text);
	cr_assert_eq(soon_dial(text, NULL, &idle), 0);
	cr_assert_eq(soon_stream_write(idle, "x", 1), 1);
	cr_assert_eq(soon_stream_read_exact(idle, text, 1, NULL), 1);
	soon_group_drain(&g, SOON_S(20));
	cr_assert_eq(soon_group_close(&g, 0), 0);
	soon_stream_abort(idle);
	soon_listener_close(service.listener);
	cr_assert_eq(seen.ended, CORES);
	cr_assert_geq(seen.drained, 1); /* and who has not seen its peer go yet */
	cr_assert_eq(seen.conns[0] + seen.conns[1], CLIENTS + 1);
	cr_assert_eq(seen.stats[0].accepted, seen.conns[0]);
	cr_assert_eq(seen.stats[1].accepted, seen.conns[1]);
}

static int over_tcp(void *unused)
{
	(void)unused;
	serve_and_talk("127.0.0.1:0", true);
	/* A hash decides; that all of 65 fall on one side is not to be expected in any life. */
	cr_assert_gt(seen.conns[0], 0);
	cr_assert_gt(seen.conns[1], 0);
	return 0;
}

SOON_TEST_PLAIN(service_cores, each_has_a_socket_on_the_same_port)
{
	soon_opts opts = { .cores = CORES };

	cr_assert_eq(soon_run_with(&opts, over_tcp, NULL), 0);
}

static int over_one_socket(void *unused)
{
	(void)unused;
	serve_and_talk("127.0.0.1:0", false);
	return 0;
}

SOON_TEST_PLAIN(service_cores, without_reuse_port_one_socket_is_shared)
{
	soon_opts opts = { .cores = CORES };

	cr_assert_eq(soon_run_with(&opts, over_one_socket, NULL), 0);
}

static int over_unix(void *unused)
{
	(void)unused;
	serve_and_talk("unix:/tmp/soon-service-cores-test", true);
	cr_assert_neq(access("/tmp/soon-service-cores-test", F_OK), 0);
	return 0;
}

SOON_TEST_PLAIN(service_cores, a_unix_socket_is_shared_and_its_file_removed)
{
	soon_opts opts = { .cores = CORES };

	cr_assert_eq(soon_run_with(&opts, over_unix, NULL), 0);
}

static int fail_on_second(soon_listener *listener, void *unused)
{
	(void)unused;
	if (soon_core_index(NULL) == 1)
		return soon_fail(-EIO, "no disk on the second");
	return serve(listener, NULL);
}

static int with_failure(void *unused)
{
	soon_listen_opts opts = { .reuse_port = true };
	soon_cores_service service = { .serve = fail_on_second };

	(void)unused;
	cr_assert_eq(soon_listen("127.0.0.1:0", &opts, &service.listener), 0);
	cr_assert_eq(soon_serve_on_cores(&service), -EIO);
	cr_assert_str_eq(soon_fail_message(), "no disk on the second");
	cr_assert_eq(seen.ended, 1);
	soon_listener_close(service.listener);
	return 0;
}

SOON_TEST_PLAIN(service_cores, a_failure_of_one_ends_all)
{
	soon_opts opts = { .cores = CORES };

	cr_assert_eq(soon_run_with(&opts, with_failure, NULL), 0);
}

static int with_cancel(void *unused)
{
	soon_listen_opts opts = { .reuse_port = true };
	soon_cores_service service = { .serve = serve };

	(void)unused;
	cr_assert_eq(soon_listen("127.0.0.1:0", &opts, &service.listener), 0);
	cr_assert_eq(soon_within(SOON_MS(30), soon_serve_on_cores(&service)), -ETIMEDOUT);
	cr_assert_eq(seen.ended, CORES);
	soon_listener_close(service.listener);
	return 0;
}

SOON_TEST_PLAIN(service_cores, a_cancel_reaches_all)
{
	soon_opts opts = { .cores = CORES };

	cr_assert_eq(soon_run_with(&opts, with_cancel, NULL), 0);
}

NET_TEST(service_cores, on_one_core_it_is_a_call)
{
	soon_cores_service service = { .serve = serve };

	cr_assert_eq(soon_core_count(), 1);
	cr_assert_eq(soon_listen("127.0.0.1:0", NULL, &service.listener), 0);
	cr_assert_eq(soon_within(SOON_MS(10), soon_serve_on_cores(&service)), -ETIMEDOUT);
	cr_assert_eq(seen.ended, 1);
	soon_listener_close(service.listener);
}

/* A ring needs descriptors: without any the first use of a second core fails; a later does not. */
static int without_descriptors(void *unused)
{
	struct rlimit before, none;
	soon_core *core;
	int lowest = dup(STDOUT_FILENO);

	(void)unused;
	if (soon_core_count() == 1)
		return 0; /* one processor: there is no other core to start */
	cr_assert_eq(close(lowest), 0);
	cr_assert_eq(getrlimit(RLIMIT_NOFILE, &before), 0);
	none = (struct rlimit){ (rlim_t)lowest, before.rlim_max };
	cr_assert_eq(setrlimit(RLIMIT_NOFILE, &none), 0);
	cr_assert_eq(soon_core_at(1, &core), -EMFILE);
	cr_assert_eq(setrlimit(RLIMIT_NOFILE, &before), 0);
	cr_assert_eq(soon_core_at(1, &core), 0);
	cr_assert_eq(soon_core_index(core), 1);
	soon_test_reports_expected = (int)soon_report_errors();
	return 0;
}

SOON_TEST_PLAIN(service_cores, a_core_without_descriptors_does_not_start)
{
	cr_assert_eq(soon_run(without_descriptors, NULL), 0);
}
