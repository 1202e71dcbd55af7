/* Secrets as a client sees them: a real server, ledger and keeper. */
#include "api_rig.h"

#include "api/routes.h"
#include "vfs_powercut.h"

#include <sqlite3.h>
#include <stdio.h>
#include <string.h>

static struct rig *rig;
static struct rig_reply reply;
static char admin[API_KEY_TEXT_SIZE], developer[API_KEY_TEXT_SIZE], trader[API_KEY_TEXT_SIZE];

static int set_up(void **state)
{
    rig = rig_set_up(state, &secrets_routes);
    rig_key(rig, &(struct rig_key){.role = "admin", .environments = 7}, admin);
    rig_key(rig, &(struct rig_key){.role = "admin", .environments = 1}, developer);
    rig_key(rig, &(struct rig_key){.role = "trader", .environments = 7}, trader);
    return 0;
}

/* With more header lines. */
static int ask_with(const char *key, const char *more, const char *method, const char *path, const char *body)
{
    char header[512];
    (void)snprintf(header, sizeof header, "X-API-Key: %s\r\n%s", key, more);
    rig_ask(rig, method, path, header, body, &reply);
    return reply.status;
}

static int ask(const char *key, const char *method, const char *path, const char *body)
{
    return ask_with(key, "X-Holdfast-Reason: a test\r\n", method, path, body);
}

static bool says(const char *text)
{
    return strstr(reply.text, text) != NULL;
}

#define NEW(path, environment, value)                                                                                  \
    "{\"path\":\"" path "\",\"kind\":\"password\",\"environment\":\"" environment "\",\"value\":\"" value "\"}"

#define NEW_WHY(path, environment, value)                                                                              \
    "{\"path\":\"" path "\",\"kind\":\"password\",\"environment\":\"" environment "\",\"value\":\"" value              \
    "\",\"reason\":\"why\"}"

/* The body without what differs from request to request. */
static void body_of(char *out, size_t cap)
{
    const char *body = strstr(reply.text, "\r\n\r\n");
    assert_non_null(body);
    (void)snprintf(out, cap, "%s", body);
    char *id = strstr(out, "\"requestId\"");
    assert_non_null(id);
    *id = '\0';
}

static void test_life(void **state)
{
    (void)state;
    assert_int_equal(ask(admin, "POST", "/api/v1/secrets", NEW("db/main", "staging", "one")), 201);
    assert_true(says("Location: /api/v1/secrets/data/db/main"));
    assert_false(says("\"one\""));
    assert_int_equal(ask(admin, "POST", "/api/v1/secrets", NEW("db/main", "staging", "two")), 409);
    assert_true(says("\"code\":\"exists\""));
    assert_int_equal(ask(admin, "GET", "/api/v1/secrets/data/db/main", NULL), 200);
    assert_true(says("\"value\":\"one\""));
    assert_int_equal(ask(admin, "POST", "/api/v1/secrets/rotate/db/main", "{\"value\":\"two\",\"expected_version\":7}"),
                     409);
    assert_int_equal(
        ask(admin, "POST", "/api/v1/secrets/rotate/db/main", "{\"value_base64\":\"AP8=\",\"grace_seconds\":60}"), 200);
    assert_int_equal(ask(admin, "GET", "/api/v1/secrets/data/db/main", NULL), 200);
    assert_true(says("\"value_base64\":\"AP8=\""));
    assert_int_equal(ask(admin, "GET", "/api/v1/secrets/data/db/main?version=1", NULL), 200);
    assert_true(says("\"value\":\"one\""));
    rig->now_ms += 61000;
    assert_int_equal(ask(admin, "GET", "/api/v1/secrets/data/db/main?version=1", NULL), 404);
    assert_int_equal(ask(admin, "GET", "/api/v1/secrets/data/db/main?version=1&recover=true", NULL), 200);
    assert_int_equal(ask(admin, "GET", "/api/v1/secrets/history/db/main", NULL), 200);
    assert_true(says("\"state\":\"sealed\""));
    assert_int_equal(ask(admin, "POST", "/api/v1/secrets/revoke/db/main", NULL), 200);
    assert_int_equal(ask(admin, "GET", "/api/v1/secrets/data/db/main", NULL), 409);
    assert_true(says("\"code\":\"revoked\""));
    assert_int_equal(ask(admin, "POST", "/api/v1/secrets/destroy/db/main", "{\"version\":2}"), 200);
    assert_int_equal(ask(admin, "GET", "/api/v1/secrets/data/db/main?recover=true", NULL), 404);
    /* Four values were released, three reads refused: each has its record. */
    assert_int_equal(rig_records(rig, EVENT_SECRET_READ), 4 + 3);
    assert_int_equal(rig_records(rig, EVENT_SECRET_STORED), 2);
    assert_int_equal(rig_records(rig, EVENT_SECRET_ROTATED), 2);
}

/* SEC-2: every call says why, and a call that does not is answered alike whether there is such a secret or not. */
static void test_every_call_needs_a_reason(void **state)
{
    static const struct {
        const char *method, *path, *body, *with;
        int status;
    } calls[] = {
        {"POST", "", NEW("b", "staging", "v"), NEW_WHY("b", "staging", "v"), 201},
        {"GET", "/data/k", NULL, NULL, 200},
        {"GET", "/data/missing", NULL, NULL, 404},
        {"GET", "/metadata/k", NULL, NULL, 200},
        {"GET", "/history/k", NULL, NULL, 200},
        {"GET", "", NULL, NULL, 200},
        {"PUT", "/metadata/k", "{\"owner\":\"me\"}", "{\"owner\":\"me\",\"reason\":\"why\"}", 200},
        {"POST", "/rotate/k", "{\"value\":\"w\"}", "{\"value\":\"w\",\"reason\":\"why\"}", 200},
        {"POST", "/delete/k", "{\"version\":1}", "{\"version\":1,\"reason\":\"why\"}", 200},
        {"POST", "/undelete/k", "{\"version\":1}", "{\"version\":1,\"reason\":\"why\"}", 200},
        {"POST", "/destroy/k", "{\"version\":1}", "{\"version\":1,\"reason\":\"why\"}", 200},
        {"POST", "/revoke/k", NULL, "{\"reason\":\"why\"}", 200},
    };
    char path[128];
    (void)state;
    assert_int_equal(ask(admin, "POST", "/api/v1/secrets", NEW("k", "development", "v")), 201);
    for (size_t i = 0; i < ARRAY_LEN(calls); i++) {
        size_t before = rig_records_all(rig);
        (void)snprintf(path, sizeof path, "/api/v1/secrets%s", calls[i].path);
        assert_int_equal(ask_with(admin, "", calls[i].method, path, calls[i].body), 400);
        assert_true(says("\"code\":\"reason-needed\"") && says("--reason") && says("X-Holdfast-Reason"));
        assert_int_equal(ask_with(admin, "X-Holdfast-Reason:  \t \r\n", calls[i].method, path, calls[i].body), 400);
        assert_int_equal(rig_records_all(rig), before + 2); /* a refusal is recorded like every other */
        (void)snprintf(path, sizeof path, "/api/v1/secrets%s%s", calls[i].path, calls[i].with ? "" : "?reason=why");
        assert_int_equal(ask_with(admin, "", calls[i].method, path, calls[i].with), calls[i].status);
    }
}

/* SEC-2: who may not list a path can't tell whether something is there. */
static void test_missing_looks_like_forbidden(void **state)
{
    static const struct {
        const char *method, *verb, *body;
    } calls[] = {
        {"GET", "data", NULL},
        {"GET", "metadata", NULL},
        {"GET", "history", NULL},
        {"POST", "rotate", "{\"value\":\"x\"}"},
        {"POST", "revoke", "{}"},
        {"POST", "delete", "{\"version\":1}"},
        {"POST", "destroy", "{\"version\":1}"},
        {"PUT", "metadata", "{}"},
    };
    char path[128], there[4096], missing[4096];
    (void)state;
    assert_int_equal(ask(admin, "POST", "/api/v1/secrets", NEW("there", "production", "v")), 201);
    for (size_t i = 0; i < ARRAY_LEN(calls); i++) {
        size_t before = rig_records(rig, EVENT_PERMISSION_DENIED);
        (void)snprintf(path, sizeof path, "/api/v1/secrets/%s/there", calls[i].verb);
        assert_int_equal(ask(developer, calls[i].method, path, calls[i].body), 403);
        body_of(there, sizeof there);
        (void)snprintf(path, sizeof path, "/api/v1/secrets/%s/missing", calls[i].verb);
        assert_int_equal(ask(developer, calls[i].method, path, calls[i].body), 403);
        body_of(missing, sizeof missing);
        assert_string_equal(there, missing);
        assert_int_equal(rig_records(rig, EVENT_PERMISSION_DENIED), before + 2);
        assert_int_equal(ask(admin, calls[i].method, path, calls[i].body), 404);
    }
    assert_int_equal(ask(developer, "POST", "/api/v1/secrets", NEW("there", "development", "v")), 403);
    assert_int_equal(ask(developer, "POST", "/api/v1/secrets", NEW("other", "production", "v")), 403);
}

/* A trader has the level but not the permission: the route itself refuses. */
static void test_permission_first(void **state)
{
    (void)state;
    assert_int_equal(ask(admin, "POST", "/api/v1/secrets", NEW("k", "staging", "v")), 201);
    assert_int_equal(ask(trader, "GET", "/api/v1/secrets/data/k", NULL), 403);
    assert_int_equal(ask(trader, "GET", "/api/v1/secrets", NULL), 403);
}

static void test_lists_show_what_may_be_seen(void **state)
{
    (void)state;
    assert_int_equal(ask(admin, "POST", "/api/v1/secrets", NEW("a/dev", "development", "v")), 201);
    assert_int_equal(ask(admin, "POST", "/api/v1/secrets", NEW("a/prod", "production", "v")), 201);
    assert_int_equal(ask(developer, "GET", "/api/v1/secrets?prefix=a/", NULL), 200);
    assert_true(says("a/dev"));
    assert_false(says("a/prod"));
    assert_int_equal(ask(admin, "GET", "/api/v1/secrets?prefix=a/&limit=1", NULL), 200);
    const char *next = strstr(reply.text, "\"next\":\"");
    assert_non_null(next);
    char path[512];
    (void)snprintf(path, sizeof path, "/api/v1/secrets?prefix=a/&after=%.*s", (int)strcspn(next + 8, "\""), next + 8);
    bool dev = says("a/dev");
    assert_int_equal(ask(admin, "GET", path, NULL), 200);
    assert_true(says(dev ? "a/prod" : "a/dev"));
    assert_false(says(dev ? "a/dev" : "a/prod"));
    assert_false(says("\"next\""));
    assert_int_equal(ask(admin, "GET", "/api/v1/secrets?after=zz", NULL), 400);
    assert_int_equal(ask(admin, "GET", "/api/v1/secrets?prefix=a%20b", NULL), 400);
}

/* Nothing of a value leaves while its record is not durable. */
static void test_no_value_without_its_record(void **state)
{
    (void)state;
    assert_int_equal(ask(admin, "POST", "/api/v1/secrets", NEW("k", "staging", "hunter2")), 201);
    powercut_fail(rig->disk, 1, 1000000, SQLITE_FULL);
    assert_int_equal(ask(admin, "GET", "/api/v1/secrets/data/k", NULL), 507);
    assert_false(says("hunter2"));
    (void)powercut_fail_end(rig->disk);
    rig_turns(rig, 1500);
    assert_int_equal(rig_records(rig, EVENT_SECRET_READ), 1);
    assert_int_equal(ask(admin, "GET", "/api/v1/secrets/data/k", NULL), 200);
    assert_true(says("hunter2"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_life, set_up, rig_tear_down),
        cmocka_unit_test_setup_teardown(test_every_call_needs_a_reason, set_up, rig_tear_down),
        cmocka_unit_test_setup_teardown(test_missing_looks_like_forbidden, set_up, rig_tear_down),
        cmocka_unit_test_setup_teardown(test_permission_first, set_up, rig_tear_down),
        cmocka_unit_test_setup_teardown(test_lists_show_what_may_be_seen, set_up, rig_tear_down),
        cmocka_unit_test_setup_teardown(test_no_value_without_its_record, set_up, rig_tear_down),
    };
    return cmocka_run_group_tests_name("secrets", tests, NULL, NULL);
}
