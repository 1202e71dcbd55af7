/* Somebody with write access to the database file: each thing he may do is found, and named. */
#include "ledger_test.h"

#include "ledger/logrow.h"

#include <sqlite3.h>
#include <unistd.h>

#define RECORDS 300

struct attack {
    const char *what;
    const char *sql;
    bool at_start;      /* found when the ledger opens; else by the full check */
    const char *where;  /* beginning of why.where */
    const char *detail; /* found in why.detail */
};

/* flip(value, at): with one bit of that byte changed; from the end if at is negative. */
static void flip(sqlite3_context *context, int count, sqlite3_value **arguments)
{
    int len = sqlite3_value_bytes(arguments[0]), at = sqlite3_value_int(arguments[1]);
    uint8_t *copy = sqlite3_malloc(len);
    (void)count;
    at += at < 0 ? len : 0;
    assert_true(copy && at >= 0 && at < len);
    memcpy(copy, sqlite3_value_blob(arguments[0]), (size_t)len);
    copy[at] ^= 1;
    sqlite3_result_blob(context, copy, len, sqlite3_free);
}

/* How many rows were changed. */
static int sql(const char *path, const char *text)
{
    sqlite3 *db = NULL;
    char *message = NULL;
    char attach[400];
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_create_function(db, "flip", 2, SQLITE_UTF8, NULL, flip, NULL, NULL), SQLITE_OK);
    /* What he keeps for later is in a file of its own: the schema is looked at, too. */
    snprintf(attach, sizeof(attach), "ATTACH '%s-kept' AS kept; PRAGMA temp_store = MEMORY", path);
    assert_int_equal(sqlite3_exec(db, attach, NULL, NULL, NULL), SQLITE_OK);
    if (sqlite3_exec(db, text, NULL, NULL, &message) != SQLITE_OK)
        fail_msg("%s: %s", text, message);
    int changes = sqlite3_total_changes(db);
    sqlite3_close(db);
    return changes;
}

static void fill(struct rig *r)
{
    const struct change raw = {TABLE_SECRET_VALUE, "s", "a raw value", true};
    const struct change raw2 = {TABLE_SECRET_VALUE, "s", "a raw value, too", true};
    const struct change other = {TABLE_SECRET_VALUE, "t", "another", true};
    const struct event e = {EVENT_SECRET_STORED, OUTCOME_DONE, "user:alice", "secret:s"};
    assert_int_equal(rig_open(r, NULL), OK);
    assert_int_equal(rig_put(r, TABLE_USER, "alice", "first"), OK);
    assert_int_equal(rig_put(r, TABLE_USER, "bob", "first"), OK);
    assert_int_equal(rig_put(r, TABLE_SESSION, "gone", "x"), OK);
    assert_int_equal(rig_change(r, &raw, 1, &e), OK);
    assert_int_equal(rig_change(r, &other, 1, &e), OK);
    rig_close(r);
    /* What he keeps, to put it back. */
    sql(r->path, "CREATE TABLE kept.t10 AS SELECT * FROM main.t10; CREATE TABLE kept.t11 AS SELECT * FROM main.t11;"
                 "CREATE TABLE kept.t8 AS SELECT * FROM main.t8; CREATE TABLE kept.t1 AS SELECT * FROM main.t1;");
    assert_int_equal(rig_open(r, NULL), OK);
    assert_int_equal(rig_put(r, TABLE_USER, "alice", "second"), OK);
    assert_int_equal(rig_change(r, &raw2, 1, &e), OK);
    assert_int_equal(rig_put(r, TABLE_SESSION, "gone", NULL), OK);
    while (ledger_size(r->ledger) < RECORDS)
        assert_int_equal(rig_record(r, "user:carol"), OK);
    for (int i = 0; ledger_indexed(r->ledger) < RECORDS; i++) {
        assert_true(i < 500);
        usleep(10000);
    }
    rig_close(r);
}

#define KEY(n) "key = x'00000000000000" n "'"

/* Behind u8 version, u16 length and a leaf without changes (136 bytes): 18 key ‖ 8 version ‖ 1 alg ‖ 24 nonce ‖ 4
 * length */
#define WHO_KEY     "145"
#define WHO_VERSION "164"
#define WHO_SEALED  "196"

static const struct attack attacks[] = {
    {"a record is deleted in the middle", "DELETE FROM t2 WHERE " KEY("40"), false, "record 64", "missing"},
    {"the last record is deleted", "DELETE FROM t2 WHERE key = x'000000000000012b'", true, "record 299", "missing"},
    {"the log is cut", "DELETE FROM t2 WHERE key >= x'0000000000000100'", true, "record 2", "missing"},
    {"two records are swapped",
     "CREATE TEMP TABLE s AS SELECT * FROM t2 WHERE " KEY("10") " OR " KEY(
         "11") ";"
               "UPDATE t2 SET value = (SELECT value FROM s WHERE s." KEY("11") ") WHERE " KEY(
                   "10") ";"
                         "UPDATE t2 SET value = (SELECT value FROM s WHERE s." KEY("10") ") WHERE " KEY("11"),
     false, "record 16", "altered or replaced"},
    {"two records of the tail are swapped",
     "CREATE TEMP TABLE s AS SELECT * FROM t2 WHERE key >= x'0000000000000120';"
     "UPDATE t2 SET value = (SELECT value FROM s WHERE s.key = x'0000000000000122') WHERE key = x'0000000000000121';"
     "UPDATE t2 SET value = (SELECT value FROM s WHERE s.key = x'0000000000000121') WHERE key = x'0000000000000122'",
     true, "record 289", "altered or replaced"},
    {"a record is flipped", "UPDATE t2 SET value = flip(value, 20) WHERE " KEY("20"), false, "record 32", "altered"},
    {"a record is no record any more", "UPDATE t2 SET value = x'00' WHERE " KEY("20"), false, "record 32", "no record"},
    {"a record is added", "INSERT INTO t2 SELECT x'000000000000012c', version, value FROM t2 WHERE " KEY("10"), true,
     "record 300", "beyond"},
    {"a tile is altered", "UPDATE t3 SET value = flip(value, 0)", true, "record 0", "tile"},
    {"a tile is deleted", "DELETE FROM t3", true, "log", "tile 0/0 is missing"},
    {"a row is flipped", "UPDATE t10 SET value = flip(value, 50)", false, "table USER, row ", "altered"},
    {"a row is cut", "UPDATE t10 SET value = CAST(substr(value, 1, 50) AS BLOB)", false, "table USER, row ", "altered"},
    {"two rows are swapped",
     "CREATE TEMP TABLE s AS SELECT * FROM main.t10; UPDATE t10 SET value = (SELECT value FROM s WHERE s.key != "
     "t10.key)",
     false, "table USER, row ", "altered, or moved"},
    {"a row is deleted", "DELETE FROM t10 WHERE version = 1", false, "table USER, row ", "was deleted"},
    {"a subject's key is deleted", "DELETE FROM t5 WHERE key = (SELECT min(key) FROM t5)", false, "table SUBJECT, row ",
     "was deleted"},
    {"an old row is put back", "INSERT OR REPLACE INTO t10 SELECT * FROM kept.t10", false, "table USER, row ",
     "old one was put back"},
    {"a deleted row is put back", "INSERT INTO t11 SELECT * FROM kept.t11", false, "table SESSION, row ",
     "deleted, and has been put back"},
    {"an old raw row is put back", "INSERT OR REPLACE INTO t8 SELECT * FROM kept.t8", false, "table SECRET_VALUE, row ",
     "old one was put back"},
    {"a raw row is deleted", "DELETE FROM t8", false, "table SECRET_VALUE, row ", "was deleted"},
    {"a raw row is flipped", "UPDATE t8 SET value = flip(value, 5) WHERE version = 2", false,
     "table SECRET_VALUE, row ", "values of secrets"},
    {"a raw row's last bit is flipped", "UPDATE t8 SET value = flip(value, -1) WHERE version = 1", false,
     "table SECRET_VALUE, row ", "not what was stored"},
    {"two raw rows are swapped",
     "CREATE TEMP TABLE s AS SELECT * FROM main.t8; UPDATE t8 SET value = (SELECT value FROM s WHERE s.key != t8.key)",
     false, "table SECRET_VALUE, row ", "not what was stored"},
    {"an old raw value is put back under the new version",
     "UPDATE t8 SET value = (SELECT k.value FROM kept.t8 k WHERE k.key = t8.key) WHERE version = 2", false,
     "table SECRET_VALUE, row ", "not what was stored"},
    {"a raw row is put back with what was kept beside it",
     "INSERT OR REPLACE INTO t8 SELECT * FROM kept.t8; INSERT OR REPLACE INTO t1 SELECT * FROM kept.t1 WHERE "
     "length(value) = 72",
     false, "table SECRET_VALUE, row ", "old one was put back"},
    {"what is kept beside a raw row is cut", "UPDATE t1 SET value = substr(value, 1, 40) WHERE length(value) = 72",
     false, "table SECRET_VALUE, row ", "had its commitment removed"},
    {"what is kept beside a raw row is flipped", "UPDATE t1 SET value = flip(value, -1) WHERE length(value) = 72",
     false, "table SECRET_VALUE, row ", "not what was stored"},
    {"what a record says is flipped", "UPDATE t2 SET value = flip(value, -2) WHERE " KEY("20"), false, "record 32",
     "does not say what its leaf commits to"},
    {"what a record of the tail says is flipped",
     "UPDATE t2 SET value = flip(value, -2) WHERE key = x'0000000000000122'", false, "record 290",
     "does not say what its leaf commits to"},
    {"who did it is flipped", "UPDATE t2 SET value = flip(value, " WHO_SEALED ") WHERE " KEY("20"), false, "record 32",
     "does not say what its leaf commits to"},
    {"a record is made to look like an erased person's",
     "UPDATE t2 SET value = flip(value, " WHO_KEY ") WHERE " KEY("20"), false, "record 32", "nobody erased him"},
    {"the same with another making of its key", "UPDATE t2 SET value = flip(value, " WHO_VERSION ") WHERE " KEY("20"),
     false, "record 32", "nobody erased him"},
    {"a raw row's version is changed", "UPDATE t8 SET version = 9", false, "table SECRET_VALUE, row ",
     "another version"},
    {"a row's version is changed", "UPDATE t10 SET version = version + 1", false, "table USER, row ", "altered"},
    {"a row is moved", "UPDATE t10 SET key = CAST(substr(key, 1, 17) || x'77' AS BLOB) WHERE version = 1", false,
     "table USER, row ", "moved"},
    {"a row is moved to another table", "INSERT INTO t12 SELECT * FROM t10 WHERE version = 1", false, "table KEY, row ",
     "moved"},
    {"the state is deleted", "DELETE FROM t1 WHERE version > 100", true, "log", "state row is missing"},
    {"an old state is put back", "DELETE FROM t1; INSERT INTO t1 SELECT * FROM kept.t1", true, "record 5", "beyond"},
    {"the state is flipped", "UPDATE t1 SET value = flip(value, 60) WHERE version > 100", true, "log", "does not open"},
    {"an index row is deleted", "DELETE FROM t6 WHERE key = (SELECT min(key) FROM t6)", false, "index", "index"},
    {"an index row is added", "INSERT INTO t6 SELECT x'112233', version, value FROM t6 LIMIT 1", false, "index",
     "index"},
};

static void copy_file(const char *from, const char *to)
{
    char command[8192];
    size_t n;
    FILE *in = fopen(from, "rb"), *out = fopen(to, "wb");
    assert_true(in && out);
    while ((n = fread(command, 1, sizeof(command), in)) > 0)
        assert_int_equal(fwrite(command, 1, n, out), n);
    fclose(in);
    fclose(out);
}

static void test_matrix(void **state)
{
    struct rig *r = rig_new(NULL, NULL);
    char clean[300];
    (void)state;
    fill(r);
    sql(r->path, "PRAGMA wal_checkpoint(TRUNCATE)");
    snprintf(clean, sizeof(clean), "%s-clean", r->path);
    copy_file(r->path, clean);
    for (size_t i = 0; i < ARRAY_LEN(attacks); i++) {
        const struct attack *a = &attacks[i];
        struct problem why = {0};
        copy_file(clean, r->path);
        if (sql(r->path, a->sql) < 1)
            fail_msg("%s: nothing was changed", a->what);
        enum err e = rig_open(r, &why);
        if (e == OK && a->at_start)
            fail_msg("%s: not seen at start", a->what);
        if (e == OK)
            e = ledger_check_rows(r->ledger, &why);
        if (e != ERR_TAMPERED || strncmp(why.where, a->where, strlen(a->where)) != 0 || !strstr(why.detail, a->detail))
            fail_msg("%s: %s at '%s': %s", a->what, err_code(e), why.where, why.detail);
        rig_close(r);
    }
    /* And untouched, nothing is found. */
    struct problem why = {0};
    copy_file(clean, r->path);
    assert_int_equal(rig_open(r, &why), OK);
    if (ledger_check_rows(r->ledger, &why) != OK)
        fail_msg("%s: %s", why.where, why.detail);
    unlink(clean);
    rig_free(r);
}

static bool any(void *context, const struct record_view *v)
{
    (void)context;
    (void)v;
    return true;
}

/* Readers see it, too, without a full check. */
static void test_readers(void **state)
{
    struct rig *r = rig_new(NULL, NULL);
    struct arena *arena = NULL;
    struct record_view v;
    struct problem why = {0};
    uint64_t next = 0;
    struct record_filter f = {.limit = 1000};
    (void)state;
    fill(r);
    assert_int_equal(arena_new(65536, 1 << 20, &arena), OK);
    sql(r->path, attacks[3].sql); /* swapped */
    assert_int_equal(rig_open(r, &why), OK);
    assert_int_equal(query_record(r->reader, r->keys, 16, arena, &v), ERR_TAMPERED);
    assert_int_equal(query_record(r->reader, r->keys, 15, arena, &v), OK);
    assert_int_equal(query_search(r->reader, r->keys, &f, any, NULL, &next, &why), ERR_TAMPERED);
    assert_string_equal(why.where, "record 17");
    arena_free(arena);
    rig_free(r);
}

struct told {
    struct ledger_finding list[16];
    _Atomic size_t count;
};

static void told(void *context, const struct ledger_finding *f)
{
    struct told *t = context;
    assert_true(t->count < ARRAY_LEN(t->list));
    t->list[t->count] = *f;
    t->count++;
}

static void check_in_background(struct rig *r, struct told *ret)
{
    struct ledger *l = NULL;
    struct ledger_config config = {.store_url = r->url,
                                   .keys = r->keys,
                                   .clock = &r->clock,
                                   .random = random_system(),
                                   .tampering = told,
                                   .tampering_context = ret};
    assert_int_equal(ledger_open(&config, &l, NULL), OK);
    usleep(500000);
    ledger_close(l);
}

static const struct ledger_finding *find(const struct told *t, const char *where, const char *detail)
{
    for (size_t i = 0; i < t->count; i++)
        if (strncmp(t->list[i].why.where, where, strlen(where)) == 0 && strstr(t->list[i].why.detail, detail))
            return &t->list[i];
    return NULL;
}

/* The check in the background at start finds everything, not only the first: each damaged row by itself, with what the
 * record called it. */
static void test_background(void **state)
{
    struct rig *r = rig_new(NULL, NULL);
    static struct told found;
    struct row_now bob;
    uint8_t hash[32];
    (void)state;
    fill(r);
    assert_int_equal(rig_open(r, NULL), OK);
    assert_true(rig_row(r, TABLE_USER, "bob", false, &bob));
    rig_close(r);
    sql(r->path, "DELETE FROM t10 WHERE version = 1; UPDATE t10 SET value = flip(value, 50);"
                 "UPDATE t8 SET value = flip(value, 5);"
                 "UPDATE t2 SET value = flip(value, -2) WHERE " KEY(
                     "20") ";"
                           "DELETE FROM t6 WHERE key = (SELECT min(key) FROM t6)");
    check_in_background(r, &found);
    assert_int_equal(found.count, 6);
    const struct ledger_finding *deleted = find(&found, "table USER, row ", "was deleted; record 1 was the last");
    assert_non_null(deleted);
    assert_int_equal(deleted->table, TABLE_USER);
    row_hash(VIEW(bob.key, bob.key_len), hash);
    assert_memory_equal(deleted->row, hash, sizeof(hash));
    assert_non_null(strstr(deleted->why.detail, "as bob"));
    assert_non_null(find(&found, "table USER, row ", "does not open: it was altered"));
    assert_non_null(find(&found, "table USER, row ", "as alice"));
    assert_non_null(find(&found, "table SECRET_VALUE, row ", "as secret:s"));
    assert_non_null(find(&found, "record 32", "does not say"));
    assert_non_null(find(&found, "index", "index"));
    rig_free(r);
}

/* Of a record that speaks of several rows, each by its own name. */
static void test_one_of_several(void **state)
{
    static const struct change rows[] = {
        {TABLE_USER, "a", "x", false}, {TABLE_USER, "b", "y", false}, {TABLE_USER, "c", "z", false}};
    static const struct event e = {EVENT_ADDRESS_BLOCKED, OUTCOME_DONE, "front", "network:a", "network:b network:c"};
    struct rig *r = rig_new(NULL, NULL);
    static struct told found;
    struct row_now c;
    uint8_t hash[32];
    (void)state;
    assert_int_equal(rig_open(r, NULL), OK);
    assert_int_equal(rig_put(r, TABLE_USER, "d", "first"), OK);
    assert_int_equal(rig_change(r, rows, ARRAY_LEN(rows), &e), OK);
    assert_true(rig_row(r, TABLE_USER, "c", false, &c));
    row_hash(VIEW(c.key, c.key_len), hash);
    rig_close(r);
    assert_int_equal(sql(r->path, "DELETE FROM t10"), 4);
    check_in_background(r, &found);
    assert_int_equal(found.count, 4);
    assert_non_null(find(&found, "table USER, row ", "record 0 was the last to change it, as d"));
    assert_non_null(find(&found, "table USER, row ", "record 1 was the last to change it, as network:a"));
    assert_non_null(find(&found, "table USER, row ", "record 1 was the last to change it, as network:b"));
    const struct ledger_finding *third = find(&found, "table USER, row ",
                                              "record 1 was the last to change it, as network:c");
    assert_non_null(third);
    assert_memory_equal(third->row, hash, sizeof(hash));
    rig_free(r);
}

/* A link says which row a keeper's change is about; another row can't be put in its place. */
static void test_links_are_bound(void **state)
{
    static const uint8_t key[32] = {1};
    struct arena *arena = NULL;
    struct log_row row = {.leaf = VIEW_STR("a leaf"), .link_count = 1, .links = {{.change = 0, .row = {7}}}};
    const struct view text[2] = {VIEW_STR("sixteen of salt."), VIEW_STR("what it says")};
    struct view out[2];
    uint8_t bound[32];
    (void)state;
    assert_int_equal(arena_new(4096, 65536, &arena), OK);
    row.part[SIDE_WHAT].alg = AEAD_XAES_256_GCM;
    logrow_bound(&row, bound);
    assert_int_equal(logrow_seal(&row.part[SIDE_WHAT], key, bound, SIDE_WHAT, text, arena), OK);
    assert_int_equal(logrow_open(&row.part[SIDE_WHAT], key, bound, SIDE_WHAT, arena, out), OK);
    row.links[0].row[0] ^= 1;
    logrow_bound(&row, bound);
    assert_int_equal(logrow_open(&row.part[SIDE_WHAT], key, bound, SIDE_WHAT, arena, out), ERR_TAMPERED);
    row.link_count = 0;
    logrow_bound(&row, bound);
    assert_int_equal(logrow_open(&row.part[SIDE_WHAT], key, bound, SIDE_WHAT, arena, out), ERR_TAMPERED);
    arena_free(arena);
}

/* The wrong keys open nothing. */
static void test_other_keys(void **state)
{
    struct rig *r = rig_new(NULL, NULL), *other = rig_new(NULL, NULL);
    struct problem why = {0};
    (void)state;
    fill(r);
    snprintf(other->url, sizeof(other->url), "%s", r->url);
    assert_int_equal(rig_open(other, &why), ERR_TAMPERED);
    rig_free(other);
    rig_free(r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_matrix),          cmocka_unit_test(test_readers),
                                       cmocka_unit_test(test_background),      cmocka_unit_test(test_one_of_several),
                                       cmocka_unit_test(test_links_are_bound), cmocka_unit_test(test_other_keys)};
    return cmocka_run_group_tests_name("ledger tamper", tests, NULL, NULL);
}
