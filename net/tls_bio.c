// SPDX-License-Identifier: Apache-2.0
/*
 * tls_bio.c: where OpenSSL reads and writes ciphertext: the memory of a connection.
 *
 * Its own memory BIO copies each byte once more and keeps the largest buffer it ever had. This one
 * reads from where the bytes were received and writes to where they are sent from. It never waits,
 * so no task is ever suspended inside OpenSSL. The end of the connection is not told to OpenSSL:
 * whoever reads from the socket knows better what it means.
 */
#include "stream.h"
#include "tls.h"

#include <string.h>

/* What a peer may make us answer without taking it, above what is sent at a time. */
#define CIPHER_BYTES_MAX (256u * 1024)

static size_t take(struct soon__tls_conn *conn, char *buf, size_t bytes)
{
	size_t n = soon__block_len(conn->raw);

	if (n > 0) {
		if (n > bytes)
			n = bytes;
		memcpy(buf, conn->raw->data + conn->raw->start, n);
		conn->raw->start += n;
		if (soon__block_len(conn->raw) == 0) {
			soon__block_give(conn->raw);
			conn->raw = NULL;
		}
		return n;
	}
	n = conn->chunk.len - conn->chunk_taken;
	if (n > bytes)
		n = bytes;
	if (n > 0)
		memcpy(buf, conn->chunk.ptr + conn->chunk_taken, n);
	conn->chunk_taken += n;
	return n;
}

static int bio_read(BIO *bio, char *buf, size_t bytes, size_t *ret_done)
{
	struct soon__tls_conn *conn = BIO_get_data(bio);

	BIO_clear_retry_flags(bio);
	if (conn->is_shaking && bytes > conn->handshake_bytes_left) {
		bytes = conn->handshake_bytes_left;
		if (bytes == 0) {
			conn->bio_error = -EMSGSIZE; /* see handshake_bytes_max */
			return 0;
		}
	}
	*ret_done = take(conn, buf, bytes);
	if (*ret_done == 0) {
		BIO_set_retry_read(bio);
		return 0;
	}
	if (conn->is_shaking)
		conn->handshake_bytes_left -= *ret_done;
	return 1;
}

static int bio_write(BIO *bio, const char *buf, size_t bytes, size_t *ret_done)
{
	struct soon__tls_conn *conn = BIO_get_data(bio);
	int rc = -ENOBUFS;

	BIO_clear_retry_flags(bio);
	if (bytes <= CIPHER_BYTES_MAX && soon__block_len(conn->cipher) <= CIPHER_BYTES_MAX - bytes)
		rc = soon__block_room(&conn->cipher, bytes);
	if (rc < 0) {
		conn->bio_error = rc;
		return 0;
	}
	memcpy(conn->cipher->data + conn->cipher->end, buf, bytes);
	conn->cipher->end += bytes;
	*ret_done = bytes;
	return 1;
}

static long bio_ctrl(BIO *bio, int cmd, long num, void *ptr)
{
	(void)bio;
	(void)num;
	(void)ptr;
	return cmd == BIO_CTRL_FLUSH ? 1 : 0;
}

static pthread_once_t once = PTHREAD_ONCE_INIT;
static BIO_METHOD *method; /* NULL: there was no memory; never freed */

static void method_make(void)
{
	BIO_METHOD *made = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "soon stream");

	if (made == NULL || BIO_meth_set_read_ex(made, bio_read) != 1 ||
		BIO_meth_set_write_ex(made, bio_write) != 1 ||
		BIO_meth_set_ctrl(made, bio_ctrl) != 1) {
		BIO_meth_free(made);
		return;
	}
	method = made;
}

BIO *soon__tls_bio_new(struct soon__tls_conn *conn)
{
	BIO *bio;

	(void)pthread_once(&once, method_make); /* cannot fail with these arguments */
	bio = method != NULL ? BIO_new(method) : NULL;
	if (bio == NULL)
		return NULL;
	BIO_set_data(bio, conn);
	BIO_set_init(bio, 1);
	return bio;
}
