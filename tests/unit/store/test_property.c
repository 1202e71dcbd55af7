/* Random operations on SQLite and on the memory backend, which have nothing in common: both must answer alike. */
#include "store_test.h"

#define ROUNDS 400

static const uint16_t tables[] = {TABLE_META, TABLE_LOG, TABLE_ROLE};

struct pair {
    struct store *sqlite, *memory;
    uint64_t seed;
};

/* Few and short keys, so that they meet each other. */
static struct view any_key(struct pair *p, uint8_t out[4])
{
    size_t n = prng(&p->seed) % 4;
    for (size_t i = 0; i < n; i++)
        out[i] = "\x00\x01m\xff"[prng(&p->seed) % 4];
    return VIEW(out, n);
}

static struct store_change any_change(struct pair *p, uint8_t key[4])
{
    static uint8_t values[6000]; /* above the size that stays on one page */
    for (size_t i = 0; i < sizeof(values); i++)
        values[i] = (uint8_t)(i * 7);
    static const uint64_t expects[] = {0, 0, STORE_ANY, STORE_ANY, 1, 2, 3};
    return (struct store_change){
        .op = prng(&p->seed) % 4 ? STORE_PUT : STORE_DELETE,
        .table = tables[prng(&p->seed) % ARRAY_LEN(tables)],
        .key = any_key(p, key),
        .expect = expects[prng(&p->seed) % ARRAY_LEN(expects)],
        .version = 1 + prng(&p->seed) % 3,
        .value = VIEW(values + prng(&p->seed) % 100, prng(&p->seed) % 8 ? prng(&p->seed) % 40 : prng(&p->seed) % 5900),
    };
}

static void apply_same(struct pair *p)
{
    struct store_change changes[5];
    uint8_t keys[5][4];
    size_t count = prng(&p->seed) % 6, failed[2] = {99, 99};
    for (size_t i = 0; i < count; i++)
        changes[i] = any_change(p, keys[i]);
    enum err a = store_apply(p->sqlite, changes, count, &failed[0]);
    enum err b = store_apply(p->memory, changes, count, &failed[1]);
    assert_int_equal(a, b);
    assert_int_equal(failed[0], failed[1]);
}

/* A range as one run of bytes. */
struct dump {
    struct writer w;
    size_t stop_after;
};

static bool dump_row(void *context, const struct store_row *row)
{
    struct dump *d = context;
    writer_var(&d->w, row->key);
    writer_u64(&d->w, row->version);
    writer_var(&d->w, row->value);
    return --d->stop_after > 0;
}

static void read_same(struct pair *p)
{
    uint8_t a[4], b[4];
    struct view from = any_key(p, a), to = any_key(p, b);
    uint16_t table = tables[prng(&p->seed) % ARRAY_LEN(tables)];
    bool reverse = prng(&p->seed) % 2;
    size_t limit = prng(&p->seed) % 3 ? SIZE_MAX : prng(&p->seed) % 5, stop = 1 + prng(&p->seed) % 200;
    struct dump one = {writer_new(1u << 20), stop}, two = {writer_new(1u << 20), stop};
    assert_int_equal(store_range(p->sqlite, table, from, to, reverse, limit, dump_row, &one), OK);
    assert_int_equal(store_range(p->memory, table, from, to, reverse, limit, dump_row, &two), OK);
    assert_int_equal(writer_done(&one.w), OK);
    assert_true(view_eq(writer_view_of(&one.w), writer_view_of(&two.w)));
    writer_free(&one.w);
    writer_free(&two.w);
}

static void get_same(struct pair *p)
{
    AUTO(arena_free) struct arena *arena = NULL;
    struct store_row one = {0}, two = {0};
    uint8_t bytes[4];
    struct view key = any_key(p, bytes);
    uint16_t table = tables[prng(&p->seed) % ARRAY_LEN(tables)];
    assert_int_equal(arena_new(1u << 14, 1u << 20, &arena), OK);
    assert_int_equal(store_get(p->sqlite, table, key, arena, &one), store_get(p->memory, table, key, arena, &two));
    assert_int_equal(one.version, two.version);
    assert_true(view_eq(one.value, two.value));
}

static void commit_same(struct pair *p)
{
    assert_int_equal(store_begin(p->sqlite), OK);
    assert_int_equal(store_begin(p->memory), OK);
    for (size_t n = prng(&p->seed) % 8; n > 0; n--) {
        apply_same(p);
        get_same(p);
    }
    if (prng(&p->seed) % 4) {
        assert_int_equal(store_commit(p->sqlite), OK);
        assert_int_equal(store_commit(p->memory), OK);
    } else {
        store_rollback(p->sqlite);
        store_rollback(p->memory);
    }
}

static void compare(uint64_t seed)
{
    struct place place = {0};
    place_make(&place, "");
    struct pair p = {open_store(place.url), open_store("memory:"), seed};
    for (size_t i = 0; i < ROUNDS; i++) {
        commit_same(&p);
        read_same(&p);
        get_same(&p);
        if (i % 50 == 49) {
            assert_int_equal(store_maintain(p.sqlite), OK);
            store_close(p.sqlite);
            p.sqlite = open_store(place.url);
        }
    }
    store_close(p.sqlite);
    store_close(p.memory);
    place_remove(&place);
}

static void test_backends_agree(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 3; seed++)
        compare(seed * 7919);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_backends_agree)};
    return cmocka_run_group_tests_name("store property", tests, NULL, NULL);
}
