// SPDX-License-Identifier: Apache-2.0
#include "tls_kit.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdio.h>

static char folder[64];

const char *tls_path(const char *file, char *ret_path)
{
	(void)snprintf(ret_path, TLS_PATH_BYTES, "%s/%s", folder, file);
	return ret_path;
}

static FILE *file_open(const char *name, const char *suffix, const char *mode)
{
	char path[TLS_PATH_BYTES], file[64];
	FILE *f;

	(void)snprintf(file, sizeof file, "%s.%s", name, suffix);
	f = fopen(tls_path(file, path), mode);
	cr_assert_not_null(f, "%s", path);
	return f;
}

static void extension_add(X509 *cert, int nid, const char *value)
{
	X509V3_CTX ctx;
	X509_EXTENSION *ext;

	X509V3_set_ctx_nodb(&ctx);
	X509V3_set_ctx(&ctx, cert, cert, NULL, NULL, 0);
	ext = X509V3_EXT_conf_nid(NULL, &ctx, nid, value);
	cr_assert_not_null(ext);
	cr_assert_eq(X509_add_ext(cert, ext, -1), 1);
	X509_EXTENSION_free(ext);
}

/* The signer, or the certificate itself where it is its own. */
static void sign(X509 *cert, EVP_PKEY *key, const char *by)
{
	EVP_PKEY *signer = key;
	X509 *issuer = cert;

	if (by != NULL) {
		FILE *f = file_open(by, "key", "r");

		signer = PEM_read_PrivateKey(f, NULL, NULL, NULL);
		(void)fclose(f);
		f = file_open(by, "pem", "r");
		issuer = PEM_read_X509(f, NULL, NULL, NULL);
		(void)fclose(f);
	}
	cr_assert_eq(X509_set_issuer_name(cert, X509_get_subject_name(issuer)), 1);
	cr_assert_gt(X509_sign(cert, signer, EVP_sha256()), 0);
	if (by != NULL) {
		EVP_PKEY_free(signer);
		X509_free(issuer);
	}
}

void tls_cert_make(const struct tls_maker *maker)
{
	static long serial = 100;
	EVP_PKEY *key = maker->is_rsa ? EVP_RSA_gen(2048) : EVP_EC_gen("P-256");
	X509 *cert = X509_new();
	X509_NAME *name = X509_get_subject_name(cert);
	const char *by = maker->is_authority ? NULL : maker->by_another ? "other" : "ca";
	FILE *f;

	cr_assert_not_null(key);
	cr_assert_eq(X509_set_version(cert, 2), 1);
	cr_assert_eq(ASN1_INTEGER_set(X509_get_serialNumber(cert), serial++), 1);
	X509_gmtime_adj(X509_getm_notBefore(cert), -7200);
	X509_gmtime_adj(X509_getm_notAfter(cert), maker->is_expired ? -3600 : 7200);
	cr_assert_eq(X509_set_pubkey(cert, key), 1);
	cr_assert_eq(X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC,
			     (const unsigned char *)maker->file, -1, -1, 0),
		1);
	if (maker->is_authority)
		extension_add(cert, NID_basic_constraints, "critical,CA:TRUE");
	if (maker->names != NULL)
		extension_add(cert, NID_subject_alt_name, maker->names);
	sign(cert, key, by);

	f = file_open(maker->file, "pem", "w");
	cr_assert_eq(PEM_write_X509(f, cert), 1);
	(void)fclose(f);
	f = file_open(maker->file, "key", "w");
	cr_assert_eq(PEM_write_PrivateKey(f, key, NULL, NULL, 0, NULL, NULL), 1);
	(void)fclose(f);
	X509_free(cert);
	EVP_PKEY_free(key);
}

void tls_files_make(void)
{
	(void)snprintf(folder, sizeof folder, "/tmp/soon_tls.XXXXXX");
	cr_assert_not_null(mkdtemp(folder));
	tls_cert_make(&(struct tls_maker){ .file = "ca", .is_authority = true });
	tls_cert_make(&(struct tls_maker){ .file = "other", .is_authority = true });
	tls_cert_make(&(struct tls_maker){
		.file = "good", .names = "DNS:localhost,IP:127.0.0.1,IP:::1" });
}

void tls_files_remove(void)
{
	DIR *dir = opendir(folder);
	const struct dirent *entry;
	char path[TLS_PATH_BYTES * 3];

	while (dir != NULL && (entry = readdir(dir)) != NULL) {
		(void)snprintf(path, sizeof path, "%s/%s", folder, entry->d_name);
		(void)unlink(path);
	}
	if (dir != NULL)
		(void)closedir(dir);
	(void)rmdir(folder);
}

soon_tls *tls_server_of(const char *const *names, soon_tls_opts opts)
{
	static char paths[8][2][TLS_PATH_BYTES];
	soon_tls_cert certs[8];
	char file[64];
	soon_tls *tls = NULL;
	int rc;

	for (opts.certs_count = 0; names[opts.certs_count] != NULL; opts.certs_count++) {
		size_t i = opts.certs_count;

		(void)snprintf(file, sizeof file, "%s.pem", names[i]);
		certs[i].chain_file = tls_path(file, paths[i][0]);
		(void)snprintf(file, sizeof file, "%s.key", names[i]);
		certs[i].key_file = tls_path(file, paths[i][1]);
	}
	opts.certs = certs;
	rc = soon_tls_server(&opts, &tls);
	cr_assert_eq(rc, 0, "%d: %s", rc, soon_fail_message());
	return tls;
}

soon_tls *tls_client_of(soon_tls_opts opts)
{
	char path[TLS_PATH_BYTES];
	soon_tls *tls = NULL;
	int rc;

	if (opts.ca_file == NULL)
		opts.ca_file = tls_path("ca.pem", path);
	rc = soon_tls_client(&opts, &tls);
	cr_assert_eq(rc, 0, "%d: %s", rc, soon_fail_message());
	return tls;
}

void tls_clear_pair(soon_stream **ret_client, soon_stream **ret_server)
{
	listen_and_dial("127.0.0.1:0", NULL, ret_client, ret_server);
}

struct accepting {
	struct tls_shake *shake;
	soon_tls *tls;
};

static void why_keep(int rc, char *ret_why)
{
	ret_why[0] = '\0';
	if (rc < 0 && soon_fail_message() != NULL)
		(void)snprintf(ret_why, 160, "%s", soon_fail_message());
}

static int accept_run(struct accepting *a)
{
	a->shake->server_rc = soon_tls_accept(a->shake->server, a->tls);
	why_keep(a->shake->server_rc, a->shake->server_why);
	return 0;
}

void tls_shake(struct tls_shake *shake, soon_tls *client, soon_tls *server, const char *host)
{
	struct accepting a = { .shake = shake, .tls = server };

	tls_clear_pair(&shake->client, &shake->server);
	SOON_GROUP(g);
	cr_assert_eq(soon_spawn(&g, accept_run, &a), 0);
	shake->client_rc = soon_tls_connect(shake->client, client, host);
	why_keep(shake->client_rc, shake->client_why);
	cr_assert_eq(soon_group_close(&g, 0), 0);
}

void tls_shake_close(struct tls_shake *shake)
{
	(void)soon_stream_close(shake->client);
	(void)soon_stream_close(shake->server);
}
