/* Hyperliquid: orders as the policy sees them, what is never signed, and what binds a signature. */
#include "hyperliquid_case.h"

#include "base/text.h"

#define ALICE                "0x1111111111111111111111111111111111111111"
#define BOB                  "0x2222222222222222222222222222222222222222"
#define OWN                  "0x14791697260e4c9a71f18484c9f997b308e59325" /* address of CASE_KEY */
#define ORDERS(orders, more) "{\"type\":\"order\",\"orders\":[" orders "],\"grouping\":\"na\"" more "}"
#define ORDER(p, s, r, t)    "{\"a\":39,\"b\":false,\"p\":" p ",\"s\":" s ",\"r\":" r ",\"t\":" t "}"
#define GTC                  "{\"limit\":{\"tif\":\"Gtc\"}}"
#define TRIGGER(market)      "{\"trigger\":{\"isMarket\":" market ",\"triggerPx\":\"9\",\"tpsl\":\"sl\"}}"
#define PLAIN                ORDER("\"10.5\"", "\"2\"", "false", GTC)
#define SEND(chain_id, chain, to, amount, time)                                                                        \
    "{\"type\":\"usdSend\",\"signatureChainId\":\"" chain_id "\",\"hyperliquidChain\":\"" chain                        \
    "\",\"destination\":\"" to "\",\"amount\":\"" amount "\",\"time\":" time "}"
#define EVM(chain, data)                                                                                               \
    "{\"type\":\"sendToEvmWithData\",\"signatureChainId\":\"0x1\",\"hyperliquidChain\":\"Mainnet\",\"token\":"         \
    "\"USDC\","                                                                                                        \
    "\"amount\":\"1\",\"sourceDex\":\"\",\"destinationRecipient\":\"" ALICE "\",\"addressEncoding\":\"hex\","          \
    "\"destinationChainId\":" chain ",\"gasLimit\":1,\"data\":\"" data "\",\"nonce\":1700000000000}"
#define WRAPPER(signer, action)                                                                                        \
    "{\"type\":\"multiSig\",\"signatureChainId\":\"0x66eee\",\"signatures\":[{\"r\":\"0x1\",\"s\":\"0xab\",\"v\":27}]" \
    ","                                                                                                                \
    "\"payload\":{\"multiSigUser\":\"" ALICE "\",\"outerSigner\":\"" signer "\",\"action\":" action "}}"

static struct venue *venue;
static struct arena *arena;

static int reset(void **state)
{
    (void)state;
    arena_reset(arena);
    return 0;
}

static struct intents judged(const char *scheme, const char *action)
{
    struct intents intents = {0};
    struct problem why = {0};
    if (case_judge(venue, scheme, action, arena, &intents, &why) != OK)
        fail_msg("%s: %s %s", action, why.where, why.detail);
    return intents;
}

static void decimal_is(struct decimal d, const char *text)
{
    char memory[64];
    struct writer w = writer_fixed(memory, sizeof(memory));
    decimal_put(&w, d);
    assert_true(view_is(writer_view_of(&w), text));
}

static void each_order_is_an_intent(void **state)
{
    struct intents i = judged("hl-l1", ORDERS(PLAIN "," ORDER("\"3\"", "\"0.5\"", "true", TRIGGER("true")) "," ORDER(
                                                  "\"4\"", "\"1\"", "true", TRIGGER("false")),
                                              ""));
    (void)state;
    assert_int_equal(i.count, 3);
    assert_true(view_is(i.items[0].symbol, "39"));
    assert_int_equal(i.items[0].side, SIDE_SELL);
    assert_true(view_is(i.items[0].order_type, "gtc"));
    assert_true(i.items[0].has_size && i.items[0].has_price && i.items[0].has_notional);
    decimal_is(i.items[0].price, "10.5");
    decimal_is(i.items[0].size, "2");
    decimal_is(i.items[0].notional, "21");
    assert_true(view_is(i.items[1].order_type, "trigger-market"));
    assert_true(i.items[0].price_binds);
    assert_false(i.items[1].price_binds); /* it fills at the market */
    decimal_is(i.items[1].notional, "1.5");
    assert_true(view_is(i.items[2].order_type, "trigger-limit"));
}

static void fees_to_others_are_told_apart(void **state)
{
    struct intents i = judged("hl-l1", ORDERS(PLAIN, ",\"builder\":{\"b\":\"" BOB "\",\"f\":10}"));
    (void)state;
    assert_int_equal(i.count, 2);
    assert_int_equal(i.items[0].class, INTENT_ORDER);
    assert_int_equal(i.items[1].class, INTENT_TRANSFER);
    assert_true(view_is(i.items[1].destination, BOB));
    assert_int_equal(judged("hl-l1", ORDERS(PLAIN, ",\"builder\":{\"b\":\"" BOB "\",\"f\":0}")).count, 1);
    i = judged("hl-l1", "{\"type\":\"order\",\"orders\":[" PLAIN "],\"grouping\":{\"p\":5}}");
    assert_int_equal(i.count, 2);
    assert_int_equal(i.items[1].class, INTENT_ACCOUNT);
    assert_int_equal(judged("hl-l1", "{\"type\":\"order\",\"orders\":[" PLAIN "],\"grouping\":{\"p\":0}}").count, 1);
}

static void a_multisig_conversion_names_every_new_owner(void **state)
{
    const char *start = "{\"type\":\"convertToMultiSigUser\",\"signatureChainId\":\"0x1\",\"hyperliquidChain\":"
                        "\"Mainnet\",\"nonce\":1700000000000,\"signers\":";
    char text[512];
    (void)state;
    (void)snprintf(text, sizeof(text), "%s%s", start,
                   "\"{\\\"authorizedUsers\\\":[\\\"" ALICE "\\\",\\\"" BOB "\\\"],\\\"threshold\\\":1}\"}");
    struct intents i = judged("hl-user", text);
    assert_int_equal(i.count, 2);
    assert_true(view_is(i.items[0].destination, ALICE) && view_is(i.items[1].destination, BOB));
    (void)snprintf(text, sizeof(text), "%s\"null\"}", start);
    i = judged("hl-user", text);
    assert_int_equal(i.count, 1);
    assert_int_equal(i.items[0].class, INTENT_WITHDRAW);
}

static void an_agent_without_a_name_is_signed_with_an_empty_one(void **state)
{
    static const char *const actions[] = {
        "{\"type\":\"approveAgent\",\"signatureChainId\":\"0x1\",\"hyperliquidChain\":\"Mainnet\",\"agentAddress\":"
        "\"" ALICE "\",\"agentName\":\"\",\"nonce\":1700000000000}",
        "{\"type\":\"approveAgent\",\"signatureChainId\":\"0x1\",\"hyperliquidChain\":\"Mainnet\",\"agentAddress\":"
        "\"" ALICE "\",\"agentName\":null,\"nonce\":1700000000000}",
        "{\"type\":\"approveAgent\",\"signatureChainId\":\"0x1\",\"hyperliquidChain\":\"Mainnet\",\"agentAddress\":"
        "\"" ALICE "\",\"nonce\":1700000000000}"};
    struct signing_key *key = case_key(CASE_KEY);
    struct sign_result results[3] = {0};
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(actions); i++) {
        struct sign_request r = case_request(actions[i]);
        assert_int_equal(scheme_hl_user.sign(venue, key, &r, arena, &results[i], NULL), OK);
        assert_true(view_eq(results[i].signature, results[0].signature));
    }
    scheme_hl_user.key_free(key);
}

static void another_account_is_another_endpoint(void **state)
{
    struct sign_request r = case_request("{\"type\":\"noop\"}");
    struct intents i = {0};
    (void)state;
    r.vault_address = VIEW_STR(ALICE);
    assert_int_equal(scheme_hl_l1.judge(venue, &r, arena, &i, NULL), OK);
    assert_true(view_is(i.items[0].endpoint, "vault/" ALICE "/noop"));
    r.multi_sig_user = VIEW_STR(BOB);
    r.outer_signer = VIEW_STR(OWN);
    assert_int_equal(scheme_hl_multisig.judge(venue, &r, arena, &i, NULL), OK);
    assert_true(view_is(i.items[0].endpoint, "multiSig/" BOB "/vault/" ALICE "/noop"));
}

/* --- refusals */

struct refusal {
    const char *scheme, *action;
    enum err code;
    const char *where, *says;
};

static const struct refusal refusals[] = {
    {"hl-l1", "{\"type\":\"dummy\",\"num\":1}", ERR_UNKNOWN_ENDPOINT, "/type", "dummy"},
    {"hl-l1", "{\"orders\":[]}", ERR_UNKNOWN_ENDPOINT, "/type", ""},
    {"hl-l1", "[]", ERR_UNKNOWN_ENDPOINT, "/type", ""},
    {"hl-l1", "[\"" ALICE "\",\"" BOB "\",{\"type\":\"noop\"}]", ERR_UNKNOWN_ENDPOINT, "/type", ""},
    {"hl-l1", SEND("0x1", "Mainnet", ALICE, "1", "1700000000000"), ERR_UNKNOWN_ENDPOINT, "/type", "hl-user"},
    {"hl-user", "{\"type\":\"noop\"}", ERR_UNKNOWN_ENDPOINT, "/type", "hl-l1"},
    {"hl-l1", WRAPPER(OWN, "{\"type\":\"noop\"}"), ERR_UNKNOWN_ENDPOINT, "/type", "hl-multisig"},
    {"hl-l1", ORDERS("", ""), ERR_BAD_VALUE, "", "does nothing"},
    {"hl-l1", ORDERS(PLAIN, ",\"vault\":1"), ERR_UNKNOWN_PARAMETER, "/vault", "order"},
    {"hl-l1", ORDERS(ORDER("10.5", "\"2\"", "false", GTC), ""), ERR_WRONG_TYPE, "/orders/0/p", "as text"},
    {"hl-l1", ORDERS(ORDER("\"10.50\"", "\"2\"", "false", GTC), ""), ERR_BAD_VALUE, "/orders/0/p", "\"10.5\""},
    {"hl-l1", ORDERS(ORDER("\"010\"", "\"2\"", "false", GTC), ""), ERR_BAD_VALUE, "/orders/0/p", "\"10\""},
    {"hl-l1", ORDERS(PLAIN "," ORDER("\"1\"", "\"2.\"", "false", GTC), ""), ERR_BAD_VALUE, "/orders/1/s", "\"2\""},
    {"hl-l1", ORDERS(ORDER("\"-1\"", "\"2\"", "false", GTC), ""), ERR_BAD_VALUE, "/orders/0/p", "not negative"},
    {"hl-l1", ORDERS(ORDER("\"1e3\"", "\"2\"", "false", GTC), ""), ERR_BAD_VALUE, "/orders/0/p", "decimal"},
    {"hl-l1", ORDERS(ORDER("\"0\"", "\"2\"", "false", GTC), ""), ERR_BAD_VALUE, "/orders/0/p", "above 0"},
    {"hl-l1", ORDERS(ORDER("\"0.123456789\"", "\"2\"", "false", GTC), ""), ERR_OUT_OF_RANGE, "/orders/0/p", "8"},
    {"hl-l1", ORDERS(ORDER("\"99999999999999999999999999999999999999\"", "\"2\"", "false", GTC), ""), ERR_OUT_OF_RANGE,
     "/orders/0/p", "digits"},
    {"hl-l1", ORDERS(ORDER("\"9999999999999999999999999999\"", "\"9999999999999999999999999999\"", "false", GTC), ""),
     ERR_OUT_OF_RANGE, "/orders/0", "too large"},
    {"hl-l1", ORDERS(ORDER("\"1\"", "\"0\"", "false", GTC), ""), ERR_BAD_VALUE, "/orders/0", "size 0"},
    {"hl-l1", ORDERS(ORDER("\"1\"", "\"0\"", "true", GTC), ""), ERR_BAD_VALUE, "/orders/0", "size 0"},
    {"hl-l1", ORDERS(ORDER("\"1\"", "\"0\"", "false", TRIGGER("true")), ""), ERR_BAD_VALUE, "/orders/0", "size 0"},
    {"hl-l1", "{\"type\":\"twapOrder\",\"twap\":{\"a\":3,\"b\":true,\"s\":\"0\",\"r\":false,\"m\":30,\"t\":true}}",
     ERR_BAD_VALUE, "/twap", "size 0"},
    {"hl-l1", ORDERS(ORDER("\"1\"", "\"1\"", "1", GTC), ""), ERR_WRONG_TYPE, "/orders/0/r", "true or false"},
    {"hl-l1", ORDERS(ORDER("\"1\"", "\"1\"", "true", "{}"), ""), ERR_BAD_VALUE, "/orders/0/t", "exactly one"},
    {"hl-l1",
     ORDERS(ORDER("\"1\"", "\"1\"", "true",
                  "{\"limit\":{\"tif\":\"Gtc\"},\"trigger\":{\"isMarket\":true,\"triggerPx\":\"9\",\"tpsl\":\"sl\"}}"),
            ""),
     ERR_BAD_VALUE, "/orders/0/t", "exactly one"},
    {"hl-l1", ORDERS(ORDER("\"1\"", "\"1\"", "true", "{\"limit\":{\"tif\":\"gtc\"}}"), ""), ERR_BAD_VALUE,
     "/orders/0/t/limit/tif", "Gtc"},
    {"hl-l1", ORDERS(PLAIN, ",\"builder\":{\"b\":\"0xABCDEF1111111111111111111111111111111111\",\"f\":1}"),
     ERR_BAD_VALUE, "/builder/b", "lower case"},
    {"hl-l1", "{\"type\":\"cancel\",\"cancels\":[{\"a\":1,\"o\":9007199254740992}]}", ERR_OUT_OF_RANGE, "/cancels/0/o",
     ""},
    {"hl-l1", "{\"type\":\"cancel\",\"cancels\":[{\"a\":-1,\"o\":1}]}", ERR_OUT_OF_RANGE, "/cancels/0/a", ""},
    {"hl-l1", "{\"type\":\"cancel\",\"cancels\":[{\"a\":1.0,\"o\":1}]}", ERR_WRONG_TYPE, "/cancels/0/a", "integer"},
    {"hl-l1", "{\"type\":\"cancel\",\"cancels\":[{\"a\":1}]}", ERR_MISSING_FIELD, "/cancels/0/o", ""},
    {"hl-l1", "{\"type\":\"cancel\",\"cancels\":{}}", ERR_WRONG_TYPE, "/cancels", "list"},
    {"hl-l1",
     "{\"type\":\"cancelByCloid\",\"cancels\":[{\"asset\":1,\"cloid\":\"0x0000000000000000000000000000000A\"}]}",
     ERR_BAD_VALUE, "/cancels/0/cloid", "lower case"},
    {"hl-l1",
     "{\"type\":\"createVault\",\"name\":\"v\",\"description\":\"d\",\"initialUsd\":1,\"nonce\":1700000000001}",
     ERR_BAD_VALUE, "/nonce", "1700000000000"},
    {"hl-user", SEND("0x1", "Mainnet", ALICE, "1", "1700000000001"), ERR_BAD_VALUE, "/time", "1700000000000"},
    {"hl-user", SEND("0x1", "Testnet", ALICE, "1", "1700000000000"), ERR_BAD_VALUE, "/hyperliquidChain", "Mainnet"},
    {"hl-user", SEND("1", "Mainnet", ALICE, "1", "1700000000000"), ERR_BAD_VALUE, "/signatureChainId", "0x"},
    {"hl-user", SEND("0xA4B1", "Mainnet", ALICE, "1", "1700000000000"), ERR_BAD_VALUE, "/signatureChainId", "lower"},
    {"hl-user", SEND("0x01", "Mainnet", ALICE, "1", "1700000000000"), ERR_BAD_VALUE, "/signatureChainId", "zero"},
    {"hl-user", SEND("0x1", "Mainnet", "0xABCDEF1111111111111111111111111111111111", "1", "1700000000000"),
     ERR_BAD_VALUE, "/destination", "lower case"},
    {"hl-user", SEND("0x1", "Mainnet", ALICE, "-1", "1700000000000"), ERR_BAD_VALUE, "/amount", "not negative"},
    {"hl-user", SEND("0x1", "Mainnet", ALICE, "1e9", "1700000000000"), ERR_BAD_VALUE, "/amount", "decimal"},
    {"hl-user",
     "{\"type\":\"usdSend\",\"hyperliquidChain\":\"Mainnet\",\"destination\":\"" ALICE
     "\",\"amount\":\"1\",\"time\":1700000000000}",
     ERR_MISSING_FIELD, "/signatureChainId", ""},
    {"hl-user",
     "{\"type\":\"usdClassTransfer\",\"signatureChainId\":\"0x1\",\"hyperliquidChain\":\"Mainnet\",\"amount\":"
     "\"1 subaccount:bob\",\"toPerp\":true,\"nonce\":1700000000000}",
     ERR_BAD_VALUE, "/amount", "subaccount"},
    {"hl-user",
     "{\"type\":\"convertToMultiSigUser\",\"signatureChainId\":\"0x1\",\"hyperliquidChain\":\"Mainnet\",\"signers\":"
     "\"{\\\"authorizedUsers\\\":[],\\\"threshold\\\":0}\",\"nonce\":1700000000000}",
     ERR_BAD_VALUE, "/signers", "authorizedUsers"},
    {"hl-user",
     "{\"type\":\"convertToMultiSigUser\",\"signatureChainId\":\"0x1\",\"hyperliquidChain\":\"Mainnet\",\"signers\":"
     "\"{\\\"authorizedUsers\\\":[\\\"bob\\\"],\\\"threshold\\\":0}\",\"nonce\":1700000000000}",
     ERR_BAD_VALUE, "/signers", "lower case"},
    {"hl-user", EVM("4294967296", "0x"), ERR_OUT_OF_RANGE, "/destinationChainId", "4294967295"},
    {"hl-user", EVM("1", "0xabc"), ERR_BAD_VALUE, "/data", "digit is missing"},
    {"hl-user", EVM("1", "0xAB"), ERR_BAD_VALUE, "/data", "lower case"},
    {"hl-user",
     "{\"type\":\"convertToMultiSigUser\",\"signatureChainId\":\"0x1\",\"hyperliquidChain\":\"Mainnet\",\"signers\":"
     "\"{\\\"authorizedUsers\\\":[\\\"" ALICE "\\\"],\\\"threshold\\\":1,\\\"x\\\":1}\",\"nonce\":1700000000000}",
     ERR_BAD_VALUE, "/signers", "authorizedUsers"},
    {"hl-l1", ORDERS("{\"type\":\"x\",\"a\":39,\"b\":false,\"p\":\"1\",\"s\":\"1\",\"r\":false,\"t\":" GTC "}", ""),
     ERR_UNKNOWN_PARAMETER, "/orders/0/type", "order"},
    {"hl-multisig", WRAPPER(OWN, WRAPPER(OWN, "{\"type\":\"noop\"}")), ERR_UNKNOWN_ENDPOINT, "/payload/action/type",
     ""},
    {"hl-multisig", WRAPPER(OWN, "{\"type\":\"noop\",\"x\":1}"), ERR_UNKNOWN_PARAMETER, "/payload/action/x", "noop"},
    {"hl-multisig", WRAPPER(OWN, SEND("0x1", "Testnet", ALICE, "1", "1700000000000")), ERR_BAD_VALUE,
     "/payload/action/hyperliquidChain", "Mainnet"},
    {"hl-multisig", "{\"type\":\"noop\"}", ERR_BAD_VALUE, "multi_sig_user", "0x"},
};

static void what_is_not_certain_is_refused(void **state)
{
    struct signing_key *key = case_key(CASE_KEY);
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(refusals); i++) {
        const struct refusal *want = &refusals[i];
        struct sign_request r = case_request(want->action);
        struct intents intents = {0};
        struct sign_result result = {0};
        struct problem why = {0};
        enum err e = case_judge(venue, want->scheme, want->action, arena, &intents, &why);
        if (e != want->code || strcmp(why.where, want->where) != 0 || !strstr(why.detail, want->says))
            fail_msg("%s: %s at '%s': %s", want->action, e == OK ? "ok" : err_code(e), why.where, why.detail);
        assert_int_equal(intents.count, 0);
        assert_int_equal(case_scheme(want->scheme)->sign(venue, key, &r, arena, &result, NULL), want->code);
        assert_int_equal(result.signature.len, 0);
        arena_reset(arena);
    }
    scheme_hl_l1.key_free(key);
}

static void json_that_can_be_read_in_two_ways_is_refused(void **state)
{
    static const char *const texts[] = {"",
                                        "{",
                                        "{\"type\":\"noop\"}x",
                                        "{\"type\":\"noop\",\"type\":\"noop\"}",
                                        "{\"type\":\"cancel\",\"cancels\":[{\"a\":1,\"a\":2,\"o\":1}]}",
                                        "{\"type\":\"noop\\u0000\"}",
                                        "{\"type\":\"\xff\"}",
                                        "{\"type\":\"cancel\",\"cancels\":[{\"a\":99999999999999999999,\"o\":1}]}"};
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        struct intents intents = {0};
        assert_int_not_equal(case_judge(venue, "hl-l1", texts[i], arena, &intents, NULL), OK);
    }
}

/* --- what is said beside the action */

struct setting {
    const char *scheme, *action;
    void (*change)(struct sign_request *r);
    enum err code;
    const char *where;
};

static void no_network(struct sign_request *r)
{
    r->network = VIEW_STR("Mainnet");
}
static void vault_upper(struct sign_request *r)
{
    r->vault_address = VIEW_STR("0xABCDEF1111111111111111111111111111111111");
}
static void vault(struct sign_request *r)
{
    r->vault_address = VIEW_STR(ALICE);
}
static void expiry(struct sign_request *r)
{
    r->has_expires_after = true;
    r->expires_after = CASE_NONCE;
}
static void other_path(struct sign_request *r)
{
    r->path = VIEW_STR("/info");
}
static void other_method(struct sign_request *r)
{
    r->method = VIEW_STR("GET");
}
static void with_body(struct sign_request *r)
{
    r->body = VIEW_STR("{}");
}
static void big_nonce(struct sign_request *r)
{
    r->nonce = UINT64_MAX;
}
static void cosigned(struct sign_request *r)
{
    r->multi_sig_user = VIEW_STR(ALICE);
}
static void other_user(struct sign_request *r)
{
    r->multi_sig_user = VIEW_STR(BOB);
}

static const struct setting settings[] = {
    {"hl-l1", "{\"type\":\"noop\"}", no_network, ERR_BAD_VALUE, "network"},
    {"hl-l1", "{\"type\":\"noop\"}", vault_upper, ERR_BAD_VALUE, "vault_address"},
    {"hl-l1", "{\"type\":\"noop\"}", other_path, ERR_UNKNOWN_ENDPOINT, "path"},
    {"hl-l1", "{\"type\":\"noop\"}", other_method, ERR_UNKNOWN_ENDPOINT, "path"},
    {"hl-l1", "{\"type\":\"noop\"}", with_body, ERR_UNKNOWN_ENDPOINT, "path"},
    {"hl-l1", "{\"type\":\"noop\"}", big_nonce, ERR_BAD_VALUE, "nonce"},
    {"hl-l1", "{\"type\":\"noop\"}", cosigned, ERR_BAD_VALUE, "multi_sig_user"},
    {"hl-user", SEND("0x1", "Mainnet", ALICE, "1", "1700000000000"), vault, ERR_BAD_VALUE, "vault_address"},
    {"hl-user", SEND("0x1", "Mainnet", ALICE, "1", "1700000000000"), expiry, ERR_BAD_VALUE, "expires_after"},
    {"hl-multisig", WRAPPER(OWN, "{\"type\":\"noop\"}"), other_user, ERR_BAD_VALUE, "multi_sig_user"},
    {"hl-multisig", "{\"type\":\"noop\"}", cosigned, ERR_BAD_VALUE, "outer_signer"},
};

static void what_the_signature_does_not_cover_is_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(settings); i++) {
        struct sign_request r = case_request(settings[i].action);
        struct intents intents = {0};
        struct problem why = {0};
        settings[i].change(&r);
        assert_int_equal(case_scheme(settings[i].scheme)->judge(venue, &r, arena, &intents, &why), settings[i].code);
        assert_string_equal(why.where, settings[i].where);
    }
}

static void sign_digest(const struct sign_request *r, enum hl_kind kind, uint8_t out[32])
{
    struct hl_call call = {0};
    struct hl_digest digest = {0};
    assert_int_equal(hyperliquid_call_read(kind, r, arena, &call, NULL, NULL), OK);
    assert_int_equal(hyperliquid_hash(&call, r, arena, &digest), OK);
    memcpy(out, digest.digest, 32);
    hyperliquid_call_done(&call);
}

/* One digest for each of: the plain action, another network, nonce, vault, expiry, and a co-signer's contribution. */
static void every_setting_changes_what_is_signed(void **state)
{
    struct sign_request r[7];
    uint8_t digests[7][32];
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(r); i++)
        r[i] = case_request("{\"type\":\"noop\"}");
    r[1].network = VIEW_STR("testnet");
    r[2].nonce++;
    vault(&r[3]);
    expiry(&r[4]);
    cosigned(&r[5]);
    r[5].outer_signer = VIEW_STR(BOB);
    r[6] = r[5];
    r[6].outer_signer = VIEW_STR(OWN);
    for (size_t i = 0; i < ARRAY_LEN(r); i++) {
        sign_digest(&r[i], i < 5 ? HL_L1 : HL_MULTISIG, digests[i]);
        for (size_t k = 0; k < i; k++)
            assert_memory_not_equal(digests[i], digests[k], 32);
    }
}

static void only_the_outer_signer_signs_the_whole(void **state)
{
    struct signing_key *key = case_key(CASE_KEY);
    struct sign_result result = {0};
    struct problem why = {0};
    struct sign_request r = case_request(WRAPPER(OWN, "{\"type\":\"noop\"}"));
    (void)state;
    assert_int_equal(scheme_hl_multisig.sign(venue, key, &r, arena, &result, &why), OK);
    r = case_request(WRAPPER(BOB, "{\"type\":\"noop\"}"));
    assert_int_equal(scheme_hl_multisig.sign(venue, key, &r, arena, &result, &why), ERR_BAD_VALUE);
    assert_string_equal(why.where, "/payload/outerSigner");
    scheme_hl_multisig.key_free(key);
}

static void a_host_must_be_the_venue_s_on_that_network(void **state)
{
    struct signing_key *key = case_key(CASE_KEY);
    struct sign_result result = {0};
    struct intents intents = {0};
    struct sign_request r = case_request("{\"type\":\"noop\"}");
    (void)state;
    r.host = VIEW_STR("api.hyperliquid-testnet.xyz");
    assert_int_equal(scheme_hl_l1.judge(venue, &r, arena, &intents, NULL), ERR_UNKNOWN_ENDPOINT);
    assert_int_equal(scheme_hl_l1.sign(venue, key, &r, arena, &result, NULL), ERR_UNKNOWN_ENDPOINT);
    r.network = VIEW_STR("testnet");
    assert_int_equal(scheme_hl_l1.sign(venue, key, &r, arena, &result, NULL), OK);
    assert_true(view_is(result.url, "https://api.hyperliquid-testnet.xyz/exchange"));
    scheme_hl_l1.key_free(key);
}

static void the_nonce_of_an_action_can_be_adopted(void **state)
{
    uint64_t nonce = 0;
    (void)state;
    assert_int_equal(hyperliquid_nonce(VIEW_STR(SEND("0x1", "Mainnet", ALICE, "1", "17")), &nonce), OK);
    assert_int_equal(nonce, 17);
    assert_int_equal(hyperliquid_nonce(VIEW_STR(WRAPPER(OWN, SEND("0x1", "Mainnet", ALICE, "1", "18"))), &nonce), OK);
    assert_int_equal(nonce, 18);
    assert_int_equal(hyperliquid_nonce(VIEW_STR("{\"type\":\"scheduleCancel\",\"time\":5}"), &nonce), ERR_NOT_FOUND);
    assert_int_equal(hyperliquid_nonce(VIEW_STR("{"), &nonce), ERR_NOT_FOUND);
    assert_int_equal(nonce, 18);
}

static void only_a_private_key_fits(void **state)
{
    static const char *const wrong[] = {"",
                                        "0x",
                                        "0x00",
                                        "secret",
                                        "0x0000000000000000000000000000000000000000000000000000000000000000",
                                        "0xffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
                                        CASE_KEY "00"};
    struct signing_key *key = NULL;
    struct problem why = {0};
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
        struct bundle bundle = {.secret = view_str(wrong[i])};
        assert_int_equal(scheme_hl_l1.key_new(&bundle, &key, &why), ERR_WRONG_KEY_FOR_VENUE);
        assert_null(key);
        assert_string_equal(why.where, "secret");
    }
    struct bundle bundle = {.secret = VIEW_STR(CASE_KEY), .passphrase = VIEW_STR("x")};
    assert_int_equal(scheme_hl_l1.key_new(&bundle, &key, &why), ERR_WRONG_KEY_FOR_VENUE);
    bundle = (struct bundle){.secret = VIEW_STR(CASE_KEY), .api_key = VIEW_STR("main")};
    assert_int_equal(scheme_hl_l1.key_new(&bundle, &key, &why), ERR_WRONG_KEY_FOR_VENUE);
    bundle.api_key = VIEW_STR("0xABCDEF1111111111111111111111111111111111");
    assert_int_equal(scheme_hl_l1.key_new(&bundle, &key, &why), OK);
    scheme_hl_l1.key_free(key);
}

int main(void)
{
    bool locked;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(each_order_is_an_intent, reset),
        cmocka_unit_test_setup(fees_to_others_are_told_apart, reset),
        cmocka_unit_test_setup(a_multisig_conversion_names_every_new_owner, reset),
        cmocka_unit_test_setup(an_agent_without_a_name_is_signed_with_an_empty_one, reset),
        cmocka_unit_test_setup(another_account_is_another_endpoint, reset),
        cmocka_unit_test_setup(what_is_not_certain_is_refused, reset),
        cmocka_unit_test_setup(json_that_can_be_read_in_two_ways_is_refused, reset),
        cmocka_unit_test_setup(what_the_signature_does_not_cover_is_refused, reset),
        cmocka_unit_test_setup(every_setting_changes_what_is_signed, reset),
        cmocka_unit_test_setup(only_the_outer_signer_signs_the_whole, reset),
        cmocka_unit_test_setup(a_host_must_be_the_venue_s_on_that_network, reset),
        cmocka_unit_test_setup(the_nonce_of_an_action_can_be_adopted, reset),
        cmocka_unit_test_setup(only_a_private_key_fits, reset),
    };
    if (crypto_init(&locked) != OK || crypto_pk_init() != OK)
        return 1;
    venue = case_venue();
    arena = case_arena();
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    arena_free(arena);
    venue_free(venue);
    return failed;
}
