/* A keyed multiset hash: the sum modulo 2^256 of HMAC-SHA256(key, element). Adding and removing is one addition, so it
 * follows the live rows at no cost; order does not matter. Keyed with a key the holder of the database lacks, and
 * published only under a hash, so that elements can't be solved for (MSet-Add-Hash: Clarke et al., ASIACRYPT 2003). */
#ifndef HOLDFAST_CRYPTO_MULTISET_H
#define HOLDFAST_CRYPTO_MULTISET_H

#include "crypto/hash.h"

struct multiset {
    uint64_t limb[4]; /* little-endian limbs */
};

/* key is made of the 32 bytes that multiset_digest takes. */
void multiset_add(struct multiset *m, const struct hmac_key *key, struct view element);
void multiset_remove(struct multiset *m, const struct hmac_key *key, struct view element);
void multiset_merge(struct multiset *m, const struct multiset *other);
void multiset_digest(const struct multiset *m, const uint8_t key[static 32], uint8_t out[static 32]); /* to publish */

#endif
