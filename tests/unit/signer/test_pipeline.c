/* The signer from message to answer, with real venue files: what a bot meets, and what somebody who owns the front
 * can't. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/text.h"
#include "crypto/sign.h"
#include "signer/signer.h"

/* Calls that require no parameter are formed by every Binance signature; an administrator has to accept them. */
#define CLASSES                                                                                                        \
    "\"classes\":[\"read\",\"cancel\",\"order\"],\"exceptions\":["                                                     \
    "{\"endpoint\":\"* /sapi/*\",\"class\":\"transfer\",\"reason\":\"the key has no such right\"},"                    \
    "{\"endpoint\":\"* /papi/*\",\"class\":\"transfer\",\"reason\":\"the key has no such right\"}]"
#define POLICY "{" CLASSES ",\"symbols\":[\"LTCBTC\"],\"windows\":[{\"seconds\":3600,\"orders\":32}]}"
#define ORDER  "symbol=LTCBTC&side=BUY&type=LIMIT&timeInForce=GTC&quantity=1&price=0.1"

struct desk {
    struct signer *signer;
    uint64_t wall_ms, mono_ms;
    struct clock clock;
    struct arena *arena;
    size_t authored, reserves;
    enum err authored_result;
    struct view last;
    struct keeper_reserve asked;
    uint8_t id[16];
    struct problem why;
};

static uint64_t wall(const struct clock *c)
{
    return ((const struct desk *)c->context)->wall_ms;
}

static uint64_t mono(const struct clock *c)
{
    return ((const struct desk *)c->context)->mono_ms;
}

static enum err authored(void *context, struct view bytes)
{
    struct desk *d = context;

    if (d->authored_result != OK)
        return d->authored_result;
    d->authored++;
    return arena_copy(d->arena, bytes, &d->last);
}

static enum err reserve(void *context, const struct keeper_reserve *marks)
{
    struct desk *d = context;

    d->reserves++;
    d->asked = *marks;
    return OK;
}

static void add_venue(struct desk *d, const char *name)
{
    char path[4096], text[262144];
    const char *root = getenv("HOLDFAST_SOURCE");
    struct venue *v;
    size_t n;
    FILE *f;

    assert_non_null(root);
    snprintf(path, sizeof path, "%s/spec/venues/%s.yaml", root, name);
    f = fopen(path, "rb");
    assert_non_null(f);
    n = fread(text, 1, sizeof text, f);
    fclose(f);
    assert_int_equal(venue_parse(path, VIEW(text, n), &v, &d->why), OK);
    assert_int_equal(signer_add_venue(d->signer, v), OK);
}

static int setup(void **state)
{
    struct desk *d = calloc(1, sizeof *d);
    struct signer_config config = {
        .clock = &d->clock, .random = random_system(), .authored = authored, .reserve = reserve, .context = d};
    struct keeper_signer_welcome welcome = {.next_sequence = 1};
    bool locked;

    assert_int_equal(crypto_init(&locked), OK);
    assert_int_equal(crypto_pk_init(), OK);
    d->wall_ms = 1790000000000u;
    d->mono_ms = 1000;
    d->clock = (struct clock){.wall_ms = wall, .mono_ms = mono, .context = d};
    assert_int_equal(arena_new(1u << 16, 64u << 20, &d->arena), OK);
    assert_int_equal(signer_new(&config, &d->signer), OK);
    add_venue(d, "binance");
    add_venue(d, "hyperliquid");
    signer_welcome(d->signer, &welcome);
    memset(d->id, 5, sizeof d->id);
    *state = d;
    return 0;
}

static int teardown(void **state)
{
    struct desk *d = *state;

    signer_free(d->signer);
    arena_free(d->arena);
    free(d);
    return 0;
}

struct given {
    const char *venue, *scheme, *policy, *secret;
    uint64_t version;
    bool frozen;
};
static const struct given binance = {.venue = "binance",
                                     .scheme = "binance-hmac",
                                     .policy = POLICY,
                                     .version = 1,
                                     .secret = "NhqPtmdSJYdKjVHjA7PZj4Mge3R5YNiP1e3UZjInClVN65XAbvqqM6A7H5fATj0j"};

static enum err load(struct desk *d, const struct given *g, const struct window_mark *marks, size_t count)
{
    struct credential_descriptor c = {.version = g->version,
                                      .path = VIEW_STR("exchange/main"),
                                      .venue = view_str(g->venue),
                                      .scheme = view_str(g->scheme),
                                      .policy = view_str(g->policy)};
    struct credential_bundle b = {.api_key = view_str(strcmp(g->venue, "hyperliquid") == 0 ? "" : "the-key-id"),
                                  .secret = view_str(g->secret)};
    AUTO_WRITER descriptor = writer_new(32768), bundle = writer_new(4096);
    struct keeper_unwrapped u = {.frozen = g->frozen, .windows = {(void *)(uintptr_t)marks, count}};

    memcpy(c.id, d->id, 16);
    assert_int_equal(entity_encode(&credential_descriptor_entity, &c, &descriptor), OK);
    assert_int_equal(entity_encode(&credential_bundle_entity, &b, &bundle), OK);
    u.bundle = writer_view_of(&bundle);
    return signer_load(d->signer, writer_view_of(&descriptor), &u, &d->why);
}

static struct signer_sign order(const struct desk *d)
{
    struct signer_sign q = {.method = VIEW_STR("POST"),
                            .request_path = VIEW_STR("/api/v3/order"),
                            .body = VIEW_STR(ORDER),
                            .bot = VIEW_STR("key:bot")};

    memcpy(q.id, d->id, 16);
    return q;
}

static enum err run(struct desk *d, const struct signer_sign *q, struct signer_signed *ret)
{
    enum signer_outcome outcome = SIGNER_WAIT;
    enum err e = OK;

    for (int tries = 0; tries < 4 && e == OK && outcome == SIGNER_WAIT; tries++) {
        memset(ret, 0, sizeof *ret);
        e = signer_sign(d->signer, q, d->arena, ret, &outcome, &d->why);
        if (d->asked.nonce_mark_ms) {
            signer_reserved(d->signer, OK);
            d->asked = (struct keeper_reserve){0};
        }
    }
    assert_true(e != OK || outcome == SIGNER_ANSWER);
    return e;
}

static void decides(struct desk *d, const struct signer_sign *q, const char *decision)
{
    struct signer_signed out;

    assert_int_equal(run(d, q, &out), OK);
    if (!view_is(out.decision, decision))
        fail_msg("%.*s, should be %s: %.*s", (int)out.decision.len, out.decision.ptr, decision, (int)out.sentence.len,
                 out.sentence.ptr);
    if (strcmp(decision, "ok") != 0)
        assert_int_equal(out.signature.len, 0);
}

static void an_order_is_signed_and_recorded(void **state)
{
    struct desk *d = *state;
    struct signer_sign q = order(d);
    struct signer_signed out;
    struct authored_record a = {0};
    struct leaf leaf;

    assert_int_equal(load(d, &binance, NULL, 0), OK);
    assert_int_equal(run(d, &q, &out), OK);
    assert_true(view_is(out.decision, "ok"));
    assert_true(out.signature.len == 64);
    assert_int_equal(d->authored, 1);
    assert_int_equal(entity_decode(&authored_record_entity, out.authored, d->arena, &a), OK);
    assert_int_equal(leaf_check_fields(&a), OK);
    assert_int_equal(leaf_decode(a.leaf, &leaf), OK);
    assert_int_equal(leaf.type, EVENT_REQUEST_SIGNED);
}

static void a_withdrawal_is_refused_and_recorded(void **state)
{
    struct desk *d = *state;
    struct signer_sign q = order(d);

    assert_int_equal(load(d, &binance, NULL, 0), OK);
    q.request_path = VIEW_STR("/sapi/v1/capital/withdraw/apply");
    q.body = VIEW_STR("coin=BTC&address=abc&amount=1");
    decides(d, &q, "moves-funds");
    assert_int_equal(d->authored, 1);
}

static void nothing_is_released_when_the_record_can_not_leave(void **state)
{
    struct desk *d = *state;
    struct signer_sign q = order(d);
    struct signer_signed out;

    assert_int_equal(load(d, &binance, NULL, 0), OK);
    d->authored_result = ERR_BUSY;
    assert_int_equal(run(d, &q, &out), ERR_BUSY);
    assert_int_equal(out.signature.len, 0);
}

static void freezing_acts_at_once(void **state)
{
    struct desk *d = *state;
    struct signer_sign q = order(d);
    struct keeper_event_credential e = {.version = 1, .frozen = true};

    assert_int_equal(load(d, &binance, NULL, 0), OK);
    decides(d, &q, "ok");
    memcpy(e.id, d->id, 16);
    signer_changed(d->signer, &e);
    decides(d, &q, "frozen");
    e.frozen = false;
    signer_changed(d->signer, &e);
    decides(d, &q, "ok");
}

static void a_changed_policy_ends_the_former_one(void **state)
{
    struct desk *d = *state;
    struct signer_sign q = order(d);
    struct signer_signed out;
    struct keeper_event_credential e = {.version = 2};
    struct given stricter = binance;

    assert_int_equal(load(d, &binance, NULL, 0), OK);
    memcpy(e.id, d->id, 16);
    signer_changed(d->signer, &e);
    assert_int_equal(run(d, &q, &out), ERR_NOT_FOUND);
    stricter.version = 2;
    stricter.policy = "{}";
    assert_int_equal(load(d, &stricter, NULL, 0), OK);
    decides(d, &q, "policy-refused");
}

static void windows_end_and_begin_again(void **state)
{
    struct desk *d = *state;
    struct signer_sign q = order(d);

    assert_int_equal(load(d, &binance, NULL, 0), OK);
    for (int i = 0; i < 32; i++)
        decides(d, &q, "ok");
    decides(d, &q, "window-exceeded");
    d->wall_ms += 3600000;
    d->mono_ms += 3600000;
    decides(d, &q, "ok");
}

static void what_was_reserved_counts_as_used_after_a_restart(void **state)
{
    struct desk *d = *state;
    struct signer_sign q = order(d);
    struct window_mark marks[1] = {{.start_ms = 1790000000000u / 3600000 * 3600000, .orders = 31}};

    assert_int_equal(load(d, &binance, marks, 1), OK);
    decides(d, &q, "ok");
    decides(d, &q, "window-exceeded");
}

static void a_dry_run_signs_nothing_and_uses_nothing(void **state)
{
    struct desk *d = *state;
    struct signer_sign q = order(d);
    struct signer_signed out;

    assert_int_equal(load(d, &binance, NULL, 0), OK);
    q.dry_run = true;
    for (int i = 0; i < 40; i++) {
        assert_int_equal(run(d, &q, &out), OK);
        assert_true(view_is(out.decision, "ok"));
        assert_int_equal(out.signature.len + out.url.len + out.body.len, 0);
    }
    assert_int_equal(d->authored + d->reserves, 0);
}

static void nonces_rise_whatever_the_clock_does(void **state)
{
    struct desk *d = *state;
    struct signer_sign q = order(d);
    struct signer_signed out;
    uint64_t last = 0;

    assert_int_equal(load(d, &binance, NULL, 0), OK);
    for (int i = 0; i < 20; i++) {
        assert_int_equal(run(d, &q, &out), OK);
        assert_true(out.nonce > last);
        last = out.nonce;
        d->wall_ms -= i % 2 ? 3 : 0; /* a clock that is slewed back a little */
    }
    q.nonce = last;
    decides(d, &q, "nonce-reused");
    q.nonce = d->wall_ms + 60000;
    decides(d, &q, "nonce-reused");
    q.nonce = last + 1;
    decides(d, &q, "ok");
}

static void after_a_restart_nonces_begin_above_the_mark(void **state)
{
    struct desk *d = *state;
    struct signer_sign q = order(d);
    struct signer_signed out;
    struct keeper_signer_welcome again = {.next_sequence = 9, .nonce_mark_ms = 1790000015000u};

    signer_sealed(d->signer);
    assert_int_equal(run(d, &q, &out), ERR_SEALED);
    signer_welcome(d->signer, &again);
    assert_int_equal(load(d, &binance, NULL, 0), OK);
    assert_int_equal(run(d, &q, &out), OK);
    assert_int_equal(out.nonce, 1790000015001u);
}

static void a_clock_that_jumps_is_noticed(void **state)
{
    struct desk *d = *state;
    struct signer_sign q = order(d);
    size_t before;

    assert_int_equal(load(d, &binance, NULL, 0), OK);
    decides(d, &q, "ok");
    d->wall_ms += 3600000; /* and the other clock stands still */
    before = d->authored;
    decides(d, &q, "clock-jumped");
    assert_int_equal(d->authored, before + 2); /* the jump, and the refusal */
    d->wall_ms += 29000;
    d->mono_ms += 29000;
    decides(d, &q, "clock-jumped");
    d->wall_ms += 2000;
    d->mono_ms += 2000;
    decides(d, &q, "ok");
}

/* --- proofs */

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

static void a_bot_proves_itself(void **state)
{
    struct desk *d = *state;
    struct signer_sign q = order(d), bent;
    struct given g = binance;
    uint8_t seed[32] = {4}, key[32], sig[64];
    char hex[65] = "", policy[512];
    struct writer w = writer_fixed(hex, 64);

    assert_int_equal(ed25519_public(seed, key), OK);
    hex_put(&w, VIEW_OF(key));
    snprintf(policy, sizeof policy,
             "{" CLASSES ",\"proof\":{\"required\":true,\"keys\":[{\"bot\":\"key:bot\",\"key\":\"%s\"}]}}", hex);
    g.policy = policy;
    assert_int_equal(load(d, &g, NULL, 0), OK);
    decides(d, &q, "proof-needed");
    prove(d, &q, seed, "n1", sig);
    bent = q;
    bent.body = VIEW_STR("symbol=LTCBTC&side=SELL&type=LIMIT&timeInForce=GTC&quantity=1&price=0.1");
    decides(d, &bent, "proof-invalid");
    bent = q;
    bent.bot = VIEW_STR("key:other");
    decides(d, &bent, "proof-invalid");
    decides(d, &q, "ok");
    decides(d, &q, "proof-invalid"); /* once */
    prove(d, &q, seed, "n2", sig);
    d->wall_ms += 31000;
    d->mono_ms += 31000;
    decides(d, &q, "proof-invalid"); /* and for 30 seconds */
}

static void a_hyperliquid_key_serves_both_its_schemes_under_one_policy(void **state)
{
    struct desk *d = *state;
    struct given g = {.venue = "hyperliquid",
                      .scheme = "hl-l1",
                      .version = 1,
                      .policy = "{\"classes\":[\"order\"],\"symbols\":[\"0\"]}",
                      .secret = "0x7a33a0d7a294d0b4c8f3ca1db8a12070baabd6f00c6100020e3dece2e48b423a"};
    struct signer_sign q = {
        .bot = VIEW_STR("key:bot"),
        .network = VIEW_STR("mainnet"),
        .params = VIEW_STR("{\"type\":\"order\",\"orders\":[{\"a\":0,\"b\":true,\"p\":\"100\",\"s\":\"1\","
                           "\"r\":false,\"t\":{\"limit\":{\"tif\":\"Gtc\"}}}],\"grouping\":\"na\"}")};
    char transfer[512];

    memcpy(q.id, d->id, 16);
    assert_int_equal(load(d, &g, NULL, 0), OK);
    decides(d, &q, "ok");
    snprintf(transfer, sizeof transfer,
             "{\"type\":\"usdSend\",\"signatureChainId\":\"0x66eee\",\"hyperliquidChain\":\"Mainnet\","
             "\"destination\":\"0x621cf2cba95be22de4a5b750b0892a0623a4fed7\",\"amount\":\"1\",\"time\":%llu}",
             (unsigned long long)d->wall_ms + 1);
    q.params = view_str(transfer);
    q.scheme = VIEW_STR("hl-user");
    decides(d, &q, "moves-funds");
    q.scheme = VIEW_STR("binance-hmac");
    decides(d, &q, "wrong-key-for-venue");
}

static void a_wrong_kind_of_key_is_refused_at_once(void **state)
{
    struct desk *d = *state;
    struct given g = binance;

    g.scheme = "binance-ed25519";
    assert_int_equal(load(d, &g, NULL, 0), ERR_WRONG_KEY_FOR_VENUE);
    g.scheme = "phemex";
    assert_int_equal(load(d, &g, NULL, 0), ERR_WRONG_KEY_FOR_VENUE);
    g.venue = "nowhere";
    assert_int_equal(load(d, &g, NULL, 0), ERR_UNKNOWN_VENUE);
    g = binance;
    g.policy = "{\"symbols\":[]}";
    assert_int_equal(load(d, &g, NULL, 0), ERR_BAD_POLICY);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(an_order_is_signed_and_recorded),
        T(a_withdrawal_is_refused_and_recorded),
        T(nothing_is_released_when_the_record_can_not_leave),
        T(freezing_acts_at_once),
        T(a_changed_policy_ends_the_former_one),
        T(windows_end_and_begin_again),
        T(what_was_reserved_counts_as_used_after_a_restart),
        T(a_dry_run_signs_nothing_and_uses_nothing),
        T(nonces_rise_whatever_the_clock_does),
        T(after_a_restart_nonces_begin_above_the_mark),
        T(a_clock_that_jumps_is_noticed),
        T(a_bot_proves_itself),
        T(a_hyperliquid_key_serves_both_its_schemes_under_one_policy),
        T(a_wrong_kind_of_key_is_refused_at_once),
    };
    return cmocka_run_group_tests_name("signer-pipeline", tests, NULL, NULL);
}
