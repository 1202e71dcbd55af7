/* Every allocation of every message fails in turn. The keeper then says so, and is as it was before, or as it is
 * afterwards; asked again it does what was asked; and after a power cut it is one of the two as well. */
#include "../failing_alloc.h"
#include "chained.h"

#include "crypto/aead.h"
#include "keeper/core.h"

#define MOST 500 /* allocations of one message */

static const uint8_t zero[32];
static const uint8_t bob[32] = {5}; /* the seed of his key */
static size_t nth, failures;
static enum failing_alloc_how how;
static unsigned wrong; /* all of them are told, not only the first */

#define COMPLAIN(...) (wrong++, print_message("# " __VA_ARGS__), print_message("\n"))

static void around(bool begins)
{
    if (begins && nth > 0)
        failing_alloc_begin(nth, how);
    if (!begins)
        failures += failing_alloc_end();
}

struct scene {
    struct rig *r;
    struct offered first, second, kept, revoked, other;
    struct keeper_sealed row, value;
    struct leaf_chain signer;
    struct view root;
};

/* What can be seen of a keeper, and must be from before or from afterwards. */
struct snapshot {
    enum keeper_state state;
    uint32_t epoch;
    uint64_t log_size, waiting, next[2];
    uint8_t given, admins[32];
    enum err known[2];
    bool frozen[2];
    size_t token_keys;
};

static void look_at(const struct scene *s, size_t i, const struct offered *o, struct snapshot *n)
{
    struct keeper_credential_of q;
    struct keeper_credential_state state = {0};

    memcpy(q.id, o->d.id, 16);
    n->known[i] = rig_call(s->r, PEER_FRONT, KEEPER_CREDENTIAL_STATE, &q, &state);
    n->frozen[i] = state.frozen;
}

static struct snapshot look(const struct scene *s)
{
    struct snapshot n;
    struct keeper_status status = {0};
    struct administrators list = {0};
    struct keeper_cut cut;

    memset(&n, 0, sizeof n);
    assert_int_equal(rig_call(s->r, PEER_FRONT, KEEPER_STATUS, NULL, &status), OK);
    n.state = keeper_state_of(s->r->keeper);
    n.given = status.given;
    if (n.state != STATE_UNSEALED)
        return n;
    n.epoch = status.epoch;
    n.log_size = status.log_size;
    n.waiting = status.authored_waiting;
    keeper_cut_take(s->r->keeper, 0, &cut);
    memcpy(n.next, cut.sequence, sizeof n.next);
    assert_int_equal(rig_call(s->r, PEER_FRONT, KEEPER_ADMIN_LIST, NULL, &list), OK);
    memcpy(n.admins, list.hash, 32);
    look_at(s, 0, &s->first, &n);
    look_at(s, 1, &s->other, &n);
    n.token_keys = s->r->keeper->token_key_count; /* to ask for them would make one */
    return n;
}

static bool same(const struct snapshot *a, const struct snapshot *b)
{
    return a->state == b->state && a->epoch == b->epoch && a->log_size == b->log_size && a->waiting == b->waiting &&
           a->next[0] == b->next[0] && a->next[1] == b->next[1] && a->given == b->given &&
           memcmp(a->admins, b->admins, 32) == 0 && memcmp(a->known, b->known, sizeof a->known) == 0 &&
           memcmp(a->frozen, b->frozen, sizeof a->frozen) == 0 && a->token_keys == b->token_keys;
}

/* Whoever unseals twice skips the numbers that the first time had reserved. */
static bool same_but_numbers(struct snapshot a, const struct snapshot *b)
{
    memcpy(a.next, b->next, sizeof a.next);
    return same(&a, b);
}

/* Of that, what a power cut must not part. */
static bool same_durable(const struct snapshot *a, const struct snapshot *b)
{
    return a->epoch == b->epoch && memcmp(a->admins, b->admins, 32) == 0 &&
           memcmp(a->known, b->known, sizeof a->known) == 0 && memcmp(a->frozen, b->frozen, sizeof a->frozen) == 0 &&
           a->token_keys == b->token_keys;
}

/* --- a keeper with one credential, one secret, and a signer */

static void hello(struct scene *s)
{
    struct keeper_signer_welcome w = {0};

    assert_int_equal(rig_call(s->r, PEER_SIGNER, KEEPER_SIGNER_HELLO, NULL, &w), OK);
    s->signer = (struct leaf_chain){.author = AUTHOR_SIGNER, .next_sequence = w.next_sequence};
    memcpy(s->signer.previous, w.previous, 32);
    memcpy(s->signer.key, w.author_key, 32);
}

static void offer_all(struct scene *s)
{
    rig_offer(s->r, 2, "{\"a\":1}", &s->second);
    s->kept = s->revoked = s->first;
    s->kept.d.version = s->revoked.d.version = 2;
    s->kept.d.policy = VIEW_STR("{\"b\":1}");
    s->revoked.d.revoked = true;
    s->kept.box = s->revoked.box = (struct view){0};
    rig_encode(s->r, &s->kept);
    rig_encode(s->r, &s->revoked);
    rig_offer(s->r, 1, "{}", &s->other);
    memset(s->other.d.id, 9, 16);
    rig_encode(s->r, &s->other);
}

static void take_key(struct scene *s)
{
    const struct view root = secret_view(s->r->keeper->root);

    assert_int_equal(arena_copy(s->r->arena, root, &s->root), OK);
}

static void scene_fill(struct scene *s)
{
    struct keeper_secret_seal q = {.version = 1, .path = VIEW_STR("a"), .value = VIEW_STR("v")};
    struct keeper_unwrap first;
    struct keeper_unwrapped u;
    struct checkpoint c;

    chained_begin(s->r);
    rig_log_pending(s->r);
    rig_offer(s->r, 1, "{}", &s->first);
    assert_int_equal(rig_put(s->r, &s->first, zero, &s->row), OK);
    rig_log_pending(s->r);
    first = (struct keeper_unwrap){s->first.descriptor, s->row.sealed};
    assert_int_equal(rig_call(s->r, PEER_SIGNER, KEEPER_UNWRAP, &first, &u), OK);
    assert_int_equal(rig_call(s->r, PEER_FRONT, KEEPER_SECRET_SEAL, &q, &s->value), OK);
    assert_int_equal(rig_checkpoint(s->r, &c), OK);
    hello(s);
    offer_all(s);
    take_key(s);
}

/* --- what is done */

static enum err front(struct scene *s, uint16_t type, const void *q)
{
    return rig_call(s->r, PEER_FRONT, type, q, NULL);
}

static enum err operator(struct scene *s, uint16_t type, const void *q) {
    return rig_call(s->r, PEER_OPERATOR, type, q, NULL);
}

static enum err do_status(struct scene *s)
{
    return front(s, KEEPER_STATUS, NULL);
}

static enum err do_seal(struct scene *s)
{
    return operator(s, KEEPER_SEAL, NULL);
}

static enum err do_rotate(struct scene *s)
{
    return operator(s, KEEPER_ROTATE, &(struct keeper_rotate){0});
}

static enum err do_admin_list(struct scene *s)
{
    return operator(s, KEEPER_ADMIN_LIST, NULL);
}

static void admin_hashes(const struct keeper_admin_change *q, uint8_t object[static 32], uint8_t one[static 32],
                         uint8_t two[static 32], struct scene *s)
{
    struct admin admins[2] = {{.name = "alice"}};

    memcpy(admins[0].key, s->r->admin_key, 32);
    assert_int_equal(view_to_str(q->name, admins[1].name, sizeof admins[1].name), OK);
    memcpy(admins[1].key, q->key, 32);
    sha256(q->name, object);
    admins_hash(admins, 1, one);
    admins_hash(admins, 2, two);
}

static enum err do_admin_add(struct scene *s)
{
    struct keeper_admin_change q = {.name = VIEW_STR("bob"), .has_approval = true};
    uint8_t object[32], one[32], two[32];

    assert_int_equal(ed25519_public(bob, q.key), OK);
    admin_hashes(&q, object, one, two, s);
    q.approval = rig_approve(s->r, s->r->admin_seed, APPROVE_ADMIN_ADD, object, one, two);
    return operator(s, KEEPER_ADMIN_ADD, &q);
}

static enum err do_admin_remove(struct scene *s)
{
    struct keeper_admin_change q = {.name = VIEW_STR("bob"), .has_approval = true};
    uint8_t object[32], one[32], two[32];

    assert_int_equal(ed25519_public(bob, q.key), OK);
    admin_hashes(&q, object, one, two, s);
    q.approval = rig_approve(s->r, s->r->admin_seed, APPROVE_ADMIN_REMOVE, object, two, one);
    return operator(s, KEEPER_ADMIN_REMOVE, &q);
}

static enum err do_four_eyes(struct scene *s)
{
    struct keeper_four_eyes q = {.rule = FOUR_EYES_ALL};
    uint8_t object[32], off[32], on[32];

    sha256(VIEW_STR(FOUR_EYES_OBJECT), object);
    four_eyes_hash(0, off);
    four_eyes_hash(FOUR_EYES_ALL, on);
    q.approval = rig_approve(s->r, s->r->admin_seed, APPROVE_FOUR_EYES, object, off, on);
    q.second = rig_approve(s->r, bob, APPROVE_FOUR_EYES, object, off, on);
    return operator(s, KEEPER_FOUR_EYES, &q);
}

static enum err do_emergency(struct scene *s)
{
    struct request_context c = {.actor = VIEW_STR("user:eve"), .source = VIEW_STR("front"), .reason = VIEW_STR("down")};
    struct keeper_emergency q = {.name = VIEW_STR("eve"), .seconds = 600};
    AUTO_WRITER w = writer_new(4096);
    uint8_t object[32], next[32];

    assert_int_equal(entity_encode(&request_context_entity, &c, &w), OK);
    q.who = writer_view_of(&w);
    sha256(q.name, object);
    emergency_hash(q.seconds, c.reason, next);
    q.approval = rig_approve(s->r, s->r->admin_seed, APPROVE_EMERGENCY, object, q.nonce, next);
    return front(s, KEEPER_EMERGENCY, &q);
}

static enum err do_recover(struct scene *s)
{
    struct keeper_admin_change q = {.name = VIEW_STR("carol"), .replace_all = true, .key = {6}};

    q.shares = s->r->done.shares;
    if (q.shares.count == 0)
        q.passphrase = VIEW_STR(PASSPHRASE);
    return operator(s, KEEPER_ADMIN_ADD, &q);
}

static enum err do_enrol(struct scene *s)
{
    struct keeper_enrol q = {.name = VIEW_STR("alice"), .token = s->r->done.enrolment_token};

    return front(s, KEEPER_ENROL, &q);
}

static enum err do_hello(struct scene *s)
{
    struct keeper_hello q = {0};

    return front(s, KEEPER_HELLO, &q);
}

static enum err do_signer_hello(struct scene *s)
{
    return rig_call(s->r, PEER_SIGNER, KEEPER_SIGNER_HELLO, NULL, NULL);
}

static enum err do_signer_closed(struct scene *s)
{
    return rig_call(s->r, PEER_SIGNER, KEEPER_SIGNER_CLOSED, NULL, NULL);
}

static enum err do_pending(struct scene *s)
{
    struct keeper_pending_from q = {0};

    return front(s, KEEPER_PENDING, &q);
}

static enum err do_put_second(struct scene *s)
{
    return rig_put(s->r, &s->second, s->first.hash, NULL);
}

static enum err put_without_box(struct scene *s, const struct offered *o)
{
    struct keeper_credential_put q = {.descriptor = o->descriptor, .sealed = s->row.sealed};
    uint8_t object[32];

    memcpy(q.previous, s->first.hash, 32);
    sha256(VIEW_OF(o->d.id), object);
    q.approval = rig_approve(s->r, s->r->admin_seed, APPROVE_CREDENTIAL, object, q.previous, o->hash);
    return front(s, KEEPER_CREDENTIAL_PUT, &q);
}

static enum err do_put_kept(struct scene *s)
{
    return put_without_box(s, &s->kept);
}

static enum err do_revoke(struct scene *s)
{
    return put_without_box(s, &s->revoked);
}

static enum err do_put_other(struct scene *s)
{
    return rig_put(s->r, &s->other, zero, NULL);
}

static enum err set_frozen(struct scene *s, bool frozen)
{
    struct keeper_credential_freeze q = {.frozen = frozen, .descriptor = s->first.descriptor};
    uint8_t object[32];

    memcpy(q.id, s->first.d.id, 16);
    sha256(VIEW_OF(q.id), object);
    q.has_approval = !frozen;
    if (!frozen)
        q.approval = rig_approve(s->r, s->r->admin_seed, APPROVE_RELEASE, object, s->first.hash, s->first.hash);
    return front(s, KEEPER_CREDENTIAL_FREEZE, &q);
}

static enum err do_freeze(struct scene *s)
{
    return set_frozen(s, true);
}

static enum err do_release(struct scene *s)
{
    return set_frozen(s, false);
}

static enum err do_unwrap(struct scene *s)
{
    struct keeper_unwrap q = {s->first.descriptor, s->row.sealed};

    return rig_call(s->r, PEER_SIGNER, KEEPER_UNWRAP, &q, NULL);
}

/* The second version comes into force by being used. */
static enum err do_unwrap_second(struct scene *s)
{
    struct keeper_unwrap q = {s->kept.descriptor, s->row.sealed};

    return rig_call(s->r, PEER_SIGNER, KEEPER_UNWRAP, &q, NULL);
}

static enum err do_rewrap(struct scene *s)
{
    struct keeper_unwrap q = {s->first.descriptor, s->row.sealed};

    return front(s, KEEPER_CREDENTIAL_REWRAP, &q);
}

static enum err do_secret_seal(struct scene *s)
{
    struct keeper_secret_seal q = {.version = 1, .path = VIEW_STR("b"), .value = VIEW_STR("w")};

    return front(s, KEEPER_SECRET_SEAL, &q);
}

static enum err do_secret_open(struct scene *s)
{
    struct keeper_secret_open q = {.version = 1, .path = VIEW_STR("a"), .sealed = s->value.sealed};

    return front(s, KEEPER_SECRET_OPEN, &q);
}

static enum err do_secret_rewrap(struct scene *s)
{
    struct keeper_rewrap q = {.version = 1, .path = VIEW_STR("a"), .sealed = s->value.sealed};

    return front(s, KEEPER_SECRET_REWRAP, &q);
}

static enum err do_reserve(struct scene *s)
{
    struct window_mark marks[1] = {{.start_ms = 1, .orders = 7}};
    struct keeper_reserve q = {.nonce_mark_ms = s->r->wall_ms + 15000, .has_credential = true, .windows = {marks, 1}};

    memcpy(q.id, s->first.d.id, 16);
    return rig_call(s->r, PEER_SIGNER, KEEPER_RESERVE, &q, NULL);
}

/* A leaf of the front's own. */
static enum err do_append(struct scene *s)
{
    struct leaf_chain chain = {.author = AUTHOR_FRONT};
    struct record r = {.type = EVENT_SECRET_READ, .outcome = OUTCOME_DONE, .who.actor = VIEW_STR("user:a")};
    struct authored_record a = {0};
    struct keeper_status status = {0};
    void (*held)(bool) = s->r->around;

    s->r->around = NULL;
    assert_int_equal(rig_call(s->r, PEER_FRONT, KEEPER_STATUS, NULL, &status), OK);
    s->r->around = held;
    assert_int_equal(leaf_author(&chain, &r, NULL, 0, s->r->wall_ms, random_system(), s->r->arena, &a), OK);
    return rig_append(s->r, status.log_size, &a.leaf, 1);
}

static enum err do_checkpoint(struct scene *s)
{
    AUTO_WRITER w = writer_new(16384);
    enum err e;

    s->r->around(true);
    e = keeper_checkpoint_sign(s->r->keeper, &w);
    s->r->around(false);
    return e;
}

static enum err do_unseal(struct scene *s)
{
    struct keeper_unseal q = {.passphrase = VIEW_STR(PASSPHRASE)};

    if (s->r->done.shares.count)
        q.share = s->r->done.shares.items[0];
    return operator(s, KEEPER_UNSEAL, &q);
}

static enum err do_import(struct scene *s)
{
    enum err e;

    s->r->around(true);
    e = keeper_import(s->r->keeper, s->root);
    s->r->around(false);
    return e;
}

static enum err do_export(struct scene *s)
{
    AUTO_WRITER w = writer_new(64);
    enum err e;

    s->r->around(true);
    e = keeper_export(s->r->keeper, &w);
    s->r->around(false);
    if (e == OK && !view_eq(writer_view_of(&w), s->root))
        COMPLAIN("it gave away another key");
    return e;
}

static enum err do_stop(struct scene *s)
{
    s->r->around(true);
    keeper_stop(s->r->keeper);
    s->r->around(false);
    return OK;
}

static enum err do_token_sign(struct scene *s)
{
    struct keeper_token_sign q = {.subject = VIEW_STR("user:alice"), .audience = VIEW_STR("desk"), .seconds = 60};

    return front(s, KEEPER_TOKEN_SIGN, &q);
}

static enum err do_token_keys(struct scene *s)
{
    return front(s, KEEPER_TOKEN_KEYS, NULL);
}

static enum err do_tokens_rotate(struct scene *s)
{
    return operator(s, KEEPER_TOKENS_ROTATE, &(struct keeper_tokens_rotate){.drop = false});
}

static enum err do_tokens_drop(struct scene *s)
{
    return operator(s, KEEPER_TOKENS_ROTATE, &(struct keeper_tokens_rotate){.drop = true});
}

/* --- what has to be before */

static void sealed(struct scene *s)
{
    s->r->around = NULL;
    rig_restart(s->r);
}

static void with_bob(struct scene *s)
{
    assert_int_equal(do_admin_add(s), OK);
}

static void frozen(struct scene *s)
{
    assert_int_equal(do_freeze(s), OK);
}

static void changed(struct scene *s)
{
    assert_int_equal(do_put_kept(s), OK);
}

static void rotated(struct scene *s)
{
    assert_int_equal(do_token_sign(s), OK);
    assert_int_equal(do_tokens_rotate(s), OK);
    assert_int_equal(do_token_sign(s), OK);
}

static const struct step {
    const char *name;
    enum err (*act)(struct scene *s);
    void (*before)(struct scene *s);
    bool passphrase;
} steps[] = {
    {"status", do_status, NULL, false},
    {"seal", do_seal, NULL, false},
    {"rotate", do_rotate, NULL, false},
    {"admin list", do_admin_list, NULL, false},
    {"admin add", do_admin_add, NULL, false},
    {"admin remove", do_admin_remove, with_bob, false},
    {"four eyes", do_four_eyes, with_bob, false},
    {"emergency", do_emergency, NULL, false},
    {"recover by share", do_recover, NULL, false},
    {"recover by passphrase", do_recover, NULL, true},
    {"enrol", do_enrol, NULL, false},
    {"hello", do_hello, NULL, false},
    {"signer hello", do_signer_hello, NULL, false},
    {"signer closed", do_signer_closed, NULL, false},
    {"pending", do_pending, frozen, false},
    {"put", do_put_second, NULL, false},
    {"put, the bundle kept", do_put_kept, NULL, false},
    {"put, a new one", do_put_other, NULL, false},
    {"put on what is pending", do_put_other, changed, false},
    {"revoke", do_revoke, NULL, false},
    {"freeze", do_freeze, NULL, false},
    {"release", do_release, frozen, false},
    {"unwrap", do_unwrap, NULL, false},
    {"unwrap what is pending", do_unwrap_second, changed, false},
    {"rewrap a credential", do_rewrap, NULL, false},
    {"seal a secret", do_secret_seal, NULL, false},
    {"open a secret", do_secret_open, NULL, false},
    {"rewrap a secret", do_secret_rewrap, NULL, false},
    {"reserve", do_reserve, NULL, false},
    {"append", do_append, NULL, false},
    {"checkpoint", do_checkpoint, NULL, false},
    {"make the first token key", do_token_keys, NULL, false},
    {"sign a token", do_token_sign, rotated, false},
    {"token keys", do_token_keys, rotated, false},
    {"rotate token keys", do_tokens_rotate, rotated, false},
    {"end all tokens", do_tokens_drop, rotated, false},
    {"unseal by share", do_unseal, sealed, false},
    {"unseal by passphrase", do_unseal, sealed, true},
    {"take over", do_import, sealed, false},
    {"hand over", do_export, NULL, false},
    {"stop", do_stop, NULL, false},
};

static void scene_begin(struct scene *s, const struct step *step)
{
    *s = (struct scene){.r = rig_new()};
    if (step->passphrase)
        rig_init_passphrase(s->r);
    else
        rig_init_shares(s->r, 1, 1);
    scene_fill(s);
    nth = failures = 0;
    s->r->around = around;
    if (step->before)
        step->before(s);
    s->r->around = NULL;
}

static enum err act(struct scene *s, const struct step *step, size_t at)
{
    enum err e;

    nth = at;
    failures = 0;
    s->r->around = around;
    s->r->events[KEEPER_EVENT_PENDING] = 0;
    e = step->act(s);
    s->r->around = NULL;
    nth = 0;
    return e;
}

/* What a power cut leaves; and all of it can be logged and signed. */
static struct snapshot after_power_cut(struct scene *s, const char *name)
{
    struct snapshot n;
    struct checkpoint c;

    rig_restart(s->r);
    if (do_unseal(s) != OK)
        COMPLAIN("%s: the anchor does not open", name);
    n = look(s);
    rig_log_pending(s->r);
    if (rig_checkpoint(s->r, &c) != OK)
        COMPLAIN("%s: no checkpoint can be signed any more", name);
    chained_end(s->r);
    return n;
}

struct expected {
    struct snapshot before, after, before_durable, after_durable;
};

static void expect(const struct step *step, struct expected *x)
{
    struct scene s;

    scene_begin(&s, step);
    x->before = look(&s);
    assert_int_equal(act(&s, step, 0), OK);
    x->after = look(&s);
    x->after_durable = after_power_cut(&s, step->name);
    rig_free(s.r);
    scene_begin(&s, step);
    x->before_durable = after_power_cut(&s, step->name);
    rig_free(s.r);
}

static bool check_now(const struct step *step, size_t at, enum err e, const struct scene *s, const struct expected *x)
{
    struct snapshot seen = look(s), *now = &seen;
    bool before = same(now, &x->before), after = same(now, &x->after);

    if (e != OK && e != ERR_NO_MEMORY)
        COMPLAIN("%s, allocation %zu: %s", step->name, at, err_code(e));
    if (!(e == OK ? after : before || after))
        COMPLAIN("%s, allocation %zu (%s) left half of it behind", step->name, at, err_code(e));
    if (e != OK && !before && x->after.waiting > x->before.waiting && s->r->events[KEEPER_EVENT_PENDING] == 0)
        COMPLAIN("%s, allocation %zu: nobody is told to fetch the record", step->name, at);
    return before;
}

/* False when there was no n-th allocation. */
static bool fails_and_is_asked_again(const struct step *step, size_t at, const struct expected *x)
{
    struct scene s;
    struct snapshot now;
    enum err e;
    bool any;

    scene_begin(&s, step);
    how = FAILING_ONE;
    e = act(&s, step, at);
    any = failures > 0;
    if (check_now(step, at, e, &s, x) && e != OK) {
        e = act(&s, step, 0);
        if (e != OK)
            COMPLAIN("%s, asked again after allocation %zu: %s", step->name, at, err_code(e));
        now = look(&s);
        if (x->before.state == STATE_SEALED ? !same_but_numbers(now, &x->after) : !same(&now, &x->after))
            COMPLAIN("%s, asked again after allocation %zu, did something else", step->name, at);
    }
    now = after_power_cut(&s, step->name);
    if (!same_durable(&now, &x->after_durable))
        COMPLAIN("%s, after allocation %zu: a power cut brought back something else", step->name, at);
    rig_free(s.r);
    return any;
}

static void fails_and_loses_power(const struct step *step, size_t at, const struct expected *x)
{
    struct scene s;
    struct snapshot now;
    enum err e;

    scene_begin(&s, step);
    how = FAILING_REST;
    e = act(&s, step, at);
    (void)check_now(step, at, e, &s, x);
    now = after_power_cut(&s, step->name);
    if (!same_durable(&now, &x->after_durable) && !same_durable(&now, &x->before_durable))
        COMPLAIN("%s, from allocation %zu on: a power cut left half of it behind", step->name, at);
    rig_free(s.r);
}

static void each_allocation_of_each_message_may_fail(void **state)
{
    struct expected x;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(steps); i++) {
        size_t at = 1;
        expect(&steps[i], &x);
        for (; fails_and_is_asked_again(&steps[i], at, &x); at++) {
            assert_true(at < MOST);
            fails_and_loses_power(&steps[i], at, &x);
        }
        print_message("# %s: %zu allocations\n", steps[i].name, at - 1);
    }
    assert_int_equal(wrong, 0);
}

/* --- before there is a keeper */

static enum err init(struct rig *r, enum unseal_method method)
{
    struct keeper_init q = {.method = (uint8_t)method,
                            .passphrase = VIEW_STR(PASSPHRASE),
                            .threshold = 1,
                            .shares = 1,
                            .cipher = AEAD_XAES_256_GCM,
                            .administrator = VIEW_STR("alice"),
                            .argon2_passes = 1,
                            .argon2_memory_kib = 8192};

    memcpy(q.administrator_key, r->admin_key, 32);
    return rig_call(r, PEER_OPERATOR, KEEPER_INIT, &q, &r->done);
}

static enum err confirm(struct rig *r)
{
    struct keeper_init_confirm q;

    memcpy(q.installation, r->done.installation, sizeof q.installation);
    return rig_call(r, PEER_OPERATOR, KEEPER_INIT_CONFIRM, &q, NULL);
}

static bool confirm_fails(size_t at, enum failing_alloc_how which)
{
    struct rig *r = rig_new();
    enum err e;

    assert_int_equal(init(r, UNSEAL_SHARES), OK);
    nth = at;
    how = which;
    failures = 0;
    r->around = around;
    e = confirm(r);
    r->around = NULL;
    nth = 0;
    assert_true(e == OK || e == ERR_NO_MEMORY);
    if (e != OK) {
        assert_int_equal(keeper_state_of(r->keeper), STATE_UNINITIALISED);
        e = confirm(r); /* either it is there still, or what was shown is void */
        if (e == ERR_CONFLICT) {
            assert_int_equal(init(r, UNSEAL_SHARES), OK);
            e = confirm(r);
        }
        assert_int_equal(e, OK);
    }
    assert_int_equal(keeper_state_of(r->keeper), STATE_UNSEALED);
    rig_restart(r);
    assert_int_equal(keeper_state_of(r->keeper), STATE_SEALED);
    rig_free(r);
    return failures > 0;
}

static bool init_fails(enum unseal_method method, size_t at, enum failing_alloc_how which)
{
    struct rig *r = rig_new();
    enum err e;

    nth = at;
    how = which;
    failures = 0;
    r->around = around;
    e = init(r, method);
    r->around = NULL;
    nth = 0;
    assert_true(e == OK || e == ERR_NO_MEMORY);
    assert_int_equal(keeper_state_of(r->keeper), STATE_UNINITIALISED);
    if (e != OK)
        assert_int_equal(init(r, method), OK);
    assert_int_equal(confirm(r), OK);
    assert_int_equal(keeper_state_of(r->keeper), STATE_UNSEALED);
    rig_restart(r);
    assert_int_equal(keeper_state_of(r->keeper), STATE_SEALED);
    rig_free(r);
    return failures > 0;
}

static void an_init_that_fails_can_be_made_again(void **state)
{
    (void)state;
    for (enum unseal_method method = UNSEAL_PASSPHRASE; method <= UNSEAL_SHARES; method++) {
        size_t at = 1;
        while (init_fails(method, at, FAILING_ONE))
            assert_true(init_fails(method, at++, FAILING_REST));
        assert_true(at > 5);
    }
    size_t at = 1;
    while (confirm_fails(at, FAILING_ONE))
        assert_true(confirm_fails(at++, FAILING_REST));
    assert_true(at > 5);
}

static void a_start_without_memory_is_an_error(void **state)
{
    struct rig *r = rig_new();
    struct keeper_config config = {.anchor_fd = r->fd, .clock = &r->clock, .random = random_system()};
    struct keeper *k = NULL;
    enum err e = ERR_NO_MEMORY;

    (void)state;
    rig_init_shares(r, 1, 1);
    for (size_t at = 1; e == ERR_NO_MEMORY; at++) {
        failing_alloc_begin(at, FAILING_ONE);
        e = keeper_new(&config, &k);
        assert_true((failing_alloc_end() > 0) == (e != OK));
    }
    assert_int_equal(e, OK);
    assert_int_equal(keeper_state_of(k), STATE_SEALED);
    keeper_free(k);
    rig_free(r);
}

/* --- a record of the signer, whose signature is out already */

static enum err do_authored(struct scene *s, struct authored_record *ret)
{
    struct record r = {.type = EVENT_REQUEST_SIGNED, .outcome = OUTCOME_DONE, .who.actor = VIEW_STR("key:x")};
    AUTO_WRITER w = writer_new(16384);
    struct keeper_authored q;

    assert_int_equal(leaf_author(&s->signer, &r, NULL, 0, s->r->wall_ms, random_system(), s->r->arena, ret), OK);
    assert_int_equal(entity_encode(&authored_record_entity, ret, &w), OK);
    q.authored = writer_view_of(&w);
    return rig_call(s->r, PEER_SIGNER, KEEPER_AUTHORED, &q, NULL);
}

static void log_as_the_front(struct scene *s, const struct authored_record *a)
{
    struct keeper_status status = {0};

    assert_int_equal(rig_call(s->r, PEER_FRONT, KEEPER_STATUS, NULL, &status), OK);
    assert_int_equal(rig_append(s->r, status.log_size, &a->leaf, 1), OK);
    chained_add(s->r, a);
}

static bool record_is_lost(size_t at, enum failing_alloc_how which)
{
    static const struct step step = {"authored", NULL, NULL, false};
    struct authored_record first, lost, next;
    struct scene s;
    struct checkpoint c;
    enum err e;

    scene_begin(&s, &step);
    assert_int_equal(do_authored(&s, &first), OK);
    nth = at;
    how = which;
    s.r->around = around;
    e = do_authored(&s, &lost);
    s.r->around = NULL;
    nth = 0;
    if (e != OK) {
        assert_int_equal(e, ERR_NO_MEMORY);
        assert_int_equal(keeper_state_of(s.r->keeper), STATE_SEALED); /* or its number would be given again */
        assert_int_equal(s.r->events[KEEPER_EVENT_SEALED], 1);
        assert_int_equal(do_unseal(&s), OK);
        hello(&s);
    }
    if (e != OK && which == FAILING_REST)
        log_as_the_front(&s, &first); /* nothing of it could be kept either */
    if (e != OK)
        log_as_the_front(&s, &lost); /* it had it from the signer's answer */
    assert_int_equal(do_authored(&s, &next), OK);
    rig_log_pending(s.r);
    assert_int_equal(rig_checkpoint(s.r, &c), OK);
    chained_end(s.r);
    rig_free(s.r);
    return failures > 0;
}

static void a_signature_whose_record_finds_no_memory_is_in_the_log_all_the_same(void **state)
{
    size_t at = 1;

    (void)state;
    while (record_is_lost(at, FAILING_ONE))
        assert_true(record_is_lost(at++, FAILING_REST));
    assert_true(at > 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_allocation_of_each_message_may_fail),
        cmocka_unit_test(an_init_that_fails_can_be_made_again),
        cmocka_unit_test(a_start_without_memory_is_an_error),
        cmocka_unit_test(a_signature_whose_record_finds_no_memory_is_in_the_log_all_the_same),
    };
    return cmocka_run_group_tests_name("keeper-memory", tests, NULL, NULL);
}
