// SPDX-License-Identifier: Apache-2.0
/*
 * tls.c: contexts.
 *
 * A context outlives its owner as long as connections use it, and so does each set of certificates
 * that a reload has replaced. Cores share a context: its lock is held for a few instructions.
 */
#include "tls.h"

#include <soon/mem.h>
#include <soon/offload.h>
#include <soon/scope.h>
#include <soon/thread.h>

#include <openssl/crypto.h>
#include <stdio.h>
#include <string.h>

#define TICKET_LIFE         (12 * 3600 * SOON_S(1))
#define HANDSHAKE_TIMEOUT   SOON_S(10)
#define GOODBYE_TIMEOUT     SOON_S(1)
#define HANDSHAKE_BYTES_MAX (128u * 1024)
#define HANDSHAKES_MAX      1024

#define DEFAULT(field, value)                                                                      \
	do {                                                                                       \
		if ((field) == 0)                                                                  \
			(field) = (value);                                                         \
	} while (0)

static void defaults_fill(soon_tls_opts *opts)
{
	DEFAULT(opts->ticket_life, TICKET_LIFE);
	DEFAULT(opts->handshake_timeout, HANDSHAKE_TIMEOUT);
	DEFAULT(opts->goodbye_timeout, GOODBYE_TIMEOUT);
	DEFAULT(opts->handshake_bytes_max, HANDSHAKE_BYTES_MAX);
	DEFAULT(opts->handshakes_max, HANDSHAKES_MAX);
}

static size_t text_bytes(const char *text)
{
	return text != NULL ? strlen(text) + 1 : 0;
}

/* Moves a text to where `*room` points, which goes on behind it. */
static void text_keep(const char **text, char **room)
{
	size_t bytes = text_bytes(*text);

	if (*text == NULL)
		return;
	memcpy(*room, *text, bytes);
	*text = *room;
	*room += bytes;
}

/* Makes all texts of the options our own. */
static int texts_keep(soon_tls *tls)
{
	soon_tls_opts *opts = &tls->opts;
	const char **const singles[] = { &opts->ca_file, &opts->alpn, &opts->ciphers,
		&opts->ciphersuites };
	size_t bytes = 1;
	char *room;

	for (size_t i = 0; i < sizeof singles / sizeof *singles; i++)
		bytes += text_bytes(*singles[i]);
	for (size_t i = 0; i < opts->certs_count; i++)
		bytes +=
			text_bytes(opts->certs[i].chain_file) + text_bytes(opts->certs[i].key_file);
	tls->texts = soon_malloc(bytes);
	if (tls->texts == NULL)
		return -ENOMEM;

	room = tls->texts;
	for (size_t i = 0; i < sizeof singles / sizeof *singles; i++)
		text_keep(singles[i], &room);
	for (size_t i = 0; i < opts->certs_count; i++) {
		tls->certs[i] = opts->certs[i];
		text_keep(&tls->certs[i].chain_file, &room);
		text_keep(&tls->certs[i].key_file, &room);
	}
	opts->certs = tls->certs;
	return 0;
}

/* "h2,http/1.1" as a sequence of lengths and names. */
static int alpn_parse(soon_tls *tls, const char *text)
{
	while (text != NULL && *text != '\0') {
		size_t len = strcspn(text, ",");

		if (len == 0 || tls->alpn_bytes + 1 + len > SOON__TLS_ALPN_BYTES_MAX)
			return -EINVAL;
		tls->alpn[tls->alpn_bytes] = (unsigned char)len;
		memcpy(tls->alpn + tls->alpn_bytes + 1, text, len);
		tls->alpn_bytes += 1 + (unsigned)len;
		text += len;
		if (*text == ',')
			text++;
	}
	return 0;
}

/* Returns what is wrong with the options, NULL if nothing is. */
static const char *fault_of(const soon_tls *tls)
{
	const soon_tls_opts *opts = &tls->opts;

	if (tls->is_server && opts->certs_count == 0)
		return "a server needs a certificate: .certs";
	if (opts->certs_count > (tls->is_server ? SOON_TLS_CERTS_MAX : 1))
		return "too many certificates";
	for (size_t i = 0; i < opts->certs_count; i++)
		if (opts->certs[i].chain_file == NULL || opts->certs[i].key_file == NULL)
			return "a certificate needs a chain_file and a key_file";
	if (!tls->is_server && opts->client_certs != SOON_TLS_CLIENT_CERTS_NONE)
		return ".client_certs is for servers";
	if (tls->is_server && opts->client_certs != SOON_TLS_CLIENT_CERTS_NONE &&
		opts->ca_file == NULL)
		return "who signs the clients' certificates? set .ca_file";
	if (opts->ticket_life < 0 || opts->handshake_timeout < 0 || opts->goodbye_timeout < 0)
		return "a time is negative";
	return NULL;
}

/* One load on a pool thread. */
struct load {
	const soon_tls *tls;
	struct soon__tls_set *set;
	char why[SOON__TLS_WHY_BYTES];
};

static int load_run(struct load *load)
{
	return soon__tls_load(load->tls, &load->set, load->why);
}

/* Reads the files of a context; the message is the caller's. */
static int load(const soon_tls *tls, struct soon__tls_set **ret_set) SOON_SUSPENDS
{
	struct load job = { .tls = tls };
	int rc = soon_offload(load_run, &job);

	if (rc < 0)
		return job.why[0] != '\0' ? soon_fail(rc, "tls: %s", job.why) : rc;
	*ret_set = job.set;
	return 0;
}

static void tls_destroy(soon_tls *tls)
{
	if (tls->set != NULL)
		soon__tls_set_free(tls->set);
	OPENSSL_cleanse(tls->keys, sizeof tls->keys);
	(void)pthread_mutex_destroy(&tls->lock);
	soon_free(tls->texts);
	soon_free(tls);
}

static int tls_make(bool is_server, const soon_tls_opts *opts, soon_tls **ret_tls) SOON_SUSPENDS
{
	soon_tls *tls;
	const char *fault;
	int rc;

	SOON_ASSERT(ret_tls != NULL);
	tls = soon_zalloc(sizeof *tls);
	if (tls == NULL)
		return -ENOMEM;
	tls->is_server = is_server;
	tls->refs = 1;
	(void)pthread_mutex_init(&tls->lock, NULL); /* cannot fail without attributes */
	if (opts != NULL)
		tls->opts = *opts;
	defaults_fill(&tls->opts);
	fault = fault_of(tls);
	if (fault == NULL && alpn_parse(tls, tls->opts.alpn) < 0)
		fault = ".alpn is not like \"h2,http/1.1\"";
	rc = fault != NULL ? soon_fail(-EINVAL, "tls: %s", fault) : texts_keep(tls);
	if (rc == 0)
		rc = load(tls, &tls->set);
	if (rc < 0) {
		tls_destroy(tls);
		return rc;
	}
	*ret_tls = tls;
	return 0;
}

int soon_tls_server(const soon_tls_opts *opts, soon_tls **ret_tls)
{
	SOON_ASSERT(opts != NULL);
	return tls_make(true, opts, ret_tls);
}

int soon_tls_client(const soon_tls_opts *opts, soon_tls **ret_tls)
{
	return tls_make(false, opts, ret_tls);
}

void soon__tls_hold(soon_tls *tls)
{
	(void)pthread_mutex_lock(&tls->lock);
	tls->refs++;
	(void)pthread_mutex_unlock(&tls->lock);
}

void soon_tls_free(soon_tls *tls)
{
	unsigned left;

	if (tls == NULL)
		return;
	(void)pthread_mutex_lock(&tls->lock);
	SOON_ASSERT(tls->refs > 0);
	left = --tls->refs;
	(void)pthread_mutex_unlock(&tls->lock);
	if (left == 0)
		tls_destroy(tls);
}

struct soon__tls_set *soon__tls_set_take(soon_tls *tls)
{
	struct soon__tls_set *set;

	(void)pthread_mutex_lock(&tls->lock);
	set = tls->set;
	set->refs++;
	(void)pthread_mutex_unlock(&tls->lock);
	return set;
}

uint64_t soon__tls_set_stamp(soon_tls *tls)
{
	uint64_t stamp;

	(void)pthread_mutex_lock(&tls->lock);
	stamp = tls->set->stamp;
	(void)pthread_mutex_unlock(&tls->lock);
	return stamp;
}

void soon__tls_set_release(soon_tls *tls, struct soon__tls_set *set)
{
	unsigned left;

	(void)pthread_mutex_lock(&tls->lock);
	SOON_ASSERT(set->refs > 0);
	left = --set->refs;
	(void)pthread_mutex_unlock(&tls->lock);
	if (left == 0)
		soon__tls_set_free(set);
}

void soon__tls_set_free(struct soon__tls_set *set)
{
	for (unsigned i = 0; i < set->count; i++)
		SSL_CTX_free(set->of[i].ctx);
	soon_free(set);
}

int soon_tls_reload(soon_tls *tls)
{
	struct soon__tls_set *fresh = NULL, *old;
	int rc;

	SOON_ASSERT(tls != NULL);
	rc = load(tls, &fresh);
	if (rc < 0)
		return rc;
	(void)pthread_mutex_lock(&tls->lock);
	old = tls->set;
	tls->set = fresh;
	tls->stats.reloads++;
	(void)pthread_mutex_unlock(&tls->lock);
	soon__tls_set_release(tls, old);
	return 0;
}

void soon_tls_stats_get(soon_tls *tls, soon_tls_stats *ret_stats)
{
	SOON_ASSERT(tls != NULL);
	(void)pthread_mutex_lock(&tls->lock);
	*ret_stats = tls->stats;
	(void)pthread_mutex_unlock(&tls->lock);
}
