/* Tokens, as a front that was taken over would ask for them. */
#include "rig.h"

#include "base/json.h"
#include "base/text.h"
#include "crypto/token_key.h"

#define START_MS 1790000000000u

static struct rig *unsealed(void)
{
    struct rig *r = rig_new();

    rig_init_passphrase(r);
    rig_log_pending(r);
    return r;
}

static struct keeper_token_sign ask_for(const char *subject, uint32_t seconds)
{
    return (struct keeper_token_sign){.subject = view_str(subject), .seconds = seconds};
}

static struct keeper_token_keys keys_of(struct rig *r)
{
    struct keeper_token_keys keys = {0};

    assert_int_equal(rig_call(r, PEER_FRONT, KEEPER_TOKEN_KEYS, NULL, &keys), OK);
    return keys;
}

static struct view part(struct rig *r, struct view token, unsigned which)
{
    AUTO_WRITER w = writer_new(4096);
    struct view out;
    size_t from = 0, end;

    for (; which > 0; from++)
        which -= token.ptr[from] == '.';
    for (end = from; end < token.len && token.ptr[end] != '.'; end++) {
    }
    assert_int_equal(base64url_get(VIEW(token.ptr + from, end - from), &w), OK);
    assert_int_equal(arena_copy(r->arena, writer_view_of(&w), &out), OK);
    return out;
}

static bool verifies(struct rig *r, const struct keeper_token_key *k, struct view token)
{
    struct token_public pub = {.alg = k->alg, .len = (uint16_t)k->public_key.len};
    size_t dot = token.len;

    memcpy(pub.bytes, k->public_key.ptr, k->public_key.len);
    while (token.ptr[--dot] != '.') {
    }
    return token_key_verify(&pub, VIEW(token.ptr, dot), part(r, token, 2)) == OK;
}

static json_int_t number(struct rig *r, struct view token, const char *claim)
{
    json_t *claims = json_loadb((const char *)part(r, token, 1).ptr, part(r, token, 1).len, 0, NULL);
    json_int_t n;

    assert_non_null(claims);
    n = json_integer_value(json_object_get(claims, claim));
    json_decref(claims);
    return n;
}

/* A stolen front asks for a year: it gets what the configuration allows. */
static void life_is_capped(void **state)
{
    struct rig *r = unsealed();
    struct keeper_token_sign q = ask_for("user:alice", 365u * 86400);
    struct keeper_token_signed t;
    struct keeper_token_keys keys;

    (void)state;
    assert_int_equal(rig_call(r, PEER_FRONT, KEEPER_TOKEN_SIGN, &q, &t), OK);
    assert_int_equal(number(r, t.token, "exp") - number(r, t.token, "iat"), 900);
    assert_int_equal(t.expires_ms - t.issued_ms, 900000);
    keys = keys_of(r);
    assert_int_equal(keys.keys.count, 1);
    assert_true(verifies(r, keys.keys.items, t.token));
    q.seconds = 30;
    assert_int_equal(rig_call(r, PEER_FRONT, KEEPER_TOKEN_SIGN, &q, &t), OK);
    assert_int_equal(number(r, t.token, "exp") - number(r, t.token, "iat"), 30);
    rig_free(r);
}

/* It asks for thousands at once: a bounded number is signed, more as minutes pass, and the clock going back gives
 * none. */
static void stock_is_bounded(void **state)
{
    struct rig *r = unsealed();
    struct keeper_token_sign q = ask_for("user:alice", 0);
    unsigned got = 0;

    (void)state;
    for (unsigned i = 0; i < 1000; i++)
        got += rig_call(r, PEER_FRONT, KEEPER_TOKEN_SIGN, &q, NULL) == OK;
    assert_int_equal(got, 200);
    assert_int_equal(rig_call(r, PEER_FRONT, KEEPER_TOKEN_SIGN, &q, NULL), ERR_BUSY);
    r->wall_ms += 1000;
    for (got = 0; rig_call(r, PEER_FRONT, KEEPER_TOKEN_SIGN, &q, NULL) == OK; got++) {
    }
    assert_int_equal(got, 10);
    r->wall_ms -= 100000;
    assert_int_equal(rig_call(r, PEER_FRONT, KEEPER_TOKEN_SIGN, &q, NULL), ERR_BUSY);
    r->wall_ms += 3600000u;
    for (got = 0; rig_call(r, PEER_FRONT, KEEPER_TOKEN_SIGN, &q, NULL) == OK; got++) {
    }
    assert_int_equal(got, 200);
    rig_free(r);
}

/* Each token has its record with the keeper before it leaves: no checkpoint can be had without it. */
static void no_token_without_a_record(void **state)
{
    struct rig *r = unsealed();
    struct keeper_token_sign q = ask_for("user:alice", 0);
    struct keeper_token_signed t;
    struct authored_record a;
    struct record_object what = {0};
    struct checkpoint c;
    struct leaf leaf;
    char id[33];
    struct writer w = writer_fixed(id, 32);

    (void)state;
    (void)keys_of(r);
    rig_log_pending(r);
    assert_int_equal(rig_checkpoint(r, &c), OK);
    assert_int_equal(rig_call(r, PEER_FRONT, KEEPER_TOKEN_SIGN, &q, &t), OK);
    assert_int_not_equal(rig_checkpoint(r, &c), OK);
    assert_int_equal(entity_decode(&authored_record_entity, t.authored, r->arena, &a), OK);
    assert_int_equal(leaf_decode(a.leaf, &leaf), OK);
    assert_int_equal(leaf.type, EVENT_TOKEN_ISSUED);
    assert_int_equal(leaf.author, AUTHOR_KEEPER);
    assert_int_equal(entity_decode(&record_object_entity, a.what, r->arena, &what), OK);
    hex_put(&w, VIEW_OF(t.id));
    assert_memory_equal(what.resource.ptr + 6, id, 32);
    assert_int_equal(rig_log_pending(r), 1);
    assert_int_equal(rig_checkpoint(r, &c), OK);
    rig_free(r);
}

/* What is asked for becomes no part of the header and no claim of its own. */
static void nothing_is_injected(void **state)
{
    struct rig *r = unsealed();
    struct keeper_token_sign q = ask_for("user:a\",\"exp\":9999999999,\"x\":\"", 60);
    struct keeper_token_signed t;

    (void)state;
    assert_int_equal(rig_call(r, PEER_FRONT, KEEPER_TOKEN_SIGN, &q, &t), OK);
    assert_int_equal(number(r, t.token, "exp"), START_MS / 1000 + 60);
    q.subject = VIEW_STR("administrator:alice");
    assert_int_equal(rig_call(r, PEER_FRONT, KEEPER_TOKEN_SIGN, &q, NULL), ERR_BAD_VALUE);
    q = ask_for("user:alice", 60);
    assert_int_equal(rig_call(r, PEER_SIGNER, KEEPER_TOKEN_SIGN, &q, NULL), ERR_FORBIDDEN);
    assert_int_equal(rig_call(r, PEER_OPERATOR, KEEPER_TOKEN_SIGN, &q, NULL), ERR_FORBIDDEN);
    rig_free(r);
}

/* Tokens of the former key go on until they end; then the key is no longer published, also after a restart. */
static void keys_overlap(void **state)
{
    struct rig *r = unsealed();
    struct keeper_token_sign q = ask_for("user:alice", 0);
    struct keeper_tokens_rotate rotate = {0};
    struct keeper_token_signed old, new;
    struct keeper_token_keys keys;
    const struct keeper_token_key *k;

    (void)state;
    assert_int_equal(rig_call(r, PEER_FRONT, KEEPER_TOKEN_SIGN, &q, &old), OK);
    assert_int_equal(rig_call(r, PEER_FRONT, KEEPER_TOKENS_ROTATE, &rotate, NULL), ERR_FORBIDDEN);
    assert_int_equal(rig_call(r, PEER_OPERATOR, KEEPER_TOKENS_ROTATE, &rotate, NULL), OK);
    assert_true(r->events[KEEPER_EVENT_TOKEN_KEYS] > 0);
    assert_int_equal(rig_call(r, PEER_FRONT, KEEPER_TOKEN_SIGN, &q, &new), OK);
    rig_restart(r);
    assert_int_equal(rig_unseal(r), OK);
    keys = keys_of(r);
    k = keys.keys.items;
    assert_int_equal(keys.keys.count, 2);
    assert_true(verifies(r, &k[0], old.token));
    assert_true(verifies(r, &k[1], new.token));
    assert_true(k[0].until_ms > old.expires_ms);
    r->wall_ms = k[0].until_ms;
    assert_int_equal(rig_call(r, PEER_OPERATOR, KEEPER_TOKENS_ROTATE, &rotate, &keys), OK);
    k = keys.keys.items;
    assert_int_equal(keys.keys.count, 2);
    assert_true(verifies(r, &k[0], new.token));
    rotate.drop = true;
    assert_int_equal(rig_call(r, PEER_OPERATOR, KEEPER_TOKENS_ROTATE, &rotate, &keys), OK);
    assert_int_equal(keys.keys.count, 1);
    assert_false(verifies(r, keys.keys.items, new.token));
    rig_free(r);
}

/* An old key is replaced by itself; too many rotations don't end tokens that are good. */
static void age_replaces_the_key(void **state)
{
    struct rig *r = unsealed();
    struct keeper_token_sign q = ask_for("key:abc", 0);
    struct keeper_tokens_rotate rotate = {0};
    struct keeper_token_keys keys;

    (void)state;
    assert_int_equal(keys_of(r).keys.count, 1);
    r->wall_ms += 30ull * 86400000 - 1;
    assert_int_equal(keys_of(r).keys.count, 1);
    r->wall_ms += 1;
    assert_int_equal(rig_call(r, PEER_FRONT, KEEPER_TOKEN_SIGN, &q, NULL), OK);
    keys = keys_of(r);
    assert_int_equal(keys.keys.count, 2);
    assert_true(((struct keeper_token_key *)keys.keys.items)[0].until_ms > r->wall_ms + 900000);
    for (unsigned i = 2; i < TOKEN_KEYS_MAX; i++)
        assert_int_equal(rig_call(r, PEER_OPERATOR, KEEPER_TOKENS_ROTATE, &rotate, NULL), OK);
    assert_int_equal(rig_call(r, PEER_OPERATOR, KEEPER_TOKENS_ROTATE, &rotate, NULL), ERR_LIMIT_REACHED);
    assert_int_equal(rig_call(r, PEER_FRONT, KEEPER_TOKEN_SIGN, &q, NULL), OK);
    rig_free(r);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(life_is_capped),
        cmocka_unit_test(stock_is_bounded),
        cmocka_unit_test(no_token_without_a_record),
        cmocka_unit_test(nothing_is_injected),
        cmocka_unit_test(keys_overlap),
        cmocka_unit_test(age_replaces_the_key),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
