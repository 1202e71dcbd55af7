/* What is signed for a Hyperliquid action. Internal to hyperliquid_*.c and their tests. */
#ifndef HOLDFAST_SIGNER_HYPERLIQUID_HASH_H
#define HOLDFAST_SIGNER_HYPERLIQUID_HASH_H

#include "signer/eip712.h"
#include "signer/hyperliquid_check.h"

struct hl_digest {
    struct view prehash;              /* action hash: its input. Typed data alone: 19 01 ‖ domain ‖ struct */
    size_t action_len;                /* of the MessagePack at the beginning of prehash; 0 for typed data */
    uint8_t action_hash[EIP712_WORD]; /* if action_len > 0 */
    uint8_t domain[EIP712_WORD];
    uint8_t struct_hash[EIP712_WORD];
    uint8_t digest[EIP712_WORD]; /* this is signed */
};

RESULT hyperliquid_hash(const struct hl_call *call, const struct sign_request *request, struct arena *arena,
                        struct hl_digest *ret);

#endif
