/* What every backend promises. Each test runs against each of them, on a new store. */
#include "store_test.h"

#include <pthread.h>
#include <stdatomic.h>

struct fixture {
    struct place place;
    struct store *s;
};

static int set_up_sqlite(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    place_make(&f->place, "?busy=40");
    f->s = open_store(f->place.url);
    *state = f;
    return 0;
}

static int set_up_memory(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    f->s = open_store("memory:?busy=40");
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    store_close(f->s);
    if (f->place.path[0])
        place_remove(&f->place);
    free(f);
    return 0;
}

static struct store *store_in(void **state)
{
    return ((struct fixture *)*state)->s;
}

/* --- reads */

static void test_get(void **state)
{
    struct store *s = store_in(state);
    assert_int_equal(version_of(s, TABLE_META, "a", NULL), 0);
    commit_one(s, change(TABLE_META, "a", 0, 1, "one"));
    commit_one(s, change(TABLE_USER, "a", 0, 7, "another table"));
    commit_one(s, change(TABLE_META, "", 0, 3, ""));
    assert_int_equal(version_of(s, TABLE_META, "a", "one"), 1);
    assert_int_equal(version_of(s, TABLE_USER, "a", "another table"), 7);
    assert_int_equal(version_of(s, TABLE_META, "", ""), 3);
    assert_int_equal(version_of(s, TABLE_META, "aa", NULL), 0);
}

/* A bot that was told of its commit must read it back at once, also while another thread of ours holds its look. */
static void test_held_reads_see_every_commit(void **state)
{
    struct store *s = store_in(state), *reader = share_store(s, true);
    struct listing l = {0};
    commit_one(s, change(TABLE_META, "a", 0, 1, "one"));
    store_hold(reader);
    assert_int_equal(version_of(reader, TABLE_META, "a", "one"), 1);
    commit_one(s, change(TABLE_META, "a", 1, 2, "two"));
    assert_int_equal(version_of(reader, TABLE_META, "a", "two"), 2);
    commit_one(s, change(TABLE_META, "b", 0, 1, "new"));
    list_range(reader, TABLE_META, "", "", false, 9, &l);
    assert_string_equal(l.text, "a b ");
    assert_int_equal(store_begin(s), OK); /* what is not durable stays unseen */
    struct store_change c = change(TABLE_META, "a", 2, 3, "three");
    assert_int_equal(store_apply(s, &c, 1, NULL), OK);
    assert_int_equal(version_of(reader, TABLE_META, "a", "two"), 2);
    assert_int_equal(store_commit(s), OK);
    assert_int_equal(version_of(reader, TABLE_META, "a", "three"), 3);
    store_release(reader);
    commit_one(s, change(TABLE_META, "a", 3, 4, "four"));
    assert_int_equal(version_of(reader, TABLE_META, "a", "four"), 4);
    store_hold(s); /* the one that writes has nothing to hold */
    commit_one(s, change(TABLE_META, "a", 4, 5, "five"));
    store_release(s);
    store_hold(reader); /* nothing read */
    store_release(reader);
    store_close(reader);
}

static void test_get_leaves_output_on_failure(void **state)
{
    AUTO(arena_free) struct arena *arena = NULL;
    struct store_row row = {.version = 42};
    uint8_t long_key[STORE_KEY_MAX + 1] = {0};
    assert_int_equal(arena_new(64, 64, &arena), OK);
    struct store *s = store_in(state);
    assert_int_equal(store_get(s, TABLE_META, VIEW_STR("x"), arena, &row), ERR_NOT_FOUND);
    assert_int_equal(store_get(s, TABLE_META, VIEW_OF(long_key), arena, &row), ERR_TOO_LONG);
    assert_int_equal(store_get(s, 0, VIEW_STR("x"), arena, &row), ERR_OUT_OF_RANGE);
    assert_int_equal(store_get(s, TABLE_COUNT, VIEW_STR("x"), arena, &row), ERR_OUT_OF_RANGE);
    char text[400];
    memset(text, 'v', sizeof(text) - 1);
    text[sizeof(text) - 1] = '\0';
    commit_one(s, change(TABLE_META, "x", 0, 1, text));
    assert_int_not_equal(store_get(s, TABLE_META, VIEW_STR("x"), arena, &row), OK); /* doesn't fit the arena */
    assert_int_equal(row.version, 42);
    assert_int_equal(version_of(s, TABLE_META, "x", text), 1);
}

static void put_letters(struct store *s)
{
    static const char *const keys[] = {"d", "b", "ca", "c", "a", "e", "bb"};
    assert_int_equal(store_begin(s), OK);
    for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
        struct store_change c[3] = {change(TABLE_KEY, keys[i], 0, 1, "v"),
                                    change(TABLE_KEY - 1, "before", STORE_ANY, 1, "v"),
                                    change(TABLE_KEY + 1, "after", STORE_ANY, 1, "v")};
        assert_int_equal(store_apply(s, c, 3, NULL), OK);
    }
    assert_int_equal(store_commit(s), OK);
}

static void test_range(void **state)
{
    static const struct {
        const char *from, *to;
        bool reverse;
        size_t limit, stop_after;
        const char *want;
    } rows[] = {
        {"", "", false, SIZE_MAX, 0, "a b bb c ca d e "},
        {"", "", true, SIZE_MAX, 0, "e d ca c bb b a "},
        {"b", "d", false, 100, 0, "b bb c ca "}, /* from belongs to it, to does not */
        {"b", "d", true, 100, 0, "ca c bb b "},
        {"ba", "cb", false, 100, 0, "bb c ca "}, /* bounds that are no rows */
        {"ba", "cb", true, 100, 0, "ca c bb "},
        {"c", "", false, 100, 0, "c ca d e "},
        {"c", "", true, 100, 0, "e d ca c "},
        {"", "c", true, 100, 0, "bb b a "},
        {"", "", false, 3, 0, "a b bb "},
        {"", "", true, 2, 0, "e d "},
        {"b", "d", true, 1, 0, "ca "},
        {"", "", false, 0, 0, ""},
        {"", "", false, 100, 2, "a b "}, /* visit said stop */
        {"", "", true, 100, 1, "e "},
        {"c", "c", false, 100, 0, ""},
        {"d", "b", false, 100, 0, ""},
        {"d", "b", true, 100, 0, ""},
        {"f", "", false, 100, 0, ""},
        {"", "a", true, 100, 0, ""},
    };
    struct store *s = store_in(state);
    put_letters(s);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct listing l = {.stop_after = rows[i].stop_after};
        list_range(s, TABLE_KEY, rows[i].from, rows[i].to, rows[i].reverse, rows[i].limit, &l);
        if (strcmp(l.text, rows[i].want) != 0)
            fail_msg("row %zu: '%s', expected '%s'", i, l.text, rows[i].want);
    }
}

static bool visit_and_look_again(void *context, const struct store_row *row)
{
    struct store *s = context;
    struct listing l = {0};
    list_range(s, TABLE_KEY, "", "", false, 100, &l);
    assert_string_equal(l.text, "a b bb c ca d e ");
    char key[8] = "";
    memcpy(key, row->key.ptr, row->key.len);
    assert_int_equal(version_of(s, TABLE_KEY, key, "v"), 1);
    return true;
}

/* A visit may read by itself, also the same range. */
static void test_range_in_range(void **state)
{
    struct store *s = store_in(state);
    put_letters(s);
    assert_int_equal(store_range(s, TABLE_KEY, VIEW_STR(""), VIEW_STR(""), false, 100, visit_and_look_again, s), OK);
}

static bool rising_versions(void *context, const struct store_row *row)
{
    uint64_t *last = context;
    assert_int_equal(row->version, *last + 1);
    *last = row->version;
    return true;
}

static void test_keys_compare_bytewise(void **state)
{
    static const struct view keys[] = {VIEW_STR("\x00"),  VIEW_STR("\x00\x00"), VIEW_STR("\x01"), VIEW_STR("a"),
                                       VIEW_STR("a\x00"), VIEW_STR("a\xff"),    VIEW_STR("\x80"), VIEW_STR("\xff\xff")};
    struct store *s = store_in(state);
    for (size_t i = ARRAY_LEN(keys); i-- > 0;)
        commit_one(s, (struct store_change){STORE_PUT, TABLE_META, keys[i], 0, i + 1, VIEW_STR("v")});
    for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
        uint64_t last = i;
        assert_int_equal(store_range(s, TABLE_META, keys[i], VIEW_STR(""), false, 99, rising_versions, &last), OK);
        assert_int_equal(last, ARRAY_LEN(keys));
    }
}

/* --- commits */

static void test_expectations(void **state)
{
    static const struct {
        bool exists; /* at version 5 */
        uint64_t expect, version;
        enum err want;
        uint64_t after;
    } rows[] = {
        {false, 0, 1, OK, 1},
        {true, 0, 6, ERR_CONFLICT, 5},
        {true, 5, 6, OK, 6},
        {true, 5, 5, OK, 5},
        {true, 4, 6, ERR_CONFLICT, 5},
        {true, 6, 7, ERR_CONFLICT, 5},
        {false, 5, 6, ERR_CONFLICT, 0},
        {false, STORE_ANY, 9, OK, 9},
        {true, STORE_ANY, 9, OK, 9},
        {true, 5, 0, OK, 0},
        {true, 4, 0, ERR_CONFLICT, 5},
        {false, 5, 0, ERR_CONFLICT, 0},
        {true, STORE_ANY, 0, OK, 0},
        {false, STORE_ANY, 0, OK, 0},
        {false, 0, 0, OK, 0},
        {true, 0, 0, ERR_CONFLICT, 5},
        {false, 0, STORE_ANY - 1, OK, STORE_ANY - 1},
    };
    struct store *s = store_in(state);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        commit_one(s, change(TABLE_ROLE, "k", STORE_ANY, 5 * rows[i].exists, "old"));
        struct store_change c = change(TABLE_ROLE, "k", rows[i].expect, rows[i].version, "new");
        size_t failed = 99;
        assert_int_equal(store_begin(s), OK);
        assert_int_equal(store_apply(s, &c, 1, &failed), rows[i].want);
        assert_int_equal(failed, rows[i].want == OK ? 99 : 0);
        assert_int_equal(store_commit(s), OK);
        uint64_t after = version_of(s, TABLE_ROLE, "k", rows[i].want == OK ? "new" : "old");
        if (after != rows[i].after)
            fail_msg("row %zu: version %llu", i, (unsigned long long)after);
    }
}

/* The loser of a race leaves nothing, and those before and after it in the same commit stay. */
static void test_conflict_in_the_middle(void **state)
{
    struct store *s = store_in(state);
    commit_one(s, change(TABLE_META, "taken", 0, 1, "v"));
    struct store_change first[2] = {change(TABLE_META, "a", 0, 1, "a"), change(TABLE_USER, "a", 0, 1, "a")};
    struct store_change lost[4] = {change(TABLE_META, "b", 0, 1, "b"), change(TABLE_META, "a", 1, 0, NULL),
                                   change(TABLE_META, "taken", 0, 1, "b"), change(TABLE_META, "c", 0, 1, "c")};
    struct store_change last[2] = {change(TABLE_META, "d", 0, 1, "d"), change(TABLE_META, "taken", 1, 2, "d")};
    size_t failed = 99;
    assert_int_equal(store_begin(s), OK);
    assert_int_equal(store_apply(s, first, 2, NULL), OK);
    assert_int_equal(store_apply(s, lost, 4, &failed), ERR_CONFLICT);
    assert_int_equal(failed, 2);
    assert_int_equal(store_apply(s, last, 2, NULL), OK);
    assert_int_equal(store_commit(s), OK);
    struct listing l = {0};
    list_range(s, TABLE_META, "", "", false, 100, &l);
    assert_string_equal(l.text, "a d taken ");
    assert_int_equal(version_of(s, TABLE_META, "taken", "d"), 2);
    assert_int_equal(version_of(s, TABLE_USER, "a", "a"), 1);
}

/* Without an expectation after the first change SQLite takes a shorter way. */
static void test_conflict_at_first_change(void **state)
{
    struct store *s = store_in(state);
    struct store_change lost[2] = {change(TABLE_META, "a", 3, 4, "a"), change(TABLE_META, "b", STORE_ANY, 1, "b")};
    size_t failed = 99;
    assert_int_equal(store_begin(s), OK);
    assert_int_equal(store_apply(s, lost, 2, &failed), ERR_CONFLICT);
    assert_int_equal(failed, 0);
    assert_int_equal(store_commit(s), OK);
    assert_int_equal(version_of(s, TABLE_META, "b", NULL), 0);
}

static void test_same_row_twice(void **state)
{
    struct store *s = store_in(state);
    struct store_change one = change(TABLE_META, "k", 0, 1, "1"), two = change(TABLE_META, "k", 1, 2, "2"),
                        again = change(TABLE_META, "k", 1, 2, "lost");
    struct store_change both[3] = {change(TABLE_META, "k", 2, 3, "3"), change(TABLE_META, "k", 3, 0, NULL),
                                   change(TABLE_META, "k", 0, 8, "8")};
    assert_int_equal(store_begin(s), OK);
    assert_int_equal(store_apply(s, &one, 1, NULL), OK);
    assert_int_equal(store_apply(s, &one, 1, NULL), ERR_CONFLICT);
    assert_int_equal(store_apply(s, &two, 1, NULL), OK);
    assert_int_equal(store_apply(s, &again, 1, NULL), ERR_CONFLICT);
    assert_int_equal(store_apply(s, both, 3, NULL), OK);
    assert_int_equal(store_commit(s), OK);
    assert_int_equal(version_of(s, TABLE_META, "k", "8"), 8);
}

static void test_rollback(void **state)
{
    struct store *s = store_in(state);
    commit_one(s, change(TABLE_META, "k", 0, 1, "kept"));
    struct store_change c[2] = {change(TABLE_META, "k", 1, 2, "gone"), change(TABLE_META, "n", 0, 1, "gone")};
    assert_int_equal(store_begin(s), OK);
    assert_int_equal(store_apply(s, c, 2, NULL), OK);
    store_rollback(s);
    store_rollback(s); /* nothing to do */
    assert_int_equal(version_of(s, TABLE_META, "k", "kept"), 1);
    assert_int_equal(version_of(s, TABLE_META, "n", NULL), 0);
    commit_one(s, c[0]);
    assert_int_equal(version_of(s, TABLE_META, "k", "gone"), 2);
}

static void test_calls_out_of_order(void **state)
{
    struct store *s = store_in(state);
    struct store_change c = change(TABLE_META, "k", 0, 1, "v");
    assert_int_equal(store_apply(s, &c, 1, NULL), ERR_INTERNAL);
    assert_int_equal(store_commit(s), ERR_INTERNAL);
    assert_int_equal(store_begin(s), OK);
    assert_int_equal(store_begin(s), ERR_INTERNAL);
    assert_int_equal(store_apply(s, NULL, 0, NULL), OK);
    assert_int_equal(store_commit(s), OK);
    struct store *reader = share_store(s, true);
    assert_int_equal(store_begin(reader), ERR_INTERNAL);
    assert_int_equal(store_maintain(reader), ERR_INTERNAL);
    struct problem why = {0};
    store_explain(reader, &why);
    assert_int_equal(why.code, ERR_INTERNAL);
    store_close(reader);
}

static void test_limits(void **state)
{
    struct store *s = store_in(state);
    static uint8_t big[STORE_VALUE_MAX + 1];
    uint8_t key[STORE_KEY_MAX + 1];
    memset(key, 'k', sizeof(key));
    for (size_t i = 0; i < sizeof(big); i++)
        big[i] = (uint8_t)(i * 31 >> 3);
    struct store_change c = {STORE_PUT, TABLE_META, VIEW(key, STORE_KEY_MAX), 0, 1, VIEW(big, STORE_VALUE_MAX)};
    struct store_change wrong[5] = {c, c, c, c, c};
    static const enum err want[5] = {ERR_TOO_LONG, ERR_TOO_LONG, ERR_OUT_OF_RANGE, ERR_OUT_OF_RANGE, ERR_OUT_OF_RANGE};
    wrong[0].key.len++;
    wrong[1].value.len++;
    wrong[2].version = 0;
    wrong[3].version = STORE_ANY;
    wrong[4].table = TABLE_COUNT;

    assert_int_equal(store_begin(s), OK);
    for (size_t i = 0; i < 5; i++) {
        struct store_change two[2] = {change(TABLE_META, "not this either", 0, 1, "v"), wrong[i]};
        size_t failed = 99;
        assert_int_equal(store_apply(s, two, 2, &failed), want[i]);
        assert_int_equal(failed, 1);
    }
    assert_int_equal(store_apply(s, &c, 1, NULL), OK); /* the commit goes on */
    assert_int_equal(store_commit(s), OK);

    AUTO(arena_free) struct arena *arena = NULL;
    struct store_row row = {0};
    assert_int_equal(arena_new(1u << 20, 4u << 20, &arena), OK);
    assert_int_equal(store_get(s, TABLE_META, VIEW(key, STORE_KEY_MAX), arena, &row), OK);
    assert_true(view_eq(row.value, VIEW(big, STORE_VALUE_MAX)));
    assert_int_equal(version_of(s, TABLE_META, "not this either", NULL), 0);
}

/* --- several connections */

static void test_reads_see_commits_only(void **state)
{
    struct store *s = store_in(state), *reader = share_store(s, true), *other = share_store(s, false);
    struct store *const all[] = {s, reader, other};
    commit_one(s, change(TABLE_META, "a", 0, 1, "old"));
    struct store_change c[3] = {change(TABLE_META, "a", 1, 2, "new"), change(TABLE_META, "b", 0, 1, "new")};
    assert_int_equal(store_begin(s), OK);
    assert_int_equal(store_apply(s, c, 2, NULL), OK);
    for (size_t i = 0; i < ARRAY_LEN(all); i++) { /* also the one that writes */
        struct listing l = {0};
        assert_int_equal(version_of(all[i], TABLE_META, "a", "old"), 1);
        list_range(all[i], TABLE_META, "", "", false, 9, &l);
        assert_string_equal(l.text, "a ");
    }
    assert_int_equal(store_commit(s), OK);
    for (size_t i = 0; i < ARRAY_LEN(all); i++) {
        struct listing l = {0};
        assert_int_equal(version_of(all[i], TABLE_META, "a", "new"), 2);
        list_range(all[i], TABLE_META, "", "", false, 9, &l);
        assert_string_equal(l.text, "a b ");
    }
    store_close(other);
    store_close(reader);
}

static void test_one_commit_at_a_time(void **state)
{
    struct store *s = store_in(state), *other = share_store(s, false);
    assert_int_equal(store_begin(s), OK);
    assert_int_equal(store_begin(other), ERR_BUSY);
    store_rollback(s);
    commit_one(other, change(TABLE_META, "k", 0, 1, "v"));
    commit_one(s, change(TABLE_META, "k", 1, 2, "v"));
    assert_int_equal(store_begin(s), OK);
    store_close(other);
    store_rollback(s);
}

static void test_close_inside_commit(void **state)
{
    struct store *s = store_in(state), *other = share_store(s, false);
    struct store_change c = change(TABLE_META, "k", 0, 1, "v");
    assert_int_equal(store_begin(other), OK);
    assert_int_equal(store_apply(other, &c, 1, NULL), OK);
    store_close(other);
    assert_int_equal(version_of(s, TABLE_META, "k", NULL), 0);
    commit_one(s, c);
}

#define READERS 3
#define COMMITS 200

struct crowd {
    struct store *s;
    atomic_bool over;
    atomic_uint wrong, looks;
};

static bool sum_versions(void *context, const struct store_row *row)
{
    uint64_t *sum = context;
    sum[0] += row->version;
    sum[1]++;
    return true;
}

/* Each commit raises all eight rows to the same version: whoever sees two versions saw half of a commit. */
static void *watch(void *context)
{
    struct crowd *crowd = context;
    uint64_t last = 0;
    do {
        uint64_t sum[2] = {0, 0};
        if (store_range(crowd->s, TABLE_META, VIEW_STR(""), VIEW_STR(""), false, 99, sum_versions, sum) != OK)
            atomic_fetch_add(&crowd->wrong, 1);
        if (sum[1] != 8 || sum[0] % 8 != 0 || sum[0] < last)
            atomic_fetch_add(&crowd->wrong, 1);
        last = sum[0];
        atomic_fetch_add(&crowd->looks, 1);
    } while (!atomic_load(&crowd->over));
    return NULL;
}

static void raise_all(struct store *s, uint64_t version)
{
    static const char *const keys[8] = {"a", "b", "c", "d", "e", "f", "g", "h"};
    assert_int_equal(store_begin(s), OK);
    for (size_t i = 0; i < 8; i++) {
        struct store_change c = change(TABLE_META, keys[i], version - 1, version, "v");
        assert_int_equal(store_apply(s, &c, 1, NULL), OK);
    }
    assert_int_equal(store_commit(s), OK);
}

static void test_readers_beside_a_writer(void **state)
{
    struct store *s = store_in(state);
    static struct crowd crowds[READERS]; /* outlives a failed assertion, unlike this frame */
    memset(crowds, 0, sizeof(crowds));
    pthread_t threads[READERS];
    raise_all(s, 1);
    for (size_t i = 0; i < READERS; i++) {
        crowds[i].s = share_store(s, true);
        assert_int_equal(pthread_create(&threads[i], NULL, watch, &crowds[i]), 0);
    }
    struct store *keeper = share_store(s, false);
    for (uint64_t version = 2; version < COMMITS; version++) {
        raise_all(s, version);
        if (version % 10 == 0)
            assert_int_equal(store_maintain(keeper), OK);
    }
    for (size_t i = 0; i < READERS; i++) {
        atomic_store(&crowds[i].over, true);
        pthread_join(threads[i], NULL);
        assert_int_equal(crowds[i].wrong, 0);
        assert_true(crowds[i].looks > 0);
        store_close(crowds[i].s);
    }
    store_close(keeper);
}

static void test_connections_outlive_the_first(void **state)
{
    struct fixture *f = *state;
    commit_one(f->s, change(TABLE_META, "k", 0, 1, "v"));
    struct store *other = share_store(f->s, false);
    store_close(f->s);
    f->s = other;
    assert_int_equal(version_of(other, TABLE_META, "k", "v"), 1);
    commit_one(other, change(TABLE_META, "k", 1, 2, "w"));
}

#define BOTH(test)                                                                                                     \
    {"sqlite: " #test, test, set_up_sqlite, tear_down, NULL},                                                          \
    {                                                                                                                  \
        "memory: " #test, test, set_up_memory, tear_down, NULL                                                         \
    }

int main(void)
{
    const struct CMUnitTest tests[] = {
        BOTH(test_get),
        BOTH(test_held_reads_see_every_commit),
        BOTH(test_get_leaves_output_on_failure),
        BOTH(test_range),
        BOTH(test_range_in_range),
        BOTH(test_keys_compare_bytewise),
        BOTH(test_expectations),
        BOTH(test_conflict_in_the_middle),
        BOTH(test_conflict_at_first_change),
        BOTH(test_same_row_twice),
        BOTH(test_rollback),
        BOTH(test_calls_out_of_order),
        BOTH(test_limits),
        BOTH(test_reads_see_commits_only),
        BOTH(test_one_commit_at_a_time),
        BOTH(test_close_inside_commit),
        BOTH(test_readers_beside_a_writer),
        BOTH(test_connections_outlive_the_first),
    };
    return cmocka_run_group_tests_name("store contract", tests, NULL, NULL);
}
