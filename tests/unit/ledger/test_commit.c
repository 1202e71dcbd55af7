#include "ledger_test.h"
#include "vfs_powercut.h"

#include <pthread.h>
#include <sqlite3.h>

static struct record record_of(const char *actor)
{
    return (struct record){.type = EVENT_AUTHENTICATION_SUCCESS,
                           .outcome = OUTCOME_DONE,
                           .who = {.actor = view_str(actor)},
                           .what = {.resource = VIEW_STR("session")}};
}

static const char *const urls[] = {"memory:", NULL};

/* --- many threads */

#define THREADS 4
#define EACH    150

struct worker {
    struct rig *r;
    unsigned no;
    struct loop *loop;
    struct mailbox *box;
    unsigned done, good;
    pthread_t thread;
};

static void worker_answer(void *context, struct txn *t)
{
    struct worker *w = context;
    w->done++;
    w->good += t->result == OK;
}

static void *work(void *context)
{
    struct worker *w = context;
    struct arena *arenas[EACH];
    struct txn *first = NULL, *last = NULL;
    struct txn *txns = calloc(EACH, sizeof(*txns));
    for (unsigned i = 0; i < EACH; i++) {
        struct txn *t = &txns[i];
        char text[64];
        struct writer key;
        if (arena_new(2048, 1 << 18, &arenas[i]) != OK)
            abort();
        t->arena = arenas[i];
        t->change_count = t->record_count = 1;
        t->changes = arena_alloc(t->arena, sizeof(*t->changes));
        t->records = arena_alloc(t->arena, sizeof(*t->records));
        snprintf(text, sizeof(text), "user:%u-%u", w->no, i % 7);
        t->records[0] = record_of(arena_str(t->arena, view_str(text)));
        snprintf(text, sizeof(text), "row %u-%u", w->no, i);
        key = writer_fixed(arena_alloc(t->arena, 32), 32);
        if (row_key_exact(w->r->keys, TABLE_KEY, view_str(text), &key) != OK)
            abort();
        t->changes[0] = (struct txn_change){
            .table = TABLE_KEY, .key = writer_view_of(&key), .version = 1, .value = VIEW_STR("value")};
        t->done = worker_answer;
        t->context = w;
        if (ledger_prepare(w->r->ledger, t) != OK)
            abort();
        t->mail.next = NULL;
        if (last)
            last->mail.next = &t->mail;
        else
            first = t;
        last = t;
        if (i % 5 == 4) { /* as a front thread at the end of its loop's turn */
            if (ledger_submit(w->r->ledger, first, 5, w->box) != OK)
                abort();
            first = last = NULL;
        }
    }
    while (w->done < EACH)
        if (loop_turn(w->loop, 50) != OK)
            abort();
    for (unsigned i = 0; i < EACH; i++)
        arena_free(arenas[i]);
    free(txns);
    return NULL;
}

struct seen {
    uint64_t next;
    struct frontier f;
    bool in_order;
};

static void subscriber(void *context, const struct ledger_batch *b)
{
    struct seen *s = context;
    s->in_order &= b->first_index == s->next;
    for (size_t i = 0; i < b->count; i++) {
        uint8_t hash[32];
        leaf_hash(b->leaves[i], hash);
        frontier_append(&s->f, hash);
    }
    s->next += b->count;
}

static void test_threads(void **state)
{
    (void)state;
    for (size_t u = 0; u < ARRAY_LEN(urls); u++) {
        struct rig *r = rig_new(urls[u], NULL);
        struct worker workers[THREADS] = {0};
        struct seen seen = {.in_order = true};
        struct ledger_stats stats;
        struct problem why = {0};
        uint8_t root[32], told[32];
        assert_int_equal(rig_open(r, NULL), OK);
        assert_int_equal(ledger_subscribe(r->ledger, subscriber, &seen), OK);
        for (unsigned i = 0; i < THREADS; i++) {
            workers[i] = (struct worker){.r = r, .no = i};
            assert_int_equal(loop_new(clock_system(), &workers[i].loop), OK);
            assert_int_equal(mailbox_new(workers[i].loop, &workers[i].box), OK);
            assert_int_equal(pthread_create(&workers[i].thread, NULL, work, &workers[i]), 0);
        }
        /* A full check while commits go on finds nothing wrong. */
        for (int i = 0; i < 5; i++)
            if (ledger_check_rows(r->ledger, &why) != OK)
                fail_msg("%s: %s", why.where, why.detail);
        for (unsigned i = 0; i < THREADS; i++) {
            pthread_join(workers[i].thread, NULL);
            assert_int_equal(workers[i].good, EACH);
            mailbox_free(workers[i].box);
            loop_free(workers[i].loop);
        }
        assert_true(ledger_size(r->ledger) == THREADS * EACH);
        ledger_get_stats(r->ledger, &stats);
        assert_true(stats.transactions == THREADS * EACH && stats.records == THREADS * EACH);
        rig_root(r, THREADS * EACH, root);
        if (ledger_check_rows(r->ledger, &why) != OK)
            fail_msg("%s: %s", why.where, why.detail);
        rig_close(r); /* the subscriber has heard everything then */
        assert_true(seen.in_order && seen.next == THREADS * EACH);
        frontier_root(&seen.f, told);
        assert_memory_equal(root, told, 32);
        rig_free(r);
    }
}

/* --- conflicts, rules */

static void test_conflicts(void **state)
{
    (void)state;
    for (size_t u = 0; u < ARRAY_LEN(urls); u++) {
        struct rig *r = rig_new(urls[u], NULL);
        struct arena *arena = NULL;
        uint8_t key[32];
        struct row_now now;
        assert_int_equal(rig_open(r, NULL), OK);
        assert_int_equal(arena_new(4096, 1 << 20, &arena), OK);
        assert_int_equal(rig_put(r, TABLE_USER, "alice", "1"), OK);
        struct writer w = writer_fixed(key, sizeof(key)), w2;
        assert_int_equal(row_key_exact(r->keys, TABLE_USER, VIEW_STR("alice"), &w), OK);
        struct record record = record_of("user:alice");
        uint8_t other[32];
        w2 = writer_fixed(other, sizeof(other));
        assert_int_equal(row_key_exact(r->keys, TABLE_USER, VIEW_STR("bob"), &w2), OK);
        struct txn_change changes[2] = {
            {.table = TABLE_USER, .key = writer_view_of(&w2), .version = 1, .value = VIEW_STR("new")},
            {.table = TABLE_USER, .key = writer_view_of(&w), .expect = 7, .version = 8, .value = VIEW_STR("lost")}};
        struct txn t = {.arena = arena, .changes = changes, .change_count = 2, .records = &record, .record_count = 1};
        assert_int_equal(rig_submit(r, &t), ERR_CONFLICT);
        assert_int_equal(t.conflict, 1);
        assert_false(rig_row(r, TABLE_USER, "bob", false, &now)); /* all or nothing */
        assert_true(rig_row(r, TABLE_USER, "alice", false, &now));
        assert_string_equal(now.value, "1");
        assert_true(ledger_size(r->ledger) == 1); /* no record of what did not happen */

        static const struct {
            uint16_t table;
            uint64_t expect, version;
            bool raw, remove;
        } bad[] = {{TABLE_LOG, 0, 1, false, false},  {TABLE_USER, 0, 1, true, false},
                   {TABLE_USER, 3, 3, false, false}, {TABLE_USER, STORE_ANY, 1, false, false},
                   {TABLE_USER, 0, 0, false, true},  {TABLE_COUNT, 0, 1, false, false}};
        for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
            struct txn_change c = {.table = bad[i].table,
                                   .key = writer_view_of(&w2),
                                   .expect = bad[i].expect,
                                   .version = bad[i].version,
                                   .raw = bad[i].raw,
                                   .remove = bad[i].remove,
                                   .value = VIEW_STR("x")};
            struct txn b = {.arena = arena, .changes = &c, .change_count = 1, .records = &record, .record_count = 1};
            if (i == ARRAY_LEN(bad) - 1)
                c.table = TABLE_INDEX;
            assert_int_equal(ledger_prepare(r->ledger, &b), ERR_BAD_VALUE);
        }
        changes[1].expect = 1;
        changes[1].version = 2;
        struct txn silent = {.arena = arena, .changes = changes, .change_count = 2};
        assert_int_equal(ledger_prepare(r->ledger, &silent), ERR_BAD_VALUE); /* no change without its record */
        arena_free(arena);
        rig_free(r);
    }
}

/* What keeper and signer authored goes in byte for byte, and may speak of a row under their own name for it. */
static void test_authored(void **state)
{
    struct rig *r = rig_new(NULL, NULL);
    struct arena *arena = NULL;
    struct problem why = {0};
    struct leaf_chain keeper = {.author = AUTHOR_KEEPER, .next_sequence = 1, .key = {1}};
    struct authored_record a;
    struct record_view v;
    struct record record = record_of("administrator:alice");
    struct leaf_change said = {.table = TABLE_CREDENTIAL, .version = 1, .row = {0xee}, .commitment = {0xcc}};
    uint8_t key[32];
    (void)state;
    record.type = EVENT_CREDENTIAL_STORED;
    assert_int_equal(rig_open(r, NULL), OK);
    assert_int_equal(arena_new(4096, 1 << 20, &arena), OK);
    assert_int_equal(leaf_author(&keeper, &record, &said, 1, 5, random_system(), arena, &a), OK);
    struct writer w = writer_fixed(key, sizeof(key));
    assert_int_equal(row_key_exact(r->keys, TABLE_CREDENTIAL, VIEW_STR("c"), &w), OK);
    struct txn_change c = {.table = TABLE_CREDENTIAL,
                           .key = writer_view_of(&w),
                           .version = 1,
                           .raw = true,
                           .value = VIEW_STR("sealed by the keeper"),
                           .commitment = {0xcc}};
    struct txn t = {.arena = arena, .changes = &c, .change_count = 1, .authored = &a, .authored_count = 1};
    assert_int_equal(rig_submit(r, &t), OK);
    assert_int_equal(query_record(r->reader, r->keys, 0, arena, &v), OK);
    assert_true(view_eq(v.leaf_bytes, a.leaf));
    assert_true(view_is(v.who.actor, "administrator:alice"));
    assert_int_equal(ledger_check_rows(r->ledger, &why), OK);

    struct authored_record forged = a;
    forged.who_salt[0] ^= 1;
    struct txn bad = {.arena = arena, .authored = &forged, .authored_count = 1};
    assert_int_equal(ledger_prepare(r->ledger, &bad), ERR_TAMPERED);
    arena_free(arena);
    rig_free(r);
}

/* --- reopening, failures */

static void test_reopen(void **state)
{
    struct rig *r = rig_new(NULL, NULL);
    struct problem why = {0};
    (void)state;
    assert_int_equal(rig_open(r, &why), OK);
    for (int round = 0; round < 4; round++) {
        char name[32];
        for (int i = 0; i < 130; i++) { /* over the edges of tiles */
            snprintf(name, sizeof(name), "user %d-%d", round, i);
            assert_int_equal(i % 4 ? rig_record(r, name) : rig_put(r, TABLE_USER, name, "x"), OK);
        }
        uint8_t before[32], after[32];
        rig_root(r, ledger_size(r->ledger), before);
        rig_close(r);
        if (rig_open(r, &why) != OK)
            fail_msg("%s: %s", why.where, why.detail);
        assert_true(ledger_size(r->ledger) == 130 * (uint64_t)(round + 1));
        rig_root(r, ledger_size(r->ledger), after);
        assert_memory_equal(before, after, 32);
        if (ledger_check_rows(r->ledger, &why) != OK)
            fail_msg("%s: %s", why.where, why.detail);
    }
    rig_free(r);
}

/* Every write fails in turn: a clear error, nothing half done, and the service comes back by itself. */
static void test_failures(void **state)
{
    struct powercut *disk = powercut_new("ledger-faults", 1);
    struct rig *r = rig_new(NULL, "vfs=ledger-faults");
    struct problem why = {0};
    unsigned failures = 0;
    uint64_t size = 0;
    (void)state;
    assert_non_null(disk);
    assert_int_equal(rig_open(r, &why), OK);
    for (unsigned n = 1; n <= 40; n++) {
        char name[32];
        int code = n % 2 ? SQLITE_FULL : SQLITE_IOERR;
        struct row_now now;
        snprintf(name, sizeof(name), "user %u", n);
        powercut_fail(disk, 1 + n % 8, 1000, code);
        enum err e = rig_put(r, TABLE_USER, name, "x");
        powercut_fail_end(disk);
        if (e != OK && e != ERR_NO_SPACE && e != ERR_LOG_UNWRITABLE)
            fail_msg("%s", err_code(e));
        if (e == ERR_NO_SPACE)
            assert_int_equal(code, SQLITE_FULL);
        failures += e != OK;
        size += e == OK;
        assert_true(ledger_size(r->ledger) == size);
        assert_int_equal(rig_row(r, TABLE_USER, name, false, &now), e == OK);
        assert_int_equal(rig_record(r, name), OK);
        size++;
    }
    assert_true(failures > 5);
    if (ledger_check_rows(r->ledger, &why) != OK)
        fail_msg("%s: %s", why.where, why.detail);
    rig_close(r);
    if (rig_open(r, &why) != OK)
        fail_msg("%s: %s", why.where, why.detail);
    assert_true(ledger_size(r->ledger) == size);
    rig_free(r);
    powercut_free(disk);
}

static void test_checkpoints(void **state)
{
    static const uint8_t seed[32] = {3};
    struct rig *r = rig_new(NULL, NULL);
    AUTO_WRITER note = writer_new(NOTE_MAX), verifier = writer_new(1024), stored = writer_new(NOTE_MAX);
    (void)state;
    assert_int_equal(rig_open(r, NULL), OK);
    assert_int_equal(query_checkpoint(r->reader, &stored), ERR_NOT_FOUND);
    assert_int_equal(rig_record(r, "user:alice"), OK);
    rig_checkpoint(r, seed, &note, &verifier);
    assert_int_equal(ledger_put_checkpoint(r->ledger, writer_view_of(&note)), OK);
    assert_int_equal(ledger_put_checkpoint(r->ledger, VIEW_STR("nonsense")), ERR_BAD_CHECKPOINT);
    rig_close(r); /* also without a further transaction */
    assert_int_equal(rig_open(r, NULL), OK);
    assert_int_equal(query_checkpoint(r->reader, &stored), OK);
    assert_true(view_eq(writer_view_of(&stored), writer_view_of(&note)));
    rig_free(r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_threads), cmocka_unit_test(test_conflicts), cmocka_unit_test(test_authored),
        cmocka_unit_test(test_reopen),  cmocka_unit_test(test_failures),  cmocka_unit_test(test_checkpoints),
    };
    return cmocka_run_group_tests_name("ledger commit", tests, NULL, NULL);
}
