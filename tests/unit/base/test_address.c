#include "base/prefix.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static struct address address_of(const char *text)
{
    struct address a = {0};
    if (address_parse(view_str(text), &a) != OK)
        fail_msg("refused: '%s'", text);
    return a;
}

static struct prefix network_of(const char *text)
{
    struct prefix n = {0};
    struct problem why = {0};
    if (prefix_parse(view_str(text), &n, &why) != OK)
        fail_msg("refused: '%s': %s", text, why.detail);
    return n;
}

static void assert_address(const char *text, const char *form)
{
    char out[ADDRESS_TEXT_SIZE];
    struct address a = address_of(text);
    address_format(&a, out);
    assert_string_equal(out, form);
}

static void assert_network(const char *text, const char *form)
{
    char out[PREFIX_TEXT_SIZE];
    struct prefix n = network_of(text);
    prefix_format(&n, out);
    assert_string_equal(out, form);
}

/* A block of 192.0.2.7 must not be got round by writing it otherwise. */
static void test_one_address_has_one_form(void **state)
{
    (void)state;
    assert_address("192.0.2.7", "192.0.2.7");
    assert_address("::ffff:192.0.2.7", "192.0.2.7");
    assert_address("::FFFF:c000:207", "192.0.2.7");
    assert_address("0:0:0:0:0:ffff:c000:0207", "192.0.2.7");
    assert_address("2001:DB8:0:0:0:0:0:1", "2001:db8::1");
    assert_address("::", "::");
    assert_network("::ffff:192.0.2.0/120", "192.0.2.0/24");
    assert_network("192.0.2.7/32", "192.0.2.7");
    assert_network("0.0.0.0/0", "0.0.0.0/0");
    assert_network("::/0", "::/0");
    assert_network("ffff:ffff:ffff:ffff:ffff:ffff:ffff:fff0/124", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:fff0/124");
}

/* Octal, hexadecimal, short and long forms mean different addresses to different programs; zones mean none outside of
 * one machine. */
static void test_ambiguous_forms_are_refused(void **state)
{
    static const char *const bad[] = {"",
                                      " ",
                                      "192.0.2",
                                      "192.0.2.07",
                                      "0300.0.2.7",
                                      "0xc0.0.2.7",
                                      "3221225991",
                                      "1.2.3.4.",
                                      "1.2.3.4.5",
                                      "256.0.0.1",
                                      "1.2.3.-4",
                                      " 1.2.3.4",
                                      "1.2.3.4 ",
                                      "1.2.3.4\n",
                                      "fe80::1%eth0",
                                      "[2001:db8::1]",
                                      ":::",
                                      "1::2::3",
                                      "12345::",
                                      "::1.2.3",
                                      "example.org",
                                      "1.2.3.4:80",
                                      "0000001.2.3.4",
                                      "0000:0000:0000:0000:0000:0000:0000:0000:0000:0000:0000:0001"};
    struct address a;
    struct prefix n;
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        if (address_parse(view_str(bad[i]), &a) == OK || prefix_parse(view_str(bad[i]), &n, NULL) == OK)
            fail_msg("taken: '%s'", bad[i]);
    assert_int_equal(address_parse(VIEW("1.2.3.4\0", 8), &a), ERR_MALFORMED);
}

static void test_a_refused_network_says_how_to_mend_it(void **state)
{
    static const struct {
        const char *text, *says;
    } bad[] = {
        {"192.0.2.7/24", "the network is 192.0.2.0/24"},
        {"2001:db8::1/32", "the network is 2001:db8::/32"},
        {"::ffff:10.1.2.3/104", "the network is 10.0.0.0/8"},
        {"::ffff:0:0/80", "the network is ::/80"},
        {"192.0.2.0/33", "0 to 32"},
        {"2001:db8::/129", "0 to 128"},
        {"192.0.2.0/", "0 to 32"},
        {"192.0.2.0/024", "0 to 32"},
        {"192.0.2.0/24/24", "0 to 32"},
        {"192.0.2.0/+1", "0 to 32"},
        {"/8", "192.0.2.0/24"},
        {"localhost", "192.0.2.0/24"},
    };
    struct prefix n = {.bits = 77};
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        struct problem why = {0};
        assert_int_equal(prefix_parse(view_str(bad[i].text), &n, &why), ERR_MALFORMED);
        if (!strstr(why.detail, bad[i].says))
            fail_msg("'%s': %s", bad[i].text, why.detail);
    }
    assert_int_equal(n.bits, 77);
}

static bool holds(const char *network, const char *address)
{
    struct prefix n = network_of(network);
    struct address a = address_of(address);
    return prefix_holds(&n, &a);
}

static void test_networks_hold_what_lies_in_them(void **state)
{
    (void)state;
    assert_true(holds("172.16.0.0/12", "172.31.255.255") && !holds("172.16.0.0/12", "172.32.0.0"));
    assert_true(holds("fc00::/7", "fdff::1") && !holds("fc00::/7", "fe00::"));
    assert_true(holds("::/0", "::1") && !holds("::/0", "192.0.2.1") && !holds("0.0.0.0/0", "::1"));
    assert_true(holds("::/0", "::fffe:0:0") && holds("10.0.0.0/8", "::ffff:10.0.0.1"));
    struct address a = address_of("2001:db8:1:2:3:4:5:6");
    struct prefix n = prefix_around(&a, PREFIX_SUBSCRIBER6);
    char out[PREFIX_TEXT_SIZE];
    prefix_format(&n, out);
    assert_string_equal(out, "2001:db8:1:2::/64");
    for (unsigned bits = 0; bits <= 200; bits++) {
        n = prefix_around(&a, bits);
        assert_true(prefix_holds(&n, &a));
        assert_int_equal(n.bits, bits < 128 ? bits : 128);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_one_address_has_one_form),
        cmocka_unit_test(test_ambiguous_forms_are_refused),
        cmocka_unit_test(test_a_refused_network_says_how_to_mend_it),
        cmocka_unit_test(test_networks_hold_what_lies_in_them),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
