/* Whatever happens to keeper, disk and clock on the way: the keeper gets every durable leaf once and in order, and no
 * checkpoint covers what it did not get. */
#include "feed_world.h"

#include "../store/vfs_powercut.h"

#include <sqlite3.h>
#include <unistd.h>

static int set_up(void **state)
{
    (void)state;
    world_new("memory:");
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    world_free();
    return 0;
}

static bool has_checkpoint(void)
{
    return world_stored_checkpoint() == ledger_size(world->front.shared.ledger);
}

static bool was_asked(void)
{
    return world->notes > 0;
}

static bool was_refused(void)
{
    return world->refused;
}

static bool under_way(void)
{
    return world->appends > 0;
}

static bool said_hello(void)
{
    return world->hellos > 1;
}

static void everything_arrives(void **state)
{
    (void)state;
    world_feed();
    for (size_t n = 1; n < 1000; n *= 3)
        world_records(n);
    world_until(world_caught_up);
    world_same_root();
}

/* What nobody queued, because the feed was not there yet or had no memory, is read back from the store: several Merkle
 * tiles of it, and from the middle of one. */
static void what_was_missed_is_read_back(void **state)
{
    (void)state;
    world_records(700);
    world_feed();
    world_records(5);
    world_until(world_caught_up);
    world_same_root();
}

static void what_is_written_while_it_rests_follows(void **state)
{
    (void)state;
    world_feed();
    world_records(100);
    world_until(world_caught_up);
    feed_pause(&world->front);
    world_records(400);
    assert_int_equal(world_keeper_size(), 100);
    assert_false(feed_caught_up(&world->front));
    life_hello(&world->front);
    world_until(world_caught_up);
    world_same_root();
}

/* A keeper that dies forgets what it took since its last checkpoint; the next one gets that again, and what came since.
 */
static void keeper_dies_while_it_is_fed(void **state)
{
    (void)state;
    world_feed();
    world_log_pending();
    world_records(10);
    world_until(world_caught_up);
    world_skip(1100);
    world_until(has_checkpoint);
    uint64_t covered = world_stored_checkpoint();
    world->deaf = true; /* it takes leaves and dies before it says so */
    world->appends = 0;
    world_records(50);
    world_until(under_way);
    world_cut();
    world_records(300);
    assert_false(feed_caught_up(&world->front));
    rig_restart(world->keeper);
    assert_int_equal(rig_unseal(world->keeper), OK);
    assert_int_equal(world_keeper_size(), covered);
    world_revive();
    world_until(world_caught_up);
    world_same_root();
    assert_false(world->refused);
}

/* The other way round: the keeper lives on, and the front has lost its place. */
static void a_lost_place_is_found_again(void **state)
{
    (void)state;
    world_feed();
    world_records(20);
    world_until(world_caught_up);
    feed_pause(&world->front);
    world->hellos = 1;
    feed_from(&world->front, 7); /* the keeper has 20 */
    world_until(said_hello);
    world_records(1);
    world_until(world_caught_up);
    world_same_root();
    assert_false(world->refused);
}

/* A leaf that the keeper never wrote can't come in under its name, however often it is tried; and then nothing is
 * served any more. */
static void a_forged_leaf_ends_it(void **state)
{
    static const uint8_t wrong[32] = {1, 2, 3};
    AUTO(arena_free) struct arena *arena = NULL;
    struct record r = {.type = EVENT_UNSEALED, .outcome = OUTCOME_DONE};
    struct leaf_chain chain = {.author = AUTHOR_KEEPER, .next_sequence = 1};
    struct authored_record authored;
    struct txn t = {.authored = &authored, .authored_count = 1};

    (void)state;
    world_feed();
    world_record();
    assert_int_equal(arena_new(8192, 1u << 20, &arena), OK);
    memcpy(chain.key, wrong, sizeof wrong);
    assert_int_equal(leaf_author(&chain, &r, NULL, 0, 1, random_system(), arena, &authored), OK);
    t.arena = arena;
    assert_int_equal(world_submit(&t), OK);
    for (int i = 0; i < 8 && !world->refused; i++)
        world_skip(600);
    world_until(was_refused);
    assert_non_null(strstr(world->sentence, "refuses a leaf"));
    assert_int_equal(world_keeper_size(), 1);
}

/* --- checkpoints */

static void begin_with_checkpoint(void)
{
    world_feed();
    world_log_pending();
    world_until(world_caught_up);
    world_skip(1100);
    world_until(has_checkpoint);
}

static void checkpoints_come_as_often_as_configured(void **state)
{
    (void)state;
    world->front.config.checkpoint_seconds = 60;
    begin_with_checkpoint(); /* the first one at once */
    unsigned before = world->notes;
    for (int second = 1; second < 58; second++) {
        world_record();
        world_skip(1000);
    }
    assert_int_equal(world->notes, before);
    world_skip(4000);
    world_until(has_checkpoint);
    assert_int_equal(world->notes, before + 1);
    /* With nothing new there is nothing to sign. */
    world_skip(60000);
    world_skip(60000);
    assert_int_equal(world->notes, before + 1);
}

/* Refused, or not the keeper's: nothing is stored, and the next one is asked for all the same. */
static void a_refused_checkpoint_is_asked_for_again(void **state)
{
    static const enum err refusals[] = {ERR_BUSY, ERR_IO, ERR_NO_SPACE};

    (void)state;
    begin_with_checkpoint();
    uint64_t stored = world_stored_checkpoint();
    world_record();
    world_until(world_caught_up);
    for (size_t i = 0; i <= ARRAY_LEN(refusals); i++) {
        world->notes = 0;
        world->forge_note = i == ARRAY_LEN(refusals);
        world->refuse_note = world->forge_note ? OK : refusals[i];
        world_skip(1100);
        world_until(was_asked);
        world_skip(10);
        assert_int_equal(world_stored_checkpoint(), stored);
        assert_int_equal(atomic_load(&world->front.shared.health.checkpoint_size), stored);
    }
    world->forge_note = false;
    world_skip(1100);
    world_until(has_checkpoint);
    assert_int_equal(world_stored_checkpoint(), stored + 1);
}

/* Somebody sets the clock by a year, back and forth: neither feed nor checkpoints ask what time it is. */
static void the_clock_jumps(void **state)
{
    static const int64_t year = 365ll * 24 * 3600 * 1000;

    (void)state;
    begin_with_checkpoint();
    for (int i = 0; i < 4; i++) {
        world->wall_shift_ms = i % 2 ? year : -year;
        world->keeper->wall_ms += i % 2 ? 2 * (uint64_t)year : 0;
        world_records(3);
        world_until(world_caught_up);
        world_skip(1100);
        world_until(has_checkpoint);
        world_same_root();
    }
}

/* --- the disk */

static void the_disk_is_full(void **state)
{
    char path[] = "/tmp/holdfast-feed-XXXXXX", url[80], side[80];
    struct powercut *disk = powercut_new("full", 7);
    int fd = mkstemp(path);

    (void)state;
    assert_non_null(disk);
    assert_true(fd >= 0);
    close(fd);
    unlink(path);
    world_free();
    (void)snprintf(url, sizeof url, "sqlite:%s?vfs=full", path);
    world_new(url);
    begin_with_checkpoint();
    world_records(20);
    world_until(world_caught_up);
    uint64_t size = ledger_size(world->front.shared.ledger), stored = world_stored_checkpoint();
    powercut_fail(disk, 1, 1000000, SQLITE_FULL);
    assert_int_equal(world_record(), ERR_NO_SPACE);
    world_skip(1100); /* the keeper signs, and the note can't be stored */
    world_skip(1100);
    assert_int_equal(world_record(), ERR_NO_SPACE);
    assert_int_equal(ledger_size(world->front.shared.ledger), size);
    assert_int_equal(world_keeper_size(), size);
    assert_int_equal(world_stored_checkpoint(), stored);
    assert_true(powercut_fail_end(disk) > 0);
    world_records(5);
    world_until(world_caught_up);
    world_skip(1100);
    world_until(has_checkpoint);
    world_same_root();
    assert_false(world->refused);
    world_free();
    powercut_free(disk);
    for (const char *const *s = (const char *const[]){"", "-wal", "-shm", NULL}; *s; s++) {
        (void)snprintf(side, sizeof side, "%s%s", path, *s);
        unlink(side);
    }
    world_new("memory:"); /* for tear_down */
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        T(everything_arrives),
        T(what_was_missed_is_read_back),
        T(what_is_written_while_it_rests_follows),
        T(keeper_dies_while_it_is_fed),
        T(a_lost_place_is_found_again),
        T(a_forged_leaf_ends_it),
        T(checkpoints_come_as_often_as_configured),
        T(a_refused_checkpoint_is_asked_for_again),
        T(the_clock_jumps),
        T(the_disk_is_full),
    };

    return cmocka_run_group_tests_name("front feed", tests, NULL, NULL);
}
