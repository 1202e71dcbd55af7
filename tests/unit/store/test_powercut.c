/* The power goes at a random operation of a random history. Afterwards: what was acknowledged is there, entirely; what
 * was under way is there entirely or not at all; and the file is sound. */
#include "store/sqlite.h"
#include "store_test.h"
#include "vfs_powercut.h"

#include <sqlite3.h>

#define ROUNDS 1200
#define ROWS   12 /* keys, each commit changes some */

struct history {
    struct place place;
    struct powercut *disk;
    uint64_t seed;
    const char *extra;          /* pragmas */
    uint64_t known[ROWS];       /* versions after the last acknowledged commit */
    uint64_t hoped[ROWS];       /* and after the one under way */
    unsigned long acknowledged; /* commits in all */
};

static const char *const keys[ROWS] = {"a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k", "l"};

static uint16_t table_of(size_t row)
{
    return (uint16_t)(TABLE_META + row % 4);
}

static enum err open_again(struct history *h, struct store **ret, struct problem *why)
{
    struct store_place place = {.path = h->place.path, .vfs = "powercut", .busy_ms = 100};
    return sqlite_open_with(&place, h->extra, ret, why);
}

/* The value says the version, in a length that differs. */
static struct view value_of(size_t row, uint64_t version, uint8_t out[static 3000])
{
    size_t n = 9 + (row * 131 + version * 57) % 2900;
    memset(out, (int)(row + version), n);
    out[0] = (uint8_t)version;
    return VIEW(out, n);
}

static enum err commit_some(struct history *h, struct store *s)
{
    memcpy(h->hoped, h->known, sizeof(h->hoped));
    TRY(store_begin(s));
    size_t rows = 1 + prng(&h->seed) % ROWS;
    for (size_t i = 0; i < rows; i++) {
        size_t row = prng(&h->seed) % ROWS;
        uint8_t bytes[3000];
        struct store_change c = change(table_of(row), keys[row], h->hoped[row], h->hoped[row] + 1, "");
        c.value = value_of(row, c.version, bytes);
        TRY(store_apply(s, &c, 1, NULL));
        h->hoped[row]++;
    }
    TRY(store_commit(s));
    memcpy(h->known, h->hoped, sizeof(h->known));
    h->acknowledged++;
    return OK;
}

/* Commits and upkeep until the power goes. */
static void live(struct history *h)
{
    struct store *s = NULL;
    struct problem why;
    if (open_again(h, &s, &why) == OK) {
        while (!powercut_is_off(h->disk)) {
            enum err e = commit_some(h, s);
            if (e != OK)
                store_rollback(s);
            if (prng(&h->seed) % 4 == 0)
                e = store_maintain(s);
            assert_true(e == OK || powercut_is_off(h->disk));
        }
        store_close(s);
    }
    assert_true(powercut_is_off(h->disk));
    assert_true(powercut_restore(h->disk));
}

static bool is_sound(const char *path)
{
    sqlite3 *db = NULL;
    sqlite3_stmt *stmt = NULL;
    bool ok = sqlite3_open_v2(path, &db, SQLITE_OPEN_READWRITE, "powercut") == SQLITE_OK &&
              sqlite3_prepare_v2(db, "PRAGMA integrity_check", -1, &stmt, NULL) == SQLITE_OK &&
              sqlite3_step(stmt) == SQLITE_ROW && strcmp((const char *)sqlite3_column_text(stmt, 0), "ok") == 0;
    sqlite3_finalize(stmt);
    sqlite3_close(db);
    return ok;
}

static uint64_t found_version(struct store *s, size_t row)
{
    AUTO(arena_free) struct arena *arena = NULL;
    struct store_row found = {0};
    uint8_t bytes[3000];
    assert_int_equal(arena_new(4096, 8192, &arena), OK);
    enum err e = store_get(s, table_of(row), view_str(keys[row]), arena, &found);
    assert_true(e == OK || e == ERR_NOT_FOUND);
    if (e == OK)
        assert_true(view_eq(found.value, value_of(row, found.version, bytes)));
    return found.version;
}

/* False if an acknowledged commit was lost; fails the test on anything that must never be. */
static bool look(struct history *h)
{
    struct store *s = NULL;
    struct problem why = {0};
    uint64_t found[ROWS];
    if (open_again(h, &s, &why) != OK)
        fail_msg("can't be opened after the cut: %s", why.detail);
    for (size_t row = 0; row < ROWS; row++)
        found[row] = found_version(s, row);
    store_close(s);
    assert_true(is_sound(h->place.path));
    bool kept = memcmp(found, h->known, sizeof(found)) == 0 || memcmp(found, h->hoped, sizeof(found)) == 0;
    memcpy(h->known, found, sizeof(found));
    return kept;
}

/* How many rounds lost something. */
static unsigned cut_often(const char *extra, unsigned rounds, uint64_t seed)
{
    struct history h = {.seed = seed, .extra = extra};
    unsigned lost = 0;
    place_make(&h.place, "");
    h.disk = powercut_new("powercut", seed);
    assert_non_null(h.disk);
    for (unsigned i = 0; i < rounds; i++) {
        if (i % 20 == 0) { /* the first moments of a file's life, too */
            powercut_free(h.disk);
            place_empty(&h.place);
            h.disk = powercut_new("powercut", seed + i);
            memset(h.known, 0, sizeof(h.known));
            memset(h.hoped, 0, sizeof(h.hoped));
        }
        powercut_at(h.disk, 1 + prng(&h.seed) % 120, NULL, NULL);
        live(&h);
        lost += !look(&h);
    }
    print_message("# %u rounds, %lu commits acknowledged, %u rounds with a loss\n", rounds, h.acknowledged, lost);
    powercut_free(h.disk);
    place_remove(&h.place);
    return lost;
}

static void test_nothing_acknowledged_is_lost(void **state)
{
    (void)state;
    assert_int_equal(cut_often(NULL, ROUNDS, 20261122), 0);
}

/* The test of the test: without a sync at each commit it has to see losses. */
static void test_losses_would_be_seen(void **state)
{
    (void)state;
    assert_true(cut_often("PRAGMA synchronous = NORMAL", 100, 20261122) > 20);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_nothing_acknowledged_is_lost),
        cmocka_unit_test(test_losses_would_be_seen),
    };
    return cmocka_run_group_tests_name("store power cut", tests, NULL, NULL);
}
