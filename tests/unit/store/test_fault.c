/* Each write and sync of a commit fails in turn, until a commit meets none that fails. */
#include "store/sqlite.h"
#include "store_test.h"
#include "vfs_powercut.h"

#include <sqlite3.h>

struct scene {
    struct place place;
    struct powercut *disk;
    struct store *s;
    const char *extra; /* pragmas */
    uint64_t version;  /* of all rows, acknowledged */
};

#define ROWS 6
static const char *const keys[ROWS] = {"a", "b", "c", "d", "e", "f"};

static enum err scene_open(struct scene *sc, struct problem *why)
{
    struct store_place place = {.path = sc->place.path, .vfs = "faulty", .busy_ms = 100};
    return sqlite_open_with(&place, sc->extra, &sc->s, why);
}

static struct scene scene_start(const char *extra)
{
    struct scene sc = {.disk = powercut_new("faulty", 5), .extra = extra};
    assert_non_null(sc.disk);
    place_make(&sc.place, "");
    assert_int_equal(scene_open(&sc, NULL), OK);
    return sc;
}

static void scene_end(struct scene *sc)
{
    store_close(sc->s);
    powercut_free(sc->disk);
    place_remove(&sc->place);
}

/* All rows to the next version, with values of several pages. */
static enum err raise_all(struct scene *sc)
{
    static uint8_t value[9000];
    memset(value, (int)sc->version + 1, sizeof(value));
    TRY(store_begin(sc->s));
    for (size_t i = 0; i < ROWS; i++) {
        struct store_change c = change(TABLE_SECRET, keys[i], sc->version, sc->version + 1, "");
        c.value = VIEW_OF(value);
        (void)!store_apply(sc->s, &c, 1, NULL); /* after an error the rest is refused with the same */
    }
    TRY(store_commit(sc->s));
    sc->version++;
    return OK;
}

static void expect_all(struct store *s, uint64_t version)
{
    for (size_t i = 0; i < ROWS; i++)
        assert_int_equal(version_of(s, TABLE_SECRET, keys[i], NULL), version);
}

/* Exactly what was acknowledged is there if the power goes now, whatever luck the bytes under way have. */
static void expect_after_cut(struct scene *sc)
{
    powercut_now(sc->disk);
    store_close(sc->s);
    assert_true(powercut_restore(sc->disk));
    assert_int_equal(scene_open(sc, NULL), OK);
    expect_all(sc->s, sc->version);
}

/* Returns whether an operation failed. */
static bool fail_commit_at(struct scene *sc, unsigned long n, int code, enum err want)
{
    powercut_fail(sc->disk, n, 1, code);
    enum err e = raise_all(sc);
    unsigned long failed = powercut_fail_end(sc->disk);
    if (failed == 0) {
        assert_int_equal(e, OK);
        return false;
    }
    assert_int_equal(e, want);
    struct problem why = {0};
    store_explain(sc->s, &why);
    assert_int_equal(why.code, want);
    assert_true(strlen(why.detail) > 0);
    expect_all(sc->s, sc->version);
    return true;
}

static void fail_each(const char *extra, int code, enum err want, enum powercut_luck luck)
{
    struct scene sc = scene_start(extra);
    powercut_set_luck(sc.disk, luck);
    assert_int_equal(raise_all(&sc), OK);
    unsigned long n = 1;
    while (fail_commit_at(&sc, n, code, want)) {
        if (n % 2) /* a failed commit doesn't come back with a crash */
            expect_after_cut(&sc);
        assert_int_equal(raise_all(&sc), OK); /* the next one works */
        expect_all(sc.s, sc.version);
        expect_after_cut(&sc);
        assert_true(++n < 1000);
    }
    print_message("# %lu places to fail\n", n - 1);
    assert_true(n > 10);
    scene_end(&sc);
}

static void fail_each_with_any_luck(int code, enum err want)
{
    static const char *const pragmas[] = {NULL, "PRAGMA cache_size = 5"}; /* 5 pages: apply has to write, too */
    for (size_t i = 0; i < ARRAY_LEN(pragmas); i++)
        for (enum powercut_luck luck = POWERCUT_RANDOM; luck <= POWERCUT_ALL_DROPPED; luck++)
            fail_each(pragmas[i], code, want, luck);
}

static void test_full_disk(void **state)
{
    (void)state;
    fail_each_with_any_luck(SQLITE_FULL, ERR_NO_SPACE);
}

static void test_broken_disk(void **state)
{
    (void)state;
    fail_each_with_any_luck(SQLITE_IOERR, ERR_IO);
}

/* The disk stays full for a while, upkeep and new connections included. */
static void test_full_for_a_while(void **state)
{
    (void)state;
    struct scene sc = scene_start(NULL);
    assert_int_equal(raise_all(&sc), OK);
    for (unsigned long from = 1; from < 12; from++) {
        powercut_fail(sc.disk, from, 1000000, SQLITE_FULL);
        for (int i = 0; i < 3; i++)
            assert_int_equal(raise_all(&sc), ERR_NO_SPACE);
        assert_int_equal(store_maintain(sc.s), ERR_NO_SPACE);
        expect_all(sc.s, sc.version); /* reading goes on */
        struct store *reader = share_store(sc.s, true);
        expect_all(reader, sc.version);
        store_close(reader);
        powercut_fail_end(sc.disk);
        assert_int_equal(raise_all(&sc), OK);
        expect_after_cut(&sc);
        assert_int_equal(raise_all(&sc), OK);
    }
    scene_end(&sc);
}

/* Checkpoints fail at each of their operations: nothing acknowledged goes with them. */
static void test_upkeep_fails(void **state)
{
    (void)state;
    struct scene sc = scene_start(NULL);
    for (unsigned long n = 1, failed = 1; failed > 0; n++) {
        assert_int_equal(raise_all(&sc), OK);
        powercut_fail(sc.disk, n, 1, n % 2 ? SQLITE_FULL : SQLITE_IOERR);
        enum err e = store_maintain(sc.s);
        failed = powercut_fail_end(sc.disk);
        assert_int_equal(e, failed == 0 ? OK : n % 2 ? ERR_NO_SPACE : ERR_IO);
        expect_all(sc.s, sc.version);
        expect_after_cut(&sc);
        assert_int_equal(store_maintain(sc.s), OK);
        assert_true(n < 1000);
    }
    scene_end(&sc);
}

/* Making a new file fails at each operation: then a second try works. */
static void test_creation_fails(void **state)
{
    (void)state;
    struct scene sc = scene_start(NULL);
    unsigned long n = 1, failed = 1;
    for (; failed > 0; n++) {
        store_close(sc.s);
        powercut_free(sc.disk);
        place_empty(&sc.place);
        sc.disk = powercut_new("faulty", n);
        sc.version = 0;
        powercut_fail(sc.disk, n, 1, SQLITE_FULL);
        struct problem why = {0};
        enum err e = scene_open(&sc, &why);
        failed = powercut_fail_end(sc.disk);
        if (e != OK) {
            assert_int_equal(e, ERR_NO_SPACE);
            assert_int_equal(why.code, ERR_NO_SPACE);
            assert_int_equal(scene_open(&sc, NULL), OK);
        }
        assert_int_equal(raise_all(&sc), OK);
        expect_after_cut(&sc);
        assert_true(n < 1000);
    }
    assert_true(n > 10);
    scene_end(&sc);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_full_disk),        cmocka_unit_test(test_broken_disk),
        cmocka_unit_test(test_full_for_a_while), cmocka_unit_test(test_upkeep_fails),
        cmocka_unit_test(test_creation_fails),
    };
    return cmocka_run_group_tests_name("store faults", tests, NULL, NULL);
}
