// SPDX-License-Identifier: Apache-2.0
/*
 * Bytes of a connection, in clear or by TLS 1.3. The load is no measure of a client: certificates
 * are not verified, and no session is kept, so every connection does a full handshake.
 */
#include "load.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <sys/socket.h>
#include <unistd.h>

static SSL_CTX *ctx;

int wire_set_up(const struct load_opts *opts)
{
	if (!opts->protocol->is_tls)
		return 0;
	ctx = SSL_CTX_new(TLS_client_method());
	if (ctx == NULL || SSL_CTX_set_min_proto_version(ctx, TLS1_3_VERSION) != 1)
		return -ENOMEM;
	(void)SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
	(void)SSL_CTX_set_mode(
		ctx, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
	return 0;
}

void wire_clean_up(void)
{
	SSL_CTX_free(ctx);
	ctx = NULL;
}

static ssize_t tls_result(SSL *ssl, int rc)
{
	switch (SSL_get_error(ssl, rc)) {
	case SSL_ERROR_WANT_READ:
	case SSL_ERROR_WANT_WRITE:
		return -EAGAIN;
	case SSL_ERROR_ZERO_RETURN:
		return 0;
	default:
		ERR_clear_error();
		return -EPROTO;
	}
}

int wire_begin(struct conn *conn)
{
	if (ctx == NULL)
		return 0;
	conn->ssl = SSL_new(ctx);
	if (conn->ssl == NULL || SSL_set_fd(conn->ssl, conn->fd) != 1)
		return -ENOMEM;
	SSL_set_connect_state(conn->ssl);
	return 0;
}

int wire_shake(struct conn *conn)
{
	int rc = conn->ssl != NULL ? SSL_do_handshake(conn->ssl) : 1;

	return rc == 1 ? 1 : (int)tls_result(conn->ssl, rc);
}

void wire_end(struct conn *conn)
{
	if (conn->ssl != NULL) {
		(void)SSL_shutdown(conn->ssl);
		ERR_clear_error();
		SSL_free(conn->ssl);
		conn->ssl = NULL;
	}
	(void)close(conn->fd);
	conn->fd = -1;
}

ssize_t wire_send(struct conn *conn, const void *buf, size_t bytes)
{
	ssize_t n;
	int rc;

	if (conn->ssl == NULL) {
		n = send(conn->fd, buf, bytes, MSG_NOSIGNAL);
		return n < 0 ? -errno : n;
	}
	rc = SSL_write(conn->ssl, buf, (int)bytes);
	return rc > 0 ? rc : tls_result(conn->ssl, rc);
}

ssize_t wire_receive(struct conn *conn, void *buf, size_t bytes)
{
	ssize_t n;
	int rc;

	if (conn->ssl == NULL) {
		n = read(conn->fd, buf, bytes);
		return n < 0 ? -errno : n;
	}
	rc = SSL_read(conn->ssl, buf, (int)bytes);
	return rc > 0 ? rc : tls_result(conn->ssl, rc);
}
