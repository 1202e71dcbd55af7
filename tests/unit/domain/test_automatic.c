/* Who may try to sign in, who is blocked and for how long, and who is not. */
#include "domain/guard/guard.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define SECOND_NS UINT64_C(1000000000)
#define DAY_MS    86400000u

static struct address at(const char *text)
{
    struct address a;
    assert_int_equal(address_parse(view_str(text), &a), OK);
    return a;
}

static struct prefix client(const char *text)
{
    const struct address a = at(text);
    return rates_client(&a);
}

static struct prefix network(const char *text)
{
    struct prefix p;
    assert_int_equal(prefix_parse(view_str(text), &p, NULL), OK);
    return p;
}

/* --- log-ins */

static bool takes(struct attempts *a, enum attempts_kind kind, const char *from, uint64_t now_ns)
{
    AUTO_WRITER policy = writer_new(256), state = writer_new(256);
    struct attempts_said said = {&policy, &state, 0};
    const struct address address = at(from);
    bool good = attempts_take(a, kind, &address, now_ns, &said);
    assert_true((said.retry == 0) == good);
    return good;
}

static void tries_come_back_with_time_and_with_success(void **state)
{
    struct config_guard config = {0};
    struct attempts *a = NULL;
    const struct address from = at("192.0.2.1");
    uint64_t now = 1;
    (void)state;
    config_guard_complete(&config);
    assert_int_equal(attempts_new(&config, random_system(), &a, NULL), OK);
    for (int i = 0; i < 3; i++)
        assert_true(takes(a, ATTEMPTS_PROOF, "192.0.2.1", now));
    assert_false(takes(a, ATTEMPTS_PROOF, "192.0.2.1", now));
    assert_false(takes(a, ATTEMPTS_LOG_IN, "192.0.2.1", now));
    attempts_give(a, &from, now);
    assert_true(takes(a, ATTEMPTS_LOG_IN, "192.0.2.1", now));
    assert_false(takes(a, ATTEMPTS_LOG_IN, "192.0.2.1", now + 299 * SECOND_NS));
    assert_true(takes(a, ATTEMPTS_LOG_IN, "192.0.2.1", now + 300 * SECOND_NS));
    for (int i = 0; i < 5; i++) { /* right each time */
        const struct address other = at("2001:db8::1");
        assert_true(takes(a, ATTEMPTS_LOG_IN, "2001:db8::1", now));
        attempts_give(a, &other, now);
    }
    assert_false(takes(a, ATTEMPTS_LOG_IN, "2001:db8::ffff", now)); /* the same /64 */
    assert_true(takes(a, ATTEMPTS_PROOF, "2001:db8::ffff", now));
    attempts_free(a);
}

/* --- blocks */

static struct automatic *made(struct config_guard *config)
{
    struct automatic *a = NULL;
    config->automatic.mode = CONFIG_AUTOMATIC_BLOCK;
    config_guard_complete(config);
    assert_int_equal(automatic_new(&config->automatic, random_system(), &a, NULL), OK);
    return a;
}

static void each_kind_has_a_count_of_its_own(void **state)
{
    struct config_guard config = {.automatic = {.credentials = {3, 60}, .attacks = {1, 60}}};
    struct automatic *a = made(&config);
    const struct prefix one = client("192.0.2.1"), other = client("192.0.2.2");
    (void)state;
    for (uint32_t left = 3; left > 0; left--) {
        assert_int_equal(automatic_left(a, &one, NETWORKS_CREDENTIALS, 1), left);
        assert_false(automatic_count(a, &one, NETWORKS_CREDENTIALS, 1));
    }
    assert_false(automatic_count(a, &one, NETWORKS_ATTACKS, 1));
    assert_false(automatic_count(a, &other, NETWORKS_CREDENTIALS, 1));
    assert_true(automatic_count(a, &one, NETWORKS_CREDENTIALS, 1));
    assert_true(automatic_count(a, &one, NETWORKS_ATTACKS, 1));
    assert_false(automatic_count(a, &one, NETWORKS_CREDENTIALS, 1 + 20 * SECOND_NS)); /* a third of the window */
    automatic_forget(a, &one, 1 + 20 * SECOND_NS);
    assert_int_equal(automatic_left(a, &one, NETWORKS_CREDENTIALS, 1 + 20 * SECOND_NS), 3);
    automatic_free(a);
}

static void nothing_is_counted_while_it_is_off(void **state)
{
    struct config_guard config = {0};
    struct automatic *a = NULL;
    const struct prefix one = client("192.0.2.1");
    (void)state;
    config_guard_complete(&config);
    assert_int_equal(automatic_new(&config.automatic, random_system(), &a, NULL), OK);
    assert_false(automatic_is_on(a));
    for (int i = 0; i < 1000; i++)
        assert_false(automatic_count(a, &one, NETWORKS_CREDENTIALS, 1));
    automatic_free(a);
}

static void blocks_double_up_to_the_longest_one(void **state)
{
    struct config_guard config = {.automatic = {.block_seconds = 600, .longest_seconds = 3000}};
    struct automatic *a = made(&config);
    static const uint64_t lasts[] = {600, 1200, 2400, 3000, 3000};
    const struct prefix one = client("192.0.2.1");
    struct kept before = {0}, k;
    uint64_t now = DAY_MS;
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(lasts); i++) {
        k = automatic_block(a, &one, NETWORKS_LIMITS, &before, now);
        assert_int_equal(k.rule.ends_ms - now, 1000 * lasts[i]);
        assert_int_equal(k.times, i + 1);
        before = k;
        before.version = i + 1;
        now = k.rule.ends_ms + 1000 * lasts[i] - 1; /* the last moment in which it is remembered */
        assert_false(kept_is_over(&k, now));
        assert_true(kept_is_over(&k, now + 1));
    }
    k = automatic_block(a, &one, NETWORKS_LIMITS, &before, now + 1);
    assert_int_equal(k.times, 1);
    before.rule.origin = NETWORKS_OPERATOR; /* what people said is no first offence */
    assert_int_equal(automatic_block(a, &one, NETWORKS_LIMITS, &before, now).times, 1);
    automatic_free(a);
}

static void what_people_said_is_over_when_it_has_ended(void **state)
{
    struct kept k = {.rule = {.origin = NETWORKS_OPERATOR, .action = NETWORKS_BLOCK, .ends_ms = 1000}, .since_ms = 1};
    (void)state;
    assert_false(kept_is_over(&k, 999));
    assert_true(kept_is_over(&k, 1000));
    k.rule.ends_ms = 0;
    assert_false(kept_is_over(&k, UINT64_MAX));
}

static void networks_are_as_long_as_configured(void **state)
{
    struct config_guard config = {.automatic = {.prefix6 = 64, .hosts = {2, 60}}};
    struct automatic *a = made(&config);
    const struct prefix four = client("192.0.2.200"), six = client("2001:db8::1"), wanted = network("192.0.2.0/24");
    struct prefix p;
    (void)state;
    assert_true(automatic_network_of(a, &four, &p));
    assert_memory_equal(&p, &wanted, sizeof p);
    assert_false(automatic_network_of(a, &six, &p)); /* it is one already */
    assert_false(automatic_count_host(a, &wanted, 1));
    assert_false(automatic_count_host(a, &wanted, 1));
    assert_true(automatic_count_host(a, &wanted, 1));
    automatic_free(a);
}

static void who_is_trusted_keeps_his_network_from_a_block(void **state)
{
    static struct view trusted[] = {VIEW_STR("192.0.2.7"), VIEW_STR("2001:db8::/32")};
    static struct view proxies[] = {VIEW_STR("198.51.100.0/28"), VIEW_STR("unix")};
    struct config_guard config = {.trusted = {trusted, 2}, .proxies = {proxies, 2}};
    static const struct {
        const char *network;
        bool trusted;
    } asked[] = {{"192.0.2.7", true},        {"192.0.2.8", false},      {"192.0.2.0/24", true},
                 {"192.0.3.0/24", false},    {"198.51.100.15", true},   {"198.51.100.16", false},
                 {"::/64", false},           {"2001:db8:1::/64", true}, {"198.51.100.0/24", true},
                 {"2001:db9:1::/48", false}, {"127.0.0.1", false}};
    struct guard *g = NULL;
    (void)state;
    config_guard_complete(&config);
    assert_int_equal(guard_new(&config, random_system(), &g, NULL), OK);
    for (size_t i = 0; i < ARRAY_LEN(asked); i++) {
        const struct prefix p = network(asked[i].network);
        if (guard_trusts_in(g, &p) != asked[i].trusted)
            fail_msg("%s", asked[i].network);
    }
    guard_free(g);
}

/* --- what is known of blocks */

static struct kept block_of(const char *text, uint64_t ends_ms)
{
    return (struct kept){.rule = {.network = network(text), .action = NETWORKS_BLOCK, .ends_ms = ends_ms},
                         .since_ms = 1,
                         .times = 2,
                         .reason = NETWORKS_ATTACKS};
}

static void hits_are_counted_until_a_block_is_gone(void **state)
{
    struct blocks *b = NULL;
    const struct kept one = block_of("192.0.2.1", 1000), again = block_of("192.0.2.1", 2000),
                      other = block_of("::/64", 0);
    struct block found;
    (void)state;
    assert_int_equal(blocks_new(&b), OK);
    assert_int_equal(blocks_note(b, &one), OK);
    assert_int_equal(blocks_note(b, &other), OK);
    blocks_hit(b, &one.rule.network);
    blocks_hit(b, &one.rule.network);
    assert_int_equal(blocks_note(b, &again), OK); /* longer */
    assert_true(blocks_find(b, &one.rule.network, &found));
    assert_true(found.hits == 2 && found.ends_ms == 2000 && found.times == 2 && found.reason == NETWORKS_ATTACKS);
    blocks_drop(b, &one.rule.network);
    assert_false(blocks_find(b, &one.rule.network, &found));
    assert_true(blocks_find(b, &other.rule.network, &found));
    blocks_free(b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tries_come_back_with_time_and_with_success),
        cmocka_unit_test(each_kind_has_a_count_of_its_own),
        cmocka_unit_test(nothing_is_counted_while_it_is_off),
        cmocka_unit_test(blocks_double_up_to_the_longest_one),
        cmocka_unit_test(what_people_said_is_over_when_it_has_ended),
        cmocka_unit_test(networks_are_as_long_as_configured),
        cmocka_unit_test(who_is_trusted_keeps_his_network_from_a_block),
        cmocka_unit_test(hits_are_counted_until_a_block_is_gone),
    };
    return cmocka_run_group_tests_name("automatic blocks", tests, NULL, NULL);
}
