/* The signer from message to answer: what a bot meets. */
#include "pipeline_rig.h"

#include "base/decimal.h"

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

static struct decimal marked(const struct desk *d)
{
    struct decimal n;

    assert_int_equal(decimal_parse(view_str(d->notional), &n), OK);
    return n;
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

/* Each reservation is a write to the anchor, synced. */
static void a_window_of_orders_alone_is_reserved_ahead(void **state)
{
    struct desk *d = *state;
    struct signer_sign q = order(d);
    struct given wide = binance;

    wide.policy = "{" CLASSES ",\"symbols\":[\"LTCBTC\"],\"windows\":[{\"seconds\":3600,\"orders\":32000}]}";
    assert_int_equal(load(d, &wide, NULL, 0), OK);
    for (int i = 0; i < 500; i++)
        decides(d, &q, "ok");
    assert_true(d->reserves < 20);
    /* A later policy may limit the notional too, so what was used is in the marks. */
    assert_true(decimal_cmp(marked(d), (struct decimal){.digits = 50}) >= 0);
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
    struct keeper_signer_welcome again = {.next_sequence = 9, .nonce_mark_ms = 1790000015000u, .sequence_limit = 1000};

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
#define T(f) cmocka_unit_test_setup_teardown(f, pipeline_setup, pipeline_teardown)
    const struct CMUnitTest tests[] = {
        T(an_order_is_signed_and_recorded),
        T(a_withdrawal_is_refused_and_recorded),
        T(nothing_is_released_when_the_record_can_not_leave),
        T(freezing_acts_at_once),
        T(a_changed_policy_ends_the_former_one),
        T(windows_end_and_begin_again),
        T(what_was_reserved_counts_as_used_after_a_restart),
        T(a_window_of_orders_alone_is_reserved_ahead),
        T(a_dry_run_signs_nothing_and_uses_nothing),
        T(nonces_rise_whatever_the_clock_does),
        T(after_a_restart_nonces_begin_above_the_mark),
        T(a_clock_that_jumps_is_noticed),
        T(a_hyperliquid_key_serves_both_its_schemes_under_one_policy),
        T(a_wrong_kind_of_key_is_refused_at_once),
    };
    return cmocka_run_group_tests_name("signer-pipeline", tests, NULL, NULL);
}
