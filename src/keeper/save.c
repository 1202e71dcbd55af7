/* Between the keeper's state and the sealed body of the anchor. */
#include "keeper/core.h"

#define BODY_ARENA_MAX (16u << 20)

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
        out[i].revoked = c->revoked;
        memcpy(out[i].identity, c->identity, sizeof c->identity);
        memcpy(out[i].path_hash, c->path_hash, sizeof c->path_hash);
        TRY(copy_windows(c, arena, &out[i].windows));
    }
    d->credentials = (struct entity_list){out, k->credential_count};
    return OK;
}

static RESULT fill_people(const struct keeper *k, struct arena *arena, struct durable *d)
{
    const struct people *p = &k->people;
    struct administrator *admins = arena_alloc(arena, (p->admin_count + 1) * sizeof *admins);
    struct durable_enrolment *enrolments = arena_alloc(arena, (p->enrolment_count + 1) * sizeof *enrolments);
    struct durable_used *used = arena_alloc(arena, (p->used_count + 1) * sizeof *used);

    if (!admins || !enrolments || !used)
        return ERR_NO_MEMORY;
    for (size_t i = 0; i < p->admin_count; i++) {
        admins[i].name = view_str(p->admins[i].name);
        memcpy(admins[i].key, p->admins[i].key, 32);
    }
    for (size_t i = 0; i < p->enrolment_count; i++) {
        enrolments[i].name = view_str(p->enrolments[i].name);
        enrolments[i].expiry_ms = p->enrolments[i].expiry_ms;
        memcpy(enrolments[i].token_hash, p->enrolments[i].token_hash, 32);
    }
    for (size_t i = 0; i < p->used_count; i++) {
        memcpy(used[i].id, p->used[i].id, 32);
        used[i].expiry_ms = p->used[i].expiry_ms;
    }
    d->administrators = (struct entity_list){admins, p->admin_count};
    d->enrolments = (struct entity_list){enrolments, p->enrolment_count};
    d->used = (struct entity_list){used, p->used_count};
    d->four_eyes = p->four_eyes;
    return OK;
}

static RESULT fill_authors(const struct keeper *k, struct arena *arena, struct durable *d)
{
    for (size_t i = 0; i < 2; i++) {
        const struct author *a = &k->authors[i];
        memcpy(d->author_key[i], a->chain.key, 32);
        memcpy(d->author_previous[i], a->chain.previous, 32);
        /* While records of former runs may still come in, the low mark stays where they begin. */
        d->author_low[i] = a->former_end > a->former_low ? a->former_low : a->low;
        d->author_mark[i] = a->mark;
        TRY(kept_fill_seen(a, arena, &d->author_seen[i]));
    }
    return OK;
}

static RESULT fill(const struct keeper *k, bool all, struct arena *arena, struct durable *d)
{
    TRY(fill_credentials(k, arena, d));
    TRY(fill_people(k, arena, d));
    TRY(fill_authors(k, arena, d));
    TRY(tokens_fill(k, arena, d));
    return kept_fill(k, all, arena, d);
}

/* Everything but the keys, which the caller wipes again. */
static RESULT encode(const struct keeper *k, struct durable *d, struct writer rings[static RING_COUNT],
                     struct writer *frontier, struct writer *w)
{
    for (size_t i = 0; i < RING_COUNT; i++) {
        TRY(keyring_export(k->rings[i], &rings[i]));
        d->rings[i] = writer_view_of(&rings[i]);
    }
    TRY(frontier_encode(&k->frontier, frontier));
    d->frontier = writer_view_of(frontier);
    memcpy(d->checkpoint_seed, keeper_seeds(k)->checkpoint, 32);
    memcpy(d->import_seed, keeper_seeds(k)->import_seed, 32);
    return entity_encode(&durable_entity, d, w);
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

static RESULT save(struct keeper *k, bool all)
{
    AUTO(arena_free) struct arena *arena = NULL;
    AUTO_WRITER plain = writer_new(ANCHOR_BODY_MAX - AEAD_NONCE_SIZE - AEAD_TAG_SIZE);
    AUTO_WRITER frontier = writer_new(4096);
    struct durable d = {.nonce_mark_ms = k->nonce_mark_ms};
    struct writer rings[RING_COUNT];
    enum err e = OK;

    TRY(arena_new(64u * 1024, BODY_ARENA_MAX, &arena));
    for (size_t i = 0; i < RING_COUNT; i++)
        rings[i] = writer_new(8192);
    e = fill(k, all, arena, &d);
    if (e == OK)
        e = encode(k, &d, rings, &frontier, &plain);
    wipe(&d, sizeof d);
    for (size_t i = 0; i < RING_COUNT; i++)
        writer_free(&rings[i]);
    TRY(e);
    return seal_and_write(k, writer_view_of(&plain));
}

RESULT save_write(struct keeper *k)
{
    return save(k, false);
}

RESULT save_write_all(struct keeper *k)
{
    return save(k, true);
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
        c->revoked = in[i].revoked;
        memcpy(c->identity, in[i].identity, sizeof c->identity);
        memcpy(c->path_hash, in[i].path_hash, sizeof c->path_hash);
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
    const struct durable_used *used = d->used.items;
    struct people *p = &k->people;

    for (size_t i = 0; i < d->administrators.count; i++) {
        TRY(view_to_str(admins[i].name, p->admins[i].name, NAME_SIZE));
        memcpy(p->admins[i].key, admins[i].key, 32);
    }
    p->admin_count = d->administrators.count;
    for (size_t i = 0; i < d->enrolments.count; i++) {
        TRY(view_to_str(enrolments[i].name, p->enrolments[i].name, NAME_SIZE));
        memcpy(p->enrolments[i].token_hash, enrolments[i].token_hash, 32);
        p->enrolments[i].expiry_ms = enrolments[i].expiry_ms;
    }
    p->enrolment_count = d->enrolments.count;
    for (size_t i = 0; i < d->used.count; i++) {
        memcpy(p->used[i].id, used[i].id, 32);
        p->used[i].expiry_ms = used[i].expiry_ms;
    }
    p->used_count = d->used.count;
    p->four_eyes = d->four_eyes;
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
        if (d->author_seen[i].len)
            memcpy(a->former_seen, d->author_seen[i].ptr, d->author_seen[i].len);
    }
    k->nonce_mark_ms = d->nonce_mark_ms;
    TRY(take_people(k, d));
    TRY(kept_take(k, d));
    TRY(tokens_take(k, d));
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
    secret_free(k->given);
    k->given = NULL;
    k->given_count = 0;
    kept_forget(k);
    tokens_forget(k);
    k->signer_open = false;
    free(k->credentials);
    k->credentials = NULL;
    k->credential_count = k->credential_cap = 0;
    wipe(&k->people, sizeof k->people);
    memset(k->live_rows, 0, sizeof k->live_rows);
    k->settled = false;
    k->frontier = (struct frontier){0};
    k->nonce_mark_ms = 0;
}
