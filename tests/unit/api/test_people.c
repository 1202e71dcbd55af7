/* Enrolment, log-in, users and API keys as a client sees them: a real server, ledger and keeper. */
#include "api_rig.h"

#include "api/keys.h"
#include "api/passwords.h"
#include "api/routes.h"
#include "base/text.h"
#include "crypto/hash.h"
#include "vfs_powercut.h"

#include <crypt.h>
#include <sqlite3.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define PASSWORD "Kq7-vmDt2xPz"
#define HOUR     (3600ull * 1000)

static struct route rows[64];
static struct route_table all = {rows, 0};
static struct rig *rig;
static struct rig_reply reply;

static int set_up(void **state)
{
    static const struct route_table *const tables[] = {
        &login_routes, &enrol_routes, &invite_routes,      &sessions_routes, &me_routes,
        &users_routes, &keys_routes,  &keys_verify_routes, &logout_routes,   &whoami_routes};
    (void)state;
    all.count = 0;
    for (size_t i = 0; i < ARRAY_LEN(tables); i++)
        for (size_t k = 0; k < tables[i]->count; k++)
            memcpy(&rows[all.count++], &tables[i]->rows[k], sizeof rows[0]);
    rig = rig_new(&all);
    rig->config.argon2 = (struct config_argon2){.passes = 1, .memory_kib = 8192};
    config_passwords_complete(&rig->config.passwords);
    rig->config.sessions = (struct config_sessions){.hours = 8, .idle_minutes = 30, .per_user = 3};
    assert_int_equal(passwords_new(&rig->config, NULL, &rig->shared.passwords), OK);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    passwords_free(rig->shared.passwords);
    rig_free(rig);
    return 0;
}

/* --- short ways */

static int ask(const char *method, const char *path, const char *token, const char *body)
{
    char header[512] = "";
    if (token && *token)
        (void)snprintf(header, sizeof header, "Authorization: Bearer %s\r\n", token);
    rig_ask(rig, method, path, header, body, &reply);
    return reply.status;
}

/* The text of a member of the last answer. */
static void member(const char *name, char *out, size_t cap)
{
    char quoted[64];
    (void)snprintf(quoted, sizeof quoted, "\"%s\":\"", name);
    const char *at = strstr(reply.text, quoted);
    assert_non_null(at);
    at += strlen(quoted);
    size_t n = strcspn(at, "\"");
    assert_true(n < cap);
    memcpy(out, at, n);
    out[n] = '\0';
}

static bool says(const char *text)
{
    return strstr(reply.text, text) != NULL;
}

/* The administrators are recovered by what unseals: carol is the only one, with a one-time token. */
static void enrolment_token(char *out, size_t cap)
{
    const struct keeper_admin_change q = {
        .name = VIEW_STR("carol"), .key = {2}, .replace_all = true, .passphrase = VIEW_STR("a passphrase of the test")};
    AUTO_WRITER body = writer_new(4096), answer = writer_new(16384);
    AUTO(arena_free) struct arena *arena = NULL;
    struct keeper_admin_changed changed;
    struct problem why = {0};
    assert_int_equal(arena_new(4096, 1u << 20, &arena), OK);
    assert_int_equal(entity_encode(&keeper_admin_change_entity, &q, &body), OK);
    assert_int_equal(keeper_handle(rig->keeper, PEER_OPERATOR, KEEPER_ADMIN_ADD, writer_view_of(&body), &answer, &why),
                     OK);
    assert_int_equal(entity_decode(&keeper_admin_changed_entity, writer_view_of(&answer), arena, &changed), OK);
    assert_int_equal(view_to_str(changed.enrolment_token, out, cap), OK);
}

static void enrol(char session[64])
{
    char token[128], body[512];
    enrolment_token(token, sizeof token);
    (void)snprintf(body, sizeof body, "{\"name\":\"carol\",\"token\":\"%s\",\"password\":\"%s\"}", token, PASSWORD);
    assert_int_equal(ask("POST", "/api/v1/enrol", NULL, body), 201);
    member("token", session, 64);
}

static int log_in(const char *name, const char *password, char session[64])
{
    char body[512];
    (void)snprintf(body, sizeof body, "{\"name\":\"%s\",\"password\":\"%s\"}", name, password);
    int status = ask("POST", "/api/v1/login", NULL, body);
    if (status == 200)
        member("token", session, 64);
    return status;
}

static void add_user(const char *admin, const char *name, const char *role)
{
    char body[512];
    (void)snprintf(body, sizeof body,
                   "{\"name\":\"%s\",\"roles\":[\"%s\"],\"environments\":[\"production\"],\"password\":\"%s\"}", name,
                   role, PASSWORD);
    assert_int_equal(ask("POST", "/api/v1/users", admin, body), 201);
}

static int change_user(const char *token, const char *name, const char *body)
{
    char path[128];
    (void)snprintf(path, sizeof path, "/api/v1/users/%s", name);
    return ask("PATCH", path, token, body);
}

static void make_key(const char *session, const char *more, char text[API_KEY_TEXT_SIZE], char id[32])
{
    char body[512];
    (void)snprintf(
        body, sizeof body,
        "{\"name\":\"bot\",\"environment\":\"production\",\"usage\":\"full_access\",\"roles\":[\"trader\"]%s}", more);
    assert_int_equal(ask("POST", "/api/v1/keys", session, body), 201);
    member("key", text, API_KEY_TEXT_SIZE);
    member("id", id, 32);
}

static int key_step(const char *token, const char *id, const char *step, const char *body)
{
    char path[128];
    (void)snprintf(path, sizeof path, "/api/v1/keys/%s%s", id, step);
    return ask(*step ? "POST" : "DELETE", path, token, body);
}

/* --- enrolment */

static void enrolment_makes_an_administrator_once(void **state)
{
    char token[128], body[512], session[64];
    (void)state;
    enrolment_token(token, sizeof token);
    (void)snprintf(body, sizeof body, "{\"name\":\"carol\",\"token\":\"%s\",\"password\":\"weak\"}", token);
    assert_int_equal(ask("POST", "/api/v1/enrol", NULL, body), 400);
    assert_true(says("weak-password") && says("/password"));
    (void)snprintf(body, sizeof body, "{\"name\":\"carol\",\"token\":\"hfe_wrong\",\"password\":\"%s\"}", PASSWORD);
    assert_int_equal(ask("POST", "/api/v1/enrol", NULL, body), 403);
    assert_true(says("enrolment-invalid"));
    (void)snprintf(body, sizeof body, "{\"name\":\"dave\",\"token\":\"%s\",\"password\":\"%s\"}", token, PASSWORD);
    assert_int_equal(ask("POST", "/api/v1/enrol", NULL, body), 403); /* somebody else's */
    (void)snprintf(body, sizeof body, "{\"name\":\"carol\",\"token\":\"%s\",\"password\":\"%s\"}", token, PASSWORD);
    assert_int_equal(ask("POST", "/api/v1/enrol", NULL, body), 201);
    member("token", session, sizeof session);
    assert_int_equal(rig_records(rig, EVENT_ENROLMENT_USED), 1);
    assert_int_equal(rig_records(rig, EVENT_USER_CREATED), 1);
    assert_int_equal(ask("GET", "/api/v1/session", session, NULL), 200);
    assert_true(says("\"actor\":\"user:carol\"") && says("\"users:manage\"") && says("\"secret_level\":\"admin\""));
    assert_false(says("orders:place"));
    assert_int_equal(ask("POST", "/api/v1/enrol", NULL, body), 403); /* one time is one time */
    assert_int_equal(log_in("carol", PASSWORD, session), 200);
}

/* A disk that is full at the wrong moment must not cost the only administrator his way in. */
static void a_failed_enrolment_leaves_the_token_good(void **state)
{
    char token[128], body[512];
    (void)state;
    enrolment_token(token, sizeof token);
    (void)snprintf(body, sizeof body, "{\"name\":\"carol\",\"token\":\"%s\",\"password\":\"%s\"}", token, PASSWORD);
    powercut_fail(rig->disk, 1, 1000000, SQLITE_FULL);
    assert_int_equal(ask("POST", "/api/v1/enrol", NULL, body), 507);
    (void)powercut_fail_end(rig->disk);
    assert_int_equal(rig_records(rig, EVENT_ENROLMENT_USED), 0);
    assert_int_equal(ask("POST", "/api/v1/enrol", NULL, body), 201);
    assert_int_equal(rig_records(rig, EVENT_ENROLMENT_USED), 1);
    assert_int_equal(ask("POST", "/api/v1/enrol", NULL, body), 403);
    assert_int_equal(rig_records(rig, EVENT_ENROLMENT_USED), 1);
}

/* The keeper finds the token good for all of them; the row lets one through. */
static void an_enrolment_at_once_is_one(void **state)
{
    char token[128], body[512];
    int fds[4], made = 0;
    (void)state;
    enrolment_token(token, sizeof token);
    (void)snprintf(body, sizeof body, "{\"name\":\"carol\",\"token\":\"%s\",\"password\":\"%s\"}", token, PASSWORD);
    for (size_t i = 0; i < ARRAY_LEN(fds); i++)
        fds[i] = rig_send(rig, "POST", "/api/v1/enrol", NULL, body);
    for (size_t i = 0; i < ARRAY_LEN(fds); i++) {
        assert_true(rig_receive(rig, fds[i], 3000, &reply));
        assert_true(reply.status == 201 || (reply.status == 403 && says("enrolment-invalid")));
        made += reply.status == 201;
    }
    assert_int_equal(made, 1);
    assert_int_equal(rig_records(rig, EVENT_ENROLMENT_USED), 1);
    assert_int_equal(rig_records(rig, EVENT_USER_CREATED), 1);
    assert_int_equal(rig_records(rig, EVENT_USER_CHANGED), 0);
}

/* --- log-in */

static void refusals_look_alike(void **state)
{
    char session[64], first[16384], *at;
    (void)state;
    enrol(session);
    assert_int_equal(log_in("nobody", PASSWORD, session), 401);
    at = strstr(reply.text, "\r\n\r\n");
    assert_non_null(at);
    memcpy(first, reply.text, sizeof first);
    assert_int_equal(log_in("carol", "Wrong-password-1x", session), 401);
    /* The same but for the request's id and the date. */
    assert_int_equal(strlen(first), strlen(reply.text));
    assert_true(says("bad-credentials"));
    assert_int_equal(rig_records(rig, EVENT_AUTHENTICATION_FAILED), 2);
}

/* As after a restart. */
static enum user_state stored_state(const char *name)
{
    AUTO(identity_free) struct identity *again = NULL;
    AUTO(arena_free) struct arena *a = NULL;
    struct problem why = {0};
    struct user_found f;
    size_t damaged;
    assert_int_equal(arena_new(4096, 1u << 20, &a), OK);
    assert_int_equal(identity_new(&again), OK);
    assert_int_equal(identity_load(again, rig->thread.reader, atomic_load(&rig->shared.keys), &damaged, &why), OK);
    assert_int_equal(identity_user(again, view_str(name), a, &f), OK);
    return (enum user_state)f.user.state;
}

static void five_failures_lock_and_time_unlocks(void **state)
{
    char session[64], live[64];
    (void)state;
    enrol(live);
    for (int i = 0; i < 5; i++)
        assert_int_equal(log_in("carol", "Wrong-password-1x", session), 401);
    assert_int_equal(rig_records(rig, EVENT_ACCOUNT_LOCKED), 1);
    assert_int_equal(stored_state("carol"), USER_LOCKED);
    assert_int_equal(log_in("carol", PASSWORD, session), 401); /* the right one does not help */
    assert_int_equal(rig_records(rig, EVENT_AUTHENTICATION_BLOCKED), 1);
    assert_int_equal(ask("GET", "/api/v1/session", live, NULL), 200); /* who is in stays in */
    rig->now_ms += rig->config.passwords.lock_minutes * 60000ull;
    assert_int_equal(log_in("carol", PASSWORD, session), 200);
    assert_int_equal(stored_state("carol"), USER_ACTIVE);
    assert_int_equal(rig_records(rig, EVENT_AUTHENTICATION_SUCCESS), 2); /* the enrolment signed her in, too */
}

/* Guesses that are sent at once count one by one: at most five are judged. */
static void guesses_at_once_all_count(void **state)
{
    char session[64];
    int fds[20];
    (void)state;
    enrol(session);
    for (size_t i = 0; i < ARRAY_LEN(fds); i++)
        fds[i] = rig_send(rig, "POST", "/api/v1/login", NULL,
                          "{\"name\":\"carol\",\"password\":\"Wrong-password-1x\"}");
    for (size_t i = 0; i < ARRAY_LEN(fds); i++) {
        assert_true(rig_receive(rig, fds[i], 3000, &reply));
        assert_int_equal(reply.status, 401);
    }
    assert_int_equal(rig_records(rig, EVENT_AUTHENTICATION_FAILED), 5);
    assert_int_equal(rig_records(rig, EVENT_ACCOUNT_LOCKED), 1);
}

static void log_ins_at_once_leave_three_sessions(void **state)
{
    char session[64], tokens[6][64], body[128];
    int fds[6], alive = 0;
    (void)state;
    enrol(session);
    rig->now_ms += 1000;
    (void)snprintf(body, sizeof body, "{\"name\":\"carol\",\"password\":\"%s\"}", PASSWORD);
    for (size_t i = 0; i < ARRAY_LEN(fds); i++)
        fds[i] = rig_send(rig, "POST", "/api/v1/login", NULL, body);
    for (size_t i = 0; i < ARRAY_LEN(fds); i++) {
        assert_true(rig_receive(rig, fds[i], 3000, &reply));
        assert_int_equal(reply.status, 200);
        member("token", tokens[i], sizeof tokens[i]);
    }
    for (size_t i = 0; i < ARRAY_LEN(fds); i++)
        alive += ask("GET", "/api/v1/session", tokens[i], NULL) == 200;
    assert_int_equal(alive, 3);
    assert_int_equal(ask("GET", "/api/v1/session", session, NULL), 401); /* the oldest */
}

static void sessions_end(void **state)
{
    char session[64], again[64];
    (void)state;
    enrol(session);
    assert_int_equal(log_in("carol", PASSWORD, again), 200);
    assert_int_equal(ask("POST", "/api/v1/logout", again, NULL), 204);
    assert_int_equal(ask("GET", "/api/v1/session", again, NULL), 401);
    assert_int_equal(ask("GET", "/api/v1/session", session, NULL), 200);
    assert_int_equal(rig_records(rig, EVENT_SESSION_ENDED), 1);
    rig->now_ms += 31 * 60 * 1000;
    assert_int_equal(ask("GET", "/api/v1/session", session, NULL), 401);
    assert_true(says("token-expired"));
}

static size_t stored_sessions(void)
{
    AUTO(arena_free) struct arena *a = NULL;
    struct txn_change *ends;
    size_t n = 0;
    assert_int_equal(arena_new(65536, 1u << 20, &a), OK);
    assert_int_equal(identity_end_sessions(rig->shared.identity, VIEW_STR("carol"), rig->now_ms, 0, a, &ends, &n), OK);
    return n;
}

/* Somebody who never signs in again leaves nothing behind; who is in stays in. */
static void sessions_that_are_over_are_swept(void **state)
{
    char first[64], second[64];
    (void)state;
    enrol(first);
    assert_int_equal(log_in("carol", PASSWORD, second), 200);
    rig->now_ms += 20 * 60 * 1000;
    assert_int_equal(ask("GET", "/api/v1/session", second, NULL), 200);
    rig_turns(rig, 2200);
    assert_int_equal(stored_sessions(), 2);
    rig->now_ms += 20 * 60 * 1000; /* the first was idle for 40 minutes now */
    rig_turns(rig, 2200);
    assert_int_equal(stored_sessions(), 1);
    assert_int_equal(rig_records(rig, EVENT_SESSION_ENDED), 1);
    assert_int_equal(ask("GET", "/api/v1/session", first, NULL), 401);
    assert_true(says("unauthenticated")); /* not merely expired: it is gone */
    assert_int_equal(ask("GET", "/api/v1/session", second, NULL), 200);
    rig->now_ms += 9 * HOUR;
    rig_turns(rig, 2200);
    assert_int_equal(stored_sessions(), 0);
    assert_int_equal(rig_records(rig, EVENT_SESSION_ENDED), 2);
}

/* The id of the session that asks, among others. */
static void own_session_id(const char *session, char out[64])
{
    assert_int_equal(ask("GET", "/api/v1/sessions", session, NULL), 200);
    const char *at = strstr(reply.text, "\"current\":true");
    assert_non_null(at);
    while (at > reply.text && memcmp(at, "{\"id\":\"", 7) != 0)
        at--;
    (void)snprintf(out, 64, "%.32s", at + 7);
}

static int end_sessions(const char *session, const char *what)
{
    return ask("POST", "/api/v1/sessions/revoke", session, what);
}

static void sessions_are_listed_and_ended(void **state)
{
    char admin[64], alice[64], other[64], bob[64], id[64], body[128];
    (void)state;
    enrol(admin);
    add_user(admin, "alice", "trader");
    add_user(admin, "bob", "viewer");
    assert_int_equal(log_in("alice", PASSWORD, alice), 200);
    assert_int_equal(log_in("alice", PASSWORD, other), 200);
    assert_int_equal(log_in("bob", PASSWORD, bob), 200);
    own_session_id(alice, id);
    assert_false(says(alice + 4) || says(other + 4) || says("carol") || says("bob"));
    assert_int_equal(ask("GET", "/api/v1/session", id, NULL), 401); /* an id opens nothing */
    assert_int_equal(ask("GET", "/api/v1/sessions?user=bob", alice, NULL), 403);
    assert_int_equal(ask("GET", "/api/v1/sessions?all=true", alice, NULL), 403);
    assert_int_equal(ask("GET", "/api/v1/sessions?all=true&limit=2", admin, NULL), 200);
    assert_true(says("\"next\":"));
    /* Of somebody else one can't end anything, nor learn whether it is there. */
    (void)snprintf(body, sizeof body, "{\"id\":\"%s\"}", id);
    assert_int_equal(end_sessions(bob, body), 403);
    assert_int_equal(end_sessions(bob, "{\"id\":\"00000000000000000000000000000000\"}"), 403);
    assert_int_equal(end_sessions(bob, "{\"user\":\"alice\"}"), 403);
    assert_int_equal(end_sessions(bob, "{\"all\":true}"), 403);
    assert_int_equal(end_sessions(bob, "{\"all\":true,\"others\":true}"), 400);
    assert_int_equal(ask("GET", "/api/v1/session", alice, NULL), 200);
    assert_int_equal(end_sessions(other, body), 204); /* his own, from his other one */
    assert_int_equal(ask("GET", "/api/v1/session", alice, NULL), 401);
    assert_int_equal(end_sessions(other, body), 403);
    assert_int_equal(log_in("alice", PASSWORD, alice), 200);
    assert_int_equal(end_sessions(alice, "{\"others\":true}"), 204);
    assert_int_equal(ask("GET", "/api/v1/session", other, NULL), 401);
    assert_int_equal(ask("GET", "/api/v1/session", alice, NULL), 200);
    assert_int_equal(end_sessions(admin, "{\"user\":\"alice\"}"), 204);
    assert_int_equal(ask("GET", "/api/v1/session", alice, NULL), 401);
    assert_int_equal(ask("GET", "/api/v1/session", bob, NULL), 200);
}

/* More than one leaf of the record can speak of. */
static void everybodys_sessions_end(void **state)
{
    char admin[64], session[64];
    (void)state;
    rig->config.sessions.per_user = 100;
    enrol(admin);
    for (int i = 0; i < 40; i++)
        assert_int_equal(log_in("carol", PASSWORD, session), 200);
    assert_int_equal(end_sessions(session, "{\"all\":true}"), 204);
    assert_int_equal(ask("GET", "/api/v1/session", admin, NULL), 401);
    assert_int_equal(ask("GET", "/api/v1/session", session, NULL), 401);
    assert_int_equal(stored_sessions(), 0);
    assert_int_equal(log_in("carol", PASSWORD, session), 200);
}

static int change_own(const char *session, const char *old, const char *fresh)
{
    char body[512];
    (void)snprintf(body, sizeof body, "{\"old_password\":\"%s\",\"new_password\":\"%s\"}", old, fresh);
    return ask("POST", "/api/v1/me/password", session, body);
}

static void own_password_is_changed(void **state)
{
    static const char fresh[] = "Zz9!other-Words";
    char first[64], session[64], key[API_KEY_TEXT_SIZE];
    (void)state;
    enrol(first);
    assert_int_equal(log_in("carol", PASSWORD, session), 200);
    assert_int_equal(change_own(session, PASSWORD, "weak"), 400);
    assert_true(says("weak-password") && says("/new_password"));
    assert_int_equal(change_own(session, PASSWORD, PASSWORD), 400);
    assert_int_equal(change_own(NULL, PASSWORD, fresh), 401);
    rig_key(rig, &(struct rig_key){.role = "admin"}, key);
    assert_int_equal(change_own(key, PASSWORD, fresh), 403); /* a key is no person */
    assert_int_equal(change_own(session, "Wrong-password-1x", fresh), 401);
    assert_int_equal(rig_records(rig, EVENT_AUTHENTICATION_FAILED), 1);
    assert_int_equal(change_own(session, PASSWORD, fresh), 204);
    assert_int_equal(rig_records(rig, EVENT_USER_CHANGED), 1);
    assert_int_equal(ask("GET", "/api/v1/session", session, NULL), 200);
    assert_int_equal(ask("GET", "/api/v1/session", first, NULL), 401); /* others end */
    assert_int_equal(log_in("carol", PASSWORD, first), 401);
    assert_int_equal(log_in("carol", fresh, first), 200);
}

static int log_in_anew(const char *name, const char *password, const char *fresh, char session[64])
{
    char body[512];
    (void)snprintf(body, sizeof body, "{\"name\":\"%s\",\"password\":\"%s\",\"new_password\":\"%s\"}", name, password,
                   fresh);
    int status = ask("POST", "/api/v1/login", NULL, body);
    if (status == 200)
        member("token", session, 64);
    return status;
}

/* Of the last five none can be taken again, by whatever way it is set. */
static void former_passwords_are_refused(void **state)
{
    static const char *const fresh[] = {"Zz9!other-Words1", "Zz9!other-Words2", "Zz9!other-Words3", "Zz9!other-Words4"};
    char session[64], admin[64], body[128];
    (void)state;
    enrol(admin);
    add_user(admin, "alice", "trader");
    assert_int_equal(log_in("alice", PASSWORD, session), 200);
    for (size_t i = 0; i < ARRAY_LEN(fresh); i++)
        assert_int_equal(change_own(session, i ? fresh[i - 1] : PASSWORD, fresh[i]), 204);
    assert_int_equal(change_own(session, fresh[3], fresh[0]), 400);
    assert_true(says("weak-password") && says("/new_password") && says("used before"));
    assert_int_equal(change_own(session, fresh[3], PASSWORD), 400); /* the fifth */
    assert_int_equal(log_in_anew("alice", fresh[3], PASSWORD, session), 400);
    (void)snprintf(body, sizeof body, "{\"password\":\"%s\"}", PASSWORD);
    assert_int_equal(change_user(admin, "alice", body), 400);
    assert_true(says("\"/password\"") && says("used before"));
    assert_int_equal(change_user(admin, "alice", "{\"password\":\"Zz9!other-Words5\"}"), 200);
    assert_int_equal(change_user(admin, "alice", body), 200); /* five others came after it */
    assert_int_equal(log_in("alice", PASSWORD, session), 200);
}

static void an_old_password_only_buys_a_new_one(void **state)
{
    static const char fresh[] = "Zz9!other-Words";
    char session[64], other[64];
    (void)state;
    enrol(session);
    rig->now_ms += 89 * 24 * HOUR;
    assert_int_equal(log_in("carol", PASSWORD, other), 200);
    rig->now_ms += 24 * HOUR;
    assert_int_equal(log_in("carol", "Wrong-password-1x", session), 401);
    assert_true(says("bad-credentials")); /* a stranger does not learn how old it is */
    assert_int_equal(log_in("carol", PASSWORD, session), 403);
    assert_true(says("password-expired") && !says("hfs_"));
    assert_int_equal(log_in_anew("carol", PASSWORD, "weak", session), 400);
    assert_true(says("/new_password"));
    assert_int_equal(log_in_anew("carol", PASSWORD, PASSWORD, session), 400);
    assert_int_equal(log_in_anew("carol", "Wrong-password-1x", fresh, session), 401);
    assert_int_equal(rig_records(rig, EVENT_USER_CHANGED), 0);
    assert_int_equal(log_in_anew("carol", PASSWORD, fresh, session), 200);
    assert_int_equal(rig_records(rig, EVENT_USER_CHANGED), 1);
    assert_int_equal(ask("GET", "/api/v1/session", session, NULL), 200);
    assert_int_equal(log_in("carol", fresh, other), 200);
    assert_int_equal(log_in("carol", PASSWORD, other), 401);
}

/* What a hash cost when it was made does not stay for ever. */
static void a_cheap_hash_is_replaced_at_a_log_in(void **state)
{
    struct user_found f;
    AUTO(arena_free) struct arena *a = NULL;
    char session[64], hash[PASSWORD_HASH_SIZE];
    (void)state;
    enrol(session);
    assert_int_equal(arena_new(4096, 1u << 20, &a), OK);
    assert_int_equal(passwords_set_cost(rig->shared.passwords, (struct argon2_cost){.passes = 2, .memory_kib = 8192}),
                     OK);
    assert_int_equal(log_in("carol", "Wrong-password-1x", session), 401);
    assert_int_equal(identity_user(rig->shared.identity, VIEW_STR("carol"), a, &f), OK);
    assert_non_null(memmem(f.user.password_hash.ptr, f.user.password_hash.len, ",t=1,", 5));
    assert_int_equal(log_in("carol", PASSWORD, session), 200);
    assert_int_equal(identity_user(rig->shared.identity, VIEW_STR("carol"), a, &f), OK);
    assert_non_null(memmem(f.user.password_hash.ptr, f.user.password_hash.len, ",t=2,", 5));
    assert_int_equal(view_to_str(f.user.password_hash, hash, sizeof hash), OK);
    assert_int_equal(log_in("carol", PASSWORD, session), 200);
    assert_int_equal(identity_user(rig->shared.identity, VIEW_STR("carol"), a, &f), OK);
    assert_true(view_is(f.user.password_hash, hash)); /* once */
}

/* A password out of a breach, at each place where one is chosen. The list is a real file. */
static void breached_passwords_are_refused(void **state)
{
    static const char line[] = "95FDF0AB0DC37AFEA7AC5D02CA8B4E2AC6D6C02B:3\n";
    char path[] = "/tmp/hf-breached-XXXXXX", admin[64], text[128];
    struct breached *list = NULL;
    struct problem why = {0};
    uint8_t hash[20];
    AUTO_WRITER w = writer_new(128);
    (void)state;
    sha1_for_lookup(VIEW_STR("Xk4!breached-Words"), hash);
    hex_put(&w, VIEW_OF(hash));
    (void)snprintf(text, sizeof text, "%.40s%s", (const char *)w.ptr, line + 40);
    int fd = mkstemp(path);
    assert_true(fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text));
    assert_int_equal(unlink(path), 0);
    assert_int_equal(breached_new(fd, &list, &why), OK);
    enrol(admin);
    passwords_free(rig->shared.passwords);
    assert_int_equal(passwords_new(&rig->config, list, &rig->shared.passwords), OK);
    assert_int_equal(ask("POST", "/api/v1/users", admin, "{\"name\":\"bob\",\"password\":\"Xk4!breached-Words\"}"),
                     400);
    assert_true(says("weak-password") && says("\"/password\""));
    assert_int_equal(change_own(admin, PASSWORD, "Xk4!breached-Words"), 400);
    assert_true(says("/new_password"));
    assert_int_equal(log_in_anew("carol", PASSWORD, "Xk4!breached-Words", text), 400);
    assert_int_equal(change_own(admin, PASSWORD, "Xk4!breached-Words2"), 204);
}

/* Who has a session alone can't try passwords with it for longer than at the log-in. */
static void guessing_the_old_password_locks(void **state)
{
    static const char fresh[] = "Zz9!other-Words";
    char session[64], other[64];
    (void)state;
    enrol(session);
    for (int i = 0; i < 5; i++)
        assert_int_equal(change_own(session, "Wrong-password-1x", fresh), 401);
    assert_int_equal(rig_records(rig, EVENT_ACCOUNT_LOCKED), 1);
    assert_int_equal(change_own(session, PASSWORD, fresh), 401);
    assert_int_equal(rig_records(rig, EVENT_AUTHENTICATION_BLOCKED), 1);
    assert_int_equal(log_in("carol", fresh, other), 401);
    assert_int_equal(ask("GET", "/api/v1/session", session, NULL), 200);
}

/* Two at once with the same old password: it is right for one of them only. */
static void one_of_two_changes_wins(void **state)
{
    static const char *const fresh[] = {"Zz9!other-Words", "Yy8!still-Others"};
    char session[64], header[128], body[256];
    int fds[2], done = 0;
    (void)state;
    enrol(session);
    (void)snprintf(header, sizeof header, "Authorization: Bearer %s\r\n", session);
    for (size_t i = 0; i < ARRAY_LEN(fds); i++) {
        (void)snprintf(body, sizeof body, "{\"old_password\":\"" PASSWORD "\",\"new_password\":\"%s\"}", fresh[i]);
        fds[i] = rig_send(rig, "POST", "/api/v1/me/password", header, body);
    }
    for (size_t i = 0; i < ARRAY_LEN(fds); i++) {
        assert_true(rig_receive(rig, fds[i], 3000, &reply));
        assert_true(reply.status == 204 || reply.status == 401);
        done += reply.status == 204;
    }
    assert_int_equal(done, 1);
    assert_int_equal(rig_records(rig, EVENT_USER_CHANGED), 1);
}

static void busy_is_said_at_once(void **state)
{
    int fds[PASSWORDS_QUEUE + 24], busy = 0;
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(fds); i++)
        fds[i] = rig_send(rig, "POST", "/api/v1/login", NULL, "{\"name\":\"x\",\"password\":\"y\"}");
    for (size_t i = 0; i < ARRAY_LEN(fds); i++) {
        assert_true(rig_receive(rig, fds[i], 5000, &reply));
        assert_true(reply.status == 401 || (reply.status == 503 && says("Retry-After: ")));
        busy += reply.status == 503;
    }
    assert_true(busy > 0);
}

static void bad_input_is_named(void **state)
{
    static const struct {
        const char *body, *code;
    } cases[] = {
        {"{", "bad-json"},
        {"{\"name\":\"a\"}", "missing-field"},
        {"{\"name\":\"a\",\"password\":1}", "wrong-type"},
        {"{\"name\":\"a\",\"password\":\"b\",\"otp\":\"1\"}", "unknown-field"},
        {"{\"name\":\"a\",\"name\":\"a\",\"password\":\"b\"}", "duplicate-field"},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        assert_int_equal(ask("POST", "/api/v1/login", NULL, cases[i].body), 400);
        assert_true(says(cases[i].code));
    }
}

/* --- users */

static void users_are_managed(void **state)
{
    char admin[64], alice[64];
    (void)state;
    enrol(admin);
    add_user(admin, "alice", "trader");
    assert_true(says("\"state\":\"active\"") && says("[\"production\"]"));
    assert_false(says("argon2"));
    assert_int_equal(ask("POST", "/api/v1/users", admin, "{\"name\":\"alice\",\"password\":\"" PASSWORD "\"}"), 409);
    assert_int_equal(ask("POST", "/api/v1/users", admin, "{\"name\":\"bob\"}"), 400);
    assert_int_equal(
        ask("POST", "/api/v1/users", admin, "{\"name\":\"bob\",\"roles\":[\"king\"],\"password\":\"" PASSWORD "\"}"),
        400);
    assert_int_equal(ask("POST", "/api/v1/users", admin,
                         "{\"name\":\"bob\",\"environments\":[\"mars\"],\"password\":\"" PASSWORD "\"}"),
                     400);
    assert_int_equal(log_in("alice", PASSWORD, alice), 200);
    assert_int_equal(ask("GET", "/api/v1/users", alice, NULL), 403);
    assert_int_equal(ask("GET", "/api/v1/users?limit=1", admin, NULL), 200);
    assert_true(says("\"name\":\"alice\"") && says("\"next\":\"alice\"") && !says("carol"));
    assert_int_equal(ask("GET", "/api/v1/users?after=alice", admin, NULL), 200);
    assert_true(says("\"name\":\"carol\"") && !says("next"));
    assert_int_equal(ask("GET", "/api/v1/users/nobody", admin, NULL), 404);
    assert_int_equal(change_user(admin, "alice", "{\"roles\":[\"viewer\"]}"), 200);
    assert_int_equal(ask("GET", "/api/v1/session", alice, NULL), 200);
    assert_true(says("\"permissions\":[\"mev:view\"]")); /* at once, in a live session */
    assert_int_equal(change_user(admin, "alice", "{\"state\":\"disabled\"}"), 200);
    assert_int_equal(ask("GET", "/api/v1/session", alice, NULL), 401);
    assert_int_equal(log_in("alice", PASSWORD, alice), 401);
    assert_int_equal(change_user(admin, "alice", "{\"state\":\"active\"}"), 200);
    assert_int_equal(log_in("alice", PASSWORD, alice), 200);
    assert_int_equal(change_user(admin, "alice", "{\"password\":\"Zz9!other-Words\"}"), 200);
    assert_int_equal(ask("GET", "/api/v1/session", alice, NULL), 401); /* a new password ends what the old one began */
    assert_int_equal(log_in("alice", "Zz9!other-Words", alice), 200);
    assert_int_equal(change_user(admin, "alice", "{}"), 400);
}

static void nobody_raises_himself(void **state)
{
    char admin[64], sam[64];
    (void)state;
    enrol(admin);
    add_user(admin, "sam", "system_admin");
    assert_int_equal(log_in("sam", PASSWORD, sam), 200);
    assert_int_equal(change_user(sam, "sam", "{\"roles\":[\"admin\"]}"), 403);
    assert_int_equal(change_user(sam, "sam", "{\"roles\":[\"trader\"]}"), 403);
    assert_int_equal(change_user(admin, "carol", "{\"roles\":[\"admin\",\"trader\"]}"), 403);
    assert_int_equal(change_user(admin, "carol", "{\"state\":\"disabled\"}"), 403);
    assert_int_equal(change_user(sam, "carol", "{\"password\":\"Zz9!other-Words\"}"), 403);
    assert_int_equal(
        ask("POST", "/api/v1/users", sam, "{\"name\":\"evil\",\"roles\":[\"admin\"],\"password\":\"" PASSWORD "\"}"),
        403);
    assert_int_equal(rig_records(rig, EVENT_PERMISSION_DENIED), 6);
    /* Nor by way of a key of his own. */
    char key[API_KEY_TEXT_SIZE];
    assert_int_equal(
        ask("POST", "/api/v1/keys", admin,
            "{\"name\":\"x\",\"environment\":\"production\",\"usage\":\"full_access\",\"roles\":[\"admin\"]}"),
        201);
    member("key", key, sizeof key);
    assert_int_equal(change_user(key, "carol", "{\"roles\":[\"admin\",\"trader\"]}"), 403);
    assert_int_equal(change_user(key, "sam", "{\"state\":\"disabled\"}"), 200);
}

/* Who looks after users has no way to make himself a second self with more rights than he has. */
static void nobody_gives_what_he_has_not(void **state)
{
    static const struct {
        const char *more;
        int status;
    } created[] = {
        {"", 201},
        {",\"roles\":[\"system_admin\"]", 201},
        {",\"roles\":[\"viewer\"]", 403},
        {",\"roles\":[\"trader\"]", 403},
        {",\"roles\":[\"security_admin\"]", 403}, /* emergency:override is not sam's */
        {",\"roles\":[\"read_only\"]", 403},      /* nor the level read */
        {",\"environments\":[\"staging\"]", 403},
        {",\"roles\":[\"system_admin\"],\"environments\":[\"production\"]", 201},
    };
    static const struct {
        const char *body;
        int status;
    } changed[] = {
        {"{\"password\":\"Zz9!other-Words\"}", 403}, /* it would open what tom may */
        {"{\"roles\":[\"trader\",\"system_admin\"]}", 403},
        {"{\"environments\":[\"staging\"]}", 403},
        {"{\"email\":\"tom@desk.example\"}", 200},
        {"{\"state\":\"disabled\"}", 200}, /* taking away needs no right of one's own */
        {"{\"state\":\"active\"}", 200},
        {"{\"roles\":[\"system_admin\"]}", 200}, /* all of which is sam's as well */
        {"{\"environments\":[\"none\"]}", 200},
    };
    char admin[64], sam[64], body[512];
    (void)state;
    enrol(admin);
    add_user(admin, "sam", "system_admin");
    add_user(admin, "tom", "trader");
    assert_int_equal(log_in("sam", PASSWORD, sam), 200);
    for (size_t i = 0; i < ARRAY_LEN(created); i++) {
        (void)snprintf(body, sizeof body, "{\"name\":\"n%zu\",\"password\":\"" PASSWORD "\"%s}", i, created[i].more);
        assert_int_equal(ask("POST", "/api/v1/users", sam, body), created[i].status);
    }
    for (size_t i = 0; i < ARRAY_LEN(changed); i++)
        if (change_user(sam, "tom", changed[i].body) != changed[i].status)
            fail_msg("change %zu: %d", i, reply.status);
    /* Who configures the system may. */
    assert_int_equal(change_user(admin, "tom", "{\"roles\":[\"trader\",\"risk_analyst\"]}"), 200);
}

/* --- invitations, removal, import, profile */

static int accept_invitation(const char *name, const char *token, const char *password)
{
    char body[512];
    (void)snprintf(body, sizeof body, "{\"name\":\"%s\",\"token\":\"%s\",\"password\":\"%s\"}", name, token, password);
    return ask("POST", "/api/v1/invitation", NULL, body);
}

static void an_invitation_sets_a_password_once(void **state)
{
    static const char refused[] = "enrolment-invalid";
    char admin[64], session[64], token[64], again[64], first[16384];
    (void)state;
    enrol(admin);
    assert_int_equal(ask("POST", "/api/v1/users", admin, "{\"name\":\"bob\",\"roles\":[\"viewer\"],\"invite\":true}"),
                     201);
    member("invite", token, sizeof token);
    assert_int_equal(log_in("bob", PASSWORD, session), 401);
    assert_int_equal(ask("GET", "/api/v1/users/bob", admin, NULL), 200);
    assert_true(!says(token) && says("invited_until"));
    /* Wrong, somebody else's, nobody's: one answer. */
    assert_int_equal(accept_invitation("bob", "hfi_wrong", PASSWORD), 403);
    memcpy(first, reply.text, sizeof first);
    assert_true(says(refused));
    assert_int_equal(accept_invitation("carol", token, PASSWORD), 403);
    assert_int_equal(strlen(first), strlen(reply.text));
    assert_int_equal(accept_invitation("zoe", token, PASSWORD), 403);
    assert_int_equal(strlen(first), strlen(reply.text));
    assert_int_equal(accept_invitation("bob", token, "weak"), 400);
    /* A disk that is full must not cost him his way in. */
    powercut_fail(rig->disk, 1, 1000000, SQLITE_FULL);
    assert_int_equal(accept_invitation("bob", token, PASSWORD), 507);
    (void)powercut_fail_end(rig->disk);
    assert_int_equal(rig_records(rig, EVENT_AUTHENTICATION_SUCCESS), 1); /* the administrator's, by her enrolment */
    assert_int_equal(accept_invitation("bob", token, PASSWORD), 200);
    assert_int_equal(rig_records(rig, EVENT_AUTHENTICATION_SUCCESS), 2);
    member("token", session, sizeof session);
    assert_int_equal(ask("GET", "/api/v1/session", session, NULL), 200);
    assert_true(says("user:bob"));
    assert_int_equal(accept_invitation("bob", token, PASSWORD), 403);
    assert_int_equal(log_in("bob", PASSWORD, session), 200);
    /* Who forgot his password is invited again; the old one is good until then. */
    assert_int_equal(change_user(admin, "bob", "{\"invite\":true}"), 200);
    member("invite", token, sizeof token);
    assert_int_equal(log_in("bob", PASSWORD, again), 200);
    assert_int_equal(accept_invitation("bob", token, PASSWORD), 400);
    assert_true(says("used before"));
    rig->now_ms += 73 * HOUR;
    assert_int_equal(accept_invitation("bob", token, "Zz9!other-Words"), 403);
}

/* Of many who use a token at once, one is let in. */
static void an_invitation_at_once_is_one(void **state)
{
    char admin[64], token[64], body[512];
    int fds[4], in = 0;
    (void)state;
    enrol(admin);
    assert_int_equal(ask("POST", "/api/v1/users", admin, "{\"name\":\"bob\",\"invite\":true}"), 201);
    member("invite", token, sizeof token);
    (void)snprintf(body, sizeof body, "{\"name\":\"bob\",\"token\":\"%s\",\"password\":\"%s\"}", token, PASSWORD);
    for (size_t i = 0; i < ARRAY_LEN(fds); i++)
        fds[i] = rig_send(rig, "POST", "/api/v1/invitation", NULL, body);
    for (size_t i = 0; i < ARRAY_LEN(fds); i++) {
        assert_true(rig_receive(rig, fds[i], 5000, &reply));
        in += reply.status == 200;
    }
    assert_int_equal(in, 1);
}

static void a_removed_user_is_gone_with_all_he_had(void **state)
{
    char admin[64], alice[64], sam[64], key[API_KEY_TEXT_SIZE], id[32];
    (void)state;
    enrol(admin);
    add_user(admin, "alice", "trader");
    add_user(admin, "sam", "system_admin");
    assert_int_equal(log_in("alice", PASSWORD, alice), 200);
    assert_int_equal(log_in("sam", PASSWORD, sam), 200);
    make_key(alice, "", key, id);
    assert_int_equal(ask("DELETE", "/api/v1/users/alice", alice, NULL), 403);
    assert_int_equal(ask("DELETE", "/api/v1/users/carol", admin, NULL), 403); /* himself */
    assert_int_equal(ask("DELETE", "/api/v1/users/carol", sam, NULL), 403);   /* somebody above him */
    assert_int_equal(ask("DELETE", "/api/v1/users/alice", admin, NULL), 204);
    assert_int_equal(rig_records(rig, EVENT_USER_DELETED), 1);
    assert_int_equal(ask("GET", "/api/v1/session", alice, NULL), 401);
    assert_int_equal(ask("GET", "/api/v1/session", key, NULL), 401);
    assert_int_equal(log_in("alice", PASSWORD, alice), 401);
    assert_int_equal(ask("GET", "/api/v1/users/alice", admin, NULL), 404);
    assert_int_equal(ask("DELETE", "/api/v1/users/alice", admin, NULL), 404);
    /* Another of the same name inherits nothing. */
    add_user(admin, "alice", "trader");
    assert_int_equal(ask("GET", "/api/v1/session", key, NULL), 401);
    assert_int_equal(ask("GET", "/api/v1/session", alice, NULL), 401);
    assert_int_equal(log_in("alice", PASSWORD, alice), 200);
    assert_int_equal(change_user(admin, "alice", "{\"roles\":[\"viewer\"]}"), 200);
    assert_int_equal(ask("DELETE", "/api/v1/users/alice", admin, NULL), 204);
}

/* "Kq7-vmDt2xPz" as htpasswd -B would have it: from another system, of cost 5. */
/* A token that came in the very moment of a removal, after it: it is not the next one's of that name. */
static void a_grant_left_behind_is_not_inherited(void **state)
{
    const struct row_keys *keys = atomic_load(&rig->shared.keys);
    struct grant g = {.id = {7}, .user = VIEW_STR("alice"), .created_ms = rig->now_ms, .used_ms = rig->now_ms};
    AUTO(arena_free) struct arena *arena = NULL;
    struct grant_found found;
    struct txn_change put;
    char admin[64];
    (void)state;
    g.expires_ms = rig->now_ms + 3600000;
    g.idle_ms = 3600000;
    enrol(admin);
    assert_int_equal(arena_new(4096, 65536, &arena), OK);
    assert_int_equal(grant_put(keys, &g, NULL, arena, &put), OK);
    assert_int_equal(tokens_applied(rig->shared.tokens, &put), OK);
    assert_int_equal(tokens_grant(rig->shared.tokens, g.id, rig->now_ms, arena, &found), OK);
    add_user(admin, "bob", "trader");
    assert_int_equal(tokens_grant(rig->shared.tokens, g.id, rig->now_ms, arena, &found), OK);
    add_user(admin, "alice", "trader");
    assert_int_equal(tokens_grant(rig->shared.tokens, g.id, rig->now_ms, arena, &found), ERR_NOT_FOUND);
}

/* Who has had many keys can leave all the same, and nobody makes himself a user who can't be removed. */
static void revoked_keys_keep_nobody(void **state)
{
    char admin[64], alice[64], key[128], id[32], body[256];
    (void)state;
    enrol(admin);
    add_user(admin, "alice", "trader");
    assert_int_equal(log_in("alice", PASSWORD, alice), 200);
    for (int i = 0; i < KEYS_OWN_MAX + 10; i++) {
        make_key(alice, "", key, id);
        assert_int_equal(key_step(alice, id, "", NULL), 204);
    }
    for (int i = 0; i < KEYS_OWN_MAX; i++)
        make_key(alice, "", key, id);
    (void)snprintf(body, sizeof body,
                   "{\"name\":\"bot\",\"owner\":\"alice\",\"environment\":\"production\",\"usage\":\"read_only\","
                   "\"roles\":[\"read_only\"]}");
    assert_int_equal(ask("POST", "/api/v1/keys", alice, body), 409);
    assert_true(says("limit-reached"));
    assert_int_equal(ask("POST", "/api/v1/keys", admin, body), 201); /* who manages users may */
    assert_int_equal(ask("DELETE", "/api/v1/users/alice", admin, NULL), 409);
    assert_true(says("limit-reached"));
    assert_int_equal(key_step(alice, id, "", NULL), 204);
    assert_int_equal(ask("DELETE", "/api/v1/users/alice", admin, NULL), 204);
    add_user(admin, "alice", "trader");
}

static void bcrypt_hashes_come_in_and_go(void **state)
{
    static const char body[] = "{\"name\":\"bob\",\"roles\":[\"viewer\"],\"password_hash\":\"%s\"}";
    char admin[64], session[64], text[256], hash[128];
    struct crypt_data work = {0};
    struct user_found f;
    AUTO(arena_free) struct arena *a = NULL;
    (void)state;
    assert_int_equal(arena_new(4096, 1u << 20, &a), OK);
    (void)snprintf(hash, sizeof hash, "%s", crypt_r(PASSWORD, "$2b$05$abcdefghijklmnopqrstuu", &work));
    enrol(admin);
    (void)snprintf(text, sizeof text, body, "$2b$31$abcdefghijklmnopqrstuuabcdefghijklmnopqrstuuabcdefghij");
    assert_int_equal(ask("POST", "/api/v1/users", admin, text), 400); /* a cost that would stall all log-ins */
    (void)snprintf(text, sizeof text, body, "$1$abcdefgh$abcdefghijklmnopqrstuu");
    assert_int_equal(ask("POST", "/api/v1/users", admin, text), 400);
    (void)snprintf(text, sizeof text, body, hash);
    assert_int_equal(ask("POST", "/api/v1/users", admin, text), 201);
    assert_int_equal(log_in("bob", "Wrong-password-1x", session), 401);
    assert_int_equal(log_in("bob", PASSWORD, session), 200);
    assert_int_equal(identity_user(rig->shared.identity, VIEW_STR("bob"), a, &f), OK);
    assert_true(view_starts(f.user.password_hash, "$argon2id$"));
    assert_int_equal(rig_records(rig, EVENT_USER_CHANGED), 0); /* in the log-in's own commit */
    assert_int_equal(log_in("bob", PASSWORD, session), 200);
}

/* What one may change of oneself is one's address: rights can't be slipped in beside it. */
static void ones_own_profile_gives_no_rights(void **state)
{
    static const char *const more[] = {"\"roles\":[\"admin\"]", "\"environments\":[\"production\"]",
                                       "\"state\":\"active\"",  "\"name\":\"carol\"",
                                       "\"password\":\"x\"",    "\"password_hash\":\"x\"",
                                       "\"failed_attempts\":0", "\"invite\":true",
                                       "\"enrolled\":\"00\"",   "\"id\":\"00\""};
    char admin[64], alice[64], body[256];
    (void)state;
    enrol(admin);
    add_user(admin, "alice", "viewer");
    assert_int_equal(log_in("alice", PASSWORD, alice), 200);
    assert_int_equal(ask("PATCH", "/api/v1/me", alice, "{\"email\":\"alice@desk.example\"}"), 200);
    assert_true(says("alice@desk.example") && says("[\"viewer\"]"));
    for (size_t i = 0; i < ARRAY_LEN(more); i++) {
        (void)snprintf(body, sizeof body, "{\"email\":\"x@desk.example\",%s}", more[i]);
        assert_int_equal(ask("PATCH", "/api/v1/me", alice, body), 400);
        assert_true(says("unknown-field"));
    }
    assert_int_equal(ask("GET", "/api/v1/me", alice, NULL), 200);
    assert_true(says("alice@desk.example") && says("\"roles\":[\"viewer\"]"));
    assert_int_equal(ask("GET", "/api/v1/users?search=alice@", admin, NULL), 200);
    assert_true(says("\"name\":\"alice\"") && !says("carol"));
    assert_int_equal(ask("GET", "/api/v1/me", NULL, NULL), 401);
}

/* --- keys */

static void keys_live_and_die(void **state)
{
    char admin[64], alice[64], key[API_KEY_TEXT_SIZE], second[API_KEY_TEXT_SIZE], id[32];
    (void)state;
    enrol(admin);
    add_user(admin, "alice", "trader");
    assert_int_equal(log_in("alice", PASSWORD, alice), 200);
    make_key(alice, ",\"credentials\":[\"exchange/*\"],\"unix_uid\":4711", key, id);
    assert_int_equal(ask("GET", "/api/v1/session", key, NULL), 200);
    assert_true(says("\"way\":\"api-key\"") && says(id));
    assert_int_equal(ask("GET", "/api/v1/keys", alice, NULL), 200);
    assert_true(says(id) && !says("\"key\"") && says("\"unix_uid\":4711"));
    assert_int_equal(key_step(alice, id, "/rotate", "{\"grace_seconds\":60}"), 200);
    member("key", second, sizeof second);
    assert_int_equal(ask("GET", "/api/v1/session", key, NULL), 200);
    assert_int_equal(ask("GET", "/api/v1/session", second, NULL), 200);
    rig->now_ms += 61000;
    assert_int_equal(ask("GET", "/api/v1/session", key, NULL), 401);
    assert_int_equal(key_step(alice, id, "/suspend", NULL), 200);
    assert_int_equal(ask("GET", "/api/v1/session", second, NULL), 401);
    assert_int_equal(key_step(alice, id, "/suspend", NULL), 409);
    assert_int_equal(key_step(alice, id, "/reactivate", NULL), 403); /* whoever suspended it may have had a reason */
    assert_int_equal(key_step(admin, id, "/reactivate", NULL), 200);
    assert_int_equal(ask("GET", "/api/v1/session", second, NULL), 200);
    assert_int_equal(key_step(alice, id, "", NULL), 204);
    assert_int_equal(ask("GET", "/api/v1/session", second, NULL), 401);
    assert_int_equal(key_step(admin, id, "/reactivate", NULL), 409);
    assert_true(says("revoked"));
    assert_int_equal(key_step(alice, id, "/rotate", NULL), 409);
    assert_int_equal(rig_records(rig, EVENT_API_KEY_CREATED), 1);
    assert_int_equal(rig_records(rig, EVENT_KEY_ROTATED), 1);
    assert_int_equal(rig_records(rig, EVENT_KEY_SUSPENDED), 1);
    assert_int_equal(rig_records(rig, EVENT_KEY_REACTIVATED), 1);
    assert_int_equal(rig_records(rig, EVENT_KEY_REVOKED), 1);
}

static void keys_give_no_more_than_one_has(void **state)
{
    static const char body[] =
        "{\"name\":\"x\",\"environment\":\"production\",\"usage\":\"full_access\",\"roles\":[\"%s\"]%s}";
    static const struct {
        const char *role, *more;
        int status;
    } cases[] = {
        {"trader", "", 201},
        {"read_only", "", 201},
        {"admin", "", 403},
        {"service-account", "", 403},
        {"emergency_responder", "", 403},
        {"trader", ",\"environments\":[\"production\"]", 201},
        {"trader", ",\"environments\":[\"staging\"]", 403},
        {"trader", ",\"owner\":\"carol\"", 403},
        {"trader", ",\"credentials\":[\"*\"]", 201},
        {"read_only", ",\"credentials\":[\"*\"]", 201},
        {"trader", ",\"expires_days\":367", 400},
        {"trader", ",\"credentials\":[\"a/*/b\"]", 400},
        {"trader", ",\"proof_key\":\"abc\"", 400},
        {"nonsense", "", 400},
    };
    char admin[64], alice[64], key[API_KEY_TEXT_SIZE], id[32], text[512];
    (void)state;
    enrol(admin);
    add_user(admin, "alice", "trader");
    assert_int_equal(log_in("alice", PASSWORD, alice), 200);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        (void)snprintf(text, sizeof text, body, cases[i].role, cases[i].more);
        assert_int_equal(ask("POST", "/api/v1/keys", alice, text), cases[i].status);
    }
    make_key(alice, "", key, id);
    /* A manager of users may stop a trader's key, but never gets it into his hands. */
    assert_int_equal(key_step(admin, id, "/rotate", NULL), 403);
    assert_false(says("hfk_"));
    (void)snprintf(text, sizeof text, body, "trader", "");
    assert_int_equal(ask("POST", "/api/v1/keys", admin, text), 403);
    assert_int_equal(ask("POST", "/api/v1/keys", key, text), 403); /* keys make no keys */
    assert_int_equal(key_step(key, id, "/rotate", NULL), 200);     /* but renew themselves */
}

static int new_key(const char *session, const char *environment, const char *role, const char *more)
{
    char body[512];
    (void)snprintf(body, sizeof body,
                   "{\"name\":\"x\",\"environment\":\"%s\",\"usage\":\"full_access\",\"roles\":[\"%s\"]%s}",
                   environment, role, more);
    return ask("POST", "/api/v1/keys", session, body);
}

/* Naming a credential lets a key sign with it: so only those do it who may sign there, or who look after all keys. */
static void credentials_are_named_by_those_who_may_sign(void **state)
{
    static const char naming[] = ",\"credentials\":[\"exchange/*\"]";
    char admin[64], alice[64], vera[64];
    (void)state;
    enrol(admin);
    add_user(admin, "alice", "trader"); /* production alone */
    add_user(admin, "vera", "viewer");
    assert_int_equal(log_in("alice", PASSWORD, alice), 200);
    assert_int_equal(log_in("vera", PASSWORD, vera), 200);
    assert_int_equal(new_key(alice, "production", "trader", naming), 201);
    assert_int_equal(new_key(alice, "staging", "trader", naming), 403);
    assert_int_equal(new_key(alice, "staging", "trader", ""), 201); /* signs with nothing */
    assert_int_equal(new_key(vera, "production", "viewer", naming), 403);
    assert_int_equal(new_key(vera, "production", "viewer", ""), 201);
    assert_int_equal(new_key(admin, "production", "service-account", naming), 201);
    /* For somebody else: never more than that one may himself. */
    assert_int_equal(new_key(admin, "production", "viewer", ",\"owner\":\"alice\",\"credentials\":[\"a/b\"]"), 201);
    assert_int_equal(new_key(admin, "staging", "viewer", ",\"owner\":\"alice\",\"credentials\":[\"a/b\"]"), 400);
    assert_true(says("/environment"));
    assert_int_equal(new_key(admin, "production", "service-account", ",\"owner\":\"alice\""), 400);
    assert_true(says("/owner"));
    assert_int_equal(new_key(admin, "production", "viewer", ",\"owner\":\"nobody\""), 400);
}

/* What a person loses, his keys lose with the next request; what he gets back, they have again. */
static void keys_follow_their_owner(void **state)
{
    char admin[64], alice[64], key[API_KEY_TEXT_SIZE], id[32], body[256];
    (void)state;
    enrol(admin);
    add_user(admin, "alice", "trader");
    assert_int_equal(log_in("alice", PASSWORD, alice), 200);
    make_key(alice, ",\"environments\":[\"production\"]", key, id);
    assert_int_equal(ask("GET", "/api/v1/session", key, NULL), 200);
    assert_true(says("orders:place") && says("\"secret_level\":\"write\"") &&
                says("\"environments\":[\"production\"]"));
    assert_int_equal(change_user(admin, "alice", "{\"roles\":[\"viewer\"]}"), 200);
    assert_int_equal(ask("GET", "/api/v1/session", key, NULL), 200);
    assert_true(says("\"permissions\":[\"mev:view\"]") && says("\"secret_level\":\"none\""));
    (void)snprintf(body, sizeof body, "{\"key\":\"%s\",\"permission\":\"orders:place\"}", key);
    assert_int_equal(ask("POST", "/api/v1/keys/verify", admin, body), 200);
    assert_true(says("INSUFFICIENT_PERMISSIONS") && says("\"permissions\":[\"mev:view\"]"));
    assert_int_equal(change_user(admin, "alice", "{\"roles\":[\"trader\"],\"environments\":[\"staging\"]}"), 200);
    assert_int_equal(ask("GET", "/api/v1/session", key, NULL), 200);
    assert_true(says("orders:place") && says("\"environments\":[]"));
    assert_int_equal(change_user(admin, "alice", "{\"state\":\"disabled\"}"), 200);
    assert_int_equal(ask("GET", "/api/v1/session", key, NULL), 401);
    assert_int_equal(ask("POST", "/api/v1/keys/verify", admin, body), 200);
    assert_true(says("DISABLED"));
}

static void keys_of_others_are_invisible(void **state)
{
    char admin[64], alice[64], bob[64], key[API_KEY_TEXT_SIZE], id[32], path[64];
    (void)state;
    enrol(admin);
    add_user(admin, "alice", "trader");
    add_user(admin, "bob", "trader");
    assert_int_equal(log_in("alice", PASSWORD, alice), 200);
    assert_int_equal(log_in("bob", PASSWORD, bob), 200);
    make_key(alice, "", key, id);
    (void)snprintf(path, sizeof path, "/api/v1/keys/%s", id);
    assert_int_equal(ask("GET", path, bob, NULL), 403);
    assert_int_equal(ask("GET", "/api/v1/keys/0123456789abcdef", bob, NULL), 403); /* nor whether there is one */
    assert_int_equal(ask("GET", "/api/v1/keys/0123456789abcdef", admin, NULL), 404);
    assert_int_equal(ask("GET", "/api/v1/keys/short", admin, NULL), 400);
    assert_int_equal(key_step(bob, id, "", NULL), 403);
    assert_int_equal(ask("GET", "/api/v1/keys?owner=alice", bob, NULL), 403);
    assert_int_equal(ask("GET", "/api/v1/keys", bob, NULL), 200);
    assert_false(says(id));
    assert_int_equal(ask("GET", "/api/v1/keys?owner=alice&limit=1", admin, NULL), 200);
    assert_true(says(id));
    assert_int_equal(ask("GET", path, key, NULL), 200);
}

static void keys_are_verified_for_others(void **state)
{
    char admin[64], alice[64], key[API_KEY_TEXT_SIZE], id[32], body[256];
    (void)state;
    enrol(admin);
    add_user(admin, "alice", "trader");
    assert_int_equal(log_in("alice", PASSWORD, alice), 200);
    make_key(alice, ",\"expires_days\":1", key, id);
    (void)snprintf(body, sizeof body, "{\"key\":\"%s\"}", key);
    assert_int_equal(ask("POST", "/api/v1/keys/verify", alice, body), 403);
    assert_int_equal(ask("POST", "/api/v1/keys/verify", admin, body), 200);
    assert_true(says("\"valid\":true") && says("\"VALID\"") && says("orders:place") && says(id));
    (void)snprintf(body, sizeof body, "{\"key\":\"%s\",\"permission\":\"funds:manage\"}", key);
    assert_int_equal(ask("POST", "/api/v1/keys/verify", admin, body), 200);
    assert_true(says("\"valid\":false") && says("INSUFFICIENT_PERMISSIONS"));
    assert_int_equal(ask("POST", "/api/v1/keys/verify", admin, "{\"key\":\"hfk_live_x\"}"), 200);
    assert_true(says("\"valid\":false") && says("NOT_FOUND"));
    rig->now_ms += 25 * HOUR;
    assert_int_equal(log_in("carol", PASSWORD, admin), 200);
    (void)snprintf(body, sizeof body, "{\"key\":\"%s\"}", key);
    assert_int_equal(ask("POST", "/api/v1/keys/verify", admin, body), 200);
    assert_true(says("EXPIRED") && !says("orders:place"));
    assert_int_equal(change_user(admin, "alice", "{\"state\":\"disabled\"}"), 200);
    assert_int_equal(rig_records(rig, EVENT_API_KEY_AUTHENTICATED), 1);
}

static int verify(const char *token, const char *key, const char *more)
{
    char body[512];
    (void)snprintf(body, sizeof body, "{\"key\":\"%s\"%s}", key, more);
    return ask("POST", "/api/v1/keys/verify", token, body);
}

/* A bot that runs wild is slowed down, is told when to come back, and fills no log. */
static void keys_keep_to_their_limits(void **state)
{
    char admin[64], alice[64], key[API_KEY_TEXT_SIZE], id[32];
    (void)state;
    rig->now_ms += 24 * HOUR - rig->now_ms % (24 * HOUR);
    enrol(admin);
    add_user(admin, "alice", "trader");
    assert_int_equal(log_in("alice", PASSWORD, alice), 200);
    make_key(alice, ",\"per_hour\":3,\"per_day\":5,\"burst\":5", key, id);
    for (int left = 2; left >= 0; left--) {
        char wanted[32];
        (void)snprintf(wanted, sizeof wanted, "\"hour\";r=%d;t=", left);
        assert_int_equal(ask("GET", "/api/v1/session", key, NULL), 200);
        assert_true(says(wanted) && says("RateLimit-Policy: \"hour\";q=3;w=3600, \"day\";q=5;w=86400"));
    }
    for (int i = 0; i < 4; i++) {
        assert_int_equal(ask("GET", "/api/v1/session", key, NULL), 429);
        assert_true(says("rate-limited") && says("Retry-After: "));
    }
    assert_int_equal(rig_records(rig, EVENT_RATE_LIMIT_HOURLY), 1);
    assert_int_equal(verify(admin, key, ""), 200);
    assert_true(says("RATE_LIMITED") && says("\"retry_after\"") && says(id));
    rig->now_ms += HOUR;
    assert_int_equal(log_in("carol", PASSWORD, admin), 200);
    assert_int_equal(log_in("alice", PASSWORD, alice), 200);
    /* A change of the key is no way round them. */
    assert_int_equal(key_step(alice, id, "/suspend", NULL), 200);
    assert_int_equal(key_step(admin, id, "/reactivate", NULL), 200);
    assert_int_equal(verify(admin, key, ""), 200);
    assert_true(says("\"VALID\"") && says("\"left_hour\":2") && says("\"left_day\":1"));
    assert_int_equal(ask("GET", "/api/v1/session", key, NULL), 200);
    assert_int_equal(ask("GET", "/api/v1/session", key, NULL), 429);
    assert_true(says("usage-exceeded"));
    assert_int_equal(ask("GET", "/api/v1/session", key, NULL), 429);
    assert_int_equal(rig_records(rig, EVENT_RATE_LIMIT_DAILY), 1);
    assert_int_equal(verify(admin, key, ""), 200);
    assert_true(says("USAGE_EXCEEDED"));
    make_key(alice, "", key, id);
    assert_true(says("\"per_hour\":1000") && says("\"per_day\":10000") && says("\"burst\":100"));
}

/* A stolen key is worth nothing elsewhere, and nothing for what it was not made for. */
static void keys_keep_to_their_rules(void **state)
{
    char admin[64], alice[64], key[API_KEY_TEXT_SIZE], id[32];
    (void)state;
    enrol(admin);
    add_user(admin, "alice", "trader");
    assert_int_equal(log_in("alice", PASSWORD, alice), 200);
    make_key(alice, ",\"allowed_networks\":[\"192.0.2.0/24\"]", key, id);
    assert_int_equal(ask("GET", "/api/v1/session", key, NULL), 403); /* over the Unix socket */
    assert_int_equal(verify(admin, key, ""), 200);
    assert_true(says("\"FORBIDDEN\"") && says("\"valid\":false"));
    assert_int_equal(verify(admin, key, ",\"source\":\"192.0.3.1\""), 200);
    assert_true(says("\"FORBIDDEN\""));
    assert_int_equal(verify(admin, key, ",\"source\":\"192.0.2.1\""), 200);
    assert_true(says("\"VALID\""));
    assert_int_equal(verify(admin, key, ",\"source\":\"192.0.2.0/24\""), 400);
    make_key(alice,
             ",\"allowed_networks\":[\"unix\"],\"allowed_endpoints\":[\"* /api/v1\"],"
             "\"blocked_endpoints\":[\"GET /api/v1/keys\"]",
             key, id);
    assert_int_equal(ask("GET", "/api/v1/session", key, NULL), 200);
    assert_int_equal(ask("GET", "/api/v1/keys", key, NULL), 403);
    assert_int_equal(key_step(key, id, "/rotate", NULL), 200);
    assert_int_equal(new_key(alice, "production", "trader", ",\"allowed_networks\":[\"192.0.2.1/24\"]"), 400);
    assert_int_equal(new_key(alice, "production", "trader", ",\"blocked_endpoints\":[\"/api\"]"), 400);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        T(enrolment_makes_an_administrator_once),
        T(a_failed_enrolment_leaves_the_token_good),
        T(an_enrolment_at_once_is_one),
        T(refusals_look_alike),
        T(five_failures_lock_and_time_unlocks),
        T(guesses_at_once_all_count),
        T(log_ins_at_once_leave_three_sessions),
        T(sessions_end),
        T(sessions_that_are_over_are_swept),
        T(sessions_are_listed_and_ended),
        T(everybodys_sessions_end),
        T(own_password_is_changed),
        T(former_passwords_are_refused),
        T(an_old_password_only_buys_a_new_one),
        T(a_cheap_hash_is_replaced_at_a_log_in),
        T(breached_passwords_are_refused),
        T(guessing_the_old_password_locks),
        T(one_of_two_changes_wins),
        T(busy_is_said_at_once),
        T(bad_input_is_named),
        T(users_are_managed),
        T(nobody_raises_himself),
        T(nobody_gives_what_he_has_not),
        T(an_invitation_sets_a_password_once),
        T(an_invitation_at_once_is_one),
        T(a_removed_user_is_gone_with_all_he_had),
        T(a_grant_left_behind_is_not_inherited),
        T(revoked_keys_keep_nobody),
        T(bcrypt_hashes_come_in_and_go),
        T(ones_own_profile_gives_no_rights),
        T(keys_live_and_die),
        T(keys_give_no_more_than_one_has),
        T(credentials_are_named_by_those_who_may_sign),
        T(keys_follow_their_owner),
        T(keys_of_others_are_invisible),
        T(keys_are_verified_for_others),
        T(keys_keep_to_their_limits),
        T(keys_keep_to_their_rules),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
