/* Between the keeper's state and the sealed body of the anchor. */
#include "keeper/core.h"

#define BODY_ARENA_MAX (8u << 20)

static const char body_info[] = "holdfast anchor body";

static RESULT body_key(const struct keeper *k, uint8_t out[static AEAD_KEY_SIZE])
{
    return hkdf_sha256(VIEW_OF(k->head.installation), secret_view(k->root), VIEW_STR(body_info), out, AEAD_KEY_SIZE);
}

static RESULT copy_windows(const struct credential *c, struct arena *arena, struct entity_list *ret)
{
    struct window_mark *marks = arena_alloc(arena, (c->window_count + 1) * sizeof *marks);

    if (!marks)
        return ERR_NO_MEMORY;
    for (size_t i = 0; i < c->window_count; i++) {
        marks[i].start_ms = c->windows[i].start_ms;
        marks[i].orders = c->windows[i].orders;
        marks[i].notional = view_str(c->windows[i].notional);
    }
    *ret = (struct entity_list){marks, c->window_count};
    return OK;
}

static RESULT fill_credentials(const struct keeper *k, struct arena *arena, struct durable *d)
{
    struct durable_credential *out = arena_alloc(arena, (k->credential_count + 1) * sizeof *out);

    if (!out)
        return ERR_NO_MEMORY;
    for (size_t i = 0; i < k->credential_count; i++) {
        const struct credential *c = &k->credentials[i];
        memcpy(out[i].id, c->id, sizeof c->id);
        memcpy(out[i].hash, c->hash, sizeof c->hash);
        memcpy(out[i].pending_hash, c->pending_hash, sizeof c->pending_hash);
        out[i].version = c->version;
        out[i].pending_version = c->pending_version;
        out[i].frozen = c->frozen;
        TRY(copy_windows(c, arena, &out[i].windows));
    }
    d->credentials = (struct entity_list){out, k->credential_count};
    return OK;
}

static RESULT fill_people(const struct keeper *k, struct arena *arena, struct durable *d)
{
    struct administrator *admins = arena_alloc(arena, (k->admin_count + 1) * sizeof *admins);
    struct durable_enrolment *enrolments = arena_alloc(arena, (k->enrolment_count + 1) * sizeof *enrolments);

    if (!admins || !enrolments)
        return ERR_NO_MEMORY;
    for (size_t i = 0; i < k->admin_count; i++) {
        admins[i].name = view_str(k->admins[i].name);
        memcpy(admins[i].key, k->admins[i].key, 32);
    }
    for (size_t i = 0; i < k->enrolment_count; i++) {
        enrolments[i].name = view_str(k->enrolments[i].name);
        enrolments[i].expiry_ms = k->enrolments[i].expiry_ms;
        memcpy(enrolments[i].token_hash, k->enrolments[i].token_hash, 32);
    }
    d->administrators = (struct entity_list){admins, k->admin_count};
    d->enrolments = (struct entity_list){enrolments, k->enrolment_count};
    return OK;
}

static void fill_authors(const struct keeper *k, struct durable *d)
{
    for (size_t i = 0; i < 2; i++) {
        const struct author *a = &k->authors[i];
        memcpy(d->author_key[i], a->chain.key, 32);
        memcpy(d->author_previous[i], a->chain.previous, 32);
        /* While records of former runs may still come in, the low mark stays where they begin. */
        d->author_low[i] = a->former_end > a->former_low ? a->former_low : a->low;
        d->author_mark[i] = a->mark;
    }
}

static RESULT encode(const struct keeper *k, struct arena *arena, struct writer rings[static RING_COUNT],
                     struct writer *frontier, struct writer *w)
{
    struct durable d = {.nonce_mark_ms = k->nonce_mark_ms};
    enum err e = OK;

    for (size_t i = 0; i < RING_COUNT; i++) {
        TRY(keyring_export(k->rings[i], &rings[i]));
        d.rings[i] = writer_view_of(&rings[i]);
    }
    TRY(frontier_encode(&k->frontier, frontier));
    d.frontier = writer_view_of(frontier);
    TRY(fill_credentials(k, arena, &d));
    TRY(fill_people(k, arena, &d));
    memcpy(d.checkpoint_seed, keeper_seeds(k)->checkpoint, 32);
    memcpy(d.import_seed, keeper_seeds(k)->import_seed, 32);
    fill_authors(k, &d);
    e = entity_encode(&durable_entity, &d, w);
    wipe(&d, sizeof d);
    return e;
}

static RESULT seal_and_write(struct keeper *k, struct view plain)
{
    AUTO_WRITER head = writer_new(ANCHOR_HEAD_MAX);
    AUTO_WRITER body = writer_new(ANCHOR_BODY_MAX);
    uint8_t key[AEAD_KEY_SIZE], nonce[AEAD_NONCE_SIZE];
    uint8_t *sealed = malloc(plain.len + AEAD_TAG_SIZE);
    enum err e = sealed ? OK : ERR_NO_MEMORY;

    if (e == OK)
        e = entity_encode(&anchor_head_entity, &k->head, &head);
    if (e == OK)
        e = k->config.random->fill(k->config.random, nonce, sizeof nonce);
    if (e == OK)
        e = body_key(k, key);
    if (e == OK)
        e = aead_seal(AEAD_XAES_256_GCM, key, nonce, writer_view_of(&head), plain, sealed);
    if (e == OK) {
        writer_bytes(&body, nonce, sizeof nonce);
        writer_bytes(&body, sealed, plain.len + AEAD_TAG_SIZE);
        e = writer_done(&body);
    }
    wipe(key, sizeof key);
    free(sealed);
    TRY(e);
    TRY(anchor_write(k->anchor, writer_view_of(&head), writer_view_of(&body)));
    k->settled = false;
    return OK;
}

RESULT save_write(struct keeper *k)
{
    AUTO(arena_free) struct arena *arena = NULL;
    AUTO_WRITER plain = writer_new(ANCHOR_BODY_MAX - AEAD_NONCE_SIZE - AEAD_TAG_SIZE);
    AUTO_WRITER frontier = writer_new(4096);
    struct writer rings[RING_COUNT];
    enum err e = OK;

    TRY(arena_new(64u * 1024, BODY_ARENA_MAX, &arena));
    for (size_t i = 0; i < RING_COUNT; i++)
        rings[i] = writer_new(8192);
    e = encode(k, arena, rings, &frontier, &plain);
    for (size_t i = 0; i < RING_COUNT; i++)
        writer_free(&rings[i]);
    TRY(e);
    return seal_and_write(k, writer_view_of(&plain));
}

static RESULT take_credentials(struct keeper *k, const struct durable *d)
{
    const struct durable_credential *in = d->credentials.items;

    for (size_t i = 0; i < d->credentials.count; i++) {
        struct credential *c;
        const struct window_mark *marks = in[i].windows.items;
        TRY(credentials_add(k, &c));
        memcpy(c->id, in[i].id, sizeof c->id);
        memcpy(c->hash, in[i].hash, sizeof c->hash);
        memcpy(c->pending_hash, in[i].pending_hash, sizeof c->pending_hash);
        c->version = in[i].version;
        c->pending_version = in[i].pending_version;
        c->frozen = in[i].frozen;
        c->window_count = in[i].windows.count;
        for (size_t w = 0; w < c->window_count; w++) {
            c->windows[w].start_ms = marks[w].start_ms;
            c->windows[w].orders = marks[w].orders;
            TRY(view_to_str(marks[w].notional, c->windows[w].notional, sizeof c->windows[w].notional));
        }
    }
    return OK;
}

static RESULT take_people(struct keeper *k, const struct durable *d)
{
    const struct administrator *admins = d->administrators.items;
    const struct durable_enrolment *enrolments = d->enrolments.items;

    for (size_t i = 0; i < d->administrators.count; i++) {
        TRY(view_to_str(admins[i].name, k->admins[i].name, NAME_SIZE));
        memcpy(k->admins[i].key, admins[i].key, 32);
    }
    k->admin_count = d->administrators.count;
    for (size_t i = 0; i < d->enrolments.count; i++) {
        TRY(view_to_str(enrolments[i].name, k->enrolments[i].name, NAME_SIZE));
        memcpy(k->enrolments[i].token_hash, enrolments[i].token_hash, 32);
        k->enrolments[i].expiry_ms = enrolments[i].expiry_ms;
    }
    k->enrolment_count = d->enrolments.count;
    return OK;
}

static RESULT take_seeds(struct keeper *k, const struct durable *d)
{
    struct seeds *s;

    TRY(secret_new(sizeof *s, &k->seeds));
    s = (struct seeds *)(void *)secret_ptr(k->seeds);
    memcpy(s->checkpoint, d->checkpoint_seed, 32);
    memcpy(s->import_seed, d->import_seed, 32);
    TRY(box_keypair(s->import_seed, k->import_public, s->import_private));
    return ed25519_public(s->checkpoint, k->checkpoint_public);
}

static RESULT take(struct keeper *k, const struct durable *d)
{
    static const enum key_class classes[RING_COUNT] = {KEY_CLASS_STATE, KEY_CLASS_SECRET, KEY_CLASS_CREDENTIAL};

    for (size_t i = 0; i < RING_COUNT; i++) {
        TRY(keyring_import(d->rings[i], &k->rings[i]));
        if (keyring_class(k->rings[i]) != classes[i])
            return ERR_TAMPERED;
    }
    TRY(frontier_decode(d->frontier, &k->frontier));
    TRY(take_seeds(k, d));
    for (size_t i = 0; i < 2; i++) {
        struct author *a = &k->authors[i];
        a->chain.author = i == 0 ? AUTHOR_KEEPER : AUTHOR_SIGNER;
        memcpy(a->chain.key, d->author_key[i], 32);
        memcpy(a->chain.previous, d->author_previous[i], 32);
        a->low = d->author_low[i];
        a->mark = d->author_mark[i];
    }
    k->nonce_mark_ms = d->nonce_mark_ms;
    TRY(take_people(k, d));
    return take_credentials(k, d);
}

static RESULT open_body(const struct keeper *k, struct secret **ret_plain)
{
    struct view body = anchor_body_bytes(k->anchor);
    AUTO(secret_free) struct secret *plain = NULL;
    uint8_t key[AEAD_KEY_SIZE];
    enum err e;

    if (body.len <= AEAD_NONCE_SIZE + AEAD_TAG_SIZE)
        return ERR_TAMPERED;
    TRY(secret_new(body.len - AEAD_NONCE_SIZE - AEAD_TAG_SIZE, &plain));
    TRY(body_key(k, key));
    e = aead_open(AEAD_XAES_256_GCM, key, body.ptr, anchor_head_bytes(k->anchor),
                  VIEW(body.ptr + AEAD_NONCE_SIZE, body.len - AEAD_NONCE_SIZE), secret_ptr(plain));
    wipe(key, sizeof key);
    TRY(e);
    *ret_plain = TAKE(plain);
    return OK;
}

RESULT save_read(struct keeper *k)
{
    AUTO(secret_free) struct secret *plain = NULL;
    AUTO(arena_free) struct arena *arena = NULL;
    struct durable d = {0};
    enum err e;

    TRY(open_body(k, &plain));
    TRY(arena_new(64u * 1024, BODY_ARENA_MAX, &arena));
    e = entity_decode(&durable_entity, secret_view(plain), arena, &d);
    if (e == OK)
        e = take(k, &d);
    wipe(&d, sizeof d);
    return e;
}

static void author_forget(struct author *a)
{
    for (size_t i = 0; i < WAITING_MAX; i++)
        free(a->waiting[i].bytes);
    wipe(a, sizeof *a);
}

void save_forget(struct keeper *k)
{
    secret_free(k->root);
    secret_free(k->seeds);
    k->root = k->seeds = NULL;
    for (size_t i = 0; i < RING_COUNT; i++) {
        keyring_free(k->rings[i]);
        k->rings[i] = NULL;
    }
    for (size_t i = 0; i < 2; i++)
        author_forget(&k->authors[i]);
    wipe(k->given, sizeof k->given);
    k->given_count = 0;
    free(k->credentials);
    k->credentials = NULL;
    k->credential_count = k->credential_cap = 0;
    k->admin_count = k->enrolment_count = 0;
    k->frontier = (struct frontier){0};
    k->nonce_mark_ms = 0;
}
