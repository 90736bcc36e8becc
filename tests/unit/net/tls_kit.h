// SPDX-License-Identifier: Apache-2.0
/*
 * tls_kit.h: certificates made for a test, and a server that speaks TLS.
 *
 * Keys and certificates are made once a process, in a folder that is removed at its end.
 */
#ifndef TESTS_UNIT_NET_TLS_KIT_H
#define TESTS_UNIT_NET_TLS_KIT_H

#include "net_kit.h"

#define TLS_PATH_BYTES 128

/* What a certificate is made of. Zero: signed by the test's authority, good from now on. */
struct tls_maker {
	const char *file;  /* writes file.pem and file.key */
	const char *names; /* subjectAltName: "DNS:localhost,IP:127.0.0.1" */
	bool by_another;   /* signed by an authority that nobody knows */
	bool is_expired;
	bool is_authority; /* signs others */
	bool is_rsa;       /* 2048 bits; else ECDSA by P-256 */
};

/* The path of a file in the folder; `ret_path` has TLS_PATH_BYTES. */
const char *tls_path(const char *file, char *ret_path);

/* Makes the folder with ca.pem, other.pem (an authority nobody knows), good.pem for localhost. */
void tls_files_make(void);
void tls_files_remove(void);

/* Makes one more certificate, or the same one anew. */
void tls_cert_make(const struct tls_maker *maker);

/* Contexts on these files, without any error. `certs` ends with NULL. */
soon_tls *tls_server_of(const char *const *certs, soon_tls_opts opts);
soon_tls *tls_client_of(soon_tls_opts opts);

/* A context for localhost, and one that trusts it. */
static inline soon_tls *tls_good_server(void)
{
	return tls_server_of((const char *const[]){ "good", NULL }, (soon_tls_opts){ 0 });
}

/* Two ends of a connection, in clear. */
void tls_clear_pair(soon_stream **ret_client, soon_stream **ret_server);

/* Does both handshakes; gives both results, and the messages of failures. */
struct tls_shake {
	soon_stream *client, *server;
	int client_rc, server_rc;
	char client_why[160], server_why[160];
};
void tls_shake(struct tls_shake *shake, soon_tls *client, soon_tls *server, const char *host);
void tls_shake_close(struct tls_shake *shake);

#endif
