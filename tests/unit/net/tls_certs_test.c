// SPDX-License-Identifier: Apache-2.0
/* tls_certs_test.c: which certificate is shown, and asked for; new ones in use; tickets. */
#include "tls_kit.h"

#include <openssl/ssl.h>
#include <stdio.h>
#include <sys/ioctl.h>

#define TLS_TEST(suite, name)                                                                      \
	NET_TEST(suite, name, .init = tls_files_make, .fini = tls_files_remove, .timeout = 60)

/* The name in the certificate that the server shows to who asks for `host`. */
static void expect_shown(soon_tls *client, soon_tls *server, const char *host, const char *name)
{
	struct tls_shake shake;
	soon_tls_info info;

	tls_shake(&shake, client, server, host);
	cr_assert_eq(shake.client_rc, 0, "%s: %s", host, shake.client_why);
	cr_assert_eq(soon_tls_info_get(shake.client, &info), 0);
	cr_expect_str_eq(info.peer_name, name, "for %s: %s", host, info.peer_name);
	tls_shake_close(&shake);
}

TLS_TEST(tls_names, the_first_that_fits_is_shown)
{
	soon_tls *server, *client = tls_client_of((soon_tls_opts){ .alpn = "h2,http/1.1" });
	struct tls_shake shake;
	soon_tls_info info;

	tls_cert_make(&(struct tls_maker){ .file = "one", .names = "DNS:one.test,DNS:*.one.test" });
	tls_cert_make(&(struct tls_maker){ .file = "two", .names = "DNS:two.test" });
	server = tls_server_of((const char *const[]){ "good", "one", "two", NULL },
		(soon_tls_opts){ .alpn = "http/1.1" });
	expect_shown(client, server, "localhost", "good");
	expect_shown(client, server, "one.test", "one");
	expect_shown(client, server, "x.one.test", "one");
	expect_shown(client, server, "two.test", "two");
	expect_shown(client, server, "127.0.0.1", "good");

	tls_shake(&shake, client, server, "three.test");
	cr_expect_eq(shake.client_rc, -EKEYREJECTED, "the default is for another host");
	tls_shake_close(&shake);

	tls_shake(&shake, client, server, "two.test");
	cr_assert_eq(soon_tls_info_get(shake.server, &info), 0);
	cr_expect_str_eq(info.alpn, "http/1.1");
	cr_expect_str_eq(info.server_name, "two.test");
	tls_shake_close(&shake);
	soon_tls_free(server);
	soon_tls_free(client);
}

/* ---- reload ------------------------------------------------------------------------------ */

static void file_write(const char *file, const char *text)
{
	char path[TLS_PATH_BYTES];
	FILE *f = fopen(tls_path(file, path), "w");

	cr_assert_not_null(f);
	cr_assert_geq(fputs(text, f), 0);
	cr_assert_eq(fclose(f), 0);
}

TLS_TEST(tls_reload, connections_go_on_and_errors_change_nothing)
{
	soon_tls *server = tls_good_server();
	soon_tls *client = tls_client_of((soon_tls_opts){ 0 });
	struct tls_shake old;
	soon_tls_stats stats;
	char byte;

	tls_shake(&old, client, server, "localhost");
	cr_assert_eq(old.client_rc, 0);

	/* A new pair for another name: old connections do not mind, new ones see it. */
	tls_cert_make(&(struct tls_maker){ .file = "good", .names = "DNS:new.test" });
	cr_assert_eq(soon_tls_reload(server), 0);
	expect_shown(client, server, "new.test", "good");
	cr_expect_eq(soon_stream_write(old.client, "x", 1), 1);
	cr_expect_eq(soon_stream_flush(old.client), 0);
	cr_expect_eq(soon_stream_read(old.server, &byte, 1), 1);

	/* A key of somebody else, no PEM, no file: what was in use stays. */
	tls_cert_make(&(struct tls_maker){ .file = "alien", .names = "DNS:new.test" });
	file_write("good.key", "what is this?");
	cr_expect_eq(soon_tls_reload(server), -EBADMSG);
	cr_expect_not_null(strstr(soon_fail_message(), "good.key"), "%s", soon_fail_message());
	expect_shown(client, server, "new.test", "good");
	{
		char path[TLS_PATH_BYTES];

		cr_assert_eq(unlink(tls_path("good.pem", path)), 0);
	}
	cr_expect_eq(soon_tls_reload(server), -ENOENT);
	expect_shown(client, server, "new.test", "good");

	tls_cert_make(&(struct tls_maker){ .file = "good", .names = "DNS:localhost" });
	cr_expect_eq(soon_tls_reload(server), 0);
	expect_shown(client, server, "localhost", "good");
	soon_tls_stats_get(server, &stats);
	cr_expect_eq(stats.reloads, 2);

	/* The context may go before its connections. */
	soon_tls_free(server);
	cr_expect_eq(soon_stream_write(old.server, "y", 1), 1);
	cr_expect_eq(soon_stream_flush(old.server), 0);
	cr_expect_eq(soon_stream_read(old.client, &byte, 1), 1);
	tls_shake_close(&old);
	soon_tls_free(client);
}

/* ---- client certificates ----------------------------------------------------------------- */

struct party {
	const char *cert; /* of the client, NULL: none */
	int server_rc;
	const char *name; /* that the server sees */
};

static void clients_try(soon_tls_client_certs asked, const struct party *party)
{
	char ca[TLS_PATH_BYTES], pem[TLS_PATH_BYTES], key[TLS_PATH_BYTES], file[64];
	soon_tls_cert cert = { pem, key };
	soon_tls_opts opts = { .certs = &cert, .certs_count = party->cert != NULL };
	struct tls_shake shake;
	soon_tls *server, *client;
	soon_tls_info info;

	if (party->cert != NULL) {
		(void)snprintf(file, sizeof file, "%s.pem", party->cert);
		tls_path(file, pem);
		(void)snprintf(file, sizeof file, "%s.key", party->cert);
		tls_path(file, key);
	}
	server = tls_server_of((const char *const[]){ "good", NULL },
		(soon_tls_opts){ .client_certs = asked, .ca_file = tls_path("ca.pem", ca) });
	client = tls_client_of(opts);
	tls_shake(&shake, client, server, "localhost");
	cr_expect_eq(
		shake.server_rc, party->server_rc, "%d: %s", shake.server_rc, shake.server_why);
	if (shake.server_rc == 0) {
		cr_assert_eq(soon_tls_info_get(shake.server, &info), 0);
		cr_expect_str_eq(info.peer_name, party->name);
		cr_expect_eq(info.has_peer_cert, *party->name != '\0');
	} else {
		char byte;

		/* In TLS 1.3 a client learns of it when it reads. */
		cr_expect_eq(soon_stream_read(shake.client, &byte, 1), -EPROTO);
		cr_expect_not_null(
			strstr(soon_fail_message(), "refused"), "%s", soon_fail_message());
	}
	tls_shake_close(&shake);
	soon_tls_free(server);
	soon_tls_free(client);
}

TLS_TEST(tls_clients, are_asked_as_the_server_says)
{
	tls_cert_make(&(struct tls_maker){ .file = "me" });
	tls_cert_make(&(struct tls_maker){ .file = "alien", .by_another = true });
	clients_try(SOON_TLS_CLIENT_CERTS_NONE, &(struct party){ "me", 0, "" });
	clients_try(SOON_TLS_CLIENT_CERTS_OPTIONAL, &(struct party){ NULL, 0, "" });
	clients_try(SOON_TLS_CLIENT_CERTS_OPTIONAL, &(struct party){ "me", 0, "me" });
	clients_try(SOON_TLS_CLIENT_CERTS_OPTIONAL, &(struct party){ "alien", -EKEYREJECTED, "" });
	clients_try(SOON_TLS_CLIENT_CERTS_REQUIRED, &(struct party){ "me", 0, "me" });
	clients_try(SOON_TLS_CLIENT_CERTS_REQUIRED, &(struct party){ NULL, -EKEYREJECTED, "" });
	clients_try(SOON_TLS_CLIENT_CERTS_REQUIRED, &(struct party){ "alien", -EKEYREJECTED, "" });
}

/* ---- tickets ----------------------------------------------------------------------------- */

/* OpenSSL's own client on one end of a socket pair, in steps that never wait. */
struct plain_client {
	SSL_CTX *ctx;
	SSL *ssl;
	SSL_SESSION *session; /* the last that came */
	int fd;
};

static int session_keep(SSL *ssl, SSL_SESSION *session)
{
	struct plain_client *client = SSL_get_app_data(ssl);

	SSL_SESSION_free(client->session);
	client->session = session;
	return 1;
}

static void client_init(struct plain_client *client)
{
	client->ctx = SSL_CTX_new(TLS_client_method());
	client->session = NULL;
	(void)SSL_CTX_set_session_cache_mode(client->ctx, SSL_SESS_CACHE_CLIENT);
	SSL_CTX_sess_set_new_cb(client->ctx, session_keep);
}

static void client_fini(struct plain_client *client)
{
	SSL_SESSION_free(client->session);
	SSL_CTX_free(client->ctx);
}

/* The server's task: a handshake, one byte there and one back. */
static int serve_byte(struct tls_shake *shake)
{
	char byte;
	ssize_t n = shake->server_rc = shake->client_rc;

	if (n == 0)
		n = soon_stream_read(shake->server, &byte, 1);
	if (n > 0)
		n = soon_stream_write(shake->server, &byte, 1);
	if (n > 0)
		n = soon_stream_flush(shake->server);
	return (int)n;
}

static int accept_and_serve(struct tls_shake *shake)
{
	/* The context travels in the place that a client's stream has otherwise. */
	shake->client_rc = soon_tls_accept(shake->server, (soon_tls *)(void *)shake->client);
	return serve_byte(shake);
}

/* Connects with the session of the last time, if any; whether the server took it. */
static bool is_resumed(struct plain_client *client, soon_tls *server, int version)
{
	struct tls_shake shake = { .client = (soon_stream *)(void *)server };
	bool was_resumed;
	char byte = 'x';
	int rc;

	shake.server = raw_pair(&client->fd, NULL);
	client->ssl = SSL_new(client->ctx);
	SSL_set_app_data(client->ssl, client);
	(void)SSL_set_max_proto_version(client->ssl, version);
	cr_assert_eq(SSL_set_fd(client->ssl, client->fd), 1);
	if (client->session != NULL)
		cr_assert_eq(SSL_set_session(client->ssl, client->session), 1);
	{
		int flags = 1;

		cr_assert_eq(ioctl(client->fd, FIONBIO, &flags), 0);
	}
	SOON_GROUP(g);
	cr_assert_eq(soon_spawn(&g, accept_and_serve, &shake), 0);
	while ((rc = SSL_connect(client->ssl)) != 1) {
		cr_assert_eq(SSL_get_error(client->ssl, rc), SSL_ERROR_WANT_READ);
		cr_assert_eq(soon_sleep(SOON_MS(1)), 0);
	}
	cr_assert_eq(SSL_write(client->ssl, &byte, 1), 1);
	while ((rc = SSL_read(client->ssl, &byte, 1)) != 1) {
		cr_assert_eq(SSL_get_error(client->ssl, rc), SSL_ERROR_WANT_READ);
		cr_assert_eq(soon_sleep(SOON_MS(1)), 0);
	}
	was_resumed = SSL_session_reused(client->ssl) == 1;
	/* In TLS 1.2 nobody is called for the ticket of a resumed session. */
	if (version == TLS1_2_VERSION)
		(void)session_keep(client->ssl, SSL_get1_session(client->ssl));
	(void)SSL_shutdown(client->ssl);
	cr_assert_eq(soon_group_close(&g, 0), 0);
	SSL_free(client->ssl);
	(void)soon_stream_close(shake.server);
	(void)close(client->fd);
	return was_resumed;
}

static void tickets(int version)
{
	soon_tls *server = tls_good_server();
	struct plain_client client;
	soon_tls_stats stats;

	client_init(&client);
	cr_expect_not(is_resumed(&client, server, version), "the first");
	cr_expect(is_resumed(&client, server, version), "same key");
	cr_assert_eq(soon_tls_reload(server), 0);
	cr_expect(is_resumed(&client, server, version), "certificates are another thing");
	cr_assert_eq(soon_tls_rotate(server), 0);
	cr_expect(is_resumed(&client, server, version), "by the key before");
	cr_assert_eq(soon_tls_rotate(server), 0);
	cr_expect(is_resumed(&client, server, version), "a new ticket came with the last");
	cr_assert_eq(soon_tls_rotate(server), 0);
	cr_assert_eq(soon_tls_rotate(server), 0);
	cr_expect_not(is_resumed(&client, server, version), "the key is gone");
	soon_tls_stats_get(server, &stats);
	cr_expect_eq(stats.handshakes, 6);
	cr_expect_eq(stats.resumed, 4);
	client_fini(&client);
	soon_tls_free(server);
}

TLS_TEST(tls_tickets, resume_across_rotations_1_3)
{
	tickets(TLS1_3_VERSION);
}

TLS_TEST(tls_tickets, resume_across_rotations_1_2)
{
	tickets(TLS1_2_VERSION);
}

TLS_TEST(tls_tickets, are_not_given_where_not_wanted)
{
	soon_tls *server = tls_server_of(
		(const char *const[]){ "good", NULL }, (soon_tls_opts){ .no_tickets = true });
	struct plain_client client;

	client_init(&client);
	cr_expect_not(is_resumed(&client, server, TLS1_3_VERSION));
	cr_expect_not(is_resumed(&client, server, TLS1_3_VERSION));
	client_fini(&client);
	soon_tls_free(server);
}

TLS_TEST(tls_tickets, a_key_lives_as_long_as_it_may)
{
	soon_tls *server = tls_server_of(
		(const char *const[]){ "good", NULL }, (soon_tls_opts){ .ticket_life = 1 });
	struct plain_client client;

	/* Every handshake makes a new key, and the last is too old. */
	client_init(&client);
	cr_expect_not(is_resumed(&client, server, TLS1_3_VERSION));
	cr_expect_not(is_resumed(&client, server, TLS1_3_VERSION));
	client_fini(&client);
	soon_tls_free(server);
}
