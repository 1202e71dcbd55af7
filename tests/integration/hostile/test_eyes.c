/* Four eyes, against somebody who owns the front: he carries every request and every approval, and may change them,
 * hold them back and send them again. The real keeper refuses each, and what two administrators did approve still goes.
 */
#include "desk.h"

#include "crypto/sign.h"

#include <assert.h>
#include <string.h>

#define LAX    "{" CLASSES "}"
#define STRICT "{\"classes\":[\"read\"]}"
#define DAY_MS (24ull * 3600 * 1000)

static const uint8_t bob[32] = {8}, carol[32] = {9}; /* seeds; alice's is the desk's. Carol is no administrator */

/* --- approvals, as they should be and not */

struct change {
    enum approval_kind kind;
    uint8_t object[32], previous[32], next[32];
};

enum spoilt { RIGHT, MISSING, FORGED, NOBODYS, HIS_OWN, ENDED, TOO_LONG, OF_ANOTHER_KIND, OF_ANOTHER, FROM_ELSEWHERE };

static struct approval approval_of(const struct desk *d, const uint8_t seed[static 32], const struct change *c,
                                   enum spoilt how)
{
    uint64_t now = clock_system()->wall_ms(clock_system());
    struct approval a = {.alg = APPROVAL_ED25519, .expiry_ms = now + 60000};
    uint8_t installation[32];
    struct change what = *c;
    AUTO_WRITER message = writer_new(512);
    memcpy(installation, d->init.installation, sizeof installation);
    if (how == MISSING)
        return (struct approval){0};
    if (how == ENDED || how == TOO_LONG)
        a.expiry_ms = how == ENDED ? now - 1 : now + DAY_MS + 60000;
    if (how == OF_ANOTHER_KIND)
        what.kind = what.kind == APPROVE_CREDENTIAL ? APPROVE_RELEASE : APPROVE_CREDENTIAL;
    what.object[0] ^= how == OF_ANOTHER;
    installation[0] ^= how == FROM_ELSEWHERE;
    const uint8_t *by = how == NOBODYS ? carol : how == HIS_OWN ? d->admin_seed : seed;
    assert_int_equal(ed25519_public(by, a.key), OK);
    approval_message(installation, what.kind, what.object, what.previous, what.next, a.expiry_ms, &message);
    assert_int_equal(ed25519_sign(by, writer_view_of(&message), a.signature), OK);
    a.signature[40] ^= how == FORGED;
    return a;
}

static const struct {
    const char *name;
    enum spoilt how;
    enum err error; /* where a second approval is needed */
} spoilt[] = {
    {"none", MISSING, ERR_SECOND_APPROVAL_NEEDED},
    {"a forged one", FORGED, ERR_APPROVAL_INVALID},
    {"of somebody who is no administrator", NOBODYS, ERR_NOT_ADMINISTRATOR},
    {"of the one who approved already", HIS_OWN, ERR_SAME_ADMINISTRATOR},
    {"ended", ENDED, ERR_APPROVAL_EXPIRED},
    {"good for more than a day", TOO_LONG, ERR_APPROVAL_EXPIRED},
    {"of another kind of change", OF_ANOTHER_KIND, ERR_APPROVAL_INVALID},
    {"of another object", OF_ANOTHER, ERR_APPROVAL_INVALID},
    {"of another installation", FROM_ELSEWHERE, ERR_APPROVAL_INVALID},
};

static void expect(enum err got, enum err wanted, const char *what)
{
    if (got != wanted)
        fail_msg("%s: %s, should be %s", what, err_code(got), err_code(wanted));
}

/* --- alice and bob, and the whole rule */

static void admins_hash(const struct administrator *list, size_t count, uint8_t out[static 32])
{
    AUTO_WRITER w = writer_new(1024);
    for (size_t i = 0; i < count; i++) {
        writer_var(&w, list[i].name);
        writer_bytes(&w, list[i].key, 32);
    }
    assert_int_equal(writer_done(&w), OK);
    sha256(writer_view_of(&w), out);
}

static struct keeper_admin_change with_bob(struct desk *d)
{
    struct administrator set[2] = {{.name = VIEW_STR("alice")}, {.name = VIEW_STR("bob")}};
    struct keeper_admin_change q = {.name = VIEW_STR("bob")};
    struct change c = {.kind = APPROVE_ADMIN_ADD};
    assert_int_equal(ed25519_public(d->admin_seed, set[0].key), OK);
    assert_int_equal(ed25519_public(bob, set[1].key), OK);
    memcpy(q.key, set[1].key, 32);
    sha256(q.name, c.object);
    admins_hash(set, 1, c.previous);
    admins_hash(set, 2, c.next);
    q.approval = approval_of(d, d->admin_seed, &c, RIGHT);
    return q;
}

static struct keeper_four_eyes rule_change(struct desk *d, uint8_t from, uint8_t to)
{
    struct keeper_four_eyes q = {.rule = to};
    struct change c = {.kind = APPROVE_FOUR_EYES};
    sha256(VIEW_STR(FOUR_EYES_OBJECT), c.object);
    four_eyes_hash(from, c.previous);
    four_eyes_hash(to, c.next);
    q.approval = approval_of(d, d->admin_seed, &c, RIGHT);
    q.second = approval_of(d, bob, &c, RIGHT);
    return q;
}

/* A credential from before the rule, which allows to read. */
struct eyes {
    struct desk *desk;
    struct credential_row row;
};

static int setup(void **state)
{
    static struct eyes e;
    e = (struct eyes){.desk = desk_new()};
    e.row = desk_put(e.desk, 1, STRICT, NULL);
    struct keeper_admin_change added = with_bob(e.desk);
    struct keeper_four_eyes rule = rule_change(e.desk, 0, FOUR_EYES_ALL);
    assert_int_equal(desk_operator(e.desk, KEEPER_ADMIN_ADD, &added, NULL, 5000), OK);
    assert_int_equal(desk_operator(e.desk, KEEPER_FOUR_EYES, &rule, NULL, 5000), OK);
    desk_log_pending(e.desk);
    *state = &e;
    return 0;
}

static int teardown(void **state)
{
    struct eyes *e = *state;
    assert_true(desk_alive(e->desk));
    desk_free(e->desk);
    return 0;
}

static void power_cut(struct desk *d)
{
    desk_kill(d);
    desk_start(d);
    desk_unseal(d);
}

/* --- what a front asks for */

/* The next version of the credential, with this policy. */
static struct keeper_credential_put put_of(struct eyes *e, const char *policy, struct change *ret)
{
    struct credential_descriptor c = {0};
    AUTO_WRITER encoded = writer_new(32768);
    struct keeper_credential_put q = {.sealed = e->row.sealed};
    assert_int_equal(entity_decode(&credential_descriptor_entity, e->row.descriptor, e->desk->arena, &c), OK);
    c.policy = view_str(policy);
    c.version++;
    assert_int_equal(entity_encode(&credential_descriptor_entity, &c, &encoded), OK);
    assert_int_equal(arena_copy(e->desk->arena, writer_view_of(&encoded), &q.descriptor), OK);
    memcpy(q.previous, e->row.hash, 32);
    *ret = (struct change){.kind = APPROVE_CREDENTIAL};
    sha256(VIEW_OF(c.id), ret->object);
    memcpy(ret->previous, q.previous, 32);
    sha256(q.descriptor, ret->next);
    return q;
}

static enum err put(struct eyes *e, const struct keeper_credential_put *q)
{
    return desk_keeper(e->desk, KEEPER_CREDENTIAL_PUT, q, NULL);
}

static struct keeper_credential_freeze release_of(const struct eyes *e, struct change *ret)
{
    struct keeper_credential_freeze q = {.id = {1}, .frozen = false};
    *ret = (struct change){.kind = APPROVE_RELEASE};
    sha256(VIEW_OF(q.id), ret->object);
    memcpy(ret->previous, e->row.hash, 32);
    memcpy(ret->next, e->row.hash, 32);
    return q;
}

static enum err release(struct eyes *e, const struct keeper_credential_freeze *q)
{
    return desk_keeper(e->desk, KEEPER_CREDENTIAL_FREEZE, q, NULL);
}

static void freeze(struct eyes *e)
{
    const struct keeper_credential_freeze q = {.id = {1}, .frozen = true};
    assert_int_equal(desk_keeper(e->desk, KEEPER_CREDENTIAL_FREEZE, &q, NULL), OK);
}

static bool is_frozen(struct eyes *e)
{
    const struct keeper_credential_of q = {.id = {1}};
    struct keeper_credential_state s = {0};
    assert_int_equal(desk_keeper(e->desk, KEEPER_CREDENTIAL_STATE, &q, &s), OK);
    return s.frozen;
}

struct wish {
    const char *name, *reason;
    uint32_t seconds;
    uint8_t nonce;
};

static struct keeper_emergency emergency_of(struct desk *d, const struct wish *w, struct change *ret)
{
    const struct request_context who = {
        .actor = VIEW_STR("user:eve"), .source = VIEW_STR("front"), .reason = view_str(w->reason)};
    struct keeper_emergency q = {.name = view_str(w->name), .seconds = w->seconds, .nonce = {w->nonce}};
    AUTO_WRITER encoded = writer_new(4096);
    assert_int_equal(entity_encode(&request_context_entity, &who, &encoded), OK);
    assert_int_equal(arena_copy(d->arena, writer_view_of(&encoded), &q.who), OK);
    *ret = (struct change){.kind = APPROVE_EMERGENCY};
    sha256(q.name, ret->object);
    memcpy(ret->previous, q.nonce, 32);
    emergency_hash(q.seconds, who.reason, ret->next);
    return q;
}

static enum err emergency(struct eyes *e, const struct keeper_emergency *q)
{
    return desk_keeper(e->desk, KEEPER_EMERGENCY, q, NULL);
}

/* --- what he tries */

static void what_is_no_second_approval_changes_no_policy(void **state)
{
    struct eyes *e = *state;
    struct desk *d = e->desk;
    struct change c;
    struct keeper_credential_put q = put_of(e, LAX, &c);
    q.approval = approval_of(d, d->admin_seed, &c, RIGHT);
    for (size_t i = 0; i < ARRAY_LEN(spoilt); i++) {
        q.second = approval_of(d, bob, &c, spoilt[i].how);
        expect(put(e, &q), spoilt[i].error, spoilt[i].name);
    }
    q.second = q.approval;
    expect(put(e, &q), ERR_SAME_ADMINISTRATOR, "the same one twice");
    assert_int_equal(desk_load(d, &e->row), OK); /* what was in force still is */
    q.second = approval_of(d, bob, &c, RIGHT);
    expect(put(e, &q), OK, "both");
}

static void what_is_no_second_approval_releases_nothing(void **state)
{
    struct eyes *e = *state;
    struct desk *d = e->desk;
    struct change c;
    struct keeper_credential_freeze q = release_of(e, &c);
    freeze(e);
    q.approval = approval_of(d, d->admin_seed, &c, RIGHT);
    for (size_t i = 0; i < ARRAY_LEN(spoilt); i++) {
        q.second = approval_of(d, bob, &c, spoilt[i].how);
        expect(release(e, &q), spoilt[i].error, spoilt[i].name);
        assert_true(is_frozen(e));
    }
    q.has_approval = true; /* whatever the message says of it */
    q.second = (struct approval){0};
    expect(release(e, &q), ERR_SECOND_APPROVAL_NEEDED, "said to have one");
    q.second = approval_of(d, bob, &c, RIGHT);
    expect(release(e, &q), OK, "both");
    assert_false(is_frozen(e));
}

static void nobody_is_let_into_an_emergency_by_himself(void **state)
{
    struct eyes *e = *state;
    struct desk *d = e->desk;
    struct change c;
    struct keeper_emergency q = emergency_of(d, &(struct wish){"alice", "exchange down", 600, 1}, &c);
    for (size_t i = 0; i < ARRAY_LEN(spoilt); i++) {
        q.approval = approval_of(d, bob, &c, spoilt[i].how);
        enum err wanted = spoilt[i].how == MISSING ? ERR_APPROVAL_NEEDED : spoilt[i].error;
        expect(emergency(e, &q), wanted, spoilt[i].name);
    }
    q.approval = approval_of(d, bob, &c, RIGHT);
    expect(emergency(e, &q), OK, "bob's");
}

static void what_was_approved_is_nothing_else(void **state)
{
    struct eyes *e = *state;
    struct desk *d = e->desk;
    struct change approved, other;
    struct keeper_credential_put q = put_of(e, STRICT, &approved), lax = put_of(e, LAX, &other);
    lax.approval = q.approval = approval_of(d, d->admin_seed, &approved, RIGHT);
    lax.second = q.second = approval_of(d, bob, &approved, RIGHT);
    expect(put(e, &lax), ERR_APPROVAL_INVALID, "another policy");
    lax.second = approval_of(d, bob, &other, RIGHT);
    expect(put(e, &lax), ERR_APPROVAL_INVALID, "which one of them approved");
    q.second.expiry_ms += 1000;
    expect(put(e, &q), ERR_APPROVAL_INVALID, "an end that was put off");

    const struct wish wish = {"eve", "exchange down", 600, 1};
    const struct wish wishes[] = {{"dan", "exchange down", 600, 1},
                                  {"eve", "curious", 600, 1},
                                  {"eve", "exchange down", 14400, 1},
                                  {"eve", "exchange down", 600, 2}};
    static const char *const what[] = {"another user", "another reason", "a longer time", "another request"};
    (void)emergency_of(d, &wish, &approved);
    for (size_t i = 0; i < ARRAY_LEN(wishes); i++) {
        struct keeper_emergency w = emergency_of(d, &wishes[i], &other);
        w.approval = approval_of(d, bob, &approved, RIGHT);
        expect(emergency(e, &w), ERR_APPROVAL_INVALID, what[i]);
    }
}

static void what_was_approved_once_goes_once(void **state)
{
    struct eyes *e = *state;
    struct desk *d = e->desk;
    struct change c;
    struct keeper_credential_freeze r = release_of(e, &c);
    r.approval = approval_of(d, d->admin_seed, &c, RIGHT);
    r.second = approval_of(d, bob, &c, RIGHT);
    struct keeper_emergency w = emergency_of(d, &(struct wish){"eve", "exchange down", 600, 1}, &c);
    w.approval = approval_of(d, bob, &c, RIGHT);
    struct keeper_credential_put q = put_of(e, LAX, &c);
    q.approval = approval_of(d, d->admin_seed, &c, RIGHT);
    q.second = approval_of(d, bob, &c, RIGHT);
    freeze(e);
    expect(release(e, &r), OK, "release");
    expect(emergency(e, &w), OK, "emergency");
    expect(put(e, &q), OK, "put");
    desk_log_pending(d);
    freeze(e);
    for (int again = 0; again < 2; again++) {
        enum err released = release(e, &r); /* for another version now */
        assert_true(released == ERR_APPROVAL_STALE || released == ERR_APPROVAL_INVALID);
        assert_true(is_frozen(e));
        expect(emergency(e, &w), ERR_APPROVAL_STALE, "emergency again");
        enum err stored = put(e, &q);
        assert_true(stored == ERR_APPROVAL_STALE || stored == ERR_CONFLICT);
        power_cut(d);
    }
}

/* The same version, so that nothing but its having been used speaks against it. */
static void a_release_is_not_played_back(void **state)
{
    struct eyes *e = *state;
    struct desk *d = e->desk;
    struct change c;
    struct keeper_credential_freeze q = release_of(e, &c);
    q.approval = approval_of(d, d->admin_seed, &c, RIGHT);
    q.second = approval_of(d, bob, &c, RIGHT);
    freeze(e);
    expect(release(e, &q), OK, "release");
    freeze(e);
    expect(release(e, &q), ERR_APPROVAL_STALE, "again");
    power_cut(d);
    assert_true(is_frozen(e));
    expect(release(e, &q), ERR_APPROVAL_STALE, "after a power cut");
}

/* Even with what both have signed: these are the operator's, past the front. */
static void the_front_changes_neither_rule_nor_administrators(void **state)
{
    struct eyes *e = *state;
    struct desk *d = e->desk;
    struct keeper_four_eyes rule = rule_change(d, FOUR_EYES_ALL, 0);
    struct keeper_admin_change added = with_bob(d);
    struct keeper_rotate rotate = {0};
    struct keeper_status s = {0};
    expect(desk_keeper(d, KEEPER_FOUR_EYES, &rule, NULL), ERR_FORBIDDEN, "the rule");
    expect(desk_keeper(d, KEEPER_ADMIN_ADD, &added, NULL), ERR_FORBIDDEN, "an administrator");
    expect(desk_keeper(d, KEEPER_ROTATE, &rotate, NULL), ERR_FORBIDDEN, "data keys");
    assert_int_equal(desk_keeper(d, KEEPER_STATUS, NULL, &s), OK);
    assert_int_equal(s.four_eyes, FOUR_EYES_ALL);
    power_cut(d);
    assert_int_equal(desk_keeper(d, KEEPER_STATUS, NULL, &s), OK);
    assert_int_equal(s.four_eyes, FOUR_EYES_ALL);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(what_is_no_second_approval_changes_no_policy),
        T(what_is_no_second_approval_releases_nothing),
        T(nobody_is_let_into_an_emergency_by_himself),
        T(what_was_approved_is_nothing_else),
        T(what_was_approved_once_goes_once),
        T(a_release_is_not_played_back),
        T(the_front_changes_neither_rule_nor_administrators),
    };
    return cmocka_run_group_tests_name("four-eyes", tests, NULL, NULL);
}
