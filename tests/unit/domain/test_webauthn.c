/* Passkeys: the W3C's own vectors are taken, and nobody gets in with anything that differs from them in what counts. */
#include "base/text.h"
#include "crypto/secmem.h"
#include "webauthn_case.h"

#define RP_HASH_SIZE 32
#define FLAGS_AT     RP_HASH_SIZE
#define FLAG_UP      0x01
#define FLAG_UV      0x04
#define FLAG_BE      0x08
#define FLAG_BS      0x10

static struct arena *arena;

static int set_up(void **state)
{
    bool locked;
    (void)state;
    assert_int_equal(crypto_init(&locked), OK);
    return arena_new(1u << 16, 64u << 20, &arena) != OK;
}

static int tear_down(void **state)
{
    (void)state;
    arena_free(arena);
    return 0;
}

/* --- the W3C's vectors */

struct w3c {
    const char *name;
    struct view root, challenge[2];
    struct webauthn_created created;
    struct webauthn_asserted asserted;
};

static struct view member(const json_t *v, const char *name, size_t i)
{
    return case_hex(arena, json_array_get(json_object_get(v, name), i));
}

static struct w3c w3c_of(const json_t *all, size_t i)
{
    const json_t *v = json_array_get(all, i);
    struct w3c w = {.name = case_text(v, "name"), .root = member(json_array_get(all, 0), "attestation_ca_cert", 0)};
    w.challenge[0] = member(v, "challenge", 0);
    w.challenge[1] = member(v, "challenge", 1);
    w.created.id = w.asserted.id = member(v, "credential_id", 0);
    w.created.client_data = member(v, "clientDataJSON", 0);
    w.created.attestation_object = member(v, "attestationObject", 0);
    w.asserted.client_data = member(v, "clientDataJSON", 1);
    w.asserted.authenticator_data = member(v, "authenticatorData", 0);
    w.asserted.signature = member(v, "signature", 0);
    return w;
}

static void each(void (*check)(const struct w3c *w))
{
    json_t *all = case_load("w3c-webauthn-level3.json");
    assert_int_equal(json_array_size(all), 16); /* the root, and 15 credentials */
    for (size_t i = 1; i < json_array_size(all); i++) {
        struct w3c w = w3c_of(all, i);
        check(&w);
        arena_reset(arena);
    }
    json_decref(all);
}

/* What the vector's registration needs: the strictest policy that it meets. Its Android key has authorisation lists
 * without a word in them, which is too little where hardware must vouch for it. */
static void good_case(const struct w3c *w, struct webauthn_case *c, int which)
{
    static const struct view tops[] = {VIEW_STR("https://example.com")};
    case_plain(c, w->challenge[which], w->root);
    c->policy.least = strncmp(w->name, "none", 4) == 0           ? WEBAUTHN_UNATTESTED
                      : strncmp(w->name, "packed-self", 11) == 0 ? WEBAUTHN_SELF
                      : strncmp(w->name, "android", 7) == 0      ? WEBAUTHN_CERTIFIED
                                                                 : WEBAUTHN_TRUSTED;
    c->expect.framed = strstr(w->name, "Origin") != NULL;
    c->expect.top_origins = tops;
    c->expect.top_origin_count = 1;
}

static enum err registered(const struct w3c *w, struct webauthn_credential *ret, struct problem *why)
{
    struct webauthn_case c;
    good_case(w, &c, 0);
    return webauthn_register(&c.expect, &w->created, ret, why);
}

static void registers_and_logs_in(const struct w3c *w)
{
    struct webauthn_credential made = {0}, used = {0};
    struct webauthn_case c;
    struct problem why = {0};
    enum err e = registered(w, &made, &why);
    if (e)
        fail_msg("%s: %s: %s", w->name, err_code(e), why.detail);
    assert_true(view_eq(made.id, w->created.id));
    assert_int_equal(made.created_ms, CASE_NOW);
    good_case(w, &c, 0);
    assert_int_equal(made.attestation, c.policy.least == WEBAUTHN_CERTIFIED ? WEBAUTHN_TRUSTED : (int)c.policy.least);
    good_case(w, &c, 1);
    e = webauthn_assert(&c.expect, &w->asserted, &made, &used, &why);
    if (e)
        fail_msg("%s, login: %s: %s", w->name, err_code(e), why.detail);
    assert_int_equal(used.last_used_ms, CASE_NOW);
    assert_int_equal(used.backed_up, !!(w->asserted.authenticator_data.ptr[FLAGS_AT] & FLAG_BS));
}

static void w3c_credentials_register_and_log_in(void **state)
{
    (void)state;
    each(registers_and_logs_in);
}

enum change { ORIGIN, RP_ID, CHALLENGE, FRAME, ALGORITHM, LAST_CHANGE };

/* What was asked differs from what was answered in one thing. ret: whether it matters to this vector. */
static bool change(struct webauthn_case *c, const struct w3c *w, enum change what)
{
    static const struct view other_origin[] = {VIEW_STR("https://example.net")};
    static const uint8_t other_challenge[32];
    static const int32_t other_algorithm[] = {-39};
    switch (what) {
    case ORIGIN:
        c->expect.origins = other_origin;
        return true;
    case RP_ID:
        c->expect.rp_id = VIEW_STR("example.net");
        return true;
    case CHALLENGE:
        c->expect.challenge = VIEW_OF(other_challenge);
        return true;
    case FRAME:
        c->expect.framed = false;
        return strstr(w->name, "Origin") != NULL;
    case ALGORITHM:
        c->expect.algorithms = other_algorithm;
        c->expect.algorithm_count = 1;
        return true;
    case LAST_CHANGE:
        break;
    }
    return false;
}

static void asked_otherwise(const struct w3c *w)
{
    for (enum change what = 0; what < LAST_CHANGE; what++) {
        struct webauthn_credential made = {0}, untouched = {0};
        struct webauthn_case c;
        struct problem why = {0};
        good_case(w, &c, 0);
        if (change(&c, w, what))
            assert_int_equal(webauthn_register(&c.expect, &w->created, &untouched, &why), ERR_PASSKEY_REFUSED);
        assert_int_equal(registered(w, &made, &why), OK);
        good_case(w, &c, 1);
        if (change(&c, w, what) && what != ALGORITHM)
            assert_int_equal(webauthn_assert(&c.expect, &w->asserted, &made, &untouched, &why), ERR_PASSKEY_REFUSED);
        assert_int_equal(untouched.created_ms, 0);
    }
}

static void w3c_credentials_are_refused_where_something_else_was_asked(void **state)
{
    (void)state;
    each(asked_otherwise);
}

/* A copy in which the flags of the authenticator data, found by the hash before them, are these. */
static struct view with_flags(struct view v, struct view rp_hash, uint8_t clear, uint8_t set)
{
    uint8_t *copy = arena_alloc(arena, v.len);
    assert_non_null(copy);
    memcpy(copy, v.ptr, v.len);
    uint8_t *at = memmem(copy, v.len, rp_hash.ptr, rp_hash.len);
    assert_non_null(at);
    at[FLAGS_AT] = (uint8_t)((at[FLAGS_AT] & ~clear) | set);
    return VIEW(copy, v.len);
}

static void other_flags(const struct w3c *w)
{
    static const struct {
        uint8_t clear, set;
        bool verification;
    } rows[] = {{FLAG_UP, 0, false}, {FLAG_BE, FLAG_BS, false}, {FLAG_UV, 0, true}};
    struct view rp_hash = VIEW(w->asserted.authenticator_data.ptr, RP_HASH_SIZE);
    struct webauthn_credential made = {0}, untouched = {0};
    struct problem why = {0};
    assert_int_equal(registered(w, &made, &why), OK);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct webauthn_created created = w->created;
        struct webauthn_asserted asserted = w->asserted;
        struct webauthn_case c;
        created.attestation_object = with_flags(created.attestation_object, rp_hash, rows[i].clear, rows[i].set);
        good_case(w, &c, 0);
        c.expect.user_verification = rows[i].verification;
        assert_int_equal(webauthn_register(&c.expect, &created, &untouched, &why), ERR_PASSKEY_REFUSED);
        asserted.authenticator_data = with_flags(asserted.authenticator_data, rp_hash, rows[i].clear, rows[i].set);
        good_case(w, &c, 1);
        c.expect.user_verification = rows[i].verification;
        assert_int_equal(webauthn_assert(&c.expect, &asserted, &made, &untouched, &why), ERR_PASSKEY_REFUSED);
    }
    /* A flag that no rule looks at is signed all the same. */
    struct webauthn_asserted asserted = w->asserted;
    struct webauthn_case c;
    asserted.authenticator_data = with_flags(asserted.authenticator_data, rp_hash, 0, 0x20);
    good_case(w, &c, 1);
    assert_int_equal(webauthn_assert(&c.expect, &asserted, &made, &untouched, &why), ERR_BAD_SIGNATURE);
}

static void w3c_credentials_are_refused_with_other_flags(void **state)
{
    (void)state;
    each(other_flags);
}

/* Whatever is cut off, or hung on, nothing is taken, and no byte beyond the end is read. */
static void cut_and_extended(const struct w3c *w)
{
    struct webauthn_credential made = {0}, untouched = {0};
    struct webauthn_case c;
    struct problem why = {0};
    struct view whole = w->created.attestation_object, data = w->asserted.authenticator_data;
    assert_int_equal(registered(w, &made, &why), OK);
    good_case(w, &c, 0);
    for (size_t n = 0; n <= whole.len + 1; n++) {
        struct webauthn_created created = w->created;
        uint8_t *copy = calloc(1, n + 1);
        assert_non_null(copy);
        memcpy(copy, whole.ptr, n < whole.len ? n : whole.len);
        created.attestation_object = VIEW(copy, n);
        enum err e = n == whole.len ? ERR_MALFORMED : webauthn_register(&c.expect, &created, &untouched, &why);
        free(copy);
        assert_true(e == ERR_MALFORMED || e == ERR_TRUNCATED);
    }
    good_case(w, &c, 1);
    for (size_t n = 0; n < data.len; n++) {
        struct webauthn_asserted asserted = w->asserted;
        asserted.authenticator_data = VIEW(data.ptr, n);
        assert_int_equal(webauthn_assert(&c.expect, &asserted, &made, &untouched, &why), ERR_TRUNCATED);
    }
}

static void w3c_credentials_are_refused_cut_and_extended(void **state)
{
    (void)state;
    each(cut_and_extended);
}

/* --- the cases of make.py */

static enum err run_login(const struct webauthn_case *c, const json_t *j, struct problem *why)
{
    const json_t *state = json_object_get(j, "stored");
    struct webauthn_asserted answer = {.id = case_bytes(arena, j, "id"),
                                       .client_data = case_bytes(arena, j, "client_data"),
                                       .authenticator_data = case_bytes(arena, j, "authenticator_data"),
                                       .signature = case_bytes(arena, j, "signature"),
                                       .user_handle = case_bytes(arena, j, "user_handle")};
    struct webauthn_credential stored = {
        .id = case_bytes(arena, j, "stored_id"),
        .public_key = case_bytes(arena, j, "public_key"),
        .sign_count = (uint32_t)json_integer_value(json_object_get(state, "sign_count")),
        .backup_eligible = json_is_true(json_object_get(state, "backup_eligible")),
    };
    struct webauthn_credential used = {.name = VIEW_STR("untouched")};
    memcpy(stored.user_handle, case_bytes(arena, j, "stored_handle").ptr, sizeof stored.user_handle);
    enum err e = webauthn_assert(&c->expect, &answer, &stored, &used, why);
    if (e)
        assert_true(view_is(used.name, "untouched"));
    else
        assert_true(used.sign_count > stored.sign_count || (used.sign_count == 0 && stored.sign_count == 0));
    return e;
}

static enum err run_registration(const struct webauthn_case *c, const json_t *j, struct problem *why)
{
    struct webauthn_created answer = {.id = case_bytes(arena, j, "id"),
                                      .client_data = case_bytes(arena, j, "client_data"),
                                      .attestation_object = case_bytes(arena, j, "attestation_object")};
    struct webauthn_credential made = {.name = VIEW_STR("untouched")};
    enum err e = webauthn_register(&c->expect, &answer, &made, why);
    if (e)
        assert_true(view_is(made.name, "untouched"));
    else
        assert_true(made.attestation >= c->policy.least && view_eq(made.id, answer.id));
    return e;
}

static bool run_case(const json_t *j, struct view root)
{
    const char *refused = json_string_value(json_object_get(j, "refused"));
    struct webauthn_case c;
    struct problem why = {0};
    case_plain(&c, case_bytes(arena, j, "challenge"), root);
    case_expect(&c, arena, json_object_get(j, "expect"));
    enum err e = strcmp(case_text(j, "kind"), "login") == 0 ? run_login(&c, j, &why) : run_registration(&c, j, &why);
    bool as_stated = refused ? e != OK && strcmp(err_code(e), refused) == 0 && strstr(why.detail, case_text(j, "says"))
                             : e == OK;
    if (!as_stated)
        print_error("# %s: %s, yet %s at %s: %s\n", case_text(j, "name"), refused ? refused : "good", err_code(e),
                    why.where, why.detail);
    return as_stated;
}

static void made_cases_go_as_stated(void **state)
{
    json_t *all = case_load("made.json"), *list = json_object_get(all, "cases");
    struct view root = {0};
    size_t wrong = 0;
    (void)state;
    assert_true(json_array_size(list) > 150);
    for (size_t i = 0; i < json_array_size(list); i++) {
        root = case_bytes(arena, all, "root");
        wrong += !run_case(json_array_get(list, i), root);
        arena_reset(arena);
    }
    json_decref(all);
    assert_int_equal(wrong, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(w3c_credentials_register_and_log_in),
        cmocka_unit_test(w3c_credentials_are_refused_where_something_else_was_asked),
        cmocka_unit_test(w3c_credentials_are_refused_with_other_flags),
        cmocka_unit_test(w3c_credentials_are_refused_cut_and_extended),
        cmocka_unit_test(made_cases_go_as_stated),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
