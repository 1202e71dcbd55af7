#include "crypto/bcrypt.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

/* Hashes as PHP, htpasswd and bcrypt libraries make them; also the published one of "U*U". */
static void test_bcrypt(void **state)
{
    static const char known[] = "$2a$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW";
    static const char *const bad[] = {"",
                                      "$2b$05$short",
                                      "$1$abc$def",
                                      "$2x$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW",
                                      "$2a$15$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW",
                                      "$2a$05$CCCCCCCCCCCCCCCCCCCCC:E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW"};
    (void)state;
    assert_int_equal(bcrypt_verify(known, VIEW_STR("U*U")), OK);
    assert_int_equal(bcrypt_verify("$2y$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW", VIEW_STR("U*U")),
                     OK);
    assert_int_equal(bcrypt_verify(known, VIEW_STR("U*V")), ERR_BAD_CREDENTIALS);
    assert_int_equal(bcrypt_verify(known, VIEW("U*U\0x", 5)), ERR_BAD_CREDENTIALS); /* what C would not see */
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        assert_false(bcrypt_hash_valid(view_str(bad[i])));
        assert_int_equal(bcrypt_verify(bad[i], VIEW_STR("U*U")), ERR_BAD_CREDENTIALS);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_bcrypt)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
