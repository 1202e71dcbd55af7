/* Rows of what was said of networks leave the store when they are over, and not because of a clock. */
#include "api_rig.h"

#include "api/inside.h"
#include "api/routes.h"

#include <stdio.h>

#define MINUTE 60000ull
#define DAY    (1440 * MINUTE)

static struct rig *rig;
static char admin[API_KEY_TEXT_SIZE];
static uint64_t mono_ms;

static uint64_t mono(const struct clock *c)
{
    (void)c;
    return mono_ms;
}

static int set_up(void **state)
{
    rig = rig_set_up(state, &networks_routes);
    mono_ms = 1000000;
    rig->clock.mono_ms = mono;
    rig_key(rig, &(struct rig_key){.role = "admin", .expires_ms = rig->now_ms + 1000 * DAY}, admin);
    return 0;
}

/* Both clocks, as they go by themselves. */
static void pass(uint64_t ms)
{
    rig->now_ms += ms;
    mono_ms += ms;
}

static void say(const char *network, const char *action, unsigned minutes)
{
    struct rig_reply a;
    char headers[200], body[200];
    (void)snprintf(headers, sizeof headers, "X-API-Key: %s\r\n", admin);
    (void)snprintf(body, sizeof body, "{\"network\":\"%s\",\"action\":\"%s\",\"minutes\":%u}", network, action,
                   minutes);
    rig_ask(rig, "PUT", "/api/v1/guard/networks", headers, body, &a);
    if (a.status != 200)
        fail_msg("%s", a.text);
}

/* As each second, until nothing more happens. */
static void sweep(void)
{
    for (int i = 0; i < 10; i++) {
        pass(1000);
        sweep_look(&rig->thread);
        rig_turns(rig, 20);
    }
}

static bool has_row(const char *network)
{
    AUTO(arena_free) struct arena *arena = NULL;
    struct prefix p;
    struct kept k;
    assert_int_equal(prefix_parse(view_str(network), &p, NULL), OK);
    assert_int_equal(arena_new(4096, 65536, &arena), OK);
    enum err e = kept_get(rig->thread.reader, atomic_load(&rig->shared.keys), &p, arena, &k);
    assert_true(e == OK || e == ERR_NOT_FOUND);
    return e == OK;
}

static enum err admits(const char *from)
{
    struct address a;
    assert_int_equal(address_parse(view_str(from), &a), OK);
    return guard_admits(rig->shared.guard, &a, rig->now_ms);
}

static size_t in_memory(void)
{
    const struct networks_count c = networks_count(guard_networks(rig->shared.guard));
    return c.let_in + c.kept_out;
}

static void what_has_ended_leaves_store_and_memory(void **state)
{
    (void)state;
    say("10.1.0.0/16", "block", 5);
    say("192.0.2.7", "allow", 60);
    say("2001:db8::/32", "block", 5);
    assert_int_equal(admits("10.1.0.1"), ERR_ADDRESS_BLOCKED);
    sweep();
    pass(5 * MINUTE);
    assert_int_equal(admits("10.1.0.1"), OK); /* at once, and as the configuration has it */
    sweep();
    assert_true(has_row("10.1.0.0/16") && in_memory() == 3);
    size_t before = rig_records(rig, EVENT_NETWORK_FREED);
    pass(10 * MINUTE);
    sweep();
    assert_false(has_row("10.1.0.0/16") || has_row("2001:db8::/32"));
    assert_true(has_row("192.0.2.7") && in_memory() == 1 && admits("192.0.2.7") == OK);
    assert_int_equal(rig_records(rig, EVENT_NETWORK_FREED), before + 1);
    say("10.1.0.0/16", "block", 5); /* anew */
    assert_int_equal(admits("10.1.0.1"), ERR_ADDRESS_BLOCKED);
}

/* What the clock's jump made end is there again when the clock is right again. */
static void a_clock_that_jumps_ahead_removes_nothing(void **state)
{
    (void)state;
    sweep();
    pass(20 * MINUTE);
    say("10.1.0.0/16", "block", 60);
    sweep();
    rig->now_ms += 400 * DAY;
    assert_int_equal(admits("10.1.0.1"), OK);
    sweep();
    pass(20 * MINUTE);
    sweep();
    assert_true(has_row("10.1.0.0/16"));
    rig->now_ms -= 400 * DAY;
    sweep();
    assert_int_equal(admits("10.1.0.1"), ERR_ADDRESS_BLOCKED);
    rig->now_ms -= 400 * DAY; /* and one that was set back */
    sweep();
    assert_true(has_row("10.1.0.0/16"));
    assert_int_equal(admits("10.1.0.1"), ERR_ADDRESS_BLOCKED);
}

static void more_than_one_look_s_worth_goes_in_several(void **state)
{
    char network[32];
    (void)state;
    for (int i = 0; i < 150; i++) {
        (void)snprintf(network, sizeof network, "10.9.%d.0/24", i);
        say(network, "block", 5);
    }
    sweep();
    pass(16 * MINUTE);
    sweep();
    assert_int_equal(in_memory(), 0);
    for (int i = 0; i < 150; i++) {
        (void)snprintf(network, sizeof network, "10.9.%d.0/24", i);
        assert_false(has_row(network));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_has_ended_leaves_store_and_memory, set_up, rig_tear_down),
        cmocka_unit_test_setup_teardown(a_clock_that_jumps_ahead_removes_nothing, set_up, rig_tear_down),
        cmocka_unit_test_setup_teardown(more_than_one_look_s_worth_goes_in_several, set_up, rig_tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
