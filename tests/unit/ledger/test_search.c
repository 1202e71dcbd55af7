/* A search through the indexes gives what reading everything gives: in any state of the index, with any filter. */
#include "ledger_test.h"

#include <stdio.h>
#include <unistd.h>

#define RECORDS 700

static uint64_t seed = 12345;
static unsigned pick(unsigned n)
{
    seed = seed * 6364136223846793005u + 1442695040888963407u;
    return (unsigned)(seed >> 33) % n;
}

static const uint16_t types[] = {EVENT_SECRET_READ, EVENT_AUTHENTICATION_FAILED, EVENT_ACCOUNT_LOCKED,
                                 EVENT_TAMPERING_FOUND, EVENT_SESSION_ENDED};
static const char *const actors[] = {"user:alice", "user:bob", "key:1", "", "user:carol"};
static const char *const resources[] = {"secret:a", "secret:b", "", "key:9"};
static const char *const also[] = {NULL, NULL, "secret:c", "secret:b key:9 secret:c", "secret:a"};
static const char *const wanted[] = {"secret:a", "secret:b", "", "key:9", "secret:c", "secret"};

/* Written down another way than the ledger's: a list in spaces has " word " in it. */
static bool speaks_of(const struct record_object *what, struct view resource)
{
    char list[1200], word[120];
    (void)snprintf(list, sizeof(list), " %.*s ", (int)what->also.len, (const char *)what->also.ptr);
    (void)snprintf(word, sizeof(word), " %.*s ", (int)resource.len, (const char *)resource.ptr);
    return view_eq(what->resource, resource) || strstr(list, word);
}

static bool matches(const struct record_filter *f, const struct record_view *r)
{
    return (!f->type || f->type == r->leaf.type) && r->leaf.severity >= f->least_severity &&
           r->leaf.time_ms >= f->from_ms && (!f->to_ms || r->leaf.time_ms < f->to_ms) &&
           (!f->actor.len || view_eq(f->actor, r->who.actor)) && (!f->resource.len || speaks_of(&r->what, f->resource));
}

static size_t naive(struct rig *r, const struct record_filter *f, uint64_t *out)
{
    struct arena *arena = NULL;
    size_t n = 0;
    assert_int_equal(arena_new(65536, 1 << 24, &arena), OK);
    for (uint64_t i = ledger_size(r->ledger); i-- > 0;) {
        struct record_view v;
        arena_reset(arena);
        assert_int_equal(query_record(r->reader, r->keys, i, arena, &v), OK);
        if (matches(f, &v))
            out[n++] = i;
    }
    arena_free(arena);
    return n;
}

struct got {
    uint64_t index[RECORDS];
    size_t count;
};

static bool take(void *context, const struct record_view *r)
{
    struct got *g = context;
    assert_true(g->count < RECORDS);
    g->index[g->count++] = r->index;
    return true;
}

static void compare(struct rig *r, struct record_filter f)
{
    uint64_t expected[RECORDS];
    struct got got = {.count = 0};
    struct problem why = {0};
    size_t n = naive(r, &f, expected);
    f.limit = 1 + pick(60);
    do {
        enum err e = query_search(r->reader, r->keys, &f, take, &got, &f.before, &why);
        if (e != OK)
            fail_msg("%s: %s", why.where, why.detail);
    } while (f.before);
    assert_int_equal(got.count, n);
    assert_memory_equal(got.index, expected, n * sizeof(*expected));
}

static struct record_filter any_filter(uint64_t begin, uint64_t end)
{
    struct record_filter f = {0};
    if (pick(2))
        f.type = types[pick(ARRAY_LEN(types))];
    if (pick(3) == 0)
        f.least_severity = (uint8_t)pick(5);
    if (pick(2))
        f.actor = view_str(actors[pick(ARRAY_LEN(actors))]);
    if (pick(3) == 0)
        f.resource = view_str(wanted[pick(ARRAY_LEN(wanted))]);
    if (pick(3) == 0)
        f.from_ms = begin + pick((unsigned)(end - begin));
    if (pick(3) == 0)
        f.to_ms = begin + pick((unsigned)(end - begin));
    return f;
}

static void write_some(struct rig *r, unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        const struct event e = {types[pick(ARRAY_LEN(types))], OUTCOME_DONE, actors[pick(ARRAY_LEN(actors))],
                                resources[pick(ARRAY_LEN(resources))], also[pick(ARRAY_LEN(also))]};
        assert_int_equal(rig_change(r, NULL, 0, &e), OK);
        /* Time passes, and at times goes back. */
        r->now_ms = r->now_ms + pick(8000000) - (pick(10) ? 0 : 4000000);
    }
}

static void wait_indexed(struct rig *r)
{
    for (int i = 0; ledger_indexed(r->ledger) < ledger_size(r->ledger); i++) {
        assert_true(i < 500);
        usleep(10000);
    }
}

static void test_property(void **state)
{
    static const char *const urls[] = {NULL, "memory:"};
    (void)state;
    for (size_t u = 0; u < ARRAY_LEN(urls); u++) {
        struct rig *r = rig_new(urls[u], NULL);
        struct problem why = {0};
        uint64_t begin = r->now_ms;
        assert_int_equal(rig_open(r, NULL), OK);
        for (int round = 0; round < 4; round++) {
            write_some(r, RECORDS / 4);
            for (int i = 0; i < 12; i++) /* with whatever the index knows */
                compare(r, any_filter(begin, r->now_ms));
            if (round % 2)
                wait_indexed(r);
            for (int i = 0; i < 12; i++)
                compare(r, any_filter(begin, r->now_ms));
        }
        wait_indexed(r);
        if (ledger_check_rows(r->ledger, &why) != OK)
            fail_msg("%s: %s", why.where, why.detail);
        ledger_reindex(r->ledger);
        for (int i = 0; i < 30; i++) {
            compare(r, any_filter(begin, r->now_ms));
            usleep(5000);
        }
        wait_indexed(r);
        compare(r, (struct record_filter){.actor = VIEW_STR("user:bob")});
        if (ledger_check_rows(r->ledger, &why) != OK)
            fail_msg("%s: %s", why.where, why.detail);
        rig_free(r);
    }
}

/* More terms than a batch of the index takes, all of the same moment; each is found all the same. */
static void test_records_of_many_things(void **state)
{
    char names[RECORDS][16][24], also_text[512];
    struct rig *r = rig_new(NULL, NULL);
    struct problem why = {0};
    (void)state;
    assert_int_equal(rig_open(r, NULL), OK);
    for (unsigned i = 0; i < RECORDS / 2; i++) {
        size_t len = 0;
        for (unsigned k = 0; k < 16; k++) {
            (void)snprintf(names[i][k], sizeof(names[i][k]), "network:10.%u.%u.%u", i / 256, i % 256, k);
            if (k)
                len += (size_t)snprintf(also_text + len, sizeof(also_text) - len, "%s%s", k > 1 ? " " : "",
                                        names[i][k]);
        }
        const struct event e = {EVENT_ADDRESS_BLOCKED, OUTCOME_DONE, "front", names[i][0], also_text};
        assert_int_equal(rig_change(r, NULL, 0, &e), OK);
    }
    wait_indexed(r);
    ledger_reindex(r->ledger);
    usleep(50000);
    wait_indexed(r);
    for (unsigned i = 0; i < RECORDS / 2; i++)
        for (unsigned k = 0; k < 16; k += 5) {
            struct got got = {.count = 0};
            struct record_filter f = {.resource = view_str(names[i][k])};
            assert_int_equal(query_search(r->reader, r->keys, &f, take, &got, &f.before, &why), OK);
            assert_int_equal(got.count, 1);
            assert_int_equal(got.index[0], i);
        }
    if (ledger_check_rows(r->ledger, &why) != OK)
        fail_msg("%s: %s", why.where, why.detail);
    rig_free(r);
}

static void test_lists_of_things_are_strict(void **state)
{
    static const struct {
        const char *also;
        size_t things;
    } cases[] = {
        {" a", 0},    {"a ", 0},
        {"a  b", 0},  {" ", 0},
        {"a b a", 0}, {"a b c d e f g h i j k l m n o p", 0},
        {"", 1},      {"a", 2},
        {"a b", 3},   {"a b c d e f g h i j k l m n o", 16},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        AUTO_WRITER w = writer_new(2048);
        const struct record_object o = {.resource = VIEW_STR("z"), .also = view_str(cases[i].also)};
        struct view things[RECORD_THINGS_MAX];
        assert_int_equal(entity_encode(&record_object_entity, &o, &w) == OK, cases[i].things > 0);
        size_t n = record_things(&o, things);
        assert_true(cases[i].things == 0 || n == cases[i].things);
        assert_true(view_is(things[0], "z"));
    }
}

static void test_tiles(void **state)
{
    struct rig *r = rig_new(NULL, NULL);
    AUTO_WRITER full = writer_new(1 << 20), part = writer_new(1 << 20), entries = writer_new(1 << 20);
    (void)state;
    assert_int_equal(rig_open(r, NULL), OK);
    write_some(r, 600);
    assert_int_equal(query_tile(r->reader, 0, 0, 256, &full), OK);
    assert_int_equal(full.len, 256 * 32);
    assert_int_equal(query_tile(r->reader, 0, 2, 88, &part), OK);
    assert_int_equal(query_tile(r->reader, 0, 2, 89, &part), ERR_NOT_FOUND);
    assert_int_equal(query_tile(r->reader, 0, 3, 1, &part), ERR_NOT_FOUND);
    writer_reset(&part);
    assert_int_equal(query_tile(r->reader, 1, 0, 2, &part), OK);
    assert_int_equal(query_tile(r->reader, 1, 0, 3, &part), ERR_NOT_FOUND);
    assert_int_equal(query_tile(r->reader, 9, 0, 1, &part), ERR_NOT_FOUND);
    assert_int_equal(query_tile(r->reader, 0, 0, 257, &part), ERR_NOT_FOUND);
    /* Level 1's hash is the root of the 256 leaves below it. */
    uint8_t root[32];
    rig_root(r, 256, root);
    assert_memory_equal(part.ptr, root, 32);
    assert_int_equal(query_tile_entries(r->reader, 1, 256, &entries), OK);
    struct reader in = reader_new(writer_view_of(&entries));
    for (int i = 0; i < 256; i++) {
        uint16_t n = 0;
        struct view leaf;
        struct leaf l;
        assert_int_equal(reader_u16(&in, &n), OK);
        assert_int_equal(reader_bytes(&in, n, &leaf), OK);
        assert_int_equal(leaf_decode(leaf, &l), OK);
    }
    assert_int_equal(reader_end(&in), OK);
    rig_free(r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_property), cmocka_unit_test(test_records_of_many_things),
                                       cmocka_unit_test(test_lists_of_things_are_strict), cmocka_unit_test(test_tiles)};
    return cmocka_run_group_tests_name("ledger search", tests, NULL, NULL);
}
