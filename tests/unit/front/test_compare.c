/* The root at any earlier size, from tiles: what tells a log that was cut, or put back, from the one the keeper signed.
 */
#include "front/front.h"

#include "crypto/secmem.h"
#include "ledger/merkle.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define RECORDS 600

static struct loop *loop;
static struct mailbox *box;
static struct row_keys *keys;
static struct ledger *ledger;
static struct store *reader;
static uint8_t roots[RECORDS + 1][32];
static _Atomic size_t logged;
static unsigned done_count;

static void on_commit(void *context, const struct ledger_batch *b)
{
    struct frontier *f = context;

    for (size_t i = 0; i < b->count; i++) {
        uint8_t hash[32];
        leaf_hash(b->leaves[i], hash);
        frontier_append(f, hash);
        frontier_root(f, roots[f->size]);
        logged++;
    }
}

static void on_done(void *context, struct txn *t)
{
    (void)context;
    assert_int_equal(t->result, OK);
    done_count++;
}

static void write_records(void)
{
    for (size_t i = 0; i < RECORDS; i++) {
        AUTO(arena_free) struct arena *arena = NULL;
        struct record r = {.type = EVENT_SERVER_STARTED, .outcome = OUTCOME_DONE};
        struct txn t = {.records = &r, .record_count = 1, .done = on_done};
        unsigned before = done_count;
        assert_int_equal(arena_new(8192, 1u << 20, &arena), OK);
        t.arena = arena;
        assert_int_equal(ledger_prepare(ledger, &t), OK);
        assert_int_equal(ledger_submit(ledger, &t, 1, box), OK);
        while (done_count == before)
            assert_int_equal(loop_turn(loop, 100), OK);
    }
}

static int set_up(void **state)
{
    static struct frontier f;
    AUTO(keyring_free) struct keyring *ring = NULL;
    struct problem why;
    bool locked;

    (void)state;
    assert_int_equal(crypto_init(&locked), OK);
    assert_int_equal(keyring_new(KEY_CLASS_STATE, &ring), OK);
    assert_int_equal(keyring_rotate(ring, 1, random_system()), OK);
    assert_int_equal(row_keys_new(ring, AEAD_XAES_256_GCM, &keys), OK);
    assert_int_equal(loop_new(clock_system(), &loop), OK);
    assert_int_equal(mailbox_new(loop, &box), OK);
    const struct ledger_config config = {
        .store_url = "memory:", .keys = keys, .clock = clock_system(), .random = random_system()};
    assert_int_equal(ledger_open(&config, &ledger, &why), OK);
    assert_int_equal(ledger_subscribe(ledger, on_commit, &f), OK);
    assert_int_equal(ledger_reader(ledger, &reader), OK);
    frontier_root(&f, roots[0]);
    write_records();
    while (logged < RECORDS) /* subscribers are told after the submitters */
        assert_int_equal(loop_turn(loop, 1), OK);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    store_close(reader);
    ledger_close(ledger);
    mailbox_free(box);
    loop_free(loop);
    row_keys_free(keys);
    return 0;
}

static void every_earlier_root_is_found(void **state)
{
    (void)state;
    assert_int_equal(logged, RECORDS);
    for (uint64_t size = 0; size <= RECORDS; size++) {
        uint8_t root[32];
        assert_int_equal(compare_root(reader, size, root), OK);
        assert_memory_equal(root, roots[size], sizeof root);
    }
}

static void a_shorter_log_has_no_such_root(void **state)
{
    uint8_t root[32];

    (void)state;
    assert_int_equal(compare_root(reader, RECORDS + 1, root), ERR_NOT_FOUND);
    assert_int_equal(compare_root(reader, 100000, root), ERR_NOT_FOUND);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_earlier_root_is_found),
        cmocka_unit_test(a_shorter_log_has_no_such_root),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
