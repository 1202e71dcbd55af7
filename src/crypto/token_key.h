/* Keys that sign tokens (RFC 7518, RFC 8037), by nettle and libsodium: the keeper holds them and links no GnuTLS. */
#ifndef HOLDFAST_CRYPTO_TOKEN_KEY_H
#define HOLDFAST_CRYPTO_TOKEN_KEY_H

#include "base/clock.h"
#include "crypto/secmem.h"

enum token_alg { TOKEN_ALG_NONE, TOKEN_ES256, TOKEN_EDDSA, TOKEN_RS256, TOKEN_ALG_COUNT };
/* "ES256", "EdDSA", "RS256"; index 0 is "default". NULL-terminated. */
extern const char *const token_alg_names[];

#define TOKEN_PUBLIC_MAX  256 /* ES256: x ‖ y; EdDSA: the key; RS256: the modulus, 2048 bits, exponent 65537 */
#define TOKEN_PRIVATE_MAX 640 /* ES256: scalar; EdDSA: seed; RS256: p, q, d mod p-1, d mod q-1, 1/q mod p */
#define TOKEN_SIG_MAX     256 /* ES256: r ‖ s; EdDSA: 64; RS256: PKCS#1 v1.5 with SHA-256 */
#define TOKEN_KID_LEN     43

struct token_public {
    uint8_t alg; /* enum token_alg */
    uint16_t len;
    uint8_t bytes[TOKEN_PUBLIC_MAX];
};

/* ES256 and EdDSA in microseconds. RS256 looks for primes: a tenth of a second, seldom half a one. */
RESULT token_key_make(enum token_alg alg, const struct random *random, struct secret **ret_private,
                      struct token_public *ret_public);
/* ECDSA's secret number is drawn from the system, and from key and message, so that neither a bad generator nor a
 * repeated message gives the key away; RSA is blinded and checked before it leaves. ERR_BAD_KEY if the two halves don't
 * fit, ERR_CRYPTO. */
RESULT token_key_sign(const struct token_public *public_key, const struct secret *private_key,
                      const struct random *random, struct view message, struct writer *signature);
/* ERR_BAD_SIGNATURE for anything but a signature of exactly this key and its algorithm; ERR_BAD_KEY. */
RESULT token_key_verify(const struct token_public *key, struct view message, struct view signature);
/* The members of a JWK that its thumbprint covers, in the order of RFC 7638 §3.2 and without white space: one text
 * serves for both. */
RESULT token_key_jwk(const struct token_public *key, struct writer *w);
/* RFC 7638 with SHA-256, in base64url; NUL-terminated. */
RESULT token_key_id(const struct token_public *key, char out[static TOKEN_KID_LEN + 1]);

#endif
