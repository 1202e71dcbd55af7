/* SipHash-1-3 against the values that other implementations publish for the key 00 … 0f and the text 00, 01, 02, … */
#include "base/sip.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static void a_hash_is_the_one_of_siphash(void **state)
{
    static const struct {
        size_t len;
        uint64_t hash;
    } known[] = {{0, 0xabac0158050fc4dc},  {1, 0xc9f49bf37d57ca93},  {7, 0xd3927d989bb11140},
                 {8, 0x369095118d299a8e},  {9, 0x25a48eb36c063de4},  {15, 0xd320d86d2a519956},
                 {16, 0xcc4fdd1a7d908b66}, {23, 0x525a0e7fdae6c123}, {63, 0x9d199062b7bbb3a8}};
    const struct sip_seed seed = {{0x0706050403020100, 0x0f0e0d0c0b0a0908}};
    uint8_t text[64];
    (void)state;
    for (size_t i = 0; i < sizeof text; i++)
        text[i] = (uint8_t)i;
    for (size_t i = 0; i < ARRAY_LEN(known); i++)
        assert_int_equal(sip_hash(&seed, VIEW(text, known[i].len)), known[i].hash);
}

/* Keys lie anywhere in a request. */
static void where_the_text_lies_does_not_matter(void **state)
{
    static const char text[] = "key:0123456789abcdef0123456789abcdef";
    const struct sip_seed seed = {{1, 2}};
    char moved[sizeof text + 8];
    (void)state;
    for (size_t at = 0; at < 8; at++) {
        memcpy(moved + at, text, sizeof text);
        assert_int_equal(sip_hash(&seed, VIEW(moved + at, sizeof text - 1)), sip_hash(&seed, VIEW_STR(text)));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_hash_is_the_one_of_siphash),
        cmocka_unit_test(where_the_text_lies_does_not_matter),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
