#include "base/sip.h"

#include <endian.h>

static inline uint64_t turn(uint64_t v, unsigned n)
{
    return v << n | v >> (64 - n);
}

static inline void sip_round(uint64_t v[static 4])
{
    v[0] += v[1];
    v[1] = turn(v[1], 13) ^ v[0];
    v[0] = turn(v[0], 32);
    v[2] += v[3];
    v[3] = turn(v[3], 16) ^ v[2];
    v[0] += v[3];
    v[3] = turn(v[3], 21) ^ v[0];
    v[2] += v[1];
    v[1] = turn(v[1], 17) ^ v[2];
    v[2] = turn(v[2], 32);
}

/* Eight bytes at once: most of what is hashed is some words long. */
static inline uint64_t word_at(const uint8_t *p)
{
    uint64_t word;
    memcpy(&word, p, sizeof word);
    return le64toh(word);
}

uint64_t sip_hash(const struct sip_seed *seed, struct view key)
{
    uint64_t v[4] = {seed->k[0] ^ UINT64_C(0x736f6d6570736575), seed->k[1] ^ UINT64_C(0x646f72616e646f6d),
                     seed->k[0] ^ UINT64_C(0x6c7967656e657261), seed->k[1] ^ UINT64_C(0x7465646279746573)};
    uint64_t last = (uint64_t)key.len << 56;
    size_t i = 0;
    for (; key.len - i >= 8; i += 8) {
        uint64_t word = word_at(key.ptr + i);
        v[3] ^= word;
        sip_round(v);
        v[0] ^= word;
    }
    for (unsigned bit = 0; i < key.len; i++, bit += 8)
        last |= (uint64_t)key.ptr[i] << bit;
    v[3] ^= last;
    sip_round(v);
    v[0] ^= last;
    v[2] ^= 0xff;
    for (int n = 0; n < 3; n++)
        sip_round(v);
    return v[0] ^ v[1] ^ v[2] ^ v[3];
}

static inline void take_word(uint64_t v[static 4], uint64_t word)
{
    v[3] ^= word;
    sip_round(v);
    sip_round(v);
    v[0] ^= word;
}

static inline uint64_t finish(uint64_t v[static 4])
{
    for (int i = 0; i < 4; i++)
        sip_round(v);
    return v[0] ^ v[1] ^ v[2] ^ v[3];
}

void sip_hash128(const struct sip_seed *seed, uint64_t prefix, struct view key, uint64_t ret[static 2])
{
    uint64_t v[4] = {seed->k[0] ^ UINT64_C(0x736f6d6570736575), seed->k[1] ^ UINT64_C(0x646f72616e646f6d) ^ 0xee,
                     seed->k[0] ^ UINT64_C(0x6c7967656e657261), seed->k[1] ^ UINT64_C(0x7465646279746573)};
    uint64_t last = (uint64_t)(key.len + sizeof prefix) << 56;
    size_t i = 0;
    take_word(v, prefix);
    for (; key.len - i >= 8; i += 8)
        take_word(v, word_at(key.ptr + i));
    for (unsigned bit = 0; i < key.len; i++, bit += 8)
        last |= (uint64_t)key.ptr[i] << bit;
    take_word(v, last);
    v[2] ^= 0xee;
    ret[0] = finish(v);
    v[1] ^= 0xdd;
    ret[1] = finish(v);
}
