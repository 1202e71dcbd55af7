/* How often, from where and for what a key may be used. */
#include "domain/keys/limits.h"
#include "domain/keys/rules.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define HOUR  3600000ull
#define DAY   (24 * HOUR)
#define START (20000 * DAY) /* midnight */

static struct limits_used used;
static struct limits_state last;

static int set_up(void **state)
{
    (void)state;
    memset(&used, 0, sizeof used);
    return 0;
}

static enum limits_verdict take(const struct limits *l, uint64_t now)
{
    limits_take(&used, l, now, &last);
    return last.verdict;
}

static unsigned take_many(const struct limits *l, uint64_t now, unsigned tries)
{
    unsigned good = 0;
    for (unsigned i = 0; i < tries; i++)
        good += take(l, now) == LIMITS_WITHIN;
    return good;
}

/* --- limits */

static void test_an_hour_and_a_day_hold_exactly_so_many(void **state)
{
    const struct limits l = {.per_hour = 50, .per_day = 120};
    (void)state;
    assert_int_equal(take_many(&l, START, 49), 49);
    assert_int_equal(take(&l, START + HOUR - 1500), LIMITS_WITHIN);
    assert_true(last.left_hour == 0 && last.left_day == 70 && last.hour_seconds == 2);
    assert_int_equal(take(&l, START + HOUR - 1500), LIMITS_HOUR_USED);
    assert_true(last.first && last.wait_seconds == 2);
    assert_int_equal(take(&l, START + HOUR - 1), LIMITS_HOUR_USED);
    assert_true(!last.first && last.wait_seconds == 1);
    assert_int_equal(take_many(&l, START + HOUR, 60), 50);
    /* What the hour refused did not cost the day. */
    assert_int_equal(take_many(&l, START + 2 * HOUR, 60), 20);
    assert_int_equal(last.verdict, LIMITS_DAY_USED);
    assert_int_equal(last.wait_seconds, 22 * 3600);
    assert_false(last.first);
    assert_int_equal(take_many(&l, START + DAY, 60), 50);
}

/* Asking whether there is room takes none. */
static void test_what_is_used_up_is_told_without_counting(void **state)
{
    const struct limits l = {.per_hour = 2, .per_day = 3}, none = {0};
    (void)state;
    for (int i = 0; i < 10; i++)
        assert_false(limits_used_up(&used, &l, START));
    assert_int_equal(take_many(&l, START, 2), 2);
    assert_true(limits_used_up(&used, &l, START + HOUR - 1));
    assert_false(limits_used_up(&used, &l, START + HOUR));
    assert_int_equal(take(&l, START + HOUR), LIMITS_WITHIN);
    assert_true(limits_used_up(&used, &l, START + 2 * HOUR)); /* the day */
    assert_false(limits_used_up(&used, &l, START + DAY));
    assert_false(limits_used_up(&used, &none, START + HOUR));
}

static void test_a_burst_refills_at_the_hourly_rate(void **state)
{
    const struct limits l = {.per_hour = 3600, .per_day = 100000, .burst = 10};
    (void)state;
    assert_int_equal(take_many(&l, START + 5, 30), 10);
    assert_int_equal(last.verdict, LIMITS_BURSTING);
    assert_int_equal(last.wait_seconds, 1);
    assert_int_equal(take_many(&l, START + 3005, 30), 3);
    assert_int_equal(take_many(&l, START + HOUR / 2, 30), 10);  /* never more than the burst */
    assert_int_equal(atomic_load(&used.hour) & UINT32_MAX, 23); /* refused ones are not counted */
}

/* Somebody sets the clock back and forth: nobody is shut out until the clock has caught up. */
static void test_a_clock_that_jumps(void **state)
{
    const struct limits l = {.per_hour = 3600, .per_day = 100000, .burst = 10};
    (void)state;
    assert_int_equal(take_many(&l, START + 30 * DAY, 30), 10);
    assert_int_equal(take_many(&l, START, 30), 10);
    assert_int_equal(take(&l, START + 1000), LIMITS_WITHIN);
    assert_int_equal(take_many(&l, START + 30 * DAY, 30), 10);
}

static void test_no_limits(void **state)
{
    const struct limits none = {0}, most = {LIMITS_MAX, LIMITS_MAX, LIMITS_MAX};
    (void)state;
    assert_int_equal(take_many(&none, START, 5000), 5000);
    assert_int_equal(take_many(&most, START, 5000), 5000);
}

/* The largest burst at a slow rate is longer than 64 bits of nanoseconds: it is no smaller one for that. */
static void test_the_largest_bursts(void **state)
{
    static const uint32_t rates[] = {1, 2, 49, 50, 99, 100, 195, 200, 1000, LIMITS_MAX};
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rates); i++) {
        const struct limits l = {.per_hour = rates[i], .per_day = LIMITS_MAX, .burst = LIMITS_MAX};
        unsigned most = rates[i] < 500 ? rates[i] : 500;
        memset(&used, 0, sizeof used);
        assert_int_equal(take_many(&l, START, most), most);
        assert_int_equal(take_many(&l, START + HOUR, most), most);
    }
}

static void *taker(void *context)
{
    const struct limits l = {.per_hour = 1000, .per_day = 100000};
    unsigned *good = context;
    for (unsigned i = 0; i < 5000; i++) {
        struct limits_state s;
        limits_take(&used, &l, START, &s);
        *good += s.verdict == LIMITS_WITHIN;
    }
    return NULL;
}

static void test_threads_share_one_limit(void **state)
{
    pthread_t threads[4];
    unsigned good[4] = {0};
    (void)state;
    for (int i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, taker, &good[i]), 0);
    for (int i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(good[0] + good[1] + good[2] + good[3], 1000);
}

/* --- networks */

static struct text_list list_of(struct view *v)
{
    return (struct text_list){.items = v, .count = v->len ? 1 : 0};
}

static bool from(const char *allowed, const char *blocked, const char *source)
{
    struct view a = view_str(allowed), b = view_str(blocked);
    struct text_list allow = list_of(&a), block = list_of(&b);
    struct network_source s;
    assert_int_equal(network_source_parse(view_str(source), &s), OK);
    return rules_allow_source(&allow, &block, &s);
}

static void test_networks(void **state)
{
    (void)state;
    assert_true(from("192.0.2.0/24", "", "192.0.2.255") && !from("192.0.2.0/24", "", "192.0.3.0"));
    assert_true(from("192.0.2.128/25", "", "192.0.2.128") && !from("192.0.2.128/25", "", "192.0.2.127"));
    assert_true(from("192.0.2.7", "", "192.0.2.7") && !from("192.0.2.7", "", "192.0.2.6"));
    assert_true(from("192.0.2.0/24", "", "::ffff:192.0.2.9")); /* one address, two spellings */
    assert_true(from("2001:db8::/33", "", "2001:db8:7fff::1") && !from("2001:db8::/33", "", "2001:db8:8000::1"));
    assert_true(from("0.0.0.0/0", "", "203.0.113.1") && !from("0.0.0.0/0", "", "::1"));
    assert_true(from("::/0", "", "::1") && !from("::/0", "", "203.0.113.1"));
    assert_true(from("unix", "", "unix:7") && from("unix:7", "", "unix:7") && !from("unix:7", "", "unix:8"));
    assert_false(from("0.0.0.0/0", "", "unix:7"));
    assert_false(from("192.0.2.0/24", "192.0.2.7", "192.0.2.7")); /* a block beats an allow */
    assert_true(from("", "192.0.2.7", "192.0.2.8") && from("", "", "192.0.2.8"));
    struct text_list none = {0};
    struct view v = VIEW_STR("192.0.2.0/24");
    struct text_list one = {&v, 1};
    assert_true(rules_allow_source(&none, &none, NULL));
    assert_false(rules_allow_source(&one, &none, NULL) || rules_allow_source(&none, &one, NULL));
}

static void test_networks_have_one_spelling(void **state)
{
    static const char *const bad[] = {"",        "192.0.2.1/24",    "192.0.2.0/33",   "192.0.2.0/", "192.0.2.0/024",
                                      "192.0.2", "2001:db8::1/32",  "2001:db8::/129", "unix:",      "unix:-1",
                                      "unix:07", "unixx",           "10.0.0.0/8 ",    "fe80::1%lo", "010.0.0.0/8",
                                      "/8",      "unix:4294967295", "10.0.0.0/8/8",   "example.org"};
    struct network_source s;
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        if (network_valid(view_str(bad[i])))
            fail_msg("taken: '%s'", bad[i]);
    assert_true(network_valid(VIEW_STR("10.0.0.0/8")) && network_valid(VIEW_STR("unix:0")));
    assert_int_equal(network_source_parse(VIEW_STR("unix"), &s), ERR_MALFORMED);
    assert_int_equal(network_source_parse(VIEW_STR("10.0.0.0/8"), &s), ERR_MALFORMED);
}

/* --- endpoints */

static bool endpoint(const char *allowed, const char *blocked, const char *method, const char *path)
{
    struct view a = view_str(allowed), b = view_str(blocked);
    struct text_list allow = list_of(&a), block = list_of(&b);
    return rules_allow_endpoint(&allow, &block, view_str(method), view_str(path));
}

static void test_endpoints(void **state)
{
    (void)state;
    assert_true(endpoint("GET /api/v1/keys", "", "GET", "/api/v1/keys"));
    assert_true(endpoint("GET /api/v1/keys", "", "GET", "/api/v1/keys/abc"));
    assert_false(endpoint("GET /api/v1/keys", "", "GET", "/api/v1/keysets"));
    assert_false(endpoint("GET /api/v1/keys", "", "POST", "/api/v1/keys"));
    assert_true(endpoint("* /api/v1/keys/", "", "POST", "/api/v1/keys"));
    assert_true(endpoint("* /", "", "POST", "/x"));
    assert_false(endpoint("* /", "* /x", "POST", "/x/y"));
    assert_true(endpoint("GET /x", "", "HEAD", "/x"));
    assert_false(endpoint("", "GET /x", "HEAD", "/x")); /* a block of GET can't be gone round by HEAD */
    assert_true(endpoint("", "GET /x", "GET", "/y"));
    assert_false(endpoint("", "GET /x", "", "") || endpoint("GET /x", "", "GET", ""));
    assert_true(endpoint("", "", "", ""));
    static const char *const bad[] = {"", "GET", "GET ", "get /x", "GET x", "GET /x?y", "GET /a b", "HEAD /x", " /x"};
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        if (rules_endpoint_valid(view_str(bad[i])))
            fail_msg("taken: '%s'", bad[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_an_hour_and_a_day_hold_exactly_so_many, set_up),
        cmocka_unit_test_setup(test_what_is_used_up_is_told_without_counting, set_up),
        cmocka_unit_test_setup(test_a_burst_refills_at_the_hourly_rate, set_up),
        cmocka_unit_test_setup(test_a_clock_that_jumps, set_up),
        cmocka_unit_test_setup(test_no_limits, set_up),
        cmocka_unit_test_setup(test_the_largest_bursts, set_up),
        cmocka_unit_test_setup(test_threads_share_one_limit, set_up),
        cmocka_unit_test(test_networks),
        cmocka_unit_test(test_networks_have_one_spelling),
        cmocka_unit_test(test_endpoints),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
