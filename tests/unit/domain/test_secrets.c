/* Secrets through a real ledger: what a version's life looks like, what may be read when, and what tampering does. */
#include "../ledger/ledger_test.h"

#include "domain/secrets/secrets.h"

static struct rig *rig;
static struct arena *arena;

static int setup(void **state)
{
    struct problem why;
    (void)state;
    rig = rig_new(NULL, NULL);
    assert_int_equal(rig_open(rig, &why), OK);
    assert_int_equal(arena_new(65536, 8u << 20, &arena), OK);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    arena_free(arena);
    rig_free(rig);
    return 0;
}

static struct secret_edit edit(void)
{
    return (struct secret_edit){.reader = rig->reader,
                                .keys = rig->keys,
                                .random = random_system(),
                                .arena = arena,
                                .actor = VIEW_STR("user:alice"),
                                .now_ms = rig->now_ms};
}

static enum err commit(struct secret_changes *c)
{
    struct record record = {.type = EVENT_SECRET_CHANGED,
                            .outcome = OUTCOME_DONE,
                            .who.actor = VIEW_STR("user:alice"),
                            .what.resource = VIEW_STR("secret:x")};
    struct txn t = {
        .arena = arena, .changes = c->items, .change_count = c->count, .records = &record, .record_count = 1};
    return rig_submit(rig, &t);
}

static void create(const char *path, uint8_t environment, const char *sealed)
{
    struct secret_meta meta = {.path = view_str(path), .kind = SECRET_PASSWORD, .environment = environment};
    struct secret_changes c;
    struct secret_edit by = edit();
    memset(meta.id, 7, sizeof meta.id);
    memcpy(meta.id, path, strlen(path) < 16 ? strlen(path) : 16);
    assert_int_equal(secret_create(&by, &meta, view_str(sealed), &c), OK);
    assert_int_equal(meta.current, 1);
    assert_int_equal(commit(&c), OK);
}

static struct secret_found get(const char *path)
{
    struct secret_found s = {0};
    assert_int_equal(secret_get(rig->reader, rig->keys, view_str(path), arena, &s), OK);
    return s;
}

static void rotate(const char *path, const char *sealed, uint64_t grace_ms)
{
    struct secret_found s = get(path);
    struct secret_changes c;
    struct secret_edit by = edit();
    assert_int_equal(secret_rotate(&by, &s, view_str(sealed), grace_ms, &c), OK);
    assert_int_equal(commit(&c), OK);
}

static enum err read_value(const char *path, uint64_t version, bool recover, const char *expected)
{
    struct secret_found s = get(path);
    struct secret_wanted want = {.version = version, .recover = recover, .now_ms = rig->now_ms};
    struct secret_sealed v;
    enum err e = secret_value(rig->reader, rig->keys, &s, &want, arena, &v);
    if (e == OK)
        assert_true(view_is(v.sealed, expected));
    return e;
}

static enum err set(const char *path, uint64_t version, enum secret_version_state state)
{
    struct secret_found s = get(path);
    struct secret_changes c;
    struct secret_edit by = edit();
    TRY(secret_set_version(&by, &s, version, state, &c));
    return commit(&c);
}

static void test_paths(void **state)
{
    static const char *const good[] = {"a", "exchange/binance/main", "A.b_c-1/0", "1/2/3/4/5/6/7/8/9/10/11/12", "..."};
    static const char *const bad[] = {"",
                                      "/a",
                                      "a/",
                                      "a//b",
                                      "a/./b",
                                      "..",
                                      "a/../b",
                                      "a b",
                                      "a\tb",
                                      "a%2f",
                                      "\xc3\xa4",
                                      "a\\b",
                                      "1/2/3/4/5/6/7/8/9/10/11/12/13"};
    char long_name[66];
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(good); i++)
        assert_true(secret_path_valid(view_str(good[i])));
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        assert_false(secret_path_valid(view_str(bad[i])));
    memset(long_name, 'x', sizeof long_name);
    assert_true(secret_path_valid(VIEW(long_name, 64)));
    assert_false(secret_path_valid(VIEW(long_name, 65)));
}

/* SEC-3: a level alone does not open another environment, nor does an environment without the level. */
static void test_level_and_environment(void **state)
{
    (void)state;
    for (unsigned level = ACCESS_NONE; level <= ACCESS_EMERGENCY; level++)
        for (unsigned mask = 0; mask < 8; mask++)
            for (unsigned environment = 0; environment < 5; environment++)
                for (unsigned needed = ACCESS_READ; needed <= ACCESS_EMERGENCY; needed++) {
                    const struct secret_access a = {.level = (uint8_t)level, .environments = (uint8_t)mask};
                    bool there = environment >= 1 && environment <= 3;
                    bool may = level >= needed && there && (mask & (1u << (environment - 1)));
                    assert_int_equal(secret_may(&a, (uint8_t)environment, (enum access_level)needed),
                                     may ? OK : ERR_FORBIDDEN);
                }
    const struct secret_access none = {.level = ACCESS_ADMIN, .environments = 7};
    assert_int_equal(secret_may(&none, ENVIRONMENT_STAGING, ACCESS_NONE), ERR_FORBIDDEN);
    assert_true(secret_may_list(&none, 0));
    assert_false(secret_may_list(&(struct secret_access){.level = ACCESS_ADMIN, .environments = 5}, 0));
    assert_false(secret_may_list(&(struct secret_access){.level = ACCESS_NONE, .environments = 7}, 0));
}

static void test_database_credentials_come_whole(void **state)
{
    struct problem why = {0};
    (void)state;
    assert_int_equal(secret_value_acceptable(SECRET_PASSWORD, VIEW_STR("x"), &why), OK);
    assert_int_equal(secret_value_acceptable(SECRET_PASSWORD, VIEW("", 0), &why), ERR_TOO_SHORT);
    assert_int_equal(secret_value_acceptable(SECRET_DATABASE_CREDENTIALS,
                                             VIEW_STR("{\"username\":\"u\",\"password\":\"p\",\"host\":\"h\"}"), &why),
                     OK);
    assert_int_equal(secret_value_acceptable(SECRET_DATABASE_CREDENTIALS, VIEW_STR("{\"username\":\"hunter2\"}"), &why),
                     ERR_MISSING_FIELD);
    assert_null(strstr(why.detail, "hunter2"));
    assert_int_equal(
        secret_value_acceptable(SECRET_DATABASE_CREDENTIALS, VIEW_STR("{\"username\":\"u\",\"password\":\"\"}"), &why),
        ERR_MISSING_FIELD);
    assert_int_equal(secret_value_acceptable(SECRET_DATABASE_CREDENTIALS, VIEW_STR("[1]"), &why), ERR_BAD_VALUE);
    assert_int_equal(secret_value_acceptable(SECRET_DATABASE_CREDENTIALS, VIEW_STR("no json"), &why), ERR_BAD_VALUE);
}

static void test_rotation_and_grace(void **state)
{
    (void)state;
    create("db/main", ENVIRONMENT_PRODUCTION, "sealed-1");
    assert_int_equal(read_value("db/main", 0, false, "sealed-1"), OK);
    rotate("db/main", "sealed-2", 60000);
    assert_int_equal(get("db/main").meta.current, 2);
    assert_int_equal(read_value("db/main", 0, false, "sealed-2"), OK);
    assert_int_equal(read_value("db/main", 1, false, "sealed-1"), OK);
    rig->now_ms += 59999;
    assert_int_equal(read_value("db/main", 1, false, "sealed-1"), OK);
    rig->now_ms += 1;
    assert_int_equal(read_value("db/main", 1, false, ""), ERR_NOT_FOUND);
    assert_int_equal(read_value("db/main", 1, true, "sealed-1"), OK);
    assert_int_equal(read_value("db/main", 3, true, ""), ERR_NOT_FOUND);
    rotate("db/main", "sealed-3", 0);
    assert_int_equal(read_value("db/main", 2, false, ""), ERR_NOT_FOUND);
    struct secret_found s = get("db/main");
    struct secret_changes c;
    struct secret_edit by = edit();
    assert_int_equal(secret_rotate(&by, &s, VIEW_STR("x"), SECRET_GRACE_MAX_MS + 1, &c), ERR_OUT_OF_RANGE);
}

/* Two people rotate at once: one of them is told so, and nothing of his stays. */
static void test_lost_race(void **state)
{
    struct secret_changes first, second;
    struct secret_edit by = edit();
    (void)state;
    create("db/main", ENVIRONMENT_STAGING, "sealed-1");
    struct secret_found a = get("db/main"), b = get("db/main");
    assert_int_equal(secret_rotate(&by, &a, VIEW_STR("sealed-a"), 0, &first), OK);
    assert_int_equal(secret_rotate(&by, &b, VIEW_STR("sealed-b"), 0, &second), OK);
    assert_int_equal(commit(&first), OK);
    assert_int_equal(commit(&second), ERR_CONFLICT);
    assert_int_equal(read_value("db/main", 0, false, "sealed-a"), OK);
}

static void test_delete_undelete_destroy(void **state)
{
    (void)state;
    create("k", ENVIRONMENT_DEVELOPMENT, "sealed-1");
    rotate("k", "sealed-2", 60000);
    assert_int_equal(set("k", 2, VERSION_CURRENT), ERR_CONFLICT);
    assert_int_equal(set("k", 2, VERSION_DELETED), OK);
    assert_int_equal(read_value("k", 0, false, ""), ERR_NOT_FOUND);
    assert_int_equal(read_value("k", 1, false, "sealed-1"), OK);
    assert_int_equal(read_value("k", 0, true, "sealed-2"), OK);
    assert_int_equal(set("k", 2, VERSION_DELETED), ERR_CONFLICT);
    assert_int_equal(set("k", 2, VERSION_CURRENT), OK);
    assert_int_equal(read_value("k", 0, false, "sealed-2"), OK);
    /* A former version comes back to what is left of its grace period. */
    assert_int_equal(set("k", 1, VERSION_DELETED), OK);
    assert_int_equal(read_value("k", 1, false, ""), ERR_NOT_FOUND);
    assert_int_equal(set("k", 1, VERSION_CURRENT), OK);
    assert_int_equal(read_value("k", 1, false, "sealed-1"), OK);
    rig->now_ms += 60000;
    assert_int_equal(read_value("k", 1, false, ""), ERR_NOT_FOUND);
    assert_int_equal(set("k", 1, VERSION_DESTROYED), OK);
    assert_int_equal(read_value("k", 1, true, ""), ERR_NOT_FOUND);
    assert_int_equal(set("k", 1, VERSION_CURRENT), ERR_CONFLICT);
    assert_int_equal(set("k", 9, VERSION_DELETED), ERR_NOT_FOUND);
    assert_int_equal(set("k", 2, VERSION_GRACE), ERR_BAD_VALUE);
}

static void test_revocation(void **state)
{
    struct secret_changes c;
    struct secret_edit by = edit();
    (void)state;
    create("k", ENVIRONMENT_PRODUCTION, "sealed-1");
    struct secret_found s = get("k");
    assert_int_equal(secret_revoke(&by, &s, &c), OK);
    assert_int_equal(commit(&c), OK);
    s = get("k");
    assert_true(s.meta.revoked);
    assert_int_equal(read_value("k", 0, false, ""), ERR_REVOKED);
    assert_int_equal(read_value("k", 0, true, "sealed-1"), OK);
    assert_int_equal(secret_revoke(&by, &s, &c), ERR_REVOKED);
    assert_int_equal(secret_rotate(&by, &s, VIEW_STR("x"), 0, &c), ERR_REVOKED);
    assert_int_equal(secret_update(&by, &s, &c), ERR_REVOKED);
    assert_int_equal(set("k", 1, VERSION_DELETED), ERR_REVOKED);
    rig->now_ms += SECRET_RETENTION_MS;
    assert_int_equal(read_value("k", 0, true, ""), ERR_REVOKED);
    assert_int_equal(set("k", 1, VERSION_DESTROYED), OK);
}

static void test_oldest_version_goes(void **state)
{
    (void)state;
    create("k", ENVIRONMENT_PRODUCTION, "sealed");
    for (unsigned i = 1; i <= SECRET_VERSIONS_MAX; i++) {
        rig->now_ms += 1000;
        rotate("k", "sealed", 0);
    }
    struct secret_found s = get("k");
    assert_int_equal(s.meta.versions.count, SECRET_VERSIONS_MAX);
    assert_int_equal(s.meta.current, SECRET_VERSIONS_MAX + 1);
    assert_int_equal(read_value("k", 1, true, ""), ERR_NOT_FOUND);
    assert_int_equal(read_value("k", 2, true, "sealed"), OK);
    struct problem why = {0};
    assert_int_equal(ledger_check_rows(rig->ledger, &why), OK);
}

struct names {
    char text[512];
    size_t count, limit;
    uint8_t key[STORE_KEY_MAX];
    size_t key_len;
};

static bool note(void *context, const struct secret_found *s)
{
    struct names *n = context;
    snprintf(n->text + strlen(n->text), sizeof n->text - strlen(n->text), " %.*s", (int)s->meta.path.len,
             (const char *)s->meta.path.ptr);
    memcpy(n->key, s->key.ptr, s->key.len);
    n->key_len = s->key.len;
    return ++n->count < n->limit;
}

static struct names list(const char *prefix)
{
    struct names n = {.limit = 1000};
    struct secret_range range = {.prefix = view_str(prefix)};
    struct problem why;
    assert_int_equal(secret_list(rig->reader, rig->keys, &range, note, &n, &why), OK);
    return n;
}

static void test_listing(void **state)
{
    char path[32];
    struct problem why = {0};
    (void)state;
    for (unsigned i = 0; i < 40; i++) {
        snprintf(path, sizeof path, "ex/%c/%u", i % 2 ? 'a' : 'b', i);
        create(path, ENVIRONMENT_PRODUCTION, "s");
    }
    create("ex", ENVIRONMENT_PRODUCTION, "s");
    create("exx/y", ENVIRONMENT_PRODUCTION, "s");
    assert_int_equal(list("").count, 42);
    assert_int_equal(list("ex").count, 41);
    assert_int_equal(list("ex/").count, 40);
    assert_int_equal(list("ex/a").count, 20);
    assert_null(strstr(list("ex/a").text, "ex/b"));
    assert_int_equal(list("e").count, 0);
    /* In pages of 7: everything once. */
    struct names seen = {.limit = 7};
    size_t pages = 0;
    for (size_t before = 1; before; pages++) {
        struct secret_range range = {.prefix = VIEW_STR("ex"), .after = VIEW(seen.key, seen.key_len)};
        size_t count = seen.count;
        seen.limit = count + 7;
        seen.text[0] = '\0';
        uint8_t after[STORE_KEY_MAX];
        memcpy(after, seen.key, seen.key_len);
        range.after.ptr = after;
        assert_int_equal(secret_list(rig->reader, rig->keys, &range, note, &seen, &why), OK);
        before = seen.count - count;
    }
    assert_int_equal(seen.count, 41);
    assert_int_equal(pages, 7);
    struct secret_range elsewhere = {.prefix = VIEW_STR("exx"), .after = VIEW(seen.key, seen.key_len)};
    assert_int_equal(secret_list(rig->reader, rig->keys, &elsewhere, note, &seen, &why), ERR_BAD_VALUE);
    assert_string_equal(why.where, "?after");
    struct secret_range malformed = {.prefix = VIEW_STR("a//b")};
    assert_int_equal(secret_list(rig->reader, rig->keys, &malformed, note, &seen, &why), ERR_BAD_VALUE);
}

/* More rows than one step of the walk. */
static void test_long_listing(void **state)
{
    char path[32];
    (void)state;
    for (unsigned i = 0; i < 300; i++) {
        snprintf(path, sizeof path, "p/%u", i);
        create(path, ENVIRONMENT_PRODUCTION, "s");
    }
    struct names n = list("p/");
    assert_int_equal(n.count, 300);
}

/* Somebody with the database file: a value moved to another secret's row, or to another version's. */
static void test_moved_values(void **state)
{
    (void)state;
    create("one", ENVIRONMENT_PRODUCTION, "sealed-one");
    create("two", ENVIRONMENT_PRODUCTION, "sealed-two");
    struct store *writer = NULL;
    struct problem why;
    struct store_row rows[2];
    const char *const paths[] = {"one", "two"};
    for (size_t i = 0; i < 2; i++) {
        struct secret_found s = get(paths[i]);
        uint8_t name[24], key[STORE_KEY_MAX];
        struct writer n = writer_fixed(name, sizeof name), w = writer_fixed(key, sizeof key);
        writer_bytes(&n, s.meta.id, 16);
        writer_u64(&n, 1);
        assert_int_equal(row_key_exact(rig->keys, TABLE_SECRET_VALUE, writer_view_of(&n), &w), OK);
        assert_int_equal(store_get(rig->reader, TABLE_SECRET_VALUE, writer_view_of(&w), arena, &rows[i]), OK);
        assert_false(row_is_state(&rows[i]));
    }
    assert_int_equal(store_open(rig->url, &writer, &why), OK);
    struct store_change swap = {.op = STORE_PUT,
                                .table = TABLE_SECRET_VALUE,
                                .key = rows[0].key,
                                .expect = STORE_ANY,
                                .version = 1,
                                .value = rows[1].value};
    assert_int_equal(store_begin(writer), OK);
    assert_int_equal(store_apply(writer, &swap, 1, NULL), OK);
    assert_int_equal(store_commit(writer), OK);
    store_close(writer);
    assert_int_equal(read_value("one", 0, false, ""), ERR_TAMPERED);
    assert_int_equal(read_value("two", 0, false, "sealed-two"), OK);
}

static void test_rewrapping(void **state)
{
    uint8_t name[24], key[STORE_KEY_MAX];
    struct writer n = writer_fixed(name, sizeof name), w = writer_fixed(key, sizeof key);
    struct store_row row;
    struct secret_sealed v;
    AUTO_WRITER again = writer_new(65536);
    (void)state;
    create("one", ENVIRONMENT_PRODUCTION, "sealed-one");
    struct secret_found s = get("one");
    writer_bytes(&n, s.meta.id, 16);
    writer_u64(&n, 1);
    assert_int_equal(row_key_exact(rig->keys, TABLE_SECRET_VALUE, writer_view_of(&n), &w), OK);
    assert_int_equal(store_get(rig->reader, TABLE_SECRET_VALUE, writer_view_of(&w), arena, &row), OK);
    rig_rotate(rig);
    assert_int_equal(secret_value_rewrap(rig->keys, &row, VIEW_STR("sealed anew"), random_system(), &again), OK);
    row.value = writer_view_of(&again);
    assert_int_equal(secret_value_open(rig->keys, &row, arena, &v), OK);
    assert_true(view_is(v.path, "one"));
    assert_true(view_is(v.sealed, "sealed anew"));
    assert_int_equal(v.version, 1);
    assert_memory_equal(v.id, s.meta.id, 16);
    row.version = 2;
    assert_int_equal(secret_value_open(rig->keys, &row, arena, &v), ERR_TAMPERED);
    row.value.len = 3;
    assert_int_equal(secret_value_open(rig->keys, &row, arena, &v), ERR_TAMPERED);
}

static void test_json_form(void **state)
{
    AUTO_WRITER w = writer_new(65536);
    (void)state;
    create("one", ENVIRONMENT_STAGING, "sealed-one");
    struct secret_found s = get("one");
    entity_to_json(&secret_entity, &s.meta, &w);
    writer_u8(&w, 0);
    assert_non_null(strstr((char *)w.ptr, "\"environment\":\"staging\""));
    assert_non_null(strstr((char *)w.ptr, "\"kind\":\"password\""));
    assert_non_null(strstr((char *)w.ptr, "\"revoked\":false"));
    assert_null(strstr((char *)w.ptr, "sealed-one"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_paths),
        cmocka_unit_test(test_level_and_environment),
        cmocka_unit_test(test_database_credentials_come_whole),
        cmocka_unit_test_setup_teardown(test_rotation_and_grace, setup, teardown),
        cmocka_unit_test_setup_teardown(test_lost_race, setup, teardown),
        cmocka_unit_test_setup_teardown(test_delete_undelete_destroy, setup, teardown),
        cmocka_unit_test_setup_teardown(test_revocation, setup, teardown),
        cmocka_unit_test_setup_teardown(test_oldest_version_goes, setup, teardown),
        cmocka_unit_test_setup_teardown(test_listing, setup, teardown),
        cmocka_unit_test_setup_teardown(test_long_listing, setup, teardown),
        cmocka_unit_test_setup_teardown(test_moved_values, setup, teardown),
        cmocka_unit_test_setup_teardown(test_rewrapping, setup, teardown),
        cmocka_unit_test_setup_teardown(test_json_form, setup, teardown),
    };
    return cmocka_run_group_tests_name("secrets", tests, NULL, NULL);
}
