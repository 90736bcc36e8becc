// SPDX-License-Identifier: Apache-2.0
/*
 * tls.h: contexts and connections of TLS, private to net/.
 *
 * OpenSSL is called on the core, between two waits and never across one: it reads from and writes
 * to memory (tls_bio.c), so it never waits itself. Its queue of errors belongs to the thread, and
 * so to all tasks of the core: it is emptied before each call and taken right behind it.
 *
 * | file | holds |
 * |---|---|
 * | tls.c | contexts: options, counters, the set of certificates in use |
 * | tls_load.c | files into a set, on a pool thread; what every SSL_CTX is told |
 * | tls_watch.c | whether files have changed, and the task that looks |
 * | tls_ticket.c | keys of session tickets |
 * | tls_bio.c | OpenSSL's end of the two pipes |
 * | tls_conn.c | handshakes, and what they led to |
 * | tls_stream.c | the stream's transport |
 * | tls_error.c | errors as texts |
 */
#ifndef NET_TLS_H
#define NET_TLS_H

#include <soon/assert.h>
#include <soon/socket.h>
#include <soon/tls.h>

#include "block.h"
#include "spi/transport.h"

#include <openssl/ssl.h>
#include <pthread.h>

#define SOON__TLS_ALPN_BYTES_MAX 255
#define SOON__TLS_TICKET_KEYS    2 /* the one in use, and the one before */
#define SOON__TLS_WHY_BYTES      192
#define SOON__TLS_PIECES_MAX     (SOON_STREAM_SLICES_MAX + 1)

/* Certificates that were loaded together. Each is an SSL_CTX, the first is everybody's. */
struct soon__tls_set {
	unsigned refs; /* under the context's lock */
	unsigned count;
	uint64_t stamp; /* of the files, taken before they were read */
	struct {
		SSL_CTX *ctx;
		X509 *leaf; /* ctx's; NULL for a client without one */
	} of[SOON_TLS_CERTS_MAX];
};

struct soon__tls_ticket_key {
	unsigned char name[16];
	unsigned char cipher_key[32];
	unsigned char mac_key[32];
};

struct soon_tls {
	bool is_server;
	soon_tls_opts opts; /* defaults filled in, texts and arrays our own */
	soon_tls_cert certs[SOON_TLS_CERTS_MAX];
	unsigned char alpn[SOON__TLS_ALPN_BYTES_MAX + 1]; /* as on the wire */
	unsigned alpn_bytes;
	char *texts; /* all of them */

	pthread_mutex_t lock; /* of what follows; held for a few instructions, never in a wait */
	unsigned refs;        /* the owner and the connections */
	struct soon__tls_set *set;
	struct soon__tls_ticket_key keys[SOON__TLS_TICKET_KEYS]; /* the newest first */
	unsigned keys_count;
	soon_ns keys_at; /* when the newest was made */
	soon_tls_stats stats;
};

struct soon__tls_conn {
	struct soon__transport transport;
	soon_tls *tls;
	struct soon__tls_set *set;
	SSL *ssl;
	int error;                     /* the session is broken: OpenSSL is not called any more */
	int bio_error;                 /* why a BIO failed */
	char why[SOON__TLS_WHY_BYTES]; /* what reads say then */

	/* In: ciphertext is, in this order, in `raw` and in the chunk, which a call gives back. */
	struct soon__block *raw;
	soon_slice chunk;
	size_t chunk_taken;
	struct soon__block *plain;   /* lent to the stream */
	size_t handshake_bytes_left; /* while is_shaking */
	bool is_shaking;
	bool is_ended; /* no more will come: announced, or allowed not to be */
	bool allow_truncation;

	/* Out: ciphertext is, in this order, in flight and in `cipher`; plaintext in the pieces. */
	struct soon__block *flight;
	struct soon__block *cipher;
	int out_error;    /* of the socket */
	bool is_sending;  /* a send of the stream has not ended */
	bool is_notified; /* close_notify was written */
	size_t rest;      /* bytes in the pieces */
	struct iovec *at;
	int count;
	struct iovec pieces[SOON__TLS_PIECES_MAX];
};

extern const struct soon__transport_ops soon__tls_ops;

static inline struct soon__tls_conn *soon__tls_conn_at(struct soon__transport *t)
{
	return SOON_CONTAINER_OF(t, struct soon__tls_conn, transport);
}

/* ---- contexts ---- */

void soon__tls_hold(soon_tls *tls);

/* Takes the set in use; to be given back to release. */
struct soon__tls_set *soon__tls_set_take(soon_tls *tls);
void soon__tls_set_release(soon_tls *tls, struct soon__tls_set *set);
void soon__tls_set_free(struct soon__tls_set *set);

/* Reads the files of `tls` into a new set. Blocks: on a pool thread. `ret_why` says what failed. */
SOON_NODISCARD int soon__tls_load(
	const soon_tls *tls, struct soon__tls_set **ret_set, char ret_why[SOON__TLS_WHY_BYTES]);

/* A number that is another one when a file has changed, or is another file. Blocks. */
uint64_t soon__tls_stamp(const soon_tls *tls);

/* That of the set in use. */
uint64_t soon__tls_set_stamp(soon_tls *tls);

/* Has `ctx` ask for ticket keys of the connection's context. */
void soon__tls_tickets_set(SSL_CTX *ctx);

/* ---- connections ---- */

/* Makes the BIO of a connection, both directions; NULL when there is no memory. */
BIO *soon__tls_bio_new(struct soon__tls_conn *conn);

/* What the stream is to OpenSSL, and back. */
static inline struct soon__tls_conn *soon__tls_conn_of(const SSL *ssl)
{
	return SSL_get_app_data(ssl);
}

/* Encrypts and starts to send what there is, if nothing is in flight. */
SOON_NODISCARD int soon__tls_pump(struct soon__tls_conn *conn) SOON_ON_CORE;

/* The stream's sender has ended a send. */
void soon__tls_sender_ended(soon_sender *sender, int rc) SOON_ON_CORE;

/* Copies what is left of the chunk aside and gives it back. */
SOON_NODISCARD int soon__tls_chunk_keep(struct soon__tls_conn *conn) SOON_ON_CORE;

/* Takes a chunk of the receiver, `n` its result: 1, or 0 at the end, or an error. */
SOON_NODISCARD int soon__tls_chunk_set(struct soon__tls_conn *conn, ssize_t n, soon_slice chunk)
	SOON_ON_CORE;

/* Frees it; what it had in the stream has ended. */
void soon__tls_conn_free(struct soon__tls_conn *conn);

/* ---- errors ---- */

/*
 * The session broke by the call of OpenSSL that was made last, with what SSL_get_error() says:
 * takes the errors of the thread, notes the cause in conn->why, and gives the errno, which stays.
 */
SOON_NODISCARD int soon__tls_broke(struct soon__tls_conn *conn, int ssl_error);

/* The same with a cause of ours. */
SOON_NODISCARD int soon__tls_broke_by(struct soon__tls_conn *conn, int rc, const char *why);

/* Takes the thread's errors: a text for the first. */
void soon__tls_reason(char ret_text[SOON__TLS_WHY_BYTES]);

#endif
