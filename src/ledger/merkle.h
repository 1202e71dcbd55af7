/* The Merkle tree of RFC 6962 §2.1, kept as a frontier: the roots of the complete subtrees, largest first. Pure. */
#ifndef HOLDFAST_LEDGER_MERKLE_H
#define HOLDFAST_LEDGER_MERKLE_H

#include "base/buf.h"
#include "crypto/hash.h"

struct frontier {
    uint64_t size;
    uint8_t hashes[64][32]; /* popcount(size) of them are used */
};

void frontier_append(struct frontier *f, const uint8_t leaf_hash[static 32]);
void frontier_root(const struct frontier *f, uint8_t out[static 32]); /* of the empty tree: SHA-256("") */
RESULT frontier_encode(const struct frontier *f, struct writer *w);
RESULT frontier_decode(struct view bytes, struct frontier *ret);
void merkle_node(const uint8_t left[static 32], const uint8_t right[static 32], uint8_t out[static 32]);

/* Proof checks of RFC 9162 §2.1.3.2 and §2.1.4.2. OK or ERR_LOG_MISMATCH; malformed proofs are ERR_LOG_MISMATCH too,
 * and so is consistency with an empty log, which needs no proof. */
RESULT merkle_check_inclusion(uint64_t index, uint64_t size, const uint8_t leaf_hash[static 32],
                              const uint8_t (*proof)[32], size_t count, const uint8_t root[static 32]);
RESULT merkle_check_consistency(uint64_t size1, uint64_t size2, const uint8_t (*proof)[32], size_t count,
                                const uint8_t root1[static 32], const uint8_t root2[static 32]);

#endif
