/* Every published line for Binance and Phemex: the exact request that the venue accepts, from what the caller sends and
 * from text that is complete but for the signature; and what judging says of it. */
#include "rest_case.h"

#include "crypto/secmem.h"

static struct venue *binance, *phemex;
static struct arena *arena;

/* Everything that trades is allowed and nothing is excepted. */
static const char plain_policy[] = "{\"classes\":[\"read\",\"cancel\",\"amend\",\"order\"]}";
/* spec/policies/binance-trading.json: with exceptions for the calls that every Binance signature could form. */
static const char switches_policy[] = "spec/policies/binance-trading.json";
static const char frames_policy[] =
    "{\"classes\":[\"read\",\"cancel\",\"amend\",\"order\",\"account\",\"session\",\"transfer\"]}";
static const char expiry_policy[] =
    "{\"classes\":[\"read\",\"cancel\",\"amend\",\"order\"],\"exceptions\":[{\"endpoint\":\"* /spot/orders/create\","
    "\"class\":\"order\",\"reason\":\"the order's id is unique\"}]}";
static const char withdraw_policy[] =
    "{\"classes\":[\"read\",\"withdraw\",\"transfer\",\"account\"],\"destinations\":"
    "[\"0x38f395d596cbdce074e2471b24631aa96e64d80f\"],\"exceptions\":[{\"endpoint\":\"*withdraw/apply\",\"class\":"
    "\"withdraw\",\"reason\":\"a cut address is no address\"}]}";
static const char session_policy[] = "{\"classes\":[\"session\"]}";

/* Which line the plain policy signs, and what it takes where not. Frozen: a line that is not here fails. */
static const struct {
    const char *id;
    enum err plain;     /* judged with plain_policy */
    const char *policy; /* the one that signs it, NULL: none can */
    const char *why;    /* what decides */
} lines[] = {
    {"binance/binance-hmac/order-limit/s1/0", ERR_AMBIGUOUS_SIGNATURE, switches_policy, "no path is signed"},
    {"binance/binance-hmac/fapi-order-stop/s1/0", ERR_AMBIGUOUS_SIGNATURE, switches_policy, "no path is signed"},
    {"binance/binance-hmac/order-oco/s1/0", ERR_AMBIGUOUS_SIGNATURE, switches_policy, "no path is signed"},
    {"binance/binance-hmac/amend-keep-priority/s1/0", ERR_AMBIGUOUS_SIGNATURE, switches_policy, "no path is signed"},
    {"binance/binance-hmac/sapi-withdraw-raw/s1/0", ERR_MOVES_FUNDS, withdraw_policy,
     "a withdrawal: class and destination must be named"},
    {"binance/binance-hmac/sapi-dust-array-repeat/s1/0", ERR_DUPLICATE_PARAMETER, NULL,
     "a name that comes three times"},
    {"binance/binance-hmac/fapi-batch-orders-raw-json/s1/0", ERR_AMBIGUOUS_SIGNATURE, switches_policy,
     "no path is signed"},
    {"binance/binance-hmac/papi-um-order/s1/0", ERR_AMBIGUOUS_SIGNATURE, switches_policy, "no path is signed"},
    {"binance/binance-hmac/sapi-margin-bools/s1/0", ERR_UNKNOWN_PARAMETER, NULL,
     "flag, zero, empty are not the venue's"},
    {"binance/binance-apikey-only/listen-key-unsigned/s1/0", ERR_POLICY_REFUSED, session_policy,
     "opens a stream: class session"},
    {"binance/binance-hmac/fuzz-post/s1/0", ERR_UNKNOWN_PARAMETER, NULL, "made-up names"},
    {"binance/binance-rsa/account/s1/0", ERR_AMBIGUOUS_SIGNATURE, switches_policy, "no path is signed"},
    {"binance/binance-rsa/open-orders/s1/0", ERR_AMBIGUOUS_SIGNATURE, switches_policy, "no path is signed"},
    {"binance/binance-ed25519/account/s1/0", ERR_AMBIGUOUS_SIGNATURE, switches_policy, "no path is signed"},
    {"binance/binance-ed25519/order-unicode-symbol/s1/0", ERR_AMBIGUOUS_SIGNATURE, switches_policy,
     "no path is signed"},
    {"binance/binance-ed25519/fuzz-get/s1/0", ERR_UNKNOWN_PARAMETER, NULL, "made-up names"},
    {"binance/binance-wsapi-hmac/doc-wsapi-order-unicode/s1/0", ERR_AMBIGUOUS_SIGNATURE, frames_policy,
     "a frame names the key, which REST could delete"},
    {"binance/binance-wsapi-ed25519/doc-wsapi-session-logon/s1/0", ERR_POLICY_REFUSED, frames_policy,
     "a log-in: class session"},
    {"binance/binance-wsapi-rsa/doc-wsapi-order-place/s1/0", ERR_AMBIGUOUS_SIGNATURE, frames_policy,
     "a frame names the key, which REST could delete"},
    {"golden/binance/rest-ascii", ERR_AMBIGUOUS_SIGNATURE, switches_policy, "no path is signed"},
    {"golden/binance/rest-unicode", ERR_AMBIGUOUS_SIGNATURE, switches_policy, "no path is signed"},
    {"golden/binance/wsapi-ascii", ERR_AMBIGUOUS_SIGNATURE, frames_policy,
     "a frame names the key, which REST could delete"},
    {"golden/binance/wsapi-unicode", ERR_AMBIGUOUS_SIGNATURE, frames_policy,
     "a frame names the key, which REST could delete"},
    {"phemex/phemex/g-order-post/s1/0", OK, plain_policy, "the path is signed"},
    {"phemex/phemex/g-order-put/s1/0", OK, plain_policy, "the path is signed"},
    {"phemex/phemex/cancel-delete/s1/0", OK, plain_policy, "the path is signed"},
    {"phemex/phemex/cancel-all-delete/s1/0", OK, plain_policy, "the path is signed"},
    {"phemex/phemex/spot-order-put/s1/0", ERR_AMBIGUOUS_SIGNATURE, expiry_policy,
     "the query ends in a digit, before the expiry's"},
    {"phemex/phemex/assign-post-query/s1/0", ERR_DUPLICATE_PARAMETER, NULL, "query and body say the same thing twice"},
    {"phemex/phemex/fuzz-get/s1/0", ERR_UNKNOWN_PARAMETER, NULL, "made-up names"},
    {"phemex/phemex/fuzz-post/s1/0", ERR_UNKNOWN_PARAMETER, NULL, "made-up names"},
    {"phemex/phemex-ws/doc-ws-user-auth/s1/0", ERR_POLICY_REFUSED, session_policy, "a log-in: class session"},
};

static struct view field(const json_t *line, const char *name)
{
    return T(rest_text(line, name));
}

static struct view credential(const json_t *line, const char *name)
{
    return T(rest_text(json_object_get(line, "credentials"), name));
}

static uint64_t number_of(const json_t *line, const char *name)
{
    const json_t *j = json_object_get(line, name);
    if (json_is_number(j))
        return (uint64_t)json_number_value(j);
    return strtoull(json_string_value(j) ? json_string_value(j) : "0", NULL, 10);
}

/* The caller's part of a frame's parameters: what the signer adds is taken out. */
static struct view caller_params(const json_t *line)
{
    json_t *p = json_deep_copy(json_object_get(line, "params"));
    static const char *const ours[] = {"apiKey", "timestamp", "recvWindow"};
    for (size_t i = 0; i < ARRAY_LEN(ours); i++)
        json_object_del(p, ours[i]);
    char *text = json_dumps(p, JSON_COMPACT);
    struct view v;
    assert_int_equal(arena_copy(arena, T(text), &v), OK);
    free(text);
    json_decref(p);
    return v;
}

static struct sign_request request_of(const json_t *line, bool presigned)
{
    const json_t *from = presigned ? json_object_get(line, "presign") : line;
    const json_t *params = json_object_get(line, "params");
    struct sign_request q = {.method = field(line, "method"),
                             .host = field(line, "host"),
                             .path = field(line, "path"),
                             .query = field(from, "query"),
                             .body = field(from, "body"),
                             .presigned = presigned};
    q.now_ms = number_of(line, "clock_ms") ? number_of(line, "clock_ms") : number_of(line, "timestamp");
    q.recv_window_ms = (uint32_t)number_of(line, "recv_window");
    if (strstr(rest_text(line, "scheme"), "-ws")) {
        json_t *body = json_loads(rest_text(json_object_get(line, "expected"), "body")
                                      ? rest_text(json_object_get(line, "expected"), "body")
                                      : "{}",
                                  0, NULL);
        const json_t *id = json_object_get(body, "id");
        char text[64];
        snprintf(text, sizeof(text), "%s", json_is_string(id) ? json_string_value(id) : json_is_integer(id) ? "1" : "");
        assert_int_equal(arena_copy(arena, T(text), &q.id), OK);
        json_decref(body);
        q.params = json_is_object(params) ? caller_params(line) : VIEW(NULL, 0);
        q.recv_window_ms = (uint32_t)number_of(params, "recvWindow");
        q.now_ms = q.now_ms ? q.now_ms : number_of(params, "timestamp");
        q.now_ms = q.now_ms ? q.now_ms : (number_of(line, "expires") - 60) * 1000;
        q.presigned = false;
    }
    return q;
}

static void same(const char *id, const char *what, struct view got, const char *wanted)
{
    if (!view_eq(got, T(wanted)))
        fail_msg("%s: %s is\n%.*s\nand should be\n%s", id, what, (int)got.len, (const char *)got.ptr, wanted);
}

static void check_result(const json_t *line, const struct sign_result *r)
{
    const char *id = rest_text(line, "id"), *name;
    const json_t *expected = json_object_get(line, "expected"), *value;
    const json_t *prehash = json_object_get(expected, "prehash");
    same(id, "signature", r->signature, rest_text(expected, "signature"));
    if (rest_text(prehash, "utf8"))
        same(id, "signed text", r->prehash, rest_text(prehash, "utf8"));
    if (!rest_text(expected, "url"))
        return; /* published values name the signature only */
    same(id, "url", r->url, rest_text(expected, "url"));
    same(id, "body", r->body, rest_text(expected, "body"));
    assert_int_equal(r->header_count, json_object_size(json_object_get(expected, "headers")));
    json_object_foreach(json_object_get(expected, "headers"), name, value)
    {
        bool found = false;
        for (size_t i = 0; i < r->header_count; i++)
            if (view_is(r->headers[i].name, name)) {
                same(id, name, r->headers[i].value, json_string_value(value));
                found = true;
            }
        assert_true(found);
    }
}

static const struct venue *venue_of(const json_t *line)
{
    return strcmp(rest_text(line, "venue"), "binance") == 0 ? binance : phemex;
}

static void sign_line(const json_t *line, bool presigned)
{
    const struct scheme *s = scheme_find(field(line, "scheme"));
    assert_non_null(s);
    assert_true(venue_has_scheme(venue_of(line), field(line, "scheme")));
    struct bundle b = {.api_key = credential(line, "apiKey"), .secret = credential(line, "secret")};
    if (b.api_key.len == 0)
        b.api_key = T("unnamed");
    struct signing_key *key = NULL;
    struct problem why = {0};
    struct sign_result r;
    assert_int_equal(s->key_new(&b, &key, &why), OK);
    struct sign_request q = request_of(line, presigned);
    if (s->sign(venue_of(line), key, &q, arena, &r, &why) != OK)
        fail_msg("%s: %s %s", rest_text(line, "id"), why.where, why.detail);
    check_result(line, &r);
    s->key_free(key);
}

static void judge_line(const json_t *line)
{
    const char *id = rest_text(line, "id"), *scheme = rest_text(line, "scheme");
    bool golden = rest_text(line, "host") == NULL;
    struct sign_request q = request_of(line, golden && !strstr(scheme, "-ws"));
    struct policy_decision d;
    enum err e = rest_verdict(venue_of(line), scheme, &q, plain_policy, &d);
    for (size_t i = 0; i < ARRAY_LEN(lines); i++) {
        if (strcmp(lines[i].id, id) != 0)
            continue;
        if (e != lines[i].plain)
            fail_msg("%s (%s): plain policy says %s (%s)", id, lines[i].why, err_code(e), d.sentence);
        if (lines[i].policy && rest_verdict(venue_of(line), scheme, &q, lines[i].policy, &d) != OK)
            fail_msg("%s: its own policy says %s (%s)", id, err_code(d.code), d.sentence);
        return;
    }
    fail_msg("%s is not in the table of lines: %s (%s)", id, err_code(e), d.sentence);
}

static void both(const json_t *line)
{
    arena_reset(arena);
    bool golden = rest_text(line, "host") == NULL, frame = strstr(rest_text(line, "scheme"), "-ws") != NULL;
    if (!golden || frame)
        sign_line(line, false);
    if (!frame)
        sign_line(line, true);
    judge_line(line);
}

static void test_binance(void **state)
{
    (void)state;
    assert_int_equal(rest_lines("binance", both), 23);
}

static void test_phemex(void **state)
{
    (void)state;
    assert_int_equal(rest_lines("phemex", both), 9);
}

static int setup(void **state)
{
    (void)state;
    bool locked;
    assert_int_equal(crypto_init(&locked), OK);
    binance = rest_venue("binance");
    phemex = rest_venue("phemex");
    return arena_new(65536, 16 << 20, &arena) == OK ? 0 : -1;
}

static int teardown(void **state)
{
    (void)state;
    venue_free(binance);
    venue_free(phemex);
    arena_free(arena);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_binance), cmocka_unit_test(test_phemex)};
    return cmocka_run_group_tests(tests, setup, teardown);
}
