/* What keys were used for: windows that move, endpoints, and what of it is in the store. */
#include "../ledger/ledger_test.h"
#include "base/text.h"
#include "domain/keys/usage.h"

#include <pthread.h>
#include <stdio.h>

#define HOUR 3600000ull
#define DAY  (24 * HOUR)
#define ID   "0123456789ABCDEF"
#define T0   (20000 * DAY) /* midnight, and the beginning of a half of 30 days or not: it does not matter */

static struct usage use(uint64_t at)
{
    struct usage u = {.at_ms = at};
    usage_count(&u, at, VIEW_STR("192.0.2.1"), VIEW_STR("sign"));
    return u;
}

static void hours_and_days_move(void **state)
{
    (void)state;
    struct usage u = use(T0 + HOUR - 1);
    usage_count(&u, T0 + HOUR, VIEW_STR("192.0.2.2"), VIEW_STR("sign"));
    assert_int_equal(u.hours[0], 1);
    assert_int_equal(u.hours[1], 1);
    assert_int_equal(u.days[0], 2);
    assert_true(view_is(u.last_from, "192.0.2.2"));
    usage_advance(&u, T0 + 24 * HOUR);
    assert_int_equal(u.hours[0], 0);
    assert_int_equal(u.hours[23], 1); /* 01:00; what was at 00:00 is gone */
    assert_int_equal(u.days[1], 2);
    usage_advance(&u, T0 + 29 * DAY);
    assert_int_equal(u.days[29], 2);
    usage_advance(&u, T0 + 30 * DAY);
    for (size_t i = 0; i < USAGE_DAYS; i++)
        assert_int_equal(u.days[i], 0);
    assert_int_equal(u.total, 2);
    usage_advance(&u, T0 + 5000 * DAY);
    assert_int_equal(u.endpoint_count, 0);
}

/* A clock that jumps ahead and is set right again must not stop the counting for years. */
static void a_clock_that_was_wrong_loses_windows_only(void **state)
{
    (void)state;
    struct usage u = use(T0 + 4000 * DAY);
    usage_count(&u, T0, VIEW_STR("x"), VIEW_STR("sign"));
    assert_int_equal(u.days[0], 1);
    usage_count(&u, T0 - HOUR, VIEW_STR("x"), VIEW_STR("sign")); /* a little back: the newest hour takes it */
    assert_int_equal(u.hours[0], 2);
    assert_int_equal(u.total, 3);
}

static void the_most_used_come_first(void **state)
{
    static const char *const names[] = {"a", "b", "c", "d", "e", "f", "g"};
    struct usage u = {.at_ms = T0};
    struct usage_endpoint top[USAGE_TOP];
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        for (size_t k = 0; k <= i; k++)
            usage_count(&u, T0, VIEW_STR("x"), view_str(names[i]));
    assert_int_equal(usage_top(&u, top), USAGE_TOP);
    for (size_t i = 0; i < USAGE_TOP; i++) {
        assert_true(view_is(top[i].name, names[ARRAY_LEN(names) - 1 - i]));
        assert_int_equal(top[i].now, ARRAY_LEN(names) - i);
    }
}

/* However many are used once, the one that is used all the time stays. */
static void what_comes_once_pushes_nothing_out(void **state)
{
    char names[500][8];
    struct usage u = {.at_ms = T0};
    struct usage_endpoint top[USAGE_TOP];
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        (void)snprintf(names[i], sizeof names[i], "n%zu", i);
        usage_count(&u, T0, VIEW_STR("x"), view_str(names[i]));
        usage_count(&u, T0, VIEW_STR("x"), VIEW_STR("sign"));
    }
    assert_int_equal(usage_top(&u, top), USAGE_TOP);
    assert_true(view_is(top[0].name, "sign"));
    assert_int_equal(top[0].now, ARRAY_LEN(names));
}

static void two_are_one(void **state)
{
    struct usage a = use(T0), b = use(T0 + 2 * DAY);
    (void)state;
    usage_count(&b, T0 + 2 * DAY, VIEW_STR("y"), VIEW_STR("other"));
    usage_merge(&a, &b);
    assert_int_equal(a.total, 3);
    assert_int_equal(a.days[0], 2);
    assert_int_equal(a.days[2], 1);
    assert_true(view_is(a.last_from, "y"));
    assert_int_equal(a.endpoint_count, 2);
}

/* --- with a store */

static struct rig *rig;
static struct usages *table;
static struct arena *arena;

static int set_up(void **state)
{
    (void)state;
    rig = rig_ready(&arena);
    assert_int_equal(usages_new(&table), OK);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    arena_free(arena);
    usages_free(table);
    rig_free(rig);
    return 0;
}

static struct usage read_at(const char *id, uint64_t at)
{
    struct usage u;
    assert_int_equal(usages_read(table, view_str(id), rig->reader, rig->keys, at, arena, &u), OK);
    return u;
}

static void start_anew(void)
{
    usages_free(table);
    assert_int_equal(usages_new(&table), OK);
}

static void counts_survive_and_go_on(void **state)
{
    (void)state;
    assert_int_equal(read_at(ID, T0).total, 0);
    for (int run = 1; run <= 3; run++) {
        usages_count(table, VIEW_STR(ID), T0 + (unsigned)run * HOUR, "192.0.2.1", "sign");
        assert_int_equal(read_at(ID, T0 + (unsigned)run * HOUR).total, 2 * run - 1); /* also before it was written */
        assert_int_equal(usages_write(table, rig->ledger, rig->reader, rig->keys), OK);
        usages_count(table, VIEW_STR(ID), T0 + (unsigned)run * HOUR, "unix:1000", run == 2 ? "secret-get" : "sign");
        assert_int_equal(usages_write(table, rig->ledger, rig->reader, rig->keys), OK);
        struct usage u = read_at(ID, T0 + (unsigned)run * HOUR);
        assert_int_equal(u.total, 2 * run);
        start_anew();
        u = read_at(ID, T0 + (unsigned)run * HOUR);
        assert_int_equal(u.total, 2 * run);
        assert_int_equal(u.hours[0], 2);
        assert_int_equal(u.days[0], 2 * run);
        assert_true(view_is(u.last_from, "unix:1000"));
        usages_count(table, VIEW_STR("another 16 bytes"), T0, "192.0.2.1", "sign");
        usages_count(table, VIEW_STR(ID), T0 + (unsigned)run * HOUR, "x", "lost");
        start_anew(); /* and what was not written is lost, and nothing else */
    }
    assert_int_equal(read_at(ID, T0 + 3 * HOUR).endpoint_count, 2);
}

/* A rotation of the data key, with its rewrapping, leaves the counts. */
static void counts_survive_a_rotation(void **state)
{
    uint64_t rows = 0;
    (void)state;
    usages_count(table, VIEW_STR(ID), T0, "192.0.2.1", "sign");
    assert_int_equal(usages_write(table, rig->ledger, rig->reader, rig->keys), OK);
    rig_rotate(rig);
    assert_int_equal(ledger_rewrap(rig->ledger, NULL, NULL, &rows), OK);
    assert_true(rows > 0);
    start_anew();
    assert_int_equal(read_at(ID, T0).total, 1);
    usages_count(table, VIEW_STR(ID), T0, "192.0.2.1", "sign");
    assert_int_equal(usages_write(table, rig->ledger, rig->reader, rig->keys), OK);
    start_anew();
    assert_int_equal(read_at(ID, T0).total, 2);
}

static void a_row_that_does_not_open_counts_as_nothing(void **state)
{
    (void)state;
    usages_count(table, VIEW_STR(ID), T0, "192.0.2.1", "sign");
    assert_int_equal(usages_write(table, rig->ledger, rig->reader, rig->keys), OK);
    uint8_t name[STORE_KEY_MAX];
    struct writer n = writer_fixed(name, sizeof name);
    assert_int_equal(row_key_exact(rig->keys, TABLE_USAGE, VIEW_STR(ID), &n), OK);
    const struct store_change bent = {.op = STORE_PUT,
                                      .table = TABLE_USAGE,
                                      .key = writer_view_of(&n),
                                      .expect = STORE_ANY,
                                      .version = 1,
                                      .value = VIEW_STR("bent")};
    assert_int_equal(ledger_put_counts(rig->ledger, &bent, 1), OK);
    start_anew();
    assert_int_equal(read_at(ID, T0).total, 0);
    usages_count(table, VIEW_STR(ID), T0, "192.0.2.1", "sign");
    assert_int_equal(usages_write(table, rig->ledger, rig->reader, rig->keys), OK);
    start_anew();
    assert_int_equal(read_at(ID, T0).total, 1);
    const struct store_change other = {.op = STORE_PUT, .table = TABLE_KEY, .expect = STORE_ANY, .version = 1};
    assert_int_equal(ledger_put_counts(rig->ledger, &other, 1), ERR_BAD_VALUE); /* this way goes past the record */
}

/* --- threads: nothing is lost between counting and writing */

#define THREADS 4
#define EACH    20000

static void *count_many(void *context)
{
    (void)context;
    for (unsigned i = 0; i < EACH; i++) {
        char id[24];
        (void)snprintf(id, sizeof id, "key number %05u", i % 7);
        usages_count(table, view_str(id), T0, "192.0.2.1", "sign");
    }
    return NULL;
}

static void nothing_is_lost_between_threads(void **state)
{
    pthread_t threads[THREADS];
    uint64_t sum = 0;
    (void)state;
    for (size_t i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, count_many, NULL), 0);
    for (int i = 0; i < 50; i++)
        assert_int_equal(usages_write(table, rig->ledger, rig->reader, rig->keys), OK);
    for (size_t i = 0; i < THREADS; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    assert_int_equal(usages_write(table, rig->ledger, rig->reader, rig->keys), OK);
    start_anew();
    for (unsigned i = 0; i < 7; i++) {
        char id[24];
        (void)snprintf(id, sizeof id, "key number %05u", i);
        sum += read_at(id, T0).total;
    }
    assert_int_equal(sum, THREADS * EACH);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hours_and_days_move),
        cmocka_unit_test(a_clock_that_was_wrong_loses_windows_only),
        cmocka_unit_test(the_most_used_come_first),
        cmocka_unit_test(what_comes_once_pushes_nothing_out),
        cmocka_unit_test(two_are_one),
        T(counts_survive_and_go_on),
        T(counts_survive_a_rotation),
        T(a_row_that_does_not_open_counts_as_nothing),
        T(nothing_is_lost_between_threads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
