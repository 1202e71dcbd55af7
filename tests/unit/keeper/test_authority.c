/* Approvals, administrators, credentials and secrets: what somebody who owns the front must not be able to do. */
#include "rig.h"

static const uint8_t zero[32];

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

static void an_approved_credential_reaches_the_signer_only(void **state)
{
    struct rig *r = *state;
    struct offered o;
    struct keeper_sealed sealed = {0};
    struct keeper_unwrapped unwrapped = {0};
    struct credential_bundle bundle = {0};
    struct keeper_unwrap ask;

    rig_offer(r, 1, "{}", &o);
    assert_int_equal(rig_put(r, &o, zero, &sealed), OK);
    ask = (struct keeper_unwrap){o.descriptor, sealed.sealed};
    assert_int_equal(rig_call(r, PEER_FRONT, KEEPER_UNWRAP, &ask, &unwrapped), ERR_FORBIDDEN);
    assert_int_equal(rig_call(r, PEER_SIGNER, KEEPER_UNWRAP, &ask, &unwrapped), OK);
    assert_int_equal(entity_decode(&credential_bundle_entity, unwrapped.bundle, r->arena, &bundle), OK);
    assert_true(view_is(bundle.secret, "venue secret"));
}

static void every_bent_approval_is_refused(void **state)
{
    struct rig *r = *state;
    struct offered o;
    struct keeper_credential_put q;
    uint8_t object[32], stranger[32] = {9};

    rig_offer(r, 1, "{}", &o);
    sha256(VIEW_OF(o.d.id), object);
    q = (struct keeper_credential_put){.descriptor = o.descriptor, .box = o.box};
    assert_int_equal(rig_call(r, PEER_FRONT, KEEPER_CREDENTIAL_PUT, &q, NULL), ERR_APPROVAL_NEEDED);
    q.approval = rig_approve(r, stranger, APPROVE_CREDENTIAL, object, zero, o.hash);
    assert_int_equal(rig_call(r, PEER_FRONT, KEEPER_CREDENTIAL_PUT, &q, NULL), ERR_NOT_ADMINISTRATOR);
    q.approval = rig_approve(r, r->admin_seed, APPROVE_RELEASE, object, zero, o.hash);
    assert_int_equal(rig_call(r, PEER_FRONT, KEEPER_CREDENTIAL_PUT, &q, NULL), ERR_APPROVAL_INVALID);
    q.approval = rig_approve(r, r->admin_seed, APPROVE_CREDENTIAL, object, zero, object);
    assert_int_equal(rig_call(r, PEER_FRONT, KEEPER_CREDENTIAL_PUT, &q, NULL), ERR_APPROVAL_INVALID);
    q.approval = rig_approve(r, r->admin_seed, APPROVE_CREDENTIAL, object, zero, o.hash);
    q.approval.signature[5] ^= 1;
    assert_int_equal(rig_call(r, PEER_FRONT, KEEPER_CREDENTIAL_PUT, &q, NULL), ERR_APPROVAL_INVALID);
    q.approval = rig_approve(r, r->admin_seed, APPROVE_CREDENTIAL, object, zero, o.hash);
    r->wall_ms += 61000;
    assert_int_equal(rig_call(r, PEER_FRONT, KEEPER_CREDENTIAL_PUT, &q, NULL), ERR_APPROVAL_EXPIRED);
}

static void another_box_under_the_same_approval_is_refused(void **state)
{
    struct rig *r = *state;
    struct offered o, other;

    rig_offer(r, 1, "{}", &o);
    rig_offer(r, 1, "{}", &other);
    o.box = other.box; /* boxes are randomised, so this is another one */
    assert_int_equal(rig_put(r, &o, zero, NULL), ERR_APPROVAL_INVALID);
}

static void an_old_policy_is_never_believed_again(void **state)
{
    struct rig *r = *state;
    struct offered first, second;
    struct keeper_sealed sealed1 = {0}, sealed2 = {0};
    struct keeper_unwrapped u = {0};
    struct keeper_unwrap old, now;

    rig_offer(r, 1, "{\"a\":1}", &first);
    assert_int_equal(rig_put(r, &first, zero, &sealed1), OK);
    rig_log_pending(r);
    rig_offer(r, 2, "{\"a\":2}", &second);
    assert_int_equal(rig_put(r, &second, zero, NULL), ERR_APPROVAL_STALE);
    assert_int_equal(rig_put(r, &second, first.hash, &sealed2), OK);
    rig_log_pending(r);
    old = (struct keeper_unwrap){first.descriptor, sealed1.sealed};
    now = (struct keeper_unwrap){second.descriptor, sealed2.sealed};
    assert_int_equal(rig_call(r, PEER_SIGNER, KEEPER_UNWRAP, &old, &u), ERR_TAMPERED);
    assert_int_equal(rig_call(r, PEER_SIGNER, KEEPER_UNWRAP, &now, &u), OK);
    rig_restart(r);
    assert_int_equal(rig_unseal(r), OK);
    assert_int_equal(rig_call(r, PEER_SIGNER, KEEPER_UNWRAP, &old, &u), ERR_TAMPERED);
    assert_int_equal(rig_call(r, PEER_SIGNER, KEEPER_UNWRAP, &now, &u), OK);
    assert_int_equal(rig_put(r, &first, zero, NULL), ERR_APPROVAL_STALE); /* the first approval, played back */
}

/* Between the change and its record in the log the front may have the signer load the former policy once more. */
static void the_signer_is_told_again_when_a_change_comes_into_force(void **state)
{
    struct rig *r = *state;
    struct offered o;
    struct keeper_sealed sealed = {0};

    rig_offer(r, 1, "{}", &o);
    assert_int_equal(rig_put(r, &o, zero, &sealed), OK);
    assert_int_equal(r->events[KEEPER_EVENT_CREDENTIAL], 1);
    rig_log_pending(r);
    assert_int_equal(r->events[KEEPER_EVENT_CREDENTIAL], 2);
}

static void the_record_of_a_change_names_who_approved_it(void **state)
{
    struct rig *r = *state;
    struct offered o;
    struct keeper_sealed sealed = {0};
    struct authored_record a = {0};
    struct record_object what = {0};

    rig_offer(r, 1, "{}", &o);
    assert_int_equal(rig_put(r, &o, zero, &sealed), OK);
    assert_int_equal(entity_decode(&authored_record_entity, sealed.authored, r->arena, &a), OK);
    assert_int_equal(entity_decode(&record_object_entity, a.what, r->arena, &what), OK);
    assert_true(view_is(what.detail, "binance, approved by alice"));
}

static void a_descriptor_with_another_ones_key_does_not_open(void **state)
{
    struct rig *r = *state;
    struct offered o;
    struct keeper_sealed sealed = {0};
    struct keeper_unwrapped u = {0};
    struct keeper_unwrap ask;

    rig_offer(r, 1, "{}", &o);
    assert_int_equal(rig_put(r, &o, zero, &sealed), OK);
    ((uint8_t *)(uintptr_t)sealed.sealed.ptr)[60] ^= 1;
    ask = (struct keeper_unwrap){o.descriptor, sealed.sealed};
    assert_int_equal(rig_call(r, PEER_SIGNER, KEEPER_UNWRAP, &ask, &u), ERR_TAMPERED);
}

static void freezing_needs_nobody_and_releasing_an_administrator(void **state)
{
    struct rig *r = *state;
    struct offered o;
    struct keeper_credential_freeze q = {.frozen = true};
    struct keeper_credential_of of = {0};
    struct keeper_credential_state state_of = {0};
    struct keeper_sealed sealed = {0};
    uint8_t object[32];

    rig_offer(r, 1, "{}", &o);
    assert_int_equal(rig_put(r, &o, zero, &sealed), OK);
    rig_log_pending(r);
    memcpy(q.id, o.d.id, 16);
    memcpy(of.id, o.d.id, 16);
    assert_int_equal(rig_call(r, PEER_FRONT, KEEPER_CREDENTIAL_STATE, &of, &state_of), OK);
    assert_false(state_of.frozen);
    assert_int_equal(rig_call(r, PEER_FRONT, KEEPER_CREDENTIAL_FREEZE, &q, NULL), OK);
    assert_int_equal(rig_call(r, PEER_FRONT, KEEPER_CREDENTIAL_STATE, &of, &state_of), OK);
    assert_true(state_of.frozen);
    q.frozen = false;
    assert_int_equal(rig_call(r, PEER_FRONT, KEEPER_CREDENTIAL_FREEZE, &q, NULL), ERR_APPROVAL_NEEDED);
    sha256(VIEW_OF(o.d.id), object);
    q.approval = rig_approve(r, r->admin_seed, APPROVE_RELEASE, object, o.hash, o.hash);
    assert_int_equal(rig_call(r, PEER_FRONT, KEEPER_CREDENTIAL_FREEZE, &q, NULL), OK);
    q.id[0] ^= 1;
    assert_int_equal(rig_call(r, PEER_FRONT, KEEPER_CREDENTIAL_FREEZE, &q, NULL), ERR_NOT_FOUND);
}

static enum err freeze_as(struct rig *r, enum keeper_peer who, struct view path, const uint8_t *id)
{
    struct keeper_operator_freeze q = {.path = path};

    if (id)
        memcpy(q.id, id, sizeof q.id);
    return rig_call(r, who, KEEPER_OPERATOR_FREEZE, &q, NULL);
}

static size_t count_frozen(struct rig *r)
{
    struct keeper_frozen list = {0};

    assert_int_equal(rig_call(r, PEER_FRONT, KEEPER_CREDENTIALS_FROZEN, NULL, &list), OK);
    assert_int_equal(list.ids.len % 16, 0);
    return list.ids.len / 16;
}

/* Whoever owns the front must not be able to keep an operator from stopping a credential, nor to undo it by a crash. */
static void an_operator_freezes_without_the_front(void **state)
{
    struct rig *r = *state;
    struct offered o;
    struct keeper_credential_of of = {0};
    struct keeper_credential_state state_of = {0};
    struct keeper_pending_from from = {0};
    struct keeper_pending pending = {0};
    struct authored_record a = {0};
    struct record_object what = {0};
    unsigned told = r->events[KEEPER_EVENT_CREDENTIAL];

    rig_offer(r, 1, "{}", &o);
    assert_int_equal(rig_put(r, &o, zero, NULL), OK);
    rig_log_pending(r);
    told = r->events[KEEPER_EVENT_CREDENTIAL];
    assert_int_equal(freeze_as(r, PEER_FRONT, o.d.path, NULL), ERR_FORBIDDEN);
    assert_int_equal(freeze_as(r, PEER_OPERATOR, VIEW_STR("exchange/other"), NULL), ERR_NOT_FOUND);
    assert_int_equal(freeze_as(r, PEER_OPERATOR, (struct view){0}, zero), ERR_NOT_FOUND);
    assert_int_equal(count_frozen(r), 0);
    assert_int_equal(freeze_as(r, PEER_OPERATOR, o.d.path, NULL), OK);
    assert_int_equal(count_frozen(r), 1);
    assert_int_equal(r->events[KEEPER_EVENT_CREDENTIAL], told + 1); /* the signer */
    assert_true(r->events[KEEPER_EVENT_PENDING] > 0);
    assert_int_equal(rig_call(r, PEER_FRONT, KEEPER_PENDING, &from, &pending), OK);
    const struct keeper_pending_record *records = pending.records.items;
    assert_int_equal(entity_decode(&authored_record_entity, records[0].authored, r->arena, &a), OK);
    assert_int_equal(entity_decode(&record_object_entity, a.what, r->arena, &what), OK);
    assert_true(view_starts(what.resource, "credential:"));
    rig_restart(r);
    assert_int_equal(rig_unseal(r), OK);
    memcpy(of.id, o.d.id, 16);
    assert_int_equal(rig_call(r, PEER_FRONT, KEEPER_CREDENTIAL_STATE, &of, &state_of), OK);
    assert_true(state_of.frozen);
    assert_int_equal(freeze_as(r, PEER_OPERATOR, o.d.path, NULL), OK); /* its path is known after a restart */
    assert_int_equal(freeze_as(r, PEER_OPERATOR, (struct view){0}, o.d.id), OK);
}

/* A front that hides a credential has an administrator approve a second one under the same path. */
static void an_operator_freezes_all_of_one_path(void **state)
{
    struct rig *r = *state;
    struct offered first, second;

    rig_offer(r, 1, "{}", &first);
    assert_int_equal(rig_put(r, &first, zero, NULL), OK);
    second = first;
    second.d.id[0] ^= 1;
    rig_encode(r, &second);
    assert_int_equal(rig_put(r, &second, zero, NULL), OK);
    assert_int_equal(freeze_as(r, PEER_OPERATOR, first.d.path, NULL), OK);
    assert_int_equal(count_frozen(r), 2);
}

static bool frozen_under(struct rig *r, const struct keeper_credential_freeze *q, const char *resource)
{
    struct keeper_sealed sealed = {0};
    struct authored_record a = {0};
    struct record_object what = {0};

    assert_int_equal(rig_call(r, PEER_FRONT, KEEPER_CREDENTIAL_FREEZE, q, &sealed), OK);
    assert_int_equal(entity_decode(&authored_record_entity, sealed.authored, r->arena, &a), OK);
    assert_int_equal(entity_decode(&record_object_entity, a.what, r->arena, &what), OK);
    return view_starts(what.resource, resource);
}

/* Records of a credential are looked for by its path; what the front calls it counts only if it was approved so. */
static void the_record_of_a_freeze_names_the_approved_path(void **state)
{
    struct rig *r = *state;
    struct offered o, other;
    struct keeper_credential_freeze q = {.frozen = true};
    struct keeper_sealed sealed = {0};
    char path[600] = "credential:";

    rig_offer(r, 1, "{}", &o);
    assert_int_equal(rig_put(r, &o, zero, &sealed), OK);
    memcpy(q.id, o.d.id, 16);
    assert_int_equal(view_to_str(o.d.path, path + strlen(path), sizeof path - strlen(path)), OK);
    q.descriptor = o.descriptor;
    assert_true(frozen_under(r, &q, path));
    rig_log_pending(r);
    assert_true(frozen_under(r, &q, path));
    other = o;
    other.d.path = VIEW_STR("exchange/other");
    rig_encode(r, &other);
    q.descriptor = other.descriptor;
    assert_true(frozen_under(r, &q, "credential-id:"));
    q.descriptor = VIEW_STR("noise");
    assert_true(frozen_under(r, &q, "credential-id:"));
}

/* --- administrators */

static void set_hash(const struct administrator *list, size_t count, uint8_t out[static 32])
{
    AUTO_WRITER w = writer_new(4096);

    for (size_t i = 0; i < count; i++) {
        writer_var(&w, list[i].name);
        writer_bytes(&w, list[i].key, 32);
    }
    sha256(writer_view_of(&w), out);
}

static void administrators_are_signed_in_by_existing_ones(void **state)
{
    struct rig *r = *state;
    struct keeper_admin_change q = {.name = VIEW_STR("bob")};
    struct keeper_admin_changed changed = {0};
    struct administrator both[2] = {{.name = VIEW_STR("alice")}, {.name = VIEW_STR("bob")}};
    struct administrators list = {0};
    uint8_t seed[32] = {8}, object[32], before[32], after[32];

    assert_int_equal(ed25519_public(seed, q.key), OK);
    memcpy(both[0].key, r->admin_key, 32);
    memcpy(both[1].key, q.key, 32);
    set_hash(both, 1, before);
    set_hash(both, 2, after);
    sha256(q.name, object);
    assert_int_equal(rig_call(r, PEER_OPERATOR, KEEPER_ADMIN_ADD, &q, &changed), ERR_APPROVAL_NEEDED);
    q.approval = rig_approve(r, r->admin_seed, APPROVE_ADMIN_ADD, object, before, after);
    assert_int_equal(rig_call(r, PEER_OPERATOR, KEEPER_ADMIN_ADD, &q, &changed), OK);
    assert_true(changed.enrolment_token.len > 0);
    assert_int_equal(rig_call(r, PEER_OPERATOR, KEEPER_ADMIN_ADD, &q, &changed), ERR_EXISTS);
    assert_int_equal(rig_call(r, PEER_FRONT, KEEPER_ADMIN_LIST, NULL, &list), OK);
    assert_int_equal(list.list.count, 2);
    assert_memory_equal(list.hash, after, 32);
}

static void lost_administrators_are_recovered_by_what_unseals(void **state)
{
    struct rig *r = *state;
    struct keeper_admin_change q = {
        .name = VIEW_STR("carol"), .replace_all = true, .passphrase = VIEW_STR("a wrong passphrase")};
    struct keeper_admin_changed changed = {0};
    struct administrators list = {0};

    assert_int_equal(rig_call(r, PEER_OPERATOR, KEEPER_ADMIN_ADD, &q, &changed), ERR_WRONG_PASSPHRASE);
    q.passphrase = VIEW_STR(PASSPHRASE);
    assert_int_equal(rig_call(r, PEER_OPERATOR, KEEPER_ADMIN_ADD, &q, &changed), OK);
    assert_int_equal(rig_call(r, PEER_FRONT, KEEPER_ADMIN_LIST, NULL, &list), OK);
    assert_int_equal(list.list.count, 1);
    assert_true(view_is(((struct administrator *)list.list.items)->name, "carol"));
}

static void the_last_administrator_stays(void **state)
{
    struct rig *r = *state;
    struct keeper_admin_change q = {.name = VIEW_STR("alice")};

    assert_int_equal(rig_call(r, PEER_OPERATOR, KEEPER_ADMIN_REMOVE, &q, NULL), ERR_BAD_VALUE);
    q.name = VIEW_STR("nobody");
    assert_int_equal(rig_call(r, PEER_OPERATOR, KEEPER_ADMIN_REMOVE, &q, NULL), ERR_NOT_FOUND);
}

static void an_enrolment_token_is_good_once_and_for_one_name(void **state)
{
    struct rig *r = *state;
    struct keeper_enrol q = {.name = VIEW_STR("bob"), .token = r->done.enrolment_token};
    struct keeper_sealed out = {0};

    assert_int_equal(rig_call(r, PEER_FRONT, KEEPER_ENROL, &q, &out), ERR_ENROLMENT_INVALID);
    q.name = VIEW_STR("alice");
    q.token = VIEW_STR("hfe_000000000000000000000000000000000");
    assert_int_equal(rig_call(r, PEER_FRONT, KEEPER_ENROL, &q, &out), ERR_ENROLMENT_INVALID);
    q.only_check = true;
    assert_int_equal(rig_call(r, PEER_FRONT, KEEPER_ENROL, &q, &out), ERR_ENROLMENT_INVALID);
    q.token = r->done.enrolment_token;
    for (int i = 0; i < 2; i++) { /* looking at it leaves it good, and nothing in the record */
        assert_int_equal(rig_call(r, PEER_FRONT, KEEPER_ENROL, &q, &out), OK);
        assert_int_equal(out.authored.len, 0);
    }
    q.only_check = false;
    assert_int_equal(rig_call(r, PEER_FRONT, KEEPER_ENROL, &q, &out), OK);
    assert_true(out.authored.len > 0);
    assert_int_equal(rig_call(r, PEER_FRONT, KEEPER_ENROL, &q, &out), ERR_ENROLMENT_INVALID);
    rig_restart(r);
    assert_int_equal(rig_unseal(r), OK);
    assert_int_equal(rig_call(r, PEER_FRONT, KEEPER_ENROL, &q, &out), ERR_ENROLMENT_INVALID);
}

static void a_secret_opens_under_its_own_name_and_version_only(void **state)
{
    struct rig *r = *state;
    struct keeper_secret_seal q = {.id = {1}, .version = 3, .path = VIEW_STR("db/main"), .value = VIEW_STR("hunter2")};
    struct keeper_secret_open good = {.id = {1}, .version = 3, .path = VIEW_STR("db/main")}, bad;
    struct keeper_sealed sealed = {0};
    struct keeper_opened opened = {0};

    assert_int_equal(rig_call(r, PEER_FRONT, KEEPER_SECRET_SEAL, &q, &sealed), OK);
    good.sealed = sealed.sealed;
    assert_int_equal(rig_call(r, PEER_FRONT, KEEPER_SECRET_OPEN, &good, &opened), OK);
    assert_true(view_is(opened.value, "hunter2"));
    assert_true(opened.authored.len > 0);
    bad = good, bad.version = 2;
    assert_int_equal(rig_call(r, PEER_FRONT, KEEPER_SECRET_OPEN, &bad, &opened), ERR_TAMPERED);
    bad = good, bad.id[0] = 2;
    assert_int_equal(rig_call(r, PEER_FRONT, KEEPER_SECRET_OPEN, &bad, &opened), ERR_TAMPERED);
    bad = good, bad.path = VIEW_STR("db/main2");
    assert_int_equal(rig_call(r, PEER_FRONT, KEEPER_SECRET_OPEN, &bad, &opened), ERR_TAMPERED);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(an_approved_credential_reaches_the_signer_only),
        T(every_bent_approval_is_refused),
        T(another_box_under_the_same_approval_is_refused),
        T(an_old_policy_is_never_believed_again),
        T(the_signer_is_told_again_when_a_change_comes_into_force),
        T(the_record_of_a_change_names_who_approved_it),
        T(a_descriptor_with_another_ones_key_does_not_open),
        T(freezing_needs_nobody_and_releasing_an_administrator),
        T(an_operator_freezes_without_the_front),
        T(an_operator_freezes_all_of_one_path),
        T(the_record_of_a_freeze_names_the_approved_path),
        T(administrators_are_signed_in_by_existing_ones),
        T(lost_administrators_are_recovered_by_what_unseals),
        T(the_last_administrator_stays),
        T(an_enrolment_token_is_good_once_and_for_one_name),
        T(a_secret_opens_under_its_own_name_and_version_only),
    };
    return cmocka_run_group_tests_name("keeper-authority", tests, NULL, NULL);
}
