/* Who may ask for what of secrets, credentials, signatures and the record, and what requests must look like. */
#include "api/audit_entity.h"
#include "api/credential_cache.h"
#include "api/credentials.h"
#include "api/secrets_entity.h"
#include "api/sign.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static struct arena *arena;

static int setup(void **state)
{
    (void)state;
    return arena_new(65536, 8u << 20, &arena) == OK ? 0 : -1;
}

static int teardown(void **state)
{
    (void)state;
    arena_free(arena);
    return 0;
}

/* --- which credentials a key names */

static void test_patterns(void **state)
{
    static const struct {
        const char *pattern, *path;
        bool matches;
    } rows[] = {
        {"exchange/binance/main", "exchange/binance/main", true},
        {"exchange/binance/main", "exchange/binance/main2", false},
        {"exchange/binance/main", "exchange/binance", false},
        {"exchange/binance/*", "exchange/binance/main", true},
        {"exchange/binance/*", "exchange/binance/sub/main", true},
        {"exchange/binance/*", "exchange/binance", false},
        {"exchange/binance/*", "exchange/binance/", false},
        {"exchange/binance/*", "exchange/binancex/main", false},
        {"exchange/bin*", "exchange/binance/main", false},
        {"*", "anything/at/all", true},
        {"", "a", false},
        {"/*", "a", false},
        {"a/*/b", "a/x/b", false},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        assert_int_equal(credentials_pattern_matches(view_str(rows[i].pattern), view_str(rows[i].path)),
                         rows[i].matches);
}

static struct permission_set set(enum permission p)
{
    return (struct permission_set){p == PERMISSION_NONE ? 0 : UINT32_C(1) << p};
}

/* SGN-3, SGN-10: a key signs with what it names, if it may trade; people make dry runs unless they may trade. */
static void test_who_may_ask_for_a_signature(void **state)
{
    struct view named[] = {VIEW_STR("exchange/*")};
    const struct credential_rights key = {.is_key = true, .named = {named, 1}, .signs_in = 1}, person = {0};
    static const struct {
        bool is_key;
        enum permission has;
        const char *path;
        bool dry_run, may;
    } rows[] = {
        {true, PERMISSION_MEV_EXECUTE, "exchange/main", false, true},
        {true, PERMISSION_ORDERS_PLACE, "exchange/main", false, true},
        {true, PERMISSION_ORDERS_PLACE, "other/main", false, false},
        {true, PERMISSION_ORDERS_PLACE, "other/main", true, false},
        {true, PERMISSION_MEV_API, "exchange/main", false, true},
        {true, PERMISSION_MARKET_READ, "exchange/main", false, false},
        {true, PERMISSION_SYSTEM_CONFIG, "exchange/main", true, false},
        {true, PERMISSION_NONE, "exchange/main", true, false},
        {false, PERMISSION_MEV_EXECUTE, "any/path", false, true},
        {false, PERMISSION_ORDERS_PLACE, "any/path", false, false},
        {false, PERMISSION_SYSTEM_CONFIG, "any/path", false, false},
        {false, PERMISSION_SYSTEM_CONFIG, "any/path", true, true},
        {false, PERMISSION_SECRETS_ACCESS, "any/path", true, true},
        {false, PERMISSION_MEV_VIEW, "any/path", true, true},
        {false, PERMISSION_MARKET_READ, "any/path", true, false},
        {false, PERMISSION_AUDIT_VIEW, "any/path", true, false},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        const struct api_caller c = {.permissions = set(rows[i].has)};
        struct problem why = {0};
        enum err e = sign_may(&c, rows[i].is_key ? &key : &person, view_str(rows[i].path), rows[i].dry_run, &why);
        if (e != (rows[i].may ? OK : ERR_FORBIDDEN))
            fail_msg("row %zu: %s", i, err_code(e));
    }
    /* A key without a list signs with nothing. */
    const struct credential_rights bare = {.is_key = true};
    const struct api_caller trader = {.permissions = set(PERMISSION_MEV_EXECUTE)};
    struct problem why;
    assert_int_equal(sign_may(&trader, &bare, VIEW_STR("exchange/main"), false, &why), ERR_FORBIDDEN);
    assert_false(credentials_visible(&bare, VIEW_STR("exchange/main"), 1));
    assert_true(credentials_visible(&key, VIEW_STR("exchange/main"), 1));
    assert_false(credentials_visible(&key, VIEW_STR("other"), 1));
    assert_false(credentials_visible(&key, VIEW_STR("exchange/main"), 3));
    assert_false(credentials_visible(&key, VIEW_STR("exchange/main"), 0));
}

/* A key of development signs with nothing of production, whatever it names; and nothing is said of what is there. */
static void test_environments_bind(void **state)
{
    const struct credential_rights key = {.is_key = true, .signs_in = 1}, person = {.signs_in = 6}, none = {0};
    struct problem why = {0}, missing = {0};
    (void)state;
    assert_int_equal(sign_may_here(&key, 1, &why), OK);
    assert_int_equal(sign_may_here(&key, 3, &why), ERR_FORBIDDEN);
    assert_int_equal(sign_may_here(&key, 0, &missing), ERR_FORBIDDEN);
    assert_string_equal(why.detail, missing.detail);
    assert_int_equal(sign_may_here(&person, 1, &why), ERR_FORBIDDEN);
    assert_int_equal(sign_may_here(&person, 2, &why), OK);
    assert_int_equal(sign_may_here(&person, 3, &why), OK);
    for (uint8_t e = 0; e < 5; e++)
        assert_int_equal(sign_may_here(&none, e, &why), ERR_FORBIDDEN);
}

/* --- what is signed is what was sent */

static enum err parse_sign(const char *json, struct sign_wanted *w, struct problem *why)
{
    return entity_parse(&sign_wanted_entity, view_str(json), arena, w, why);
}

static void test_params_keep_their_bytes(void **state)
{
    static const char action[] = "{\"type\" : \"order\",  \"b\":1.50, \"a\":[1e3 ]}";
    struct problem why = {0};
    struct sign_wanted w = {0};
    struct view out;
    char json[256];
    (void)state;
    snprintf(json, sizeof json, "{\"credential\":\"a/b\",\"params\": %s }", action);
    assert_int_equal(parse_sign(json, &w, &why), OK);
    assert_int_equal(sign_params(w.params, arena, &out, &why), OK);
    assert_true(view_is(out, action));
    /* The same inside a text. */
    assert_int_equal(
        parse_sign("{\"credential\":\"a/b\",\"params\":\"{\\\"x\\\": 1.50 ,\\\"\\u00e4\\\":\\\"\\\\n\\\"}\"}", &w,
                   &why),
        OK);
    assert_int_equal(sign_params(w.params, arena, &out, &why), OK);
    assert_true(view_is(out, "{\"x\": 1.50 ,\"\xc3\xa4\":\"\\n\"}"));
    static const char *const wrong[] = {"\"\"", "\"no json\"", "\"{} {}\"", "\"{\""};
    for (size_t i = 0; i < ARRAY_LEN(wrong); i++)
        assert_int_equal(sign_params(view_str(wrong[i]), arena, &out, &why), ERR_BAD_JSON);
    assert_int_equal(sign_params((struct view){0}, arena, &out, &why), OK);
    assert_int_equal(out.len, 0);
}

static void test_bad_requests_to_sign(void **state)
{
    static const struct {
        const char *json;
        enum err code;
        const char *where;
    } rows[] = {
        {"{}", ERR_MISSING_FIELD, "/credential"},
        {"{\"credential\":\"a/../b\"}", ERR_BAD_VALUE, "/credential"},
        {"{\"credential\":\"/a\"}", ERR_BAD_VALUE, "/credential"},
        {"{\"credential\":1}", ERR_WRONG_TYPE, "/credential"},
        {"{\"credential\":\"a\",\"credential\":\"b\"}", ERR_DUPLICATE_FIELD, NULL},
        {"{\"credential\":\"a\",\"vault\":\"b\"}", ERR_UNKNOWN_FIELD, NULL},
        {"{\"credential\":\"a\",\"nonce\":-1}", ERR_OUT_OF_RANGE, "/nonce"},
        {"{\"credential\":\"a\",\"nonce\":\"1\"}", ERR_WRONG_TYPE, "/nonce"},
        {"{\"credential\":\"a\",\"body\":\"\\u0000\"}", OK, NULL},
        {"{\"credential\":\"a\",\"proof\":\"!\"}", ERR_MALFORMED, "/proof"},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct problem why = {0};
        struct sign_wanted w = {0};
        enum err e = parse_sign(rows[i].json, &w, &why);
        assert_int_not_equal(e, OK);
        if (rows[i].code != OK)
            assert_int_equal(e, rows[i].code);
        if (rows[i].where)
            assert_string_equal(why.where, rows[i].where);
    }
}

static void test_decisions_are_codes(void **state)
{
    (void)state;
    for (int e = 1; e < ERR_COUNT; e++)
        assert_int_equal(sign_code(view_str(err_code((enum err)e))), e);
    assert_int_equal(sign_code(VIEW_STR("ok")), ERR_INTERNAL);
    assert_int_equal(sign_code(VIEW_STR("moves-fund")), ERR_INTERNAL);
    assert_int_equal(sign_code((struct view){0}), ERR_INTERNAL);
}

/* --- secrets */

static void test_one_value(void **state)
{
    struct problem why = {0};
    struct view out;
    (void)state;
    assert_int_equal(secret_bytes(VIEW_STR("a"), (struct view){0}, &out, &why), OK);
    assert_true(view_is(out, "a"));
    assert_int_equal(secret_bytes((struct view){0}, VIEW("\0\xff", 2), &out, &why), OK);
    assert_int_equal(out.len, 2);
    assert_int_equal(secret_bytes(VIEW_STR("a"), VIEW_STR("b"), &out, &why), ERR_BAD_VALUE);
    assert_int_equal(secret_bytes((struct view){0}, (struct view){0}, &out, &why), ERR_MISSING_FIELD);
}

static void test_values_are_never_repeated(void **state)
{
    static const char *const wrong[] = {
        "{\"path\":\"a b\",\"kind\":\"password\",\"environment\":\"staging\",\"value\":\"hunter2\"}",
        "{\"path\":\"a\",\"kind\":\"hunter2\",\"environment\":\"staging\",\"value\":\"hunter2\"}",
        "{\"path\":\"a\",\"kind\":\"password\",\"environment\":\"none\",\"value\":\"hunter2\"}",
        "{\"path\":\"a\",\"kind\":\"password\",\"environment\":\"staging\",\"value\":[\"hunter2\"]}",
        "{\"path\":\"a\",\"kind\":\"password\",\"environment\":\"staging\",\"value_base64\":\"hunter2\"}",
        "{\"path\":\"a\",\"kind\":\"password\",\"environment\":\"staging\",\"value\":\"hunter2\",\"x\":1}",
        "{\"path\":\"a\",\"kind\":\"password\",\"value\":\"hunter2\"}",
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
        struct problem why = {0};
        struct secret_new q = {0};
        assert_int_not_equal(entity_parse(&secret_new_entity, view_str(wrong[i]), arena, &q, &why), OK);
        assert_null(strstr(why.detail, "hunter2"));
        assert_null(strstr(why.where, "hunter2"));
    }
    /* Nor when a request is printed. */
    AUTO_WRITER w = writer_new(4096);
    const struct secret_new q = {.path = VIEW_STR("a"), .kind = 1, .environment = 1, .value = VIEW_STR("hunter2")};
    entity_to_json(&secret_new_entity, &q, &w);
    writer_u8(&w, 0);
    assert_null(strstr((const char *)w.ptr, "hunter2"));
}

static void test_largest_value_fits_its_messages(void **state)
{
    static uint8_t big[SECRET_VALUE_MAX];
    AUTO_WRITER w = writer_new(256 * 1024);
    const struct keeper_secret_seal seal = {.version = 1, .path = VIEW_STR("a"), .value = VIEW_OF(big)};
    struct secret_read read = {.path = VIEW_STR("a"), .version = 1, .state = 1, .kind = 1, .environment = 1};
    (void)state;
    assert_int_equal(entity_encode(&keeper_secret_seal_entity, &seal, &w), OK);
    assert_true(w.len < CHANNEL_FRAME_MAX);
    read.value_base64 = VIEW_OF(big);
    writer_reset(&w);
    entity_to_json(&secret_read_entity, &read, &w);
    assert_int_equal(writer_done(&w), OK);
}

/* --- the cache of ids */

static void test_cache(void **state)
{
    AUTO(credential_cache_free) struct credential_cache *c = NULL;
    const struct credential_known a = {{1}, 3}, b = {{2}, 1};
    struct credential_known got;
    (void)state;
    assert_int_equal(credential_cache_new(&c), OK);
    assert_false(credential_cache_get(c, VIEW_STR("x"), &got));
    credential_cache_put(c, VIEW_STR("x"), &a);
    assert_true(credential_cache_get(c, VIEW_STR("x"), &got));
    assert_memory_equal(&got, &a, sizeof a);
    assert_false(credential_cache_get(c, VIEW_STR("y"), &got));
    credential_cache_put(c, VIEW_STR("x"), &b);
    assert_true(credential_cache_get(c, VIEW_STR("x"), &got));
    assert_memory_equal(&got, &b, sizeof b);
    credential_cache_drop(c, VIEW_STR("x"));
    assert_false(credential_cache_get(c, VIEW_STR("x"), &got));
}

struct racer {
    struct credential_cache *c;
    unsigned seed;
    bool wrong;
};

/* Every id is its path's number, sixteen times: a torn one would show. */
static void *race(void *context)
{
    struct racer *r = context;
    char path[16];
    for (unsigned i = 0; i < 40000; i++) {
        unsigned n = (i * 7 + r->seed) % 12000;
        struct credential_known id, got;
        memset(&id, (int)(n % 251), sizeof id);
        struct view name = VIEW(path, (size_t)snprintf(path, sizeof path, "p/%u", n));
        if (i % 3 == 0)
            credential_cache_put(r->c, name, &id);
        else if (i % 3 == 1 && i % 5 == 0)
            credential_cache_drop(r->c, name);
        else if (credential_cache_get(r->c, name, &got))
            r->wrong |= memcmp(&got, &id, sizeof id) != 0;
    }
    return NULL;
}

static void test_cache_from_many_threads(void **state)
{
    AUTO(credential_cache_free) struct credential_cache *c = NULL;
    struct racer r[4];
    pthread_t t[4];
    (void)state;
    assert_int_equal(credential_cache_new(&c), OK);
    for (unsigned i = 0; i < 4; i++) {
        r[i] = (struct racer){.c = c, .seed = i * 13};
        assert_int_equal(pthread_create(&t[i], NULL, race, &r[i]), 0);
    }
    for (unsigned i = 0; i < 4; i++) {
        pthread_join(t[i], NULL);
        assert_false(r[i].wrong);
    }
}

/* --- the record */

static void test_tile_names(void **state)
{
    static const struct {
        const char *path;
        struct audit_tile is;
    } good[] = {
        {"0/000", {false, 0, 0, 256}},
        {"0/x001/067", {false, 0, 1067, 256}},
        {"3/x001/x234/067", {false, 3, 1234067, 256}},
        {"63/999.p/1", {false, 63, 999, 1}},
        {"0/000.p/255", {false, 0, 0, 255}},
        {"entries/x999/000", {true, 0, 999000, 256}},
        {"entries/123.p/7", {true, 0, 123, 7}},
    };
    static const char *const bad[] = {
        "",         "0",          "0/",         "0/0",       "0/00",
        "0/0000",   "00/000",     "64/000",     "-1/000",    "0/x000/001",
        "0/x001",   "0/x001/",    "0/001/002",  "0/000.p/0", "0/000.p/256",
        "0/000.p/", "0/000.p/01", "0/000.p/1/", "0/000p/1",  "entries",
        "entries/", "entry/000",  "0/000 ",     "0//000",    "0/x999/x999/x999/x999/x999/x999/x999/999"};
    struct audit_tile t;
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(good); i++) {
        assert_int_equal(audit_tile_parse(view_str(good[i].path), &t), OK);
        assert_int_equal(t.entries, good[i].is.entries);
        assert_int_equal(t.level, good[i].is.level);
        assert_int_equal(t.index, good[i].is.index);
        assert_int_equal(t.width, good[i].is.width);
    }
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        assert_int_equal(audit_tile_parse(view_str(bad[i]), &t), ERR_MALFORMED);
}

static void test_filter(void **state)
{
    struct problem why = {0};
    struct record_filter f;
    struct audit_query q = {.type = VIEW_STR("SECRET_READ"),
                            .actor = VIEW_STR("user:a"),
                            .severity = SEVERITY_HIGH,
                            .from_ms = 5,
                            .to_ms = 9,
                            .before = 3,
                            .limit = 7};
    (void)state;
    assert_int_equal(audit_filter(&q, &f, &why), OK);
    assert_int_equal(f.type, EVENT_SECRET_READ);
    assert_int_equal(f.least_severity, SEVERITY_HIGH);
    assert_true(view_is(f.actor, "user:a"));
    assert_true(f.from_ms == 5 && f.to_ms == 9 && f.before == 3 && f.limit == 7);
    q.type = VIEW_STR("secret_read");
    assert_int_equal(audit_filter(&q, &f, &why), ERR_BAD_VALUE);
    assert_string_equal(why.where, "?type");
}

/* A raw row that looks like one of the front's own would be taken for an altered one by the check of all rows. */
static void test_credential_rows_are_no_state_rows(void **state)
{
    AUTO_WRITER w = writer_new(65536);
    const struct credential_row row = {.descriptor = VIEW_STR("descriptor of some length, which does not matter here"),
                                       .sealed = VIEW_STR("sealed bytes of some length, which does not matter either")};
    (void)state;
    assert_int_equal(entity_encode(&credential_row_entity, &row, &w), OK);
    const struct store_row stored = {.value = writer_view_of(&w)};
    assert_false(row_is_state(&stored));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_patterns),
        cmocka_unit_test(test_who_may_ask_for_a_signature),
        cmocka_unit_test(test_environments_bind),
        cmocka_unit_test(test_params_keep_their_bytes),
        cmocka_unit_test(test_bad_requests_to_sign),
        cmocka_unit_test(test_decisions_are_codes),
        cmocka_unit_test(test_one_value),
        cmocka_unit_test(test_values_are_never_repeated),
        cmocka_unit_test(test_largest_value_fits_its_messages),
        cmocka_unit_test(test_cache),
        cmocka_unit_test(test_cache_from_many_threads),
        cmocka_unit_test(test_tile_names),
        cmocka_unit_test(test_filter),
        cmocka_unit_test(test_credential_rows_are_no_state_rows),
    };
    return cmocka_run_group_tests_name("asking", tests, setup, teardown);
}
