/* What would break for the user: the code that his app shows is refused, or somebody else's is taken. */
#include "crypto/totp.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static const uint8_t secret[] = {'1', '2', '3', '4', '5', '6', '7', '8', '9', '0',
                                 '1', '2', '3', '4', '5', '6', '7', '8', '9', '0'};

/* RFC 4226 Appendix D; and RFC 6238 Appendix B (SHA-1), of whose 8 digits the last 6 are these. */
static const struct {
    uint64_t step;
    const char *code;
} published[] = {
    {0, "755224"},
    {1, "287082"},
    {2, "359152"},
    {3, "969429"},
    {4, "338314"},
    {5, "254676"},
    {6, "287922"},
    {7, "162583"},
    {8, "399871"},
    {9, "520489"},
    {59 / 30, "287082"},
    {1111111109 / 30, "081804"},
    {1111111111 / 30, "050471"},
    {1234567890 / 30, "005924"},
    {2000000000 / 30, "279037"},
    {20000000000 / 30, "353130"},
};

static void published_codes(void **state)
{
    char code[TOTP_DIGITS + 1];

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(published); i++) {
        assert_int_equal(totp_code(secret, published[i].step, code), OK);
        assert_string_equal(code, published[i].code);
    }
}

static void found_in_its_window_only(void **state)
{
    uint64_t step = 77;

    (void)state;
    assert_int_equal(totp_find(secret, 4, 6, VIEW_STR("254676"), &step), OK);
    assert_int_equal(step, 5);
    step = 77;
    assert_int_equal(totp_find(secret, 6, 8, VIEW_STR("254676"), &step), ERR_BAD_CREDENTIALS);
    assert_int_equal(totp_find(secret, 2, 4, VIEW_STR("254676"), &step), ERR_BAD_CREDENTIALS);
    assert_int_equal(totp_find(secret, 4, 6, VIEW_STR("25467"), &step), ERR_BAD_CREDENTIALS);
    assert_int_equal(totp_find(secret, 4, 6, VIEW_STR("2546760"), &step), ERR_BAD_CREDENTIALS);
    assert_int_equal(totp_find(secret, 4, 6, VIEW_STR(""), &step), ERR_BAD_CREDENTIALS);
    assert_int_equal(step, 77);
}

static void text_for_the_app(void **state)
{
    char text[TOTP_SECRET_TEXT_SIZE];

    (void)state;
    assert_int_equal(totp_secret_text(secret, text), OK);
    assert_string_equal(text, "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(published_codes),
        cmocka_unit_test(found_in_its_window_only),
        cmocka_unit_test(text_for_the_app),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
