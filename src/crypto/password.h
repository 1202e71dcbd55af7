/* Argon2id (RFC 9106): password hashes and keys from passphrases. Memory-hard on purpose: never on an event loop. */
#ifndef HOLDFAST_CRYPTO_PASSWORD_H
#define HOLDFAST_CRYPTO_PASSWORD_H

#include "base/clock.h"
#include "crypto/secmem.h"

struct argon2_cost {
    uint32_t passes;
    uint32_t memory_kib;
};
#define ARGON2_SALT_SIZE 16
/* RFC 9106 §4, second recommended option, rounded to what 0.1 s buys: 3 passes, 64 MiB. */
#define ARGON2_DEFAULT ((struct argon2_cost){.passes = 3, .memory_kib = 65536})

/* What is refused with ERR_OUT_OF_RANGE, or as a stored hash not even tried: costs that would stall a process. */
#define ARGON2_MAX_PASSES     64
#define ARGON2_MIN_MEMORY_KIB 8
#define ARGON2_MAX_MEMORY_KIB (1024 * 1024)
#define ARGON2_MAX_OUT        1024 /* out_len is 16..this */
#define PASSWORD_MAX_SIZE     4096 /* bytes; longer is ERR_TOO_LONG, or does not verify */

RESULT argon2_key(struct view passphrase, const uint8_t salt[static ARGON2_SALT_SIZE], struct argon2_cost cost,
                  uint8_t *out, size_t out_len);

#define PASSWORD_HASH_SIZE 128 /* "$argon2id$v=19$…", NUL included */
RESULT password_hash(struct view password, struct argon2_cost cost, char out[static PASSWORD_HASH_SIZE]);
/* OK, ERR_BAD_CREDENTIALS (also for a text that is no Argon2id hash), or ERR_NO_MEMORY, which is no failed attempt. */
RESULT password_verify(const char *hash, struct view password);

/* What takes about target_ms on this machine now: 64 MiB and as many passes as that allows, at least one; a machine on
 * which one pass takes longer gets less memory, 19 MiB at least (OWASP's least for one pass of two). Takes some tenths
 * of a second. ERR_NO_MEMORY. */
RESULT argon2_calibrate(const struct clock *clock, uint32_t target_ms, struct argon2_cost *ret);
/* Did this hash take less work than cost asks for, or is it no Argon2id hash? Then the next right log-in replaces it.
 */
bool password_outdated(const char *hash, struct argon2_cost cost);

#endif
