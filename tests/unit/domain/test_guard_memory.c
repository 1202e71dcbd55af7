/* Without memory nothing is lost that was said before, nothing is half there, and nothing leaks. */
#include "domain/guard/firewall.h"

#include "../failing_alloc.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static struct networks_rule rule(const char *network, enum networks_action action)
{
    struct networks_rule r = {.action = action};
    assert_int_equal(prefix_parse(view_str(network), &r.network, NULL), OK);
    return r;
}

static enum networks_action action(struct networks *n, const char *address)
{
    struct networks_rule r = {0};
    struct address a;
    assert_int_equal(address_parse(view_str(address), &a), OK);
    networks_look_up(n, &a, 1, &r);
    return r.action;
}

static const char *const said[] = {"198.51.100.1", "198.51.100.2", "198.51.100.0/24", "198.51.0.0/16", "2001:db8::/32"};

static struct networks *with_some(void)
{
    struct networks *n = NULL;
    struct networks_feed_report report;
    assert_int_equal(networks_new(&n), OK);
    for (size_t i = 0; i < ARRAY_LEN(said); i++) {
        struct networks_rule r = rule(said[i], NETWORKS_BLOCK);
        assert_int_equal(networks_put(n, &r), OK);
    }
    assert_int_equal(networks_feed_load(n, "f", VIEW_STR("203.0.113.1\n198.51.100.2\n"), 0, &report, NULL), OK);
    return n;
}

static void assert_nothing_lost(struct networks *n)
{
    assert_int_equal(action(n, "198.51.100.2"), NETWORKS_BLOCK);
    assert_int_equal(action(n, "198.51.100.77"), NETWORKS_BLOCK);
    assert_int_equal(action(n, "198.51.1.1"), NETWORKS_BLOCK);
    assert_int_equal(action(n, "2001:db8::1"), NETWORKS_BLOCK);
    assert_int_equal(action(n, "198.52.0.1"), NETWORKS_UNSAID);
}

static enum err put_another(struct networks *n)
{
    struct networks_rule r = rule("198.51.100.64/26", NETWORKS_ALLOW);
    return networks_put(n, &r);
}

static enum err remove_one(struct networks *n)
{
    struct networks_rule r = rule("198.51.100.1", NETWORKS_BLOCK);
    return networks_remove(n, &r.network, NETWORKS_OPERATOR);
}

static enum err replace_feed(struct networks *n)
{
    struct networks_feed_report report;
    return networks_feed_load(n, "f", VIEW_STR("203.0.113.2\n198.51.100.9\n198.51.100.2\n"), 0, &report, NULL);
}

static enum err drop_feed(struct networks *n)
{
    return networks_feed_drop(n, "f");
}

static void check_put(struct networks *n, bool done)
{
    assert_int_equal(action(n, "198.51.100.77"), done ? NETWORKS_ALLOW : NETWORKS_BLOCK);
}

static void check_replace(struct networks *n, bool done)
{
    assert_int_equal(action(n, "203.0.113.2"), done ? NETWORKS_BLOCK : NETWORKS_UNSAID);
    assert_int_equal(action(n, "203.0.113.1"), done ? NETWORKS_UNSAID : NETWORKS_BLOCK);
}

static void check_drop(struct networks *n, bool done)
{
    assert_int_equal(action(n, "203.0.113.1"), done ? NETWORKS_UNSAID : NETWORKS_BLOCK);
}

static const struct {
    enum err (*change)(struct networks *n);
    void (*check)(struct networks *n, bool done);
} changes[] = {{put_another, check_put}, {remove_one, NULL}, {replace_feed, check_replace}, {drop_feed, check_drop}};

static void run(size_t which, enum failing_alloc_how how)
{
    bool failed = true;
    for (size_t nth = 1; failed; nth++) {
        assert_true(nth < 200);
        struct networks *n = with_some();
        failing_alloc_begin(nth, how);
        enum err e = changes[which].change(n);
        failed = failing_alloc_end() > 0;
        if (e != OK)
            assert_int_equal(e, ERR_NO_MEMORY);
        if (!failed)
            assert_int_equal(e, OK);
        if (changes[which].check) {
            changes[which].check(n, e == OK);
            if (changes[which].check != check_put)
                assert_nothing_lost(n);
        }
        assert_int_equal(replace_feed(n), OK); /* and afterwards everything works again */
        assert_int_equal(action(n, "203.0.113.2"), NETWORKS_BLOCK);
        assert_int_equal(drop_feed(n), OK);
        assert_int_equal(action(n, "203.0.113.2"), NETWORKS_UNSAID);
        networks_free(n);
    }
}

static void test_networks_without_memory(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(changes); i++) {
        run(i, FAILING_ONE);
        run(i, FAILING_REST);
    }
}

/* A plan that lacks a network that is let in would have the kernel drop it. */
static void test_no_half_of_a_plan(void **state)
{
    bool failed = true;
    (void)state;
    struct networks *n = with_some();
    struct networks_rule let_in = rule("198.51.100.7", NETWORKS_ALLOW);
    assert_int_equal(networks_put(n, &let_in), OK);
    for (size_t nth = 1; failed; nth++) {
        struct firewall_plan p = {.left_out = 77};
        failing_alloc_begin(nth, FAILING_ONE);
        enum err e = firewall_plan_new(n, 1, 100, &p);
        failed = failing_alloc_end() > 0;
        assert_int_equal(e, failed ? ERR_NO_MEMORY : OK);
        assert_int_equal(p.left_out, failed ? 77 : 2);
        if (!failed)
            firewall_plan_free(&p);
        assert_true(nth < 10);
    }
    networks_free(n);
}

static void test_no_networks_without_memory(void **state)
{
    (void)state;
    for (size_t nth = 1; nth <= 4; nth++) {
        struct networks *n = NULL;
        failing_alloc_begin(nth, FAILING_ONE);
        enum err e = networks_new(&n);
        assert_int_equal(failing_alloc_end(), 1);
        assert_int_equal(e, ERR_NO_MEMORY);
        assert_null(n);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_no_half_of_a_plan),
        cmocka_unit_test(test_no_networks_without_memory),
        cmocka_unit_test(test_networks_without_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
