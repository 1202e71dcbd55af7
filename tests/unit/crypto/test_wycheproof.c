/* Wycheproof for every primitive that crypto/ offers: `valid` must be taken, `invalid` must be refused. `acceptable`
 * occurs once, in the RSA file: a DigestInfo without its NULL parameter. RFC 8017 §9.2 has the NULL, so it is refused.
 *
 * Of the valid ones, one signature is refused, in both P-256 files: in it the two points that verification adds are one
 * and the same, which GnuTLS's arithmetic (nettle 3.8) does not handle. Only the holder of the private key can make
 * such a signature, and only on purpose; refusing it harms nobody else. */
#include "crypto/aead.h"
#include "crypto/hash.h"
#include "crypto/sign.h"
#include "vectors.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

struct aead_case {
    struct view key, nonce, aad, text, sealed;
};

static struct aead_case aead_case(const json_t *test)
{
    struct view ct = vectors_hex(test, "ct"), tag = vectors_hex(test, "tag");
    uint8_t *sealed = vectors_room(ct.len + tag.len);
    if (ct.len > 0)
        memcpy(sealed, ct.ptr, ct.len);
    memcpy(sealed + ct.len, tag.ptr, tag.len);
    return (struct aead_case){vectors_hex(test, "key"), vectors_hex(test, "iv"), vectors_hex(test, "aad"),
                              vectors_hex(test, "msg"), VIEW(sealed, ct.len + tag.len)};
}

/* Opening decides; what opens must also seal to the same bytes, and what doesn't must leave no plain text behind. */
static bool aead_verdict(const struct aead_case *c, enum err opened, const uint8_t *text, enum err sealed,
                         const uint8_t *out)
{
    if (opened != OK) {
        assert_int_equal(opened, ERR_TAMPERED);
        for (size_t i = 0; i < c->text.len; i++)
            assert_int_equal(text[i], 0);
        return false;
    }
    assert_int_equal(sealed, OK);
    assert_memory_equal(out, c->sealed.ptr, c->sealed.len);
    return view_eq(VIEW(text, c->text.len), c->text);
}

static bool gcm_accepts(const json_t *group, const json_t *test)
{
    (void)group;
    struct aead_case c = aead_case(test);
    uint8_t *text = vectors_room(c.text.len), *out = vectors_room(c.sealed.len);
    enum err opened = aes256_gcm_open(c.key.ptr, c.nonce, c.aad, c.sealed, text);
    enum err sealed = aes256_gcm_seal(c.key.ptr, c.nonce, c.aad, c.text, out);
    return aead_verdict(&c, opened, text, sealed, out);
}

/* Out of scope: keys of 128 and 192 bits, and nonces of other sizes than 96 bits, which aead.h does not offer. */
static bool gcm_in_scope(const json_t *group)
{
    return vectors_int(group, "keySize") == 256 && vectors_int(group, "ivSize") == 96 &&
           vectors_int(group, "tagSize") == 128;
}

static bool xchacha_accepts(const json_t *group, const json_t *test)
{
    (void)group;
    struct aead_case c = aead_case(test);
    uint8_t *text = vectors_room(c.text.len), *out = vectors_room(c.sealed.len);
    enum err opened = aead_open(AEAD_XCHACHA20_POLY1305, c.key.ptr, c.nonce.ptr, c.aad, c.sealed, text);
    enum err sealed = aead_seal(AEAD_XCHACHA20_POLY1305, c.key.ptr, c.nonce.ptr, c.aad, c.text, out);
    return aead_verdict(&c, opened, text, sealed, out);
}

/* Out of scope: nonces of other sizes than 192 bits, which the signature of aead_open has no room for. */
static bool xchacha_in_scope(const json_t *group)
{
    return vectors_int(group, "ivSize") == AEAD_NONCE_SIZE * 8;
}

static bool hkdf_accepts(const json_t *group, const json_t *test)
{
    (void)group;
    size_t size = (size_t)vectors_int(test, "size");
    struct view want = vectors_hex(test, "okm");
    uint8_t *out = vectors_room(size);
    return hkdf_sha256(vectors_hex(test, "salt"), vectors_hex(test, "ikm"), vectors_hex(test, "info"), out, size) ==
               OK &&
           view_eq(VIEW(out, size), want);
}

static bool hmac256_accepts(const json_t *group, const json_t *test)
{
    uint8_t out[SHA256_SIZE], again[SHA256_SIZE];
    struct view text = vectors_hex(test, "msg");
    struct hmac_key key;
    hmac_sha256(vectors_hex(test, "key"), text, out);
    hmac_key_init(&key, vectors_hex(test, "key"));
    hmac_key_code(&key, &text, 1, again);
    return memcmp(out, again, sizeof(out)) == 0 &&
           view_eq(VIEW(out, (size_t)vectors_int(group, "tagSize") / 8), vectors_hex(test, "tag"));
}

static bool hmac512_accepts(const json_t *group, const json_t *test)
{
    uint8_t out[SHA512_SIZE];
    hmac_sha512(vectors_hex(test, "key"), vectors_hex(test, "msg"), out);
    return view_eq(VIEW(out, (size_t)vectors_int(group, "tagSize") / 8), vectors_hex(test, "tag"));
}

static bool pbkdf2_accepts(const json_t *group, const json_t *test)
{
    (void)group;
    size_t size = (size_t)vectors_int(test, "dkLen");
    uint32_t rounds = (uint32_t)vectors_int(test, "iterationCount");
    uint8_t *out = vectors_room(size);
    return pbkdf2_sha256(vectors_hex(test, "password"), vectors_hex(test, "salt"), rounds, out, size) == OK &&
           view_eq(VIEW(out, size), vectors_hex(test, "dk"));
}

static bool ed25519_accepts(const json_t *group, const json_t *test)
{
    struct view key = vectors_hex(json_object_get(group, "publicKey"), "pk");
    assert_int_equal(key.len, ED25519_PUBLIC_SIZE);
    return ed25519_verify(key.ptr, vectors_hex(test, "msg"), vectors_hex(test, "sig")) == OK;
}

static bool bitcoin_accepts(const json_t *group, const json_t *test)
{
    struct view key = vectors_hex(json_object_get(group, "publicKey"), "uncompressed");
    return secp256k1_verify_der(key, vectors_hex(test, "msg"), vectors_hex(test, "sig")) == OK;
}

static bool p256_accepts(const json_t *group, const json_t *test)
{
    return p256_verify_sha256(vectors_hex(group, "publicKeyDer"), vectors_hex(test, "msg"), vectors_hex(test, "sig"),
                              false) == OK;
}

static bool p1363_accepts(const json_t *group, const json_t *test)
{
    return p256_verify_sha256(vectors_hex(group, "publicKeyDer"), vectors_hex(test, "msg"), vectors_hex(test, "sig"),
                              true) == OK;
}

static bool rsa_accepts(const json_t *group, const json_t *test)
{
    struct view pem = view_str(json_string_value(json_object_get(group, "publicKeyPem")));
    enum err e = rsa_verify_sha256(pem, vectors_hex(test, "msg"), vectors_hex(test, "sig"));
    assert_true(e == OK || e == ERR_BAD_SIGNATURE); /* never because the key was not understood */
    return e == OK;
}

#define SAME_POINT "point duplication during verification"

#define FILES(X)                                                                                                       \
    X(aes_gcm, gcm_accepts, gcm_in_scope, NULL)                                                                        \
    X(xchacha20_poly1305, xchacha_accepts, xchacha_in_scope, NULL)                                                     \
    X(hkdf_sha256, hkdf_accepts, NULL, NULL)                                                                           \
    X(hmac_sha256, hmac256_accepts, NULL, NULL)                                                                        \
    X(hmac_sha512, hmac512_accepts, NULL, NULL)                                                                        \
    X(pbkdf2_hmacsha256, pbkdf2_accepts, NULL, NULL)                                                                   \
    X(ed25519, ed25519_accepts, NULL, NULL)                                                                            \
    X(ecdsa_secp256k1_sha256_bitcoin, bitcoin_accepts, NULL, NULL)                                                     \
    X(ecdsa_secp256r1_sha256, p256_accepts, NULL, SAME_POINT)                                                          \
    X(ecdsa_secp256r1_sha256_p1363, p1363_accepts, NULL, SAME_POINT)                                                   \
    X(rsa_signature_2048_sha256, rsa_accepts, NULL, NULL)

#define TEST(name, verdict, scope, refused)                                                                            \
    static void run_##name(void **state)                                                                               \
    {                                                                                                                  \
        (void)state;                                                                                                   \
        vectors_run(&(struct vectors){#name "_test.json", verdict, scope, refused});                                   \
    }
FILES(TEST)

#define ENTRY(name, verdict, scope, refused) cmocka_unit_test(run_##name),

int main(void)
{
    if (crypto_init(NULL) != OK || crypto_pk_init() != OK)
        return 1;
    const struct CMUnitTest tests[] = {FILES(ENTRY)};
    return cmocka_run_group_tests_name("wycheproof", tests, NULL, NULL);
}
