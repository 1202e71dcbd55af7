/* Every allocation of the signer fails in turn. It then says so: never a refusal that is none, never a signature whose
 * record has not left; asked again it does what was asked. */
#include "../failing_alloc.h"
#include "pipeline_rig.h"
#include "signer/scheme.h"

#define MOST 2000

#define WEB_KEY "0x7a33a0d7a294d0b4c8f3ca1db8a12070baabd6f00c6100020e3dece2e48b423a"

static unsigned wrong; /* all of them are told, not only the first */

#define COMPLAIN(...) (wrong++, print_message("# " __VA_ARGS__), print_message("\n"))

static struct signer_sign withdrawal(const struct desk *d)
{
    struct signer_sign q = order(d);

    q.request_path = VIEW_STR("/sapi/v1/capital/withdraw/apply");
    q.body = VIEW_STR("coin=BTC&address=abc&amount=1");
    return q;
}

static struct signer_sign other_symbol(const struct desk *d)
{
    struct signer_sign q = order(d);

    q.body = VIEW_STR("symbol=BTCUSDT&side=BUY&type=LIMIT&timeInForce=GTC&quantity=1&price=0.1");
    return q;
}

static struct signer_sign dry_run(const struct desk *d)
{
    struct signer_sign q = order(d);

    q.dry_run = true;
    return q;
}

static struct signer_sign frame(const struct desk *d)
{
    struct signer_sign q = order(d);

    q.scheme = VIEW_STR("binance-wsapi-hmac");
    q.method = VIEW_STR("order.status");
    q.request_path = q.body = (struct view){0};
    q.params = VIEW_STR("{\"symbol\":\"LTCBTC\",\"orderId\":1}");
    q.frame_id = VIEW_STR("1");
    return q;
}

static struct signer_sign with_who(const struct desk *d)
{
    static uint8_t memory[512];
    struct request_context c = {.actor = VIEW_STR("user:eve"), .source = VIEW_STR("192.0.2.1")};
    struct writer w = writer_fixed(memory, sizeof memory);
    struct signer_sign q = order(d);

    assert_int_equal(entity_encode(&request_context_entity, &c, &w), OK);
    q.who = writer_view_of(&w);
    return q;
}

static struct signer_sign proven(const struct desk *d)
{
    static const uint8_t seed[32] = {1};
    static uint8_t signature[64];
    static char nonce[32];
    static int count;
    struct signer_sign q = with_who(d);
    AUTO_WRITER text = writer_new(8192);

    snprintf(nonce, sizeof nonce, "nonce %d", ++count); /* one that failed may be used up */
    q.proof_time_ms = d->wall_ms;
    q.proof_nonce = view_str(nonce);
    assert_int_equal(signer_proof_text(&q, &text), OK);
    assert_int_equal(ed25519_sign(seed, writer_view_of(&text), signature), OK);
    q.proof = VIEW_OF(signature);
    return q;
}

static struct signer_sign coin_order(const struct desk *d)
{
    struct signer_sign q = {
        .bot = VIEW_STR("key:bot"),
        .network = VIEW_STR("mainnet"),
        .params = VIEW_STR("{\"type\":\"order\",\"orders\":[{\"a\":0,\"b\":true,\"p\":\"100\",\"s\":\"1\","
                           "\"r\":false,\"t\":{\"limit\":{\"tif\":\"Gtc\"}}}],\"grouping\":\"na\"}")};

    memcpy(q.id, d->id, 16);
    return q;
}

/* Makes the second key of the credential. */
static struct signer_sign coin_transfer(const struct desk *d)
{
    static char transfer[512];
    struct signer_sign q = coin_order(d);

    snprintf(transfer, sizeof transfer,
             "{\"type\":\"usdSend\",\"signatureChainId\":\"0x66eee\",\"hyperliquidChain\":\"Mainnet\","
             "\"destination\":\"0x621cf2cba95be22de4a5b750b0892a0623a4fed7\",\"amount\":\"1\",\"time\":%llu}",
             (unsigned long long)d->wall_ms + 1);
    q.params = view_str(transfer);
    q.scheme = VIEW_STR("hl-user");
    return q;
}

/* The second order is of a symbol that the policy does not name: leaving it out would sign it. */
static struct signer_sign coin_orders(const struct desk *d)
{
    struct signer_sign q = coin_order(d);

    q.params = VIEW_STR("{\"type\":\"order\",\"orders\":[{\"a\":7,\"b\":true,\"p\":\"100\",\"s\":\"1\","
                        "\"r\":false,\"t\":{\"limit\":{\"tif\":\"Gtc\"}}},{\"a\":0,\"b\":true,\"p\":\"100\","
                        "\"s\":\"1\",\"r\":false,\"t\":{\"limit\":{\"tif\":\"Gtc\"}}}],\"grouping\":\"na\"}");
    return q;
}

/* Digits at its end could be part of an expiry: another request, of the same bytes, that stays valid. */
static struct signer_sign spot_order(const struct desk *d)
{
    struct signer_sign q = order(d);

    q.method = VIEW_STR("PUT");
    q.request_path = VIEW_STR("/spot/orders/create");
    q.query = VIEW_STR("symbol=sSOLUSDT&side=Sell&qtyType=ByQuote&quoteQtyEv=524228&ordType=Market&"
                       "clOrdID=n4qn8b1w9bg5");
    q.body = (struct view){0};
    return q;
}

static const struct given phemex = {.venue = "phemex",
                                    .scheme = "phemex",
                                    .version = 1,
                                    .policy = "{\"classes\":[\"read\",\"cancel\",\"amend\",\"order\"]}",
                                    .secret = "iipSFkRu7pII4yYIHpfBzrL4epxne98BJVnCWAmm7GfZVx0cIBRnoHbA2EpvmMDo"};
static const struct given hyperliquid = {.venue = "hyperliquid",
                                         .scheme = "hl-l1",
                                         .version = 1,
                                         .policy = "{\"classes\":[\"order\"],\"symbols\":[\"0\"]}",
                                         .secret = WEB_KEY};
static struct given proof_wanted; /* its policy names the bot's key */
static struct given frames, rsa;

static const struct {
    const char *name;
    const struct given *credential;
    struct signer_sign (*make)(const struct desk *d);
    const char *decision;
    uint64_t jump_ms;
} cases[] = {
    {"order", &binance, order, "ok", 0},
    {"order, told by whom", &binance, with_who, "ok", 0},
    {"withdrawal", &binance, withdrawal, "moves-funds", 0},
    {"other symbol", &binance, other_symbol, "policy-refused", 0},
    {"dry run", &binance, dry_run, "ok", 0},
    {"after a jump of the clock", &binance, order, "clock-jumped", 3600000},
    {"frame", &frames, frame, "ok", 0},
    {"order, signed with RSA", &rsa, order, "ok", 0},
    {"proven", &proof_wanted, proven, "ok", 0},
    {"Hyperliquid order", &hyperliquid, coin_order, "ok", 0},
    {"two Hyperliquid orders", &hyperliquid, coin_orders, "policy-refused", 0},
    {"Phemex order", &phemex, spot_order, "ambiguous-signature", 0},
    {"Hyperliquid transfer", &hyperliquid, coin_transfer, "moves-funds", 0},
};

static const char *file_of(struct arena *arena, const char *name)
{
    char path[4096], text[262144], *copy;
    FILE *f;
    size_t n;

    snprintf(path, sizeof path, "%s/%s", getenv("HOLDFAST_SOURCE"), name);
    f = fopen(path, "rb");
    if (!f)
        fail_msg("%s can't be read", path);
    n = fread(text, 1, sizeof text, f);
    fclose(f);
    copy = arena_str(arena, VIEW(text, n));
    assert_non_null(copy);
    return copy;
}

/* As the supervisor hands it over. */
static void put_venue(struct desk *d, const char *name, struct writer *w)
{
    char path[64];

    snprintf(path, sizeof path, "spec/venues/%s.yaml", name);
    writer_var(w, view_str(name));
    writer_var(w, view_str(file_of(d->arena, path)));
    assert_int_equal(writer_done(w), OK);
}

static int setup(void **state)
{
    AUTO_WRITER files = writer_new(1u << 20);
    struct desk *d;

    assert_int_equal(pipeline_setup(state), 0);
    d = *state;
    put_venue(d, "phemex", &files);
    return signer_add_venues(d->signer, writer_view_of(&files), &d->why) == OK ? 0 : -1;
}

static void make_credentials(struct desk *d)
{
    static const uint8_t seed[32] = {1};
    static char policy[2048], pem[4096];
    uint8_t key[32];
    char hex[65];
    struct writer w = writer_fixed(hex, sizeof hex);

    assert_int_equal(ed25519_public(seed, key), OK);
    hex_put(&w, VIEW_OF(key));
    hex[w.len] = '\0';
    snprintf(policy, sizeof policy,
             "{" CLASSES ",\"proof\":{\"required\":true,\"keys\":[{\"bot\":\"key:bot\",\"key\":\"%s\"}]}}", hex);
    proof_wanted = frames = rsa = binance;
    rsa.scheme = "binance-rsa";
    snprintf(pem, sizeof pem, "%s", file_of(d->arena, "tests/vectors/keys/rsa2048.pem"));
    rsa.secret = pem;
    proof_wanted.policy = policy;
    frames.policy = "{\"classes\":[\"read\",\"cancel\",\"amend\",\"order\",\"account\",\"session\",\"transfer\"]}";
}

/* The request until it is answered, as the wiring brings it there: marks are asked for, and it is judged again. */
static enum err answered(struct desk *d, const struct signer_sign *q, struct signer_signed *ret)
{
    struct signer_reply reply = {.outcome = SIGNER_WAIT};
    enum err e = OK;

    for (int tries = 0; tries < 4 && e == OK && reply.outcome == SIGNER_WAIT; tries++) {
        e = signer_sign(d->signer, q, d->arena, &reply, &d->why);
        if (d->asked.nonce_mark_ms)
            signer_reserved(d->signer, OK);
        d->asked = (struct keeper_reserve){0};
    }
    *ret = reply.answer;
    if (e != OK || reply.outcome != SIGNER_WORK)
        return e;
    signer_work(reply.pass);
    return signer_finish(reply.pass, ret, &d->why);
}

static bool last_number_is(const struct desk *d, uint64_t number)
{
    struct authored_record a = {0};
    struct leaf leaf = {0};

    if (d->last.len == 0)
        return true; /* a dry run */
    assert_int_equal(entity_decode(&authored_record_entity, d->last, d->arena, &a), OK);
    assert_int_equal(leaf_decode(a.leaf, &leaf), OK);
    return leaf.sequence == number;
}

static void check(size_t i, const char *when, const struct signer_signed *out)
{
    bool released = strcmp(cases[i].decision, "ok") == 0 && !out->dry_run;

    if (!view_is(out->decision, cases[i].decision))
        COMPLAIN("%s, %s: %.*s instead of %s: %.*s %.*s", cases[i].name, when, (int)out->decision.len,
                 out->decision.ptr, cases[i].decision, (int)out->rule.len, out->rule.ptr, (int)out->sentence.len,
                 out->sentence.ptr);
    if ((out->signature.len > 0) != released)
        COMPLAIN("%s, %s: a signature is %s", cases[i].name, when, released ? "missing" : "there");
}

/* The signer as after a start, with the credential loaded anew. */
static struct signer_sign begin(struct desk *d, size_t i)
{
    struct keeper_signer_welcome welcome = {.next_sequence = d->authored + 1, .sequence_limit = 1u << 20};
    struct signer_sign q = dry_run(d);
    struct signer_signed out;

    signer_sealed(d->signer);
    signer_welcome(d->signer, &welcome);
    assert_int_equal(load(d, cases[i].credential, NULL, 0), OK);
    d->wall_ms += 60000, d->mono_ms += 60000; /* no jump is remembered, and no proof is from before the start */
    assert_int_equal(answered(d, &q, &out), OK);
    d->wall_ms += cases[i].jump_ms;
    return cases[i].make(d);
}

static bool one(struct desk *d, size_t i, size_t nth, enum failing_alloc_how how)
{
    struct signer_sign q = begin(d, i);
    struct signer_signed out;
    char when[64];
    size_t failed, before;
    enum err e;

    before = d->authored;
    snprintf(when, sizeof when, "allocation %zu", nth);
    failing_alloc_begin(nth, how);
    e = answered(d, &q, &out);
    failed = failing_alloc_end();
    if (e == OK)
        check(i, when, &out);
    else if (e != ERR_NO_MEMORY)
        COMPLAIN("%s, %s: %s (%s %s)", cases[i].name, when, err_code(e), d->why.where, d->why.detail);
    else if (d->authored > before + (cases[i].jump_ms ? 1 : 0))
        COMPLAIN("%s, %s: recorded, but not answered", cases[i].name, when);
    if (e != OK) {
        q = cases[i].make(d);
        assert_int_equal(answered(d, &q, &out), OK);
        check(i, "asked again", &out);
    }
    if (!last_number_is(d, d->authored))
        COMPLAIN("%s, %s: a number is missing or used twice", cases[i].name, when);
    return failed > 0;
}

static void a_request_without_memory_is_no_refusal(void **state)
{
    struct desk *d = *state;

    make_credentials(d);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        size_t nth = 1;
        for (; one(d, i, nth, FAILING_ONE); nth++) {
            assert_true(nth < MOST);
            (void)one(d, i, nth, FAILING_REST);
            arena_reset(d->arena);
            d->last = (struct view){0};
        }
        print_message("# %s: %zu allocations\n", cases[i].name, nth - 1);
    }
    assert_int_equal(wrong, 0);
}

/* --- what comes before the first request */

struct wrapped {
    struct view descriptor;
    struct keeper_unwrapped u;
};

static struct wrapped wrap(struct desk *d, const struct given *g)
{
    struct credential_descriptor c = {.version = g->version,
                                      .path = VIEW_STR("exchange/main"),
                                      .venue = view_str(g->venue),
                                      .scheme = view_str(g->scheme),
                                      .policy = view_str(g->policy)};
    struct credential_bundle b = {.api_key = view_str(strcmp(g->venue, "hyperliquid") == 0 ? "" : "the-key-id"),
                                  .secret = view_str(g->secret)};
    AUTO_WRITER descriptor = writer_new(32768), bundle = writer_new(4096);
    struct wrapped w = {0};

    memcpy(c.id, d->id, 16);
    assert_int_equal(entity_encode(&credential_descriptor_entity, &c, &descriptor), OK);
    assert_int_equal(entity_encode(&credential_bundle_entity, &b, &bundle), OK);
    assert_int_equal(arena_copy(d->arena, writer_view_of(&descriptor), &w.descriptor), OK);
    assert_int_equal(arena_copy(d->arena, writer_view_of(&bundle), &w.u.bundle), OK);
    return w;
}

static enum err act_load(struct desk *d, const struct wrapped *w)
{
    signer_sealed(d->signer);
    return signer_load(d->signer, w->descriptor, &w->u, &d->why);
}

static enum err act_check(struct desk *d, const struct wrapped *w)
{
    return signer_check(d->signer, w->descriptor, &d->why);
}

static enum err act_list(struct desk *d, const struct wrapped *w)
{
    struct signer_venues out = {0};

    (void)w;
    return signer_venues_list(d->signer, d->arena, &out);
}

/* Says so until there is no n-th allocation, and then succeeds. */
static void each_fails(struct desk *d, const char *name, enum err (*act)(struct desk *d, const struct wrapped *w),
                       const struct given *g)
{
    struct wrapped w = wrap(d, g);
    size_t nth = 0, failed;
    enum err e;

    do {
        nth++;
        failing_alloc_begin(nth, nth % 2 ? FAILING_ONE : FAILING_REST);
        e = act(d, &w);
        failed = failing_alloc_end();
        if (e != (failed ? ERR_NO_MEMORY : OK))
            COMPLAIN("%s of %s, allocation %zu: %s (%s %s)", name, g->scheme, nth, err_code(e), d->why.where,
                     d->why.detail);
    } while (failed > 0 && nth < MOST);
    assert_true(nth > 1);
    print_message("# %s of %s: %zu allocations\n", name, g->scheme, nth - 1);
    arena_reset(d->arena);
}

static void a_credential_without_memory_is_no_wrong_one(void **state)
{
    struct desk *d = *state;
    const struct given *all[] = {&binance, &phemex, &hyperliquid, &proof_wanted};
    struct given pem = binance;

    make_credentials(d);
    for (size_t i = 0; i < ARRAY_LEN(all); i++) {
        each_fails(d, "load", act_load, all[i]);
        each_fails(d, "check", act_check, all[i]);
    }
    each_fails(d, "list", act_list, &binance);
    pem.scheme = "binance-ed25519";
    pem.secret = file_of(d->arena, "tests/vectors/keys/ed25519.pem");
    each_fails(d, "load", act_load, &pem);
    each_fails(d, "load", act_load, &rsa);
    assert_int_equal(wrong, 0);
}

static enum err start(struct desk *d, struct view files)
{
    struct signer_config config = {.clock = &d->clock, .random = random_system()};
    AUTO(signer_free) struct signer *s = NULL;

    TRY(signer_new(&config, &s));
    return signer_add_venues(s, files, &d->why);
}

static void a_start_without_memory_is_no_bad_configuration(void **state)
{
    struct desk *d = *state;
    AUTO_WRITER files = writer_new(1u << 20);
    size_t nth = 0, failed;
    enum err e;

    put_venue(d, "hyperliquid", &files);
    do {
        nth++;
        failing_alloc_begin(nth, nth % 2 ? FAILING_ONE : FAILING_REST);
        e = start(d, writer_view_of(&files));
        failed = failing_alloc_end();
        if (e != (failed ? ERR_NO_MEMORY : OK))
            COMPLAIN("start, allocation %zu: %s (%s %s)", nth, err_code(e), d->why.where, d->why.detail);
    } while (failed > 0);
    print_message("# start: %zu allocations\n", nth - 1);
    assert_int_equal(wrong, 0);
}

/* What else the signed bytes can form: a reading that is left out would hide it from the policy. */
static void nothing_that_a_request_can_form_is_forgotten(void **state)
{
    struct desk *d = *state;
    struct signer_sign q = spot_order(d);
    struct sign_request request = {
        .method = q.method, .path = q.request_path, .query = q.query, .now_ms = 1795871514365};
    const struct scheme *scheme = scheme_find(VIEW_STR("phemex"));
    struct intents all = {0}, some = {0};
    struct venue *v = NULL;
    size_t failed, nth = 0;

    assert_int_equal(venue_parse("phemex", view_str(file_of(d->arena, "spec/venues/phemex.yaml")), &v, &d->why), OK);
    assert_int_equal(scheme->judge(v, &request, d->arena, &all, &d->why), OK);
    assert_true(all.count > 1);
    do {
        nth++;
        failing_alloc_begin(nth, FAILING_ONE);
        enum err e = scheme->judge(v, &request, d->arena, &some, &d->why);
        failed = failing_alloc_end();
        assert_int_equal(e, failed ? ERR_NO_MEMORY : OK);
        if (e == OK)
            assert_int_equal(some.count, all.count);
    } while (failed > 0);
    venue_free(v);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_request_without_memory_is_no_refusal, setup, pipeline_teardown),
        cmocka_unit_test_setup_teardown(a_credential_without_memory_is_no_wrong_one, setup, pipeline_teardown),
        cmocka_unit_test_setup_teardown(nothing_that_a_request_can_form_is_forgotten, pipeline_setup,
                                        pipeline_teardown),
        cmocka_unit_test_setup_teardown(a_start_without_memory_is_no_bad_configuration, pipeline_setup,
                                        pipeline_teardown),
    };
    return cmocka_run_group_tests_name("signer-memory", tests, NULL, NULL);
}
