/* What the kernel's sets are given: it takes no prefixes that overlap, and none must be lost for that. */
#include "warden/sets.h"

#include "test.h"

#include <stdlib.h>

#define NOW 1000000u

static struct sets_networks *sets;

static int setup(void **state)
{
    (void)state;
    sets = calloc(1, sizeof *sets);
    return sets ? 0 : 1;
}

static int teardown(void **state)
{
    (void)state;
    free(sets);
    return 0;
}

static void add(const char *text, uint64_t seconds)
{
    struct sets_block b = {network(text), seconds ? NOW + seconds * 1000 : UINT64_MAX};
    assert_int_equal(sets_add(sets, &b), OK);
}

static void are(enum sets_which set, uint64_t now, const char *text)
{
    char out[4096];
    struct writer w = writer_fixed(out, sizeof out);
    (void)sets_put(sets, set, now, &w);
    writer_u8(&w, 0);
    assert_int_equal(writer_done(&w), OK);
    assert_string_equal(out, text);
}

static void each_prefix_has_its_set(void **state)
{
    static const struct {
        const char *text;
        enum sets_which set;
    } cases[] = {
        {"192.0.2.1", SETS_HOSTS4},         {"192.0.2.0/31", SETS_NETWORKS4},     {"10.0.0.0/8", SETS_NETWORKS4},
        {"2001:db8::1", SETS_HOSTS6},       {"2001:db8::/64", SETS_SUBSCRIBERS6}, {"2001:db8::/65", SETS_NETWORKS6},
        {"2001:db8::/127", SETS_NETWORKS6}, {"2001:db8::/63", SETS_NETWORKS6},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct prefix p = network(cases[i].text);
        assert_int_equal(sets_of(&p), cases[i].set);
    }
}

static void times_are_whole_seconds_and_never_too_short(void **state)
{
    static const struct {
        int64_t left_ms;
        const char *text;
    } cases[] = {{-2000, "192.0.2.1 timeout 1s"},
                 {0, "192.0.2.1 timeout 1s"},
                 {1, "192.0.2.1 timeout 1s"},
                 {1000, "192.0.2.1 timeout 1s"},
                 {1001, "192.0.2.1 timeout 2s"},
                 {86399500, "192.0.2.1 timeout 1d0s"},
                 {3650ll * 86400000 + 5000, "192.0.2.1 timeout 3650d5s"}};
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        char out[128];
        struct writer w = writer_fixed(out, sizeof out);
        struct sets_block b = {network("192.0.2.1"), (uint64_t)(NOW + cases[i].left_ms)};
        sets_put_element(&b, NOW, &w);
        writer_u8(&w, 0);
        assert_string_equal(out, cases[i].text);
    }
}

static void of_those_in_each_other_the_widest_is_in_force(void **state)
{
    (void)state;
    add("198.51.100.0/25", 50);
    add("192.0.2.128/25", 0);
    add("192.0.2.0/24", 20);
    add("192.0.2.0/25", 100);
    add("192.0.2.64/26", 100);
    add("2001:db8::/48", 10);
    are(SETS_NETWORKS4, NOW, "192.0.2.0/24 timeout 20s, 198.51.100.0/25 timeout 50s");
    are(SETS_NETWORKS6, NOW, "2001:db8::/48 timeout 10s");
    /* One that hid nothing ends: nothing to do. */
    assert_int_equal(sets_expire(sets, NOW + 10000), 0);
    are(SETS_NETWORKS4, NOW + 10000, "192.0.2.0/24 timeout 10s, 198.51.100.0/25 timeout 40s");
    assert_int_equal(sets_expire(sets, NOW + 20000), 1u << SETS_NETWORKS4);
    are(SETS_NETWORKS4, NOW + 20000, "192.0.2.0/25 timeout 80s, 192.0.2.128/25, 198.51.100.0/25 timeout 30s");
    assert_int_equal(sets_expire(sets, NOW + 50000), 1u << SETS_NETWORKS4); /* .64/26 is hidden, by another one */
}

static void one_that_is_taken_back_shows_what_it_hid(void **state)
{
    struct prefix wide = network("192.0.2.0/24");
    (void)state;
    add("192.0.2.0/28", 0);
    add("192.0.2.0/24", 0);
    are(SETS_NETWORKS4, NOW, "192.0.2.0/24");
    assert_true(sets_remove(sets, &wide));
    assert_false(sets_remove(sets, &wide));
    are(SETS_NETWORKS4, NOW, "192.0.2.0/28");
}

static void another_time_replaces_the_former_one(void **state)
{
    (void)state;
    add("192.0.2.0/28", 5);
    add("192.0.2.0/28", 50);
    are(SETS_NETWORKS4, NOW, "192.0.2.0/28 timeout 50s");
    assert_int_equal(sets->count, 1);
}

/* Against a slow and simple reading of the same: every address is covered if and only if a prefix has it, and no two of
 * what is written overlap. */
static void no_address_is_lost_and_none_is_added(void **state)
{
    uint32_t seed = 7;
    bool wanted[4096] = {false}, written[4096] = {false};
    static char out[65536];
    (void)state;
    for (int i = 0; i < 300; i++) {
        seed = seed * 1103515245 + 12345;
        unsigned bits = 21 + (seed >> 16) % 11, base = ((seed >> 8) & 4095) & ~((1u << (32 - bits)) - 1);
        char text[64];
        (void)snprintf(text, sizeof text, "192.0.%u.%u/%u", base >> 8, base & 255, bits);
        add(text, 0);
        for (unsigned a = base; a < base + (1u << (32 - bits)); a++)
            wanted[a] = true;
    }
    struct writer w = writer_fixed(out, sizeof out);
    (void)sets_put(sets, SETS_NETWORKS4, NOW, &w);
    writer_u8(&w, 0);
    assert_int_equal(writer_done(&w), OK);
    for (const char *one = out; *one; one += strcspn(one, ","), one += strspn(one, ", ")) {
        unsigned high, low, bits;
        assert_int_equal(sscanf(one, "192.0.%u.%u/%u", &high, &low, &bits), 3);
        for (unsigned a = high << 8 | low, i = 0; i < 1u << (32 - bits); i++, a++) {
            assert_false(written[a]);
            written[a] = true;
        }
    }
    assert_memory_equal(wanted, written, sizeof wanted);
}

static void what_does_not_fit_is_refused(void **state)
{
    (void)state;
    for (unsigned i = 0; i <= WARDEN_NETWORKS_MAX; i++) {
        char text[64];
        (void)snprintf(text, sizeof text, "172.%u.%u.%u/30", 16 + i / 16384, i / 64 % 256, i % 64 * 4);
        struct sets_block b = {network(text), UINT64_MAX};
        assert_int_equal(sets_add(sets, &b), i < WARDEN_NETWORKS_MAX ? OK : ERR_LIMIT_REACHED);
    }
    add("172.16.0.0/30", 9); /* one that is there has its place */
}

#define EACH(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_prefix_has_its_set),
        cmocka_unit_test(times_are_whole_seconds_and_never_too_short),
        EACH(of_those_in_each_other_the_widest_is_in_force),
        EACH(one_that_is_taken_back_shows_what_it_hid),
        EACH(another_time_replaces_the_former_one),
        EACH(no_address_is_lost_and_none_is_added),
        EACH(what_does_not_fit_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
