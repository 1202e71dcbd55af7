/* What a firewall may know: it must never drop who the guard lets in, whatever is said around or inside of him. */
#include "domain/guard/firewall.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define NOW 1000000u

static struct networks *all;

static int setup(void **state)
{
    (void)state;
    return networks_new(&all) == OK ? 0 : 1;
}

static int teardown(void **state)
{
    (void)state;
    networks_free(all);
    return 0;
}

static struct prefix network(const char *text)
{
    struct prefix p;
    assert_int_equal(prefix_parse(view_str(text), &p, NULL), OK);
    return p;
}

static void said(const char *text, enum networks_action action, enum networks_origin origin, uint64_t ends_ms)
{
    const struct networks_rule rule = {network(text), action, origin, ends_ms, ""};
    assert_int_equal(networks_put(all, &rule), OK);
}

static void blocked(const char *text, uint64_t ends_ms)
{
    said(text, NETWORKS_BLOCK, NETWORKS_OPERATOR, ends_ms);
}

static void automatic(const char *text, uint64_t ends_ms)
{
    said(text, NETWORKS_BLOCK, NETWORKS_AUTOMATIC, ends_ms);
}

static void let_in(const char *text)
{
    said(text, NETWORKS_ALLOW, NETWORKS_OPERATOR, 0);
}

/* The plan as text, and each of its parts asked for alone says the same. */
static void plan_is(size_t max, const char *wanted, size_t left_out)
{
    struct firewall_plan p;
    char text[1024] = "";
    struct writer w = writer_fixed(text, sizeof text - 1);
    assert_int_equal(firewall_plan_new(all, NOW, max, &p), OK);
    for (size_t i = 0; i < p.block_count; i++) {
        char one[PREFIX_TEXT_SIZE];
        struct firewall_block alone;
        prefix_format(&p.blocks[i].network, one);
        writer_printf(&w, "%s%s@%llu", i ? " " : "", one, (unsigned long long)p.blocks[i].ends_ms);
        assert_true(firewall_plan_wants(&p, all, &p.blocks[i].network, NOW, &alone));
        assert_memory_equal(&alone.network, &p.blocks[i].network, sizeof alone.network);
        assert_int_equal(alone.ends_ms, p.blocks[i].ends_ms);
    }
    assert_string_equal(text, wanted);
    assert_int_equal(p.left_out, left_out);
    firewall_plan_free(&p);
}

static void blocks_in_force_are_in_it_with_their_ends(void **state)
{
    (void)state;
    blocked("192.0.2.1", NOW + 1);
    blocked("192.0.2.2", NOW);
    blocked("192.0.2.3", 0);
    automatic("198.51.100.0/24", NOW + 60000);
    automatic("2001:db8::/64", NOW + 9);
    said("203.0.113.0/24", NETWORKS_BLOCK, NETWORKS_CONFIGURED, 0);
    plan_is(100, "192.0.2.1@1000001 192.0.2.3@0 198.51.100.0/24@1060000 203.0.113.0/24@0 2001:db8::/64@1000009", 0);
}

static void of_two_who_say_it_the_later_end_counts(void **state)
{
    (void)state;
    blocked("192.0.2.1", NOW + 5);
    automatic("192.0.2.1", NOW + 9);
    blocked("192.0.2.2", NOW + 9);
    automatic("192.0.2.2", NOW + 5);
    blocked("192.0.2.3", 0);
    automatic("192.0.2.3", NOW + 5);
    blocked("192.0.2.4", NOW);
    automatic("192.0.2.4", NOW + 5);
    plan_is(100, "192.0.2.1@1000009 192.0.2.2@1000009 192.0.2.3@0 192.0.2.4@1000005", 0);
}

static void who_is_let_in_is_never_dropped(void **state)
{
    (void)state;
    let_in("192.0.2.64/26");
    blocked("192.0.2.0/24", 0);    /* around him: left out */
    blocked("192.0.2.70", 0);      /* inside, by the operator: the longest prefix */
    automatic("192.0.2.71", 0);    /* inside, automatic: does not count */
    automatic("192.0.2.64/26", 0); /* the same */
    automatic("192.0.2.1", 0);
    let_in("2001:db8::1");
    automatic("2001:db8::/64", 0);
    plan_is(100, "192.0.2.1@0 192.0.2.70@0", 4);
}

static void what_is_said_at_run_time_replaces_the_configuration(void **state)
{
    (void)state;
    said("192.0.2.0/24", NETWORKS_ALLOW, NETWORKS_CONFIGURED, 0);
    blocked("192.0.2.0/24", NOW + 5);
    said("198.51.100.0/24", NETWORKS_BLOCK, NETWORKS_CONFIGURED, 0);
    let_in("198.51.100.0/24");
    plan_is(100, "192.0.2.0/24@1000005", 0);
    assert_int_equal(networks_remove(all, &(struct prefix){network("192.0.2.0/24").base, 120}, NETWORKS_OPERATOR), OK);
    plan_is(100, "", 0);
}

static void what_does_not_fit_is_counted(void **state)
{
    (void)state;
    for (int i = 0; i < 10; i++) {
        char text[32];
        (void)snprintf(text, sizeof text, "192.0.2.%d", i);
        blocked(text, 0);
    }
    plan_is(2, "192.0.2.0@0 192.0.2.1@0", 8);
}

static void a_change_that_concerns_others_is_told_from_one_that_does_not(void **state)
{
    struct firewall_plan p;
    struct prefix allow = network("192.0.2.7"), block = network("192.0.2.0/24"), other = network("198.51.100.1");
    struct firewall_block b;
    (void)state;
    let_in("192.0.2.7");
    blocked("192.0.2.0/24", 0);
    assert_int_equal(firewall_plan_new(all, NOW, 100, &p), OK);
    assert_false(firewall_plan_is_shaken(&p, all, &block, NOW));
    assert_false(firewall_plan_is_shaken(&p, all, &other, NOW));
    assert_false(firewall_plan_wants(&p, all, &block, NOW, &b));
    assert_false(firewall_plan_wants(&p, all, &other, NOW, &b));
    /* Taken back, and let in anew. */
    assert_int_equal(networks_remove(all, &allow, NETWORKS_OPERATOR), OK);
    assert_true(firewall_plan_is_shaken(&p, all, &allow, NOW));
    let_in("198.51.100.1");
    assert_true(firewall_plan_is_shaken(&p, all, &other, NOW));
    firewall_plan_free(&p);
}

#define EACH(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        EACH(blocks_in_force_are_in_it_with_their_ends),
        EACH(of_two_who_say_it_the_later_end_counts),
        EACH(who_is_let_in_is_never_dropped),
        EACH(what_is_said_at_run_time_replaces_the_configuration),
        EACH(what_does_not_fit_is_counted),
        EACH(a_change_that_concerns_others_is_told_from_one_that_does_not),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
