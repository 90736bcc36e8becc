// SPDX-License-Identifier: Apache-2.0
/*
 * tls.h: TLS 1.2 and 1.3 over a stream, by OpenSSL 3.
 *
 * A context holds what both sides of a service agree on: certificates, authorities, protocols. A
 * stream is turned into an encrypted one where it is: all calls of <soon/stream.h> go on to work,
 * with the same handle.
 *
 *	const soon_tls_cert cert = { "chain.pem", "key.pem" };
 *	rc = soon_tls_server(&(soon_tls_opts){ .certs = &cert, .certs_count = 1 }, &tls);
 *	soon_service service = { .listener = l, .handle = talk, .tls = tls };
 *
 *	rc = soon_tls_client(NULL, &tls);
 *	rc = soon_tls_dial("example.org:443", tls, NULL, &stream);
 *
 * Never: TLS 1.1 and older, compression, renegotiation, early data. A client verifies the server's
 * certificate and name. What goes wrong is told by an errno and, in soon_fail_message(), with the
 * peer, the cause and what to do.
 *
 * An end of the connection that the peer did not announce (close_notify) may be an attacker's: a
 * read gives -ECONNABORTED for it, where an announced end gives 0.
 *
 * All calls: Affinity: core, in a task, where nothing else is said. A context may be used by all
 * cores of a run. In a library that was built without OpenSSL what makes a context gives
 * -EOPNOTSUPP, after a report.
 */
#ifndef SOON_TLS_H
#define SOON_TLS_H

#include <soon/stream.h>

#ifdef __cplusplus
extern "C" {
#endif

/* What has to be left of a task's stack for a handshake, see soon_task_opts.stack_bytes. */
#define SOON_TLS_STACK_BYTES 65536

#define SOON_TLS_CERTS_MAX  64  /* of one context */
#define SOON_TLS_NAME_BYTES 256 /* of a host name, its end included */

typedef SOON__HANDLE struct soon_tls soon_tls;

/* A certificate with its chain, leaf first, and its key: PEM files, the key not encrypted. */
typedef struct soon_tls_cert {
	const char *chain_file;
	const char *key_file;
} soon_tls_cert;

/* Whether a server asks clients for a certificate. One that is shown is verified in any case. */
typedef enum soon_tls_client_certs {
	SOON_TLS_CLIENT_CERTS_NONE,
	SOON_TLS_CLIENT_CERTS_OPTIONAL,
	SOON_TLS_CLIENT_CERTS_REQUIRED,
} soon_tls_client_certs;

/* Zero means the default in every field; texts are copied. */
typedef struct soon_tls_opts {
	/*
	 * A server's: the first whose names match what the client asks for (SNI) is shown, the
	 * first of all if none does. A client has one at most.
	 */
	const soon_tls_cert *certs;
	size_t certs_count;

	/* PEM, who is believed: a client's default is the system's, a server's nobody. */
	const char *ca_file;

	const char *alpn;         /* protocols, the preferred first: "h2,http/1.1"; default none */
	const char *ciphers;      /* of TLS 1.2, as OpenSSL names them; default ECDHE with AEAD */
	const char *ciphersuites; /* of TLS 1.3; default OpenSSL's */
	soon_tls_client_certs client_certs;
	bool only_1_3;         /* not TLS 1.2 */
	bool no_verify;        /* a client believes everybody: for tests */
	bool no_tickets;       /* every connection does a full handshake */
	bool allow_truncation; /* an end that was not announced is an end, not an error */

	soon_ns ticket_life; /* a new ticket key is made this often, and good twice as long; 12 h */
	soon_ns handshake_timeout;  /* default 10 s */
	soon_ns goodbye_timeout;    /* bound on the close_notify of a close; default 1 s */
	size_t handshake_bytes_max; /* that a peer may send before it is done; default 128 KiB */
	unsigned handshakes_max;    /* at a time, on all cores together; default 1024 */
} soon_tls_opts;

/* Counters of a context. */
typedef struct soon_tls_stats {
	uint64_t handshakes; /* that were completed */
	uint64_t resumed;    /* of those, by a ticket */
	uint64_t failed;     /* that were not */
	uint64_t refused;    /* of those, because handshakes_max was reached */
	uint64_t reloads;    /* that took new certificates in use */
	unsigned pending;    /* that go on at the moment */
} soon_tls_stats;

/* What a handshake has led to. */
typedef struct soon_tls_info {
	const char *version;                   /* "TLSv1.3"; static */
	const char *cipher;                    /* as OpenSSL names it; static */
	char alpn[SOON_TLS_NAME_BYTES];        /* the chosen protocol, "" for none */
	char server_name[SOON_TLS_NAME_BYTES]; /* that the client asked for, "" for none */
	char peer_name
		[SOON_TLS_NAME_BYTES]; /* common name in the peer's certificate, "" for none */
	bool is_resumed;               /* by a ticket */
	bool has_peer_cert;            /* and it was verified, unless no_verify is set */
} soon_tls_info;

/*
 * Makes a server's context. The files are read on a pool thread.
 * Suspends: always. Cancel: cancellation point on entry.
 * Ownership: returns owned, to be given to soon_tls_free.
 * Errors: with a message that names the file and the cause: -ENOENT, -EACCES it cannot be read.
 * -EBADMSG it is not what it should be. -EKEYREJECTED key and certificate do not fit. -EINVAL no
 * certificate, an option is wrong. -ENOMEM. -EOPNOTSUPP without OpenSSL.
 */
SOON_API SOON_NODISCARD int soon_tls_server(const soon_tls_opts *opts, soon_tls **ret_tls)
	SOON_SUSPENDS;

/* Makes a client's context. Null: `opts` for defaults. Otherwise as soon_tls_server. */
SOON_API SOON_NODISCARD int soon_tls_client(
	const soon_tls_opts *SOON_NULLABLE opts, soon_tls **ret_tls) SOON_SUSPENDS;

/*
 * Lets go of a context. Connections that use it keep what they need.
 * Affinity: any. Suspends: never. Ownership: takes `tls`. Null: `tls`: nothing happens.
 */
SOON_API void soon_tls_free(soon_tls *SOON_NULLABLE tls) SOON_ANY_THREAD;

/*
 * Reads the files again. New handshakes get the new certificates; on an error everything stays as
 * it was. Connections, and tickets, are not touched.
 * Suspends: always. Cancel: cancellation point on entry. Errors: those of soon_tls_server.
 */
SOON_API SOON_NODISCARD int soon_tls_reload(soon_tls *tls) SOON_SUSPENDS;

/*
 * Reloads whenever the files have changed, until it is cancelled: a task for the service's group,
 * soon_spawn(&g, soon_tls_watch, tls). It watches the folders of the files and of what links lead
 * to, so that files that are moved into place and links that are swapped (as Kubernetes does)
 * count, and looks once a minute where no event comes, every second where it cannot. Files that
 * do not fit together yet, or are wrong, change nothing: a warning is reported once.
 * Suspends: always. Cancel: cancellation point; a drain ends it at once. Ownership: borrows `tls`.
 * Errors: -ECANCELED, else those of soon_offload; never because of the files.
 */
SOON_API SOON_NODISCARD int soon_tls_watch(soon_tls *tls) SOON_SUSPENDS;

/*
 * Makes a new ticket key, as otherwise the time does. Tickets of the key before are still good and
 * are replaced when they are used, older ones mean a full handshake.
 * Affinity: any thread of a core. Suspends: never. Errors: -EIO no randomness.
 */
SOON_API SOON_NODISCARD int soon_tls_rotate(soon_tls *tls) SOON_ON_CORE;

/* Reads the counters. Affinity: any. Suspends: never. */
SOON_API void soon_tls_stats_get(soon_tls *tls, soon_tls_stats *ret_stats) SOON_ANY_THREAD;

/*
 * Does a server's handshake on a stream, which is encrypted from then on. What was gathered before
 * is sent before, as it is; what was received and not read counts as the client's first bytes. A
 * listener's service does it by itself, see soon_service.tls.
 * Suspends: always. Cancel: cancellation point; the stream is then good for nothing but its close.
 * Ownership: borrows `tls`; the stream stays the caller's, also on an error, and is to be closed.
 * Errors: -ETIMEDOUT handshake_timeout. -EPROTO the peer does not speak TLS, has no version,
 * cipher or protocol in common, or refuses. -EKEYREJECTED its certificate. -EMSGSIZE it sent more
 * than handshake_bytes_max. -EBUSY handshakes_max, or another task uses the stream.
 * -ECONNABORTED it went away. -ENOBUFS too little is left of the task's stack. -ENOTSOCK the
 * stream has no socket. -EALREADY it is encrypted. -EINVAL `tls` is a client's. Others of a
 * stream. -ENOMEM.
 */
SOON_API SOON_NODISCARD int soon_tls_accept(soon_stream *stream, soon_tls *tls) SOON_SUSPENDS;

/*
 * Does a client's handshake. `host` is the name or the IP address that the server's certificate
 * has to be good for. Otherwise as soon_tls_accept.
 */
SOON_API SOON_NODISCARD int soon_tls_connect(soon_stream *stream, soon_tls *tls, const char *host)
	SOON_SUSPENDS;

/*
 * soon_dial and soon_tls_connect with the host of `where` in one.
 * Suspends: always. Cancel: cancellation point; nothing is left open. Null: `opts`.
 * Ownership: returns owned. Errors: those of both.
 */
SOON_API SOON_NODISCARD int soon_tls_dial(const char *where, soon_tls *tls,
	const soon_stream_opts *SOON_NULLABLE opts, soon_stream **ret_stream) SOON_SUSPENDS;

/*
 * From now on this stream's end counts as its end also if it was not announced: for protocols that
 * say by themselves where a message ends. Nothing happens to one that is not encrypted.
 * Suspends: never.
 */
SOON_API void soon_tls_allow_truncation(soon_stream *stream) SOON_ON_CORE;

/*
 * Tells what the handshake of a stream has led to. Suspends: never.
 * Errors: -ENOENT the stream is not encrypted.
 */
SOON_API SOON_NODISCARD int soon_tls_info_get(const soon_stream *stream, soon_tls_info *ret_info)
	SOON_ON_CORE;

#ifdef __cplusplus
}
#endif

#endif
