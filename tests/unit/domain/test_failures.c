/* Wrong secrets by key and source: what is counted, for how long, and what a flood can do. */
#include "domain/keys/failures.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#define ID "0123456789ABCDEF"

static struct failures *f;
static uint64_t now;

static int set_up(void **state)
{
    (void)state;
    now = 1000000000000u;
    return failures_new(random_system(), &f) == OK ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    failures_free(f);
    return 0;
}

static enum failures_verdict shown(const char *id, const char *from, bool right)
{
    struct network_source s;
    assert_int_equal(network_source_parse(view_str(from), &s), OK);
    return failures_judge(
        f, &(struct failures_try){.id = view_str(id), .from = &s, .known = true, .right = right, .now_ms = now});
}

static void suspend(const char *id, const char *from)
{
    for (int i = 1; i < FAILURES_LIMIT; i++)
        assert_int_equal(shown(id, from, false), FAILURES_COUNTED);
    assert_int_equal(shown(id, from, false), FAILURES_BEGUN);
}

/* --- */

static void five_from_one_source_suspend_it_there(void **state)
{
    (void)state;
    suspend(ID, "192.0.2.1");
    assert_int_equal(shown(ID, "192.0.2.1", true), FAILURES_SUSPENDED);
    assert_int_equal(shown(ID, "192.0.2.1", false), FAILURES_SUSPENDED);
    assert_int_equal(shown(ID, "192.0.2.2", true), FAILURES_NONE);
    assert_int_equal(shown(ID, "unix:1000", true), FAILURES_NONE);
    assert_int_equal(shown("0123456789ABCDEG", "192.0.2.1", true), FAILURES_NONE);
    assert_int_equal(failures_suspended(f, VIEW_STR(ID), now), 1);
}

/* Going on guessing does not make it longer: it ends an hour after it began. */
static void it_ends_after_an_hour(void **state)
{
    (void)state;
    suspend(ID, "192.0.2.1");
    now += FAILURES_MS - 1;
    assert_int_equal(shown(ID, "192.0.2.1", false), FAILURES_SUSPENDED);
    now++;
    assert_int_equal(shown(ID, "192.0.2.1", true), FAILURES_NONE);
    suspend(ID, "192.0.2.1"); /* and five make it begin again */
}

static void slow_failures_are_not_added_up(void **state)
{
    (void)state;
    for (int i = 0; i < 20; i++, now += FAILURES_MS)
        assert_int_equal(shown(ID, "192.0.2.1", false), FAILURES_COUNTED);
}

static void a_clock_set_back_shuts_nobody_out(void **state)
{
    (void)state;
    suspend(ID, "192.0.2.1");
    now -= 10 * FAILURES_MS;
    assert_int_equal(shown(ID, "192.0.2.1", true), FAILURES_NONE);
}

/* Whoever has an IPv6 network has all of its addresses; IPv4 addresses are told apart. */
static void a_source_is_an_ipv6_network(void **state)
{
    static const char *const from[] = {"2001:db8::1", "2001:db8::2", "2001:db8::ffff:1", "2001:db8::3",
                                       "2001:db8::aaaa:bbbb:cccc:dddd"};
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(from); i++)
        assert_int_equal(shown(ID, from[i], false), i < 4 ? FAILURES_COUNTED : FAILURES_BEGUN);
    assert_int_equal(shown(ID, "2001:db8::77", true), FAILURES_SUSPENDED);
    assert_int_equal(shown(ID, "2001:db8:0:1::77", true), FAILURES_NONE);
}

/* Somebody who reports a source can't suspend a key for it but with himself. */
static void hearsay_is_counted_apart(void **state)
{
    struct network_source s;
    (void)state;
    assert_int_equal(network_source_parse(VIEW_STR("192.0.2.1"), &s), OK);
    struct failures_try t = {.id = VIEW_STR(ID), .from = &s, .via = VIEW_STR("key:a"), .known = true, .now_ms = now};
    for (int i = 0; i < FAILURES_LIMIT; i++)
        (void)failures_judge(f, &t);
    t.right = true;
    assert_int_equal(failures_judge(f, &t), FAILURES_SUSPENDED);
    t.via = VIEW_STR("key:b");
    assert_int_equal(failures_judge(f, &t), FAILURES_NONE);
    assert_int_equal(shown(ID, "192.0.2.1", true), FAILURES_NONE);
}

/* Memory is bounded, and what there is no room for is forgotten, never refused. */
static void a_flood_of_sources_refuses_nobody(void **state)
{
    char from[64];
    (void)state;
    for (unsigned i = 0; i < 60000; i++, now++) {
        (void)snprintf(from, sizeof from, "2001:db8:%x:%x::1", i >> 8, i & 0xff);
        for (int k = 0; k < FAILURES_LIMIT; k++)
            (void)shown(ID, from, false);
    }
    assert_in_range(failures_suspended(f, VIEW_STR(ID), now), 10000, 16384);
    for (unsigned i = 0; i < 5000; i++) {
        (void)snprintf(from, sizeof from, "10.0.%u.%u", i >> 8, i & 0xff);
        assert_int_equal(shown(ID, from, true), FAILURES_NONE);
    }
    failures_forget(f, VIEW_STR(ID));
    assert_int_equal(failures_suspended(f, VIEW_STR(ID), now), 0);
}

/* Ids that are nobody's, which anybody can make up, push nothing out. */
static void made_up_ids_take_nobodys_place(void **state)
{
    struct network_source s;
    char id[32];
    (void)state;
    assert_int_equal(network_source_parse(VIEW_STR("192.0.2.9"), &s), OK);
    suspend(ID, "192.0.2.1");
    for (unsigned i = 0; i < 100000; i++) {
        (void)snprintf(id, sizeof id, "A%015u", i);
        assert_int_equal(failures_judge(f, &(struct failures_try){.id = view_str(id), .from = &s, .now_ms = now}),
                         FAILURES_COUNTED);
    }
    assert_int_equal(shown(ID, "192.0.2.1", true), FAILURES_SUSPENDED);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        T(five_from_one_source_suspend_it_there), T(it_ends_after_an_hour),          T(slow_failures_are_not_added_up),
        T(a_clock_set_back_shuts_nobody_out),     T(a_source_is_an_ipv6_network),    T(hearsay_is_counted_apart),
        T(a_flood_of_sources_refuses_nobody),     T(made_up_ids_take_nobodys_place),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
