/* Every handler is all or nothing: the anchor's writes fail in turn, and the keeper is as if it had not been asked. */
#include "rig.h"

#include "keeper/durable.h"

#include <errno.h>
#include <unistd.h>

static const uint8_t zero[32];

/* The write that fails, counted from 1 (0: none), and how. The linker sends the keeper's calls here. */
static int fail_at, fail_errno, writes;

static bool fails(void)
{
    if (fail_at == 0 || ++writes < fail_at)
        return false;
    errno = fail_errno;
    return true;
}

ssize_t __real_pwrite64(int fd, const void *bytes, size_t n, off_t at);
ssize_t __wrap_pwrite64(int fd, const void *bytes, size_t n, off_t at);
int __real_fdatasync(int fd);
int __wrap_fdatasync(int fd);

/* A failing write may have written a part. */
ssize_t __wrap_pwrite64(int fd, const void *bytes, size_t n, off_t at)
{
    if (!fails())
        return __real_pwrite64(fd, bytes, n, at);
    int kept = errno;
    if (__real_pwrite64(fd, bytes, n / 2, at) < 0)
        fail_msg("the file takes nothing");
    errno = kept;
    return -1;
}

int __wrap_fdatasync(int fd)
{
    return fails() ? -1 : __real_fdatasync(fd);
}

struct snapshot {
    struct keeper_status status;
    uint8_t admins[32];
    bool frozen;
    enum err first, second; /* which version opens */
};

struct scene {
    struct rig *r;
    struct offered first, second;
    struct keeper_sealed sealed;
};

static struct snapshot look(struct scene *s)
{
    struct snapshot n = {0};
    struct administrators list = {0};
    struct keeper_unwrapped u = {0};
    struct keeper_unwrap one = {s->first.descriptor, s->sealed.sealed};

    assert_int_equal(rig_call(s->r, PEER_FRONT, KEEPER_STATUS, NULL, &n.status), OK);
    if (n.status.state != STATE_UNSEALED)
        return n;
    assert_int_equal(rig_call(s->r, PEER_FRONT, KEEPER_ADMIN_LIST, NULL, &list), OK);
    memcpy(n.admins, list.hash, 32);
    n.first = rig_call(s->r, PEER_SIGNER, KEEPER_UNWRAP, &one, &u);
    n.frozen = u.frozen;
    return n;
}

static enum err do_put(struct scene *s)
{
    return rig_put(s->r, &s->second, s->first.hash, NULL);
}

static enum err do_freeze(struct scene *s)
{
    struct keeper_credential_freeze q = {.frozen = true};

    memcpy(q.id, s->first.d.id, 16);
    return rig_call(s->r, PEER_FRONT, KEEPER_CREDENTIAL_FREEZE, &q, NULL);
}

static enum err do_operator_freeze(struct scene *s)
{
    struct keeper_operator_freeze q = {.path = s->first.d.path};

    return rig_call(s->r, PEER_OPERATOR, KEEPER_OPERATOR_FREEZE, &q, NULL);
}

static enum err do_enrol(struct scene *s)
{
    struct keeper_enrol q = {.name = VIEW_STR("alice"), .token = s->r->done.enrolment_token};

    return rig_call(s->r, PEER_FRONT, KEEPER_ENROL, &q, NULL);
}

static enum err do_recover(struct scene *s)
{
    struct keeper_admin_change q = {
        .name = VIEW_STR("carol"), .replace_all = true, .key = {5}, .passphrase = VIEW_STR(PASSPHRASE)};

    return rig_call(s->r, PEER_OPERATOR, KEEPER_ADMIN_ADD, &q, NULL);
}

static enum err do_rotate(struct scene *s)
{
    return rig_call(s->r, PEER_OPERATOR, KEEPER_ROTATE, &(struct keeper_rotate){0}, NULL);
}

static enum err do_reserve(struct scene *s)
{
    struct window_mark marks[1] = {{.start_ms = 1, .orders = 7}};
    struct keeper_reserve q = {.nonce_mark_ms = s->r->wall_ms + 15000, .has_credential = true, .windows = {marks, 1}};

    memcpy(q.id, s->first.d.id, 16);
    return rig_call(s->r, PEER_SIGNER, KEEPER_RESERVE, &q, NULL);
}

static enum err do_checkpoint(struct scene *s)
{
    AUTO_WRITER w = writer_new(16384);

    return keeper_checkpoint_sign(s->r->keeper, &w);
}

static const struct {
    const char *name;
    enum err (*act)(struct scene *s);
} acts[] = {{"put", do_put},         {"freeze", do_freeze},        {"operator freeze", do_operator_freeze},
            {"enrol", do_enrol},     {"recover", do_recover},      {"rotate", do_rotate},
            {"reserve", do_reserve}, {"checkpoint", do_checkpoint}};

static void scene_begin(struct scene *s)
{
    s->r = rig_new();
    rig_init_passphrase(s->r);
    rig_log_pending(s->r);
    rig_offer(s->r, 1, "{}", &s->first);
    assert_int_equal(rig_put(s->r, &s->first, zero, &s->sealed), OK);
    rig_log_pending(s->r);
    rig_offer(s->r, 2, "{\"a\":1}", &s->second);
    (void)look(s); /* brings the first version into force */
}

static void one(size_t i, int at, int error)
{
    struct scene s = {0};
    struct snapshot before, after;
    enum err e;

    scene_begin(&s);
    before = look(&s);
    fail_at = at;
    fail_errno = error;
    writes = 0;
    e = acts[i].act(&s);
    fail_at = 0;
    after = look(&s);
    if (e != (error == ENOSPC ? ERR_NO_SPACE : ERR_IO))
        fail_msg("%s: %s", acts[i].name, err_code(e));
    if (memcmp(&before, &after, sizeof before) != 0)
        fail_msg("%s left half of its change behind", acts[i].name);
    rig_restart(s.r); /* the former version is whole, too */
    assert_int_equal(rig_unseal(s.r), OK);
    rig_log_pending(s.r);
    assert_int_equal(acts[i].act(&s), OK);
    rig_free(s.r);
}

static void a_failed_write_changes_nothing(void **state)
{
    static const int errors[] = {ENOSPC, EIO};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(acts); i++)
        for (size_t k = 0; k < ARRAY_LEN(errors); k++)
            one(i, 1, errors[k]); /* the write itself */
}

/* After a failed sync nobody can say what is on the disk. The keeper goes on with the former state, and works again. */
static void a_failed_sync_changes_nothing_in_memory(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(acts); i++) {
        struct scene s = {0};
        struct snapshot before, after;
        scene_begin(&s);
        before = look(&s);
        fail_at = 2;
        fail_errno = EIO;
        writes = 0;
        assert_int_equal(acts[i].act(&s), ERR_IO);
        fail_at = 0;
        after = look(&s);
        assert_memory_equal(&before, &after, sizeof before);
        assert_int_equal(acts[i].act(&s), OK);
        rig_free(s.r);
    }
}

static void freeze_leaf(struct scene *s, struct leaf *ret, uint8_t ret_hash[static 32])
{
    struct keeper_credential_freeze q = {.frozen = true};
    struct keeper_sealed out = {0};
    struct authored_record a = {0};

    memcpy(q.id, s->first.d.id, 16);
    assert_int_equal(rig_call(s->r, PEER_FRONT, KEEPER_CREDENTIAL_FREEZE, &q, &out), OK);
    assert_int_equal(entity_decode(&authored_record_entity, out.authored, s->r->arena, &a), OK);
    assert_int_equal(leaf_decode(a.leaf, ret), OK);
    leaf_hash(a.leaf, ret_hash);
}

/* A record that was taken back has left no hole and no number behind. */
static void the_chain_goes_on_after_a_change_that_failed(void **state)
{
    struct scene s = {0};
    struct leaf before, after;
    uint8_t hash[32], ignored[32];

    (void)state;
    scene_begin(&s);
    freeze_leaf(&s, &before, hash);
    fail_at = 1;
    fail_errno = EIO;
    writes = 0;
    assert_int_equal(do_rotate(&s), ERR_IO);
    fail_at = 0;
    freeze_leaf(&s, &after, ignored);
    assert_int_equal(after.sequence, before.sequence + 1);
    assert_memory_equal(after.previous, hash, 32);
    rig_free(s.r);
}

static void sealing_succeeds_whatever_the_disk_does(void **state)
{
    struct scene s = {0};

    (void)state;
    scene_begin(&s);
    fail_at = 1;
    fail_errno = ENOSPC;
    writes = 0;
    assert_int_equal(rig_call(s.r, PEER_OPERATOR, KEEPER_SEAL, NULL, NULL), OK);
    assert_int_equal(keeper_state_of(s.r->keeper), STATE_SEALED);
    assert_int_equal(rig_unseal(s.r), ERR_NO_SPACE);
    assert_int_equal(keeper_state_of(s.r->keeper), STATE_SEALED);
    fail_at = 0;
    assert_int_equal(rig_unseal(s.r), OK);
    rig_free(s.r);
}

static void an_init_that_fails_can_be_made_again(void **state)
{
    struct rig *r = rig_new();
    struct keeper_init q = {.method = UNSEAL_SHARES,
                            .threshold = 2,
                            .shares = 3,
                            .cipher = 1,
                            .administrator = VIEW_STR("alice"),
                            .argon2_passes = 1,
                            .argon2_memory_kib = 8192};
    struct keeper_init_confirm confirm;
    struct keeper_status st = {0};

    (void)state;
    assert_int_equal(rig_call(r, PEER_OPERATOR, KEEPER_INIT, &q, &r->done), OK);
    memcpy(confirm.installation, r->done.installation, sizeof confirm.installation);
    fail_at = 1;
    fail_errno = ENOSPC;
    writes = 0;
    assert_int_equal(rig_call(r, PEER_OPERATOR, KEEPER_INIT_CONFIRM, &confirm, NULL), ERR_NO_SPACE);
    fail_at = 0;
    assert_int_equal(rig_call(r, PEER_OPERATOR, KEEPER_INIT_CONFIRM, &confirm, NULL), ERR_CONFLICT);
    assert_int_equal(rig_call(r, PEER_OPERATOR, KEEPER_STATUS, NULL, &st), OK);
    assert_int_equal(st.state, STATE_UNINITIALISED);
    assert_int_equal(st.shares, 0);
    rig_init_shares(r, 2, 3);
    assert_int_equal(keeper_state_of(r->keeper), STATE_UNSEALED);
    rig_free(r);
}

static enum err release(struct scene *s, const struct approval *a)
{
    struct keeper_credential_freeze q = {.has_approval = true, .approval = *a};

    memcpy(q.id, s->first.d.id, 16);
    return rig_call(s->r, PEER_FRONT, KEEPER_CREDENTIAL_FREEZE, &q, NULL);
}

/* Used approvals fill the table, and the next one takes the place of one that has expired. Where its change fails, the
 * administrator need not sign again. */
static void an_approval_whose_change_failed_is_not_used_up(void **state)
{
    struct scene s = {0};
    struct approval a;
    uint8_t object[32];

    (void)state;
    scene_begin(&s);
    sha256(VIEW_OF(s.first.d.id), object);
    for (int i = 0; i < USED_MAX; i++) {
        a = rig_approve(s.r, s.r->admin_seed, APPROVE_RELEASE, object, s.first.hash, s.first.hash);
        assert_int_equal(release(&s, &a), OK);
        s.r->wall_ms++;
    }
    assert_int_equal(release(&s, &a), ERR_APPROVAL_STALE);
    s.r->wall_ms += 3600000;
    a = rig_approve(s.r, s.r->admin_seed, APPROVE_RELEASE, object, s.first.hash, s.first.hash);
    fail_at = 1;
    fail_errno = ENOSPC;
    writes = 0;
    assert_int_equal(release(&s, &a), ERR_NO_SPACE);
    fail_at = 0;
    assert_int_equal(release(&s, &a), OK);
    assert_int_equal(release(&s, &a), ERR_APPROVAL_STALE);
    rig_free(s.r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_failed_write_changes_nothing),
        cmocka_unit_test(a_failed_sync_changes_nothing_in_memory),
        cmocka_unit_test(the_chain_goes_on_after_a_change_that_failed),
        cmocka_unit_test(sealing_succeeds_whatever_the_disk_does),
        cmocka_unit_test(an_init_that_fails_can_be_made_again),
        cmocka_unit_test(an_approval_whose_change_failed_is_not_used_up),
    };
    return cmocka_run_group_tests_name("keeper-failures", tests, NULL, NULL);
}
