/* The keeper's log: nothing that keeper or signer authored can be left out, bent or forged; a restart is declared. */
#include "rig.h"

static int setup(void **state)
{
    struct rig *r = rig_new();

    rig_init_passphrase(r);
    *state = r;
    return 0;
}

static int teardown(void **state)
{
    rig_free(*state);
    return 0;
}

static struct view open_one(struct rig *r)
{
    struct keeper_secret_seal q = {.version = 1, .path = VIEW_STR("a"), .value = VIEW_STR("v")};
    struct keeper_secret_open open = {.version = 1, .path = VIEW_STR("a")};
    struct keeper_sealed sealed = {0};
    struct keeper_opened opened = {0};
    struct authored_record a = {0};

    assert_int_equal(rig_call(r, PEER_FRONT, KEEPER_SECRET_SEAL, &q, &sealed), OK);
    open.sealed = sealed.sealed;
    assert_int_equal(rig_call(r, PEER_FRONT, KEEPER_SECRET_OPEN, &open, &opened), OK);
    assert_int_equal(entity_decode(&authored_record_entity, opened.authored, r->arena, &a), OK);
    return a.leaf;
}

static uint64_t size_of(struct rig *r)
{
    struct keeper_status s = {0};

    assert_int_equal(rig_call(r, PEER_FRONT, KEEPER_STATUS, NULL, &s), OK);
    return s.log_size;
}

static void no_checkpoint_without_the_release_of_a_secret(void **state)
{
    struct rig *r = *state;
    struct checkpoint c;
    struct view leaf;

    rig_log_pending(r);
    assert_int_equal(rig_checkpoint(r, &c), OK);
    leaf = open_one(r);
    assert_int_equal(rig_checkpoint(r, &c), ERR_LOG_BEHIND);
    assert_int_equal(rig_append(r, c.size, &leaf, 1), OK);
    assert_int_equal(rig_checkpoint(r, &c), OK);
}

static void a_checkpoint_does_not_starve_under_load(void **state)
{
    struct rig *r = *state;
    struct keeper_cut cut;
    struct view first;

    rig_log_pending(r);
    first = open_one(r);
    keeper_cut_take(r->keeper, 0, &cut);
    (void)open_one(r); /* authored after the checkpoint was asked for */
    assert_false(keeper_cut_covered(r->keeper, &cut));
    assert_int_equal(rig_append(r, size_of(r), &first, 1), OK);
    assert_true(keeper_cut_covered(r->keeper, &cut));
}

static void forged_bent_repeated_and_misplaced_leaves_are_refused(void **state)
{
    struct rig *r = *state;
    uint8_t copy[LEAF_MAX];
    struct view leaf, bent;
    uint64_t n;

    rig_log_pending(r);
    n = size_of(r);
    leaf = open_one(r);
    memcpy(copy, leaf.ptr, leaf.len);
    copy[leaf.len - 1] ^= 1;
    bent = VIEW(copy, leaf.len);
    assert_int_equal(rig_append(r, n, &bent, 1), ERR_LOG_MISMATCH);
    assert_int_equal(rig_append(r, n + 1, &leaf, 1), ERR_LOG_MISMATCH);
    assert_int_equal(rig_append(r, n, &leaf, 1), OK);
    assert_int_equal(rig_append(r, n + 1, &leaf, 1), ERR_LOG_MISMATCH);
    bent = VIEW(copy, 10);
    assert_int_equal(rig_append(r, n + 1, &bent, 1), ERR_LOG_MISMATCH);
}

static void records_may_be_logged_in_another_order(void **state)
{
    struct rig *r = *state;
    struct view two[2];
    struct checkpoint c;

    rig_log_pending(r);
    two[1] = open_one(r);
    two[0] = open_one(r);
    assert_int_equal(rig_append(r, size_of(r), two, 2), OK);
    assert_int_equal(rig_checkpoint(r, &c), OK);
}

static void a_restart_neither_forks_nor_reuses_numbers(void **state)
{
    struct rig *r = *state;
    struct checkpoint before, after;
    struct leaf old, fresh;
    struct view leaf, again;

    rig_log_pending(r);
    assert_int_equal(rig_checkpoint(r, &before), OK);
    leaf = open_one(r);
    assert_int_equal(leaf_decode(leaf, &old), OK);
    rig_restart(r);
    assert_int_equal(rig_unseal(r), OK);
    assert_int_equal(size_of(r), before.size);
    /* The store still had it: it comes in once, by its tag. */
    assert_int_equal(rig_append(r, before.size, &leaf, 1), OK);
    assert_int_equal(rig_append(r, before.size + 1, &leaf, 1), ERR_LOG_MISMATCH);
    rig_log_pending(r);
    again = open_one(r);
    assert_int_equal(leaf_decode(again, &fresh), OK);
    assert_true(fresh.sequence > old.sequence);
    assert_int_equal(rig_append(r, size_of(r), &again, 1), OK);
    assert_int_equal(rig_checkpoint(r, &after), OK);
    assert_true(after.size > before.size);
}

static void after_the_front_has_fed_all_nothing_old_comes_in(void **state)
{
    struct rig *r = *state;
    struct view leaf;

    rig_log_pending(r);
    leaf = open_one(r);
    rig_restart(r);
    assert_int_equal(rig_unseal(r), OK);
    rig_log_pending(r);
    assert_int_equal(rig_append(r, size_of(r), &leaf, 1), ERR_LOG_MISMATCH);
}

static void an_orderly_stop_leaves_no_gap(void **state)
{
    struct rig *r = *state;
    struct keeper_pending_from from = {0};
    struct keeper_pending pending = {0};
    struct keeper_pending_record *records;
    struct authored_record a = {0};
    struct leaf leaf;

    rig_log_pending(r);
    assert_int_equal(rig_call(r, PEER_OPERATOR, KEEPER_SEAL, NULL, NULL), OK);
    rig_restart(r);
    assert_int_equal(rig_unseal(r), OK);
    assert_int_equal(rig_call(r, PEER_FRONT, KEEPER_PENDING, &from, &pending), OK);
    records = pending.records.items;
    assert_int_equal(pending.records.count, 1); /* UNSEALED, and no declared gap */
    assert_int_equal(entity_decode(&authored_record_entity, records[0].authored, r->arena, &a), OK);
    assert_int_equal(leaf_decode(a.leaf, &leaf), OK);
    assert_int_equal(leaf.type, EVENT_UNSEALED);
}

/* --- the signer's records */

static enum err sign_one(struct rig *r, struct leaf_chain *chain, struct view *ret_leaf)
{
    struct record rec = {.type = EVENT_REQUEST_SIGNED, .outcome = OUTCOME_DONE, .who.actor = VIEW_STR("key:x")};
    struct authored_record a = {0};
    AUTO_WRITER w = writer_new(16384);
    struct keeper_authored q;

    assert_int_equal(leaf_author(chain, &rec, NULL, 0, r->wall_ms, random_system(), r->arena, &a), OK);
    assert_int_equal(entity_encode(&authored_record_entity, &a, &w), OK);
    q.authored = writer_view_of(&w);
    *ret_leaf = a.leaf;
    return rig_call(r, PEER_SIGNER, KEEPER_AUTHORED, &q, NULL);
}

static struct leaf_chain signer_chain(struct rig *r)
{
    struct keeper_signer_welcome w = {0};
    struct leaf_chain chain = {.author = AUTHOR_SIGNER};

    assert_int_equal(rig_call(r, PEER_SIGNER, KEEPER_SIGNER_HELLO, NULL, &w), OK);
    chain.next_sequence = w.next_sequence;
    memcpy(chain.previous, w.previous, 32);
    memcpy(chain.key, w.author_key, 32);
    return chain;
}

static void a_signature_is_in_the_next_checkpoint(void **state)
{
    struct rig *r = *state;
    struct leaf_chain chain;
    struct checkpoint c;
    struct view leaf;

    rig_log_pending(r);
    chain = signer_chain(r);
    assert_int_equal(sign_one(r, &chain, &leaf), OK);
    assert_int_equal(rig_checkpoint(r, &c), ERR_LOG_BEHIND);
    assert_int_equal(rig_log_pending(r), 1);
    assert_int_equal(rig_checkpoint(r, &c), OK);
}

static void the_signers_chain_has_no_holes_and_no_strangers(void **state)
{
    struct rig *r = *state;
    struct leaf_chain chain = signer_chain(r), skipped = chain, stranger = chain;
    struct view leaf;

    skipped.next_sequence++;
    assert_int_equal(sign_one(r, &skipped, &leaf), ERR_MALFORMED);
    stranger.key[0] ^= 1;
    assert_int_equal(sign_one(r, &stranger, &leaf), ERR_BAD_SIGNATURE);
    assert_int_equal(sign_one(r, &chain, &leaf), OK);
}

static void when_too_much_waits_nothing_is_released(void **state)
{
    struct rig *r = *state;
    struct keeper_secret_seal q = {.version = 1, .path = VIEW_STR("a"), .value = VIEW_STR("v")};
    struct keeper_secret_open open = {.version = 1, .path = VIEW_STR("a")};
    struct keeper_sealed sealed = {0};
    enum err e = OK;
    int released = 0;

    assert_int_equal(rig_call(r, PEER_FRONT, KEEPER_SECRET_SEAL, &q, &sealed), OK);
    open.sealed = sealed.sealed;
    for (; released < 10000 && e == OK; released++)
        e = rig_call(r, PEER_FRONT, KEEPER_SECRET_OPEN, &open, NULL);
    assert_int_equal(e, ERR_LOG_BEHIND);
    rig_log_pending(r);
    assert_int_equal(rig_call(r, PEER_FRONT, KEEPER_SECRET_OPEN, &open, NULL), OK);
}

static void marks_only_rise_and_survive(void **state)
{
    struct rig *r = *state;
    struct keeper_reserve q = {.nonce_mark_ms = r->wall_ms + 15000};
    struct keeper_signer_welcome w = {0};

    assert_int_equal(rig_call(r, PEER_SIGNER, KEEPER_RESERVE, &q, NULL), OK);
    q.nonce_mark_ms = r->wall_ms;
    assert_int_equal(rig_call(r, PEER_SIGNER, KEEPER_RESERVE, &q, NULL), OK);
    q.nonce_mark_ms = r->wall_ms + 3600000;
    assert_int_equal(rig_call(r, PEER_SIGNER, KEEPER_RESERVE, &q, NULL), ERR_OUT_OF_RANGE);
    rig_restart(r);
    assert_int_equal(rig_unseal(r), OK);
    assert_int_equal(rig_call(r, PEER_SIGNER, KEEPER_SIGNER_HELLO, NULL, &w), OK);
    assert_int_equal(w.nonce_mark_ms, r->wall_ms + 15000);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(no_checkpoint_without_the_release_of_a_secret),
        T(a_checkpoint_does_not_starve_under_load),
        T(forged_bent_repeated_and_misplaced_leaves_are_refused),
        T(records_may_be_logged_in_another_order),
        T(a_restart_neither_forks_nor_reuses_numbers),
        T(after_the_front_has_fed_all_nothing_old_comes_in),
        T(an_orderly_stop_leaves_no_gap),
        T(a_signature_is_in_the_next_checkpoint),
        T(the_signers_chain_has_no_holes_and_no_strangers),
        T(when_too_much_waits_nothing_is_released),
        T(marks_only_rise_and_survive),
    };
    return cmocka_run_group_tests_name("keeper-log", tests, NULL, NULL);
}
