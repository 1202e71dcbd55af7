/* API keys over a real server, ledger and keeper: what becomes of them between being made and being revoked. */
#include "api_rig.h"

#include "api/inside.h"
#include "api/key_notices.h"
#include "api/routes.h"
#include "base/text.h"
#include "domain/keys/failures.h"
#include "vfs_powercut.h"

#include <sqlite3.h>
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
    all.count = 0;
    for (size_t i = 0; i < ARRAY_LEN(tables); i++)
        for (size_t k = 0; k < tables[i]->count; k++)
            memcpy(&rows[all.count++], &tables[i]->rows[k], sizeof rows[0]);
    rig = rig_set_up(state, &all);
    rig_key(rig, &(struct rig_key){.role = "admin", .expires_ms = rig->now_ms + 1000 * DAY}, admin);
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

/* --- how long a key lasts */

static struct api_key_found found_of(const char *text)
{
    static struct arena *arena;
    struct api_key_parts p = parts_of(text);
    struct api_key_found f;
    arena_free(arena);
    assert_int_equal(arena_new(4096, 1u << 20, &arena), OK);
    assert_int_equal(api_keys_find(rig->shared.api_keys, view_str(p.id), arena, &f), OK);
    return f;
}

static const char *found_id(const char *text)
{
    static char ids[2][API_KEY_ID_LEN + 1];
    static unsigned at;
    struct api_key_parts p = parts_of(text);
    char *id = ids[at++ % 2];
    memcpy(id, p.id, sizeof ids[0]);
    return id;
}

static void on_altered(void *context, struct txn *t)
{
    *(enum err *)context = t->result;
}

/* What the table holds of it, changed as if it had been made like this. */
static void alter(const char *text, void (*how)(struct api_key *k))
{
    AUTO(arena_free) struct arena *arena = NULL;
    struct api_key_found f = found_of(text);
    struct txn_change put;
    assert_int_equal(arena_new(4096, 1u << 20, &arena), OK);
    how(&f.key);
    assert_int_equal(api_key_put(atomic_load(&rig->shared.keys), &f.key, &f, arena, &put), OK);
    struct record record = {.type = EVENT_API_KEY_CREATED, .outcome = OUTCOME_DONE};
    enum err result = ERR_COUNT;
    struct txn t = {.arena = arena,
                    .changes = &put,
                    .change_count = 1,
                    .records = &record,
                    .record_count = 1,
                    .done = on_altered,
                    .context = &result};
    assert_int_equal(ledger_prepare(rig->shared.ledger, &t), OK);
    assert_int_equal(ledger_submit(rig->shared.ledger, &t, 1, rig->thread.mailbox), OK);
    while (result == ERR_COUNT)
        rig_turns(rig, 1);
    assert_int_equal(result, OK);
    assert_int_equal(api_keys_applied(rig->shared.api_keys, &put), OK);
}

static void make_renewable(struct api_key *k)
{
    k->renewable = true;
}

static void make_locked(struct api_key *k)
{
    k->mfa_required = true;
}

static uint64_t until_ms;
static void unlock(struct api_key *k)
{
    k->unlocked_ms = until_ms;
}

static void expect_notices(size_t expiring, size_t expired)
{
    AUTO(key_notices_free) struct key_notices *n = NULL; /* as after a start: nothing is remembered but in the store */
    assert_int_equal(key_notices_new(&rig->thread, &n), OK);
    for (int i = 0; i < 3; i++) {
        (void)key_notices_look(n);
        rig_turns(rig, 5);
        while (api_thread_waiting(&rig->thread))
            rig_turns(rig, 1);
    }
    assert_int_equal(rig_records(rig, EVENT_API_KEY_EXPIRING), expiring);
    assert_int_equal(rig_records(rig, EVENT_API_KEY_EXPIRED), expired);
}

static void expiry_is_told_ahead_once_each(void **state)
{
    char key[API_KEY_TEXT_SIZE], late[API_KEY_TEXT_SIZE];
    uint64_t begin = rig->now_ms;
    (void)state;
    rig_key(rig, &(struct rig_key){.role = "read_only", .expires_ms = begin + 90 * DAY}, key);
    rig_key(rig, &(struct rig_key){.role = "read_only", .expires_ms = begin + 3 * DAY}, late);
    expect_notices(0, 0);
    rig->now_ms = begin + 2 * DAY;
    expect_notices(1, 0); /* 14 and 7 days are longer than its life */
    rig->now_ms = begin + 3 * DAY;
    expect_notices(1, 1);
    assert_int_equal(found_of(late).key.status, KEY_EXPIRED);
    rig->now_ms = begin + 76 * DAY - 1;
    expect_notices(1, 1);
    rig->now_ms = begin + 76 * DAY;
    expect_notices(2, 1);
    rig->now_ms = begin + 89 * DAY + 1; /* nothing ran for two weeks: the newest is told, and what it replaces is not */
    expect_notices(3, 1);
    rig->now_ms = begin + 91 * DAY;
    expect_notices(3, 2);
    assert_int_equal(ask("GET", "/api/v1/session", key, NULL), 401);
    assert_true(says("key-expired"));
}

/* A full disk at the wrong moment: it is told later, not never. */
static void a_notice_that_could_not_be_stored_is_told_later(void **state)
{
    char key[API_KEY_TEXT_SIZE];
    (void)state;
    rig_key(rig, &(struct rig_key){.role = "read_only", .expires_ms = rig->now_ms + 90 * DAY}, key);
    rig->now_ms += 80 * DAY;
    powercut_fail(rig->disk, 1, 1000000, SQLITE_FULL);
    expect_notices(0, 0);
    (void)powercut_fail_end(rig->disk);
    atomic_store(&rig->shared.health.log, API_LOG_GOOD);
    expect_notices(1, 0);
}

static void a_renewed_key_lasts_as_long_again(void **state)
{
    char key[API_KEY_TEXT_SIZE];
    uint64_t begin = rig->now_ms;
    (void)state;
    rig_key(rig, &(struct rig_key){.role = "read_only", .expires_ms = begin + 90 * DAY}, key);
    struct api_key k = found_of(key).key;
    assert_int_equal(api_key_renew(&k, begin + 83 * DAY - 1), ERR_OUT_OF_RANGE);
    assert_int_equal(api_key_renew(&k, begin + 90 * DAY), ERR_OUT_OF_RANGE);
    k.told = NOTICE_7_DAYS;
    for (uint64_t i = 1; i <= 3; i++) {
        assert_int_equal(api_key_renew(&k, begin + i * 90 * DAY - 7 * DAY), OK);
        assert_int_equal(k.expires_ms, begin + (i + 1) * 90 * DAY);
        assert_int_equal(k.told, NOTICE_NONE); /* its new end will be told of as well */
    }
    api_key_begin(&k, begin + 300 * DAY); /* rotated: as long as before the renewals */
    assert_int_equal(k.expires_ms, begin + 390 * DAY);
    alter(key, make_renewable);
    assert_int_equal(step("POST", key, "/renew", ""), 403); /* not by a key: its owner, or who manages, signed in */
}

/* A key that demands its owner's second factor is refused until he has shown it, and after the hours he gave it. */
static void a_locked_key_works_only_when_unlocked(void **state)
{
    char key[API_KEY_TEXT_SIZE];
    (void)state;
    rig_key(rig, &(struct rig_key){.role = "read_only"}, key);
    alter(key, make_locked);
    assert_int_equal(ask("GET", "/api/v1/session", key, NULL), 403);
    assert_true(says("key-locked"));
    assert_int_equal(rig_records(rig, EVENT_PERMISSION_DENIED), 1);
    char body[256];
    (void)snprintf(body, sizeof body, "{\"key\":\"%s\"}", key);
    assert_int_equal(ask("POST", "/api/v1/keys/verify", admin, body), 200);
    assert_true(says("FORBIDDEN"));
    until_ms = rig->now_ms + 1000;
    alter(key, unlock);
    assert_int_equal(ask("GET", "/api/v1/session", key, NULL), 200);
    rig->now_ms += 1000;
    assert_int_equal(ask("GET", "/api/v1/session", key, NULL), 403);
    assert_int_equal(step("POST", key, "/unlock", ""), 403); /* a key unlocks none */
}

static void keys_are_listed_by_age(void **state)
{
    char soon[API_KEY_TEXT_SIZE], later[API_KEY_TEXT_SIZE];
    uint64_t begin = rig->now_ms;
    (void)state;
    rig_key(rig, &(struct rig_key){.role = "read_only", .expires_ms = begin + 40 * DAY}, soon);
    rig_key(rig, &(struct rig_key){.role = "read_only", .expires_ms = begin + 90 * DAY}, later);
    const char *a = found_id(soon), *b = found_id(later);
    rig->now_ms = begin + 29 * DAY;
    assert_int_equal(ask("GET", "/api/v1/keys?expires_within_days=14", admin, NULL), 200);
    assert_true(says(a) && !says(b));
    assert_int_equal(ask("GET", "/api/v1/keys?expires_within_days=10", admin, NULL), 200);
    assert_false(says(a) || says(b));
    assert_int_equal(ask("GET", "/api/v1/keys?rotation_due=true", admin, NULL), 200);
    assert_false(says(a) || says(b));
    rig->now_ms = begin + 30 * DAY;
    assert_int_equal(ask("GET", "/api/v1/keys?rotation_due=true", admin, NULL), 200);
    assert_true(says(a) && says(b) && says("\"rotation_due\":true"));
    rig->now_ms = begin + 41 * DAY; /* what has expired needs no rotation any more */
    assert_int_equal(ask("GET", "/api/v1/keys?rotation_due=true", admin, NULL), 200);
    assert_true(!says(a) && says(b));
    assert_int_equal(ask("GET", "/api/v1/keys?expires_within_days=366", admin, NULL), 200);
    assert_true(!says(a) && says(b));
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, set_up, rig_tear_down)
    const struct CMUnitTest tests[] = {
        T(a_suspended_source_is_put_back),
        T(an_operators_suspension_is_another_one),
        T(verification_counts_by_what_is_said),
        T(expiry_is_told_ahead_once_each),
        T(a_notice_that_could_not_be_stored_is_told_later),
        T(a_renewed_key_lasts_as_long_again),
        T(a_locked_key_works_only_when_unlocked),
        T(keys_are_listed_by_age),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
