#include "domain/identity/identity.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static struct config_passwords rules;

static enum err judge(const char *password, const char *user)
{
    struct problem why = {0};
    enum err e = password_acceptable(view_str(password), view_str(user), &rules, &why);
    if (e != OK) {
        assert_int_equal(why.code, e);
        assert_string_equal(why.where, "/password");
        assert_true(e == ERR_BAD_UTF8 || why.detail[0]);
        assert_true(!password[0] || !strstr(why.detail, password)); /* never repeated */
    }
    return e;
}

static void test_good_ones(void **state)
{
    static const char *const good[] = {"Kq7-vmDt2xPz", "Correct-Horse-7-Staple", "tRe3 houses by a Lake!",
                                       "Grüße 7 von der Elbe", "x9#Lw2$pQ8vT"};
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(good); i++)
        assert_int_equal(judge(good[i], "alice"), OK);
}

static void test_kinds_and_length(void **state)
{
    (void)state;
    assert_int_equal(judge("Kq7-vmDt2xP", "alice"), ERR_WEAK_PASSWORD);  /* 11 */
    assert_int_equal(judge("kq7-vmdt2xpz", "alice"), ERR_WEAK_PASSWORD); /* no upper case */
    assert_int_equal(judge("KQ7-VMDT2XPZ", "alice"), ERR_WEAK_PASSWORD); /* no lower case */
    assert_int_equal(judge("Kqh-vmDtwxPz", "alice"), ERR_WEAK_PASSWORD); /* no digit */
    assert_int_equal(judge("Kq7evmDt2xPz", "alice"), ERR_WEAK_PASSWORD); /* no symbol */
    assert_int_equal(judge("", "alice"), ERR_WEAK_PASSWORD);
    assert_int_equal(judge("Kq7-vmDt2\xff\xfePz9", "alice"), ERR_BAD_UTF8);
    /* Characters count, not bytes: these are 11 in 19 bytes. */
    assert_int_equal(judge("Ä7-ääääääää", "alice"), ERR_WEAK_PASSWORD);
    char *huge = malloc(5000);
    assert_non_null(huge);
    memset(huge, 'a', 4999);
    huge[4999] = '\0';
    assert_int_equal(judge(huge, "alice"), ERR_TOO_LONG);
    free(huge);
}

static void test_common_ones(void **state)
{
    static const char *const weak[] = {
        "Password123!",  "P@ssw0rd1234!",      "Welcome2026!!", "Qwertyuiop1!",  "Admin-Admin-1-Admin", "Aaaaaaaaaa1!",
        "Abcdefgh1234!", "Summer-2026-Summer", "Holdfast!2026", "1234567890aA!", "Trading.Bitcoin.21"};
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(weak); i++)
        assert_int_equal(judge(weak[i], "zoe"), ERR_WEAK_PASSWORD);
}

static void test_own_name(void **state)
{
    (void)state;
    assert_int_equal(judge("Marguerite-7xk", "marguerite"), ERR_WEAK_PASSWORD);
    assert_int_equal(judge("Marguerite-7xk", "somebody"), OK);
}

/* What the desk's own rules say, and not a number in the program. */
static void test_rules(void **state)
{
    (void)state;
    rules.min_length = 16;
    assert_int_equal(judge("Kq7-vmDt2xPz", "alice"), ERR_WEAK_PASSWORD);
    assert_int_equal(judge("Kq7-vmDt2xPzu5Rh", "alice"), OK);
    rules = (struct config_passwords){.classes = 2};
    config_passwords_complete(&rules);
    assert_int_equal(judge("kq7vmdt2xpzu5rh", "alice"), OK);
    assert_int_equal(judge("kqhvmdtwxpzucrh", "alice"), ERR_WEAK_PASSWORD);
    rules = (struct config_passwords){0};
    config_passwords_complete(&rules);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_good_ones),   cmocka_unit_test(test_kinds_and_length),
        cmocka_unit_test(test_common_ones), cmocka_unit_test(test_own_name),
        cmocka_unit_test(test_rules),
    };
    config_passwords_complete(&rules);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
