#include "signer/eip712.h"

#include <assert.h>

/* Types are tables of the program, so more fields than EIP712_FIELDS_MAX is a mistake in a table, not in an input. */
static uint8_t *next_word(struct eip712 *s)
{
    assert(s->count < ARRAY_LEN(s->words));
    uint8_t *word = s->words[s->count++];
    memset(word, 0, EIP712_WORD);
    return word;
}

void eip712_begin(struct eip712 *s, struct view encode_type)
{
    s->count = 0;
    eip712_bytes(s, encode_type);
}

void eip712_bytes(struct eip712 *s, struct view v)
{
    keccak256(v, next_word(s));
}

void eip712_word(struct eip712 *s, const uint8_t word[static EIP712_WORD])
{
    memcpy(next_word(s), word, EIP712_WORD);
}

void eip712_address(struct eip712 *s, const uint8_t address[static EIP712_ADDRESS_SIZE])
{
    memcpy(next_word(s) + EIP712_WORD - EIP712_ADDRESS_SIZE, address, EIP712_ADDRESS_SIZE);
}

void eip712_uint(struct eip712 *s, uint64_t v)
{
    uint8_t *word = next_word(s);
    for (size_t i = 0; i < sizeof(v); i++)
        word[EIP712_WORD - 1 - i] = (uint8_t)(v >> (8 * i));
}

void eip712_bool(struct eip712 *s, bool v)
{
    eip712_uint(s, v);
}

void eip712_hash(const struct eip712 *s, uint8_t out[static EIP712_WORD])
{
    keccak256(VIEW(s->words, s->count * EIP712_WORD), out);
}

void eip712_domain(const char *name, const char *version, uint64_t chain_id, uint8_t out[static EIP712_WORD])
{
    static const uint8_t no_contract[EIP712_ADDRESS_SIZE];
    struct eip712 s;
    eip712_begin(&s, VIEW_STR("EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"));
    eip712_bytes(&s, view_str(name));
    eip712_bytes(&s, view_str(version));
    eip712_uint(&s, chain_id);
    eip712_address(&s, no_contract);
    eip712_hash(&s, out);
}

void eip712_prehash(const uint8_t domain[static EIP712_WORD], const uint8_t struct_hash[static EIP712_WORD],
                    uint8_t out[static EIP712_PREHASH_SIZE])
{
    out[0] = 0x19;
    out[1] = 0x01;
    memcpy(out + 2, domain, EIP712_WORD);
    memcpy(out + 2 + EIP712_WORD, struct_hash, EIP712_WORD);
}
