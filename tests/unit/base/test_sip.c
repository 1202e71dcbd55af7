/* SipHash against the values that other implementations publish (OpenSSL for SipHash-2-4-128) for the key 00 … 0f and
 * the text 00, 01, 02, … */
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

/* The prefix is the first 8 bytes of the text. */
static void a_hash_of_128_bits_is_the_one_of_siphash(void **state)
{
    static const struct {
        size_t len;
        const char *hash;
    } known[] = {{8, "3b62a9ba6258f5610f83e264f31497b4"},
                 {9, "264499060ad9baabc47f8b02bb6d71ed"},
                 {15, "5493e99933b0a8117e08ec0f97cfc3d9"},
                 {16, "6ee2a4ca67b054bbfd3315bf85230577"},
                 {23, "c9d184ddd5a9f5e0cf8ce29a9abf691c"}};
    const struct sip_seed seed = {{0x0706050403020100, 0x0f0e0d0c0b0a0908}};
    uint8_t text[64];
    (void)state;
    for (size_t i = 0; i < sizeof text; i++)
        text[i] = (uint8_t)i;
    for (size_t i = 0; i < ARRAY_LEN(known); i++) {
        uint64_t hash[2];
        char hex[33];
        sip_hash128(&seed, 0x0706050403020100, VIEW(text + 8, known[i].len - 8), hash);
        for (size_t byte = 0; byte < 16; byte++)
            (void)snprintf(hex + 2 * byte, 3, "%02x", (unsigned)(hash[byte / 8] >> 8 * (byte % 8) & 0xff));
        assert_string_equal(hex, known[i].hash);
    }
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
        cmocka_unit_test(a_hash_of_128_bits_is_the_one_of_siphash),
        cmocka_unit_test(where_the_text_lies_does_not_matter),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
