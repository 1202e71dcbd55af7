/* What a front that has been taken over tries on the keeper: to lose a record, to play one back, to undo a change. */
#include "rig.h"

static const uint8_t zero[32];

static int setup(void **state)
{
    struct rig *r = rig_new();

    rig_init_passphrase(r);
    rig_log_pending(r);
    *state = r;
    return 0;
}

static int teardown(void **state)
{
    rig_free(*state);
    return 0;
}

static uint64_t log_size(struct rig *r)
{
    struct keeper_status s = {0};

    assert_int_equal(rig_call(r, PEER_FRONT, KEEPER_STATUS, NULL, &s), OK);
    return s.log_size;
}

static uint64_t waiting(struct rig *r)
{
    struct keeper_status s = {0};

    assert_int_equal(rig_call(r, PEER_FRONT, KEEPER_STATUS, NULL, &s), OK);
    return s.authored_waiting;
}

static struct keeper_credential_freeze freeze_of(const struct offered *o, bool frozen)
{
    struct keeper_credential_freeze q = {.frozen = frozen};

    memcpy(q.id, o->d.id, 16);
    return q;
}

static enum err unwrap(struct rig *r, const struct offered *o, struct view sealed, struct keeper_unwrapped *ret)
{
    struct keeper_unwrap ask = {o->descriptor, sealed};

    return rig_call(r, PEER_SIGNER, KEEPER_UNWRAP, &ask, ret);
}

/* A change whose record can't be made must not be made: each of these fails because of a context that is no context. */
static void no_change_without_its_record(void **state)
{
    struct rig *r = *state;
    struct offered first, second;
    struct keeper_sealed sealed = {0}, out = {0};
    struct keeper_unwrapped u = {0};
    struct keeper_credential_put put = {.who = VIEW_STR("nonsense")};
    struct keeper_credential_freeze freeze;
    struct keeper_enrol enrol = {.name = VIEW_STR("alice"), .token = r->done.enrolment_token, .who = put.who};
    uint8_t object[32];

    rig_offer(r, 1, "{}", &first);
    assert_int_equal(rig_put(r, &first, zero, &sealed), OK);
    rig_log_pending(r);
    rig_offer(r, 2, "{\"classes\":[\"withdraw\"]}", &second);
    sha256(VIEW_OF(second.d.id), object);
    put.descriptor = second.descriptor;
    put.box = second.box;
    memcpy(put.previous, first.hash, 32);
    put.approval = rig_approve(r, r->admin_seed, APPROVE_CREDENTIAL, object, first.hash, second.hash);
    assert_int_not_equal(rig_call(r, PEER_FRONT, KEEPER_CREDENTIAL_PUT, &put, &out), OK);
    assert_int_equal(unwrap(r, &first, sealed.sealed, &u), OK);
    freeze = freeze_of(&first, true);
    freeze.who = put.who;
    assert_int_not_equal(rig_call(r, PEER_FRONT, KEEPER_CREDENTIAL_FREEZE, &freeze, &out), OK);
    assert_int_equal(unwrap(r, &first, sealed.sealed, &u), OK);
    assert_false(u.frozen);
    assert_int_not_equal(rig_call(r, PEER_FRONT, KEEPER_ENROL, &enrol, &out), OK);
    enrol.who = (struct view){0};
    assert_int_equal(rig_call(r, PEER_FRONT, KEEPER_ENROL, &enrol, &out), OK);
    assert_int_equal(waiting(r), 1); /* the enrolment alone */
}

static void a_release_is_good_once(void **state)
{
    struct rig *r = *state;
    struct offered o;
    struct keeper_sealed sealed = {0}, out = {0};
    struct keeper_unwrapped u = {0};
    struct keeper_credential_freeze freeze, release;
    uint8_t object[32];

    rig_offer(r, 1, "{}", &o);
    assert_int_equal(rig_put(r, &o, zero, &sealed), OK);
    rig_log_pending(r);
    freeze = freeze_of(&o, true);
    release = freeze_of(&o, false);
    sha256(VIEW_OF(o.d.id), object);
    release.approval = rig_approve(r, r->admin_seed, APPROVE_RELEASE, object, o.hash, o.hash);
    assert_int_equal(rig_call(r, PEER_FRONT, KEEPER_CREDENTIAL_FREEZE, &freeze, &out), OK);
    assert_int_equal(rig_call(r, PEER_FRONT, KEEPER_CREDENTIAL_FREEZE, &release, &out), OK);
    assert_int_equal(rig_call(r, PEER_FRONT, KEEPER_CREDENTIAL_FREEZE, &freeze, &out), OK);
    assert_int_equal(rig_call(r, PEER_FRONT, KEEPER_CREDENTIAL_FREEZE, &release, &out), ERR_APPROVAL_STALE);
    rig_restart(r);
    assert_int_equal(rig_unseal(r), OK);
    assert_int_equal(rig_call(r, PEER_FRONT, KEEPER_CREDENTIAL_FREEZE, &release, &out), ERR_APPROVAL_STALE);
    assert_int_equal(unwrap(r, &o, sealed.sealed, &u), OK);
    assert_true(u.frozen);
}

static void a_frozen_credential_costs_no_write_to_freeze_again(void **state)
{
    struct rig *r = *state;
    struct offered o;
    struct keeper_sealed out = {0};
    struct keeper_credential_freeze freeze;
    uint8_t before[4096], after[4096];

    rig_offer(r, 1, "{}", &o);
    assert_int_equal(rig_put(r, &o, zero, &out), OK);
    freeze = freeze_of(&o, true);
    assert_int_equal(rig_call(r, PEER_FRONT, KEEPER_CREDENTIAL_FREEZE, &freeze, &out), OK);
    rig_slots(r, before);
    assert_int_equal(rig_call(r, PEER_FRONT, KEEPER_CREDENTIAL_FREEZE, &freeze, &out), OK);
    rig_slots(r, after);
    assert_memory_equal(before, after, sizeof before);
}

/* --- administrators: a set that comes back must not bring its approvals back */

static void an_administrator_who_was_removed_is_not_added_by_the_old_approval(void **state)
{
    struct rig *r = *state;
    struct keeper_admin_change add = {.name = VIEW_STR("bob")}, drop = {.name = VIEW_STR("bob")};
    struct keeper_admin_changed changed = {0};
    struct administrators list = {0};
    struct keeper_enrol enrol = {.name = VIEW_STR("bob")};
    uint8_t seed[32] = {8}, object[32], alone[32], both[32];
    AUTO_WRITER w = writer_new(4096);

    assert_int_equal(ed25519_public(seed, add.key), OK);
    assert_int_equal(rig_call(r, PEER_FRONT, KEEPER_ADMIN_LIST, NULL, &list), OK);
    memcpy(alone, list.hash, 32);
    writer_var(&w, VIEW_STR("alice"));
    writer_bytes(&w, r->admin_key, 32);
    writer_var(&w, VIEW_STR("bob"));
    writer_bytes(&w, add.key, 32);
    sha256(writer_view_of(&w), both);
    sha256(add.name, object);
    add.approval = rig_approve(r, r->admin_seed, APPROVE_ADMIN_ADD, object, alone, both);
    drop.approval = rig_approve(r, r->admin_seed, APPROVE_ADMIN_REMOVE, object, both, alone);
    assert_int_equal(rig_call(r, PEER_OPERATOR, KEEPER_ADMIN_ADD, &add, &changed), OK);
    enrol.token = changed.enrolment_token;
    assert_int_equal(rig_call(r, PEER_OPERATOR, KEEPER_ADMIN_REMOVE, &drop, NULL), OK);
    assert_int_equal(rig_call(r, PEER_OPERATOR, KEEPER_ADMIN_ADD, &add, &changed), ERR_APPROVAL_STALE);
    assert_int_equal(rig_call(r, PEER_FRONT, KEEPER_ENROL, &enrol, NULL), ERR_ENROLMENT_INVALID);
}

/* --- credentials */

static void what_is_revoked_never_comes_back(void **state)
{
    struct rig *r = *state;
    struct offered first, revoked, again;
    struct keeper_sealed sealed = {0}, out = {0};
    struct keeper_unwrapped u = {0};

    rig_offer(r, 1, "{}", &first);
    assert_int_equal(rig_put(r, &first, zero, &sealed), OK);
    rig_log_pending(r);
    rig_offer(r, 2, "{}", &revoked);
    revoked.d.revoked = true;
    rig_encode(r, &revoked);
    assert_int_equal(rig_put(r, &revoked, first.hash, &out), OK);
    /* Before its record is in the log, and after a crash that lost it. */
    assert_int_equal(unwrap(r, &first, sealed.sealed, &u), ERR_REVOKED);
    rig_restart(r);
    assert_int_equal(rig_unseal(r), OK);
    assert_int_equal(unwrap(r, &first, sealed.sealed, &u), ERR_REVOKED);
    rig_offer(r, 2, "{\"a\":1}", &again);
    assert_int_equal(rig_put(r, &again, first.hash, &out), ERR_REVOKED);
    rig_offer(r, 3, "{}", &again);
    assert_int_equal(rig_put(r, &again, revoked.hash, &out), ERR_REVOKED);
    assert_int_equal(rig_put(r, &revoked, first.hash, &out), OK); /* so that the store catches up */
}

static void a_credential_stays_what_it_is(void **state)
{
    struct rig *r = *state;
    struct offered first, next;
    struct keeper_sealed out = {0};

    rig_offer(r, 1, "{}", &first);
    assert_int_equal(rig_put(r, &first, zero, &out), OK);
    rig_log_pending(r);
    for (int what = 0; what < 4; what++) {
        rig_offer(r, 2, "{}", &next);
        if (what == 0)
            next.d.path = VIEW_STR("exchange/binance/other");
        if (what == 1)
            next.d.venue = VIEW_STR("phemex");
        if (what == 2)
            next.d.scheme = VIEW_STR("binance-wsapi-hmac");
        if (what == 3)
            next.d.environment = 3;
        rig_encode(r, &next);
        assert_int_equal(rig_put(r, &next, first.hash, &out), ERR_BAD_VALUE);
    }
}

/* A power cut between the keeper's answer and the front's commit: nobody has the bytes of the pending version. */
static void a_change_that_was_lost_can_be_made_again(void **state)
{
    struct rig *r = *state;
    struct offered first, lost, next;
    struct keeper_sealed sealed = {0}, out = {0};
    struct keeper_unwrapped u = {0};

    rig_offer(r, 1, "{}", &first);
    assert_int_equal(rig_put(r, &first, zero, &sealed), OK);
    rig_log_pending(r);
    rig_offer(r, 2, "{\"a\":1}", &lost);
    assert_int_equal(rig_put(r, &lost, first.hash, &out), OK);
    rig_offer(r, 2, "{\"a\":2}", &next);
    assert_int_equal(rig_put(r, &next, first.hash, &out), ERR_APPROVAL_STALE); /* its record still waits here */
    rig_restart(r);
    assert_int_equal(rig_unseal(r), OK);
    assert_int_equal(rig_put(r, &next, first.hash, &out), OK);
    rig_log_pending(r);
    assert_int_equal(unwrap(r, &next, out.sealed, &u), OK);
    assert_int_equal(unwrap(r, &first, sealed.sealed, &u), ERR_TAMPERED);
    assert_int_equal(unwrap(r, &lost, out.sealed, &u), ERR_TAMPERED);
}

/* The record of the first change must not bring the second one into force, which the front has not stored yet. */
static void a_record_settles_its_own_version_only(void **state)
{
    struct rig *r = *state;
    struct offered one, two;
    struct keeper_sealed first = {0}, second = {0};
    struct keeper_unwrapped u = {0};
    struct authored_record a = {0};

    rig_offer(r, 1, "{}", &one);
    assert_int_equal(rig_put(r, &one, zero, &first), OK);
    rig_offer(r, 2, "{\"a\":1}", &two);
    assert_int_equal(rig_put(r, &two, one.hash, &second), OK);
    assert_int_equal(entity_decode(&authored_record_entity, first.authored, r->arena, &a), OK);
    assert_int_equal(rig_append(r, log_size(r), &a.leaf, 1), OK);
    assert_int_equal(unwrap(r, &one, first.sealed, &u), OK);
    assert_int_equal(unwrap(r, &two, second.sealed, &u), OK);
    assert_int_equal(unwrap(r, &one, first.sealed, &u), ERR_TAMPERED);
}

/* --- the record across restarts */

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

static void a_leaf_that_the_anchor_covers_is_not_logged_twice(void **state)
{
    struct rig *r = *state;
    struct view held = open_one(r), logged = open_one(r);

    assert_int_equal(rig_append(r, log_size(r), &logged, 1), OK);
    assert_int_equal(rig_call(r, PEER_OPERATOR, KEEPER_ROTATE, &(struct keeper_rotate){0}, NULL),
                     OK); /* anything that writes the anchor */
    for (int restart = 0; restart < 2; restart++) {
        rig_restart(r);
        assert_int_equal(rig_unseal(r), OK);
        assert_int_equal(rig_append(r, log_size(r), &logged, 1), ERR_LOG_MISMATCH);
    }
    assert_int_equal(rig_append(r, log_size(r), &held, 1), OK);
    assert_int_equal(rig_append(r, log_size(r), &held, 1), ERR_LOG_MISMATCH);
}

static void sealing_loses_no_record_that_waits(void **state)
{
    struct rig *r = *state;
    struct checkpoint c;
    struct view leaf = open_one(r);
    struct leaf released, offered;
    struct keeper_pending_from from = {0};
    struct keeper_pending pending = {0};
    struct authored_record a = {0};

    assert_int_equal(leaf_decode(leaf, &released), OK);
    assert_int_equal(rig_call(r, PEER_OPERATOR, KEEPER_SEAL, NULL, NULL), OK);
    rig_restart(r);
    assert_int_equal(rig_unseal(r), OK);
    assert_int_equal(rig_checkpoint(r, &c), ERR_LOG_BEHIND);
    assert_int_equal(rig_call(r, PEER_FRONT, KEEPER_PENDING, &from, &pending), OK);
    assert_true(pending.records.count > 0);
    assert_int_equal(entity_decode(&authored_record_entity,
                                   ((struct keeper_pending_record *)pending.records.items)->authored, r->arena, &a),
                     OK);
    assert_int_equal(leaf_decode(a.leaf, &offered), OK);
    assert_int_equal(offered.sequence, released.sequence);
    rig_log_pending(r);
    assert_int_equal(rig_checkpoint(r, &c), OK);
    assert_int_equal(rig_append(r, log_size(r), &leaf, 1), ERR_LOG_MISMATCH);
}

/* The power goes right after the anchor was written: the change is there, so its record has to be. */
static void a_power_cut_parts_no_change_from_its_record(void **state)
{
    struct rig *r = *state;
    struct keeper_enrol enrol = {.name = VIEW_STR("alice"), .token = r->done.enrolment_token};
    struct keeper_pending_from from = {0};
    struct keeper_pending pending = {0};
    bool found = false;

    assert_int_equal(rig_call(r, PEER_FRONT, KEEPER_ENROL, &enrol, NULL), OK);
    for (int restart = 0; restart < 3; restart++) {
        rig_restart(r);
        assert_int_equal(rig_unseal(r), OK);
    }
    assert_int_equal(rig_call(r, PEER_FRONT, KEEPER_PENDING, &from, &pending), OK);
    for (size_t i = 0; i < pending.records.count; i++) {
        struct authored_record a = {0};
        struct leaf leaf;
        struct keeper_pending_record *p = pending.records.items;
        assert_int_equal(entity_decode(&authored_record_entity, p[i].authored, r->arena, &a), OK);
        assert_int_equal(leaf_decode(a.leaf, &leaf), OK);
        found |= leaf.type == EVENT_ENROLMENT_USED;
    }
    assert_true(found);
}

static void asking_for_what_waits_from_the_end_of_time_returns(void **state)
{
    struct rig *r = *state;
    struct keeper_pending pending = {0};

    for (uint8_t author = 1; author < 4; author++) {
        struct keeper_pending_from from = {.author = author, .sequence = UINT64_MAX};
        assert_int_equal(rig_call(r, PEER_FRONT, KEEPER_PENDING, &from, &pending), OK);
        assert_int_equal(pending.records.count, 0);
    }
}

static void the_signer_gets_no_more_room_than_the_keeper_has(void **state)
{
    struct rig *r = *state;
    struct keeper_signer_welcome w = {0};

    assert_int_equal(rig_call(r, PEER_SIGNER, KEEPER_SIGNER_HELLO, NULL, &w), OK);
    assert_true(w.sequence_limit > w.next_sequence);
    assert_true(w.sequence_limit <= w.next_sequence + 8192);
    rig_restart(r);
    assert_int_equal(rig_unseal(r), OK);
    /* What it was allowed before is reserved: numbers begin above it. */
    struct keeper_signer_welcome again = {0};
    assert_int_equal(rig_call(r, PEER_SIGNER, KEEPER_SIGNER_HELLO, NULL, &again), OK);
    assert_true(again.next_sequence >= w.sequence_limit);
}

/* --- the operator's socket */

static void wrong_guesses_are_slowed_down(void **state)
{
    struct rig *r = *state;
    struct keeper_unseal wrong = {.passphrase = VIEW_STR("not the right passphrase")};
    enum err e = OK;
    int tries = 0;

    rig_restart(r);
    for (; tries < 20 && e != ERR_BUSY; tries++)
        e = rig_call(r, PEER_OPERATOR, KEEPER_UNSEAL, &wrong, NULL);
    assert_int_equal(e, ERR_BUSY);
    assert_in_range(tries, 3, 8);
    assert_int_equal(rig_unseal(r), ERR_BUSY);
    r->wall_ms += 3000;
    assert_int_equal(rig_unseal(r), OK);
}

static void a_foreign_share_does_not_keep_out_the_right_ones(void **state)
{
    struct rig *r = rig_new(), *other = rig_new();
    struct keeper_unseal q = {0};

    (void)state;
    rig_init_shares(r, 2, 3);
    rig_init_shares(other, 2, 3);
    rig_restart(r);
    q.share = other->done.shares.items[0];
    assert_int_equal(rig_call(r, PEER_OPERATOR, KEEPER_UNSEAL, &q, NULL), OK);
    q.share = r->done.shares.items[0];
    assert_int_equal(rig_call(r, PEER_OPERATOR, KEEPER_UNSEAL, &q, NULL), ERR_WRONG_SHARE);
    for (int i = 0; i < 2; i++) {
        q.share = r->done.shares.items[i];
        assert_int_equal(rig_call(r, PEER_OPERATOR, KEEPER_UNSEAL, &q, NULL), OK);
    }
    assert_int_equal(keeper_state_of(r->keeper), STATE_UNSEALED);
    rig_free(other);
    rig_free(r);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(no_change_without_its_record),
        T(a_release_is_good_once),
        T(a_frozen_credential_costs_no_write_to_freeze_again),
        T(an_administrator_who_was_removed_is_not_added_by_the_old_approval),
        T(what_is_revoked_never_comes_back),
        T(a_credential_stays_what_it_is),
        T(a_change_that_was_lost_can_be_made_again),
        T(a_record_settles_its_own_version_only),
        T(a_leaf_that_the_anchor_covers_is_not_logged_twice),
        T(sealing_loses_no_record_that_waits),
        T(a_power_cut_parts_no_change_from_its_record),
        T(asking_for_what_waits_from_the_end_of_time_returns),
        T(the_signer_gets_no_more_room_than_the_keeper_has),
        T(wrong_guesses_are_slowed_down),
        T(a_foreign_share_does_not_keep_out_the_right_ones),
    };
    return cmocka_run_group_tests_name("keeper-hostile", tests, NULL, NULL);
}
