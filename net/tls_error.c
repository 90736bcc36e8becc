// SPDX-License-Identifier: Apache-2.0
/*
 * tls_error.c: what OpenSSL says, as an errno and a text that says what to do.
 */
#include "errtext.h"
#include "tls.h"

#include <openssl/err.h>
#include <openssl/sslerr.h>
#include <openssl/x509v3.h>
#include <stdio.h>

struct reason {
	int code;
	int rc;
	const char *text;
};

static const struct reason reasons[] = {
	{ SSL_R_HTTP_REQUEST, -EPROTO, "it speaks HTTP without TLS: use https" },
	{ SSL_R_HTTPS_PROXY_REQUEST, -EPROTO, "it takes this for a proxy" },
	{ SSL_R_WRONG_VERSION_NUMBER, -EPROTO, "what it sends is not TLS: check the port" },
	{ SSL_R_UNSUPPORTED_PROTOCOL, -EPROTO,
		"no TLS version in common: TLS 1.2 and 1.3 are spoken here" },
	{ SSL_R_VERSION_TOO_LOW, -EPROTO,
		"no TLS version in common: TLS 1.2 and 1.3 are spoken here" },
	{ SSL_R_NO_SHARED_CIPHER, -EPROTO, "no cipher in common" },
	{ SSL_R_NO_APPLICATION_PROTOCOL, -EPROTO, "no protocol in common (ALPN)" },
	{ SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE, -EKEYREJECTED,
		"it shows no certificate, which is required" },
	{ SSL_R_DECRYPTION_FAILED_OR_BAD_RECORD_MAC, -EPROTO, "a record was changed on its way" },
	{ SSL_R_NO_RENEGOTIATION, -EPROTO, "it asks for a renegotiation" },
};

/* What a peer's alert says about us, where the name alone does not help. */
static const struct reason alerts[] = {
	{ SSL_R_TLSV1_ALERT_UNKNOWN_CA, -EPROTO, "it does not know who signed our certificate" },
	{ SSL_R_TLSV1_ALERT_PROTOCOL_VERSION, -EPROTO, "no TLS version in common" },
	{ SSL_R_SSLV3_ALERT_HANDSHAKE_FAILURE, -EPROTO, "it finds no cipher in common" },
	{ SSL_R_SSLV3_ALERT_CERTIFICATE_EXPIRED, -EPROTO, "our certificate has expired" },
	{ SSL_R_SSLV3_ALERT_BAD_CERTIFICATE, -EPROTO, "it does not accept our certificate" },
	{ SSL_R_TLSV13_ALERT_CERTIFICATE_REQUIRED, -EPROTO, "it wants a certificate of ours" },
	{ SSL_R_TLSV1_ALERT_NO_APPLICATION_PROTOCOL, -EPROTO, "no protocol in common (ALPN)" },
};

#define COUNT(array) (sizeof(array) / sizeof *(array))

static const struct reason *reason_find(const struct reason *of, size_t count, int code)
{
	for (size_t i = 0; i < count; i++)
		if (of[i].code == code)
			return &of[i];
	return NULL;
}

void soon__tls_reason(char ret_text[SOON__TLS_WHY_BYTES])
{
	unsigned long first = ERR_get_error();
	const char *text = ERR_SYSTEM_ERROR(first) ? soon__error_text(-ERR_GET_REASON(first))
						   : ERR_reason_error_string(first);

	(void)snprintf(ret_text, SOON__TLS_WHY_BYTES, "%s", text != NULL ? text : "unknown cause");
	ERR_clear_error();
}

int soon__tls_broke_by(struct soon__tls_conn *conn, int rc, const char *why)
{
	SOON_ASSERT(rc < 0);
	if (conn->error == 0) {
		conn->error = rc;
		(void)snprintf(conn->why, sizeof conn->why, "%s", why);
	}
	ERR_clear_error();
	return conn->error;
}

static int cert_rejected(struct soon__tls_conn *conn, long verified)
{
	const char *host = SSL_get_servername(conn->ssl, TLSEXT_NAMETYPE_host_name);
	char text[SOON__TLS_WHY_BYTES];

	if (host == NULL)
		host = "";
	if (verified == X509_V_ERR_HOSTNAME_MISMATCH || verified == X509_V_ERR_IP_ADDRESS_MISMATCH)
		(void)snprintf(text, sizeof text, "its certificate is for another host than %.80s",
			*host != '\0' ? host : "this address");
	else if (verified == X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY ||
		verified == X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT ||
		verified == X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN)
		(void)snprintf(text, sizeof text,
			"nobody who is trusted signed its certificate (%s): see .ca_file",
			X509_verify_cert_error_string(verified));
	else
		(void)snprintf(text, sizeof text, "its certificate is not good: %s",
			X509_verify_cert_error_string(verified));
	return soon__tls_broke_by(conn, -EKEYREJECTED, text);
}

int soon__tls_broke(struct soon__tls_conn *conn, int ssl_error)
{
	unsigned long first = ERR_peek_error();
	int code = ERR_GET_REASON(first);
	long verified = SSL_get_verify_result(conn->ssl);
	const struct reason *reason;
	char name[SOON__TLS_WHY_BYTES];
	char text[SOON__TLS_WHY_BYTES];

	if (conn->bio_error != 0)
		return soon__tls_broke_by(conn, conn->bio_error, soon__error_text(conn->bio_error));
	if (ssl_error != SSL_ERROR_SSL)
		return soon__tls_broke_by(conn, -EPROTO, "the session cannot go on");
	if (ERR_GET_LIB(first) == ERR_LIB_SSL && code == SSL_R_CERTIFICATE_VERIFY_FAILED &&
		verified != X509_V_OK)
		return cert_rejected(conn, verified);

	if (ERR_GET_LIB(first) == ERR_LIB_SSL) {
		reason = reason_find(reasons, COUNT(reasons), code);
		if (reason != NULL)
			return soon__tls_broke_by(conn, reason->rc, reason->text);
	}
	reason =
		ERR_GET_LIB(first) == ERR_LIB_SSL ? reason_find(alerts, COUNT(alerts), code) : NULL;
	soon__tls_reason(name);
	if (reason != NULL)
		(void)snprintf(text, sizeof text, "it refused: %.60s: %.60s", name, reason->text);
	else
		(void)snprintf(text, sizeof text, "%.120s", name);
	return soon__tls_broke_by(conn, -EPROTO, text);
}
