/* What would break for the user: his second factor does not work, or somebody gets in without it. */
#include "../ledger/ledger_test.h"
#include "domain/identity/identity.h"

#define NOW 1790000000000ull

static struct rig *rig;
static struct arena *arena;

static int set_up(void **state)
{
    struct problem why = {0};

    (void)state;
    rig = rig_new(NULL, NULL);
    assert_int_equal(rig_open(rig, &why), OK);
    assert_int_equal(arena_new(4096, 1u << 20, &arena), OK);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    arena_free(arena);
    rig_free(rig);
    return 0;
}

/* What the app shows. */
static struct view code_at(const struct mfa *m, uint64_t ms)
{
    char *code = arena_alloc(arena, TOTP_DIGITS + 1);

    assert_int_equal(totp_code(m->totp_secret.ptr, ms / TOTP_STEP_MS, code), OK);
    return VIEW(code, TOTP_DIGITS);
}

static struct mfa with_totp(void)
{
    struct mfa m = {0};

    assert_int_equal(mfa_totp_begin(&m, random_system(), arena), OK);
    assert_int_equal(mfa_totp_confirm(&m, code_at(&m, NOW), NOW), OK);
    return m;
}

static void set_up_only_once_confirmed(void **state)
{
    struct mfa m = {0};

    (void)state;
    assert_int_equal(mfa_totp_confirm(&m, VIEW_STR("123456"), NOW), ERR_CONFLICT);
    assert_int_equal(mfa_totp_begin(&m, random_system(), arena), OK);
    assert_false(mfa_totp_ready(&m));
    assert_int_equal(mfa_totp_use(&m, code_at(&m, NOW), NOW), ERR_BAD_CREDENTIALS);
    assert_int_equal(mfa_totp_confirm(&m, code_at(&m, NOW - 600000), NOW), ERR_BAD_CREDENTIALS);
    assert_false(mfa_totp_ready(&m));
    assert_int_equal(mfa_totp_confirm(&m, code_at(&m, NOW), NOW), OK);
    assert_true(mfa_totp_ready(&m));
    assert_int_equal(mfa_totp_confirm(&m, code_at(&m, NOW), NOW), ERR_CONFLICT);
}

static void no_code_twice(void **state)
{
    struct mfa m = with_totp();
    uint64_t later = NOW + TOTP_STEP_MS;

    (void)state;
    assert_int_equal(mfa_totp_use(&m, code_at(&m, NOW), NOW), ERR_BAD_CREDENTIALS); /* it confirmed */
    assert_int_equal(mfa_totp_use(&m, code_at(&m, later), later), OK);
    assert_int_equal(mfa_totp_use(&m, code_at(&m, later), later), ERR_BAD_CREDENTIALS);
    assert_int_equal(mfa_totp_use(&m, code_at(&m, NOW), later), ERR_BAD_CREDENTIALS); /* an older one neither */
}

static void clocks_may_drift_one_step(void **state)
{
    (void)state;
    for (int steps = -3; steps <= 3; steps++) {
        struct mfa m = with_totp();
        uint64_t now = NOW + 100 * TOTP_STEP_MS;
        struct view code = code_at(&m, now + (uint64_t)((int64_t)steps * (int64_t)TOTP_STEP_MS));

        assert_int_equal(mfa_totp_use(&m, code, now), steps >= -1 && steps <= 1 ? OK : ERR_BAD_CREDENTIALS);
    }
}

/* A code from a clock ahead makes those of the steps before it void; the next ones are good. */
static void a_clock_set_back_takes_no_old_code(void **state)
{
    struct mfa m = with_totp();
    uint64_t ahead = NOW + 10 * TOTP_STEP_MS;

    (void)state;
    assert_int_equal(mfa_totp_use(&m, code_at(&m, ahead), ahead), OK);
    assert_int_equal(mfa_totp_use(&m, code_at(&m, NOW + TOTP_STEP_MS), NOW + TOTP_STEP_MS), ERR_BAD_CREDENTIALS);
    assert_int_equal(mfa_totp_use(&m, code_at(&m, ahead + TOTP_STEP_MS), ahead + TOTP_STEP_MS), OK);
}

static void address_for_the_app(void **state)
{
    static const uint8_t secret[] = "12345678901234567890";
    struct mfa m = {.totp_secret = VIEW(secret, TOTP_SECRET_SIZE)};
    char text[256];
    struct writer w = writer_fixed(text, sizeof text);

    (void)state;
    assert_int_equal(mfa_totp_uri(&m, VIEW_STR("Desk & Co"), VIEW_STR("alice"), &w), OK);
    writer_u8(&w, 0);
    assert_string_equal(text, "otpauth://totp/Desk%20%26%20Co:alice?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"
                              "&issuer=Desk%20%26%20Co&algorithm=SHA1&digits=6&period=30");
}

static void each_recovery_code_once(void **state)
{
    char codes[RECOVERY_CODES][RECOVERY_TEXT_SIZE], other[RECOVERY_CODES][RECOVERY_TEXT_SIZE];
    struct mfa m = {0};

    (void)state;
    assert_int_equal(mfa_recovery_use(&m, VIEW_STR("aaaaa-aaaaa-aaaaa"), rig->keys), ERR_BAD_CREDENTIALS);
    assert_int_equal(mfa_recovery_make(&m, random_system(), rig->keys, arena, codes), OK);
    assert_int_equal(mfa_recovery_left(&m), RECOVERY_CODES);
    for (size_t i = 0; i < RECOVERY_CODES; i++)
        for (size_t k = 0; k < i; k++)
            assert_string_not_equal(codes[i], codes[k]);
    for (size_t i = 0; i < RECOVERY_CODES; i++) {
        assert_int_equal(mfa_recovery_use(&m, view_str(codes[i]), rig->keys), OK);
        assert_int_equal(mfa_recovery_use(&m, view_str(codes[i]), rig->keys), ERR_BAD_CREDENTIALS);
        assert_int_equal(mfa_recovery_left(&m), RECOVERY_CODES - 1 - i);
    }
    assert_int_equal(mfa_recovery_make(&m, random_system(), rig->keys, arena, other), OK);
    assert_int_equal(mfa_recovery_use(&m, view_str(codes[0]), rig->keys), ERR_BAD_CREDENTIALS);
}

static void recovery_codes_as_people_type_them(void **state)
{
    char codes[RECOVERY_CODES][RECOVERY_TEXT_SIZE], typed[64];
    struct mfa m = {0};
    size_t n = 0;

    (void)state;
    assert_int_equal(mfa_recovery_make(&m, random_system(), rig->keys, arena, codes), OK);
    for (const char *c = codes[3]; *c; c++)
        typed[n++] = *c == '-' ? ' ' : *c >= 'a' ? (char)(*c - 'a' + 'A') : *c;
    assert_int_equal(mfa_recovery_use(&m, VIEW(typed, n), rig->keys), OK);
    memcpy(typed, codes[4], RECOVERY_TEXT_SIZE - 1);
    typed[RECOVERY_TEXT_SIZE - 1] = '2';
    assert_int_equal(mfa_recovery_use(&m, VIEW(typed, RECOVERY_TEXT_SIZE), rig->keys), ERR_BAD_CREDENTIALS);
    assert_int_equal(mfa_recovery_use(&m, VIEW(typed, RECOVERY_TEXT_SIZE - 2), rig->keys), ERR_BAD_CREDENTIALS);
    assert_int_equal(mfa_recovery_use(&m, VIEW_STR(""), rig->keys), ERR_BAD_CREDENTIALS);
    assert_int_equal(mfa_recovery_left(&m), RECOVERY_CODES - 1);
}

/* The row keeps all of it, and people are shown none of it. */
static void kept_and_never_printed(void **state)
{
    char codes[RECOVERY_CODES][RECOVERY_TEXT_SIZE], text[512];
    struct mfa m = with_totp(), back = {0};
    struct writer wire = writer_new(4096), json = writer_fixed(text, sizeof text);

    (void)state;
    assert_int_equal(mfa_recovery_make(&m, random_system(), rig->keys, arena, codes), OK);
    assert_int_equal(entity_encode(&mfa_entity, &m, &wire), OK);
    assert_int_equal(entity_decode(&mfa_entity, writer_view_of(&wire), arena, &back), OK);
    assert_int_equal(back.totp_step, m.totp_step);
    assert_int_equal(mfa_recovery_use(&back, view_str(codes[9]), rig->keys), OK);
    entity_to_json(&mfa_entity, &m, &json);
    writer_u8(&json, 0);
    assert_string_equal(text, "{\"totp_since_ms\":\"2026-09-21T14:13:20.000Z\"}");
    writer_free(&wire);
}

/* --- tickets */

static void tickets_are_good_for_one_log_in(void **state)
{
    (void)state;
    struct user u = {.id = {1, 2, 3}, .name = VIEW_STR("alice"), .password_hash = VIEW_STR("a hash")}, bob = u;
    AUTO_WRITER w = writer_new(TICKET_TEXT_MAX);
    uint8_t proof[TICKET_PROOF_SIZE];
    struct view name;
    const uint64_t now = 1790000000000u;
    assert_int_equal(ticket_make(rig->keys, &u, now, &w), OK);
    struct view text = writer_view_of(&w);
    assert_int_equal(ticket_open(rig->keys, text, now + TICKET_MS - 1, arena, &name, proof), OK);
    assert_true(view_eq(name, u.name));
    assert_int_equal(ticket_fits(rig->keys, &u, proof), OK);
    assert_int_equal(ticket_open(rig->keys, text, now + TICKET_MS, arena, &name, proof), ERR_BAD_CREDENTIALS);
    bob.id[0] ^= 1; /* removed and made anew under the same name */
    assert_int_equal(ticket_fits(rig->keys, &bob, proof), ERR_BAD_CREDENTIALS);
    bob = u;
    bob.password_hash = VIEW_STR("another");
    assert_int_equal(ticket_fits(rig->keys, &bob, proof), ERR_BAD_CREDENTIALS);
    user_login_succeeded(&u, now + 1);
    assert_int_equal(ticket_fits(rig->keys, &u, proof), ERR_BAD_CREDENTIALS);
    for (size_t i = 0; i <= text.len; i++) {
        uint8_t changed[TICKET_TEXT_MAX];
        memcpy(changed, text.ptr, text.len);
        assert_int_equal(ticket_open(rig->keys, VIEW(changed, i < text.len ? i : 0), now, arena, &name, proof),
                         ERR_BAD_CREDENTIALS);
        if (i < text.len)
            changed[i] ^= 1;
        if (i < text.len)
            assert_int_equal(ticket_open(rig->keys, VIEW(changed, text.len), now, arena, &name, proof),
                             ERR_BAD_CREDENTIALS);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tickets_are_good_for_one_log_in),
        cmocka_unit_test(set_up_only_once_confirmed),
        cmocka_unit_test(no_code_twice),
        cmocka_unit_test(clocks_may_drift_one_step),
        cmocka_unit_test(a_clock_set_back_takes_no_old_code),
        cmocka_unit_test(address_for_the_app),
        cmocka_unit_test(each_recovery_code_once),
        cmocka_unit_test(recovery_codes_as_people_type_them),
        cmocka_unit_test(kept_and_never_printed),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
