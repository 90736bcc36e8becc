// SPDX-License-Identifier: Apache-2.0
/*
 * tls_ticket.c: keys of session tickets.
 *
 * Tickets are sealed by the newest key; those of the key before are still taken, and replaced. The
 * keys belong to the context and not to an SSL_CTX, so that a reload of certificates keeps them.
 * A new one is made by the first handshake after its time: no task and no timer is needed, and a
 * context that nobody uses makes none. Old keys are wiped: whoever takes the memory of the process
 * can open recorded sessions of two lives of a key at most (TLS 1.3 with ECDHE: none).
 */
#include "tls.h"

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/rand.h>
#include <string.h>

#define IV_BYTES 16

/* Under the lock. */
static int key_add(soon_tls *tls, soon_ns now)
{
	struct soon__tls_ticket_key *keys = tls->keys;
	struct soon__tls_ticket_key fresh;

	if (RAND_bytes((unsigned char *)&fresh, sizeof fresh) != 1) {
		ERR_clear_error();
		return -EIO;
	}
	memmove(keys + 1, keys, (SOON__TLS_TICKET_KEYS - 1) * sizeof *keys);
	keys[0] = fresh;
	OPENSSL_cleanse(&fresh, sizeof fresh);
	if (tls->keys_count < SOON__TLS_TICKET_KEYS)
		tls->keys_count++;
	tls->keys_at = now;
	return 0;
}

/* A key that is older than two lives is not used any more even if nobody made newer ones. */
static int keys_renew(soon_tls *tls, soon_ns now)
{
	int rc = 0;

	if (tls->keys_count > 0 && now - tls->keys_at < tls->opts.ticket_life)
		return 0;
	if (tls->keys_count > 0 && now - tls->keys_at >= 2 * tls->opts.ticket_life) {
		OPENSSL_cleanse(tls->keys, sizeof tls->keys);
		tls->keys_count = 0;
	}
	rc = key_add(tls, now);
	return rc;
}

int soon_tls_rotate(soon_tls *tls)
{
	int rc;

	SOON_ASSERT(tls != NULL);
	(void)pthread_mutex_lock(&tls->lock);
	rc = key_add(tls, soon_now());
	(void)pthread_mutex_unlock(&tls->lock);
	return rc;
}

/* Copies the newest key, or that of `name`. Returns its place, negative if there is none. */
static int key_get(soon_tls *tls, const unsigned char *name, struct soon__tls_ticket_key *ret_key)
	SOON_ON_CORE
{
	int found = -ENOENT;

	(void)pthread_mutex_lock(&tls->lock);
	if (keys_renew(tls, soon_now()) == 0)
		for (unsigned i = 0; i < tls->keys_count && found < 0; i++)
			if (name == NULL ||
				memcmp(tls->keys[i].name, name, sizeof tls->keys[i].name) == 0) {
				*ret_key = tls->keys[i];
				found = (int)i;
			}
	(void)pthread_mutex_unlock(&tls->lock);
	return found;
}

static int keys_use(const struct soon__tls_ticket_key *key, const unsigned char *iv,
	EVP_CIPHER_CTX *cipher, EVP_MAC_CTX *mac, int is_sealing)
{
	OSSL_PARAM params[] = {
		OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, (char[]){ "SHA256" }, 0),
		OSSL_PARAM_construct_end(),
	};

	if (EVP_CipherInit_ex(cipher, EVP_aes_256_cbc(), NULL, key->cipher_key, iv, is_sealing) !=
		1)
		return -1;
	return EVP_MAC_init(mac, key->mac_key, sizeof key->mac_key, params) == 1 ? 1 : -1;
}

/* 1: this key. 2: this key, and give a new ticket. 0: none, a full handshake. */
static int ticket_key(SSL *ssl, unsigned char *name, unsigned char *iv, EVP_CIPHER_CTX *cipher,
	EVP_MAC_CTX *mac, int is_sealing) SOON_ON_CORE
{
	soon_tls *tls = soon__tls_conn_of(ssl)->tls;
	struct soon__tls_ticket_key key;
	int place = key_get(tls, is_sealing != 0 ? NULL : name, &key);
	int rc;

	if (place < 0)
		return 0;
	if (is_sealing != 0) {
		memcpy(name, key.name, sizeof key.name);
		if (RAND_bytes(iv, IV_BYTES) != 1)
			return -1;
	}
	rc = keys_use(&key, iv, cipher, mac, is_sealing);
	OPENSSL_cleanse(&key, sizeof key);
	/* TLS 1.3 gives a new ticket by itself only when it is told to, too. */
	if (rc == 1 && is_sealing == 0 && (place > 0 || SSL_version(ssl) == TLS1_3_VERSION))
		rc = 2;
	return rc;
}

void soon__tls_tickets_set(SSL_CTX *ctx)
{
	(void)SSL_CTX_set_tlsext_ticket_key_evp_cb(ctx, ticket_key);
}
