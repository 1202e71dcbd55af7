/* P-256 and RSA for token keys, inside crypto only; nettle's side-channel silent calls. */
#ifndef HOLDFAST_CRYPTO_TOKEN_MATH_H
#define HOLDFAST_CRYPTO_TOKEN_MATH_H

#include "crypto/token_key.h"

RESULT token_p256_make(const struct random *random, struct secret **ret_private, struct token_public *ret);
RESULT token_p256_sign(const struct token_public *public_key, const struct secret *private_key,
                       const struct random *random, struct view message, uint8_t *out, size_t *ret_len);
RESULT token_p256_verify(const struct token_public *key, struct view message, struct view signature);

RESULT token_rsa_make(const struct random *random, struct secret **ret_private, struct token_public *ret);
RESULT token_rsa_sign(const struct token_public *public_key, const struct secret *private_key,
                      const struct random *random, struct view message, uint8_t *out, size_t *ret_len);
RESULT token_rsa_verify(const struct token_public *key, struct view message, struct view signature);

#endif
