#include "domain/guard/forwarded.h"

#include "base/prefix.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

/* Proxies are 127.0.0.1, 10.0.0.0/8 and 2001:db8:f::/48. */
static bool is_proxy(const void *context, const struct address *a)
{
    static const char *const ours[] = {"127.0.0.1", "10.0.0.0/8", "2001:db8:f::/48"};
    (void)context;
    for (size_t i = 0; i < ARRAY_LEN(ours); i++) {
        struct prefix p;
        if (prefix_parse(view_str(ours[i]), &p, NULL) == OK && prefix_holds(&p, a))
            return true;
    }
    return false;
}

/* The client's address, or what was refused; lines are separated by \n. */
static const char *client(enum forwarded_header header, const char *peer, const char *text)
{
    static char out[400];
    struct view lines[64];
    struct forwarded_ask ask = {.header = header, .lines = lines, .is_proxy = is_proxy};
    struct address a;
    struct problem why = {0};
    for (const char *at = text; at && ask.count < ARRAY_LEN(lines);) {
        const char *end = strchr(at, '\n');
        lines[ask.count++] = VIEW(at, end ? (size_t)(end - at) : strlen(at));
        at = end ? end + 1 : NULL;
    }
    assert_int_equal(address_parse(view_str(peer), &ask.peer), OK);
    enum err e = forwarded_client(&ask, &a, &why);
    if (e == OK) {
        address_format(&a, out);
    } else {
        assert_int_equal(e, ERR_ADDRESS_UNREADABLE);
        (void)snprintf(out, sizeof out, "refused: %s", why.detail);
    }
    return out;
}

static const char *xff(const char *peer, const char *text)
{
    return client(FORWARDED_FOR, peer, text);
}

static const char *rfc(const char *text)
{
    return client(FORWARDED_RFC7239, "127.0.0.1", text);
}

static void assert_refused(const char *said)
{
    if (strncmp(said, "refused: ", 9) != 0)
        fail_msg("taken: %s", said);
}

/* Anybody can send the header; only what a proxy of ours wrote counts. */
static void test_strangers_are_not_believed(void **state)
{
    (void)state;
    assert_string_equal(xff("203.0.113.9", "127.0.0.1"), "203.0.113.9");
    assert_string_equal(xff("203.0.113.9", "garbage"), "203.0.113.9");
    assert_string_equal(xff("203.0.113.9", NULL), "203.0.113.9");
    assert_string_equal(client(FORWARDED_REAL_IP, "203.0.113.9", "10.0.0.1"), "203.0.113.9");
}

static void test_the_walk_ends_at_the_first_stranger(void **state)
{
    (void)state;
    assert_string_equal(xff("127.0.0.1", "198.51.100.7"), "198.51.100.7");
    assert_string_equal(xff("127.0.0.1", "10.9.9.9, 198.51.100.7"), "198.51.100.7"); /* the client claims to be ours */
    assert_string_equal(xff("127.0.0.1", "127.0.0.1,198.51.100.7,10.0.0.2"), "198.51.100.7");
    assert_string_equal(xff("127.0.0.1", "garbage, 198.51.100.7"), "198.51.100.7");
    assert_string_equal(xff("127.0.0.1", "203.0.113.1\n10.0.0.3\n198.51.100.7 , 10.0.0.2"), "198.51.100.7");
    assert_string_equal(xff("127.0.0.1", "10.0.0.3, 10.0.0.2"), "10.0.0.3");
    assert_string_equal(xff("2001:db8:f::1", "2001:db8:e::7, 2001:db8:f::2"), "2001:db8:e::7");
    assert_string_equal(xff("::ffff:127.0.0.1", "::ffff:198.51.100.7"), "198.51.100.7");
    assert_string_equal(client(FORWARDED_REAL_IP, "10.0.0.1", " 198.51.100.7\t"), "198.51.100.7");
}

static void test_ports_are_dropped(void **state)
{
    (void)state;
    assert_string_equal(xff("127.0.0.1", "198.51.100.7:4711"), "198.51.100.7");
    assert_string_equal(xff("127.0.0.1", "[2001:db8::7]:4711"), "2001:db8::7");
    assert_string_equal(xff("127.0.0.1", "[2001:db8::7]"), "2001:db8::7");
    assert_string_equal(xff("127.0.0.1", "2001:db8::7"), "2001:db8::7");
}

/* An address that can't be read is no reason to believe the one before it. */
static void test_what_can_not_be_read_is_refused(void **state)
{
    static const char *const bad[] = {"",
                                      " ",
                                      "198.51.100.7,",
                                      "198.51.100.7, ,10.0.0.1",
                                      "unknown",
                                      "198.51.100.7, unknown",
                                      "198.51.100.7, _hidden, 10.0.0.1",
                                      "198.51.100.07",
                                      "198.51.100.7:",
                                      "198.51.100.7:65536",
                                      "198.51.100.7:80:80",
                                      "198.51.100.7:+80",
                                      "198.51.100.7 10.0.0.1",
                                      "[198.51.100.7]",
                                      "[2001:db8::7",
                                      "[2001:db8::7]x",
                                      "[2001:db8::7]:",
                                      "[]",
                                      "[",
                                      "fe80::1%eth0",
                                      "2001:db8::7]:80",
                                      "\"198.51.100.7\"",
                                      "example.org",
                                      "198.51.100.7/32",
                                      "3325256711"};
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        assert_refused(xff("127.0.0.1", bad[i]));
    assert_refused(xff("127.0.0.1", NULL));
    assert_refused(client(FORWARDED_REAL_IP, "127.0.0.1", "198.51.100.7, 198.51.100.8"));
    assert_refused(client(FORWARDED_REAL_IP, "127.0.0.1", "198.51.100.7\n198.51.100.7"));
    assert_non_null(strstr(client(FORWARDED_REAL_IP, "127.0.0.1", NULL), "X-Real-IP: a proxy of ours must set it"));
}

static void test_rfc7239(void **state)
{
    (void)state;
    assert_string_equal(rfc("for=198.51.100.7"), "198.51.100.7");
    assert_string_equal(rfc("For=198.51.100.7;proto=http;by=203.0.113.43"), "198.51.100.7");
    assert_string_equal(rfc("for=\"[2001:db8:cafe::17]:4711\""), "2001:db8:cafe::17");
    assert_string_equal(rfc("by=\"a,for=10.0.0.1;\" ; FOR=\"198.51.100.7:80\" , for=10.0.0.2"), "198.51.100.7");
    assert_string_equal(rfc("for=_hidden, for=unknown, for=198.51.100.7"), "198.51.100.7");
    assert_string_equal(rfc("for=203.0.113.1\nfor=198.51.100.7"), "198.51.100.7");
    assert_string_equal(rfc("host=\"a\\\"b\";for=198.51.100.7"), "198.51.100.7");
}

static void test_rfc7239_that_can_not_be_read(void **state)
{
    static const char *const bad[] = {"",
                                      "198.51.100.7",
                                      "for=",
                                      "for=unknown",
                                      "for=_hidden",
                                      "by=198.51.100.7",
                                      "for=198.51.100.7;for=198.51.100.8",
                                      "for=2001:db8::7",
                                      "for=\"2001:db8::7\"",
                                      "for=[2001:db8::7]",
                                      "for=\"198.51.100.7",
                                      "for=\"x, for=198.51.100.7", /* the client left a mark open */
                                      "for=\"198.51.100.7\\",
                                      "for=\"198.51.100.7\"x",
                                      "for =198.51.100.7",
                                      "for= 198.51.100.7",
                                      "for=198.51.100.7,",
                                      ",for=198.51.100.7",
                                      "for=198.51.100.7;",
                                      "for=198.51.100.7 10.0.0.1",
                                      "=198.51.100.7",
                                      "for=\"\\198.51.100.7\"",
                                      "for=\"198.51.100.7\xff\""};
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        assert_refused(rfc(bad[i]));
}

static void test_there_is_an_end_to_it(void **state)
{
    static char text[FORWARDED_MAX + 100];
    (void)state;
    struct writer w = writer_fixed(text, sizeof text - 1);
    for (int i = 0; i < FORWARDED_HOPS_MAX; i++)
        writer_printf(&w, "%s10.0.0.%d", i ? "," : "", i);
    assert_string_equal(xff("127.0.0.1", text), "10.0.0.0");
    writer_str(&w, ",10.0.0.99");
    assert_refused(xff("127.0.0.1", text));
    memset(text, ' ', FORWARDED_MAX + 1);
    memcpy(text, "198.51.100.7", 12);
    text[FORWARDED_MAX + 1] = '\0';
    assert_refused(xff("127.0.0.1", text));
    text[FORWARDED_MAX] = '\0';
    assert_string_equal(xff("127.0.0.1", text), "198.51.100.7");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_strangers_are_not_believed),
        cmocka_unit_test(test_the_walk_ends_at_the_first_stranger),
        cmocka_unit_test(test_ports_are_dropped),
        cmocka_unit_test(test_what_can_not_be_read_is_refused),
        cmocka_unit_test(test_rfc7239),
        cmocka_unit_test(test_rfc7239_that_can_not_be_read),
        cmocka_unit_test(test_there_is_an_end_to_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
