/* What only a file can do: be kept, be somebody else's, be damaged, be too new. */
#include "store_test.h"

#include <fcntl.h>
#include <pthread.h>
#include <sqlite3.h>
#include <sys/stat.h>
#include <unistd.h>

static int set_up(void **state)
{
    struct place *p = calloc(1, sizeof(*p));
    place_make(p, "");
    *state = p;
    return 0;
}

static int tear_down(void **state)
{
    place_remove(*state);
    free(*state);
    return 0;
}

static void run_sql(const struct place *p, const char *sql)
{
    sqlite3 *db = NULL;
    assert_int_equal(sqlite3_open(p->path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_close(db), SQLITE_OK);
}

static void write_at(const struct place *p, off_t at, const void *bytes, size_t n)
{
    int fd = open(p->path, O_RDWR | O_CREAT, 0600);
    assert_true(fd >= 0);
    assert_int_equal(pwrite(fd, bytes, n, at), n);
    close(fd);
}

/* Opening fails with this error, and the person is told the file and what is wrong. */
static void expect_refused(const char *url, enum err want, const char *said)
{
    struct store *s = NULL;
    struct problem why = {0};
    assert_int_equal(store_open(url, &s, &why), want);
    assert_null(s);
    assert_int_equal(why.code, want);
    if (!strstr(why.detail, said))
        fail_msg("'%s' does not say '%s'", why.detail, said);
}

static void make_store(const struct place *p)
{
    struct store *s = open_store(p->url);
    assert_int_equal(store_begin(s), OK);
    for (int i = 0; i < 200; i++) {
        char key[8], value[400];
        snprintf(key, sizeof(key), "k%03d", i);
        memset(value, 'a' + i % 26, sizeof(value));
        value[sizeof(value) - 1] = '\0';
        struct store_change c = change(TABLE_USER, key, 0, 1, value);
        assert_int_equal(store_apply(s, &c, 1, NULL), OK);
    }
    assert_int_equal(store_commit(s), OK);
    store_close(s);
}

static void test_kept(void **state)
{
    struct place *p = *state;
    make_store(p);
    struct store *s = open_store(p->url);
    assert_int_equal(version_of(s, TABLE_USER, "k000", NULL), 1);
    assert_int_equal(version_of(s, TABLE_USER, "k199", NULL), 1);
    commit_one(s, change(TABLE_USER, "k000", 1, 2, "x"));
    commit_one(s, change(TABLE_USER, "k001", 1, 0, NULL));
    struct store *second = open_store(p->url); /* not shared: a further process would do this */
    assert_int_equal(version_of(second, TABLE_USER, "k000", "x"), 2);
    store_close(s);
    assert_int_equal(version_of(second, TABLE_USER, "k001", NULL), 0);
    assert_true(store_size(second) > 100000);
    store_close(second);
}

static mode_t mode_of(const struct place *p, const char *ending)
{
    char name[128];
    struct stat st = {0};
    snprintf(name, sizeof(name), "%s%s", p->path, ending);
    assert_int_equal(stat(name, &st), 0);
    return st.st_mode & 07777;
}

static void test_only_the_owner_reads(void **state)
{
    struct place *p = *state;
    mode_t old = umask(0);
    struct store *s = open_store(p->url);
    commit_one(s, change(TABLE_META, "k", 0, 1, "v"));
    assert_int_equal(mode_of(p, ""), 0600);
    assert_int_equal(mode_of(p, "-wal"), 0600);
    assert_int_equal(mode_of(p, "-shm"), 0600);
    store_close(s);
    assert_int_equal(chmod(p->path, 0644), 0);
    s = open_store(p->url);
    assert_int_equal(mode_of(p, ""), 0600);
    store_close(s);
    umask(old);
}

static void test_addresses(void **state)
{
    struct place *p = *state;
    char url[200];
    expect_refused("postgres:host", ERR_BAD_CONFIG, "sqlite:/path/file.db or memory:");
    expect_refused("", ERR_BAD_CONFIG, "sqlite:/path/file.db or memory:");
    expect_refused("sqlite:relative.db", ERR_BAD_CONFIG, "must begin with /");
    expect_refused("sqlite:", ERR_BAD_CONFIG, "must begin with /");
    expect_refused("sqlite:/nowhere/at/all.db", ERR_IO, "/nowhere/at/all.db");
    expect_refused("memory:x", ERR_BAD_CONFIG, "memory:");
    expect_refused("memory:?busy=soon", ERR_BAD_CONFIG, "busy=soon");
    expect_refused("memory:?busy=", ERR_BAD_CONFIG, "busy=");
    expect_refused("memory:?vfs=unix", ERR_BAD_CONFIG, "no vfs");
    snprintf(url, sizeof(url), "sqlite:%s", p->folder);
    expect_refused(url, ERR_BAD_CONFIG, "is not a file");
    snprintf(url, sizeof(url), "%s?vfs=none-such", p->url);
    expect_refused(url, ERR_BAD_CONFIG, "none-such");
    snprintf(url, sizeof(url), "%s?mode=memory", p->url);
    expect_refused(url, ERR_BAD_CONFIG, "mode=memory");
    snprintf(url, sizeof(url), "%s?vfs=unix&busy=10", p->url);
    store_close(open_store(url));
}

static void test_other_programs_file(void **state)
{
    struct place *p = *state;
    run_sql(p, "CREATE TABLE theirs (x); INSERT INTO theirs VALUES (1)");
    expect_refused(p->url, ERR_BAD_CONFIG, "another program");
    run_sql(p, "SELECT x FROM theirs; PRAGMA application_id = 42");
    expect_refused(p->url, ERR_BAD_CONFIG, "another program");
    assert_int_not_equal(access(p->path, F_OK), -1);
}

static void test_too_new(void **state)
{
    struct place *p = *state;
    make_store(p);
    run_sql(p, "PRAGMA user_version = 99999");
    expect_refused(p->url, ERR_TOO_NEW, "99999");
}

static void test_schema_changed(void **state)
{
    static const char *const changes[] = {
        "CREATE TABLE extra (x)",
        "CREATE TRIGGER t AFTER INSERT ON t10 BEGIN DELETE FROM t10; END",
        "DROP TABLE t3",
        "CREATE VIEW v AS SELECT 1",
        "CREATE INDEX i ON t10 (version)",
        "PRAGMA user_version = 7",
    };
    struct place *p = *state;
    for (size_t i = 0; i < ARRAY_LEN(changes); i++) {
        place_empty(p);
        make_store(p);
        run_sql(p, changes[i]);
        expect_refused(p->url, ERR_TAMPERED, p->path);
    }
}

static void test_not_a_database(void **state)
{
    struct place *p = *state;
    static const uint8_t garbage[8192] = {'g', 'a', 'r', 'b', 'a', 'g', 'e'};
    write_at(p, 0, garbage, sizeof(garbage));
    expect_refused(p->url, ERR_TAMPERED, "is not an SQLite database");
    place_empty(p);
    make_store(p);
    write_at(p, 0, garbage, 16);
    expect_refused(p->url, ERR_TAMPERED, "is not an SQLite database");
}

static void test_damaged_schema_page(void **state)
{
    struct place *p = *state;
    static const uint8_t garbage[300] = {0xff, 0xff, 0x00, 0x13, 0xff};
    make_store(p);
    write_at(p, 100, garbage, sizeof(garbage));
    expect_refused(p->url, ERR_TAMPERED, "is a damaged SQLite database");
}

static bool go_on(void *context, const struct store_row *row)
{
    (void)row;
    ++*(size_t *)context;
    return true;
}

/* Pages that hold values of make_store's; where they lie depends on how many tables there are. */
static size_t damage_rows(const struct place *p)
{
    static const uint8_t garbage[4096] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff};
    uint8_t page[4096];
    size_t count = 0;
    int fd = open(p->path, O_RDONLY);
    assert_true(fd >= 0);
    for (off_t at = 0; pread(fd, page, sizeof(page), at) == sizeof(page); at += (off_t)sizeof(page))
        if (memmem(page, sizeof(page), "aaaaaaaaaaaaaaaa", 16)) {
            write_at(p, at, garbage, sizeof(garbage));
            count++;
        }
    close(fd);
    return count;
}

/* Pages of rows are read late: the error comes with the read, and is the right one. */
static void test_damaged_row_page(void **state)
{
    struct place *p = *state;
    make_store(p);
    assert_true(damage_rows(p) > 0);
    struct store *s = open_store(p->url);
    size_t seen = 0;
    assert_int_equal(store_range(s, TABLE_USER, VIEW_STR(""), VIEW_STR(""), false, 999, go_on, &seen), ERR_TAMPERED);
    struct problem why = {0};
    store_explain(s, &why);
    assert_int_equal(why.code, ERR_TAMPERED);
    assert_non_null(strstr(why.detail, "malformed"));
    commit_one(s, change(TABLE_META, "k", 0, 1, "v")); /* other tables go on */
    store_close(s);
}

static void test_cut_off(void **state)
{
    struct place *p = *state;
    make_store(p);
    assert_int_equal(truncate(p->path, (TABLE_COUNT + 3) * 4096), 0);
    struct store *s = NULL;
    struct problem why = {0};
    size_t seen = 0;
    enum err e = store_open(p->url, &s, &why);
    if (e == OK)
        e = store_range(s, TABLE_USER, VIEW_STR(""), VIEW_STR(""), false, 999, go_on, &seen);
    store_close(s);
    assert_int_equal(e, ERR_TAMPERED);
}

#define MIB 100

/* Commits without a pause. */
static void *write_on(void *context)
{
    static uint8_t big[1u << 16];
    struct store *s = context;
    for (uint64_t i = 0; i < MIB * 16; i++) {
        memset(big, (int)i, sizeof(big));
        commit_one(s, (struct store_change){STORE_PUT, TABLE_META, VIEW_STR("big"), STORE_ANY, i + 1, VIEW_OF(big)});
    }
    return s;
}

/* The write-ahead log must not grow for ever beside a writer that never pauses. */
static void test_log_is_cut(void **state)
{
    struct place *p = *state;
    struct store *s = open_store(p->url), *other = share_store(s, false);
    pthread_t writer;
    uint64_t most = 0;
    assert_int_equal(pthread_create(&writer, NULL, write_on, s), 0);
    while (pthread_tryjoin_np(writer, NULL) != 0) {
        assert_int_equal(store_maintain(other), OK);
        most = store_size(other) > most ? store_size(other) : most;
    }
    print_message("# %u MiB written, at most %llu KiB of files\n", MIB, (unsigned long long)most >> 10);
    assert_true(most < (MIB / 2u << 20));
    store_close(other);
    store_close(s);
}

static uint64_t log_size(const struct place *p)
{
    char path[128];
    struct stat st;
    (void)snprintf(path, sizeof(path), "%s-wal", p->path);
    return stat(path, &st) == 0 ? (uint64_t)st.st_size : 0;
}

/* The next start would read all of it again. Whoever only reads and closes last can't empty it. */
static void test_log_is_empty_after_the_end(void **state)
{
    static uint8_t big[1u << 16];
    struct place *p = *state;
    struct store *s = open_store(p->url), *reader = share_store(s, true);
    for (uint64_t i = 1; i <= 20; i++)
        commit_one(s, (struct store_change){STORE_PUT, TABLE_META, VIEW_STR("big"), STORE_ANY, i, VIEW_OF(big)});
    assert_int_equal(version_of(reader, TABLE_META, "big", NULL), 20);
    assert_true(log_size(p) > 1u << 20);
    store_close(s);
    assert_int_equal(log_size(p), 0);
    store_close(reader);
    s = open_store(p->url);
    assert_int_equal(version_of(s, TABLE_META, "big", NULL), 20);
    store_close(s);
}

int main(void)
{
#define TEST(t) cmocka_unit_test_setup_teardown(t, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(test_kept),
        TEST(test_only_the_owner_reads),
        TEST(test_addresses),
        TEST(test_other_programs_file),
        TEST(test_too_new),
        TEST(test_schema_changed),
        TEST(test_not_a_database),
        TEST(test_damaged_schema_page),
        TEST(test_damaged_row_page),
        TEST(test_cut_off),
        TEST(test_log_is_cut),
        TEST(test_log_is_empty_after_the_end),
    };
    return cmocka_run_group_tests_name("store sqlite", tests, NULL, NULL);
}
