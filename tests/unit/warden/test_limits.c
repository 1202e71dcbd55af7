/* What is never blocked: a front that is somebody else's must not shut out the desk, or the host from itself. */
#include "warden/limits.h"

#include "test.h"

static struct view allow[] = {VIEW_STR("10.0.0.0/8"), VIEW_STR("203.0.113.7"), VIEW_STR("2001:db8:a::/48")};
static struct view proxies[] = {VIEW_STR("unix:33"), VIEW_STR("198.51.100.9"), VIEW_STR("2001:db8:b::1")};
static struct view trusted[] = {VIEW_STR("192.0.2.200")};
static const struct config_guard guard = {.trusted = {trusted, ARRAY_LEN(trusted)},
                                          .proxies = {proxies, ARRAY_LEN(proxies)},
                                          .networks.allow = {allow, ARRAY_LEN(allow)}};

static int setup(void **state)
{
    static struct limits limits;
    *state = &limits;
    return limits_init(&limits, &guard, NULL) == OK ? 0 : 1;
}

static void what_is_let_in_is_never_blocked_in_part_or_with_others(void **state)
{
    static const struct {
        const char *text;
        enum err verdict;
    } cases[] = {
        {"192.0.2.1", OK},
        {"192.0.2.0/25", OK},
        {"192.0.2.200", ERR_FORBIDDEN},
        {"192.0.2.0/24", ERR_FORBIDDEN},
        {"2001:db8:c::/48", OK},
        {"2001:db8:c::1", OK},
        {"11.0.0.0/8", OK},
        {"10.0.0.0/8", ERR_FORBIDDEN},
        {"10.200.0.0/16", ERR_FORBIDDEN},
        {"10.1.2.3", ERR_FORBIDDEN},
        {"203.0.113.7", ERR_FORBIDDEN},
        {"203.0.113.6", OK},
        {"203.0.113.6/31", ERR_FORBIDDEN},
        {"203.0.0.0/16", ERR_FORBIDDEN},
        {"198.51.100.9", ERR_FORBIDDEN},
        {"198.51.100.8/30", ERR_FORBIDDEN},
        {"2001:db8:a:1::/64", ERR_FORBIDDEN},
        {"2001:db8::/32", ERR_FORBIDDEN},
        {"2001:db8:b::1", ERR_FORBIDDEN},
        {"2001:db8:b::/64", ERR_FORBIDDEN},
        {"2001:db8:b:1::/64", OK},
        /* what a host needs, and what is nobody's */
        {"127.0.0.1", ERR_FORBIDDEN},
        {"127.0.0.0/8", ERR_FORBIDDEN},
        {"0.0.0.0/8", ERR_FORBIDDEN},
        {"224.0.0.1", ERR_FORBIDDEN},
        {"255.255.255.255", ERR_FORBIDDEN},
        {"::1", ERR_FORBIDDEN},
        {"fe80::1", ERR_FORBIDDEN},
        {"fe80::/16", ERR_FORBIDDEN},
        {"ff02::1", ERR_FORBIDDEN},
        /* half of the world */
        {"0.0.0.0/0", ERR_FORBIDDEN},
        {"128.0.0.0/1", ERR_FORBIDDEN},
        {"64.0.0.0/7", ERR_FORBIDDEN},
        {"64.0.0.0/8", OK},
        {"::/0", ERR_FORBIDDEN},
        {"2000::/3", ERR_FORBIDDEN},
        {"2a00::/15", ERR_FORBIDDEN},
        {"2a00::/16", OK},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct prefix p = network(cases[i].text);
        enum err e = limits_check(*state, &p);
        if (e != cases[i].verdict)
            fail_msg("%s: %s, should be %s", cases[i].text, err_code(e), err_code(cases[i].verdict));
    }
}

/* Bytes that prefix_parse would never make. */
static void what_is_no_prefix_is_refused(void **state)
{
    struct prefix p = network("192.0.2.0/24");
    p.base.b[15] = 1;
    assert_int_equal(limits_check(*state, &p), ERR_MALFORMED);
    p = network("192.0.2.1");
    p.bits = 129;
    assert_int_equal(limits_check(*state, &p), ERR_MALFORMED);
    p.bits = 255;
    assert_int_equal(limits_check(*state, &p), ERR_MALFORMED);
    for (unsigned bits = 0; bits < 104; bits++) { /* all of IPv4 and more, as IPv6 */
        struct address mapped = network("192.0.2.1").base;
        p = prefix_around(&mapped, bits);
        assert_int_equal(limits_check(*state, &p), ERR_FORBIDDEN);
    }
}

static void a_list_that_is_too_long_is_refused_and_not_cut(void **state)
{
    static struct view many[LIMITS_PROTECTED_MAX];
    struct config_guard g = {.networks.allow = {many, ARRAY_LEN(many)}};
    static struct limits limits;
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(many); i++)
        many[i] = VIEW_STR("192.0.2.0/24");
    assert_int_equal(limits_init(&limits, &g, NULL), ERR_LIMIT_REACHED);
}

static void a_budget_is_a_burst_and_then_a_rate(void **state)
{
    struct budget b = budget_new(10, 3);
    (void)state;
    assert_true(budget_take(&b, 1000) && budget_take(&b, 1000) && budget_take(&b, 1000));
    assert_false(budget_take(&b, 1000));
    assert_false(budget_take(&b, 1099));
    assert_true(budget_take(&b, 1100));
    assert_false(budget_take(&b, 1100));
    /* However long nothing came, no more than a burst. */
    for (int i = 0; i < 3; i++)
        assert_true(budget_take(&b, UINT64_MAX - 5));
    assert_false(budget_take(&b, UINT64_MAX - 5));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_let_in_is_never_blocked_in_part_or_with_others),
        cmocka_unit_test(what_is_no_prefix_is_refused),
        cmocka_unit_test(a_list_that_is_too_long_is_refused_and_not_cut),
        cmocka_unit_test(a_budget_is_a_burst_and_then_a_rate),
    };
    return cmocka_run_group_tests(tests, setup, NULL);
}
