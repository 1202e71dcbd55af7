/* Token keys: what the keeper signs must verify here and elsewhere, and nothing else may. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/text.h"
#include "crypto/token_key.h"

static struct view text = VIEW_STR("eyJhbGciOiJFUzI1NiJ9.e30");

static void make(enum token_alg alg, struct secret **key, struct token_public *pub)
{
    assert_int_equal(token_key_make(alg, random_system(), key, pub), OK);
    assert_int_equal(pub->alg, alg);
}

/* A user's token must verify with the published key, and with no other. */
static void signs_and_verifies(void **state)
{
    (void)state;
    for (unsigned alg = TOKEN_ES256; alg < TOKEN_ALG_COUNT; alg++) {
        AUTO(secret_free) struct secret *key = NULL;
        AUTO(secret_free) struct secret *other_key = NULL;
        struct token_public pub, other;
        AUTO_WRITER sig = writer_new(TOKEN_SIG_MAX);
        uint8_t bad[TOKEN_SIG_MAX];
        make(alg, &key, &pub);
        make(alg, &other_key, &other);
        for (unsigned i = 0; i < 20; i++) {
            writer_reset(&sig);
            assert_int_equal(token_key_sign(&pub, key, random_system(), text, &sig), OK);
            assert_int_equal(token_key_verify(&pub, text, writer_view_of(&sig)), OK);
        }
        assert_int_equal(token_key_verify(&other, text, writer_view_of(&sig)), ERR_BAD_SIGNATURE);
        assert_int_equal(token_key_verify(&pub, VIEW(text.ptr, text.len - 1), writer_view_of(&sig)), ERR_BAD_SIGNATURE);
        for (size_t i = 0; i < sig.len; i++) {
            memcpy(bad, sig.ptr, sig.len);
            bad[i] ^= 1;
            assert_int_equal(token_key_verify(&pub, text, VIEW(bad, sig.len)), ERR_BAD_SIGNATURE);
        }
        assert_int_equal(token_key_verify(&pub, text, VIEW(sig.ptr, sig.len - 1)), ERR_BAD_SIGNATURE);
        memset(bad, 0, sizeof bad);
        assert_int_equal(token_key_verify(&pub, text, VIEW(bad, sig.len)), ERR_BAD_SIGNATURE); /* r = s = 0 */
    }
}

static void hex_into(const char *hex, uint8_t *out, size_t n)
{
    assert_int_equal(hex_get(view_str(hex), out, n), OK);
}

/* RFC 8037 appendix A.3: others find our key by this name. */
static void names_keys_as_the_rfc_does(void **state)
{
    struct token_public pub = {.alg = TOKEN_EDDSA, .len = 32};
    char kid[TOKEN_KID_LEN + 1];

    (void)state;
    hex_into("d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a", pub.bytes, 32);
    assert_int_equal(token_key_id(&pub, kid), OK);
    assert_string_equal(kid, "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k");
}

/* RFC 7515 appendix A.3. */
static void verifies_the_rfc_example(void **state)
{
    static const struct view message = VIEW_STR(
        "eyJhbGciOiJFUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19y"
        "b290Ijp0cnVlfQ");
    struct token_public pub = {.alg = TOKEN_ES256, .len = 64};
    AUTO_WRITER x = writer_new(64);
    AUTO_WRITER sig = writer_new(64);

    (void)state;
    assert_int_equal(base64url_get(VIEW_STR("f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU"), &x), OK);
    assert_int_equal(base64url_get(VIEW_STR("x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"), &x), OK);
    memcpy(pub.bytes, x.ptr, 64);
    assert_int_equal(base64url_get(VIEW_STR("DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJ"
                                            "qPP3-Kg6NU1Q"),
                                   &sig),
                     OK);
    assert_int_equal(token_key_verify(&pub, message, writer_view_of(&sig)), OK);
    pub.bytes[63] ^= 1;
    assert_int_equal(token_key_verify(&pub, message, writer_view_of(&sig)), ERR_BAD_KEY); /* not on the curve */
}

/* A generator that repeats itself must not repeat the secret number of two messages: that would give the key away. */
static RESULT same(const struct random *r, void *out, size_t n)
{
    (void)r;
    memset(out, 7, n);
    return OK;
}

static void a_bad_generator_does_not_leak_the_key(void **state)
{
    static const struct random stuck = {.fill = same};
    AUTO(secret_free) struct secret *key = NULL;
    struct token_public pub;
    AUTO_WRITER a = writer_new(64);
    AUTO_WRITER b = writer_new(64);

    (void)state;
    make(TOKEN_ES256, &key, &pub);
    assert_int_equal(token_key_sign(&pub, key, &stuck, VIEW_STR("one"), &a), OK);
    assert_int_equal(token_key_sign(&pub, key, &stuck, VIEW_STR("two"), &b), OK);
    assert_memory_not_equal(a.ptr, b.ptr, 32); /* r */
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(signs_and_verifies),
        cmocka_unit_test(names_keys_as_the_rfc_does),
        cmocka_unit_test(verifies_the_rfc_example),
        cmocka_unit_test(a_bad_generator_does_not_leak_the_key),
    };
    bool locked;

    if (crypto_init(&locked) != OK)
        return 1;
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
