/* What would break for the user: a value that opens in the wrong place, a rotated key that loses old values, a ring
 * that takes damaged bytes. */
#include "counted.h"
#include "crypto/keyring.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static const struct view context = VIEW_STR("secret/7/exchange/3");
static const struct view text = VIEW_STR("the exchange's secret");

static struct keyring *ring(enum key_class class, struct counted *c, unsigned epochs)
{
    struct keyring *k = NULL;
    assert_int_equal(keyring_new(class, &k), OK);
    for (unsigned i = 0; i < epochs; i++)
        assert_int_equal(keyring_rotate(k, 1000 + i, COUNTED(c)), OK);
    return k;
}

static size_t seal(const struct keyring *k, enum aead_alg alg, struct counted *c, uint8_t *out, size_t cap)
{
    struct writer w = writer_fixed(out, cap);
    assert_int_equal(keyring_seal(k, alg, PURPOSE_SECRET, context, text, COUNTED(c), &w), OK);
    assert_int_equal(w.len, text.len + SEALED_OVERHEAD);
    return w.len;
}

static enum err open_as(const struct keyring *k, enum key_purpose purpose, struct view where, struct view sealed)
{
    uint8_t out[256] = "before";
    struct writer w = writer_fixed(out, sizeof(out));
    w.len = 6;
    enum err e = keyring_open(k, purpose, where, sealed, &w);
    assert_memory_equal(out, "before", 6);
    assert_int_equal(w.len, e == OK ? 6 + text.len : 6);
    if (e == OK)
        assert_memory_equal(out + 6, text.ptr, text.len);
    for (size_t i = w.len; i < sizeof(out); i++)
        assert_int_equal(out[i], 0); /* no plain text is left behind a refusal */
    return e;
}

static enum err open_it(const struct keyring *k, struct view sealed)
{
    return open_as(k, PURPOSE_SECRET, context, sealed);
}

static void opens_only_where_it_belongs(void **state)
{
    (void)state;
    static const enum aead_alg algs[] = {AEAD_XAES_256_GCM, AEAD_XCHACHA20_POLY1305};
    for (size_t a = 0; a < ARRAY_LEN(algs); a++) {
        struct counted c = {0};
        struct keyring *k = ring(KEY_CLASS_SECRET, &c, 2), *other = ring(KEY_CLASS_SECRET, &c, 2);
        uint8_t sealed[128];
        struct view v = VIEW(sealed, seal(k, algs[a], &c, sealed, sizeof(sealed)));
        assert_int_equal(open_it(k, v), OK);
        assert_int_equal(open_it(other, v), ERR_TAMPERED);
        for (unsigned p = 0; p < 300; p++)
            assert_int_equal(open_as(k, (enum key_purpose)p, context, v), p == PURPOSE_SECRET ? OK : ERR_TAMPERED);
        assert_int_equal(open_as(k, PURPOSE_SECRET, VIEW(context.ptr, context.len - 1), v), ERR_TAMPERED);
        assert_int_equal(open_as(k, PURPOSE_SECRET, VIEW_STR("secret/7/exchange/4"), v), ERR_TAMPERED);
        assert_int_equal(open_as(k, PURPOSE_SECRET, VIEW(NULL, 0), v), ERR_TAMPERED);
        keyring_free(k);
        keyring_free(other);
    }
}

static void every_flipped_bit_is_refused(void **state)
{
    (void)state;
    static const enum aead_alg algs[] = {AEAD_XAES_256_GCM, AEAD_XCHACHA20_POLY1305};
    for (size_t a = 0; a < ARRAY_LEN(algs); a++) {
        struct counted c = {0};
        struct keyring *k = ring(KEY_CLASS_SECRET, &c, 3);
        uint8_t sealed[128];
        size_t n = seal(k, algs[a], &c, sealed, sizeof(sealed));
        for (size_t bit = 0; bit < 8 * n; bit++) {
            sealed[bit / 8] ^= (uint8_t)(1 << bit % 8);
            assert_int_equal(open_it(k, VIEW(sealed, n)), ERR_TAMPERED);
            sealed[bit / 8] ^= (uint8_t)(1 << bit % 8);
        }
        for (size_t cut = 0; cut < n; cut++)
            assert_int_equal(open_it(k, VIEW(sealed, cut)), ERR_TAMPERED);
        sealed[n] = 0;
        assert_int_equal(open_it(k, VIEW(sealed, n + 1)), ERR_TAMPERED);
        assert_int_equal(open_it(k, VIEW(sealed, n)), OK);
        keyring_free(k);
    }
}

/* Two rings with the very same keys, one of each class: the class is part of the subkey, not only of the header. */
static void classes_do_not_mix(void **state)
{
    (void)state;
    struct counted c = {0};
    struct keyring *k = ring(KEY_CLASS_SECRET, &c, 1), *state_ring = NULL;
    uint8_t bytes[128], sealed[128], a[32], b[32];
    struct writer w = writer_fixed(bytes, sizeof(bytes));
    assert_int_equal(keyring_export(k, &w), OK);
    bytes[1] = KEY_CLASS_STATE;
    assert_int_equal(keyring_import(writer_view_of(&w), &state_ring), OK);
    size_t n = seal(k, AEAD_XAES_256_GCM, &c, sealed, sizeof(sealed));
    assert_int_equal(open_it(state_ring, VIEW(sealed, n)), ERR_TAMPERED);
    sealed[1] = KEY_CLASS_STATE;
    assert_int_equal(open_it(state_ring, VIEW(sealed, n)), ERR_TAMPERED);
    assert_int_equal(keyring_subkey(k, 1, PURPOSE_ROW, a), OK);
    assert_int_equal(keyring_subkey(state_ring, 1, PURPOSE_ROW, b), OK);
    assert_memory_not_equal(a, b, sizeof(a));
    keyring_free(k);
    keyring_free(state_ring);
}

static void rotation_opens_old_epochs(void **state)
{
    (void)state;
    struct counted c = {0};
    struct keyring *k = ring(KEY_CLASS_SECRET, &c, 1);
    uint8_t sealed[3][128];
    size_t n = 0;
    for (uint32_t i = 0; i < 3; i++) {
        uint32_t epoch = 0;
        n = seal(k, AEAD_XAES_256_GCM, &c, sealed[i], sizeof(sealed[i]));
        assert_int_equal(sealed_epoch(VIEW(sealed[i], n), &epoch), OK);
        assert_int_equal(epoch, i + 1);
        assert_int_equal(keyring_epoch(k), i + 1);
        assert_int_equal(keyring_rotate(k, 5000 + i, COUNTED(&c)), OK);
    }
    for (int i = 0; i < 3; i++)
        assert_int_equal(open_it(k, VIEW(sealed[i], n)), OK);

    uint64_t created = 0;
    assert_int_equal(keyring_created(k, 2, &created), OK);
    assert_int_equal(created, 5000);
    assert_int_equal(keyring_retire(k, 2), OK);
    assert_int_equal(keyring_retire(k, 2), ERR_NOT_FOUND);
    assert_int_equal(keyring_created(k, 2, &created), ERR_NOT_FOUND);
    assert_int_equal(keyring_retire(k, 4), ERR_OUT_OF_RANGE); /* the newest */
    assert_int_equal(open_it(k, VIEW(sealed[0], n)), OK);
    assert_int_equal(open_it(k, VIEW(sealed[1], n)), ERR_TAMPERED);
    assert_int_equal(open_it(k, VIEW(sealed[2], n)), OK);
    assert_int_equal(keyring_retire(k, 1), OK);
    keyring_free(k);

    struct keyring *rows = ring(KEY_CLASS_STATE, &c, 2);
    assert_int_equal(keyring_retire(rows, 1), ERR_OUT_OF_RANGE); /* blind and set keys hang on it */
    keyring_free(rows);
}

static void subkeys_differ_and_stay(void **state)
{
    (void)state;
    struct counted c = {0};
    struct keyring *k = ring(KEY_CLASS_STATE, &c, 2);
    uint8_t keys[2 * (PURPOSE_COUNT - 1)][32], again[32];
    size_t n = 0;
    for (uint32_t epoch = 1; epoch <= 2; epoch++)
        for (unsigned p = PURPOSE_ROW; p < PURPOSE_COUNT; p++)
            assert_int_equal(keyring_subkey(k, epoch, (enum key_purpose)p, keys[n++]), OK);
    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j < i; j++)
            assert_memory_not_equal(keys[i], keys[j], 32);
    assert_int_equal(keyring_rotate(k, 0, COUNTED(&c)), OK);
    assert_int_equal(keyring_subkey(k, 1, PURPOSE_ROW, again), OK);
    assert_memory_equal(again, keys[0], 32);
    assert_int_equal(keyring_subkey(k, 4, PURPOSE_ROW, again), ERR_NOT_FOUND);
    assert_int_equal(keyring_subkey(k, 0, PURPOSE_ROW, again), ERR_NOT_FOUND);
    assert_int_equal(keyring_subkey(k, 1, (enum key_purpose)0, again), ERR_BAD_VALUE);
    assert_int_equal(keyring_subkey(k, 1, PURPOSE_COUNT, again), ERR_BAD_VALUE);
    keyring_free(k);
}

static void export_and_import(void **state)
{
    (void)state;
    struct counted c = {0};
    struct keyring *k = ring(KEY_CLASS_SECRET, &c, 4), *back = NULL;
    uint8_t sealed[128], bytes[512], twice[512];
    size_t n = seal(k, AEAD_XAES_256_GCM, &c, sealed, sizeof(sealed));
    assert_int_equal(keyring_retire(k, 2), OK);
    struct writer w = writer_fixed(bytes, sizeof(bytes)), w2 = writer_fixed(twice, sizeof(twice));
    assert_int_equal(keyring_export(k, &w), OK);
    keyring_free(k);
    assert_int_equal(keyring_import(writer_view_of(&w), &back), OK);
    assert_int_equal(keyring_class(back), KEY_CLASS_SECRET);
    assert_int_equal(keyring_epoch(back), 4);
    assert_int_equal(open_it(back, VIEW(sealed, n)), OK);
    assert_int_equal(keyring_export(back, &w2), OK);
    assert_true(view_eq(writer_view_of(&w), writer_view_of(&w2)));
    keyring_free(back);

    for (size_t cut = 0; cut < w.len; cut++) {
        back = NULL;
        assert_int_equal(keyring_import(VIEW(bytes, cut), &back), ERR_TRUNCATED);
        assert_null(back);
    }
    bytes[w.len] = 0;
    assert_int_equal(keyring_import(VIEW(bytes, w.len + 1), &back), ERR_MALFORMED);
    static const struct {
        size_t at;
        uint8_t byte;
        enum err want;
    } bad[] = {{0, 0, ERR_MALFORMED}, {0, 2, ERR_TOO_NEW},   {1, 0, ERR_MALFORMED},
               {1, 5, ERR_MALFORMED}, {2, 2, ERR_MALFORMED}, {2, 65, ERR_MALFORMED},
               {6, 3, ERR_MALFORMED}, {6, 0, ERR_MALFORMED}, {2, 4, ERR_TRUNCATED}};
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        uint8_t was = bytes[bad[i].at];
        bytes[bad[i].at] = bad[i].byte;
        assert_int_equal(keyring_import(VIEW(bytes, w.len), &back), bad[i].want);
        bytes[bad[i].at] = was;
    }
}

static void limits_and_failures(void **state)
{
    (void)state;
    struct counted c = {0};
    struct keyring *k = NULL;
    assert_int_equal(keyring_new((enum key_class)0, &k), ERR_BAD_VALUE);
    assert_int_equal(keyring_new(KEY_CLASS_COUNT, &k), ERR_BAD_VALUE);
    k = ring(KEY_CLASS_KEEPER, &c, 0);
    uint8_t out[KEYRING_MAX_CONTEXT + 64], large[KEYRING_MAX_CONTEXT + 1] = {0};
    struct writer w = writer_fixed(out, sizeof(out));
    assert_int_equal(keyring_seal(k, AEAD_XAES_256_GCM, PURPOSE_ANCHOR, context, text, random_system(), &w),
                     ERR_NOT_FOUND);
    assert_int_equal(w.len, 0);
    for (unsigned i = 0; i < KEYRING_MAX_EPOCHS; i++)
        assert_int_equal(keyring_rotate(k, i, COUNTED(&c)), OK);
    assert_int_equal(keyring_rotate(k, 0, COUNTED(&c)), ERR_LIMIT_REACHED);
    assert_int_equal(keyring_retire(k, 1), OK);
    c.fail_at = c.calls + 1;
    assert_int_equal(keyring_rotate(k, 0, COUNTED(&c)), ERR_NO_RANDOM);
    assert_int_equal(keyring_epoch(k), KEYRING_MAX_EPOCHS);
    assert_int_equal(keyring_rotate(k, 0, COUNTED(&c)), OK);
    assert_int_equal(keyring_epoch(k), KEYRING_MAX_EPOCHS + 1);

    assert_int_equal(keyring_seal(k, AEAD_XAES_256_GCM, PURPOSE_ANCHOR, VIEW_OF(large), text, random_system(), &w),
                     ERR_TOO_LONG);
    c.fail_at = c.calls + 1;
    assert_int_equal(keyring_seal(k, AEAD_XAES_256_GCM, PURPOSE_ANCHOR, context, text, COUNTED(&c), &w), ERR_NO_RANDOM);
    assert_int_equal(w.len, 0);

    const struct view longest = VIEW(large, KEYRING_MAX_CONTEXT);
    assert_int_equal(keyring_seal(k, AEAD_XAES_256_GCM, PURPOSE_ANCHOR, longest, VIEW(NULL, 0), random_system(), &w),
                     OK);
    assert_int_equal(w.len, SEALED_OVERHEAD);
    AUTO_WRITER opened = writer_new(16);
    assert_int_equal(keyring_open(k, PURPOSE_ANCHOR, longest, writer_view_of(&w), &opened), OK);
    assert_int_equal(opened.len, 0);

    struct writer small = writer_fixed(out, text.len + SEALED_OVERHEAD - 1);
    assert_int_equal(keyring_seal(k, AEAD_XAES_256_GCM, PURPOSE_ANCHOR, context, text, random_system(), &small),
                     ERR_TOO_LONG);
    keyring_free(k);
    keyring_free(NULL);
}

int main(void)
{
    if (crypto_init(NULL) != OK)
        return 1;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(opens_only_where_it_belongs), cmocka_unit_test(every_flipped_bit_is_refused),
        cmocka_unit_test(classes_do_not_mix),          cmocka_unit_test(rotation_opens_old_epochs),
        cmocka_unit_test(subkeys_differ_and_stay),     cmocka_unit_test(export_and_import),
        cmocka_unit_test(limits_and_failures),
    };
    return cmocka_run_group_tests_name("keyring", tests, NULL, NULL);
}
