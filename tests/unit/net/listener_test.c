// SPDX-License-Identifier: Apache-2.0
/* listener_test.c: listening, dialling, and what people are told when that fails. */
#include "listener.h"

#include "net_kit.h"
#include "report_kit.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

static const char *where_of(const soon_listener *l)
{
	static char text[SOON_ADDR_TEXT_BYTES];
	soon_addr addr;

	soon_listener_addr(l, &addr);
	return soon_addr_format(&addr, text);
}

/* Sends a byte each way over a new connection to `where`. */
static void talk(soon_listener *l, const char *where)
{
	soon_stream *a = NULL, *b = NULL;
	char c = 0;

	cr_assert_eq(soon_dial(where, NULL, &a), 0, "dialling %s", where);
	cr_assert_eq(soon_listener_accept(l, &b), 0);
	cr_expect_eq(soon_stream_write(a, "a", 1), 1);
	cr_expect_eq(soon_stream_flush(a), 0);
	cr_expect_eq(soon_stream_read(b, &c, 1), 1);
	cr_expect_eq(c, 'a');
	cr_expect_eq(soon_stream_write(b, "b", 1), 1);
	cr_expect_eq(soon_stream_close(b), 0);
	cr_expect_eq(soon_stream_read(a, &c, 1), 1);
	cr_expect_eq(c, 'b');
	cr_expect_eq(soon_stream_close(a), 0);
}

static void listen_and_talk(const char *where)
{
	soon_listener *l = NULL;

	cr_assert_eq(soon_listen(where, NULL, &l), 0, "listening on %s", where);
	talk(l, where_of(l));
	soon_listener_close(l);
}

NET_TEST(listener, every_kind_of_address_works)
{
	listen_and_talk("127.0.0.1:0");
	listen_and_talk("[::1]:0");
	listen_and_talk("unix:@soon-test-listener");
	listen_and_talk("unix:soon-test-listener.sock");
	cr_expect_neq(access("soon-test-listener.sock", F_OK), 0, "the file is gone");
	soon_listener_close(NULL);
}

NET_TEST(listener, names_are_resolved)
{
	char where[64];
	soon_listener *l;
	soon_addr addr;

	cr_assert_eq(soon_listen("localhost:0", NULL, &l), 0);
	soon_listener_addr(l, &addr);
	(void)snprintf(where, sizeof where, "localhost:%u", soon_addr_port(&addr));
	talk(l, where);
	soon_listener_close(l);
}

static void listen_to_both_families(const char *every)
{
	char where[64];
	soon_listener *l;
	soon_addr addr;

	cr_assert_eq(soon_listen(every, NULL, &l), 0);
	soon_listener_addr(l, &addr);
	(void)snprintf(where, sizeof where, "127.0.0.1:%u", soon_addr_port(&addr));
	talk(l, where);
	(void)snprintf(where, sizeof where, "[::1]:%u", soon_addr_port(&addr));
	talk(l, where);
	soon_listener_close(l);
}

NET_TEST(listener, a_star_or_nothing_takes_both_families_unless_told_otherwise)
{
	static const soon_listen_opts v6only = { .v6only = true };
	char where[64];
	soon_listener *l;
	soon_stream *s;
	soon_addr addr;

	listen_to_both_families("*:0");
	listen_to_both_families(":0");
	cr_assert_eq(soon_listen("*:0", &v6only, &l), 0);
	soon_listener_addr(l, &addr);
	(void)snprintf(where, sizeof where, "[::1]:%u", soon_addr_port(&addr));
	talk(l, where);
	(void)snprintf(where, sizeof where, "127.0.0.1:%u", soon_addr_port(&addr));
	cr_expect_eq(soon_dial(where, NULL, &s), -ECONNREFUSED);
	soon_listener_close(l);
}

/* Some machines give the name one address only. */
NET_TEST(listener, a_name_is_listened_on_at_all_its_addresses)
{
	char text[SOON_ADDR_TEXT_BYTES];
	soon_listener *l;
	soon_addr first, addr;
	unsigned count = 0;

	cr_assert_eq(soon_listen("localhost:0", NULL, &l), 0);
	soon_listener_addr(l, &first);
	for (; soon_listener_addr_at(l, count, &addr) == 0; count++) {
		cr_expect_eq(soon_addr_port(&addr), soon_addr_port(&first), "one port");
		talk(l, soon_addr_format(&addr, text));
	}
	cr_expect_geq(count, 1);
	soon_listener_close(l);
}

/* A socket that listens, as a service manager would have opened it. */
static int raw_listener(int family, int type)
{
	struct sockaddr_in in = { .sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int fd = socket(family, type | SOCK_NONBLOCK, 0);

	cr_assert_geq(fd, 0);
	cr_assert_eq(bind(fd, (struct sockaddr *)&in, sizeof in), 0);
	return fd;
}

NET_TEST(listener, a_descriptor_that_listens_is_adopted)
{
	int fd = raw_listener(AF_INET, SOCK_STREAM);
	char where[16];
	soon_listener *l;

	cr_assert_eq(listen(fd, 8), 0);
	(void)snprintf(where, sizeof where, "fd:%d", fd);
	cr_assert_eq(soon_listen(where, NULL, &l), 0);
	cr_expect(fcntl(fd, F_GETFD) & FD_CLOEXEC);
	talk(l, where_of(l));
	talk(l, where_of(l));
	soon_listener_close(l);
}

NET_TEST(listener, a_descriptor_of_the_wrong_kind_is_explained)
{
	int datagram = raw_listener(AF_INET, SOCK_DGRAM);
	int silent = raw_listener(AF_INET, SOCK_STREAM);
	char where[16];
	soon_listener *l = NULL;

	soon_on_report(report_keep, NULL);
	(void)snprintf(where, sizeof where, "fd:%d", datagram);
	cr_expect_eq(soon_listen(where, NULL, &l), -EINVAL);
	report_has("datagram");
	(void)snprintf(where, sizeof where, "fd:%d", silent);
	cr_expect_eq(soon_listen(where, NULL, &l), -EINVAL);
	report_has("does not listen");
	cr_expect_eq(soon_listen("fd:0x", NULL, &l), -EINVAL);
	cr_expect_eq(soon_listen("fd:9999", NULL, &l), -EBADF);
	report_has("not open");
	cr_expect_eq(soon_listen("systemd:web", NULL, &l), -ENOENT);
	report_has("LISTEN_FDS is not set");
	report_has("systemd-socket-activate");
	cr_expect_null(l);
	cr_assert_eq(close(datagram), 0);
	cr_assert_eq(close(silent), 0);
}

NET_TEST(listener, a_taken_port_is_tried_as_long_as_asked)
{
	static const soon_listen_opts once = { .busy_timeout = -1 };
	static const soon_listen_opts patient = { .busy_timeout = SOON_S(60) };
	char where[SOON_ADDR_TEXT_BYTES];
	soon_listener *first, *second = NULL;

	soon_on_report(report_keep, NULL);
	cr_assert_eq(soon_listen("127.0.0.1:0", NULL, &first), 0);
	(void)snprintf(where, sizeof where, "%s", where_of(first));
	cr_expect_eq(soon_listen(where, &once, &second), -EADDRINUSE);
	cr_expect_eq(soon_within(SOON_MS(50), soon_listen(where, &patient, &second)), -ETIMEDOUT);
	cr_expect_null(second);
	soon_listener_close(first);
	cr_expect_eq(soon_listen(where, &patient, &second), 0);
	soon_listener_close(second);
}

/* The pause grows, and is never so long that the end of the wait is missed by much. */
NET_TEST(listener, a_port_that_stays_taken_is_given_up_in_time)
{
	static const soon_listen_opts patient = { .busy_timeout = SOON_MS(40) };
	char where[SOON_ADDR_TEXT_BYTES];
	soon_listener *first, *second = NULL;
	soon_ns begun = soon_now();

	soon_on_report(report_keep, NULL);
	cr_assert_eq(soon_listen("127.0.0.1:0", NULL, &first), 0);
	(void)snprintf(where, sizeof where, "%s", where_of(first));
	cr_expect_eq(soon_within(SOON_S(20), soon_listen(where, &patient, &second)), -EADDRINUSE);
	cr_expect_geq(soon_now() - begun, SOON_MS(40));
	cr_expect_null(second);
	soon_listener_close(first);
}

static int close_after_a_while(soon_listener *l)
{
	cr_expect_eq(soon_sleep(SOON_MS(25)), 0);
	soon_listener_close(l);
	return 0;
}

NET_TEST(listener, a_port_that_becomes_free_is_had)
{
	static const soon_listen_opts patient = { .busy_timeout = SOON_S(60) };
	char where[SOON_ADDR_TEXT_BYTES];
	soon_listener *first, *second = NULL;
	SOON_GROUP(g);

	cr_assert_eq(soon_listen("127.0.0.1:0", NULL, &first), 0);
	(void)snprintf(where, sizeof where, "%s", where_of(first));
	cr_assert_eq(soon_spawn(&g, close_after_a_while, first), 0);
	cr_expect_eq(soon_listen(where, &patient, &second), 0);
	cr_expect_eq(soon_group_close(&g, 0), 0);
	soon_listener_close(second);
}

NET_TEST(listener, a_taken_port_is_explained)
{
	static const soon_listen_opts shared = { .reuse_port = true };
	char where[SOON_ADDR_TEXT_BYTES];
	soon_listener *first, *second = NULL;

	soon_on_report(report_keep, NULL);
	cr_assert_eq(soon_listen("127.0.0.1:0", NULL, &first), 0);
	(void)snprintf(where, sizeof where, "%s", where_of(first));
	cr_expect_eq(soon_listen(where, NULL, &second), -EADDRINUSE);
	cr_expect_null(second);
	report_has(where);
	report_has("Address already in use");
	report_has("ss -ltnp");
	soon_listener_close(first);

	cr_assert_eq(soon_listen("127.0.0.1:0", &shared, &first), 0);
	(void)snprintf(where, sizeof where, "%s", where_of(first));
	cr_expect_eq(soon_listen(where, &shared, &second), 0);
	soon_listener_close(second);
	soon_listener_close(first);
}

static int listen_in_vain(const char *where)
{
	soon_listener *l;

	return soon_listen(where, NULL, &l);
}

static unsigned listens_refused; /* how many calls of listen() are still to fail */

/* Stands in for the C library's: a port can be taken between bind() and listen(). */
int listen(int fd, int backlog_count)
{
	if (listens_refused > 0) {
		listens_refused--;
		errno = EADDRINUSE;
		return -1;
	}
	return (int)syscall(SYS_listen, fd, backlog_count);
}

NET_TEST(listener, a_port_taken_after_the_bind_is_a_taken_port)
{
	soon_listener *listener = NULL;

	soon_on_report(report_keep, NULL);
	listens_refused = 2;
	cr_expect_eq(soon_listen("127.0.0.1:0", NULL, &listener), 0, "it became free again");
	cr_expect_eq(listens_refused, 0);
	soon_listener_close(listener);
	listens_refused = 1000;
	cr_expect_eq(soon_listen("127.0.0.1:0", NULL, &listener), -EADDRINUSE);
	report_has("ss -ltnp");
	cr_expect_gt(listens_refused, 0);
	listens_refused = 0;
}

NET_TEST(listener, the_failure_of_the_task_has_the_message)
{
	soon_failure failure;

	soon_on_report(report_keep, NULL);
	SOON_GROUP(g, .policy = SOON_WAIT_ALL);
	cr_assert_eq(soon_spawn(&g, listen_in_vain, "203.0.113.7:80"), 0);
	cr_expect_eq(soon_group_close(&g, 0), -EADDRNOTAVAIL);
	cr_assert_eq(soon_group_failures(&g, &failure, 1), 1);
	cr_expect_not_null(strstr(failure.message, "203.0.113.7:80"), "%s", failure.message);
	report_has("ip addr");
}

NET_TEST(listener, other_failures_are_explained_too)
{
	char text[300];
	int rc;

	soon_on_report(report_keep, NULL);
	cr_expect_eq(listen_in_vain("8080"), -EINVAL);
	report_has("\"8080\"");
	report_has("127.0.0.1:8080");
	rc = listen_in_vain("no-such-host.invalid:80");
	cr_expect(rc == -ENOENT || rc == -EAGAIN, "without a resolver it cannot be known: %d", rc);
	report_has("no-such-host.invalid");
	cr_expect_eq(listen_in_vain("unix:/no/such/folder/x.sock"), -ENOENT);
	report_has("folder");
	cr_expect_eq(listen_in_vain("unix:/dev/null"), -ENOTSOCK);
	report_has("no socket");
	memset(text, 'x', sizeof text - 1);
	text[sizeof text - 1] = '\0';
	memcpy(text, "unix:", 5);
	cr_expect_eq(listen_in_vain(text), -ENAMETOOLONG);
}

NET_TEST(listener, a_stale_unix_socket_is_replaced_and_a_live_one_is_not)
{
	static const char where[] = "unix:soon-test-stale.sock";
	static const soon_listen_opts opts = { .unix_mode = 0600 };
	soon_listener *first, *second;
	struct stat st;
	int rc;

	soon_on_report(report_keep, NULL);
	cr_assert_eq(soon_listen(where, &opts, &first), 0);
	cr_assert_eq(stat("soon-test-stale.sock", &st), 0);
	cr_expect_eq(st.st_mode & 0777, 0600);
	rc = soon_listen(where, NULL, &second);
	cr_expect_eq(rc, -EADDRINUSE);
	report_has("a running program has that path");

	/* As after a crash: the socket is closed, its file stays. */
	first->sockets[0].file.ino = 0;
	soon_listener_close(first);
	cr_assert_eq(stat("soon-test-stale.sock", &st), 0);
	cr_assert_eq(soon_listen(where, NULL, &second), 0);
	talk(second, where);

	/* And somebody else's file is not removed. */
	cr_assert_eq(rename("soon-test-stale.sock", "soon-test-other.sock"), 0);
	cr_assert_eq(soon_listen(where, NULL, &first), 0);
	soon_listener_close(second);
	cr_expect_eq(stat("soon-test-stale.sock", &st), 0);
	soon_listener_close(first);
	cr_expect_neq(stat("soon-test-stale.sock", &st), 0);
	cr_assert_eq(unlink("soon-test-other.sock"), 0);
}

NET_TEST(listener, accepted_streams_do_not_delay)
{
	static const soon_listen_opts nagle = { .stream = { .nagle = true } };
	soon_stream *a, *b;
	socklen_t len = sizeof(int);
	int value = 0;

	listen_and_dial("127.0.0.1:0", NULL, &a, &b);
	cr_expect_eq(getsockopt(soon_stream_fd(b), IPPROTO_TCP, TCP_NODELAY, &value, &len), 0);
	cr_expect(value);
	cr_expect_eq(getsockopt(soon_stream_fd(a), IPPROTO_TCP, TCP_NODELAY, &value, &len), 0);
	cr_expect(value);
	cr_expect(fcntl(soon_stream_fd(b), F_GETFD) & FD_CLOEXEC);
	cr_expect_eq(soon_stream_close(a), 0);
	cr_expect_eq(soon_stream_close(b), 0);

	listen_and_dial("127.0.0.1:0", &nagle, &a, &b);
	cr_expect_eq(getsockopt(soon_stream_fd(b), IPPROTO_TCP, TCP_NODELAY, &value, &len), 0);
	cr_expect_not(value);
	cr_expect_eq(soon_stream_close(a), 0);
	cr_expect_eq(soon_stream_close(b), 0);
}

NET_TEST(listener, a_timeout_of_accept_loses_no_connection)
{
	soon_stream *a, *b;
	soon_listener *l;

	cr_assert_eq(soon_listen("127.0.0.1:0", NULL, &l), 0);
	cr_expect_eq(soon_within(SOON_MS(1), soon_listener_accept(l, &b)), -ETIMEDOUT);
	cr_assert_eq(soon_dial(where_of(l), NULL, &a), 0);
	cr_assert_eq(soon_sleep(SOON_MS(2)), 0);
	cr_expect_eq(soon_listener_accept(l, &b), 0);
	cr_expect_eq(soon_stream_close(a), 0);
	cr_expect_eq(soon_stream_close(b), 0);
	soon_listener_close(l);
}

static int accept_one(soon_listener *l)
{
	soon_stream *s;
	int rc = soon_listener_accept(l, &s);

	return rc < 0 ? rc : soon_stream_close(s);
}

NET_TEST(listener, allows_one_taker)
{
	soon_stream *a;
	soon_listener *l;

	cr_assert_eq(soon_listen("127.0.0.1:0", NULL, &l), 0);
	SOON_GROUP(g, .name = "taker");
	cr_assert_eq(soon_spawn(&g, accept_one, l), 0);
	cr_assert_eq(soon_yield(), 0);
	cr_expect_eq(accept_one(l), -EBUSY);
	cr_assert_eq(soon_dial(where_of(l), NULL, &a), 0);
	cr_assert_eq(soon_group_close(&g, 0), 0);
	cr_expect_eq(soon_stream_close(a), 0);
	soon_listener_close(l);
}

/* Those who are connected at the stop are served, also those that wait in the kernel. */
static void stop_with(bool has_accepted, bool is_handed)
{
	enum { CLIENTS = 40 };
	soon_stream *client[CLIENTS], *s;
	soon_listener *l;
	int rc, served = 0;

	cr_assert_eq(soon_listen("127.0.0.1:0", NULL, &l), 0);
	if (has_accepted)
		cr_expect_eq(soon_within(SOON_MS(1), soon_listener_accept(l, &s)), -ETIMEDOUT);
	for (int i = 0; i < CLIENTS; i++)
		cr_assert_eq(soon_dial(where_of(l), NULL, &client[i]), 0);
	/* Another process has it, too: the kernel may have woken our acceptor, not that one. */
	atomic_store_explicit(&l->is_handed, is_handed, memory_order_relaxed);
	soon_listener_stop(l);
	soon_listener_stop(l);
	while ((rc = soon_listener_accept(l, &s)) == 0) {
		served++;
		cr_expect_eq(soon_stream_close(s), 0);
	}
	cr_expect_eq(rc, -ESHUTDOWN);
	cr_expect_eq(soon_listener_accept(l, &s), -ESHUTDOWN);
	cr_expect_eq(served, CLIENTS);
	cr_expect_eq(soon_dial(where_of(l), NULL, &s), -ECONNREFUSED);
	for (int i = 0; i < CLIENTS; i++) {
		char c;

		cr_expect_eq(soon_stream_read(client[i], &c, 1), 0, "an end, and no reset");
		cr_expect_eq(soon_stream_close(client[i]), 0);
	}
	soon_listener_close(l);
}

NET_TEST(listener, a_stop_turns_nobody_away)
{
	stop_with(false, false);
	stop_with(true, false);
}

NET_TEST(listener, a_hand_over_leaves_nobody_in_the_queue)
{
	stop_with(false, true);
	stop_with(true, true);
}

NET_TEST(listener, want_of_descriptors_is_waited_out)
{
	struct rlimit was;
	soon_stream *a, *b = NULL;
	soon_listener *l;

	soon_on_report(report_keep, NULL);
	cr_assert_eq(soon_listen("127.0.0.1:0", NULL, &l), 0);
	cr_assert_eq(soon_dial(where_of(l), NULL, &a), 0);
	was = leave_room(0);
	cr_expect_eq(soon_within(SOON_MS(30), soon_listener_accept(l, &b)), -ETIMEDOUT);
	report_has("cannot accept");
	cr_assert_eq(setrlimit(RLIMIT_NOFILE, &was), 0);
	cr_expect_eq(soon_within(SOON_S(5), soon_listener_accept(l, &b)), 0);
	cr_expect_eq(soon_stream_close(a), 0);
	cr_expect_eq(soon_stream_close(b), 0);
	soon_listener_close(l);
}

NET_TEST(dial, failures_leave_nothing_open)
{
	char where[SOON_ADDR_TEXT_BYTES];
	soon_listener *l;
	soon_stream *s = NULL;

	cr_assert_eq(soon_listen("127.0.0.1:0", NULL, &l), 0);
	(void)snprintf(where, sizeof where, "%s", where_of(l));
	soon_listener_close(l);
	cr_expect_eq(soon_dial(where, NULL, &s), -ECONNREFUSED);
	cr_expect_eq(soon_dial("nowhere", NULL, &s), -EINVAL);
	cr_expect_lt(soon_dial("no-such-host.invalid:80", NULL, &s), 0);
	cr_expect_eq(soon_dial("unix:/no/such.sock", NULL, &s), -ENOENT);
	SOON_SCOPE(cancelled, .timeout = SOON_S(100));
	soon_scope_cancel(&cancelled, "test");
	cr_expect_eq(soon_dial(where, NULL, &s), -ECANCELED);
	cr_expect_eq(soon_dial("localhost:1", NULL, &s), -ECANCELED);
	cr_expect_eq(soon_scope_close(&cancelled, -ECANCELED), 0);
	cr_expect_null(s);
}

/* The kernel's queue of a listener that does not accept is full, so a connect waits. */
NET_TEST(dial, a_timeout_leaves_nothing_open)
{
	enum { CLIENTS = 4 };
	static const soon_listen_opts tiny = { .backlog_count = 1 };
	soon_stream *client[CLIENTS] = { 0 };
	soon_listener *l;
	int rc = 0;
	int count = 0;

	cr_assert_eq(soon_listen("127.0.0.1:0", &tiny, &l), 0);
	while (count < CLIENTS && rc == 0) {
		rc = (int)soon_within(SOON_MS(30), soon_dial(where_of(l), NULL, &client[count]));
		count += rc == 0;
	}
	cr_expect_eq(rc, -ETIMEDOUT);
	for (int i = 0; i < count; i++)
		cr_expect_eq(soon_stream_close(client[i]), 0);
	soon_listener_close(l);
}

NET_TEST(listener, is_closed_on_every_way_out)
{
	soon_listener *l;
	soon_stream *s;
	int peer;

	cr_assert_eq(soon_listen("127.0.0.1:0", NULL, &l), 0);
	s = raw_pair(&peer, NULL);
	{
		SOON_LISTENER_OWN(l);
		SOON_STREAM_OWN(s);
		cr_expect_eq(soon_stream_write(s, "x", 1), 1);
	}
	cr_expect_str_eq(got(peer), "x");
	cr_expect_str_eq(got(peer), "");
	cr_assert_eq(close(peer), 0);
}
