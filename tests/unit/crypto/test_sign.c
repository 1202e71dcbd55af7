/* Ed25519 and sealed boxes: what the keeper signs and opens with. */
#include "base/text.h"
#include "crypto/sign.h"
#include "keyfile.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static void from_hex(const char *hex, uint8_t *out, size_t n)
{
    assert_int_equal(hex_get(view_str(hex), out, n), OK);
}

/* RFC 8032 §7.1, tests 1 and 2 */
static void ed25519_published(void **state)
{
    (void)state;
    static const struct {
        const char *seed, *public_key, *signature;
        struct view message;
    } cases[] = {
        {"9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
         "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
         "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46b"
         "d25bf5f0595bbe24655141438e7a100b",
         {NULL, 0}},
        {"4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
         "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
         "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c"
         "387b2eaeb4302aeeb00d291612bb0c00",
         VIEW_STR("\x72")},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        uint8_t seed[32], want_public[32], want[64], public_key[32], signature[64];
        from_hex(cases[i].seed, seed, sizeof(seed));
        from_hex(cases[i].public_key, want_public, sizeof(want_public));
        from_hex(cases[i].signature, want, sizeof(want));
        assert_int_equal(ed25519_public(seed, public_key), OK);
        assert_memory_equal(public_key, want_public, sizeof(want_public));
        assert_int_equal(ed25519_sign(seed, cases[i].message, signature), OK);
        assert_memory_equal(signature, want, sizeof(want));
        assert_int_equal(ed25519_verify(public_key, cases[i].message, VIEW_OF(signature)), OK);
        assert_int_equal(ed25519_verify(public_key, cases[i].message, VIEW(signature, 63)), ERR_BAD_SIGNATURE);
        assert_int_equal(ed25519_verify(public_key, VIEW_STR("other"), VIEW_OF(signature)), ERR_BAD_SIGNATURE);
    }
}

/* Under a key of small order the all-zero scalar signs anything: such keys must verify nothing. */
static void ed25519_small_order_keys(void **state)
{
    (void)state;
    static const char *const points[] = {
        "0100000000000000000000000000000000000000000000000000000000000000",
        "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "0000000000000000000000000000000000000000000000000000000000000000",
        "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
        "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
        "0100000000000000000000000000000000000000000000000000000000000080", /* not canonical */
        "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f", /* not canonical */
    };
    for (size_t i = 0; i < ARRAY_LEN(points); i++) {
        uint8_t key[32], signature[64] = {1};
        from_hex(points[i], key, sizeof(key));
        assert_int_equal(ed25519_verify(key, VIEW_STR("x"), VIEW_OF(signature)), ERR_BAD_SIGNATURE);
        memcpy(signature, key, sizeof(key));
        assert_int_equal(ed25519_verify(key, VIEW_STR("x"), VIEW_OF(signature)), ERR_BAD_SIGNATURE);
    }
}

static void ed25519_pem(void **state)
{
    (void)state;
    static const char *const good[] = {"ed25519.pem", "ed25519-with-public.pem", "ed25519-ring.pem"};
    static const char *const bad[] = {
        "x25519.pem",        "p256.pem", "rsa2048.pem", "ed25519-wrong-public.pem", "rsa2048-encrypted.pem",
        "ed25519-public.pem"};
    struct keyfile want = keyfile_read("ed25519-signature.bin");
    for (size_t i = 0; i < ARRAY_LEN(good); i++) {
        struct keyfile pem = keyfile_read(good[i]);
        AUTO(secret_free) struct secret *seed = NULL;
        uint8_t signature[ED25519_SIG_SIZE];
        assert_int_equal(ed25519_from_pem(KEYFILE(pem), &seed), OK);
        assert_int_equal(secret_len(seed), ED25519_SEED_SIZE);
        assert_int_equal(ed25519_sign(secret_ptr(seed), keyfile_message, signature), OK);
        assert_true(view_eq(VIEW_OF(signature), KEYFILE(want)));
    }
    struct secret *none = NULL;
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        struct keyfile pem = keyfile_read(bad[i]);
        assert_int_equal(ed25519_from_pem(KEYFILE(pem), &none), ERR_BAD_KEY);
    }
    /* cut anywhere; CRLF and missing final newline are what people paste */
    struct keyfile pem = keyfile_read("ed25519.pem");
    for (size_t n = 0; n + 1 < pem.len; n++)
        assert_int_equal(ed25519_from_pem(VIEW(pem.bytes, n), &none), ERR_BAD_KEY);
    /* bytes behind the key: OpenSSL's text of 48 bytes has no padding, so a further group can follow */
    struct keyfile longer = pem;
    static const char tail[] = "AAAA\n-----END PRIVATE KEY-----\n";
    memcpy(longer.bytes + longer.len - sizeof(tail) + 1 + 5, tail, sizeof(tail) - 1);
    longer.len += 5;
    assert_int_equal(ed25519_from_pem(KEYFILE(longer), &none), ERR_BAD_KEY);
    assert_null(none);
    AUTO(secret_free) struct secret *bare = NULL, *crlf = NULL;
    assert_int_equal(ed25519_from_pem(VIEW(pem.bytes, pem.len - 1), &bare), OK);
    struct keyfile windows = {.len = 0};
    for (size_t i = 0; i < pem.len; i++) {
        if (pem.bytes[i] == '\n')
            windows.bytes[windows.len++] = '\r';
        windows.bytes[windows.len++] = pem.bytes[i];
    }
    assert_int_equal(ed25519_from_pem(KEYFILE(windows), &crlf), OK);
    assert_true(ct_eq_view(secret_view(bare), secret_view(crlf)));
}

static void boxes(void **state)
{
    (void)state;
    const uint8_t seed[32] = {1}, other_seed[32] = {2}, zero_key[BOX_PUBLIC_SIZE] = {0};
    uint8_t public_key[32], private_key[32], other_public[32], other_private[32], box[64 + BOX_OVERHEAD];
    assert_int_equal(box_keypair(seed, public_key, private_key), OK);
    assert_int_equal(box_keypair(other_seed, other_public, other_private), OK);
    const struct view text = VIEW_STR("api key and secret");
    struct writer w = writer_fixed(box, sizeof(box));
    assert_int_equal(box_seal(public_key, text, &w), OK);
    assert_int_equal(w.len, text.len + BOX_OVERHEAD);

    AUTO(secret_free) struct secret *opened = NULL;
    assert_int_equal(box_open(public_key, private_key, writer_view_of(&w), &opened), OK);
    assert_true(view_eq(secret_view(opened), text));
    struct secret *none = NULL;
    assert_int_equal(box_open(other_public, other_private, writer_view_of(&w), &none), ERR_TAMPERED);
    for (size_t i = 0; i < w.len; i++) {
        box[i] ^= 1;
        assert_int_equal(box_open(public_key, private_key, writer_view_of(&w), &none), ERR_TAMPERED);
        box[i] ^= 1;
        assert_int_equal(box_open(public_key, private_key, VIEW(box, i), &none), ERR_TAMPERED);
    }
    writer_reset(&w);
    assert_int_equal(box_seal(public_key, VIEW(NULL, 0), &w), OK);
    assert_int_equal(box_open(public_key, private_key, writer_view_of(&w), &none), ERR_TAMPERED);
    assert_int_equal(box_seal(zero_key, text, &w), ERR_BAD_KEY);
    assert_null(none);
}

int main(void)
{
    if (crypto_init(NULL) != OK)
        return 1;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ed25519_published),
        cmocka_unit_test(ed25519_small_order_keys),
        cmocka_unit_test(ed25519_pem),
        cmocka_unit_test(boxes),
    };
    return cmocka_run_group_tests_name("sign", tests, NULL, NULL);
}
