/* Initialising, unsealing, who may say what: what an operator meets. */
#include "rig.h"

static int setup(void **state)
{
    *state = rig_new();
    return 0;
}

static int teardown(void **state)
{
    rig_free(*state);
    return 0;
}

static void passphrase_opens_after_a_restart(void **state)
{
    struct rig *r = *state;
    struct keeper_unseal wrong = {.passphrase = VIEW_STR("not the right passphrase")};
    struct keeper_status before = {0}, after = {0};

    rig_init_passphrase(r);
    assert_int_equal(rig_call(r, PEER_OPERATOR, KEEPER_STATUS, NULL, &before), OK);
    rig_restart(r);
    assert_int_equal(keeper_state_of(r->keeper), STATE_SEALED);
    assert_int_equal(rig_call(r, PEER_OPERATOR, KEEPER_UNSEAL, &wrong, NULL), ERR_WRONG_PASSPHRASE);
    assert_int_equal(rig_unseal(r), OK);
    assert_int_equal(rig_unseal(r), ERR_ALREADY_UNSEALED);
    assert_int_equal(rig_call(r, PEER_OPERATOR, KEEPER_STATUS, NULL, &after), OK);
    assert_memory_equal(before.import_key, after.import_key, 32);
    assert_memory_equal(before.checkpoint_key, after.checkpoint_key, 32);
}

static enum err give_share(struct rig *r, struct view text)
{
    struct keeper_unseal q = {.share = text};

    return rig_call(r, PEER_OPERATOR, KEEPER_UNSEAL, &q, NULL);
}

static void any_threshold_of_shares_opens(void **state)
{
    struct rig *r = *state;

    rig_init_shares(r, 2, 3);
    assert_int_equal(r->done.shares.count, 3);
    rig_restart(r);
    assert_int_equal(give_share(r, r->done.shares.items[2]), OK);
    assert_int_equal(give_share(r, r->done.shares.items[2]), ERR_SHARE_TWICE);
    assert_int_equal(keeper_state_of(r->keeper), STATE_SEALED);
    assert_int_equal(give_share(r, VIEW_STR("hfs1-nonsense")), ERR_DAMAGED_SHARE);
    assert_int_equal(give_share(r, r->done.shares.items[0]), OK);
    assert_int_equal(keeper_state_of(r->keeper), STATE_UNSEALED);
}

static void shares_of_another_installation_are_told_apart(void **state)
{
    struct rig *r = *state, *other = rig_new();

    rig_init_shares(r, 2, 2);
    rig_init_shares(other, 2, 2);
    rig_restart(r);
    assert_int_equal(give_share(r, r->done.shares.items[0]), OK);
    assert_int_equal(give_share(r, other->done.shares.items[1]), ERR_WRONG_SHARE);
    rig_free(other);
}

static void init_happens_once(void **state)
{
    struct rig *r = *state;
    struct keeper_init q = {.method = UNSEAL_PASSPHRASE};

    rig_init_passphrase(r);
    assert_int_equal(rig_call(r, PEER_OPERATOR, KEEPER_INIT, &q, NULL), ERR_ALREADY_INITIALISED);
    rig_restart(r);
    assert_int_equal(rig_call(r, PEER_OPERATOR, KEEPER_INIT, &q, NULL), ERR_ALREADY_INITIALISED);
}

/* Shares that nobody got must not be those of an installation: nothing is kept before it is confirmed. */
static void an_init_that_nobody_confirms_never_was(void **state)
{
    struct rig *r = *state;
    struct keeper_init q = {.method = UNSEAL_SHARES,
                            .threshold = 2,
                            .shares = 3,
                            .cipher = 1,
                            .administrator = VIEW_STR("alice"),
                            .argon2_passes = 1,
                            .argon2_memory_kib = 8192};
    struct keeper_init_confirm first, second, none = {0};
    struct keeper_status s = {0};
    uint8_t before[4096], after[4096];

    rig_slots(r, before);
    assert_int_equal(rig_call(r, PEER_OPERATOR, KEEPER_INIT_CONFIRM, &none, NULL), ERR_CONFLICT);
    assert_int_equal(rig_call(r, PEER_OPERATOR, KEEPER_INIT, &q, &r->done), OK);
    memcpy(first.installation, r->done.installation, sizeof first.installation);
    rig_slots(r, after);
    assert_memory_equal(before, after, sizeof before);
    assert_int_equal(keeper_state_of(r->keeper), STATE_UNINITIALISED);
    assert_int_equal(rig_call(r, PEER_OPERATOR, KEEPER_STATUS, NULL, &s), OK);
    assert_int_equal(s.shares, 0);
    assert_int_equal(r->events[KEEPER_EVENT_UNSEALED], 0);
    assert_int_equal(rig_call(r, PEER_FRONT, KEEPER_INIT_CONFIRM, &first, NULL), ERR_FORBIDDEN);
    assert_int_equal(rig_call(r, PEER_OPERATOR, KEEPER_INIT, &q, &r->done), OK); /* somebody tries again */
    memcpy(second.installation, r->done.installation, sizeof second.installation);
    assert_int_equal(rig_call(r, PEER_OPERATOR, KEEPER_INIT_CONFIRM, &first, NULL), ERR_CONFLICT);
    assert_int_equal(rig_call(r, PEER_OPERATOR, KEEPER_INIT_CONFIRM, &second, NULL), OK);
    assert_int_equal(keeper_state_of(r->keeper), STATE_UNSEALED);
    assert_int_equal(r->events[KEEPER_EVENT_UNSEALED], 1);
    rig_restart(r);
    assert_int_equal(give_share(r, r->done.shares.items[0]), OK);
    assert_int_equal(give_share(r, r->done.shares.items[2]), OK);
    assert_int_equal(keeper_state_of(r->keeper), STATE_UNSEALED);
}

static void the_front_can_neither_unseal_nor_enrol(void **state)
{
    static const uint16_t operators[] = {KEEPER_INIT,   KEEPER_UNSEAL,    KEEPER_SEAL,
                                         KEEPER_ROTATE, KEEPER_ADMIN_ADD, KEEPER_ADMIN_REMOVE};
    struct rig *r = *state;
    AUTO_WRITER out = writer_new(1024);

    for (size_t i = 0; i < ARRAY_LEN(operators); i++) {
        assert_int_equal(keeper_handle(r->keeper, PEER_FRONT, operators[i], (struct view){0}, &out, &r->why),
                         ERR_FORBIDDEN);
        assert_int_equal(keeper_handle(r->keeper, PEER_SIGNER, operators[i], (struct view){0}, &out, &r->why),
                         ERR_FORBIDDEN);
    }
    rig_init_passphrase(r);
    assert_int_equal(keeper_handle(r->keeper, PEER_FRONT, KEEPER_UNWRAP, (struct view){0}, &out, &r->why),
                     ERR_FORBIDDEN);
    assert_int_equal(keeper_handle(r->keeper, PEER_OPERATOR, KEEPER_SECRET_OPEN, (struct view){0}, &out, &r->why),
                     ERR_FORBIDDEN);
    assert_int_equal(keeper_handle(r->keeper, PEER_FRONT, 4711, (struct view){0}, &out, &r->why), ERR_MALFORMED);
}

static void sealing_forgets_everything(void **state)
{
    struct rig *r = *state;
    struct keeper_hello hello = {0};
    struct keeper_welcome welcome = {0};
    struct keeper_status s = {0};
    static const uint8_t zero[32];

    rig_init_passphrase(r);
    assert_int_equal(rig_call(r, PEER_FRONT, KEEPER_HELLO, &hello, &welcome), OK);
    assert_int_equal(rig_call(r, PEER_OPERATOR, KEEPER_SEAL, NULL, &s), OK);
    assert_int_equal(s.state, STATE_SEALED);
    assert_int_equal(s.sealed.cause, SEALED_BY_OPERATOR);
    assert_int_equal(s.sealed.since_ms, r->wall_ms);
    assert_memory_equal(s.import_key, zero, 32);
    assert_int_equal(rig_call(r, PEER_FRONT, KEEPER_HELLO, &hello, &welcome), ERR_SEALED);
    assert_int_equal(rig_unseal(r), OK);
}

static void weak_choices_are_refused_with_a_reason(void **state)
{
    struct rig *r = *state;
    struct keeper_init q = {.method = UNSEAL_PASSPHRASE,
                            .passphrase = VIEW_STR("short"),
                            .cipher = 1,
                            .administrator = VIEW_STR("a"),
                            .argon2_passes = 1,
                            .argon2_memory_kib = 8192};

    assert_int_equal(rig_call(r, PEER_OPERATOR, KEEPER_INIT, &q, NULL), ERR_TOO_SHORT);
    q = (struct keeper_init){.method = UNSEAL_SHARES,
                             .threshold = 1,
                             .shares = 3,
                             .cipher = 1,
                             .administrator = VIEW_STR("a"),
                             .argon2_passes = 1,
                             .argon2_memory_kib = 8192};
    assert_int_equal(rig_call(r, PEER_OPERATOR, KEEPER_INIT, &q, NULL), ERR_OUT_OF_RANGE);
    assert_string_equal(r->why.where, "threshold");
    assert_int_equal(keeper_state_of(r->keeper), STATE_UNINITIALISED);
}

static void hand_over_keeps_the_unsealed_state(void **state)
{
    struct rig *r = *state;
    AUTO_WRITER secret = writer_new(64);

    rig_init_passphrase(r);
    assert_int_equal(keeper_export(r->keeper, &secret), OK);
    assert_int_equal(keeper_state_of(r->keeper), STATE_SEALED);
    rig_restart(r);
    assert_int_equal(keeper_import(r->keeper, VIEW_STR("too short")), ERR_BAD_KEY);
    assert_int_equal(keeper_import(r->keeper, writer_view_of(&secret)), OK);
    assert_int_equal(keeper_state_of(r->keeper), STATE_UNSEALED);
}

static void rotation_opens_what_was_sealed_before(void **state)
{
    struct rig *r = *state;
    struct keeper_secret_seal q = {.version = 1, .path = VIEW_STR("a/b"), .value = VIEW_STR("hunter2")};
    struct keeper_sealed sealed = {0};
    struct keeper_secret_open open = {.version = 1, .path = VIEW_STR("a/b")};
    struct keeper_opened opened = {0};
    struct keeper_status s = {0};

    rig_init_passphrase(r);
    assert_int_equal(rig_call(r, PEER_FRONT, KEEPER_SECRET_SEAL, &q, &sealed), OK);
    assert_int_equal(rig_call(r, PEER_OPERATOR, KEEPER_ROTATE, &(struct keeper_rotate){0}, &s), OK);
    assert_int_equal(s.epoch, 2);
    open.sealed = sealed.sealed;
    assert_int_equal(rig_call(r, PEER_FRONT, KEEPER_SECRET_OPEN, &open, &opened), OK);
    assert_true(view_is(opened.value, "hunter2"));
    rig_restart(r);
    assert_int_equal(rig_unseal(r), OK);
    assert_int_equal(rig_call(r, PEER_FRONT, KEEPER_SECRET_OPEN, &open, &opened), OK);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(passphrase_opens_after_a_restart),
        T(any_threshold_of_shares_opens),
        T(shares_of_another_installation_are_told_apart),
        T(init_happens_once),
        T(an_init_that_nobody_confirms_never_was),
        T(the_front_can_neither_unseal_nor_enrol),
        T(sealing_forgets_everything),
        T(weak_choices_are_refused_with_a_reason),
        T(hand_over_keeps_the_unsealed_state),
        T(rotation_opens_what_was_sealed_before),
    };
    return cmocka_run_group_tests_name("keeper-seal", tests, NULL, NULL);
}
