#include "crypto/sign.h"

#include <assert.h>
#include <sodium.h>

static_assert(ED25519_SEED_SIZE == crypto_sign_SEEDBYTES && ED25519_PUBLIC_SIZE == crypto_sign_PUBLICKEYBYTES &&
                  ED25519_SIG_SIZE == crypto_sign_BYTES,
              "sizes are libsodium's");

RESULT ed25519_public(const uint8_t seed[static ED25519_SEED_SIZE], uint8_t out[static ED25519_PUBLIC_SIZE])
{
    uint8_t expanded[crypto_sign_SECRETKEYBYTES];
    int failed = crypto_sign_seed_keypair(out, expanded, seed);
    wipe(expanded, sizeof(expanded));
    return failed ? ERR_CRYPTO : OK;
}

RESULT ed25519_sign(const uint8_t seed[static ED25519_SEED_SIZE], struct view message,
                    uint8_t out[static ED25519_SIG_SIZE])
{
    uint8_t public_key[ED25519_PUBLIC_SIZE], expanded[crypto_sign_SECRETKEYBYTES];
    int failed = crypto_sign_seed_keypair(public_key, expanded, seed) ||
                 crypto_sign_detached(out, NULL, message.ptr, message.len, expanded);
    wipe(expanded, sizeof(expanded));
    return failed ? ERR_CRYPTO : OK;
}

/* libsodium refuses s >= L, small-order R and keys, and non-canonical keys; it compares R as bytes. */
RESULT ed25519_verify(const uint8_t key[static ED25519_PUBLIC_SIZE], struct view message, struct view signature)
{
    if (signature.len != ED25519_SIG_SIZE ||
        crypto_sign_verify_detached(signature.ptr, message.ptr, message.len, key) != 0)
        return ERR_BAD_SIGNATURE;
    return OK;
}

/* The encodings that are in use: the seed alone (RFC 8410 §7), with the public key behind it (RFC 5958), and the same
 * with that key tagged explicitly, as older releases of the Rust library ring write it. DER leaves no other way to
 * write them, so a template is a complete parser. */
#define PKCS8_MAX_SIZE (ED25519_SEED_SIZE + ED25519_PUBLIC_SIZE + 32)

static const struct pkcs8_form {
    struct view before_seed, before_public;
} pkcs8_forms[] = {
    {VIEW_STR("\x30\x2e\x02\x01\x00\x30\x05\x06\x03\x2b\x65\x70\x04\x22\x04\x20"), {NULL, 0}},
    {VIEW_STR("\x30\x51\x02\x01\x01\x30\x05\x06\x03\x2b\x65\x70\x04\x22\x04\x20"), VIEW_STR("\x81\x21\x00")},
    {VIEW_STR("\x30\x53\x02\x01\x01\x30\x05\x06\x03\x2b\x65\x70\x04\x22\x04\x20"), VIEW_STR("\xa1\x23\x03\x21\x00")},
};

static bool pkcs8_match(const struct pkcs8_form *form, struct view der, const uint8_t **ret_seed)
{
    struct reader r = reader_new(der);
    struct view before = {0}, seed = {0}, public_key = {0};
    if (reader_bytes(&r, form->before_seed.len, &before) != OK || !view_eq(before, form->before_seed) ||
        reader_bytes(&r, ED25519_SEED_SIZE, &seed) != OK)
        return false;
    *ret_seed = seed.ptr;
    if (form->before_public.len == 0)
        return r.left == 0;
    uint8_t own[ED25519_PUBLIC_SIZE];
    return reader_bytes(&r, form->before_public.len, &before) == OK && view_eq(before, form->before_public) &&
           reader_bytes(&r, ED25519_PUBLIC_SIZE, &public_key) == OK && r.left == 0 &&
           ed25519_public(seed.ptr, own) == OK && view_eq(public_key, VIEW_OF(own));
}

static struct view trim(struct view v)
{
    while (v.len > 0 && v.ptr[v.len - 1] <= ' ')
        v.len--;
    for (; v.len > 0 && v.ptr[0] <= ' '; v.len--)
        v.ptr++;
    return v;
}

RESULT ed25519_from_pem(struct view pem, struct secret **ret_seed)
{
    static const struct view begin = VIEW_STR("-----BEGIN PRIVATE KEY-----");
    static const struct view end = VIEW_STR("-----END PRIVATE KEY-----");
    struct view body = trim(pem);
    if (body.len < begin.len + end.len || !view_eq(VIEW(body.ptr, begin.len), begin) ||
        !view_eq(VIEW(body.ptr + body.len - end.len, end.len), end))
        return ERR_BAD_KEY;
    body = VIEW(body.ptr + begin.len, body.len - begin.len - end.len);

    AUTO(secret_free) struct secret *memory = NULL;
    TRY(secret_new(PKCS8_MAX_SIZE, &memory));
    uint8_t *der = secret_ptr(memory);
    size_t der_len = 0;
    const char *stop = NULL;
    /* libsodium's decoder takes constant time, which a look-up table of ours would not. */
    if (sodium_base642bin(der, PKCS8_MAX_SIZE, (const char *)body.ptr, body.len, "\r\n \t", &der_len, &stop,
                          sodium_base64_VARIANT_ORIGINAL) != 0 ||
        stop != (const char *)body.ptr + body.len)
        return ERR_BAD_KEY;
    const uint8_t *seed = NULL;
    for (size_t i = 0; i < ARRAY_LEN(pkcs8_forms); i++)
        if (pkcs8_match(&pkcs8_forms[i], VIEW(der, der_len), &seed))
            return secret_from(VIEW(seed, ED25519_SEED_SIZE), ret_seed);
    return ERR_BAD_KEY;
}
