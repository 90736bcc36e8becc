// SPDX-License-Identifier: Apache-2.0
/*
 * tls.c: an encrypted service, a client that checks whom it talks to, and new certificates in use
 * without an end. The certificate is made by the program openssl. See docs/guide/tls.md.
 */
#include <soon/soon.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char cert_file[64], key_file[64];

static int echo(soon_stream *conn, void *unused)
{
	char line[128];
	ssize_t n;

	(void)unused;
	while ((n = soon_stream_read_until(conn, "\n", line, sizeof line)) > 0)
		if ((n = soon_stream_write(conn, line, (size_t)n)) < 0)
			break;
	return (int)n;
}

/* The server's side: a context, and a service that uses it. */
static int server_begin(soon_group *g, soon_service *service)
{
	const soon_tls_cert cert = { .chain_file = cert_file, .key_file = key_file };
	soon_tls_opts opts = { .certs = &cert, .certs_count = 1, .alpn = "echo" };
	int rc = soon_tls_server(&opts, &service->tls);

	if (rc == 0)
		rc = soon_listen("127.0.0.1:0", NULL, &service->listener);
	if (rc == 0)
		rc = soon_spawn(g, soon_serve, service);
	return rc;
}

/* The client's side: who is believed, and with whom to talk. */
static int talk(const soon_service *service, const char *host)
{
	soon_tls_opts opts = { .ca_file = cert_file, .alpn = "echo" };
	char where[SOON_ADDR_TEXT_BYTES], line[16];
	soon_stream *stream;
	soon_tls_info info;
	soon_addr addr;
	soon_tls *tls;
	ssize_t n = soon_tls_client(&opts, &tls);

	if (n < 0)
		return (int)n;
	soon_listener_addr(service->listener, &addr);
	n = soon_dial(soon_addr_format(&addr, where), NULL, &stream);
	if (n == 0) {
		SOON_STREAM_OWN(stream);
		n = soon_tls_connect(stream, tls, host);
		if (n == 0)
			n = soon_stream_write(stream, "hello\n", 6);
		if (n > 0)
			n = soon_stream_read_until(stream, "\n", line, sizeof line);
		if (n > 0 && (n = soon_tls_info_get(stream, &info)) == 0)
			(void)printf("%s, %s, %s: %.5s\n", host, info.version, info.alpn, line);
	}
	soon_tls_free(tls);
	return (int)n;
}

/* A key and a certificate that signs itself, for names of this machine. */
static int cert_make(void)
{
	soon_proc_result r;
	int rc = soon_proc_run(
		SOON_ARGV("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
			"ec_paramgen_curve:P-256", "-nodes", "-days", "1", "-subj", "/CN=localhost",
			"-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1", "-keyout", key_file,
			"-out", cert_file),
		NULL, &r);

	if (rc == 0 && r.status.code != 0)
		rc = soon_fail(-EPROTO, "openssl: %.100s", r.err);
	soon_proc_result_fini(&r);
	return rc;
}

/* New certificates for the running service; then files that are none. */
static int renew(soon_service *service)
{
	int rc = cert_make();
	FILE *f;

	if (rc == 0)
		rc = soon_tls_reload(service->tls);
	if (rc < 0)
		return rc;
	(void)printf("new certificate\n");
	rc = talk(service, "localhost");
	f = fopen(key_file, "w");
	if (f != NULL)
		(void)fclose(f);
	if (rc == 0 && soon_tls_reload(service->tls) < 0)
		(void)printf("the old one stays\n");
	return rc < 0 ? rc : talk(service, "127.0.0.1");
}

static int app(void *unused)
{
	soon_service service = { .handle = echo };
	int rc = cert_make();

	(void)unused;
	SOON_GROUP(g, .name = "service");
	if (rc == 0)
		rc = server_begin(&g, &service);
	if (rc == 0)
		rc = talk(&service, "localhost");
	if (rc == 0 && talk(&service, "example.org") == -EKEYREJECTED)
		(void)printf("not for example.org\n");
	if (rc == 0)
		rc = renew(&service);
	soon_group_drain(&g, SOON_S(5));
	rc = (int)soon_group_close(&g, rc);
	soon_listener_close(service.listener);
	soon_tls_free(service.tls);
	if (rc < 0)
		(void)fprintf(stderr, "%d: %s\n", rc, soon_fail_message());
	return rc;
}

int main(void)
{
	char folder[] = "/tmp/soon_tls.XXXXXX";
	int rc;

	if (mkdtemp(folder) == NULL)
		return 1;
	(void)snprintf(cert_file, sizeof cert_file, "%s/cert.pem", folder);
	(void)snprintf(key_file, sizeof key_file, "%s/key.pem", folder);
	rc = soon_run(app, NULL);
	(void)unlink(cert_file);
	(void)unlink(key_file);
	(void)rmdir(folder);
	return rc < 0;
}
