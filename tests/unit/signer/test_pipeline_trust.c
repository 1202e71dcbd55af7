/* What somebody who owns the front can't make the signer believe: proofs, nonces, room in the record. */
#include "pipeline_rig.h"

static void prove(struct desk *d, struct signer_sign *q, const uint8_t seed[static 32], const char *nonce,
                  uint8_t sig[static 64])
{
    AUTO_WRITER text = writer_new(8192);

    q->proof_time_ms = d->wall_ms;
    q->proof_nonce = view_str(nonce);
    assert_int_equal(signer_proof_text(q, &text), OK);
    assert_int_equal(ed25519_sign(seed, writer_view_of(&text), sig), OK);
    q->proof = VIEW(sig, 64);
}

static void front_says_other_actor(struct desk *d, struct signer_sign *q, char *memory, size_t cap)
{
    struct request_context c = {.actor = VIEW_STR("user:eve"), .source = VIEW_STR("192.0.2.1")};
    struct writer w = writer_fixed(memory, cap);

    (void)d;
    assert_int_equal(entity_encode(&request_context_entity, &c, &w), OK);
    q->who = writer_view_of(&w);
}

/* The record names the one whose key verified. */
static bool proven_actor(struct desk *d, const char *actor)
{
    struct authored_record a = {0};
    struct request_context c = {0};

    assert_int_equal(entity_decode(&authored_record_entity, d->last, d->arena, &a), OK);
    assert_int_equal(entity_decode(&request_context_entity, a.who, d->arena, &c), OK);
    return c.proof && view_is(c.actor, actor);
}

static void nonces_go_on_after_a_change_of_policy(void **state)
{
    struct desk *d = *state;
    struct signer_sign q = order(d);
    struct signer_signed out;
    struct keeper_event_credential e = {.version = 2};
    struct given g = binance;
    uint64_t last;

    assert_int_equal(load(d, &g, NULL, 0), OK);
    for (int i = 0; i < 5; i++) /* all in one millisecond */
        assert_int_equal(run(d, &q, &out), OK);
    last = out.nonce;
    memcpy(e.id, d->id, 16);
    signer_changed(d->signer, &e);
    g.version = 2;
    assert_int_equal(load(d, &g, NULL, 0), OK);
    assert_int_equal(run(d, &q, &out), OK);
    assert_true(out.nonce > last);
}

static void nothing_is_signed_that_the_keeper_has_no_room_for(void **state)
{
    struct desk *d = *state;
    struct signer_sign q = order(d);
    struct signer_signed out;
    struct keeper_signer_welcome again = {.next_sequence = 5, .sequence_limit = 7};

    signer_sealed(d->signer);
    signer_welcome(d->signer, &again);
    assert_int_equal(load(d, &binance, NULL, 0), OK);
    decides(d, &q, "ok");
    decides(d, &q, "ok");
    assert_int_equal(run(d, &q, &out), ERR_LOG_BEHIND);
    assert_int_equal(out.signature.len, 0);
    assert_int_equal(d->authored, 2);
    signer_room(d->signer, 8);
    decides(d, &q, "ok");
}

static void a_jump_of_the_clock_is_recorded_also_if_not_at_once(void **state)
{
    struct desk *d = *state;
    struct signer_sign q = order(d);
    struct signer_signed out;
    size_t before;

    assert_int_equal(load(d, &binance, NULL, 0), OK);
    decides(d, &q, "ok");
    d->wall_ms += 3600000;
    d->authored_result = ERR_BUSY;
    assert_int_equal(run(d, &q, &out), ERR_BUSY);
    d->authored_result = OK;
    before = d->authored;
    decides(d, &q, "clock-jumped");
    assert_int_equal(d->authored, before + 2); /* the jump, and the refusal */
}

/* "Nobody can hide that he tried": the record must not fail because of what the request says. */
static void a_refusal_of_the_strangest_request_is_recorded(void **state)
{
    struct desk *d = *state;
    struct signer_sign q = order(d);
    struct signer_signed out;
    char path[1024];

    assert_int_equal(load(d, &binance, NULL, 0), OK);
    memset(path, 1, sizeof path);
    q.request_path = VIEW_OF(path);
    q.method = VIEW("\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01", 10);
    assert_int_equal(run(d, &q, &out), OK);
    assert_false(view_is(out.decision, "ok"));
    assert_int_equal(d->authored, 1);
}

static void a_bot_proves_itself(void **state)
{
    struct desk *d = *state;
    struct signer_sign q = order(d), bent;
    struct given g = binance;
    uint8_t seed[32] = {4}, key[32], sig[64], other[64];
    char hex[65] = "", policy[512], who[512];
    struct writer w = writer_fixed(hex, 64);
    struct keeper_event_credential e = {.version = 2};

    assert_int_equal(ed25519_public(seed, key), OK);
    hex_put(&w, VIEW_OF(key));
    snprintf(policy, sizeof policy,
             "{" CLASSES ",\"proof\":{\"required\":true,\"keys\":[{\"bot\":\"key:bot\",\"key\":\"%s\"}]}}", hex);
    g.policy = policy;
    assert_int_equal(load(d, &g, NULL, 0), OK);
    decides(d, &q, "proof-needed");
    prove(d, &q, seed, "n0", sig);
    decides(d, &q, "proof-invalid"); /* perhaps it was used before this process began */
    d->wall_ms += 6000;
    d->mono_ms += 6000;
    prove(d, &q, seed, "n1", sig);
    bent = q;
    bent.path = VIEW_STR("exchange/other"); /* led to another credential */
    prove(d, &bent, seed, "n1", other);
    decides(d, &bent, "proof-invalid");
    bent = q;
    bent.body = VIEW_STR("symbol=LTCBTC&side=SELL&type=LIMIT&timeInForce=GTC&quantity=1&price=0.1");
    decides(d, &bent, "proof-invalid");
    bent = q;
    bent.bot = VIEW_STR("key:other");
    decides(d, &bent, "proof-invalid");
    front_says_other_actor(d, &q, who, sizeof who);
    decides(d, &q, "ok");
    assert_true(proven_actor(d, "key:bot"));
    decides(d, &q, "proof-invalid"); /* once */
    memcpy(e.id, d->id, 16);
    signer_changed(d->signer, &e);
    g.version = 2;
    assert_int_equal(load(d, &g, NULL, 0), OK);
    decides(d, &q, "proof-invalid"); /* also when the policy has changed since */
    prove(d, &q, seed, "n2", sig);
    d->wall_ms += 31000;
    d->mono_ms += 31000;
    decides(d, &q, "proof-invalid"); /* and for 30 seconds */
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, pipeline_setup, pipeline_teardown)
    const struct CMUnitTest tests[] = {
        T(nonces_go_on_after_a_change_of_policy),
        T(nothing_is_signed_that_the_keeper_has_no_room_for),
        T(a_jump_of_the_clock_is_recorded_also_if_not_at_once),
        T(a_refusal_of_the_strangest_request_is_recorded),
        T(a_bot_proves_itself),
    };
    return cmocka_run_group_tests_name("signer-pipeline-trust", tests, NULL, NULL);
}
