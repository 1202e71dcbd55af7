#include "ledger/leaf.h"

#include "crypto/secmem.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static struct record sample(void)
{
    return (struct record){.type = EVENT_SECRET_READ,
                           .outcome = OUTCOME_DONE,
                           .who = {.actor = VIEW_STR("user:alice"), .source = VIEW_STR("192.0.2.1")},
                           .what = {.resource = VIEW_STR("secret:a/b")}};
}

static void make(struct leaf_chain *chain, size_t changes, struct arena *arena, struct authored_record *ret)
{
    struct leaf_change c[LEAF_CHANGES_MAX] = {{.table = 7, .version = 3}};
    struct record r = sample();
    assert_int_equal(leaf_author(chain, &r, c, changes, 1790000000000u, random_system(), arena, ret), OK);
}

static void test_strict(void **state)
{
    struct arena *arena = NULL;
    struct leaf_chain front = {.author = AUTHOR_FRONT};
    struct authored_record a;
    struct leaf l;
    uint8_t bytes[LEAF_MAX + 1];
    (void)state;
    assert_int_equal(arena_new(4096, 1 << 20, &arena), OK);
    for (size_t changes = 0; changes <= LEAF_CHANGES_MAX; changes++) {
        make(&front, changes, arena, &a);
        assert_true(a.leaf.len <= LEAF_MAX);
        assert_int_equal(leaf_decode(a.leaf, &l), OK);
        assert_int_equal(l.change_count, changes);
        struct writer w = writer_fixed(bytes, sizeof(bytes));
        assert_int_equal(leaf_encode(&l, &w), OK);
        assert_true(view_eq(writer_view_of(&w), a.leaf));
        for (size_t n = 0; n < a.leaf.len; n++)
            assert_true(leaf_decode(VIEW(a.leaf.ptr, n), &l) != OK);
        assert_true(leaf_decode(VIEW(bytes, a.leaf.len + 1), &l) != OK);
    }
    /* version, author, type, severity, outcome, a sequence, previous or tag on a front's leaf */
    static const struct {
        size_t at;
        uint8_t value;
        enum err expected;
    } bad[] = {{0, 0, ERR_MALFORMED},  {0, 2, ERR_TOO_NEW},    {1, 0, ERR_MALFORMED},  {1, 4, ERR_MALFORMED},
               {1, 2, ERR_MALFORMED},  {3, 0, ERR_MALFORMED},  {4, 0, ERR_MALFORMED},  {4, 5, ERR_MALFORMED},
               {5, 0, ERR_MALFORMED},  {5, 4, ERR_MALFORMED},  {21, 1, ERR_MALFORMED}, {22, 1, ERR_MALFORMED},
               {54, 1, ERR_MALFORMED}, {70, 17, ERR_MALFORMED}};
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        memcpy(bytes, a.leaf.ptr, a.leaf.len);
        bytes[bad[i].at] = bad[i].value;
        assert_int_equal(leaf_decode(VIEW(bytes, a.leaf.len), &l), bad[i].expected);
    }
    arena_free(arena);
}

static void test_chain_and_tags(void **state)
{
    struct arena *arena = NULL;
    struct leaf_chain keeper = {.author = AUTHOR_KEEPER, .next_sequence = 1, .key = {9}};
    uint8_t other[32] = {8}, previous[32] = {0}, bytes[LEAF_MAX];
    (void)state;
    assert_int_equal(arena_new(4096, 1 << 20, &arena), OK);
    for (uint64_t n = 1; n <= 3; n++) {
        struct authored_record a;
        struct leaf l;
        make(&keeper, 1, arena, &a);
        assert_int_equal(leaf_decode(a.leaf, &l), OK);
        assert_true(l.sequence == n);
        assert_memory_equal(l.previous, previous, 32);
        leaf_hash(a.leaf, previous);
        assert_int_equal(leaf_check_tag(a.leaf, keeper.key), OK);
        assert_int_equal(leaf_check_tag(a.leaf, other), ERR_BAD_SIGNATURE);
        for (size_t i = 0; i < a.leaf.len; i++) {
            memcpy(bytes, a.leaf.ptr, a.leaf.len);
            bytes[i] ^= 0x10;
            assert_int_equal(leaf_check_tag(VIEW(bytes, a.leaf.len), keeper.key), ERR_BAD_SIGNATURE);
        }
    }
    arena_free(arena);
}

static void test_fields(void **state)
{
    struct arena *arena = NULL;
    struct leaf_chain front = {.author = AUTHOR_FRONT};
    struct authored_record a, b;
    (void)state;
    assert_int_equal(arena_new(4096, 1 << 20, &arena), OK);
    make(&front, 0, arena, &a);
    make(&front, 0, arena, &b);
    assert_false(view_eq(a.leaf, b.leaf)); /* the salts differ: equal content is not seen */
    assert_int_equal(leaf_check_fields(&a), OK);
    struct authored_record changed = a;
    changed.who = b.what;
    assert_int_equal(leaf_check_fields(&changed), ERR_TAMPERED);
    changed = a;
    changed.what_salt[0] ^= 1;
    assert_int_equal(leaf_check_fields(&changed), ERR_TAMPERED);
    changed = a;
    changed.leaf.len--;
    assert_int_equal(leaf_check_fields(&changed), ERR_TAMPERED);
    /* ... and as an entity, between processes */
    AUTO_WRITER w = writer_new(8192);
    assert_int_equal(entity_encode(&authored_record_entity, &a, &w), OK);
    assert_int_equal(entity_decode(&authored_record_entity, writer_view_of(&w), arena, &changed), OK);
    assert_int_equal(leaf_check_fields(&changed), OK);
    arena_free(arena);
}

static void test_events(void **state)
{
    uint16_t type = 0;
    (void)state;
    assert_string_equal(event_name(EVENT_SECRET_READ), "SECRET_READ");
    assert_null(event_name(9999));
    assert_int_equal(event_find(VIEW_STR("KEY_REVOKED"), &type), OK);
    assert_int_equal(type, EVENT_KEY_REVOKED);
    assert_int_equal(event_find(VIEW_STR("NOTHING"), &type), ERR_NOT_FOUND);
    assert_int_equal(event_severity(EVENT_TAMPERING_FOUND), SEVERITY_CRITICAL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_strict),
        cmocka_unit_test(test_chain_and_tags),
        cmocka_unit_test(test_fields),
        cmocka_unit_test(test_events),
    };
    bool locked;
    if (crypto_init(&locked) != OK)
        return 1;
    return cmocka_run_group_tests_name("ledger leaf", tests, NULL, NULL);
}
