// SPDX-License-Identifier: Apache-2.0
/* tls_faults_test.c: a handshake that is cut short, or has a wrong bit, at every place. */
#include "tls_kit.h"

#define TLS_TEST(suite, name)                                                                      \
	NET_TEST(suite, name, .init = tls_files_make, .fini = tls_files_remove, .timeout = 240)

#define NOWHERE SIZE_MAX

/* One direction between the two ends, with a fault at a place. */
struct wire {
	int from, to;
	size_t cut_at;  /* ends the stream there; NOWHERE: never */
	size_t flip_at; /* changes this byte */
	size_t passed;
};

static int wire_run(struct wire *wire)
{
	char buf[4096];
	ssize_t n = 0;

	while (wire->passed < wire->cut_at && (n = soon_recv(wire->from, buf, sizeof buf, 0)) > 0) {
		size_t bytes = (size_t)n;

		if (bytes > wire->cut_at - wire->passed)
			bytes = wire->cut_at - wire->passed;
		if (wire->flip_at - wire->passed < bytes)
			buf[wire->flip_at - wire->passed] ^= 0x41;
		wire->passed += bytes;
		n = soon_send(wire->to, buf, bytes, MSG_NOSIGNAL); /* it is small */
		if (n < 0)
			break;
	}
	(void)shutdown(wire->to, SHUT_WR);
	return 0;
}

struct end {
	soon_stream *stream;
	soon_tls *tls;
	bool is_server;
	soon_ns patience; /* a length that was changed lets both wait for each other */
	int rc;
};

/* A handshake, a line there and a line back, as far as it goes. */
static int end_run(struct end *end)
{
	char line[8];
	ssize_t n = end->is_server ? soon_tls_accept(end->stream, end->tls)
				   : soon_tls_connect(end->stream, end->tls, "localhost");

	if (n == 0)
		n = soon_stream_write(end->stream, "12345\n", 6);
	if (n > 0)
		n = soon_stream_flush(end->stream);
	if (n == 0)
		n = soon_within(end->patience, soon_stream_read_exact(end->stream, line, 6, NULL));
	if (n == 6)
		n = memcmp(line, "12345\n", 6) == 0 ? 0 : -EILSEQ;
	else if (n == 0)
		n = -ENODATA;
	end->rc = (int)n;
	(void)soon_stream_close(end->stream);
	return 0;
}

/* Both ends with faults in between; returns how many bytes each direction had. */
static void talk(struct end *client, struct end *server, struct wire *up, struct wire *down)
{
	client->stream = raw_pair(&up->from, NULL);
	server->stream = raw_pair(&up->to, NULL);
	down->from = up->to;
	down->to = up->from;
	SOON_SCOPE(limit, .timeout = SOON_S(30));
	SOON_GROUP(g);
	cr_assert_eq(soon_spawn(&g, wire_run, up), 0);
	cr_assert_eq(soon_spawn(&g, wire_run, down), 0);
	cr_assert_eq(soon_spawn(&g, end_run, client), 0);
	cr_assert_eq(soon_spawn(&g, end_run, server), 0);
	cr_assert_eq(soon_scope_close(&limit, soon_group_close(&g, 0)), 0, "somebody hangs");
	(void)close(up->from);
	(void)close(up->to);
}

/* A fault of one kind at `at` of one direction: both ends come to an end, and no wrong byte. */
static void fault_at(soon_tls *client, soon_tls *server, bool is_up, bool is_cut, size_t at)
{
	struct end c = { .tls = client, .patience = SOON_MS(200) };
	struct end s = { .tls = server, .patience = SOON_MS(200), .is_server = true };
	struct wire clean = { .cut_at = NOWHERE, .flip_at = NOWHERE }, faulty = clean;
	bool has_gone_well;

	*(is_cut ? &faulty.cut_at : &faulty.flip_at) = at;
	talk(&c, &s, is_up ? &faulty : &clean, is_up ? &clean : &faulty);
	cr_assert_neq(c.rc, -EILSEQ);
	cr_assert_neq(s.rc, -EILSEQ);
	/* A bit of the record's version, for one, is of no consequence. */
	has_gone_well = c.rc == 0 && s.rc == 0;
	cr_assert(!is_cut || !has_gone_well, "%s cut at %zu", is_up ? "up" : "down", at);
}

/* Both ends without a fault. */
static void talk_well(struct wire *up, struct wire *down)
{
	soon_tls *server = tls_good_server();
	soon_tls *client = tls_client_of((soon_tls_opts){ 0 });
	struct end c = { .tls = client, .patience = SOON_S(20) };
	struct end s = { .tls = server, .patience = SOON_S(20), .is_server = true };

	*up = *down = (struct wire){ .cut_at = NOWHERE, .flip_at = NOWHERE };
	talk(&c, &s, up, down);
	cr_assert_eq(c.rc, 0, "client: %d", c.rc);
	cr_assert_eq(s.rc, 0, "server: %d", s.rc);
	soon_tls_free(server);
	soon_tls_free(client);
}

static void faults(bool is_up, bool is_cut, size_t step)
{
	soon_tls_opts opts = { .handshake_timeout = SOON_MS(200) };
	soon_tls *server = tls_server_of((const char *const[]){ "good", NULL }, opts);
	soon_tls *client = tls_client_of(opts);
	struct wire up, down;
	size_t bytes;

	talk_well(&up, &down);
	/* The close_notify at the end is nobody's need here, and signatures differ in length. */
	bytes = (is_up ? up.passed : down.passed) - 32;
	for (size_t at = 0; at < bytes; at += step)
		fault_at(client, server, is_up, is_cut, at);
	talk_well(&up, &down); /* nothing of all this has been left behind in the thread */
	soon_tls_free(server);
	soon_tls_free(client);
}

TLS_TEST(tls_faults, what_the_client_says_is_cut)
{
	faults(true, true, 1);
}

TLS_TEST(tls_faults, what_the_client_says_is_changed)
{
	faults(true, false, 1);
}

TLS_TEST(tls_faults, what_the_server_says_is_cut)
{
	faults(false, true, 3);
}

TLS_TEST(tls_faults, what_the_server_says_is_changed)
{
	faults(false, false, 3);
}
