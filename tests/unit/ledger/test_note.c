#include "base/text.h"
#include "ledger/note.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static const uint8_t seed[32] = {7};

static struct checkpoint sample(void)
{
    struct checkpoint c = {.origin = "holdfast/test/log/0", .size = 1234567, .has_state = true, .has_time = true};
    memset(c.root, 0xa5, sizeof(c.root));
    memset(c.state, 0x5a, sizeof(c.state));
    c.time_ms = 1790000000123u;
    return c;
}

static void signed_note(const struct checkpoint *c, struct writer *w)
{
    assert_int_equal(note_sign(c, seed, w), OK);
}

static void test_round_trip(void **state)
{
    uint8_t bytes[NOTE_MAX], key[32], other[32] = {1};
    (void)state;
    assert_int_equal(ed25519_public(seed, key), OK);
    for (unsigned flags = 0; flags < 4; flags++) {
        struct checkpoint c = sample(), back;
        struct writer w = writer_fixed(bytes, sizeof(bytes));
        c.has_state = flags & 1;
        c.has_time = flags & 2;
        signed_note(&c, &w);
        assert_int_equal(note_open(writer_view_of(&w), key, &back), OK);
        assert_string_equal(back.origin, c.origin);
        assert_true(back.size == c.size && back.has_state == c.has_state && back.has_time == c.has_time);
        assert_memory_equal(back.root, c.root, 32);
        if (c.has_state)
            assert_memory_equal(back.state, c.state, 32);
        if (c.has_time)
            assert_true(back.time_ms == c.time_ms);
        assert_int_equal(note_open(writer_view_of(&w), other, &back), ERR_BAD_CHECKPOINT);
    }
}

/* Every byte counts: none can be changed, dropped or added. */
static void test_each_byte(void **state)
{
    uint8_t bytes[NOTE_MAX], changed[NOTE_MAX], key[32];
    struct checkpoint c = sample(), back;
    struct writer w = writer_fixed(bytes, sizeof(bytes));
    (void)state;
    assert_int_equal(ed25519_public(seed, key), OK);
    signed_note(&c, &w);
    for (size_t i = 0; i < w.len; i++) {
        memcpy(changed, bytes, w.len);
        changed[i] ^= 1;
        assert_int_equal(note_open(VIEW(changed, w.len), key, &back), ERR_BAD_CHECKPOINT);
        assert_int_equal(note_open(VIEW(bytes, i), key, &back), ERR_BAD_CHECKPOINT);
        memmove(changed + i, bytes + i + 1, w.len - i - 1);
        memcpy(changed, bytes, i);
        assert_int_equal(note_open(VIEW(changed, w.len - 1), key, &back), ERR_BAD_CHECKPOINT);
    }
}

static void test_other_signatures(void **state)
{
    uint8_t bytes[NOTE_MAX], key[32];
    struct checkpoint c = sample(), back;
    struct writer w = writer_fixed(bytes, sizeof(bytes));
    (void)state;
    assert_int_equal(ed25519_public(seed, key), OK);
    signed_note(&c, &w);
    writer_str(&w, "\xe2\x80\x94 witness.example AAAAAAAAAA==\n"); /* a cosignature of somebody else */
    assert_int_equal(note_open(writer_view_of(&w), key, &back), OK);
    writer_str(&w, "\xe2\x80\x94 witness.example !\n");
    assert_int_equal(note_open(writer_view_of(&w), key, &back), ERR_BAD_CHECKPOINT);
}

/* A text, properly signed, that is no checkpoint. */
static void check_text(const char *text, enum err expected)
{
    uint8_t bytes[NOTE_MAX], key[32], sig[64], keyed[4 + 64];
    struct checkpoint c = sample(), back;
    struct writer w = writer_fixed(bytes, sizeof(bytes));
    AUTO_WRITER verifier = writer_new(1024);
    assert_int_equal(ed25519_public(seed, key), OK);
    assert_int_equal(note_verifier_put(c.origin, key, &verifier), OK);
    assert_int_equal(ed25519_sign(seed, view_str(text), sig), OK);
    /* the key hash is the eight hex digits after the first plus */
    const char *hex = memchr(verifier.ptr, '+', verifier.len);
    for (size_t i = 0; i < 4; i++) {
        unsigned v = 0;
        assert_int_equal(sscanf(hex + 1 + 2 * i, "%2x", &v), 1);
        keyed[i] = (uint8_t)v;
    }
    memcpy(keyed + 4, sig, 64);
    writer_printf(&w, "%s\n\xe2\x80\x94 %s ", text, c.origin);
    base64_put(&w, VIEW_OF(keyed));
    writer_str(&w, "\n");
    enum err e = note_open(writer_view_of(&w), key, &back);
    if (e != expected)
        fail_msg("%s: %s", text, err_code(e));
}

#define ORIGIN "holdfast/test/log/0\n"
#define ROOT   "paWlpaWlpaWlpaWlpaWlpaWlpaWlpaWlpaWlpaWlpaU=\n"

static void test_malformed(void **state)
{
    static const struct {
        const char *text;
        enum err expected;
    } cases[] = {
        {ORIGIN "5\n" ROOT, OK},
        {ORIGIN "0\n" ROOT, OK},
        {ORIGIN "18446744073709551615\n" ROOT, OK},
        {ORIGIN "5\n" ROOT "some extension of tomorrow\n", OK},
        {ORIGIN "18446744073709551616\n" ROOT, ERR_BAD_CHECKPOINT},
        {ORIGIN "05\n" ROOT, ERR_BAD_CHECKPOINT},
        {ORIGIN "+5\n" ROOT, ERR_BAD_CHECKPOINT},
        {ORIGIN "-5\n" ROOT, ERR_BAD_CHECKPOINT},
        {ORIGIN "\n" ROOT, ERR_BAD_CHECKPOINT},
        {ORIGIN "5\n", ERR_BAD_CHECKPOINT},
        {ORIGIN "5\nAAAA\n", ERR_BAD_CHECKPOINT},
        {ORIGIN "5\n" ROOT "\n", ERR_BAD_CHECKPOINT},
        {ORIGIN "5\n" ROOT "state AAAA\n", ERR_BAD_CHECKPOINT},
        {ORIGIN "5\n" ROOT "state " ROOT "state " ROOT, ERR_BAD_CHECKPOINT},
        {ORIGIN "5\n" ROOT "time yesterday\n", ERR_BAD_CHECKPOINT},
        {ORIGIN "5\n" ROOT "tab\there\n", ERR_BAD_CHECKPOINT},
        {"another/log\n5\n" ROOT, ERR_BAD_CHECKPOINT},
        {"\n5\n" ROOT, ERR_BAD_CHECKPOINT},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        check_text(cases[i].text, cases[i].expected);
}

static void test_verifier(void **state)
{
    uint8_t key[32], back[32];
    char origin[NOTE_ORIGIN_MAX];
    AUTO_WRITER w = writer_new(1024);
    (void)state;
    assert_int_equal(ed25519_public(seed, key), OK);
    assert_int_equal(note_verifier_put("holdfast/x/log/0", key, &w), OK);
    assert_int_equal(note_verifier_get(writer_view_of(&w), origin, back), OK);
    assert_string_equal(origin, "holdfast/x/log/0");
    assert_memory_equal(key, back, 32);
    for (size_t i = 0; i < w.len; i++) {
        w.ptr[i] ^= 1;
        assert_int_equal(note_verifier_get(writer_view_of(&w), origin, back), ERR_MALFORMED);
        w.ptr[i] ^= 1;
    }
    /* The example of the Go module for checksum databases, whose key form this is. */
    assert_int_equal(note_verifier_get(VIEW_STR("sum.golang.org+033de0ae+Ac4zctda0e5eza+HJyk9SxEdh+s3Ux18htTTAD8OuAn8"),
                                       origin, back),
                     OK);
    assert_string_equal(origin, "sum.golang.org");
    assert_int_equal(note_verifier_put("with space", key, &w), ERR_BAD_VALUE);
    assert_int_equal(note_verifier_put("with+plus", key, &w), ERR_BAD_VALUE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round_trip), cmocka_unit_test(test_each_byte), cmocka_unit_test(test_other_signatures),
        cmocka_unit_test(test_malformed),  cmocka_unit_test(test_verifier),
    };
    return cmocka_run_group_tests_name("ledger note", tests, NULL, NULL);
}
