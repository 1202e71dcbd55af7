/* Requests of somebody who wants more than the policy gives. Each row says what would break if it passed. */
#include "rest_case.h"

static struct venue *binance, *phemex;

static const char trader[] = "spec/policies/binance-trading.json";
#define EXCEPT                                                                                                         \
    "\"exceptions\":[{\"endpoint\":\"POST /sapi/*\",\"class\":\"transfer\",\"reason\":\"for this test\"},"             \
    "{\"endpoint\":\"* /sapi/v1/margin/isolated/account\",\"class\":\"account\",\"reason\":\"for this test\"},"        \
    "{\"endpoint\":\"POST /papi/*\",\"class\":\"transfer\",\"reason\":\"for this test\"}]"
static const char no_cancel[] = "{\"classes\":[\"read\",\"order\"]," EXCEPT "}";
static const char reader[] = "{\"classes\":[\"read\"]," EXCEPT "}";
static const char one_symbol[] = "{\"classes\":[\"read\",\"cancel\",\"order\"],\"symbols\":[\"BTCUSDT_251226\"]," EXCEPT
                                 "}";
static const char blocked[] = "{\"classes\":[\"read\",\"cancel\",\"order\"],\"blocked_symbols\":[\"DOGE*\"]," EXCEPT
                              "}";
static const char makers[] = "{\"classes\":[\"read\",\"cancel\",\"order\"],\"order_types\":[\"limit_maker\"]," EXCEPT
                             "}";
static const char limits[] = "{\"classes\":[\"read\",\"cancel\",\"order\"],\"order_types\":[\"limit\"]," EXCEPT "}";
static const char spot_only[] = "{\"classes\":[\"read\",\"cancel\",\"order\"],\"endpoints\":[\"* /api/v3/*\"]," EXCEPT
                                "}";
static const char small[] =
    "{\"classes\":[\"read\",\"cancel\",\"order\"],\"max_size\":[{\"symbol\":\"*\",\"size\":\"1\"}]," EXCEPT "}";
static const char phemex_trader[] = "{\"classes\":[\"read\",\"cancel\",\"amend\",\"order\"]}";
static const char phemex_orders[] = "{\"classes\":[\"read\",\"order\"]}";
static const char phemex_blocked[] = "{\"classes\":[\"cancel\",\"order\"],\"blocked_symbols\":[\"DOGEUSDT\"]}";
static const char phemex_notional[] =
    "{\"classes\":[\"read\",\"cancel\",\"amend\",\"order\"],\"max_notional\":\"100\"}";
static const char phemex_window[] =
    "{\"classes\":[\"read\",\"cancel\",\"amend\",\"order\"],\"windows\":[{\"seconds\":86400,\"notional\":\"100\"}]}";
static const char phemex_small[] =
    "{\"classes\":[\"read\",\"cancel\",\"order\"],\"max_size\":[{\"symbol\":\"*\",\"size\":\"0.01\"}]}";
static const char mover[] = "{\"classes\":[\"withdraw\"],\"destinations\":[\"0xaa\"]}";

#define ORDER   "symbol=BTCUSDT&side=SELL&type=LIMIT&timeInForce=GTC&quantity=1&price=9"
#define G_ORDER "\"symbol\":\"BTCUSDT\",\"side\":\"Buy\",\"orderQtyRq\":\"1\",\"ordType\":\"Limit\",\"priceRp\":\"9\""
#define BINANCE "binance-hmac"

static const struct {
    const char *what;
    const char *scheme, *method, *path, *query, *body, *policy;
    enum err expected;
} rows[] = {
    {"an honest order", BINANCE, "POST", "/api/v3/order", "", ORDER, trader, OK},
    {"an honest cancel", BINANCE, "DELETE", "/api/v3/order", "symbol=BTCUSDT&orderId=1", "", trader, OK},
    {"an honest order with the client's label", BINANCE, "POST", "/api/v3/order", "",
     ORDER "&strategyId=37463720&strategyType=1000000", limits, OK},
    /* funds */
    {"a withdrawal", BINANCE, "POST", "/sapi/v1/capital/withdraw/apply", "", "coin=BTC&address=0xaa&amount=1", trader,
     ERR_MOVES_FUNDS},
    {"a withdrawal elsewhere", BINANCE, "POST", "/sapi/v1/capital/withdraw/apply", "", "coin=BTC&address=0xbb&amount=1",
     mover, ERR_MOVES_FUNDS},
    {"a transfer", BINANCE, "POST", "/sapi/v1/asset/transfer", "", "type=MAIN_UMFUTURE&asset=BTC&amount=1", trader,
     ERR_MOVES_FUNDS},
    {"withdraw parameters under an order's path", BINANCE, "POST", "/api/v3/order", "",
     ORDER "&coin=BTC&address=0xaa&amount=1", trader, ERR_UNKNOWN_PARAMETER},
    {"withdraw parameters under a read's path", BINANCE, "GET", "/api/v3/account", "coin=BTC&address=0xaa&amount=1", "",
     trader, ERR_UNKNOWN_PARAMETER},
    {"a deposit address with an amount, which is a stake elsewhere", BINANCE, "GET", "/sapi/v1/capital/deposit/address",
     "coin=BTC&amount=1", "", trader, ERR_AMBIGUOUS_SIGNATURE},
    /* the path is not signed */
    {"a read that cancels all elsewhere", BINANCE, "GET", "/api/v3/openOrders", "symbol=BTCUSDT", "", reader,
     ERR_AMBIGUOUS_SIGNATURE},
    {"a look at one order that cancels it elsewhere", BINANCE, "GET", "/api/v3/order", "symbol=BTCUSDT&orderId=1", "",
     reader, ERR_AMBIGUOUS_SIGNATURE},
    {"an order that cancels all elsewhere", BINANCE, "POST", "/api/v3/order", "", ORDER, no_cancel,
     ERR_AMBIGUOUS_SIGNATURE},
    {"an order test that is an order", BINANCE, "POST", "/api/v3/order/test", "", ORDER, reader, ERR_POLICY_REFUSED},
    {"a spot order that is a futures order", BINANCE, "POST", "/api/v3/order", "", ORDER, spot_only,
     ERR_AMBIGUOUS_SIGNATURE},
    {"a read without parameters that throws a switch", BINANCE, "GET", "/api/v3/account", "", "", "{}",
     ERR_AMBIGUOUS_SIGNATURE},
    {"a snapshot that liquidates", BINANCE, "GET", "/sapi/v1/accountSnapshot", "type=MARGIN", "",
     "{\"classes\":[\"read\",\"cancel\"],\"exceptions\":[{\"endpoint\":\"POST "
     "/sapi/v1/account/*\",\"class\":\"account\",\"reason\":\"for this test\"},{\"endpoint\":\"POST "
     "/papi/*\",\"class\":\"transfer\",\"reason\":\"for this test\"}]}",
     ERR_AMBIGUOUS_SIGNATURE},
    /* the split is not signed */
    {"query and body", BINANCE, "POST", "/api/v3/order", "symbol=BTCUSDT&side=SELL", "type=MARKET&quantity=1", trader,
     ERR_AMBIGUOUS_SIGNATURE},
    {"a dated future that loses its date", BINANCE, "POST", "/fapi/v1/order", "",
     "symbol=BTCUSDT_251226&side=BUY&type=MARKET&quantity=1", one_symbol, ERR_AMBIGUOUS_SIGNATURE},
    {"LIMIT_MAKER that becomes LIMIT", BINANCE, "POST", "/api/v3/order", "",
     "symbol=BTCUSDT&side=BUY&type=LIMIT_MAKER&quantity=1&price=9", makers, ERR_AMBIGUOUS_SIGNATURE},
    {"a size that vanishes before a quote amount", BINANCE, "POST", "/api/v3/order", "",
     "symbol=BTCUSDT&side=BUY&type=MARKET&quantity=1&quoteOrderQty=999999", small, ERR_POLICY_REFUSED},
    /* a price or a size that the venue may ignore bounds nothing */
    {"a market order beside a low price", "phemex", "POST", "/g-orders", "",
     "{\"symbol\":\"BTCUSDT\",\"side\":\"Buy\",\"ordType\":\"Market\",\"orderQtyRq\":\"1000\",\"priceRp\":\"0.01\"}",
     phemex_notional, ERR_POLICY_REFUSED},
    {"the same in a window", "phemex", "POST", "/g-orders", "",
     "{\"symbol\":\"BTCUSDT\",\"side\":\"Buy\",\"ordType\":\"Market\",\"orderQtyRq\":\"1000\",\"priceRp\":\"0.01\"}",
     phemex_window, ERR_POLICY_REFUSED},
    {"an order of a type that there is not", "phemex", "POST", "/g-orders", "",
     "{\"symbol\":\"BTCUSDT\",\"side\":\"Buy\",\"ordType\":\"Bogus\",\"orderQtyRq\":\"1000\",\"priceRp\":\"0.01\"}",
     phemex_notional, ERR_POLICY_REFUSED},
    {"a stop that fills at the market", "phemex", "POST", "/g-orders", "",
     "{\"symbol\":\"BTCUSDT\",\"side\":\"Buy\",\"ordType\":\"Stop\",\"stopPxRp\":\"9\",\"orderQtyRq\":\"1000\","
     "\"priceRp\":\"0.01\"}",
     phemex_notional, ERR_POLICY_REFUSED},
    {"an amendment of an order of unknown type", "phemex", "PUT", "/g-orders/replace",
     "symbol=BTCUSDT&orderID=a&orderQtyRq=1000&priceRp=0.01", "", phemex_notional, ERR_POLICY_REFUSED},
    {"a limit order within the notional", "phemex", "POST", "/g-orders", "", "{" G_ORDER "}", phemex_notional, OK},
    {"a spot order by its quote amount, beside a small size", "phemex", "POST", "/spot/orders", "",
     "{\"symbol\":\"sBTCUSDT\",\"side\":\"Buy\",\"qtyType\":\"ByQuote\",\"ordType\":\"Market\","
     "\"quoteQtyEv\":100000000000000,\"baseQtyEv\":0}",
     phemex_small, ERR_POLICY_REFUSED},
    {"a spot order by its size, beside no quote amount", "phemex", "POST", "/spot/orders", "",
     "{\"symbol\":\"sBTCUSDT\",\"side\":\"Buy\",\"qtyType\":\"ByBase\",\"ordType\":\"Limit\",\"priceEp\":900000000,"
     "\"quoteQtyEv\":0,\"baseQtyEv\":1000000}",
     phemex_small, OK},
    {"a close of all beside a small size", "phemex", "POST", "/g-orders", "",
     "{\"symbol\":\"BTCUSDT\",\"side\":\"Sell\",\"ordType\":\"Stop\",\"stopPxRp\":\"9\",\"orderQtyRq\":\"0\","
     "\"closeOnTrigger\":true}",
     phemex_small, ERR_POLICY_REFUSED},
    {"a size that gets smaller only", BINANCE, "POST", "/api/v3/order", "",
     "symbol=BTCUSDT&side=BUY&type=LIMIT&quantity=0.99&price=9", small, OK},
    {"a size above the limit", BINANCE, "POST", "/api/v3/order", "",
     "symbol=BTCUSDT&side=BUY&type=LIMIT&quantity=1.01&price=9", small, ERR_POLICY_REFUSED},
    /* duplicates in every disguise */
    {"a name twice", BINANCE, "POST", "/api/v3/order", "", ORDER "&quantity=2", trader, ERR_DUPLICATE_PARAMETER},
    {"a name twice, once escaped", BINANCE, "POST", "/api/v3/order", "", ORDER "&%71uantity=2", trader,
     ERR_UNKNOWN_PARAMETER},
    {"another case", BINANCE, "POST", "/api/v3/order", "", ORDER "&Quantity=2", trader, ERR_UNKNOWN_PARAMETER},
    {"a name with a space", BINANCE, "POST", "/api/v3/order", "", ORDER "&quantity%20=2", trader,
     ERR_UNKNOWN_PARAMETER},
    {"an array's spelling", BINANCE, "POST", "/api/v3/order", "", ORDER "&quantity[]=2", trader, ERR_UNKNOWN_PARAMETER},
    {"a second timestamp", BINANCE, "POST", "/api/v3/order", "", ORDER "&timestamp=1", trader, ERR_DUPLICATE_PARAMETER},
    {"a window of its own", BINANCE, "POST", "/api/v3/order", "", ORDER "&recvWindow=60000", trader,
     ERR_DUPLICATE_PARAMETER},
    {"a signature of its own", BINANCE, "POST", "/api/v3/order", "", ORDER "&signature=00", trader,
     ERR_DUPLICATE_PARAMETER},
    {"the key's name", BINANCE, "POST", "/api/v3/order", "", ORDER "&apiKey=x", trader, ERR_UNKNOWN_PARAMETER},
    /* what readers take in different ways */
    {"a plus", BINANCE, "POST", "/api/v3/order", "", ORDER "&newClientOrderId=a+b", trader, ERR_MALFORMED},
    {"an equals sign inside", BINANCE, "POST", "/api/v3/order", "", ORDER "&newClientOrderId=a=b", trader,
     ERR_MALFORMED},
    {"a semicolon", BINANCE, "POST", "/api/v3/order", "", ORDER ";quantity=2", trader, ERR_MALFORMED},
    {"a bad escape", BINANCE, "POST", "/api/v3/order", "", ORDER "&newClientOrderId=%zz", trader, ERR_MALFORMED},
    {"an escaped NUL", BINANCE, "POST", "/api/v3/order", "", ORDER "&newClientOrderId=a%00", trader, ERR_MALFORMED},
    {"an escaped line feed", BINANCE, "POST", "/api/v3/order", "", ORDER "&newClientOrderId=a%0a", trader,
     ERR_MALFORMED},
    {"raw bytes beyond ASCII", BINANCE, "POST", "/api/v3/order", "", ORDER "&newClientOrderId=\xc3\xa4", trader,
     ERR_MALFORMED},
    {"a fragment", BINANCE, "GET", "/api/v3/openOrders", "symbol=BTCUSDT#", "", trader, ERR_MALFORMED},
    {"an empty pair", BINANCE, "POST", "/api/v3/order", "", "&" ORDER, trader, ERR_MALFORMED},
    {"no value", BINANCE, "POST", "/api/v3/order", "", ORDER "&newClientOrderId", trader, ERR_MALFORMED},
    {"an empty value", BINANCE, "POST", "/api/v3/order", "", ORDER "&newClientOrderId=", trader, ERR_BAD_VALUE},
    {"a negative size", BINANCE, "POST", "/api/v3/order", "", "symbol=BTCUSDT&side=BUY&type=MARKET&quantity=-1", trader,
     ERR_BAD_VALUE},
    {"a size with an exponent", BINANCE, "POST", "/api/v3/order", "",
     "symbol=BTCUSDT&side=BUY&type=MARKET&quantity=1e9", trader, ERR_BAD_VALUE},
    {"a side in lower case", BINANCE, "POST", "/api/v3/order", "", "symbol=BTCUSDT&side=buy&type=MARKET&quantity=1",
     trader, ERR_BAD_VALUE},
    {"a limit order without a price", BINANCE, "POST", "/api/v3/order", "",
     "symbol=BTCUSDT&side=BUY&type=LIMIT&quantity=1", trader, ERR_BAD_VALUE},
    {"JSON where a form belongs", BINANCE, "POST", "/api/v3/order", "", "{\"symbol\":\"BTCUSDT\"}", trader,
     ERR_MALFORMED},
    {"a blocked symbol in another case", BINANCE, "POST", "/api/v3/order", "",
     "symbol=dogeusdt&side=BUY&type=MARKET&quantity=1", blocked, ERR_POLICY_REFUSED},
    /* paths */
    {"another path", BINANCE, "POST", "/api/v3/orders", "", ORDER, trader, ERR_UNKNOWN_ENDPOINT},
    {"a path with dots", BINANCE, "POST", "/api/v3/x/../order", "", ORDER, trader, ERR_UNKNOWN_ENDPOINT},
    {"a path with a query", BINANCE, "GET", "/api/v3/openOrders?symbol=BTCUSDT", "", "", trader, ERR_UNKNOWN_ENDPOINT},
    {"a method in lower case", BINANCE, "post", "/api/v3/order", "", ORDER, trader, ERR_UNKNOWN_ENDPOINT},
    {"a call without signature, signed", BINANCE, "POST", "/fapi/v1/listenKey", "", "", trader, ERR_UNKNOWN_ENDPOINT},
    {"a frame's method over REST", BINANCE, "session.logon", "", "", "", trader, ERR_UNKNOWN_ENDPOINT},
    /* lists of orders */
    {"a list within limits", BINANCE, "POST", "/fapi/v1/batchOrders", "",
     "batchOrders=[{\"symbol\":\"BTCUSDT\",\"side\":\"BUY\",\"type\":\"MARKET\",\"quantity\":\"1\"}]", small, OK},
    {"one of a list above the limit", BINANCE, "POST", "/fapi/v1/batchOrders", "",
     "batchOrders=[{\"symbol\":\"BTCUSDT\",\"side\":\"BUY\",\"type\":\"MARKET\",\"quantity\":\"1\"},{\"symbol\":"
     "\"BTCUSDT\",\"side\":\"BUY\",\"type\":\"MARKET\",\"quantity\":\"2\"}]",
     small, ERR_POLICY_REFUSED},
    {"a member twice in a list", BINANCE, "POST", "/fapi/v1/batchOrders", "",
     "batchOrders=[{\"symbol\":\"BTCUSDT\",\"side\":\"BUY\",\"type\":\"MARKET\",\"quantity\":\"1\",\"quantity\":\"2\"}"
     "]",
     small, ERR_DUPLICATE_FIELD},
    {"an unknown member in a list", BINANCE, "POST", "/fapi/v1/batchOrders", "",
     "batchOrders=[{\"symbol\":\"BTCUSDT\",\"side\":\"BUY\",\"type\":\"MARKET\",\"quantity\":\"1\",\"x\":\"2\"}]",
     small, ERR_UNKNOWN_PARAMETER},
    {"a list of nothing", BINANCE, "POST", "/fapi/v1/batchOrders", "", "batchOrders=[]", small, ERR_WRONG_TYPE},
    {"a list that is none", BINANCE, "POST", "/fapi/v1/batchOrders", "", "batchOrders={}", small, ERR_WRONG_TYPE},
    {"a list in a list", BINANCE, "POST", "/fapi/v1/batchOrders", "", "batchOrders=[[]]", small, ERR_WRONG_TYPE},
    /* legs */
    {"one leg of two is of a type that is not allowed", BINANCE, "POST", "/api/v3/orderList/oco", "",
     "symbol=BTCUSDT&side=SELL&quantity=1&aboveType=LIMIT_MAKER&abovePrice=9&belowType=STOP_LOSS&belowStopPrice=8",
     makers, ERR_POLICY_REFUSED},
    {"the pending order is above the limit", BINANCE, "POST", "/api/v3/orderList/oto", "",
     "symbol=BTCUSDT&workingType=LIMIT&workingSide=BUY&workingPrice=1&workingQuantity=1&pendingType=MARKET&pendingSide="
     "SELL&pendingQuantity=5",
     small, ERR_POLICY_REFUSED},
    /* Phemex signs the path, but no method */
    {"an honest order", "phemex", "POST", "/g-orders", "", "{" G_ORDER "}", phemex_trader, OK},
    {"an honest conditional order", "phemex", "POST", "/spot/orders", "",
     "{\"symbol\":\"sBTCUSDT\",\"side\":\"Sell\",\"qtyType\":\"ByBase\",\"baseQtyEv\":100000,\"ordType\":\"Stop\","
     "\"stopPxEp\":700000000,\"trigger\":\"ByLastPrice\"}",
     phemex_trader, OK},
    {"an order in a query", "phemex", "PUT", "/g-orders/create", "symbol=BTCUSDT&orderQtyRq=1&ordType=Market&side=Buy",
     "", phemex_trader, OK},
    {"an order that cancels by its id", "phemex", "POST", "/g-orders", "", "{" G_ORDER ",\"clOrdID\":\"a\"}",
     phemex_orders, ERR_AMBIGUOUS_SIGNATURE},
    {"a look that cancels", "phemex", "GET", "/spot/orders", "symbol=sBTCUSDT", "", "{}", OK},
    {"a look that amends", "phemex", "GET", "/spot/orders", "symbol=sBTCUSDT&orderID=a", "", phemex_trader,
     ERR_UNKNOWN_PARAMETER},
    {"a withdrawal by GET", "phemex", "GET", "/exchange/wallets/confirm/withdraw", "code=a", "", phemex_trader,
     ERR_MOVES_FUNDS},
    {"a transfer", "phemex", "POST", "/assets/transfer", "", "{\"amountEv\":1,\"currency\":\"BTC\",\"moveOp\":1}",
     phemex_trader, ERR_MOVES_FUNDS},
    /* shifted boundaries */
    {"digits that the expiry can take", "phemex", "PUT", "/g-orders/create",
     "symbol=BTCUSDT&side=Buy&ordType=Market&orderQtyRq=1", "", phemex_trader, ERR_AMBIGUOUS_SIGNATURE},
    {"digits of which the expiry can take some", "phemex", "PUT", "/g-orders/create",
     "symbol=BTCUSDT&side=Buy&ordType=Market&orderQtyRq=12", "", phemex_trader, ERR_AMBIGUOUS_SIGNATURE},
    {"digits that can be the expiry", "phemex", "PUT", "/g-orders/create",
     "symbol=BTCUSDT&side=Buy&orderQtyRq=1&clOrdID=1795871514365x&ordType=Market", "", phemex_trader,
     ERR_AMBIGUOUS_SIGNATURE},
    {"a read may last", "phemex", "GET", "/exchange/spot/order/trades", "symbol=sBTCUSDT&start=1795871514365", "", "{}",
     OK},
    {"a cancel that lasts", "phemex", "DELETE", "/g-orders/cancel", "symbol=BTCUSDT&orderID=abc1", "", phemex_trader,
     ERR_AMBIGUOUS_SIGNATURE},
    {"a body that begins in the query", "phemex", "PUT", "/g-orders/create",
     "symbol=BTCUSDT&side=Buy&orderQtyRq=1&text={%22a%22}&ordType=Market", "", phemex_trader, ERR_MALFORMED},
    {"a body that begins in a body's text", "phemex", "POST", "/g-orders", "",
     "{" G_ORDER ",\"text\":\"9999999999{}\"}", phemex_trader, ERR_BAD_VALUE},
    {"nine digits are no expiry", "phemex", "PUT", "/g-orders/create",
     "symbol=BTCUSDT&side=Buy&orderQtyRq=1&clOrdID=999999999x&ordType=Market", "", phemex_trader, OK},
    {"a path that begins another's query", "phemex", "DELETE", "/g-orders/cancel", "symbol=BTCUSDT&orderID=abc", "",
     phemex_orders, ERR_POLICY_REFUSED},
    {"a query that continues the path", "phemex", "POST", "/g-orders", "/all", "{" G_ORDER "}", phemex_trader,
     ERR_MALFORMED},
    {"separators in a body's text", "phemex", "POST", "/g-orders", "", "{" G_ORDER ",\"text\":\"a&symbol=X\"}",
     phemex_trader, ERR_BAD_VALUE},
    {"a body's member twice", "phemex", "POST", "/g-orders", "", "{" G_ORDER ",\"side\":\"Sell\"}", phemex_trader,
     ERR_DUPLICATE_FIELD},
    {"query and body", "phemex", "POST", "/g-orders", "symbol=DOGEUSDT", "{" G_ORDER "}", phemex_trader,
     ERR_DUPLICATE_PARAMETER},
    {"a nested body", "phemex", "POST", "/g-orders", "", "{" G_ORDER ",\"text\":{\"a\":1}}", phemex_trader,
     ERR_WRONG_TYPE},
    {"a number that is rounded", "phemex", "POST", "/g-orders", "", "{" G_ORDER ",\"stopPxRp\":1.5}", phemex_trader,
     ERR_WRONG_TYPE},
    {"a list of symbols with a blocked one", "phemex", "DELETE", "/g-orders/all", "symbol=BTCUSDT%2CDOGEUSDT", "",
     phemex_blocked, ERR_POLICY_REFUSED},
    {"a log-in", "phemex-ws", "user.auth", "", "", "", phemex_trader, ERR_POLICY_REFUSED},
};

static void test_rows(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct sign_request q = rest_request(rows[i].method, rows[i].path, rows[i].query, rows[i].body);
        struct policy_decision d;
        const struct venue *v = strncmp(rows[i].scheme, "phemex", 6) == 0 ? phemex : binance;
        enum err e = rest_verdict(v, rows[i].scheme, &q, rows[i].policy, &d);
        if (e != rows[i].expected)
            fail_msg("%s: %s, should be %s (%s %s)", rows[i].what, err_code(e), err_code(rows[i].expected), d.rule,
                     d.sentence);
    }
}

static const struct {
    const char *what, *scheme, *method, *params, *policy;
    enum err expected;
} frames[] = {
    {"a log-in by frame", "binance-wsapi-ed25519", "session.logon", "", "{\"classes\":[\"order\"]}",
     ERR_POLICY_REFUSED},
    {"a log-in exists for Ed25519 only", "binance-wsapi-hmac", "session.logon", "", "{\"classes\":[\"session\"]}",
     ERR_UNKNOWN_ENDPOINT},
    {"a look at the account that is a log-in", "binance-wsapi-ed25519", "account.status", "", "{}",
     ERR_AMBIGUOUS_SIGNATURE},
    {"a separator in a value", "binance-wsapi-hmac", "order.cancel",
     "{\"symbol\":\"BTCUSDT\",\"origClientOrderId\":\"a&symbol=X\"}", "{\"classes\":[\"cancel\"]}", ERR_BAD_VALUE},
    {"an escape in a value", "binance-wsapi-hmac", "order.cancel",
     "{\"symbol\":\"BTCUSDT\",\"origClientOrderId\":\"%41\"}", "{\"classes\":[\"cancel\"]}", ERR_BAD_VALUE},
    {"a key of its own", "binance-wsapi-hmac", "order.cancel",
     "{\"symbol\":\"BTCUSDT\",\"orderId\":1,\"apiKey\":\"x\"}", "{\"classes\":[\"cancel\"]}", ERR_DUPLICATE_PARAMETER},
    {"a member twice", "binance-wsapi-hmac", "order.cancel", "{\"symbol\":\"BTCUSDT\",\"symbol\":\"X\",\"orderId\":1}",
     "{\"classes\":[\"cancel\"]}", ERR_DUPLICATE_FIELD},
    {"a number that is rounded", "binance-wsapi-hmac", "order.cancel", "{\"symbol\":\"BTCUSDT\",\"orderId\":1.5}",
     "{\"classes\":[\"cancel\"]}", ERR_WRONG_TYPE},
    {"a list for an object", "binance-wsapi-hmac", "order.cancel", "[]", "{\"classes\":[\"cancel\"]}", ERR_WRONG_TYPE},
};

static void test_frames(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(frames); i++) {
        struct sign_request q = rest_request(frames[i].method, "/ws-api/v3", "", "");
        q.params = T(frames[i].params);
        struct policy_decision d;
        enum err e = rest_verdict(binance, frames[i].scheme, &q, frames[i].policy, &d);
        if (e != frames[i].expected)
            fail_msg("%s: %s, should be %s (%s)", frames[i].what, err_code(e), err_code(frames[i].expected),
                     d.sentence);
    }
}

/* Signed bytes for a long request must not cost the signer more than a moment: the operator waits behind it. */
static void test_long_requests(void **state)
{
    (void)state;
    static char query[30000];
    size_t n = (size_t)snprintf(query, sizeof(query), "symbol=BTCUSDT&side=Buy&ordType=Market&orderQtyRq=");
    memset(query + n, '1', sizeof(query) - n - 1);
    struct sign_request q = rest_request("PUT", "/g-orders/create", query, "");
    struct policy_decision d;
    assert_int_not_equal(rest_verdict(phemex, "phemex", &q, phemex_trader, &d), OK);
    memset(query + n, 'A', sizeof(query) - n - 1);
    memcpy(query, "symbol=", 7);
    q = rest_request("GET", "/api/v3/openOrders", query, "");
    assert_int_not_equal(rest_verdict(binance, "binance-hmac", &q, "{}", &d), OK);
}

/* The key material must be of the kind that the scheme signs with. */
static void test_wrong_keys(void **state)
{
    (void)state;
    static const struct {
        const char *scheme, *api_key, *secret;
    } keys[] = {
        {"binance-hmac", "k", ""},
        {"binance-hmac", "k", "-----BEGIN PRIVATE KEY-----\nx\n"},
        {"binance-hmac", "", "secret"},
        {"binance-hmac", "a&b", "secret"},
        {"binance-rsa", "k", "secret"},
        {"binance-ed25519", "k", "secret"},
        {"phemex", "a/b", "secret"},
        {"binance-wsapi-rsa", "k", "-----BEGIN PRIVATE KEY-----\n-----END PRIVATE KEY-----\n"},
    };
    for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
        struct bundle b = {.api_key = T(keys[i].api_key), .secret = T(keys[i].secret)};
        struct signing_key *key = NULL;
        struct problem why = {0};
        assert_int_equal(scheme_find(T(keys[i].scheme))->key_new(&b, &key, &why), ERR_WRONG_KEY_FOR_VENUE);
        assert_null(key);
    }
}

static int setup(void **state)
{
    (void)state;
    binance = rest_venue("binance");
    phemex = rest_venue("phemex");
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    venue_free(binance);
    venue_free(phemex);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_rows), cmocka_unit_test(test_frames),
                                       cmocka_unit_test(test_long_requests), cmocka_unit_test(test_wrong_keys)};
    return cmocka_run_group_tests(tests, setup, teardown);
}
