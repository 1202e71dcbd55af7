/* Four eyes: what one administrator, alone or with the front in his hands, must not be able to do. */
#include "rig.h"

static const uint8_t zero[32];
static const uint8_t bob[32] = {8}, carol[32] = {9}; /* seeds; alice's is the rig's */

struct set {
    struct administrator list[4]; /* by name */
    size_t count;
};

static void set_hash(const struct set *s, uint8_t out[static 32])
{
    AUTO_WRITER w = writer_new(4096);

    for (size_t i = 0; i < s->count; i++) {
        writer_var(&w, s->list[i].name);
        writer_bytes(&w, s->list[i].key, 32);
    }
    sha256(writer_view_of(&w), out);
}

static void set_now(struct rig *r, struct set *ret)
{
    struct administrators now = {0};

    assert_int_equal(rig_call(r, PEER_FRONT, KEEPER_ADMIN_LIST, NULL, &now), OK);
    assert_true(now.list.count <= ARRAY_LEN(ret->list));
    ret->count = now.list.count;
    memcpy(ret->list, now.list.items, now.list.count * sizeof ret->list[0]);
}

/* Who is added sorts behind the others. second: another administrator's seed, or NULL. */
static enum err add(struct rig *r, const char *name, const uint8_t seed[static 32], const uint8_t *second)
{
    struct keeper_admin_change q = {.name = view_str(name)};
    uint8_t object[32], before[32], after[32];
    struct set s;

    assert_int_equal(ed25519_public(seed, q.key), OK);
    set_now(r, &s);
    set_hash(&s, before);
    s.list[s.count].name = q.name;
    memcpy(s.list[s.count++].key, q.key, 32);
    set_hash(&s, after);
    sha256(q.name, object);
    q.approval = rig_approve(r, r->admin_seed, APPROVE_ADMIN_ADD, object, before, after);
    if (second)
        q.second = rig_approve(r, second, APPROVE_ADMIN_ADD, object, before, after);
    return rig_call(r, PEER_OPERATOR, KEEPER_ADMIN_ADD, &q, NULL);
}

static enum err drop_last(struct rig *r, const uint8_t *second)
{
    struct keeper_admin_change q = {0};
    uint8_t object[32], before[32], after[32];
    struct set s;

    set_now(r, &s);
    set_hash(&s, before);
    q.name = s.list[--s.count].name;
    set_hash(&s, after);
    sha256(q.name, object);
    q.approval = rig_approve(r, r->admin_seed, APPROVE_ADMIN_REMOVE, object, before, after);
    if (second)
        q.second = rig_approve(r, second, APPROVE_ADMIN_REMOVE, object, before, after);
    return rig_call(r, PEER_OPERATOR, KEEPER_ADMIN_REMOVE, &q, NULL);
}

static uint8_t rule_now(struct rig *r)
{
    struct keeper_status s = {0};

    assert_int_equal(rig_call(r, PEER_FRONT, KEEPER_STATUS, NULL, &s), OK);
    return s.four_eyes;
}

static struct keeper_four_eyes rule_change(struct rig *r, uint8_t rule, const uint8_t *second)
{
    struct keeper_four_eyes q = {.rule = rule};
    uint8_t object[32], before[32], after[32];

    sha256(VIEW_STR(FOUR_EYES_OBJECT), object);
    four_eyes_hash(rule_now(r), before);
    four_eyes_hash(rule, after);
    q.approval = rig_approve(r, r->admin_seed, APPROVE_FOUR_EYES, object, before, after);
    if (second)
        q.second = rig_approve(r, second, APPROVE_FOUR_EYES, object, before, after);
    return q;
}

static enum err set_rule(struct rig *r, uint8_t rule, const uint8_t *second)
{
    struct keeper_four_eyes q = rule_change(r, rule, second);

    return rig_call(r, PEER_OPERATOR, KEEPER_FOUR_EYES, &q, NULL);
}

static int setup_alone(void **state)
{
    struct rig *r = rig_new();

    rig_init_passphrase(r);
    *state = r;
    return 0;
}

/* alice and bob, and the whole rule. */
static int setup(void **state)
{
    assert_int_equal(setup_alone(state), 0);
    assert_int_equal(add(*state, "bob", bob, NULL), OK);
    assert_int_equal(set_rule(*state, FOUR_EYES_ALL, bob), OK);
    return 0;
}

static int teardown(void **state)
{
    rig_free(*state);
    return 0;
}

static struct keeper_credential_put put_of(struct rig *r, const struct offered *o, const uint8_t previous[static 32],
                                           const uint8_t *second)
{
    struct keeper_credential_put q = {.descriptor = o->descriptor, .box = o->box};
    uint8_t object[32];

    memcpy(q.previous, previous, 32);
    sha256(VIEW_OF(o->d.id), object);
    q.approval = rig_approve(r, r->admin_seed, APPROVE_CREDENTIAL, object, previous, o->hash);
    if (second)
        q.second = rig_approve(r, second, APPROVE_CREDENTIAL, object, previous, o->hash);
    return q;
}

static enum err put(struct rig *r, const struct offered *o, const uint8_t previous[static 32], const uint8_t *second)
{
    struct keeper_credential_put q = put_of(r, o, previous, second);

    return rig_call(r, PEER_FRONT, KEEPER_CREDENTIAL_PUT, &q, NULL);
}

static void detail_of(struct rig *r, struct view authored, struct view *ret)
{
    struct authored_record a = {0};
    struct record_object what = {0};

    assert_int_equal(entity_decode(&authored_record_entity, authored, r->arena, &a), OK);
    assert_int_equal(entity_decode(&record_object_entity, a.what, r->arena, &what), OK);
    *ret = what.detail;
}

/* --- the rule */

static void a_desk_of_one_is_not_locked_out_by_it(void **state)
{
    struct rig *r = *state;
    struct offered o;

    assert_int_equal(rule_now(r), 0);
    assert_int_equal(set_rule(r, FOUR_EYES_ALL, NULL), ERR_BAD_VALUE);
    rig_offer(r, 1, "{}", &o);
    assert_int_equal(put(r, &o, zero, NULL), OK);
}

static void the_rule_takes_what_it_will_demand(void **state)
{
    struct rig *r = *state;
    struct keeper_four_eyes q;

    assert_int_equal(add(r, "bob", bob, NULL), OK);
    assert_int_equal(set_rule(r, FOUR_EYES_ALL, NULL), ERR_SECOND_APPROVAL_NEEDED);
    assert_int_equal(set_rule(r, FOUR_EYES_ALL, r->admin_seed), ERR_SAME_ADMINISTRATOR);
    assert_int_equal(set_rule(r, FOUR_EYES_POLICY, bob), ERR_BAD_VALUE); /* one of them could be two */
    assert_int_equal(set_rule(r, 64 | FOUR_EYES_ALL, bob), ERR_BAD_VALUE);
    assert_int_equal(set_rule(r, FOUR_EYES_ALL, bob), OK);
    assert_int_equal(set_rule(r, FOUR_EYES_ALL, bob), ERR_CONFLICT);
    assert_int_equal(set_rule(r, FOUR_EYES_ADMINISTRATORS, NULL), ERR_SECOND_APPROVAL_NEEDED);
    assert_int_equal(set_rule(r, 0, NULL), ERR_SECOND_APPROVAL_NEEDED);
    rig_restart(r);
    assert_int_equal(rig_unseal(r), OK);
    assert_int_equal(rule_now(r), FOUR_EYES_ALL);
    q = rule_change(r, 0, bob);
    assert_int_equal(rig_call(r, PEER_FRONT, KEEPER_FOUR_EYES, &q, NULL), ERR_FORBIDDEN);
    assert_int_equal(rig_call(r, PEER_OPERATOR, KEEPER_FOUR_EYES, &q, NULL), OK);
    r->wall_ms += 1000;
    assert_int_equal(set_rule(r, FOUR_EYES_ALL, bob), OK);
    assert_int_equal(rig_call(r, PEER_OPERATOR, KEEPER_FOUR_EYES, &q, NULL), ERR_APPROVAL_STALE); /* played back */
    assert_int_equal(rule_now(r), FOUR_EYES_ALL);
}

static void the_record_of_the_rule_names_both(void **state)
{
    struct rig *r = *state;
    struct keeper_pending_from from = {0};
    struct keeper_pending pending = {0};
    struct view detail;

    assert_int_equal(rig_call(r, PEER_FRONT, KEEPER_PENDING, &from, &pending), OK);
    const struct keeper_pending_record *records = pending.records.items;
    detail_of(r, records[pending.records.count - 1].authored, &detail);
    assert_true(view_is(detail, "policy administrators rekey emergency, approved by alice and bob"));
}

/* --- credentials */

static void a_credential_takes_two_administrators(void **state)
{
    struct rig *r = *state;
    struct offered o, other;
    struct keeper_credential_put q;
    struct keeper_sealed sealed = {0};
    struct view detail;

    rig_offer(r, 1, "{}", &o);
    rig_offer(r, 1, "{\"other\":1}", &other);
    assert_int_equal(put(r, &o, zero, NULL), ERR_SECOND_APPROVAL_NEEDED);
    assert_int_equal(put(r, &o, zero, r->admin_seed), ERR_SAME_ADMINISTRATOR);
    assert_int_equal(put(r, &o, zero, carol), ERR_NOT_ADMINISTRATOR);
    q = put_of(r, &o, zero, bob);
    q.second = put_of(r, &other, zero, bob).second; /* what bob approved is something else */
    assert_int_equal(rig_call(r, PEER_FRONT, KEEPER_CREDENTIAL_PUT, &q, NULL), ERR_APPROVAL_INVALID);
    q = put_of(r, &o, zero, bob);
    q.approval = put_of(r, &other, zero, bob).approval;
    assert_int_equal(rig_call(r, PEER_FRONT, KEEPER_CREDENTIAL_PUT, &q, NULL), ERR_APPROVAL_INVALID);
    q = put_of(r, &o, zero, bob);
    q.second.expiry_ms++; /* he signed another end */
    assert_int_equal(rig_call(r, PEER_FRONT, KEEPER_CREDENTIAL_PUT, &q, NULL), ERR_APPROVAL_INVALID);
    q = put_of(r, &o, zero, bob);
    assert_int_equal(rig_call(r, PEER_FRONT, KEEPER_CREDENTIAL_PUT, &q, &sealed), OK);
    detail_of(r, sealed.authored, &detail);
    assert_true(view_is(detail, "binance, approved by alice and bob"));
    rig_log_pending(r);
    assert_int_equal(rig_call(r, PEER_FRONT, KEEPER_CREDENTIAL_PUT, &q, NULL), ERR_APPROVAL_STALE); /* again */
}

static void the_first_approval_ends_while_it_waits_for_the_second(void **state)
{
    struct rig *r = *state;
    struct offered o;
    struct keeper_credential_put q;

    rig_offer(r, 1, "{}", &o);
    q = put_of(r, &o, zero, NULL);
    r->wall_ms += 61000; /* the rig's approvals last a minute */
    q.second = put_of(r, &o, zero, bob).second;
    assert_int_equal(rig_call(r, PEER_FRONT, KEEPER_CREDENTIAL_PUT, &q, NULL), ERR_APPROVAL_EXPIRED);
}

static void a_policy_or_a_key_is_not_changed_by_one(void **state)
{
    struct rig *r = *state;
    struct offered first, second, copy;

    rig_offer(r, 1, "{\"a\":1}", &first);
    assert_int_equal(put(r, &first, zero, bob), OK);
    rig_log_pending(r);
    rig_offer(r, 2, "{\"a\":1}", &second); /* the same policy, another key */
    assert_int_equal(put(r, &second, first.hash, NULL), ERR_SECOND_APPROVAL_NEEDED);
    /* The key of the first in a new credential: the front has its box, and the box opens for whoever names it. */
    copy = first;
    copy.d.id[0] ^= 1;
    copy.d.policy = VIEW_STR("{\"all\":1}");
    rig_encode(r, &copy);
    assert_int_equal(put(r, &copy, zero, NULL), ERR_SECOND_APPROVAL_NEEDED);
    assert_int_equal(put(r, &second, first.hash, bob), OK);
}

static void one_administrator_is_enough_to_stop(void **state)
{
    struct rig *r = *state;
    struct offered first, revoked;
    struct keeper_credential_freeze freeze = {.frozen = true};

    rig_offer(r, 1, "{}", &first);
    assert_int_equal(put(r, &first, zero, bob), OK);
    rig_log_pending(r);
    memcpy(freeze.id, first.d.id, 16);
    assert_int_equal(rig_call(r, PEER_FRONT, KEEPER_CREDENTIAL_FREEZE, &freeze, NULL), OK);
    rig_offer(r, 2, "{}", &revoked);
    revoked.d.revoked = true;
    rig_encode(r, &revoked);
    assert_int_equal(put(r, &revoked, first.hash, carol),
                     ERR_NOT_ADMINISTRATOR); /* a bad second one is no second one */
    assert_int_equal(put(r, &revoked, first.hash, NULL), OK);
}

static void a_release_takes_two_each_time(void **state)
{
    struct rig *r = *state;
    struct offered o;
    struct keeper_credential_freeze freeze = {.frozen = true}, release = {0}, again;
    uint8_t object[32];

    rig_offer(r, 1, "{}", &o);
    assert_int_equal(put(r, &o, zero, bob), OK);
    rig_log_pending(r);
    memcpy(freeze.id, o.d.id, 16);
    memcpy(release.id, o.d.id, 16);
    sha256(VIEW_OF(o.d.id), object);
    assert_int_equal(rig_call(r, PEER_FRONT, KEEPER_CREDENTIAL_FREEZE, &freeze, NULL), OK);
    release.approval = rig_approve(r, r->admin_seed, APPROVE_RELEASE, object, o.hash, o.hash);
    assert_int_equal(rig_call(r, PEER_FRONT, KEEPER_CREDENTIAL_FREEZE, &release, NULL), ERR_SECOND_APPROVAL_NEEDED);
    release.second = rig_approve(r, bob, APPROVE_RELEASE, object, o.hash, o.hash);
    assert_int_equal(rig_call(r, PEER_FRONT, KEEPER_CREDENTIAL_FREEZE, &release, NULL), OK);
    assert_int_equal(rig_call(r, PEER_FRONT, KEEPER_CREDENTIAL_FREEZE, &freeze, NULL), OK);
    assert_int_equal(rig_call(r, PEER_FRONT, KEEPER_CREDENTIAL_FREEZE, &release, NULL), ERR_APPROVAL_STALE);
    r->wall_ms += 1000;
    again = release; /* a new approval of one of them does not bring the other's back */
    again.second = rig_approve(r, bob, APPROVE_RELEASE, object, o.hash, o.hash);
    assert_int_equal(rig_call(r, PEER_FRONT, KEEPER_CREDENTIAL_FREEZE, &again, NULL), ERR_APPROVAL_STALE);
    again.approval = rig_approve(r, r->admin_seed, APPROVE_RELEASE, object, o.hash, o.hash);
    again.second = release.second;
    assert_int_equal(rig_call(r, PEER_FRONT, KEEPER_CREDENTIAL_FREEZE, &again, NULL), ERR_APPROVAL_STALE);
}

/* --- administrators */

static void nobody_makes_himself_two(void **state)
{
    struct rig *r = *state;

    assert_int_equal(add(r, "puppet", carol, NULL), ERR_SECOND_APPROVAL_NEEDED);
    assert_int_equal(add(r, "puppet", carol, carol), ERR_NOT_ADMINISTRATOR); /* nor does the new one approve himself */
    assert_int_equal(add(r, "carol", carol, bob), OK);
    assert_int_equal(drop_last(r, NULL), ERR_SECOND_APPROVAL_NEEDED);
    assert_int_equal(drop_last(r, bob), OK);
    assert_int_equal(drop_last(r, bob), ERR_BAD_VALUE); /* alice alone could approve nothing any more */
}

static void who_was_removed_approves_nothing(void **state)
{
    struct rig *r = *state;
    struct offered o;
    struct keeper_credential_put q;

    assert_int_equal(add(r, "carol", carol, bob), OK);
    rig_offer(r, 1, "{}", &o);
    q = put_of(r, &o, zero, carol); /* approved while she was one */
    assert_int_equal(drop_last(r, bob), OK);
    assert_int_equal(rig_call(r, PEER_FRONT, KEEPER_CREDENTIAL_PUT, &q, NULL), ERR_NOT_ADMINISTRATOR);
}

/* When all but one have lost their keys: what unseals brings a second one, and the rule stays. */
static void what_unseals_brings_a_second_one(void **state)
{
    struct rig *r = *state;
    struct keeper_admin_change q = {.name = VIEW_STR("carol"), .replace_all = true, .passphrase = VIEW_STR(PASSPHRASE)};
    struct offered o;

    memcpy(q.key, r->admin_key, 32);
    assert_int_equal(rig_call(r, PEER_OPERATOR, KEEPER_ADMIN_ADD, &q, NULL), OK);
    rig_offer(r, 1, "{}", &o);
    assert_int_equal(put(r, &o, zero, NULL), ERR_SECOND_APPROVAL_NEEDED);
    q = (struct keeper_admin_change){.name = VIEW_STR("dave"), .passphrase = VIEW_STR(PASSPHRASE)};
    assert_int_equal(ed25519_public(bob, q.key), OK);
    assert_int_equal(rig_call(r, PEER_OPERATOR, KEEPER_ADMIN_ADD, &q, NULL), OK);
    assert_int_equal(put(r, &o, zero, bob), OK);
}

/* --- data keys */

static void new_data_keys_take_two(void **state)
{
    struct rig *r = *state;
    struct keeper_rotate q = {0};
    struct keeper_status s = {0};
    uint8_t object[32], now[32], next[32];

    assert_int_equal(rig_call(r, PEER_OPERATOR, KEEPER_STATUS, NULL, &s), OK);
    sha256(VIEW_STR(ROTATE_OBJECT), object);
    epoch_hash(s.epoch, now);
    epoch_hash(s.epoch + 1, next);
    assert_int_equal(rig_call(r, PEER_OPERATOR, KEEPER_ROTATE, &q, NULL), ERR_APPROVAL_NEEDED);
    q.approval = rig_approve(r, r->admin_seed, APPROVE_ROTATE, object, now, next);
    assert_int_equal(rig_call(r, PEER_OPERATOR, KEEPER_ROTATE, &q, NULL), ERR_SECOND_APPROVAL_NEEDED);
    q.second = rig_approve(r, bob, APPROVE_ROTATE, object, now, next);
    assert_int_equal(rig_call(r, PEER_OPERATOR, KEEPER_ROTATE, &q, NULL), OK);
    assert_int_equal(rig_call(r, PEER_OPERATOR, KEEPER_ROTATE, &q, NULL), ERR_APPROVAL_INVALID); /* played back */
    assert_int_equal(rig_call(r, PEER_OPERATOR, KEEPER_STATUS, NULL, &s), OK);
    assert_int_equal(s.epoch, 2);
}

/* --- emergency access */

static struct keeper_emergency emergency(struct rig *r, const char *name, uint32_t seconds, const char *reason)
{
    struct request_context c = {.actor = VIEW_STR("user:eve"), .source = VIEW_STR("front"), .reason = view_str(reason)};
    struct keeper_emergency q = {.name = view_str(name), .nonce = {4}, .seconds = seconds};
    AUTO_WRITER w = writer_new(4096);

    assert_int_equal(entity_encode(&request_context_entity, &c, &w), OK);
    assert_int_equal(arena_copy(r->arena, writer_view_of(&w), &q.who), OK);
    return q;
}

static struct approval approve_emergency(struct rig *r, const uint8_t seed[static 32], const struct keeper_emergency *q,
                                         const char *reason)
{
    uint8_t object[32], next[32];

    sha256(q->name, object);
    emergency_hash(q->seconds, view_str(reason), next);
    return rig_approve(r, seed, APPROVE_EMERGENCY, object, q->nonce, next);
}

static enum err begin(struct rig *r, const struct keeper_emergency *q, struct keeper_sealed *ret)
{
    return rig_call(r, PEER_FRONT, KEEPER_EMERGENCY, q, ret);
}

static void an_emergency_is_on_the_record_before_it_begins(void **state)
{
    struct rig *r = *state;
    struct keeper_emergency q = emergency(r, "eve", 600, "exchange down");
    struct keeper_sealed out = {0};
    struct checkpoint c;
    struct view detail;

    assert_int_equal(begin(r, &q, &out), OK); /* four eyes are off */
    detail_of(r, out.authored, &detail);
    assert_true(view_is(detail, "for 600 seconds"));
    assert_int_equal(rig_checkpoint(r, &c), ERR_LOG_BEHIND); /* and nobody hides it */
    rig_log_pending(r);
    assert_int_equal(rig_checkpoint(r, &c), OK);
    q = emergency(r, "eve", 600, " ");
    assert_int_equal(begin(r, &q, &out), ERR_REASON_NEEDED);
    q = emergency(r, "eve", EMERGENCY_MOST_S + 1, "exchange down");
    assert_int_equal(begin(r, &q, &out), ERR_OUT_OF_RANGE);
    q = emergency(r, "", 600, "exchange down");
    assert_int_equal(begin(r, &q, &out), ERR_BAD_VALUE);
}

static void an_emergency_takes_somebody_elses_approval_of_just_this(void **state)
{
    struct rig *r = *state;
    struct keeper_emergency q = emergency(r, "eve", 600, "exchange down"), bent;
    struct keeper_sealed out = {0};
    struct view detail;

    assert_int_equal(begin(r, &q, &out), ERR_APPROVAL_NEEDED);
    q.approval = approve_emergency(r, carol, &q, "exchange down");
    assert_int_equal(begin(r, &q, &out), ERR_NOT_ADMINISTRATOR);
    q.approval = approve_emergency(r, bob, &q, "something harmless");
    assert_int_equal(begin(r, &q, &out), ERR_APPROVAL_INVALID);
    q.approval = approve_emergency(r, bob, &q, "exchange down");
    bent = q, bent.seconds = 601;
    assert_int_equal(begin(r, &bent, &out), ERR_APPROVAL_INVALID);
    bent = q, bent.nonce[0]++;
    assert_int_equal(begin(r, &bent, &out), ERR_APPROVAL_INVALID);
    bent = q, bent.name = VIEW_STR("mallory");
    assert_int_equal(begin(r, &bent, &out), ERR_APPROVAL_INVALID);
    assert_int_equal(begin(r, &q, &out), OK);
    detail_of(r, out.authored, &detail);
    assert_true(view_is(detail, "for 600 seconds, approved by bob"));
    assert_int_equal(begin(r, &q, &out), ERR_APPROVAL_STALE); /* once */
    rig_restart(r);
    assert_int_equal(rig_unseal(r), OK);
    assert_int_equal(begin(r, &q, &out), ERR_APPROVAL_STALE);
    q = emergency(r, "bob", 600, "exchange down");
    q.approval = approve_emergency(r, bob, &q, "exchange down");
    assert_int_equal(begin(r, &q, &out), ERR_SAME_ADMINISTRATOR);
    q.approval = approve_emergency(r, r->admin_seed, &q, "exchange down");
    r->wall_ms += 61000;
    assert_int_equal(begin(r, &q, &out), ERR_APPROVAL_EXPIRED);
}

int main(void)
{
#define T(f)       cmocka_unit_test_setup_teardown(f, setup, teardown)
#define T_ALONE(f) cmocka_unit_test_setup_teardown(f, setup_alone, teardown)
    const struct CMUnitTest tests[] = {
        T_ALONE(a_desk_of_one_is_not_locked_out_by_it),
        T_ALONE(the_rule_takes_what_it_will_demand),
        T(the_record_of_the_rule_names_both),
        T(a_credential_takes_two_administrators),
        T(the_first_approval_ends_while_it_waits_for_the_second),
        T(a_policy_or_a_key_is_not_changed_by_one),
        T(one_administrator_is_enough_to_stop),
        T(a_release_takes_two_each_time),
        T(nobody_makes_himself_two),
        T(who_was_removed_approves_nothing),
        T(what_unseals_brings_a_second_one),
        T(new_data_keys_take_two),
        T_ALONE(an_emergency_is_on_the_record_before_it_begins),
        T(an_emergency_takes_somebody_elses_approval_of_just_this),
    };
    return cmocka_run_group_tests_name("keeper-approvals", tests, NULL, NULL);
}
