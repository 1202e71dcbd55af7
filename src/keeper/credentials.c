/* Sign-only credentials: taken in encrypted to the import key, sealed under the CREDENTIAL ring, given to the signer
 * and to nobody else. What is in force is in the anchor, by hash; the front only carries the bytes. */
#include "keeper/core.h"

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

void credentials_tell_signer(struct keeper *k, const struct credential *c)
{
    struct keeper_event_credential event = {.version = c->pending_version ? c->pending_version : c->version,
                                            .frozen = c->frozen};

    memcpy(event.id, c->id, 16);
    k->config.event(k->config.context, PEER_SIGNER, KEEPER_EVENT_CREDENTIAL, &keeper_event_credential_entity, &event);
}

void credentials_settle(struct keeper *k, const uint8_t id[static 16], uint64_t version)
{
    struct credential *c = credentials_find(k, id);

    if (!c || version == 0 || c->pending_version != version)
        return;
    k->settled = true;
    c->version = c->pending_version;
    memcpy(c->hash, c->pending_hash, 32);
    c->pending_version = 0;
    memset(c->pending_hash, 0, 32);
    credentials_tell_signer(k, c); /* it may have loaded the former one again while both could be in force */
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
    enum err e;

    sha256(box, hash);
    if (!ct_eq(hash, d->box_hash, 32))
        return problem_set(why, ERR_APPROVAL_INVALID, "box", "the descriptor names another box");
    e = box_open(k->import_public, keeper_seeds(k)->import_private, box, &plain);
    if (e == ERR_NO_MEMORY)
        return e;
    if (e != OK)
        return problem_set(why, ERR_BAD_KEY, "box", "it is not encrypted to this installation's import key");
    e = entity_decode(&credential_bundle_entity, secret_view(plain), arena, &bundle);
    if (e == ERR_NO_MEMORY)
        return e;
    if (e != OK)
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

static bool record_waits(const struct keeper *k, const struct credential *c)
{
    const struct author *a = &k->authors[0];

    for (size_t i = 0; i < k->kept_count; i++)
        if (k->kept[i].record.version == c->pending_version && memcmp(k->kept[i].record.credential, c->id, 16) == 0)
            return true;
    for (uint64_t s = a->low; s < a->chain.next_sequence; s++) {
        const struct waiting *w = &a->waiting[s % WAITING_MAX];
        if (w->sequence == s && w->version == c->pending_version && memcmp(w->credential, c->id, 16) == 0)
            return true;
    }
    return false;
}

/* The version that a change may build on: the pending one; or, if a crash lost that one before the front had stored it,
 * so that nobody has its bytes any more, the one in force. */
static RESULT check_order(const struct keeper *k, const struct credential *c, const struct keeper_credential_put *q,
                          const struct credential_descriptor *d, struct problem *why)
{
    bool pending = c && c->pending_version != 0;
    uint64_t version = !c ? 0 : pending ? c->pending_version : c->version;
    const uint8_t *newest = !c ? zero_hash : pending ? c->pending_hash : c->hash;

    if (ct_eq(newest, q->previous, 32))
        return d->version == version + 1 ? OK
                                         : problem_set(why, ERR_CONFLICT, "version", "the next version is %llu",
                                                       (unsigned long long)version + 1);
    if (!pending || !ct_eq(c->hash, q->previous, 32) || d->version != c->version + 1 || record_waits(k, c))
        return problem_set(why, ERR_APPROVAL_STALE, "previous", "the credential is at version %llu now",
                           (unsigned long long)version);
    return OK;
}

static RESULT identity_of(const struct credential_descriptor *d, uint8_t out[static 32])
{
    AUTO_WRITER w = writer_new(2048);

    writer_str(&w, "holdfast-credential-1");
    writer_var(&w, d->path);
    writer_var(&w, d->venue);
    writer_var(&w, d->scheme);
    writer_u8(&w, d->environment);
    TRY(writer_done(&w));
    sha256(writer_view_of(&w), out);
    return OK;
}

/* A credential stays what it is: the record, the grants and the bots know it by these. And what is revoked stays so. */
static RESULT check_identity(const struct credential *c, const struct credential_descriptor *d, struct problem *why)
{
    uint8_t identity[32];

    TRY(identity_of(d, identity));
    if (c && !ct_eq(identity, c->identity, 32))
        return problem_set(why, ERR_BAD_VALUE, "descriptor",
                           "path, venue, scheme and environment never change; store a new credential");
    if (c && c->revoked && !d->revoked)
        return problem_set(why, ERR_REVOKED, "revoked", "a revoked credential never comes back; store a new one");
    return OK;
}

/* Changes the table in memory; *ret_before puts it back. */
static RESULT set_pending(struct keeper *k, const struct credential_descriptor *d,
                          const struct keeper_credential_put *q, struct credential *ret_before)
{
    struct credential *c = credentials_find(k, d->id);

    *ret_before = c ? *c : (struct credential){0};
    if (!c)
        TRY(credentials_add(k, &c));
    memcpy(c->id, d->id, 16);
    if (c->pending_version != 0 && ct_eq(c->pending_hash, q->previous, 32))
        credentials_settle(k, c->id, c->pending_version); /* the front has stored it, or it could not build on it */
    TRY(identity_of(d, c->identity));
    sha256(d->path, c->path_hash);
    c->pending_version = d->version;
    c->revoked = d->revoked;
    sha256(q->descriptor, c->pending_hash);
    return OK;
}

static void put_back(struct keeper *k, const struct credential_descriptor *d, const struct credential *before)
{
    struct credential *c = credentials_find(k, d->id);

    if (c && before->version == 0 && before->pending_version == 0)
        k->credential_count--; /* it was added last */
    else if (c)
        *c = *before;
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
                               .approvals = {&q->approval, &q->second},
                               .changes = &change,
                               .change_count = 1,
                               .descriptor = q->descriptor,
                               .sealed = out->sealed,
                               .credential = d};
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

/* A new credential counts like a change: the box of an old one, which the front carries, could come back in it under a
 * policy that allows everything. Revoking stops for good, so one is enough. */
static RESULT check_approvals(const struct keeper *k, const struct keeper_credential_put *q,
                              const struct credential_descriptor *d)
{
    const struct approvals given = {&q->approval, &q->second};
    uint8_t object[32], hash[32];
    enum err e;

    sha256(VIEW_OF(d->id), object);
    sha256(q->descriptor, hash);
    e = approvals_check(k, &given, &(struct approved){APPROVE_CREDENTIAL, object, q->previous, hash});
    return e == ERR_SECOND_APPROVAL_NEEDED && d->revoked ? OK : e;
}

HANDLER(credentials_put)
{
    const struct keeper_credential_put *q = request;
    struct keeper_sealed *out = answer;
    struct credential *c, before;
    struct credential_descriptor d;
    enum err e;

    TRY(entity_decode(&credential_descriptor_entity, q->descriptor, arena, &d));
    c = credentials_find(k, d.id);
    TRY(check_order(k, c, q, &d, why));
    TRY(check_identity(c, &d, why));
    TRY(check_approvals(k, q, &d));
    TRY(take_bundle(k, q, &d, arena, &out->sealed, why));
    if (!c && k->credential_count == CREDENTIALS_MAX)
        return ERR_LIMIT_REACHED;
    TRY(author_put(k, q, &d, out, arena));
    e = set_pending(k, &d, q, &before);
    if (e == OK)
        e = save_write(k);
    if (e != OK) {
        put_back(k, &d, &before);
        authors_withdraw(k);
        return e;
    }
    credentials_tell_signer(k, credentials_find(k, d.id));
    return OK;
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
        credentials_settle(k, c->id, c->pending_version);
    if (c->version != d->version || !ct_eq(hash, c->hash, 32))
        return ERR_TAMPERED;
    sha256(d->path, c->path_hash); /* the anchor of an older version does not have it */
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
    if (d.revoked || c->revoked)
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
