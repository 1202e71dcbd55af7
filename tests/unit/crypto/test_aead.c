/* XAES-256-GCM against the values of its specification (C2SP), and what aead.h promises beyond the algorithms. */
#include "base/text.h"
#include "crypto/aead.h"
#include "crypto/secmem.h"

#include <nettle/sha3.h>
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

/* SHAKE-128 (FIPS 202) on nettle's permutation. */
#define SHAKE128_RATE 168

struct shake {
    struct sha3_state state;
    size_t at;
    bool squeezing;
};

static void shake_xor(struct shake *s, size_t at, uint8_t byte)
{
    s->state.a[at / 8] ^= (uint64_t)byte << (8 * (at % 8));
}

static void shake_write(struct shake *s, const uint8_t *p, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        shake_xor(s, s->at++, p[i]);
        if (s->at == SHAKE128_RATE) {
            sha3_permute(&s->state);
            s->at = 0;
        }
    }
}

static void shake_read(struct shake *s, uint8_t *out, size_t n)
{
    if (!s->squeezing) {
        shake_xor(s, s->at, 0x1f);
        shake_xor(s, SHAKE128_RATE - 1, 0x80);
        s->squeezing = true;
        s->at = SHAKE128_RATE;
    }
    for (size_t i = 0; i < n; i++) {
        if (s->at == SHAKE128_RATE) {
            sha3_permute(&s->state);
            s->at = 0;
        }
        out[i] = (uint8_t)(s->state.a[s->at / 8] >> (8 * (s->at % 8)));
        s->at++;
    }
}

static void expect_hex(const uint8_t *got, size_t n, const char *hex)
{
    uint8_t want[64];
    assert_true(n <= sizeof(want));
    assert_int_equal(hex_get(view_str(hex), want, n), OK);
    assert_memory_equal(got, want, n);
}

static void xaes_published(void **state)
{
    (void)state;
    static const struct {
        uint8_t key_byte;
        struct view aad;
        const char *sealed;
    } cases[] = {
        {0x01, {NULL, 0}, "ce546ef63c9cc60765923609b33a9a1974e96e52daf2fcf7075e2271"},
        {0x03, VIEW_STR("c2sp.org/XAES-256-GCM"), "986ec1832593df5443a179437fd083bf3fdb41abd740a21f71eb769d"},
    };
    const uint8_t *nonce = (const uint8_t *)"ABCDEFGHIJKLMNOPQRSTUVWX";
    const struct view text = VIEW_STR("XAES-256-GCM");
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        uint8_t key[AEAD_KEY_SIZE], sealed[12 + AEAD_TAG_SIZE], opened[12];
        memset(key, cases[i].key_byte, sizeof(key));
        assert_int_equal(aead_seal(AEAD_XAES_256_GCM, key, nonce, cases[i].aad, text, sealed), OK);
        expect_hex(sealed, sizeof(sealed), cases[i].sealed);
        assert_int_equal(aead_open(AEAD_XAES_256_GCM, key, nonce, cases[i].aad, VIEW_OF(sealed), opened), OK);
        assert_true(view_eq(VIEW_OF(opened), text));
    }
}

static void xaes_accumulated(void **state)
{
    (void)state;
    struct shake source = {0}, result = {0};
    uint8_t key[AEAD_KEY_SIZE], nonce[AEAD_NONCE_SIZE], text_len = 0, aad_len = 0, text[255], aad[255], opened[255];
    uint8_t sealed[255 + AEAD_TAG_SIZE];
    for (int i = 0; i < 10000; i++) {
        shake_read(&source, key, sizeof(key));
        shake_read(&source, nonce, sizeof(nonce));
        shake_read(&source, &text_len, 1);
        shake_read(&source, text, text_len);
        shake_read(&source, &aad_len, 1);
        shake_read(&source, aad, aad_len);
        assert_int_equal(aead_seal(AEAD_XAES_256_GCM, key, nonce, VIEW(aad, aad_len), VIEW(text, text_len), sealed),
                         OK);
        shake_write(&result, sealed, (size_t)text_len + AEAD_TAG_SIZE);
        assert_int_equal(aead_open(AEAD_XAES_256_GCM, key, nonce, VIEW(aad, aad_len),
                                   VIEW(sealed, (size_t)text_len + AEAD_TAG_SIZE), opened),
                         OK);
        assert_memory_equal(opened, text, text_len);
    }
    uint8_t digest[32];
    shake_read(&result, digest, sizeof(digest));
    expect_hex(digest, sizeof(digest), "e6b9edf2df6cec60c8cbd864e2211b597fb69a529160cd040d56c0c210081939");
}

/* Each bit of nonce, additional data and sealed bytes; nothing of the plain text may be left in the output. */
static void flipped_bits_are_refused(void **state)
{
    (void)state;
    static const enum aead_alg algs[] = {AEAD_XAES_256_GCM, AEAD_XCHACHA20_POLY1305};
    const uint8_t key[AEAD_KEY_SIZE] = {7}, zeros[9] = {0};
    for (size_t a = 0; a < ARRAY_LEN(algs); a++) {
        struct {
            uint8_t nonce[AEAD_NONCE_SIZE], aad[5], sealed[9 + AEAD_TAG_SIZE];
        } v = {{1, 2, 3}, "rows", {0}};
        uint8_t opened[9];
        assert_int_equal(aead_seal(algs[a], key, v.nonce, VIEW_OF(v.aad), VIEW_STR("plaintext"), v.sealed), OK);
        for (size_t bit = 0; bit < 8 * sizeof(v); bit++) {
            uint8_t *byte = (uint8_t *)&v + bit / 8;
            memset(opened, 0xee, sizeof(opened));
            *byte ^= (uint8_t)(1 << bit % 8);
            assert_int_equal(aead_open(algs[a], key, v.nonce, VIEW_OF(v.aad), VIEW_OF(v.sealed), opened), ERR_TAMPERED);
            assert_memory_equal(opened, zeros, sizeof(zeros));
            *byte ^= (uint8_t)(1 << bit % 8);
        }
        for (size_t n = 0; n < sizeof(v.sealed); n++)
            assert_int_equal(aead_open(algs[a], key, v.nonce, VIEW_OF(v.aad), VIEW(v.sealed, n), opened), ERR_TAMPERED);
        assert_int_equal(aead_open(algs[a], key, v.nonce, VIEW_OF(v.aad), VIEW_OF(v.sealed), opened), OK);
        assert_int_equal(aead_open((enum aead_alg)(a ? AEAD_XAES_256_GCM : AEAD_XCHACHA20_POLY1305), key, v.nonce,
                                   VIEW_OF(v.aad), VIEW_OF(v.sealed), opened),
                         ERR_TAMPERED);
    }
}

static void unknown_algorithms_and_nonces(void **state)
{
    (void)state;
    const uint8_t key[AEAD_KEY_SIZE] = {0}, nonce[AEAD_NONCE_SIZE] = {0};
    const struct view none = {NULL, 0};
    uint8_t out[AEAD_TAG_SIZE];
    for (unsigned alg = 0; alg < 300; alg++) {
        if (alg == AEAD_XAES_256_GCM || alg == AEAD_XCHACHA20_POLY1305)
            continue;
        assert_int_equal(aead_seal((enum aead_alg)alg, key, nonce, none, none, out), ERR_BAD_VALUE);
        assert_int_equal(aead_open((enum aead_alg)alg, key, nonce, none, VIEW_OF(out), out), ERR_TAMPERED);
    }
    for (size_t n = 0; n < sizeof(nonce); n++)
        assert_int_equal(aes256_gcm_seal(key, VIEW(nonce, n), none, none, out), n == 12 ? OK : ERR_BAD_VALUE);
}

int main(void)
{
    if (crypto_init(NULL) != OK)
        return 1;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(xaes_published),
        cmocka_unit_test(xaes_accumulated),
        cmocka_unit_test(flipped_bits_are_refused),
        cmocka_unit_test(unknown_algorithms_and_nonces),
    };
    return cmocka_run_group_tests_name("aead", tests, NULL, NULL);
}
