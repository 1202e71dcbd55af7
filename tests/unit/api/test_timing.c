/* Can names, keys and passkeys that exist be told from those that don't, by how long a refusal takes (timing.h)? */
#include "timing.h"

#include "api/passkey.h"
#include "api/passwords.h"
#include "api/routes.h"
#include "base/text.h"
#include "crypto/hash.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define RP_ID  "desk.example"
#define ORIGIN "https://" RP_ID

static struct rig *rig;
static const struct argon2_cost cheap = {.passes = 1, .memory_kib = 8};

static const char *no_body(size_t class, size_t i)
{
    (void)class, (void)i;
    return "";
}

static void expect_alike(struct timing_kind k)
{
    k.recorded = true;
    timing_expect_alike(rig, &k);
    k.recorded = false;
    timing_expect_alike(rig, &k);
}

/* --- users */

static void put_user(const char *name, uint8_t state)
{
    AUTO(arena_free) struct arena *a = NULL;
    char hash[PASSWORD_HASH_SIZE];
    struct txn_change put;
    assert_int_equal(arena_new(4096, 1u << 16, &a), OK);
    assert_int_equal(password_hash(VIEW_STR("Kq7-vmDt2xPz"), cheap, hash), OK);
    const struct user u = {.name = view_str(name),
                           .state = state,
                           .password_hash = view_str(hash),
                           .failed_attempts = state == USER_LOCKED ? 5 : 0,
                           .locked_until_ms = state == USER_LOCKED ? rig->now_ms + 86400000 : 0};
    assert_int_equal(identity_put_user(atomic_load(&rig->shared.keys), &u, NULL, a, &put), OK);
    assert_int_equal(identity_applied(rig->shared.identity, &put), OK);
}

static int set_up(void **state)
{
    static struct route rows[12];
    static struct route_table all = {rows, 0};
    struct problem why;
    (void)state;
    all.count = login_routes.count;
    memcpy(rows, login_routes.rows, login_routes.count * sizeof rows[0]);
    for (size_t i = 0; i < whoami_routes.count; i++)
        rows[all.count++] = whoami_routes.rows[i];
    for (size_t i = 0; i < passkey_login_routes.count; i++)
        rows[all.count++] = passkey_login_routes.rows[i];
    rig = rig_new(&all);
    static struct view origin = VIEW_STR(ORIGIN);
    rig->config.passkeys = (struct config_passkeys){
        .rp_id = VIEW_STR(RP_ID), .origins = {&origin, 1}, .attestation = CONFIG_ATTESTATION_NONE};
    assert_int_equal(passkey_site_new(&rig->config, (struct view){0}, &rig->shared.passkeys, &why), OK);
    rig->config.argon2 = (struct config_argon2){.passes = cheap.passes, .memory_kib = cheap.memory_kib};
    rig->config.passwords.failures = UINT32_MAX; /* the wrong one must not become the locked one */
    config_passwords_complete(&rig->config.passwords);
    assert_int_equal(passwords_new(&rig->config, NULL, &rig->shared.passwords), OK);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    passwords_free(rig->shared.passwords);
    passkey_site_free(rig->shared.passkeys);
    rig_free(rig);
    return 0;
}

static const char *log_in_body(size_t class, size_t i)
{
    static const char *const bodies[TIMING_CLASSES] = {"{\"name\":\"nobody\",\"password\":\"Wrong-password-1x\"}",
                                                       "{\"name\":\"alice1\",\"password\":\"Wrong-password-1x\"}",
                                                       "{\"name\":\"locked\",\"password\":\"Kq7-vmDt2xPz\"}"};
    (void)i;
    return bodies[class];
}

static void names_can_not_be_told_by_time(void **state)
{
    (void)state;
    put_user("alice1", USER_ACTIVE);
    put_user("locked", USER_LOCKED);
    expect_alike((struct timing_kind){.method = "POST", .path = "/api/v1/login", .body = log_in_body});
}

static const char *basic_header(size_t class, size_t i)
{
    static char header[128];
    static const char *const shown[TIMING_CLASSES] = {"nobody:Wrong-password-1x", "alice1:Wrong-password-1x",
                                                      "locked:Kq7-vmDt2xPz"};
    struct writer w = writer_fixed(header, sizeof header - 1);
    (void)i;
    writer_view(&w, VIEW_STR("Authorization: Basic "));
    base64_put(&w, view_str(shown[class]));
    writer_view(&w, VIEW_STR("\r\n"));
    assert_int_equal(writer_done(&w), OK);
    header[w.len] = '\0';
    return header;
}

static void basic_can_not_be_told_by_time(void **state)
{
    (void)state;
    put_user("alice1", USER_ACTIVE);
    put_user("locked", USER_LOCKED);
    rig->as_tls = true;
    expect_alike(
        (struct timing_kind){.method = "GET", .path = "/api/v1/session", .header = basic_header, .body = no_body});
}

/* --- API keys: nobody's, wrong ones of 4 tries each, right ones of a source that is suspended. A few ids again and
 * again, as somebody tries who wants to know of them. */

#define KEYS 16
static struct key_case {
    char header[API_KEY_TEXT_SIZE + 32];
    struct api_key_parts shown;
} keys[TIMING_CLASSES][KEYS];

static void put_key(const char *id, const struct api_key_parts *parts)
{
    AUTO(arena_free) struct arena *a = NULL;
    struct row_keys *row_keys = atomic_load(&rig->shared.keys);
    struct txn_change put;
    struct view role = VIEW_STR("viewer");
    struct api_key k = {.id = view_str(id),
                        .name = VIEW_STR("bot"),
                        .owner = VIEW_STR("alice"),
                        .environment = 1,
                        .status = KEY_ACTIVE,
                        .usage = KEY_FULL_ACCESS,
                        .roles = {&role, 1},
                        .pepper_epoch = 1,
                        .created_ms = rig->now_ms,
                        .expires_ms = rig->now_ms + 86400000};
    assert_int_equal(arena_new(4096, 1u << 16, &a), OK);
    assert_int_equal(api_key_verifier(row_keys, 1, parts->hash, k.verifier), OK);
    assert_int_equal(api_key_put(row_keys, &k, NULL, a, &put), OK);
    assert_int_equal(api_keys_applied(rig->shared.api_keys, &put), OK);
}

static void make_keys(void)
{
    char text[API_KEY_TEXT_SIZE];
    for (size_t class = 0; class < TIMING_CLASSES; class ++)
        for (size_t i = 0; i < KEYS; i++) {
            struct key_case *k = &keys[class][i];
            assert_int_equal(api_key_make(random_system(), 1, text, &k->shown), OK);
            if (class > 0)
                put_key(k->shown.id, &k->shown);
            const struct api_key same = {.id = view_str(k->shown.id), .environment = 1};
            if (class == 1)
                assert_int_equal(api_key_remake(random_system(), &same, text, &k->shown), OK);
            (void)snprintf(k->header, sizeof k->header, "X-API-Key: %s\r\n", text);
        }
}

static void fail_with(const struct key_case *k)
{
    AUTO(arena_free) struct arena *a = NULL;
    const struct network_source here = {.is_unix = true, .uid = (uint32_t)getuid()};
    struct api_key_parts wrong = k->shown;
    struct api_key_shown shown = {.parts = &wrong, .from = &here, .now_ms = rig->now_ms};
    struct api_key_found found;
    assert_int_equal(arena_new(4096, 1u << 16, &a), OK);
    wrong.hash[0] ^= 1;
    for (int tries = 0; tries < 5; tries++)
        assert_int_equal(api_keys_verify(rig->shared.api_keys, atomic_load(&rig->shared.keys), &shown, a, &found),
                         ERR_BAD_CREDENTIALS);
    assert_true(shown.why == API_KEY_SUSPENDED_NOW || shown.why == API_KEY_SUSPENDED_HERE);
}

/* Before a wrong secret suspends its key. */
static void begin_anew(size_t class, size_t i)
{
    if (class != 1 || i % (4 * KEYS) != 0)
        return;
    for (size_t k = 0; k < KEYS; k++)
        api_keys_forgive(rig->shared.api_keys, view_str(keys[1][k].shown.id));
}

static const char *key_header(size_t class, size_t i)
{
    return keys[class][i % KEYS].header;
}

static void keys_can_not_be_told_by_time(void **state)
{
    (void)state;
    make_keys();
    for (size_t i = 0; i < KEYS; i++)
        fail_with(&keys[2][i]);
    expect_alike((struct timing_kind){
        .method = "GET", .path = "/api/v1/session", .header = key_header, .body = no_body, .before = begin_anew});
}

/* --- passkeys: nobody's, an active user's with a wrong signature, and a locked user's. */

static struct passkey_case {
    char user[16];
    uint8_t id[32], handle[WEBAUTHN_HANDLE_SIZE];
} passkeys[TIMING_CLASSES][KEYS];
static char passkey_body_text[4096];

/* ES256, as most are: the key of RFC 6979, A.2.5. */
static const uint8_t public_key[] = {0xa5, 0x01, 0x02, 0x03, 0x26, 0x20, 0x01, 0x21, 0x58, 0x20, 0x60, 0xfe, 0xd4,
                                     0xba, 0x25, 0x5a, 0x9d, 0x31, 0xc9, 0x61, 0xeb, 0x74, 0xc6, 0x35, 0x6d, 0x68,
                                     0xc0, 0x49, 0xb8, 0x92, 0x3b, 0x61, 0xfa, 0x6c, 0xe6, 0x69, 0x62, 0x2e, 0x60,
                                     0xf2, 0x9f, 0xb6, 0x22, 0x58, 0x20, 0x79, 0x03, 0xfe, 0x10, 0x08, 0xb8, 0xbc,
                                     0x99, 0xa4, 0x1a, 0xe9, 0xe9, 0x56, 0x28, 0xbc, 0x64, 0xf2, 0xf1, 0xb2, 0x0c,
                                     0x2d, 0x7e, 0x9f, 0x51, 0x77, 0xa3, 0xc2, 0x94, 0xd4, 0x46, 0x22, 0x99};

static void put_passkey(const struct passkey_case *p, uint8_t state)
{
    AUTO(arena_free) struct arena *a = NULL;
    uint8_t hash[PASSKEY_HASH_SIZE];
    struct txn_change put;
    struct row_keys *row_keys = atomic_load(&rig->shared.keys);
    const struct webauthn_credential stored = {
        .id = VIEW_OF(p->id), .user = view_str(p->user), .public_key = VIEW_OF(public_key), .name = VIEW_STR("a key")};
    struct webauthn_credential c = stored;
    struct user u = {.name = view_str(p->user), .state = state};
    assert_int_equal(arena_new(4096, 1u << 16, &a), OK);
    memcpy(c.user_handle, p->handle, sizeof c.user_handle);
    memcpy(u.id, p->handle, sizeof u.id);
    if (state == USER_LOCKED)
        u.locked_until_ms = rig->now_ms + 86400000;
    passkeys_hash(VIEW_OF(p->id), hash);
    assert_int_equal(mfa_passkey_add(&u.mfa, hash, a), OK);
    assert_int_equal(passkeys_put(row_keys, &c, NULL, a, &put), OK);
    assert_int_equal(identity_applied(rig->shared.identity, &put), OK);
    assert_int_equal(identity_put_user(row_keys, &u, NULL, a, &put), OK);
    assert_int_equal(identity_applied(rig->shared.identity, &put), OK);
}

static void make_passkeys(void)
{
    static const uint8_t states[TIMING_CLASSES] = {0, USER_ACTIVE, USER_LOCKED};
    for (size_t class = 0; class < TIMING_CLASSES; class ++)
        for (size_t i = 0; i < KEYS; i++) {
            struct passkey_case *p = &passkeys[class][i];
            (void)snprintf(p->user, sizeof p->user, "user%zu-%zu", class, i);
            assert_int_equal(random_system()->fill(random_system(), p->id, sizeof p->id), OK);
            assert_int_equal(random_system()->fill(random_system(), p->handle, sizeof p->handle), OK);
            if (class > 0)
                put_passkey(p, states[class]);
        }
}

static void put_bytes(struct writer *w, const char *name, struct view bytes)
{
    writer_printf(w, ",\"%s\":\"", name);
    base64_put(w, bytes);
    writer_u8(w, '"');
}

/* What an authenticator would send that has another key: everything else is right. */
static void answer_challenge(size_t class, size_t i)
{
    const struct challenge_for what = {.purpose = CHALLENGE_DISCOVER};
    const struct passkey_case *p = &passkeys[class][i % KEYS];
    struct challenge given;
    uint8_t data[SHA256_SIZE + 5] = {0}, signature[70] = {0x30, 0x44, 0x02, 0x20};
    char ceremony[ID_TEXT_SIZE], client[256];
    struct writer w = writer_fixed(passkey_body_text, sizeof passkey_body_text - 1);
    struct writer c = writer_fixed(client, sizeof client);
    assert_int_equal(challenges_give(rig->shared.passkeys->challenges, random_system(), &what,
                                     rig->clock.mono_ms(&rig->clock), &given),
                     OK);
    id_format(&given.id, ceremony);
    writer_printf(&c, "{\"type\":\"webauthn.get\",\"challenge\":\"");
    base64url_put(&c, VIEW_OF(given.bytes));
    writer_printf(&c, "\",\"origin\":\"" ORIGIN "\"}");
    sha256(VIEW_STR(RP_ID), data);
    data[SHA256_SIZE] = 0x05; /* user present, user verified */
    assert_int_equal(random_system()->fill(random_system(), signature + 4, 66), OK);
    signature[4] = 0x11; /* in range, and as short in each try */
    memcpy(signature + 36, (const uint8_t[]){0x02, 0x20, 0x11}, 3);
    writer_printf(&w, "{\"passkey\":{\"ceremony\":\"%s\"", ceremony);
    put_bytes(&w, "id", VIEW_OF(p->id));
    put_bytes(&w, "client_data", writer_view_of(&c));
    put_bytes(&w, "authenticator_data", VIEW_OF(data));
    put_bytes(&w, "signature", VIEW_OF(signature));
    put_bytes(&w, "user_handle", VIEW_OF(p->handle));
    writer_printf(&w, "}}");
    assert_int_equal(writer_done(&w), OK);
    passkey_body_text[w.len] = '\0';
}

static const char *passkey_body(size_t class, size_t i)
{
    (void)class, (void)i;
    return passkey_body_text;
}

static void passkeys_can_not_be_told_by_time(void **state)
{
    (void)state;
    make_passkeys();
    expect_alike((struct timing_kind){
        .method = "POST", .path = "/api/v1/login/passkey", .body = passkey_body, .before = answer_challenge});
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        T(names_can_not_be_told_by_time),
        T(basic_can_not_be_told_by_time),
        T(keys_can_not_be_told_by_time),
        T(passkeys_can_not_be_told_by_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
