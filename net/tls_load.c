// SPDX-License-Identifier: Apache-2.0
/*
 * tls_load.c: certificates, keys and authorities from files, and what every SSL_CTX is told.
 *
 * All of it runs on a pool thread: files are read, and OpenSSL's own start takes its time. A set is
 * whole or not made at all, so that a reload can fail without having changed anything.
 */
#include <soon/mem.h>

#include "errtext.h"
#include "tls.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509_vfy.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define CIPHERS_DEFAULT "ECDHE+AESGCM:ECDHE+CHACHA20"

/* The system's authorities in one file: a folder of them would be read in the handshakes. */
static const char *const bundles[] = {
	"/etc/ssl/certs/ca-certificates.crt",
	"/etc/pki/tls/certs/ca-bundle.crt",
	"/etc/ssl/cert.pem",
};

static const unsigned char session_context[] = "soon";

/* `rc` with the file and the first of OpenSSL's errors. */
static int file_fail(int rc, const char *what, const char *file, char *ret_why)
{
	char reason[SOON__TLS_WHY_BYTES];

	soon__tls_reason(reason);
	(void)snprintf(ret_why, SOON__TLS_WHY_BYTES, "%s %.80s: %.60s", what, file, reason);
	return rc;
}

static int file_check(const char *what, const char *file, char *ret_why)
{
	int rc;

	if (access(file, R_OK) == 0)
		return 0;
	rc = -errno;
	(void)snprintf(
		ret_why, SOON__TLS_WHY_BYTES, "%s %.80s: %s", what, file, soon__error_text(rc));
	return rc;
}

/* OpenSSL would ask at the terminal. */
// NOLINTNEXTLINE(readability-non-const-parameter): the type is OpenSSL's
static int no_password(char *buf, int bytes, int is_writing, void *arg)
{
	(void)buf;
	(void)bytes;
	(void)is_writing;
	(void)arg;
	return -1;
}

static void expiry_report(const X509 *leaf, const char *file)
{
	if (X509_cmp_current_time(X509_get0_notAfter(leaf)) < 0)
		soon_report_file(SOON_REPORT_WARNING, 0,
			"tls: the certificate in %.120s has expired: clients will refuse it", file);
}

static int cert_load(SSL_CTX *ctx, const soon_tls_cert *cert, char *ret_why)
{
	int rc = file_check("certificate", cert->chain_file, ret_why);

	if (rc == 0)
		rc = file_check("key", cert->key_file, ret_why);
	if (rc < 0)
		return rc;
	if (SSL_CTX_use_certificate_chain_file(ctx, cert->chain_file) != 1)
		return file_fail(-EBADMSG, "certificate", cert->chain_file, ret_why);
	if (SSL_CTX_use_PrivateKey_file(ctx, cert->key_file, SSL_FILETYPE_PEM) != 1) {
		unsigned long first = ERR_peek_error();
		bool is_other = ERR_GET_LIB(first) == ERR_LIB_X509 &&
			ERR_GET_REASON(first) == X509_R_KEY_VALUES_MISMATCH;

		return file_fail(is_other ? -EKEYREJECTED : -EBADMSG,
			is_other ? "the certificate is not that of the key" : "key", cert->key_file,
			ret_why);
	}
	if (SSL_CTX_check_private_key(ctx) != 1)
		return file_fail(-EKEYREJECTED, "key", cert->key_file, ret_why);
	expiry_report(SSL_CTX_get0_certificate(ctx), cert->chain_file);
	return 0;
}

static int authorities_load(SSL_CTX *ctx, const soon_tls *tls, char *ret_why)
{
	const char *file = tls->opts.ca_file;
	int rc;

	if (file == NULL && (tls->is_server || tls->opts.no_verify))
		return 0;
	if (file == NULL)
		file = getenv(X509_get_default_cert_file_env());
	for (size_t i = 0; file == NULL && i < sizeof bundles / sizeof *bundles; i++)
		if (access(bundles[i], R_OK) == 0)
			file = bundles[i];
	if (file == NULL) {
		(void)SSL_CTX_set_default_verify_paths(ctx); /* nobody is believed then */
		return 0;
	}

	rc = file_check("authorities", file, ret_why);
	if (rc < 0)
		return rc;
	if (SSL_CTX_load_verify_file(ctx, file) != 1)
		return file_fail(-EBADMSG, "authorities", file, ret_why);
	if (tls->is_server) {
		STACK_OF(X509_NAME) *names = SSL_load_client_CA_file(file);

		if (names == NULL)
			return file_fail(-EBADMSG, "authorities", file, ret_why);
		SSL_CTX_set_client_CA_list(ctx, names);
	}
	return 0;
}

static int verify_mode(const soon_tls *tls)
{
	if (!tls->is_server)
		return tls->opts.no_verify ? SSL_VERIFY_NONE : SSL_VERIFY_PEER;
	if (tls->opts.client_certs == SOON_TLS_CLIENT_CERTS_NONE)
		return SSL_VERIFY_NONE;
	if (tls->opts.client_certs == SOON_TLS_CLIENT_CERTS_OPTIONAL)
		return SSL_VERIFY_PEER;
	return SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT;
}

/* Picks the certificate by the name that the client asks for. */
// NOLINTNEXTLINE(readability-non-const-parameter): the type is OpenSSL's
static int on_server_name(SSL *ssl, int *ret_alert, void *unused)
{
	const struct soon__tls_set *set = soon__tls_conn_of(ssl)->set;
	const char *name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);

	(void)ret_alert;
	(void)unused;
	if (name == NULL)
		return SSL_TLSEXT_ERR_NOACK;
	for (unsigned i = 0; i < set->count; i++)
		if (X509_check_host(set->of[i].leaf, name, 0, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS,
			    NULL) == 1) {
			if (i > 0)
				(void)SSL_set_SSL_CTX(ssl, set->of[i].ctx);
			break;
		}
	return SSL_TLSEXT_ERR_OK;
}

static int on_alpn(SSL *ssl, const unsigned char **ret_chosen, unsigned char *ret_bytes,
	const unsigned char *offered, unsigned offered_bytes, void *unused)
{
	const soon_tls *tls = soon__tls_conn_of(ssl)->tls;
	unsigned char *chosen;

	(void)unused;
	if (SSL_select_next_proto(&chosen, ret_bytes, tls->alpn, tls->alpn_bytes, offered,
		    offered_bytes) != OPENSSL_NPN_NEGOTIATED)
		return SSL_TLSEXT_ERR_ALERT_FATAL;
	*ret_chosen = chosen;
	return SSL_TLSEXT_ERR_OK;
}

static int protocol_set(SSL_CTX *ctx, const soon_tls *tls, char *ret_why)
{
	const char *ciphers = tls->opts.ciphers != NULL ? tls->opts.ciphers : CIPHERS_DEFAULT;
	int lowest = tls->opts.only_1_3 ? TLS1_3_VERSION : TLS1_2_VERSION;

	if (SSL_CTX_set_min_proto_version(ctx, lowest) != 1)
		return file_fail(-EINVAL, "version", "TLS", ret_why);
	if (SSL_CTX_set_cipher_list(ctx, ciphers) != 1)
		return file_fail(-EINVAL, "ciphers", ciphers, ret_why);
	if (tls->opts.ciphersuites != NULL &&
		SSL_CTX_set_ciphersuites(ctx, tls->opts.ciphersuites) != 1)
		return file_fail(-EINVAL, "ciphersuites", tls->opts.ciphersuites, ret_why);

	(void)SSL_CTX_set_options(ctx,
		SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION | SSL_OP_CIPHER_SERVER_PREFERENCE |
			SSL_OP_PRIORITIZE_CHACHA | SSL_OP_SINGLE_ECDH_USE |
			(tls->opts.no_tickets ? SSL_OP_NO_TICKET : 0));
	(void)SSL_CTX_set_max_early_data(ctx, 0);
	/* An idle connection keeps no record buffer. */
	(void)SSL_CTX_set_mode(ctx, SSL_MODE_RELEASE_BUFFERS);
	return 0;
}

static int ctx_set_up(SSL_CTX *ctx, const soon_tls *tls, char *ret_why)
{
	int rc = protocol_set(ctx, tls, ret_why);

	if (rc < 0)
		return rc;
	SSL_CTX_set_default_passwd_cb(ctx, no_password);
	SSL_CTX_set_verify(ctx, verify_mode(tls), NULL);
	(void)SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF); /* tickets only */
	if (SSL_CTX_set_session_id_context(ctx, session_context, sizeof session_context) != 1)
		return -ENOMEM;
	if (tls->is_server) {
		(void)SSL_CTX_set_tlsext_servername_callback(ctx, on_server_name);
		if (tls->alpn_bytes > 0)
			SSL_CTX_set_alpn_select_cb(ctx, on_alpn, NULL);
		if (tls->opts.no_tickets)
			(void)SSL_CTX_set_num_tickets(ctx, 0);
		else
			soon__tls_tickets_set(ctx);
		(void)SSL_CTX_set_timeout(ctx, (long)(2 * tls->opts.ticket_life / SOON_S(1)));
	} else if (tls->alpn_bytes > 0 &&
		SSL_CTX_set_alpn_protos(ctx, tls->alpn, tls->alpn_bytes) != 0) {
		return -ENOMEM;
	}
	return authorities_load(ctx, tls, ret_why);
}

static int one_load(
	const soon_tls *tls, const soon_tls_cert *cert, struct soon__tls_set *set, char *ret_why)
{
	SSL_CTX *ctx = SSL_CTX_new(tls->is_server ? TLS_server_method() : TLS_client_method());
	int rc;

	if (ctx == NULL)
		return file_fail(-ENOMEM, "OpenSSL", "does not start", ret_why);
	set->of[set->count++].ctx = ctx;
	rc = ctx_set_up(ctx, tls, ret_why);
	if (rc < 0 || cert == NULL)
		return rc;
	rc = cert_load(ctx, cert, ret_why);
	if (rc == 0)
		set->of[set->count - 1].leaf = SSL_CTX_get0_certificate(ctx);
	return rc;
}

int soon__tls_load(
	const soon_tls *tls, struct soon__tls_set **ret_set, char ret_why[SOON__TLS_WHY_BYTES])
{
	struct soon__tls_set *set = soon_zalloc(sizeof *set);
	int rc = 0;

	(void)snprintf(ret_why, SOON__TLS_WHY_BYTES, "no memory");
	if (set == NULL)
		return -ENOMEM;
	ERR_clear_error();
	set->refs = 1;
	set->stamp = soon__tls_stamp(tls);
	if (tls->opts.certs_count == 0)
		rc = one_load(tls, NULL, set, ret_why);
	for (size_t i = 0; rc == 0 && i < tls->opts.certs_count; i++)
		rc = one_load(tls, &tls->opts.certs[i], set, ret_why);
	ERR_clear_error();
	if (rc < 0) {
		soon__tls_set_free(set);
		return rc;
	}
	*ret_set = set;
	return 0;
}
