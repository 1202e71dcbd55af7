/* secp256k1, RSA and P-256: what bots' credentials sign with. Golden values are OpenSSL's, EIP-155's and those that
 * Bitcoin implementations share for RFC 6979. */
#include "base/text.h"
#include "crypto/ecdsa.h"
#include "crypto/hash.h"
#include "crypto/sign.h"
#include "keyfile.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static void from_hex(const char *hex, uint8_t *out, size_t n)
{
    assert_int_equal(hex_get(view_str(hex), out, n), OK);
}

static void refused_before_init(void **state)
{
    (void)state;
    const uint8_t key[32] = {[31] = 1}, digest[32] = {0};
    uint8_t sig[SECP256K1_SIG_SIZE] = {0}, address[20];
    assert_int_equal(secp256k1_sign_digest(key, digest, sig), ERR_CRYPTO);
    assert_int_equal(secp256k1_address(key, address), ERR_CRYPTO);
    assert_int_equal(secp256k1_recover(digest, sig, address), ERR_CRYPTO);
    assert_int_equal(secp256k1_verify_der(VIEW_OF(key), VIEW_OF(key), VIEW_OF(key)), ERR_CRYPTO);
    assert_int_equal(crypto_pk_init(), OK);
    assert_int_equal(crypto_pk_init(), OK); /* twice does no harm */
}

/* The worked example of EIP-155, signature and sender. */
static void secp256k1_ethereum(void **state)
{
    (void)state;
    uint8_t key[32], digest[32], sig[SECP256K1_SIG_SIZE], want[SECP256K1_SIG_SIZE], address[20], sender[20];
    memset(key, 0x46, sizeof(key));
    from_hex("daf5a779ae972f972197303d7b574746c7ef83eadac0f2791ad23db92e4c8e53", digest, sizeof(digest));
    from_hex("28ef61340bd939bc2195fe537567866003e1a15d3c71ff63e1590620aa636276"
             "67cbe9d8997f761aecb703304b3800ccf555c9f3dc64214b297fb1966a3b6d8300",
             want, sizeof(want));
    from_hex("9d8a62f656a8d1615c1294fd71e9cfb3e4855a4f", sender, sizeof(sender));
    assert_int_equal(secp256k1_sign_digest(key, digest, sig), OK);
    assert_memory_equal(sig, want, sizeof(want));
    assert_int_equal(secp256k1_address(key, address), OK);
    assert_memory_equal(address, sender, sizeof(sender));
    assert_int_equal(secp256k1_recover(digest, sig, address), OK);
    assert_memory_equal(address, sender, sizeof(sender));

    sig[64] = 1;
    assert_int_equal(secp256k1_recover(digest, sig, address), OK);
    assert_memory_not_equal(address, sender, sizeof(sender));
    for (unsigned v = 2; v < 256; v++) {
        sig[64] = (uint8_t)v;
        assert_int_equal(secp256k1_recover(digest, sig, address), ERR_BAD_SIGNATURE);
    }
}

static void secp256k1_rfc6979(void **state)
{
    (void)state;
    uint8_t key[32] = {[31] = 1}, digest[32], sig[SECP256K1_SIG_SIZE], want[64];
    sha256(VIEW_STR("Satoshi Nakamoto"), digest);
    from_hex("934b1ea10a4b3c1757e2b0c017d0b6143ce3c9a7e6a4a49860d7a6ab210ee3d8"
             "2442ce9d2b916064108014783e923ec36b49743e2ffa1c4496f01a512aafd9e5",
             want, sizeof(want));
    assert_int_equal(secp256k1_sign_digest(key, digest, sig), OK);
    assert_memory_equal(sig, want, sizeof(want));
}

static void secp256k1_bad_keys_and_high_s(void **state)
{
    (void)state;
    static const char *const keys[] = {"0000000000000000000000000000000000000000000000000000000000000000",
                                       "fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141",
                                       "ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff"};
    uint8_t key[32], digest[32] = {1}, sig[SECP256K1_SIG_SIZE], address[20];
    for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
        from_hex(keys[i], key, sizeof(key));
        assert_int_equal(secp256k1_sign_digest(key, digest, sig), ERR_BAD_KEY);
        assert_int_equal(secp256k1_address(key, address), ERR_BAD_KEY);
    }
    /* EIP-155's signature with n − s and the other recovery id: the same signer in a second spelling */
    from_hex("daf5a779ae972f972197303d7b574746c7ef83eadac0f2791ad23db92e4c8e53", digest, sizeof(digest));
    from_hex("28ef61340bd939bc2195fe537567866003e1a15d3c71ff63e1590620aa636276"
             "98341627668089e51348fccfb4c7ff31c55912f2d2e47ef09652acf665fad3be01",
             sig, sizeof(sig));
    assert_int_equal(secp256k1_recover(digest, sig, address), ERR_BAD_SIGNATURE);
}

/* Only the two forms of SEC 1 that are in use; x of no point; wrong lengths. */
static void secp256k1_public_key_forms(void **state)
{
    (void)state;
    static const char g[] = "79be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798"
                            "483ada7726a3c4655da4fbfc0e1108a8fd17b448a68554199c47d08ffb10d4b8";
    static const struct {
        uint8_t first;
        size_t len;
        enum err want;
    } forms[] = {{0x02, 33, OK},          {0x03, 33, ERR_BAD_SIGNATURE}, {0x04, 65, OK},
                 {0x06, 65, ERR_BAD_KEY}, {0x07, 65, ERR_BAD_KEY},       {0x05, 65, ERR_BAD_KEY},
                 {0x04, 64, ERR_BAD_KEY}, {0x02, 32, ERR_BAD_KEY},       {0x00, 1, ERR_BAD_KEY},
                 {0x02, 0, ERR_BAD_KEY}};
    const uint8_t key[32] = {[31] = 1}; /* its public key is the generator */
    const struct view message = VIEW_STR("Satoshi Nakamoto");
    uint8_t digest[32], sig[SECP256K1_SIG_SIZE], der[ECDSA_DER_MAX_SIZE], point[65];
    sha256(message, digest);
    assert_int_equal(secp256k1_sign_digest(key, digest, sig), OK);
    size_t der_len = ecdsa_to_der(sig, der);
    from_hex(g, point + 1, 64);
    for (size_t i = 0; i < ARRAY_LEN(forms); i++) {
        point[0] = forms[i].first;
        assert_int_equal(secp256k1_verify_der(VIEW(point, forms[i].len), message, VIEW(der, der_len)), forms[i].want);
    }
    memset(point + 1, 0xff, 32);
    point[0] = 0x02;
    assert_int_equal(secp256k1_verify_der(VIEW(point, 33), message, VIEW(der, der_len)), ERR_BAD_KEY);
}

static void ecdsa_der_round_trip(void **state)
{
    (void)state;
    static const struct {
        const char *scalar, *der;
    } cases[] = {
        {"0000000000000000000000000000000000000000000000000000000000000000", "020100"},
        {"000000000000000000000000000000000000000000000000000000000000007f", "02017f"},
        {"0000000000000000000000000000000000000000000000000000000000000080", "02020080"},
        {"0000000000000000000000000000000000000000000000000000000000800000", "020400800000"},
        {"ff00000000000000000000000000000000000000000000000000000000000001",
         "022100ff00000000000000000000000000000000000000000000000000000000000001"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        uint8_t raw[ECDSA_RAW_SIZE], back[ECDSA_RAW_SIZE], der[ECDSA_DER_MAX_SIZE], want[35];
        size_t n = strlen(cases[i].der) / 2;
        from_hex(cases[i].scalar, raw, 32);
        from_hex(cases[i].scalar, raw + 32, 32);
        from_hex(cases[i].der, want, n);
        assert_int_equal(ecdsa_to_der(raw, der), 2 + 2 * n);
        assert_memory_equal(der + 2, want, n);
        assert_memory_equal(der + 2 + n, want, n);
        assert_int_equal(ecdsa_from_der(VIEW(der, 2 + 2 * n), back), OK);
        assert_memory_equal(raw, back, sizeof(raw));
    }
}

/* Each is another spelling of r = s = 1, or no spelling at all. */
static void ecdsa_der_is_strict(void **state)
{
    (void)state;
    static const struct {
        struct view der;
        enum err want;
    } cases[] = {
        {VIEW_STR("\x30\x06\x02\x01\x01\x02\x01\x01"), OK},
        {VIEW_STR("\x30\x07\x02\x02\x00\x01\x02\x01\x01"), ERR_BAD_SIGNATURE},     /* zero in front of r */
        {VIEW_STR("\x30\x07\x02\x01\x01\x02\x02\x00\x01"), ERR_BAD_SIGNATURE},     /* of s */
        {VIEW_STR("\x30\x06\x02\x01\x81\x02\x01\x01"), ERR_BAD_SIGNATURE},         /* negative */
        {VIEW_STR("\x30\x81\x06\x02\x01\x01\x02\x01\x01"), ERR_BAD_SIGNATURE},     /* long length */
        {VIEW_STR("\x30\x80\x02\x01\x01\x02\x01\x01\x00\x00"), ERR_BAD_SIGNATURE}, /* indefinite length */
        {VIEW_STR("\x30\x06\x02\x01\x01\x02\x01\x01\x00"), ERR_BAD_SIGNATURE},     /* bytes behind */
        {VIEW_STR("\x30\x07\x02\x01\x01\x02\x01\x01\x00"), ERR_BAD_SIGNATURE},     /* bytes inside */
        {VIEW_STR("\x30\x05\x02\x00\x02\x01\x01"), ERR_BAD_SIGNATURE},             /* no r */
        {VIEW_STR("\x31\x06\x02\x01\x01\x02\x01\x01"), ERR_BAD_SIGNATURE},         /* no sequence */
        {VIEW_STR("\x30\x06\x03\x01\x01\x02\x01\x01"), ERR_BAD_SIGNATURE},         /* no integer */
        {{NULL, 0}, ERR_BAD_SIGNATURE},
    };
    uint8_t raw[ECDSA_RAW_SIZE];
    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        assert_int_equal(ecdsa_from_der(cases[i].der, raw), cases[i].want);
}

static void p256_keys_and_forms(void **state)
{
    (void)state;
    static const char *const other[] = {"p384-public.der", "rsa2048-public.der", "p256.pem"};
    struct keyfile key = keyfile_read("p256-public.der"), sig = keyfile_read("p256-signature.bin");
    assert_int_equal(p256_verify_sha256(KEYFILE(key), keyfile_message, KEYFILE(sig), false), OK);
    assert_int_equal(p256_verify_sha256(KEYFILE(key), VIEW_STR("other"), KEYFILE(sig), false), ERR_BAD_SIGNATURE);
    for (size_t i = 0; i < ARRAY_LEN(other); i++) {
        struct keyfile k = keyfile_read(other[i]);
        assert_int_equal(p256_verify_sha256(KEYFILE(k), keyfile_message, KEYFILE(sig), false), ERR_BAD_KEY);
    }
    uint8_t raw[ECDSA_RAW_SIZE + 1] = {0};
    assert_int_equal(ecdsa_from_der(KEYFILE(sig), raw), OK);
    for (size_t n = 0; n <= sizeof(raw); n++)
        assert_int_equal(p256_verify_sha256(KEYFILE(key), keyfile_message, VIEW(raw, n), true),
                         n == ECDSA_RAW_SIZE ? OK : ERR_BAD_SIGNATURE);
    assert_int_equal(p256_verify_sha256(KEYFILE(key), keyfile_message, KEYFILE(sig), true), ERR_BAD_SIGNATURE);
}

static void rsa_signs_as_openssl_does(void **state)
{
    (void)state;
    static const char *const good[] = {"rsa2048.pem", "rsa2048-pkcs1.pem"};
    struct keyfile want = keyfile_read("rsa2048-signature.bin"), public_key = keyfile_read("rsa2048-public.pem");
    for (size_t i = 0; i < ARRAY_LEN(good); i++) {
        struct keyfile pem = keyfile_read(good[i]);
        AUTO(rsa_free) struct rsa_key *k = NULL;
        AUTO_WRITER w = writer_new(1024);
        assert_int_equal(rsa_from_pem(KEYFILE(pem), &k), OK);
        assert_int_equal(rsa_sign_sha256(k, keyfile_message, &w), OK);
        assert_true(view_eq(writer_view_of(&w), KEYFILE(want)));
        assert_int_equal(rsa_verify_sha256(KEYFILE(public_key), keyfile_message, writer_view_of(&w)), OK);
        assert_int_equal(rsa_verify_sha256(KEYFILE(public_key), VIEW_STR("other"), writer_view_of(&w)),
                         ERR_BAD_SIGNATURE);
        assert_int_equal(rsa_verify_sha256(KEYFILE(public_key), keyfile_message, VIEW(w.ptr, w.len - 1)),
                         ERR_BAD_SIGNATURE);
        uint8_t small[100];
        struct writer full = writer_fixed(small, sizeof(small));
        assert_int_equal(rsa_sign_sha256(k, keyfile_message, &full), ERR_TOO_LONG);
    }
}

static void rsa_refuses_other_keys(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "rsa1024.pem",       "rsapss2048.pem",        "p256.pem",           "ed25519.pem",
        "x25519.pem",        "rsa2048-encrypted.pem", "rsa2048-broken.pem", "rsa2048-bad-exponent.pem",
        "rsa2048-public.pem"};
    static const char *const bad_public[] = {"rsa1024-public.pem", "ed25519-public.pem", "rsa2048.pem"};
    struct rsa_key *none = NULL;
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        struct keyfile pem = keyfile_read(bad[i]);
        assert_int_equal(rsa_from_pem(KEYFILE(pem), &none), ERR_BAD_KEY);
    }
    struct keyfile sig = keyfile_read("rsa2048-signature.bin");
    for (size_t i = 0; i < ARRAY_LEN(bad_public); i++) {
        struct keyfile pem = keyfile_read(bad_public[i]);
        assert_int_equal(rsa_verify_sha256(KEYFILE(pem), keyfile_message, KEYFILE(sig)), ERR_BAD_KEY);
    }
    struct keyfile pem = keyfile_read("rsa2048.pem");
    for (size_t n = 0; n + 30 < pem.len; n += 7)
        assert_int_equal(rsa_from_pem(VIEW(pem.bytes, n), &none), ERR_BAD_KEY);
    assert_int_equal(rsa_from_pem(VIEW(NULL, 0), &none), ERR_BAD_KEY);
    assert_null(none);
    rsa_free(NULL);
}

int main(void)
{
    if (crypto_init(NULL) != OK)
        return 1;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(refused_before_init), /* first: it also does the init */
        cmocka_unit_test(secp256k1_ethereum),
        cmocka_unit_test(secp256k1_rfc6979),
        cmocka_unit_test(secp256k1_bad_keys_and_high_s),
        cmocka_unit_test(secp256k1_public_key_forms),
        cmocka_unit_test(ecdsa_der_round_trip),
        cmocka_unit_test(ecdsa_der_is_strict),
        cmocka_unit_test(p256_keys_and_forms),
        cmocka_unit_test(rsa_signs_as_openssl_does),
        cmocka_unit_test(rsa_refuses_other_keys),
    };
    return cmocka_run_group_tests_name("pk", tests, NULL, NULL);
}
