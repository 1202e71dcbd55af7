/* Automatic blocks: at once in force, each of them in the record and in the store, however many come; and nothing that
 * people say is undone by one that was on its way. */
#include "api/strikes.h"

#include "api_rig.h"

#include "api/inside.h"
#include "api/routes.h"
#include "api/unsaved.h"
#include "vfs_powercut.h"

#include <sqlite3.h>
#include <stdio.h>

#define MINUTE 60000ull
#define BURST  64 /* that have a record of their own */
#define LATER  (UNSAVED_MS + 300)

static struct rig *rig;
static char admin[API_KEY_TEXT_SIZE];
static uint64_t mono_ms;

static uint64_t mono(const struct clock *c)
{
    (void)c;
    return mono_ms;
}

static void new_guard(void)
{
    guard_free(rig->shared.guard);
    rig->shared.guard = NULL;
    assert_int_equal(guard_new(&rig->config.guard, rig->shared.random, &rig->shared.guard, NULL), OK);
}

static int set_up(void **state)
{
    struct config_guard *c;
    rig = rig_set_up(state, &networks_routes);
    c = &rig->config.guard;
    c->networks.others = CONFIG_OTHERS_ALLOW;
    c->automatic.mode = CONFIG_AUTOMATIC_BLOCK;
    c->automatic.credentials = (struct config_guard_strikes){1, 60};
    c->automatic.hosts = (struct config_guard_strikes){100000, 60};
    c->automatic.block_seconds = 900;
    new_guard();
    mono_ms = 1000000;
    rig->clock.mono_ms = mono;
    rig_key(rig, &(struct rig_key){.role = "admin", .expires_ms = rig->now_ms + 10000 * MINUTE}, admin);
    return 0;
}

static struct address numbered(unsigned n)
{
    char text[32];
    struct address a;
    (void)snprintf(text, sizeof text, "198.51.%u.%u", n / 256, n % 256);
    assert_int_equal(address_parse(view_str(text), &a), OK);
    return a;
}

/* Two wrong keys: one goes by. */
static void fails(unsigned n)
{
    const struct http_ended how = {.status = 401, .code = ERR_KEY_MALFORMED};
    const struct address a = numbered(n);
    struct http_request req = {.server_context = &rig->thread};
    memcpy(req.peer.address, a.b, sizeof a.b);
    strikes_saw(&rig->thread, &req, &how);
    strikes_saw(&rig->thread, &req, &how);
}

static bool is_blocked(unsigned n)
{
    const struct address a = numbered(n);
    return guard_admits(rig->shared.guard, &a, rig->now_ms) == ERR_ADDRESS_BLOCKED;
}

static bool row_of(unsigned n, struct kept *ret)
{
    AUTO(arena_free) struct arena *arena = NULL;
    const struct address a = numbered(n);
    const struct prefix p = rates_client(&a);
    assert_int_equal(arena_new(4096, 65536, &arena), OK);
    enum err e = kept_get(rig->thread.reader, atomic_load(&rig->shared.keys), &p, arena, ret);
    assert_true(e == OK || e == ERR_NOT_FOUND);
    return e == OK;
}

static bool has_row(unsigned n)
{
    struct kept unused;
    return row_of(n, &unused);
}

struct found {
    size_t count;
    char resource[700], detail[4097], also[1025];
};

static bool take(void *context, const struct record_view *r)
{
    struct found *f = context;
    f->count++;
    assert_int_equal(view_to_str(r->what.resource, f->resource, sizeof f->resource), OK);
    assert_int_equal(view_to_str(r->what.detail, f->detail, sizeof f->detail), OK);
    assert_int_equal(view_to_str(r->what.also, f->also, sizeof f->also), OK);
    return true;
}

/* As whoever reads the record asks: when was this address blocked, why, until when. */
static void search(unsigned n, uint16_t type, struct found *ret)
{
    char name[64];
    struct record_filter filter = {.type = type};
    struct problem why = {0};
    uint64_t next;
    (void)snprintf(name, sizeof name, "network:198.51.%u.%u", n / 256, n % 256);
    filter.resource = view_str(name);
    *ret = (struct found){0};
    enum err e = query_search(rig->thread.reader, atomic_load(&rig->shared.keys), &filter, take, ret, &next, &why);
    if (e != OK)
        fail_msg("%s", why.detail);
}

static void is_recorded_once(unsigned n)
{
    static struct found f;
    search(n, EVENT_ADDRESS_BLOCKED, &f);
    assert_int_equal(f.count, 1);
    assert_non_null(strstr(f.detail, "credentials, until 20"));
}

static void say(const char *method, const char *path, const char *body, int status)
{
    struct rig_reply a;
    char headers[200];
    (void)snprintf(headers, sizeof headers, "X-API-Key: %s\r\n", admin);
    rig_ask(rig, method, path, headers, body, &a);
    if (a.status != status)
        fail_msg("%s", a.text);
}

static void take_back(unsigned n, int status)
{
    char path[100];
    (void)snprintf(path, sizeof path, "/api/v1/guard/networks?network=198.51.%u.%u", n / 256, n % 256);
    say("DELETE", path, NULL, status);
}

/* From then on blocks are collected. */
static void use_up_burst(void)
{
    for (unsigned n = 0; n < BURST; n++) {
        fails(60000 + n);
        for (int i = 0; i < 500 && !has_row(60000 + n); i++)
            rig_turns(rig, 1);
        assert_true(has_row(60000 + n));
    }
}

static void turn(void)
{
    assert_int_equal(loop_turn(rig->thread.loop, 2), OK);
}

static void one_is_in_force_at_once_and_kept(void **state)
{
    static struct found f;
    (void)state;
    fails(1);
    turn();
    assert_true(is_blocked(1) && !is_blocked(2));
    rig_turns(rig, 100);
    assert_true(has_row(1) && is_blocked(1));
    search(1, 0, &f);
    assert_int_equal(f.count, 1);
    assert_string_equal(f.resource, "network:198.51.0.1");
    assert_memory_equal(f.detail, "automatic: credentials, until 20", 32);
    assert_string_equal(f.also, "");
    assert_int_equal(api_thread_waiting(&rig->thread), 0);
}

static void many_share_records_that_name_each(void **state)
{
    struct problem why = {0};
    (void)state;
    use_up_burst();
    size_t before = rig_records(rig, EVENT_ADDRESS_BLOCKED);
    assert_int_equal(before, BURST);
    for (unsigned n = 0; n < 200; n++) {
        fails(n);
        if (n % 3 == 0)
            turn();
    }
    turn();
    for (unsigned n = 0; n < 200; n++)
        assert_true(is_blocked(n));
    rig_turns(rig, LATER);
    assert_int_equal(rig_records(rig, EVENT_ADDRESS_BLOCKED) - before, 13); /* 200 / 16, and what is left of them */
    for (unsigned n = 0; n < 200; n++) {
        assert_true(has_row(n));
        is_recorded_once(n);
    }
    assert_int_equal(ledger_check_rows(rig->shared.ledger, &why), OK);
    new_guard(); /* as after a start */
    size_t damaged = 0;
    assert_int_equal(guard_load(rig->shared.guard, rig->thread.reader, atomic_load(&rig->shared.keys), &damaged, &why),
                     OK);
    for (unsigned n = 0; n < 200; n++)
        assert_true(is_blocked(n));
    assert_int_equal(damaged, 0);
}

/* However seldom: a second later there is room for a record of its own again. */
static void few_wait_half_a_second_at_most(void **state)
{
    (void)state;
    use_up_burst();
    fails(1);
    rig_turns(rig, 50);
    assert_true(is_blocked(1) && !has_row(1));
    assert_int_equal(api_thread_waiting(&rig->thread), 1); /* whoever ends the process waits for it */
    rig_turns(rig, LATER);
    assert_true(has_row(1));
    mono_ms += 1000;
    fails(2);
    rig_turns(rig, 100);
    assert_true(has_row(2));
    is_recorded_once(1);
    is_recorded_once(2);
}

static void who_is_let_go_before_his_row_stays_free(void **state)
{
    static struct found f;
    (void)state;
    use_up_burst();
    fails(1);
    fails(2);
    turn();
    assert_true(is_blocked(1) && !has_row(1));
    take_back(1, 204);
    assert_false(is_blocked(1));
    rig_turns(rig, LATER);
    assert_true(!has_row(1) && !is_blocked(1) && has_row(2) && is_blocked(2));
    search(1, EVENT_ADDRESS_BLOCKED, &f);
    assert_int_equal(f.count, 1);
    assert_string_equal(f.resource, "network:198.51.0.2"); /* rows first: the leaf's changes are in this order */
    assert_non_null(strstr(f.detail, "198.51.0.1: credentials, until 20"));
    assert_non_null(strstr(f.detail, ", taken back at once"));
    search(1, EVENT_NETWORK_FREED, &f);
    assert_int_equal(f.count, 1);
    take_back(1, 404);
    take_back(2, 204);
    assert_false(is_blocked(2));
}

/* However the moment falls: before the row is handed in, on its way, or there. */
static void whenever_he_is_let_go_he_stays_free(void **state)
{
    static struct found f;
    (void)state;
    for (unsigned n = 0; n < 40; n++) {
        fails(n);
        for (unsigned turns = 0; turns < n % 4 || !is_blocked(n); turns++)
            turn();
        take_back(n, 204);
        assert_false(is_blocked(n));
        rig_turns(rig, 20);
        assert_true(!has_row(n) && !is_blocked(n));
        search(n, EVENT_NETWORK_FREED, &f);
        assert_int_equal(f.count, 1);
        is_recorded_once(n);
    }
}

/* Of a row that is remembered: its block is over, and the next one is on its way when somebody takes it back. */
static void who_is_let_go_before_his_next_row_stays_free(void **state)
{
    (void)state;
    fails(1);
    rig_turns(rig, 50);
    assert_true(has_row(1));
    rig->now_ms += 16 * MINUTE;
    assert_false(is_blocked(1));
    use_up_burst();
    fails(1);
    turn();
    assert_true(is_blocked(1));
    take_back(1, 204);
    assert_false(is_blocked(1));
    rig_turns(rig, LATER);
    assert_true(!has_row(1) && !is_blocked(1));
}

static void what_people_say_meanwhile_counts(void **state)
{
    static struct found f;
    struct kept k;
    (void)state;
    use_up_burst();
    for (unsigned n = 1; n <= 4; n++)
        fails(n);
    turn();
    say("PUT", "/api/v1/guard/networks", "{\"network\":\"198.51.0.2\",\"action\":\"allow\",\"minutes\":5}", 200);
    say("PUT", "/api/v1/guard/networks", "{\"network\":\"198.51.0.3\",\"action\":\"block\",\"minutes\":5}", 200);
    rig_turns(rig, LATER);
    assert_true(is_blocked(1) && !is_blocked(2) && is_blocked(3) && is_blocked(4));
    assert_true(has_row(1) && has_row(4));
    assert_true(row_of(2, &k) && k.rule.origin == NETWORKS_OPERATOR && k.rule.action == NETWORKS_ALLOW);
    assert_true(row_of(3, &k) && k.rule.origin == NETWORKS_OPERATOR);
    for (unsigned n = 1; n <= 4; n++) {
        search(n, EVENT_ADDRESS_BLOCKED, &f);
        assert_int_equal(f.count, n == 3 ? 2 : 1);
    }
    assert_int_equal(networks_count(guard_networks(rig->shared.guard)).automatic, BURST + 2);
}

static void what_cant_be_recorded_is_taken_back(void **state)
{
    (void)state;
    use_up_burst();
    for (unsigned n = 0; n < 20; n++)
        fails(n);
    powercut_fail(rig->disk, 1, 1000000, SQLITE_FULL);
    turn();
    assert_true(is_blocked(0) && is_blocked(19));
    rig_turns(rig, LATER);
    for (unsigned n = 0; n < 20; n++)
        assert_false(is_blocked(n));
    assert_int_equal(rig->shared.health.log, API_LOG_FULL);
    fails(30);
    turn();
    assert_false(is_blocked(30));
    assert_true(powercut_fail_end(rig->disk) > 0);
    rig->shared.health.log = API_LOG_GOOD;
    fails(0);
    rig_turns(rig, LATER);
    assert_true(is_blocked(0) && has_row(0));
    is_recorded_once(0);
    assert_int_equal(api_thread_waiting(&rig->thread), 0);
}

static void what_finds_no_room_is_counted_and_comes_again(void **state)
{
    (void)state;
    for (unsigned n = 0; n < STRIKES_WAITING + 40; n++)
        fails(n);
    assert_int_equal(strikes_put_off(rig->shared.strikes), 40);
    rig_turns(rig, LATER);
    assert_true(is_blocked(STRIKES_WAITING - 1) && !is_blocked(STRIKES_WAITING));
    for (unsigned n = 0; n < 40; n++)
        fails(STRIKES_WAITING + n);
    assert_int_equal(strikes_put_off(rig->shared.strikes), 40);
    rig_turns(rig, LATER);
    for (unsigned n = 0; n < STRIKES_WAITING + 40; n++) {
        assert_true(has_row(n) && is_blocked(n));
        is_recorded_once(n);
    }
}

/* It is remembered for as long again as it lasted; then its row goes, also one of which the process knows by its start
 * alone. */
static void rows_of_blocks_that_are_over_leave_the_store(void **state)
{
    struct problem why = {0};
    size_t damaged = 0;
    (void)state;
    for (unsigned n = 0; n < 150; n++)
        fails(n);
    rig_turns(rig, LATER);
    assert_true(has_row(0) && has_row(149));
    new_guard();
    assert_int_equal(guard_load(rig->shared.guard, rig->thread.reader, atomic_load(&rig->shared.keys), &damaged, &why),
                     OK);
    for (unsigned minutes = 0; minutes < 45; minutes++) {
        rig->now_ms += MINUTE;
        mono_ms += MINUTE;
        for (unsigned i = 0; i < 4; i++) {
            sweep_look(&rig->thread);
            rig_turns(rig, 10);
            rig->now_ms += 1000;
            mono_ms += 1000;
        }
        if (minutes == 15)
            assert_true(!is_blocked(0) && has_row(0)); /* over, and remembered */
        if (minutes == 27)
            assert_true(has_row(0) && has_row(149));
    }
    for (unsigned n = 0; n < 150; n++)
        assert_false(has_row(n));
    assert_int_equal(networks_count(guard_networks(rig->shared.guard)).automatic, 0);
    assert_true(rig_records(rig, EVENT_NETWORK_FREED) <= 12); /* a leaf has 16 changes */
    assert_int_equal(ledger_check_rows(rig->shared.ledger, &why), OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(one_is_in_force_at_once_and_kept, set_up, rig_tear_down),
        cmocka_unit_test_setup_teardown(many_share_records_that_name_each, set_up, rig_tear_down),
        cmocka_unit_test_setup_teardown(few_wait_half_a_second_at_most, set_up, rig_tear_down),
        cmocka_unit_test_setup_teardown(who_is_let_go_before_his_row_stays_free, set_up, rig_tear_down),
        cmocka_unit_test_setup_teardown(whenever_he_is_let_go_he_stays_free, set_up, rig_tear_down),
        cmocka_unit_test_setup_teardown(who_is_let_go_before_his_next_row_stays_free, set_up, rig_tear_down),
        cmocka_unit_test_setup_teardown(what_people_say_meanwhile_counts, set_up, rig_tear_down),
        cmocka_unit_test_setup_teardown(what_cant_be_recorded_is_taken_back, set_up, rig_tear_down),
        cmocka_unit_test_setup_teardown(what_finds_no_room_is_counted_and_comes_again, set_up, rig_tear_down),
        cmocka_unit_test_setup_teardown(rows_of_blocks_that_are_over_leave_the_store, set_up, rig_tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
