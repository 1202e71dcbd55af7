#include "rig.h"

#include "crypto/aead.h"
#include "keeper/anchor.h"

#include <sys/mman.h>
#include <unistd.h>

static uint64_t wall(const struct clock *c)
{
    return ((const struct rig *)c->context)->wall_ms;
}

static void on_event(void *context, enum keeper_peer to, uint16_t type, const struct entity *e, const void *object)
{
    struct rig *r = context;

    (void)to, (void)e, (void)object;
    if (type < 128)
        r->events[type]++;
}

static void start(struct rig *r)
{
    struct keeper_config config = {
        .anchor_fd = r->fd, .clock = &r->clock, .random = random_system(), .event = on_event, .context = r};

    assert_int_equal(keeper_new(&config, &r->keeper), OK);
}

struct rig *rig_new(void)
{
    struct rig *r = calloc(1, sizeof *r);
    bool locked;

    assert_non_null(r);
    assert_int_equal(crypto_init(&locked), OK);
    r->fd = memfd_create("anchor", 0);
    assert_true(r->fd >= 0);
    r->wall_ms = 1790000000000u;
    r->clock = (struct clock){.wall_ms = wall, .mono_ms = wall, .context = r};
    assert_int_equal(arena_new(1u << 16, 64u << 20, &r->arena), OK);
    memset(r->admin_seed, 7, sizeof r->admin_seed);
    assert_int_equal(ed25519_public(r->admin_seed, r->admin_key), OK);
    start(r);
    return r;
}

void rig_free(struct rig *r)
{
    keeper_free(r->keeper);
    arena_free(r->arena);
    close(r->fd);
    free(r);
}

void rig_restart(struct rig *r)
{
    keeper_free(r->keeper);
    start(r);
}

enum err rig_call(struct rig *r, enum keeper_peer from, uint16_t type, const void *request, void *ret_answer)
{
    const struct keeper_message *m = keeper_message_find(type);
    AUTO_WRITER body = writer_new(1u << 20);
    AUTO_WRITER out = writer_new(1u << 20);
    struct view kept;
    enum err e;

    assert_non_null(m);
    memset(&r->why, 0, sizeof r->why);
    if (request)
        assert_int_equal(entity_encode(m->request, request, &body), OK);
    if (r->around)
        r->around(true);
    e = keeper_handle(r->keeper, from, type, writer_view_of(&body), &out, &r->why);
    if (r->around)
        r->around(false);
    if (e != OK || !ret_answer)
        return e;
    assert_int_equal(arena_copy(r->arena, writer_view_of(&out), &kept), OK);
    assert_int_equal(entity_decode(m->answer, kept, r->arena, ret_answer), OK);
    return OK;
}

static void init_with(struct rig *r, struct keeper_init *q)
{
    struct keeper_init_confirm confirm;

    q->cipher = AEAD_XAES_256_GCM;
    q->administrator = VIEW_STR("alice");
    memcpy(q->administrator_key, r->admin_key, 32);
    q->argon2_passes = 1;
    q->argon2_memory_kib = 8192;
    assert_int_equal(rig_call(r, PEER_OPERATOR, KEEPER_INIT, q, &r->done), OK);
    memcpy(confirm.installation, r->done.installation, sizeof confirm.installation);
    assert_int_equal(rig_call(r, PEER_OPERATOR, KEEPER_INIT_CONFIRM, &confirm, NULL), OK);
}

void rig_init_passphrase(struct rig *r)
{
    struct keeper_init q = {.method = UNSEAL_PASSPHRASE, .passphrase = VIEW_STR(PASSPHRASE)};

    init_with(r, &q);
}

void rig_init_shares(struct rig *r, uint8_t threshold, uint8_t count)
{
    struct keeper_init q = {.method = UNSEAL_SHARES, .threshold = threshold, .shares = count};

    init_with(r, &q);
}

enum err rig_unseal(struct rig *r)
{
    struct keeper_unseal q = {.passphrase = VIEW_STR(PASSPHRASE)};

    return rig_call(r, PEER_OPERATOR, KEEPER_UNSEAL, &q, NULL);
}

enum err rig_append(struct rig *r, uint64_t first, const struct view *leaves, size_t count)
{
    AUTO_WRITER w = writer_new(1u << 20);
    struct keeper_log_append q = {.first = first};

    for (size_t i = 0; i < count; i++) {
        writer_u16(&w, (uint16_t)leaves[i].len);
        writer_view(&w, leaves[i]);
    }
    q.leaves = writer_view_of(&w);
    return rig_call(r, PEER_FRONT, KEEPER_LOG_APPEND, &q, NULL);
}

static uint64_t log_size(struct rig *r)
{
    struct keeper_status s = {0};

    assert_int_equal(rig_call(r, PEER_FRONT, KEEPER_STATUS, NULL, &s), OK);
    return s.log_size;
}

static size_t log_some(struct rig *r)
{
    struct keeper_pending_from from = {0};
    struct keeper_pending pending = {0};
    const struct keeper_pending_record *records;

    assert_int_equal(rig_call(r, PEER_FRONT, KEEPER_PENDING, &from, &pending), OK);
    records = pending.records.items;
    for (size_t i = 0; i < pending.records.count; i++) {
        struct authored_record a = {0};
        assert_int_equal(entity_decode(&authored_record_entity, records[i].authored, r->arena, &a), OK);
        assert_int_equal(rig_append(r, log_size(r), &a.leaf, 1), OK);
        if (r->logged)
            r->logged(r, &a);
    }
    return pending.records.count;
}

size_t rig_log_pending(struct rig *r)
{
    size_t all = 0, some;

    while ((some = log_some(r)) > 0)
        all += some;
    return all;
}

enum err rig_checkpoint(struct rig *r, struct checkpoint *ret)
{
    AUTO_WRITER w = writer_new(16384);
    struct keeper_note note = {0};
    struct keeper_cut cut;
    struct keeper_status s = {0};

    keeper_cut_take(r->keeper, 0, &cut);
    if (!keeper_cut_covered(r->keeper, &cut))
        return ERR_LOG_BEHIND;
    TRY(keeper_checkpoint_sign(r->keeper, &w));
    assert_int_equal(entity_decode(&keeper_note_entity, writer_view_of(&w), r->arena, &note), OK);
    assert_int_equal(rig_call(r, PEER_FRONT, KEEPER_STATUS, NULL, &s), OK);
    return note_open(note.note, s.checkpoint_key, ret);
}

struct approval rig_approve(struct rig *r, const uint8_t seed[static 32], enum approval_kind kind,
                            const uint8_t object[static 32], const uint8_t previous[static 32],
                            const uint8_t next[static 32])
{
    struct approval a = {.alg = APPROVAL_ED25519, .expiry_ms = r->wall_ms + 60000};
    AUTO_WRITER message = writer_new(512);

    assert_int_equal(ed25519_public(seed, a.key), OK);
    approval_message(r->done.installation, kind, object, previous, next, a.expiry_ms, &message);
    assert_int_equal(ed25519_sign(seed, writer_view_of(&message), a.signature), OK);
    return a;
}

void rig_offer(struct rig *r, uint64_t version, const char *policy, struct offered *ret)
{
    struct credential_bundle bundle = {.api_key = VIEW_STR("key"), .secret = VIEW_STR("venue secret")};
    AUTO_WRITER plain = writer_new(4096), box = writer_new(4096);

    assert_int_equal(entity_encode(&credential_bundle_entity, &bundle, &plain), OK);
    assert_int_equal(box_seal(r->done.import_key, writer_view_of(&plain), &box), OK);
    assert_int_equal(arena_copy(r->arena, writer_view_of(&box), &ret->box), OK);
    ret->d = (struct credential_descriptor){.version = version,
                                            .path = VIEW_STR("exchange/binance/main"),
                                            .venue = VIEW_STR("binance"),
                                            .scheme = VIEW_STR("binance-hmac"),
                                            .policy = view_str(policy)};
    memset(ret->d.id, 3, sizeof ret->d.id);
    sha256(ret->box, ret->d.box_hash);
    rig_encode(r, ret);
}

void rig_encode(struct rig *r, struct offered *o)
{
    AUTO_WRITER encoded = writer_new(32768);

    assert_int_equal(entity_encode(&credential_descriptor_entity, &o->d, &encoded), OK);
    assert_int_equal(arena_copy(r->arena, writer_view_of(&encoded), &o->descriptor), OK);
    sha256(o->descriptor, o->hash);
}

void rig_slots(struct rig *r, uint8_t out[static 4096])
{
    memset(out, 0, 4096);
    assert_true(pread(r->fd, out, 2048, 0) >= 0);
    assert_true(pread(r->fd, out + 2048, 2048, ANCHOR_SLOT) >= 0);
}

enum err rig_put(struct rig *r, const struct offered *o, const uint8_t previous[static 32], struct keeper_sealed *ret)
{
    struct keeper_credential_put q = {.descriptor = o->descriptor, .box = o->box};
    uint8_t object[32];

    memcpy(q.previous, previous, 32);
    sha256(VIEW_OF(o->d.id), object);
    q.approval = rig_approve(r, r->admin_seed, APPROVE_CREDENTIAL, object, previous, o->hash);
    return rig_call(r, PEER_FRONT, KEEPER_CREDENTIAL_PUT, &q, ret);
}
