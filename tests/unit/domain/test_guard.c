/* Which permission a request needs, and whose word on it is taken. */
#include "domain/guard/guard.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define GET  VIEW_STR("GET")
#define POST VIEW_STR("POST")

static struct view only_get[] = {GET}, only_post[] = {POST}, get_options[] = {GET, VIEW_STR("OPTIONS")};

static struct config_guard_endpoint rows[] = {
    {.path = VIEW_STR("/api"), .permission = PERMISSION_SYSTEM_CONFIG},
    {.path = VIEW_STR("/api/execute"), .methods = {only_post, 1}, .permission = PERMISSION_MEV_EXECUTE},
    {.path = VIEW_STR("/api/execute"), .methods = {get_options, 2}, .permission = PERMISSION_MEV_VIEW},
    {.path = VIEW_STR("/api/execute/dry"), .methods = {only_post, 1}, .permission = PERMISSION_MARKET_READ},
    {.path = VIEW_STR("/apis"), .methods = {only_get, 1}, .permission = PERMISSION_PUBLIC},
};
static struct view proxies[] = {VIEW_STR("10.1.0.0/16"), VIEW_STR("2001:db8::7"), VIEW_STR("unix:33")};
static const struct config_guard config = {
    .proxies = {proxies, ARRAY_LEN(proxies)}, .endpoints = {rows, ARRAY_LEN(rows)}, .record = CONFIG_GUARD_DURABLE};

/* One at a time. */
static struct guard *made(const struct config_guard *from)
{
    static struct config_guard completed;
    const struct config_guard *c = &completed;
    completed = *from;
    config_guard_complete(&completed);
    struct guard *g = NULL;
    struct problem why = {0};
    assert_int_equal(guard_new(c, random_system(), &g, &why), OK);
    return g;
}

static void the_longest_path_decides_about_the_method_too(void **state)
{
    static const struct {
        const char *method, *path;
        enum err e;
        enum permission permission;
    } asked[] = {
        {"POST", "/api/execute", OK, PERMISSION_MEV_EXECUTE},
        {"POST", "/api/execute/", OK, PERMISSION_MEV_EXECUTE},
        {"POST", "/api/execute/7/x", OK, PERMISSION_MEV_EXECUTE},
        {"GET", "/api/execute", OK, PERMISSION_MEV_VIEW},
        {"HEAD", "/api/execute", OK, PERMISSION_MEV_VIEW},
        {"DELETE", "/api/execute", ERR_METHOD_NOT_NAMED, PERMISSION_NONE}, /* though /api takes all */
        {"POST", "/api/execute/dry", OK, PERMISSION_MARKET_READ},
        {"GET", "/api/execute/dry/1", ERR_METHOD_NOT_NAMED, PERMISSION_NONE}, /* though /api/execute takes it */
        {"POST", "/api/executed", OK, PERMISSION_SYSTEM_CONFIG},              /* segments are whole */
        {"BREW", "/api", OK, PERMISSION_SYSTEM_CONFIG},
        {"GET", "/apis/x", OK, PERMISSION_PUBLIC},
        {"GET", "/ap", ERR_NO_RULE, PERMISSION_NONE},
        {"GET", "/API", ERR_NO_RULE, PERMISSION_NONE},
        {"GET", "/", ERR_NO_RULE, PERMISSION_NONE},
        {"GET", "", ERR_NO_RULE, PERMISSION_NONE},
        {"GET", "api", ERR_NO_RULE, PERMISSION_NONE},
    };
    struct guard *g = made(&config);
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(asked); i++) {
        const struct config_guard_endpoint *row = NULL;
        enum err e = endpoints_find(guard_endpoints(g), view_str(asked[i].method), view_str(asked[i].path), &row);
        enum permission p = row ? (enum permission)row->permission : PERMISSION_NONE;
        if (e != asked[i].e || p != asked[i].permission)
            fail_msg("%s %s: %s, %s", asked[i].method, asked[i].path, err_code(e), permission_name(p));
    }
    guard_free(g);
}

static void the_root_covers_what_no_other_row_does(void **state)
{
    struct config_guard_endpoint with_root[] = {
        rows[1], {.path = VIEW_STR("/"), .methods = {only_get, 1}, .permission = PERMISSION_MEV_VIEW}};
    const struct config_guard c = {.endpoints = {with_root, ARRAY_LEN(with_root)}};
    struct guard *g = made(&c);
    const struct config_guard_endpoint *p = NULL;
    (void)state;
    assert_int_equal(endpoints_find(guard_endpoints(g), GET, VIEW_STR("/any/where"), &p), OK);
    assert_int_equal(p->permission, PERMISSION_MEV_VIEW);
    assert_int_equal(endpoints_find(guard_endpoints(g), GET, VIEW_STR("/"), &p), OK);
    assert_int_equal(endpoints_find(guard_endpoints(g), POST, VIEW_STR("/any"), &p), ERR_METHOD_NOT_NAMED);
    assert_int_equal(endpoints_find(guard_endpoints(g), GET, VIEW_STR("/api/execute"), &p), ERR_METHOD_NOT_NAMED);
    guard_free(g);
}

static bool is_proxy(const struct guard *g, const char *from)
{
    struct network_source s;
    assert_int_equal(network_source_parse(view_str(from), &s), OK);
    return guard_is_proxy(g, &s);
}

static void without_rules_nobody_may_ask_and_nothing_is_allowed(void **state)
{
    const struct config_guard empty = {0};
    struct guard *g = made(&empty);
    const struct config_guard_endpoint *p;
    (void)state;
    assert_false(is_proxy(g, "127.0.0.1"));
    assert_int_equal(endpoints_find(guard_endpoints(g), GET, VIEW_STR("/"), &p), ERR_NO_RULE);
    guard_free(g);
}

static void proxies_are_the_named_ones(void **state)
{
    struct guard *g = made(&config);
    (void)state;
    assert_true(is_proxy(g, "10.1.255.1") && is_proxy(g, "2001:db8::7") && is_proxy(g, "unix:33"));
    assert_true(is_proxy(g, "::ffff:10.1.0.1"));
    assert_false(is_proxy(g, "10.2.0.1") || is_proxy(g, "2001:db8::8") || is_proxy(g, "unix:0") || is_proxy(g, "::1"));
    guard_free(g);
}

static enum err admits(const struct config_guard_networks *networks, const char *from)
{
    struct config_guard c = {.networks = *networks};
    struct address a;
    config_guard_complete(&c);
    struct guard *g = made(&c);
    assert_int_equal(address_parse(view_str(from), &a), OK);
    enum err e = guard_admits(g, &a, 1);
    guard_free(g);
    return e;
}

static void networks_are_let_in_by_the_longest_prefix(void **state)
{
    static struct view allowed[] = {VIEW_STR("192.0.2.0/24"), VIEW_STR("192.0.2.77")};
    static struct view blocked[] = {VIEW_STR("192.0.2.64/26"), VIEW_STR("10.1.0.0/16")};
    const struct config_guard_networks usual = {.block = {blocked, 2}},
                                       own = {.allow = {allowed, 2}, .block = {blocked, 2}},
                                       open = {.block = {blocked, 2}, .others = CONFIG_OTHERS_ALLOW};
    (void)state;
    assert_int_equal(admits(&usual, "10.0.0.1"), OK);
    assert_int_equal(admits(&usual, "::ffff:127.0.0.1"), OK);
    assert_int_equal(admits(&usual, "10.1.0.1"), ERR_ADDRESS_BLOCKED);
    assert_int_equal(admits(&usual, "8.8.8.8"), ERR_ADDRESS_NOT_ALLOWED);
    assert_int_equal(admits(&own, "192.0.2.1"), OK);
    assert_int_equal(admits(&own, "192.0.2.65"), ERR_ADDRESS_BLOCKED);
    assert_int_equal(admits(&own, "192.0.2.77"), OK);
    assert_int_equal(admits(&own, "127.0.0.1"),
                     ERR_ADDRESS_NOT_ALLOWED); /* one's own list is instead of the usual one */
    assert_int_equal(admits(&open, "8.8.8.8"), OK);
    assert_int_equal(admits(&open, "10.1.2.3"), ERR_ADDRESS_BLOCKED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_longest_path_decides_about_the_method_too),
        cmocka_unit_test(the_root_covers_what_no_other_row_does),
        cmocka_unit_test(without_rules_nobody_may_ask_and_nothing_is_allowed),
        cmocka_unit_test(proxies_are_the_named_ones),
        cmocka_unit_test(networks_are_let_in_by_the_longest_prefix),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
