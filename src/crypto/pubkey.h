/* GnuTLS's public keys, inside crypto_pk_lib only: what certificates and keys given as numbers have in common. */
#ifndef HOLDFAST_CRYPTO_PUBKEY_H
#define HOLDFAST_CRYPTO_PUBKEY_H

#include "crypto/datum.h"
#include "crypto/public_key.h"

#include <gnutls/abstract.h>

AUTO_DEFINE(gnutls_pubkey_t, gnutls_pubkey_deinit);

/* The caller releases. ERR_BAD_KEY, ERR_NO_MEMORY. */
RESULT pubkey_import(const struct public_key *key, gnutls_pubkey_t *ret);
enum public_kind pubkey_kind(gnutls_pubkey_t key); /* PUBLIC_NONE for what is not taken here */
RESULT pubkey_verify(gnutls_pubkey_t key, struct view message, struct view signature);

#endif
