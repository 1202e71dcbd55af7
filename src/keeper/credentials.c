/* Sign-only credentials: taken in encrypted to the import key, sealed under the CREDENTIAL ring, given to the signer
 * and to nobody else. What is in force is in the anchor, by hash; the front only carries the bytes. */
#include "keeper/core.h"

#include "base/text.h"

static const uint8_t zero_hash[32];

struct credential *credentials_find(struct keeper *k, const uint8_t id[static 16])
{
    for (size_t i = 0; i < k->credential_count; i++)
        if (memcmp(k->credentials[i].id, id, 16) == 0)
            return &k->credentials[i];
    return NULL;
}

RESULT credentials_add(struct keeper *k, struct credential **ret)
{
    if (k->credential_count == CREDENTIALS_MAX)
        return ERR_LIMIT_REACHED;
    if (k->credential_count == k->credential_cap) {
        size_t cap = k->credential_cap ? k->credential_cap * 2 : 16;
        struct credential *grown = realloc(k->credentials, cap * sizeof *grown);
        if (!grown)
            return ERR_NO_MEMORY;
        k->credentials = grown;
        k->credential_cap = cap;
    }
    *ret = &k->credentials[k->credential_count++];
    memset(*ret, 0, sizeof **ret);
    return OK;
}

void credentials_settle(struct keeper *k, const uint8_t id[static 16])
{
    struct credential *c = credentials_find(k, id);

    if (!c || c->pending_version == 0)
        return;
    k->settled = true;
    c->version = c->pending_version;
    memcpy(c->hash, c->pending_hash, 32);
    c->pending_version = 0;
    memset(c->pending_hash, 0, 32);
}

/* The sealed bundle is bound to the credential's id and to the box it came in, not to the descriptor's version: a
 * change of policy keeps it. */
static void bundle_context(const struct credential_descriptor *d, struct writer *w)
{
    writer_str(w, "credential");
    writer_bytes(w, d->id, sizeof d->id);
    writer_bytes(w, d->box_hash, sizeof d->box_hash);
}

static RESULT open_box(const struct keeper *k, const struct credential_descriptor *d, struct view box,
                       struct arena *arena, struct secret **ret, struct problem *why)
{
    AUTO(secret_free) struct secret *plain = NULL;
    struct credential_bundle bundle;
    uint8_t hash[32];

    sha256(box, hash);
    if (!ct_eq(hash, d->box_hash, 32))
        return problem_set(why, ERR_APPROVAL_INVALID, "box", "the descriptor names another box");
    if (box_open(k->import_public, keeper_seeds(k)->import_private, box, &plain) != OK)
        return problem_set(why, ERR_BAD_KEY, "box", "it is not encrypted to this installation's import key");
    if (entity_decode(&credential_bundle_entity, secret_view(plain), arena, &bundle) != OK)
        return problem_set(why, ERR_MALFORMED, "box", "there is no credential bundle inside");
    *ret = TAKE(plain);
    return OK;
}

static RESULT open_bundle(const struct keeper *k, const struct credential_descriptor *d, struct view sealed,
                          struct writer *ret)
{
    AUTO_WRITER context = writer_new(256);

    bundle_context(d, &context);
    TRY(writer_done(&context));
    return keyring_open(k->rings[RING_CREDENTIAL], PURPOSE_CREDENTIAL, writer_view_of(&context), sealed, ret);
}

static RESULT seal_bundle(const struct keeper *k, const struct credential_descriptor *d, struct view plain,
                          struct arena *arena, struct view *ret)
{
    AUTO_WRITER context = writer_new(256);
    AUTO_WRITER sealed = writer_new(16384);

    bundle_context(d, &context);
    TRY(writer_done(&context));
    TRY(keyring_seal(k->rings[RING_CREDENTIAL], (enum aead_alg)k->head.cipher, PURPOSE_CREDENTIAL,
                     writer_view_of(&context), plain, k->config.random, &sealed));
    return arena_copy(arena, writer_view_of(&sealed), ret);
}

/* The bundle to go on with: a new one out of its box, or the one that was sealed before. */
static RESULT take_bundle(const struct keeper *k, const struct keeper_credential_put *q,
                          const struct credential_descriptor *d, struct arena *arena, struct view *ret_sealed,
                          struct problem *why)
{
    AUTO(secret_free) struct secret *plain = NULL;
    AUTO_WRITER kept = writer_new(16384);

    if (q->box.len != 0) {
        TRY(open_box(k, d, q->box, arena, &plain, why));
        return seal_bundle(k, d, secret_view(plain), arena, ret_sealed);
    }
    TRY(open_bundle(k, d, q->sealed, &kept));
    return seal_bundle(k, d, writer_view_of(&kept), arena, ret_sealed);
}

static RESULT check_order(const struct credential *c, const struct keeper_credential_put *q,
                          const struct credential_descriptor *d, struct problem *why)
{
    bool pending = c && c->pending_version != 0;
    const uint8_t *previous = !c ? zero_hash : pending ? c->pending_hash : c->hash;
    uint64_t version = !c ? 0 : pending ? c->pending_version : c->version;

    if (!ct_eq(previous, q->previous, 32))
        return problem_set(why, ERR_APPROVAL_STALE, "previous", "the credential is at version %llu now",
                           (unsigned long long)version);
    if (d->version != version + 1)
        return problem_set(why, ERR_CONFLICT, "version", "the next version is %llu", (unsigned long long)version + 1);
    return OK;
}

/* Pending in the anchor first, then the record; both or neither. */
static RESULT put_pending(struct keeper *k, const struct credential_descriptor *d, const uint8_t hash[static 32])
{
    struct credential *c = credentials_find(k, d->id), before;
    bool added = !c;
    enum err e;

    if (added)
        TRY(credentials_add(k, &c));
    before = *c;
    if (c->pending_version != 0)
        credentials_settle(k, c->id);
    memcpy(c->id, d->id, 16);
    c->pending_version = d->version;
    memcpy(c->pending_hash, hash, 32);
    e = save_write(k);
    if (e != OK && added)
        k->credential_count--;
    else if (e != OK)
        *c = before;
    return e;
}

static RESULT row_change(const struct credential_descriptor *d, const uint8_t hash[static 32], struct leaf_change *ret)
{
    /* The keeper does not know how the front names its rows; it commits to the credential's own id. */
    *ret = (struct leaf_change){.table = 9, .version = d->version};
    sha256(VIEW_OF(d->id), ret->row);
    memcpy(ret->commitment, hash, 32);
    return OK;
}

static RESULT author_put(struct keeper *k, const struct keeper_credential_put *q, const struct credential_descriptor *d,
                         struct keeper_sealed *out, struct arena *arena)
{
    struct leaf_change change;
    AUTO_WRITER resource = writer_new(1024);
    struct authoring record = {.type = d->revoked        ? EVENT_CREDENTIAL_REVOKED
                                       : d->version == 1 ? EVENT_CREDENTIAL_STORED
                                                         : EVENT_CREDENTIAL_POLICY_CHANGED,
                               .outcome = OUTCOME_DONE,
                               .who = q->who,
                               .changes = &change,
                               .change_count = 1,
                               .descriptor = q->descriptor,
                               .sealed = out->sealed,
                               .credential = d->id};
    uint8_t hash[32];

    sha256(q->descriptor, hash);
    TRY(row_change(d, hash, &change));
    writer_str(&resource, "credential:");
    writer_view(&resource, d->path);
    TRY(writer_done(&resource));
    record.what.resource = writer_view_of(&resource);
    record.what.detail = d->venue;
    return authors_write(k, &record, arena, &out->authored);
}

static void tell_signer(struct keeper *k, const struct credential *c)
{
    struct keeper_event_credential event = {.version = c->pending_version ? c->pending_version : c->version,
                                            .frozen = c->frozen};

    memcpy(event.id, c->id, 16);
    k->config.event(k->config.context, PEER_SIGNER, KEEPER_EVENT_CREDENTIAL, &keeper_event_credential_entity, &event);
}

HANDLER(credentials_put)
{
    const struct keeper_credential_put *q = request;
    struct keeper_sealed *out = answer;
    struct credential_descriptor d;
    uint8_t object[32], hash[32];

    TRY(authors_room(k));
    TRY(entity_decode(&credential_descriptor_entity, q->descriptor, arena, &d));
    TRY(check_order(credentials_find(k, d.id), q, &d, why));
    sha256(VIEW_OF(d.id), object);
    sha256(q->descriptor, hash);
    TRY(admins_check_approval(k, &q->approval, APPROVE_CREDENTIAL, object, q->previous, hash));
    TRY(take_bundle(k, q, &d, arena, &out->sealed, why));
    TRY(put_pending(k, &d, hash));
    tell_signer(k, credentials_find(k, d.id));
    return author_put(k, q, &d, out, arena);
}

static RESULT check_release(const struct keeper *k, const struct credential *c,
                            const struct keeper_credential_freeze *q)
{
    uint8_t object[32];

    if (q->frozen)
        return OK; /* stopping needs nobody's leave */
    sha256(VIEW_OF(c->id), object);
    return admins_check_approval(k, &q->approval, APPROVE_RELEASE, object, c->hash, c->hash);
}

HANDLER(credentials_freeze)
{
    const struct keeper_credential_freeze *q = request;
    struct keeper_sealed *out = answer;
    struct credential *c = credentials_find(k, q->id);
    char id[ID_TEXT_SIZE], resource[16 + ID_TEXT_SIZE];
    struct writer w = writer_fixed(resource, sizeof resource);
    struct authoring record = {.type = q->frozen ? EVENT_CREDENTIAL_FROZEN : EVENT_CREDENTIAL_RELEASED,
                               .outcome = OUTCOME_DONE,
                               .who = q->who};
    bool before;
    enum err e;

    (void)why;
    if (!c)
        return ERR_NOT_FOUND;
    TRY(authors_room(k));
    TRY(check_release(k, c, q));
    before = c->frozen;
    c->frozen = q->frozen;
    e = save_write(k);
    if (e != OK) {
        c->frozen = before;
        return e;
    }
    tell_signer(k, c);
    id_format((const struct id *)(const void *)c->id, id);
    writer_printf(&w, "credential-id:%s", id);
    record.what.resource = writer_view_of(&w);
    return authors_write(k, &record, arena, &out->authored);
}

/* Which of the two descriptors that may be in force this one is; the pending one comes into force by being used. */
static RESULT accept_descriptor(struct keeper *k, const struct credential_descriptor *d, struct view descriptor,
                                struct credential **ret)
{
    struct credential *c = credentials_find(k, d->id);
    uint8_t hash[32];

    if (!c)
        return ERR_NOT_FOUND;
    sha256(descriptor, hash);
    if (c->pending_version == d->version && ct_eq(hash, c->pending_hash, 32))
        credentials_settle(k, c->id);
    if (c->version != d->version || !ct_eq(hash, c->hash, 32))
        return ERR_TAMPERED;
    if (k->settled)
        TRY(save_write(k)); /* from now on the former one must be dead, also after a crash */
    *ret = c;
    return OK;
}

HANDLER(credentials_unwrap)
{
    const struct keeper_unwrap *q = request;
    struct keeper_unwrapped *out = answer;
    struct credential_descriptor d;
    struct credential *c;
    struct window_mark *marks;
    AUTO_WRITER plain = writer_new(16384);
    enum err e;

    TRY(entity_decode(&credential_descriptor_entity, q->descriptor, arena, &d));
    e = accept_descriptor(k, &d, q->descriptor, &c);
    if (e == ERR_TAMPERED || e == ERR_NOT_FOUND)
        return problem_set(why, ERR_TAMPERED, "descriptor",
                           "it is not the version that the administrators approved last");
    TRY(e);
    if (d.revoked)
        return ERR_REVOKED;
    TRY(open_bundle(k, &d, q->sealed, &plain));
    TRY(arena_copy(arena, writer_view_of(&plain), &out->bundle));
    marks = arena_alloc(arena, (c->window_count + 1) * sizeof *marks);
    if (!marks)
        return ERR_NO_MEMORY;
    for (size_t i = 0; i < c->window_count; i++)
        marks[i] = (struct window_mark){c->windows[i].start_ms, c->windows[i].orders, view_str(c->windows[i].notional)};
    out->windows = (struct entity_list){marks, c->window_count};
    out->frozen = c->frozen;
    out->policy_version = c->version;
    return OK;
}

HANDLER(credentials_rewrap)
{
    const struct keeper_unwrap *q = request;
    struct keeper_sealed *out = answer;
    struct credential_descriptor d;
    AUTO_WRITER plain = writer_new(16384);

    (void)why;
    TRY(entity_decode(&credential_descriptor_entity, q->descriptor, arena, &d));
    TRY(open_bundle(k, &d, q->sealed, &plain));
    return seal_bundle(k, &d, writer_view_of(&plain), arena, &out->sealed);
}
