// SPDX-License-Identifier: Apache-2.0
/* tls_test.c: encrypted streams are streams; and what is refused, with which words. */
#include <soon/tls.h>

#include "tls_kit.h"

#include <openssl/err.h>

#define TLS_TEST(suite, name)                                                                      \
	NET_TEST(suite, name, .init = tls_files_make, .fini = tls_files_remove, .timeout = 60)

/* A client and a server that have shaken hands. */
static void pair_make(struct tls_shake *shake)
{
	soon_tls *server = tls_good_server();
	soon_tls *client = tls_client_of((soon_tls_opts){ 0 });

	tls_shake(shake, client, server, "localhost");
	cr_assert_eq(shake->client_rc, 0, "%s", shake->client_why);
	cr_assert_eq(shake->server_rc, 0, "%s", shake->server_why);
	soon_tls_free(server);
	soon_tls_free(client);
}

TLS_TEST(tls_stream, a_line_there_and_an_answer_back)
{
	struct tls_shake shake;
	char line[64];
	soon_tls_info info;

	pair_make(&shake);
	cr_expect_eq(soon_stream_write(shake.client, "hello\nworld", 11), 11);
	cr_expect_eq(soon_stream_flush(shake.client), 0);
	cr_expect_eq(soon_stream_read_until(shake.server, "\n", line, sizeof line), 6);
	cr_expect_eq(soon_stream_read_exact(shake.server, line, 5, NULL), 5);
	cr_expect_eq(memcmp(line, "world", 5), 0);
	cr_expect_eq(soon_stream_write(shake.server, "yes", 3), 3);
	cr_expect_eq(soon_stream_shutdown(shake.server), 0);
	cr_expect_eq(soon_stream_read(shake.client, line, sizeof line), 3);
	cr_expect_eq(soon_stream_read(shake.client, line, sizeof line), 0);

	/* The other direction goes on after the half close. */
	cr_expect_eq(soon_stream_write(shake.client, "more", 4), 4);
	cr_expect_eq(soon_stream_close(shake.client), 0);
	cr_expect_eq(soon_stream_read_exact(shake.server, line, 4, NULL), 4);
	cr_expect_eq(soon_stream_read(shake.server, line, sizeof line), 0);

	cr_assert_eq(soon_tls_info_get(shake.server, &info), 0);
	cr_expect_str_eq(info.version, "TLSv1.3");
	cr_expect_str_eq(info.server_name, "localhost");
	cr_expect_not(info.has_peer_cert);
	cr_expect_eq(soon_stream_close(shake.server), 0);
}

struct sending {
	soon_stream *stream;
	size_t bytes;
	size_t at_a_time;
};

static int send_run(struct sending *s)
{
	char *buf = malloc(s->at_a_time);
	size_t at = 0;
	ssize_t n = 0;

	while (at < s->bytes && n >= 0) {
		size_t bytes = s->bytes - at < s->at_a_time ? s->bytes - at : s->at_a_time;

		pattern_fill(buf, bytes, at);
		n = soon_within(SOON_S(30), soon_stream_write(s->stream, buf, bytes));
		at += bytes;
	}
	free(buf);
	cr_expect_geq(n, 0, "write gave %zd", n);
	return n < 0 ? (int)n : soon_stream_shutdown(s->stream);
}

/* Both ways at a time: a reader and a writer task on each end. */
static void cross(size_t bytes, size_t at_a_time, size_t read_max)
{
	struct tls_shake shake;

	pair_make(&shake);
	{
		struct sending up = { shake.client, bytes, at_a_time };
		struct sending down = { shake.server, bytes, at_a_time };
		struct drain client = { shake.client, bytes, read_max };
		struct drain server = { shake.server, bytes, read_max };

		SOON_GROUP(g);
		cr_assert_eq(soon_spawn(&g, send_run, &up), 0);
		cr_assert_eq(soon_spawn(&g, send_run, &down), 0);
		cr_assert_eq(soon_spawn(&g, drain_run, &client), 0);
		cr_assert_eq(soon_spawn(&g, drain_run, &server), 0);
		cr_assert_eq(soon_group_close(&g, 0), 0);
	}
	tls_shake_close(&shake);
}

struct file_sending {
	soon_stream *stream;
	int file;
};

static int send_file(struct file_sending *sending)
{
	ssize_t n = soon_stream_sendfile(sending->stream, sending->file, 0, SIZE_MAX, NULL);

	return n < 0 ? (int)n : soon_stream_shutdown(sending->stream);
}

TLS_TEST(tls_stream, a_file_goes_encrypted)
{
	enum { BYTES = 300000 };
	char path[] = "/tmp/soon-tls-file-XXXXXX";
	char *data = malloc(BYTES);
	struct tls_shake shake;

	cr_assert_not_null(data);
	pattern_fill(data, BYTES, 0);
	pair_make(&shake);
	{
		struct file_sending sending = { shake.server, mkstemp(path) };
		struct drain client = { shake.client, BYTES, 10000 };

		SOON_GROUP(g);
		cr_assert_eq(unlink(path), 0);
		cr_assert_eq(write(sending.file, data, BYTES), BYTES);
		cr_assert_eq(soon_spawn(&g, send_file, &sending), 0);
		cr_assert_eq(soon_spawn(&g, drain_run, &client), 0);
		cr_assert_eq(soon_group_close(&g, 0), 0);
		cr_assert_eq(soon_close(sending.file), 0);
	}
	tls_shake_close(&shake);
	free(data);
}

TLS_TEST(tls_stream, small_writes_both_ways)
{
	cross(300000, 77, 1000);
}

TLS_TEST(tls_stream, writes_around_a_record)
{
	cross(400000, 16384, 16000);
	cross(400000, 16383, 7);
}

TLS_TEST(tls_stream, large_writes_both_ways)
{
	cross(8000000, 1000003, 65536);
}

TLS_TEST(tls_stream, an_end_that_is_not_announced_is_an_error)
{
	struct tls_shake shake;
	char byte;

	pair_make(&shake);
	cr_assert_eq(shutdown(soon_stream_fd(shake.client), SHUT_WR), 0);
	cr_expect_eq(soon_stream_read(shake.server, &byte, 1), -ECONNABORTED);
	cr_expect_not_null(strstr(soon_fail_message(), "close_notify"));
	cr_expect_eq(soon_stream_read(shake.server, &byte, 1), -ECONNABORTED, "it stays");
	tls_shake_close(&shake);

	pair_make(&shake);
	soon_tls_allow_truncation(shake.server);
	cr_assert_eq(shutdown(soon_stream_fd(shake.client), SHUT_WR), 0);
	cr_expect_eq(soon_stream_read(shake.server, &byte, 1), 0);
	tls_shake_close(&shake);
}

TLS_TEST(tls_stream, a_cancelled_read_loses_nothing)
{
	struct tls_shake shake;
	char line[16];

	pair_make(&shake);
	for (int i = 0; i < 20; i++) {
		cr_expect_eq(soon_within(SOON_MS(1), soon_stream_read(shake.server, line, 1)),
			-ETIMEDOUT);
		cr_assert_eq(soon_stream_write(shake.client, "0123456789", 10), 10);
		cr_assert_eq(soon_stream_flush(shake.client), 0);
		cr_expect_eq(soon_stream_read_exact(shake.server, line, 10, NULL), 10);
		cr_expect_eq(memcmp(line, "0123456789", 10), 0);
	}
	tls_shake_close(&shake);
}

/* A direct write that is cut short may be resumed where it stopped. */
TLS_TEST(tls_stream, a_cancelled_write_says_what_was_taken)
{
	enum { BYTES = 12000000 };
	struct tls_shake shake;
	char *buf = malloc(BYTES);
	size_t done = 0;
	unsigned cuts = 0;

	pair_make(&shake);
	pattern_fill(buf, BYTES, 0);
	{
		struct drain drain = { shake.server, BYTES, 0 };

		while (done < BYTES && cuts < 3) {
			uint64_t before = soon_stream_written(shake.client);
			ssize_t n = soon_within(SOON_MS(5),
				soon_stream_write(shake.client, buf + done, BYTES - done));

			done += (size_t)(soon_stream_written(shake.client) - before);
			cuts += n == -ETIMEDOUT;
		}
		cr_expect_eq(cuts, 3);
		SOON_GROUP(g);
		cr_assert_eq(soon_spawn(&g, drain_run, &drain), 0);
		cr_expect_eq(soon_stream_write(shake.client, buf + done, BYTES - done),
			(ssize_t)(BYTES - done));
		cr_expect_eq(soon_stream_shutdown(shake.client), 0);
		cr_assert_eq(soon_group_close(&g, 0), 0);
	}
	tls_shake_close(&shake);
	free(buf);
}

static int echo(soon_stream *conn, void *unused)
{
	char buf[4096];
	ssize_t n;

	(void)unused;
	while ((n = soon_stream_read(conn, buf, sizeof buf)) > 0)
		if ((n = soon_stream_write(conn, buf, (size_t)n)) < 0)
			break;
	return (int)n;
}

static unsigned reports;

static int report_count(const soon_report *report, void *unused)
{
	(void)report;
	(void)unused;
	reports++;
	return 0;
}

/* One bad record beside a hundred good connections: the queue of errors is the thread's. */
TLS_TEST(tls_service, a_changed_record_costs_nobody_else)
{
	enum { GOOD = 100, ROUNDS = 20 };
	soon_tls *server = tls_good_server();
	soon_tls *client = tls_client_of((soon_tls_opts){ 0 });
	soon_service_stats stats;
	soon_service service = { .handle = echo, .tls = server, .stats = &stats };
	soon_stream *good[GOOD];
	char where[SOON_ADDR_TEXT_BYTES], buf[8];
	soon_addr addr;
	soon_ns begin = soon_now();

	soon_on_report(report_count, NULL);
	cr_assert_eq(soon_listen("127.0.0.1:0", NULL, &service.listener), 0);
	soon_listener_addr(service.listener, &addr);
	soon_addr_format(&addr, where);
	SOON_GROUP(g);
	cr_assert_eq(soon_spawn(&g, soon_serve, &service), 0);
	for (int i = 0; i < GOOD; i++)
		cr_assert_eq(
			soon_tls_dial(where, client, NULL, &good[i]), 0, "%s", soon_fail_message());

	for (int round = 0; round < ROUNDS; round++) {
		const char record[] = "\x17\x03\x03\x00\x20"
				      "0123456789abcdef0123456789abcdef";
		soon_stream *bad;

		cr_assert_eq(soon_tls_dial(where, client, NULL, &bad), 0);
		cr_assert_gt(send(soon_stream_fd(bad), record, sizeof record - 1, 0), 0);
		for (int i = 0; i < GOOD; i++)
			cr_assert_eq(soon_stream_write(good[i], "12345678", 8), 8);
		for (int i = 0; i < GOOD; i++)
			cr_assert_eq(soon_stream_flush(good[i]), 0);
		for (int i = 0; i < GOOD; i++)
			cr_assert_eq(soon_stream_read_exact(good[i], buf, 8, NULL), 8);
		cr_expect_eq(soon_stream_read(bad, buf, 8), -EPROTO, "the alert says why");
		soon_stream_abort(bad);
	}
	cr_expect_eq(stats.failed, ROUNDS);
	for (int i = 0; i < GOOD; i++)
		cr_expect_eq(soon_stream_close(good[i]), 0);
	soon_group_drain(&g, SOON_S(5));
	cr_expect_eq(soon_group_close(&g, 0), 0);
	cr_expect_eq(stats.failed, ROUNDS, "%ju", (uintmax_t)stats.failed);
	cr_expect_leq(reports, 2 + (soon_now() - begin) / SOON_S(1), "one a second at most");
	soon_listener_close(service.listener);
	soon_tls_free(server);
	soon_tls_free(client);
}

/* ---- what comes in after the handshake -------------------------------------------------- */

/* `bytes` that are no record of this session: the reader is told, and told again. */
static void expect_broken(const void *bytes, size_t len, int rc, const char *words)
{
	struct tls_shake shake;
	char buf[16];

	pair_make(&shake);
	cr_assert_eq(soon_stream_write(shake.client, "good", 4), 4);
	cr_assert_eq(soon_stream_flush(shake.client), 0);
	cr_assert_eq(send(soon_stream_fd(shake.client), bytes, len, MSG_NOSIGNAL), (ssize_t)len);
	cr_assert_eq(shutdown(soon_stream_fd(shake.client), SHUT_WR), 0);
	cr_expect_eq(soon_stream_read_exact(shake.server, buf, 4, NULL), 4, "what came before");
	for (int i = 0; i < 2; i++) {
		cr_expect_eq(soon_stream_read(shake.server, buf, sizeof buf), rc, "%s", words);
		cr_expect_not_null(
			strstr(soon_fail_message(), words), "%s: %s", words, soon_fail_message());
	}
	cr_expect_eq(ERR_peek_error(), 0, "an error is left to the next task");
	tls_shake_close(&shake);
}

#define EXPECT_BROKEN(bytes, rc, words) expect_broken(bytes, sizeof(bytes) - 1, rc, words)

TLS_TEST(tls_garbage, in_place_of_a_record)
{
	EXPECT_BROKEN("GET / HTTP/1.1\r\n\r\n", -EPROTO, "not TLS");
	EXPECT_BROKEN("\x17\x03\x03\xff\xff", -EPROTO, "length");
	EXPECT_BROKEN("\x17\x03\x03\x00\x05hello", -EPROTO, "");
	EXPECT_BROKEN("\x15\x03\x03\x00\x02\x02\x28", -EPROTO, ""); /* an alert in clear */
	EXPECT_BROKEN("\x99\x03\x03\x00\x01\x00", -EPROTO, "");
	EXPECT_BROKEN("\x17\x03\x03", -ECONNABORTED, "close_notify");
	EXPECT_BROKEN("\x17\x03\x03\x00\x20only a part", -ECONNABORTED, "close_notify");
}

/* The queue of errors is the thread's: other libraries leave theirs in it. */
TLS_TEST(tls_garbage, of_others_in_the_queue_of_errors)
{
	struct tls_shake shake;
	char buf[4];

	ERR_raise(ERR_LIB_USER, 1);
	pair_make(&shake);
	for (int i = 0; i < 3; i++) {
		ERR_raise(ERR_LIB_USER, 1);
		cr_expect_eq(soon_stream_write(shake.client, "good", 4), 4);
		cr_expect_eq(soon_stream_flush(shake.client), 0);
		ERR_raise(ERR_LIB_USER, 1);
		cr_expect_eq(soon_stream_read_exact(shake.server, buf, 4, NULL), 4);
	}
	ERR_raise(ERR_LIB_USER, 1);
	cr_expect_eq(soon_stream_shutdown(shake.client), 0);
	ERR_raise(ERR_LIB_USER, 1);
	cr_expect_eq(soon_stream_read(shake.server, buf, 4), 0);
	tls_shake_close(&shake);
	ERR_clear_error();
}

/* ---- what is refused --------------------------------------------------------------------- */

/* The client refuses; `words` are in its message. */
static void client_refuses(
	const char *cert, soon_tls_opts opts, const char *host, int rc, const char *words)
{
	soon_tls *server = tls_server_of((const char *const[]){ cert, NULL }, (soon_tls_opts){ 0 });
	soon_tls *client = tls_client_of(opts);
	struct tls_shake shake;

	tls_shake(&shake, client, server, host);
	cr_expect_eq(shake.client_rc, rc, "%d: %s", shake.client_rc, shake.client_why);
	cr_expect_not_null(strstr(shake.client_why, words), "%s", shake.client_why);
	cr_expect_not_null(strstr(shake.client_why, host), "%s", shake.client_why);
	cr_expect_eq(shake.server_rc, -EPROTO, "%d: %s", shake.server_rc, shake.server_why);
	cr_expect_not_null(strstr(shake.server_why, "refused"), "%s", shake.server_why);
	cr_expect_lt(soon_stream_write(shake.client, "x", 1), 0, "nothing goes in clear");
	tls_shake_close(&shake);
	soon_tls_free(server);
	soon_tls_free(client);
}

TLS_TEST(tls_refused, another_host)
{
	client_refuses("good", (soon_tls_opts){ 0 }, "example.org", -EKEYREJECTED, "another host");
	client_refuses("good", (soon_tls_opts){ 0 }, "127.0.0.2", -EKEYREJECTED, "another host");
}

TLS_TEST(tls_refused, an_expired_certificate)
{
	soon_on_report(report_count, NULL);
	tls_cert_make(
		&(struct tls_maker){ .file = "old", .names = "DNS:localhost", .is_expired = true });
	client_refuses("old", (soon_tls_opts){ 0 }, "localhost", -EKEYREJECTED, "expired");
	cr_expect_eq(reports, 1, "who loads it is told, too");
}

TLS_TEST(tls_refused, an_unknown_authority)
{
	tls_cert_make(&(struct tls_maker){
		.file = "alien", .names = "DNS:localhost", .by_another = true });
	client_refuses("alien", (soon_tls_opts){ 0 }, "localhost", -EKEYREJECTED, "trusted");
}

TLS_TEST(tls_refused, nobody_is_believed_who_is_not_verified)
{
	soon_tls *server = tls_good_server();
	soon_tls *client = NULL;
	struct tls_shake shake;

	cr_assert_eq(soon_tls_client(NULL, &client), 0, "the system's authorities");
	tls_shake(&shake, client, server, "localhost");
	cr_expect_eq(shake.client_rc, -EKEYREJECTED);
	tls_shake_close(&shake);
	soon_tls_free(client);

	client = tls_client_of((soon_tls_opts){ .no_verify = true });
	tls_shake(&shake, client, server, "example.org");
	cr_expect_eq(shake.client_rc, 0, "%s", shake.client_why);
	tls_shake_close(&shake);
	soon_tls_free(client);
	soon_tls_free(server);
}

/* Server and client have nothing in common of what `opts` say. */
static void neither(soon_tls_opts server_opts, soon_tls_opts client_opts, const char *words)
{
	soon_tls *server = tls_server_of((const char *const[]){ "good", NULL }, server_opts);
	soon_tls *client = tls_client_of(client_opts);
	struct tls_shake shake;

	tls_shake(&shake, client, server, "localhost");
	cr_expect_eq(shake.client_rc, -EPROTO, "%s", shake.client_why);
	cr_expect_eq(shake.server_rc, -EPROTO, "%s", shake.server_why);
	cr_expect_not_null(strstr(shake.server_why, words), "%s", shake.server_why);
	tls_shake_close(&shake);
	soon_tls_free(server);
	soon_tls_free(client);
}

TLS_TEST(tls_refused, nothing_in_common)
{
	neither((soon_tls_opts){ .ciphersuites = "TLS_AES_128_GCM_SHA256", .only_1_3 = true },
		(soon_tls_opts){ .ciphersuites = "TLS_CHACHA20_POLY1305_SHA256", .only_1_3 = true },
		"cipher");
	neither((soon_tls_opts){ .alpn = "h2" }, (soon_tls_opts){ .alpn = "http/1.1" }, "protocol");
}

TLS_TEST(tls_refused, a_client_that_is_silent_or_endless)
{
	soon_tls *server = tls_server_of((const char *const[]){ "good", NULL },
		(soon_tls_opts){ .handshake_timeout = SOON_MS(10), .handshakes_max = 1 });
	soon_stream *s;
	soon_tls_stats stats;
	int peer;

	s = raw_pair(&peer, NULL);
	cr_expect_eq(soon_tls_accept(s, server), -ETIMEDOUT);
	cr_expect_not_null(strstr(soon_fail_message(), "time"));
	(void)soon_stream_close(s);
	(void)close(peer);

	s = raw_pair(&peer, NULL);
	put(peer, "GET / HTTP/1.1\r\n\r\n");
	cr_expect_eq(soon_tls_accept(s, server), -EPROTO);
	cr_expect_not_null(strstr(soon_fail_message(), "https"), "%s", soon_fail_message());
	(void)soon_stream_close(s);
	(void)close(peer);

	s = raw_pair(&peer, NULL);
	(void)close(peer);
	cr_expect_eq(soon_tls_accept(s, server), -ECONNABORTED);
	(void)soon_stream_close(s);
	soon_tls_stats_get(server, &stats);
	cr_expect_eq(stats.failed, 3);
	cr_expect_eq(stats.pending, 0);
	soon_tls_free(server);
}

static int accept_silent(soon_tls *server)
{
	int peer;
	soon_stream *s = raw_pair(&peer, NULL);
	int rc = soon_tls_accept(s, server);

	(void)soon_stream_close(s);
	(void)close(peer);
	return rc;
}

TLS_TEST(tls_refused, more_handshakes_than_may_be)
{
	soon_tls *server = tls_server_of(
		(const char *const[]){ "good", NULL }, (soon_tls_opts){ .handshakes_max = 2 });
	soon_tls_stats stats;

	SOON_GROUP(g, .policy = SOON_WAIT_ALL);
	cr_assert_eq(soon_spawn(&g, accept_silent, server), 0);
	cr_assert_eq(soon_spawn(&g, accept_silent, server), 0);
	do {
		cr_assert_eq(soon_yield(), 0);
		soon_tls_stats_get(server, &stats);
	} while (stats.pending < 2);
	cr_expect_eq(accept_silent(server), -EBUSY);
	cr_expect_not_null(strstr(soon_fail_message(), "handshakes_max"));
	soon_group_cancel(&g, "enough");
	(void)!soon_group_close(&g, 0);
	soon_tls_free(server);
}

TLS_TEST(tls_refused, a_handshake_of_too_many_bytes)
{
	soon_tls *server = tls_server_of((const char *const[]){ "good", NULL },
		(soon_tls_opts){ .handshake_bytes_max = 100 });
	soon_tls *client = tls_client_of((soon_tls_opts){ 0 });
	struct tls_shake shake;

	tls_shake(&shake, client, server, "localhost");
	cr_expect_eq(shake.server_rc, -EMSGSIZE, "%s", shake.server_why);
	cr_expect_lt(shake.client_rc, 0);
	tls_shake_close(&shake);
	soon_tls_free(server);
	soon_tls_free(client);
}

TLS_TEST(tls_refused, what_files_and_options_are_wrong)
{
	char ca[TLS_PATH_BYTES], key[TLS_PATH_BYTES], gone[TLS_PATH_BYTES];
	soon_tls_cert cert = { tls_path("ca.pem", ca), tls_path("good.key", key) };
	soon_tls_opts opts = { .certs = &cert, .certs_count = 1 };
	soon_tls *tls;

	cr_expect_eq(soon_tls_server(&opts, &tls), -EKEYREJECTED, "%s", soon_fail_message());
	cert.chain_file = tls_path("gone.pem", gone);
	cr_expect_eq(soon_tls_server(&opts, &tls), -ENOENT);
	cr_expect_not_null(strstr(soon_fail_message(), "gone.pem"), "%s", soon_fail_message());
	cert.chain_file = key;
	cr_expect_eq(soon_tls_server(&opts, &tls), -EBADMSG, "a key is no certificate");
	opts.certs_count = 0;
	cr_expect_eq(soon_tls_server(&opts, &tls), -EINVAL);
	opts = (soon_tls_opts){ .alpn = "h2,,x" };
	cr_expect_eq(soon_tls_client(&opts, &tls), -EINVAL);
	opts = (soon_tls_opts){ .ciphers = "NO-SUCH-CIPHER" };
	cr_expect_eq(soon_tls_client(&opts, &tls), -EINVAL, "%s", soon_fail_message());
}

/* With most of the stack in use: a refusal, not an overflow. */
static __attribute__((noinline)) int accept_deep(soon_stream *s, soon_tls *server)
{
	char used[200 * 1024];
	int rc;

	__asm__ volatile("" : : "r"(used) : "memory");
	rc = soon_tls_accept(s, server);
	__asm__ volatile("" : : "r"(used) : "memory");
	return rc;
}

TLS_TEST(tls_refused, a_task_with_too_little_stack)
{
	soon_tls *server = tls_good_server();
	int peer;
	soon_stream *s = raw_pair(&peer, NULL);

	cr_assert_gt(soon_stack_left(), SOON_TLS_STACK_BYTES);
	cr_assert_lt(soon_stack_left(), 256 * 1024);
	cr_expect_eq(accept_deep(s, server), -ENOBUFS);
	cr_expect_not_null(strstr(soon_fail_message(), "stack_bytes"), "%s", soon_fail_message());
	(void)soon_stream_close(s);
	(void)close(peer);
	soon_tls_free(server);
}
