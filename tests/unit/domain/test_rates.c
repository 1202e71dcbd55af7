#include "domain/guard/rates.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>
#include <pthread.h>
#include <stdatomic.h>

#define SECOND UINT64_C(1000000000)
#define START  (1000 * SECOND)

/* Which clients meet in one set is the same in every run. */
static enum err fixed_fill(const struct random *random, void *out, size_t n)
{
    (void)random;
    memset(out, 0x5a, n);
    return OK;
}
static const struct random fixed = {.fill = fixed_fill};

static struct rates *made(const char *name, uint32_t quota, uint64_t seconds, uint32_t burst, uint32_t room)
{
    struct rates_limit l = {.quota = quota, .window_ms = seconds * 1000, .burst = burst, .room = room};
    struct rates *r = NULL;
    struct problem why = {0};
    (void)snprintf(l.name, sizeof l.name, "%s", name);
    if (rates_new(&l, &fixed, &r, &why) != OK)
        fail_msg("%s: %s", why.where, why.detail);
    return r;
}

static bool take(struct rates *r, const char *key, uint64_t now)
{
    const struct rates_ask a = {.rates = r, .key = view_str(key)};
    struct rates_state s;
    return rates_take(&a, 1, now, &s);
}

static struct rates_state look(struct rates *r, struct view key, uint64_t now)
{
    const struct rates_ask a = {.rates = r, .key = key};
    struct rates_state s;
    (void)rates_look(&a, 1, now, &s);
    return s;
}

/* --- one limit */

static void test_a_burst_is_a_burst(void **state)
{
    (void)state;
    AUTO(rates_free) struct rates *r = made("execute", 10, 60, 5, 100);
    for (int i = 0; i < 5; i++)
        assert_true(take(r, "a", START));
    assert_false(take(r, "a", START));
    struct rates_state s = look(r, VIEW_STR("a"), START);
    assert_int_equal(s.wait_ns, 6 * SECOND);
    assert_int_equal(s.full_ns, 30 * SECOND);
    assert_false(take(r, "a", START + 6 * SECOND - 1));
    assert_true(take(r, "a", START + 6 * SECOND));
    assert_false(take(r, "a", START + 6 * SECOND));
    assert_true(take(r, "b", START)); /* somebody else's */
    assert_int_equal(look(r, VIEW_STR("b"), START).left, 4);
    assert_int_equal(look(r, VIEW_STR("a"), START + 1000 * SECOND).left, 5); /* never more than the burst */
}

/* Whoever waits for the edge of a minute gets nothing for it. */
static void test_no_edge_doubles_it(void **state)
{
    (void)state;
    AUTO(rates_free) struct rates *r = made("address", 100, 60, 0, 100);
    for (uint64_t edge = 0; edge < 61; edge++) {
        char key[16];
        unsigned through = 0;
        (void)snprintf(key, sizeof key, "%llu", (unsigned long long)edge);
        for (int i = 0; i < 200; i++)
            through += take(r, key, START + edge * SECOND - 1);
        for (int i = 0; i < 200; i++)
            through += take(r, key, START + edge * SECOND);
        assert_int_equal(through, 100);
    }
}

static void test_limits_that_make_no_sense(void **state)
{
    static const struct {
        struct rates_limit limit;
        const char *where;
    } bad[] = {
        {{"", 1, 1000, 0, 0}, "/name"},
        {{"A", 1, 1000, 0, 0}, "/name"},
        {{"a\"b", 1, 1000, 0, 0}, "/name"},
        {{"a", 0, 1000, 0, 0}, "/quota"},
        {{"a", RATES_MAX + 1, 3600000, 0, 0}, "/quota"},
        {{"a", 1, 999, 0, 0}, "/window"},
        {{"a", 1, RATES_WINDOW_MAX_MS + 1, 0, 0}, "/window"},
        {{"a", 1, RATES_WINDOW_MAX_MS, 1000, 0}, "/burst"},
        {{"a", 1, 1000, RATES_MAX + 1, 0}, "/burst"},
        {{"a", 1, 1000, 0, RATES_ROOM_MAX + 1}, "/room"},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        struct rates *r = NULL;
        struct problem why = {0};
        assert_int_equal(rates_new(&bad[i].limit, &fixed, &r, &why), ERR_BAD_VALUE);
        assert_string_equal(why.where, bad[i].where);
        assert_null(r);
    }
}

/* --- several at once */

static void test_what_is_refused_costs_nothing(void **state)
{
    (void)state;
    AUTO(rates_free) struct rates *address = made("address", 100, 60, 0, 100);
    AUTO(rates_free) struct rates *endpoint = made("endpoint", 10, 60, 2, 100);
    AUTO(rates_free) struct rates *key = made("key", 1000, 3600, 100, 100);
    const struct rates_ask asks[] = {
        {address, VIEW_STR("192.0.2.1"), false}, {endpoint, VIEW_STR("/execute"), false}, {key, VIEW_STR("k"), false}};
    struct rates_state s[3];
    assert_true(rates_take(asks, 3, START, s));
    assert_true(rates_take(asks, 3, START, s));
    for (int i = 0; i < 500; i++) {
        assert_false(rates_take(asks, 3, START, s));
        assert_true(!s[0].refused && s[1].refused && !s[2].refused);
    }
    assert_int_equal(s[0].left, 98);
    assert_int_equal(s[2].left, 98);
    assert_int_equal(rates_retry_after(s, 3), 6);
    AUTO_WRITER w = writer_new(1024);
    rates_put_policy(asks, 3, &w);
    writer_str(&w, "\n");
    rates_put_state(asks, s, 3, &w);
    writer_u8(&w, 0);
    assert_string_equal((const char *)w.ptr, "\"address\";q=100;w=60, \"endpoint\";q=10;w=60, \"key\";q=1000;w=3600\n"
                                             "\"address\";r=98;t=2, \"endpoint\";r=0;t=6, \"key\";r=98;t=8");
    assert_true(rates_take(asks, 3, START + 6 * SECOND, s));
    assert_int_equal(rates_retry_after(s, 3), 0);
}

/* Failures are counted before it is known that they are some, so that many at once are not let through; what was none
 * is given back. */
static void test_what_is_given_back_can_be_taken_again(void **state)
{
    (void)state;
    AUTO(rates_free) struct rates *r = made("failed-login", 3, 900, 0, 100);
    const struct rates_ask a = {.rates = r, .key = VIEW_STR("a")}, never = {.rates = r, .key = VIEW_STR("never")};
    for (int i = 0; i < 1000; i++) {
        assert_true(take(r, "a", START));
        rates_give(&a, 1, START + SECOND);
    }
    assert_true(take(r, "a", START) && take(r, "a", START) && take(r, "a", START));
    assert_false(take(r, "a", START));
    rates_give(&never, 1, START);
    for (int i = 0; i < 5; i++)
        assert_int_equal(take(r, "never", START), i < 3);
}

/* --- against a slow model: a leaky bucket for each pair, kept in whole numbers, looked at one after the other */

#define LIMITS  4
#define CLIENTS 50

struct bucket {
    uint64_t level, at; /* nanoseconds of debt at this time */
};

static uint64_t dice_state = 7;

static uint64_t dice(uint64_t below)
{
    dice_state = dice_state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (dice_state >> 24) % below;
}

static const struct {
    uint32_t quota, burst;
    uint64_t seconds;
} shapes[LIMITS] = {{100, 20, 60}, {3, 3, 900}, {7, 1, 1}, {1000, 2500, 3600}};

static uint64_t level_of(const struct bucket *b, uint64_t now)
{
    uint64_t gone = now - b->at;
    return b->level > gone ? b->level - gone : 0;
}

static bool model_take(struct bucket *b[], const size_t which[], size_t count, uint64_t now)
{
    for (size_t i = 0; i < count; i++) {
        uint64_t step = shapes[which[i]].seconds * SECOND / shapes[which[i]].quota;
        if (level_of(b[i], now) + step > step * shapes[which[i]].burst)
            return false;
    }
    for (size_t i = 0; i < count; i++) {
        uint64_t step = shapes[which[i]].seconds * SECOND / shapes[which[i]].quota;
        *b[i] = (struct bucket){level_of(b[i], now) + step, now};
    }
    return true;
}

static void test_it_decides_as_a_slow_model_does(void **state)
{
    static struct bucket model[LIMITS][CLIENTS];
    struct rates *r[LIMITS];
    unsigned through = 0, refused = 0;
    uint64_t now = START;
    (void)state;
    for (size_t i = 0; i < LIMITS; i++) /* room enough that hardly two of them meet */
        r[i] = made("l", shapes[i].quota, shapes[i].seconds, shapes[i].burst, 4096);
    for (int round = 0; round < 200000; round++) {
        struct rates_ask asks[LIMITS];
        struct rates_state s[LIMITS];
        struct bucket *b[LIMITS];
        size_t which[LIMITS], count = 0, client[LIMITS];
        for (size_t i = 0; i < LIMITS; i++) {
            if (dice(2) == 0)
                continue;
            which[count] = i;
            client[count] = dice(dice(2) ? 3 : CLIENTS);
            b[count] = &model[i][client[count]];
            asks[count] = (struct rates_ask){r[i], VIEW(&client[count], sizeof client[count]), dice(2)};
            count++;
        }
        bool right = model_take(b, which, count, now);
        assert_int_equal(rates_take(asks, count, now, s), right);
        for (size_t i = 0; i < count; i++)
            assert_int_equal(s[i].full_ns, level_of(b[i], now));
        through += right;
        refused += !right;
        now += dice(20) == 0 ? dice(dice(50) ? 30 * SECOND : 2000 * SECOND) : dice(SECOND / 50);
    }
    assert_true(through > 20000 && refused > 20000);
    for (size_t i = 0; i < LIMITS; i++)
        rates_free(r[i]);
}

/* --- floods */

static struct view number(uint64_t *n)
{
    return VIEW(n, sizeof *n);
}

static unsigned take_many(struct rates *r, uint64_t client, unsigned times, bool known, uint64_t now)
{
    const struct rates_ask a = {r, number(&client), known};
    struct rates_state s;
    unsigned through = 0;
    for (unsigned i = 0; i < times; i++)
        through += rates_take(&a, 1, now, &s);
    return through;
}

/* A million newcomers at once: nobody who came before is refused more or let through more than without them, memory
 * stays as it was, and when they have gone, newcomers are served as ever. */
static void test_a_flood_touches_nobody_who_was_there(void **state)
{
    (void)state;
    const uint64_t honest = 1000, flood = 1000000;
    AUTO(rates_free) struct rates *r = made("address", 100, 60, 0, 4096);
    size_t bytes = rates_bytes(r);
    for (uint64_t c = 0; c < honest; c++)
        assert_int_equal(take_many(r, c, (unsigned)(1 + c % 90), c % 2, START), 1 + c % 90);
    unsigned through = 0;
    for (uint64_t c = 0; c < flood; c++)
        through += take_many(r, honest + c, 1, false, START);
    for (uint64_t c = 0; c < honest; c++) {
        struct rates_state s = look(r, number(&c), START);
        assert_int_equal(s.left, 100 - (1 + c % 90));
        assert_int_equal(take_many(r, c, 200, c % 2, START), 100 - (1 + c % 90));
    }
    assert_int_equal(rates_bytes(r), bytes);
    assert_true(bytes < 128 * 4096 + 32768);
    /* 2,048 sets: a place of one's own for seven each, and a hundred requests for all the others of a set. */
    assert_true(through <= 2048u * (7 + 100));
    assert_true(rates_live(r, START) <= 2048u * 7);
    assert_int_equal(take_many(r, 5000000, 200, false, START + 61 * SECOND), 100);
}

/* What the status says of a limit: right up to the usual room, and about right of more. */
static void test_clients_are_counted(void **state)
{
    (void)state;
    AUTO(rates_free) struct rates *usual = made("address", 100, 60, 0, RATES_ROOM);
    AUTO(rates_free) struct rates *large = made("address", 100, 60, 0, 1u << 20);
    for (uint64_t c = 0; c < 5000; c++) {
        assert_int_equal(take_many(usual, c, 1, false, START), 1);
        assert_int_equal(take_many(large, c, 1, false, START), 1);
    }
    assert_int_equal(rates_live(usual, START), 5000);
    assert_in_range(rates_live(large, START), 3000, 7000);
    assert_int_equal(rates_live(usual, START + 61 * SECOND), 0);
    assert_int_equal(rates_live(large, START + 61 * SECOND), 0);
}

/* Who owns a key comes in from a new address in the middle of the flood. */
static void test_a_flood_keeps_nobody_out_who_is_known(void **state)
{
    (void)state;
    AUTO(rates_free) struct rates *r = made("address", 100, 60, 0, 1024);
    for (uint64_t c = 0; c < 100000; c++)
        (void)take_many(r, 1000 + c, 3, false, START);
    for (uint64_t c = 0; c < 500; c++)
        assert_int_equal(take_many(r, c, 20, true, START), 20);
    for (uint64_t c = 0; c < 100000; c++)
        (void)take_many(r, 200000 + c, 3, false, START);
    for (uint64_t c = 0; c < 500; c++)
        assert_int_equal(take_many(r, c, 200, true, START), 80);
}

/* Nor do those who are known take each other's places: one set has seven. */
static void test_who_is_known_gives_way_to_nobody(void **state)
{
    (void)state;
    AUTO(rates_free) struct rates *r = made("address", 100, 60, 0, 2);
    for (uint64_t c = 0; c < 7; c++)
        assert_int_equal(take_many(r, c, 1, true, START), 1);
    for (uint64_t c = 7; c < 50; c++)
        (void)take_many(r, c, 50, true, START);
    for (uint64_t c = 0; c < 7; c++)
        assert_int_equal(look(r, number(&c), START).left, 99);
}

/* The one thing that a flood could be good for: to have one's own failures forgotten. */
static void test_a_flood_makes_nobody_forget(void **state)
{
    (void)state;
    AUTO(rates_free) struct rates *r = made("failed-login", 3, 900, 0, 64);
    uint64_t guesser = 1;
    assert_int_equal(take_many(r, guesser, 10, false, START), 3);
    for (uint64_t c = 0; c < 50000; c++) {
        (void)take_many(r, 10 + c, 3, c % 10 == 0, START);
        if (c % 100 == 0)
            assert_int_equal(take_many(r, guesser, 1, false, START), 0);
    }
}

/* --- addresses */

static void test_an_ipv6_host_has_one_limit(void **state)
{
    static const struct {
        const char *a, *b;
        bool same;
    } pairs[] = {{"2001:db8::1", "2001:db8::ffff:1", true},
                 {"2001:db8::1", "2001:db8:0:1::1", false},
                 {"192.0.2.1", "192.0.2.2", false},
                 {"192.0.2.1", "::ffff:192.0.2.1", true},
                 {"::1", "0.0.0.1", false},
                 {"::ffff:0.0.0.0", "::", false}};
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(pairs); i++) {
        struct address a, b;
        assert_int_equal(address_parse(view_str(pairs[i].a), &a), OK);
        assert_int_equal(address_parse(view_str(pairs[i].b), &b), OK);
        struct prefix x = rates_client(&a), y = rates_client(&b);
        assert_int_equal(address_eq(&x.base, &y.base), pairs[i].same);
    }
}

/* --- threads */

struct shared {
    struct rates *address, *endpoint;
    _Atomic uint64_t now;
    _Atomic unsigned through, of[4];
};

static void *asker(void *context)
{
    struct shared *s = context;
    struct rates_state states[2];
    for (uint64_t i = 0; i < 60000; i++) {
        uint64_t client = i % 4;
        struct rates_ask asks[] = {{s->address, number(&client), false}, {s->endpoint, VIEW_STR("/e"), false}};
        if (i % 2) { /* in either order */
            struct rates_ask other = asks[0];
            asks[0] = asks[1];
            asks[1] = other;
        }
        if (rates_take(asks, 2, atomic_load(&s->now), states)) {
            atomic_fetch_add(&s->through, 1);
            atomic_fetch_add(&s->of[client], 1);
        }
    }
    return NULL;
}

/* What came through is exactly what there was room for, in whatever order the threads came. */
static void test_threads_share_every_limit(void **state)
{
    (void)state;
    struct shared s = {.address = made("address", 3000, 60, 3000, 100),
                       .endpoint = made("endpoint", 10000, 60, 10000, 100)};
    pthread_t threads[4];
    atomic_store(&s.now, START);
    for (size_t i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, asker, &s), 0);
    for (size_t i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(atomic_load(&s.through), 10000);
    for (uint64_t c = 0; c < 4; c++) {
        assert_true(atomic_load(&s.of[c]) <= 3000);
        assert_int_equal(look(s.address, number(&c), START).left, 3000 - atomic_load(&s.of[c]));
    }
    rates_free(s.address);
    rates_free(s.endpoint);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_burst_is_a_burst),
        cmocka_unit_test(test_no_edge_doubles_it),
        cmocka_unit_test(test_limits_that_make_no_sense),
        cmocka_unit_test(test_what_is_refused_costs_nothing),
        cmocka_unit_test(test_what_is_given_back_can_be_taken_again),
        cmocka_unit_test(test_it_decides_as_a_slow_model_does),
        cmocka_unit_test(test_a_flood_touches_nobody_who_was_there),
        cmocka_unit_test(test_a_flood_keeps_nobody_out_who_is_known),
        cmocka_unit_test(test_clients_are_counted),
        cmocka_unit_test(test_who_is_known_gives_way_to_nobody),
        cmocka_unit_test(test_a_flood_makes_nobody_forget),
        cmocka_unit_test(test_an_ipv6_host_has_one_limit),
        cmocka_unit_test(test_threads_share_every_limit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
