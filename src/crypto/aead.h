/* Sealing of single values. XAES-256-GCM (C2SP) by default, XChaCha20-Poly1305 by choice; both take 24 random bytes of
 * nonce, so a key may seal 2^64 values. */
#ifndef HOLDFAST_CRYPTO_AEAD_H
#define HOLDFAST_CRYPTO_AEAD_H

#include "base/clock.h"

#define AEAD_KEY_SIZE   32
#define AEAD_NONCE_SIZE 24
#define AEAD_TAG_SIZE   16

enum aead_alg { AEAD_XAES_256_GCM = 1, AEAD_XCHACHA20_POLY1305 = 2 };

/* out has room for text.len + AEAD_TAG_SIZE bytes and may not overlap text. */
RESULT aead_seal(enum aead_alg alg, const uint8_t key[static AEAD_KEY_SIZE],
                 const uint8_t nonce[static AEAD_NONCE_SIZE], struct view aad, struct view text, uint8_t *out);
/* out has room for sealed.len - AEAD_TAG_SIZE bytes. ERR_TAMPERED, with out wiped, if anything was changed. */
RESULT aead_open(enum aead_alg alg, const uint8_t key[static AEAD_KEY_SIZE],
                 const uint8_t nonce[static AEAD_NONCE_SIZE], struct view aad, struct view sealed, uint8_t *out);

/* Plain primitives behind it, also used where a protocol names them: 12 bytes of nonce (else ERR_BAD_VALUE), which may
 * never repeat under one key. Same rules for out, same errors. */
RESULT aes256_gcm_seal(const uint8_t key[static 32], struct view nonce, struct view aad, struct view text,
                       uint8_t *out);
RESULT aes256_gcm_open(const uint8_t key[static 32], struct view nonce, struct view aad, struct view sealed,
                       uint8_t *out);

#endif
