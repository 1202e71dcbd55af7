/* Signing policies: each rule where it allows, where it refuses, and at its boundary; what can't be meant is refused at
 * once. */
#include "rest_case.h"

#define DEC(n, s) ((struct decimal){(n), (s)})
#define ALL       "\"classes\":[\"read\",\"cancel\",\"amend\",\"order\",\"account\",\"session\",\"transfer\"]"

static const struct intent buy = {.class = INTENT_ORDER,
                                  .symbol = {(const uint8_t *)"BTCUSDT", 7},
                                  .side = SIDE_BUY,
                                  .order_type = {(const uint8_t *)"limit", 5},
                                  .endpoint = {(const uint8_t *)"POST /api/v3/order", 18},
                                  .has_size = true,
                                  .has_price = true,
                                  .price_binds = true,
                                  .has_notional = true,
                                  .size = {2, 0},
                                  .price = {50, 0},
                                  .notional = {100, 0}};

static struct policy *parse(const char *text)
{
    struct policy *p = NULL;
    struct problem why = {0};
    if (policy_parse(T(text), &p, &why) != OK)
        fail_msg("%s: %s %s", text, why.where, why.detail);
    return p;
}

static enum err judge(const char *text, const struct intent *in, const struct policy_caller *c, uint64_t now_ms,
                      struct policy_decision *ret)
{
    struct policy *p = parse(text);
    struct intents list = {.items = (struct intent[]){*in}, .count = 1};
    struct window_use w[POLICY_WINDOWS_MAX] = {0};
    struct policy_caller nobody = {0};
    assert_int_equal(policy_judge(p, &list, c ? c : &nobody, now_ms, false, w, ret), OK);
    policy_free(p);
    return ret->code;
}

static void expect(const char *text, struct intent in, enum err code, const char *rule)
{
    struct policy_decision d;
    if (judge(text, &in, NULL, 0, &d) != code || (code && strcmp(d.rule, rule) != 0))
        fail_msg("%s: %s by %s (%s), should be %s by %s", text, err_code(d.code), d.rule, d.sentence, err_code(code),
                 rule);
    assert_true(d.sentence[0]);
}

static void test_default(void **state)
{
    (void)state;
    for (int c = INTENT_READ; c < INTENT_CLASS_COUNT; c++) {
        struct intent in = {.class = (enum intent_class)c, .endpoint = T("GET /x")};
        bool funds = c == INTENT_TRANSFER || c == INTENT_WITHDRAW;
        expect("{}", in, c == INTENT_READ ? OK : funds ? ERR_MOVES_FUNDS : ERR_POLICY_REFUSED, "default");
    }
    struct policy *p = parse("{}");
    struct intents none = {0};
    struct policy_decision d;
    assert_int_equal(policy_judge(p, &none, &(struct policy_caller){0}, 0, false, NULL, &d), OK);
    assert_int_equal(d.code, ERR_POLICY_REFUSED);
    policy_free(p);
}

static void test_rules(void **state)
{
    (void)state;
    struct intent in = buy;
    expect("{\"classes\":[\"order\"]}", in, OK, "");
    expect("{\"classes\":[\"cancel\"]}", in, ERR_POLICY_REFUSED, "/classes");
    expect("{" ALL ",\"endpoints\":[\"* /api/v3/*\"]}", in, OK, "");
    expect("{" ALL ",\"endpoints\":[\"POST /api/v3/orders\"]}", in, ERR_POLICY_REFUSED, "/endpoints");
    expect("{" ALL ",\"symbols\":[\"BTC*\"]}", in, OK, "");
    expect("{" ALL ",\"symbols\":[\"ETHUSDT\"]}", in, ERR_POLICY_REFUSED, "/symbols");
    expect("{" ALL ",\"symbols\":[\"*\"],\"blocked_symbols\":[\"btcusdt\"]}", in, ERR_POLICY_REFUSED,
           "/blocked_symbols");
    expect("{" ALL ",\"sides\":[\"buy\"]}", in, OK, "");
    expect("{" ALL ",\"sides\":[\"sell\"]}", in, ERR_POLICY_REFUSED, "/sides");
    expect("{" ALL ",\"order_types\":[\"limit\"]}", in, OK, "");
    expect("{" ALL ",\"order_types\":[\"market\"]}", in, ERR_POLICY_REFUSED, "/order_types");
    in.symbol = VIEW(NULL, 0);
    expect("{" ALL ",\"symbols\":[\"BTC*\"]}", in, ERR_POLICY_REFUSED, "/symbols");
    expect("{" ALL ",\"blocked_symbols\":[\"BTC*\"]}", in, ERR_POLICY_REFUSED, "/blocked_symbols");
    in = buy;
    in.side = SIDE_NONE;
    expect("{" ALL ",\"sides\":[\"buy\"]}", in, ERR_POLICY_REFUSED, "/sides");
    in.class = INTENT_AMEND;
    expect("{" ALL ",\"sides\":[\"buy\"]}", in, OK, "");
}

static void test_sizes(void **state)
{
    (void)state;
    struct intent in = buy;
    expect("{" ALL ",\"max_size\":[{\"symbol\":\"BTCUSDT\",\"size\":\"2\"}]}", in, OK, "");
    expect("{" ALL ",\"max_size\":[{\"symbol\":\"BTCUSDT\",\"size\":\"1.99999999\"}]}", in, ERR_POLICY_REFUSED,
           "/max_size/0");
    expect("{" ALL ",\"max_size\":[{\"symbol\":\"BTCUSDT\",\"size\":\"1\"},{\"symbol\":\"*\",\"size\":\"9\"}]}", in,
           ERR_POLICY_REFUSED, "/max_size/0");
    expect("{" ALL ",\"max_size\":[{\"symbol\":\"ETHUSDT\",\"size\":\"1\"},{\"symbol\":\"*\",\"size\":\"9\"}]}", in, OK,
           "");
    expect("{" ALL ",\"max_size\":[{\"symbol\":\"ETHUSDT\",\"size\":\"9\"}]}", in, ERR_POLICY_REFUSED, "/max_size");
    in.has_size = false;
    expect("{" ALL ",\"max_size\":[{\"symbol\":\"*\",\"size\":\"9\"}]}", in, ERR_POLICY_REFUSED, "/max_size/0");
    in.class = INTENT_AMEND;
    expect("{" ALL ",\"max_size\":[{\"symbol\":\"*\",\"size\":\"9\"}]}", in, OK, "");
    in.other_size = true;
    expect("{" ALL ",\"max_size\":[{\"symbol\":\"*\",\"size\":\"9\"}]}", in, ERR_POLICY_REFUSED, "/max_size/0");
    in = buy; /* a size within the limit, and another one beside it */
    in.other_size = true;
    expect("{" ALL ",\"max_size\":[{\"symbol\":\"*\",\"size\":\"9\"}]}", in, ERR_POLICY_REFUSED, "/max_size/0");
}

static void test_notional(void **state)
{
    (void)state;
    struct intent in = buy;
#define AT_MOST(n) "{" ALL ",\"max_notional\":\"" n "\"}"
#define AT_MOST_REF(n, p)                                                                                              \
    "{" ALL ",\"max_notional\":\"" n "\",\"reference_prices\":[{\"symbol\":\"BTCUSDT\",\"price\":\"" p "\"}]}"
    expect(AT_MOST("100"), in, OK, "");
    expect(AT_MOST("99.99"), in, ERR_POLICY_REFUSED, "/max_notional");
    /* a sale's price is a floor, not a ceiling */
    in.side = SIDE_SELL;
    expect(AT_MOST("1000"), in, ERR_POLICY_REFUSED, "/max_notional");
    expect(AT_MOST_REF("1000", "500"), in, OK, "");
    expect(AT_MOST_REF("999", "500"), in, ERR_POLICY_REFUSED, "/max_notional");
    in.price = DEC(1, 0);
    in.notional = DEC(2, 0);
    expect(AT_MOST_REF("999", "500"), in, ERR_POLICY_REFUSED, "/max_notional");
    /* market orders, and what states a price that its type does not bind the venue to */
    in.side = SIDE_BUY;
    expect(AT_MOST("2"), in, OK, "");
    in.price_binds = false;
    expect(AT_MOST("1000000"), in, ERR_POLICY_REFUSED, "/max_notional");
    expect(AT_MOST_REF("999", "500"), in, ERR_POLICY_REFUSED, "/max_notional");
    expect(AT_MOST_REF("1000", "500"), in, OK, "");
    expect("{" ALL ",\"windows\":[{\"seconds\":60,\"notional\":\"1000\"}]}", in, ERR_POLICY_REFUSED, "/windows/0");
    in.has_price = in.has_notional = false;
    expect(AT_MOST("1000000"), in, ERR_POLICY_REFUSED, "/max_notional");
    expect(AT_MOST_REF("1000", "500"), in, OK, "");
    expect(AT_MOST_REF("999", "500"), in, ERR_POLICY_REFUSED, "/max_notional");
    /* a stated quote amount bounds both sides */
    in.has_size = false;
    in.has_notional = true;
    in.notional = DEC(100, 0);
    in.side = SIDE_SELL;
    expect(AT_MOST("100"), in, OK, "");
    expect(AT_MOST("99"), in, ERR_POLICY_REFUSED, "/max_notional");
    /* which of a size and a quote amount counts is not known */
    in.has_size = true;
    in.side = SIDE_BUY;
    expect(AT_MOST("100"), in, ERR_POLICY_REFUSED, "/max_notional");
    in.has_size = false;
    /* closing a whole position states nothing */
    in.has_notional = false;
    expect(AT_MOST_REF("999", "500"), in, ERR_POLICY_REFUSED, "/max_notional");
    in.class = INTENT_AMEND;
    expect(AT_MOST("1"), in, OK, "");
}

static void test_destinations(void **state)
{
    (void)state;
    struct intent in = {.class = INTENT_WITHDRAW, .endpoint = T("POST /w"), .destination = T("0xaa")};
    expect("{\"classes\":[\"withdraw\"],\"destinations\":[\"0xaa\"]}", in, OK, "");
    expect("{\"classes\":[\"withdraw\"],\"destinations\":[\"0xAA\"]}", in, ERR_MOVES_FUNDS, "/destinations");
    in.destination = VIEW(NULL, 0);
    expect("{\"classes\":[\"withdraw\"],\"destinations\":[\"0xaa\"]}", in, ERR_MOVES_FUNDS, "/destinations");
    in.class = INTENT_TRANSFER;
    expect("{\"classes\":[\"transfer\"]}", in, OK, "");
    in.destination = T("bob@example.org");
    expect("{\"classes\":[\"transfer\"]}", in, ERR_MOVES_FUNDS, "/destinations");
}

static void test_formable(void **state)
{
    (void)state;
    struct intent in = {
        .class = INTENT_CANCEL, .endpoint = T("DELETE /api/v3/openOrders"), .formable = true, .symbol = T("X")};
#define EXCEPT(e, c)                                                                                                   \
    "{"                                                                                                                \
    "\"exceptions\":[{\"endpoint\":\"" e "\",\"class\":\"" c "\",\"reason\":\"long enough\"}]}"
    expect("{}", in, ERR_AMBIGUOUS_SIGNATURE, "default");
    expect("{\"classes\":[\"cancel\"]}", in, OK, "");
    expect("{\"classes\":[\"cancel\"],\"symbols\":[\"Y\"]}", in, ERR_AMBIGUOUS_SIGNATURE, "/symbols");
    expect(EXCEPT("DELETE /api/v3/openOrders", "cancel"), in, OK, "");
    expect(EXCEPT("DELETE /api/*", "withdraw"), in, OK, "");
    expect(EXCEPT("DELETE /api/*", "read"), in, ERR_AMBIGUOUS_SIGNATURE, "default");
    expect(EXCEPT("DELETE /sapi/*", "cancel"), in, ERR_AMBIGUOUS_SIGNATURE, "default");
    in.lasting = true;
    expect("{\"classes\":[\"cancel\"]}", in, ERR_AMBIGUOUS_SIGNATURE, "default");
    expect(EXCEPT("*", "cancel"), in, OK, "");
    /* an exception is no permission for what the caller himself asks */
    in.formable = in.lasting = false;
    expect(EXCEPT("*", "withdraw"), in, ERR_POLICY_REFUSED, "default");
}

static void test_callers(void **state)
{
    (void)state;
    static const struct {
        const char *policy, *bot, *source;
        bool proven;
        enum err code;
    } rows[] = {
        {"{\"callers\":[\"a\",\"b\"]}", "b", "", false, OK},
        {"{\"callers\":[\"a\",\"b\"]}", "c", "", false, ERR_POLICY_REFUSED},
        {"{\"callers\":[\"a\"]}", "", "", false, ERR_POLICY_REFUSED},
        {"{\"sources\":[\"10.0.0.0/8\"]}", "", "10.255.255.255", false, OK},
        {"{\"sources\":[\"10.0.0.0/8\"]}", "", "11.0.0.0", false, ERR_POLICY_REFUSED},
        {"{\"sources\":[\"192.0.2.7\"]}", "", "192.0.2.7", false, OK},
        {"{\"sources\":[\"192.0.2.7\"]}", "", "192.0.2.8", false, ERR_POLICY_REFUSED},
        {"{\"sources\":[\"192.0.2.8/29\"]}", "", "192.0.2.15", false, OK},
        {"{\"sources\":[\"192.0.2.8/29\"]}", "", "192.0.2.16", false, ERR_POLICY_REFUSED},
        {"{\"sources\":[\"2001:db8::/33\"]}", "", "2001:db8:7fff::1", false, OK},
        {"{\"sources\":[\"2001:db8::/33\"]}", "", "2001:db8:8000::1", false, ERR_POLICY_REFUSED},
        {"{\"sources\":[\"10.0.0.0/8\"]}", "", "::ffff:10.1.1.1", false, OK},
        {"{\"sources\":[\"0.0.0.0/0\"]}", "", "2001:db8::1", false, ERR_POLICY_REFUSED},
        {"{\"sources\":[\"0.0.0.0/0\"]}", "", "10.0.0.0/8", false, ERR_POLICY_REFUSED},
        {"{\"sources\":[\"0.0.0.0/0\"]}", "", "rubbish", false, ERR_POLICY_REFUSED},
        {"{\"sources\":[\"0.0.0.0/0\"]}", "", "unix:1000", false, ERR_POLICY_REFUSED},
        {"{\"sources\":[\"unix:1000\"]}", "", "unix:1000", false, OK},
        {"{\"sources\":[\"unix:1000\"]}", "", "unix:10000", false, ERR_POLICY_REFUSED},
#define KEY "\"keys\":[{\"bot\":\"a\",\"key\":\"000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f\"}]"
        {"{\"proof\":{\"required\":true," KEY "}}", "a", "", true, OK},
        {"{\"proof\":{\"required\":true," KEY "}}", "a", "", false, ERR_PROOF_NEEDED},
        {"{\"proof\":{" KEY "}}", "a", "", false, OK},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct policy_caller c = {.bot = T(rows[i].bot), .proven = rows[i].proven, .source = T(rows[i].source)};
        struct intent read = {.class = INTENT_READ, .endpoint = T("GET /x")};
        struct policy_decision d;
        if (judge(rows[i].policy, &read, &c, 0, &d) != rows[i].code)
            fail_msg("%s %s %s: %s", rows[i].policy, rows[i].bot, rows[i].source, d.sentence);
    }
    struct policy *p = parse("{\"proof\":{\"required\":true," KEY "}}");
    uint8_t key[32];
    assert_true(policy_demands_proof(p));
    assert_int_equal(policy_proof_key(p, T("a"), key), OK);
    assert_int_equal(key[31], 0x1f);
    assert_int_equal(policy_proof_key(p, T("b"), key), ERR_NOT_FOUND);
    policy_free(p);
}

static void test_hours(void **state)
{
    (void)state;
    static const char week[] =
        "{\"hours\":[{\"days\":[\"mon\"],\"from\":\"09:00\",\"to\":\"17:30\"},{\"days\":[\"sat\"],"
        "\"from\":\"00:00\",\"to\":\"24:00\"}]}";
    static const struct {
        uint64_t day, hour, minute; /* 2026-11-22 was a Sunday: day 20779 */
        enum err code;
    } rows[] = {{20780, 9, 0, OK},
                {20780, 8, 59, ERR_POLICY_REFUSED},
                {20780, 17, 29, OK},
                {20780, 17, 30, ERR_POLICY_REFUSED},
                {20779, 12, 0, ERR_POLICY_REFUSED},
                {20778, 0, 0, OK},
                {20778, 23, 59, OK},
                {20781, 12, 0, ERR_POLICY_REFUSED}};
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct intent read = {.class = INTENT_READ, .endpoint = T("GET /x")};
        struct policy_decision d;
        uint64_t now = ((rows[i].day * 24 + rows[i].hour) * 60 + rows[i].minute) * 60000;
        assert_int_equal(judge(week, &read, NULL, now, &d), rows[i].code);
    }
}

static void test_windows(void **state)
{
    (void)state;
    struct policy *p = parse("{" ALL
                             ",\"windows\":[{\"seconds\":60,\"orders\":2},{\"seconds\":3600,\"notional\":\"350\"}]}");
    static const struct {
        uint64_t now_ms;
        bool dry;
        enum err code;
        const char *rule;
    } steps[] = {
        {7200000, false, OK, ""},
        {7200001, true, OK, ""},
        {7259999, false, OK, ""},
        {7259999, true, ERR_WINDOW_EXCEEDED, "/windows/0"},
        {7259999, false, ERR_WINDOW_EXCEEDED, "/windows/0"},
        {7260000, false, OK, ""},                            /* the next minute; 300 of 350 in this hour */
        {7320000, false, ERR_WINDOW_EXCEEDED, "/windows/1"}, /* 400 would be too many */
        {7199999, false, ERR_WINDOW_EXCEEDED, "/windows/1"}, /* a clock that goes back opens nothing */
        {10800000, false, OK, ""},
    };
    struct window_use use[POLICY_WINDOWS_MAX] = {0};
    struct intents list = {.items = (struct intent[]){buy}, .count = 1};
    assert_int_equal(policy_window_count(p), 2);
    for (size_t i = 0; i < ARRAY_LEN(steps); i++) {
        struct policy_decision d;
        assert_int_equal(policy_judge(p, &list, &(struct policy_caller){0}, steps[i].now_ms, steps[i].dry, use, &d),
                         OK);
        if (d.code != steps[i].code || (d.code && strcmp(d.rule, steps[i].rule) != 0))
            fail_msg("step %zu: %s by %s", i, err_code(d.code), d.rule);
    }
    assert_int_equal(use[0].start_ms, 10800000);
    assert_int_equal(use[0].orders, 1);
    policy_free(p);
}

/* A list of orders takes as much as its members; what is merely formable takes nothing twice. */
static void test_window_of_many(void **state)
{
    (void)state;
    struct policy *p = parse("{" ALL ",\"windows\":[{\"seconds\":60,\"orders\":3,\"notional\":\"300\"}]}");
    struct window_use use[POLICY_WINDOWS_MAX] = {0};
    struct policy_decision d;
    struct intent items[5] = {buy, buy, buy, buy, buy};
    items[3].formable = items[4].formable = true;
    struct intents list = {.items = items, .count = 5};
    assert_int_equal(policy_judge(p, &list, &(struct policy_caller){0}, 60000, false, use, &d), OK);
    assert_int_equal(d.code, OK);
    assert_int_equal(use[0].orders, 3);
    assert_int_equal(decimal_cmp(use[0].notional, DEC(300, 0)), 0);
    items[3].formable = false;
    use[0] = (struct window_use){0};
    assert_int_equal(policy_judge(p, &list, &(struct policy_caller){0}, 60000, false, use, &d), OK);
    assert_int_equal(d.code, ERR_WINDOW_EXCEEDED);
    assert_int_equal(use[0].orders, 0);
    policy_free(p);
}

#define EXCEPTION "{\"endpoint\":\"GET /a\",\"class\":\"order\",\"reason\":\"long enough a reason\"}"
static void test_contradictions(void **state)
{
    (void)state;
    static const struct {
        const char *text, *where;
        bool clash; /* two rules that exclude each other, rather than one that is wrong */
    } rows[] = {
        {"", ""},
        {"[]", ""},
        {"{\"class\":[\"read\"]}", "/class"},
        {"{\"classes\":[]}", "/classes"},
        {"{\"classes\":[\"trade\"]}", "/classes/0"},
        {"{\"classes\":[\"read\",\"read\"]}", "/classes/1"},
        {"{\"classes\":[\"withdraw\"]}", "/destinations", true},
        {"{\"destinations\":[\"0xaa\"]}", "/destinations", true},
        {"{\"sides\":[\"buy\"]}", "/classes", true},
        {"{\"max_notional\":\"1\"}", "/classes", true},
        {"{" ALL ",\"sides\":[\"Buy\"]}", "/sides/0"},
        {"{" ALL ",\"symbols\":[\"A\"],\"blocked_symbols\":[\"A\"]}", "/symbols/0", true},
        {"{" ALL ",\"symbols\":[\"BTCUSDT\"],\"blocked_symbols\":[\"BTC*\"]}", "/symbols/0", true},
        {"{" ALL ",\"order_types\":[\"LIMIT\"]}", "/order_types/0"},
        {"{" ALL ",\"max_size\":[{\"symbol\":\"A\",\"size\":\"0\"}]}", "/max_size/0/size"},
        {"{" ALL ",\"max_size\":[{\"symbol\":\"A\",\"size\":\"1e3\"}]}", "/max_size/0/size"},
        {"{" ALL ",\"max_size\":[{\"symbol\":\"A\",\"size\":\"1\"},{\"symbol\":\"A\",\"size\":\"2\"}]}",
         "/max_size/1/symbol", true},
        {"{" ALL ",\"symbols\":[\"B\"],\"max_size\":[{\"symbol\":\"A\",\"size\":\"1\"}]}", "/max_size/0/symbol", true},
        {"{" ALL ",\"max_notional\":\"-1\"}", "/max_notional"},
        {"{" ALL ",\"blocked_symbols\":[\"A\"],\"reference_prices\":[{\"symbol\":\"A\",\"price\":\"1\"}]}",
         "/reference_prices/0/symbol", true},
        {"{" ALL ",\"windows\":[{\"seconds\":60}]}", "/windows/0"},
        {"{" ALL ",\"windows\":[{\"seconds\":0,\"orders\":1}]}", "/windows/0/seconds"},
        {"{" ALL ",\"windows\":[{\"seconds\":60,\"orders\":1},{\"seconds\":60,\"orders\":2}]}", "/windows/1/seconds",
         true},
        {"{\"hours\":[{\"from\":\"09:00\",\"to\":\"09:00\"}]}", "/hours/0/to"},
        {"{\"hours\":[{\"from\":\"22:00\",\"to\":\"06:00\"}]}", "/hours/0/to"},
        {"{\"hours\":[{\"from\":\"9:000\",\"to\":\"10:00\"}]}", "/hours/0/from"},
        {"{\"hours\":[{\"from\":\"09:00\",\"to\":\"24:01\"}]}", "/hours/0/to"},
        {"{\"hours\":[{\"days\":[\"monday\"],\"from\":\"09:00\",\"to\":\"10:00\"}]}", "/hours/0/days"},
        {"{\"sources\":[\"10.0.0.0/33\"]}", "/sources/0"},
        {"{\"sources\":[\"localhost\"]}", "/sources/0"},
        {"{\"sources\":[\"unix:root\"]}", "/sources/0"},
        {"{\"proof\":{\"required\":true}}", "/proof/keys", true},
        {"{\"callers\":[\"b\"],\"proof\":{" KEY "}}", "/proof/keys/0/bot", true},
        {"{\"callers\":[\"a\",\"b\"],\"proof\":{\"required\":true," KEY "}}", "/callers/1", true},
        {"{\"exceptions\":[{\"endpoint\":\"*\",\"class\":\"order\"}]}", "/exceptions/0/reason"},
        {"{\"exceptions\":[{\"endpoint\":\"*\",\"class\":\"order\",\"reason\":\"short\"}]}", "/exceptions/0/reason"},
        {"{\"exceptions\":[" EXCEPTION "," EXCEPTION "]}", "/exceptions/1/endpoint", true},
        {"{\"classes\":[\"read\"],\"classes\":[\"withdraw\"]}", NULL},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct policy *p = NULL;
        struct problem why = {0};
        enum err e = policy_parse(T(rows[i].text), &p, &why);
        enum err expected = rows[i].clash ? ERR_CONTRADICTORY_POLICY : ERR_BAD_POLICY;
        if (e != expected || why.code != expected || p || !why.detail[0])
            fail_msg("%s: %s", rows[i].text, err_code(e));
        if (rows[i].where && rows[i].where[0] && strcmp(why.where, rows[i].where) != 0)
            fail_msg("%s: at %s, should be at %s (%s)", rows[i].text, why.where, rows[i].where, why.detail);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_default),        cmocka_unit_test(test_rules),
        cmocka_unit_test(test_sizes),          cmocka_unit_test(test_notional),
        cmocka_unit_test(test_formable),       cmocka_unit_test(test_destinations),
        cmocka_unit_test(test_callers),        cmocka_unit_test(test_hours),
        cmocka_unit_test(test_windows),        cmocka_unit_test(test_window_of_many),
        cmocka_unit_test(test_contradictions),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
