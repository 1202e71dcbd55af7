/* Argon2id (RFC 9106): password hashes and keys from passphrases. Memory-hard on purpose: never on an event loop. */
#ifndef HOLDFAST_CRYPTO_PASSWORD_H
#define HOLDFAST_CRYPTO_PASSWORD_H

#include "crypto/secmem.h"
#include "base/clock.h"

struct argon2_cost {
    uint32_t passes;
    uint32_t memory_kib;
};
#define ARGON2_SALT_SIZE 16
/* RFC 9106 §4, second recommended option, rounded to what 0.1 s buys: 3 passes, 64 MiB. */
#define ARGON2_DEFAULT ((struct argon2_cost){.passes = 3, .memory_kib = 65536})

RESULT argon2_key(struct view passphrase, const uint8_t salt[static ARGON2_SALT_SIZE], struct argon2_cost cost,
                  uint8_t *out, size_t out_len);

#define PASSWORD_HASH_SIZE 128 /* "$argon2id$v=19$…", NUL included */
RESULT password_hash(struct view password, struct argon2_cost cost, char out[static PASSWORD_HASH_SIZE]);
/* OK or ERR_BAD_CREDENTIALS. */
RESULT password_verify(const char *hash, struct view password);

#endif
