// SPDX-License-Identifier: Apache-2.0
/*
 * tls_conn.c: handshakes, and what they have led to.
 *
 * A handshake is a loop of a call of OpenSSL, a send of what it wrote, and a wait for more. While
 * it goes on the task has both sides of the stream; when it is done, the stream's transport is set
 * and its sender tells that.
 */
#include <soon/mem.h>
#include <soon/scope.h>

#include "errtext.h"
#include "stream.h"
#include "tls.h"

#include <arpa/inet.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <string.h>

void soon__tls_conn_free(struct soon__tls_conn *conn)
{
	SSL_free(conn->ssl);
	ERR_clear_error();
	soon__block_give(conn->raw);
	soon__block_give(conn->flight);
	soon__block_give(conn->cipher);
	if (conn->set != NULL)
		soon__tls_set_release(conn->tls, conn->set);
	soon_tls_free(conn->tls);
	soon_free(conn);
}

/* The name or address that the certificate has to be good for. */
static int host_set(SSL *ssl, const char *host)
{
	unsigned char addr[sizeof(struct in6_addr)];
	bool is_ip = inet_pton(AF_INET, host, addr) == 1 || inet_pton(AF_INET6, host, addr) == 1;
	size_t len = strnlen(host, SOON_TLS_NAME_BYTES);
	char name[SOON_TLS_NAME_BYTES]; /* OpenSSL's macro takes no const */

	if (len == 0 || len >= SOON_TLS_NAME_BYTES)
		return soon_fail(-EINVAL, "tls: the host to check is empty or too long");
	SSL_set_hostflags(ssl, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
	if (is_ip)
		return X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), host) == 1 ? 0 : -ENOMEM;
	memcpy(name, host, len + 1);
	if (SSL_set1_host(ssl, host) != 1 || SSL_set_tlsext_host_name(ssl, name) != 1)
		return -ENOMEM;
	return 0;
}

static int session_make(struct soon__tls_conn *conn, const char *host)
{
	BIO *bio = soon__tls_bio_new(conn);
	int rc = 0;

	conn->ssl = SSL_new(conn->set->of[0].ctx);
	if (conn->ssl == NULL || bio == NULL) {
		(void)BIO_free(bio);
		ERR_clear_error();
		return -ENOMEM;
	}
	SSL_set_bio(conn->ssl, bio, bio);
	SSL_set_app_data(conn->ssl, conn);
	if (conn->tls->is_server)
		SSL_set_accept_state(conn->ssl);
	else
		SSL_set_connect_state(conn->ssl);
	if (host != NULL)
		rc = host_set(conn->ssl, host);
	ERR_clear_error();
	return rc;
}

/* What the stream has received and nobody has read are the peer's first bytes. */
static int early_take(struct soon__tls_conn *conn, soon_stream *s) SOON_ON_CORE
{
	conn->raw = s->in;
	s->in = NULL;
	conn->chunk = s->chunk;
	conn->chunk_taken = s->chunk_taken;
	s->chunk = (soon_slice){ 0 };
	s->chunk_taken = 0;
	return soon__tls_chunk_keep(conn);
}

static int conn_make(soon_stream *s, soon_tls *tls, const char *host) SOON_ON_CORE
{
	struct soon__tls_conn *conn = soon_zalloc(sizeof *conn);
	int rc;

	if (conn == NULL)
		return -ENOMEM;
	soon__tls_hold(tls);
	conn->tls = tls;
	conn->set = soon__tls_set_take(tls);
	conn->transport = (struct soon__transport){ .ops = &soon__tls_ops, .stream = s };
	conn->handshake_bytes_left = tls->opts.handshake_bytes_max;
	conn->is_shaking = true;
	conn->allow_truncation = tls->opts.allow_truncation;
	rc = session_make(conn, host);
	if (rc < 0) {
		soon__tls_conn_free(conn);
		return rc;
	}
	s->transport = &conn->transport;
	soon_sender_on_end(&s->sender, soon__tls_sender_ended);
	return early_take(conn, s);
}

/* Until it is done, or has failed. Everything that OpenSSL wrote is sent or in flight. */
static int shake(struct soon__tls_conn *conn) SOON_SUSPENDS
{
	soon_stream *s = conn->transport.stream;

	for (;;) {
		soon_slice chunk = { 0 };
		int rc, ssl_error;
		ssize_t n;

		ERR_clear_error();
		rc = SSL_do_handshake(conn->ssl);
		if (rc == 1)
			return soon__tls_chunk_keep(conn);
		ssl_error = SSL_get_error(conn->ssl, rc);
		if (ssl_error != SSL_ERROR_WANT_READ)
			return soon__tls_broke(conn, ssl_error);
		rc = soon__tls_chunk_keep(conn);
		if (rc == 0)
			rc = soon__tls_pump(conn);
		if (rc < 0)
			return rc;
		n = soon_receiver_next(&s->receiver, &chunk);
		rc = soon__tls_chunk_set(conn, n, chunk);
		if (rc < 0)
			return rc;
	}
}

/* `rc` with who it was. */
static int failure(const struct soon__tls_conn *conn, const char *host, int rc)
{
	char text[SOON_ADDR_TEXT_BYTES];
	soon_addr addr;

	if (host == NULL)
		host = soon_stream_peer(conn->transport.stream, &addr) == 0
			? soon_addr_format(&addr, text)
			: "a client";
	if (rc == -ETIMEDOUT)
		return soon_fail(rc, "tls: %.60s: no handshake within the time", host);
	if (rc == -ECANCELED)
		return rc;
	return soon_fail(rc, "tls: %.60s: %s", host, conn->why);
}

/* Counts one that begins, if it may. */
static int count_begin(soon_tls *tls)
{
	int rc = 0;

	(void)pthread_mutex_lock(&tls->lock);
	if (tls->stats.pending >= tls->opts.handshakes_max) {
		tls->stats.refused++;
		tls->stats.failed++;
		rc = -EBUSY;
	} else {
		tls->stats.pending++;
	}
	(void)pthread_mutex_unlock(&tls->lock);
	if (rc < 0)
		return soon_fail(rc, "tls: %u handshakes go on: see .handshakes_max",
			tls->opts.handshakes_max);
	return 0;
}

static void count_end(soon_tls *tls, int rc, bool is_resumed)
{
	(void)pthread_mutex_lock(&tls->lock);
	tls->stats.pending--;
	if (rc < 0)
		tls->stats.failed++;
	else
		tls->stats.handshakes++;
	if (rc == 0 && is_resumed)
		tls->stats.resumed++;
	(void)pthread_mutex_unlock(&tls->lock);
}

/* The alert that says why leaves, if the peer takes it at once. */
static void alert_push(struct soon__tls_conn *conn) SOON_SUSPENDS
{
	if (soon__tls_pump(conn) == 0 && conn->flight != NULL && !soon_cancelled())
		(void)!soon_shielded(conn->tls->opts.goodbye_timeout,
			soon_sender_wait(&conn->transport.stream->sender));
}

static int handshake(soon_stream *s, soon_tls *tls, const char *host) SOON_SUSPENDS
{
	struct soon__tls_conn *conn;
	int rc = conn_make(s, tls, host);

	if (s->transport == NULL)
		return rc;
	conn = soon__tls_conn_at(s->transport);
	if (rc == 0)
		rc = (int)soon_within(tls->opts.handshake_timeout, shake(conn));
	conn->is_shaking = false;
	/* A server's tickets of TLS 1.3 go with the first answer, or before a wait. */
	if (rc == 0 && !(tls->is_server && SSL_version(conn->ssl) == TLS1_3_VERSION))
		rc = soon__tls_pump(conn);
	if (rc < 0) {
		(void)!soon__tls_chunk_keep(conn);
		alert_push(conn);
		(void)!soon__tls_broke_by(conn, rc, soon__error_text(rc));
		return failure(conn, host, rc);
	}
	return 0;
}

/* Nothing has begun yet: refuses what cannot be. */
static int can_begin(const soon_stream *s, const soon_tls *tls, bool is_server) SOON_ON_CORE
{
	if (tls->is_server != is_server)
		return soon_fail(-EINVAL, "tls: this is a context for %s",
			tls->is_server ? "servers" : "clients");
	if (s->transport != NULL)
		return s->transport->ops == &soon__tls_ops ? -EALREADY : -ENOTSOCK;
	if (s->is_reading || s->is_writing)
		return soon__stream_conflict(s, "encrypt");
	if (soon_stack_left() < SOON_TLS_STACK_BYTES)
		return soon_fail(-ENOBUFS,
			"tls: a handshake takes up to %u bytes of stack, the task has %zu left: "
			"see .stack_bytes",
			(unsigned)SOON_TLS_STACK_BYTES, soon_stack_left());
	return 0;
}

/* Before this the stream is in clear: it shall not go on like that by an oversight. */
static int spoil(soon_stream *s, int rc)
{
	if (rc < 0 && rc != -EALREADY && rc != -ENOTSOCK && s->out_error == 0)
		s->out_error = rc;
	return rc;
}

static int begin(soon_stream *s, soon_tls *tls, const char *host, bool is_server) SOON_SUSPENDS
{
	int rc = can_begin(s, tls, is_server);

	if (rc == -EBUSY)
		return rc; /* the other task is not disturbed */
	if (rc == 0)
		rc = soon_stream_flush(s);
	if (rc == 0)
		rc = count_begin(tls);
	if (rc < 0)
		return spoil(s, rc);

	s->is_reading = true;
	s->is_writing = true;
	rc = handshake(s, tls, host);
	s->is_reading = false;
	s->is_writing = false;
	count_end(
		tls, rc, rc == 0 && SSL_session_reused(soon__tls_conn_at(s->transport)->ssl) == 1);
	return spoil(s, rc);
}

int soon_tls_accept(soon_stream *stream, soon_tls *tls)
{
	SOON_ASSERT(stream != NULL);
	SOON_ASSERT(tls != NULL);
	return begin(stream, tls, NULL, true);
}

int soon_tls_connect(soon_stream *stream, soon_tls *tls, const char *host)
{
	SOON_ASSERT(stream != NULL);
	SOON_ASSERT(tls != NULL);
	SOON_ASSERT(host != NULL);
	return begin(stream, tls, host, false);
}

/* "example.org:443", "[::1]:443": without the port. */
static int host_of(const char *where, char ret_host[SOON_TLS_NAME_BYTES])
{
	const char *start = where[0] == '[' ? where + 1 : where;
	const char *end = where[0] == '[' ? strchr(where, ']') : strrchr(where, ':');
	size_t len;

	if (end == NULL || end <= start || end - start >= SOON_TLS_NAME_BYTES ||
		strncmp(where, "unix:", 5) == 0)
		return soon_fail(-EINVAL, "tls: \"%.80s\" is not like \"example.org:443\"", where);
	len = (size_t)(end - start);
	memcpy(ret_host, start, len);
	ret_host[len] = '\0';
	return 0;
}

int soon_tls_dial(
	const char *where, soon_tls *tls, const soon_stream_opts *opts, soon_stream **ret_stream)
{
	char host[SOON_TLS_NAME_BYTES];
	soon_stream *stream;
	int rc;

	SOON_ASSERT(where != NULL);
	SOON_ASSERT(ret_stream != NULL);
	rc = host_of(where, host);
	if (rc == 0)
		rc = soon_dial(where, opts, &stream);
	if (rc != 0)
		return rc;
	rc = soon_tls_connect(stream, tls, host);
	if (rc < 0) {
		soon_stream_abort(stream);
		return rc;
	}
	*ret_stream = stream;
	return 0;
}

static struct soon__tls_conn *conn_of(const soon_stream *stream)
{
	struct soon__transport *t = stream->transport;

	return t != NULL && t->ops == &soon__tls_ops ? soon__tls_conn_at(t) : NULL;
}

void soon_tls_allow_truncation(soon_stream *stream)
{
	struct soon__tls_conn *conn;

	SOON_ASSERT(stream != NULL);
	conn = conn_of(stream);
	if (conn != NULL)
		conn->allow_truncation = true;
}

static void alpn_tell(const SSL *ssl, char ret_alpn[SOON_TLS_NAME_BYTES])
{
	const unsigned char *name;
	unsigned len;

	SSL_get0_alpn_selected(ssl, &name, &len);
	if (len > 0 && len < SOON_TLS_NAME_BYTES)
		memcpy(ret_alpn, name, len); /* the rest is zero */
}

int soon_tls_info_get(const soon_stream *stream, soon_tls_info *ret_info)
{
	const struct soon__tls_conn *conn;
	const char *name;
	X509 *peer;

	SOON_ASSERT(stream != NULL);
	SOON_ASSERT(ret_info != NULL);
	conn = conn_of(stream);
	if (conn == NULL || !SSL_is_init_finished(conn->ssl))
		return -ENOENT;
	memset(ret_info, 0, sizeof *ret_info);
	ret_info->version = SSL_get_version(conn->ssl);
	ret_info->cipher = SSL_get_cipher_name(conn->ssl);
	ret_info->is_resumed = SSL_session_reused(conn->ssl) == 1;
	alpn_tell(conn->ssl, ret_info->alpn);
	name = SSL_get_servername(conn->ssl, TLSEXT_NAMETYPE_host_name);
	if (name != NULL)
		(void)snprintf(ret_info->server_name, sizeof ret_info->server_name, "%s", name);
	peer = SSL_get0_peer_certificate(conn->ssl);
	ret_info->has_peer_cert = peer != NULL;
	if (peer != NULL)
		(void)X509_NAME_get_text_by_NID(X509_get_subject_name(peer), NID_commonName,
			ret_info->peer_name, SOON_TLS_NAME_BYTES);
	ERR_clear_error();
	return 0;
}
