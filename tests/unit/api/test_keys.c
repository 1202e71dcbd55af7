/* API keys over a real server, ledger and keeper: what becomes of them between being made and being revoked. */
#include "api_rig.h"

#include "api/routes.h"
#include "base/text.h"
#include "domain/keys/failures.h"

#include <stdio.h>
#include <string.h>

#define DAY (24ull * 3600 * 1000)

static struct route rows[64];
static struct route_table all = {rows, 0};
static struct rig *rig;
static struct rig_reply reply;
static char admin[API_KEY_TEXT_SIZE];

static int set_up(void **state)
{
    static const struct route_table *const tables[] = {&whoami_routes, &keys_routes, &keys_verify_routes};
    (void)state;
    all.count = 0;
    for (size_t i = 0; i < ARRAY_LEN(tables); i++)
        for (size_t k = 0; k < tables[i]->count; k++)
            memcpy(&rows[all.count++], &tables[i]->rows[k], sizeof rows[0]);
    rig = rig_new(&all);
    rig_key(rig, &(struct rig_key){.role = "admin", .expires_ms = rig->now_ms + 1000 * DAY}, admin);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    rig_free(rig);
    return 0;
}

static int ask(const char *method, const char *path, const char *key, const char *body)
{
    char header[512];
    (void)snprintf(header, sizeof header, "X-API-Key: %s\r\n", key);
    rig_ask(rig, method, path, header, body, &reply);
    return reply.status;
}

static bool says(const char *text)
{
    return strstr(reply.text, text) != NULL;
}

static struct api_key_parts parts_of(const char *text)
{
    struct api_key_parts p;
    assert_int_equal(api_key_parse(view_str(text), &p), OK);
    return p;
}

static int step(const char *method, const char *text, const char *verb, const char *body)
{
    struct api_key_parts p = parts_of(text);
    char path[128];
    (void)snprintf(path, sizeof path, "/api/v1/keys/%s%s", p.id, verb);
    return ask(method, path, admin, body);
}

/* --- wrong secrets */

static void guess_until_suspended(const char *text)
{
    struct api_key_parts p = parts_of(text), unused;
    const struct api_key same = {.id = view_str(p.id), .environment = p.environment};
    for (int i = 0; i < FAILURES_LIMIT; i++) {
        char wrong[API_KEY_TEXT_SIZE];
        assert_int_equal(api_key_remake(random_system(), &same, wrong, &unused), OK);
        assert_int_equal(ask("GET", "/api/v1/session", wrong, NULL), 401);
    }
}

/* A bot that was left with an old secret must not keep the desk waiting for an hour once it has the new one. */
static void a_suspended_source_is_put_back(void **state)
{
    char key[API_KEY_TEXT_SIZE];
    (void)state;
    rig_key(rig, &(struct rig_key){.role = "read_only"}, key);
    assert_int_equal(step("POST", key, "/reactivate", ""), 409);
    for (int round = 0; round < 2; round++) {
        guess_until_suspended(key);
        assert_int_equal(ask("GET", "/api/v1/session", key, NULL), 401);
        assert_true(says("bad-credentials"));
        assert_int_equal(step("GET", key, "", NULL), 200);
        assert_true(says("\"status\":\"active\"") && says("\"suspended_sources\":1"));
        if (round == 0) {
            assert_int_equal(step("POST", key, "/reactivate", ""), 200);
            assert_int_equal(ask("GET", "/api/v1/session", key, NULL), 200);
        }
    }
    assert_int_equal(step("POST", key, "/rotate", "{\"grace_seconds\":60}"), 200);
    assert_int_equal(ask("GET", "/api/v1/session", key, NULL), 200);
    assert_int_equal(step("GET", key, "", NULL), 200);
    assert_false(says("suspended_sources"));
    assert_int_equal(rig_records(rig, EVENT_API_KEY_SUSPENDED), 2);
    assert_int_equal(rig_records(rig, EVENT_API_KEY_INVALID), 2 * FAILURES_LIMIT); /* 4 wrong, 1 right in vain */
    assert_int_equal(rig_records(rig, EVENT_KEY_REACTIVATED), 1);
}

/* What a person suspended stays suspended, whatever becomes of sources. */
static void an_operators_suspension_is_another_one(void **state)
{
    char key[API_KEY_TEXT_SIZE];
    (void)state;
    rig_key(rig, &(struct rig_key){.role = "read_only"}, key);
    assert_int_equal(step("POST", key, "/suspend", ""), 200);
    guess_until_suspended(key);
    rig->now_ms += FAILURES_MS;
    assert_int_equal(ask("GET", "/api/v1/session", key, NULL), 401);
    assert_true(says("key-disabled"));
    guess_until_suspended(key);
    assert_int_equal(step("POST", key, "/reactivate", ""), 200); /* ends both */
    assert_int_equal(ask("GET", "/api/v1/session", key, NULL), 200);
}

static int verify(const char *key, const char *source)
{
    char body[512];
    (void)snprintf(body, sizeof body, "{\"key\":\"%s\"%s%s%s}", key, source ? ",\"source\":\"" : "",
                   source ? source : "", source ? "\"" : "");
    assert_int_equal(ask("POST", "/api/v1/keys/verify", admin, body), 200);
    return says("\"reason\":\"VALID\"") ? 1 : says("\"reason\":\"NOT_FOUND\"") ? 0 : -1;
}

/* A program of the desk that asks on others' behalf shuts out only who showed it wrong keys, and only there. */
static void verification_counts_by_what_is_said(void **state)
{
    char key[API_KEY_TEXT_SIZE], wrong[API_KEY_TEXT_SIZE];
    struct api_key_parts unused;
    (void)state;
    rig_key(rig, &(struct rig_key){.role = "read_only"}, key);
    struct api_key_parts p = parts_of(key);
    const struct api_key same = {.id = view_str(p.id), .environment = p.environment};
    assert_int_equal(api_key_remake(random_system(), &same, wrong, &unused), OK);
    for (int i = 0; i < 2 * FAILURES_LIMIT; i++)
        assert_int_equal(verify(wrong, NULL), 0);
    assert_int_equal(verify(key, NULL), 1);
    for (int i = 0; i < FAILURES_LIMIT; i++)
        assert_int_equal(verify(wrong, "192.0.2.1"), 0);
    assert_int_equal(verify(key, "192.0.2.1"), 0);
    assert_int_equal(verify(key, "192.0.2.2"), 1);
    assert_int_equal(ask("GET", "/api/v1/session", key, NULL), 200);
    assert_int_equal(rig_records(rig, EVENT_API_KEY_SUSPENDED), 1);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        T(a_suspended_source_is_put_back),
        T(an_operators_suspension_is_another_one),
        T(verification_counts_by_what_is_said),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
