#include "support.h"

#include "base/decimal.h"

#define NINES36 "999999999999999999999999999999999999"
#define ZEROS35 "00000000000000000000000000000000000"

static const struct {
    const char *text;
    enum err plain, json;
    const char *shortest;
} spellings[] = {
    {"0", OK, OK, "0"},
    {"-0", OK, OK, "0"},
    {"-0.00", OK, OK, "0"},
    {"00012.3400", OK, OK, "12.34"},
    {".5", OK, OK, "0.5"},
    {"5.", OK, OK, "5"},
    {"-1.5", OK, OK, "-1.5"},
    {"100", OK, OK, "100"},
    {NINES36, OK, OK, NINES36},
    {"-" NINES36, OK, OK, "-" NINES36},
    {"9" NINES36, ERR_OUT_OF_RANGE, ERR_OUT_OF_RANGE, NULL},
    {"0." ZEROS35 "1", OK, OK, "0." ZEROS35 "1"},
    {"0." ZEROS35 "01", ERR_OUT_OF_RANGE, ERR_OUT_OF_RANGE, NULL},
    {"0." ZEROS35 "100000", OK, OK, "0." ZEROS35 "1"},
    {"1" ZEROS35, OK, OK, "1" ZEROS35},
    {"1" ZEROS35 "0", ERR_OUT_OF_RANGE, ERR_OUT_OF_RANGE, NULL},
    {"1.00000000000000000000000000000000000000000000000000", OK, OK, "1"},
    {"1e-7", ERR_MALFORMED, OK, "0.0000001"},
    {"1E+3", ERR_MALFORMED, OK, "1000"},
    {"1.5e3", ERR_MALFORMED, OK, "1500"},
    {"1500e-3", ERR_MALFORMED, OK, "1.5"},
    {"1e35", ERR_MALFORMED, OK, "1" ZEROS35},
    {"1e36", ERR_MALFORMED, ERR_OUT_OF_RANGE, NULL},
    {"1e-36", ERR_MALFORMED, OK, "0." ZEROS35 "1"},
    {"1e-37", ERR_MALFORMED, ERR_OUT_OF_RANGE, NULL},
    {"10e-37", ERR_MALFORMED, OK, "0." ZEROS35 "1"},
    {"0e999999999999999999999", ERR_MALFORMED, OK, "0"},
    {"1e999999999999999999999", ERR_MALFORMED, ERR_OUT_OF_RANGE, NULL},
    {"1e-999999999999999999999", ERR_MALFORMED, ERR_OUT_OF_RANGE, NULL},
    {"", ERR_MALFORMED, ERR_MALFORMED, NULL},
    {"-", ERR_MALFORMED, ERR_MALFORMED, NULL},
    {".", ERR_MALFORMED, ERR_MALFORMED, NULL},
    {"+1", ERR_MALFORMED, ERR_MALFORMED, NULL},
    {" 1", ERR_MALFORMED, ERR_MALFORMED, NULL},
    {"1 ", ERR_MALFORMED, ERR_MALFORMED, NULL},
    {"1.2.3", ERR_MALFORMED, ERR_MALFORMED, NULL},
    {"--1", ERR_MALFORMED, ERR_MALFORMED, NULL},
    {"1e", ERR_MALFORMED, ERR_MALFORMED, NULL},
    {"1e+-1", ERR_MALFORMED, ERR_MALFORMED, NULL},
    {"e5", ERR_MALFORMED, ERR_MALFORMED, NULL},
    {"0x10", ERR_MALFORMED, ERR_MALFORMED, NULL},
    {"NaN", ERR_MALFORMED, ERR_MALFORMED, NULL},
    {"1,5", ERR_MALFORMED, ERR_MALFORMED, NULL},
};

static void numbers_are_read(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(spellings); i++) {
        char out[100];
        struct writer w = writer_fixed(out, sizeof out);
        struct decimal d = {77, 1};

        if (decimal_parse(view_str(spellings[i].text), &d) != spellings[i].plain ||
            (spellings[i].plain && d.digits != 77))
            fail_msg("\"%s\" is judged wrongly", spellings[i].text);
        if (decimal_parse_json(view_str(spellings[i].text), &d) != spellings[i].json)
            fail_msg("\"%s\" in JSON is judged wrongly", spellings[i].text);
        if (!spellings[i].shortest)
            continue;
        decimal_put(&w, d);
        support_expect(&w, spellings[i].shortest);
    }
    assert_int_equal(decimal_parse(VIEW("1\0", 2), &(struct decimal){0}), ERR_MALFORMED);
}

static struct view take_word(struct view *rest)
{
    struct view word = {rest->ptr, 0};

    while (word.len < rest->len && rest->ptr[word.len] != ' ' && rest->ptr[word.len] != '\n')
        word.len++;
    assert_true(word.len < rest->len);
    *rest = VIEW(rest->ptr + word.len + 1, rest->len - word.len - 1);
    return word;
}

static void expect_result(enum err err, struct decimal got, struct view wanted, const char *what, size_t line)
{
    char out[100];
    struct writer w = writer_fixed(out, sizeof out);

    decimal_put(&w, got);
    if (view_is(wanted, "range") ? err != ERR_OUT_OF_RANGE : err || !view_eq(wanted, writer_view_of(&w)))
        fail_msg("%s on line %zu is wrong: %s %.*s", what, line, err_code(err), (int)w.len, out);
}

static void sums_and_products_are_exact(void **state)
{
    struct view file = support_file("tests/vectors/decimal/cases.txt"), rest = file;
    size_t line = 0;

    (void)state;
    while (rest.len) {
        struct decimal a, b, sum = {0}, product = {0};
        enum err err;

        line++;
        assert_int_equal(decimal_parse(take_word(&rest), &a), OK);
        assert_int_equal(decimal_parse(take_word(&rest), &b), OK);
        struct view order = take_word(&rest);

        if (decimal_cmp(a, b) != (view_is(order, "0")   ? 0
                                  : view_is(order, "1") ? 1
                                                        : -1) ||
            decimal_cmp(b, a) != -decimal_cmp(a, b))
            fail_msg("order on line %zu is wrong", line);
        err = decimal_add(a, b, &sum);
        expect_result(err, sum, take_word(&rest), "sum", line);
        err = decimal_mul(a, b, &product);
        expect_result(err, product, take_word(&rest), "product", line);
    }
    assert_true(line > 1500);
    free((void *)(uintptr_t)file.ptr);
}

static void unnormalised_numbers_mean_the_same(void **state)
{
    struct decimal half = {5, 1}, loose = {5000, 4}, sum;

    (void)state;
    assert_int_equal(decimal_cmp(half, loose), 0);
    assert_int_equal(decimal_add(half, loose, &sum), OK);
    assert_true(sum.digits == 1 && sum.scale == 0);
    assert_true(decimal_is_negative((struct decimal){-1, 3}));
    assert_false(decimal_is_negative((struct decimal){0, 0}));
    assert_true(decimal_is_zero((struct decimal){0, 3}));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers_are_read),
        cmocka_unit_test(sums_and_products_are_exact),
        cmocka_unit_test(unnormalised_numbers_mean_the_same),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
