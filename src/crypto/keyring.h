/* A key ring: data keys by class and epoch. One key, one purpose: what seals, tags or blinds is a subkey derived from
 * the epoch's key by purpose. The front is given the ring of class STATE only.
 *
 * Sealed form: u8 alg, u8 class, u16 purpose, u32 epoch, 24 bytes nonce, ciphertext and tag. Bound in as associated
 * data: that header, and the caller's context (table, key, version …). */
#ifndef HOLDFAST_CRYPTO_KEYRING_H
#define HOLDFAST_CRYPTO_KEYRING_H

#include "crypto/aead.h"
#include "crypto/secmem.h"

enum key_class {
    KEY_CLASS_STATE = 1,      /* ordinary rows, record values, indexes: the front's */
    KEY_CLASS_SECRET = 2,     /* values of secrets: opened by the keeper, one by one, each with its record */
    KEY_CLASS_CREDENTIAL = 3, /* sign-only credentials: leave the keeper for the signer only */
    KEY_CLASS_KEEPER = 4,     /* the keeper's own: anchor, author tags, pending enrolments */
    KEY_CLASS_COUNT
};

enum key_purpose {
    PURPOSE_ROW = 1,    /* sealing a row's value */
    PURPOSE_RECORD = 2, /* sealing subject keys of the record */
    PURPOSE_BLIND = 3,  /* row keys and index terms; epoch 1 for ever, since rewrapping does not rename rows */
    PURPOSE_PEPPER = 4, /* API keys, session tokens */
    PURPOSE_SET = 5,    /* the multiset hash over live rows; epoch 1 for ever */
    PURPOSE_SECRET = 6,
    PURPOSE_CREDENTIAL = 7,
    PURPOSE_ANCHOR = 8,
    PURPOSE_AUTHOR = 9, /* tags on leaves that keeper and signer author */
    PURPOSE_TAG = 10,   /* tags on rows that the keeper sealed; epoch 1 for ever */
    PURPOSE_COUNT
};

#define SEALED_OVERHEAD    (8 + AEAD_NONCE_SIZE + AEAD_TAG_SIZE)
#define KEYRING_MAX_EPOCHS 64

/* All its keys in guarded memory. Calls on a const ring may run in several threads at once; keyring_rotate and
 * keyring_retire may not run beside any other. */
struct keyring;

RESULT keyring_new(enum key_class class, struct keyring **ret); /* without epochs */
void keyring_free(struct keyring *k);
RESULT keyring_rotate(struct keyring *k, uint64_t now_ms, const struct random *random); /* adds the next epoch */
/* Wipes one that nothing uses any more. ERR_NOT_FOUND; ERR_OUT_OF_RANGE for the newest, and for epoch 1 of class STATE,
 * which PURPOSE_BLIND, PURPOSE_SET and PURPOSE_TAG need for ever. */
RESULT keyring_retire(struct keyring *k, uint32_t epoch);
uint32_t keyring_epoch(const struct keyring *k);                                   /* the newest, 0 if none */
RESULT keyring_created(const struct keyring *k, uint32_t epoch, uint64_t *ret_ms); /* when it was rotated in */
enum key_class keyring_class(const struct keyring *k);
/* Plain form, for the anchor (sealed there) and for handing a ring to the process that may have it. */
RESULT keyring_export(const struct keyring *k, struct writer *w);
RESULT keyring_import(struct view bytes, struct keyring **ret);

/* HKDF-SHA256 of the epoch's key with class and purpose as info; sealing uses further subkeys, one for each algorithm.
 * ERR_NOT_FOUND for an epoch that is not in the ring, ERR_BAD_VALUE for an unknown purpose. */
RESULT keyring_subkey(const struct keyring *k, uint32_t epoch, enum key_purpose purpose, uint8_t out[static 32]);

#define KEYRING_MAX_CONTEXT 1024 /* bytes; ERR_TOO_LONG */
/* Seals under the newest epoch into w; context is bound in and not stored. ERR_NOT_FOUND if there is no epoch yet. */
RESULT keyring_seal(const struct keyring *k, enum aead_alg alg, enum key_purpose purpose, struct view context,
                    struct view text, const struct random *random, struct writer *w);
/* ERR_TAMPERED for anything that does not open; the purpose must be the one it was sealed for. */
RESULT keyring_open(const struct keyring *k, enum key_purpose purpose, struct view context, struct view sealed,
                    struct writer *w);
RESULT sealed_epoch(struct view sealed, uint32_t *ret); /* not yet verified; ERR_TAMPERED if it can't be one */

AUTO_DEFINE(struct keyring *, keyring_free);

#endif
