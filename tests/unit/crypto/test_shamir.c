/* What would break for the user: shares that don't open the installation, or too few that do. */
#include "counted.h"
#include "crypto/shamir.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static const uint8_t secret[SHAMIR_SECRET_SIZE] = {0x00, 0xff, 0x80, 0x01, 0x1b, 5, 6, 7, 8, 9, 10, [31] = 0xa5};

static unsigned bits(unsigned v)
{
    unsigned n = 0;
    for (; v; v &= v - 1)
        n++;
    return n;
}

static size_t pick(const struct share *all, unsigned mask, struct share *out)
{
    size_t n = 0;
    for (unsigned i = 0; i < SHAMIR_MAX_SHARES; i++)
        if (mask & (1u << i))
            out[n++] = all[i];
    return n;
}

static void every_quorum_up_to_five(void **state)
{
    (void)state;
    struct counted c = {0};
    for (uint8_t count = 1; count <= 5; count++) {
        for (uint8_t threshold = 1; threshold <= count; threshold++) {
            struct share all[5], some[5];
            assert_int_equal(shamir_split(secret, threshold, count, COUNTED(&c), all), OK);
            for (unsigned mask = 0; mask < 1u << count; mask++) {
                uint8_t out[SHAMIR_SECRET_SIZE] = {0};
                size_t n = pick(all, mask, some);
                enum err want = n < threshold ? ERR_TOO_SHORT : n > threshold ? ERR_OUT_OF_RANGE : OK;
                assert_int_equal(shamir_join(some, n, out), want);
                if (bits(mask) == threshold)
                    assert_memory_equal(out, secret, sizeof(secret));
            }
        }
    }
}

static void largest_quorum_in_any_order(void **state)
{
    (void)state;
    struct counted c = {0};
    struct share all[SHAMIR_MAX_SHARES], reversed[SHAMIR_MAX_SHARES];
    uint8_t out[SHAMIR_SECRET_SIZE];
    assert_int_equal(shamir_split(secret, SHAMIR_MAX_SHARES, SHAMIR_MAX_SHARES, COUNTED(&c), all), OK);
    for (size_t i = 0; i < SHAMIR_MAX_SHARES; i++)
        reversed[i] = all[SHAMIR_MAX_SHARES - 1 - i];
    assert_int_equal(shamir_join(reversed, SHAMIR_MAX_SHARES, out), OK);
    assert_memory_equal(out, secret, sizeof(secret));
}

/* With one share too few, a lie about the threshold must not give the secret away: that needs fresh coefficients. */
static void too_few_tell_nothing(void **state)
{
    (void)state;
    struct counted c = {0};
    struct share all[3];
    uint8_t out[SHAMIR_SECRET_SIZE];
    assert_int_equal(shamir_split(secret, 3, 3, COUNTED(&c), all), OK);
    for (size_t i = 0; i < 3; i++)
        all[i].threshold = 2;
    assert_int_equal(shamir_join(all, 2, out), OK);
    assert_memory_not_equal(out, secret, sizeof(secret));
    for (size_t i = 0; i < 3; i++)
        assert_memory_not_equal(all[i].y, secret, sizeof(secret));
}

static void wrong_shares_are_told_apart(void **state)
{
    (void)state;
    struct counted c = {0};
    struct share a[3], b[3], mix[2];
    uint8_t out[SHAMIR_SECRET_SIZE] = "untouched";
    assert_int_equal(shamir_split(secret, 2, 3, COUNTED(&c), a), OK);
    assert_int_equal(shamir_split(secret, 2, 3, COUNTED(&c), b), OK);
    mix[0] = a[0], mix[1] = b[1];
    assert_int_equal(shamir_join(mix, 2, out), ERR_WRONG_SHARE); /* of another split */
    mix[1] = a[0];
    assert_int_equal(shamir_join(mix, 2, out), ERR_SHARE_TWICE);
    mix[1].y[4] ^= 1;
    assert_int_equal(shamir_join(mix, 2, out), ERR_WRONG_SHARE); /* the same x with other bytes */
    mix[1] = a[1], mix[1].threshold = 3;
    assert_int_equal(shamir_join(mix, 2, out), ERR_WRONG_SHARE);
    mix[1] = a[1], mix[1].x = 0;
    assert_int_equal(shamir_join(mix, 2, out), ERR_WRONG_SHARE); /* x = 0 would be the secret itself */
    assert_int_equal(shamir_join(mix, 0, out), ERR_TOO_SHORT);
    assert_string_equal((const char *)out, "untouched");
}

static void split_refuses_odd_quorums(void **state)
{
    (void)state;
    static const uint8_t bad[][2] = {{0, 1}, {0, 0}, {2, 1}, {1, SHAMIR_MAX_SHARES + 1}, {17, 17}, {255, 255}};
    struct counted c = {0};
    struct share out[SHAMIR_MAX_SHARES];
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        assert_int_equal(shamir_split(secret, bad[i][0], bad[i][1], COUNTED(&c), out), ERR_OUT_OF_RANGE);
    for (uint64_t call = 1; call <= 2; call++) {
        struct counted failing = {.fail_at = call};
        assert_int_equal(shamir_split(secret, 2, 3, COUNTED(&failing), out), ERR_NO_RANDOM);
    }
}

/* Shares that were made elsewhere, with logarithm tables over the same field: people keep them on paper for years, so
 * field, text form and check may never change. */
static void printed_shares_still_join(void **state)
{
    (void)state;
    static const char *const texts[] = {"hfs1-CBHTyrpL15amJ8FbqzKgyOopKFTqZAdjiehW7mayNoEzXP0oeC9SX6JoI8B8iZ",
                                        "hfs1-CBHTyrpL15amJbBhyT7d6ARw5uZcSlcuNtehYZ7U1QQ8VQmougVFHPJAAzfMcy",
                                        "hfs1-CBHTyrpL15ambwZwBun2OL37JXiJM9txrnuB7iAa5DyhC8K7j9O53Bz5g4BKQY"};
    struct share shares[ARRAY_LEN(texts)];
    uint8_t out[SHAMIR_SECRET_SIZE];
    for (size_t i = 0; i < ARRAY_LEN(texts); i++)
        assert_int_equal(share_parse(view_str(texts[i]), &shares[i]), OK);
    assert_int_equal(shamir_join(shares, ARRAY_LEN(shares), out), OK);
    assert_memory_equal(out, secret, sizeof(secret));
}

static void text_form(void **state)
{
    (void)state;
    struct counted c = {0};
    struct share all[5], back;
    char line[SHARE_TEXT_SIZE], typo[SHARE_TEXT_SIZE];
    assert_int_equal(shamir_split(secret, 3, 5, COUNTED(&c), all), OK);
    for (size_t i = 0; i < 5; i++) {
        assert_int_equal(share_format(&all[i], line), OK);
        assert_int_equal(share_parse(view_str(line), &back), OK);
        assert_memory_equal(&back, &all[i], sizeof(back));
    }
    /* Any one character mistyped, any two neighbours swapped, any one left out or added. */
    size_t n = strlen(line);
    for (size_t i = 0; i < n; i++) {
        for (const char *other = "0Az"; *other; other++) {
            memcpy(typo, line, sizeof(typo));
            if (typo[i] == *other)
                continue;
            typo[i] = *other;
            assert_int_equal(share_parse(view_str(typo), &back), ERR_DAMAGED_SHARE);
        }
        memcpy(typo, line, sizeof(typo));
        if (i + 1 < n && line[i] != line[i + 1]) {
            typo[i] = line[i + 1], typo[i + 1] = line[i];
            assert_int_equal(share_parse(view_str(typo), &back), ERR_DAMAGED_SHARE);
        }
        memcpy(typo, line, sizeof(typo));
        memmove(typo + i, line + i + 1, n - i);
        assert_int_equal(share_parse(view_str(typo), &back), ERR_DAMAGED_SHARE);
    }
    assert_int_equal(share_parse(VIEW(line, n + 1), &back), ERR_DAMAGED_SHARE);
    assert_int_equal(share_parse(VIEW(NULL, 0), &back), ERR_DAMAGED_SHARE);
    all[0].x = 0;
    assert_int_equal(share_format(&all[0], line), ERR_BAD_VALUE);
}

int main(void)
{
    if (crypto_init(NULL) != OK)
        return 1;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_quorum_up_to_five),   cmocka_unit_test(largest_quorum_in_any_order),
        cmocka_unit_test(too_few_tell_nothing),      cmocka_unit_test(wrong_shares_are_told_apart),
        cmocka_unit_test(split_refuses_odd_quorums), cmocka_unit_test(text_form),
        cmocka_unit_test(printed_shares_still_join),
    };
    return cmocka_run_group_tests_name("shamir", tests, NULL, NULL);
}
