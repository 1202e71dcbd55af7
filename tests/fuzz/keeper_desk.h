/* A sequence of messages from one peer to an unsealed keeper in memory, with honest steps in between so that it gets
 * somewhere. Included by the three targets that differ in who the peer is. */
#ifndef HOLDFAST_TEST_FUZZ_KEEPER_DESK_H
#define HOLDFAST_TEST_FUZZ_KEEPER_DESK_H

#include "crypto/aead.h"
#include "crypto/sign.h"
#include "keeper/anchor.h"
#include "keeper/keeper.h"
#include "ledger/leaf.h"
#include "ledger/note.h"

#include <sys/mman.h>
#include <unistd.h>

#define VENUE_SECRET "what only the signer may ever see"
#define STEPS_MAX    200
#define TEMPLATE     65536

struct desk {
    struct keeper *k;
    struct arena *arena;
    uint64_t now, credentials;
    uint8_t previous[32]; /* hash of the credential's descriptor */
    struct view descriptor, sealed;
    struct checkpoint last; /* signed */
    struct leaf_chain signer;
    enum keeper_peer peer;
};

static struct {
    int fd;
    uint8_t anchor[2][TEMPLATE], root[64], seed[32], installation[32], import_key[32], checkpoint_key[32];
    size_t root_len;
} desk_made;
static uint64_t desk_now, desk_random_state;

static inline uint64_t desk_clock(const struct clock *c)
{
    (void)c;
    return desk_now;
}

static inline enum err desk_fill(const struct random *r, void *out, size_t n)
{
    uint8_t *p = out;

    (void)r;
    for (size_t i = 0; i < n; i++) {
        desk_random_state = desk_random_state * 6364136223846793005u + 1442695040888963407u;
        p[i] = (uint8_t)(desk_random_state >> 56);
    }
    return OK;
}

static const struct clock desk_time = {.wall_ms = desk_clock, .mono_ms = desk_clock};
static const struct random desk_chance = {.fill = desk_fill};

static inline void desk_event(void *context, enum keeper_peer to, uint16_t type, const struct entity *e,
                              const void *object)
{
    (void)context, (void)to, (void)type, (void)e, (void)object;
}

static inline void desk_must(enum err e)
{
    if (e != OK)
        abort();
}

static inline void desk_open(struct desk *d)
{
    struct keeper_config config = {
        .anchor_fd = desk_made.fd, .clock = &desk_time, .random = &desk_chance, .event = desk_event};

    desk_must(keeper_new(&config, &d->k));
}

static inline enum err desk_call(struct desk *d, enum keeper_peer from, uint16_t type, const void *q, void *ret)
{
    const struct keeper_message *m = keeper_message_find(type);
    AUTO_WRITER body = writer_new(1u << 20), out = writer_new(1u << 20);
    struct problem why = {0};
    struct view kept;

    if (q && m->request)
        TRY(entity_encode(m->request, q, &body));
    TRY(keeper_handle(d->k, from, type, writer_view_of(&body), &out, &why));
    if (!ret)
        return OK;
    TRY(arena_copy(d->arena, writer_view_of(&out), &kept));
    return entity_decode(m->answer, kept, d->arena, ret);
}

/* Once for all inputs: an installation with one administrator, without Argon2. */
static inline void desk_make(void)
{
    struct desk d = {0};
    struct keeper_init q = {.method = UNSEAL_SHARES,
                            .threshold = 1,
                            .shares = 1,
                            .cipher = AEAD_XAES_256_GCM,
                            .administrator = VIEW_STR("alice"),
                            .argon2_passes = 1,
                            .argon2_memory_kib = 8192};
    struct keeper_init_done done = {0};
    struct keeper_init_confirm confirm;
    AUTO_WRITER root = writer_new(64);
    bool locked;

    desk_must(crypto_init(&locked));
    desk_made.fd = memfd_create("anchor", 0);
    desk_now = 1790000000000u;
    memset(desk_made.seed, 7, 32);
    desk_must(ed25519_public(desk_made.seed, q.administrator_key));
    desk_must(arena_new(1u << 16, 1u << 22, &d.arena));
    desk_open(&d);
    desk_must(desk_call(&d, PEER_OPERATOR, KEEPER_INIT, &q, &done));
    memcpy(confirm.installation, done.installation, sizeof confirm.installation);
    desk_must(desk_call(&d, PEER_OPERATOR, KEEPER_INIT_CONFIRM, &confirm, NULL));
    memcpy(desk_made.installation, done.installation, 32);
    memcpy(desk_made.import_key, done.import_key, 32);
    memcpy(desk_made.checkpoint_key, done.checkpoint_key, 32);
    desk_must(keeper_export(d.k, &root));
    desk_made.root_len = root.len;
    memcpy(desk_made.root, root.ptr, root.len);
    for (int i = 0; i < 2; i++)
        if (pread(desk_made.fd, desk_made.anchor[i], TEMPLATE, (off_t)i * ANCHOR_SLOT) < 0)
            abort();
    keeper_free(d.k);
    arena_free(d.arena);
}

static inline void desk_hello(struct desk *d)
{
    struct keeper_signer_welcome w = {0};

    if (desk_call(d, PEER_SIGNER, KEEPER_SIGNER_HELLO, NULL, &w) != OK)
        return;
    d->signer = (struct leaf_chain){.author = AUTHOR_SIGNER, .next_sequence = w.next_sequence};
    memcpy(d->signer.previous, w.previous, 32);
    memcpy(d->signer.key, w.author_key, 32);
}

/* The process dies and another one is handed the root key. */
static inline void desk_restart(struct desk *d)
{
    keeper_free(d->k);
    desk_open(d);
    desk_must(keeper_import(d->k, VIEW(desk_made.root, desk_made.root_len)));
    desk_hello(d);
}

static inline uint64_t desk_size(struct desk *d)
{
    struct keeper_status s = {0};

    desk_must(desk_call(d, PEER_FRONT, KEEPER_STATUS, NULL, &s));
    return s.log_size;
}

static inline void desk_log(struct desk *d)
{
    struct keeper_pending_from from = {0};
    struct keeper_pending pending = {0};
    const struct keeper_pending_record *r;

    if (desk_call(d, PEER_FRONT, KEEPER_PENDING, &from, &pending) != OK)
        return;
    r = pending.records.items;
    for (size_t i = 0; i < pending.records.count; i++) {
        struct authored_record a = {0};
        AUTO_WRITER w = writer_new(4096);
        struct keeper_log_append q = {.first = desk_size(d)};
        desk_must(entity_decode(&authored_record_entity, r[i].authored, d->arena, &a));
        writer_u16(&w, (uint16_t)a.leaf.len);
        writer_view(&w, a.leaf);
        q.leaves = writer_view_of(&w);
        desk_must(desk_call(d, PEER_FRONT, KEEPER_LOG_APPEND, &q, NULL));
    }
}

/* A signed log never gets shorter, and has one root for each size. */
static inline void desk_checkpoint(struct desk *d)
{
    AUTO_WRITER w = writer_new(16384);
    struct keeper_cut cut;
    struct keeper_note note = {0};
    struct checkpoint c = {0};

    keeper_cut_take(d->k, 0, &cut);
    if (!keeper_cut_covered(d->k, &cut) || keeper_checkpoint_sign(d->k, &w) != OK)
        return;
    desk_must(entity_decode(&keeper_note_entity, writer_view_of(&w), d->arena, &note));
    desk_must(note_open(note.note, desk_made.checkpoint_key, &c));
    if (c.size < d->last.size || (c.size == d->last.size && c.size > 0 && memcmp(c.root, d->last.root, 32) != 0))
        abort();
    d->last = c;
}

static inline struct approval desk_approve(enum approval_kind kind, const uint8_t object[static 32],
                                           const uint8_t previous[static 32], const uint8_t next[static 32])
{
    struct approval a = {.alg = APPROVAL_ED25519, .expiry_ms = desk_now + 60000};
    AUTO_WRITER m = writer_new(512);

    desk_must(ed25519_public(desk_made.seed, a.key));
    approval_message(desk_made.installation, kind, object, previous, next, a.expiry_ms, &m);
    desk_must(ed25519_sign(desk_made.seed, writer_view_of(&m), a.signature));
    return a;
}

static inline void desk_put(struct desk *d, struct view text, bool revoked)
{
    struct credential_bundle bundle = {.api_key = VIEW_STR("key"), .secret = VIEW_STR(VENUE_SECRET)};
    AUTO_WRITER plain = writer_new(4096), box = writer_new(4096), bytes = writer_new(32768);
    struct credential_descriptor c = {.id = {3},
                                      .version = d->credentials + 1,
                                      .path = VIEW_STR("exchange/binance/main"),
                                      .venue = VIEW_STR("binance"),
                                      .scheme = VIEW_STR("binance-hmac"),
                                      .policy = VIEW_STR("{}"),
                                      .description = text,
                                      .revoked = revoked};
    struct keeper_credential_put q = {0};
    struct keeper_sealed out = {0};
    uint8_t object[32], hash[32];

    desk_must(entity_encode(&credential_bundle_entity, &bundle, &plain));
    desk_must(box_seal(desk_made.import_key, writer_view_of(&plain), &box));
    sha256(writer_view_of(&box), c.box_hash);
    if (entity_encode(&credential_descriptor_entity, &c, &bytes) != OK)
        return;
    q.descriptor = writer_view_of(&bytes);
    q.box = writer_view_of(&box);
    memcpy(q.previous, d->previous, 32);
    sha256(VIEW_OF(c.id), object);
    sha256(q.descriptor, hash);
    q.approval = desk_approve(APPROVE_CREDENTIAL, object, d->previous, hash);
    if (desk_call(d, PEER_FRONT, KEEPER_CREDENTIAL_PUT, &q, &out) != OK)
        return;
    desk_must(arena_copy(d->arena, q.descriptor, &d->descriptor));
    d->sealed = out.sealed;
    memcpy(d->previous, hash, 32);
    d->credentials++;
}

static inline void desk_freeze(struct desk *d, bool frozen)
{
    struct keeper_credential_freeze q = {.id = {3}, .frozen = frozen};
    uint8_t object[32];

    sha256(VIEW_OF(q.id), object);
    q.approval = desk_approve(APPROVE_RELEASE, object, d->previous, d->previous);
    (void)!desk_call(d, PEER_FRONT, KEEPER_CREDENTIAL_FREEZE, &q, NULL);
}

static inline void desk_sign(struct desk *d)
{
    struct record r = {.type = EVENT_REQUEST_SIGNED, .outcome = OUTCOME_DONE, .who.actor = VIEW_STR("key:x")};
    struct authored_record a = {0};
    AUTO_WRITER w = writer_new(16384);
    struct keeper_authored q;

    desk_must(leaf_author(&d->signer, &r, NULL, 0, desk_now, &desk_chance, d->arena, &a));
    desk_must(entity_encode(&authored_record_entity, &a, &w));
    q.authored = writer_view_of(&w);
    if (desk_call(d, PEER_SIGNER, KEEPER_AUTHORED, &q, NULL) != OK)
        desk_hello(d);
}

static inline void desk_unwrap(struct desk *d)
{
    struct keeper_unwrap q = {d->descriptor, d->sealed};

    (void)!desk_call(d, PEER_SIGNER, KEEPER_UNWRAP, &q, NULL);
}

/* Whatever the peer says; and what it hears must never be the venue's secret, but for the signer. */
static inline void desk_raw(struct desk *d, uint16_t type, struct view body)
{
    AUTO_WRITER out = writer_new(1u << 20);
    struct problem why = {0};

    (void)!keeper_handle(d->k, d->peer, type, body, &out, &why);
    if (d->peer != PEER_SIGNER && out.len > 0 && memmem(out.ptr, out.len, VENUE_SECRET, sizeof VENUE_SECRET - 1))
        abort();
    if (keeper_state_of(d->k) != STATE_UNSEALED)
        desk_restart(d);
}

static inline void desk_honest(struct desk *d, uint8_t op, struct view text)
{
    switch (op % 10) {
    case 0:
        desk_log(d);
        return;
    case 1:
        desk_put(d, text, op == 251);
        return;
    case 2:
        desk_freeze(d, true);
        return;
    case 3:
        desk_freeze(d, false);
        return;
    case 4:
        desk_restart(d);
        return;
    case 5:
        desk_checkpoint(d);
        return;
    case 6:
        desk_now += (uint64_t)op * 1000;
        return;
    case 7:
        desk_unwrap(d);
        return;
    default:
        desk_sign(d);
    }
}

/* u8 step: below 160 a message of that number in the table, with u16 length and body as it stands; else an honest one.
 */
static inline int desk_play(enum keeper_peer peer, const uint8_t *data, size_t size)
{
    struct desk d = {.peer = peer};
    struct reader r = reader_new(VIEW(data, size));
    uint8_t op;

    if (desk_made.root_len == 0)
        desk_make();
    desk_now = 1790000001000u;
    desk_random_state = 1;
    for (int i = 0; i < 2; i++)
        if (pwrite(desk_made.fd, desk_made.anchor[i], TEMPLATE, (off_t)i * ANCHOR_SLOT) < 0)
            abort();
    desk_must(arena_new(1u << 16, 64u << 20, &d.arena));
    desk_open(&d);
    desk_must(keeper_import(d.k, VIEW(desk_made.root, desk_made.root_len)));
    desk_hello(&d);
    for (int step = 0; step < STEPS_MAX && reader_u8(&r, &op) == OK; step++) {
        struct view body = {0};
        uint16_t len = 0;
        if (reader_u16(&r, &len) == OK)
            (void)!reader_bytes(&r, len < r.left ? len : r.left, &body);
        if (op < 160)
            desk_raw(&d, keeper_messages[op % keeper_message_count].type, body);
        else
            desk_honest(&d, op, body);
    }
    keeper_free(d.k);
    arena_free(d.arena);
    return 0;
}

#endif
