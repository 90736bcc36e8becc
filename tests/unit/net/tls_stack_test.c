// SPDX-License-Identifier: Apache-2.0
/* tls_stack_test.c: a handshake and an exchange take what is asked for of a task's stack. */
#include "paint.h"
#include "tls_kit.h"

#include <stdio.h>

#define TLS_TEST(suite, name)                                                                      \
	NET_TEST(suite, name, .init = tls_files_make, .fini = tls_files_remove, .timeout = 60)

struct side {
	soon_stream *stream;
	soon_tls *tls;
	bool is_server;
	size_t depth;
};

static int side_run(struct side *side)
{
	char line[8];

	paint();
	if (side->is_server)
		cr_expect_eq(
			soon_tls_accept(side->stream, side->tls), 0, "%s", soon_fail_message());
	else
		cr_expect_eq(soon_tls_connect(side->stream, side->tls, "localhost"), 0, "%s",
			soon_fail_message());
	cr_expect_eq(soon_stream_write(side->stream, "12345\n", 6), 6);
	cr_expect_eq(soon_stream_flush(side->stream), 0);
	cr_expect_eq(soon_stream_read_exact(side->stream, line, 6, NULL), 6);
	side->depth = paint_depth();
	return 0;
}

static void measure(const char *what, const char *cert, soon_tls_opts opts)
{
	struct side client = { .tls = tls_client_of(opts) };
	struct side server = { .tls = tls_server_of((const char *const[]){ cert, NULL }, opts),
		.is_server = true };

	tls_clear_pair(&client.stream, &server.stream);
	SOON_GROUP(g);
	cr_assert_eq(soon_spawn(&g, side_run, &server), 0);
	cr_assert_eq(soon_spawn(&g, side_run, &client), 0);
	cr_assert_eq(soon_group_close(&g, 0), 0);
	(void)printf(
		"%s: server %zu, client %zu bytes of stack\n", what, server.depth, client.depth);
	/* A third is left for other keys and versions of OpenSSL. */
	cr_expect_lt(server.depth, SOON_TLS_STACK_BYTES / 3 * 2, "%s: %zu", what, server.depth);
	cr_expect_lt(client.depth, SOON_TLS_STACK_BYTES / 3 * 2, "%s: %zu", what, client.depth);
	(void)soon_stream_close(client.stream);
	(void)soon_stream_close(server.stream);
	soon_tls_free(client.tls);
	soon_tls_free(server.tls);
}

TLS_TEST(tls_stack, a_handshake_takes_less_than_it_asks_for)
{
	char ca[TLS_PATH_BYTES];

	tls_cert_make(
		&(struct tls_maker){ .file = "rsa", .names = "DNS:localhost", .is_rsa = true });
	measure("TLS 1.3, ECDSA", "good", (soon_tls_opts){ 0 });
	measure("TLS 1.3, RSA", "rsa", (soon_tls_opts){ .ca_file = tls_path("ca.pem", ca) });
}
