#include "crypto/aead.h"

#include "crypto/secmem.h"

#include <nettle/aes.h>
#include <nettle/gcm.h>
#include <sodium.h>

#define GCM_NONCE_SIZE 12
/* NIST SP 800-38D §5.2.1.1: len(P) <= 2^39 - 256 bits. The limit on additional data is out of reach. */
#define GCM_MAX_TEXT (((uint64_t)1 << 36) - 32)

RESULT aes256_gcm_seal(const uint8_t key[static 32], struct view nonce, struct view aad, struct view text, uint8_t *out)
{
    if (nonce.len != GCM_NONCE_SIZE)
        return ERR_BAD_VALUE;
    if (text.len > GCM_MAX_TEXT)
        return ERR_TOO_LONG;
    struct gcm_aes256_ctx ctx;
    gcm_aes256_set_key(&ctx, key);
    gcm_aes256_set_iv(&ctx, nonce.len, nonce.ptr);
    gcm_aes256_update(&ctx, aad.len, aad.ptr);
    gcm_aes256_encrypt(&ctx, text.len, out, text.ptr);
    gcm_aes256_digest(&ctx, AEAD_TAG_SIZE, out + text.len);
    wipe(&ctx, sizeof(ctx));
    return OK;
}

RESULT aes256_gcm_open(const uint8_t key[static 32], struct view nonce, struct view aad, struct view sealed,
                       uint8_t *out)
{
    if (nonce.len != GCM_NONCE_SIZE)
        return ERR_BAD_VALUE;
    if (sealed.len < AEAD_TAG_SIZE || sealed.len - AEAD_TAG_SIZE > GCM_MAX_TEXT)
        return ERR_TAMPERED;
    size_t len = sealed.len - AEAD_TAG_SIZE;
    uint8_t tag[AEAD_TAG_SIZE];
    struct gcm_aes256_ctx ctx;
    gcm_aes256_set_key(&ctx, key);
    gcm_aes256_set_iv(&ctx, nonce.len, nonce.ptr);
    gcm_aes256_update(&ctx, aad.len, aad.ptr);
    gcm_aes256_decrypt(&ctx, len, out, sealed.ptr);
    gcm_aes256_digest(&ctx, AEAD_TAG_SIZE, tag);
    bool same = ct_eq(tag, sealed.ptr + len, AEAD_TAG_SIZE);
    if (!same)
        wipe(out, len);
    wipe(&ctx, sizeof(ctx));
    wipe(tag, sizeof(tag));
    return same ? OK : ERR_TAMPERED;
}

/* C2SP XAES-256-GCM: the first half of the nonce derives a key by CMAC in counter mode (NIST SP 800-108), which for
 * messages of exactly one block is two AES calls; the second half is the nonce of AES-256-GCM under that key. */
static void xaes_key(const uint8_t key[static 32], const uint8_t nonce[static 12], uint8_t out[static 32])
{
    struct aes256_ctx ctx;
    aes256_set_encrypt_key(&ctx, key);

    uint8_t k1[AES_BLOCK_SIZE] = {0};
    aes256_encrypt(&ctx, sizeof(k1), k1, k1);
    uint8_t carry = (uint8_t) - (k1[0] >> 7); /* all ones if the top bit falls out */
    for (size_t i = 0; i + 1 < sizeof(k1); i++)
        k1[i] = (uint8_t)(k1[i] << 1 | k1[i + 1] >> 7);
    k1[15] = (uint8_t)(k1[15] << 1) ^ (carry & 0x87);

    uint8_t m[2 * AES_BLOCK_SIZE] = {0x00, 0x01, 'X', 0x00, [16] = 0x00, 0x02, 'X', 0x00};
    memcpy(m + 4, nonce, 12);
    memcpy(m + 20, nonce, 12);
    for (size_t i = 0; i < sizeof(m); i++)
        m[i] ^= k1[i % AES_BLOCK_SIZE];
    aes256_encrypt(&ctx, sizeof(m), out, m);

    wipe(&ctx, sizeof(ctx));
    wipe(k1, sizeof(k1));
    wipe(m, sizeof(m));
}

static RESULT xaes_seal(const uint8_t *key, const uint8_t *nonce, struct view aad, struct view text, uint8_t *out)
{
    uint8_t derived[32];
    xaes_key(key, nonce, derived);
    enum err e = aes256_gcm_seal(derived, VIEW(nonce + 12, GCM_NONCE_SIZE), aad, text, out);
    wipe(derived, sizeof(derived));
    return e;
}

static RESULT xaes_open(const uint8_t *key, const uint8_t *nonce, struct view aad, struct view sealed, uint8_t *out)
{
    uint8_t derived[32];
    xaes_key(key, nonce, derived);
    enum err e = aes256_gcm_open(derived, VIEW(nonce + 12, GCM_NONCE_SIZE), aad, sealed, out);
    wipe(derived, sizeof(derived));
    return e;
}

static RESULT xchacha_seal(const uint8_t *key, const uint8_t *nonce, struct view aad, struct view text, uint8_t *out)
{
    /* libsodium aborts the process beyond its limit, so it is asked first. */
    if (text.len > crypto_aead_xchacha20poly1305_ietf_messagebytes_max())
        return ERR_TOO_LONG;
    if (crypto_aead_xchacha20poly1305_ietf_encrypt(out, NULL, text.ptr, text.len, aad.ptr, aad.len, NULL, nonce, key))
        return ERR_CRYPTO;
    return OK;
}

static RESULT xchacha_open(const uint8_t *key, const uint8_t *nonce, struct view aad, struct view sealed, uint8_t *out)
{
    if (sealed.len < AEAD_TAG_SIZE)
        return ERR_TAMPERED;
    if (crypto_aead_xchacha20poly1305_ietf_decrypt(out, NULL, NULL, sealed.ptr, sealed.len, aad.ptr, aad.len, nonce,
                                                   key)) {
        wipe(out, sealed.len - AEAD_TAG_SIZE);
        return ERR_TAMPERED;
    }
    return OK;
}

typedef enum err aead_fn(const uint8_t *key, const uint8_t *nonce, struct view aad, struct view in, uint8_t *out);

static const struct {
    aead_fn *seal, *open;
} algs[] = {
    [AEAD_XAES_256_GCM] = {xaes_seal, xaes_open},
    [AEAD_XCHACHA20_POLY1305] = {xchacha_seal, xchacha_open},
};

RESULT aead_seal(enum aead_alg alg, const uint8_t key[static AEAD_KEY_SIZE],
                 const uint8_t nonce[static AEAD_NONCE_SIZE], struct view aad, struct view text, uint8_t *out)
{
    if ((size_t)alg >= ARRAY_LEN(algs) || !algs[alg].seal)
        return ERR_BAD_VALUE;
    return algs[alg].seal(key, nonce, aad, text, out);
}

/* The algorithm is read from stored bytes, so an unknown one is a changed one. */
RESULT aead_open(enum aead_alg alg, const uint8_t key[static AEAD_KEY_SIZE],
                 const uint8_t nonce[static AEAD_NONCE_SIZE], struct view aad, struct view sealed, uint8_t *out)
{
    if ((size_t)alg >= ARRAY_LEN(algs) || !algs[alg].open)
        return ERR_TAMPERED;
    return algs[alg].open(key, nonce, aad, sealed, out);
}
