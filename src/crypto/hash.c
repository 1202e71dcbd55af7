#include "crypto/hash.h"

#include "crypto/secmem.h"

#include <nettle/hkdf.h>
#include <nettle/hmac.h>
#include <nettle/pbkdf2.h>
#include <nettle/sha1.h>
#include <nettle/sha2.h>
#include <nettle/sha3.h>

/* Contexts are wiped even where a hash has no key: what is hashed may be a token or a passphrase, and a context keeps
 * the last block of it. */

void sha1_for_lookup(struct view v, uint8_t out[static SHA1_SIZE])
{
    struct sha1_ctx ctx;
    sha1_init(&ctx);
    sha1_update(&ctx, v.len, v.ptr);
    sha1_digest(&ctx, SHA1_SIZE, out);
    wipe(&ctx, sizeof(ctx));
}

void sha256_list(const struct view *parts, size_t count, uint8_t out[static SHA256_SIZE])
{
    struct sha256_ctx ctx;
    sha256_init(&ctx);
    for (size_t i = 0; i < count; i++)
        sha256_update(&ctx, parts[i].len, parts[i].ptr);
    sha256_digest(&ctx, SHA256_SIZE, out);
    wipe(&ctx, sizeof(ctx));
}

void sha256(struct view v, uint8_t out[static SHA256_SIZE])
{
    sha256_list(&v, 1, out);
}

void sha512(struct view v, uint8_t out[static SHA512_SIZE])
{
    struct sha512_ctx ctx;
    sha512_init(&ctx);
    sha512_update(&ctx, v.len, v.ptr);
    sha512_digest(&ctx, SHA512_SIZE, out);
    wipe(&ctx, sizeof(ctx));
}

/* Keccak[c = 512]: nettle's SHA-3 has the final padding of FIPS 202 built in, so the sponge around its permutation is
 * ours. */
#define KECCAK256_RATE 136

struct sponge {
    struct sha3_state state;
    size_t at; /* bytes of the current block that are taken */
};

static void sponge_byte(struct sponge *s, size_t at, uint8_t byte)
{
    s->state.a[at / 8] ^= (uint64_t)byte << (8 * (at % 8));
}

static uint64_t word_at(const uint8_t *p)
{
    uint64_t word = 0;
    for (size_t i = 0; i < 8; i++)
        word |= (uint64_t)p[i] << (8 * i);
    return word;
}

/* Whole words where the place allows. */
static void sponge_absorb(struct sponge *s, struct view v)
{
    for (size_t i = 0, step; i < v.len; i += step) {
        step = s->at % 8 == 0 && v.len - i >= 8 ? 8 : 1;
        if (step == 8)
            s->state.a[s->at / 8] ^= word_at(v.ptr + i);
        else
            sponge_byte(s, s->at, v.ptr[i]);
        s->at += step;
        if (s->at == KECCAK256_RATE) {
            sha3_permute(&s->state);
            s->at = 0;
        }
    }
}

void keccak256_list(const struct view *parts, size_t count, uint8_t out[static KECCAK256_SIZE])
{
    struct sponge s = {0};
    for (size_t i = 0; i < count; i++)
        sponge_absorb(&s, parts[i]);
    sponge_byte(&s, s.at, 0x01); /* FIPS 202 would have 0x06 here */
    sponge_byte(&s, KECCAK256_RATE - 1, 0x80);
    sha3_permute(&s.state);
    for (size_t i = 0; i < KECCAK256_SIZE; i++)
        out[i] = (uint8_t)(s.state.a[i / 8] >> (8 * (i % 8)));
    wipe(&s, sizeof(s));
}

void keccak256(struct view v, uint8_t out[static KECCAK256_SIZE])
{
    keccak256_list(&v, 1, out);
}

void hmac_sha256_list(struct view key, const struct view *parts, size_t count, uint8_t out[static SHA256_SIZE])
{
    struct hmac_sha256_ctx ctx;
    hmac_sha256_set_key(&ctx, key.len, key.ptr);
    for (size_t i = 0; i < count; i++)
        hmac_sha256_update(&ctx, parts[i].len, parts[i].ptr);
    hmac_sha256_digest(&ctx, SHA256_SIZE, out);
    wipe(&ctx, sizeof(ctx));
}

void hmac_sha256(struct view key, struct view v, uint8_t out[static SHA256_SIZE])
{
    hmac_sha256_list(key, &v, 1, out);
}

void hmac_key_init(struct hmac_key *k, struct view key)
{
    struct hmac_sha256_ctx ctx;
    hmac_sha256_set_key(&ctx, key.len, key.ptr);
    memcpy(k->inner, ctx.inner.state, sizeof(k->inner));
    memcpy(k->outer, ctx.outer.state, sizeof(k->outer));
    wipe(&ctx, sizeof(ctx));
}

/* A hash that has taken one block, the padded key. */
static void sha256_after_key(struct sha256_ctx *ctx, const uint32_t state[static SHA256_SIZE / 4])
{
    memcpy(ctx->state, state, sizeof(ctx->state));
    ctx->count = 1;
    ctx->index = 0;
}

void hmac_key_code(const struct hmac_key *k, const struct view *parts, size_t count, uint8_t out[static SHA256_SIZE])
{
    struct sha256_ctx ctx;
    uint8_t inner[SHA256_SIZE];
    sha256_after_key(&ctx, k->inner);
    for (size_t i = 0; i < count; i++)
        sha256_update(&ctx, parts[i].len, parts[i].ptr);
    sha256_digest(&ctx, sizeof(inner), inner);
    sha256_after_key(&ctx, k->outer);
    sha256_update(&ctx, sizeof(inner), inner);
    sha256_digest(&ctx, SHA256_SIZE, out);
    wipe(&ctx, sizeof(ctx));
    wipe(inner, sizeof(inner));
}

void hmac_sha512(struct view key, struct view v, uint8_t out[static SHA512_SIZE])
{
    struct hmac_sha512_ctx ctx;
    hmac_sha512_set_key(&ctx, key.len, key.ptr);
    hmac_sha512_update(&ctx, v.len, v.ptr);
    hmac_sha512_digest(&ctx, SHA512_SIZE, out);
    wipe(&ctx, sizeof(ctx));
}

/* nettle's key derivations take any MAC through callbacks on void pointers. */
static void mac_update(void *ctx, size_t n, const uint8_t *p)
{
    hmac_sha256_update(ctx, n, p);
}

static void mac_digest(void *ctx, size_t n, uint8_t *out)
{
    hmac_sha256_digest(ctx, n, out);
}

/* RFC 5869 §2.3: "L length of output keying material in octets (<= 255*HashLen)". */
#define HKDF_MAX (255 * (size_t)SHA256_SIZE)

RESULT hkdf_sha256(struct view salt, struct view key, struct view info, uint8_t *out, size_t out_len)
{
    if (out_len == 0 || out_len > HKDF_MAX)
        return ERR_OUT_OF_RANGE;
    uint8_t prk[SHA256_SIZE];
    struct hmac_sha256_ctx ctx;
    hmac_sha256_set_key(&ctx, salt.len, salt.ptr); /* an empty salt pads to the zeros that the RFC wants */
    hkdf_extract(&ctx, mac_update, mac_digest, SHA256_SIZE, key.len, key.ptr, prk);
    hmac_sha256_set_key(&ctx, sizeof(prk), prk);
    hkdf_expand(&ctx, mac_update, mac_digest, SHA256_SIZE, info.len, info.ptr, out_len, out);
    wipe(&ctx, sizeof(ctx));
    wipe(prk, sizeof(prk));
    return OK;
}

RESULT pbkdf2_sha256(struct view password, struct view salt, uint32_t rounds, uint8_t *out, size_t out_len)
{
    if (rounds == 0 || out_len == 0)
        return ERR_OUT_OF_RANGE;
    struct hmac_sha256_ctx ctx;
    hmac_sha256_set_key(&ctx, password.len, password.ptr);
    pbkdf2(&ctx, mac_update, mac_digest, SHA256_SIZE, rounds, salt.len, salt.ptr, out_len, out);
    wipe(&ctx, sizeof(ctx));
    return OK;
}
