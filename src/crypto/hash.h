/* Hashes and keyed hashes (nettle). FIPS 180-4, FIPS 198-1, RFC 5869; Keccak-256 is the pre-FIPS padding 0x01. */
#ifndef HOLDFAST_CRYPTO_HASH_H
#define HOLDFAST_CRYPTO_HASH_H

#include "base/buf.h"

#define SHA1_SIZE      20
#define SHA256_SIZE    32
#define SHA512_SIZE    64
#define KECCAK256_SIZE 32

/* Broken as a hash. Only for looking up lists that others publish by it. */
void sha1_for_lookup(struct view v, uint8_t out[static SHA1_SIZE]);
void sha256(struct view v, uint8_t out[static SHA256_SIZE]);
void sha256_list(const struct view *parts, size_t count, uint8_t out[static SHA256_SIZE]); /* of the concatenation */
void sha512(struct view v, uint8_t out[static SHA512_SIZE]);
void keccak256(struct view v, uint8_t out[static KECCAK256_SIZE]);
void keccak256_list(const struct view *parts, size_t count, uint8_t out[static KECCAK256_SIZE]);

void hmac_sha256(struct view key, struct view v, uint8_t out[static SHA256_SIZE]);
void hmac_sha256_list(struct view key, const struct view *parts, size_t count, uint8_t out[static SHA256_SIZE]);
/* An HMAC-SHA256 key that is used over and over: what the hash makes of its two padded blocks (RFC 2104 §4), which
 * spares each code half of the work on a short text. As secret as the key itself. */
struct hmac_key {
    uint32_t inner[SHA256_SIZE / 4], outer[SHA256_SIZE / 4];
};
void hmac_key_init(struct hmac_key *k, struct view key);
void hmac_key_code(const struct hmac_key *k, const struct view *parts, size_t count, uint8_t out[static SHA256_SIZE]);
void hmac_sha512(struct view key, struct view v, uint8_t out[static SHA512_SIZE]);

/* HKDF-SHA256 (RFC 5869); out_len is 1..8160, else ERR_OUT_OF_RANGE. */
RESULT hkdf_sha256(struct view salt, struct view key, struct view info, uint8_t *out, size_t out_len);
/* PBKDF2-HMAC-SHA256 (RFC 8018), for checking what other software made. ERR_OUT_OF_RANGE for no rounds or
 * no output. */
RESULT pbkdf2_sha256(struct view password, struct view salt, uint32_t rounds, uint8_t *out, size_t out_len);

#endif
