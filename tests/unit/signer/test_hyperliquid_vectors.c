/* Every Hyperliquid line of tests/vectors/signing: what the venue accepts from its own clients. */
#include "hyperliquid_case.h"

#include "base/text.h"

static struct venue *venue;
static struct arena *arena;
static size_t lines;

static void hex_equal(const json_t *expected, const char *name, struct view got)
{
    const char *text = case_text(expected, name);
    if (!text)
        return;
    if (strncmp(text, "0x", 2) == 0)
        text += 2;
    struct writer w = writer_new(65536);
    hex_put(&w, got);
    writer_u8(&w, '\0');
    assert_int_equal(writer_done(&w), OK);
    assert_string_equal((const char *)w.ptr, text);
    writer_free(&w);
}

static void check_digest(const json_t *line, const struct hl_digest *d)
{
    const json_t *expected = json_object_get(line, "expected");
    hex_equal(expected, "msgpack_hex", VIEW(d->prehash.ptr, d->action_len));
    hex_equal(json_object_get(expected, "prehash"), "hex", d->prehash);
    hex_equal(expected, "action_hash", VIEW_OF(d->action_hash));
    hex_equal(expected, "domain_separator", VIEW_OF(d->domain));
    hex_equal(expected, "struct_hash", VIEW_OF(d->struct_hash));
    hex_equal(expected, "digest", VIEW_OF(d->digest));
}

/* Python's client prints r and s without leading zeros. */
static void check_rsv(const json_t *line, const uint8_t sig[65])
{
    const json_t *rsv = json_object_get(json_object_get(line, "expected"), "rsv");
    static const char *const names[] = {"r", "s"};
    for (size_t i = 0; rsv && i < 2; i++) {
        char padded[65];
        const char *digits = case_text(rsv, names[i]) + 2;
        (void)snprintf(padded, sizeof(padded), "%.*s%s", (int)(64 - strlen(digits)),
                       "0000000000000000000000000000000000000000000000000000000000000000", digits);
        uint8_t scalar[32];
        assert_int_equal(hex_get(view_str(padded), scalar, 32), OK);
        assert_memory_equal(scalar, sig + 32 * i, 32);
    }
    if (rsv)
        assert_int_equal(json_integer_value(json_object_get(rsv, "v")), 27 + sig[64]);
}

static struct sign_request request_of(const json_t *line, const char *action)
{
    struct sign_request r = case_request(action);
    r.network = view_str(case_text(line, "network"));
    r.nonce = (uint64_t)json_integer_value(json_object_get(line, "nonce"));
    r.vault_address = view_str(case_text(line, "vault_address"));
    r.has_expires_after = json_is_integer(json_object_get(line, "expires_after"));
    r.expires_after = (uint64_t)json_integer_value(json_object_get(line, "expires_after"));
    r.host = view_str(case_text(line, "host"));
    r.method = view_str(case_text(line, "method"));
    r.path = view_str(case_text(line, "path"));
    return r;
}

static void check_signed(const json_t *line, const struct scheme *scheme, const struct sign_request *r)
{
    const json_t *expected = json_object_get(line, "expected");
    const char *hex = case_text(json_object_get(line, "credentials"), "privateKey");
    struct sign_result result = {0};
    struct problem why = {0};
    uint8_t sig[65];
    if (!hex)
        return;
    struct signing_key *key = case_key(hex);
    if (scheme->sign(venue, key, r, arena, &result, &why) != OK)
        fail_msg("%s: %s %s", case_text(line, "id"), why.where, why.detail);
    scheme->key_free(key);
    assert_int_equal(result.signature.len, 132);
    assert_int_equal(hex_get(VIEW(result.signature.ptr + 2, 130), sig, 65), OK);
    sig[64] = (uint8_t)(sig[64] - 27);
    check_rsv(line, sig);
    if (!case_text(expected, "body"))
        return;
    assert_true(view_is(result.signature, case_text(expected, "signature")));
    assert_true(view_is(result.url, case_text(expected, "url")));
    assert_true(view_is(result.method, "POST"));
    assert_true(view_is(result.body, case_text(expected, "body")));
}

/* "dummy" is a type of the clients' own tests: its hash must be right, but it is never signed. */
static void check_dummy(const json_t *line, const struct sign_request *r)
{
    struct intents intents = {0};
    struct hl_call call = {.testnet = view_is(r->network, "testnet"), .has_vault = r->vault_address.len > 0};
    json_t *noop = json_pack("{s:s}", "type", "noop");
    struct hl_digest digest = {0};
    uint8_t key[32], sig[65];
    assert_int_equal(scheme_hl_l1.judge(venue, r, arena, &intents, NULL), ERR_UNKNOWN_ENDPOINT);
    call.row = hyperliquid_action_find(noop);
    assert_int_equal(json_read(r->params, &call.action, NULL), OK);
    if (call.has_vault)
        assert_int_equal(hyperliquid_address(r->vault_address, call.vault), OK);
    assert_int_equal(hyperliquid_hash(&call, r, arena, &digest), OK);
    assert_int_equal(hex_get(VIEW(&CASE_KEY[2], 64), key, 32), OK);
    assert_int_equal(secp256k1_sign_digest(key, digest.digest, sig), OK);
    check_rsv(line, sig);
    hyperliquid_call_done(&call);
    json_decref(noop);
}

static void check_action(const json_t *line, enum hl_kind kind, const struct sign_request *r)
{
    const struct scheme *scheme = case_scheme(case_text(line, "scheme"));
    struct intents intents = {0};
    struct problem why = {0};
    struct hl_call call = {0};
    struct hl_digest digest = {0};
    if (scheme->judge(venue, r, arena, &intents, &why) != OK)
        fail_msg("%s: %s %s", case_text(line, "id"), why.where, why.detail);
    assert_true(intents.count > 0);
    assert_int_equal(hyperliquid_call_read(kind, r, arena, &call, NULL, NULL), OK);
    assert_int_equal(hyperliquid_hash(&call, r, arena, &digest), OK);
    check_digest(line, &digest);
    hyperliquid_call_done(&call);
    check_signed(line, scheme, r);
}

/* Each signer's contribution to the multi-sig, from the inner action. */
static void check_cosigner(const json_t *line, const char *hex, size_t index)
{
    const json_t *want = json_array_get(json_object_get(json_object_get(line, "expected"), "inner_signatures"), index);
    char *action = json_dumps(json_object_get(line, "inner_action"), JSON_COMPACT);
    char *expected = json_dumps(want, JSON_COMPACT);
    struct sign_request r = request_of(line, action);
    struct sign_result result = {0};
    struct intents intents = {0};
    struct signing_key *key = case_key(hex);
    r.multi_sig_user = view_str(case_text(line, "multi_sig_user"));
    r.outer_signer = VIEW_STR("0x5e057cd1e8e18af600c000655964f98c7c818670");
    assert_int_equal(scheme_hl_multisig.judge(venue, &r, arena, &intents, NULL), OK);
    assert_int_equal(intents.items[0].class, INTENT_WITHDRAW);
    assert_int_equal(scheme_hl_multisig.sign(venue, key, &r, arena, &result, NULL), OK);
    assert_true(view_is(result.body, expected));
    assert_int_equal(result.url.len, 0);
    scheme_hl_multisig.key_free(key);
    free(action);
    free(expected);
}

static void check_multisig(const json_t *line, const struct sign_request *r)
{
    const json_t *credentials = json_object_get(line, "credentials");
    check_action(line, HL_MULTISIG, r);
    check_cosigner(line, case_text(credentials, "privateKey"), 0);
    check_cosigner(line, case_text(json_array_get(json_object_get(credentials, "cosigners"), 0), "privateKey"), 1);
}

static void check_decimals(const json_t *line)
{
    const json_t *inputs = json_object_get(line, "params");
    const json_t *outputs = json_object_get(json_object_get(line, "expected"), "outputs");
    assert_true(json_array_size(inputs) > 0);
    for (size_t i = 0; i < json_array_size(inputs); i++) {
        char text[64];
        struct writer w = writer_fixed(text, sizeof(text));
        struct view input = hl_text(json_array_get(inputs, i)), output = hl_text(json_array_get(outputs, i));
        assert_int_equal(hyperliquid_decimal(input, &w), OK);
        assert_true(view_eq(writer_view_of(&w), output));
        assert_true(hyperliquid_is_normal(output));
        assert_int_equal(hyperliquid_is_normal(input), view_eq(input, output));
    }
}

/* What the client was given before it brought prices and sizes into the venue's form is refused, naming that form. */
static void check_denormalized(const json_t *line)
{
    json_t *action = json_pack("{s:s}", "type", "order");
    struct intents intents = {0};
    struct problem why = {0};
    json_object_update(action, json_object_get(line, "params"));
    char *text = json_dumps(action, JSON_COMPACT);
    assert_int_equal(case_judge(venue, "hl-l1", text, arena, &intents, &why), ERR_BAD_VALUE);
    assert_string_equal(why.where, "/orders/0/p");
    assert_non_null(strstr(why.detail, "\"800.5\""));
    free(text);
    json_decref(action);
}

static void check_line(const json_t *line)
{
    static const char *const schemes[] = {"hl-l1", "hl-user", "hl-multisig"};
    const char *scheme = case_text(line, "scheme"), *given = case_text(line, "action_json");
    lines++;
    if (strcmp(scheme, "hl-decimal") == 0) {
        check_decimals(line);
        return;
    }
    char *action = given ? strdup(given) : json_dumps(json_object_get(line, "action"), JSON_COMPACT);
    struct sign_request r = request_of(line, action);
    if (strstr(action, "\"dummy\""))
        check_dummy(line, &r);
    else if (strcmp(scheme, "hl-multisig") == 0)
        check_multisig(line, &r);
    else
        check_action(line, strcmp(scheme, schemes[HL_L1]) == 0 ? HL_L1 : HL_USER, &r);
    if (strcmp(case_text(line, "case"), "order-denormalized-decimals") == 0)
        check_denormalized(line);
    free(action);
    arena_reset(arena);
}

static void every_line_is_signed_as_the_venue_accepts_it(void **state)
{
    (void)state;
    case_each(check_line);
    assert_int_equal(lines, 55);
}

int main(void)
{
    bool locked;
    const struct CMUnitTest tests[] = {cmocka_unit_test(every_line_is_signed_as_the_venue_accepts_it)};
    if (crypto_init(&locked) != OK || crypto_pk_init() != OK)
        return 1;
    venue = case_venue();
    arena = case_arena();
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    arena_free(arena);
    venue_free(venue);
    return failed;
}
