/* Who is let in, who is refused, and that refusals are in the record before they are answered. */
#include "api_rig.h"

#include "domain/keys/failures.h"

#include "base/text.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

static enum http_outcome hello(struct http_request *req)
{
    struct view actor = api_caller_of(req)->actor;

    writer_view(http_body(req), actor.len ? actor : VIEW_STR("nobody"));
    return http_answer_body(req, 200, "text/plain");
}

static const struct route rows[] = {
    ROUTE(HTTP_GET, "/public", PERMISSION_PUBLIC, hello, .name = "public"),
    ROUTE(HTTP_GET, "/health", PERMISSION_PUBLIC, hello, .name = "health", .tag = "system", .flags = ROUTE_WHEN_SEALED),
    ROUTE(HTTP_GET, "/me", PERMISSION_AUTHENTICATED, hello, .name = "me"),
    ROUTE(HTTP_GET, "/market", PERMISSION_MARKET_READ, hello, .name = "market"),
    ROUTE(HTTP_POST, "/market", PERMISSION_MARKET_READ, hello, .name = "market-post", .flags = ROUTE_ANY_BODY,
          .body_limit = 1000),
    ROUTE(HTTP_POST, "/sign", PERMISSION_AUTHENTICATED, hello, .name = "sign"),
    ROUTE(HTTP_POST, "/orders", PERMISSION_ORDERS_PLACE, hello, .name = "orders"),
    ROUTE(HTTP_GET, "/sessions-only", PERMISSION_MARKET_READ, hello, .name = "sessions-only", .ways = WAY_SESSION),
};
static const struct route_table routes = {rows, ARRAY_LEN(rows)};

static struct rig *rig;

static int set_up(void **state)
{
    rig = rig_set_up(state, &routes);
    return 0;
}

static void ask_with(const char *method, const char *path, const char *name, const char *value, struct rig_reply *ret)
{
    char header[1024];

    (void)snprintf(header, sizeof header, "%s%s\r\n", name, value);
    rig_ask(rig, method, path, header, NULL, ret);
}

static void keys_get_in_by_either_header(void **state)
{
    char key[API_KEY_TEXT_SIZE];
    struct rig_reply r;

    (void)state;
    rig_key(rig, &(struct rig_key){.role = "read_only"}, key);
    ask_with("GET", "/market", "Authorization: Bearer ", key, &r);
    assert_int_equal(r.status, 200);
    assert_non_null(strstr(r.text, "key:"));
    ask_with("GET", "/market", "authorization: bearer ", key, &r);
    assert_int_equal(r.status, 200);
    ask_with("GET", "/market", "X-API-Key: ", key, &r);
    assert_int_equal(r.status, 200);
    rig_ask(rig, "GET", "/public", NULL, NULL, &r);
    assert_int_equal(r.status, 200);
}

static void two_credentials_are_one_too_many(void **state)
{
    char key[API_KEY_TEXT_SIZE], headers[512];
    struct rig_reply r;

    (void)state;
    rig_key(rig, &(struct rig_key){.role = "read_only"}, key);
    (void)snprintf(headers, sizeof headers, "Authorization: Bearer %s\r\nX-API-Key: %s\r\n", key, key);
    rig_ask(rig, "GET", "/market", headers, NULL, &r);
    assert_int_equal(r.status, 400);
    assert_non_null(strstr(r.text, "bad-request"));
}

static void a_missing_permission_is_recorded_first(void **state)
{
    char key[API_KEY_TEXT_SIZE];
    struct rig_reply r;

    (void)state;
    rig_key(rig, &(struct rig_key){.role = "viewer"}, key);
    ask_with("GET", "/market", "X-API-Key: ", key, &r);
    assert_int_equal(r.status, 403);
    assert_non_null(strstr(r.text, "forbidden"));
    assert_int_equal(rig_records(rig, EVENT_PERMISSION_DENIED), 1);
    ask_with("GET", "/me", "X-API-Key: ", key, &r);
    assert_int_equal(r.status, 200);
}

static void a_way_that_is_not_offered_is_refused(void **state)
{
    char key[API_KEY_TEXT_SIZE];
    struct rig_reply r;

    (void)state;
    rig_key(rig, &(struct rig_key){.role = "read_only"}, key);
    ask_with("GET", "/sessions-only", "X-API-Key: ", key, &r);
    assert_int_equal(r.status, 403);
    assert_int_equal(rig_records(rig, EVENT_PERMISSION_DENIED), 1);
}

static void what_a_key_is_for(void **state)
{
    static const struct {
        uint8_t usage;
        const char *role, *method, *path;
        int status;
    } cases[] = {
        {KEY_READ_ONLY, "trader", "GET", "/market", 200},     {KEY_READ_ONLY, "trader", "POST", "/market", 403},
        {KEY_READ_WRITE, "trader", "POST", "/market", 200},   {KEY_READ_WRITE, "trader", "POST", "/orders", 403},
        {KEY_EXECUTE_ONLY, "trader", "POST", "/orders", 200}, {KEY_EXECUTE_ONLY, "trader", "GET", "/market", 403},
        {KEY_EXECUTE_ONLY, "trader", "POST", "/sign", 200},   {KEY_READ_WRITE, "trader", "POST", "/sign", 403},
        {KEY_EXECUTE_ONLY, "trader", "GET", "/me", 200},      {KEY_READ_ONLY, "trader", "POST", "/sign", 403},
        {KEY_FULL_ACCESS, "trader", "POST", "/orders", 200},  {KEY_FULL_ACCESS, "read_only", "POST", "/orders", 403},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        char key[API_KEY_TEXT_SIZE];
        struct rig_reply r;
        rig_key(rig, &(struct rig_key){.role = cases[i].role, .usage = cases[i].usage}, key);
        ask_with(cases[i].method, cases[i].path, "X-API-Key: ", key, &r);
        if (r.status != cases[i].status)
            print_error("case %zu\n", i);
        assert_int_equal(r.status, cases[i].status);
    }
}

static void wrong_keys(void **state)
{
    char key[API_KEY_TEXT_SIZE], other[API_KEY_TEXT_SIZE], forged[API_KEY_TEXT_SIZE];
    struct api_key_parts parts, fresh;
    struct api_key as = {0};
    struct rig_reply r;

    (void)state;
    rig_key(rig, &(struct rig_key){.role = "read_only"}, key);
    assert_int_equal(api_key_parse(view_str(key), &parts), OK);
    /* Well formed, but nobody's. */
    assert_int_equal(api_key_make(random_system(), 1, other, &fresh), OK);
    ask_with("GET", "/market", "X-API-Key: ", other, &r);
    assert_int_equal(r.status, 401);
    assert_non_null(strstr(r.text, "bad-credentials"));
    assert_non_null(strstr(r.text, "WWW-Authenticate: Bearer"));
    assert_int_equal(rig_records(rig, EVENT_API_KEY_INVALID), 1); /* as if there were one */
    /* A known id with another secret. */
    as.id = view_str(parts.id);
    as.environment = 1;
    assert_int_equal(api_key_remake(random_system(), &as, forged, &fresh), OK);
    ask_with("GET", "/market", "X-API-Key: ", forged, &r);
    assert_int_equal(r.status, 401);
    assert_non_null(strstr(r.text, "bad-credentials"));
    assert_int_equal(rig_records(rig, EVENT_API_KEY_INVALID), 2);
    /* A typing error. */
    key[20] = key[20] == 'x' ? 'y' : 'x';
    ask_with("GET", "/market", "X-API-Key: ", key, &r);
    assert_int_equal(r.status, 401);
    assert_non_null(strstr(r.text, "key-malformed"));
    ask_with("GET", "/market", "Authorization: Basic ", "YTpi", &r);
    assert_int_equal(r.status, 403); /* there is no TLS here */
    assert_non_null(strstr(r.text, "way-refused"));
}

static void expired_keys_are_recorded(void **state)
{
    char key[API_KEY_TEXT_SIZE];
    struct rig_reply r;

    (void)state;
    rig_key(rig, &(struct rig_key){.role = "read_only", .expires_ms = rig->now_ms + 1000}, key);
    rig->now_ms += 2000;
    ask_with("GET", "/market", "X-API-Key: ", key, &r);
    assert_int_equal(r.status, 401);
    assert_non_null(strstr(r.text, "key-expired"));
    assert_int_equal(rig_records(rig, EVENT_API_KEY_EXPIRED), 1);
}

/* Whoever holds a key that has ended is named, and then added up: he can't fill the log either. */
static void ended_keys_are_named_and_added_up(void **state)
{
    char key[API_KEY_TEXT_SIZE], late[8][API_KEY_TEXT_SIZE];
    struct rig_reply r;

    (void)state;
    rig_key(rig, &(struct rig_key){.role = "read_only", .expires_ms = rig->now_ms + 1000}, key);
    for (size_t i = 0; i < ARRAY_LEN(late); i++)
        rig_key(rig, &(struct rig_key){.role = "read_only", .expires_ms = rig->now_ms + 1000}, late[i]);
    rig->now_ms += 2000;
    for (size_t i = 0; i < 500; i++) {
        ask_with("GET", "/market", "X-API-Key: ", key, &r);
        assert_int_equal(r.status, 401);
        assert_non_null(strstr(r.text, "key-expired"));
    }
    size_t named = rig_records(rig, EVENT_API_KEY_EXPIRED);
    assert_in_range(named, 1, 80);
    for (size_t i = 0; i < ARRAY_LEN(late); i++)
        ask_with("GET", "/market", "X-API-Key: ", late[i], &r); /* the budget is used up, and these are first */
    size_t all = rig_records(rig, EVENT_API_KEY_EXPIRED);
    assert_in_range(all - named, ARRAY_LEN(late) / 2, ARRAY_LEN(late)); /* two may share a slot */
    rig->now_ms += 5 * 60 * 1000u;
    ask_with("GET", "/market", "X-API-Key: ", key, &r); /* and told again from time to time */
    assert_int_equal(rig_records(rig, EVENT_API_KEY_EXPIRED), all + 1);
    for (size_t i = 0; i < 10 && rig_records(rig, EVENT_ANONYMOUS_REFUSALS) == 0; i++)
        rig_turns(rig, 1000);
    assert_in_range(rig_records(rig, EVENT_ANONYMOUS_REFUSALS), 1, 8);
}

static enum err shown_from(struct api_key_parts *parts, uint32_t uid)
{
    AUTO(arena_free) struct arena *arena = NULL;
    const struct network_source from = {.is_unix = true, .uid = uid};
    struct api_key_shown shown = {.parts = parts, .from = &from, .now_ms = rig->now_ms};
    struct api_key_found found;

    assert_int_equal(arena_new(4096, 1u << 20, &arena), OK);
    return api_keys_verify(rig->shared.api_keys, atomic_load(&rig->shared.keys), &shown, arena, &found);
}

/* Somebody who knows an id and guesses must not fill the log, and shuts nobody out but himself. */
static void guesses_are_bounded(void **state)
{
    char key[API_KEY_TEXT_SIZE], forged[API_KEY_TEXT_SIZE];
    struct api_key_parts parts, fresh;
    struct api_key as = {0};
    struct rig_reply r;

    (void)state;
    rig_key(rig, &(struct rig_key){.role = "read_only"}, key);
    assert_int_equal(api_key_parse(view_str(key), &parts), OK);
    as.id = view_str(parts.id);
    as.environment = 1;
    for (size_t i = 0; i < 200; i++) {
        assert_int_equal(api_key_remake(random_system(), &as, forged, &fresh), OK);
        ask_with("GET", "/market", "X-API-Key: ", forged, &r);
        assert_int_equal(r.status, 401);
    }
    assert_in_range(rig_records(rig, EVENT_API_KEY_INVALID), 32, 80);
    assert_int_equal(rig_records(rig, EVENT_API_KEY_SUSPENDED), 1);
    ask_with("GET", "/market", "X-API-Key: ", key, &r);
    assert_int_equal(r.status, 401);
    assert_non_null(strstr(r.text, "bad-credentials"));
    assert_int_equal(shown_from(&parts, (uint32_t)getuid() + 1), OK);
    rig->now_ms += FAILURES_MS;
    ask_with("GET", "/market", "X-API-Key: ", key, &r);
    assert_int_equal(r.status, 200);
}

static void a_unix_user_is_his_bot(void **state)
{
    char key[API_KEY_TEXT_SIZE], expected[32];
    struct rig_reply r;

    (void)state;
    rig_ask(rig, "GET", "/market", NULL, NULL, &r);
    assert_int_equal(r.status, 401);
    rig_key(rig, &(struct rig_key){.role = "read_only", .has_uid = true, .uid = geteuid()}, key);
    rig_ask(rig, "GET", "/market", NULL, NULL, &r);
    assert_int_equal(r.status, 200);
    (void)snprintf(expected, sizeof expected, "unix:%u", (unsigned)geteuid());
    assert_non_null(strstr(r.text, expected));
}

/* The head is refused before a byte of the body is waited for. */
static void strangers_bodies_are_not_read(void **state)
{
    struct rig_reply r;

    (void)state;
    rig_ask(rig, "POST", "/market", "Content-Length: 900\r\n", NULL, &r);
    assert_int_equal(r.status, 401);
}

static void strangers_are_added_up(void **state)
{
    struct rig_reply r;
    size_t before = rig_records_all(rig);

    (void)state;
    for (size_t i = 0; i < 100; i++) {
        rig_ask(rig, "GET", i % 2 ? "/market" : "/nowhere", NULL, NULL, &r);
        assert_int_equal(r.status, i % 2 ? 401 : 404);
    }
    rig_turns(rig, 1300);
    assert_in_range(rig_records_all(rig) - before, 1, 4); /* two reasons, in a second or two */
    assert_int_equal(rig_records(rig, EVENT_ANONYMOUS_REFUSALS), rig_records_all(rig) - before);
}

static void sealed_is_said_clearly(void **state)
{
    static const struct {
        enum api_keeper keeper;
        const char *code;
    } cases[] = {
        {API_KEEPER_SEALED, "\"/errors/sealed\""},
        {API_KEEPER_DEAD, "\"/errors/sealed\""},
        {API_KEEPER_UNINITIALISED, "\"/errors/not-initialised\""},
    };
    char key[API_KEY_TEXT_SIZE];
    struct rig_reply r;

    (void)state;
    rig_key(rig, &(struct rig_key){.role = "read_only"}, key);
    rig->shared.state = API_SEALED;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        rig->shared.health.keeper = cases[i].keeper;
        ask_with("GET", "/market", "X-API-Key: ", key, &r);
        assert_int_equal(r.status, 503);
        assert_non_null(strstr(r.text, cases[i].code));
        rig_ask(rig, "GET", "/public", NULL, NULL, &r);
        assert_int_equal(r.status, 503);
        rig_ask(rig, "GET", "/health", NULL, NULL, &r);
        assert_int_equal(r.status, 200);
    }
    rig->shared.health.log = API_LOG_MISMATCH;
    ask_with("GET", "/market", "X-API-Key: ", key, &r);
    assert_int_equal(r.status, 500);
    assert_non_null(strstr(r.text, "tampered"));
}

/* As the first command after 'holdfast operator unseal' does. */
static void the_moment_of_starting_is_waited_for(void **state)
{
    char key[API_KEY_TEXT_SIZE], header[256];
    struct rig_reply r;
    int known, stranger;

    (void)state;
    rig_key(rig, &(struct rig_key){.role = "read_only"}, key);
    (void)snprintf(header, sizeof header, "X-API-Key: %s\r\n", key);
    rig->shared.state = API_STARTING;
    known = rig_send(rig, "GET", "/market", header, NULL);
    stranger = rig_send(rig, "GET", "/market", NULL, NULL);
    assert_false(rig_receive(rig, known, 100, &r));
    rig_ask(rig, "GET", "/health", NULL, NULL, &r);
    assert_int_equal(r.status, 200);
    rig->shared.state = API_SERVING;
    assert_true(rig_receive(rig, known, 1000, &r));
    assert_int_equal(r.status, 200);
    assert_true(rig_receive(rig, stranger, 1000, &r));
    assert_int_equal(r.status, 401);
    rig->shared.state = API_STARTING;
    known = rig_send(rig, "GET", "/market", header, NULL);
    assert_false(rig_receive(rig, known, 50, &r));
    rig->shared.state = API_SEALED;
    rig->shared.health.keeper = API_KEEPER_DEAD;
    assert_true(rig_receive(rig, known, 1000, &r));
    assert_int_equal(r.status, 503);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(keys_get_in_by_either_header, set_up, rig_tear_down),
        cmocka_unit_test_setup_teardown(two_credentials_are_one_too_many, set_up, rig_tear_down),
        cmocka_unit_test_setup_teardown(a_missing_permission_is_recorded_first, set_up, rig_tear_down),
        cmocka_unit_test_setup_teardown(a_way_that_is_not_offered_is_refused, set_up, rig_tear_down),
        cmocka_unit_test_setup_teardown(what_a_key_is_for, set_up, rig_tear_down),
        cmocka_unit_test_setup_teardown(wrong_keys, set_up, rig_tear_down),
        cmocka_unit_test_setup_teardown(expired_keys_are_recorded, set_up, rig_tear_down),
        cmocka_unit_test_setup_teardown(ended_keys_are_named_and_added_up, set_up, rig_tear_down),
        cmocka_unit_test_setup_teardown(guesses_are_bounded, set_up, rig_tear_down),
        cmocka_unit_test_setup_teardown(a_unix_user_is_his_bot, set_up, rig_tear_down),
        cmocka_unit_test_setup_teardown(strangers_bodies_are_not_read, set_up, rig_tear_down),
        cmocka_unit_test_setup_teardown(strangers_are_added_up, set_up, rig_tear_down),
        cmocka_unit_test_setup_teardown(sealed_is_said_clearly, set_up, rig_tear_down),
        cmocka_unit_test_setup_teardown(the_moment_of_starting_is_waited_for, set_up, rig_tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
