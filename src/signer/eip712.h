/* EIP-712 typed data: https://eips.ethereum.org/EIPS/eip-712. A struct hash is built field by field in the order of its
 * type; nothing here allocates or fails. */
#ifndef HOLDFAST_SIGNER_EIP712_H
#define HOLDFAST_SIGNER_EIP712_H

#include "crypto/hash.h"

#define EIP712_WORD         32
#define EIP712_FIELDS_MAX   16
#define EIP712_ADDRESS_SIZE 20

/* The 32-byte words of encodeData: type hash, then one for each field. */
struct eip712 {
    uint8_t words[EIP712_FIELDS_MAX + 1][EIP712_WORD];
    size_t count;
};

/* encodeType, as "Mail(address from,string contents)". */
void eip712_begin(struct eip712 *s, struct view encode_type);
void eip712_bytes(struct eip712 *s, struct view v);                         /* string and bytes: by their hash */
void eip712_word(struct eip712 *s, const uint8_t word[static EIP712_WORD]); /* bytes32, or a nested struct's hash */
void eip712_address(struct eip712 *s, const uint8_t address[static EIP712_ADDRESS_SIZE]);
void eip712_uint(struct eip712 *s, uint64_t v); /* uint8 … uint256 */
void eip712_bool(struct eip712 *s, bool v);
void eip712_hash(const struct eip712 *s, uint8_t out[static EIP712_WORD]); /* hashStruct */

/* EIP712Domain(string name,string version,uint256 chainId,address verifyingContract) with the zero address. */
void eip712_domain(const char *name, const char *version, uint64_t chain_id, uint8_t out[static EIP712_WORD]);

/* The bytes to be hashed and signed: 19 01 ‖ domain separator ‖ struct hash. */
#define EIP712_PREHASH_SIZE 66
void eip712_prehash(const uint8_t domain[static EIP712_WORD], const uint8_t struct_hash[static EIP712_WORD],
                    uint8_t out[static EIP712_PREHASH_SIZE]);

#endif
