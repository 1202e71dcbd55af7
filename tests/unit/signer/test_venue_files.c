/* The venue files that are shipped, and files that must stop the start. */
#include "rest_case.h"

#include "signer/venue_model.h"

static void check_endpoint(const struct venue *v, const struct venue_endpoint *e)
{
    bool frame = e->path.len == 0;
    if (!frame && !venue_host_of(v, VIEW(NULL, 0), e->path))
        fail_msg("no host serves %.*s", (int)e->call.len, (const char *)e->call.ptr);
    assert_ptr_equal(venue_endpoint_of(v, e->method, e->path), e);
    for (size_t i = 0; i < e->group_count; i++)
        for (size_t k = 0; k < e->groups[i].count; k++)
            assert_true(name_set_has(&e->all, e->groups[i].ids[k]));
    /* An order whose size nothing names could not be limited. */
    bool sized = e->class != INTENT_ORDER || e->member;
    for (uint16_t id = 0; id < v->name_count; id++) {
        uint8_t role = name_set_has(&e->all, id) ? v->names[id].param->role : ROLE_NONE;
        sized = sized || role == ROLE_SIZE || role == ROLE_QUOTE_SIZE;
    }
    if (!sized)
        fail_msg("%.*s is an order without a size", (int)e->call.len, (const char *)e->call.ptr);
}

static void test_shipped(void **state)
{
    (void)state;
    static const char *const names[] = {"binance", "phemex"};
    static const size_t least[] = {350, 80};
    for (size_t n = 0; n < ARRAY_LEN(names); n++) {
        struct venue *v = rest_venue(names[n]);
        assert_true(view_is(venue_name(v), names[n]));
        assert_true(v->decl.endpoints.count >= least[n]);
        for (size_t i = 0; i < v->decl.endpoints.count; i++)
            check_endpoint(v, venue_endpoint_at(v, i));
        const struct venue_scheme *s = v->decl.schemes.items;
        for (size_t i = 0; i < v->decl.schemes.count; i++)
            assert_non_null(scheme_find(s[i].name));
        venue_free(v);
    }
}

/* A misspelt endpoint would refuse what the administrator meant to allow, and only when the bot trades. */
static void test_policy_endpoints(void **state)
{
    (void)state;
    static const struct {
        const char *venue, *scheme, *policy, *where; /* "": good */
    } rows[] = {
        {"binance", "binance-hmac", "{}", ""},
        {"binance", "binance-hmac", "{\"endpoints\":[\"GET /api/v3/account\"]}", ""},
        {"binance", "binance-hmac", "{\"classes\":[\"order\"],\"endpoints\":[\"* /api/v3/order\",\"order.place\"]}",
         ""},
        {"binance", "binance-hmac", "{\"classes\":[\"order\"],\"endpoints\":[\"GET /api/v3/account\"]}",
         "/endpoints/0"},
        {"binance", "binance-hmac", "{\"endpoints\":[\"GET /api/v3/*\",\"POST /nowhere\"]}", "/endpoints/1"},
        {"binance", "binance-hmac", "{\"endpoints\":[\"GET /spot/wallets\"]}", "/endpoints/0"},
        {"phemex", "phemex", "{\"endpoints\":[\"GET /spot/wallets\"]}", ""},
        {"phemex", "phemex", "{\"classes\":[\"order\"],\"endpoints\":[\"DELETE /g-orders*\"]}", "/endpoints/0"},
        {"hyperliquid", "hl-l1", "{\"endpoints\":[\"order\",\"cancel*\",\"perpDeploy/setOracle\"]}", ""},
        {"hyperliquid", "hl-l1", "{\"endpoints\":[\"order\",\"orders\"]}", "/endpoints/1"},
        {"hyperliquid", "hl-l1", "{\"endpoints\":[\"Order\"]}", "/endpoints/0"},
        {"hyperliquid", "hl-l1", "{\"endpoints\":[\"vault/*/order\"]}", ""},
        {"hyperliquid", "hl-l1", "{\"endpoints\":[\"vault/0x0123456789012345678901234567890123456789/order\"]}", ""},
        {"hyperliquid", "hl-l1", "{\"endpoints\":[\"vault/0x0123456789012345678901234567890123456789/ordre\"]}",
         "/endpoints/0"},
        {"hyperliquid", "hl-l1", "{\"endpoints\":[\"vault/0x01/order\"]}", "/endpoints/0"},
        {"hyperliquid", "hl-multisig", "{\"endpoints\":[\"multiSig/0x0123456789012345678901234567890123456789/usd*\"]}",
         ""},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct venue *v = rest_venue(rows[i].venue);
        struct policy *p = NULL;
        struct problem why = {0};
        assert_int_equal(policy_parse(T(rows[i].policy), &p, &why), OK);
        enum err expected = rows[i].where[0] ? ERR_CONTRADICTORY_POLICY : OK;
        if (policy_check_endpoints(p, v, scheme_find(T(rows[i].scheme)), &why) != expected ||
            strcmp(why.where, rows[i].where) != 0)
            fail_msg("%s: at '%s', should be at '%s'", rows[i].policy, why.where, rows[i].where);
        policy_free(p);
        venue_free(v);
    }
}

/* What moves funds must say so: the class is what the default policy refuses by. */
static void test_classes(void **state)
{
    (void)state;
    static const struct {
        const char *venue, *method, *path;
        enum intent_class class;
    } rows[] = {
        {"binance", "POST", "/sapi/v1/capital/withdraw/apply", INTENT_WITHDRAW},
        {"binance", "POST", "/sapi/v1/localentity/withdraw/apply", INTENT_WITHDRAW},
        {"binance", "POST", "/sapi/v1/giftcard/createCode", INTENT_WITHDRAW},
        {"binance", "POST", "/sapi/v1/asset/transfer", INTENT_TRANSFER},
        {"binance", "POST", "/sapi/v1/sub-account/universalTransfer", INTENT_TRANSFER},
        {"binance", "POST", "/sapi/v1/margin/borrow-repay", INTENT_TRANSFER},
        {"binance", "POST", "/sapi/v1/asset/dust", INTENT_TRANSFER},
        {"binance", "POST", "/papi/v1/auto-collection", INTENT_TRANSFER},
        {"binance", "POST", "/sapi/v1/convert/acceptQuote", INTENT_TRANSFER},
        {"binance", "POST", "/sapi/v1/account/enableFastWithdrawSwitch", INTENT_ACCOUNT},
        {"binance", "POST", "/sapi/v1/broker/subAccountApi", INTENT_SESSION},
        {"binance", "session.logon", "", INTENT_SESSION},
        {"binance", "DELETE", "/api/v3/openOrders", INTENT_CANCEL},
        {"phemex", "POST", "/exchange/wallets/createWithdraw", INTENT_WITHDRAW},
        {"phemex", "GET", "/exchange/wallets/confirm/withdraw", INTENT_WITHDRAW},
        {"phemex", "POST", "/assets/universal-transfer", INTENT_TRANSFER},
        {"phemex", "POST", "/positions/assign", INTENT_TRANSFER},
        {"phemex", "user.auth", "", INTENT_SESSION},
    };
    struct venue *binance = rest_venue("binance"), *phemex = rest_venue("phemex");
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        const struct venue *v = strcmp(rows[i].venue, "phemex") == 0 ? phemex : binance;
        const struct venue_endpoint *e = venue_endpoint_of(v, T(rows[i].method), T(rows[i].path));
        if (!e || e->class != rows[i].class)
            fail_msg("%s %s", rows[i].method, rows[i].path);
    }
    venue_free(binance);
    venue_free(phemex);
}

#define HEAD   "name: x\nhosts:\n  - {name: h, transport: https, serves: [/]}\n"
#define SCHEME "schemes:\n  - {name: s, algorithm: hmac-sha256, place: header, prehash: [query]}\n"
#define REST   "params:\n  - {names: [a, b]}\norder_types: []\nsets: []\n"
#define CALL   "endpoints:\n  - {call: GET /a, class: read, optional: [a]}\n"

static void test_refused(void **state)
{
    (void)state;
    static const struct {
        const char *what, *text, *where;
    } rows[] = {
        {"nothing", "", NULL},
        {"no YAML", "{", NULL},
        {"an unknown field", HEAD SCHEME REST CALL "colour: red\n", "v.yaml:12:"},
        {"a parameter twice", HEAD SCHEME "params:\n  - {names: [a, a]}\norder_types: []\nsets: []\n" CALL, NULL},
        {"an undeclared parameter", HEAD SCHEME REST "endpoints:\n  - {call: GET /a, class: read, optional: [c]}\n",
         "v.yaml:11:"},
        {"an unknown set", HEAD SCHEME REST "endpoints:\n  - {call: GET /a, class: read, optional: [+c]}\n",
         "v.yaml:11:"},
        {"a call twice", HEAD SCHEME REST CALL "  - {call: GET /a, class: read}\n", "v.yaml:12:"},
        {"an unknown class", HEAD SCHEME REST "endpoints:\n  - {call: GET /a, class: look}\n", "v.yaml:11:"},
        {"no class", HEAD SCHEME REST "endpoints:\n  - {call: GET /a}\n", "v.yaml:11:"},
        {"an unknown method", HEAD SCHEME REST "endpoints:\n  - {call: LOOK /a, class: read}\n", "v.yaml:11:"},
        {"a path without slash", HEAD SCHEME REST "endpoints:\n  - {call: GET a, class: read}\n", "v.yaml:11:"},
        {"a parameter twice in a call",
         HEAD SCHEME REST "endpoints:\n  - {call: GET /a, class: read, required: [a], optional: [a]}\n", "v.yaml:11:"},
        {"like nothing", HEAD SCHEME REST "endpoints:\n  - {call: GET /a, class: read, each: GET /b}\n", "v.yaml:11:"},
        {"an unknown token",
         HEAD "schemes:\n  - {name: s, algorithm: hmac-sha256, place: header, prehash: [moon]}\n" REST CALL,
         "v.yaml:5:"},
        {"an algorithm without text", HEAD "schemes:\n  - {name: s, algorithm: hmac-sha256, place: header}\n" REST CALL,
         "v.yaml:5:"},
        {"an expiry without length",
         HEAD "schemes:\n  - {name: s, algorithm: hmac-sha256, place: header, prehash: [expiry]}\n" REST CALL,
         "v.yaml:5:"},
    };
    struct venue *v = NULL;
    struct problem why = {0};
    assert_int_equal(venue_parse("v.yaml", T(HEAD SCHEME REST CALL), &v, &why), OK);
    venue_free(v);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        v = NULL;
        why = (struct problem){0};
        enum err e = venue_parse("v.yaml", T(rows[i].text), &v, &why);
        if (e != ERR_BAD_CONFIG || v ||
            (rows[i].where && strncmp(why.where, rows[i].where, strlen(rows[i].where)) != 0))
            fail_msg("%s: %s at %s: %s", rows[i].what, err_code(e), why.where, why.detail);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_shipped), cmocka_unit_test(test_policy_endpoints),
                                       cmocka_unit_test(test_classes), cmocka_unit_test(test_refused)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
