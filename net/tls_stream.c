// SPDX-License-Identifier: Apache-2.0
/*
 * tls_stream.c: a stream's transport that encrypts.
 *
 * It lies between the stream and the stream's own receiver and sender. Plaintext of one send is
 * encrypted in portions of about 64 KiB, each sent before the next is made, so that a write of any
 * size costs one buffer. Ciphertext that was made has to leave, in order, whatever becomes of the
 * task that wrote: so a cancelled write counts what was encrypted as taken.
 *
 * What OpenSSL has to say by itself (alerts, tickets, answers to key updates) gathers in `cipher`
 * and leaves with the next send, or when somebody is going to wait.
 */
#include <soon/mem.h>
#include <soon/scope.h>

#include "stream.h"
#include "tls.h"

#include <openssl/err.h>
#include <string.h>

#define PLAIN_BYTES  16000 /* lent to the reader at a time; fits the second size of blocks */
#define RECORD_BYTES 16384
#define PORTION_BYTES                                                                              \
	(3u * RECORD_BYTES) /* one record beyond fits the largest block that is kept */

/* ---- reading ----------------------------------------------------------------------------- */

int soon__tls_chunk_keep(struct soon__tls_conn *conn)
{
	soon_stream *s = conn->transport.stream;
	size_t bytes = conn->chunk.len - conn->chunk_taken;
	int rc = 0;

	if (bytes > 0) {
		rc = soon__block_room(&conn->raw, bytes);
		if (rc == 0) {
			memcpy(conn->raw->data + conn->raw->end,
				conn->chunk.ptr + conn->chunk_taken, bytes);
			conn->raw->end += bytes;
		}
	}
	if (conn->chunk.len > 0)
		soon_receiver_return(&s->receiver, conn->chunk);
	conn->chunk = (soon_slice){ 0 };
	conn->chunk_taken = 0;
	return rc < 0 ? soon__tls_broke_by(conn, rc, "no memory for what was received") : 0;
}

static int truncated(struct soon__tls_conn *conn)
{
	if (conn->allow_truncation && !conn->is_shaking) {
		conn->is_ended = true;
		return 0;
	}
	return soon__tls_broke_by(conn, -ECONNABORTED,
		conn->is_shaking
			? "it closed the connection before the handshake was done"
			: "the connection ended without close_notify: data may be missing");
}

int soon__tls_chunk_set(struct soon__tls_conn *conn, ssize_t n, soon_slice chunk)
{
	if (n == 0)
		return truncated(conn);
	if (n < 0)
		return (int)n;
	conn->chunk = chunk;
	conn->chunk_taken = 0;
	return 1;
}

static ssize_t read_failure(struct soon__tls_conn *conn)
{
	return soon_fail(conn->error, "tls: %s", conn->why);
}

/* Decrypts into `block` what is there and fits. Returns how much, or what stopped it. */
static ssize_t decrypt_into(struct soon__tls_conn *conn, struct soon__block *block) SOON_ON_CORE
{
	size_t have = 0, n;
	int ssl_error;

	for (;;) {
		ERR_clear_error();
		if (SSL_read_ex(conn->ssl, block->data + have, PLAIN_BYTES - have, &n) != 1)
			break;
		have += n;
		if (have == PLAIN_BYTES)
			return (ssize_t)have;
	}
	ssl_error = SSL_get_error(conn->ssl, 0);
	if (ssl_error == SSL_ERROR_ZERO_RETURN) {
		conn->is_ended = true;
	} else if (ssl_error != SSL_ERROR_WANT_READ) {
		/* The alert that tells the peer is in `cipher`. */
		(void)!soon__tls_broke(conn, ssl_error);
		(void)!soon__tls_pump(conn);
	}
	if (have > 0)
		return (ssize_t)have;
	if (conn->error != 0)
		return read_failure(conn);
	return conn->is_ended ? 0 : -EAGAIN;
}

/* Decrypts what has been received. */
static ssize_t decrypt(struct soon__tls_conn *conn, soon_slice *ret_chunk) SOON_ON_CORE
{
	struct soon__block *block;
	ssize_t n;

	SOON_ASSERT(conn->plain == NULL);
	if (conn->is_ended)
		return 0;
	if (conn->error != 0)
		return read_failure(conn);
	if (conn->raw == NULL && conn->chunk.len == conn->chunk_taken &&
		SSL_has_pending(conn->ssl) == 0)
		return -EAGAIN;
	block = soon__block_take(PLAIN_BYTES);
	if (block == NULL)
		return -ENOMEM;
	n = decrypt_into(conn, block);
	if (n <= 0) {
		soon__block_give(block);
		return n;
	}
	conn->plain = block;
	*ret_chunk = (soon_slice){ block->data, (size_t)n };
	return n;
}

/* `n` and `got` are what the receiver gave. */
static ssize_t received(
	struct soon__tls_conn *conn, ssize_t n, soon_slice got, soon_slice *ret_chunk) SOON_ON_CORE
{
	int rc = soon__tls_chunk_set(conn, n, got);

	if (rc == -ECONNABORTED && conn->error != 0)
		return read_failure(conn);
	if (rc <= 0)
		return rc;
	n = decrypt(conn, ret_chunk);
	rc = soon__tls_chunk_keep(conn);
	return n == -EAGAIN && rc < 0 ? rc : n;
}

static ssize_t tls_try_next(struct soon__transport *t, soon_slice *ret_chunk) SOON_ON_CORE
{
	struct soon__tls_conn *conn = soon__tls_conn_at(t);
	ssize_t n = decrypt(conn, ret_chunk);

	while (n == -EAGAIN) {
		soon_slice got = { 0 };
		ssize_t there = soon_receiver_try_next(&t->stream->receiver, &got);

		if (there == -EAGAIN)
			break;
		n = received(conn, there, got, ret_chunk);
	}
	return n;
}

static ssize_t tls_next(struct soon__transport *t, soon_slice *ret_chunk) SOON_SUSPENDS
{
	struct soon__tls_conn *conn = soon__tls_conn_at(t);
	ssize_t n;

	while ((n = tls_try_next(t, ret_chunk)) == -EAGAIN) {
		soon_slice got = { 0 };
		ssize_t there;

		(void)!soon__tls_pump(conn); /* a failure is the writer's */
		there = soon_receiver_next(&t->stream->receiver, &got);
		n = received(conn, there, got, ret_chunk);
		if (n != -EAGAIN)
			return n;
	}
	return n;
}

static void tls_give_back(struct soon__transport *t, soon_slice chunk)
{
	struct soon__tls_conn *conn = soon__tls_conn_at(t);

	SOON_ASSERT(conn->plain != NULL);
	SOON_ASSERT(chunk.ptr == conn->plain->data);
	soon__block_give(conn->plain);
	conn->plain = NULL;
}

/* ---- writing ----------------------------------------------------------------------------- */

/* Takes `bytes` off the front of the pieces. */
static void advance(struct soon__tls_conn *conn, size_t bytes)
{
	SOON_ASSERT(bytes <= conn->at->iov_len);
	conn->rest -= bytes;
	conn->at->iov_base = (char *)conn->at->iov_base + bytes;
	conn->at->iov_len -= bytes;
}

/* Encrypts a portion of the pieces, behind what is in `cipher`. */
static int encrypt_rest(struct soon__tls_conn *conn)
{
	while (conn->rest > 0 && soon__block_len(conn->cipher) <= PORTION_BYTES) {
		size_t bytes = conn->at->iov_len;
		size_t done;

		if (bytes == 0) {
			conn->at++;
			conn->count--;
			continue;
		}
		if (bytes > RECORD_BYTES)
			bytes = RECORD_BYTES;
		ERR_clear_error();
		if (SSL_write_ex(conn->ssl, conn->at->iov_base, bytes, &done) != 1)
			return soon__tls_broke(conn, SSL_get_error(conn->ssl, 0));
		advance(conn, done);
	}
	return 0;
}

int soon__tls_pump(struct soon__tls_conn *conn)
{
	soon_stream *s = conn->transport.stream;
	int rc;

	if (conn->out_error != 0)
		return conn->out_error;
	if (conn->flight != NULL) {
		if (conn->rest > 0 || conn->cipher != NULL)
			soon_sender_hurry(&s->sender);
		return 0;
	}
	rc = conn->rest == 0 ? 0 : conn->error;
	if (rc == 0)
		rc = encrypt_rest(conn);
	if (soon__block_len(conn->cipher) == 0)
		return rc;
	conn->flight = conn->cipher;
	conn->cipher = NULL;
	conn->out_error = soon_sender_start(&s->sender, conn->flight->data + conn->flight->start,
		soon__block_len(conn->flight));
	if (conn->out_error != 0) {
		soon__block_give(conn->flight);
		conn->flight = NULL;
		return conn->out_error;
	}
	return rc;
}

static void send_end(struct soon__tls_conn *conn, int rc) SOON_ON_CORE
{
	if (!conn->is_sending)
		return;
	conn->is_sending = false;
	conn->rest = 0;
	soon__transport_sent(&conn->transport, rc);
}

void soon__tls_sender_ended(soon_sender *sender, int rc)
{
	soon_stream *s = SOON_CONTAINER_OF(sender, soon_stream, sender);
	struct soon__tls_conn *conn = soon__tls_conn_at(s->transport);

	soon__block_give(conn->flight);
	conn->flight = NULL;
	if (rc < 0)
		conn->out_error = rc;
	else if (conn->rest > 0)
		rc = soon__tls_pump(conn);
	if (rc < 0 || conn->rest == 0)
		if (rc < 0 || conn->flight == NULL)
			send_end(conn, rc);
	/* The stream may have begun its next send meanwhile; what else there is goes now. */
	(void)!soon__tls_pump(conn);
}

static int tls_startv(struct soon__transport *t, const struct iovec *iov, int count) SOON_ON_CORE
{
	struct soon__tls_conn *conn = soon__tls_conn_at(t);
	int rc;

	SOON_ASSERT(count > 0 && count <= SOON__TLS_PIECES_MAX);
	SOON_ASSERT(!conn->is_sending);
	if (conn->error != 0)
		return conn->error;
	memcpy(conn->pieces, iov, (size_t)count * sizeof *iov);
	conn->at = conn->pieces;
	conn->count = count;
	conn->rest = 0;
	for (int i = 0; i < count; i++)
		conn->rest += iov[i].iov_len;
	if (conn->rest == 0)
		return 0;
	conn->is_sending = true;
	rc = soon__tls_pump(conn);
	if (rc < 0) {
		conn->is_sending = false;
		conn->rest = 0;
	}
	return rc;
}

static bool tls_is_busy(struct soon__transport *t)
{
	return soon__tls_conn_at(t)->is_sending;
}

static void tls_hurry(struct soon__transport *t) SOON_ON_CORE
{
	soon_sender_hurry(&t->stream->sender);
}

/* Waits for what is in flight. */
static int flight_wait(struct soon__tls_conn *conn) SOON_SUSPENDS
{
	while (conn->flight != NULL) {
		int rc = soon_sender_wait(&conn->transport.stream->sender);

		if (rc < 0)
			return rc;
	}
	return conn->out_error;
}

static int tls_wait(struct soon__transport *t) SOON_SUSPENDS
{
	struct soon__tls_conn *conn = soon__tls_conn_at(t);

	while (conn->is_sending) {
		int rc;

		SOON_ASSERT(conn->flight != NULL);
		rc = soon_sender_wait(&t->stream->sender);
		if (rc < 0)
			return rc;
	}
	return conn->out_error != 0 ? conn->out_error : conn->error;
}

/* What is encrypted is as good as sent: it is in our memory, and has to stay in order. */
static size_t tls_stop(struct soon__transport *t)
{
	struct soon__tls_conn *conn = soon__tls_conn_at(t);
	size_t rest = conn->rest;

	conn->rest = 0;
	conn->is_sending = false;
	return rest;
}

/* ---- the end ----------------------------------------------------------------------------- */

/* Writes close_notify, once. */
static void notify(struct soon__tls_conn *conn)
{
	if (conn->is_notified || conn->error != 0)
		return;
	conn->is_notified = true;
	ERR_clear_error();
	(void)SSL_shutdown(conn->ssl); /* 0: the peer's is not there yet, and not waited for */
	ERR_clear_error();
}

static void blocks_drop(struct soon__tls_conn *conn)
{
	soon__block_give(conn->flight);
	soon__block_give(conn->cipher);
	conn->flight = NULL;
	conn->cipher = NULL;
}

/* Hands the kernel what it takes of the ciphertext without a wait. Nothing is in flight. */
static void cipher_push(struct soon__tls_conn *conn)
{
	struct soon__block *block = conn->cipher;
	ssize_t n;

	if (soon__block_len(block) == 0)
		return;
	n = send(conn->transport.stream->fd, block->data + block->start, soon__block_len(block),
		MSG_DONTWAIT | MSG_NOSIGNAL);
	if (n > 0)
		block->start += (size_t)n;
}

static void tls_send_last(struct soon__transport *t, const struct iovec *iov, int count)
	SOON_SUSPENDS
{
	struct soon__tls_conn *conn = soon__tls_conn_at(t);
	size_t left = soon_sender_stop(&t->stream->sender);

	/* What was in flight comes before what is encrypted now. */
	if (conn->flight != NULL && conn->out_error == 0) {
		struct soon__block *behind = conn->cipher;

		conn->cipher = conn->flight;
		conn->flight = NULL;
		conn->cipher->start = conn->cipher->end - left;
		cipher_push(conn);
		if (soon__block_len(conn->cipher) > 0)
			conn->out_error = -ECANCELED;
		soon__block_give(conn->cipher);
		conn->cipher = behind;
	}
	if (conn->error == 0 && conn->out_error == 0) {
		memcpy(conn->pieces, iov, (size_t)count * sizeof *iov);
		conn->at = conn->pieces;
		for (int i = 0; i < count; i++)
			conn->rest += iov[i].iov_len;
		(void)encrypt_rest(conn); /* more than a portion will hardly be taken at once */
		if (conn->rest == 0)
			notify(conn);
		conn->rest = 0;
		cipher_push(conn);
	}
	blocks_drop(conn);
	(void)!soon__tls_broke_by(conn, -ECANCELED, "the close was cancelled");
}

/* Says that this is the end, or why: an alert may be on its way. */
static void goodbye(struct soon__tls_conn *conn) SOON_SUSPENDS
{
	notify(conn);
	if (conn->flight == NULL && conn->out_error == 0)
		cipher_push(conn);
	if (soon_cancelled())
		return;
	(void)!soon__tls_pump(conn); /* nobody is left to be told of a failure */
	if (conn->flight != NULL)
		(void)!soon_shielded(conn->tls->opts.goodbye_timeout, flight_wait(conn));
}

static int tls_shutdown(struct soon__transport *t) SOON_SUSPENDS
{
	struct soon__tls_conn *conn = soon__tls_conn_at(t);
	int rc;

	notify(conn);
	rc = soon__tls_pump(conn);
	if (rc == 0)
		rc = flight_wait(conn);
	if (rc < 0)
		return rc;
	return shutdown(t->stream->fd, SHUT_WR) < 0 ? -errno : 0;
}

static void tls_close(struct soon__transport *t, bool is_abort) SOON_SUSPENDS
{
	struct soon__tls_conn *conn = soon__tls_conn_at(t);

	SOON_ASSERT(conn->plain == NULL);
	if (!is_abort)
		goodbye(conn);
	soon_receiver_fini(&t->stream->receiver);
	soon_sender_fini(&t->stream->sender);
	soon__tls_conn_free(conn);
}

const struct soon__transport_ops soon__tls_ops = {
	.next = tls_next,
	.try_next = tls_try_next,
	.give_back = tls_give_back,
	.startv = tls_startv,
	.is_busy = tls_is_busy,
	.hurry = tls_hurry,
	.wait = tls_wait,
	.stop = tls_stop,
	.send_last = tls_send_last,
	.shutdown = tls_shutdown,
	.close = tls_close,
};
