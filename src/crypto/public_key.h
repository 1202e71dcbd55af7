/* Public keys as numbers, and the one signature scheme that each kind is used with here: the names are those of COSE
 * (RFC 9053, RFC 8812, RFC 9864). Ed25519 is libsodium's, the rest GnuTLS's. In crypto_pk_dep. */
#ifndef HOLDFAST_CRYPTO_PUBLIC_KEY_H
#define HOLDFAST_CRYPTO_PUBLIC_KEY_H

#include "base/buf.h"

enum public_kind {
    PUBLIC_NONE,
    PUBLIC_P256,    /* ES256: ECDSA on P-256 with SHA-256, signature in DER */
    PUBLIC_P384,    /* ES384: P-384 with SHA-384 */
    PUBLIC_P521,    /* ES512: P-521 with SHA-512 */
    PUBLIC_ED25519, /* EdDSA */
    PUBLIC_ED448,   /* Ed448 */
    PUBLIC_RSA,     /* RS256: PKCS#1 v1.5 with SHA-256, 2048 to 4096 bits */
    PUBLIC_KINDS,
};

struct public_key {
    enum public_kind kind;
    struct view x, y; /* borrowed. Curves of ECDSA: the point, each half as wide as the field; EdDSA: the key in x; RSA:
                         modulus in x and exponent in y, big-endian without leading zeros */
};

/* ERR_BAD_KEY for sizes that are not the kind's, a point that is not on its curve, a modulus that is too small or even.
 */
RESULT public_key_check(const struct public_key *key);
/* ECDSA signatures in strict DER. ERR_BAD_KEY, ERR_BAD_SIGNATURE. */
RESULT public_key_verify(const struct public_key *key, struct view message, struct view signature);

#endif
