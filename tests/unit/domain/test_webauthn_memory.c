/* A server that is short of memory says so: it neither takes a passkey that it could not check nor blames the passkey.
 */
#include "../failing_alloc.h"
#include "crypto/secmem.h"
#include "webauthn_case.h"

#define ALLOCATIONS_MAX 2000

static struct arena *arena;
static json_t *all;

static int set_up(void **state)
{
    bool locked;
    (void)state;
    all = case_load("made.json");
    return crypto_init(&locked) != OK || arena_new(1u << 16, 16u << 20, &arena) != OK;
}

static int tear_down(void **state)
{
    (void)state;
    arena_free(arena);
    json_decref(all);
    return 0;
}

struct run {
    struct webauthn_case expected;
    struct webauthn_created created;
    struct webauthn_asserted asserted;
    struct webauthn_credential stored;
    bool login;
};

static const json_t *named(const char *name)
{
    const json_t *list = json_object_get(all, "cases");
    for (size_t i = 0; i < json_array_size(list); i++)
        if (strcmp(case_text(json_array_get(list, i), "name"), name) == 0)
            return json_array_get(list, i);
    fail_msg("made.json lacks %s", name);
    return NULL;
}

static void prepare(struct run *r, const char *name)
{
    const json_t *j = named(name);
    *r = (struct run){.login = strcmp(case_text(j, "kind"), "login") == 0};
    case_plain(&r->expected, case_bytes(arena, j, "challenge"), case_bytes(arena, all, "root"));
    case_expect(&r->expected, arena, json_object_get(j, "expect"));
    r->created.id = r->asserted.id = case_bytes(arena, j, "id");
    r->created.client_data = r->asserted.client_data = case_bytes(arena, j, "client_data");
    if (!r->login) {
        r->created.attestation_object = case_bytes(arena, j, "attestation_object");
        return;
    }
    r->asserted.authenticator_data = case_bytes(arena, j, "authenticator_data");
    r->asserted.signature = case_bytes(arena, j, "signature");
    r->stored = (struct webauthn_credential){
        .id = r->asserted.id, .public_key = case_bytes(arena, j, "public_key"), .sign_count = 4};
    memcpy(r->stored.user_handle, r->expected.expect.user_handle.ptr, sizeof r->stored.user_handle);
}

static enum err judge(const struct run *r, struct webauthn_credential *ret)
{
    struct problem why = {0};
    return r->login ? webauthn_assert(&r->expected.expect, &r->asserted, &r->stored, ret, &why)
                    : webauthn_register(&r->expected.expect, &r->created, ret, &why);
}

static void no_allocation_is_missed(void **state)
{
    static const char *const names[] = {"packed-good-aaguid", "packed-good-intermediate",
                                        "self-good-rs256",    "u2f-good",
                                        "tpm-good",           "android-good",
                                        "apple-good",         "login-good"};
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        struct run r;
        size_t n = 1;
        prepare(&r, names[i]);
        for (;; n++) {
            struct webauthn_credential got = {.name = VIEW_STR("untouched")};
            failing_alloc_begin(n, FAILING_ONE);
            enum err e = judge(&r, &got);
            if (failing_alloc_end() == 0) {
                assert_int_equal(e, OK);
                break;
            }
            if (e != ERR_NO_MEMORY || !view_is(got.name, "untouched"))
                fail_msg("%s, allocation %zu: %s", names[i], n, err_code(e));
            assert_in_range(n, 1, ALLOCATIONS_MAX);
        }
        assert_true(n > 3);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(no_allocation_is_missed)};
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
