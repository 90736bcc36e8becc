// SPDX-License-Identifier: Apache-2.0
/* service_test.c: many connections, their maximum, their failures, and their orderly end. */
#include "listener.h"
#include "net_kit.h"

#include <stdio.h>

static unsigned reports;
static char last_report[1024];

static int report_count(const soon_report *report, void *unused)
{
	(void)unused;
	reports++;
	(void)snprintf(last_report, sizeof last_report, "%s", report->text);
	return 0;
}

/* A service in a group of its own, and where it is. */
struct served {
	soon_service service;
	soon_service_stats stats;
	char where[SOON_ADDR_TEXT_BYTES];
};

static void serve_on(struct served *served, soon_group *g, int (*handle)(soon_stream *, void *))
{
	soon_addr addr;

	served->service.handle = handle;
	served->service.stats = &served->stats;
	cr_assert_eq(soon_listen("127.0.0.1:0", NULL, &served->service.listener), 0);
	soon_listener_addr(served->service.listener, &addr);
	soon_addr_format(&addr, served->where);
	cr_assert_eq(soon_spawn(g, soon_serve, &served->service), 0);
}

static soon_stream *client_of(const struct served *served)
{
	soon_stream *s = NULL;

	cr_assert_eq(soon_dial(served->where, NULL, &s), 0);
	return s;
}

static unsigned busy; /* handlers that took a line and have not answered */
static bool is_released;

/*
 * Echoes lines; waits for the next one as idle. "fail" fails, "slow" takes its time, "held" takes
 * until it is released.
 */
static int handle_lines(soon_stream *conn, void *unused)
{
	char line[64];
	ssize_t n = 0;

	(void)unused;
	for (;;) {
		SOON_IDLE {
			n = soon_stream_read_until(conn, "\n", line, sizeof line);
		}
		if (n <= 0)
			return (int)n;
		if (memcmp(line, "fail", 4) == 0)
			return soon_fail(-EPROTO, "asked to");
		busy++;
		if (memcmp(line, "slow", 4) == 0 && (n = soon_sleep(SOON_MS(50))) < 0)
			return (int)n;
		while (memcmp(line, "held", 4) == 0 && !is_released)
			if ((n = soon_sleep(SOON_MS(1))) < 0)
				return (int)n;
		if (memcmp(line, "ever", 4) == 0)
			return soon_sleep_until(SOON_NEVER);
		busy--;
		n = soon_stream_write(conn, line, strnlen(line, 5));
		if (n < 0)
			return (int)n;
	}
}

/* Sends a line whose answer takes a while, and waits until the handler is at it. */
static void ask_busily(soon_stream *s, const char *line)
{
	unsigned before = busy;

	cr_assert_gt(soon_stream_write(s, line, strlen(line)), 0);
	cr_assert_eq(soon_stream_flush(s), 0);
	while (busy == before)
		cr_assert_eq(soon_sleep(SOON_MS(1)), 0);
}

/* Sends a line and gives what comes back. */
static ssize_t ask(soon_stream *s, const char *line)
{
	char answer[8];
	ssize_t n = soon_stream_write(s, line, strlen(line));

	if (n > 0)
		n = soon_within(SOON_S(10), soon_stream_read_exact(s, answer, 5, NULL));
	return n;
}

NET_TEST(service, a_failing_connection_bothers_nobody)
{
	enum { FAILURES = 50 };
	struct served served = { .service = { .name = "lines" } };
	soon_stream *good;

	soon_on_report(report_count, NULL);
	SOON_GROUP(g, .name = "service");
	serve_on(&served, &g, handle_lines);
	good = client_of(&served);
	cr_expect_eq(ask(good, "well\n"), 5);
	for (int i = 0; i < FAILURES; i++) {
		soon_stream *bad = client_of(&served);

		cr_expect_eq(ask(bad, "fail\n"), 0);
		cr_expect_eq(soon_stream_close(bad), 0);
	}
	cr_expect_eq(ask(good, "well\n"), 5);
	cr_expect_eq(served.stats.accepted, FAILURES + 1);
	cr_expect_eq(served.stats.failed, FAILURES);
	cr_expect_eq(served.stats.live, 1);
	cr_expect_leq(reports, 3, "%u reports", reports);
	cr_expect_not_null(strstr(last_report, "lines"), "%s", last_report);
	cr_expect_not_null(strstr(last_report, "asked to"), "%s", last_report);

	soon_group_drain(&g, SOON_S(10));
	cr_expect_eq(soon_group_close(&g, 0), 0);
	cr_expect_eq(served.stats.live, 0);
	cr_expect_eq(soon_stream_close(good), 0);
	soon_listener_close(served.service.listener);
}

static int handle_reset(soon_stream *conn, void *unused)
{
	char c;

	(void)unused;
	return (int)soon_stream_read(conn, &c, 1);
}

NET_TEST(service, a_peer_that_resets_is_counted_not_reported)
{
	struct served served = { 0 };

	soon_on_report(report_count, NULL);
	SOON_GROUP(g, .name = "service");
	serve_on(&served, &g, handle_reset);
	soon_stream_abort(client_of(&served));
	while (served.stats.failed == 0)
		cr_assert_eq(soon_sleep(SOON_MS(1)), 0);
	cr_expect_eq(reports, 0);
	soon_group_drain(&g, SOON_S(10));
	cr_expect_eq(soon_group_close(&g, 0), 0);
	soon_listener_close(served.service.listener);
}

NET_TEST(service, pauses_at_its_maximum_and_goes_on)
{
	struct served served = { .service = { .conns_max = 2 } };
	soon_stream *client[5];

	SOON_GROUP(g, .name = "service");
	serve_on(&served, &g, handle_lines);
	for (int i = 0; i < 5; i++)
		client[i] = client_of(&served);
	cr_expect_eq(ask(client[0], "well\n"), 5);
	cr_expect_eq(ask(client[1], "well\n"), 5);
	cr_expect_eq(soon_stream_write(client[2], "well\n", 5), 5);
	cr_expect_eq(soon_within(SOON_MS(20), soon_stream_flush(client[2])), 0);
	cr_assert_eq(soon_sleep(SOON_MS(20)), 0);
	cr_expect_eq(served.stats.live, 2);
	cr_expect_eq(served.stats.accepted, 2);
	cr_expect_eq(served.stats.paused, 1);
	for (int i = 0; i < 5; i++) {
		if (i >= 2)
			cr_expect_eq(ask(client[i], "well\n"), 5);
		cr_expect_eq(soon_stream_close(client[i]), 0);
	}
	while (served.stats.live > 0)
		cr_assert_eq(soon_sleep(SOON_MS(1)), 0);
	cr_expect_eq(served.stats.accepted, 5);
	soon_group_drain(&g, SOON_S(10));
	cr_expect_eq(soon_group_close(&g, 0), 0);
	soon_listener_close(served.service.listener);
}

NET_TEST(service, a_drain_ends_a_pause_and_refuses_what_is_too_much)
{
	struct served served = { .service = { .conns_max = 1 } };
	soon_stream *client[3];
	char c;

	soon_on_report(report_count, NULL);
	SOON_GROUP(g, .name = "service");
	serve_on(&served, &g, handle_lines);
	for (int i = 0; i < 3; i++)
		client[i] = client_of(&served);
	cr_expect_eq(ask(client[0], "well\n"), 5);
	ask_busily(client[0], "slow\n");
	soon_group_drain(&g, SOON_S(10));
	cr_expect_eq(soon_stream_read(client[0], &c, 1), 1, "the busy one has its answer");
	cr_expect_eq(soon_group_close(&g, 0), 0);
	cr_expect_eq(served.stats.refused, 2);
	cr_expect_eq(served.stats.accepted, 3);
	for (int i = 1; i < 3; i++)
		cr_expect_eq(soon_stream_read(client[i], &c, 1), -ECONNRESET);
	for (int i = 0; i < 3; i++)
		(void)soon_stream_close(client[i]);
	soon_listener_close(served.service.listener);
}

NET_TEST(service, a_drain_closes_idle_connections_and_lets_busy_ones_finish)
{
	struct served served = { 0 };
	soon_stream *idle[3], *at_work, *late;
	char answer[8];
	char c;

	SOON_GROUP(g, .name = "service");
	serve_on(&served, &g, handle_lines);
	for (int i = 0; i < 3; i++) {
		idle[i] = client_of(&served);
		cr_expect_eq(ask(idle[i], "well\n"), 5);
	}
	at_work = client_of(&served);
	ask_busily(at_work, "held\n");
	soon_group_drain(&g, SOON_S(10));
	for (int i = 0; i < 3; i++) {
		cr_expect_eq(soon_stream_read(idle[i], &c, 1), 0);
		cr_expect_eq(soon_stream_close(idle[i]), 0);
	}
	cr_expect_eq(soon_dial(served.where, NULL, &late), -ECONNREFUSED);
	cr_expect_eq(served.stats.live, 1);
	is_released = true;
	cr_expect_eq(soon_stream_read_exact(at_work, answer, 5, NULL), 5);
	cr_expect_eq(soon_stream_read(at_work, &c, 1), 0);
	cr_expect_eq(soon_stream_close(at_work), 0);
	cr_expect_eq(soon_group_close(&g, 0), 0);
	cr_expect_eq(served.stats.failed, 0);
	soon_listener_close(served.service.listener);
}

NET_TEST(service, the_grace_of_a_drain_has_an_end)
{
	struct served served = { 0 };
	soon_stream *stuck;
	char c;

	SOON_GROUP(g, .name = "service");
	serve_on(&served, &g, handle_lines);
	stuck = client_of(&served);
	ask_busily(stuck, "ever\n");
	soon_group_drain(&g, SOON_MS(20));
	cr_expect_eq(soon_group_close(&g, 0), 0);
	cr_expect_eq(served.stats.live, 0);
	cr_expect_eq(served.stats.failed, 0, "a cancel is no failure");
	cr_expect_eq(soon_stream_read(stuck, &c, 1), 0);
	cr_expect_eq(soon_stream_close(stuck), 0);
	soon_listener_close(served.service.listener);
}

NET_TEST(service, a_cancel_ends_everything_at_once)
{
	struct served served = { 0 };
	soon_stream *a, *b;
	char c;

	SOON_GROUP(g, .name = "service");
	serve_on(&served, &g, handle_lines);
	a = client_of(&served);
	b = client_of(&served);
	cr_expect_eq(ask(a, "well\n"), 5);
	ask_busily(b, "ever\n");
	soon_group_cancel(&g, "test");
	cr_expect_eq(soon_group_close(&g, 0), 0);
	cr_expect_eq(served.stats.live, 0);
	cr_expect_eq(served.stats.failed, 0);
	cr_expect_eq(soon_stream_read(a, &c, 1), 0);
	cr_expect_eq(soon_stream_read(b, &c, 1), 0);
	cr_expect_eq(soon_stream_close(a), 0);
	cr_expect_eq(soon_stream_close(b), 0);
	soon_listener_close(served.service.listener);
}

NET_TEST(service, ends_with_its_listener)
{
	struct served served = { 0 };

	SOON_GROUP(g, .name = "service", .policy = SOON_WAIT_ALL);
	serve_on(&served, &g, handle_lines);
	cr_assert_eq(soon_yield(), 0);
	soon_group_drain(&g, SOON_S(1));
	cr_expect_eq(soon_group_close(&g, 0), 0);
	cr_expect_eq(soon_serve(&served.service), -ESHUTDOWN);
	soon_listener_close(served.service.listener);
}

static int handle_fountain(soon_stream *conn, void *unused)
{
	static char large[4 << 20];
	char c;
	ssize_t n = soon_stream_read(conn, &c, 1);

	(void)unused;
	if (n > 0)
		n = soon_stream_write(conn, "some", 4);
	if (n > 0)
		n = soon_within(SOON_MS(20), soon_stream_write(conn, large, sizeof large));
	return n < 0 ? (int)n : 0;
}

/* A client that never reads holds its connection no longer than the handler and linger say. */
NET_TEST(service, the_last_flush_is_bounded)
{
	struct served served = { .service = { .linger = SOON_MS(20) } };
	int small = 4096;
	soon_stream *s;

	SOON_GROUP(g, .name = "service");
	serve_on(&served, &g, handle_fountain);
	s = client_of(&served);
	cr_assert_eq(setsockopt(soon_stream_fd(s), SOL_SOCKET, SO_RCVBUF, &small, sizeof small), 0);
	cr_expect_eq(soon_stream_write(s, "x", 1), 1);
	cr_expect_eq(soon_stream_flush(s), 0);
	while (served.stats.failed == 0)
		cr_assert_eq(soon_sleep(SOON_MS(1)), 0);
	cr_expect_eq(served.stats.live, 0);
	soon_group_drain(&g, SOON_S(10));
	cr_expect_eq(soon_group_close(&g, 0), 0);
	(void)soon_stream_close(s);
	soon_listener_close(served.service.listener);
}

static int churn(struct served *served)
{
	for (int i = 0; i < 100; i++) {
		soon_stream *s = client_of(served);

		cr_expect_eq(ask(s, "well\n"), 5);
		cr_expect_eq(soon_stream_close(s), 0);
		s = client_of(served);
		soon_stream_abort(s);
	}
	return 0;
}

NET_TEST(service, connections_come_and_go)
{
	enum { CLIENTS = 8 };
	struct served served = { 0 };

	SOON_GROUP(outer, .name = "service");
	serve_on(&served, &outer, handle_lines);
	SOON_GROUP(clients, .name = "clients");
	for (int i = 0; i < CLIENTS; i++)
		cr_assert_eq(soon_spawn(&clients, churn, &served), 0);
	cr_assert_eq(soon_group_close(&clients, 0), 0);
	soon_group_drain(&outer, SOON_S(10));
	cr_expect_eq(soon_group_close(&outer, 0), 0);
	cr_expect_eq(served.stats.accepted, CLIENTS * 200);
	cr_expect_eq(served.stats.live, 0);
	soon_listener_close(served.service.listener);
}

/* One line, then the end. */
static int handle_one(soon_stream *conn, void *unused)
{
	char line[64];
	ssize_t n = soon_stream_read_until(conn, "\n", line, sizeof line);

	(void)unused;
	return n > 0 ? (int)soon_stream_write(conn, line, (size_t)n) : (int)n;
}

/* All are connected, as far as they know; each end lets the next one in. */
NET_TEST(service, with_descriptors_for_two_all_are_served)
{
	enum { CLIENTS = 24 };
	soon_service_stats stats;
	soon_service service = { .handle = handle_one, .conns_max = CLIENTS, .stats = &stats };
	char where[SOON_ADDR_TEXT_BYTES], line[8];
	soon_stream *clients[CLIENTS];
	struct rlimit was;
	soon_addr addr;
	SOON_GROUP(g);

	soon_on_report(report_count, NULL);
	cr_assert_eq(soon_listen("127.0.0.1:0", NULL, &service.listener), 0);
	soon_listener_addr(service.listener, &addr);
	soon_addr_format(&addr, where);
	for (int i = 0; i < CLIENTS; i++)
		cr_assert_eq(soon_dial(where, NULL, &clients[i]), 0);
	was = leave_room(2);
	cr_assert_eq(soon_spawn(&g, soon_serve, &service), 0);
	while (reports == 0)
		cr_assert_eq(soon_sleep(SOON_MS(1)), 0);
	cr_expect_not_null(strstr(last_report, "will try again"), "%s", last_report);
	for (int i = CLIENTS; i-- > 0;)
		cr_assert_eq(soon_stream_write(clients[i], "hello\n", 6), 6);
	for (int i = 0; i < CLIENTS; i++) {
		cr_expect_eq(soon_within(SOON_S(20),
				     soon_stream_read_until(clients[i], "\n", line, sizeof line)),
			6, "client %d", i);
		cr_expect_eq(soon_stream_close(clients[i]), 0);
	}
	cr_assert_eq(setrlimit(RLIMIT_NOFILE, &was), 0);
	soon_group_drain(&g, SOON_S(10));
	cr_assert_eq(soon_group_close(&g, 0), 0);
	cr_expect_eq(stats.accepted, CLIENTS);
	cr_expect_eq(stats.refused, 0);
	soon_listener_close(service.listener);
}

/* Those whom its listener has accepted are nobody else's any more. */
NET_TEST(service, a_hand_over_refuses_nobody_of_a_full_service)
{
	enum { CLIENTS = 4 };
	struct served served = { .service.conns_max = 1 };
	soon_stream *clients[CLIENTS];
	char line[8];
	SOON_GROUP(g);

	serve_on(&served, &g, handle_one);
	for (int i = 0; i < CLIENTS; i++)
		clients[i] = client_of(&served);
	while (served.stats.paused == 0)
		cr_assert_eq(soon_sleep(SOON_MS(1)), 0);
	cr_assert_eq(soon_sleep(SOON_MS(2)), 0); /* the others are accepted, and not taken */
	atomic_store_explicit(&served.service.listener->is_handed, true, memory_order_relaxed);
	soon_group_drain(&g, SOON_S(20));
	for (int i = 0; i < CLIENTS; i++)
		cr_assert_eq(soon_stream_write(clients[i], "hello\n", 6), 6);
	for (int i = 0; i < CLIENTS; i++) {
		cr_expect_eq(soon_stream_read_until(clients[i], "\n", line, sizeof line), 6);
		cr_expect_eq(soon_stream_close(clients[i]), 0);
	}
	cr_assert_eq(soon_group_close(&g, 0), 0);
	cr_expect_eq(served.stats.refused, 0);
	soon_listener_close(served.service.listener);
}
